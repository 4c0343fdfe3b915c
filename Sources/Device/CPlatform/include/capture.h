// Cameras (V4L2) and microphones (ALSA) through the kernel's own interfaces, without their libraries.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct kp_camera kp_camera;

/// How the bytes of a frame are pixels.
enum { KP_GREY = 1, KP_RGB = 2, KP_YUYV = 3 };

typedef struct {
  const uint8_t *bytes;
  uint64_t count;
  uint32_t width, height;
  /// Bytes from one row to the next.
  uint32_t stride;
  /// KP_GREY, KP_RGB or KP_YUYV.
  uint32_t format;
  /// Counts the frames that the camera took, seen or not.
  uint32_t sequence;
  /// Frames that were ready before this one and are given up for it.
  uint32_t skipped;
} kp_frame;

/// Opens a camera and starts it near this size. Null with `*error` an errno: ENOTTY where the path is
/// no camera, ENOTSUP where its pixels are of no format above.
kp_camera *kp_camera_open(const char *path, uint32_t width, uint32_t height, int *error);
/// Waits up to `ms` for a frame and takes the newest. 1 with a frame, which stays until the next call;
/// 0 in time without one; -errno when the camera is lost.
int kp_camera_next(kp_camera *camera, int ms, kp_frame *frame);
void kp_camera_close(kp_camera *camera);

typedef struct kp_microphone kp_microphone;

/// Opens an ALSA capture device such as /dev/snd/pcmC0D0c for 16-bit samples of one or two channels.
/// `*rate` is asked for, and becomes what the device gives. Null with `*error` an errno.
kp_microphone *kp_microphone_open(const char *path, uint32_t *rate, uint32_t *channels, int *error);
/// Waits up to `ms` for `count` frames of `channels` samples each. Frames read; 0 in time without any;
/// -errno when the device is lost. `*overruns` grows by one whenever sound was lost.
int64_t kp_microphone_read(
    kp_microphone *microphone, int16_t *samples, size_t count, int ms, uint32_t *overruns);
void kp_microphone_close(kp_microphone *microphone);

/// For tests: stands for ioctl(2) on capture devices. Null is the kernel's. Returns -1 with errno.
typedef int (*kp_device_control)(int fd, unsigned long request, void *argument);
void kp_device_control_set(kp_device_control control);
