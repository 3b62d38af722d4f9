// All the memory of an arena, before a byte is written: on the node that it should lie on, in huge
// pages where there are some, or a sentence that there is not enough.
#pragma once

#include <cstdint>
#include <string>

#include "shared/arena/arena.h"

namespace consort {

// Gives `memfd`, empty so far, its size and its pages. Returns a warning, or nothing.
//
// The pages' node is a policy of the file (mbind on a mapping of it), set before they exist. It is
// "this node or not at all" only where the node has enough to give: a bound file on a full node
// would have the kernel end processes, though the next node has room; and it is "rather this node"
// again once all pages are there, for those that come back from swap. Where the call is not
// permitted, the pages are made by a thread on the node's own CPUs, whose memory is taken first.
Result<std::string> ReserveArena(int memfd, int64_t bytes, const ArenaPlace& place,
                                 MemoryPolicy& policy);

// Whether the kernel gives a huge page for shared memory when asked, whatever is set: tried with
// one.
bool GivesHugePages();

}  // namespace consort
