// Stands in front of glibc's allocation functions in the test binary.
#include "allocation_counter.h"
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KA_SANITIZED 1
#endif
#endif

struct ka_counter {
  _Atomic int is_counting;
  _Atomic long count;
};

static __thread ka_counter *current;

int ka_is_available(void) {
#ifdef KA_SANITIZED
  return 0;
#else
  return 1;
#endif
}

ka_counter *ka_enter(void) {
  ka_counter *counter = calloc(1, sizeof *counter);
  current = counter;
  return counter;
}
void ka_leave(ka_counter *counter) {
  current = NULL;
  free(counter);
}
void ka_start(ka_counter *counter) {
  atomic_store(&counter->count, 0);
  atomic_store(&counter->is_counting, 1);
}
long ka_stop(ka_counter *counter) {
  atomic_store(&counter->is_counting, 0);
  return atomic_load(&counter->count);
}

// Kept from the optimiser, which may leave out an allocation nobody looks at.
static void *volatile seen;
void ka_allocate(void) {
  seen = malloc(64);
  free(seen);
}
void ka_map(void) {
  void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page != MAP_FAILED) munmap(page, 4096);
}
void ka_allocating_job(void *arguments, size_t part, size_t parts) { free(malloc(64 + part)); }

#ifndef KA_SANITIZED
static inline void note(void) {
  ka_counter *counter = current;
  if (counter && atomic_load(&counter->is_counting)) atomic_fetch_add(&counter->count, 1);
}

// glibc's own names for what we stand in front of.
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

void *malloc(size_t size) {
  note();
  return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
  note();
  return __libc_calloc(count, size);
}
void *realloc(void *memory, size_t size) {
  note();
  return __libc_realloc(memory, size);
}
void *memalign(size_t alignment, size_t size) {
  note();
  return __libc_memalign(alignment, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
  note();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void **memory, size_t alignment, size_t size) {
  note();
  void *found = __libc_memalign(alignment, size);
  if (!found) return ENOMEM;
  *memory = found;
  return 0;
}
void *mmap(void *at, size_t size, int protection, int flags, int file, off_t offset) {
  note();
  return (void *)syscall(SYS_mmap, at, size, protection, flags, file, offset);
}

// Threads belong to the counter of the thread that made them.
typedef struct start {
  void *(*body)(void *);
  void *arguments;
  ka_counter *counter;
} start;

static void *run(void *arguments) {
  const start s = *(start *)arguments;
  free(arguments);
  current = s.counter;
  return s.body(s.arguments);
}

typedef int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int pthread_create(
    pthread_t *restrict thread, const pthread_attr_t *restrict attributes, void *(*body)(void *),
    void *restrict arguments) {
  static _Atomic(create) next;
  create real = atomic_load(&next);
  if (!real) {
    real = (create)dlsym(RTLD_NEXT, "pthread_create");
    atomic_store(&next, real);
  }
  if (!current) return real(thread, attributes, body, arguments);
  start *s = malloc(sizeof *s);
  if (!s) return EAGAIN;
  *s = (start){body, arguments, current};
  const int error = real(thread, attributes, run, s);
  if (error) free(s);
  return error;
}
#endif
