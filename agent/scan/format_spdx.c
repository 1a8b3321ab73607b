/* format_spdx.c - SPDX 2.3 as JSON. What our own reader needs beyond the package URLs stands in
 * attributionTexts, named as Trivy names it. */
#include "agent/scan/format.h"
#include "agent/scan/purl.h"

#define ROOT_ID "SPDXRef-Root"
#define OS_ID "SPDXRef-OperatingSystem"

static void attribution(struct out *o, const char *name, struct slice value)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	if (!value.n)
		return;
	buf_init(&text, 0);
	buf_printf(&text, "%s: ", name);
	buf_add_slice(&text, value);
	json_str(&o->json, buf_slice(&text));
}

static void begin_package(struct out *o, struct slice id, const char *name, const char *version,
			  const char *purpose)
{
	struct json *j = &o->json;

	json_object_open(j);
	json_kv_slice(j, "SPDXID", id);
	json_kv_str(j, "name", name);
	out_kv_str(o, "versionInfo", version);
	json_kv_str(j, "primaryPackagePurpose", purpose);
	json_kv_str(j, "downloadLocation", "NOASSERTION");
	json_kv_bool(j, "filesAnalyzed", false);
	json_kv_str(j, "licenseConcluded", "NOASSERTION");
	json_kv_str(j, "licenseDeclared", "NOASSERTION");
	json_kv_str(j, "copyrightText", "NOASSERTION");
}

static void end_package(struct out *o)
{
	json_object_close(&o->json);
	buf_add_char(&o->text, '\n');
	out_flush(o);
}

static void write_root(const struct scan_result *r, struct out *o)
{
	const Picket__Inventory *inv = r->inventory;
	bool image = inv->image_id[0] && strcmp(inv->kind, "directory") != 0;

	begin_package(o, SLICE_LIT(ROOT_ID), r->target[0] ? r->target : "sbom", NULL,
		      image ? "CONTAINER" : "APPLICATION");
	json_kv_array(&o->json, "attributionTexts");
	attribution(o, "ImageID", slice_of(inv->image_id));
	for (size_t i = 0; i < inv->n_layers; i++)
		attribution(o, "DiffID", slice_of(inv->layers[i]->diff_id));
	for (size_t i = 0; i < inv->n_names; i++)
		attribution(o, "RepoTag", slice_of(inv->names[i]));
	for (size_t i = 0; i < inv->n_repo_digests; i++)
		attribution(o, "RepoDigest", slice_of(inv->repo_digests[i]));
	json_array_close(&o->json);
	end_package(o);
}

static void write_os(const Picket__OsRelease *os, struct out *o)
{
	begin_package(o, SLICE_LIT(OS_ID), os->id, os->version_id, "OPERATING-SYSTEM");
	json_kv_array(&o->json, "attributionTexts");
	attribution(o, "Codename", slice_of(os->codename));
	attribution(o, "IDLike", slice_of(os->id_like));
	attribution(o, "PrettyName", slice_of(os->pretty_name));
	json_array_close(&o->json);
	end_package(o);
}

static void reference(struct out *o, const char *category, const char *type, struct slice locator,
		      struct slice comment)
{
	json_object_open(&o->json);
	json_kv_str(&o->json, "referenceCategory", category);
	json_kv_str(&o->json, "referenceType", type);
	json_kv_slice(&o->json, "referenceLocator", locator);
	out_kv(o, "comment", comment);
	json_object_close(&o->json);
}

/* findings: heads and links of chains by package, 0 = none, else index + 1. */
static void write_references(const struct scan_result *r, size_t i, const uint32_t *heads, const uint32_t *links,
			     struct out *o)
{
	char url[512];

	json_kv_array(&o->json, "externalRefs");
	reference(o, "PACKAGE-MANAGER", "purl", format_purl(r, i, o), SLICE_NONE);
	for (uint32_t at = heads[i]; at; at = links[at - 1]) {
		const struct scan_finding *f = &r->findings[at - 1];

		scan_primary_url(f->vuln, url, sizeof(url));
		if (!f->hush && url[0])
			reference(o, "SECURITY", "advisory", slice_of(url), f->vuln->id);
	}
	json_array_close(&o->json);
}

static void write_package(const struct scan_result *r, size_t i, const uint32_t *heads, const uint32_t *links,
			  struct out *o)
{
	const Picket__Package *p = r->packages[i].pkg;
	const Picket__Layer *l = r->inventory->layers[r->packages[i].layer];
	const char *source = p->source[0] ? p->source : p->name;
	const char *version = p->source_version[0] ? p->source_version : p->version;
	bool is_os = purl_is_os(slice_of(p->ecosystem));

	begin_package(o, format_text(o, "SPDXRef-Package-%zu", i + 1), p->name, p->version, "LIBRARY");
	if (is_os)
		json_kv_slice(&o->json, "sourceInfo",
			      format_text(o, "built package from: %s %s", source, version));
	write_references(r, i, heads, links, o);
	json_kv_array(&o->json, "attributionTexts");
	attribution(o, "SrcName", slice_of(p->source));
	attribution(o, "SrcVersion", slice_of(p->source_version));
	if (!is_os)
		attribution(o, "Arch", slice_of(p->arch));
	attribution(o, "FilePath", format_path(p));
	attribution(o, "Owner", slice_of(p->owner));
	if (p->is_dev)
		attribution(o, "Development", SLICE_LIT("true"));
	attribution(o, "LayerDiffID", slice_of(l->diff_id));
	attribution(o, "LayerDigest", slice_of(l->digest));
	json_array_close(&o->json);
	end_package(o);
}

static void relate(struct out *o, struct slice from, const char *type, struct slice to)
{
	json_object_open(&o->json);
	json_kv_slice(&o->json, "spdxElementId", from);
	json_kv_str(&o->json, "relationshipType", type);
	json_kv_slice(&o->json, "relatedSpdxElement", to);
	json_object_close(&o->json);
	buf_add_char(&o->text, '\n');
	out_flush(o);
}

static void write_relationships(const struct scan_result *r, bool has_os, struct out *o)
{
	json_kv_array(&o->json, "relationships");
	relate(o, SLICE_LIT("SPDXRef-DOCUMENT"), "DESCRIBES", SLICE_LIT(ROOT_ID));
	if (has_os)
		relate(o, SLICE_LIT(ROOT_ID), "CONTAINS", SLICE_LIT(OS_ID));
	for (size_t i = 0; i < r->package_count; i++) {
		bool of_os = has_os && purl_is_os(slice_of(r->packages[i].pkg->ecosystem));

		relate(o, of_os ? SLICE_LIT(OS_ID) : SLICE_LIT(ROOT_ID), "CONTAINS",
		       format_text(o, "SPDXRef-Package-%zu", i + 1));
	}
	json_array_close(&o->json);
}

static void write_head(const struct scan_result *r, struct out *o)
{
	struct json *j = &o->json;

	json_kv_str(j, "spdxVersion", "SPDX-2.3");
	json_kv_str(j, "dataLicense", "CC0-1.0");
	json_kv_str(j, "SPDXID", "SPDXRef-DOCUMENT");
	json_kv_str(j, "name", r->target[0] ? r->target : "sbom");
	json_kv_slice(j, "documentNamespace", format_text(o, "https://spdx.org/spdxdocs/picket-%s", r->uuid));
	json_kv_object(j, "creationInfo");
	out_kv_time(o, "created", r->now_unix_s);
	json_kv_array(&o->json, "creators");
	json_str(j, SLICE_LIT("Tool: picket-agent-" PICKET_VERSION));
	json_array_close(j);
	json_object_close(j);
	buf_add_char(&o->text, '\n');
}

int format_spdx(const struct scan_result *r, const struct format_options *opts, struct out *o, struct err *err)
{
	bool has_os = r->inventory->os && r->inventory->os->id[0];
	CLEANUP(freep) uint32_t *heads = calloc(r->package_count + 1, sizeof(*heads));
	CLEANUP(freep) uint32_t *links = calloc(r->finding_count + 1, sizeof(*links));

	if (!heads || !links)
		return err_set(err, ERR_LIMIT, "no room for %zu packages", r->package_count);
	for (size_t i = r->finding_count; i-- > 0;) {
		links[i] = heads[r->findings[i].package];
		heads[r->findings[i].package] = (uint32_t)i + 1;
	}
	json_object_open(&o->json);
	write_head(r, o);
	json_kv_array(&o->json, "packages");
	write_root(r, o);
	if (has_os)
		write_os(r->inventory->os, o);
	for (size_t i = 0; i < r->package_count; i++)
		write_package(r, i, heads, links, o);
	json_array_close(&o->json);
	write_relationships(r, has_os, o);
	json_object_close(&o->json);
	buf_add_char(&o->text, '\n');
	return out_end(o, err);
}
