#include "hostile_channel.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "../unit/dispatch_world.h"
#include "shared/segment/frames.h"
#include "supervisor/collect/result_reader.h"

namespace consort::test {
namespace {

constexpr uint32_t kWords = 16 * 1024;  // the longest record fits
constexpr int64_t kSegmentWorkNs = 100'000'000;
constexpr uint64_t kHonest =
    1;  // a worker of one engine; all others have a hostile one and an honest one
constexpr int kMostStepsToTheEnd = 20'000;

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "the supervisor was misled: %s\n", what);
  std::abort();
}

enum Step : uint8_t { kWord, kScrawl, kRecord, kNearTruth, kLook, kWork, kHandOut, kDie, kSteps };

class Script {
 public:
  Script(const uint8_t* at, size_t size) : at_(at), left_(size) {}
  bool over() const { return left_ == 0; }
  // Zeros behind its end.
  template <typename T>
  T Get() {
    T value{};
    Fill(&value, sizeof(value));
    return value;
  }
  void Fill(void* to, size_t size) {
    if (size == 0) return;
    const size_t there = std::min(size, left_);
    std::memcpy(to, at_, there);
    std::memset(static_cast<uint8_t*>(to) + there, 0, size - there);
    at_ += there;
    left_ -= there;
  }

 private:
  const uint8_t* at_;
  size_t left_;
};

using Segment = std::pair<uint64_t, uint64_t>;

// Segments that an engine was given.
class Given {
 public:
  void Clear() { ranges_.clear(); }
  void Add(const Task& task) {
    for (const auto& item : task.items)
      ranges_.push_back({item.file, item.first_segment, item.segment_count});
  }
  bool Contains(uint64_t file, uint64_t segment) const {
    return std::any_of(ranges_.begin(), ranges_.end(), [&](const Range& it) {
      return it.file == file && segment >= it.first && segment - it.first < it.count;
    });
  }

 private:
  struct Range {
    uint64_t file, first, count;
  };
  std::vector<Range> ranges_;
};

// Ten frames a segment, each segment's its own; of the last one what the file has.
constexpr int64_t kFrameNs = kSegmentNs / 10;
// Of files that tell runs.
constexpr uint64_t kChannels = 2;

SegmentRuns RunsOf(uint64_t file, uint64_t segment) {
  SegmentRuns runs;
  runs.file = file;
  runs.segment = segment;
  runs.first_frame = segment / kChannels * 10;
  runs.frames = 10;
  const auto label = static_cast<uint32_t>((file + segment) % (kLabels - 1));
  runs.runs = {
      {label, 0, 3, 0.5F}, {label, 4, 2, 0.25F, FrameRun::kBetween}, {label + 1, 9, 1, 1.0F}};
  return runs;
}

// Knows who speaks, and so what may be told.
class Judge : public ResultSink {
 public:
  // Segments that the engine was given; null: an honest engine, whose tags are what they must be.
  void Speaks(const Given* given) { given_ = given; }

  Status SegmentDone(const OpenFile& file, const SegmentTags& tags) override {
    Once(file, tags.segment);
    Require(tags.taken_ns >= 0 && tags.taken_ns <= kMostTakenNs, "a time that cannot be");
    if (given_ != nullptr) {
      Require(given_->Contains(file.index, tags.segment), "a segment of another engine's");
      ++hostile_;
      return Ok();
    }
    const SegmentTags must = TagsOf(file.index, tags.segment);
    Require(tags.file == file.index && tags.tags.size() == must.tags.size(),
            "an honest result changed");
    for (size_t i = 0; i < must.tags.size(); ++i) {
      Require(tags.tags[i].label == must.tags[i].label && tags.tags[i].score == must.tags[i].score,
              "an honest result changed");
    }
    return Ok();
  }
  Status SegmentDone(const OpenFile& file, const SegmentRuns& runs) override {
    Once(file, runs.segment);
    Require(runs.taken_ns >= 0 && runs.taken_ns <= kMostTakenNs, "a time that cannot be");
    const FrameGrid grid(kSegmentNs, kFrameNs);
    const int64_t count = grid.Count(file.info->samples, file.info->sample_rate);
    Require(runs.first_frame + runs.frames <= static_cast<uint64_t>(count), "frames of no file");
    uint64_t next = 0;  // by label and frame
    for (const FrameRun& run : runs.runs) {
      const uint64_t at = uint64_t{run.label} << 32 | run.first;
      Require(run.label < kLabels && run.count > 0 && at >= next, "runs that cannot be");
      Require(run.first + uint64_t{run.count} <= runs.frames, "a run of no frames");
      next = at + run.count;
    }
    if (given_ != nullptr) {
      Require(given_->Contains(file.index, runs.segment), "a segment of another engine's");
      ++hostile_;
      return Ok();
    }
    const SegmentRuns must = RunsOf(file.index, runs.segment);
    Require(runs.runs.size() == must.runs.size() && runs.first_frame == must.first_frame,
            "an honest result changed");
    return Ok();
  }
  Status SegmentCrashed(const OpenFile& file, uint64_t segment, const std::string&) override {
    Once(file, segment);
    return Ok();
  }
  Status FileDone(const OpenFile& file) override {
    Require(files_.insert(file.index).second, "a file that ends twice");
    const auto first = segments_.lower_bound({file.index, 0});
    const auto last = segments_.lower_bound({file.index, file.last()});
    Require(static_cast<uint64_t>(std::distance(first, last)) == file.last(),
            "a file that ends without its segments");
    return Ok();
  }
  size_t files() const { return files_.size(); }
  size_t hostile() const { return hostile_; }

 private:
  void Once(const OpenFile& file, uint64_t segment) {
    Require(!files_.contains(file.index), "a segment after its file's end");
    Require(segments_.emplace(file.index, segment).second, "a segment twice");
  }

  const Given* given_ = nullptr;
  std::set<Segment> segments_;
  std::set<uint64_t> files_;
  size_t hostile_ = 0;
};

// What the hostile engine shares with the supervisor. Between guards, for builds without a
// sanitizer.
struct Shared {
  uint64_t before[8];
  SharedRing control;
  RingCell cells[kWords];
  uint64_t after[8];
};

std::vector<WorldFile> MakeFiles(int32_t channels) {
  auto made = PlainFiles(4, 2);  // few: most of a run is their being done in the end
  made[1].segments = 6;
  made[2].fault_at = 1;
  for (auto& file : made) file.channels = channels;
  return made;
}

const std::vector<WorldFile>& FilesOf(Told told) {
  static const std::vector<WorldFile> files = MakeFiles(0);
  static const std::vector<WorldFile> of_channels = MakeFiles(static_cast<int32_t>(kChannels));
  return told == Told::kRuns ? of_channels : files;
}

// Made once: it costs more than all the rest. Both kinds of files have the same names.
FileList& TheList() {
  static const std::unique_ptr<FileList> list = MakeList(FilesOf(Told::kTags));
  list->Rewind();
  return *list;
}

// Large, and so the same for all.
Shared& TheShared() {
  static Shared shared;
  return shared;
}
ResultReader& TheReader() {
  static ResultReader reader;
  return reader;
}

class Scene {
 public:
  explicit Scene(Told told) : told_(told) {
    dispatcher_.AddWorker(kHonest, 1);
    Begin();
  }

  void Play(Script script) {
    HandOut();
    while (!script.over()) One(script);
    Die(true);
    End();
  }
  Heard heard() const { return {records_, lies_, judge_.hostile()}; }

 private:
  void One(Script& script) {
    const auto step = script.Get<uint8_t>();
    switch (step % kSteps) {
      case kWord: {
        const auto which = script.Get<uint8_t>();
        // Near what it was, or anything.
        const uint64_t value = which & 4 ? tail_ + static_cast<uint64_t>(script.Get<int8_t>())
                                         : script.Get<uint64_t>();
        if ((which & 3) == 0) shared_->control.tail = value;
        if ((which & 3) == 1) shared_->control.head = value;
        if ((which & 3) == 2) shared_->control.consumer_asleep = static_cast<uint32_t>(value);
        if ((which & 3) == 3) shared_->control.producer_asleep = static_cast<uint32_t>(value);
        break;
      }
      case kScrawl: {
        const uint32_t at = script.Get<uint16_t>() % kWords;
        const size_t words = std::min<size_t>(script.Get<uint8_t>() % 32, kWords - at);
        script.Fill(shared_->cells + at, words * kRingWordBytes);
        break;
      }
      case kRecord: {
        const uint32_t type = script.Get<uint8_t>() % 7;
        const size_t size = script.Get<uint8_t>();
        auto& bytes = record_;
        bytes.assign(size, 0);
        script.Fill(bytes.data(), size);
        if ((step & 0x80) != 0) bytes.resize(kMaxResultBytes + (step & 0x40 ? 8 : 0));
        Publish(type, bytes);
        break;
      }
      case kNearTruth: {
        std::vector<uint8_t> bytes;
        const uint32_t type = NextTruth(bytes);
        const int slips = script.Get<uint8_t>() % 4;
        for (int i = 0; i < slips && !bytes.empty(); ++i) {
          const size_t at = script.Get<uint8_t>() % bytes.size();
          bytes[at] = static_cast<uint8_t>(bytes[at] ^ script.Get<uint8_t>());
        }
        if (type != 0) Publish(type, bytes);
        break;
      }
      case kLook:
        Look(1 + script.Get<uint8_t>() % 16);
        break;
      case kWork: {
        const int count = script.Get<uint8_t>() % 8;
        for (int i = 0; i < count; ++i) {
          Work(kHonest, 0, honest_);
          Work(hostile_id_, 1, neighbour_);
        }
        break;
      }
      case kHandOut:
        HandOut();
        break;
      default:
        Die((step & 0x80) != 0);
        Begin();
        HandOut();
        break;
    }
  }

  // The hostile engine's own idea of what it should say: 0: nothing.
  uint32_t NextTruth(std::vector<uint8_t>& bytes) {
    ResultRecord record;
    if (truth_.Advance(FilesOf(told_), kSegmentWorkNs, 1, record) != WorldEngine::Step::kPublished)
      return 0;
    AsTold(record);
    return std::visit([&](const auto& it) { return Encode(it, bytes); }, record);
  }

  void AsTold(ResultRecord& record) const {
    const auto* tags = std::get_if<SegmentTags>(&record);
    if (told_ == Told::kRuns && tags != nullptr) record = RunsOf(tags->file, tags->segment);
  }

  void Publish(uint32_t type, const std::vector<uint8_t>& bytes) {
    const auto at = [this](uint64_t word) { return shared_->cells + word % kWords; };
    *at(tail_) = uint64_t{type} << 32 | bytes.size();
    for (size_t i = 0; i < bytes.size(); i += kRingWordBytes) {
      uint64_t word = 0;
      std::memcpy(&word, bytes.data() + i, std::min<size_t>(kRingWordBytes, bytes.size() - i));
      *at(tail_ + 1 + i / kRingWordBytes) = word;
    }
    tail_ += RingRecordWords(static_cast<uint32_t>(bytes.size()));
    shared_->control.tail = tail_;
  }

  void Look(size_t most) {
    judge_.Speaks(&given_);
    const auto taken =
        reader_.Take(*ring_, dispatcher_, hostile_id_, 0, most,
                     [](uint32_t, const Status& done) { Require(done.has_value(), "it failed"); });
    judge_.Speaks(nullptr);
    Require(taken.records <= most, "more than was asked for");
    records_ += taken.records;
    ring_->ProducerNeedsWake();
    if (taken.honest) return;
    ++lies_;
    Die(true);
    Begin();
    HandOut();
  }

  void Work(uint64_t worker, uint32_t index, WorldEngine& engine) {
    ResultRecord record;
    if (engine.Advance(FilesOf(told_), kSegmentWorkNs, 1, record) != WorldEngine::Step::kPublished)
      return;
    AsTold(record);
    bool honest = false;
    Require(dispatcher_.OnRecord(worker, index, record, honest).has_value(), "it failed");
    Require(honest, "an honest engine is called a liar");
  }

  std::optional<Task> Next(uint64_t worker, uint32_t engine) {
    auto task = dispatcher_.NextTask(worker, engine);
    Require(task.has_value(), "it failed");
    return std::move(task).value();
  }
  void HandOut() {
    while (auto task = Next(hostile_id_, 0)) {
      given_.Add(*task);
      truth_.Give(*std::move(task));
    }
    while (auto task = Next(hostile_id_, 1)) neighbour_.Give(*std::move(task));
    while (auto task = Next(kHonest, 0)) honest_.Give(*std::move(task));
  }

  void Begin() {
    ++hostile_id_;
    std::memset(static_cast<void*>(shared_), 0, sizeof(Shared));
    ring_.emplace(&shared_->control, shared_->cells, kWords);
    tail_ = 0;
    given_.Clear();
    truth_ = neighbour_ = WorldEngine();
    dispatcher_.AddWorker(hostile_id_, 2);
  }

  // Reaped, then drained, then what it held goes back.
  void Die(bool crashed) {
    judge_.Speaks(&given_);
    const auto taken =
        reader_.Take(*ring_, dispatcher_, hostile_id_, 0, SIZE_MAX,
                     [](uint32_t, const Status& done) { Require(done.has_value(), "it failed"); });
    judge_.Speaks(nullptr);
    Require(taken.records <= kWords, "more than a ring holds");
    records_ += taken.records;
    for (size_t i = 0; i < 8; ++i)
      Require(shared_->before[i] == 0 && shared_->after[i] == 0, "it wrote beside the ring");
    const std::vector<LastSeen> seen = {{"forward", true}, {"forward", false}};
    Require(dispatcher_
                .RemoveWorker(hostile_id_,
                              crashed || !taken.honest ? Ending::kCrashed : Ending::kKilled,
                              {.plain = "broke the protocol", .measured = ""}, seen)
                .has_value(),
            "it failed");
  }

  // Without it, the job comes to its end.
  void End() {
    for (int steps = 0; !(dispatcher_.AllDone() && dispatcher_.Idle()); ++steps) {
      Require(steps < kMostStepsToTheEnd, "the job does not end");
      while (auto task = Next(kHonest, 0)) honest_.Give(*std::move(task));
      Work(kHonest, 0, honest_);
    }
    Require(judge_.files() == FilesOf(told_).size(), "a file is missing");
  }

  const Told told_;
  Judge judge_;
  Dispatcher dispatcher_{{.segment_ns = kSegmentNs,
                          .hop_ns = kSegmentNs,
                          .each_channel = told_ == Told::kRuns,
                          .labels = kLabels,
                          .frame_ns = told_ == Told::kRuns ? kFrameNs : 0,
                          .by_label = true},
                         TheList(),
                         judge_};
  Shared* shared_ = &TheShared();
  std::optional<Consumer> ring_;
  ResultReader& reader_ = TheReader();
  uint64_t hostile_id_ = kHonest;
  uint64_t tail_ = 0;
  std::vector<uint8_t> record_;
  Given given_;
  WorldEngine truth_;
  WorldEngine neighbour_;
  WorldEngine honest_;
  size_t records_ = 0;
  size_t lies_ = 0;
};

}  // namespace

Heard LetItScribble(const uint8_t* script, size_t size, Told told) {
  Scene scene(told);
  scene.Play(Script(script, size));
  return scene.heard();
}

std::vector<std::vector<uint8_t>> HonestScripts() {
  std::vector<uint8_t> honest;
  for (int i = 0; i < 10; ++i)
    honest.insert(honest.end(), {kNearTruth, 0, kNearTruth, 0, kLook, 3, kWork, 1, kHandOut});
  std::vector<std::vector<uint8_t>> scripts = {honest};
  const std::vector<uint8_t> ends[] = {
      {kNearTruth, 1, 0, 1, kLook, 1},  // a wrong number in a record
      {kRecord, kTaskDoneRecord, 8, 1, 0, 0, 0, 0, 0, 0, 0, kLook,
       1},                                                           // a record that is too short
      {kRecord | 0x80, kSegmentTagsRecord, 0, kLook, 1},             // the longest there is
      {kRecord | 0xC0, kSegmentTagsRecord, 0, kLook, 1},             // one longer than that
      {kRecord | 0x80, kSegmentRunsRecord, 0, kLook, 1},             // or where tags are wanted
      {kWord, 0, 255, 255, 255, 255, 255, 255, 255, 255, kLook, 1},  // a tail at the end of numbers
      {kWord, 4, 0xF8, kLook, 1},                                    // a tail that went back
      {kScrawl, 0, 0, 2, 255, 255, 255, 255,   1, 0, 0,     0, 1,
       1,       1, 1, 1, 1,   1,   1,   kWord, 4, 2, kLook, 1},
      {kDie, kNearTruth, 0, kLook, 1, kDie | 0x80},  // deaths
  };
  for (const size_t begun : {size_t{0}, size_t{18}, honest.size()}) {
    for (const auto& end : ends) {
      scripts.emplace_back(honest.begin(), honest.begin() + static_cast<ptrdiff_t>(begun));
      scripts.back().insert(scripts.back().end(), end.begin(), end.end());
    }
  }
  return scripts;
}

}  // namespace consort::test
