// sensors.h — what reading sensors needs of the system beyond open and read.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Opens a file that is read again and again; never waits for a pipe's other end. -1 with errno.
int kp_open_polled(const char *path);
/// Writes the names in a folder, each with a zero behind it, `.` and `..` left out. What does not
/// fit is left out too. Bytes written, or -errno.
int64_t kp_folder_names(const char *path, char *names, size_t bytes);
/// Has the Raspberry Pi's firmware answer a property message in place, through /dev/vcio. 0, or an
/// errno value. The message's first word is its length in bytes.
int kp_firmware_property(int fd, uint32_t *message);
/// How often the process's threads were taken off a core while they had work.
int64_t kp_involuntary_switches(void);
/// Page faults that had to read, and times that a thread was taken off a core while it had work.
typedef struct {
  uint64_t major_faults, switches;
} kp_interruptions;
/// Of the calling thread, or of all threads of the process; 0 where the kernel does not tell.
kp_interruptions kp_interruptions_now(int all_threads);
/// How long the machine has been asleep since it started: the monotonic clock stands still then.
uint64_t kp_asleep_ns(void);
/// Bytes of this stretch of the address space that are in memory, by whole pages. -1 where a part of
/// it is not mapped.
int64_t kp_resident_bytes(uintptr_t address, size_t bytes);
/// Where a regular file has become shorter than what was read of it, begins anew. 1 when it did.
int kp_rewind_if_shorter(int fd);
/// Goes to `bytes` before the end of a regular file. The offset it is at, or -1 for what is none.
int64_t kp_seek_before_end(int fd, int64_t bytes);
