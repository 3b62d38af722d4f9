#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "supervisor/check/check_sink.h"
#include "supervisor/check/check_totals.h"
#include "supervisor/check/check_words.h"

namespace consort {
namespace {

CheckedFile Fine(const std::string& name, int64_t samples, int32_t rate = 16'000,
                 int32_t channels = 1, const std::string& container = "wav", uint32_t flags = 0) {
  FileInfo info;
  info.samples = samples;
  info.sample_rate = rate;
  info.channels = channels;
  info.container = container;
  info.flags = flags;
  return {name, "/there/" + name, info, {}, {}};
}

CheckedFile Bad(const std::string& name, ErrorCode code, const std::string& message) {
  return {name, name, {}, code, message};
}

CheckTotals SomeTotals() {
  CheckTotals totals(3'000'000'000, 1'500'000'000);
  totals.Add(Fine("a.wav", 16'000 * 10));  // 1 + ceil(7 / 1.5) = 6 segments
  totals.Add(Fine("b.flac", 44'100 * 7200, 44'100, 2, "flac"));
  totals.Add(Fine("c.wav", 8'000, 16'000, 1, "wav", kHeaderUnfinished));
  for (const char* name : {"d", "e", "f", "g"}) {
    totals.Add(Bad(name, ErrorCode::kTruncated, "the end is missing"));
  }
  totals.Add(Bad("h\\n", ErrorCode::kNotFound, "no such file"));
  return totals;
}

TEST(CheckedFile, ComesBackAsItWentHoweverItIsCut) {
  std::string bytes;
  Append(bytes, Fine("a\nb", 5, 6, 7, "mp4", kHeaderUnfinished));
  const size_t first = bytes.size();
  Append(bytes, Bad("c", ErrorCode::kIo, "broken"));
  CheckedFile placed = Bad("d", ErrorCode::kTruncated, "cut");
  placed.at_ms = 0;
  const size_t second = bytes.size();
  Append(bytes, placed);
  CheckedFile file;
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    std::string_view in = std::string_view(bytes).substr(0, cut);
    int whole = 0;
    while (TakeFirst(in, file)) ++whole;
    EXPECT_EQ(whole, cut < first ? 0 : cut < second ? 1 : 2) << cut;
  }
  std::string_view in = bytes;
  ASSERT_TRUE(TakeFirst(in, file));
  EXPECT_EQ(file.name, "a\nb");
  EXPECT_EQ(file.path, "/there/a\nb");
  ASSERT_TRUE(file.info);
  EXPECT_EQ(file.info->samples, 5);
  EXPECT_EQ(file.info->channels, 7);
  EXPECT_EQ(file.info->container, "mp4");
  EXPECT_FALSE(file.code);
  ASSERT_TRUE(TakeFirst(in, file));
  EXPECT_FALSE(file.info);
  EXPECT_EQ(file.code, ErrorCode::kIo);
  EXPECT_EQ(file.message, "broken");
  EXPECT_FALSE(file.at_ms);
  ASSERT_TRUE(TakeFirst(in, file));
  EXPECT_EQ(file.at_ms, 0);
  EXPECT_FALSE(TakeFirst(in, file));
}

TEST(CheckTotals, CountTheSegmentsOfAllChannelsWhereEachIsHeard) {
  CheckTotals totals(3'000'000'000, 1'500'000'000, true);
  totals.Add(Fine("a.wav", 16'000 * 10, 16'000, 1));
  totals.Add(Fine("b.wav", 16'000 * 10, 16'000, 4));
  EXPECT_EQ(totals.segments(), 6U + 4 * 6U);
  EXPECT_DOUBLE_EQ(totals.seconds(), 20);
  totals.Add(Fine("c.wav", INT64_MAX, 1, 65'535));
  totals.Add(Fine("d.wav", INT64_MAX, 1, 65'535));
  totals.Add(Fine("e.wav", INT64_MAX, 1, 65'535));
  EXPECT_EQ(totals.segments(), UINT64_MAX) << "and not less than before";
}

TEST(CheckTotals, CountWhatIsFineAndKeepTheFirstOfWhatFails) {
  const CheckTotals totals = SomeTotals();
  EXPECT_EQ(totals.files(), 8U);
  EXPECT_EQ(totals.fine(), 3U);
  EXPECT_DOUBLE_EQ(totals.seconds(), 10 + 7200 + 0.5);
  EXPECT_EQ(totals.segments(), 6U + 4799U + 1U);
  EXPECT_EQ(totals.unfinished(), 1U);
  EXPECT_EQ(totals.shortest()->name, "c.wav");
  EXPECT_EQ(totals.longest()->name, "b.flac");
  ASSERT_EQ(totals.failures().size(), 2U);
  const auto& truncated = totals.failures().at(ErrorCode::kTruncated);
  EXPECT_EQ(truncated.files, 4U);
  ASSERT_EQ(truncated.first.size(), 3U);
  EXPECT_EQ(truncated.first[2].name, "f");
  EXPECT_EQ(totals.rates().seen.at(16'000), 2U);
}

TEST(CheckTotals, DoNotGrowWithWhatIsDifferentInEveryFile) {
  CheckTotals totals(0, 0);
  for (int32_t n = 1; n <= 1000; ++n) totals.Add(Fine("a", 100, 1000 + n));
  EXPECT_EQ(totals.rates().seen.size(), 100U);
  EXPECT_EQ(totals.rates().others, 900U);
  EXPECT_EQ(totals.segments(), 0U);
}

TEST(CheckWords, AreAReport) {
  const CheckSetting setting{8, "cnn14", {}, 0, 3'000'000'000, 1'500'000'000, 96.0};
  EXPECT_EQ(CheckReportText(SomeTotals(), setting),
            "files       8 files: 3 fine, 5 would fail\n"
            "sound       2:00:11 hours\n"
            "shortest    0.500 s   \"c.wav\"\n"
            "longest     2:00:00   \"b.flac\"\n"
            "unfinished  1 file with a header that says less than is there, or nothing: all that "
            "is there would be used\n"
            "containers  wav: 2   flac: 1\n"
            "rates       16,000 Hz: 2   44,100 Hz: 1\n"
            "channels    1: 2   2: 1\n"
            "segments    4,806 of 3 s, one every 1.5 s\n"
            "a run       about 0:00:50 hours, at the 96.0 segments/s that \"consort tune\" "
            "measured\n"
            "not_found   1 file\n"
            "  \"h\\n\": not_found: no such file\n"
            "truncated   4 files\n"
            "  \"d\": truncated: the end is missing\n"
            "  \"e\": truncated: the end is missing\n"
            "  \"f\": truncated: the end is missing\n"
            "  …\n"
            "all of them \"consort check --failed FILE\" lists them\n");
}

TEST(CheckWords, SayWhereAllThatFailedAre) {
  CheckTotals totals(0, 0);
  totals.Add(Bad("a", ErrorCode::kIo, "broken"));
  EXPECT_EQ(CheckReportText(totals, {.listed = 1}).find("all of them"), std::string::npos)
      << "it was shown";
  const std::string text = CheckReportText(totals, {.listed = 1, .failed = "f.txt"});
  EXPECT_TRUE(text.ends_with("all of them in the list \"f.txt\"\n")) << text;
  totals.Add(Bad("b", ErrorCode::kIo, "broken"));
  const auto but = [&](uint64_t unlisted) {
    const std::string all =
        CheckReportText(totals, {.listed = 2, .failed = "f.txt", .unlisted = unlisted});
    return all.substr(all.find("\"f.txt\""));
  };
  EXPECT_EQ(but(1), "\"f.txt\", but for 1 with a line feed in its name\n");
  EXPECT_EQ(but(2), "\"f.txt\", but for 2 with a line feed in their names\n");
}

TEST(CheckWords, SayNothingOfAListWhereNothingFailed) {
  CheckTotals totals(0, 0);
  EXPECT_EQ(CheckReportText(totals, {.failed = "f.txt"}).find("all of them"), std::string::npos);
  totals.Add(Fine("a", 48'000));
  EXPECT_EQ(CheckReportText(totals, {.listed = 1, .failed = "f.txt"}).find("all of them"),
            std::string::npos);
}

TEST(CheckWords, SayHowFarItCameAndWhatIsNotKnown) {
  CheckTotals none(0, 0);
  EXPECT_EQ(CheckReportText(none, {}), "files       0 files: 0 fine, 0 would fail\n");
  CheckTotals one(0, 0);
  one.Add(Fine("a.wav", 16'000));
  const std::string text = CheckReportText(one, {.listed = 9});
  EXPECT_NE(text.find("1 of 9 files, as far as it came: 1 fine, 0 would fail"), std::string::npos);
  EXPECT_EQ(text.find("segments"), std::string::npos);
  const std::string bundle =
      CheckReportText(one, {.listed = 1, .bundle = "b", .segment_ns = 1, .hop_ns = 1});
  EXPECT_NE(bundle.find("\"consort tune\" would tell how long it takes"), std::string::npos);
}

TEST(CheckWords, AreJsonALineForEachFile) {
  CheckSetting setting{3, "a \"b\"", {}, 0, 3'000'000'000, 3'000'000'000, {}};
  CheckTotals totals(setting.segment_ns, setting.hop_ns);
  std::string text = CheckJsonBegin(setting);
  bool first = true;
  CheckedFile cut = Fine("cut.wav", 8'000);
  cut.code = ErrorCode::kTruncated;
  cut.message = "it \"ends\"";
  cut.at_ms = 500;
  for (const CheckedFile& file : {Fine("a.wav", 24'000), Bad("b", ErrorCode::kIo, "broken"), cut}) {
    totals.Add(file);
    AppendCheckJson(text, file, first);
    first = false;
  }
  text += CheckJsonEnd(totals, setting);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 5);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["check"], 1);
  EXPECT_EQ(json["bundle"], "a \"b\"");
  EXPECT_EQ(json["complete"], true);
  ASSERT_EQ(json["files"].size(), 3U);
  EXPECT_EQ(json["files"][0],
            nlohmann::json::parse(R"({"file":"a.wav","container":"wav","sample_rate":16000,
              "channels":1,"samples":24000,"seconds":1.5,"unfinished":false})"));
  EXPECT_EQ(json["files"][1],
            nlohmann::json::parse(R"({"file":"b","error":{"code":"io","message":"broken"}})"));
  EXPECT_EQ(json["files"][2]["error"],
            nlohmann::json::parse(R"({"code":"truncated","message":"it \"ends\"","at":0.5})"));
  EXPECT_EQ(json["files"][2]["samples"], 8000);
  EXPECT_EQ(json["total"], nlohmann::json::parse(R"({"files":3,"fine":1,"failed":
              {"truncated":1,"io":1},"audio_seconds":1.5,"unfinished":0,"segments":1,
              "segments_per_second":null})"));
}

TEST(CheckSink, GivesFilesInOrderOfTheListThoughTheyEndInAny) {
  std::vector<std::string> names;
  auto scratch = MakeScratchFile(testing::TempDir());
  ASSERT_TRUE(scratch);
  CheckSink sink(ScratchFile(std::move(scratch).value()), [&names](const CheckedFile& file) {
    names.push_back(file.name);
    return Ok();
  });
  constexpr uint64_t kFiles = 40'000;  // more than the gatherer keeps in memory
  for (uint64_t i = 1; i <= kFiles; ++i) {
    const uint64_t n = i % kFiles;  // the first one last
    OpenFile file;
    file.index = n;
    file.name = std::to_string(n) + std::string(300, '\n');
    file.path = file.name;
    if (n % 2 == 1)
      file.fault = FileFault{n, 0, -1, static_cast<uint32_t>(ErrorCode::kIo), "broken"};
    ASSERT_TRUE(sink.FileDone(file));
  }
  ASSERT_EQ(names.size(), kFiles);
  for (uint64_t n = 0; n < kFiles; ++n) {
    ASSERT_EQ(names[n], std::to_string(n) + std::string(300, '\n'));
  }
  EXPECT_EQ(sink.files_failed(), kFiles / 2);
}

}  // namespace
}  // namespace consort
