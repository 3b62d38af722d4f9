#include "shared/bundle/bundle.h"

#include <gtest/gtest.h>

#include "bundle_folder.h"
#include "shared/bundle/labels.h"

namespace consort {
namespace {

class BundleTest : public testing::Test {
 protected:
  BundleTest() { folder_.WriteAll(); }
  std::string Trouble() {
    const auto result = LoadBundle(folder_.path());
    if (result) return "";
    std::string what = result.error().what;
    for (size_t at; (at = what.find(folder_.path())) != std::string::npos;) {
      what.replace(at, folder_.path().size(), "B");
    }
    return what;
  }
  BundleFolder folder_;
};

TEST_F(BundleTest, LoadsLabelsTableAndIdentity) {
  const auto result = LoadBundle(folder_.path());
  ASSERT_TRUE(result) << result.error().Sentence();
  const Bundle& bundle = result.value();
  EXPECT_EQ(bundle.folder, folder_.path());
  EXPECT_EQ(bundle.labels, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(bundle.weights.bytes, 64);
  EXPECT_EQ(bundle.weights.tensors.size(), 1U);
  EXPECT_EQ(bundle.sha256, Sha256OfFile(folder_.File("model.json")).value());
}

TEST_F(BundleTest, NamesAMissingFile) {
  for (const char* name : {"code.pt", "weights.bin", "weights.json", "labels.txt"}) {
    folder_.WriteAll();
    std::filesystem::remove(folder_.File(name));
    EXPECT_EQ(Trouble(), "bundle \"B\": \"" + std::string(name) + "\" is missing");
  }
  folder_.WriteAll();
  std::filesystem::remove(folder_.File("model.json"));
  EXPECT_EQ(Trouble(), "bundle \"B\": \"model.json\" is missing");
}

TEST_F(BundleTest, SuggestsTheOneOfThatNameInTheUsualFolder) {
  const auto before = std::filesystem::current_path();
  const auto place = std::filesystem::path(folder_.path()) / "place";
  std::filesystem::create_directories(place / "build/bundles/digits");
  std::ofstream(place / "build/bundles/digits/model.json") << "{}";
  std::filesystem::create_directories(place / "build/bundles/half");
  std::filesystem::create_symlink("digits", place / "digits");  // to itself
  std::filesystem::current_path(place);
  const std::string looped = LoadBundle("digits").error().hint;
  std::filesystem::remove(place / "digits");
  const auto hint = [](const std::string& name) { return LoadBundle(name).error().hint; };
  const std::string none = "a bundle is a folder made by consort-prepare";
  const std::string meant = "did you mean \"build/bundles/digits\"?";
  const std::vector<std::string> hints = {hint("digits"), hint("bundles/digits/"), hint("half"),
                                          hint("other")};
  std::filesystem::current_path(before);
  EXPECT_EQ(hints, (std::vector<std::string>{meant, meant, none, none}));
  EXPECT_EQ(looped, none) << "there is something of that name";
}

TEST_F(BundleTest, NamesAShorterFile) {
  folder_.Write("weights.bin", std::string(60, 'w'));
  EXPECT_EQ(Trouble(), "bundle \"B\": \"weights.bin\" has 60 bytes, expected 64");
}

TEST_F(BundleTest, NamesAnAlteredFile) {
  folder_.Write("code.pt", "cods");
  EXPECT_EQ(Trouble(), "bundle \"B\": \"code.pt\" is not the file that was prepared");
}

TEST_F(BundleTest, ChecksFilesInFoldersAsWell) {
  const std::string library = "code/data/aotinductor/model/m.so";
  std::filesystem::create_directories(folder_.File("code/data/aotinductor/model"));
  folder_.Write(library, "library");
  auto manifest = nlohmann::json::parse(std::ifstream(folder_.File("model.json")));
  manifest["prepared"]["files"][library] = {{"sha256", Sha256OfText("library")}, {"bytes", 7}};
  folder_.Write("model.json", manifest.dump());
  EXPECT_EQ(Trouble(), "");
  folder_.Write(library, "Library");
  EXPECT_EQ(Trouble(), "bundle \"B\": \"" + library + "\" is not the file that was prepared");
  folder_.Write(library, "librar");
  EXPECT_EQ(Trouble(), "bundle \"B\": \"" + library + "\" has 6 bytes, expected 7");
  std::filesystem::remove_all(folder_.File("code"));
  EXPECT_EQ(Trouble(), "bundle \"B\": \"" + library + "\" is missing");
}

TEST_F(BundleTest, DoesNotMindAFileThatIsNotListed) {
  folder_.Write("notes.txt", "mine");
  EXPECT_EQ(Trouble(), "");
}

TEST_F(BundleTest, LeavesTheHashOfTheWeightsToTheArena) {
  folder_.Write("weights.bin", std::string(64, 'x'));
  EXPECT_EQ(Trouble(), "");
}

TEST_F(BundleTest, RefusesATableOfOtherWeights) {
  folder_.Write("weights.bin", std::string(64, 'x'));
  folder_.WriteManifest(GoodManifest());
  EXPECT_EQ(Trouble(), "bundle \"B\": \"weights.json\" belongs to another \"weights.bin\"");
}

TEST_F(BundleTest, RefusesWhatIsNoBundle) {
  folder_.Write("model.json", GoodManifest().dump());
  EXPECT_EQ(Trouble(), "bundle \"B\": \"model.json\" has no \"prepared\"");
  EXPECT_EQ(LoadBundle(folder_.File("none")).error().what,
            "could not open bundle \"" + folder_.File("none") + "\": no such file or directory");
  EXPECT_EQ(LoadBundle(folder_.File("code.pt")).error().what,
            "bundle \"" + folder_.File("code.pt") + "\": is not a folder");
}

TEST_F(BundleTest, RefusesAnotherNumberOfLabelsThanScores) {
  auto manifest = nlohmann::json::parse(std::ifstream(folder_.File("model.json")));
  manifest["prepared"]["output_size"] = 3;
  folder_.Write("model.json", manifest.dump());
  EXPECT_EQ(
      Trouble(),
      "bundle \"B\": the model gives 3 scores for a segment, but \"labels.txt\" has 2 labels");
}

TEST_F(BundleTest, RefusesFramesThatAreNoRowsOfLabels) {
  auto manifest = nlohmann::json::parse(std::ifstream(folder_.File("model.json")));
  const double hop = manifest["audio"]["hop_seconds"];
  manifest["output"] = {{"kind", "ctc"}, {"labels", "labels.txt"}, {"frame_seconds", hop / 10}};
  const auto trouble = [&] {
    folder_.Write("model.json", manifest.dump());
    const auto loaded = LoadBundle(folder_.path());
    return loaded ? std::string()
                  : loaded.error().what.substr(loaded.error().what.find("\": ") + 3);
  };
  EXPECT_EQ(trouble(), "model.json does not tell \"prepared.output_size\"");
  manifest["prepared"]["output_size"] = 21;
  EXPECT_EQ(trouble(),
            "the model gives 21 scores for a segment, but \"labels.txt\" has 2 labels "
            "for each frame");
  manifest["prepared"]["output_size"] = 20;
  EXPECT_EQ(trouble(), "");
  manifest["output"]["blank"] = 2;
  EXPECT_EQ(trouble(), "\"output.blank\" is 2, but \"labels.txt\" has 2 labels, counted from 0");
}

TEST_F(BundleTest, IsTheSameModelWhateverWasMeasuredOfIt) {
  const auto model = [this](const std::function<void(nlohmann::json&)>& change) {
    auto manifest = nlohmann::json::parse(std::ifstream(folder_.File("model.json")));
    change(manifest);
    BundleFolder other;
    other.WriteAll();
    other.Write("model.json", manifest.dump());
    return LoadBundle(other.path()).value().model_sha256;
  };
  const auto as_it_is = model([](auto&) {});
  EXPECT_EQ(model([](auto& manifest) {
              manifest["name"] = "other";
              manifest["prepared"]["drift"] = {{"worst_difference", 0.1}};
              manifest["prepared"]["variants"] = {{{"ms_per_segment", 8.0}}};
            }),
            as_it_is);
  EXPECT_NE(model([](auto& manifest) { manifest["output"]["top_k"] = 1; }), as_it_is);
  EXPECT_NE(model([](auto& manifest) { manifest["prepared"]["written_buffers"] = {"w"}; }),
            as_it_is);
}

TEST_F(BundleTest, TakesABundleOfTheNullWorkerWithoutFiles) {
  BundleFolder null;
  auto manifest = GoodManifest();
  manifest["prepared"] = {{"backend", "null"}};
  null.Write("model.json", manifest.dump());
  null.Write("labels.txt", "a\nb\nc\n");
  const auto result = LoadBundle(null.path());
  ASSERT_TRUE(result) << result.error().Sentence();
  EXPECT_EQ(result.value().labels.size(), 3U);
  EXPECT_EQ(result.value().weights.bytes, 0);
}

TEST(Labels, TolerateBomCrlfAndBlankLinesAtTheEnd) {
  EXPECT_EQ(ParseLabels("\xEF\xBB\xBFspeech\r\nd\xC3\xA9j\xC3\xA0 vu\r\n\r\n\n", "l").value(),
            (std::vector<std::string>{"speech", "d\xC3\xA9j\xC3\xA0 vu"}));
  EXPECT_EQ(ParseLabels("one\ntwo", "l").value().size(), 2U);
}

TEST(Labels, RefuseBlankLinesBetweenAndOtherEncodings) {
  EXPECT_EQ(ParseLabels("a\n\nb\n", "l").error().what, "line 2 of \"l\" is blank");
  EXPECT_EQ(ParseLabels("a\nd\xE9j\xE0\n", "l").error().what, "line 2 of \"l\" is not UTF-8");
  EXPECT_EQ(ParseLabels("\n\n", "l").error().what, "\"l\" has no labels");
  EXPECT_EQ(ParseLabels("", "l").error().what, "\"l\" has no labels");
}

TEST(Sha256, GivesTheDigestsOfTheStandard) {
  EXPECT_EQ(Sha256OfText(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256OfText("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace consort
