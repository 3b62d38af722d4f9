// What subtitles have in common: a caption each, in order of their starts.
//
// Where channels are heard one by one, the lines of one place come one after the other, one for
// each channel, and so their captions are put in order together. Memory is that of one place.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "supervisor/formats/format.h"

namespace consort {

class CueWriter : public FormatWriter {
 public:
  void BeginRecording(std::string& out, const std::string& name) final;
  void Add(std::string& out, const ResultLine& line) final;
  void End(std::string& out) final;

 protected:
  struct Cue {
    int64_t start_ms = 0;
    int64_t end_ms = 0;   // at least a millisecond later
    std::string text;     // on one line
    int64_t channel = 0;  // from 1; 0: not told
  };

  virtual void PutName(std::string& /*out*/, const std::string& /*name*/) {}
  virtual void Put(std::string& out, const Cue& cue) = 0;

 private:
  void PutAll(std::string& out);

  int64_t place_ms_ = 0;   // of the lines that cues_ come from
  std::vector<Cue> cues_;  // in order of channels
};

}  // namespace consort
