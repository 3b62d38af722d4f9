// Channels heard one by one: each as if it were a file of its own, in every format, from wherever a
// task begins, and decoded once for all of them.
#include <fcntl.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

#include "read_sounds.h"

namespace consort {
namespace {

AudioSpec Each(AudioSpec spec) {
  spec.channels = AudioSpec::Channels::kEach;
  return spec;
}

std::vector<float> ChannelOf(const std::vector<float>& sound, int channels, int channel) {
  std::vector<float> alone;
  for (auto i = static_cast<size_t>(channel); i < sound.size();
       i += static_cast<size_t>(channels)) {
    alone.push_back(sound[i]);
  }
  return alone;
}

// Of what HearAll gave of a file with several channels: the segments of one.
std::vector<float> SegmentsOf(const Heard& heard, const AudioSpec& spec, int channels,
                              int channel) {
  const auto length = static_cast<size_t>(spec.SegmentSamples());
  std::vector<float> own;
  for (auto s = static_cast<size_t>(channel); s * length < heard.samples.size();
       s += static_cast<size_t>(channels)) {
    own.insert(own.end(), heard.samples.begin() + static_cast<ptrdiff_t>(s * length),
               heard.samples.begin() + static_cast<ptrdiff_t>((s + 1) * length));
  }
  return own;
}

class ReadChannels : public ReadTest {};

TEST_F(ReadChannels, HearEachAsAFileOfItsOwn) {
  for (const int32_t rate : {16'000, 44'100}) {
    const AudioSpec mono = Spec(16'000, 0.4, 0.3);
    const AudioSpec spec = Each(mono);
    SegmentReader reader(spec, clock_);
    SegmentReader alone(mono, clock_);
    for (const int channels : {1, 2, 3, 6}) {
      const auto sound = Sound(20'000, channels, rate);
      for (const int format :
           {SF_FORMAT_WAV | SF_FORMAT_PCM_U8, SF_FORMAT_WAV | SF_FORMAT_PCM_16,
            SF_FORMAT_WAV | SF_FORMAT_PCM_24, SF_FORMAT_WAV | SF_FORMAT_PCM_32,
            SF_FORMAT_WAV | SF_FORMAT_FLOAT, SF_FORMAT_AIFF | SF_FORMAT_PCM_16,
            SF_FORMAT_FLAC | SF_FORMAT_PCM_16, SF_FORMAT_FLAC | SF_FORMAT_PCM_24}) {
        const Heard heard = HearAll(reader, spec, Write("all", format, sound, channels, rate));
        ASSERT_FALSE(heard.fault) << std::hex << format << heard.fault->message;
        EXPECT_EQ(heard.info.channels, channels);
        EXPECT_EQ(heard.info.segment_alignment, static_cast<uint32_t>(channels));
        for (int c = 0; c < channels; ++c) {
          const auto path = Write("one", format, ChannelOf(sound, channels, c), 1, rate);
          const Heard expected = HearAll(alone, mono, path);
          ASSERT_FALSE(expected.fault);
          EXPECT_EQ(heard.segments, channels * expected.segments);
          EXPECT_EQ(SegmentsOf(heard, spec, channels, c), expected.samples)
              << std::hex << format << ", channel " << c << " of " << channels;
        }
      }
    }
  }
}

TEST_F(ReadChannels, HearTheSameInAnyOrder) {
  const AudioSpec spec = Each(Spec(16'000, 0.4, 0.3));
  const auto path =
      Write("a", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, Sound(30'000, 3, 22'050), 3, 22'050);
  SegmentReader reader(spec, clock_);
  const Heard heard = HearAll(reader, spec, path);
  ASSERT_FALSE(heard.fault);
  std::vector<int64_t> order(static_cast<size_t>(heard.segments));
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937(5));
  ASSERT_FALSE(reader.Open(path));
  std::vector<float> out(static_cast<size_t>(spec.SegmentSamples()));
  for (const int64_t s : order) {
    ASSERT_FALSE(reader.ReadSegment(s, out));
    ASSERT_TRUE(
        std::equal(out.begin(), out.end(), heard.samples.begin() + s * spec.SegmentSamples()))
        << "segment " << s;
  }
}

// MP3, Vorbis, Opus and ADPCM carry state: what each channel is does not depend on where a task
// begins, and it is what a decoder gives that came all the way.
TEST_F(ReadChannels, HearEachOfACodecWithMemory) {
  struct Codec {
    const char* name;
    int format;
    int32_t rate;
    float worst;
  };
  for (const Codec& codec : {Codec{"mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 44'100, 1e-6F},
                             Codec{"vorbis", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 44'100, 1e-6F},
                             Codec{"opus", SF_FORMAT_OGG | SF_FORMAT_OPUS, 48'000, 1e-4F},
                             Codec{"ima", SF_FORMAT_WAV | SF_FORMAT_IMA_ADPCM, 44'100, 0.0F}}) {
    const auto path =
        Write(codec.name, codec.format, Sound(34 * codec.rate, 2, codec.rate), 2, codec.rate);
    SF_INFO info{};
    SNDFILE* file = sf_open(path.c_str(), SFM_READ, &info);
    ASSERT_NE(file, nullptr);
    std::vector<float> whole(static_cast<size_t>(2 * info.frames));
    whole.resize(static_cast<size_t>(2 * sf_readf_float(file, whole.data(), info.frames)));
    sf_close(file);
    const AudioSpec spec = Each(Spec(codec.rate, 3, 3));
    SegmentReader reader(spec, clock_);
    const Heard heard = HearAll(reader, spec, path);
    ASSERT_FALSE(heard.fault) << codec.name << heard.fault->message;
    EXPECT_EQ(heard.info.segment_alignment, 20U) << codec.name;
    for (int c = 0; c < 2; ++c) {
      const auto expected = ChannelOf(whole, 2, c);
      const auto own = SegmentsOf(heard, spec, 2, c);
      ASSERT_GE(own.size(), expected.size());
      float worst = 0;
      for (size_t i = 0; i < expected.size(); ++i) {
        worst = std::max(worst, std::abs(own[i] - expected[i]));
      }
      EXPECT_LE(worst, codec.worst) << codec.name << ", channel " << c;
    }
    std::vector<float> out(static_cast<size_t>(spec.SegmentSamples()));
    for (const int64_t first : {21, 9, 3}) {
      SegmentReader other(spec, clock_);
      ASSERT_FALSE(other.Open(path));
      ASSERT_FALSE(other.ReadSegment(first, out));
      ASSERT_TRUE(
          std::equal(out.begin(), out.end(), heard.samples.begin() + first * spec.SegmentSamples()))
          << codec.name << " segment " << first;
    }
  }
}

TEST_F(ReadChannels, OneFileAfterTheOtherWhateverTheirChannels) {
  const AudioSpec spec = Each(Spec(16'000, 0.5, 0.5));
  SegmentReader reader(spec, clock_);
  for (const int channels : {3, 1, 2, 6, 1}) {
    const auto sound = Sound(10'000, channels, 16'000, static_cast<unsigned>(channels));
    const auto path = Write("a" + std::to_string(channels), SF_FORMAT_WAV | SF_FORMAT_FLOAT, sound,
                            channels, 16'000);
    const Heard heard = HearAll(reader, spec, path);
    ASSERT_FALSE(heard.fault);
    for (int c = 0; c < channels; ++c) {
      auto expected = ChannelOf(sound, channels, c);
      expected.resize(16'000, 0.0F);
      EXPECT_EQ(SegmentsOf(heard, spec, channels, c), expected);
    }
  }
}

// Reading stands in the stage's time: a place is read for its first channel alone.
TEST_F(ReadChannels, APlaceIsDecodedOnce) {
  const AudioSpec spec = Each(Spec(16'000, 1, 1));
  const auto path =
      Write("a", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, Sound(48'000, 6, 16'000), 6, 16'000);
  EngineState state{};
  StageClock clock(&state);
  SegmentReader reader(spec, clock);
  ASSERT_FALSE(reader.Open(path));
  std::vector<float> out(16'000);
  for (int64_t place = 0; place < 3; ++place) {
    ASSERT_FALSE(reader.ReadSegment(6 * place, out));
    const auto steps = state.steps.load();
    for (int64_t c = 1; c < 6; ++c) ASSERT_FALSE(reader.ReadSegment(6 * place + c, out));
    EXPECT_EQ(state.steps.load(), steps) << "nothing is read or decoded";
  }
}

TEST_F(ReadChannels, AFaultIsThatOfAllChannelsAtItsPlace) {
  const AudioSpec spec = Each(Spec(16'000, 1, 1));
  auto sound = Sound(50'000, 3, 16'000);
  sound[3 * 20'000 + 2] = NAN;  // in the third channel
  const auto path = Write("a", SF_FORMAT_WAV | SF_FORMAT_FLOAT, sound, 3, 16'000);
  SegmentReader reader(spec, clock_);
  const Heard heard = HearAll(reader, spec, path);
  ASSERT_TRUE(heard.fault);
  EXPECT_EQ(heard.fault->code, ErrorCode::kNotFinite);
  EXPECT_EQ(heard.fault->at_sample, 20'000);
  EXPECT_EQ(heard.faulty_segment, 3) << "the first channel's second segment";
  ASSERT_FALSE(reader.Open(path));
  std::vector<float> out(16'000);
  for (int64_t s = 0; s < 12; ++s) {
    EXPECT_EQ(reader.ReadSegment(s, out).has_value(), s / 3 == 1) << "segment " << s;
  }
  const Heard cut = HearAll(
      reader, spec,
      Cut(Write("b", SF_FORMAT_WAV | SF_FORMAT_PCM_16, Sound(50'000, 3, 16'000), 3, 16'000), 0.5));
  ASSERT_TRUE(cut.fault);
  EXPECT_EQ(cut.fault->code, ErrorCode::kTruncated);
  EXPECT_EQ(cut.faulty_segment, 3);
}

// 1,024 channels of 30 s at 48 kHz would be 5.9 GB: nothing is decoded to find out.
TEST_F(ReadChannels, NotMoreThanAGigabyteAtOnce) {
  const auto sound = Sound(2'000, kMaxStreams, 16'000);
  const auto path = Write("a", SF_FORMAT_WAV | SF_FORMAT_FLOAT, sound, kMaxStreams, 16'000);
  SegmentReader short_file(Each(Spec(16'000, 3600, 3600)), clock_);
  EXPECT_FALSE(short_file.Open(path)) << "no longer than the file is";
  // A header may promise what it likes.
  auto bytes = Bytes(path);
  const auto promise = [&bytes](const char* name, uint32_t value) {
    const size_t at = bytes.find(name);
    ASSERT_NE(at, std::string::npos);
    std::memcpy(bytes.data() + at + 4, &value, 4);
  };
  promise("data", 300'000u * kMaxStreams * 4);
  SegmentReader reader(Each(Spec(16'000, 60, 60)), clock_);
  const auto fault = reader.Open(WriteBytes("b", bytes));
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->code, ErrorCode::kUnsupported);
  EXPECT_NE(fault->message.find("1024 channels"), std::string::npos) << fault->message;
}

TEST_F(ReadChannels, AsManyAsLibsndfileReads) {
  const AudioSpec spec = Each(Spec(16'000, 0.1, 0.1));
  const auto sound = Sound(2'000, kMaxStreams, 16'000);
  SegmentReader reader(spec, clock_);
  const Heard heard = HearAll(
      reader, spec, Write("a", SF_FORMAT_WAV | SF_FORMAT_FLOAT, sound, kMaxStreams, 16'000));
  ASSERT_FALSE(heard.fault);
  EXPECT_EQ(heard.segments, 2 * kMaxStreams);
  auto expected = ChannelOf(sound, kMaxStreams, 1000);
  expected.resize(3'200, 0.0F);
  EXPECT_EQ(SegmentsOf(heard, spec, kMaxStreams, 1000), expected);
}

}  // namespace
}  // namespace consort
