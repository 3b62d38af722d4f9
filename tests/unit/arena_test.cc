#include "shared/arena/arena.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <numeric>

#include "bundle_folder.h"

#ifdef __SANITIZE_ADDRESS__
// The sanitizer would make an exit of the SIGSEGV that a test waits for.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "handle_segv=0"; }
#endif

namespace consort {
namespace {

// More than one piece of the copy, and no whole number of pages.
std::string SomeWeights() {
  std::string bytes((3 << 20) + 1000 * 64, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
  return bytes;
}

class ArenaTest : public testing::Test {
 protected:
  void Load(const std::string& weights) {
    folder_.WriteAll(weights);
    auto bundle = LoadBundle(folder_.path());
    ASSERT_TRUE(bundle) << bundle.error().Sentence();
    bundle_ = std::move(bundle).value();
  }
  UniqueFd Fill() {
    auto memfd = FillArena(bundle_);
    EXPECT_TRUE(memfd) << memfd.error().Sentence();
    return memfd ? std::move(memfd).value() : UniqueFd();
  }
  BundleFolder folder_;
  Bundle bundle_;
};

// Sum of a field, in kB, over the mappings whose line in smaps holds `name`.
int64_t SmapsKb(const std::string& name, const std::string& field) {
  std::ifstream smaps("/proc/self/smaps");
  int64_t sum = 0;
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    if (line.find('-') < line.find(' ')) inside = line.find(name) != std::string::npos;
    if (inside && line.starts_with(field + ":")) sum += std::stoll(line.substr(field.size() + 1));
  }
  return sum;
}

TEST_F(ArenaTest, AModelWithoutWeightsNeedsNone) { EXPECT_TRUE(ArenaView::Map(-1, 0).has_value()); }

TEST_F(ArenaTest, HoldsTheBytesOfTheFile) {
  const std::string weights = SomeWeights();
  Load(weights);
  const UniqueFd memfd = Fill();
  const auto view = ArenaView::Map(memfd.get(), bundle_.weights.bytes);
  ASSERT_TRUE(view) << view.error().Sentence();
  ASSERT_EQ(view.value().size(), static_cast<int64_t>(weights.size()));
  EXPECT_EQ(memcmp(view.value().data(), weights.data(), weights.size()), 0);
}

TEST_F(ArenaTest, OutlivesItsDescriptor) {
  Load(SomeWeights());
  UniqueFd memfd = Fill();
  auto view = ArenaView::Map(memfd.get(), bundle_.weights.bytes).value();
  memfd.Reset();
  const ArenaView moved = std::move(view);
  EXPECT_EQ(static_cast<char>(moved.data()[251]), SomeWeights()[251]);
}

TEST_F(ArenaTest, KeepsEveryPageShared) {
  Load(SomeWeights());
  const UniqueFd memfd = Fill();
  const auto view = ArenaView::Map(memfd.get(), bundle_.weights.bytes).value();
  const auto touched = std::accumulate(view.data(), view.data() + view.size(), uint64_t{0},
                                       [](uint64_t sum, std::byte b) { return sum + uint64_t(b); });
  ASSERT_NE(touched, 0U);
  const pid_t child =
      fork();  // a page that only one process maps counts as private, whatever it is
  if (child == 0) {
    const auto again = std::accumulate(view.data(), view.data() + view.size(), uint64_t{0},
                                       [](uint64_t sum, std::byte b) { return sum + uint64_t(b); });
    const bool shared = again == touched &&
                        SmapsKb("memfd:consort-weights", "Rss") >= view.size() / 1024 &&
                        SmapsKb("memfd:consort-weights", "Private_Dirty") == 0 &&
                        SmapsKb("memfd:consort-weights", "Private_Clean") == 0 &&
                        SmapsKb("memfd:consort-weights", "Anonymous") == 0;
    _exit(shared ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(ArenaTest, EndsAProcessThatWritesToAWeight) {
  Load(SomeWeights());
  const UniqueFd memfd = Fill();
  const auto view = ArenaView::Map(memfd.get(), bundle_.weights.bytes).value();
  EXPECT_EXIT(const_cast<std::byte&>(view.data()[100]) = std::byte{1},
              testing::KilledBySignal(SIGSEGV), "");
  EXPECT_EQ(static_cast<char>(view.data()[100]), SomeWeights()[100]);
}

TEST_F(ArenaTest, CannotBeMadeWritable) {
  Load(SomeWeights());
  const UniqueFd memfd = Fill();
  const auto view = ArenaView::Map(memfd.get(), bundle_.weights.bytes).value();
  EXPECT_EQ(mprotect(const_cast<std::byte*>(view.data()), 4096, PROT_READ | PROT_WRITE), -1);
  const char byte = 1;
  EXPECT_EQ(pwrite(memfd.get(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(ftruncate(memfd.get(), 0), -1);
  EXPECT_EQ(mmap(nullptr, 4096, PROT_WRITE, MAP_SHARED, memfd.get(), 0), MAP_FAILED);
}

TEST_F(ArenaTest, RefusesAnAlteredByte) {
  std::string weights = SomeWeights();
  Load(weights);
  weights[weights.size() / 2] ^= 1;
  folder_.Write("weights.bin", weights);
  const auto memfd = FillArena(bundle_);
  ASSERT_FALSE(memfd);
  EXPECT_EQ(memfd.error().what, "\"" + folder_.File("weights.bin") +
                                    "\" is not the file that was prepared: its SHA-256 differs");
}

TEST_F(ArenaTest, RefusesAFileThatGrewOrShrankSince) {
  std::string weights = SomeWeights();
  Load(weights);
  folder_.Write("weights.bin", weights + "more");
  EXPECT_FALSE(FillArena(bundle_));
  weights.pop_back();
  folder_.Write("weights.bin", weights);
  EXPECT_FALSE(FillArena(bundle_));
  std::filesystem::remove(folder_.File("weights.bin"));
  EXPECT_EQ(FillArena(bundle_).error().what,
            "could not open \"" + folder_.File("weights.bin") + "\": no such file or directory");
}

TEST_F(ArenaTest, NeedsNoMappingWithoutWeights) {
  Load("");
  const UniqueFd memfd = Fill();
  const auto view = ArenaView::Map(memfd.get(), 0);
  ASSERT_TRUE(view) << view.error().Sentence();
  EXPECT_EQ(view.value().size(), 0);
  EXPECT_EQ(view.value().data(), nullptr);
}

TEST_F(ArenaTest, ServesABundleOfTheNullWorker) {
  bundle_.manifest.prepared.backend = Prepared::Backend::kNull;
  bundle_.folder = folder_.File("nowhere");
  EXPECT_TRUE(ArenaView::Map(Fill().get(), 0));
}

TEST_F(ArenaTest, RefusesToMapWhatIsUnsealedOrOfAnotherSize) {
  const UniqueFd open(memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(open.get(), 4096), 0);
  EXPECT_FALSE(ArenaView::Map(open.get(), 4096));
  Load(SomeWeights());
  const UniqueFd memfd = Fill();
  EXPECT_FALSE(ArenaView::Map(memfd.get(), bundle_.weights.bytes + 64));
  EXPECT_FALSE(ArenaView::Map(-1, 64));
}

}  // namespace
}  // namespace consort
