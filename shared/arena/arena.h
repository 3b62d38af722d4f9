// The weights of a bundle in shared memory: one sealed memfd, filled once, mapped read-only by all.
//
//   supervisor: FillArena(bundle) ── inherited descriptor ──▶ template: ArenaView::Map ── fork ──▶
//   workers
//
// FillArena never maps what it writes, so the supervisor's resident memory does not grow. The seals
// (no shrink, grow, write, or further seals) make sharing a property of the memory itself: a stray
// write through a view ends the writer with SIGSEGV and changes nothing for the others.
// A view made before a fork is valid in the children; it is unmapped by each process on its own.
#pragma once

#include <boost/interprocess/mapped_region.hpp>
#include <cstddef>
#include <cstdint>

#include "shared/base/result.h"
#include "shared/base/unique_fd.h"
#include "shared/bundle/bundle.h"

namespace consort {

// Copies weights.bin of `bundle` into a new memfd and seals it; the content is hashed on the way
// and an altered file is an error. A bundle without weights gives an empty, sealed memfd.
Result<UniqueFd> FillArena(const Bundle& bundle);

class ArenaView {
 public:
  // Checks the seals and the size of `memfd`, which stays the caller's and may be closed
  // afterwards.
  static Result<ArenaView> Map(int memfd, int64_t bytes);

  ArenaView(ArenaView&&) = default;
  ArenaView& operator=(ArenaView&&) = default;

  // Page-aligned; null if size() is 0.
  const std::byte* data() const { return static_cast<const std::byte*>(region_.get_address()); }
  int64_t size() const { return static_cast<int64_t>(region_.get_size()); }

 private:
  ArenaView() = default;
  boost::interprocess::mapped_region region_;
};

}  // namespace consort
