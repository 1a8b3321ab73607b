/* slice.c - see slice.h. */
#include "common/slice.h"

struct slice slice_sub(struct slice a, size_t from, size_t n)
{
	if (from >= a.n)
		return SLICE_NONE;
	if (n > a.n - from)
		n = a.n - from;
	return (struct slice){ a.p + from, n };
}

ptrdiff_t slice_find(struct slice a, struct slice b)
{
	if (!b.n)
		return 0;
	if (a.n < b.n)
		return -1;
	const char *p = memmem(a.p, a.n, b.p, b.n);
	return p ? p - a.p : -1;
}

ptrdiff_t slice_find_char(struct slice a, char c)
{
	const char *p = a.n ? memchr(a.p, c, a.n) : NULL;
	return p ? p - a.p : -1;
}

bool slice_split(struct slice *rest, char sep, struct slice *ret)
{
	if (!rest->p)
		return false;
	ptrdiff_t i = slice_find_char(*rest, sep);
	if (i < 0) {
		*ret = *rest;
		*rest = SLICE_NONE;
		return true;
	}
	*ret = (struct slice){ rest->p, (size_t)i };
	*rest = (struct slice){ rest->p + i + 1, rest->n - (size_t)i - 1 };
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct slice slice_trim(struct slice a)
{
	while (a.n && is_blank(a.p[0])) {
		a.p++;
		a.n--;
	}
	while (a.n && is_blank(a.p[a.n - 1]))
		a.n--;
	return a;
}

bool slice_to_u64(struct slice a, uint64_t *ret)
{
	uint64_t v = 0;

	if (!a.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		if (a.p[i] < '0' || a.p[i] > '9')
			return false;
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(a.p[i] - '0'), &v))
			return false;
	}
	*ret = v;
	return true;
}

bool slice_copy(struct slice a, char *dst, size_t size)
{
	size_t n = a.n < size ? a.n : size - 1;

	if (n)
		memcpy(dst, a.p, n);
	dst[n] = 0;
	return n == a.n;
}

uint64_t slice_hash(struct slice a)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < a.n; i++)
		h = (h ^ (uint8_t)a.p[i]) * 0x100000001b3ULL;
	return h;
}

char *slice_dup(struct slice a)
{
	char *s = malloc(a.n + 1);

	if (s)
		slice_copy(a, s, a.n + 1);
	return s;
}
