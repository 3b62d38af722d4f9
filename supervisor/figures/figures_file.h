// The file that a program reads: made beside and renamed, so that it is there in whole or not at
// all.
#pragma once

#include <string>
#include <string_view>

#include "shared/base/result.h"

namespace consort {

// Before anything takes time: what would keep WriteFigures from putting a file there. An existing
// one has to be one of figures: a slip of the finger costs no recording.
Status CheckFiguresFile(const std::string& path);

// There is a file, with something in it.
bool HasFigures(const std::string& path);

Status WriteFigures(const std::string& path, std::string_view json);

}  // namespace consort
