// The slice of libc the device modules use, the same on the host and in Embedded Swift.
#pragma once
// No _GNU_SOURCE here: it changes fd_set & co, and clang then refuses to merge this module with
// Swift's own Glibc.
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

static inline int kp_errno(void) { return errno; }
static inline int kp_open_read(const char *path) { return open(path, O_RDONLY | O_CLOEXEC); }
static inline int kp_open_write(const char *path) {
  // A file that grows past RLIMIT_FSIZE is then an error of write, not the end of the process.
  signal(SIGXFSZ, SIG_IGN);
  return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
}
static inline void *kp_map_read(int fd, size_t bytes) {
  void *p = mmap(0, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
  return p == MAP_FAILED ? 0 : p;
}
static inline void *kp_map_anonymous(size_t bytes) {
  void *p = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return p == MAP_FAILED ? 0 : p;
}
// Gives back the memory of a file's mapping, from the beginning of a page on.
static inline void kp_release_pages(void *start, size_t bytes) {
  madvise(start, bytes, MADV_DONTNEED);
}
static inline uint64_t kp_now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}
static inline int64_t kp_unix_seconds(void) { return (int64_t)time(0); }
// Size of a regular file; -1 when it is none.
static inline int64_t kp_file_size(int fd) {
  struct stat s;
  return fstat(fd, &s) == 0 && S_ISREG(s.st_mode) ? (int64_t)s.st_size : -1;
}
// 0 nothing there, 1 a regular file, 2 a folder, 3 something else.
static inline int kp_kind(const char *path) {
  struct stat s;
  if (stat(path, &s) != 0) return 0;
  return S_ISREG(s.st_mode) ? 1 : S_ISDIR(s.st_mode) ? 2 : 3;
}
// Whether both paths lead to one file that exists.
static inline int kp_same_file(const char *a, const char *b) {
  struct stat s, t;
  return stat(a, &s) == 0 && stat(b, &t) == 0 && s.st_dev == t.st_dev && s.st_ino == t.st_ino;
}

// Opens and syncs a folder, so that a rename inside it outlives a power cut. 0, or -1 with errno.
// File systems that cannot sync folders answer EINVAL, which counts as done.
static inline int kp_sync_folder(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -1;
  int result = fsync(fd), error = errno;
  close(fd);
  errno = error;
  return result == 0 || error == EINVAL ? 0 : -1;
}
// Waits until fd takes or gives bytes: POLLOUT or POLLIN. Below 0 for `ms` waits for ever; 0 when the
// time is over.
static inline int kp_wait_in_time(int fd, int isOutput, int ms) {
  struct pollfd p = {fd, (short)(isOutput ? POLLOUT : POLLIN), 0};
  return poll(&p, 1, ms);
}
static inline int kp_wait_for(int fd, int isOutput) { return kp_wait_in_time(fd, isOutput, -1); }
// Large blocks that are freed go back to the system at once, whatever lies behind them. The C library
// otherwise keeps blocks of up to 32 MiB for later; libraries that do not are left as they are.
void kp_return_freed_blocks(void);
// Bytes an ordinary user may still write to the file system of `path`; -1 with errno.
static inline int64_t kp_free_bytes(const char *path) {
  struct statvfs s;
  return statvfs(path, &s) == 0 ? (int64_t)s.f_bavail * (int64_t)s.f_frsize : -1;
}

/// Has SIGINT, SIGTERM and SIGHUP remove the file at this path before they end the process. 0 where
/// another file has that place already.
int kp_temporary_claim(const char *temporary);
/// Gives the place back: the file has its name, or is gone.
void kp_temporary_release(void);
/// Removes the claimed file, if there is one. Safe in a signal handler.
void kp_temporary_remove(void);

/// A file without a name in this folder, for writing. -1 where such files cannot be named later on.
int kp_open_unnamed(const char *folder);
/// Names a file that has no name. 0, or -1 with errno: EEXIST where the name is taken.
int kp_name_file(int fd, const char *path);
/// A file without a name in this folder, for reading and writing. -1 with errno.
int kp_open_scratch(const char *folder);

/// An empty file, for writing and for this user alone; never waits. -1 with errno.
int kp_open_growing(const char *path);

/// A lock between threads. Null when memory cannot be had.
typedef struct kp_lock kp_lock;
kp_lock *kp_lock_create(void);
void kp_lock_destroy(kp_lock *lock);
void kp_lock_take(kp_lock *lock);
void kp_lock_release(kp_lock *lock);

/// A descriptor that can be read once it was called; -1 with errno. To be closed.
int kp_wake_up_create(void);
/// Makes it readable; never waits.
void kp_wake_up_call(int fd);
/// Makes it unreadable again; never waits.
void kp_wake_up_take(int fd);

/// argv[i], or null past the end. Works where Swift has no CommandLine.
const char *kp_argument(int i);
void kp_sleep_ms(unsigned ms);
/// Until a moment of `kp_now_ns`, or a signal.
void kp_sleep_until_ns(uint64_t moment);
/// Logical CPUs this process may use.
int kp_cpu_count(void);
/// A line's worth of text about an errno value; thread-safe.
const char *kp_error_text(int error, char *buffer, size_t bytes);

/// Writes `value` with so many significant digits, as printf's %g does, without a zero at the end.
/// Bytes written; at most `bytes`, of which 32 are enough for 17 digits.
int kp_number_text(double value, int digits, char *buffer, size_t bytes);
/// The number that a zero-terminated text begins with, behind space, as strtod reads it. 0 where it
/// begins with none, else 1.
int kp_text_number(const char *text, double *value);

// A fixed set of threads that run a job's parts and wait for it. The calling thread works too. Idle
// threads spin for about 50 µs, while the pool is busy for a millisecond, most of it giving way to
// others; then they park on a futex.
typedef struct kp_pool kp_pool;
// Runs part `part` of `parts`.
typedef void (*kp_job)(void *arguments, size_t part, size_t parts);
/// Null when memory or threads cannot be had. threads >= 1 counts the caller.
kp_pool *kp_pool_create(int threads);
void kp_pool_destroy(kp_pool *pool);
int kp_pool_threads(const kp_pool *pool);
/// Whether more jobs follow soon, as those of one inference do; at first not.
void kp_pool_set_busy(kp_pool *pool, int busy);
// Jobs that were shared so far; wraps around.
uint32_t kp_pool_shared_jobs(const kp_pool *pool);
/// How often idle threads of all pools let others have the CPU: the system counts these among the
/// involuntary switches.
int64_t kp_given_way(void);
/// Runs job(arguments, 0..<parts); returns when all are done. Not reentrant.
void kp_pool_run(kp_pool *pool, kp_job job, void *arguments, size_t parts);
