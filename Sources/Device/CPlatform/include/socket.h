// socket.h: processes of one user that talk to each other, and one that leaves its terminal.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Makes a folder that only this user may enter, unless it is there. 0, or an errno value: EACCES
/// where it is a link, somebody else's, or open to others.
int kp_private_folder(const char *path);
/// This user's number.
uint32_t kp_user(void);
/// This process's number.
int kp_process(void);
/// A stream socket under this path, for this user alone, in place of what lay there. It never waits.
/// Its descriptor, or -1 with errno.
int kp_socket_listen(const char *path);
/// Ends that, and removes it.
void kp_socket_close(int fd, const char *path);
/// Removes the first socket that this process listens at, if there is one. Safe in a signal handler.
void kp_socket_remove(void);
/// The next caller, who never waits either; -1 for none. Callers of other users are hung up on.
int kp_socket_accept(int fd);
/// Calls the socket at a path. Its descriptor, which never waits, or -1 with errno: EPERM where
/// another user answers.
int kp_socket_connect(const char *path);
/// Bytes taken, or -errno (EAGAIN: full).
int64_t kp_socket_send(int fd, const void *bytes, size_t count);
/// Bytes received, 0 where the other side has hung up, or -errno (EAGAIN: nothing there).
int64_t kp_socket_receive(int fd, void *bytes, size_t count);

/// Goes on as another process without a terminal, whose standard input is empty. In the first process:
/// its number once it has called `kp_detached`, or minus its exit status where it ended before. 0 in
/// the other one; its status is at most 255. -1000 where there can be none. Before any thread begins.
int kp_detach(void);
/// Lets the process that was detached from end, and gives up standard output and standard error where
/// they are no files: whoever reads a pipe would wait for their end.
void kp_detached(void);
/// The end of a terminal's connection does not end this process.
void kp_ignore_hangup(void);
