#include "supervisor/job/replace_results.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "supervisor/loop/stop_signals.h"

namespace consort {
namespace {

namespace fs = std::filesystem;

// A finished job of two files of which the second failed, and new lines for that one.
class ReplaceResultsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "consort_replace_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern + "/";
    std::ofstream(root_ + "out") << "one\nbad\n";
    std::ofstream(root_ + "lines") << "better\n";
    auto journal = Journal::Open(root_ + "journal.db");
    ASSERT_TRUE(journal);
    journal_ = std::move(journal).value();
    ASSERT_TRUE(journal_->Begin({}, 2));
    JournalStep step;
    step.totals = journal_->totals();
    step.totals.bytes = 8;
    step.files = {Row(0, 4), Row(1, 4)};
    step.files[1].code = static_cast<uint32_t>(ErrorCode::kNotFound);
    step.files[1].error = "bad\n";
    ASSERT_TRUE(journal_->Commit(step));
  }
  void TearDown() override {
    journal_.reset();
    fs::remove_all(root_);
  }
  static FileRow Row(uint64_t file, uint64_t bytes) {
    FileRow row;
    row.file = file;
    row.bytes = bytes;
    return row;
  }
  Result<int> Replace(uint64_t bytes) {
    return ReplaceResults(*journal_, root_ + "out", root_ + "lines", {Row(1, bytes)}, {},
                          journal_->totals());
  }
  std::string Results() const {
    std::ifstream file(root_ + "out");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void ExpectAsBefore() const {
    EXPECT_EQ(Results(), "one\nbad\n");
    EXPECT_FALSE(fs::exists(root_ + ".out.consort-new"));
    EXPECT_FALSE(journal_->switching());
    EXPECT_EQ(journal_->totals().bytes, 8U);
  }

  std::string root_;
  std::unique_ptr<Journal> journal_;
};

TEST_F(ReplaceResultsTest, PutsNewLinesInThePlacesOfOldOnes) {
  const auto replaced = Replace(7);
  ASSERT_TRUE(replaced) << replaced.error().Sentence();
  EXPECT_EQ(replaced.value(), 0);
  EXPECT_EQ(Results(), "one\nbetter\n");
  EXPECT_FALSE(fs::exists(root_ + ".out.consort-new"));
  EXPECT_EQ(journal_->totals().bytes, 11U);
}

TEST_F(ReplaceResultsTest, AskedForItsEndLeavesTheResultsAsTheyAre) {
  const StopRequests held;  // as the loop before has left it
  ASSERT_EQ(::raise(SIGTERM), 0);
  const auto replaced = Replace(7);
  ASSERT_TRUE(replaced) << replaced.error().Sentence();
  EXPECT_EQ(replaced.value(), SIGTERM);
  ExpectAsBefore();
  EXPECT_EQ(Replace(7).value(), 0) << "it was asked once";
  EXPECT_EQ(Results(), "one\nbetter\n");
}

TEST_F(ReplaceResultsTest, ThatFailsLeavesNothingBehind) {
  EXPECT_FALSE(Replace(70)) << "there are fewer lines";
  ExpectAsBefore();
  std::ofstream(root_ + "out") << "on";
  EXPECT_FALSE(Replace(7)) << "there is less of the old ones";
  EXPECT_FALSE(fs::exists(root_ + ".out.consort-new"));
}

}  // namespace
}  // namespace consort
