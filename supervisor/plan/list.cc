#include "supervisor/plan/list.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

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

std::unique_ptr<FileList> FileList::Open(UniqueFd spool) {
  std::unique_ptr<FileList> list(new FileList);
  list->spool_ = std::move(spool);
  list->size_ = UINT64_MAX;
  list->prefixes_.emplace_back();
  return list;
}

void FileList::Rewind() {
  returned_ = offset_ = 0;
  begin_ = end_ = 0;
  prefixes_.assign(1, {});
}

Result<bool> FileList::NextRecord(uint32_t& prefix, std::string_view& bytes) {
  const auto damaged = [] { return Error{"the spooled list is shorter than it was written"}; };
  CONSORT_TRY(const bool has_head, Fill(kHeadBytes));
  if (!has_head && begin_ == end_ && size_ == UINT64_MAX) return false;
  if (!has_head) return damaged();
  uint32_t size = 0;
  std::memcpy(&size, buffer_.data() + begin_, sizeof(size));
  std::memcpy(&prefix, buffer_.data() + begin_ + sizeof(size), sizeof(prefix));
  CONSORT_TRY(const bool whole, Fill(kHeadBytes + size));
  if (!whole) return damaged();
  bytes = std::string_view(buffer_.data() + begin_ + kHeadBytes, size);
  begin_ += kHeadBytes + size;
  return true;
}

Result<bool> FileList::Next(ListEntry& entry) {
  if (returned_ == size_) return false;
  for (;;) {
    uint32_t prefix = 0;
    std::string_view bytes;
    CONSORT_TRY(const bool any, NextRecord(prefix, bytes));
    if (!any) return false;
    if (prefix == kNewPrefix) {
      prefixes_.emplace_back(bytes);
    } else if (prefix == kCurrentFolder) {
      current_folder_ = bytes;
    } else if (prefix >= prefixes_.size()) {
      return Error{"the spooled list is damaged"};
    } else {
      entry.name = bytes;
      entry.path = prefixes_[prefix];
      entry.path += entry.name;
      entry.too_long = entry.path.size() > kMaxPathBytes;
      ++returned_;
      return true;
    }
  }
}

ListSpooler::ListSpooler(UniqueFd spool) : list_(new FileList) {
  list_->spool_ = std::move(spool);
  list_->prefixes_.emplace_back();
  pending_.reserve(kBufferBytes);
  std::error_code unknown;
  Put(std::filesystem::current_path(unknown).native(), FileList::kCurrentFolder);
}

uint32_t ListSpooler::AddPrefix(std::string folder) {
  Put(folder, FileList::kNewPrefix);
  return prefixes_++;
}

void ListSpooler::Put(std::string_view bytes, uint32_t prefix) {
  const auto size = static_cast<uint32_t>(bytes.size());
  const auto at = pending_.size();
  pending_.resize(at + kHeadBytes + bytes.size());
  std::memcpy(pending_.data() + at, &size, sizeof(size));
  std::memcpy(pending_.data() + at + sizeof(size), &prefix, sizeof(prefix));
  std::memcpy(pending_.data() + at + kHeadBytes, bytes.data(), bytes.size());
}

Status ListSpooler::Add(std::string_view name, uint32_t prefix) {
  Put(name, name.starts_with('/') ? 0 : prefix);
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
