#include "supervisor/fleet/fleet.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "shared/base/clock.h"
#include "shared/base/pidfd.h"
#include "supervisor/fleet/descriptor_limit.h"

namespace consort {
namespace {

// A template that answers nothing for so long hangs: it is killed, and started anew.
constexpr int64_t kTemplateAnswerNs = 2'000'000'000;
// A fork of what is loaded that has not become a ready worker for so long hangs.
constexpr int64_t kWorkerReadyNs = 20'000'000'000;
// Ticks further apart mean that we were stopped ourselves: then no age counts.
constexpr int64_t kStoppedNs = 1'000'000'000;
// Forks asked of a template at a time: far less than a socket holds.
constexpr int kMostAsked = 8;
// How long End waits for processes that were sent SIGKILL.
constexpr int64_t kEndNs = 2'000'000'000;
constexpr int64_t kStraysNs = 20'000'000;
// Descriptors: eventfd, pidfd and pipe of a worker, socket and pidfd of its template, and one to be
// sure; files, arenas and the loop beside them.
constexpr size_t kDescriptorsAWorker = 6;
constexpr size_t kOtherDescriptors = 256;

bool IsDead(int pidfd) {
  pollfd state{pidfd, POLLIN, 0};
  return poll(&state, 1, 0) > 0;
}

// 0 while it lives, 1 reaped (status filled), -1 not our child to reap.
int TryReap(int pidfd, int& status) {
  siginfo_t info{};
  if (waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG) !=
      0) {
    return -1;
  }
  if (info.si_pid == 0) return 0;
  status = info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8 : info.si_status & 0x7f;
  return 1;
}

}  // namespace

Worker::Worker(uint64_t id, size_t slot, uint64_t template_id, Channel channel, UniqueFd wake,
               WorkerOutput output)
    : id_(id),
      slot_(slot),
      template_id_(template_id),
      channel_(std::move(channel)),
      wake_(std::move(wake)),
      output_(std::move(output)) {
  for (uint32_t i = 0; i < channel_.engine_count(); ++i) {
    tasks_.emplace_back(channel_.task_ring(i), channel_.task_cells(i), kTaskRingWords);
    results_.emplace_back(channel_.result_ring(i), channel_.result_cells(i), kResultRingWords);
  }
}

Fleet::Fleet(FleetPlan plan, EventLoop& loop, FleetEvents& events)
    : plan_(std::move(plan)),
      loop_(loop),
      events_(events),
      slot_worker_(plan_.slots.size()),
      slot_closed_(plan_.slots.size()),
      node_slots_(plan_.nodes.size()),
      node_template_(plan_.nodes.size()) {
  for (size_t slot = 0; slot < plan_.slots.size(); ++slot) {
    slot_closed_[slot] = plan_.slots[slot].closed;
    if (!slot_closed_[slot]) ++node_slots_[static_cast<size_t>(plan_.slots[slot].node)];
  }
}

Fleet::~Fleet() { End(); }

Status Fleet::Start() {
  // Workers are grandchildren: if their template dies they become ours to reap.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  const size_t descriptors =
      RaiseDescriptorLimit(kDescriptorsAWorker * plan_.slots.size() + kOtherDescriptors);
  for (auto& node : plan_.nodes) {
    node.command.descriptors = WorkerDescriptors(descriptors, node.command.engines);
  }
  for (size_t node = 0; node < plan_.nodes.size(); ++node) {
    if (node_slots_[node] > 0) StartTemplate(node);
  }
  return Ok();
}

Worker* Fleet::FindWorker(uint64_t id) {
  const auto found = workers_.find(id);
  return found == workers_.end() ? nullptr : found->second.get();
}

Fleet::Template* Fleet::FindTemplate(uint64_t id) {
  const auto found = templates_.find(id);
  return found == templates_.end() ? nullptr : found->second.get();
}

void Fleet::StartTemplate(size_t node) {
  auto process = TemplateProcess::Start(plan_.nodes[node].command);
  if (!process) {
    failed_ = true;
    return events_.FleetFailed(process.error());
  }
  auto started = std::make_unique<Template>(Template{.id = next_id_++,
                                                     .node = node,
                                                     .process = std::move(process).value(),
                                                     .ready = false,
                                                     .asked = 0,
                                                     .asked_ns = 0,
                                                     .retired = false});
  const uint64_t id = started->id;
  node_template_[node] = id;
  const Status watched = loop_.Add(started->process.socket(), [this, id] { ReadTemplate(id); });
  templates_.emplace(id, std::move(started));
  if (!watched) events_.FleetFailed(watched.error());
}

void Fleet::FillSlots() {
  if (ending_ || draining_ || failed_ || MonotonicNs() < not_before_ns_) return;
  for (size_t node = 0; node < plan_.nodes.size(); ++node) {
    if (node_template_[node] == 0 && node_slots_[node] > 0) StartTemplate(node);
  }
  for (size_t slot = 0; slot < plan_.slots.size(); ++slot) {
    if (slot_worker_[slot] != 0 || slot_closed_[slot]) continue;
    auto* from = FindTemplate(node_template_[static_cast<size_t>(plan_.slots[slot].node)]);
    if (from == nullptr || from->retired) continue;  // once it is gone, another one is started
    if (from->ready && from->asked < kMostAsked && !RequestWorker(slot, *from)) {
      return;  // the next tick tries again
    }
  }
}

bool Fleet::RequestWorker(size_t slot, Template& from) {
  auto channel = Channel::Create(plan_.slots[slot].cpus);
  UniqueFd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  UniqueFd writing;
  auto output = WorkerOutput::Make(writing);
  if (!channel || !wake || !output) {
    failed_ = true;
    events_.FleetFailed(!channel  ? channel.error()
                        : !output ? output.error()
                                  : SystemError("make an eventfd", "", errno));
    return false;
  }
  const uint64_t id = next_id_++;
  std::unique_ptr<Worker> worker(new Worker(id, slot, from.id, std::move(channel).value(),
                                            std::move(wake), std::move(output).value()));
  if (!from.process.RequestFork(id, worker->channel_.fd(), worker->wake_.get(), writing.get())) {
    return false;
  }
  worker->channel_.CloseFd();
  worker->requested_ns_ = MonotonicNs();
  if (from.asked++ == 0) from.asked_ns = worker->requested_ns_;
  const Status watched = loop_.Add(worker->wake_.get(), [this, id] { WakeFired(id); });
  slot_worker_[slot] = id;
  workers_.emplace(id, std::move(worker));
  if (!watched) events_.FleetFailed(watched.error());
  return true;
}

void Fleet::ReadTemplate(uint64_t template_id) {
  for (;;) {
    auto* from = FindTemplate(template_id);
    if (from == nullptr) return;
    bool closed = false;
    auto received = from->process.Receive(closed);
    if (!received || closed) {
      // Its death is told by SIGCHLD; one that only closes its socket, or talks nonsense, is
      // broken. A closed socket mostly means that it is dead: then it was not us who ended it.
      loop_.Remove(from->process.socket());
      if (closed) {
        PidfdKill(from->process.pidfd());
      } else {
        from->process.Kill();
      }
      return;
    }
    if (!received.value()) return;
    HandleMessage(*from, *received.value());
  }
}

void Fleet::HandleMessage(Template& from, ReceivedMessage& received) {
  const auto& message = received.message;
  switch (message.type) {
    case TemplateMessage::Type::kReady:
      from.ready = true;
      return FillSlots();
    case TemplateMessage::Type::kForked:
      return Forked(from, received);
    case TemplateMessage::Type::kExited:
      for (auto& [id, worker] : workers_) {
        if (worker->template_id_ != from.id || worker->pid_ != message.pid) continue;
        return Step(*worker, WorkerEvent::kReaped,
                    DeathFrom(message.wait_status, worker->killed_by_us_));
      }
      return;
    case TemplateMessage::Type::kFailed:
      failed_ = true;
      return events_.FleetFailed(Error{message.text});
    case TemplateMessage::Type::kNotForked:
      return NotForked(from, received);
    case TemplateMessage::Type::kFork:
      break;
  }
  from.process.Kill();
}

void Fleet::Forked(Template& from, ReceivedMessage& received) {
  auto* worker = FindWorker(received.message.worker);
  if (worker == nullptr || worker->template_id_ != from.id || received.fds.size() != 1 ||
      from.asked == 0) {
    return from.process.Kill();
  }
  --from.asked;
  from.asked_ns = MonotonicNs();  // answers come in order: the next one's time begins
  worker->is_template_ = received.message.pid == from.process.pid();
  worker->pid_ = received.message.pid;
  worker->pidfd_ = std::move(received.fds[0]);
  const uint64_t id = worker->id_;
  const Status watched = loop_.Add(worker->pidfd_.get(), [this, id] {
    if (auto* dying = FindWorker(id)) Step(*dying, WorkerEvent::kPidfd);
  });
  if (!watched) return events_.FleetFailed(watched.error());
  // From here on it has a name to be read under.
  const Status heard = loop_.Add(worker->output_.fd(), [this, id] { ReadOutput(id); });
  if (!heard) return events_.FleetFailed(heard.error());
  Step(*worker, WorkerEvent::kForked);
  WakeFired(id);  // it may have been ready before we knew of it
  FillSlots();
}

void Fleet::NotForked(Template& from, const ReceivedMessage& received) {
  auto* worker = FindWorker(received.message.worker);
  if (worker == nullptr || worker->template_id_ != from.id || from.asked == 0 ||
      worker->state_ != WorkerState::kRequested) {
    return from.process.Kill();
  }
  --from.asked;
  from.asked_ns = MonotonicNs();
  // Once: where it stays so, the job goes on with the workers that it has.
  if (!std::exchange(told_of_refusal_, true)) events_.ForkRefused(received.message.text);
  EndedUnready(Death{.cause = Death::Cause::kCrashed}, received.message.text);
  Step(*worker, WorkerEvent::kLost);
}

void Fleet::WakeFired(uint64_t worker_id) {
  auto* worker = FindWorker(worker_id);
  if (worker == nullptr) return;
  uint64_t count = 0;
  [[maybe_unused]] const auto got = read(worker->wake_.get(), &count, sizeof(count));
  // One that is being ended for being late is given nothing any more.
  if (worker->state_ == WorkerState::kStarting && !worker->killed() &&
      worker->channel_.header().ready.load(std::memory_order_acquire) != 0) {
    Step(*worker, WorkerEvent::kReady);
  }
  if (worker->running()) events_.WorkerWoke(*worker);
}

void Fleet::ReadOutput(uint64_t worker_id) {
  auto* worker = FindWorker(worker_id);
  if (worker == nullptr) return;
  const bool more = worker->output_.Read(
      [this, worker](std::string_view line) { events_.WorkerSaid(*worker, line); });
  if (!more) loop_.Remove(worker->output_.fd());  // it has closed both, or is about to be buried
}

void Fleet::ReadRestOfOutput(Worker& worker) {
  loop_.Remove(worker.output_.fd());
  worker.output_.ReadRest(
      [this, &worker](std::string_view line) { events_.WorkerSaid(worker, line); });
}

void Fleet::Step(Worker& worker, WorkerEvent event, const Death& death) {
  const auto [state, action] = NextStep(worker.state_, event);
  worker.state_ = state;
  switch (action) {
    case WorkerAction::kNone:
      return;
    case WorkerAction::kAnnounce:
      limit_.BecameReady();
      not_before_ns_ = 0;
      worker.was_ready_ = true;
      return events_.WorkerReady(worker);
    case WorkerAction::kFindStatus:
      return FindStatus(worker);
    case WorkerAction::kBury:
      return Bury(worker, death);
    case WorkerAction::kImpossible:
      if (auto* broken = FindTemplate(worker.template_id_)) broken->process.Kill();
      return;
  }
}

void Fleet::FindStatus(Worker& worker) {
  if (worker.dying_since_ns_ == 0) worker.dying_since_ns_ = MonotonicNs();
  // The pidfd stays readable: it has said all it can.
  loop_.Remove(worker.pidfd_.get());
  const auto* maker = FindTemplate(worker.template_id_);
  // With --no-template they are one process, whose status TemplateDied gets and passes on.
  if (maker != nullptr && worker.is_template_) return;
  int status = 0;
  switch (TryReap(worker.pidfd_.get(), status)) {
    case 1:
      return Step(worker, WorkerEvent::kReaped, DeathFrom(status, worker.killed_by_us_));
    case 0:
      return;  // its threads are still ending; SIGCHLD comes
    default:
      // A grandchild: its template reaps it and tells, unless that is dead too.
      if (maker == nullptr) Step(worker, WorkerEvent::kLost, Death{});
  }
}

void Fleet::Bury(Worker& worker, const Death& reaped) {
  Death death = reaped;
  death.offence = worker.offence_;
  death.why = worker.killed_why_;
  death.accounted_for = worker.bystander_;
  if (worker.retired_) death.cause = Death::Cause::kRetired;
  const bool was_process = worker.pid_ > 0;
  if (was_process) death = events_.Explained(death);
  loop_.Remove(worker.wake_.get());
  if (worker.pidfd_) loop_.Remove(worker.pidfd_.get());
  ReadRestOfOutput(worker);
  const bool was_ready = worker.was_ready_;
  const auto node = static_cast<size_t>(plan_.slots[worker.slot_].node);
  // One whose template is gone died of that, or found no parent left to tie itself to.
  const bool orphan = FindTemplate(worker.template_id_) == nullptr && !worker.is_template_;
  events_.WorkerGone(worker, death);
  slot_worker_[worker.slot_] = 0;
  workers_.erase(uint64_t{worker.id_});
  if (!was_ready && was_process && !orphan) EndedUnready(death, "a worker " + death.Words());
  RetireIdleTemplate(node);
  FillSlots();
}

void Fleet::RetireIdleTemplate(size_t node) {
  if (node_slots_[node] > 0) return;
  for (size_t slot = 0; slot < plan_.slots.size(); ++slot) {
    if (static_cast<size_t>(plan_.slots[slot].node) == node && slot_worker_[slot] != 0) return;
  }
  auto* idle = FindTemplate(node_template_[node]);
  if (idle == nullptr) return;
  idle->retired = true;
  idle->process.Kill();
}

void Fleet::EndedUnready(const Death& death, const std::string& what) {
  if (death.ForMemory()) {
    limit_.EndedForMemory();
  } else {
    limit_.EndedUnready(death.cause == Death::Cause::kKilled ||
                        death.cause == Death::Cause::kUnknown);
  }
  not_before_ns_ = MonotonicNs() + limit_.PauseNs();
  // As long as some work, the job gets on: the rest is tried again now and then.
  const auto at_once = static_cast<int>(plan_.slots.size());
  if (!limit_.Exhausted(at_once) || failed_ || workers_alive() > 0) return;
  failed_ = true;
  events_.FleetFailed(Error{what + " before it was ready, as the starts before it",
                            death.ForMemory()
                                ? "give it more memory, or start fewer workers: -p"
                                : "run again with -v, and with --no-template under a debugger"});
}

void Fleet::ChildDied() {
  for (auto it = templates_.begin(); it != templates_.end();) {
    int status = 0;
    const uint64_t id = it->first;
    const int pidfd = it->second->process.pidfd();
    ++it;  // TemplateDied erases
    switch (TryReap(pidfd, status)) {
      case 1:
        TemplateDied(id, status);
        break;
      case -1:  // somebody else has reaped it; how it ended is lost
        TemplateDied(id, SIGKILL);
        break;
    }
  }
  std::vector<uint64_t> dying;
  for (const auto& [id, worker] : workers_) {
    if (worker->state_ == WorkerState::kDying) dying.push_back(id);
  }
  for (const uint64_t id : dying) {
    if (auto* worker = FindWorker(id)) FindStatus(*worker);
  }
  ReapStrays();
}

void Fleet::TemplateDied(uint64_t template_id, int wait_status) {
  ReadTemplate(template_id);  // what it had said before it died
  auto* dead = FindTemplate(template_id);
  if (dead == nullptr) return;
  const bool was_ready = dead->ready;
  Death death = DeathFrom(wait_status, false);
  death.accounted_for = dead->process.killed();
  if (dead->retired) death.cause = Death::Cause::kRetired;
  loop_.Remove(dead->process.socket());
  node_template_[dead->node] = 0;
  templates_.erase(template_id);
  bool was_worker = false;
  std::vector<uint64_t> orphans;
  for (const auto& [id, worker] : workers_) {
    if (worker->template_id_ == template_id) orphans.push_back(id);
  }
  for (const uint64_t id : orphans) {
    auto* worker = FindWorker(id);
    if (worker == nullptr) continue;
    // Of a template that became the worker itself (--no-template) we have the status here.
    if (worker->is_template_) {
      was_worker = true;
      worker->bystander_ = death.accounted_for;
      Step(*worker, WorkerEvent::kReaped, DeathFrom(wait_status, worker->killed_by_us_));
    } else {
      // The parent-death signal is on its way; this is for one that was forked a moment ago and
      // had not asked for it yet.
      if (worker->pidfd_) PidfdKill(worker->pidfd_.get());
      worker->bystander_ = true;
      Step(*worker, WorkerEvent::kTemplateGone, Death{Death::Cause::kKilled, SIGKILL, 0});
    }
  }
  if (!was_worker) death = events_.Explained(death);
  events_.TemplateGone(death);
  if (!was_ready && death.cause != Death::Cause::kRetired) {
    EndedUnready(death, "the template " + death.Words());
  }
  FillSlots();
}

// A worker whose template died between the fork and telling us is nobody we know: it dies by its
// parent-death signal and must still be reaped.
void Fleet::ReapStrays() {
  for (;;) {
    siginfo_t info{};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
    const pid_t pid = info.si_pid;
    const bool known =
        std::any_of(templates_.begin(), templates_.end(),
                    [pid](const auto& entry) { return entry.second->process.pid() == pid; }) ||
        std::any_of(workers_.begin(), workers_.end(),
                    [pid](const auto& entry) { return entry.second->pid_ == pid; });
    if (known) return;  // its own event comes
    waitpid(pid, nullptr, WNOHANG);
  }
}

void Fleet::Tick(int64_t now_ns) {
  if (ending_) return;
  if (last_tick_ns_ != 0 && now_ns - last_tick_ns_ > kStoppedNs) ForgetAges(now_ns);
  last_tick_ns_ = now_ns;
  for (auto& [id, process] : templates_) {
    if (process->asked > 0 && now_ns - process->asked_ns > kTemplateAnswerNs) {
      process->process.Kill();
    }
  }
  for (auto& [id, worker] : workers_) {
    if (IsOverdue(*worker, now_ns)) {
      worker->killed_by_us_ = true;
      worker->killed_why_ =
          "was ended " + std::to_string(kWorkerReadyNs / 1'000'000'000) + " s after its start";
      PidfdKill(worker->pidfd_.get());
    }
    if (worker->state_ != WorkerState::kDying ||
        now_ns - worker->dying_since_ns_ < kTemplateAnswerNs) {
      continue;
    }
    // Dead for seconds and nobody told: its template hangs.
    if (auto* silent = FindTemplate(worker->template_id_)) silent->process.Kill();
  }
  FillSlots();
}

// Loading a model takes as long as it takes, in a template and, with `--intra default`, in workers:
// all of them at once, perhaps from slow storage.
bool Fleet::IsOverdue(const Worker& worker, int64_t now_ns) const {
  if (worker.state_ != WorkerState::kStarting) return false;
  const auto node = static_cast<size_t>(plan_.slots[worker.slot_].node);
  return plan_.nodes[node].command.intra != 0 && now_ns - worker.requested_ns_ > kWorkerReadyNs;
}

void Fleet::ForgetAges(int64_t now_ns) {
  for (auto& [id, process] : templates_) process->asked_ns = now_ns;
  for (auto& [id, worker] : workers_) {
    worker->requested_ns_ = now_ns;
    if (worker->state_ == WorkerState::kDying) worker->dying_since_ns_ = now_ns;
  }
}

std::optional<int64_t> Fleet::NextTickNs() const {
  bool waiting = false;
  for (size_t slot = 0; slot < slot_worker_.size() && not_before_ns_ > 0; ++slot) {
    waiting = waiting || (slot_worker_[slot] == 0 && !slot_closed_[slot]);
  }
  if (waiting && !ending_ && !draining_ && MonotonicNs() < not_before_ns_) return not_before_ns_;
  return std::nullopt;
}

void Fleet::Kill(Worker& worker, Offence offence, std::string why) {
  worker.killed_by_us_ = true;
  worker.offence_ = offence;
  worker.killed_why_ = std::move(why);
  if (worker.pidfd_) PidfdKill(worker.pidfd_.get());
  events_.WorkerKilled(worker);
}

void Fleet::Retire(Worker& worker) {
  worker.retired_ = true;
  Kill(worker);
}

void Fleet::CloseSlot(size_t slot) {
  if (slot_closed_[slot]) return;
  slot_closed_[slot] = true;
  const auto node = static_cast<size_t>(plan_.slots[slot].node);
  --node_slots_[node];
  RetireIdleTemplate(node);
}

void Fleet::OpenSlot(size_t slot) {
  if (!slot_closed_[slot]) return;
  slot_closed_[slot] = false;
  ++node_slots_[static_cast<size_t>(plan_.slots[slot].node)];
  FillSlots();
}

int Fleet::workers_wanted() const {
  return static_cast<int>(std::ranges::count(slot_closed_, false));
}

Worker* Fleet::FindRunning(uint64_t id) {
  auto* worker = FindWorker(id);
  return worker != nullptr && worker->running() ? worker : nullptr;
}

void Fleet::End() {
  if (ending_) return;
  ending_ = true;
  for (auto& [id, process] : templates_) {
    loop_.Remove(process->process.socket());
    process->process.Kill();
  }
  for (auto& [id, worker] : workers_) {
    loop_.Remove(worker->wake_.get());
    if (!worker->pidfd_) continue;
    loop_.Remove(worker->pidfd_.get());
    PidfdKill(worker->pidfd_.get());
  }
  // As subreaper we see every one of them end. First those that we know of, then for a moment those
  // that their template had no time to tell of; a child that came with our exec is none of ours.
  const int64_t began_ns = MonotonicNs();
  for (int64_t spent_ns = 0; spent_ns < kEndNs; spent_ns = MonotonicNs() - began_ns) {
    const pid_t pid = waitpid(-1, nullptr, WNOHANG);
    if (pid < 0) break;  // no children left
    if (pid > 0) continue;
    if (spent_ns > kStraysNs && AllDead()) break;
    usleep(500);
  }
  // What they still had to say may be why the job ends.
  for (auto& [id, worker] : workers_) ReadRestOfOutput(*worker);
  workers_.clear();
  templates_.clear();
}

bool Fleet::AllDead() const {
  return std::all_of(templates_.begin(), templates_.end(),
                     [](const auto& entry) { return IsDead(entry.second->process.pidfd()); }) &&
         std::all_of(workers_.begin(), workers_.end(), [](const auto& entry) {
           return !entry.second->pidfd_ || IsDead(entry.second->pidfd_.get());
         });
}

int Fleet::workers_alive() const {
  return static_cast<int>(std::count_if(workers_.begin(), workers_.end(),
                                        [](const auto& entry) { return entry.second->running(); }));
}

std::vector<pid_t> Fleet::TemplatePids() const {
  std::vector<pid_t> pids;
  for (const auto& [id, process] : templates_) pids.push_back(process->process.pid());
  return pids;
}

}  // namespace consort
