#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "supervisor/formats/results_reader.h"

namespace consort {
namespace {

class Reader : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "consort-reader-" + std::to_string(::getpid()) + ".jsonl";
  }
  void TearDown() override { std::filesystem::remove(path_); }

  // Reads the first `bytes` of `content`; then how many lines, or the error.
  std::string Read(const std::string& content, uint64_t bytes) {
    std::ofstream(path_, std::ios::binary) << content;
    auto reader = ResultsReader::Open(path_, bytes);
    if (!reader) return reader.error().what;
    ResultLine line;
    for (int lines = 0;; ++lines) {
      const auto more = reader.value().Next(line);
      if (!more) return more.error().what;
      if (!more.value()) return std::to_string(lines);
      last_ = line.file;
    }
  }

  std::string path_;
  std::string last_;
};

std::string Line(const std::string& file) {
  return "{\"file\":\"" + file + "\",\"start\":0.000,\"end\":1.000,\"tags\":[]}\n";
}

TEST_F(Reader, ReadsAsManyBytesAsCount) {
  const std::string two = Line("a") + Line("b");
  EXPECT_EQ(Read(two, two.size()), "2");
  EXPECT_EQ(last_, "b");
  EXPECT_EQ(Read(two + "{\"file\":\"c", two.size()), "2") << "a line that does not count yet";
  EXPECT_EQ(Read(two, Line("a").size()), "1");
  EXPECT_EQ(Read("", 0), "0");
}

TEST_F(Reader, ReadsLinesOfEveryLengthAcrossItsBuffer) {
  std::string content;
  size_t lines = 0;
  for (size_t size = 1; size < 1'500'000; size = size * 3 + 7) {
    content += Line(std::string(size, 'x'));
    ++lines;
  }
  for (; lines < 3000; ++lines) content += Line(std::string(100 + lines % 50, 'y'));
  EXPECT_EQ(Read(content, content.size()), "3000");
}

TEST_F(Reader, NamesTheLineThatIsNone) {
  const std::string bad = Line("a") + Line("b") + "oops\n";
  EXPECT_EQ(Read(bad, bad.size()),
            "line 3 of \"" + path_ + "\" is no line of results: it is no JSON");
  const std::string cut = Line("a") + "{\"file\":";
  EXPECT_EQ(Read(cut, cut.size()),
            "line 2 of \"" + path_ + "\" is no line of results: it does not end");
}

TEST_F(Reader, RefusesAFileThatIsShorterThanWhatCounts) {
  EXPECT_EQ(Read(Line("a"), 1000),
            "the results in \"" + path_ + "\" were altered: 1000 bytes count");
  std::filesystem::remove(path_);
  const auto gone = ResultsReader::Open(path_, 0);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().what,
            "could not open the results \"" + path_ + "\": no such file or directory");
}

}  // namespace
}  // namespace consort
