#include "supervisor/export/recordings.h"

#include "shared/record/error_code.h"

namespace consort {

bool Recordings::Begins(const ResultLine& line) {
  const bool error = line.kind == ResultLine::Kind::kError;
  // This error stands in the place of a segment, and others may follow. Where intervals have
  // channels it has one, too: an error without ends its file.
  const bool apart = place_ && place_->second > 0 && line.file == name_;
  const bool in_place = error && line.code == ErrorCodeName(ErrorCode::kCrashed) && line.at_ms &&
                        (line.channel > 0 || !apart);
  std::optional<std::pair<int64_t, int64_t>> place;
  if (!error) place = {line.start_ms, line.channel};
  if (in_place) place = {*line.at_ms, line.channel};
  bool begins = !any_ || line.file != name_ || ended_;
  if (place && place_) begins = begins || *place <= *place_;
  // An error without a place: the file could not even be opened, so nothing of it came before.
  if (error && !line.at_ms) begins = begins || place_.has_value();
  if (begins) {
    any_ = true;
    name_ = line.file;
    place_.reset();
  }
  if (place) place_ = place;
  ended_ = error && !in_place;
  return begins;
}

}  // namespace consort
