// Weights as f32: decode_f16, decode_bf16, decode_i8, their panels, and encode_f16.
#ifndef KN_ISA
#include <string.h>
#include "variants.h"

static float float_of(uint32_t bits) {
  float f;
  memcpy(&f, &bits, 4);
  return f;
}
static uint32_t bits_of(float f) {
  uint32_t bits;
  memcpy(&bits, &f, 4);
  return bits;
}

// Exact. NaN keeps its payload and becomes quiet.
float kn_f16_to_f32(uint16_t h) {
  const uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 0x3ff;
  if (exponent == 31) return float_of(sign | 0x7f800000 | mantissa << 13 | (mantissa ? 1u << 22 : 0));
  if (exponent != 0) return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
  return float_of(sign | bits_of((float)mantissa * 0x1p-24f));
}

// To nearest, ties to even; past 65504 (rounded) infinity. NaN keeps the top of its payload.
uint16_t kn_f32_to_f16(float f) {
  const uint32_t bits = bits_of(f), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x1ff));
  if (magnitude >= 0x477ff000) return (uint16_t)(sign | 0x7c00);
  // Below 2^-14 the unit is 2^-24; adding 2^-1 leaves just that unit in the low bits of a float.
  if (magnitude < 0x38800000)
    return (uint16_t)(sign | (bits_of(float_of(magnitude) + 0.5f) - bits_of(0.5f)));
  return (uint16_t)(sign | (magnitude + 0xfff + (magnitude >> 13 & 1) - (112u << 23)) >> 13);
}

void kn_decode_f16__scalar(const uint16_t *x, float *y, size_t count) {
  for (size_t i = 0; i < count; i++) y[i] = kn_f16_to_f32(x[i]);
}
void kn_decode_bf16__scalar(const uint16_t *x, float *y, size_t count) {
  for (size_t i = 0; i < count; i++) y[i] = float_of((uint32_t)x[i] << 16);
}
void kn_decode_i8__scalar(const int8_t *x, float scale, float *y, size_t count) {
  for (size_t i = 0; i < count; i++) y[i] = scale * (float)x[i];
}
void kn_encode_f16__scalar(const float *x, uint16_t *y, size_t count) {
  for (size_t i = 0; i < count; i++) y[i] = kn_f32_to_f16(x[i]);
}
void kn_decode_panel_f16__scalar(const uint16_t *panel, float *out, size_t k) {
  kn_decode_f16__scalar(panel, out, k * KN_PANEL);
}
void kn_decode_panel_bf16__scalar(const uint16_t *panel, float *out, size_t k) {
  kn_decode_bf16__scalar(panel, out, k * KN_PANEL);
}

#define KN_SELF "decode.c"
#include "each_isa.h"

#else
typedef uint16_t KN_NAME(halves) __attribute__((vector_size(2 * KN_LANES), aligned(2), may_alias));
typedef int8_t KN_NAME(codes) __attribute__((vector_size(KN_LANES), aligned(1), may_alias));

KN_LANE_FN vf KN_NAME(from_f16)(const uint16_t *p) {
#if KN_LANES == 16
  return (vf)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
#elif KN_LANES == 8
  return (vf)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
#else
  return (vf)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
#endif
}
KN_LANE_FN void KN_NAME(to_f16)(uint16_t *p, vf x) {
#if KN_LANES == 16
  _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph((__m512)x, _MM_FROUND_TO_NEAREST_INT));
#elif KN_LANES == 8
  _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph((__m256)x, _MM_FROUND_TO_NEAREST_INT));
#else
  vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32((float32x4_t)x)));
#endif
}

KN_TARGET void KN_NAME(kn_decode_f16)(const uint16_t *x, float *y, size_t count) {
  size_t i = 0;
  for (; i + KN_LANES <= count; i += KN_LANES) v_store(y + i, KN_NAME(from_f16)(x + i));
  kn_decode_f16__scalar(x + i, y + i, count - i);
}
KN_TARGET void KN_NAME(kn_decode_bf16)(const uint16_t *x, float *y, size_t count) {
  size_t i = 0;
  for (; i + KN_LANES <= count; i += KN_LANES) {
    const KN_NAME(halves) h = *(const KN_NAME(halves) *)(x + i);
    v_store(y + i, (vf)(__builtin_convertvector(h, vu) << 16));
  }
  kn_decode_bf16__scalar(x + i, y + i, count - i);
}
KN_TARGET void KN_NAME(kn_decode_i8)(const int8_t *x, float scale, float *y, size_t count) {
  size_t i = 0;
  for (; i + KN_LANES <= count; i += KN_LANES) {
    const KN_NAME(codes) q = *(const KN_NAME(codes) *)(x + i);
    v_store(y + i, __builtin_convertvector(__builtin_convertvector(q, vi), vf) * scale);
  }
  kn_decode_i8__scalar(x + i, scale, y + i, count - i);
}
KN_TARGET void KN_NAME(kn_encode_f16)(const float *x, uint16_t *y, size_t count) {
  size_t i = 0;
  for (; i + KN_LANES <= count; i += KN_LANES) KN_NAME(to_f16)(y + i, v_load(x + i));
  kn_encode_f16__scalar(x + i, y + i, count - i);
}
KN_TARGET void KN_NAME(kn_decode_panel_f16)(const uint16_t *panel, float *out, size_t k) {
  KN_NAME(kn_decode_f16)(panel, out, k * KN_PANEL);
}
KN_TARGET void KN_NAME(kn_decode_panel_bf16)(const uint16_t *panel, float *out, size_t k) {
  KN_NAME(kn_decode_bf16)(panel, out, k * KN_PANEL);
}
#endif
