// quantize_rows_i8 and quantize_panels_i8: q = round(x / scale), scale = max |x| / 127.
//
// A row whose largest magnitude is below 2^-120 counts as zero. One with a NaN or infinity in it has
// that as its scale and zeros as codes: what is multiplied with it becomes NaN.
#ifndef KN_ISA
#include <math.h>
#include <string.h>
#include "variants.h"

// 1 / scale, or 0 where the codes are all 0.
static float inverse_scale(float highest, float *scale) {
  if (!(highest >= 0x1p-120f)) {
    *scale = highest == highest ? 0 : highest;
    return 0;
  }
  *scale = highest < INFINITY ? highest / 127 : highest;
  return highest < INFINITY ? 127 / highest : 0;
}
static float highest_of(const float *x, size_t step, size_t count) {
  float highest = 0;
  for (size_t i = 0; i < count; i++) {
    const float magnitude = fabsf(x[i * step]);
    if (magnitude > highest || magnitude != magnitude) highest = magnitude;
    if (magnitude != magnitude) break;
  }
  return highest;
}
static int8_t code(float x, float inverse) {
  return inverse == 0 ? 0 : (int8_t)lrintf(x * inverse);
}

void kn_quantize_rows_i8__scalar(
    const float *x, size_t ld_x, size_t rows, size_t k, int8_t *y, size_t ld_y, float *scales) {
  for (size_t i = 0; i < rows; i++, x += ld_x, y += ld_y) {
    const float inverse = inverse_scale(highest_of(x, 1, k), &scales[i]);
    for (size_t p = 0; p < k; p++) y[p] = code(x[p], inverse);
    memset(y + k, 0, ld_y - k);
  }
}

void kn_quantize_panels_i8__scalar(
    const float *panels, size_t k, size_t n, int8_t *out, float *scales) {
  const size_t k4 = (k + 3) / 4;
  for (size_t j0 = 0; j0 < n; j0 += KN_PANEL, panels += k * KN_PANEL, out += k4 * 64)
    for (size_t j = 0; j < KN_PANEL; j++) {
      const float inverse = inverse_scale(highest_of(panels + j, KN_PANEL, k), &scales[j0 + j]);
      for (size_t p = 0; p < k4 * 4; p++)
        out[p / 4 * 64 + j * 4 + p % 4] = p < k ? code(panels[p * KN_PANEL + j], inverse) : 0;
    }
}

#define KN_SELF "quantize.c"
#include "each_isa.h"

#else
typedef int8_t KN_NAME(codes) __attribute__((vector_size(KN_LANES), aligned(1), may_alias));

// The larger magnitude, NaN once there was one (`highest` and magnitudes have no sign, so they
// compare as integers and NaN is above infinity).
KN_LANE_FN vf KN_NAME(higher)(vf highest, vf x) {
  const vf magnitude = v_abs(x);
  return v_select((vi)magnitude > (vi)highest, magnitude, highest);
}

KN_TARGET void KN_NAME(kn_quantize_rows_i8)(
    const float *x, size_t ld_x, size_t rows, size_t k, int8_t *y, size_t ld_y, float *scales) {
  for (size_t i = 0; i < rows; i++, x += ld_x, y += ld_y) {
    vf lanes = v_splat(0);
    size_t p = 0;
    for (; p + KN_LANES <= k; p += KN_LANES) lanes = KN_NAME(higher)(lanes, v_load(x + p));
    if (p < k) lanes = KN_NAME(higher)(lanes, v_load_n(x + p, k - p));
    float each[KN_LANES];
    memcpy(each, &lanes, sizeof each);
    const float inverse = inverse_scale(highest_of(each, 1, KN_LANES), &scales[i]);
    memset(y + (k & ~(size_t)3), 0, ld_y - (k & ~(size_t)3));
    if (inverse == 0) {
      memset(y, 0, k);
      continue;
    }
    for (p = 0; p + KN_LANES <= k; p += KN_LANES)
      *(KN_NAME(codes) *)(y + p) = __builtin_convertvector(
          v_nearest(v_load(x + p) * inverse), KN_NAME(codes));
    for (; p < k; p++) y[p] = code(x[p], inverse);
  }
}

KN_TARGET void KN_NAME(kn_quantize_panels_i8)(
    const float *panels, size_t k, size_t n, int8_t *out, float *scales) {
  const size_t k4 = (k + 3) / 4;
  for (size_t j = 0; j < n; j += KN_PANEL, panels += k * KN_PANEL, out += k4 * 64)
    for (size_t lane = 0; lane < KN_PANEL; lane += KN_LANES) {
      const float *x = panels + lane;
      vf highest = v_splat(0);
      for (size_t p = 0; p < k; p++) highest = KN_NAME(higher)(highest, v_load(x + p * KN_PANEL));
      vf inverse = v_splat(0);
      for (size_t l = 0; l < KN_LANES; l++)
        inverse[l] = inverse_scale(highest[l], &scales[j + lane + l]);
      for (size_t p = 0; p < k4 * 4; p += 4) {
        vu quad = {0};
        for (size_t q = 0; q < 4 && p + q < k; q++) {
          const vf value = v_select(
              inverse != 0.0f, v_load(x + (p + q) * KN_PANEL) * inverse, v_splat(0));
          quad |= (vu)(v_nearest(value) & 255) << (uint32_t)(8 * q);
        }
        memcpy(out + p / 4 * 64 + lane * 4, &quad, sizeof quad);
      }
    }
}
#endif
