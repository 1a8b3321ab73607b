/* gem.c - RubyGems: numbers and words by turns. Words are older than numbers, and so a word makes a
 * pre-release; "-" reads ".pre."; zeros before the first word and at the end mean nothing. */
#include "common/version/version_priv.h"

enum { NUMBERS, WORDS }; /* NUMBERS without its zeros at the end; WORDS from the first word on */

/* Digits, then parts of letters and digits, then such with dashes. NULL, or what is wrong. */
static const char *find_wrong(const char *p, const char *end)
{
	bool has_dash = false;
	const char *start = p;

	p = version_skip_digits(p, end);
	while (p > start && p < end) {
		if (*p == '-' && !has_dash)
			has_dash = true;
		else if (*p != '.')
			return p;
		start = ++p;
		while (p < end && (version_is_alnum(*p) || (has_dash && *p == '-')))
			p++;
	}
	return p == start ? p : NULL;
}

/* Behind the last number that is not 0. */
static const char *trim_zeros(const char *p, const char *end)
{
	const char *last = p;

	while (p < end) {
		const char *digits = p;

		p = version_skip_digits(p, end);
		for (; digits < p; digits++)
			if (*digits != '0')
				last = p;
		p += p < end;
	}
	return last;
}

size_t gem_parse(struct version *v)
{
	const char *text = v->text.p, *end = text + v->text.n, *p;

	if (!v->text.n)
		return 0; /* RubyGems: no version is version 0 */
	p = find_wrong(text, end);
	if (p)
		return (size_t)(p - text) + 1;
	for (p = text; p < end && (version_is_digit(*p) || *p == '.');)
		p++;
	version_set(v, WORDS, (size_t)(p - text), v->text.n);
	version_set(v, NUMBERS, 0, (size_t)(trim_zeros(text, p) - text));
	return 0;
}

struct segment {
	enum { SEGMENT_END, SEGMENT_NUMBER, SEGMENT_WORD } kind;
	struct slice text;
};

struct cursor {
	const char *p, *end;
	struct slice next;
};

static struct cursor cursor_of(const struct version *v)
{
	struct slice numbers = version_part(v, NUMBERS);

	return (struct cursor){ numbers.p, numbers.p + numbers.n, version_part(v, WORDS) };
}

static struct segment take(struct cursor *c)
{
	const char *start;

	while (c->p < c->end && *c->p == '.')
		c->p++;
	if (c->p == c->end) {
		if (!c->next.n)
			return (struct segment){ .kind = SEGMENT_END };
		c->p = c->next.p;
		c->end = c->p + c->next.n;
		c->next.n = 0;
		return take(c);
	}
	start = c->p;
	if (*start == '-') {
		c->p++;
		return (struct segment){ SEGMENT_WORD, SLICE_LIT("pre") };
	}
	bool is_number = version_is_digit(*start);
	while (c->p < c->end && (is_number ? version_is_digit(*c->p) : version_is_letter(*c->p)))
		c->p++;
	return (struct segment){ is_number ? SEGMENT_NUMBER : SEGMENT_WORD,
				 slice_from(start, (size_t)(c->p - start)) };
}

int gem_order(const struct version *a, const struct version *b)
{
	struct cursor c = cursor_of(a), d = cursor_of(b);

	for (;;) {
		struct segment x = take(&c), y = take(&d);

		if (x.kind == SEGMENT_END && y.kind == SEGMENT_END)
			return 0;
		if ((x.kind == SEGMENT_WORD) != (y.kind == SEGMENT_WORD))
			return x.kind == SEGMENT_WORD ? -1 : 1;
		int r = x.kind == SEGMENT_WORD ? version_bytes_order(x.text, y.text) :
						 version_number_order(x.text, y.text);
		if (r)
			return r;
	}
}

/* "~> 2.1.3": not before it, and the same but for the last number. */
bool gem_is_pessimistic(const struct version *v, const struct version *floor)
{
	struct slice want = slice_sub(floor->text, 0, floor->part[WORDS].at);
	struct slice have = slice_sub(v->text, 0, v->part[WORDS].at);
	const char *p, *p_end, *q, *q_end;

	want = floor->part[WORDS].n ? want : floor->text;
	have = v->part[WORDS].n ? have : v->text;
	while (want.n && want.p[want.n - 1] == '.')
		want.n--;
	for (size_t i = want.n; i-- > 0;)
		if (want.p[i] == '.') {
			want.n = i;
			break;
		}
	if (gem_order(v, floor) < 0)
		return false;
	for (p = want.p, p_end = p + want.n, q = have.p, q_end = q + have.n; p < p_end;) {
		int r = version_digits_order(&p, p_end, &q, q_end);

		if (r)
			return r > 0;
		p += p < p_end;
		q += q < q_end;
	}
	return true;
}
