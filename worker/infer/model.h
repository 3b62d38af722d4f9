// The model: loaded and warmed once in the template, then run by each engine of each forked worker.
//
//   ConfigureThreads(1) → LoadModel → WarmUp → fork → thread: ConfigureEngineThread(K) → NewRunner
//   → Forward…
//
// Weights are not loaded but aliased: every tensor of the weight table is a view of the read-only
// arena, so no process owns a copy. LoadModel and WarmUp start no thread and open no parallel
// region of more than one thread, so the process may fork afterwards. Nothing here throws.
//
// A new backend is one file with its loader and one line in the table of model.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "shared/arena/arena.h"
#include "shared/base/result.h"
#include "shared/bundle/bundle.h"

namespace consort {

// One per engine thread; its state is its own, its weights and compiled code are the model's.
class Runner {
 public:
  virtual ~Runner() = default;

  // `input` is a batch of segments' features (row by row, as input_shape says), best 64-byte
  // aligned (else it is copied: which kernel runs, so the last bits, may depend on alignment). Only
  // a model that works in place on its input changes it. `scores` gets for each segment of the
  // batch one float per label of the bundle; of outputs in frames that for each frame, row by row.
  // Unless the manifest says `stateful`, every call starts from the state the model was saved with,
  // so that the scores depend on the input alone. After an error the runner may be used again, of a
  // stateful model after Reset.
  virtual Status Forward(std::span<const float> input, std::vector<float>& scores) = 0;

  // The next call starts from the state the model was saved with.
  virtual Status Reset() = 0;
};

class Model {
 public:
  virtual ~Model() = default;

  // May be called by any thread, before or after a fork. The model outlives its runners.
  virtual Result<std::unique_ptr<Runner>> NewRunner() = 0;
};

// What to do about a bundle that does not load.
inline constexpr char kMakeAgain[] = "make the bundle again with consort-prepare";

// All outlive the model.
struct ModelSource {
  const Bundle* bundle = nullptr;
  const ArenaView* arena = nullptr;
  // FeatureExtractor::shape(), with the batch that the bundle was prepared for in front.
  std::vector<int64_t> input_shape;
  int engines = 1;  // threads that will run it at once in a process: more would wait for each other

  size_t InputSize() const;  // floats in a batch
};

// By the bundle's backend.
Result<std::unique_ptr<Model>> LoadModel(const ModelSource& source);

// A few forwards of silence on the calling thread, with as many LibTorch threads as were
// configured: what is compiled at first use is compiled before the fork (which wants that to be 1).
Status WarmUp(Model& model, const ModelSource& source);

// First line of the program. Process-wide; the inter-op pool is 1 and is never started. A program
// that will fork passes 1 here and gives K to each engine thread after the fork. Where LibTorch is
// to choose for itself, neither is called.
void ConfigureThreads(int intra_op);

// First line of each engine thread, before any other use of LibTorch in it, and never again: it
// empties that thread's kernel cache. Any number of threads may call it at once.
void ConfigureEngineThread(int intra_op);

// The loaders, one a file.
Result<std::unique_ptr<Model>> LoadAoti(const ModelSource& source);
Result<std::unique_ptr<Model>> LoadTorchScript(const ModelSource& source);

}  // namespace consort
