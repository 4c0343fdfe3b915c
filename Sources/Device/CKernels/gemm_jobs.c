// Matrix products cut into parts for a thread pool, and how many parts are worth it.
#include "include/kernels.h"
#include "parts.h"

// A hand-over costs a microsecond or two; 64 Ki multiplications take no less on any device.
enum { worth_a_part = 1 << 16, parts_per_thread = 3 };

// A multiple of the height of every micro-tile, and the panels of the widest one.
enum { row_grain = 24, panel_grain = 2 };

size_t kn_gemm_split(kn_gemm_work *work, size_t threads) {
  const kn_gemm *g = work->gemm;
  const size_t rows = g->m / row_grain + (g->m % row_grain != 0);
  const size_t columns = g->n / (KN_PANEL * panel_grain) + (g->n % (KN_PANEL * panel_grain) != 0);
  size_t operations;
  if (__builtin_mul_overflow(g->m, g->n, &operations) ||
      __builtin_mul_overflow(operations, g->k, &operations))
    operations = SIZE_MAX;
  size_t cells;
  if (__builtin_mul_overflow(rows, columns, &cells)) cells = SIZE_MAX;
  size_t parts = threads > 1 ? operations / worth_a_part : 1;
  if (parts > threads * parts_per_thread) parts = threads * parts_per_thread;
  if (parts > cells) parts = cells;
  if (parts == 0) parts = 1;
  // By columns first: a thread then reads its share of B once.
  work->panel_parts = parts < columns ? parts : columns ? columns : 1;
  work->row_parts = parts / work->panel_parts;
  if (work->row_parts > rows) work->row_parts = rows;
  if (work->row_parts == 0) work->row_parts = 1;
  return work->row_parts * work->panel_parts;
}

typedef void (*gemm)(const kn_gemm *, size_t, size_t, size_t, size_t);

static void gemm_part(const kn_gemm_work *w, gemm run, size_t part) {
  const kn_gemm *g = w->gemm;
  const size_t panels = g->n / KN_PANEL + (g->n % KN_PANEL != 0);
  size_t row0, row1, panel0, panel1;
  kn_slice(g->m, row_grain, part / w->panel_parts, w->row_parts, &row0, &row1);
  kn_slice(panels, panel_grain, part % w->panel_parts, w->panel_parts, &panel0, &panel1);
  if (row0 < row1 && panel0 < panel1) run(g, row0, row1, panel0, panel1);
}
void kn_gemm_f32_job(void *work, size_t part, size_t parts) {
  (void)parts;
  const kn_gemm_work *w = work;
  gemm_part(w, w->kernels->gemm_f32, part);
}
void kn_gemm_i8_job(void *work, size_t part, size_t parts) {
  (void)parts;
  const kn_gemm_work *w = work;
  gemm_part(w, w->kernels->gemm_i8, part);
}
