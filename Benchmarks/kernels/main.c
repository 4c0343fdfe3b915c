// Speed of gemm_f32 and gemm_i8 on one thread, for every kernel set of this CPU: GFLOP/s (GOP/s) and
// the fraction of what the same instructions reach on registers alone; and of decoding blocks.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "kernels.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#if defined(__x86_64__)
// Fused multiply-adds on twelve independent registers: 2 * 12 * lanes operations a round.
#define PEAK(LANES, TARGET)                                                                        \
  __attribute__((target(TARGET))) static double peak##LANES(void) {                                \
    typedef float v __attribute__((vector_size(4 * LANES)));                                       \
    v s[12], x = {0};                                                                              \
    double best = 0;                                                                               \
    for (int i = 0; i < 12; i++) s[i] = x;                                                         \
    __asm__ volatile("" : "+v"(x));                                                                \
    for (int repeat = 0; repeat < 20; repeat++) {                                                  \
      const double start = now();                                                                  \
      for (int round = 0; round < 100000; round++) {                                               \
        _Pragma("GCC unroll 12") for (int i = 0; i < 12; i++) s[i] = x * x + s[i];                 \
        _Pragma("GCC unroll 12") for (int i = 0; i < 12; i++) __asm__ volatile("" : "+v"(s[i]));   \
      }                                                                                            \
      const double speed = 1e5 * 12 * 2 * LANES / (now() - start);                                 \
      if (speed > best) best = speed;                                                              \
    }                                                                                              \
    return best / 1e9;                                                                             \
  }
PEAK(8, "avx2,fma")
PEAK(16, "avx512f")
static double peak_of(const char *name) {
  return strncmp(name, "avx512", 6) == 0 ? peak16() : strncmp(name, "avx2", 4) == 0 ? peak8() : 0;
}
#else
static double peak_of(const char *name) { return (void)name, 0.0; }
#endif

static void *zeroed(size_t bytes) {
  void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
  if (!p) exit(71);
  return memset(p, 0, bytes);
}

// The best of many runs of `gemm` over a whole product, in operations per nanosecond.
static double speed(
    void (*gemm)(const kn_gemm *, size_t, size_t, size_t, size_t), const kn_gemm *g) {
  double best = 1e9, all = 0;
  const size_t panels = (g->n + KN_PANEL - 1) / KN_PANEL;
  for (int i = 0; i < 1000 && (i < 5 || all < 0.2); i++) {
    const double start = now();
    gemm(g, 0, g->m, 0, panels);
    const double seconds = now() - start;
    all += seconds;
    if (seconds < best) best = seconds;
  }
  return 2e-9 * (double)g->m * (double)g->n * (double)g->k / best;
}

// Weights a nanosecond: rows and panels of every scheme of blocks, from what fits the second cache.
static void decoding(const kn_kernels *kernels) {
  enum { k = 1024, columns = 64 };
  printf("decode       bits  rows  panels  (weights/ns)\n");
  for (int scheme = KN_IQ4_NL; scheme <= KN_NL6; scheme++) {
    const int bits = kn_block_bits(scheme);
    const size_t row = k / KN_BLOCK * kn_block_bytes(bits);
    uint8_t *blocks = zeroed(row * columns);
    for (size_t i = 0; i < row * columns; i++) blocks[i] = (uint8_t)(i * 0x9e37 >> 3 & 0xbf);
    float *out = zeroed(4 * k * KN_PANEL);
    double best[2] = {1e9, 1e9};
    for (int i = 0; i < 300; i++)
      for (int panels = 0; panels < 2; panels++) {
        const double start = now();
        for (size_t j = 0; j < columns; j += KN_PANEL) {
          if (panels)
            kernels->decode_panel_blocks(
                scheme, blocks + j * row, k / KN_BLOCK, KN_PANEL, out, k);
          else
            kernels->decode_blocks(scheme, blocks + j * row, out, k * KN_PANEL);
        }
        const double seconds = now() - start;
        if (seconds < best[panels]) best[panels] = seconds;
      }
    printf(
        "scheme %2d   %5d %5.1f %7.1f\n", scheme, bits, 1e-9 * k * columns / best[0],
        1e-9 * k * columns / best[1]);
    free(blocks), free(out);
  }
}

int main(void) {
  // MiniLM with 128 tokens: projections, feed-forward up and down; the same for one row; attention
  // scores and the rows of a short sentence.
  static const struct {
    size_t m, k, n;
    int activation;
  } shapes[] = {
      {128, 384, 384, KN_LINEAR}, {128, 384, 1536, KN_LINEAR}, {128, 384, 1536, KN_GELU},
      {128, 1536, 384, KN_LINEAR}, {128, 32, 128, KN_LINEAR}, {11, 384, 384, KN_LINEAR},
      {1, 384, 1536, KN_LINEAR},
  };
  for (size_t s = 0; s < kn_kernel_set_count; s++) {
    if (!kn_kernel_set_supported(s)) continue;
    const kn_kernels *kernels = kn_kernel_sets[s];
    const double peak = peak_of(kernels->name);
    printf("%s: peak %.0f GFLOP/s\n", kernels->name, peak);
    decoding(kernels);
    printf("    m     k     n              f32      of peak         int8\n");
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
      const size_t m = shapes[i].m, k = shapes[i].k, n = shapes[i].n, n16 = (n + 15) / 16 * 16;
      float *a = zeroed(4 * m * k), *b = zeroed(4 * k * n16), *c = zeroed(4 * m * n);
      float *bias = zeroed(4 * n16), *a_scales = zeroed(4 * m);
      for (size_t j = 0; j < m * k; j++) a[j] = (float)(j % 97) / 97 - 0.5f;
      for (size_t j = 0; j < k * n16; j++) b[j] = (float)(j % 89) / 89 - 0.5f;
      kn_gemm g = {
          .a = a, .lda = k, .b = b, .c = c, .ldc = n, .m = m, .n = n, .k = k, .a_scales = a_scales,
          .b_scales = bias, .bias = bias, .alpha = 1, .bias_axis = KN_BIAS_COLUMN,
          .activation = shapes[i].activation,
      };
      const double f32 = speed(kernels->gemm_f32, &g), i8 = speed(kernels->gemm_i8, &g);
      printf(
          "%5zu %5zu %5zu %-6s %9.1f %11.0f%% %12.1f\n", m, k, n,
          shapes[i].activation == KN_GELU ? "gelu" : "", f32, peak ? 100 * f32 / peak : 0.0, i8);
      free(a), free(b), free(c), free(bias), free(a_scales);
    }
  }
  return 0;
}
