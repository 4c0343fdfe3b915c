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

#define KN_SELF "depthwise.c"
#include "each_isa.h"

#else
// x[l * stride] for the lanes l < n, stride 1 or 2; reads nothing else.
KN_LANE_FN vf KN_NAME(load_strided)(const float *x, const size_t stride, size_t n) {
  if (stride == 1) return n >= KN_LANES ? v_load(x) : v_load_n(x, n);
  const size_t span = 2 * n - 1;
  const vf a = span >= KN_LANES ? v_load(x) : v_load_n(x, span);
  vf b = v_splat(0);
  if (n >= KN_LANES)
    b = v_load(x + KN_LANES - 1);
  else if (span > KN_LANES)
    b = v_load_n(x + KN_LANES - 1, span - (KN_LANES - 1));
  // The even lanes of a, then the odd ones of b.
#if KN_LANES == 16
  return __builtin_shufflevector(
      a, b, 0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31);
#elif KN_LANES == 8
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 9, 11, 13, 15);
#else
  return __builtin_shufflevector(a, b, 0, 2, 5, 7);
#endif
}

// The n pixels from ox on; x is what the kernel's corner sees from there.
KN_LANE_FN void KN_NAME(put_pixels)(
    const kn_depthwise *c, const float *x, float *y, range rows, const size_t kernel_w,
    const size_t stride, size_t n) {
  vf sum = v_splat(c->bias);
  for (size_t ky = rows.from; ky < rows.to; ky++) {
    const float *line = x + ky * c->dilation_h * c->width, *w = c->w + ky * kernel_w;
    for (size_t kx = 0; kx < kernel_w; kx++)
      sum = v_fma(
          KN_NAME(load_strided)(line + kx * c->dilation_w, stride, n), v_splat(w[kx]), sum);
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

KN_TARGET void KN_NAME(kn_depthwise_f32)(const kn_depthwise *c) {
  const int op = kn_unary_of_activation(c->activation);
  const size_t stride = c->stride_w, reach = (c->kernel_w - 1) * c->dilation_w;
  // The pixels whose kernel columns all lie in the picture.
  size_t from = (c->pad_left + stride - 1) / stride, to = 0;
  if (c->width + c->pad_left > reach) to = (c->width + c->pad_left - reach - 1) / stride + 1;
  if (to > c->out_w) to = c->out_w;
  if (from > to || stride > 2) from = to = 0;
  for (size_t oy = 0; oy < c->out_h; oy++) {
    const range rows = inside_rows(c, oy), all = {0, 3};
    const int whole = rows.from == 0 && rows.to == 3 && c->kernel_w == 3;
    if (whole && stride == 1)
      KN_NAME(interior)(c, oy, all, from, to, 3, 1);
    else if (whole)
      KN_NAME(interior)(c, oy, all, from, to, 3, 2);
    else if (stride == 1)
      KN_NAME(interior)(c, oy, rows, from, to, c->kernel_w, 1);
    else
      KN_NAME(interior)(c, oy, rows, from, to, c->kernel_w, 2);
    pixels(c, oy, rows, 0, from);
    pixels(c, oy, rows, to, c->out_w);
  }
  if (op >= 0) KN_NAME(kn_unary_f32)(op, c->y, c->y, c->out_h * c->out_w, c->p0, c->p1);
}
#endif
