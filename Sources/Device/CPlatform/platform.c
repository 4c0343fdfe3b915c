#include "platform.h"
#include <limits.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <sched.h>
#include <stdio.h>
#include <sys/random.h>

static long argument_count;
static char **argument_values;

// Embedded Swift has no CommandLine and its main() drops its arguments, and musl hands none to
// constructors. The kernel lays out argc, argv[], NULL, envp[]: argv is found by walking back from
// environ, before anyone can call setenv().
__attribute__((constructor)) static void save_arguments(void) {
  extern char **environ;
  char **p = environ - 2;
  long n = 0;
  while ((long)(intptr_t)*p != n) {
    p--;
    n++;
  }
  argument_count = n;
  argument_values = p + 1;
}

// With a standard stream closed, the next file opened would become it, and be written to.
__attribute__((constructor)) static void reserve_streams(void) {
  int fd;
  do {
    fd = open("/dev/null", O_RDONLY);
  } while (fd >= 0 && fd <= 2);
  if (fd > 2) close(fd);
}

const char *kp_argument(int i) {
  return i >= 0 && i < argument_count ? argument_values[i] : 0;
}

void kp_return_freed_blocks(void) {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
}

void kp_sleep_ms(unsigned ms) {
  struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000L};
  nanosleep(&t, 0);
}

void kp_sleep_until_ns(uint64_t moment) {
  struct timespec t = {(time_t)(moment / 1000000000), (long)(moment % 1000000000)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0);
}

int kp_cpu_count(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? (int)n : 1;
}

const char *kp_error_text(int error, char *buffer, size_t bytes) {
#ifdef __GLIBC__
  return strerror_r(error, buffer, bytes);
#else
  return strerror_r(error, buffer, bytes) == 0 ? buffer : "unknown error";
#endif
}

#ifdef KNAPSACK_EMBEDDED
// What the Embedded Swift standard library asks of libc: glibc before 2.36 and musl lack it.
__attribute__((weak)) void arc4random_buf(void *b, size_t n) {
  unsigned char *p = b;
  while (n) {
    ssize_t k = getrandom(p, n > 256 ? 256 : n, 0);
    if (k > 0) {
      p += k;
      n -= (size_t)k;
    }
  }
}
#endif

int kp_number_text(double value, int digits, char *buffer, size_t bytes) {
  int n = snprintf(buffer, bytes, "%.*g", digits, value);
  return n < 0 ? 0 : (size_t)n < bytes ? n : (int)bytes - 1;
}

int kp_text_number(const char *text, double *value) {
  char *end = 0;
  *value = strtod(text, &end);
  return end != text;
}

int kp_open_unnamed(const char *folder) {
  signal(SIGXFSZ, SIG_IGN);
  // It is named through here.
  if (access("/proc/self/fd", X_OK) != 0) return -1;
  return open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);
}

int kp_name_file(int fd, const char *path) {
  char own[40];
  snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
  return linkat(AT_FDCWD, own, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

int kp_open_scratch(const char *folder) {
  // A file that grows past RLIMIT_FSIZE is then an error of write, not the end of the process.
  signal(SIGXFSZ, SIG_IGN);
  int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) return fd;
  // File systems and kernels without unnamed files: a name for a moment.
  char path[PATH_MAX];
  int length = snprintf(path, sizeof path, "%s/.knapsack.XXXXXX", folder);
  if (length < 0 || length >= (int)sizeof path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  fd = mkostemp(path, O_CLOEXEC);
  if (fd >= 0) unlink(path);
  return fd;
}

int kp_open_growing(const char *path) {
  signal(SIGXFSZ, SIG_IGN);
  return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0600);
}
