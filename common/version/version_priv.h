/* version_priv.h - what the files of this folder share: the schemes' functions, and comparing numbers of
 * any length without reading them into one. */
#pragma once
#include "common/version/version.h"

/* parse: v->text is set; fills the parts. Returns 0, or the column (from 1) that is wrong.
 * order: both parsed. is_strict (nullable: what parses is strict): see version_is_valid. */
size_t deb_parse(struct version *v);
int deb_order(const struct version *a, const struct version *b);
bool deb_is_strict(const struct version *v);
size_t apk_parse(struct version *v);
int apk_order(const struct version *a, const struct version *b);
bool apk_is_strict(const struct version *v);
/* Like apk_order, but equal where b is a prefix of a in whole parts ("3.18.4" and "3.18"). */
int apk_order_fuzzy(const struct version *a, const struct version *b);
size_t rpm_parse(struct version *v);
int rpm_order(const struct version *a, const struct version *b);
int rpm_order_loose(const struct version *a, const struct version *b); /* see version_match */
size_t semver_parse(struct version *v);
int semver_order(const struct version *a, const struct version *b);
/* Two pre-releases without their dash; none is newer than any. */
int semver_pre_order(struct slice a, struct slice b);
bool npm_is_strict(const struct version *v);
size_t pep440_parse(struct version *v);
int pep440_order(const struct version *a, const struct version *b);
size_t gem_parse(struct version *v);
int gem_order(const struct version *a, const struct version *b);
bool gem_is_pessimistic(const struct version *v, const struct version *floor); /* "~>" */
size_t maven_parse(struct version *v);
int maven_order(const struct version *a, const struct version *b);
size_t generic_parse(struct version *v);
int generic_order(const struct version *a, const struct version *b);
size_t packagist_parse(struct version *v);
int packagist_order(const struct version *a, const struct version *b);

/* version.c: the scheme's parse over an operand, without an error's words. Returns 0 or the column. */
size_t version_read(enum version_scheme s, struct slice text, struct version *ret);
/* range.c: is v (parsed) in the range? */
int range_match(const struct version *v, struct slice range, bool *ret, struct err *err);

enum { SEMVER_CORE, SEMVER_PRE };
enum { PEP440_EPOCH, PEP440_RELEASE, PEP440_PRE, PEP440_POST, PEP440_DEV, PEP440_LOCAL };
/* kind: the letter of the pre-release, and what is there */
enum {
	PEP440_ALPHA = 1,
	PEP440_BETA,
	PEP440_RC,
	PEP440_PRE_MASK = 3,
	PEP440_HAS_POST = 4,
	PEP440_HAS_DEV = 8,
	PEP440_HAS_LOCAL = 16
};

/* ---- characters ---- */

static inline bool version_is_digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

static inline char version_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static inline bool version_is_letter(char c)
{
	return (unsigned char)((c | 0x20) - 'a') < 26;
}

static inline bool version_is_alnum(char c)
{
	return version_is_digit(c) || version_is_letter(c);
}

static inline bool version_is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* No blank, no control character: what a version may hold at all. */
static inline bool version_is_visible(char c)
{
	return (unsigned char)c > ' ' && (unsigned char)c != 0x7f;
}

/* 0, or the column of the first character that is not visible; an empty text is wrong at 1. */
static inline size_t version_check_visible(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!version_is_visible(s.p[i]))
			return i + 1;
	return s.n ? 0 : 1;
}

static inline int version_sign(int x)
{
	return (x > 0) - (x < 0);
}

/* ---- numbers ---- */

static inline const char *version_skip_digits(const char *p, const char *end)
{
	while (p < end && version_is_digit(*p))
		p++;
	return p;
}

/* Orders the numbers that begin at *a and *b, and moves both behind them. No digit is 0. */
static inline int version_digits_order(const char **a, const char *a_end, const char **b, const char *b_end)
{
	const char *p = *a, *q = *b;
	int first = 0;

	while (p < a_end && *p == '0')
		p++;
	while (q < b_end && *q == '0')
		q++;
	while (p < a_end && q < b_end && version_is_digit(*p) && version_is_digit(*q)) {
		if (!first)
			first = *p - *q;
		p++;
		q++;
	}
	if (p < a_end && version_is_digit(*p))
		first = 1; /* the longer number */
	else if (q < b_end && version_is_digit(*q))
		first = -1;
	*a = version_skip_digits(p, a_end);
	*b = version_skip_digits(q, b_end);
	return version_sign(first);
}

/* As above, for whole slices of digits. */
static inline int version_number_order(struct slice a, struct slice b)
{
	const char *p = a.n ? a.p : "", *q = b.n ? b.p : "";

	return version_digits_order(&p, p + a.n, &q, q + b.n);
}

static inline int version_bytes_order(struct slice a, struct slice b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int r = n ? memcmp(a.p, b.p, n) : 0;

	return r ? version_sign(r) : (a.n > b.n) - (a.n < b.n);
}

/* ---- parts ---- */

static inline void version_set(struct version *v, int part, size_t from, size_t to)
{
	v->part[part].at = (uint16_t)from;
	v->part[part].n = (uint16_t)(to - from);
}

static inline struct slice version_part(const struct version *v, int part)
{
	return (struct slice){ v->text.p + v->part[part].at, v->part[part].n };
}
