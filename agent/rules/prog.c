/* prog.c - the pool, and conditions into steps. See prog.h. */
#include <errno.h>

#include "agent/rules/prog_priv.h"

void *grow(void *array, size_t element, uint32_t count, uint32_t *size)
{
	if (count < *size)
		return array;
	uint32_t bigger = *size ? *size * 2 : 64;
	void *p = realloc(array, bigger * element);
	if (p)
		*size = bigger;
	return p;
}

struct pool *pool_new(struct arena *a)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->arena = a;
	p->scratch = arena_new(SCRATCH_MAX);
	p->build = arena_new(KEYS_MAX);
	p->match = pcre2_match_data_create(1, NULL);
	p->match_context = pcre2_match_context_create(NULL);
	if (!p->scratch || !p->build || !p->match || !p->match_context) {
		pool_free(p);
		return NULL;
	}
	pcre2_set_match_limit(p->match_context, REGEX_MATCH_LIMIT);
	pcre2_set_heap_limit(p->match_context, 1024);
	return p;
}

static void keys_free(struct key_table *t)
{
	free(t->keys);
	free(t->slots);
	*t = (struct key_table){ 0 };
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->regex_count; i++)
		pcre2_code_free(p->regexes[i]);
	free(p->regexes);
	pcre2_match_data_free(p->match);
	pcre2_match_context_free(p->match_context);
	keys_free(&p->operand_keys);
	keys_free(&p->check_keys);
	free(p->operands);
	free(p->checks);
	free(p->values);
	free(p->results);
	arena_free(p->scratch);
	arena_free(p->build);
	free(p);
}

int pool_finish(struct pool *p, struct err *err)
{
	keys_free(&p->operand_keys);
	keys_free(&p->check_keys);
	arena_free(take_ptr(p->build));
	p->values = calloc(p->operand_count + 1, sizeof(*p->values));
	p->results = calloc(p->check_count + 1, sizeof(*p->results));
	if (!p->values || !p->results)
		return err_set(err, ENOMEM, "prepare %u comparisons", p->check_count);
	return 0;
}

static bool keys_rehash(struct key_table *t)
{
	uint32_t size = t->mask ? (t->mask + 1) * 2 : 256;
	uint32_t *slots = calloc(size, sizeof(*slots));

	if (!slots)
		return false;
	for (uint32_t i = 0; i < t->count; i++) {
		uint32_t at = (uint32_t)slice_hash(t->keys[i]) & (size - 1);

		while (slots[at])
			at = (at + 1) & (size - 1);
		slots[at] = i + 1;
	}
	free(t->slots);
	t->slots = slots;
	t->mask = size - 1;
	return true;
}

/* Number of an equal key, or UINT32_MAX. */
static uint32_t keys_find(const struct key_table *t, struct slice key)
{
	if (!t->slots)
		return UINT32_MAX;
	for (uint32_t at = (uint32_t)slice_hash(key) & t->mask; t->slots[at]; at = (at + 1) & t->mask)
		if (slice_eq(t->keys[t->slots[at] - 1], key))
			return t->slots[at] - 1;
	return UINT32_MAX;
}

/* key stays as long as the table. The numbers are given in order, as in operands and checks. */
static bool keys_add(struct key_table *t, struct slice key)
{
	struct slice *keys = grow(t->keys, sizeof(*keys), t->count, &t->size);

	if (!keys)
		return false;
	t->keys = keys;
	t->keys[t->count++] = key;
	if (t->count * 2 > t->mask)
		return keys_rehash(t);
	uint32_t at = (uint32_t)slice_hash(key) & t->mask;
	while (t->slots[at])
		at = (at + 1) & t->mask;
	t->slots[at] = t->count;
	return true;
}

/* Canonical text of c, as long as the building lasts. */
static struct slice key_of(struct pool *p, const struct cond *c)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	buf_init(&b, 2 * COND_TEXT_MAX);

	cond_print(c, &b);
	/* "5" and 5 print alike, and so do f["x"] and f[x]: they mean the same too. */
	char *copy = b.failed ? NULL : arena_dup(p->build, buf_slice(&b));
	return copy ? slice_from(copy, b.n) : SLICE_NONE;
}

static int out_of_room(struct err *err)
{
	return err_set(err, ERR_LIMIT, "1:1: the rules are too large");
}

int pool_add_operand(struct pool *p, const struct cond *c, uint32_t *ret, bool *ret_unknown_field,
		     struct err *err)
{
	struct slice key = key_of(p, c);
	if (!key.p)
		return out_of_room(err);
	/* A quoted constant and a field may print alike ('a.b' and a.b). */
	bool is_field = c->kind == COND_FIELD || c->kind == COND_TRANSFORM;
	uint32_t found = is_field ? keys_find(&p->operand_keys, key) : UINT32_MAX;

	if (found != UINT32_MAX) {
		*ret = found;
		return 0;
	}
	return operand_make(p, c, ret, ret_unknown_field, err);
}

int pool_push_operand(struct pool *p, const struct operand *o, const struct cond *c, uint32_t *ret,
		      struct err *err)
{
	struct slice key = o->kind == OPERAND_FIELD || o->kind == OPERAND_CALL ? key_of(p, c) : SLICE_LIT("");
	struct operand *all = grow(p->operands, sizeof(*all), p->operand_count, &p->operand_size);

	if (!all || !key.p)
		return out_of_room(err);
	p->operands = all;
	all[p->operand_count] = *o;
	if (o->kind == OPERAND_FIELD) {
		char *name = arena_dup(p->arena, key);

		if (!name)
			return out_of_room(err);
		all[p->operand_count].text = slice_from(name, key.n);
	}
	if (!keys_add(&p->operand_keys, key))
		return out_of_room(err);
	*ret = p->operand_count++;
	return 0;
}

/* ---- type checks ---- */

static enum cmp_class class_of(enum rules_type t)
{
	static const enum cmp_class classes[] = {
		[RT_STRING] = CMP_TEXT,	     [RT_PATH] = CMP_TEXT,	[RT_INT] = CMP_SIGNED,
		[RT_UINT] = CMP_UNSIGNED,    [RT_BOOL] = CMP_BOOL,	[RT_BYTES] = CMP_BYTES,
		[RT_IPADDR] = CMP_NET,	     [RT_IPNET] = CMP_NET,	[RT_PORT] = CMP_UNSIGNED,
		[RT_TIME] = CMP_SIGNED,	     [RT_DURATION] = CMP_SIGNED,
	};

	return classes[t];
}

#define BIT(op) (1U << OP_##op)
#define FOR_ALL (BIT(EXISTS) | BIT(EQ) | BIT(NE) | BIT(IN) | BIT(INTERSECTS))
#define FOR_ORDERED (BIT(LT) | BIT(LE) | BIT(GT) | BIT(GE))

static const unsigned allowed[CMP_COUNT] = {
	[CMP_TEXT] = FOR_ALL | FOR_ORDERED | BIT(GLOB) | BIT(IGLOB) | BIT(CONTAINS) | BIT(ICONTAINS) |
		     BIT(STARTSWITH) | BIT(ENDSWITH) | BIT(REGEX) | BIT(PMATCH),
	[CMP_BYTES] = FOR_ALL | BIT(CONTAINS) | BIT(STARTSWITH) | BIT(ENDSWITH) | BIT(BCONTAINS) |
		      BIT(BSTARTSWITH),
	[CMP_SIGNED] = FOR_ALL | FOR_ORDERED,
	[CMP_UNSIGNED] = FOR_ALL | FOR_ORDERED,
	[CMP_BOOL] = FOR_ALL,
	[CMP_NET] = FOR_ALL,
};

static const char *type_name(enum rules_type t)
{
	static const char *const names[] = { "CHARBUF", "FSPATH", "INT64",  "UINT64", "BOOL",	 "BYTEBUF",
					     "IPADDR",	"IPNET",  "PORT",   "ABSTIME", "RELTIME" };

	return names[t];
}

static int check_types(const struct check *k, const struct operand *left, const struct cond *c,
		       struct err *err)
{
	unsigned ops = allowed[k->class];

	if (left->is_list)
		ops = BIT(EXISTS) | BIT(IN) | BIT(INTERSECTS);
	if (ops & 1U << k->op)
		return 0;
	return err_set(err, ERR_SYNTAX, "%u:%u: '%s' operator not supported for %s%s fields", c->line,
		       c->column, cond_op_text(k->op), type_name(left->type), left->is_list ? " list" : "");
}

/* A field or a transformer on the right. */
static int check_right(struct pool *p, struct check *k, const struct cond *c, bool *ret_unknown_field,
		       struct err *err)
{
	if (k->op == OP_REGEX)
		return err_set(err, ERR_SYNTAX, "%u:%u: 'regex' does not support a field on its right",
			       c->line, c->column);
	int r = pool_add_operand(p, c, &k->right, ret_unknown_field, err);
	if (r < 0)
		return r;
	const struct operand *left = &p->operands[k->left], *right = &p->operands[k->right];
	if (right->flags & FIELD_IS_NO_RIGHT)
		return err_set(err, ERR_SYNTAX, "%u:%u: field '%.*s' can't stand on the right", c->line,
			       c->column, SLICE_FMT(right->text));
	if (class_of(left->type) != class_of(right->type))
		return err_set(err, ERR_SYNTAX,
			       "%u:%u: type mismatch: a %s can't be compared with a %s", c->line,
			       c->column, type_name(left->type), type_name(right->type));
	if (right->is_list && k->op != OP_IN && k->op != OP_INTERSECTS && k->op != OP_PMATCH)
		return err_set(err, ERR_SYNTAX, "%u:%u: '%s' does not support a list on its right", c->line,
			       c->column, cond_op_text(k->op));
	k->has_right = true;
	return 0;
}

static int make_check(struct pool *p, const struct cond *c, struct check *k, bool *ret_unknown_field,
		      struct err *err)
{
	const struct cond *right = c->child->next;

	k->op = c->op;
	k->mod = c->mod;
	int r = pool_add_operand(p, c->child, &k->left, ret_unknown_field, err);
	if (r < 0)
		return r;
	k->class = class_of(p->operands[k->left].type);
	r = check_types(k, &p->operands[k->left], c, err);
	if (r < 0 || !right)
		return r;
	if (right->kind == COND_TRANSFORM)
		return check_right(p, k, right, ret_unknown_field, err);
	return constants_make(p, k, right, err);
}

static int add_check(struct pool *p, const struct cond *c, uint32_t *ret, bool *ret_unknown_field,
		     struct err *err)
{
	struct slice key = key_of(p, c);
	if (!key.p)
		return out_of_room(err);
	uint32_t found = keys_find(&p->check_keys, key);
	if (found != UINT32_MAX) {
		*ret = found;
		return 0;
	}
	struct check k = { 0 };
	int r = make_check(p, c, &k, ret_unknown_field, err);
	if (r < 0)
		return r;
	k.way = check_short_way(&k, &p->operands[k.left]);
	struct check *all = grow(p->checks, sizeof(*all), p->check_count, &p->check_size);
	if (!all || !keys_add(&p->check_keys, key))
		return out_of_room(err);
	p->checks = all;
	p->checks[p->check_count] = k;
	*ret = p->check_count++;
	return 0;
}

/* ---- steps ---- */

struct compiler {
	struct pool *pool;
	struct prog_step *steps;
	uint32_t count, size, depth;
	bool *ret_unknown_field;
	struct err *err;
};

static int compile(struct compiler *k, const struct cond *c, int32_t on_true, int32_t on_false,
		   int32_t *ret);

static int compile_check(struct compiler *k, const struct cond *c, int32_t on_true, int32_t on_false,
			 int32_t *ret)
{
	uint32_t check = 0;
	int r = add_check(k->pool, c, &check, k->ret_unknown_field, k->err);

	if (r < 0)
		return r;
	struct prog_step *steps = k->count < PROG_MAX ? grow(k->steps, sizeof(*steps), k->count, &k->size) :
							NULL;
	if (!steps)
		return err_set(k->err, ERR_LIMIT, "%u:%u: the condition has more than %d comparisons", c->line,
			       c->column, PROG_MAX);
	k->steps = steps;
	k->steps[k->count] = (struct prog_step){ check, on_true, on_false };
	*ret = (int32_t)k->count++;
	return 0;
}

/* The last operand first: each is compiled when the step that follows it is known. */
static int compile_chain(struct compiler *k, const struct cond *c, bool is_and, int32_t on_true,
			 int32_t on_false, int32_t *ret)
{
	size_t count = 0;

	for (const struct cond *x = c; x; x = x->next)
		count++;
	CLEANUP(freep) const struct cond **all = calloc(count, sizeof(const struct cond *));
	if (!all)
		return err_set(k->err, ENOMEM, "1:1: compile");
	for (size_t i = 0; c; c = c->next)
		all[i++] = c;
	if (!is_and)
		count = chain_join(k->pool->arena, all, count);
	int32_t next = is_and ? on_true : on_false;
	for (size_t i = count; i-- > 0;) {
		int r = compile(k, all[i], is_and ? next : on_true, is_and ? on_false : next, &next);

		if (r < 0)
			return r;
	}
	*ret = next;
	return 0;
}

static int compile_inner(struct compiler *k, const struct cond *c, int32_t on_true, int32_t on_false,
			 int32_t *ret)
{
	switch (c->kind) {
	case COND_OR:
	case COND_AND:
		return compile_chain(k, c->child, c->kind == COND_AND, on_true, on_false, ret);
	case COND_NOT:
		return compile(k, c->child, on_false, on_true, ret);
	case COND_MACRO:
		if (!c->child)
			return err_set(k->err, ERR_SYNTAX, "%u:%u: Undefined macro '%.*s' used in filter.",
				       c->line, c->column, SLICE_FMT(c->text));
		return compile(k, c->child, on_true, on_false, ret);
	case COND_CHECK:
		return compile_check(k, c, on_true, on_false, ret);
	case COND_FIELD:
	case COND_TRANSFORM:
	case COND_VALUE:
	case COND_LIST:
		break;
	}
	return err_set(k->err, ERR_SYNTAX, "%u:%u: not a condition", c->line, c->column);
}

static int compile(struct compiler *k, const struct cond *c, int32_t on_true, int32_t on_false,
		   int32_t *ret)
{
	/* Macros in macros can nest deeper than any one text. */
	if (++k->depth > 4 * COND_DEPTH_RULES)
		return err_set(k->err, ERR_LIMIT, "%u:%u: macros nest too deep", c->line, c->column);
	int r = compile_inner(k, c, on_true, on_false, ret);
	k->depth--;
	return r;
}

int prog_compile(struct pool *p, const struct cond *c, struct prog *ret, bool *ret_unknown_field,
		 struct err *err)
{
	bool ignored;
	struct compiler k = { .pool = p, .err = err,
			      .ret_unknown_field = ret_unknown_field ? ret_unknown_field : &ignored };
	int32_t start = PROG_REJECT;

	*k.ret_unknown_field = false;
	int r = compile(&k, c, PROG_ACCEPT, PROG_REJECT, &start);
	CLEANUP(freep) struct prog_step *steps = k.steps;
	if (r < 0)
		return r;
	struct prog_step *kept = arena_alloc(p->arena, k.count * sizeof(*kept));
	if (!kept)
		return out_of_room(err);
	memcpy(kept, steps, k.count * sizeof(*kept));
	*ret = (struct prog){ kept, k.count, start };
	return 0;
}

/* ---- one event type ---- */

/* Where a jump ends up when what evt.type is compared with is known. */
static int32_t follow(struct pool *p, const struct prog *prog, const struct rules_value *type, int32_t at)
{
	while (at >= 0) {
		const struct prog_step *s = &prog->steps[at];
		const struct check *c = &p->checks[s->check];
		const struct operand *left = &p->operands[c->left];
		bool is_type = left->kind == OPERAND_FIELD && rules_field_id(left->ref.field) == FIELD_EVT_TYPE;

		if (!is_type || c->has_right)
			break;
		at = check_judge_value(p, c, type) ? s->on_true : s->on_false;
	}
	return at;
}

bool prog_specialise(struct pool *p, struct arena *a, const struct prog *prog, const char *type,
		     struct prog *ret)
{
	const struct rules_value value = { .str = slice_of(type) };
	struct prog_step *steps = arena_alloc(a, (prog->count + 1) * sizeof(*steps));

	if (!steps)
		return false;
	for (uint32_t i = 0; i < prog->count; i++)
		steps[i] = (struct prog_step){ prog->steps[i].check,
					       follow(p, prog, &value, prog->steps[i].on_true),
					       follow(p, prog, &value, prog->steps[i].on_false) };
	*ret = (struct prog){ steps, prog->count, follow(p, prog, &value, prog->start) };
	return true;
}

/* ---- running ---- */

void pool_begin(struct pool *p, const struct rules_source *src)
{
	p->src = src;
	arena_reset(p->scratch);
	if (++p->generation)
		return;
	/* After 2^32 events old results would look new. */
	memset(p->values, 0, p->operand_count * sizeof(*p->values));
	memset(p->results, 0, p->check_count * sizeof(*p->results));
	p->generation = 1;
}

bool prog_run(struct pool *p, const struct prog *prog)
{
	int32_t at = prog->start;

	while (at >= 0) {
		const struct prog_step *s = &prog->steps[at];
		struct cached_result *r = &p->results[s->check];

		if (r->generation != p->generation) {
			r->result = check_judge(p, &p->checks[s->check]);
			r->generation = p->generation;
		}
		at = r->result ? s->on_true : s->on_false;
	}
	return at == PROG_ACCEPT;
}

size_t pool_field_count(const struct pool *p)
{
	return p->operand_count;
}

const char *pool_field_name(const struct pool *p, size_t i)
{
	return p->operands[i].kind == OPERAND_FIELD ? p->operands[i].text.p : NULL;
}
