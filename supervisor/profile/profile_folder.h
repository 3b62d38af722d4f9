// Where profiles lie: $XDG_CONFIG_HOME/consort/profiles, by default below ~/.config.
//
// Whatever else lies there, and however damaged it is, never ends a job: the worst is a warning.
#pragma once

#include <optional>
#include <string>

#include "shared/base/result.h"
#include "supervisor/profile/profile.h"

namespace consort {

// By the environment; empty if it names no home.
std::string ProfileFolder();

// Why XDG_CONFIG_HOME is not followed: one that is not absolute is to be ignored, says the XDG Base
// Directory Specification. Empty if it is, or is not set. `tune` and `doctor` say so; `run` does
// not, since it says nothing where there is no profile.
std::string IgnoredConfigHome();
std::string IgnoredConfigHome(const std::string& config_home);

struct FoundProfile {
  std::string path;                     // of what the next three are about
  std::optional<TunedProfile> profile;  // to be used
  std::string out_of_date;              // else: why it is not, in words; empty: nothing was found
  std::string warning;                  // about a file that could not be understood; may be empty
};

// The profile for this key, or the newest that once was for this bundle: one with its hash, or a
// bundle of the same folder's name or model's name.
FoundProfile FindProfile(const std::string& folder, const ProfileKey& key,
                         const BundleNames& names);

// Makes the folder and those above it.
Status MakeProfileFolder(const std::string& folder);

// Written beside and renamed: there is the old one or the new one at any moment. Returns the path.
Result<std::string> WriteProfile(const std::string& folder, const TunedProfile& profile);

}  // namespace consort
