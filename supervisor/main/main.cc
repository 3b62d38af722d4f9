// The program `consort`.
#include "supervisor/cli/options.h"
#include "supervisor/job/job.h"

int main(int argc, char** argv) {
  const auto command = consort::ParseCommandLine(argc, argv);
  if (command.kind == consort::ParsedCommand::Kind::kExit) return command.exit_status;
  return consort::RunJob(command.run);
}
