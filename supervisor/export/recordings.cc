#include "supervisor/export/recordings.h"

#include "shared/record/error_code.h"

namespace consort {

bool Recordings::Begins(const ResultLine& line) {
  const bool error = line.kind == ResultLine::Kind::kError;
  // This error stands in the place of a segment, and others may follow.
  const bool in_place = error && line.code == ErrorCodeName(ErrorCode::kCrashed) && line.at_ms;
  std::optional<int64_t> place;
  if (!error) place = line.start_ms;
  if (in_place) place = line.at_ms;
  bool begins = !any_ || line.file != name_ || ended_;
  if (place && place_ms_) begins = begins || *place <= *place_ms_;
  // An error without a place: the file could not even be opened, so nothing of it came before.
  if (error && !line.at_ms) begins = begins || place_ms_.has_value();
  if (begins) {
    any_ = true;
    name_ = line.file;
    place_ms_.reset();
  }
  if (place) place_ms_ = place;
  ended_ = error && !in_place;
  return begins;
}

}  // namespace consort
