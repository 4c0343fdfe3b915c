// im2col_f32: the panels of a 2-D convolution's matrix; row (channel, kernel y, kernel x), column an
// output pixel.
#include <string.h>
#include "variants.h"

// Consecutive pixels of one output row that lie in one panel.
typedef struct segment {
  size_t lane, count, y, x;
} segment;

static size_t segments_of(const kn_im2col *c, size_t panel, segment *segments) {
  const size_t pixels = c->out_h * c->out_w, first = panel * KN_PANEL;
  const size_t lanes = pixels - first < KN_PANEL ? pixels - first : KN_PANEL;
  size_t found = 0;
  for (size_t lane = 0; lane < lanes; found++) {
    const size_t y = (first + lane) / c->out_w, x = (first + lane) % c->out_w;
    const size_t count = c->out_w - x < lanes - lane ? c->out_w - x : lanes - lane;
    segments[found] = (segment){lane, count, y, x};
    lane += count;
  }
  return found;
}

// The pixels of `s` at kernel column kx; `line` is the input row. Writes `count` floats.
static inline void put_segment(
    const kn_im2col *c, const segment *s, const float *line, size_t kx, float *out) {
  const size_t shift = kx * c->dilation_w, step = c->stride_w;
  size_t at = s->x * step + shift;  // plus pad_left
  size_t i = 0, end = s->count;
  // Pixels left of the picture, then those in it, then those to its right.
  for (; i < end && at < c->pad_left; i++, at += step) out[i] = 0;
  if (i < end) {
    const float *from = line + (at - c->pad_left);
    const size_t left = at - c->pad_left < c->width ? c->width - (at - c->pad_left) : 0;
    const size_t most = (left + step - 1) / step, inside = end - i < most ? end - i : most;
    if (step == 1)
      for (size_t j = 0; j < inside; j++) out[i + j] = from[j];
    else if (step == 2)
      for (size_t j = 0; j < inside; j++) out[i + j] = from[2 * j];
    else
      for (size_t j = 0; j < inside; j++) out[i + j] = from[j * step];
    i += inside;
  }
  for (; i < end; i++) out[i] = 0;
}

void kn_im2col_f32__scalar(const kn_im2col *c, float *out, size_t panel0, size_t panel1) {
  const size_t k = c->channels * c->kernel_h * c->kernel_w;
  for (size_t panel = panel0; panel < panel1; panel++) {
    segment segments[KN_PANEL];
    const size_t count = segments_of(c, panel, segments);
    float *y = out + panel * k * KN_PANEL;
    const size_t used = segments[count - 1].lane + segments[count - 1].count;
    for (size_t channel = 0; channel < c->channels; channel++) {
      const float *plane = c->x + channel * c->height * c->width;
      for (size_t ky = 0; ky < c->kernel_h; ky++)
        for (size_t kx = 0; kx < c->kernel_w; kx++, y += KN_PANEL) {
          for (size_t j = used; j < KN_PANEL; j++) y[j] = 0;
          for (size_t s = 0; s < count; s++) {
            const segment *seg = &segments[s];
            const size_t line = seg->y * c->stride_h + ky * c->dilation_h;  // plus pad_top
            if (line < c->pad_top || line - c->pad_top >= c->height) {
              memset(y + seg->lane, 0, seg->count * sizeof *y);
              continue;
            }
            const float *x = plane + (line - c->pad_top) * c->width;
            // Nearly all of a picture: a whole panel of neighbours.
            const size_t left = seg->x + kx * c->dilation_w;
            if (seg->count == KN_PANEL && c->stride_w == 1 && left >= c->pad_left &&
                left - c->pad_left + KN_PANEL <= c->width)
              memcpy(y, x + (left - c->pad_left), KN_PANEL * sizeof *y);
            else
              put_segment(c, seg, x, kx, y + seg->lane);
          }
        }
    }
  }
}
