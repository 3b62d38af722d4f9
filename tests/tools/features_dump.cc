// features_dump MANIFEST < SAMPLES: what the model would get of segments.
//
// Reads segments, one after another, as raw float32 at the model's rate from standard input, and
// writes their features as raw float32 to standard output; their shape is the last line on standard
// error. Exit status 0; 1 with a sentence.
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "worker/features/features.h"
#include "worker/features/normalize.h"

namespace {

int Fail(const consort::Error& error) {
  std::fprintf(stderr, "%s\n", error.Sentence().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: features_dump MANIFEST < SAMPLES\n", stderr);
    return 2;
  }
  std::ifstream in(argv[1], std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  const auto manifest = consort::ParseManifest(text.str(), argv[1]);
  if (!manifest) return Fail(manifest.error());
  const auto extractor = consort::MakeFeatureExtractor(manifest.value());
  if (!extractor) return Fail(extractor.error());
  std::vector<float> wave(static_cast<size_t>(manifest.value().audio.SegmentSamples()));
  std::vector<float> out(static_cast<size_t>(extractor.value()->size()));
  while (std::fread(wave.data(), sizeof(float), wave.size(), stdin) == wave.size()) {
    consort::Normalize(manifest.value().audio.normalize, wave);
    extractor.value()->Extract(wave, out);
    std::fwrite(out.data(), sizeof(float), out.size(), stdout);
  }
  for (const auto length : extractor.value()->shape()) {
    std::fprintf(stderr, "%lld ", static_cast<long long>(length));
  }
  std::fputs("\n", stderr);
  return 0;
}
