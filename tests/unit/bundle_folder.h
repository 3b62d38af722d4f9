// A bundle in a folder of its own, written by a test and removed at its end.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "shared/bundle/sha256.h"

namespace consort {

inline void WriteFile(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

// A manifest that is right; tests change what they are about.
inline nlohmann::json GoodManifest() {
  return nlohmann::json::parse(R"({
    "consort": 1, "name": "tiny",
    "audio": {"sample_rate": 8000, "channels": "mix", "segment_seconds": 1.0, "hop_seconds": 0.5},
    "features": {"kind": "log_mel", "n_fft": 256, "hop_length": 80, "power": 2.0, "n_mels": 20,
                 "f_min": 50.0, "f_max": 4000.0},
    "output": {"kind": "tags", "labels": "labels.txt"}})");
}

class BundleFolder {
 public:
  BundleFolder() {
    std::string pattern = testing::TempDir() + "/bundle-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~BundleFolder() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }
  void Write(const std::string& name, const std::string& content) {
    WriteFile(File(name), content);
  }

  // Writes code.pt, weights.bin with one tensor "w" of int8, its table, labels a and b, model.json.
  void WriteAll(const std::string& weights = std::string(64, 'w')) {
    Write("code.pt", "code");
    Write("labels.txt", "a\nb\n");
    Write("weights.bin", weights);
    const auto size = static_cast<int64_t>(weights.size());
    nlohmann::json table = {{"version", 1}, {"bytes", size}, {"sha256", Sha256OfText(weights)}};
    table["tensors"] = nlohmann::json::array();
    if (size > 0) {
      table["tensors"].push_back({{"name", "w"},
                                  {"dtype", "int8"},
                                  {"shape", {size}},
                                  {"strides", {1}},
                                  {"layout", "strided"},
                                  {"offset", 0},
                                  {"nbytes", size}});
    }
    Write("weights.json", table.dump());
    WriteManifest(GoodManifest());
  }

  // model.json that lists the files which are there.
  void WriteManifest(nlohmann::json manifest) {
    auto& prepared = manifest["prepared"] = {{"backend", "torchscript"}, {"torch", "2.13.0"}};
    for (const char* name : {"code.pt", "labels.txt", "weights.bin", "weights.json"}) {
      if (!std::filesystem::exists(File(name))) continue;
      prepared["files"][name] = {{"sha256", Sha256OfFile(File(name)).value()},
                                 {"bytes", std::filesystem::file_size(File(name))}};
    }
    Write("model.json", manifest.dump());
  }

 private:
  std::string path_;
};

}  // namespace consort
