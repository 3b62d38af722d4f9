#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "supervisor/journal/job_folder.h"
#include "supervisor/journal/job_status.h"
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

std::string ContentOf(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Names that a job's files have are not a job's alone.
TEST_F(JobFolderTest, WithSomebodysFilesOfNamesOfOursIsRefused) {
  for (const std::string name : {"list", "log", "log.1", "quarantine.jsonl", "status.json"}) {
    fs::create_directory(path_);
    std::ofstream(path_ + "/" + name) << "a.wav\n";
    for (const std::string lock : {"", "mine"}) {
      if (!lock.empty()) std::ofstream(path_ + "/lock") << lock;
      const auto folder = JobFolder::Open(path_);
      ASSERT_FALSE(folder) << name;
      EXPECT_NE(folder.error().what.find("is not the folder of a job"), std::string::npos);
    }
    EXPECT_EQ(ContentOf(path_ + "/" + name), "a.wav\n");
    EXPECT_EQ(ContentOf(path_ + "/lock"), "mine");
    fs::remove_all(path_);
  }
  fs::create_directory(path_);
  std::ofstream(path_ + "/lock") << "";  // another program's, which locks without a word
  std::ofstream(path_ + "/list") << "a.wav\nb.wav\n";
  const auto folder = JobFolder::Open(path_);
  ASSERT_FALSE(folder);
  EXPECT_NE(folder.error().what.find("it holds \"list\""), std::string::npos);
}

std::unique_ptr<FileList> ListOf(const std::vector<std::string>& names) {
  ListSpooler spooler(UniqueFd(memfd_create("list", MFD_CLOEXEC)));
  for (const auto& name : names) EXPECT_TRUE(spooler.Add(name));
  return std::move(spooler.Finish()).value();
}

TEST_F(JobFolderTest, OfAJobThatWasCutOffEarlyIsOpenedAgain) {
  {
    auto folder = JobFolder::Open(path_);
    ASSERT_TRUE(folder);
    ASSERT_TRUE(folder.value().ReplaceList(ListOf({"a.wav"})->spool_fd()));
    folder.value().Keep();
  }
  std::ofstream(path_ + "/log") << "12:00:00 worker 1 says\n";
  // As network file systems and FUSE show what was unlinked while it was open.
  for (const char* name : {"/.consort-a1b2c3", "/.nfs000000000001", "/.fuse_hidden00000001"}) {
    std::ofstream(path_ + name) << "x";
  }
  EXPECT_TRUE(JobFolder::Open(path_));
  for (const std::string_view left : {std::string_view(), std::string_view("\0\0\0", 3)}) {
    std::ofstream(path_ + "/lock") << left;  // by a power cut
    EXPECT_TRUE(JobFolder::Open(path_));
  }
}

TEST_F(JobFolderTest, InWhichOnlyWordsOfWorkersStayIsOpenedAgain) {
  {
    const auto folder = JobFolder::Open(path_);
    ASSERT_TRUE(folder);
    std::ofstream(path_ + "/log") << "12:00:00 worker 1 says\n";
  }
  EXPECT_EQ(ContentOf(path_ + "/log"), "12:00:00 worker 1 says\n");
  EXPECT_TRUE(JobFolder::Open(path_));
}

TEST_F(JobFolderTest, IsAtWorkWhateverItsSupervisorCallsItself) {
  {
    auto folder = JobFolder::Open(path_);
    ASSERT_TRUE(folder);
    folder.value().Keep();
    EXPECT_EQ(SupervisorOf(path_), getpid());
    std::ofstream(path_ + "/lock") << "1\n";  // as in a container of its own
    EXPECT_EQ(SupervisorOf(path_), getpid());
  }
  EXPECT_EQ(SupervisorOf(path_), 0);
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
  EXPECT_EQ(Difference({"a\x1b[2J"}, {"b\r\x7f"}),
            "the files are other ones: entry 1 was \"a?[2J\" and is \"b??\" now");
}

}  // namespace
}  // namespace consort
