/* prog_operand.c - fields, and transformers of them, checked and numbered. */
#include "agent/rules/prog_priv.h"

static const char *const names[TR_COUNT] = {
	[TR_TOLOWER] = "tolower", [TR_TOUPPER] = "toupper", [TR_B64] = "b64",
	[TR_BASENAME] = "basename", [TR_LEN] = "len", [TR_JOIN] = "join",
	[TR_CONCAT] = "concat", [TR_GETOPT] = "getopt", [TR_VAL] = "val",
};

static int fail(const struct cond *c, struct err *err, const char *what)
{
	return err_set(err, ERR_SYNTAX, "%u:%u: %s", c->line, c->column, what);
}

static int make_field(struct pool *p, const struct cond *c, struct operand *ret, bool *ret_unknown,
		      struct err *err)
{
	struct err why = { 0 };
	enum field_problem problem = rules_field_resolve(c->text, c->has_arg, c->arg, &ret->ref, &why);

	if (problem != FIELD_OK) {
		*ret_unknown = problem == FIELD_UNKNOWN;
		return fail(c, err, why.msg);
	}
	char *arg = arena_dup(p->arena, ret->ref.arg);
	if (!arg)
		return err_set(err, ERR_LIMIT, "1:1: the rules are too large");
	ret->ref.arg.p = arg;
	ret->kind = OPERAND_FIELD;
	ret->type = ret->ref.type;
	ret->flags = ret->ref.field->flags;
	/* fd.types[0] is the type of one descriptor, in a list of one. */
	ret->is_list = ret->flags & FIELD_IS_LIST;
	return 0;
}

static bool is_text(const struct operand *o)
{
	return !o->is_list && (o->type == RT_STRING || o->type == RT_PATH || o->type == RT_BYTES);
}

static int check_join(const struct operand *const *args, uint32_t count, const struct cond *c,
		      struct err *err)
{
	if (count != 2)
		return fail(c, err, "transformer 'join' takes a separator and a list");
	if (!is_text(args[0]))
		return fail(c, err, "the separator of 'join' must be a string");
	return args[1]->is_list ? 0 : fail(c, err, "the second argument of 'join' must be a list");
}

static int check_getopt(struct pool *p, const struct operand *const *args, uint32_t count,
			const struct cond *c, struct operand *o, struct err *err)
{
	if (count != 2)
		return fail(c, err, "transformer 'getopt' takes a list of arguments and a string of options");
	if (!args[0]->is_list && !(args[0]->flags & FIELD_IS_ARGUMENTS))
		return fail(c, err, "the first argument of 'getopt' must be a list");
	if (!is_text(args[1]))
		return fail(c, err, "the options of 'getopt' must be a string");
	if (c->has_arg && c->arg.n != 1)
		return fail(c, err, "'getopt' takes one option letter in brackets");
	o->is_list = !c->has_arg;
	o->has_arg = c->has_arg;
	char *arg = arena_dup(p->arena, c->arg);
	o->arg = slice_from(arg, c->arg.n);
	return arg ? 0 : err_set(err, ERR_LIMIT, "1:1: the rules are too large");
}

static int check_single(enum transform t, const struct operand *const *args, uint32_t count,
			const struct cond *c, struct operand *o, struct err *err)
{
	const struct operand *a = args[0];

	if (count != 1)
		return fail(c, err, "this transformer takes one argument");
	if (t == TR_VAL) {
		o->type = a->type;
		o->is_list = a->is_list;
		o->flags = a->flags & FIELD_IS_NO_RIGHT;
		return 0;
	}
	if (t == TR_LEN) {
		o->type = RT_UINT;
		return is_text(a) || a->is_list ? 0 :
						  fail(c, err, "'len' takes a string, a buffer or a list");
	}
	if (a->type == RT_BYTES && t != TR_B64)
		return fail(c, err, "this transformer does not support buffers");
	if (a->type != RT_STRING && a->type != RT_PATH && a->type != RT_BYTES)
		return fail(c, err, "this transformer takes a string");
	o->type = a->type;
	o->is_list = a->is_list;
	return 0;
}

static int check_call(struct pool *p, const struct cond *c, struct operand *o, struct err *err)
{
	const struct operand *args[2] = { NULL, NULL };

	for (uint32_t i = 0; i < o->arg_count; i++) {
		const struct operand *a = &p->operands[o->args[i]];

		if (i < ARRAY_LEN(args))
			args[i] = a;
		if (a->flags & FIELD_IS_NO_TRANSFORM && o->transform != TR_VAL)
			return fail(c, err, "this field does not support transformers");
		if (o->transform == TR_CONCAT && !is_text(a))
			return fail(c, err, "'concat' takes strings");
	}
	if (c->has_arg && o->transform != TR_GETOPT)
		return fail(c, err, "this transformer does not support an argument in brackets");
	switch (o->transform) {
	case TR_JOIN:
		return check_join(args, o->arg_count, c, err);
	case TR_CONCAT:
		return o->arg_count >= 2 ? 0 : fail(c, err, "'concat' takes two or more strings");
	case TR_GETOPT:
		return check_getopt(p, args, o->arg_count, c, o, err);
	case TR_TOLOWER:
	case TR_TOUPPER:
	case TR_B64:
	case TR_BASENAME:
	case TR_LEN:
	case TR_VAL:
		return check_single(o->transform, args, o->arg_count, c, o, err);
	case TR_COUNT:
		break;
	}
	return fail(c, err, "unknown transformer");
}

static int make_args(struct pool *p, const struct cond *first, struct operand *o, bool *ret_unknown,
		     struct err *err)
{
	uint32_t count = 0;

	for (const struct cond *c = first; c; c = c->next)
		count++;
	uint32_t *args = arena_alloc(p->arena, (count + 1) * sizeof(*args));
	if (!args || count > VALUES_MAX)
		return err_set(err, ERR_LIMIT, "1:1: the rules are too large");
	uint32_t i = 0;
	for (const struct cond *c = first; c; c = c->next) {
		int r = pool_add_operand(p, c, &args[i++], ret_unknown, err);

		if (r < 0)
			return r;
	}
	o->args = args;
	o->arg_count = count;
	return 0;
}

static int make_call(struct pool *p, const struct cond *c, struct operand *o, bool *ret_unknown,
		     struct err *err)
{
	o->kind = OPERAND_CALL;
	for (unsigned t = 0; t < TR_COUNT; t++)
		if (slice_is(c->text, names[t]))
			o->transform = (enum transform)t;
	int r = make_args(p, c->child, o, ret_unknown, err);
	return r < 0 ? r : check_call(p, c, o, err);
}

/* Numbers may stand in a list too: they are joined as text. */
static int make_list(struct pool *p, const struct cond *c, struct operand *o, bool *ret_unknown,
		     struct err *err)
{
	o->kind = OPERAND_LIST;
	o->is_list = true;
	int r = make_args(p, c->child, o, ret_unknown, err);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < o->arg_count; i++)
		if (p->operands[o->args[i]].is_list)
			return fail(c, err, "a list can't hold a list");
	return 0;
}

int operand_make(struct pool *p, const struct cond *c, uint32_t *ret, bool *ret_unknown_field,
		 struct err *err)
{
	struct operand o = { .type = RT_STRING, .ref.index = -1 };
	int r = 0;

	switch (c->kind) {
	case COND_FIELD:
		r = make_field(p, c, &o, ret_unknown_field, err);
		break;
	case COND_TRANSFORM:
		r = make_call(p, c, &o, ret_unknown_field, err);
		break;
	case COND_LIST:
		r = make_list(p, c, &o, ret_unknown_field, err);
		break;
	case COND_VALUE: {
		char *text = arena_dup(p->arena, c->text);

		o.kind = OPERAND_CONST;
		o.text = slice_from(text, c->text.n);
		r = text ? 0 : err_set(err, ERR_LIMIT, "1:1: the rules are too large");
		break;
	}
	case COND_OR:
	case COND_AND:
	case COND_NOT:
	case COND_MACRO:
	case COND_CHECK:
		r = fail(c, err, "not a value");
		break;
	}
	return r < 0 ? r : pool_push_operand(p, &o, c, ret, err);
}
