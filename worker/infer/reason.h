// What a library's exception says, in one line.
#pragma once

#include <exception>
#include <string>

namespace consort {

// TorchScript's messages begin with a traceback and have the reason last; LibTorch's have it first
// and a backtrace after it.
std::string Reason(const std::exception& trouble);

// Memory ran out, which is the machine's fault and not the input's.
bool IsOutOfMemory(const std::exception& trouble);

}  // namespace consort
