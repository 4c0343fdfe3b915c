// A camera and a microphone that are made up: what stands for ioctl(2) in tests.
#pragma once
#include <stdint.h>

typedef struct {
  int is_camera;
  /// What it can do is gone: every call fails with ENODEV.
  int is_lost;
  uint32_t width, height;
  /// The only format it takes, as four letters.
  char pixels[5];
  /// Frames that are ready, by their sequence numbers, oldest first.
  uint32_t ready[8];
  int ready_count;
  /// Buffers that were given to it, oldest first.
  uint32_t queued[8];
  int queued_count;
  uint32_t channels, rate;
  /// Samples that are ready.
  int16_t sound[64];
  int sound_count;
  /// Reads that fail with EPIPE before the next one that does not.
  int overruns;
  /// How often it was started.
  int starts;
} fake_device;

/// The one that calls are answered by.
fake_device *fake_device_current(void);

int fake_control(int fd, unsigned long request, void *argument);
