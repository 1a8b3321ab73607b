/* correlation_link.c - names to documents, fields to numbers, circles and ambiguities out. */
#include <openssl/sha.h>

#include "collector/correlate/correlation_priv.h"
#include "common/buf.h"

struct linker {
	const struct correlation_document *documents;
	size_t count;
	const struct correlation_fields *fields;
	struct arena *arena;
	struct sigma_notes *notes;
	struct err *err;
	size_t bad;
	uint32_t *slots; /* document + 1 by name or id; 0: free */
	size_t slot_count;
	uint8_t *depths; /* of correlations; 0: not known, VISITING: being looked at */
};

enum { VISITING = 255 };

static void linker_fini(struct linker *l)
{
	free(l->slots);
	free(l->depths);
}

static struct correlation_reader reader(const struct linker *l, const struct correlation *c)
{
	return (struct correlation_reader){ .rule = c->rule, .arena = l->arena, .notes = l->notes, .err = l->err };
}

/* ---- names ---- */

static uint32_t *slot_of(const struct linker *l, struct slice name)
{
	size_t at = slice_hash(name) & (l->slot_count - 1);

	while (l->slots[at] && !sigma_rule_is(l->documents[l->slots[at] - 1].rule, name))
		at = (at + 1) & (l->slot_count - 1);
	return &l->slots[at];
}

static int add_name(struct linker *l, size_t document, const char *name)
{
	if (!name[0])
		return 0;
	uint32_t *slot = slot_of(l, slice_of(name));

	if (*slot && *slot != document + 1) {
		const struct sigma_rule *other = l->documents[*slot - 1].rule;

		l->bad = document;
		return sigma_fail(l->documents[document].rule, NULL, l->err, "'%.80s' is a name of the rule at %s:%u, too", name, other->file,
				  other->line);
	}
	*slot = (uint32_t)document + 1;
	return 0;
}

static int add_names(struct linker *l)
{
	int e = 0;

	l->slot_count = 16;
	while (l->slot_count < l->count * 4)
		l->slot_count *= 2;
	l->slots = calloc(l->slot_count, sizeof(*l->slots));
	l->depths = calloc(l->count + 1, 1);
	if (!l->slots || !l->depths)
		return err_set(l->err, ERR_LIMIT, "out of memory");
	for (size_t i = 0; e >= 0 && i < l->count; i++) {
		e = add_name(l, i, l->documents[i].rule->id);
		if (e >= 0)
			e = add_name(l, i, l->documents[i].rule->name);
	}
	return e;
}

/* ---- rules ---- */

static bool has_tag(const struct sigma_rule *r, const struct sigma_list *tags)
{
	for (size_t i = 0; i < r->tags.count; i++)
		for (size_t k = 0; k < tags->count; k++)
			if (!strcmp(r->tags.items[i], tags->items[k]))
				return true;
	return false;
}

static bool is_named(const struct correlation *c, size_t count, uint32_t document)
{
	for (size_t i = 0; i < count; i++)
		if (c->refs[i].rule == document)
			return true;
	return false;
}

/* Linking again (a document was taken out) begins with the written ones: those by tag have no place. */
static int add_tagged(struct linker *l, struct correlation *c)
{
	const struct conf_node *at = sigma_get(c->rule->x, "rules_by_tag");
	size_t written = 0, max = c->type == CORRELATION_TEMPORAL ? CORRELATION_TEMPORAL_MAX : CORRELATION_RULES_MAX;
	struct correlation_ref *refs = arena_zalloc(l->arena, max, sizeof(*refs));
	struct correlation_reader r = reader(l, c);

	if (!refs)
		return correlation_full(&r);
	while (written < c->ref_count && c->refs[written].at)
		written++;
	if (written)
		memcpy(refs, c->refs, written * sizeof(*refs));
	c->refs = refs;
	c->ref_count = written;
	for (uint32_t i = 0; i < l->count; i++) {
		const struct correlation_document *d = &l->documents[i];

		if (d->correlation || !has_tag(d->rule, &c->tags) || is_named(c, c->ref_count, i))
			continue;
		if (c->ref_count == max)
			return sigma_fail(c->rule, at, l->err, "more than %zu rules have these tags", max);
		refs[c->ref_count++] = (struct correlation_ref){ .text = slice_of(sigma_rule_label(d->rule)), .rule = i };
	}
	if (!c->ref_count)
		return sigma_fail(c->rule, at, l->err, "no rule has these tags");
	return 0;
}

static int link_rules(struct linker *l, struct correlation *c)
{
	for (size_t i = 0; i < c->ref_count; i++) {
		struct correlation_ref *ref = &c->refs[i];

		if (!ref->at)
			continue;
		uint32_t slot = *slot_of(l, ref->text);
		if (!slot)
			return sigma_fail(c->rule, ref->at, l->err, "no rule has the id or name '%.100s'", ref->text.p);
		ref->rule = slot - 1;
		ref->is_correlation = l->documents[slot - 1].correlation;
		if (is_named(c, i, ref->rule))
			return sigma_fail(c->rule, ref->at, l->err, "rule '%.80s' is named twice", ref->text.p);
	}
	return c->tags.count ? add_tagged(l, c) : 0;
}

/* 1 + the deepest of what it names. Recursion ends at CORRELATION_DEPTH_MAX. */
static int find_depth(struct linker *l, size_t document, unsigned above)
{
	const struct correlation *c = l->documents[document].correlation;
	unsigned deepest = 0;

	if (l->depths[document] == VISITING)
		return sigma_fail(c->rule, c->rule->correlation, l->err, "correlations name each other in a circle");
	if (l->depths[document])
		return 0;
	if (above >= CORRELATION_DEPTH_MAX)
		return sigma_fail(c->rule, c->rule->correlation, l->err, "correlations over correlations more than %d deep",
				  CORRELATION_DEPTH_MAX);
	l->depths[document] = VISITING;
	for (size_t i = 0; i < c->ref_count; i++) {
		if (!c->refs[i].is_correlation)
			continue;
		int e = find_depth(l, c->refs[i].rule, above + 1);
		if (e < 0)
			return e;
		if (l->depths[c->refs[i].rule] > deepest)
			deepest = l->depths[c->refs[i].rule];
	}
	if (deepest >= CORRELATION_DEPTH_MAX)
		return sigma_fail(c->rule, c->rule->correlation, l->err, "correlations over correlations more than %d deep",
				  CORRELATION_DEPTH_MAX);
	l->depths[document] = (uint8_t)(deepest + 1);
	return 0;
}

/* ---- fields ---- */

/* What a rule calls the field that the correlation groups by as name. Aliases are for group-by alone, as specified. */
static struct slice source_name(const struct linker *l, const struct correlation *c, const struct correlation_ref *ref, const char *name)
{
	for (size_t i = 0; i < c->alias_count; i++) {
		if (strcmp(c->aliases[i].name, name))
			continue;
		for (const struct conf_node *k = c->aliases[i].map->items; k; k = k->next->next)
			if (sigma_rule_is(l->documents[ref->rule].rule, k->text))
				return k->next->text;
	}
	return slice_of(name);
}

static int link_field(struct linker *l, const struct correlation *c, const struct correlation_ref *ref, struct slice field,
		      int32_t *ret)
{
	const struct correlation *inner = l->documents[ref->rule].correlation;

	*ret = CORRELATION_FIELD_NONE;
	if (!inner) {
		*ret = l->fields->resolve(l->fields->arg, ref->rule, field);
		if (*ret < 0)
			sigma_note(l->notes, c->rule, ref->at ? ref->at : c->rule->correlation,
				   "events of '%.80s' have no field '%.*s': they never take part", ref->text.p, SLICE_FMT(field));
		return 0;
	}
	for (size_t i = 0; i < inner->group_by.count; i++)
		if (slice_is(field, inner->group_by.items[i]))
			*ret = (int32_t)i;
	if (*ret < 0)
		return sigma_fail(c->rule, ref->at, l->err, "correlation '%.60s' carries only its group-by, which lacks '%.*s'", ref->text.p,
				  SLICE_FMT(slice_sub(field, 0, 60)));
	return 0;
}

static int link_fields(struct linker *l, struct correlation *c)
{
	int e = 0;

	for (size_t i = 0; i < c->ref_count; i++) {
		struct correlation_ref *ref = &c->refs[i];

		for (size_t k = 0; e >= 0 && k < c->group_by.count; k++)
			e = link_field(l, c, ref, source_name(l, c, ref, c->group_by.items[k]), &ref->group[k]);
		for (size_t k = 0; e >= 0 && k < c->fields.count; k++)
			e = link_field(l, c, ref, slice_of(c->fields.items[k]), &ref->field[k]);
	}
	return e;
}

static int check_aliases(struct linker *l, struct correlation *c)
{
	for (size_t i = 0; i < c->alias_count; i++) {
		for (const struct conf_node *k = c->aliases[i].map->items; k; k = k->next->next) {
			uint32_t slot = *slot_of(l, k->text);

			if (!slot || !is_named(c, c->ref_count, slot - 1))
				return sigma_fail(c->rule, k, l->err, "alias '%.60s' names '%.80s', which is none of 'rules'",
						  c->aliases[i].name, k->text.p);
		}
	}
	return 0;
}

/* temporal's condition may have come before tags told how many rules there are. */
static int check_reach(struct linker *l, struct correlation *c)
{
	bool is_temporal = c->type == CORRELATION_TEMPORAL || c->type == CORRELATION_TEMPORAL_ORDERED;
	double need = c->ops >> CORRELATION_GTE & 1 ? c->limits[CORRELATION_GTE] : 0;

	if (c->ops >> CORRELATION_GT & 1 && c->limits[CORRELATION_GT] + 1 > need)
		need = c->limits[CORRELATION_GT] + 1;
	if (is_temporal && need > (double)c->ref_count)
		return sigma_fail(c->rule, c->rule->correlation, l->err, "condition asks for %g rules, there are %zu", need, c->ref_count);
	return 0;
}

/* ---- the hash ---- */

static void add_text(struct buf *b, struct slice s)
{
	uint32_t n = (uint32_t)s.n;

	buf_add(b, &n, sizeof(n));
	buf_add_slice(b, s);
}

static void add_list(struct buf *b, const struct sigma_list *l)
{
	buf_printf(b, "%zu;", l->count);
	for (size_t i = 0; i < l->count; i++)
		add_text(b, slice_of(l->items[i]));
}

/* The name by which it is told from others, however the file spells its reference. */
static struct slice identity(const struct sigma_rule *r)
{
	return slice_of(r->id[0] ? r->id : r->name[0] ? r->name : r->title);
}

static int make_hash(struct linker *l, struct correlation *c)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, 4 << 20);
	add_text(&b, identity(c->rule));
	buf_printf(&b, "%d;%jd;%x;%d;%d;%jd;%u;", c->type, (intmax_t)c->timespan_ns, c->ops, c->is_refire, c->is_bounded,
		   (intmax_t)c->suppress_ns, c->evidence_max);
	buf_add(&b, c->limits, sizeof(c->limits));
	buf_add(&b, &c->percentile, sizeof(c->percentile));
	buf_add(&b, c->steps, c->step_count * sizeof(*c->steps));
	add_list(&b, &c->group_by);
	add_list(&b, &c->fields);
	for (size_t i = 0; i < c->ref_count; i++) {
		const struct correlation_ref *ref = &c->refs[i];

		add_text(&b, identity(l->documents[ref->rule].rule));
		for (size_t k = 0; k < c->group_by.count; k++)
			add_text(&b, source_name(l, c, ref, c->group_by.items[k]));
	}
	if (b.failed)
		return err_set(l->err, ERR_LIMIT, "%s: a correlation is too large", c->rule->file);
	SHA256((const unsigned char *)b.p, b.n, c->hash);
	return 0;
}

/* ---- */

static int each_correlation(struct linker *l, int (*one)(struct linker *l, struct correlation *c))
{
	int e = 0;

	for (size_t i = 0; e >= 0 && i < l->count; i++) {
		if (!l->documents[i].correlation)
			continue;
		l->bad = i;
		e = one(l, l->documents[i].correlation);
	}
	return e;
}

static int check_circles(struct linker *l)
{
	int e = 0;

	for (size_t i = 0; e >= 0 && i < l->count; i++) {
		l->bad = i;
		if (l->documents[i].correlation)
			e = find_depth(l, i, 0);
	}
	return e;
}

int correlation_link(const struct correlation_document *documents, size_t count, const struct correlation_fields *fields,
		     struct arena *a, size_t *ret_bad, struct sigma_notes *notes, struct err *err)
{
	CLEANUP(linker_fini) struct linker l = { .documents = documents, .count = count, .fields = fields, .arena = a, .notes = notes, .err = err };
	int e = count < UINT32_MAX ? add_names(&l) : err_set(err, ERR_LIMIT, "too many rules");

	if (e >= 0)
		e = each_correlation(&l, link_rules);
	if (e >= 0)
		e = check_circles(&l);
	if (e >= 0)
		e = each_correlation(&l, check_reach);
	if (e >= 0)
		e = each_correlation(&l, check_aliases);
	if (e >= 0)
		e = each_correlation(&l, link_fields);
	if (e >= 0)
		e = each_correlation(&l, make_hash);
	if (e < 0 && ret_bad)
		*ret_bad = l.bad;
	return e;
}
