// Commands that another program does, which lies beside this one.
#pragma once

#include <string>
#include <vector>

namespace consort {

// Becomes the program `name` of this program's own folder, with `words` as its arguments. Returns
// only if that is not possible: an exit status, after one sentence on standard error.
int ExecBeside(const std::string& name, const std::vector<std::string>& words);

}  // namespace consort
