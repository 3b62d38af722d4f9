// Lines of results.jsonl: no spaces, keys in a fixed order, times in seconds with three decimals,
// scores with four. The bytes are a contract, see docs/results.md.
//
// A formatter is immutable once made: any thread may use it. Made for more than a million lines a
// second on one core, so that the supervisor's time goes elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/record/error_code.h"
#include "shared/record/result.h"

namespace consort {

class JsonlFormatter {
 public:
  // `labels` are raw, as in the bundle; they are escaped here, once.
  explicit JsonlFormatter(const std::vector<std::string>& labels);

  // The content of a JSON string. Bytes that are not UTF-8 become \udcXX each, as Python's
  // surrogateescape does; control characters a short escape or \u00XX; all else stays.
  static std::string EscapeName(std::string_view bytes);

  // Each appends one line with its newline. `escaped_name` went through EscapeName. `channel`, from
  // 1, is told where channels are heard one by one; 0: it is not.
  // Every label index is below the number of labels: the caller has checked. A score that is not
  // finite, which no honest worker sends, is written as null.
  void AppendTags(std::string& out, std::string_view escaped_name, int64_t channel,
                  int64_t start_ms, int64_t end_ms, std::span<const Tag> tags) const;
  // `message` is raw.
  void AppendError(std::string& out, std::string_view escaped_name, int64_t channel, ErrorCode code,
                   std::string_view message, std::optional<int64_t> at_ms) const;

 private:
  std::string_view Piece(uint32_t label) const {
    return std::string_view(pieces_).substr(offsets_[label], offsets_[label + 1] - offsets_[label]);
  }

  std::string pieces_;           // `{"label":"speech","score":` of every label, end to end
  std::vector<size_t> offsets_;  // one more than labels
};

// The exact value of `score` rounded to four decimals, ties to even; never "-0.0000". Writes to
// `out`, which has room for kMaxScoreBytes, and returns the end.
inline constexpr size_t kMaxScoreBytes = 48;
char* WriteScore(char* out, float score);

// What a line has behind the closing quote of its file's name: `,"channel":2`, or nothing for 0.
// Writes to `out`, which has room for kMaxChannelBytes, and returns the end.
inline constexpr size_t kMaxChannelBytes = 32;
char* WriteChannel(char* out, int64_t channel);

// Milliseconds as seconds with three decimals. Writes to `out`, which has room for kMaxTimeBytes,
// and returns the end.
inline constexpr size_t kMaxTimeBytes = 32;  // 19 digits, point, sign, and room
char* WriteTime(char* out, int64_t ms);

}  // namespace consort
