/* format_json.c - the contract's `scan` object: scripts rely on its fields; more stand beside them. One
 * element a line, so that two results can be compared line by line. */
#include "agent/scan/format.h"

static void kv_or_null(struct out *o, const char *key, struct slice s)
{
	json_key(&o->json, key);
	if (s.n)
		json_str(&o->json, s);
	else
		json_null(&o->json);
}

static void kv_number(struct out *o, const char *key, double v, bool is_there)
{
	json_key(&o->json, key);
	if (is_there)
		json_f64(&o->json, v);
	else
		json_null(&o->json);
}

static void kv_list(struct out *o, const char *key, const struct slice *list, size_t count)
{
	json_kv_array(&o->json, key);
	for (size_t i = 0; i < count; i++)
		json_str(&o->json, list[i]);
	json_array_close(&o->json);
}

static void element_end(struct out *o)
{
	json_object_close(&o->json);
	buf_add_char(&o->text, '\n');
	out_flush(o);
}

static void write_package(const struct scan_result *r, size_t i, struct out *o)
{
	const Picket__Package *p = r->packages[i].pkg;
	struct json *j = &o->json;

	json_object_open(j);
	json_kv_str(j, "name", p->name);
	json_kv_str(j, "version", p->version);
	kv_or_null(o, "arch", slice_of(p->arch));
	kv_or_null(o, "source", slice_of(p->source[0] ? p->source : p->name));
	kv_or_null(o, "source_version", slice_of(p->source_version[0] ? p->source_version : p->version));
	json_kv_str(j, "ecosystem", p->ecosystem);
	kv_or_null(o, "path", format_path(p));
	kv_or_null(o, "layer", slice_of(scan_diff_id(r, i)));
	json_kv_slice(j, "purl", format_purl(r, i, o));
	out_kv_str(o, "owner", p->owner);
	if (p->is_dev)
		json_kv_bool(j, "dev", true);
	element_end(o);
}

/* Who says that it does not count. */
static void write_hush(const struct scan_finding *f, struct out *o)
{
	struct json *j = &o->json;

	json_kv_object(j, "suppressed");
	json_kv_str(j, "by", f->hush == SCAN_VEX ? "vex" : "ignore-file");
	json_kv_slice(j, "state", f->hush_state);
	kv_or_null(o, "reason", f->hush_why);
	kv_or_null(o, "until", f->hush_until);
	json_kv_slice(j, "source", f->hush_source);
	json_object_close(j);
}

static void write_kev(const struct scan_vuln *v, struct out *o)
{
	json_kv_bool(&o->json, "kev", v->kev);
	if (!v->kev)
		return;
	out_kv(o, "kev_added", v->kev_added);
	out_kv(o, "kev_due", v->kev_due);
	json_kv_bool(&o->json, "kev_ransomware", v->kev_ransomware);
}

/* Where the word comes from and what was compared: the result carries its proof. */
static void write_proof(const struct scan_finding *f, struct out *o)
{
	const struct scan_vuln *v = f->vuln;

	out_kv(o, "status_note", f->status_note);
	json_kv_slice(&o->json, "record", v->record);
	json_kv_slice(&o->json, "feed", v->feed);
	out_kv(o, "range", f->range);
	json_kv_str(&o->json, "scheme", version_scheme_name(f->scheme));
	out_kv_time(o, "published", v->published_unix_s);
	out_kv_time(o, "modified", v->modified_unix_s);
}

static void write_finding(const struct scan_result *r, const struct scan_finding *f, struct out *o)
{
	const struct scan_vuln *v = f->vuln;
	const Picket__Package *p = r->packages[f->package].pkg;
	struct json *j = &o->json;
	char url[512];

	json_object_open(j);
	json_kv_slice(j, "id", v->id);
	kv_list(o, "aliases", v->aliases, v->alias_count);
	json_kv_str(j, "package", p->name);
	json_kv_str(j, "ecosystem", p->ecosystem);
	json_kv_str(j, "installed", p->version);
	kv_or_null(o, "fixed", f->fixed);
	json_kv_str(j, "severity", vuln_severity_name(f->severity));
	out_kv(o, "severity_source", f->severity_source);
	kv_number(o, "score", f->cvss, f->cvss > 0);
	out_kv(o, "cvss_vector", f->cvss_vector);
	kv_number(o, "epss", v->epss, v->epss >= 0);
	kv_number(o, "epss_percentile", v->epss_percentile, v->epss_percentile >= 0);
	write_kev(v, o);
	json_kv_slice(j, "title", v->title);
	out_kv(o, "description", v->description);
	json_kv_str(j, "url", scan_primary_url(v, url, sizeof(url)));
	kv_list(o, "urls", v->urls, v->url_count);
	kv_or_null(o, "layer", slice_of(scan_diff_id(r, f->package)));
	kv_or_null(o, "path", format_path(p));
	json_kv_slice(j, "purl", format_purl(r, f->package, o));
	json_kv_str(j, "status", vuln_status_name(f->status));
	write_proof(f, o);
	if (f->hush)
		write_hush(f, o);
	element_end(o);
}

static void write_summary(const struct scan_summary *s, struct out *o)
{
	struct json *j = &o->json;

	json_kv_object(j, "summary");
	for (int i = VULN_CRITICAL; i > VULN_NONE; i--)
		json_kv_u64(j, vuln_severity_name((enum vuln_severity)i), s->by_severity[i]);
	json_kv_u64(j, "unknown", s->by_severity[VULN_UNKNOWN]);
	if (s->by_severity[VULN_NONE])
		json_kv_u64(j, "none", s->by_severity[VULN_NONE]);
	json_kv_u64(j, "total", s->total);
	json_kv_u64(j, "fixable", s->fixable);
	json_kv_u64(j, "kev", s->kev);
	json_kv_u64(j, "suppressed", s->suppressed);
	json_object_close(j);
}

static void write_os(const Picket__OsRelease *os, struct out *o)
{
	json_key(&o->json, "os");
	if (!os || !os->id[0]) {
		json_null(&o->json);
		return;
	}
	json_object_open(&o->json);
	json_kv_str(&o->json, "id", os->id);
	json_kv_str(&o->json, "version", os->version_id);
	out_kv_str(o, "codename", os->codename);
	out_kv_str(o, "pretty_name", os->pretty_name);
	json_object_close(&o->json);
}

static void write_strings(const char *key, char *const *list, size_t count, struct out *o)
{
	json_kv_array(&o->json, key);
	for (size_t i = 0; i < count; i++)
		json_str(&o->json, slice_of(list[i]));
	json_array_close(&o->json);
}

static void write_layers(const Picket__Inventory *inv, struct out *o)
{
	struct json *j = &o->json;

	json_kv_array(j, "layers");
	for (size_t i = 0; i < inv->n_layers; i++) {
		const Picket__Layer *l = inv->layers[i];

		json_object_open(j);
		json_kv_str(j, "diff_id", l->diff_id);
		out_kv_str(o, "digest", l->digest);
		out_kv_str(o, "created_by", l->created_by);
		json_kv_u64(j, "packages", l->n_packages);
		element_end(o);
	}
	json_array_close(j);
}

static void write_head(const struct scan_result *r, struct out *o)
{
	const Picket__Inventory *inv = r->inventory;
	struct json *j = &o->json;

	json_kv_str(j, "target", r->target);
	kv_or_null(o, "digest", scan_digest(r));
	json_kv_str(j, "kind", inv->kind);
	kv_or_null(o, "image_id", slice_of(inv->image_id));
	write_strings("names", inv->names, inv->n_names, o);
	write_strings("repo_digests", inv->repo_digests, inv->n_repo_digests, o);
	kv_or_null(o, "arch", slice_of(inv->arch));
	out_kv_time(o, "time", r->now_unix_s);
	write_os(inv->os, o);
	json_key(j, "database");
	if (r->has_database) {
		json_object_open(j);
		out_kv_time(o, "imported", r->database_unix_s);
		json_object_close(j);
	} else {
		json_null(j);
	}
	buf_add_char(&o->text, '\n');
}

int format_json(const struct scan_result *r, const struct format_options *opts, struct out *o, struct err *err)
{
	struct json *j = &o->json;

	json_object_open(j);
	write_head(r, o);
	write_layers(r->inventory, o);
	json_kv_array(j, "packages");
	for (size_t i = 0; i < r->package_count; i++)
		write_package(r, i, o);
	json_array_close(j);
	json_kv_array(j, "vulnerabilities");
	for (size_t i = 0; i < r->counting; i++)
		write_finding(r, &r->findings[i], o);
	json_array_close(j);
	json_kv_array(j, "suppressed");
	for (size_t i = r->counting; i < r->finding_count; i++)
		write_finding(r, &r->findings[i], o);
	json_array_close(j);
	write_summary(&r->summary, o);
	write_strings("problems", r->inventory->problems, r->inventory->n_problems, o);
	write_strings("warnings", (char *const *)(uintptr_t)r->warnings, r->warning_count, o);
	json_object_close(j);
	buf_add_char(&o->text, '\n');
	return out_end(o, err);
}
