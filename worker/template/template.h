// The template: a worker that has done everything up to its first task, and forks on request.
//
// The fork rule. A child gets the template's memory but only its one thread: a lock held, or a
// thread pool started, by another thread would be broken in it for good. So the template stays
// single-threaded (checked before each fork), opens no parallel region, and holds no lock when it
// forks. What a fork clears or inherits is set anew in the child: parent-death signal, signal
// mask, name, descriptors.
#pragma once

#include <sys/types.h>

#include "shared/base/unique_fd.h"
#include "worker/engine/pipeline.h"

namespace consort {

struct TemplateLife {
  UniqueFd control;      // SOCK_SEQPACKET to the supervisor (shared/channel/template_link.h)
  pid_t supervisor = 0;  // must be our parent
  int intra = 1;
  bool become = false;  // do not fork: the first request makes this process the worker
  PipelineFactory* factory = nullptr;
};

// Parent-death signal set and checked; own process group; name. First thing in the program.
Status TieToParent(pid_t parent, const char* name);

// Says kReady, then serves requests until the supervisor is gone. Never returns.
[[noreturn]] void LiveAsTemplate(TemplateLife life);

// Tells the supervisor why there will be no template, and exits.
[[noreturn]] void FailAsTemplate(int control, const Error& error);

}  // namespace consort
