// What processes used, from a made-up /proc.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "supervisor/figures/usage_meter.h"

namespace consort {
namespace {

namespace fs = std::filesystem;

class UsageTest : public testing::Test {
 protected:
  ~UsageTest() override { fs::remove_all(proc_); }

  struct Numbers {
    int ticks_user = 0;
    int ticks_system = 0;
    int minor = 0;
    int major = 0;
    std::vector<std::pair<int, int>> threads = {{0, 0}};  // switches: voluntary, not
  };
  void Write(pid_t pid, const Numbers& it, const std::string& name = "consort-worker") {
    const fs::path folder = proc_ / std::to_string(pid);
    fs::remove_all(folder);
    fs::create_directories(folder);
    std::ofstream(folder / "stat")
        << pid << " (" << name << ") S 1 2 3 4 5 6 " << it.minor << " 777 " << it.major << " 888 "
        << it.ticks_user << ' ' << it.ticks_system << " 999 999 20 0 3 0 12345 6 7\n";
    for (size_t i = 0; i < it.threads.size(); ++i) {
      const fs::path task = folder / "task" / std::to_string(static_cast<size_t>(pid) + i);
      fs::create_directories(task);
      std::ofstream(task / "status")
          << "Name:\tx\nvoluntary_ctxt_switches:\t" << it.threads[i].first
          << "\nnonvoluntary_ctxt_switches:\t" << it.threads[i].second << "\n";
    }
  }
  void Remove(pid_t pid) { fs::remove_all(proc_ / std::to_string(pid)); }

  fs::path proc_ = fs::path(testing::TempDir()) / ("usage." + std::to_string(getpid()));
  const double tick_s_ = 1.0 / static_cast<double>(sysconf(_SC_CLK_TCK));
};

TEST_F(UsageTest, IsThatOfAllThreads) {
  Write(10, {.ticks_user = 300,
             .ticks_system = 20,
             .minor = 5,
             .major = 6,
             .threads = {{1, 2}, {30, 40}}});
  const auto usage = ReadUsage(proc_, 10);
  ASSERT_TRUE(usage);
  EXPECT_NEAR(usage->user_s, 300 * tick_s_, 1e-9);
  EXPECT_NEAR(usage->system_s, 20 * tick_s_, 1e-9);
  EXPECT_EQ(usage->minor, 5);
  EXPECT_EQ(usage->major, 6);
  EXPECT_EQ(usage->voluntary, 31);
  EXPECT_EQ(usage->involuntary, 42);
}

TEST_F(UsageTest, OfAProcessWithAnOddNameIsReadAllTheSame) {
  Write(10, {.ticks_user = 7}, "a) S 1 (b");
  EXPECT_NEAR(ReadUsage(proc_, 10)->user_s, 7 * tick_s_, 1e-9);
}

TEST_F(UsageTest, OfNoProcessIsNone) {
  EXPECT_FALSE(ReadUsage(proc_, 11));
  fs::create_directories(proc_ / "12");
  std::ofstream(proc_ / "12/stat") << "12 (half) S 1 2";
  EXPECT_FALSE(ReadUsage(proc_, 12));
}

TEST_F(UsageTest, CountsFromItsBeginningAndAllOfWhatCameLater) {
  UsageMeter meter(proc_);
  Write(10, {.ticks_user = 1000, .minor = 50, .threads = {{5, 5}}});
  meter.Begin({10});
  EXPECT_EQ(meter.total().minor, 0);
  Write(10, {.ticks_user = 1100, .minor = 51, .threads = {{8, 5}}});
  Write(20, {.ticks_user = 30, .minor = 4, .threads = {{1, 0}}});
  meter.Look({10, 20});
  EXPECT_NEAR(meter.total().user_s, 130 * tick_s_, 1e-9);
  EXPECT_EQ(meter.total().minor, 5);
  EXPECT_EQ(meter.total().voluntary, 4);
}

TEST_F(UsageTest, OfAProcessThatIsGoneIsWhatWasLastSeen) {
  UsageMeter meter(proc_);
  Write(10, {.ticks_user = 100});
  meter.Begin({10});
  Write(10, {.ticks_user = 150});
  meter.Look({10});
  Remove(10);
  meter.Look({10});  // dead, and nobody has told yet
  EXPECT_NEAR(meter.total().user_s, 50 * tick_s_, 1e-9);
  meter.Look({});
  EXPECT_NEAR(meter.total().user_s, 50 * tick_s_, 1e-9);
  Write(10, {.ticks_user = 3});  // the number again, another process
  meter.Look({10});
  EXPECT_NEAR(meter.total().user_s, 53 * tick_s_, 1e-9);
}

TEST(Usage, OfThisProcessIsReal) {
  const auto before = ReadUsage("/proc", getpid());
  ASSERT_TRUE(before);
  EXPECT_GT(before->minor, 0);
  usleep(1000);  // a voluntary switch
  EXPECT_GT(ReadUsage("/proc", getpid())->voluntary, before->voluntary);
}

}  // namespace
}  // namespace consort
