#include "shared/bundle/json_object.h"

#include <cmath>

namespace consort {
namespace {

using Json = nlohmann::json;

const Json& EmptyObject() {
  static const Json empty = Json::object();
  return empty;
}

const Json& EmptyArray() {
  static const Json empty = Json::array();
  return empty;
}

std::string Shown(double number) {
  std::string text = std::to_string(number);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return number != 0 && text == "0" ? "a number above 0" : text;
}

// nlohmann says `[json.exception.parse_error.101] parse error at line 1, column 2: …`.
std::string WithoutTag(const std::string& message) {
  const auto end = message.find("] ");
  return end == std::string::npos ? message : message.substr(end + 2);
}

bool WholeNumber(const Json& value) {
  if (value.is_number_integer()) {
    return !value.is_number_unsigned() ||
           value.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  }
  if (!value.is_number_float()) return false;
  const double number = value.get<double>();
  return std::floor(number) == number && std::fabs(number) < 9e15;
}

}  // namespace

JsonFile::JsonFile(const std::string& text, std::string path) : path_(std::move(path)) {
  std::vector<std::set<std::string>> open;  // keys of the objects around the present place
  std::string repeated;
  const auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) open.emplace_back();
    if (event == Json::parse_event_t::object_end) open.pop_back();
    if (event == Json::parse_event_t::key &&
        !open.back().insert(parsed.get<std::string>()).second) {
      repeated = parsed.get<std::string>();
    }
    return true;
  };
  try {
    root_ = Json::parse(text, watch);
  } catch (const Json::exception& trouble) {
    Complain("is not JSON: " + WithoutTag(trouble.what()));
    root_ = EmptyObject();
  }
  if (!repeated.empty()) Complain("has the key \"" + repeated + "\" twice");
}

Status JsonFile::status() const {
  if (first_) return *first_;
  return Ok();
}

void JsonFile::Complain(const std::string& what, const std::string& hint) {
  if (!first_) first_ = Error{"\"" + path_ + "\": " + what, hint};
}

JsonObject::JsonObject(JsonFile& file, const Json& value, std::string where)
    : file_(file), value_(&value), where_(std::move(where)) {
  if (value.is_object()) return;
  file_.Complain((where_.empty() ? "the content" : "\"" + where_ + "\"") + " is not an object");
  value_ = &EmptyObject();
}

std::string JsonObject::Name(const std::string& key) const {
  return where_.empty() ? key : where_ + "." + key;
}

void JsonObject::Complain(const std::string& key, const std::string& what,
                          const std::string& hint) {
  file_.Complain("\"" + Name(key) + "\" " + what, hint);
}

bool JsonObject::Has(const std::string& key) const { return value_->contains(key); }

std::vector<std::string> JsonObject::Keys() const {
  std::vector<std::string> keys;
  for (const auto& item : value_->items()) keys.push_back(item.key());
  return keys;
}

const Json* JsonObject::Find(const std::string& key, bool optional) {
  Known(key);
  const auto found = value_->find(key);
  if (found != value_->end()) return &*found;
  if (!optional) Complain(key, "is missing");
  return nullptr;
}

JsonObject JsonObject::Object(const std::string& key) {
  const Json* value = Find(key, false);
  return JsonObject(file_, value ? *value : EmptyObject(), Name(key));
}

const Json& JsonObject::Array(const std::string& key) {
  const Json* value = Find(key, false);
  if (value == nullptr) return EmptyArray();
  if (value->is_array()) return *value;
  Complain(key, "is not an array");
  return EmptyArray();
}

std::string JsonObject::Text(const std::string& key, std::optional<std::string> otherwise) {
  const Json* value = Find(key, otherwise.has_value());
  if (value == nullptr) return otherwise.value_or("");
  if (value->is_string()) return value->get<std::string>();
  Complain(key, "is not a text");
  return {};
}

bool JsonObject::Flag(const std::string& key, std::optional<bool> otherwise) {
  const Json* value = Find(key, otherwise.has_value());
  if (value == nullptr) return otherwise.value_or(false);
  if (value->is_boolean()) return value->get<bool>();
  Complain(key, "is neither true nor false");
  return false;
}

int64_t JsonObject::Integer(const std::string& key, int64_t least, int64_t most,
                            std::optional<int64_t> otherwise) {
  const Json* value = Find(key, otherwise.has_value());
  if (value == nullptr) return otherwise.value_or(least);
  if (!WholeNumber(*value)) {
    Complain(key, "is not a whole number");
    return least;
  }
  const auto number = value->get<int64_t>();
  if (number >= least && number <= most) return number;
  Complain(key, "is " + std::to_string(number),
           "it can be " + std::to_string(least) + " to " + std::to_string(most));
  return least;
}

double JsonObject::Number(const std::string& key, double least, double most,
                          std::optional<double> otherwise) {
  const Json* value = Find(key, otherwise.has_value());
  if (value == nullptr) return otherwise.value_or(least);
  if (!value->is_number()) {
    Complain(key, "is not a number");
    return least;
  }
  const double number = value->get<double>();
  if (number >= least && number <= most) return number;
  Complain(key, "is " + value->dump(), "it can be " + Shown(least) + " to " + Shown(most));
  return least;
}

std::vector<int64_t> JsonObject::Integers(const std::string& key, int64_t least) {
  std::vector<int64_t> numbers;
  for (const Json& element : Array(key)) {
    if (!WholeNumber(element) || element.get<int64_t>() < least) {
      Complain(key, "has an element that is not a whole number from " + std::to_string(least));
      return {};
    }
    numbers.push_back(element.get<int64_t>());
  }
  return numbers;
}

std::vector<std::string> JsonObject::Texts(const std::string& key) {
  std::vector<std::string> texts;
  for (const Json& element : Array(key)) {
    if (!element.is_string()) {
      Complain(key, "has an element that is not a text");
      return {};
    }
    texts.push_back(element.get<std::string>());
  }
  return texts;
}

void JsonObject::Finish() {
  std::string names;
  for (const auto& key : known_) names += (names.empty() ? "" : ", ") + key;
  for (const auto& item : value_->items()) {
    if (!known_.contains(item.key()))
      Complain(item.key(), "is not a known key", "known are: " + names);
  }
}

}  // namespace consort
