// im2col_f32: the panels of a 2-D convolution's matrix; row (channel, kernel y, kernel x), column an
// output pixel.
#ifndef KN_ISA
#include <string.h>
#include "variants.h"

void kn_im2col_f32__scalar(const kn_im2col *c, float *out, size_t panel0, size_t panel1) {
  const size_t k = c->channels * c->kernel_h * c->kernel_w, count = c->out_h * c->out_w;
  for (size_t panel = panel0; panel < panel1; panel++)
    for (size_t j = 0; j < KN_PANEL; j++) {
      const size_t pixel = panel * KN_PANEL + j;
      const size_t oy = pixel / c->out_w, ox = pixel % c->out_w;
      float *y = out + panel * k * KN_PANEL + j;
      for (size_t channel = 0; channel < c->channels; channel++)
        for (size_t ky = 0; ky < c->kernel_h; ky++)
          for (size_t kx = 0; kx < c->kernel_w; kx++, y += KN_PANEL) {
            // One past the picture and all before it wrap around to large numbers.
            const size_t row = oy * c->stride_h + ky * c->dilation_h - c->pad_top;
            const size_t column = ox * c->stride_w + kx * c->dilation_w - c->pad_left;
            const int seen = pixel < count && row < c->height && column < c->width;
            *y = seen ? c->x[(channel * c->height + row) * c->width + column] : 0;
          }
    }
}

// Lanes [from, to) of one vector of a panel: pixels of one output row that see the picture. Lane l sees
// offset + l * stride_w of a channel (the lanes before `from` may lie outside of it).
typedef struct run {
  intptr_t offset;
  uint32_t from, to;
} run;

// The runs of pixels [first, first + lanes) through kernel position (ky, kx).
__attribute__((unused)) static size_t find_runs(
    const kn_im2col *c, size_t first, size_t lanes, size_t ky, size_t kx, run *runs) {
  const size_t count = c->out_h * c->out_w, end = first + lanes < count ? first + lanes : count;
  size_t found = 0;
  for (size_t pixel = first; pixel < end;) {
    const size_t oy = pixel / c->out_w, ox = pixel % c->out_w;
    const size_t rest = c->out_w - ox < end - pixel ? c->out_w - ox : end - pixel;
    const size_t row = oy * c->stride_h + ky * c->dilation_h - c->pad_top;
    const size_t at = ox * c->stride_w + kx * c->dilation_w;  // plus pad_left
    const size_t lane = pixel - first;
    pixel += rest;
    if (row >= c->height || at >= c->pad_left + c->width) continue;
    // The first and one past the last of the `rest` pixels that see the picture.
    const size_t step = c->stride_w;
    const size_t from = at < c->pad_left ? (c->pad_left - at + step - 1) / step : 0;
    size_t to = (c->pad_left + c->width - at + step - 1) / step;
    if (to > rest) to = rest;
    if (from >= to) continue;
    const intptr_t column = (intptr_t)at - (intptr_t)c->pad_left - (intptr_t)(lane * step);
    runs[found++] = (run){
        (intptr_t)(row * c->width) + column, (uint32_t)(lane + from), (uint32_t)(lane + to)};
  }
  return found;
}

#define KN_SELF "im2col.c"
#include "each_isa.h"

#else
// x[l * stride] in the lanes of the run, zeros elsewhere; reads nothing else.
KN_LANE_FN vf KN_NAME(load_run)(const float *x, run r, const size_t stride) {
#if KN_LANES == 16
  const uint32_t lanes = (1u << r.to) - (1u << r.from);
  if (stride == 1) return (vf)_mm512_maskz_loadu_ps((__mmask16)lanes, x);
  if (stride == 2) {
    // Every second float of 32: bit 2 l for lane l.
    const uint32_t spread = _pdep_u32(lanes, 0x55555555);
    const __m512 a = _mm512_maskz_loadu_ps((__mmask16)spread, x);
    const __m512 b = _mm512_maskz_loadu_ps((__mmask16)(spread >> 16), x + 16);
    return __builtin_shufflevector(
        (vf)a, (vf)b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  }
#elif KN_LANES == 8
  if (stride == 1) {
    const __m256i mask = _mm256_andnot_si256(v_mask(r.from), v_mask(r.to));
    return (vf)_mm256_maskload_ps(x, mask);
  }
#else
  if (stride == 1 && r.from == 0 && r.to == KN_LANES) return v_load(x);
#endif
  vf y = v_splat(0);
  for (uint32_t l = r.from; l < r.to; l++) y[l] = x[l * stride];
  return y;
}

// One vector of `channels` rows of the panel, `rows` rows apart, all through one kernel position.
KN_LANE_FN void KN_NAME(put_rows)(
    const float *x, size_t plane, size_t channels, const run *runs, size_t count, float *y,
    size_t rows, const size_t stride) {
  if (count == 1) {
    const run r = runs[0];
    for (size_t i = 0; i < channels; i++, x += plane, y += rows * KN_PANEL)
      v_store(y, KN_NAME(load_run)(x + r.offset, r, stride));
    return;
  }
  for (size_t i = 0; i < channels; i++, x += plane, y += rows * KN_PANEL) {
    vi all = {0};
    for (size_t j = 0; j < count; j++)
      all |= (vi)KN_NAME(load_run)(x + runs[j].offset, runs[j], stride);
    v_store(y, (vf)all);
  }
}

KN_TARGET void KN_NAME(kn_im2col_f32)(
    const kn_im2col *c, float *out, size_t panel0, size_t panel1) {
  // Runs are found once for as many channels as stay in the first cache.
  enum { block = 32 };
  const size_t window = c->kernel_h * c->kernel_w, plane = c->height * c->width;
  for (size_t panel = panel0; panel < panel1; panel++)
    for (size_t channel = 0; channel < c->channels; channel += block) {
      const size_t channels = c->channels - channel < block ? c->channels - channel : block;
      const float *x = c->x + channel * plane;
      for (size_t p = 0; p < window; p++)
        for (size_t lane = 0; lane < KN_PANEL; lane += KN_LANES) {
          float *y = out + ((panel * c->channels + channel) * window + p) * KN_PANEL + lane;
          run runs[KN_LANES];
          const size_t count = find_runs(
              c, panel * KN_PANEL + lane, KN_LANES, p / c->kernel_w, p % c->kernel_w, runs);
          if (c->stride_w == 1)
            KN_NAME(put_rows)(x, plane, channels, runs, count, y, window, 1);
          else if (c->stride_w == 2)
            KN_NAME(put_rows)(x, plane, channels, runs, count, y, window, 2);
          else
            KN_NAME(put_rows)(x, plane, channels, runs, count, y, window, c->stride_w);
        }
    }
}
#endif
