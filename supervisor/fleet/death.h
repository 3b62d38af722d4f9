// How a process of the job ended, and whose fault that was.
#pragma once

#include <string>

namespace consort {

// What we kill a worker for.
enum class Offence { kBrokeProtocol, kHung, kMemory };

struct Death {
  enum class Cause {
    kCrashed,      // by a signal of its own doing, or an exit nobody asked for
    kKilled,       // SIGKILL from outside, or with its template: nobody's fault
    kByUs,         // we killed it, for what it did
    kUnknown,      // its template died before it could tell
    kOutOfMemory,  // the kernel killed it for memory
    kRetired,      // we ended it, for nothing that it did: another takes its place, or nobody
  } cause = Cause::kUnknown;
  int signal = 0;     // if it ended by one
  int exit_code = 0;  // if it exited
  // Of kKilled: we sent it, or its template's death did. The kernel had no part in it.
  bool accounted_for = false;
  // Of kByUs: what it did, and that with what was measured, e.g. "hung for 60 s".
  Offence offence = Offence::kBrokeProtocol;
  std::string why = {};

  // It, or the kernel for it, ended for memory.
  bool ForMemory() const;
  // For people: "was ended by SIGSEGV", "exited with status 7", "ended"; `why`, or "broke the
  // protocol".
  std::string Words() const;
  // The same for results, whose bytes hang on no clock and no sample: "hung", "used too much
  // memory" (whoever noticed first, of the limits and the kernel).
  std::string PlainWords() const;
};

// From waitpid's status.
Death DeathFrom(int wait_status, bool by_us);

// "SIGSEGV"
std::string SignalName(int number);

}  // namespace consort
