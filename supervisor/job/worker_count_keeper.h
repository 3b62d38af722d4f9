// Tries other numbers of workers while the job is under way, and keeps the best: slots of the fleet
// are opened and closed, and whoever is too many finishes its tasks first. It changes who works,
// never what comes out.
//
// What is tried when, and what is taken for better, is in supervisor/adapt/, as values; here it is
// done. Used by the loop's thread alone.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "shared/record/result.h"
#include "supervisor/adapt/worker_trials.h"
#include "supervisor/cli/options.h"
#include "supervisor/dispatch/dispatcher.h"
#include "supervisor/figures/figures.h"
#include "supervisor/figures/result_bursts.h"
#include "supervisor/fleet/fleet.h"
#include "supervisor/job/retiring_workers.h"

namespace consort {

// Whether a run with these options may look for another number of workers: neither -p nor -t is
// given (nor a tuned profile used, which stands for them), and it is no measurement.
bool MayTryWorkerCounts(const RunOptions& options);

class WorkerCountKeeper {
 public:
  // To the job.
  struct Say {
    std::function<void(const std::string&)> verbose;  // for those who asked
    // From now on there are so many. `warns`: it is bad news.
    std::function<void(int workers, const std::string& line, bool warns)> settled;
  };

  // The fleet's first slots are open, as many as `counts` has at the start; those up to the most
  // are closed. `batch`: segments of one forward. All references outlive this.
  WorkerCountKeeper(WorkerCounts counts, uint64_t batch, Fleet& fleet, const Dispatcher& dispatcher,
                    RetiringWorkers& retiring, Say say);

  bool trying() const { return !trials_.over(); }

  void Ready(const Worker& worker);
  // It has given a segment. Of no use but while trying().
  void Result(const Worker& worker, const SegmentTold& told, int64_t now_ns);
  // It is gone, and not since there were too many.
  void Lost() { trials_.Disturbed(); }
  void Tick(int64_t now_ns);
  // The job is being stopped: it stays as it is.
  void Stop() { trials_.Stop(); }
  // There is not enough memory, as `found` has it. True: more workers than at the start were at
  // work, and those are ended at once, before anybody is taken for the cause. A trial of fewer is
  // broken off, so that none of the start's workers is missing for it. Either way nothing more is
  // tried.
  bool GiveBack(const std::string& found);

  // What the figures have of it.
  WorkerTrialFigures Figures() const;

 private:
  void Apply();
  void TellEnd();

  WorkerTrials trials_;
  const uint64_t batch_;
  Fleet& fleet_;
  const Dispatcher& dispatcher_;
  RetiringWorkers& retiring_;
  const Say say_;
  int applied_;  // slots that are open, the first ones
  bool told_ = false;
  int64_t ended_ns_ = 0;
  std::vector<ResultBursts> bursts_;  // by slot, of its one engine
};

}  // namespace consort
