// Eight lanes of the range coder in one vector: tables by gather, words by a permutation.
//
// How words go to the lanes that want one follows F. Giesen, "Interleaved entropy coders", section on SIMD:
// the mask of these lanes selects a permutation that spreads the next words over them.
#include "rans_lanes.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#define AVX2 __attribute__((target("avx2")))
#define ALWAYS AVX2 static inline __attribute__((always_inline))

// Lanes below l that want a word, of a mask.
#define BIT(m, i, l) ((i) < (l) ? (m) >> (i) & 1 : 0)
#define RANK(m, l) \
  (BIT(m, 0, l) + BIT(m, 1, l) + BIT(m, 2, l) + BIT(m, 3, l) + BIT(m, 4, l) + BIT(m, 5, l) + BIT(m, 6, l))
#define ROW(m) \
  {RANK(m, 0), RANK(m, 1), RANK(m, 2), RANK(m, 3), RANK(m, 4), RANK(m, 5), RANK(m, 6), RANK(m, 7)}
#define ROWS4(m) ROW(m), ROW((m) + 1), ROW((m) + 2), ROW((m) + 3)
#define ROWS16(m) ROWS4(m), ROWS4((m) + 4), ROWS4((m) + 8), ROWS4((m) + 12)
#define ROWS64(m) ROWS16(m), ROWS16((m) + 16), ROWS16((m) + 32), ROWS16((m) + 48)

static const uint8_t spread[256][8] = {ROWS64(0), ROWS64(64), ROWS64(128), ROWS64(192)};

// Columns that wait to be placed.
#define WAITING 64

// Waiting columns to the runs they belong to: symbols become values; where there is no table they are values.
static void place(
    const int16_t *values, const uint16_t *waiting, size_t count, size_t length, int16_t *out) {
  for (size_t l = 0; l < KN_RANS_LANES; l++) {
    const uint16_t *from = waiting + l;
    int16_t *to = out + l * length;
    if (values) {
      for (size_t j = 0; j < count; j++) to[j] = values[from[j * KN_RANS_LANES]];
    } else {
      for (size_t j = 0; j < count; j++) to[j] = (int16_t)from[j * KN_RANS_LANES];
    }
  }
}

// Makes the buffer hold the bits of a column, `count` of them, at most 32; 0 where there are not as many. What
// lies above those that are counted is what follows in the stream: it is put there once more with the next bytes.
static inline int hold_bits(kn_rans *r, uint32_t count) {
  if (r->bit_count >= count) return 1;
  if (r->bits_end - r->bits < 8) return 0;
  uint64_t next;
  memcpy(&next, r->bits, 8);
  r->bit_buffer |= next << r->bit_count;
  const uint32_t taken = (63 - r->bit_count) >> 3;
  r->bits += taken;
  r->bit_count += 8 * taken;
  return 1;
}

ALWAYS size_t columns(
    kn_rans *r, kn_rans_group *g, size_t from, size_t to, size_t length, int16_t *out, const int dependent,
    const int moving, const int shifted) {
  __m256i x = _mm256_loadu_si256((const __m256i *)g->x);
  __m256i state = _mm256_loadu_si256((const __m256i *)g->state);
  __m256i mean = _mm256_loadu_si256((const __m256i *)g->mean);
  const __m256i run = _mm256_loadu_si256((const __m256i *)g->level);
  const __m256i slots = _mm256_set1_epi32(KN_RANS_SLOTS - 1), bytes = _mm256_set1_epi32(255);
  const __m256i one = _mm256_set1_epi32(1), zero = _mm256_setzero_si256();
  const __m256i low = _mm256_set1_epi32(r->low), escape = _mm256_set1_epi32(r->escape);
  const __m256i lowest = _mm256_set1_epi32(r->lowest), last = _mm256_set1_epi32(r->last_class);
  const __m128i class_shift = _mm_cvtsi32_si128(2 - r->state_shift);
  const __m128i state_shift = _mm_cvtsi32_si128(r->state_shift), rate = _mm_cvtsi32_si128(r->rate);
  const __m128i shift = _mm_cvtsi32_si128(r->shift);
  const __m256i low_bits = _mm256_set1_epi32((1 << r->shift) - 1), limit = _mm256_set1_epi32(r->limit);
  const __m256i places = _mm256_mullo_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(r->shift));
  const uint32_t column_bits = KN_RANS_LANES * (uint32_t)r->shift;
  const int16_t *values = shifted ? 0 : r->values;
  uint16_t waiting[WAITING * KN_RANS_LANES];
  const uint8_t *words = g->words;
  size_t j = from, first = from;
  for (; j < to && (size_t)(r->words_end - words) >= 2 * KN_RANS_LANES; j++) {
    const __m256i level = _mm256_add_epi32(run, _mm256_set1_epi32(r->column_levels[j]));
    __m256i class = _mm256_sub_epi32(level, lowest);
    if (moving) class = _mm256_add_epi32(class, _mm256_i32gather_epi32(r->moves, _mm256_srli_epi32(mean, 7), 4));
    class = _mm256_min_epi32(_mm256_max_epi32(class, zero), last);
    __m256i context = _mm256_sll_epi32(class, class_shift);
    if (dependent) context = _mm256_or_si256(context, _mm256_srl_epi32(state, state_shift));
    const __m256i slot = _mm256_or_si256(_mm256_slli_epi32(context, 12), _mm256_and_si256(x, slots));
    const __m256i entry = _mm256_i32gather_epi32((const int *)r->tables, slot, 4);
    const __m256i symbol = _mm256_and_si256(entry, bytes);
    const __m256i k = _mm256_add_epi32(symbol, low);
    __m256i stops = _mm256_cmpeq_epi32(symbol, escape), waits = symbol;
    if (shifted) {
      if (!hold_bits(r, column_bits)) break;
      const __m256i held = _mm256_srlv_epi32(_mm256_set1_epi32((int)(uint32_t)r->bit_buffer), places);
      waits = _mm256_or_si256(_mm256_sll_epi32(k, shift), _mm256_and_si256(held, low_bits));
      stops = _mm256_or_si256(stops, _mm256_cmpgt_epi32(_mm256_abs_epi32(waits), limit));
    }
    if (__builtin_expect(!_mm256_testz_si256(stops, stops), 0)) break;
    if (shifted) {
      r->bit_buffer >>= column_bits;
      r->bit_count -= column_bits;
    }
    const __m256i frequency =
        _mm256_add_epi32(_mm256_and_si256(_mm256_srli_epi32(entry, 8), slots), one);
    const __m256i moved = _mm256_add_epi32(
        _mm256_mullo_epi32(frequency, _mm256_srli_epi32(x, 12)), _mm256_srli_epi32(entry, 20));
    const __m256i wants = _mm256_cmpeq_epi32(_mm256_srli_epi32(moved, 16), zero);
    const uint32_t mask = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(wants));
    const __m256i order = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)spread[mask]));
    const __m256i next = _mm256_permutevar8x32_epi32(
        _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)words)), order);
    x = _mm256_blendv_epi8(moved, _mm256_or_si256(_mm256_slli_epi32(moved, 16), next), wants);
    words += 2 * (size_t)__builtin_popcount(mask);
    if (dependent) {
      waits = _mm256_or_si256(symbol, _mm256_slli_epi32(_mm256_srli_epi32(state, 1), 8));
      const __m256i way = _mm256_or_si256(_mm256_slli_epi32(state, 1), _mm256_and_si256(k, one));
      state = _mm256_and_si256(
          _mm256_srlv_epi32(_mm256_set1_epi32(KN_RANS_TRANSITIONS), _mm256_slli_epi32(way, 1)),
          _mm256_set1_epi32(3));
    }
    if (moving) {
      const __m256i factor = _mm256_i32gather_epi32((const int *)r->factors, level, 4);
      const __m256i sized = _mm256_srli_epi32(_mm256_mullo_epi32(_mm256_abs_epi32(k), factor), 4);
      const __m256i size = _mm256_min_epu32(sized, _mm256_set1_epi32(KN_RANS_LARGEST_MEAN));
      mean = _mm256_add_epi32(mean, _mm256_sra_epi32(_mm256_sub_epi32(size, mean), rate));
    }
    const __m256i packed = _mm256_permute4x64_epi64(
        shifted ? _mm256_packs_epi32(waits, waits) : _mm256_packus_epi32(waits, waits), 0x08);
    _mm_storeu_si128(
        (__m128i *)(waiting + (j - first) * KN_RANS_LANES), _mm256_castsi256_si128(packed));
    if (j + 1 - first == WAITING) {
      place(values, waiting, WAITING, length, out + first);
      first = j + 1;
    }
  }
  place(values, waiting, j - first, length, out + first);
  _mm256_storeu_si256((__m256i *)g->x, x);
  _mm256_storeu_si256((__m256i *)g->state, state);
  _mm256_storeu_si256((__m256i *)g->mean, mean);
  g->words = words;
  return j;
}

AVX2 size_t kn_rans_columns_avx2(
    kn_rans *r, kn_rans_group *g, size_t from, size_t to, size_t length, int16_t *out) {
#define COLUMNS(dependent, shifted) \
  (r->factors ? columns(r, g, from, to, length, out, dependent, 1, shifted) \
              : columns(r, g, from, to, length, out, dependent, 0, shifted))
  if (r->shift) return COLUMNS(0, 1);
  return r->rule.dependent ? COLUMNS(1, 0) : COLUMNS(0, 0);
#undef COLUMNS
}
#endif
