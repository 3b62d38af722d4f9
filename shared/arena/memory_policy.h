// The kernel's calls about NUMA memory, by number of the node; a seam, since few machines that a
// test runs on have two nodes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace consort {

class MemoryPolicy {
 public:
  virtual ~MemoryPolicy() = default;
  enum class Mode {
    kBind,    // from this node or not at all
    kPrefer,  // from this node, or from another while it is full
  };
  // Of the memory behind a shared mapping: it stays with the file when the mapping is gone. 0 or
  // an errno: ENOSYS without NUMA in the kernel, EPERM in most containers.
  virtual int Set(void* at, size_t bytes, Mode mode, int node);
  // The node that a page, touched before, lies on; or an errno, negative.
  virtual int NodeOf(void* page);
  // What the node could give without ending or swapping anybody; -1: not known.
  virtual int64_t AvailableBytes(int node);
};

}  // namespace consort
