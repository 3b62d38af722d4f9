#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "shared/base/unique_fd.h"
#include "supervisor/output/result_file.h"

namespace consort {
namespace {

namespace fs = std::filesystem;

class ResultFileTest : public testing::Test {
 protected:
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);
    std::string pattern = testing::TempDir() + "consort_result_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern + "/";
  }
  void TearDown() override { fs::remove_all(root_); }
  static std::string Content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static std::string ErrorOf(const std::string& path, bool restart = false) {
    const auto file = ResultFile::Create(path, restart);
    return file ? "no error" : file.error().Sentence();
  }
  std::string root_;
};

// Standard output leads to `fd` while this lives.
class StandardOutputTo {
 public:
  explicit StandardOutputTo(int fd) : saved_(::dup(STDOUT_FILENO)) { ::dup2(fd, STDOUT_FILENO); }
  ~StandardOutputTo() { ::dup2(saved_.get(), STDOUT_FILENO); }

 private:
  UniqueFd saved_;
};

TEST_F(ResultFileTest, HoldsWhatWasWritten) {
  auto file = ResultFile::Create(root_ + "r", false);
  ASSERT_TRUE(file);
  EXPECT_TRUE(file.value().can_sync());
  ASSERT_TRUE(file.value().Write("one\n"));
  ASSERT_TRUE(file.value().Write(""));
  ASSERT_TRUE(file.value().Write("two\n"));
  ASSERT_TRUE(file.value().Sync());
  EXPECT_EQ(file.value().bytes_written(), 8U);
  EXPECT_EQ(Content(root_ + "r"), "one\ntwo\n");
}

TEST_F(ResultFileTest, ThatExistsIsRefusedAndLeftAsItIs) {
  std::ofstream(root_ + "r") << "{\"file\":precious";
  EXPECT_EQ(ErrorOf(root_ + "r"),
            '"' + root_ + "r\" exists; add --restart to begin anew, or name another file with -o");
  EXPECT_EQ(Content(root_ + "r"), "{\"file\":precious");
}

TEST_F(ResultFileTest, ThatIsSomethingElseIsNeverWrittenOver) {
  std::ofstream(root_ + "r") << "RIFF of a recording";
  for (const bool restart : {false, true}) {
    EXPECT_EQ(
        ErrorOf(root_ + "r", restart),
        '"' + root_ + "r\" exists, and does not look like results; name another file with -o");
  }
  EXPECT_EQ(Content(root_ + "r"), "RIFF of a recording");
  std::ofstream(root_ + "empty") << "";
  EXPECT_TRUE(ResultFile::Create(root_ + "empty", true));
}

// A file system may keep the length of what was never synced, and NUL bytes in its place.
TEST_F(ResultFileTest, OfWhichAPowerCutLeftNulBytesIsWrittenOverIfAJournalKnowsIt) {
  const std::string zeros(5000, '\0');
  std::ofstream(root_ + "r") << zeros << "rest of a line\n";
  EXPECT_NE(ErrorOf(root_ + "r", true).find("does not look like results"), std::string::npos);
  EXPECT_FALSE(ResultFile::CheckCreatable(root_ + "r", true));
  EXPECT_FALSE(ResultFile::CheckCreatable(root_ + "r", false, true)) << "it is there";
  EXPECT_TRUE(ResultFile::CheckCreatable(root_ + "r", true, true));
  {
    auto file = ResultFile::Create(root_ + "r", true, true);
    ASSERT_TRUE(file && file.value().Write("new"));
  }
  EXPECT_EQ(Content(root_ + "r"), "new");
  std::ofstream(root_ + "other") << std::string(3, '\0') << " ftypM4A ";
  EXPECT_FALSE(ResultFile::CheckCreatable(root_ + "other", true, true));
}

TEST_F(ResultFileTest, ThatExistsIsBegunAnewWithRestart) {
  std::ofstream(root_ + "r") << "{\"file\":old and long";
  auto file = ResultFile::Create(root_ + "r", true);
  ASSERT_TRUE(file && file.value().Write("new"));
  EXPECT_EQ(Content(root_ + "r"), "new");
}

TEST_F(ResultFileTest, InAFolderThatIsMissingSaysWhatToDo) {
  EXPECT_EQ(ErrorOf(root_ + "x/results.jsonl"),
            "could not create \"" + root_ +
                "x/results.jsonl\": no such file or directory; make the folder first, or name "
                "another with -o");
}

TEST_F(ResultFileTest, ThatIsAFolderIsRefused) {
  EXPECT_NE(ErrorOf(root_).find("could not create"), std::string::npos);
  fs::create_directories(root_ + "d");
  for (const bool restart : {false, true}) {
    EXPECT_EQ(ErrorOf(root_ + "d", restart),
              "could not create \"" + root_ + "d\": it is a folder; name a file in it with -o");
  }
}

TEST_F(ResultFileTest, MayNotBeWrittenWhereThePathGoesThroughAFile) {
  std::ofstream(root_ + "f") << "x";
  EXPECT_EQ(ErrorOf(root_ + "f/r"),
            "could not create \"" + root_ + "f/r\": not a directory; name another file with -o");
}

TEST_F(ResultFileTest, ThatIsADeviceNeedsNoRestart) {
  auto file = ResultFile::Create("/dev/null", false);
  ASSERT_TRUE(file && file.value().Write("x"));
  EXPECT_FALSE(file.value().can_sync());
  EXPECT_TRUE(file.value().Sync());
}

TEST_F(ResultFileTest, FollowsALinkThatLeadsNowhereYet) {
  fs::create_symlink("target", root_ + "link");
  auto file = ResultFile::Create(root_ + "link", false);
  ASSERT_TRUE(file && file.value().Write("x"));
  EXPECT_EQ(Content(root_ + "target"), "x");
}

TEST_F(ResultFileTest, OnAFullDiskFailsForGood) {
  auto file = ResultFile::Create("/dev/full", false);
  ASSERT_TRUE(file);
  const Status first = file.value().Write("x");
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().what, "could not write \"/dev/full\": no space left on device");
  EXPECT_FALSE(file.value().reader_gone());
  const Status sync = file.value().Sync();
  ASSERT_FALSE(sync);
  EXPECT_EQ(sync.error().what, first.error().what);
  EXPECT_FALSE(file.value().Write(""));
}

TEST_F(ResultFileTest, OnStandardOutputTellsAReaderThatIsGoneFromOtherFailures) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  const StandardOutputTo pipe(writer.get());
  auto file = ResultFile::Create("-", false);
  ASSERT_TRUE(file);
  EXPECT_FALSE(file.value().can_sync());
  ASSERT_TRUE(file.value().Write("seen"));
  ASSERT_TRUE(file.value().Sync());
  EXPECT_FALSE(file.value().reader_gone());
  reader.Reset();
  EXPECT_FALSE(file.value().Write("unseen"));
  EXPECT_TRUE(file.value().reader_gone());
}

// A non-blocking pipe that takes a few bytes at a time, and a writer interrupted all the while.
TEST_F(ResultFileTest, WritesEverythingThroughShortWritesAndInterruptions) {
  struct sigaction act {};
  act.sa_handler = [](int) {};  // and no SA_RESTART
  ::sigaction(SIGUSR1, &act, nullptr);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  ::fcntl(writer.get(), F_SETPIPE_SZ, 4096);
  std::string expected(1'000'000, ' ');
  for (size_t i = 0; i < expected.size(); ++i) expected[i] = static_cast<char>('a' + i % 23);

  for (const bool nonblocking : {false, true}) {
    ::fcntl(writer.get(), F_SETFL, nonblocking ? O_NONBLOCK : 0);
    std::string got;
    std::thread consumer([&] {
      char buffer[777];
      while (got.size() < expected.size()) {
        const ssize_t size = ::read(reader.get(), buffer, sizeof(buffer));
        if (size > 0) got.append(buffer, static_cast<size_t>(size));
      }
    });
    const pthread_t self = ::pthread_self();
    std::atomic<bool> done = false;
    std::thread interrupter([&] {
      while (!done) {
        ::pthread_kill(self, SIGUSR1);
        ::usleep(50);
      }
    });
    {
      const StandardOutputTo pipe(writer.get());
      auto file = ResultFile::Create("-", false);
      EXPECT_TRUE(file && file.value().Write(expected));
    }
    done = true;
    interrupter.join();
    consumer.join();
    EXPECT_TRUE(got == expected);
  }
  ::signal(SIGUSR1, SIG_DFL);
}

}  // namespace
}  // namespace consort
