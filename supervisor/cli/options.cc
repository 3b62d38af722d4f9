#include "supervisor/cli/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>

#include "shared/record/result.h"
#include "supervisor/cli/exit_status.h"
#include "supervisor/cli/help.h"
#include "supervisor/cli/near_miss.h"
#include "supervisor/cli/version.h"

namespace consort {
namespace {

constexpr char kCommands[] = "commands: run, check, tune, compare, models, status, export, doctor";
constexpr int kMaxCount = 9999;  // of anything; more is a slip of the finger
constexpr int kMaxSeconds = 1'000'000;

// What the person did wrong; thrown inside this file only.
struct UsageError {
  std::string what;
};

int ParseCount(const std::string& option, const std::string& text, const char* also) {
  int number = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || at != end || number < 1 || number > kMaxCount) {
    throw UsageError{option + " takes a number from 1 to " + std::to_string(kMaxCount) + also +
                     ", not \"" + text + '"'};
  }
  return number;
}

// Nanoseconds of what is written in seconds.
int64_t ParseSeconds(const std::string& option, const std::string& text) {
  double seconds = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, seconds, std::chars_format::fixed);
  if (error != std::errc() || at != end || !(seconds >= 0 && seconds <= kMaxSeconds)) {
    throw UsageError{option + " takes seconds, from 0 (never) to " + std::to_string(kMaxSeconds) +
                     ", not \"" + text + '"'};
  }
  return static_cast<int64_t>(seconds * 1e9);
}

double ParseTuneSeconds(const std::string& text) {
  double seconds = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, seconds, std::chars_format::fixed);
  if (error != std::errc() || at != end ||
      !(seconds >= 1 && seconds <= TuneOptions::kMostSeconds)) {
    throw UsageError{"--seconds takes seconds, from 1 to " +
                     std::to_string(TuneOptions::kMostSeconds) + ", not \"" + text + '"'};
  }
  return seconds;
}

TuneOptions::Objective ParseObjective(const std::string& text) {
  if (text == "throughput") return TuneOptions::Objective::kThroughput;
  if (text == "latency") return TuneOptions::Objective::kLatency;
  if (text == "memory") return TuneOptions::Objective::kMemory;
  throw UsageError{"--objective takes throughput, latency or memory, not \"" + text + '"'};
}

Size SizeOf(const std::string& option, const std::string& text) {
  auto size = ParseSize(option, text);
  if (!size) throw UsageError{size.error().what};
  return size.value();
}

std::optional<int> ParseCountOrAuto(const std::string& option, const std::string& text) {
  if (text == "auto") return std::nullopt;
  return ParseCount(option, text, " or \"auto\"");
}

// 0: whatever LibTorch takes.
int ParseIntra(const std::string& text) {
  return text == "default" ? 0 : ParseCount("--intra", text, " or \"default\"");
}

int64_t ParseMeasure(const std::string& text) {
  double seconds = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, seconds, std::chars_format::fixed);
  if (error != std::errc() || at != end || !(seconds > 0 && seconds <= kMaxSeconds)) {
    throw UsageError{"--measure takes seconds, more than 0 and at most " +
                     std::to_string(kMaxSeconds) + ", not \"" + text + '"'};
  }
  return static_cast<int64_t>(seconds * 1e9);
}

MaxFailures ParseMaxFailures(const std::string& text) {
  MaxFailures most;
  most.text = text;
  most.percent = text.ends_with('%');
  const char* end = text.data() + text.size() - (most.percent ? 1 : 0);
  // Files are counted in whole numbers; their share need not be one.
  uint64_t files = 0;
  const auto [at, error] = most.percent ? std::from_chars(text.data(), end, most.limit)
                                        : std::from_chars(text.data(), end, files);
  if (!most.percent) most.limit = static_cast<double>(files);
  if (error != std::errc() || at != end || !(most.limit >= 0) ||
      (most.percent && most.limit > 100)) {
    throw UsageError{"--max-failures takes a number of files or a share like 5%, not \"" + text +
                     '"'};
  }
  return most;
}

// The results themselves are no format for a run: it writes them anyway.
constexpr std::string_view kResultsFormat = "jsonl";

// `known`: the names that the command takes.
const Format* ParseFormat(const std::string& name, const std::vector<std::string>& known) {
  if (std::ranges::find(known, name) != known.end()) return FindFormat(name);
  std::string names;
  for (const auto& it : known) names += (names.empty() ? "" : ", ") + it;
  const std::string near = NearMiss(name, known);
  throw UsageError{"--format knows no \"" + name + "\": " +
                   (near.empty() ? "it takes " : "did you mean " + near + "? It takes ") + names};
}

std::vector<std::string> FormatNames(bool with_results) {
  std::vector<std::string> names;
  for (const Format& it : Formats()) {
    if (with_results || it.name != kResultsFormat) names.emplace_back(it.name);
  }
  return names;
}

// "csv,srt": each at most once. `known` as above.
std::vector<const Format*> ParseFormats(std::string_view names,
                                        const std::vector<std::string>& known) {
  std::vector<const Format*> formats;
  for (;;) {
    const size_t comma = names.find(',');
    const Format* format = ParseFormat(std::string(names.substr(0, comma)), known);
    if (std::ranges::find(formats, format) == formats.end()) formats.push_back(format);
    if (comma == std::string_view::npos) return formats;
    names.remove_prefix(comma + 1);
  }
}

RunOptions::Progress ParseProgress(const std::string& text) {
  static const std::map<std::string, RunOptions::Progress> kStyles = {
      {"auto", RunOptions::Progress::kAuto},
      {"bar", RunOptions::Progress::kBar},
      {"plain", RunOptions::Progress::kPlain},
      {"none", RunOptions::Progress::kNone}};
  const auto found = kStyles.find(text);
  if (found == kStyles.end()) {
    throw UsageError{"--progress takes auto, bar, plain or none, not \"" + text + '"'};
  }
  return found->second;
}

// CLI11's errors in our words.
std::string Explain(const CLI::ParseError& error) {
  const std::string what = error.what();
  const size_t colon = what.find(':');
  if (error.get_exit_code() != static_cast<int>(CLI::ExitCodes::ArgumentMismatch) ||
      colon == std::string::npos) {
    return what;
  }
  return what.substr(0, colon) + " needs a value";
}

// ": did you mean --job?", or nothing.
std::string DidYouMean(const CLI::App& app, std::string_view word) {
  std::vector<std::string> known;
  for (const auto* option : app.get_options()) {
    known.insert(known.end(), option->get_lnames().begin(), option->get_lnames().end());
  }
  word = word.substr(0, word.find('='));
  word.remove_prefix(std::min(word.find_first_not_of('-'), word.size()));
  const std::string near = NearMiss(word, known);
  return near.empty() ? "" : ": did you mean --" + near + '?';
}

// What CLI11 took for no option of ours. It would change some operands that it knows of ("[a]"
// becomes "a"), so it is told of none.
std::vector<std::string> TakeOperands(const CLI::App& app) {
  std::vector<std::string> operands;
  bool all_operands = false;
  for (const std::string& word : app.remaining()) {
    if (!all_operands && word == "--") {
      all_operands = true;
    } else if (!all_operands && word.size() > 1 && word.starts_with('-')) {
      throw UsageError{"unknown option \"" + word + '"' + DidYouMean(app, word)};
    } else {
      operands.push_back(word);
    }
  }
  return operands;
}

// Two of one option, of which one would be passed over: a slip, more often than not.
void CheckGivenOnce(const CLI::App& app) {
  for (const auto* option : app.get_options()) {
    if (option->get_expected_max() == 0 || option->count() < 2) continue;  // a flag, or once
    std::string values;
    for (const std::string& value : option->results()) {
      values += (values.empty() ? "\"" : ", \"") + value + '"';
    }
    throw UsageError{option->get_name() + " is given more than once (" + values +
                     "), and takes one value"};
  }
}

// The operands. Throws UsageError and CLI::CallForHelp.
std::vector<std::string> ParseOptions(CLI::App& app, std::span<const std::string> words) {
  app.allow_extras();
  // CLI11 takes words from the back.
  std::vector<std::string> backwards(words.rbegin(), words.rend());
  try {
    app.parse(std::move(backwards));
  } catch (const CLI::CallForHelp&) {
    throw;
  } catch (const CLI::ParseError& error) {
    throw UsageError{Explain(error)};
  }
  CheckGivenOnce(app);
  return TakeOperands(app);
}

constexpr char kNoModel[] = "no model: name its bundle with -m";

// Throws UsageError.
void CheckOperands(const std::vector<std::string>& operands) {
  if (operands.empty()) throw UsageError{"no audio: name a list, files, folders, or \"-\""};
  if (std::ranges::count(operands, "-") > 1) {
    throw UsageError{"\"-\" is named twice, but there is one standard input"};
  }
  if (std::ranges::count(operands, "") > 0) throw UsageError{"an operand is empty"};
}

std::string Plain(const std::string& path) {
  return std::filesystem::path(path).lexically_normal().string();
}

// What is to lie beside the results must not be what a run writes anyway: as far as the names tell,
// for no file is looked at here. Throws UsageError.
void CheckFormats(const RunOptions& run) {
  if (run.merge_detections && run.formats.empty()) {
    throw UsageError{
        "--merge-detections is for other formats, and leaves the results as they are: name one "
        "with --format"};
  }
  if (run.formats.empty()) return;
  if (run.output == "-") {
    throw UsageError{"--format writes beside the results: name a file for them with -o"};
  }
  if (run.measure_ns) throw UsageError{"--measure and --format exclude each other"};
  for (const Format* format : run.formats) {
    const std::string path = PathFor(*format, run.output);
    for (const auto& [option, taken] :
         {std::pair("-o", &run.output), {"--figures", &run.figures}}) {
      if (Plain(path) != Plain(*taken)) continue;
      throw UsageError{"--format " + std::string(format->name) + " and " + option +
                       " both write \"" + path + "\": name another file with " + option};
    }
  }
}

// The words behind the options of tags.
class TagWords {
 public:
  void AddTo(CLI::App& app) {
    top_k_option_ = app.add_option("--top-k", top_k_);
    min_score_option_ = app.add_option("--min-score", min_score_);
    for (auto& file : files_) file.option = app.add_option(file.name, file.path);
  }

  // Throws UsageError.
  TagOptions Parse() const {
    TagOptions tags;
    if (!top_k_option_->empty()) tags.top_k = ParseTopK();
    if (!min_score_option_->empty()) tags.min_score = ParseMinScore();
    for (const auto& file : files_) {
      if (!file.option->empty() && file.path.empty()) {
        throw UsageError{std::string(file.name) + " needs the name of a file"};
      }
      tags.*file.to = file.path;
    }
    return tags;
  }

 private:
  int64_t ParseTopK() const {
    int64_t number = 0;
    const char* end = top_k_.data() + top_k_.size();
    const auto [at, error] = std::from_chars(top_k_.data(), end, number);
    const auto most = static_cast<int64_t>(kMaxTags);
    if (error == std::errc() && at == end && number >= 1 && number <= most) return number;
    throw UsageError{"--top-k takes a number from 1 to " + std::to_string(most) + ", not \"" +
                     top_k_ + '"'};
  }

  double ParseMinScore() const {
    double score = 0;
    const char* end = min_score_.data() + min_score_.size();
    const auto [at, error] = std::from_chars(min_score_.data(), end, score);
    if (error == std::errc() && at == end && std::abs(score) <= kMostScore) return score;
    throw UsageError{"--min-score takes a score such as 0.25, not \"" + min_score_ + '"'};
  }

  static constexpr double kMostScore = 1e30;  // as a manifest's threshold

  struct File {
    const char* name;
    std::string TagOptions::*to;
    std::string path = {};
    const CLI::Option* option = nullptr;
  };
  std::string top_k_;
  std::string min_score_;
  const CLI::Option* top_k_option_ = nullptr;
  const CLI::Option* min_score_option_ = nullptr;
  std::array<File, 3> files_{File{"--include-labels", &TagOptions::include_labels},
                             File{"--exclude-labels", &TagOptions::exclude_labels},
                             File{"--thresholds", &TagOptions::thresholds}};
};

// Throws UsageError and CLI::CallForHelp.
RunOptions ParseRun(std::span<const std::string> words) {
  RunOptions run;
  std::string workers = "auto";
  std::string engines = "auto";
  std::string intra = "1";
  std::string attempts = "3";
  std::string max_failures;
  std::string segment_timeout = "60";
  std::string memory_limit;
  std::string worker_memory_limit;
  std::string progress = "auto";
  std::string formats;
  std::string measure;
  TagWords tags;
  CLI::App app;
  app.option_defaults()->take_last();
  app.add_option("-m,--model", run.bundle);
  app.add_option("-o,--output", run.output);
  app.add_option("--job", run.job);
  const auto* format = app.add_option("--format", formats);
  app.add_flag("--merge-detections", run.merge_detections);
  tags.AddTo(app);
  app.add_flag("--restart", run.restart);
  app.add_flag("--mixed", run.mixed);
  app.add_flag("--retry-failed", run.retry_failed);
  app.add_option("-p,--processes", workers);
  app.add_option("-t,--threads", engines);
  const auto* intra_option = app.add_option("--intra", intra);
  app.add_option("--attempts", attempts);
  const auto* limits = app.add_option("--max-failures", max_failures);
  app.add_option("--segment-timeout", segment_timeout);
  const auto* limit = app.add_option("--memory-limit", memory_limit);
  const auto* worker_limit = app.add_option("--worker-memory-limit", worker_memory_limit);
  app.add_flag("--no-template", run.no_template);
  app.add_option("--progress", progress);
  const auto* figures = app.add_option("--figures", run.figures);
  const auto* measured = app.add_option("--measure", measure);  // for tune and compare: not in help
  app.add_flag("--quiet", run.quiet);
  app.add_flag("-v,--verbose", run.verbose);  // counts
  run.operands = ParseOptions(app, words);
  run.workers = ParseCountOrAuto("-p", workers);
  run.engines = ParseCountOrAuto("-t", engines);
  run.intra = ParseIntra(intra);
  run.intra_given = !intra_option->empty();
  run.attempts = ParseCount("--attempts", attempts, "");
  if (limits->count() > 0) run.max_failures = ParseMaxFailures(max_failures);
  run.segment_timeout_ns = ParseSeconds("--segment-timeout", segment_timeout);
  if (!limit->empty()) run.memory_limit = SizeOf("--memory-limit", memory_limit);
  if (!worker_limit->empty()) {
    run.worker_memory_limit = SizeOf("--worker-memory-limit", worker_memory_limit);
  }
  run.progress = ParseProgress(progress);
  if (!figures->empty() && run.figures.empty()) {
    throw UsageError{"--figures needs the name of a file"};
  }
  if (!format->empty()) run.formats = ParseFormats(formats, FormatNames(false));
  run.tags = tags.Parse();
  if (!measured->empty()) run.measure_ns = ParseMeasure(measure);
  if (run.measure_ns && run.retry_failed) {
    throw UsageError{"--measure and --retry-failed exclude each other"};
  }
  if (run.measure_ns && run.figures.empty()) {
    throw UsageError{"--measure needs a file for its figures: name it with --figures"};
  }
  if (run.quiet && run.verbose > 0) throw UsageError{"--quiet and -v exclude each other"};
  if (run.restart && run.retry_failed) {
    throw UsageError{"--restart and --retry-failed exclude each other"};
  }
  if (run.bundle.empty()) throw UsageError{kNoModel};
  if (run.output.empty()) throw UsageError{"-o needs the name of a file"};
  CheckFormats(run);
  CheckOperands(run.operands);
  return run;
}

// Throws UsageError and CLI::CallForHelp.
TuneOptions ParseTune(std::span<const std::string> words) {
  TuneOptions tune;
  std::string objective = "throughput";
  std::string memory_limit;
  std::string seconds = "120";
  std::string progress = "auto";
  CLI::App app;
  app.option_defaults()->take_last();
  app.add_option("-m,--model", tune.bundle);
  app.add_option("--objective", objective);
  const auto* limit = app.add_option("--memory-limit", memory_limit);
  app.add_option("--seconds", seconds);
  app.add_flag("--json", tune.json);
  app.add_option("--progress", progress);
  app.add_flag("--quiet", tune.quiet);
  tune.operands = ParseOptions(app, words);
  tune.objective = ParseObjective(objective);
  if (!limit->empty()) tune.memory_limit = SizeOf("--memory-limit", memory_limit);
  tune.seconds = ParseTuneSeconds(seconds);
  tune.progress = ParseProgress(progress);
  if (tune.bundle.empty()) throw UsageError{kNoModel};
  CheckOperands(tune.operands);
  return tune;
}

// Throws UsageError and CLI::CallForHelp.
CheckOptions ParseCheck(std::span<const std::string> words) {
  CheckOptions check;
  std::string workers = "auto";
  std::string progress = "auto";
  CLI::App app;
  app.option_defaults()->take_last();
  app.add_option("-m,--model", check.bundle);
  const auto* failed = app.add_option("--failed", check.failed);
  const auto* json = app.add_option("--json", check.json);
  app.add_option("-p,--processes", workers);
  app.add_option("--progress", progress);
  app.add_flag("--quiet", check.quiet);
  check.operands = ParseOptions(app, words);
  check.workers = ParseCountOrAuto("-p", workers);
  check.progress = ParseProgress(progress);
  if (!failed->empty() && (check.failed.empty() || check.failed == "-")) {
    throw UsageError{"--failed needs the name of a file"};
  }
  if (!json->empty() && check.json.empty()) throw UsageError{"--json needs the name of a file"};
  if (!check.failed.empty() && !check.json.empty() && Plain(check.failed) == Plain(check.json)) {
    throw UsageError{"--failed and --json both write \"" + check.failed + '"'};
  }
  CheckOperands(check.operands);
  return check;
}

// Throws UsageError and CLI::CallForHelp.
StatusOptions ParseStatus(std::span<const std::string> words) {
  StatusOptions status;
  CLI::App app;
  app.add_flag("--json", status.json);
  const auto operands = ParseOptions(app, words);
  if (operands.size() != 1) throw UsageError{"name one job: its folder, or its results"};
  status.path = operands.front();
  return status;
}

// Throws UsageError and CLI::CallForHelp.
ExportOptions ParseExport(std::span<const std::string> words) {
  ExportOptions exports;
  std::string formats;
  CLI::App app;
  app.option_defaults()->take_last();
  app.add_option("--job", exports.job);
  app.add_option("--format", formats);
  const auto* output = app.add_option("-o,--output", exports.output);
  app.add_flag("--per-recording", exports.per_recording);
  app.add_flag("--merge-detections", exports.merge_detections);
  app.add_flag("--force", exports.force);
  const auto operands = ParseOptions(app, words);
  if (!operands.empty()) {
    throw UsageError{"export takes no operand, but got \"" + operands[0] +
                     "\": name the job with --job"};
  }
  if (exports.job.empty()) throw UsageError{"no job: name its folder, or its results, with --job"};
  if (formats.empty()) throw UsageError{"no format: name one with --format"};
  exports.formats = ParseFormats(formats, FormatNames(true));
  if (!output->empty() && exports.output.empty()) {
    throw UsageError{"-o needs the name of a file or folder"};
  }
  if (exports.per_recording && (exports.output.empty() || exports.output == "-")) {
    throw UsageError{"--per-recording makes a file for each recording: name a folder with -o"};
  }
  if (!exports.per_recording && !exports.output.empty() && exports.formats.size() > 1) {
    throw UsageError{"-o names one file, and --format " + std::to_string(exports.formats.size()) +
                     " formats: leave -o out, so that they lie beside the results, or name one"};
  }
  if (exports.merge_detections &&
      std::ranges::find(exports.formats, kResultsFormat, &Format::name) != exports.formats.end()) {
    throw UsageError{
        "--merge-detections and --format jsonl exclude each other: those are the lines of the "
        "results as they are"};
  }
  if (exports.per_recording && exports.force) {
    throw UsageError{"--force replaces a file, and never what is in a folder: name a new folder"};
  }
  return exports;
}

// Throws UsageError and CLI::CallForHelp.
DoctorOptions ParseDoctor(std::span<const std::string> words) {
  DoctorOptions doctor;
  CLI::App app;
  app.option_defaults()->take_last();
  app.add_option("-m,--model", doctor.bundle);
  app.add_flag("--json", doctor.json);
  const auto operands = ParseOptions(app, words);
  if (!operands.empty())
    throw UsageError{"doctor takes no operand, but got \"" + operands[0] + '"'};
  return doctor;
}

// A new command is one line here, and one in main.cc.
struct Command {
  const char* name;
  ParsedCommand::Kind kind;
  const char* help;
  void (*parse)(std::span<const std::string>, ParsedCommand&);
};

using Words = std::span<const std::string>;
const Command kCommandTable[] = {
    {"run", ParsedCommand::Kind::kRun, kRunHelp,
     [](Words words, ParsedCommand& to) { to.run = ParseRun(words); }},
    {"check", ParsedCommand::Kind::kCheck, kCheckHelp,
     [](Words words, ParsedCommand& to) { to.check = ParseCheck(words); }},
    {"tune", ParsedCommand::Kind::kTune, kTuneHelp,
     [](Words words, ParsedCommand& to) { to.tune = ParseTune(words); }},
    // Its options, --help too, are consort-compare's own.
    {"compare", ParsedCommand::Kind::kCompare, "",
     [](Words words, ParsedCommand& to) { to.words.assign(words.begin(), words.end()); }},
    // The same with consort-models.
    {"models", ParsedCommand::Kind::kModels, "",
     [](Words words, ParsedCommand& to) { to.words.assign(words.begin(), words.end()); }},
    {"status", ParsedCommand::Kind::kStatus, kStatusHelp,
     [](Words words, ParsedCommand& to) { to.status = ParseStatus(words); }},
    {"export", ParsedCommand::Kind::kExport, kExportHelp,
     [](Words words, ParsedCommand& to) { to.exports = ParseExport(words); }},
    {"doctor", ParsedCommand::Kind::kDoctor, kDoctorHelp,
     [](Words words, ParsedCommand& to) { to.doctor = ParseDoctor(words); }},
};

ParsedCommand Exit(int status) {
  return {.kind = ParsedCommand::Kind::kExit, .exit_status = status};
}

}  // namespace

ParsedCommand ParseWords(std::span<const std::string> words, std::string& out, std::string& err) {
  const auto refuse = [&err](const std::string& what, const std::string& help) {
    err += "consort: " + what + "\ntry \"" + help + "\"\n";
    return Exit(kUsage);
  };
  if (words.empty()) return refuse(std::string("no command; ") + kCommands, "consort --help");
  const std::string& command = words.front();
  if (command == "--version") {
    out += std::string("consort ") + kVersion + '\n';
    return Exit(kDone);
  }
  if (command == "--help" || command == "-h" || command == "help") {
    out += kMainHelp;
    return Exit(kDone);
  }
  const auto known = std::ranges::find(kCommandTable, command, &Command::name);
  if (known == std::end(kCommandTable)) {
    const char* kind = command.starts_with('-') ? "option" : "command";
    std::vector<std::string> words_known = {"--help", "--version"};
    for (const auto& it : kCommandTable) words_known.emplace_back(it.name);
    const std::string near = NearMiss(command, words_known);
    return refuse(std::string("unknown ") + kind + " \"" + command + '"' +
                      (near.empty() ? "; " : ": did you mean " + near + "? ") + kCommands,
                  "consort --help");
  }
  ParsedCommand parsed;
  try {
    known->parse(words.subspan(1), parsed);
    parsed.kind = known->kind;
    return parsed;
  } catch (const CLI::CallForHelp&) {
    out += known->help;
    return Exit(kDone);
  } catch (const UsageError& error) {
    return refuse(error.what, "consort " + command + " --help");
  }
}

ParsedCommand ParseCommandLine(int argc, char** argv) {
  std::vector<std::string> words;
  if (argc > 1) words.assign(argv + 1, argv + argc);
  std::string out;
  std::string err;
  ParsedCommand command = ParseWords(words, out, err);
  std::fwrite(out.data(), 1, out.size(), stdout);
  std::fwrite(err.data(), 1, err.size(), stderr);
  // E.g. `consort --help > /dev/full`.
  if (std::fflush(stdout) != 0 && command.exit_status == kDone) command.exit_status = kFailed;
  return command;
}

}  // namespace consort
