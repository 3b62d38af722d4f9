// From a line of the results to its values.
#pragma once

#include <string>
#include <string_view>

#include "shared/base/result.h"
#include "supervisor/formats/result_line.h"

namespace consort {

// `line` is without its line feed, and stays where it is as long as `to.raw` is used. Nothing is
// tolerated that consort does not write: the error says what is wrong, and not in which line.
Status ParseResultLine(std::string_view line, ResultLine& to);

}  // namespace consort
