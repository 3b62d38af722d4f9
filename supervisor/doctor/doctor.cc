#include "supervisor/doctor/doctor.h"

#include <unistd.h>

#include <cstdio>

#include "shared/base/write_all.h"
#include "supervisor/cli/exit_status.h"
#include "supervisor/doctor/checks.h"
#include "supervisor/doctor/report.h"
#include "supervisor/doctor/survey.h"

namespace consort {

int RunDoctor(const DoctorOptions& options) {
  const auto survey = TakeSurvey(options.bundle);
  if (!survey) {
    std::fprintf(stderr, "consort: %s\n", survey.error().Sentence().c_str());
    return kFailed;
  }
  const auto findings = Examine(survey.value());
  const std::string report =
      options.json ? JsonReport(survey.value(), findings) : TextReport(survey.value(), findings);
  if (const auto told = WriteAll(STDOUT_FILENO, report, "standard output"); !told) {
    std::fprintf(stderr, "consort: %s\n", told.error().Sentence().c_str());
    return kFailed;
  }
  return CostsSpeed(findings) ? kSomeFailed : kDone;
}

}  // namespace consort
