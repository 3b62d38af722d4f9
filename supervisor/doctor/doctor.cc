#include "supervisor/doctor/doctor.h"

#include <cstdio>

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
  std::fwrite(report.data(), 1, report.size(), stdout);
  if (std::fflush(stdout) != 0) return kFailed;
  return CostsSpeed(findings) ? kSomeFailed : kDone;
}

}  // namespace consort
