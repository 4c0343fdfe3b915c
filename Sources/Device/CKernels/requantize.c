// requantize: integer sums to 8-, 16- or 32-bit integers of another scale; depthwise_i8: an integer
// depthwise convolution, whose products are exact in f32.
#ifndef KN_ISA
#include <math.h>
#include <string.h>
#include "variants.h"

// v 2^shift m / 2^31; shift in [-31, 30].
static int32_t scale_fixed(int32_t v, int32_t m, int32_t shift, int rounding) {
  if (rounding == KN_ROUND_SINGLE) {
    const int right = 31 - shift;  // 1 to 62
    const int64_t x = (int64_t)v * m;
    const int64_t y = (x >> (right - 1)) + 1;
    const int64_t half = y >> 1;
    return half > INT32_MAX ? INT32_MAX : half < INT32_MIN ? INT32_MIN : (int32_t)half;
  }
  const int64_t shifted = shift > 0 ? (int64_t)v * ((int64_t)1 << shift) : v;
  const int32_t x = shifted > INT32_MAX ? INT32_MAX
      : shifted < INT32_MIN             ? INT32_MIN
                                        : (int32_t)shifted;
  int32_t high = INT32_MAX;
  if (x != INT32_MIN || m != INT32_MIN) {
    const int64_t product = (int64_t)x * m;
    const int64_t nudge = product >= 0 ? 1 << 30 : 1 - (1 << 30);
    high = (int32_t)((product + nudge) / ((int64_t)1 << 31));
  }
  const int right = shift < 0 ? -shift : 0;
  if (right == 0) return high;
  const int64_t mask = ((int64_t)1 << right) - 1;
  const int64_t remainder = high & mask, threshold = (mask >> 1) + (high < 0);
  return (int32_t)(((int64_t)high >> right) + (remainder > threshold));
}

static int32_t clamped(const kn_requantize *q, int64_t y) {
  return y < q->low ? q->low : y > q->high ? q->high : (int32_t)y;
}

static void store(int type, void *y, size_t j, int32_t v) {
  switch (type) {
    case KN_I8: ((int8_t *)y)[j] = (int8_t)v; break;
    case KN_U8: ((uint8_t *)y)[j] = (uint8_t)v; break;
    case KN_I16: ((int16_t *)y)[j] = (int16_t)v; break;
    default: ((int32_t *)y)[j] = v; break;
  }
}

// One value of column `j` of the tables.
static int32_t requantized(const kn_requantize *q, int32_t v, size_t j) {
  if (q->rounding == KN_ROUND_NONE) return v;
  if (q->rounding != KN_ROUND_FLOAT) {
    const int32_t *m = q->multipliers + 2 * j;
    return clamped(q, (int64_t)scale_fixed(v, m[0], m[1], q->rounding) + q->y_zero);
  }
  const float low = (float)(q->low - q->y_zero), high = (float)(q->high - q->y_zero);
  float x = (float)v * q->scales[j];
  x = x > low ? x : low;
  x = x < high ? x : high;
  return (int32_t)rintf(x) + q->y_zero;
}

// Sums wrap around like the products' own.
static int32_t corrected(
    const kn_requantize *q, int32_t sum, size_t j, int32_t x_zero, int32_t row_sum) {
  uint32_t v = (uint32_t)sum + (uint32_t)q->base[j];
  if (q->column_sums) v -= (uint32_t)x_zero * (uint32_t)q->column_sums[j];
  if (q->w_zeros) v -= (uint32_t)row_sum * (uint32_t)q->w_zeros[j];
  return (int32_t)v;
}

void kn_requantize__scalar(
    const kn_requantize *q, const int32_t *sums, size_t column, size_t count, int32_t x_zero,
    int32_t row_sum, void *y) {
  for (size_t j = 0; j < count; j++) {
    const int32_t v = corrected(q, sums[j], column + j, x_zero, row_sum);
    store(q->type, y, j, requantized(q, v, column + j));
  }
}

// Channel `c` of the output pixel at column `ox`.
static int32_t depthwise_sum(const kn_depthwise_i8 *d, size_t row, size_t ox, size_t c) {
  float sum = 0;
  for (size_t ky = 0; ky < d->kernel_h; ky++) {
    const size_t y = row * d->stride_h + ky * d->dilation_h - d->pad_top;
    if (y >= d->height) continue;
    for (size_t kx = 0; kx < d->kernel_w; kx++) {
      const size_t x = ox * d->stride_w + kx * d->dilation_w - d->pad_left;
      if (x >= d->width) continue;
      const int8_t value = (int8_t)(d->x[(y * d->width + x) * d->channels + c] ^ d->flip);
      sum += (float)(value - d->x_zero) * d->w[(ky * d->kernel_w + kx) * d->channels + c];
    }
  }
  return (int32_t)sum;
}

// Channels from `first` on, one by one.
static void depthwise_rest(
    const kn_depthwise_i8 *d, size_t row, size_t ox, size_t first, void *y) {
  for (size_t c = first; c < d->channels; c++) {
    const uint32_t v = (uint32_t)depthwise_sum(d, row, ox, c) + (uint32_t)d->to.base[c];
    store(d->to.type, y, ox * d->channels + c, requantized(&d->to, (int32_t)v, c));
  }
}

void kn_depthwise_i8__scalar(const kn_depthwise_i8 *d, size_t row, void *y) {
  for (size_t ox = 0; ox < d->out_w; ox++) depthwise_rest(d, row, ox, 0, y);
}

#define KN_SELF "requantize.c"
#include "each_isa.h"

#else
typedef int8_t KN_NAME(bytes) __attribute__((vector_size(KN_LANES)));

// clamp(round(v scale) + zero).
KN_LANE_FN KN_NAME(bytes) KN_NAME(to_bytes)(const kn_requantize *q, vi v, vf scales) {
  const vf low = v_splat((float)(q->low - q->y_zero)), high = v_splat((float)(q->high - q->y_zero));
  vf x = __builtin_convertvector(v, vf) * scales;
  x = v_select(x > low, x, low);
  x = v_select(x < high, x, high);
  return __builtin_convertvector(v_nearest(x) + q->y_zero, KN_NAME(bytes));
}

KN_LANE_FN vi KN_NAME(load_i32)(const int32_t *p) {
  vi x;
  memcpy(&x, p, sizeof x);
  return x;
}

// n below KN_LANES; reads nothing else.
KN_LANE_FN vi KN_NAME(load_i32_n)(const int32_t *p, size_t n) {
  return (vi)v_load_n((const float *)p, n);
}

KN_TARGET void KN_NAME(kn_requantize)(
    const kn_requantize *q, const int32_t *sums, size_t column, size_t count, int32_t x_zero,
    int32_t row_sum, void *y) {
  size_t j = 0;
  const int is_sum = q->rounding == KN_ROUND_NONE && q->type == KN_I32;
  const int is_byte = q->rounding == KN_ROUND_FLOAT && (q->type == KN_I8 || q->type == KN_U8);
  if (is_sum || is_byte)
    for (; j + KN_LANES <= count; j += KN_LANES) {
      vi v = KN_NAME(load_i32)(sums + j) + KN_NAME(load_i32)(q->base + column + j);
      if (q->column_sums) v -= x_zero * KN_NAME(load_i32)(q->column_sums + column + j);
      if (q->w_zeros) v -= row_sum * KN_NAME(load_i32)(q->w_zeros + column + j);
      if (is_sum) {
        memcpy((int32_t *)y + j, &v, sizeof v);
      } else {
        const KN_NAME(bytes) out = KN_NAME(to_bytes)(q, v, v_load(q->scales + column + j));
        memcpy((char *)y + j, &out, sizeof out);
      }
    }
  const size_t rest = count - j;
  if (rest > 0 && (is_sum || is_byte)) {
    vi v = KN_NAME(load_i32_n)(sums + j, rest) + KN_NAME(load_i32_n)(q->base + column + j, rest);
    if (q->column_sums) v -= x_zero * KN_NAME(load_i32_n)(q->column_sums + column + j, rest);
    if (q->w_zeros) v -= row_sum * KN_NAME(load_i32_n)(q->w_zeros + column + j, rest);
    if (is_sum) {
      memcpy((int32_t *)y + j, &v, rest * sizeof(int32_t));
    } else {
      const KN_NAME(bytes) out = KN_NAME(to_bytes)(q, v, v_load_n(q->scales + column + j, rest));
      memcpy((char *)y + j, &out, rest);
    }
    return;
  }
  for (; j < count; j++) {
    const int32_t v = corrected(q, sums[j], column + j, x_zero, row_sum);
    store(q->type, y, j, requantized(q, v, column + j));
  }
}

// `count` channels from c on of the pixel at column ox, count at most the lanes there are.
KN_LANE_FN void KN_NAME(depthwise_channels)(
    const kn_depthwise_i8 *d, size_t row, size_t ox, size_t c, const size_t count, char *y) {
  const size_t channels = d->channels;
  const vf zero = v_splat((float)d->x_zero);
  KN_NAME(bytes) flip;
  memset(&flip, d->flip, sizeof flip);
  vf sum = {0};
  for (size_t ky = 0; ky < d->kernel_h; ky++) {
    const size_t iy = row * d->stride_h + ky * d->dilation_h - d->pad_top;
    if (iy >= d->height) continue;
    const float *w = d->w + ky * d->kernel_w * channels + c;
    for (size_t kx = 0; kx < d->kernel_w; kx++, w += channels) {
      const size_t ix = ox * d->stride_w + kx * d->dilation_w - d->pad_left;
      if (ix >= d->width) continue;
      KN_NAME(bytes) in = {0};
      memcpy(&in, d->x + (iy * d->width + ix) * channels + c, count);
      const vf taps = count >= KN_LANES ? v_load(w) : v_load_n(w, count);
      sum = v_fma(__builtin_convertvector(in ^ flip, vf) - zero, taps, sum);
    }
  }
  const int whole = count >= KN_LANES;
  const vi base = whole ? KN_NAME(load_i32)(d->to.base + c) : KN_NAME(load_i32_n)(d->to.base + c, count);
  const vf scales = whole ? v_load(d->to.scales + c) : v_load_n(d->to.scales + c, count);
  const vi v = __builtin_convertvector(sum, vi) + base;
  const KN_NAME(bytes) out = KN_NAME(to_bytes)(&d->to, v, scales);
  memcpy(y + ox * channels + c, &out, count);
}

KN_TARGET void KN_NAME(kn_depthwise_i8)(const kn_depthwise_i8 *d, size_t row, void *y) {
  const int isFast = d->to.rounding == KN_ROUND_FLOAT && d->to.type != KN_I16
      && d->to.type != KN_I32;
  const size_t channels = d->channels;
  if (!isFast) return kn_depthwise_i8__scalar(d, row, y);
  for (size_t ox = 0; ox < d->out_w; ox++) {
    size_t c = 0;
    for (; c + KN_LANES <= channels; c += KN_LANES)
      KN_NAME(depthwise_channels)(d, row, ox, c, KN_LANES, y);
    if (c == channels) continue;
    if (c > 0)  // the last ones together with some that are done already
      KN_NAME(depthwise_channels)(d, row, ox, channels - KN_LANES, KN_LANES, y);
#if KN_LANES > 8
    else if (channels == 8)
      KN_NAME(depthwise_channels)(d, row, ox, 0, 8, y);
#endif
    else
      depthwise_rest(d, row, ox, 0, y);
  }
}
#endif
