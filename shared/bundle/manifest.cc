#include "shared/bundle/manifest.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "shared/bundle/json_object.h"
#include "shared/record/result.h"
#include "shared/segment/frames.h"
#include "shared/segment/segment.h"

namespace consort {
namespace {

constexpr double kLongestSegmentSeconds = 3600;
constexpr int64_t kHighestSampleRate = 768'000;  // Hz; no converter on the market goes beyond
constexpr int64_t kLargestFft = 1 << 20;
constexpr int64_t kMostMels = 65'536;
constexpr int64_t kMostFrames = 1 << 20;
constexpr double kLongestFrameMs = 1e6;
constexpr double kShortestFrame = 1e-4;  // seconds; a model that hears has none that are shorter
constexpr double kShortest = 1e-9;       // seconds; the grain of segment times

AudioSpec ReadAudio(JsonObject audio) {
  AudioSpec spec;
  spec.sample_rate = static_cast<int32_t>(audio.Integer("sample_rate", 1, kHighestSampleRate));
  using Channels = AudioSpec::Channels;
  spec.channels = audio.Choice<Channels>(
      "channels",
      {{"mix", Channels::kMix}, {"first", Channels::kFirst}, {"each", Channels::kEach}});
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

void ReadPower(JsonObject& features, FeatureSpec& spec, std::optional<double> otherwise) {
  spec.power = features.Number("power", 1, 2, otherwise);
  if (spec.power != 1 && spec.power != 2) {
    features.Complain("power", "is between 1 and 2", "1 is magnitude, 2 is power");
  }
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
  spec.drop_last_frame = features.Flag("drop_last_frame", false);
  ReadPower(features, spec, {});
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
}

void ReadLog(JsonObject& features, FeatureSpec& spec) {
  using Log = FeatureSpec::Log;
  spec.log = spec.kind == FeatureSpec::Kind::kMfcc
                 ? features.Choice<Log>("log", {{"db", Log::kDb}, {"log", Log::kLog}}, Log::kDb)
                 : features.Choice<Log>("log",
                                        {{"none", Log::kNone},
                                         {"log", Log::kLog},
                                         {"log10", Log::kLog10},
                                         {"db", Log::kDb}},
                                        Log::kNone);
  spec.floor = features.Number("floor", 0, 1e30, 1e-10);
  spec.log_offset = features.Number("log_offset", 0, 1e30, 0.0);
  spec.dynamic_range = features.Number("dynamic_range", 0, 1e30, 0.0);
  if (spec.log == Log::kNone) {
    const char* without = "needs a logarithm, and \"features.log\" is none";
    if (spec.log_offset != 0) features.Complain("log_offset", without);
    if (spec.dynamic_range != 0) features.Complain("dynamic_range", without);
  } else if (spec.floor + spec.log_offset < 1e-37) {  // the features are 32-bit floats
    features.Complain("floor", "is too small to take a logarithm of", "1e-10 is usual");
  }
}

// What every kind does with its values at the end.
void ReadMeanAndLayout(JsonObject& features, FeatureSpec& spec) {
  spec.mean = features.Number("mean", -1e30, 1e30, 0.0);
  spec.std = features.Number("std", 1e-30, 1e30, 1.0);
  using Layout = FeatureSpec::Layout;
  spec.layout = features.Choice<Layout>(
      "layout", {{"BCTM", Layout::kBCTM}, {"BTM", Layout::kBTM}, {"BMT", Layout::kBMT}},
      Layout::kBCTM);
}

void ReadLogMel(JsonObject& features, const AudioSpec& audio, FeatureSpec& spec) {
  ReadStft(features, spec);
  ReadMel(features, audio, spec);
  ReadLog(features, spec);
  if (spec.kind == FeatureSpec::Kind::kMfcc) {
    spec.n_mfcc = features.Integer("n_mfcc", 1, kMostMels);
    if (spec.n_mfcc > spec.n_mels) features.Complain("n_mfcc", "is more than n_mels");
    using Norm = FeatureSpec::DctNorm;
    spec.dct_norm = features.Choice<Norm>(
        "dct_norm", {{"ortho", Norm::kOrtho}, {"none", Norm::kNone}}, Norm::kOrtho);
  }
  const int64_t samples = std::max<int64_t>(1, audio.SegmentSamples());
  const std::string has = "a segment has " + std::to_string(samples) + " samples";
  if (!spec.center && samples < spec.n_fft) {
    features.Complain("n_fft", "is longer than a segment", has);
  }
  if (spec.center && spec.pad_mode == FeatureSpec::PadMode::kReflect && samples <= spec.n_fft / 2) {
    features.Complain("n_fft", "is too long to pad a segment by reflection", has);
  }
  if (spec.Frames(samples) < 1) {
    features.Complain("drop_last_frame", "drops the only frame of a segment", has);
  }
}

// Kaldi's own rounding: down.
int64_t SamplesOf(double ms, const AudioSpec& audio) {
  return static_cast<int64_t>(audio.sample_rate * ms / 1000);
}

int64_t NextPowerOfTwo(int64_t number) {
  int64_t power = 1;
  while (power < number) power *= 2;
  return power;
}

void ReadKaldiFrames(JsonObject& features, const AudioSpec& audio, FeatureSpec& spec) {
  spec.win_length = SamplesOf(features.Number("frame_length_ms", 0, kLongestFrameMs, 25.0), audio);
  spec.hop_length = SamplesOf(features.Number("frame_shift_ms", 0, kLongestFrameMs, 10.0), audio);
  if (spec.win_length < 2) features.Complain("frame_length_ms", "is less than two samples");
  if (spec.hop_length < 1) features.Complain("frame_shift_ms", "is less than one sample");
  const int64_t samples = audio.SegmentSamples();
  if (spec.win_length > std::min(samples, kLargestFft)) {
    features.Complain("frame_length_ms", "is longer than a segment, or than 2^20 samples",
                      "a frame has " + std::to_string(spec.win_length) + " samples, a segment " +
                          std::to_string(samples));
  }
  spec.win_length = std::clamp<int64_t>(spec.win_length, 2, kLargestFft);
  spec.hop_length = std::max<int64_t>(spec.hop_length, 1);
  const bool round = features.Flag("round_to_power_of_two", true);
  spec.n_fft = round ? NextPowerOfTwo(spec.win_length) : spec.win_length;
  if (spec.n_fft % 2 != 0) {
    features.Complain("frame_length_ms",
                      "is " + std::to_string(spec.win_length) + " samples, an odd number",
                      "set round_to_power_of_two to true, or change it");
  }
  spec.snip_edges = features.Flag("snip_edges", true);
  const int64_t frames = spec.Frames(samples);
  if (frames < 1) features.Complain("frame_shift_ms", "is so long that a segment has no frame");
  spec.target_frames = features.Integer("target_frames", 0, kMostFrames, 0);
  if (spec.target_frames != 0 && spec.target_frames < frames) {
    features.Complain("target_frames",
                      "is " + std::to_string(spec.target_frames) + ", less than the " +
                          std::to_string(frames) + " frames of a segment",
                      "shorten audio.segment_seconds: what is cut off would never be heard");
  }
}

void ReadKaldiFbank(JsonObject& features, const AudioSpec& audio, FeatureSpec& spec) {
  ReadKaldiFrames(features, audio, spec);
  spec.scale = features.Number("scale", 1e-30, 1e30, 1.0);
  if (features.Number("dither", -1e30, 1e30, 0.0) != 0) {
    features.Complain("dither", "is not 0", "dither is random: no two runs would say the same");
  }
  spec.remove_dc = features.Flag("remove_dc", true);
  spec.preemphasis = features.Number("preemphasis", 0, 1, 0.97);
  using Window = FeatureSpec::Window;
  spec.window = features.Choice<Window>("window",
                                        {{"povey", Window::kPovey},
                                         {"hann", Window::kHann},
                                         {"hamming", Window::kHamming},
                                         {"rectangular", Window::kRectangular},
                                         {"blackman", Window::kBlackman}},
                                        Window::kPovey);
  ReadPower(features, spec, 2.0);
  const double nyquist = audio.sample_rate / 2.0;
  spec.n_mels = features.Integer("n_mels", 1, kMostMels);
  spec.f_min = features.Number("f_min", 0, nyquist, 20.0);
  spec.f_max = features.Number("f_max", -nyquist, nyquist, 0.0);
  if (spec.f_max <= 0) spec.f_max += nyquist;
  if (spec.f_max <= spec.f_min) features.Complain("f_max", "is not above f_min");
  if (features.Flag("use_energy", false)) {
    features.Complain("use_energy", "is true, which is not supported", "take it out");
  }
  using Log = FeatureSpec::Log;
  spec.log = features.Choice<Log>("log", {{"log", Log::kLog}, {"none", Log::kNone}}, Log::kLog);
}

FeatureSpec ReadFeatures(JsonObject features, const AudioSpec& audio) {
  FeatureSpec spec;
  using Kind = FeatureSpec::Kind;
  spec.kind = features.Choice<Kind>("kind", {{"waveform", Kind::kWaveform},
                                             {"log_mel", Kind::kLogMel},
                                             {"mfcc", Kind::kMfcc},
                                             {"kaldi_fbank", Kind::kKaldiFbank}});
  switch (spec.kind) {
    case Kind::kWaveform:
      break;
    case Kind::kLogMel:
    case Kind::kMfcc:
      ReadLogMel(features, audio, spec);
      ReadMeanAndLayout(features, spec);
      break;
    case Kind::kKaldiFbank:
      ReadKaldiFbank(features, audio, spec);
      ReadMeanAndLayout(features, spec);
      break;
  }
  features.Finish();
  return spec;
}

OutputSpec::Activation ReadActivation(JsonObject& output, OutputSpec::Activation otherwise) {
  using Activation = OutputSpec::Activation;
  return output.Choice<Activation>("activation",
                                   {{"none", Activation::kNone},
                                    {"sigmoid", Activation::kSigmoid},
                                    {"softmax", Activation::kSoftmax},
                                    {"log_softmax", Activation::kLogSoftmax}},
                                   otherwise);
}

std::string SecondsText(int64_t ns) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.9g", static_cast<double>(ns) / 1e9);
  return text;
}

// What all outputs with frames have: how long one is, so that those of a file's segments join.
void ReadFrames(JsonObject& output, const AudioSpec& audio, OutputSpec& spec) {
  const double longest = std::max(kShortestFrame, static_cast<double>(audio.segment_ns) / 1e9);
  spec.frame_ns = SecondsToNs(output.Number("frame_seconds", kShortestFrame, longest));
  if (spec.frame_ns == 0 || audio.hop_ns == 0 || audio.segment_ns == 0) return;  // there is trouble
  if (audio.hop_ns > audio.segment_ns) {
    output.Complain("kind",
                    "needs every frame of a file, and \"audio.hop_seconds\" is more than "
                    "\"audio.segment_seconds\"",
                    "set it to " + SecondsText(audio.segment_ns));
    return;
  }
  if (FrameGrid::IsWhole(audio.hop_ns, spec.frame_ns)) return;
  int64_t nearest = FrameGrid::Nearest(audio.hop_ns, spec.frame_ns) * spec.frame_ns;
  if (nearest > audio.segment_ns) nearest -= spec.frame_ns;
  output.Complain("frame_seconds",
                  "is " + SecondsText(spec.frame_ns) + ", and \"audio.hop_seconds\", " +
                      SecondsText(audio.hop_ns) + ", is no whole number of them",
                  "the nearest hop that fits is " + SecondsText(nearest));
}

void ReadEvents(JsonObject& output, OutputSpec& spec) {
  spec.threshold = output.Number("threshold", -1e30, 1e30, 0.5);
  spec.threshold_off = output.Number("threshold_off", -1e30, 1e30, spec.threshold);
  if (spec.threshold_off > spec.threshold) {
    output.Complain("threshold_off", "is above threshold", "an event ends below it");
  }
  spec.min_ns = SecondsToNs(output.Number("min_seconds", 0, kLongestSegmentSeconds, 0.0));
  spec.min_gap_ns = SecondsToNs(output.Number("min_gap_seconds", 0, kLongestSegmentSeconds, 0.0));
  spec.pad_ns = SecondsToNs(output.Number("pad_seconds", 0, kLongestSegmentSeconds, 0.0));
}

OutputSpec ReadOutput(JsonObject output, const AudioSpec& audio) {
  OutputSpec spec;
  using Kind = OutputSpec::Kind;
  using Activation = OutputSpec::Activation;
  spec.kind = output.Choice<Kind>(
      "kind", {{"tags", Kind::kTags}, {"frames", Kind::kFrames}, {"ctc", Kind::kCtc}});
  spec.activation =
      ReadActivation(output, spec.kind == Kind::kCtc ? Activation::kLogSoftmax : Activation::kNone);
  spec.labels_path = output.Text("labels");
  switch (spec.kind) {
    case Kind::kTags:
      spec.top_k = output.Integer("top_k", 1, static_cast<int64_t>(kMaxTags), 5);
      spec.threshold = output.Number("threshold", -1e30, 1e30, 0.0);
      break;
    case Kind::kFrames:
      ReadFrames(output, audio, spec);
      ReadEvents(output, spec);
      break;
    case Kind::kCtc:
      ReadFrames(output, audio, spec);
      spec.blank = output.Integer("blank", 0, JsonObject::kAnyCount, 0);
      spec.word_separator = output.Text("word_separator", "|");
      break;
  }
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
  if (prepared.Has("source")) {
    JsonObject source = prepared.Object("source");
    spec.source_name = source.Text("name", "");
    if (source.Has("post")) spec.post_name = source.Object("post").Text("name", "");
  }
  if (prepared.Has("cpu")) spec.cpu = ReadCpu(prepared.Object("cpu"));
  ReadInput(prepared, spec);
  if (prepared.Has("files")) {
    JsonObject files = prepared.Object("files");
    for (const auto& name : files.Keys()) {
      JsonObject file = files.Object(name);
      spec.files.push_back(
          {name, file.Text("sha256"), file.Integer("bytes", 0, JsonObject::kAnyCount)});
      if (spec.files.back().sha256.size() != 64) file.Complain("sha256", "is not 64 hex digits");
      if (name.empty() || name[0] == '/' || ("/" + name + "/").find("/../") != std::string::npos) {
        files.Complain(name, "is outside of the bundle");
      }
    }
  } else if (spec.backend != Backend::kNull) {
    prepared.Complain("files", "is missing", "make the bundle again with consort-prepare");
  }
  spec.output_size = prepared.Integer("output_size", 0, JsonObject::kAnyCount, 0);
  if (prepared.Has("written_buffers")) spec.written_buffers = prepared.Texts("written_buffers");
  return spec;
}

}  // namespace

int64_t AudioSpec::SegmentSamples() const { return RoundSamples(segment_ns, sample_rate); }

int64_t FeatureSpec::Frames(int64_t samples) const {
  if (kind == Kind::kKaldiFbank) {
    if (!snip_edges) return (samples + hop_length / 2) / hop_length;
    return samples < win_length ? 0 : 1 + (samples - win_length) / hop_length;
  }
  const int64_t padded = samples + (center ? n_fft / 2 * 2 : 0);
  return 1 + (padded - n_fft) / hop_length - (drop_last_frame ? 1 : 0);
}

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
  manifest.output = ReadOutput(root.Object("output"), manifest.audio);
  manifest.stateful = root.Flag("stateful", false);
  if (manifest.stateful && manifest.audio.hop_ns != manifest.audio.segment_ns) {
    root.Complain("stateful", "is true, but audio.hop_seconds is not audio.segment_seconds",
                  "a model with state hears a file from end to end: make them the same");
  }
  manifest.has_prepared = root.Has("prepared");
  if (manifest.has_prepared) manifest.prepared = ReadPrepared(root.Object("prepared"));
  if (manifest.stateful && manifest.prepared.batch != 1) {
    root.Complain("stateful",
                  "is true, but the bundle was prepared for batches of " +
                      std::to_string(manifest.prepared.batch),
                  "the segments of a file come one after the other: make the bundle again without "
                  "--batch");
  }
  root.Finish();
  CONSORT_TRY(file.status());
  return manifest;
}

}  // namespace consort
