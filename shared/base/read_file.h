// All that a small file holds: a manifest, a profile, what the kernel tells in /proc.
//
// Waits for nobody: what is no regular file, such as a FIFO, is an error, and so is one of more
// than `most_bytes`.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "shared/base/result.h"

namespace consort {

inline constexpr size_t kMostOfSmallFile = 64 << 20;

Result<std::string> ReadFile(const std::string& path, size_t most_bytes = kMostOfSmallFile);

// nullopt: there is no such file.
Result<std::optional<std::string>> ReadFileIfThere(const std::string& path,
                                                   size_t most_bytes = kMostOfSmallFile);

// Empty if it cannot be read, for whatever reason.
std::string ReadFileOrNothing(const std::string& path);

}  // namespace consort
