/* format_cdx_vuln.c - CycloneDX's vulnerabilities: each once, with the packages that have it; what VEX or an
 * ignore file says as its analysis. */
#include "agent/scan/format_cdx.h"

/* ---- which findings make one entry ---- */

struct entry {
	uint32_t rank; /* where this vulnerability comes first */
	uint32_t finding;
	const struct scan_finding *f;
};

static bool same(const struct entry *a, const struct entry *b)
{
	return a->rank == b->rank && a->f->hush == b->f->hush && slice_eq(a->f->hush_why, b->f->hush_why) &&
	       slice_eq(a->f->hush_source, b->f->hush_source);
}

static int compare(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;

	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (a->f->hush != b->f->hush)
		return a->f->hush < b->f->hush ? -1 : 1;
	struct slice s = a->f->hush_why, t = b->f->hush_why;
	int order = memcmp(s.p ? s.p : "", t.p ? t.p : "", s.n < t.n ? s.n : t.n);
	if (!order)
		order = (s.n > t.n) - (s.n < t.n);
	return order ? order : (a->finding > b->finding) - (a->finding < b->finding);
}

static struct entry *sorted(const struct scan_result *r)
{
	CLEANUP(freep) uint32_t *rank = calloc(r->vuln_count + 1, sizeof(*rank));
	struct entry *all = calloc(r->finding_count + 1, sizeof(*all));

	if (!rank || !all) {
		free(all);
		return NULL;
	}
	for (size_t i = 0; i < r->finding_count; i++) {
		const struct scan_finding *f = &r->findings[i];

		if (!rank[f->vuln->number])
			rank[f->vuln->number] = (uint32_t)i + 1;
		all[i] = (struct entry){ rank[f->vuln->number], (uint32_t)i, f };
	}
	if (r->finding_count)
		qsort(all, r->finding_count, sizeof(*all), compare);
	return all;
}

/* ---- one entry ---- */

static const char *method_of(struct slice vector)
{
	static const struct {
		const char *prefix, *method;
	} rows[] = {
		{ "CVSS:4", "CVSSv4" },
		{ "CVSS:3.1", "CVSSv31" },
		{ "CVSS:3", "CVSSv3" },
		{ "AV:", "CVSSv2" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (slice_starts(vector, slice_of(rows[i].prefix)))
			return rows[i].method;
	}
	return "other";
}

static const char *severity_of(double score)
{
	return score >= 9 ? "critical" : score >= 7 ? "high" : score >= 4 ? "medium" : score > 0 ? "low" : "none";
}

static void write_rating(struct out *o, struct slice source, double score, const char *severity,
			 const char *method, struct slice vector)
{
	json_object_open(&o->json);
	json_kv_object(&o->json, "source");
	json_kv_slice(&o->json, "name", source);
	json_object_close(&o->json);
	if (score > 0) {
		json_key(&o->json, "score");
		json_f64(&o->json, score);
	}
	out_kv_str(o, "severity", severity);
	out_kv_str(o, "method", method);
	out_kv(o, "vector", vector);
	json_object_close(&o->json);
}

/* The word that counts here, then the score it may or may not go by, then how likely an attack is. */
static void write_ratings(const struct scan_finding *f, struct out *o)
{
	struct slice source = f->severity_source.n ? f->severity_source : f->vuln->feed;

	json_kv_array(&o->json, "ratings");
	if (f->cvss <= 0 || !slice_is(source, "cvss"))
		write_rating(o, source, 0, vuln_severity_name(f->severity), NULL, SLICE_NONE);
	if (f->cvss > 0)
		write_rating(o, f->vuln->feed, f->cvss, severity_of(f->cvss), method_of(f->cvss_vector),
			     f->cvss_vector);
	if (f->vuln->epss >= 0)
		write_rating(o, SLICE_LIT("EPSS"), f->vuln->epss, NULL, "other", SLICE_NONE);
	json_array_close(&o->json);
}

static void write_aliases(const struct scan_vuln *v, struct out *o)
{
	if (!v->alias_count)
		return;
	json_kv_array(&o->json, "references");
	for (size_t i = 0; i < v->alias_count; i++) {
		bool cve = slice_starts(v->aliases[i], SLICE_LIT("CVE-"));
		bool ghsa = slice_starts(v->aliases[i], SLICE_LIT("GHSA-"));

		json_object_open(&o->json);
		json_kv_slice(&o->json, "id", v->aliases[i]);
		json_kv_object(&o->json, "source");
		json_kv_str(&o->json, "name", cve ? "NVD" : ghsa ? "GitHub" : "OSV");
		json_object_close(&o->json);
		json_object_close(&o->json);
	}
	json_array_close(&o->json);
}

static void write_advisories(const struct scan_vuln *v, struct out *o)
{
	if (!v->url_count)
		return;
	json_kv_array(&o->json, "advisories");
	for (size_t i = 0; i < v->url_count; i++) {
		json_object_open(&o->json);
		json_kv_slice(&o->json, "url", v->urls[i]);
		json_object_close(&o->json);
	}
	json_array_close(&o->json);
}

/* OpenVEX's justification, which begins hush_why, in CycloneDX's words; NULL where it has none. */
static const char *justification(struct slice why)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
		{ "component_not_present", "code_not_present" },
		{ "vulnerable_code_not_present", "code_not_present" },
		{ "vulnerable_code_not_in_execute_path", "code_not_reachable" },
		{ "vulnerable_code_cannot_be_controlled_by_adversary", "requires_environment" },
		{ "inline_mitigations_already_exist", "protected_by_mitigating_control" },
		{ "code_not_present", "code_not_present" },
		{ "code_not_reachable", "code_not_reachable" },
		{ "requires_configuration", "requires_configuration" },
		{ "requires_dependency", "requires_dependency" },
		{ "requires_environment", "requires_environment" },
		{ "protected_by_compiler", "protected_by_compiler" },
		{ "protected_at_runtime", "protected_at_runtime" },
		{ "protected_at_perimeter", "protected_at_perimeter" },
		{ "protected_by_mitigating_control", "protected_by_mitigating_control" },
	};
	ptrdiff_t colon = slice_find_char(why, ':');
	struct slice word = colon < 0 ? why : slice_sub(why, 0, (size_t)colon);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (slice_is(word, rows[i].from))
			return rows[i].to;
	}
	return NULL;
}

/* An ignored finding is there and stays: a decision, not a fact. */
static void write_analysis(const struct scan_finding *f, struct out *o)
{
	bool ignored = f->hush == SCAN_IGNORED;

	json_kv_object(&o->json, "analysis");
	if (ignored)
		json_kv_str(&o->json, "state", "exploitable");
	else if (slice_is(f->hush_state, "fixed"))
		json_kv_str(&o->json, "state", "resolved");
	else
		json_kv_slice(&o->json, "state", f->hush_state);
	if (!ignored && slice_is(f->hush_state, "not_affected"))
		out_kv_str(o, "justification", justification(f->hush_why));
	if (ignored) {
		json_kv_array(&o->json, "response");
		json_str(&o->json, SLICE_LIT("will_not_fix"));
		json_array_close(&o->json);
	}
	out_kv(o, "detail", f->hush_why);
	json_object_close(&o->json);
}

static void write_affects(const struct cdx *c, const struct entry *e, size_t n)
{
	struct json *j = &c->o->json;

	json_kv_array(&c->o->json, "affects");
	for (size_t i = 0; i < n; i++) {
		size_t package = e[i].f->package;

		json_object_open(j);
		json_kv_slice(j, "ref", cdx_ref(c, package));
		json_kv_array(&c->o->json, "versions");
		json_object_open(j);
		json_kv_str(j, "version", c->r->packages[package].pkg->version);
		json_kv_str(j, "status", e[i].f->hush == SCAN_VEX ? "unaffected" : "affected");
		json_object_close(j);
		json_array_close(j);
		json_object_close(j);
		out_flush(c->o); /* one vulnerability may be in a thousand packages */
	}
	json_array_close(j);
}

static void write_entry(const struct cdx *c, const struct entry *e, size_t n)
{
	const struct scan_finding *f = e->f;
	const struct scan_vuln *v = f->vuln;
	struct out *o = c->o;
	char url[512];

	json_object_open(&o->json);
	json_kv_slice(&o->json, "id", v->id);
	json_kv_object(&o->json, "source");
	json_kv_slice(&o->json, "name", v->feed);
	out_kv_str(o, "url", scan_primary_url(v, url, sizeof(url)));
	json_object_close(&o->json);
	write_aliases(v, o);
	write_ratings(f, o);
	out_kv(o, "description", v->title.n ? v->title : v->description);
	out_kv(o, "detail", v->title.n ? v->description : SLICE_NONE);
	if (f->fixed.n)
		json_kv_slice(&o->json, "recommendation",
			      format_text(o, "Upgrade %s to %.*s", c->r->packages[f->package].pkg->name,
					  SLICE_FMT(f->fixed)));
	write_advisories(v, o);
	out_kv_time(o, "published", v->published_unix_s);
	out_kv_time(o, "updated", v->modified_unix_s);
	if (f->hush)
		write_analysis(f, o);
	write_affects(c, e, n);
	json_kv_array(&o->json, "properties");
	json_object_open(&o->json);
	json_kv_str(&o->json, "name", "picket:Status");
	json_kv_str(&o->json, "value", vuln_status_name(f->status));
	json_object_close(&o->json);
	if (v->kev) {
		json_object_open(&o->json);
		json_kv_str(&o->json, "name", "picket:KEV");
		json_kv_str(&o->json, "value", "true");
		json_object_close(&o->json);
	}
	json_array_close(&o->json);
	json_object_close(&o->json);
	buf_add_char(&o->text, '\n');
	out_flush(o);
}

int cdx_vulnerabilities(const struct cdx *c, struct err *err)
{
	CLEANUP(freep) struct entry *all = sorted(c->r);
	size_t n = c->r->finding_count;

	if (!all)
		return err_set(err, ERR_LIMIT, "no room for %zu findings", n);
	json_kv_array(&c->o->json, "vulnerabilities");
	for (size_t i = 0, next; i < n; i = next) {
		for (next = i + 1; next < n && same(&all[i], &all[next]);)
			next++;
		write_entry(c, &all[i], next - i);
	}
	json_array_close(&c->o->json);
	return 0;
}
