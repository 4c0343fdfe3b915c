// Sums and maxima: dot_f32, sum_f32, max_f32, range_f32.
#ifndef KN_ISA
#include "variants.h"

float kn_dot_f32__scalar(const float *a, const float *b, size_t count) {
  float sum = 0;
  for (size_t i = 0; i < count; i++) sum += a[i] * b[i];
  return sum;
}
float kn_sum_f32__scalar(const float *x, size_t count) {
  float sum = 0;
  for (size_t i = 0; i < count; i++) sum += x[i];
  return sum;
}
float kn_max_f32__scalar(const float *x, size_t count) {
  float highest = x[0];
  for (size_t i = 1; i < count; i++)
    if (x[i] > highest || x[i] != x[i]) highest = x[i];
    else if (highest != highest) break;
  return highest;
}

void kn_range_f32__scalar(const float *x, size_t count, float *low, float *high) {
  *low = *high = 0;
  for (size_t i = 0; i < count; i++) {
    if (x[i] < *low) *low = x[i];
    if (x[i] > *high) *high = x[i];
  }
}

#define KN_SELF "reduce.c"
#include "each_isa.h"

#else
// Four chains hide the latency of an addition.
KN_TARGET float KN_NAME(kn_dot_f32)(const float *a, const float *b, size_t count) {
  vf s0 = v_splat(0), s1 = s0, s2 = s0, s3 = s0;
  size_t i = 0;
  for (; i + 4 * KN_LANES <= count; i += 4 * KN_LANES) {
    s0 = v_fma(v_load(a + i), v_load(b + i), s0);
    s1 = v_fma(v_load(a + i + KN_LANES), v_load(b + i + KN_LANES), s1);
    s2 = v_fma(v_load(a + i + 2 * KN_LANES), v_load(b + i + 2 * KN_LANES), s2);
    s3 = v_fma(v_load(a + i + 3 * KN_LANES), v_load(b + i + 3 * KN_LANES), s3);
  }
  for (; i + KN_LANES <= count; i += KN_LANES) s0 = v_fma(v_load(a + i), v_load(b + i), s0);
  if (i < count) s1 = v_fma(v_load_n(a + i, count - i), v_load_n(b + i, count - i), s1);
  return v_sum((s0 + s1) + (s2 + s3));
}

KN_TARGET float KN_NAME(kn_sum_f32)(const float *x, size_t count) {
  vf s0 = v_splat(0), s1 = s0, s2 = s0, s3 = s0;
  size_t i = 0;
  for (; i + 4 * KN_LANES <= count; i += 4 * KN_LANES) {
    s0 += v_load(x + i);
    s1 += v_load(x + i + KN_LANES);
    s2 += v_load(x + i + 2 * KN_LANES);
    s3 += v_load(x + i + 3 * KN_LANES);
  }
  for (; i + KN_LANES <= count; i += KN_LANES) s0 += v_load(x + i);
  if (i < count) s1 += v_load_n(x + i, count - i);
  return v_sum((s0 + s1) + (s2 + s3));
}

KN_TARGET float KN_NAME(kn_max_f32)(const float *x, size_t count) {
  vf highest = v_splat(x[0]);
  vi nan = {0};
  size_t i = 0;
  for (; i + KN_LANES <= count; i += KN_LANES) {
    const vf y = v_load(x + i);
    nan |= y != y;
    highest = v_max(y, highest);
  }
  float each[KN_LANES];
  nan |= highest != highest;
  for (int l = 0; l < KN_LANES; l++)
    if (nan[l]) return __builtin_nanf("");
  memcpy(each, &highest, sizeof each);
  float result = kn_max_f32__scalar(each, KN_LANES);
  for (; i < count; i++)
    if (x[i] > result || x[i] != x[i]) result = x[i];
    else if (result != result) break;
  return result;
}

KN_TARGET void KN_NAME(kn_range_f32)(const float *x, size_t count, float *low, float *high) {
  vf least = v_splat(0), most = least;
  for (size_t i = 0; i < count; i += KN_LANES) {
    const vf v = count - i >= KN_LANES ? v_load(x + i) : v_load_n(x + i, count - i);
    least = v_select(v < least, v, least);
    most = v_max(v, most);
  }
  *low = -v_highest(-least);
  *high = v_highest(most);
}
#endif
