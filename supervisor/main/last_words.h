// The last words of a supervisor that cannot come to an orderly end: one sentence on standard
// error, never silence. All that was counted so far is in the journal, as after a SIGKILL, so the
// same command goes on from there.
//
// - No memory: as std::new_handler, exit status 1. Set before any other object of the program is
// made, for those allocate too.
// - SIGSEGV, SIGABRT and the like: the sentence, then the end that the signal brings, core file
// included. Libraries in C that do
//   not look at what malloc gave them (hwloc's topology, libcrypto's start) end so when it gave
//   nothing.
#pragma once

namespace consort {

// Allocates nothing; from any thread.
[[noreturn]] void EndForWantOfMemory();

// For the whole process; a program that it executes starts without.
void TellOfFatalSignals();

}  // namespace consort
