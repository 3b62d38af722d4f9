#include <gtest/gtest.h>

#include <vector>

#include "worker/read/frame_end.h"

namespace consort {
namespace {

using Bytes = std::vector<uint8_t>;

// Headers as ffmpeg wrote them, and the sizes of their frames.
struct Frame {
  const char* what;
  AVCodecID codec;
  Bytes header;
  size_t bytes;
};

const std::vector<Frame>& Frames() {
  static const std::vector<Frame> frames = {
      {"ADTS", AV_CODEC_ID_AAC, {0xFF, 0xF1, 0x50, 0x80, 0x2E, 0x7F, 0xFC}, 371},
      {"AC-3, 48 kHz, 192 kbit/s", AV_CODEC_ID_AC3, {0x0B, 0x77, 0x31, 0xF8, 0x14, 0x40}, 768},
      {"AC-3, 44.1 kHz, 96 kbit/s", AV_CODEC_ID_AC3, {0x0B, 0x77, 0x48, 0x0B, 0x4C, 0x40}, 416},
      {"and a word more", AV_CODEC_ID_AC3, {0x0B, 0x77, 0x48, 0x0B, 0x4D, 0x40}, 418},
      {"AC-3, 32 kHz, 64 kbit/s", AV_CODEC_ID_AC3, {0x0B, 0x77, 0x82, 0xA5, 0x88, 0x40}, 384},
      {"E-AC-3", AV_CODEC_ID_EAC3, {0x0B, 0x77, 0x01, 0xA0, 0x74, 0x87}, 834},
      {"AC-3 in E-AC-3", AV_CODEC_ID_EAC3, {0x0B, 0x77, 0x31, 0xF8, 0x14, 0x40}, 768},
      {"MP2, 44.1 kHz, 384 kbit/s", AV_CODEC_ID_MP2, {0xFF, 0xFD, 0xE0, 0x04}, 1253},
      {"and a byte more", AV_CODEC_ID_MP2, {0xFF, 0xFD, 0xE2, 0x04}, 1254},
      {"MP2, 48 kHz, 192 kbit/s", AV_CODEC_ID_MP2, {0xFF, 0xFD, 0xA4, 0x04}, 576},
      {"MP2, 24 kHz, 96 kbit/s", AV_CODEC_ID_MP2, {0xFF, 0xF5, 0xA4, 0x04}, 576},
  };
  return frames;
}

Bytes Whole(const Frame& frame) {
  Bytes bytes = frame.header;
  bytes.resize(frame.bytes, 0x55);
  return bytes;
}

TEST(FrameEnd, IsSeenWhereverAFrameIsCut) {
  for (const auto& frame : Frames()) {
    const Bytes whole = Whole(frame);
    EXPECT_FALSE(EndsWithinFrame(frame.codec, whole)) << frame.what;
    EXPECT_FALSE(EndsWithinFrame(frame.codec, {})) << frame.what;
    for (size_t size = 1; size < whole.size(); ++size) {
      ASSERT_TRUE(EndsWithinFrame(frame.codec, std::span(whole).first(size)))
          << frame.what << ", " << size;
    }
  }
}

TEST(FrameEnd, IsThatOfTheLastFrameInAPacket) {
  for (const auto& frame : Frames()) {
    Bytes two = Whole(frame);
    const Bytes second = two;
    two.insert(two.end(), second.begin(), second.end());
    EXPECT_FALSE(EndsWithinFrame(frame.codec, two)) << frame.what;
    two.pop_back();
    EXPECT_TRUE(EndsWithinFrame(frame.codec, two)) << frame.what;
  }
}

TEST(FrameEnd, IsThatOfAWholeFrameWhateverFollowsThatIsNone) {
  for (const auto& frame : Frames()) {
    for (const int fill : {0xFF, 0x0B, 0x00}) {
      for (const size_t size : {1, 2, 6, 7, 50}) {
        Bytes bytes = Whole(frame);
        bytes.resize(bytes.size() + size, static_cast<uint8_t>(fill));
        if (size == 1 && fill == bytes[0]) continue;  // it may be one's beginning
        EXPECT_FALSE(EndsWithinFrame(frame.codec, bytes)) << frame.what << ", " << size;
      }
    }
  }
}

TEST(FrameEnd, OfWhatIsNoHeaderIsNotKnown) {
  const auto ends = [](AVCodecID codec, Bytes bytes) { return EndsWithinFrame(codec, bytes); };
  for (const auto& frame : Frames()) {
    Bytes other = frame.header;
    other[0] ^= 1;
    EXPECT_FALSE(ends(frame.codec, other)) << frame.what;
    other = frame.header;
    other[1] ^= 0x40;
    EXPECT_FALSE(ends(frame.codec, other)) << frame.what;
    EXPECT_FALSE(ends(AV_CODEC_ID_DTS, frame.header)) << frame.what;
  }
  EXPECT_FALSE(ends(AV_CODEC_ID_AAC, {0xFF, 0xF1, 0x50, 0x80, 0, 0x1F, 0xFC})) << "0 bytes";
  EXPECT_FALSE(ends(AV_CODEC_ID_AC3, {0x0B, 0x77, 0, 0, 0x26, 0x40})) << "no such rate";
  EXPECT_FALSE(ends(AV_CODEC_ID_AC3, {0x0B, 0x77, 0, 0, 0xD4, 0x40})) << "no such frequency";
  EXPECT_FALSE(ends(AV_CODEC_ID_MP2, {0xFF, 0xFD, 0x04, 0x04})) << "any rate";
  EXPECT_FALSE(ends(AV_CODEC_ID_MP2, {0xFF, 0xFD, 0xF4, 0x04})) << "no such rate";
  EXPECT_FALSE(ends(AV_CODEC_ID_MP2, {0xFF, 0xFD, 0xEC, 0x04})) << "no such frequency";
  EXPECT_FALSE(ends(AV_CODEC_ID_MP2, {0xFF, 0xFB, 0xE0, 0x04})) << "Layer III";
}

}  // namespace
}  // namespace consort
