// Compares every kernel set of this CPU with the scalar one over sizes around the micro-tiles.
#include "check.h"
#define COUNT(ARRAY) (sizeof(ARRAY) / sizeof(ARRAY)[0])
#define NAME(KERNEL) snprintf(subject_text, sizeof subject_text, "%s %s", set->name, KERNEL)
static char subject_text[64];

static const kn_kernels *scalar, *set;
static const size_t lengths[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 131};

static void check_gemm(size_t m, size_t n, size_t k, int activation, int bias, int accumulate) {
  const size_t n16 = (n + 15) / 16 * 16, k4 = (k + 3) / 4, lda = k4 * 4 + 4, ldc = n + 3;
  float *a = random_floats(m * lda), *b = random_floats(k * n16), *biases = random_floats(m + n);
  kn_gemm g = {
      .a = a, .lda = lda, .b = b, .ldc = ldc, .m = m, .n = n, .k = k, .bias = bias ? biases : 0,
      .alpha = bias ? 0.75f : 1, .p0 = -0.5f, .p1 = 0.5f, .bias_axis = bias,
      .activation = activation, .accumulate = accumulate,
  };
  const size_t panels = n16 / 16;
  float *wanted = output(4 * (m * ldc + 8)), *found = output(4 * (m * ldc + 8));
  NAME("gemm_f32");
  g.c = wanted;
  scalar->gemm_f32(&g, 0, m, 0, panels);
  g.c = found;
  set->gemm_f32(&g, 0, m, 0, panels);
  expect_floats("c", found, wanted, m * ldc + 8, 1e-5, 3e-6 * sqrt((double)k + 1));
  // Cut in four, the bits are the same.
  float *cut = output(4 * (m * ldc + 8));
  g.c = cut;
  const size_t row = m / 3, panel = panels / 2;
  set->gemm_f32(&g, row, m, 0, panel);
  set->gemm_f32(&g, 0, row, 0, panel);
  set->gemm_f32(&g, 0, row, panel, panels);
  set->gemm_f32(&g, row, m, panel, panels);
  expect_bytes("cut c", cut, found, 4 * (m * ldc + 8));

  for (size_t threads = 1; threads < 9; threads += 3) {
    kn_gemm_work work = {set, &g, 0, 0};
    memset(cut, 0x3f, 4 * (m * ldc + 8));
    const size_t parts = kn_gemm_split(&work, threads);
    for (size_t part = parts; part-- > 0;) kn_gemm_f32_job(&work, part, parts);
    expect_bytes("c in parts", cut, found, 4 * (m * ldc + 8));
  }

  NAME("gemm_i8");
  int8_t *qa = random_codes(m * lda), *qb = random_codes(k4 * 4 * n16);
  for (size_t i = 0; i < m; i++) memset(qa + i * lda + k, 0, lda - k);
  g.a = qa, g.b = qb, g.a_scales = random_floats(m), g.b_scales = random_floats(n16);
  memset(wanted, 0x3f, 4 * (m * ldc + 8)), memset(found, 0x3f, 4 * (m * ldc + 8));
  g.c = wanted;
  scalar->gemm_i8(&g, 0, m, 0, panels);
  g.c = found;
  set->gemm_i8(&g, row, m, 0, panels);
  set->gemm_i8(&g, 0, row, panel, panels);
  set->gemm_i8(&g, 0, row, 0, panel);
  expect_floats("c", found, wanted, m * ldc + 8, 1e-5, 1e-2);
  // Unit scales: the integers themselves.
  if (activation == KN_LINEAR && !bias && !accumulate) {
    float *ones = memory(4 * (m + n16));
    for (size_t i = 0; i < m + n16; i++) ones[i] = 1;
    g.a_scales = ones, g.b_scales = ones + m;
    g.c = wanted;
    scalar->gemm_i8(&g, 0, m, 0, panels);
    g.c = found;
    set->gemm_i8(&g, 0, m, 0, panels);
    expect_bytes("exact c", found, wanted, 4 * (m * ldc + 8));
  }
  release();
}

static void check_products(void) {
  static const size_t ms[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 27, 99};
  static const size_t ns[] = {1, 4, 5, 15, 16, 17, 24, 31, 32, 33, 48, 51, 67};
  static const size_t ks[] = {0, 1, 3, 4, 5, 8, 9, 33, 67};
  int next = 0;
  for (size_t i = 0; i < COUNT(ms); i++)
    for (size_t j = 0; j < COUNT(ns); j++)
      for (size_t p = 0; p < COUNT(ks); p++) {
        check_gemm(ms[i], ns[j], ks[p], KN_LINEAR, KN_BIAS_NONE, 0);
        next++;
        check_gemm(ms[i], ns[j], ks[p], next % 11, next % 3, next % 2);
      }
  check_gemm(75, 133, 211, KN_LINEAR, KN_BIAS_NONE, 0);  // enough for several parts
  for (size_t i = 0; i < 300; i++) {
    const int8_t *a = random_codes(i), *b = random_codes(i);
    const float *x = random_floats(i), *y = random_floats(i);
    NAME("dot");
    const int32_t found = set->dot_i8(a, b, i), wanted = scalar->dot_i8(a, b, i);
    expect(found == wanted, "dot_i8", i, found, wanted);
    const float sums[2] = {set->dot_f32(x, y, i), set->sum_f32(x, i)};
    const float exact[2] = {scalar->dot_f32(x, y, i), scalar->sum_f32(x, i)};
    expect_floats("dot and sum", sums, exact, 2, 1e-5, 2e-5);
    if (i) {
      const float highest = set->max_f32(x, i);
      expect(highest == scalar->max_f32(x, i), "max", i, highest, scalar->max_f32(x, i));
      float *holed = random_floats(i);
      holed[random_bits() % i] = NAN;
      expect(isnan(set->max_f32(holed, i)), "max with NaN", i, set->max_f32(holed, i), NAN);
    }
    release();
  }
}

static void check_decoding(void) {
  NAME("decode");
  uint16_t *all = memory(2 * 65536);
  for (uint32_t i = 0; i < 65536; i++) all[i] = (uint16_t)i;
  float *wanted = output(4 * 65536), *found = output(4 * 65536);
  scalar->decode_f16(all, wanted, 65536), set->decode_f16(all, found, 65536);
  expect_bytes("f16", found, wanted, 4 * 65536);
  uint16_t *h_wanted = output(2 * 65536), *h_found = output(2 * 65536);
  scalar->encode_f16(wanted, h_wanted, 65536), set->encode_f16(wanted, h_found, 65536);
  expect_bytes("encoded f16", h_found, h_wanted, 2 * 65536);
  for (int i = 0; i < 65536; i++) {  // and every exponent, with random mantissas
    const uint32_t bits = (uint32_t)i << 16 | (random_bits() & 0xffff);
    memcpy(&wanted[i], &bits, 4);
  }
  scalar->encode_f16(wanted, h_wanted, 65536), set->encode_f16(wanted, h_found, 65536);
  expect_bytes("encoded f32", h_found, h_wanted, 2 * 65536);
  scalar->decode_bf16(all, wanted, 65536), set->decode_bf16(all, found, 65536);
  expect_bytes("bf16", found, wanted, 4 * 65536);
  release();

  for (size_t c = 0; c < COUNT(lengths); c++) {
    const size_t count = lengths[c], blocks = (count + 31) / 32;
    uint16_t *halves = memory(2 * 16 * count);
    for (size_t i = 0; i < 16 * count; i++) halves[i] = (uint16_t)(random_bits() & 0xbbff);
    wanted = output(4 * (16 * count + 16)), found = output(4 * (16 * count + 16));
    scalar->decode_panel_f16(halves, wanted, count), set->decode_panel_f16(halves, found, count);
    expect_bytes("panel f16", found, wanted, 4 * (16 * count + 16));
    scalar->decode_panel_bf16(halves, wanted, count), set->decode_panel_bf16(halves, found, count);
    expect_bytes("panel bf16", found, wanted, 4 * (16 * count + 16));
    scalar->decode_f16(halves, wanted, count), set->decode_f16(halves, found, count);
    scalar->encode_f16(wanted, (uint16_t *)found, count);
    expect_bytes("f16 there and back", found, halves, 2 * count);
    memcpy(found, wanted, 4 * (16 * count + 16));
    scalar->decode_bf16(halves, wanted, count), set->decode_bf16(halves, found, count);
    expect_bytes("bf16", found, wanted, 4 * (16 * count + 16));
    const int8_t *codes = random_codes(count);
    scalar->decode_i8(codes, 0.37f, wanted, count), set->decode_i8(codes, 0.37f, found, count);
    expect_bytes("i8", found, wanted, 4 * (16 * count + 16));

    for (int scheme = KN_IQ4_NL; scheme <= KN_NL6; scheme++) {
      const size_t size = kn_block_bytes(kn_block_bits(scheme));
      uint8_t *rows = memory(size * blocks * 16);
      for (size_t i = 0; i < size * blocks * 16; i++) rows[i] = (uint8_t)random_bits();
      for (size_t i = 0; i < blocks * 16; i++) rows[i * size + 1] &= 0xbf;  // no NaN, no infinity
      NAME("decode blocks");
      scalar->decode_blocks(scheme, rows, wanted, count);
      set->decode_blocks(scheme, rows, found, count);
      expect_bytes("row", found, wanted, 4 * (16 * count + 16));
      for (size_t columns = 1; columns <= 16; columns += 3) {
        scalar->decode_panel_blocks(scheme, rows, blocks, columns, wanted, count);
        set->decode_panel_blocks(scheme, rows, blocks, columns, found, count);
        expect_floats("panel", found, wanted, 16 * count + 16, 0, 0);
      }
    }
    release();
  }
}

static void check_panels(void) {
  NAME("pack and quantize");
  static const size_t ns[] = {1, 7, 15, 16, 17, 32, 45};
  for (size_t c = 0; c < COUNT(lengths); c++)
    for (size_t d = 0; d < COUNT(ns); d++) {
      const size_t k = lengths[c], n = ns[d], n16 = (n + 15) / 16 * 16, bytes = 4 * (k * n16 + 16);
      const float *x = random_floats(k * n * 2 + 1);
      float *wanted = output(bytes), *found = output(bytes);
      const size_t strides[][2] = {{n, 1}, {1, k}, {2, 2 * k}};
      for (size_t s = 0; s < 3; s++) {
        scalar->pack_f32(x, strides[s][0], strides[s][1], k, n, wanted);
        set->pack_f32(x, strides[s][0], strides[s][1], k, n, found);
        expect_bytes("packed", found, wanted, bytes);
      }
      const size_t k4 = (k + 3) / 4, ld = k4 * 4 + 4;
      float *panels = random_floats(k * n16 + 1);
      if (k > 2) {  // a zero, a tiny and a poisoned column
        for (size_t p = 0; p < k; p++) panels[p * 16] = 0, panels[p * 16 + 1] *= 0x1p-130f;
        panels[2 * 16 + 2] = NAN, panels[16 + 3] = INFINITY;
      }
      int8_t *q_wanted = output(k4 * 4 * n16 + 16), *q_found = output(k4 * 4 * n16 + 16);
      float *s_wanted = output(4 * (n16 + 4)), *s_found = output(4 * (n16 + 4));
      scalar->quantize_panels_i8(panels, k, n, q_wanted, s_wanted);
      set->quantize_panels_i8(panels, k, n, q_found, s_found);
      expect_bytes("panel codes", q_found, q_wanted, k4 * 4 * n16 + 16);
      expect_floats("panel scales", s_found, s_wanted, n16 + 4, 0, 0);
      q_wanted = output(n16 * ld + 16), q_found = output(n16 * ld + 16);
      scalar->quantize_rows_i8(panels, k, n16, k, q_wanted, ld, s_wanted);
      set->quantize_rows_i8(panels, k, n16, k, q_found, ld, s_found);
      expect_bytes("row codes", q_found, q_wanted, n16 * ld + 16);
      expect_floats("row scales", s_found, s_wanted, n16 + 4, 0, 0);
      release();
    }
}

static void check_elementwise(void) {
  static const float special[] = {
      0.0f, -0.0f, 1, -1, INFINITY, -INFINITY, NAN, 1e-40f, -1e-40f, 3e38f, -3e38f, 87, 88.6f, 88.8f,
      -87, -88, -103, -104, -105, 0.625f, -0.625f, 1e-20f, -1e-20f, 5, -5, 9, -9, 0x1p-126f, 20, -20};
  static const char *names[] = {
      "exp", "erf", "tanh", "sigmoid", "gelu", "gelu_tanh", "silu", "relu", "clip", "leaky_relu",
      "hard_swish", "hard_sigmoid", "sqrt", "abs", "neg", "reciprocal", "affine", "log",
      "floor", "ceil", "round"};
  enum { many = 20000 };
  for (int op = 0; op < KN_U_COUNT; op++) {
    NAME(names[op]);
    float *x = memory(4 * many), *wanted = output(4 * many), *found = output(4 * many);
    for (size_t i = 0; i < many; i++) {
      x[i] = i < COUNT(special) ? special[i] : random_float() * exp2f((float)(i % 40) - 30);
      if (op == KN_U_LOG && i >= COUNT(special)) x[i] = fabsf(x[i]);
    }
    scalar->unary_f32(op, x, wanted, many, 0.2f, 0.5f);
    set->unary_f32(op, x, found, many, 0.2f, 0.5f);
    // Sums that cancel are good to a part of their terms; e^u to a part of u.
    const int cancels = op == KN_U_ERF || op == KN_U_GELU || op == KN_U_HARD_SWISH ||
        op == KN_U_HARD_SIGMOID || op == KN_U_AFFINE;
    const double relative = op == KN_U_GELU_TANH ? 2e-5 : 6e-7, absolute = cancels ? 8e-7 : 1e-37;
    expect_floats("y", found, wanted, many, relative, absolute);
    memcpy(found, x, 4 * many);
    set->unary_f32(op, found, found, many, 0.2f, 0.5f);
    expect_floats("y in place", found, wanted, many, relative, absolute);
    release();
    for (size_t c = 0; c < COUNT(lengths); c++) {
      const size_t count = lengths[c];
      x = random_floats(count), wanted = output(4 * (count + 4)), found = output(4 * (count + 4));
      for (size_t i = 0; i < count; i++) x[i] = fabsf(x[i]);
      scalar->unary_f32(op, x, wanted, count, 0.2f, 0.5f);
      set->unary_f32(op, x, found, count, 0.2f, 0.5f);
      expect_floats("y", found, wanted, count + 4, 6e-7, 4e-7);
      release();
    }
  }
  NAME("quantize");
  for (int i = 0; i < 12; i++)
    for (size_t c = 0; c < COUNT(lengths); c++) {
      const size_t count = lengths[c];
      float *x = random_floats(count);
      if (count > 3) x[0] = NAN, x[1] = INFINITY, x[2] = -INFINITY, x[3] = 0.25f;
      char *wanted = (char *)output(2 * count + 16), *found = (char *)output(2 * count + 16);
      const int zero = (i % 3) == KN_U8 ? 100 : -20;
      scalar->quantize_f32(x, wanted, count, i % 2 ? 0.01f : 170, i % 2, zero, i % 3);
      set->quantize_f32(x, found, count, i % 2 ? 0.01f : 170, i % 2, zero, i % 3);
      expect_bytes("codes", found, wanted, 2 * count + 16);
      float range[4] = {0};
      scalar->range_f32(x, count, range, range + 1);
      set->range_f32(x, count, range + 2, range + 3);
      expect_bytes("range", range + 2, range, 8);
      // Halves, and the last numbers below them.
      for (size_t j = 4; j < count; j += 3) x[j] = (float)((int)(x[j] * 300)) + (j % 2 ? 0.5f : 0x1.fffffep-2f);
      scalar->quantize_away_i8(x, (int8_t *)wanted, count, i % 2 ? 1 : 37, (float)zero, i % 4 ? -128 : -127);
      set->quantize_away_i8(x, (int8_t *)found, count, i % 2 ? 1 : 37, (float)zero, i % 4 ? -128 : -127);
      expect_bytes("codes away", found, wanted, 2 * count + 16);
      release();
    }
  NAME("binary");
  for (int op = 0; op < KN_B_COUNT; op++)
    for (int operands = 0; operands < 3; operands++)
      for (size_t c = 0; c < COUNT(lengths); c++) {
        const size_t count = lengths[c];
        float *a = random_floats(count), *b = random_floats(count);
        if (count > 3) a[1] = NAN, b[2] = NAN, a[3] = b[3];
        float *wanted = output(4 * (count + 4)), *found = output(4 * (count + 4));
        scalar->binary_f32(op, operands, a, b, wanted, count);
        set->binary_f32(op, operands, a, b, found, count);
        expect_floats("y", found, wanted, count + 4, 0, 0);
        release();
      }
}

static void check_rows(void) {
  for (size_t c = 0; c < COUNT(lengths); c++)
    for (size_t rows = 0; rows < 4; rows++) {
      const size_t width = lengths[c], count = rows * width, bytes = 4 * (count + 4);
      float *x = random_floats(count), *wanted = output(bytes), *found = output(bytes);
      for (size_t i = 0; i < count; i++) x[i] *= 30;
      if (rows > 1 && width > 2) {  // a masked row, and one with nothing left
        for (size_t j = 0; j < width; j++) x[j] = -INFINITY;
        for (size_t j = 0; j < width; j += 2) x[width + j] = -INFINITY;
      }
      NAME("softmax");
      for (int log = 0; log < 2; log++) {
        scalar->softmax_f32(x, wanted, rows, width, log);
        set->softmax_f32(x, found, rows, width, log);
        expect_floats("y", found, wanted, count + 4, 2e-6, log ? 1e-6 : 1e-35);
        memcpy(found, x, 4 * count);
        set->softmax_f32(found, found, rows, width, log);
        expect_floats("y in place", found, wanted, count + 4, 2e-6, log ? 1e-6 : 1e-35);
      }
      NAME("layer_norm");
      x = random_floats(count);
      float *residual = random_floats(count), *scale = random_floats(width);
      float *bias = random_floats(width), *sum_wanted = output(bytes), *sum_found = output(bytes);
      for (int given = 0; given < 16; given++) {
        const float *r = given & 1 ? residual : 0, *s = given & 2 ? scale : 0;
        const float *b = given & 4 ? bias : 0;
        scalar->layer_norm_f32(x, r, s, b, given & 8 ? sum_wanted : 0, wanted, rows, width, 1e-5f);
        set->layer_norm_f32(x, r, s, b, given & 8 ? sum_found : 0, found, rows, width, 1e-5f);
        expect_floats("y", found, wanted, count + 4, 1e-4, 2e-4);
        expect_floats("sum", sum_found, sum_wanted, count + 4, 0, 0);
      }
      float *y = output(bytes);
      memcpy(y, x, 4 * count);
      set->layer_norm_f32(y, residual, scale, bias, 0, y, rows, width, 1e-5f);
      scalar->layer_norm_f32(x, residual, scale, bias, 0, wanted, rows, width, 1e-5f);
      expect_floats("y in place", y, wanted, count + 4, 1e-4, 2e-4);
      release();
    }
}

static void check_convolution(void) {
  for (int i = 0; i < 3000; i++) {
    // Large ones take several bands with zeros around them, or none.
    const int large = i % 64 == 0;
    const size_t most = large ? 8 : 5, far = large ? 5 : 2;
    const size_t kernel_h = 1 + random_bits() % most, kernel_w = i % 2 ? 3 : 1 + random_bits() % most;
    const size_t stride_h = 1 + random_bits() % 3, stride_w = 1 + random_bits() % 3;
    // Some windows are wider than a band or a row of pools.
    const size_t dilation_h = 1 + random_bits() % far;
    const size_t dilation_w = i % 256 == 0 && kernel_w > 1 ? 750 / (kernel_w - 1) : 1 + random_bits() % far;
    const size_t pad_top = random_bits() % 4, pad_left = random_bits() % 4;
    const size_t pad_right = random_bits() % 4;
    const size_t height = large ? 12 + random_bits() % 28 : 1 + random_bits() % 12;
    const size_t width = 1 + random_bits() % (large ? 1500 : 70), reach = (kernel_w - 1) * dilation_w;
    if (width + pad_left + pad_right <= reach) continue;
    if (height + pad_top <= (kernel_h - 1) * dilation_h) continue;
    const size_t out_w = (width + pad_left + pad_right - reach - 1) / stride_w + 1;
    const size_t out_h = (height + pad_top - (kernel_h - 1) * dilation_h - 1) / stride_h + 1;
    const size_t channels = large ? 1 : 1 + random_bits() % 3, pixels = out_h * out_w;
    const float *x = random_floats(channels * height * width);
    const kn_im2col c = {
        x, channels, height, width, kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w,
        pad_top, pad_left, out_h, out_w};
    const size_t k = channels * kernel_h * kernel_w, panels = (pixels + 15) / 16;
    float *wanted = output(4 * (panels * k * 16 + 4)), *found = output(4 * (panels * k * 16 + 4));
    NAME("im2col");
    scalar->im2col_f32(&c, wanted, 0, panels);
    set->im2col_f32(&c, found, panels / 2, panels);
    set->im2col_f32(&c, found, 0, panels / 2);
    expect_bytes("panels", found, wanted, 4 * (panels * k * 16 + 4));
    NAME("depthwise");
    kn_depthwise d = {
        x, random_floats(kernel_h * kernel_w), output(4 * (pixels + 4)), height, width, kernel_h,
        kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left, out_h, out_w,
        random_float(), -0.5f, 0.75f, i % 11};
    scalar->depthwise_f32(&d);
    const float *first = d.y;
    d.y = output(4 * (pixels + 4));
    set->depthwise_f32(&d);
    expect_floats("y", d.y, first, pixels + 4, 1e-5, 3e-6);
    NAME("pooling");
    kn_pooling p = {
        x, output(4 * (channels * pixels + 4)), height, width, kernel_h, kernel_w, stride_h, stride_w,
        dilation_h, dilation_w, pad_top, pad_left, i % 2, i % 3, out_h, out_w, i % 3, i % 2,
        i % 5 ? 2 : 3};
    scalar->pooling_f32(&p, 0, channels);
    first = p.y;
    p.y = output(4 * (channels * pixels + 4));
    set->pooling_f32(&p, 0, channels);
    expect_floats("y", p.y, first, channels * pixels + 4, 1e-5, 3e-6);
    release();
  }
}

int main(void) {
  scalar = kn_kernel_sets[0];
  subject = subject_text;
  for (size_t s = 1; s < kn_kernel_set_count; s++) {
    set = kn_kernel_sets[s];
    if (!kn_kernel_set_supported(s)) {
      printf("%s: not on this CPU\n", set->name);
      continue;
    }
    const size_t before = passed + failed;
    check_products();
    check_decoding();
    check_panels();
    check_elementwise();
    check_rows();
    check_convolution();
    printf("%s: %zu comparisons\n", set->name, passed + failed - before);
  }
  printf("%zu passed, %zu failed\n", passed, failed);
  return failed != 0 || passed == 0;
}
