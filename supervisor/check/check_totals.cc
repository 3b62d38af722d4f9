#include "supervisor/check/check_totals.h"

#include <algorithm>

#include "shared/segment/segment.h"

namespace consort {

void CheckTotals::Add(const CheckedFile& file) {
  ++files_;
  if (file.code) {
    ++failed_files_;
    Failure& failure = failures_[*file.code];
    ++failure.files;
    if (failure.first.size() < kExamples) failure.first.push_back({file.name, file.message});
    return;
  }
  if (!file.info) return;
  const double seconds = file.seconds();
  seconds_ += seconds;
  if (segment_ns_ > 0) {
    const SegmentGrid grid(segment_ns_, hop_ns_, file.info->sample_rate,
                           each_channel_ ? file.info->channels : 1);
    const auto count = static_cast<uint64_t>(grid.Count(file.info->samples));
    segments_ += std::min(count, UINT64_MAX - segments_);
  }
  if ((file.info->flags & kHeaderUnfinished) != 0) ++unfinished_;
  if (!shortest_ || seconds < shortest_->seconds) shortest_ = {file.name, seconds};
  if (!longest_ || seconds > longest_->seconds) longest_ = {file.name, seconds};
  containers_.Add(file.info->container);
  rates_.Add(file.info->sample_rate);
  channels_.Add(file.info->channels);
}

}  // namespace consort
