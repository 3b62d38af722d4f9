#include "supervisor/job/memory_keeper.h"

#include <signal.h>
#include <unistd.h>

#include <unordered_set>
#include <utility>

#include "supervisor/place/cgroup.h"
#include "supervisor/view/number.h"

namespace consort {
namespace {

constexpr int64_t kLookForOomKillsNs = 1'000'000'000;
// With a limit given, samples come as often as their cost allows, down to this.
constexpr int64_t kLimitPauseNs = 100'000'000;
// Then full rounds may cost 1 % of a CPU.
constexpr int64_t kLimitFullPauseToCost = 100;

// So many workers ended for their memory, and nothing done in between: then the limit is too small
// for the model, and no segment is to blame. A few segments that take memory without end, at work
// in one worker at the same time, are fewer.
constexpr int kMostEnded = 10;
constexpr int kMostEndedAnAttempt = 4;

// Figures are of memory over time: full rounds so often, or as 1 % of a CPU allows.
constexpr int64_t kFiguresPauseNs = 250'000'000;

MemorySampler::Settings SamplerSettings(bool limit_of_workers, bool limit_of_tree, bool figures) {
  MemorySampler::Settings settings;
  if (figures) {
    settings.pause_ns = settings.least_full_pause_ns = kFiguresPauseNs;
    settings.full_pause_to_cost = kLimitFullPauseToCost;
  }
  if (limit_of_workers || limit_of_tree) settings.pause_ns = kLimitPauseNs;
  if (limit_of_tree) settings.full_pause_to_cost = kLimitFullPauseToCost;
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
                           Dispatcher& dispatcher, Say say)
    : limit_(limit),
      fleet_(fleet),
      dispatcher_(dispatcher),
      say_(std::move(say)),
      forks_(!options.no_template),
      most_ended_(kMostEnded + kMostEndedAnAttempt * options.attempts),
      workers_(options.worker_memory_limit.bytes,
               "--worker-memory-limit " + options.worker_memory_limit.text),
      tree_(std::move(limit)),
      oom_kills_(OomKillFile()),
      sampler_(SamplerSettings(options.worker_memory_limit.bytes > 0, tree_.watches(),
                               !options.figures.empty())) {}

void MemoryKeeper::Ready(const Worker& worker, int64_t now_ns) {
  workers_.Ready(worker.id(), now_ns);
  Changed();
}

Death MemoryKeeper::Gone(const Worker& worker, const Death& death, int64_t now_ns) {
  workers_.Gone(worker.id());
  retiring_.erase(worker.id());
  ended_.erase(worker.id());
  Changed();
  return worker.pid() > 0 ? Explained(death, now_ns) : death;
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
  EndRetired();
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
    case WorkerMemory::Verdict::kReplace:
      say_.verbose("worker " + std::to_string(worker->pid()) + " " + words +
                   "; it is replaced once it has finished its tasks");
      return Retire(*worker);
    case WorkerMemory::Verdict::kEnd:
      return End(*worker, words);
  }
}

void MemoryKeeper::JudgeTree(MemorySample& sample, int64_t now_ns) {
  using Future = MemorySample::OfWorker::Future;
  for (auto& it : sample.workers) {
    const auto found = retiring_.find(it.worker);
    if (found == retiring_.end()) continue;
    it.future = found->second.given_up ? Future::kGivenUp : Future::kReplaced;
  }
  const bool settled = retiring_.empty() && fleet_.workers_alive() == fleet_.workers_wanted();
  const auto step =
      tree_.Judge(sample, fleet_.workers_wanted(), settled, dispatcher_.UsualForwardNs(), now_ns);
  const auto* largest = Largest(sample);
  auto* worker =
      fleet_.FindRunning(step == TreeMemory::Step::kTell ? largest->worker : tree_.subject());
  if (step == TreeMemory::Step::kNone || worker == nullptr) return;
  const std::string found = "all processes together use " + Bytes(sample.tree_bytes) +
                            ", more than " + limit_.name + ": ";
  switch (step) {
    case TreeMemory::Step::kNone:
      return;
    case TreeMemory::Step::kReplaceLargest:
      say_.verbose(found + "worker " + std::to_string(worker->pid()) +
                   " is replaced once it has finished its tasks");
      return Retire(*worker);
    case TreeMemory::Step::kOneFewer:
      fleet_.CloseSlot(worker->slot());
      say_.always("warning: " + found + "from now on " + std::to_string(fleet_.workers_wanted()) +
                  (fleet_.workers_wanted() == 1 ? " worker" : " workers"));
      Retire(*worker);
      retiring_[worker->id()].given_up = true;
      return;
    case TreeMemory::Step::kEndLargest:
      return End(*worker, "used " + Bytes(largest->anonymous_bytes) +
                              " of memory, with which all processes together had more than " +
                              limit_.name);
    case TreeMemory::Step::kTell:
      say_.always("warning: " + found + "one worker is left, and it goes on");
  }
}

void MemoryKeeper::Retire(const Worker& worker) {
  if (!retiring_.try_emplace(worker.id()).second) return;
  dispatcher_.Retire(worker.id());
}

void MemoryKeeper::End(Worker& worker, const std::string& words) {
  if (!ended_.insert(worker.id()).second) return;
  fleet_.Kill(worker, Offence::kMemory, words);
  const uint64_t segments = dispatcher_.segments_done();
  ended_in_a_row_ = segments == segments_at_end_ ? ended_in_a_row_ + 1 : 1;
  segments_at_end_ = segments;
  if (ended_in_a_row_ <= most_ended_) return;
  say_.failed(Error{"worker after worker " + words + ", and none of them finished a segment",
                    "give a larger limit; the same command goes on where it was, and "
                    "--retry-failed does again what was given up"});
}

void MemoryKeeper::EndRetired() {
  for (auto& [id, retiring] : retiring_) {
    auto* worker = fleet_.FindRunning(id);
    if (worker == nullptr || retiring.told_to_end || dispatcher_.Holds(id)) continue;
    retiring.told_to_end = true;
    fleet_.Retire(*worker);
  }
}

}  // namespace consort
