#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "supervisor/journal/journal.h"

namespace consort {
namespace {

class JournalTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "consort_journal_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    path_ = root_ + "/journal.db";
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::unique_ptr<Journal> Open() {
    auto journal = Journal::Open(path_);
    EXPECT_TRUE(journal) << (journal ? "" : journal.error().Sentence());
    return journal ? std::move(journal).value() : nullptr;
  }
  // What ReadAhead tells, as one text.
  static std::string Ahead(Journal& journal) {
    std::string told;
    const Status status = journal.ReadAhead(
        [&told](const AheadRow& row) {
          told += std::to_string(row.file) + ":" + std::to_string(row.first) + "+" +
                  std::to_string(row.count) + "=" + std::string(row.text) + ";";
          return Ok();
        },
        [&told](const FileRow& row) {
          told += "end " + std::to_string(row.file) + ";";
          return Ok();
        });
    EXPECT_TRUE(status);
    return told;
  }

  std::string root_;
  std::string path_;
};

FileRow Row(uint64_t file, uint64_t segments, uint64_t bytes) {
  FileRow row;
  row.file = file;
  row.segments = segments;
  row.bytes = bytes;
  return row;
}
FileRow FailedRow(uint64_t file, uint64_t bytes) {
  FileRow row = Row(file, 0, bytes);
  row.code = static_cast<uint32_t>(ErrorCode::kNotFound);
  row.error = "oops\n";
  row.tail = true;
  return row;
}

const Identity kIdentity = {{"model", "abc", "the model"}, {"intra", "1", "--intra", true}};

// Where they are heard one by one; else nothing is told of them.
TEST_F(JournalTest, KeepsTheChannelsOfOpenAndOfFailedFiles) {
  {
    const auto journal = Open();
    ASSERT_TRUE(journal->Begin(kIdentity, 10));
    JournalStep step;
    step.totals = journal->totals();
    for (uint64_t file = 0; file < 4; ++file) {
      ResumeFile open;
      open.info.file = file;
      open.info.samples = 1000;
      open.info.sample_rate = 100;
      open.info.channels = static_cast<int32_t>(2 * file);
      step.open.push_back(open);
    }
    step.files = {FailedRow(5, 10), FailedRow(6, 10), Row(7, 4, 10)};
    step.files[0].channels = 6;
    step.files[2].channels = 4;
    ASSERT_TRUE(journal->Commit(step));
  }
  const auto journal = Open();
  const auto point = journal->ReadResumePoint(false).value();
  ASSERT_EQ(point.open.size(), 4U);
  for (const auto& open : point.open) {
    EXPECT_EQ(open.info.channels, static_cast<int32_t>(2 * open.info.file));
  }
  EXPECT_EQ(journal->ReadChannels().value(), (std::map<uint64_t, int32_t>{{5, 6}}));
  ASSERT_TRUE(journal->Clear(true));
  EXPECT_TRUE(journal->ReadChannels().value().empty());
}

// A journal of this version from before anybody heard channels one by one.
TEST_F(JournalTest, WithoutATableOfChannelsGoesOn) {
  ASSERT_TRUE(Open()->Begin(kIdentity, 10));
  ASSERT_TRUE(Database::Open(path_, Database::Mode::kReadWrite).value().Run("DROP TABLE channels"));
  const auto journal = Open();
  EXPECT_TRUE(journal->begun());
  EXPECT_TRUE(journal->ReadChannels().value().empty());
  EXPECT_TRUE(journal->ReadResumePoint(false));
}

// As earlier versions wrote them, which knew nothing of joiners.
TEST_F(JournalTest, OfVersionTwoIsReadAndGoesOn) {
  {
    const auto journal = Open();
    ASSERT_TRUE(journal->Begin(kIdentity, 10));
    JournalStep step;
    step.totals = journal->totals();
    step.totals.bytes = 7;
    ASSERT_TRUE(journal->Commit(step));
  }
  ASSERT_TRUE(Database::Open(path_, Database::Mode::kReadWrite)
                  .value()
                  .Run("DROP TABLE joiner; PRAGMA user_version = 2"));
  for (const char* held_back : {"", "some", ""}) {
    const auto journal = Open();
    EXPECT_EQ(journal->totals().bytes, 7U);
    JournalStep step;
    step.totals = journal->totals();
    step.totals.joiner = held_back;
    ASSERT_TRUE(journal->Commit(step));
    EXPECT_EQ(Open()->totals().joiner, held_back);
  }
}

// The memory is only promised: SQLite must look at the size first.
TEST_F(JournalTest, ATextThatIsTooLongIsAnErrorAndNotNothing) {
  constexpr size_t kSize = size_t{1} << 31;
  void* const memory =
      mmap(nullptr, kSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  {
    auto database = Database::Open(path_, Database::Mode::kReadWrite).value();
    ASSERT_TRUE(database.Run("CREATE TABLE texts (text TEXT)"));
    auto insert = database.Prepare("INSERT INTO texts VALUES (?)").value();
    const Status status = insert.With(std::string_view(static_cast<char*>(memory), kSize)).Run();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().what,
              "could not use the journal \"" + path_ + "\": string or blob too big");
    EXPECT_TRUE(insert.With(std::string_view("short")).Run());
    EXPECT_EQ(database.Number("SELECT COUNT(*) FROM texts").value(), 1);
  }
  munmap(memory, kSize);
}

// It may be some hundred kilobytes, and a job may commit many times while the head does not move.
TEST_F(JournalTest, WhatIsHeldBackIsWrittenOnlyWhenItChanged) {
  const auto journal = Open();
  ASSERT_TRUE(journal->Begin(kIdentity, 10));
  // Only whoever writes the state meets this; what another connection sees is what is committed.
  const auto watch = [this](const char* sql) {
    ASSERT_TRUE(Database::Open(path_, Database::Mode::kReadWrite).value().Run(sql));
  };
  const auto commit = [&journal](const char* held_back) {
    JournalStep step;
    step.totals = journal->totals();
    ++step.totals.bytes;
    step.totals.joiner = held_back;
    return journal->Commit(step);
  };
  ASSERT_TRUE(commit("some"));
  watch("CREATE TRIGGER once BEFORE DELETE ON joiner BEGIN SELECT RAISE(FAIL, 'again'); END");
  ASSERT_TRUE(commit("some"));
  watch("DROP TRIGGER once");
  ASSERT_TRUE(commit("other"));
  EXPECT_EQ(Open()->totals().joiner, "other");
  EXPECT_EQ(Open()->totals().bytes, 3U);
  ASSERT_TRUE(journal->Clear(false));
  EXPECT_EQ(Open()->totals().joiner, "") << "begun anew";
}

TEST_F(JournalTest, OfANewFileHasBegunNothing) {
  const auto journal = Open();
  EXPECT_FALSE(journal->begun());
  EXPECT_FALSE(journal->switching());
}

TEST_F(JournalTest, RemembersWhatWasCommittedAndNothingElse) {
  {
    const auto journal = Open();
    ASSERT_TRUE(journal->Begin(kIdentity, 10));
    JournalStep step;
    step.totals = journal->totals();
    step.totals.bytes = 123;
    step.totals.head = 2;
    step.totals.head_segment = 4;
    step.totals.segments = 99;
    step.totals.audio_seconds = 1.5;
    step.totals.stage_ns[1] = 7;
    step.totals.restarts = {1, 2, 3, 4};
    step.totals.workers_replaced = 5;
    step.totals.joiner = "held back";
    step.files = {Row(0, 3, 40), FailedRow(5, 9)};
    FileInfo info;
    info.file = 2;
    info.samples = 1000;
    info.sample_rate = 10;
    step.open = {{.info = info, .accounted = {}, .fault = {}, .crashed = {}, .crash_line = "c\n"}};
    step.quarantined = {{2, 1, "c\n"}, {0, 7, "d\n"}};
    step.suspects = {{2, 8, 1, 1}, {2, 9, 0, 2}, {4, 1, 0, 2}};
    step.in_hand = {{3, 0}, {3, 1}, {2, 9}};
    step.ahead = {{2, 6, 2, "g\nh\n"}};
    ASSERT_TRUE(journal->Commit(step));
  }
  const auto journal = Open();
  EXPECT_TRUE(journal->begun());
  EXPECT_EQ(journal->totals().entries, 10U);
  EXPECT_EQ(journal->totals().bytes, 123U);
  EXPECT_EQ(journal->totals().segments, 99U);
  EXPECT_EQ(journal->totals().audio_seconds, 1.5);
  EXPECT_EQ(journal->totals().stage_ns[1], 7);
  EXPECT_EQ(journal->totals().restarts, (std::array<uint64_t, 4>{1, 2, 3, 4}));
  EXPECT_EQ(journal->totals().workers_replaced, 5U);
  EXPECT_EQ(journal->totals().joiner, "held back");
  EXPECT_FALSE(journal->totals().finished());
  EXPECT_EQ(journal->ReadFailed().value(),
            (std::map<ErrorCode, uint64_t>{{ErrorCode::kNotFound, 1}}));
  EXPECT_EQ(Ahead(*journal), "2:6+2=g\nh\n;end 5;");
  const auto point = journal->ReadResumePoint(false);
  ASSERT_TRUE(point);
  EXPECT_EQ(point.value().done.ranges(), (std::map<uint64_t, uint64_t>{{0, 2}, {5, 6}}));
  ASSERT_EQ(point.value().open.size(), 1U);
  EXPECT_EQ(point.value().open[0].accounted.ranges(),
            (std::map<uint64_t, uint64_t>{{0, 4}, {6, 8}}));
  EXPECT_EQ(point.value().open[0].crash_line, "c\n");
  EXPECT_EQ(point.value().open[0].crashed, std::set<uint64_t>{1}) << "its own, by the quarantine";
  const auto& suspects = point.value().suspects;
  ASSERT_EQ(suspects.size(), 3U);
  EXPECT_EQ(suspects[0].segment, 8U);
  EXPECT_EQ(suspects[0].deaths, 1);
  EXPECT_NE(suspects[0].together, suspects[1].together);
  EXPECT_EQ(suspects[1].together, suspects[2].together);
  std::set<int64_t> groups;
  const auto doubtful = journal->ReadResumePoint(true).value().suspects;
  for (const auto& it : doubtful) groups.insert(it.together);
  EXPECT_EQ(doubtful.size(), 5U);
  EXPECT_EQ(groups.size(), 4U) << "what was in hand is apart from each other";
}

TEST_F(JournalTest, LeavesOutOfARunWhatHasBeenWrittenSince) {
  const auto journal = Open();
  ASSERT_TRUE(journal->Begin(kIdentity, 10));
  JournalStep step;
  step.totals = journal->totals();
  step.ahead = {{0, 5, 4, "a\nbb\nccc\nd\n"}, {0, 20, 1, "z\n"}, {1, 0, 1, "y\n"}};
  ASSERT_TRUE(journal->Commit(step));
  step.ahead.clear();
  step.totals.head_segment = 7;
  ASSERT_TRUE(journal->Commit(step));
  EXPECT_EQ(Ahead(*journal), "0:7+2=ccc\nd\n;0:20+1=z\n;1:0+1=y\n;");
  step.totals.head_segment = 9;
  ASSERT_TRUE(journal->Commit(step));
  EXPECT_EQ(Ahead(*journal), "0:20+1=z\n;1:0+1=y\n;");
  step.totals.head = 1;
  step.totals.head_segment = 1;
  ASSERT_TRUE(journal->Commit(step));
  EXPECT_EQ(Ahead(*journal), "");
}

TEST_F(JournalTest, ClearForgetsEverything) {
  const auto journal = Open();
  ASSERT_TRUE(journal->Begin(kIdentity, 10));
  JournalStep step;
  step.totals = journal->totals();
  step.totals.bytes = 5;
  step.files = {FailedRow(0, 5)};
  step.suspects = {{2, 8, 1}};
  ASSERT_TRUE(journal->Commit(step));
  ASSERT_TRUE(journal->Clear(true));
  EXPECT_TRUE(Open()->anew());
  EXPECT_FALSE(Open()->begun()) << "killed here, the next start is a first one";
  ASSERT_TRUE(journal->Begin(kIdentity, 3));
  EXPECT_EQ(journal->totals().bytes, 0U);
  EXPECT_TRUE(journal->ReadFailed().value().empty());
  EXPECT_TRUE(journal->ReadResumePoint(true).value().suspects.empty());
}

TEST_F(JournalTest, CountsStartsThatCameToNothing) {
  for (uint64_t start = 1; start <= 3; ++start) {
    const auto journal = Open();
    ASSERT_TRUE(journal->GoOn(kIdentity, 10));
    EXPECT_EQ(journal->totals().idle_starts, start);
  }
}

TEST_F(JournalTest, KeepsItsPromiseOfNewRowsAfterADeath) {
  {
    const auto journal = Open();
    ASSERT_TRUE(journal->Begin(kIdentity, 2));
    JournalStep step;
    step.totals = journal->totals();
    step.totals.bytes = 50;
    step.files = {Row(0, 1, 30), FailedRow(1, 20)};
    ASSERT_TRUE(journal->Commit(step));
    JobTotals totals = journal->totals();
    totals.bytes = 130;
    totals.restarts = {5, 6, 7, 8};
    totals.workers_replaced = 9;
    ASSERT_TRUE(journal->BeginSwitch({Row(1, 4, 100)}, {}, totals));
    EXPECT_EQ(journal->totals().bytes, 50U) << "the old results stand";
  }
  {
    const auto journal = Open();
    ASSERT_TRUE(journal->switching());
    ASSERT_TRUE(journal->EndSwitch());
  }
  const auto journal = Open();
  EXPECT_FALSE(journal->switching());
  EXPECT_EQ(journal->totals().bytes, 130U);
  EXPECT_EQ(journal->totals().restarts, (std::array<uint64_t, 4>{5, 6, 7, 8}));
  EXPECT_EQ(journal->totals().workers_replaced, 9U);
  EXPECT_TRUE(journal->ReadFailed().value().empty());
}

TEST_F(JournalTest, WhatIsQuarantinedIsAFileThatFollowsTheJournal) {
  const std::string file = root_ + "/quarantine.jsonl";
  const auto content = [&file] {
    std::ifstream stream(file);
    return std::string(std::istreambuf_iterator<char>(stream), {});
  };
  {
    const auto journal = Open();
    ASSERT_TRUE(journal->Begin(kIdentity, 3));
    JournalStep step;
    step.totals = journal->totals();
    step.files = {FailedRow(2, 20), FailedRow(1, 20)};
    step.quarantined = {{2, 5, "b\n"}};
    ASSERT_TRUE(journal->Commit(step));
    step.quarantined = {{1, 7, "a\n"}, {1, 3, "c\n"}};
    ASSERT_TRUE(journal->Commit(step));
    EXPECT_EQ(content(), "b\na\nc\n");
    EXPECT_EQ(journal->ReadQuarantined().value(),
              (std::map<uint64_t, std::vector<uint64_t>>{{1, {3, 7}}, {2, {5}}}));
  }
  std::ofstream(file) << "b\na";  // killed, or the power failed
  Open();
  EXPECT_EQ(content(), "c\na\nb\n");
  {
    const auto journal = Open();
    ASSERT_TRUE(journal->BeginSwitch({Row(1, 4, 100)}, {{1, 9, "d\n"}}, journal->totals()));
    EXPECT_EQ(content(), "c\na\nb\n") << "the old results stand";
  }
  const auto journal = Open();
  ASSERT_TRUE(journal->EndSwitch());
  EXPECT_EQ(content(), "d\nb\n") << "what was done again has its new lines alone";
  ASSERT_TRUE(journal->Clear(true));
  ASSERT_TRUE(journal->Begin(kIdentity, 3));
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(JournalTest, OfSomethingElseIsRefused) {
  std::ofstream(path_) << std::string(10'000, 'x');
  auto journal = Journal::Open(path_);
  ASSERT_FALSE(journal);
  EXPECT_NE(journal.error().what.find("cannot be read as a journal"), std::string::npos);
  EXPECT_NE(journal.error().hint.find("--restart"), std::string::npos);
  std::filesystem::remove(path_);
  ASSERT_TRUE(Database::Open(path_, Database::Mode::kReadWrite).value().Run("CREATE TABLE a (b)"));
  journal = Journal::Open(path_);
  ASSERT_FALSE(journal);
  EXPECT_EQ(journal.error().what, "\"" + path_ + "\" is no journal of consort");
  std::filesystem::remove(path_);
  Open();
  ASSERT_TRUE(
      Database::Open(path_, Database::Mode::kReadWrite).value().Run("PRAGMA user_version = 99"));
  journal = Journal::Open(path_);
  ASSERT_FALSE(journal);
  EXPECT_NE(journal.error().what.find("version 99"), std::string::npos);
}

// As a supervisor on another machine has it, on a network file system.
TEST_F(JournalTest, ThatAnotherHasForItselfIsNoReasonToBeginAnew) {
  ASSERT_TRUE(Open()->Begin(kIdentity, 10));
  {
    auto holder = Database::Open(path_, Database::Mode::kReadWrite).value();
    ASSERT_TRUE(holder.Run("PRAGMA locking_mode=EXCLUSIVE"));
    ASSERT_TRUE(holder.Number("SELECT COUNT(*) FROM job"));
    bool in_use = false;
    const auto journal = Journal::Open(path_, &in_use);
    ASSERT_FALSE(journal);
    EXPECT_TRUE(in_use);
    EXPECT_EQ(journal.error().what,
              '"' + path_ + "\" is in use by another process, perhaps on another machine");
    EXPECT_EQ(journal.error().hint.find("--restart"), std::string::npos);
  }
  EXPECT_TRUE(Open()->begun());
}

TEST(IdentityTest, TellsWhatDiffersAndWhatToDo) {
  const std::vector<std::pair<std::string, std::string>> was = {{"model", "abc"}, {"intra", "1"}};
  EXPECT_TRUE(CompareIdentity(was, kIdentity, "job", false));
  Identity now = kIdentity;
  now[1].value = "2";
  const Status refused = CompareIdentity(was, now, "job", false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what, "the job in \"job\" cannot go on: --intra was 1 and is 2 now");
  EXPECT_NE(refused.error().hint.find("--mixed"), std::string::npos);
  EXPECT_TRUE(CompareIdentity(was, now, "job", true));
  now[0].value = "abd";
  const Status model = CompareIdentity(was, now, "job", true);
  ASSERT_FALSE(model) << "no mix of two models";
  EXPECT_EQ(model.error().hint.find("--mixed"), std::string::npos);
}

TEST(IdentityTest, KnowsWhatAnEmptyValueMeans) {
  Identity now = kIdentity;
  now.push_back({.key = "top_k", .value = "", .words = "--top-k", .when_empty = "the bundle's 5"});
  const std::vector<std::pair<std::string, std::string>> old = {{"model", "abc"}, {"intra", "1"}};
  EXPECT_TRUE(CompareIdentity(old, now, "job", false)) << "a job from before the part was known";
  now.back().value = "3";
  const Status refused = CompareIdentity(old, now, "job", true);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what,
            "the job in \"job\" cannot go on: --top-k was the bundle's 5 and is 3 now");
}

}  // namespace
}  // namespace consort
