// Sockets between processes of one user, and leaving the terminal.
#include "socket.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

uint32_t kp_user(void) { return (uint32_t)geteuid(); }

int kp_process(void) { return (int)getpid(); }

int kp_private_folder(const char *path) {
  if (mkdir(path, 0700) != 0 && errno != EEXIST) return errno;
  struct stat s;
  if (lstat(path, &s) != 0) return errno;
  return S_ISDIR(s.st_mode) && s.st_uid == geteuid() && (s.st_mode & 077) == 0 ? 0 : EACCES;
}

static int fail(int fd, int error) {
  if (fd >= 0) close(fd);
  errno = error;
  return -1;
}

static int address(const char *path, struct sockaddr_un *a) {
  size_t length = strlen(path);
  memset(a, 0, sizeof *a);
  a->sun_family = AF_UNIX;
  if (length >= sizeof a->sun_path) return ENAMETOOLONG;
  memcpy(a->sun_path, path, length);
  return 0;
}

static int open_socket(void) {
  return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static int is_own(int fd) {
  struct ucred peer;
  socklen_t bytes = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 && peer.uid == geteuid();
}

// The first socket that this process listens at, for those who end the process at once.
static char listening[sizeof(((struct sockaddr_un *)0)->sun_path)];
enum { NONE, CHANGING, LISTENING };
static atomic_int listening_state;

void kp_socket_remove(void) {
  if (atomic_load(&listening_state) == LISTENING) unlink(listening);
}

static void remember(const char *path) {
  int none = NONE;
  if (!atomic_compare_exchange_strong(&listening_state, &none, CHANGING)) return;
  strcpy(listening, path);
  atomic_store(&listening_state, LISTENING);
}

void kp_socket_close(int fd, const char *path) {
  close(fd);
  unlink(path);
  int state = LISTENING;
  if (atomic_compare_exchange_strong(&listening_state, &state, CHANGING))
    atomic_store(&listening_state, strcmp(listening, path) == 0 ? NONE : LISTENING);
}

int kp_socket_listen(const char *path) {
  struct sockaddr_un a;
  int error = address(path, &a);
  if (error) return fail(-1, error);
  int fd = open_socket();
  if (fd < 0) return -1;
  unlink(path);
  // Its folder lets nobody else in while it has the mode that it is made with.
  if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || chmod(path, 0600) != 0 ||
      listen(fd, 8) != 0)
    return fail(fd, errno);
  remember(path);
  return fd;
}

int kp_socket_accept(int fd) {
  // accept4 makes a socket before it looks whether anybody calls.
  struct pollfd calls = {.fd = fd, .events = POLLIN};
  if (poll(&calls, 1, 0) <= 0) return fail(-1, EAGAIN);
  int caller = accept4(fd, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (caller < 0) return -1;
  return is_own(caller) ? caller : fail(caller, EPERM);
}

int kp_socket_connect(const char *path) {
  struct sockaddr_un a;
  int error = address(path, &a);
  if (error) return fail(-1, error);
  int fd = open_socket();
  if (fd < 0) return -1;
  if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0) return fail(fd, errno);
  return is_own(fd) ? fd : fail(fd, EPERM);
}

int64_t kp_socket_send(int fd, const void *bytes, size_t count) {
  ssize_t n;
  do n = send(fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n >= 0 ? n : -errno;
}

int64_t kp_socket_receive(int fd, void *bytes, size_t count) {
  ssize_t n;
  do n = recv(fd, bytes, count, MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  return n >= 0 ? n : -errno;
}

static int detached = -1;

int kp_detach(void) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1000;
  pid_t child = fork();
  if (child < 0) {
    close(ends[0]);
    close(ends[1]);
    return -1000;
  }
  if (child > 0) {
    close(ends[1]);
    char byte;
    ssize_t n;
    do n = read(ends[0], &byte, 1);
    while (n < 0 && errno == EINTR);
    if (n == 1) return (int)child;
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -(128 + WTERMSIG(status));
  }
  close(ends[0]);
  detached = ends[1];
  setsid();
  int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing >= 0) {
    dup2(nothing, 0);
    close(nothing);
  }
  return 0;
}

void kp_detached(void) {
  if (detached < 0) return;
  int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
  for (int fd = 1; fd <= 2 && nothing >= 0; fd++) {
    struct stat s;
    if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)) dup2(nothing, fd);
  }
  if (nothing >= 0) close(nothing);
  if (write(detached, "", 1) < 0) {
    // Whoever waited has gone.
  }
  close(detached);
  detached = -1;
}

void kp_ignore_hangup(void) { signal(SIGHUP, SIG_IGN); }
