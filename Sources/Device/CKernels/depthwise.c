// depthwise_f32: y = activation(x * w + bias), one channel of a 2-D convolution.
#ifndef KN_ISA
#include "variants.h"

// Output pixels [from, to) of row oy, before the activation.
static void pixels(const kn_depthwise *c, size_t oy, size_t from, size_t to) {
  for (size_t ox = from; ox < to; ox++) {
    float sum = c->bias;
    for (size_t ky = 0; ky < c->kernel_h; ky++) {
      const size_t line = oy * c->stride_h + ky * c->dilation_h;  // plus pad_top
      if (line < c->pad_top || line - c->pad_top >= c->height) continue;
      const float *x = c->x + (line - c->pad_top) * c->width;
      for (size_t kx = 0; kx < c->kernel_w; kx++) {
        const size_t at = ox * c->stride_w + kx * c->dilation_w;  // plus pad_left
        if (at >= c->pad_left && at - c->pad_left < c->width)
          sum += x[at - c->pad_left] * c->w[ky * c->kernel_w + kx];
      }
    }
    c->y[oy * c->out_w + ox] = sum;
  }
}

void kn_depthwise_f32__scalar(const kn_depthwise *c) {
  const int op = kn_unary_of_activation(c->activation);
  for (size_t oy = 0; oy < c->out_h; oy++) {
    float *y = c->y + oy * c->out_w;
    pixels(c, oy, 0, c->out_w);
    if (op >= 0) kn_unary_f32__scalar(op, y, y, c->out_w, c->p0, c->p1);
  }
}

#define KN_SELF "depthwise.c"
#include "each_isa.h"

#else
// KN_LANES floats of x, or every second of 2 KN_LANES.
KN_LANE_FN vf KN_NAME(load_strided)(const float *x, const size_t stride) {
  if (stride == 1) return v_load(x);
  const vf a = v_load(x), b = v_load(x + KN_LANES);
#if KN_LANES == 16
  return __builtin_shufflevector(
      a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
#elif KN_LANES == 8
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
#else
  return __builtin_shufflevector(a, b, 0, 2, 4, 6);
#endif
}

// Output pixels [from, to) of row oy, all of whose kernel columns lie in the picture; returns where
// it stopped, for a vector may not reach past the row.
KN_LANE_FN size_t KN_NAME(interior)(
    const kn_depthwise *c, size_t oy, size_t from, size_t to, const size_t kernel_w,
    const size_t stride) {
  const size_t top = oy * c->stride_h;
  size_t ox = from;
  for (; ox + KN_LANES <= to; ox += KN_LANES) {
    const size_t left = ox * stride - c->pad_left;
    // What the last kernel column loads of this row.
    if (left + (kernel_w - 1) * c->dilation_w + stride * KN_LANES > c->width) break;
    vf sum = v_splat(c->bias);
    for (size_t ky = 0; ky < c->kernel_h; ky++) {
      const size_t line = top + ky * c->dilation_h;  // plus pad_top
      if (line < c->pad_top || line - c->pad_top >= c->height) continue;
      const float *x = c->x + (line - c->pad_top) * c->width + left;
      const float *w = c->w + ky * kernel_w;
      for (size_t kx = 0; kx < kernel_w; kx++)
        sum = v_fma(KN_NAME(load_strided)(x + kx * c->dilation_w, stride), v_splat(w[kx]), sum);
    }
    v_store(c->y + oy * c->out_w + ox, sum);
  }
  return ox;
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
    size_t done = from;
    if (c->kernel_w == 3)
      done = stride == 1 ? KN_NAME(interior)(c, oy, from, to, 3, 1)
                         : KN_NAME(interior)(c, oy, from, to, 3, 2);
    else
      done = stride == 1 ? KN_NAME(interior)(c, oy, from, to, c->kernel_w, 1)
                         : KN_NAME(interior)(c, oy, from, to, c->kernel_w, 2);
    pixels(c, oy, 0, from);
    pixels(c, oy, done, c->out_w);
    float *y = c->y + oy * c->out_w;
    if (op >= 0) KN_NAME(kn_unary_f32)(op, y, y, c->out_w, c->p0, c->p1);
  }
}
#endif
