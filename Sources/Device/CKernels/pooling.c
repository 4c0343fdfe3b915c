// pooling_f32: y = the maximum, average or p-norm of x under each window.
#ifndef KN_ISA
#include <math.h>
#include "variants.h"

// One axis of a window: which outputs see which inputs.
typedef struct axis {
  size_t input, kernel, stride, dilation, begin, end, output;
} axis;

static axis rows_of(const kn_pooling *c) {
  return (axis){c->height,  c->kernel_h,   c->stride_h, c->dilation_h,
                c->pad_top, c->pad_bottom, c->out_h};
}
static axis columns_of(const kn_pooling *c) {
  return (axis){c->width,    c->kernel_w,  c->stride_w, c->dilation_w,
                c->pad_left, c->pad_right, c->out_w};
}

// The outputs for which tap `t` falls on [low, high) of the input and the padding before it.
static size_t first_output(const axis *a, size_t t, size_t low) {
  const size_t at = t * a->dilation;
  return at >= low ? 0 : (low - at + a->stride - 1) / a->stride;
}
static size_t end_output(const axis *a, size_t t, size_t high) {
  const size_t at = t * a->dilation;
  const size_t end = at >= high ? 0 : (high - at + a->stride - 1) / a->stride;
  return end < a->output ? end : a->output;
}

// What counts in an average: inputs, or inputs and padding.
static size_t low_of(const axis *a, int include_pad) { return include_pad ? 0 : a->begin; }
static size_t high_of(const axis *a, int include_pad) {
  return a->begin + a->input + (include_pad ? a->end : 0);
}
// Taps of output `o` that do.
static size_t taps(const axis *a, size_t o, int include_pad) {
  const size_t low = low_of(a, include_pad), high = high_of(a, include_pad);
  size_t count = 0;
  for (size_t t = 0; t < a->kernel; t++) {
    const size_t at = o * a->stride + t * a->dilation;
    if (at >= low && at < high) count++;
  }
  return count;
}

static void fold_row(const kn_pooling *c, const axis *w, const float *x, float *y) {
  for (size_t t = 0; t < w->kernel; t++) {
    const size_t first = first_output(w, t, w->begin);
    const size_t end = end_output(w, t, w->begin + w->input);
    if (first >= end) continue;
    const size_t stride = w->stride, n = end - first;
    // first * stride + t * dilation >= begin: the difference is an index of x.
    const float *in = x + (first * stride + t * w->dilation - w->begin);
    float *out = y + first;
    if (c->kind == KN_POOL_MAX) {
      for (size_t i = 0; i < n; i++) out[i] = in[i * stride] > out[i] ? in[i * stride] : out[i];
    } else if (c->kind == KN_POOL_AVERAGE) {
      for (size_t i = 0; i < n; i++) out[i] += in[i * stride];
    } else if (c->p == 2) {
      for (size_t i = 0; i < n; i++) out[i] += in[i * stride] * in[i * stride];
    } else {
      for (size_t i = 0; i < n; i++) out[i] += powf(fabsf(in[i * stride]), c->p);
    }
  }
}

// Outputs [from, to) of a row, sums so far of `rows` rows of taps.
static void finish(
    const kn_pooling *c, const axis *w, size_t rows, size_t from, size_t to, float *y) {
  if (c->kind == KN_POOL_AVERAGE) {
    for (size_t o = from; o < to; o++) {
      const size_t count = rows * taps(w, o, c->include_pad);
      y[o] = count ? y[o] / (float)count : 0;
    }
  } else if (c->kind == KN_POOL_LP) {
    for (size_t o = from; o < to; o++) y[o] = c->p == 2 ? sqrtf(y[o]) : powf(y[o], 1 / c->p);
  }
}

void kn_pooling_f32__scalar(const kn_pooling *c, size_t plane0, size_t plane1) {
  const axis h = rows_of(c), w = columns_of(c);
  for (size_t p = plane0; p < plane1; p++) {
    const float *x = c->x + p * h.input * w.input;
    for (size_t o = 0; o < h.output; o++) {
      float *y = c->y + (p * h.output + o) * w.output;
      for (size_t i = 0; i < w.output; i++) y[i] = c->kind == KN_POOL_MAX ? -INFINITY : 0;
      for (size_t t = 0; t < h.kernel; t++) {
        const size_t at = o * h.stride + t * h.dilation;
        if (at >= h.begin && at - h.begin < h.input)
          fold_row(c, &w, x + (at - h.begin) * w.input, y);
      }
      finish(c, &w, taps(&h, o, c->include_pad), 0, w.output, y);
    }
  }
}

enum {
  // Less than 4 KiB, so that no store to it delays loads of what lies beside it on the stack.
  ROW_FLOATS = 720,
  ROW_SLACK = 48,  // a vector of every second float reaches so far
};

#define KN_SELF "pooling.c"
#include "each_isa.h"

#else
// Columns from `from` on of the rows that windows in a line see, folded into one row of `span`: maxima or
// sums. What is not in the picture changes neither.
KN_LANE_FN void KN_NAME(fold_rows)(
    const kn_pooling *c, const int kind, const float *x, size_t rows, intptr_t from, size_t span,
    float *to) {
  const vf nothing = v_splat(kind == KN_POOL_MAX ? -INFINITY : 0);
  const size_t pitch = c->dilation_h * c->width, begin = from > 0 ? (size_t)from : 0;
  const size_t before = from < 0 ? (size_t)-from : 0, left = before < span ? before : span;
  size_t count = begin < c->width ? c->width - begin : 0;
  if (count > span - left) count = span - left;
  // A vector may run over the end of its part: what is there is written after it.
  for (size_t i = 0; i < left; i += KN_LANES) v_store(to + i, nothing);
  for (size_t i = 0; i < count; i += KN_LANES) {
    vf sum = nothing;
    for (size_t r = 0; r < rows; r++) {
      const float *at = x + r * pitch + begin + i;
      const vf v = count - i >= KN_LANES ? v_load(at) : v_load_n(at, count - i);
      sum = kind == KN_POOL_MAX ? v_max(v, sum) : sum + (kind == KN_POOL_LP ? v * v : v);
    }
    v_store(to + left + i, sum);
  }
  for (size_t i = left + count; i < span + ROW_SLACK - KN_LANES; i += KN_LANES)
    v_store(to + i, nothing);
}

// n outputs from such a row. stride 1, 2, or 0: the call's.
KN_LANE_FN void KN_NAME(fold_columns)(
    const kn_pooling *c, const int kind, const size_t stride, const float *from, size_t n,
    float *y) {
  const vf nothing = v_splat(kind == KN_POOL_MAX ? -INFINITY : 0);
  const size_t step = stride ? stride : c->stride_w;
  for (size_t i = 0; i < n; i += KN_LANES) {
    const size_t count = n - i < KN_LANES ? n - i : KN_LANES;
    vf sum = nothing;
    for (size_t t = 0; t < c->kernel_w; t++) {
      const float *at = from + i * step + t * c->dilation_w;
      vf v = nothing;
      if (stride)
        v = v_load_strided(at, stride, KN_LANES);
      else
        for (size_t l = 0; l < count; l++) v[l] = at[l * step];
      sum = kind == KN_POOL_MAX ? v_max(v, sum) : sum + v;
    }
    if (count == KN_LANES)
      v_store(y + i, sum);
    else
      v_store_n(y + i, sum, count);
  }
}

KN_LANE_FN void KN_NAME(pool)(
    const kn_pooling *call, const int kind, const size_t stride, size_t plane0, size_t plane1) {
  const kn_pooling copy = *call, *const c = &copy;
  const axis h = rows_of(c), w = columns_of(c);
  const size_t reach = (w.kernel - 1) * w.dilation + 1;
  const size_t block = (ROW_FLOATS - reach) / w.stride + 1;
  // Outputs all of whose columns count in an average.
  size_t from = first_output(&w, 0, low_of(&w, c->include_pad));
  size_t to = end_output(&w, w.kernel - 1, high_of(&w, c->include_pad));
  if (kind != KN_POOL_AVERAGE || from > to) from = to = 0;
  float row[ROW_FLOATS + ROW_SLACK];
  for (size_t line = plane0 * h.output; line < plane1 * h.output; line++) {
    const size_t plane = line / h.output, o = line % h.output;
    float *y = c->y + line * w.output;
    // Rows of the kernel that see the picture.
    size_t first = 0, end = h.kernel;
    while (first < end && o * h.stride + first * h.dilation < h.begin) first++;
    while (first < end && o * h.stride + (end - 1) * h.dilation >= h.begin + h.input) end--;
    const float *x = c->x + plane * h.input * w.input;
    if (first < end) x += (o * h.stride + first * h.dilation - h.begin) * w.input;
    for (size_t i = 0; i < w.output; i += block) {
      const size_t n = w.output - i < block ? w.output - i : block;
      KN_NAME(fold_rows)(
          c, kind, x, end - first, (intptr_t)(i * w.stride) - (intptr_t)w.begin,
          (n - 1) * w.stride + reach, row);
      KN_NAME(fold_columns)(c, kind, stride, row, n, y + i);
    }
    if (kind == KN_POOL_MAX) continue;
    const size_t rows = taps(&h, o, c->include_pad);
    const vf count = v_splat((float)(rows * w.kernel));
    const size_t inside = rows ? to : from;
    for (size_t i = from; i < inside; i += KN_LANES) {
      if (inside - i >= KN_LANES)
        v_store(y + i, v_load(y + i) / count);
      else
        v_store_n(y + i, v_load_n(y + i, inside - i) / count, inside - i);
    }
    finish(c, &w, rows, 0, from, y);
    finish(c, &w, rows, inside, w.output, y);
  }
}

KN_LANE_FN void KN_NAME(pool_by_stride)(
    const kn_pooling *c, const int kind, size_t plane0, size_t plane1) {
  if (c->stride_w == 1)
    KN_NAME(pool)(c, kind, 1, plane0, plane1);
  else if (c->stride_w == 2)
    KN_NAME(pool)(c, kind, 2, plane0, plane1);
  else
    KN_NAME(pool)(c, kind, 0, plane0, plane1);
}

KN_TARGET void KN_NAME(kn_pooling_f32)(const kn_pooling *c, size_t plane0, size_t plane1) {
  if ((c->kernel_w - 1) * c->dilation_w >= ROW_FLOATS || (c->kind == KN_POOL_LP && c->p != 2))
    kn_pooling_f32__scalar(c, plane0, plane1);
  else if (c->kind == KN_POOL_MAX)
    KN_NAME(pool_by_stride)(c, KN_POOL_MAX, plane0, plane1);
  else if (c->kind == KN_POOL_AVERAGE)
    KN_NAME(pool_by_stride)(c, KN_POOL_AVERAGE, plane0, plane1);
  else
    KN_NAME(pool_by_stride)(c, KN_POOL_LP, plane0, plane1);
}
#endif
