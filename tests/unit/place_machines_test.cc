// Whole placements on machines of all shapes.
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>

#include "fixture_root.h"
#include "supervisor/place/cpu_load.h"
#include "supervisor/place/fit_quota.h"
#include "supervisor/place/placement.h"
#include "supervisor/place/words.h"
#include "synthetic_machine.h"

namespace consort {
namespace {

using Cpus = std::vector<int>;

constexpr int64_t kMiB = 1 << 20;

std::map<int, int> WorkersOfNode(const Placement& placement) {
  std::map<int, int> count;  // by the node's os index
  for (const auto& worker : placement.workers) {
    ++count[placement.nodes[static_cast<size_t>(worker.node)].os_index];
  }
  return count;
}

std::set<int> EngineCpus(const Placement& placement) {
  std::set<int> cpus;
  for (const auto& worker : placement.workers) cpus.insert(worker.cpus.begin(), worker.cpus.end());
  return cpus;
}

std::set<int> EngineCores(const Machine& machine, const Placement& placement) {
  const auto used = EngineCpus(placement);
  std::set<int> cores;
  for (const Cpu& cpu : machine.cpus) {
    if (used.contains(cpu.os_index)) cores.insert(cpu.core);
  }
  return cores;
}

// Memory of the NUMANode with that number becomes nothing.
void TakeMemory(std::string& xml, int os_index) {
  const std::regex node("(<object type=\"NUMANode\" os_index=\"" + std::to_string(os_index) +
                        "\"[^>]*local_memory=\")[0-9]+");
  ASSERT_TRUE(std::regex_search(xml, node)) << xml;
  xml = std::regex_replace(xml, node, "$010");
}

TEST(Placements, TwoSocketsOf64CoresWithSmtHaveAWorkerForEachCore) {
  const Machine machine = Topology("package:2 [numa] core:64 pu:2").Read();
  const Placement placement = Place(machine, {});
  EXPECT_EQ(placement.split.workers, 128);
  EXPECT_EQ(WorkersOfNode(placement), (std::map<int, int>{{0, 64}, {1, 64}}));
  EXPECT_EQ(EngineCores(machine, placement).size(), 128U);
  ASSERT_EQ(placement.nodes.size(), 2U);
  EXPECT_EQ(placement.nodes[1].cpus.size(), 128U);
  ASSERT_EQ(placement.arenas.size(), 2U);
  EXPECT_EQ(placement.arenas[0].memory_node, 0);
  EXPECT_EQ(placement.arenas[1].memory_node, 1);
  EXPECT_EQ(placement.nodes[1].arena, 1U);
  EXPECT_TRUE(placement.warnings.empty());
}

TEST(Placements, FourNodesHaveFourTemplatesAndArenas) {
  const Placement placement = Place(Topology("numa:4 core:8 pu:1").Read(), {});
  EXPECT_EQ(WorkersOfNode(placement), (std::map<int, int>{{0, 8}, {1, 8}, {2, 8}, {3, 8}}));
  EXPECT_EQ(placement.arenas.size(), 4U);
}

TEST(Placements, NodesWithoutAWorkerHaveNeitherTemplateNorArena) {
  const Placement placement =
      Place(Topology("numa:4 core:8 pu:1").Read(), {.workers = 2, .engines = 1, .need = {}});
  EXPECT_EQ(placement.nodes.size(), 2U);
  EXPECT_EQ(placement.arenas.size(), 2U);
}

TEST(Placements, UnevenNodesAreFilledToTheirSize) {
  Topology topology("numa:3 core:43 pu:1");
  const Machine machine = topology.Only("0-127").Edit([](std::string&) {}).Read();
  ASSERT_EQ(machine.usable_cores, 128);
  const Placement placement = Place(machine, {});
  EXPECT_EQ(WorkersOfNode(placement), (std::map<int, int>{{0, 43}, {1, 43}, {2, 42}}));
  EXPECT_EQ(EngineCpus(placement).size(), 128U);
}

TEST(Placements, CoresOfANodeWithoutSmtCountAsMuchAsThoseWithIt) {
  // Node 0: four cores of two CPUs; node 1: four cores, of each one CPU is usable.
  const Machine machine = Topology("numa:2 core:4 pu:2").Read("0-7,8,10,12,14");
  const Placement placement = Place(machine, {});
  EXPECT_EQ(WorkersOfNode(placement), (std::map<int, int>{{0, 4}, {1, 4}}));
  EXPECT_EQ(EngineCores(machine, placement).size(), 8U);
}

TEST(Placements, ANodeWithoutMemoryUsesTheNearestOnes) {
  Topology topology("numa:4 core:2 pu:1");
  const Machine machine = topology.Edit([](std::string& xml) { TakeMemory(xml, 2); }).Read();
  ASSERT_EQ(machine.nodes.size(), 4U);
  EXPECT_EQ(machine.memory_nodes, 3);
  EXPECT_EQ(machine.nodes[2].memory_node, 1);
  const Placement placement = Place(machine, {});
  EXPECT_EQ(placement.nodes.size(), 4U);
  ASSERT_EQ(placement.arenas.size(), 3U);
  EXPECT_EQ(placement.nodes[2].arena, placement.nodes[1].arena);
}

TEST(Placements, TheFirmwaresDistancesSayWhichMemoryIsNearest) {
  Topology topology("numa:4 core:2 pu:1");
  topology.Edit([](std::string& xml) { TakeMemory(xml, 0); });
  std::vector<hwloc_obj_t> nodes;
  for (unsigned i = 0; i < 4; ++i) {
    nodes.push_back(hwloc_get_obj_by_type(topology.get(), HWLOC_OBJ_NUMANODE, i));
  }
  std::vector<hwloc_uint64_t> values(16, 20);
  for (size_t i = 0; i < 4; ++i) values[i * 5] = 10;
  values[3] = values[12] = 12;  // 0 and 3 are neighbours
  const auto handle = hwloc_distances_add_create(
      topology.get(), "NUMALatency",
      HWLOC_DISTANCES_KIND_FROM_OS | HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0);
  ASSERT_NE(handle, nullptr);
  ASSERT_EQ(hwloc_distances_add_values(topology.get(), handle, 4, nodes.data(), values.data(), 0),
            0);
  ASSERT_EQ(hwloc_distances_add_commit(topology.get(), handle, 0), 0);
  EXPECT_EQ(topology.Read().nodes[0].memory_node, 3);
}

TEST(Placements, ANodeThatHwlocLeavesOutIsFoundInTheKernelsFiles) {
  // As hwloc has an x86 machine whose node 2 has no memory: its CPUs are local to no node.
  Topology topology("numa:3 core:2 pu:1");
  topology.Edit([](std::string& xml) {
    const std::regex node(
        "<object type=\"NUMANode\" os_index=\"2\"[^>]*/>|"
        "<object type=\"NUMANode\" os_index=\"2\"[^>]*>[^]*?</object>");
    ASSERT_TRUE(std::regex_search(xml, node)) << xml;
    xml = std::regex_replace(xml, node, "");
    xml = std::regex_replace(xml, std::regex("nodeset=\"0x00000004\""), "nodeset=\"0x0\"");
    xml = std::regex_replace(xml, std::regex("nodeset=\"0x00000007\""), "nodeset=\"0x00000003\"");
  });
  FixtureRoot root;
  root.Write("/sys/devices/system/cpu/cpu4/node2/cpulist", "4-5\n");
  root.Write("/sys/devices/system/cpu/cpu5/node2/cpulist", "4-5\n");
  root.Write("/sys/devices/system/node/online", "0-2\n");
  root.Write("/sys/devices/system/node/node2/distance", "12 30 10\n");
  MachineLimits limits;
  limits.root = root.path();
  const Machine machine = topology.Read("", limits);
  ASSERT_EQ(machine.nodes.size(), 3U);
  EXPECT_EQ(machine.nodes[2].os_index, 2);
  EXPECT_EQ(machine.nodes[2].memory_node, 0);  // by distance; by number it would be node 1
  EXPECT_EQ(machine.nodes[1].memory_node, 1);
  EXPECT_EQ(machine.memory_nodes, 2);
}

TEST(Placements, ANodeWithoutCpusIsNotUsed) {
  Topology topology("numa:3 core:2 pu:1");
  const Placement placement = Place(topology.Read("0-1,4-5"), {});
  EXPECT_EQ(WorkersOfNode(placement), (std::map<int, int>{{0, 2}, {2, 2}}));
  EXPECT_EQ(placement.arenas[1].memory_node, 2);
}

TEST(Placements, AMaskWithinOneOfManyNodesBindsItsMemoryThere) {
  const Placement placement = Place(Topology("numa:2 core:4 pu:2").Read("8-15"), {});
  ASSERT_EQ(placement.arenas.size(), 1U);
  EXPECT_EQ(placement.arenas[0].memory_node, 1);
  EXPECT_EQ(placement.nodes[0].cpus, (Cpus{8, 10, 12, 14, 9, 11, 13, 15}));
}

TEST(Placements, OneNodeIsLeftAsItIs) {
  const Placement placement = Place(Topology("core:8 pu:2").Read(), {});
  ASSERT_EQ(placement.arenas.size(), 1U);
  EXPECT_EQ(placement.arenas[0].memory_node, -1);
  EXPECT_TRUE(placement.nodes[0].cpus.empty());
}

TEST(Placements, HybridCpusUseFastCoresFirstAndSiblingsLast) {
  // CPUs 0-7: four fast cores of two; 8-11: slow ones without siblings, as one such core's other
  // CPU is left out.
  Topology topology("core:8 pu:2");
  topology.Only("0-7,8,10,12,14").Kind("0-7", 9).Kind("8,10,12,14", 1);
  const Machine machine = topology.Read();
  EXPECT_EQ(machine.kinds, 2);
  EXPECT_EQ(machine.nodes[0].cpus, (Cpus{0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7}));
  EXPECT_EQ(Place(machine, {}).split.workers, 8);
  EXPECT_EQ(topology.Read("8,10").kinds, 1);
}

TEST(Placements, HybridCpusWithTheSlowOnesFirstInNumberUseFastOnesFirst) {
  Topology topology("core:4 pu:1");
  topology.Kind("0-1", 1).Kind("2-3", 5);
  EXPECT_EQ(topology.Read().nodes[0].cpus, (Cpus{2, 3, 0, 1}));
}

// ---- places for more workers than there are at first ----

TEST(SparePlaces, AreTheSiblingsAndChangeNothingElse) {
  const Machine machine = Topology("package:2 [numa] core:4 pu:2").Read();
  const Placement plain = Place(machine, {});
  const Placement placement =
      Place(machine, {.workers = {}, .engines = {}, .need = {}, .spare = true});
  EXPECT_TRUE(plain.spare.empty());
  EXPECT_EQ(placement.split.workers, 8);
  ASSERT_EQ(placement.workers.size(), plain.workers.size());
  for (size_t i = 0; i < plain.workers.size(); ++i) {
    EXPECT_EQ(placement.workers[i].cpus, plain.workers[i].cpus);
    EXPECT_EQ(placement.workers[i].node, plain.workers[i].node);
  }
  EXPECT_EQ(placement.nodes.size(), plain.nodes.size());
  EXPECT_EQ(placement.arenas.size(), plain.arenas.size());
  EXPECT_EQ(placement.need_bytes, plain.need_bytes);
  ASSERT_EQ(placement.spare.size(), 8U);
  auto cpus = EngineCpus(placement);
  for (const auto& place : placement.spare) {
    EXPECT_TRUE(cpus.insert(place.cpus.at(0)).second) << "each has a CPU of its own";
  }
  EXPECT_EQ(cpus.size(), 16U);
}

TEST(SparePlaces, AndFewerWorkersAreSpreadEvenlyOverNodes) {
  Topology topology("numa:3 core:43 pu:2");
  const Machine machine = topology.Read();
  const Placement placement =
      Place(machine, {.workers = {}, .engines = {}, .need = {}, .spare = true});
  ASSERT_EQ(placement.workers.size(), 129U);
  ASSERT_EQ(placement.spare.size(), 129U);
  std::map<int, int> count;
  for (const auto& place : placement.spare) ++count[place.node];
  EXPECT_EQ(count, (std::map<int, int>{{0, 43}, {1, 43}, {2, 43}}));
  // Whatever number of them works, it is the first so many.
  for (const size_t workers : {64, 96}) {
    std::map<int, size_t> first;
    for (size_t i = 0; i < workers; ++i) ++first[placement.workers[i].node];
    for (const auto& [node, of_node] : first) {
      EXPECT_LE(of_node, workers / 3 + 1) << node;
      EXPECT_GE(of_node, workers / 3) << node;
    }
  }
}

TEST(SparePlaces, AreNotThereWithoutCpusOrMemoryForAllOfThem) {
  const auto spare = [](const Machine& machine, int64_t engine_bytes,
                        std::optional<int> workers = {}) {
    return Place(machine, {.workers = workers,
                           .engines = {},
                           .need = {.engine_bytes = engine_bytes},
                           .spare = true})
        .spare.size();
  };
  EXPECT_EQ(spare(Topology("core:8 pu:1").Read(), 0), 0U);
  EXPECT_EQ(spare(FitToQuota(Topology("core:4 pu:2").Read("", QuotaOf(2)), {}), 0), 0U);
  EXPECT_EQ(spare(Topology("core:4 pu:2").Read(), 0, 16), 0U) << "more than there are CPUs";
  MachineLimits limits;
  limits.memory_bytes = 800 * kMiB;
  const Machine machine = Topology("core:4 pu:2").Read("", limits);
  EXPECT_EQ(spare(machine, 100 * kMiB), 4U);
  EXPECT_EQ(spare(machine, 101 * kMiB), 0U) << "room for seven";
  EXPECT_EQ(spare(machine, 250 * kMiB), 0U) << "and not even for four";
}

TEST(QuotaChoice, OfTwoAndAHalfCpusIsThreeCoresOfOneNode) {
  const Machine machine =
      FitToQuota(Topology("package:2 [numa] core:4 pu:2").Read("", QuotaOf(2.5)), {});
  const Placement placement = Place(machine, {});
  EXPECT_EQ(placement.split.workers, 3);
  EXPECT_EQ(placement.arenas.size(), 1U);
  EXPECT_EQ(EngineCpus(placement), (std::set<int>{0, 2, 4}));
  EXPECT_EQ(placement.nodes[0].cpus.size(), 8U);  // its template stays on the node
}

TEST(QuotaChoice, InAContainerOnNodeOneStaysThere) {
  const Machine machine =
      FitToQuota(Topology("package:2 [numa] core:4 pu:2").Read("8-15", QuotaOf(2.5)), {});
  const Placement placement = Place(machine, {});
  EXPECT_EQ(EngineCpus(placement), (std::set<int>{8, 10, 12}));
  ASSERT_EQ(placement.arenas.size(), 1U);
  EXPECT_EQ(placement.arenas[0].memory_node, 1);
}

TEST(QuotaChoice, AvoidsCoresAndNodesThatAreBusy) {
  const Machine machine = Topology("package:2 [numa] core:4 pu:2").Read("", QuotaOf(2.5));
  // A sibling's work makes a core busy, too.
  const auto one_core = EngineCpus(Place(FitToQuota(machine, {{1, 0.9}, {4, 0.1}}), {}));
  EXPECT_EQ(one_core, (std::set<int>{2, 4, 6}));
  const auto half_a_node = EngineCpus(Place(FitToQuota(machine, {{0, 1.0}, {2, 1.0}}), {}));
  EXPECT_EQ(half_a_node, (std::set<int>{8, 10, 12}));
  std::map<int, double> all;
  for (int cpu = 0; cpu < 16; ++cpu) all[cpu] = 1.0;
  EXPECT_EQ(EngineCpus(Place(FitToQuota(machine, all), {})), (std::set<int>{0, 2, 4}));
}

TEST(QuotaChoice, PrefersCoresOfTwoNodesToSiblingsOfOne) {
  const Machine machine =
      FitToQuota(Topology("package:4 [numa] core:4 pu:2").Read("", QuotaOf(6)), {});
  const Placement placement = Place(machine, {});
  EXPECT_EQ(placement.split.workers, 6);
  EXPECT_EQ(placement.nodes.size(), 2U);
  EXPECT_EQ(EngineCores(machine, placement).size(), 6U);
}

TEST(QuotaChoice, BeyondAllCpusChangesNothing) {
  const Machine machine = Topology("numa:2 core:2 pu:1").Read("", QuotaOf(8));
  EXPECT_FALSE(machine.QuotaBinds());
  EXPECT_EQ(FitToQuota(machine, {{0, 1.0}}).nodes[0].cpus, machine.nodes[0].cpus);
}

Machine WithMemory(const std::string& description, int64_t machine_mib, int64_t limit_mib) {
  MachineLimits limits;
  limits.memory_bytes = machine_mib * kMiB;
  if (limit_mib > 0) limits.memory = MemoryLimit{limit_mib * kMiB, "/memory.max"};
  return Topology(description).Read("", limits);
}

constexpr MemoryNeed kNeed = {.weights_bytes = 300 * kMiB,
                              .common_bytes = 50 * kMiB,
                              .template_bytes = 100 * kMiB,
                              .engine_bytes = 50 * kMiB};

TEST(MemoryChoice, ALimitReducesTheAutomaticSplitAndSaysSo) {
  const Machine machine = WithMemory("core:16 pu:1", 64 << 10, 700);
  const Placement placement = Place(machine, {.workers = {}, .engines = {}, .need = kNeed});
  EXPECT_EQ(placement.split.workers, 5);
  EXPECT_EQ(placement.warnings,
            std::vector<std::string>{
                "the memory limit of 700 MiB (/memory.max) has room for 5 workers instead of 16: "
                "consort and its template take about 150 MiB, the weights 300 MiB, which leaves "
                "250 MiB for workers of about 50.0 MiB; -p sets another number"});
  EXPECT_EQ(placement.need_bytes, 700 * kMiB);
}

TEST(MemoryChoice, ALimitLeavesANumberThatAPersonChose) {
  const Machine machine = WithMemory("core:16 pu:1", 64 << 10, 700);
  const Placement placement = Place(machine, {.workers = 16, .engines = {}, .need = kNeed});
  EXPECT_EQ(placement.split.workers, 16);
  EXPECT_TRUE(placement.warnings.empty());
}

TEST(MemoryChoice, ALimitTooSmallForOneWorkerIsAWarningAndOneWorker) {
  const Machine machine = WithMemory("core:16 pu:1", 64 << 10, 200);
  const Placement placement = Place(machine, {.workers = {}, .engines = {}, .need = kNeed});
  EXPECT_EQ(placement.split.workers, 1);
  ASSERT_EQ(placement.warnings.size(), 1U);
  EXPECT_EQ(placement.warnings[0],
            "the memory limit of 200 MiB (/memory.max) may be too little for even one worker: "
            "consort and its template take about 150 MiB, the weights 300 MiB, a worker 50.0 MiB, "
            "500 MiB in all");
}

TEST(MemoryChoice, SaysNothingOfWeightsWhereThereAreNone) {
  MemoryNeed need = kNeed;
  need.weights_bytes = 0;
  const Machine machine = WithMemory("core:16 pu:1", 64 << 10, 205);
  const Placement placement = Place(machine, {.workers = {}, .engines = {}, .need = need});
  EXPECT_EQ(placement.warnings,
            std::vector<std::string>{
                "the memory limit of 205 MiB (/memory.max) has room for 1 worker instead of 16: "
                "consort and its template take about 150 MiB, which leaves 55.0 MiB for workers "
                "of about 50.0 MiB; -p sets another number"});
}

TEST(MemoryChoice, ALimitLargerThanTheMachineIsNone) {
  EXPECT_FALSE(WithMemory("core:16 pu:1", 1 << 10, 2 << 10).memory_limit);
}

TEST(MemoryChoice, EnginesOfAWorkerCountEach) {
  const Machine machine = WithMemory("core:16 pu:1", 64 << 10, 700);
  const Placement placement = Place(machine, {.workers = {}, .engines = 4, .need = kNeed});
  EXPECT_EQ(placement.split.workers, 1);
}

TEST(MemoryChoice, WithoutRoomForWeightsOnEachNodeTheyAreHeldOnce) {
  const Machine machine = WithMemory("numa:4 core:2 pu:1", 64 << 10, 1300);
  const Placement placement = Place(machine, {.workers = {}, .engines = {}, .need = kNeed});
  EXPECT_EQ(placement.arenas.size(), 1U);
  EXPECT_EQ(placement.nodes.size(), 4U);
  for (const auto& node : placement.nodes) EXPECT_EQ(node.arena, 0U);
  EXPECT_EQ(placement.split.workers, 8);
  ASSERT_EQ(placement.warnings.size(), 1U);
  EXPECT_NE(placement.warnings[0].find("they are held once"), std::string::npos);
}

TEST(MemoryChoice, FewerWorkersThanNodesNeedNoTemplateOnEach) {
  // Four templates and one arena leave no room for a worker, two templates do.
  const Machine machine = WithMemory("numa:4 core:2 pu:1", 64 << 10, 740);
  const Placement placement = Place(machine, {.workers = {}, .engines = {}, .need = kNeed});
  EXPECT_EQ(placement.split.workers, 2);
  EXPECT_EQ(placement.nodes.size(), 2U);
  EXPECT_EQ(placement.need_bytes, 650 * kMiB);
  ASSERT_EQ(placement.warnings.size(), 2U);
  EXPECT_NE(placement.warnings[1].find("has room for 2 workers instead of 8: consort and its "
                                       "templates take about 250 MiB, the weights 300 MiB, "),
            std::string::npos)
      << placement.warnings[1];
}

TEST(CpuLoad, IsTheBusyShareBetweenTwoLooks) {
  FixtureRoot root;
  root.Write("/proc/stat",
             "cpu  9 9 9 9 9 9 9 9\ncpu0 100 0 0 900 0 0 0 0 0 0\n"
             "cpu1 0 0 0 1000 0 0 0 0 0 0\nintr 5\n");
  const auto before = ReadCpuTimes(root.path());
  root.Write("/proc/stat",
             "cpu  9 9 9 9 9 9 9 9\ncpu0 104 1 0 900 0 0 0 0 0 0\n"
             "cpu1 0 0 0 1004 0 0 0 1 0 0\nintr 5\n");
  const auto after = ReadCpuTimes(root.path());
  EXPECT_EQ(after.at(1).stolen, 1);
  EXPECT_EQ(BusyShares(before, after), (std::map<int, double>{{0, 1.0}, {1, 0.2}}));
}

TEST(Words, CpuListsAreAsTasksetHasThem) {
  EXPECT_EQ(CpuListWords({5, 0, 1, 2}), "0-2,5");
  EXPECT_EQ(CpuListWords({}), "");
  EXPECT_EQ(ParseCpuList("0-2,5\n"), (Cpus{0, 1, 2, 5}));
  EXPECT_EQ(ParseCpuList("nonsense"), Cpus{});
  EXPECT_EQ(DecimalWords(2.5), "2.5");
  EXPECT_EQ(DecimalWords(2), "2");
}

}  // namespace
}  // namespace consort
