/* detect_value.c - one value of a rule, read as the modifiers before it say. */
#include <arpa/inet.h>
#include <math.h>
#include <time.h>

#include "collector/correlate/detect_priv.h"
#include "common/log.h"

enum { NUMBER_BYTES_MAX = 64, SHOWN_MAX = 60, PATTERNS_MAX = 3 * DASH_WAYS_MAX };

static int fail_value(struct compiler *c, const struct conf_node *at, const char *what)
{
	char text[SHOWN_MAX];

	log_escape(at->text, text, sizeof(text));
	return sigma_fail(c->rule, at, c->err, "'%s' %s", text, what);
}

/* ---- addresses, numbers, times ---- */

bool net_parse(struct slice s, bool may_have_prefix, struct net *ret)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	char text[INET6_ADDRSTRLEN];
	ptrdiff_t slash = slice_find_char(s, '/');
	struct slice address = slash < 0 ? s : slice_sub(s, 0, (size_t)slash);
	struct net n = { .length = 4 };
	uint64_t prefix;

	if (!slice_copy(address, text, sizeof(text)) || slice_find_char(address, 0) >= 0 ||
	    (slash >= 0 && !may_have_prefix))
		return false;
	if (inet_pton(AF_INET, text, n.address) != 1) {
		n.length = 16;
		if (inet_pton(AF_INET6, text, n.address) != 1)
			return false;
	}
	prefix = n.length * 8U;
	if (slash >= 0 && (!slice_to_u64(slice_sub(s, (size_t)slash + 1, s.n), &prefix) || prefix > n.length * 8U))
		return false;
	if (n.length == 16 && prefix >= 96 && !memcmp(n.address, mapped, sizeof(mapped))) {
		memmove(n.address, n.address + 12, 4);
		memset(n.address + 4, 0, 12);
		n.length = 4;
		prefix -= 96;
	}
	n.prefix = (uint8_t)prefix;
	*ret = n;
	return true;
}

static bool has_bits_beyond(const struct net *n)
{
	for (unsigned bit = n->prefix; bit < n->length * 8U; bit++)
		if (n->address[bit / 8] >> (7 - bit % 8) & 1)
			return true;
	return false;
}

/* [-+]digits[.digits][e[-+]digits] and nothing else: no hexadecimal, no infinity. */
bool number_parse(struct slice s, long double *ret)
{
	char text[NUMBER_BYTES_MAX], *end;

	if (!s.n || !slice_copy(s, text, sizeof(text)) || text[strspn(text, "0123456789+-.eE")] ||
	    !strpbrk(text, "0123456789"))
		return false;
	long double v = strtold(text, &end);
	if (end != text + s.n || !isfinite(v))
		return false;
	*ret = v;
	return true;
}

/* ISO 8601: week 1 has the year's first Thursday. */
static int week_of(const struct tm *tm)
{
	int weekday = (tm->tm_wday + 6) % 7; /* Monday 0 */
	int week = (tm->tm_yday - weekday + 10) / 7;
	int year = tm->tm_year + 1900;

	if (week < 1) {
		/* the last of the year before */
		year--;
		bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
		return (tm->tm_yday + (is_leap ? 366 : 365) - weekday + 10) / 7;
	}
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	if (week == 53 && tm->tm_yday - weekday + 3 >= (is_leap ? 366 : 365))
		return 1;
	return week;
}

long double time_part(enum time_part part, int64_t unix_ns)
{
	int64_t seconds = unix_ns / 1000000000;
	struct tm tm;

	if (unix_ns % 1000000000 < 0)
		seconds--;
	time_t t = (time_t)seconds;
	if (!gmtime_r(&t, &tm))
		return -1;
	switch (part) {
	case PART_NONE:
		return (long double)unix_ns / 1e9L;
	case PART_MINUTE:
		return tm.tm_min;
	case PART_HOUR:
		return tm.tm_hour;
	case PART_DAY:
		return tm.tm_mday;
	case PART_WEEK:
		return week_of(&tm);
	case PART_MONTH:
		return tm.tm_mon + 1;
	case PART_YEAR:
		return tm.tm_year + 1900;
	}
	return -1;
}

/* ---- texts ---- */

/* What one text became: grows by dashes and by base64offset's three ways. */
struct made {
	struct pattern all[PATTERNS_MAX];
	size_t count;
};

static bool has_dashes(const struct pattern *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->tokens[i] == TOKEN_DASH)
			return true;
	return false;
}

/* An encoding needs to know bytes: dashes become their ways. */
static int expand_dashes(struct compiler *c, const struct conf_node *at, struct made *m)
{
	struct pattern one = m->all[0];

	if (m->count != 1 || !has_dashes(&one))
		return 0;
	m->count = pattern_dash_ways(c->arena, &one, m->all);
	return m->count ? 0 : fail_value(c, at, "has more than three dashes to be encoded");
}

static int encode_base64(struct compiler *c, const struct conf_node *at, bool is_offset, struct made *m)
{
	struct made out = { .count = 0 };

	for (size_t i = 0; i < m->count; i++) {
		if (pattern_has_wildcards(&m->all[i]))
			return fail_value(c, at, "has wildcards, which can't be put into base64");
		for (unsigned offset = 0; offset < (is_offset ? 3 : 1); offset++) {
			struct pattern p = m->all[i];

			if (out.count == PATTERNS_MAX || !pattern_base64(c->arena, &p, offset, is_offset))
				return fail_value(c, at, "is too long to be put into base64");
			/* Of a short text nothing may be left that is always the same. */
			if (p.count)
				out.all[out.count++] = p;
		}
	}
	if (!out.count)
		return fail_value(c, at, "is too short for base64offset");
	*m = out;
	return 0;
}

static int encode(struct compiler *c, const struct conf_node *at, enum modifier encoding, struct made *m)
{
	if (encoding == MOD_WINDASH) {
		for (size_t i = 0; i < m->count; i++)
			pattern_mark_dashes(&m->all[i]);
		return 0;
	}
	int e = expand_dashes(c, at, m);
	if (e < 0)
		return e;
	if (encoding == MOD_BASE64 || encoding == MOD_BASE64OFFSET)
		return encode_base64(c, at, encoding == MOD_BASE64OFFSET, m);
	for (size_t i = 0; i < m->count; i++)
		if (!pattern_utf16(c->arena, &m->all[i], encoding == MOD_UTF16BE, encoding == MOD_UTF16))
			return fail_value(c, at, "is too long");
	return 0;
}

static int read_text(struct compiler *c, const struct item *item, const struct conf_node *at, struct constant *ret)
{
	struct made m = { .count = 1 };
	int e = 0;

	m.all[0] = pattern_parse(c->arena, at->text);
	if (!m.all[0].tokens)
		return compile_no_room(c);
	if (item->starts && item->ends && at->text.n > 1 && m.all[0].tokens[0] == TOKEN_MANY &&
	    m.all[0].tokens[m.all[0].count - 1] == TOKEN_MANY)
		sigma_note(c->notes, c->rule, at, "the * around it are needless: contains means them");
	for (size_t i = 0; i < item->encoding_count && e >= 0; i++)
		e = encode(c, at, item->encodings[i], &m);
	if (e < 0)
		return e;
	struct pattern *copy = arena_alloc(c->arena, m.count * sizeof(*copy));
	if (!copy)
		return compile_no_room(c);
	for (size_t i = 0; i < m.count; i++) {
		if (!pattern_surround(c->arena, &m.all[i], item->starts, item->ends))
			return compile_no_room(c);
		copy[i] = m.all[i];
	}
	ret->patterns = copy;
	ret->pattern_count = m.count;
	return 0;
}

static int read_net(struct compiler *c, const struct conf_node *at, struct constant *ret)
{
	memset(&ret->net, 0, sizeof(ret->net));
	if (!net_parse(at->text, true, &ret->net))
		return fail_value(c, at, "is no network: expected address/prefix");
	if (has_bits_beyond(&ret->net))
		sigma_note(c->notes, c->rule, at, "the address has bits beyond its prefix");
	return 0;
}

static int read_field(struct compiler *c, const struct conf_node *at, struct constant *ret)
{
	int field = field_resolve(c, at, at->text);
	int slot = field < 0 ? UINT16_MAX : slot_make(c, (unsigned)field, DETECT_VALUES_MAX);

	if (slot < 0)
		return slot;
	ret->slot = (uint16_t)slot;
	return 0;
}

int value_read(struct compiler *c, const struct item *item, const struct conf_node *at, struct constant *ret)
{
	*ret = (struct constant){ .at = at };
	if (at->kind != CONF_NODE_SCALAR)
		return sigma_fail(c->rule, at, c->err, "expected a text or a number");
	if (at->text.n > VALUE_BYTES_MAX)
		return sigma_fail(c->rule, at, c->err, "a value longer than %d bytes", VALUE_BYTES_MAX);
	switch (item->kind) {
	case CHECK_TEXTS:
		return read_text(c, item, at, ret);
	case CHECK_REGEXES:
		ret->regex = at->text;
		return 0;
	case CHECK_NETS:
		return read_net(c, at, ret);
	case CHECK_NUMBERS:
		return number_parse(at->text, &ret->number) ? 0 : fail_value(c, at, "is no number");
	case CHECK_FIELDS:
		return read_field(c, at, ret);
	case CHECK_EXISTS:
		break;
	}
	return sigma_fail(c->rule, at, c->err, "expected true or false");
}
