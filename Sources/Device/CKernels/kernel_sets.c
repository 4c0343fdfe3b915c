// The table of kernels of every instruction set, and which of them this CPU runs.
#include "variants.h"
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

// ISA for all but the int8 products: instructions for those come and go by themselves.
#define KN_TABLE(NAME, ISA, INT8)                                                                  \
  {                                                                                                \
      .name = NAME,                                                                                \
      .gemm_f32 = kn_gemm_f32__##ISA,                                                              \
      .gemm_i8 = kn_gemm_i8__##INT8,                                                               \
      .requantize = kn_requantize__##ISA,                                                          \
      .depthwise_i8 = kn_depthwise_i8__##ISA,                                                      \
      .dot_f32 = kn_dot_f32__##ISA,                                                                \
      .dot_i8 = kn_dot_i8__##INT8,                                                                 \
      .decode_panel_f16 = kn_decode_panel_f16__##ISA,                                              \
      .decode_panel_bf16 = kn_decode_panel_bf16__##ISA,                                            \
      .decode_panel_blocks = kn_decode_panel_blocks__##ISA,                                        \
      .decode_f16 = kn_decode_f16__##ISA,                                                          \
      .decode_bf16 = kn_decode_bf16__##ISA,                                                        \
      .decode_blocks = kn_decode_blocks__##ISA,                                                    \
      .decode_i8 = kn_decode_i8__##ISA,                                                            \
      .encode_f16 = kn_encode_f16__##ISA,                                                          \
      .pack_f32 = kn_pack_f32__##ISA,                                                              \
      .quantize_rows_i8 = kn_quantize_rows_i8__##ISA,                                              \
      .quantize_panels_i8 = kn_quantize_panels_i8__##ISA,                                          \
      .quantize_f32 = kn_quantize_f32__##ISA,                                                      \
      .quantize_away_i8 = kn_quantize_away_i8__##ISA,                                              \
      .range_f32 = kn_range_f32__##ISA,                                                            \
      .im2col_f32 = kn_im2col_f32__##ISA,                                                           \
      .depthwise_f32 = kn_depthwise_f32__##ISA,                                                    \
      .pooling_f32 = kn_pooling_f32__##ISA,                                                        \
      .unary_f32 = kn_unary_f32__##ISA,                                                            \
      .binary_f32 = kn_binary_f32__##ISA,                                                          \
      .softmax_f32 = kn_softmax_f32__##ISA,                                                        \
      .layer_norm_f32 = kn_layer_norm_f32__##ISA,                                                  \
      .sum_f32 = kn_sum_f32__##ISA,                                                                \
      .max_f32 = kn_max_f32__##ISA,                                                                \
  }

static const kn_kernels scalar = KN_TABLE("scalar", scalar, scalar);
#if defined(__x86_64__)
static const kn_kernels avx2 = KN_TABLE("avx2", avx2, avx2);
static const kn_kernels avx2_vnni = KN_TABLE("avx2-vnni", avx2, avx2_vnni);
static const kn_kernels avx512 = KN_TABLE("avx512", avx512, avx2);
static const kn_kernels avx512_vnni = KN_TABLE("avx512-vnni", avx512, avx512_vnni);
const kn_kernels *const kn_kernel_sets[] = {
    &scalar, &avx2, &avx2_vnni, &avx512, &avx512_vnni};
#elif defined(__aarch64__)
static const kn_kernels neon = KN_TABLE("neon", neon, neon);
static const kn_kernels neon_dotprod = KN_TABLE("neon-dotprod", neon, neon_dotprod);
const kn_kernels *const kn_kernel_sets[] = {&scalar, &neon, &neon_dotprod};
#else
const kn_kernels *const kn_kernel_sets[] = {&scalar};
#endif
const size_t kn_kernel_set_count = sizeof kn_kernel_sets / sizeof kn_kernel_sets[0];

const kn_kernels *kn_kernel_set(size_t index) {
  return index < kn_kernel_set_count ? kn_kernel_sets[index] : 0;
}

int kn_kernel_set_supported(size_t index) {
  if (index >= kn_kernel_set_count) return 0;
  const kn_kernels *set = kn_kernel_sets[index];
#if defined(__x86_64__)
  const int has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("f16c");
  const int has_avx512 = has_avx2 && __builtin_cpu_supports("bmi2") &&
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (set == &avx2) return has_avx2;
  if (set == &avx2_vnni) return has_avx2 && __builtin_cpu_supports("avxvnni");
  if (set == &avx512) return has_avx512;
  if (set == &avx512_vnni) return has_avx512 && __builtin_cpu_supports("avx512vnni");
#elif defined(__aarch64__)
#if defined(__linux__)
  if (set == &neon_dotprod) return (getauxval(AT_HWCAP) & (1ul << 20)) != 0;  // HWCAP_ASIMDDP
#else
  if (set == &neon_dotprod) return 0;
#endif
#endif
  return set != 0;
}
