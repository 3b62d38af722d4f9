#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <stdexcept>

#include "tiny_model.h"
#include "worker/infer/reason.h"

namespace consort {
namespace {

TEST(Infer, KnowsAWantOfMemoryByItsTypeAndByItsWords) {
  EXPECT_TRUE(IsOutOfMemory(std::bad_alloc()));
  EXPECT_TRUE(IsOutOfMemory(std::runtime_error("std::bad_alloc")));
  EXPECT_TRUE(
      IsOutOfMemory(std::runtime_error("[enforce fail] DefaultCPUAllocator: not enough memory")));
  EXPECT_FALSE(IsOutOfMemory(std::runtime_error("expected a tensor of 3 dimensions")));
}

TEST(Infer, StartsNoThreadWhileItLoadsAndWarmsUp) {
  const TinyModel tiny("tags");
  const auto model = tiny.Load();
  ASSERT_TRUE(WarmUp(*model, tiny.Source()));
  EXPECT_EQ(ThreadsOfThisProcess(), 1U);
}

TEST(Infer, GivesTheScoresOfPyTorchFromTheFirstForwardOn) {
  const TinyModel tiny("tags");
  const auto model = tiny.Load();
  ASSERT_TRUE(WarmUp(*model, tiny.Source()));
  const auto runner = model->NewRunner().value();
  ASSERT_EQ(tiny.expected.size(), 5U);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(ScoresOf(*runner, tiny.input), tiny.expected) << i;
}

TEST(Infer, GivesTheSameBitsWhereverTheInputLies) {
  ExpectTheSameBitsWhereverTheInputLies(TinyModel("tags"));
}

TEST(Infer, WorksInForksOfAWarmedProcessWithThreads) {
  const TinyModel tiny("tags");
  const auto model = tiny.Load();
  ASSERT_TRUE(WarmUp(*model, tiny.Source()));
  for (int i = 0; i < 50; ++i) {  // a race at the start of the engines shows in a few of these
    const pid_t child = fork();
    if (child == 0) _exit(EnginesAgree(tiny, *model, 4) ? 0 : 1);
    int status = -1;
    waitpid(child, &status, 0);
    ASSERT_EQ(status, 0) << "fork " << i;
  }
}

TEST(Infer, TurnsAnExceptionOfTheModelIntoOneLineAndGoesOn) {
  const TinyModel tiny("tags");
  const auto model = tiny.Load();
  const auto engine = model->NewRunner().value();
  std::vector<float> loud(tiny.input.size(), 100.0F);
  std::vector<float> scores;
  const Status status = engine->Forward(loud, scores);
  ASSERT_FALSE(status);
  EXPECT_TRUE(status.error().what.starts_with("the model failed: ")) << status.error().what;
  EXPECT_NE(status.error().what.find("too loud"), std::string::npos) << status.error().what;
  EXPECT_EQ(status.error().what.find('\n'), std::string::npos);
  EXPECT_EQ(ScoresOf(*engine, tiny.input), tiny.expected);
}

TEST(Infer, NamesBothNumbersWhenScoresAndLabelsDiffer) {
  TinyModel tiny("tags");
  tiny.bundle.labels.pop_back();
  const auto model = tiny.Load();
  const Status status = WarmUp(*model, tiny.Source());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().what, "the model gives 5 scores for a segment, but there are 4 labels");
}

TEST(Infer, RefusesATableThatLacksAWeightOrHasOneTooMany) {
  TinyModel lacks("tags");
  auto& tensors = lacks.bundle.weights.tensors;
  const auto row = std::find_if(tensors.begin(), tensors.end(),
                                [](const auto& entry) { return entry.name == "net.conv.bias"; });
  ASSERT_NE(row, tensors.end());
  const WeightEntry entry = *row;
  tensors.erase(row);
  EXPECT_EQ(lacks.LoadTrouble(), "\"weights.json\" has no weight \"net.conv.bias\"");
  TinyModel more("tags");
  more.bundle.weights.tensors.push_back(entry);
  more.bundle.weights.tensors.back().name = "net.other";
  EXPECT_EQ(more.LoadTrouble(), "its code has no weight \"net.other\"");
}

TEST(Infer, RefusesAWeightOfAnotherType) {
  TinyModel tiny("tags");
  for (auto& entry : tiny.bundle.weights.tensors) {
    if (entry.name == "net.conv.bias") entry.dtype = "int32";
  }
  EXPECT_EQ(tiny.LoadTrouble(), "the weight \"net.conv.bias\" has another type in its code");
}

TEST(Infer, RefusesTiedWeightsThatTheTableTellsApart) {
  TinyModel tiny("tags");
  for (auto& entry : tiny.bundle.weights.tensors) {
    if (entry.name == "net.second.weight") entry.offset += 64;
  }
  EXPECT_EQ(tiny.LoadTrouble(),
            "the weight \"net.second.weight\" is tied to another one in its code");
}

TEST(Infer, RefusesCodeOfAnotherBackendOrNone) {
  TinyModel null("tags");
  null.bundle.manifest.prepared.backend = Prepared::Backend::kNull;
  EXPECT_EQ(null.LoadTrouble(), "its backend is not in this program");
  TinyModel missing("tags");
  missing.bundle.folder += "/nowhere";
  EXPECT_FALSE(LoadModel(missing.Source()));
}

}  // namespace
}  // namespace consort
