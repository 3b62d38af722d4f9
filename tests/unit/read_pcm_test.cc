// Samples taken as they lie in the file are those of libsndfile, bit for bit.
#include "worker/read/pcm.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sndfile.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "shared/base/unique_fd.h"
#include "worker/read/sndfile_decoder.h"

namespace consort {
namespace {

struct Case {
  const char* name;
  int format;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class PcmFile : public testing::TestWithParam<std::tuple<Case, int>> {
 protected:
  PcmFile() : path_(testing::TempDir() + "pcm_" + std::to_string(::getpid())) {}
  ~PcmFile() override { ::unlink(path_.c_str()); }

  // Sound of every size, loud beyond full scale in the float formats.
  void Write(int format, int channels) const {
    SF_INFO info{};
    info.samplerate = 8000;
    info.channels = channels;
    info.format = format;
    SNDFILE* file = sf_open(path_.c_str(), SFM_WRITE, &info);
    ASSERT_NE(file, nullptr) << sf_strerror(nullptr);
    std::mt19937 random(static_cast<unsigned>(format + channels));
    std::uniform_real_distribution<double> level(-1, 1);
    std::uniform_int_distribution<int> bits(0, 30);
    std::vector<double> samples(static_cast<size_t>(kFrames * channels));
    for (double& sample : samples) sample = std::ldexp(level(random), -bits(random));
    sf_writef_double(file, samples.data(), kFrames);
    sf_close(file);
  }

  std::vector<float> ByLibsndfile() const {
    SF_INFO info{};
    SNDFILE* file = sf_open(path_.c_str(), SFM_READ, &info);
    std::vector<float> samples(static_cast<size_t>(info.frames * info.channels));
    sf_readf_float(file, samples.data(), info.frames);
    sf_close(file);
    std::vector<float> mixed;
    for (size_t i = 0; i < samples.size(); i += static_cast<size_t>(info.channels)) {
      double sum = 0;
      for (size_t c = 0; c < static_cast<size_t>(info.channels); ++c) sum += samples[i + c];
      mixed.push_back(static_cast<float>(sum / info.channels));
    }
    return mixed;
  }

  static constexpr sf_count_t kFrames = 50'001;
  std::string path_;
};

TEST_P(PcmFile, GivesTheBitsOfLibsndfile) {
  const auto& [c, channels] = GetParam();
  Write(c.format, channels);
  if (HasFatalFailure()) return;
  const auto expected = ByLibsndfile();
  ASSERT_GE(expected.size(), size_t{49'900});  // PAF drops a last, incomplete block
  const UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  SndfileDecoder file;
  ASSERT_FALSE(file.Open(fd.get()).fault);
  std::vector<float> heard(expected.size());
  ASSERT_EQ(file.Read(heard), static_cast<int64_t>(heard.size()));
  EXPECT_EQ(std::memcmp(heard.data(), expected.data(), heard.size() * sizeof(float)), 0);
  // And from a place within.
  ASSERT_TRUE(file.Seek(30'000));
  std::vector<float> part(5'000);
  ASSERT_EQ(file.Read(part), 5'000);
  EXPECT_EQ(std::memcmp(part.data(), expected.data() + 30'000, part.size() * sizeof(float)), 0);
  ASSERT_TRUE(file.Seek(0));
  ASSERT_EQ(file.Read(part), 5'000);
  EXPECT_EQ(std::memcmp(part.data(), expected.data(), part.size() * sizeof(float)), 0);
}

constexpr Case kCases[] = {
    {"wav_8", SF_FORMAT_WAV | SF_FORMAT_PCM_U8},
    {"wav_16", SF_FORMAT_WAV | SF_FORMAT_PCM_16},
    {"wav_24", SF_FORMAT_WAV | SF_FORMAT_PCM_24},
    {"wav_32", SF_FORMAT_WAV | SF_FORMAT_PCM_32},
    {"wav_float", SF_FORMAT_WAV | SF_FORMAT_FLOAT},
    {"wav_double", SF_FORMAT_WAV | SF_FORMAT_DOUBLE},
    {"wav_ulaw", SF_FORMAT_WAV | SF_FORMAT_ULAW},
    {"rifx_16", SF_FORMAT_WAV | SF_FORMAT_PCM_16 | SF_ENDIAN_BIG},
    {"wavex_24", SF_FORMAT_WAVEX | SF_FORMAT_PCM_24},
    {"rf64_16", SF_FORMAT_RF64 | SF_FORMAT_PCM_16},
    {"w64_24", SF_FORMAT_W64 | SF_FORMAT_PCM_24},
    {"aiff_24", SF_FORMAT_AIFF | SF_FORMAT_PCM_24},
    {"aiff_16_little", SF_FORMAT_AIFF | SF_FORMAT_PCM_16 | SF_ENDIAN_LITTLE},
    {"au_float", SF_FORMAT_AU | SF_FORMAT_FLOAT},
    {"au_16_little", SF_FORMAT_AU | SF_FORMAT_PCM_16 | SF_ENDIAN_LITTLE},
    {"caf_24_little", SF_FORMAT_CAF | SF_FORMAT_PCM_24 | SF_ENDIAN_LITTLE},
    {"flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_24},
};

std::string NameOf(const testing::TestParamInfo<std::tuple<Case, int>>& test) {
  return std::string(std::get<0>(test.param).name) + "_of_" +
         std::to_string(std::get<1>(test.param));
}

INSTANTIATE_TEST_SUITE_P(Format, PcmFile,
                         testing::Combine(testing::ValuesIn(kCases), testing::Values(1, 2, 3)),
                         NameOf);

// Its samples do not lie one after the other: ten to a block. (Of three channels libsndfile itself
// gives other samples in other steps.)
INSTANTIATE_TEST_SUITE_P(Blocks, PcmFile,
                         testing::Combine(testing::Values(Case{"paf_24",
                                                               SF_FORMAT_PAF | SF_FORMAT_PCM_24}),
                                          testing::Values(1, 2)),
                         NameOf);

TEST(AllFinite, FindsOneSampleThatIsNot) {
  constexpr float kMost = std::numeric_limits<float>::max();
  std::vector<float> samples{0.0F, -0.0F, kMost, -kMost, 1e-42F, 1.0F, -1.0F, 0.5F, 0.25F};
  EXPECT_TRUE(AllFinite(samples));
  EXPECT_TRUE(AllFinite({}));
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const float bad : {kInfinity, -kInfinity, kNan, -kNan}) {
    for (size_t at = 0; at < samples.size(); ++at) {
      auto spoiled = samples;
      spoiled[at] = bad;
      EXPECT_FALSE(AllFinite(spoiled)) << bad << " at " << at;
    }
  }
}

}  // namespace
}  // namespace consort
