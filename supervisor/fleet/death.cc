#include "supervisor/fleet/death.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

namespace consort {

std::string SignalName(int number) {
  const char* name = sigabbrev_np(number);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(number);
}

Death DeathFrom(int wait_status, bool by_us) {
  Death death;
  if (WIFSIGNALED(wait_status)) death.signal = WTERMSIG(wait_status);
  if (WIFEXITED(wait_status)) death.exit_code = WEXITSTATUS(wait_status);
  if (by_us) {
    death.cause = Death::Cause::kByUs;
  } else if (death.signal == SIGKILL) {
    death.cause = Death::Cause::kKilled;
  } else {
    death.cause = Death::Cause::kCrashed;
  }
  return death;
}

bool Death::ForMemory() const {
  return cause == Cause::kOutOfMemory || (cause == Cause::kByUs && offence == Offence::kMemory);
}

std::string Death::PlainWords() const {
  if (ForMemory()) return "used too much memory";
  if (cause != Cause::kByUs) return Words();
  return offence == Offence::kHung ? "hung" : "broke the protocol";
}

std::string Death::Words() const {
  if (cause == Cause::kByUs) return why.empty() ? "broke the protocol" : why;
  if (cause == Cause::kOutOfMemory) return "was ended by the kernel for memory";
  if (cause == Cause::kRetired) return "was replaced";
  if (signal != 0) return "was ended by " + SignalName(signal);
  if (cause == Cause::kUnknown) return "ended";
  return "exited with status " + std::to_string(exit_code);
}

}  // namespace consort
