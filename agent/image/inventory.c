/* inventory.c - see inventory.h. */
#include "agent/image/inventory.h"

#include <errno.h>

#include "agent/image/image_limits.h"
#include "agent/image/passwd.h"
#include "agent/image/path.h"
#include "agent/image/pkg.h"

struct making {
	const struct merged *m;
	const struct owners *owners;
	struct arena *a;
	struct err *err;
};

static int full(struct making *mk)
{
	return err_set(mk->err, ERR_LIMIT, "the inventory takes too much memory");
}

static bool is_distribution(struct slice ecosystem)
{
	return slice_is(ecosystem, "deb") || slice_is(ecosystem, "apk") || slice_is(ecosystem, "rpm");
}

/* Texts that many packages share ("deb", "amd64") are kept once. */
static char *text(struct making *mk, struct slice s, const char *last)
{
	if (!s.n)
		return meta_none;
	if (last && slice_is(s, last))
		return (char *)(uintptr_t)last;
	return arena_dup(mk->a, s);
}

static Picket__Package *make_package(struct making *mk, const struct facts_package *p, const struct facts_file *file,
				     ProtobufCBinaryData path, const Picket__Package *last)
{
	Picket__Package *q = arena_alloc(mk->a, sizeof(*q));
	struct owners_package owner;

	if (!q)
		return NULL;
	picket__package__init(q);
	q->ecosystem = text(mk, p->ecosystem, last ? last->ecosystem : NULL);
	q->name = text(mk, p->name, NULL);
	q->version = text(mk, p->version, NULL);
	q->arch = text(mk, p->arch, last ? last->arch : NULL);
	/* Empty: as the package's own. */
	bool same = slice_eq(p->source, p->name) && slice_eq(p->source_version, p->version);
	q->source = text(mk, same ? SLICE_NONE : p->source, last ? last->source : NULL);
	q->source_version = text(mk, same ? SLICE_NONE : p->source_version, last ? last->source_version : NULL);
	q->path = path;
	q->is_dev = p->is_dev;
	q->owner = meta_none;
	if (!is_distribution(p->ecosystem) &&
	    owners_find(mk->owners, slice_from(file->path, file->path_n), &owner) && is_distribution(owner.ecosystem))
		q->owner = text(mk, owner.name, last ? last->owner : NULL);
	return q->ecosystem && q->name && q->version && q->arch && q->source && q->source_version && q->owner ? q :
														NULL;
}

/* ---- packages into layers ---- */

static int compare(const char *a, const char *b, int before)
{
	return before ? before : strcmp(a, b);
}

static int by_package(const void *va, const void *vb)
{
	const Picket__Package *a = *(Picket__Package *const *)va, *b = *(Picket__Package *const *)vb;
	int c = compare(a->ecosystem, b->ecosystem, 0);

	c = compare(a->name, b->name, c);
	c = compare(a->version, b->version, c);
	c = compare(a->arch, b->arch, c);
	if (c)
		return c;
	size_t n = a->path.len < b->path.len ? a->path.len : b->path.len;
	c = n ? memcmp(a->path.data, b->path.data, n) : 0;
	return c ? c : a->path.len < b->path.len ? -1 : a->path.len > b->path.len;
}

static int count_packages(const struct merged *m, size_t *counts)
{
	for (size_t i = 0; i < m->file_count; i++)
		for (uint32_t k = 0; k < m->files[i].package_count; k++)
			counts[m->files[i].since[k]]++;
	return 0;
}

static int fill_file(struct making *mk, const struct facts_file *file, Picket__Layer **layers)
{
	char *path = arena_dup(mk->a, slice_from(file->path, file->path_n));
	ProtobufCBinaryData p = { file->path_n, (uint8_t *)path };
	struct slice rest = buf_slice(&file->packages);
	const Picket__Package *last = NULL;
	struct facts_package fp;

	if (!path)
		return full(mk);
	for (uint32_t k = 0; k < file->package_count && facts_next_package(&rest, &fp); k++) {
		Picket__Layer *l = layers[file->since[k]];
		Picket__Package *q = make_package(mk, &fp, file, p, last);

		if (!q)
			return full(mk);
		l->packages[l->n_packages++] = q;
		last = q;
	}
	return 0;
}

/* In order, each once. */
static int settle_layer(struct making *mk, Picket__Layer *l)
{
	size_t n = 0;

	if (l->n_packages)
		qsort(l->packages, l->n_packages, sizeof(*l->packages), by_package);
	for (size_t i = 0; i < l->n_packages; i++)
		if (!n || by_package(&l->packages[n - 1], &l->packages[i]))
			l->packages[n++] = l->packages[i];
	l->n_packages = n;
	if (n > LIMIT_PACKAGES)
		return err_set(mk->err, ERR_LIMIT, "more than %d packages in a layer", LIMIT_PACKAGES);
	l->key.data = arena_alloc(mk->a, LIMIT_KEY_BYTES);
	l->key.len = LIMIT_KEY_BYTES;
	return l->key.data ? msg_layer_key(l->packages, n, l->key.data, mk->err) : full(mk);
}

static int make_layer(struct making *mk, const struct meta *meta, size_t i, size_t packages, Picket__Layer **ret)
{
	Picket__Layer *l = arena_alloc(mk->a, sizeof(*l));

	if (!l)
		return full(mk);
	picket__layer__init(l);
	l->packages = arena_zalloc(mk->a, packages + 1, sizeof(*l->packages));
	if (!l->packages)
		return full(mk);
	l->size_bytes = mk->m->layers[i].bytes;
	if (i < meta->layer_count) {
		l->diff_id = meta->layers[i].diff_id;
		l->digest = meta->layers[i].digest;
		l->created_by = meta->layers[i].created_by;
	}
	*ret = l;
	return 0;
}

static int make_layers(struct making *mk, const struct meta *meta, Picket__Inventory *inv)
{
	size_t counts[LIMIT_LAYERS] = { 0 };
	int r = 0;

	if (mk->m->layer_count > LIMIT_LAYERS)
		return err_set(mk->err, ERR_LIMIT, "more than %d layers", LIMIT_LAYERS);
	inv->layers = arena_zalloc(mk->a, mk->m->layer_count + 1, sizeof(*inv->layers));
	if (!inv->layers)
		return full(mk);
	(void)count_packages(mk->m, counts);
	for (size_t i = 0; r >= 0 && i < mk->m->layer_count; i++) {
		r = make_layer(mk, meta, i, counts[i], &inv->layers[i]);
		inv->n_layers += r >= 0;
		inv->size_bytes += mk->m->layers[i].bytes;
	}
	for (size_t i = 0; r >= 0 && i < mk->m->file_count; i++)
		r = fill_file(mk, &mk->m->files[i], inv->layers);
	for (size_t i = 0; r >= 0 && i < inv->n_layers; i++)
		r = settle_layer(mk, inv->layers[i]);
	return r;
}

/* ---- the rest ---- */

static int make_os(struct making *mk, Picket__Inventory *inv)
{
	/* etc/ as the image's owner has it; usr/lib/ as its distribution brought it. */
	const struct buf *text_of = mk->m->os_release[0].n ? &mk->m->os_release[0] : &mk->m->os_release[1];
	struct pkg_os_release o;
	struct err why;

	if (!text_of->n)
		return 0;
	if (pkg_os_release_parse(buf_slice(text_of), &o, &why) < 0)
		return 0;
	Picket__OsRelease *p = arena_alloc(mk->a, sizeof(*p));
	if (!p)
		return full(mk);
	picket__os_release__init(p);
	p->id = meta_text(mk->a, o.id, LIMIT_NAME_BYTES);
	p->version_id = meta_text(mk->a, o.version_id, LIMIT_NAME_BYTES);
	p->codename = meta_text(mk->a, o.codename, LIMIT_NAME_BYTES);
	p->id_like = meta_text(mk->a, o.id_like, LIMIT_NAME_BYTES);
	p->pretty_name = meta_text(mk->a, o.pretty_name, LIMIT_NAME_BYTES);
	if (!p->id || !p->version_id || !p->codename || !p->id_like || !p->pretty_name)
		return full(mk);
	inv->os = p;
	return 0;
}

static int make_setids(struct making *mk, Picket__ImageConfig *c)
{
	c->setid_files = arena_zalloc(mk->a, mk->m->setid_count + 1, sizeof(*c->setid_files));
	if (!c->setid_files)
		return full(mk);
	for (size_t i = 0; i < mk->m->setid_count; i++) {
		const struct facts_setid *s = &mk->m->setids[i];
		struct slice path = slice_of(s->path);
		Picket__SetidFile *f = arena_alloc(mk->a, sizeof(*f));
		struct owners_package owner;

		if (!f)
			return full(mk);
		picket__setid_file__init(f);
		f->path = (ProtobufCBinaryData){ path.n, (uint8_t *)arena_dup(mk->a, path) };
		f->mode = s->mode;
		f->uid = s->uid;
		f->gid = s->gid;
		f->package = owners_find(mk->owners, path, &owner) ? arena_dup(mk->a, owner.name) : meta_none;
		if (!f->path.data || !f->package)
			return full(mk);
		c->setid_files[c->n_setid_files++] = f;
	}
	return 0;
}

static int make_roots(struct making *mk, Picket__ImageConfig *c)
{
	struct slice rest = buf_slice(&mk->m->passwd), line;

	c->has_passwd = rest.n;
	c->uid0_users = arena_zalloc(mk->a, PASSWD_ROOTS, sizeof(*c->uid0_users));
	if (!c->uid0_users)
		return full(mk);
	while (c->n_uid0_users < PASSWD_ROOTS && slice_split(&rest, '\n', &line)) {
		if (!line.n)
			continue;
		char *p = meta_text(mk->a, line, LIMIT_NAME_BYTES);
		if (!p)
			return full(mk);
		c->uid0_users[c->n_uid0_users++] = p;
	}
	return 0;
}

static int make_problems(struct making *mk, Picket__Inventory *inv)
{
	struct slice rest = buf_slice(&mk->m->problems), line;

	inv->problems = arena_zalloc(mk->a, mk->m->problem_count + 1, sizeof(*inv->problems));
	if (!inv->problems)
		return full(mk);
	while (inv->n_problems < mk->m->problem_count && slice_split(&rest, '\n', &line) && line.n) {
		char *p = meta_text(mk->a, line, LIMIT_TEXT_BYTES);
		if (!p)
			return full(mk);
		inv->problems[inv->n_problems++] = p;
	}
	return 0;
}

/* Of what has no configuration: the digest over its layers' keys. */
static int make_id(struct making *mk, Picket__Inventory *inv)
{
	CLEANUP(buf_finip) struct buf keys = { 0 };
	char digest[72];

	if (*inv->image_id)
		return 0;
	buf_init(&keys, LIMIT_LAYERS * LIMIT_KEY_BYTES);
	for (size_t i = 0; i < inv->n_layers; i++)
		buf_add(&keys, inv->layers[i]->key.data, inv->layers[i]->key.len);
	int r = meta_digest(buf_slice(&keys), digest, mk->err);
	if (r < 0)
		return r;
	inv->image_id = arena_dup(mk->a, slice_of(digest));
	return inv->image_id ? 0 : full(mk);
}

int inventory_make(const struct inventory_input *in, struct arena *a, Picket__Inventory **ret,
		   struct owners **ret_owners, struct err *err)
{
	CLEANUP(owners_freep) struct owners *owners = NULL;
	struct making mk = { in->merged, NULL, a, err };
	Picket__Inventory *inv = arena_alloc(a, sizeof(*inv));

	if (!inv)
		return full(&mk);
	int r = inventory_owners(in->merged, &owners, err);
	if (r < 0)
		return r;
	mk.owners = owners;
	picket__inventory__init(inv);
	inv->image_id = in->meta->image_id;
	inv->arch = in->meta->arch;
	inv->os_type = in->meta->os_type;
	inv->created_unix_s = in->meta->created_unix_s;
	inv->config = in->meta->config;
	inv->kind = arena_dup(a, slice_of(in->kind));
	r = inv->kind ? make_layers(&mk, in->meta, inv) : full(&mk);
	if (r >= 0)
		r = make_os(&mk, inv);
	if (r >= 0)
		r = make_setids(&mk, inv->config);
	if (r >= 0)
		r = make_roots(&mk, inv->config);
	if (r >= 0)
		r = make_problems(&mk, inv);
	if (r >= 0)
		r = make_id(&mk, inv);
	if (r < 0)
		return r;
	*ret = inv;
	*ret_owners = take_ptr(owners);
	return 0;
}
