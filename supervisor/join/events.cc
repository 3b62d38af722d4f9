#include "supervisor/join/events.h"

#include <algorithm>
#include <ranges>
#include <tuple>
#include <utility>

#include "shared/bundle/labels.h"
#include "supervisor/output/jsonl.h"

namespace consort {
namespace {

// In a saved state; a label mostly has neither, or the first alone.
constexpr int kHasKept = 1;
constexpr int kHasEndedEarly = 2;

}  // namespace

EventLabels::EventLabels(const std::vector<std::string>& labels) : rank(RanksByBytes(labels)) {
  for (const auto& label : labels) {
    pieces.push_back("{\"label\":\"" + JsonlFormatter::EscapeName(label) + '"');
  }
}

EventJoiner::EventJoiner(const Manifest& manifest, std::shared_ptr<const EventLabels> labels)
    : FrameJoiner(manifest),
      min_ns_(manifest.output.min_ns),
      min_gap_ns_(manifest.output.min_gap_ns),
      pad_ns_(manifest.output.pad_ns),
      labels_(std::move(labels)) {}

void EventJoiner::Forget() {
  active_.clear();
  done_.clear();
  held_ = 0;
}

void EventJoiner::Take(const SegmentRuns& told) {
  const int64_t begin = next_frame();
  const int64_t end = begin + told.frames;
  for (const FrameRun& run : told.runs) active_.try_emplace(run.label);
  auto run = told.runs.begin();
  for (auto at = active_.begin(); at != active_.end();) {
    auto& [index, label] = *at;
    int64_t seen = begin;
    for (; run != told.runs.end() && run->label == index; ++run) {
      const int64_t first = begin + run->first;
      Off(index, label, seen, first);
      if (run->level == FrameRun::kOn) On(label, told.segment, first, run->score);
      seen = first + run->count;
    }
    Off(index, label, seen, end);
    Settle(index, label, StartNs(end));
    const bool pads_reach_back =
        label.ended_early_ns != kNoEnd && StartNs(end) - label.ended_early_ns < pad_ns_;
    at = label.open || label.kept || pads_reach_back ? std::next(at) : active_.erase(at);
  }
}

void EventJoiner::On(OfLabel& label, uint64_t segment, int64_t first, float score) {
  if (!label.open) {
    label.open = OpenEvent{segment, first, kNoEnd, score};
    return;
  }
  label.open->tentative = kNoEnd;
  label.open->score = std::max(label.open->score, score);
}

void EventJoiner::Off(uint32_t index, OfLabel& label, int64_t first, int64_t end) {
  if (!label.open || first >= end) return;
  int64_t& tentative = label.open->tentative;
  if (tentative == kNoEnd) tentative = first;
  const int64_t tentative_ns = StartNs(tentative);
  // Frames begin one after the other: if any of them is late enough, the last one is.
  if (StartNs(end - 1) - tentative_ns >= min_gap_ns_) EndOpen(index, label, tentative_ns);
}

void EventJoiner::EndOpen(uint32_t index, OfLabel& label, int64_t end_ns) {
  const OpenEvent event = *label.open;
  label.open.reset();
  const int64_t start_ns = StartNs(event.start);
  if (end_ns - start_ns <= min_ns_) return;
  KeptEvent kept{event.segment, 0, end_ns, event.score};
  const bool near = label.kept && start_ns - label.kept->end_ns < 2 * pad_ns_;
  if (near) {
    const int64_t half = (start_ns - label.kept->end_ns) / 2;
    kept.start_ns = start_ns - half;
    Finish(index, label, label.kept->end_ns + half);
  } else {
    kept.start_ns = std::max({KnownFromNs(), label.ended_early_ns, start_ns - pad_ns_});
    if (label.kept) Finish(index, label, std::min(FileEndNs(), label.kept->end_ns + pad_ns_));
  }
  label.kept = kept;
}

void EventJoiner::Settle(uint32_t index, OfLabel& label, int64_t now_ns) {
  if (!label.kept) return;
  const int64_t next_ns = label.open ? StartNs(label.open->start) : now_ns;
  if (next_ns - label.kept->end_ns < 2 * pad_ns_) return;
  Finish(index, label, std::min(FileEndNs(), label.kept->end_ns + pad_ns_));
}

void EventJoiner::Finish(uint32_t index, OfLabel& label, int64_t end_ns) {
  const KeptEvent& kept = *label.kept;
  done_[kept.segment].push_back({index, ToMs(kept.start_ns), ToMs(end_ns), kept.score});
  ++held_;
  label.kept.reset();
}

void EventJoiner::Close(bool at_file_end) {
  const int64_t end_ns = at_file_end ? FileEndNs() : std::min(FileEndNs(), StartNs(next_frame()));
  for (auto& [index, label] : active_) {
    if (label.open) EndOpen(index, label, end_ns);
    if (label.kept) Finish(index, label, std::min(end_ns, label.kept->end_ns + pad_ns_));
  }
  active_.clear();
}

uint64_t EventJoiner::OfLabel::FirstOpen() const {
  return std::min(open ? open->segment : kNone, kept ? kept->segment : kNone);
}

uint64_t EventJoiner::FirstOpen() const {
  uint64_t first = kNone;
  for (const auto& [index, label] : active_) first = std::min(first, label.FirstOpen());
  return first;
}

void EventJoiner::EndOpenEarly() {
  const uint64_t first = FirstOpen();
  if (first == kNone) return;
  const int64_t here_ns = std::min(FileEndNs(), StartNs(next_frame()));
  for (auto& [index, label] : active_) {
    if (label.FirstOpen() != first) continue;
    if (label.open) {
      const int64_t tentative = label.open->tentative;
      EndOpen(index, label, tentative == kNoEnd ? here_ns : StartNs(tentative));
    }
    if (label.kept) Finish(index, label, std::min(here_ns, label.kept->end_ns + pad_ns_));
    label.ended_early_ns = here_ns;
  }
}

void EventJoiner::AppendContent(std::string& line, uint64_t segment) {
  line += ",\"events\":[";
  if (auto found = done_.extract(segment)) {
    auto& events = found.mapped();
    held_ -= events.size();
    std::ranges::sort(events, {}, [this](const Event& event) {
      return std::tuple(event.start_ms, labels_->rank[event.label], event.end_ms);
    });
    for (size_t i = 0; i < events.size(); ++i) {
      if (i > 0) line += ',';
      line += labels_->pieces[events[i].label];
      AppendTimesAndScore(line, events[i].start_ms, events[i].end_ms, events[i].score);
    }
  }
  line += ']';
}

void EventJoiner::SaveOwn(std::string& out) const {
  PutNumber(out, active_.size());
  for (const auto& [index, label] : active_) {
    PutNumber(out, index);
    PutNumber(out, int{label.open.has_value()});
    if (label.open) {
      PutNumber(out, label.open->segment);
      PutNumber(out, label.open->start);
      PutNumber(out, label.open->tentative);
      PutBits(out, label.open->score);
    }
    const bool early = label.ended_early_ns != kNoEnd;
    PutNumber(out, (label.kept ? kHasKept : 0) | (early ? kHasEndedEarly : 0));
    if (label.kept) {
      PutNumber(out, label.kept->segment);
      PutNumber(out, label.kept->start_ns);
      PutNumber(out, label.kept->end_ns);
      PutBits(out, label.kept->score);
    }
    if (early) PutNumber(out, label.ended_early_ns);
  }
  for (const auto& [segment, events] : done_) {
    for (const Event& event : events) {
      PutNumber(out, segment);
      PutNumber(out, event.label);
      PutNumber(out, event.start_ms);
      PutNumber(out, event.end_ms);
      PutBits(out, event.score);
    }
  }
}

bool EventJoiner::RestoreOwn(NumberText& text) {
  const auto active = text.Get<size_t>();
  for (size_t i = 0; i < active && text.good(); ++i) {
    const auto index = text.Get<uint32_t>();
    if (index >= labels_->rank.size()) return false;
    OfLabel& label = active_[index];
    if (text.Get<int>() != 0) {
      OpenEvent& event = *(label.open = OpenEvent{});
      event.segment = text.Get<uint64_t>();
      event.start = text.Get<int64_t>();
      event.tentative = text.Get<int64_t>();
      event.score = text.GetFloat();
    }
    const int has = text.Get<int>();
    if ((has & kHasKept) != 0) {
      KeptEvent& event = *(label.kept = KeptEvent{});
      event.segment = text.Get<uint64_t>();
      event.start_ns = text.Get<int64_t>();
      event.end_ns = text.Get<int64_t>();
      event.score = text.GetFloat();
    }
    if ((has & kHasEndedEarly) != 0) label.ended_early_ns = text.Get<int64_t>();
  }
  while (text.good() && !text.left().empty()) {
    auto& events = done_[text.Get<uint64_t>()];
    Event& event = events.emplace_back();
    ++held_;
    event.label = text.Get<uint32_t>();
    event.start_ms = text.Get<int64_t>();
    event.end_ms = text.Get<int64_t>();
    event.score = text.GetFloat();
    if (event.label >= labels_->rank.size()) return false;
  }
  return text.good();
}

}  // namespace consort
