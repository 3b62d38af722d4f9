// Where what a job's loop learns goes: the results of a run (recorder.h), or what a check tells of
// its files (supervisor/check/). What may wait, and what may be written to a disk, is asked for
// here.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shared/record/error_code.h"
#include "supervisor/dispatch/dispatcher.h"

namespace consort {

class JobOutput : public ResultSink {
 public:
  // How the worker ended that is removed from the dispatcher next, for what is quarantined then.
  struct LastDeath {
    std::string signal;            // that ended it, or
    std::optional<int> exit_code;  // its exit status; neither: nobody knows
    std::vector<std::string> log;  // its last lines
  };
  virtual void SeeDeath(LastDeath) {}

  // What is in order but still in memory goes where it belongs, as far as there is room.
  virtual Status Flush() { return Ok(); }
  virtual bool flushed() const { return true; }
  // The last Flush found no room for all.
  virtual bool blocked() const { return false; }
  // Nobody reads fast enough: take no more results for now.
  virtual bool congested() const { return false; }
  // The system begins to bring it to the disk.
  virtual void StartSync() {}
  // What was flushed is on the disk.
  virtual Status Sync() { return Ok(); }
  // Whoever read it is gone.
  virtual bool reader_gone() const { return false; }

  // Files with an error line, by its code; a file with several counts once, by the last one.
  virtual const std::map<ErrorCode, uint64_t>& failed() const = 0;
  virtual uint64_t files_failed() const = 0;
};

}  // namespace consort
