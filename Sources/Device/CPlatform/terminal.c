// The terminal guard: raw mode, signals, crashes. What runs in a handler is async-signal-safe.
#include "platform.h"
#include "socket.h"
#include "terminal.h"
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

static int terminal = -1;
static struct termios saved_mode;
static uint8_t restore_bytes[512];
static size_t restore_count;
static _Atomic int held;
static _Atomic int writing;
// A thread is taking the terminal; and whoever ends the process has begun to, so that none may.
static _Atomic int taking;
static _Atomic int leaving;
// So many threads are giving it back.
static _Atomic int giving;
// Something was drawn since it was taken: leaving a full screen that was never entered moves the cursor.
static _Atomic int drawn;
// A frame was cut in the middle: the next bytes may land inside an escape sequence.
static _Atomic int cut;
static _Atomic unsigned taken;
static _Atomic int snapshot_asked;
static _Atomic int stop_count;
static _Atomic int stop_first;
static int wake_pipe[2] = {-1, -1};
static int message_file = -1;
static int message_stream = -1;
enum { MESSAGE_BYTES = 64 << 10 };

int kp_terminal_open(void) {
  int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  if (fd >= 0) return fd;
  int error = errno;
  // Opened anew by name: O_NONBLOCK on the shared descriptor would outlive us in the shell.
  const char *name = isatty(0) ? ttyname(0) : 0;
  if (name) fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  return fd >= 0 ? fd : -error;
}

int kp_terminal_size(int fd, int *rows, int *columns) {
  struct winsize size;
  if (ioctl(fd, TIOCGWINSZ, &size) != 0) return errno;
  *rows = size.ws_row;
  *columns = size.ws_col;
  return 0;
}

static void set_mode(const struct termios *mode) {
  // A background process that sets the mode is stopped, unless it blocks this signal.
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGTTOU);
  pthread_sigmask(SIG_BLOCK, &set, &old);
  tcsetattr(terminal, TCSANOW, mode);
  pthread_sigmask(SIG_SETMASK, &old, 0);
}

static void make_raw(void) {
  struct termios raw = saved_mode;
  raw.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  raw.c_oflag &= ~(tcflag_t)OPOST;
  raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  set_mode(&raw);
}

// Gives a slow terminal 200 ms in all, then gives up: leaving matters more. 1 when all was taken.
static int write_patiently(const uint8_t *bytes, size_t count) {
  for (int tries = 0; count && tries < 10;) {
    ssize_t n = write(terminal, bytes, count);
    if (n > 0) {
      bytes += n;
      count -= (size_t)n;
    } else if (n < 0 && errno == EAGAIN) {
      struct pollfd p = {terminal, POLLOUT, 0};
      poll(&p, 1, 20);
      tries++;
    } else if (n < 0 && errno != EINTR) {
      return 0;
    }
  }
  return count == 0;
}

// Standard error, while it is the terminal that is drawn on, goes to memory: a message would be
// drawn over, and lost with the full screen.
static void hold_messages(void) {
  if (message_stream >= 0 || !isatty(2)) return;
  if (message_file < 0) {
    int fd = memfd_create("messages", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return;
    // Of fixed size: what does not fit is refused.
    if (ftruncate(fd, MESSAGE_BYTES) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) != 0) {
      close(fd);
      return;
    }
    message_file = fd;
  }
  message_stream = fcntl(2, F_DUPFD_CLOEXEC, 3);
  if (message_stream < 0) return;
  lseek(message_file, 0, SEEK_SET);
  dup2(message_file, 2);
}

static void print_messages(int stream) {
  off_t count = lseek(message_file, 0, SEEK_CUR);
  for (off_t at = 0; at < count;) {
    uint8_t part[512];
    ssize_t n = pread(message_file, part, sizeof part, at);
    if (n <= 0) return;
    if (n > count - at) n = (ssize_t)(count - at);
    if (write(stream, part, (size_t)n) < 0) return;
    at += n;
  }
}

static void release_messages(void) {
  if (message_stream < 0) return;
  int stream = message_stream;
  dup2(stream, 2);
  message_stream = -1;
  close(stream);
  print_messages(2);
}

// Waits for another thread that is in the middle of what does not take long.
static void await(_Atomic int *busy) {
  for (int i = 0; i < 20 && atomic_load(busy); i++) {
    struct timespec t = {0, 1000000};
    nanosleep(&t, 0);
  }
}

static void give_back(void) {
  await(&writing);
  // Who is interrupted in here is followed by another who does it all: what says that there is something
  // to do is said until it is done.
  if (atomic_load(&drawn)) {
    // CAN ends an escape sequence that was cut short.
    static const uint8_t can[] = {0x18};
    int taken_whole = (!atomic_load(&cut) || write_patiently(can, 1)) &&
                      write_patiently(restore_bytes, restore_count);
    if (!taken_whole) {
      // Nobody reads: what waits is dropped, so that whoever writes after us does not wait either.
      tcflush(terminal, TCOFLUSH);
      write_patiently(can, 1);
      write_patiently(restore_bytes, restore_count);
    }
  }
  set_mode(&saved_mode);
  atomic_store(&cut, 0);
  atomic_store(&drawn, 0);
}

void kp_terminal_end(void) {
  int error = errno;
  await(&taking);
  atomic_fetch_add(&giving, 1);
  if (atomic_exchange(&held, 0)) {
    give_back();
    release_messages();
  }
  atomic_fetch_sub(&giving, 1);
  errno = error;
}

// For who ends the process: also where another thread, or the one that was interrupted, is about to give
// the terminal back and will not get to it.
static void end_terminal_now(void) {
  atomic_store(&leaving, 1);
  kp_terminal_end();
  await(&giving);
  if (!atomic_load(&giving)) return;
  give_back();
  int stream = message_stream;
  if (stream >= 0) print_messages(stream);
}

_Noreturn void kp_die_by_signal(int signal_number) {
  end_terminal_now();
  kp_temporary_remove();
  kp_socket_remove();
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_DFL;
  sigaction(signal_number, &action, 0);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal_number);
  pthread_sigmask(SIG_UNBLOCK, &set, 0);
  raise(signal_number);
  _exit(128 + signal_number);
}

_Noreturn void kp_leave(int status) {
  end_terminal_now();
  kp_temporary_remove();
  kp_socket_remove();
  _exit(status);
}

void kp_wake(void) {
  int error = errno;
  if (wake_pipe[1] >= 0 && write(wake_pipe[1], "", 1) < 0) {
    // Full: the reader has enough to wake for.
  }
  errno = error;
}

static void on_stop(int signal_number) {
  int error = errno;
  if (atomic_fetch_add(&stop_count, 1) > 0) kp_die_by_signal(signal_number);
  atomic_store(&stop_first, signal_number);
  if (!atomic_load(&held) && signal_number == SIGINT) {
    static const char text[] = "stopping after this inference, Ctrl-C again leaves at once\n";
    if (write(2, text, sizeof text - 1) < 0) {
      // Nobody listens.
    }
  }
  kp_wake();
  errno = error;
}

static void on_note(int signal_number) {
  atomic_fetch_or(&taken, signal_number == SIGWINCH  ? KP_RESIZED
                          : signal_number == SIGCONT ? KP_CONTINUED
                                                     : KP_STOP_ASKED);
  kp_wake();
}

static void on_snapshot(int signal_number) {
  (void)signal_number;
  atomic_store(&snapshot_asked, 1);
  kp_wake();
}

int kp_snapshot_asked(void) { return atomic_exchange(&snapshot_asked, 0); }
unsigned kp_signals_taken(void) { return atomic_exchange(&taken, 0); }
int kp_stop_signal(void) { return atomic_load_explicit(&stop_first, memory_order_relaxed); }

static void catch(int signal_number, void (*handler)(int), int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigfillset(&action.sa_mask);
  sigaction(signal_number, &action, 0);
}

static void make_wake_pipe(void) {
  if (wake_pipe[0] < 0 && pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) != 0) wake_pipe[0] = -1;
}

void kp_snapshot_catch(void) {
  make_wake_pipe();
  catch(SIGUSR1, on_snapshot, SA_RESTART);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_UNBLOCK, &set, 0);
}

void kp_stop_signals_catch(void) {
  make_wake_pipe();
  static const int stops[] = {SIGINT, SIGTERM, SIGHUP};
  sigset_t set;
  sigemptyset(&set);
  for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
    struct sigaction now;
    // nohup and shells without job control ignore some of them for us.
    if (sigaction(stops[i], 0, &now) == 0 && now.sa_handler == SIG_IGN) continue;
    catch(stops[i], on_stop, SA_RESTART);
    sigaddset(&set, stops[i]);
  }
  // A mask is inherited: whoever started us may have blocked what is to stop us.
  pthread_sigmask(SIG_UNBLOCK, &set, 0);
}

void kp_guard_thread(void) {
  stack_t stack;
  memset(&stack, 0, sizeof stack);
  stack.ss_size = 64 << 10;
  stack.ss_sp = mmap(0, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (stack.ss_sp != MAP_FAILED) sigaltstack(&stack, 0);
}

static const int crashes[] = {SIGSEGV, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGQUIT, SIGSYS,
                              SIGPIPE};

int kp_terminal_begin(int fd, const uint8_t *restore, size_t bytes) {
  if (atomic_load(&held)) return EBUSY;
  if (bytes > sizeof restore_bytes) return E2BIG;
  if (tcgetattr(fd, &saved_mode) != 0) return errno;
  pid_t foreground = tcgetpgrp(fd);
  if (foreground >= 0 && foreground != getpgrp()) return ENOTTY;
  terminal = fd;
  memcpy(restore_bytes, restore, bytes);
  restore_count = bytes;
  make_wake_pipe();
  if (wake_pipe[0] < 0) return EMFILE;
  static int registered;
  if (!registered) atexit(kp_terminal_end);
  registered = 1;
  kp_guard_thread();
  atomic_store(&held, 1);
  for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
    catch(crashes[i], kp_die_by_signal, SA_ONSTACK | SA_NODEFER);
  kp_stop_signals_catch();
  catch(SIGWINCH, on_note, SA_RESTART);
  catch(SIGCONT, on_note, SA_RESTART);
  catch(SIGTSTP, on_note, SA_RESTART);
  hold_messages();
  make_raw();
  return 0;
}

void kp_terminal_resume(void) {
  if (terminal < 0) return;
  atomic_store(&taking, 1);
  // A signal that stops the run may come with the one that continues it: then it ends the process.
  if (!atomic_load(&leaving)) {
    atomic_store(&held, 1);
    hold_messages();
    make_raw();
  }
  atomic_store(&taking, 0);
}

void kp_terminal_suspend(void) {
  kp_terminal_end();
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_DFL;
  sigaction(SIGTSTP, &action, 0);
  // The group, so that a pipeline stops whole; then this thread, so that it goes no further.
  kill(0, SIGTSTP);
  raise(SIGTSTP);
  catch(SIGTSTP, on_note, SA_RESTART);
  kp_terminal_resume();
}

int64_t kp_terminal_write(const void *bytes, size_t count) {
  atomic_store(&writing, 1);
  ssize_t n = -1;
  int error = EBADF;
  if (atomic_load(&held)) {
    atomic_store(&drawn, 1);
    do n = write(terminal, bytes, count);
    while (n < 0 && errno == EINTR);
    error = errno;
    if (n > 0) atomic_store(&cut, (size_t)n < count);
  }
  atomic_store(&writing, 0);
  return n >= 0 ? n : -error;
}

int64_t kp_terminal_read(void *bytes, size_t count) {
  ssize_t n = read(terminal, bytes, count);
  if (n >= 0) return n;
  return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

int kp_terminal_wait(int ms, int want_write) {
  struct pollfd p[2] = {{terminal, (short)(POLLIN | (want_write ? POLLOUT : 0)), 0},
                        {wake_pipe[0], POLLIN, 0}};
  int bits = 0;
  if (poll(p, 2, ms) <= 0) return 0;
  if (p[0].revents & POLLIN) bits |= KP_READABLE;
  if (p[0].revents & POLLOUT) bits |= KP_WRITABLE;
  if (p[0].revents & (POLLHUP | POLLERR | POLLNVAL)) bits |= KP_HUNG_UP;
  if (p[1].revents & POLLIN) {
    char drain[64];
    while (read(wake_pipe[0], drain, sizeof drain) == (ssize_t)sizeof drain) {
    }
    bits |= KP_WOKEN;
  }
  return bits;
}

int kp_write_in_time(int fd, const uint8_t *bytes, size_t count, int ms) {
  // Opened anew, as the terminal itself: the shared descriptor has to stay blocking.
  const char *name = isatty(fd) ? ttyname(fd) : 0;
  int own = name ? open(name, O_WRONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK) : -1;
  int out = own >= 0 ? own : fd;
  while (count) {
    ssize_t n = write(out, bytes, count);
    if (n > 0) {
      bytes += n;
      count -= (size_t)n;
    } else if (n < 0 && errno == EAGAIN) {
      struct pollfd p = {out, POLLOUT, 0};
      if (poll(&p, 1, ms) == 0) break;
    } else if (n < 0 && errno != EINTR) {
      break;
    }
  }
  if (own >= 0) close(own);
  return count == 0;
}

int kp_memory_file(size_t bytes, void **map) {
  int fd = memfd_create("frame", MFD_CLOEXEC);
  if (fd < 0) return -errno;
  if (ftruncate(fd, (off_t)bytes) == 0) {
    void *p = mmap(0, bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (p != MAP_FAILED) {
      *map = p;
      return fd;
    }
  }
  int error = errno;
  close(fd);
  return -error;
}

int kp_cell_width(uint32_t scalar) { return wcwidth((wchar_t)scalar); }

int kp_locale_is_utf8(void) {
  if (!setlocale(LC_CTYPE, "")) return 0;
  return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

int kp_local_second_of_day(void) {
  time_t now = time(0);
  struct tm t;
  if (!localtime_r(&now, &t)) return 0;
  return t.tm_hour * 3600 + t.tm_min * 60 + t.tm_sec;
}

uint64_t kp_thread_cpu_ns(void) {
  struct timespec t;
  if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0) return 0;
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

struct kp_thread {
  pthread_t id;
  void (*body)(void *);
  void *argument;
};

static void *run_thread(void *raw) {
  kp_thread *thread = raw;
  // So that top, perf and Benchmarks/monitor tell what watches from what infers.
  prctl(PR_SET_NAME, "monitor");
  kp_guard_thread();
  thread->body(thread->argument);
  return 0;
}

kp_thread *kp_thread_start(void (*body)(void *), void *argument) {
  kp_thread *thread = malloc(sizeof *thread);
  if (!thread) return 0;
  thread->body = body;
  thread->argument = argument;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 512 << 10);
  int failed = pthread_create(&thread->id, &attributes, run_thread, thread);
  pthread_attr_destroy(&attributes);
  if (!failed) return thread;
  free(thread);
  return 0;
}

void kp_thread_join(kp_thread *thread) {
  pthread_join(thread->id, 0);
  free(thread);
}
