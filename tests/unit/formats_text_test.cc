#include <gtest/gtest.h>

#include "supervisor/formats/format.h"
#include "supervisor/formats/text.h"

namespace consort {
namespace {

TEST(Text, WritesSecondsWithThreeDecimals) {
  EXPECT_EQ(Seconds(0), "0.000");
  EXPECT_EQ(Seconds(61'440), "61.440");
  EXPECT_EQ(Seconds(-5), "-0.005");
  EXPECT_EQ(Seconds(INT64_MIN), "-9223372036854775.808");
}

TEST(Text, WritesClockTimesPastADayAndPastAHundredHours) {
  EXPECT_EQ(ClockTime(0, ','), "00:00:00,000");
  EXPECT_EQ(ClockTime(3'599'999, ','), "00:59:59,999");
  EXPECT_EQ(ClockTime(86'400'000, ','), "24:00:00,000");
  EXPECT_EQ(ClockTime(93'787'250, '.'), "26:03:07.250");
  EXPECT_EQ(ClockTime(360'000'001, '.'), "100:00:00.001");
  EXPECT_EQ(ClockTime(-1, ','), "00:00:00,000");
}

TEST(Text, WritesScoresWithFourDecimals) {
  EXPECT_EQ(ScoreText(0.9312), "0.9312");
  EXPECT_EQ(ScoreText(-12.0), "-12.0000");
  EXPECT_EQ(ScoreText(1e300).size(), 306U);
  EXPECT_EQ(ScoreText(std::nullopt), "");
}

TEST(Text, ShowsBytesThatAreNoUtf8) {
  EXPECT_EQ(ValidUtf8("a\xff.wav"), "a\\xff.wav");
  EXPECT_EQ(ValidUtf8("caf\xc3\xa9 \xe2\x82"), "caf\xc3\xa9 \\xe2\\x82");
  EXPECT_EQ(ValidUtf8("a\tb\n"), "a\tb\n");
}

TEST(Text, PutsEverythingOnOneLine) {
  EXPECT_EQ(OneLine("a\tb\r\nc\x7f"), "a b  c ");
  EXPECT_EQ(OneLine("a\xc2\x85"
                    "b\xe2\x80\xa8"
                    "c\xe2\x80\xa9"),
            "a b c ");
  EXPECT_EQ(OneLine("caf\xc3\xa9\xc2\xa0"), "caf\xc3\xa9\xc2\xa0") << "a no-break space is none";
}

TEST(Text, TakesBlanksOutOfFields) {
  EXPECT_EQ(BlankFree("two seven"), "two_seven");
  EXPECT_EQ(BlankFree("a\tb\"c"), "a_b_c");
  EXPECT_EQ(BlankFree("a\xc2\xa0"
                      "b\xe3\x80\x80"
                      "c\xe2\x80\x89"
                      "d\xe1\x9a\x80"
                      "e"),
            "a_b_c_d_e");
  EXPECT_EQ(BlankFree(""), "<NA>");
}

TEST(Text, CaptionsAreTheTopLabelOrTheText) {
  ResultLine line;
  line.end_ms = 1000;
  EXPECT_TRUE(CaptionsOf(line).empty()) << "no label";
  line.tags = {{"first", 0.9}, {"second", 0.1}};
  EXPECT_EQ(CaptionsOf(line).at(0).text, "first");
  EXPECT_EQ(CaptionsOf(line).at(0).score, 0.9);
  line.end_ms = -1;
  EXPECT_TRUE(CaptionsOf(line).empty()) << "behind the file's end";
  line.end_ms = 0;
  line.kind = ResultLine::Kind::kTranscript;
  line.text = " two ";
  EXPECT_EQ(CaptionsOf(line).at(0).text, " two ");
  EXPECT_EQ(CaptionsOf(line).at(0).score, std::nullopt);
  line.text = " \n";
  EXPECT_TRUE(CaptionsOf(line).empty()) << "nothing but blanks";
  line.kind = ResultLine::Kind::kError;
  EXPECT_TRUE(CaptionsOf(line).empty());
}

TEST(Format, ReplacesTheLastExtension) {
  const auto path = [](const char* format, const char* of) {
    return PathFor(*FindFormat(format), of);
  };
  EXPECT_EQ(path("csv", "results.jsonl"), "results.csv");
  EXPECT_EQ(path("audacity", "out/day.1.jsonl"), "out/day.1.audacity.txt");
  EXPECT_EQ(path("raven", "out.d/results"), "out.d/results.raven.txt");
  EXPECT_EQ(path("srt", "out.d/.hidden"), "out.d/.hidden.srt");
  EXPECT_EQ(path("vtt", ".hidden"), ".hidden.vtt");
  EXPECT_EQ(path("rttm", "./a.b"), "./a.rttm");
}

TEST(Format, IsFoundByItsName) {
  for (const Format& it : Formats()) EXPECT_EQ(FindFormat(it.name), &it);
  EXPECT_EQ(FindFormat("CSV"), nullptr);
  EXPECT_EQ(FindFormat(""), nullptr);
}

}  // namespace
}  // namespace consort
