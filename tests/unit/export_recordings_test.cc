#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "supervisor/export/recordings.h"

namespace consort {
namespace {

ResultLine At(const std::string& file, int64_t start_ms) {
  ResultLine line;
  line.file = file;
  line.start_ms = start_ms;
  line.end_ms = start_ms + 1000;
  return line;
}

ResultLine InChannel(int64_t channel, ResultLine line) {
  line.channel = channel;
  return line;
}

ResultLine Failed(const std::string& file, const std::string& code,
                  std::optional<int64_t> at_ms = std::nullopt) {
  ResultLine line;
  line.file = file;
  line.kind = ResultLine::Kind::kError;
  line.code = code;
  line.at_ms = at_ms;
  return line;
}

// Of each line 1 if it begins a recording, else 0.
std::string Begins(const std::vector<ResultLine>& lines) {
  Recordings recordings;
  std::string begins;
  for (const auto& line : lines) begins += recordings.Begins(line) ? '1' : '0';
  return begins;
}

TEST(Recordings, BeginWithAnotherName) {
  EXPECT_EQ(Begins({At("a", 0), At("a", 1000), At("b", 0), At("a", 2000)}), "1011");
  EXPECT_EQ(Begins({At("", 0)}), "1");
}

TEST(Recordings, BeginAnewWhereTimeDoesNotGoOn) {
  EXPECT_EQ(Begins({At("a", 0), At("a", 0)}), "11") << "one segment, listed twice";
  EXPECT_EQ(Begins({At("a", 0), At("a", 1000), At("a", 0), At("a", 1000)}), "1010");
}

TEST(Recordings, GoOnBehindACrashAndEndWithAnyOtherError) {
  EXPECT_EQ(Begins({At("a", 0), Failed("a", "crashed", 1000), At("a", 2000)}), "100");
  EXPECT_EQ(Begins({Failed("a", "crashed", 0), At("a", 1000)}), "10");
  EXPECT_EQ(Begins({Failed("a", "crashed", 0), Failed("a", "crashed", 1000)}), "10");
  EXPECT_EQ(Begins({Failed("a", "crashed", 0), Failed("a", "crashed", 0)}), "11");
  EXPECT_EQ(Begins({At("a", 0), Failed("a", "truncated", 900), At("a", 0)}), "101");
  EXPECT_EQ(Begins({At("a", 5000), Failed("a", "truncated", 900), At("a", 6000)}), "101");
  EXPECT_EQ(Begins({Failed("a", "empty"), Failed("a", "empty"), Failed("b", "empty")}), "111");
  EXPECT_EQ(Begins({At("a", 0), Failed("a", "not_found")}), "11")
      << "gone when it was opened again";
  EXPECT_EQ(Begins({Failed("a", "crashed"), Failed("a", "crashed")}), "11")
      << "while it was opened";
}

TEST(Recordings, GoOnWithTheChannelsOfOnePlace) {
  const std::vector<ResultLine> file = {InChannel(1, At("a", 0)),
                                        InChannel(2, At("a", 0)),
                                        InChannel(3, At("a", 0)),
                                        InChannel(1, At("a", 1000)),
                                        InChannel(2, Failed("a", "crashed", 1000)),
                                        InChannel(3, At("a", 1000))};
  auto twice = file;
  twice.insert(twice.end(), file.begin(), file.end());
  EXPECT_EQ(Begins(twice), "100000100000");
  EXPECT_EQ(Begins({InChannel(1, At("a", 0)), InChannel(1, At("a", 0))}), "11")
      << "one channel and one segment, listed twice";
  // Of a model with state a crash ends the file, whichever channel it is in.
  EXPECT_EQ(Begins({InChannel(1, At("a", 0)), InChannel(2, At("a", 0)), InChannel(1, At("a", 1000)),
                    Failed("a", "crashed", 1000), InChannel(1, At("a", 0))}),
            "10001");
  EXPECT_EQ(Begins({InChannel(1, At("a", 0)), Failed("a", "truncated", 0), At("b", 0)}), "101");
}

// What a model with state leaves of a file that it crashed in, and then the file once more.
TEST(Recordings, BeginAnewBehindACrashThatEndedThem) {
  EXPECT_EQ(Begins({Failed("a", "crashed", 0), InChannel(1, At("a", 0))}), "11");
  EXPECT_EQ(Begins({Failed("a", "crashed", 1000), InChannel(1, At("a", 2000))}), "11");
  EXPECT_EQ(Begins({Failed("a", "crashed", 0), At("a", 1000)}), "10") << "of no channels";
}

TEST(Recordings, BeginWithACrashThatEndsThem) {
  const auto behind = [](std::vector<ResultLine> lines, int64_t at_ms) {
    lines.push_back(Failed("a", "crashed", at_ms));
    lines.push_back(InChannel(1, At("a", 0)));
    return Begins(lines);
  };
  const std::vector<ResultLine> three = {InChannel(1, At("a", 0)), InChannel(2, At("a", 0)),
                                         InChannel(1, At("a", 1000))};
  auto four = three;
  four.push_back(InChannel(2, At("a", 1000)));
  EXPECT_EQ(behind(three, 0), "10011") << "it lies before what there is";
  EXPECT_EQ(behind(three, 1000), "10001") << "of the second channel";
  EXPECT_EQ(behind(three, 2000), "10001");
  EXPECT_EQ(behind(four, 1000), "100011") << "there is no third channel that it could be of";
  EXPECT_EQ(behind(four, 2000), "100001");
  EXPECT_EQ(behind({three[0], three[1]}, 0), "1001") << "there may be a third channel";
}

}  // namespace
}  // namespace consort
