/* engine_version.c - what is known to be open in an engine of a version, as far as plugins like this one are concerned. */
#include <stdio.h>

#include "agent/guard/authz/authz_priv.h"

struct version {
	unsigned major, minor, patch;
};

/* Fixed from the first version of each line on; a line that has none below the last was never fixed there. */
static const struct hole {
	const char *id;
	struct version fixed[6];
} holes[] = {
	{ "CVE-2024-41110", { { 23, 0, 15 }, { 25, 0, 6 }, { 26, 1, 5 }, { 27, 1, 1 } } },
	{ "CVE-2026-34040", { { 29, 3, 1 } } },
};

static bool read_version(struct slice s, struct version *ret)
{
	unsigned *const parts[] = { &ret->major, &ret->minor, &ret->patch };
	size_t i = 0;

	*ret = (struct version){ 0 };
	for (size_t k = 0; k < ARRAY_LEN(parts); k++) {
		size_t from = i;

		while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && i - from < 6)
			*parts[k] = *parts[k] * 10 + (unsigned)(s.p[i++] - '0');
		if (i == from)
			return k > 0;
		if (i == s.n || s.p[i] != '.')
			return true;
		i++;
	}
	return true;
}

static bool is_before(struct version a, struct version b)
{
	if (a.major != b.major)
		return a.major < b.major;
	return a.minor != b.minor ? a.minor < b.minor : a.patch < b.patch;
}

static bool is_open(const struct hole *h, struct version v)
{
	struct version last = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(h->fixed) && h->fixed[i].major; i++) {
		last = h->fixed[i];
		if (v.major == last.major)
			return is_before(v, last);
	}
	return is_before(v, last);
}

bool authz_engine_holes(struct slice version, char *dst, size_t size)
{
	struct version v;
	size_t n = 0;

	*dst = 0;
	if (!read_version(version, &v))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(holes); i++)
		if (is_open(&holes[i], v) && n < size)
			n += (size_t)snprintf(dst + n, size - n, "%s%s", n ? " " : "", holes[i].id);
	return true;
}
