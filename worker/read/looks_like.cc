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

// What libsndfile reads, and nobody else is asked for: a whole file of these that it does not take
// has a broken header.
constexpr std::array kOurs = {
    Signature{8, "WAVE"sv, "a WAV file"},   Signature{8, "AIFF"sv, "an AIFF file"},
    Signature{8, "AIFC"sv, "an AIFF file"}, Signature{0, "fLaC"sv, "a FLAC file"},
    Signature{0, ".snd"sv, "an AU file"},
};

// Containers that hold one thing or another: FFmpeg is asked, too. If it does not know either, the
// header is broken, or the sound is of an unknown kind.
constexpr std::array kShared = {
    Signature{0, "caff"sv, "a CAF file"},
    Signature{0, "ID3"sv, "an MP3 file"},
    Signature{4, "ftyp"sv, "an MP4 or M4A file (its index, \"moov\", may never have been written)"},
    Signature{0, "\x1a\x45\xdf\xa3"sv, "a Matroska or WebM file"},
    Signature{0, "\x30\x26\xb2\x75"sv, "a Windows Media file"},
    Signature{8, "AVI "sv, "an AVI file"},
    Signature{0, "#!AMR"sv, "an AMR file"},
    Signature{0, "FLV\1"sv, "a Flash video"},
    Signature{0, "wvpk"sv, "a WavPack file"},
};

constexpr std::array kOthers = {
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

ReadFault BadHeader(const char* name) {
  return {
      ErrorCode::kDecode, -1,
      std::string("the header of ") + name + " is damaged, cut short, or of an unknown encoding"};
}

}  // namespace

FirstLook LookAt(int fd) {
  std::array<char, 512> buffer{};
  const ssize_t got = ::pread(fd, buffer.data(), buffer.size(), 0);
  const std::string_view head(buffer.data(), static_cast<size_t>(std::max<ssize_t>(0, got)));
  for (const auto& signature : kOurs) {
    if (Matches(head, signature)) return {BadHeader(signature.name), false};
  }
  for (const auto& signature : kShared) {
    if (Matches(head, signature)) return {BadHeader(signature.name), true};
  }
  bool others_may_know = true;
  std::string looks;
  for (const auto& signature : kOthers) {
    if (Matches(head, signature)) looks = std::string(" (looks like ") + signature.name + ")";
  }
  if (looks.empty() && IsText(head)) looks = " (looks like text)";
  if (looks.empty() && std::all_of(head.begin(), head.end(), [](char c) { return c == 0; })) {
    looks = " (begins with zeros only)";
  }
  if (!looks.empty()) others_may_know = false;
  if (head.starts_with("OggS")) {
    looks = " (looks like an Ogg file of an unknown codec, or one that is cut short)";
  }
  return {{ErrorCode::kNotAudio, -1, "no decoder knows the content" + looks}, others_may_know};
}

}  // namespace consort
