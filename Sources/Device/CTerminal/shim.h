// ncurses as Swift can use it: only what its importer leaves out is wrapped (function-like macros,
// A_* bit macros, mutable globals, streams).
#pragma once
#ifndef _XOPEN_SOURCE_EXTENDED
#define _XOPEN_SOURCE_EXTENDED 1
#endif
#define NCURSES_WIDECHAR 1
#define NCURSES_NOMACROS 1
#include <curses.h>
#include <stdint.h>
#include <stdio.h>
#include <term.h>
#undef lines
#undef columns

static inline WINDOW *kt_stdscr(void) { return stdscr; }
static inline void kt_repaint(void) { clearok(curscr, 1); }
static inline int kt_colors(void) { return COLORS; }
static inline int kt_pairs(void) { return COLOR_PAIRS; }
static inline unsigned kt_bold(void) { return (unsigned)A_BOLD; }
static inline unsigned kt_dim(void) { return (unsigned)A_DIM; }
static inline unsigned kt_reverse(void) { return (unsigned)A_REVERSE; }

// Cell widths depend on ncurses' own idea of the locale, so a text is one run of equal style.
static inline void kt_put(int y, int x, const uint32_t *text, int count, unsigned attributes,
                          int pair) {
  attr_set((attr_t)attributes, (short)pair, 0);
  mvaddnwstr(y, x, (const wchar_t *)text, count);
}

// 1 found and usable for a full screen, 0 not found or too simple. Never exits, unlike initscr().
static inline int kt_term_ok(const char *term) {
  int error = 0;
  if (setupterm((char *)term, 1, &error) != OK) return 0;
  int ok = cursor_address && !generic_type && !hard_copy;
  del_curterm(cur_term);
  return ok;
}

// A screen that writes to the descriptor `out` and reads nothing. Null when it cannot be had.
static inline SCREEN *kt_open(const char *term, int out) {
  FILE *output = fdopen(out, "w");
  FILE *input = fopen("/dev/null", "r");
  if (!output || !input) return 0;
  SCREEN *screen = newterm((char *)term, output, input);
  if (!screen) return 0;
  curs_set(0);
  if (has_colors()) {
    start_color();
    use_default_colors();
  }
  return screen;
}

// The terminal's own bytes for leaving a full screen, one at a time; null past the end.
static inline const char *kt_restore_part(int i) {
  static const char *const names[] = {"sgr0", "op", "rmcup", "cnorm"};
  if (i < 0 || i >= 4) return 0;
  const char *text = tigetstr((char *)names[i]);
  return text == (char *)-1 || !text ? "" : text;
}
