// The thread pool: one generation counter that starts a job, one counter that hands out its parts,
// one that counts the threads inside of it. A thread that wakes up after the job is closed stays out:
// nobody waits for it.
#include "platform.h"
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

struct kp_pool {
  _Atomic uint32_t generation;  // bumped to start a job, also to stop
  _Atomic uint32_t parked;      // threads asleep on `generation`
  _Atomic uint32_t inside;      // workers that look at the job, whether it is open or not
  _Atomic uint32_t closed;      // no worker may begin with the job
  _Atomic size_t next;
  kp_job job;
  void *arguments;
  size_t parts;
  _Atomic int stop;
  _Atomic int busy;  // between jobs that belong together
  int threads;
  pthread_t workers[];
};

static void futex_wait(_Atomic uint32_t *word, uint32_t value) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, 0, 0, 0);
}
static void futex_wake_all(_Atomic uint32_t *word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, 0, 0, 0);
}
static inline void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static void drain(kp_pool *p) {
  const size_t parts = p->parts;
  for (;;) {
    size_t i = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed);
    if (i >= parts) return;
    p->job(p->arguments, i, parts);
  }
}

static _Atomic int64_t given_way;

// Lets another thread have the CPU. The system counts that as if it had taken it.
static void give_way(void) {
  struct rusage before, after;
  getrusage(RUSAGE_THREAD, &before);
  sched_yield();
  getrusage(RUSAGE_THREAD, &after);
  if (after.ru_nivcsw != before.ru_nivcsw)
    atomic_fetch_add_explicit(&given_way, after.ru_nivcsw - before.ru_nivcsw, memory_order_relaxed);
}

int64_t kp_given_way(void) { return atomic_load_explicit(&given_way, memory_order_relaxed); }

// Spins for about 50 µs, while the caller is busy for up to a millisecond, in which others may have the
// CPU; then sleeps until the generation moves on. Waking a thread costs the caller some 10 µs and comes
// 30 µs late (measured on a virtual machine): steps of one inference should not lead to it.
static uint32_t await_generation(kp_pool *p, uint32_t seen) {
  uint64_t start = 0;
  for (unsigned spins = 0;; spins++) {
    uint32_t now = atomic_load_explicit(&p->generation, memory_order_acquire);
    if (now != seen) return now;
    relax();
    if (spins % 64 != 63) continue;
    uint64_t t = kp_now_ns();
    if (!start) start = t;
    if (t - start < 50000) continue;
    if (t - start < 1000000 && atomic_load_explicit(&p->busy, memory_order_relaxed)) {
      give_way();
      continue;
    }
    atomic_fetch_add(&p->parked, 1);
    while ((now = atomic_load(&p->generation)) == seen) futex_wait(&p->generation, seen);
    atomic_fetch_sub(&p->parked, 1);
    return now;
  }
}

static void *work(void *raw) {
  kp_pool *p = raw;
  prctl(PR_SET_NAME, "compute");
  uint32_t seen = 0;
  for (;;) {
    seen = await_generation(p, seen);
    if (atomic_load_explicit(&p->stop, memory_order_acquire)) return 0;
    // Either this thread sees the job closed, or who closes it sees this thread inside: both write
    // before they read, in the one order of sequential consistency.
    atomic_fetch_add(&p->inside, 1);
    if (!atomic_load(&p->closed)) drain(p);
    atomic_fetch_sub(&p->inside, 1);
  }
}

static void start_generation(kp_pool *p) {
  atomic_fetch_add(&p->generation, 1);
  if (atomic_load(&p->parked)) futex_wake_all(&p->generation);
}

kp_pool *kp_pool_create(int threads) {
  if (threads < 1 || threads > 1024) return 0;
  kp_pool *p = calloc(1, sizeof *p + (size_t)(threads - 1) * sizeof(pthread_t));
  if (!p) return 0;
  pthread_attr_t a;
  pthread_attr_init(&a);
  // musl gives 128 KiB; the deepest kernel needs a tenth of this.
  pthread_attr_setstacksize(&a, 256 << 10);
  p->threads = 1;
  atomic_store(&p->closed, 1);
  for (int i = 0; i < threads - 1; i++) {
    if (pthread_create(&p->workers[i], &a, work, p) != 0) {
      pthread_attr_destroy(&a);
      kp_pool_destroy(p);
      return 0;
    }
    p->threads++;
  }
  pthread_attr_destroy(&a);
  return p;
}

void kp_pool_destroy(kp_pool *p) {
  if (!p) return;
  atomic_store(&p->stop, 1);
  start_generation(p);
  for (int i = 0; i < p->threads - 1; i++) pthread_join(p->workers[i], 0);
  free(p);
}

void kp_pool_set_busy(kp_pool *p, int busy) {
  atomic_store_explicit(&p->busy, busy, memory_order_relaxed);
}

uint32_t kp_pool_shared_jobs(const kp_pool *p) {
  return atomic_load_explicit(&p->generation, memory_order_relaxed);
}

int kp_pool_threads(const kp_pool *p) { return p->threads; }

void kp_pool_run(kp_pool *p, kp_job job, void *arguments, size_t parts) {
  if (p->threads == 1 || parts < 2) {
    for (size_t i = 0; i < parts; i++) job(arguments, i, parts);
    return;
  }
  p->job = job;
  p->arguments = arguments;
  p->parts = parts;
  atomic_store_explicit(&p->next, 0, memory_order_relaxed);
  atomic_store(&p->closed, 0);
  start_generation(p);
  drain(p);
  atomic_store(&p->closed, 1);
  for (unsigned spins = 0; atomic_load(&p->inside); spins++) {
    relax();
    // A worker that lost its CPU needs ours.
    if (spins > 20000) {
      struct timespec t = {0, 20000};
      nanosleep(&t, 0);
    }
  }
}
