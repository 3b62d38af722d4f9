// jemalloc's settings for a worker, read at its start. MALLOC_CONF in the environment adds to them;
// without jemalloc nobody reads this.
//
// oversize_threshold:0 — by default a freed block of 8 MiB and more goes back to the kernel at
// once. A large model's scratch (Cnn14: 160 MiB of reordered weights) would be faulted in anew at
// every forward: 60,000 page faults, a third of its CPU time. An idle worker gives it back all the
// same (worker/template/heap.h).
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "oversize_threshold:0";
}
