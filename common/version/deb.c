/* deb.c - Debian: [epoch:]upstream[-revision], ordered as dpkg does. */
#include "common/version/version_priv.h"

enum { EPOCH, UPSTREAM, REVISION };

size_t deb_parse(struct version *v)
{
	const char *p = v->text.p;
	size_t n = v->text.n, start = 0, end = n;
	size_t colon = n, dash = n; /* n: none */

	for (size_t i = 0; i < n; i++) {
		if (!version_is_visible(p[i]))
			return i + 1;
		if (p[i] == '-')
			dash = i;
		else if (p[i] == ':' && colon == n)
			colon = i;
	}
	if (colon < n) {
		start = colon + 1;
		if (!colon || version_skip_digits(p, p + colon) < p + colon)
			return 1;
		version_set(v, EPOCH, 0, colon);
	}
	if (dash < n && dash >= start) {
		end = dash;
		if (dash + 1 == n)
			return n;
		version_set(v, REVISION, dash + 1, n);
	}
	if (start == end)
		return start + 1;
	version_set(v, UPSTREAM, start, end);
	return 0;
}

/* Debian Policy 5.6.12: the rest dpkg warns of. */
bool deb_is_strict(const struct version *v)
{
	struct slice epoch = version_part(v, EPOCH);
	struct slice up = version_part(v, UPSTREAM);
	struct slice revision = version_part(v, REVISION);

	while (epoch.n && *epoch.p == '0')
		epoch = slice_sub(epoch, 1, epoch.n);
	if (epoch.n > 10 || (epoch.n == 10 && memcmp(epoch.p, "2147483647", 10) > 0))
		return false;
	for (size_t i = 0; i < up.n; i++)
		if (!version_is_alnum(up.p[i]) && !memchr(".+-~:", up.p[i], 5))
			return false;
	for (size_t i = 0; i < revision.n; i++)
		if (!version_is_alnum(revision.p[i]) && !memchr(".+~", revision.p[i], 3))
			return false;
	return version_is_digit(up.p[0]);
}

/* "~" is before the end, the end before letters, letters before the rest. Digits count as the end. */
static int weight(const char *p, const char *end)
{
	if (p == end || version_is_digit(*p))
		return 0;
	if (*p == '~')
		return -1;
	return version_is_letter(*p) ? *p : 256 + (unsigned char)*p;
}

/* How far both are the same, up to the beginning of a number: most pairs differ at their ends. */
static size_t common_start(const char *a, const char *a_end, const char *b, const char *b_end)
{
	size_t i = 0;

	while (a + i < a_end && b + i < b_end && a[i] == b[i])
		i++;
	while (i && version_is_digit(a[i - 1]))
		i--;
	return i;
}

static int text_order(const char *a, const char *a_end, const char *b, const char *b_end)
{
	size_t same = common_start(a, a_end, b, b_end);

	a += same;
	b += same;
	while (a < a_end || b < b_end) {
		while ((a < a_end && !version_is_digit(*a)) || (b < b_end && !version_is_digit(*b))) {
			int x = weight(a, a_end), y = weight(b, b_end);

			if (x != y)
				return x < y ? -1 : 1;
			a++;
			b++;
		}
		int r = version_digits_order(&a, a_end, &b, b_end);
		if (r)
			return r;
	}
	return 0;
}

static int part_order(const struct version *a, const struct version *b, int part)
{
	struct slice x = version_part(a, part), y = version_part(b, part);

	return text_order(x.p, x.p + x.n, y.p, y.p + y.n);
}

int deb_order(const struct version *a, const struct version *b)
{
	int r = 0;

	if (a->part[EPOCH].n || b->part[EPOCH].n)
		r = version_number_order(version_part(a, EPOCH), version_part(b, EPOCH));
	if (!r)
		r = part_order(a, b, UPSTREAM);
	return r ? r : part_order(a, b, REVISION);
}
