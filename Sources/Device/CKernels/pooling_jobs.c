// Pooling plane by plane, and arithmetic that differs by channel.
#include "operator_jobs.h"
#include "parts.h"

void kn_pooling_job(void *arguments, size_t part, size_t parts) {
  const kn_pooling_run *j = arguments;
  size_t p0, p1;
  kn_slice(j->planes, 1, part, parts, &p0, &p1);
  if (p0 < p1) j->kernels->pooling_f32(&j->pooling, p0, p1);
}

void kn_channels_job(void *arguments, size_t part, size_t parts) {
  const kn_channels *j = arguments;
  size_t r0, r1;
  kn_slice(j->rows, j->group_width ? j->group_width / j->width : 1, part, parts, &r0, &r1);
  if (r0 == r1) return;
  const float *x = j->x + r0 * j->width;
  float *y = j->y + r0 * j->width;
  if (j->group_width) {
    j->kernels->layer_norm_f32(
        x, 0, 0, 0, 0, y, (r1 - r0) * j->width / j->group_width, j->group_width, j->epsilon);
    x = y;
    if (!j->scale && !j->bias) return;
  }
  for (size_t r = r0; r < r1; r++, x += j->width, y += j->width) {
    const size_t c = r % j->channels;
    const float scale = j->scale ? j->scale[c] : 1, bias = j->bias ? j->bias[c] : 0;
    // A call per row only pays for rows of some length.
    if (j->width >= 8) j->kernels->unary_f32(KN_U_AFFINE, x, y, j->width, scale, bias);
    else for (size_t i = 0; i < j->width; i++) y[i] = x[i] * scale + bias;
  }
}
