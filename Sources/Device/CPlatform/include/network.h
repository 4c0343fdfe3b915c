// network.h — a port that answers a few short requests. Everything here is non-blocking.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Listens at an IPv4 or IPv6 address in digits; port 0 is any that is free. A descriptor, or -errno;
/// -EINVAL for what is no address.
int kp_listen(const char *address, int port);
/// The port that is listened at, or -errno.
int kp_listening_port(int fd);
/// The next connection, or -errno: EAGAIN where nobody waits.
int kp_accept(int fd);
/// Bytes received, 0 at the end, or -errno.
int64_t kp_receive(int fd, void *bytes, size_t count);
/// Bytes sent, or -errno. A peer that has gone is EPIPE and no signal.
int64_t kp_send(int fd, const void *bytes, size_t count);
/// Says that nothing more is sent; what the peer still sends can be received.
void kp_end_sending(int fd);
