// A model of make_tiny_models.py or make_tiny_packages.py, loaded as a worker does it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <latch>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "shared/arena/arena.h"
#include "shared/bundle/bundle.h"
#include "worker/infer/model.h"

namespace consort {

inline std::vector<float> TinyFloats(const std::string& name) {
  std::ifstream in(std::string(TINY_MODELS) + "/" + name, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  std::vector<float> floats(text.str().size() / sizeof(float));
  memcpy(floats.data(), text.str().data(), floats.size() * sizeof(float));
  return floats;
}

class TinyModel {
 public:
  explicit TinyModel(const std::string& name)
      : input(TinyFloats(name + ".input")),
        expected(TinyFloats(name + ".scores")),
        bundle(LoadBundle(std::string(TINY_MODELS) + "/" + name).value()),
        arena(ArenaView::Map(FillArena(bundle).value().get(), bundle.weights.bytes).value()) {
    ConfigureThreads(1);
  }

  ModelSource Source() const {
    const int64_t batch = bundle.manifest.prepared.batch;
    return {&bundle, &arena, {batch, static_cast<int64_t>(input.size()) / batch}, engines};
  }
  std::unique_ptr<Model> Load() const {
    auto model = LoadModel(Source());
    EXPECT_TRUE(model) << model.error().Sentence();
    return std::move(model).value();
  }
  std::string LoadTrouble() const {
    const auto model = LoadModel(Source());
    if (model) return "";
    return model.error().what.substr(model.error().what.rfind("\": ") + 3);
  }

  std::vector<float> input;
  std::vector<float> expected;
  Bundle bundle;  // a test may spoil it before Load()
  ArenaView arena;
  int engines = 1;
};

inline std::vector<float> ScoresOf(Runner& runner, std::span<const float> input) {
  std::vector<float> scores;
  const Status status = runner.Forward(input, scores);
  EXPECT_TRUE(status) << status.error().Sentence();
  return scores;
}

// Shifted by up to six floats.
inline void ExpectTheSameBitsWhereverTheInputLies(const TinyModel& tiny) {
  const auto model = tiny.Load();
  const auto runner = model->NewRunner().value();
  std::vector<float> shifted(tiny.input.size() + 7);
  for (size_t shift = 0; shift < 7; ++shift) {
    std::copy(tiny.input.begin(), tiny.input.end(),
              shifted.begin() + static_cast<std::ptrdiff_t>(shift));
    EXPECT_EQ(ScoresOf(*runner, std::span(shifted).subspan(shift, tiny.input.size())),
              tiny.expected);
  }
}

// What a worker does after the fork: all its engines start at the same moment. True if each gives
// the expected scores.
inline bool EnginesAgree(const TinyModel& tiny, Model& model, size_t count) {
  std::vector<int> good(count);
  std::latch all_there(static_cast<std::ptrdiff_t>(count));
  std::vector<std::thread> engines;
  for (int& mine : good) {
    engines.emplace_back([&] {
      all_there.arrive_and_wait();
      ConfigureEngineThread(1);
      const auto runner = model.NewRunner().value();
      mine = ScoresOf(*runner, tiny.input) == tiny.expected &&
             ScoresOf(*runner, tiny.input) == tiny.expected;
    });
  }
  for (auto& engine : engines) engine.join();
  return std::count(good.begin(), good.end(), 1) == static_cast<std::ptrdiff_t>(count);
}

inline size_t ThreadsOfThisProcess() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<size_t>(std::distance(begin(tasks), end(tasks)));
}

}  // namespace consort
