// The weights of a bundle in shared memory: one sealed memfd a NUMA node, filled once, mapped
// read-only by all.
//
//   supervisor: FillArena(bundle) ── inherited descriptor ──▶ template: ArenaView::Map ── fork ──▶
//   workers
//
// FillArena writes through the descriptor and maps at most 32 MiB of it at a time, for moments, so
// the supervisor's resident memory does not grow by the weights. The seals (no shrink, grow, write,
// or further seals) make sharing a property of the memory itself: a stray write through a view ends
// the writer with SIGSEGV and changes nothing for the others.
// A view made before a fork is valid in the children; it is unmapped by each process on its own.
//
// The memfd is made of huge pages where the kernel has them to give: reading all weights once a
// segment through pages of 4 KiB costs nearly twice the time (docs/placement.md).
#pragma once

#include <boost/interprocess/mapped_region.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "shared/arena/memory_policy.h"
#include "shared/base/result.h"
#include "shared/base/unique_fd.h"
#include "shared/bundle/bundle.h"

namespace consort {

// Where an arena's memory is to lie.
struct ArenaPlace {
  int node = -1;          // the kernel's number of a NUMA node; -1: anywhere
  std::vector<int> cpus;  // of that node or near it, that we may run on
};

struct Arena {
  UniqueFd memfd;
  std::string warning;  // it does not lie where it should: slower, nothing worse. Empty: none
};

// Copies weights.bin of `bundle` into a new memfd and seals it; the content is hashed on the way
// and an altered file is an error. A bundle without weights gives an empty, sealed memfd.
// `like`: an arena of the same bundle, to be copied instead of the file; -1: none.
Result<Arena> FillArena(const Bundle& bundle, const ArenaPlace& place, int like,
                        MemoryPolicy& policy);
// Anywhere, from the file.
Result<UniqueFd> FillArena(const Bundle& bundle);

class ArenaView {
 public:
  // Checks the seals and the size of `memfd`, which stays the caller's and may be closed
  // afterwards.
  static Result<ArenaView> Map(int memfd, int64_t bytes);

  // In place of this mapping one of ordinary memory with the same bytes, which belongs to this
  // process and to nobody else: for comparison with programs that load weights of their own.
  Status CopyToPrivateMemory();

  ArenaView(ArenaView&&) = default;
  ArenaView& operator=(ArenaView&&) = default;

  // Aligned to a huge page, a private copy to a page; null if size() is 0.
  const std::byte* data() const {
    return copy_ ? copy_.get() : static_cast<const std::byte*>(region_.get_address());
  }
  int64_t size() const { return copy_ ? copied_bytes_ : static_cast<int64_t>(region_.get_size()); }

 private:
  ArenaView() = default;
  boost::interprocess::mapped_region region_;
  std::shared_ptr<const std::byte> copy_;  // null: none was made
  int64_t copied_bytes_ = 0;
};

}  // namespace consort
