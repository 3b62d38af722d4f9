#include <ATen/Parallel.h>

#include <mutex>

#include "worker/infer/model.h"

namespace consort {

void ConfigureThreads(int intra_op) {
  static std::once_flag once;  // LibTorch takes the size of the inter-op pool once
  std::call_once(once, [] { at::set_num_interop_threads(1); });
  at::set_num_threads(intra_op);
}

void ConfigureEngineThread(int intra_op) { at::set_num_threads(intra_op); }

}  // namespace consort
