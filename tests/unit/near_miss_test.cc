#include "supervisor/cli/near_miss.h"

#include <gtest/gtest.h>

#include <vector>

namespace consort {
namespace {

TEST(EditDistance, CountsWhatIsPutInTakenOutAndChanged) {
  EXPECT_EQ(EditDistance("", ""), 0U);
  EXPECT_EQ(EditDistance("run", "run"), 0U);
  EXPECT_EQ(EditDistance("", "run"), 3U);
  EXPECT_EQ(EditDistance("run", ""), 3U);
  EXPECT_EQ(EditDistance("rum", "run"), 1U);
  EXPECT_EQ(EditDistance("rn", "run"), 1U);
  EXPECT_EQ(EditDistance("runs", "run"), 1U);
  EXPECT_EQ(EditDistance("urn", "run"), 2U);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3U);
}

class NearMisses : public testing::Test {
 protected:
  std::string Of(const char* word) { return NearMiss(word, known_); }
  const std::vector<std::string> known_ = {
      "memory-limit", "worker-memory-limit", "segment-timeout", "mixed", "job", "quiet"};
};

TEST_F(NearMisses, AreUpToTwoEditsAway) {
  EXPECT_EQ(Of("segment-timeout"), "segment-timeout");
  EXPECT_EQ(Of("segment-timout"), "segment-timeout");
  EXPECT_EQ(Of("segmnet-timeout"), "segment-timeout");
  EXPECT_EQ(Of("sgment-timout"), "segment-timeout");
  EXPECT_EQ(Of("sgment-timot"), "");
  EXPECT_EQ(Of("memory_limit"), "memory-limit");
  EXPECT_EQ(Of("memory"), "");
}

TEST_F(NearMisses, OfShortWordsAreNotJustAnyWord) {
  EXPECT_EQ(Of("jb"), "job");
  EXPECT_EQ(Of("jobs"), "job");
  EXPECT_EQ(Of("gpu"), "");
  EXPECT_EQ(Of("bob"), "job");
  EXPECT_EQ(Of("bo"), "");
  EXPECT_EQ(Of("j"), "");
  EXPECT_EQ(Of(""), "");
}

TEST_F(NearMisses, BeginLikeTheWordWhereSeveralAreAsNear) {
  const std::vector<std::string> known = {"run", "tune"};
  EXPECT_EQ(NearMiss("tun", known), "tune");
  EXPECT_EQ(NearMiss("rum", known), "run");
  EXPECT_EQ(NearMiss("runn", known), "run");
}

TEST_F(NearMisses, AreTheNearestAndOfThoseTheFirst) {
  const std::vector<std::string> known = {"abcdefg", "abcdefx", "abcdef"};
  EXPECT_EQ(NearMiss("abcdef", known), "abcdef");
  EXPECT_EQ(NearMiss("abcdefy", known), "abcdefg");
  EXPECT_EQ(NearMiss("abcdefg", {}), "");
}

}  // namespace
}  // namespace consort
