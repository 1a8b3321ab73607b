/* detect_item.c - "Field|modifier|modifier: values" into an expression. */
#include "collector/correlate/detect_priv.h"
#include "common/log.h"
#include "common/text.h"

enum { SHOWN_MAX = 60 };

static const char *const modifier_words[] = {
#define MODIFIER(word, name) word,
#include "collector/correlate/modifiers.def"
#undef MODIFIER
};

static int fail_key(struct compiler *c, const struct item *item, const char *what)
{
	return sigma_fail(c->rule, item->key, c->err, "%s", what);
}

/* ---- modifiers ---- */

static bool is_plain_text(const struct item *i)
{
	return i->kind == CHECK_TEXTS && !i->starts && !i->ends;
}

static int add_place(struct compiler *c, struct item *i, enum modifier m)
{
	if (i->kind == CHECK_REGEXES && m == MOD_CONTAINS)
		return 0; /* that is what a regular expression does */
	if (i->kind != CHECK_TEXTS && i->kind != CHECK_FIELDS)
		return fail_key(c, i, "contains, startswith and endswith are for texts");
	i->starts |= m != MOD_STARTSWITH;
	i->ends |= m != MOD_ENDSWITH;
	return 0;
}

static int add_encoding(struct compiler *c, struct item *i, enum modifier m)
{
	bool is_base64 = m == MOD_BASE64 || m == MOD_BASE64OFFSET;

	if (i->kind != CHECK_TEXTS)
		return fail_key(c, i, "encodings and windash are for texts");
	/* Others may stand behind a place, as public rules have them: what may stand around does not change. */
	if (is_base64 && (i->starts || i->ends))
		return fail_key(c, i, "base64 stands before contains, startswith, endswith");
	i->encodings[i->encoding_count++] = m;
	/* A letter's case is part of what base64 says. */
	i->is_cased |= is_base64;
	return 0;
}

static int add_kind(struct compiler *c, struct item *i, enum check_kind kind)
{
	bool may_have_place = kind == CHECK_FIELDS;

	if (i->kind != CHECK_TEXTS || i->encoding_count || (!may_have_place && (i->starts || i->ends)))
		return fail_key(c, i, "modifiers that exclude each other");
	i->kind = kind;
	return 0;
}

static int add_regex_flag(struct compiler *c, struct item *i, bool *flag)
{
	if (i->kind != CHECK_REGEXES)
		return fail_key(c, i, "i, m and s stand behind re");
	*flag = true;
	return 0;
}

static int add_number(struct compiler *c, struct item *i, uint8_t *what, uint8_t value)
{
	int e = i->kind == CHECK_NUMBERS ? 0 : add_kind(c, i, CHECK_NUMBERS);

	if (e < 0)
		return e;
	if (*what)
		return fail_key(c, i, "modifiers that exclude each other");
	*what = value;
	return 0;
}

static int add_modifier(struct compiler *c, struct item *i, enum modifier m)
{
	switch (m) {
	case MOD_CONTAINS:
	case MOD_STARTSWITH:
	case MOD_ENDSWITH:
		return add_place(c, i, m);
	case MOD_ALL:
		i->is_all = true;
		return 0;
	case MOD_CASED:
		i->is_cased = true;
		return 0;
	case MOD_NEQ:
		i->is_neq = true;
		return 0;
	case MOD_EXISTS:
		return add_kind(c, i, CHECK_EXISTS);
	case MOD_RE:
		return add_kind(c, i, CHECK_REGEXES);
	case MOD_RE_I:
		return add_regex_flag(c, i, &i->is_folded);
	case MOD_RE_M:
		return add_regex_flag(c, i, &i->is_multiline);
	case MOD_RE_S:
		return add_regex_flag(c, i, &i->is_dotall);
	case MOD_CIDR:
		return add_kind(c, i, CHECK_NETS);
	case MOD_FIELDREF:
		return add_kind(c, i, CHECK_FIELDS);
	case MOD_WINDASH:
	case MOD_WIDE:
	case MOD_UTF16LE:
	case MOD_UTF16BE:
	case MOD_UTF16:
	case MOD_BASE64:
	case MOD_BASE64OFFSET:
		return add_encoding(c, i, m);
	case MOD_LT:
		return add_number(c, i, &i->op, NUMBER_LT);
	case MOD_LTE:
		return add_number(c, i, &i->op, NUMBER_LTE);
	case MOD_GT:
		return add_number(c, i, &i->op, NUMBER_GT);
	case MOD_GTE:
		return add_number(c, i, &i->op, NUMBER_GTE);
	case MOD_MINUTE:
	case MOD_HOUR:
	case MOD_DAY:
	case MOD_WEEK:
	case MOD_MONTH:
	case MOD_YEAR:
		return add_number(c, i, &i->part, (uint8_t)(PART_MINUTE + (m - MOD_MINUTE)));
	case MOD_EXPAND:
		return fail_key(c, i, "placeholders (expand) are not replaced here: write the values into the rule");
	case MOD_COUNT:
		break;
	}
	return fail_key(c, i, "unknown modifier");
}

static int unknown_modifier(struct compiler *c, const struct item *i, struct slice word)
{
	const char *nearest = text_nearest(word, modifier_words, MOD_COUNT);
	char text[SHOWN_MAX];

	log_escape(word, text, sizeof(text));
	if (nearest)
		return sigma_fail(c->rule, i->key, c->err, "unknown modifier '%s', did you mean '%s'?", text, nearest);
	return sigma_fail(c->rule, i->key, c->err, "unknown modifier '%s'", text);
}

/* What can't be seen from one modifier and those before it. */
static int check_modifiers(struct compiler *c, const struct item *i)
{
	if (i->kind == CHECK_EXISTS && (i->is_all || i->is_cased || i->is_neq))
		return fail_key(c, i, "exists stands alone");
	if (i->kind == CHECK_NUMBERS && i->is_neq && i->op)
		return fail_key(c, i, "neq and an order exclude each other");
	if (!i->field.n && i->kind != CHECK_TEXTS && i->kind != CHECK_REGEXES)
		return fail_key(c, i, "keywords are texts or regular expressions");
	if (!i->field.n && i->is_neq)
		return fail_key(c, i, "keywords can't be 'neq': write 'not' in the condition");
	return 0;
}

static int read_key(struct compiler *c, const struct conf_node *key, struct item *ret)
{
	struct slice rest = key->text, word;
	size_t count = 0;

	*ret = (struct item){ .key = key };
	if (!rest.n)
		return fail_key(c, ret, "a field without a name");
	(void)slice_split(&rest, '|', &ret->field);
	while (slice_split(&rest, '|', &word)) {
		int m = 0, e;

		while (m < MOD_COUNT && !slice_is(word, modifier_words[m]))
			m++;
		if (m == MOD_COUNT)
			return unknown_modifier(c, ret, word);
		if (count++ == MODIFIERS_MAX)
			return fail_key(c, ret, "more than eight modifiers");
		e = add_modifier(c, ret, (enum modifier)m);
		if (e < 0)
			return e;
	}
	return check_modifiers(c, ret);
}

/* ---- fields ---- */

int field_resolve(struct compiler *c, const struct conf_node *at, struct slice name)
{
	const struct detect_field_name *known = detect_field_find(c->source, name);
	const struct detect_fields *f = &c->set->fields;
	char text[SHOWN_MAX];

	log_escape(name, text, sizeof(text));
	if (known && !known->ours) {
		sigma_note(c->notes, c->rule, at, "'%s' is not there: %s", text, known->why);
		return DETECT_FIELD_NONE;
	}
	if (known)
		name = slice_of(known->ours);
	c->asks_hash |= slice_is(name, "process.sha256") || slice_is(name, "process.hashes");
	int field = f->resolve(f->arg, c->source, name);
	if (field < 0 || field > DETECT_FIELD_MAX) {
		sigma_note(c->notes, c->rule, at, "unknown field '%s': nothing has it", text);
		return DETECT_FIELD_NONE;
	}
	return field;
}

/* ---- values ---- */

static int constant_expr(struct compiler *c, bool value, struct expr **ret)
{
	*ret = expr_new(c, EXPR_CONST, 0);
	if (!*ret)
		return compile_no_room(c);
	(*ret)->value = value;
	return 0;
}

static int compile_exists(struct compiler *c, const struct item *item, const struct conf_node *value, int slot,
			  struct expr **ret)
{
	bool is_wanted;
	int e = sigma_bool(c->rule, value, &is_wanted, c->err);

	if (e < 0)
		return e;
	if (slot < 0)
		return constant_expr(c, !is_wanted, ret);
	return check_make(c, item, (uint16_t)slot, NULL, 0, false, is_wanted, ret);
}

/* Each value a check of its own, and all of them must hold. */
static int compile_all(struct compiler *c, const struct item *item, uint16_t slot, const struct constant *constants,
		       size_t count, bool has_null, struct expr **ret)
{
	struct expr *all = expr_new(c, EXPR_AND, count + has_null);
	int e = 0;

	if (!all)
		return compile_no_room(c);
	for (size_t i = 0; i < count && e >= 0; i++)
		e = check_make(c, item, slot, &constants[i], 1, false, false, &all->items[all->count++]);
	if (has_null && e >= 0)
		e = check_make(c, item, slot, NULL, 0, true, false, &all->items[all->count++]);
	*ret = all;
	return e;
}

static int compile_values(struct compiler *c, const struct item *item, const struct conf_node *value, int slot,
			  struct expr **ret)
{
	const struct conf_node *first = value->kind == CONF_NODE_LIST ? value->items : value;
	size_t room = value->kind == CONF_NODE_LIST ? value->count : 1, count = 0;
	bool has_null = false;

	if (!room)
		return sigma_fail(c->rule, value, c->err, "an empty list");
	if (room > VALUES_MAX)
		return sigma_fail(c->rule, value, c->err, "more than %d values", VALUES_MAX);
	struct constant *constants = arena_alloc(c->arena, room * sizeof(*constants));
	if (!constants)
		return compile_no_room(c);
	bool may_be_null = is_plain_text(item) && !item->encoding_count && item->field.n;
	const struct conf_node *n = first;
	for (size_t i = 0; i < room; i++, n = n->next) {
		if (n->kind == CONF_NODE_NULL && may_be_null) {
			has_null = true;
			continue;
		}
		int e = value_read(c, item, n, &constants[count++]);
		if (e < 0)
			return e;
	}
	if (item->is_all && room == 1)
		sigma_note(c->notes, c->rule, item->key, "'all' of one value");
	if (slot < 0)
		return constant_expr(c, has_null && !item->is_neq && !(item->is_all && room > 1), ret);
	if (item->is_all && !item->is_neq)
		return compile_all(c, item, (uint16_t)slot, constants, count, has_null, ret);
	return check_make(c, item, (uint16_t)slot, constants, count, has_null, false, ret);
}

int item_compile(struct compiler *c, const struct conf_node *key, const struct conf_node *value, struct expr **ret)
{
	struct item item = { .key = value };
	int slot = SLOT_KEYWORDS;
	int e = key ? read_key(c, key, &item) : 0;

	if (e < 0)
		return e;
	if (item.field.n) {
		int field = field_resolve(c, key, item.field);

		slot = field < 0 ? -1 : slot_make(c, (unsigned)field, DETECT_VALUES_MAX);
		if (field >= 0 && slot < 0)
			return slot;
	} else {
		/* A keyword stands anywhere in the event. */
		item.starts = item.ends = item.kind == CHECK_TEXTS;
	}
	if (item.kind == CHECK_EXISTS)
		return compile_exists(c, &item, value, slot, ret);
	return compile_values(c, &item, value, slot, ret);
}
