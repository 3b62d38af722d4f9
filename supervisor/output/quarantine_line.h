// A line of JOB/quarantine.jsonl: a segment, or a file that cannot be opened, that ended its
// workers, with all that a developer needs to mend it. docs/results.md has the keys.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace consort {

struct QuarantineEntry {
  std::string file;  // as in results, escaped for JSON
  // Not there if the file could not be opened: nothing is known of its segments.
  struct Place {
    int64_t channel = 0;   // from 1, where channels are heard one by one; else 0
    uint64_t segment = 0;  // of that channel
    int64_t start_ms = 0;
    int64_t sample = 0;  // of the source, where it begins
  };
  std::optional<Place> place;
  std::string stage;             // where the last of its workers was; empty: unknown
  std::string signal;            // that ended it, or
  std::optional<int> exit_code;  // its exit status; neither: its template was gone before it told
  int deaths = 0;                // of workers in which it was alone
  std::string message;           // that of its line in the results, with what was measured
  std::vector<std::string> log;  // the last lines of the last of these workers, any bytes
  std::string time;              // UTC, ISO 8601
};

// With its newline. Valid UTF-8: what is none in messages and log is replaced by U+FFFD.
std::string QuarantineLine(const QuarantineEntry& entry);

}  // namespace consort
