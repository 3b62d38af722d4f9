// How many descriptors this process may have open: a worker takes several, and the usual limit of
// 1,024 is kept low only for programs that use select(), which is not what we do.
#pragma once

#include <cstddef>

namespace consort {

// Raises the soft limit to `needed`, as far as the hard one allows. Returns what it was, for
// children, which may well use select().
size_t RaiseDescriptorLimit(size_t needed);

// For between fork and exec: makes no allocation. At most the hard limit. 0: leaves it.
void SetDescriptorLimit(size_t limit);

// The limit for a worker of so many engines, where children had `usual`.
size_t WorkerDescriptors(size_t usual, int engines);

}  // namespace consort
