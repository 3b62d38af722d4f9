#include "worker/read/looks_like.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace consort {
namespace {

using std::string_view_literals::operator""sv;

struct Signature {
  size_t offset;
  std::string_view bytes;
  const char* name;
};

// What we read. A whole file of these that no decoder takes has a broken header.
constexpr std::array kOurs = {
    Signature{8, "WAVE"sv, "a WAV file"},   Signature{8, "AIFF"sv, "an AIFF file"},
    Signature{8, "AIFC"sv, "an AIFF file"}, Signature{0, "fLaC"sv, "a FLAC file"},
    Signature{0, ".snd"sv, "an AU file"},   Signature{0, "caff"sv, "a CAF file"},
    Signature{0, "ID3"sv, "an MP3 file"},
};

constexpr std::array kOthers = {
    Signature{0, "OggS"sv, "an Ogg file without Vorbis or Opus, or one that is cut short"},
    Signature{4, "ftyp"sv, "an MP4 or M4A file, which is not supported"},
    Signature{0, "\x1a\x45\xdf\xa3"sv, "a Matroska or WebM file, which is not supported"},
    Signature{0, "\x30\x26\xb2\x75"sv, "a Windows Media file, which is not supported"},
    Signature{8, "AVI "sv, "an AVI file, which is not supported"},
    Signature{0, "\x89PNG"sv, "a PNG picture"},
    Signature{0, "\xff\xd8\xff"sv, "a JPEG picture"},
    Signature{0, "GIF8"sv, "a GIF picture"},
    Signature{0, "%PDF"sv, "a PDF file"},
    Signature{0, "PK\x03\x04"sv, "a ZIP archive"},
    Signature{0, "\x1f\x8b"sv, "a gzip file"},
    Signature{0, "\x7f\x45\x4c\x46"sv, "a program"},
};

// Printable bytes and UTF-8's upper half, no control characters but white space.
bool IsText(std::string_view head) {
  return std::all_of(head.begin(), head.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 ? byte != 0x7f
                        : byte == '\n' || byte == '\r' || byte == '\t' || byte == '\f';
  });
}

bool Matches(std::string_view head, const Signature& signature) {
  return head.size() > signature.offset &&
         head.substr(signature.offset).starts_with(signature.bytes);
}

}  // namespace

ReadFault WhyNotAudio(int fd) {
  std::array<char, 512> buffer{};
  const ssize_t got = ::pread(fd, buffer.data(), buffer.size(), 0);
  const std::string_view head(buffer.data(), static_cast<size_t>(std::max<ssize_t>(0, got)));
  for (const auto& signature : kOurs) {
    if (Matches(head, signature)) {
      return {ErrorCode::kDecode, -1,
              std::string("the header of ") + signature.name +
                  " is damaged, cut short, or of an unknown encoding"};
    }
  }
  std::string looks;
  for (const auto& signature : kOthers) {
    if (Matches(head, signature)) looks = std::string(" (looks like ") + signature.name + ")";
  }
  if (looks.empty() && IsText(head)) looks = " (looks like text)";
  if (looks.empty() && std::all_of(head.begin(), head.end(), [](char c) { return c == 0; })) {
    looks = " (begins with zeros only)";
  }
  return {ErrorCode::kNotAudio, -1, "no decoder knows the content" + looks};
}

}  // namespace consort
