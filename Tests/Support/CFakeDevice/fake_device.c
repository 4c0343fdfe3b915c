#include "fake_device.h"
#include <errno.h>
#include <linux/videodev2.h>
#include <sound/asound.h>
#include <string.h>

static fake_device fake_current;

fake_device *fake_device_current(void) { return &fake_current; }

static int fail(int error) {
  errno = error;
  return -1;
}

static uint32_t first(uint32_t *list, int *count) {
  uint32_t value = list[0];
  memmove(list, list + 1, (size_t)--*count * sizeof *list);
  return value;
}

static int set_format(struct v4l2_format *format) {
  const char *p = fake_current.pixels;
  if (format->fmt.pix.pixelformat != v4l2_fourcc(p[0], p[1], p[2], p[3])) return fail(EINVAL);
  format->fmt.pix.width = fake_current.width;
  format->fmt.pix.height = fake_current.height;
  // Rows with something behind them.
  format->fmt.pix.bytesperline = fake_current.width * 2 + 8;
  return 0;
}

static int answer_camera(unsigned long request, void *argument) {
  struct v4l2_buffer *buffer = argument;
  switch (request) {
  case VIDIOC_QUERYCAP:
    ((struct v4l2_capability *)argument)->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
    return 0;
  case VIDIOC_S_FMT: return set_format(argument);
  case VIDIOC_QUERYBUF:
    buffer->length = 4096;
    buffer->m.offset = buffer->index * 4096;
    return 0;
  case VIDIOC_QBUF:
    if (fake_current.queued_count == 8) return fail(EINVAL);
    fake_current.queued[fake_current.queued_count++] = buffer->index;
    return 0;
  case VIDIOC_DQBUF:
    if (!fake_current.ready_count || !fake_current.queued_count) return fail(EAGAIN);
    buffer->sequence = first(fake_current.ready, &fake_current.ready_count);
    buffer->index = first(fake_current.queued, &fake_current.queued_count);
    return 0;
  default: return 0;
  }
}

static int choose(struct snd_pcm_hw_params *params, int is_final) {
  struct snd_interval *list = params->intervals;
  struct snd_interval *channels =
      &list[SNDRV_PCM_HW_PARAM_CHANNELS - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL];
  struct snd_interval *rate = &list[SNDRV_PCM_HW_PARAM_RATE - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL];
  if (channels->min != fake_current.channels) return fail(EINVAL);
  if (is_final && rate->min != fake_current.rate) return fail(EINVAL);
  rate->min = rate->max = fake_current.rate;
  return 0;
}

static int read_frames(struct snd_xferi *transfer) {
  if (fake_current.overruns) {
    fake_current.overruns--;
    return fail(EPIPE);
  }
  int channels = (int)fake_current.channels;
  int frames = fake_current.sound_count / channels;
  if (!frames) return fail(EAGAIN);
  if ((snd_pcm_uframes_t)frames > transfer->frames) frames = (int)transfer->frames;
  memcpy(transfer->buf, fake_current.sound, (size_t)(frames * channels) * 2);
  fake_current.sound_count -= frames * channels;
  memmove(fake_current.sound, fake_current.sound + frames * channels,
          (size_t)fake_current.sound_count * 2);
  transfer->result = frames;
  return 0;
}

int fake_control(int fd, unsigned long request, void *argument) {
  (void)fd;
  if (fake_current.is_lost) return fail(ENODEV);
  if (_IOC_TYPE(request) == 'V')
    return fake_current.is_camera ? answer_camera(request, argument) : fail(ENOTTY);
  switch (request) {
  case SNDRV_PCM_IOCTL_HW_REFINE: return choose(argument, 0);
  case SNDRV_PCM_IOCTL_HW_PARAMS: return choose(argument, 1);
  case SNDRV_PCM_IOCTL_READI_FRAMES: return read_frames(argument);
  case SNDRV_PCM_IOCTL_START: fake_current.starts++; return 0;
  default: return 0;
  }
}
