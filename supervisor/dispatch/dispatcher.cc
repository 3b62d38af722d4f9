#include "supervisor/dispatch/dispatcher.h"

#include <algorithm>

#include "shared/segment/frames.h"
#include "supervisor/output/jsonl.h"

namespace consort {
namespace {

const size_t kLargestItem = EncodedSize(TaskItem{}) + kMaxPathBytes;

// A file's segments beyond this are a lie (3 s segments: 100,000 years).
constexpr int64_t kMostSegmentsOfAFile = int64_t{1} << 40;
// To its end, however far that is; no sum with it overflows.
constexpr uint64_t kWholeFile = kMostSegmentsOfAFile;

// Of its channel's sound, until the next segment of that begins.
double SecondsOf(const OpenFile& file, uint64_t segment) {
  const auto s = static_cast<int64_t>(segment);
  const int64_t streams = file.grid->streams();
  const bool last = segment + static_cast<uint64_t>(streams) >= file.total;
  const int64_t until = last ? file.info->samples : file.grid->Start(s + streams);
  return static_cast<double>(until - file.grid->Start(s)) / file.info->sample_rate;
}

}  // namespace

std::optional<SegmentGrid> DispatchSettings::GridOf(const FileInfo& info) const {
  if (!each_channel) return SegmentGrid(segment_ns, hop_ns, info.sample_rate);
  if (info.channels < 1 || info.channels > kMaxStreams) return std::nullopt;
  return SegmentGrid(segment_ns, hop_ns, info.sample_rate, info.channels);
}

Status ResultSink::SegmentDone(const OpenFile& /*file*/, const SegmentRuns& /*runs*/) {
  return Error{"results in frames have no place to go to"};
}

Dispatcher::Dispatcher(const DispatchSettings& settings, FileList& list, ResultSink& sink)
    : settings_(settings),
      list_(list),
      sink_(sink),
      kills_(settings.attempts),
      unopened_(list.size()),
      list_ended_(list.size() == 0) {}

void Dispatcher::AddWorker(uint64_t worker, uint32_t engines) {
  workers_[worker].engines.resize(engines);
  workers_[worker].lied.resize(engines);
  engines_ += engines;
}

void Dispatcher::Retire(uint64_t worker) {
  const auto found = workers_.find(worker);
  if (found == workers_.end()) return;
  found->second.retiring = true;
  found->second.ends_files = false;
  // Kept free for a suspect that it has not been given: another worker takes it.
  if (found->second.kept_free && !found->second.trial) {
    found->second.kept_free = false;
    --kept_free_;
  }
}

void Dispatcher::RetireAfterItsFiles(uint64_t worker) {
  Retire(worker);
  const auto found = workers_.find(worker);
  if (found != workers_.end()) found->second.ends_files = settings_.stateful;
}

int64_t Dispatcher::UsualForwardNs() const {
  if (segments_timed_ == 0) return 0;
  int64_t busy_ns = 0;
  for (size_t stage = 0; stage < kStageCount; ++stage) {
    if (stage != static_cast<size_t>(Stage::kWaiting)) busy_ns += stage_ns_[stage];
  }
  return busy_ns / static_cast<int64_t>(segments_timed_) * static_cast<int64_t>(settings_.batch);
}

bool Dispatcher::Holds(uint64_t worker) const {
  const auto found = workers_.find(worker);
  if (found == workers_.end()) return false;
  const auto& held = found->second;
  // One on trial gets nothing but what is on trial, and while it retires not even that.
  return !held.empty() || (held.ends_files && !held.kept_free && GoesOnWithAny(worker));
}

bool Dispatcher::OnlyCatchesUp(uint64_t worker) const {
  const auto found = workers_.find(worker);
  if (!settings_.stateful || found == workers_.end() || found->second.empty()) return false;
  return std::ranges::all_of(found->second.engines, [&](const std::deque<HeldTask>& tasks) {
    return tasks.empty() || CatchesUp(found->second, tasks.front());
  });
}

// Of a model with state.
bool Dispatcher::CatchesUp(const HeldWorker& worker, const HeldTask& held) {
  if (held.item >= held.task.items.size()) return false;
  const uint64_t first = held.task.items[held.item].first_segment;
  return (held.catches_up || worker.trial) && first > 0 && held.next == first;
}

OpenFile* Dispatcher::Find(uint64_t file) {
  const auto found = files_.find(file);
  return found == files_.end() ? nullptr : &found->second;
}

bool Dispatcher::HasWork(uint64_t worker, uint32_t engine) const {
  const auto found = workers_.find(worker);
  return found != workers_.end() && !found->second.engines[engine].empty();
}

bool Dispatcher::OnTrial(uint64_t worker) const {
  const auto found = workers_.find(worker);
  return found != workers_.end() && found->second.trial.has_value();
}

uint64_t Dispatcher::EarlierSegments(uint64_t worker, uint32_t engine, uint64_t file) const {
  const auto found = workers_.find(worker);
  if (!settings_.stateful || found == workers_.end() || found->second.engines[engine].empty()) {
    return 0;
  }
  const auto& held = found->second.engines[engine].front();
  const bool at_it = held.item < held.task.items.size() && held.task.items[held.item].file == file;
  return at_it ? held.next : 0;
}

// ---- handing out ----

Result<std::optional<Task>> Dispatcher::NextTask(uint64_t worker, uint32_t engine) {
  const auto found = workers_.find(worker);
  if (draining_ || found == workers_.end()) return std::optional<Task>();
  auto& held = found->second;
  if ((held.retiring && (!held.ends_files || held.kept_free)) ||
      held.engines[engine].size() >= settings_.tasks_ahead || !MayTakeAhead(held.engines[engine]) ||
      std::find(held.lied.begin(), held.lied.end(), true) != held.lied.end()) {
    return std::optional<Task>();
  }
  std::optional<Task> task;
  if (!held.retiring && TakesSuspects(held)) {
    task = SuspectTask(held, {worker, engine});
    if (!task && held.kept_free) return std::optional<Task>();
  }
  HeldTask kept;
  if (!task) {
    task.emplace();
    Filling filling{*task, size_.Next(SegmentsLeft(), engines_), {worker, engine}};
    filling.own_alone = held.retiring;
    CONSORT_TRY(FillTask(filling));
    if (task->items.empty()) return std::optional<Task>();
    kept.catches_up = filling.catches_up;
  }
  task->id = next_task_++;
  const bool one_pass = std::ranges::any_of(task->items, [this](const TaskItem& item) {
    const auto* file = Find(item.file);
    return file != nullptr && file->one_pass();
  });
  const bool bound = one_pass || settings_.stateful;
  task->time_slice_ns = bound ? TaskSize::kOnePassSliceNs : TaskSize::kSliceNs;
  kept.task = *task;
  kept.next = task->items.front().first_segment;
  held.engines[engine].push_back(std::move(kept));
  ++in_flight_;
  return task;
}

// False: the task is full.
bool Dispatcher::AddItem(Task& task, const OpenFile& file, uint64_t first, uint64_t count,
                         size_t& bytes) {
  TaskItem item{file.index, first, count, file.path};
  const size_t size = EncodedSize(item);
  if (!task.items.empty() && bytes + size > kMaxTaskBytes / 2) return false;
  bytes += size;
  task.items.push_back(std::move(item));
  return true;
}

bool Dispatcher::Give(Filling& filling, OpenFile& file, uint64_t first, uint64_t count) const {
  if (!AddItem(filling.task, file, first, count, filling.bytes)) {
    filling.budget = 0;
    return false;
  }
  if (settings_.stateful && first > 0 && file.reader != filling.engine) filling.catches_up = true;
  file.reader = filling.engine;
  filling.budget -= std::min(filling.budget, Expected(file, first, count));
  return true;
}

// Segments that this part of the file is likely to have.
uint64_t Dispatcher::Expected(const OpenFile& file, uint64_t first, uint64_t count) const {
  if (!settings_.stateful) return count;
  if (!file.info) return std::min(count, static_cast<uint64_t>(size_.segments_per_file()));
  return std::min(count, file.last() - std::min(first, file.last()));
}

// Of tasks that an engine holds.
uint64_t Dispatcher::ExpectedOf(const std::deque<HeldTask>& tasks) const {
  uint64_t segments = 0;
  for (const auto& held : tasks) {
    for (size_t i = held.item; i < held.task.items.size(); ++i) {
      const auto& item = held.task.items[i];
      const auto found = files_.find(item.file);
      if (found == files_.end()) continue;
      const uint64_t first = i == held.item ? held.next : item.first_segment;
      segments += Expected(found->second, first, item.segment_count);
    }
  }
  return segments;
}

// In a stateful job an engine that ends a task early goes on in the middle of a file, so nothing
// may stand in its ring then: only where its task, all in all, is sure to be done in time is there
// another.
bool Dispatcher::MayTakeAhead(const std::deque<HeldTask>& tasks) const {
  if (!settings_.stateful || tasks.empty()) return true;
  uint64_t segments = ExpectedOf(tasks);
  for (const auto& held : tasks) {
    if (held.catches_up) return false;
    segments += held.segments;
  }
  const double ns = static_cast<double>(segments) * size_.segment_ns();
  return size_.segment_ns() > 0 && ns <= static_cast<double>(TaskSize::kSliceNs);
}

// What is to be done again, then the rest of files that are open, oldest first, then new files; and
// if that is nothing, what lies in the way of another engine.
Status Dispatcher::FillTask(Filling& filling) {
  if (settings_.stateful) {
    filling.own = true;
    AddAgain(filling);
    AddRest(filling);
    if (filling.own_alone) return Ok();
    filling.own = false;
  }
  AddAgain(filling);
  AddRest(filling);
  CONSORT_TRY(AddNew(filling));
  if (!filling.task.items.empty()) return Ok();
  filling.any = true;
  AddAgain(filling);
  AddRest(filling);
  return Ok();
}

bool Dispatcher::MayTake(const OpenFile& file, uint64_t first, const Filling& filling) const {
  if (filling.own && (first == 0 || file.reader != filling.engine)) return false;
  // With state, one part after the other; a suspect, too, comes before what lies behind it.
  if (settings_.stateful && (first != file.accounted.FirstMissing() || IsInHand(file)))
    return false;
  return !IsForAnother(file, first, filling);
}

bool Dispatcher::StandsBefore(uint64_t worker, const OpenFile& file, uint64_t first) {
  return first > 0 && file.reader && file.reader->worker == worker &&
         first == file.accounted.FirstMissing();
}

bool Dispatcher::GoesOnWithAny(uint64_t worker) const {
  const bool again = std::ranges::any_of(again_, [&](const Range& range) {
    const auto found = files_.find(range.file);
    return found != files_.end() && range.first < found->second.last() &&
           StandsBefore(worker, found->second, range.first);
  });
  return again || std::ranges::any_of(files_, [&](const auto& entry) {
           const OpenFile& file = entry.second;
           return file.unassigned() > 0 && StandsBefore(worker, file, file.next_unassigned);
         });
}

// An engine holds a task that it is part of.
bool Dispatcher::IsInHand(const OpenFile& file) const {
  if (!file.reader) return false;
  const auto found = workers_.find(file.reader->worker);
  if (found == workers_.end()) return false;
  return std::ranges::any_of(
      found->second.engines[file.reader->engine], [&file](const HeldTask& held) {
        return std::ranges::any_of(
            held.task.items, [&file](const TaskItem& item) { return item.file == file.index; });
      });
}

bool Dispatcher::IsForAnother(const OpenFile& file, uint64_t first, const Filling& filling) const {
  const bool bound = file.one_pass() || (settings_.stateful && first > 0);
  if (!bound || !file.reader || *file.reader == filling.engine) return false;
  const auto found = workers_.find(file.reader->worker);
  if (found == workers_.end() || found->second.kept_free) return false;
  if (found->second.retiring && !found->second.ends_files) return false;
  if (!filling.any) return true;
  // Its engine comes for it without having to catch up, sooner than another would have.
  return settings_.stateful && ExpectedOf(found->second.engines[file.reader->engine]) <= first;
}

// Segments from `first` on, at most `count`, of which none was given up.
uint64_t Dispatcher::UntilGivenUp(const OpenFile& file, uint64_t first, uint64_t count) {
  const auto next = file.crashed.lower_bound(first);
  return next == file.crashed.end() ? count : std::min(count, *next - first);
}

// As many, or so many more that they end where a place does: it is decoded for all channels that
// are heard, and so by one engine.
uint64_t Dispatcher::PlacesEnd(const OpenFile& file, uint64_t first, uint64_t count) {
  const auto streams = file.grid ? static_cast<uint64_t>(file.grid->streams()) : 1;
  const uint64_t past = (first + count) % streams;
  return past == 0 ? count : count + (streams - past);
}

void Dispatcher::AddAgain(Filling& filling) {
  for (auto at = again_.begin(); at != again_.end() && filling.budget > 0 &&
                                 filling.task.items.size() < TaskSize::kMostItems;) {
    Range& range = *at;
    auto* file = Find(range.file);
    // Given up meanwhile, with another of their place.
    while (file != nullptr && range.count > 0 && file->crashed.contains(range.first)) {
      ++range.first;
      --range.count;
    }
    if (file == nullptr || range.count == 0 || range.first >= file->last()) {
      at = again_.erase(at);
      continue;
    }
    if (!MayTake(*file, range.first, filling)) {
      ++at;
      continue;
    }
    uint64_t count = std::min(range.count, file->last() - range.first);
    count = UntilGivenUp(*file, range.first, count);
    if (!settings_.stateful) {
      count = std::min(count, PlacesEnd(*file, range.first, std::min(count, filling.budget)));
    }
    if (!Give(filling, *file, range.first, count)) return;
    range.first += count;
    range.count -= count;
    if (!file->info) {
      // A file that nobody has opened is in one hand only: if opening it is what kills, it kills
      // one worker at a time. The rest is planned once it is known how much there is.
      file->next_unassigned = range.first;
      range.count = 0;
    }
    if (range.count == 0 || range.first >= file->last()) at = again_.erase(at);
  }
}

void Dispatcher::AddRest(Filling& filling) {
  for (auto& [index, file] : files_) {
    if (filling.budget == 0 || filling.task.items.size() >= TaskSize::kMostItems) return;
    while (file.crashed.contains(file.next_unassigned)) ++file.next_unassigned;
    uint64_t rest = file.unassigned();
    if (rest == 0 || !MayTake(file, file.next_unassigned, filling)) continue;
    rest = UntilGivenUp(file, file.next_unassigned, rest);
    uint64_t count = settings_.stateful ? rest : std::min(filling.budget, rest);
    // End where the decoder may start anew without going back; at least a place is one engine's.
    const uint64_t align = file.info->segment_alignment;
    const uint64_t past = (file.next_unassigned + count) % align;
    if (count < rest && count > past) count -= past;
    count = std::min(rest, PlacesEnd(file, file.next_unassigned, count));
    if (!Give(filling, file, file.next_unassigned, count)) return;
    file.next_unassigned += count;
  }
}

Status Dispatcher::AddNew(Filling& filling) {
  auto left = static_cast<double>(filling.budget);
  while (left > 0 && !list_ended_ && filling.task.items.size() < TaskSize::kMostItems) {
    // Once it is taken from the list it must fit.
    if (filling.bytes + kLargestItem > kMaxTaskBytes / 2 && !filling.task.items.empty()) {
      return Ok();
    }
    OpenFile* file = nullptr;
    CONSORT_TRY(OpenNext(file));
    if (file == nullptr) continue;
    // "The first so many segments, and tell how many there are."
    const uint64_t count =
        settings_.stateful ? kWholeFile : static_cast<uint64_t>(std::max(1.0, left));
    Give(filling, *file, 0, count);
    file->next_unassigned = count;
    left -= std::min(size_.segments_per_file(), left);
    if (left < 1) break;
  }
  return Ok();
}

Status Dispatcher::OpenNext(OpenFile*& opened) {
  ListEntry entry;
  CONSORT_TRY(const bool more, list_.Next(entry));
  if (!more) {
    list_ended_ = true;
    return Ok();
  }
  const uint64_t index = next_file_++;
  if (passed_over_.Contains(index)) return Ok();
  --unopened_;
  if (unopened_ == 0) list_ended_ = true;
  auto& file = files_[index];
  file.index = index;
  file.name = JsonlFormatter::EscapeName(entry.name);
  file.path = entry.path;
  if (entry.too_long) {
    FileFault fault{index, 0, -1, static_cast<uint32_t>(ErrorCode::kUnreadable),
                    "file name too long"};
    return Fault(file, fault);
  }
  opened = &file;
  return Ok();
}

double Dispatcher::SegmentsLeft() const {
  double left = static_cast<double>(unopened_) * size_.segments_per_file();
  for (const auto& range : again_) {
    const auto found = settings_.stateful ? files_.find(range.file) : files_.end();
    left += static_cast<double>(
        found == files_.end() ? range.count : Expected(found->second, range.first, range.count));
  }
  for (const auto& [index, file] : files_) {
    left += static_cast<double>(file.unassigned());
    if (left > 1e6) break;  // enough to know that the end is far
  }
  return left;
}

bool Dispatcher::AnyBoundToItsEngine() const {
  return std::ranges::any_of(files_, [this](const auto& entry) {
    const OpenFile& file = entry.second;
    const auto heard = static_cast<double>(file.accounted.FirstMissing());
    return file.one_pass() || (settings_.stateful && heard * size_.segment_ns() >
                                                         static_cast<double>(TaskSize::kSliceNs));
  });
}

// ---- following ----

Status Dispatcher::OnRecord(uint64_t worker, uint32_t engine, const ResultRecord& record,
                            bool& honest) {
  honest = false;
  const auto found = workers_.find(worker);
  if (found == workers_.end() || found->second.lied[engine]) return Ok();
  const Status status = Judge(found->second, engine, record, honest);
  if (!honest) found->second.lied[engine] = true;
  return status;
}

void Dispatcher::OnDamage(uint64_t worker, uint32_t engine) {
  const auto found = workers_.find(worker);
  if (found != workers_.end()) found->second.lied[engine] = true;
}

Status Dispatcher::Judge(HeldWorker& worker, uint32_t engine, const ResultRecord& record,
                         bool& honest) {
  if (worker.engines[engine].empty()) return Ok();
  auto& held = worker.engines[engine].front();
  if (const auto* tags = std::get_if<SegmentTags>(&record)) return OnResult(held, *tags, honest);
  if (const auto* runs = std::get_if<SegmentRuns>(&record)) return OnResult(held, *runs, honest);
  if (const auto* info = std::get_if<FileInfo>(&record)) return OnInfo(held, *info, honest);
  if (const auto* fault = std::get_if<FileFault>(&record)) return OnFault(held, *fault, honest);
  const auto& done = std::get<TaskDone>(record);
  // An engine may end a task early, but not before it has got on.
  const bool got_on = held.item > 0 || held.next > held.task.items.front().first_segment;
  if (done.task != held.task.id || !got_on) return Ok();
  honest = true;
  OnDone(worker, held, done);
  worker.engines[engine].pop_front();
  --in_flight_;
  // All of the group that were wanted lived: innocent.
  if (worker.trial && worker.trial->waiting().empty() && worker.empty()) EndTrial(worker);
  return Ok();
}

void Dispatcher::NextItem(HeldTask& held) {
  ++held.item;
  held.opened = false;
  if (held.item < held.task.items.size()) held.next = held.task.items[held.item].first_segment;
}

Status Dispatcher::OnInfo(HeldTask& held, const FileInfo& info, bool& honest) {
  if (held.item >= held.task.items.size() || held.opened) return Ok();
  const auto& item = held.task.items[held.item];
  if (info.file != item.file) return Ok();
  const auto grid = settings_.GridOf(info);
  if (!grid) return Ok();
  const int64_t count = grid->Count(info.samples);
  if (count < 1 || count > kMostSegmentsOfAFile) return Ok();
  honest = true;
  // The engine goes by what it sees now, whatever others saw: so does what we expect of it.
  const auto total = static_cast<uint64_t>(count);
  held.opened = true;
  held.end = std::min(item.first_segment + item.segment_count, total);
  held.streams = static_cast<uint64_t>(grid->streams());
  if (settings_.frame_ns > 0) {
    held.frames =
        FrameGrid(settings_.hop_ns, settings_.frame_ns).Count(info.samples, info.sample_rate);
  }
  auto* file = Find(item.file);
  const uint64_t first = item.first_segment;
  if (held.next >= held.end) NextItem(held);
  if (file == nullptr) return Ok();
  if (!file->info) {
    file->info = info;
    file->info->flags = 0;
    file->grid = grid;
    file->total = total;
    size_.FileKnown(total);
  }
  // Not known of a file that an earlier run has opened.
  if ((info.flags & ~file->info->flags & kHeaderUnfinished) != 0) {
    if (files_unfinished_++ == 0) unfinished_path_ = file->path;
  }
  file->info->flags |= info.flags;
  // Where they are not heard one by one, how many channels there are is for people alone.
  const bool as_many = !settings_.each_channel || file->info->channels == info.channels;
  if (as_many && SameSound(info, *file->info)) return Ok();
  // A job that was begun before all of such a recording was heard.
  const bool more_heard = (info.flags & kHeaderUnfinished) != 0 &&
                          info.size_bytes == file->info->size_bytes &&
                          info.mtime_ns == file->info->mtime_ns;
  return Fault(*file,
               {item.file, first, -1, static_cast<uint32_t>(ErrorCode::kChanged),
                more_heard ? "its header says less than is there, and an older consort began "
                             "it without the rest; --retry-failed hears all of it"
                           : "the file was changed while it was being read"});
}

bool Dispatcher::Possible(const HeldTask& /*held*/, const SegmentTags& tags) const {
  return settings_.frame_ns == 0 && std::ranges::all_of(tags.tags, [this](const Tag& tag) {
           return tag.label < settings_.labels;
         });
}

// Its frames may be any of the file's from where the segment begins: how many the model gives, only
// the worker knows.
bool Dispatcher::Possible(const HeldTask& held, const SegmentRuns& runs) const {
  if (settings_.frame_ns == 0) return false;
  const auto frames = static_cast<uint64_t>(held.frames);
  if (runs.first_frame > frames || runs.frames > frames - runs.first_frame) return false;
  const FrameGrid grid(settings_.hop_ns, settings_.frame_ns);
  const auto per_hop = static_cast<uint64_t>(grid.per_hop());
  if (runs.frames > 0 && runs.first_frame / per_hop < runs.segment / held.streams) return false;
  const bool known = std::ranges::all_of(
      runs.runs, [this](const FrameRun& run) { return run.label < settings_.labels; });
  return known && (settings_.by_label ? InOrderOfLabels(runs.runs) : InOrderOfTime(runs.runs));
}

template <typename SegmentRecord>
Status Dispatcher::OnResult(HeldTask& held, const SegmentRecord& result, bool& honest) {
  if (held.item >= held.task.items.size() || !held.opened) return Ok();
  if (result.file != held.task.items[held.item].file || result.segment != held.next) return Ok();
  if (!Possible(held, result)) return Ok();
  honest = true;
  ++held.next;
  ++held.segments;
  if (held.next >= held.end) NextItem(held);
  auto* file = Find(result.file);
  if (file == nullptr || result.segment >= file->last() || !file->accounted.Add(result.segment)) {
    return Ok();  // beyond a fault: nobody wants it
  }
  ++segments_done_;
  audio_seconds_ += SecondsOf(*file, result.segment);
  CONSORT_TRY(sink_.SegmentDone(*file, result));
  return CloseIfComplete(*file);
}

Status Dispatcher::OnFault(HeldTask& held, const FileFault& fault, bool& honest) {
  if (held.item >= held.task.items.size()) return Ok();
  const auto& item = held.task.items[held.item];
  if (fault.file != item.file || fault.segment != held.next) return Ok();
  honest = true;
  NextItem(held);
  auto* file = Find(fault.file);
  return file == nullptr ? Ok() : Fault(*file, fault);
}

void Dispatcher::OnDone(HeldWorker& worker, HeldTask& held, const TaskDone& done) {
  int64_t busy_ns = 0;
  for (size_t stage = 0; stage < kStageCount; ++stage) {
    const int64_t ns = std::clamp<int64_t>(done.stage_ns[stage], 0, int64_t{1} << 50);
    stage_ns_[stage] += ns;
    if (stage != static_cast<size_t>(Stage::kWaiting)) busy_ns += ns;
  }
  segments_timed_ += held.segments;
  if (worker.trial) {
    for (const auto& member : NotBegun(held)) worker.trial->Wait(member);
    return;
  }
  if (!held.catches_up) size_.TaskEnded(busy_ns, held.segments);
  PutBack(held, 0);
}

// ---- what is done again, what has ended ----

// What the task has not done goes to the front of what is to be done again, but for the first
// `without` segments of the item in hand.
void Dispatcher::PutBack(const HeldTask& held, uint64_t without) {
  for (size_t i = held.task.items.size(); i-- > held.item;) {
    const auto& item = held.task.items[i];
    Range range{item.file, item.first_segment, item.segment_count};
    const uint64_t left_out = i == held.item ? without : 0;
    if (i == held.item) {
      const uint64_t past = std::min(range.count, held.next - range.first + left_out);
      range.first += past;
      range.count -= past;
    }
    auto* file = Find(range.file);
    if (file == nullptr || range.first >= file->last()) continue;
    if (left_out > 0 && !file->info) {
      file->next_unassigned = range.first;  // the suspect opens it alone, or nobody does
      continue;
    }
    range.count = std::min(range.count, file->last() - range.first);
    if (range.count > 0) again_.push_front(range);
  }
}

// Segments that were done, and then a fault was found before them: they get no line.
void Dispatcher::TakeBack(const OpenFile& file, uint64_t first, uint64_t end) {
  for (const auto& [begin, past] : file.accounted.ranges()) {
    for (uint64_t k = std::max(begin, first); k < std::min(past, end); ++k) {
      if (file.crashed.contains(k)) continue;
      --segments_done_;
      audio_seconds_ -= SecondsOf(file, k);
    }
  }
}

Status Dispatcher::Fault(OpenFile& file, FileFault fault) {
  // What was given up meanwhile has its line, which may be written, and so may those behind it: the
  // file ends at the first after it that has none.
  if (file.crashed.contains(fault.segment)) {
    for (const auto& [begin, past] : file.accounted.ranges()) {
      if (begin <= fault.segment && fault.segment < past) fault.segment = past;
    }
  }
  if (fault.segment < file.end && fault.segment < file.total) {
    TakeBack(file, fault.segment, file.last());
    file.end = fault.segment;
    file.fault = std::move(fault);
  }
  return CloseIfComplete(file);
}

Status Dispatcher::CloseIfComplete(OpenFile& file) {
  if (!file.complete()) return Ok();
  ++files_done_;
  kills_.Forget(file.index);
  const Status done = sink_.FileDone(file);
  files_.erase(uint64_t{file.index});
  return done;
}

}  // namespace consort
