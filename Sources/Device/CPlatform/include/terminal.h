// terminal.h — the terminal as something borrowed: taken raw, always given back, whatever kills us.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Opens the controlling terminal for this use alone, non-blocking. A file descriptor, or -errno.
int kp_terminal_open(void);
/// Size in cells. 0, or an errno value.
int kp_terminal_size(int fd, int *rows, int *columns);
/// Takes the terminal: saves its mode, makes it raw and catches the signals below so that every
/// way out first sends `restore` (bytes: at most 512), where something was drawn, and the saved mode.
/// One terminal at a time.
/// While it is held, standard error is kept in memory if it is a terminal (64 KiB) and written when
/// the terminal is given back.
/// 0, or an errno value; ENOTTY also when this process is in the background.
int kp_terminal_begin(int fd, const uint8_t *restore, size_t bytes);
/// Gives it back. Does nothing when it is not held; safe in a signal handler and on any thread.
void kp_terminal_end(void);
/// Gives it back, stops the process as Ctrl-Z does, and takes it again when the process goes on.
void kp_terminal_suspend(void);
/// Makes it raw again, for when a shell changed the mode behind our back.
void kp_terminal_resume(void);
/// Writes without waiting. Bytes written, or -errno (EAGAIN: full). EBADF when it is not held.
int64_t kp_terminal_write(const void *bytes, size_t count);
/// Reads without waiting. Bytes read, 0 when there are none, or -errno (EIO: it is gone).
int64_t kp_terminal_read(void *bytes, size_t count);

enum { KP_READABLE = 1, KP_WRITABLE = 2, KP_HUNG_UP = 4, KP_WOKEN = 8 };
/// Sleeps until the terminal can be read (or written, if asked), a signal came or `kp_wake` was
/// called, at most `ms`. A set of the bits above.
int kp_terminal_wait(int ms, int want_write);
/// Writes to a descriptor; where it is a terminal that takes nothing for `ms`, gives up. 1 when all
/// was written.
int kp_write_in_time(int fd, const uint8_t *bytes, size_t count, int ms);
/// Ends a wait. Safe in a signal handler and on any thread.
void kp_wake(void);

enum { KP_RESIZED = 1, KP_CONTINUED = 2, KP_STOP_ASKED = 4 };
/// The signals of the set above that came since the last call.
unsigned kp_signals_taken(void);
/// Whether SIGUSR1 came since the last call: somebody wants a snapshot.
int kp_snapshot_asked(void);
/// Notes SIGUSR1 for `kp_snapshot_asked` from now on, rather than to be ended by it.
void kp_snapshot_catch(void);

/// Catches SIGINT, SIGTERM and SIGHUP (those not ignored already): the first is kept for
/// `kp_stop_signal`, the second restores the terminal and ends the process at once.
void kp_stop_signals_catch(void);
/// The first of them that came; 0 while none has.
int kp_stop_signal(void);
/// Restores the terminal and ends the process by this signal's default action.
_Noreturn void kp_die_by_signal(int signal_number);
/// Restores the terminal and ends the process without running anything else.
_Noreturn void kp_leave(int status);
/// Gives the calling thread a stack of its own for the crash handler. Once per thread.
void kp_guard_thread(void);

/// A file in memory, mapped for reading. Its descriptor, or -errno.
int kp_memory_file(size_t bytes, void **map);
/// Cells that the C library says a character takes; -1 when it is not printable in this locale.
int kp_cell_width(uint32_t scalar);
/// Whether the locale named by the environment speaks UTF-8. Sets the process's locale.
int kp_locale_is_utf8(void);
/// Seconds since local midnight.
int kp_local_second_of_day(void);
/// Processor time of the calling thread.
uint64_t kp_thread_cpu_ns(void);

/// A thread to be joined.
typedef struct kp_thread kp_thread;
/// Runs body(argument) on a thread with 512 KiB of stack. Null when there can be no more threads.
kp_thread *kp_thread_start(void (*body)(void *), void *argument);
/// Waits for it to end and frees it.
void kp_thread_join(kp_thread *thread);
