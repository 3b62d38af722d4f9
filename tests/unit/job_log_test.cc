// The log of workers' words: appended, bounded, and never a reason to end.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "supervisor/job/job_log.h"

namespace consort {
namespace {

class JobLogTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "consort_log_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Content(const std::string& name) const {
    std::ifstream file(folder_ + "/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  JobLog Log(uint64_t rotate_bytes) {
    return JobLog(
        folder_, [this](const std::string& warning) { warnings_.push_back(warning); },
        rotate_bytes);
  }

  std::string folder_;
  std::vector<std::string> warnings_;
};

TEST_F(JobLogTest, AppendsToWhatIsThere) {
  for (int run = 0; run < 2; ++run) {
    auto log = Log(1'000'000);
    log.Add(4711, 3, "hello");
    log.Flush();
  }
  const std::string content = Content("log");
  EXPECT_EQ(std::count(content.begin(), content.end(), '\n'), 2);
  EXPECT_NE(content.find("Z worker 4711 slot 3: hello\n"), std::string::npos);
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(JobLogTest, MakesNoFileForNothing) {
  Log(1'000'000).Flush();
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/log"));
}

TEST_F(JobLogTest, RotatesSoThatTwoFilesOfBoundedSizeRemain) {
  auto log = Log(1000);
  for (int i = 0; i < 100; ++i) {
    log.Add(1, 0, "line " + std::to_string(i));
    log.Flush();
  }
  EXPECT_LE(std::filesystem::file_size(folder_ + "/log"), 1100U);
  EXPECT_LE(std::filesystem::file_size(folder_ + "/log.1"), 1100U);
  EXPECT_NE(Content("log").find("line 99\n"), std::string::npos);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 2);
}

TEST_F(JobLogTest, TellsOnceThatItCannotBeWritten) {
  std::filesystem::create_directory(folder_ + "/log");
  auto log = Log(1000);
  for (int i = 0; i < 3; ++i) {
    log.Add(1, 0, "lost");
    log.Flush();
  }
  ASSERT_EQ(warnings_.size(), 1U);
  EXPECT_NE(warnings_[0].find("the job goes on"), std::string::npos);
  std::filesystem::remove(folder_ + "/log");
  log.Add(1, 0, "kept");
  log.Flush();
  EXPECT_NE(Content("log").find("kept"), std::string::npos);
}

}  // namespace
}  // namespace consort
