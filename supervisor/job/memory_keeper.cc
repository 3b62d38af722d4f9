#include "supervisor/job/memory_keeper.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "supervisor/memory/process_memory.h"
#include "supervisor/place/cgroup.h"
#include "supervisor/view/number.h"

namespace consort {
namespace {

constexpr int64_t kLookForOomKillsNs = 1'000'000'000;
// With a limit given, samples come as often as their cost allows, down to this: with few workers it
// is soon seen that one takes gigabytes a second.
constexpr int64_t kLimitPauseNs = 20'000'000;
// Then full rounds may cost 1 % of a CPU.
constexpr int64_t kLimitFullPauseToCost = 100;

// So many workers ended for their memory, and nothing done in between: then the limit is too small
// for the model, and no segment is to blame. A few segments that take memory without end, at work
// in one worker at the same time, are fewer; so are those that all workers are at, twice.
constexpr int kMostEnded = 10;
constexpr int kMostEndedAnAttempt = 4;
constexpr int kMostEndedAWorker = 2;

// Figures are of memory over time: full rounds so often, or as 1 % of a CPU allows.
constexpr int64_t kFiguresPauseNs = 250'000'000;

MemorySampler::Settings SamplerSettings(bool limit_of_workers, const TreeLimit& limit_of_tree,
                                        bool figures) {
  MemorySampler::Settings settings;
  if (figures) {
    settings.pause_ns = settings.least_full_pause_ns = kFiguresPauseNs;
    settings.full_pause_to_cost = kLimitFullPauseToCost;
  }
  if (limit_of_workers || limit_of_tree.bytes > 0) {
    settings.first_ns = settings.pause_ns = kLimitPauseNs;
  }
  if (limit_of_tree.bytes == 0) return settings;
  settings.full_pause_to_cost = kLimitFullPauseToCost;
  settings.urgent_above_bytes = limit_of_tree.bytes;
  return settings;
}

uint64_t SegmentsDone(const Worker& worker) {
  uint64_t segments = 0;
  for (uint32_t engine = 0; engine < worker.engines(); ++engine) {
    segments += worker.channel().state(engine).segments_done.load(std::memory_order_relaxed);
  }
  return segments;
}

}  // namespace

MemoryKeeper::MemoryKeeper(const RunOptions& options, TreeLimit limit, Fleet& fleet,
                           Dispatcher& dispatcher, RetiringWorkers& retiring, Say say)
    : limit_(limit),
      fleet_(fleet),
      dispatcher_(dispatcher),
      retiring_(retiring),
      say_(std::move(say)),
      forks_(!options.no_template),
      finishes_(dispatcher.stateful() ? "files" : "tasks"),
      most_ended_(kMostEnded + kMostEndedAnAttempt * options.attempts),
      workers_(options.worker_memory_limit.bytes,
               "--worker-memory-limit " + options.worker_memory_limit.text),
      tree_(limit),
      runaways_(limit),
      oom_kills_(OomKillFile()),
      segments_at_start_(dispatcher.segments_done()),
      sampler_(SamplerSettings(options.worker_memory_limit.bytes > 0, limit_,
                               !options.figures.empty())) {}

void MemoryKeeper::Ready(const Worker& worker, int64_t now_ns) {
  workers_.Ready(worker.id(), now_ns);
  Changed();
  if (!tree_.watches()) return;
  if (warm_up_bytes_ == 0) {  // it is warm, or nobody were ready
    engines_ = worker.engines();
    for (const pid_t pid : fleet_.TemplatePids()) {
      warm_up_bytes_ = std::max(warm_up_bytes_, ReadPeakAnonymousBytes("/proc", pid));
    }
  }
  Watch();  // it may take gigabytes until the next tick
}

void MemoryKeeper::Gone(const Worker& worker) {
  workers_.Gone(worker.id());
  ended_.erase(worker.id());
  Changed();
}

Death MemoryKeeper::Explained(Death death, int64_t now_ns) {
  if (death.cause == Death::Cause::kKilled && !death.accounted_for && oom_kills_.Explain(now_ns)) {
    death.cause = Death::Cause::kOutOfMemory;
  }
  return death;
}

void MemoryKeeper::Tick(int64_t now_ns) {
  if (now_ns >= next_look_ns_) {
    next_look_ns_ = now_ns + kLookForOomKillsNs;
    oom_kills_.Look(now_ns);
  }
  retiring_.EndIdle(fleet_);
  sampler_.Heard();
  MemorySample sample;
  if (sampler_.Take(sample)) {
    for (const auto& it : sample.workers) JudgeWorker(it, now_ns);
    JudgeTree(sample, now_ns);
    if (sample.full_rounds > full_rounds_) say_.sampled(sample.tree_bytes);
    full_rounds_ = sample.full_rounds;
  }
  if (std::exchange(watch_again_, false)) Watch();
}

void MemoryKeeper::Watch() {
  std::vector<WatchedProcess> processes = {{.pid = getpid()}};
  // Each process once: with --no-template the fleet has a worker that runs as a template, too.
  std::unordered_set<pid_t> workers;
  fleet_.ForEachRunning([&](const Worker& worker) {
    workers.insert(worker.pid());
    processes.push_back({.pid = worker.pid(),
                         .worker = worker.id(),
                         .exact_above_bytes = workers_.ExactAbove(worker.id())});
  });
  for (const pid_t pid : fleet_.TemplatePids()) {
    if (!workers.contains(pid)) processes.push_back({.pid = pid, .is_template = forks_});
  }
  sampler_.Watch(std::move(processes));
}

void MemoryKeeper::JudgeWorker(const MemorySample::OfWorker& sample, int64_t now_ns) {
  auto* worker = fleet_.FindRunning(sample.worker);
  if (worker == nullptr) return;
  const int64_t exact_above = workers_.ExactAbove(sample.worker);
  std::string words;
  const auto verdict = workers_.Judge(sample, SegmentsDone(*worker), now_ns, words);
  if (workers_.ExactAbove(sample.worker) != exact_above) watch_again_ = true;
  switch (verdict) {
    case WorkerMemory::Verdict::kFine:
      return;
    case WorkerMemory::Verdict::kTell:
      say_.always("warning: worker " + std::to_string(worker->pid()) + " " + words +
                  ", before it had done a segment: such a one is replaced after its first " +
                  finishes_);
      return;
    case WorkerMemory::Verdict::kReplace:
      say_.verbose("worker " + std::to_string(worker->pid()) + " " + words +
                   "; it is replaced once it has finished its " + finishes_);
      retiring_.AddAfterItsFiles(*worker);
      return;
    case WorkerMemory::Verdict::kEnd:
      return End(*worker, words);
  }
}

// Those that were ended, be they still there or gone since the sample was taken: what they have is
// as good as free.
void MemoryKeeper::DropEnded(MemorySample& sample) const {
  std::erase_if(sample.workers, [&](const MemorySample::OfWorker& it) {
    const bool ended = ended_.contains(it.worker) || retiring_.Ends(it.worker) ||
                       fleet_.FindRunning(it.worker) == nullptr;
    if (!ended) return false;
    sample.tree_bytes = std::max<int64_t>(1, sample.tree_bytes - it.own_bytes);
    return true;
  });
}

// What a worker has to itself in ordinary work; 0: nobody knows. The template's figure holds what
// it needs to be there, too, so that for each engine is a guess until workers have shown what they
// take.
int64_t MemoryKeeper::UsualBytes() const {
  const int64_t shown = workers_.UsualBytes();
  return shown > 0 ? std::max(shown, warm_up_bytes_) : engines_ * warm_up_bytes_;
}

// Whether they alone are why all together have too much.
bool MemoryKeeper::EndRunaways(const MemorySample& sample, int64_t now_ns) {
  if (UsualBytes() == 0) return false;  // nothing tells what is much
  const auto found = runaways_.Judge(sample, UsualBytes(),
                                     TreeMemory::PatienceNs(dispatcher_.UsualForwardNs()), now_ns);
  for (const uint64_t id : found.retire) {
    auto* worker = fleet_.FindRunning(id);
    if (worker == nullptr) continue;
    if (!retiring_.Find(id)) {
      say_.verbose(AboveLimitWords(sample.tree_bytes) + "worker " + std::to_string(worker->pid()) +
                   " is replaced once it has finished its tasks");
    }
    Retire(*worker);
  }
  for (const uint64_t id : found.end) {
    auto* worker = fleet_.FindRunning(id);
    const auto it = std::ranges::find(sample.workers, id, &MemorySample::OfWorker::worker);
    if (worker != nullptr) End(*worker, TooMuchWords(it->anonymous_bytes));
  }
  return found.explains;
}

std::string MemoryKeeper::TooMuchWords(int64_t bytes) const {
  return "used " + Bytes(bytes) + " of memory, with which all processes together had more than " +
         limit_.name;
}

std::string MemoryKeeper::AboveLimitWords(int64_t tree_bytes) const {
  return "all processes together use " + Bytes(tree_bytes) + ", more than " + limit_.name + ": ";
}

void MemoryKeeper::JudgeTree(MemorySample& sample, int64_t now_ns) {
  DropEnded(sample);
  const bool above = tree_.watches() && sample.tree_bytes > limit_.bytes;
  if (above && say_.limit_reached(AboveLimitWords(sample.tree_bytes))) return;
  if (EndRunaways(sample, now_ns)) return;
  using Future = MemorySample::OfWorker::Future;
  for (auto& it : sample.workers) {
    const auto reason = retiring_.Find(it.worker);
    if (!reason) continue;
    it.future =
        *reason == RetiringWorkers::Reason::kReplaced ? Future::kReplaced : Future::kGivenUp;
  }
  const bool settled = retiring_.empty() && fleet_.workers_alive() == fleet_.workers_wanted();
  const auto step = tree_.Judge(sample, fleet_.workers_wanted(), settled,
                                dispatcher_.UsualForwardNs(), now_ns, UsualBytes());
  const auto* largest = Largest(sample);
  auto* worker =
      fleet_.FindRunning(step == TreeMemory::Step::kTell ? largest->worker : tree_.subject());
  if (step == TreeMemory::Step::kNone || worker == nullptr) return;
  const std::string found = AboveLimitWords(sample.tree_bytes);
  switch (step) {
    case TreeMemory::Step::kNone:
      return;
    case TreeMemory::Step::kReplaceLargest:
      say_.verbose(found + "worker " + std::to_string(worker->pid()) +
                   " is replaced once it has finished its tasks");
      return Retire(*worker);
    case TreeMemory::Step::kOneFewer:
      fleet_.CloseSlot(worker->slot());
      say_.always("warning: " + found + "from now on " +
                  Counted(fleet_.workers_wanted(), "worker"));
      Retire(*worker);
      retiring_.GiveUp(worker->id());
      return;
    case TreeMemory::Step::kEndLargest:
      return End(*worker, TooMuchWords(largest->anonymous_bytes));
    case TreeMemory::Step::kTell:
      say_.always("warning: " + found + "one worker is left, and it goes on");
  }
}

void MemoryKeeper::Retire(const Worker& worker) {
  retiring_.Add(worker, RetiringWorkers::Reason::kReplaced);
}

void MemoryKeeper::End(Worker& worker, const std::string& words) {
  if (!ended_.insert(worker.id()).second) return;
  fleet_.Kill(worker, Offence::kMemory, words);
  // Where segments are done, the limit is large enough for the model, and one that is given up was
  // to blame. Where none was, the limit may be.
  const uint64_t segments = dispatcher_.segments_done();
  const uint64_t progress = segments + (segments > segments_at_start_ ? dispatcher_.given_up() : 0);
  ended_in_a_row_ = progress == progress_at_end_ ? ended_in_a_row_ + 1 : 1;
  progress_at_end_ = progress;
  if (ended_in_a_row_ <= most_ended_ + kMostEndedAWorker * fleet_.workers_wanted()) return;
  say_.failed(Error{"worker after worker " + words + ", and none of them finished a segment",
                    "give a larger limit; the same command goes on where it was, and "
                    "--retry-failed does again what was given up"});
}

}  // namespace consort
