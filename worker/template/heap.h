// What the allocator may give back, whichever allocator the program was linked with.
#pragma once

namespace consort {

// Gives free pages back to the kernel. Called in the template before it forks: what a warm-up
// needed for a moment would otherwise be inherited by every worker.
void ReleaseFreeMemory();

}  // namespace consort
