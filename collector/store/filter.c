/* filter.c - see filter.h. */
#include "collector/store/filter.h"

#include <ctype.h>
#include <errno.h>

#include "common/log.h"
#include "common/text.h"
#include "proto/msg.h"

enum { MAX_BYTES = 4096, MAX_TERMS = 64, MAX_KEYS = 64 };

/* Keys whose values are more than text. What a key is called decides, for events and alerts alike. */
enum kind { KIND_TEXT, KIND_NUMBER, KIND_SEVERITY, KIND_TIME };
static const struct {
	const char *key;
	enum kind kind;
} kinds[] = {
	{ "pid", KIND_NUMBER },	    { "ppid", KIND_NUMBER }, { "id", KIND_NUMBER },
	{ "count", KIND_NUMBER },   { "time", KIND_TIME },   { "since", KIND_TIME },
	{ "until", KIND_TIME },	    { "severity", KIND_SEVERITY },
	{ "port", KIND_NUMBER },    { "risk", KIND_NUMBER },
};

static enum kind kind_of(const char *key)
{
	for (size_t i = 0; key && i < ARRAY_LEN(kinds); i++)
		if (!strcmp(kinds[i].key, key))
			return kinds[i].kind;
	return KIND_TEXT;
}

struct parser {
	struct slice text;
	size_t at;
	const char *const *keys;
	struct arena *arena;
	char *value; /* room for the longest value, cut to size by arena_dup */
	struct filter *out;
	struct err *err;
};

/* Characters, not bytes, so that the number fits what is seen. */
static unsigned column_at(const struct parser *p, size_t at)
{
	unsigned column = 1;

	for (size_t i = 0; i < at; i++)
		column += ((unsigned char)p->text.p[i] & 0xc0) != 0x80;
	return column;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool severity_rank(struct slice s, int *ret)
{
	for (int i = SEVERITY_INFO; i <= SEVERITY_CRITICAL; i++)
		if (slice_is(s, msg_severity_name((enum msg_severity)i))) {
			*ret = i;
			return true;
		}
	return false;
}

static bool to_number(struct slice s, int64_t *ret)
{
	bool is_minus = s.n && s.p[0] == '-';
	uint64_t v;

	if (!slice_to_u64(is_minus ? slice_sub(s, 1, s.n) : s, &v) || v > INT64_MAX)
		return false;
	*ret = is_minus ? -(int64_t)v : (int64_t)v;
	return true;
}

bool filter_time_parse(struct slice s, uint64_t now_unix_ns, uint64_t *ret_unix_ns)
{
	uint64_t ms;

	if (text_time_parse(s, ret_unix_ns))
		return true;
	/* a day without a clock time is its beginning */
	if (s.n == 10 && s.p[4] == '-') {
		char full[32];

		snprintf(full, sizeof(full), "%.10sT00:00:00Z", s.p);
		return text_time_parse(slice_of(full), ret_unix_ns);
	}
	if (!text_duration_parse(s, &ms))
		return false;
	*ret_unix_ns = ms >= now_unix_ns / 1000000 ? 0 : now_unix_ns - ms * 1000000;
	return true;
}

/* Behind a backslash: \xHH is that byte (names may have bytes that a filter can't be typed with), else what stands there. */
static char take_escaped(struct parser *p)
{
	struct slice s = slice_sub(p->text, p->at + 1, 3);
	unsigned char byte;

	if (s.n == 3 && s.p[0] == 'x' && text_unhex(slice_sub(s, 1, 2), &byte, 1) == 1 && byte) {
		p->at += 3;
		return (char)byte;
	}
	return p->text.p[++p->at];
}

/* The value as text from here on: quoted with \" and \\ and \xHH, or up to the next blank. */
static int take_value(struct parser *p, bool *ret_is_quoted, const char **ret)
{
	size_t n = 0, start = p->at;
	bool is_quoted = p->at < p->text.n && p->text.p[p->at] == '"';

	for (p->at += is_quoted; p->at < p->text.n; p->at++) {
		char c = p->text.p[p->at];

		if (is_quoted ? c == '"' : is_blank(c))
			break;
		if (is_quoted && c == '\\' && p->at + 1 < p->text.n)
			c = take_escaped(p);
		p->value[n++] = c;
	}
	if (is_quoted) {
		if (p->at >= p->text.n)
			return err_set(p->err, ERR_SYNTAX, "column %u: the quote is not closed",
				       column_at(p, start));
		p->at++;
		if (p->at < p->text.n && !is_blank(p->text.p[p->at]))
			return err_set(p->err, ERR_SYNTAX,
				       "column %u: a blank is wanted after the closing quote",
				       column_at(p, p->at));
	}
	*ret_is_quoted = is_quoted;
	*ret = arena_dup(p->arena, slice_from(p->value, n));
	return *ret ? 0 : err_set(p->err, ENOMEM, "filter");
}

static size_t key_length(struct slice s)
{
	size_t n = 0;

	if (!s.n || !(isalpha((unsigned char)s.p[0]) || s.p[0] == '_'))
		return 0;
	while (n < s.n && (isalnum((unsigned char)s.p[n]) || s.p[n] == '_' || s.p[n] == '.'))
		n++;
	return n;
}

/* The operator s begins with; 0 bytes when there is none. */
static size_t operator_at(struct slice s, enum filter_op *ret_op, bool *ret_is_not)
{
	static const struct {
		const char *text;
		enum filter_op op;
		bool is_not;
	} ops[] = { /* the longer first */
		    { "!=", FILTER_NE, false },	      { "!~", FILTER_CONTAINS, true },
		    { "<=", FILTER_LE, false },	      { ">=", FILTER_GE, false },
		    { "=", FILTER_EQ, false },	      { ":", FILTER_EQ, false },
		    { "~", FILTER_CONTAINS, false },  { "<", FILTER_LT, false },
		    { ">", FILTER_GT, false }
	};

	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (slice_starts(s, slice_of(ops[i].text))) {
			*ret_op = ops[i].op;
			*ret_is_not = ops[i].is_not;
			return strlen(ops[i].text);
		}
	return 0;
}

static int find_key(struct parser *p, struct slice word, unsigned column, const char **ret)
{
	size_t count = 0;

	for (; p->keys[count] && count < MAX_KEYS; count++)
		if (slice_is(word, p->keys[count])) {
			*ret = p->keys[count];
			return 0;
		}
	const char *near = text_nearest(word, p->keys, count);
	if (near)
		return err_set(p->err, ERR_SYNTAX, "column %u: unknown key \"%.*s\", did you mean \"%s\"?",
			       column, (int)(word.n > 40 ? 40 : word.n), word.p, near);
	return err_set(p->err, ERR_SYNTAX,
		       "column %u: unknown key \"%.*s\" (put free text in quotes)", column,
		       (int)(word.n > 40 ? 40 : word.n), word.p);
}

/* A value that its key can't have is a mistake to be shown, not a filter that matches nothing. */
static int check_value(struct parser *p, const struct filter_term *t, unsigned column)
{
	char shown[48];
	struct slice v = slice_of(t->value);
	uint64_t time;
	int64_t number;
	int rank;

	log_escape(slice_sub(v, 0, 40), shown, sizeof(shown));
	if (!v.n && t->op != FILTER_EQ && t->op != FILTER_NE)
		return err_set(p->err, ERR_SYNTAX, "column %u: a value is wanted", column);
	if (t->op == FILTER_GLOB || t->op == FILTER_CONTAINS)
		return kind_of(t->key) == KIND_TEXT || kind_of(t->key) == KIND_NUMBER
			       ? 0
			       : err_set(p->err, ERR_SYNTAX,
					 "column %u: \"%s\" takes no pattern", column, t->key);
	switch (kind_of(t->key)) {
	case KIND_TEXT:
		return 0;
	case KIND_NUMBER:
		if (to_number(v, &number))
			return 0;
		return err_set(p->err, ERR_SYNTAX, "column %u: \"%s\" is not a number", column, shown);
	case KIND_TIME:
		if (filter_time_parse(v, 0, &time))
			return 0;
		return err_set(p->err, ERR_SYNTAX,
			       "column %u: \"%s\" is not a time (24h, 7d, 2026-11-23T08:00:00Z)", column,
			       shown);
	case KIND_SEVERITY:
		if (severity_rank(v, &rank))
			return 0;
		return err_set(p->err, ERR_SYNTAX,
			       "column %u: \"%s\" is not one of info low medium high critical", column,
			       shown);
	}
	return 0;
}

static int parse_term(struct parser *p)
{
	struct filter_term t = { .column = column_at(p, p->at), .op = FILTER_TEXT };
	bool is_quoted = false, is_not = false;

	if (p->text.p[p->at] == '-') {
		t.is_negated = true;
		p->at++;
		if (p->at == p->text.n || is_blank(p->text.p[p->at]))
			return err_set(p->err, ERR_SYNTAX, "column %u: nothing follows the \"-\"",
				       t.column);
	}
	struct slice rest = slice_sub(p->text, p->at, p->text.n);
	size_t key_n = key_length(rest);
	size_t op_n = key_n ? operator_at(slice_sub(rest, key_n, rest.n), &t.op, &is_not) : 0;
	unsigned value_column = t.column;
	if (op_n) {
		int r = find_key(p, slice_sub(rest, 0, key_n), column_at(p, p->at), &t.key);
		if (r < 0)
			return r;
		p->at += key_n + op_n;
		value_column = column_at(p, p->at);
		t.is_negated ^= is_not;
	}
	int r = take_value(p, &is_quoted, &t.value);
	if (r < 0)
		return r;
	/* In quotes a star is a star. */
	if ((t.op == FILTER_EQ || t.op == FILTER_NE) && !is_quoted && strpbrk(t.value, "*?")) {
		t.is_negated ^= t.op == FILTER_NE;
		t.op = FILTER_GLOB;
	}
	if (t.key) {
		r = check_value(p, &t, value_column);
		if (r < 0)
			return r;
	} else if (!t.value[0]) {
		return err_set(p->err, ERR_SYNTAX, "column %u: empty text", t.column);
	}
	if (p->out->count == MAX_TERMS)
		return err_set(p->err, ERR_SYNTAX, "column %u: more than %d terms", t.column, MAX_TERMS);
	p->out->terms[p->out->count++] = t;
	return 0;
}

int filter_parse(struct slice text, const char *const *keys, struct arena *a, struct filter *ret,
		 struct err *err)
{
	struct filter out = { .terms = arena_zalloc(a, MAX_TERMS, sizeof(*out.terms)) };
	struct parser p = { .text = text, .keys = keys, .arena = a, .out = &out, .err = err };

	if (text.n > MAX_BYTES)
		return err_set(err, ERR_SYNTAX, "column %d: a filter has at most %d bytes", MAX_BYTES + 1,
			       MAX_BYTES);
	p.value = arena_alloc(a, text.n + 1);
	if (!out.terms || !p.value)
		return err_set(err, ENOMEM, "filter");
	for (size_t i = 0; i < text.n; i++)
		if (iscntrl((unsigned char)text.p[i]) && !is_blank(text.p[i]))
			return err_set(err, ERR_SYNTAX, "column %u: a control character", column_at(&p, i));
	while (p.at < text.n) {
		if (is_blank(text.p[p.at])) {
			p.at++;
			continue;
		}
		int r = parse_term(&p);
		if (r < 0)
			return r;
	}
	*ret = out;
	return 0;
}

bool filter_contains(struct slice hay, struct slice needle)
{
	if (!needle.n)
		return true;
	if (needle.n > hay.n)
		return false;
	char lower = (char)tolower((unsigned char)needle.p[0]);
	char upper = (char)toupper((unsigned char)needle.p[0]);

	for (const char *p = hay.p, *end = hay.p + hay.n - needle.n; p <= end; p++)
		if ((*p == lower || *p == upper) && !strncasecmp(p, needle.p, needle.n))
			return true;
	return false;
}

static bool holds(enum filter_op op, int order)
{
	switch (op) {
	case FILTER_EQ:
		return order == 0;
	case FILTER_NE:
		return order != 0;
	case FILTER_LT:
		return order < 0;
	case FILTER_LE:
		return order <= 0;
	case FILTER_GT:
		return order > 0;
	case FILTER_GE:
		return order >= 0;
	case FILTER_GLOB:
	case FILTER_CONTAINS:
	case FILTER_TEXT:
		break;
	}
	return false;
}

static int order_text(struct slice a, struct slice b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n ? memcmp(a.p, b.p, n) : 0;

	return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* Order of two values of this key: by rank, as times, as numbers, else as text. */
static int order_values(const struct filter_term *t, struct slice a, struct slice b)
{
	uint64_t time_a, time_b;
	int64_t num_a, num_b;
	int rank_a, rank_b;

	if (kind_of(t->key) == KIND_SEVERITY && severity_rank(a, &rank_a) && severity_rank(b, &rank_b))
		return rank_a - rank_b;
	if (to_number(a, &num_a) && to_number(b, &num_b))
		return (num_a > num_b) - (num_a < num_b);
	if (text_time_parse(a, &time_a) && text_time_parse(b, &time_b))
		return (time_a > time_b) - (time_a < time_b);
	return order_text(a, b);
}

bool filter_match_text(const struct filter_term *t, struct slice value)
{
	struct slice want = slice_of(t->value);
	bool is_match;

	switch (t->op) {
	case FILTER_GLOB:
		is_match = text_glob(want, value);
		break;
	case FILTER_CONTAINS:
	case FILTER_TEXT:
		is_match = filter_contains(value, want);
		break;
	case FILTER_EQ:
		is_match = slice_eq(value, want);
		break;
	case FILTER_NE:
		is_match = !slice_eq(value, want);
		break;
	case FILTER_LT:
	case FILTER_LE:
	case FILTER_GT:
	case FILTER_GE:
	default:
		is_match = holds(t->op, order_values(t, value, want));
		break;
	}
	return is_match != t->is_negated;
}

bool filter_match_number(const struct filter_term *t, int64_t value)
{
	int64_t want;

	if (t->op == FILTER_GLOB || t->op == FILTER_CONTAINS || t->op == FILTER_TEXT ||
	    !to_number(slice_of(t->value), &want)) {
		char text[24];

		snprintf(text, sizeof(text), "%lld", (long long)value);
		return filter_match_text(t, slice_of(text));
	}
	return holds(t->op, (value > want) - (value < want)) != t->is_negated;
}

/* since=T reads "at or after T", until=T "at or before T"; time takes the operator as it stands. */
static enum filter_op time_op(const struct filter_term *t)
{
	if (!strcmp(t->key, "since"))
		return FILTER_GE;
	return !strcmp(t->key, "until") ? FILTER_LE : t->op;
}

bool filter_match_time(const struct filter_term *t, uint64_t now_unix_ns, uint64_t unix_ns)
{
	uint64_t want;

	if (!filter_time_parse(slice_of(t->value), now_unix_ns, &want))
		return false;
	return holds(time_op(t), (unix_ns > want) - (unix_ns < want)) != t->is_negated;
}

void filter_window(const struct filter *f, uint64_t now_unix_ns, uint64_t *since, uint64_t *until)
{
	for (size_t i = 0; i < f->count; i++) {
		const struct filter_term *t = &f->terms[i];
		uint64_t want;

		if (t->is_negated || kind_of(t->key) != KIND_TIME ||
		    !filter_time_parse(slice_of(t->value), now_unix_ns, &want))
			continue;
		enum filter_op op = time_op(t);
		if ((op == FILTER_GE || op == FILTER_GT || op == FILTER_EQ) && want > *since)
			*since = want;
		if ((op == FILTER_LE || op == FILTER_LT || op == FILTER_EQ) && (!*until || want < *until))
			*until = want ? want : 1;
	}
}
