/* format_trivy.c - the report of `trivy image --format json` (SchemaVersion 2), so that the scripts people
 * have read ours unchanged. Their keys, their words, absent what they leave out. */
#include <ctype.h>

#include "agent/scan/format.h"
#include "agent/scan/kinds.h"
#include "agent/scan/os_names.h"

static void close_object(struct out *o)
{
	json_object_close(&o->json);
}

static void kv_strings(struct out *o, const char *key, char *const *list, size_t count)
{
	if (!count)
		return;
	json_kv_array(&o->json, key);
	for (size_t i = 0; i < count; i++)
		json_str(&o->json, slice_of(list[i]));
	json_array_close(&o->json);
}

static void kv_slices(struct out *o, const char *key, const struct slice *list, size_t count)
{
	if (!count)
		return;
	json_kv_array(&o->json, key);
	for (size_t i = 0; i < count; i++)
		json_str(&o->json, list[i]);
	json_array_close(&o->json);
}

/* ---- the image ---- */

static void write_diff_ids(const Picket__Inventory *inv, const char *key, struct out *o)
{
	if (!inv->n_layers || !inv->layers[0]->diff_id[0])
		return;
	json_kv_array(&o->json, key);
	for (size_t i = 0; i < inv->n_layers; i++)
		json_str(&o->json, slice_of(inv->layers[i]->diff_id));
	json_array_close(&o->json);
}

static void write_history(const Picket__ImageConfig *c, struct out *o)
{
	if (!c->n_history)
		return;
	json_kv_array(&o->json, "history");
	for (size_t i = 0; i < c->n_history; i++) {
		const Picket__HistoryStep *h = c->history[i];

		json_object_open(&o->json);
		out_kv_time(o, "created", h->created_unix_s);
		out_kv_str(o, "created_by", h->created_by);
		out_kv_str(o, "comment", h->comment);
		if (h->empty_layer)
			json_kv_bool(&o->json, "empty_layer", true);
		close_object(o);
	}
	json_array_close(&o->json);
}

/* {"80/tcp": {}} is how Docker writes a set. */
static void write_set(struct out *o, const char *key, char *const *list, size_t count)
{
	if (!count)
		return;
	json_kv_object(&o->json, key);
	for (size_t i = 0; i < count; i++) {
		json_kv_object(&o->json, list[i]);
		close_object(o);
	}
	close_object(o);
}

/* The values of the environment are not here: an inventory does not carry them, as they hold secrets. */
static void write_config(const Picket__ImageConfig *c, struct out *o)
{
	json_kv_object(&o->json, "config");
	out_kv_str(o, "User", c->user);
	write_set(o, "ExposedPorts", c->exposed_ports, c->n_exposed_ports);
	kv_strings(o, "Cmd", c->cmd, c->n_cmd);
	write_set(o, "Volumes", c->volumes, c->n_volumes);
	out_kv_str(o, "WorkingDir", c->working_dir);
	kv_strings(o, "Entrypoint", c->entrypoint, c->n_entrypoint);
	if (c->n_labels) {
		json_kv_object(&o->json, "Labels");
		for (size_t i = 0; i < c->n_labels; i++)
			json_kv_str(&o->json, c->labels[i]->key, c->labels[i]->value);
		close_object(o);
	}
	out_kv_str(o, "StopSignal", c->stop_signal);
	if (c->healthcheck && c->healthcheck->n_test) {
		json_kv_object(&o->json, "Healthcheck");
		kv_strings(o, "Test", c->healthcheck->test, c->healthcheck->n_test);
		if (c->healthcheck->interval_ns)
			json_kv_u64(&o->json, "Interval", c->healthcheck->interval_ns);
		close_object(o);
	}
	close_object(o);
}

static void write_image_config(const Picket__Inventory *inv, struct out *o)
{
	if (!inv->config || !inv->image_id[0])
		return;
	json_kv_object(&o->json, "ImageConfig");
	json_kv_str(&o->json, "architecture", inv->arch);
	out_kv_time(o, "created", inv->created_unix_s);
	write_history(inv->config, o);
	json_kv_str(&o->json, "os", inv->os_type);
	json_kv_object(&o->json, "rootfs");
	json_kv_str(&o->json, "type", "layers");
	write_diff_ids(inv, "diff_ids", o);
	close_object(o);
	write_config(inv->config, o);
	close_object(o);
}

static void write_metadata(const struct scan_result *r, struct out *o)
{
	const Picket__Inventory *inv = r->inventory;

	json_kv_object(&o->json, "Metadata");
	if (inv->size_bytes)
		json_kv_u64(&o->json, "Size", inv->size_bytes);
	if (inv->os && inv->os->id[0]) {
		json_kv_object(&o->json, "OS");
		json_kv_slice(&o->json, "Family", os_names_family(slice_of(inv->os->id)));
		json_kv_str(&o->json, "Name", inv->os->version_id);
		close_object(o);
	}
	out_kv_str(o, "ImageID", inv->image_id);
	write_diff_ids(inv, "DiffIDs", o);
	kv_strings(o, "RepoTags", inv->names, inv->n_names);
	kv_strings(o, "RepoDigests", inv->repo_digests, inv->n_repo_digests);
	write_image_config(inv, o);
	close_object(o);
}

/* ---- packages and findings ---- */

static void write_layer(const struct scan_result *r, size_t package, struct out *o)
{
	const Picket__Layer *l = r->inventory->layers[r->packages[package].layer];

	json_kv_object(&o->json, "Layer");
	out_kv_str(o, "Digest", l->digest);
	out_kv_str(o, "DiffID", l->diff_id);
	close_object(o);
}

static struct slice package_id(const Picket__Package *p, struct out *o)
{
	if (!strcmp(p->ecosystem, "rpm") && p->arch[0])
		return format_text(o, "%s@%s.%s", p->name, p->version, p->arch);
	return format_text(o, "%s@%s", p->name, p->version);
}

static void write_identifier(const struct scan_result *r, size_t package, const char *key, struct out *o)
{
	json_kv_object(&o->json, key);
	json_kv_slice(&o->json, "PURL", format_purl(r, package, o));
	close_object(o);
}

static void write_package(const struct scan_result *r, size_t i, struct out *o)
{
	const Picket__Package *p = r->packages[i].pkg;
	const struct kind *k = kind_of(p);
	struct json *j = &o->json;

	json_object_open(j);
	json_kv_slice(j, "ID", package_id(p, o));
	json_kv_str(j, "Name", p->name);
	write_identifier(r, i, "Identifier", o);
	json_kv_str(j, "Version", p->version);
	out_kv_str(o, "Arch", p->arch);
	if (kind_is_os(k)) {
		json_kv_str(j, "SrcName", p->source[0] ? p->source : p->name);
		json_kv_str(j, "SrcVersion", p->source_version[0] ? p->source_version : p->version);
	}
	if (p->is_dev)
		json_kv_bool(j, "Dev", true);
	write_layer(r, i, o);
	if (k->together)
		out_kv(o, "FilePath", format_path(p));
	json_object_close(j);
	buf_add_char(&o->text, '\n');
	out_flush(o);
}

/* "osv:npm" with a GitHub record is Trivy's "ghsa". */
static void write_source(const struct scan_vuln *v, const char *ecosystem, struct out *o)
{
	struct json *j = &o->json;

	json_kv_object(&o->json, "DataSource");
	if (slice_is(v->feed, "debian")) {
		json_kv_str(j, "ID", "debian");
		json_kv_str(j, "Name", "Debian Security Tracker");
		json_kv_str(j, "URL", "https://salsa.debian.org/security-tracker-team/security-tracker");
	} else if (slice_is(v->feed, "alpine")) {
		json_kv_str(j, "ID", "alpine");
		json_kv_str(j, "Name", "Alpine Secdb");
		json_kv_str(j, "URL", "https://secdb.alpinelinux.org/");
	} else if (slice_starts(v->record, SLICE_LIT("GHSA-"))) {
		json_kv_str(j, "ID", "ghsa");
		json_kv_slice(j, "Name", format_text(o, "GitHub Security Advisory %s", ecosystem));
		json_kv_slice(j, "URL",
			      format_text(o, "https://github.com/advisories?query=type%%3Areviewed+ecosystem%%3A%s",
					  ecosystem));
	} else {
		json_kv_slice(j, "ID", v->feed);
		json_kv_slice(j, "Name", v->feed);
		json_kv_str(j, "URL", "https://osv.dev");
	}
	close_object(o);
}

static void write_cvss(const struct scan_finding *f, struct out *o)
{
	struct slice vector = f->cvss_vector;
	const char *version = "V2";

	if (f->cvss <= 0)
		return;
	if (slice_starts(vector, SLICE_LIT("CVSS:4")))
		version = "V40";
	else if (slice_starts(vector, SLICE_LIT("CVSS:3")))
		version = "V3";
	json_kv_object(&o->json, "CVSS");
	json_kv_object(&o->json, slice_starts(f->vuln->record, SLICE_LIT("GHSA-")) ? "ghsa" : "nvd");
	if (vector.n)
		json_kv_slice(&o->json, format_text(o, "%sVector", version).p, vector);
	json_key(&o->json, format_text(o, "%sScore", version).p);
	json_f64(&o->json, f->cvss);
	close_object(o);
	close_object(o);
}

static struct slice upper(const char *word, struct out *o)
{
	struct slice s = format_text(o, "%s", word);

	for (size_t i = 0; i < s.n; i++)
		((char *)(uintptr_t)s.p)[i] = (char)toupper((unsigned char)s.p[i]);
	return s;
}

/* Debian's own advisories (DSA-…) and the like; the CVE itself is none. */
static void write_vendor_ids(const struct scan_vuln *v, struct out *o)
{
	if (!slice_eq(v->record, v->id))
		kv_slices(o, "VendorIDs", &v->record, 1);
}

static void write_about(const struct scan_finding *f, const Picket__Package *p, struct out *o)
{
	const struct scan_vuln *v = f->vuln;
	char url[512];

	out_kv(o, "SeveritySource", f->severity_source);
	out_kv_str(o, "PrimaryURL", scan_primary_url(v, url, sizeof(url)));
	write_source(v, p->ecosystem, o);
	out_kv(o, "Title", v->title);
	out_kv(o, "Description", v->description);
	json_kv_slice(&o->json, "Severity", upper(f->severity == VULN_NONE ? "unknown" : vuln_severity_name(f->severity), o));
	write_cvss(f, o);
	kv_slices(o, "References", v->urls, v->url_count);
	out_kv_time(o, "PublishedDate", v->published_unix_s);
	out_kv_time(o, "LastModifiedDate", v->modified_unix_s);
}

static void write_finding(const struct scan_result *r, const struct scan_finding *f, struct out *o)
{
	const Picket__Package *p = r->packages[f->package].pkg;
	const struct kind *k = kind_of(p);
	struct json *j = &o->json;

	json_object_open(j);
	json_kv_slice(j, "VulnerabilityID", f->vuln->id);
	write_vendor_ids(f->vuln, o);
	json_kv_slice(j, "PkgID", package_id(p, o));
	json_kv_str(j, "PkgName", p->name);
	if (k->together)
		out_kv(o, "PkgPath", format_path(p));
	write_identifier(r, f->package, "PkgIdentifier", o);
	json_kv_str(j, "InstalledVersion", p->version);
	out_kv(o, "FixedVersion", f->fixed);
	json_kv_str(j, "Status", vuln_status_name(f->status));
	write_layer(r, f->package, o);
	write_about(f, p, o);
	json_object_close(j);
}

/* ---- results ---- */

static void write_findings(const struct scan_result *r, const struct groups *g, size_t group, struct out *o)
{
	bool any = false;

	for (size_t i = 0; i < r->counting; i++) {
		if (g->group_of[r->findings[i].package] != group)
			continue;
		if (!any) {
			json_kv_array(&o->json, "Vulnerabilities");
			any = true;
		}
		write_finding(r, &r->findings[i], o);
		buf_add_char(&o->text, '\n');
		out_flush(o);
	}
	if (any)
		json_array_close(&o->json);
}

/* What an ignore file or VEX took away: Trivy's name for it, and always here. */
static void write_modified(const struct scan_result *r, const struct groups *g, size_t group, struct out *o)
{
	bool any = false;

	for (size_t i = r->counting; i < r->finding_count; i++) {
		const struct scan_finding *f = &r->findings[i];

		if (g->group_of[f->package] != group)
			continue;
		if (!any) {
			json_kv_array(&o->json, "ExperimentalModifiedFindings");
			any = true;
		}
		json_object_open(&o->json);
		json_kv_str(&o->json, "Type", "vulnerability");
		json_kv_slice(&o->json, "Status", f->hush_state);
		json_kv_slice(&o->json, "Statement", f->hush_why);
		json_kv_slice(&o->json, "Source", f->hush_source);
		json_key(&o->json, "Finding");
		write_finding(r, f, o);
		json_object_close(&o->json);
		buf_add_char(&o->text, '\n');
		out_flush(o);
	}
	if (any)
		json_array_close(&o->json);
}

static bool has_finding(const struct scan_result *r, const struct groups *g, size_t group)
{
	for (size_t i = 0; i < r->finding_count; i++) {
		if (g->group_of[r->findings[i].package] == group)
			return true;
	}
	return false;
}

/* Trivy says how a target is reached by options, we by a prefix. */
static const char *artifact_name(const char *target)
{
	static const char *const prefixes[] = { "docker-archive:", "oci:",	"oci-archive:", "dir:",
						"registry:",	   "container:", "sbom:" };

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		size_t n = strlen(prefixes[i]);

		if (!strncmp(target, prefixes[i], n))
			return target + n;
	}
	return target;
}

static void write_class(const struct scan_result *r, const struct group *g, struct out *o)
{
	const Picket__OsRelease *os = r->inventory->os;
	struct slice family = os ? os_names_family(slice_of(os->id)) : SLICE_NONE;

	if (!kind_is_os(g->kind)) {
		json_kv_slice(&o->json, "Target", g->target);
		json_kv_str(&o->json, "Class", "lang-pkgs");
		json_kv_str(&o->json, "Type", g->kind->type);
		return;
	}
	json_kv_slice(&o->json, "Target",
		      os ? format_text(o, "%s (%.*s %s)", artifact_name(r->target), SLICE_FMT(family),
				       os->version_id)
			 : slice_of(artifact_name(r->target)));
	json_kv_str(&o->json, "Class", "os-pkgs");
	if (family.n)
		json_kv_slice(&o->json, "Type", family);
	else
		json_kv_str(&o->json, "Type", g->kind->ecosystem);
}

/* Trivy leaves out what has nothing to say but the operating system. */
static void write_result(const struct scan_result *r, const struct format_options *opts, const struct groups *g,
			 size_t group, struct out *o)
{
	const struct group *x = &g->groups[group];

	if (!kind_is_os(x->kind) && !opts->list_packages && !has_finding(r, g, group))
		return;
	json_object_open(&o->json);
	write_class(r, x, o);
	if (opts->list_packages) {
		json_kv_array(&o->json, "Packages");
		for (size_t i = 0; i < x->count; i++)
			write_package(r, g->order[x->first + i], o);
		json_array_close(&o->json);
	}
	write_findings(r, g, group, o);
	write_modified(r, g, group, o);
	json_object_close(&o->json);
}

static const char *artifact_type(const struct scan_result *r)
{
	const char *kind = r->inventory->kind;

	if (!strcmp(kind, "directory"))
		return "filesystem";
	if (!strcmp(kind, "sbom"))
		return slice_starts(r->document_format, SLICE_LIT("SPDX")) ? "spdx" : "cyclonedx";
	return "container_image";
}

int format_trivy(const struct scan_result *r, const struct format_options *opts, struct out *o, struct err *err)
{
	struct json *j = &o->json;
	struct groups g = { 0 };
	int e = groups_of(r, &g, err);

	if (e < 0)
		return e;
	json_object_open(j);
	json_kv_u64(j, "SchemaVersion", 2);
	out_kv_time(o, "CreatedAt", r->now_unix_s);
	json_kv_str(j, "ArtifactName", artifact_name(r->target));
	json_kv_str(j, "ArtifactType", artifact_type(r));
	write_metadata(r, o);
	json_kv_array(j, "Results");
	for (size_t i = 0; i < g.count; i++)
		write_result(r, opts, &g, i, o);
	json_array_close(j);
	json_object_close(j);
	buf_add_char(&o->text, '\n');
	return out_end(o, err);
}
