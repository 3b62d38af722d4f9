#include <gtest/gtest.h>

#include <string>

#include "supervisor/formats/parse_line.h"
#include "supervisor/output/jsonl.h"

namespace consort {
namespace {

ResultLine Parse(std::string_view text) {
  ResultLine line;
  const Status parsed = ParseResultLine(text, line);
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().what);
  return line;
}

std::string WhyNot(std::string_view text) {
  ResultLine line;
  const Status parsed = ParseResultLine(text, line);
  EXPECT_FALSE(parsed) << text;
  return parsed ? "" : parsed.error().what;
}

TEST(ParseResultLine, TakesTags) {
  const std::string text =
      R"({"file":"a.wav","start":3.000,"end":6.000,"tags":[{"label":"speech","score":0.9312},)"
      R"({"label":"a \"b\"","score":-12.0000}]})";
  const ResultLine line = Parse(text);
  EXPECT_EQ(line.kind, ResultLine::Kind::kTags);
  EXPECT_EQ(line.file, "a.wav");
  EXPECT_EQ(line.start_ms, 3000);
  EXPECT_EQ(line.end_ms, 6000);
  ASSERT_EQ(line.tags.size(), 2U);
  EXPECT_EQ(line.tags[0].label, "speech");
  EXPECT_EQ(line.tags[0].score, 0.9312);
  EXPECT_EQ(line.tags[1].label, "a \"b\"");
  EXPECT_EQ(line.tags[1].score, -12.0);
  EXPECT_EQ(line.raw, text);
  EXPECT_TRUE(Parse(R"({"file":"a","start":0.000,"end":1.000,"tags":[]})").tags.empty());
  const auto none =
      Parse(R"({"file":"a","start":0.000,"end":1.000,"tags":[{"label":"x","score":null}]})");
  EXPECT_EQ(none.tags.at(0).score, std::nullopt);
}

TEST(ParseResultLine, TakesTranscriptsWithAndWithoutWords) {
  const ResultLine line = Parse(R"({"file":"b.flac","start":0.000,"end":2.480,"text":"two seven",)"
                                R"("words":[{"word":"two","start":0.420,"end":0.700},)"
                                R"({"word":"seven","start":0.71,"end":1.2,"score":0.5}]})");
  EXPECT_EQ(line.kind, ResultLine::Kind::kTranscript);
  EXPECT_EQ(line.text, "two seven");
  ASSERT_EQ(line.words.size(), 2U);
  EXPECT_EQ(line.words[0].word, "two");
  EXPECT_EQ(line.words[0].start_ms, 420);
  EXPECT_EQ(line.words[0].end_ms, 700);
  EXPECT_EQ(line.words[0].score, std::nullopt);
  EXPECT_EQ(line.words[1].score, 0.5);
  EXPECT_TRUE(Parse(R"({"file":"b","start":0.000,"end":2.480,"text":""})").words.empty());
}

TEST(ParseResultLine, TakesEvents) {
  const ResultLine line = Parse(R"({"file":"a","start":0.000,"end":30.000,"events":[)"
                                R"({"label":"speech","start":0.420,"end":31.700,"score":0.9312},)"
                                R"({"label":"x","start":1.000,"end":1.000,"score":null}]})");
  EXPECT_EQ(line.kind, ResultLine::Kind::kEvents);
  EXPECT_EQ(line.end_ms, 30'000);
  ASSERT_EQ(line.events.size(), 2U);
  EXPECT_EQ(line.events[0].label, "speech");
  EXPECT_EQ(line.events[0].start_ms, 420);
  EXPECT_EQ(line.events[0].end_ms, 31'700);
  EXPECT_EQ(line.events[0].score, 0.9312);
  EXPECT_EQ(line.events[1].score, std::nullopt);
  EXPECT_TRUE(Parse(R"({"file":"b","start":0.000,"end":2.480,"events":[]})").events.empty());
  ResultLine other;
  EXPECT_FALSE(ParseResultLine(
      R"({"file":"b","start":0,"end":1,"events":[{"label":"x","start":1,"end":1}]})", other));
  EXPECT_FALSE(ParseResultLine(R"({"file":"b","start":0,"end":1,"events":[],"tags":[]})", other));
}

TEST(ParseResultLine, TakesErrorsWithAndWithoutAPlace) {
  const ResultLine line =
      Parse(R"({"file":"c.mp3","error":{"code":"truncated","message":"it ends","at":61.440}})");
  EXPECT_EQ(line.kind, ResultLine::Kind::kError);
  EXPECT_EQ(line.code, "truncated");
  EXPECT_EQ(line.message, "it ends");
  EXPECT_EQ(line.at_ms, 61'440);
  EXPECT_EQ(Parse(R"({"file":"c","error":{"code":"empty","message":"m"}})").at_ms, std::nullopt);
}

TEST(ParseResultLine, TakesChannels) {
  EXPECT_EQ(Parse(R"({"file":"a","channel":2,"start":0.000,"end":1.000,"tags":[]})").channel, 2);
  EXPECT_EQ(Parse(R"({"file":"a","channel":64,"error":{"code":"x","message":"m"}})").channel, 64);
  for (const char* number :
       {"0", "-1", "1.0", "\"1\"", "null", "1000001", "1e99", "18446744073709551616"}) {
    EXPECT_EQ(WhyNot(R"({"file":"a","channel":)" + std::string(number) +
                     R"(,"start":0.000,"end":1.000,"tags":[]})"),
              "\"channel\" is no channel's number")
        << number;
  }
  ResultLine line;
  ASSERT_TRUE(ParseResultLine(R"({"file":"a","channel":2,"start":0,"end":1,"tags":[]})", line));
  ASSERT_TRUE(ParseResultLine(R"({"file":"a","start":0,"end":1,"tags":[]})", line));
  EXPECT_EQ(line.channel, 0) << "of the line before";
}

TEST(ParseResultLine, LeavesNothingOfTheLineBefore) {
  ResultLine line;
  ASSERT_TRUE(ParseResultLine(R"({"file":"c","error":{"code":"x","message":"m","at":1}})", line));
  ASSERT_TRUE(ParseResultLine(R"({"file":"c","error":{"code":"x","message":"m"}})", line));
  EXPECT_EQ(line.at_ms, std::nullopt);
  ASSERT_TRUE(ParseResultLine(
      R"({"file":"b","start":0,"end":1,"text":"a","words":[{"word":"a","start":0,"end":1}]})",
      line));
  ASSERT_TRUE(ParseResultLine(R"({"file":"b","start":0,"end":1,"text":"a"})", line));
  EXPECT_TRUE(line.words.empty());
}

// Whatever the writer of results makes of a name, the reader makes the name of it again.
TEST(ParseResultLine, GivesBackEveryNameThatWasWritten) {
  for (const std::string& name :
       {std::string("a\xff\xfe/b.wav"), std::string("\\udcff literally"),
        std::string("\\\\u0000\\"), std::string("\x01\t\n\r\x7f\"\\/"),
        std::string("caf\xc3\xa9 \xf0\x9f\x92\x80"), std::string("\xed\xb3\xbf"),
        std::string("half \xe2\x82"), std::string("\xc3")}) {
    const ResultLine line = Parse("{\"file\":\"" + JsonlFormatter::EscapeName(name) +
                                  "\",\"start\":0.000,\"end\":1.000,\"tags\":[]}");
    EXPECT_EQ(line.file, name) << JsonlFormatter::EscapeName(name);
  }
}

TEST(ParseResultLine, RefusesWhatConsortDoesNotWrite) {
  EXPECT_EQ(WhyNot(""), "it is no JSON");
  EXPECT_EQ(WhyNot("{\"file\":\"a\""), "it is no JSON");
  EXPECT_EQ(WhyNot("\"a\""), "it is no object");
  EXPECT_EQ(WhyNot("{}"), "it has no \"file\"");
  EXPECT_EQ(WhyNot(R"({"file":1})"), "\"file\" is no string");
  EXPECT_EQ(WhyNot(R"({"file":"a"})"), "it has no \"start\"");
  EXPECT_EQ(WhyNot(R"({"file":"a","start":"0","end":1,"tags":[]})"),
            "\"start\" is no time in seconds");
  EXPECT_EQ(WhyNot(R"({"file":"a","start":1e99,"end":1,"tags":[]})"),
            "\"start\" is no time in seconds");
  EXPECT_EQ(WhyNot(R"({"file":"a","start":0,"end":1})"), "it has no \"tags\"");
  EXPECT_EQ(WhyNot(R"({"file":"a","start":0,"end":1,"tags":{}})"), "\"tags\" is no array");
  EXPECT_EQ(WhyNot(R"({"file":"a","start":0,"end":1,"tags":[3]})"), "a tag is no object");
  EXPECT_EQ(WhyNot(R"({"file":"a","start":0,"end":1,"tags":[{"label":"x"}]})"),
            "a tag has no \"score\"");
  EXPECT_EQ(WhyNot(R"({"file":"a","start":0,"end":1,"tags":[],"more":1})"),
            "it has a key that is unknown");
  EXPECT_EQ(WhyNot(R"({"file":"a","start":0,"end":1,"tags":[],"text":"x"})"),
            "it has a key that is unknown");
  EXPECT_EQ(WhyNot(R"({"file":"a","error":{"code":"x"}})"), "the error has no \"message\"");
  EXPECT_EQ(WhyNot(R"({"file":"a\u0000b","start":0,"end":1,"tags":[]})"), "it has a NUL in it");
  EXPECT_EQ(WhyNot("{\"file\":\"\xff\",\"start\":0,\"end\":1,\"tags\":[]}"), "it is no JSON");
  EXPECT_EQ(WhyNot(R"({"file":"\ud800","start":0,"end":1,"tags":[]})"), "it is no JSON");
  EXPECT_EQ(WhyNot(R"({"file":"\udc41","start":0,"end":1,"tags":[]})"), "it is no JSON");
}

}  // namespace
}  // namespace consort
