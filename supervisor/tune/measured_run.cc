#include "supervisor/tune/measured_run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/io.hpp>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>

#include "shared/base/clock.h"
#include "shared/base/pidfd.h"
#include "shared/base/read_file.h"
#include "supervisor/cli/exit_status.h"

namespace consort {
namespace {

namespace bp = boost::process;

constexpr int64_t kStraysNs = 5'000'000'000;  // how long those that were killed are waited for
constexpr useconds_t kPauseUs = 2'000;

// The sentence that ended the run, without the program's name.
std::string LastLine(const std::string& told) {
  std::istringstream lines(told);
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) last = line;
  }
  constexpr std::string_view kName = "consort: ";
  return last.starts_with(kName) ? last.substr(kName.size()) : last;
}

std::vector<std::string> Arguments(const MeasureOrder& order) {
  char seconds[32];
  std::snprintf(seconds, sizeof(seconds), "%.3f", order.seconds);
  return {"run",
          "-m",
          order.bundle,
          "-p",
          std::to_string(order.split.workers),
          "-t",
          std::to_string(order.split.engines),
          "--intra",
          std::to_string(order.intra),
          "--measure",
          seconds,
          "--figures",
          order.folder + "/figures.json",
          "-o",
          order.folder + "/out.jsonl",
          "--job",
          order.folder + "/job",
          "--quiet",
          "--progress",
          "none",
          "--",
          order.list};
}

// Those that this process has now, dead ones that nobody has reaped among them. nullopt: the kernel
// does not tell.
std::optional<std::set<pid_t>> Children() {
  std::error_code error;
  std::set<pid_t> children;
  std::filesystem::directory_iterator task("/proc/self/task", error);
  for (; !error && task != std::filesystem::directory_iterator(); task.increment(error)) {
    std::ifstream file(task->path() / "children");
    if (!file) return std::nullopt;
    for (pid_t pid = 0; file >> pid;) children.insert(pid);
  }
  if (error) return std::nullopt;
  return children;
}

// Those that were there before the first trial, since whoever became this program by exec had
// started them: they are none of ours, and may live long.
std::set<pid_t>& Inherited() {
  static std::set<pid_t> inherited;
  return inherited;
}

bool OnlyInheritedAreLeft() {
  const auto children = Children();
  return children && std::ranges::includes(Inherited(), *children);
}

// Everybody who is left of a run whose supervisor is gone. They were sent SIGKILL by its death, but
// the kernel takes its time to free what they held.
void ReapStrays() {
  const int64_t until = MonotonicNs() + kStraysNs;
  while (MonotonicNs() < until) {
    const pid_t reaped = waitpid(-1, nullptr, WNOHANG);
    if (reaped < 0 && errno != EINTR) return;
    if (reaped > 0) Inherited().erase(reaped);  // its number may be another's soon
    if (reaped != 0) continue;
    if (OnlyInheritedAreLeft()) return;
    usleep(kPauseUs);
  }
}

// The pid, or an error.
Result<pid_t> Start(const MeasureOrder& order) {
  const pid_t parent = getpid();
  try {
    bp::child child(
        bp::exe = std::filesystem::read_symlink("/proc/self/exe").string(),
        bp::args = Arguments(order), bp::std_in<bp::null, bp::std_out> bp::null,
        bp::std_err > order.folder + "/told", bp::extend::on_exec_setup = [parent](auto&) {
          setpgid(0, 0);  // Ctrl-C in the terminal reaches tune alone
          sigset_t none;
          sigemptyset(&none);
          sigprocmask(SIG_SETMASK, &none, nullptr);
          prctl(PR_SET_PDEATHSIG, SIGKILL);
          if (getppid() != parent) _exit(kFailed);
        });
    const pid_t pid = child.id();
    child.detach();  // reaped below
    return pid;
  } catch (const std::system_error& error) {  // Boost.Process's, and the file system's
    return Error{"could not start a trial: " + error.code().message()};
  }
}

}  // namespace

void AdoptOrphans() {
  Inherited() = Children().value_or(std::set<pid_t>());
  prctl(PR_SET_CHILD_SUBREAPER, 1);
}

MeasuredRun Measure(const MeasureOrder& order, Signals& signals) {
  MeasuredRun run;
  const int64_t began_ns = MonotonicNs();
  const auto started = Start(order);
  if (!started) {
    run.error = started.error();
    return run;
  }
  const pid_t pid = started.value();
  const UniqueFd pidfd(PidfdOpen(pid));
  run.kind = MeasuredRun::Kind::kMeasured;
  for (;;) {
    const int64_t left_ns = order.deadline_ns - MonotonicNs();
    if (left_ns <= 0) {
      run.kind = MeasuredRun::Kind::kOutOfTime;
      break;
    }
    pollfd watched[] = {{pidfd.get(), POLLIN, 0}, {signals.fd(), POLLIN, 0}};
    poll(watched, 2, static_cast<int>(std::min<int64_t>(left_ns / 1'000'000 + 1, 1000)));
    if (watched[0].revents != 0) break;
    if (const int number = signals.Take(); number != 0) {
      run.kind = MeasuredRun::Kind::kInterrupted;
      run.signal = number;
      break;
    }
  }
  if (run.kind != MeasuredRun::Kind::kMeasured) kill(pid, SIGKILL);  // not reaped: still this one
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  ReapStrays();
  run.took_s = static_cast<double>(MonotonicNs() - began_ns) / 1e9;
  if (run.kind != MeasuredRun::Kind::kMeasured) return run;
  run.results = order.folder + "/out.jsonl";
  run.kind = MeasuredRun::Kind::kFailed;
  if (!WIFEXITED(status) || (WEXITSTATUS(status) != kDone && WEXITSTATUS(status) != kSomeFailed)) {
    const std::string told = LastLine(ReadFileOrNothing(order.folder + "/told"));
    run.error.what = !told.empty() ? told
                     : WIFSIGNALED(status)
                         ? "it was ended by signal " + std::to_string(WTERMSIG(status))
                         : "it ended with status " + std::to_string(WEXITSTATUS(status));
    return run;
  }
  const std::string path = order.folder + "/figures.json";
  auto figures = ParseFigures(ReadFileOrNothing(path), path);
  if (!figures) {
    run.error = figures.error();
    return run;
  }
  run.kind = MeasuredRun::Kind::kMeasured;
  run.figures = figures.value();
  return run;
}

}  // namespace consort
