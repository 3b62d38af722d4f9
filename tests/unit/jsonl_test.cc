#include <gtest/gtest.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "supervisor/output/jsonl.h"
#include "supervisor/output/utf8.h"

namespace consort {
namespace {

std::string ScoreText(float score) {
  char text[kMaxScoreBytes];
  return std::string(text, WriteScore(text, score));
}

// What a correctly rounding conversion says, less the sign of a zero.
std::string Reference(float score) {
  char text[64];
  std::string exact(
      text, std::to_chars(text, text + sizeof(text), score, std::chars_format::fixed, 4).ptr);
  return exact == "-0.0000" ? "0.0000" : exact;
}

TEST(Score, HasFourDecimals) {
  EXPECT_EQ(ScoreText(0.9312F), "0.9312");
  EXPECT_EQ(ScoreText(0), "0.0000");
  EXPECT_EQ(ScoreText(1), "1.0000");
  EXPECT_EQ(ScoreText(0.99995F), "0.9999");  // the float lies just below
  EXPECT_EQ(ScoreText(0.99996F), "1.0000");
  EXPECT_EQ(ScoreText(-12.34567F), "-12.3457");
  EXPECT_EQ(ScoreText(123456.789F), "123456.7891");
}

TEST(Score, OfNothingHasNoSign) {
  EXPECT_EQ(ScoreText(-0.0F), "0.0000");
  EXPECT_EQ(ScoreText(-0.00004F), "0.0000");
  EXPECT_EQ(ScoreText(-0.00006F), "-0.0001");
  EXPECT_EQ(ScoreText(-std::numeric_limits<float>::denorm_min()), "0.0000");
}

TEST(Score, HalfWayGoesToTheEvenDigit) {
  EXPECT_EQ(ScoreText(0.03125F), "0.0312");  // exactly 312.5 ten-thousandths
  EXPECT_EQ(ScoreText(0.09375F), "0.0938");  // exactly 937.5
  EXPECT_EQ(ScoreText(-0.03125F), "-0.0312");
}

TEST(Score, ThatIsNotFiniteIsNull) {
  EXPECT_EQ(ScoreText(std::numeric_limits<float>::quiet_NaN()), "null");
  EXPECT_EQ(ScoreText(-std::numeric_limits<float>::infinity()), "null");
}

TEST(Score, EqualsTheExactConversionForFloatsOfEveryKind) {
  std::mt19937 random(1);
  const auto check = [](float score) { ASSERT_EQ(ScoreText(score), Reference(score)) << score; };
  for (int i = 0; i < 400'000; ++i) {
    const auto bits = static_cast<uint32_t>(random());
    float any;
    std::memcpy(&any, &bits, sizeof(any));
    if (std::isfinite(any)) check(any);
    check(static_cast<float>(bits) * 0x1p-32F);                        // in [0, 1]
    check(static_cast<float>(static_cast<int32_t>(bits)) * 0x1p-24F);  // a logit
  }
  // Every tie between two scores, and the floats beside it.
  for (int i = 0; i <= 20'000; ++i) {
    const float tie = (static_cast<float>(i) + 0.5F) / 10'000.0F;
    for (const float near : {std::nextafter(tie, 0.0F), tie, std::nextafter(tie, 3.0F)}) {
      check(near);
      check(-near);
    }
  }
  for (const float edge :
       {1e9F, std::nextafter(1e9F, 0.0F), std::numeric_limits<float>::max(),
        std::numeric_limits<float>::lowest(), std::numeric_limits<float>::min()}) {
    check(edge);
  }
}

TEST(TagsLine, IsWrittenByteForByteAsInTheContract) {
  const JsonlFormatter formatter({"music", "speech"});
  std::string out;
  formatter.AppendTags(out, "a.wav", 0, 3000, 6000, std::array{Tag{1, 0.9312F}});
  EXPECT_EQ(out,
            "{\"file\":\"a.wav\",\"start\":3.000,\"end\":6.000,"
            "\"tags\":[{\"label\":\"speech\",\"score\":0.9312}]}\n");
  formatter.AppendTags(out, "b.wav", 0, 0, 2480, {});
  EXPECT_TRUE(out.ends_with("}\n{\"file\":\"b.wav\",\"start\":0.000,\"end\":2.480,\"tags\":[]}\n"));
  out.clear();
  formatter.AppendTags(out, "c", 0, 86'400'007, 360'000'000'010,
                       std::array{Tag{0, 1.0F}, Tag{1, -0.0F}});
  EXPECT_EQ(out,
            "{\"file\":\"c\",\"start\":86400.007,\"end\":360000000.010,\"tags\":["
            "{\"label\":\"music\",\"score\":1.0000},{\"label\":\"speech\",\"score\":0.0000}]}\n");
}

TEST(TagsLine, SaysWhichChannelBehindTheFile) {
  const JsonlFormatter formatter({"music"});
  std::string out;
  formatter.AppendTags(out, "a.wav", 2, 0, 1000, std::array{Tag{0, 0.5F}});
  EXPECT_EQ(out,
            "{\"file\":\"a.wav\",\"channel\":2,\"start\":0.000,\"end\":1.000,"
            "\"tags\":[{\"label\":\"music\",\"score\":0.5000}]}\n");
  out.clear();
  formatter.AppendTags(out, "", std::numeric_limits<int64_t>::max(), 0, 0, {});
  EXPECT_EQ(out,
            "{\"file\":\"\",\"channel\":9223372036854775807,\"start\":0.000,\"end\":0.000,"
            "\"tags\":[]}\n");
  out.clear();
  formatter.AppendError(out, "a.wav", 3, ErrorCode::kCrashed, "it died", 1000);
  EXPECT_EQ(out,
            "{\"file\":\"a.wav\",\"channel\":3,\"error\":{\"code\":\"crashed\","
            "\"message\":\"it died\",\"at\":1.000}}\n");
}

TEST(TagsLine, EscapesLabels) {
  const JsonlFormatter formatter({"a \"b\"\\\n", "", "caf\xc3\xa9"});
  std::string out;
  formatter.AppendTags(out, "x", 0, 0, 0, std::array{Tag{0, 0}, Tag{1, 0}, Tag{2, 0}});
  const auto parsed = nlohmann::json::parse(out);
  EXPECT_EQ(parsed["tags"][0]["label"], "a \"b\"\\\n");
  EXPECT_EQ(parsed["tags"][1]["label"], "");
  EXPECT_EQ(parsed["tags"][2]["label"], "caf\xc3\xa9");
}

TEST(TagsLine, HasRoomForTheLongestNumbers) {
  const JsonlFormatter formatter({"l"});
  const float lowest = std::numeric_limits<float>::lowest();
  std::string out;
  formatter.AppendTags(out, "x", 0, std::numeric_limits<int64_t>::min(),
                       std::numeric_limits<int64_t>::max(),
                       std::vector<Tag>(kMaxTags, Tag{0, lowest}));
  EXPECT_NE(out.find("\"start\":-9223372036854775.808,\"end\":9223372036854775.807,"),
            std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(out)["tags"].size(), kMaxTags);
}

TEST(ErrorLine, IsWrittenByteForByteAsInTheContract) {
  const JsonlFormatter formatter({});
  std::string out;
  formatter.AppendError(out, "c.mp3", 0, ErrorCode::kTruncated, "ends \"early\"", 61'440);
  EXPECT_EQ(out,
            "{\"file\":\"c.mp3\",\"error\":{\"code\":\"truncated\",\"message\":\"ends "
            "\\\"early\\\"\",\"at\":61.440}}\n");
  out.clear();
  formatter.AppendError(out, "c.mp3", 0, ErrorCode::kNotFound, "no such file", std::nullopt);
  EXPECT_EQ(out,
            "{\"file\":\"c.mp3\",\"error\":{\"code\":\"not_found\",\"message\":\"no such "
            "file\"}}\n");
}

TEST(Name, KeepsValidUtf8AndEscapesWhatJsonMust) {
  EXPECT_EQ(JsonlFormatter::EscapeName("a b/c.wav"), "a b/c.wav");
  EXPECT_EQ(JsonlFormatter::EscapeName("\"\\/"), "\\\"\\\\/");
  EXPECT_EQ(JsonlFormatter::EscapeName("\b\f\n\r\t\x01\x1f\x7f"),
            "\\b\\f\\n\\r\\t\\u0001\\u001f\x7f");
  const std::string good = "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8e\xbb \xed\x9f\xbf \xf4\x8f\xbf\xbf";
  EXPECT_EQ(JsonlFormatter::EscapeName(good), good);
}

TEST(Name, EscapesEachByteThatIsNotUtf8) {
  EXPECT_EQ(JsonlFormatter::EscapeName("\xff\xfe.wav"), "\\udcff\\udcfe.wav");
  EXPECT_EQ(JsonlFormatter::EscapeName("\xe2\x82"), "\\udce2\\udc82");
  EXPECT_EQ(JsonlFormatter::EscapeName("\xe2\x82z"), "\\udce2\\udc82z");
  EXPECT_EQ(JsonlFormatter::EscapeName("\xc3\xc3\xa9"), "\\udcc3\xc3\xa9");
  EXPECT_EQ(JsonlFormatter::EscapeName("\xed\xa0\x80"), "\\udced\\udca0\\udc80");  // surrogate
  EXPECT_EQ(JsonlFormatter::EscapeName("\xc0\xaf"), "\\udcc0\\udcaf");             // overlong
  EXPECT_EQ(JsonlFormatter::EscapeName("\xf4\x90\x80\x80"), "\\udcf4\\udc90\\udc80\\udc80");
}

// The decoder below knows UTF-8 by arithmetic, not by the table of the code under test.
TEST(Utf8, AcceptsExactlyTheEncodingsOfAllCharacters) {
  uint64_t accepted = 0;
  const auto try_all = [&accepted](auto&& self, std::string prefix, int more) -> void {
    if (more == 0) {
      if (Utf8SequenceLength(prefix) == prefix.size()) {
        ++accepted;
        uint32_t value = static_cast<unsigned char>(prefix[0]) & (0x7fU >> prefix.size());
        for (size_t i = 1; i < prefix.size(); ++i) {
          value = value << 6 | (static_cast<unsigned char>(prefix[i]) & 0x3fU);
        }
        const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        ASSERT_TRUE(value >= least[prefix.size()] && value <= 0x10ffff &&
                    (value < 0xd800 || value > 0xdfff));
      }
      return;
    }
    for (int byte = 0x78; byte < 0x100; byte += 1) {
      if (byte < 0x80 && byte > 0x78) continue;
      self(self, prefix + static_cast<char>(byte), more - 1);
    }
  };
  for (int first = 0xc0; first < 0x100; ++first) {
    const std::string start(1, static_cast<char>(first));
    try_all(try_all, start, 1);
    try_all(try_all, start, 2);
    if (first >= 0xee) try_all(try_all, start, 3);
  }
  // 2, 3 and 4 bytes: all characters from U+0080 on but the surrogates.
  EXPECT_EQ(accepted, 0x110000U - 0x80U - 0x800U);
}

}  // namespace
}  // namespace consort
