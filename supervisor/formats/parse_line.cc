#include "supervisor/formats/parse_line.h"

#include <cmath>
#include <initializer_list>
#include <nlohmann/json.hpp>

namespace consort {
namespace {

using Json = nlohmann::json;

constexpr int64_t kMostChannels = 1'000'000;  // some number that fits wherever it is counted
constexpr double kMostSeconds = 1e12;         // in milliseconds still a whole number of a double

// Why a line is not one of ours; thrown inside this file only.
struct NotOurs {
  std::string why;
};

bool IsHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

// A byte of a name that is no UTF-8 stands in the line as \udcXX, which JSON libraries refuse. Here
// it becomes U+0000 and XX, since no text of ours has a U+0000 in it, and after parsing the byte.
std::string WithoutSurrogates(std::string_view line) {
  std::string out;
  out.reserve(line.size());
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\\' || i + 1 >= line.size()) {
      out += line[i];
      continue;
    }
    if (line.substr(i + 1, 5) == "u0000") throw NotOurs{"it has a NUL in it"};
    const bool escaped_byte = line.substr(i + 1, 3) == "udc" && i + 5 < line.size() &&
                              std::string_view("89abcdef").find(line[i + 4]) != std::string::npos &&
                              IsHex(line[i + 5]);
    if (escaped_byte) {
      out += "\\u0000";
      out += line.substr(i + 4, 2);
      i += 5;
    } else {
      out += line.substr(i, 2);  // both, so that the second of two backslashes begins nothing
      ++i;
    }
  }
  return out;
}

int HexValue(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

std::string BytesOf(const std::string& text) {
  if (text.find('\0') == std::string::npos) return text;
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\0') {
      out += static_cast<char>(HexValue(text[i + 1]) * 16 + HexValue(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// Takes what it needs from an object, and tells of what is left over.
class Fields {
 public:
  Fields(const Json& json, const char* what) : json_(json), what_(what) {
    if (!json.is_object()) throw NotOurs{std::string(what) + " is no object"};
  }

  bool Has(const char* key) const { return json_.contains(key); }
  const Json& Take(const char* key) {
    const auto found = json_.find(key);
    if (found == json_.end()) {
      throw NotOurs{std::string(what_) + " has no \"" + key + '"'};
    }
    ++taken_;
    return *found;
  }
  std::string Text(const char* key) {
    const Json& value = Take(key);
    if (!value.is_string()) throw NotOurs{'"' + std::string(key) + "\" is no string"};
    return BytesOf(value.get_ref<const std::string&>());
  }
  int64_t Milliseconds(const char* key) {
    const Json& value = Take(key);
    const double seconds = value.is_number() ? value.get<double>() : NAN;
    if (!(std::fabs(seconds) <= kMostSeconds)) {
      throw NotOurs{'"' + std::string(key) + "\" is no time in seconds"};
    }
    return std::llround(seconds * 1000);
  }
  int64_t Channel(const char* key) {
    const Json& value = Take(key);
    if (!value.is_number_unsigned() || value.get<uint64_t>() < 1 ||
        value.get<uint64_t>() > static_cast<uint64_t>(kMostChannels)) {
      throw NotOurs{'"' + std::string(key) + "\" is no channel's number"};
    }
    return value.get<int64_t>();
  }
  std::optional<double> Score(const char* key) {
    const Json& value = Take(key);
    if (value.is_null()) return std::nullopt;
    if (!value.is_number()) throw NotOurs{'"' + std::string(key) + "\" is no number"};
    return value.get<double>();
  }
  const Json& Array(const char* key) {
    const Json& value = Take(key);
    if (!value.is_array()) throw NotOurs{'"' + std::string(key) + "\" is no array"};
    return value;
  }
  void End() const {
    if (json_.size() != taken_) throw NotOurs{std::string(what_) + " has a key that is unknown"};
  }

 private:
  const Json& json_;
  const char* what_;
  size_t taken_ = 0;
};

void TakeError(const Json& json, ResultLine& to) {
  to.kind = ResultLine::Kind::kError;
  Fields error(json, "the error");
  to.code = error.Text("code");
  to.message = error.Text("message");
  to.at_ms.reset();
  if (error.Has("at")) to.at_ms = error.Milliseconds("at");
  error.End();
}

void TakeTags(const Json& json, ResultLine& to) {
  to.kind = ResultLine::Kind::kTags;
  to.tags.clear();
  for (const Json& one : json) {
    Fields tag(one, "a tag");
    LabelScore& next = to.tags.emplace_back();
    next.label = tag.Text("label");
    next.score = tag.Score("score");
    tag.End();
  }
}

void TakeWords(const Json& json, ResultLine& to) {
  to.words.clear();
  for (const Json& one : json) {
    Fields word(one, "a word");
    TimedWord& next = to.words.emplace_back();
    next.word = word.Text("word");
    next.start_ms = word.Milliseconds("start");
    next.end_ms = word.Milliseconds("end");
    if (word.Has("score")) next.score = word.Score("score");
    word.End();
  }
}

void TakeEvents(const Json& json, ResultLine& to) {
  to.kind = ResultLine::Kind::kEvents;
  to.events.clear();
  for (const Json& one : json) {
    Fields event(one, "an event");
    TimedLabel& next = to.events.emplace_back();
    next.label = event.Text("label");
    next.start_ms = event.Milliseconds("start");
    next.end_ms = event.Milliseconds("end");
    next.score = event.Score("score");
    event.End();
  }
}

void Take(const Json& json, ResultLine& to) {
  Fields line(json, "it");
  to.file = line.Text("file");
  to.channel = line.Has("channel") ? line.Channel("channel") : 0;
  if (line.Has("error")) {
    TakeError(line.Take("error"), to);
    return line.End();
  }
  to.start_ms = line.Milliseconds("start");
  to.end_ms = line.Milliseconds("end");
  if (line.Has("text")) {
    to.kind = ResultLine::Kind::kTranscript;
    to.text = line.Text("text");
    to.words.clear();
    if (line.Has("words")) TakeWords(line.Array("words"), to);
  } else if (line.Has("events")) {
    TakeEvents(line.Array("events"), to);
  } else {
    TakeTags(line.Array("tags"), to);
  }
  line.End();
}

}  // namespace

Status ParseResultLine(std::string_view line, ResultLine& to) {
  try {
    to.raw = line;
    const bool escapes = line.find('\\') != std::string_view::npos;
    const Json json = escapes ? Json::parse(WithoutSurrogates(line), nullptr, false)
                              : Json::parse(line, nullptr, false);
    if (json.is_discarded()) return Error{"it is no JSON"};
    Take(json, to);
    return Ok();
  } catch (const NotOurs& not_ours) {
    return Error{not_ours.why};
  }
}

}  // namespace consort
