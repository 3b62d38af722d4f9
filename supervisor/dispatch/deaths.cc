// What the dispatcher does about deaths: who was in flight, who is run apart, who is guilty.
#include <algorithm>

#include "shared/channel/stage.h"
#include "supervisor/dispatch/dispatcher.h"

namespace consort {
namespace {

// One worker in so many is kept free for suspects, while there are any: at least one.
constexpr size_t kWorkersATrial = 4;

}  // namespace

// ---- suspects, run apart ----

bool Dispatcher::TakesSuspects(const HeldWorker& held) {
  if (held.kept_free) return true;
  if (suspects_.empty()) return false;
  if (kept_free_ < std::max<size_t>(1, workers_.size() / kWorkersATrial)) return true;
  if (!held.empty()) return false;
  // One that is idle takes over from one that is still busy, and may be for as long as a hang.
  const auto busy = std::find_if(workers_.begin(), workers_.end(), [](const auto& entry) {
    return entry.second.kept_free && !entry.second.trial && !entry.second.empty();
  });
  if (busy == workers_.end()) return false;
  busy->second.kept_free = false;
  --kept_free_;
  return true;
}

bool Dispatcher::Wanted(const SegmentId& segment) {
  const auto* file = Find(segment.file);
  return file != nullptr && segment.segment < file->last() &&
         !file->crashed.contains(segment.segment);
}

// What a worker that is kept free for suspects gets. Afterwards it may not be that any more.
std::optional<Task> Dispatcher::SuspectTask(HeldWorker& held, EngineId engine) {
  if (!held.kept_free) ++kept_free_;
  held.kept_free = true;  // takes nothing more until it is empty
  if (!held.trial && held.empty()) {
    auto group = suspects_.Take([this](const SegmentId& segment) { return Wanted(segment); });
    if (group) held.trial.emplace(std::move(*group), held.engines.size());
  }
  if (held.trial) {
    if (auto task = TrialTask(held, engine)) return task;
    if (!held.empty() || !held.trial->waiting().empty()) return std::nullopt;
  }
  if (held.trial || suspects_.empty()) EndTrial(held);
  return std::nullopt;
}

std::optional<Task> Dispatcher::TrialTask(HeldWorker& held, EngineId engine) {
  if (!held.engines[engine.engine].empty()) return std::nullopt;
  auto& trial = *held.trial;
  Task task;
  size_t bytes = 0;
  while (!trial.waiting().empty() &&
         task.items.size() < std::min(trial.share(), TaskSize::kMostItems)) {
    const SegmentId next = trial.Next();
    if (!Wanted(next)) continue;
    auto* file = Find(next.file);
    if (!AddItem(task, *file, next.segment, 1, bytes)) {
      trial.Wait(next);
      break;
    }
    // If it lives, its engine stands where the rest begins.
    if (settings_.stateful) file->reader = engine;
  }
  return task.items.empty() ? std::nullopt : std::optional<Task>(std::move(task));
}

void Dispatcher::EndTrial(HeldWorker& held) {
  held.trial.reset();
  held.kept_free = false;
  --kept_free_;
}

// ---- at a death ----

// Segments of the item in hand that the engine was at: those of one forward. 0: none.
uint64_t Dispatcher::InFlight(const HeldTask& held) const {
  if (held.item >= held.task.items.size()) return 0;
  if (!held.opened) return 1;
  const uint64_t group_end = held.next - held.next % settings_.batch + settings_.batch;
  return std::min(group_end, held.end) - held.next;
}

std::vector<SegmentId> Dispatcher::InHand(const HeldWorker& worker) const {
  std::vector<SegmentId> found;
  for (const auto& tasks : worker.engines) {
    if (tasks.empty()) continue;
    const auto& held = tasks.front();
    const uint64_t count = InFlight(held);
    for (uint64_t k = 0; k < count; ++k) {
      found.push_back({held.task.items[held.item].file, held.next + k});
    }
  }
  return found;
}

// Of a trial's task, whose items are one segment each: those behind the item in hand.
std::vector<SegmentId> Dispatcher::NotBegun(const HeldTask& held) {
  std::vector<SegmentId> left;
  const auto& items = held.task.items;
  // After TaskDone nothing is in hand: the item that would be next was not begun.
  for (size_t i = held.item; i < items.size(); ++i) {
    left.push_back({items[i].file, items[i].first_segment});
  }
  return left;
}

Status Dispatcher::RemoveWorker(uint64_t worker, Ending ending, const EndWords& words,
                                const std::vector<LastSeen>& engines) {
  const auto found = workers_.find(worker);
  if (found == workers_.end()) return Ok();
  HeldWorker held = std::move(found->second);
  workers_.erase(found);
  engines_ -= held.engines.size();
  bool crashed = ending == Ending::kCrashed;
  bool by_kills = false;
  if (crashed) {
    kills_.Crashed();
  } else if (ending == Ending::kKilled && !held.empty()) {
    by_kills = crashed = kills_.Count(InHand(held), held.trial && held.trial->group().alone());
  }
  std::vector<SegmentId> in_flight;
  size_t at_fault = 0;  // the engine of the last one of them
  for (size_t engine = 0; engine < held.engines.size(); ++engine) {
    auto& tasks = held.engines[engine];
    const bool blamed = crashed && (engine >= engines.size() || engines[engine].blamed);
    in_flight_ -= tasks.size();
    // From the back, so that the front one is done again first.
    for (size_t i = tasks.size(); i-- > 0;) {
      const auto& task = tasks[i];
      if (held.trial) {
        const uint64_t count = i == 0 && (blamed || !crashed) ? InFlight(task) : 0;
        auto left = NotBegun(task);
        if (count > 0) {
          in_flight.push_back(left.front());
          left.erase(left.begin());
          at_fault = engine;
        }
        for (const auto& member : left) held.trial->Wait(member);
        continue;
      }
      const uint64_t count = i == 0 && blamed ? InFlight(task) : 0;
      for (uint64_t k = 0; k < count; ++k) {
        in_flight.push_back({task.task.items[task.item].file, task.next + k});
      }
      PutBack(task, count);
    }
  }
  if (held.kept_free) --kept_free_;
  if (!held.trial) {
    suspects_.Halve(std::move(in_flight));
    return Ok();
  }
  const int deaths = held.trial->group().deaths + 1;
  if (crashed && held.trial->group().alone() && in_flight.size() == 1 &&
      deaths >= settings_.attempts) {
    const std::string stage = at_fault < engines.size() ? engines[at_fault].stage : "";
    return GiveUp(in_flight.front(), words, {stage, deaths, by_kills, ""});
  }
  EndOfTrial(held, std::move(in_flight), crashed);
  return Ok();
}

// Its worker died.
void Dispatcher::EndOfTrial(HeldWorker& held, std::vector<SegmentId> in_flight, bool crashed) {
  const SuspectGroup& group = held.trial->group();
  std::vector<SegmentId> waiting = held.trial->waiting();
  if (group.alone()) {
    const int deaths = group.deaths + (crashed && !in_flight.empty() ? 1 : 0);
    in_flight.insert(in_flight.end(), waiting.begin(), waiting.end());
    suspects_.PutFirst({std::move(in_flight), deaths});
  } else if (crashed) {
    // It was one of those in flight; the others are no less suspect than before.
    suspects_.PutFirst({std::move(waiting)});
    suspects_.Halve(std::move(in_flight));
  } else {
    in_flight.insert(in_flight.end(), waiting.begin(), waiting.end());
    suspects_.PutFirst({std::move(in_flight)});
  }
}

Status Dispatcher::GiveUp(const SegmentId& guilty, const EndWords& words, Verdict verdict) {
  if (!Wanted(guilty)) return Ok();
  auto* file = Find(guilty.file);
  const std::string stage = verdict.stage.empty() ? "" : " in stage " + verdict.stage;
  const std::string often = verdict.by_kills ? ", again and again"
                            : verdict.deaths == 1
                                ? ", once"
                                : ", " + std::to_string(verdict.deaths) + " times";
  const std::string times = often + " while this segment was alone in it";
  const std::string message = "the worker " + words.plain + (words.in_stage ? stage : "") + times;
  const std::string& measured = words.measured.empty() ? words.plain : words.measured;
  const bool clause = measured.find(',') != std::string::npos && !measured.ends_with(',');
  verdict.message = "the worker " + measured + (clause ? "," : "") + stage + times;
  ++given_up_;
  // It could not even be opened, and nothing of it is known; or what follows cannot be reached.
  if (!file->info || settings_.stateful) {
    sink_.Quarantined(*file, guilty.segment, verdict);
    return Fault(*file, {guilty.file, file->info ? guilty.segment : 0, -1,
                         static_cast<uint32_t>(ErrorCode::kCrashed), message});
  }
  // A SIGKILL that nobody explains may have come while anything was done.
  const auto [first, end] =
      GuiltyWith(*file, guilty.segment, verdict.by_kills ? "" : verdict.stage);
  for (uint64_t segment = first; segment < end; ++segment) {
    if (!file->accounted.Add(segment)) continue;
    file->crashed.insert(segment);
    sink_.Quarantined(*file, segment, verdict);
    CONSORT_TRY(sink_.SegmentCrashed(*file, segment, message));
  }
  return CloseIfComplete(*file);
}

// What is read is read for all channels that are heard at that place: each of their segments would
// end as many workers again.
std::pair<uint64_t, uint64_t> Dispatcher::GuiltyWith(const OpenFile& file, uint64_t segment,
                                                     const std::string& stage) {
  const bool shared = stage == StageName(Stage::kValidate) || stage == StageName(Stage::kRead);
  if (!shared) return {segment, segment + 1};
  const auto streams = static_cast<uint64_t>(file.grid->streams());
  const uint64_t first = segment / streams * streams;
  return {first, std::min(first + streams, file.last())};
}

}  // namespace consort
