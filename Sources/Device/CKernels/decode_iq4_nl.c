// decode_iq4_nl and decode_panel_iq4_nl: w = scale * value[nibble], 32 weights to a block.
#ifndef KN_ISA
#include "variants.h"

void kn_decode_iq4_nl__scalar(const kn_block_iq4_nl *x, float *y, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const kn_block_iq4_nl *block = &x[i / KN_BLOCK];
    const size_t j = i % KN_BLOCK;
    const int nibble = j < 16 ? block->nibbles[j] & 15 : block->nibbles[j - 16] >> 4;
    y[i] = kn_f16_to_f32(block->scale) * (float)kn_iq4_nl_values[nibble];
  }
}

void kn_decode_panel_iq4_nl__scalar(
    const kn_block_iq4_nl *rows, size_t row_blocks, size_t columns, float *out, size_t k) {
  for (size_t j = 0; j < KN_PANEL; j++)
    for (size_t p0 = 0; p0 < k; p0 += KN_BLOCK) {
      const size_t count = k - p0 < KN_BLOCK ? k - p0 : KN_BLOCK;
      float weights[KN_BLOCK] = {0};
      if (j < columns)
        kn_decode_iq4_nl__scalar(rows + j * row_blocks + p0 / KN_BLOCK, weights, count);
      for (size_t p = 0; p < count; p++) out[(p0 + p) * KN_PANEL + j] = weights[p];
    }
}

#define KN_SELF "decode_iq4_nl.c"
#include "each_isa.h"

#else
#ifndef KN_BYTES16
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif
#define KN_BYTES16
typedef uint8_t bytes16 __attribute__((vector_size(16)));
typedef uint8_t bytes16_loose __attribute__((vector_size(16), aligned(1), may_alias));
#endif
typedef int8_t KN_NAME(bytes) __attribute__((vector_size(KN_LANES)));
typedef union KN_NAME(slices) {
  bytes16 all;
  KN_NAME(bytes) part[16 / KN_LANES];
} KN_NAME(slices);

// The table value of each nibble, by one byte permutation.
KN_LANE_FN bytes16 KN_NAME(look_up)(bytes16 nibbles) {
  const bytes16 values = *(const bytes16_loose *)kn_iq4_nl_values;
#if defined(__x86_64__)
  return (bytes16)_mm_shuffle_epi8((__m128i)values, (__m128i)nibbles);
#else
  return (bytes16)vqtbl1q_u8((uint8x16_t)values, (uint8x16_t)nibbles);
#endif
}

// y[0 ..< 16] = scales * values of the nibbles.
KN_LANE_FN void KN_NAME(put_weights)(bytes16 nibbles, const vf *scales, float *y) {
  const KN_NAME(slices) s = {KN_NAME(look_up)(nibbles)};
  for (int v = 0; v < 16 / KN_LANES; v++) {
    const vi codes = __builtin_convertvector(s.part[v], vi);
    v_store(y + v * KN_LANES, __builtin_convertvector(codes, vf) * scales[v]);
  }
}

KN_TARGET void KN_NAME(kn_decode_iq4_nl)(const kn_block_iq4_nl *x, float *y, size_t count) {
  size_t i = 0;
  for (; i + KN_BLOCK <= count; i += KN_BLOCK, x++) {
    const bytes16 nibbles = *(const bytes16_loose *)x->nibbles;
    vf scales[16 / KN_LANES];
    for (int v = 0; v < 16 / KN_LANES; v++) scales[v] = v_splat(kn_f16_to_f32(x->scale));
    KN_NAME(put_weights)(nibbles & 15, scales, y + i);
    KN_NAME(put_weights)(nibbles >> 4, scales, y + i + 16);
  }
  kn_decode_iq4_nl__scalar(x, y + i, count - i);
}

// One block of each of 16 columns is 16 rows of 16 bytes: transposed, it is 32 rows of the panel.
KN_TARGET void KN_NAME(kn_decode_panel_iq4_nl)(
    const kn_block_iq4_nl *rows, size_t row_blocks, size_t columns, float *out, size_t k) {
  for (size_t p0 = 0; p0 < k; p0 += KN_BLOCK, out += KN_BLOCK * KN_PANEL) {
    union {
      float one[16];
      vf all[16 / KN_LANES];
    } scales = {{0}};
    bytes16 x[16], y[16];
    for (size_t j = 0; j < 16; j++) {
      x[j] = (bytes16){0};
      if (j >= columns) continue;
      const kn_block_iq4_nl *block = rows + j * row_blocks + p0 / KN_BLOCK;
      scales.one[j] = kn_f16_to_f32(block->scale);
      x[j] = *(const bytes16_loose *)block->nibbles;
    }
    // Four rounds of interleaving row i with row i + 8.
    for (int round = 0; round < 4; round++) {
      for (int i = 0; i < 8; i++) {
        y[2 * i] = __builtin_shufflevector(
            x[i], x[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        y[2 * i + 1] = __builtin_shufflevector(
            x[i], x[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
      }
      for (int i = 0; i < 16; i++) x[i] = y[i];
    }
    for (size_t i = 0; i < 16; i++) {
      if (p0 + i < k) KN_NAME(put_weights)(x[i] & 15, scales.all, out + i * KN_PANEL);
      if (p0 + i + 16 < k) KN_NAME(put_weights)(x[i] >> 4, scales.all, out + (i + 16) * KN_PANEL);
    }
  }
}
#endif
