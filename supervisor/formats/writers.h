// The writers, one a file.
#pragma once

#include <memory>

#include "supervisor/formats/format.h"

namespace consort {

std::unique_ptr<FormatWriter> MakeJsonLines(Scope scope);
std::unique_ptr<FormatWriter> MakeCsv(Scope scope);
std::unique_ptr<FormatWriter> MakeRaven(Scope scope);
std::unique_ptr<FormatWriter> MakeAudacity(Scope scope);
std::unique_ptr<FormatWriter> MakeRttm(Scope scope);
std::unique_ptr<FormatWriter> MakeCtm(Scope scope);
std::unique_ptr<FormatWriter> MakeSrt(Scope scope);
std::unique_ptr<FormatWriter> MakeWebVtt(Scope scope);

}  // namespace consort
