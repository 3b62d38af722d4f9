#include <gtest/gtest.h>

#include "bundle_folder.h"
#include "shared/bundle/manifest.h"

namespace consort {
namespace {

using Json = nlohmann::json;

Result<Manifest> Parse(const Json& manifest) { return ParseManifest(manifest.dump(), "m.json"); }

std::string Trouble(const Json& manifest) {
  const auto result = Parse(manifest);
  return result ? "" : result.error().what;
}

// The good manifest with the value at a JSON pointer replaced; null takes the key out.
Json With(const std::string& pointer, const Json& value) {
  Json manifest = GoodManifest();
  const Json::json_pointer at(pointer);
  if (value.is_null()) {
    manifest[at.parent_pointer()].erase(at.back());
  } else {
    manifest[at] = value;
  }
  return manifest;
}

TEST(Manifest, FillsInDefaults) {
  const auto result = Parse(GoodManifest());
  ASSERT_TRUE(result) << result.error().Sentence();
  const Manifest& manifest = result.value();
  EXPECT_EQ(manifest.name, "tiny");
  EXPECT_EQ(manifest.audio.sample_rate, 8000);
  EXPECT_EQ(manifest.audio.segment_ns, 1'000'000'000);
  EXPECT_EQ(manifest.audio.hop_ns, 500'000'000);
  EXPECT_EQ(manifest.audio.SegmentSamples(), 8000);
  EXPECT_EQ(manifest.audio.normalize, AudioSpec::Normalize::kNone);
  EXPECT_EQ(manifest.features.win_length, 256);
  EXPECT_EQ(manifest.features.window, FeatureSpec::Window::kHann);
  EXPECT_TRUE(manifest.features.center);
  EXPECT_EQ(manifest.features.pad_mode, FeatureSpec::PadMode::kReflect);
  EXPECT_EQ(manifest.features.mel_scale, FeatureSpec::MelScale::kHtk);
  EXPECT_EQ(manifest.features.mel_norm, FeatureSpec::MelNorm::kNone);
  EXPECT_EQ(manifest.features.log, FeatureSpec::Log::kNone);
  EXPECT_EQ(manifest.features.floor, 1e-10);
  EXPECT_EQ(manifest.features.layout, FeatureSpec::Layout::kBCTM);
  EXPECT_EQ(manifest.output.activation, OutputSpec::Activation::kNone);
  EXPECT_EQ(manifest.output.top_k, 5);
  EXPECT_EQ(manifest.output.threshold, 0.0);
  EXPECT_FALSE(manifest.stateful);
  EXPECT_FALSE(manifest.has_prepared);
}

TEST(Manifest, ReadsWhatDiffersFromTheDefaults) {
  Json json = GoodManifest();
  json["audio"]["normalize"] = "peak";
  json["audio"]["hop_seconds"] = 1;
  json["features"].update({{"win_length", 200},
                           {"window", "hamming"},
                           {"center", false},
                           {"pad_mode", "constant"},
                           {"power", 1},
                           {"mel_scale", "slaney"},
                           {"mel_norm", "slaney"},
                           {"log", "log10"},
                           {"floor", 1e-5},
                           {"layout", "BMT"}});
  json["output"].update({{"activation", "softmax"}, {"top_k", 4096}, {"threshold", 0.25}});
  json["stateful"] = true;
  const auto result = Parse(json);
  ASSERT_TRUE(result) << result.error().Sentence();
  const Manifest& manifest = result.value();
  EXPECT_EQ(manifest.audio.normalize, AudioSpec::Normalize::kPeak);
  EXPECT_EQ(manifest.features.win_length, 200);
  EXPECT_EQ(manifest.features.window, FeatureSpec::Window::kHamming);
  EXPECT_FALSE(manifest.features.center);
  EXPECT_EQ(manifest.features.pad_mode, FeatureSpec::PadMode::kConstant);
  EXPECT_EQ(manifest.features.power, 1.0);
  EXPECT_EQ(manifest.features.mel_scale, FeatureSpec::MelScale::kSlaney);
  EXPECT_EQ(manifest.features.mel_norm, FeatureSpec::MelNorm::kSlaney);
  EXPECT_EQ(manifest.features.log, FeatureSpec::Log::kLog10);
  EXPECT_EQ(manifest.features.floor, 1e-5);
  EXPECT_EQ(manifest.features.layout, FeatureSpec::Layout::kBMT);
  EXPECT_EQ(manifest.output.activation, OutputSpec::Activation::kSoftmax);
  EXPECT_EQ(manifest.output.top_k, 4096);
  EXPECT_EQ(manifest.output.threshold, 0.25);
  EXPECT_TRUE(manifest.stateful);
}

TEST(Manifest, SaysWhichChannelsAreHeard) {
  using Channels = AudioSpec::Channels;
  EXPECT_EQ(Parse(With("/audio/channels", "mix")).value().audio.channels, Channels::kMix);
  EXPECT_EQ(Parse(With("/audio/channels", "first")).value().audio.channels, Channels::kFirst);
  EXPECT_EQ(Parse(With("/audio/channels", "each")).value().audio.channels, Channels::kEach);
  EXPECT_TRUE(Parse(With("/audio/channels", "each")).value().audio.each_channel());
  EXPECT_FALSE(Parse(With("/audio/channels", "first")).value().audio.each_channel());
  EXPECT_EQ(Parse(With("/audio/channels", "left")).error().hint,
            "it can be one of: mix, first, each");
}

TEST(Manifest, NamesTheUnknownKeyAndItsPlace) {
  EXPECT_EQ(Trouble(With("/features/n_ffft", 3)),
            "\"m.json\": \"features.n_ffft\" is not a known key");
  EXPECT_EQ(Trouble(With("/audio/gain", 3)), "\"m.json\": \"audio.gain\" is not a known key");
  EXPECT_EQ(Trouble(With("/output/best", 3)), "\"m.json\": \"output.best\" is not a known key");
  EXPECT_EQ(Trouble(With("/extra", 3)), "\"m.json\": \"extra\" is not a known key");
}

TEST(Manifest, NamesEveryMissingKeyThatHasNoDefault) {
  for (const char* key :
       {"/consort", "/name", "/audio", "/features", "/output", "/audio/sample_rate",
        "/audio/channels", "/audio/segment_seconds", "/audio/hop_seconds", "/features/kind",
        "/features/n_fft", "/features/hop_length", "/features/power", "/features/n_mels",
        "/features/f_min", "/features/f_max", "/output/kind", "/output/labels"}) {
    std::string name = std::string(key).substr(1);
    if (name.find('/') != std::string::npos) name[name.find('/')] = '.';
    EXPECT_EQ(Trouble(With(key, nullptr)), "\"m.json\": \"" + name + "\" is missing");
  }
}

TEST(Manifest, NamesTheKeyOfAWrongTypeOrRange) {
  const std::pair<const char*, Json> wrong[] = {
      {"/consort", 2},
      {"/consort", "1"},
      {"/name", 7},
      {"/name", ""},
      {"/audio", Json::array()},
      {"/audio/sample_rate", 0},
      {"/audio/sample_rate", 8000.5},
      {"/audio/sample_rate", "8000"},
      {"/audio/sample_rate", 768001},
      {"/audio/channels", "left"},
      {"/audio/segment_seconds", 0},
      {"/audio/segment_seconds", -1},
      {"/audio/segment_seconds", 3600.1},
      {"/audio/segment_seconds", 1e-5},
      {"/audio/hop_seconds", 0},
      {"/audio/hop_seconds", 1e-6},
      {"/audio/normalize", "loud"},
      {"/features/kind", "spectrum"},
      {"/features/n_fft", 0},
      {"/features/n_fft", 1e300},
      {"/features/win_length", 257},
      {"/features/hop_length", 0},
      {"/features/window", "flat"},
      {"/features/center", 1},
      {"/features/pad_mode", "edge"},
      {"/features/power", 1.5},
      {"/features/n_mels", 0},
      {"/features/f_min", -1},
      {"/features/f_max", 4000.5},
      {"/features/f_max", 50},
      {"/features/mel_scale", "bark"},
      {"/features/mel_norm", 1},
      {"/features/log", "bel"},
      {"/features/floor", -1e-3},
      {"/features/layout", "TBM"},
      {"/output/kind", "words"},
      {"/output/activation", "relu"},
      {"/output/labels", 3},
      {"/output/top_k", 0},
      {"/output/top_k", 4097},
      {"/output/threshold", "high"},
      {"/stateful", "no"},
      {"/prepared", 1},
  };
  for (const auto& [pointer, value] : wrong) {
    std::string name = std::string(pointer).substr(1);
    if (name.find('/') != std::string::npos) name[name.find('/')] = '.';
    const std::string trouble = Trouble(With(pointer, value));
    EXPECT_TRUE(trouble.starts_with("\"m.json\": \"" + name + "\" ")) << pointer << ": " << trouble;
  }
}

TEST(Manifest, AModelWithStateHearsAFileFromEndToEnd) {
  Json json = With("/stateful", true);
  EXPECT_EQ(Trouble(json),
            "\"m.json\": \"stateful\" is true, but audio.hop_seconds is not audio.segment_seconds");
  json["audio"]["hop_seconds"] = 1;
  EXPECT_EQ(Trouble(json), "");
  json["prepared"] = {{"backend", "torchscript"}, {"files", Json::object()}, {"batch", 4}};
  EXPECT_EQ(Trouble(json),
            "\"m.json\": \"stateful\" is true, but the bundle was prepared for batches of 4");
}

TEST(Manifest, RefusesALogarithmOfZero) {
  Json json = With("/features/log", "log");
  json["features"]["floor"] = 0;
  EXPECT_TRUE(Trouble(json).starts_with("\"m.json\": \"features.floor\""));
}

TEST(Manifest, RefusesASegmentTooShortForItsStft) {
  Json json = With("/audio/segment_seconds", 0.016);  // 128 samples
  EXPECT_TRUE(Trouble(json).starts_with("\"m.json\": \"features.n_fft\""));
  json["features"]["pad_mode"] = "constant";
  EXPECT_EQ(Trouble(json), "");
  json["features"]["center"] = false;
  EXPECT_TRUE(Trouble(json).starts_with("\"m.json\": \"features.n_fft\""));
}

TEST(Manifest, WaveformTakesNoOtherKey) {
  Json json = GoodManifest();
  json["features"] = {{"kind", "waveform"}};
  EXPECT_EQ(Trouble(json), "");
  json["features"]["n_fft"] = 256;
  EXPECT_EQ(Trouble(json), "\"m.json\": \"features.n_fft\" is not a known key");
}

// Of Kaldi's, at 8 kHz: 200 samples a frame, in 256; a segment of a second has 98.
Json KaldiManifest() {
  Json json = GoodManifest();
  json["features"] = {{"kind", "kaldi_fbank"}, {"n_mels", 20}};
  return json;
}

Json MfccManifest() {
  Json json = GoodManifest();
  json["features"]["kind"] = "mfcc";
  json["features"]["n_mfcc"] = 13;
  json["features"].erase("log");
  json["features"].erase("floor");
  return json;
}

TEST(Manifest, KnowsKaldisDefaults) {
  const auto result = Parse(KaldiManifest());
  ASSERT_TRUE(result) << result.error().Sentence();
  const FeatureSpec& spec = result.value().features;
  EXPECT_EQ(spec.win_length, 200);
  EXPECT_EQ(spec.hop_length, 80);
  EXPECT_EQ(spec.n_fft, 256);
  EXPECT_EQ(spec.window, FeatureSpec::Window::kPovey);
  EXPECT_EQ(spec.power, 2);
  EXPECT_EQ(spec.f_min, 20);
  EXPECT_EQ(spec.f_max, 4000);
  EXPECT_EQ(spec.log, FeatureSpec::Log::kLog);
  EXPECT_EQ(spec.preemphasis, 0.97);
  EXPECT_EQ(spec.scale, 1);
  EXPECT_TRUE(spec.remove_dc);
  EXPECT_TRUE(spec.snip_edges);
  EXPECT_EQ(spec.Frames(8000), 98);
}

TEST(Manifest, CountsKaldisHighestFrequencyFromHalfTheRate) {
  Json json = KaldiManifest();
  json["features"]["f_max"] = -400;
  EXPECT_EQ(Parse(json).value().features.f_max, 3600);
  json["features"]["f_max"] = -3990;
  EXPECT_EQ(Trouble(json), "\"m.json\": \"features.f_max\" is not above f_min");
}

TEST(Manifest, KnowsTheDefaultsOfMfcc) {
  const auto result = Parse(MfccManifest());
  ASSERT_TRUE(result) << result.error().Sentence();
  const FeatureSpec& spec = result.value().features;
  EXPECT_EQ(spec.log, FeatureSpec::Log::kDb);
  EXPECT_EQ(spec.dct_norm, FeatureSpec::DctNorm::kOrtho);
  EXPECT_EQ(spec.dynamic_range, 0);
}

TEST(Manifest, NamesTheWrongKeyOfEveryKind) {
  const std::pair<const char*, Json> kaldi[] = {{"frame_length_ms", 0.1},
                                                {"frame_length_ms", 1001},
                                                {"frame_shift_ms", 0},
                                                {"window", "flat"},
                                                {"dither", 1},
                                                {"use_energy", true},
                                                {"target_frames", 97},
                                                {"scale", 0},
                                                {"preemphasis", 1.1},
                                                {"power", 3},
                                                {"log", "db"},
                                                {"std", 0},
                                                {"mel_scale", "htk"},
                                                {"n_fft", 256},
                                                {"center", true},
                                                {"round_to_power_of_two", 1}};
  for (const auto& [key, value] : kaldi) {
    Json json = KaldiManifest();
    json["features"][key] = value;
    EXPECT_TRUE(Trouble(json).starts_with(std::string("\"m.json\": \"features.") + key + "\" "))
        << key << ": " << Trouble(json);
  }
  const std::pair<const char*, Json> mfcc[] = {
      {"n_mfcc", 21}, {"n_mfcc", 0},         {"log", "none"},    {"dct_norm", "slaney"},
      {"scale", 2},   {"dynamic_range", -1}, {"window", "povey"}};
  for (const auto& [key, value] : mfcc) {
    Json json = MfccManifest();
    json["features"][key] = value;
    EXPECT_TRUE(Trouble(json).starts_with(std::string("\"m.json\": \"features.") + key + "\" "))
        << key << ": " << Trouble(json);
  }
  const std::pair<const char*, Json> log_mel[] = {
      {"n_mfcc", 13}, {"preset", "whisper"}, {"drop_last_frame", 1}, {"std", -1}};
  for (const auto& [key, value] : log_mel) {
    const std::string trouble = Trouble(With(std::string("/features/") + key, value));
    EXPECT_TRUE(trouble.starts_with(std::string("\"m.json\": \"features.") + key + "\" "))
        << trouble;
  }
}

TEST(Manifest, RefusesAnOddKaldiFrameThatIsNotRoundedUp) {
  Json json = KaldiManifest();
  json["features"]["frame_length_ms"] = 25.125;  // 201 samples
  EXPECT_EQ(Trouble(json), "");
  json["features"]["round_to_power_of_two"] = false;
  EXPECT_EQ(Trouble(json),
            "\"m.json\": \"features.frame_length_ms\" is 201 samples, an odd number");
}

TEST(Manifest, RefusesWhatNeedsALogarithmWithoutOne) {
  for (const char* key : {"log_offset", "dynamic_range"}) {
    Json json = With("/features/log", "none");
    json["features"][key] = 1;
    EXPECT_EQ(Trouble(json), std::string("\"m.json\": \"features.") + key +
                                 "\" needs a logarithm, and \"features.log\" is none");
  }
}

TEST(Manifest, RefusesToDropTheOnlyFrame) {
  Json json = With("/features/drop_last_frame", true);
  EXPECT_EQ(Trouble(json), "");
  json["features"]["hop_length"] = 8001;
  EXPECT_EQ(Trouble(json),
            "\"m.json\": \"features.drop_last_frame\" drops the only frame of a segment");
}

Json WithFrames(const char* kind) {
  Json json = GoodManifest();
  json["output"] = {{"kind", kind}, {"labels", "labels.txt"}, {"frame_seconds", 0.02}};
  return json;
}

TEST(Manifest, ReadsOutputsWithFrames) {
  auto manifest = Parse(WithFrames("frames")).value();
  EXPECT_EQ(manifest.output.kind, OutputSpec::Kind::kFrames);
  EXPECT_EQ(manifest.output.activation, OutputSpec::Activation::kNone);
  EXPECT_EQ(manifest.output.frame_ns, 20'000'000);
  EXPECT_EQ(manifest.output.threshold, 0.5);
  EXPECT_EQ(manifest.output.threshold_off, 0.5);
  EXPECT_EQ(manifest.output.min_ns + manifest.output.min_gap_ns + manifest.output.pad_ns, 0);
  Json json = WithFrames("frames");
  json["output"].update({{"threshold", 0.6},
                         {"threshold_off", 0.25},
                         {"min_seconds", 0.25},
                         {"min_gap_seconds", 0.1},
                         {"pad_seconds", 0.03}});
  manifest = Parse(json).value();
  EXPECT_EQ(manifest.output.threshold, 0.6);
  EXPECT_EQ(manifest.output.threshold_off, 0.25);
  EXPECT_EQ(manifest.output.min_ns, 250'000'000);
  EXPECT_EQ(manifest.output.min_gap_ns, 100'000'000);
  EXPECT_EQ(manifest.output.pad_ns, 30'000'000);
  manifest = Parse(WithFrames("ctc")).value();
  EXPECT_EQ(manifest.output.kind, OutputSpec::Kind::kCtc);
  EXPECT_EQ(manifest.output.activation, OutputSpec::Activation::kLogSoftmax);
  EXPECT_EQ(manifest.output.blank, 0);
  EXPECT_EQ(manifest.output.word_separator, "|");
  json = WithFrames("ctc");
  json["output"].update({{"blank", 3}, {"word_separator", ""}, {"activation", "none"}});
  manifest = Parse(json).value();
  EXPECT_EQ(manifest.output.blank, 3);
  EXPECT_EQ(manifest.output.word_separator, "");
  EXPECT_EQ(manifest.output.activation, OutputSpec::Activation::kNone);
}

TEST(Manifest, RefusesOutputsWhoseFramesDoNotJoin) {
  Json json = WithFrames("ctc");
  json["audio"]["hop_seconds"] = 0.505;
  const auto refused = Parse(json);
  EXPECT_EQ(refused.error().what,
            "\"m.json\": \"output.frame_seconds\" is 0.02, and \"audio.hop_seconds\", 0.505, is no "
            "whole number of them");
  EXPECT_EQ(refused.error().hint, "the nearest hop that fits is 0.5");
  json["audio"]["hop_seconds"] = 1.5;
  EXPECT_EQ(Trouble(json),
            "\"m.json\": \"output.kind\" needs every frame of a file, and "
            "\"audio.hop_seconds\" is more than \"audio.segment_seconds\"");
  // Seconds that no decimal number has in full.
  json["audio"]["hop_seconds"] = 43 * 256 / 22050.0;
  json["output"]["frame_seconds"] = 256 / 22050.0;
  EXPECT_EQ(Trouble(json), "");
  json["output"]["frame_seconds"] = 0.0116;
  EXPECT_NE(Trouble(json), "");
}

TEST(Manifest, RefusesKeysOfAnotherOutput) {
  for (const auto& [kind, key] : {std::pair("tags", "frame_seconds"), std::pair("tags", "blank"),
                                  std::pair("frames", "top_k"), std::pair("frames", "blank"),
                                  std::pair("ctc", "threshold"), std::pair("ctc", "pad_seconds")}) {
    Json json = std::string(kind) == "tags" ? GoodManifest() : WithFrames(kind);
    json["output"][key] = 1;
    EXPECT_EQ(Trouble(json), std::string("\"m.json\": \"output.") + key + "\" is not a known key");
  }
  Json json = WithFrames("frames");
  json["output"].erase("frame_seconds");
  EXPECT_NE(Trouble(json), "");
  json = WithFrames("frames");
  json["output"]["threshold_off"] = 0.6;
  EXPECT_EQ(Trouble(json), "\"m.json\": \"output.threshold_off\" is above threshold");
}

TEST(Manifest, RefusesTextThatIsNoJsonOrRepeatsAKey) {
  EXPECT_TRUE(ParseManifest("{\"consort\": 1,", "m.json")
                  .error()
                  .what.starts_with("\"m.json\": is not JSON: parse error at line 1"));
  EXPECT_EQ(ParseManifest("[]", "m.json").error().what, "\"m.json\": the content is not an object");
  EXPECT_EQ(ParseManifest("{\"name\": \"a\", \"name\": \"b\"}", "m.json").error().what,
            "\"m.json\": has the key \"name\" twice");
}

TEST(Manifest, ReadsWhatWasPreparedAndLetsItGrow) {
  Json json = GoodManifest();
  const std::string sha256(64, 'a');
  json["prepared"] = {{"backend", "torchscript"},
                      {"precision", "fp32"},
                      {"torch", "2.13.0"},
                      {"files", {{"code.pt", {{"sha256", sha256}, {"bytes", 12}}}}},
                      {"written_buffers", {"state"}},
                      {"output_size", 3},
                      {"news", {{"a", 1}}}};
  const auto result = Parse(json);
  ASSERT_TRUE(result) << result.error().Sentence();
  const Prepared& prepared = result.value().prepared;
  EXPECT_TRUE(result.value().has_prepared);
  EXPECT_EQ(prepared.backend, Prepared::Backend::kTorchScript);
  EXPECT_EQ(prepared.torch_version, "2.13.0");
  ASSERT_EQ(prepared.files.size(), 1U);
  EXPECT_EQ(prepared.files[0].name, "code.pt");
  EXPECT_EQ(prepared.files[0].sha256, sha256);
  EXPECT_EQ(prepared.files[0].bytes, 12);
  EXPECT_EQ(prepared.written_buffers, std::vector<std::string>{"state"});
  EXPECT_EQ(prepared.output_size, 3);
}

TEST(Manifest, ReadsWhatCompiledCodeWasMadeFor) {
  Json json = GoodManifest();
  json["prepared"] = {
      {"backend", "aoti"},
      {"torch", "2.13.0"},
      {"source",
       {{"name", "cnn.pt"}, {"sha256", "…"}, {"post", {{"name", "decode.pt"}, {"sha256", "…"}}}}},
      {"cpu",
       {{"model", "AMD EPYC"},
        {"capability", "AVX512"},
        {"flags", {"avx2", "fma"}},
        {"portable", true}}},
      {"input_shape", {4, 1, 301, 64}},
      {"batch", 4},
      {"packed", {{"weights", 14}, {"of", 14}}},
      {"files", Json::object()}};
  const auto result = Parse(json);
  ASSERT_TRUE(result) << result.error().Sentence();
  const Prepared& prepared = result.value().prepared;
  EXPECT_EQ(prepared.backend, Prepared::Backend::kAoti);
  EXPECT_EQ(prepared.source_name, "cnn.pt");
  EXPECT_EQ(prepared.post_name, "decode.pt");
  EXPECT_EQ(prepared.cpu.model, "AMD EPYC");
  EXPECT_EQ(prepared.cpu.flags, (std::vector<std::string>{"avx2", "fma"}));
  EXPECT_TRUE(prepared.cpu.portable);
  EXPECT_EQ(prepared.batch, 4);
  EXPECT_EQ(prepared.input_shape, (std::vector<int64_t>{4, 1, 301, 64}));

  json["prepared"].erase("batch");
  EXPECT_TRUE(Trouble(json).ends_with("\"prepared.input_shape\" does not begin with the batch"));
  json["prepared"]["input_shape"][0] = 1;
  EXPECT_EQ(Parse(json).value().prepared.batch, 1);
  json["prepared"].erase("input_shape");
  EXPECT_NE(Trouble(json), "");
}

TEST(Manifest, KeepsTheFilesOfABundleInside) {
  for (const char* name : {"../weights.bin", "/etc/passwd", "a/../../b", ".."}) {
    Json json = GoodManifest();
    json["prepared"] = {{"backend", "torchscript"},
                        {"files", {{name, {{"sha256", std::string(64, 'a')}, {"bytes", 1}}}}}};
    EXPECT_TRUE(Trouble(json).ends_with("is outside of the bundle")) << name;
  }
}

}  // namespace
}  // namespace consort
