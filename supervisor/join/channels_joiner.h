// The lines of a file whose segments are joined: a joiner for each of its channels, and their lines
// in order of segments, so first of time, then of channels. A file whose channels are not heard one
// by one has one joiner.
//
// A line that waits holds back all behind it, those of other channels too: what they have ready
// stays with their joiners as the few numbers that it is. No more than MostHeld things wait in all
// channels together, which are events and words that have ended, and error lines: once more do,
// what the first line waits for is ended early (events.h, words.h). Where that is depends on the
// pieces alone, not on when they come.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/join/frame_joiner.h"
#include "supervisor/join/line_joiner.h"

namespace consort {

class ChannelsJoiner : public LineJoiner {
 public:
  // Of a file with so many channels. Where they are many, each may have some hundred: else events
  // of all of them would be cut after a few places.
  static constexpr size_t MostHeld(size_t channels) {
    return std::max<size_t>(10'000, 256 * channels);
  }

  // Makes the joiner of one channel.
  using Maker = std::function<std::unique_ptr<FrameJoiner>()>;

  // `labels`: how many there are.
  ChannelsJoiner(const Manifest& manifest, size_t labels, Maker make);

  void Begin() override;
  Status Add(std::string_view pieces, const Sink& put) override;
  Status End(std::string_view tail, const Sink& put) override;
  std::string Save() const override;
  Status Restore(std::string_view saved) override;

 private:
  Error Damaged(const std::string& how) const;
  // The file has so many channels.
  void Open(size_t channels);
  // Also what waits beside the joiners.
  size_t Held() const { return held_ + errors_.size(); }
  FrameJoiner& Of(uint64_t segment) const { return *joiners_[segment % channels_]; }
  Status Take(Piece& piece, const Sink& put);
  // Does what changes how much waits in a joiner.
  template <typename Change>
  void Count(FrameJoiner& joiner, Change change);
  bool HasLine() const;
  Status AppendLines(const Sink& put);
  Status PutLines(const Sink& put);
  std::string SaveChannels() const;
  bool RestoreChannels(std::string_view saved);

  const bool each_channel_;
  const size_t labels_;
  const Maker make_;
  Piece piece_;        // kept: its memory is used again
  std::string lines_;  // on their way out; empty between calls

  std::vector<std::unique_ptr<FrameJoiner>> joiners_;  // the first channels_ are in use
  size_t channels_ = 0;                                // 0: no piece has come
  JoinedFile file_;                                    // all joiners refer to it
  uint64_t next_segment_ = 0;                          // that is to come
  uint64_t next_line_ = 0;                             // that is to be given out
  size_t held_ = 0;                                    // by all joiners together
  std::map<uint64_t, std::string> errors_;             // lines that wait, by segment
};

}  // namespace consort
