// unary_f32, binary_f32 and kn_map_f32, which is unary_f32 over the rows of a matrix.
#ifndef KN_ISA
#include <math.h>
#include "variants.h"

static float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
// NaN stays NaN.
static float clip(float x, float low, float high) { return x < low ? low : x > high ? high : x; }

static float unary(int op, float x, float p0, float p1) {
  switch (op) {
  case KN_U_EXP: return expf(x);
  case KN_U_ERF: return erff(x);
  case KN_U_TANH: return tanhf(x);
  case KN_U_SIGMOID: return sigmoid(x);
  case KN_U_GELU: return 0.5f * x * (1.0f + erff(x * 0x1.6a09e6p-1f));
  case KN_U_GELU_TANH: return x * sigmoid(1.5957691216f * (x + 0.044715f * x * x * x));
  case KN_U_SILU: return x * sigmoid(x);
  case KN_U_RELU: return x < 0 ? 0 : x;
  case KN_U_CLIP: return clip(x, p0, p1);
  case KN_U_LEAKY_RELU: return x < 0 ? p0 * x : x;
  case KN_U_HARD_SWISH: return x * clip(x * (1.0f / 6) + 0.5f, 0, 1);
  case KN_U_HARD_SIGMOID: return clip(p0 * x + p1, 0, 1);
  case KN_U_SQRT: return sqrtf(x);
  case KN_U_ABS: return fabsf(x);
  case KN_U_NEG: return -x;
  case KN_U_RECIPROCAL: return 1.0f / x;
  case KN_U_AFFINE: return p0 * x + p1;
  case KN_U_LOG: return logf(x);
  case KN_U_FLOOR: return floorf(x);
  case KN_U_CEIL: return ceilf(x);
  case KN_U_ROUND: return rintf(x);
  }
  __builtin_trap();
}

void kn_map_f32__scalar(
    int op, const float *x, size_t ld_x, float *y, size_t ld_y, size_t rows, size_t columns,
    float p0, float p1) {
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++) y[i * ld_y + j] = unary(op, x[i * ld_x + j], p0, p1);
}

void kn_unary_f32__scalar(int op, const float *x, float *y, size_t count, float p0, float p1) {
  kn_map_f32__scalar(op, x, 0, y, 0, 1, count, p0, p1);
}

static float binary(int op, float a, float b) {
  switch (op) {
  case KN_B_ADD: return a + b;
  case KN_B_SUB: return a - b;
  case KN_B_MUL: return a * b;
  case KN_B_DIV: return a / b;
  case KN_B_MAX: return a > b || a != a ? a : b;
  case KN_B_MIN: return a < b || a != a ? a : b;
  }
  __builtin_trap();
}

void kn_binary_f32__scalar(
    int op, int operands, const float *a, const float *b, float *y, size_t count) {
  const size_t step_a = operands != KN_A_SCALAR, step_b = operands != KN_B_SCALAR;
  for (size_t i = 0; i < count; i++) y[i] = binary(op, a[i * step_a], b[i * step_b]);
}

#define KN_SELF "elementwise.c"
#include "each_isa.h"

#else
#include "vector_math.h"

// Runs the expression, in x, over every vector of every row.
#define KN_EACH(EXPRESSION)                                                                        \
  for (size_t i = 0; i < rows; i++, x_row += ld_x, y_row += ld_y) {                                \
    size_t j = 0;                                                                                  \
    for (; j + KN_LANES <= columns; j += KN_LANES) {                                               \
      const vf x = v_load(x_row + j);                                                              \
      v_store(y_row + j, (EXPRESSION));                                                            \
    }                                                                                              \
    if (j < columns) {                                                                             \
      const vf x = v_load_n(x_row + j, columns - j);                                               \
      v_store_n(y_row + j, (EXPRESSION), columns - j);                                             \
    }                                                                                              \
  }                                                                                                \
  return

KN_TARGET void KN_NAME(kn_map_f32)(
    int op, const float *x_row, size_t ld_x, float *y_row, size_t ld_y, size_t rows, size_t columns,
    float p0, float p1) {
  const vf zero = v_splat(0), one = v_splat(1), a = v_splat(p0), b = v_splat(p1);
  switch (op) {
  case KN_U_EXP: KN_EACH(v_exp(x));
  case KN_U_ERF: KN_EACH(v_erf(x));
  case KN_U_TANH: KN_EACH(v_tanh(x));
  case KN_U_SIGMOID: KN_EACH(v_sigmoid(x));
  case KN_U_GELU: KN_EACH(v_gelu(x));
  case KN_U_GELU_TANH: KN_EACH(v_gelu_tanh(x));
  case KN_U_SILU: KN_EACH(x * v_sigmoid(x));
  case KN_U_RELU: KN_EACH(v_select(x < zero, zero, x));
  case KN_U_CLIP: KN_EACH(v_clip(x, a, b));
  case KN_U_LEAKY_RELU: KN_EACH(v_select(x < zero, a * x, x));
  case KN_U_HARD_SWISH: KN_EACH(x * v_clip(v_fma(x, v_splat(1.0f / 6), v_splat(0.5f)), zero, one));
  case KN_U_HARD_SIGMOID: KN_EACH(v_clip(v_fma(a, x, b), zero, one));
  case KN_U_SQRT: KN_EACH(v_sqrt(x));
  case KN_U_ABS: KN_EACH(v_abs(x));
  case KN_U_NEG: KN_EACH(-x);
  case KN_U_RECIPROCAL: KN_EACH(1.0f / x);
  case KN_U_AFFINE: KN_EACH(v_fma(a, x, b));
  case KN_U_LOG: KN_EACH(v_log(x));
  case KN_U_FLOOR: KN_EACH(v_floor(x));
  case KN_U_CEIL: KN_EACH(v_ceil(x));
  case KN_U_ROUND: KN_EACH(v_round(x));
  }
  __builtin_trap();
}
#undef KN_EACH

KN_TARGET void KN_NAME(kn_unary_f32)(
    int op, const float *x, float *y, size_t count, float p0, float p1) {
  KN_NAME(kn_map_f32)(op, x, 0, y, 0, 1, count, p0, p1);
}

// y = EXPRESSION in a and b, for either way of walking the operands.
#define KN_WALK(LOAD_A, LOAD_B, LAST_A, LAST_B, EXPRESSION)                                        \
  do {                                                                                             \
    size_t i = 0;                                                                                  \
    for (; i + KN_LANES <= count; i += KN_LANES) {                                                 \
      const vf a = (LOAD_A), b = (LOAD_B);                                                         \
      v_store(y + i, (EXPRESSION));                                                                \
    }                                                                                              \
    if (i < count) {                                                                               \
      const size_t rest = count - i;                                                               \
      const vf a = (LAST_A), b = (LAST_B);                                                         \
      v_store_n(y + i, (EXPRESSION), rest);                                                        \
    }                                                                                              \
  } while (0)
#define KN_EACH(EXPRESSION)                                                                        \
  if (operands == KN_BOTH)                                                                         \
    KN_WALK(                                                                                       \
        v_load(a_from + i), v_load(b_from + i), v_load_n(a_from + i, rest),                        \
        v_load_n(b_from + i, rest), EXPRESSION);                                                   \
  else if (operands == KN_A_SCALAR)                                                                \
    KN_WALK(one_a, v_load(b_from + i), one_a, v_load_n(b_from + i, rest), EXPRESSION);             \
  else                                                                                             \
    KN_WALK(v_load(a_from + i), one_b, v_load_n(a_from + i, rest), one_b, EXPRESSION);             \
  return

KN_TARGET void KN_NAME(kn_binary_f32)(
    int op, int operands, const float *a_from, const float *b_from, float *y, size_t count) {
  if (count == 0) return;
  const vf one_a = v_splat(a_from[0]), one_b = v_splat(b_from[0]);
  switch (op) {
  case KN_B_ADD: KN_EACH(a + b);
  case KN_B_SUB: KN_EACH(a - b);
  case KN_B_MUL: KN_EACH(a * b);
  case KN_B_DIV: KN_EACH(a / b);
  case KN_B_MAX: KN_EACH(v_select((a > b) | (a != a), a, b));
  case KN_B_MIN: KN_EACH(v_select((a < b) | (a != a), a, b));
  }
  __builtin_trap();
}
#undef KN_EACH
#undef KN_WALK
#endif
