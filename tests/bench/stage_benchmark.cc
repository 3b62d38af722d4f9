// What each stage of a segment costs, measured alone: one thread, no supervisor, no rings.
//
//   stage_benchmark BUNDLE LIST [WARM_UP_SEGMENTS]
//
// LIST has one path a line. Runs the same pipeline as a worker over all of them, after a warm-up
// over the first ones, and prints one line of JSON: segments, the seconds each stage took a segment
// and wall_seconds a segment. A bundle prepared for batches is run in batches, within a file, as a
// worker does it; its size is in the line. Pin it with taskset; `tools/bench limit` does.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "shared/arena/arena.h"
#include "shared/base/clock.h"
#include "shared/bundle/bundle.h"
#include "worker/real/real_pipeline.h"
#include "worker/stage/stage_clock.h"

namespace consort {
namespace {

// Runs up to `most` segments; files that cannot be read are passed over, as in a job.
int64_t RunFiles(Pipeline& pipeline, const std::vector<std::string>& files, int64_t most) {
  int64_t segments = 0;
  std::vector<Tag> tags;
  for (const auto& file : files) {
    FileInfo info;
    if (pipeline.Open(file, info).value()) continue;
    const int64_t count = std::min(pipeline.SegmentCount(), most - segments);
    for (int64_t k = 0; k < count; ++k) {
      tags.clear();
      if (pipeline.Run(k, count, tags)) break;
      ++segments;
    }
    pipeline.Close();
    if (segments >= most) break;
  }
  return segments;
}

Result<int> Measure(const std::string& folder, const std::vector<std::string>& files,
                    int64_t warm_up_segments) {
  CONSORT_TRY(const auto bundle, LoadBundle(folder));
  CONSORT_TRY(const auto arena, FillArena(bundle));
  CONSORT_TRY(auto factory, RealPipelineFactory::Load(bundle, arena.get(), 1, 1));
  StageClock clock;
  CONSORT_TRY(auto pipeline, factory->Make(clock));
  RunFiles(*pipeline, files, warm_up_segments);

  clock.Enter(Stage::kWaiting);
  clock.TakeSpent();
  const int64_t start_ns = MonotonicNs();
  const int64_t segments = RunFiles(*pipeline, files, INT64_MAX);
  const int64_t wall_ns = MonotonicNs() - start_ns;
  clock.Enter(Stage::kWaiting);
  const auto spent_ns = clock.TakeSpent();
  if (segments == 0) return Error{"no segment in the whole list"};

  const double each = 1e-9 / static_cast<double>(segments);
  std::printf(
      "{\"segments\":%lld,\"batch\":%lld,\"wall_seconds\":%.9f", static_cast<long long>(segments),
      static_cast<long long>(bundle.manifest.prepared.batch), static_cast<double>(wall_ns) * each);
  for (size_t stage = 0; stage < kStageCount; ++stage) {
    std::printf(",\"%s\":%.9f", StageName(static_cast<Stage>(stage)),
                static_cast<double>(spent_ns[stage]) * each);
  }
  std::printf("}\n");
  return 0;
}

}  // namespace
}  // namespace consort

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) {
    std::fprintf(stderr, "usage: stage_benchmark BUNDLE LIST [WARM_UP_SEGMENTS]\n");
    return 2;
  }
  std::vector<std::string> files;
  std::ifstream list(argv[2]);
  for (std::string line; std::getline(list, line);) files.push_back(line);
  // In a thread of its own as an engine: the main thread's arena gives large blocks back at once,
  // whatever jemalloc is told.
  consort::Result<int> done = 0;
  std::thread([&] {
    done = consort::Measure(argv[1], files, argc == 4 ? std::atoll(argv[3]) : 20);
  }).join();
  if (done) return done.value();
  std::fprintf(stderr, "stage_benchmark: %s\n", done.error().Sentence().c_str());
  return 1;
}
