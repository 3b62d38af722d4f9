/* Stands between the supervisor and the C library (LD_PRELOAD); in other programs it does nothing.
 *
 * CONSORT_SHIM_SHORT=1    a write to a regular file takes half of what it is given.
 * CONSORT_SHIM_LOG=FILE   what changes regular files, in order, for a power cut to be played on:
 *     u8 kind | u32 bytes of the path | u64 offset | u64 size | the path | `size` bytes if a write
 *   kinds: the enumeration below. A cut has its new size in `size`; a rename is followed by the new path.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { kWrite = 1, kTruncate = 2, kSync = 3, kCreate = 4, kRename = 5, kUnlink = 6, kFolderSync = 7 };

static int log_fd = -1;
static int make_short = 0;

__attribute__((constructor)) static void Start(void) {
  if (strcmp(program_invocation_short_name, "consort") != 0) return;
  make_short = getenv("CONSORT_SHIM_SHORT") != NULL;
  const char* path = getenv("CONSORT_SHIM_LOG");
  if (path != NULL) {
    log_fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  }
}

static int Regular(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink > 0;
}

static void Put(const void* data, size_t size) {
  const char* at = data;
  while (size > 0) {
    const long put = syscall(SYS_write, log_fd, at, size);
    if (put <= 0) abort();
    at += put;
    size -= (size_t)put;
  }
}

static void Log(uint8_t kind, const char* path, uint64_t offset, uint64_t size, const void* data) {
  if (log_fd < 0) return;
  const uint32_t length = (uint32_t)strlen(path);
  Put(&kind, 1);
  Put(&length, 4);
  Put(&offset, 8);
  Put(&size, 8);
  Put(path, length);
  if (data != NULL) Put(data, size);
}

static const char* PathOf(int fd, char* buffer) {
  char link[64];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(link, buffer, 4095);
  buffer[size > 0 ? size : 0] = 0;
  return buffer;
}

static void LogFd(uint8_t kind, int fd, uint64_t offset, uint64_t size, const void* data) {
  char path[4096];
  if (log_fd >= 0 && Regular(fd)) Log(kind, PathOf(fd, path), offset, size, data);
}

ssize_t write(int fd, const void* data, size_t size) {
  if (make_short && size > 1 && Regular(fd)) size /= 2;
  const off_t at = log_fd >= 0 ? lseek(fd, 0, SEEK_CUR) : 0;
  const long put = syscall(SYS_write, fd, data, size);
  if (put > 0) LogFd(kWrite, fd, (uint64_t)at, (uint64_t)put, data);
  return put;
}

static ssize_t PWrite(int fd, const void* data, size_t size, off_t at) {
  if (make_short && size > 1 && Regular(fd)) size /= 2;
  const long put = syscall(SYS_pwrite64, fd, data, size, at);
  if (put > 0) LogFd(kWrite, fd, (uint64_t)at, (uint64_t)put, data);
  return put;
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t at) { return PWrite(fd, data, size, at); }
ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) { return PWrite(fd, data, size, at); }

static int Truncate(int fd, off_t size) {
  const int done = (int)syscall(SYS_ftruncate, fd, size);
  if (done == 0) LogFd(kTruncate, fd, 0, (uint64_t)size, NULL);
  return done;
}
int ftruncate(int fd, off_t size) { return Truncate(fd, size); }
int ftruncate64(int fd, off64_t size) { return Truncate(fd, size); }

static int Sync(long call, int fd) {
  const int done = (int)syscall(call, fd);
  struct stat status;
  char path[4096];
  if (done == 0 && log_fd >= 0 && fstat(fd, &status) == 0) {
    if (S_ISDIR(status.st_mode)) Log(kFolderSync, PathOf(fd, path), 0, 0, NULL);
    if (S_ISREG(status.st_mode)) Log(kSync, PathOf(fd, path), 0, 0, NULL);
  }
  return done;
}
int fsync(int fd) { return Sync(SYS_fsync, fd); }
int fdatasync(int fd) { return Sync(SYS_fdatasync, fd); }

static void Absolute(const char* path, char* out) {
  char folder[4096];
  if (path[0] == '/' || getcwd(folder, sizeof(folder)) == NULL) {
    snprintf(out, 8192, "%s", path);
  } else {
    snprintf(out, 8192, "%s/%s", folder, path);
  }
}

static int Open(int folder, const char* path, int flags, mode_t mode) {
  const int is_new = log_fd >= 0 && (flags & O_CREAT) != 0 && faccessat(folder, path, F_OK, 0) != 0;
  const int fd = (int)syscall(SYS_openat, folder, path, flags, mode);
  if (fd >= 0 && is_new) LogFd(kCreate, fd, 0, 0, NULL);
  if (fd >= 0 && log_fd >= 0 && !is_new && (flags & O_TRUNC) != 0) LogFd(kTruncate, fd, 0, 0, NULL);
  return fd;
}
#define OPEN_MODE                                   \
  mode_t mode = 0;                                  \
  if ((flags & (O_CREAT | __O_TMPFILE)) != 0) {     \
    va_list more;                                   \
    va_start(more, flags);                          \
    mode = va_arg(more, mode_t);                    \
    va_end(more);                                   \
  }
int open(const char* path, int flags, ...) { OPEN_MODE return Open(AT_FDCWD, path, flags, mode); }
int open64(const char* path, int flags, ...) { OPEN_MODE return Open(AT_FDCWD, path, flags, mode); }
int openat(int folder, const char* path, int flags, ...) { OPEN_MODE return Open(folder, path, flags, mode); }

int rename(const char* from, const char* to) {
  const int done = (int)syscall(SYS_rename, from, to);
  if (done == 0 && log_fd >= 0) {
    char a[8192], b[8192];
    Absolute(from, a);
    Absolute(to, b);
    Log(kRename, a, 0, strlen(b), b);
  }
  return done;
}

int unlink(const char* path) {
  const int done = (int)syscall(SYS_unlink, path);
  if (done == 0 && log_fd >= 0) {
    char a[8192];
    Absolute(path, a);
    Log(kUnlink, a, 0, 0, NULL);
  }
  return done;
}
