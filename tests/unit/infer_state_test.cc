// Models that keep state: each engine has its own, and unless the manifest asks for it, none
// outlives a segment. The model counts its calls in a buffer, in an attribute, and in a list.
#include <gtest/gtest.h>

#include <algorithm>

#include "tiny_model.h"
#include "worker/infer/aligned_floats.h"

namespace consort {
namespace {

using Counts = std::vector<float>;

TEST(InferState, OfOneRunnerIsNoOthers) {
  const TinyModel tiny("memory");
  ASSERT_TRUE(tiny.bundle.manifest.stateful);
  ASSERT_EQ(tiny.bundle.manifest.prepared.written_buffers,
            std::vector<std::string>{"memory.written"});
  const auto model = tiny.Load();
  ASSERT_TRUE(WarmUp(*model, tiny.Source()));
  const auto one = model->NewRunner().value();
  const auto two = model->NewRunner().value();
  EXPECT_EQ(ScoresOf(*one, tiny.input), (Counts{1, 1, 1}));
  EXPECT_EQ(ScoresOf(*one, tiny.input), (Counts{2, 2, 2}));
  EXPECT_EQ(ScoresOf(*two, tiny.input), (Counts{1, 1, 1}));
  EXPECT_EQ(ScoresOf(*one, tiny.input), (Counts{3, 3, 3}));
}

TEST(InferState, BeginsAnewWithEachReset) {
  const TinyModel tiny("memory");
  const auto model = tiny.Load();
  const auto runner = model->NewRunner().value();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(runner->Reset());
    EXPECT_EQ(ScoresOf(*runner, tiny.input), (Counts{1, 1, 1})) << i;
    EXPECT_EQ(ScoresOf(*runner, tiny.input), (Counts{2, 2, 2})) << i;
  }
}

// "echo" keeps its input, a part of it, and the input in a list, and says their means at the next
// call.
TEST(InferState, OutlivesTheBufferThatTheModelWasGivenItIn) {
  const TinyModel tiny("echo");
  const auto model = tiny.Load();
  const auto runner = model->NewRunner().value();
  AlignedFloats input(tiny.input.size());  // as an engine has one, for all of its segments
  for (int round = 0; round < 2; ++round) {
    float before = 0;
    for (const float level : {0.25F, 0.5F, 0.75F}) {
      std::ranges::fill(input.span(), level);
      EXPECT_EQ(ScoresOf(*runner, input.span()), (std::vector<float>{before, before, before}));
      before = level;
    }
    ASSERT_TRUE(runner->Reset());
  }
}

// packed-memory.scores are what it says of its input when it is asked three times.
TEST(InferState, OfCompiledCodeGoesOnUntilAResetAndIsNoOtherRunners) {
  const TinyModel tiny("packed-memory");
  ASSERT_EQ(tiny.bundle.manifest.prepared.written_buffers.size(), 2U);
  const auto model = tiny.Load();
  ASSERT_TRUE(WarmUp(*model, tiny.Source()));
  const auto one = model->NewRunner().value();
  const auto two = model->NewRunner().value();
  const auto expected = [&tiny](int call) {
    return std::vector<float>(tiny.expected.begin() + 5 * call,
                              tiny.expected.begin() + 5 * (call + 1));
  };
  for (int round = 0; round < 2; ++round) {
    for (int call = 0; call < 3; ++call) {
      EXPECT_EQ(ScoresOf(*one, tiny.input), expected(call)) << round << " " << call;
    }
    EXPECT_EQ(ScoresOf(*two, tiny.input), expected(round));
    ASSERT_TRUE(one->Reset());
  }
}

TEST(InferState, InABufferThatCompiledCodeLacksIsRefused) {
  TinyModel tiny("packed-memory");
  tiny.bundle.manifest.prepared.written_buffers.push_back("other");
  EXPECT_EQ(tiny.LoadTrouble(), "its code has no buffer \"other\"");
}

TEST(InferState, EndsWithTheSegmentUnlessTheManifestSaysStateful) {
  TinyModel tiny("memory");
  tiny.bundle.manifest.stateful = false;
  const auto model = tiny.Load();
  const auto runner = model->NewRunner().value();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ScoresOf(*runner, tiny.input), (Counts{1, 1, 1})) << i;
}

TEST(InferState, InABufferThatTheCodeLacksIsRefused) {
  TinyModel tiny("memory");
  tiny.bundle.manifest.prepared.written_buffers.push_back("memory.other");
  EXPECT_EQ(tiny.LoadTrouble(), "its code has no buffer \"memory.other\"");
}

TEST(InferState, InASharedBufferEndsTheProcessThatWritesIt) {
  TinyModel tiny("memory");
  tiny.bundle.manifest.prepared.written_buffers.clear();
  const auto model = tiny.Load();
  const auto runner = model->NewRunner().value();
  EXPECT_EXIT(ScoresOf(*runner, tiny.input), testing::KilledBySignal(SIGSEGV), "");
}

}  // namespace
}  // namespace consort
