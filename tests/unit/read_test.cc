// What a segment is: where it lies, how it is mixed and resampled, and that nothing else matters.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <numeric>

#include "read_sounds.h"
#include "worker/read/ogg_pages.h"

namespace consort {
namespace {

constexpr int kWav16 = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
constexpr int kWavFloat = SF_FORMAT_WAV | SF_FORMAT_FLOAT;

std::vector<float> Mean(const std::vector<float>& sound, int channels) {
  std::vector<float> mono;
  for (size_t i = 0; i < sound.size(); i += static_cast<size_t>(channels)) {
    double sum = 0;
    for (size_t c = 0; c < static_cast<size_t>(channels); ++c) sum += sound[i + c];
    mono.push_back(static_cast<float>(sum / channels));
  }
  return mono;
}

int64_t OpenDescriptors() {
  int64_t count = 0;
  DIR* folder = opendir("/proc/self/fd");
  while (readdir(folder) != nullptr) ++count;
  closedir(folder);
  return count;
}

float Worst(std::span<const float> a, std::span<const float> b) {
  float worst = 0;
  for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

TEST_F(ReadTest, CopiesSamplesExactlyWhenTheRatesAreTheSame) {
  const auto sound = Sound(50'000, 1, 16000);
  const auto path = Write("a.wav", kWavFloat, sound, 1, 16000);
  const AudioSpec spec = Spec(16000, 1.0, 0.5);
  SegmentReader reader(spec, clock_);
  ASSERT_FALSE(reader.Open(path));
  EXPECT_EQ(reader.info().samples, 50'000);
  EXPECT_EQ(reader.info().sample_rate, 16000);
  EXPECT_EQ(reader.info().segment_alignment, 1u);
  EXPECT_EQ(reader.info().size_bytes, static_cast<int64_t>(std::filesystem::file_size(path)));
  ASSERT_EQ(reader.segment_count(), 6);  // starts 0 … 40,000: 1 + ceil(34,000 / 8,000)
  std::vector<float> out(16000, 7.0f);
  for (int64_t k = 0; k < 6; ++k) {
    ASSERT_FALSE(reader.ReadSegment(k, out));
    for (size_t i = 0; i < out.size(); ++i) {
      const size_t at = static_cast<size_t>(k) * 8000 + i;
      ASSERT_EQ(out[i], at < sound.size() ? sound[at] : 0.0f) << k << " " << i;
    }
  }
}

TEST_F(ReadTest, TellsSizeAndTimeOfChange) {
  const auto path = Write("a.wav", kWav16, Sound(100, 1, 16000), 1, 16000);
  const timespec times[2] = {{1, 0}, {1'234'567'890, 123'456'789}};
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  SegmentReader reader(Spec(16000, 1, 1), clock_);
  ASSERT_FALSE(reader.Open(path));
  EXPECT_EQ(reader.info().mtime_ns, 1'234'567'890'123'456'789);
}

TEST_F(ReadTest, MixesChannelsByTheirMean) {
  for (const int channels : {2, 3, 64, 1024}) {
    const auto sound = Sound(3000, channels, 16000);
    const auto path = Write("a.wav", kWavFloat, sound, channels, 16000);
    const AudioSpec spec = Spec(16000, 3000.0 / 16000, 1);
    SegmentReader reader(spec, clock_);
    const Heard heard = HearAll(reader, spec, path);
    ASSERT_FALSE(heard.fault);
    EXPECT_EQ(heard.samples, Mean(sound, channels)) << channels;
  }
}

TEST_F(ReadTest, KeepsFloatSamplesBeyondFullScale) {
  const AudioSpec spec = Spec(16000, 0.001, 1);
  SegmentReader reader(spec, clock_);
  const std::vector<float> loud(16, 3.5f);
  EXPECT_EQ(HearAll(reader, spec, Write("a.wav", kWavFloat, loud, 1, 16000)).samples, loud);
}

TEST_F(ReadTest, HearsTheSameInEveryLosslessFormat) {
  auto sound = Sound(40'000, 2, 44100);
  const AudioSpec spec = Spec(16000, 0.4, 0.3);
  SegmentReader reader(spec, clock_);
  const Heard expected = HearAll(reader, spec, Write("a.wav", kWav16, sound, 2, 44100));
  ASSERT_FALSE(expected.fault);
  for (const int container : {SF_FORMAT_FLAC, SF_FORMAT_AIFF, SF_FORMAT_AU, SF_FORMAT_CAF,
                              SF_FORMAT_W64, SF_FORMAT_RF64, SF_FORMAT_WAVEX}) {
    const Heard heard =
        HearAll(reader, spec, Write("b", container | SF_FORMAT_PCM_16, sound, 2, 44100));
    ASSERT_FALSE(heard.fault) << std::hex << container << heard.fault->message;
    EXPECT_EQ(heard.samples, expected.samples) << std::hex << container;
  }
}

TEST_F(ReadTest, HearsTheFirstChannelAloneWhereThatIsWanted) {
  AudioSpec spec = Spec(16000, 0.4, 0.3);
  spec.channels = AudioSpec::Channels::kFirst;
  SegmentReader first(spec, clock_);
  const AudioSpec mix = Spec(16000, 0.4, 0.3);
  SegmentReader mixer(mix, clock_);
  for (const int channels : {1, 2, 5}) {
    const auto sound = Sound(20'000, channels, 44100);
    std::vector<float> alone;
    for (size_t i = 0; i < sound.size(); i += static_cast<size_t>(channels)) {
      alone.push_back(sound[i]);
    }
    for (const int format :
         {SF_FORMAT_WAV | SF_FORMAT_PCM_16, SF_FORMAT_WAV | SF_FORMAT_PCM_24,
          SF_FORMAT_WAV | SF_FORMAT_PCM_32, SF_FORMAT_WAV | SF_FORMAT_FLOAT,
          SF_FORMAT_AIFF | SF_FORMAT_PCM_16, SF_FORMAT_FLAC | SF_FORMAT_PCM_16}) {
      const Heard expected = HearAll(mixer, mix, Write("one", format, alone, 1, 44100));
      const auto path = Write("all", format, sound, channels, 44100);
      const Heard heard = HearAll(first, spec, path);
      ASSERT_FALSE(heard.fault) << std::hex << format;
      EXPECT_EQ(heard.samples, expected.samples) << std::hex << format << ' ' << channels;
      EXPECT_EQ(heard.info.channels, channels);
      EXPECT_EQ(heard.samples == HearAll(mixer, mix, path).samples, channels == 1);
    }
  }
}

TEST_F(ReadTest, TellsTheContainer) {
  const AudioSpec spec = Spec(16000, 1, 1);
  SegmentReader reader(spec, clock_);
  const auto sound = Sound(9000, 1, 16000);
  for (const auto& [format, name] : {std::pair(SF_FORMAT_WAV | SF_FORMAT_PCM_16, "wav"),
                                     {SF_FORMAT_WAVEX | SF_FORMAT_FLOAT, "wav"},
                                     {SF_FORMAT_RF64 | SF_FORMAT_PCM_16, "rf64"},
                                     {SF_FORMAT_W64 | SF_FORMAT_PCM_16, "w64"},
                                     {SF_FORMAT_AIFF | SF_FORMAT_PCM_16, "aiff"},
                                     {SF_FORMAT_AU | SF_FORMAT_PCM_16, "au"},
                                     {SF_FORMAT_CAF | SF_FORMAT_PCM_16, "caf"},
                                     {SF_FORMAT_FLAC | SF_FORMAT_PCM_16, "flac"},
                                     {SF_FORMAT_OGG | SF_FORMAT_VORBIS, "ogg"},
                                     {SF_FORMAT_OGG | SF_FORMAT_OPUS, "opus"},
                                     {SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, "mp3"},
                                     {SF_FORMAT_VOC | SF_FORMAT_PCM_16, "other"}}) {
    ASSERT_FALSE(reader.Open(Write("a", format, sound, 1, 16000))) << name;
    EXPECT_EQ(reader.info().container, name);
    EXPECT_EQ(reader.info().flags, 0U) << name;
  }
}

// The whole file resampled in one piece, then cut.
TEST_F(ReadTest, ResamplesASegmentAsItLiesInTheWholeFile) {
  struct Case {
    int32_t from, to;
    double segment, hop;
    float worst;
  };
  for (const Case& c : {Case{44100, 16000, 1.0, 1.0, 1e-6f}, Case{44100, 32000, 1.0, 0.5, 1e-6f},
                        Case{48000, 16000, 0.5, 0.37, 1e-6f}, Case{8000, 16000, 0.5, 0.5, 1e-6f},
                        Case{22050, 32000, 0.7, 0.123, 1e-6f}, Case{96000, 16000, 1.0, 1.0, 1e-6f},
                        Case{768000, 16000, 0.6, 0.6, 1e-6f}, Case{11025, 44100, 1.0, 0.9, 1e-6f},
                        // No common measure: the two phases are rounded differently by soxr.
                        Case{44099, 32000, 1.0, 0.9, 1e-5f}, Case{100, 16000, 9.0, 9.0, 1e-6f}}) {
    const int64_t frames = static_cast<int64_t>(c.from) * (c.from == 100 ? 40 : 3) + 77;
    const auto sound = Sound(frames, 1, c.from);
    const auto path = Write("a.wav", kWavFloat, sound, 1, c.from);
    std::vector<float> whole(static_cast<size_t>(frames * c.to / c.from + 10));
    Resampler resampler;
    ASSERT_TRUE(resampler.Prepare(c.from, c.to));
    whole.resize(static_cast<size_t>(resampler.Run(sound, 0, whole)));
    ASSERT_EQ(static_cast<int64_t>(whole.size()), (2 * frames * c.to + c.from) / (2 * c.from));

    const AudioSpec spec = Spec(c.to, c.segment, c.hop);
    SegmentReader reader(spec, clock_);
    ASSERT_FALSE(reader.Open(path));
    std::vector<float> out(static_cast<size_t>(spec.SegmentSamples()));
    ASSERT_GE(reader.segment_count(), 3);
    for (int64_t k = 0; k < reader.segment_count(); ++k) {
      ASSERT_FALSE(reader.ReadSegment(k, out));
      const int64_t start = reader.grid().Start(k);
      std::vector<float> expected(out.size(), 0.0f);
      const auto first = static_cast<size_t>((2 * start * c.to + c.from) / (2 * c.from));
      for (size_t i = 0; i < out.size() && first + i < whole.size(); ++i) {
        expected[i] = whole[first + i];
      }
      EXPECT_LE(Worst(out, expected), c.worst) << c.from << " to " << c.to << " segment " << k;
      for (size_t i = 0; i < out.size(); ++i) {  // padding is exact
        if (first + i >= whole.size()) {
          ASSERT_EQ(out[i], 0.0f);
        }
      }
    }
  }
}

TEST_F(ReadTest, GivesTheSameSamplesInAnyOrderOfReading) {
  const AudioSpec spec = Spec(16000, 0.5, 0.21);
  for (const int format : {SF_FORMAT_WAV | SF_FORMAT_PCM_24, SF_FORMAT_FLAC | SF_FORMAT_PCM_16}) {
    const auto path = Write("a", format, Sound(200'000, 2, 44100), 2, 44100);
    SegmentReader reader(spec, clock_);
    const Heard heard = HearAll(reader, spec, path);
    ASSERT_FALSE(heard.fault);
    std::vector<int64_t> order(static_cast<size_t>(heard.segments));
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::mt19937(3));
    ASSERT_FALSE(reader.Open(path));
    std::vector<float> out(static_cast<size_t>(spec.SegmentSamples()));
    for (const int64_t k : order) {
      ASSERT_FALSE(reader.ReadSegment(k, out));
      EXPECT_TRUE(std::equal(out.begin(), out.end(),
                             heard.samples.begin() + k * static_cast<int64_t>(out.size())))
          << k;
    }
  }
}

TEST_F(ReadTest, ReadsSegmentsFartherApartThanTheyAreLong) {
  const auto sound = Sound(100'000, 1, 16000);
  const auto path = Write("a.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, sound, 1, 16000);
  const AudioSpec spec = Spec(16000, 0.1, 1.0);
  SegmentReader reader(spec, clock_);
  ASSERT_FALSE(reader.Open(path));
  ASSERT_EQ(reader.segment_count(), 8);  // 1 + ceil(98,400 / 16,000)
  std::vector<float> out(1600);
  ASSERT_FALSE(reader.ReadSegment(5, out));
  for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], sound[80'000 + i], 1.0 / 32768);
  ASSERT_FALSE(reader.ReadSegment(7, out));  // begins after the file's end
  EXPECT_EQ(out, std::vector<float>(1600, 0.0f));
}

TEST_F(ReadTest, PadsAFileOfOneSample) {
  for (const int32_t rate : {16000, 44100, 8000}) {
    const AudioSpec spec = Spec(16000, 0.1, 0.1);
    SegmentReader reader(spec, clock_);
    const Heard heard = HearAll(reader, spec, Write("a.wav", kWavFloat, {0.5f}, 1, rate));
    ASSERT_FALSE(heard.fault);
    EXPECT_EQ(heard.segments, 1);
    ASSERT_EQ(heard.samples.size(), 1600u);
    if (rate == 16000) {
      EXPECT_EQ(heard.samples[0], 0.5f);
    }
    EXPECT_EQ(heard.samples[2], 0.0f);
    EXPECT_EQ(heard.samples[1599], 0.0f);
  }
}

TEST_F(ReadTest, ServesManyFilesOneAfterAnother) {
  const AudioSpec spec = Spec(16000, 0.5, 0.5);
  const auto a = Write("a.wav", kWav16, Sound(30'000, 2, 44100, 1), 2, 44100);
  const auto b =
      Write("b.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, Sound(9000, 1, 8000, 2), 1, 8000);
  SegmentReader fresh_a(spec, clock_);
  SegmentReader fresh_b(spec, clock_);
  const Heard heard_a = HearAll(fresh_a, spec, a);
  const Heard heard_b = HearAll(fresh_b, spec, b);
  SegmentReader reader(spec, clock_);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(HearAll(reader, spec, a).samples, heard_a.samples);
    EXPECT_EQ(HearAll(reader, spec, b).samples, heard_b.samples);
    EXPECT_TRUE(HearAll(reader, spec, Path("none")).fault);
  }
}

TEST_F(ReadTest, NoticesThatAFileWasRewrittenBetweenTwoOpens) {
  const AudioSpec spec = Spec(16000, 0.5, 0.5);
  SegmentReader reader(spec, clock_);
  EXPECT_EQ(HearAll(reader, spec, Write("a.wav", kWav16, Sound(9000, 1, 16000), 1, 16000)).segments,
            2);
  EXPECT_EQ(
      HearAll(reader, spec, Write("a.wav", kWav16, Sound(90'000, 1, 16000), 1, 16000)).segments,
      12);
}

TEST_F(ReadTest, HoldsNoDescriptorBetweenCloseAndOpen) {
  const auto path = Write("a.wav", kWav16, Sound(9000, 1, 16000), 1, 16000);
  const auto text = WriteBytes("b.wav", "not a sound");
  const int64_t before = OpenDescriptors();
  SegmentReader reader(Spec(16000, 0.5, 0.5), clock_);
  ASSERT_FALSE(reader.Open(path));
  EXPECT_EQ(OpenDescriptors(), before + 1);
  ASSERT_FALSE(reader.Open(path));
  EXPECT_EQ(OpenDescriptors(), before + 1);
  reader.Close();
  EXPECT_EQ(OpenDescriptors(), before);
  EXPECT_TRUE(reader.Open(text));
  EXPECT_TRUE(reader.Open("/"));
  EXPECT_EQ(OpenDescriptors(), before);
}

// Each is a sign of life: a file may be large, and its storage slow.
TEST_F(ReadTest, CountsAStepForEachPieceOfTheFileThatIsFetched) {
  EngineState state{};
  StageClock clock(&state);
  const auto path = Write("a.wav", kWavFloat, std::vector<float>(1 << 20), 1, 16000);  // 4 MiB
  SampleSource source(&clock);
  ASSERT_FALSE(source.Open(path));
  const uint64_t before = state.steps;
  std::span<const float> heard;
  ASSERT_FALSE(source.Load(0, 0, source.samples(), 0, heard));
  EXPECT_GE(state.steps - before, 32u) << "in one call";
}

TEST_F(ReadTest, CountsStepsWhileItLooksForTheEndOfAnOggFile) {
  EngineState state{};
  StageClock clock(&state);
  const auto path = WriteBytes("a.ogg", std::string(8 << 20, '\0'));
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(WalkOggPages(fd.get(), 8 << 20, &clock).outcome, OggWalk::Outcome::kCut);
  EXPECT_GE(state.steps, 8u);

  const auto sound =
      Write("b.ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS, Sound(16000, 1, 16000), 1, 16000);
  SampleSource source(&clock);
  state.steps = 0;
  ASSERT_FALSE(source.Open(sound));
  EXPECT_GE(state.steps, 4u) << "its header, its pages, its end";
}

TEST_F(ReadTest, CountsTimeInTheStageWhereItGoes) {
  const auto path = Write("a.wav", kWav16, Sound(200'000, 2, 44100), 2, 44100);
  EngineState state{};
  StageClock clock(&state);
  SegmentReader reader(Spec(16000, 3, 3), clock);
  ASSERT_FALSE(reader.Open(path));
  EXPECT_EQ(state.stage.load(), static_cast<uint64_t>(Stage::kValidate));
  std::vector<float> out(48000);
  ASSERT_FALSE(reader.ReadSegment(0, out));
  EXPECT_EQ(state.stage.load(), static_cast<uint64_t>(Stage::kResample));
  const auto spent = clock.TakeSpent();
  for (const Stage stage : {Stage::kValidate, Stage::kRead, Stage::kResample}) {
    EXPECT_GT(spent[static_cast<size_t>(stage)], 0) << StageName(stage);
  }
}

}  // namespace
}  // namespace consort
