#include "shared/channel/template_link.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>

namespace consort {
namespace {

using Type = TemplateMessage::Type;

class TemplateLink : public ::testing::Test {
 protected:
  TemplateLink() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    ours_.Reset(ends[0]);
    theirs_.Reset(ends[1]);
  }
  static TemplateMessage Message(Type type, uint64_t worker) {
    TemplateMessage message;
    message.type = type;
    message.worker = worker;
    return message;
  }
  static size_t OpenDescriptors() {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator("/proc/self/fd")) {
      ++count;
    }
    return count;
  }

  UniqueFd ours_;
  UniqueFd theirs_;
  bool closed_ = true;
};

TEST_F(TemplateLink, MessagesComeOneByOneInOrder) {
  auto exited = Message(Type::kExited, 8);
  exited.pid = 4321;
  exited.wait_status = 139;
  ASSERT_TRUE(SendMessage(ours_.get(), Message(Type::kReady, 0)));
  ASSERT_TRUE(SendMessage(ours_.get(), exited));
  auto first = ReceiveMessage(theirs_.get(), true, closed_);
  ASSERT_TRUE(first && first.value());
  EXPECT_FALSE(closed_);
  EXPECT_EQ(first.value()->message.type, Type::kReady);
  EXPECT_TRUE(first.value()->fds.empty());
  auto second = ReceiveMessage(theirs_.get(), false, closed_);
  ASSERT_TRUE(second && second.value());
  EXPECT_EQ(second.value()->message.worker, 8U);
  EXPECT_EQ(second.value()->message.pid, 4321);
  EXPECT_EQ(second.value()->message.wait_status, 139);
}

TEST_F(TemplateLink, NothingThereIsNotTheEnd) {
  const auto nothing = ReceiveMessage(theirs_.get(), false, closed_);
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(nothing.value());
  EXPECT_FALSE(closed_);
}

TEST_F(TemplateLink, DescriptorsArriveAsOnesOwnAndInOrder) {
  const UniqueFd first(memfd_create("first", MFD_CLOEXEC));
  const UniqueFd second(memfd_create("second", MFD_CLOEXEC));
  ASSERT_EQ(write(first.get(), "1", 1), 1);
  ASSERT_EQ(write(second.get(), "22", 2), 2);
  ASSERT_TRUE(SendMessage(ours_.get(), Message(Type::kFork, 3), {first.get(), second.get()}));
  auto received = ReceiveMessage(theirs_.get(), true, closed_);
  ASSERT_TRUE(received && received.value());
  ASSERT_EQ(received.value()->fds.size(), 2U);
  EXPECT_EQ(lseek(received.value()->fds[0].get(), 0, SEEK_END), 1);
  EXPECT_EQ(lseek(received.value()->fds[1].get(), 0, SEEK_END), 2);
  for (const auto& fd : received.value()->fds) {
    EXPECT_NE(fd.get(), first.get());
    EXPECT_NE(fd.get(), second.get());
    EXPECT_NE(fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  }
}

TEST_F(TemplateLink, DescriptorsThatNobodyKeepsAreClosed) {
  const UniqueFd file(memfd_create("file", MFD_CLOEXEC));
  const size_t before = OpenDescriptors();
  for (int i = 0; i < 20; ++i) {
    auto message = Message(Type::kFork, 1);
    message.version += static_cast<uint32_t>(i % 2);  // with the refused ones, too
    ASSERT_TRUE(SendMessage(ours_.get(), message, {file.get(), file.get()}));
    EXPECT_EQ(ReceiveMessage(theirs_.get(), true, closed_).has_value(), i % 2 == 0);
  }
  EXPECT_EQ(OpenDescriptors(), before);
}

TEST_F(TemplateLink, TakesNoMoreDescriptorsThanAMessageHolds) {
  const UniqueFd file(memfd_create("file", MFD_CLOEXEC));
  EXPECT_TRUE(SendMessage(ours_.get(), {}, std::vector<int>(4, file.get())));
  EXPECT_FALSE(SendMessage(ours_.get(), {}, std::vector<int>(5, file.get())));
  auto received = ReceiveMessage(theirs_.get(), true, closed_);
  ASSERT_TRUE(received && received.value());
  EXPECT_EQ(received.value()->fds.size(), 4U);
}

TEST_F(TemplateLink, TheOtherSidesEndIsToldAfterWhatItHadSaid) {
  ASSERT_TRUE(SendMessage(ours_.get(), Message(Type::kExited, 1)));
  ours_.Reset();
  const auto last = ReceiveMessage(theirs_.get(), true, closed_);
  ASSERT_TRUE(last && last.value());
  EXPECT_FALSE(closed_);
  for (const bool wait : {true, false}) {
    const auto end = ReceiveMessage(theirs_.get(), wait, closed_);
    ASSERT_TRUE(end);
    EXPECT_FALSE(end.value());
    EXPECT_TRUE(closed_);
  }
  EXPECT_FALSE(SendMessage(theirs_.get(), Message(Type::kReady, 0))) << "and no SIGPIPE";
}

TEST_F(TemplateLink, AMessageOfAnotherSizeOrVersionIsRefused) {
  ASSERT_EQ(send(ours_.get(), "hello", 5, 0), 5);
  EXPECT_FALSE(ReceiveMessage(theirs_.get(), true, closed_));
  const std::string longer(sizeof(TemplateMessage) + 1, '\1');
  ASSERT_EQ(send(ours_.get(), longer.data(), longer.size(), 0),
            static_cast<ssize_t>(longer.size()));
  EXPECT_FALSE(ReceiveMessage(theirs_.get(), true, closed_));
  auto newer = Message(Type::kReady, 0);
  newer.version = kTemplateLinkVersion + 1;
  ASSERT_TRUE(SendMessage(ours_.get(), newer));
  EXPECT_FALSE(ReceiveMessage(theirs_.get(), true, closed_));
}

TEST_F(TemplateLink, TextsEndWhereTheyMust) {
  TemplateMessage message = Message(Type::kFailed, 0);
  message.SetText("could not load the model");
  EXPECT_STREQ(message.text, "could not load the model");
  message.SetText(std::string(5000, 'w'));
  EXPECT_EQ(std::string(message.text), std::string(sizeof(message.text) - 1, 'w'));
  for (auto& c : message.text) c = 'x';  // a sender that does not end it
  ASSERT_TRUE(SendMessage(ours_.get(), message));
  const auto received = ReceiveMessage(theirs_.get(), true, closed_);
  ASSERT_TRUE(received && received.value());
  EXPECT_EQ(std::string(received.value()->message.text),
            std::string(sizeof(message.text) - 1, 'x'));
}

}  // namespace
}  // namespace consort
