/* text.h - small conversions of text that several rooms need. All bounded, none allocates. */
#pragma once
#include "common/err.h"
#include "common/slice.h"

enum { TEXT_TIME_MAX = 40 };
/* "2026-11-23T19:22:48.123456789Z"; returns dst. size >= TEXT_TIME_MAX. */
char *text_time(uint64_t unix_ns, char *dst, size_t size);
/* RFC 3339 with Z or an offset, fraction optional. */
bool text_time_parse(struct slice s, uint64_t *ret_unix_ns);
/* "90s", "15m", "24h", "7d", "500ms" or plain seconds -> ms. false when it is none. */
bool text_duration_parse(struct slice s, uint64_t *ret_ms);
/* "64MiB", "10GB", "4096", "1KiB" -> bytes. */
bool text_size_parse(struct slice s, uint64_t *ret_bytes);
/* dst must hold 2 * n + 1; lower case. Returns dst. */
char *text_hex(const void *p, size_t n, char *dst);
/* Returns bytes written, or -1 if s is not hex or does not fit. */
ptrdiff_t text_unhex(struct slice s, void *dst, size_t size);
/* URL-safe base64 without padding. dst must hold n * 4 / 3 + 4. Returns the length. */
size_t text_base64url(const void *p, size_t n, char *dst);
ptrdiff_t text_unbase64url(struct slice s, void *dst, size_t size);
/* Edits (insert, delete, replace, swap of neighbours) between a and b, both cut at 64 bytes. */
unsigned text_distance(struct slice a, struct slice b);
/* The candidate nearest to s, if near enough to be meant (at most a third of its length), else
 * NULL. names: count strings, borrowed. */
const char *text_nearest(struct slice s, const char *const *names, size_t count);
/* Glob with * and ? over the whole string, no character classes, no recursion. */
bool text_glob(struct slice pattern, struct slice s);
/* Length (1..4) of the valid UTF-8 character s begins with, its code point in *ret; 0 when s is empty
 * or what stands there is none (overlong, surrogate, cut off, above 10FFFF). */
size_t text_utf8(struct slice s, uint32_t *ret);
/* A C0 or C1 control, a line separator or a bidirectional override: what must not reach a terminal. */
bool text_is_control(uint32_t code_point);
/* Valid UTF-8 without control characters (text_is_control) except blanks and tabs? */
bool text_is_clean(struct slice s);
/* Fills dst with n random bytes from the kernel. Cannot fail. */
void text_random(void *dst, size_t n);
/* A new random UUID (version 4) as text; dst holds 37. */
char *text_uuid(char dst[37]);
bool text_is_uuid(struct slice s);
