#include "shared/bundle/bundle.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "shared/base/read_file.h"
#include "shared/bundle/labels.h"
#include "shared/bundle/sha256.h"

namespace consort {
namespace {

constexpr char kManifestName[] = "model.json";
constexpr char kWeightsName[] = "weights.bin";
constexpr char kTableName[] = "weights.json";
constexpr char kMakeAgain[] = "make the bundle again with consort-prepare";

// `text` is a manifest that was parsed without an error.
std::string WhatResultsDependOn(const std::string& text) {
  auto model = nlohmann::json::parse(text);
  model.erase("name");
  for (const char* key : {"asked", "cpu", "drift", "reason", "source", "torch", "variants"}) {
    model["prepared"].erase(key);
  }
  return model.dump();
}

// Where "consort models" and the demo put theirs, seen from the folder that they were started in.
constexpr char kUsualFolder[] = "build/bundles/";

// What may have been meant by the name of a bundle without its folder; empty: there is none.
std::string BundleOfThatName(const std::string& given) {
  const std::filesystem::path path(given);
  const auto name = path.has_filename() ? path.filename() : path.parent_path().filename();
  if (name.empty()) return "";
  std::string usual = kUsualFolder + name.string();
  return ::access((usual + '/' + kManifestName).c_str(), F_OK) == 0 ? usual : "";
}

class Loader {
 public:
  explicit Loader(const std::string& folder) { bundle_.folder = folder; }

  Result<Bundle> Load() {
    CONSORT_TRY(CheckFolder());
    CONSORT_TRY(LoadManifest());
    for (const auto& file : bundle_.manifest.prepared.files) CONSORT_TRY(CheckFile(file));
    CONSORT_TRY(LoadLabels());
    if (bundle_.manifest.prepared.backend != Prepared::Backend::kNull) CONSORT_TRY(LoadTable());
    return std::move(bundle_);
  }

 private:
  std::string In(const std::string& name) const { return bundle_.folder + "/" + name; }
  Error Wrong(const std::string& what, const std::string& hint = kMakeAgain) const {
    return Error{"bundle \"" + bundle_.folder + "\": " + what, hint};
  }

  Status CheckFolder() const {
    struct stat status {};
    if (::stat(bundle_.folder.c_str(), &status) != 0) {
      const int trouble = errno;
      const std::string what = SystemError("open bundle", bundle_.folder, trouble).what;
      const bool missing = trouble == ENOENT || trouble == ENOTDIR;
      const std::string meant = missing ? BundleOfThatName(bundle_.folder) : "";
      return Error{what, meant.empty() ? "a bundle is a folder made by consort-prepare"
                                       : "did you mean \"" + meant + "\"?"};
    }
    if (!S_ISDIR(status.st_mode)) {
      return Wrong("is not a folder", "a bundle is a folder made by consort-prepare");
    }
    if (::stat(In(kManifestName).c_str(), &status) != 0) {
      return Wrong("\"model.json\" is missing", "a bundle is a folder made by consort-prepare");
    }
    return Ok();
  }

  Status LoadManifest() {
    CONSORT_TRY(const std::string text, ReadFile(In(kManifestName)));
    CONSORT_TRY(bundle_.manifest, ParseManifest(text, In(kManifestName)));
    bundle_.sha256 = Sha256OfText(text);
    if (!bundle_.manifest.has_prepared) {
      return Wrong("\"model.json\" has no \"prepared\"", "make the bundle with consort-prepare");
    }
    bundle_.model_sha256 = Sha256OfText(WhatResultsDependOn(text));
    return Ok();
  }

  Status CheckFile(const Prepared::File& file) const {
    const std::string quoted = "\"" + file.name + "\"";
    struct stat status {};
    if (::stat(In(file.name).c_str(), &status) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return Wrong(quoted + " is missing");
      return SystemError("open", In(file.name), errno);
    }
    if (!S_ISREG(status.st_mode)) return Wrong(quoted + " is not a file");
    if (status.st_size != file.bytes) {
      return Wrong(quoted + " has " + std::to_string(status.st_size) + " bytes, expected " +
                   std::to_string(file.bytes));
    }
    if (file.name == kWeightsName) return Ok();  // hashed while the arena is filled
    CONSORT_TRY(const std::string sha256, Sha256OfFile(In(file.name)));
    if (sha256 == file.sha256) return Ok();
    return Wrong(quoted + " is not the file that was prepared");
  }

  Status LoadLabels() {
    const std::string& name = bundle_.manifest.output.labels_path;
    const std::string path = name.starts_with('/') ? name : In(name);
    if (::access(path.c_str(), F_OK) != 0) return Wrong("\"" + name + "\" is missing");
    CONSORT_TRY(const std::string text, ReadFile(path));
    CONSORT_TRY(bundle_.labels, ParseLabels(text, path));
    return bundle_.manifest.output.kind == OutputSpec::Kind::kTags ? CheckTags(name)
                                                                   : CheckFrames(name);
  }

  Status CheckTags(const std::string& name) const {
    const int64_t scores = bundle_.manifest.prepared.output_size;
    if (scores == 0 || scores == static_cast<int64_t>(bundle_.labels.size())) return Ok();
    return Wrong("the model gives " + std::to_string(scores) + " scores for a segment, but \"" +
                     name + "\" has " + std::to_string(bundle_.labels.size()) + " labels",
                 "write one label for each score, in their order, and make the bundle again");
  }

  // Of a segment: frames of a score for each label.
  Status CheckFrames(const std::string& name) const {
    const auto& output = bundle_.manifest.output;
    const int64_t scores = bundle_.manifest.prepared.output_size;
    const auto labels = static_cast<int64_t>(bundle_.labels.size());
    if (output.kind == OutputSpec::Kind::kCtc && output.blank >= labels) {
      return Wrong("\"output.blank\" is " + std::to_string(output.blank) + ", but \"" + name +
                       "\" has " + std::to_string(labels) + " labels, counted from 0",
                   "name the label that stands for nothing, and make the bundle again");
    }
    if (scores > 0 && scores % labels == 0) return Ok();
    if (scores == 0) return Wrong("model.json does not tell \"prepared.output_size\"");
    return Wrong("the model gives " + std::to_string(scores) + " scores for a segment, but \"" +
                     name + "\" has " + std::to_string(labels) + " labels for each frame",
                 "write one label for each score of a frame, in their order, and make the bundle "
                 "again");
  }

  Result<Prepared::File> Listed(const std::string& name) const {
    const auto& files = bundle_.manifest.prepared.files;
    const auto found = std::find_if(files.begin(), files.end(),
                                    [&](const auto& file) { return file.name == name; });
    if (found != files.end()) return *found;
    return Wrong("model.json does not list \"" + name + "\"");
  }

  Status LoadTable() {
    CONSORT_TRY(const Prepared::File weights, Listed(kWeightsName));
    CONSORT_TRY(Listed(kTableName));
    CONSORT_TRY(const std::string text, ReadFile(In(kTableName)));
    CONSORT_TRY(bundle_.weights, ParseWeightTable(text, In(kTableName)));
    if (bundle_.weights.bytes == weights.bytes && bundle_.weights.sha256 == weights.sha256) {
      return Ok();
    }
    return Wrong("\"weights.json\" belongs to another \"weights.bin\"");
  }

  Bundle bundle_;
};

}  // namespace

Result<Bundle> LoadBundle(const std::string& folder) { return Loader(folder).Load(); }

Result<Bundle> LoadBundleAgain(const std::string& folder, const std::string& sha256) {
  CONSORT_TRY(Bundle bundle, LoadBundle(folder));
  if (sha256.empty() || bundle.sha256 == sha256) return bundle;
  return Error{"bundle \"" + folder + "\" was changed while the job ran",
               "begin anew with --restart"};
}

Status CheckPrepared(const Bundle& bundle) {
  if (bundle.manifest.has_prepared) return Ok();
  return Error{"\"" + bundle.folder + "\" is a manifest, not a bundle",
               "make the bundle with consort-prepare"};
}

}  // namespace consort
