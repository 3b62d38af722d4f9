/* Stands between a program and the C library (LD_PRELOAD): regular files below a folder lie on slow storage.
 *
 * CONSORT_SLOW_UNDER=FOLDER   which
 * CONSORT_SLOW_MS=50          from asking for bytes until the first of them comes
 * CONSORT_SLOW_MB_S=20        how fast they come; one link a process, whose requests queue
 *
 * As with a disk or a network file system, the kernel keeps what was read: bytes that came once, in blocks of
 * 64 KiB, cost nothing more, who asks for bytes on their way waits for them alone, and advice (posix_fadvise) makes them
 * come. The kernel's own reading ahead is left out, so this is worse than any of those.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { kBlock = 64 << 10, kSlots = 1 << 20 };

static const char* under = NULL;
static int64_t latency_ns = 50000000;
static double ns_a_byte = 50;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct { uint64_t key; int64_t ready_ns; } blocks[kSlots]; /* key 0: free */
static int64_t link_free_ns = 0;

__attribute__((constructor)) static void Start(void) {
  under = getenv("CONSORT_SLOW_UNDER");
  if (getenv("CONSORT_SLOW_MS") != NULL) latency_ns = atoll(getenv("CONSORT_SLOW_MS")) * 1000000;
  if (getenv("CONSORT_SLOW_MB_S") != NULL) ns_a_byte = 1e3 / atof(getenv("CONSORT_SLOW_MB_S"));
}

static int64_t Now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int IsSlow(int fd, struct stat* status) {
  if (under == NULL || fstat(fd, status) != 0 || !S_ISREG(status->st_mode)) return 0;
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(link, path, sizeof(path) - 1);
  return size > 0 && (size_t)size > strlen(under) && memcmp(path, under, strlen(under)) == 0;
}

/* When this block is, or will be, there. */
static int64_t Ready(uint64_t inode, int64_t block, int64_t now) {
  const uint64_t key = (inode << 24) + (uint64_t)block + 1;
  for (uint64_t at = key * UINT64_C(0x9E3779B97F4A7C15) >> 44;; at = (at + 1) % kSlots) {
    if (blocks[at].key == key) return blocks[at].ready_ns;
    if (blocks[at].key != 0) continue;
    if (link_free_ns < now) link_free_ns = now;
    link_free_ns += (int64_t)(kBlock * ns_a_byte);
    blocks[at].key = key;
    return blocks[at].ready_ns = link_free_ns + latency_ns;
  }
}

/* Has the bytes come; waits for them if told to. */
static void Fetch(int fd, size_t count, off_t offset, int wait) {
  struct stat status;
  if (!IsSlow(fd, &status) || offset >= status.st_size || count == 0) return;
  int64_t end = offset + (int64_t)count;
  if (end > status.st_size) end = status.st_size;
  const int64_t now = Now();
  int64_t until = now;
  pthread_mutex_lock(&mutex);
  for (int64_t block = offset / kBlock; block * kBlock < end; ++block) {
    const int64_t ready = Ready(status.st_ino, block, now);
    if (ready > until) until = ready;
  }
  pthread_mutex_unlock(&mutex);
  const struct timespec time = {until / 1000000000, until % 1000000000};
  if (wait && until > now) clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

ssize_t pread(int fd, void* to, size_t count, off_t offset) {
  static ssize_t (*real)(int, void*, size_t, off_t) = NULL;
  if (real == NULL) real = (ssize_t(*)(int, void*, size_t, off_t))dlsym(RTLD_NEXT, "pread");
  Fetch(fd, count, offset, 1);
  return real(fd, to, count, offset);
}

int posix_fadvise(int fd, off_t offset, off_t count, int advice) {
  if (advice == POSIX_FADV_WILLNEED) Fetch(fd, (size_t)count, offset, 0);
  return 0;
}

int posix_fadvise64(int fd, off_t offset, off_t count, int advice) { return posix_fadvise(fd, offset, count, advice); }
ssize_t pread64(int fd, void* to, size_t count, off_t offset) { return pread(fd, to, count, offset); }
