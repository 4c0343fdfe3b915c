// The file being written: a signal that ends the process takes it along.
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>

#include "platform.h"
#include "terminal.h"

static char path[PATH_MAX];
enum { FREE, CHANGING, CLAIMED };
static atomic_int state;
static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGXCPU};

void kp_temporary_remove(void) {
  if (atomic_load(&state) == CLAIMED) unlink(path);
}

static void on_end(int signal_number) {
  kp_temporary_remove();
  kp_die_by_signal(signal_number);
}

// Handlers of others stay: the loop's own let it finish what it writes.
static void replace(void (*from)(int), void (*to)(int)) {
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    struct sigaction now;
    if (sigaction(ends[i], 0, &now) != 0 || now.sa_handler != from) continue;
    memset(&now, 0, sizeof now);
    now.sa_handler = to;
    sigaction(ends[i], &now, 0);
  }
}

int kp_temporary_claim(const char *temporary) {
  int expected = FREE;
  if (strlen(temporary) >= sizeof path) return 0;
  if (!atomic_compare_exchange_strong(&state, &expected, CHANGING)) return 0;
  strcpy(path, temporary);
  atomic_store(&state, CLAIMED);
  replace(SIG_DFL, on_end);
  return 1;
}

void kp_temporary_release(void) {
  replace(on_end, SIG_DFL);
  atomic_store(&state, FREE);
}
