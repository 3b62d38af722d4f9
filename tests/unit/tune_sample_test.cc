#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "supervisor/gather/scratch_file.h"
#include "supervisor/plan/operands.h"
#include "supervisor/tune/sample.h"
#include "supervisor/tune/trial_figures.h"

namespace consort {
namespace {

class SampleTest : public testing::Test {
 protected:
  SampleTest() {
    std::string name = testing::TempDir() + "/consort-sample-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~SampleTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + '/' + name, std::ios::binary) << text;
    return folder_ + '/' + name;
  }
  Result<Sample> Take(const std::vector<std::string>& operands) {
    auto list = SpoolOperands(operands, MakeScratchFile(folder_).value());
    EXPECT_TRUE(list);
    return Sample::Take(*list.value());
  }
  // Of so many files, named by their numbers.
  Sample TakeOf(int files) {
    std::string text;
    for (int i = 0; i < files; ++i) text += "/a/" + std::to_string(i) + ".wav\n";
    return Take({Write("list.txt", text)}).value();
  }

  std::string folder_;
};

int NumberOf(const std::string& path) { return std::stoi(path.substr(3)); }

TEST_F(SampleTest, TakesAllOfAFewFiles) {
  auto paths = TakeOf(5).paths();
  std::ranges::sort(paths);
  EXPECT_EQ(paths,
            (std::vector<std::string>{"/a/0.wav", "/a/1.wav", "/a/2.wav", "/a/3.wav", "/a/4.wav"}));
}

TEST_F(SampleTest, SpreadsEvenlyOverManyFilesAndSoDoesEachBeginning) {
  constexpr int kFiles = 10'000;
  const auto paths = TakeOf(kFiles).paths();
  ASSERT_EQ(paths.size(), Sample::kMostFiles);
  for (const size_t beginning : {16U, 64U, 256U}) {
    std::map<int, int> in_eighth;
    for (size_t i = 0; i < beginning; ++i) ++in_eighth[NumberOf(paths[i]) * 8 / kFiles];
    ASSERT_EQ(in_eighth.size(), 8U) << beginning;
    for (const auto& [eighth, count] : in_eighth) {
      EXPECT_EQ(count, static_cast<int>(beginning) / 8) << beginning << ' ' << eighth;
    }
  }
}

TEST_F(SampleTest, TakesFromEveryOperandByAbsolutePath) {
  Write("one.wav", "");
  const std::string list = Write("l.txt", "two.wav\n");
  const auto paths = Take({folder_, list, "three.flac"}).value().paths();
  ASSERT_EQ(paths.size(), 3U);
  EXPECT_NE(std::ranges::find(paths, folder_ + "/one.wav"), paths.end());
  EXPECT_NE(std::ranges::find(paths, folder_ + "/two.wav"), paths.end());
  EXPECT_NE(std::ranges::find(paths, std::filesystem::current_path().string() + "/three.flac"),
            paths.end());
}

TEST_F(SampleTest, PassesOverNamesThatNoListCanHold) {
  const auto paths = Take({"/a/b\nc.wav", "/a/good.wav"}).value().paths();
  EXPECT_EQ(paths, std::vector<std::string>{"/a/good.wav"});
  EXPECT_FALSE(Take({"/a/b\nc.wav"}));
  EXPECT_FALSE(Take({Write("empty.txt", "")}));
}

TEST_F(SampleTest, WritesAListThatIsLongEnoughAndHasAllEquallyOften) {
  const Sample sample = TakeOf(3);
  const std::string list = folder_ + "/out.txt";
  ASSERT_TRUE(sample.WriteList(list, 100));
  std::map<std::string, int> times;
  int lines = 0;
  std::ifstream file(list);
  for (std::string line; std::getline(file, line); ++lines) ++times[line];
  EXPECT_GE(lines, 100);
  EXPECT_EQ(times.size(), 3U);
  for (const auto& [path, count] : times) EXPECT_EQ(count, lines / 3);
}

TEST_F(SampleTest, LeavesOutWhatGaveOnlyErrors) {
  Sample sample = TakeOf(6);
  const std::string results = Write("out.jsonl",
                                    R"({"file":"/a/0.wav","start":0.000,"end":1.000,"tags":[]}
{"file":"/a/1.wav","error":{"code":"not_found","message":"no such file"}}
{"file":"/a/2.wav","start":0.000,"end":1.000,"tags":[]}
{"file":"/a/2.wav","error":{"code":"truncated","message":"ends early","at":1.000}}
{"file":"/a/3.wav","start":0.000,"end":1.000,"tags":[]}
{"file":"/a/3.wav","error":{"code":"crashed","message":"signal 11","at":1.000}}
{"file":"/a/5.wav","channel":1,"start":0.000,"end":1.000,"tags":[]}
{"file":"/a/5.wav","channel":12,"error":{"code":"crashed","message":"signal 11","at":0.000}}
{"file":"/a/4.wav","sta)");
  const auto left_out = sample.LeaveOutFailures(results);
  ASSERT_TRUE(left_out);
  EXPECT_EQ(left_out.value(), 3U)
      << "the missing one and those that crash, in one channel or in all";
  auto paths = sample.paths();
  std::ranges::sort(paths);
  EXPECT_EQ(paths, (std::vector<std::string>{"/a/0.wav", "/a/2.wav", "/a/4.wav"}));
}

TEST_F(SampleTest, SaysSoIfEveryFileFails) {
  Sample sample = Take({"/a/x\"y\xff.wav"}).value();
  // As the results have that name.
  const auto none = sample.LeaveOutFailures(Write(
      "out.jsonl",
      "{\"file\":\"/a/x\\\"y\\udcff.wav\",\"error\":{\"code\":\"empty\",\"message\":\"m\"}}\n"));
  ASSERT_FALSE(none);
  EXPECT_TRUE(none.error().what.starts_with("the one file that was sampled gives no result: "));
  EXPECT_NE(none.error().what.find("empty"), std::string::npos);
  Sample two = Take({"/a/1.wav", "/a/2.wav"}).value();
  const auto neither = two.LeaveOutFailures(
      Write("two.jsonl",
            "{\"file\":\"/a/1.wav\",\"error\":{\"code\":\"empty\",\"message\":\"m\"}}\n"
            "{\"file\":\"/a/2.wav\",\"error\":{\"code\":\"empty\",\"message\":\"m\"}}\n"));
  ASSERT_FALSE(neither);
  EXPECT_EQ(neither.error().what,
            "none of the 2 files that were sampled gives a result; the first: \"/a/1.wav\": "
            "empty, m");
}

TEST(Figures, AreReadWithWhateverIsNotKnown) {
  const auto figures = ParseFigures(
      R"({"figures":1,"complete":true,"ready_s":0.5,"window":{"seconds":3.0},
          "segments":{"counted":420,"per_second":141.5,"spread":null},
          "latency_ms":{"p95":14.25},"memory":{"peak_pss_bytes":325058560}})",
      "f");
  ASSERT_TRUE(figures);
  EXPECT_TRUE(figures.value().complete);
  EXPECT_EQ(figures.value().counted, 420);
  EXPECT_DOUBLE_EQ(figures.value().per_second, 141.5);
  EXPECT_DOUBLE_EQ(figures.value().spread, 0);
  EXPECT_DOUBLE_EQ(figures.value().p95_ms, 14.25);
  EXPECT_EQ(figures.value().peak_bytes, 325058560);
  EXPECT_FALSE(ParseFigures("", "f"));
  EXPECT_FALSE(ParseFigures("[]", "f"));
  EXPECT_FALSE(ParseFigures("{}", "f"));
}

}  // namespace
}  // namespace consort
