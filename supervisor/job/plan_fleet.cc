#include "supervisor/job/plan_fleet.h"

#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <string_view>

#include "supervisor/job/worker_count_keeper.h"
#include "supervisor/view/number.h"

namespace consort {

// CONSORT_WORKER names another worker program, e.g. consort-worker-glibc, for comparison: one
// beside consort, or a path.
std::string WorkerProgram(Prepared::Backend backend) {
  const char* const chosen = std::getenv("CONSORT_WORKER");
  std::string name = chosen != nullptr ? chosen : "";
  if (name.find('/') != std::string::npos) return name;
  if (name.empty()) {
    name = backend == Prepared::Backend::kCheck  ? "consort-worker-check"
           : backend == Prepared::Backend::kNull ? "consort-worker-null"
                                                 : "consort-worker";
  }
  char self[PATH_MAX] = {};
  const ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);
  const std::string path(self, size > 0 ? static_cast<size_t>(size) : 0);
  return path.substr(0, path.find_last_of('/') + 1) + name;
}

namespace {

// CONSORT_PIN=0: engines run wherever the kernel puts them; for comparison.
bool Pins() {
  const char* wanted = std::getenv("CONSORT_PIN");
  return wanted == nullptr || std::string_view(wanted) != "0";
}

}  // namespace

std::string Oversubscribed(const Split& split, int intra, const Machine& machine) {
  const int64_t threads = int64_t{split.workers} * split.engines * std::max(1, intra);
  if (threads <= machine.usable_cpus) return "";
  return std::to_string(threads) + " threads (" + Counted(split.workers, "worker") + " x " +
         Counted(split.engines, "engine") +
         (intra > 1 ? " x " + std::to_string(intra) + " LibTorch threads" : "") + ") share " +
         Counted(machine.usable_cpus, "usable CPU") + ": expect it to be slower than fewer";
}

Result<JobFleet> PlanFleet(const RunOptions& options, const Bundle& bundle,
                           const Placement& placement, const std::vector<int>& arena_fds,
                           int tags_fd) {
  JobFleet fleet;
  const auto backend = bundle.manifest.prepared.backend;
  const bool check = backend == Prepared::Backend::kCheck;
  const std::string program = WorkerProgram(backend);
  if (access(program.c_str(), X_OK) != 0) {
    return Error{"could not find the worker program \"" + program + "\"",
                 program.substr(program.find_last_of('/') + 1) + " belongs beside consort"};
  }
  fleet.split = placement.split;
  TemplateCommand command;
  command.program = program;
  command.bundle = bundle.folder;
  command.bundle_sha256 = bundle.sha256;
  command.intra = options.intra;
  command.engines = placement.split.engines;
  command.become = options.no_template;
  command.tags_fd = tags_fd;
  if (check) command.check_rate = bundle.manifest.audio.sample_rate;
  // A template, and so its workers, has its node's memory, weights and CPUs.
  const auto start = [&](const PlacedNode& node) {
    command.arena_fd = arena_fds.empty() ? -1 : arena_fds[node.arena];
    command.cpus = node.cpus;
    fleet.plan.nodes.push_back({command});
  };
  if (!options.no_template) {
    for (const auto& node : placement.nodes) start(node);
  }
  const auto add = [&](const WorkerPlace& worker, bool closed) {
    FleetSlot slot{worker.node, worker.cpus, closed};
    if (options.intra != 1 || !Pins()) slot.cpus.assign(worker.cpus.size(), -1);
    if (options.no_template) {  // each worker is a process of its own making
      slot.node = static_cast<int>(fleet.plan.nodes.size());
      start(placement.nodes[static_cast<size_t>(worker.node)]);
    }
    fleet.plan.slots.push_back(std::move(slot));
  };
  for (const auto& worker : placement.workers) add(worker, false);
  for (const auto& worker : placement.spare) add(worker, true);
  if (MayTryWorkerCounts(options)) {
    const int workers = placement.split.workers;
    fleet.counts = ListWorkerCounts(workers, workers + static_cast<int>(placement.spare.size()));
  }
  return fleet;
}

}  // namespace consort
