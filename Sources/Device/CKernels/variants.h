// Every variant of every kernel by name, and the macros that name them: kn_<kernel>_<types>__<isa>.
#pragma once
#include "include/kernels.h"

#define KN_PASTE2(name, isa) name##__##isa
#define KN_PASTE(name, isa) KN_PASTE2(name, isa)
// The name of a function or type of the instruction set that is being compiled.
#define KN_NAME(name) KN_PASTE(name, KN_ISA)

#define KN_INLINE static inline __attribute__((always_inline))

// kn_map_f32: y[i, j] = op(x[i, j]), the body of unary_f32 and the activation of a finished tile.
// In place is allowed; ld_x and ld_y are elements from row to row.
#define KN_DECLARE_VARIANTS(ISA)                                                                   \
  void kn_gemm_f32__##ISA(const kn_gemm *, size_t, size_t, size_t, size_t);                        \
  void kn_gemm_i8__##ISA(const kn_gemm *, size_t, size_t, size_t, size_t);                         \
  void kn_requantize__##ISA(                                                                       \
      const kn_requantize *, const int32_t *, size_t, size_t, int32_t, int32_t, void *);           \
  void kn_depthwise_i8__##ISA(const kn_depthwise_i8 *, size_t, void *);                            \
  float kn_dot_f32__##ISA(const float *, const float *, size_t);                                   \
  int32_t kn_dot_i8__##ISA(const int8_t *, const int8_t *, size_t);                                \
  void kn_decode_panel_f16__##ISA(const uint16_t *, float *, size_t);                              \
  void kn_decode_panel_bf16__##ISA(const uint16_t *, float *, size_t);                             \
  void kn_decode_panel_blocks__##ISA(int, const void *, size_t, size_t, float *, size_t);           \
  void kn_decode_f16__##ISA(const uint16_t *, float *, size_t);                                    \
  void kn_decode_bf16__##ISA(const uint16_t *, float *, size_t);                                   \
  void kn_decode_blocks__##ISA(int, const void *, float *, size_t);                                \
  void kn_decode_i8__##ISA(const int8_t *, float, float *, size_t);                                \
  void kn_encode_f16__##ISA(const float *, uint16_t *, size_t);                                    \
  void kn_pack_f32__##ISA(const float *, size_t, size_t, size_t, size_t, float *);                 \
  void kn_quantize_rows_i8__##ISA(                                                                 \
      const float *, size_t, size_t, size_t, int8_t *, size_t, float *);                           \
  void kn_quantize_panels_i8__##ISA(const float *, size_t, size_t, int8_t *, float *);             \
  void kn_quantize_f32__##ISA(const float *, void *, size_t, float, int, int32_t, int);            \
  void kn_quantize_away_i8__##ISA(const float *, int8_t *, size_t, float, float, int32_t);         \
  void kn_range_f32__##ISA(const float *, size_t, float *, float *);                               \
  void kn_im2col_f32__##ISA(const kn_im2col *, float *, size_t, size_t);                           \
  void kn_depthwise_f32__##ISA(const kn_depthwise *);                                              \
  void kn_pooling_f32__##ISA(const kn_pooling *, size_t, size_t);                                  \
  void kn_unary_f32__##ISA(int, const float *, float *, size_t, float, float);                     \
  void kn_map_f32__##ISA(                                                                          \
      int, const float *, size_t, float *, size_t, size_t, size_t, float, float);                  \
  void kn_binary_f32__##ISA(int, int, const float *, const float *, float *, size_t);              \
  void kn_softmax_f32__##ISA(const float *, float *, size_t, size_t, int);                         \
  void kn_layer_norm_f32__##ISA(                                                                   \
      const float *, const float *, const float *, const float *, float *, float *, size_t,        \
      size_t, float);                                                                              \
  float kn_sum_f32__##ISA(const float *, size_t);                                                  \
  float kn_max_f32__##ISA(const float *, size_t)

KN_DECLARE_VARIANTS(scalar);
KN_DECLARE_VARIANTS(avx2);
KN_DECLARE_VARIANTS(avx2_vnni);
KN_DECLARE_VARIANTS(avx512);
KN_DECLARE_VARIANTS(avx512_vnni);
KN_DECLARE_VARIANTS(neon);
KN_DECLARE_VARIANTS(neon_dotprod);

// The kn_unary that computes a kn_activation; -1 for KN_LINEAR.
KN_INLINE int kn_unary_of_activation(int activation) {
  static const signed char unary[] = {
      [KN_LINEAR] = -1,
      [KN_RELU] = KN_U_RELU,
      [KN_CLIP] = KN_U_CLIP,
      [KN_SIGMOID] = KN_U_SIGMOID,
      [KN_TANH] = KN_U_TANH,
      [KN_GELU] = KN_U_GELU,
      [KN_GELU_TANH] = KN_U_GELU_TANH,
      [KN_SILU] = KN_U_SILU,
      [KN_LEAKY_RELU] = KN_U_LEAKY_RELU,
      [KN_HARD_SWISH] = KN_U_HARD_SWISH,
      [KN_HARD_SIGMOID] = KN_U_HARD_SIGMOID,
  };
  return unary[activation];
}
