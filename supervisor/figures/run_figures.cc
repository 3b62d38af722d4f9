#include "supervisor/figures/run_figures.h"

#include <sys/resource.h>

#include <algorithm>
#include <set>

#include "shared/base/clock.h"

namespace consort {
namespace {

// Of the window, for its spread; each of them with so many bursts an engine at least, so that it
// tells of the speed and not of where their ends fell.
constexpr uint64_t kFewestSlices = 5;
constexpr uint64_t kMostSlices = 20;
constexpr uint64_t kBurstsASlice = 3;

// A look at all processes, at most this often and 100 times what it took.
constexpr int64_t kLeastUsagePauseNs = 1'000'000'000;
constexpr int64_t kUsagePauseToCost = 100;

constexpr size_t kMostDeaths = 1000;

double OwnCpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void Add(FiguresTotals& to, const FiguresTotals& from) {
  for (size_t stage = 0; stage < kStageCount; ++stage) to.stage_ns[stage] += from.stage_ns[stage];
  to.segments_timed += from.segments_timed;
}

void Subtract(FiguresTotals& from, const FiguresTotals& what) {
  for (size_t stage = 0; stage < kStageCount; ++stage) from.stage_ns[stage] -= what.stage_ns[stage];
  from.segments_timed -= what.segments_timed;
}

}  // namespace

RunFigures::RunFigures(std::optional<int64_t> measure_ns, int64_t start_ns)
    : measure_ns_(measure_ns) {
  figures_.start_ns = start_ns;
}

// ---- the loop ----

void RunFigures::Begin(Loop loop) {
  loop_ = std::move(loop);
  in_loop_ = true;
  // What a job that goes on has done before is none of this run's.
  Subtract(totals_, loop_.totals());
  figures_.split = loop_.split;
}

void RunFigures::End(int64_t now_ns) {
  if (state_ == State::kCounting) LookAtUsage();
  figures_.rate.AddAnyway(now_ns, static_cast<int64_t>(segments_));
  Add(totals_, loop_.totals());
  in_loop_ = false;
  workers_.clear();
  unpublished_ = 0;
}

FiguresTotals RunFigures::Totals() const {
  FiguresTotals totals = totals_;
  if (in_loop_) Add(totals, loop_.totals());
  return totals;
}

std::vector<pid_t> RunFigures::Pids() const {
  std::vector<pid_t> pids = loop_.templates();
  for (const auto& [id, worker] : workers_) pids.push_back(worker.pid);
  return pids;
}

// ---- what happens ----

RunFigures::Engine* RunFigures::Find(uint64_t worker, uint32_t engine) {
  const auto found = workers_.find(worker);
  return found == workers_.end() ? nullptr : &found->second.engines[engine];
}

void RunFigures::Ready(uint64_t worker, size_t slot, uint32_t engines, pid_t pid, int64_t now_ns) {
  auto& known = workers_[worker];
  known.slot = slot;
  known.pid = pid;
  known.engines.resize(engines);
  for (auto& engine : known.engines) {
    engine.began_ns = now_ns;
    engine.bursts = ResultBursts(now_ns);
  }
  unpublished_ += engines;
  auto& place = slots_[slot];
  place.rates.resize(std::max<size_t>(place.rates.size(), engines));
  for (const size_t death : place.unanswered) {
    auto& ready = figures_.deaths[death].ready_ns;
    if (!ready) ready = now_ns;
  }
  if (!figures_.ready_ns && loop_.all_ready()) figures_.ready_ns = now_ns;
}

void RunFigures::Given(uint64_t worker, uint32_t engine, int64_t now_ns) {
  Ended(worker, engine, now_ns);
}

void RunFigures::Ended(uint64_t worker, uint32_t engine, int64_t now_ns) {
  if (auto* known = Find(worker, engine)) known->began_ns = now_ns;
}

void RunFigures::Segment(uint64_t worker, uint32_t engine, const SegmentFigures& seen,
                         int64_t now_ns) {
  auto* known = Find(worker, engine);
  if (known == nullptr) return;
  const auto [at_ns, begins] =
      known->bursts.Next(seen.file, seen.segment, seen.published_ns, loop_.batch, now_ns);
  ++segments_;
  last_result_ns_ = std::max(last_result_ns_, at_ns);
  if (state_ == State::kBefore && !measure_ns_) OpenWindow(at_ns);
  // Nothing of a whole job lies before its first result (which another engine may have given: it is
  // looked at in turn); what is measured begins behind its.
  if (!measure_ns_ && state_ == State::kCounting) {
    figures_.window->from_ns = std::min(figures_.window->from_ns, at_ns);
  }
  const bool counting =
      state_ == State::kCounting && (!measure_ns_ || at_ns > figures_.window->from_ns);
  if (begins) {
    known->burst_from_ns = std::min(known->began_ns, at_ns);
    known->burst_ns = at_ns;
    known->burst_counts = counting;
  }
  known->began_ns = at_ns;
  auto& place = slots_[workers_[worker].slot];
  for (const size_t death : place.unanswered) figures_.deaths[death].next_result_ns = at_ns;
  place.unanswered.clear();
  if (counting) {
    ++figures_.counted;
    figures_.audio_seconds += seen.audio_seconds;
    figures_.latency.Add(std::min(seen.taken_ns, now_ns - figures_.start_ns));
    // The rest of a burst that began before is none to measure between.
    if (known->burst_counts) place.rates[engine].Add(known->burst_ns, begins);
    slices_->Add(known->burst_from_ns, known->burst_ns, 1);
  }
  if (!known->published) --unpublished_;
  known->published = true;
  if (state_ == State::kBefore && unpublished_ == 0 && loop_.all_ready()) OpenWindow(now_ns);
}

void RunFigures::Gone(uint64_t worker, const std::vector<bool>& busy, bool died, int64_t now_ns) {
  const auto found = workers_.find(worker);
  if (found == workers_.end()) return;  // never ready: it held nothing
  const Worker& known = found->second;
  int64_t lost_ns = 0;
  for (size_t engine = 0; engine < known.engines.size(); ++engine) {
    if (!known.engines[engine].published) --unpublished_;
    if (engine < busy.size() && busy[engine]) lost_ns += now_ns - known.engines[engine].began_ns;
  }
  if (died && figures_.deaths.size() < kMostDeaths) {
    slots_[known.slot].unanswered.push_back(figures_.deaths.size());
    figures_.deaths.push_back({.at_ns = now_ns,
                               .slot = known.slot,
                               .lost_ns = lost_ns,
                               .ready_ns = std::nullopt,
                               .next_result_ns = std::nullopt});
  }
  workers_.erase(found);
}

void RunFigures::Memory(int64_t pss_bytes, int64_t now_ns) {
  figures_.memory.Add(now_ns, pss_bytes);
  figures_.peak_pss_bytes = std::max(figures_.peak_pss_bytes, pss_bytes);
  if (state_ != State::kCounting) return;
  pss_sum_ += static_cast<double>(pss_bytes);
  ++pss_count_;
}

void RunFigures::Tick(int64_t now_ns) {
  figures_.rate.Add(now_ns, static_cast<int64_t>(segments_));
  if (state_ != State::kCounting || now_ns < next_usage_ns_) return;
  LookAtUsage();
  const int64_t cost_ns = MonotonicNs() - now_ns;
  next_usage_ns_ = now_ns + std::max(kLeastUsagePauseNs, cost_ns * kUsagePauseToCost);
}

void RunFigures::Stopping(int64_t now_ns) {
  if (!measure_ns_) return;
  if (state_ == State::kCounting) CloseWindow(now_ns);
  state_ = State::kAfter;
}

void RunFigures::Restarts(const JobSummary::Restarts& workers,
                          const JobSummary::Restarts& templates) {
  const auto add = [](JobSummary::Restarts& to, const JobSummary::Restarts& from) {
    to.crashed += from.crashed;
    to.killed += from.killed;
    to.replaced += from.replaced;
  };
  add(figures_.workers_restarted, workers);
  add(figures_.templates_restarted, templates);
}

void RunFigures::Trials(WorkerTrialFigures trials) {
  if (!trials.start) return;  // a loop that tried nothing has nothing to say of others
  if (figures_.split && trials.chosen) figures_.split->workers = *trials.chosen;
  figures_.trials = std::move(trials);
}

// ---- the window ----

void RunFigures::OpenWindow(int64_t now_ns) {
  state_ = State::kCounting;
  figures_.window = {now_ns, now_ns};
  slices_.emplace(now_ns);
  // Of the whole job nothing was before.
  if (measure_ns_) at_open_ = Totals();
  meter_.Begin(Pids());
  supervisor_at_open_s_ = OwnCpuSeconds();
  next_usage_ns_ = now_ns + kLeastUsagePauseNs;
}

void RunFigures::LookAtUsage() {
  meter_.Look(Pids());
  figures_.usage = meter_.total();
  figures_.supervisor_s = OwnCpuSeconds() - supervisor_at_open_s_;
}

std::optional<int64_t> RunFigures::window_end_ns() const {
  if (!measure_ns_ || state_ != State::kCounting) return std::nullopt;
  return figures_.window->from_ns + *measure_ns_;
}

bool RunFigures::Measured(int64_t now_ns) {
  const auto end_ns = window_end_ns();
  if (end_ns && now_ns >= *end_ns) {
    measured_ = true;
    CloseWindow(now_ns);
  }
  return measured_;
}

void RunFigures::CloseWindow(int64_t to_ns) {
  state_ = State::kAfter;
  auto& window = *figures_.window;
  window.to_ns = to_ns;
  if (in_loop_) LookAtUsage();
  const FiguresTotals now = Totals();
  ConcludeRates(window);
  ConcludeStages(now);
  if (pss_count_ > 0) figures_.mean_pss_bytes = pss_sum_ / static_cast<double>(pss_count_);
}

void RunFigures::ConcludeRates(const Figures::Window& window) {
  if (window.to_ns <= window.from_ns) return;
  double per_second = 0;
  uint64_t bursts = 0;
  uint64_t engines = 0;
  // What engines are at when the window ends shows in no result yet: their rates are compared as
  // far as all of them had some.
  int64_t known_until_ns = window.to_ns;
  for (const auto& [slot, place] : slots_) {
    for (const auto& rate : place.rates) {
      per_second += rate.PerSecond(window.from_ns, window.to_ns);
      bursts += rate.bursts();
      ++engines;
      if (rate.bursts() > 0) known_until_ns = std::min(known_until_ns, rate.last_burst_ns());
    }
  }
  figures_.per_second = per_second;
  const int64_t half_ns = window.from_ns + (window.to_ns - window.from_ns) / 2;
  if (known_until_ns < half_ns) known_until_ns = window.to_ns;
  const uint64_t slices =
      std::min(kMostSlices, bursts / (kBurstsASlice * std::max<uint64_t>(1, engines)));
  if (slices >= kFewestSlices) figures_.spread = slices_->Spread(known_until_ns, slices);
}

// Tasks tell what their segments took, at their end; of a short window the whole run has to do.
void RunFigures::ConcludeStages(const FiguresTotals& now) {
  const bool some = now.segments_timed > at_open_.segments_timed;
  FiguresTotals spent = now;
  if (some) Subtract(spent, at_open_);
  if (spent.segments_timed == 0) return;
  auto& stage_ms = figures_.stage_ms.emplace();
  for (size_t stage = 0; stage < kStageCount; ++stage) {
    stage_ms[stage] = static_cast<double>(spent.stage_ns[stage]) * 1e-6 /
                      static_cast<double>(spent.segments_timed);
  }
}

const Figures& RunFigures::Close(int exit_status, bool whole, int64_t now_ns) {
  if (state_ == State::kCounting) CloseWindow(last_result_ns_);
  state_ = State::kAfter;
  figures_.exit_status = exit_status;
  figures_.complete = measure_ns_ ? measured_ : whole;
  figures_.end_ns = now_ns;
  return figures_;
}

}  // namespace consort
