// Whether two things are one file: the same inode.
#pragma once

#include <string>

namespace consort {

// What two paths lead to, links followed. False if either leads nowhere.
bool SameFile(const std::string& a, const std::string& b);
// Whether `path` still leads to what is open as `fd`.
bool SameFile(int fd, const std::string& path);

}  // namespace consort
