#include "supervisor/job/hang_watch.h"

#include <cmath>
#include <fstream>

namespace consort {
namespace {

// How long a stack dump is waited for.
constexpr int64_t kDumpNs = 300'000'000;

// Of words alone: nothing is decided by it.
bool IsStopped(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  const size_t name_end = line.rfind(')');
  return name_end != std::string::npos && name_end + 2 < line.size() &&
         (line[name_end + 2] == 'T' || line[name_end + 2] == 't');
}

std::string StageOf(uint64_t stage) {
  return stage < kStageCount ? StageName(static_cast<Stage>(stage)) : "";
}

}  // namespace

HangWatch::HangWatch(Deadlines deadlines, const Dispatcher& dispatcher, Say say)
    : deadlines_(std::move(deadlines)), dispatcher_(dispatcher), say_(std::move(say)) {}

void HangWatch::Ready(const Worker& worker) { deadlines_.AddWorker(worker.id(), worker.engines()); }

void HangWatch::Heard(const Worker& worker, uint32_t engine) {
  deadlines_.Heard(worker.id(), engine);
}

void HangWatch::Tick(Fleet& fleet, int64_t now_ns) {
  deadlines_.Look(now_ns);
  deadlines_.Learn(dispatcher_.stage_ns(), dispatcher_.segments_timed());
  fleet.ForEachRunning([&](Worker& worker) { Watch(fleet, worker, now_ns); });
}

EngineSight HangWatch::StateOf(const Worker& worker, uint32_t engine) {
  const auto& state = worker.channel().state(engine);
  return {.stage = state.stage.load(std::memory_order_relaxed),
          .since_ns = state.since_ns.load(std::memory_order_relaxed),
          .file = state.file.load(std::memory_order_relaxed),
          .segment = state.segment.load(std::memory_order_relaxed),
          .steps = state.steps.load(std::memory_order_relaxed)};
}

void HangWatch::Watch(Fleet& fleet, Worker& worker, int64_t now_ns) {
  if (worker.killed()) return;  // for this or for something else: the first reason stands
  const auto sentenced = sentences_.find(worker.id());
  const bool on_trial = dispatcher_.OnTrial(worker.id());
  uint32_t hung = worker.engines();
  int64_t hung_ns = 0;
  for (uint32_t engine = 0; engine < worker.engines(); ++engine) {
    EngineSight sight = StateOf(worker, engine);
    sight.earlier = dispatcher_.EarlierSegments(worker.id(), engine, sight.file);
    sight.has_work = dispatcher_.HasWork(worker.id(), engine);
    sight.unread = !worker.results(engine).Empty();
    const int64_t ns = deadlines_.See(worker.id(), engine, sight, on_trial);
    if (ns > hung_ns) {
      hung = engine;
      hung_ns = ns;
    }
  }
  if (hung_ns == 0) {
    if (sentenced != sentences_.end()) sentences_.erase(sentenced);
    return;
  }
  const uint32_t dumps = worker.channel().header().dumps.load(std::memory_order_acquire);
  if (sentenced == sentences_.end()) {
    worker.AskForDump(hung);
    sentences_[worker.id()] = {
        .engine = hung, .asked_ns = now_ns, .dumps_before = dumps, .killed = false, .blamed = {}};
    return;
  }
  auto& sentence = sentenced->second;
  if (dumps != sentence.dumps_before || now_ns - sentence.asked_ns > kDumpNs) {
    sentence.engine = hung;
    Kill(fleet, worker, sentence, hung_ns);
  }
}

void HangWatch::Kill(Fleet& fleet, Worker& worker, Sentence& sentence, int64_t hung_ns) {
  const uint32_t dumps = worker.channel().header().dumps.load(std::memory_order_relaxed);
  const bool stopped = IsStopped(worker.pid());
  sentence.blamed.resize(worker.engines());
  for (uint32_t engine = 0; engine < worker.engines(); ++engine) {
    const EngineSight state = StateOf(worker, engine);
    const bool begun = state.stage != static_cast<uint64_t>(Stage::kWaiting);
    const bool stands = deadlines_.StoodNs(worker.id(), engine) >= hung_ns / 2;
    if (begun && (engine == sentence.engine || stands)) sentence.blamed[engine] = state;
  }
  sentence.killed = true;
  const auto seconds = std::llround(static_cast<double>(hung_ns) * 1e-9);
  const std::string words =
      "hung for " + std::to_string(seconds) + " s" + (stopped ? " (stopped by a signal)" : "");
  if (dumps == sentence.dumps_before) {
    say_("worker " + std::to_string(worker.pid()) +
         " gave no stack: " + (stopped ? "it is stopped" : "its engine does not take signals"));
  }
  fleet.Kill(worker, Offence::kHung, words);
}

bool HangWatch::IsToBlame(const Worker& worker, uint32_t engine) const {
  const auto sentenced = sentences_.find(worker.id());
  if (sentenced == sentences_.end() || !sentenced->second.killed) return true;  // it crashed
  const auto& was = sentenced->second.blamed[engine];
  const EngineSight is = StateOf(worker, engine);
  return was && was->file == is.file && was->segment == is.segment;  // else it has got on
}

std::vector<LastSeen> HangWatch::Gone(const Worker& worker) {
  std::vector<LastSeen> engines;
  for (uint32_t engine = 0; engine < worker.engines(); ++engine) {
    engines.push_back({StageOf(StateOf(worker, engine).stage), IsToBlame(worker, engine)});
  }
  sentences_.erase(worker.id());
  deadlines_.RemoveWorker(worker.id());
  return engines;
}

}  // namespace consort
