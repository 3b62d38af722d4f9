#include "supervisor/memory/memory_sampler.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "fixture_root.h"
#include "supervisor/memory/oom_kills.h"
#include "supervisor/memory/process_memory.h"

namespace consort {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kHourNs = 3'600 * kSecond;  // a test that waited for it would run into its limit

class Memory : public testing::Test {
 protected:
  // Figures in MiB; of anonymous memory `shared` is the template's, too.
  void SetProcess(pid_t pid, int64_t anonymous, int64_t shared, int64_t pss) {
    const int64_t page = ::sysconf(_SC_PAGESIZE);
    const std::string folder = "/proc/" + std::to_string(pid);
    root_.Write(folder + "/statm", std::to_string(900 * kMiB / page) + " " +
                                       std::to_string((anonymous + 300) * kMiB / page) + " " +
                                       std::to_string(300 * kMiB / page) + " 10 0 99 0\n");
    const auto kib = [](int64_t mib) { return std::to_string(mib << 10) + " kB\n"; };
    root_.Write(folder + "/smaps_rollup",
                "55d0-7ffc ---p 00000000 00:00 0      [rollup]\nRss: " + kib(anonymous + 300) +
                    "Pss: " + kib(pss) + "Pss_Dirty:   7 kB\nPrivate_Clean: " + kib(3) +
                    "Private_Dirty: " + kib(anonymous - shared) + "Anonymous: " + kib(anonymous) +
                    "SwapPss:  5 kB\n");
  }
  MemorySampler::Settings Often() {
    return {.first_ns = 1, .pause_ns = 1, .proc = root_.path() + "/proc"};
  }
  static MemorySample Next(MemorySampler& sampler) {
    MemorySample sample;
    while (!sampler.Take(sample) || sample.workers.empty()) std::this_thread::yield();
    return sample;
  }
  FixtureRoot root_;
};

TEST_F(Memory, OfAProcessIsReadFromTheKernel) {
  SetProcess(7, 50, 20, 123);
  const std::string proc = root_.path() + "/proc";
  EXPECT_EQ(ReadAnonymousBytes(proc, 7), 50 * kMiB);
  EXPECT_EQ(ReadRolledUp(proc, 7).pss_bytes, 123 * kMiB);
  EXPECT_EQ(ReadRolledUp(proc, 7).private_bytes, 33 * kMiB);
  EXPECT_EQ(ReadAnonymousBytes(proc, 8), 0);
  EXPECT_EQ(ReadRolledUp(proc, 8).pss_bytes, 0);
}

TEST_F(Memory, OfThisProcessGrowsWithWhatIsTouched) {
  const int64_t before = ReadAnonymousBytes("/proc", ::getpid());
  EXPECT_GT(before, 0);
  EXPECT_GT(ReadRolledUp("/proc", ::getpid()).pss_bytes, 100 << 10);
  const std::vector<char> touched(64 * kMiB, 1);
  EXPECT_GE(ReadAnonymousBytes("/proc", ::getpid()), before + 60 * kMiB);
  EXPECT_GE(ReadRolledUp("/proc", ::getpid()).private_bytes, 60 * kMiB);
}

TEST_F(Memory, PrivateIsNotWhatOneProcessHasToItselfOfAFile) {
  root_.Write("/proc/7/smaps_rollup",
              "x [rollup]\nPss: 900000 kB\nPrivate_Clean: 300000 kB\n"
              "Private_Dirty: 400000 kB\nAnonymous: 2048 kB\n");
  EXPECT_EQ(ReadRolledUp(root_.path() + "/proc", 7).private_bytes, 2 * kMiB);
}

TEST_F(Memory, SamplerReadsExactlyWhoeverHoldsMoreThanIsAskedFor) {
  SetProcess(1, 10, 0, 10);
  SetProcess(2, 50, 20, 40);
  SetProcess(3, 60, 20, 50);
  MemorySampler sampler(Often());
  sampler.Watch({{.pid = 1},
                 {.pid = 2, .worker = 12, .exact_above_bytes = 50 * kMiB},
                 {.pid = 3, .worker = 13, .exact_above_bytes = 50 * kMiB},
                 {.pid = 4, .worker = 14, .exact_above_bytes = 0}});
  const auto sample = Next(sampler);
  ASSERT_EQ(sample.workers.size(), 3U);
  EXPECT_EQ(sample.workers[0].worker, 12U);
  EXPECT_EQ(sample.workers[0].anonymous_bytes, 50 * kMiB);
  EXPECT_EQ(sample.workers[0].private_bytes, -1);
  EXPECT_EQ(sample.workers[1].private_bytes, 43 * kMiB);
  EXPECT_EQ(sample.workers[2].anonymous_bytes, 0) << "gone";
  EXPECT_EQ(sample.tree_bytes, 100 * kMiB);
}

TEST_F(Memory, OfTheTreeIsTheLastFullRoundAndWhatHasGrownSince) {
  SetProcess(1, 20, 0, 200);  // a template
  SetProcess(2, 30, 20, 40);
  MemorySampler sampler(Often());
  sampler.Watch({{.pid = 1, .is_template = true}, {.pid = 2, .worker = 12}});
  auto sample = Next(sampler);
  EXPECT_EQ(sample.tree_bytes, 240 * kMiB);
  EXPECT_EQ(sample.workers[0].own_bytes, 10 * kMiB) << "the rest is its template's";
  EXPECT_EQ(sample.full_rounds, 1U);
  SetProcess(2, 100, 20, 40);  // the next full round is a second away
  SetProcess(3, 25, 20, 999);
  sampler.Watch(
      {{.pid = 1, .is_template = true}, {.pid = 2, .worker = 12}, {.pid = 3, .worker = 13}});
  do {
    sample = Next(sampler);
  } while (sample.workers.size() < 2);
  if (sample.full_rounds == 1) {
    EXPECT_EQ(sample.tree_bytes, (240 + 70 + 5) * kMiB);
  }
  sampler.Stop();
  EXPECT_GE(sampler.peak_bytes(), 240 * kMiB);
}

TEST_F(Memory, SamplerWakesWhoeverWaitsOnceTheTreeIsAboveABound) {
  SetProcess(1, 20, 0, 50);
  auto settings = Often();
  settings.urgent_above_bytes = 50 * kMiB;
  MemorySampler sampler(settings);
  sampler.Watch({{.pid = 1, .worker = 12}});
  for (int i = 0; i < 3; ++i) Next(sampler);
  pollfd urgent{sampler.urgent_fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&urgent, 1, 0), 0);
  SetProcess(1, 21, 0, 50);
  EXPECT_EQ(::poll(&urgent, 1, -1), 1);
  sampler.Watch({});
  sampler.Stop();
  sampler.Heard();
  EXPECT_EQ(::poll(&urgent, 1, 0), 0);
}

TEST_F(Memory, ThatAProcessHadAtMostIsKnownLater) {
  root_.Write("/proc/7/status",
              "Name:\tx\nVmPeak:\t  900 kB\nVmHWM:\t  500 kB\nVmRSS:\t  400 kB\n"
              "RssAnon:\t  90 kB\nRssFile:\t  30 kB\nRssShmem:\t  270 kB\n");
  EXPECT_EQ(ReadPeakAnonymousBytes(root_.path() + "/proc", 7), 200 << 10);
  EXPECT_EQ(ReadPeakAnonymousBytes(root_.path() + "/proc", 8), 0);
  { const std::vector<char> touched(64 * kMiB, 1); }
  EXPECT_GE(ReadPeakAnonymousBytes("/proc", ::getpid()), 60 * kMiB);
}

TEST(MemoryPauses, AreLongAfterARoundThatCostMuch) {
  EXPECT_EQ(PauseAfterRoundNs(0, kSecond, 1000), kSecond);
  EXPECT_EQ(PauseAfterRoundNs(999'999, kSecond, 1000), kSecond);
  EXPECT_EQ(PauseAfterRoundNs(20'000'000, kSecond, 1000), 20 * kSecond);
}

TEST_F(Memory, SamplerStopsWithoutWaitingForItsPause) {
  MemorySampler sampler({.first_ns = kHourNs});
  sampler.Stop();
  sampler.Stop();
  MemorySample sample;
  EXPECT_FALSE(sampler.Take(sample));
}

TEST_F(Memory, SamplerTakesNoSignal) {
  const MemorySampler sampler({.first_ns = kHourNs});
  sigset_t mine;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mine);
  EXPECT_FALSE(::sigismember(&mine, SIGINT));  // the maker's mask is as it was
  // Found by its name, which it gives itself: sanitizers have threads of their own.
  bool found = false;
  while (!found) {
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      std::string name;
      std::getline(std::ifstream(task.path() / "comm"), name);
      if (name != "consort-memory") continue;
      found = true;
      std::ifstream status(task.path() / "status");
      std::string line;
      while (std::getline(status, line) && !line.starts_with("SigBlk:")) {
      }
      const uint64_t blocked = std::stoull(line.substr(line.find('\t')), nullptr, 16);
      for (const int number : {SIGINT, SIGTERM, SIGCHLD, SIGPIPE, SIGUSR1}) {
        EXPECT_TRUE(blocked >> (number - 1) & 1) << number;
      }
    }
  }
}

class Kills : public testing::Test {
 protected:
  void Count(int kills) {
    root_.Write("/events",
                "low 0\noom 9\noom_kill " + std::to_string(kills) + "\noom_group_kill 7\n");
  }
  FixtureRoot root_;
};

TEST_F(Kills, AreExplainedOnceEach) {
  Count(4);
  OomKills kills(root_.path() + "/events");
  EXPECT_FALSE(kills.Explain(0)) << "those before us are not ours";
  Count(6);
  EXPECT_TRUE(kills.Explain(kSecond));
  EXPECT_TRUE(kills.Explain(kSecond));
  EXPECT_FALSE(kills.Explain(kSecond));
}

TEST_F(Kills, ExplainADeathThatTookItsTimeButNotOneLongAfter) {
  Count(0);
  OomKills kills(root_.path() + "/events");
  Count(1);
  kills.Look(kSecond);
  EXPECT_TRUE(kills.Explain(9 * kSecond));
  Count(2);
  kills.Look(20 * kSecond);
  EXPECT_FALSE(kills.Explain(31 * kSecond));
}

TEST_F(Kills, WithoutACounterExplainNothing) {
  OomKills none("");
  OomKills gone(root_.path() + "/nothing");
  EXPECT_FALSE(none.Explain(0));
  EXPECT_FALSE(gone.Explain(0));
}

}  // namespace
}  // namespace consort
