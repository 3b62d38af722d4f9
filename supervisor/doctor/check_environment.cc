// The programs and their environment.
#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "shared/bundle/built_for.h"
#include "supervisor/doctor/checks.h"
#include "supervisor/profile/profile_folder.h"
#include "supervisor/view/number.h"

namespace consort {
namespace {

using Level = Finding::Level;

bool FileHolds(const std::string& path, const std::string& text) {
  std::ifstream file(path, std::ios::binary);
  const std::string content(std::istreambuf_iterator<char>(file), {});
  return content.find(text) != std::string::npos;
}

std::string FileName(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

// `A=1 B=2` of those that are set; `unset A B`.
struct SetVariables {
  std::string values;
  std::string unset;
};
SetVariables FindSet(const Survey& survey, const std::vector<const char*>& names) {
  SetVariables found;
  for (const char* name : names) {
    const std::string value = survey.Variable(name);
    if (value.empty()) continue;
    found.values += (found.values.empty() ? "" : " ") + std::string(name) + "=" + value;
    found.unset += (found.unset.empty() ? "unset " : " ") + std::string(name);
  }
  return found;
}

}  // namespace

std::optional<Finding> CheckAllocator(const Survey& survey) {
  std::ifstream worker(survey.worker);
  if (!worker) {
    return Finding{Level::kCosts, "no worker program \"" + survey.worker + "\"",
                   "nothing can run without it", "consort-worker belongs beside consort"};
  }
  const std::string name = FileName(survey.worker);
  const std::string settings = survey.Variable("MALLOC_CONF");
  if (!FileHolds(survey.worker, "jemalloc")) {
    return Finding{Level::kCosts, name + " has glibc's allocator",
                   "it gives large blocks back to the kernel and faults them in again at every "
                   "forward",
                   survey.Variable("CONSORT_WORKER").empty() ? "build consort-worker with jemalloc"
                                                             : "unset CONSORT_WORKER"};
  }
  if (settings.empty()) return Finding{Level::kFine, name + " has jemalloc"};
  return Finding{Level::kNote, name + " has jemalloc, with MALLOC_CONF=" + settings,
                 "this changes the settings that were measured to be best", "unset MALLOC_CONF"};
}

std::optional<Finding> CheckPreload(const Survey& survey) {
  const std::string preload = survey.Variable("LD_PRELOAD");
  if (preload.empty()) return std::nullopt;
  const bool allocator =
      preload.find("malloc") != std::string::npos && preload.find("jemalloc") == std::string::npos;
  return Finding{allocator ? Level::kCosts : Level::kNote, "LD_PRELOAD=" + preload,
                 allocator ? "it takes the place of jemalloc in every worker"
                           : "it is loaded into every worker",
                 "unset LD_PRELOAD"};
}

std::optional<Finding> CheckInstructionLimits(const Survey& survey) {
  const auto limits = FindSet(
      survey, {"ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY",
               "MKL_ENABLE_INSTRUCTIONS", "MKL_DEBUG_CPU_TYPE", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"});
  if (!limits.values.empty()) {
    return Finding{Level::kCosts, limits.values,
                   "kernels are kept from using all that this CPU has; scores may differ in their "
                   "last digits, too",
                   limits.unset};
  }
  const auto talk = FindSet(survey, {"ONEDNN_VERBOSE", "DNNL_VERBOSE", "MKL_VERBOSE"});
  if (talk.values.empty()) return std::nullopt;
  return Finding{Level::kCosts, talk.values, "every kernel call writes a line", talk.unset};
}

std::optional<Finding> CheckThreadVariables(const Survey& survey) {
  const auto found =
      FindSet(survey, {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY", "OMP_PROC_BIND",
                       "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY", "KMP_BLOCKTIME",
                       "OMP_DYNAMIC", "MKL_DYNAMIC"});
  if (found.values.empty()) return Finding{Level::kFine, "no OMP_ or MKL_ variable is set"};
  return Finding{Level::kNote, found.values,
                 "an engine has one thread and a CPU of its own whatever they say; they count with "
                 "--intra"};
}

// Workers leave no core unless they are told to.
std::optional<Finding> CheckCores(const Survey& survey) {
  if (survey.Variable("CONSORT_CORE") != "1") return std::nullopt;
  const std::string pattern = survey.Line("/proc/sys/kernel/core_pattern");
  if (pattern.starts_with('|')) {
    return Finding{Level::kNote, "a crash is handed to " + pattern.substr(1, pattern.find(' ') - 1),
                   "a crashed worker is replaced only when that has read its memory; the weights "
                   "are left out",
                   "unset CONSORT_CORE"};
  }
  if (survey.core_bytes == 0) return std::nullopt;
  return Finding{
      Level::kNote, "a crash writes a core file (" + pattern + ")",
      "a crashed worker is replaced only when its memory is on the disk; the weights are "
      "left out",
      "unset CONSORT_CORE"};
}

std::optional<Finding> CheckBundle(const Survey& survey) {
  if (!survey.bundle) return std::nullopt;
  const auto& prepared = survey.bundle->manifest.prepared;
  if (const auto cpu = ReadCpuIdentity(survey.root + "/proc/cpuinfo")) {
    if (const auto status = CheckBuiltFor(*survey.bundle, cpu.value()); !status) {
      return Finding{Level::kCosts, status.error().what, "\"consort run\" refuses it",
                     status.error().hint};
    }
  }
  const std::string weights =
      Bytes(survey.bundle->weights.bytes) + " of weights, " + prepared.precision;
  switch (prepared.backend) {
    case Prepared::Backend::kNull:
    case Prepared::Backend::kCheck:
      return Finding{Level::kFine, "made-up results, no model"};
    case Prepared::Backend::kTorchScript:
      return Finding{Level::kNote, weights + ", TorchScript",
                     "a model that consort-prepare can compile is about twice as fast",
                     "consort-prepare MODEL -o BUNDLE  says why it could not"};
    case Prepared::Backend::kAoti:
      break;
  }
  return Finding{Level::kFine, weights + ", compiled"};
}

std::optional<Finding> CheckConfigHome(const Survey& survey) {
  const std::string ignored = IgnoredConfigHome(survey.Variable("XDG_CONFIG_HOME"));
  if (ignored.empty()) return std::nullopt;
  return Finding{Level::kNote, ignored,
                 "tuned profiles are looked for where they would be without it",
                 "export XDG_CONFIG_HOME=/an/absolute/path"};
}

}  // namespace consort
