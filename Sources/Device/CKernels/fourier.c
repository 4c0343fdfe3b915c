// Discrete Fourier transforms: mixed radix where all prime factors are small (Stockham's order, which
// needs no reversal of indices), else Bluestein's way, as a convolution with a chirp.
#include "include/fourier.h"
#include <math.h>
#include <string.h>
#include "parts.h"

enum { LARGEST_RADIX = 31, MOST_FACTORS = 64 };

// The complex numbers of a transform: all of them, or half where one side is real and the length even.
static size_t points_of(size_t length, int real) {
  return real && length % 2 == 0 ? length / 2 : length;
}

// Factors of n into 4, 2 and odd primes; 0 where a prime is too large for a radix.
static size_t factors_of(size_t n, size_t *factors) {
  size_t count = 0;
  while (n % 4 == 0) factors[count++] = 4, n /= 4;
  if (n % 2 == 0) factors[count++] = 2, n /= 2;
  for (size_t p = 3; n > 1; p += 2) {
    if (p > LARGEST_RADIX) return 0;
    while (n % p == 0) factors[count++] = p, n /= p;
  }
  return count;
}

// The length of the convolution that a transform of n points becomes; 0 where radices do.
static size_t padded_of(size_t n) {
  size_t factors[MOST_FACTORS];
  if (n <= 1 || factors_of(n, factors) > 0) return 0;
  size_t padded = 1;
  while (padded < 2 * n - 1) padded *= 2;
  return padded;
}

size_t kn_fourier_table_count(size_t length, int real) {
  const size_t points = points_of(length, real), padded = padded_of(points);
  return 2 * length + (padded ? 4 * padded + 2 * points : 0);
}

size_t kn_fourier_scratch(size_t length, int real) {
  const size_t points = points_of(length, real), padded = padded_of(points);
  return padded ? 2 * points + 4 * padded : 4 * points;
}

// Powers 0 to n - 1 of e^(-2 pi i / n): real parts, then imaginary ones.
static void powers(size_t n, float *table) {
  for (size_t k = 0; k < n; k++) {
    const double angle = -2 * M_PI * (double)k / (double)n;
    table[k] = (float)cos(angle);
    table[n + k] = (float)sin(angle);
  }
}

// x times a complex number with parts wr and wi.
#define KN_TURN(re, im, xr, xi, wr, wi)                                                            \
  const float re = (xr) * (wr) - (xi) * (wi), im = (xr) * (wi) + (xi) * (wr)

// One stage: r sequences, m * s apart, become one; element p turns by the power p k s of the
// length-n root, whose powers stand `step` apart in tables of n * step.
typedef struct stage {
  size_t m, s, n, step;
  const float *wr, *wi;
  const float *xr, *xi;
  float *yr, *yi;
} stage;

static void radix2(const stage *g) {
  const size_t m = g->m, s = g->s;
  for (size_t p = 0; p < m; p++) {
    const float wr = g->wr[p * s * g->step], wi = g->wi[p * s * g->step];
    const float *ar = g->xr + s * p, *ai = g->xi + s * p, *br = ar + s * m, *bi = ai + s * m;
    float *yr = g->yr + 2 * s * p, *yi = g->yi + 2 * s * p;
    for (size_t t = 0; t < s; t++) {
      const float dr = ar[t] - br[t], di = ai[t] - bi[t];
      yr[t] = ar[t] + br[t];
      yi[t] = ai[t] + bi[t];
      KN_TURN(re, im, dr, di, wr, wi);
      yr[s + t] = re;
      yi[s + t] = im;
    }
  }
}

static void radix4(const stage *g) {
  const size_t m = g->m, s = g->s, far = s * m;
  for (size_t p = 0; p < m; p++) {
    const size_t w = p * s * g->step;
    const float w1r = g->wr[w], w1i = g->wi[w], w2r = g->wr[2 * w], w2i = g->wi[2 * w];
    const float w3r = g->wr[3 * w], w3i = g->wi[3 * w];
    const float *xr = g->xr + s * p, *xi = g->xi + s * p;
    float *restrict yr = g->yr + 4 * s * p, *restrict yi = g->yi + 4 * s * p;
    for (size_t t = 0; t < s; t++) {
      const float b0r = xr[t] + xr[t + 2 * far], b0i = xi[t] + xi[t + 2 * far];
      const float b1r = xr[t] - xr[t + 2 * far], b1i = xi[t] - xi[t + 2 * far];
      const float b2r = xr[t + far] + xr[t + 3 * far], b2i = xi[t + far] + xi[t + 3 * far];
      const float b3r = xr[t + far] - xr[t + 3 * far], b3i = xi[t + far] - xi[t + 3 * far];
      KN_TURN(y1r, y1i, b1r + b3i, b1i - b3r, w1r, w1i);
      KN_TURN(y2r, y2i, b0r - b2r, b0i - b2i, w2r, w2i);
      KN_TURN(y3r, y3i, b1r - b3i, b1i + b3r, w3r, w3i);
      yr[t] = b0r + b2r;
      yi[t] = b0i + b2i;
      yr[t + s] = y1r;
      yi[t + s] = y1i;
      yr[t + 2 * s] = y2r;
      yi[t + 2 * s] = y2i;
      yr[t + 3 * s] = y3r;
      yi[t + 3 * s] = y3i;
    }
  }
}

static void radix(const stage *g, size_t r) {
  const size_t m = g->m, s = g->s, root = g->n / r;
  for (size_t p = 0; p < m; p++)
    for (size_t k = 0; k < r; k++) {
      float *restrict yr = g->yr + s * (r * p + k), *restrict yi = g->yi + s * (r * p + k);
      memset(yr, 0, s * sizeof *yr);
      memset(yi, 0, s * sizeof *yi);
      for (size_t q = 0; q < r; q++) {
        const size_t w = (q * k % r * root + p * k * s) % g->n * g->step;
        const float wr = g->wr[w], wi = g->wi[w];
        const float *xr = g->xr + s * (p + m * q), *xi = g->xi + s * (p + m * q);
        for (size_t t = 0; t < s; t++) {
          yr[t] += xr[t] * wr - xi[t] * wi;
          yi[t] += xr[t] * wi + xi[t] * wr;
        }
      }
    }
}

// Transforms n numbers in place; `spare` holds as many. The powers of the n-th root stand `step`
// apart in wr and wi.
static void mixed(
    size_t n, const float *wr, const float *wi, size_t step, float *re, float *im, float *spare) {
  size_t factors[MOST_FACTORS];
  const size_t count = factors_of(n, factors);
  stage g = {.n = n, .s = 1, .step = step, .wr = wr, .wi = wi, .xr = re, .xi = im, .yr = spare, .yi = spare + n};
  g.m = n;
  for (size_t i = 0; i < count; i++) {
    g.m /= factors[i];
    if (factors[i] == 4) radix4(&g);
    else if (factors[i] == 2) radix2(&g);
    else radix(&g, factors[i]);
    g.s *= factors[i];
    float *const yr = g.yr, *const yi = g.yi;
    g.yr = yr == re ? spare : re;
    g.yi = yr == re ? spare + n : im;
    g.xr = yr;
    g.xi = yi;
  }
  if (g.xr != re) {
    memcpy(re, g.xr, n * sizeof *re);
    memcpy(im, g.xi, n * sizeof *im);
  }
}

// The tables of a transform, one behind the other.
typedef struct tables {
  size_t length, points, padded;
  const float *wr, *wi;  // powers of the length's root
  const float *pr, *pi;  // of the padded length's
  const float *cr, *ci;  // the chirp e^(-pi i k^2 / points)
  const float *br, *bi;  // the transform of its inverse, over padded
} tables;

static tables split(size_t length, int real, const float *t) {
  tables s = {.length = length, .points = points_of(length, real)};
  s.padded = padded_of(s.points);
  s.wr = t;
  s.wi = t + length;
  s.pr = t + 2 * length;
  s.pi = s.pr + s.padded;
  s.cr = s.pi + s.padded;
  s.ci = s.cr + s.points;
  s.br = s.ci + s.points;
  s.bi = s.br + s.padded;
  return s;
}

void kn_fourier_table(size_t length, int real, float *table, float *scratch) {
  powers(length, table);
  const tables s = split(length, real, table);
  if (!s.padded) return;
  powers(s.padded, (float *)s.pr);
  float *const br = (float *)s.br, *const bi = (float *)s.bi;
  memset(br, 0, 2 * s.padded * sizeof *br);
  size_t square = 0;  // k^2 modulo 2 points
  for (size_t k = 0; k < s.points; k++) {
    const double angle = -M_PI * (double)square / (double)s.points;
    ((float *)s.cr)[k] = (float)cos(angle);
    ((float *)s.ci)[k] = (float)sin(angle);
    const size_t other = k ? s.padded - k : 0;
    br[k] = br[other] = (float)(cos(angle) / (double)s.padded);
    bi[k] = bi[other] = (float)(-sin(angle) / (double)s.padded);
    // Small numbers all along: k^2 itself would leave angles few digits.
    square = (square + 2 * k + 1) % (2 * s.points);
  }
  mixed(s.padded, s.pr, s.pi, 1, br, bi, scratch);
}

// Transforms `points` numbers in place; `spare` is what kn_fourier_scratch leaves beside them.
static void transform(const tables *s, float *re, float *im, float *spare) {
  const size_t n = s->points, padded = s->padded;
  if (!padded) {
    mixed(n, s->wr, s->wi, s->length / n, re, im, spare);
    return;
  }
  // X[k] = c[k] sum of (x[j] c[j]) / c[k - j]: a convolution, done as a product of transforms.
  float *const ar = spare, *const ai = ar + padded, *const rest = ai + padded;
  for (size_t k = 0; k < n; k++) {
    KN_TURN(r, i, re[k], im[k], s->cr[k], s->ci[k]);
    ar[k] = r;
    ai[k] = i;
  }
  memset(ar + n, 0, (padded - n) * sizeof *ar);
  memset(ai + n, 0, (padded - n) * sizeof *ai);
  mixed(padded, s->pr, s->pi, 1, ar, ai, rest);
  for (size_t k = 0; k < padded; k++) {
    KN_TURN(r, i, ar[k], ai[k], s->br[k], s->bi[k]);
    ar[k] = r;
    ai[k] = i;
  }
  // Backward is forward with the parts swapped.
  mixed(padded, s->pr, s->pi, 1, ai, ar, rest);
  for (size_t k = 0; k < n; k++) {
    KN_TURN(r, i, ar[k], ai[k], s->cr[k], s->ci[k]);
    re[k] = r;
    im[k] = i;
  }
}

// Sample j of a transform's input; behind the last there are zeros.
static float sample(const kn_fourier *f, const float *x, size_t j) {
  if (j >= f->x_count) return 0;
  return f->window ? x[j * f->x_step] * f->window[j] : x[j * f->x_step];
}
static float sample_i(const kn_fourier *f, const float *x, size_t j) {
  return f->x_complex ? sample(f, x + 1, j) : 0;
}
static void put(const kn_fourier *f, float *y, size_t k, float re, float im) {
  if (k >= f->y_count) return;
  y[k * f->y_step] = re;
  if (f->y_complex) y[k * f->y_step + 1] = im;
}

// A real sequence of even length: its even samples are the real parts and its odd ones the imaginary
// parts of a sequence half as long, whose transform holds both theirs.
static void forward_half(
    const kn_fourier *f, const tables *s, const float *x, float *y, float *re, float *im, float *spare) {
  const size_t n = s->length, half = s->points;
  for (size_t j = 0; j < half; j++) {
    re[j] = sample(f, x, 2 * j);
    im[j] = sample(f, x, 2 * j + 1);
  }
  transform(s, re, im, spare);
  for (size_t k = 0; k <= half; k++) {
    const size_t a = k == half ? 0 : k, b = k ? half - k : 0;
    const float er = (re[a] + re[b]) / 2, ei = (im[a] - im[b]) / 2;
    const float or_ = (im[a] + im[b]) / 2, oi = (re[b] - re[a]) / 2;
    const float wr = k == half ? -1 : s->wr[k], wi = k == half ? 0 : s->wi[k];
    KN_TURN(tr, ti, or_, oi, wr, wi);
    put(f, y, k, er + tr, ei + ti);
    if (k && k < half) put(f, y, n - k, er + tr, -(ei + ti));
  }
}

// The way back.
static void inverse_half(
    const kn_fourier *f, const tables *s, const float *x, float *y, float *re, float *im, float *spare) {
  const size_t n = s->length, half = s->points;
  for (size_t k = 0; k < half; k++) {
    const size_t b = half - k;
    // What the first and the middle number have of an imaginary part, no real sequence has.
    const float ar = sample(f, x, k), ai = k ? sample_i(f, x, k) : 0;
    const float br = sample(f, x, b), bi = k ? -sample_i(f, x, b) : 0;
    const float er = ar + br, ei = ai + bi, dr = ar - br, di = ai - bi;
    // The odd samples' transform turns back by w^-k, and goes to the imaginary part.
    KN_TURN(tr, ti, dr, di, s->wr[k], -s->wi[k]);
    re[k] = er - ti;
    im[k] = ei + tr;
  }
  transform(s, im, re, spare);
  const float scale = 1 / (float)n;
  for (size_t j = 0; j < half; j++) {
    put(f, y, 2 * j, re[j] * scale, 0);
    put(f, y, 2 * j + 1, im[j] * scale, 0);
  }
}

static void whole(
    const kn_fourier *f, const tables *s, const float *x, float *y, float *re, float *im, float *spare) {
  const size_t n = s->length;
  const size_t given = f->inverse && f->mirror ? n / 2 + 1 : n;
  for (size_t j = 0; j < given; j++) {
    re[j] = sample(f, x, j);
    im[j] = sample_i(f, x, j);
  }
  if (given < n) im[0] = 0;
  for (size_t j = given; j < n; j++) {
    re[j] = re[n - j];
    im[j] = -im[n - j];
  }
  if (f->inverse) transform(s, im, re, spare);
  else transform(s, re, im, spare);
  const float scale = f->inverse ? 1 / (float)n : 1;
  for (size_t k = 0; k < f->y_count; k++) put(f, y, k, re[k] * scale, im[k] * scale);
}

void kn_fourier_job(void *arguments, size_t part, size_t parts) {
  const kn_fourier *f = arguments;
  const int real = kn_fourier_is_real(f->x_complex, f->inverse, f->mirror);
  const tables s = split(f->length, real, f->table);
  float *const re = f->scratch + part * kn_fourier_scratch(f->length, real);
  float *const im = re + s.points, *const spare = im + s.points;
  size_t r0, r1;
  kn_slice(f->transforms, 1, part, parts, &r0, &r1);
  for (size_t r = r0; r < r1; r++) {
    const float *x = f->x + r / f->group * f->x_outer + r % f->group * f->x_inner;
    float *y = f->y + r / f->group * f->y_outer + r % f->group * f->y_inner;
    if (s.points == s.length) whole(f, &s, x, y, re, im, spare);
    else if (f->inverse) inverse_half(f, &s, x, y, re, im, spare);
    else forward_half(f, &s, x, y, re, im, spare);
  }
}
