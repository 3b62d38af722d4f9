#include "shared/bundle/built_for.h"

#include <gtest/gtest.h>

#include "bundle_folder.h"

namespace consort {
namespace {

Bundle MadeOn(const CpuIdentity& cpu) {
  Bundle bundle;
  bundle.folder = "b";
  auto& prepared = bundle.manifest.prepared;
  prepared.backend = Prepared::Backend::kAoti;
  prepared.torch_version = "2.13.0";
  prepared.source_name = "cnn.pt";
  prepared.cpu.model = cpu.model;
  prepared.cpu.flags = cpu.flags;
  return bundle;
}

const CpuIdentity kOld{"Old", {"avx2", "fma"}};
const CpuIdentity kNew{"New", {"avx2", "fma", "avx512f", "amx_tile"}};

std::string Trouble(const Bundle& bundle, const CpuIdentity& cpu, const std::string& torch = {}) {
  const Status status = CheckBuiltFor(bundle, cpu, torch);
  return status ? "" : status.error().Sentence();
}

TEST(BuiltFor, TheSameCpuWhateverItsName) {
  EXPECT_EQ(Trouble(MadeOn(kNew), kNew, "2.13.0"), "");
  EXPECT_EQ(Trouble(MadeOn(kNew), {"Another", {"amx_tile", "avx512f", "fma", "avx2"}}), "");
}

TEST(BuiltFor, ACpuThatLacksSomethingIsRefusedWithTheCommandThatHelps) {
  EXPECT_EQ(Trouble(MadeOn(kNew), kOld),
            "bundle \"b\": it was made for a CPU (New) with avx512f, amx_tile, which this "
            "machine's CPU (Old) does not have; make the bundle again on this machine: "
            "consort-prepare cnn.pt -o b");
}

TEST(BuiltFor, ACpuThatHasMoreIsRefusedForItsPackedWeights) {
  EXPECT_EQ(Trouble(MadeOn(kOld), kNew),
            "bundle \"b\": it was made for a CPU (Old) without avx512f, amx_tile, which this "
            "machine's CPU (New) has: its weights are packed otherwise; make the bundle again on "
            "this machine: consort-prepare cnn.pt -o b");
}

TEST(BuiltFor, APortableBundleNeedsWhatItSaysAndNoMore) {
  Bundle bundle = MadeOn(kOld);
  bundle.manifest.prepared.cpu.portable = true;
  EXPECT_EQ(Trouble(bundle, kNew, "2.13.0"), "");
  EXPECT_NE(Trouble(bundle, {"Older", {"avx2"}}), "");
}

TEST(BuiltFor, AnotherLibTorchIsRefusedWhereThereIsOneToCompareWith) {
  Bundle bundle = MadeOn(kNew);
  bundle.manifest.prepared.source_name.clear();
  EXPECT_EQ(Trouble(bundle, kNew, "2.14.0"),
            "bundle \"b\": it was made with LibTorch 2.13.0, but this program has LibTorch 2.14.0; "
            "make the bundle again on this machine: consort-prepare MODEL -o b");
  EXPECT_EQ(Trouble(bundle, kNew), "");
}

TEST(BuiltFor, TheCommandThatHelpsNamesThePostModel) {
  Bundle bundle = MadeOn(kNew);
  bundle.manifest.prepared.post_name = "decode.pt";
  EXPECT_TRUE(Trouble(bundle, kOld).ends_with("consort-prepare cnn.pt -o b --post decode.pt"));
}

TEST(BuiltFor, TheCommandThatHelpsMakesTheSamePrecisionAndBatch) {
  Bundle bundle = MadeOn(kNew);
  auto& prepared = bundle.manifest.prepared;
  prepared.precision = "bf16";
  prepared.batch = 4;
  EXPECT_TRUE(
      Trouble(bundle, kOld).ends_with("consort-prepare cnn.pt -o b --precision bf16 --batch 4"));
  prepared.precision = "int8";
  prepared.batch = 1;
  prepared.cpu.portable = true;
  EXPECT_TRUE(
      Trouble(bundle, kOld)
          .ends_with("consort-prepare cnn.pt -o b --precision int8 --calibrate AUDIO --portable"));
}

TEST(BuiltFor, OtherBackendsRunAnywhere) {
  for (const auto backend : {Prepared::Backend::kTorchScript, Prepared::Backend::kNull}) {
    Bundle bundle = MadeOn(kNew);
    bundle.manifest.prepared.backend = backend;
    EXPECT_EQ(Trouble(bundle, kOld, "2.14.0"), "");
  }
}

TEST(CpuIdentity, IsReadFromTheFirstProcessorAndKnowsWhatKernelsAreChosenBy) {
  BundleFolder folder;
  folder.Write("cpuinfo",
               "processor\t: 0\nmodel name\t: AMD EPYC 9B14\n"
               "flags\t\t: fpu sse2 fma avx2 avx512f avx_vnni\nbugs\t\t:\n\n"
               "processor\t: 1\nmodel name\t: Other\nflags\t\t: fpu amx_tile\n\n");
  const auto cpu = ReadCpuIdentity(folder.File("cpuinfo"));
  ASSERT_TRUE(cpu);
  EXPECT_EQ(cpu.value().model, "AMD EPYC 9B14");
  EXPECT_EQ(cpu.value().flags, (std::vector<std::string>{"avx2", "fma", "avx512f", "avx_vnni"}));
  EXPECT_FALSE(ReadCpuIdentity(folder.File("none")));
}

TEST(CpuIdentity, OfThisMachineSatisfiesItself) {
  const auto cpu = ReadCpuIdentity();
  ASSERT_TRUE(cpu);
  EXPECT_EQ(Trouble(MadeOn(cpu.value()), cpu.value()), "");
}

}  // namespace
}  // namespace consort
