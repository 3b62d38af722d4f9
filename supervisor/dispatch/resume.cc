// Going on where another dispatcher stopped, and telling where that is.
#include <algorithm>

#include "supervisor/dispatch/dispatcher.h"
#include "supervisor/output/jsonl.h"

namespace consort {

Status Dispatcher::Resume(const ResumePoint& point) {
  passed_over_ = point.done;
  files_done_ = point.done.Count();
  segments_done_ = point.segments;
  audio_seconds_ = point.audio_seconds;
  stage_ns_ = point.stage_ns;
  segments_timed_ = point.segments;
  for (const auto& file : point.open) {
    if (file.info.file >= list_.size() || passed_over_.Contains(file.info.file)) {
      return Error{"the journal names a file that it cannot name"};
    }
    CONSORT_TRY(ResumeOpen(file));
  }
  ResumeSuspects(point.suspects);
  for (const auto& [index, file] : files_) passed_over_.Add(index);
  if (passed_over_.Count() > list_.size()) {
    return Error{"the journal tells of more files than the list has"};
  }
  unopened_ = list_.size() - passed_over_.Count();
  list_ended_ = unopened_ == 0;
  return NameResumed();
}

Status Dispatcher::ResumeOpen(const ResumeFile& from) {
  const uint64_t index = from.info.file;
  const auto grid = settings_.GridOf(from.info);
  if (!grid) {
    return Error{"the journal lacks the number of channels of file " + std::to_string(index + 1) +
                     " of the list",
                 "begin anew with --restart"};
  }
  auto& file = files_[index];
  file.index = index;
  file.info = from.info;
  file.grid = grid;
  file.total = static_cast<uint64_t>(file.grid->Count(from.info.samples));
  file.accounted = from.accounted;
  file.crashed = from.crashed;
  if (from.fault) {
    file.fault = from.fault;
    file.end = from.fault->segment;
  }
  size_.FileKnown(file.total);
  // What lies between what is done is handed out first; what is behind it, as of any open file.
  uint64_t next = 0;
  for (const auto& [first, end] : file.accounted.ranges()) {
    if (first > next) again_.push_back({index, next, first - next});
    next = end;
  }
  file.next_unassigned = next;
  return Ok();
}

void Dispatcher::ResumeSuspects(const std::vector<ResumeSuspect>& suspects) {
  std::vector<ResumeSuspect> wanted;
  for (const auto& from : suspects) {
    if (from.file >= list_.size() || passed_over_.Contains(from.file)) continue;
    auto& file = files_[from.file];
    file.index = from.file;
    if (file.accounted.Contains(from.segment) || from.segment >= file.last()) continue;
    wanted.push_back(from);
    if (!file.info) {
      // Whoever opens it does so alone; the rest is planned once it is known how much there is.
      file.next_unassigned = from.segment + 1;
      continue;
    }
    // Out of what is handed out to others.
    if (from.segment >= file.next_unassigned) {
      if (from.segment > file.next_unassigned) {
        again_.push_back({from.file, file.next_unassigned, from.segment - file.next_unassigned});
      }
      file.next_unassigned = from.segment + 1;
      continue;
    }
    for (auto range = again_.begin(); range != again_.end(); ++range) {
      const uint64_t end = range->first + range->count;
      if (range->file != from.file || from.segment < range->first || from.segment >= end) continue;
      const Range behind{from.file, from.segment + 1, end - from.segment - 1};
      range->count = from.segment - range->first;
      if (behind.count > 0) again_.insert(std::next(range), behind);
      break;
    }
  }
  std::erase_if(again_, [](const Range& range) { return range.count == 0; });
  for (auto& group : GroupSuspects(wanted)) suspects_.PutLast(std::move(group));
}

// Names and paths are in the list alone, and it is read from its beginning.
Status Dispatcher::NameResumed() {
  if (files_.empty()) return Ok();
  ListEntry entry;
  auto next = files_.begin();
  for (uint64_t index = 0; next != files_.end(); ++index) {
    CONSORT_TRY(const bool more, list_.Next(entry));
    if (!more) return Error{"the journal tells of more files than the list has"};
    if (index != next->first) continue;
    next->second.name = JsonlFormatter::EscapeName(entry.name);
    next->second.path = entry.path;
    ++next;
  }
  list_.Rewind();
  return Ok();
}

void Dispatcher::ForEachOpen(const std::function<void(const OpenFile&)>& each) const {
  for (const auto& [index, file] : files_) {
    if (file.info) each(file);
  }
}

std::vector<ResumeSuspect> Dispatcher::Suspects() const {
  std::vector<ResumeSuspect> found;
  for (const auto& [id, worker] : workers_) {
    if (worker.trial) AppendSuspects(worker.trial->group(), found);
  }
  for (const auto& group : suspects_.groups()) AppendSuspects(group, found);
  return found;
}

std::vector<ResumeSuspect> Dispatcher::InHand() const {
  std::vector<ResumeSuspect> found;
  for (const auto& [id, worker] : workers_) {
    for (const auto& [file, segment] : InHand(worker)) found.push_back({file, segment});
  }
  return found;
}

}  // namespace consort
