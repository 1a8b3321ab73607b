/* detect_pattern.c - the text of a value: wildcards and their escapes, encodings, and is it in there? */
#include "collector/correlate/detect_priv.h"
#include "common/text.h"

#define LOWER8(c) c, c + 1, c + 2, c + 3, c + 4, c + 5, c + 6, c + 7
const uint8_t detect_lower[256] = {
	LOWER8(0),   LOWER8(8),	  LOWER8(16),  LOWER8(24),  LOWER8(32),	 LOWER8(40),  LOWER8(48),  LOWER8(56),
	64,	     'a',	  'b',	       'c',	    'd',	 'e',	      'f',	   'g',
	LOWER8(104), LOWER8(112), 'x',	       'y',	    'z',	 91,	      92,	   93,
	94,	     95,	  LOWER8(96),  LOWER8(104), LOWER8(112), LOWER8(120), LOWER8(128), LOWER8(136),
	LOWER8(144), LOWER8(152), LOWER8(160), LOWER8(168), LOWER8(176), LOWER8(184), LOWER8(192), LOWER8(200),
	LOWER8(208), LOWER8(216), LOWER8(224), LOWER8(232), LOWER8(240), LOWER8(248),
};

/* ---- building ---- */

static bool new_tokens(struct arena *a, size_t n, struct pattern *ret)
{
	*ret = (struct pattern){ .tokens = arena_alloc(a, (n + 1) * sizeof(*ret->tokens)) };
	return ret->tokens;
}

struct pattern pattern_bytes(struct arena *a, struct slice text)
{
	struct pattern p;

	if (new_tokens(a, text.n, &p))
		for (size_t i = 0; i < text.n; i++)
			p.tokens[p.count++] = (uint8_t)text.p[i];
	return p;
}

/* A backslash stands for itself, unless what it could escape follows: a wildcard or a backslash. */
struct pattern pattern_parse(struct arena *a, struct slice text)
{
	struct pattern p;

	if (!new_tokens(a, text.n, &p))
		return p;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '\\' && i + 1 < text.n && strchr("\\*?", text.p[i + 1]) && text.p[i + 1])
			p.tokens[p.count++] = (uint8_t)text.p[++i];
		else
			p.tokens[p.count++] = c == '*' ? TOKEN_MANY : c == '?' ? TOKEN_ONE : (uint8_t)c;
	}
	return p;
}

bool pattern_has_wildcards(const struct pattern *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->tokens[i] == TOKEN_ONE || p->tokens[i] == TOKEN_MANY)
			return true;
	return false;
}

bool pattern_surround(struct arena *a, struct pattern *p, bool before, bool behind)
{
	struct pattern q;

	if (!new_tokens(a, p->count + 2, &q))
		return false;
	if (before)
		q.tokens[q.count++] = TOKEN_MANY;
	memcpy(q.tokens + q.count, p->tokens, p->count * sizeof(*p->tokens));
	q.count += p->count;
	if (behind)
		q.tokens[q.count++] = TOKEN_MANY;
	*p = q;
	return true;
}

/* ---- dashes ---- */

static const char *const dashes[] = { "-", "/", "\xe2\x80\x93", "\xe2\x80\x94", "\xe2\x80\x95" };

static bool is_word(uint16_t t)
{
	return (t >= '0' && t <= '9') || t == '_' || (t >= 'A' && t <= 'Z') || (t >= 'a' && t <= 'z') ||
	       (t >= 0x80 && t < 256);
}

/* Bytes of the dash that begins at i, or 0. */
static size_t dash_at(const struct pattern *p, size_t i)
{
	for (size_t d = 0; d < ARRAY_LEN(dashes); d++) {
		size_t n = strlen(dashes[d]), k = 0;

		while (k < n && i + k < p->count && p->tokens[i + k] == (uint8_t)dashes[d][k])
			k++;
		if (k == n)
			return n;
	}
	return 0;
}

/* A dash that begins an option: none inside a word (a-b) or before a blank. */
void pattern_mark_dashes(struct pattern *p)
{
	size_t to = 0;
	bool after_word = false;

	for (size_t i = 0; i < p->count;) {
		size_t n = dash_at(p, i);

		if (n && !after_word && i + n < p->count && is_word(p->tokens[i + n]) && !dash_at(p, i + n)) {
			p->tokens[to++] = TOKEN_DASH;
			i += n;
			continue;
		}
		after_word = is_word(p->tokens[i]);
		p->tokens[to++] = p->tokens[i++];
	}
	p->count = to;
}

size_t pattern_dash_ways(struct arena *a, const struct pattern *p, struct pattern *ret)
{
	size_t ways = 1, count = 0;

	for (size_t i = 0; i < p->count; i++)
		if (p->tokens[i] == TOKEN_DASH) {
			ways *= ARRAY_LEN(dashes);
			count++;
			if (ways > DASH_WAYS_MAX)
				return 0;
		}
	for (size_t w = 0; w < ways; w++) {
		size_t which = w;

		if (!new_tokens(a, p->count + 2 * count, &ret[w]))
			return 0;
		for (size_t i = 0; i < p->count; i++) {
			if (p->tokens[i] != TOKEN_DASH) {
				ret[w].tokens[ret[w].count++] = p->tokens[i];
				continue;
			}
			for (const char *d = dashes[which % ARRAY_LEN(dashes)]; *d; d++)
				ret[w].tokens[ret[w].count++] = (uint8_t)*d;
			which /= ARRAY_LEN(dashes);
		}
	}
	return ways;
}

/* ---- encodings ---- */

static void add_unit(struct pattern *p, uint32_t unit, bool is_big_endian)
{
	p->tokens[p->count++] = is_big_endian ? unit >> 8 & 0xff : unit & 0xff;
	p->tokens[p->count++] = is_big_endian ? unit & 0xff : unit >> 8 & 0xff;
}

bool pattern_utf16(struct arena *a, struct pattern *p, bool is_big_endian, bool has_mark)
{
	struct pattern q;

	/* A byte of UTF-8 gives at most two of UTF-16. */
	if (p->count > VALUE_BYTES_MAX / 2 || !new_tokens(a, 2 * p->count + 2, &q))
		return false;
	if (has_mark)
		add_unit(&q, 0xfeff, is_big_endian);
	for (size_t i = 0; i < p->count;) {
		char bytes[4];
		size_t n = 0;
		uint32_t c = 0;

		if (p->tokens[i] > 0xff) {
			q.tokens[q.count++] = p->tokens[i++];
			continue;
		}
		for (; n < sizeof(bytes) && i + n < p->count && p->tokens[i + n] <= 0xff; n++)
			bytes[n] = (char)p->tokens[i + n];
		n = text_utf8(slice_from(bytes, n), &c);
		if (!n) {
			c = p->tokens[i];
			n = 1;
		}
		i += n;
		if (c > 0xffff) {
			add_unit(&q, 0xd800 + ((c - 0x10000) >> 10), is_big_endian);
			add_unit(&q, 0xdc00 + ((c - 0x10000) & 0x3ff), is_big_endian);
		} else {
			add_unit(&q, c, is_big_endian);
		}
	}
	*p = q;
	return true;
}

/* As if `offset` bytes stood before. is_cut: without the digits that depend on what stands before and behind. */
bool pattern_base64(struct arena *a, struct pattern *p, unsigned offset, bool is_cut)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const uint8_t skip[] = { 0, 2, 3 }, drop[] = { 0, 3, 2 };
	size_t n = p->count + offset, bytes = (n + 2) / 3 * 4;
	struct pattern q;

	if (bytes > VALUE_BYTES_MAX || !new_tokens(a, bytes, &q))
		return false;
	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = 0;

		for (size_t k = 0; k < 3; k++)
			v = v << 8 | (i + k < offset || i + k >= n ? 0 : p->tokens[i + k - offset] & 0xffU);
		for (size_t k = 0; k < 4; k++)
			q.tokens[q.count++] = i + k > n ? '=' : (uint8_t)digits[v >> (18 - 6 * k) & 63];
	}
	if (is_cut) {
		size_t from = skip[offset], to = q.count - (q.count ? drop[n % 3] : 0);

		q.tokens += from;
		q.count = to > from ? to - from : 0;
	}
	*p = q;
	return true;
}

/* ---- made ready ---- */

static bool take_bytes(struct arena *a, const uint16_t *tokens, size_t n, bool is_cased, struct slice *ret)
{
	char *bytes = arena_alloc(a, n + 1);

	if (!bytes)
		return false;
	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)(is_cased ? tokens[i] : detect_lower[tokens[i] & 0xff]);
	bytes[n] = 0;
	*ret = slice_from(bytes, n);
	return true;
}

static unsigned pair_of(char a, char b)
{
	return ((unsigned)detect_lower[(uint8_t)a] << 6 ^ detect_lower[(uint8_t)b]) % PAIRS_BITS;
}

void pairs_make(struct pairs *p, struct slice s)
{
	memset(p, 0, sizeof(*p));
	for (size_t i = 1; i < s.n; i++) {
		unsigned pair = pair_of(s.p[i - 1], s.p[i]);

		p->words[pair / 64] |= 1ull << pair % 64;
	}
}

/* Some of a text's pairs, from its beginning to its end. */
static void take_pairs(struct text *t)
{
	size_t n = t->bytes.n, count = n < 2 ? 0 : n - 1 < PAIRS_OF_TEXT ? n - 1 : PAIRS_OF_TEXT;

	for (size_t i = 0; i < count; i++) {
		size_t at = count > 1 ? i * (n - 2) / (count - 1) : 0;

		t->pairs[i] = (uint16_t)pair_of(t->bytes.p[at], t->bytes.p[at + 1]);
	}
	t->pair_count = (uint8_t)count;
}

bool text_may_match(const struct text *t, const struct pairs *p)
{
	for (size_t i = 0; i < t->pair_count; i++)
		if (!(p->words[t->pairs[i] / 64] >> t->pairs[i] % 64 & 1))
			return false;
	return true;
}

/* The longest run of bytes in p. */
static void longest_run(const struct pattern *p, size_t *ret_from, size_t *ret_n)
{
	size_t from = 0;

	*ret_from = *ret_n = 0;
	for (size_t i = 0; i <= p->count; i++) {
		if (i < p->count && p->tokens[i] <= 0xff)
			continue;
		if (i - from > *ret_n) {
			*ret_from = from;
			*ret_n = i - from;
		}
		from = i + 1;
	}
}

bool text_make(struct arena *a, const struct pattern *p, bool is_cased, struct text *ret)
{
	struct pattern q;
	size_t from, n;
	bool before = p->count && p->tokens[0] == TOKEN_MANY, behind = p->count && p->tokens[p->count - 1] == TOKEN_MANY;

	if (!new_tokens(a, p->count, &q))
		return false;
	/* Stars in a row are one. */
	for (size_t i = 0; i < p->count; i++)
		if (p->tokens[i] != TOKEN_MANY || !q.count || q.tokens[q.count - 1] != TOKEN_MANY)
			q.tokens[q.count++] = p->tokens[i] > 0xff || is_cased ? p->tokens[i] :
										detect_lower[p->tokens[i]];
	longest_run(&q, &from, &n);
	ret->glob = q;
	ret->form = n + before + (behind && q.count > 1) != q.count ? FORM_GLOB :
		    before && behind				    ? FORM_CONTAINS :
		    before					    ? FORM_SUFFIX :
		    behind					    ? FORM_PREFIX :
								      FORM_EXACT;
	if (!take_bytes(a, q.tokens + from, n, is_cased, &ret->bytes))
		return false;
	ret->pair_count = 0;
	if (ret->form == FORM_CONTAINS || ret->form == FORM_GLOB)
		take_pairs(ret);
	return true;
}

/* ---- looking ---- */

bool bytes_equal(struct slice s, struct slice needle, bool is_cased)
{
	if (s.n != needle.n)
		return false;
	if (is_cased)
		return slice_eq(s, needle);
	for (size_t i = 0; i < s.n; i++)
		if (detect_lower[(uint8_t)s.p[i]] != (uint8_t)needle.p[i])
			return false;
	return true;
}

bool bytes_contain(struct slice s, struct slice needle, bool is_cased)
{
	if (is_cased)
		return slice_find(s, needle) >= 0;
	if (!needle.n)
		return true;
	for (size_t i = 0; i + needle.n <= s.n; i++)
		if (detect_lower[(uint8_t)s.p[i]] == (uint8_t)needle.p[0] &&
		    bytes_equal(slice_from(s.p + i, needle.n), needle, false))
			return true;
	return false;
}

/* Bytes of s from i on that the token takes, or 0: it doesn't stand there. */
static size_t take_token(uint16_t token, struct slice s, size_t i, bool is_cased)
{
	uint8_t c = (uint8_t)s.p[i];
	uint32_t point;

	if (token <= 0xff)
		return token == (is_cased ? c : detect_lower[c]);
	if (token == TOKEN_ONE) {
		size_t n = c < 0x80 ? 1 : text_utf8(slice_from(s.p + i, s.n - i), &point);

		return n ? n : 1; /* what is no UTF-8 is a character a byte */
	}
	for (size_t d = 0; d < ARRAY_LEN(dashes); d++)
		if (slice_starts(slice_from(s.p + i, s.n - i), slice_of(dashes[d])))
			return strlen(dashes[d]);
	return 0;
}

static bool glob_match(const struct pattern *g, struct slice s, bool is_cased)
{
	size_t p = 0, i = 0, star = SIZE_MAX, star_i = 0;

	/* Only the last star is ever reconsidered, so the cost is at most pattern * text. */
	while (i < s.n) {
		if (p < g->count && g->tokens[p] == TOKEN_MANY) {
			star = p++;
			star_i = i;
			continue;
		}
		size_t n = p < g->count ? take_token(g->tokens[p], s, i, is_cased) : 0;
		if (n) {
			p++;
			i += n;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			i = ++star_i;
		} else {
			return false;
		}
	}
	while (p < g->count && g->tokens[p] == TOKEN_MANY)
		p++;
	return p == g->count;
}

bool text_match(const struct text *t, struct slice s, bool is_cased)
{
	size_t n = t->bytes.n;

	if (s.n < n)
		return false;
	switch (t->form) {
	case FORM_EXACT:
		return bytes_equal(s, t->bytes, is_cased);
	case FORM_PREFIX:
		return bytes_equal(slice_from(s.p, n), t->bytes, is_cased);
	case FORM_SUFFIX:
		return bytes_equal(slice_from(s.p + (s.n - n), n), t->bytes, is_cased);
	case FORM_CONTAINS:
		return bytes_contain(s, t->bytes, is_cased);
	case FORM_GLOB:
		return bytes_contain(s, t->bytes, is_cased) && glob_match(&t->glob, s, is_cased);
	}
	return false;
}
