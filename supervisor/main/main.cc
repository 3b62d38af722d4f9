// The program `consort`.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <new>

#include "supervisor/check/check.h"
#include "supervisor/cli/exit_status.h"
#include "supervisor/cli/options.h"
#include "supervisor/doctor/doctor.h"
#include "supervisor/export/export_command.h"
#include "supervisor/job/job.h"
#include "supervisor/journal/job_status.h"
#include "supervisor/main/exec_beside.h"
#include "supervisor/main/last_words.h"
#include "supervisor/tune/tune.h"

namespace {

// A descriptor of ours must never get the number of a standard stream that the caller closed. Read
// only, so that results for a closed standard output are an error and not lost.
void FillStandardStreams() {
  int fd = open("/dev/null", O_RDONLY);
  while (fd >= 0 && fd <= 2) fd = open("/dev/null", O_RDONLY);
  if (fd > 2) close(fd);
}

int Obey(int argc, char** argv) {
  const auto command = consort::ParseCommandLine(argc, argv);
  if (command.kind == consort::ParsedCommand::Kind::kExit) return command.exit_status;
  if (command.kind == consort::ParsedCommand::Kind::kStatus) {
    const auto shown = consort::ShowStatus(command.status.path, command.status.json);
    if (shown) return consort::kDone;
    std::fprintf(stderr, "consort: %s\n", shown.error().Sentence().c_str());
    return consort::kFailed;
  }
  if (command.kind == consort::ParsedCommand::Kind::kExport) {
    return consort::RunExport(command.exports);
  }
  if (command.kind == consort::ParsedCommand::Kind::kDoctor) {
    return consort::RunDoctor(command.doctor);
  }
  if (command.kind == consort::ParsedCommand::Kind::kTune) return consort::RunTune(command.tune);
  if (command.kind == consort::ParsedCommand::Kind::kCheck) return consort::RunCheck(command.check);
  if (command.kind == consort::ParsedCommand::Kind::kCompare) {
    return consort::ExecBeside("consort-compare", command.words);
  }
  if (command.kind == consort::ParsedCommand::Kind::kModels) {
    return consort::ExecBeside("consort-models", command.words);
  }
  return consort::RunJob(command.run);
}

}  // namespace

int main(int argc, char** argv) {
  FillStandardStreams();
  consort::TellOfFatalSignals();
  try {
    return Obey(argc, argv);
  } catch (const std::bad_alloc&) {  // thrown for a library in C; C++ goes there by itself
    consort::EndForWantOfMemory();
  } catch (const std::exception& error) {
    // A library's, e.g. no thread to be had. What counts is in the journal.
    std::fprintf(stderr, "consort: could not go on: %s\n", error.what());
    return consort::kFailed;
  }
}
