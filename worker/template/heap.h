// What the allocator may give back, whichever allocator the program was linked with.
#pragma once

namespace consort {

// Gives free pages back to the kernel. Called in the template before it forks: what a warm-up
// needed for a moment would otherwise be inherited by every worker. The allocator has no thread
// afterwards, whatever the environment asks of it: a template has but one.
void ReleaseFreeMemory();

// From now on a thread of the allocator gives back what has been free for a while, also when
// nobody allocates any more. Only in a worker, after the fork: the template stays single-threaded.
// Best effort: without jemalloc, or if the thread cannot start, memory is kept a while longer.
void ReleaseFreeMemoryInBackground();

}  // namespace consort
