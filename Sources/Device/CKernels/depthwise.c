// depthwise_f32: y = activation(x * w + bias), one channel of a 2-D convolution.
#ifndef KN_ISA
#include "variants.h"

typedef struct range {
  size_t from, to;
} range;

// The kernel positions that see the picture from output position `out`: those with
// 0 <= out * stride + position * dilation - pad < extent.
static range inside(
    size_t out, size_t stride, size_t dilation, size_t pad, size_t kernel, size_t extent) {
  const size_t at = out * stride;
  const size_t from = at < pad ? (pad - at + dilation - 1) / dilation : 0;
  size_t to = at < pad + extent ? (pad + extent - at + dilation - 1) / dilation : 0;
  if (to > kernel) to = kernel;
  return from < to ? (range){from, to} : (range){0, 0};
}
static range inside_rows(const kn_depthwise *c, size_t oy) {
  return inside(oy, c->stride_h, c->dilation_h, c->pad_top, c->kernel_h, c->height);
}

// Output pixels [from, to) of row oy, before the activation; `rows` of the kernel see the picture.
static void pixels(const kn_depthwise *c, size_t oy, range rows, size_t from, size_t to) {
  for (size_t ox = from; ox < to; ox++) {
    const range columns =
        inside(ox, c->stride_w, c->dilation_w, c->pad_left, c->kernel_w, c->width);
    float sum = c->bias;
    for (size_t ky = rows.from; ky < rows.to; ky++) {
      const float *x = c->x + (oy * c->stride_h + ky * c->dilation_h - c->pad_top) * c->width;
      const float *w = c->w + ky * c->kernel_w;
      for (size_t kx = columns.from; kx < columns.to; kx++)
        sum += x[ox * c->stride_w + kx * c->dilation_w - c->pad_left] * w[kx];
    }
    c->y[oy * c->out_w + ox] = sum;
  }
}

void kn_depthwise_f32__scalar(const kn_depthwise *c) {
  const int op = kn_unary_of_activation(c->activation);
  for (size_t oy = 0; oy < c->out_h; oy++) pixels(c, oy, inside_rows(c, oy), 0, c->out_w);
  if (op >= 0) kn_unary_f32__scalar(op, c->y, c->y, c->out_h * c->out_w, c->p0, c->p1);
}

enum {
  BAND_FLOATS = 4096,  // on the stack, half of a near cache
  BAND_SLACK = 48,     // a vector of every second float reaches so far
  BAND_APART = 512,
};

#define KN_SELF "depthwise.c"
#include "each_isa.h"

#else
// The n pixels from ox on; x is what the kernel's corner sees from there.
KN_LANE_FN void KN_NAME(put_pixels)(
    const kn_depthwise *c, const float *x, float *y, range rows, const size_t kernel_w,
    const size_t stride, size_t n) {
  vf sum = v_splat(c->bias);
  for (size_t ky = rows.from; ky < rows.to; ky++) {
    const float *line = x + ky * c->dilation_h * c->width, *w = c->w + ky * kernel_w;
    for (size_t kx = 0; kx < kernel_w; kx++)
      sum = v_fma(
          v_load_strided(line + kx * c->dilation_w, stride, n), v_splat(w[kx]), sum);
  }
  if (n >= KN_LANES)
    v_store(y, sum);
  else
    v_store_n(y, sum, n);
}

// Output pixels [from, to) of row oy, all of whose kernel columns lie in the picture.
KN_LANE_FN void KN_NAME(interior)(
    const kn_depthwise *c, size_t oy, range rows, size_t from, size_t to, const size_t kernel_w,
    const size_t stride) {
  if (from >= to) return;
  // May point above the picture; rows.from makes up for it.
  const intptr_t top = (intptr_t)(oy * c->stride_h) - (intptr_t)c->pad_top;
  const float *x = c->x + top * (intptr_t)c->width + (from * stride - c->pad_left);
  float *y = c->y + oy * c->out_w + from;
  const size_t count = to - from;
  size_t i = 0;
  for (; i + KN_LANES <= count; i += KN_LANES)
    KN_NAME(put_pixels)(c, x + i * stride, y + i, rows, kernel_w, stride, KN_LANES);
  if (i == count) return;
  if (i > 0) {  // the last ones together with some that are done already
    i = count - KN_LANES;
    KN_NAME(put_pixels)(c, x + i * stride, y + i, rows, kernel_w, stride, KN_LANES);
  } else {
    KN_NAME(put_pixels)(c, x, y, rows, kernel_w, stride, count);
  }
}

// Rows [top, top + rows) of the picture, the zeros around it among them: `pitch` floats each, whole
// vectors, and zeros behind them that vectors may reach into. No store overlaps another, so that none
// waits for it.
KN_LANE_FN void KN_NAME(fill_band)(
    const kn_depthwise *c, float *band, size_t pitch, intptr_t top, size_t rows) {
  const vf zero = v_splat(0);
  const size_t left = c->pad_left < pitch ? c->pad_left : pitch;
  const size_t end = c->width < pitch - left ? left + c->width : pitch;
  float *to = band;
  for (size_t r = 0; r < rows; r++) {
    const intptr_t y = top + (intptr_t)r;
    const int inside = y >= 0 && y < (intptr_t)c->height;
    // What would stand at the begin of the band's row, were the picture wider.
    const float *from = c->x + y * (intptr_t)c->width - left;
    for (size_t at = 0; at < pitch; at += KN_LANES, to += KN_LANES) {
      if (!inside || at >= end || at + KN_LANES <= left) {
        v_store(to, zero);
      } else if (at >= left && at + KN_LANES <= end) {
        v_store(to, v_load(from + at));
      } else {
        const size_t first = left > at ? left - at : 0, last = end - at;
        v_store(to, v_load_part(from + at, first, last < KN_LANES ? last : KN_LANES));
      }
    }
  }
  for (size_t i = 0; i < BAND_SLACK; i += KN_LANES) v_store(to + i, zero);
}

// One row of output pixels; x is what the kernel's corner sees at its begin.
KN_LANE_FN void KN_NAME(band_row)(
    const kn_depthwise *c, const float *x, size_t pitch, const vf *taps, float *y,
    const size_t kernel_h, const size_t kernel_w, const size_t stride) {
  for (size_t i = 0; i < c->out_w; i += KN_LANES, x += KN_LANES * stride) {
    vf sum = v_splat(c->bias);
    for (size_t ky = 0; ky < kernel_h; ky++) {
      const float *line = x + ky * c->dilation_h * pitch;
      for (size_t kx = 0; kx < kernel_w; kx++)
        sum = v_fma(
            v_load_strided(line + kx * c->dilation_w, stride, KN_LANES),
            taps[ky * kernel_w + kx], sum);
    }
    if (c->out_w - i >= KN_LANES)
      v_store(y + i, sum);
    else
      v_store_n(y + i, sum, c->out_w - i);
  }
}

// All pixels by way of a copy with zeros around it. False where the copy would be too large.
KN_LANE_FN int KN_NAME(banded)(
    const kn_depthwise *call, const size_t kernel_h, const size_t kernel_w, const size_t stride) {
  // Stores to the band delay loads that lie a multiple of 4 KiB from them: `call` is read once.
  const kn_depthwise copy = *call, *const c = &copy;
  if (kernel_h * kernel_w > KN_DEPTHWISE_NEAR_TAPS) return 0;
  const size_t width = (c->out_w - 1) * stride + (kernel_w - 1) * c->dilation_w + 1;
  const size_t pitch = (width + KN_LANES - 1) / KN_LANES * KN_LANES;
  const size_t reach = (kernel_h - 1) * c->dilation_h + 1;
  const size_t room = (BAND_FLOATS - BAND_SLACK) / pitch;
  if (room < reach) return 0;
  size_t per = (room - reach) / c->stride_h + 1;
  if (per > c->out_h) per = c->out_h;
  // Where rows are long or taps far apart, more of them would be copied than are multiplied.
  if ((per - 1) * c->stride_h + reach > per * kernel_h) return 0;
  // For the same reason what callers have on the stack is not to lie just 4 KiB, or 16, behind its begin.
  float band[BAND_FLOATS + BAND_APART] __attribute__((aligned(64)));
  vf taps[KN_DEPTHWISE_NEAR_TAPS];
  for (size_t i = 0; i < kernel_h * kernel_w; i++) taps[i] = v_splat(c->w[i]);
  for (size_t oy = 0; oy < c->out_h; oy += per) {
    const size_t count = c->out_h - oy < per ? c->out_h - oy : per;
    KN_NAME(fill_band)(
        c, band, pitch, (intptr_t)(oy * c->stride_h) - (intptr_t)c->pad_top,
        (count - 1) * c->stride_h + reach);
    for (size_t r = 0; r < count; r++)
      KN_NAME(band_row)(
          c, band + r * c->stride_h * pitch, pitch, taps, c->y + (oy + r) * c->out_w, kernel_h,
          kernel_w, stride);
  }
  return 1;
}

// The same for the kernels that are met most, whose loops the compiler unrolls.
KN_LANE_FN int KN_NAME(banded_by_size)(const kn_depthwise *c, const size_t stride) {
  if (c->kernel_h == 3 && c->kernel_w == 3) return KN_NAME(banded)(c, 3, 3, stride);
  if (c->kernel_h == 5 && c->kernel_w == 5) return KN_NAME(banded)(c, 5, 5, stride);
  return KN_NAME(banded)(c, c->kernel_h, c->kernel_w, stride);
}

// The interior as it lies, pixels at the left and right border one by one.
KN_LANE_FN void KN_NAME(by_rows)(
    const kn_depthwise *c, const size_t kernel_w, const size_t stride) {
  const size_t reach = (kernel_w - 1) * c->dilation_w;
  // The pixels whose kernel columns all lie in the picture.
  size_t from = (c->pad_left + stride - 1) / stride, to = 0;
  if (c->width + c->pad_left > reach) to = (c->width + c->pad_left - reach - 1) / stride + 1;
  if (to > c->out_w) to = c->out_w;
  if (from > to) from = to = 0;
  for (size_t oy = 0; oy < c->out_h; oy++) {
    const range rows = inside_rows(c, oy), all = {0, 3};
    if (kernel_w == 3 && rows.from == 0 && rows.to == 3)
      KN_NAME(interior)(c, oy, all, from, to, 3, stride);
    else
      KN_NAME(interior)(c, oy, rows, from, to, kernel_w, stride);
    pixels(c, oy, rows, 0, from);
    pixels(c, oy, rows, to, c->out_w);
  }
}

// Both ways for one stride.
KN_LANE_FN void KN_NAME(depthwise)(const kn_depthwise *c, const size_t stride) {
  if (KN_NAME(banded_by_size)(c, stride)) return;
  if (c->kernel_w == 3)
    KN_NAME(by_rows)(c, 3, stride);
  else
    KN_NAME(by_rows)(c, c->kernel_w, stride);
}

KN_TARGET void KN_NAME(kn_depthwise_f32)(const kn_depthwise *c) {
  const int op = kn_unary_of_activation(c->activation);
  if (c->stride_w == 1)
    KN_NAME(depthwise)(c, 1);
  else if (c->stride_w == 2)
    KN_NAME(depthwise)(c, 2);
  else
    for (size_t oy = 0; oy < c->out_h; oy++) pixels(c, oy, inside_rows(c, oy), 0, c->out_w);
  if (op >= 0) KN_NAME(kn_unary_f32)(op, c->y, c->y, c->out_h * c->out_w, c->p0, c->p1);
}
#endif
