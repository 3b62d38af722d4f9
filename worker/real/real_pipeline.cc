#include "worker/real/real_pipeline.h"

#include <algorithm>
#include <cstdlib>
#include <span>
#include <string_view>
#include <utility>

#include "shared/record/error_code.h"
#include "worker/features/features.h"
#include "worker/features/normalize.h"
#include "worker/infer/aligned_floats.h"
#include "worker/infer/model.h"
#include "worker/interpret/interpreter.h"
#include "worker/read/segment_reader.h"
#include "worker/real/state_place.h"
#include "worker/stage/stage_clock.h"

namespace consort {
namespace {

// CONSORT_COPY_WEIGHTS=1: weights are private memory, as those of processes that each load the
// model are; for comparison.
bool CopiesWeights() {
  const char* wanted = std::getenv("CONSORT_COPY_WEIGHTS");
  return wanted != nullptr && std::string_view(wanted) == "1";
}

FileFault ToFault(ErrorCode code, const Error& error) {
  return {0, 0, -1, static_cast<uint32_t>(code), error.what};
}

class RealPipeline : public Pipeline {
 public:
  RealPipeline(const Bundle& bundle, Model& model, std::unique_ptr<FeatureExtractor> features,
               std::unique_ptr<Runner> runner, StageClock& clock)
      : audio_(bundle.manifest.audio),
        stateful_(bundle.manifest.stateful),
        batch_(bundle.manifest.prepared.batch),
        clock_(clock),
        model_(model),
        reader_(audio_, clock),
        features_(std::move(features)),
        interpreter_(MakeInterpreter(bundle.manifest, bundle.labels)),
        wave_(static_cast<size_t>(audio_.SegmentSamples())),
        input_(static_cast<size_t>(features_->size() * batch_)) {
    runners_.push_back(std::move(runner));
  }

  Result<PipelineFault> Open(const std::string& path, FileInfo& info) override {
    group_ = {};
    one_by_one_until_ = 0;
    if (const auto fault = reader_.Open(path)) {
      if (fault->ours) return Error{fault->message};
      return PipelineFault(ToFault(*fault));
    }
    info = reader_.info();
    if (!stateful_) return PipelineFault();
    state_.Open(path, info);
    while (runners_.size() < Streams()) {
      CONSORT_TRY(auto runner, model_.NewRunner());
      runners_.push_back(std::move(runner));
      clock_.Step();  // they may be many, and each takes its time
    }
    return PipelineFault();
  }

  int64_t SegmentCount() const override { return reader_.segment_count(); }
  int64_t batch() const override { return batch_; }
  int64_t place() const override { return reader_.grid().streams(); }

  PipelineFault GoTo(int64_t k) override { return stateful_ ? CatchUp(k) : std::nullopt; }

  PipelineFault Run(int64_t k, int64_t end, SegmentResult& result) override {
    if (k < group_.first || k > group_.end || (k == group_.end && !group_.fault)) {
      RunGroup(k, std::min(end, (k / batch_ + 1) * batch_));
    }
    if (k == group_.end) return group_.fault;
    clock_.AtSegments(k, k + 1);
    clock_.Enter(Stage::kPost);
    const size_t each = scores_.size() / static_cast<size_t>(batch_);
    const auto scores = std::span(scores_).subspan(static_cast<size_t>(k % batch_) * each, each);
    const FileInfo& info = reader_.info();
    const SegmentGrid& grid = reader_.grid();
    const SegmentPlace place{grid.Place(k), grid.Places(info.samples), info.samples,
                             info.sample_rate};
    if (const Status done = interpreter_->Interpret(scores, place, result); !done) {
      return ToFault(ErrorCode::kOutput, done.error());
    }
    return std::nullopt;
  }

  void Close() override { reader_.Close(); }

 private:
  size_t Streams() const { return static_cast<size_t>(reader_.grid().streams()); }

  // Segments first <= … < end have scores; `fault`, if any, is that of segment `end`.
  struct Group {
    int64_t first = 0;
    int64_t end = 0;
    PipelineFault fault;
  };

  std::span<float> Slot(int64_t slot) {
    const auto size = static_cast<size_t>(features_->size());
    return input_.span().subspan(static_cast<size_t>(slot) * size, size);
  }

  // Brings the model's state to where segment k begins: lets it hear, unpublished, what lies
  // between. A fault on the way is one of segment k: its state cannot be had.
  PipelineFault CatchUp(int64_t k) {
    if (!state_.Reaches(k)) {
      state_.Lose();
      clock_.Enter(Stage::kForward);
      for (size_t channel = 0; channel < Streams(); ++channel) {
        if (const Status done = runners_[channel]->Reset(); !done)
          return ToFault(ErrorCode::kModel, done.error());
      }
      state_.Begin();
    }
    while (state_.next() < k) {
      const int64_t j = state_.next();
      clock_.AtSegment(j);
      if (auto fault = Prepare(j)) return fault;
      clock_.Enter(Stage::kForward);
      if (const Status done = Forward(j); !done) return ToFault(ErrorCode::kModel, done.error());
    }
    clock_.AtSegment(k);
    return std::nullopt;
  }

  // Of what lies in input_: the segments of a group, of which k is one.
  Status Forward(int64_t k) {
    const auto channel = static_cast<size_t>(stateful_ ? reader_.grid().Channel(k) : 0);
    const Status done = runners_[channel]->Forward(input_.span(), scores_);
    if (!stateful_) return done;
    if (done) {
      state_.Heard();
    } else {
      state_.Lose();
    }
    return done;
  }

  // Makes group_ of the segments from k on, as far as `end` or a fault.
  void RunGroup(int64_t k, int64_t end) {
    if (k < one_by_one_until_) end = k + 1;
    group_ = {k, k, {}};
    while (group_.end < end) {
      if ((group_.fault = Prepare(group_.end))) break;
      ++group_.end;
    }
    if (group_.end == k) return;
    for (int64_t slot = 0; slot < batch_; ++slot) {
      const int64_t segment = k - k % batch_ + slot;
      if (segment < k || segment >= group_.end) std::ranges::fill(Slot(slot), 0.0F);
    }
    clock_.AtSegments(k, group_.end);
    clock_.Enter(Stage::kForward);
    const Status done = Forward(k);
    if (done) return;
    if (group_.end == k + 1) {
      group_ = {k, k, ToFault(ErrorCode::kModel, done.error())};
      return;
    }
    // Which segment the model failed at shows when each is alone; the others are to have lines.
    one_by_one_until_ = end;
    RunGroup(k, end);
  }

  // Segment k's features into its slot.
  PipelineFault Prepare(int64_t k) {
    clock_.AtSegments(k, k + 1);
    if (const auto fault = reader_.ReadSegment(k, wave_.span())) return ToFault(*fault);
    clock_.Enter(Stage::kFeatures);
    Normalize(audio_.normalize, wave_.span());
    features_->Extract(wave_.span(), Slot(k % batch_));
    return std::nullopt;
  }

  const AudioSpec& audio_;
  const bool stateful_;
  const int64_t batch_;  // 1 where it is stateful
  StageClock& clock_;
  Model& model_;
  SegmentReader reader_;
  std::unique_ptr<FeatureExtractor> features_;
  // One; of a model with state one for each channel, up to the most that a file had.
  std::vector<std::unique_ptr<Runner>> runners_;
  std::unique_ptr<Interpreter> interpreter_;
  AlignedFloats wave_;
  AlignedFloats input_;        // of the batch: segment k in slot k % batch_
  std::vector<float> scores_;  // the same
  Group group_;
  int64_t one_by_one_until_ = 0;
  StatePlace state_;  // of runners_, all together, where it is stateful
};

}  // namespace

RealPipelineFactory::RealPipelineFactory(const Bundle& bundle, ArenaView arena, int intra,
                                         int engines)
    : bundle_(bundle), arena_(std::move(arena)), intra_(intra), engines_(engines) {}

RealPipelineFactory::~RealPipelineFactory() = default;

Result<std::unique_ptr<RealPipelineFactory>> RealPipelineFactory::Load(const Bundle& bundle,
                                                                       int arena_fd, int intra,
                                                                       int engines) {
  CONSORT_TRY(auto arena, ArenaView::Map(arena_fd, bundle.weights.bytes));
  std::unique_ptr<RealPipelineFactory> factory(
      new RealPipelineFactory(bundle, std::move(arena), intra, engines));
  if (intra == kLibTorchsChoice) return factory;
  ConfigureThreads(1);  // the template never opens a parallel region
  CONSORT_TRY(factory->LoadAndWarmUp());
  return factory;
}

Status RealPipelineFactory::LoadAndWarmUp() {
  if (CopiesWeights()) CONSORT_TRY(arena_.CopyToPrivateMemory());
  CONSORT_TRY(auto features, MakeFeatureExtractor(bundle_.manifest));
  source_ = {&bundle_, &arena_, features->shape(), engines_};
  source_.input_shape.front() = bundle_.manifest.prepared.batch;
  CONSORT_TRY(model_, LoadModel(source_));
  CONSORT_TRY(WarmUp(*model_, source_));
  // Tables that are made at first use (FFT plans) are made before the fork, too.
  std::vector<float> silence(static_cast<size_t>(bundle_.manifest.audio.SegmentSamples()));
  std::vector<float> input(static_cast<size_t>(features->size()));
  features->Extract(silence, input);
  return Ok();
}

Status RealPipelineFactory::LoadOnce() {
  const std::lock_guard lock(loading_);
  if (model_) return Ok();
  // Its code is opened by path, maybe hours after the template looked at it.
  CONSORT_TRY(LoadBundleAgain(bundle_.folder, bundle_.sha256));
  return LoadAndWarmUp();
}

Result<std::unique_ptr<Pipeline>> RealPipelineFactory::Make(StageClock& clock) {
  if (intra_ == kLibTorchsChoice) {
    CONSORT_TRY(LoadOnce());
  } else {
    ConfigureEngineThread(intra_);
  }
  CONSORT_TRY(auto features, MakeFeatureExtractor(bundle_.manifest));
  CONSORT_TRY(auto runner, model_->NewRunner());
  return std::unique_ptr<Pipeline>(std::make_unique<RealPipeline>(
      bundle_, *model_, std::move(features), std::move(runner), clock));
}

}  // namespace consort
