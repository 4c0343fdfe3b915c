// What the loops over a full group of lanes share.
#pragma once
#include "rans.h"

// The machine: state << 1 | parity to the next state, two bits each.
#define KN_RANS_TRANSITIONS 0x7D28u

// The lanes of a group on their way: KN_RANS_LANES each, and where the words stand.
typedef struct kn_rans_group {
  uint32_t x[KN_RANS_LANES], state[KN_RANS_LANES], mean[KN_RANS_LANES];
  int32_t level[KN_RANS_LANES];
  const uint8_t *words;
} kn_rans_group;

#if defined(__x86_64__)
// Decodes columns `from` ... `to` of a full group, and stops before one with an escape, with a value beyond the
// limit, or with too few words or bits left. Returns where it stopped. Symbols have table values or, where low
// bits follow, at most 4 each, stand for themselves. Needs AVX2.
size_t kn_rans_columns_avx2(
    kn_rans *r, kn_rans_group *g, size_t from, size_t to, size_t length, int16_t *out);
#endif
