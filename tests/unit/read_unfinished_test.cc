// Recordings whose header says less than is there, and what follows the sound for other reasons.
#include <fcntl.h>
#include <unistd.h>

#include <fstream>

#include "read_sounds.h"

namespace consort {
namespace {

constexpr int kWav16 = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
constexpr int kW64 = SF_FORMAT_W64 | SF_FORMAT_PCM_16;
constexpr size_t kWavSizeAt = 40;
constexpr size_t kW64SizeAt = 96;
constexpr int64_t k4GiB = int64_t{1} << 32;

std::string Little(uint64_t number, size_t width) {
  std::string bytes;
  for (size_t i = 0; i < width; ++i) bytes += static_cast<char>(number >> (8 * i));
  return bytes;
}

class ReadUnfinished : public ReadTest {
 protected:
  Heard Hear(const std::string& path) {
    SegmentReader reader(spec_, clock_);
    return HearAll(reader, spec_, path);
  }
  // A good file with another size of its sound in its header, and more behind.
  std::string WithSize(const std::string& name, const std::string& good, size_t at, uint64_t size,
                       size_t width, const std::string& more = {}) {
    std::string bytes = good;
    bytes.replace(at, width, Little(size, width));
    return WriteBytes(name, bytes + more);
  }
  // A WAV with `more` bytes of sound than `sound_bytes` in its header, and that only at its two
  // ends: a file with a hole.
  std::string Long(const std::string& name, const std::string& good, uint64_t said, int64_t bytes,
                   const std::string& end) {
    const auto path = WithSize(name, good, kWavSizeAt, said, 4);
    std::filesystem::resize_file(path, static_cast<uintmax_t>(44 + bytes));
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(44 + bytes - static_cast<int64_t>(end.size()));
    file << end;
    return path;
  }

  AudioSpec spec_ = Spec(16000, 0.5, 0.5);
};

// Bytes that this process has read by system calls.
int64_t BytesRead() {
  std::ifstream io("/proc/self/io");
  std::string name;
  int64_t number = -1;
  while (io >> name >> number) {
    if (name == "rchar:") return number;
  }
  return -1;
}

TEST_F(ReadUnfinished, WhatAWavHasBeyond4GiBIsHeard) {
  const std::string good = Bytes(Write("a.wav", kWav16, Sound(20'000, 1, 16000), 1, 16000));
  const std::string sound = good.substr(44);
  const Heard expected = Hear(Path("a.wav"));
  const int64_t bytes = int64_t{540'000} * 16'000;  // whole segments, more than twice 4 GiB
  // ffmpeg, sox, arecord, nothing; a size that ran over, and one that was written now and then.
  for (const uint64_t said :
       {0xFFFFFFFFu, 0x7FFFF000u, 0x80000000u, 0u, static_cast<uint32_t>(bytes), 40'000u}) {
    const auto path = Long("long.wav", good, said, bytes, sound);
    SegmentReader reader(spec_, clock_);
    const MaybeFault fault = reader.Open(path);
    ASSERT_FALSE(fault) << fault->message;
    EXPECT_EQ(reader.info().samples, bytes / 2) << std::hex << said;
    EXPECT_EQ(reader.info().container, "wav");
    // A size that ran over and ends where the file does is as right as it can be, and yet not it.
    EXPECT_EQ(reader.info().flags, kHeaderUnfinished) << std::hex << said;
    std::vector<float> first(8000);
    std::vector<float> last(8000);
    ASSERT_FALSE(reader.ReadSegment(0, first));
    EXPECT_TRUE(std::equal(first.begin(), first.end(), expected.samples.begin()));
    ASSERT_FALSE(reader.ReadSegment(reader.segment_count() - 1, last));
    EXPECT_TRUE(std::equal(last.begin(), last.end(), expected.samples.begin() + 12'000))
        << std::hex << said;
    EXPECT_FALSE(reader.CheckEnd());
  }
}

TEST_F(ReadUnfinished, ChunksBehindASizeThatRanOverAreNoSound) {
  const std::string good = Bytes(Write("a.wav", kWav16, Sound(20'000, 1, 16000), 1, 16000));
  const int64_t bytes = k4GiB + 50'000;
  const std::string list = "LIST" + Little(9'992, 4) + std::string(9'992, '\x55');
  const auto path = Long("long.wav", good, 50'000, bytes + 10'000, list);
  SegmentReader reader(spec_, clock_);
  ASSERT_FALSE(reader.Open(path));
  EXPECT_EQ(reader.info().samples, bytes / 2);
}

TEST_F(ReadUnfinished, WhatCannotBeHeardBeyond4GiBIsAnError) {
  const std::string good =
      Bytes(Write("a.wav", SF_FORMAT_WAV | SF_FORMAT_MS_ADPCM, Sound(20'000, 1, 16000), 1, 16000));
  std::string big =
      Bytes(Write("b.wav", kWav16 | SF_ENDIAN_BIG, Sound(20'000, 1, 16000), 1, 16000));
  for (std::string bytes : {good, big}) {
    const size_t data = bytes.find("data");
    ASSERT_NE(data, std::string::npos);
    bytes.replace(data + 4, 4, std::string(4, '\xFF'));
    const auto path = WriteBytes("c.wav", bytes);
    std::filesystem::resize_file(path, static_cast<uintmax_t>(k4GiB + 100'000));
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-20'000, std::ios::end);
    file << std::string(20'000, '\x55');
    file.close();
    const Heard heard = Hear(path);
    ASSERT_TRUE(heard.fault);
    EXPECT_EQ(heard.fault->code, ErrorCode::kUnsupported);
    EXPECT_NE(heard.fault->message.find("beyond 4 GiB"), std::string::npos);
  }
}

TEST_F(ReadUnfinished, RoomThatWasMadeForMoreIsNotReadThrough) {
  const std::string good = Bytes(Write("a.wav", kWav16, Sound(20'000, 1, 16000), 1, 16000));
  const auto path = WriteBytes("b.wav", good + std::string(32 << 20, '\0'));
  if (BytesRead() < 0) GTEST_SKIP() << "no /proc/self/io";
  EngineState state;
  StageClock clock(&state);
  SegmentReader reader(spec_, clock);
  const int64_t before = BytesRead();
  ASSERT_FALSE(reader.Open(path));
  const int64_t first = BytesRead();
  EXPECT_EQ(reader.info().samples, 20'000);
  EXPECT_LT(first - before, 8 << 20);
  EXPECT_GT(state.steps.load(), 100U) << "signs of life";
  reader.Close();
  const int64_t between = BytesRead();
  ASSERT_FALSE(reader.Open(path));
  EXPECT_LT(BytesRead() - between, 100'000) << "what is known of a file is kept";
  EXPECT_EQ(reader.info().samples, 20'000);
}

TEST_F(ReadUnfinished, SoundBehindALongSilenceIsFound) {
  const std::string good = Bytes(Write("a.wav", kWav16, Sound(20'000, 1, 16000), 1, 16000));
  const std::string sound = good.substr(44);
  const std::string more = std::string(3 << 20, '\0') + sound + std::string(3 << 20, '\0');
  const Heard heard = Hear(WriteBytes("b.wav", good + more));
  EXPECT_EQ(heard.info.samples, 20'000 + static_cast<int64_t>(more.size() / 2));
  EXPECT_EQ(heard.info.flags, kHeaderUnfinished);
}

TEST_F(ReadUnfinished, WhatWasMendedIsMendedAgainWhenItIsOpenedAgain) {
  const std::string good = Bytes(Write("a.wav", kWav16, Sound(20'000, 1, 16000), 1, 16000));
  const auto other = Write("c.wav", kWav16, Sound(30'000, 1, 16000), 1, 16000);
  const Heard expected = Hear(Path("a.wav"));
  const auto path = WithSize("b.wav", good, kWavSizeAt, 12'000, 4);
  SegmentReader reader(spec_, clock_);
  for (int i = 0; i < 3; ++i) {
    const Heard heard = HearAll(reader, spec_, path);
    ASSERT_FALSE(heard.fault);
    EXPECT_EQ(heard.samples, expected.samples);
    EXPECT_EQ(heard.info.flags, kHeaderUnfinished);
    if (i == 1) {
      EXPECT_EQ(HearAll(reader, spec_, other).info.flags, 0U);
    }
  }
}

TEST_F(ReadUnfinished, ChunksBehindAnOddSizeThatWasNotPaddedAreNoSound) {
  const int format = SF_FORMAT_WAV | SF_FORMAT_PCM_U8;
  std::string good = Bytes(Write("a.wav", format, Sound(20'001, 1, 16000), 1, 16000));
  good.resize(44 + 20'001);
  for (const std::string name : {"iXML", "_PMX", "LIST"}) {
    for (const std::string pad : {"", "\x80"}) {
      const Heard heard =
          Hear(WriteBytes("b.wav", good + pad + name + Little(6'001, 4) + std::string(6'001, 'x')));
      ASSERT_FALSE(heard.fault);
      EXPECT_EQ(heard.info.samples, 20'001) << name << pad.size();
      EXPECT_EQ(heard.info.flags, 0U) << name << pad.size();
    }
  }
}

TEST_F(ReadUnfinished, ChunksBehindTheSoundOfAW64AreNoSound) {
  const auto sound = Sound(20'001, 1, 16000);
  std::string good = Bytes(Write("a.w64", kW64, sound, 1, 16000));
  good.resize(104 + 40'002);
  Write("a.wav", kWav16, sound, 1, 16000);
  const Heard expected = Hear(Path("a.wav"));
  const std::string pad(6, '\0');
  const auto chunk = [](const std::string& name, size_t bytes) {
    return name + std::string(12, '\x7A') + Little(24 + bytes, 8) + std::string(bytes, '\x55');
  };
  for (const std::string& more :
       {pad, pad + chunk("bext", 4'000), pad + chunk("summ", 8) + chunk("note", 7'000),
        pad + std::string(9'000, '\0')}) {
    const Heard heard = Hear(WithSize("b.w64", good, kW64SizeAt, 40'002 + 24, 8, more));
    ASSERT_FALSE(heard.fault);
    EXPECT_EQ(heard.info.samples, 20'001) << more.size();
    EXPECT_EQ(heard.samples, expected.samples) << more.size();
    EXPECT_EQ(heard.info.flags, 0U) << more.size();
  }
}

TEST_F(ReadUnfinished, ATenthOfASecondIsCountedBySamplesWhateverTheHeaderSaysOfBytes) {
  std::string good = Bytes(Write("a.wav", kWav16, Sound(20'000, 1, 16000), 1, 16000));
  for (const uint64_t bytes_a_second : {uint64_t{0}, uint64_t{0xFFFF'FFFF}}) {
    good.replace(28, 4, Little(bytes_a_second, 4));
    EXPECT_EQ(Hear(WriteBytes("b.wav", good + std::string(3'000, '\x81'))).info.samples, 20'000);
    EXPECT_EQ(Hear(WriteBytes("b.wav", good + std::string(4'000, '\x81'))).info.samples, 22'000);
  }
}

}  // namespace
}  // namespace consort
