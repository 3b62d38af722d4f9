#include "supervisor/formats/text.h"

#include <charconv>
#include <cstdio>

#include "supervisor/output/jsonl.h"
#include "supervisor/output/utf8.h"

namespace consort {
namespace {

// Of a valid UTF-8 sequence.
uint32_t CodePoint(std::string_view sequence) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(sequence[i]) & 0x3FU; };
  const auto first = static_cast<unsigned char>(sequence[0]);
  switch (sequence.size()) {
    case 1:
      return first;
    case 2:
      return (first & 0x1FU) << 6 | byte(1);
    case 3:
      return (first & 0x0FU) << 12 | byte(1) << 6 | byte(2);
    default:
      return (first & 0x07U) << 18 | byte(1) << 12 | byte(2) << 6 | byte(3);
  }
}

// Controls (C0, DEL, C1) and the two separators that some readers take for the end of a line.
bool BreaksLine(uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029;
}

// White_Space of the Unicode character database, less what BreaksLine has.
bool IsBlank(uint32_t code) {
  return code == 0x20 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) ||
         code == 0x202F || code == 0x205F || code == 0x3000;
}

// `replace` says what a character becomes; '\0': it stays.
template <typename Replace>
std::string Rewrite(std::string_view bytes, Replace&& replace) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const size_t size = Utf8SequenceLength(bytes);
    if (size == 0) {
      char hex[5];
      std::snprintf(hex, sizeof(hex), "\\x%02x", static_cast<unsigned char>(bytes[0]));
      out += hex;
      bytes.remove_prefix(1);
      continue;
    }
    const char other = replace(CodePoint(bytes.substr(0, size)));
    if (other != '\0') {
      out += other;
    } else {
      out += bytes.substr(0, size);
    }
    bytes.remove_prefix(size);
  }
  return out;
}

}  // namespace

std::string Seconds(int64_t ms) {
  char text[kMaxTimeBytes];
  return {text, WriteTime(text, ms)};
}

std::string ClockTime(int64_t ms, char decimal_point) {
  const auto size = static_cast<uint64_t>(ms < 0 ? 0 : ms);
  const auto part = [size](uint64_t unit, uint64_t most) {
    return static_cast<unsigned long long>(most == 0 ? size / unit : size / unit % most);
  };
  char text[48];
  std::snprintf(text, sizeof(text), "%02llu:%02llu:%02llu%c%03llu", part(3'600'000, 0),
                part(60'000, 60), part(1000, 60), decimal_point, part(1, 1000));
  return text;
}

std::string ScoreText(const std::optional<double>& score) {
  if (!score) return "";
  char text[400];
  const auto end = std::to_chars(text, text + sizeof(text), *score, std::chars_format::fixed, 4);
  return {text, end.ptr};
}

std::string ChannelNumber(int64_t channel) { return std::to_string(channel > 0 ? channel : 1); }

std::string ChannelWords(int64_t channel) {
  return channel > 0 ? "Channel " + std::to_string(channel) + ": " : "";
}

std::string ValidUtf8(std::string_view bytes) {
  return Rewrite(bytes, [](uint32_t) { return '\0'; });
}

std::string OneLine(std::string_view bytes) {
  return Rewrite(bytes, [](uint32_t code) { return BreaksLine(code) ? ' ' : '\0'; });
}

std::string BlankFree(std::string_view bytes) {
  if (bytes.empty()) return "<NA>";
  return Rewrite(bytes, [](uint32_t code) {
    return BreaksLine(code) || IsBlank(code) || code == '"' ? '_' : '\0';
  });
}

std::vector<Caption> CaptionsOf(const ResultLine& line) {
  std::vector<Caption> captions;
  const auto add = [&captions](const Caption& caption) {
    const bool blank = caption.text.find_first_not_of(" \t\r\n") == std::string_view::npos;
    if (!blank && caption.end_ms >= caption.start_ms) captions.push_back(caption);
  };
  switch (line.kind) {
    case ResultLine::Kind::kError:
      break;
    case ResultLine::Kind::kTags:
      if (line.tags.empty()) break;
      add({line.start_ms, line.end_ms, line.tags.front().label, line.tags.front().score});
      break;
    case ResultLine::Kind::kTranscript:
      if (line.words.empty()) {
        add({line.start_ms, line.end_ms, line.text, std::nullopt});
      } else {
        add({line.words.front().start_ms, line.words.back().end_ms, line.text, std::nullopt});
      }
      break;
    case ResultLine::Kind::kEvents:
      for (const TimedLabel& event : line.events) {
        add({event.start_ms, event.end_ms, event.label, event.score});
      }
      break;
  }
  return captions;
}

}  // namespace consort
