#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "supervisor/journal/job_folder.h"
#include "supervisor/journal/list_change.h"

namespace consort {
namespace {

namespace fs = std::filesystem;

class JobFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "consort_folder_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    path_ = root_ + "/job";
  }
  void TearDown() override { fs::remove_all(root_); }
  std::string root_;
  std::string path_;
};

TEST_F(JobFolderTest, ThatNobodyKeepsIsRemovedAgain) {
  {
    const auto folder = JobFolder::Open(path_);
    ASSERT_TRUE(folder);
    EXPECT_TRUE(fs::exists(path_));
  }
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(JobFolderTest, ThatIsKeptStaysAndIsOpenedAgain) {
  { JobFolder::Open(path_).value().Keep(); }
  EXPECT_TRUE(fs::exists(path_));
  { EXPECT_TRUE(JobFolder::Open(path_)); }
  EXPECT_TRUE(fs::exists(path_)) << "another run made it";
}

TEST_F(JobFolderTest, OfSomethingElseIsRefusedAndLeftAlone) {
  fs::create_directory(path_);
  std::ofstream(path_ + "/music.wav") << "x";
  const auto folder = JobFolder::Open(path_);
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().what,
            '"' + path_ + "\" is not the folder of a job: it holds \"music.wav\"");
  EXPECT_EQ(std::distance(fs::directory_iterator(path_), {}), 1);
}

TEST_F(JobFolderTest, HeldByAnotherNamesIt) {
  auto first = JobFolder::Open(path_);
  ASSERT_TRUE(first);
  first.value().Keep();
  const auto second = JobFolder::Open(path_, 0);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().what.find("process " + std::to_string(getpid())), std::string::npos);
}

TEST_F(JobFolderTest, LockIsNotInheritedByAProgram) {
  const pid_t child = [this] {
    auto folder = JobFolder::Open(path_);
    EXPECT_TRUE(folder);
    folder.value().Keep();
    const pid_t pid = fork();
    if (pid == 0) {
      execlp("sleep", "sleep", "60", nullptr);
      _exit(1);
    }
    return pid;
  }();
  EXPECT_TRUE(JobFolder::Open(path_, 2000));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

TEST_F(JobFolderTest, ReplacesTheListByAWholeOne) {
  auto folder = JobFolder::Open(path_);
  ASSERT_TRUE(folder);
  for (const std::string text : {"first", "the second, a longer one"}) {
    const UniqueFd fd(memfd_create("list", MFD_CLOEXEC));
    ASSERT_EQ(write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    ASSERT_TRUE(folder.value().ReplaceList(fd.get()));
    std::ifstream file(folder.value().list());
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), text);
  }
  EXPECT_FALSE(fs::exists(path_ + "/list.new"));
}

std::unique_ptr<FileList> ListOf(const std::vector<std::string>& names) {
  ListSpooler spooler(UniqueFd(memfd_create("list", MFD_CLOEXEC)));
  for (const auto& name : names) EXPECT_TRUE(spooler.Add(name));
  return std::move(spooler.Finish()).value();
}

std::string Difference(const std::vector<std::string>& was, const std::vector<std::string>& now) {
  const auto change = CompareLists(*ListOf(was), *ListOf(now));
  if (!change) return change.error().what;
  return change.value() == ListChange::kGrown ? "grown" : "none";
}

TEST(ListChangeTest, IsToldInWords) {
  EXPECT_EQ(Difference({"a", "b"}, {"a", "b"}), "none");
  EXPECT_EQ(Difference({}, {}), "none");
  EXPECT_EQ(Difference({}, {"a"}), "grown");
  EXPECT_EQ(Difference({"a", "b"}, {"a", "b", "c", "d"}), "grown");
  EXPECT_EQ(Difference({"a", "b", "c", "d"}, {"a", "b"}),
            "the files are other ones: it had 4 entries and has 2 now");
  EXPECT_EQ(Difference({"a", "b"}, {"a", "c", "d"}),
            "the files are other ones: entry 2 was \"b\" and is \"c\" now");
}

}  // namespace
}  // namespace consort
