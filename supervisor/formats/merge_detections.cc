#include "supervisor/formats/merge_detections.h"

#include <algorithm>
#include <utility>

namespace consort {
namespace {

// A score that is not finite has none that is higher.
std::optional<double> Higher(std::optional<double> a, std::optional<double> b) {
  if (!a || !b) return std::nullopt;
  return std::max(*a, *b);
}

// A line without events takes a place, too.
size_t Weight(size_t events) { return std::max<size_t>(events, 1); }

}  // namespace

void DetectionMerger::Add(const ResultLine& line) {
  if (line.kind == ResultLine::Kind::kError && line.channel > 0) return AddError(line);
  if (line.kind != ResultLine::Kind::kTags) {
    End();
    emit_(line);
    return;
  }
  out_.file = line.file;
  // Several outputs of a model may have one label. Behind the file's end there is nothing to
  // detect.
  Scores scores;
  if (line.end_ms >= line.start_ms) {
    for (const LabelScore& tag : line.tags) {
      const auto [found, first] = scores.try_emplace(tag.label, tag.score);
      if (!first) found->second = Higher(found->second, tag.score);
    }
  }
  Track& track = tracks_[line.channel];
  GoOn(track, line, scores);
  Begin(track, line, scores);
  EmitWhatMay();
}

void DetectionMerger::AddError(const ResultLine& line) {
  if (const auto track = tracks_.find(line.channel); track != tracks_.end()) {
    CloseTrack(track->second);
    tracks_.erase(track);
  }
  lines_.push_back({line.channel, 0, 0, {}, 0, line});
  lines_.back().as_is->raw = {};  // that is the reader's, until the next line
  held_ += Weight(0);
  EmitWhatMay();
}

void DetectionMerger::EmitWhatMay() {
  EmitEnded();
  while (held_ > kMostHeld) {
    Relieve();
    EmitEnded();
  }
}

void DetectionMerger::GoOn(Track& track, const ResultLine& line, const Scores& scores) {
  for (auto at = track.begin(); at != track.end();) {
    const auto& [label, open] = *at;
    const auto found = scores.find(label);
    if (found == scores.end()) {
      Close(open);
      at = track.erase(at);
      continue;
    }
    TimedLabel& event = At(open.line).events[open.event];
    event.end_ms = std::max(event.end_ms, line.end_ms);
    event.score = Higher(event.score, found->second);
    ++at;
  }
}

void DetectionMerger::Begin(Track& track, const ResultLine& line, const Scores& scores) {
  Line begun{line.channel, line.start_ms, line.end_ms, {}, 0};
  const uint64_t number = first_ + lines_.size();
  for (const auto& [label, score] : scores) {
    const auto [at, is_new] = track.try_emplace(std::string(label), Open{number, begun.open});
    if (!is_new) continue;
    begun.events.push_back({at->first, line.start_ms, line.end_ms, score});
    ++begun.open;
  }
  merged_ += begun.open;
  if (begun.open > 0 || scores.empty()) lines_.push_back(std::move(begun));
  if (scores.empty()) held_ += Weight(0);
}

void DetectionMerger::Close(const Open& open) {
  --At(open.line).open;
  ++held_;
}

void DetectionMerger::CloseTrack(const Track& track) {
  for (const auto& [label, open] : track) Close(open);
}

void DetectionMerger::CloseAll() {
  for (const auto& [channel, track] : tracks_) CloseTrack(track);
  tracks_.clear();
}

void DetectionMerger::Relieve() {
  for (auto& [channel, track] : tracks_) {
    std::erase_if(track, [this](const auto& it) {
      const Open& open = it.second;
      if (open.line != first_) return false;
      Close(open);
      return true;
    });
  }
}

void DetectionMerger::EmitEnded() {
  out_.kind = ResultLine::Kind::kEvents;
  while (!lines_.empty() && lines_.front().open == 0) {
    Line& line = lines_.front();
    held_ -= Weight(line.events.size());
    if (line.as_is) {
      emit_(*line.as_is);
      lines_.pop_front();
      ++first_;
      continue;
    }
    out_.channel = line.channel;
    out_.start_ms = line.start_ms;
    out_.end_ms = line.end_ms;
    out_.events = std::move(line.events);
    emit_(out_);
    lines_.pop_front();
    ++first_;
  }
}

void DetectionMerger::End() {
  CloseAll();
  EmitEnded();
}

}  // namespace consort
