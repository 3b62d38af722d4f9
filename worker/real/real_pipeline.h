// The four stages in a row: read (validate, decode, resample) → features → forward → interpret.
//
// A model that was prepared for batches of N does the segments of a group in one forward: those
// with the same k / N, as far as they belong to the item. consort-prepare checked that a segment's
// scores depend neither on the others of its batch nor on its place there, so items may begin and
// end anywhere.
//
// A model with state (`stateful`) hears the segments of a file from the first one on, and each file
// with the state it was saved with. Where an item begins elsewhere than the state stands, which is
// so after a death or a resume, the segments that lie between are done first, and not told. Where
// channels are heard one by one each has a state of its own; they all stand at one segment.
#pragma once

#include <memory>
#include <mutex>

#include "shared/arena/arena.h"
#include "shared/bundle/bundle.h"
#include "worker/engine/pipeline.h"
#include "worker/infer/model.h"

namespace consort {

// In place of a number of LibTorch threads an engine (`--intra default`): nobody tells LibTorch.
inline constexpr int kLibTorchsChoice = 0;

// Loads the model and warms it up: the template's work, before any fork. Nothing here starts a
// thread. The bundle must outlive it.
//
// Where LibTorch is to choose its threads it would start some, and a template that has more than
// one may not fork: then each worker loads the model, in its first engine's thread.
class RealPipelineFactory : public PipelineFactory {
 public:
  // `engines`: pipelines that will run at once in a process.
  static Result<std::unique_ptr<RealPipelineFactory>> Load(const Bundle& bundle, int arena_fd,
                                                           int intra, int engines);
  ~RealPipelineFactory() override;

  Result<std::unique_ptr<Pipeline>> Make(StageClock& clock) override;

 private:
  RealPipelineFactory(const Bundle& bundle, ArenaView arena, int intra, int engines);

  Status LoadAndWarmUp();
  Status LoadOnce();

  const Bundle& bundle_;
  ArenaView arena_;
  const int intra_;
  const int engines_;
  ModelSource source_;
  std::unique_ptr<Model> model_;
  std::mutex loading_;
};

}  // namespace consort
