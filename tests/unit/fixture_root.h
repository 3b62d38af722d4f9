// A folder that stands for / in what reads /proc and /sys.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace consort {

class FixtureRoot {
 public:
  FixtureRoot() {
    std::string pattern = testing::TempDir() + "consort_root_XXXXXX";
    if (mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~FixtureRoot() {
    if (!path_.empty()) std::filesystem::remove_all(path_);
  }
  FixtureRoot(const FixtureRoot&) = delete;
  FixtureRoot& operator=(const FixtureRoot&) = delete;

  const std::string& path() const { return path_; }
  void Write(const std::string& path, const std::string& content) {
    const std::filesystem::path file = path_ + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << content;
  }

 private:
  std::string path_;
};

}  // namespace consort
