// layer_norm_f32: y = (x (+ residual) - mean) / sqrt(variance + epsilon) * scale + bias, row by row.
#ifndef KN_ISA
#include <math.h>
#include "variants.h"

void kn_layer_norm_f32__scalar(
    const float *x, const float *residual, const float *scale, const float *bias, float *sum,
    float *y, size_t rows, size_t width, float epsilon) {
  for (size_t i = 0; i < rows; i++) {
    const size_t row = i * width;
    float total = 0, squares = 0;
    for (size_t j = 0; j < width; j++) {
      const float v = residual ? x[row + j] + residual[row + j] : x[row + j];
      if (sum) sum[row + j] = v;
      y[row + j] = v;
      total += v;
    }
    const float mean = total / (float)width;
    for (size_t j = 0; j < width; j++) squares += (y[row + j] - mean) * (y[row + j] - mean);
    const float factor = 1 / sqrtf(squares / (float)width + epsilon);
    for (size_t j = 0; j < width; j++) {
      const float v = (y[row + j] - mean) * factor;
      y[row + j] = v * (scale ? scale[j] : 1) + (bias ? bias[j] : 0);
    }
  }
}

#define KN_SELF "layer_norm.c"
#include "each_isa.h"

#else
// n of the lanes at p, all KN_LANES when n is that many or more.
KN_LANE_FN vf KN_NAME(some)(const float *p, size_t n) {
  return n >= KN_LANES ? v_load(p) : v_load_n(p, n);
}
KN_LANE_FN void KN_NAME(put)(float *p, vf x, size_t n) {
  if (n >= KN_LANES)
    v_store(p, x);
  else
    v_store_n(p, x, n);
}

KN_TARGET void KN_NAME(kn_layer_norm_f32)(
    const float *x, const float *residual, const float *scale, const float *bias, float *sum,
    float *y, size_t rows, size_t width, float epsilon) {
  const size_t whole = width - width % KN_LANES, rest = width - whole;
  vi in_rest = {0};
  for (size_t l = 0; l < rest; l++) in_rest[l] = -1;
  for (size_t i = 0; i < rows; i++) {
    const size_t row = i * width;
    vf total = v_splat(0), squares = total;
    for (size_t j = 0; j < width; j += KN_LANES) {
      const size_t at = row + j, n = width - j;
      vf v = KN_NAME(some)(x + at, n);
      if (residual) v += KN_NAME(some)(residual + at, n);
      if (sum) KN_NAME(put)(sum + at, v, n);
      KN_NAME(put)(y + at, v, n);
      total += v;  // lanes past the row are zero
    }
    const float mean = v_sum(total) / (float)width;
    for (size_t j = 0; j < whole; j += KN_LANES) {
      const vf d = v_load(y + row + j) - mean;
      squares = v_fma(d, d, squares);
    }
    if (rest) {
      const vf d = v_select(in_rest, v_load_n(y + row + whole, rest) - mean, v_splat(0));
      squares = v_fma(d, d, squares);
    }
    const float factor = 1 / __builtin_sqrtf(v_sum(squares) / (float)width + epsilon);
    for (size_t j = 0; j < width; j += KN_LANES) {
      const size_t n = width - j;
      vf v = (KN_NAME(some)(y + row + j, n) - mean) * factor;
      const vf b = bias ? KN_NAME(some)(bias + j, n) : v_splat(0);
      v = v_fma(v, scale ? KN_NAME(some)(scale + j, n) : v_splat(1), b);
      KN_NAME(put)(y + row + j, v, n);
    }
  }
}
#endif
