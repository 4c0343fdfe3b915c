#include "operator_jobs.h"
#include "parts.h"

static void decode_panels(const kn_matmul *j, size_t panel, size_t count, float *out) {
  const size_t k = j->gemm.k, n = j->gemm.n;
  for (size_t i = 0; i < count; i++, out += KN_PANEL * k) {
    const size_t p = panel + i;
    if (j->scheme == KN_F16) {
      j->kernels->decode_panel_f16((const uint16_t *)j->weights + p * KN_PANEL * k, out, k);
    } else if (j->scheme == KN_BF16) {
      j->kernels->decode_panel_bf16((const uint16_t *)j->weights + p * KN_PANEL * k, out, k);
    } else {
      const size_t blocks = (k + KN_BLOCK - 1) / KN_BLOCK, left = n - p * KN_PANEL;
      const size_t row_bytes = blocks * kn_block_bytes(kn_block_bits(j->scheme));
      j->kernels->decode_panel_blocks(
          j->scheme, (const char *)j->weights + p * KN_PANEL * row_bytes, blocks,
          left < KN_PANEL ? left : KN_PANEL, out, k);
    }
  }
}

void kn_matmul_job(void *arguments, size_t part, size_t parts) {
  const kn_matmul *j = arguments;
  const kn_gemm *g = &j->gemm;
  const size_t panels = (g->n + KN_PANEL - 1) / KN_PANEL;
  size_t p0, p1;
  kn_slice(panels, 1, part, parts, &p0, &p1);
  float *const panel = j->scratch + part * 2 * KN_PANEL * g->k;
  for (size_t p = p0; p < p1; p += 2) {
    const size_t count = p1 - p < 2 ? p1 - p : 2;
    decode_panels(j, p, count, panel);
    // The two decoded panels are a product of their own.
    kn_gemm local = *g;
    local.b = panel;
    local.c = g->c + p * KN_PANEL;
    local.n = g->n - p * KN_PANEL < count * KN_PANEL ? g->n - p * KN_PANEL : count * KN_PANEL;
    if (g->bias && g->bias_axis == KN_BIAS_COLUMN) local.bias = g->bias + p * KN_PANEL;
    j->kernels->gemm_f32(&local, 0, g->m, 0, count);
  }
}

void kn_quantize_job(void *arguments, size_t part, size_t parts) {
  const kn_quantize *j = arguments;
  size_t r0, r1;
  kn_slice(j->rows, 1, part, parts, &r0, &r1);
  if (r0 == r1) return;
  j->kernels->quantize_rows_i8(
      j->x + r0 * j->ld_x, j->ld_x, r1 - r0, j->k, j->codes + r0 * j->ld_codes, j->ld_codes,
      j->scales + r0);
}

// Rows of scores kept at a time, so that long sequences do not need a square of scratch.
enum { SCORE_ROWS = 48 };

static size_t panel_floats(size_t n, size_t k) { return (n + KN_PANEL - 1) / KN_PANEL * KN_PANEL * k; }

size_t kn_attention_scratch(size_t k_length, size_t head_width, size_t value_width) {
  return panel_floats(k_length, head_width) + panel_floats(value_width, k_length) + SCORE_ROWS * k_length;
}

void kn_attention_job(void *arguments, size_t part, size_t parts) {
  const kn_attention *j = arguments;
  const kn_kernels *kn = j->kernels;
  float *const keys = j->scratch + part * kn_attention_scratch(j->k_length, j->head_width, j->value_width);
  float *const values = keys + panel_floats(j->k_length, j->head_width);
  float *const scores = values + panel_floats(j->value_width, j->k_length);
  size_t h0, h1;
  kn_slice(j->batch * j->heads, 1, part, parts, &h0, &h1);
  for (size_t bh = h0; bh < h1; bh++) {
    const size_t b = bh / j->heads, h = bh % j->heads;
    const float *k = j->k + b * j->k_length * j->k_stride + h * j->head_width;
    const float *v = j->v + b * j->k_length * j->v_stride + h * j->value_width;
    kn->pack_f32(k, 1, j->k_stride, j->head_width, j->k_length, keys);
    kn->pack_f32(v, j->v_stride, 1, j->k_length, j->value_width, values);
    for (size_t row = 0; row < j->q_length; row += SCORE_ROWS) {
      const size_t rows = j->q_length - row < SCORE_ROWS ? j->q_length - row : SCORE_ROWS;
      kn_gemm g = {
          .a = j->q + (b * j->q_length + row) * j->q_stride + h * j->head_width, .lda = j->q_stride,
          .b = keys, .c = scores, .ldc = j->k_length, .m = rows, .n = j->k_length, .k = j->head_width,
          .alpha = j->scale};
      kn->gemm_f32(&g, 0, rows, 0, (j->k_length + KN_PANEL - 1) / KN_PANEL);
      if (j->mask) {
        for (size_t i = 0; i < rows; i++) {
          const float *m = j->mask + b * j->mask_batch + h * j->mask_head + (row + i) * j->mask_row;
          float *s = scores + i * j->k_length;
          if (j->mask_column == 1) kn->binary_f32(KN_B_ADD, KN_BOTH, s, m, s, j->k_length);
          else kn->binary_f32(KN_B_ADD, KN_B_SCALAR, s, m, s, j->k_length);
        }
      }
      kn->softmax_f32(scores, scores, rows, j->k_length, 0);
      kn_gemm w = {
          .a = scores, .lda = j->k_length, .b = values,
          .c = j->y + (b * j->q_length + row) * j->y_stride + h * j->value_width, .ldc = j->y_stride,
          .m = rows, .n = j->value_width, .k = j->k_length, .alpha = 1};
      kn->gemm_f32(&w, 0, rows, 0, (j->value_width + KN_PANEL - 1) / KN_PANEL);
    }
  }
}

void kn_softmax_job(void *arguments, size_t part, size_t parts) {
  const kn_rows *j = arguments;
  size_t r0, r1;
  kn_slice(j->rows, 1, part, parts, &r0, &r1);
  if (r0 == r1) return;
  j->kernels->softmax_f32(j->x + r0 * j->width, j->y + r0 * j->width, r1 - r0, j->width, j->log);
}

void kn_layer_norm_job(void *arguments, size_t part, size_t parts) {
  const kn_rows *j = arguments;
  size_t r0, r1;
  kn_slice(j->rows, 1, part, parts, &r0, &r1);
  if (r0 == r1) return;
  const size_t at = r0 * j->width;
  j->kernels->layer_norm_f32(
      j->x + at, j->residual ? j->residual + at : 0, j->scale, j->bias, j->sum ? j->sum + at : 0,
      j->y + at, r1 - r0, j->width, j->epsilon);
}

void kn_unary_job(void *arguments, size_t part, size_t parts) {
  const kn_map *j = arguments;
  size_t a, b;
  kn_slice(j->count, 64, part, parts, &a, &b);
  if (a == b) return;
  j->kernels->unary_f32(j->op, j->x + a, j->y + a, b - a, j->p0, j->p1);
}

void kn_quantize_values_job(void *arguments, size_t part, size_t parts) {
  const kn_quantize_values *j = arguments;
  size_t a, b;
  kn_slice(j->count, 64, part, parts, &a, &b);
  char *const y = (char *)j->y + a * (j->type == KN_I16 ? 2 : 1);
  if (a < b)
    j->kernels->quantize_f32(j->x + a, y, b - a, j->factor, j->divides, j->zero, j->type);
}
