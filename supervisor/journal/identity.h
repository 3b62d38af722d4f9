// What decides a job's results, apart from its list. A job may only go on with the same.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "shared/base/result.h"

namespace consort {

struct IdentityPart {
  std::string key;    // in the journal
  std::string value;  // compared
  // For the sentence: `the model was VALUE and is VALUE now`.
  std::string words;
  // A difference may be gone on with by --mixed: it costs last bits of scores only.
  bool may_mix = false;
  bool compared = true;
  // In the sentence, for an empty value: of a job that was begun before the part was known, too.
  std::string when_empty = "unknown";
};

using Identity = std::vector<IdentityPart>;

// Raised when the lines of the same model and sounds become others.
inline constexpr int kResultsVersion = 1;

struct IdentitySource {
  std::string bundle = {};    // its folder, for people: results do not depend on where it is
  std::string model_sha256;   // of what its results depend on
  std::string torch_version;  // of the bundle; empty without LibTorch
  int intra = 1;              // 0: LibTorch's own choice
  bool intra_given = true;    // by the person; else consort chose it, and keeps to it
  std::string output;         // path of the results
  std::string job;            // path of the job's folder, which exists
  Identity tags = {};         // parts of the choice of tags (supervisor/choose/)
};

Identity MakeIdentity(const IdentitySource& source);

// What consort chose when the job was begun; nullopt: the person did. `was` as below.
std::optional<int> IntraChosenThen(const std::vector<std::pair<std::string, std::string>>& was);

// Ok, or what it was, what it is now and what to do. `was` is from the journal: keys and values.
Status CompareIdentity(const std::vector<std::pair<std::string, std::string>>& was,
                       const Identity& now, const std::string& job, bool mixed);

}  // namespace consort
