// Which numbers of workers are tried.
#include <gtest/gtest.h>

#include "supervisor/adapt/worker_counts.h"

namespace consort {
namespace {

using Counts = std::vector<int>;

Counts Challengers(int start, int cpus) { return ListWorkerCounts(start, cpus).challengers; }

TEST(WorkerCounts, OfFewCoresWithoutSiblingsThereIsNothingToTry) {
  for (const int cores : {1, 2, 3}) {
    EXPECT_EQ(Challengers(cores, cores), Counts{}) << cores;
    EXPECT_EQ(ListWorkerCounts(cores, cores).most(), cores);
  }
}

TEST(WorkerCounts, SiblingsAreTriedFirst) {
  EXPECT_EQ(Challengers(1, 2), Counts{2});
  EXPECT_EQ(Challengers(2, 4), Counts{4});
  EXPECT_EQ(Challengers(8, 16), (Counts{16, 6, 4}));
  EXPECT_EQ(ListWorkerCounts(8, 16).most(), 16);
}

TEST(WorkerCounts, OfFourCoresAndMoreFewerAreTried) {
  EXPECT_EQ(Challengers(4, 4), (Counts{3, 2}));
  EXPECT_EQ(Challengers(5, 5), (Counts{4, 3}));
  EXPECT_EQ(Challengers(128, 128), (Counts{96, 64}));
  EXPECT_EQ(ListWorkerCounts(5, 5).most(), 5);
}

TEST(WorkerCounts, AreAllDifferentAndFewerOnesGoDown) {
  for (int start = 1; start < 300; ++start) {
    for (const int cpus : {start, start + 1, 2 * start}) {
      const auto counts = ListWorkerCounts(start, cpus);
      int last = counts.most() + 1;
      for (const int it : counts.challengers) {
        EXPECT_LT(it, last) << start << ' ' << cpus;
        EXPECT_NE(it, start);
        EXPECT_GE(it, 1);
        last = it;
      }
    }
  }
}

}  // namespace
}  // namespace consort
