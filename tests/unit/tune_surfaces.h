// Machines and models that never were: how fast each split is on them, and what a trial of it
// shows. All of it follows from a seed.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <tuple>

#include "supervisor/place/placement.h"
#include "supervisor/tune/search.h"

namespace consort {

// Nodes of equal size; siblings last, as hwloc_machine.h has them.
inline Machine MakeMachine(int nodes, int cores_a_node, int threads_a_core) {
  Machine machine;
  for (int n = 0; n < nodes; ++n) {
    Node node{.os_index = n, .cores = cores_a_node, .cpus = {}, .memory_node = n};
    for (int rank = 0; rank < threads_a_core; ++rank) {
      for (int core = 0; core < cores_a_node; ++core) {
        const int number = n * cores_a_node + core;
        node.cpus.push_back(rank * nodes * cores_a_node + number);
        machine.cpus.push_back({node.cpus.back(), number, n, rank, 0});
      }
    }
    machine.nodes.push_back(node);
  }
  machine.usable_cores = nodes * cores_a_node;
  machine.usable_cpus = machine.usable_cores * threads_a_core;
  machine.memory_nodes = nodes;
  machine.memory_bytes = int64_t{256} << 30;
  return machine;
}

class TuneWorld {
 public:
  explicit TuneWorld(uint64_t seed) : random_(seed), seed_(seed) {
    static constexpr std::tuple<int, int, int> kMachines[] = {
        {1, 2, 1}, {1, 2, 2},  {1, 4, 1},  {1, 4, 2},  {1, 6, 2},  {1, 8, 1},  {1, 16, 2},
        {2, 8, 2}, {2, 16, 1}, {2, 32, 2}, {3, 10, 1}, {4, 16, 2}, {4, 32, 1}, {4, 32, 2}};
    const auto [nodes, cores, smt] = kMachines[seed % std::size(kMachines)];
    machine = MakeMachine(nodes, cores, smt);
    smt_gain_ = Uniform(-0.05, 0.45);
    // Memory bandwidth of a node, in cores that it keeps busy; often no bound.
    bandwidth_ = Chance(0.4) ? Uniform(0.35, 1.0) * cores : 1e9;
    crowding_ = Chance(0.5) ? Uniform(0, 0.15) : 0;  // loss a doubling of engines beyond that
    process_loss_ = Chance(0.5) ? Uniform(0, 0.15) : Uniform(0, 0.01);
    thread_loss_ = Chance(0.5) ? Uniform(0, 0.06) : Uniform(0, 0.004);
    oversubscription_ = Uniform(0, 0.3);
    waits_ = Chance(0.3) ? Uniform(0, 0.35) : 0;
    intra_power_ = Uniform(0.3, 0.9);
    roughness_ = Uniform(0, 0.01);
    noise_ = Uniform(0.01, 0.05);
    one_per_second_ = std::exp(Uniform(std::log(4.0), std::log(400.0)));
    drift_ = Uniform(-0.12, 0.12);
    wave_ = Chance(0.5) ? Uniform(0, 0.03) : 0;
    start_s_ = Uniform(0.5, 5);
    weights_bytes_ = Uniform(10e6, 400e6);
    engine_bytes_ = Uniform(5e6, 60e6);
    worker_bytes_ = Uniform(2e6, 40e6);
    need = {.weights_bytes = static_cast<int64_t>(weights_bytes_),
            .common_bytes = 32 << 20,
            .template_bytes = 160 << 20,
            .engine_bytes = 48 << 20};
  }

  // Segments a second, were the machine always as it was at first.
  double Rate(const Split& split, int intra) const {
    return SmoothRate(split, intra) * (1 + roughness_ * Own(split, intra));
  }
  // The same without what is each split's own: of hundreds, some would be good by luck alone.
  double SmoothRate(const Split& split, int intra) const {
    double all = 0;
    std::map<int, int> on_node;
    for (const auto& place : PlaceWorkers(machine, split.workers, split.engines)) {
      on_node[place.node] += split.engines;
    }
    for (const auto& [node, engines] : on_node) {
      const double cores = machine.nodes[static_cast<size_t>(node)].cores;
      const auto cpus = static_cast<double>(machine.nodes[static_cast<size_t>(node)].cpus.size());
      const double busy = engines * intra * (1 - waits_);
      double work = busy;
      if (busy > cores) {
        work =
            cores * (1 + smt_gain_ * (std::min(busy, cpus) - cores) / std::max(1.0, cpus - cores));
        if (cpus == cores) work = cores;
      }
      if (busy > cpus) work *= 1 - oversubscription_ * (1 - cpus / busy);
      // A soft bound.
      const double bounded = std::pow(std::pow(work, -6) + std::pow(bandwidth_, -6), -1.0 / 6);
      const double beyond = std::max(1.0, work / bandwidth_);
      all += bounded * (1 - crowding_ * std::log2(beyond));
    }
    all *= std::pow(intra, intra_power_) / intra;
    all /= 1 + process_loss_ * split.workers / machine.usable_cores;
    all /= 1 + thread_loss_ * (split.engines - 1);
    return all * one_per_second_;
  }
  double P95(const Split& split, int intra) const {
    return 1100.0 * split.workers * split.engines / Rate(split, intra);
  }
  double Peak(const Split& split) const {
    const auto nodes = std::min<double>(split.workers, static_cast<double>(machine.nodes.size()));
    return 30e6 + nodes * (weights_bytes_ + 120e6) +
           split.workers * (worker_bytes_ + split.engines * engine_bytes_);
  }

  Observation Measure(const Candidate& it, double seconds, double at_s) {
    std::normal_distribution<double> normal;
    const double level = 1 + drift_ * at_s / 120 + wave_ * std::sin(at_s / 9);
    const double within = noise_ * std::sqrt(0.5 * 2.5 / seconds);
    const double between = noise_ * std::sqrt(0.5);
    const double shown = level * (1 + within * normal(random_) + between * normal(random_));
    Observation seen;
    seen.per_second = Rate(it.split, it.intra) * shown;
    seen.spread = within;
    seen.p95_ms = P95(it.split, it.intra) / shown * (1 + 1.5 * within * normal(random_));
    seen.peak_bytes = static_cast<int64_t>(Peak(it.split) * (1 - 0.01 * Uniform(0, 1)));
    seen.took_s = seconds + start_s_ * Uniform(0.9, 1.1);
    return seen;
  }

  Machine machine;
  MemoryNeed need;

 private:
  double Uniform(double from, double to) {
    return std::uniform_real_distribution<double>(from, to)(random_);
  }
  bool Chance(double share) { return Uniform(0, 1) < share; }
  // What no smooth law explains.
  double Own(const Split& split, int intra) const {
    std::mt19937_64 own(seed_ * 1'000'003 + static_cast<uint64_t>(split.workers) * 70'001 +
                        static_cast<uint64_t>(split.engines) * 131 + static_cast<uint64_t>(intra));
    return std::normal_distribution<double>()(own);
  }

  std::mt19937_64 random_;
  uint64_t seed_;
  double smt_gain_, bandwidth_, crowding_, process_loss_, thread_loss_, oversubscription_, waits_,
      intra_power_, roughness_, noise_, one_per_second_, drift_, wave_, start_s_, weights_bytes_,
      engine_bytes_, worker_bytes_;
};

}  // namespace consort
