// Small files read in whole, and files that are there in whole or as they were.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "fixture_root.h"
#include "shared/base/folder.h"
#include "shared/base/read_file.h"
#include "shared/base/replace_file.h"
#include "shared/base/unique_fd.h"
#include "shared/base/write_all.h"

namespace consort {
namespace {

namespace fs = std::filesystem;

class Files : public testing::Test {
 protected:
  std::string Path(const std::string& name) const { return root_.path() + '/' + name; }
  std::string Read(const std::string& name) const { return ReadFile(Path(name)).value(); }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& it : fs::directory_iterator(root_.path())) {
      names.push_back(it.path().filename());
    }
    std::ranges::sort(names);
    return names;
  }

  FixtureRoot root_;
};

TEST_F(Files, AreReadInWhole) {
  for (const size_t size : {0U, 1U, 4095U, 4096U, 4097U, 100'000U}) {
    const std::string text(size, '\xff');
    root_.Write("/a", text);
    EXPECT_EQ(Read("a"), text);
    EXPECT_EQ(ReadFile(Path("a"), size).value(), text) << "as large as it may be";
  }
  EXPECT_TRUE(ReadFile("/proc/self/stat").value().starts_with(std::to_string(getpid()) + " ("))
      << "whose size is 0";
  EXPECT_GT(
      ReadFile("/proc/self/environ").value().size() + ReadFile("/proc/self/maps").value().size(),
      4096U);
}

TEST_F(Files, ThatCannotBeReadSayWhy) {
  const auto why = [&](const std::string& name, size_t most = kMostOfSmallFile) {
    const auto text = ReadFile(Path(name), most);
    return text ? "it was read" : text.error().what;
  };
  root_.Write("/f", "12345");
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(why("none"), "could not open \"" + Path("none") + "\": no such file or directory");
  EXPECT_EQ(why("f/a"), "could not open \"" + Path("f/a") + "\": not a directory");
  EXPECT_EQ(why(""), '"' + Path("") + "\" is not a file");
  EXPECT_EQ(why("fifo"), '"' + Path("fifo") + "\" is not a file") << "nor was it waited for";
  EXPECT_EQ(why("f", 4), '"' + Path("f") + "\" is too large: more than 4 bytes");
  EXPECT_FALSE(ReadFile("/proc/self/maps", 10)) << "though its size is 0";
  EXPECT_EQ(ReadFileOrNothing(Path("none")), "");
  EXPECT_EQ(ReadFileOrNothing(Path("f")), "12345");
  EXPECT_EQ(ReadFileIfThere(Path("none")).value(), std::nullopt);
  EXPECT_EQ(ReadFileIfThere(Path("f/a")).value(), std::nullopt);
  EXPECT_EQ(ReadFileIfThere(Path("f")).value(), "12345");
  EXPECT_FALSE(ReadFileIfThere(Path("fifo")));
}

TEST_F(Files, AreReplacedAndLeaveNothingBeside) {
  for (const Durable durable : {Durable::kNo, Durable::kYes}) {
    for (const std::string text : {"one", "", "another"}) {
      root_.Write("/new", "left by one that was killed");
      ASSERT_TRUE(ReplaceFile(Path("f"), Path("new"), durable, text));
      EXPECT_EQ(Read("f"), text);
      EXPECT_EQ(Names(), std::vector<std::string>{"f"});
    }
  }
  struct stat status {};
  ASSERT_EQ(stat(Path("f").c_str(), &status), 0);
  const mode_t mask = umask(0);
  umask(mask);
  EXPECT_EQ(status.st_mode & 0777, 0666 & ~mask) << "others may read what is for programs";
}

TEST_F(Files, ThatCannotBeReplacedStayAndLeaveNothingBeside) {
  root_.Write("/f", "old");
  const auto none = ReplaceFile(Path("f"), Path("new"), Durable::kNo, [&](int fd) -> Status {
    CONSORT_TRY(WriteAll(fd, "half", "x"));
    return Error{"the source is gone"};
  });
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().what, "the source is gone");
  EXPECT_EQ(Read("f"), "old");
  fs::create_directory(Path("d"));
  EXPECT_EQ(ReplaceFile(Path("d"), Path("new"), Durable::kNo, "x").error().what,
            "could not rename \"" + Path("new") + "\": is a directory");
  EXPECT_EQ(ReplaceFile(Path("f"), Path("no/new"), Durable::kNo, "x").error().what,
            "could not create \"" + Path("no/new") + "\": no such file or directory");
  EXPECT_EQ(Names(), (std::vector<std::string>{"d", "f"}));
  // Nobody's link leads the new content elsewhere.
  fs::create_symlink("f", Path("new"));
  EXPECT_FALSE(ReplaceFile(Path("g"), Path("new"), Durable::kNo, "x"));
  EXPECT_EQ(Read("f"), "old");
}

TEST(Writing, WaitsForAReaderOfAPipeThatDoesNotBlock) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const std::string text(size_t{1} << 20, 'x');  // more than a pipe holds
  Status wrote = Ok();
  std::thread writing([&] {
    wrote = WriteAll(writer.get(), text, "x");
    writer.Reset();
  });
  size_t read = 0;
  std::string some(size_t{1} << 16, '\0');
  for (;;) {
    pollfd ready{reader.get(), POLLIN, 0};
    ::poll(&ready, 1, -1);
    const ssize_t got = ::read(reader.get(), some.data(), some.size());
    if (got <= 0) break;
    read += static_cast<size_t>(got);
  }
  writing.join();
  EXPECT_TRUE(wrote);
  EXPECT_EQ(read, text.size());
}

TEST_F(Files, LieWhereLinksLead) {
  root_.Write("/f", "");
  fs::create_symlink("f", Path("link"));
  fs::create_symlink("nowhere", Path("dangling"));
  EXPECT_EQ(RealPath(Path("link")), fs::canonical(Path("f")));
  EXPECT_EQ(RealPath(Path("dangling")), Path("dangling"));
  EXPECT_EQ(RealPath("nowhere"), "nowhere");
}

}  // namespace
}  // namespace consort
