#include <ATen/Parallel.h>

#include <mutex>

#include "worker/infer/model.h"

namespace consort {

void ConfigureThreads(int intra_op) {
  static std::once_flag once;  // LibTorch takes the size of the inter-op pool once
  std::call_once(once, [] { at::set_num_interop_threads(1); });
  ConfigureEngineThread(intra_op);
}

// One at a time: LibTorch replaces a thread pool of its own at the first call after a fork, and a
// second call meanwhile finds none and fails ("Invalid thread pool!", in 2.13.0).
void ConfigureEngineThread(int intra_op) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  at::set_num_threads(intra_op);
}

}  // namespace consort
