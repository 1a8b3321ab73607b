/* detect_check.c - comparisons made ready and kept once: rules share many of them. */
#include "collector/correlate/detect_priv.h"

enum { KEY_BYTES_MAX = 32 << 20, COST_CONST = 1, COST_NUMBER = 2, COST_TEXT = 3, COST_NET = 15, COST_FIELD = 20,
       COST_FIND = 40, COST_GLOB = 60, COST_REGEX = 400, COST_KEYWORDS = 20 };

/* ---- what makes two comparisons the same ---- */

static void add_number(struct buf *b, uint64_t n)
{
	buf_add(b, &n, sizeof(n));
}

static void add_bytes(struct buf *b, const void *p, size_t n)
{
	add_number(b, n);
	buf_add(b, p, n);
}

static void add_key(struct buf *b, const struct check *k, const struct item *item, const struct constant *constants,
		    size_t count)
{
	const uint8_t head[] = { k->kind,    k->op,	   k->part,	   k->form,	    k->is_cased,	 k->is_neq,
				 k->has_null, k->is_wanted, item->is_folded, item->is_multiline, item->is_dotall };

	buf_add(b, head, sizeof(head));
	add_number(b, k->slot);
	for (size_t i = 0; i < count; i++) {
		const struct constant *x = &constants[i];

		if (k->kind == CHECK_REGEXES)
			add_bytes(b, x->regex.p, x->regex.n);
		else if (k->kind == CHECK_NETS)
			add_bytes(b, &x->net, sizeof(x->net));
		else if (k->kind == CHECK_NUMBERS)
			add_bytes(b, x->at->text.p, x->at->text.n);
		else if (k->kind == CHECK_FIELDS)
			add_number(b, x->slot);
		for (size_t p = 0; p < x->pattern_count; p++)
			add_bytes(b, x->patterns[p].tokens, x->patterns[p].count * sizeof(uint16_t));
	}
}

/* The place of key in the table: an old one's, or a free one. */
static size_t find_key(const struct detect_set *s, struct slice key)
{
	size_t at = slice_hash(key) & (s->table_size - 1);

	while (s->table[at] && !slice_eq(s->keys[s->table[at] - 1], key))
		at = (at + 1) & (s->table_size - 1);
	return at;
}

static bool grow(struct detect_set *s)
{
	if (s->check_count == s->check_size) {
		size_t size = s->check_size ? s->check_size * 2 : 64;
		struct check *checks = reallocarray(s->checks, size, sizeof(*checks));
		if (checks)
			s->checks = checks;
		uint32_t *memo = reallocarray(s->memo, size, sizeof(*memo));
		if (memo)
			s->memo = memo;
		struct slice *keys = reallocarray(s->keys, size, sizeof(*keys));
		if (keys)
			s->keys = keys;
		if (!checks || !memo || !keys)
			return false;
		s->check_size = size;
	}
	if (s->check_count * 2 < s->table_size)
		return true;
	size_t size = s->table_size ? s->table_size * 2 : 256;
	uint32_t *table = calloc(size, sizeof(*table));
	if (!table)
		return false;
	free(s->table);
	s->table = table;
	s->table_size = size;
	for (uint32_t i = 0; i < s->check_count; i++)
		s->table[find_key(s, s->keys[i])] = i + 1;
	return true;
}

/* ---- constants made ready ---- */

static int build_texts(struct compiler *c, struct check *k, const struct constant *constants, size_t count)
{
	size_t total = 0, contains = 0;

	for (size_t i = 0; i < count; i++)
		total += constants[i].pattern_count;
	struct text *texts = arena_zalloc(c->set->arena, total + 1, sizeof(*texts));
	if (!texts)
		return compile_no_room(c);
	for (size_t i = 0; i < count; i++)
		for (size_t p = 0; p < constants[i].pattern_count; p++) {
			struct text *t = &texts[k->count++];

			if (!text_make(c->set->arena, &constants[i].patterns[p], k->is_cased, t))
				return compile_no_room(c);
			contains += t->form == FORM_CONTAINS;
		}
	k->texts = texts;
	if (contains == total && total >= NEEDLES_LEAST)
		k->needles = needles_new(c->set->arena, texts, total, k->is_cased);
	return 0;
}

static int build_regex(struct compiler *c, const struct item *item, const struct constant *x, pcre2_code **ret)
{
	struct detect_set *s = c->set;
	uint32_t options = PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_AUTO_CALLOUT;
	char what[120];
	PCRE2_SIZE at, bytes = 0;
	int code;

	if (s->regex_count == s->regex_size) {
		size_t size = s->regex_size ? s->regex_size * 2 : 16;
		pcre2_code **all = reallocarray(s->regexes, size, sizeof(pcre2_code *));

		if (!all)
			return compile_no_room(c);
		s->regexes = all;
		s->regex_size = size;
	}
	options |= (item->is_folded ? PCRE2_CASELESS : 0) | (item->is_multiline ? PCRE2_MULTILINE : 0) |
		   (item->is_dotall ? PCRE2_DOTALL : 0);
	/* Byte by byte, so that text in no valid encoding can match too. */
	pcre2_code *re = pcre2_compile((PCRE2_SPTR)x->regex.p, x->regex.n, options, &code, &at, s->compile_context);
	if (!re) {
		pcre2_get_error_message(code, (PCRE2_UCHAR *)what, sizeof(what));
		return sigma_fail(c->rule, x->at, c->err, "invalid regular expression: %s at %zu", what, (size_t)at);
	}
	s->regexes[s->regex_count++] = *ret = re;
	pcre2_pattern_info(re, PCRE2_INFO_SIZE, &bytes);
	s->regex_bytes += bytes;
	if (slice_starts(x->regex, SLICE_LIT(".*")))
		sigma_note(c->notes, c->rule, x->at, "the .* in front is needless: it is looked for anywhere");
	return s->regex_bytes > REGEX_BYTES_MAX ? compile_no_room(c) : 0;
}

static int build_regexes(struct compiler *c, const struct item *item, struct check *k, const struct constant *constants,
			 size_t count)
{
	k->regexes = arena_zalloc(c->set->arena, count + 1, sizeof(pcre2_code *));
	if (!k->regexes)
		return compile_no_room(c);
	for (size_t i = 0; i < count; i++) {
		int e = build_regex(c, item, &constants[i], &k->regexes[i]);
		if (e < 0)
			return e;
		k->count++;
	}
	return 0;
}

static int build_plain(struct compiler *c, struct check *k, const struct constant *constants, size_t count)
{
	struct net *nets = arena_zalloc(c->set->arena, k->kind == CHECK_NETS ? count : 0, sizeof(*nets));
	long double *numbers = arena_zalloc(c->set->arena, k->kind == CHECK_NUMBERS ? count : 0, sizeof(*numbers));
	uint16_t *slots = arena_zalloc(c->set->arena, k->kind == CHECK_FIELDS ? count : 0, sizeof(*slots));

	if (!nets || !numbers || !slots)
		return compile_no_room(c);
	for (size_t i = 0; i < count; i++) {
		if (k->kind == CHECK_NETS)
			nets[i] = constants[i].net;
		else if (k->kind == CHECK_NUMBERS)
			numbers[i] = constants[i].number;
		else if (k->kind == CHECK_FIELDS)
			slots[i] = constants[i].slot;
	}
	k->nets = nets;
	k->numbers = numbers;
	k->slots = slots;
	k->count = (uint32_t)count;
	return 0;
}

static int build(struct compiler *c, const struct item *item, struct check *k, const struct constant *constants,
		 size_t count)
{
	if (k->kind == CHECK_TEXTS)
		return build_texts(c, k, constants, count);
	if (k->kind == CHECK_REGEXES)
		return build_regexes(c, item, k, constants, count);
	return k->kind == CHECK_EXISTS ? 0 : build_plain(c, k, constants, count);
}

/* Roughly nanoseconds; only what is less matters. */
static uint32_t cost_of(const struct check *k)
{
	static const uint8_t kinds[] = {
		[CHECK_NETS] = COST_NET, [CHECK_NUMBERS] = COST_NUMBER, [CHECK_FIELDS] = COST_FIELD, [CHECK_EXISTS] = COST_CONST
	};
	uint32_t cost = COST_CONST;

	if (k->kind == CHECK_REGEXES)
		cost += k->count * COST_REGEX;
	else if (k->kind != CHECK_TEXTS)
		cost += (k->count + 1) * kinds[k->kind];
	else if (k->needles)
		cost += 3 * COST_FIND;
	else
		for (uint32_t i = 0; i < k->count; i++)
			cost += k->texts[i].form == FORM_GLOB	  ? COST_GLOB :
				k->texts[i].form == FORM_CONTAINS ? COST_FIND :
								    COST_TEXT;
	return k->slot == SLOT_KEYWORDS ? cost * COST_KEYWORDS : cost;
}

int check_make(struct compiler *c, const struct item *item, uint16_t slot, const struct constant *constants, size_t count,
	       bool has_null, bool is_wanted, struct expr **ret)
{
	struct detect_set *s = c->set;
	CLEANUP(buf_finip) struct buf key = { 0 };
	struct check k = { .kind = (uint8_t)item->kind,
			   .op = item->op,
			   .part = item->part,
			   .is_cased = item->is_cased,
			   .is_neq = item->is_neq,
			   .has_null = has_null,
			   .is_wanted = is_wanted,
			   .slot = slot };

	k.form = item->starts && item->ends ? FORM_CONTAINS : item->ends ? FORM_PREFIX : item->starts ? FORM_SUFFIX : FORM_EXACT;
	if (k.kind == CHECK_TEXTS)
		k.form = 0; /* the patterns have it */
	struct expr *x = expr_new(c, EXPR_CHECK, 0);
	buf_init(&key, KEY_BYTES_MAX);
	add_key(&key, &k, item, constants, count);
	if (!x || key.failed || !grow(s))
		return compile_no_room(c);
	size_t at = find_key(s, buf_slice(&key));
	if (!s->table[at]) {
		char *copy = arena_dup(s->arena, buf_slice(&key));
		int e = copy ? build(c, item, &k, constants, count) : compile_no_room(c);

		if (e < 0)
			return e;
		s->keys[s->check_count] = slice_from(copy, key.n);
		s->memo[s->check_count] = 0;
		s->checks[s->check_count++] = k;
		s->table[at] = (uint32_t)s->check_count;
	}
	x->check = s->table[at] - 1;
	x->cost = cost_of(&s->checks[x->check]);
	*ret = x;
	return 0;
}

int slot_make(struct compiler *c, unsigned field, unsigned values)
{
	struct detect_set *s = c->set;

	for (size_t i = SLOT_KEYWORDS + 1; i < s->slot_count; i++)
		if (s->slots[i].field == field)
			return (int)i;
	if (s->slot_count == FIELDS_MAX)
		return sigma_fail(c->rule, NULL, c->err, "more than %d different fields", FIELDS_MAX);
	if (s->slot_count == s->slot_size) {
		size_t size = s->slot_size ? s->slot_size * 2 : 32;
		struct slot *slots = reallocarray(s->slots, size, sizeof(*slots));

		if (!slots)
			return compile_no_room(c);
		s->slots = slots;
		s->slot_size = size;
	}
	struct slot slot = { .field = (uint16_t)field, .count_max = (uint8_t)values };
	slot.values = arena_zalloc(s->arena, values, sizeof(*slot.values));
	slot.written = arena_zalloc(s->arena, values, sizeof(*slot.written));
	slot.pairs = arena_zalloc(s->arena, values, sizeof(*slot.pairs));
	if (!slot.values || !slot.written || !slot.pairs)
		return compile_no_room(c);
	s->slots[s->slot_count] = slot;
	return (int)s->slot_count++;
}
