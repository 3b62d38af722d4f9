#include "worker/real/real_pipeline.h"

#include "shared/record/error_code.h"
#include "worker/features/features.h"
#include "worker/features/normalize.h"
#include "worker/infer/model.h"
#include "worker/interpret/tags.h"
#include "worker/read/segment_reader.h"
#include "worker/stage/stage_clock.h"

namespace consort {
namespace {

FileFault ToFault(const ReadFault& fault) {
  return {0, 0, fault.at_sample, static_cast<uint32_t>(fault.code), fault.message};
}

FileFault ToFault(ErrorCode code, const Error& error) {
  return {0, 0, -1, static_cast<uint32_t>(code), error.what};
}

class RealPipeline : public Pipeline {
 public:
  RealPipeline(const Bundle& bundle, std::unique_ptr<FeatureExtractor> features,
               std::unique_ptr<Runner> runner, StageClock& clock)
      : audio_(bundle.manifest.audio),
        clock_(clock),
        reader_(audio_, clock),
        features_(std::move(features)),
        runner_(std::move(runner)),
        tags_(bundle.manifest.output, bundle.labels),
        wave_(static_cast<size_t>(audio_.SegmentSamples())),
        input_(static_cast<size_t>(features_->size())) {}

  PipelineFault Open(const std::string& path, FileInfo& info) override {
    if (const auto fault = reader_.Open(path)) return ToFault(*fault);
    info = reader_.info();
    return std::nullopt;
  }

  int64_t SegmentCount() const override { return reader_.segment_count(); }

  PipelineFault Run(int64_t k, std::vector<Tag>& tags) override {
    if (const auto fault = reader_.ReadSegment(k, wave_)) return ToFault(*fault);
    clock_.Enter(Stage::kFeatures);
    Normalize(audio_.normalize, wave_);
    features_->Extract(wave_, input_);
    clock_.Enter(Stage::kForward);
    if (const Status done = runner_->Forward(input_, scores_); !done) {
      return ToFault(ErrorCode::kModel, done.error());
    }
    clock_.Enter(Stage::kPost);
    if (const Status done = tags_.Interpret(scores_, tags); !done) {
      return ToFault(ErrorCode::kOutput, done.error());
    }
    return std::nullopt;
  }

  void Close() override { reader_.Close(); }

 private:
  const AudioSpec& audio_;
  StageClock& clock_;
  SegmentReader reader_;
  std::unique_ptr<FeatureExtractor> features_;
  std::unique_ptr<Runner> runner_;
  TagInterpreter tags_;
  std::vector<float> wave_;
  std::vector<float> input_;
  std::vector<float> scores_;
};

}  // namespace

RealPipelineFactory::RealPipelineFactory(const Bundle& bundle, ArenaView arena, int intra)
    : bundle_(bundle), arena_(std::move(arena)), intra_(intra) {}

RealPipelineFactory::~RealPipelineFactory() = default;

Result<std::unique_ptr<RealPipelineFactory>> RealPipelineFactory::Load(const Bundle& bundle,
                                                                       int arena_fd, int intra) {
  ConfigureThreads(1);  // the template never opens a parallel region
  CONSORT_TRY(auto arena, ArenaView::Map(arena_fd, bundle.weights.bytes));
  std::unique_ptr<RealPipelineFactory> factory(
      new RealPipelineFactory(bundle, std::move(arena), intra));
  CONSORT_TRY(auto features, MakeFeatureExtractor(bundle.manifest));
  const ModelSource source{&bundle, &factory->arena_, features->shape()};
  CONSORT_TRY(factory->model_, LoadModel(source));
  CONSORT_TRY(WarmUp(*factory->model_, source));
  // Tables that are made at first use (FFT plans) are made before the fork, too.
  std::vector<float> silence(static_cast<size_t>(bundle.manifest.audio.SegmentSamples()));
  std::vector<float> input(static_cast<size_t>(features->size()));
  features->Extract(silence, input);
  return factory;
}

Result<std::unique_ptr<Pipeline>> RealPipelineFactory::Make(StageClock& clock) {
  ConfigureEngineThread(intra_);
  CONSORT_TRY(auto features, MakeFeatureExtractor(bundle_.manifest));
  CONSORT_TRY(auto runner, model_->NewRunner());
  return std::unique_ptr<Pipeline>(
      std::make_unique<RealPipeline>(bundle_, std::move(features), std::move(runner), clock));
}

}  // namespace consort
