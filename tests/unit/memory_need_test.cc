#include "supervisor/job/memory_need.h"

#include <gtest/gtest.h>

namespace consort {
namespace {

Bundle BundleOf(Prepared::Backend backend, int64_t batch = 1) {
  Bundle bundle;
  bundle.weights.bytes = int64_t{300} << 20;
  bundle.manifest.prepared.backend = backend;
  bundle.manifest.prepared.batch = batch;
  return bundle;
}

TEST(MemoryNeed, AnEngineNeedsMoreForABatch) {
  const auto one = EstimateMemory(BundleOf(Prepared::Backend::kAoti));
  const auto eight = EstimateMemory(BundleOf(Prepared::Backend::kAoti, 8));
  EXPECT_GT(eight.engine_bytes, 4 * one.engine_bytes);
  EXPECT_EQ(eight.template_bytes, one.template_bytes);
}

TEST(MemoryNeed, TorchScriptCopiesWeightsAtEachForward) {
  EXPECT_GT(EstimateMemory(BundleOf(Prepared::Backend::kTorchScript)).engine_bytes,
            EstimateMemory(BundleOf(Prepared::Backend::kAoti)).engine_bytes + (int64_t{100} << 20));
}

TEST(MemoryNeed, ABundleWithoutAModelNeedsLittle) {
  EXPECT_LT(EstimateMemory(BundleOf(Prepared::Backend::kNull)).engine_bytes, int64_t{16} << 20);
}

}  // namespace
}  // namespace consort
