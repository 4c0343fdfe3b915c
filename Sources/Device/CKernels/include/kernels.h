// The micro-kernels: C for one CPU feature set each, chosen at run time (kn_kernel_sets).
//
// Units: `count`, `m`, `n`, `k`, strides and `ld` are elements, never bytes. Pointers may be
// unaligned unless a comment says otherwise; nothing aliases unless it says so. Every kernel is a
// function of its arguments only: no state, no allocation, no errno.
//
// Panels. The right-hand side B of every matrix product, logically [k, n], is stored as
// ceil(n / 16) panels of 16 columns; a panel is k rows of 16 consecutive elements, columns past n
// are zero. So the element (p, j) of an f32 panel matrix is at ((j / 16) * k + p) * 16 + j % 16.
// An int8 panel keeps four consecutive p together: ((j / 16) * k4 + p / 4) * 64 + (j % 16) * 4 + p % 4,
// with k4 = ceil(k / 4), elements past k zero.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define KN_PANEL 16
#define KN_BLOCK 32

// Element types that a weight is decoded from. Values are part of the bundle format.
typedef enum kn_scheme {
  KN_F32 = 1, KN_F16 = 2, KN_BF16 = 3, KN_INT8 = 4, KN_IQ4_NL = 5,
  KN_NL2 = 6, KN_NL3 = 7, KN_NL4 = 8, KN_NL5 = 9, KN_NL6 = 10,
} kn_scheme;

// One block of 32 weights: an f16 scale, then codes of `bits` bits, 2 + 4 * bits bytes in all.
// w[i] = scale * table[code[i]], 2^bits values that lie closer together near zero, where weights are
// many. The scale's low bits, as many as kn_block_table_bits says, pick the block's table, and are part
// of the scale all the same: what they change of it is less than what choosing a table gains.
//
// Codes stand in fields of 4, 2 and 1 bits, each width at most once as the bits have them, the fields of
// the lowest bits first: 32 fields of `width` bits are 4 * width bytes, field i in byte i % (4 * width),
// i / (4 * width) fields up. So IQ4_NL, which is GGML's, has weight i in the low nibble of byte i and
// weight i + 16 in the high one.
static inline size_t kn_block_bytes(int bits) { return 2 + 4 * (size_t)bits; }
// Bits of a code; 0 where the scheme has no blocks.
int kn_block_bits(int scheme);
int kn_block_table_bits(int scheme);
// What a code stands for in a block with this scale; 0 where the scheme has no blocks.
int8_t kn_block_value(int scheme, uint16_t scale, int code);

// What happens to an accumulator before it is stored: bias, then activation.
typedef enum kn_activation {
  KN_LINEAR = 0, KN_RELU = 1, KN_CLIP = 2 /* [p0, p1] */, KN_SIGMOID = 3, KN_TANH = 4,
  KN_GELU = 5 /* x/2 (1 + erf(x/sqrt 2)) */, KN_GELU_TANH = 6, KN_SILU = 7, KN_LEAKY_RELU = 8 /* p0 */,
  KN_HARD_SWISH = 9, KN_HARD_SIGMOID = 10 /* clip(p0 x + p1, 0, 1) */,
} kn_activation;

typedef enum kn_bias { KN_BIAS_NONE = 0, KN_BIAS_COLUMN = 1, KN_BIAS_ROW = 2 } kn_bias;

// C[m, n] = activation(alpha * A[m, k] B[k, n] + bias (+ C, when accumulate)). C overlaps no operand.
// With k == 0 the product is zero. Codes of int8 operands are in [-127, 127] (with -128 in B sums are
// wrong on some sets, and no worse), and their sums exact while they fit 32 bits: k up to 133,000.
typedef struct kn_gemm {
  const void *a;       // f32 [m, lda], or int8 [m, lda] with lda a multiple of 4, padding zero
  size_t lda;
  const void *b;       // panels, f32 or int8
  float *c;            // [m, ldc]
  size_t ldc;
  size_t m, n, k;
  const float *a_scales;  // int8: one per row of A;    real = a_scales[i] * b_scales[j] * integer sum
  const float *b_scales;  // int8: one per column of B, ceil(n / 16) * 16 readable
  const float *bias;      // per column or per row as bias_axis says; null with KN_BIAS_NONE
  float alpha;
  float p0, p1;
  int bias_axis;          // kn_bias
  int activation;         // kn_activation
  int accumulate;         // adds what C holds before bias and activation
  // gemm_i8: where not null, [m, ldc] gets the integer sums instead of C; scales, bias and activation
  // are not read and codes may be any byte. Exact for k up to 65,536.
  int32_t *sums;
} kn_gemm;

// Elementwise, f32. KN_U_* take y = f(x); in place (y == x) is allowed. NaN gives NaN.
typedef enum kn_unary {
  KN_U_EXP = 0, KN_U_ERF = 1, KN_U_TANH = 2, KN_U_SIGMOID = 3, KN_U_GELU = 4, KN_U_GELU_TANH = 5,
  KN_U_SILU = 6, KN_U_RELU = 7, KN_U_CLIP = 8 /* p0, p1 */, KN_U_LEAKY_RELU = 9 /* p0 */,
  KN_U_HARD_SWISH = 10, KN_U_HARD_SIGMOID = 11 /* p0, p1 */, KN_U_SQRT = 12, KN_U_ABS = 13,
  KN_U_NEG = 14, KN_U_RECIPROCAL = 15, KN_U_AFFINE = 16 /* p0 x + p1 */, KN_U_LOG = 17,
  KN_U_FLOOR = 18, KN_U_CEIL = 19, KN_U_ROUND = 20 /* ties to even */,
  KN_U_COUNT = 21,
} kn_unary;

typedef enum kn_binary {
  KN_B_ADD = 0, KN_B_SUB = 1, KN_B_MUL = 2, KN_B_DIV = 3,
  KN_B_MAX = 4, KN_B_MIN = 5 /* NaN where either is */, KN_B_COUNT = 6,
} kn_binary;

// How the operands of a binary kernel advance: together, or one of them not at all. y may be an operand
// that advances.
typedef enum kn_operand { KN_BOTH = 0, KN_A_SCALAR = 1, KN_B_SCALAR = 2 } kn_operand;

// im2col for 2-D convolution: panels of the [channels * kernel_h * kernel_w, out_h * out_w] matrix.
typedef struct kn_im2col {
  const float *x;  // [channels, height, width], one image and group
  size_t channels, height, width, kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
  size_t pad_top, pad_left, out_h, out_w;
} kn_im2col;

// Depthwise convolution of one channel: y[out_h, out_w] = activation(x * w + bias).
typedef struct kn_depthwise {
  const float *x;  // [height, width]
  const float *w;  // [kernel_h, kernel_w]
  float *y;
  size_t height, width, kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
  size_t pad_top, pad_left, out_h, out_w;
  float bias, p0, p1;
  int activation;
} kn_depthwise;
enum { KN_DEPTHWISE_NEAR_TAPS = 49 };  // weights of a channel up to so many are copied to the stack

// Pooling of images [height, width]. Raw values of kn_pooling_kind are part of the bundle format.
typedef enum kn_pooling_kind {
  KN_POOL_MAX = 0, KN_POOL_AVERAGE = 1, KN_POOL_LP = 2,
} kn_pooling_kind;
typedef struct kn_pooling {
  const float *x;
  float *y;  // [out_h, out_w] of each
  size_t height, width, kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
  size_t pad_top, pad_left, pad_bottom, pad_right, out_h, out_w;
  int kind;         // kn_pooling_kind
  int include_pad;  // average: padding counts as zeros
  float p;          // LP: the exponent
} kn_pooling;

// From integer sums to the integers that stand for real numbers:
// v = sum + base[j] - x_zero colsum[j] - row_sum w_zero[j], y = clamp(round(v scale[j]) + y_zero).
typedef enum kn_rounding {
  KN_ROUND_FLOAT = 0,   // v * scales[j] in f32, ties to even
  // Fixed point: v 2^shift m / 2^31 with m = multipliers[2 j], shift = multipliers[2 j + 1].
  KN_ROUND_DOUBLE = 1,  // rounded to 31 bits (ties up), then after the right shift (ties away from 0)
  KN_ROUND_SINGLE = 2,  // rounded once (ties up)
  KN_ROUND_NONE = 3,    // y = v
} kn_rounding;
typedef enum kn_integer { KN_I8 = 0, KN_U8 = 1, KN_I16 = 2, KN_I32 = 3 } kn_integer;
typedef struct kn_requantize {
  const int32_t *base;
  const int32_t *column_sums;  // null: x_zero is in base already
  const int32_t *w_zeros;      // null: zero
  const float *scales;
  const int32_t *multipliers;
  int32_t y_zero, low, high;   // low <= y <= high, within the type of y
  int rounding;                // kn_rounding
  int type;                    // kn_integer: of y
} kn_requantize;

// Integer depthwise convolution of one output row, channels last, as many outputs as channels.
typedef struct kn_depthwise_i8 {
  const uint8_t *x;  // [height, width, channels]; bytes are signed after ^ flip
  const float *w;    // [kernel_h, kernel_w, channels], zero points taken off; |w| <= 255
  size_t height, width, channels, kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
  size_t pad_top, pad_left, out_w;
  uint8_t flip;      // 0x80 for unsigned bytes, else 0
  int32_t x_zero;    // of the signed bytes
  kn_requantize to;  // .base: the bias; .column_sums and .w_zeros null
} kn_depthwise_i8;

// The functions of one CPU feature set. kn_kernel_sets lists every set compiled in, scalar first;
// kn_kernel_set_supported says which of them this CPU runs.
typedef struct kn_kernels {
  const char *name;  // "scalar", "avx2", "avx2-vnni", "avx512", "avx512-vnni", "neon", "neon-dotprod"

  // Rows [row0, row1) of panels [panel0, panel1) of a product; callers cut the work this way. What
  // an element becomes does not depend on the cut.
  void (*gemm_f32)(const kn_gemm *g, size_t row0, size_t row1, size_t panel0, size_t panel1);
  void (*gemm_i8)(const kn_gemm *g, size_t row0, size_t row1, size_t panel0, size_t panel1);
  // y[j] for columns [column, column + count): sums and y start at `column`, all else at 0.
  void (*requantize)(
      const kn_requantize *q, const int32_t *sums, size_t column, size_t count, int32_t x_zero,
      int32_t row_sum, void *y);
  // Output row `row`; sums are exact for up to 256 taps.
  void (*depthwise_i8)(const kn_depthwise_i8 *d, size_t row, void *y);
  // Σ a[i] b[i].
  float (*dot_f32)(const float *a, const float *b, size_t count);
  int32_t (*dot_i8)(const int8_t *a, const int8_t *b, size_t count);

  // One f32 panel (k rows of 16) decoded from one panel of f16 or bf16 elements.
  void (*decode_panel_f16)(const uint16_t *panel, float *out, size_t k);
  void (*decode_panel_bf16)(const uint16_t *panel, float *out, size_t k);
  // One f32 panel from `columns` (<= 16) rows of blocks of a scheme, `row_blocks` blocks apart; row j
  // of blocks is column j of the panel; columns past `columns` become zero.
  void (*decode_panel_blocks)(
      int scheme, const void *rows, size_t row_blocks, size_t columns, float *out, size_t k);
  // Plain rows.
  void (*decode_f16)(const uint16_t *x, float *y, size_t count);
  void (*decode_bf16)(const uint16_t *x, float *y, size_t count);
  void (*decode_blocks)(int scheme, const void *x, float *y, size_t count);
  void (*decode_i8)(const int8_t *x, float scale, float *y, size_t count);
  void (*encode_f16)(const float *x, uint16_t *y, size_t count);   // round to nearest even

  // Panels of B[p, j] = x[p * row_stride + j * column_stride], p < k, j < n.
  void (*pack_f32)(const float *x, size_t row_stride, size_t column_stride, size_t k, size_t n, float *panels);
  // Symmetric int8: q = round(x / scale), scale = max |x| / 127 of the row. Zero scale and codes for a
  // row whose |x| are all below 2^-120; a row with a NaN or infinity has that as scale and codes 0.
  // Rows of y are ld_y elements apart, ld_y >= k rounded up to 4, padding written as zero.
  void (*quantize_rows_i8)(
      const float *x, size_t ld_x, size_t rows, size_t k, int8_t *y, size_t ld_y, float *scales);
  // clamp(round(x[i] factor) + zero), or round(x[i] / factor) where `divides`; ties to even, NaN gives
  // the zero point. type: KN_I8, KN_U8 or KN_I16.
  void (*quantize_f32)(
      const float *x, void *y, size_t count, float factor, int divides, int32_t zero, int type);
  // clamp(round(zero + x[i] factor)) of low … 127, ties away from zero; NaN gives round(zero).
  void (*quantize_away_i8)(
      const float *x, int8_t *y, size_t count, float factor, float zero, int32_t low);
  // The least and the greatest of x and 0. NaN counts for nothing.
  void (*range_f32)(const float *x, size_t count, float *low, float *high);
  // f32 panels (as pack_f32 or im2col write them) to int8 panels, one scale per column, those that pad
  // the last panel included.
  void (*quantize_panels_i8)(const float *panels, size_t k, size_t n, int8_t *out, float *scales);
  // Panels [panel0, panel1) of an im2col matrix; `out` is where panel 0 would start.
  void (*im2col_f32)(const kn_im2col *c, float *out, size_t panel0, size_t panel1);
  void (*depthwise_f32)(const kn_depthwise *c);
  // Images [plane0, plane1). NaN never is a maximum.
  void (*pooling_f32)(const kn_pooling *c, size_t plane0, size_t plane1);

  void (*unary_f32)(int op /* kn_unary */, const float *x, float *y, size_t count, float p0, float p1);
  void (*binary_f32)(
      int op /* kn_binary */, int operands /* kn_operand */, const float *a, const float *b, float *y,
      size_t count);
  // Softmax of each row of x [rows, width], y may be x. log: logarithm of it instead. -infinity gets 0;
  // a row of nothing else, or with a NaN or +infinity in it, becomes NaN, as in PyTorch.
  void (*softmax_f32)(const float *x, float *y, size_t rows, size_t width, int log);
  // y = (x (+ residual) - mean) / sqrt(variance + epsilon) * scale + bias, row by row. residual, scale
  // and bias may be null. y may be x. The sum x + residual is also stored to `sum` where not null.
  void (*layer_norm_f32)(
      const float *x, const float *residual, const float *scale, const float *bias, float *sum, float *y,
      size_t rows, size_t width, float epsilon);
  float (*sum_f32)(const float *x, size_t count);
  float (*max_f32)(const float *x, size_t count);  // count >= 1; NaN wins
} kn_kernels;

extern const kn_kernels *const kn_kernel_sets[];
extern const size_t kn_kernel_set_count;
// kn_kernel_sets[index] for callers that cannot see the array; null from kn_kernel_set_count on.
const kn_kernels *kn_kernel_set(size_t index);
int kn_kernel_set_supported(size_t index);

// A product cut into `parts` parts for a thread pool: the jobs take a kn_gemm_work and do part `part`.
// Parts may run at the same time, each exactly once; C does not depend on how many there are.
typedef struct kn_gemm_work {
  const kn_kernels *kernels;
  const kn_gemm *gemm;
  size_t row_parts, panel_parts;  // parts == row_parts * panel_parts
} kn_gemm_work;
void kn_gemm_f32_job(void *work, size_t part, size_t parts);
void kn_gemm_i8_job(void *work, size_t part, size_t parts);
// Sets row_parts and panel_parts for a number of threads: several parts for each, none of them too
// small to be worth handing over; 1 and 1 for a small product. Returns the number of parts.
size_t kn_gemm_split(kn_gemm_work *work, size_t threads);

// Single conversions, the definition of the ones above.
float kn_f16_to_f32(uint16_t h);
uint16_t kn_f32_to_f16(float f);
