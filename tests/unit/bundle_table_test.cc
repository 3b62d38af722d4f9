#include <gtest/gtest.h>

#include "bundle_folder.h"
#include "shared/bundle/bundle.h"

namespace consort {
namespace {

using Json = nlohmann::json;

Json Row(const std::string& name) {
  return {{"name", name},        {"dtype", "float32"}, {"shape", {2, 3}}, {"strides", {3, 1}},
          {"layout", "strided"}, {"offset", 64},       {"nbytes", 24},    {"storage_offset", 0}};
}

Json Table(const std::vector<Json>& rows) {
  return {{"version", 1}, {"bytes", 128}, {"sha256", std::string(64, 'a')}, {"tensors", rows}};
}

std::string Trouble(const Json& table) {
  const auto result = ParseWeightTable(table.dump(), "w.json");
  return result ? "" : result.error().what;
}

TEST(WeightTable, ReadsATensor) {
  Json row = Row("fc.weight");
  row["storage_offset"] = 0;
  const auto result = ParseWeightTable(Table({row}).dump(), "w.json");
  ASSERT_TRUE(result) << result.error().Sentence();
  EXPECT_EQ(result.value().bytes, 128);
  ASSERT_EQ(result.value().tensors.size(), 1U);
  const WeightEntry& entry = result.value().tensors[0];
  EXPECT_EQ(entry.name, "fc.weight");
  EXPECT_EQ(entry.dtype, "float32");
  EXPECT_EQ(entry.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(entry.strides, (std::vector<int64_t>{3, 1}));
  EXPECT_FALSE(entry.opaque);
  EXPECT_EQ(entry.offset, 64);
  EXPECT_EQ(entry.nbytes, 24);
}

TEST(WeightTable, LetsTwoNamesShareBytes) {
  EXPECT_EQ(Trouble(Table({Row("a"), Row("b")})), "");
  EXPECT_EQ(Trouble(Table({Row("a"), Row("a")})), "\"w.json\": the tensor \"a\" is listed twice");
}

TEST(WeightTable, TakesScalarsAndEmptyTensors) {
  Json scalar = Row("scalar");
  scalar.update({{"shape", Json::array()}, {"strides", Json::array()}, {"nbytes", 4}});
  Json empty = Row("empty");
  empty.update({{"shape", {0, 9}}, {"strides", {9, 1}}, {"nbytes", 0}, {"offset", 128}});
  EXPECT_EQ(Trouble(Table({scalar, empty})), "");
}

TEST(WeightTable, ReadsTheDescriptorOfAPackedTensor) {
  Json row = Row("packed");
  row.update({{"layout", "mkldnn"}, {"strides", {1, 0}}, {"descriptor", "00ff7a"}});
  const auto result = ParseWeightTable(Table({row}).dump(), "w.json");
  ASSERT_TRUE(result) << result.error().Sentence();
  EXPECT_TRUE(result.value().tensors[0].opaque);
  EXPECT_EQ(result.value().tensors[0].descriptor, (std::vector<uint8_t>{0x00, 0xff, 0x7a}));
  row["descriptor"] = "0";
  EXPECT_NE(Trouble(Table({row})), "");
  row["descriptor"] = "zz";
  EXPECT_NE(Trouble(Table({row})), "");
}

TEST(WeightTable, RefusesWhatReachesBeyondItsBytes) {
  const std::pair<const char*, Json> wrong[] = {{"offset", 32},
                                                {"offset", 128},
                                                {"offset", -64},
                                                {"nbytes", 65},
                                                {"nbytes", 20},
                                                {"shape", {3, 3}},
                                                {"shape", {2}},
                                                {"strides", {4, 1}},
                                                {"strides", {-3, 1}},
                                                {"storage_offset", 1},
                                                {"shape", {-1, 3}},
                                                {"dtype", "float33"},
                                                {"layout", "sparse"},
                                                {"descriptor", "00"},
                                                {"extra", 1},
                                                {"nbytes", "24"},
                                                {"shape", {int64_t{1} << 62, int64_t{1} << 62}},
                                                {"storage_offset", INT64_MAX}};
  for (const auto& [key, value] : wrong) {
    Json row = Row("a");
    row[key] = value;
    EXPECT_TRUE(Trouble(Table({row})).starts_with("\"w.json\": \"tensors[0]."))
        << key << " " << value;
  }
}

}  // namespace
}  // namespace consort
