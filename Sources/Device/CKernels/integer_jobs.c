// Integer convolutions and products, cut into parts: rows of bytes, their sums, requantized.
#include <string.h>
#include "kernels.h"
#include "operator_jobs.h"
#include "parts.h"

static size_t row_length(const kn_integer_conv *c) {
  return c->window.channels * c->window.kernel_h * c->window.kernel_w;
}
static size_t row_stride(const kn_integer_conv *c) { return (row_length(c) + 3) & ~(size_t)3; }
// Columns of a cut, a multiple of two panels.
static size_t cut_columns(const kn_integer_conv *c) {
  const size_t panels = (c->outputs + KN_PANEL - 1) / KN_PANEL;
  const size_t cut = (panels + c->column_cuts - 1) / c->column_cuts;
  return (cut + cut % 2) * KN_PANEL;
}

size_t kn_integer_conv_scratch(const kn_integer_conv *c) {
  return kn_align64(c->row_block * row_stride(c)) + kn_align64(c->row_block * cut_columns(c) * 4);
}

// True where the picture itself is the matrix of rows.
static int is_direct(const kn_integer_conv *c) {
  const kn_im2col *w = &c->window;
  return w->kernel_h * w->kernel_w == 1 && w->stride_h * w->stride_w == 1 && w->pad_top == 0
      && w->pad_left == 0 && w->out_h == w->height && w->out_w == w->width && c->groups == 1
      && w->channels % 4 == 0 && c->flip == 0;
}

// Eight bytes at a time: runs are short.
static void copy_flipped(int8_t *to, const uint8_t *from, size_t count, uint8_t flip) {
  const uint64_t flips = flip * 0x0101010101010101u;
  for (; count >= 8; count -= 8, to += 8, from += 8) {
    uint64_t bytes;
    memcpy(&bytes, from, 8);
    bytes ^= flips;
    memcpy(to, &bytes, 8);
  }
  for (size_t i = 0; i < count; i++) to[i] = (int8_t)(from[i] ^ flip);
}

// Rows of the output pixels [first, first + count): the bytes under the window, tap by tap.
static void fill_rows(
    const kn_integer_conv *c, const uint8_t *image, size_t group, size_t first, size_t count,
    int8_t fill, int8_t *row) {
  const kn_im2col *w = &c->window;
  const size_t all = c->groups * w->channels, k = row_length(c), lda = row_stride(c);
  const int runs = w->dilation_w == 1 && c->groups == 1;  // taps of a row lie together
  size_t oy = first / w->out_w, ox = first % w->out_w;
  for (size_t r = 0; r < count; r++, row += lda) {
    int8_t *to = row;
    for (size_t ky = 0; ky < w->kernel_h; ky++) {
      // Beyond the picture, coordinates wrap around to large numbers.
      const size_t y = oy * w->stride_h + ky * w->dilation_h - w->pad_top;
      const size_t x0 = ox * w->stride_w - w->pad_left;
      if (y >= w->height) {
        memset(to, fill, w->kernel_w * w->channels);
        to += w->kernel_w * w->channels;
        continue;
      }
      const uint8_t *line = image + y * w->width * all + group * w->channels;
      if (runs && x0 < w->width && w->kernel_w <= w->width - x0) {
        copy_flipped(to, line + x0 * all, w->kernel_w * w->channels, c->flip);
        to += w->kernel_w * w->channels;
      } else {
        for (size_t kx = 0; kx < w->kernel_w; kx++, to += w->channels) {
          const size_t x = x0 + kx * w->dilation_w;
          if (x < w->width)
            copy_flipped(to, line + x * all, w->channels, c->flip);
          else
            memset(to, fill, w->channels);
        }
      }
    }
    memset(to, 0, lda - k);
    if (++ox == w->out_w) oy++, ox = 0;
  }
}

static int32_t sum_row(const int8_t *row, size_t count) {
  int32_t sum = 0;
  for (size_t i = 0; i < count; i++) sum += row[i];
  return sum;
}

void kn_integer_conv_job(void *arguments, size_t part, size_t parts) {
  const kn_integer_conv *c = arguments;
  const kn_im2col *w = &c->window;
  const size_t pixels = w->out_h * w->out_w, k = row_length(c), lda = row_stride(c);
  const size_t blocks = (pixels + c->row_block - 1) / c->row_block;
  const size_t panel_bytes = (k + 3) / 4 * 64, columns = cut_columns(c);
  const size_t panels = (c->outputs + KN_PANEL - 1) / KN_PANEL;
  const size_t item = c->to.type == KN_I32 ? 4 : c->to.type == KN_I16 ? 2 : 1;
  const int direct = is_direct(c);
  char *const scratch = c->scratch + part * kn_integer_conv_scratch(c);
  int8_t *const rows = (int8_t *)scratch;
  int32_t *const sums = (int32_t *)(scratch + kn_align64(c->row_block * lda));
  size_t u0, u1;
  kn_slice(c->images * c->groups * blocks * c->column_cuts, 1, part, parts, &u0, &u1);
  for (size_t u = u0; u < u1; u++) {
    const size_t cut = u % c->column_cuts, block = u / c->column_cuts % blocks;
    const size_t group = u / c->column_cuts / blocks % c->groups;
    const size_t image = u / c->column_cuts / blocks / c->groups;
    const size_t first = block * c->row_block, left = pixels - first;
    const size_t count = left < c->row_block ? left : c->row_block;
    const size_t column = cut * columns;
    if (column >= c->outputs) continue;
    const size_t width = c->outputs - column < columns ? c->outputs - column : columns;
    const uint8_t *picture = c->x + image * w->height * w->width * c->groups * w->channels;
    const int32_t *zeros = c->x_zeros + image * c->zero_image_step;
    const int8_t *a = (const int8_t *)picture + first * lda;
    if (!direct) {
      a = rows;
      // A cut of the same block finds its rows made.
      if (u == u0 || cut == 0)
        fill_rows(c, picture, group, first, count, (int8_t)zeros[0], rows);
    }
    const size_t matrix = c->panels_per_image ? image : group;
    const kn_gemm g = {
        .a = a, .lda = lda, .b = c->panels + (matrix * panels + column / KN_PANEL) * panel_bytes,
        .ldc = width, .m = count, .n = width, .k = k, .sums = sums};
    c->kernels->gemm_i8(&g, 0, count, 0, (width + KN_PANEL - 1) / KN_PANEL);
    for (size_t r = 0; r < count; r++) {
      const int32_t row_sum = c->to.w_zeros ? sum_row(a + r * lda, k) : 0;
      const size_t at = (image * pixels + first + r) * c->groups * c->outputs
          + group * c->outputs + column;
      // Tables start at the matrix's first column.
      c->kernels->requantize(
          &c->to, sums + r * width, matrix * c->outputs + column, width,
          zeros[(first + r) * c->zero_row_step], row_sum, c->y + at * item);
    }
  }
}

void kn_integer_depthwise_job(void *arguments, size_t part, size_t parts) {
  const kn_integer_depthwise *c = arguments;
  const size_t item = c->row.to.type == KN_I32 ? 4 : c->row.to.type == KN_I16 ? 2 : 1;
  size_t r0, r1;
  kn_slice(c->images * c->out_h, 1, part, parts, &r0, &r1);
  for (size_t r = r0; r < r1; r++) {
    kn_depthwise_i8 d = c->row;
    d.x += r / c->out_h * d.height * d.width * d.channels;
    c->kernels->depthwise_i8(&d, r % c->out_h, c->y + r * d.out_w * d.channels * item);
  }
}
