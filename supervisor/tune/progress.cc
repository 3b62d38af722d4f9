#include "supervisor/tune/progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "supervisor/view/status_line.h"

namespace consort {

TuneProgress::TuneProgress(const TuneOptions& options) : style_(Style::kPlain) {
  const bool redraws = AutoProgressStyle(false) == ProgressStyle::kBar;
  using How = RunOptions::Progress;
  if (options.progress == How::kBar || (options.progress == How::kAuto && redraws)) {
    style_ = Style::kBar;
  }
  if (options.progress == How::kNone || options.quiet) style_ = Style::kNone;
}

TuneProgress::~TuneProgress() { Clear(); }

void TuneProgress::Clear() {
  if (drawn_) std::fputs("\r\x1b[K", stderr);
  drawn_ = false;
}

void TuneProgress::Begin(const std::string& split, int number, double left_s) {
  begun_ = "trial " + std::to_string(number) + ", at most " +
           std::to_string(static_cast<int>(std::lround(std::max(0.0, left_s)))) +
           " s left: " + split;
  if (style_ != Style::kBar) return;
  Clear();
  std::fputs((begun_ + " …").c_str(), stderr);
  std::fflush(stderr);
  drawn_ = true;
}

void TuneProgress::End(const std::string& result) {
  Clear();
  if (style_ != Style::kNone) std::fprintf(stderr, "%s: %s\n", begun_.c_str(), result.c_str());
}

void TuneProgress::Message(const std::string& line) {
  Clear();
  std::fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace consort
