#include "supervisor/join/channels_joiner.h"

#include <utility>

#include "shared/record/result.h"

namespace consort {
namespace {

constexpr size_t kPutBytes = 256 * 1024;

// Segments below `segment` that are of this channel.
uint64_t OfChannel(uint64_t segment, uint64_t channel, uint64_t channels) {
  return segment / channels + (segment % channels > channel ? 1 : 0);
}

// Of one channel alone no words are ended early: those that wait for another are of one segment.
static_assert(kMaxRuns <= ChannelsJoiner::MostHeld(1));

}  // namespace

ChannelsJoiner::ChannelsJoiner(const Manifest& manifest, size_t labels, Maker make)
    : each_channel_(manifest.audio.each_channel()), labels_(labels), make_(std::move(make)) {}

void ChannelsJoiner::Begin() {
  lines_.clear();
  for (size_t c = 0; c < channels_; ++c) joiners_[c]->Begin(0, &file_);
  channels_ = 0;
  file_ = {};
  next_segment_ = next_line_ = 0;
  held_ = 0;
  errors_.clear();
}

void ChannelsJoiner::Open(size_t channels) {
  while (joiners_.size() < channels) joiners_.push_back(make_());
  channels_ = channels;
  for (size_t c = 0; c < channels; ++c) {
    joiners_[c]->Begin(each_channel_ ? static_cast<int64_t>(c) + 1 : 0, &file_);
  }
}

Status ChannelsJoiner::Add(std::string_view pieces, const Sink& put) {
  while (!pieces.empty()) {
    const size_t size = std::min(pieces.find('\n'), pieces.size() - 1) + 1;
    if (!ParsePiece(pieces.substr(0, size), piece_)) return Damaged("cannot be read");
    const bool known = std::ranges::all_of(
        piece_.told.runs, [this](const FrameRun& run) { return run.label < labels_; });
    if (!known) return Damaged("has labels that the bundle has not");
    if (piece_.segment != next_segment_) {
      return Damaged("is that of segment " + std::to_string(piece_.segment));
    }
    const auto channels = static_cast<size_t>(std::max(1, piece_.channels));
    if (channels_ == 0) Open(channels);
    if ((piece_.channels > 0) != each_channel_ || channels != channels_) {
      return Damaged("is that of a file with other channels");
    }
    CONSORT_TRY(Take(piece_, put));
    pieces.remove_prefix(size);
  }
  return PutLines(put);
}

Error ChannelsJoiner::Damaged(const std::string& how) const {
  std::string what = "what was kept of segment " + std::to_string(next_segment_);
  if (!file_.name.empty()) what += " of \"" + file_.name + '"';
  return {what + " is damaged: it " + how, kBeginAnew};
}

template <typename Change>
void ChannelsJoiner::Count(FrameJoiner& joiner, Change change) {
  held_ -= joiner.held();
  change();
  held_ += joiner.held();
}

Status ChannelsJoiner::Take(Piece& piece, const Sink& put) {
  FrameJoiner& joiner = Of(next_segment_);
  if (piece.error_line.empty()) {
    file_.name = piece.name;
    file_.samples = piece.samples;
    file_.rate = piece.rate;
    piece.told.segment = next_segment_ / channels_;
    Count(joiner, [&] { joiner.Add(piece); });
  } else {
    Count(joiner, [&] { joiner.AddError(); });
    errors_[next_segment_] = piece.error_line;
  }
  ++next_segment_;
  CONSORT_TRY(AppendLines(put));
  while (Held() > MostHeld(channels_) && next_line_ < next_segment_) {
    FrameJoiner& first = Of(next_line_);
    Count(first, [&] { first.EndFirstOpen(); });
    if (!HasLine()) break;  // never, but for a state that was no joiner's
    CONSORT_TRY(AppendLines(put));
  }
  return Ok();
}

bool ChannelsJoiner::HasLine() const {
  return next_line_ < next_segment_ && Of(next_line_).HasLine();
}

Status ChannelsJoiner::AppendLines(const Sink& put) {
  for (; HasLine(); ++next_line_) {
    FrameJoiner& joiner = Of(next_line_);
    if (const auto error = errors_.extract(next_line_)) {
      joiner.PassLine();
      lines_ += error.mapped();
    } else {
      Count(joiner, [&] { joiner.TakeLine(lines_); });
    }
    if (lines_.size() >= kPutBytes) CONSORT_TRY(PutLines(put));
  }
  return Ok();
}

Status ChannelsJoiner::PutLines(const Sink& put) {
  if (lines_.empty()) return Ok();
  const Status done = put(lines_);
  lines_.clear();
  return done;
}

Status ChannelsJoiner::End(std::string_view tail, const Sink& put) {
  for (size_t c = 0; c < channels_; ++c) Count(*joiners_[c], [&] { joiners_[c]->End(); });
  CONSORT_TRY(AppendLines(put));
  lines_ += tail;
  CONSORT_TRY(PutLines(put));
  Begin();
  return Ok();
}

std::string ChannelsJoiner::Save() const {
  if (channels_ == 0) return "";
  return each_channel_ ? SaveChannels() : joiners_[0]->Save(FrameJoiner::FileIs::kSaved);
}

std::string ChannelsJoiner::SaveChannels() const {
  std::string saved;
  PutNumber(saved, channels_);
  PutNumber(saved, next_segment_);
  PutNumber(saved, next_line_);
  SaveFile(saved, file_);
  PutNumber(saved, errors_.size());
  for (const auto& [segment, line] : errors_) {
    PutNumber(saved, segment);
    PutText(saved, std::string_view(line).substr(0, line.size() - 1));  // its line feed
  }
  for (size_t c = 0; c < channels_; ++c) {
    PutText(saved, joiners_[c]->Save(FrameJoiner::FileIs::kElsewhere));
  }
  return saved;
}

Status ChannelsJoiner::Restore(std::string_view saved) {
  Begin();
  if (saved.empty()) return Ok();
  bool good = false;
  if (each_channel_) {
    good = RestoreChannels(saved);
  } else {
    Open(1);
    good = joiners_[0]->Restore(saved, &file_);
    next_segment_ = joiners_[0]->next_segment();
    next_line_ = joiners_[0]->next_line();
    held_ = joiners_[0]->held();
  }
  if (good) return Ok();
  Begin();
  return Error{"what the journal says of the lines that wait is damaged", kBeginAnew};
}

bool ChannelsJoiner::RestoreChannels(std::string_view saved) {
  NumberText text(saved);
  const auto channels = text.Get<size_t>();
  if (channels < 1 || channels > static_cast<size_t>(kMaxStreams)) return false;
  Open(channels);
  next_segment_ = text.Get<uint64_t>();
  next_line_ = text.Get<uint64_t>();
  if (!RestoreFile(text, file_)) return false;
  const auto errors = text.Get<size_t>();
  for (size_t i = 0; i < errors && text.good(); ++i) {
    const auto segment = text.Get<uint64_t>();
    errors_[segment] = std::string(text.GetText()) + '\n';
  }
  for (size_t c = 0; c < channels && text.good(); ++c) {
    FrameJoiner& joiner = *joiners_[c];
    const bool good = joiner.Restore(text.GetText(), nullptr) &&
                      joiner.next_segment() == OfChannel(next_segment_, c, channels) &&
                      joiner.next_line() == OfChannel(next_line_, c, channels);
    if (!good) return false;
    held_ += joiner.held();
  }
  return text.good() && text.left().empty();
}

}  // namespace consort
