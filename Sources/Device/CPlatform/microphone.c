// An ALSA microphone: interleaved 16-bit samples, and how often some were lost.
#include "capture.h"
#include "control.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sound/asound.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static _Atomic(kp_device_control) replacement;

void kp_device_control_set(kp_device_control control) { atomic_store(&replacement, control); }

int kp_control(int fd, unsigned long request, void *argument) {
  kp_device_control other = atomic_load(&replacement);
  int result;
  do {
    result = other ? other(fd, request, argument) : ioctl(fd, request, argument);
  } while (result < 0 && errno == EINTR);
  return result;
}

struct kp_microphone {
  int fd;
  uint32_t channels;
};

static struct snd_interval *interval(struct snd_pcm_hw_params *params, int name) {
  return &params->intervals[name - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL];
}

static void allow_all(struct snd_pcm_hw_params *params) {
  memset(params, 0, sizeof *params);
  for (int n = SNDRV_PCM_HW_PARAM_FIRST_MASK; n <= SNDRV_PCM_HW_PARAM_LAST_MASK; n++)
    memset(&params->masks[n - SNDRV_PCM_HW_PARAM_FIRST_MASK], 0xFF, sizeof(struct snd_mask));
  for (int n = SNDRV_PCM_HW_PARAM_FIRST_INTERVAL; n <= SNDRV_PCM_HW_PARAM_LAST_INTERVAL; n++) {
    interval(params, n)->min = 0;
    interval(params, n)->max = UINT_MAX;
  }
  params->rmask = UINT_MAX;
  params->info = UINT_MAX;
}

static void only(struct snd_pcm_hw_params *params, int name, unsigned bit) {
  struct snd_mask *mask = &params->masks[name - SNDRV_PCM_HW_PARAM_FIRST_MASK];
  memset(mask, 0, sizeof *mask);
  mask->bits[bit >> 5] = 1u << (bit & 31);
}

static void fix(struct snd_pcm_hw_params *params, int name, unsigned value) {
  interval(params, name)->min = interval(params, name)->max = value;
  interval(params, name)->integer = 1;
}

// Asks for this many channels near the rate; 0 or an errno.
static int configure(kp_microphone *microphone, uint32_t channels, uint32_t *rate) {
  struct snd_pcm_hw_params params;
  allow_all(&params);
  only(&params, SNDRV_PCM_HW_PARAM_ACCESS, SNDRV_PCM_ACCESS_RW_INTERLEAVED);
  only(&params, SNDRV_PCM_HW_PARAM_FORMAT, SNDRV_PCM_FORMAT_S16_LE);
  fix(&params, SNDRV_PCM_HW_PARAM_CHANNELS, channels);
  if (kp_control(microphone->fd, SNDRV_PCM_IOCTL_HW_REFINE, &params) != 0) return errno;
  // What is left of the rates after the refinement: the wanted one, or the nearest.
  struct snd_interval *rates = interval(&params, SNDRV_PCM_HW_PARAM_RATE);
  uint32_t wanted = *rate < rates->min ? rates->min : *rate > rates->max ? rates->max : *rate;
  fix(&params, SNDRV_PCM_HW_PARAM_RATE, wanted);
  params.rmask = UINT_MAX;
  if (kp_control(microphone->fd, SNDRV_PCM_IOCTL_HW_PARAMS, &params) != 0) return errno;
  uint32_t given = interval(&params, SNDRV_PCM_HW_PARAM_RATE)->min;
  if (given < 1000 || given > 768000) return EPROTO;
  *rate = given;
  microphone->channels = channels;
  return kp_control(microphone->fd, SNDRV_PCM_IOCTL_PREPARE, 0) == 0 ? 0 : errno;
}

kp_microphone *kp_microphone_open(
    const char *path, uint32_t *rate, uint32_t *channels, int *error) {
  kp_microphone *microphone = calloc(1, sizeof *microphone);
  if (!microphone) {
    *error = ENOMEM;
    return 0;
  }
  microphone->fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
  *error = microphone->fd < 0 ? errno : configure(microphone, 1, rate);
  if (*error == EINVAL && microphone->fd >= 0) *error = configure(microphone, 2, rate);
  if (*error == 0 && kp_control(microphone->fd, SNDRV_PCM_IOCTL_START, 0) != 0) *error = errno;
  if (*error == 0) {
    *channels = microphone->channels;
    return microphone;
  }
  kp_microphone_close(microphone);
  return 0;
}

int64_t kp_microphone_read(
    kp_microphone *microphone, int16_t *samples, size_t count, int ms, uint32_t *overruns) {
  for (int attempt = 0; attempt < 2; attempt++) {
    struct snd_xferi transfer = {0, samples, count};
    if (kp_control(microphone->fd, SNDRV_PCM_IOCTL_READI_FRAMES, &transfer) == 0) {
      if (transfer.result < 0 || (size_t)transfer.result > count) return -EPROTO;
      if (transfer.result > 0) return transfer.result;
    } else if (errno == EPIPE) {
      // The ring ran over: what was in it is lost, and the device waits to be started.
      (*overruns)++;
      if (kp_control(microphone->fd, SNDRV_PCM_IOCTL_PREPARE, 0) != 0 ||
          kp_control(microphone->fd, SNDRV_PCM_IOCTL_START, 0) != 0)
        return -errno;
      continue;
    } else if (errno != EAGAIN) {
      return -errno;
    }
    if (attempt) return 0;
    struct pollfd wait = {microphone->fd, POLLIN, 0};
    int ready = poll(&wait, 1, ms);
    if (ready < 0) return errno == EINTR ? 0 : -errno;
    if (ready == 0) return 0;
  }
  return 0;
}

void kp_microphone_close(kp_microphone *microphone) {
  if (!microphone) return;
  if (microphone->fd >= 0) {
    kp_control(microphone->fd, SNDRV_PCM_IOCTL_DROP, 0);
    close(microphone->fd);
  }
  free(microphone);
}
