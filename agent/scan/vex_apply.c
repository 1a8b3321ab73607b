/* vex_apply.c - which statements speak of a finding, and what the newest of them says. See vex.h. */
#include "agent/scan/vex_priv.h"

/* ---- is it this image? ---- */

static struct slice cut_prefix(struct slice s, const char *prefix)
{
	struct slice p = slice_of(prefix);

	return slice_starts(s, p) ? slice_sub(s, p.n, s.n) : s;
}

/* "docker.io/library/nginx" is "nginx". */
static struct slice plain_name(struct slice s)
{
	s = cut_prefix(s, "index.docker.io/");
	s = cut_prefix(s, "docker.io/");
	return cut_prefix(s, "library/");
}

/* The repository of "repo:tag" or "repo@digest"; *ret_rest: tag or digest, may be empty. A colon before a
 * slash is a registry's port. */
static struct slice repository(struct slice name, struct slice *ret_rest)
{
	ptrdiff_t at = slice_find_char(name, '@');
	const char *colon = name.n ? memrchr(name.p, ':', name.n) : NULL;

	if (at < 0 && colon && !memchr(colon, '/', name.n - (size_t)(colon - name.p)))
		at = colon - name.p;
	*ret_rest = at < 0 ? SLICE_NONE : slice_sub(name, (size_t)at + 1, name.n);
	return plain_name(slice_sub(name, 0, at < 0 ? name.n : (size_t)at));
}

static bool is_name(struct slice text, const char *known)
{
	struct slice wanted, has, name = slice_of(known);
	struct slice a = repository(text, &wanted), b = repository(name, &has);

	return a.n && slice_eq(a, b) && (!wanted.n || slice_eq(wanted, has));
}

static bool is_image_text(const struct scan_result *r, struct slice text)
{
	const Picket__Inventory *inv = r->inventory;

	if (slice_is(text, inv->image_id) || slice_eq(text, scan_digest(r)))
		return text.n > 0;
	for (size_t i = 0; i < inv->n_names; i++) {
		if (is_name(text, inv->names[i]))
			return true;
	}
	for (size_t i = 0; i < inv->n_repo_digests; i++) {
		if (is_name(text, inv->repo_digests[i]))
			return true;
	}
	return is_name(text, r->target) || is_name(text, inv->target);
}

static bool has_digest(const struct scan_result *r, struct slice digest)
{
	const Picket__Inventory *inv = r->inventory;

	if (slice_is(digest, inv->image_id))
		return true;
	for (size_t i = 0; i < inv->n_repo_digests; i++) {
		const char *at = strchr(inv->repo_digests[i], '@');

		if (at && slice_is(digest, at + 1))
			return true;
	}
	return false;
}

/* One name of the image against "pkg:oci/NAME@DIGEST?repository_url=REPOSITORY&tag=TAG". */
static bool is_oci_name(const struct purl *p, const char *known)
{
	struct slice rest, repo = repository(slice_of(known), &rest), url = purl_get(p, "repository_url");
	struct slice tag = purl_get(p, "tag"), unused;
	const char *slash = repo.n ? memrchr(repo.p, '/', repo.n) : NULL;
	struct slice last = slash ? slice_sub(repo, (size_t)(slash - repo.p) + 1, repo.n) : repo;

	if (!slice_eq(last, p->name) || (tag.n && !slice_eq(tag, rest)))
		return false;
	if (!url.n)
		return true;
	url = repository(url, &unused);
	/* the URL may or may not end in the name */
	return slice_eq(url, repo) || (slash && slice_eq(url, slice_sub(repo, 0, repo.n - last.n - 1)));
}

static bool is_oci_image(const struct scan_result *r, const struct purl *p)
{
	const Picket__Inventory *inv = r->inventory;

	if (p->version.n && !has_digest(r, p->version))
		return false;
	for (size_t i = 0; i < inv->n_names; i++) {
		if (is_oci_name(p, inv->names[i]))
			return true;
	}
	for (size_t i = 0; i < inv->n_repo_digests && !purl_get(p, "tag").n; i++) {
		if (is_oci_name(p, inv->repo_digests[i]))
			return true;
	}
	/* an SBOM's subject */
	if (!inv->n_names && is_oci_name(p, inv->target))
		return true;
	/* an image that nobody named has its digest only */
	return p->version.n && !inv->n_names && !inv->n_repo_digests;
}

/* ---- is it this package? ---- */

static bool covers(const struct vex_product *x, const struct scan_result *r, size_t package, struct arena *a)
{
	const struct scan_package *p = &r->packages[package];

	if (!x->purl)
		return p->ref.n && slice_eq(x->id, p->ref);
	arena_reset(a);
	struct purl of = purl_of_package(p->pkg, r->inventory->os, a);
	if (purl_covers(x->purl, &of))
		return true;
	/* "arch=source" is the source package that it was built from */
	of = purl_of_source(p->pkg, r->inventory->os, a);
	return slice_is(purl_get(x->purl, "arch"), "source") && purl_covers(x->purl, &of);
}

static bool any_part(const struct vex_product *parts, const struct scan_result *r, size_t package,
		     struct arena *a)
{
	for (; parts; parts = parts->next) {
		if (covers(parts, r, package, a))
			return true;
	}
	return false;
}

static bool is_in(const struct vex_product *x, const struct scan_result *r, struct arena *a)
{
	for (size_t i = 0; i < r->package_count; i++) {
		if (covers(x, r, i, a))
			return true;
	}
	return false;
}

static bool is_image(const struct vex_product *x, const struct scan_result *r)
{
	bool oci = x->purl && (slice_is(x->purl->type, "oci") || slice_is(x->purl->type, "docker"));

	return oci ? is_oci_image(r, x->purl) : !x->purl && is_image_text(r, x->id);
}

/* With parts: the package is one, and the product is this image or in it. Without: the package is the
 * product, or the image as a whole is. */
static bool speaks_of(const struct vex_statement *s, const struct scan_result *r, size_t package,
		      struct arena *a)
{
	for (const struct vex_product *x = s->products; x; x = x->next) {
		const struct vex_product *parts = x->parts ? x->parts : s->parts;

		if (!parts && (is_image(x, r) || covers(x, r, package, a)))
			return true;
		if (parts && any_part(parts, r, package, a) && (is_image(x, r) || is_in(x, r, a)))
			return true;
	}
	return false;
}

/* ---- which statement counts ---- */

struct search {
	struct vex *vex;
	const struct scan_result *r;
	struct arena *arena;
	size_t package;
	const struct vex_statement *best;
	size_t best_at;
};

static void look_up(struct search *x, struct slice id)
{
	const struct ids *ids = &x->vex->ids;

	for (uint32_t at = ids_find(ids, id); at; at = ids_next(ids, at)) {
		size_t n = ids->entries[at].item;
		const struct vex_statement *s = x->vex->statements[n];
		bool newer = !x->best || s->time_ns > x->best->time_ns ||
			     (s->time_ns == x->best->time_ns && n > x->best_at);

		if (newer && speaks_of(s, x->r, x->package, x->arena)) {
			x->best = s;
			x->best_at = n;
		}
	}
}

static void hush(struct scan_result *r, struct scan_finding *f, const struct vex_statement *s)
{
	char *both = s->why.n && s->detail.n ? arena_printf(r->arena, "%.*s: %.*s", SLICE_FMT(s->why),
							    SLICE_FMT(s->detail))
					     : NULL;

	f->hush = SCAN_VEX;
	f->hush_state = s->state;
	f->hush_why = both ? slice_of(both) : s->why.n ? s->why : s->detail;
	f->hush_source = slice_of(s->file);
}

void vex_apply(struct vex *v, struct scan_result *r)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(16384);

	for (size_t i = 0; i < v->warning_count; i++)
		scan_warn(r, "%s", v->warnings[i]);
	for (size_t i = 0; a && i < r->finding_count; i++) {
		struct scan_finding *f = &r->findings[i];
		struct search x = { .vex = v, .r = r, .arena = a, .package = f->package };

		if (f->hush)
			continue;
		look_up(&x, f->vuln->id);
		look_up(&x, f->vuln->record);
		for (size_t k = 0; k < f->vuln->alias_count; k++)
			look_up(&x, f->vuln->aliases[k]);
		if (x.best && (x.best->status == VEX_NOT_AFFECTED || x.best->status == VEX_FIXED))
			hush(r, f, x.best);
	}
}
