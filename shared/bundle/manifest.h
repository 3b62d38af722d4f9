// The manifest of a model bundle, `model.json`, version 1: what the model hears and says.
//
// Unknown keys are errors. The same rules stand as a JSON Schema in include/consort/
// manifest.schema.json, which the Python side checks. This reader never trusts the schema to have
// been applied.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shared/base/result.h"

namespace consort {

struct AudioSpec {
  int32_t sample_rate = 0;  // Hz, what the model hears
  // Of a file with several: the mean of all, or the first; or each by itself, as if it were a file
  // of its own.
  enum class Channels { kMix, kFirst, kEach } channels = Channels::kMix;
  int64_t segment_ns = 0;
  int64_t hop_ns = 0;
  enum class Normalize { kNone, kZeroMeanUnitVariance, kPeak } normalize = Normalize::kNone;

  int64_t SegmentSamples() const;  // at sample_rate
  bool each_channel() const { return channels == Channels::kEach; }
};

struct FeatureSpec {
  enum class Kind { kWaveform, kLogMel, kMfcc, kKaldiFbank } kind = Kind::kWaveform;
  // The rest is not for waveform. Of kaldi_fbank the first three follow from milliseconds.
  int64_t n_fft = 0;
  int64_t win_length = 0;  // samples
  int64_t hop_length = 0;
  // The last three are Kaldi's.
  enum class Window { kHann, kHamming, kPovey, kRectangular, kBlackman } window = Window::kHann;
  double power = 2.0;  // 1: magnitude, 2: power
  int64_t n_mels = 0;
  double f_min = 0;  // Hz
  double f_max = 0;
  enum class Log { kNone, kLog, kLog10, kDb } log = Log::kNone;  // log: natural; dB: 10 log10
  double mean = 0;  // what is given out: (x - mean) / std
  double std = 1;
  enum class Layout { kBCTM, kBTM, kBMT } layout = Layout::kBCTM;

  // log_mel and mfcc.
  bool center = true;
  enum class PadMode { kReflect, kConstant } pad_mode = PadMode::kReflect;
  bool drop_last_frame = false;
  enum class MelScale { kHtk, kSlaney } mel_scale = MelScale::kHtk;
  enum class MelNorm { kNone, kSlaney } mel_norm = MelNorm::kNone;
  double floor = 1e-10;  // the logarithm is of max(x, floor) + log_offset
  double log_offset = 0;
  double dynamic_range = 0;  // below a segment's maximum, in the logarithm's unit; 0: no limit

  // mfcc.
  int64_t n_mfcc = 0;
  enum class DctNorm { kOrtho, kNone } dct_norm = DctNorm::kOrtho;

  // kaldi_fbank.
  double scale = 1;  // of samples, before everything else
  double preemphasis = 0.97;
  bool remove_dc = true;
  bool snip_edges = true;
  int64_t target_frames = 0;  // zeros are appended up to so many; 0: none are

  // Of a segment of so many samples at the model's rate, before target_frames; below 1 if there is
  // none. Not for waveform.
  int64_t Frames(int64_t samples) const;
};

struct OutputSpec {
  enum class Kind { kTags, kFrames, kCtc } kind = Kind::kTags;
  enum class Activation { kNone, kSigmoid, kSoftmax, kLogSoftmax } activation = Activation::kNone;
  std::string labels_path;  // as written: relative to the manifest's folder, or absolute
  double threshold = 0.0;
  // Of tags and frames, where a run chooses other than the manifest (shared/bundle/tag_choice.h): a
  // threshold for each label, infinite for one that is left out. Empty: `threshold` is that of all.
  std::vector<float> label_thresholds = {};

  // tags.
  int64_t top_k = 5;

  // frames and ctc.
  int64_t frame_ns = 0;  // from one frame of the model's answer to the next; a hop is whole ones

  // frames. An event begins at `threshold` and ends below `threshold_off`.
  double threshold_off = 0.0;
  int64_t min_ns = 0;      // no longer than that: no event
  int64_t min_gap_ns = 0;  // of frames below threshold_off, shorter than that: no end
  int64_t pad_ns = 0;      // put before and behind each event

  // ctc.
  int64_t blank = 0;           // index of the label that stands for nothing
  std::string word_separator;  // see supervisor/join/words.h; empty: each token is a word
};

// What consort-prepare found; absent in a manifest written by hand.
struct Prepared {
  // kCheck stands in no manifest: files are opened, and there is no model (check_bundle.h).
  enum class Backend { kTorchScript, kAoti, kNull, kCheck } backend = Backend::kTorchScript;
  std::string precision = "fp32";
  std::string torch_version;  // "2.13.0"
  std::string source_name;    // of the file it was made from, for people; empty if not told
  std::string post_name;      // the same of its post model; empty: it has none
  struct Cpu {                // that it was made for (shared/bundle/built_for.h)
    std::string model;
    std::vector<std::string> flags;
    bool portable = false;  // needs the flags and no more
  } cpu;
  std::vector<int64_t> input_shape;  // with the batch in front; empty if not told
  int64_t batch = 1;                 // segments in one forward
  struct File {
    std::string name;    // relative to the bundle
    std::string sha256;  // 64 hex digits
    int64_t bytes = 0;
  };
  std::vector<File> files;                   // every file of the bundle but model.json
  int64_t output_size = 0;                   // scores for a segment; 0 if not told
  std::vector<std::string> written_buffers;  // names the model writes to: private to each engine
};

struct Manifest {
  std::string name;
  AudioSpec audio;
  FeatureSpec features;
  OutputSpec output;
  bool stateful = false;
  bool has_prepared = false;
  Prepared prepared;
};

// `text` is the content of model.json; `path` is for messages.
Result<Manifest> ParseManifest(const std::string& text, const std::string& path);

}  // namespace consort
