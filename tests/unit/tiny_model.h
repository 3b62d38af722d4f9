// A model of make_tiny_models.py, loaded as a worker does it.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
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

  ModelSource Source() const { return {&bundle, &arena, {1, static_cast<int64_t>(input.size())}}; }
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
};

inline std::vector<float> ScoresOf(Runner& runner, std::span<const float> input) {
  std::vector<float> scores;
  const Status status = runner.Forward(input, scores);
  EXPECT_TRUE(status) << status.error().Sentence();
  return scores;
}

}  // namespace consort
