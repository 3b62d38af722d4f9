#include "worker/read/quiet_decoders.h"

#include <dlfcn.h>

// This program's mpg123_new stands before the library's when libsndfile looks for one: it makes the
// handle as libsndfile asks, and adds the flag that keeps it quiet. The declarations are those of
// <mpg123.h>, which we do not need otherwise; they have been stable since its first release.
extern "C" {

struct mpg123_handle_struct;

__attribute__((visibility("default"))) mpg123_handle_struct* mpg123_new(const char* decoder,
                                                                        int* error) {
  using New = mpg123_handle_struct* (*)(const char*, int*);
  using Param = int (*)(mpg123_handle_struct*, int, long, double);
  static const auto make = reinterpret_cast<New>(dlsym(RTLD_NEXT, "mpg123_new"));
  static const auto set = reinterpret_cast<Param>(dlsym(RTLD_NEXT, "mpg123_param"));
  if (make == nullptr) return nullptr;
  mpg123_handle_struct* handle = make(decoder, error);
  constexpr int kAddFlags = 2;   // MPG123_ADD_FLAGS
  constexpr long kQuiet = 0x20;  // MPG123_QUIET
  if (handle != nullptr && set != nullptr) set(handle, kAddFlags, kQuiet, 0.0);
  return handle;
}

}  // extern "C"

namespace consort {

void LinkQuietDecoders() {}

}  // namespace consort
