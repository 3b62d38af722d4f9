// The whole pipeline of a worker over tiny models: a model prepared for batches must say of each
// segment what the same model says of it alone, whatever is asked for and wherever a fault lies.
#include "worker/real/real_pipeline.h"

#include "read_sounds.h"
#include "shared/arena/arena.h"
#include "shared/record/error_code.h"
#include "tiny_model.h"
#include "worker/stage/stage_clock.h"

namespace consort {
namespace {

constexpr int32_t kRate = 800;  // of the tiny models; a segment is a second

class RealTest : public ReadTest {
 protected:
  struct Worker {
    explicit Worker(const std::string& name)
        : bundle(LoadBundle(std::string(TINY_MODELS) + "/" + name).value()),
          arena(FillArena(bundle).value()),
          factory(RealPipelineFactory::Load(bundle, arena.get(), 1, 1).value()),
          pipeline(factory->Make(clock).value()) {}

    // Lines of segments first <= … < end as an engine would publish them.
    std::vector<std::string> Lines(const std::string& path, int64_t first, int64_t end) {
      std::vector<std::string> lines;
      FileInfo info;
      if (auto fault = pipeline->Open(path, info).value()) return {Said(-1, *fault)};
      end = std::min(end, pipeline->SegmentCount());
      for (int64_t k = first; k < end; ++k) {
        SegmentResult result;
        if (auto fault = pipeline->Run(k, end, result)) {
          lines.push_back(Said(k, *fault));
          break;
        }
        std::string line = std::to_string(k) + ":";
        for (const auto& tag : std::get<SegmentTags>(result).tags) {
          char score[32];
          std::snprintf(score, sizeof(score), " %u=%a", tag.label, static_cast<double>(tag.score));
          line += score;
        }
        lines.push_back(line);
      }
      pipeline->Close();
      return lines;
    }

    static std::string Said(int64_t k, const FileFault& fault) {
      return std::to_string(k) + " " +
             std::string(ErrorCodeName(static_cast<ErrorCode>(fault.code))) + " at " +
             std::to_string(fault.at_sample);
    }

    StageClock clock;
    Bundle bundle;
    UniqueFd arena;
    std::unique_ptr<RealPipelineFactory> factory;
    std::unique_ptr<Pipeline> pipeline;
  };

  // Ten segments and a bit.
  std::vector<float> TenSegments() { return Sound(10 * kRate + 100, 1, kRate); }
  std::string WriteSound(const std::string& name, const std::vector<float>& sound) {
    return Write(name, SF_FORMAT_WAV | SF_FORMAT_FLOAT, sound, 1, kRate);
  }

  Worker one_{"packed"};
  Worker four_{"packed-4"};
};

TEST_F(RealTest, ABatchedModelSaysOfEveryRangeWhatItSaysOfEachSegmentAlone) {
  ASSERT_EQ(four_.pipeline->batch(), 4);
  const std::string path = WriteSound("a.wav", TenSegments());
  const auto all = one_.Lines(path, 0, 100);
  ASSERT_EQ(all.size(), 11U);
  for (int64_t first = 0; first < 11; ++first) {
    for (int64_t end = first + 1; end <= 12; ++end) {
      const std::vector<std::string> expected(all.begin() + first,
                                              all.begin() + std::min<int64_t>(end, 11));
      EXPECT_EQ(four_.Lines(path, first, end), expected) << first << " to " << end;
    }
  }
}

TEST_F(RealTest, AFileWithNothingOfTheLastOneInIt) {
  const auto sound = TenSegments();
  const std::string path = WriteSound("a.wav", sound);
  const std::string other = WriteSound("b.wav", {sound.begin() + 700, sound.begin() + 3200});
  const auto expected = one_.Lines(other, 0, 9);
  four_.Lines(path, 0, 2);  // leaves a group begun
  EXPECT_EQ(four_.Lines(other, 0, 9), expected);
}

TEST_F(RealTest, TheLinesBeforeAFaultOfReadingStandWhereverItLiesInAGroup) {
  for (int64_t bad = 0; bad < 9; ++bad) {
    auto sound = TenSegments();
    sound[static_cast<size_t>(bad * kRate + 400)] = NAN;
    const std::string path = WriteSound("nan.wav", sound);
    const auto expected = one_.Lines(path, 0, 100);
    ASSERT_EQ(expected.size(), static_cast<size_t>(bad + 1));
    ASSERT_NE(expected.back().find(" at " + std::to_string(bad * kRate + 400)), std::string::npos)
        << expected.back();
    for (int64_t first = 0; first <= bad; ++first) {
      EXPECT_EQ(four_.Lines(path, first, 100),
                std::vector<std::string>(expected.begin() + first, expected.end()))
          << "bad segment " << bad << ", from " << first;
    }
  }
}

TEST_F(RealTest, AModelThatFailsAtOneSegmentOfAGroupIsToldForThatOneAlone) {
  for (int64_t bad = 0; bad < 9; ++bad) {
    auto sound = TenSegments();
    sound[static_cast<size_t>(bad * kRate + 400)] = 100.0F;
    const std::string path = WriteSound("loud.wav", sound);
    const auto expected = one_.Lines(path, 0, 100);
    ASSERT_EQ(expected.size(), static_cast<size_t>(bad + 1));
    ASSERT_EQ(expected.back(), std::to_string(bad) + " model at -1");
    for (int64_t first = 0; first <= bad; ++first) {
      EXPECT_EQ(four_.Lines(path, first, 100),
                std::vector<std::string>(expected.begin() + first, expected.end()))
          << "bad segment " << bad << ", from " << first;
    }
    EXPECT_EQ(four_.Lines(path, 0, bad), one_.Lines(path, 0, bad)) << "not asked for, not told";
  }
}

TEST_F(RealTest, AGroupIsReadAndRunOnce) {
  const std::string path = WriteSound("a.wav", TenSegments());
  FileInfo info;
  ASSERT_FALSE(four_.pipeline->Open(path, info).value());
  SegmentResult result;
  ASSERT_FALSE(four_.pipeline->Run(0, 4, result));
  four_.clock.Enter(Stage::kWaiting);
  four_.clock.TakeSpent();
  for (int64_t k = 1; k < 4; ++k) ASSERT_FALSE(four_.pipeline->Run(k, 4, result));
  const auto spent = four_.clock.TakeSpent();
  EXPECT_EQ(spent[static_cast<size_t>(Stage::kForward)], 0);
  EXPECT_EQ(spent[static_cast<size_t>(Stage::kRead)], 0);
  EXPECT_EQ(spent[static_cast<size_t>(Stage::kFeatures)], 0);
}

}  // namespace
}  // namespace consort
