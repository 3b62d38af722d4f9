// The model alone: features in, raw scores out, through the same loader as a worker.
//
//   forward_dump BUNDLE INPUT.f32 OUTPUT.f32
//
// INPUT holds the features of any number of segments, raw 32-bit floats in the model's order;
// OUTPUT gets one float per label for each. A bundle prepared for batches gets them in groups, the
// last one filled up with zeros.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "shared/arena/arena.h"
#include "shared/bundle/bundle.h"
#include "worker/features/features.h"
#include "worker/infer/aligned_floats.h"
#include "worker/infer/model.h"

namespace consort {
namespace {

Result<size_t> Dump(const std::string& folder, const std::string& input_path,
                    const std::string& output_path) {
  ConfigureThreads(1);
  CONSORT_TRY(const auto bundle, LoadBundle(folder));
  CONSORT_TRY(const auto fd, FillArena(bundle));
  CONSORT_TRY(const auto arena, ArenaView::Map(fd.get(), bundle.weights.bytes));
  CONSORT_TRY(const auto features, MakeFeatureExtractor(bundle.manifest));
  ModelSource source{&bundle, &arena, features->shape()};
  source.input_shape.front() = bundle.manifest.prepared.batch;
  CONSORT_TRY(const auto model, LoadModel(source));
  CONSORT_TRY(WarmUp(*model, source));
  CONSORT_TRY(const auto runner, model->NewRunner());

  std::error_code trouble;
  const auto size = std::filesystem::file_size(input_path, trouble);
  if (trouble) return SystemError("open", input_path, trouble.value());
  const size_t segment_bytes = static_cast<size_t>(features->size()) * sizeof(float);
  if (size % segment_bytes != 0) {
    return Error{"\"" + input_path + "\" holds no whole number of segments",
                 "a segment has " + std::to_string(features->size()) + " floats"};
  }
  std::ifstream in(input_path, std::ios::binary);
  std::ofstream out(output_path, std::ios::binary);
  const size_t segments = size / segment_bytes;
  const auto batch = static_cast<size_t>(bundle.manifest.prepared.batch);
  std::vector<float> scores;
  for (size_t done = 0; done < segments; done += batch) {
    AlignedFloats input(source.InputSize());
    const size_t count = std::min(batch, segments - done);
    in.read(reinterpret_cast<char*>(input.span().data()),
            static_cast<std::streamsize>(count * segment_bytes));
    CONSORT_TRY(runner->Forward(input.span(), scores));
    out.write(reinterpret_cast<const char*>(scores.data()),
              static_cast<std::streamsize>(count * bundle.labels.size() * sizeof(float)));
  }
  if (!in) return Error{"could not read \"" + input_path + "\""};
  if (!out.flush()) return Error{"could not write \"" + output_path + "\""};
  return segments;
}

}  // namespace
}  // namespace consort

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: forward_dump BUNDLE INPUT.f32 OUTPUT.f32\n");
    return 2;
  }
  const auto done = consort::Dump(argv[1], argv[2], argv[3]);
  if (done) return 0;
  std::fprintf(stderr, "forward_dump: %s\n", done.error().Sentence().c_str());
  return 1;
}
