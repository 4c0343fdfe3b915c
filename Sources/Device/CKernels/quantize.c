// quantize_f32, quantize_away_i8, and quantize_rows_i8 and quantize_panels_i8: q = round(x / scale), scale = max |x| / 127.
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

// What numbers are cut to before the zero point is added: what the type holds.
static int32_t lowest_of(int type) { return type == KN_U8 ? 0 : type == KN_I8 ? -128 : -32768; }
static int32_t highest_of_type(int type) {
  return type == KN_U8 ? 255 : type == KN_I8 ? 127 : 32767;
}

void kn_quantize_f32__scalar(
    const float *x, void *y, size_t count, float factor, int divides, int32_t zero, int type) {
  const float low = (float)(lowest_of(type) - zero), high = (float)(highest_of_type(type) - zero);
  for (size_t i = 0; i < count; i++) {
    float v = divides ? x[i] / factor : x[i] * factor;
    v = v > low ? v < high ? v : high : v <= low ? low : 0;
    const int32_t code = (int32_t)lrintf(v) + zero;
    if (type == KN_I16)
      ((int16_t *)y)[i] = (int16_t)code;
    else
      ((int8_t *)y)[i] = (int8_t)code;
  }
}

void kn_quantize_away_i8__scalar(
    const float *x, int8_t *y, size_t count, float factor, float zero, int32_t low) {
  for (size_t i = 0; i < count; i++) {
    float v = x[i] * factor;
    v = roundf(zero + (v == v ? v : 0));
    y[i] = (int8_t)(v > (float)low ? v < 127 ? v : 127 : (float)low);
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

KN_TARGET void KN_NAME(kn_quantize_f32)(
    const float *x, void *y, size_t count, float factor, int divides, int32_t zero, int type) {
  if (type == KN_I16) return kn_quantize_f32__scalar(x, y, count, factor, divides, zero, type);
  const vf low = v_splat((float)(lowest_of(type) - zero));
  const vf high = v_splat((float)(highest_of_type(type) - zero)), by = v_splat(factor);
  char *out = y;
  for (size_t i = 0; i < count; i += KN_LANES) {
    const size_t n = count - i < KN_LANES ? count - i : KN_LANES;
    vf v = n == KN_LANES ? v_load(x + i) : v_load_n(x + i, n);
    v = divides ? v / by : v * by;
    v = v_select(v == v, v, v_splat(0));
    v = v_select(v > low, v, low);
    v = v_select(v < high, v, high);
    const KN_NAME(codes) codes = __builtin_convertvector(v_nearest(v) + zero, KN_NAME(codes));
    if (n == KN_LANES)
      memcpy(out + i, &codes, sizeof codes);
    else
      memcpy(out + i, &codes, n);
  }
}

KN_TARGET void KN_NAME(kn_quantize_away_i8)(
    const float *x, int8_t *y, size_t count, float factor, float zero, int32_t low) {
  const vf by = v_splat(factor), from = v_splat(zero);
  for (size_t i = 0; i < count; i += KN_LANES) {
    const size_t n = count - i < KN_LANES ? count - i : KN_LANES;
    vf v = (n == KN_LANES ? v_load(x + i) : v_load_n(x + i, n)) * by;
    // Bounds first: what is left of a number without its fraction is exact, so that halves are seen.
    v = from + v_select(v == v, v, v_splat(0));
    v = v_select(v > -129.0f, v, v_splat(-129));
    v = v_select(v < 128.0f, v, v_splat(128));
    const vi whole = __builtin_convertvector(v, vi);
    const vf rest = v - __builtin_convertvector(whole, vf);
    vi code = whole - (rest >= 0.5f) + (rest <= -0.5f);
    code = (vi)v_select(code > low, (vf)code, (vf)(code * 0 + low));
    code = (vi)v_select(code < 127, (vf)code, (vf)(code * 0 + 127));
    const KN_NAME(codes) codes = __builtin_convertvector(code, KN_NAME(codes));
    if (n == KN_LANES)
      memcpy(y + i, &codes, sizeof codes);
    else
      memcpy(y + i, &codes, n);
  }
}
#endif
