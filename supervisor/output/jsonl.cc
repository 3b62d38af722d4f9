#include "supervisor/output/jsonl.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "supervisor/output/utf8.h"

namespace consort {
namespace {

char* Put(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

// `Digits` decimals of a number that is smaller than 10^Digits.
template <int Digits>
char* PutDecimals(char* out, uint64_t number) {
  for (int i = Digits; i-- > 0; number /= 10) out[i] = static_cast<char>('0' + number % 10);
  return out + Digits;
}

// number / 10^Digits, with all its decimals.
template <int Digits, uint64_t Scale>
char* PutFixed(char* out, bool negative, uint64_t number) {
  if (negative) *out++ = '-';
  const uint64_t whole = number / Scale;
  if (whole < 10) {
    *out++ = static_cast<char>('0' + whole);
  } else {
    out = std::to_chars(out, out + 20, whole).ptr;
  }
  *out++ = '.';
  return PutDecimals<Digits>(out, number % Scale);
}

}  // namespace

char* WriteChannel(char* out, int64_t channel) {
  if (channel <= 0) return out;
  out = Put(out, ",\"channel\":");
  return std::to_chars(out, out + 20, channel).ptr;
}

char* WriteTime(char* out, int64_t ms) {
  const bool negative = ms < 0;
  const auto size = static_cast<uint64_t>(ms);
  return PutFixed<3, 1000>(out, negative, negative ? 0 - size : size);
}

char* WriteScore(char* out, float score) {
  // 24 bits of a float times 10000 (10 bits after taking out 2^4) fit the 53 of a double, so the
  // product is exact. Adding and taking away 1.5 * 2^52 then rounds it once, ties to even: the
  // same digits as a correctly rounding printf, at a tenth of its price.
  constexpr double kRounder = 6755399441055744.0;
  if (std::fabs(score) < 1e9F) {
    const double scaled = (static_cast<double>(score) * 10000.0 + kRounder) - kRounder;
    return PutFixed<4, 10000>(out, scaled < 0, static_cast<uint64_t>(std::fabs(scaled)));
  }
  if (!std::isfinite(score)) return Put(out, "null");
  return std::to_chars(out, out + kMaxScoreBytes, score, std::chars_format::fixed, 4).ptr;
}

JsonlFormatter::JsonlFormatter(const std::vector<std::string>& labels) {
  offsets_.reserve(labels.size() + 1);
  for (const std::string& label : labels) {
    offsets_.push_back(pieces_.size());
    pieces_ += "{\"label\":\"" + EscapeName(label) + "\",\"score\":";
  }
  offsets_.push_back(pieces_.size());
}

std::string JsonlFormatter::EscapeName(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size());
  const auto put_hex = [&out](std::string_view start, unsigned char byte) {
    out += start;
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  };
  for (size_t i = 0; i < bytes.size();) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    if (byte >= 0x80) {
      const size_t length = Utf8SequenceLength(bytes.substr(i));
      if (length == 0) {
        put_hex("\\udc", byte);
      } else {
        out += bytes.substr(i, length);
      }
      i += std::max<size_t>(length, 1);
      continue;
    }
    ++i;
    switch (byte) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (byte < 0x20) {
          put_hex("\\u00", byte);
        } else {
          out += static_cast<char>(byte);
        }
    }
  }
  return out;
}

void JsonlFormatter::AppendTags(std::string& out, std::string_view escaped_name, int64_t channel,
                                int64_t start_ms, int64_t end_ms, std::span<const Tag> tags) const {
  constexpr std::string_view kFile = "{\"file\":\"";
  constexpr std::string_view kStart = ",\"start\":";
  constexpr std::string_view kEnd = ",\"end\":";
  constexpr std::string_view kTags = ",\"tags\":[";
  constexpr std::string_view kLast = "]}\n";
  size_t room = kFile.size() + escaped_name.size() + 1 + kMaxChannelBytes + kStart.size() +
                kEnd.size() + kTags.size() + kLast.size() + 2 * kMaxTimeBytes;
  for (const Tag& tag : tags) room += Piece(tag.label).size() + kMaxScoreBytes + 2;

  const size_t before = out.size();
  out.resize(before + room);
  char* at = out.data() + before;
  at = Put(at, kFile);
  at = Put(at, escaped_name);
  *at++ = '"';
  at = WriteChannel(at, channel);
  at = Put(at, kStart);
  at = WriteTime(at, start_ms);
  at = Put(at, kEnd);
  at = WriteTime(at, end_ms);
  at = Put(at, kTags);
  for (size_t i = 0; i < tags.size(); ++i) {
    if (i > 0) *at++ = ',';
    at = Put(at, Piece(tags[i].label));
    at = WriteScore(at, tags[i].score);
    *at++ = '}';
  }
  at = Put(at, kLast);
  out.resize(static_cast<size_t>(at - out.data()));
}

void JsonlFormatter::AppendError(std::string& out, std::string_view escaped_name, int64_t channel,
                                 ErrorCode code, std::string_view message,
                                 std::optional<int64_t> at_ms) const {
  char told[kMaxChannelBytes];
  out += "{\"file\":\"";
  out += escaped_name;
  out += '"';
  out.append(told, WriteChannel(told, channel));
  out += ",\"error\":{\"code\":\"";
  out += ErrorCodeName(code);
  out += "\",\"message\":\"";
  out += EscapeName(message);
  out += '"';
  if (at_ms) {
    char time[kMaxTimeBytes];
    out += ",\"at\":";
    out.append(time, WriteTime(time, *at_ms));
  }
  out += "}}\n";
}

}  // namespace consort
