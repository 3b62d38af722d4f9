// Lines a second of results.jsonl, as the supervisor writes them: into a buffer that is emptied
// every so often.
#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <vector>

#include "supervisor/output/jsonl.h"

namespace consort {
namespace {

void BM_AppendTags(benchmark::State& state) {
  const auto tag_count = static_cast<size_t>(state.range(0));
  std::vector<std::string> labels;
  for (int i = 0; i < 527; ++i) labels.push_back("Sound of kind " + std::to_string(i));
  const JsonlFormatter formatter(labels);
  std::mt19937 random(1);
  std::uniform_real_distribution<float> score(0, 1);
  std::vector<std::vector<Tag>> segments(1000);
  for (auto& tags : segments) {
    for (size_t i = 0; i < tag_count; ++i) {
      tags.push_back({static_cast<uint32_t>(random() % labels.size()), score(random)});
    }
  }
  const std::string name = JsonlFormatter::EscapeName("recordings/2024-05-01/site 7/night.flac");
  std::string out;
  size_t segment = 0;
  int64_t bytes = 0;
  for (auto _ : state) {
    const auto k = static_cast<int64_t>(segment % 1200);
    formatter.AppendTags(out, name, 0, 3000 * k, 3000 * (k + 1),
                         segments[segment % segments.size()]);
    ++segment;
    if (out.size() > 64 * 1024) {
      benchmark::DoNotOptimize(out.data());
      bytes += static_cast<int64_t>(out.size());
      out.clear();
    }
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(bytes);
}
BENCHMARK(BM_AppendTags)->Arg(0)->Arg(1)->Arg(5)->Arg(50);

void BM_EscapeName(benchmark::State& state) {
  const std::string name = "recordings/2024-05-01/site 7/night.flac";
  for (auto _ : state) benchmark::DoNotOptimize(JsonlFormatter::EscapeName(name));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_EscapeName);

}  // namespace
}  // namespace consort
