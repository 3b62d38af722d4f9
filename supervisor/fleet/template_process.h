// One running template, seen from the supervisor: its process, and the socket to it.
// A passive object: the fleet says when to read and when it is dead.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/base/unique_fd.h"
#include "shared/channel/template_link.h"

namespace consort {

struct TemplateCommand {
  std::string program;  // path of consort-worker
  std::string bundle;
  std::string bundle_sha256;  // what it must still be when a template starts
  int arena_fd = -1;          // inherited; -1: none
  int tags_fd = -1;           // inherited: what of the scores becomes tags; -1: as the bundle says
  int check_rate = 0;  // its workers open files and do no more (--check); 0: they run a model
  int intra = 1;
  int engines = 1;         // of each of its workers
  bool become = false;     // the process becomes the one worker (--no-template)
  std::vector<int> cpus;   // the node's; empty: leave the affinity alone
  size_t descriptors = 0;  // its soft limit of open ones, and its workers'; 0: as ours
};

class TemplateProcess {
 public:
  static Result<TemplateProcess> Start(const TemplateCommand& command);

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }
  int socket() const { return socket_.get(); }

  // Never waits: fails when the template has not read what it was sent before.
  // `output_fd`: what is to become its standard output and error.
  Status RequestFork(uint64_t worker, int channel_fd, int wake_fd, int output_fd);
  // The next message, if there is one.
  Result<std::optional<ReceivedMessage>> Receive(bool& closed);
  void Kill();
  bool killed() const { return killed_; }  // by Kill

 private:
  TemplateProcess() = default;
  bool killed_ = false;
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd socket_;
};

}  // namespace consort
