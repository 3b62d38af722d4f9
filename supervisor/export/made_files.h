// JOB/exports: the files of other formats that lie beside a job's results and are its own.
//
// A line for each format: its name ("csv", or "csv+merged" of merged detections), what the file
// looked like when it was made (bytes, time of change in ns), and what the results looked like
// then. So consort replaces what it has made, and never a file that came from elsewhere or that
// somebody has worked on since.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "supervisor/formats/format.h"

namespace consort {

struct FileStamp {
  uint64_t bytes = 0;
  int64_t mtime_ns = 0;
  bool operator==(const FileStamp&) const = default;
  // nullopt: there is no such regular file.
  static std::optional<FileStamp> Of(const std::string& path);
};

class MadeFiles {
 public:
  enum class State {
    kMissing,
    kCurrent,   // made of these results
    kOutdated,  // made by consort, of other results or in another manner
    kForeign,   // not made by consort, or changed since
  };

  // What cannot be read is as good as nothing.
  static MadeFiles Read(const std::string& job_folder);

  // `path` is where `format` goes beside `results`; `merged`: with --merge-detections.
  State StateOf(const Format& format, const std::string& path, const std::string& results,
                bool merged) const;
  // It was made of results that looked like this. Other exports of the job may note theirs at the
  // same time. A note that cannot be written costs no export: the file will only not be known
  // again.
  static void Note(const std::string& job_folder, const Format& format, const std::string& path,
                   const FileStamp& results, bool merged);

 private:
  struct Entry {
    FileStamp file;
    FileStamp results;
    bool merged = false;
  };

  static std::string PathIn(const std::string& job_folder) { return job_folder + "/exports"; }
  std::string Text() const;

  std::map<std::string, Entry, std::less<>> entries_;  // by the format's name
};

}  // namespace consort
