// pack_f32: panels of B[p, j] = x[p * row_stride + j * column_stride].
#ifndef KN_ISA
#include <string.h>
#include "variants.h"

void kn_pack_f32__scalar(
    const float *x, size_t row_stride, size_t column_stride, size_t k, size_t n, float *panels) {
  for (size_t j0 = 0; j0 < n; j0 += KN_PANEL, panels += k * KN_PANEL) {
    const size_t columns = n - j0 < KN_PANEL ? n - j0 : KN_PANEL;
    for (size_t p = 0; p < k; p++)
      for (size_t j = 0; j < KN_PANEL; j++)
        panels[p * KN_PANEL + j] =
            j < columns ? x[p * row_stride + (j0 + j) * column_stride] : 0;
  }
}

#define KN_SELF "pack.c"
#include "each_isa.h"

#else
#ifndef KN_FLOATS4
#define KN_FLOATS4
typedef float floats4 __attribute__((vector_size(16)));
typedef float floats4_loose __attribute__((vector_size(16), aligned(4), may_alias));
#endif

// Four rows of the panel from four columns whose elements lie one after the other.
KN_LANE_FN void KN_NAME(transpose4)(const float *x, size_t column_stride, float *y) {
  const floats4 a = *(const floats4_loose *)x, b = *(const floats4_loose *)(x + column_stride);
  const floats4 c = *(const floats4_loose *)(x + 2 * column_stride);
  const floats4 d = *(const floats4_loose *)(x + 3 * column_stride);
  const floats4 ab = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const floats4 cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const floats4 ab2 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const floats4 cd2 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  *(floats4_loose *)y = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
  *(floats4_loose *)(y + KN_PANEL) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
  *(floats4_loose *)(y + 2 * KN_PANEL) = __builtin_shufflevector(ab2, cd2, 0, 1, 4, 5);
  *(floats4_loose *)(y + 3 * KN_PANEL) = __builtin_shufflevector(ab2, cd2, 2, 3, 6, 7);
}

KN_TARGET void KN_NAME(kn_pack_f32)(
    const float *x, size_t row_stride, size_t column_stride, size_t k, size_t n, float *panels) {
  size_t j0 = 0;
  for (; j0 + KN_PANEL <= n; j0 += KN_PANEL, panels += k * KN_PANEL) {
    const float *from = x + j0 * column_stride;
    size_t p = 0;
    if (column_stride == 1)
      for (; p < k; p++) memcpy(panels + p * KN_PANEL, from + p * row_stride, 4 * KN_PANEL);
    else if (row_stride == 1)
      for (; p + 4 <= k; p += 4)
        for (size_t j = 0; j < KN_PANEL; j += 4)
          KN_NAME(transpose4)(from + p + j * column_stride, column_stride, panels + p * KN_PANEL + j);
    for (; p < k; p++)
      for (size_t j = 0; j < KN_PANEL; j++)
        panels[p * KN_PANEL + j] = from[p * row_stride + j * column_stride];
  }
  if (j0 < n)
    kn_pack_f32__scalar(x + j0 * column_stride, row_stride, column_stride, k, n - j0, panels);
}
#endif
