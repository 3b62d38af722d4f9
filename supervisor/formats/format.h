// What a format is: its name, and a writer from lines of the results to its text.
//
// A new format is one file here with its writer, and one line in formats.cc. docs/formats.md says
// what each has, what it loses, and where it is defined.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "supervisor/formats/result_line.h"

namespace consort {

// Each call appends to `out`; together they are the file. Lines come in the order of the results.
class FormatWriter {
 public:
  virtual ~FormatWriter() = default;
  virtual void Begin(std::string& /*out*/) {}
  // The intervals of another recording follow; not called for one that has none.
  virtual void BeginRecording(std::string& /*out*/, const std::string& /*name*/) {}
  // A line with tags, events or a transcript.
  virtual void Add(std::string& out, const ResultLine& line) = 0;
  // A line with an error.
  virtual void AddError(std::string& /*out*/, const ResultLine& /*line*/) {}
  // Nothing follows.
  virtual void End(std::string& /*out*/) {}
};

// Whether a file is of one recording, or of all.
enum class Scope { kRecording, kJob };

struct Format {
  std::string_view name;       // on the command line
  std::string_view extension;  // ".csv"
  // Rows say of which recording they are. Else one file of several recordings is hard to use.
  bool names_recordings = false;
  bool tells_errors = false;
  std::unique_ptr<FormatWriter> (*make)(Scope scope) = nullptr;
};

std::span<const Format> Formats();
// By its name; null: there is none of that name.
const Format* FindFormat(std::string_view name);

// `path` with its last extension replaced by the format's: "a/results.jsonl" → "a/results.csv".
std::string PathFor(const Format& format, const std::string& path);

}  // namespace consort
