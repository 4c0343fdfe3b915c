// softmax_f32: y = e^(x - max x) / Σ e^(x - max x), or its logarithm, row by row.
//
// -infinity gives 0 (its logarithm -infinity); a row of nothing else, or with a NaN or +infinity in
// it, gives NaN, as in the reference engines.
#ifndef KN_ISA
#include <math.h>
#include "variants.h"

void kn_softmax_f32__scalar(const float *x, float *y, size_t rows, size_t width, int log) {
  for (size_t i = 0; i < rows; i++, x += width, y += width) {
    float highest = -INFINITY, sum = 0;
    for (size_t j = 0; j < width; j++) highest = x[j] > highest ? x[j] : highest;
    for (size_t j = 0; j < width; j++) {
      const float e = expf(x[j] - highest);
      sum += e;
      if (!log) y[j] = e;
    }
    const float log_sum = logf(sum), factor = 1 / sum;
    for (size_t j = 0; j < width; j++) y[j] = log ? (x[j] - highest) - log_sum : y[j] * factor;
  }
}

#define KN_SELF "softmax.c"
#include "each_isa.h"

#else
#include "vector_math.h"

// Rows of a few numbers leave most lanes of a vector empty: a row to a lane instead.
enum { KN_NAME(narrow) = 8 };

// KN_LANES rows of at most `narrow` numbers.
KN_LANE_FN void KN_NAME(softmax_narrow)(const float *x, float *y, size_t width, int log) {
  float turned[KN_NAME(narrow) * KN_LANES];
  for (size_t l = 0; l < KN_LANES; l++)
    for (size_t j = 0; j < width; j++) turned[j * KN_LANES + l] = x[l * width + j];
  vf highest = v_splat(-__builtin_inff()), sum = v_splat(0);
  for (size_t j = 0; j < width; j++) highest = v_max(v_load(turned + j * KN_LANES), highest);
  for (size_t j = 0; j < width; j++) {
    const vf below = v_load(turned + j * KN_LANES) - highest, e = v_exp(below);
    sum += e;
    v_store(turned + j * KN_LANES, log ? below : e);
  }
  const vf log_sum = log ? v_log(sum) : sum, factor = 1 / sum;
  for (size_t j = 0; j < width; j++) {
    const vf column = v_load(turned + j * KN_LANES);
    v_store(turned + j * KN_LANES, log ? column - log_sum : column * factor);
  }
  for (size_t l = 0; l < KN_LANES; l++)
    for (size_t j = 0; j < width; j++) y[l * width + j] = turned[j * KN_LANES + l];
}

KN_TARGET void KN_NAME(kn_softmax_f32)(
    const float *x, float *y, size_t rows, size_t width, int log) {
  if (width <= KN_NAME(narrow))
    for (; rows >= KN_LANES; rows -= KN_LANES, x += KN_LANES * width, y += KN_LANES * width)
      KN_NAME(softmax_narrow)(x, y, width, log);
  const size_t whole = width - width % KN_LANES, rest = width - whole;
  vi in_rest = {0};
  for (size_t l = 0; l < rest; l++) in_rest[l] = -1;
  for (size_t i = 0; i < rows; i++, x += width, y += width) {
    vf lanes = v_splat(-__builtin_inff());
    for (size_t j = 0; j < whole; j += KN_LANES) lanes = v_max(v_load(x + j), lanes);
    if (rest) lanes = v_max(v_select(in_rest, v_load_n(x + whole, rest), lanes), lanes);
    const float highest = v_highest(lanes);
    vf sums = v_splat(0);
    for (size_t j = 0; j < whole; j += KN_LANES) {
      const vf e = v_exp(v_load(x + j) - highest);
      sums += e;
      if (!log) v_store(y + j, e);
    }
    if (rest) {
      const vf e = v_exp(v_load_n(x + whole, rest) - highest);
      sums += v_select(in_rest, e, v_splat(0));
      if (!log) v_store_n(y + whole, e, rest);
    }
    const float sum = v_sum(sums);
    if (log) {
      const vf log_sum = v_log(v_splat(sum));
      for (size_t j = 0; j < whole; j += KN_LANES)
        v_store(y + j, (v_load(x + j) - highest) - log_sum);
      if (rest) v_store_n(y + whole, (v_load_n(x + whole, rest) - highest) - log_sum, rest);
    } else {
      const float factor = 1 / sum;
      for (size_t j = 0; j < whole; j += KN_LANES) v_store(y + j, v_load(y + j) * factor);
      if (rest) v_store_n(y + whole, v_load_n(y + whole, rest) * factor, rest);
    }
  }
}
#endif
