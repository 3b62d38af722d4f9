// What an engine tells the supervisor. Records of one task come in the order of its items and
// segments; kTaskDone is the last. See docs/protocol.md.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "shared/base/result.h"
#include "shared/channel/stage.h"

namespace consort {

// The segment_alignment of a file that can only be decoded from its beginning on.
inline constexpr uint32_t kOnePassAlignment = UINT32_MAX;

// FileInfo::flags. Its header says less than is there, or nothing, as an interrupted recording
// leaves it: what is there was taken.
inline constexpr uint32_t kHeaderUnfinished = 1;
inline constexpr uint32_t kAllFileFlags = kHeaderUnfinished;

inline constexpr size_t kMaxContainerBytes = 15;
inline constexpr int32_t kMaxChannels = 65'535;
// Of a file whose channels are heard one by one: as many as libsndfile reads.
inline constexpr int32_t kMaxStreams = 1024;

// First record of every item whose file could be opened.
struct FileInfo {
  uint64_t file = 0;
  int64_t samples = 0;      // N, frames of the file as it is stored
  int32_t sample_rate = 0;  // Hz, of the file
  // Tasks of this file are best cut at multiples of this many segments (decoders with memory).
  uint32_t segment_alignment = 1;
  int64_t size_bytes = 0;
  int64_t mtime_ns = 0;
  // Of the file; 0: not known. Where they are heard one by one the segments follow from it, else it
  // is for people alone, as is what follows.
  int32_t channels = 0;
  uint32_t flags = 0;          // of kAllFileFlags
  std::string container = {};  // "wav", "mp4": small letters and digits
};

// Nothing that segments come from differs: the file was not changed in between.
bool SameSound(const FileInfo& a, const FileInfo& b);

struct Tag {
  uint32_t label = 0;  // index in the bundle's labels
  float score = 0;
};

// One segment's tags, best first, already cut to top_k and threshold.
struct SegmentTags {
  uint64_t file = 0;
  uint64_t segment = 0;
  std::vector<Tag> tags;
  // By the engine's clock: from the beginning of its read, or of that of its batch's first segment,
  // to its publication. What comes from a worker is believed within 0 … kMostTakenNs.
  int64_t taken_ns = 0;
  int64_t published_ns = 0;  // CLOCK_MONOTONIC; for the reader to hold against its own
};
inline constexpr int64_t kMostTakenNs = int64_t{1} << 50;  // 13 days

// What an output that is a sequence says of one segment: stretches of its own frames
// (shared/segment/frames.h) with the same thing to tell. All of a segment's frames are meant:
// where there is no run there is nothing.
//   ctc: frames with the same best token, in order of time. Blank ones are left out.
//   frames: frames whose score of one label is at the same level, by label, then in order of time.
//     What is below both thresholds is left out.
// A run that touches the first or the last frame may go on in the neighbouring segment.
struct FrameRun {
  static constexpr uint8_t kBetween = 1;  // threshold_off <= score < threshold
  static constexpr uint8_t kOn = 2;       // threshold <= score

  uint32_t label = 0;  // index in the bundle's labels
  uint32_t first = 0;  // frame, counted from the segment's own first
  uint32_t count = 0;  // frames, at least 1
  float score = 0;     // the largest in it, activated
  uint8_t level = kOn;
};

struct SegmentRuns {
  uint64_t file = 0;
  uint64_t segment = 0;
  uint64_t first_frame = 0;  // of its own frames, counted through the file
  uint32_t frames = 0;       // of its own
  std::vector<FrameRun> runs;
  int64_t taken_ns = 0;  // as those of SegmentTags
  int64_t published_ns = 0;
};

// One of the two, by the bundle's output. `file` and `segment`, and the times, are the engine's.
using SegmentResult = std::variant<SegmentTags, SegmentRuns>;

// The file has no results from `segment` on (kFault), or this one segment has none.
struct FileFault {
  uint64_t file = 0;
  uint64_t segment = 0;    // first segment without a result
  int64_t at_sample = -1;  // source sample of the fault; -1 if it has no place
  uint32_t code = 0;       // ErrorCode
  std::string message;     // one clause
};

struct TaskDone {
  uint64_t task = 0;
  std::array<int64_t, kStageCount> stage_ns{};  // spent in each stage since the last TaskDone
};

using ResultRecord = std::variant<FileInfo, SegmentTags, FileFault, TaskDone, SegmentRuns>;

inline constexpr uint32_t kFileInfoRecord = 1;
inline constexpr uint32_t kSegmentTagsRecord = 2;
inline constexpr uint32_t kFileFaultRecord = 3;
inline constexpr uint32_t kTaskDoneRecord = 4;
inline constexpr uint32_t kSegmentRunsRecord = 5;

inline constexpr size_t kMaxTags = 4096;  // the largest top_k
inline constexpr size_t kMaxRuns = 3500;
inline constexpr size_t kMaxFaultMessage = 1024;
// 17 bytes a run and a small head: a result ring has room for two.
inline constexpr size_t kMaxResultBytes = 17 * kMaxRuns + 1024;
static_assert(kMaxResultBytes > 8 * kMaxTags + 1024);

// What records of both kinds of results have.
struct SegmentTold {
  uint64_t file = 0;
  uint64_t segment = 0;
  int64_t taken_ns = 0;
  int64_t published_ns = 0;
};
// nullopt: it is no segment's result.
std::optional<SegmentTold> SegmentOf(const ResultRecord& record);

// Each returns the ring record's type and fills `out`.
uint32_t Encode(const FileInfo& info, std::vector<uint8_t>& out);
uint32_t Encode(const SegmentTags& tags, std::vector<uint8_t>& out);
// At most kMaxRuns.
uint32_t Encode(const SegmentRuns& runs, std::vector<uint8_t>& out);
uint32_t Encode(const FileFault& fault, std::vector<uint8_t>& out);
uint32_t Encode(const TaskDone& done, std::vector<uint8_t>& out);

// Checks every length and number that can be checked without knowing the task; the caller checks
// that file, segment and label are ones it asked for. Of runs: they have frames, lie inside of the
// segment's, are of a known level and have finite scores; not yet that they are in order.
Status DecodeResult(uint32_t type, const void* data, size_t size, ResultRecord& out);

// Whether no frame is in two runs and they are in order, as those of ctc must be: of time.
bool InOrderOfTime(const std::vector<FrameRun>& runs);
// As those of frames must be: of labels, and of each label in order of time.
bool InOrderOfLabels(const std::vector<FrameRun>& runs);

}  // namespace consort
