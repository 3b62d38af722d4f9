// A file that others may read at any moment: written beside and renamed, so that what they find is
// the old one or the new one, in whole.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "shared/base/result.h"

namespace consort {

enum class Durable {
  kNo,   // after a power cut it may be the old one, or empty
  kYes,  // the new one, under its name, is on the disk
};

// Puts the content into a descriptor.
using WriteContent = std::function<Status(int fd)>;

// `beside`: a path in the same folder, that nobody else writes to meanwhile; what a killed process
// left there is written over. Gone afterwards, whatever happens. `path` is replaced, be it a link.
Status ReplaceFile(const std::string& path, const std::string& beside, Durable durable,
                   const WriteContent& write);
Status ReplaceFile(const std::string& path, const std::string& beside, Durable durable,
                   std::string_view content);

}  // namespace consort
