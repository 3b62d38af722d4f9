// A file that names labels of a model, one a line, as labels.txt of a bundle does.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"
#include "shared/bundle/bundle.h"

namespace consort {

struct LabelLine {
  std::string text;
  size_t line = 0;  // from 1
};

// A BOM, CRLF and blank lines are tolerated; no line at all is none. `wanted` is what to do if
// there is no such file: "--x takes a file with one label a line".
Result<std::vector<LabelLine>> ReadLabelLines(const std::string& path, const std::string& wanted);

// `line 3 of "path"`
std::string LineOf(const LabelLine& line, const std::string& path);

// The places of labels among a model's scores. Several may have one name.
class LabelIndex {
 public:
  // The bundle outlives it.
  explicit LabelIndex(const Bundle& bundle);

  // At least one. None is an error that has the place in the file, and what was meant.
  Result<std::vector<size_t>> Find(std::string_view label, const LabelLine& line,
                                   const std::string& path) const;

 private:
  const Bundle& bundle_;
  std::map<std::string, std::vector<size_t>, std::less<>> places_;
};

}  // namespace consort
