// Decision forests: block by block of rows, several rows down one tree at a time; what rows are left, one
// by one down several trees.
#include <math.h>
#include <string.h>
#include "operator_jobs.h"
#include "parts.h"

enum { MODE = 3, LESS_OR_EQUAL = 0, EQUAL = 1, MEMBER = 2, LEAF = 3, MISSING_LEFT = 4, ZERO_MISSING = 8 };

// Walks side by side, so that their loads overlap: rows down one tree, or one row down as many trees. More
// of them do not fit the registers.
enum { LANES = 4 };

static inline float as_float(uint32_t bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

static inline double as_double(uint64_t bits) {
  double d;
  memcpy(&d, &bits, sizeof d);
  return d;
}

// Whether v is in the set at `set`; never for NaN.
static int is_member(const uint32_t *set, double v, int wide) {
  const uint32_t count = set[0] & 0x3fffffff;
  const uint32_t kind = set[0] >> 30;
  set++;
  if (kind < 2) {
    // Categories truncate towards 0; kind 1 has none below it.
    if (!(kind ? v >= 0 : v > -1) || !(v < count)) return 0;
    const uint32_t c = (uint32_t)v;
    return set[c / 32] >> c % 32 & 1;
  }
  for (uint32_t i = 0; i < count; i++) {
    const double member =
        wide ? as_double(set[2 * i] | (uint64_t)set[2 * i + 1] << 32) : as_float(set[i]);
    if (v == member) return 1;
  }
  return 0;
}

// What to add to the index of a node to get to its child.
static inline __attribute__((always_inline)) uint32_t step_narrow(
    const kn_trees *j, uint32_t word, uint32_t value, float v) {
  int left = v <= as_float(value);
  if (__builtin_expect((word + 1) & 2, 0)) {
    left = (word & MODE) == EQUAL ? v == as_float(value) : is_member(j->sets + value, v, 0);
  }
  left |= (v != v) & (word >> 2 & 1);
  left |= (word & MODE) == LEAF;
  return (word >> KN_TREE_CHILD_SHIFT) + !left;
}

static inline __attribute__((always_inline)) uint32_t step_wide(
    const kn_trees *j, const kn_wide_tree_node *n, double v) {
  const uint32_t word = n->word;
  int left = v <= as_double(n->value);
  if (__builtin_expect((word + 1) & 2, 0)) {
    left = (word & MODE) == EQUAL ? v == as_double(n->value) : is_member(j->sets + n->value, v, 1);
  }
  // Sources that keep sparse tables take numbers this small for zeros.
  const int is_missing = v != v || ((word & ZERO_MISSING) && fabs(v) <= (double)1e-35f);
  if (is_missing) left = word >> 2 & 1;
  left |= (word & MODE) == LEAF;
  return n->child + !left;
}

static inline __attribute__((always_inline)) double value_at(
    const kn_trees *j, size_t row, uint32_t feature) {
  return j->x_is_double ? ((const double *)j->x)[row * j->features + feature]
                        : ((const float *)j->x)[row * j->features + feature];
}

// Walks from the nodes `at` to the leaves they come to; those that are there stay. Walk l goes by row
// `row` + l * row_step.
static inline __attribute__((always_inline)) void walk(
    const kn_trees *j, size_t *at, size_t row, const int row_step, const int lanes, int wide) {
  for (int open = 1; open;) {
    open = 0;
    for (int l = 0; l < lanes; l++) {
      if (wide) {
        const kn_wide_tree_node *n = (const kn_wide_tree_node *)j->nodes + at[l];
        open |= (n->word & MODE) != LEAF;
        at[l] += step_wide(
            j, n, value_at(j, row + l * row_step, n->word >> KN_WIDE_TREE_FEATURE_SHIFT));
      } else {
        const kn_tree_node *n = (const kn_tree_node *)j->nodes + at[l];
        const float *x = (const float *)j->x + (row + l * row_step) * j->features;
        const uint32_t word = n->word;
        open |= (word & MODE) != LEAF;
        const uint32_t feature = word >> KN_TREE_FEATURE_SHIFT & KN_TREE_FEATURE_MASK;
        at[l] += step_narrow(j, word, n->value, x[feature]);
      }
    }
  }
}

static inline double combined(int aggregate, double sum, double v) {
  switch (aggregate) {
    case KN_TREES_MIN: return v < sum ? v : sum;
    case KN_TREES_MAX: return v > sum ? v : sum;
    default: return sum + v;
  }
}

static inline __attribute__((always_inline)) void add_leaf(
    const kn_trees *j, size_t node, int32_t target, double *sums, int wide) {
  const kn_wide_tree_node *w = (const kn_wide_tree_node *)j->nodes + node;
  const kn_tree_node *n = (const kn_tree_node *)j->nodes + node;
  if (!j->leaves) {
    const double v = wide ? as_double(w->value) : as_float(n->value);
    sums[target] = combined(j->aggregate, sums[target], v);
    return;
  }
  const size_t leaf = (wide ? w->value : n->value) * j->targets;
  for (size_t t = 0; t < j->targets; t++) {
    const double v =
        wide ? ((const double *)j->leaves)[leaf + t] : ((const float *)j->leaves)[leaf + t];
    sums[t] = combined(j->aggregate, sums[t], v);
  }
}

// One row down `lanes` trees from `tree` on, whose leaves are added up in the trees' order: a sum does not
// tell how it was come by.
static inline __attribute__((always_inline)) void trees_of_row(
    const kn_trees *j, size_t row, size_t tree, const int lanes, double *sums, int wide) {
  size_t at[LANES];
  for (int l = 0; l < lanes; l++) at[l] = (size_t)j->trees[2 * (tree + l)];
  walk(j, at, row, 0, lanes, wide);
  for (int l = 0; l < lanes; l++) add_leaf(j, at[l], j->trees[2 * (tree + l) + 1], sums, wide);
}

static inline __attribute__((always_inline)) void block(
    const kn_trees *j, size_t row, size_t rows, double *sums, int wide) {
  const size_t grouped = rows - rows % LANES;
  for (size_t tree = 0; tree < j->tree_count && grouped; tree++) {
    const int32_t target = j->trees[2 * tree + 1];
    for (size_t r = 0; r < grouped; r += LANES) {
      size_t at[LANES];
      for (int l = 0; l < LANES; l++) at[l] = (size_t)j->trees[2 * tree];
      walk(j, at, row + r, 1, LANES, wide);
      for (int l = 0; l < LANES; l++)
        add_leaf(j, at[l], target, sums + (r + l) * j->targets, wide);
    }
  }
  for (size_t r = grouped; r < rows; r++) {
    double *const to = sums + r * j->targets;
    size_t tree = 0;
    for (; tree + LANES <= j->tree_count; tree += LANES)
      trees_of_row(j, row + r, tree, LANES, to, wide);
    for (; tree < j->tree_count; tree++) trees_of_row(j, row + r, tree, 1, to, wide);
  }
}

static void finish(const kn_trees *j, size_t row, size_t rows, const double *sums) {
  for (size_t r = 0; r < rows; r++) {
    for (size_t t = 0; t < j->targets; t++) {
      double v = sums[r * j->targets + t];
      // No leaf had a value for this target.
      if (j->aggregate != KN_TREES_SUM && isinf(v)) v = 0;
      v /= j->divisor;
      if (j->base) v += j->is_wide ? ((const double *)j->base)[t] : ((const float *)j->base)[t];
      const size_t at = (row + r) * j->targets + t;
      if (j->y_is_double) ((double *)j->y)[at] = v;
      else ((float *)j->y)[at] = (float)v;
    }
  }
}

void kn_trees_job(void *arguments, size_t part, size_t parts) {
  const kn_trees *j = arguments;
  double *const sums = j->scratch + part * j->sums_per_part;
  const double start =
      j->aggregate == KN_TREES_MIN ? INFINITY : j->aggregate == KN_TREES_MAX ? -INFINITY : 0;
  size_t r0, r1;
  kn_slice(j->rows, 1, part, parts, &r0, &r1);
  for (size_t row = r0; row < r1; row += j->block_rows) {
    const size_t rows = r1 - row < j->block_rows ? r1 - row : j->block_rows;
    for (size_t i = 0; i < rows * j->targets; i++) sums[i] = start;
    if (j->is_wide) block(j, row, rows, sums, 1);
    else block(j, row, rows, sums, 0);
    finish(j, row, rows, sums);
  }
}
