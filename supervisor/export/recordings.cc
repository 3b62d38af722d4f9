#include "supervisor/export/recordings.h"

#include "shared/record/error_code.h"

namespace consort {

bool Recordings::Begins(const ResultLine& line) {
  const bool error = line.kind == ResultLine::Kind::kError;
  const bool crashed = error && line.code == ErrorCodeName(ErrorCode::kCrashed) && line.at_ms;
  // Such an error stands in the place of a segment, and others may follow. Where intervals have
  // channels it has one, too: an error without ends its file.
  const bool of_channels = place_ && place_->second > 0 && line.file == name_;
  const bool in_place = crashed && (line.channel > 0 || !of_channels);
  std::optional<std::pair<int64_t, int64_t>> place;
  if (!error) place = {line.start_ms, line.channel};
  if (in_place) place = {*line.at_ms, line.channel};
  bool begins = !any_ || line.file != name_ || ended_;
  if (place && place_) {
    // Before a line with a channel, an error without one that seemed to be in a place did end.
    begins = begins || *place <= *place_ || (place_->second == 0 && place->second > 0);
  }
  if (crashed && of_channels && !in_place) begins = begins || IsBehind(*line.at_ms);
  // An error without a place: the file could not even be opened, so nothing of it came before.
  if (error && !line.at_ms) begins = begins || place_.has_value();
  if (begins) {
    any_ = true;
    name_ = line.file;
    place_.reset();
    channels_ = 0;
  }
  if (place && place_ && place->first > place_->first) channels_ = place_->second;
  if (place) place_ = place;
  ended_ = error && !in_place;
  return begins;
}

bool Recordings::IsBehind(int64_t at_ms) const {
  return place_->first > at_ms || (place_->first == at_ms && place_->second == channels_);
}

}  // namespace consort
