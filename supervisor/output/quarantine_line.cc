#include "supervisor/output/quarantine_line.h"

#include <cstdio>
#include <string_view>

#include "supervisor/output/jsonl.h"
#include "supervisor/output/utf8.h"

namespace consort {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// Log lines are for people and for whatever parses them: lone surrogates, as names have them, would
// be refused by many.
std::string Quoted(std::string_view bytes) {
  std::string valid;
  while (!bytes.empty()) {
    const size_t size = Utf8SequenceLength(bytes);
    valid += size == 0 ? kReplacement : bytes.substr(0, size);
    bytes.remove_prefix(size == 0 ? 1 : size);
  }
  return '"' + JsonlFormatter::EscapeName(valid) + '"';
}

std::string Seconds(int64_t ms) {
  char text[32];
  std::snprintf(text, sizeof(text), "%lld.%03lld", static_cast<long long>(ms / 1000),
                static_cast<long long>(ms % 1000));
  return text;
}

}  // namespace

std::string QuarantineLine(const QuarantineEntry& entry) {
  std::string line = "{\"file\":\"" + entry.file + '"';
  if (entry.place) {
    char channel[kMaxChannelBytes];
    line.append(channel, WriteChannel(channel, entry.place->channel));
    line += ",\"segment\":" + std::to_string(entry.place->segment);
    line += ",\"start\":" + Seconds(entry.place->start_ms);
    line += ",\"sample\":" + std::to_string(entry.place->sample);
  }
  line += ",\"stage\":" + Quoted(entry.stage);
  if (!entry.signal.empty()) {
    line += ",\"signal\":" + Quoted(entry.signal);
  } else if (entry.exit_code) {
    line += ",\"exit\":" + std::to_string(*entry.exit_code);
  }
  line += ",\"deaths\":" + std::to_string(entry.deaths);
  line += ",\"message\":" + Quoted(entry.message) + ",\"log\":[";
  for (size_t i = 0; i < entry.log.size(); ++i) line += (i > 0 ? "," : "") + Quoted(entry.log[i]);
  return line + "],\"time\":" + Quoted(entry.time) + "}\n";
}

}  // namespace consort
