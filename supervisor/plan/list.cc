#include "supervisor/plan/list.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "shared/record/task.h"

namespace consort {
namespace {

constexpr size_t kBufferBytes = 64 * 1024;
constexpr size_t kHeadBytes = 2 * sizeof(uint32_t);

}  // namespace

Result<bool> FileList::Fill(size_t bytes) {
  if (end_ - begin_ >= bytes) return true;
  if (begin_ > 0) std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  if (buffer_.size() < std::max(bytes, kBufferBytes)) buffer_.resize(std::max(bytes, kBufferBytes));
  while (end_ < bytes) {
    const ssize_t got = ::pread(spool_.get(), buffer_.data() + end_, buffer_.size() - end_,
                                static_cast<off_t>(offset_));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError("read the spooled list", "", errno);
    if (got == 0) return false;
    end_ += static_cast<size_t>(got);
    offset_ += static_cast<uint64_t>(got);
  }
  return true;
}

Result<bool> FileList::Next(ListEntry& entry) {
  if (returned_ == size_) return false;
  const auto damaged = [] { return Error{"the spooled list is shorter than it was written"}; };
  CONSORT_TRY(auto has_head, Fill(kHeadBytes));
  if (!has_head) return damaged();
  uint32_t size = 0;
  uint32_t prefix = 0;
  std::memcpy(&size, buffer_.data() + begin_, sizeof(size));
  std::memcpy(&prefix, buffer_.data() + begin_ + sizeof(size), sizeof(prefix));
  CONSORT_TRY(auto has_name, Fill(kHeadBytes + size));
  if (!has_name || prefix >= prefixes_.size()) return damaged();
  entry.name.assign(buffer_.data() + begin_ + kHeadBytes, size);
  begin_ += kHeadBytes + size;
  entry.path = prefixes_[prefix];
  entry.path += entry.name;
  entry.too_long = entry.path.size() > kMaxPathBytes;
  ++returned_;
  return true;
}

ListSpooler::ListSpooler(UniqueFd spool) : list_(new FileList) {
  list_->spool_ = std::move(spool);
  list_->prefixes_.emplace_back();
  pending_.reserve(kBufferBytes);
}

uint32_t ListSpooler::AddPrefix(std::string folder) {
  list_->prefixes_.push_back(std::move(folder));
  return static_cast<uint32_t>(list_->prefixes_.size() - 1);
}

Status ListSpooler::Add(std::string_view name, uint32_t prefix) {
  if (name.starts_with('/')) prefix = 0;
  const auto size = static_cast<uint32_t>(name.size());
  const auto at = pending_.size();
  pending_.resize(at + kHeadBytes + name.size());
  std::memcpy(pending_.data() + at, &size, sizeof(size));
  std::memcpy(pending_.data() + at + sizeof(size), &prefix, sizeof(prefix));
  std::memcpy(pending_.data() + at + kHeadBytes, name.data(), name.size());
  ++list_->size_;
  return pending_.size() < kBufferBytes ? Ok() : Flush();
}

void ListSpooler::Warn(std::string warning) { list_->warnings_.push_back(std::move(warning)); }

Status ListSpooler::Flush() {
  size_t done = 0;
  while (done < pending_.size()) {
    const ssize_t put =
        ::write(list_->spool_.get(), pending_.data() + done, pending_.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return SystemError("write the spooled list", "", errno);
    done += static_cast<size_t>(put);
  }
  pending_.clear();
  return Ok();
}

Result<std::unique_ptr<FileList>> ListSpooler::Finish() {
  CONSORT_TRY(Flush());
  pending_.shrink_to_fit();
  return std::move(list_);
}

}  // namespace consort
