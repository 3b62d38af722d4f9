// The labels of a model's outputs: a text file, one label a line, in the order of the scores.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shared/base/result.h"

namespace consort {

// `text` is the file's content, UTF-8; `path` is for messages. A BOM, CRLF, and blank lines at the
// end are tolerated; a blank line before the end is an error, since it would shift the labels.
Result<std::vector<std::string>> ParseLabels(const std::string& text, const std::string& path);

// Of each label, how many stand before it in the order of labels' bytes; equal ones keep theirs.
std::vector<uint32_t> RanksByBytes(const std::vector<std::string>& labels);

}  // namespace consort
