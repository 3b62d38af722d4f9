// A long text of which the beginning lies in a scratch file and the end in memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace consort {

struct Extent {  // in the scratch file
  uint64_t offset = 0;
  uint64_t size = 0;
};

struct SpilledText {
  std::vector<Extent> spilled;
  std::string lines;  // after all of `spilled`

  uint64_t size() const {
    uint64_t bytes = lines.size();
    for (const auto& extent : spilled) bytes += extent.size;
    return bytes;
  }
  void AddExtent(Extent extent) {
    if (!spilled.empty() && spilled.back().offset + spilled.back().size == extent.offset) {
      spilled.back().size += extent.size;
    } else {
      spilled.push_back(extent);
    }
  }
};

}  // namespace consort
