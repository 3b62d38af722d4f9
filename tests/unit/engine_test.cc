// An engine in a thread of this process, fed over a real channel, with a pipeline that makes things
// up. A record of an unknown type ends it.
#include "worker/engine/engine.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>

#include "shared/record/error_code.h"
#include "shared/ring/futex.h"

namespace consort {
namespace {

// Paths are numbers of segments: "5", "5 bad 3" (a fault at 3), "bad" (cannot be opened), "broken"
// (nor can any other).
class FakePipeline : public Pipeline {
 public:
  Result<PipelineFault> Open(const std::string& path, FileInfo& info) override {
    EXPECT_FALSE(open_) << "two files open at once";
    Sleep();
    if (path == "bad") return Fault();
    if (path == "broken") return Error{"broken"};
    char* rest = nullptr;
    count_ = std::strtoll(path.c_str(), &rest, 10);
    bad_ = std::string_view(rest).starts_with(" bad ") ? std::atoll(rest + 5) : -1;
    info = FileInfo{};
    info.samples = count_ * 100;
    info.sample_rate = 100;
    open_ = true;
    return PipelineFault();
  }
  int64_t SegmentCount() const override { return count_; }
  int64_t batch() const override { return batch_size; }
  int64_t place() const override { return place_size; }
  PipelineFault GoTo(int64_t k) override {
    EXPECT_TRUE(open_);
    std::this_thread::sleep_for(std::chrono::milliseconds(way_ms));
    went_to = k;
    return k == bad_way ? Fault() : std::nullopt;
  }
  PipelineFault Run(int64_t k, int64_t end, SegmentResult& result) override {
    EXPECT_TRUE(open_);
    EXPECT_LT(k, end);
    EXPECT_LE(end, count_);
    last_end = end;
    Sleep();
    ++runs;
    if (k == bad_) return Fault();
    if (tells_runs) {
      result = SegmentRuns{
          .first_frame = static_cast<uint64_t>(k * 10), .frames = 10, .runs = {{2, 3, 4, 0.5F}}};
      return std::nullopt;
    }
    SegmentTags tags;
    for (size_t i = 0; i < tags_a_segment; ++i) {
      tags.tags.push_back({static_cast<uint32_t>(k), 0.5F});
    }
    result = std::move(tags);
    return std::nullopt;
  }
  void Close() override {
    EXPECT_TRUE(open_);
    open_ = false;
  }

  std::atomic<int> sleep_ms{0};
  std::atomic<int> way_ms{0};
  std::atomic<int64_t> went_to{-1};
  std::atomic<int64_t> bad_way{-1};
  std::atomic<int> runs{0};
  std::atomic<int64_t> batch_size{1};
  std::atomic<int64_t> place_size{1};
  std::atomic<int64_t> last_end{0};
  std::atomic<size_t> tags_a_segment{1};
  std::atomic<bool> tells_runs{false};

 private:
  static PipelineFault Fault() {
    return FileFault{77, 77, 5, static_cast<uint32_t>(ErrorCode::kDecode), "bad"};
  }
  void Sleep() const { std::this_thread::sleep_for(std::chrono::milliseconds(sleep_ms)); }

  int64_t count_ = 0;
  int64_t bad_ = -1;
  bool open_ = false;
};

class EngineTest : public ::testing::Test {
 protected:
  EngineTest()
      : channel_(Channel::Create({-1}).value()),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        tasks_(channel_.task_ring(0), channel_.task_cells(0), kTaskRingWords),
        results_(channel_.result_ring(0), channel_.result_cells(0), kResultRingWords) {}
  ~EngineTest() override {
    if (!thread_.joinable()) return;
    Push(99, "");
    while (!ended_) Take();  // it may wait for room
    thread_.join();
    EXPECT_EQ(end_.what, expected_end_);
  }

  void Start() {
    thread_ = std::thread([this] {
      Engine engine(channel_, 0, wake_.get());
      end_ = engine.Run(pipeline_).error();
      ended_ = true;
    });
  }
  void Push(uint32_t type, std::string_view bytes) {
    ASSERT_EQ(tasks_.TryPush(type, bytes.data(), static_cast<uint32_t>(bytes.size())),
              Producer::Push::kPushed);
    if (tasks_.ConsumerNeedsWake()) FutexWake(&channel_.task_ring(0)->consumer_asleep);
  }
  void Give(const Task& task) {
    std::vector<uint8_t> bytes;
    Encode(task, bytes);
    Push(kTaskRecord, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  // The next record if there is one.
  std::optional<ResultRecord> Take() {
    std::vector<uint8_t> bytes(kMaxResultBytes);
    uint32_t type = 0;
    uint32_t size = 0;
    if (results_.TryPop(bytes.data(), static_cast<uint32_t>(bytes.size()), &type, &size) !=
        Consumer::Pop::kPopped) {
      std::this_thread::yield();
      return std::nullopt;
    }
    if (results_.ProducerNeedsWake()) FutexWake(&channel_.result_ring(0)->producer_asleep);
    ResultRecord record;
    EXPECT_TRUE(DecodeResult(type, bytes.data(), size, record));
    return record;
  }
  // What comes until the task is done, as text: "info 3, tags 3:0, fault 3:1, done 7".
  std::string TakeTask() {
    std::string text;
    for (;;) {
      const auto record = Take();
      if (!record) continue;
      if (const auto* info = std::get_if<FileInfo>(&*record)) {
        text += "info " + std::to_string(info->file) + ", ";
      } else if (const auto* tags = std::get_if<SegmentTags>(&*record)) {
        EXPECT_EQ(tags->tags.size(), pipeline_.tags_a_segment);
        taken_ns_.push_back(tags->taken_ns);
        published_ns_.push_back(tags->published_ns);
        text += "tags " + std::to_string(tags->file) + ":" + std::to_string(tags->segment) + ", ";
      } else if (const auto* fault = std::get_if<FileFault>(&*record)) {
        EXPECT_EQ(fault->at_sample, 5);
        text +=
            "fault " + std::to_string(fault->file) + ":" + std::to_string(fault->segment) + ", ";
      } else {
        done_ = std::get<TaskDone>(*record);
        return text + "done " + std::to_string(done_.task);
      }
    }
  }
  // Until the engine sleeps for want of `what`.
  static void AwaitSleep(const std::atomic<uint32_t>& flag) {
    while (flag.load() == 0) std::this_thread::yield();
  }

  static constexpr int64_t kLong = 1'000'000'000'000;
  Channel channel_;
  UniqueFd wake_;
  Producer tasks_;
  Consumer results_;
  FakePipeline pipeline_;
  std::vector<int64_t> taken_ns_;  // of each segment, as told
  std::vector<int64_t> published_ns_;
  TaskDone done_;
  std::thread thread_;
  std::atomic<bool> ended_{false};
  Error end_;
  std::string expected_end_ = "unknown record in the task ring";
};

TEST_F(EngineTest, PublishesItemsAndSegmentsInOrder) {
  Start();
  Give({1, kLong, {{4, 0, 2, "5"}, {5, 1, 9, "3"}, {6, 0, 1, "1"}}});
  EXPECT_EQ(TakeTask(),
            "info 4, tags 4:0, tags 4:1, info 5, tags 5:1, tags 5:2, info 6, tags 6:0, done 1");
}

TEST_F(EngineTest, TakesOneTaskAfterAnother) {
  Give({1, kLong, {{0, 0, 1, "1"}}});
  Give({2, kLong, {{1, 0, 1, "1"}}});
  Start();
  EXPECT_EQ(TakeTask(), "info 0, tags 0:0, done 1");
  EXPECT_EQ(TakeTask(), "info 1, tags 1:0, done 2");
}

TEST_F(EngineTest, OpensAFileThatEndsBeforeWhatWasAskedFor) {
  Start();
  Give({1, kLong, {{0, 3, 4, "3"}, {1, 0, 1, "1"}}});
  EXPECT_EQ(TakeTask(), "info 0, info 1, tags 1:0, done 1");
}

TEST_F(EngineTest, AFaultEndsItsItemAlone) {
  Start();
  Give({1, kLong, {{0, 2, 5, "bad"}, {1, 1, 9, "6 bad 3"}, {2, 0, 1, "1"}}});
  EXPECT_EQ(TakeTask(),
            "fault 0:2, info 1, tags 1:1, tags 1:2, fault 1:3, info 2, tags 2:0, done 1");
}

TEST_F(EngineTest, PublishesRunsWhereThePipelineGivesThose) {
  pipeline_.tells_runs = true;
  Start();
  Give({1, kLong, {{4, 1, 2, "3"}}});
  std::vector<SegmentRuns> runs;
  for (std::optional<ResultRecord> record; !record || !std::holds_alternative<TaskDone>(*record);
       record = Take()) {
    if (record && std::holds_alternative<SegmentRuns>(*record)) {
      runs.push_back(std::get<SegmentRuns>(*record));
    }
  }
  ASSERT_EQ(runs.size(), 2U);
  EXPECT_EQ(runs[0].file, 4U);
  EXPECT_EQ(runs[0].segment, 1U);
  EXPECT_EQ(runs[1].segment, 2U);
  EXPECT_EQ(runs[1].first_frame, 20U);
  ASSERT_EQ(runs[1].runs.size(), 1U);
  EXPECT_EQ(runs[1].runs[0].count, 4U);
  EXPECT_GT(runs[1].published_ns, 0);
}

TEST_F(EngineTest, EndsWhenItIsItselfThatCannotOpenAFile) {
  Start();
  expected_end_ = "broken";
  Give({1, kLong, {{0, 0, 1, "1"}, {1, 0, 1, "broken"}, {2, 0, 1, "1"}}});
  while (!ended_) std::this_thread::yield();
  EXPECT_TRUE(std::holds_alternative<FileInfo>(*Take()));
  EXPECT_TRUE(std::holds_alternative<SegmentTags>(*Take()));
  EXPECT_FALSE(Take()) << "no line of the file's";
}

TEST_F(EngineTest, EndsATaskEarlyOnceItsTimeIsOverButNotBeforeItGotOn) {
  pipeline_.sleep_ms = 2;
  Start();
  Give({1, 0, {{0, 5, 1000, "1000"}, {1, 0, 1, "1"}}});
  EXPECT_EQ(TakeTask(), "info 0, tags 0:5, done 1");
  EXPECT_EQ(pipeline_.runs, 1);
}

TEST_F(EngineTest, TheWayToTheFirstSegmentIsNoneOfTheTasksTime) {
  pipeline_.way_ms = 600;
  Start();
  Give({1, 500'000'000, {{0, 5, 3, "1000"}}});
  EXPECT_EQ(TakeTask(), "info 0, tags 0:5, tags 0:6, tags 0:7, done 1");
  EXPECT_EQ(pipeline_.went_to, 5);
}

TEST_F(EngineTest, AFaultOnTheWayIsOneOfTheFirstSegmentAndEndsItsItemAlone) {
  pipeline_.bad_way = 5;
  Start();
  Give({1, kLong, {{0, 5, 3, "1000"}, {1, 0, 1, "1"}}});
  EXPECT_EQ(TakeTask(), "info 0, fault 0:5, info 1, tags 1:0, done 1");
  EXPECT_EQ(pipeline_.went_to, 0);
}

TEST_F(EngineTest, EndsATaskEarlyOnlyWhereNothingWasDoneInAdvance) {
  pipeline_.sleep_ms = 2;
  pipeline_.batch_size = 4;
  Start();
  Give({1, 0, {{0, 5, 1000, "1000"}}});
  EXPECT_EQ(TakeTask(), "info 0, tags 0:5, tags 0:6, tags 0:7, done 1");
}

TEST_F(EngineTest, EndsATaskEarlyWhereAllThatWasReadIsUsedUnlessThatTakesFarTooLong) {
  pipeline_.place_size = 4;
  pipeline_.sleep_ms = 90;
  Start();
  Give({1, 200'000'000, {{0, 5, 1000, "1000"}}});
  EXPECT_EQ(TakeTask(), "info 0, tags 0:5, tags 0:6, tags 0:7, done 1");
  Give({2, 0, {{0, 5, 1000, "1000"}}});
  EXPECT_EQ(TakeTask(), "info 0, tags 0:5, done 2");
}

TEST_F(EngineTest, TellsThePipelineWhereTheItemEnds) {
  Start();
  Give({1, kLong, {{0, 2, 3, "100"}}});
  TakeTask();
  EXPECT_EQ(pipeline_.last_end, 5);
  Give({2, kLong, {{0, 2, 100, "7"}}});
  TakeTask();
  EXPECT_EQ(pipeline_.last_end, 7) << "no further than the file";
}

TEST_F(EngineTest, EndsATaskEarlyBetweenFilesThatCannotBeOpened) {
  pipeline_.sleep_ms = 2;
  Start();
  Give({1, 0, {{0, 0, 1, "bad"}, {1, 0, 1, "bad"}, {2, 0, 1, "1"}}});
  EXPECT_EQ(TakeTask(), "fault 0:0, done 1");
  Give({2, 0, {{1, 4, 1, "2"}, {2, 0, 1, "1"}}});
  EXPECT_EQ(TakeTask(), "info 1, done 2") << "that there is no such segment is getting on, too";
}

TEST_F(EngineTest, DoesTheWholeTaskWhenThereIsTime) {
  Start();
  Give({1, kLong, {{0, 0, 100, "100"}}});
  TakeTask();
  EXPECT_EQ(pipeline_.runs, 100);
}

TEST_F(EngineTest, SleepsWithoutATaskAndIsWoken) {
  Start();
  for (uint64_t id = 1; id <= 20; ++id) {
    AwaitSleep(channel_.task_ring(0)->consumer_asleep);
    Give({id, kLong, {{0, 0, 1, "1"}}});
    EXPECT_EQ(TakeTask(), "info 0, tags 0:0, done " + std::to_string(id));
  }
  EXPECT_EQ(channel_.state(0).lost_wakeups, 0u);
}

TEST_F(EngineTest, LooksForATaskEvenIfNobodyWakesItAndCountsThat) {
  Start();
  // Once: but it may have been on its way to sleep, and look once more.
  for (uint64_t id = 1; id <= 20 && channel_.state(0).lost_wakeups == 0; ++id) {
    AwaitSleep(channel_.task_ring(0)->consumer_asleep);
    std::vector<uint8_t> bytes;
    Encode(Task{id, kLong, {{0, 0, 1, "1"}}}, bytes);
    ASSERT_EQ(tasks_.TryPush(kTaskRecord, bytes.data(), static_cast<uint32_t>(bytes.size())),
              Producer::Push::kPushed);
    EXPECT_EQ(TakeTask(), "info 0, tags 0:0, done " + std::to_string(id));
  }
  EXPECT_EQ(channel_.state(0).lost_wakeups, 1u);
}

TEST_F(EngineTest, WaitsForRoomWhenTheResultRingIsFullAndLosesNothing) {
  pipeline_.tags_a_segment = 100;
  Start();
  Give({1, kLong, {{0, 0, 2000, "2000"}}});  // 1.6 MB through a ring of 128 KiB
  AwaitSleep(channel_.result_ring(0)->producer_asleep);
  const int before = pipeline_.runs;
  EXPECT_LT(before, 500);
  std::string expected = "info 0, ";
  for (int k = 0; k < 2000; ++k) expected += "tags 0:" + std::to_string(k) + ", ";
  EXPECT_EQ(TakeTask(), expected + "done 1");
  EXPECT_EQ(pipeline_.runs, 2000);
}

TEST_F(EngineTest, WakesASupervisorThatSleeps) {
  Start();
  ASSERT_TRUE(results_.PrepareToSleep());
  Give({1, kLong, {{0, 0, 3, "3"}}});
  pollfd wake{wake_.get(), POLLIN, 0};
  ASSERT_EQ(poll(&wake, 1, -1), 1);
  uint64_t count = 0;
  EXPECT_EQ(read(wake_.get(), &count, sizeof(count)), 8);
  EXPECT_EQ(count, 1U) << "one sleep is ended once";
  EXPECT_EQ(TakeTask(), "info 0, tags 0:0, tags 0:1, tags 0:2, done 1");
}

TEST_F(EngineTest, TellsInItsStateWhatItHasDone) {
  Start();
  Give({31, kLong, {{8, 0, 4, "4"}}});
  TakeTask();
  AwaitSleep(channel_.task_ring(0)->consumer_asleep);
  const auto& state = channel_.state(0);
  EXPECT_EQ(state.segments_done.load(), 4U);
  EXPECT_EQ(state.file.load(), 8U);
  EXPECT_EQ(state.segment.load(), 3U);
  EXPECT_EQ(state.task.load(), 0U);
  EXPECT_EQ(state.stage.load(), static_cast<uint64_t>(Stage::kWaiting));
}

TEST_F(EngineTest, TellsOfEachSegmentSinceWhenItsBatchWasAtWork) {
  pipeline_.sleep_ms = 5;
  pipeline_.batch_size = 3;
  Start();
  const int64_t began_ns = MonotonicNs();
  Give({7, kLong, {{3, 1, 5, "6"}}});  // segments 1 to 5: batches of 2, 3
  TakeTask();
  const int64_t whole_ns = MonotonicNs() - began_ns;
  ASSERT_EQ(taken_ns_.size(), 5U);
  constexpr int64_t kSleepNs = 5'000'000;  // at least: sleeps are never short
  for (const auto& [segment, sleeps] : {std::pair{0, 1}, {1, 2}, {2, 1}, {3, 2}, {4, 3}}) {
    EXPECT_GE(taken_ns_[static_cast<size_t>(segment)], sleeps * kSleepNs) << segment;
  }
  EXPECT_GE(published_ns_.front(), began_ns + taken_ns_.front());
  EXPECT_LE(published_ns_.back(), began_ns + whole_ns);
  EXPECT_TRUE(std::ranges::is_sorted(published_ns_));
  // One after the other: together, and with the opening, they fit into the whole.
  EXPECT_LE(taken_ns_[1] + taken_ns_[4] + kSleepNs, whole_ns);
}

TEST_F(EngineTest, TellsTheTimeOfEachStageSinceTheLastTask) {
  pipeline_.sleep_ms = 1;
  Start();
  Give({1, kLong, {{0, 0, 3, "3"}}});
  TakeTask();
  // The fake pipeline enters no stage of its own: all of it is the opening's.
  EXPECT_GT(done_.stage_ns[static_cast<size_t>(Stage::kValidate)], 0);
  for (const int64_t ns : done_.stage_ns) EXPECT_GE(ns, 0);
}

class EngineErrors : public EngineTest {
 protected:
  ~EngineErrors() override {
    if (thread_.joinable()) thread_.join();
  }
};

TEST_F(EngineErrors, ADamagedTaskEndsIt) {
  Push(kTaskRecord, "too short");
  Start();
  thread_.join();
  EXPECT_EQ(end_.what, "damaged task record");
}

TEST_F(EngineErrors, ADamagedTaskRingEndsIt) {
  channel_.task_ring(0)->tail.store(uint64_t{1} << 40);
  Start();
  thread_.join();
  EXPECT_EQ(end_.what, "the task ring is damaged");
}

TEST_F(EngineErrors, ADamagedResultRingEndsIt) {
  pipeline_.tags_a_segment = kMaxTags;
  Start();
  Give({1, kLong, {{0, 0, 100, "100"}}});
  AwaitSleep(channel_.result_ring(0)->producer_asleep);
  channel_.result_ring(0)->head.store(uint64_t{1} << 40);
  thread_.join();
  EXPECT_EQ(end_.what, "the result ring is damaged");
}

}  // namespace
}  // namespace consort
