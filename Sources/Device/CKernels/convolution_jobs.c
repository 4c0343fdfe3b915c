// Convolution as matrix products over chunks of the im2col matrix, and channel by channel.
#include <stdint.h>
#include <string.h>
#include "kernels.h"
#include "operator_jobs.h"
#include "parts.h"

static size_t window_rows(const kn_conv *c) {
  return c->window.channels * c->window.kernel_h * c->window.kernel_w;
}
static size_t panels_bytes(const kn_conv *c) {
  return kn_align64(c->chunk_panels * KN_PANEL * window_rows(c) * sizeof(float));
}
static size_t codes_bytes(const kn_conv *c) {
  return kn_align64(c->chunk_panels * KN_PANEL * ((window_rows(c) + 3) / 4 * 4));
}

size_t kn_conv_scratch(const kn_conv *c) {
  const size_t panels = panels_bytes(c);
  if (c->scheme == KN_F32) return panels;
  if (c->scheme == KN_INT8) {
    return panels + codes_bytes(c) + kn_align64(c->chunk_panels * KN_PANEL * sizeof(float));
  }
  return panels + kn_align64(c->row_block * window_rows(c) * sizeof(float));
}

static size_t row_bytes(int scheme, size_t k) {
  switch (scheme) {
    case KN_F32: return k * sizeof(float);
    case KN_INT8: return (k + 3) & ~(size_t)3;
    case KN_F16:
    case KN_BF16: return k * sizeof(uint16_t);
    default: return (k + KN_BLOCK - 1) / KN_BLOCK * kn_block_bytes(kn_block_bits(scheme));
  }
}

// Weight row `row` as f32.
static void decode_row(const kn_conv *c, size_t row, float *out) {
  const size_t k = window_rows(c);
  const char *at = (const char *)c->weights + row * row_bytes(c->scheme, k);
  switch (c->scheme) {
    case KN_F32: memcpy(out, at, k * sizeof(float)); break;
    case KN_F16: c->kernels->decode_f16((const uint16_t *)at, out, k); break;
    case KN_BF16: c->kernels->decode_bf16((const uint16_t *)at, out, k); break;
    case KN_INT8: c->kernels->decode_i8((const int8_t *)at, c->weight_scales[row], out, k); break;
    default: c->kernels->decode_blocks(c->scheme, at, out, k); break;
  }
}

// Some panels of the im2col matrix of one image and group, ready to be multiplied.
typedef struct chunk {
  size_t image_group, group, first_panel, panels;
  float *floats;
  int8_t *codes;
  float *scales;
} chunk;

static chunk fill_chunk(
    const kn_conv *c, size_t index, size_t chunks, size_t all_panels, char *scratch) {
  const kn_im2col *w = &c->window;
  chunk h = {.image_group = index / chunks, .first_panel = index % chunks * c->chunk_panels};
  h.group = h.image_group % c->groups;
  const size_t left = all_panels - h.first_panel;
  h.panels = left < c->chunk_panels ? left : c->chunk_panels;
  h.floats = (float *)scratch;
  kn_im2col local = *w;
  local.x = c->x + h.image_group * w->channels * w->height * w->width;
  const size_t k = window_rows(c);
  // The kernel counts from where panel 0 would stand.
  c->kernels->im2col_f32(
      &local, h.floats - h.first_panel * KN_PANEL * k, h.first_panel, h.first_panel + h.panels);
  if (c->scheme != KN_INT8) return h;
  h.codes = (int8_t *)(scratch + panels_bytes(c));
  h.scales = (float *)((char *)h.codes + codes_bytes(c));
  c->kernels->quantize_panels_i8(h.floats, k, h.panels * KN_PANEL, h.codes, h.scales);
  return h;
}

// Rows [r0, r1) of the chunk's product.
static void multiply(const kn_conv *c, const chunk *h, size_t r0, size_t r1, float *decoded) {
  const size_t k = window_rows(c), columns = c->window.out_h * c->window.out_w;
  const size_t first = h->first_panel * KN_PANEL, row = h->group * c->outputs + r0, rows = r1 - r0;
  const size_t left = columns - first;
  kn_gemm g = {
      .b = h->floats, .ldc = columns,
      .c = c->y + (h->image_group * c->outputs + r0) * columns + first,
      .lda = k, .m = rows, .n = left < h->panels * KN_PANEL ? left : h->panels * KN_PANEL, .k = k,
      .bias = c->bias ? c->bias + row : 0, .bias_axis = c->bias ? KN_BIAS_ROW : KN_BIAS_NONE,
      .alpha = 1, .p0 = c->p0, .p1 = c->p1, .activation = c->activation,
      .a = (const char *)c->weights + row * row_bytes(c->scheme, k)};
  if (c->scheme == KN_F32) return c->kernels->gemm_f32(&g, 0, rows, 0, h->panels);
  if (c->scheme == KN_INT8) {
    g.lda = row_bytes(KN_INT8, k);
    g.b = h->codes;
    g.a_scales = c->weight_scales + row;
    g.b_scales = h->scales;
    return c->kernels->gemm_i8(&g, 0, rows, 0, h->panels);
  }
  for (size_t r = 0; r < rows; r += c->row_block) {
    const size_t count = rows - r < c->row_block ? rows - r : c->row_block;
    for (size_t i = 0; i < count; i++) decode_row(c, row + r + i, decoded + i * k);
    kn_gemm block = g;
    block.a = decoded;
    block.c = g.c + r * columns;
    block.m = count;
    block.bias = g.bias ? g.bias + r : 0;
    c->kernels->gemm_f32(&block, 0, count, 0, h->panels);
  }
}

void kn_conv_job(void *arguments, size_t part, size_t parts) {
  const kn_conv *c = arguments;
  const size_t panels = (c->window.out_h * c->window.out_w + KN_PANEL - 1) / KN_PANEL;
  const size_t chunks = (panels + c->chunk_panels - 1) / c->chunk_panels;
  char *const scratch = c->scratch + part * kn_conv_scratch(c);
  size_t u0, u1;
  kn_slice(c->batch * c->groups * chunks * c->row_cuts, 1, part, parts, &u0, &u1);
  chunk h = {0};
  for (size_t u = u0; u < u1; u++) {
    // Cuts of the same chunk follow one another: it is made once.
    if (u == u0 || u % c->row_cuts == 0)
      h = fill_chunk(c, u / c->row_cuts, chunks, panels, scratch);
    size_t r0, r1;
    kn_slice(c->outputs, 12, u % c->row_cuts, c->row_cuts, &r0, &r1);
    if (r0 < r1) multiply(c, &h, r0, r1, (float *)(scratch + panels_bytes(c)));
  }
}

size_t kn_depthwise_scratch(const kn_conv *c) {
  const size_t taps = c->window.kernel_h * c->window.kernel_w;
  return taps <= KN_DEPTHWISE_NEAR_TAPS ? 0 : kn_align64(taps * sizeof(float));
}

void kn_depthwise_job(void *arguments, size_t part, size_t parts) {
  const kn_conv *c = arguments;
  const kn_im2col *w = &c->window;
  const size_t outputs = c->groups * c->outputs;
  // On the stack, at a fixed distance from the kernel's own: see depthwise.c.
  float near[KN_DEPTHWISE_NEAR_TAPS];
  const size_t scratch = kn_depthwise_scratch(c);
  float *const row = scratch == 0 ? near : (float *)(c->scratch + part * scratch);
  size_t i0, i1;
  kn_slice(c->batch * outputs, 1, part, parts, &i0, &i1);
  for (size_t i = i0; i < i1; i++) {
    const size_t image = i / outputs, o = i % outputs;
    decode_row(c, o, row);
    kn_depthwise d = {
        .x = c->x + (image * c->groups + o / c->outputs) * w->height * w->width, .w = row,
        .y = c->y + i * w->out_h * w->out_w, .height = w->height, .width = w->width,
        .kernel_h = w->kernel_h, .kernel_w = w->kernel_w, .stride_h = w->stride_h,
        .stride_w = w->stride_w, .dilation_h = w->dilation_h, .dilation_w = w->dilation_w,
        .pad_top = w->pad_top, .pad_left = w->pad_left, .out_h = w->out_h, .out_w = w->out_w,
        .bias = c->bias ? c->bias[o] : 0, .p0 = c->p0, .p1 = c->p1, .activation = c->activation};
    c->kernels->depthwise_f32(&d);
  }
}

// [*first, *last) of `inputs` for which first * stride + shift - pad is in [0, outputs).
static void inputs_of_tap(
    size_t inputs, size_t outputs, size_t stride, size_t shift, size_t pad, size_t *first,
    size_t *last) {
  *first = shift >= pad ? 0 : (pad - shift + stride - 1) / stride;
  *last = shift >= outputs + pad ? 0 : (outputs + pad - shift + stride - 1) / stride;
  if (*last > inputs) *last = inputs;
  if (*first > *last) *first = *last;
}

// Adds plane x times kernel w to plane y.
static void spread(const kn_conv_transpose *c, const float *x, const float *w, float *y) {
  for (size_t ky = 0; ky < c->kernel_h; ky++) {
    size_t i0, i1;
    inputs_of_tap(c->height, c->out_h, c->stride_h, ky * c->dilation_h, c->pad_top, &i0, &i1);
    for (size_t kx = 0; kx < c->kernel_w; kx++) {
      size_t j0, j1;
      inputs_of_tap(c->width, c->out_w, c->stride_w, kx * c->dilation_w, c->pad_left, &j0, &j1);
      if (j0 == j1) continue;
      const float weight = w[ky * c->kernel_w + kx];
      for (size_t i = i0; i < i1; i++) {
        const float *in = x + i * c->width + j0;
        float *out = y + (i * c->stride_h + ky * c->dilation_h - c->pad_top) * c->out_w +
                     (j0 * c->stride_w + kx * c->dilation_w - c->pad_left);
        for (size_t j = 0; j < j1 - j0; j++) out[j * c->stride_w] += weight * in[j];
      }
    }
  }
}

void kn_conv_transpose_job(void *arguments, size_t part, size_t parts) {
  const kn_conv_transpose *c = arguments;
  const size_t plane = c->height * c->width, out_plane = c->out_h * c->out_w;
  const size_t taps = c->kernel_h * c->kernel_w;
  size_t p0, p1;
  kn_slice(c->batch * c->groups * c->outputs, 1, part, parts, &p0, &p1);
  for (size_t p = p0; p < p1; p++) {
    const size_t o = p % c->outputs, group = p / c->outputs % c->groups;
    const size_t image = p / c->outputs / c->groups;
    float *y = c->y + p * out_plane;
    const float bias = c->bias ? c->bias[group * c->outputs + o] : 0;
    for (size_t i = 0; i < out_plane; i++) y[i] = bias;
    for (size_t k = 0; k < c->channels; k++) {
      const size_t channel = group * c->channels + k;
      spread(
          c, c->x + (image * c->groups * c->channels + channel) * plane,
          c->weights + (channel * c->outputs + o) * taps, y);
    }
  }
}
