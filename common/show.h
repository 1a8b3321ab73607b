/* show.h - text that somebody else chose (a container, a process, a host), made safe for people:
 * control bytes, invalid UTF-8 and bidirectional overrides are shown, never obeyed. */
#pragma once
#include "common/buf.h"

/* Appends s with every control character (tab and line end too) as \n, \t or \xHH, every
 * bidirectional override and invisible character as \u{H}, every invalid byte as \xHH. Quotes and
 * backslashes stay. Longer than max_chars (code points written): cut, with "…" as the last one. */
void show_text(struct buf *out, struct slice s, size_t max_chars);
/* Terminal columns of what show_text wrote: 2 for wide East Asian characters and emoji, 0 for
 * combining marks. */
size_t show_width(struct slice s);
/* The part of s (clean text, as show_text makes it) that fits into columns; *ret_width: its width. */
struct slice show_fit(struct slice s, size_t columns, size_t *ret_width);
