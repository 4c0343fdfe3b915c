// Operators cut into parts that a thread pool runs: each `_job` does part `part` of `parts`.
// All take a pointer to their own argument struct and touch nothing else.
#pragma once
#include "kernels.h"

// gemm over B decoded from f16, bf16 or blocks, two panels at a time.
typedef struct kn_matmul {
  const kn_kernels *kernels;
  kn_gemm gemm;         // .b is unused
  int scheme;           // kn_scheme of `weights`
  const void *weights;  // f16 or bf16 panels, or n rows of blocks
  float *scratch;       // parts * 2 * KN_PANEL * k floats
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
// y = what quantize_f32 makes of x.
typedef struct kn_quantize_values {
  const kn_kernels *kernels;
  const float *x;
  void *y;
  size_t count;
  float factor;
  int divides;
  int32_t zero;
  int type;  // kn_integer: of y
} kn_quantize_values;
void kn_quantize_values_job(void *arguments, size_t part, size_t parts);

// Convolution. Per image and group a product of the weight rows [outputs, k] with the im2col matrix
// [k, out_h * out_w], k = window.channels * kernel_h * kernel_w, made some panels at a time in
// scratch.
typedef struct kn_conv {
  const kn_kernels *kernels;
  kn_im2col window;            // .channels: of one group; .x unused
  const float *x;              // [batch, groups * channels, height, width]
  float *y;                    // [batch, groups * outputs, out_h, out_w]
  const void *weights;         // groups * outputs rows of k, stored as `scheme` says
  int scheme;                  // kn_scheme
  const float *weight_scales;  // KN_INT8: one per row
  const float *bias;           // one per row, or null
  size_t batch, groups, outputs;  // outputs: of one group
  float p0, p1;
  int activation;
  size_t chunk_panels;  // panels of the im2col matrix made at a time
  size_t row_cuts;      // rows of a product are shared out in so many cuts
  size_t row_block;     // f16, bf16, blocks: weight rows decoded at a time
  char *scratch;        // parts * kn_conv_scratch bytes, 64-byte aligned
} kn_conv;
// Scratch bytes of one part, a multiple of 64; reads window, scheme, chunk_panels and row_block.
size_t kn_conv_scratch(const kn_conv *c);
void kn_conv_job(void *arguments, size_t part, size_t parts);
// The same for one channel per group, channel by channel; scratch: parts * kn_depthwise_scratch bytes,
// which reads window.
size_t kn_depthwise_scratch(const kn_conv *c);
void kn_depthwise_job(void *arguments, size_t part, size_t parts);

// `planes` images.
typedef struct kn_pooling_run {
  const kn_kernels *kernels;
  kn_pooling pooling;
  size_t planes;
} kn_pooling_run;
void kn_pooling_job(void *arguments, size_t part, size_t parts);

// Row r of [rows, width] becomes x * scale[r % channels] + bias[r % channels]; y may be x, scale or
// bias null. With group_width > 0, every group_width elements are first normalised to mean 0 and
// variance 1 (a multiple of width; parts then cut whole groups).
typedef struct kn_channels {
  const kn_kernels *kernels;
  const float *x;
  float *y;
  const float *scale, *bias;
  size_t rows, width, channels, group_width;
  float epsilon;
} kn_channels;
void kn_channels_job(void *arguments, size_t part, size_t parts);

// Transposed convolution: every input adds its multiple of the kernel to the output.
typedef struct kn_conv_transpose {
  const float *x;        // [batch, groups * channels, height, width]
  const float *weights;  // [groups * channels, outputs, kernel_h, kernel_w]
  const float *bias;     // [groups * outputs], or null
  float *y;              // [batch, groups * outputs, out_h, out_w]
  size_t batch, groups, channels, outputs;  // channels and outputs of one group
  size_t height, width, kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
  size_t pad_top, pad_left, out_h, out_w;
} kn_conv_transpose;
void kn_conv_transpose_job(void *arguments, size_t part, size_t parts);

// A node of a decision tree. Word, from bit 0 on: 2 bits of mode (0 x <= value, 1 x == value, 2 x in
// the set at `value`, 3 leaf), 1 bit: a missing x goes left, 13 bits of feature, 16 bits: how far
// behind this node its left child stands. The right child stands behind the left one. A leaf's word
// is 3; its value is its weight, or its row in `leaves`. Part of the bundle format.
typedef struct kn_tree_node { uint32_t word, value; } kn_tree_node;
enum { KN_TREE_FEATURE_SHIFT = 3, KN_TREE_FEATURE_MASK = 0x1fff, KN_TREE_CHILD_SHIFT = 16 };
// The same for doubles, more features and larger trees: bit 3 takes zeros for missing, the feature
// takes the bits from 4 on.
typedef struct kn_wide_tree_node { uint32_t word, child; uint64_t value; } kn_wide_tree_node;
enum { KN_WIDE_TREE_FEATURE_SHIFT = 4 };

// What trees do to each other's values. Raw values are part of the bundle format.
typedef enum kn_trees_aggregate { KN_TREES_SUM = 0, KN_TREES_MIN = 1, KN_TREES_MAX = 2 } kn_trees_aggregate;

// y = aggregate over the trees of the leaves that rows of x reach / divisor + base.
typedef struct kn_trees {
  const void *x;         // [rows, features], f32; with wide nodes also f64
  void *y;               // [rows, targets], f32 or f64
  const void *nodes;     // kn_tree_node or kn_wide_tree_node
  const int32_t *trees;  // [tree_count, 2]: first node, target of its leaves
  const void *leaves;    // [.., targets], f32 or with wide nodes f64; null: the nodes hold weights
  const uint32_t *sets;  // each: kind << 30 | count; bits, or numbers where kind is 2
  const void *base;      // [targets], f32 or with wide nodes f64; or null
  double divisor;
  size_t rows, features, targets, tree_count, block_rows, sums_per_part;
  int is_wide, x_is_double, y_is_double;
  int aggregate;    // kn_trees_aggregate
  double *scratch;  // parts * sums_per_part; each at least block_rows * targets
} kn_trees;
void kn_trees_job(void *arguments, size_t part, size_t parts);
// Integer convolution, channels last: per image and group a product of rows of bytes under the window
// with int8 panels, requantized. A product is one with a window of 1.
typedef struct kn_integer_conv {
  const kn_kernels *kernels;
  kn_im2col window;       // .channels: of one group; .x unused
  const uint8_t *x;       // [images, height, width, groups * channels]; signed after ^ flip
  uint8_t flip;           // 0x80 or 0
  const int32_t *x_zeros; // of the signed bytes; padding is filled with it
  size_t zero_image_step, zero_row_step;  // from image to image, from pixel to pixel: 0 or more
  const int8_t *panels;   // groups (or images) matrices of ceil(outputs / 16) panels
  int panels_per_image;
  kn_requantize to;       // tables of groups (or images) * outputs columns
  char *y;                // [images, out_h, out_w, groups * outputs]
  size_t images, groups, outputs;  // outputs: of one group
  size_t row_block;       // pixels done at a time
  size_t column_cuts;
  char *scratch;          // parts * kn_integer_conv_scratch bytes, 64-byte aligned
} kn_integer_conv;
// Scratch bytes of one part, a multiple of 64; reads window, outputs, row_block and column_cuts.
size_t kn_integer_conv_scratch(const kn_integer_conv *c);
void kn_integer_conv_job(void *arguments, size_t part, size_t parts);

// Integer depthwise convolution of whole images.
typedef struct kn_integer_depthwise {
  const kn_kernels *kernels;
  kn_depthwise_i8 row;  // .x: of image 0
  char *y;
  size_t images, out_h;
} kn_integer_depthwise;
void kn_integer_depthwise_job(void *arguments, size_t part, size_t parts);
