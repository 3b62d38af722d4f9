#include "worker/read/ogg_pages.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

namespace consort {
namespace {

// A page (RFC 3533):
//   0      4         5       6                  14       18         22         26      27
//   "OggS" | version | flags | granule position | serial | sequence | checksum | count | lengths …
constexpr int64_t kHeadBytes = 27;
constexpr int64_t kMaxPageBytes = kHeadBytes + 255 + 255 * 255;
constexpr uint8_t kFirstPage = 2;
constexpr uint8_t kLastPage = 4;

using Table = std::array<std::array<uint32_t, 256>, 4>;

// CRC-32 with Ogg's polynomial, most significant bit first, four bytes a step.
constexpr Table MakeTable() {
  Table table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t rest = i << 24;
    for (int bit = 0; bit < 8; ++bit) rest = rest << 1 ^ ((rest >> 31) != 0 ? 0x04c11db7u : 0u);
    table[0][i] = rest;
  }
  for (size_t n = 1; n < 4; ++n) {
    for (uint32_t i = 0; i < 256; ++i) {
      const uint32_t before = table[n - 1][i];
      table[n][i] = before << 8 ^ table[0][before >> 24];
    }
  }
  return table;
}
constexpr Table kTable = MakeTable();

uint32_t Checksum(uint32_t sum, const uint8_t* data, size_t size) {
  size_t i = 0;
  for (; i + 4 <= size; i += 4) {
    sum ^= static_cast<uint32_t>(data[i]) << 24 | static_cast<uint32_t>(data[i + 1]) << 16 |
           static_cast<uint32_t>(data[i + 2]) << 8 | data[i + 3];
    sum = kTable[3][sum >> 24] ^ kTable[2][sum >> 16 & 0xff] ^ kTable[1][sum >> 8 & 0xff] ^
          kTable[0][sum & 0xff];
  }
  for (; i < size; ++i) sum = sum << 8 ^ kTable[0][sum >> 24 ^ data[i]];
  return sum;
}

template <typename T>
T Little(const uint8_t* at) {
  T value{};
  std::memcpy(&value, at, sizeof(T));  // Linux on x86-64 and ARM64: little-endian
  return value;
}

struct Page {
  int64_t bytes;
  uint8_t flags;
  int64_t position;  // -1: no packet ends on this page
  uint32_t serial;
  uint32_t sequence;
};

// A part of the file, kept while it is being walked.
class Window {
 public:
  Window(int fd, int64_t file_bytes, StageClock* clock)
      : fd_(fd), file_bytes_(file_bytes), clock_(clock) {}

  // The bytes at `at`, at least a whole page of them unless the file ends before.
  std::string_view At(int64_t at) {
    if (at < begin_ || at + kMaxPageBytes > begin_ + static_cast<int64_t>(bytes_.size())) {
      bytes_.resize(static_cast<size_t>(std::clamp<int64_t>(file_bytes_ - at, 0, kBytes)));
      if (clock_ != nullptr) clock_->Step();
      const ssize_t got = ::pread(fd_, bytes_.data(), bytes_.size(), at);
      failed_ = failed_ || got < 0;
      bytes_.resize(static_cast<size_t>(std::max<ssize_t>(0, got)));
      begin_ = at;
    }
    return std::string_view(bytes_.data(), bytes_.size()).substr(static_cast<size_t>(at - begin_));
  }
  bool failed() const { return failed_; }

 private:
  static constexpr int64_t kBytes = 1 << 20;
  int fd_;
  int64_t file_bytes_;
  StageClock* clock_;
  int64_t begin_ = 0;
  std::vector<char> bytes_;
  bool failed_ = false;
};

// A page that begins at the front of `bytes`, whole and with the right checksum.
std::optional<Page> ParsePage(std::string_view bytes) {
  if (bytes.size() < kHeadBytes || !bytes.starts_with("OggS") || bytes[4] != 0) return std::nullopt;
  const auto* at = reinterpret_cast<const uint8_t*>(bytes.data());
  const size_t count = at[26];
  size_t size = kHeadBytes + count;
  if (bytes.size() < size) return std::nullopt;
  for (size_t i = 0; i < count; ++i) size += at[kHeadBytes + i];
  if (bytes.size() < size) return std::nullopt;
  static constexpr uint8_t kNoSum[4] = {};  // the checksum's own place counts as zeros
  uint32_t sum = Checksum(0, at, 22);
  sum = Checksum(sum, kNoSum, 4);
  sum = Checksum(sum, at + 26, size - 26);
  if (sum != Little<uint32_t>(at + 22)) return std::nullopt;
  return Page{static_cast<int64_t>(size), at[5], Little<int64_t>(at + 6), Little<uint32_t>(at + 14),
              Little<uint32_t>(at + 18)};
}

bool AnyPageAfter(Window& window, int64_t at, int64_t file_bytes) {
  while (at < file_bytes) {
    const std::string_view bytes = window.At(at);
    const size_t mark = bytes.find("OggS");
    if (mark == std::string_view::npos) {
      if (bytes.size() < 4) return false;
      at += static_cast<int64_t>(bytes.size()) - 3;
      continue;
    }
    at += static_cast<int64_t>(mark);
    if (ParsePage(window.At(at))) return true;
    ++at;
  }
  return false;
}

}  // namespace

OggWalk WalkOggPages(int fd, int64_t file_bytes, StageClock* clock) {
  Window window(fd, file_bytes, clock);
  OggWalk walk;
  std::optional<uint32_t> serial;
  uint32_t next_sequence = 0;
  for (int64_t at = 0; at < file_bytes;) {
    const auto page = ParsePage(window.At(at));
    if (window.failed()) return walk;
    if (!page) {
      walk.outcome = AnyPageAfter(window, at, file_bytes) ? OggWalk::Outcome::kDamaged
                                                          : OggWalk::Outcome::kCut;
      return walk;
    }
    if (!serial) {
      serial = page->serial;
      next_sequence = page->sequence;
    }
    if (page->serial == *serial) {
      if (page->sequence != next_sequence) {
        walk.outcome = OggWalk::Outcome::kDamaged;
        return walk;
      }
      ++next_sequence;
      if (page->position >= 0) walk.position = page->position;
    }
    at += page->bytes;
    if (page->serial == *serial && (page->flags & kLastPage) != 0) {
      const auto next = ParsePage(window.At(at));
      walk.chained = next && (next->flags & kFirstPage) != 0;
      return walk;
    }
  }
  walk.outcome = OggWalk::Outcome::kCut;
  return walk;
}

int64_t OpusPreSkip(int fd) {
  std::array<uint8_t, 48> head{};
  if (::pread(fd, head.data(), head.size(), 0) != static_cast<ssize_t>(head.size())) return 0;
  const size_t packet = kHeadBytes + head[26];
  if (packet + 12 > head.size() || std::memcmp(&head[packet], "OpusHead", 8) != 0) return 0;
  return Little<uint16_t>(&head[packet + 10]);
}

}  // namespace consort
