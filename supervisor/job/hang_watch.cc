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
  if (sentences_.empty()) return;
  const auto found = sentences_.find(worker.id());
  if (found != sentences_.end() && found->second.killed) found->second.blamed[engine] = false;
}

void HangWatch::Tick(Fleet& fleet, int64_t now_ns) {
  deadlines_.Look(now_ns);
  deadlines_.Learn(dispatcher_.stage_ns(), dispatcher_.segments_timed());
  fleet.ForEachRunning([&](Worker& worker) { Watch(fleet, worker, now_ns); });
}

EngineSight HangWatch::Look(Worker& worker, uint32_t engine) const {
  const auto& state = worker.channel().state(engine);
  return {.stage = state.stage.load(std::memory_order_relaxed),
          .since_ns = state.since_ns.load(std::memory_order_relaxed),
          .file = state.file.load(std::memory_order_relaxed),
          .segment = state.segment.load(std::memory_order_relaxed),
          .steps = state.steps.load(std::memory_order_relaxed),
          .has_work = dispatcher_.HasWork(worker.id(), engine),
          .unread = !worker.results(engine).Empty()};
}

void HangWatch::Watch(Fleet& fleet, Worker& worker, int64_t now_ns) {
  const auto sentenced = sentences_.find(worker.id());
  if (sentenced != sentences_.end() && sentenced->second.killed) return;
  const bool on_trial = dispatcher_.OnTrial(worker.id());
  uint32_t hung = worker.engines();
  int64_t hung_ns = 0;
  for (uint32_t engine = 0; engine < worker.engines(); ++engine) {
    const int64_t ns = deadlines_.See(worker.id(), engine, Look(worker, engine), on_trial);
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
  for (uint32_t engine = 0; engine < worker.engines(); ++engine) {
    const bool begun = worker.channel().state(engine).stage.load(std::memory_order_relaxed) !=
                       static_cast<uint64_t>(Stage::kWaiting);
    sentence.blamed.push_back(begun && (engine == sentence.engine ||
                                        deadlines_.StoodNs(worker.id(), engine) >= hung_ns / 2));
  }
  sentence.killed = true;
  const auto seconds = std::llround(static_cast<double>(hung_ns) * 1e-9);
  const std::string words = std::string("hung") + (stopped ? ", stopped by a signal," : "") +
                            " for " + std::to_string(seconds) + " s";
  if (dumps == sentence.dumps_before) {
    say_("worker " + std::to_string(worker.pid()) +
         " gave no stack: " + (stopped ? "it is stopped" : "its engine does not take signals"));
  }
  fleet.Kill(worker, words);
}

std::vector<LastSeen> HangWatch::Gone(const Worker& worker) {
  const auto sentenced = sentences_.find(worker.id());
  std::vector<LastSeen> engines;
  for (uint32_t engine = 0; engine < worker.engines(); ++engine) {
    const uint64_t stage = worker.channel().state(engine).stage.load(std::memory_order_relaxed);
    const bool killed = sentenced != sentences_.end() && sentenced->second.killed;
    engines.push_back({StageOf(stage), !killed || sentenced->second.blamed[engine]});
  }
  if (sentenced != sentences_.end()) sentences_.erase(sentenced);
  deadlines_.RemoveWorker(worker.id());
  return engines;
}

}  // namespace consort
