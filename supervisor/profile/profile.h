// A tuned profile: the split that `consort tune` found for one bundle on one kind of machine, and
// what it was found by. As JSON; docs/tuning.md has it key by key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/bundle/bundle.h"

namespace consort {

// What a profile is good for. Where one of these differs it says nothing.
struct ProfileKey {
  std::string consort;  // version
  std::string cpu;      // model, as the kernel names it
  int usable_cpus = 0;
  std::string bundle_sha256;

  bool operator==(const ProfileKey&) const = default;
};

// The names that a bundle goes by: of its folder, and in its manifest.
struct BundleNames {
  std::string folder;
  std::string model;
};

BundleNames NamesOf(const Bundle& bundle);

struct ProfileSplit {
  int processes = 1;
  int threads = 1;
  int intra = 1;
};

// One measured run.
struct ProfileTrial {
  ProfileSplit split;
  int round = 0;
  double seconds = 0;  // for which segments were counted
  double took_s = 0;   // start and end included
  double per_second = 0;
  double spread = 0;  // its relative standard error
  double p95_ms = 0;
  int64_t peak_pss_bytes = 0;
};

struct TunedProfile {
  ProfileKey key;
  BundleNames bundle;
  std::string made;       // UTC
  std::string objective;  // "throughput", "latency", "memory"
  ProfileSplit split;
  int64_t memory_limit = 0;    // bytes, as given to tune; 0: none
  int64_t peak_pss_bytes = 0;  // of the split
  double per_second = 0;
  double error = 0;  // its relative standard error
  double sure = 0;   // probability that no other split is better by more than 2 %
  std::vector<ProfileTrial> trials = {};  // not read back
};

std::string ProfileJson(const TunedProfile& profile);

// `path` is for messages. Of a profile that another version of consort made only the key and the
// names are read.
Result<TunedProfile> ParseProfile(const std::string& text, const std::string& path,
                                  const std::string& version);

// "cnn14-0123456789abcdef.json": the model's name, as far as a file may be called so, and a hash
// of the key.
std::string ProfileFileName(const std::string& model, const ProfileKey& key);

// Why a profile with the key `was` says nothing about `now`: "made for 4 usable CPUs, here are 2".
// Empty if the keys are equal.
std::string OutOfDateWords(const ProfileKey& was, const ProfileKey& now);

}  // namespace consort
