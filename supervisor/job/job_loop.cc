#include "supervisor/job/job_loop.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "shared/base/clock.h"
#include "shared/ring/futex.h"
#include "supervisor/cli/exit_status.h"
#include "supervisor/job/signals.h"
#include "supervisor/view/number.h"

namespace consort {
namespace {

constexpr int64_t kTickNs = 100'000'000;
// Records from one engine before the next one's turn.
constexpr size_t kRecordsATurn = 2048;
// After a worker gave something the loop looks at it again this soon, without asking to be woken:
// at high rates records come in batches, and no producer makes a system call for each.
constexpr int kHotMs = 1;

}  // namespace

JobLoop::JobLoop(const RunOptions& options, const Bundle& bundle, FileList& list, JobOutput& output,
                 Progress& progress)
    : options_(options),
      bundle_(bundle),
      list_(list),
      output_(output),
      progress_(progress),
      words_(progress, options.quiet),
      dispatcher_({.attempts = options.attempts,
                   .segment_ns = bundle.manifest.audio.segment_ns,
                   .hop_ns = bundle.manifest.audio.hop_ns,
                   .each_channel = bundle.manifest.audio.each_channel(),
                   .labels = bundle.labels.size(),
                   .frame_ns = bundle.manifest.output.frame_ns,
                   .by_label = bundle.manifest.output.kind == OutputSpec::Kind::kFrames,
                   .batch = static_cast<uint64_t>(bundle.manifest.prepared.batch),
                   .stateful = bundle.manifest.stateful},
                  list, output_),
      hangs_(Deadlines(options.segment_timeout_ns, bundle.manifest.prepared.batch), dispatcher_,
             [this](const std::string& line) { Verbose(line); }),
      trace_(options.verbose > 1 ? [this](const std::string& line) { progress_.Message(line); }
                                 : SlotTrace::Say()) {}

JobLoop::~JobLoop() = default;

Result<int> JobLoop::Run(JobFleet fleet) {
  started_ns_ = MonotonicNs();
  next_tick_ns_ = started_ns_ + kTickNs;
  split_ = fleet.split;
  CONSORT_TRY(auto loop, EventLoop::Make());
  loop_ = std::make_unique<EventLoop>(std::move(loop));
  CONSORT_TRY(WatchSignals());
  fleet_ = std::make_unique<Fleet>(std::move(fleet.plan), *loop_, *this);
  MakeMemoryKeeper(std::move(fleet.memory));
  if (!fleet.counts.challengers.empty()) MakeCountKeeper(fleet.counts);
  const int urgent = memory_->urgent_fd();
  if (urgent >= 0) CONSORT_TRY(loop_->Add(urgent, [this] { memory_->Tick(MonotonicNs()); }));
  CONSORT_TRY(fleet_->Start());
  if (figures_ != nullptr) BeginFigures(fleet);
  auto ended = Loop();
  TellUnfinished();
  if (figures_ != nullptr) EndFigures();
  if (urgent >= 0) loop_->Remove(urgent);
  fleet_->ForEachRunning([this](const Worker& worker) { CountLostWakeUps(worker); });
  fleet_->End();
  words_.End();
  peak_pss_bytes_ = memory_->peak_pss_bytes();
  memory_->Stop();
  return ended;
}

void JobLoop::MakeMemoryKeeper(TreeLimit limit) {
  memory_ = std::make_unique<MemoryKeeper>(
      options_, std::move(limit), *fleet_, dispatcher_, retiring_,
      MemoryKeeper::Say{[this](const std::string& line) { progress_.Message(line); },
                        [this](const std::string& line) { Verbose(line); },
                        [this](const Error& error) { FleetFailed(error); },
                        [this](int64_t pss_bytes) {
                          if (figures_ != nullptr) figures_->Memory(pss_bytes, MonotonicNs());
                        },
                        [this](const std::string& found) {
                          return counts_ != nullptr && counts_->GiveBack(found);
                        }});
}

void JobLoop::MakeCountKeeper(const WorkerCounts& counts) {
  counts_ = std::make_unique<WorkerCountKeeper>(
      counts, static_cast<uint64_t>(bundle_.manifest.prepared.batch), *fleet_, dispatcher_,
      retiring_,
      WorkerCountKeeper::Say{[this](const std::string& line) { Verbose(line); },
                             [this](int workers, const std::string& line, bool warns) {
                               split_.workers = workers;
                               if (warns || !options_.quiet) progress_.Message(line);
                             }});
}

Status JobLoop::WatchSignals() {
  sigset_t set = StopSignals();
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_ = UniqueFd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return SystemError("watch for signals", "", errno);
  return loop_->Add(signals_.get(), [this] { OnSignals(); });
}

void JobLoop::OnSignals() {
  bool child = false;
  signalfd_siginfo info{};
  while (read(signals_.get(), &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
    const int number = static_cast<int>(info.ssi_signo);
    if (number == SIGCHLD) {
      child = true;
    } else if (stop_signal_ == 0) {
      stop_signal_ = number;
      if (figures_ != nullptr) figures_->Stopping(MonotonicNs());
      dispatcher_.Drain();
      fleet_->Drain();
      if (counts_) counts_->Stop();
      if (!options_.quiet) {
        progress_.Message("stopping: what is in flight ends first; once more to stop at once");
      }
    } else {
      stop_now_ = true;
    }
  }
  if (child) fleet_->ChildDied();
}

// A job that stops does not wait, for minutes perhaps, for an engine that goes through a file up to
// where its lines end: the next run has to do that anyway.
void JobLoop::EndCatchUps() {
  fleet_->ForEachRunning([this](Worker& worker) {
    if (worker.killed() || !dispatcher_.OnlyCatchesUp(worker.id())) return;
    retiring_.EndNow(*fleet_, worker, RetiringWorkers::Reason::kStopping);
  });
}

Result<int> JobLoop::Loop() {
  for (;;) {
    if (failure_) break;
    if (stop_now_) return Finish();
    if (dispatcher_.AllDone() || (stop_signal_ != 0 && dispatcher_.Idle())) {
      Check(output_.Flush());
      if (output_.flushed() && !failure_) return Finish();
      if (failure_) break;
    }
    CheckFailures();
    if (failure_) break;
    int64_t wait_ns = std::max<int64_t>(0, next_tick_ns_ - MonotonicNs());
    if (const auto start = fleet_->NextTickNs()) {
      wait_ns = std::clamp<int64_t>(*start - MonotonicNs(), 0, wait_ns);
    }
    if (figures_ != nullptr && figures_->window_end_ns()) {
      wait_ns = std::clamp<int64_t>(*figures_->window_end_ns() - MonotonicNs(), 0, wait_ns);
    }
    int wait_ms = static_cast<int>((wait_ns + 999'999) / 1'000'000);
    if (!hot_.empty() || output_.blocked()) wait_ms = std::min(wait_ms, kHotMs);
    CONSORT_TRY([[maybe_unused]] const bool any, loop_->Wait(wait_ms));
    words_.Flush(MonotonicNs());
    if (output_.blocked()) Check(output_.Flush());
    if (!output_.congested()) ServeHot();
    if (checkpoint_ && !failure_) Check(checkpoint_->MaybeWrite(MonotonicNs()));
    if (failure_) break;
    if (hand_out_) DispatchAll();
    Tick();
    if (figures_ != nullptr) MaybeEndMeasuring();
  }
  // A reader that went away (`| head`) has what it wanted: that is no failure to complain about.
  if (output_.reader_gone()) return SignalExitStatus(SIGPIPE);
  // What is there counts, unless writing it is what failed: then these do nothing more.
  Status kept = output_.Flush();
  if (kept && checkpoint_) kept = checkpoint_->Write(MonotonicNs());
  return *failure_;
}

Result<int> JobLoop::Finish() {
  Check(output_.Flush());
  if (!failure_) Check(output_.Sync());
  if (!failure_ && checkpoint_) Check(checkpoint_->Write(MonotonicNs()));
  if (output_.reader_gone()) return SignalExitStatus(SIGPIPE);
  if (failure_) return *failure_;
  if (measured_) return kDone;
  if (!dispatcher_.AllDone() || !output_.flushed()) return SignalExitStatus(stop_signal_);
  return output_.files_failed() > 0 ? kSomeFailed : kDone;
}

// ---- results in, tasks out ----

bool JobLoop::DrainRings(Worker& worker, size_t most, size_t& taken) {
  bool whole = true;
  for (uint32_t engine = 0; engine < worker.engines(); ++engine) {
    // One engine's damage takes nothing from what the others have published.
    whole = DrainRing(worker, engine, most, taken) && whole;
  }
  return whole;
}

bool JobLoop::DrainRing(Worker& worker, uint32_t engine, size_t most, size_t& taken) {
  auto& ring = worker.results(engine);
  const auto each = [&](uint32_t type, const Status& done) {
    Check(done);
    if (type == kSegmentTagsRecord || type == kSegmentRunsRecord) {
      trace_.Result(worker);
      if (counts_ && counts_->trying()) {
        counts_->Result(worker, *SegmentOf(reader_.record()), MonotonicNs());
      }
    } else {
      hand_out_ = true;
    }
    if (figures_ != nullptr) CountFigures(worker, engine, type);
  };
  const auto [count, honest] = reader_.Take(ring, dispatcher_, worker.id(), engine, most, each);
  if (count > 0 && ring.ProducerNeedsWake()) {
    FutexWake(&worker.channel().result_ring(engine)->producer_asleep);
  }
  if (count > 0) hangs_.Heard(worker, engine);
  taken += count;
  return honest;
}

void JobLoop::BeginFigures(const JobFleet& fleet) {
  SeeTotals();
  figures_->Begin(
      {.split = {.workers = fleet.split.workers,
                 .engines = fleet.split.engines,
                 .intra = options_.intra,
                 .usable_cpus = fleet.usable_cpus},
       .batch = static_cast<uint64_t>(bundle_.manifest.prepared.batch),
       .totals =
           [this] {
             return FiguresTotals{
                 .stage_ns = dispatcher_.stage_ns(),
                 .segments_timed = static_cast<int64_t>(dispatcher_.segments_timed())};
           },
       .templates = [this, alone = options_.no_template]() -> std::vector<pid_t> {
         if (alone) return {};  // they are the workers
         return fleet_->TemplatePids();
       },
       .all_ready = [this] { return fleet_->workers_alive() == fleet_->workers_wanted(); }});
}

void JobLoop::MaybeEndMeasuring() {
  const auto end_ns = figures_->window_end_ns();
  if (!end_ns || MonotonicNs() < *end_ns) return;
  // What was published meanwhile counts, however long something kept us from looking.
  fleet_->ForEachRunning([this](const Worker& worker) { hot_.insert(worker.id()); });
  ServeHot();
  if (figures_->Measured(MonotonicNs())) stop_now_ = measured_ = true;
}

void JobLoop::EndFigures() {
  figures_->Restarts(workers_restarted_, templates_restarted_);
  if (counts_) figures_->Trials(counts_->Figures());
  figures_->End(MonotonicNs());
}

void JobLoop::CountFigures(const Worker& worker, uint32_t engine, uint32_t type) {
  const int64_t now_ns = MonotonicNs();
  // Only what the dispatcher wanted counts as done: not what lies behind a fault.
  const auto told = SegmentOf(reader_.record());
  if (told && dispatcher_.segments_done() != figures_segments_) {
    figures_->Segment(worker.id(), engine,
                      {.file = told->file,
                       .segment = told->segment,
                       .audio_seconds = dispatcher_.audio_seconds() - figures_audio_s_,
                       .taken_ns = told->taken_ns,
                       .published_ns = told->published_ns},
                      now_ns);
  } else if (told || type == kFileFaultRecord) {
    figures_->Ended(worker.id(), engine, now_ns);
  }
  SeeTotals();
}

// A fault takes back what was done behind it: that too is no segment of the next record's.
void JobLoop::SeeTotals() {
  figures_segments_ = dispatcher_.segments_done();
  figures_audio_s_ = dispatcher_.audio_seconds();
}

void JobLoop::ServeHot() {
  std::vector<uint64_t> cold;
  fleet_->ForEachRunning([&](Worker& worker) {
    if (!hot_.contains(worker.id())) return;
    size_t taken = 0;
    if (!DrainRings(worker, kRecordsATurn, taken)) {
      Verbose("worker " + std::to_string(worker.pid()) + " broke the protocol; it is replaced");
      fleet_->Kill(worker);
      cold.push_back(worker.id());
      return;
    }
    if (taken > 0) return;
    // Nothing came for a while: ask to be woken. Each ring says whether it is really empty.
    bool asleep = true;
    for (uint32_t engine = 0; engine < worker.engines(); ++engine) {
      asleep = worker.results(engine).PrepareToSleep() && asleep;
    }
    if (asleep) cold.push_back(worker.id());
  });
  for (const uint64_t id : cold) hot_.erase(id);
}

void JobLoop::DispatchAll() {
  hand_out_ = false;
  fleet_->ForEachRunning([this](Worker& worker) { Dispatch(worker); });
  if (checkpoint_) checkpoint_->HandedOut();
}

void JobLoop::Dispatch(Worker& worker) {
  for (uint32_t engine = 0; engine < worker.engines(); ++engine) {
    for (;;) {
      const bool busy = figures_ == nullptr || dispatcher_.HasWork(worker.id(), engine);
      const auto task = dispatcher_.NextTask(worker.id(), engine);
      if (!task) return Check(task.error());
      if (!task.value()) break;
      if (figures_ != nullptr && !busy) figures_->Given(worker.id(), engine, MonotonicNs());
      Encode(*task.value(), task_bytes_);
      auto& ring = worker.tasks(engine);
      const auto pushed =
          ring.TryPush(kTaskRecord, task_bytes_.data(), static_cast<uint32_t>(task_bytes_.size()));
      // Two tasks always fit, unless the worker wrote to what is ours.
      if (pushed != Producer::Push::kPushed) return fleet_->Kill(worker);
      if (ring.ConsumerNeedsWake()) {
        FutexWake(&worker.channel().task_ring(engine)->consumer_asleep);
      }
    }
  }
}

// ---- the fleet's news ----

void JobLoop::WorkerReady(Worker& worker) {
  dispatcher_.AddWorker(worker.id(), worker.engines());
  hangs_.Ready(worker);
  trace_.Ready(worker);
  if (figures_ != nullptr) {
    figures_->Ready(worker.id(), worker.slot(), worker.engines(), worker.pid(), MonotonicNs());
  }
  hot_.insert(worker.id());
  memory_->Ready(worker, MonotonicNs());
  if (counts_) counts_->Ready(worker);
  hand_out_ = true;
}

void JobLoop::WorkerWoke(Worker& worker) {
  net_.Forget(worker.id());
  hot_.insert(worker.id());
}

void JobLoop::WorkerSaid(Worker& worker, std::string_view line) {
  words_.Said(worker.pid(), worker.slot(), line);
}

void JobLoop::WorkerKilled(Worker& worker) {
  // What it were given now, it could not begin, and would be suspected of its death.
  dispatcher_.Retire(worker.id());
  hand_out_ = true;  // what it was kept free for is another's now
}

Death JobLoop::Explained(const Death& death) { return memory_->Explained(death, MonotonicNs()); }

void JobLoop::WorkerGone(Worker& worker, const Death& death) {
  memory_->Gone(worker);
  const auto reason = retiring_.Gone(worker.id());
  const bool too_many = reason == RetiringWorkers::Reason::kTooMany;
  const bool stopping = reason == RetiringWorkers::Reason::kStopping;
  if (counts_ && death.cause == Death::Cause::kOutOfMemory) {
    counts_->GiveBack("worker " + std::to_string(worker.pid()) + " " + death.Words() + ": ");
  }
  if (counts_ && !too_many) counts_->Lost();
  hot_.erase(worker.id());
  net_.Forget(worker.id());
  CountLostWakeUps(worker);
  hand_out_ = true;
  words_.Flush(MonotonicNs());  // before anything is recorded that they may explain
  size_t taken = 0;
  // All that it had published counts; what is damaged was never published.
  [[maybe_unused]] const bool whole = DrainRings(worker, SIZE_MAX, taken);
  const std::vector<LastSeen> engines = hangs_.Gone(worker);
  if (worker.pid() < 0) return;  // asked for, but never made: it held nothing
  trace_.Gone(worker);
  if (figures_ != nullptr) {
    std::vector<bool> busy;
    for (uint32_t engine = 0; engine < worker.engines(); ++engine) {
      busy.push_back(dispatcher_.HasWork(worker.id(), engine));
    }
    figures_->Gone(worker.id(), busy, death.cause != Death::Cause::kRetired, MonotonicNs());
  }
  const bool crashed = death.cause == Death::Cause::kCrashed ||
                       death.cause == Death::Cause::kByUs ||
                       death.cause == Death::Cause::kOutOfMemory;
  const bool let_go = death.cause == Death::Cause::kRetired && (too_many || stopping);
  if (!let_go && death.cause == Death::Cause::kRetired) {
    ++workers_restarted_.replaced;
    if (checkpoint_) checkpoint_->AddReplaced();
  } else if (!let_go) {
    ++(crashed ? workers_restarted_.crashed : workers_restarted_.killed);
    if (checkpoint_) checkpoint_->AddRestart(false, crashed);
  }
  Verbose("worker " + std::to_string(worker.pid()) + " " +
          (!let_go    ? death.Words()
           : stopping ? "went through earlier segments again, and is not waited for"
                      : "was one too many, and is gone"));
  const bool exited = death.signal == 0 && death.cause != Death::Cause::kUnknown;
  output_.SeeDeath({death.signal != 0 ? SignalName(death.signal) : "",
                    exited ? std::optional(death.exit_code) : std::nullopt,
                    worker.output().Tail()});
  Check(dispatcher_.RemoveWorker(
      worker.id(),
      crashed                                 ? Ending::kCrashed
      : death.cause == Death::Cause::kRetired ? Ending::kRetired
                                              : Ending::kKilled,
      {.plain = death.PlainWords(), .measured = death.Words(), .in_stage = !death.ForMemory()},
      engines));
  SeeTotals();
  if (checkpoint_ && !failure_) Check(checkpoint_->WriteIfSuspectsChanged(MonotonicNs()));
}

void JobLoop::TemplateGone(const Death& death) {
  memory_->Changed();
  // With --no-template it is told as its worker's death.
  if (options_.no_template) return;
  if (death.cause == Death::Cause::kRetired) return;  // none takes its place
  ++(death.cause == Death::Cause::kCrashed ? templates_restarted_.crashed
                                           : templates_restarted_.killed);
  if (checkpoint_) checkpoint_->AddRestart(true, death.cause == Death::Cause::kCrashed);
  Verbose("a template " + death.Words());
}

void JobLoop::ForkRefused(const std::string& why) {
  progress_.Message("warning: " + why + "; it is tried again now and then");
}

void JobLoop::FleetFailed(const Error& error) {
  if (!failure_) failure_ = error;
}

void JobLoop::Check(const Status& status) {
  if (!status && !failure_) failure_ = status.error();
}

void JobLoop::CheckFailures() {
  const auto& most = options_.max_failures;
  const uint64_t failed = output_.files_failed();
  const uint64_t ended = dispatcher_.files_done();
  if (!most || stop_signal_ != 0 || dispatcher_.AllDone() || !most->Passed(failed, ended)) return;
  const std::string how = checkpoint_ ? "\"consort status\" tells which and why; the same command "
                                        "goes on with a higher limit or without one"
                                      : "run it again with a higher limit or without one";
  failure_ = Error{std::to_string(failed) + " of the " + std::to_string(ended) +
                       " files so far failed, more than --max-failures " + most->text + " allows",
                   how};
}

void JobLoop::TellUnfinished() {
  const auto count = static_cast<int64_t>(dispatcher_.files_unfinished());
  // A check has a line of its own for them.
  if (count == 0 || bundle_.manifest.prepared.backend == Prepared::Backend::kCheck) return;
  const std::string which = '"' + dispatcher_.unfinished_path() + '"';
  progress_.Message("warning: " +
                    (count == 1
                         ? "the header of " + which + " says less than is in the file, or nothing"
                         : "the headers of " + WithThousands(dispatcher_.files_unfinished()) +
                               " recordings say less than is in the files, or nothing (" + which +
                               " is one)") +
                    ", as interrupted recorders leave them: all that is there was used");
}

// ---- now and then ----

void JobLoop::Tick() {
  const int64_t now = MonotonicNs();
  fleet_->Tick(now);
  if (now < next_tick_ns_) return;
  next_tick_ns_ = now + kTickNs;
  fleet_->ForEachRunning([this](Worker& worker) {
    if (hot_.contains(worker.id())) return;
    bool any = false;
    bool damaged = false;  // that will not mend: no second look
    for (uint32_t engine = 0; engine < worker.engines(); ++engine) {
      auto& ring = worker.results(engine);
      any = !ring.Empty() || any;
      damaged = ring.corrupt() || damaged;
    }
    if (damaged || net_.Look(worker.id(), any)) hot_.insert(worker.id());
  });
  if (stop_signal_ != 0) EndCatchUps();
  hangs_.Tick(*fleet_, now);
  Check(output_.Flush());
  if (checkpoint_) output_.StartSync();
  memory_->Tick(now);
  if (counts_) counts_->Tick(now);
  if (figures_ != nullptr) figures_->Tick(now);
  progress_.Update(View(), now);
}

void JobLoop::Verbose(const std::string& line) {
  if (options_.verbose > 0) progress_.Message(line);
}

void JobLoop::CountLostWakeUps(const Worker& worker) {
  for (uint32_t engine = 0; engine < worker.engines(); ++engine) {
    engines_lost_wakeups_ +=
        worker.channel().state(engine).lost_wakeups.load(std::memory_order_relaxed);
  }
}

JobView JobLoop::View() const {
  JobView view;
  view.files_total = list_.size();
  view.files_done = dispatcher_.files_done();
  view.files_failed = output_.files_failed();
  view.segments_done = dispatcher_.segments_done();
  view.audio_seconds = dispatcher_.audio_seconds();
  view.workers_alive = fleet_ ? fleet_->workers_alive() : 0;
  view.workers_wanted = fleet_ ? fleet_->workers_wanted() : split_.workers;
  view.elapsed_s = static_cast<double>(MonotonicNs() - started_ns_) * 1e-9;
  view.draining = stop_signal_ != 0;
  return view;
}

JobSummary JobLoop::Summary() const {
  JobSummary summary;
  summary.files_total = list_.size();
  summary.files_done = dispatcher_.files_done() - output_.files_failed();
  summary.files_failed = output_.failed();
  summary.segments = dispatcher_.segments_done();
  summary.audio_seconds = dispatcher_.audio_seconds();
  summary.elapsed_s = View().elapsed_s;
  summary.workers = split_.workers;
  summary.engines = split_.engines;
  summary.stage_ns = dispatcher_.stage_ns();
  summary.workers_restarted = workers_restarted_;
  summary.templates_restarted = templates_restarted_;
  if (checkpoint_) {  // with what earlier runs of the job did
    summary.elapsed_s = static_cast<double>(checkpoint_->elapsed_ns(MonotonicNs())) * 1e-9;
    const auto& restarts = checkpoint_->restarts();
    summary.workers_restarted = {restarts[0], restarts[1], checkpoint_->replaced()};
    summary.templates_restarted = {restarts[2], restarts[3]};
  }
  summary.peak_pss_bytes = peak_pss_bytes_;
  if (options_.verbose > 1) summary.lost_wakeups = {{net_.lost(), engines_lost_wakeups_}};
  return summary;
}

}  // namespace consort
