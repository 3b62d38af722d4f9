// What is read ahead, and that nothing in the way of it does harm.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "worker/ahead/read_ahead.h"

namespace consort {
namespace {

constexpr int64_t kMiB = 1 << 20;

std::vector<TaskItem> Items(std::initializer_list<TaskItem> items) { return items; }

TEST(PlanAhead, IsTheRestOfTheFileThenWhatComesNext) {
  const TaskItem now{0, 10, 5, "a"};
  const auto later = Items({{0, 15, 5, "a"}, {1, 0, 2, "b"}});
  const std::vector<AheadItem> expected = {
      {"a", 10, 5, 100.0}, {"a", 15, 5, 100.0}, {"b", 0, 2, 0}};
  EXPECT_EQ(PlanAhead(now, 12, 100.0, later), expected);
}

TEST(PlanAhead, CutsALongFileIntoPiecesThatStayTheSame) {
  const TaskItem now{0, 1, 100, "a"};
  const double mib = static_cast<double>(kMiB);
  const auto plan = PlanAhead(now, 1, mib, {});
  ASSERT_EQ(plan.size(), kMostAheadItems);
  EXPECT_EQ(plan[1], (AheadItem{"a", 9, 8, mib}));
  EXPECT_EQ(PlanAhead(now, 9, mib, {})[0], plan[1]);
  EXPECT_EQ(PlanAhead(now, 97, mib, {}).back(), (AheadItem{"a", 97, 4, mib}));
}

TEST(PlanAhead, IsShortHoweverMuchIsToBeDone) {
  const std::vector<TaskItem> later(256, TaskItem{1, 0, 1, "b"});
  EXPECT_EQ(PlanAhead({0, 0, 1, "a"}, 0, 1.0, later).size(), kMostAheadItems);
}

TEST(PlanAhead, NamesTheMiddleOfAnotherFileOnce) {
  const auto later = Items({{1, 7, 3, "b"}, {2, 0, 2, "c"}});
  const std::vector<AheadItem> expected = {{"a", 0, 1, 100.0}, {"b", 7, 3, 0}, {"c", 0, 2, 0}};
  EXPECT_EQ(PlanAhead({0, 0, 1, "a"}, 0, 100.0, later), expected);
}

TEST(RangeOf, LiesWhereTheSegmentsLie) {
  const AheadItem item{"a", 100, 10, static_cast<double>(kMiB)};
  const auto range = RangeOf(item, 1000 * kMiB, 0);
  EXPECT_LE(range.begin, 100 * kMiB);
  EXPECT_GE(range.begin, 99 * kMiB);
  EXPECT_GE(range.end, 110 * kMiB);
  EXPECT_LE(range.end, 111 * kMiB);
}

TEST(RangeOf, StaysInTheFileAndWithinItsBound) {
  const AheadItem item{"a", 990, UINT64_MAX / 2, static_cast<double>(kMiB)};
  EXPECT_EQ(RangeOf(item, 1000 * kMiB, 0).end, 1000 * kMiB);
  const AheadItem all{"a", 0, 1000, static_cast<double>(kMiB)};
  EXPECT_EQ(RangeOf(all, 1000 * kMiB, 0).end, kMostAheadBytes);
  EXPECT_EQ(RangeOf(all, 10, 0).end, 10);
}

TEST(RangeOf, IsAGuessForAFileThatWasNotOpened) {
  EXPECT_GE(RangeOf({"a", 0, 4, 0}, 1000 * kMiB, static_cast<double>(kMiB)).end, 4 * kMiB);
  const auto middle = RangeOf({"a", 50, 4, 0}, 1000 * kMiB, static_cast<double>(kMiB));
  EXPECT_EQ(middle.begin, 0);
  EXPECT_LT(middle.end, kMiB) << "where segment 50 lies cannot be told: the head alone";
}

// The bytes of a file that this process has read, by the kernel's count.
int64_t BytesRead() {
  std::ifstream io("/proc/self/io");
  std::string name;
  int64_t count = 0;
  while (io >> name >> count) {
    if (name == "rchar:") return count;
  }
  return -1;
}

class ReadAheadTest : public ::testing::Test {
 protected:
  ReadAheadTest() {
    char name[] = "/tmp/consort-ahead-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~ReadAheadTest() override { std::filesystem::remove_all(folder_); }

  AheadItem File(const std::string& name, int64_t bytes) {
    std::ofstream(folder_ + "/" + name);
    std::filesystem::resize_file(folder_ + "/" + name, static_cast<uintmax_t>(bytes));
    return {folder_ + "/" + name, 0, 1, static_cast<double>(bytes)};
  }
  // Until it has read so much; false if that never comes.
  static bool Reads(int64_t before, int64_t bytes) {
    for (int i = 0; i < 10'000; ++i) {
      if (BytesRead() - before >= bytes) return true;
      usleep(1'000);
    }
    return false;
  }

  std::string folder_;
  ReadAhead ahead_;
};

TEST_F(ReadAheadTest, DoesNothingWhereStorageIsQuick) {
  ahead_.Took(ReadAhead::kSlowNs - 1);
  EXPECT_FALSE(ahead_.wanted());
}

// While one lives no thread can be started: there is no room for its stack.
class NoThreads {
 public:
  NoThreads() {
    pthread_getattr_default_np(&before_);
    pthread_attr_t huge;
    pthread_getattr_default_np(&huge);
    pthread_attr_setstacksize(&huge, size_t{1} << 48);
    pthread_setattr_default_np(&huge);
    pthread_attr_destroy(&huge);
  }
  ~NoThreads() {
    pthread_setattr_default_np(&before_);
    pthread_attr_destroy(&before_);
  }
  NoThreads(const NoThreads&) = delete;
  NoThreads& operator=(const NoThreads&) = delete;

 private:
  pthread_attr_t before_;
};

TEST_F(ReadAheadTest, DoesNothingWhereNoThreadCanBeStarted) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the sanitizer chooses the size of stacks itself";
#endif
  {
    const NoThreads none;
    ahead_.Took(ReadAhead::kSlowNs);
  }
  EXPECT_FALSE(ahead_.wanted());
  ahead_.Took(ReadAhead::kSlowNs);
  EXPECT_FALSE(ahead_.wanted()) << "for a while it is not asked again";
}

TEST_F(ReadAheadTest, ReadsWhatIsWanted) {
  ahead_.Took(ReadAhead::kSlowNs);
  EXPECT_TRUE(ahead_.wanted());
  const std::vector<AheadItem> wanted = {File("a", 3 * kMiB), File("b", 2 * kMiB)};
  const int64_t before = BytesRead();
  ahead_.Want(wanted, 0);
  EXPECT_TRUE(Reads(before, 5 * kMiB));
}

TEST_F(ReadAheadTest, SurvivesWhatIsNoFile) {
  ahead_.Took(ReadAhead::kSlowNs);
  ASSERT_EQ(mkfifo((folder_ + "/fifo").c_str(), 0600), 0);
  AheadItem fifo = {folder_ + "/fifo", 0, 1, 1e6};
  AheadItem folder = {folder_, 0, 1, 1e6};
  AheadItem gone = {folder_ + "/gone", 0, 1, 1e6};
  const auto last = File("last", 2 * kMiB);
  const int64_t before = BytesRead();
  ahead_.Want({fifo, folder, gone, {"", 0, 1, 0}, {"/dev/zero", 0, 1, 0}, File("empty", 0), last},
              0);
  EXPECT_TRUE(Reads(before, 2 * kMiB)) << "it stands still before the last one";
}

TEST_F(ReadAheadTest, StopsWhenStorageTurnsOutToBeQuick) {
  ahead_.Took(ReadAhead::kSlowNs);
  const auto file = File("a", ReadAhead::kChunkBytes);
  for (int i = 0; i < 100'000 && ahead_.wanted(); ++i) {
    AheadItem item = file;
    item.count = static_cast<uint64_t>(i) + 1;  // another one each time
    ahead_.Want({item}, 0);
    usleep(200);
  }
  EXPECT_FALSE(ahead_.wanted());
  ahead_.Took(ReadAhead::kSlowNs);
  EXPECT_FALSE(ahead_.wanted()) << "for a while it is not asked again";
}

}  // namespace
}  // namespace consort
