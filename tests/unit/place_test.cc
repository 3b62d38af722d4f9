#include <gtest/gtest.h>
#include <sched.h>

#include <map>
#include <set>

#include "supervisor/place/machine.h"
#include "supervisor/place/placement.h"
#include "synthetic_machine.h"

namespace consort {
namespace {

using Cpus = std::vector<int>;

// `mask`: hwloc's list syntax, or empty for every CPU.
Machine Synthetic(const std::string& description, const std::string& mask = "",
                  std::optional<double> quota = std::nullopt) {
  return Topology(description).Read(mask, quota ? QuotaOf(*quota) : MachineLimits{});
}

constexpr char kTwoSocketsWithSmt[] = "package:2 [numa] core:4 pu:2";

TEST(MachineOf, OneNodeUsesCoresFirstAndSiblingsLast) {
  const Machine machine = Synthetic("core:3 pu:2");
  ASSERT_EQ(machine.nodes.size(), 1U);
  EXPECT_EQ(machine.nodes[0].cpus, (Cpus{0, 2, 4, 1, 3, 5}));
  EXPECT_EQ(machine.nodes[0].cores, 3);
  EXPECT_EQ(machine.usable_cpus, 6);
  EXPECT_EQ(machine.usable_cores, 3);
}

TEST(MachineOf, TwoNodesTellsWhereEachCpuIs) {
  const Machine machine = Synthetic(kTwoSocketsWithSmt);
  ASSERT_EQ(machine.nodes.size(), 2U);
  EXPECT_EQ(machine.nodes[0].cpus, (Cpus{0, 2, 4, 6, 1, 3, 5, 7}));
  EXPECT_EQ(machine.nodes[1].cpus, (Cpus{8, 10, 12, 14, 9, 11, 13, 15}));
  EXPECT_EQ(machine.nodes[1].os_index, 1);
  EXPECT_EQ(machine.usable_cores, 8);
  const Cpu& last = machine.cpus.back();
  EXPECT_EQ(last.os_index, 15);
  EXPECT_EQ(last.core, 7);
  EXPECT_EQ(last.node, 1);
  EXPECT_EQ(last.smt_rank, 1);
}

TEST(MachineOf, AnAffinityMaskHasOnlyItsCpus) {
  const Machine machine = Synthetic(kTwoSocketsWithSmt, "3,8-11");
  ASSERT_EQ(machine.nodes.size(), 2U);
  EXPECT_EQ(machine.nodes[0].cpus, Cpus{3});
  EXPECT_EQ(machine.nodes[1].cpus, (Cpus{8, 10, 9, 11}));
  EXPECT_EQ(machine.usable_cpus, 5);
  EXPECT_EQ(machine.usable_cores, 3);
  EXPECT_EQ(machine.cpus[0].smt_rank, 0);  // the first usable one, though the core's second
}

TEST(MachineOf, AMaskThatLeavesANodeOutHasNoSuchNode) {
  const Machine machine = Synthetic(kTwoSocketsWithSmt, "8-15");
  ASSERT_EQ(machine.nodes.size(), 1U);
  EXPECT_EQ(machine.nodes[0].os_index, 1);
  EXPECT_EQ(machine.cpus[0].node, 0);
}

TEST(MachineOf, AQuotaIsRoundedUpAndBoundsCoresToo) {
  const Machine tight = Synthetic(kTwoSocketsWithSmt, "", 2.5);
  EXPECT_EQ(tight.usable_cpus, 3);
  EXPECT_EQ(tight.usable_cores, 3);
  EXPECT_EQ(tight.cpus.size(), 16U);
  EXPECT_EQ(Synthetic(kTwoSocketsWithSmt, "", 12).usable_cpus, 12);
  EXPECT_EQ(Synthetic(kTwoSocketsWithSmt, "", 12).usable_cores, 8);
  EXPECT_EQ(Synthetic(kTwoSocketsWithSmt, "", 0.1).usable_cpus, 1);
  EXPECT_EQ(Synthetic(kTwoSocketsWithSmt, "", 64).usable_cpus, 16);
}

TEST(MachineOf, NoCoresCountsEveryCpuAsOne) {
  const Machine machine = Synthetic("pu:4");
  EXPECT_EQ(machine.usable_cores, 4);
  EXPECT_EQ(machine.nodes[0].cpus, (Cpus{0, 1, 2, 3}));
}

TEST(MachineOf, ThisProcessHasTheCpusOfItsMask) {
  const auto machine = ReadMachine();
  ASSERT_TRUE(machine) << machine.error().Sentence();
  cpu_set_t mask;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(mask), &mask), 0);
  std::set<int> allowed;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &mask)) allowed.insert(i);
  }
  std::set<int> read;
  for (const Cpu& cpu : machine.value().cpus) read.insert(cpu.os_index);
  EXPECT_EQ(read, allowed);
}

TEST(MachineOf, AProcessBoundToOneCpuIsThatCpu) {
  cpu_set_t before;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(before), &before), 0);
  int last = 0;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &before)) last = i;
  }
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(last, &one);
  ASSERT_EQ(::sched_setaffinity(0, sizeof(one), &one), 0);
  const auto machine = ReadMachine();
  ::sched_setaffinity(0, sizeof(before), &before);
  ASSERT_TRUE(machine);
  EXPECT_EQ(machine.value().usable_cpus, 1);
  EXPECT_EQ(machine.value().nodes[0].cpus, Cpus{last});
}

TEST(Placing, GivesEveryEngineACoreOfItsOwnWhileThereAreSome) {
  const Machine machine = Synthetic(kTwoSocketsWithSmt);
  for (const auto& [workers, engines] :
       std::vector<std::pair<int, int>>{{8, 1}, {4, 2}, {2, 4}, {3, 1}}) {
    std::set<int> cores;
    std::map<int, int> cpu_core;
    for (const Cpu& cpu : machine.cpus) cpu_core[cpu.os_index] = cpu.core;
    const auto places = PlaceWorkers(machine, workers, engines);
    ASSERT_EQ(places.size(), static_cast<size_t>(workers));
    for (const WorkerPlace& place : places) {
      ASSERT_EQ(place.cpus.size(), static_cast<size_t>(engines));
      for (const int cpu : place.cpus) cores.insert(cpu_core[cpu]);
    }
    EXPECT_EQ(cores.size(), static_cast<size_t>(workers * engines));
  }
}

TEST(Placing, SpreadsWorkersOverNodes) {
  const auto places = PlaceWorkers(Synthetic(kTwoSocketsWithSmt), 4, 1);
  EXPECT_EQ(places[0].node, 0);
  EXPECT_EQ(places[0].cpus, Cpus{0});
  EXPECT_EQ(places[1].node, 1);
  EXPECT_EQ(places[1].cpus, Cpus{8});
  EXPECT_EQ(places[2].node, 0);
  EXPECT_EQ(places[2].cpus, Cpus{2});
  EXPECT_EQ(places[3].node, 1);
}

TEST(Placing, GivesALargerNodeMore) {
  const auto places = PlaceWorkers(Synthetic(kTwoSocketsWithSmt, "0-1,8-15"), 10, 1);
  std::map<int, int> workers;
  std::set<int> cpus;
  for (const WorkerPlace& place : places) {
    ++workers[place.node];
    cpus.insert(place.cpus[0]);
  }
  EXPECT_EQ(workers[0], 2);
  EXPECT_EQ(workers[1], 8);
  EXPECT_EQ(cpus.size(), 10U);
}

TEST(Placing, UsesSiblingsOnceCoresAreTaken) {
  const auto places = PlaceWorkers(Synthetic("core:2 pu:2"), 4, 1);
  EXPECT_EQ(places[0].cpus, Cpus{0});
  EXPECT_EQ(places[1].cpus, Cpus{2});
  EXPECT_EQ(places[2].cpus, Cpus{1});
  EXPECT_EQ(places[3].cpus, Cpus{3});
}

TEST(Placing, StartsOverWhenEnginesOutnumberCpus) {
  const auto places = PlaceWorkers(Synthetic("core:2 pu:1"), 2, 3);
  EXPECT_EQ(places[0].cpus, (Cpus{0, 1, 0}));
  EXPECT_EQ(places[1].cpus, (Cpus{1, 0, 1}));
}

TEST(Placing, KeepsAWorkerOnOneNode) {
  const auto places = PlaceWorkers(Synthetic(kTwoSocketsWithSmt), 1, 10);
  EXPECT_EQ(places[0].cpus, (Cpus{0, 2, 4, 6, 1, 3, 5, 7, 0, 2}));
}

TEST(SplitChoice, IsAWorkerOfOneEngineForEachCore) {
  const Machine machine = Synthetic(kTwoSocketsWithSmt);
  const auto choose = [&machine](std::optional<int> workers, std::optional<int> engines) {
    const Split split = ChooseSplit(machine, workers, engines);
    return std::pair(split.workers, split.engines);
  };
  EXPECT_EQ(choose(std::nullopt, std::nullopt), std::pair(8, 1));
  EXPECT_EQ(choose(3, std::nullopt), std::pair(3, 1));
  EXPECT_EQ(choose(std::nullopt, 4), std::pair(2, 4));
  EXPECT_EQ(choose(std::nullopt, 100), std::pair(1, 100));
  EXPECT_EQ(choose(40, 2), std::pair(40, 2));
}

}  // namespace
}  // namespace consort
