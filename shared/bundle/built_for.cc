#include "shared/bundle/built_for.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

namespace consort {
namespace {

// As CPU_FLAGS of consort-prepare: what oneDNN and the compiler choose by.
constexpr std::array kKnownFlags = {"avx2",        "fma",      "avx512f",     "avx512bw",
                                    "avx512vl",    "avx_vnni", "avx512_vnni", "avx512_bf16",
                                    "avx512_fp16", "amx_tile", "amx_bf16",    "amx_int8"};

// Those of `all` that are not in `some`, with commas; empty if there is none.
std::string Without(const std::vector<std::string>& all, const std::vector<std::string>& some) {
  std::string names;
  for (const auto& name : all) {
    if (std::find(some.begin(), some.end(), name) == some.end()) {
      names += (names.empty() ? "" : ", ") + name;
    }
  }
  return names;
}

std::string Trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string Named(const std::string& model) { return model.empty() ? "" : " (" + model + ")"; }

// What makes the same bundle, not the one that consort-prepare makes by itself.
std::string Options(const Prepared& prepared) {
  std::string options;
  if (!prepared.post_name.empty()) options += " --post " + prepared.post_name;
  if (prepared.precision != "fp32") options += " --precision " + prepared.precision;
  if (prepared.precision == "int8") options += " --calibrate AUDIO";
  if (prepared.batch > 1) options += " --batch " + std::to_string(prepared.batch);
  if (prepared.cpu.portable) options += " --portable";
  return options;
}

Error MadeFor(const Bundle& bundle, const std::string& what) {
  const Prepared& prepared = bundle.manifest.prepared;
  return Error{"bundle \"" + bundle.folder + "\": " + what,
               "make the bundle again on this machine: consort-prepare " +
                   (prepared.source_name.empty() ? "MODEL" : prepared.source_name) + " -o " +
                   bundle.folder + Options(prepared)};
}

}  // namespace

Result<CpuIdentity> ReadCpuIdentity(const std::string& path) {
  errno = 0;
  std::ifstream in(path);
  if (!in) return SystemError("open", path, errno);
  CpuIdentity cpu;
  for (std::string line; std::getline(in, line) && !line.empty();) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string key = Trimmed(line.substr(0, colon));
    const std::string value = Trimmed(line.substr(colon + 1));
    if (key == "model name") cpu.model = value;
    if (key != "flags" && key != "Features") continue;
    std::istringstream words(value);
    const std::set<std::string> all{std::istream_iterator<std::string>(words), {}};
    for (const char* flag : kKnownFlags) {
      if (all.contains(flag)) cpu.flags.push_back(flag);
    }
  }
  return cpu;
}

Status CheckBuiltFor(const Bundle& bundle, const CpuIdentity& cpu,
                     const std::string& torch_version) {
  const Prepared& prepared = bundle.manifest.prepared;
  if (prepared.backend != Prepared::Backend::kAoti) return Ok();
  const std::string here = "this machine's CPU" + Named(cpu.model);
  if (const auto missing = Without(prepared.cpu.flags, cpu.flags); !missing.empty()) {
    return MadeFor(bundle, "it was made for a CPU" + Named(prepared.cpu.model) + " with " +
                               missing + ", which " + here + " does not have");
  }
  if (const auto more = Without(cpu.flags, prepared.cpu.flags);
      !prepared.cpu.portable && !more.empty()) {
    return MadeFor(bundle, "it was made for a CPU" + Named(prepared.cpu.model) + " without " +
                               more + ", which " + here + " has: its weights are packed otherwise");
  }
  if (!torch_version.empty() && torch_version != prepared.torch_version) {
    return MadeFor(bundle, "it was made with LibTorch " +
                               (prepared.torch_version.empty() ? "of an unknown version"
                                                               : prepared.torch_version) +
                               ", but this program has LibTorch " + torch_version);
  }
  return Ok();
}

}  // namespace consort
