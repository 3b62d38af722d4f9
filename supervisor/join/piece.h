// One segment's part of a file with frames, as a line of text that joiners read. It is internal: it
// waits, and lies in the journal, until lines are made of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "shared/base/result.h"
#include "shared/record/result.h"

namespace consort {

// The hint where a piece, or what a joiner saved, is damaged: going on would meet it again.
inline constexpr const char* kBeginAnew = "begin anew with --restart";

struct Piece {
  uint64_t segment = 0;
  int32_t channels = 0;  // of the file, where they are heard one by one; else 0
  // What the segment said; `first_frame`, `frames` and `runs` count, and `file` does not. Without
  // a meaning if there is an error line.
  SegmentRuns told;
  int64_t samples = 0;     // of the file
  int32_t rate = 0;        // Hz
  std::string name;        // of the file, escaped as in results
  std::string error_line;  // in place of the segment's own line, with its line feed; mostly empty
};

// Each appends a line. `info.channels` and `channels` are as a piece has them; of `info` samples
// and rate are told, too.
void AppendPiece(std::string& out, const SegmentRuns& told, const FileInfo& info,
                 std::string_view escaped_name);
void AppendErrorPiece(std::string& out, uint64_t segment, int32_t channels,
                      std::string_view error_line);

// `line` is whole, with its line feed. Reuses what is in `piece`.
Status ParsePiece(std::string_view line, Piece& piece);

}  // namespace consort
