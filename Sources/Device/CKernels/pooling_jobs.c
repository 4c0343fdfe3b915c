// Pooling plane by plane, and arithmetic that differs by channel.
#include <math.h>
#include <stdint.h>
#include "kernels.h"
#include "operator_jobs.h"
#include "parts.h"

// One axis of a window: which outputs see which inputs.
typedef struct axis { size_t input, kernel, stride, dilation, begin, end, output; } axis;

// [*first, *last) of the outputs for which tap `t` falls on an input, not on padding.
static void outputs_of_tap(const axis *a, size_t t, size_t *first, size_t *last) {
  const size_t at = t * a->dilation;
  *first = at >= a->begin ? 0 : (a->begin - at + a->stride - 1) / a->stride;
  const size_t limit = a->input + a->begin;
  *last = at >= limit ? 0 : (limit - at + a->stride - 1) / a->stride;
  if (*last > a->output) *last = a->output;
  if (*first > *last) *first = *last;
}

// Taps of output `o` that count in an average: those on inputs, or on inputs and padding.
static size_t taps(const axis *a, size_t o, int include_pad) {
  const size_t low = include_pad ? 0 : a->begin;
  const size_t high = a->begin + a->input + (include_pad ? a->end : 0);
  size_t count = 0;
  for (size_t t = 0; t < a->kernel; t++) {
    const size_t at = o * a->stride + t * a->dilation;
    if (at >= low && at < high) count++;
  }
  return count;
}

static void fold_row(const kn_pooling *j, const axis *w, const float *x, float *y) {
  for (size_t t = 0; t < w->kernel; t++) {
    size_t first, last;
    outputs_of_tap(w, t, &first, &last);
    if (first == last) continue;
    const size_t stride = w->stride, n = last - first;
    // first * stride + t * dilation >= begin: the difference is an index of x.
    const float *in = x + (first * stride + t * w->dilation - w->begin);
    float *out = y + first;
    if (j->kind == KN_POOL_MAX) {
      for (size_t i = 0; i < n; i++) out[i] = in[i * stride] > out[i] ? in[i * stride] : out[i];
    } else if (j->kind == KN_POOL_AVERAGE) {
      for (size_t i = 0; i < n; i++) out[i] += in[i * stride];
    } else if (j->p == 2) {
      for (size_t i = 0; i < n; i++) out[i] += in[i * stride] * in[i * stride];
    } else {
      for (size_t i = 0; i < n; i++) out[i] += powf(fabsf(in[i * stride]), j->p);
    }
  }
}

static void finish_row(const kn_pooling *j, const axis *w, size_t rows, float *y) {
  if (j->kind == KN_POOL_AVERAGE) {
    for (size_t o = 0; o < w->output; o++) {
      const size_t count = rows * taps(w, o, j->include_pad);
      y[o] = count ? y[o] / (float)count : 0;
    }
  } else if (j->kind == KN_POOL_LP) {
    for (size_t o = 0; o < w->output; o++) y[o] = j->p == 2 ? sqrtf(y[o]) : powf(y[o], 1 / j->p);
  }
}

void kn_pooling_job(void *arguments, size_t part, size_t parts) {
  const kn_pooling *j = arguments;
  const axis h = {j->height,  j->kernel_h,   j->stride_h, j->dilation_h,
                  j->pad_top, j->pad_bottom, j->out_h};
  const axis w = {j->width,    j->kernel_w,  j->stride_w, j->dilation_w,
                  j->pad_left, j->pad_right, j->out_w};
  size_t p0, p1;
  kn_slice(j->planes, 1, part, parts, &p0, &p1);
  for (size_t p = p0; p < p1; p++) {
    const float *x = j->x + p * h.input * w.input;
    for (size_t o = 0; o < h.output; o++) {
      float *y = j->y + (p * h.output + o) * w.output;
      for (size_t i = 0; i < w.output; i++) y[i] = j->kind == KN_POOL_MAX ? -INFINITY : 0;
      for (size_t t = 0; t < h.kernel; t++) {
        const size_t at = o * h.stride + t * h.dilation;
        if (at >= h.begin && at - h.begin < h.input)
          fold_row(j, &w, x + (at - h.begin) * w.input, y);
      }
      finish_row(j, &w, taps(&h, o, j->include_pad), y);
    }
  }
}

void kn_channels_job(void *arguments, size_t part, size_t parts) {
  const kn_channels *j = arguments;
  size_t r0, r1;
  kn_slice(j->rows, j->group_width ? j->group_width / j->width : 1, part, parts, &r0, &r1);
  if (r0 == r1) return;
  const float *x = j->x + r0 * j->width;
  float *y = j->y + r0 * j->width;
  if (j->group_width) {
    j->kernels->layer_norm_f32(
        x, 0, 0, 0, 0, y, (r1 - r0) * j->width / j->group_width, j->group_width, j->epsilon);
    x = y;
    if (!j->scale && !j->bias) return;
  }
  for (size_t r = r0; r < r1; r++, x += j->width, y += j->width) {
    const size_t c = r % j->channels;
    const float scale = j->scale ? j->scale[c] : 1, bias = j->bias ? j->bias[c] : 0;
    // A call per row only pays for rows of some length.
    if (j->width >= 8) j->kernels->unary_f32(KN_U_AFFINE, x, y, j->width, scale, bias);
    else for (size_t i = 0; i < j->width; i++) y[i] = x[i] * scale + bias;
  }
}
