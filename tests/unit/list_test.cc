#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "shared/record/task.h"
#include "supervisor/plan/operands.h"

namespace consort {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

class FolderTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "consort_list_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern + "/";
    before_ = fs::current_path();
  }
  void TearDown() override {
    fs::current_path(before_);
    fs::remove_all(root_);
  }
  std::string Make(const std::string& name, const std::string& content = "x") {
    fs::create_directories(fs::path(root_ + name).parent_path());
    std::ofstream(root_ + name, std::ios::binary) << content;
    return root_ + name;
  }
  static Result<std::unique_ptr<FileList>> Spool(const Names& operands) {
    return SpoolOperands(operands, UniqueFd(::memfd_create("spool", MFD_CLOEXEC)));
  }
  static std::vector<ListEntry> Entries(const Names& operands) {
    auto list = Spool(operands);
    EXPECT_TRUE(list) << list.error().Sentence();
    std::vector<ListEntry> entries;
    if (!list) return entries;
    ListEntry entry;
    for (;;) {
      const auto more = list.value()->Next(entry);
      EXPECT_TRUE(more);
      if (!more || !more.value()) break;
      entries.push_back(entry);
    }
    EXPECT_EQ(entries.size(), list.value()->size());
    const auto again = list.value()->Next(entry);
    EXPECT_TRUE(again && !again.value());
    return entries;
  }
  static Names NamesOf(const Names& operands) {
    Names names;
    for (auto& entry : Entries(operands)) names.push_back(entry.name);
    return names;
  }
  static std::string ErrorOf(const Names& operands) {
    const auto list = Spool(operands);
    return list ? "no error" : list.error().Sentence();
  }

  std::string root_;  // with its "/"
  fs::path before_;
};

using ListFile = FolderTest;
using Folder = FolderTest;
using Operand = FolderTest;

TEST_F(ListFile, GivesItsLinesExactlyAndPathsFromItsFolder) {
  const std::string list =
      Make("sub/list.txt", "a.wav\n b c .wav\n/abs/d.wav\n./e\n\xff\xfe.wav\n");
  const auto entries = Entries({list});
  ASSERT_EQ(entries.size(), 5U);
  EXPECT_EQ(entries[0].name, "a.wav");
  EXPECT_EQ(entries[0].path, root_ + "sub/a.wav");
  EXPECT_EQ(entries[1].name, " b c .wav");
  EXPECT_EQ(entries[2].name, "/abs/d.wav");
  EXPECT_EQ(entries[2].path, "/abs/d.wav");
  EXPECT_EQ(entries[3].path, root_ + "sub/./e");
  EXPECT_EQ(entries[4].name, "\xff\xfe.wav");
}

TEST_F(ListFile, ToleratesCrlfBlankLinesABomAndNoLastNewline) {
  const std::string list = Make("l", "\xef\xbb\xbf\r\na.wav\r\n\n \t\r\nb\r.wav\r\nc.wav");
  EXPECT_EQ(NamesOf({list}), (Names{"a.wav", "b\r.wav", "c.wav"}));
}

TEST_F(ListFile, InTheCurrentFolderNeedsNoPrefix) {
  Make("list", "a.wav\n");
  fs::current_path(root_);
  EXPECT_EQ(Entries({"list"})[0].path, "a.wav");
}

TEST_F(ListFile, MayBeEmpty) {
  EXPECT_EQ(NamesOf({Make("none", "")}), Names{});
  EXPECT_EQ(NamesOf({Make("blank", "\n\r\n  \n")}), Names{});
  EXPECT_EQ(NamesOf({Make("bom", "\xef\xbb\xbf")}), Names{});
  EXPECT_EQ(NamesOf({Make("short", "ab")}), Names{"ab"});
}

TEST_F(ListFile, KeepsOrderAndDuplicates) {
  const std::string list = Make("l", "b\na\nb\n");
  EXPECT_EQ(NamesOf({list, list}), (Names{"b", "a", "b", "b", "a", "b"}));
}

TEST_F(ListFile, WithNulBytesIsRefused) {
  const std::string list = Make("sound.dat", std::string("RIFF\0\0\0\0WAVE", 12));
  EXPECT_EQ(ErrorOf({list}), '"' + list +
                                 "\" is not a list: it has NUL bytes, so it may be audio; give "
                                 "audio its usual extension (.wav, .flac, .mp3, …), or name it in "
                                 "a list");
  std::string late(200'000, 'a');
  for (size_t i = 99; i < late.size(); i += 100) late[i] = '\n';
  late[150'010] = '\0';
  EXPECT_NE(ErrorOf({Make("late", late)}).find("NUL"), std::string::npos);
}

TEST_F(ListFile, InUtf16IsRefusedByName) {
  const std::string text(
      "\xff\xfe"
      "a\0.\0w\0\n\0",
      10);
  EXPECT_NE(ErrorOf({Make("l", text)}).find("UTF-16; save it as UTF-8"), std::string::npos);
}

TEST_F(ListFile, WithALineWithoutEndIsRefused) {
  EXPECT_NE(ErrorOf({Make("l", std::string(3 << 20, 'a'))}).find("longer than 1 MiB"),
            std::string::npos);
}

TEST_F(ListFile, MarksAPathThatNoTaskCanCarry) {
  const std::string longest(kMaxPathBytes, 'a');
  const auto entries = Entries({Make("l", '/' + longest.substr(1) + "\n/" + longest + "\nb\n")});
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_FALSE(entries[0].too_long);
  EXPECT_TRUE(entries[1].too_long);
  EXPECT_EQ(entries[1].name, '/' + longest);
  EXPECT_FALSE(entries[2].too_long);
}

TEST_F(ListFile, LinesThatStraddleEveryBufferComeBackWhole) {
  std::string text;
  Names expected;
  for (size_t i = 0; i < 3000; ++i) {
    expected.push_back(std::to_string(i) + std::string(i % 997, 'x'));
    text += expected.back() + (i % 3 == 0 ? "\r\n" : "\n");
  }
  EXPECT_EQ(NamesOf({Make("l", text)}), expected);
}

TEST_F(ListFile, ThroughAFifoStartsAtTheCurrentFolder) {
  const std::string fifo = root_ + "pipe";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  std::thread writer([&fifo] {
    std::ofstream(fifo) << "\xef" << std::flush
                        << "\xbb\xbf"
                           "a\nb";
  });
  const auto entries = Entries({fifo});
  writer.join();
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].path, "a");
  EXPECT_EQ(entries[1].path, "b");
}

TEST_F(ListFile, OnStandardInputStartsAtTheCurrentFolder) {
  const UniqueFd saved(::dup(STDIN_FILENO));
  const UniqueFd list(::open(Make("sub/l", "a.wav\r\nb").c_str(), O_RDONLY));
  ASSERT_GE(::dup2(list.get(), STDIN_FILENO), 0);
  const auto entries = Entries({"-"});
  ::dup2(saved.get(), STDIN_FILENO);
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].path, "a.wav");
  EXPECT_EQ(entries[1].name, "b");
}

TEST_F(Folder, GivesKnownExtensionsInAnyCase) {
  for (const char* name : {"a.WAV", "b.flac", "c.txt", "d", "e.Mp3", "wav", "f.wav.bak"})
    Make(name);
  EXPECT_EQ(NamesOf({root_}), (Names{root_ + "a.WAV", root_ + "b.flac", root_ + "e.Mp3"}));
}

TEST_F(Folder, IsSortedBytewiseByRelativePath) {
  const Names made = {"a/z.wav",      "a.wav",      "a-b/c.wav", "a!.wav",       "ab.wav",
                      "a/b/c.wav",    "B.wav",      "b.wav",     "a/b.wav",      "a0.wav",
                      "\xc3\xa9.wav", "a/b-/d.wav", "zz/y.wav",  "a.wav.d/x.wav"};
  for (const auto& name : made) Make("top/" + name);
  Names expected = made;
  std::sort(expected.begin(), expected.end());
  for (auto& name : expected) name = root_ + "top/" + name;
  EXPECT_EQ(NamesOf({root_ + "top"}), expected);
}

TEST_F(Folder, NameAndPathAreTheOperandAndTheInnerPath) {
  Make("top/in/a.wav");
  fs::current_path(root_);
  for (const char* operand : {"top", "top/"}) {
    const auto entries = Entries({operand});
    ASSERT_EQ(entries.size(), 1U);
    EXPECT_EQ(entries[0].name, "top/in/a.wav");
    EXPECT_EQ(entries[0].path, "top/in/a.wav");
  }
  EXPECT_EQ(NamesOf({"."}), Names{"./top/in/a.wav"});
}

TEST_F(Folder, SkipsHiddenOnesAndWhatIsNoFile) {
  Make(".hidden.wav");
  Make(".git/a.wav");
  Make("real.wav");
  ASSERT_EQ(::mkfifo((root_ + "fifo.wav").c_str(), 0600), 0);
  fs::create_directories(root_ + "folder.wav");
  EXPECT_EQ(NamesOf({root_}), Names{root_ + "real.wav"});
}

TEST_F(Folder, FollowsLinksToFilesButNotToFolders) {
  Make("top/a.wav");
  Make("elsewhere/b.wav");
  fs::create_symlink(root_ + "elsewhere/b.wav", root_ + "top/link.wav");
  fs::create_directory_symlink(root_ + "elsewhere", root_ + "top/folder");
  fs::create_directory_symlink(root_ + "top", root_ + "top/cycle.wav");
  fs::create_symlink("nowhere", root_ + "top/dangling.wav");
  EXPECT_EQ(NamesOf({root_ + "top"}), (Names{root_ + "top/a.wav", root_ + "top/link.wav"}));
  // Named on the command line, a link to a folder is that folder.
  EXPECT_EQ(NamesOf({root_ + "top/folder"}), Names{root_ + "top/folder/b.wav"});
}

TEST_F(Folder, WithAnAudioExtensionIsWalkedToo) {
  Make("album.mp3/1.mp3");
  EXPECT_EQ(NamesOf({root_ + "album.mp3"}), Names{root_ + "album.mp3/1.mp3"});
}

TEST_F(Folder, BelowThatCannotBeReadIsAWarning) {
  Make("top/a.wav");
  // A path that the system refuses: works for root as well.
  std::string deep = root_ + "top/deep";
  fs::create_directories(deep);
  const fs::path back = fs::current_path();
  fs::current_path(deep);
  const std::string step(200, 'd');
  for (int i = 0; i < 25; ++i) {
    ASSERT_EQ(::mkdir(step.c_str(), 0700), 0);
    ASSERT_EQ(::chdir(step.c_str()), 0);
  }
  fs::current_path(back);
  const auto nothing = Spool({deep});
  ASSERT_TRUE(nothing);
  EXPECT_EQ(nothing.value()->size(), 0U);
  EXPECT_EQ(nothing.value()->warnings().size(), 1U) << "nobody knows that nothing is there";
  auto list = Spool({root_ + "top"});
  ASSERT_TRUE(list);
  EXPECT_EQ(list.value()->size(), 1U);
  ASSERT_EQ(list.value()->warnings().size(), 1U);
  EXPECT_NE(list.value()->warnings()[0].find("file name too long; its files are left out"),
            std::string::npos);
}

TEST_F(Operand, ThatIsAudioIsAsTyped) {
  const std::string file = Make("a.OGG");
  EXPECT_EQ(NamesOf({file}), Names{file});
  EXPECT_EQ(Entries({file})[0].path, file);
}

TEST_F(Operand, ThatIsMissingAudioIsStillAnEntry) {
  EXPECT_EQ(NamesOf({"no/such.wav"}), Names{"no/such.wav"});
}

TEST_F(Operand, ThatIsMissingOtherwiseIsAnError) {
  EXPECT_EQ(
      ErrorOf({"no-such-list"}),
      "could not open \"no-such-list\": no such file or directory; name a list, a folder, or a "
      "file with an audio or video extension");
}

TEST_F(Operand, ThatIsMissingIsSeenBeforeAnythingIsMade) {
  EXPECT_TRUE(CheckOperands({"-", Make("l", "z.wav\n"), root_, Make("a.ogg"), "gone.ogg"}));
  for (const std::string wrong : {"recordigns", "recordigns/", "gone.ogg/", "a.b/c"}) {
    const Status refused = CheckOperands({"gone.ogg", wrong});
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().what, "could not open \"" + wrong + "\": no such file or directory");
    EXPECT_EQ(refused.error().hint,
              "name a list, a folder, or a file with an audio or video extension");
  }
}

TEST_F(Operand, ThatIsResultsIsNoListOfThem) {
  const std::string sound = ", and is not a list; name recordings, a list of them, or a folder";
  const auto expect = [&](const std::string& file, const std::string& what) {
    const Status early = CheckOperands({file});
    ASSERT_FALSE(early) << file;
    EXPECT_EQ(early.error().Sentence(), '"' + file + "\" holds " + what + sound);
    EXPECT_EQ(ErrorOf({file}), early.error().Sentence());
  };
  expect(Make("out.jsonl", "{\"file\":\"a.wav\",\"start\":0.000,\"end\":3.000,\"tags\":[]}\n"),
         "results");
  expect(Make("out.csv", "file,start,end,rank,label,score,text,error\r\na.wav,,,,,,,\r\n"),
         "results as CSV");
  expect(Make("more.csv", "file,start,end,rank,label,score,text,error,more\r\n"), "results as CSV");
  expect(Make("bom.csv",
              "\xef\xbb\xbf"
              "file,start,end,rank,label,score,text,error\n"),
         "results as CSV");
  expect(Make("out.raven.txt", "Selection\tView\tChannel\tBegin Time (s)\n"),
         "results as a selection table of Raven");
  for (const char* head : {"WEBVTT\n\n00:00.000 --> 00:01.000\nx\n", "WEBVTT\r\n", "WEBVTT",
                           "WEBVTT of mine\n", "WEBVTT\tmine\n", "\xef\xbb\xbfWEBVTT\n"}) {
    expect(Make("out.vtt", head), "subtitles (WebVTT)");
  }
  expect(Make("all.json", "{\"consort\":\"0.1.0\",\"check\":1,\"bundle\":null,\"files\":[\n"),
         "what \"consort check\" or --figures wrote");
}

TEST_F(Operand, ThatIsAJobsOwnFileIsNoList) {
  for (const char* name : {"journal.db", "list", "lock"}) {
    Make(std::string("out.jsonl.job/") + name, "x");
  }
  const std::string log = Make("out.jsonl.job/log", "12:00:00 worker 1 says\n");
  const Status refused = CheckOperands({log});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what, '"' + log + "\" is a job's own file, and not a list");
  EXPECT_TRUE(CheckOperands({Make("other/log", "a.wav\n")})) << "no job is there";
  EXPECT_TRUE(CheckOperands({Make("out.jsonl.job/mine.txt", "a.wav\n")}));
  Make("mine/journal.db", "x");
  EXPECT_TRUE(CheckOperands({Make("mine/log", "a.wav\n")})) << "a job has more than that";
}

TEST_F(Operand, ThatOnlyLooksAlmostLikeResultsIsAList) {
  EXPECT_EQ(NamesOf({Make("l", "{\"file\"}.wav\nfile,start.wav\n")}),
            (Names{"{\"file\"}.wav", "file,start.wav"}));
  for (const std::string name :
       {"WEBVTT.wav", "WEBVTT_day/a.wav", "file,start,end,rank,label,score,1.wav",
        "file,start,end,rank,label,score,text,error.wav"}) {
    const std::string list = Make("l", name + '\n');
    EXPECT_TRUE(CheckOperands({list})) << name;
    EXPECT_EQ(NamesOf({list}), Names{name});
  }
}

TEST_F(Operand, OfWhichNothingComesIsAWarning) {
  const auto warnings = [](const Names& operands) {
    const auto list = Spool(operands);
    EXPECT_TRUE(list);
    return list.value()->warnings();
  };
  const std::string list = Make("none.txt", "\n\n");
  Make("empty/notes.txt");
  EXPECT_EQ(warnings({root_ + "empty", list}),
            (Names{"no audio files found in \"" + root_ + "empty\"",
                   "the list \"" + list + "\" has no entries"}));
  EXPECT_EQ(warnings({Make("some.txt", "a.wav\n"), "b.wav"}), Names{});
}

TEST_F(Operand, OrderIsKept) {
  const std::string list = Make("l", "z.wav\n");
  Make("d/a.wav");
  EXPECT_EQ(NamesOf({"q.wav", list, root_ + "d", "b.wav"}),
            (Names{"q.wav", "z.wav", root_ + "d/a.wav", "b.wav"}));
}

TEST_F(Operand, ExtensionIsThatOfTheLastPartOnly) {
  EXPECT_TRUE(HasAudioExtension("x.wav"));
  EXPECT_TRUE(HasAudioExtension("a.b/x.FlAc"));
  EXPECT_FALSE(HasAudioExtension("a.wav/x"));
  EXPECT_FALSE(HasAudioExtension(".wav"));
  EXPECT_FALSE(HasAudioExtension("a/.wav"));
  EXPECT_FALSE(HasAudioExtension("wav"));
  EXPECT_FALSE(HasAudioExtension("x.wav "));
  EXPECT_FALSE(HasAudioExtension("x."));
}

TEST_F(Operand, SpoolThatCannotBeWrittenIsAnError) {
  const auto list = SpoolOperands({"a.wav"}, UniqueFd(::open("/dev/full", O_RDWR)));
  ASSERT_FALSE(list);
  EXPECT_EQ(list.error().what, "could not write the spooled list: no space left on device");
}

TEST_F(Operand, SpoolThatWasCutIsAnErrorNotAShorterList) {
  UniqueFd spool(::memfd_create("spool", MFD_CLOEXEC));
  const int fd = spool.get();
  auto list = SpoolOperands({"a.wav", "b.wav"}, std::move(spool));
  ASSERT_TRUE(list);
  ASSERT_EQ(::ftruncate(fd, ::lseek(fd, 0, SEEK_END) - 3), 0);
  ListEntry entry;
  ASSERT_TRUE(list.value()->Next(entry));
  EXPECT_FALSE(list.value()->Next(entry));
}

TEST_F(Operand, SpoolThatWasKeptIsTheSameList) {
  UniqueFd spool(::memfd_create("spool", MFD_CLOEXEC));
  UniqueFd kept(::dup(spool.get()));
  const std::string list = root_ + "list";
  std::ofstream(list) << "x.wav\n/y.wav\n";
  ASSERT_TRUE(SpoolOperands({"a.wav", list, "b.wav"}, std::move(spool)));
  const auto again = FileList::Open(std::move(kept));
  for (int round = 0; round < 2; ++round) {
    std::vector<std::string> paths;
    ListEntry entry;
    for (;;) {
      const auto more = again->Next(entry);
      ASSERT_TRUE(more);
      if (!more.value()) break;
      paths.push_back(entry.path);
    }
    EXPECT_EQ(paths, (std::vector<std::string>{"a.wav", root_ + "x.wav", "/y.wav", "b.wav"}));
    EXPECT_EQ(again->current_folder(), std::filesystem::current_path().string());
    again->Rewind();
  }
}

}  // namespace
}  // namespace consort
