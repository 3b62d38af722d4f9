// --merge-detections: from lines with tags to lines with events.
//
// A label that is among the tags of segments that follow each other becomes one event: from the
// start of the first to the end of the last, with the highest of its scores. A segment without it,
// an error, and the recording's end end it. Each stands in the line of the segment that it begins
// in, by its label's bytes; so all are in order of their starts. A segment without any tag stays a
// line, without events; one in which nothing begins but something goes on has none.
//
// A line waits for the end of what begins in it, and those behind it wait, too. Where more than
// kMostHeld events that have ended do, what begins in the first line ends there: the next segment
// with that label begins another. So what is held is bounded, and depends on the lines alone.
//
// Where channels are heard one by one, segments follow each other within a channel, and an error
// that names a channel ends what goes on in that one alone.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/formats/result_line.h"

namespace consort {

class DetectionMerger {
 public:
  static constexpr size_t kMostHeld = 10'000;
  // The line is valid during the call; its `raw` is empty where it was merged, or has waited.
  using Emit = std::function<void(const ResultLine&)>;

  explicit DetectionMerger(Emit emit) : emit_(std::move(emit)) {}

  // The lines of a recording in their order. One without tags to merge (events, a transcript, an
  // error) is emitted as it is, behind all before it.
  void Add(const ResultLine& line);
  // Of the recording: nothing is held any more.
  void End();

  uint64_t merged() const { return merged_; }  // events made so far
  size_t held() const { return held_; }        // events that have ended, and lines without any

 private:
  using Scores = std::map<std::string_view, std::optional<double>>;

  // A label that the last segment of its track had.
  struct Open {
    uint64_t line = 0;  // number of the one that it stands in
    size_t event = 0;   // in that line
  };
  using Track = std::map<std::string, Open, std::less<>>;

  struct Line {
    int64_t channel = 0;
    int64_t start_ms = 0;
    int64_t end_ms = 0;
    std::vector<TimedLabel> events;
    size_t open = 0;                       // of its events
    std::optional<ResultLine> as_is = {};  // an error, which waits for those before it
  };

  Line& At(uint64_t number) { return lines_[number - first_]; }
  void GoOn(Track& track, const ResultLine& line, const Scores& scores);
  void Begin(Track& track, const ResultLine& line, const Scores& scores);
  // An error of one channel.
  void AddError(const ResultLine& line);
  void Close(const Open& open);
  void CloseTrack(const Track& track);
  void CloseAll();
  // What begins in the first line ends.
  void Relieve();
  void EmitEnded();
  // And what too much waits for.
  void EmitWhatMay();

  const Emit emit_;
  std::map<int64_t, Track> tracks_;  // by channel
  std::deque<Line> lines_;
  uint64_t first_ = 0;  // number of lines_.front()
  size_t held_ = 0;
  uint64_t merged_ = 0;
  ResultLine out_;
};

}  // namespace consort
