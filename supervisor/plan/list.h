// The files of a job in order, read back from a spool file: memory does not grow with the list.
//
// The spool is a sequence of records in host order; the job's folder keeps it as `list`:
//   u32 bytes | u32 prefix | the bytes
// They are an entry's name, but for two values of `prefix`: kNewPrefix, the bytes are the next
// prefix, and kCurrentFolder, they are the folder that relative paths start from (the first
// record). A prefix is the folder of a list, put before a relative name to get the path to open;
// there are as many prefixes as list operands, so they are kept in memory. Prefix 0 is empty.
// One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"
#include "shared/base/unique_fd.h"

namespace consort {

struct ListEntry {
  std::string name;       // as written to results, unescaped
  std::string path;       // to open
  bool too_long = false;  // path is longer than kMaxPathBytes: no task can carry it
};

class FileList {
 public:
  static constexpr uint32_t kNewPrefix = UINT32_MAX;
  static constexpr uint32_t kCurrentFolder = UINT32_MAX - 1;

  // A spool that was kept. Its size is unknown: UINT64_MAX.
  static std::unique_ptr<FileList> Open(UniqueFd spool);

  uint64_t size() const { return size_; }  // entries
  uint64_t returned() const { return returned_; }

  // The next entry, or false at the end (and ever after). `entry`'s storage is used again.
  Result<bool> Next(ListEntry& entry);

  // Next gives the first entry again.
  void Rewind();

  // The folder that relative paths start from, once an entry was read; empty: unknown.
  const std::string& current_folder() const { return current_folder_; }
  int spool_fd() const { return spool_.get(); }

  // What was left out while the list was made, e.g. a folder that may not be read; and operands of
  // which nothing came, if nothing in them was left out.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  friend class ListSpooler;
  FileList() = default;
  // The next record's head and bytes; false at the spool's end.
  Result<bool> NextRecord(uint32_t& prefix, std::string_view& bytes);
  Result<bool> Fill(size_t bytes);  // at least `bytes` unread ones in the buffer; false: cannot

  UniqueFd spool_;
  uint64_t size_ = 0;
  uint64_t returned_ = 0;
  uint64_t offset_ = 0;  // of the first byte not yet in buffer_
  std::vector<char> buffer_;
  size_t begin_ = 0;  // unread bytes are [begin_, end_)
  size_t end_ = 0;
  std::vector<std::string> prefixes_;
  std::string current_folder_;
  std::vector<std::string> warnings_;
};

// Makes a FileList: any number of Add, then one Finish.
class ListSpooler {
 public:
  explicit ListSpooler(UniqueFd spool);

  // The prefix to give to Add for names relative to `folder`.
  uint32_t AddPrefix(std::string folder);
  // `prefix` is put before relative names; absolute ones are left alone.
  Status Add(std::string_view name, uint32_t prefix = 0);
  uint64_t size() const { return list_->size_; }  // entries so far
  void Warn(std::string warning);
  size_t warnings() const { return list_->warnings_.size(); }  // so far
  Result<std::unique_ptr<FileList>> Finish();

 private:
  void Put(std::string_view bytes, uint32_t prefix);
  Status Flush();

  std::unique_ptr<FileList> list_;
  uint32_t prefixes_ = 1;
  std::vector<char> pending_;
};

}  // namespace consort
