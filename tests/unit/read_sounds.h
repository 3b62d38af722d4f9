// Sounds for the tests of worker/read: made with libsndfile in a folder that goes when the test
// ends.
#pragma once

#include <gtest/gtest.h>
#include <sndfile.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "worker/read/segment_reader.h"

namespace consort {

inline AudioSpec Spec(int32_t rate, double segment_seconds, double hop_seconds) {
  AudioSpec spec;
  spec.sample_rate = rate;
  spec.segment_ns = SecondsToNs(segment_seconds);
  spec.hop_ns = SecondsToNs(hop_seconds);
  return spec;
}

// Interleaved frames of a falling tone with noise, never twice the same.
inline std::vector<float> Sound(int64_t frames, int channels, int32_t rate, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::vector<float> sound(static_cast<size_t>(frames * channels));
  for (int64_t i = 0; i < frames; ++i) {
    for (int c = 0; c < channels; ++c) {
      const double t = static_cast<double>(i) / rate;
      const double tone = std::sin((900.0 + 60.0 * c) * t + 20.0 * std::sin(t));
      const double noise = static_cast<double>(random() % 2001) / 1000.0 - 1.0;
      sound[static_cast<size_t>(i * channels + c)] = static_cast<float>(0.4 * tone + 0.1 * noise);
    }
  }
  return sound;
}

class ReadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "consort_read_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

  // Writes a file and gives its path.
  std::string Write(const std::string& name, int format, const std::vector<float>& sound,
                    int channels, int32_t rate) {
    SF_INFO info{};
    info.samplerate = rate;
    info.channels = channels;
    info.format = format;
    SNDFILE* file = sf_open(Path(name).c_str(), SFM_WRITE, &info);
    EXPECT_NE(file, nullptr) << name << ": " << sf_strerror(nullptr);
    if (file == nullptr) return Path(name);
    const auto frames = static_cast<int64_t>(sound.size()) / channels;
    // libsndfile's Vorbis encoder overflows the stack when given much at once.
    for (int64_t at = 0; at < frames; at += 4096) {
      sf_writef_float(file, sound.data() + at * channels, std::min<int64_t>(4096, frames - at));
    }
    sf_close(file);
    return Path(name);
  }

  std::string WriteBytes(const std::string& name, const std::string& bytes) const {
    std::ofstream(Path(name), std::ios::binary) << bytes;
    return Path(name);
  }
  static std::string Bytes(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // The first part of a file, under another name.
  std::string Cut(const std::string& path, double part) const {
    const std::string bytes = Bytes(path);
    return WriteBytes(
        "cut_" + std::filesystem::path(path).filename().string(),
        bytes.substr(0, static_cast<size_t>(static_cast<double>(bytes.size()) * part)));
  }
  // The file with some bytes in its middle overwritten.
  std::string Damage(const std::string& path, double place, size_t size = 5000) const {
    std::string bytes = Bytes(path);
    std::mt19937 random(7);
    const auto at = static_cast<size_t>(static_cast<double>(bytes.size()) * place);
    for (size_t i = at; i < at + size && i < bytes.size(); ++i) {
      bytes[i] = static_cast<char>(random());
    }
    return WriteBytes("damaged_" + std::filesystem::path(path).filename().string(), bytes);
  }

  std::filesystem::path folder_;
  StageClock clock_;
};

// All segments in a row; the first fault ends them.
struct Heard {
  MaybeFault fault;
  int64_t faulty_segment = -1;
  int64_t segments = 0;
  FileInfo info;
  std::vector<float> samples;
};

inline Heard HearAll(SegmentReader& reader, const AudioSpec& spec, const std::string& path) {
  Heard heard;
  heard.fault = reader.Open(path);
  if (heard.fault) return heard;
  heard.info = reader.info();
  heard.segments = reader.segment_count();
  std::vector<float> segment(static_cast<size_t>(spec.SegmentSamples()));
  for (int64_t k = 0; k < heard.segments; ++k) {
    heard.fault = reader.ReadSegment(k, segment);
    if (heard.fault) {
      heard.faulty_segment = k;
      break;
    }
    heard.samples.insert(heard.samples.end(), segment.begin(), segment.end());
  }
  reader.Close();
  return heard;
}

}  // namespace consort
