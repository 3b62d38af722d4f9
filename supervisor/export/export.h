// Results into files of other formats. Each line is read once and forgotten.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "supervisor/formats/format.h"
#include "supervisor/formats/results_reader.h"

namespace consort {

struct ExportTally {
  uint64_t recordings = 0;  // with at least one interval
  uint64_t intervals = 0;
  uint64_t merged = 0;   // detections, with merge_detections
  uint64_t failed = 0;   // recordings with an error
  uint64_t without = 0;  // those of them of which there is no interval
  int stopped_by = 0;    // a signal; then nothing was exported
};

struct ExportTarget {
  const Format* format = nullptr;
  std::string path;
};

// The number of a signal that asks for the end, or 0; asked now and then.
using StopAsked = std::function<int()>;

// How, whatever is made.
struct ExportManner {
  bool merge_detections = false;  // formats/merge_detections.h
  StopAsked stop = {};
};

// Told of each file as soon as it is in its place, before anything else can fail.
using InPlace = std::function<void(const ExportTarget&)>;

// A file of all recordings for each target. None of them is touched unless all could be written.
Result<ExportTally> ExportTogether(ResultsReader& results, const std::vector<ExportTarget>& targets,
                                   const ExportManner& manner, const InPlace& in_place = {});

// A file for each recording and format, in the folder at `path`. A recording that failed before its
// first interval has one only in formats that tell errors.
Result<ExportTally> ExportApart(ResultsReader& results, const std::vector<const Format*>& formats,
                                const std::string& path, const ExportManner& manner);

// The warning for several recordings in one file of a format that has no place for their names.
std::string SeveralInOne(const Format& format);

// "; 2 recordings failed, …", or nothing: what to know of them when looking into the files.
std::string WordsOnFailures(const ExportTally& tally, bool told_in_file);

}  // namespace consort
