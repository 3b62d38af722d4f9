#include "supervisor/tune/candidates.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include "supervisor/view/number.h"

namespace consort {
namespace {

using Objective = TuneOptions::Objective;

// The second thread of every core together: what is usual of dense arithmetic.
constexpr double kSmtGain = 0.2;
// Of one engine with K LibTorch threads: K to this power.
constexpr double kIntraPower = 0.7;
// Each doubling of threads beyond the CPUs.
constexpr double kCrowdLoss = 0.05;
// Each further thread of a process (allocator, locks); each further process (its own caches).
constexpr double kThreadLoss = 0.003;
constexpr double kProcessLoss = 0.0005;
constexpr double kWorkerBytes = 4 << 20;  // of a process beside its engines

int MostCpusOfANode(const Machine& machine) {
  size_t most = 1;
  for (const Node& node : machine.nodes) most = std::max(most, node.cpus.size());
  return static_cast<int>(most);
}

// Threads in work at the same time.
std::set<int> Totals(const Machine& machine, Objective objective) {
  const int cores = machine.usable_cores;
  const int cpus = machine.usable_cpus;
  const auto share = [cores](double of) {
    return std::max(1, static_cast<int>(std::lround(of * cores)));
  };
  // Fewer than cores: where memory is the bottleneck.
  std::set<int> totals = {share(0.5), share(0.75), cores, cpus};
  if (objective != Objective::kThroughput) totals.insert({1, share(0.125), share(0.25)});
  if (cpus > cores) totals.insert(cores + (cpus - cores) / 2);
  // Where engines wait for storage, more of them than CPUs keep those busy.
  totals.insert({cpus + cpus / 4, cpus + (cpus + 1) / 2});
  if (cpus <= 4) totals.insert({1, cpus + 1, cpus + 2});
  return totals;
}

std::set<int> ThreadCounts(int most) {
  std::set<int> counts = {most};
  for (int power = 1; power <= most; power *= 2) {
    counts.insert(power);
    if (power + power / 2 <= most) counts.insert(power + power / 2);
  }
  return counts;
}

// As many as come nearest to `total` and load all nodes alike.
int ProcessesFor(int total, int threads, int nodes) {
  const int processes = std::max(1, (total + threads / 2) / threads);
  if (processes <= nodes) return processes;
  return std::max(1, (processes + nodes / 2) / nodes) * nodes;
}

// Work done in a unit of time by so many busy threads.
double Capacity(const Machine& machine, double threads) {
  const double cores = machine.usable_cores;
  const double cpus = machine.usable_cpus;
  if (threads <= cores) return threads;
  if (threads <= cpus) return cores * (1 + kSmtGain * (threads - cores) / (cpus - cores));
  const double full = cpus > cores ? cores * (1 + kSmtGain) : cores;
  return full * (1 - kCrowdLoss * std::min(4.0, std::log2(threads / cpus)));
}

void Guess(const Machine& machine, const MemoryNeed& need, Candidate& it) {
  const double engines = it.engines();
  const double busy = engines * it.intra;
  const double speedup = std::pow(it.intra, kIntraPower) / it.intra;
  it.rate = Capacity(machine, busy) * speedup / (1 + kThreadLoss * (it.split.engines - 1)) /
            (1 + kProcessLoss * (it.split.workers - 1));
  // Each engine has one segment in work at a time.
  it.latency = engines / it.rate;
  const double nodes =
      std::min<double>(it.split.workers, static_cast<double>(machine.nodes.size()));
  const double arenas = std::min<double>(nodes, machine.memory_nodes);
  it.peak_bytes =
      static_cast<double>(need.common_bytes) + arenas * static_cast<double>(need.weights_bytes) +
      nodes * static_cast<double>(need.template_bytes) + it.split.workers * kWorkerBytes +
      engines * static_cast<double>(need.engine_bytes);
}

}  // namespace

std::vector<Candidate> ListCandidates(const Machine& machine, const MemoryNeed& need,
                                      Objective objective, const Split& automatic) {
  std::vector<Candidate> candidates;
  std::set<std::tuple<int, int, int>> listed;
  const auto add = [&](const Split& split, int intra, bool is_automatic) {
    if (!listed.emplace(split.workers, split.engines, intra).second) return;
    Candidate it{.split = split, .intra = intra, .automatic = is_automatic};
    Guess(machine, need, it);
    candidates.push_back(it);
  };
  add(automatic, 1, true);
  const int nodes = static_cast<int>(machine.nodes.size());
  const int most_threads = MostCpusOfANode(machine);
  const auto thread_counts = ThreadCounts(most_threads);
  for (const int total : Totals(machine, objective)) {
    for (const int threads : thread_counts) {
      const int processes = ProcessesFor(total, threads, nodes);
      // Rounded too far from this total, it belongs to another.
      if (std::abs(processes * threads - total) * 8 > total) continue;
      add({processes, threads}, 1, false);
    }
    if (total <= most_threads || nodes == 1) add({1, total}, 1, false);
  }
  if (objective == Objective::kLatency) {
    // Fewer engines, several LibTorch threads each: never more than there are cores.
    for (int intra = 2; intra <= most_threads && intra <= machine.usable_cores; intra *= 2) {
      for (const double share : {0.0, 0.5, 1.0}) {
        const int engines = std::max(1, static_cast<int>(share * machine.usable_cores / intra));
        add({engines, 1}, intra, false);
        if (engines % nodes == 0 && engines > nodes) add({nodes, engines / nodes}, intra, false);
      }
    }
  }
  return candidates;
}

std::string SplitWords(const Split& split, int intra) {
  std::string words = std::to_string(split.workers) +
                      (split.workers == 1 ? " process x " : " processes x ") +
                      Counted(split.engines, "thread");
  if (intra > 1) words += " x " + std::to_string(intra) + " LibTorch threads";
  return words;
}

std::string ShortSplitWords(const Split& split, int intra) {
  return std::to_string(split.workers) + " x " + std::to_string(split.engines) +
         (intra > 1 ? " x " + std::to_string(intra) : "");
}

}  // namespace consort
