#include "supervisor/gather/gather.h"

#include <algorithm>
#include <iterator>

namespace consort {
namespace {

constexpr uint64_t kPieceBytes = 256 * 1024;

}  // namespace

Gather::File& Gather::At(uint64_t file) {
  const uint64_t index = file - first_;
  if (index >= files_.size()) files_.resize(index + 1);
  return files_[index];
}

Status Gather::Add(uint64_t file, uint64_t segment, std::string_view line) {
  auto& entry = At(file);
  if (file == first_ && segment == head_next_) {
    ++head_next_;
    CONSORT_TRY(sink_(line));
    return entry.runs.empty() ? Ok() : Advance();
  }
  // The run that this segment continues, if there is one.
  auto at = entry.runs.upper_bound(segment);
  if (at != entry.runs.begin() && std::prev(at)->second.next == segment) {
    --at;
  } else {
    at = entry.runs.emplace_hint(at, segment, Run{});
  }
  at->second.next = segment + 1;
  at->second.lines += line;
  in_memory_ += line.size();
  return in_memory_ > memory_bytes_ ? Spill() : Ok();
}

Status Gather::Finish(uint64_t file, uint64_t end, std::string_view tail) {
  auto& entry = At(file);
  entry.finished = true;
  entry.end = end;
  entry.tail = tail;
  return file == first_ ? Advance() : Ok();
}

Status Gather::Advance() {
  while (!files_.empty()) {
    auto& head = files_.front();
    const uint64_t end = head.finished ? head.end : UINT64_MAX;
    for (auto run = head.runs.begin();
         run != head.runs.end() && run->first == head_next_ && head_next_ < end;
         run = head.runs.erase(run)) {
      head_next_ = run->second.next;
      CONSORT_TRY(WriteRun(run->second));
    }
    if (!head.finished || head_next_ < end) return Ok();
    for (const auto& [segment, run] : head.runs) {  // beyond a fault: no longer wanted
      in_memory_ -= run.lines.size();
      for (const auto& extent : run.spilled) spilled_now_ -= extent.size;
    }
    if (!head.tail.empty()) CONSORT_TRY(sink_(head.tail));
    files_.pop_front();
    ++first_;
    head_next_ = 0;
    if (scratch_used_ && spilled_now_ == 0) {
      CONSORT_TRY(scratch_.Clear());
      scratch_used_ = false;
    }
  }
  return Ok();
}

// In pieces of whole lines: a run may be far larger than what memory is to hold.
Status Gather::WriteRun(Run& run) {
  buffer_.clear();
  for (const auto& extent : run.spilled) {
    for (uint64_t done = 0; done < extent.size;) {
      const uint64_t piece = std::min(extent.size - done, kPieceBytes);
      CONSORT_TRY(scratch_.Read(extent.offset + done, piece, buffer_));
      done += piece;
      const size_t lines = buffer_.rfind('\n') + 1;  // 0 if there is none
      if (lines > 0) CONSORT_TRY(sink_(std::string_view(buffer_).substr(0, lines)));
      buffer_.erase(0, lines);
    }
    spilled_now_ -= extent.size;
  }
  in_memory_ -= run.lines.size();
  if (!buffer_.empty()) CONSORT_TRY(sink_(buffer_));  // lines without a newline
  return run.lines.empty() ? Ok() : sink_(run.lines);
}

Status Gather::Spill() {
  // The newest first: they are wanted last. Down to half, so that this is seldom.
  for (auto file = files_.rbegin(); file != files_.rend() && in_memory_ > memory_bytes_ / 2;
       ++file) {
    for (auto& [segment, run] : file->runs) {
      if (run.lines.empty()) continue;
      CONSORT_TRY(const uint64_t offset, scratch_.Append(run.lines));
      const uint64_t size = run.lines.size();
      if (!run.spilled.empty() && run.spilled.back().offset + run.spilled.back().size == offset) {
        run.spilled.back().size += size;
      } else {
        run.spilled.push_back({offset, size});
      }
      in_memory_ -= size;
      scratch_used_ = true;
      spilled_now_ += size;
      spilled_total_ += size;
      std::string().swap(run.lines);
    }
  }
  return Ok();
}

}  // namespace consort
