#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "supervisor/profile/profile_folder.h"

namespace consort {
namespace {

const ProfileKey kKey{
    .consort = "0.1.0", .cpu = "AMD EPYC", .usable_cpus = 2, .bundle_sha256 = std::string(64, 'a')};
const BundleNames kNames{.folder = "cnn14-bundle", .model = "cnn14"};

TunedProfile MakeProfile() {
  TunedProfile profile{.key = kKey,
                       .bundle = kNames,
                       .made = "2026-11-26T12:00:00Z",
                       .objective = "latency",
                       .split = {1, 2, 4},
                       .peak_pss_bytes = 300 << 20,
                       .per_second = 141.5};
  profile.trials.push_back({.split = {1, 2, 4}, .round = 1, .seconds = 2, .per_second = 140});
  return profile;
}

class ProfileTest : public testing::Test {
 protected:
  ProfileTest() {
    std::string name = testing::TempDir() + "/consort-profile-XXXXXX";
    root_ = mkdtemp(name.data());
    folder_ = root_ + "/consort/profiles";
    EXPECT_TRUE(MakeProfileFolder(folder_));
  }
  ~ProfileTest() override { std::filesystem::remove_all(root_); }

  FoundProfile Find(const ProfileKey& key = kKey, const BundleNames& names = kNames) {
    return FindProfile(folder_, key, names);
  }
  std::string Put(const TunedProfile& profile) { return WriteProfile(folder_, profile).value(); }
  void Overwrite(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::trunc) << text;
  }
  static std::string Read(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  std::string root_;
  std::string folder_;
};

TEST_F(ProfileTest, IsFoundByItsKey) {
  const std::string path = Put(MakeProfile());
  EXPECT_EQ(std::filesystem::path(path).parent_path(), folder_);
  EXPECT_TRUE(std::filesystem::path(path).filename().string().starts_with("cnn14-"));
  const auto found = Find();
  ASSERT_TRUE(found.profile);
  EXPECT_EQ(found.path, path);
  EXPECT_EQ(found.profile->key, kKey);
  EXPECT_EQ(found.profile->objective, "latency");
  EXPECT_EQ(found.profile->split.processes, 1);
  EXPECT_EQ(found.profile->split.threads, 2);
  EXPECT_EQ(found.profile->split.intra, 4);
  EXPECT_EQ(found.profile->peak_pss_bytes, 300 << 20);
  EXPECT_EQ(found.warning, "");
}

TEST_F(ProfileTest, ReplacesTheOneBeforeAndLeavesNothingBeside) {
  Put(MakeProfile());
  TunedProfile other = MakeProfile();
  other.split = {3, 1, 1};
  Put(other);
  EXPECT_EQ(Find().profile->split.processes, 3);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(ProfileTest, IsNotFoundWhereThereIsNone) {
  for (const std::string& folder : {folder_, root_ + "/nowhere", std::string()}) {
    const auto found = FindProfile(folder, kKey, kNames);
    EXPECT_FALSE(found.profile);
    EXPECT_EQ(found.out_of_date + found.warning, "") << folder;
  }
}

TEST_F(ProfileTest, IsOutOfDateForEachPartOfItsKey) {
  const std::string path = Put(MakeProfile());
  const auto find = [&](const std::function<void(ProfileKey&)>& change) {
    ProfileKey key = kKey;
    change(key);
    const auto found = Find(key);
    EXPECT_FALSE(found.profile);
    EXPECT_EQ(found.path, path);
    return found.out_of_date;
  };
  EXPECT_EQ(find([](ProfileKey& key) { key.usable_cpus = 4; }),
            "made for 2 usable CPUs, here are 4");
  EXPECT_EQ(find([](ProfileKey& key) { key.usable_cpus = 1; }),
            "made for 2 usable CPUs, here is 1");
  EXPECT_EQ(find([](ProfileKey& key) { key.consort = "0.2.0"; }),
            "made by consort 0.1.0, this is 0.2.0");
  EXPECT_EQ(find([](ProfileKey& key) { key.cpu = "Xeon"; }),
            "made for the CPU \"AMD EPYC\", here is \"Xeon\"");
  EXPECT_EQ(find([](ProfileKey& key) { key.bundle_sha256 = std::string(64, 'b'); }),
            "made for the bundle as it was (aaaaaaaaaaaa…), it is another now (bbbbbbbbbbbb…)");
  EXPECT_EQ(find([](ProfileKey& key) {
              key.usable_cpus = 4;
              key.consort = "9";
            }),
            "made by consort 0.1.0, this is 9; made for 2 usable CPUs, here are 4");
}

TEST_F(ProfileTest, OfAChangedBundleIsKnownByBothNames) {
  Put(MakeProfile());
  ProfileKey changed = kKey;
  changed.bundle_sha256 = std::string(64, 'b');
  EXPECT_NE(Find(changed, kNames).out_of_date, "");
  EXPECT_EQ(Find(changed, {.folder = "cnn14-bundle", .model = "other"}).out_of_date, "");
  EXPECT_EQ(Find(changed, {.folder = "cnn14-bf16", .model = "cnn14"}).out_of_date, "")
      << "another precision is another bundle, not a newer one";
}

TEST_F(ProfileTest, AtItsPlaceWithAnotherKeyInsideIsOutOfDate) {
  const std::string path = Put(MakeProfile());
  auto json = nlohmann::json::parse(Read(path));
  json["key"]["usable_cpus"] = 4;
  Overwrite(path, json.dump());
  const auto found = Find();
  EXPECT_FALSE(found.profile);
  EXPECT_EQ(found.out_of_date, "made for 4 usable CPUs, here are 2");
}

TEST_F(ProfileTest, OfTheSameBundleIsToldOfRatherThanOneOfItsName) {
  TunedProfile renamed = MakeProfile();
  renamed.key.bundle_sha256 = std::string(64, 'c');
  renamed.made = "2027-01-01T00:00:00Z";
  Put(renamed);
  TunedProfile here = MakeProfile();
  here.key.usable_cpus = 64;
  const std::string path = Put(here);
  EXPECT_EQ(Find().path, path);
}

TEST_F(ProfileTest, DamagedIsAWarningAndNoMore) {
  const std::string path = Put(MakeProfile());
  const std::string good = Read(path);
  const auto damaged = [&](const std::string& text) {
    Overwrite(path, text);
    const auto found = Find();
    EXPECT_FALSE(found.profile) << text;
    EXPECT_EQ(found.out_of_date, "") << text;
    EXPECT_TRUE(found.warning.starts_with("tuned profile is not used: \"" + path + "\" ")) << text;
    EXPECT_TRUE(found.warning.ends_with("; \"consort tune\" makes it anew")) << found.warning;
  };
  damaged("");
  damaged("no JSON");
  damaged("[]");
  damaged("{}");
  damaged("{\"something\":\"else\"}");
  damaged(good.substr(0, good.size() / 2));
  damaged(std::string(1000, '['));
  for (const char* key :
       {"consort_profile", "key", "bundle", "made", "objective", "split", "peak_pss_bytes"}) {
    auto json = nlohmann::json::parse(good);
    json.erase(key);
    damaged(json.dump());
    json[key] = nlohmann::json::array({1});
    damaged(json.dump());
  }
  for (const char* key : {"processes", "threads", "intra"}) {
    for (const nlohmann::json& bad :
         {nlohmann::json(0), nlohmann::json(-1), nlohmann::json(1.5), nlohmann::json("2"),
          nlohmann::json(1e300), nlohmann::json(100'000), nlohmann::json()}) {
      auto json = nlohmann::json::parse(good);
      json["split"][key] = bad;
      damaged(json.dump());
    }
  }
}

TEST_F(ProfileTest, NextToForeignFilesIsFoundAll) {
  const std::string path = Put(MakeProfile());
  Overwrite(folder_ + "/a-settings.json", "{\"theme\":\"dark\"}");
  Overwrite(folder_ + "/b.json", "\xff\xfe");
  mkdir((folder_ + "/c.json").c_str(), 0700);
  mkfifo((folder_ + "/d.json").c_str(), 0600);
  EXPECT_TRUE(Find().profile);
  EXPECT_EQ(Find().warning, "") << "nobody had to look at them";
  ProfileKey other = kKey;
  other.usable_cpus = 4;
  const auto found = Find(other);
  EXPECT_EQ(found.path, path);
  EXPECT_NE(found.out_of_date, "");
  EXPECT_EQ(found.warning, "tuned profile is passed over: \"" + folder_ +
                               "/a-settings.json\" is no profile of \"consort tune\"; move it "
                               "away, or make it anew with \"consort tune\"")
      << "one, the first";
}

TEST_F(ProfileTest, OfAnotherVersionMayHaveAnyOtherForm) {
  const std::string path = Put(MakeProfile());
  auto json = nlohmann::json::parse(Read(path));
  json["key"]["consort"] = "7.0.0";
  json["consort_profile"] = 9;
  json.erase("split");
  Overwrite(path, json.dump());
  EXPECT_EQ(Find().out_of_date, "made by consort 7.0.0, this is 0.1.0");
}

TEST(ProfileName, IsAPlainFileNameWhateverTheModelIsCalled) {
  EXPECT_TRUE(ProfileFileName("../../etc/passwd", kKey).starts_with("_._.._etc_passwd-"));
  EXPECT_TRUE(ProfileFileName("", kKey).starts_with("bundle-"));
  EXPECT_TRUE(ProfileFileName("m\xc3\xb6\n", kKey).starts_with("m___-"));
  EXPECT_LT(ProfileFileName(std::string(1000, 'x'), kKey).size(), 100U);
  ProfileKey other = kKey;
  other.usable_cpus = 3;
  EXPECT_NE(ProfileFileName("m", kKey), ProfileFileName("m", other));
}

TEST(ProfileFolderName, FollowsTheEnvironment) {
  setenv("XDG_CONFIG_HOME", "/x", 1);
  EXPECT_EQ(ProfileFolder(), "/x/consort/profiles");
  EXPECT_EQ(IgnoredConfigHome(), "");
  setenv("HOME", "/h", 1);
  for (const char* none : {"", "relative"}) {
    setenv("XDG_CONFIG_HOME", none, 1);
    EXPECT_EQ(ProfileFolder(), "/h/.config/consort/profiles");
  }
  EXPECT_EQ(IgnoredConfigHome(),
            "XDG_CONFIG_HOME is \"relative\", which is not an absolute path, so it is ignored");
  unsetenv("XDG_CONFIG_HOME");
  EXPECT_EQ(ProfileFolder(), "/h/.config/consort/profiles");
  EXPECT_EQ(IgnoredConfigHome(), "");
  unsetenv("HOME");
  EXPECT_EQ(ProfileFolder(), "");
}

TEST(ProfileNames, OfABundleAreItsFoldersAndItsModels) {
  Bundle bundle;
  bundle.manifest.name = "cnn14";
  for (const char* folder : {"/a/b", "/a/b/", "/a/./b/.", "/a/c/../b"}) {
    bundle.folder = folder;
    EXPECT_EQ(NamesOf(bundle).folder, "b") << folder;
    EXPECT_EQ(NamesOf(bundle).model, "cnn14");
  }
}

}  // namespace
}  // namespace consort
