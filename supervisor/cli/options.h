// The command line of `consort`: words in, options out.
//
// Nothing here opens a file. What the command line cannot mean is told on standard error in one
// line with a hint below it, exit status 2; help and version go to standard output, exit status 0.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "supervisor/cli/max_failures.h"
#include "supervisor/cli/size.h"
#include "supervisor/formats/format.h"

namespace consort {

// What of a model's scores becomes tags; what is not given is as the bundle says.
struct TagOptions {
  std::optional<int64_t> top_k = {};     // --top-k, 1 … kMaxTags
  std::optional<double> min_score = {};  // --min-score
  std::string include_labels = {};       // --include-labels, a file; empty: none
  std::string exclude_labels = {};       // --exclude-labels, likewise
  std::string thresholds = {};           // --thresholds, likewise

  // One of them is given.
  bool any() const {
    return top_k || min_score || !include_labels.empty() || !exclude_labels.empty() ||
           !thresholds.empty();
  }
};

struct RunOptions {
  std::string bundle;                    // -m
  std::string output = "results.jsonl";  // -o; "-" is standard output
  std::string job;                       // --job; empty: beside the output
  std::optional<int> workers;            // -p, at least 1; nullopt: auto
  std::optional<int> engines;            // -t, at least 1; nullopt: auto
  int intra = 1;                         // LibTorch threads an engine; 0: its own choice
  bool intra_given = false;              // --intra: else a tuned profile's is taken
  bool tuned = false;                    // workers, engines and intra are a tuned profile's
  int attempts = 3;
  std::optional<MaxFailures> max_failures;      // nullopt: any number
  int64_t segment_timeout_ns = 60'000'000'000;  // 0: never
  Size memory_limit;                            // of all processes together
  Size worker_memory_limit;                     // of what a worker has to itself
  enum class Progress { kAuto, kBar, kPlain, kNone } progress = Progress::kAuto;
  bool restart = false;
  bool mixed = false;         // go on with another CPU, LibTorch or --intra
  bool retry_failed = false;  // the files that failed, once more
  TagOptions tags;
  std::vector<const Format*> formats;  // --format; none: results alone
  bool merge_detections = false;       // --merge-detections; of the formats
  std::string figures;                 // --figures; empty: none
  std::optional<int64_t> measure_ns;   // --measure; nullopt: the whole job
  bool quiet = false;                  // never together with verbose
  int verbose = 0;                     // how many -v
  bool no_template = false;
  std::vector<std::string> operands;  // LIST | FILE | DIR | "-", at least one
};

struct StatusOptions {
  std::string path;  // of a job's folder, or of its results
  bool json = false;
};

struct ExportOptions {
  std::string job;                     // --job: path of a job's folder, or of its results
  std::vector<const Format*> formats;  // --format; at least one
  std::string output;                  // -o; "-" is standard output; empty: beside the results
  bool per_recording = false;          // then `output` is a folder
  bool merge_detections = false;       // --merge-detections; never with jsonl
  bool force = false;                  // replace a file that is there
};

struct DoctorOptions {
  std::string bundle;  // -m; empty: none
  bool json = false;
};

struct TuneOptions {
  // What the best split has, see docs/tuning.md.
  enum class Objective { kThroughput, kLatency, kMemory };
  static constexpr int kMostSeconds = 86'400;

  std::string bundle;  // -m
  Objective objective = Objective::kThroughput;
  Size memory_limit;     // of all processes together
  double seconds = 120;  // for everything
  bool json = false;
  bool quiet = false;
  RunOptions::Progress progress = RunOptions::Progress::kAuto;
  std::vector<std::string> operands;  // as of run
};

struct CheckOptions {
  std::string bundle;          // -m; empty: none
  std::string failed;          // --failed, a file; empty: none
  std::string json;            // --json, a file or "-"; empty: none
  std::optional<int> workers;  // -p; nullopt: as many as there are usable CPUs
  bool quiet = false;
  RunOptions::Progress progress = RunOptions::Progress::kAuto;
  std::vector<std::string> operands;  // as of run
};

struct ParsedCommand {
  enum class Kind {
    kRun,      // do what `run` says
    kStatus,   // what `status` says
    kExport,   // what `exports` says
    kDoctor,   // what `doctor` says
    kCompare,  // hand `words` to the program consort-compare
    kModels,   // hand `words` to the program consort-models
    kTune,     // what `tune` says
    kCheck,    // what `check` says
    kExit,     // all is said: leave with exit_status
  } kind = Kind::kExit;
  int exit_status = 0;
  RunOptions run = {};
  StatusOptions status = {};
  ExportOptions exports = {};  // "export" is a word of C++
  DoctorOptions doctor = {};
  TuneOptions tune = {};
  CheckOptions check = {};
  std::vector<std::string> words = {};  // of a command that another program does, as given
};

// Prints what there is to print.
ParsedCommand ParseCommandLine(int argc, char** argv);

// The same without the printing: `words` are the arguments after the program's name; what would be
// printed is appended to `out` and `err`.
ParsedCommand ParseWords(std::span<const std::string> words, std::string& out, std::string& err);

}  // namespace consort
