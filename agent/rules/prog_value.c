/* prog_value.c - values of operands, each fetched once an event, and as text for outputs. */
#include <inttypes.h>

#include "agent/rules/prog_priv.h"

static bool number_text(struct pool *p, const struct operand *o, const struct rules_value *v,
			struct slice *ret)
{
	char *s = NULL;

	switch (o->type) {
	case RT_BOOL:
		*ret = v->num ? SLICE_LIT("true") : SLICE_LIT("false");
		return true;
	case RT_UINT:
	case RT_PORT:
		s = arena_printf(p->scratch, "%" PRIu64, (uint64_t)v->num);
		break;
	case RT_INT:
	case RT_TIME:
	case RT_DURATION:
	case RT_STRING:
	case RT_PATH:
	case RT_BYTES:
	case RT_IPADDR:
	case RT_IPNET:
		s = arena_printf(p->scratch, "%" PRId64, v->num);
		break;
	}
	*ret = slice_of(s);
	return s;
}

static bool is_number(enum rules_type t)
{
	return t == RT_INT || t == RT_UINT || t == RT_BOOL || t == RT_PORT || t == RT_TIME ||
	       t == RT_DURATION;
}

/* Elements of a list in a transformer. A missing one makes the whole list null. */
static bool list_value(struct pool *p, const struct operand *o, struct rules_value *ret)
{
	struct slice *all = arena_alloc(p->scratch, (o->arg_count + 1) * sizeof(*all));

	if (!all)
		return false;
	for (uint32_t i = 0; i < o->arg_count; i++)
		if (!pool_text(p, o->args[i], &all[i]))
			return false;
	*ret = (struct rules_value){ .list = all, .list_count = o->arg_count, .is_list = true };
	return true;
}

static bool fetch(struct pool *p, const struct operand *o, struct rules_value *ret)
{
	switch (o->kind) {
	case OPERAND_FIELD:
		return p->src->get(p->src->ctx, o->ref.field, o->ref.index, o->ref.arg, p->scratch, ret);
	case OPERAND_CONST:
		ret->str = o->text;
		return true;
	case OPERAND_LIST:
		return list_value(p, o, ret);
	case OPERAND_CALL:
		return transform_value(p, o, ret);
	}
	return false;
}

const struct rules_value *operand_get(struct pool *p, uint32_t operand)
{
	struct cached_value *c = &p->values[operand];

	if (c->generation != p->generation) {
		/* fetch may ask for other operands, never for this one. */
		c->value = (struct rules_value){ 0 };
		c->is_null = !fetch(p, &p->operands[operand], &c->value);
		c->generation = p->generation;
	}
	return c->is_null ? NULL : &c->value;
}

bool operand_value(struct pool *p, uint32_t operand, struct rules_value *ret)
{
	const struct rules_value *v = operand_get(p, operand);

	if (v)
		*ret = *v;
	return v;
}

bool pool_text(struct pool *p, uint32_t operand, struct slice *ret)
{
	const struct operand *o = &p->operands[operand];
	struct rules_value v;

	if (!operand_value(p, operand, &v))
		return false;
	if (v.list_count && !v.str.p && !is_number(o->type)) {
		CLEANUP(buf_finip) struct buf b = { 0 };
		buf_init(&b, SCRATCH_MAX / 4);

		buf_add_char(&b, '(');
		for (size_t i = 0; i < v.list_count; i++) {
			if (i)
				buf_add_char(&b, ',');
			buf_add_slice(&b, v.list[i]);
		}
		buf_add_char(&b, ')');
		char *s = b.failed ? NULL : arena_dup(p->scratch, buf_slice(&b));
		*ret = slice_from(s, b.n);
		return s;
	}
	if (is_number(o->type) && !v.str.p)
		return number_text(p, o, &v, ret);
	*ret = v.str;
	if (!ret->p)
		*ret = SLICE_LIT("");
	return true;
}
