#include "supervisor/main/last_words.h"

#include <signal.h>
#include <unistd.h>

#include <cstring>
#include <new>
#include <string_view>

#include "supervisor/cli/exit_status.h"

namespace consort {
namespace {

// Async-signal-safe.
void Say(std::string_view words) { (void)!write(STDERR_FILENO, words.data(), words.size()); }

void Begin() {
  if (isatty(STDERR_FILENO) == 1) Say("\n");  // a status line may stand there
  Say("consort: ");
}

// The stack may be what ran out.
alignas(16) char signal_stack[64 << 10];

void OnFatalSignal(int number) {
  Begin();
  const char* name = sigabbrev_np(number);
  Say("ended by SIG");
  Say(name != nullptr ? name : "?");
  Say(", a fault of its own or of a library that got no memory; run the same command again to go "
      "on\n");
  raise(number);  // by now as it is by default
}

struct Handler {
  Handler() { std::set_new_handler(EndForWantOfMemory); }
};
[[gnu::init_priority(101)]] const Handler handler;

}  // namespace

void EndForWantOfMemory() {
  Begin();
  Say("out of memory; once there is more of it, run the same command again\n");
  _exit(kFailed);
}

void TellOfFatalSignals() {
  const stack_t stack{.ss_sp = signal_stack, .ss_flags = 0, .ss_size = sizeof(signal_stack)};
  sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_handler = OnFatalSignal;
  action.sa_flags = SA_ONSTACK | static_cast<int>(SA_RESETHAND) | SA_NODEFER;
  for (const int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT})
    sigaction(number, &action, nullptr);
}

}  // namespace consort
