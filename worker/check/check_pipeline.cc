#include "worker/check/check_pipeline.h"

#include "worker/read/segment_reader.h"
#include "worker/stage/stage_clock.h"

namespace consort {
namespace {

class CheckPipeline : public Pipeline {
 public:
  CheckPipeline(const AudioSpec& audio, StageClock& clock) : reader_(audio, clock) {}

  Result<PipelineFault> Open(const std::string& path, FileInfo& info) override {
    if (const auto fault = reader_.Open(path)) {
      if (fault->ours) return Error{fault->message};
      return PipelineFault(ToFault(*fault));
    }
    info = reader_.info();
    return PipelineFault();
  }

  int64_t SegmentCount() const override { return reader_.segment_count(); }

  PipelineFault Run(int64_t, int64_t, SegmentResult& result) override {
    if (const auto fault = reader_.CheckEnd()) return ToFault(*fault);
    result = SegmentTags{};
    return std::nullopt;
  }

  bool reads_all() const override { return false; }
  void Close() override { reader_.Close(); }

 private:
  SegmentReader reader_;
};

}  // namespace

Result<std::unique_ptr<Pipeline>> CheckPipelineFactory::Make(StageClock& clock) {
  return std::unique_ptr<Pipeline>(std::make_unique<CheckPipeline>(bundle_.manifest.audio, clock));
}

}  // namespace consort
