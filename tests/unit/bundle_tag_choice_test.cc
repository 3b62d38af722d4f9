#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstring>

#include "shared/bundle/tag_choice.h"

namespace consort {
namespace {

OutputSpec Chosen(std::vector<float> thresholds) {
  OutputSpec output;
  output.top_k = 3;
  output.label_thresholds = std::move(thresholds);
  return output;
}

std::string Content(int fd) {
  std::string bytes(static_cast<size_t>(lseek(fd, 0, SEEK_END)), '\0');
  EXPECT_EQ(pread(fd, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  return bytes;
}

UniqueFd Memory(const std::string& content) {
  UniqueFd fd(memfd_create("test", MFD_CLOEXEC));
  EXPECT_EQ(write(fd.get(), content.data(), content.size()), static_cast<ssize_t>(content.size()));
  return fd;
}

std::string Trouble(const std::string& content) {
  OutputSpec output;
  const Status read = ReadTagChoice(Memory(content).get(), 3, output);
  EXPECT_TRUE(output.label_thresholds.empty());
  EXPECT_EQ(output.top_k, 5);
  return read ? "" : read.error().what;
}

TEST(TagChoice, IsReadAsItWasWrittenAnyNumberOfTimes) {
  const auto sealed = SealTagChoice(Chosen({0.25F, INFINITY, -3.0F}));
  ASSERT_TRUE(sealed) << sealed.error().Sentence();
  for (int i = 0; i < 2; ++i) {
    OutputSpec output;
    ASSERT_TRUE(ReadTagChoice(sealed.value().get(), 3, output));
    EXPECT_EQ(output.top_k, 3);
    EXPECT_EQ(output.label_thresholds, (std::vector<float>{0.25F, INFINITY, -3.0F}));
  }
}

TEST(TagChoice, CannotBeChanged) {
  const auto sealed = SealTagChoice(Chosen({0, 0, 0}));
  ASSERT_TRUE(sealed);
  EXPECT_EQ(pwrite(sealed.value().get(), "x", 1, 0), -1);
  EXPECT_EQ(ftruncate(sealed.value().get(), 0), -1);
}

TEST(TagChoice, IsCheckedByWhoeverReadsIt) {
  const auto sealed = SealTagChoice(Chosen({0.25F, 0.5F, 0.75F}));
  ASSERT_TRUE(sealed);
  const std::string good = Content(sealed.value().get());
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_NE(Trouble(good.substr(0, size)), "") << size;
  }
  EXPECT_NE(Trouble(good + '\0').find("its length"), std::string::npos);
  const auto with = [&good](size_t at, auto value) {
    std::string bytes = good;
    std::memcpy(bytes.data() + at, &value, sizeof(value));
    return Trouble(bytes);
  };
  EXPECT_NE(with(0, uint32_t{2}).find("its version"), std::string::npos);
  EXPECT_NE(with(4, int64_t{0}).find("how many tags"), std::string::npos);
  EXPECT_NE(with(4, int64_t{4097}).find("how many tags"), std::string::npos);
  EXPECT_NE(with(12, uint32_t{4}).find("its number of labels"), std::string::npos);
  EXPECT_NE(with(16, NAN).find("a threshold"), std::string::npos);
}

}  // namespace
}  // namespace consort
