// Compiled packages: constants over the read-only arena, all of them checked before the first run.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

#include "tiny_model.h"

namespace consort {
namespace {

namespace fs = std::filesystem;

// How the files are mapped whose line in /proc/self/maps contains `word`: "r--s".
std::string AccessTo(const std::string& word) {
  std::ifstream maps("/proc/self/maps");
  std::string access;
  for (std::string line; std::getline(maps, line);) {
    if (line.find(word) != std::string::npos) access += line.substr(line.find(' ') + 1, 4) + " ";
  }
  return access;
}

// Kilobytes of the arena's mapping that are no longer the memfd's but copies.
std::string CopiedKilobytesOfArena() {
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  std::string found;
  for (std::string line; std::getline(maps, line);) {
    if (line.find('-') < line.find(' ')) inside = line.find("memfd:") != std::string::npos;
    if (inside && line.starts_with("Anonymous:")) {
      found += line.substr(line.find_first_of("0123456789"));
    }
  }
  return found;
}

WeightEntry& Entry(TinyModel& tiny, bool opaque, const std::string& dtype) {
  for (auto& entry : tiny.bundle.weights.tensors) {
    if (entry.opaque == opaque && entry.dtype == dtype) return entry;
  }
  throw std::runtime_error("no such weight");
}

TEST(InferAoti, GivesTheScoresOfThePackageInPython) {
  for (const char* name : {"packed", "packed-4"}) {
    const TinyModel tiny(name);
    const auto model = tiny.Load();
    ASSERT_TRUE(WarmUp(*model, tiny.Source()));
    const auto runner = model->NewRunner().value();
    ASSERT_EQ(tiny.expected.size(), 5U * static_cast<size_t>(tiny.bundle.manifest.prepared.batch));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(ScoresOf(*runner, tiny.input), tiny.expected) << name;
  }
}

TEST(InferAoti, HasPackedAndPlainWeightsToBeTestedWith) {
  TinyModel tiny("packed");
  EXPECT_FALSE(Entry(tiny, true, "float32").descriptor.empty());
  EXPECT_TRUE(Entry(tiny, false, "float32").descriptor.empty());
}

TEST(InferAoti, GivesTheSameBitsWhereverTheInputLies) {
  ExpectTheSameBitsWhereverTheInputLies(TinyModel("packed"));
}

TEST(InferAoti, ScoresOfASegmentDependNeitherOnTheOthersOfItsBatchNorOnItsPlace) {
  const TinyModel tiny("packed-4");
  const auto model = tiny.Load();
  const auto runner = model->NewRunner().value();
  const size_t samples = tiny.input.size() / 4;
  for (size_t place = 0; place < 4; ++place) {
    std::vector<float> input(tiny.input.size());
    std::copy_n(tiny.input.begin(), samples,
                input.begin() + static_cast<std::ptrdiff_t>(place * samples));
    const auto scores = ScoresOf(*runner, input);
    for (size_t i = 0; i < 5; ++i) EXPECT_EQ(scores[place * 5 + i], tiny.expected[i]) << place;
  }
}

TEST(InferAoti, StartsNoThreadAndLeavesTheArenaSharedAndReadOnly) {
  const TinyModel tiny("packed");
  const auto model = tiny.Load();
  ASSERT_TRUE(WarmUp(*model, tiny.Source()));
  EXPECT_EQ(ThreadsOfThisProcess(), 1U);
  EXPECT_EQ(AccessTo("memfd:"), "r--s ");
  EXPECT_EQ(CopiedKilobytesOfArena(), "0 kB");
}

TEST(InferAoti, OpensTheCodeWhereItLiesAndLeavesItThere) {
  const auto made = [] {
    std::string names;
    for (const auto& entry : fs::directory_iterator("/tmp")) {
      if (entry.path().filename().string().size() == 6) names += entry.path().string() + " ";
    }
    return names;
  };
  const std::string before = made();
  const TinyModel tiny("packed");
  {
    const auto model = tiny.Load();
    EXPECT_NE(AccessTo(fs::canonical(tiny.bundle.folder + "/code").string()), "");
    EXPECT_EQ(made(), before);
  }
  EXPECT_TRUE(LoadBundle(tiny.bundle.folder)) << "all files are there";
}

TEST(InferAoti, WorksInForksOfAWarmedProcessWithThreads) {
  for (const int runners : {4, 1}) {  // with fewer than threads they wait for each other, no more
    TinyModel tiny("packed");
    tiny.engines = runners;
    const auto model = tiny.Load();
    ASSERT_TRUE(WarmUp(*model, tiny.Source()));
    for (int i = 0; i < 20; ++i) {
      const pid_t child = fork();
      if (child == 0) _exit(EnginesAgree(tiny, *model, 4) ? 0 : 1);
      int status = -1;
      waitpid(child, &status, 0);
      ASSERT_EQ(status, 0) << "fork " << i << " with " << runners << " runners";
    }
  }
}

TEST(InferAoti, TurnsAnExceptionOfTheModelIntoOneLineAndGoesOn) {
  const TinyModel tiny("packed");
  const auto model = tiny.Load();
  const auto runner = model->NewRunner().value();
  const std::vector<float> loud(tiny.input.size(), 100.0F);
  std::vector<float> scores;
  for (int i = 0; i < 3; ++i) {
    testing::internal::CaptureStderr();
    const Status status = runner->Forward(loud, scores);
    std::cerr << "ours";
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "ours") << "a backtrace is nobody's business";
    ASSERT_FALSE(status);
    EXPECT_TRUE(status.error().what.starts_with("the model failed: ")) << status.error().what;
    EXPECT_NE(status.error().what.find("index out of bounds"), std::string::npos)
        << status.error().what;
    EXPECT_EQ(status.error().what.find('\n'), std::string::npos);
    EXPECT_EQ(ScoresOf(*runner, tiny.input), tiny.expected);
  }
}

// Takes all memory but what lies about in pieces smaller than an activation of the model.
void LeaveNoMemory() {
  std::ifstream statm("/proc/self/statm");
  rlim_t pages = 0;
  statm >> pages;
  const rlimit now{pages * 4096, pages * 4096};
  setrlimit(RLIMIT_AS, &now);
  while (void* block = std::malloc(16'384)) *static_cast<volatile char*>(block) = 1;
}

TEST(InferAoti, DiesForWantOfMemorySoThatTheSegmentIsHandedOutAgain) {
  const TinyModel tiny("packed");
  const auto model = tiny.Load();
  const auto runner = model->NewRunner().value();
  ScoresOf(*runner, tiny.input);
  EXPECT_EXIT(
      {
        LeaveNoMemory();
        std::vector<float> scores;
        const Status status = runner->Forward(tiny.input, scores);
        std::fprintf(stderr, "it went on: %s\n", status ? "" : status.error().what.c_str());
        _exit(0);
      },
      testing::KilledBySignal(SIGABRT), "the model ran out of memory: ");
}

TEST(InferAoti, RefusesATableThatLacksAConstantOrHasOneTooMany) {
  for (const bool opaque : {false, true}) {
    TinyModel lacks("packed");
    const WeightEntry entry = Entry(lacks, opaque, "float32");
    std::erase_if(lacks.bundle.weights.tensors,
                  [&](const auto& each) { return each.name == entry.name; });
    EXPECT_EQ(lacks.LoadTrouble(), "\"weights.json\" has no weight \"" + entry.name + "\"");
    TinyModel more("packed");
    more.bundle.weights.tensors.push_back(entry);
    more.bundle.weights.tensors.back().name = "other";
    EXPECT_EQ(more.LoadTrouble(), "its code has no weight \"other\"");
  }
}

TEST(InferAoti, RefusesAConstantOfAnotherTypeOrLayout) {
  for (const bool opaque : {false, true}) {
    TinyModel tiny("packed");
    WeightEntry& entry = Entry(tiny, opaque, "float32");
    entry.dtype = opaque ? "bfloat16" : "int32";
    EXPECT_EQ(tiny.LoadTrouble(), "the weight \"" + entry.name + "\" has another type in its code");
  }
  TinyModel unknown("packed");
  Entry(unknown, false, "float32").dtype = "uint16";
  EXPECT_NE(unknown.LoadTrouble(), "");
}

TEST(InferAoti, RefusesAPackedWeightWhoseDescriptorReachesBeyondItsBytes) {
  TinyModel tiny("packed");
  WeightEntry& entry = Entry(tiny, true, "float32");
  entry.nbytes = 4;  // some kernels read less than all that was stored
  const auto model = LoadModel(tiny.Source());
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().what,
            "the weight \"" + entry.name + "\" lies outside of the shared weights");
}

TEST(InferAoti, RefusesAnInputOfAnotherShape) {
  const TinyModel tiny("packed");
  ModelSource source = tiny.Source();
  source.input_shape = {1, 801};
  const auto model = LoadModel(source);
  ASSERT_FALSE(model);
  EXPECT_NE(model.error().what.find("takes another input"), std::string::npos);
}

TEST(InferAoti, RefusesCodeMadeForAnotherLibTorchOrCpuBeforeOpeningIt) {
  TinyModel other_torch("packed");
  other_torch.bundle.manifest.prepared.torch_version = "2.12.1";
  other_torch.bundle.folder = "gone";
  EXPECT_EQ(other_torch.LoadTrouble(),
            "it was made with LibTorch 2.12.1, but this program has LibTorch 2.13.0");
  TinyModel other_cpu("packed");
  other_cpu.bundle.manifest.prepared.cpu.flags.push_back("sve");
  other_cpu.bundle.folder = "gone";
  EXPECT_NE(other_cpu.LoadTrouble().find("with sve, which this machine's CPU"), std::string::npos);
}

TEST(InferAoti, RefusesAFileInTheCodeThatTheBundleDoesNotList) {
  TinyModel tiny("packed");
  auto& files = tiny.bundle.manifest.prepared.files;
  const auto library = std::find_if(files.begin(), files.end(),
                                    [](const auto& file) { return file.name.ends_with(".so"); });
  ASSERT_NE(library, files.end());
  const std::string name = library->name;
  files.erase(library);
  EXPECT_EQ(tiny.LoadTrouble(), "\"" + name + "\" is not a file of this bundle");
}

}  // namespace
}  // namespace consort
