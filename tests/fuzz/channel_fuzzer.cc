// Coverage-guided fuzzing of what the supervisor reads from a worker: tools/soak fuzz. With
// --corpus FOLDER as its only arguments it writes the inputs to begin with.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include "hostile_channel.h"

extern "C" int LLVMFuzzerInitialize(int* count, char*** words) {
  testing::GTEST_FLAG(throw_on_failure) = true;
  if (*count != 3 || std::string((*words)[1]) != "--corpus") return 0;
  int n = 0;
  for (const auto& script : consort::test::HonestScripts()) {
    std::ofstream file(std::string((*words)[2]) + "/script-" + std::to_string(n++),
                       std::ios::binary);
    file.write(reinterpret_cast<const char*>(script.data()),
               static_cast<std::streamsize>(script.size()));
    if (!file.flush()) std::exit(1);
  }
  std::exit(0);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using consort::test::Told;
  consort::test::LetItScribble(data, size, size % 2 == 0 ? Told::kTags : Told::kRuns);
  return 0;
}
