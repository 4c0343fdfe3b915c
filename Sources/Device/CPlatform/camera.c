// A V4L2 camera: memory-mapped streaming, always the newest frame.
#include "capture.h"
#include "control.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BUFFERS = 4 };

struct kp_camera {
  int fd;
  uint32_t width, height, stride, format;
  int buffers;
  void *maps[BUFFERS];
  size_t bytes[BUFFERS];
  /// The buffer that is with the caller; -1 for none.
  int lent;
};

static uint32_t format_of(uint32_t pixels) {
  switch (pixels) {
  case V4L2_PIX_FMT_GREY: return KP_GREY;
  case V4L2_PIX_FMT_RGB24: return KP_RGB;
  case V4L2_PIX_FMT_YUYV: return KP_YUYV;
  default: return 0;
  }
}

static uint32_t row_bytes(uint32_t format, uint32_t width) {
  return width * (format == KP_RGB ? 3 : format == KP_YUYV ? 2 : 1);
}

// The first of our formats that the camera takes; 0 or an errno.
static int choose_format(kp_camera *camera, uint32_t width, uint32_t height) {
  static const uint32_t wanted[] = {V4L2_PIX_FMT_RGB24, V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_GREY};
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    struct v4l2_format format;
    memset(&format, 0, sizeof format);
    format.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    format.fmt.pix.width = width;
    format.fmt.pix.height = height;
    format.fmt.pix.pixelformat = wanted[i];
    format.fmt.pix.field = V4L2_FIELD_NONE;
    if (kp_control(camera->fd, VIDIOC_S_FMT, &format) != 0) {
      if (errno == EINVAL) continue;
      return errno;
    }
    // A driver that cannot do it puts in what it can.
    camera->format = format_of(format.fmt.pix.pixelformat);
    if (!camera->format) continue;
    camera->width = format.fmt.pix.width;
    camera->height = format.fmt.pix.height;
    if (camera->width < 1 || camera->height < 1 || camera->width > 1 << 14 ||
        camera->height > 1 << 14)
      return EPROTO;
    uint32_t least = row_bytes(camera->format, camera->width);
    camera->stride = format.fmt.pix.bytesperline;
    if (camera->stride < least) camera->stride = least;
    return 0;
  }
  return ENOTSUP;
}

static int queue(kp_camera *camera, int index) {
  struct v4l2_buffer buffer;
  memset(&buffer, 0, sizeof buffer);
  buffer.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
  buffer.memory = V4L2_MEMORY_MMAP;
  buffer.index = (uint32_t)index;
  return kp_control(camera->fd, VIDIOC_QBUF, &buffer) == 0 ? 0 : errno;
}

static int map_buffers(kp_camera *camera) {
  struct v4l2_requestbuffers request;
  memset(&request, 0, sizeof request);
  request.count = BUFFERS;
  request.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
  request.memory = V4L2_MEMORY_MMAP;
  if (kp_control(camera->fd, VIDIOC_REQBUFS, &request) != 0) return errno;
  if (request.count < 2) return ENOMEM;
  int count = request.count < BUFFERS ? (int)request.count : BUFFERS;
  for (int i = 0; i < count; i++) {
    struct v4l2_buffer buffer;
    memset(&buffer, 0, sizeof buffer);
    buffer.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    buffer.memory = V4L2_MEMORY_MMAP;
    buffer.index = (uint32_t)i;
    if (kp_control(camera->fd, VIDIOC_QUERYBUF, &buffer) != 0) return errno;
    // A frame that is shorter than its rows would be read past its end.
    uint64_t whole = (uint64_t)camera->stride * camera->height;
    if (buffer.length < whole) return EPROTO;
    void *map = mmap(0, buffer.length, PROT_READ | PROT_WRITE, MAP_SHARED, camera->fd,
                     (off_t)buffer.m.offset);
    if (map == MAP_FAILED) return errno;
    camera->maps[i] = map;
    camera->bytes[i] = buffer.length;
    camera->buffers = i + 1;
  }
  for (int i = 0; i < count; i++) {
    int error = queue(camera, i);
    if (error) return error;
  }
  int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
  return kp_control(camera->fd, VIDIOC_STREAMON, &type) == 0 ? 0 : errno;
}

static int begin(kp_camera *camera, uint32_t width, uint32_t height) {
  struct v4l2_capability capability;
  memset(&capability, 0, sizeof capability);
  if (kp_control(camera->fd, VIDIOC_QUERYCAP, &capability) != 0) return errno;
  uint32_t can = capability.capabilities & V4L2_CAP_DEVICE_CAPS ? capability.device_caps
                                                                : capability.capabilities;
  if (!(can & V4L2_CAP_VIDEO_CAPTURE) || !(can & V4L2_CAP_STREAMING)) return ENOTSUP;
  int error = choose_format(camera, width, height);
  return error ? error : map_buffers(camera);
}

kp_camera *kp_camera_open(const char *path, uint32_t width, uint32_t height, int *error) {
  kp_camera *camera = calloc(1, sizeof *camera);
  if (!camera) {
    *error = ENOMEM;
    return 0;
  }
  camera->lent = -1;
  camera->fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
  *error = camera->fd < 0 ? errno : begin(camera, width, height);
  if (*error == 0) return camera;
  kp_camera_close(camera);
  return 0;
}

// The next frame that is ready: its buffer, -1 for none, -1 - errno when lost.
static int take(kp_camera *camera, struct v4l2_buffer *buffer) {
  memset(buffer, 0, sizeof *buffer);
  buffer->type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
  buffer->memory = V4L2_MEMORY_MMAP;
  if (kp_control(camera->fd, VIDIOC_DQBUF, buffer) != 0)
    return errno == EAGAIN ? -1 : -1 - errno;
  return buffer->index < (uint32_t)camera->buffers ? (int)buffer->index : -1 - EPROTO;
}

int kp_camera_next(kp_camera *camera, int ms, kp_frame *frame) {
  if (camera->lent >= 0) {
    int error = queue(camera, camera->lent);
    camera->lent = -1;
    if (error) return -error;
  }
  struct v4l2_buffer buffer, newer;
  int index = take(camera, &buffer);
  if (index == -1) {
    struct pollfd wait = {camera->fd, POLLIN, 0};
    int ready = poll(&wait, 1, ms);
    if (ready < 0) return errno == EINTR ? 0 : -errno;
    if (ready == 0) return 0;
    index = take(camera, &buffer);
    if (index == -1) return wait.revents & (POLLERR | POLLHUP | POLLNVAL) ? -ENODEV : 0;
  }
  if (index < -1) return index + 1;
  frame->skipped = 0;
  for (;;) {
    int next = take(camera, &newer);
    if (next < 0) break;
    int error = queue(camera, index);
    if (error) return -error;
    index = next;
    buffer = newer;
    frame->skipped++;
  }
  camera->lent = index;
  // A frame that came damaged is as good as lost, not as good as seen.
  uint64_t whole = (uint64_t)camera->stride * (camera->height - 1) +
                   row_bytes(camera->format, camera->width);
  if (buffer.flags & V4L2_BUF_FLAG_ERROR || (buffer.bytesused && buffer.bytesused < whole)) return 0;
  frame->bytes = camera->maps[index];
  frame->count = camera->bytes[index];
  frame->width = camera->width;
  frame->height = camera->height;
  frame->stride = camera->stride;
  frame->format = camera->format;
  frame->sequence = buffer.sequence;
  return 1;
}

void kp_camera_close(kp_camera *camera) {
  if (!camera) return;
  if (camera->fd >= 0) {
    int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    kp_control(camera->fd, VIDIOC_STREAMOFF, &type);
  }
  for (int i = 0; i < camera->buffers; i++) munmap(camera->maps[i], camera->bytes[i]);
  if (camera->fd >= 0) close(camera->fd);
  free(camera);
}
