#include "supervisor/job/checkpoint.h"

#include <algorithm>
#include <cstdlib>

#include "shared/base/clock.h"

namespace consort {
namespace {

constexpr int64_t kIntervalNs = 1'000'000'000;

// CONSORT_COMMIT_MS: more moments to be killed at, for tests.
int64_t IntervalNs() {
  const char* asked = std::getenv("CONSORT_COMMIT_MS");
  return asked == nullptr ? kIntervalNs : std::strtoll(asked, nullptr, 10) * 1'000'000;
}

bool Same(const std::vector<ResumeSuspect>& a, const std::vector<ResumeSuspect>& b) {
  return std::ranges::equal(a, b, [](const ResumeSuspect& x, const ResumeSuspect& y) {
    return x.file == y.file && x.segment == y.segment && x.deaths == y.deaths &&
           x.together == y.together;
  });
}

}  // namespace

Checkpoint::Checkpoint(Journal& journal, Recorder& recorder, const Dispatcher& dispatcher)
    : journal_(journal),
      recorder_(recorder),
      dispatcher_(dispatcher),
      interval_ns_(IntervalNs()),
      began_ns_(MonotonicNs()),
      elapsed_before_ns_(journal.totals().elapsed_ns),
      next_ns_(began_ns_ + interval_ns_),
      restarts_(journal.totals().restarts),
      replaced_(journal.totals().workers_replaced) {}

Status Checkpoint::MaybeWrite(int64_t now_ns) {
  if (now_ns < next_ns_ && !recorder_.journal_is_due()) return Ok();
  return Write(now_ns);
}

Status Checkpoint::WriteIfSuspectsChanged(int64_t now_ns) {
  return Same(suspects_, dispatcher_.Suspects()) ? Ok() : Write(now_ns);
}

void Checkpoint::HandedOut() {
  // The first tasks of a start after one that came to nothing: if they are what ends the
  // supervisor, the journal has to know them. (The second start in a row is the first to doubt.)
  if (handed_out_) return;
  handed_out_ = true;
  if (journal_.totals().idle_starts > 1) next_ns_ = 0;
}

Status Checkpoint::Write(int64_t now_ns) {
  next_ns_ = now_ns + interval_ns_;
  CONSORT_TRY(recorder_.Flush());
  JournalStep step;
  step.totals = Totals(now_ns);
  const auto& before = journal_.totals();
  step.suspects = dispatcher_.Suspects();
  const bool moved = step.totals.bytes != before.bytes || step.totals.segments != before.segments ||
                     step.totals.files_done != before.files_done || step.totals.head != before.head;
  const bool doubtful = before.idle_starts > 1;
  const bool counted = step.totals.restarts != before.restarts ||
                       step.totals.workers_replaced != before.workers_replaced;
  if (!moved && !counted && !doubtful && Same(suspects_, step.suspects)) return Ok();
  if (moved) {
    step.totals.idle_starts = 0;
    CONSORT_TRY(recorder_.Sync());
  }
  dispatcher_.ForEachOpen([&](const OpenFile& file) {
    ResumeFile open;
    open.info = recorder_.Kept(*file.info);
    open.info.file = file.index;
    open.fault = file.fault;
    open.crashed = file.crashed;
    open.crash_line = recorder_.crash_line(file.index);
    step.open.push_back(std::move(open));
  });
  step.in_hand = dispatcher_.InHand();
  step.files = recorder_.ended();
  step.quarantined = recorder_.quarantined();
  step.ahead = recorder_.Ahead();
  CONSORT_TRY(journal_.Commit(step));
  recorder_.Taken();
  suspects_ = std::move(step.suspects);
  return Ok();
}

JobTotals Checkpoint::Totals(int64_t now_ns) const {
  JobTotals totals = journal_.totals();
  totals.bytes = recorder_.bytes_written();
  totals.head = recorder_.gather().files_written();
  totals.head_segment = recorder_.gather().head_next();
  totals.head_bytes = recorder_.gather().head_bytes();
  totals.joiner = recorder_.gather().SaveJoiner();
  totals.files_done = dispatcher_.files_done();
  totals.segments = dispatcher_.segments_done();
  totals.audio_seconds = dispatcher_.audio_seconds();
  totals.elapsed_ns = elapsed_ns(now_ns);
  totals.stage_ns = dispatcher_.stage_ns();
  totals.restarts = restarts_;
  totals.workers_replaced = replaced_;
  return totals;
}

void Checkpoint::AddRestart(bool of_template, bool crashed) {
  ++restarts_[(of_template ? 2U : 0U) + (crashed ? 0U : 1U)];
}

int64_t Checkpoint::elapsed_ns(int64_t now_ns) const {
  return elapsed_before_ns_ + now_ns - began_ns_;
}

}  // namespace consort
