// A job without processes, for the dispatcher's tests: a list in memory, workers that are a few
// numbers, engines that publish what honest ones would, deaths at any moment, and a sink that puts
// lines in order through a real Gather. One seed gives one run, always the same.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "supervisor/dispatch/dispatcher.h"
#include "supervisor/gather/gather.h"

namespace consort::test {

inline constexpr int32_t kRate = 1000;
inline constexpr int64_t kSegmentNs = 1'000'000'000;  // segments of a second, end to end
inline constexpr size_t kLabels = 7;

struct WorldFile {
  std::string path;
  uint64_t segments = 1;
  uint32_t alignment = 1;
  int64_t fault_at = kNoFault;  // the segment at which the file ends in a fault
  std::set<uint64_t> guilty;    // segments that end their worker
  std::set<uint64_t> lying;     // segments whose tags have a label that does not exist
  bool guilty_open = false;     // opening it ends a worker, too
  int64_t mtime_ns = 1;
  int32_t channels = 0;  // that are heard one by one: each has its part of `segments`; or 0

  static constexpr int64_t kNoFault = -2;
  static constexpr int64_t kAtOpening = -1;
};

inline UniqueFd MemoryFile() { return UniqueFd(memfd_create("test", MFD_CLOEXEC)); }

inline std::unique_ptr<FileList> MakeList(const std::vector<WorldFile>& files) {
  ListSpooler spooler(MemoryFile());
  for (const auto& file : files) EXPECT_TRUE(spooler.Add(file.path));
  auto list = spooler.Finish();
  EXPECT_TRUE(list);
  return std::move(list).value();
}

inline FileInfo InfoOf(const WorldFile& file, uint64_t index) {
  FileInfo info;
  info.file = index;
  info.samples = static_cast<int64_t>(file.segments) / std::max(1, file.channels) * kRate - 1;
  info.sample_rate = kRate;
  info.segment_alignment = file.alignment;
  info.channels = file.channels;
  info.size_bytes = 2 * info.samples;
  info.mtime_ns = file.mtime_ns;
  return info;
}

inline SegmentTags TagsOf(uint64_t index, uint64_t segment) {
  SegmentTags tags{index, segment, {}, static_cast<int64_t>(1'000'000 + segment)};
  const uint64_t mixed = (index * 131 + segment) * 2654435761;
  for (uint64_t i = 0; i < mixed % 3; ++i) {
    tags.tags.push_back(
        {static_cast<uint32_t>((mixed + i) % kLabels), static_cast<float>(mixed % 1000) / 1000});
  }
  return tags;
}

inline FileFault FaultOf(uint64_t index, uint64_t segment) {
  return {index, segment, -1, static_cast<uint32_t>(ErrorCode::kDecode), "damaged here"};
}

// Lines in the order of the list; fails the test if anything is told twice.
class LineSink : public ResultSink {
 public:
  explicit LineSink(size_t memory_bytes = Gather::kMemoryBytes)
      : gather_([this](std::string_view line) { return Take(line); }, ScratchFile(MemoryFile()),
                memory_bytes) {}

  static std::string TagsLine(const std::string& name, const SegmentTags& tags) {
    std::string line = name + " " + std::to_string(tags.segment);
    for (const auto& tag : tags.tags) {
      line += " " + std::to_string(tag.label) + "=" + std::to_string(tag.score);
    }
    return line + "\n";
  }
  static std::string CrashLine(const std::string& name, uint64_t segment,
                               const std::string& message) {
    return name + " " + std::to_string(segment) + " crashed: " + message + "\n";
  }
  static std::string FaultLine(const std::string& name, const FileFault& fault) {
    return name + " ends at " + std::to_string(fault.segment) + ", " +
           std::string(ErrorCodeName(static_cast<ErrorCode>(fault.code))) + ": " + fault.message +
           "\n";
  }

  Status SegmentDone(const OpenFile& file, const SegmentTags& tags) override {
    Once(file, tags.segment);
    return gather_.Add(file.index, tags.segment, TagsLine(file.name, tags));
  }
  Status SegmentCrashed(const OpenFile& file, uint64_t segment,
                        const std::string& message) override {
    Once(file, segment);
    return gather_.Add(file.index, segment, CrashLine(file.name, segment, message));
  }
  Status FileDone(const OpenFile& file) override {
    EXPECT_TRUE(done_.insert(file.index).second) << file.name << " done twice";
    for (uint64_t k = 0; k < file.last(); ++k) {
      EXPECT_TRUE(segments_.contains({file.index, k})) << file.name << " lacks " << k;
    }
    return gather_.Finish(file.index, file.last(),
                          file.fault ? FaultLine(file.name, *file.fault) : "");
  }

  const std::string& text() const { return text_; }
  size_t segments() const { return segments_.size(); }
  size_t files() const { return done_.size(); }
  const std::set<uint64_t>& done() const { return done_; }
  const Gather& gather() const { return gather_; }

 private:
  Status Take(std::string_view line) {
    text_ += line;
    return Ok();
  }
  void Once(const OpenFile& file, uint64_t segment) {
    EXPECT_FALSE(done_.contains(file.index)) << file.name << " " << segment << " after its end";
    EXPECT_TRUE(segments_.emplace(file.index, segment).second)
        << file.name << " " << segment << " twice";
  }

  std::string text_;
  std::set<std::pair<uint64_t, uint64_t>> segments_;
  std::set<uint64_t> done_;
  Gather gather_;
};

// What an honest engine publishes next, see worker/engine/engine.cc.
class WorldEngine {
 public:
  enum class Step { kIdle, kPublished, kCrashed };

  // `stateful`: the model's state goes with a file from segment to segment.
  explicit WorldEngine(bool stateful = false) : stateful_(stateful) {}

  void Give(Task task) { tasks_.push_back(std::move(task)); }
  bool busy() const { return !tasks_.empty(); }
  const std::deque<Task>& tasks() const { return tasks_; }
  // What was guilty of the crash: what the engine did after a lie, it did not do for the
  // dispatcher.
  std::pair<uint64_t, uint64_t> crashed_at() const { return lied_at_.value_or(crashed_at_); }

  // Segments that it had to do again, unpublished, since this was asked last.
  uint64_t TakeCaughtUp() { return std::exchange(caught_up_, 0); }

  // `batch`: segments of one forward, which crashes before any of them is published.
  Step Advance(const std::vector<WorldFile>& files, int64_t segment_ns, uint64_t batch,
               ResultRecord& out) {
    if (tasks_.empty()) return Step::kIdle;
    const Task& task = tasks_.front();
    if (item_ == task.items.size() || over_) {
      TaskDone done{task.id, {}};
      done.stage_ns[static_cast<size_t>(Stage::kForward)] = spent_ns_;
      out = done;
      tasks_.pop_front();
      item_ = 0;
      spent_ns_ = 0;
      over_ = opened_ = false;
      return Step::kPublished;
    }
    const auto& item = task.items[item_];
    const auto& file = files[item.file];
    EXPECT_EQ(item.path, file.path);
    if (!opened_) return Open(task, item, file, out);
    if (stateful_) CatchUp(item.file, segment_ns);
    const uint64_t group_end = std::min(end_, next_ - next_ % batch + batch);
    for (uint64_t k = next_; k < group_end; ++k) {
      if (!file.guilty.contains(k)) continue;
      crashed_at_ = {item.file, k};
      return Step::kCrashed;
    }
    spent_ns_ += segment_ns;
    if (file.fault_at == static_cast<int64_t>(next_)) {
      out = FaultOf(item.file, next_);
      EndItem(task);
      return Step::kPublished;
    }
    SegmentTags tags = TagsOf(item.file, next_);
    if (file.lying.contains(next_)) {
      tags.tags = {{UINT32_MAX, 1.0F}};
      if (!lied_at_) lied_at_ = {item.file, next_};
    }
    out = std::move(tags);
    ++next_;
    state_ = {item.file, next_};
    if (next_ == end_) {
      EndItem(task);
    } else if (spent_ns_ > task.time_slice_ns) {
      over_ = true;
    }
    return Step::kPublished;
  }

 private:
  Step Open(const Task& task, const TaskItem& item, const WorldFile& file, ResultRecord& out) {
    crashed_at_ = {item.file, kOpening};
    if (file.guilty_open) return Step::kCrashed;
    if (file.fault_at == WorldFile::kAtOpening) {
      out = FaultOf(item.file, item.first_segment);
      EndItem(task);
      return Step::kPublished;
    }
    out = InfoOf(file, item.file);
    opened_ = true;
    next_ = item.first_segment;
    end_ = std::min(file.segments, item.first_segment + item.segment_count);
    if (next_ >= end_) EndItem(task);
    return Step::kPublished;
  }
  static constexpr uint64_t kOpening = UINT64_MAX;

  void CatchUp(uint64_t file, int64_t segment_ns) {
    const bool ahead = state_.first == file && state_.second <= next_;
    const uint64_t again = next_ - (ahead ? state_.second : 0);
    state_ = {file, next_};
    caught_up_ += again;
    spent_ns_ += segment_ns * static_cast<int64_t>(again);
  }

  void EndItem(const Task& task) {
    ++item_;
    opened_ = false;
    over_ = spent_ns_ > task.time_slice_ns;
  }

  std::deque<Task> tasks_;
  size_t item_ = 0;
  bool opened_ = false;
  bool over_ = false;
  uint64_t next_ = 0;
  uint64_t end_ = 0;
  int64_t spent_ns_ = 0;
  bool stateful_;
  std::pair<uint64_t, uint64_t> state_ = {UINT64_MAX, 0};  // of which file, before which segment
  uint64_t caught_up_ = 0;
  std::pair<uint64_t, uint64_t> crashed_at_;
  std::optional<std::pair<uint64_t, uint64_t>> lied_at_;
};

struct WorldSettings {
  uint64_t seed = 1;
  int attempts = 3;
  uint32_t workers = 2;
  uint32_t engines = 2;
  uint64_t batch = 1;
  bool stateful = false;
  bool each_channel = false;
  int64_t segment_ns = 100'000'000;
  size_t gather_bytes = Gather::kMemoryBytes;
  double kill_chance = 0;  // a step is a SIGKILL from outside
  int most_kills = 0;
  double crash_chance = 0;    // a step is a crash that no segment is guilty of, or a lie
  int most_crashes = 0;       // below `attempts`, or an innocent may be found guilty
  double replace_chance = 0;  // a step is that a worker is to be replaced after its files
};

class World {
 public:
  World(std::vector<WorldFile> files, const WorldSettings& settings)
      : settings_(settings),
        files_(std::move(files)),
        list_(MakeList(files_)),
        sink_(settings.gather_bytes),
        dispatcher_(MakeDispatcher()),
        random_(settings.seed) {}

  // All processes are gone, the supervisor's too; what it had kept is what the next one has.
  void GoOnElsewhere(const ResumePoint& point) {
    workers_.clear();
    list_ = MakeList(files_);
    dispatcher_ = MakeDispatcher();
    ASSERT_TRUE(dispatcher_->Resume(point));
  }

  // To the end of the list or, drained, of what is in flight; `most` steps, if given.
  void Run(uint64_t most = UINT64_MAX) {
    for (uint64_t steps = 0; steps < most && !(Finished() && dispatcher_->Idle()); ++steps) {
      ASSERT_LT(steps, 3'000'000U) << "the job does not end";
      while (workers_.size() < settings_.workers) AddWorker();
      OneStep();
      if (::testing::Test::HasFailure()) return;
    }
  }
  void Drain() {
    drained_ = true;
    dispatcher_->Drain();
  }

  // What one engine, one segment after another, would write.
  std::string Expected() const {
    std::string text;
    for (uint64_t i = 0; i < files_.size(); ++i) {
      const auto& file = files_[i];
      if (file.path.size() > kMaxPathBytes) {
        text += LineSink::FaultLine(
            file.path, {i, 0, -1, uint32_t(ErrorCode::kUnreadable), "file name too long"});
      } else if (file.guilty_open) {
        text += LineSink::FaultLine(
            file.path, {i, 0, -1, static_cast<uint32_t>(ErrorCode::kCrashed), CrashMessage()});
      } else {
        text += ExpectedOf(file, i);
      }
    }
    return text;
  }

  uint64_t guilty() const {  // segments and files that end workers, as far as they are reached
    uint64_t count = 0;
    for (const auto& file : files_) {
      if (file.guilty_open) {
        ++count;
      } else if (file.fault_at != WorldFile::kAtOpening) {
        const uint64_t all = file.guilty.size() + file.lying.size();
        count += settings_.stateful ? std::min<uint64_t>(1, all) : all;
      }
    }
    return count;
  }
  uint64_t crashes() const { return crashes_; }  // by the guilty
  // Of each guilty segment, or opening: how many workers it has ended.
  const std::map<std::pair<uint64_t, uint64_t>, uint64_t>& crashes_by() const {
    return crashes_by_;
  }
  int random_crashes() const { return random_crashes_; }
  int kills() const { return kills_; }
  int replaced() const { return replaced_; }
  // Segments that engines had to do again for the state of their models.
  uint64_t caught_up() const { return caught_up_; }
  const std::vector<Task>& handed_out() const { return handed_out_; }
  const LineSink& sink() const { return sink_; }
  const Dispatcher& dispatcher() const { return *dispatcher_; }
  const std::vector<WorldFile>& files() const { return files_; }

 private:
  struct WorldWorker {
    std::vector<WorldEngine> engines;
    std::vector<std::deque<ResultRecord>> rings;  // published, not yet looked at
    std::vector<bool> lied = {};
    bool leaving = false;  // it is to be replaced after its files
  };

  static constexpr const char* kWords = "was ended by SIGSEGV";
  std::string CrashMessage() const {
    const std::string often =
        settings_.attempts == 1 ? "once" : std::to_string(settings_.attempts) + " times";
    return std::string("the worker ") + kWords + " in stage forward, " + often +
           " while this segment was alone in it";
  }
  std::string ExpectedOf(const WorldFile& file, uint64_t index) const {
    std::string text;
    for (uint64_t k = 0; k < file.segments; ++k) {
      if (file.fault_at == WorldFile::kAtOpening || file.fault_at == static_cast<int64_t>(k)) {
        return text + LineSink::FaultLine(file.path, FaultOf(index, k));
      }
      const bool crashes = file.guilty.contains(k) || file.lying.contains(k);
      if (crashes && settings_.stateful) {
        const auto code = static_cast<uint32_t>(ErrorCode::kCrashed);
        return text + LineSink::FaultLine(file.path, {index, k, -1, code, CrashMessage()});
      }
      text += crashes ? LineSink::CrashLine(file.path, k, CrashMessage())
                      : LineSink::TagsLine(file.path, TagsOf(index, k));
    }
    return text;
  }

  std::unique_ptr<Dispatcher> MakeDispatcher() {
    return std::make_unique<Dispatcher>(DispatchSettings{.attempts = settings_.attempts,
                                                         .segment_ns = kSegmentNs,
                                                         .hop_ns = kSegmentNs,
                                                         .each_channel = settings_.each_channel,
                                                         .labels = kLabels,
                                                         .batch = settings_.batch,
                                                         .stateful = settings_.stateful},
                                        *list_, sink_);
  }
  bool Finished() const { return drained_ || dispatcher_->AllDone(); }
  uint64_t Below(uint64_t end) { return random_() % end; }
  bool Chance(double chance) { return static_cast<double>(random_() % 1'000'000) < chance * 1e6; }

  void AddWorker() {
    const uint64_t id = next_worker_++;
    workers_[id] = {std::vector<WorldEngine>(settings_.engines, WorldEngine(settings_.stateful)),
                    std::vector<std::deque<ResultRecord>>(settings_.engines),
                    std::vector<bool>(settings_.engines)};
    dispatcher_->AddWorker(id, settings_.engines);
  }

  void OneStep() {
    auto chosen = workers_.begin();
    std::advance(chosen, static_cast<int64_t>(Below(workers_.size())));
    const uint64_t id = chosen->first;
    const auto engine = static_cast<uint32_t>(Below(settings_.engines));
    const auto& lied = chosen->second.lied;
    if (std::find(lied.begin(), lied.end(), true) != lied.end() && Below(4) == 0) {
      ++crashes_;
      return Die(id, true);
    }
    if (kills_ < settings_.most_kills && Chance(settings_.kill_chance)) {
      ++kills_;
      // Once it has lied it is ours to kill, whoever is faster.
      return Die(id, std::find(lied.begin(), lied.end(), true) != lied.end());
    }
    if (chosen->second.leaving && !dispatcher_->Holds(id)) {
      ++replaced_;
      return Die(id, Ending::kRetired);
    }
    if (Chance(settings_.replace_chance)) {
      chosen->second.leaving = true;
      dispatcher_->RetireAfterItsFiles(id);
    }
    if (random_crashes_ < settings_.most_crashes && Chance(settings_.crash_chance)) {
      ++random_crashes_;
      return Below(2) == 0 ? Lie(id, engine) : Die(id, true);
    }
    switch (Below(4)) {
      case 0:
        return HandOut(id, engine);
      case 1:
        return Look(id, engine, 1 + Below(8));
      default:
        return Publish(id, engine);
    }
  }

  void HandOut(uint64_t id, uint32_t engine) {
    auto task = dispatcher_->NextTask(id, engine);
    ASSERT_TRUE(task);
    if (!task.value()) return;
    std::vector<uint8_t> bytes;
    Encode(*task.value(), bytes);
    EXPECT_LE(bytes.size(), kMaxTaskBytes);
    EXPECT_FALSE(task.value()->items.empty());
    for (const auto& item : task.value()->items) {
      EXPECT_GE(item.segment_count, 1U);
      EXPECT_FALSE(settings_.stateful && IsHeld(item.file)) << item.path << " in two hands";
    }
    handed_out_.push_back(*task.value());
    workers_.at(id).engines[engine].Give(*task.value());
    EXPECT_LE(workers_.at(id).engines[engine].tasks().size(), 3U);
  }

  // Some engine has not done with it yet.
  bool IsHeld(uint64_t file) const {
    for (const auto& [id, worker] : workers_) {
      for (const auto& engine : worker.engines) {
        for (const auto& task : engine.tasks()) {
          if (std::ranges::any_of(task.items, [file](auto& it) { return it.file == file; })) {
            return true;
          }
        }
      }
    }
    return false;
  }

  void Publish(uint64_t id, uint32_t engine) {
    auto& worker = workers_.at(id);
    ResultRecord record;
    const auto step =
        worker.engines[engine].Advance(files_, settings_.segment_ns, settings_.batch, record);
    caught_up_ += worker.engines[engine].TakeCaughtUp();
    switch (step) {
      case WorldEngine::Step::kIdle:
        return;
      case WorldEngine::Step::kPublished:
        return worker.rings[engine].push_back(std::move(record));
      case WorldEngine::Step::kCrashed:
        ++crashes_;
        ++crashes_by_[worker.engines[engine].crashed_at()];
        return Die(id, true);
    }
  }

  // A liar is not killed at once: it goes on publishing, and its ring is looked at again.
  void Look(uint64_t id, uint32_t engine, uint64_t most) {
    auto& worker = workers_.at(id);
    auto& ring = worker.rings[engine];
    for (; most > 0 && !ring.empty(); --most) {
      bool honest = false;
      ASSERT_TRUE(dispatcher_->OnRecord(id, engine, ring.front(), honest));
      const auto* tags = std::get_if<SegmentTags>(&ring.front());
      const bool lie = tags != nullptr && !tags->tags.empty() && tags->tags[0].label >= kLabels;
      if (lie) worker.lied[engine] = true;
      ASSERT_EQ(honest, !worker.lied[engine]) << "an honest record is called a lie, or a lie true";
      ring.pop_front();
    }
  }

  void Lie(uint64_t id, uint32_t engine) {
    auto& ring = workers_.at(id).rings[engine];
    Look(id, engine, UINT64_MAX);
    const ResultRecord lies[] = {TagsOf(UINT64_MAX, 0), TaskDone{0, {}}, FaultOf(0, UINT64_MAX)};
    bool honest = true;
    ASSERT_TRUE(dispatcher_->OnRecord(id, engine, lies[Below(3)], honest));
    ASSERT_FALSE(honest);
    workers_.at(id).lied[engine] = true;
    ResultRecord record;
    while (Below(4) != 0 &&
           workers_.at(id).engines[engine].Advance(files_, settings_.segment_ns, settings_.batch,
                                                   record) == WorldEngine::Step::kPublished) {
      ring.push_back(record);
    }
    Die(id, true);
  }

  void Die(uint64_t id, bool crashed) { Die(id, crashed ? Ending::kCrashed : Ending::kKilled); }
  // Reaped, then drained, then what it held goes back.
  void Die(uint64_t id, Ending ending) {
    for (uint32_t engine = 0; engine < settings_.engines; ++engine) Look(id, engine, UINT64_MAX);
    workers_.erase(id);
    const std::vector<LastSeen> seen(settings_.engines, LastSeen{"forward"});
    const bool crashed = ending == Ending::kCrashed;
    ASSERT_TRUE(
        dispatcher_->RemoveWorker(id, ending, {crashed ? kWords : "was ended by SIGKILL"}, seen));
  }

  WorldSettings settings_;
  std::vector<WorldFile> files_;
  std::unique_ptr<FileList> list_;
  LineSink sink_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::mt19937_64 random_;
  std::map<uint64_t, WorldWorker> workers_;
  std::vector<Task> handed_out_;
  uint64_t next_worker_ = 1;
  uint64_t crashes_ = 0;
  uint64_t caught_up_ = 0;
  std::map<std::pair<uint64_t, uint64_t>, uint64_t> crashes_by_;
  int random_crashes_ = 0;
  int kills_ = 0;
  int replaced_ = 0;
  bool drained_ = false;
};

// The same files with some channels each, as many segments of every one as there were.
inline void GiveChannels(std::vector<WorldFile>& files, std::mt19937_64& random) {
  for (auto& file : files) {
    file.channels = static_cast<int32_t>(1 + random() % 4);
    file.segments *= static_cast<uint64_t>(file.channels);
  }
}

inline std::vector<WorldFile> PlainFiles(size_t count, uint64_t segments) {
  std::vector<WorldFile> files(count);
  for (size_t i = 0; i < count; ++i) {
    files[i].path = "f" + std::to_string(i);
    files[i].segments = segments;
  }
  return files;
}

}  // namespace consort::test
