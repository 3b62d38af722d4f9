// Whether a bundle's compiled code may run here.
//
// Code of the backend "aoti" is for the CPU and the LibTorch that it was made with: its kernels use
// that CPU's instructions, and packed weights lie as oneDNN wants them on such a CPU. More
// instructions are as wrong as fewer: then another layout is wanted. A portable bundle says what it
// needs and runs on more. The other backends run anywhere.
#pragma once

#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/bundle/bundle.h"

namespace consort {

struct CpuIdentity {
  std::string model;               // "AMD EPYC 9B14", for people
  std::vector<std::string> flags;  // the kernel's names; only those that kernels are chosen by
};

// Of the first processor. `path` is /proc/cpuinfo but in tests.
Result<CpuIdentity> ReadCpuIdentity(const std::string& path = "/proc/cpuinfo");

// An error says what the bundle was made for, what this machine is, and the command that makes it
// anew. To be asked before any of the bundle's code is opened. `torch_version` is empty in a
// program without LibTorch.
Status CheckBuiltFor(const Bundle& bundle, const CpuIdentity& cpu,
                     const std::string& torch_version = {});

}  // namespace consort
