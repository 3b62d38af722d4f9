#include "supervisor/job/tuned_split.h"

#include "supervisor/cli/version.h"
#include "supervisor/job/memory_bounds.h"
#include "supervisor/profile/profile_folder.h"
#include "supervisor/view/number.h"

namespace consort {

void UseTunedProfile(RunOptions& options, const Bundle& bundle, const std::string& cpu,
                     const Machine& machine, const SayOfProfile& say) {
  if (options.workers || options.engines) return;
  const ProfileKey key{.consort = kVersion,
                       .cpu = cpu,
                       .usable_cpus = machine.usable_cpus,
                       .bundle_sha256 = bundle.sha256};
  const auto found = FindProfile(ProfileFolder(), key, NamesOf(bundle));
  if (!found.warning.empty()) say(found.warning, true);
  if (!found.profile) {
    if (found.out_of_date.empty()) return;
    say("tuned profile " + found.path + " is out of date: " + found.out_of_date +
            "; \"consort tune\" makes it anew",
        true);
    return;
  }
  const TunedProfile& profile = *found.profile;
  const TreeLimit limit = BoundOfTree(machine, options);
  if (limit.bytes > 0 && profile.peak_pss_bytes > limit.bytes) {
    say("tuned profile " + found.path + " is not used: its split took " +
            Bytes(profile.peak_pss_bytes) + ", more than " + limit.name +
            "; \"consort tune --memory-limit\" finds one that fits",
        true);
    return;
  }
  say("using tuned profile " + found.path, false);
  options.workers = profile.split.processes;
  options.engines = profile.split.threads;
  options.tuned = !options.intra_given || options.intra == profile.split.intra;
  if (!options.intra_given) options.intra = profile.split.intra;
}

}  // namespace consort
