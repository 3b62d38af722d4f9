#include "supervisor/place/cgroup.h"

#include <gtest/gtest.h>

#include "fixture_root.h"

namespace consort {
namespace {

class Cgroup : public testing::Test {
 protected:
  void Write(const std::string& path, const std::string& content) { root_.Write(path, content); }
  double Quota() {
    const auto quota = ReadCpuQuota(root_.path());
    return quota ? quota->cpus : 0;
  }
  int64_t Memory() {
    const auto limit = ReadMemoryLimit(root_.path());
    return limit ? limit->bytes : 0;
  }
  FixtureRoot root_;
};

TEST_F(Cgroup, NoneSetsNoLimit) {
  EXPECT_FALSE(ReadCpuQuota(root_.path()));
  EXPECT_FALSE(ReadMemoryLimit(root_.path()));
  EXPECT_FALSE(ReadCpuset(root_.path()));
}

TEST_F(Cgroup, QuotaOfVersionTwoIsTheTightestUpToTheRoot) {
  Write("/proc/self/cgroup", "0::/a/b\n");
  Write("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(Quota(), 0);
  Write("/sys/fs/cgroup/a/cpu.max", "150000 100000\n");
  EXPECT_EQ(Quota(), 1.5);
  EXPECT_EQ(ReadCpuQuota(root_.path())->file, "/sys/fs/cgroup/a/cpu.max");
  Write("/sys/fs/cgroup/cpu.max", "800000 100000\n");
  EXPECT_EQ(Quota(), 1.5);
  Write("/sys/fs/cgroup/a/b/cpu.max", "50000 100000\n");
  EXPECT_EQ(Quota(), 0.5);
}

TEST_F(Cgroup, QuotaOfVersionOneIsFoundByItsController) {
  Write("/proc/self/cgroup", "5:cpuset:/x\n4:cpu,cpuacct:/job\n1:name=systemd:/y\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "-1\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(Quota(), 0);
  Write("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "400000\n");
  EXPECT_EQ(Quota(), 4.0);
}

TEST_F(Cgroup, QuotaOfAContainerIsAtItsMount) {
  Write("/proc/self/cgroup", "4:cpu:/docker/0123\n");
  Write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
  Write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(Quota(), 2.0);
}

TEST_F(Cgroup, QuotaOfAGroupOutsideTheNamespaceIsTheMounts) {
  Write("/proc/self/cgroup", "0::/../elsewhere\n");
  Write("/sys/fs/cgroup/cpu.max", "250000 100000\n");
  Write("/sys/fs/elsewhere/cpu.max", "50000 100000\n");  // where a careless path would lead
  EXPECT_EQ(Quota(), 2.5);
}

TEST_F(Cgroup, MemoryOfVersionTwoIsTheTighterOfMaxAndHighUpToTheRoot) {
  Write("/proc/self/cgroup", "0::/a/b\n");
  Write("/sys/fs/cgroup/a/b/memory.max", "max\n");
  Write("/sys/fs/cgroup/a/b/memory.high", "max\n");
  EXPECT_EQ(Memory(), 0);
  Write("/sys/fs/cgroup/a/memory.max", "4294967296\n");
  EXPECT_EQ(Memory(), int64_t{4} << 30);
  Write("/sys/fs/cgroup/a/memory.high", "3221225472\n");
  EXPECT_EQ(Memory(), int64_t{3} << 30);
  EXPECT_EQ(ReadMemoryLimit(root_.path())->file, "/sys/fs/cgroup/a/memory.high");
}

TEST_F(Cgroup, MemoryOfVersionOneTakesTheLargestNumberAsNone) {
  Write("/proc/self/cgroup", "4:memory:/x/y\n0::/\n");
  Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  Write("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(Memory(), 0);
  Write("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "1073741824\n");
  EXPECT_EQ(Memory(), int64_t{1} << 30);
  Write("/sys/fs/cgroup/memory/x/y/memory.limit_in_bytes", "536870912\n");
  EXPECT_EQ(Memory(), int64_t{1} << 29);
}

TEST_F(Cgroup, CpusetIsTheEffectiveOneOfTheInnermostGroup) {
  Write("/proc/self/cgroup", "3:cpuset:/c\n");
  Write("/sys/fs/cgroup/cpuset/cpuset.effective_cpus", "0-127\n");
  EXPECT_EQ(ReadCpuset(root_.path())->list, "0-127");
  Write("/sys/fs/cgroup/cpuset/c/cpuset.effective_cpus", "8-15\n");
  EXPECT_EQ(ReadCpuset(root_.path())->list, "8-15");
  Write("/proc/self/cgroup", "0::/two\n");
  Write("/sys/fs/cgroup/two/cpuset.cpus.effective", "4-5\n");
  EXPECT_EQ(ReadCpuset(root_.path())->list, "4-5");
}

}  // namespace
}  // namespace consort
