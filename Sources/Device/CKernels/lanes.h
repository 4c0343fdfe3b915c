// Vectors of KN_LANES floats: their types, and the few operations that C's own operators on vectors
// do not have. Included once per instruction set by each_isa.h; `vf` and `v_*` mean the current one.
#ifndef KN_LANES_NAMES
#define KN_LANES_NAMES
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif
// The macros stay; what they expand to follows KN_ISA.
#define vf KN_NAME(vf)
#define vi KN_NAME(vi)
#define vu KN_NAME(vu)
#define vf_loose KN_NAME(vf_loose)
#define v_load KN_NAME(v_load)
#define v_load_n KN_NAME(v_load_n)
#define v_load_part KN_NAME(v_load_part)
#define v_load_strided KN_NAME(v_load_strided)
#define v_store KN_NAME(v_store)
#define v_store_n KN_NAME(v_store_n)
#define v_splat KN_NAME(v_splat)
#define v_fma KN_NAME(v_fma)
#define v_select KN_NAME(v_select)
#define v_max KN_NAME(v_max)
#define v_sqrt KN_NAME(v_sqrt)
#define v_floor KN_NAME(v_floor)
#define v_ceil KN_NAME(v_ceil)
#define v_round KN_NAME(v_round)
#define v_abs KN_NAME(v_abs)
#define v_nearest KN_NAME(v_nearest)
#define v_sum KN_NAME(v_sum)
#define v_highest KN_NAME(v_highest)
#define v_mask KN_NAME(v_mask)
#define v_dot4 KN_NAME(v_dot4)
#define KN_LANE_FN KN_INLINE KN_TARGET
#endif

typedef float vf __attribute__((vector_size(4 * KN_LANES)));
typedef int32_t vi __attribute__((vector_size(4 * KN_LANES)));
typedef uint32_t vu __attribute__((vector_size(4 * KN_LANES)));
typedef float vf_loose __attribute__((vector_size(4 * KN_LANES), aligned(4), may_alias));

KN_LANE_FN vf v_load(const float *p) { return *(const vf_loose *)p; }
KN_LANE_FN void v_store(float *p, vf x) { *(vf_loose *)p = x; }
KN_LANE_FN vf v_splat(float x) { return x - (vf){0}; }
// a b + c, rounded once (every instruction set here has it and both compilers contract).
KN_LANE_FN vf v_fma(vf a, vf b, vf c) { return a * b + c; }
// where ? a : b, by lanes; `where` is what a comparison gave.
KN_LANE_FN vf v_select(vi where, vf a, vf b) { return (vf)((where & (vi)a) | (~where & (vi)b)); }
// The larger; b where either is NaN.
KN_LANE_FN vf v_max(vf a, vf b) { return v_select(a > b, a, b); }
KN_LANE_FN vf v_abs(vf x) { return (vf)((vi)x & 0x7fffffff); }

#if KN_LANES == 16
// The first n <= KN_LANES floats of p, then zeros.
KN_LANE_FN vf v_load_n(const float *p, size_t n) {
  return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}
// Lanes [first, end) of those at p, zeros elsewhere; reads nothing else.
KN_LANE_FN vf v_load_part(const float *p, size_t first, size_t end) {
  return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << end) - (1u << first)), p);
}
KN_LANE_FN void v_store_n(float *p, vf x, size_t n) {
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)x);
}
KN_LANE_FN vf v_sqrt(vf x) { return (vf)_mm512_sqrt_ps((__m512)x); }
KN_LANE_FN vf v_floor(vf x) { return (vf)_mm512_roundscale_ps((__m512)x, _MM_FROUND_FLOOR); }
KN_LANE_FN vf v_ceil(vf x) { return (vf)_mm512_roundscale_ps((__m512)x, _MM_FROUND_CEIL); }
// Ties to even.
KN_LANE_FN vf v_round(vf x) { return (vf)_mm512_roundscale_ps((__m512)x, _MM_FROUND_NINT); }
// Nearest integers, ties to even.
KN_LANE_FN vi v_nearest(vf x) { return (vi)_mm512_cvtps_epi32((__m512)x); }
KN_LANE_FN float v_sum(vf x) { return _mm512_reduce_add_ps((__m512)x); }
// The largest lane; no lane is NaN.
KN_LANE_FN float v_highest(vf x) { return _mm512_reduce_max_ps((__m512)x); }

#elif KN_LANES == 8
// All ones in the first n lanes.
KN_LANE_FN __m256i v_mask(size_t n) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lane);
}
KN_LANE_FN vf v_load_n(const float *p, size_t n) {
  return (vf)_mm256_maskload_ps(p, v_mask(n));
}
KN_LANE_FN vf v_load_part(const float *p, size_t first, size_t end) {
  return (vf)_mm256_maskload_ps(p, _mm256_andnot_si256(v_mask(first), v_mask(end)));
}
KN_LANE_FN void v_store_n(float *p, vf x, size_t n) {
  _mm256_maskstore_ps(p, v_mask(n), (__m256)x);
}
KN_LANE_FN vf v_sqrt(vf x) { return (vf)_mm256_sqrt_ps((__m256)x); }
KN_LANE_FN vf v_floor(vf x) { return (vf)_mm256_round_ps((__m256)x, _MM_FROUND_FLOOR); }
KN_LANE_FN vf v_ceil(vf x) { return (vf)_mm256_round_ps((__m256)x, _MM_FROUND_CEIL); }
KN_LANE_FN vf v_round(vf x) { return (vf)_mm256_round_ps((__m256)x, _MM_FROUND_NINT); }
KN_LANE_FN vi v_nearest(vf x) { return (vi)_mm256_cvtps_epi32((__m256)x); }
KN_LANE_FN float v_sum(vf x) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
KN_LANE_FN float v_highest(vf x) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

#else
KN_LANE_FN vf v_load_n(const float *p, size_t n) {
  vf x = {0};
  for (size_t i = 0; i < n; i++) x[i] = p[i];
  return x;
}
KN_LANE_FN vf v_load_part(const float *p, size_t first, size_t end) {
  vf x = {0};
  for (size_t i = first; i < end; i++) x[i] = p[i];
  return x;
}
KN_LANE_FN void v_store_n(float *p, vf x, size_t n) {
  for (size_t i = 0; i < n; i++) p[i] = x[i];
}
KN_LANE_FN vf v_sqrt(vf x) { return (vf)vsqrtq_f32((float32x4_t)x); }
KN_LANE_FN vf v_floor(vf x) { return (vf)vrndmq_f32((float32x4_t)x); }
KN_LANE_FN vf v_ceil(vf x) { return (vf)vrndpq_f32((float32x4_t)x); }
KN_LANE_FN vf v_round(vf x) { return (vf)vrndnq_f32((float32x4_t)x); }
KN_LANE_FN vi v_nearest(vf x) { return (vi)vcvtnq_s32_f32((float32x4_t)x); }
KN_LANE_FN float v_sum(vf x) { return vaddvq_f32((float32x4_t)x); }
KN_LANE_FN float v_highest(vf x) { return vmaxvq_f32((float32x4_t)x); }
#endif

// x[l * stride] for the lanes l < n, stride 1 or 2; reads nothing else.
KN_LANE_FN vf v_load_strided(const float *x, const size_t stride, size_t n) {
  if (stride == 1) return n >= KN_LANES ? v_load(x) : v_load_n(x, n);
  const size_t span = 2 * n - 1;
  const vf a = span >= KN_LANES ? v_load(x) : v_load_n(x, span);
  vf b = v_splat(0);
  if (n >= KN_LANES)
    b = v_load(x + KN_LANES - 1);
  else if (span > KN_LANES)
    b = v_load_n(x + KN_LANES - 1, span - (KN_LANES - 1));
  // The even lanes of a, then the odd ones of b.
#if KN_LANES == 16
  return __builtin_shufflevector(
      a, b, 0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31);
#elif KN_LANES == 8
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 9, 11, 13, 15);
#else
  return __builtin_shufflevector(a, b, 0, 2, 5, 7);
#endif
}

#if defined(KN_DOTPROD) && KN_LANES > 4
// sum[l] + Σ_q<4 a[4 l + q] b[4 l + q], the bytes of a unsigned, those of b signed.
KN_LANE_FN vi v_dot4(vi sum, vi a, vi b) {
#if KN_LANES == 16
  return (vi)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
#else
  return (vi)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)a, (__m256i)b);
#endif
}
#endif
