#include "supervisor/view/report_line.h"

#include <algorithm>

namespace consort {

std::string ReportLine(std::string_view what, const std::string& text) {
  constexpr size_t kColumns = 12;
  std::string line(what);
  line.resize(std::max(kColumns, what.size() + 1), ' ');
  return line + text + '\n';
}

}  // namespace consort
