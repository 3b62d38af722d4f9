#include "supervisor/main/exec_beside.h"

#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>

#include "supervisor/cli/exit_status.h"

namespace consort {

int ExecBeside(const std::string& name, const std::vector<std::string>& words) {
  char self[PATH_MAX] = {};
  const ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);
  const std::string own(self, size > 0 ? static_cast<size_t>(size) : 0);
  std::string path = own.substr(0, own.find_last_of('/') + 1) + name;
  std::vector<std::string> given = words;
  std::vector<char*> argv = {path.data()};
  for (std::string& word : given) argv.push_back(word.data());
  argv.push_back(nullptr);
  execv(path.c_str(), argv.data());
  std::fprintf(stderr, "consort: could not start \"%s\": %s; it belongs beside consort\n",
               path.c_str(), std::strerror(errno));
  return kFailed;
}

}  // namespace consort
