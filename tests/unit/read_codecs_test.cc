// Codecs with memory: MP3, Vorbis, Opus, ADPCM. What is heard does not depend on where a task
// begins, and is what a decoder gives that came all the way.
#include <algorithm>
#include <map>
#include <numeric>
#include <thread>
#include <utility>

#include "read_sounds.h"

namespace consort {
namespace {

struct Codec {
  const char* name;
  int format;
  int32_t rate;
  float worst;  // difference from one decode of the whole file
};

const Codec kCodecs[] = {
    {"mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 44100, 1e-6f},
    {"vorbis", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 44100, 1e-6f},
    {"opus", SF_FORMAT_OGG | SF_FORMAT_OPUS, 48000, 1e-4f},
    {"ima", SF_FORMAT_WAV | SF_FORMAT_IMA_ADPCM, 44100, 0.0f},
};

class ReadCodecs : public ReadTest {
 protected:
  static constexpr int kSeconds = 75;  // three blocks
  // Encoding takes longer than all the rest: each sound is encoded once for all tests.
  std::string Make(const Codec& codec, int seconds = kSeconds) {
    static std::map<std::pair<std::string, int>, std::string> made;
    std::string& bytes = made[{codec.name, seconds}];
    if (bytes.empty()) {
      bytes = Bytes(Write(codec.name, codec.format, Sound(seconds * codec.rate, 2, codec.rate), 2,
                          codec.rate));
    }
    return WriteBytes(codec.name, bytes);
  }
  // A decode of the whole file in one go, without any of our code but the mixing.
  std::vector<float> Whole(const std::string& path) {
    SF_INFO info{};
    SNDFILE* file = sf_open(path.c_str(), SFM_READ, &info);
    std::vector<float> mono;
    std::vector<float> frames(1000 * static_cast<size_t>(info.channels));
    sf_count_t got = 0;
    while ((got = sf_readf_float(file, frames.data(), 1000)) > 0) {
      for (sf_count_t i = 0; i < got; ++i) {
        mono.push_back(static_cast<float>((static_cast<double>(frames[static_cast<size_t>(2 * i)]) +
                                           frames[static_cast<size_t>(2 * i + 1)]) /
                                          2));
      }
    }
    sf_close(file);
    return mono;
  }
};

TEST_F(ReadCodecs, HearWhatOneDecodeOfTheWholeFileGives) {
  for (const Codec& codec : kCodecs) {
    const auto path = Make(codec);
    const auto whole = Whole(path);
    const AudioSpec spec = Spec(codec.rate, 3, 3);
    SegmentReader reader(spec, clock_);
    const Heard heard = HearAll(reader, spec, path);
    ASSERT_FALSE(heard.fault) << codec.name << heard.fault->message;
    EXPECT_EQ(heard.info.segment_alignment, 10u);
    ASSERT_EQ(heard.info.samples, static_cast<int64_t>(whole.size())) << codec.name;
    float worst = 0;
    for (size_t i = 0; i < whole.size(); ++i) {
      worst = std::max(worst, std::abs(whole[i] - heard.samples[i]));
    }
    EXPECT_LE(worst, codec.worst) << codec.name;
  }
}

TEST_F(ReadCodecs, GiveTheSameSamplesInAnyOrderOfReading) {
  for (const Codec& codec : kCodecs) {
    const auto path = Make(codec);
    const AudioSpec spec = Spec(16000, 3, 2.5);
    SegmentReader reader(spec, clock_);
    const Heard heard = HearAll(reader, spec, path);
    ASSERT_FALSE(heard.fault) << codec.name;
    std::vector<int64_t> order(static_cast<size_t>(heard.segments));
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::mt19937(5));
    order.resize(9);
    ASSERT_FALSE(reader.Open(path));
    std::vector<float> out(48000);
    for (const int64_t k : order) {
      ASSERT_FALSE(reader.ReadSegment(k, out)) << codec.name << k;
      ASSERT_TRUE(std::equal(out.begin(), out.end(), heard.samples.begin() + k * 48000))
          << codec.name << " segment " << k;
    }
  }
}

TEST_F(ReadCodecs, GiveTheSameSamplesWhereverATaskBegins) {
  for (const Codec& codec : kCodecs) {
    const auto path = Make(codec);
    const AudioSpec spec = Spec(16000, 3, 3);
    SegmentReader reader(spec, clock_);
    const Heard heard = HearAll(reader, spec, path);
    ASSERT_FALSE(heard.fault) << codec.name;
    std::vector<float> out(48000);
    for (const int64_t first : {9, 17}) {
      SegmentReader other(spec, clock_);
      ASSERT_FALSE(other.Open(path));
      for (int64_t k = first; k < std::min<int64_t>(first + 4, heard.segments); ++k) {
        ASSERT_FALSE(other.ReadSegment(k, out));
        ASSERT_TRUE(std::equal(out.begin(), out.end(), heard.samples.begin() + k * 48000))
            << codec.name << " segment " << k << " of a task from " << first;
      }
    }
  }
}

TEST_F(ReadCodecs, BlocksAreAboutThirtySecondsAndAtLeastOneSegment) {
  const auto path = Make(kCodecs[1], 5);
  for (const auto& [hop, alignment] : {std::pair{3.0, 10u}, {0.5, 60u}, {20.0, 1u}, {60.0, 1u}}) {
    SegmentReader reader(Spec(16000, 3, hop), clock_);
    ASSERT_FALSE(reader.Open(path));
    EXPECT_EQ(reader.info().segment_alignment, alignment) << hop;
  }
}

// What a file cut or damaged in its middle gives, whichever segment is read first.
void ExpectTheSameFaultFromAnyBeginning(const std::string& path, ErrorCode code, double place_s) {
  StageClock clock;
  const AudioSpec spec = Spec(16000, 3, 3);
  SegmentReader reader(spec, clock);
  const Heard heard = HearAll(reader, spec, path);
  ASSERT_TRUE(heard.fault) << path;
  ASSERT_GE(heard.faulty_segment, 0) << heard.fault->message;
  EXPECT_EQ(heard.fault->code, code) << path << ": " << heard.fault->message;
  EXPECT_NEAR(static_cast<double>(heard.fault->at_sample) / heard.info.sample_rate, place_s, 3)
      << path;
  std::vector<float> out(48000);
  for (int64_t k : {heard.faulty_segment, heard.faulty_segment - 1, heard.faulty_segment / 2}) {
    SegmentReader other(spec, clock);
    ASSERT_FALSE(other.Open(path));
    const MaybeFault fault = other.ReadSegment(k, out);
    ASSERT_EQ(fault.has_value(), k == heard.faulty_segment) << path << " segment " << k;
    if (fault) {
      EXPECT_EQ(fault->at_sample, heard.fault->at_sample);
      EXPECT_EQ(fault->message, heard.fault->message);
    } else {
      EXPECT_TRUE(std::equal(out.begin(), out.end(), heard.samples.begin() + k * 48000)) << k;
    }
  }
}

TEST_F(ReadCodecs, TruncatedFileGivesWhatIsThereThenTheFault) {
  for (const Codec& codec : kCodecs) {
    ExpectTheSameFaultFromAnyBeginning(Cut(Make(codec), 0.6), ErrorCode::kTruncated,
                                       0.6 * kSeconds);
  }
}

TEST_F(ReadCodecs, DamagedFileGivesWhatComesBeforeThenTheFault) {
  for (const Codec& codec : {kCodecs[0], kCodecs[1], kCodecs[2]}) {
    ExpectTheSameFaultFromAnyBeginning(Damage(Make(codec), 0.5), ErrorCode::kDecode,
                                       0.5 * kSeconds);
  }
}

TEST_F(ReadCodecs, TruncatedMp3KeepsTheLengthItsHeaderPromises) {
  const auto path = Make(kCodecs[0]);
  SegmentReader reader(Spec(16000, 3, 3), clock_);
  ASSERT_FALSE(reader.Open(path));
  const int64_t whole = reader.info().samples;
  ASSERT_FALSE(reader.Open(Cut(path, 0.6)));
  EXPECT_EQ(reader.info().samples, whole);
}

TEST_F(ReadCodecs, Mp3WithoutATotalIsCountedNotGuessed) {
  const std::string bytes = Bytes(Make(kCodecs[0]));
  // Without its first frame, which holds the total; the rest are plain frames.
  const size_t info = std::min(bytes.find("Info"), bytes.find("Xing"));
  ASSERT_NE(info, std::string::npos);
  const size_t second = bytes.find(bytes.substr(info - 36, 2), info);
  const auto path = WriteBytes("b.mp3", bytes.substr(second));
  const AudioSpec spec = Spec(16000, 3, 3);
  SegmentReader reader(spec, clock_);
  const Heard heard = HearAll(reader, spec, path);
  ASSERT_FALSE(heard.fault);
  EXPECT_NEAR(static_cast<double>(heard.info.samples), 44100.0 * kSeconds, 4 * 1152);
  EXPECT_EQ(heard.info.samples % 1152, 0);
  // Not the last segment's padding: there is sound up to the last sample that was promised.
  const auto last = static_cast<size_t>(heard.info.samples * 16000 / 44100);
  EXPECT_NE(heard.samples[last - 2000], 0.0f);
}

TEST_F(ReadCodecs, ReadersInSeveralThreadsDoNotDisturbEachOther) {
  const AudioSpec spec = Spec(16000, 3, 3);
  std::vector<std::string> paths;
  std::vector<Heard> alone;
  for (const Codec& codec : kCodecs) {
    paths.push_back(Make(codec, 40));
    SegmentReader reader(spec, clock_);
    alone.push_back(HearAll(reader, spec, paths.back()));
  }
  std::vector<Heard> together(paths.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < paths.size(); ++i) {
    threads.emplace_back([&, i] {
      StageClock clock;
      SegmentReader reader(spec, clock);
      together[i] = HearAll(reader, spec, paths[i]);
    });
  }
  for (auto& thread : threads) thread.join();
  for (size_t i = 0; i < paths.size(); ++i) {
    EXPECT_FALSE(together[i].fault);
    EXPECT_EQ(together[i].samples, alone[i].samples) << paths[i];
  }
}

TEST_F(ReadCodecs, DecodersPrintNothing) {
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  const AudioSpec spec = Spec(16000, 3, 3);
  for (const Codec& codec : kCodecs) {
    SegmentReader reader(spec, clock_);
    const auto path = Make(codec, 40);
    HearAll(reader, spec, Cut(path, 0.6));
    HearAll(reader, spec, Damage(path, 0.5));
    HearAll(reader, spec, path);
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

}  // namespace
}  // namespace consort
