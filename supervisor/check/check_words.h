// What `consort check` tells: a report for a person, or JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "supervisor/check/check_totals.h"
#include "supervisor/check/checked_file.h"

namespace consort {

// Beside what the files are.
struct CheckSetting {
  uint64_t listed = 0;      // entries of the list; more than were seen: it was stopped
  std::string bundle = {};  // -m; empty: none
  std::string failed = {};  // --failed; empty: none
  uint64_t unlisted = 0;    // would fail, and have no place in that list
  int64_t segment_ns = 0;   // of the bundle
  int64_t hop_ns = 0;       // likewise
  std::optional<double> per_second = {};  // segments, as a tuned profile has it
  bool each_channel = false;              // the bundle hears channels one by one
};

// Lines, each with its end.
std::string CheckReportText(const CheckTotals& totals, const CheckSetting& setting);

// One JSON object in three parts, a line for each file: the beginning, then each file (`first`: no
// comma before it), then the end.
std::string CheckJsonBegin(const CheckSetting& setting);
void AppendCheckJson(std::string& out, const CheckedFile& file, bool first);
std::string CheckJsonEnd(const CheckTotals& totals, const CheckSetting& setting);

}  // namespace consort
