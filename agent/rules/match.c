/* match.c - patterns against bytes. Linear or bounded: values come from whoever is being watched. */
#include <ctype.h>

#include "agent/rules/prog_priv.h"

static unsigned char fold(char c, bool ignore_case)
{
	return ignore_case ? (unsigned char)tolower((unsigned char)c) : (unsigned char)c;
}

/* The class that begins after "[" at *at. Moves *at past its "]"; a class without one is no class
 * (*ret_is_class false), its "[" an ordinary character, as fnmatch has it. */
static bool match_class(struct slice p, size_t *at, char c, bool ignore_case, bool *ret_is_class)
{
	size_t i = *at;
	bool negated = i < p.n && (p.p[i] == '!' || p.p[i] == '^'), found = false;
	unsigned char x = fold(c, ignore_case);

	i += negated;
	for (size_t start = i; i < p.n && (p.p[i] != ']' || i == start); i++) {
		if (p.p[i] == '\\' && i + 1 < p.n)
			i++;
		unsigned char low = fold(p.p[i], ignore_case), high = low;

		if (i + 2 < p.n && p.p[i + 1] == '-' && p.p[i + 2] != ']') {
			high = fold(p.p[i + 2], ignore_case);
			i += 2;
		}
		found |= x >= low && x <= high;
	}
	*ret_is_class = i < p.n;
	if (*ret_is_class)
		*at = i + 1;
	return found != negated;
}

/* One pattern item against one character; *at moves past the item. */
static bool match_one(struct slice p, size_t *at, char c, bool ignore_case)
{
	char item = p.p[(*at)++];

	if (item == '?')
		return true;
	if (item == '[') {
		bool is_class, matches = match_class(p, at, c, ignore_case, &is_class);

		if (is_class)
			return matches;
	}
	if (item == '\\' && *at < p.n)
		item = p.p[(*at)++];
	return fold(item, ignore_case) == fold(c, ignore_case);
}

bool match_glob(struct slice pattern, struct slice s, bool ignore_case)
{
	size_t p = 0, i = 0, star = SIZE_MAX, star_i = 0;

	/* Only the last star is reconsidered: at most pattern * text steps. */
	while (i < s.n) {
		size_t next = p;

		if (p < pattern.n && pattern.p[p] == '*') {
			star = ++p;
			star_i = i;
		} else if (p < pattern.n && match_one(pattern, &next, s.p[i], ignore_case)) {
			p = next;
			i++;
		} else if (star != SIZE_MAX) {
			p = star;
			i = ++star_i;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

bool match_contains(struct slice s, struct slice part, bool ignore_case)
{
	if (!ignore_case)
		return slice_find(s, part) >= 0;
	for (size_t i = 0; i + part.n <= s.n; i++)
		if (!part.n || !strncasecmp(s.p + i, part.p, part.n))
			return true;
	return false;
}

bool match_prefix(const struct path_prefix *prefix, struct slice path)
{
	struct slice rest = path, part;
	size_t i = 0;

	while (i < prefix->count && slice_split(&rest, '/', &part)) {
		if (!part.n)
			continue;
		if (!match_glob(prefix->parts[i++], part, false))
			return false;
	}
	return i == prefix->count;
}

bool match_net(const struct net *net, const struct net *address)
{
	unsigned whole = net->prefix / 8, rest = net->prefix % 8;

	if (net->length != address->length || memcmp(net->address, address->address, whole) != 0)
		return false;
	return !rest || !((net->address[whole] ^ address->address[whole]) >> (8 - rest));
}
