#include "shared/bundle/manifest.h"

#include <algorithm>
#include <cmath>

#include "shared/bundle/json_object.h"
#include "shared/record/result.h"
#include "shared/segment/segment.h"

namespace consort {
namespace {

constexpr double kLongestSegmentSeconds = 3600;
constexpr int64_t kHighestSampleRate = 768'000;  // Hz; no converter on the market goes beyond
constexpr int64_t kLargestFft = 1 << 20;
constexpr int64_t kMostMels = 65'536;
constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
constexpr double kShortest = 1e-9;  // seconds; the grain of segment times

AudioSpec ReadAudio(JsonObject audio) {
  AudioSpec spec;
  spec.sample_rate = static_cast<int32_t>(audio.Integer("sample_rate", 1, kHighestSampleRate));
  audio.Choice<int>("channels", {{"mix", 0}});
  spec.segment_ns = SecondsToNs(audio.Number("segment_seconds", kShortest, kLongestSegmentSeconds));
  spec.hop_ns = SecondsToNs(audio.Number("hop_seconds", kShortest, kLongestSegmentSeconds));
  using Normalize = AudioSpec::Normalize;
  spec.normalize =
      audio.Choice<Normalize>("normalize",
                              {{"none", Normalize::kNone},
                               {"zero_mean_unit_variance", Normalize::kZeroMeanUnitVariance},
                               {"peak", Normalize::kPeak}},
                              Normalize::kNone);
  if (RoundSamples(spec.segment_ns, spec.sample_rate) < 1) {
    audio.Complain("segment_seconds", "is shorter than one sample");
  }
  if (RoundSamples(spec.hop_ns, spec.sample_rate) < 1) {
    audio.Complain("hop_seconds", "is shorter than one sample");
  }
  audio.Finish();
  return spec;
}

void ReadStft(JsonObject& features, FeatureSpec& spec) {
  spec.n_fft = features.Integer("n_fft", 1, kLargestFft);
  spec.win_length = features.Integer("win_length", 1, spec.n_fft, spec.n_fft);
  spec.hop_length = features.Integer("hop_length", 1, kLargestFft);
  using Window = FeatureSpec::Window;
  spec.window = features.Choice<Window>(
      "window", {{"hann", Window::kHann}, {"hamming", Window::kHamming}}, Window::kHann);
  spec.center = features.Flag("center", true);
  using PadMode = FeatureSpec::PadMode;
  spec.pad_mode = features.Choice<PadMode>(
      "pad_mode", {{"reflect", PadMode::kReflect}, {"constant", PadMode::kConstant}},
      PadMode::kReflect);
  spec.power = features.Number("power", 1, 2);
  if (spec.power != 1 && spec.power != 2) {
    features.Complain("power", "is between 1 and 2", "1 is magnitude, 2 is power");
  }
}

void ReadMel(JsonObject& features, const AudioSpec& audio, FeatureSpec& spec) {
  const double nyquist = audio.sample_rate / 2.0;
  spec.n_mels = features.Integer("n_mels", 1, kMostMels);
  spec.f_min = features.Number("f_min", 0, nyquist);
  spec.f_max = features.Number("f_max", 0, nyquist);
  if (spec.f_max <= spec.f_min) features.Complain("f_max", "is not above f_min");
  using Scale = FeatureSpec::MelScale;
  spec.mel_scale = features.Choice<Scale>(
      "mel_scale", {{"htk", Scale::kHtk}, {"slaney", Scale::kSlaney}}, Scale::kHtk);
  using Norm = FeatureSpec::MelNorm;
  spec.mel_norm = features.Choice<Norm>(
      "mel_norm", {{"none", Norm::kNone}, {"slaney", Norm::kSlaney}}, Norm::kNone);
  using Log = FeatureSpec::Log;
  spec.log = features.Choice<Log>(
      "log", {{"none", Log::kNone}, {"log", Log::kLog}, {"log10", Log::kLog10}}, Log::kNone);
  spec.floor = features.Number("floor", 0, 1e30, 1e-10);
  if (spec.log != Log::kNone && spec.floor < 1e-37) {  // the features are 32-bit floats
    features.Complain("floor", "is too small to take a logarithm of", "1e-10 is usual");
  }
  using Layout = FeatureSpec::Layout;
  spec.layout = features.Choice<Layout>(
      "layout", {{"BCTM", Layout::kBCTM}, {"BTM", Layout::kBTM}, {"BMT", Layout::kBMT}},
      Layout::kBCTM);
}

FeatureSpec ReadFeatures(JsonObject features, const AudioSpec& audio) {
  FeatureSpec spec;
  using Kind = FeatureSpec::Kind;
  spec.kind = features.Choice<Kind>("kind", {{"waveform", Kind::kWaveform},
                                             {"log_mel", Kind::kLogMel},
                                             {"mfcc", Kind::kMfcc},
                                             {"kaldi_fbank", Kind::kKaldiFbank}});
  if (spec.kind == Kind::kMfcc || spec.kind == Kind::kKaldiFbank) {
    features.Complain("kind", "\"" + features.Text("kind") + "\" is not supported yet",
                      "use log_mel or waveform");
    return spec;
  }
  if (spec.kind == Kind::kLogMel) {
    ReadStft(features, spec);
    ReadMel(features, audio, spec);
    const int64_t samples = std::max<int64_t>(1, audio.SegmentSamples());
    if (!spec.center && samples < spec.n_fft) {
      features.Complain("n_fft", "is longer than a segment",
                        "a segment has " + std::to_string(samples) + " samples");
    }
    if (spec.center && spec.pad_mode == FeatureSpec::PadMode::kReflect &&
        samples <= spec.n_fft / 2) {
      features.Complain("n_fft", "is too long to pad a segment by reflection",
                        "a segment has " + std::to_string(samples) + " samples");
    }
  }
  features.Finish();
  return spec;
}

OutputSpec ReadOutput(JsonObject output) {
  OutputSpec spec;
  using Kind = OutputSpec::Kind;
  spec.kind = output.Choice<Kind>(
      "kind", {{"tags", Kind::kTags}, {"frames", Kind::kFrames}, {"ctc", Kind::kCtc}});
  if (spec.kind != Kind::kTags) {
    output.Complain("kind", "\"" + output.Text("kind") + "\" is not supported yet", "use tags");
    return spec;
  }
  using Activation = OutputSpec::Activation;
  spec.activation = output.Choice<Activation>("activation",
                                              {{"none", Activation::kNone},
                                               {"sigmoid", Activation::kSigmoid},
                                               {"softmax", Activation::kSoftmax},
                                               {"log_softmax", Activation::kLogSoftmax}},
                                              Activation::kNone);
  spec.labels_path = output.Text("labels");
  spec.top_k = output.Integer("top_k", 1, static_cast<int64_t>(kMaxTags), 5);
  spec.threshold = output.Number("threshold", -1e30, 1e30, 0.0);
  output.Finish();
  return spec;
}

// Any segment of a group waits for the whole group, and a wider one was never seen to pay.
constexpr int64_t kLargestBatch = 64;

Prepared::Cpu ReadCpu(JsonObject cpu) {
  Prepared::Cpu spec;
  spec.model = cpu.Text("model", "");
  if (cpu.Has("flags")) spec.flags = cpu.Texts("flags");
  spec.portable = cpu.Flag("portable", false);
  return spec;
}

// Compiled code believes what it is told: for it the shape must be there.
void ReadInput(JsonObject& prepared, Prepared& spec) {
  spec.batch = prepared.Integer("batch", 1, kLargestBatch, 1);
  if (prepared.Has("input_shape")) spec.input_shape = prepared.Integers("input_shape", 1);
  if (spec.backend != Prepared::Backend::kAoti) return;
  if (spec.input_shape.empty() || spec.input_shape.front() != spec.batch) {
    prepared.Complain("input_shape", "does not begin with the batch",
                      "make the bundle again with consort-prepare");
  }
}

// Not strict: what consort-prepare writes here grows.
Prepared ReadPrepared(JsonObject prepared) {
  Prepared spec;
  using Backend = Prepared::Backend;
  spec.backend = prepared.Choice<Backend>(
      "backend",
      {{"torchscript", Backend::kTorchScript}, {"aoti", Backend::kAoti}, {"null", Backend::kNull}});
  spec.precision = prepared.Text("precision", "fp32");
  spec.torch_version = prepared.Text("torch", "");
  if (prepared.Has("source")) spec.source_name = prepared.Object("source").Text("name", "");
  if (prepared.Has("cpu")) spec.cpu = ReadCpu(prepared.Object("cpu"));
  ReadInput(prepared, spec);
  if (prepared.Has("files")) {
    JsonObject files = prepared.Object("files");
    for (const auto& name : files.Keys()) {
      JsonObject file = files.Object(name);
      spec.files.push_back({name, file.Text("sha256"), file.Integer("bytes", 0, kMost)});
      if (spec.files.back().sha256.size() != 64) file.Complain("sha256", "is not 64 hex digits");
      if (name.empty() || name[0] == '/' || ("/" + name + "/").find("/../") != std::string::npos) {
        files.Complain(name, "is outside of the bundle");
      }
    }
  } else if (spec.backend != Backend::kNull) {
    prepared.Complain("files", "is missing", "make the bundle again with consort-prepare");
  }
  spec.output_size = prepared.Integer("output_size", 0, kMost, 0);
  if (prepared.Has("written_buffers")) spec.written_buffers = prepared.Texts("written_buffers");
  return spec;
}

}  // namespace

int64_t AudioSpec::SegmentSamples() const { return RoundSamples(segment_ns, sample_rate); }

Result<Manifest> ParseManifest(const std::string& text, const std::string& path) {
  JsonFile file(text, path);
  CONSORT_TRY(file.status());
  JsonObject root(file, file.root(), "");
  Manifest manifest;
  root.Integer("consort", 1, 1);
  manifest.name = root.Text("name");
  if (root.Has("name") && manifest.name.empty()) root.Complain("name", "is empty");
  manifest.audio = ReadAudio(root.Object("audio"));
  manifest.features = ReadFeatures(root.Object("features"), manifest.audio);
  manifest.output = ReadOutput(root.Object("output"));
  manifest.stateful = root.Flag("stateful", false);
  manifest.has_prepared = root.Has("prepared");
  if (manifest.has_prepared) manifest.prepared = ReadPrepared(root.Object("prepared"));
  root.Finish();
  CONSORT_TRY(file.status());
  return manifest;
}

}  // namespace consort
