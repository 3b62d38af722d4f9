// What `consort tune` found, as `consort run` uses it.
#pragma once

#include <functional>
#include <string>

#include "shared/bundle/bundle.h"
#include "supervisor/cli/options.h"
#include "supervisor/place/machine.h"

namespace consort {

// A line for the person; `warns`: a profile is there and cannot be used.
using SayOfProfile = std::function<void(const std::string& line, bool warns)>;

// With neither -p nor -t, the tuned profile's split goes into `options`, and its --intra unless one
// is given. `say` takes a line for the person: that it is used, or why one that is there is not.
// `cpu`: the CPU's model. A job that goes on takes whatever the profile says now, since the split
// does not show in results; --intra does, and is checked as if it had been given.
void UseTunedProfile(RunOptions& options, const Bundle& bundle, const std::string& cpu,
                     const Machine& machine, const SayOfProfile& say);

}  // namespace consort
