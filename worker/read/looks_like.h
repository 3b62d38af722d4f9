// What a file that no decoder knows looks like, for the message about it.
#pragma once

#include <string>

namespace consort {

// From its first bytes: " (looks like text)", or empty.
std::string LooksLike(int fd);

}  // namespace consort
