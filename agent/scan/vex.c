/* vex.c - see vex.h. One walk reads either format; what refers to another place of the document is
 * resolved at its end. */
#include <errno.h>

#include "agent/scan/sbom_priv.h"
#include "agent/scan/vex_priv.h"
#include "common/text.h"

enum { ARENA_BYTES = 32 << 20, STATEMENTS_MAX = 200000, FILE_MAX_MIB = 256 };

/* CycloneDX: what a bom-ref of this document stands for. */
struct reference {
	struct slice ref, purl, name, version;
	struct reference *next;
};

struct reading {
	struct vex *vex;
	const char *name;
	struct vex_statement *first, **last, *now;
	struct vex_product *product;
	struct reference *references;
	struct reference *component[PATHS_DEPTH_MAX];
	size_t depth, count;
	struct slice time;
	bool is_openvex, is_cyclonedx;
	uint64_t without_product, without_status;
};

static int no_room(struct err *err)
{
	return err_set(err, ERR_LIMIT, "it holds more than fits into memory set aside for it");
}

static int copy(struct reading *r, struct slice s, struct slice *ret, struct err *err)
{
	char *p = arena_dup(r->vex->arena, s);

	if (!p)
		return no_room(err);
	*ret = (struct slice){ p, s.n };
	return 0;
}

int vex_new(struct vex **ret, struct err *err)
{
	CLEANUP(vex_freep) struct vex *v = calloc(1, sizeof(*v));

	if (!v)
		return err_set(err, ENOMEM, "VEX");
	v->arena = arena_new(ARENA_BYTES);
	if (!v->arena)
		return err_set(err, ENOMEM, "VEX");
	*ret = take_ptr(v);
	return 0;
}

void vex_free(struct vex *v)
{
	if (!v)
		return;
	free(v->statements);
	ids_fini(&v->ids);
	arena_free(v->arena);
	free(v);
}

/* ---- building ---- */

static int new_statement(struct reading *r, struct err *err)
{
	struct vex_statement *s = arena_zalloc(r->vex->arena, 1, sizeof(*s));

	if (!s)
		return no_room(err);
	if (r->count++ == STATEMENTS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d statements", STATEMENTS_MAX);
	s->file = r->name;
	*r->last = s;
	r->last = &s->next;
	r->now = s;
	r->product = NULL;
	return 0;
}

static int add_name(struct reading *r, struct slice text, struct err *err)
{
	struct vex_name *n = arena_zalloc(r->vex->arena, 1, sizeof(*n));

	if (!n)
		return no_room(err);
	n->next = r->now->names;
	r->now->names = n;
	return copy(r, text, &n->text, err);
}

static int new_product(struct reading *r, struct vex_product **list, struct vex_product **ret, struct err *err)
{
	struct vex_product *p = arena_zalloc(r->vex->arena, 1, sizeof(*p));

	if (!p)
		return no_room(err);
	p->next = *list;
	*list = p;
	if (ret)
		*ret = p;
	return 0;
}

/* An id that is a purl goes before one that is not. */
static int name_product(struct reading *r, struct vex_product *p, struct slice text, struct err *err)
{
	struct purl purl;

	if (!p)
		return 0;
	bool is_purl = purl_parse(text, r->vex->arena, &purl, NULL) >= 0;
	if (p->id.n && (!is_purl || p->purl))
		return 0;
	if (is_purl) {
		p->purl = arena_alloc(r->vex->arena, sizeof(purl));
		if (!p->purl)
			return no_room(err);
		*p->purl = purl;
	}
	return copy(r, text, &p->id, err);
}

static int named_product(struct reading *r, struct vex_product **list, struct slice text, struct err *err)
{
	struct vex_product *p = NULL;
	int e = new_product(r, list, &p, err);

	return e < 0 ? e : name_product(r, p, text, err);
}

/* ---- OpenVEX ---- */

static int openvex_open(struct reading *r, struct slice path, struct err *err)
{
	if (slice_is(path, ".statements[]"))
		return new_statement(r, err);
	if (!r->now)
		return 0;
	if (slice_is(path, ".statements[].products[]"))
		return new_product(r, &r->now->products, &r->product, err);
	if (slice_is(path, ".statements[].products[].subcomponents[]") && r->product)
		return new_product(r, &r->product->parts, NULL, err);
	if (slice_is(path, ".statements[].subcomponents[]"))
		return new_product(r, &r->now->parts, NULL, err);
	return 0;
}

static int openvex_product(struct reading *r, struct slice key, struct slice value, struct err *err)
{
	struct vex_statement *s = r->now;
	bool is_id = slice_is(key, "[].@id") || slice_is(key, "[].identifiers.purl");

	if (slice_is(key, "[]"))
		return named_product(r, &s->products, value, err);
	if (is_id)
		return name_product(r, r->product, value, err);
	if (slice_is(key, "[].subcomponents[]") && r->product)
		return named_product(r, &r->product->parts, value, err);
	if ((slice_is(key, "[].subcomponents[].@id") || slice_is(key, "[].subcomponents[].identifiers.purl")) &&
	    r->product)
		return name_product(r, r->product->parts, value, err);
	return 0;
}

/* "https://nvd.nist.gov/vuln/detail/CVE-2023-1" is known by its last part. */
static struct slice last_part(struct slice url)
{
	const char *slash = url.n ? memrchr(url.p, '/', url.n) : NULL;

	return slash ? slice_sub(url, (size_t)(slash - url.p) + 1, url.n) : url;
}

static int openvex_statement(struct reading *r, struct slice key, struct slice value, struct err *err)
{
	struct vex_statement *s = r->now;
	struct slice products = SLICE_LIT("products"), parts = SLICE_LIT("subcomponents");

	if (slice_starts(key, products))
		return openvex_product(r, slice_sub(key, products.n, key.n), value, err);
	if (slice_is(key, "subcomponents[]"))
		return named_product(r, &s->parts, value, err);
	if (slice_starts(key, parts) && (slice_is(slice_sub(key, parts.n, key.n), "[].@id")))
		return name_product(r, s->parts, value, err);
	if (slice_is(key, "vulnerability") || slice_is(key, "vulnerability.name") ||
	    slice_is(key, "vulnerability.aliases[]"))
		return add_name(r, value, err);
	if (slice_is(key, "vulnerability.@id"))
		return add_name(r, last_part(value), err);
	if (slice_is(key, "status"))
		return copy(r, value, &s->state, err);
	if (slice_is(key, "justification"))
		return copy(r, value, &s->why, err);
	if (slice_is(key, "impact_statement") || (slice_is(key, "status_notes") && !s->detail.n))
		return copy(r, value, &s->detail, err);
	if (slice_is(key, "timestamp") || (slice_is(key, "last_updated") && !s->time.n))
		return copy(r, value, &s->time, err);
	return 0;
}

/* ---- CycloneDX ---- */

static int cyclonedx_open(struct reading *r, struct slice path, struct err *err)
{
	if (slice_is(path, ".vulnerabilities[]"))
		return new_statement(r, err);
	if (!sbom_is_component(path))
		return 0;
	struct reference *ref = arena_zalloc(r->vex->arena, 1, sizeof(*ref));
	if (!ref)
		return no_room(err);
	ref->next = r->references;
	r->references = r->component[r->depth++] = ref;
	return 0;
}

static int cyclonedx_component(struct reading *r, struct slice key, struct slice value, struct err *err)
{
	struct reference *c = r->component[r->depth - 1];

	if (slice_is(key, "bom-ref"))
		return copy(r, value, &c->ref, err);
	if (slice_is(key, "purl"))
		return copy(r, value, &c->purl, err);
	if (slice_is(key, "name"))
		return copy(r, value, &c->name, err);
	return slice_is(key, "version") ? copy(r, value, &c->version, err) : 0;
}

static int cyclonedx_vulnerability(struct reading *r, struct slice key, struct slice value, struct err *err)
{
	struct vex_statement *s = r->now;

	if (slice_is(key, "id") || slice_is(key, "references[].id"))
		return add_name(r, value, err);
	if (slice_is(key, "affects[].ref"))
		return named_product(r, &s->products, value, err);
	if (slice_is(key, "analysis.state"))
		return copy(r, value, &s->state, err);
	if (slice_is(key, "analysis.justification"))
		return copy(r, value, &s->why, err);
	if (slice_is(key, "analysis.detail"))
		return copy(r, value, &s->detail, err);
	if (slice_is(key, "analysis.lastUpdated") || (slice_is(key, "updated") && !s->time.n))
		return copy(r, value, &s->time, err);
	return 0;
}

/* "urn:cdx:UUID/1#REF" names REF in another document. */
static struct slice link_target(struct slice ref)
{
	ptrdiff_t hash = slice_find_char(ref, '#');

	if (!slice_starts(ref, SLICE_LIT("urn:cdx:")) || hash < 0)
		return ref;
	return slice_sub(ref, (size_t)hash + 1, ref.n);
}

/* A ref is a purl, or stands for a component that has one, or a name. */
static int resolve(struct reading *r, struct vex_product *p, struct err *err)
{
	struct slice target = link_target(p->id);
	const struct reference *c = r->references;

	if (p->purl)
		return 0;
	while (c && !(c->ref.n && slice_eq(c->ref, target)))
		c = c->next;
	if (c && c->purl.n)
		target = c->purl;
	else if (c && !slice_eq(c->name, target) && c->name.n)
		target = c->version.n ? slice_of(arena_printf(r->vex->arena, "%.*s:%.*s", SLICE_FMT(c->name),
							      SLICE_FMT(c->version)))
				      : c->name;
	p->id = SLICE_NONE;
	return target.n ? name_product(r, p, target, err) : 0;
}

/* ---- both ---- */

static int on_value(struct reading *r, struct slice path, struct slice value, struct err *err)
{
	struct slice statement = SLICE_LIT(".statements[]."), vulnerability = SLICE_LIT(".vulnerabilities[].");
	const char *dot = path.n ? memrchr(path.p, '.', path.n) : NULL;

	if (r->now && slice_starts(path, statement))
		return openvex_statement(r, slice_sub(path, statement.n, path.n), value, err);
	if (r->now && slice_starts(path, vulnerability))
		return cyclonedx_vulnerability(r, slice_sub(path, vulnerability.n, path.n), value, err);
	if (dot && r->depth && sbom_is_component(slice_sub(path, 0, (size_t)(dot - path.p))))
		return cyclonedx_component(r, slice_sub(path, (size_t)(dot - path.p) + 1, path.n), value, err);
	if (slice_is(path, ".@context") && slice_find(value, SLICE_LIT("openvex.dev/ns")) >= 0)
		r->is_openvex = true;
	if (slice_is(path, ".bomFormat") && slice_is(value, "CycloneDX"))
		r->is_cyclonedx = true;
	if (slice_is(path, ".timestamp") || slice_is(path, ".metadata.timestamp"))
		return copy(r, value, &r->time, err);
	return 0;
}

static int on_event(void *arg, enum paths_kind kind, struct slice path, struct slice value, struct err *err)
{
	struct reading *r = arg;
	int e = 0;

	switch (kind) {
	case PATHS_OPEN:
		e = openvex_open(r, path, err);
		return e < 0 ? e : cyclonedx_open(r, path, err);
	case PATHS_CLOSE:
		if (slice_is(path, ".statements[]") || slice_is(path, ".vulnerabilities[]"))
			r->now = NULL;
		if (r->depth && sbom_is_component(path))
			r->depth--;
		return 0;
	case PATHS_STRING:
		return on_value(r, path, value, err);
	case PATHS_OTHER:
		return 0;
	}
	return 0;
}

static enum vex_status status_of(struct slice state)
{
	static const struct {
		const char *state;
		enum vex_status status;
	} rows[] = {
		{ "not_affected", VEX_NOT_AFFECTED },
		{ "fixed", VEX_FIXED },
		{ "affected", VEX_AFFECTED },
		{ "under_investigation", VEX_INVESTIGATING },
		{ "false_positive", VEX_NOT_AFFECTED },
		{ "resolved", VEX_FIXED },
		{ "resolved_with_pedigree", VEX_FIXED },
		{ "exploitable", VEX_AFFECTED },
		{ "in_triage", VEX_INVESTIGATING },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (slice_is(state, rows[i].state))
			return rows[i].status;
	}
	return VEX_NONE;
}

static int keep(struct vex *v, struct vex_statement *s, struct err *err)
{
	if (v->count == v->size) {
		size_t size = v->size ? v->size * 2 : 64;
		struct vex_statement **grown = reallocarray(v->statements, size, sizeof(struct vex_statement *));

		if (!grown)
			return err_set(err, ENOMEM, "VEX");
		v->statements = grown;
		v->size = size;
	}
	v->statements[v->count] = s;
	for (const struct vex_name *n = s->names; n; n = n->next) {
		int r = ids_add(&v->ids, n->text, (uint32_t)v->count, err);

		if (r < 0)
			return r;
	}
	v->count++;
	return 0;
}

static int finish_statement(struct reading *r, struct vex_statement *s, struct err *err)
{
	struct slice time = s->time.n ? s->time : r->time;

	s->status = status_of(s->state);
	if (!s->status) {
		/* an advisory of a CycloneDX document without an analysis says nothing */
		r->without_status += s->state.n > 0 || r->is_openvex;
		return 0;
	}
	if (!s->products) {
		r->without_product++;
		return 0;
	}
	if (!text_time_parse(time, &s->time_ns))
		s->time_ns = 0;
	for (struct vex_product *p = s->products; p; p = p->next) {
		int e = resolve(r, p, err);

		if (e < 0)
			return e;
	}
	return keep(r->vex, s, err);
}

static void warn(struct vex *v, const char *name, const char *what, uint64_t n)
{
	char *text = n ? arena_printf(v->arena, "%s: %llu %s", name, (unsigned long long)n, what) : NULL;

	if (text && v->warning_count < SCAN_WARNINGS_MAX)
		v->warnings[v->warning_count++] = text;
}

static int finish(struct reading *r, struct err *err)
{
	if (!r->is_openvex && !r->is_cyclonedx)
		return err_set(err, ERR_SYNTAX, "neither an OpenVEX nor a CycloneDX document");
	for (struct vex_statement *s = r->first; s; s = s->next) {
		int e = finish_statement(r, s, err);

		if (e < 0)
			return e;
	}
	warn(r->vex, r->name, "statements name no product: left out", r->without_product);
	warn(r->vex, r->name, "statements have no status known here: left out", r->without_status);
	return 0;
}

int vex_parse(struct vex *v, const char *name, struct slice text, struct err *err)
{
	struct reading r = { .vex = v, .name = name };

	r.last = &r.first;
	int e = paths_text(text, on_event, &r, err);
	if (e >= 0)
		e = finish(&r, err);
	return e < 0 ? err_wrap(err, e, "%s", name) : 0;
}

int vex_read(struct vex *v, const char *path, struct err *err)
{
	struct reading r = { .vex = v, .name = path };

	r.last = &r.first;
	int e = paths_file(path, (uint64_t)FILE_MAX_MIB << 20, on_event, &r, err);
	if (e < 0)
		return e;
	e = finish(&r, err);
	return e < 0 ? err_wrap(err, e, "%s", path) : 0;
}
