#include "shared/base/result.h"

#include <cstring>

namespace consort {

Error SystemError(const std::string& verb, const std::string& path, int errno_value) {
  std::string reason = std::strerror(errno_value);
  if (!reason.empty()) reason[0] = static_cast<char>(std::tolower(reason[0]));
  return Error{"could not " + verb + (path.empty() ? "" : " \"" + path + "\"") + ": " + reason};
}

}  // namespace consort
