// Slots that are closed and opened while the fleet is at work, and starts that come to nothing:
// with real processes, the null worker's and some that only pretend.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "bundle_folder.h"
#include "shared/base/clock.h"
#include "shared/bundle/bundle.h"
#include "shared/channel/template_link.h"
#include "supervisor/fleet/fleet.h"

namespace consort {
namespace {

constexpr int64_t kPatienceNs = 20'000'000'000;

void WriteNullBundle(BundleFolder& folder) {
  folder.Write("labels.txt", "a\n");
  nlohmann::json manifest = GoodManifest();
  manifest["features"] = {{"kind", "waveform"}};
  manifest["prepared"] = {{"backend", "null"}, {"precision", "fp32"}, {"torch", ""}};
  manifest["prepared"]["files"]["labels.txt"] = {
      {"sha256", Sha256OfFile(folder.File("labels.txt")).value()}, {"bytes", 2}};
  folder.Write("model.json", manifest.dump());
}

// A template that answers each request for a worker as `answer` says, in Python.
std::string PretendedTemplate(const std::string& answer) {
  return "#!/usr/bin/env python3\nimport os, socket, struct, time\nVERSION = " +
         std::to_string(kTemplateLinkVersion) + R"(
link = socket.socket(fileno=3)
READY, FORKED, EXITED, NOT_FORKED = 2, 3, 4, 6
def say(what, worker=0, pid=0, status=0, text=b"", fds=()):
    message = struct.pack("<IIQii1000s", VERSION, what, worker, pid, status, text)
    socket.send_fds(link, [message], fds)
say(READY)
while True:
    message, fds, _, _ = socket.recv_fds(link, 1024, 3)
    if not message:
        break
    worker = struct.unpack_from("<Q", message, 8)[0]
)" + answer;
}

// Its worker says a word and never becomes ready.
constexpr char kForksOneThatLoadsForEver[] = R"(
    pid = os.fork()
    if pid == 0:
        link.close()
        os.write(fds[2], b"loading\n")
        time.sleep(60)
        os._exit(0)
    say(FORKED, worker, pid, fds=[os.pidfd_open(pid)])
    say(EXITED, worker, pid, os.waitpid(pid, 0)[1])
)";

class FleetSlots : public testing::Test, public FleetEvents {
 protected:
  FleetSlots() {
    WriteNullBundle(folder_);
    auto bundle = LoadBundle(folder_.path());
    if (!bundle) ADD_FAILURE() << bundle.error().Sentence();
    command_.program = CONSORT_WORKER_NULL;
    command_.bundle = folder_.path();
    if (bundle) command_.bundle_sha256 = bundle.value().sha256;
  }

  // Who is ended may still have something to say.
  void TearDown() override { fleet_.reset(); }

  // `slots`: of which node each is, and whether it is closed at first.
  void Start(int nodes, const std::vector<std::pair<int, bool>>& slots) {
    FleetPlan plan;
    for (int node = 0; node < nodes; ++node) plan.nodes.push_back({command_});
    for (const auto& [node, closed] : slots) {
      plan.slots.push_back({.node = node, .cpus = {-1}, .closed = closed});
    }
    loop_ = std::make_unique<EventLoop>(EventLoop::Make().value());
    fleet_ = std::make_unique<Fleet>(std::move(plan), *loop_, *this);
    ASSERT_TRUE(fleet_->Start());
  }

  // A program in place of the worker.
  void Pretend(const std::string& script) {
    folder_.Write("worker", script);
    command_.program = folder_.File("worker");
    std::filesystem::permissions(command_.program, std::filesystem::perms::owner_all);
  }
  // As if so much time had passed, without a pause that would mean that we were stopped.
  void Age(int64_t ms) {
    const int64_t now_ns = MonotonicNs();
    for (int64_t at = 0; at <= ms; at += 500) fleet_->Tick(now_ns + at * 1'000'000);
  }
  // The fleet fails.
  bool Fails() {
    may_fail_ = true;
    Until([] { return false; });
    return failed_;
  }

  // False: it did not become true, or the fleet failed.
  template <typename Condition>
  bool Until(Condition condition) {
    const int64_t end_ns = MonotonicNs() + kPatienceNs;
    while (!condition()) {
      if (failed_ || MonotonicNs() > end_ns) return false;
      if (!loop_->Wait(5)) return false;
      fleet_->ChildDied();
      fleet_->Tick(MonotonicNs());
    }
    return true;
  }
  void Pass(int64_t ms) {
    const int64_t end_ns = MonotonicNs() + ms * 1'000'000;
    Until([end_ns] { return MonotonicNs() > end_ns; });
  }

  // Slot → its worker, of those that run.
  std::map<size_t, pid_t> Running() {
    std::map<size_t, pid_t> found;
    fleet_->ForEachRunning([&](const Worker& it) { found[it.slot()] = it.pid(); });
    return found;
  }
  bool Run(const std::set<size_t>& slots) {
    return Until([&] {
      std::set<size_t> running;
      for (const auto& [slot, pid] : Running()) running.insert(slot);
      return running == slots;
    });
  }
  void Retire(size_t slot) {
    fleet_->ForEachRunning([&](Worker& it) {
      if (it.slot() == slot) fleet_->Retire(it);
    });
  }

  void WorkerReady(Worker&) override {}
  void WorkerWoke(Worker&) override {}
  void WorkerSaid(Worker&, std::string_view line) override { said_ = line; }
  void WorkerKilled(Worker&) override {}
  Death Explained(const Death& death) override {
    ++asked_why_;
    Death really = death;
    if (out_of_memory_ && death.cause == Death::Cause::kKilled && !death.accounted_for) {
      really.cause = Death::Cause::kOutOfMemory;
    }
    return really;
  }
  void WorkerGone(Worker&, const Death& death) override {
    deaths_.push_back(death.cause);
    last_death_ = death;
  }
  void TemplateGone(const Death& death) override { template_deaths_.push_back(death.cause); }
  void ForkRefused(const std::string& why) override { refused_.push_back(why); }
  void FleetFailed(const Error& error) override {
    failed_ = true;
    failure_ = error.Sentence();
    if (!may_fail_) ADD_FAILURE() << failure_;
  }

  BundleFolder folder_;
  TemplateCommand command_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<Fleet> fleet_;
  std::vector<Death::Cause> deaths_;
  std::vector<Death::Cause> template_deaths_;
  Death last_death_;  // of a worker
  std::string said_;
  std::vector<std::string> refused_;
  int asked_why_ = 0;
  bool out_of_memory_ = false;  // the kernel ends whoever is ended
  bool may_fail_ = false;
  bool failed_ = false;
  std::string failure_;
};

using Causes = std::vector<Death::Cause>;

TEST_F(FleetSlots, ThatAreClosedAtFirstStayEmptyUntilTheyAreOpened) {
  Start(2, {{0, false}, {0, true}, {1, true}});
  EXPECT_EQ(fleet_->workers_wanted(), 1);
  ASSERT_TRUE(Run({0}));
  Pass(100);
  EXPECT_EQ(Running().size(), 1U);
  EXPECT_EQ(fleet_->TemplatePids().size(), 1U) << "a node without a worker has no template";
  fleet_->OpenSlot(1);
  EXPECT_EQ(fleet_->workers_wanted(), 2);
  ASSERT_TRUE(Run({0, 1}));
  EXPECT_EQ(fleet_->TemplatePids().size(), 1U);
  fleet_->OpenSlot(2);
  ASSERT_TRUE(Run({0, 1, 2}));
  EXPECT_EQ(fleet_->TemplatePids().size(), 2U);
  EXPECT_EQ(fleet_->workers_wanted(), 3);
  EXPECT_TRUE(deaths_.empty());
}

TEST_F(FleetSlots, AreNotFilledAgainOnceClosedAndAreOnceOpened) {
  Start(1, {{0, false}, {0, false}});
  ASSERT_TRUE(Run({0, 1}));
  const pid_t stays = Running()[0];
  const pid_t goes = Running()[1];
  fleet_->CloseSlot(1);
  fleet_->CloseSlot(1);
  EXPECT_EQ(fleet_->workers_wanted(), 1);
  Pass(50);
  EXPECT_EQ(Running()[1], goes) << "it may finish what it has";
  Retire(1);
  ASSERT_TRUE(Run({0}));
  Pass(100);
  EXPECT_EQ(Running().size(), 1U);
  fleet_->OpenSlot(1);
  fleet_->OpenSlot(1);
  EXPECT_EQ(fleet_->workers_wanted(), 2);
  ASSERT_TRUE(Run({0, 1}));
  EXPECT_EQ(Running()[0], stays);
  EXPECT_NE(Running()[1], goes);
  EXPECT_EQ(deaths_, Causes{Death::Cause::kRetired});
  EXPECT_TRUE(template_deaths_.empty());
}

TEST_F(FleetSlots, ThatAreOpenedWhileTheLastOneIsStillThereAreFilledOnceItIsGone) {
  Start(1, {{0, false}, {0, false}});
  ASSERT_TRUE(Run({0, 1}));
  const pid_t goes = Running()[1];
  fleet_->CloseSlot(1);
  fleet_->OpenSlot(1);
  Pass(50);
  EXPECT_EQ(Running()[1], goes);
  Retire(1);
  ASSERT_TRUE(Until([&] { return Running().contains(1) && Running()[1] != goes; }));
}

TEST_F(FleetSlots, OfANodeThatWasGivenUpGetATemplateAgain) {
  Start(2, {{0, false}, {1, false}});
  ASSERT_TRUE(Run({0, 1}));
  const auto both = fleet_->TemplatePids();
  ASSERT_EQ(both.size(), 2U);
  fleet_->CloseSlot(1);
  Retire(1);
  ASSERT_TRUE(Until([&] { return fleet_->TemplatePids().size() == 1; }));
  EXPECT_EQ(template_deaths_, Causes{Death::Cause::kRetired});
  fleet_->OpenSlot(1);
  ASSERT_TRUE(Run({0, 1}));
  EXPECT_EQ(fleet_->TemplatePids().size(), 2U);
  // And at once, while the template is ending.
  fleet_->CloseSlot(1);
  Retire(1);
  ASSERT_TRUE(Until([&] { return deaths_.size() == 2; }));
  fleet_->OpenSlot(1);
  ASSERT_TRUE(Run({0, 1}));
  EXPECT_EQ(deaths_, (Causes{Death::Cause::kRetired, Death::Cause::kRetired}));
}

TEST_F(FleetSlots, ThatAreClosedKeepNobodyWhoIsKilled) {
  Start(1, {{0, false}, {0, false}});
  ASSERT_TRUE(Run({0, 1}));
  fleet_->CloseSlot(1);
  for (const auto& [slot, pid] : Running()) ::kill(pid, SIGKILL);
  ASSERT_TRUE(Until([&] { return deaths_.size() == 2; }));
  ASSERT_TRUE(Run({0})) << "an open one is filled again";
  Pass(100);
  EXPECT_EQ(Running().size(), 1U);
}

TEST_F(FleetSlots, OfWorkersThatAreNotReadyInTimeAreFilledAgain) {
  Pretend(PretendedTemplate(kForksOneThatLoadsForEver));
  Start(1, {{0, false}});
  ASSERT_TRUE(Until([&] { return said_ == "loading"; }));
  Age(15'000);
  Pass(100);
  EXPECT_TRUE(deaths_.empty());
  Age(21'000);
  ASSERT_TRUE(Until([&] { return !deaths_.empty(); }));
  EXPECT_EQ(deaths_, Causes{Death::Cause::kByUs});
  EXPECT_EQ(last_death_.Words(), "was ended 20 s after its start");
}

TEST_F(FleetSlots, OfWorkersThatLoadTheModelThemselvesHaveAllTheTimeThatTakes) {
  command_.intra = 0;
  Pretend(PretendedTemplate(kForksOneThatLoadsForEver));
  Start(1, {{0, false}});
  ASSERT_TRUE(Until([&] { return said_ == "loading"; }));
  Age(600'000);
  Pass(200);
  EXPECT_TRUE(deaths_.empty());
}

TEST_F(FleetSlots, ThatTheKernelMakesNoWorkerForAreToldOfOnce) {
  Pretend(PretendedTemplate("    say(NOT_FORKED, worker, text=b'could not fork a worker: no')\n"));
  Start(1, {{0, false}});
  ASSERT_TRUE(Fails());
  EXPECT_EQ(deaths_.size(), 5U);
  EXPECT_EQ(refused_, std::vector<std::string>{"could not fork a worker: no"});
}

TEST_F(FleetSlots, WhoseTemplateTheKernelEndsForMemoryAreGivenUpForThat) {
  out_of_memory_ = true;
  Pretend("#!/bin/sh\nkill -KILL $$\n");
  Start(1, {{0, false}});
  ASSERT_TRUE(Fails());
  EXPECT_EQ(template_deaths_, Causes(5, Death::Cause::kOutOfMemory));
  EXPECT_NE(failure_.find("the template was ended by the kernel for memory"), std::string::npos);
  EXPECT_NE(failure_.find("more memory"), std::string::npos) << failure_;
}

TEST_F(FleetSlots, WithoutATemplateTellAKillFromOutsideFromOurs) {
  command_.become = true;
  Start(1, {{0, false}});
  ASSERT_TRUE(Run({0}));
  ::kill(Running()[0], SIGKILL);
  ASSERT_TRUE(Until([&] { return !deaths_.empty(); }));
  EXPECT_EQ(deaths_, Causes{Death::Cause::kKilled});
  EXPECT_FALSE(last_death_.accounted_for);
  EXPECT_EQ(asked_why_, 1) << "it is one process";
  ASSERT_TRUE(Run({0}));
}

}  // namespace
}  // namespace consort
