#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <vector>

#include "supervisor/export/export.h"
#include "supervisor/export/output_file.h"
#include "supervisor/export/recording_folder.h"

namespace consort {
namespace {

namespace fs = std::filesystem;

class ExportFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "consort-export-" + std::to_string(::getpid());
    fs::create_directory(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + '/' + name; }
  void Put(const std::string& name, const std::string& content) const {
    std::ofstream(Path(name), std::ios::binary) << content;
  }
  std::string Get(const std::string& name) const {
    std::ifstream file(Path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // All files below, relative.
  std::set<std::string> Tree() const {
    std::set<std::string> names;
    for (const auto& it : fs::recursive_directory_iterator(folder_)) {
      if (!it.is_directory()) names.insert(it.path().lexically_relative(folder_));
    }
    return names;
  }
  Result<ExportTally> Apart(const std::string& lines, const std::vector<const char*>& formats,
                            const ExportManner& manner = {}) {
    Put("in.jsonl", lines);
    auto reader = ResultsReader::Open(Path("in.jsonl"), lines.size());
    std::vector<const Format*> named;
    for (const char* it : formats) named.push_back(FindFormat(it));
    auto made = ExportApart(reader.value(), named, Path("out"), manner);
    fs::remove(Path("in.jsonl"));
    return made;
  }

  std::string folder_;
};

std::string Line(const std::string& file, const std::string& start = "0.000") {
  return "{\"file\":\"" + file + "\",\"start\":" + start +
         ",\"end\":9.000,\"tags\":[{\"label\":\"x\",\"score\":0.5000}]}\n";
}
std::string Failure(const std::string& file) {
  return "{\"file\":\"" + file + "\",\"error\":{\"code\":\"empty\",\"message\":\"m\"}}\n";
}

TEST_F(ExportFiles, AFileIsThereOnceItIsWhole) {
  Put("a.csv", "old");
  {
    auto file = OutputFile::Create(Path("a.csv"));
    ASSERT_TRUE(file);
    file.value().pending() = "new";
    EXPECT_FALSE(OutputFile::Create(Path("a.csv"))) << "another one writes it";
    ASSERT_TRUE(file.value().Finish());
    EXPECT_EQ(Get("a.csv"), "old");
  }
  EXPECT_EQ(Tree(), std::set<std::string>{"a.csv"}) << "given up, so nothing is left of it";
  auto file = OutputFile::Create(Path("a.csv"));
  ASSERT_TRUE(file);
  file.value().pending() = "new";
  ASSERT_TRUE(file.value().Finish());
  ASSERT_TRUE(file.value().PutInPlace());
  EXPECT_EQ(Get("a.csv"), "new");
  EXPECT_EQ(Tree(), std::set<std::string>{"a.csv"});
}

// As on a full disk, but for the word for it.
TEST_F(ExportFiles, WhatCannotBeWrittenLeavesNothing) {
  std::string lines;
  for (int n = 0; n < 20'000; ++n) lines += Line("a.wav", std::to_string(n) + ".000");
  Put("in.jsonl", lines);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit little{100'000, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &little);
  auto reader = ResultsReader::Open(Path("in.jsonl"), lines.size());
  const auto together = ExportTogether(reader.value(), {{FindFormat("csv"), Path("out.csv")}}, {});
  reader = ResultsReader::Open(Path("in.jsonl"), lines.size());
  const auto apart = ExportApart(reader.value(), {FindFormat("csv")}, Path("out"), {});
  ::setrlimit(RLIMIT_FSIZE, &before);
  ASSERT_FALSE(together);
  EXPECT_EQ(together.error().what, "could not write \"" + Path("out.csv") + "\": file too large");
  ASSERT_FALSE(apart);
  EXPECT_NE(apart.error().what.find("/a.csv\": file too large"), std::string::npos);
  EXPECT_EQ(Tree(), std::set<std::string>{"in.jsonl"});
}

TEST_F(ExportFiles, AFileIsReplacedWhereALinkLeads) {
  Put("real.csv", "old");
  fs::create_symlink("real.csv", Path("link.csv"));
  auto file = OutputFile::Create(Path("link.csv"));
  ASSERT_TRUE(file && file.value().Finish() && file.value().PutInPlace());
  EXPECT_TRUE(fs::is_symlink(Path("link.csv")));
  EXPECT_EQ(Get("real.csv"), "");
}

TEST_F(ExportFiles, WhatCannotBeReplacedIsTold) {
  EXPECT_TRUE(OutputFile::Check(Path("new.csv")));
  const auto folder = OutputFile::Check(folder_);
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().what, "could not create \"" + folder_ + "\": it is a folder");
  ASSERT_EQ(::mkfifo(Path("pipe").c_str(), 0600), 0);
  EXPECT_FALSE(OutputFile::Check(Path("pipe")));
  const auto nowhere = OutputFile::Check(Path("no/a.csv"));
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().hint, "make the folder first, or name another with -o");
}

TEST_F(ExportFiles, NoNameLeadsOutOfTheFolder) {
  using Parts = std::vector<std::string>;
  EXPECT_EQ(PartsOf("a/b.wav"), (Parts{"a", "b.wav"}));
  EXPECT_EQ(PartsOf("/a//./b.wav"), (Parts{"a", "b.wav"}));
  EXPECT_EQ(PartsOf("../../etc/passwd"), (Parts{"_..", "_..", "etc", "passwd"}));
  EXPECT_EQ(PartsOf("a/.."), (Parts{"a", "_.."}));
  EXPECT_EQ(PartsOf("..."), (Parts{"..."}));
  for (const char* none : {"", "/", ".", "./"}) EXPECT_EQ(PartsOf(none), Parts{"recording"});
  const auto tally =
      Apart(Line("/etc/../../a.wav") + Line("../a.wav") + Line("..") + Line("/"), {"srt"});
  ASSERT_TRUE(tally);
  EXPECT_EQ(Tree(), (std::set<std::string>{"out/etc/_../_../a.srt", "out/_../a.srt", "out/_..srt",
                                           "out/recording.srt"}));
}

TEST_F(ExportFiles, NamesThatMeetGetNumbers) {
  const auto tally = Apart(Line("d/a.wav") + Line("d/a.flac") + Line("d/a.wav") + Line("d/a.wav") +
                               Line("d/a.wav", "1.000") + Line("x") + Line("x.srt/b.wav") +
                               Line(".hidden") + Line("\\udcff.wav"),
                           {"srt"});
  ASSERT_TRUE(tally) << tally.error().Sentence();
  EXPECT_EQ(tally.value().recordings, 8U);
  EXPECT_EQ(Tree(), (std::set<std::string>{"out/d/a.srt", "out/d/a (2).srt", "out/d/a (3).srt",
                                           "out/d/a (4).srt", "out/x.srt", "out/x.srt (2)/b.srt",
                                           "out/.hidden.srt", "out/\xff.srt"}));
  EXPECT_EQ(Get("out/d/a (4).srt"),
            "1\n00:00:00,000 --> 00:00:09,000\nx\n\n2\n00:00:01,000 --> 00:00:09,000\nx\n\n");
}

TEST_F(ExportFiles, LongNamesAreCutBetweenCharacters) {
  std::string name;
  while (name.size() + 2 <= 251) name += "\xc3\xa9";
  ASSERT_TRUE(
      Apart(Line(name + ".wav") + Line(name + ".mp3") + Line(std::string(300, 'n')), {"audacity"}));
  for (const auto& it : Tree()) {
    EXPECT_TRUE(it.ends_with(".audacity.txt") || it.ends_with(" (2).audacity.txt")) << it;
    EXPECT_NE(static_cast<unsigned char>(it[it.find('.') - 1]), 0xc3) << "half a character";
  }
  EXPECT_EQ(Tree().size(), 3U);
}

TEST_F(ExportFiles, ARecordingWithoutIntervalsHasAFileWhereErrorsAreTold) {
  const std::string lines = Line("a.wav") + Failure("b.wav") + Line("c.wav");
  auto tally = Apart(lines, {"vtt"});
  ASSERT_TRUE(tally);
  EXPECT_EQ(Tree(), (std::set<std::string>{"out/a.vtt", "out/c.vtt"}));
  EXPECT_EQ(WordsOnFailures(tally.value(), false), "; 1 recording failed, nothing of it is there");
  EXPECT_EQ(WordsOnFailures(tally.value(), true), "; 1 recording failed, the error is told");
  fs::remove_all(Path("out"));
  ASSERT_TRUE(Apart(lines, {"csv"}));
  EXPECT_EQ(Tree(), (std::set<std::string>{"out/a.csv", "out/b.csv", "out/c.csv"}));
  EXPECT_NE(Get("out/b.csv").find("b.wav,,,,,,,empty: m,\r\n"), std::string::npos);
  fs::remove_all(Path("out"));
  ASSERT_TRUE(Apart(lines, {"jsonl"}));
  EXPECT_EQ(Get("out/a.jsonl"), Line("a.wav"));
}

TEST_F(ExportFiles, AFolderIsThereInWholeOrNotAtAll) {
  const auto bad = Apart(Line("a.wav") + "oops\n", {"srt"});
  ASSERT_FALSE(bad);
  EXPECT_EQ(Tree(), std::set<std::string>{});
  int asked = 0;
  const auto stopped = Apart(Line("a.wav"), {"srt"}, {false, [&] { return ++asked > 0 ? 15 : 0; }});
  ASSERT_TRUE(stopped);
  EXPECT_EQ(stopped.value().stopped_by, 15);
  EXPECT_EQ(Tree(), std::set<std::string>{});
  fs::create_directory(Path("out"));
  EXPECT_TRUE(Apart(Line("a.wav"), {"srt"})) << "an empty folder is fine";
  const auto again = Apart(Line("a.wav"), {"srt"});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().what, "the folder \"" + Path("out") + "\" exists, and is not empty");
  EXPECT_EQ(Tree(), std::set<std::string>{"out/a.srt"});
}

TEST_F(ExportFiles, TogetherIsAllOrNothing) {
  const std::string good = Line("a.wav") + Failure("b.wav");
  const std::string bad = good + "oops\n";
  Put("out.csv", "old");
  for (const auto& [lines, works] : {std::pair(bad, false), {good, true}}) {
    Put("in.jsonl", lines);
    auto reader = ResultsReader::Open(Path("in.jsonl"), lines.size());
    ASSERT_TRUE(reader);
    const auto tally = ExportTogether(
        reader.value(),
        {{FindFormat("csv"), Path("out.csv")}, {FindFormat("srt"), Path("out.srt")}}, {});
    EXPECT_EQ(static_cast<bool>(tally), works);
    EXPECT_EQ(Get("out.csv") == "old", !works);
    EXPECT_EQ(Tree().size(), works ? 3U : 2U);
  }
}

TEST_F(ExportFiles, SeveralFormatsOfEachRecording) {
  const auto tally = Apart(Line("a.wav") + Failure("b.wav") + Line("d/c.wav"), {"srt", "csv"});
  ASSERT_TRUE(tally) << tally.error().Sentence();
  EXPECT_EQ(Tree(), (std::set<std::string>{"out/a.csv", "out/a.srt", "out/b.csv", "out/d/c.csv",
                                           "out/d/c.srt"}));
  EXPECT_EQ(Get("out/d/c.srt"), "1\n00:00:00,000 --> 00:00:09,000\nx\n\n");
  EXPECT_NE(Get("out/d/c.csv").find("d/c.wav,0.000,9.000,1,x,0.5000,,,\r\n"), std::string::npos);
}

TEST_F(ExportFiles, DetectionsAreMergedWithinARecording) {
  const std::string lines =
      Line("a.wav") + Line("a.wav", "3.000") + Line("b.wav") + Failure("c.wav") + Line("b.wav") +
      Line("b.wav", "9.000") +
      "{\"file\":\"b.wav\",\"error\":{\"code\":\"truncated\",\"message\":\"m\",\"at\":9.500}}\n";
  const std::string head = "file,start,end,rank,label,score,text,error,channel\r\n";
  const std::string again = "b.wav,0.000,9.000,,x,0.5000,,,\r\nb.wav,9.500,,,,,,truncated: m,\r\n";
  Put("in.jsonl", lines);
  auto reader = ResultsReader::Open(Path("in.jsonl"), lines.size());
  const auto together = ExportTogether(
      reader.value(), {{FindFormat("csv"), Path("out.csv")}, {FindFormat("srt"), Path("out.srt")}},
      {true, {}});
  ASSERT_TRUE(together);
  EXPECT_EQ(together.value().intervals, 5U);
  EXPECT_EQ(together.value().merged, 3U);
  EXPECT_EQ(Get("out.csv"), head + "a.wav,0.000,9.000,,x,0.5000,,,\r\n" +
                                "b.wav,0.000,9.000,,x,0.5000,,,\r\nc.wav,,,,,,,empty: m,\r\n" +
                                again);
  EXPECT_EQ(Get("out.srt").substr(0, 2), "1\n");
  fs::remove(Path("out.csv"));
  fs::remove(Path("out.srt"));
  const auto apart = Apart(lines, {"csv"}, {true, {}});
  ASSERT_TRUE(apart);
  EXPECT_EQ(apart.value().merged, 3U);
  EXPECT_EQ(Get("out/a.csv"), head + "a.wav,0.000,9.000,,x,0.5000,,,\r\n");
  EXPECT_EQ(Get("out/b (2).csv"), head + again);
}

// Raven's times count on from the recording's end, though the last line has nothing of its own.
TEST_F(ExportFiles, RavenCountsTheWholeOfAMergedDetection) {
  std::string longer = Line("a.wav", "3.000");
  longer.replace(longer.find("9.000"), 5, "12.000");
  ASSERT_TRUE(Apart(Line("a.wav") + longer, {"raven"}, {true, {}}));
  EXPECT_NE(Get("out/a.raven.txt").find("\t0.000\t12.000\t"), std::string::npos);
  const std::string lines = Line("a.wav") + longer + Line("b.wav");
  Put("in.jsonl", lines);
  auto reader = ResultsReader::Open(Path("in.jsonl"), lines.size());
  ASSERT_TRUE(ExportTogether(reader.value(), {{FindFormat("raven"), Path("out.txt")}}, {true, {}}));
  EXPECT_NE(Get("out.txt").find("\t12.000\t21.000\t"), std::string::npos) << Get("out.txt");
}

// A folder stands where the second is to go.
TEST_F(ExportFiles, EachThatIsInItsPlaceIsToldAlthoughALaterOneIsNot) {
  Put("in.jsonl", Line("a.wav"));
  fs::create_directory(Path("out.srt"));
  auto reader = ResultsReader::Open(Path("in.jsonl"), Line("a.wav").size());
  std::vector<std::string> told;
  const auto tally = ExportTogether(
      reader.value(), {{FindFormat("csv"), Path("out.csv")}, {FindFormat("srt"), Path("out.srt")}},
      {}, [&told](const ExportTarget& made) { told.push_back(made.path); });
  EXPECT_FALSE(tally);
  EXPECT_EQ(told, std::vector{Path("out.csv")});
}

}  // namespace
}  // namespace consort
