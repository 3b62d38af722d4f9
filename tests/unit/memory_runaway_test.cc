// Workers that take memory without end, several at a time, and models that just need much.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

#include "supervisor/memory/runaway_workers.h"

namespace consort {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kMs = 1'000'000;
constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kPatience = 10 * kSecond;

class Runaways : public testing::Test {
 protected:
  using Ids = std::vector<uint64_t>;
  // `own`: of worker 1, 2, … in MiB; all that is no worker's has 100 MiB.
  RunawayWorkers::Found At(double seconds, const std::vector<int64_t>& own) {
    MemorySample sample{.workers = {}, .tree_bytes = 100 * kMiB, .full_rounds = 1};
    for (size_t i = 0; i < own.size(); ++i) {
      sample.workers.push_back({.worker = i + 1, .own_bytes = own[i] * kMiB});
      sample.tree_bytes += own[i] * kMiB;
    }
    return runaways_.Judge(sample, 20 * kMiB, kPatience, static_cast<int64_t>(seconds * 1e9));
  }
  RunawayWorkers runaways_{
      {.bytes = 1000 * kMiB, .end_bytes = 1250 * kMiB, .name = "--memory-limit"}};
};

TEST_F(Runaways, AreNoneWhileAllAreWithinTheLimit) {
  const auto found = At(1, {800, 10});
  EXPECT_EQ(found.retire, Ids{});
  EXPECT_EQ(found.end, Ids{});
  EXPECT_FALSE(found.explains);
}

TEST_F(Runaways, WithoutALimitAreNone) {
  RunawayWorkers none({});
  EXPECT_EQ(
      none.Judge({.workers = {{.worker = 1, .own_bytes = INT64_MAX}}, .tree_bytes = INT64_MAX}, 1,
                 kPatience, 0)
          .end,
      Ids{});
}

TEST_F(Runaways, AboveTheLimitTakeNothingMoreAndThatIsSaidOnce) {
  auto found = At(1, {600, 400, 10});
  EXPECT_EQ(found.retire, Ids{1}) << "without it the others are within the limit";
  EXPECT_EQ(found.end, Ids{});
  EXPECT_TRUE(found.explains);
  found = At(1.02, {610, 410, 10});
  EXPECT_EQ(found.retire, Ids{});
  EXPECT_TRUE(found.explains) << "no worker is one too many";
}

TEST_F(Runaways, ThatAreAlikeAreEndedUntilTheRestIsWithinBounds) {
  EXPECT_EQ(At(1, {100, 100, 100, 100}).end, Ids{});
  const auto found = At(1.1, {450, 440, 430, 10});
  EXPECT_EQ(found.end, Ids{1});
  EXPECT_EQ(found.retire, Ids{}) << "the rest is within the limit without it";
  EXPECT_EQ(At(1.2, {0, 840, 830, 10}).end, Ids{2});
}

TEST_F(Runaways, ThatDoNotGrowMayFinishForSomeTime) {
  EXPECT_EQ(At(1, {600, 10}).end, Ids{});
  EXPECT_EQ(At(2, {600, 10}).end, Ids{});
  const auto found = At(3, {600, 590});
  EXPECT_EQ(found.end, Ids{2}) << "this one does";
  EXPECT_EQ(found.retire, Ids{1});
  EXPECT_EQ(At(4, {600, 590}).end, Ids{}) << "it has stopped";
  EXPECT_EQ(At(12, {600, 590}).end, Ids{});
  EXPECT_EQ(At(13.1, {600, 590}).end, Ids{1});
}

TEST_F(Runaways, ThatDoNotGrowAreNoExplanationForEver) {
  EXPECT_TRUE(At(1, {950, 10}).explains);
  EXPECT_TRUE(At(11, {950, 10}).explains);
  EXPECT_FALSE(At(11.1, {950, 10}).explains);
}

TEST_F(Runaways, EndTheOnlyWorkerToo) {
  EXPECT_EQ(At(1, {100}).end, Ids{});
  EXPECT_EQ(At(1.1, {1151}).end, Ids{1});
}

TEST_F(Runaways, ThatLeakSlowlyAreReplacedOneByOneAndNotEnded) {
  std::set<uint64_t> retired;
  for (int second = 0; second < 60; ++second) {  // 3 MiB a second each
    const auto leaked = static_cast<int64_t>(280 + 3 * second);
    const auto found = At(second, {leaked, leaked + 1, leaked + 2});
    EXPECT_EQ(found.end, Ids{}) << second;
    retired.insert(found.retire.begin(), found.retire.end());
    if (!found.retire.empty()) break;  // they have finished within that second
  }
  EXPECT_EQ(retired, (std::set<uint64_t>{3}));
}

// ---- whole jobs ----

// Looks at a job every 20 ms, or more seldom with many workers. Whoever is ended has its memory for
// 100 ms more, then another worker takes its place.
struct World {
  struct Simulated {
    uint64_t id = 0;
    int64_t own = 0;
    int64_t rate = 0;          // a look, without end; 0: an ordinary worker
    int64_t needs = 8 * kMiB;  // then
    int free_in = -1;          // looks until it is gone, once ended
  };

  World(const TreeLimit& tree_limit, int64_t usual_bytes, int64_t base_bytes)
      : limit(tree_limit), usual(usual_bytes), base(base_bytes), runaways(tree_limit) {}

  void Add(int64_t rate, int64_t needs) {
    workers.push_back({.id = next_id++, .rate = rate, .needs = needs});
  }

  RunawayWorkers::Found Look() {
    now_ns += 20 * kMs;
    MemorySample sample{.workers = {}, .tree_bytes = base, .full_rounds = 1};
    int64_t really = base;
    for (auto& it : workers) {
      if (it.free_in < 0)
        it.own = it.rate > 0 ? it.own + it.rate : std::min(it.needs, it.own + 16 * kMiB);
      really += it.own;
      if (it.free_in >= 0) continue;  // whoever judges is not told of it
      sample.workers.push_back({.worker = it.id, .own_bytes = it.own});
      sample.tree_bytes += it.own;
    }
    peak = std::max(peak, really);
    for (auto& it : workers) {
      if (it.free_in > 0 && --it.free_in == 0) it = {.id = next_id++, .needs = it.needs};
    }
    auto found = runaways.Judge(sample, usual, kPatience, now_ns);
    for (auto& it : workers) {
      if (std::ranges::find(found.end, it.id) == found.end.end()) continue;
      it.free_in = 5;
      ++(it.rate > 0 ? guilty_ended : innocents_ended);
    }
    return found;
  }

  TreeLimit limit;
  int64_t usual;
  int64_t base;
  RunawayWorkers runaways;
  std::vector<Simulated> workers;
  uint64_t next_id = 1;
  int64_t now_ns = 0;
  int64_t peak = 0;
  int guilty_ended = 0;
  int innocents_ended = 0;
};

class RunawayJobs : public testing::TestWithParam<int> {};

TEST_P(RunawayJobs, StayNearTheLimitWhoeverTakesMemory) {
  const int workers = GetParam();
  const TreeLimit limit{.bytes = 8192 * kMiB, .end_bytes = 10240 * kMiB, .name = "--memory-limit"};
  std::set<int> counts = {1, workers / 2, workers};
  counts.erase(0);
  for (const int hogs : counts) {
    World world(limit, 16 * kMiB, 200 * kMiB);
    // What all of them take while one look is taken and one that is ended goes: an eighth.
    for (int i = 0; i < workers; ++i) {
      world.Add(i < hogs ? limit.bytes / 48 / hogs + i * 1000 : 0, 8 * kMiB);
    }
    for (int look = 0; look < 5000; ++look) world.Look();
    EXPECT_EQ(world.guilty_ended, hogs) << hogs << " of " << workers;
    EXPECT_EQ(world.innocents_ended, 0) << hogs << " of " << workers;
    EXPECT_GT(world.peak, limit.bytes);
    EXPECT_LT(world.peak, limit.bytes * 3 / 2) << hogs << " of " << workers;
  }
}

TEST_P(RunawayJobs, OfAModelThatNeedsMoreThanTheLimitEndNobody) {
  const int workers = GetParam();
  const TreeLimit limit{.bytes = 500 * kMiB, .end_bytes = 625 * kMiB, .name = "--memory-limit"};
  // Its warm-up took as much as a worker does, and every worker takes half as much again.
  World world(limit, 600 * kMiB, 900 * kMiB);
  for (int i = 0; i < workers; ++i) world.Add(0, 900 * kMiB);
  for (int look = 0; look < 1000; ++look) {
    const auto found = world.Look();
    ASSERT_FALSE(found.explains) << "workers are to be given up, as ever";
    ASSERT_TRUE(found.retire.empty());
  }
  EXPECT_EQ(world.innocents_ended, 0);
  EXPECT_GT(world.peak, limit.end_bytes);
}

INSTANTIATE_TEST_SUITE_P(Of, RunawayJobs, testing::Values(1, 2, 3, 8, 64),
                         [](const auto& it) { return std::to_string(it.param) + "Workers"; });

}  // namespace
}  // namespace consort
