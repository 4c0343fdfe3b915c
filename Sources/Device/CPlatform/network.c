// Sockets, as far as a metrics port needs them.
#include "network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int kp_listen(const char *address, int port) {
  struct sockaddr_in four;
  struct sockaddr_in6 six;
  memset(&four, 0, sizeof four);
  memset(&six, 0, sizeof six);
  struct sockaddr *name;
  socklen_t bytes;
  if (port < 0 || port > 65535) return -EINVAL;
  if (inet_pton(AF_INET, address, &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons((uint16_t)port);
    name = (struct sockaddr *)&four;
    bytes = sizeof four;
  } else if (inet_pton(AF_INET6, address, &six.sin6_addr) == 1) {
    six.sin6_family = AF_INET6;
    six.sin6_port = htons((uint16_t)port);
    name = (struct sockaddr *)&six;
    bytes = sizeof six;
  } else {
    return -EINVAL;
  }
  int fd = socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  int yes = 1;
  // A run that is started again at once gets its port back.
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(fd, name, bytes) == 0 && listen(fd, 16) == 0) return fd;
  int error = errno;
  close(fd);
  return -error;
}

int kp_listening_port(int fd) {
  struct sockaddr_storage name;
  socklen_t bytes = sizeof name;
  if (getsockname(fd, (struct sockaddr *)&name, &bytes) != 0) return -errno;
  in_port_t port = name.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&name)->sin6_port
                                              : ((struct sockaddr_in *)&name)->sin_port;
  return ntohs(port);
}

int kp_accept(int fd) {
  int connection = accept4(fd, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
  return connection >= 0 ? connection : -errno;
}

int64_t kp_receive(int fd, void *bytes, size_t count) {
  ssize_t n = recv(fd, bytes, count, 0);
  return n >= 0 ? n : -errno;
}

int64_t kp_send(int fd, const void *bytes, size_t count) {
  ssize_t n = send(fd, bytes, count, MSG_NOSIGNAL);
  return n >= 0 ? n : -errno;
}

void kp_end_sending(int fd) { shutdown(fd, SHUT_WR); }
