// gemm_i8: C = activation(alpha a_scale[i] b_scale[j] Σ_p A[i, p] B[p, j] + bias (+ C)), codes in
// [-127, 127]; the integer sum is exact while it fits 32 bits (k up to 133,000).
#ifndef KN_ISA
#include <string.h>
#include "variants.h"

void kn_gemm_i8__scalar(const kn_gemm *g, size_t row0, size_t row1, size_t panel0, size_t panel1) {
  const size_t k4 = (g->k + 3) / 4;
  const int op = kn_unary_of_activation(g->activation);
  for (size_t panel = panel0; panel < panel1; panel++) {
    const int8_t *b = (const int8_t *)g->b + panel * k4 * 64;
    const size_t column = panel * KN_PANEL;
    const size_t columns = g->n - column < KN_PANEL ? g->n - column : KN_PANEL;
    for (size_t i = row0; i < row1; i++) {
      const int8_t *a = (const int8_t *)g->a + i * g->lda;
      int32_t sums[KN_PANEL] = {0};
      for (size_t p = 0; p < g->k; p++)
        for (size_t j = 0; j < KN_PANEL; j++) sums[j] += a[p] * b[p / 4 * 64 + j * 4 + p % 4];
      if (g->sums) {
        memcpy(g->sums + i * g->ldc + column, sums, columns * sizeof *sums);
        continue;
      }
      float *c = g->c + i * g->ldc + column;
      for (size_t j = 0; j < columns; j++) {
        const float scale = g->alpha * g->a_scales[i] * g->b_scales[column + j];
        float x = scale * (float)sums[j];
        if (g->bias_axis == KN_BIAS_COLUMN) x += g->bias[column + j];
        if (g->bias_axis == KN_BIAS_ROW) x += g->bias[i];
        c[j] = g->accumulate ? c[j] + x : x;
      }
      if (op >= 0) kn_unary_f32__scalar(op, c, c, columns, g->p0, g->p1);
    }
  }
}

#define KN_UNROLL _Pragma("GCC unroll 32")
#define KN_INT8
#define KN_SELF "gemm_i8.c"
#include "each_isa.h"

#else
// KN_ROWS: the height of a micro-tile, which is two vectors of columns wide, as in gemm_f32.
#if KN_LANES == 16
#define KN_ROWS 12
#elif KN_LANES == 8 && defined(KN_DOTPROD)
#define KN_ROWS 6
#elif defined(KN_DOTPROD)
#define KN_ROWS 8
#else
#define KN_ROWS 4
#endif
enum { KN_NAME(block) = 96 };  // rows whose `start` is kept; a multiple of every height

// sums[r][v][l] += Σ_q<4 a[r, 4 g + q] b_v[g, l, q] over the k4 groups g; group g of vector v of B
// starts at b[v * b_step + g * 64].
#if KN_LANES > 4 && defined(KN_DOTPROD)
#define KN_OFFSET
// The instruction takes B as unsigned: B + 128, whose surplus `start` has taken off.
KN_LANE_FN void KN_NAME(multiply)(
    const int rows, const int8_t *a, size_t lda, const int8_t *b, size_t b_step, size_t k4,
    vi sums[KN_ROWS][2]) {
  for (size_t g = 0; g < k4; g++, a += 4, b += 64) {
    vi y0, y1;
    memcpy(&y0, b, sizeof y0);
    memcpy(&y1, b + b_step, sizeof y1);
    y0 ^= (int32_t)0x80808080;
    y1 ^= (int32_t)0x80808080;
    KN_UNROLL for (int r = 0; r < rows; r++) {
      int32_t quad;
      memcpy(&quad, a + (size_t)r * lda, 4);
      const vi x = quad - (vi){0};
      sums[r][0] = v_dot4(sums[r][0], y0, x);
      sums[r][1] = v_dot4(sums[r][1], y1, x);
    }
  }
}
// What the sums of a row start from: -128 Σ a, for B + 128.
KN_LANE_FN int32_t KN_NAME(start)(const int8_t *a, size_t k4) {
  vi sums = {0}, x = {0};
  const vi ones = 0x01010101 - (vi){0};
  size_t p = 0;
  for (; p + sizeof x <= k4 * 4; p += sizeof x) {
    memcpy(&x, a + p, sizeof x);
    sums = v_dot4(sums, ones, x);
  }
  int32_t sum = 0;
  for (int l = 0; l < KN_LANES; l++) sum += sums[l];
  for (; p < k4 * 4; p++) sum += a[p];
  return -128 * sum;
}

#elif KN_LANES == 8
#define KN_FULL_RANGE
// Any byte times any byte: both widened to 16 bits. Sums of pairs, four to a column and two vectors:
// pairs[r][2 v + h] holds columns 4 h … 4 h + 3 of vector v.
KN_LANE_FN void KN_NAME(multiply_all)(
    const int rows, const int8_t *a, size_t lda, const int8_t *b, size_t b_step, size_t k4,
    vi sums[KN_ROWS][2]) {
  for (int v = 0; v < 2; v++) {
    const int8_t *from = b + (size_t)v * b_step;
    __m256i low[KN_ROWS], high[KN_ROWS];
    KN_UNROLL for (int r = 0; r < rows; r++) low[r] = high[r] = _mm256_setzero_si256();
    for (size_t g = 0; g < k4; g++, from += 64) {
      const __m256i y0 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)from));
      const __m256i y1 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(from + 16)));
      KN_UNROLL for (int r = 0; r < rows; r++) {
        int32_t quad;
        memcpy(&quad, a + (size_t)r * lda + 4 * g, 4);
        const __m256i x = _mm256_broadcastq_epi64(_mm_cvtepi8_epi16(_mm_cvtsi32_si128(quad)));
        low[r] = _mm256_add_epi32(low[r], _mm256_madd_epi16(y0, x));
        high[r] = _mm256_add_epi32(high[r], _mm256_madd_epi16(y1, x));
      }
    }
    KN_UNROLL for (int r = 0; r < rows; r++)
      // hadd gives columns 0 1 4 5 | 2 3 6 7.
      sums[r][v] += (vi)_mm256_permute4x64_epi64(_mm256_hadd_epi32(low[r], high[r]), 0xd8);
  }
}
// maddubs wants one side unsigned: |b|, with the sign of b moved to a. 2 * 127 * 127 fits 16 bits.
KN_LANE_FN void KN_NAME(multiply)(
    const int rows, const int8_t *a, size_t lda, const int8_t *b, size_t b_step, size_t k4,
    vi sums[KN_ROWS][2]) {
  const __m256i ones = _mm256_set1_epi16(1);
  for (size_t g = 0; g < k4; g++, a += 4, b += 64) {
    const __m256i y0 = _mm256_loadu_si256((const __m256i *)b);
    const __m256i y1 = _mm256_loadu_si256((const __m256i *)(b + b_step));
    const __m256i u0 = _mm256_abs_epi8(y0), u1 = _mm256_abs_epi8(y1);
    KN_UNROLL for (int r = 0; r < rows; r++) {
      int32_t quad;
      memcpy(&quad, a + (size_t)r * lda, 4);
      const __m256i x = _mm256_set1_epi32(quad);
      const __m256i p0 = _mm256_maddubs_epi16(u0, _mm256_sign_epi8(x, y0));
      const __m256i p1 = _mm256_maddubs_epi16(u1, _mm256_sign_epi8(x, y1));
      sums[r][0] += (vi)_mm256_madd_epi16(p0, ones);
      sums[r][1] += (vi)_mm256_madd_epi16(p1, ones);
    }
  }
}

#elif defined(KN_DOTPROD)
KN_LANE_FN void KN_NAME(multiply)(
    const int rows, const int8_t *a, size_t lda, const int8_t *b, size_t b_step, size_t k4,
    vi sums[KN_ROWS][2]) {
  size_t g = 0;
  for (; g + 4 <= k4; g += 4, a += 16, b += 256) {
    int8x16_t x[KN_ROWS];
    KN_UNROLL for (int r = 0; r < rows; r++) x[r] = vld1q_s8(a + (size_t)r * lda);
#define KN_STEP(G)                                                                                 \
  KN_UNROLL for (int v = 0; v < 2; v++) {                                                          \
    const int8x16_t y = vld1q_s8(b + (G) * 64 + (size_t)v * b_step);                               \
    KN_UNROLL for (int r = 0; r < rows; r++) sums[r][v] =                                          \
        (vi)vdotq_laneq_s32((int32x4_t)sums[r][v], y, x[r], (G));                                  \
  }
    KN_STEP(0)
    KN_STEP(1)
    KN_STEP(2)
    KN_STEP(3)
#undef KN_STEP
  }
  for (; g < k4; g++, a += 4, b += 64)
    KN_UNROLL for (int r = 0; r < rows; r++) {
      int32_t quad;
      memcpy(&quad, a + (size_t)r * lda, 4);
      const int8x16_t x = vreinterpretq_s8_s32(vdupq_n_s32(quad));
      KN_UNROLL for (int v = 0; v < 2; v++) sums[r][v] = (vi)vdotq_s32(
          (int32x4_t)sums[r][v], vld1q_s8(b + (size_t)v * b_step), x);
    }
}

#else
#define KN_FULL_RANGE
// Any byte times any byte: products add up in 32 bits at once.
KN_LANE_FN void KN_NAME(multiply_all)(
    const int rows, const int8_t *a, size_t lda, const int8_t *b, size_t b_step, size_t k4,
    vi sums[KN_ROWS][2]) {
  int32x4_t pairs[KN_ROWS][4];
  KN_UNROLL for (int r = 0; r < rows; r++)
    KN_UNROLL for (int h = 0; h < 4; h++) pairs[r][h] = vdupq_n_s32(0);
  for (size_t g = 0; g < k4; g++, a += 4, b += 64) {
    int8x8_t x[KN_ROWS];
    KN_UNROLL for (int r = 0; r < rows; r++) {
      int32_t quad;
      memcpy(&quad, a + (size_t)r * lda, 4);
      x[r] = vreinterpret_s8_s32(vdup_n_s32(quad));
    }
    KN_UNROLL for (int h = 0; h < 4; h++) {
      const int8x8_t y = vld1_s8(b + (size_t)(h / 2) * b_step + h % 2 * 8);
      KN_UNROLL for (int r = 0; r < rows; r++)
        pairs[r][h] = vpadalq_s16(pairs[r][h], vmull_s8(y, x[r]));
    }
  }
  KN_UNROLL for (int r = 0; r < rows; r++)
    KN_UNROLL for (int v = 0; v < 2; v++) sums[r][v] +=
        (vi)vpaddq_s32(pairs[r][2 * v], pairs[r][2 * v + 1]);
}
// 8-bit products of two groups add up in 16 bits, then pairs of them in 32.
KN_LANE_FN void KN_NAME(multiply)(
    const int rows, const int8_t *a, size_t lda, const int8_t *b, size_t b_step, size_t k4,
    vi sums[KN_ROWS][2]) {
  int32x4_t pairs[KN_ROWS][4];  // [2 v + h]: columns 2 h and 2 h + 1 of vector v, two sums each
  KN_UNROLL for (int r = 0; r < rows; r++)
    KN_UNROLL for (int h = 0; h < 4; h++) pairs[r][h] = vdupq_n_s32(0);
  for (size_t g = 0; g < k4; g += 2, a += 8, b += 128) {
    const int two = g + 1 < k4;
    int8x8_t x[KN_ROWS][2];
    KN_UNROLL for (int r = 0; r < rows; r++) {
      int32_t quads[2] = {0, 0};
      memcpy(quads, a + (size_t)r * lda, 4);
      if (two) memcpy(quads + 1, a + (size_t)r * lda + 4, 4);
      x[r][0] = vreinterpret_s8_s32(vdup_n_s32(quads[0]));
      x[r][1] = vreinterpret_s8_s32(vdup_n_s32(quads[1]));
    }
    KN_UNROLL for (int h = 0; h < 4; h++) {
      const int8_t *from = b + (size_t)(h / 2) * b_step + h % 2 * 8;
      const int8x8_t y0 = vld1_s8(from), y1 = two ? vld1_s8(from + 64) : vdup_n_s8(0);
      KN_UNROLL for (int r = 0; r < rows; r++) pairs[r][h] = vpadalq_s16(
          pairs[r][h], vmlal_s8(vmull_s8(y0, x[r][0]), y1, x[r][1]));
    }
  }
  KN_UNROLL for (int r = 0; r < rows; r++)
    KN_UNROLL for (int v = 0; v < 2; v++) sums[r][v] +=
        (vi)vpaddq_s32(pairs[r][2 * v], pairs[r][2 * v + 1]);
}
#endif
#ifdef KN_OFFSET
#undef KN_OFFSET
#else
KN_LANE_FN int32_t KN_NAME(start)(const int8_t *a, size_t k4) {
  (void)a, (void)k4;
  return 0;
}
#endif

// `rows` rows from `row` on, columns [column, column + columns), `columns` <= 2 KN_LANES.
KN_LANE_FN void KN_NAME(tile)(
    const int rows, const kn_gemm *g, size_t row, size_t column, size_t columns, const int8_t *b,
    size_t b_step, const int32_t *starts) {
  vi sums[KN_ROWS][2];
  KN_UNROLL for (int r = 0; r < rows; r++) sums[r][0] = sums[r][1] = starts[r] - (vi){0};
  const int8_t *a = (const int8_t *)g->a + row * g->lda;
#ifdef KN_FULL_RANGE
  if (g->sums)
    KN_NAME(multiply_all)(rows, a, g->lda, b, b_step, (g->k + 3) / 4, sums);
  else
#endif
    KN_NAME(multiply)(rows, a, g->lda, b, b_step, (g->k + 3) / 4, sums);
  if (g->sums) {
    KN_UNROLL for (int v = 0; v < 2; v++) {
      const size_t first = (size_t)v * KN_LANES;
      if (first >= columns) break;
      const size_t n = columns - first < KN_LANES ? columns - first : KN_LANES;
      int32_t *out = g->sums + row * g->ldc + column + first;
      KN_UNROLL for (int r = 0; r < rows; r++, out += g->ldc) {
        if (n == KN_LANES) memcpy(out, &sums[r][v], sizeof(vi));
        else memcpy(out, &sums[r][v], n * sizeof *out);
      }
    }
    return;
  }
  KN_UNROLL for (int v = 0; v < 2; v++) {
    const size_t first = (size_t)v * KN_LANES;
    if (first >= columns) break;
    const size_t n = columns - first, at = column + first;
    const vf scales = v_load(g->b_scales + at) * g->alpha;
    vf bias = v_splat(0);
    if (g->bias_axis == KN_BIAS_COLUMN)
      bias = n >= KN_LANES ? v_load(g->bias + at) : v_load_n(g->bias + at, n);
    float *c = g->c + row * g->ldc + at;
    KN_UNROLL for (int r = 0; r < rows; r++, c += g->ldc) {
      const size_t i = row + (size_t)r;
      const vf sum = __builtin_convertvector(sums[r][v], vf);
      vf x = v_fma(sum, scales * g->a_scales[i], bias);
      if (g->bias_axis == KN_BIAS_ROW) x += g->bias[i];
      if (n >= KN_LANES) {
        if (g->accumulate) x += v_load(c);
        v_store(c, x);
      } else {
        if (g->accumulate) x += v_load_n(c, n);
        v_store_n(c, x, n);
      }
    }
  }
}

#define KN_HEIGHT(ROWS)                                                                            \
  KN_TARGET static void KN_PASTE(tile##ROWS, KN_ISA)(                                              \
      const kn_gemm *g, size_t row, size_t column, size_t columns, const int8_t *b, size_t b_step, \
      const int32_t *starts) {                                                                     \
    KN_NAME(tile)(ROWS, g, row, column, columns, b, b_step, starts);                               \
  }
KN_HEIGHT(1)
KN_HEIGHT(2)
KN_HEIGHT(4)
#if KN_ROWS == 6
KN_HEIGHT(6)
#endif
#if KN_ROWS > 6
KN_HEIGHT(8)
#endif
#if KN_ROWS > 8
KN_HEIGHT(12)
#endif
#undef KN_HEIGHT

// The tallest tile that fits, and how many rows it is.
KN_LANE_FN size_t KN_NAME(run_tile)(
    size_t rows, const kn_gemm *g, size_t row, size_t column, size_t columns, const int8_t *b,
    size_t b_step, const int32_t *starts) {
#define KN_TRY(ROWS)                                                                               \
  if (rows >= ROWS) {                                                                              \
    KN_PASTE(tile##ROWS, KN_ISA)(g, row, column, columns, b, b_step, starts);                      \
    return ROWS;                                                                                   \
  }
#if KN_ROWS > 8
  KN_TRY(12)
#endif
#if KN_ROWS > 6
  KN_TRY(8)
#endif
#if KN_ROWS == 6
  KN_TRY(6)
#endif
  KN_TRY(4)
  KN_TRY(2)
  KN_TRY(1)
#undef KN_TRY
  return 0;
}

KN_TARGET void KN_NAME(kn_gemm_i8)(
    const kn_gemm *g, size_t row0, size_t row1, size_t panel0, size_t panel1) {
  const size_t k4 = (g->k + 3) / 4, panel_size = k4 * 64;
  const size_t end = panel1 * KN_PANEL < g->n ? panel1 * KN_PANEL : g->n;
  const int op = kn_unary_of_activation(g->activation);
  int32_t starts[KN_NAME(block)];
  for (size_t block0 = row0, block1; block0 < row1; block0 = block1) {
    block1 = row1 - block0 < KN_NAME(block) ? row1 : block0 + KN_NAME(block);
    for (size_t i = block0; i < block1; i++)
      starts[i - block0] = KN_NAME(start)((const int8_t *)g->a + i * g->lda, k4);
    for (size_t column = panel0 * KN_PANEL; column < end; column += 2 * KN_LANES) {
      const size_t columns = end - column < 2 * KN_LANES ? end - column : 2 * KN_LANES;
      const int8_t *b = (const int8_t *)g->b + column / KN_PANEL * panel_size
          + column % KN_PANEL * 4;
      // AVX-512 takes the second vector from the next panel; past the last one it repeats the first.
      const size_t next = columns > KN_LANES ? panel_size : 0;
      for (size_t row = block0, rows; row < block1; row += rows) {
        rows = KN_NAME(run_tile)(
            block1 - row, g, row, column, columns, b, KN_LANES == KN_PANEL ? next : KN_LANES * 4,
            starts + (row - block0));
        if (g->sums || op < 0) continue;
        float *c = g->c + row * g->ldc + column;
        KN_PASTE(kn_map_f32, KN_BASE)(op, c, g->ldc, c, g->ldc, rows, columns, g->p0, g->p1);
      }
    }
  }
}
#undef KN_ROWS
#undef KN_FULL_RANGE
#endif
