// Who does what: cuts the list into tasks, follows every task by the records that come back, and
// hands out again what a dead worker held. It knows processes by number only, touches no ring and
// no descriptor, and so can be tested by itself.
//
// What comes from a worker is untrusted: a record that does not fit the task at the head of that
// engine's queue is a lie, and the caller kills the liar. Whatever the engine says after its first
// lie is a lie too: were its TaskDone believed, the segment that makes it lie would never be found.
//
// Suspects. Segments in flight when their worker crashed are run again in a worker that holds
// nothing else: in groups, each half of the one before, until a segment is alone in it
// (suspects.h). That one is guilty after `attempts` crashes. A SIGKILL that nobody explains is
// nobody's fault and makes no suspect, unless it comes again and again (unexplained_kills.h). So of
// n in flight a guilty segment costs at most attempts + max(1, ceil(log2 n)) deaths, and a file
// that cannot even be opened no more: until one worker has opened it, no other is given any of it.
// Meanwhile other workers go on with other work.
//
// A file that can only be decoded from its beginning on stays with the engine that began it, whose
// decoder stands where it has come to: another would have to decode all that lies before. Others
// take of it when there is nothing else.
//
// In a stateful job (of a model that remembers the earlier segments of a file) each file is in one
// hand at a time, from where its lines end to the end of the file, and the hand is that of the
// engine whose model stands there. Another one has to go through all that lies before: it gets the
// file when that engine is gone, or has more than that to do at other files. While a segment is
// suspected nobody is given what lies behind it, and one that is guilty ends its file: what follows
// could only be reached through it.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "shared/base/result.h"
#include "shared/record/error_code.h"
#include "shared/record/result.h"
#include "shared/record/task.h"
#include "supervisor/dispatch/file_table.h"
#include "supervisor/dispatch/resume_point.h"
#include "supervisor/dispatch/suspects.h"
#include "supervisor/dispatch/unexplained_kills.h"
#include "supervisor/plan/list.h"
#include "supervisor/plan/task_size.h"

namespace consort {

// Why a segment, or a file that cannot be opened, is given up.
struct Verdict {
  std::string stage;      // that the last of its workers was in; empty: unknown
  int deaths = 0;         // of workers in which it was alone
  bool by_kills = false;  // each for a row of SIGKILLs that nobody explains
  std::string message;    // that of its line, with what was measured
};

// Where results go. Called in any order of files; segments of a file at most once.
class ResultSink {
 public:
  virtual ~ResultSink() = default;
  virtual Status SegmentDone(const OpenFile& file, const SegmentTags& tags) = 0;
  // The same where settings.frame_ns is not 0.
  virtual Status SegmentDone(const OpenFile& file, const SegmentRuns& runs);
  // It is guilty. Its line comes next: SegmentCrashed, or, if the file was never opened, FileDone.
  virtual void Quarantined(const OpenFile& /*file*/, uint64_t /*segment*/, const Verdict&) {}
  // This one segment has no result; the file goes on.
  virtual Status SegmentCrashed(const OpenFile& file, uint64_t segment,
                                const std::string& message) = 0;
  // All segments below file.last() were given; file.fault says why the rest were not.
  virtual Status FileDone(const OpenFile& file) = 0;
};

struct DispatchSettings {
  int attempts = 3;
  int64_t segment_ns = 0;
  int64_t hop_ns = 0;
  bool each_channel = false;  // channels are heard one by one
  size_t labels = 0;
  // Results are runs of frames of this length; 0: they are tags.
  int64_t frame_ns = 0;
  bool by_label = false;  // runs are in order of labels, not of time
  // Segments in one forward: all of them are in flight at once.
  uint64_t batch = 1;
  // What the model says of a segment depends on the segments before it; batch is 1.
  bool stateful = false;
  // Tasks an engine holds: one in hand, one to go on with at once.
  size_t tasks_ahead = 2;

  // How a file's segments lie; nullopt: with channels heard one by one it has none, or more than
  // can be.
  std::optional<SegmentGrid> GridOf(const FileInfo& info) const;
};

// How a worker ended, each the end of a sentence about it.
struct EndWords {
  std::string plain;          // for results, the same each time: "hung"
  std::string measured = {};  // for people: "hung for 60 s"; empty: as `plain`
  bool in_stage = true;       // the stage it was in is the same each time, too
};

enum class Ending {
  kCrashed,  // it is to blame for its end
  kKilled,   // by nobody knows whom
  kRetired,  // by us, for nothing that it did
};

// How one engine was when its worker ended.
struct LastSeen {
  std::string stage;
  bool blamed = true;  // false: known not to be at fault, if its worker crashed
};

class Dispatcher {
 public:
  Dispatcher(const DispatchSettings& settings, FileList& list, ResultSink& sink);

  // Before anything else: goes on where another dispatcher of the same list stopped. What is open
  // there is worked on at once, what is done is passed over. A file that has another size or time
  // of change when it is opened again ends in the error `changed`.
  Status Resume(const ResumePoint& point);

  void AddWorker(uint64_t worker, uint32_t engines);

  // The next task for an engine that may take one; nullopt: nothing for it now. The task counts as
  // handed out.
  Result<std::optional<Task>> NextTask(uint64_t worker, uint32_t engine);

  // A record from that engine. `honest` is false when it cannot be one of its task.
  Status OnRecord(uint64_t worker, uint32_t engine, const ResultRecord& record, bool& honest);
  // What came from that engine was no record at all: it counts as a lie.
  void OnDamage(uint64_t worker, uint32_t engine);

  // The worker is reaped and its rings are drained: what it held is to be done again.
  Status RemoveWorker(uint64_t worker, Ending ending, const EndWords& words,
                      const std::vector<LastSeen>& engines);

  bool stateful() const { return settings_.stateful; }

  // Hand out nothing new.
  void Drain() { draining_ = true; }
  // Nothing new to this worker, which is to be replaced once it holds nothing.
  void Retire(uint64_t worker);
  // The same, but that it goes on with the files that its engines stand in the middle of, to their
  // ends, in a stateful job: another one would have to go through all that lies before, at which
  // its memory grows as that of this one did, so that it would have to be replaced there, too.
  void RetireAfterItsFiles(uint64_t worker);
  // It has a task, or is to get one of a file that it goes on with.
  bool Holds(uint64_t worker) const;
  // Each of its engines that is at something has to go through earlier segments of a file first,
  // and has told nothing of that file since: if it ends now, nothing is lost that would be kept.
  bool OnlyCatchesUp(uint64_t worker) const;

  // For whoever keeps where to go on: files that were opened and have not ended, in order.
  void ForEachOpen(const std::function<void(const OpenFile&)>& each) const;
  std::vector<ResumeSuspect> Suspects() const;
  // The segments that engines are at.
  std::vector<ResumeSuspect> InHand() const;

  // It holds a task.
  bool HasWork(uint64_t worker, uint32_t engine) const;
  // What runs in that worker is on trial.
  bool OnTrial(uint64_t worker) const;
  // How many segments of that file the engine may have to go through again before it gets on: all
  // that lie before the next one, in a stateful job; else, or if it is at another file, 0.
  uint64_t EarlierSegments(uint64_t worker, uint32_t engine, uint64_t file) const;

  bool AllDone() const { return list_ended_ && files_.empty(); }
  bool Idle() const { return in_flight_ == 0; }

  uint64_t files_done() const { return files_done_; }
  uint64_t segments_done() const { return segments_done_; }
  // That nobody has been given; of files that were not opened, a guess.
  double SegmentsLeft() const;
  // Any open file would be dear to whoever takes it over: it is decoded in one pass, or the model
  // has heard seconds' worth of work of it.
  bool AnyBoundToItsEngine() const;
  // Suspects are on trial, or wait for that.
  bool Suspecting() const { return !suspects_.empty() || kept_free_ > 0; }
  // Segments, and files that cannot be opened, that are guilty.
  uint64_t given_up() const { return given_up_; }
  double audio_seconds() const { return audio_seconds_; }
  // Files whose header says less than is there (kHeaderUnfinished), and the path of one of them.
  uint64_t files_unfinished() const { return files_unfinished_; }
  const std::string& unfinished_path() const { return unfinished_path_; }
  // Of tasks that ended, and how many segments they had.
  const std::array<int64_t, kStageCount>& stage_ns() const { return stage_ns_; }
  uint64_t segments_timed() const { return segments_timed_; }
  // What the segments of one forward take on average, with all that comes before and after it, but
  // for waiting; 0: not known yet.
  int64_t UsualForwardNs() const;

 private:
  struct HeldTask {
    Task task;
    size_t item = 0;        // the one in hand
    bool opened = false;    // its FileInfo came
    uint64_t next = 0;      // the next segment of it
    uint64_t end = 0;       // one past its last, once opened
    int64_t frames = 0;     // of the whole file, once opened, where results are runs
    uint64_t streams = 1;   // of it, once opened
    uint64_t segments = 0;  // results so far
    // Part of its time goes to what was done before: it tells nothing of what a segment costs.
    bool catches_up = false;
  };
  struct HeldWorker {
    std::vector<std::deque<HeldTask>> engines;
    std::vector<bool> lied;      // by engine
    bool kept_free = false;      // takes suspects alone
    std::optional<Trial> trial;  // those that it runs
    bool retiring = false;       // takes nothing more
    bool ends_files = false;     // but the rest of files that it stands in the middle of
    bool empty() const {
      for (const auto& held : engines) {
        if (!held.empty()) return false;
      }
      return true;
    }
  };
  struct Range {
    uint64_t file;
    uint64_t first;
    uint64_t count;
  };

  OpenFile* Find(uint64_t file);
  bool TakesSuspects(const HeldWorker& held);
  std::optional<Task> SuspectTask(HeldWorker& held, EngineId engine);
  std::optional<Task> TrialTask(HeldWorker& held, EngineId engine);
  void EndTrial(HeldWorker& held);
  bool Wanted(const SegmentId& segment);
  static std::vector<SegmentId> NotBegun(const HeldTask& held);
  uint64_t InFlight(const HeldTask& held) const;
  // What FillTask may take.
  struct Filling {
    Task& task;
    uint64_t budget;  // segments
    EngineId engine;  // that the task is for
    size_t bytes = 0;
    bool own = false;         // only what this engine stands in the middle of
    bool own_alone = false;   // and nothing else afterwards
    bool any = false;         // what another engine stands in the middle of, too
    bool catches_up = false;  // it has to go through earlier segments first
  };
  Status FillTask(Filling& filling);
  static uint64_t UntilGivenUp(const OpenFile& file, uint64_t first, uint64_t count);
  static uint64_t PlacesEnd(const OpenFile& file, uint64_t first, uint64_t count);
  void AddAgain(Filling& filling);
  void AddRest(Filling& filling);
  Status AddNew(Filling& filling);
  bool MayTake(const OpenFile& file, uint64_t first, const Filling& filling) const;
  // To be done next of that file, by an engine that has heard all that lies before.
  static bool StandsBefore(uint64_t worker, const OpenFile& file, uint64_t first);
  bool GoesOnWithAny(uint64_t worker) const;
  static bool CatchesUp(const HeldWorker& worker, const HeldTask& held);
  bool IsInHand(const OpenFile& file) const;
  bool IsForAnother(const OpenFile& file, uint64_t first, const Filling& filling) const;
  bool Give(Filling& filling, OpenFile& file, uint64_t first, uint64_t count) const;
  uint64_t Expected(const OpenFile& file, uint64_t first, uint64_t count) const;
  uint64_t ExpectedOf(const std::deque<HeldTask>& tasks) const;
  bool MayTakeAhead(const std::deque<HeldTask>& tasks) const;
  static bool AddItem(Task& task, const OpenFile& file, uint64_t first, uint64_t count,
                      size_t& bytes);
  Status OpenNext(OpenFile*& opened);
  Status NameResumed();
  Status ResumeOpen(const ResumeFile& from);
  void ResumeSuspects(const std::vector<ResumeSuspect>& suspects);

  Status Judge(HeldWorker& worker, uint32_t engine, const ResultRecord& record, bool& honest);
  Status OnInfo(HeldTask& held, const FileInfo& info, bool& honest);
  bool Possible(const HeldTask& held, const SegmentTags& tags) const;
  bool Possible(const HeldTask& held, const SegmentRuns& runs) const;
  template <typename SegmentRecord>
  Status OnResult(HeldTask& held, const SegmentRecord& result, bool& honest);
  Status OnFault(HeldTask& held, const FileFault& fault, bool& honest);
  void OnDone(HeldWorker& worker, HeldTask& held, const TaskDone& done);
  void NextItem(HeldTask& held);
  std::vector<SegmentId> InHand(const HeldWorker& worker) const;
  void PutBack(const HeldTask& held, uint64_t without);
  void EndOfTrial(HeldWorker& held, std::vector<SegmentId> in_flight, bool crashed);
  Status Fault(OpenFile& file, FileFault fault);
  void TakeBack(const OpenFile& file, uint64_t first, uint64_t end);
  Status GiveUp(const SegmentId& guilty, const EndWords& words, Verdict verdict);
  // Segments [first, end) that end with it.
  static std::pair<uint64_t, uint64_t> GuiltyWith(const OpenFile& file, uint64_t segment,
                                                  const std::string& stage);
  Status CloseIfComplete(OpenFile& file);

  DispatchSettings settings_;
  FileList& list_;
  ResultSink& sink_;
  TaskSize size_;
  UnexplainedKills kills_;
  std::unordered_map<uint64_t, HeldWorker> workers_;
  std::map<uint64_t, OpenFile> files_;  // by index
  std::deque<Range> again_;             // to be handed out again, first
  SuspectQueue suspects_;               // to be run apart from all else
  size_t kept_free_ = 0;                // workers that run them, or are to
  uint64_t next_task_ = 1;
  uint64_t engines_ = 0;
  uint64_t in_flight_ = 0;
  uint64_t unopened_ = 0;  // list entries not yet handed out
  RangeSet passed_over_;   // files that an earlier run has done, or begun
  uint64_t next_file_ = 0;
  bool list_ended_ = false;
  bool draining_ = false;

  uint64_t files_done_ = 0;
  uint64_t segments_done_ = 0;
  uint64_t given_up_ = 0;
  double audio_seconds_ = 0;
  uint64_t files_unfinished_ = 0;
  std::string unfinished_path_;
  std::array<int64_t, kStageCount> stage_ns_{};
  uint64_t segments_timed_ = 0;
};

}  // namespace consort
