// What the conformance checks share: random inputs in exactly sized memory, outputs with a margin that
// must stay untouched, comparisons that are counted.
#pragma once
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kernels.h"

static size_t passed, failed;
static const char *subject = "";  // the set and kernel being checked

static uint64_t seed = 88172645463325252ull;
static uint32_t random_bits(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (uint32_t)(seed >> 32);
}
static float random_float(void) { return (float)(int32_t)random_bits() * 0x1p-31f; }

// Memory of exactly this size, so that a sanitizer sees a read past it. Never freed before release().
static void *held[4096];
static size_t held_count;
static void *memory(size_t bytes) {
  void *p = malloc(bytes ? bytes : 1);
  if (!p || held_count == sizeof held / sizeof held[0]) abort();
  return held[held_count++] = p;
}
static void release(void) {
  while (held_count) free(held[--held_count]);
}
static float *random_floats(size_t count) {
  float *x = memory(4 * count);
  for (size_t i = 0; i < count; i++) x[i] = random_float();
  return x;
}
static int8_t *random_codes(size_t count) {
  int8_t *x = memory(count);
  for (size_t i = 0; i < count; i++) x[i] = (int8_t)((int)(random_bits() % 255) - 127);
  return x;
}
// An output: every byte known, so that what a kernel must not write can be compared too.
static void *output(size_t bytes) { return memset(memory(bytes), 0x3f, bytes); }

static void expect(int good, const char *what, size_t at, double found, double wanted) {
  if (good) {
    passed++;
    return;
  }
  if (failed++ < 40) printf("%s: %s at %zu is %.9g, not %.9g\n", subject, what, at, found, wanted);
}
// All floats within `relative` of the wanted ones, or within `absolute`; one comparison is counted.
static void expect_floats(
    const char *what, const float *found, const float *wanted, size_t count, double relative,
    double absolute) {
  for (size_t i = 0; i < count; i++) {
    const double f = found[i], w = wanted[i];
    const int same = f == w || (f != f && w != w) ||
        (isfinite(f) && isfinite(w) && fabs(f - w) <= fmax(absolute, relative * fabs(w)));
    if (!same) {
      expect(0, what, i, f, w);
      return;
    }
  }
  expect(1, what, 0, 0, 0);
}
static void expect_bytes(const char *what, const void *found, const void *wanted, size_t bytes) {
  const int8_t *f = found, *w = wanted;
  for (size_t i = 0; i < bytes; i++)
    if (f[i] != w[i]) {
      expect(0, what, i, f[i], w[i]);
      return;
    }
  expect(1, what, 0, 0, 0);
}
