/* detect_match.c - one event judged: fields fetched once, comparisons judged once, nothing allocated. */
#include <inttypes.h>

#include "collector/correlate/detect_priv.h"
#include "common/text.h"

/* ---- the event's fields ---- */

static const struct slot *fetch(struct detect_set *s, uint16_t index)
{
	struct slot *slot = &s->slots[index];
	const struct detect_ops *ops = s->ev->ops;
	size_t n = 0;

	if (slot->generation == s->generation)
		return slot;
	slot->generation = s->generation;
	slot->is_written = 0;
	slot->is_paired = 0;
	if (index == SLOT_KEYWORDS) {
		struct slice texts[DETECT_TEXTS_MAX];

		if (ops->texts)
			n = ops->texts(s->ev, texts, DETECT_TEXTS_MAX);
		n = n < DETECT_TEXTS_MAX ? n : DETECT_TEXTS_MAX;
		for (size_t i = 0; i < n; i++)
			slot->values[i] = (struct detect_value){ .kind = DETECT_TEXT, .text = texts[i] };
	} else {
		n = ops->get(s->ev, slot->field, slot->values, slot->count_max);
		n = n < slot->count_max ? n : slot->count_max;
	}
	for (size_t i = 0; i < n; i++)
		if (!slot->values[i].text.p)
			slot->values[i].text = SLICE_LIT("");
	slot->count = (uint8_t)n;
	return slot;
}

static struct slice text_of(struct slot *slot, size_t i)
{
	const struct detect_value *v = &slot->values[i];
	char *written = v->kind == DETECT_TEXT ? NULL : slot->written[i];

	if (!written)
		return v->text;
	if (!(slot->is_written >> i & 1)) {
		if (v->kind == DETECT_TIME)
			text_time(v->number > 0 ? (uint64_t)v->number : 0, written, NUMBER_TEXT);
		else
			snprintf(written, NUMBER_TEXT, "%" PRId64, v->number);
		slot->is_written |= 1U << i;
	}
	return slice_of(written);
}

/* ---- one value against a check's constants ---- */

static const struct pairs *pairs_of(struct slot *slot, size_t i, struct slice s)
{
	if (!(slot->is_paired >> i & 1)) {
		pairs_make(&slot->pairs[i], s);
		slot->is_paired |= 1ull << i;
	}
	return &slot->pairs[i];
}

static bool judge_texts(const struct check *k, struct slot *slot, size_t value)
{
	struct slice s = text_of(slot, value);
	const struct pairs *pairs = NULL;

	if (k->needles && (s.n < PAIRS_LEAST || k->count > NEEDLES_PAIRED))
		return needles_find(k->needles, s);
	for (const struct text *t = k->texts, *end = t + k->count; t < end; t++) {
		if (t->pair_count && s.n >= PAIRS_LEAST) {
			if (!pairs)
				pairs = pairs_of(slot, value, s);
			if (!text_may_match(t, pairs))
				continue;
		}
		if (k->needles)
			return needles_find(k->needles, s);
		if (text_match(t, s, k->is_cased))
			return true;
	}
	return false;
}

/* The match limit is for each place to begin at: a public rule's [^/]{40,}$ over 8 KiB took 340 ms within it. So steps
 * are counted over all places, and bytes run over, of which sixteen are one. */
int regex_step(pcre2_callout_block *b, void *data)
{
	struct detect_set *s = data;
	size_t at = b->current_position;

	s->regex_steps += 1 + (at > s->regex_at ? at - s->regex_at : s->regex_at - at) / 16;
	s->regex_at = at;
	return s->regex_steps > REGEX_STEPS_MAX ? PCRE2_ERROR_CALLOUT : 0;
}

/* A match that takes too long is no match, and counted. */
static bool judge_regexes(struct detect_set *s, const struct check *k, struct slice text)
{
	for (uint32_t i = 0; i < k->count; i++) {
		s->regex_steps = s->regex_at = 0;
		int r = pcre2_match(k->regexes[i], (PCRE2_SPTR)text.p, text.n, 0, 0, s->match_data, s->match_context);

		if (r >= 0)
			return true;
		s->overruns += r != PCRE2_ERROR_NOMATCH;
	}
	return false;
}

static bool is_in_net(const struct net *n, const struct net *a)
{
	unsigned whole = n->prefix / 8, rest = n->prefix % 8;

	return n->length == a->length && !memcmp(n->address, a->address, whole) &&
	       (!rest || !((n->address[whole] ^ a->address[whole]) >> (8 - rest)));
}

static bool judge_nets(const struct check *k, struct slice s)
{
	struct net a;

	if (!net_parse(s, false, &a))
		return false;
	for (uint32_t i = 0; i < k->count; i++)
		if (is_in_net(&k->nets[i], &a))
			return true;
	return false;
}

static bool number_of(const struct check *k, const struct detect_value *v, long double *ret)
{
	uint64_t unix_ns;

	if (v->kind == DETECT_TIME) {
		*ret = time_part(k->part, v->number);
		return true;
	}
	if (k->part != PART_NONE) {
		if (v->kind != DETECT_TEXT || !text_time_parse(v->text, &unix_ns))
			return false;
		*ret = time_part(k->part, (int64_t)unix_ns);
		return true;
	}
	*ret = v->number; /* a long double of x86 and arm64 has 64 bits and more: nothing is rounded */
	return v->kind == DETECT_NUMBER || (v->kind == DETECT_TEXT && number_parse(v->text, ret));
}

static bool judge_numbers(const struct check *k, const struct detect_value *v)
{
	long double n;

	if (!number_of(k, v, &n))
		return false;
	for (uint32_t i = 0; i < k->count; i++) {
		long double limit = k->numbers[i];
		bool holds = k->op == NUMBER_LT	 ? n < limit :
			     k->op == NUMBER_LTE ? n <= limit :
			     k->op == NUMBER_GT	 ? n > limit :
			     k->op == NUMBER_GTE ? n >= limit :
						   n == limit;

		if (holds)
			return true;
	}
	return false;
}

static bool same(struct slice a, struct slice b, bool is_cased)
{
	if (a.n != b.n)
		return false;
	if (is_cased)
		return slice_eq(a, b);
	for (size_t i = 0; i < a.n; i++)
		if (detect_lower[(uint8_t)a.p[i]] != detect_lower[(uint8_t)b.p[i]])
			return false;
	return true;
}

static bool judge_pair(const struct check *k, struct slice a, struct slice b)
{
	if (a.n < b.n)
		return false;
	switch ((enum form)k->form) {
	case FORM_PREFIX:
		return same(slice_from(a.p, b.n), b, k->is_cased);
	case FORM_SUFFIX:
		return same(slice_from(a.p + (a.n - b.n), b.n), b, k->is_cased);
	case FORM_CONTAINS:
		for (size_t i = 0; i + b.n <= a.n; i++)
			if (same(slice_from(a.p + i, b.n), b, k->is_cased))
				return true;
		return false;
	case FORM_EXACT:
	case FORM_GLOB:
		break;
	}
	return same(a, b, k->is_cased);
}

static bool judge_fields(struct detect_set *s, const struct check *k, struct slice text)
{
	for (uint32_t i = 0; i < k->count; i++) {
		if (k->slots[i] == UINT16_MAX) /* nobody has that field */
			continue;
		const struct slot *other = fetch(s, k->slots[i]);
		for (size_t v = 0; v < other->count; v++)
			if (other->values[v].kind != DETECT_NULL &&
			    judge_pair(k, text, text_of(&s->slots[k->slots[i]], v)))
				return true;
	}
	return false;
}

static bool judge_value(struct detect_set *s, const struct check *k, size_t i)
{
	struct slot *slot = &s->slots[k->slot];

	if (slot->values[i].kind == DETECT_NULL)
		return false;
	switch ((enum check_kind)k->kind) {
	case CHECK_TEXTS:
		return judge_texts(k, slot, i);
	case CHECK_REGEXES:
		return judge_regexes(s, k, text_of(slot, i));
	case CHECK_NETS:
		return judge_nets(k, text_of(slot, i));
	case CHECK_NUMBERS:
		return judge_numbers(k, &slot->values[i]);
	case CHECK_FIELDS:
		return judge_fields(s, k, text_of(slot, i));
	case CHECK_EXISTS:
		break;
	}
	return false;
}

static bool is_null(const struct slot *slot)
{
	for (size_t i = 0; i < slot->count; i++)
		if (slot->values[i].kind == DETECT_NULL)
			return true;
	return !slot->count;
}

static bool judge(struct detect_set *s, const struct check *k)
{
	const struct slot *slot = fetch(s, k->slot);
	bool hit = k->has_null && is_null(slot);

	if (k->kind == CHECK_EXISTS)
		return (slot->count != 0) == k->is_wanted;
	for (size_t i = 0; i < slot->count && !hit; i++)
		hit = judge_value(s, k, i);
	return k->is_neq ? slot->count && !hit : hit;
}

bool check_judge(struct detect_set *s, uint32_t check)
{
	uint32_t *memo = &s->memo[check];

	if (*memo >> 1 != s->generation)
		*memo = s->generation << 1 | judge(s, &s->checks[check]);
	return *memo & 1;
}

/* ---- rules ---- */

static void begin(struct detect_set *s, const struct detect_event *ev)
{
	s->ev = ev;
	if (++s->generation <= UINT32_MAX >> 1)
		return;
	/* The number came round: what was remembered under it is from long ago. */
	s->generation = 1;
	memset(s->memo, 0, s->check_count * sizeof(*s->memo));
	for (size_t i = 0; i < s->slot_count; i++)
		s->slots[i].generation = 0;
}

static bool run(struct detect_set *s, uint32_t at)
{
	while (at < STEP_REJECT) {
		const struct step *step = &s->steps[at];

		at = check_judge(s, step->check) ? step->on_true : step->on_false;
	}
	return at == STEP_ACCEPT;
}

size_t detect_match(struct detect_set *s, const struct detect_event *ev, unsigned *ret)
{
	size_t source = ev->source < DETECT_SOURCE_COUNT ? ev->source : DETECT_SOURCE_ANY, count = 0;

	begin(s, ev);
	for (size_t i = 0; i < s->by_source[source].count; i++) {
		uint32_t rule = s->by_source[source].rules[i];

		if (run(s, s->programs[rule].entry))
			ret[count++] = rule;
	}
	s->ev = NULL;
	return count;
}

bool detect_match_one(struct detect_set *s, unsigned index, const struct detect_event *ev)
{
	const struct program *p = &s->programs[index];

	if (p->source == DETECT_SOURCE_NONE || !program_looks_at(p, ev->source))
		return false;
	begin(s, ev);
	bool holds = run(s, p->entry);
	s->ev = NULL;
	return holds;
}
