// Discrete Fourier transforms of any length, one after the other over a pool.
#pragma once
#include <stddef.h>

// What a transform of `length` points needs to know beforehand: powers of e^(-2 pi i / length), and for
// lengths with a large prime factor what their convolution takes. `real`: one side of the transform is
// real, so an even length is done as half of it in complex numbers. The table is kn_fourier_table_count
// floats, and made with kn_fourier_scratch floats of scratch, which is also what one part of a job takes.
size_t kn_fourier_table_count(size_t length, int real);
size_t kn_fourier_scratch(size_t length, int real);
void kn_fourier_table(size_t length, int real, float *table, float *scratch);

// y[k] = sum of x[j] e^(-2 pi i j k / length) over j < length; with `inverse` the sign is turned and the sum
// divided by length. Transform r reads x + r / group * x_outer + r % group * x_inner, its samples
// x_step apart, and writes y likewise. All strides are floats.
typedef struct kn_fourier {
  const float *x;
  float *y;
  const float *table;
  const float *window;  // `length` factors of the samples, or null
  size_t length, transforms, group;
  size_t x_outer, x_inner, x_step, x_count;  // samples there are: those behind them are zero
  size_t y_outer, y_inner, y_step, y_count;  // numbers wanted, at most `length`
  int x_complex, y_complex;                  // two floats a number, else its real part alone
  int inverse;
  int mirror;      // inverse: x holds length / 2 + 1 numbers, the others are their conjugates
  float *scratch;  // parts * kn_fourier_scratch floats
} kn_fourier;
void kn_fourier_job(void *arguments, size_t part, size_t parts);
// Whether the job runs with the tables and scratch of a real transform.
static inline int kn_fourier_is_real(int x_complex, int inverse, int mirror) {
  return inverse ? mirror : !x_complex;
}
