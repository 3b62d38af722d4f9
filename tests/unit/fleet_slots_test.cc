// Slots that are closed and opened while the fleet is at work: with real processes, the null
// worker's.
#include <gtest/gtest.h>
#include <signal.h>

#include <map>
#include <nlohmann/json.hpp>

#include "bundle_folder.h"
#include "shared/base/clock.h"
#include "shared/bundle/bundle.h"
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
  void WorkerSaid(Worker&, std::string_view) override {}
  void WorkerKilled(Worker&) override {}
  void WorkerGone(Worker&, const Death& death) override { deaths_.push_back(death.cause); }
  void TemplateGone(const Death& death) override { template_deaths_.push_back(death.cause); }
  void FleetFailed(const Error& error) override {
    failed_ = true;
    ADD_FAILURE() << error.Sentence();
  }

  BundleFolder folder_;
  TemplateCommand command_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<Fleet> fleet_;
  std::vector<Death::Cause> deaths_;
  std::vector<Death::Cause> template_deaths_;
  bool failed_ = false;
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

}  // namespace
}  // namespace consort
