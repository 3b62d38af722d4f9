// What a dead process left is taken away, and nothing else.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "fixture_root.h"
#include "shared/base/read_file.h"
#include "supervisor/tune/temporary_folder.h"

namespace consort {
namespace {

namespace fs = std::filesystem;

class TemporaryFolders : public testing::Test {
 protected:
  TemporaryFolders() { setenv("TMPDIR", root_.path().c_str(), 1); }
  ~TemporaryFolders() override { unsetenv("TMPDIR"); }

  std::set<std::string> There() const {
    std::set<std::string> paths;
    for (const auto& it : fs::directory_iterator(root_.path())) paths.insert(it.path());
    return paths;
  }

  // The path of the folder of a process that was killed.
  std::string LeftByAKilledOne() {
    const auto before = There();
    const pid_t child = fork();
    if (child == 0) {
      const auto folder = TemporaryFolder::Make();
      if (folder) std::ofstream(folder.value().path() + "/list.txt") << "a.wav\n";
      raise(SIGKILL);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status));
    std::string left;
    for (const auto& it : There()) {
      if (!before.contains(it)) left = it;
    }
    EXPECT_NE(left, "");
    return left;
  }

  FixtureRoot root_;
};

TEST_F(TemporaryFolders, AreGoneWithTheirOwner) {
  {
    auto folder = TemporaryFolder::Make();
    ASSERT_TRUE(folder);
    EXPECT_EQ(fs::path(folder.value().path()).parent_path(), root_.path());
    fs::create_directory(folder.value().path() + "/trial");
    const TemporaryFolder moved = std::move(folder).value();
    EXPECT_EQ(There(), std::set<std::string>{moved.path()});
  }
  EXPECT_TRUE(There().empty());
}

TEST_F(TemporaryFolders, OfDeadProcessesAreTakenAwayAndThoseOfLivingOnesAreNot) {
  const auto alive = TemporaryFolder::Make();
  const std::string left = LeftByAKilledOne();
  std::string of_compare = left;
  of_compare.replace(of_compare.find("consort-tune-"), 13, "consort-compare-");
  fs::create_directory(of_compare);
  const auto other = TemporaryFolder::Make();
  EXPECT_EQ(There(), (std::set<std::string>{alive.value().path(), other.value().path()}));
}

TEST_F(TemporaryFolders, OfOthersAreLeft) {
  const std::string boot_id = ReadFile("/proc/sys/kernel/random/boot_id").value().substr(0, 8);
  const std::string ours = root_.path() + "/consort-tune-" + boot_id;
  const std::set<std::string> kept = {
      root_.path() + "/consort-tune-00000000-abcdef",  // of another machine
      root_.path() + "/consort-tune-abcdef",           // of one that knows no locks
      root_.path() + "/consort-tunes",
      root_.path() + "/my-consort-tune-" + boot_id + "-abcdef",
  };
  for (const auto& it : kept) fs::create_directory(it);
  std::ofstream(ours + "-file") << "";
  fs::create_symlink(*kept.begin(), ours + "-link");
  { const auto folder = TemporaryFolder::Make(); }
  EXPECT_EQ(There().size(), kept.size() + 2);
}

TEST_F(TemporaryFolders, HaveAPlaceOrAnError) {
  setenv("TMPDIR", (root_.path() + "/none").c_str(), 1);
  const auto folder = TemporaryFolder::Make();
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().what,
            "could not make a folder in \"" + root_.path() + "/none\": no such file or directory");
}

}  // namespace
}  // namespace consort
