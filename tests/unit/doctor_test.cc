// The doctor's words, on machines that are made up.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bundle_folder.h"
#include "fixture_root.h"
#include "supervisor/doctor/checks.h"
#include "supervisor/doctor/report.h"
#include "supervisor/job/memory_need.h"
#include "supervisor/place/fit_quota.h"
#include "supervisor/place/words.h"
#include "synthetic_machine.h"

namespace consort {
namespace {

using Level = Finding::Level;

class Doctor : public testing::Test {
 protected:
  void SetUp() override {
    survey_.root = root_.path();
    survey_.worker = root_.path() + "/bin/consort-worker";
    root_.Write("/bin/consort-worker", "ELF libjemalloc.so.2");
    root_.Write(
        "/proc/cpuinfo",
        "processor\t: 0\nmodel name\t: Good CPU\nflags\t\t: fpu avx2 avx512f avx512_vnni\n");
    root_.Write("/proc/loadavg", "0.50 0.10 0.05 1/100 5\n");
    root_.Write("/proc/meminfo",
                "MemTotal:  67108864 kB\nMemFree: 1 kB\nMemAvailable: 33554432 kB\n"
                "SwapTotal: 0 kB\nSwapFree: 0 kB\n");
    survey_.gives_huge_pages = true;
    root_.Write("/proc/sys/kernel/core_pattern", "core\n");
    root_.Write("/sys/kernel/mm/transparent_hugepage/shmem_enabled",
                "always within_size advise [never] deny force\n");
    Machine("core:8 pu:1");
  }

  // What TakeSurvey does with a real one.
  void Machine(const std::string& description, const std::string& mask = "",
               MemoryNeed need = EstimateMemory()) {
    MachineLimits limits;
    limits.quota = ReadCpuQuota(root_.path());
    limits.memory = ReadMemoryLimit(root_.path());
    limits.memory_bytes = ReadMemoryBytes(root_.path());
    Topology topology(description);
    const auto all = topology.Read().cpus.size();
    root_.Write("/sys/devices/system/cpu/online", "0-" + std::to_string(all - 1) + "\n");
    survey_.machine = topology.Read(mask, limits);
    std::vector<int> cpus;
    for (const Cpu& cpu : survey_.machine.cpus) {
      cpus.push_back(cpu.os_index);
      survey_.before[cpu.os_index] = {.busy = 0, .total = 0, .stolen = 0};
      survey_.after[cpu.os_index] = {.busy = 0, .total = 20, .stolen = 0};
    }
    survey_.affinity = CpuListWords(cpus);
    survey_.used = FitToQuota(survey_.machine, {});
    survey_.placement = Place(survey_.used, {.workers = {}, .engines = {}, .need = need});
  }

  std::optional<Finding> Find(const std::string& name) {
    for (const auto& it : Examine(survey_)) {
      if (it.name == name) return it.finding;
    }
    return std::nullopt;
  }
  void Expect(const std::string& name, Level level, const std::string& found,
              const std::string& change = "") {
    const auto finding = Find(name);
    ASSERT_TRUE(finding) << name;
    EXPECT_EQ(finding->found, found);
    EXPECT_EQ(finding->level, level);
    EXPECT_EQ(finding->change, change);
  }
  std::string Text() { return TextReport(survey_, Examine(survey_)); }
  bool Says(const std::string& words) { return Text().find(words) != std::string::npos; }

  FixtureRoot root_;
  Survey survey_;
};

TEST_F(Doctor, OfAGoodMachineFindsNothingThatCosts) {
  EXPECT_FALSE(CostsSpeed(Examine(survey_))) << Text();
  EXPECT_TRUE(
      Says("machine       Good CPU, 8 CPUs; usable: 8 CPUs on 8 cores of 1 NUMA node, "
           "64.0 GiB"))
      << Text();
  EXPECT_TRUE(
      Says("\"consort run\" would use\n  8 workers with 1 engine each: one for each usable "
           "physical core\n  node 0: 8 workers on CPUs 0-7\n"))
      << Text();
  EXPECT_TRUE(Text().ends_with("\nnothing was found that costs speed\n"));
}

TEST_F(Doctor, NamesEachFindingOnce) {
  std::vector<std::string> names;
  for (const auto& row : AllChecks()) names.push_back(row.name);
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
}

TEST_F(Doctor, UnderTasksetNamesTheCpusLeftOut) {
  Machine("core:8 pu:1", "1");
  Expect("affinity", Level::kCosts, "the affinity mask has CPU 1 of 0-7",
         "taskset -c 0-7 consort run ...");
  EXPECT_TRUE(
      Says("1 worker with 1 engine each: one for each usable physical core\n"
           "  node 0: 1 worker on CPU 1\n"))
      << Text();
  EXPECT_TRUE(Says("it leaves 7 CPUs idle"));
}

TEST_F(Doctor, TellsACpusetFromAMask) {
  root_.Write("/proc/self/cgroup", "3:cpuset:/job\n");
  root_.Write("/sys/fs/cgroup/cpuset/job/cpuset.effective_cpus", "4-7\n");
  Machine("core:8 pu:1", "4-5");
  Expect("cpuset", Level::kCosts,
         "the cpuset allows CPUs 4-7 of 0-7 (/sys/fs/cgroup/cpuset/job/cpuset.effective_cpus)",
         "give the container or the batch job more CPUs (docker update --cpuset-cpus 0-7 "
         "CONTAINER)");
  Expect("affinity", Level::kCosts, "the affinity mask has CPUs 4-5 of 4-7",
         "taskset -c 4-7 consort run ...");
}

TEST_F(Doctor, OfAQuotaOfVersionOneSaysWhatKeepsItBusy) {
  root_.Write("/proc/self/cgroup", "1:cpu:/c\n");
  root_.Write("/sys/fs/cgroup/cpu/c/cpu.cfs_quota_us", "150000\n");
  root_.Write("/sys/fs/cgroup/cpu/c/cpu.cfs_period_us", "100000\n");
  Machine("core:8 pu:1");
  Expect("quota", Level::kCosts,
         "a quota of 1.5 CPUs (/sys/fs/cgroup/cpu/c/cpu.cfs_quota_us) for 8 CPUs",
         "echo -1 | sudo tee /sys/fs/cgroup/cpu/c/cpu.cfs_quota_us  (docker update --cpus 8 "
         "CONTAINER)");
  EXPECT_TRUE(
      Says("2 workers with 1 engine each: as many as the quota of 1.5 CPUs keeps busy\n"
           "  node 0: 2 workers on CPUs 0-1\n"))
      << Text();
  EXPECT_TRUE(Says("; usable: 8 CPUs on 8 cores of 1 NUMA node")) << Text();
  EXPECT_TRUE(Says("; 2 engines on one core each use it to the full")) << Text();
  root_.Write("/sys/fs/cgroup/cpu/c/cpu.cfs_quota_us", "50000\n");
  Machine("core:8 pu:1");
  EXPECT_TRUE(Says("; 1 engine uses it to the full")) << Text();
}

TEST_F(Doctor, OfAContainerWithTwoAndAHalfCpusOnNodeOneStaysThere) {
  root_.Write("/proc/self/cgroup", "0::/docker/x\n");
  root_.Write("/sys/fs/cgroup/docker/x/cpu.max", "250000 100000\n");
  root_.Write("/sys/fs/cgroup/docker/x/cpuset.cpus.effective", "8-15\n");
  Machine("package:2 [numa] core:4 pu:2", "8-15");
  Expect("quota", Level::kCosts, "a quota of 2.5 CPUs (/sys/fs/cgroup/docker/x/cpu.max) for 8 CPUs",
         "echo max | sudo tee /sys/fs/cgroup/docker/x/cpu.max  (docker update --cpus 8 CONTAINER)");
  EXPECT_EQ(Find("affinity")->level, Level::kFine);
  EXPECT_TRUE(
      Says("3 workers with 1 engine each: as many as the quota of 2.5 CPUs keeps busy\n"
           "  node 1: 3 workers on CPUs 8,10,12, weights in the memory of node 1\n"))
      << Text();
}

TEST_F(Doctor, OfAQuotaOverTwoNodesStaysOnOne) {
  root_.Write("/proc/self/cgroup", "0::/\n");
  root_.Write("/sys/fs/cgroup/cpu.max", "250000 100000\n");
  Machine("package:2 [numa] core:4 pu:2");
  EXPECT_TRUE(Says("keeps busy; on one node, so that weights and work are near each other"))
      << Text();
}

TEST_F(Doctor, OfAQuotaThatDoesNotBindHasNothingToChange) {
  root_.Write("/proc/self/cgroup", "0::/\n");
  root_.Write("/sys/fs/cgroup/cpu.max", "800000 100000\n");
  Machine("core:8 pu:1");
  Expect("quota", Level::kFine,
         "a quota of 8 CPUs (/sys/fs/cgroup/cpu.max), no fewer than may be used");
}

TEST_F(Doctor, OfAMemoryLimitSaysHowManyWorkersFit) {
  root_.Write("/proc/self/cgroup", "0::/\n");
  root_.Write("/sys/fs/cgroup/memory.max", "734003200\n");
  Machine("core:8 pu:1", "",
          {.weights_bytes = 300 << 20,
           .common_bytes = 50 << 20,
           .template_bytes = 100 << 20,
           .engine_bytes = 50 << 20});
  Expect("memory limit", Level::kCosts, "a limit of 700 MiB (/sys/fs/cgroup/memory.max)",
         "echo max | sudo tee /sys/fs/cgroup/memory.max  (docker update --memory SIZE CONTAINER)");
  EXPECT_TRUE(
      Says("5 workers with 1 engine each: the memory limit of 700 MiB "
           "(/sys/fs/cgroup/memory.max) has room for 5 workers instead of 8"))
      << Text();
}

TEST_F(Doctor, OfAMemoryLimitWithRoomHasNothingToChange) {
  root_.Write("/proc/self/cgroup", "4:memory:/\n");
  root_.Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "17179869184\n");
  Machine("core:8 pu:1");
  EXPECT_EQ(Find("memory limit")->level, Level::kFine);
  EXPECT_TRUE(Says("a limit of 16.0 GiB (/sys/fs/cgroup/memory/memory.limit_in_bytes), about"))
      << Text();
}

TEST_F(Doctor, OfTwoSocketsWithSmtLeavesSiblingsFree) {
  Machine("package:2 [numa] core:64 pu:2");
  Expect("siblings", Level::kFine, "256 CPUs on 128 cores: SMT siblings");
  EXPECT_TRUE(Says("128 workers with 1 engine each")) << Text();
  EXPECT_TRUE(Says("node 1: 64 workers on CPUs 128,130")) << Text();
  EXPECT_TRUE(Says("weights in the memory of node 1"));
}

TEST_F(Doctor, OfHybridCoresSaysWhichAreFast) {
  Machine("core:8 pu:1");
  EXPECT_FALSE(Find("hybrid"));
  Topology topology("core:8 pu:1");
  survey_.machine = topology.Kind("0-3", 9).Kind("4-7", 1).Read();
  Expect("hybrid", Level::kNote, "2 kinds of cores: CPUs 0-3 are fast, 4-7 slower");
}

TEST_F(Doctor, OfANodeWithoutMemorySaysWhoseItUses) {
  Machine("numa:2 core:2 pu:1");
  survey_.used.nodes[1].memory_node = 0;
  Expect("nodes", Level::kFine, "2 nodes with memory; node 1 has none and uses that of node 0");
  root_.Write("/proc/sys/kernel/numa_balancing", "1\n");
  EXPECT_EQ(Find("nodes")->level, Level::kNote);
}

TEST_F(Doctor, WantsThePerformanceGovernor) {
  EXPECT_EQ(Find("governor")->found, "no frequency control here");
  for (int cpu = 0; cpu < 8; ++cpu) {
    const auto folder = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cpufreq/";
    root_.Write(folder + "scaling_governor", cpu < 6 ? "ondemand\n" : "performance\n");
    root_.Write(folder + "scaling_driver", "acpi-cpufreq\n");
  }
  Expect("governor", Level::kCosts,
         "ondemand (CPUs 0-5), performance (CPUs 6-7), driver acpi-cpufreq",
         "sudo cpupower frequency-set -g performance");
}

TEST_F(Doctor, TakesPowersaveForFineWhereTheCpuDecides) {
  Machine("core:1 pu:1");
  const std::string folder = "/sys/devices/system/cpu/cpu0/cpufreq/";
  root_.Write(folder + "scaling_governor", "powersave\n");
  root_.Write(folder + "scaling_driver", "intel_pstate\n");
  Expect("governor", Level::kFine, "powersave, driver intel_pstate");
  root_.Write(folder + "scaling_driver", "acpi-cpufreq\n");
  EXPECT_EQ(Find("governor")->level, Level::kCosts);
}

TEST_F(Doctor, FindsTurboThatIsOffAndClocksThatAreCapped) {
  EXPECT_FALSE(Find("turbo"));
  const std::string folder = "/sys/devices/system/cpu/cpu0/cpufreq/";
  root_.Write(folder + "scaling_max_freq", "2000000\n");
  root_.Write(folder + "cpuinfo_max_freq", "3500000\n");
  Expect("turbo", Level::kCosts, "clocks are capped at 2 GHz of 3.5 GHz",
         "sudo cpupower frequency-set -u 3500000kHz");
  root_.Write("/sys/devices/system/cpu/cpufreq/boost", "0\n");
  EXPECT_EQ(Find("turbo")->found, "boost is off");
  root_.Write("/sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
  EXPECT_EQ(Find("turbo")->found, "turbo is off");
}

TEST_F(Doctor, TellsForeignLoadFromTimeThatTheHostTook) {
  EXPECT_EQ(Find("load")->level, Level::kFine);
  EXPECT_FALSE(Find("stolen"));
  for (auto& [cpu, times] : survey_.after) times.busy = 10;
  EXPECT_EQ(Find("load")->level, Level::kCosts);
  EXPECT_EQ(Find("load")->found,
            "50% of the usable CPUs' time is taken by other programs (load average 0.50)");
  for (auto& [cpu, times] : survey_.after) times.stolen = 10;
  EXPECT_EQ(Find("load")->level, Level::kFine);
  EXPECT_EQ(Find("stolen")->found, "50% of the CPUs' time is taken by the host for other machines");
}

TEST_F(Doctor, FindsMemoryThatOthersHave) {
  root_.Write("/proc/meminfo",
              "MemTotal:  67108864 kB\nMemAvailable: 102400 kB\n"
              "SwapTotal: 2097152 kB\nSwapFree: 1048576 kB\n");
  EXPECT_EQ(Find("memory")->level, Level::kCosts);
  EXPECT_TRUE(Find("memory")->found.starts_with("100 MiB available, about")) << Text();
  EXPECT_EQ(Find("swap")->level, Level::kCosts);
  EXPECT_EQ(Find("swap")->found, "1.00 GiB of 2.00 GiB of swap in use");
}

TEST_F(Doctor, TakesSwapInUseForFineWhileMemoryIsFree) {
  root_.Write("/proc/meminfo",
              "MemTotal:  67108864 kB\nMemAvailable: 33554432 kB\n"
              "SwapTotal: 2097152 kB\nSwapFree: 1048576 kB\n");
  EXPECT_EQ(Find("swap")->level, Level::kFine);
}

TEST_F(Doctor, SaysWhetherTheWeightsGetHugePages) {
  const std::string file = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";
  Expect("huge pages", Level::kFine,
         "huge pages for shared memory: never; the weights take them by themselves");
  survey_.gives_huge_pages = false;
  Expect("huge pages", Level::kCosts, "huge pages for shared memory: never",
         "echo advise | sudo tee " + file);
  root_.Write(file, "always within_size [advise] never deny force\n");
  Expect("huge pages", Level::kFine, "huge pages for shared memory: advise");
  root_.Write(file, "always within_size advise never [deny] force\n");
  EXPECT_EQ(Find("huge pages")->level, Level::kCosts);
  root_.Write(file, "");
  EXPECT_EQ(Find("huge pages")->level, Level::kNote);
}

TEST_F(Doctor, FindsAWorkerWithoutJemalloc) {
  root_.Write("/bin/consort-worker-glibc", "ELF libc.so.6");
  survey_.worker = root_.path() + "/bin/consort-worker-glibc";
  survey_.environment["CONSORT_WORKER"] = survey_.worker;
  Expect("allocator", Level::kCosts, "consort-worker-glibc has glibc's allocator",
         "unset CONSORT_WORKER");
  survey_.worker = root_.path() + "/nowhere";
  EXPECT_EQ(Find("allocator")->change, "consort-worker belongs beside consort");
}

TEST_F(Doctor, ReadsTheEnvironment) {
  EXPECT_FALSE(Find("preload"));
  EXPECT_FALSE(Find("kernels"));
  survey_.environment = {{"MALLOC_CONF", "narenas:1"},
                         {"LD_PRELOAD", "/usr/lib/libtcmalloc.so"},
                         {"ONEDNN_MAX_CPU_ISA", "AVX2"},
                         {"OMP_NUM_THREADS", "4"},
                         {"GOMP_CPU_AFFINITY", "0"}};
  Expect("allocator", Level::kNote, "consort-worker has jemalloc, with MALLOC_CONF=narenas:1",
         "unset MALLOC_CONF");
  Expect("preload", Level::kCosts, "LD_PRELOAD=/usr/lib/libtcmalloc.so", "unset LD_PRELOAD");
  Expect("kernels", Level::kCosts, "ONEDNN_MAX_CPU_ISA=AVX2", "unset ONEDNN_MAX_CPU_ISA");
  Expect("threads", Level::kNote, "OMP_NUM_THREADS=4 GOMP_CPU_AFFINITY=0");
  survey_.environment = {{"DNNL_VERBOSE", "1"}, {"LD_PRELOAD", "/usr/lib/libfaketime.so"}};
  Expect("kernels", Level::kCosts, "DNNL_VERBOSE=1", "unset DNNL_VERBOSE");
  EXPECT_EQ(Find("preload")->level, Level::kNote);
}

TEST_F(Doctor, SaysWhereCrashesGo) {
  survey_.core_bytes = -1;
  EXPECT_FALSE(Find("cores")) << "workers leave none by themselves";
  survey_.environment = {{"CONSORT_CORE", "1"}};
  Expect("cores", Level::kNote, "a crash writes a core file (core)", "unset CONSORT_CORE");
  root_.Write("/proc/sys/kernel/core_pattern", "|/usr/share/apport/apport -p%p\n");
  Expect("cores", Level::kNote, "a crash is handed to /usr/share/apport/apport",
         "unset CONSORT_CORE");
}

TEST_F(Doctor, FindsACpuWithoutAvx2) {
  root_.Write("/proc/cpuinfo", "model name\t: Old CPU\nflags\t\t: fpu sse4_2 hypervisor\n");
  EXPECT_EQ(Find("instructions")->level, Level::kCosts);
  EXPECT_EQ(Find("instructions")->change,
            "give the virtual machine the host's CPU (qemu: -cpu host)");
}

TEST_F(Doctor, TellsOfTheBundle) {
  EXPECT_FALSE(Find("bundle"));
  BundleFolder folder;
  folder.WriteAll();
  survey_.bundle = LoadBundle(folder.path()).value();
  EXPECT_EQ(Find("bundle")->level, Level::kNote);
  EXPECT_TRUE(Find("bundle")->found.ends_with("of weights, fp32, TorchScript"));
}

TEST_F(Doctor, SaysThatARelativeConfigHomeIsIgnored) {
  EXPECT_FALSE(Find("profiles"));
  survey_.environment["XDG_CONFIG_HOME"] = "/absolute";
  EXPECT_FALSE(Find("profiles"));
  survey_.environment["XDG_CONFIG_HOME"] = "config";
  Expect("profiles", Level::kNote,
         "XDG_CONFIG_HOME is \"config\", which is not an absolute path, so it is ignored",
         "export XDG_CONFIG_HOME=/an/absolute/path");
  EXPECT_FALSE(CostsSpeed(Examine(survey_)));
}

TEST_F(Doctor, SaysTheSameAsJson) {
  Machine("core:8 pu:1", "1,3");
  const auto report = nlohmann::json::parse(JsonReport(survey_, Examine(survey_)));
  EXPECT_EQ(report["costs_speed"], true);
  EXPECT_EQ(report["plan"]["workers"], 2);
  EXPECT_EQ(report["plan"]["nodes"][0]["cpus"], (std::vector<int>{1, 3}));
  EXPECT_EQ(report["plan"]["nodes"][0]["memory_node"], -1);
  const auto& findings = report["findings"];
  const auto affinity =
      std::ranges::find_if(findings, [](const auto& it) { return it["name"] == "affinity"; });
  ASSERT_NE(affinity, findings.end());
  EXPECT_EQ((*affinity)["level"], "costs");
  EXPECT_EQ((*affinity)["change"], "taskset -c 0-7 consort run ...");
}

}  // namespace
}  // namespace consort
