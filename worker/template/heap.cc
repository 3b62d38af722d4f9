#include "worker/template/heap.h"

#include <malloc.h>

#include <cstddef>

// jemalloc's, where the program has it; the same sources make consort-worker-glibc, which has not.
extern "C" int mallctl(const char* name, void* old_value, size_t* old_size, void* new_value,
                       size_t new_size) __attribute__((weak));

namespace consort {
namespace {

void SetBackgroundThread(bool on) {
  mallctl("background_thread", nullptr, nullptr, &on, sizeof(on));
}

}  // namespace

void ReleaseFreeMemory() {
  if (mallctl != nullptr) {
    SetBackgroundThread(false);  // MALLOC_CONF may have asked for one; waits for its end
    mallctl("thread.tcache.flush", nullptr, nullptr, nullptr, 0);
    mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);  // 4096: MALLCTL_ARENAS_ALL
  } else {
    malloc_trim(0);
  }
}

void ReleaseFreeMemoryInBackground() {
  if (mallctl == nullptr) return;
  // One thread is enough for all arenas; by default there would be up to four.
  size_t most = 1;
  mallctl("max_background_threads", nullptr, nullptr, &most, sizeof(most));
  SetBackgroundThread(true);
}

}  // namespace consort
