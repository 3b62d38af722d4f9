// read_dump FILE MODEL_RATE SEGMENT_S HOP_S [SEGMENT…]: what an engine would hear of a file. One
// SEGMENT: from there to the end; several: these, in this order; none: all.
// Prints to standard error the number of segments and the file's rate, or the fault; writes the
// segments to standard output as raw float32. Exit status 0, or 3 at a fault.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "worker/read/segment_reader.h"

namespace {

int Report(const consort::ReadFault& fault, int64_t segment) {
  std::fprintf(stderr, "fault %s segment %lld at %lld: %s\n",
               std::string(consort::ErrorCodeName(fault.code)).c_str(),
               static_cast<long long>(segment), static_cast<long long>(fault.at_sample),
               fault.message.c_str());
  return 3;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fputs("usage: read_dump FILE MODEL_RATE SEGMENT_S HOP_S [SEGMENT…]\n", stderr);
    return 2;
  }
  consort::AudioSpec spec;
  spec.sample_rate = std::atoi(argv[2]);
  spec.segment_ns = consort::SecondsToNs(std::atof(argv[3]));
  spec.hop_ns = consort::SecondsToNs(std::atof(argv[4]));
  consort::StageClock clock;
  consort::SegmentReader reader(spec, clock);
  if (const auto fault = reader.Open(argv[1])) return Report(*fault, -1);
  std::fprintf(stderr, "segments %lld samples %lld rate %d alignment %u\n",
               static_cast<long long>(reader.segment_count()),
               static_cast<long long>(reader.info().samples), reader.info().sample_rate,
               reader.info().segment_alignment);
  std::vector<float> out(
      static_cast<size_t>(consort::RoundSamples(spec.segment_ns, spec.sample_rate)));
  std::vector<int64_t> order;
  for (int i = 5; argc > 6 && i < argc; ++i) order.push_back(std::atoll(argv[i]));
  if (order.empty()) {
    for (int64_t k = argc > 5 ? std::atoll(argv[5]) : 0; k < reader.segment_count(); ++k) {
      order.push_back(k);
    }
  }
  for (const int64_t k : order) {
    if (const auto fault = reader.ReadSegment(k, out)) return Report(*fault, k);
    std::fwrite(out.data(), sizeof(float), out.size(), stdout);
  }
  const auto spent = clock.TakeSpent();
  std::fprintf(stderr, "validate %.3f read %.3f resample %.3f ms\n",
               static_cast<double>(spent[1]) / 1e6, static_cast<double>(spent[2]) / 1e6,
               static_cast<double>(spent[3]) / 1e6);
  return 0;
}
