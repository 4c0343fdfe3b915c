// ncurses as Swift can use it: only what its importer leaves out is wrapped
// (function-like macros, A_* bit macros, mutable globals, variadics).
#pragma once
#ifndef _XOPEN_SOURCE_EXTENDED
#define _XOPEN_SOURCE_EXTENDED 1
#endif
#define NCURSES_WIDECHAR 1
#define NCURSES_NOMACROS 1
#include <curses.h>
#include <term.h>
#undef lines
#undef columns

static inline WINDOW *kt_stdscr(void) { return stdscr; }
static inline int kt_lines(void) { return LINES; }
static inline int kt_cols(void) { return COLS; }
static inline int kt_colors(void) { return COLORS; }
static inline unsigned kt_pair(int n) { return (unsigned)COLOR_PAIR(n); }
static inline unsigned kt_bold(void) { return (unsigned)A_BOLD; }
static inline unsigned kt_dim(void) { return (unsigned)A_DIM; }
static inline unsigned kt_reverse(void) { return (unsigned)A_REVERSE; }
static inline int kt_attron(unsigned a) { return attron((int)a); }
static inline int kt_attroff(unsigned a) { return attroff((int)a); }
static inline int kt_put(int y, int x, const unsigned char *s, int n) {
    return mvaddnstr(y, x, (const char *)s, n);
}
// 1 found, 0 generic, -1 no database: never exits, unlike initscr().
static inline int kt_term_ok(const char *term) {
    int err = -2;
    int rc = setupterm((char *)term, 1, &err);
    return rc == OK ? 1 : err;
}
static inline int kt_open(const char *term) { return newterm((char *)term, stdout, stdin) ? 0 : -1; }
