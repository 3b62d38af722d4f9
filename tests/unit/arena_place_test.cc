// Where an arena's pages lie: huge pages, NUMA nodes. Calls about nodes are faked but for the last
// tests, which ask the kernel about the one node that every machine has.
#include <gtest/gtest.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "bundle_folder.h"
#include "shared/arena/arena.h"
#include "shared/arena/huge_window.h"
#include "shared/arena/reserve.h"

namespace consort {
namespace {

// Two huge pages and a bit.
std::string ManyWeights() {
  std::string bytes((4 << 20) + 1000 * 64, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
  return bytes;
}

class FakePolicy : public MemoryPolicy {
 public:
  int Set(void*, size_t bytes, Mode mode, int node) override {
    calls.push_back(std::string(mode == Mode::kBind ? "bind " : "prefer ") + std::to_string(node));
    bytes_set = bytes;
    return set_errno;
  }
  int NodeOf(void*) override {
    return page_nodes.empty() ? -EPERM : page_nodes[asked++ % page_nodes.size()];
  }
  int64_t AvailableBytes(int) override { return available; }

  int set_errno = 0;
  int64_t available = int64_t{64} << 30;
  std::vector<int> page_nodes = {1};  // in turn; empty: asking is not permitted
  std::vector<std::string> calls;
  size_t bytes_set = 0;
  size_t asked = 0;
};

class ArenaPlacing : public testing::Test {
 protected:
  void SetUp() override {
    weights_ = ManyWeights();
    folder_.WriteAll(weights_);
    auto bundle = LoadBundle(folder_.path());
    ASSERT_TRUE(bundle) << bundle.error().Sentence();
    bundle_ = std::move(bundle).value();
  }
  Arena Fill(const ArenaPlace& place, MemoryPolicy& policy, int like = -1) {
    auto arena = FillArena(bundle_, place, like, policy);
    EXPECT_TRUE(arena) << arena.error().Sentence();
    return arena ? std::move(arena).value() : Arena{};
  }
  void ExpectWeights(const Arena& arena) {
    const auto view = ArenaView::Map(arena.memfd.get(), bundle_.weights.bytes);
    ASSERT_TRUE(view) << view.error().Sentence();
    ASSERT_EQ(view.value().size(), static_cast<int64_t>(weights_.size()));
    EXPECT_EQ(memcmp(view.value().data(), weights_.data(), weights_.size()), 0);
  }
  std::string weights_;
  BundleFolder folder_;
  Bundle bundle_;
};

TEST_F(ArenaPlacing, AnywhereSetsNoPolicy) {
  FakePolicy policy;
  const Arena arena = Fill({}, policy);
  EXPECT_TRUE(policy.calls.empty());
  EXPECT_EQ(policy.asked, 0U);
  ExpectWeights(arena);
}

TEST_F(ArenaPlacing, OnANodeBindsTheWholeFileAndThenOnlyPrefersIt) {
  FakePolicy policy;
  const Arena arena = Fill({.node = 1, .cpus = {}}, policy);
  EXPECT_EQ(policy.calls, (std::vector<std::string>{"bind 1", "prefer 1"}));
  EXPECT_GE(policy.bytes_set, weights_.size());
  EXPECT_GT(policy.asked, 10U);
  EXPECT_EQ(arena.warning, "");
  ExpectWeights(arena);
}

TEST_F(ArenaPlacing, OnAFullNodeOnlyPrefersIt) {
  FakePolicy policy;
  policy.available = 1 << 20;
  Fill({.node = 1, .cpus = {}}, policy);
  EXPECT_EQ(policy.calls, (std::vector<std::string>{"prefer 1", "prefer 1"}));
}

TEST_F(ArenaPlacing, PagesOnAnotherNodeAreAWarningNoError) {
  FakePolicy policy;
  policy.page_nodes = {1, 0, 1, 1};
  const Arena arena = Fill({.node = 1, .cpus = {}}, policy);
  EXPECT_TRUE(arena.warning.starts_with("25% of the weights for NUMA node 1 lie on another node"))
      << arena.warning;
  ExpectWeights(arena);
}

TEST_F(ArenaPlacing, WithoutPermissionItIsFilledAllTheSameAndTheAffinityIsAsBefore) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  int last = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &before)) last = cpu;
  }
  FakePolicy policy;
  policy.set_errno = EPERM;
  policy.page_nodes = {};
  const Arena arena = Fill({.node = 1, .cpus = {last}}, policy);
  EXPECT_EQ(policy.calls, std::vector<std::string>{"bind 1"});
  EXPECT_EQ(arena.warning, "");  // what cannot be asked is not complained about
  ExpectWeights(arena);
  cpu_set_t after;
  ASSERT_EQ(sched_getaffinity(0, sizeof(after), &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
}

TEST_F(ArenaPlacing, WithoutNumaInTheKernelIsAnywhere) {
  FakePolicy policy;
  policy.set_errno = ENOSYS;
  policy.page_nodes = {};
  ExpectWeights(Fill({.node = 0, .cpus = {}}, policy));
}

TEST_F(ArenaPlacing, ASecondArenaIsCopiedFromTheFirst) {
  FakePolicy policy;
  const Arena first = Fill({.node = 1, .cpus = {}}, policy);
  std::filesystem::remove(folder_.File("weights.bin"));
  const Arena second = Fill({.node = 1, .cpus = {}}, policy, first.memfd.get());
  ExpectWeights(second);
  const char byte = 1;
  EXPECT_EQ(pwrite(second.memfd.get(), &byte, 1, 0), -1);  // sealed as the first
}

TEST_F(ArenaPlacing, TheViewBeginsAtAHugePage) {
  FakePolicy policy;
  const Arena arena = Fill({}, policy);
  const auto view = ArenaView::Map(arena.memfd.get(), bundle_.weights.bytes).value();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(view.data()) % static_cast<uintptr_t>(kHugePageBytes), 0U);
}

TEST_F(ArenaPlacing, ItsMemoryIsWholeHugePages) {
  EXPECT_EQ(ArenaFileBytes(bundle_.weights.bytes), 3 * kHugePageBytes);
  EXPECT_EQ(ArenaFileBytes(3 << 20), 3 << 20);  // small: as it is
  EXPECT_EQ(ArenaFileBytes(0), 0);
}

int64_t OwnKb(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key + ":")) return std::stoll(line.substr(key.size() + 1));
  }
  return 0;
}

TEST_F(ArenaPlacing, FillingGrowsTheResidentMemoryByNoWeights) {
  weights_ = std::string(128 << 20, 'w');
  folder_.WriteAll(weights_);
  weights_.clear();
  weights_.shrink_to_fit();
  bundle_ = LoadBundle(folder_.path()).value();
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak begins anew
  const int64_t before = OwnKb("/proc/self/status", "VmRSS");
  FakePolicy policy;
  const Arena arena = Fill({.node = 1, .cpus = {}}, policy);
  EXPECT_LT(OwnKb("/proc/self/status", "VmHWM"), before + (40 << 10));
}

TEST_F(ArenaPlacing, HugePagesAreUsedWhereTheKernelGivesThem) {
  if (!GivesHugePages()) GTEST_SKIP() << "this kernel gives no huge pages for shared memory";
  FakePolicy policy;
  const Arena arena = Fill({}, policy);
  const auto view = ArenaView::Map(arena.memfd.get(), bundle_.weights.bytes).value();
  volatile char sum = 0;
  for (int64_t at = 0; at < view.size(); at += 4096) {
    sum = static_cast<char>(sum + static_cast<char>(view.data()[at]));
  }
  std::ifstream smaps("/proc/self/smaps");
  bool inside = false;
  int64_t huge_kb = 0;
  for (std::string line; std::getline(smaps, line);) {
    if (line.find('-') < line.find(' ')) {
      inside = line.find("memfd:consort-weights") != std::string::npos;
    }
    if (inside && line.starts_with("ShmemPmdMapped:")) huge_kb += std::stoll(line.substr(15));
  }
  EXPECT_GE(huge_kb, 4 << 10);
}

// Node 0 by the kernel itself.
TEST_F(ArenaPlacing, TheKernelKeepsThePolicyWithTheFileAndTellsWherePagesLie) {
  MemoryPolicy policy;
  int mode = -1;
  if (syscall(SYS_get_mempolicy, &mode, nullptr, 0, nullptr, 0) != 0) {
    GTEST_SKIP() << "no NUMA calls here: " << strerror(errno);
  }
  EXPECT_GT(policy.AvailableBytes(0), 0);
  const Arena arena = Fill({.node = 0, .cpus = {}}, policy);
  EXPECT_EQ(arena.warning, "");
  ExpectWeights(arena);
  const auto view = ArenaView::Map(arena.memfd.get(), bundle_.weights.bytes).value();
  volatile std::byte touched = view.data()[0];
  (void)touched;
  auto* page = const_cast<std::byte*>(view.data());
  EXPECT_EQ(policy.NodeOf(page), 0);
  unsigned long nodes[16] = {};
  ASSERT_EQ(syscall(SYS_get_mempolicy, &mode, nodes, 1024UL, page, 2 /* MPOL_F_ADDR */), 0);
  EXPECT_EQ(mode, MPOL_PREFERRED);
  EXPECT_EQ(nodes[0], 1UL);
}

// Nodes of this machine that have memory.
std::vector<int> MemoryNodes() {
  std::vector<int> nodes;
  MemoryPolicy policy;
  for (int node = 0; node < 64; ++node) {
    if (policy.AvailableBytes(node) > 0) nodes.push_back(node);
  }
  return nodes;
}

TEST_F(ArenaPlacing, OnAMachineOfManyNodesEveryPageLiesWhereItShould) {
  const auto nodes = MemoryNodes();
  if (nodes.size() < 2) GTEST_SKIP() << "this machine has one node with memory";
  MemoryPolicy policy;
  int like = -1;
  std::vector<Arena> arenas;
  for (const int node : nodes) {
    arenas.push_back(Fill({.node = node, .cpus = {}}, policy, like));
    like = arenas.front().memfd.get();
    EXPECT_EQ(arenas.back().warning, "");
    const auto view = ArenaView::Map(arenas.back().memfd.get(), bundle_.weights.bytes).value();
    ASSERT_EQ(memcmp(view.data(), weights_.data(), weights_.size()), 0);
    for (int64_t at = 0; at < view.size(); at += 4096) {
      ASSERT_EQ(policy.NodeOf(const_cast<std::byte*>(view.data() + at)), node) << at;
    }
  }
}

TEST_F(ArenaPlacing, OnAMachineWithASmallNodeWhatDoesNotFitLiesElsewhere) {
  MemoryPolicy policy;
  const auto nodes = MemoryNodes();
  const auto least = std::ranges::min_element(
      nodes, {}, [&policy](int node) { return policy.AvailableBytes(node); });
  if (nodes.size() < 2 || policy.AvailableBytes(*least) > (1 << 30)) {
    GTEST_SKIP() << "this machine has no second node of less than 1 GiB";
  }
  bundle_.weights.bytes = policy.AvailableBytes(*least) + (64 << 20);
  weights_ = std::string(static_cast<size_t>(bundle_.weights.bytes), 'w');
  bundle_.weights.sha256 = Sha256OfText(weights_);
  folder_.Write("weights.bin", weights_);
  weights_.clear();
  weights_.shrink_to_fit();
  const Arena arena = Fill({.node = *least, .cpus = {}}, policy);
  EXPECT_NE(arena.warning.find("lie on another node"), std::string::npos) << arena.warning;
}

TEST_F(ArenaPlacing, ANodeThatIsNotThereIsNoError) {
  MemoryPolicy policy;
  EXPECT_EQ(policy.AvailableBytes(1000), -1);
  const Arena arena = Fill({.node = 1000, .cpus = {0}}, policy);
  ExpectWeights(arena);
}

}  // namespace
}  // namespace consort
