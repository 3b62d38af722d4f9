// What workers write, taken apart into lines: whole ones, cut ones, last ones.
#include <gtest/gtest.h>
#include <unistd.h>

#include "supervisor/fleet/worker_output.h"

namespace consort {
namespace {

class WorkerOutputTest : public testing::Test {
 protected:
  void Write(std::string_view text) {
    ASSERT_EQ(::write(theirs_.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  bool Read() { return output_.Read(tell_); }

  UniqueFd theirs_;
  WorkerOutput output_ = WorkerOutput::Make(theirs_).value();
  std::vector<std::string> lines_;
  WorkerOutput::Tell tell_ = [this](std::string_view line) { lines_.emplace_back(line); };
};

TEST_F(WorkerOutputTest, TellsWholeLinesAndWaitsForTheRestOfOthers) {
  EXPECT_TRUE(Read()) << "nothing is there, and nobody waits for it";
  Write("one\n\ntw");
  EXPECT_TRUE(Read());
  EXPECT_EQ(lines_, (std::vector<std::string>{"one", ""}));
  Write("o\nthree");
  EXPECT_TRUE(Read());
  EXPECT_EQ(lines_, (std::vector<std::string>{"one", "", "two"}));
  theirs_.Reset();
  EXPECT_FALSE(Read()) << "nobody writes any more";
  output_.ReadRest(tell_);
  EXPECT_EQ(lines_.back(), "three");
  EXPECT_EQ(output_.Tail(), lines_);
}

TEST_F(WorkerOutputTest, LeavesNothingInThePipeOfADeadWorker) {
  for (int i = 0; i < 6000; ++i) Write("0123456\n");
  theirs_.Reset();
  EXPECT_TRUE(Read()) << "a turn is bounded";
  EXPECT_EQ(lines_.size(), WorkerOutput::kTurnBytes / 8);
  output_.ReadRest(tell_);
  EXPECT_EQ(lines_.size(), 6000U);
}

TEST_F(WorkerOutputTest, CutsLongLinesAndKeepsWhatFollows) {
  const std::string most(WorkerOutput::kMostLineBytes, 'x');
  Write(most + "\n" + most + "y");
  Write("zzz\nnext\n");
  while (lines_.size() < 3 && Read()) {
  }
  ASSERT_EQ(lines_.size(), 3U);
  EXPECT_EQ(lines_[0], most);
  EXPECT_EQ(lines_[1], most + "…");
  EXPECT_EQ(lines_[2], "next");
}

TEST_F(WorkerOutputTest, RemembersTheLastLinesOnly) {
  for (int i = 0; i < 1000; ++i) Write("line " + std::to_string(i) + "\n");
  while (lines_.size() < 1000 && Read()) {
  }
  const auto tail = output_.Tail();
  EXPECT_EQ(tail.back(), "line 999");
  size_t bytes = 0;
  for (const auto& line : tail) bytes += line.size() + 1;
  EXPECT_LE(bytes, WorkerOutput::kTailBytes);
  EXPECT_GT(bytes, WorkerOutput::kTailBytes - 20);
}

}  // namespace
}  // namespace consort
