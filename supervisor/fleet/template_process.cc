#include "supervisor/fleet/template_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/env.hpp>
#include <boost/process/environment.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/io.hpp>
#include <cerrno>

#include "shared/base/pidfd.h"
#include "supervisor/fleet/descriptor_limit.h"

namespace consort {
namespace {

namespace bp = boost::process;

// Where the child finds what it inherits. Above standard error, below anything else.
constexpr int kControlFd = 3;
constexpr int kArenaFd = 4;
constexpr int kTagsFd = 5;
constexpr int kLastFd = kTagsFd;

// What the child does between fork and exec: only calls that are safe there.
struct ChildSetup {
  int control;
  int arena;
  int tags;
  const cpu_set_t* cpus;
  size_t descriptors;

  void operator()() const {
    setpgid(0, 0);  // Ctrl-C in the terminal reaches the supervisor alone
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    // What a model prints is no result.
    dup2(STDERR_FILENO, STDOUT_FILENO);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    SetDescriptorLimit(descriptors);
    if (cpus != nullptr) sched_setaffinity(0, sizeof(*cpus), cpus);
    // Marked, not closed: Boost.Process tells a failed exec through a descriptor of its own.
    close_range(kControlFd, ~0U, CLOSE_RANGE_CLOEXEC);
    // All were moved above these numbers before, so no dup2 overwrites another's source. What dup2
    // makes bears no mark.
    dup2(control, kControlFd);
    if (arena >= 0) dup2(arena, kArenaFd);
    if (tags >= 0) dup2(tags, kTagsFd);
  }
};

// Holds the numbers that the child gives away, so that nothing made for the fork lies on them.
std::vector<UniqueFd> ReserveLowNumbers() {
  std::vector<UniqueFd> reserved;
  for (;;) {
    UniqueFd fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (fd.get() < 0 || fd.get() > kLastFd) return reserved;
    reserved.push_back(std::move(fd));
  }
}

// -1 stays so.
UniqueFd DuplicateAbove(int fd) {
  return fd < 0 ? UniqueFd() : UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, kLastFd + 1));
}

bp::environment ChildEnvironment(int intra) {
  bp::environment environment = boost::this_process::environment();
  // With more than one thread an engine the user's own settings stand: the comparison would be
  // rigged otherwise.
  if (intra == 1) {
    environment["OMP_NUM_THREADS"] = "1";
    environment["MKL_NUM_THREADS"] = "1";
    environment["OMP_WAIT_POLICY"] = "PASSIVE";
  }
  return environment;
}

}  // namespace

Result<TemplateProcess> TemplateProcess::Start(const TemplateCommand& command) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
    return SystemError("make a socket", "", errno);
  }
  TemplateProcess process;
  process.socket_ = UniqueFd(sockets[0]);
  UniqueFd theirs(sockets[1]);
  const UniqueFd control = DuplicateAbove(theirs.get());
  const UniqueFd arena = DuplicateAbove(command.arena_fd);
  const UniqueFd tags = DuplicateAbove(command.tags_fd);
  theirs.Reset();
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  for (const int cpu : command.cpus) CPU_SET(static_cast<size_t>(cpu), &cpus);

  std::vector<std::string> arguments = {"--template",
                                        "--control-fd",
                                        std::to_string(kControlFd),
                                        "--supervisor-pid",
                                        std::to_string(getpid()),
                                        "--intra",
                                        std::to_string(command.intra),
                                        "--engines",
                                        std::to_string(command.engines)};
  if (command.check_rate > 0) {
    arguments.insert(arguments.end(), {"--check", std::to_string(command.check_rate)});
  } else {
    arguments.insert(arguments.end(),
                     {"--bundle", command.bundle, "--bundle-sha256", command.bundle_sha256});
  }
  if (command.arena_fd >= 0) {
    arguments.insert(arguments.end(), {"--arena-fd", std::to_string(kArenaFd)});
  }
  if (command.tags_fd >= 0) {
    arguments.insert(arguments.end(), {"--tags-fd", std::to_string(kTagsFd)});
  }
  if (command.become) arguments.push_back("--become");
  bp::environment environment = ChildEnvironment(command.intra);
  const auto reserved = ReserveLowNumbers();
  try {
    bp::child child(
        bp::exe = command.program, bp::args = arguments, environment, bp::std_in < bp::null,
        bp::extend::on_exec_setup = [&](auto&) {
          ChildSetup{control.get(), arena.get(), tags.get(), command.cpus.empty() ? nullptr : &cpus,
                     command.descriptors}();
        });
    process.pid_ = child.id();
    child.detach();  // we reap it ourselves
  } catch (const bp::process_error& error) {
    return Error{
        "could not start \"" + command.program + "\": " + error.code().message(),
        command.program.substr(command.program.find_last_of('/') + 1) + " belongs beside consort"};
  }
  process.pidfd_ = UniqueFd(PidfdOpen(process.pid_));
  if (!process.pidfd_) return SystemError("watch a process", "", errno);
  return process;
}

Status TemplateProcess::RequestFork(uint64_t worker, int channel_fd, int wake_fd, int output_fd) {
  TemplateMessage request;
  request.type = TemplateMessage::Type::kFork;
  request.worker = worker;
  return SendMessage(socket_.get(), request, {channel_fd, wake_fd, output_fd}, false);
}

Result<std::optional<ReceivedMessage>> TemplateProcess::Receive(bool& closed) {
  return ReceiveMessage(socket_.get(), false, closed);
}

void TemplateProcess::Kill() {
  killed_ = true;
  PidfdKill(pidfd_.get());
}

}  // namespace consort
