// Locks and wake-ups between threads that are not on the way of an inference.
#include "platform.h"
#include <sys/eventfd.h>

struct kp_lock {
  pthread_mutex_t mutex;
};

kp_lock *kp_lock_create(void) {
  kp_lock *lock = malloc(sizeof *lock);
  if (lock) pthread_mutex_init(&lock->mutex, 0);
  return lock;
}

void kp_lock_destroy(kp_lock *lock) {
  pthread_mutex_destroy(&lock->mutex);
  free(lock);
}

void kp_lock_take(kp_lock *lock) { pthread_mutex_lock(&lock->mutex); }
void kp_lock_release(kp_lock *lock) { pthread_mutex_unlock(&lock->mutex); }

int kp_wake_up_create(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

void kp_wake_up_call(int fd) {
  uint64_t one = 1;
  if (write(fd, &one, sizeof one) < 0) {
    // Full: it is readable as it is.
  }
}

void kp_wake_up_take(int fd) {
  uint64_t count;
  if (read(fd, &count, sizeof count) < 0) {
    // Empty: it is unreadable as it is.
  }
}
