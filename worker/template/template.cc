#include "worker/template/template.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "shared/base/pidfd.h"
#include "shared/channel/dump_request.h"
#include "shared/channel/template_link.h"
#include "worker/engine/stack_dump.h"
#include "worker/engine/watch.h"
#include "worker/template/heap.h"
#include "worker/template/last_resort.h"

namespace consort {
namespace {

int CountThreads() {
  DIR* folder = opendir("/proc/self/task");
  if (folder == nullptr) return -1;
  int count = 0;
  while (const dirent* entry = readdir(folder)) count += entry->d_name[0] != '.';
  closedir(folder);
  return count;
}

class Template {
 public:
  explicit Template(TemplateLife life) : life_(std::move(life)) {}

  [[noreturn]] void Serve() {
    supervisor_ = UniqueFd(PidfdOpen(life_.supervisor));
    sigset_t child_signal;
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_signal, nullptr);
    children_ = UniqueFd(signalfd(-1, &child_signal, SFD_CLOEXEC | SFD_NONBLOCK));
    PrepareStackDumps();
    ReleaseFreeMemory();
    TemplateMessage ready;
    ready.type = TemplateMessage::Type::kReady;
    Send(ready);
    for (;;) {
      pollfd events[] = {{life_.control.get(), POLLIN, 0}, {children_.get(), POLLIN, 0}};
      if (poll(events, 2, -1) < 0 && errno != EINTR) _exit(1);
      if (events[1].revents != 0) ReapChildren();
      if (events[0].revents != 0) HandleRequest();
    }
  }

 private:
  void Send(const TemplateMessage& message, const std::vector<int>& fds = {}) {
    if (!SendMessage(life_.control.get(), message, fds)) _exit(0);  // the supervisor is gone
  }

  void ReapChildren() {
    signalfd_siginfo ignored;
    while (read(children_.get(), &ignored, sizeof(ignored)) > 0) {
    }
    int status = 0;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
      TemplateMessage exited;
      exited.type = TemplateMessage::Type::kExited;
      exited.pid = pid;
      exited.wait_status = status;
      Send(exited);
    }
  }

  void HandleRequest() {
    bool closed = false;
    auto received = ReceiveMessage(life_.control.get(), false, closed);
    if (closed) _exit(0);
    if (!received) FailAsTemplate(life_.control.get(), received.error());
    if (!received.value()) return;
    auto& request = *received.value();
    if (request.message.type != TemplateMessage::Type::kFork || request.fds.size() != 3) {
      FailAsTemplate(life_.control.get(), Error{"unknown request"});
    }
    if (life_.become) {
      const UniqueFd pidfd(PidfdOpen(getpid()));
      SayForked(request.message.worker, getpid(), pidfd.get());
      prctl(PR_SET_NAME, "consort-worker");
      BecomeWorker(request);
    }
    Fork(request);
  }

  void Fork(ReceivedMessage& request) {
    if (CountThreads() != 1) {
      FailAsTemplate(life_.control.get(),
                     Error{"the template has more than one thread, so it must not fork",
                           "run with --no-template, and tell us which model does this"});
    }
    const pid_t self = getpid();
    const pid_t pid = fork();
    if (pid < 0) return SayNotForked(request.message.worker, errno);
    if (pid == 0) {
      if (!TieToParent(self, "consort-worker")) _exit(0);
      life_.control.Reset();
      children_.Reset();
      BecomeWorker(request);
    }
    // The child cannot be reaped before this thread does it, so the pid is still its own.
    const UniqueFd pidfd(PidfdOpen(pid));
    if (!pidfd) {
      const int reason = errno;
      kill(pid, SIGKILL);
      return SayNotForked(request.message.worker, reason);
    }
    SayForked(request.message.worker, pid, pidfd.get());
  }

  void SayNotForked(uint64_t worker, int errno_value) {
    TemplateMessage refused;
    refused.type = TemplateMessage::Type::kNotForked;
    refused.worker = worker;
    refused.SetText(SystemError("fork a worker", "", errno_value).what);
    Send(refused);
  }

  void SayForked(uint64_t worker, pid_t pid, int pidfd) {
    TemplateMessage forked;
    forked.type = TemplateMessage::Type::kForked;
    forked.worker = worker;
    forked.pid = pid;
    Send(forked, {pidfd});
  }

  [[noreturn]] void BecomeWorker(ReceivedMessage& request) {
    const sigset_t requests = DumpRequestSet();  // these alone
    sigprocmask(SIG_SETMASK, &requests, nullptr);
    RaiseOomScore(kWorkerOomScore - kTemplateOomScore);
    // What it writes, and what its model prints, is read by the supervisor.
    dup2(request.fds[2].get(), STDOUT_FILENO);
    dup2(request.fds[2].get(), STDERR_FILENO);
    request.fds[2].Reset();
    auto channel = Channel::Attach(std::move(request.fds[0]));
    if (!channel) _exit(1);
    channel.value().CloseFd();
    // The first thread of the child: whatever the fork rule forbade is allowed from here on.
    ReleaseFreeMemoryInBackground();
    WorkerLife life;
    life.channel = &channel.value();
    life.wake_fd = request.fds[1].get();
    life.supervisor_pidfd = supervisor_.get();
    life.intra = life_.intra;
    life.factory = life_.factory;
    LiveAsWorker(life);
  }

  TemplateLife life_;
  UniqueFd supervisor_;
  UniqueFd children_;
};

}  // namespace

Status TieToParent(pid_t parent, const char* name) {
  prctl(PR_SET_NAME, name);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the call: then no signal ever comes.
  if (getppid() != parent) return Error{"the parent process is gone"};
  return Ok();
}

void LiveAsTemplate(TemplateLife life) { Template(std::move(life)).Serve(); }

void FailAsTemplate(int control, const Error& error) {
  TemplateMessage failed;
  failed.type = TemplateMessage::Type::kFailed;
  failed.SetText(error.Sentence());
  [[maybe_unused]] const Status ignored = SendMessage(control, failed);
  _exit(1);
}

}  // namespace consort
