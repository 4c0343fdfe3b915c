// decode_blocks and decode_panel_blocks: w = scale * table[code], 32 weights to a block.
#ifndef KN_ISA
#include <string.h>
#include "block_tables.h"
#include "variants.h"

// What one scheme's blocks are: bits of a code, bits of the scale that pick its table, and the tables,
// each of 2^bits values in at least 16 bytes.
typedef struct block_format { int bits, table_bits; const int8_t *tables; } block_format;

// GGML's values for its type of this name.
static const int8_t iq4_nl_table[16] = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

// Every scheme of blocks: X(scheme, bits, table bits, tables).
#define EACH_BLOCK_FORMAT(X)                                                                       \
  X(KN_IQ4_NL, 4, 0, iq4_nl_table)                                                                 \
  X(KN_NL2, 2, KN_NL2_TABLE_BITS, kn_nl2_tables)                                                   \
  X(KN_NL3, 3, KN_NL3_TABLE_BITS, kn_nl3_tables)                                                   \
  X(KN_NL4, 4, KN_NL4_TABLE_BITS, kn_nl4_tables)                                                   \
  X(KN_NL5, 5, KN_NL5_TABLE_BITS, kn_nl5_tables)                                                   \
  X(KN_NL6, 6, KN_NL6_TABLE_BITS, kn_nl6_tables)

static block_format format_of(int scheme) {
  switch (scheme) {
#define ROW(S, BITS, TABLE_BITS, TABLES) case S: return (block_format){BITS, TABLE_BITS, TABLES};
    EACH_BLOCK_FORMAT(ROW)
#undef ROW
    default: return (block_format){0};
  }
}

KN_INLINE uint16_t scale_of(const uint8_t *block) {
  uint16_t scale;
  memcpy(&scale, block, sizeof scale);
  return scale;
}

KN_INLINE const int8_t *table_of(block_format f, uint16_t scale) {
  return f.tables + (scale & ((1 << f.table_bits) - 1)) * (f.bits < 5 ? 16 : 1 << f.bits);
}

int kn_block_bits(int scheme) { return format_of(scheme).bits; }
int kn_block_table_bits(int scheme) { return format_of(scheme).table_bits; }
int8_t kn_block_value(int scheme, uint16_t scale, int code) {
  const block_format f = format_of(scheme);
  return f.bits == 0 ? 0 : table_of(f, scale)[code & ((1 << f.bits) - 1)];
}

// Field i of 32, `width` bits each.
KN_INLINE int field(const uint8_t *fields, int width, size_t i) {
  const size_t stride = 4 * (size_t)width;
  return fields[i % stride] >> (i / stride * (size_t)width) & ((1 << width) - 1);
}

// A code's fields, the lowest bits first: before one of a width come those of larger widths.
KN_INLINE int code_at(const uint8_t *codes, int bits, size_t i) {
  int code = 0;
  if (bits & 4) code = field(codes, 4, i);
  if (bits & 2) code |= field(codes + 4 * (bits & 4), 2, i) << (bits & 4);
  if (bits & 1) code |= field(codes + 4 * (bits & 6), 1, i) << (bits & 6);
  return code;
}

void kn_decode_blocks__scalar(int scheme, const void *blocks, float *y, size_t count) {
  const block_format f = format_of(scheme);
  if (f.bits == 0) return;
  for (size_t i = 0; i < count; i++) {
    const uint8_t *block = (const uint8_t *)blocks + i / KN_BLOCK * kn_block_bytes(f.bits);
    const uint16_t scale = scale_of(block);
    const int code = code_at(block + 2, f.bits, i % KN_BLOCK);
    y[i] = kn_f16_to_f32(scale) * (float)table_of(f, scale)[code];
  }
}

void kn_decode_panel_blocks__scalar(
    int scheme, const void *rows, size_t row_blocks, size_t columns, float *out, size_t k) {
  const size_t size = kn_block_bytes(kn_block_bits(scheme));
  for (size_t j = 0; j < KN_PANEL; j++)
    for (size_t p0 = 0; p0 < k; p0 += KN_BLOCK) {
      const size_t count = k - p0 < KN_BLOCK ? k - p0 : KN_BLOCK;
      float weights[KN_BLOCK] = {0};
      if (j < columns)
        kn_decode_blocks__scalar(
            scheme, (const uint8_t *)rows + (j * row_blocks + p0 / KN_BLOCK) * size, weights, count);
      for (size_t p = 0; p < count; p++) out[(p0 + p) * KN_PANEL + j] = weights[p];
    }
}

#define KN_SELF "decode_blocks.c"
#include "each_isa.h"

#else
#ifndef KN_BYTES32
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif
#define KN_BYTES32
typedef uint8_t bytes32 __attribute__((vector_size(32)));
typedef uint32_t words32 __attribute__((vector_size(32)));
typedef uint64_t longs32 __attribute__((vector_size(32)));
#endif
typedef int8_t KN_NAME(bytes) __attribute__((vector_size(KN_LANES)));
typedef union KN_NAME(slices) {
  bytes32 all;
  KN_NAME(bytes) part[32 / KN_LANES];
} KN_NAME(slices);

KN_LANE_FN float KN_NAME(half_to_float)(uint16_t half) {
#if defined(__x86_64__)
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half)));
#else
  __fp16 h;
  memcpy(&h, &half, sizeof h);
  return (float)h;
#endif
}

// The 32 fields of `width` bits, a byte each.
KN_LANE_FN bytes32 KN_NAME(fields)(const uint8_t *p, int width) {
  if (width == 4) {
    uint64_t a, b;
    memcpy(&a, p, 8), memcpy(&b, p + 8, 8);
    const longs32 x = {a, b, a, b};
    return (bytes32)(x >> (longs32){0, 0, 4, 4}) & 15;
  }
  if (width == 2) {
    uint64_t a;
    memcpy(&a, p, 8);
    const longs32 x = {a, a, a, a};
    return (bytes32)(x >> (longs32){0, 2, 4, 6}) & 3;
  }
  uint32_t a;
  memcpy(&a, p, 4);
  const words32 x = {a, a, a, a, a, a, a, a};
  return (bytes32)(x >> (words32){0, 1, 2, 3, 4, 5, 6, 7}) & 1;
}

KN_LANE_FN bytes32 KN_NAME(codes)(const uint8_t *p, int bits) {
  bytes32 codes = {0};
  if (bits & 4) codes = KN_NAME(fields)(p, 4);
  if (bits & 2) codes |= KN_NAME(fields)(p + 4 * (bits & 4), 2) << (bits & 4);
  if (bits & 1) codes |= KN_NAME(fields)(p + 4 * (bits & 6), 1) << (bits & 6);
  return codes;
}

// The table's value of each code.
KN_LANE_FN bytes32 KN_NAME(look_up)(const int8_t *table, bytes32 codes, int bits) {
#if defined(__x86_64__)
  const __m256i c = (__m256i)codes;
  __m256i part[4];
  const int parts = bits < 5 ? 1 : 1 << (bits - 4);
  for (int i = 0; i < parts; i++)
    part[i] = _mm256_shuffle_epi8(
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(table + 16 * i))), c);
  if (bits < 5) return (bytes32)part[0];
  // A byte's highest bit chooses: there the code's bits 4 and 5 go.
  const __m256i bit4 = _mm256_slli_epi16(c, 3);
  const __m256i low = _mm256_blendv_epi8(part[0], part[1], bit4);
  if (bits == 5) return (bytes32)low;
  const __m256i high = _mm256_blendv_epi8(part[2], part[3], bit4);
  return (bytes32)_mm256_blendv_epi8(low, high, _mm256_slli_epi16(c, 2));
#else
  union {
    bytes32 all;
    uint8x16_t half[2];
  } x = {codes};
  const uint8_t *t = (const uint8_t *)table;
  for (int i = 0; i < 2; i++) {
    if (bits < 5) x.half[i] = vqtbl1q_u8(vld1q_u8(t), x.half[i]);
    else if (bits == 5) x.half[i] = vqtbl2q_u8(vld1q_u8_x2(t), x.half[i]);
    else x.half[i] = vqtbl4q_u8(vld1q_u8_x4(t), x.half[i]);
  }
  return x.all;
#endif
}

KN_LANE_FN bytes32 KN_NAME(block_values)(block_format f, const uint8_t *block) {
  return KN_NAME(look_up)(table_of(f, scale_of(block)), KN_NAME(codes)(block + 2, f.bits), f.bits);
}

KN_LANE_FN void KN_NAME(rows_of)(
    int scheme, block_format f, const uint8_t *x, float *y, size_t count) {
  for (; count >= KN_BLOCK; count -= KN_BLOCK, x += kn_block_bytes(f.bits), y += KN_BLOCK) {
    const KN_NAME(slices) s = {KN_NAME(block_values)(f, x)};
    const vf scale = v_splat(KN_NAME(half_to_float)(scale_of(x)));
    for (int v = 0; v < KN_BLOCK / KN_LANES; v++) {
      const vi values = __builtin_convertvector(s.part[v], vi);
      v_store(y + v * KN_LANES, __builtin_convertvector(values, vf) * scale);
    }
  }
  kn_decode_blocks__scalar(scheme, x, y, count);
}

KN_TARGET void KN_NAME(kn_decode_blocks)(int scheme, const void *x, float *y, size_t count) {
  // Of constants: each case is compiled for its format.
  switch (scheme) {
#define ROW(S, BITS, TABLE_BITS, TABLES)                                                           \
  case S: KN_NAME(rows_of)(S, (block_format){BITS, TABLE_BITS, TABLES}, x, y, count); break;
    EACH_BLOCK_FORMAT(ROW)
#undef ROW
    default: break;
  }
}

// One block's values of each of 16 columns are 16 rows of 2 * 16 bytes: both halves transposed, they
// are 2 * 16 rows of the panel, of which the first `rows` are stored.
KN_TARGET static void KN_NAME(put_panel)(
    const bytes32 *columns, const float *scales, float *out, size_t rows) {
  bytes32 x[16], y[16];
  vf scale[16 / KN_LANES];
  for (int v = 0; v < 16 / KN_LANES; v++) scale[v] = v_load(scales + v * KN_LANES);
  for (int i = 0; i < 16; i++) x[i] = columns[i];
  // Four rounds of interleaving row i with row i + 8.
  for (int round = 0; round < 4; round++) {
    for (int i = 0; i < 8; i++) {
      y[2 * i] = __builtin_shufflevector(
          x[i], x[i + 8], 0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38, 7, 39,
          16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55);
      y[2 * i + 1] = __builtin_shufflevector(
          x[i], x[i + 8], 8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47,
          24, 56, 25, 57, 26, 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63);
    }
    for (int i = 0; i < 16; i++) x[i] = y[i];
  }
  for (size_t i = 0; i < 16; i++) {
    const KN_NAME(slices) s = {x[i]};
    for (size_t half = 0; half < 2; half++) {
      if (i + half * 16 >= rows) continue;
      for (int v = 0; v < 16 / KN_LANES; v++) {
        const vi values = __builtin_convertvector(s.part[half * (16 / KN_LANES) + v], vi);
        v_store(
            out + (i + half * 16) * KN_PANEL + v * KN_LANES,
            __builtin_convertvector(values, vf) * scale[v]);
      }
    }
  }
}

KN_LANE_FN void KN_NAME(panel_of)(
    block_format f, const uint8_t *rows, size_t row_blocks, size_t columns, float *out, size_t k) {
  const size_t size = kn_block_bytes(f.bits);
  bytes32 values[KN_PANEL] = {{0}};
  float scales[KN_PANEL] = {0};
  for (size_t p0 = 0; p0 < k; p0 += KN_BLOCK, out += KN_BLOCK * KN_PANEL, rows += size) {
    for (size_t j = 0; j < columns; j++) {
      const uint8_t *block = rows + j * row_blocks * size;
      scales[j] = KN_NAME(half_to_float)(scale_of(block));
      values[j] = KN_NAME(block_values)(f, block);
    }
    KN_NAME(put_panel)(values, scales, out, k - p0 < KN_BLOCK ? k - p0 : KN_BLOCK);
  }
}

KN_TARGET void KN_NAME(kn_decode_panel_blocks)(
    int scheme, const void *rows, size_t row_blocks, size_t columns, float *out, size_t k) {
  switch (scheme) {
#define ROW(S, BITS, TABLE_BITS, TABLES)                                                           \
  case S:                                                                                          \
    KN_NAME(panel_of)((block_format){BITS, TABLE_BITS, TABLES}, rows, row_blocks, columns, out, k);\
    break;
    EACH_BLOCK_FORMAT(ROW)
#undef ROW
    default: break;
  }
}
#endif
