// One line of the results, as values. docs/results.md has the keys.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace consort {

struct LabelScore {
  std::string label;
  std::optional<double> score;  // nullopt: written as null, since it is not finite
};

struct TimedWord {
  std::string word;
  int64_t start_ms = 0;
  int64_t end_ms = 0;
  std::optional<double> score;
};

struct TimedLabel {
  std::string label;
  int64_t start_ms = 0;
  int64_t end_ms = 0;
  std::optional<double> score;
};

// Texts are bytes: what stands as \udcXX in the line is the byte XX again.
struct ResultLine {
  enum class Kind { kTags, kTranscript, kEvents, kError };

  std::string_view raw;  // the line without its line feed; valid until the next one is read
  std::string file;
  int64_t channel = 0;  // from 1, where channels are heard one by one; 0: the line does not say
  Kind kind = Kind::kTags;
  int64_t start_ms = 0;            // all but kError
  int64_t end_ms = 0;              // likewise; before start_ms: silence behind the file's end
  std::vector<LabelScore> tags;    // kTags: best first
  std::string text;                // kTranscript
  std::vector<TimedWord> words;    // kTranscript: may be none
  std::vector<TimedLabel> events;  // kEvents: those that begin in it, in order of time
  std::string code;                // kError
  std::string message;             // kError
  std::optional<int64_t> at_ms;    // kError
};

}  // namespace consort
