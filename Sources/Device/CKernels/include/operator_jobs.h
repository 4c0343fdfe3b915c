// Operators cut into parts that a thread pool runs: each `_job` does part `part` of `parts`.
// All take a pointer to their own argument struct and touch nothing else.
#pragma once
#include "kernels.h"

// gemm over B given as f32 panels, or decoded from f16, bf16 or Q4_0 two panels at a time.
typedef struct kn_matmul {
  const kn_kernels *kernels;
  kn_gemm gemm;         // .b: f32 panels when scheme is KN_F32, else unused
  int scheme;           // kn_scheme of `weights`; KN_INT8: gemm is an int8 product
  const void *weights;  // f16, bf16 panels or n rows of Q4_0 blocks
  float *scratch;       // parts * 2 * KN_PANEL * k floats; unused for KN_F32 and KN_INT8
} kn_matmul;
void kn_matmul_job(void *arguments, size_t part, size_t parts);

// Rows of x [rows, k] to int8 codes and scales.
typedef struct kn_quantize {
  const kn_kernels *kernels;
  const float *x;
  size_t ld_x, rows, k;
  int8_t *codes;
  size_t ld_codes;
  float *scales;
} kn_quantize;
void kn_quantize_job(void *arguments, size_t part, size_t parts);

// softmax(scale * Q K^T + mask) V, head by head. Element (b, s, h, i) of q stands at
// q[(b * q_length + s) * q_stride + h * head_width + i]; likewise k, v and y.
typedef struct kn_attention {
  const kn_kernels *kernels;
  const float *q, *k, *v;
  float *y;
  size_t batch, heads, q_length, k_length, head_width, value_width;
  size_t q_stride, k_stride, v_stride, y_stride;
  float scale;
  const float *mask;  // added to the scores; null without. Strides of 0 broadcast.
  size_t mask_batch, mask_head, mask_row, mask_column;
  float *scratch;     // parts * kn_attention_scratch floats
} kn_attention;
size_t kn_attention_scratch(size_t k_length, size_t head_width, size_t value_width);
void kn_attention_job(void *arguments, size_t part, size_t parts);

// Rows of softmax or layer normalisation.
typedef struct kn_rows {
  const kn_kernels *kernels;
  const float *x, *residual, *scale, *bias;
  float *sum, *y;
  size_t rows, width;
  float epsilon;
  int log;
} kn_rows;
void kn_softmax_job(void *arguments, size_t part, size_t parts);
void kn_layer_norm_job(void *arguments, size_t part, size_t parts);

// y = f(x) over a flat array.
typedef struct kn_map {
  const kn_kernels *kernels;
  const float *x;
  float *y;
  size_t count;
  int op;
  float p0, p1;
} kn_map;
void kn_unary_job(void *arguments, size_t part, size_t parts);
