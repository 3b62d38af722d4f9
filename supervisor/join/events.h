// Stretches of frames that are on, or between the thresholds, to events: for each label by itself
// what get_speech_timestamps of silero-vad (src/silero_vad/utils_vad.py, version 6) does, without
// its longest length.
//
// An event begins with the first frame that is on. A frame that is off begins a tentative end,
// which a frame that is on cancels; one between does neither. The event ends there once a frame
// that is off comes min_gap or more behind the tentative end; else at the file's end. If it is
// longer than min it stays. Those that stay are padded by pad on both sides; two with less than
// 2 * pad between them share what there is. Its score is the largest of its frames'. It belongs to
// the segment from which its first frame that is on was taken.
//
// Lines wait for the end of what begins in the first of them. Where too many events that have ended
// wait in them (channels_joiner.h), that ends where the frames end which are known: its next frame
// that is on begins another event, and neither is padded into the other.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "supervisor/join/frame_joiner.h"

namespace consort {

// What lines need of a bundle's labels; one for the joiners of all channels.
struct EventLabels {
  explicit EventLabels(const std::vector<std::string>& labels);
  std::vector<std::string> pieces;  // `{"label":"speech"` of each
  std::vector<uint32_t> rank;       // of each in the order of labels' bytes
};

class EventJoiner : public FrameJoiner {
 public:
  EventJoiner(const Manifest& manifest, std::shared_ptr<const EventLabels> labels);

  size_t held() const override { return held_; }

 protected:
  void Forget() override;
  void Take(const SegmentRuns& told) override;
  void Close(bool at_file_end) override;
  uint64_t FirstOpen() const override;
  void EndOpenEarly() override;
  void AppendContent(std::string& line, uint64_t segment) override;
  void SaveOwn(std::string& out) const override;
  bool RestoreOwn(NumberText& text) override;

 private:
  static constexpr int64_t kNoEnd = -1;

  struct OpenEvent {
    uint64_t segment = 0;
    int64_t start = 0;           // frame
    int64_t tentative = kNoEnd;  // frame
    float score = 0;
  };
  // It stays; where its padding ends depends on the next one.
  struct KeptEvent {
    uint64_t segment = 0;
    int64_t start_ns = 0;  // padded
    int64_t end_ns = 0;    // not padded
    float score = 0;
  };
  struct OfLabel {
    std::optional<OpenEvent> open;
    std::optional<KeptEvent> kept;
    int64_t ended_early_ns = kNoEnd;  // what lies before is another event's
    uint64_t FirstOpen() const;
  };
  struct Event {
    uint32_t label = 0;
    int64_t start_ms = 0;
    int64_t end_ms = 0;
    float score = 0;
  };
  using Active = std::map<uint32_t, OfLabel>;  // labels of which anything is open

  // Frames [first, end) of one label are at one level.
  void On(OfLabel& label, uint64_t segment, int64_t first, float score);
  void Off(uint32_t index, OfLabel& label, int64_t first, int64_t end);
  void EndOpen(uint32_t index, OfLabel& label, int64_t end_ns);
  // A kept one that no other can be near any more is done.
  void Settle(uint32_t index, OfLabel& label, int64_t now_ns);
  void Finish(uint32_t index, OfLabel& label, int64_t end_ns);

  const int64_t min_ns_;
  const int64_t min_gap_ns_;
  const int64_t pad_ns_;
  const std::shared_ptr<const EventLabels> labels_;
  Active active_;
  std::map<uint64_t, std::vector<Event>> done_;  // by segment; lines that wait
  size_t held_ = 0;                              // events in done_
};

}  // namespace consort
