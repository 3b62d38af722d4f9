// Every way a file can be bad: one code, one clause, and a place that depends on the file alone.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <limits>
#include <thread>

#include "read_sounds.h"
#include "shared/base/unique_fd.h"
#include "worker/read/promised_length.h"

namespace consort {
namespace {

constexpr int kWav16 = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
constexpr int kWavFloat = SF_FORMAT_WAV | SF_FORMAT_FLOAT;

class ReadFaults : public ReadTest {
 protected:
  MaybeFault OpenFault(const std::string& path) {
    SegmentReader reader(spec_, clock_);
    return reader.Open(path);
  }
  void ExpectFault(const std::string& path, ErrorCode code, const std::string& words) {
    const MaybeFault fault = OpenFault(path);
    ASSERT_TRUE(fault) << path;
    EXPECT_EQ(fault->code, code) << ErrorCodeName(fault->code);
    EXPECT_EQ(fault->message, words);
    EXPECT_EQ(fault->at_sample, -1);
  }
  // The same fault at the same segment, whichever segment a task begins with; all before are good.
  void ExpectFaultFromAnyBeginning(const std::string& path, ErrorCode code, const Heard& heard) {
    ASSERT_TRUE(heard.fault);
    EXPECT_EQ(heard.fault->code, code) << heard.fault->message;
    ASSERT_GE(heard.faulty_segment, 0);
    std::vector<float> out(static_cast<size_t>(spec_.SegmentSamples()));
    for (int64_t k = 0; k <= heard.faulty_segment; ++k) {
      SegmentReader reader(spec_, clock_);
      ASSERT_FALSE(reader.Open(path));
      const MaybeFault fault = reader.ReadSegment(k, out);
      ASSERT_EQ(fault.has_value(), k == heard.faulty_segment) << k;
      if (fault) {
        EXPECT_EQ(fault->code, heard.fault->code);
        EXPECT_EQ(fault->at_sample, heard.fault->at_sample);
        EXPECT_EQ(fault->message, heard.fault->message);
      } else {
        EXPECT_TRUE(std::equal(out.begin(), out.end(),
                               heard.samples.begin() + k * static_cast<int64_t>(out.size())))
            << k;
      }
    }
  }
  Heard Hear(const std::string& path) {
    SegmentReader reader(spec_, clock_);
    return HearAll(reader, spec_, path);
  }

  AudioSpec spec_ = Spec(16000, 0.5, 0.5);
};

void PutLittle(std::string& bytes, size_t at, uint32_t value) {
  for (size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
}

TEST_F(ReadFaults, MissingFileIsNotFound) {
  ExpectFault(Path("none.wav"), ErrorCode::kNotFound, "no such file");
  ExpectFault(WriteBytes("file", "x") + "/a.wav", ErrorCode::kNotFound, "no such file");
}

TEST_F(ReadFaults, WhatIsNotARegularFileIsNeitherReadNorWaitedFor) {
  ExpectFault(folder_.string(), ErrorCode::kNotAFile, "is a directory, not a regular file");
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  ExpectFault(Path("fifo"), ErrorCode::kNotAFile, "is a FIFO, not a regular file");
  ExpectFault("/dev/zero", ErrorCode::kNotAFile, "is a device, not a regular file");
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  Path("socket").copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ExpectFault(Path("socket"), ErrorCode::kNotAFile, "is a socket or a device, not a regular file");
  close(socket);
}

TEST_F(ReadFaults, UnreadableFileSaysWhy) {
  std::filesystem::create_symlink("loop", Path("loop"));
  const MaybeFault fault = OpenFault(Path("loop"));
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->code, ErrorCode::kUnreadable);
  EXPECT_EQ(fault->message, "could not open: too many levels of symbolic links");
  if (geteuid() == 0) GTEST_SKIP() << "root may read everything";
  const auto path = WriteBytes("a.wav", "x");
  chmod(path.c_str(), 0);
  ExpectFault(path, ErrorCode::kUnreadable, "could not open: permission denied");
}

TEST_F(ReadFaults, WantOfDescriptorsIsNoFaultOfTheFile) {
  const auto path = Write("a.wav", kWav16, Sound(9000, 1, 16000), 1, 16000);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  SegmentReader reader(spec_, clock_);
  UniqueFd last(open("/dev/null", O_RDONLY | O_CLOEXEC));
  rlimit few = before;
  few.rlim_cur = static_cast<rlim_t>(last.get()) + 1;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  const MaybeFault fault = reader.Open(path);
  std::thread giver([&last] {
    usleep(100'000);
    last.Reset();
  });
  const MaybeFault waited = reader.Open(path);
  giver.join();
  setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_TRUE(fault);
  EXPECT_TRUE(fault->ours);
  EXPECT_EQ(fault->message, "could not open: too many open files");
  EXPECT_FALSE(waited) << "one was given back meanwhile";
  ASSERT_TRUE(reader.Open(Path("none.wav")));
  EXPECT_FALSE(reader.Open(Path("none.wav"))->ours);
}

TEST_F(ReadFaults, FailedReadIsAnIoFault) {
  const auto path = Write("a.wav", kWav16, Sound(9000, 1, 16000), 1, 16000);
  const UniqueFd fd(open(path.c_str(), O_WRONLY));  // read(2): EBADF
  SndfileDecoder sndfile;
  const MaybeFault fault = sndfile.Open(fd.get()).fault;
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->code, ErrorCode::kIo);
  EXPECT_EQ(fault->message, "could not read: bad file descriptor");
}

TEST_F(ReadFaults, FileWithoutContentOrSamplesIsEmpty) {
  ExpectFault(WriteBytes("a.wav", ""), ErrorCode::kEmpty, "the file has no content");
  for (const int format :
       {kWav16, SF_FORMAT_AIFF | SF_FORMAT_PCM_16, SF_FORMAT_AU | SF_FORMAT_PCM_16}) {
    ExpectFault(Write("b", format, {}, 1, 16000), ErrorCode::kEmpty, "the file has no samples");
  }
}

TEST_F(ReadFaults, WhatIsNotAudioSaysWhatItLooksLike) {
  const std::string unknown = "no decoder knows the content";
  ExpectFault(WriteBytes("a.wav", "Hello, I am a text.\n"), ErrorCode::kNotAudio,
              unknown + " (looks like text)");
  ExpectFault(WriteBytes("a.mp3", std::string("\0\0\0\x20"
                                              "ftypM4A \0\0\0\0",
                                              16) +
                                      std::string(900, 'x')),
              ErrorCode::kDecode,
              "the header of an MP4 or M4A file (its index, \"moov\", may never have been written) "
              "is damaged, cut short, or of an unknown encoding");
  ExpectFault(WriteBytes("a.flac", std::string("PK\x03\x04") + std::string(900, '\1')),
              ErrorCode::kNotAudio, unknown + " (looks like a ZIP archive)");
  ExpectFault(WriteBytes("a.raw", std::string(5000, '\0')), ErrorCode::kNotAudio,
              unknown + " (begins with zeros only)");
  ExpectFault(WriteBytes("a.ogg", std::string(1, '\1')), ErrorCode::kNotAudio, unknown);
}

TEST_F(ReadFaults, HeaderlessSamplesAreNotGuessed) {
  std::string noise;
  for (unsigned i = 0; i < 9000; ++i) noise += static_cast<char>(i * i * 31 + 128);
  for (const char* name : {"a.raw", "a.vox", "a.gsm", "a.snd", "a.sw"}) {
    const MaybeFault fault = OpenFault(WriteBytes(name, noise));
    ASSERT_TRUE(fault) << name;
    EXPECT_EQ(fault->code, ErrorCode::kNotAudio) << name;
  }
}

TEST_F(ReadFaults, HeaderCutShortIsADecodeFault) {
  for (const int format :
       {kWav16, SF_FORMAT_FLAC | SF_FORMAT_PCM_16, SF_FORMAT_AIFF | SF_FORMAT_PCM_16}) {
    const auto path = Write("a", format, Sound(9000, 1, 16000), 1, 16000);
    const MaybeFault fault = OpenFault(WriteBytes("b", Bytes(path).substr(0, 20)));
    ASSERT_TRUE(fault);
    EXPECT_EQ(fault->code, ErrorCode::kDecode) << fault->message;
  }
}

TEST_F(ReadFaults, SampleRatesOutsideWhatWeTakeAreUnsupported) {
  const auto sound = Sound(2000, 1, 16000);
  ExpectFault(Write("a.wav", kWav16, sound, 1, 1), ErrorCode::kUnsupported,
              "a sample rate of 1 Hz is outside 100 Hz to 1 MHz");
  ExpectFault(Write("a.wav", kWav16, sound, 1, 99), ErrorCode::kUnsupported,
              "a sample rate of 99 Hz is outside 100 Hz to 1 MHz");
  ExpectFault(Write("a.wav", kWav16, sound, 1, 1'000'001), ErrorCode::kUnsupported,
              "a sample rate of 1000001 Hz is outside 100 Hz to 1 MHz");
  for (const int32_t rate : {100, 768'000, 1'000'000}) {
    EXPECT_FALSE(Hear(Write("a.wav", kWav16, sound, 1, rate)).fault) << rate;
  }
}

TEST_F(ReadFaults, MoreThan1024ChannelsAreUnsupported) {
  std::string bytes = Bytes(Write("a.wav", kWav16, Sound(3000, 1, 16000), 1, 16000));
  bytes[22] = 0x01;  // 1025, little-endian
  bytes[23] = 0x04;
  ExpectFault(WriteBytes("b.wav", bytes), ErrorCode::kUnsupported,
              "a channel count outside 1 to 1024 is not supported");
}

TEST_F(ReadFaults, TruncatedPcmGivesWhatIsThereThenTheFaultWhereItEnds) {
  for (const int32_t rate : {16000, 44100}) {
    for (const int container : {int{SF_FORMAT_WAV}, int{SF_FORMAT_AIFF}, int{SF_FORMAT_AU},
                                int{SF_FORMAT_WAVEX}, SF_FORMAT_WAV | SF_ENDIAN_BIG,
                                int{SF_FORMAT_RF64}, int{SF_FORMAT_NIST}, int{SF_FORMAT_VOC}}) {
      const auto path = Write("a", container | SF_FORMAT_PCM_16, Sound(5 * rate, 2, rate), 2, rate);
      const auto cut = Cut(path, 0.5);
      const Heard heard = Hear(cut);
      ASSERT_TRUE(heard.fault) << std::hex << container;
      EXPECT_EQ(heard.info.samples, 5 * rate);  // what the header promises
      EXPECT_EQ(heard.segments, 10);
      const auto bytes = static_cast<int64_t>(std::filesystem::file_size(path));
      const int64_t head = bytes - 5 * rate * 4;
      EXPECT_NEAR(static_cast<double>(heard.fault->at_sample),
                  static_cast<double>((bytes / 2 - head) / 4), 30)
          << std::hex << container;
      // At 44.1 kHz the fourth segment needs context beyond the end: so does a task that begins
      // there.
      EXPECT_EQ(heard.faulty_segment, 4);
      EXPECT_EQ(heard.fault->message, "the content ends before the header says");
      ExpectFaultFromAnyBeginning(cut, ErrorCode::kTruncated, heard);
    }
  }
}

TEST_F(ReadFaults, VocGoesOnWhereBlocksFollowItsFirstWithSound) {
  const std::string one =
      Bytes(Write("a.voc", SF_FORMAT_VOC | SF_FORMAT_PCM_16, Sound(5000, 1, 16000), 1, 16000));
  const std::string sound = one.substr(0, one.size() - 1);  // without the end's byte
  const auto goes_on = [&](const std::string& bytes) {
    const UniqueFd fd(::open(WriteBytes("b.voc", bytes).c_str(), O_RDONLY | O_CLOEXEC));
    return VocGoesOn(fd.get(), static_cast<int64_t>(bytes.size()));
  };
  EXPECT_FALSE(goes_on(one));
  EXPECT_FALSE(goes_on(sound));
  EXPECT_FALSE(goes_on(sound.substr(0, 4000)));
  EXPECT_FALSE(goes_on(one + "what else is there"));
  const std::string more("\2\4\0\0abcd", 8);
  EXPECT_TRUE(goes_on(sound + more));
  EXPECT_TRUE(goes_on(sound + more + '\0'));
  EXPECT_TRUE(goes_on(sound + std::string("\5\3\0\0ab\0\0", 8))) << "a text";
  EXPECT_FALSE(goes_on(sound + std::string(size_t{1} << 24, '\2') + '\0'))
      << "a block longer than it can say";
}

TEST_F(ReadFaults, TruncatedSphereOfMuLawIsFoundWhereverItsFieldsStand) {
  const auto path = Write("a.sph", SF_FORMAT_NIST | SF_FORMAT_ULAW, Sound(40000, 1, 8000), 1, 8000);
  const std::string bytes = Bytes(path);
  const size_t fields = bytes.find("channel_count");
  ASSERT_NE(fields, std::string::npos);
  EXPECT_FALSE(Hear(path).fault);
  for (const size_t others : {size_t{0}, size_t{500}}) {
    auto moved = bytes;
    if (others > 0) {
      moved.insert(fields, "speaker_notes -s" + std::to_string(others) + ' ' +
                               std::string(others, 'x') + '\n');
      moved.erase(1024, moved.size() - bytes.size());
    }
    EXPECT_FALSE(Hear(WriteBytes("whole.sph", moved)).fault) << others;
    const auto heard = Hear(WriteBytes("cut.sph", moved.substr(0, 1024 + 20000)));
    ASSERT_TRUE(heard.fault) << others;
    EXPECT_EQ(heard.fault->code, ErrorCode::kTruncated);
    EXPECT_EQ(heard.fault->at_sample, 20000);
  }
}

TEST_F(ReadFaults, WavTruncatedRightAfterItsHeaderFailsAtItsFirstSample) {
  const auto path = Write("a.wav", kWav16, Sound(9000, 1, 16000), 1, 16000);
  const Heard heard = Hear(WriteBytes("b.wav", Bytes(path).substr(0, 46)));
  ASSERT_TRUE(heard.fault);
  EXPECT_EQ(heard.fault->code, ErrorCode::kTruncated);
  EXPECT_EQ(heard.faulty_segment, 0);
  EXPECT_EQ(heard.fault->at_sample, 1);
}

TEST_F(ReadFaults, WavWrittenToAPipeIsNotTruncated) {
  const std::string good = Bytes(Write("a.wav", kWav16, Sound(20'000, 1, 16000), 1, 16000));
  const Heard expected = Hear(Path("a.wav"));
  // Nothing known yet (gstreamer), ffmpeg, sox, arecord.
  for (const uint32_t size :
       {0u, 0xFFFFFFFFu, 0x7FFFF000u, 0x7FFFFFFFu, 0x80000000u, 0xFFFFFFFFu - 36}) {
    std::string bytes = good;
    PutLittle(bytes, 4, size);
    PutLittle(bytes, 40, size);
    const Heard heard = Hear(WriteBytes("b.wav", bytes));
    ASSERT_FALSE(heard.fault) << size;
    EXPECT_EQ(heard.info.samples, 20'000) << std::hex << size;
    EXPECT_EQ(heard.samples, expected.samples);
    EXPECT_EQ(heard.info.flags, kHeaderUnfinished);
  }
  EXPECT_EQ(expected.info.flags, 0U);
}

void PutLittle64(std::string& bytes, size_t at, uint64_t value) {
  PutLittle(bytes, at, static_cast<uint32_t>(value));
  PutLittle(bytes, at + 4, static_cast<uint32_t>(value >> 32));
}

// A recorder writes what it has so far into the header now and then, and dies.
TEST_F(ReadFaults, WhatAnInterruptedRecordingHasBeyondItsHeaderIsHeard) {
  struct Kind {
    int format;
    size_t size_at;  // of the sound, in the header
    bool wide;
    uint64_t more;  // in that number than the sound's bytes
  };
  for (const Kind& kind : {Kind{kWav16, 40, false, 0},
                           {SF_FORMAT_WAV | SF_FORMAT_PCM_24, 40, false, 0},
                           {SF_FORMAT_RF64 | SF_FORMAT_PCM_16, 28, true, 0},
                           {SF_FORMAT_W64 | SF_FORMAT_PCM_16, 96, true, 24}}) {
    const std::string good = Bytes(Write("a", kind.format, Sound(20'000, 1, 16000), 1, 16000));
    const Heard expected = Hear(Path("a"));
    ASSERT_FALSE(expected.fault);
    EXPECT_EQ(expected.info.flags, 0U) << std::hex << kind.format;
    for (const uint64_t size : {0, 2, 12'001, 30'000}) {
      std::string bytes = good;
      if (kind.wide) {
        PutLittle64(bytes, kind.size_at, size + kind.more);
      } else {
        PutLittle(bytes, kind.size_at, static_cast<uint32_t>(size));
      }
      const Heard heard = Hear(WriteBytes("b", bytes));
      ASSERT_FALSE(heard.fault) << std::hex << kind.format << ' ' << size << heard.fault->message;
      EXPECT_EQ(heard.info.samples, 20'000) << std::hex << kind.format << ' ' << size;
      EXPECT_EQ(heard.samples, expected.samples) << std::hex << kind.format << ' ' << size;
      EXPECT_EQ(heard.info.flags, kHeaderUnfinished) << std::hex << kind.format << ' ' << size;
    }
  }
}

TEST_F(ReadFaults, WhatFollowsTheSoundForOtherReasonsIsNotHeard) {
  const std::string good = Bytes(Write("a.wav", kWav16, Sound(20'000, 1, 16000), 1, 16000));
  std::string list("LIST\x10\x27\0\0", 8);
  list += std::string(10'000, '\x55');
  std::string two = list + std::string("zzzz\4\0\0\0\1\2\3\4", 12);
  std::string tag = "TAG" + std::string(125, '\x55');
  for (const std::string& more :
       {list, two, list.substr(0, 6000), std::string(50'000, '\0'),
        "ID3\4" + std::string(9000, '\x80'), tag, std::string(3000, '\x81')}) {
    const Heard heard = Hear(WriteBytes("b.wav", good + more));
    ASSERT_FALSE(heard.fault);
    EXPECT_EQ(heard.info.samples, 20'000) << more.size();
    EXPECT_EQ(heard.info.flags, 0U);
  }
}

TEST_F(ReadFaults, W64ThatEndsBeforeItsHeaderSaysIsTruncated) {
  const auto path =
      Write("a.w64", SF_FORMAT_W64 | SF_FORMAT_PCM_16, Sound(20'000, 1, 16000), 1, 16000);
  const Heard heard = Hear(Cut(path, 0.75));
  ASSERT_TRUE(heard.fault);
  EXPECT_EQ(heard.fault->code, ErrorCode::kTruncated);
  EXPECT_NEAR(static_cast<double>(heard.fault->at_sample), 15'000, 100);
}

TEST_F(ReadFaults, TheEndIsCheckedWithoutReadingEverything) {
  const auto sound = Sound(5 * 16000, 1, 16000);
  for (const auto& [format, name] : {std::pair(kWav16, "a.wav"),
                                     {SF_FORMAT_FLAC | SF_FORMAT_PCM_16, "a.flac"},
                                     {SF_FORMAT_OGG | SF_FORMAT_VORBIS, "a.ogg"},
                                     {SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, "a.mp3"}}) {
    const auto path = Write(name, format, sound, 1, 16000);
    SegmentReader reader(spec_, clock_);
    ASSERT_FALSE(reader.Open(path));
    EXPECT_FALSE(reader.CheckEnd()) << name;
    const auto cut = Cut(path, 0.6);
    const Heard heard = Hear(cut);
    if (!heard.fault) continue;  // an MP3 without a header is whole wherever it ends
    ASSERT_FALSE(reader.Open(cut));
    const MaybeFault fault = reader.CheckEnd();
    ASSERT_TRUE(fault) << name;
    EXPECT_EQ(fault->code, heard.fault->code) << name;
    EXPECT_EQ(fault->message, heard.fault->message) << name;
    EXPECT_EQ(fault->at_sample, heard.fault->at_sample) << name;
  }
}

TEST_F(ReadFaults, EmptyWavWithMoreChunksStaysEmpty) {
  std::string bytes = Bytes(Write("a.wav", kWav16, {}, 1, 16000));
  bytes = bytes.substr(0, 44) + std::string("LIST\4\0\0\0INFO", 12);
  PutLittle(bytes, 4, static_cast<uint32_t>(bytes.size()) - 8);
  PutLittle(bytes, 40, 0);
  ExpectFault(WriteBytes("b.wav", bytes), ErrorCode::kEmpty, "the file has no samples");
}

TEST_F(ReadFaults, TruncatedFlacGivesWhatIsThereThenTheFault) {
  for (const int32_t rate : {16000, 44100}) {
    const auto path =
        Write("a.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, Sound(5 * rate, 2, rate), 2, rate);
    const auto cut = Cut(path, 0.5);
    const Heard heard = Hear(cut);
    EXPECT_EQ(heard.info.samples, 5 * rate);
    EXPECT_GE(heard.faulty_segment, 3);
    EXPECT_LE(heard.faulty_segment, 5);
    EXPECT_EQ(heard.fault->at_sample % 4096, 0);  // libsndfile's blocks: the last whole one
    ExpectFaultFromAnyBeginning(cut, ErrorCode::kTruncated, heard);
  }
}

// The total number of samples in a FLAC's STREAMINFO: 36 bits from byte 21's lower half on.
std::string WithoutTotal(std::string flac) {
  flac[21] = static_cast<char>(flac[21] & 0xF0);
  for (size_t i = 22; i < 26; ++i) flac[i] = 0;
  return flac;
}

TEST_F(ReadFaults, FlacWithoutATotalIsCountedByDecoding) {
  const auto path =
      Write("a.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, Sound(70'001, 1, 16000), 1, 16000);
  const Heard expected = Hear(path);
  const auto pipe = WriteBytes("b.flac", WithoutTotal(Bytes(path)));
  const Heard heard = Hear(pipe);
  ASSERT_FALSE(heard.fault);
  EXPECT_EQ(heard.info.samples, 70'001);
  EXPECT_EQ(heard.samples, expected.samples);
  SegmentReader reader(spec_, clock_);
  ASSERT_FALSE(reader.Open(pipe));
  EXPECT_FALSE(reader.CheckEnd());
  const auto cut = Cut(pipe, 0.5);  // ends within a block
  ExpectFaultFromAnyBeginning(cut, ErrorCode::kTruncated, Hear(cut));
}

TEST_F(ReadFaults, GarbageInAFlacIsADecodeFaultWhereItBegins) {
  const auto path =
      Write("a.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, Sound(200'000, 1, 44100), 1, 44100);
  const auto damaged = Damage(path, 0.5);
  const Heard heard = Hear(damaged);
  ASSERT_TRUE(heard.fault);
  EXPECT_EQ(heard.fault->message, "the content is damaged");
  EXPECT_NEAR(static_cast<double>(heard.fault->at_sample), 100'000, 8192);
  ExpectFaultFromAnyBeginning(damaged, ErrorCode::kDecode, heard);
}

TEST_F(ReadFaults, NotFiniteSamplesAreAFaultOfEverySegmentThatNeedsThem) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    auto sound = Sound(40'000, 2, 16000);
    sound[2 * 17'000 + 1] = bad;
    sound[2 * 17'500] = bad;
    const auto path = Write("a.wav", kWavFloat, sound, 2, 16000);
    const Heard heard = Hear(path);
    ExpectFaultFromAnyBeginning(path, ErrorCode::kNotFinite, heard);
    EXPECT_EQ(heard.faulty_segment, 2);
    EXPECT_EQ(heard.fault->at_sample, 17'000);
  }
  // Where the file is resampled, context counts: sample 22,100 is just after segment 0's end.
  auto sound = Sound(88'200, 1, 44100);
  sound[22'100] = std::numeric_limits<float>::quiet_NaN();
  const Heard heard = Hear(Write("b.wav", kWavFloat, sound, 1, 44100));
  ASSERT_TRUE(heard.fault);
  EXPECT_EQ(heard.faulty_segment, 0);
  EXPECT_EQ(heard.fault->at_sample, 22'100);
}

TEST_F(ReadFaults, FileFullOfNaNFailsAtItsFirstSample) {
  const std::vector<float> sound(9000, std::numeric_limits<float>::quiet_NaN());
  const Heard heard = Hear(Write("a.wav", kWavFloat, sound, 1, 44100));
  ASSERT_TRUE(heard.fault);
  EXPECT_EQ(heard.fault->code, ErrorCode::kNotFinite);
  EXPECT_EQ(heard.fault->at_sample, 0);
  EXPECT_EQ(heard.fault->message, "a sample is infinite or not a number");
}

TEST_F(ReadFaults, ReaderGoesOnAfterAFault) {
  const auto good = Write("a.wav", kWav16, Sound(20'000, 1, 16000), 1, 16000);
  const auto flac =
      Write("a.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, Sound(90'000, 1, 16000), 1, 16000);
  const auto cut = Cut(flac, 0.5);
  SegmentReader reader(spec_, clock_);
  ASSERT_FALSE(reader.Open(cut));
  std::vector<float> last(8000);
  std::vector<float> first(8000);
  EXPECT_TRUE(reader.ReadSegment(reader.segment_count() - 1, last));
  ASSERT_FALSE(reader.ReadSegment(0, first));  // below the fault: still good
  const Heard expected = Hear(flac);
  EXPECT_TRUE(std::equal(first.begin(), first.end(), expected.samples.begin()));
  EXPECT_EQ(HearAll(reader, spec_, good).segments, 3);
}

TEST_F(ReadFaults, FileThatShrinksWhileItIsOpenEndsWhereItIsCut) {
  const auto path = Write("a.wav", kWav16, Sound(80'000, 1, 16000), 1, 16000);
  SegmentReader reader(spec_, clock_);
  ASSERT_FALSE(reader.Open(path));
  std::filesystem::resize_file(path, 44 + 2 * 30'000);
  std::vector<float> out(8000);
  EXPECT_FALSE(reader.ReadSegment(0, out));
  const MaybeFault fault = reader.ReadSegment(6, out);
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->code, ErrorCode::kTruncated);
  EXPECT_EQ(fault->at_sample, 30'000);
}

}  // namespace
}  // namespace consort
