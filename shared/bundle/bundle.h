// A bundle on disk: a folder with model.json, the code, weights.bin with weights.json, the labels.
// A bundle is a program: run only what you trust.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/bundle/manifest.h"

namespace consort {

// One tensor in weights.bin.
struct WeightEntry {
  std::string name;
  std::string dtype;  // "float32", "int64", "bfloat16", "uint8", "bool", …
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;  // elements
  bool opaque = false;           // layout "mkldnn": shape and strides are as the backend gave them
  int64_t offset = 0;            // bytes in weights.bin, a multiple of 64
  int64_t nbytes = 0;            // bytes from offset
  int64_t storage_offset = 0;    // elements, from offset
  std::vector<uint8_t> descriptor;  // serialized layout of an opaque tensor, else empty
};

struct WeightTable {
  int64_t bytes = 0;   // size of weights.bin
  std::string sha256;  // of weights.bin
  std::vector<WeightEntry> tensors;
};

struct Bundle {
  std::string folder;  // as given
  Manifest manifest;
  std::vector<std::string> labels;
  WeightTable weights;  // empty for the null backend
  std::string sha256;   // of model.json: through it, of every file
  // Of what results depend on: all of model.json but names, times, drifts, and what it was made
  // of, with and on. Equal when a bundle is made again from the same model.
  std::string model_sha256;
};

// Reads and checks manifest, labels and table; checks presence and size of every listed file, and
// the hash of every one but weights.bin, whose hash is checked while it is copied to the arena.
Result<Bundle> LoadBundle(const std::string& folder);

// The same in mid-job: an error unless it is the one that the job began with, whose hash this is.
// Empty: any.
Result<Bundle> LoadBundleAgain(const std::string& folder, const std::string& sha256);

// Whether it is one, and not just a manifest that one may be made from.
Status CheckPrepared(const Bundle& bundle);

// `text` is the content of weights.json; `path` is for messages. Every range lies in weights.bin.
Result<WeightTable> ParseWeightTable(const std::string& text, const std::string& path);

}  // namespace consort
