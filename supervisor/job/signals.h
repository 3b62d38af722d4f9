// How a command that has processes and files to look after takes signals.
#pragma once

#include "supervisor/loop/stop_signals.h"

namespace consort {

// To begin with. A reader that went away is an error of write(), children are ours to reap, and
// what asks for the end ends the program at once with its status: nothing needs an orderly end yet.
void SetUpSignals();

}  // namespace consort
