#include "supervisor/gather/gather.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace consort {
namespace {

std::string Line(uint64_t file, uint64_t segment) {
  return std::to_string(file) + ":" + std::to_string(segment) +
         std::string((file * 7 + segment * 3) % 40, '.') + "\n";
}

class GatherTest : public ::testing::Test {
 protected:
  // A gatherer whose scratch file can be looked at from outside.
  Gather Make(size_t memory_bytes) {
    const int fd = memfd_create("scratch", MFD_CLOEXEC);
    scratch_ = UniqueFd(dup(fd));
    return Gather(
        [this](std::string_view lines) -> Status {
          if (fail_) return Error{"told to fail"};
          EXPECT_FALSE(lines.empty());
          EXPECT_EQ(lines.back(), '\n') << "not a whole line";
          largest_ = std::max(largest_, lines.size());
          text_ += lines;
          return Ok();
        },
        ScratchFile(UniqueFd(fd)), memory_bytes);
  }
  off_t ScratchBytes() const {
    struct stat status {};
    EXPECT_EQ(fstat(scratch_.get(), &status), 0);
    return status.st_size;
  }

  std::string text_;
  size_t largest_ = 0;
  bool fail_ = false;
  UniqueFd scratch_;
};

TEST_F(GatherTest, LinesInOrderGoStraightThrough) {
  Gather gather = Make(0);
  EXPECT_TRUE(gather.Add(0, 0, "a\n"));
  EXPECT_EQ(text_, "a\n");
  EXPECT_TRUE(gather.Add(0, 1, "b\n"));
  EXPECT_EQ(text_, "a\nb\n");
  EXPECT_EQ(gather.bytes_in_memory(), 0U);
  EXPECT_EQ(gather.bytes_spilled(), 0U);
  EXPECT_EQ(gather.files_written(), 0U);
  EXPECT_TRUE(gather.Finish(0, 2, ""));
  EXPECT_EQ(gather.files_written(), 1U);
}

TEST_F(GatherTest, LinesThatRunAheadWaitForTheOnesBefore) {
  Gather gather = Make(1000);
  EXPECT_TRUE(gather.Add(1, 0, "d\n"));
  EXPECT_TRUE(gather.Finish(1, 1, ""));
  EXPECT_TRUE(gather.Add(0, 2, "c\n"));
  EXPECT_TRUE(gather.Add(0, 1, "b\n"));
  EXPECT_TRUE(gather.Finish(2, 0, "an error\n"));
  EXPECT_EQ(text_, "");
  EXPECT_TRUE(gather.Add(0, 0, "a\n"));
  EXPECT_EQ(text_, "a\nb\nc\n");
  EXPECT_TRUE(gather.Finish(0, 3, ""));
  EXPECT_EQ(text_, "a\nb\nc\nd\nan error\n");
  EXPECT_EQ(gather.files_written(), 3U);
}

TEST_F(GatherTest, LinesBeyondAFaultAreForgottenAndItsLineFollows) {
  for (const size_t memory_bytes : {size_t{1000}, size_t{0}}) {
    text_.clear();
    Gather gather = Make(memory_bytes);
    EXPECT_TRUE(gather.Add(1, 7, "seven\n"));
    EXPECT_TRUE(gather.Add(1, 3, "three\n"));
    EXPECT_TRUE(gather.Add(1, 4, "four\n"));
    EXPECT_TRUE(gather.Add(1, 1, "one\n"));
    EXPECT_TRUE(gather.Add(1, 0, "zero\n"));
    EXPECT_TRUE(gather.Finish(1, 2, "fault\n"));
    EXPECT_EQ(text_, "") << "the file before it is not finished";
    EXPECT_TRUE(gather.Finish(0, 0, "head\n"));
    EXPECT_EQ(text_, "head\nzero\none\nfault\n");
    EXPECT_EQ(gather.bytes_in_memory(), 0U);
    EXPECT_EQ(ScratchBytes(), 0);
  }
}

TEST_F(GatherTest, LeavesInItsFileWhatTheSinkHasNoRoomFor) {
  Gather gather = Make(1000);
  size_t room = 0;
  gather.StopWhile([&] { return text_.size() >= room; });
  std::string expected = "head\n";
  const uint64_t files = 3000;
  for (uint64_t file = 1; file < files; ++file) {
    for (uint64_t segment = 0; segment < 100; ++segment) {
      EXPECT_TRUE(gather.Add(file, segment, Line(file, segment)));
      expected += Line(file, segment);
    }
    EXPECT_TRUE(gather.Finish(file, 100, ""));
  }
  EXPECT_FALSE(gather.waits());
  EXPECT_TRUE(gather.Finish(0, 0, "head\n"));
  while (gather.waits()) {
    EXPECT_LE(text_.size(), room + 300'000) << "a piece at a time";
    EXPECT_LT(gather.files_written(), files);
    // What comes meanwhile joins what waits.
    if (room == 2'000'000) {
      EXPECT_TRUE(gather.Add(files, 0, "one more\n"));
      EXPECT_TRUE(gather.Finish(files, 1, ""));
      expected += "one more\n";
    }
    room += 500'000;
    EXPECT_TRUE(gather.GoOn());
  }
  EXPECT_GT(room, 5'000'000U);
  EXPECT_TRUE(text_ == expected);
  EXPECT_EQ(gather.files_written(), files + 1);
  EXPECT_EQ(gather.bytes_in_memory(), 0U);
  EXPECT_EQ(ScratchBytes(), 0);
}

TEST_F(GatherTest, WritesTheSameBytesWhateverTheOrderAndTheMemory) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    std::vector<std::pair<uint64_t, uint64_t>> order;  // UINT64_MAX: the file's end
    std::string expected;
    struct End {
      uint64_t segment;
      std::string tail;
    };
    std::vector<End> ends;
    for (uint64_t file = 0; file < 25; ++file) {
      const uint64_t segments = random() % 40;
      const uint64_t end = random() % 4 == 0 ? random() % (segments + 1) : segments;
      for (uint64_t k = 0; k < segments; ++k) {
        if (k == end) continue;  // where the fault lies there is no line
        order.emplace_back(file, k);
        if (k < end) expected += Line(file, k);
      }
      ends.push_back({end, end < segments ? "fault of " + std::to_string(file) + "\n" : ""});
      expected += ends.back().tail;
      order.emplace_back(file, UINT64_MAX);
    }
    std::shuffle(order.begin(), order.end(), random);
    // A file's end comes after its segments.
    std::vector<uint64_t> last(ends.size());
    for (size_t i = 0; i < order.size(); ++i) last[order[i].first] = i;
    for (auto& entry : order) {
      if (entry.second == UINT64_MAX) std::swap(entry.second, order[last[entry.first]].second);
    }

    text_.clear();
    const size_t bound = random() % 2 == 0 ? 300 : random() % 5000;
    Gather gather = Make(bound);
    for (const auto& [file, segment] : order) {
      if (segment == UINT64_MAX) {
        ASSERT_TRUE(gather.Finish(file, ends[file].segment, ends[file].tail));
      } else {
        ASSERT_TRUE(gather.Add(file, segment, Line(file, segment)));
      }
      ASSERT_LE(gather.bytes_in_memory(), bound + 50);
    }
    EXPECT_EQ(text_, expected);
    EXPECT_EQ(gather.files_written(), ends.size());
    EXPECT_EQ(gather.bytes_in_memory(), 0U);
    EXPECT_EQ(ScratchBytes(), 0) << "what is no longer needed takes no disk";
  }
}

TEST_F(GatherTest, SpillsWhatRunsAheadSoThatMemoryStaysBounded) {
  constexpr size_t kBound = 4096;
  Gather gather = Make(kBound);
  std::string expected;
  size_t longest = 0;
  for (uint64_t k = 1; k < 20'000; ++k) {
    const std::string line = Line(0, k);
    longest = std::max(longest, line.size());
    ASSERT_TRUE(gather.Add(0, k, line));
    ASSERT_LE(gather.bytes_in_memory(), kBound + longest);
    expected += line;
  }
  EXPECT_EQ(text_, "");
  EXPECT_GE(gather.bytes_spilled(), expected.size() - kBound);
  EXPECT_TRUE(gather.Add(0, 0, Line(0, 0)));
  EXPECT_EQ(text_, Line(0, 0) + expected);
  EXPECT_LE(largest_, 256U * 1024 + longest) << "what was spilled is not read back in one piece";
  EXPECT_TRUE(gather.Finish(0, 20'000, ""));
  EXPECT_EQ(ScratchBytes(), 0);
}

TEST_F(GatherTest, KeepsAlmostNothingOfAHundredThousandFilesAheadOfAHeadThatHangs) {
  constexpr size_t kBound = 64 * 1024;
  Gather gather = Make(kBound);
  std::string expected;
  std::mt19937 random(1);
  std::vector<uint64_t> window;  // files end in any order within a window, as with several engines
  for (uint64_t file = 1; file <= 100'000; ++file) {
    expected += Line(file, 0);
    window.push_back(file);
    if (window.size() < 8 && file < 100'000) continue;
    std::shuffle(window.begin(), window.end(), random);
    for (const uint64_t done : window) {
      ASSERT_TRUE(gather.Add(done, 0, Line(done, 0)));
      ASSERT_TRUE(gather.Finish(done, 1, ""));
    }
    window.clear();
    ASSERT_LE(gather.pieces(), 200U) << "it grows with the text, by what is spilled at a time";
    ASSERT_LE(gather.bytes_in_memory(), kBound);
  }
  EXPECT_EQ(text_, "");
  EXPECT_TRUE(gather.Finish(0, 0, "head\n"));
  EXPECT_EQ(text_, "head\n" + expected);
  EXPECT_EQ(gather.files_written(), 100'001U);
  EXPECT_EQ(ScratchBytes(), 0);
}

TEST_F(GatherTest, ReadsBackARunFarLargerThanItsMemoryInPieces) {
  Gather gather = Make(1 << 20);
  std::string expected;
  const std::string line(999, 'x');
  for (uint64_t k = 1; k < 8'000; ++k) {
    const std::string numbered = std::to_string(k) + line + "\n";
    ASSERT_TRUE(gather.Add(0, k, numbered));
    expected += numbered;
  }
  EXPECT_TRUE(gather.Add(0, 0, "0\n"));
  EXPECT_TRUE(text_ == "0\n" + expected);
  EXPECT_LE(largest_, 1U << 20);
}

TEST_F(GatherTest, UsesTheScratchFileAgainAfterEmptyingIt) {
  Gather gather = Make(10);
  std::string expected;
  for (uint64_t file = 0; file < 5; ++file) {
    for (uint64_t k = 10; k-- > 0;) EXPECT_TRUE(gather.Add(file, k, Line(file, k)));
    EXPECT_TRUE(gather.Finish(file, 10, ""));
    EXPECT_EQ(ScratchBytes(), 0);
    for (uint64_t k = 0; k < 10; ++k) expected += Line(file, k);
  }
  EXPECT_EQ(text_, expected);
}

TEST_F(GatherTest, TellsWhenTheResultsCannotBeWritten) {
  Gather gather = Make(1000);
  EXPECT_TRUE(gather.Add(0, 1, "b\n"));
  fail_ = true;
  EXPECT_EQ(gather.Add(0, 0, "a\n").error().what, "told to fail");
}

TEST_F(GatherTest, TellsWhenTheScratchFileCannotBeWritten) {
  UniqueFd read_only(open("/dev/null", O_RDONLY | O_CLOEXEC));
  Gather gather([](std::string_view) { return Ok(); }, ScratchFile(std::move(read_only)), 4);
  const Status status = gather.Add(0, 1, "a line\n");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().what, "could not write to the scratch file: bad file descriptor");
}

// Makes a line of each two pieces: what is between them is held back.
class InPairs : public LineJoiner {
 public:
  void Begin() override { held_.clear(); }
  Status Add(std::string_view pieces, const Sink& put) override {
    while (!pieces.empty()) {
      const auto piece = pieces.substr(0, pieces.find('\n'));
      if (piece == "damaged") return Error{"damaged", "begin anew"};
      pieces.remove_prefix(piece.size() + 1);
      if (held_.empty()) {
        held_ = piece;
      } else {
        CONSORT_TRY(put(held_ + "+" + std::string(piece) + "\n"));
        held_.clear();
      }
    }
    return Ok();
  }
  Status End(std::string_view tail, const Sink& put) override {
    if (!held_.empty()) CONSORT_TRY(put(held_ + "\n"));
    held_.clear();
    return put(tail);
  }
  std::string Save() const override { return held_; }
  Status Restore(std::string_view saved) override {
    if (saved == "damaged") return Error{"damaged", "begin anew"};
    held_ = saved;
    return Ok();
  }

 private:
  std::string held_;
};

TEST_F(GatherTest, PiecesAreJoinedInOrder) {
  Gather gather = Make(1000);
  gather.JoinWith(std::make_unique<InPairs>(), std::make_unique<InPairs>());
  EXPECT_TRUE(gather.Add(0, 0, "a\n"));
  EXPECT_EQ(text_, "") << "held back";
  EXPECT_EQ(gather.head_next(), 1U);
  EXPECT_EQ(gather.head_bytes(), 0U);
  EXPECT_EQ(gather.SaveJoiner(), "a");
  EXPECT_TRUE(gather.Add(0, 2, "c\n"));
  EXPECT_TRUE(gather.Add(0, 1, "b\n"));
  EXPECT_EQ(text_, "a+b\n");
  EXPECT_EQ(gather.head_bytes(), 4U);
  EXPECT_EQ(gather.SaveJoiner(), "c");
  // The next file, done before; then the head, with an error.
  for (const uint64_t k : {2, 0, 1}) EXPECT_TRUE(gather.Add(1, k, std::to_string(k) + "\n"));
  EXPECT_TRUE(gather.Finish(1, 3, ""));
  EXPECT_EQ(gather.finished_bytes(), std::string("0+1\n2\n").size());
  EXPECT_TRUE(gather.Finish(0, 3, "error\n"));
  EXPECT_EQ(gather.finished_bytes(), std::string("a+b\nc\nerror\n").size());
  EXPECT_EQ(text_, "a+b\nc\nerror\n0+1\n2\n");
  EXPECT_EQ(gather.SaveJoiner(), "") << "of another file";
  EXPECT_TRUE(gather.Finish(2, 0, "error\n"));
  EXPECT_EQ(gather.files_written(), 3U);
  EXPECT_EQ(gather.bytes_in_memory(), 0U);
}

TEST_F(GatherTest, AJoinerGoesOnWhereAnotherWas) {
  Gather gather = Make(1000);
  gather.JoinWith(std::make_unique<InPairs>(), std::make_unique<InPairs>());
  EXPECT_TRUE(gather.StartAt(4, 3, 10, "c"));
  EXPECT_TRUE(gather.Add(4, 3, "d\n"));
  EXPECT_EQ(text_, "c+d\n");
  EXPECT_TRUE(gather.Finish(4, 4, ""));
  EXPECT_EQ(gather.finished_bytes(), 14U);
}

TEST_F(GatherTest, PiecesThatAJoinerRefusesAreAnError) {
  Gather gather = Make(1000);
  gather.JoinWith(std::make_unique<InPairs>(), std::make_unique<InPairs>());
  EXPECT_TRUE(gather.Add(1, 0, "damaged\n"));
  const Status other = gather.Finish(1, 1, "");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().Sentence(), "damaged (file 2 of the list); begin anew");
  const Status head = gather.Add(0, 0, "damaged\n");
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().Sentence(), "damaged (file 1 of the list); begin anew");
  const Status restored = gather.StartAt(6, 0, 0, "damaged");
  ASSERT_FALSE(restored);
  EXPECT_EQ(restored.error().Sentence(), "damaged (file 7 of the list); begin anew");
}

// Whatever order pieces come in, and however little memory there is.
TEST_F(GatherTest, PiecesInAnyOrderGiveTheSameLines) {
  constexpr uint64_t kFiles = 12;
  constexpr uint64_t kSegments = 41;
  std::string expected;
  for (uint64_t file = 0; file < kFiles; ++file) {
    InPairs joiner;
    const auto put = [&expected](std::string_view lines) {
      expected += lines;
      return Ok();
    };
    for (uint64_t k = 0; k < kSegments; ++k) EXPECT_TRUE(joiner.Add(Line(file, k), put));
    EXPECT_TRUE(joiner.End("", put));
  }
  std::mt19937 random(5);
  for (const size_t memory : {size_t{0}, size_t{300}, size_t{1} << 20}) {
    for (int round = 0; round < 5; ++round) {
      text_.clear();
      Gather gather = Make(memory);
      gather.JoinWith(std::make_unique<InPairs>(), std::make_unique<InPairs>());
      std::vector<std::pair<uint64_t, uint64_t>> order;
      for (uint64_t file = 0; file < kFiles; ++file) {
        for (uint64_t k = 0; k < kSegments; ++k) order.emplace_back(file, k);
      }
      std::shuffle(order.begin(), order.end(), random);
      // Files end at different times.
      if (round > 0)
        std::stable_sort(order.begin(), order.end(),
                         [](auto a, auto b) { return a.first % 3 > b.first % 3; });
      std::vector<uint64_t> left(kFiles, kSegments);
      uint64_t bytes = 0;
      for (const auto& [file, k] : order) {
        ASSERT_TRUE(gather.Add(file, k, Line(file, k)));
        if (--left[file] > 0) continue;
        ASSERT_TRUE(gather.Finish(file, kSegments, ""));
        bytes += gather.finished_bytes();
      }
      ASSERT_EQ(text_, expected) << memory << " bytes of memory";
      ASSERT_EQ(bytes, expected.size());
      ASSERT_EQ(gather.bytes_in_memory(), 0U);
      ASSERT_EQ(ScratchBytes(), 0);
    }
  }
}

TEST(ScratchFileTest, GivesBackWhatWasAppendedFromWhereItSaid) {
  ScratchFile scratch(UniqueFd(memfd_create("scratch", MFD_CLOEXEC)));
  const uint64_t first = scratch.Append("hello").value();
  const uint64_t second = scratch.Append(std::string(100'000, 'y')).value();
  EXPECT_EQ(second, first + 5);
  std::string out = "before ";
  EXPECT_TRUE(scratch.Read(first, 5, out));
  EXPECT_EQ(out, "before hello");
  out.clear();
  EXPECT_TRUE(scratch.Read(second + 99'990, 10, out));
  EXPECT_EQ(out, "yyyyyyyyyy");
}

TEST(ScratchFileTest, RefusesToReadWhatWasNeverWritten) {
  ScratchFile scratch(UniqueFd(memfd_create("scratch", MFD_CLOEXEC)));
  EXPECT_TRUE(scratch.Append("hello"));
  std::string out;
  EXPECT_FALSE(scratch.Read(0, 6, out));
  EXPECT_TRUE(scratch.Clear());
  EXPECT_FALSE(scratch.Read(0, 1, out));
}

TEST(ScratchFileTest, HasNoNameAndNeedsAFolder) {
  std::string folder = testing::TempDir() + "scratch-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  auto fd = MakeScratchFile(folder);
  ASSERT_TRUE(fd);
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  EXPECT_EQ(write(fd.value().get(), "x", 1), 1);
  std::filesystem::remove(folder);
  const auto none = MakeScratchFile(folder);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().what,
            "could not make a scratch file in \"" + folder + "\": no such file or directory");
}

}  // namespace
}  // namespace consort
