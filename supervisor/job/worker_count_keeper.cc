#include "supervisor/job/worker_count_keeper.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "supervisor/view/number.h"

namespace consort {
namespace {

// CONSORT_TRIAL_MS: shorter windows, for tests.
int64_t WindowNs() {
  const char* asked = std::getenv("CONSORT_TRIAL_MS");
  return asked == nullptr ? WorkerTrials::kWindowNs
                          : std::max(1LL, std::strtoll(asked, nullptr, 10)) * 1'000'000;
}

// "8 % more segments/s"
std::string MoreWords(double gain) {
  return std::to_string(std::abs(std::lround(100 * gain))) + (gain < 0 ? " % fewer" : " % more") +
         " segments/s";
}

}  // namespace

bool MayTryWorkerCounts(const RunOptions& options) {
  return !options.workers && !options.engines && !options.measure_ns && !options.no_template &&
         options.intra == 1;
}

WorkerCountKeeper::WorkerCountKeeper(WorkerCounts counts, uint64_t batch, Fleet& fleet,
                                     const Dispatcher& dispatcher, RetiringWorkers& retiring,
                                     Say say)
    : trials_(std::move(counts), WindowNs()),
      batch_(batch),
      fleet_(fleet),
      dispatcher_(dispatcher),
      retiring_(retiring),
      say_(std::move(say)),
      applied_(trials_.start()) {}

void WorkerCountKeeper::Ready(const Worker& worker) {
  // It was asked for before its slot was closed.
  if (worker.slot() >= static_cast<size_t>(applied_)) {
    retiring_.Add(worker, RetiringWorkers::Reason::kTooMany);
  }
}

void WorkerCountKeeper::Result(const Worker& worker, const SegmentTold& told, int64_t now_ns) {
  if (worker.slot() >= bursts_.size()) bursts_.resize(worker.slot() + 1);
  const auto [at_ns, begins] =
      bursts_[worker.slot()].Next(told.file, told.segment, told.published_ns, batch_, now_ns);
  trials_.Result(worker.slot(), at_ns, begins);
}

void WorkerCountKeeper::Tick(int64_t now_ns) {
  if (told_) return;
  trials_.Look({.settled = retiring_.empty() && fleet_.workers_alive() == fleet_.workers_wanted(),
                .calm = !dispatcher_.Suspecting() && !retiring_.AnyForMemory(),
                .bound = dispatcher_.AnyBoundToItsEngine(),
                .segments_left = dispatcher_.SegmentsLeft()},
               now_ns);
  Apply();
  if (!trials_.over()) return;
  told_ = true;
  ended_ns_ = now_ns;
  TellEnd();
}

bool WorkerCountKeeper::GiveBack(const std::string& found) {
  const int before = applied_;
  const bool fewer = trials_.GiveBack();
  Apply();
  if (fewer) {
    fleet_.ForEachRunning([this](Worker& worker) {
      if (worker.slot() < static_cast<size_t>(applied_)) return;
      retiring_.EndNow(fleet_, worker, RetiringWorkers::Reason::kTooMany);
    });
  }
  if (applied_ == before) return fewer;
  const std::string line = found + "back to " + Counted(applied_, "worker");
  if (told_) {
    say_.settled(applied_, "warning: " + line, true);
  } else {
    say_.verbose(line);
  }
  return fewer;
}

void WorkerCountKeeper::Apply() {
  const int wanted = trials_.wanted();
  if (wanted == applied_) return;
  if (!trials_.over() && wanted != trials_.start()) {
    say_.verbose("trying " + Counted(wanted, "worker") + " instead of " +
                 std::to_string(trials_.start()));
  }
  for (int slot = applied_; slot < wanted; ++slot) fleet_.OpenSlot(static_cast<size_t>(slot));
  for (int slot = wanted; slot < applied_; ++slot) fleet_.CloseSlot(static_cast<size_t>(slot));
  applied_ = wanted;
  fleet_.ForEachRunning([this](const Worker& worker) { Ready(worker); });
}

void WorkerCountKeeper::TellEnd() {
  for (const auto& it : trials_.tried()) {
    if (!it.gain) continue;
    say_.verbose(Counted(it.workers, "worker") + " instead of " + std::to_string(trials_.start()) +
                 ": " + MoreWords(*it.gain) + ", standard error " +
                 std::to_string(std::lround(100 * it.error)) + " %");
  }
  const auto chosen = trials_.chosen();
  if (!chosen || *chosen == trials_.start()) return;
  say_.settled(*chosen,
               "using " + Counted(*chosen, "worker") + " instead of " +
                   std::to_string(trials_.start()) + ": " + MoreWords(trials_.gain()) +
                   " here; \"consort tune\" finds the best split and keeps it",
               false);
}

WorkerTrialFigures WorkerCountKeeper::Figures() const {
  WorkerTrialFigures figures;
  if (trials_.tried().empty()) return figures;
  figures.start = trials_.start();
  figures.chosen = trials_.chosen();
  if (figures.chosen) figures.chosen_ns = ended_ns_;
  figures.tried = trials_.tried();
  return figures;
}

}  // namespace consort
