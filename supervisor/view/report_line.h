// A line of what a command tells at its end: what it is, and in a column of its own how much.
#pragma once

#include <string>
#include <string_view>

namespace consort {

// At least one blank stands between the two.
std::string ReportLine(std::string_view what, const std::string& text);

}  // namespace consort
