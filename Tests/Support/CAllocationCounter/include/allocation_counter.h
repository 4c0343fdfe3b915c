// Counts the memory that some threads ask for: the calling one and those it starts meanwhile.
#pragma once
#include <stddef.h>

typedef struct ka_counter ka_counter;

// Zero where a sanitizer has taken malloc for itself.
int ka_is_available(void);

// Makes a counter that the calling thread and every thread it creates from now on belong to.
ka_counter *ka_enter(void);
// The calling thread leaves; threads of the counter must have ended.
void ka_leave(ka_counter *counter);

// Between the two, each malloc, calloc, realloc, posix_memalign, aligned_alloc, memalign and mmap counts.
void ka_start(ka_counter *counter);
long ka_stop(ka_counter *counter);

// A job for a thread pool whose every part allocates once.
void ka_allocating_job(void *arguments, size_t part, size_t parts);
// Allocates and frees once; maps and unmaps a page.
void ka_allocate(void);
void ka_map(void);
