#include "supervisor/doctor/survey.h"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

#include "shared/arena/reserve.h"
#include "shared/bundle/built_for.h"
#include "supervisor/job/memory_need.h"
#include "supervisor/job/plan_fleet.h"
#include "supervisor/job/tuned_split.h"
#include "supervisor/place/fit_quota.h"
#include "supervisor/place/words.h"

namespace consort {
namespace {

constexpr auto kLoadWindow = std::chrono::milliseconds(200);  // twenty of the kernel's ticks

std::map<std::string, std::string> Environment() {
  std::map<std::string, std::string> environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string::npos) environment[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return environment;
}

int64_t Limit(decltype(RLIMIT_CORE) kind) {
  rlimit limit{};
  if (getrlimit(kind, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return -1;
  return static_cast<int64_t>(limit.rlim_cur);
}

}  // namespace

std::string Survey::Line(const std::string& path) const {
  std::string line;
  std::ifstream file(root + path);
  std::getline(file, line);
  return line;
}

int64_t Survey::Kib(const std::string& path, const std::string& key) const {
  std::ifstream file(root + path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key + ":")) continue;
    int64_t kib = -1;
    std::istringstream(line.substr(key.size() + 1)) >> kib;
    return kib < 0 ? -1 : kib << 10;
  }
  return -1;
}

std::string Survey::Variable(const std::string& name) const {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

Result<Survey> TakeSurvey(const std::string& bundle_folder) {
  Survey survey;
  if (!bundle_folder.empty()) {
    CONSORT_TRY(auto bundle, LoadBundle(bundle_folder));
    CONSORT_TRY(CheckPrepared(bundle));
    survey.bundle = std::move(bundle);
  }
  CONSORT_TRY(survey.machine, ReadMachine());
  survey.before = ReadCpuTimes();
  std::this_thread::sleep_for(kLoadWindow);
  survey.after = ReadCpuTimes();
  survey.used = FitToQuota(survey.machine, BusyShares(survey.before, survey.after));
  const MemoryNeed need = survey.bundle ? EstimateMemory(*survey.bundle) : EstimateMemory();
  RunOptions run;
  if (const auto cpu = ReadCpuIdentity(); cpu && survey.bundle) {
    UseTunedProfile(run, *survey.bundle, cpu.value().model, survey.machine,
                    [&](const std::string& line, bool) { survey.tuned.push_back(line); });
    survey.uses_tuned = run.workers.has_value();
  }
  survey.placement =
      Place(survey.used, {.workers = run.workers, .engines = run.engines, .need = need});
  std::vector<int> cpus;
  for (const Cpu& cpu : survey.machine.cpus) cpus.push_back(cpu.os_index);
  survey.affinity = CpuListWords(cpus);
  survey.environment = Environment();
  survey.worker =
      WorkerProgram(survey.bundle ? survey.bundle->manifest.prepared.backend : Prepared().backend);
  survey.gives_huge_pages = GivesHugePages();
  survey.memlock_bytes = Limit(RLIMIT_MEMLOCK);
  survey.core_bytes = Limit(RLIMIT_CORE);
  return survey;
}

}  // namespace consort
