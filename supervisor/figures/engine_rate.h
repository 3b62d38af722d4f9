// How many segments a second one engine gives, from the times of its results within a window.
//
// Not simply results ÷ window: at either edge a segment is half done, and with few of them that is
// a large error, one segment an engine. So the time counts from one of its results to another, and
// the work between these two.
//
// Results come in bursts: those of one forward together, and at high rates those that lay in the
// ring when the supervisor looked. A burst's results belong to the time before its first one. So
// only the times of bursts' first results count, and of the two bursts at the ends of a stretch
// one; the earlier one, since the window's end may have cut the later one short.
//
// An engine may have been silent at an edge of the window: not there yet, dead, without work. That
// is no work in progress but time in which it gave nothing, and counts: where it was silent for
// more than twice as long as it ever was in between, its stretch reaches to the window's edge.
#pragma once

#include <cstdint>

namespace consort {

class EngineRate {
 public:
  // In order of time.
  void Add(int64_t at_ns, bool begins_burst);

  uint64_t results() const { return results_; }
  uint64_t bursts() const { return bursts_; }
  int64_t last_burst_ns() const { return last_ns_; }
  // In the window from_ns … to_ns, which holds all that was added. Of less than two bursts: results
  // ÷ window.
  double PerSecond(int64_t from_ns, int64_t to_ns) const;

 private:
  uint64_t results_ = 0;
  uint64_t bursts_ = 0;
  uint64_t in_first_ = 0;
  uint64_t in_last_ = 0;
  int64_t first_ns_ = 0;
  int64_t last_ns_ = 0;
  int64_t longest_ns_ = 0;  // between two bursts
};

}  // namespace consort
