#include "supervisor/job/memory_need.h"

namespace consort {
namespace {

constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kSupervisorBytes = 32 * kMiB;
constexpr int64_t kTemplateBytes = 160 * kMiB;  // LibTorch's data, the model's code, a warm-up
constexpr int64_t kEngineBytes = 48 * kMiB;     // a batch's activations, the allocator's reserve
constexpr int64_t kMoreBytes = 32 * kMiB;       // of each further segment in a batch
constexpr int64_t kNullBytes = 4 * kMiB;        // of a template, and of an engine

}  // namespace

MemoryNeed EstimateMemory(const Bundle& bundle) {
  MemoryNeed need;
  need.weights_bytes = bundle.weights.bytes;
  need.common_bytes = kSupervisorBytes;
  const auto backend = bundle.manifest.prepared.backend;
  if (backend == Prepared::Backend::kNull || backend == Prepared::Backend::kCheck) {
    need.template_bytes = need.engine_bytes = kNullBytes;
    return need;
  }
  need.template_bytes = kTemplateBytes;
  need.engine_bytes = kEngineBytes + (bundle.manifest.prepared.batch - 1) * kMoreBytes;
  if (backend == Prepared::Backend::kTorchScript) {
    // Each forward copies weights, one layer's at a time, into the layout that oneDNN wants.
    need.engine_bytes += bundle.weights.bytes / 2;
  }
  return need;
}

MemoryNeed EstimateMemory() {
  return {.weights_bytes = 0,
          .common_bytes = kSupervisorBytes,
          .template_bytes = kTemplateBytes,
          .engine_bytes = kEngineBytes};
}

}  // namespace consort
