// The processes of a job: a template a node, the workers forked from it, and their deaths.
//
// The supervisor never leans on what a dying process may have broken: it waits for no worker,
// takes no lock in shared memory, and believes no length it reads there. A dead worker is replaced
// by a fork of its template, a dead template by a new start; its workers died with it.
//
// Order at a death, always: reaped → its result rings drained → its tasks handed out again.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/channel/channel.h"
#include "shared/channel/dump_request.h"
#include "supervisor/fleet/death.h"
#include "supervisor/fleet/start_limit.h"
#include "supervisor/fleet/template_process.h"
#include "supervisor/fleet/worker_life.h"
#include "supervisor/fleet/worker_output.h"
#include "supervisor/loop/event_loop.h"

namespace consort {

// Where a worker runs.
struct FleetSlot {
  int node = 0;           // index in FleetPlan::nodes
  std::vector<int> cpus;  // one an engine; -1: any
  bool closed = false;    // nobody is in it until it is opened
};

struct FleetNode {
  TemplateCommand command;
};

struct FleetPlan {
  std::vector<FleetNode> nodes;
  std::vector<FleetSlot> slots;  // one a worker, those that are closed at first among them
};

class Worker;

// What the job does about it. Called from the loop's handlers.
class FleetEvents {
 public:
  virtual ~FleetEvents() = default;
  virtual void WorkerReady(Worker& worker) = 0;
  virtual void WorkerWoke(Worker& worker) = 0;  // its result rings may hold something
  // A line that it, or its model, wrote to standard output or error. All of them come before
  // WorkerGone.
  virtual void WorkerSaid(Worker& worker, std::string_view line) = 0;
  // SIGKILL is on its way to it. It may be long until it is gone: nothing ends in the middle of a
  // read that does not return.
  virtual void WorkerKilled(Worker& worker) = 0;
  // What a death really was: the kernel may have sent the SIGKILL, for memory. Asked once for each
  // process, before the two below.
  virtual Death Explained(const Death& death) = 0;
  // Reaped: it writes no more. Its channel is there until this returns.
  virtual void WorkerGone(Worker& worker, const Death& death) = 0;
  virtual void TemplateGone(const Death& death) = 0;
  // The kernel refused to make a worker, as `why` says; it is asked again. Told once.
  virtual void ForkRefused(const std::string& why) = 0;
  // Nothing becomes ready, or the model cannot be loaded: the job cannot be done.
  virtual void FleetFailed(const Error& error) = 0;
};

class Worker {
 public:
  uint64_t id() const { return id_; }
  pid_t pid() const { return pid_; }
  size_t slot() const { return slot_; }
  bool running() const { return state_ == WorkerState::kRunning; }
  bool killed() const { return killed_by_us_; }  // it is, or soon will be, gone
  const Channel& channel() const { return channel_; }
  Producer& tasks(uint32_t engine) { return tasks_[engine]; }
  Consumer& results(uint32_t engine) { return results_[engine]; }
  uint32_t engines() const { return channel_.engine_count(); }
  const WorkerOutput& output() const { return output_; }
  // Asks for a stack dump; only of one that runs.
  void AskForDump(uint32_t engine) const { RequestDump(pidfd_.get(), engine); }

 private:
  friend class Fleet;
  Worker(uint64_t id, size_t slot, uint64_t template_id, Channel channel, UniqueFd wake,
         WorkerOutput output);

  uint64_t id_;
  size_t slot_;
  uint64_t template_id_;
  WorkerState state_ = WorkerState::kRequested;
  Channel channel_;
  UniqueFd wake_;
  WorkerOutput output_;
  UniqueFd pidfd_;
  pid_t pid_ = -1;
  bool killed_by_us_ = false;
  Offence offence_ = Offence::kBrokeProtocol;
  std::string killed_why_;
  bool retired_ = false;
  bool bystander_ = false;  // ended by us, or with its template, for nothing that it did
  bool was_ready_ = false;
  bool is_template_ = false;  // --no-template: one process
  int64_t requested_ns_ = 0;
  int64_t dying_since_ns_ = 0;
  std::vector<Producer> tasks_;
  std::vector<Consumer> results_;
};

class Fleet {
 public:
  Fleet(FleetPlan plan, EventLoop& loop, FleetEvents& events);
  ~Fleet();

  Status Start();
  // From the loop's SIGCHLD handler.
  void ChildDied();
  // From the loop's timer: starts that were put off, templates that do not answer.
  void Tick(int64_t now_ns);
  // When Tick wants to be called next at the latest; nullopt: no hurry.
  std::optional<int64_t> NextTickNs() const;
  // There is no work for new workers any more: who goes is not replaced.
  void Drain() { draining_ = true; }
  // `why` tells it with what was measured ("used 3.00 GiB of memory").
  void Kill(Worker& worker, Offence offence = Offence::kBrokeProtocol, std::string why = {});
  // Ends a worker for nothing that it did, as a rule once it has nothing in hand; another takes its
  // place, unless its slot is closed.
  void Retire(Worker& worker);
  // Whoever is in that slot is the last one. With the last of a node's workers its template ends.
  void CloseSlot(size_t slot);
  // There is to be a worker again, once whoever is still in it is gone; its node's template is
  // started if need be.
  void OpenSlot(size_t slot);
  // Kills all and waits until no process is left (at most about a second). Nothing is announced.
  void End();

  int workers_alive() const;
  // Slots that are not closed.
  int workers_wanted() const;
  // Null if it does not run.
  Worker* FindRunning(uint64_t id);
  std::vector<pid_t> TemplatePids() const;
  template <typename Do>
  void ForEachRunning(Do&& act) {
    for (auto& [id, worker] : workers_) {
      if (worker->running()) act(*worker);
    }
  }

 private:
  struct Template {
    uint64_t id = 0;
    size_t node = 0;
    TemplateProcess process;
    bool ready = false;
    int asked = 0;         // requests without an answer
    int64_t asked_ns = 0;  // since when the oldest waits
    bool retired = false;  // its node has no slot left
  };

  void StartTemplate(size_t node);
  void FillSlots();
  // False: not now.
  bool RequestWorker(size_t slot, Template& from);
  void ReadTemplate(uint64_t template_id);
  void HandleMessage(Template& from, ReceivedMessage& received);
  void Forked(Template& from, ReceivedMessage& received);
  void TemplateDied(uint64_t template_id, int wait_status);
  void Step(Worker& worker, WorkerEvent event, const Death& death = {});
  void FindStatus(Worker& worker);
  void Bury(Worker& worker, const Death& death);
  void WakeFired(uint64_t worker_id);
  void ReadOutput(uint64_t worker_id);
  void ReadRestOfOutput(Worker& worker);
  void NotForked(Template& from, const ReceivedMessage& received);
  // `what` is the beginning of a sentence: "a worker was ended by SIGSEGV".
  void EndedUnready(const Death& death, const std::string& what);
  void ReapStrays();
  bool IsOverdue(const Worker& worker, int64_t now_ns) const;
  void RetireIdleTemplate(size_t node);
  void ForgetAges(int64_t now_ns);
  bool AllDead() const;
  Worker* FindWorker(uint64_t id);
  Template* FindTemplate(uint64_t id);

  FleetPlan plan_;
  EventLoop& loop_;
  FleetEvents& events_;
  uint64_t next_id_ = 1;
  std::map<uint64_t, std::unique_ptr<Template>> templates_;
  std::map<uint64_t, std::unique_ptr<Worker>> workers_;
  std::vector<uint64_t> slot_worker_;  // worker id of each slot, 0: empty
  std::vector<bool> slot_closed_;
  std::vector<int> node_slots_;          // of each node, that are not closed
  std::vector<uint64_t> node_template_;  // template id of each node, 0: none
  StartLimit limit_;
  int64_t not_before_ns_ = 0;  // starts are put off until then
  int64_t last_tick_ns_ = 0;
  bool ending_ = false;
  bool draining_ = false;
  bool failed_ = false;
  bool told_of_refusal_ = false;
};

}  // namespace consort
