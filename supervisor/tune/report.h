// What tuning found, in words and as JSON.
#pragma once

#include <string>
#include <vector>

#include "supervisor/profile/profile.h"
#include "supervisor/tune/search.h"

namespace consort {

struct TuneReport {
  std::string bundle;  // as given
  TuneOptions::Objective objective = TuneOptions::Objective::kThroughput;
  Size memory_limit;             // that was given
  std::string limit_words = {};  // what bounds memory: "--memory-limit 1G", "… leaves"
  const std::vector<Candidate>* candidates = nullptr;
  Decision decision;      // with a choice
  double asked_s = 0;     // for all of it
  double seconds = 0;     // that it took
  std::string path = {};  // of the profile
};

const char* ObjectiveName(TuneOptions::Objective objective);

// "2 processes x 1 thread: 141 segments/s ± 1 %; next best 1 x 2: 2 % slower".
std::string Verdict(const TuneReport& report);
// The verdict, how sure it is, a table of what was tried, the profile's path: lines for standard
// output.
std::string TextReport(const TuneReport& report);
std::string JsonReport(const TuneReport& report);

// Why nothing was chosen: nothing fits (the smallest that was measured), or nothing ran.
Error NothingChosen(const TuneReport& report);

}  // namespace consort
