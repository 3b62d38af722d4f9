// What Boost.Interprocess maps: a descriptor that somebody else owns, and that may be closed once
// the mapping is made.
#pragma once

#include <boost/interprocess/detail/os_file_functions.hpp>

namespace consort {

struct MappableFd {
  int fd = -1;
  boost::interprocess::mapping_handle_t get_mapping_handle() const { return {fd, false}; }
};

}  // namespace consort
