/* text_match.c - the half of text.h that compares: nearness, globs, what is clean UTF-8. */
#include "common/text.h"

enum { DISTANCE_MAX = 64 };

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

unsigned text_distance(struct slice a, struct slice b)
{
	/* Three rows of the table are alive: swaps look two back. */
	unsigned char rows[3][DISTANCE_MAX + 1];

	a = slice_sub(a, 0, DISTANCE_MAX);
	b = slice_sub(b, 0, DISTANCE_MAX);
	for (size_t j = 0; j <= b.n; j++)
		rows[0][j] = (unsigned char)j;
	for (size_t i = 1; i <= a.n; i++) {
		unsigned char *now = rows[i % 3];
		const unsigned char *last = rows[(i + 2) % 3], *older = rows[(i + 1) % 3];

		now[0] = (unsigned char)i;
		for (size_t j = 1; j <= b.n; j++) {
			unsigned d = min3(last[j] + 1U, now[j - 1] + 1U,
					  last[j - 1] + (unsigned)(a.p[i - 1] != b.p[j - 1]));

			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
			    a.p[i - 2] == b.p[j - 1] && older[j - 2] + 1U < d)
				d = older[j - 2] + 1U;
			now[j] = (unsigned char)d;
		}
	}
	return rows[a.n % 3][b.n];
}

const char *text_nearest(struct slice s, const char *const *names, size_t count)
{
	unsigned best = (unsigned)(s.n / 3);
	const char *ret = NULL;

	for (size_t i = 0; i < count; i++) {
		unsigned d = text_distance(s, slice_of(names[i]));

		if (d < best || (d == best && !ret)) {
			best = d;
			ret = names[i];
		}
	}
	return ret;
}

bool text_glob(struct slice pattern, struct slice s)
{
	size_t p = 0, i = 0, star = SIZE_MAX, star_i = 0;

	/* Only the last star is ever reconsidered, so the cost is at most pattern * text. */
	while (i < s.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			star_i = i;
		} else if (p < pattern.n && (pattern.p[p] == '?' || pattern.p[p] == s.p[i])) {
			p++;
			i++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			i = ++star_i;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

size_t text_utf8(struct slice s, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };

	if (!s.n)
		return 0;
	uint8_t first = (uint8_t)s.p[0];
	size_t n = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
	if (!n || n > s.n)
		return 0;
	uint32_t c = n == 1 ? first : first & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		uint8_t b = (uint8_t)s.p[i];

		if (b >> 6 != 2)
			return 0;
		c = c << 6 | (b & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return n;
}

bool text_is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x061c || c == 0x200e || c == 0x200f ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

bool text_is_clean(struct slice s)
{
	while (s.n) {
		uint32_t c;
		size_t n = text_utf8(s, &c);

		if (!n || (text_is_control(c) && c != '\t'))
			return false;
		s = slice_sub(s, n, s.n);
	}
	return true;
}
