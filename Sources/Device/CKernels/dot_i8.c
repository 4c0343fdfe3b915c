// dot_i8: Σ a[i] b[i] in 32 bits, exact for codes in [-127, 127] and count up to 133,000.
#ifndef KN_ISA
#include "variants.h"

int32_t kn_dot_i8__scalar(const int8_t *a, const int8_t *b, size_t count) {
  int32_t sum = 0;
  for (size_t i = 0; i < count; i++) sum += a[i] * b[i];
  return sum;
}

#define KN_INT8
#define KN_SELF "dot_i8.c"
#include "each_isa.h"

#elif KN_LANES > 4 && defined(KN_DOTPROD)
// a + 128 is unsigned, and 128 Σ b too much.
KN_TARGET int32_t KN_NAME(kn_dot_i8)(const int8_t *a, const int8_t *b, size_t count) {
  const vi flip = (int32_t)0x80808080 - (vi){0};
  vi sums = {0}, surplus = {0}, x, y;
  size_t i = 0;
  for (; i + sizeof x <= count; i += sizeof x) {
    memcpy(&x, a + i, sizeof x);
    memcpy(&y, b + i, sizeof y);
    sums = v_dot4(sums, x ^ flip, y);
    surplus = v_dot4(surplus, flip, y);
  }
  sums -= surplus;
  int32_t sum = kn_dot_i8__scalar(a + i, b + i, count - i);
  for (int l = 0; l < KN_LANES; l++) sum += sums[l];
  return sum;
}

#elif KN_LANES == 8
KN_TARGET int32_t KN_NAME(kn_dot_i8)(const int8_t *a, const int8_t *b, size_t count) {
  __m256i sums = _mm256_setzero_si256();
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const __m256i x = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(a + i)));
    const __m256i y = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(b + i)));
    sums = _mm256_add_epi32(sums, _mm256_madd_epi16(x, y));
  }
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
  return _mm_cvtsi128_si32(s) + kn_dot_i8__scalar(a + i, b + i, count - i);
}

#else
KN_TARGET int32_t KN_NAME(kn_dot_i8)(const int8_t *a, const int8_t *b, size_t count) {
  int32x4_t sums = vdupq_n_s32(0);
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const int8x16_t x = vld1q_s8(a + i), y = vld1q_s8(b + i);
#ifdef KN_DOTPROD
    sums = vdotq_s32(sums, x, y);
#else
    sums = vpadalq_s16(sums, vmull_s8(vget_low_s8(x), vget_low_s8(y)));
    sums = vpadalq_s16(sums, vmull_s8(vget_high_s8(x), vget_high_s8(y)));
#endif
  }
  return vaddvq_s32(sums) + kn_dot_i8__scalar(a + i, b + i, count - i);
}
#endif
