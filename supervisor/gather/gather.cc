#include "supervisor/gather/gather.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

namespace consort {
namespace {

constexpr uint64_t kPieceBytes = 256 * 1024;

}  // namespace

Status Gather::Add(uint64_t file, uint64_t segment, std::string_view line) {
  if (file == first_ && segment == head_next_) {
    ++head_next_;
    CONSORT_TRY(WriteHead(line));
    return open_.contains(file) ? Advance() : Ok();
  }
  auto& runs = open_[file];
  // The run that this segment continues, if there is one.
  auto at = runs.upper_bound(segment);
  if (at != runs.begin() && std::prev(at)->second.next == segment) {
    --at;
  } else {
    at = runs.emplace_hint(at, segment, Run{});
  }
  at->second.next = segment + 1;
  at->second.text.lines += line;
  in_memory_ += line.size();
  return in_memory_ > memory_bytes_ ? Spill() : Ok();
}

Status Gather::StartAt(uint64_t head, uint64_t head_next, uint64_t head_bytes,
                       std::string_view joiner) {
  first_ = head;
  head_next_ = head_next;
  head_bytes_ = head_bytes;
  return of_head_ ? OfFile(head, of_head_->Restore(joiner)) : Ok();
}

Status Gather::Skip(uint64_t first, uint64_t end) {
  stretches_[first].end = end;
  return first == first_ ? Advance() : Ok();
}

Status Gather::Finish(uint64_t file, uint64_t end, std::string_view tail) {
  // What is kept of the file, as one text.
  SpilledText text;
  LineJoiner* const joiner = file == first_ ? of_head_.get() : of_others_.get();
  if (auto found = open_.extract(file)) {
    for (auto& [segment, run] : found.mapped()) {
      if (segment < end) {
        CONSORT_TRY(joiner != nullptr ? Join(file, *joiner, text, std::move(run.text))
                                      : Append(text, std::move(run.text)));
      } else {
        Forget(run.text);  // beyond a fault: no longer wanted
      }
    }
  }
  const auto grow = [&](std::string_view lines) { return Grow(text, lines); };
  CONSORT_TRY(joiner != nullptr ? joiner->End(tail, grow) : Grow(text, tail));
  finished_bytes_ = text.size() + (file == first_ ? head_bytes_ : 0);
  // It joins the stretches on both sides.
  auto at = stretches_.lower_bound(file);
  if (at != stretches_.begin() && std::prev(at)->second.end == file) {
    --at;
    CONSORT_TRY(Append(at->second.text, std::move(text)));
  } else {
    at = stretches_.emplace_hint(at, file, Stretch{file, std::move(text)});
  }
  at->second.end = file + 1;
  const auto next = std::next(at);
  if (next != stretches_.end() && next->first == file + 1) {
    CONSORT_TRY(Append(at->second.text, std::move(next->second.text)));
    at->second.end = next->second.end;
    stretches_.erase(next);
  }
  if (file == first_) return Advance();
  return in_memory_ > memory_bytes_ ? Spill() : Ok();
}

Status Gather::Advance() {
  for (;;) {
    if (auto done = stretches_.begin(); done != stretches_.end() && done->first == first_) {
      CONSORT_TRY(Write(done->second.text));
      waits_ = done->second.text.size() > 0;
      if (waits_) return Ok();
      first_ = done->second.end;
      head_next_ = 0;
      head_bytes_ = 0;
      if (of_head_) of_head_->Begin();
      stretches_.erase(done);
      continue;
    }
    const auto head = open_.find(first_);
    if (head == open_.end()) break;
    auto& runs = head->second;
    while (!runs.empty() && runs.begin()->first == head_next_) {
      head_next_ = runs.begin()->second.next;
      CONSORT_TRY(WriteHead(runs.begin()->second.text));
      runs.erase(runs.begin());
    }
    if (runs.empty()) open_.erase(head);
    break;
  }
  if (!scratch_used_ || spilled_now_ > 0) return Ok();
  scratch_used_ = false;
  return scratch_.Clear();
}

// A text may be far larger than what memory is to hold.
template <typename Each>
Status Gather::Read(SpilledText& text, Each each, const std::function<bool()>& enough) {
  size_t read = 0;  // extents
  const auto forget = [&] {
    text.spilled.erase(text.spilled.begin(), text.spilled.begin() + static_cast<ptrdiff_t>(read));
  };
  for (; read < text.spilled.size(); ++read) {
    Extent& extent = text.spilled[read];
    while (extent.size > 0) {
      if (enough && enough()) return forget(), Ok();
      buffer_.clear();
      uint64_t whole = 0;  // bytes of whole lines
      while (whole == 0 && buffer_.size() < extent.size) {
        const uint64_t done = buffer_.size();
        const uint64_t piece = std::min(extent.size - done, kPieceBytes);
        CONSORT_TRY(scratch_.Read(extent.offset + done, piece, buffer_));
        whole = buffer_.rfind('\n') + 1;  // 0 if there is none
      }
      if (whole == 0) whole = buffer_.size();  // lines without a newline
      CONSORT_TRY(each(std::string_view(buffer_).substr(0, whole)));
      extent.offset += whole;
      extent.size -= whole;
      spilled_now_ -= whole;
    }
  }
  forget();
  in_memory_ -= text.lines.size();
  const std::string lines = std::exchange(text.lines, {});
  return lines.empty() ? Ok() : each(lines);
}

Status Gather::Write(SpilledText& text) { return Read(text, sink_, enough_); }

Status Gather::WriteHead(std::string_view lines) {
  const auto write = [this](std::string_view written) {
    head_bytes_ += written.size();
    return sink_(written);
  };
  return of_head_ ? AddTo(*of_head_, first_, lines, write) : write(lines);
}

Status Gather::WriteHead(SpilledText& text) {
  return Read(text, [this](std::string_view lines) { return WriteHead(lines); });
}

Status Gather::OfFile(uint64_t file, Status status) {
  if (status) return status;
  Error error = std::move(status).error();
  error.what += " (file " + std::to_string(file + 1) + " of the list)";
  return error;
}

Status Gather::AddTo(LineJoiner& joiner, uint64_t file, std::string_view pieces,
                     const LineJoiner::Sink& put) {
  std::optional<Error> not_put;  // that is no fault of the file's
  const Status added = joiner.Add(pieces, [&](std::string_view lines) {
    Status done = put(lines);
    if (!done) not_put = done.error();
    return done;
  });
  if (not_put) return *not_put;
  return OfFile(file, added);
}

Status Gather::Join(uint64_t file, LineJoiner& joiner, SpilledText& to, SpilledText&& pieces) {
  return Read(pieces, [&](std::string_view lines) {
    return AddTo(joiner, file, lines, [&](std::string_view made) { return Grow(to, made); });
  });
}

Status Gather::Grow(SpilledText& to, std::string_view lines) {
  to.lines += lines;
  in_memory_ += lines.size();
  return in_memory_ > memory_bytes_ ? SpillOne(to) : Ok();
}

void Gather::Forget(const SpilledText& text) {
  in_memory_ -= text.lines.size();
  for (const auto& extent : text.spilled) spilled_now_ -= extent.size;
}

Status Gather::Append(SpilledText& to, SpilledText&& from) {
  if (!from.spilled.empty() && !to.lines.empty()) CONSORT_TRY(SpillOne(to));
  for (const auto& extent : from.spilled) to.AddExtent(extent);
  to.lines += from.lines;
  return Ok();
}

Status Gather::Spill() {
  // The newest first: they are wanted last. Down to half, so that this is seldom.
  const size_t enough = memory_bytes_ / 2;
  for (auto at = stretches_.rbegin(); at != stretches_.rend() && in_memory_ > enough; ++at) {
    CONSORT_TRY(SpillOne(at->second.text));
  }
  for (auto file = open_.rbegin(); file != open_.rend() && in_memory_ > enough; ++file) {
    for (auto& [segment, run] : file->second) CONSORT_TRY(SpillOne(run.text));
  }
  return Ok();
}

Status Gather::SpillOne(SpilledText& text) {
  if (text.lines.empty()) return Ok();
  const uint64_t size = text.lines.size();
  CONSORT_TRY(const uint64_t offset, scratch_.Append(text.lines));
  text.AddExtent({offset, size});
  std::string().swap(text.lines);
  in_memory_ -= size;
  scratch_used_ = true;
  spilled_now_ += size;
  spilled_total_ += size;
  return Ok();
}

size_t Gather::pieces() const {
  size_t count = stretches_.size();
  for (const auto& [file, stretch] : stretches_) count += stretch.text.spilled.size();
  for (const auto& [file, runs] : open_) {
    count += 1 + runs.size();
    for (const auto& [segment, run] : runs) count += run.text.spilled.size();
  }
  return count;
}

}  // namespace consort
