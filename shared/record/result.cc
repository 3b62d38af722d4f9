#include "shared/record/result.h"

#include <algorithm>
#include <cmath>

#include "shared/record/error_code.h"
#include "shared/record/wire.h"

namespace consort {

uint32_t Encode(const FileInfo& info, std::vector<uint8_t>& out) {
  WireWriter writer(out);
  writer.Put(info.file);
  writer.Put(info.samples);
  writer.Put(info.size_bytes);
  writer.Put(info.mtime_ns);
  writer.Put(info.sample_rate);
  writer.Put(info.segment_alignment);
  writer.Put(info.channels);
  writer.Put(info.flags);
  writer.PutBytes(std::string_view(info.container).substr(0, kMaxContainerBytes));
  return kFileInfoRecord;
}

uint32_t Encode(const SegmentTags& tags, std::vector<uint8_t>& out) {
  WireWriter writer(out);
  writer.Put(tags.file);
  writer.Put(tags.segment);
  writer.Put(tags.taken_ns);
  writer.Put(tags.published_ns);
  writer.Put(static_cast<uint32_t>(tags.tags.size()));
  for (const auto& tag : tags.tags) {
    writer.Put(tag.label);
    writer.Put(tag.score);
  }
  return kSegmentTagsRecord;
}

uint32_t Encode(const SegmentRuns& runs, std::vector<uint8_t>& out) {
  WireWriter writer(out);
  writer.Put(runs.file);
  writer.Put(runs.segment);
  writer.Put(runs.first_frame);
  writer.Put(runs.frames);
  writer.Put(runs.taken_ns);
  writer.Put(runs.published_ns);
  const size_t count = std::min(runs.runs.size(), kMaxRuns);
  writer.Put(static_cast<uint32_t>(count));
  for (size_t i = 0; i < count; ++i) {
    const FrameRun& run = runs.runs[i];
    writer.Put(run.label);
    writer.Put(run.first);
    writer.Put(run.count);
    writer.Put(run.score);
    writer.Put(run.level);
  }
  return kSegmentRunsRecord;
}

uint32_t Encode(const FileFault& fault, std::vector<uint8_t>& out) {
  WireWriter writer(out);
  writer.Put(fault.file);
  writer.Put(fault.segment);
  writer.Put(fault.at_sample);
  writer.Put(fault.code);
  writer.PutBytes(std::string_view(fault.message).substr(0, kMaxFaultMessage));
  return kFileFaultRecord;
}

uint32_t Encode(const TaskDone& done, std::vector<uint8_t>& out) {
  WireWriter writer(out);
  writer.Put(done.task);
  for (const auto ns : done.stage_ns) writer.Put(ns);
  return kTaskDoneRecord;
}

namespace {

Status Damaged(const char* what) { return Error{std::string("damaged result record: ") + what}; }

FileInfo GetFileInfo(WireReader& reader) {
  FileInfo info;
  info.file = reader.Get<uint64_t>();
  info.samples = reader.Get<int64_t>();
  info.size_bytes = reader.Get<int64_t>();
  info.mtime_ns = reader.Get<int64_t>();
  info.sample_rate = reader.Get<int32_t>();
  info.segment_alignment = reader.Get<uint32_t>();
  info.channels = reader.Get<int32_t>();
  info.flags = reader.Get<uint32_t>();
  info.container = std::string(reader.GetBytes().substr(0, kMaxContainerBytes + 1));
  return info;
}

bool IsPossible(const FileInfo& info) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return info.samples >= 0 && info.sample_rate >= 1 && info.segment_alignment >= 1 &&
         info.channels >= 0 && info.channels <= kMaxChannels &&
         (info.flags & ~kAllFileFlags) == 0 && info.container.size() <= kMaxContainerBytes &&
         std::ranges::all_of(info.container, plain);
}

// False: not all of it can be.
bool GetRuns(WireReader& reader, SegmentRuns& runs) {
  runs.file = reader.Get<uint64_t>();
  runs.segment = reader.Get<uint64_t>();
  runs.first_frame = reader.Get<uint64_t>();
  runs.frames = reader.Get<uint32_t>();
  runs.taken_ns = std::clamp<int64_t>(reader.Get<int64_t>(), 0, kMostTakenNs);
  runs.published_ns = reader.Get<int64_t>();
  const auto count = reader.Get<uint32_t>();
  if (count > kMaxRuns) return false;
  runs.runs.resize(count);
  for (auto& run : runs.runs) {
    run.label = reader.Get<uint32_t>();
    run.first = reader.Get<uint32_t>();
    run.count = reader.Get<uint32_t>();
    run.score = reader.Get<float>();
    run.level = reader.Get<uint8_t>();
    const bool inside = run.first < runs.frames && run.count <= runs.frames - run.first;
    const bool known = run.level == FrameRun::kBetween || run.level == FrameRun::kOn;
    if (!inside || run.count == 0 || !known || !std::isfinite(run.score)) return false;
  }
  return true;
}

}  // namespace

bool SameSound(const FileInfo& a, const FileInfo& b) {
  return a.samples == b.samples && a.sample_rate == b.sample_rate && a.size_bytes == b.size_bytes &&
         a.mtime_ns == b.mtime_ns;
}

std::optional<SegmentTold> SegmentOf(const ResultRecord& record) {
  if (const auto* tags = std::get_if<SegmentTags>(&record)) {
    return SegmentTold{tags->file, tags->segment, tags->taken_ns, tags->published_ns};
  }
  if (const auto* runs = std::get_if<SegmentRuns>(&record)) {
    return SegmentTold{runs->file, runs->segment, runs->taken_ns, runs->published_ns};
  }
  return std::nullopt;
}

bool InOrderOfTime(const std::vector<FrameRun>& runs) {
  return std::ranges::adjacent_find(runs, [](const FrameRun& a, const FrameRun& b) {
           return b.first < a.first + a.count;
         }) == runs.end();
}

bool InOrderOfLabels(const std::vector<FrameRun>& runs) {
  return std::ranges::adjacent_find(runs, [](const FrameRun& a, const FrameRun& b) {
           return b.label < a.label || (b.label == a.label && b.first < a.first + a.count);
         }) == runs.end();
}

Status DecodeResult(uint32_t type, const void* data, size_t size, ResultRecord& out) {
  WireReader reader(data, size);
  switch (type) {
    case kFileInfoRecord: {
      FileInfo info = GetFileInfo(reader);
      if (!IsPossible(info)) return Damaged("file info");
      out = std::move(info);
      break;
    }
    case kSegmentTagsRecord: {
      // Reuses the vector of the last segment: this is the hot path.
      if (!std::holds_alternative<SegmentTags>(out)) out = SegmentTags{};
      auto& segment = std::get<SegmentTags>(out);
      segment.file = reader.Get<uint64_t>();
      segment.segment = reader.Get<uint64_t>();
      segment.taken_ns = std::clamp<int64_t>(reader.Get<int64_t>(), 0, kMostTakenNs);
      segment.published_ns = reader.Get<int64_t>();
      const auto count = reader.Get<uint32_t>();
      if (count > kMaxTags) return Damaged("too many tags");
      segment.tags.resize(count);
      for (auto& tag : segment.tags) {
        tag.label = reader.Get<uint32_t>();
        tag.score = reader.Get<float>();
      }
      break;
    }
    case kSegmentRunsRecord: {
      if (!std::holds_alternative<SegmentRuns>(out)) out = SegmentRuns{};
      if (!GetRuns(reader, std::get<SegmentRuns>(out))) return Damaged("runs");
      break;
    }
    case kFileFaultRecord: {
      FileFault fault;
      fault.file = reader.Get<uint64_t>();
      fault.segment = reader.Get<uint64_t>();
      fault.at_sample = reader.Get<int64_t>();
      fault.code = reader.Get<uint32_t>();
      fault.message = std::string(reader.GetBytes());
      if (!ToErrorCode(fault.code) || fault.message.size() > kMaxFaultMessage) {
        return Damaged("fault");
      }
      out = std::move(fault);
      break;
    }
    case kTaskDoneRecord: {
      TaskDone done;
      done.task = reader.Get<uint64_t>();
      for (auto& ns : done.stage_ns) ns = reader.Get<int64_t>();
      out = done;
      break;
    }
    default:
      return Damaged("unknown type");
  }
  if (!reader.done()) return Damaged("length");
  return Ok();
}

}  // namespace consort
