#include "supervisor/profile/profile.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "shared/bundle/sha256.h"
#include "supervisor/view/number.h"

namespace consort {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;
constexpr int kMostThreads = 9999;  // as on the command line
constexpr size_t kMostNameBytes = 64;
constexpr size_t kHashDigits = 16;
constexpr size_t kShownDigits = 12;

// What is not as it should be; thrown inside this file only, as nlohmann-json throws.
struct Trouble {
  std::string what;
};

const Json& At(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (!object.is_object() || found == object.end()) {
    throw Trouble{std::string("has no \"") + key + '"'};
  }
  return *found;
}

std::string Text(const Json& object, const char* key) {
  const Json& value = At(object, key);
  if (!value.is_string()) throw Trouble{std::string("its \"") + key + "\" is no text"};
  return value.get<std::string>();
}

int64_t Whole(const Json& object, const char* key, int64_t least, int64_t most) {
  const Json& value = At(object, key);
  if (!value.is_number_integer() || value < least || value > most) {
    throw Trouble{std::string("its \"") + key + "\" is no number from " + std::to_string(least) +
                  " to " + std::to_string(most)};
  }
  return value.get<int64_t>();
}

int Count(const Json& object, const char* key) {
  return static_cast<int>(Whole(object, key, 1, kMostThreads));
}

Json SplitJson(const ProfileSplit& split) {
  return {{"processes", split.processes}, {"threads", split.threads}, {"intra", split.intra}};
}

TunedProfile Read(const Json& root, const std::string& version) {
  TunedProfile profile;
  if (!root.is_object() || !root.contains("consort_profile")) {
    throw Trouble{"is no profile of \"consort tune\""};
  }
  const Json& key = At(root, "key");
  profile.key = {.consort = Text(key, "consort"),
                 .cpu = Text(key, "cpu"),
                 .usable_cpus = static_cast<int>(Whole(key, "usable_cpus", 1, INT32_MAX)),
                 .bundle_sha256 = Text(key, "bundle_sha256")};
  const Json& bundle = At(root, "bundle");
  profile.bundle = {.folder = Text(bundle, "folder"), .model = Text(bundle, "model")};
  profile.made = Text(root, "made");
  if (profile.key.consort != version) return profile;
  if (At(root, "consort_profile") != kFormat) throw Trouble{"is of another format"};
  profile.objective = Text(root, "objective");
  const Json& split = At(root, "split");
  profile.split = {Count(split, "processes"), Count(split, "threads"), Count(split, "intra")};
  profile.peak_pss_bytes = Whole(root, "peak_pss_bytes", 0, INT64_MAX);
  return profile;
}

}  // namespace

BundleNames NamesOf(const Bundle& bundle) {
  std::error_code error;
  // Of `-m .` and `-m bundle/`, too.
  auto path = std::filesystem::weakly_canonical(bundle.folder, error);
  if (error) path = bundle.folder;
  return {.folder = path.has_filename() ? path.filename() : path.parent_path().filename(),
          .model = bundle.manifest.name};
}

std::string ProfileJson(const TunedProfile& profile) {
  Json root;
  root["consort_profile"] = kFormat;
  root["key"] = {{"consort", profile.key.consort},
                 {"cpu", profile.key.cpu},
                 {"usable_cpus", profile.key.usable_cpus},
                 {"bundle_sha256", profile.key.bundle_sha256}};
  root["bundle"] = {{"folder", profile.bundle.folder}, {"model", profile.bundle.model}};
  root["made"] = profile.made;
  root["objective"] = profile.objective;
  root["split"] = SplitJson(profile.split);
  root["memory_limit_bytes"] = profile.memory_limit > 0 ? Json(profile.memory_limit) : Json();
  root["peak_pss_bytes"] = profile.peak_pss_bytes;
  root["segments_per_second"] = profile.per_second;
  root["relative_error"] = profile.error;
  root["sure"] = profile.sure;
  Json& trials = root["trials"] = Json::array();
  for (const ProfileTrial& it : profile.trials) {
    Json trial = SplitJson(it.split);
    trial["round"] = it.round;
    trial["seconds"] = it.seconds;
    trial["took_s"] = it.took_s;
    trial["segments_per_second"] = it.per_second;
    trial["spread"] = it.spread;
    trial["p95_ms"] = it.p95_ms;
    trial["peak_pss_bytes"] = it.peak_pss_bytes;
    trials.push_back(std::move(trial));
  }
  // Folders' names may be no UTF-8.
  return root.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<TunedProfile> ParseProfile(const std::string& text, const std::string& path,
                                  const std::string& version) {
  const Json root = Json::parse(text, nullptr, false);
  if (root.is_discarded()) return Error{'"' + path + "\" is no JSON"};
  try {
    return Read(root, version);
  } catch (const Trouble& trouble) {
    return Error{'"' + path + "\" " + trouble.what};
  }
}

std::string ProfileFileName(const std::string& model, const ProfileKey& key) {
  std::string name = model.substr(0, kMostNameBytes);
  for (char& c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-' || c == '_';
    if (!plain) c = '_';
  }
  if (name.starts_with('.')) name[0] = '_';
  if (name.empty()) name = "bundle";
  const std::string hash = Sha256OfText(key.consort + '\n' + key.cpu + '\n' +
                                        std::to_string(key.usable_cpus) + '\n' + key.bundle_sha256);
  return name + '-' + hash.substr(0, kHashDigits) + ".json";
}

std::string OutOfDateWords(const ProfileKey& was, const ProfileKey& now) {
  std::string words;
  const auto add = [&words](const std::string& more) {
    words += (words.empty() ? "" : "; ") + more;
  };
  if (was.consort != now.consort)
    add("made by consort " + was.consort + ", this is " + now.consort);
  if (was.cpu != now.cpu) add("made for the CPU \"" + was.cpu + "\", here is \"" + now.cpu + '"');
  if (was.usable_cpus != now.usable_cpus) {
    add("made for " + Counted(was.usable_cpus, "usable CPU") + ", here " +
        (now.usable_cpus == 1 ? "is " : "are ") + std::to_string(now.usable_cpus));
  }
  if (was.bundle_sha256 != now.bundle_sha256) {
    add("made for the bundle as it was (" + was.bundle_sha256.substr(0, kShownDigits) +
        "…), it is another now (" + now.bundle_sha256.substr(0, kShownDigits) + "…)");
  }
  return words;
}

}  // namespace consort
