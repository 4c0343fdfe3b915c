// kn_rans_decode: the inner loop of decoding weights. Trusts its tables, and no byte of its streams.
#include "rans_lanes.h"

#include <string.h>

#define ALWAYS static inline __attribute__((always_inline))
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

_Static_assert(KN_RANS_LARGEST_MEAN == 128 * KN_RANS_MOVES - 1, "every mean has a move");

int32_t kn_rans_value(const kn_value_rule *rule, int32_t k, int q) {
  const int32_t magnitude = k < 0 ? -k : k;
  int32_t steps = magnitude;
  if (rule->dependent && magnitude != 0) steps = 2 * magnitude - q;
  int32_t value = steps * rule->subdivision;
  if (magnitude <= 3) value -= rule->trim[q][magnitude];
  return k < 0 ? -value : value;
}

#if defined(__x86_64__)
// Whether integers stand for themselves.
static int is_plain(const kn_value_rule *rule) {
  int trims = 0;
  for (int i = 0; i < 4; i++) trims |= rule->trim[0][i];
  return !rule->dependent && rule->subdivision == 1 && !trims;
}
#endif

// `count` (at most 32) bits of the stream; zeros behind its end, which makes *status KN_RANS_SHORT.
static uint32_t take_bits(kn_rans *r, uint32_t count, int *status) {
  while (r->bit_count < count) {
    if (r->bits == r->bits_end) {
      *status = KN_RANS_SHORT;
      return 0;
    }
    r->bit_buffer |= (uint64_t)*r->bits++ << r->bit_count;
    r->bit_count += 8;
  }
  const uint32_t value = (uint32_t)(r->bit_buffer & (((uint64_t)1 << count) - 1));
  r->bit_buffer >>= count;
  r->bit_count -= count;
  return value;
}

// An integer outside of the symbols: distance from them in Exp-Golomb bits, then the side.
static __attribute__((noinline)) int32_t take_escape(kn_rans *r, int *status) {
  uint32_t prefix = 0;
  while (prefix <= 16 && take_bits(r, 1, status) == 0 && *status == KN_RANS_DONE) prefix++;
  if (prefix > 16 || prefix + (uint32_t)r->escape_order > 18) {
    *status = KN_RANS_ESCAPE;
    return 0;
  }
  const uint32_t width = prefix + (uint32_t)r->escape_order;
  const int32_t distance =
      (int32_t)(take_bits(r, width, status) + (((1u << prefix) - 1) << r->escape_order));
  const int is_below = (int)take_bits(r, 1, status);
  return is_below ? r->low - 1 - distance : r->low + r->escape + distance;
}

// The value of a symbol that no table has: an escape, or one followed by low bits. *parity: of k.
static __attribute__((noinline)) int32_t slow_value(
    kn_rans *r, int32_t symbol, int q, uint32_t *parity, int *status) {
  int32_t k = symbol == r->escape ? take_escape(r, status) : r->low + symbol;
  if (r->shift) {
    if (k > 1 << 16 || k < -(1 << 16)) {
      *status = KN_RANS_VALUE;
      return 0;
    }
    k = k * (1 << r->shift) + (int32_t)take_bits(r, (uint32_t)r->shift, status);
  }
  *parity = (uint32_t)k & 1;
  const int32_t magnitude = k < 0 ? -k : k;
  const int32_t value = magnitude <= 1 << 16 ? kn_rans_value(&r->rule, k, q) : 1 << 30;
  if (value > r->limit || value < -r->limit) {
    *status = KN_RANS_VALUE;
    return 0;
  }
  return value;
}

// One symbol of a lane. `room`: whether a word may be read; without, running out of them is an error.
ALWAYS int16_t next_value(
    kn_rans *r, uint32_t *x, uint32_t *state, uint32_t *mean, const uint8_t **words, int32_t level,
    const int dependent, const int table_values, const int moving, const int has_room, int *status) {
  const int32_t last = r->last_class;
  int32_t class = level - r->lowest;
  if (moving) class += r->moves[*mean >> 7];
  class = class > 0 ? class : 0;
  const uint32_t c = (uint32_t)(class < last ? class : last);
  const uint32_t context = (c << (2 - r->state_shift)) | (*state >> r->state_shift);
  const uint32_t entry = r->tables[(size_t)context * KN_RANS_SLOTS + (*x & (KN_RANS_SLOTS - 1))];
  const uint32_t symbol = entry & 255;
  const uint32_t moved = ((entry >> 8 & 4095) + 1) * (*x >> 12) + (entry >> 20);
  const int needs = moved < KN_RANS_FLOOR;
  if (has_room) {
    uint16_t word;
    memcpy(&word, *words, 2);
    *x = needs ? moved << 16 | word : moved;
    *words += 2 * needs;
  } else if (needs) {
    uint16_t word = 0;
    if (r->words_end - *words >= 2) {
      memcpy(&word, *words, 2);
      *words += 2;
    } else {
      *status = KN_RANS_SHORT;
    }
    *x = moved << 16 | word;
  } else {
    *x = moved;
  }
  const int q = dependent ? (int)(*state >> 1) : 0;
  int32_t value;
  uint32_t parity = 0;
  if (table_values && !UNLIKELY((int32_t)symbol == r->escape)) {
    value = r->values[q * KN_RANS_SYMBOLS + symbol];
    parity = (symbol + (uint32_t)r->low) & 1;
  } else {
    value = slow_value(r, (int32_t)symbol, q, &parity, status);
  }
  if (dependent) *state = KN_RANS_TRANSITIONS >> ((*state << 1 | parity) << 1) & 3;
  if (moving) {
    const int32_t k = (int32_t)symbol + r->low;
    const uint32_t sized = ((uint32_t)(k < 0 ? -k : k) * r->factors[level]) >> 4;
    const int32_t size = sized < KN_RANS_LARGEST_MEAN ? (int32_t)sized : KN_RANS_LARGEST_MEAN;
    *mean = (uint32_t)((int32_t)*mean + ((size - (int32_t)*mean) >> r->rate));
  }
  return (int16_t)value;
}

// One column of a group.
ALWAYS void column(
    kn_rans *r, kn_rans_group *g, size_t j, size_t runs, size_t length, int16_t *out, const int dependent,
    const int table_values, const int moving, const int has_room, int *status) {
  const int32_t level = r->column_levels[j];
#pragma GCC unroll 8
  for (size_t l = 0; l < runs; l++) {
    out[l * length + j] = next_value(
        r, &g->x[l], &g->state[l], &g->mean[l], &g->words, g->level[l] + level, dependent, table_values, moving,
        has_room, status);
  }
}

ALWAYS kn_rans_status decode(
    kn_rans *r, const uint8_t *run_levels, size_t runs, size_t length, size_t last_length, int16_t *out,
    const size_t lanes, const int dependent, const int table_values, const int moving, const int by_vector) {
  (void)by_vector;  // read on x86-64 alone
  kn_rans_group g = {.words = r->words};
  for (size_t l = 0; l < lanes; l++) {
    g.x[l] = r->states[l];
    g.level[l] = l < runs ? run_levels[l] : 0;
    g.mean[l] = KN_RANS_USUAL;
  }
  int status = KN_RANS_DONE;
  size_t j = 0;
  if (runs == lanes) {
    // A word for each lane at every column: enough, whatever the symbols are.
    while (j < last_length && (size_t)(r->words_end - g.words) >= 2 * lanes && status == KN_RANS_DONE) {
#if defined(__x86_64__)
      if (by_vector) {
        const size_t stopped = kn_rans_columns_avx2(r, &g, j, last_length, length, out);
        if (stopped > j) {
          j = stopped;
          continue;
        }
      }
#endif
      column(r, &g, j, lanes, length, out, dependent, table_values, moving, 1, &status);
      j++;
    }
  }
  for (; j < length && status == KN_RANS_DONE; j++) {
    column(
        r, &g, j, j < last_length ? runs : runs - 1, length, out, dependent, table_values, moving, 0, &status);
  }
  for (size_t l = 0; l < lanes; l++) r->states[l] = g.x[l];
  r->words = g.words;
  return (kn_rans_status)status;
}

kn_rans_status kn_rans_decode(
    kn_rans *r, const uint8_t *run_levels, size_t runs, size_t length, size_t last_length, int16_t *out) {
#define DECODE(lanes, dependent, table, moving, by_vector) \
  decode(r, run_levels, runs, length, last_length, out, lanes, dependent, table, moving, by_vector)
  const int table = r->shift == 0;
  const int moving = r->factors != 0;
  // Few lanes are for small tensors: one loop serves them all.
  if (r->lanes != KN_RANS_LANES) return DECODE(r->lanes, r->rule.dependent, table, moving, 0);
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) {
    if (table) return DECODE(KN_RANS_LANES, r->rule.dependent, 1, moving, 1);
    if (is_plain(&r->rule) && r->shift <= 4) return DECODE(KN_RANS_LANES, 0, 0, moving, 1);
  }
#endif
  if (moving) {
    if (r->rule.dependent) {
      return table ? DECODE(KN_RANS_LANES, 1, 1, 1, 0) : DECODE(KN_RANS_LANES, 1, 0, 1, 0);
    }
    return table ? DECODE(KN_RANS_LANES, 0, 1, 1, 0) : DECODE(KN_RANS_LANES, 0, 0, 1, 0);
  }
  if (r->rule.dependent) {
    return table ? DECODE(KN_RANS_LANES, 1, 1, 0, 0) : DECODE(KN_RANS_LANES, 1, 0, 0, 0);
  }
  return table ? DECODE(KN_RANS_LANES, 0, 1, 0, 0) : DECODE(KN_RANS_LANES, 0, 0, 0, 0);
#undef DECODE
}
