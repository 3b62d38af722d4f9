// Makes one allocation of the supervisor fail (LD_PRELOAD). In other programs it does nothing, and the supervisor's
// children do not inherit it.
//
//   CONSORT_SHIM_ALLOCATION=N    the N-th one fails, counted from the program's start; "N+": all from there on
//   CONSORT_SHIM_LOG=FILE        gets one line for each that failed: its number, its size, who asked
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <new>

namespace {

std::atomic<uint64_t> count{0};
uint64_t failing = 0;  // none
bool for_good = false;
int log_fd = -1;

__attribute__((constructor)) void Start() {
  if (strcmp(program_invocation_short_name, "consort") != 0) return;
  unsetenv("LD_PRELOAD");
  const char* path = getenv("CONSORT_SHIM_LOG");
  if (path != nullptr) log_fd = static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  const char* number = getenv("CONSORT_SHIM_ALLOCATION");
  if (number == nullptr) return;
  char* end = nullptr;
  failing = strtoull(number, &end, 10);
  for_good = *end == '+';
}

bool Fails(size_t size, const void* caller) {
  if (failing == 0) return false;
  const uint64_t n = ++count;
  if (n != failing && !(for_good && n > failing)) return false;
  char line[96];
  const int length = snprintf(line, sizeof(line), "%llu %zu %p\n", static_cast<unsigned long long>(n), size, caller);
  if (log_fd >= 0) (void)!syscall(SYS_write, log_fd, line, length);
  errno = ENOMEM;
  return true;
}

// The allocator behind this library. Looking it up may allocate: that once there is no memory, which dlsym can do without.
template <typename Function>
Function Next(Function& known, const char* name) {
  static thread_local bool looking __attribute__((tls_model("initial-exec"))) = false;
  if (known == nullptr && !looking) {
    looking = true;
    known = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
    looking = false;
  }
  return known;
}

void* (*next_malloc)(size_t) = nullptr;
void* (*next_calloc)(size_t, size_t) = nullptr;
void* (*next_realloc)(void*, size_t) = nullptr;
void* (*next_aligned)(size_t, size_t) = nullptr;
int (*next_posix)(void**, size_t, size_t) = nullptr;

void* Malloc(size_t size, const void* caller) {
  if (Fails(size, caller)) return nullptr;
  auto* next = Next(next_malloc, "malloc");
  return next == nullptr ? nullptr : next(size);
}

void* Aligned(size_t alignment, size_t size, const void* caller) {
  if (Fails(size, caller)) return nullptr;
  auto* next = Next(next_aligned, "aligned_alloc");
  return next == nullptr ? nullptr : next(alignment, size);
}

// What the standard asks of operator new.
template <typename Allocate>
void* OrHandle(Allocate allocate) {
  for (;;) {
    void* got = allocate();
    if (got != nullptr) return got;
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

}  // namespace

#define CALLER __builtin_return_address(0)

extern "C" {
void* malloc(size_t size) { return Malloc(size, CALLER); }
void* calloc(size_t items, size_t size) {
  if (Fails(items * size, CALLER)) return nullptr;
  auto* next = Next(next_calloc, "calloc");
  return next == nullptr ? nullptr : next(items, size);
}
void* realloc(void* old, size_t size) {
  if (Fails(size, CALLER)) return nullptr;
  auto* next = Next(next_realloc, "realloc");
  return next == nullptr ? nullptr : next(old, size);
}
void* aligned_alloc(size_t alignment, size_t size) { return Aligned(alignment, size, CALLER); }
int posix_memalign(void** out, size_t alignment, size_t size) {
  if (Fails(size, CALLER)) return ENOMEM;
  auto* next = Next(next_posix, "posix_memalign");
  return next == nullptr ? ENOMEM : next(out, alignment, size);
}
}

void* operator new(size_t size) {
  const void* caller = CALLER;
  return OrHandle([&] { return Malloc(size, caller); });
}
void* operator new[](size_t size) {
  const void* caller = CALLER;
  return OrHandle([&] { return Malloc(size, caller); });
}
void* operator new(size_t size, const std::nothrow_t&) noexcept { return Malloc(size, CALLER); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return Malloc(size, CALLER); }
void* operator new(size_t size, std::align_val_t alignment) {
  const void* caller = CALLER;
  return OrHandle([&] { return Aligned(static_cast<size_t>(alignment), size, caller); });
}
void* operator new[](size_t size, std::align_val_t alignment) {
  const void* caller = CALLER;
  return OrHandle([&] { return Aligned(static_cast<size_t>(alignment), size, caller); });
}
