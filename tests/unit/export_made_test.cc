#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "supervisor/export/made_files.h"

namespace consort {
namespace {

namespace fs = std::filesystem;
using State = MadeFiles::State;

class Made : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "consort-made-" + std::to_string(::getpid());
    fs::create_directory(folder_);
    results_ = folder_ + "/results.jsonl";
    csv_ = folder_ + "/results.csv";
    Put(results_, "1\n");
  }
  void TearDown() override { fs::remove_all(folder_); }

  static void Put(const std::string& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
  }
  std::string Path(const std::string& name) const { return folder_ + "/results." + name; }
  State Now(bool merged = false) const {
    return MadeFiles::Read(folder_).StateOf(*format_, csv_, results_, merged);
  }
  void Note(bool merged = false) const {
    MadeFiles::Note(folder_, *format_, csv_, *FileStamp::Of(results_), merged);
  }

  const Format* format_ = FindFormat("csv");
  std::string folder_;
  std::string results_;
  std::string csv_;
};

TEST_F(Made, AFileIsKnownUntilItOrTheResultsChange) {
  EXPECT_EQ(Now(), State::kMissing);
  Put(csv_, "mine");
  EXPECT_EQ(Now(), State::kForeign);
  Note();
  EXPECT_EQ(Now(), State::kCurrent);
  Put(results_, "1\n2\n");
  EXPECT_EQ(Now(), State::kOutdated);
  Put(csv_, "edited");
  EXPECT_EQ(Now(), State::kForeign);
  fs::remove(csv_);
  EXPECT_EQ(Now(), State::kMissing);
}

TEST_F(Made, MergedOrNotIsAnotherFile) {
  Put(csv_, "mine");
  Note(true);
  EXPECT_EQ(Now(true), State::kCurrent);
  EXPECT_EQ(Now(false), State::kOutdated) << "it is ours, and to be made anew";
  Note(false);
  EXPECT_EQ(Now(true), State::kOutdated);
  EXPECT_EQ(Now(false), State::kCurrent);
}

TEST_F(Made, WhatIsNoFileIsNobodysAndABrokenNoteIsNone) {
  fs::create_directory(csv_);
  EXPECT_EQ(Now(), State::kForeign);
  fs::remove(csv_);
  fs::create_symlink("nowhere", csv_);
  EXPECT_EQ(Now(), State::kForeign);
  fs::remove(csv_);
  Put(csv_, "mine");
  Note();
  Put(folder_ + "/exports", "csv x y z\n");
  EXPECT_EQ(Now(), State::kForeign);
}

TEST_F(Made, OfFewerBytesThanThereAreIsNotCurrent) {
  Put(csv_, "mine");
  auto exported = *FileStamp::Of(results_);
  exported.bytes -= 1;
  MadeFiles::Note(folder_, *format_, csv_, exported, false);
  EXPECT_EQ(Now(), State::kOutdated);
}

TEST_F(Made, NotesOfSeveralAtOnceAreAllThere) {
  const std::vector<std::string> names = {"csv", "raven", "audacity", "rttm", "ctm", "srt", "vtt"};
  const auto results = *FileStamp::Of(results_);
  std::vector<std::jthread> threads;
  for (const auto& name : names) {
    Put(Path(name), name);
    threads.emplace_back([this, name, results] {
      MadeFiles::Note(folder_, *FindFormat(name), Path(name), results, false);
    });
  }
  threads.clear();
  const MadeFiles made = MadeFiles::Read(folder_);
  for (const auto& name : names) {
    EXPECT_EQ(made.StateOf(*FindFormat(name), Path(name), results_, false), State::kCurrent)
        << name;
  }
}

}  // namespace
}  // namespace consort
