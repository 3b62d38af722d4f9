// Strict reading of a JSON object: every key is known, present or defaulted, of the right type and
// in range. Not for those who need speed.
//
// Getters never fail: the first trouble is kept in the JsonFile and every later answer is a
// harmless value. A reader takes all it needs, calls Finish() on each object, and asks the JsonFile
// at the end.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "shared/base/result.h"

namespace consort {

class JsonFile {
 public:
  // `path` is for messages. Text that is no JSON, or repeats a key, is the first trouble.
  JsonFile(const std::string& text, std::string path);

  const nlohmann::json& root() const { return root_; }
  Status status() const;
  // Keeps the first: `"path": WHAT`.
  void Complain(const std::string& what, const std::string& hint = {});

 private:
  std::string path_;
  nlohmann::json root_;
  std::optional<Error> first_;
};

class JsonObject {
 public:
  static constexpr int64_t kAnyCount = std::numeric_limits<int64_t>::max();  // as `most`

  // `where` is the place of `value` in the file, as in "audio" or "tensors[3]"; "" for the root.
  JsonObject(JsonFile& file, const nlohmann::json& value, std::string where);

  bool Has(const std::string& key) const;
  std::vector<std::string> Keys() const;
  JsonObject Object(const std::string& key);
  // The elements; empty if there is trouble.
  const nlohmann::json& Array(const std::string& key);
  std::string Text(const std::string& key, std::optional<std::string> otherwise = {});
  bool Flag(const std::string& key, std::optional<bool> otherwise = {});
  int64_t Integer(const std::string& key, int64_t least, int64_t most,
                  std::optional<int64_t> otherwise = {});
  double Number(const std::string& key, double least, double most,
                std::optional<double> otherwise = {});
  std::vector<int64_t> Integers(const std::string& key, int64_t least);
  std::vector<std::string> Texts(const std::string& key);

  template <typename T>
  T Choice(const std::string& key, std::initializer_list<std::pair<const char*, T>> choices,
           std::optional<T> otherwise = {}) {
    if (otherwise && !Has(key)) return Known(key), *otherwise;
    const std::string text = Text(key);
    std::string names;
    for (const auto& [name, value] : choices) {
      if (text == name) return value;
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
    Complain(key, "is \"" + text + "\"", "it can be one of: " + names);
    return choices.begin()->second;
  }

  // `"path": "where.key" WHAT`.
  void Complain(const std::string& key, const std::string& what, const std::string& hint = {});
  // The full name of a key, as in messages.
  std::string Name(const std::string& key) const;
  // Complains about every key that was never asked for.
  void Finish();

 private:
  void Known(const std::string& key) { known_.insert(key); }
  // The value, or null with a complaint (none if `optional`).
  const nlohmann::json* Find(const std::string& key, bool optional);

  JsonFile& file_;
  const nlohmann::json* value_;
  std::string where_;
  std::set<std::string> known_;
};

}  // namespace consort
