// About once a second: what was written goes to the disk, and the journal counts it.
//
//   results flushed ─▶ fdatasync(results) ─▶ one transaction that counts them ─▶ forgotten here
//
// Never the other way round: a journal that counts bytes which the disk has not would lose lines.
// Between two records of the loop, so that dispatcher, gatherer and results agree. Engines hold
// tasks ahead, so they do not wait for the disk. An error ends the job; nothing is tried again.
#pragma once

#include <cstdint>

#include "supervisor/dispatch/dispatcher.h"
#include "supervisor/job/recorder.h"
#include "supervisor/journal/journal.h"

namespace consort {

class Checkpoint {
 public:
  // `earlier`: what the journal had when this run began.
  Checkpoint(Journal& journal, Recorder& recorder, const Dispatcher& dispatcher);

  // If it is time, or much has come together.
  Status MaybeWrite(int64_t now_ns);
  // If anything changed.
  Status Write(int64_t now_ns);
  // A death may have made suspects: they are written before anything is handed out again.
  Status WriteIfSuspectsChanged(int64_t now_ns);
  // Tasks were handed out: soon, for a job that never gets on.
  void HandedOut();

  void AddRestart(bool of_template, bool crashed);
  // A worker was replaced for its memory.
  void AddReplaced() { ++replaced_; }
  // With those of earlier runs.
  const std::array<uint64_t, 4>& restarts() const { return restarts_; }
  uint64_t replaced() const { return replaced_; }
  int64_t elapsed_ns(int64_t now_ns) const;
  // Where the next one is due.
  int64_t next_ns() const { return next_ns_; }

 private:
  JobTotals Totals(int64_t now_ns) const;

  Journal& journal_;
  Recorder& recorder_;
  const Dispatcher& dispatcher_;
  int64_t interval_ns_;
  int64_t began_ns_;
  int64_t elapsed_before_ns_;
  int64_t next_ns_;
  bool handed_out_ = false;
  std::array<uint64_t, 4> restarts_;
  uint64_t replaced_;
  std::vector<ResumeSuspect> suspects_;  // as written
};

}  // namespace consort
