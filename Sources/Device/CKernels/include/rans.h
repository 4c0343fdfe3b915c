// Integers out of interleaved range-coded lanes (rANS): what stored weights become before they are placed.
//
// A tensor's integers stand in runs of one length. Group after group, up to `lanes` runs are coded side by
// side, one to a lane: column by column, lane by lane. A lane's state x is 32 bits wide, at least 2^16
// between symbols; a symbol of frequency f out of 4096 that starts at slot s takes it from x to
// f (x >> 12) + (x & 4095) - s, and one 16-bit word of the stream that all lanes share follows wherever
// that falls below 2^16. (J. Duda, arXiv 1311.2540; interleaving: F. Giesen, arXiv 1402.3392.)
//
// With dependent quantization a machine of four states runs along each run: states 0 and 1 know the even
// multiples of the step, 2 and 3 the odd ones and zero; the parity of each integer moves it.
//
// An integer's class follows from the levels of its run and column, and where `factors` are given from how large
// the integers before it in its run were, each against its own level: a running mean that begins at KN_RANS_USUAL.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define KN_RANS_LANES 8
#define KN_RANS_SLOTS 4096
#define KN_RANS_SYMBOLS 256
#define KN_RANS_FLOOR 65536u
#define KN_RANS_LEVELS 31  // a run's and a column's, 0 to 15 each, together
#define KN_RANS_MOVES 512
#define KN_RANS_USUAL 4096
#define KN_RANS_LARGEST_MEAN 65535  // 128 KN_RANS_MOVES - 1

typedef enum kn_rans_status {
  KN_RANS_DONE = 0,
  KN_RANS_SHORT = 1,    // the words or bits end too early
  KN_RANS_VALUE = 2,    // an integer beyond `limit`
  KN_RANS_ESCAPE = 3,   // an escape code too long to be one
} kn_rans_status;

// What an integer k stands for, in units of the stored scale: sign(k) (a subdivision - trim), where a is
// |k|, or with dependent quantization 2 |k|, less one in states 2 and 3 where k is not zero. trim[q][|k|]
// applies for |k| <= 3 and moves the value to the middle of the weights that became it.
typedef struct kn_value_rule {
  int32_t dependent, subdivision;
  uint8_t trim[2][4];
} kn_value_rule;

typedef struct kn_rans {
  const uint32_t *tables;       // contexts of KN_RANS_SLOTS: symbol | (f - 1) << 8 | (slot - s) << 20
  const int16_t *values;        // [2][KN_RANS_SYMBOLS]: what symbols stand for; read where shift is 0
  const uint8_t *column_levels; // as many as a run is long
  kn_value_rule rule;
  const uint32_t *factors;      // by level: 16 KN_RANS_USUAL / the usual magnitude, < 2^23; null: nothing moves
  const int32_t *moves;         // [KN_RANS_MOVES]: what is added to the level, by the mean's 128ths
  int32_t rate;                 // the last magnitude counts for 2^-rate of the mean
  int32_t lowest, last_class;   // class = level - lowest, but 0 to last_class
  int32_t state_shift;          // context = class << (2 - state_shift) | state >> state_shift
  int32_t low, escape;          // k = low + symbol; the symbol that is followed by an escape code
  int32_t shift, escape_order;  // low bits of each integer stored as they are; Exp-Golomb order
  int32_t limit;                // of the value's magnitude, at most 32767
  size_t lanes;                 // 1, 2 or KN_RANS_LANES
  uint32_t states[KN_RANS_LANES];
  // One stream of words, and one of bits, lowest bit first.
  const uint8_t *words, *words_end, *bits, *bits_end;
  uint64_t bit_buffer;
  uint32_t bit_count;
} kn_rans;

// The value of `k` in quantizer `q` (0 or 1); |k| <= 2^20.
int32_t kn_rans_value(const kn_value_rule *rule, int32_t k, int q);

// Decodes one group: `runs` (1 ... lanes) runs of `length` integers, of which the last has `last_length`.
// The values of run i go to out[i * length ...]. The words, bits and states in `r` move on.
kn_rans_status kn_rans_decode(
    kn_rans *r, const uint8_t *run_levels, size_t runs, size_t length, size_t last_length, int16_t *out);
