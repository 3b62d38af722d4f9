// The loop itself: events in, tasks out.
//
//   worker's eventfd ─▶ drain its result rings ─▶ dispatcher ─▶ recorder ─▶ results
//                                    dispatcher ─▶ task rings ─▶ wake engines
//   template's socket, pidfds, SIGCHLD ─▶ fleet ─▶ (a death) drain, hand out again, fork
//   SIGINT, SIGTERM ─▶ drain: what is in flight ends, but for what would only be done again for a
//                      model's state; a second one stops at once
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "shared/bundle/bundle.h"
#include "supervisor/cli/options.h"
#include "supervisor/collect/result_reader.h"
#include "supervisor/dispatch/dispatcher.h"
#include "supervisor/figures/run_figures.h"
#include "supervisor/fleet/fleet.h"
#include "supervisor/job/checkpoint.h"
#include "supervisor/job/hang_watch.h"
#include "supervisor/job/job_output.h"
#include "supervisor/job/memory_keeper.h"
#include "supervisor/job/plan_fleet.h"
#include "supervisor/job/recorder.h"
#include "supervisor/job/retiring_workers.h"
#include "supervisor/job/slot_trace.h"
#include "supervisor/job/wake_net.h"
#include "supervisor/job/worker_count_keeper.h"
#include "supervisor/job/worker_words.h"
#include "supervisor/loop/event_loop.h"
#include "supervisor/view/status_line.h"
#include "supervisor/view/summary.h"

namespace consort {

class JobLoop : public FleetEvents {
 public:
  // All references outlive the loop.
  JobLoop(const RunOptions& options, const Bundle& bundle, FileList& list, JobOutput& output,
          Progress& progress);
  ~JobLoop() override;

  // Before Run. The journal and what it says; it outlives the loop, and so does the recorder, which
  // is the loop's output.
  Status Resume(const ResumePoint& point) { return dispatcher_.Resume(point); }
  void KeepJournal(Journal& journal, Recorder& recorder) {
    checkpoint_ = std::make_unique<Checkpoint>(journal, recorder, dispatcher_);
  }

  // Before Run. The words of workers go to `folder`/log, too.
  void KeepLog(const std::string& folder) { words_.KeepLog(folder); }

  // Before Run. Told of what happens; null: nobody wants figures. They outlive the loop.
  void TakeFigures(RunFigures* figures) { figures_ = figures; }

  // The exit status, or why the job could not be done. No process is left afterwards.
  Result<int> Run(JobFleet fleet);

  // The first signal that asked for the end, or 0. What was in flight then may have been the last.
  int stop_signal() const { return stop_signal_; }

  // All that was to be measured is: it was stopped on purpose.
  bool measured() const { return measured_; }

  JobView View() const;
  JobSummary Summary() const;

 private:
  void WorkerReady(Worker& worker) override;
  void WorkerWoke(Worker& worker) override;
  void WorkerSaid(Worker& worker, std::string_view line) override;
  void WorkerKilled(Worker& worker) override;
  Death Explained(const Death& death) override;
  void WorkerGone(Worker& worker, const Death& death) override;
  void TemplateGone(const Death& death) override;
  void ForkRefused(const std::string& why) override;
  void FleetFailed(const Error& error) override;

  Status WatchSignals();
  void OnSignals();
  void EndCatchUps();
  Result<int> Loop();
  Result<int> Finish();
  // Takes up to `most` records from each engine. False: the worker broke the protocol.
  bool DrainRings(Worker& worker, size_t most, size_t& taken);
  bool DrainRing(Worker& worker, uint32_t engine, size_t most, size_t& taken);
  void ServeHot();
  void MakeMemoryKeeper(TreeLimit limit);
  void MakeCountKeeper(const WorkerCounts& counts);
  void BeginFigures(const JobFleet& fleet);
  void MaybeEndMeasuring();
  void EndFigures();
  // The record that was taken from an engine's ring just now.
  void CountFigures(const Worker& worker, uint32_t engine, uint32_t type);
  void SeeTotals();
  void DispatchAll();
  void Dispatch(Worker& worker);
  void Tick();
  void CheckFailures();
  void TellUnfinished();
  void Check(const Status& status);
  void Verbose(const std::string& line);
  void CountLostWakeUps(const Worker& worker);

  const RunOptions& options_;
  const Bundle& bundle_;
  FileList& list_;
  JobOutput& output_;
  Progress& progress_;
  WorkerWords words_;
  Dispatcher dispatcher_;
  RunFigures* figures_ = nullptr;
  uint64_t figures_segments_ = 0;           // done when they last heard of one
  double figures_audio_s_ = 0;              // likewise
  std::unique_ptr<Checkpoint> checkpoint_;  // none: nobody keeps a journal
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<Fleet> fleet_;
  RetiringWorkers retiring_{dispatcher_};
  std::unique_ptr<MemoryKeeper> memory_;
  std::unique_ptr<WorkerCountKeeper> counts_;  // none: nothing else than the start is to be tried
  UniqueFd signals_;
  HangWatch hangs_;
  SlotTrace trace_;
  Split split_;

  std::set<uint64_t> hot_;  // workers whose rings are being looked at without waiting
  WakeNet net_;
  uint64_t engines_lost_wakeups_ = 0;
  bool hand_out_ = false;         // something changed that may give an engine work
  std::optional<Error> failure_;  // ends the job
  int stop_signal_ = 0;           // the first one that came
  bool stop_now_ = false;         // the second, or all is measured
  bool measured_ = false;
  int64_t started_ns_ = 0;
  int64_t next_tick_ns_ = 0;
  JobSummary::Restarts workers_restarted_;
  JobSummary::Restarts templates_restarted_;
  int64_t peak_pss_bytes_ = 0;
  std::vector<uint8_t> task_bytes_;
  ResultReader reader_;
};

}  // namespace consort
