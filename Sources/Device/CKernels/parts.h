// How a job's work is cut into the parts that a thread pool runs.
#pragma once
#include <stddef.h>

// Parts write to cache lines of their own: a line that two of them write to costs more than the work.
static inline size_t kn_align64(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

// [*begin, *end) of `count` items for one part, cut at multiples of `grain`.
static inline void kn_slice(
    size_t count, size_t grain, size_t part, size_t parts, size_t *begin, size_t *end) {
  const size_t units = (count + grain - 1) / grain;
  *begin = units * part / parts * grain;
  *end = units * (part + 1) / parts * grain;
  if (*begin > count) *begin = count;
  if (*end > count) *end = count;
}
