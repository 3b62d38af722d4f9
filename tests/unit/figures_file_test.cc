// Where figures may be written, and that they are there in whole or not at all.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "supervisor/figures/figures.h"
#include "supervisor/figures/figures_file.h"

namespace consort {
namespace {

namespace fs = std::filesystem;

class FiguresFileTest : public testing::Test {
 protected:
  FiguresFileTest() { fs::create_directories(folder_); }
  ~FiguresFileTest() override { fs::remove_all(folder_); }
  std::string Path(const std::string& name) const { return folder_ / name; }
  std::string Text(const std::string& name) const {
    std::ifstream file(Path(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  size_t Entries() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), {}));
  }

  fs::path folder_ = fs::path(testing::TempDir()) / ("figures." + std::to_string(getpid()));
};

TEST_F(FiguresFileTest, IsMadeAndMadeAnew) {
  for (const std::string text :
       {"{\"consort\":\"0.1.0\",\"figures\":1}\n", "{\"consort\":\"10.20.30\",\"figures\":2}\n"}) {
    ASSERT_TRUE(CheckFiguresFile(Path("f.json")));
    ASSERT_TRUE(WriteFigures(Path("f.json"), text));
    EXPECT_EQ(Text("f.json"), text);
  }
  ASSERT_TRUE(WriteFigures(Path("f.json"), FiguresJson(Figures())));
  EXPECT_TRUE(CheckFiguresFile(Path("f.json")));
  EXPECT_EQ(Entries(), 1U);
}

TEST_F(FiguresFileTest, TakesAnEmptyFileAndGoesThroughALink) {
  std::ofstream(Path("empty")).close();
  EXPECT_TRUE(CheckFiguresFile(Path("empty")));
  fs::create_symlink("empty", Path("link"));
  ASSERT_TRUE(WriteFigures(Path("link"), "{\"consort\":1}"));
  EXPECT_TRUE(fs::is_symlink(Path("link")));
  EXPECT_EQ(Text("empty"), "{\"consort\":1}");
}

TEST_F(FiguresFileTest, IsRefusedWhereSomethingElseIs) {
  std::ofstream(Path("a.wav")) << "RIFF and more";
  std::ofstream(Path("results")) << "{\"file\":\"a.wav\"}\n";
  std::ofstream(Path("short")) << "{\"c";
  std::ofstream(Path("check")) << "{\"consort\":\"0.1.0\",\"check\":1,\"bundle\":null,\"files\":[\n"
                                  "{\"file\":\"\",\"figures\":1}\n]}\n";
  fs::create_directory(Path("folder"));
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  for (const std::string name : {"a.wav", "results", "short", "check", "folder", "fifo"}) {
    const Status refused = CheckFiguresFile(Path(name));
    ASSERT_FALSE(refused) << name;
    EXPECT_NE(refused.error().what.find("is there and has no figures"), std::string::npos);
  }
  EXPECT_FALSE(CheckFiguresFile("/dev/null"));
}

TEST_F(FiguresFileTest, HasFiguresOnceItHasContent) {
  EXPECT_FALSE(HasFigures(Path("f.json")));
  std::ofstream(Path("f.json")).close();
  EXPECT_FALSE(HasFigures(Path("f.json")));
  ASSERT_TRUE(WriteFigures(Path("f.json"), "{\"consort\":1}"));
  EXPECT_TRUE(HasFigures(Path("f.json")));
}

TEST_F(FiguresFileTest, IsRefusedWhereNoFileCanBeMade) {
  EXPECT_FALSE(CheckFiguresFile(Path("no/such/folder.json")));
  EXPECT_FALSE(WriteFigures(Path("no/such/folder.json"), "x"));
}

TEST_F(FiguresFileTest, LeavesNothingWhenItCannotBeRenamed) {
  fs::create_directory(Path("d"));
  EXPECT_FALSE(WriteFigures(Path("d"), "x"));
  EXPECT_EQ(Entries(), 1U);
}

}  // namespace
}  // namespace consort
