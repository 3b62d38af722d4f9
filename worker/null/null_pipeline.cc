#include "worker/null/null_pipeline.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string_view>
#include <thread>
#include <vector>

#include "shared/base/clock.h"
#include "shared/record/error_code.h"
#include "shared/segment/frames.h"
#include "worker/interpret/interpreter.h"
#include "worker/read/segment_reader.h"
#include "worker/stage/fault_point.h"
#include "worker/stage/stage_clock.h"

namespace consort {
namespace {

uint64_t Fnv1a(std::string_view bytes) {  // http://www.isthe.com/chongo/tech/comp/fnv/
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

uint64_t Mix(uint64_t x) {  // splitmix64's finalizer
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9;
  x ^= x >> 27;
  x *= 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// What a file's name asks for.
struct Command {
  std::string word;      // empty: nothing
  int64_t segment = -1;  // -1: at the opening
  int64_t sleep_us = 0;
  int64_t leak_mib = 0;  // a segment
};

Command ParseCommand(std::string_view name) {
  Command command;
  for (size_t at = name.find('~'); at != std::string_view::npos;) {
    const size_t end = name.find('~', at + 1);
    if (end == std::string_view::npos) break;
    const auto word = name.substr(at + 1, end - at - 1);
    const size_t sign = word.find('@');
    if (sign != std::string_view::npos) {
      command.word = word.substr(0, sign);
      const auto where = word.substr(sign + 1);
      if (where != "open")
        std::from_chars(where.data(), where.data() + where.size(), command.segment);
    } else if (word.starts_with("sleep")) {
      std::from_chars(word.data() + 5, word.data() + word.size(), command.sleep_us);
      command.sleep_us *= 1000;
    } else if (word.starts_with("leak")) {
      std::from_chars(word.data() + 4, word.data() + word.size(), command.leak_mib);
    }
    at = end;
  }
  return command;
}

// Memory that is really there.
std::unique_ptr<char[]> TouchMiB(int64_t mib) {
  return std::make_unique<char[]>(static_cast<size_t>(mib) << 20);
}

void Sleep(int64_t us) {
  if (us > 0) std::this_thread::sleep_for(std::chrono::microseconds(us));
}

// Random bytes all over the engine's result ring, again and again, until somebody ends this
// process. `state`: the engine's, in the channel; the ring is as far behind it as in any channel.
[[noreturn]] void Scribble(EngineState& state) {
  const auto other = Channel::Create({-1});
  if (!other) _exit(7);
  const auto* const its_state = reinterpret_cast<const char*>(&other.value().state(0));
  const auto* const its_ring = reinterpret_cast<const char*>(other.value().result_ring(0));
  auto* const ring =
      reinterpret_cast<uint64_t*>(reinterpret_cast<char*>(&state) + (its_ring - its_state));
  std::mt19937_64 random(static_cast<uint64_t>(getpid()));
  const int64_t began_ns = MonotonicNs();
  for (;;) {
    for (size_t word = 0; word < RingBytes(kResultRingWords) / sizeof(uint64_t); ++word) {
      __atomic_store_n(ring + word, random(), __ATOMIC_RELAXED);
    }
    std::fprintf(stderr, "scribbling for %.1f ms\n",
                 static_cast<double>(MonotonicNs() - began_ns) / 1e6);
    Sleep(1000);
  }
}

class NullPipeline : public Pipeline {
 public:
  NullPipeline(const Bundle& bundle, StageClock& clock)
      : bundle_(bundle), clock_(clock), reader_(bundle.manifest.audio, clock) {
    if (const char* us = std::getenv("CONSORT_NULL_SEGMENT_US")) segment_us_ = std::atoll(us);
    if (std::getenv("CONSORT_NULL_READ") != nullptr) {
      sound_.resize(static_cast<size_t>(bundle.manifest.audio.SegmentSamples()));
    }
    all_stages_ = &FaultsAreAsked != nullptr && FaultsAreAsked();
    if (bundle.manifest.output.kind != OutputSpec::Kind::kTags) {
      interpreter_ = MakeInterpreter(bundle.manifest, bundle.labels);
      raw_.resize(static_cast<size_t>(bundle.manifest.prepared.output_size));
    }
  }

  Result<PipelineFault> Open(const std::string& path, FileInfo& info) override {
    const auto name = std::string_view(path).substr(path.find_last_of('/') + 1);
    command_ = ParseCommand(name);
    hash_ = Fnv1a(name);
    if (auto fault = Obey(-1)) return fault;
    if (const auto fault = reader_.Open(path)) {
      if (fault->ours) return Error{fault->message};
      return ToFault(*fault);
    }
    info = reader_.info();
    return PipelineFault();
  }

  int64_t SegmentCount() const override { return reader_.segment_count(); }
  int64_t place() const override { return reader_.grid().streams(); }

  PipelineFault Run(int64_t k, int64_t, SegmentResult& result) override {
    uint64_t heard = Mix(static_cast<uint64_t>(reader_.grid().Channel(k)));
    if (!sound_.empty()) {
      if (const auto fault = reader_.ReadSegment(k, sound_)) return ToFault(*fault);
      heard = Fnv1a({reinterpret_cast<const char*>(sound_.data()), sound_.size() * sizeof(float)});
    } else if (all_stages_) {  // as fault points: there is nothing to do in them
      for (const auto stage : {Stage::kRead, Stage::kResample, Stage::kFeatures}) {
        clock_.Enter(stage);
      }
    }
    clock_.Enter(Stage::kForward);
    Sleep(segment_us_ + command_.sleep_us);
    if (command_.leak_mib > 0) leaked_.push_back(TouchMiB(command_.leak_mib));
    if (auto fault = Obey(k)) return fault;
    return interpreter_ ? RunFrames(k, result) : RunTags(k, heard, result);
  }

  void Close() override { reader_.Close(); }

 private:
  PipelineFault RunTags(int64_t k, uint64_t heard, SegmentResult& result) {
    if (!std::holds_alternative<SegmentTags>(result)) result = SegmentTags{};
    auto& tags = std::get<SegmentTags>(result).tags;
    tags.clear();
    if (command_.word == "lie" && command_.segment == k) tags.push_back({UINT32_MAX, 1.0F});
    const auto labels = bundle_.labels.size();
    const auto count = std::min(static_cast<size_t>(bundle_.manifest.output.top_k), labels);
    const uint64_t hash = Mix((hash_ ^ heard) + static_cast<uint64_t>(reader_.grid().Place(k)));
    const auto& chosen = bundle_.manifest.output.label_thresholds;
    for (size_t i = 0; i < labels && tags.size() < count; ++i) {
      const auto score = 1.0F / static_cast<float>(i + 1) - static_cast<float>(hash % 1000) * 1e-4F;
      const auto label = static_cast<uint32_t>((hash + i) % labels);
      if (chosen.empty() || score >= chosen[label]) tags.push_back({label, score});
    }
    return std::nullopt;
  }

  // Each label's score is another number every kHeldFrames of the file, from 0 to 1: what is made
  // of them depends on the file's name and the channel alone, not on how it is cut.
  PipelineFault RunFrames(int64_t k, SegmentResult& result) {
    constexpr uint64_t kHeldFrames = 7;
    const auto& manifest = bundle_.manifest;
    const FrameGrid grid(manifest.audio.hop_ns, manifest.output.frame_ns);
    const auto labels = bundle_.labels.size();
    const int64_t at = reader_.grid().Place(k);
    const auto first = static_cast<uint64_t>(at * grid.per_hop());
    const uint64_t seed = hash_ + Mix(static_cast<uint64_t>(reader_.grid().Channel(k)));
    for (size_t i = 0; i < raw_.size(); ++i) {
      const uint64_t held = (first + i / labels) / kHeldFrames;
      raw_[i] = static_cast<float>(Mix(seed + held * labels + i % labels) % 1000) * 1e-3F;
    }
    const FileInfo& info = reader_.info();
    const SegmentPlace place{at, reader_.grid().Places(info.samples), info.samples,
                             info.sample_rate};
    if (const Status done = interpreter_->Interpret(raw_, place, result); !done) {
      return FileFault{0, 0, -1, static_cast<uint32_t>(ErrorCode::kOutput), done.error().what};
    }
    if (command_.word == "lie" && command_.segment == k) {
      std::get<SegmentRuns>(result).runs.push_back({UINT32_MAX, 0, 1, 1.0F, FrameRun::kOn});
    }
    return std::nullopt;
  }

  // Does what the file's name asks for, if this is the place.
  PipelineFault Obey(int64_t k) {
    if (command_.word.empty() || command_.segment != k) return std::nullopt;
    const auto& word = command_.word;
    if (word == "throw") {
      return FileFault{0, 0, -1, static_cast<uint32_t>(ErrorCode::kModel), "told to fail"};
    }
    if (word == "print") {
      std::printf("printed by the pipeline\n");
      std::fflush(stdout);
    }
    if (word == "say") {
      for (int i = 0; i < 10'000; ++i) std::fprintf(stderr, "line %d of many\n", i);
    }
    if (word == "cry") std::fprintf(stderr, "this is the end\xff of segment %ld\n", long{k});
    if (word == "exit") _exit(7);
    if (word == "segv" || word == "cry") raise(SIGSEGV);
    if (word == "abort") abort();
    if (word == "bus") raise(SIGBUS);
    if (word == "fpe") raise(SIGFPE);
    if (word == "kill") raise(SIGKILL);
    if (word == "stop") raise(SIGSTOP);
    if (word == "scribble" && clock_.state() != nullptr) Scribble(*clock_.state());
    while (word == "hog") {  // some 2 GiB a second
      leaked_.push_back(TouchMiB(8));
      Sleep(2000);
    }
    while (word == "spin") {
      asm volatile("" ::: "memory");
    }
    return std::nullopt;
  }

  const Bundle& bundle_;
  StageClock& clock_;
  SegmentReader reader_;
  Command command_;
  uint64_t hash_ = 0;
  int64_t segment_us_ = 0;
  bool all_stages_ = false;
  std::unique_ptr<Interpreter> interpreter_;     // of outputs with frames
  std::vector<float> raw_;                       // for it
  std::vector<float> sound_;                     // of a segment; empty: none is read
  std::vector<std::unique_ptr<char[]>> leaked_;  // for the worker's life
};

}  // namespace

Result<std::unique_ptr<Pipeline>> NullPipelineFactory::Make(StageClock& clock) {
  return std::unique_ptr<Pipeline>(std::make_unique<NullPipeline>(bundle_, clock));
}

}  // namespace consort
