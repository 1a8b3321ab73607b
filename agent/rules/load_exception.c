/* load_exception.c - a rule's exceptions: read, checked, appended to, and made part of its condition. */
#include "agent/rules/load.h"

/* A text or a list of texts. */
static bool read_texts(struct loader *l, const struct ynode *item, const char *key, struct strings *ret,
		       bool *ret_has, bool *ret_is_list)
{
	const struct ynode *n = ynode_get(item, key);

	*ret_has = n && n->kind != YNODE_NULL;
	if (!*ret_has)
		return true;
	*ret_is_list = n->kind == YNODE_SEQUENCE;
	if (*ret_is_list)
		return load_strings(l, item, key, ret);
	struct slice text = SLICE_NONE;
	return load_text(l, item, key, &text) && strings_add(l, ret, text);
}

static bool add_value(struct loader *l, struct exception *e, const struct ynode *v)
{
	const struct ynode **all =
		load_grow(l, e->values, sizeof(const struct ynode *), e->value_count, &e->value_size);

	if (!all) {
		load_error(l, e->at, "The exceptions are too large");
		return false;
	}
	e->values = all;
	e->values[e->value_count++] = v;
	return true;
}

static bool read_exception(struct loader *l, const struct ynode *item, bool need_fields,
			   struct exception *e)
{
	static const char *const known[] = { "name", "fields", "comps", "values" };

	if (item->kind != YNODE_MAP) {
		load_error(l, place_of(l, item), "Rule exception must be a map");
		return false;
	}
	load_unknown_keys(l, item, known, ARRAY_LEN(known));
	e->at = place_of(l, item);
	if (!load_text(l, item, "name", &e->name) ||
	    !read_texts(l, item, "fields", &e->fields, &e->has_fields, &e->is_field_list) ||
	    !read_texts(l, item, "comps", &e->comps, &e->has_comps, &e->is_comp_list))
		return false;
	if (need_fields && !e->has_fields) {
		load_error(l, e->at, "Item has no mapping for key 'fields'");
		return false;
	}
	const struct ynode *values = ynode_get(item, "values");
	if (values && values->kind == YNODE_SCALAR) {
		load_error(l, place_of(l, values), "Value of 'values' must be a list");
		return false;
	}
	for (size_t i = 0; values && i < values->count; i++)
		if (!add_value(l, e, values->items[i]))
			return false;
	return true;
}

bool load_exceptions(struct loader *l, const struct ynode *item, bool need_fields, struct def_rule *r)
{
	const struct ynode *all = ynode_get(item, "exceptions");

	if (all->kind != YNODE_SEQUENCE && all->kind != YNODE_NULL) {
		load_error(l, place_of(l, all), "Value of 'exceptions' must be a list");
		return false;
	}
	for (size_t i = 0; i < all->count; i++) {
		struct exception *grown =
			load_grow(l, r->exceptions, sizeof(*grown), r->exception_count, &r->exception_size);

		if (!grown) {
			load_error(l, place_of(l, all), "The exceptions are too large");
			return false;
		}
		r->exceptions = grown;
		if (!read_exception(l, all->items[i], need_fields, &grown[r->exception_count++]))
			return false;
	}
	return true;
}

/* "tolower( proc.name)" -> "tolower(proc.name)"; false: no field of ours. */
static bool normalize_field(struct loader *l, struct slice *text)
{
	struct cond *c;
	struct err err;
	const struct cond *deep;
	struct rules_field_ref ref;
	CLEANUP(buf_finip) struct buf b = { 0 };
	buf_init(&b, 4096);

	if (!cond_parse_operand(l->arena, slice_trim(*text), &c))
		return false;
	for (deep = c; deep && deep->kind != COND_FIELD;)
		deep = deep->child;
	if (deep && rules_field_resolve(deep->text, deep->has_arg, deep->arg, &ref, &err) != FIELD_OK)
		return false;
	cond_print(c, &b);
	char *copy = b.failed ? NULL : arena_dup(l->arena, buf_slice(&b));
	*text = slice_of(copy);
	return copy;
}

static bool check_fields(struct loader *l, const struct def_rule *r, struct exception *e)
{
	for (size_t i = 0; i < e->fields.count && !r->unknown_source; i++) {
		struct slice f = e->fields.p[i];

		if (normalize_field(l, &e->fields.p[i]))
			continue;
		load_error(l, e->at, "'%.*s' is not a supported filter field", SLICE_FMT(slice_sub(f, 0, 80)));
		return false;
	}
	return true;
}

static bool check_comps(struct loader *l, struct exception *e)
{
	for (size_t i = 0; i < e->comps.count; i++) {
		struct slice *c = &e->comps.p[i];
		enum cond_op op;
		enum cond_mod mod;

		if (!cond_op_find(*c, &op, &mod)) {
			load_error(l, e->at, "'%.*s' is not a supported comparison operator",
				   SLICE_FMT(slice_sub(*c, 0, 80)));
			return false;
		}
		char *text = arena_printf(l->arena, mod ? "%s %s" : "%s%s", cond_op_text(op), cond_mod_text(mod));
		if (!text)
			return false;
		*c = slice_of(text);
	}
	return true;
}

/* What Falco would take for a forgotten val(): a value that reads like a field. */
static void warn_field(struct loader *l, const struct exception *e, const struct ynode *v)
{
	struct rules_field_ref ref;

	if (v->kind == YNODE_SEQUENCE) {
		for (size_t i = 0; i < v->count; i++)
			if (v->items[i]->kind == YNODE_SCALAR)
				warn_field(l, e, v->items[i]);
		return;
	}
	if (rules_field_resolve(slice_trim(v->text), false, SLICE_NONE, &ref, NULL) == FIELD_OK)
		load_warn(l, e->at, "'%.*s' may be a valid field misused as a const string value",
			  SLICE_FMT(slice_sub(v->text, 0, 80)));
}

static bool check_values(struct loader *l, const struct exception *e)
{
	for (size_t i = 0; i < e->value_count; i++) {
		const struct ynode *v = e->values[i];

		if (e->is_field_list && (v->kind != YNODE_SEQUENCE || v->count != e->fields.count)) {
			load_error(l, e->at, "Fields and values lists must have equal length");
			return false;
		}
		for (size_t k = 0; e->is_field_list && k < v->count; k++)
			warn_field(l, e, v->items[k]);
		if (!e->is_field_list)
			warn_field(l, e, v);
	}
	return true;
}

bool exception_check(struct loader *l, const struct def_rule *r, struct exception *e)
{
	for (size_t i = 0; !e->has_comps && i < e->fields.count; i++)
		if (!strings_add(l, &e->comps, e->is_field_list ? SLICE_LIT("=") : SLICE_LIT("in")))
			return false;
	if (!e->has_comps)
		e->is_comp_list = e->is_field_list;
	e->has_comps = true;
	if (e->is_field_list != e->is_comp_list) {
		load_error(l, e->at, e->is_field_list ? "Fields and comps lists must have equal length" :
							"Fields and comps must both be strings");
		return false;
	}
	if (e->fields.count != e->comps.count) {
		load_error(l, e->at, "Fields and comps lists must have equal length");
		return false;
	}
	enum cond_op op;
	enum cond_mod mod;
	if (!e->is_field_list && (!cond_op_find(e->comps.p[0], &op, &mod) || mod || !cond_op_is_list(op))) {
		load_error(l, e->at, "When fields is a single value, comps must be one of (in, pmatch, intersects)");
		return false;
	}
	return check_comps(l, e) && check_fields(l, r, e) && check_values(l, e);
}

static bool append_one(struct loader *l, struct def_rule *to, const struct exception *e)
{
	struct exception *prev = NULL;

	for (size_t i = 0; i < to->exception_count && !prev; i++)
		if (slice_eq(to->exceptions[i].name, e->name))
			prev = &to->exceptions[i];
	if (!prev) {
		const char *missing = !e->has_fields ? "fields property with a list of fields" :
				      !e->value_count ? "values property with a list of values" : NULL;

		if (missing) {
			load_error(l, e->at, "Rule exception must have %s", missing);
			return false;
		}
		struct exception *all =
			load_grow(l, to->exceptions, sizeof(*all), to->exception_count, &to->exception_size);
		if (!all)
			return false;
		to->exceptions = all;
		all[to->exception_count++] = *e;
		return exception_check(l, to, &all[to->exception_count - 1]);
	}
	if (e->has_fields || e->has_comps) {
		load_error(l, e->at, "Can not append exception %s to existing exception, only values",
			   e->has_fields ? "fields" : "comps");
		return false;
	}
	if (!e->value_count)
		load_warn(l, e->at, "Overriding/appending exception with no values");
	for (size_t i = 0; i < e->value_count; i++)
		if (!add_value(l, prev, e->values[i]))
			return false;
	return check_values(l, prev);
}

bool exceptions_append(struct loader *l, struct def_rule *to, const struct def_rule *from)
{
	for (size_t i = 0; i < from->exception_count; i++)
		if (!append_one(l, to, &from->exceptions[i]))
			return false;
	return true;
}

/* ---- into the condition ---- */

static void add_values(struct buf *b, const struct ynode *v)
{
	buf_add_char(b, '(');
	for (size_t i = 0; i < v->count; i++) {
		if (i)
			buf_add_str(b, ", ");
		list_quote(b, v->items[i]->text);
	}
	if (v->kind == YNODE_SCALAR)
		list_quote(b, v->text);
	buf_add_char(b, ')');
}

/* "field op value": a list after what takes a list, else a text. */
static void add_comparison(struct buf *b, struct slice field, struct slice comp, const struct ynode *v)
{
	enum cond_op op = OP_EQ;
	enum cond_mod mod = MOD_NONE;

	(void)cond_op_find(comp, &op, &mod);
	buf_add_slice(b, field);
	buf_add_char(b, ' ');
	buf_add_slice(b, comp);
	buf_add_char(b, ' ');
	if (op == OP_EXISTS)
		return;
	if (mod || cond_op_is_list(op) || v->kind == YNODE_SEQUENCE)
		add_values(b, v);
	else
		list_quote(b, v->text);
}

static void add_exception(struct buf *b, const struct exception *e)
{
	if (!e->value_count)
		return;
	buf_add_str(b, " and not ");
	if (!e->is_field_list) {
		const char *between = "";

		buf_add_slice(b, e->fields.p[0]);
		buf_add_char(b, ' ');
		buf_add_slice(b, e->comps.p[0]);
		buf_add_str(b, " (");
		for (size_t i = 0; i < e->value_count; i++) {
			const struct ynode *v = e->values[i];
			size_t n = v->kind == YNODE_SEQUENCE ? v->count : 1;

			for (size_t k = 0; k < n; k++, between = ", ") {
				buf_add_str(b, between);
				list_quote(b, v->kind == YNODE_SEQUENCE ? v->items[k]->text : v->text);
			}
		}
		buf_add_char(b, ')');
		return;
	}
	buf_add_char(b, '(');
	for (size_t i = 0; i < e->value_count; i++) {
		buf_add_str(b, i ? " or (" : "(");
		for (size_t k = 0; k < e->fields.count; k++) {
			buf_add_str(b, k ? " and " : "");
			add_comparison(b, e->fields.p[k], e->comps.p[k], e->values[i]->items[k]);
		}
		buf_add_char(b, ')');
	}
	buf_add_char(b, ')');
}

struct slice exceptions_condition(struct loader *l, const struct def_rule *r)
{
	bool has_values = false;
	CLEANUP(buf_finip) struct buf b = { 0 };
	buf_init(&b, COND_TEXT_MAX);

	for (size_t i = 0; i < r->exception_count; i++)
		has_values |= r->exceptions[i].value_count > 0;
	if (!has_values)
		return r->cond.text;
	buf_printf(&b, "(");
	buf_add_slice(&b, r->cond.text);
	buf_add_char(&b, ')');
	for (size_t i = 0; i < r->exception_count; i++)
		add_exception(&b, &r->exceptions[i]);
	char *text = b.failed ? NULL : arena_dup(l->arena, buf_slice(&b));
	if (text)
		return slice_from(text, b.n);
	load_error(l, r->at, "The condition with its exceptions is larger than %d bytes", COND_TEXT_MAX);
	return SLICE_NONE;
}
