// How a running job shows itself on standard error: one line redrawn on a terminal, a plain line
// now and then elsewhere, or nothing.
//
// The supervisor's thread alone calls these. A write that fails is forgotten: a job does not end
// because nobody watches.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace consort {

// The job at one moment.
struct JobView {
  uint64_t files_total = 0;
  uint64_t files_done = 0;  // finished, failed ones included
  uint64_t files_failed = 0;
  uint64_t segments_done = 0;
  double audio_seconds = 0;  // of the segments done
  int workers_alive = 0;
  int workers_wanted = 0;
  double elapsed_s = 0;   // since the job's start
  bool draining = false;  // a signal came: nothing new is handed out
};

class Progress {
 public:
  virtual ~Progress() = default;
  // As often as the caller likes; what is too soon is left out.
  virtual void Update(const JobView& view, int64_t now_ns) = 0;
  // One line, without its newline, for a person to read; not lost in the bar. Control characters
  // (file names have them) are shown as "?".
  virtual void Message(std::string_view line) = 0;
  // The last call: leaves the cursor at the start of an empty line.
  virtual void Finish(const JobView& view) = 0;
};

enum class ProgressStyle {
  kBar,    // one line, redrawn at most 10 times a second, cut to the terminal's width
  kPlain,  // a line every plain_interval_ns
  kNone,   // messages only
};

struct ProgressSettings {
  int fd = 2;
  int64_t plain_interval_ns = 10'000'000'000;
  int columns = 0;  // 0: ask the terminal at each redraw
};

std::unique_ptr<Progress> MakeProgress(ProgressStyle style, const ProgressSettings& settings = {});

// kBar where standard error is a terminal that can redraw a line and results do not go to a
// terminal too; else kPlain.
ProgressStyle AutoProgressStyle(bool results_to_standard_output);

}  // namespace consort
