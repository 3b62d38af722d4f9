#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "supervisor/cli/exit_status.h"
#include "supervisor/cli/help.h"
#include "supervisor/cli/options.h"

namespace consort {
namespace {

struct Parsed {
  ParsedCommand command;
  std::string out;
  std::string err;
};

Parsed Parse(std::vector<std::string> words) {
  Parsed parsed;
  parsed.command = ParseWords(words, parsed.out, parsed.err);
  return parsed;
}

RunOptions ParseGood(std::vector<std::string> words) {
  const Parsed parsed = Parse(std::move(words));
  EXPECT_EQ(parsed.err, "");
  EXPECT_EQ(parsed.command.kind, ParsedCommand::Kind::kRun);
  return parsed.command.run;
}

TEST(CommandLine, GivesDefaultsToWhatIsNotSaid) {
  const RunOptions run = ParseGood({"run", "-m", "bundle", "list.txt"});
  EXPECT_EQ(run.bundle, "bundle");
  EXPECT_EQ(run.output, "results.jsonl");
  EXPECT_EQ(run.job, "");
  EXPECT_EQ(run.workers, std::nullopt);
  EXPECT_EQ(run.engines, std::nullopt);
  EXPECT_EQ(run.intra, 1);
  EXPECT_EQ(run.attempts, 3);
  EXPECT_EQ(run.segment_timeout_ns, 60'000'000'000);
  EXPECT_EQ(run.progress, RunOptions::Progress::kAuto);
  EXPECT_FALSE(run.restart || run.quiet || run.no_template);
  EXPECT_EQ(run.verbose, 0);
  EXPECT_EQ(run.operands, std::vector<std::string>{"list.txt"});
}

TEST(CommandLine, HandsTheWordsOfCompareOnAsTheyAre) {
  const Parsed parsed = Parse({"compare", "--help", "-m", "a", "--grid", "1x1", "--", "-x"});
  EXPECT_EQ(parsed.command.kind, ParsedCommand::Kind::kCompare);
  EXPECT_EQ(parsed.command.words,
            (std::vector<std::string>{"--help", "-m", "a", "--grid", "1x1", "--", "-x"}));
  EXPECT_EQ(parsed.out + parsed.err, "");
}

TEST(CommandLine, HandsTheWordsOfModelsOnAsTheyAre) {
  const Parsed parsed = Parse({"models", "--help", "silero"});
  EXPECT_EQ(parsed.command.kind, ParsedCommand::Kind::kModels);
  EXPECT_EQ(parsed.command.words, (std::vector<std::string>{"--help", "silero"}));
  EXPECT_EQ(parsed.out + parsed.err, "");
}

TEST(CommandLine, TakesANumberOrAShareOfFailures) {
  const auto most = [](const char* text) {
    return *ParseGood({"run", "-m", "b", "--max-failures", text, "l"}).max_failures;
  };
  EXPECT_FALSE(ParseGood({"run", "-m", "b", "l"}).max_failures);
  EXPECT_FALSE(most("2").Passed(2, 5));
  EXPECT_TRUE(most("2").Passed(3, 5));
  EXPECT_TRUE(most("0").Passed(1, 1));
  EXPECT_FALSE(most("5%").Passed(99, 99)) << "too few to tell";
  EXPECT_FALSE(most("5%").Passed(5, 100));
  EXPECT_TRUE(most("5%").Passed(6, 100));
  EXPECT_TRUE(most("0.5%").Passed(6, 1000));
  EXPECT_FALSE(most("0.5%").Passed(5, 1000));
  for (const char* bad : {"", "x", "-1", "5.5", "101%", "%", "nan%", "3 "}) {
    EXPECT_EQ(
        Parse({"run", "-m", "b", std::string("--max-failures=") + bad, "l"}).command.exit_status,
        kUsage)
        << bad;
  }
}

TEST(CommandLine, TakesSizesInUnitsOf1024) {
  EXPECT_EQ(ParseGood({"run", "-m", "b", "list"}).memory_limit.bytes, 0);
  const RunOptions run =
      ParseGood({"run", "-m", "b", "--memory-limit", "3G", "--worker-memory-limit=800M", "list"});
  EXPECT_EQ(run.memory_limit.bytes, int64_t{3} << 30);
  EXPECT_EQ(run.worker_memory_limit.bytes, int64_t{800} << 20);
  EXPECT_EQ(run.worker_memory_limit.text, "800M");
  const auto bytes = [](const char* text) {
    return ParseGood({"run", "-m", "b", "--memory-limit", text, "l"}).memory_limit.bytes;
  };
  EXPECT_EQ(bytes("5000K"), 5'120'000);
  EXPECT_EQ(bytes("7000000"), 7'000'000) << "bytes";
  EXPECT_EQ(bytes("1M"), 1 << 20);
  EXPECT_EQ(bytes("2T"), int64_t{2} << 40);
  EXPECT_EQ(bytes("0.5tib"), int64_t{1} << 39);
  for (const char* half : {"1.5G", "1.5g", "1.5GiB", "1.5gib", "1.5Gi", "1536M", "1536mib"}) {
    EXPECT_EQ(bytes(half), int64_t{3} << 29) << half;
  }
  for (const char* wrong : {"", "0", "-1", "M", "1P", "1TT", "9999999999G", "1G ", "1,5G", ".5G",
                            "inf", "nanG", "1e3M", "1GG", "1iB", "0x10M", "1GiBs"}) {
    const Parsed parsed = Parse({"run", "-m", "b", "--memory-limit", wrong, "list"});
    EXPECT_EQ(parsed.command.exit_status, kUsage) << wrong;
    EXPECT_NE(parsed.err.find("--memory-limit takes a size such as 800M or 1.5G (units: K, M, G, "
                              "T), not \"" +
                              std::string(wrong) + '"'),
              std::string::npos)
        << parsed.err;
  }
}

TEST(CommandLine, TakesEveryOption) {
  const RunOptions run = ParseGood(
      {"run",   "a.wav",     "--model=m", "--output",      "-", "--job",        "j",
       "-p",    "4",         "-t2",       "--intra",       "8", "--attempts=5", "--progress",
       "plain", "--restart", "-vv",       "--no-template", "-", "dir"});
  EXPECT_EQ(run.bundle, "m");
  EXPECT_EQ(run.output, "-");
  EXPECT_EQ(run.job, "j");
  EXPECT_EQ(run.workers, 4);
  EXPECT_EQ(run.engines, 2);
  EXPECT_EQ(run.intra, 8);
  EXPECT_EQ(run.attempts, 5);
  EXPECT_EQ(run.progress, RunOptions::Progress::kPlain);
  EXPECT_TRUE(run.restart && run.no_template);
  EXPECT_EQ(run.verbose, 2);
  EXPECT_EQ(run.operands, (std::vector<std::string>{"a.wav", "-", "dir"}));
}

TEST(CommandLine, TakesSecondsUntilASegmentHangs) {
  const auto timeout = [](const std::string& text) {
    return ParseGood({"run", "-m", "m", "--segment-timeout", text, "x.wav"}).segment_timeout_ns;
  };
  EXPECT_EQ(timeout("0"), 0);
  EXPECT_EQ(timeout("5"), 5'000'000'000);
  EXPECT_EQ(timeout("0.25"), 250'000'000);
}

TEST(CommandLine, TakesAFileForFiguresAndSecondsToMeasure) {
  EXPECT_EQ(ParseGood({"run", "-m", "m", "x.wav"}).figures, "");
  EXPECT_EQ(ParseGood({"run", "-m", "m", "--figures", "-", "x.wav"}).figures, "-");
  const auto measure = [](const std::string& text) {
    return ParseGood({"run", "-m", "m", "--figures=f", "--measure", text, "x.wav"}).measure_ns;
  };
  EXPECT_EQ(ParseGood({"run", "-m", "m", "--figures=f", "x.wav"}).measure_ns, std::nullopt);
  EXPECT_EQ(measure("3"), 3'000'000'000);
  EXPECT_EQ(measure("0.25"), 250'000'000);
}

TEST(CommandLine, LeavesTheNumberOfThreadsToLibTorch) {
  EXPECT_EQ(ParseGood({"run", "-m", "m", "--intra", "default", "x.wav"}).intra, 0);
}

TEST(CommandLine, TakesAutoForTheSplit) {
  const RunOptions run = ParseGood({"run", "-m", "m", "-p", "auto", "-t", "auto", "x.wav"});
  EXPECT_EQ(run.workers, std::nullopt);
  EXPECT_EQ(run.engines, std::nullopt);
}

TEST(CommandLine, TakesCommandNamesAndDashesAsOperands) {
  const RunOptions run = ParseGood({"run", "-m", "m", "run", "--", "-x.wav", "--help"});
  EXPECT_EQ(run.operands, (std::vector<std::string>{"run", "-x.wav", "--help"}));
}

TEST(CommandLine, KeepsOperandsThatLookLikeSyntaxOfOthers) {
  const std::vector<std::string> odd = {"[]", "{}", "a,b.wav", "[a.wav]", "x=y", "\"q\".wav", "%%"};
  std::vector<std::string> words = {"run", "-m", "m"};
  words.insert(words.end(), odd.begin(), odd.end());
  EXPECT_EQ(ParseGood(words).operands, odd);
}

TEST(CommandLine, TakesAFlagAsOftenAsItIsGiven) {
  EXPECT_TRUE(ParseGood({"run", "-m", "m", "--restart", "--restart", "x.wav"}).restart);
  EXPECT_EQ(Parse({"status", "--json", "--json", "x"}).err, "");
}

struct Mistake {
  std::vector<std::string> words;
  std::string message;
};

class UsageErrors : public testing::TestWithParam<Mistake> {};

TEST_P(UsageErrors, GetOneLineAndAHint) {
  const Parsed parsed = Parse(GetParam().words);
  EXPECT_EQ(parsed.command.kind, ParsedCommand::Kind::kExit);
  EXPECT_EQ(parsed.command.exit_status, kUsage);
  EXPECT_EQ(parsed.out, "");
  const std::string command = GetParam().words.empty() ? "" : GetParam().words[0];
  const bool known =
      command == "run" || command == "tune" || command == "export" || command == "doctor";
  EXPECT_EQ(parsed.err, "consort: " + GetParam().message + "\ntry \"consort " +
                            (known ? command + " " : "") + "--help\"\n");
}

std::vector<std::string> Run(std::vector<std::string> more) {
  more.insert(more.begin(), {"run", "-m", "m", "x.wav"});
  return more;
}

INSTANTIATE_TEST_SUITE_P(
    Each, UsageErrors,
    testing::Values(
        Mistake{{},
                "no command; commands: run, check, tune, compare, models, status, export, doctor"},
        Mistake{{"dance"},
                "unknown command \"dance\"; commands: run, check, tune, compare, models, "
                "status, export, doctor"},
        Mistake{{"rum"},
                "unknown command \"rum\": did you mean run? commands: run, check, tune, compare, "
                "models, "
                "status, "
                "export, doctor"},
        Mistake{{"--versoin"},
                "unknown option \"--versoin\": did you mean --version? commands: run, check, tune, "
                "compare, models, status, export, doctor"},
        Mistake{{"--fast"},
                "unknown option \"--fast\"; commands: run, check, tune, compare, models, "
                "status, export, doctor"},
        Mistake{{"run", "x.wav"}, "no model: name its bundle with -m"},
        Mistake{{"run", "-m", "m"}, "no audio: name a list, files, folders, or \"-\""},
        Mistake{{"run", "-m", "m", "-", "-"},
                "\"-\" is named twice, but there is one standard input"},
        Mistake{{"run", "-m", "m", ""}, "an operand is empty"},
        Mistake{Run({"-p", "0"}), "-p takes a number from 1 to 9999 or \"auto\", not \"0\""},
        Mistake{Run({"-p-2"}), "-p takes a number from 1 to 9999 or \"auto\", not \"-2\""},
        Mistake{Run({"-t", "x"}), "-t takes a number from 1 to 9999 or \"auto\", not \"x\""},
        Mistake{Run({"-t", "2x"}), "-t takes a number from 1 to 9999 or \"auto\", not \"2x\""},
        Mistake{Run({"-p", "99999999999999999999"}),
                "-p takes a number from 1 to 9999 or \"auto\", not \"99999999999999999999\""},
        Mistake{Run({"--intra", "0"}),
                "--intra takes a number from 1 to 9999 or \"default\", not \"0\""},
        Mistake{Run({"--measure", "1"}),
                "--measure needs a file for its figures: name it with --figures"},
        Mistake{Run({"--figures", "f", "--measure", "0"}),
                "--measure takes seconds, more than 0 and at most 1000000, not \"0\""},
        Mistake{Run({"--figures", "f", "--measure", "nan"}),
                "--measure takes seconds, more than 0 and at most 1000000, not \"nan\""},
        Mistake{Run({"--figures", "f", "--measure", "1", "--retry-failed"}),
                "--measure and --retry-failed exclude each other"},
        Mistake{Run({"--figures", ""}), "--figures needs the name of a file"},
        Mistake{Run({"--attempts", "auto"}),
                "--attempts takes a number from 1 to 9999, not \"auto\""},
        Mistake{Run({"--segment-timeout", "-1"}),
                "--segment-timeout takes seconds, from 0 (never) to 1000000, not \"-1\""},
        Mistake{Run({"--segment-timeout", "1m"}),
                "--segment-timeout takes seconds, from 0 (never) to 1000000, not \"1m\""},
        Mistake{Run({"--segment-timeout", "nan"}),
                "--segment-timeout takes seconds, from 0 (never) to 1000000, not \"nan\""},
        Mistake{Run({"--memory-limit", "4"}),
                "--memory-limit 4 is 4 bytes, too little for any job; did you mean 4G?"},
        Mistake{Run({"--memory-limit", "800K"}),
                "--memory-limit 800K is 819200 bytes, too little for any job; did you mean 800M?"},
        Mistake{Run({"--worker-memory-limit", "0.5M"}),
                "--worker-memory-limit 0.5M is 524288 bytes, too little for any job"},
        Mistake{Run({"--memory-limit", "4GB"}),
                "--memory-limit 4GB may be meant in units of 1000 or of 1024: write 4G or 4GiB, "
                "which are of 1024"},
        Mistake{Run({"--memory-limit", "1.5mb"}),
                "--memory-limit 1.5mb may be meant in units of 1000 or of 1024: write 1.5M or "
                "1.5MiB, which are of 1024"},
        Mistake{Run({"--progress", "fancy"}),
                "--progress takes auto, bar, plain or none, not \"fancy\""},
        Mistake{Run({"--quiet", "-v"}), "--quiet and -v exclude each other"},
        Mistake{Run({"-o", ""}), "-o needs the name of a file"},
        Mistake{Run({"-o"}), "--output needs a value"},
        Mistake{Run({"--gpu"}), "unknown option \"--gpu\""},
        Mistake{Run({"--segmnet-timeout=3"}),
                "unknown option \"--segmnet-timeout=3\": did you mean --segment-timeout?"},
        Mistake{Run({"-retry-failed"}),
                "unknown option \"-retry-failed\": did you mean --retry-failed?"},
        Mistake{Run({"--memory_limit", "4G"}),
                "unknown option \"--memory_limit\": did you mean --memory-limit?"},
        Mistake{Run({"-z"}), "unknown option \"-z\""},
        Mistake{{"tune", "x.wav"}, "no model: name its bundle with -m"},
        Mistake{{"tune", "-m", "m"}, "no audio: name a list, files, folders, or \"-\""},
        Mistake{{"tune", "-m", "m", "-p", "2", "l"}, "unknown option \"-p\""},
        Mistake{{"tune", "-m", "m", "--objective", "speed", "l"},
                "--objective takes throughput, latency or memory, not \"speed\""},
        Mistake{{"tune", "-m", "m", "--seconds", "0.5", "l"},
                "--seconds takes seconds, from 1 to 86400, not \"0.5\""},
        Mistake{{"tune", "-m", "m", "--seconds=nan", "l"},
                "--seconds takes seconds, from 1 to 86400, not \"nan\""},
        Mistake{{"tune", "-m", "m", "--memory-limit", "1X", "l"},
                "--memory-limit takes a size such as 800M or 1.5G (units: K, M, G, T), not \"1X\""},
        Mistake{Run({"-p", "1", "-p", "3"}),
                "--processes is given more than once (\"1\", \"3\"), and takes one value"},
        Mistake{Run({"--model=n"}),
                "--model is given more than once (\"m\", \"n\"), and takes one value"},
        Mistake{{"tune", "-m", "a", "-m", "b", "l"},
                "--model is given more than once (\"a\", \"b\"), and takes one value"},
        Mistake{{"doctor", "-m", "a", "-m", "a"},
                "--model is given more than once (\"a\", \"a\"), and takes one value"},
        Mistake{Run({"--format", "csvs"}),
                "--format knows no \"csvs\": did you mean csv? It takes csv, raven, audacity, "
                "rttm, ctm, srt, vtt"},
        Mistake{Run({"--format", "csv,"}),
                "--format knows no \"\": it takes csv, raven, audacity, rttm, ctm, srt, vtt"},
        Mistake{Run({"--format", "csv,xml"}),
                "--format knows no \"xml\": it takes csv, raven, audacity, rttm, ctm, srt, vtt"},
        Mistake{Run({"--format", "jsonl"}),
                "--format knows no \"jsonl\": it takes csv, raven, audacity, rttm, ctm, srt, vtt"},
        Mistake{Run({"--format", "csv", "-o", "-"}),
                "--format writes beside the results: name a file for them with -o"},
        Mistake{Run({"--format", "srt,csv", "-o", "a/x.csv"}),
                "--format csv and -o both write \"a/x.csv\": name another file with -o"},
        Mistake{Run({"--format", "csv", "--figures", "results.csv"}),
                "--format csv and --figures both write \"results.csv\": name another file with "
                "--figures"},
        Mistake{Run({"--format", "csv", "-o", "day.jsonl", "--figures", ".//x/../day.csv"}),
                "--format csv and --figures both write \"day.csv\": name another file with "
                "--figures"},
        Mistake{Run({"--format", "csv", "--figures", "f", "--measure", "1"}),
                "--measure and --format exclude each other"},
        Mistake{{"export", "--format", "csv"},
                "no job: name its folder, or its results, with --job"},
        Mistake{{"export", "--job", "j"}, "no format: name one with --format"},
        Mistake{{"export", "--job", "j", "--format", "csv,xml"},
                "--format knows no \"xml\": it takes jsonl, csv, raven, audacity, rttm, ctm, srt, "
                "vtt"},
        Mistake{{"export", "--job", "j", "--format", "csv,srt", "-o", "x.csv"},
                "-o names one file, and --format 2 formats: leave -o out, so that they lie beside "
                "the results, or name one"},
        Mistake{{"export", "--job", "j", "--format", "csv,jsonl", "--merge-detections"},
                "--merge-detections and --format jsonl exclude each other: those are the lines of "
                "the results as they are"},
        Mistake{Run({"--merge-detections"}),
                "--merge-detections is for other formats, and leaves the results as they are: name "
                "one with --format"},
        Mistake{{"export", "--job", "j", "--format", "audacty"},
                "--format knows no \"audacty\": did you mean audacity? It takes jsonl, csv, raven, "
                "audacity, rttm, ctm, srt, vtt"},
        Mistake{{"export", "--job", "j", "--format", "srt", "x.jsonl"},
                "export takes no operand, but got \"x.jsonl\": name the job with --job"},
        Mistake{{"export", "--job", "j", "--format", "srt", "-o", ""},
                "-o needs the name of a file or folder"},
        Mistake{{"export", "--job", "j", "--format", "srt", "--per-recording"},
                "--per-recording makes a file for each recording: name a folder with -o"},
        Mistake{{"export", "--job", "j", "--format", "srt", "--per-recording", "-o", "-"},
                "--per-recording makes a file for each recording: name a folder with -o"},
        Mistake{
            {"export", "--job", "j", "--format", "srt", "--per-recording", "-o", "d", "--force"},
            "--force replaces a file, and never what is in a folder: name a new folder"},
        Mistake{{"export", "--per-recordings"},
                "unknown option \"--per-recordings\": did you mean --per-recording?"},
        Mistake{{"doctor", "x.wav"}, "doctor takes no operand, but got \"x.wav\""},
        Mistake{{"doctor", "-m"}, "--model needs a value"},
        Mistake{{"doctor", "--jsn"}, "unknown option \"--jsn\": did you mean --json?"},
        Mistake{{"doctor", "--restart"}, "unknown option \"--restart\""}));

TEST(CommandLine, TakesTheDoctorsOptions) {
  const Parsed parsed = Parse({"doctor", "--json", "-m", "bundle"});
  EXPECT_EQ(parsed.err, "");
  EXPECT_EQ(parsed.command.kind, ParsedCommand::Kind::kDoctor);
  EXPECT_TRUE(parsed.command.doctor.json);
  EXPECT_EQ(parsed.command.doctor.bundle, "bundle");
  EXPECT_FALSE(Parse({"doctor"}).command.doctor.json);
}

TEST(CommandLine, TellsItsVersion) {
  const Parsed parsed = Parse({"--version"});
  EXPECT_EQ(parsed.command.exit_status, kDone);
  EXPECT_EQ(parsed.out, "consort 0.1.0\n");
  EXPECT_EQ(parsed.err, "");
}

TEST(CommandLine, TakesWhatTuneIsToDo) {
  const Parsed usual = Parse({"tune", "-m", "bundle", "list"});
  EXPECT_EQ(usual.command.kind, ParsedCommand::Kind::kTune);
  EXPECT_EQ(usual.command.tune.objective, TuneOptions::Objective::kThroughput);
  EXPECT_EQ(usual.command.tune.seconds, 120);
  EXPECT_EQ(usual.command.tune.memory_limit.bytes, 0);
  EXPECT_FALSE(usual.command.tune.json || usual.command.tune.quiet);
  const Parsed parsed =
      Parse({"tune", "--objective", "latency", "--seconds", "15.5", "--json", "--memory-limit=2G",
             "--progress", "none", "--quiet", "-m", "bundle", "a.wav", "-", "dir"});
  EXPECT_EQ(parsed.err, "");
  EXPECT_EQ(parsed.command.tune.bundle, "bundle");
  EXPECT_EQ(parsed.command.tune.objective, TuneOptions::Objective::kLatency);
  EXPECT_EQ(parsed.command.tune.seconds, 15.5);
  EXPECT_EQ(parsed.command.tune.memory_limit.bytes, int64_t{2} << 30);
  EXPECT_EQ(parsed.command.tune.progress, RunOptions::Progress::kNone);
  EXPECT_TRUE(parsed.command.tune.json && parsed.command.tune.quiet);
  EXPECT_EQ(parsed.command.tune.operands, (std::vector<std::string>{"a.wav", "-", "dir"}));
  EXPECT_EQ(Parse({"tune", "-m", "b", "--objective", "memory", "l"}).command.tune.objective,
            TuneOptions::Objective::kMemory);
}

std::string Names(const std::vector<const Format*>& formats) {
  std::string names;
  for (const Format* it : formats) names += std::string(it->name) + ' ';
  return names;
}

TEST(CommandLine, TakesFormats) {
  EXPECT_EQ(Names(ParseGood({"run", "-m", "m", "x.wav"}).formats), "");
  EXPECT_EQ(Names(ParseGood({"run", "-m", "m", "--format=srt", "x.wav"}).formats), "srt ");
  EXPECT_FALSE(ParseGood({"run", "-m", "m", "--format=srt", "x.wav"}).merge_detections);
  EXPECT_TRUE(ParseGood({"run", "-m", "m", "--format=srt", "--merge-detections", "x.wav"})
                  .merge_detections);
  EXPECT_EQ(Names(ParseGood({"run", "-m", "m", "--format", "vtt,csv,vtt", "x.wav"}).formats),
            "vtt csv ");
}

TEST(CommandLine, TakesWhatIsToBeExported) {
  const Parsed usual = Parse({"export", "--job", "j", "--format", "raven"});
  EXPECT_EQ(usual.err, "");
  EXPECT_EQ(usual.command.kind, ParsedCommand::Kind::kExport);
  EXPECT_EQ(usual.command.exports.job, "j");
  EXPECT_EQ(Names(usual.command.exports.formats), "raven ");
  EXPECT_EQ(usual.command.exports.output, "");
  EXPECT_FALSE(usual.command.exports.per_recording || usual.command.exports.force);
  EXPECT_FALSE(usual.command.exports.merge_detections);
  const Parsed several = Parse({"export", "--job=j", "--format=vtt,srt", "--merge-detections"});
  EXPECT_EQ(several.err, "");
  EXPECT_EQ(Names(several.command.exports.formats), "vtt srt ");
  EXPECT_TRUE(several.command.exports.merge_detections);
  EXPECT_EQ(Names(Parse({"export", "--job=j", "--format=vtt,csv", "--per-recording", "-o", "d"})
                      .command.exports.formats),
            "vtt csv ");
  const Parsed forced = Parse({"export", "--job=j", "--format=jsonl", "-o", "-", "--force"});
  EXPECT_EQ(forced.command.exports.output, "-");
  EXPECT_TRUE(forced.command.exports.force);
  EXPECT_TRUE(Parse({"export", "--job=j", "--format=srt", "--per-recording", "-o", "d"})
                  .command.exports.per_recording);
}

TEST(CommandLine, TakesTheChoiceOfTags) {
  EXPECT_FALSE(ParseGood({"run", "-m", "m", "x.wav"}).tags.any());
  const TagOptions tags =
      ParseGood({"run", "-m", "m", "--top-k", "3", "--min-score=-2.5", "--include-labels", "in",
                 "--exclude-labels", "out", "--thresholds", "own", "x.wav"})
          .tags;
  EXPECT_TRUE(tags.any());
  EXPECT_EQ(tags.top_k, 3);
  EXPECT_EQ(tags.min_score, -2.5);
  EXPECT_EQ(tags.include_labels, "in");
  EXPECT_EQ(tags.exclude_labels, "out");
  EXPECT_EQ(tags.thresholds, "own");
  const auto refused = [](const std::string& option, const std::string& value) {
    const Parsed parsed = Parse({"run", "-m", "m", option, value, "x.wav"});
    EXPECT_EQ(parsed.command.exit_status, kUsage) << option << ' ' << value;
    return parsed.err;
  };
  for (const char* bad : {"0", "4097", "-1", "x", "", "2.5", "all"}) {
    EXPECT_NE(refused("--top-k", bad).find("a number from 1 to 4096"), std::string::npos);
  }
  for (const char* bad : {"nan", "inf", "", "0,5", "x", "1e99"}) {
    EXPECT_NE(refused("--min-score", bad).find("a score such as 0.25"), std::string::npos);
  }
  for (const char* option : {"--include-labels", "--exclude-labels", "--thresholds"}) {
    EXPECT_NE(refused(option, "").find(std::string(option) + " needs the name of a file"),
              std::string::npos);
  }
}

TEST(CommandLine, TakesACheck) {
  const auto check = [](std::vector<std::string> words) {
    words.insert(words.begin(), "check");
    const Parsed parsed = Parse(std::move(words));
    EXPECT_EQ(parsed.err, "");
    EXPECT_EQ(parsed.command.kind, ParsedCommand::Kind::kCheck);
    return parsed.command.check;
  };
  const CheckOptions bare = check({"a.wav"});
  EXPECT_EQ(bare.bundle + bare.failed + bare.json, "");
  EXPECT_FALSE(bare.workers);
  EXPECT_EQ(bare.operands, std::vector<std::string>{"a.wav"});
  const CheckOptions full = check({"-m", "b", "--failed", "f", "--json=-", "-p", "3", "--quiet",
                                   "--progress", "plain", "list", "-"});
  EXPECT_EQ(full.bundle, "b");
  EXPECT_EQ(full.failed, "f");
  EXPECT_EQ(full.json, "-");
  EXPECT_EQ(full.workers, 3);
  EXPECT_TRUE(full.quiet);
  EXPECT_EQ(full.progress, RunOptions::Progress::kPlain);
  for (const std::vector<std::string>& bad : {std::vector<std::string>{"check"},
                                              {"check", "--failed", "-", "l"},
                                              {"check", "--failed=", "l"},
                                              {"check", "--json=", "l"},
                                              {"check", "--failed", "x", "--json", "./x", "l"},
                                              {"check", "-p", "0", "l"}}) {
    EXPECT_EQ(Parse(bad).command.exit_status, kUsage) << bad.back();
  }
}

TEST(CommandLine, KnowsWhetherIntraWasGiven) {
  EXPECT_FALSE(ParseGood({"run", "-m", "m", "x.wav"}).intra_given);
  EXPECT_TRUE(ParseGood({"run", "-m", "m", "--intra", "1", "x.wav"}).intra_given);
}

TEST(Help, GoesToStandardOutput) {
  for (const auto& words : std::vector<std::vector<std::string>>{{"--help"}, {"-h"}}) {
    EXPECT_EQ(Parse(words).out, kMainHelp);
    EXPECT_EQ(Parse(words).command.exit_status, kDone);
  }
  EXPECT_EQ(Parse({"run", "--help"}).out, kRunHelp);
  EXPECT_EQ(Parse({"run", "-m", "m", "-h"}).out, kRunHelp);
  EXPECT_EQ(Parse({"tune", "--help"}).out, kTuneHelp);
  EXPECT_EQ(Parse({"export", "--help"}).out, kExportHelp);
  EXPECT_EQ(Parse({"doctor", "--help"}).out, kDoctorHelp);
  EXPECT_EQ(Parse({"doctor", "--help"}).command.exit_status, kDone);
}

TEST(Help, WarnsThatABundleIsAProgram) {
  for (const std::string help : {kMainHelp, kRunHelp}) {
    EXPECT_NE(help.find("A model bundle is a program: run only what you trust."),
              std::string::npos);
  }
}

// Every option in the help is one that is known. (What is known but not in the help is seen in
// TakesEveryOption, where each has its line.)
// How many options the help of a command names; each is known to it.
int NamedOptions(const std::string& command, const std::string& help) {
  int seen = 0;
  for (size_t at = help.find("--"); at != std::string::npos; at = help.find("--", at + 2)) {
    const size_t end = help.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", at);
    const std::string option = help.substr(at, end - at);
    const Parsed parsed = Parse({command, "x.wav", option});
    EXPECT_EQ(parsed.err.find("unknown option"), std::string::npos) << option;
    ++seen;
  }
  return seen;
}

TEST(Help, NamesOnlyOptionsThatExist) {
  EXPECT_GE(NamedOptions("run", kRunHelp), 18);
  EXPECT_GE(NamedOptions("tune", kTuneHelp), 8);
  EXPECT_GE(NamedOptions("check", kCheckHelp), 6);
  EXPECT_GE(NamedOptions("export", kExportHelp), 6);
}

TEST(Help, NamesEveryFormat) {
  for (const Format& it : Formats()) {
    const std::string name(it.name);
    EXPECT_NE(std::string(kExportHelp).find(name), std::string::npos) << name;
    EXPECT_EQ(std::string(kRunHelp).find(name + ",") != std::string::npos || name == "vtt",
              name != "jsonl")
        << name;
  }
}

TEST(Help, HasNoLineThatATerminalWraps) {
  for (std::string help : {kMainHelp, kRunHelp, kCheckHelp, kTuneHelp, kExportHelp, kDoctorHelp}) {
    for (size_t at = 0; at < help.size();) {
      const size_t end = help.find('\n', at);
      EXPECT_LE(end - at, 86U) << help.substr(at, end - at);
      at = end + 1;
    }
  }
}

}  // namespace
}  // namespace consort
