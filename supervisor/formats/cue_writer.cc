#include "supervisor/formats/cue_writer.h"

#include <algorithm>

#include "supervisor/formats/text.h"

namespace consort {

void CueWriter::BeginRecording(std::string& out, const std::string& name) {
  PutAll(out);
  PutName(out, name);
}

void CueWriter::Add(std::string& out, const ResultLine& line) {
  if (line.channel == 0 || line.start_ms != place_ms_) PutAll(out);
  place_ms_ = line.start_ms;
  for (const Caption& caption : CaptionsOf(line)) {
    cues_.push_back({caption.start_ms, std::max(caption.end_ms, caption.start_ms + 1),
                     OneLine(caption.text), line.channel});
  }
  if (line.channel == 0) PutAll(out);
}

void CueWriter::End(std::string& out) { PutAll(out); }

void CueWriter::PutAll(std::string& out) {
  const bool several = !cues_.empty() && cues_.front().channel != cues_.back().channel;
  if (several) std::ranges::stable_sort(cues_, {}, &Cue::start_ms);
  for (const Cue& cue : cues_) Put(out, cue);
  cues_.clear();
}

}  // namespace consort
