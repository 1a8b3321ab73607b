/* format_cdx.c - CycloneDX 1.6: the inventory as components; its vulnerabilities are in format_cdx_vuln.c.
 * What our own reader needs to give the same findings again is in properties named as Trivy's are. */
#include "agent/scan/format_cdx.h"

#include "agent/scan/purl.h"

static void property(struct out *o, const char *name, struct slice value)
{
	if (!value.n)
		return;
	json_object_open(&o->json);
	json_kv_slice(&o->json, "name", format_text(o, "picket:%s", name));
	json_kv_slice(&o->json, "value", value);
	json_object_close(&o->json);
}

/* ---- references ---- */

struct hashed {
	uint64_t hash;
	uint32_t package;
};

static int compare(const void *x, const void *y)
{
	const struct hashed *a = x, *b = y;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return (a->package > b->package) - (a->package < b->package);
}

/* The same package at two places has one purl: the later ones get a number behind it. */
static int find_doubles(const struct scan_result *r, struct cdx *c, struct err *err)
{
	CLEANUP(freep) struct hashed *all = calloc(r->package_count + 1, sizeof(*all));

	c->is_double = arena_zalloc(r->arena, r->package_count + 1, 1);
	if (!all || !c->is_double)
		return err_set(err, ERR_LIMIT, "no room for %zu packages", r->package_count);
	for (size_t i = 0; i < r->package_count; i++) {
		arena_reset(c->o->scratch);
		all[i] = (struct hashed){ slice_hash(format_purl(r, i, c->o)), (uint32_t)i };
	}
	if (r->package_count)
		qsort(all, r->package_count, sizeof(*all), compare);
	for (size_t i = 1; i < r->package_count; i++)
		c->is_double[all[i].package] = all[i].hash == all[i - 1].hash;
	return 0;
}

struct slice cdx_ref(const struct cdx *c, size_t package)
{
	struct slice purl = format_purl(c->r, package, c->o);

	return c->is_double[package] ? format_text(c->o, "%.*s#%zu", SLICE_FMT(purl), package) : purl;
}

/* ---- components ---- */

/* A Maven group, npm scope or composer vendor has a field of its own. */
static void write_name(const Picket__Package *p, struct out *o)
{
	struct slice name = slice_of(p->name);
	bool maven = !strcmp(p->ecosystem, "maven");
	ptrdiff_t at = -1;

	if (maven || !strcmp(p->ecosystem, "npm") || !strcmp(p->ecosystem, "composer"))
		at = slice_find_char(name, maven ? ':' : '/');
	if (at > 0) {
		json_kv_slice(&o->json, "group", slice_sub(name, 0, (size_t)at));
		name = slice_sub(name, (size_t)at + 1, name.n);
	}
	json_kv_slice(&o->json, "name", name);
}

static void write_component(const struct cdx *c, size_t i)
{
	const struct scan_result *r = c->r;
	const Picket__Package *p = r->packages[i].pkg;
	const Picket__Layer *l = r->inventory->layers[r->packages[i].layer];
	struct out *o = c->o;
	struct json *j = &o->json;

	json_object_open(j);
	json_kv_str(j, "type", "library");
	json_kv_slice(j, "bom-ref", cdx_ref(c, i));
	write_name(p, o);
	json_kv_str(j, "version", p->version);
	json_kv_slice(j, "purl", format_purl(r, i, o));
	json_kv_array(&o->json, "properties");
	property(o, "SrcName", slice_of(p->source));
	property(o, "SrcVersion", slice_of(p->source_version));
	if (!purl_is_os(slice_of(p->ecosystem)))
		property(o, "Arch", slice_of(p->arch));
	property(o, "FilePath", format_path(p));
	property(o, "Owner", slice_of(p->owner));
	if (p->is_dev)
		property(o, "Development", SLICE_LIT("true"));
	property(o, "LayerDiffID", slice_of(l->diff_id));
	property(o, "LayerDigest", slice_of(l->digest));
	json_array_close(j);
	json_object_close(j);
	buf_add_char(&o->text, '\n');
	out_flush(o);
}

static void write_os(const struct cdx *c)
{
	const Picket__OsRelease *os = c->r->inventory->os;
	struct out *o = c->o;

	json_object_open(&o->json);
	json_kv_str(&o->json, "type", "operating-system");
	json_kv_str(&o->json, "bom-ref", CDX_OS_REF);
	json_kv_str(&o->json, "name", os->id);
	out_kv_str(o, "version", os->version_id);
	json_kv_array(&o->json, "properties");
	property(o, "Codename", slice_of(os->codename));
	property(o, "IDLike", slice_of(os->id_like));
	property(o, "PrettyName", slice_of(os->pretty_name));
	json_array_close(&o->json);
	json_object_close(&o->json);
	buf_add_char(&o->text, '\n');
}

static void write_dependencies(const struct cdx *c)
{
	const struct scan_result *r = c->r;
	struct json *j = &c->o->json;

	json_kv_array(&c->o->json, "dependencies");
	for (int os = 0; os <= c->has_os; os++) {
		json_object_open(j);
		json_kv_str(j, "ref", os ? CDX_OS_REF : CDX_ROOT_REF);
		json_kv_array(&c->o->json, "dependsOn");
		if (!os && c->has_os)
			json_str(j, SLICE_LIT(CDX_OS_REF));
		for (size_t i = 0; i < r->package_count; i++) {
			bool of_os = c->has_os && purl_is_os(slice_of(r->packages[i].pkg->ecosystem));

			if (of_os == os)
				json_str(j, cdx_ref(c, i));
			out_flush(c->o);
		}
		json_array_close(j);
		json_object_close(j);
		buf_add_char(&c->o->text, '\n');
	}
	json_array_close(j);
}

/* ---- the subject ---- */

/* "pkg:oci/web@sha256:…?arch=amd64&repository_url=registry/team/web"; empty for what no registry has. */
static struct slice image_purl(const struct cdx *c)
{
	const Picket__Inventory *inv = c->r->inventory;
	const char *at = inv->n_repo_digests ? strchr(inv->repo_digests[0], '@') : NULL;

	if (!at)
		return SLICE_NONE;
	struct slice repo = slice_from(inv->repo_digests[0], (size_t)(at - inv->repo_digests[0]));
	const char *slash = memrchr(repo.p, '/', repo.n);
	struct purl p = { .type = SLICE_LIT("oci"), .version = slice_of(at + 1), .name = repo };
	CLEANUP(buf_finip) struct buf text = { 0 };

	if (slash)
		p.name = slice_sub(repo, (size_t)(slash - repo.p) + 1, repo.n);
	p.qualifiers[p.qualifier_count++] = (struct purl_qualifier){ SLICE_LIT("repository_url"), repo };
	if (inv->arch[0])
		p.qualifiers[p.qualifier_count++] =
			(struct purl_qualifier){ SLICE_LIT("arch"), slice_of(inv->arch) };
	buf_init(&text, 0);
	purl_write(&p, &text);
	return format_text(c->o, "%.*s", SLICE_FMT(buf_slice(&text)));
}

static void write_subject(const struct cdx *c)
{
	const Picket__Inventory *inv = c->r->inventory;
	struct out *o = c->o;
	bool image = inv->image_id[0] && strcmp(inv->kind, "directory") != 0;

	json_kv_object(&o->json, "component");
	json_kv_str(&o->json, "type", image ? "container" : "application");
	json_kv_str(&o->json, "bom-ref", CDX_ROOT_REF);
	json_kv_str(&o->json, "name", c->r->target);
	out_kv(o, "version", image ? scan_digest(c->r) : SLICE_NONE);
	out_kv(o, "purl", image_purl(c));
	json_kv_array(&o->json, "properties");
	property(o, "ImageID", slice_of(inv->image_id));
	for (size_t i = 0; i < inv->n_layers; i++)
		property(o, "DiffID", slice_of(inv->layers[i]->diff_id));
	for (size_t i = 0; i < inv->n_names; i++)
		property(o, "RepoTag", slice_of(inv->names[i]));
	for (size_t i = 0; i < inv->n_repo_digests; i++)
		property(o, "RepoDigest", slice_of(inv->repo_digests[i]));
	json_array_close(&o->json);
	json_object_close(&o->json);
}

static void write_metadata(const struct cdx *c)
{
	struct out *o = c->o;
	struct json *j = &o->json;

	json_kv_object(&o->json, "metadata");
	out_kv_time(o, "timestamp", c->r->now_unix_s);
	json_kv_object(&o->json, "tools");
	json_kv_array(&o->json, "components");
	json_object_open(j);
	json_kv_str(j, "type", "application");
	json_kv_str(j, "name", "picket-agent");
	json_kv_str(j, "version", PICKET_VERSION);
	json_object_close(j);
	json_array_close(j);
	json_object_close(j);
	write_subject(c);
	json_object_close(j);
	buf_add_char(&o->text, '\n');
}

int format_cyclonedx(const struct scan_result *r, const struct format_options *opts, struct out *o,
		     struct err *err)
{
	struct json *j = &o->json;
	struct cdx c = { .r = r, .o = o, .has_os = r->inventory->os && r->inventory->os->id[0] };
	int e = find_doubles(r, &c, err);

	if (e < 0)
		return e;
	json_object_open(j);
	json_kv_str(j, "$schema", "http://cyclonedx.org/schema/bom-1.6.schema.json");
	json_kv_str(j, "bomFormat", "CycloneDX");
	json_kv_str(j, "specVersion", "1.6");
	json_kv_slice(j, "serialNumber", format_text(o, "urn:uuid:%s", r->uuid));
	json_kv_u64(j, "version", 1);
	write_metadata(&c);
	json_kv_array(&o->json, "components");
	if (c.has_os)
		write_os(&c);
	for (size_t i = 0; i < r->package_count; i++)
		write_component(&c, i);
	json_array_close(j);
	write_dependencies(&c);
	if (r->has_database) {
		e = cdx_vulnerabilities(&c, err);
		if (e < 0)
			return e;
	}
	json_object_close(j);
	buf_add_char(&o->text, '\n');
	return out_end(o, err);
}
