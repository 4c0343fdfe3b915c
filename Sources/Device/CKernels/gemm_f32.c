// gemm_f32: C = activation(alpha A B + bias (+ C)) over panels of B.
//
// Every element is one sum over ascending p, whatever rows and panels a call is given; so a product
// does not depend on how it was cut. (Only a product of one row in all is summed in several chains.)
#ifndef KN_ISA
#include "variants.h"

static void finish(const kn_gemm *g, size_t row, size_t column, size_t columns, const float *sums) {
  float *c = g->c + row * g->ldc + column;
  for (size_t j = 0; j < columns; j++) {
    float x = g->alpha * sums[j];
    if (g->bias_axis == KN_BIAS_COLUMN) x += g->bias[column + j];
    if (g->bias_axis == KN_BIAS_ROW) x += g->bias[row];
    c[j] = g->accumulate ? c[j] + x : x;
  }
  const int op = kn_unary_of_activation(g->activation);
  if (op >= 0) kn_unary_f32__scalar(op, c, c, columns, g->p0, g->p1);
}

void kn_gemm_f32__scalar(
    const kn_gemm *g, size_t row0, size_t row1, size_t panel0, size_t panel1) {
  for (size_t panel = panel0; panel < panel1; panel++) {
    const float *b = (const float *)g->b + panel * g->k * KN_PANEL;
    const size_t column = panel * KN_PANEL;
    const size_t columns = g->n - column < KN_PANEL ? g->n - column : KN_PANEL;
    for (size_t i = row0; i < row1; i++) {
      const float *a = (const float *)g->a + i * g->lda;
      float sums[KN_PANEL] = {0};
      for (size_t p = 0; p < g->k; p++)
        for (size_t j = 0; j < KN_PANEL; j++) sums[j] += a[p] * b[p * KN_PANEL + j];
      finish(g, i, column, columns, sums);
    }
  }
}

#define KN_SELF "gemm_f32.c"
#include "each_isa.h"

#else
// The micro-tile: KN_ROWS rows by two vectors, which AVX-512 takes from two panels, AVX2 from one
// panel and NEON from half of one.
#if KN_LANES == 16
#define KN_ROWS 12
#elif KN_LANES == 8
#define KN_ROWS 6
#else
#define KN_ROWS 8
#endif
#define KN_UNROLL _Pragma("GCC unroll 32")

// sums[r][v] = Σ_p a[r, p] b_v[p], where vector v of row p starts at b[v * b_step + p * 16].
#if KN_LANES == 4
KN_LANE_FN void KN_NAME(multiply)(
    const int rows, const int vectors, const float *a, size_t lda, const float *b, size_t b_step,
    size_t k, vf sums[KN_ROWS][2]) {
  size_t p = 0;
  for (; p + 4 <= k; p += 4, b += 4 * KN_PANEL) {
    float32x4_t x[KN_ROWS];
    KN_UNROLL for (int r = 0; r < rows; r++) x[r] = vld1q_f32(a + (size_t)r * lda + p);
#define KN_STEP(P)                                                                                 \
  KN_UNROLL for (int v = 0; v < vectors; v++) {                                                    \
    const float32x4_t y = vld1q_f32(b + (P) * KN_PANEL + (size_t)v * b_step);                      \
    KN_UNROLL for (int r = 0; r < rows; r++) sums[r][v] =                                          \
        (vf)vfmaq_laneq_f32((float32x4_t)sums[r][v], y, x[r], (P));                                \
  }
    KN_STEP(0)
    KN_STEP(1)
    KN_STEP(2)
    KN_STEP(3)
#undef KN_STEP
  }
  for (; p < k; p++, b += KN_PANEL)
    KN_UNROLL for (int v = 0; v < vectors; v++) {
      const vf y = v_load(b + (size_t)v * b_step);
      KN_UNROLL for (int r = 0; r < rows; r++) sums[r][v] =
          v_fma(v_splat(a[(size_t)r * lda + p]), y, sums[r][v]);
    }
}
#else
KN_LANE_FN void KN_NAME(multiply)(
    const int rows, const int vectors, const float *a, size_t lda, const float *b, size_t b_step,
    size_t k, vf sums[KN_ROWS][2]) {
  for (size_t p = 0; p < k; p++, a++, b += KN_PANEL) {
    vf y[2];
    KN_UNROLL for (int v = 0; v < vectors; v++) y[v] = v_load(b + (size_t)v * b_step);
    KN_UNROLL for (int r = 0; r < rows; r++) {
      const vf x = v_splat(a[(size_t)r * lda]);
      KN_UNROLL for (int v = 0; v < vectors; v++) sums[r][v] = v_fma(x, y[v], sums[r][v]);
    }
  }
}
#endif

// The first `n` lanes of alpha sum + bias (+ c) to c.
KN_LANE_FN void KN_NAME(put)(const kn_gemm *g, vf sum, vf bias, float *c, size_t n) {
  vf x = v_fma(sum, v_splat(g->alpha), bias);
  if (n >= KN_LANES) {
    if (g->accumulate) x += v_load(c);
    v_store(c, x);
  } else {
    if (g->accumulate) x += v_load_n(c, n);
    v_store_n(c, x, n);
  }
}

KN_LANE_FN vf KN_NAME(column_bias)(const kn_gemm *g, size_t column, size_t n) {
  if (g->bias_axis != KN_BIAS_COLUMN) return v_splat(0);
  return n >= KN_LANES ? v_load(g->bias + column) : v_load_n(g->bias + column, n);
}

// `rows` rows from `row` on, `columns` columns from `column` on: 1 … KN_LANES * vectors of them.
KN_LANE_FN void KN_NAME(tile)(
    const int rows, const int vectors, const kn_gemm *g, size_t row, size_t column, size_t columns,
    const float *b, size_t b_step) {
  vf sums[KN_ROWS][2];
  KN_UNROLL for (int r = 0; r < rows; r++)
    KN_UNROLL for (int v = 0; v < vectors; v++) sums[r][v] = v_splat(0);
  KN_NAME(multiply)(
      rows, vectors, (const float *)g->a + row * g->lda, g->lda, b, b_step, g->k, sums);
  KN_UNROLL for (int v = 0; v < vectors; v++) {
    const size_t first = (size_t)v * KN_LANES;
    if (first >= columns) break;
    const size_t n = columns - first;
    const vf bias = KN_NAME(column_bias)(g, column + first, n);
    float *c = g->c + row * g->ldc + column + first;
    KN_UNROLL for (int r = 0; r < rows; r++) {
      const vf row_bias =
          g->bias_axis == KN_BIAS_ROW ? v_splat(g->bias[row + (size_t)r]) : v_splat(0);
      KN_NAME(put)(g, sums[r][v], bias + row_bias, c + (size_t)r * g->ldc, n);
    }
  }
}

// One function per height: the tiles of a few rows at the bottom matter for small products.
#define KN_HEIGHT(ROWS)                                                                            \
  KN_TARGET static void KN_PASTE(tile##ROWS, KN_ISA)(                                              \
      const kn_gemm *g, size_t row, size_t column, size_t columns, const float *b,                 \
      size_t b_step) {                                                                             \
    if (columns > KN_LANES)                                                                        \
      KN_NAME(tile)(ROWS, 2, g, row, column, columns, b, b_step);                                  \
    else                                                                                           \
      KN_NAME(tile)(ROWS, 1, g, row, column, columns, b, b_step);                                  \
  }
KN_HEIGHT(1)
KN_HEIGHT(2)
KN_HEIGHT(3)
KN_HEIGHT(4)
KN_HEIGHT(5)
KN_HEIGHT(6)
#if KN_ROWS > 6
KN_HEIGHT(7)
KN_HEIGHT(8)
#endif
#if KN_ROWS > 8
KN_HEIGHT(9)
KN_HEIGHT(10)
KN_HEIGHT(11)
KN_HEIGHT(12)
#endif
#undef KN_HEIGHT
#define KN_T(ROWS) KN_PASTE(tile##ROWS, KN_ISA)

KN_LANE_FN void KN_NAME(activate)(
    const kn_gemm *g, size_t row, size_t rows, size_t column, size_t columns) {
  if (g->activation == KN_LINEAR) return;
  float *c = g->c + row * g->ldc + column;
  KN_NAME(kn_map_f32)(
      kn_unary_of_activation(g->activation), c, g->ldc, c, g->ldc, rows, columns, g->p0, g->p1);
}

// A product of one row: memory decides, so B is read in the order it lies, with eight sums under way.
KN_TARGET static void KN_NAME(one_row)(const kn_gemm *g, size_t panel0, size_t panel1) {
  enum { vectors = KN_PANEL / KN_LANES, chains = 8 / vectors };
  const float *a = g->a, *b = (const float *)g->b + panel0 * g->k * KN_PANEL;
  for (size_t panel = panel0; panel < panel1; panel++) {
    vf sums[chains][vectors];
    KN_UNROLL for (int s = 0; s < chains; s++)
      KN_UNROLL for (int v = 0; v < vectors; v++) sums[s][v] = v_splat(0);
    size_t p = 0;
    for (; p + chains <= g->k; p += chains, b += chains * KN_PANEL)
      KN_UNROLL for (int s = 0; s < chains; s++) {
        const vf x = v_splat(a[p + (size_t)s]);
        KN_UNROLL for (int v = 0; v < vectors; v++) sums[s][v] =
            v_fma(x, v_load(b + s * KN_PANEL + v * KN_LANES), sums[s][v]);
      }
    for (; p < g->k; p++, b += KN_PANEL)
      KN_UNROLL for (int v = 0; v < vectors; v++) sums[0][v] =
          v_fma(v_splat(a[p]), v_load(b + v * KN_LANES), sums[0][v]);
    const size_t column = panel * KN_PANEL;
    KN_UNROLL for (int v = 0; v < vectors; v++) {
      const size_t from = column + (size_t)v * KN_LANES;
      if (from >= g->n) break;
      vf sum = sums[0][v];
      KN_UNROLL for (int s = 1; s < chains; s++) sum += sums[s][v];
      vf bias = KN_NAME(column_bias)(g, from, g->n - from);
      if (g->bias_axis == KN_BIAS_ROW) bias = v_splat(g->bias[0]);
      KN_NAME(put)(g, sum, bias, g->c + from, g->n - from);
    }
    KN_NAME(activate)(g, 0, 1, column, g->n - column < KN_PANEL ? g->n - column : KN_PANEL);
  }
}

KN_TARGET void KN_NAME(kn_gemm_f32)(
    const kn_gemm *g, size_t row0, size_t row1, size_t panel0, size_t panel1) {
  static void (*const tiles[])(
      const kn_gemm *, size_t, size_t, size_t, const float *, size_t) = {
      0,       KN_T(1), KN_T(2), KN_T(3), KN_T(4),  KN_T(5),  KN_T(6),
#if KN_ROWS > 6
      KN_T(7), KN_T(8),
#endif
#if KN_ROWS > 8
      KN_T(9), KN_T(10), KN_T(11), KN_T(12),
#endif
  };
  if (g->m == 1) {
    if (row0 < row1) KN_NAME(one_row)(g, panel0, panel1);
    return;
  }
  const size_t panel_size = g->k * KN_PANEL;
  const size_t end = panel1 * KN_PANEL < g->n ? panel1 * KN_PANEL : g->n;
  for (size_t column = panel0 * KN_PANEL; column < end; column += 2 * KN_LANES) {
    const size_t columns = end - column < 2 * KN_LANES ? end - column : 2 * KN_LANES;
    const float *b = (const float *)g->b + column / KN_PANEL * panel_size + column % KN_PANEL;
    for (size_t row = row0, rows; row < row1; row += rows) {
      rows = row1 - row < KN_ROWS ? row1 - row : KN_ROWS;
      tiles[rows](g, row, column, columns, b, KN_LANES == KN_PANEL ? panel_size : KN_LANES);
      KN_NAME(activate)(g, row, rows, column, columns);
    }
  }
}
#undef KN_T
#undef KN_ROWS
#undef KN_UNROLL
#endif
