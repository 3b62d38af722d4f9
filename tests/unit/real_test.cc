// The whole pipeline of a worker over tiny models: a model prepared for batches must say of each
// segment what the same model says of it alone, whatever is asked for and wherever a fault lies.
#include "worker/real/real_pipeline.h"

#include <fcntl.h>
#include <sys/stat.h>

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
      if (first < end) {
        if (auto fault = pipeline->GoTo(first)) {
          pipeline->Close();
          return {Said(first, *fault)};
        }
      }
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

// Workers that load the model themselves open its code by path, however late they start.
TEST_F(RealTest, ABundleThatWasMadeAgainMeanwhileIsNotLoaded) {
  const std::string folder = Path("bundle");
  std::filesystem::copy(std::string(TINY_MODELS) + "/tags", folder,
                        std::filesystem::copy_options::recursive);
  const Bundle bundle = LoadBundle(folder).value();
  const UniqueFd arena = FillArena(bundle).value();
  const auto factory = RealPipelineFactory::Load(bundle, arena.get(), kLibTorchsChoice, 1).value();
  std::ofstream(folder + "/model.json", std::ios::app) << "\n";
  StageClock clock;
  const auto pipeline = factory->Make(clock);
  ASSERT_FALSE(pipeline);
  EXPECT_EQ(pipeline.error().what, "bundle \"" + folder + "\" was changed while the job ran");
}

// "memory" counts its calls, so segment k's scores are k + 1 wherever it is asked from.
class StatefulTest : public RealTest {
 protected:
  static std::vector<std::string> Counted(int64_t first, int64_t end) {
    std::vector<std::string> lines;
    for (int64_t k = first; k < end; ++k) {
      char score[32];
      std::snprintf(score, sizeof(score), "=%a", static_cast<double>(k + 1));
      lines.push_back(std::to_string(k) + ": 0" + score + " 1" + score + " 2" + score);
    }
    return lines;
  }
  Worker memory_{"memory"};
};

TEST_F(StatefulTest, EverySegmentIsHeardBehindAllOfItsFileThatLieBeforeIt) {
  const std::string path = WriteSound("a.wav", TenSegments());
  EXPECT_EQ(memory_.Lines(path, 0, 100), Counted(0, 11));
  for (int64_t first = 10; first >= 0; --first) {
    EXPECT_EQ(memory_.Lines(path, first, first + 2),
              Counted(first, std::min<int64_t>(first + 2, 11)));
  }
  for (int64_t first = 0; first < 11; first += 3) {  // with gaps
    EXPECT_EQ(memory_.Lines(path, first, first + 1), Counted(first, first + 1));
  }
}

TEST_F(StatefulTest, EachFileBeginsAnew) {
  const std::string path = WriteSound("a.wav", TenSegments());
  const std::string other = WriteSound("b.wav", TenSegments());
  EXPECT_EQ(memory_.Lines(path, 0, 5), Counted(0, 5));
  EXPECT_EQ(memory_.Lines(other, 0, 3), Counted(0, 3));
  EXPECT_EQ(memory_.Lines(path, 5, 7), Counted(5, 7));
  EXPECT_EQ(memory_.Lines(other, 3, 7), Counted(3, 7));
  EXPECT_EQ(memory_.Lines(other, 0, 2), Counted(0, 2)) << "the same file, once more in the list";
}

TEST_F(StatefulTest, WhatStandsBeforeTheSegmentIsNotDoneAgain) {
  const std::string path = WriteSound("a.wav", TenSegments());
  EXPECT_EQ(memory_.Lines(path, 0, 5), Counted(0, 5));
  // Unreadable by now; what lies before segment 5 is not asked for.
  auto sound = TenSegments();
  struct stat before {};
  ASSERT_EQ(stat(path.c_str(), &before), 0);
  sound[2 * kRate] = NAN;
  WriteSound("a.wav", sound);
  const timespec times[] = {before.st_atim, before.st_mtim};
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  EXPECT_EQ(memory_.Lines(path, 5, 8), Counted(5, 8));
  Worker another("memory");
  const std::vector<std::string> fault = {"5 not_finite at " + std::to_string(2 * kRate)};
  EXPECT_EQ(another.Lines(path, 5, 8), fault) << "it has to go through it";
}

TEST_F(StatefulTest, AFileThatWasChangedIsAnotherOne) {
  const std::string path = WriteSound("a.wav", TenSegments());
  EXPECT_EQ(memory_.Lines(path, 0, 5), Counted(0, 5));
  auto sound = TenSegments();
  sound[2 * kRate] = NAN;
  WriteSound("a.wav", sound);
  const timespec times[] = {{0, UTIME_OMIT}, {1, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  EXPECT_EQ(memory_.Lines(path, 5, 8).front().substr(0, 12), "5 not_finite");
}

TEST_F(StatefulTest, AFaultOfReadingEndsTheFileAndNotTheEngine) {
  auto sound = TenSegments();
  sound[4 * kRate] = NAN;
  const std::string path = WriteSound("nan.wav", sound);
  auto expected = Counted(0, 4);
  expected.push_back("4 not_finite at " + std::to_string(4 * kRate));
  EXPECT_EQ(memory_.Lines(path, 0, 100), expected);
  EXPECT_EQ(memory_.Lines(WriteSound("a.wav", TenSegments()), 0, 3), Counted(0, 3));
}

TEST_F(StatefulTest, TheSegmentsThatAreDoneAgainShowInTheEnginesState) {
  const std::string path = WriteSound("a.wav", TenSegments());
  EngineState state{};
  StageClock clock(&state);
  const auto pipeline = memory_.factory->Make(clock).value();
  FileInfo info;
  ASSERT_FALSE(pipeline->Open(path, info).value());
  clock.AtSegment(7, 6);
  ASSERT_FALSE(pipeline->GoTo(6));
  EXPECT_EQ(state.segment, 6U);
  EXPECT_EQ(state.file, 7U);
}

// "memory" as it hears each channel by itself: it counts the calls of every one.
class StatefulChannels : public RealTest {
 protected:
  struct EachWorker : Worker {
    EachWorker() : Worker("memory") {
      bundle.manifest.audio.channels = AudioSpec::Channels::kEach;
      factory = RealPipelineFactory::Load(bundle, arena.get(), 1, 1).value();
      pipeline = factory->Make(clock).value();
    }
  };
  static std::vector<std::string> Counted(int64_t first, int64_t end, int64_t channels) {
    std::vector<std::string> lines;
    for (int64_t s = first; s < end; ++s) {
      char score[32];
      std::snprintf(score, sizeof(score), "=%a", static_cast<double>(s / channels + 1));
      lines.push_back(std::to_string(s) + ": 0" + score + " 1" + score + " 2" + score);
    }
    return lines;
  }
  std::string WriteChannels(const std::string& name, int channels) {
    return Write(name, SF_FORMAT_WAV | SF_FORMAT_FLOAT, Sound(5 * kRate, channels, kRate), channels,
                 kRate);
  }
};

TEST_F(StatefulChannels, HaveAStateEach) {
  EachWorker memory;
  for (const int64_t channels : {2, 3, 1}) {
    const auto name = std::to_string(channels) + ".wav";
    const std::string path = WriteChannels(name, static_cast<int>(channels));
    const int64_t all = 5 * channels;
    EXPECT_EQ(memory.Lines(path, 0, 100), Counted(0, all, channels));
    for (int64_t first = all - 1; first >= 0; --first) {
      const int64_t end = std::min(first + 2, all);
      EXPECT_EQ(memory.Lines(path, first, first + 2), Counted(first, end, channels));
    }
    for (int64_t first = 0; first < all; first += 3) {  // with gaps
      EXPECT_EQ(memory.Lines(path, first, first + 1), Counted(first, first + 1, channels));
    }
  }
}

TEST_F(StatefulChannels, BeginAnewWithEachFile) {
  EachWorker memory;
  const std::string two = WriteChannels("two.wav", 2);
  const std::string three = WriteChannels("three.wav", 3);
  EXPECT_EQ(memory.Lines(two, 0, 5), Counted(0, 5, 2));
  EXPECT_EQ(memory.Lines(three, 0, 4), Counted(0, 4, 3));
  EXPECT_EQ(memory.Lines(two, 5, 10), Counted(5, 10, 2));
  EXPECT_EQ(memory.Lines(three, 4, 9), Counted(4, 9, 3));
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
