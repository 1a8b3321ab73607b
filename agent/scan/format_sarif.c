/* format_sarif.c - SARIF 2.1.0, as code scanning services take it: a rule for each vulnerability, a result for
 * each package that has it; what is suppressed is there with SARIF's own suppressions. */
#include "agent/scan/format.h"
#include "common/text.h"

struct rules {
	uint32_t *rule_of; /* by finding */
	uint32_t *first;   /* by rule: the first finding */
	uint8_t *worst;	   /* by rule: severity */
	size_t count;
};

struct by_id {
	struct slice id;
	uint32_t finding;
};

static int compare_ids(const struct by_id *a, const struct by_id *b)
{
	int order = memcmp(a->id.p, b->id.p, a->id.n < b->id.n ? a->id.n : b->id.n);

	return order ? order : (a->id.n > b->id.n) - (a->id.n < b->id.n);
}

static int compare(const void *x, const void *y)
{
	const struct by_id *a = x, *b = y;
	int order = compare_ids(a, b);

	return order ? order : (a->finding > b->finding) - (a->finding < b->finding);
}

static int rules_of(const struct scan_result *r, struct rules *ret, struct err *err)
{
	size_t n = r->finding_count;
	CLEANUP(freep) struct by_id *sorted = calloc(n + 1, sizeof(*sorted));
	struct rules out = { .rule_of = arena_zalloc(r->arena, n + 1, sizeof(uint32_t)),
			     .first = arena_zalloc(r->arena, n + 1, sizeof(uint32_t)),
			     .worst = arena_zalloc(r->arena, n + 1, 1) };

	if (!sorted || !out.rule_of || !out.first || !out.worst)
		return err_set(err, ERR_LIMIT, "no room for %zu findings", n);
	for (size_t i = 0; i < n; i++)
		sorted[i] = (struct by_id){ r->findings[i].vuln->id, (uint32_t)i };
	if (n)
		qsort(sorted, n, sizeof(*sorted), compare);
	for (size_t i = 0; i < n; i++) {
		uint32_t f = sorted[i].finding;
		uint8_t severity = (uint8_t)r->findings[f].severity;

		if (!i || compare_ids(&sorted[i - 1], &sorted[i]))
			out.first[out.count++] = f;
		out.rule_of[f] = (uint32_t)(out.count - 1);
		if (severity > out.worst[out.count - 1])
			out.worst[out.count - 1] = severity;
	}
	*ret = out;
	return 0;
}

static void kv_text(struct out *o, const char *key, struct slice text)
{
	json_kv_object(&o->json, key);
	json_kv_slice(&o->json, "text", text);
	json_object_close(&o->json);
}

static const char *level(enum vuln_severity s)
{
	return s >= VULN_HIGH ? "error" : s == VULN_MEDIUM ? "warning" : "note";
}

/* ---- rules ---- */

/* Services sort by this number; without a CVSS score one from the middle of the severity's range. */
static const char *score_of(enum vuln_severity s)
{
	static const char *const scores[] = { "0.0", "0.0", "2.0", "5.5", "8.0", "9.5" };

	return scores[s];
}

static void write_help(const struct scan_finding *f, const Picket__Package *p, const char *severity,
		       const char *url, struct out *o)
{
	struct slice about = f->vuln->description.n ? f->vuln->description : f->vuln->title;
	CLEANUP(buf_finip) struct buf text = { 0 };
	const char *fixed = f->fixed.n ? "fixed in " : vuln_status_name(f->status);

	buf_init(&text, 0);
	buf_printf(&text, "%.*s (%s) in %s, %s%.*s\n%s\n\n", SLICE_FMT(f->vuln->id), severity, p->name, fixed,
		   SLICE_FMT(f->fixed), url);
	buf_add_slice(&text, about);
	json_kv_object(&o->json, "help");
	json_kv_slice(&o->json, "text", buf_slice(&text));
	buf_reset(&text);
	buf_printf(&text, "**%.*s**\n\n| Severity | Package | Fixed | Link |\n| --- | --- | --- | --- |\n"
			  "| %s | %s | %.*s | [%.*s](%s) |\n\n",
		   SLICE_FMT(f->vuln->id), severity, p->name, SLICE_FMT(f->fixed), SLICE_FMT(f->vuln->id), url);
	buf_add_slice(&text, about);
	json_kv_slice(&o->json, "markdown", buf_slice(&text));
	json_object_close(&o->json);
}

static void write_rule_properties(const struct scan_finding *f, enum vuln_severity worst, struct out *o)
{
	struct json *j = &o->json;
	char score[16];

	json_kv_object(&o->json, "properties");
	json_kv_str(j, "precision", "very-high");
	snprintf(score, sizeof(score), "%.1f", f->cvss);
	json_kv_str(j, "security-severity", f->cvss > 0 ? score : score_of(worst));
	json_kv_array(&o->json, "tags");
	json_str(j, SLICE_LIT("vulnerability"));
	json_str(j, SLICE_LIT("security"));
	json_str(j, slice_of(vuln_severity_name(worst)));
	if (f->vuln->kev)
		json_str(j, SLICE_LIT("kev"));
	json_array_close(j);
	json_object_close(j);
}

static void write_rule(const struct scan_result *r, const struct rules *rules, size_t i, struct out *o)
{
	const struct scan_finding *f = &r->findings[rules->first[i]];
	const struct scan_vuln *v = f->vuln;
	const Picket__Package *p = r->packages[f->package].pkg;
	enum vuln_severity worst = (enum vuln_severity)rules->worst[i];
	char url[512];

	scan_primary_url(v, url, sizeof(url));
	json_object_open(&o->json);
	json_kv_slice(&o->json, "id", v->id);
	json_kv_str(&o->json, "name", "VulnerablePackage");
	kv_text(o, "shortDescription", v->title.n ? v->title : v->id);
	kv_text(o, "fullDescription", v->description.n ? v->description : v->title.n ? v->title : v->id);
	json_kv_object(&o->json, "defaultConfiguration");
	json_kv_str(&o->json, "level", level(worst));
	json_object_close(&o->json);
	out_kv_str(o, "helpUri", url);
	write_help(f, p, vuln_severity_name(worst), url, o);
	write_rule_properties(f, worst, o);
	json_object_close(&o->json);
	buf_add_char(&o->text, '\n');
	out_flush(o);
}

/* ---- results ---- */

/* A path as a URI reference. */
static struct slice uri_of(struct slice path, struct out *o)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, 0);
	for (size_t i = 0; i < path.n; i++) {
		char c = path.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    (c && strchr("-._~/", c)))
			buf_add_char(&b, c);
		else
			buf_printf(&b, "%%%02X", (unsigned)(uint8_t)c);
	}
	const char *copy = arena_dup(o->scratch, buf_slice(&b));
	return copy ? (struct slice){ copy, b.n } : SLICE_NONE;
}

static void write_location(const struct scan_result *r, size_t package, struct out *o)
{
	struct slice path = format_path(r->packages[package].pkg), purl = format_purl(r, package, o);
	struct json *j = &o->json;

	while (path.n && path.p[0] == '/')
		path = slice_sub(path, 1, path.n);
	json_kv_array(&o->json, "locations");
	json_object_open(j);
	json_kv_object(&o->json, "physicalLocation");
	json_kv_object(&o->json, "artifactLocation");
	json_kv_slice(j, "uri", uri_of(path.n ? path : slice_of(r->target), o));
	json_kv_str(j, "uriBaseId", "ROOTPATH");
	json_object_close(j);
	/* services refuse results without a line */
	json_kv_object(&o->json, "region");
	json_kv_u64(j, "startLine", 1);
	json_object_close(j);
	json_object_close(j);
	json_kv_array(&o->json, "logicalLocations");
	json_object_open(j);
	json_kv_str(j, "name", r->packages[package].pkg->name);
	json_kv_slice(j, "fullyQualifiedName", purl);
	json_kv_str(j, "kind", "package");
	json_object_close(j);
	json_array_close(j);
	json_object_close(j);
	json_array_close(j);
}

/* The same finding after an upgrade that does not help, or in a rebuilt image, is the same. */
static void write_fingerprints(const struct scan_finding *f, const Picket__Package *p, struct out *o)
{
	uint64_t h = slice_hash(f->vuln->id);

	h = h * 31 + slice_hash(slice_of(p->ecosystem));
	h = h * 31 + slice_hash(slice_of(p->name));
	h = h * 31 + slice_hash(format_path(p));
	struct slice hash = format_text(o, "%016llx", (unsigned long long)h);
	json_kv_object(&o->json, "fingerprints");
	json_kv_slice(&o->json, "picketFinding/v1", hash);
	json_object_close(&o->json);
	json_kv_object(&o->json, "partialFingerprints");
	json_kv_slice(&o->json, "picketFinding/v1", hash);
	json_object_close(&o->json);
}

static void write_suppression(const struct scan_finding *f, struct out *o)
{
	json_kv_array(&o->json, "suppressions");
	json_object_open(&o->json);
	json_kv_str(&o->json, "kind", "external");
	json_kv_str(&o->json, "status", "accepted");
	json_kv_slice(&o->json, "justification",
		      format_text(o, "%.*s by %.*s: %.*s", SLICE_FMT(f->hush_state), SLICE_FMT(f->hush_source),
				  SLICE_FMT(f->hush_why)));
	json_object_close(&o->json);
	json_array_close(&o->json);
}

static void write_message(const struct scan_result *r, const struct scan_finding *f, struct out *o)
{
	const Picket__Package *p = r->packages[f->package].pkg;
	struct slice title = f->vuln->title;
	const char *status = f->fixed.n ? "fixed in " : vuln_status_name(f->status);

	kv_text(o, "message",
		format_text(o, "%s %s: %.*s (%s)%s%.*s; %s%.*s", p->name, p->version, SLICE_FMT(f->vuln->id),
			    vuln_severity_name(f->severity), title.n ? ", " : "", SLICE_FMT(title), status,
			    SLICE_FMT(f->fixed)));
}

static void write_result(const struct scan_result *r, const struct rules *rules, size_t i, struct out *o)
{
	const struct scan_finding *f = &r->findings[i];
	const struct scan_vuln *v = f->vuln;
	struct json *j = &o->json;

	json_object_open(j);
	json_kv_slice(j, "ruleId", v->id);
	json_kv_u64(j, "ruleIndex", rules->rule_of[i]);
	json_kv_str(j, "level", level(f->severity));
	write_message(r, f, o);
	write_location(r, f->package, o);
	write_fingerprints(f, r->packages[f->package].pkg, o);
	if (f->hush)
		write_suppression(f, o);
	json_kv_object(&o->json, "properties");
	json_kv_str(j, "severity", vuln_severity_name(f->severity));
	json_kv_str(j, "status", vuln_status_name(f->status));
	json_kv_bool(j, "kev", v->kev);
	if (v->epss >= 0) {
		json_key(j, "epss");
		json_f64(j, v->epss);
	}
	out_kv_str(o, "layer", scan_diff_id(r, f->package));
	json_object_close(j);
	json_object_close(j);
	buf_add_char(&o->text, '\n');
	out_flush(o);
}

/* ---- the run ---- */

static void write_driver(const struct scan_result *r, const struct rules *rules, struct out *o)
{
	json_kv_object(&o->json, "tool");
	json_kv_object(&o->json, "driver");
	json_kv_str(&o->json, "name", "picket-agent");
	json_kv_str(&o->json, "fullName", "picket-agent scan");
	json_kv_str(&o->json, "version", PICKET_VERSION);
	json_kv_array(&o->json, "rules");
	for (size_t i = 0; i < rules->count; i++)
		write_rule(r, rules, i, o);
	json_array_close(&o->json);
	json_object_close(&o->json);
	json_object_close(&o->json);
}

static void write_notification(const char *text, struct out *o)
{
	json_object_open(&o->json);
	json_kv_str(&o->json, "level", "warning");
	kv_text(o, "message", slice_of(text));
	json_object_close(&o->json);
}

static void write_invocation(const struct scan_result *r, struct out *o)
{
	const Picket__Inventory *inv = r->inventory;

	json_kv_array(&o->json, "invocations");
	json_object_open(&o->json);
	json_kv_bool(&o->json, "executionSuccessful", true);
	out_kv_time(o, "endTimeUtc", r->now_unix_s);
	json_kv_array(&o->json, "toolExecutionNotifications");
	for (size_t i = 0; i < inv->n_problems; i++)
		write_notification(inv->problems[i], o);
	for (size_t i = 0; i < r->warning_count; i++)
		write_notification(r->warnings[i], o);
	json_array_close(&o->json);
	json_object_close(&o->json);
	json_array_close(&o->json);
}

static void write_run_properties(const struct scan_result *r, struct out *o)
{
	const Picket__Inventory *inv = r->inventory;

	json_kv_object(&o->json, "properties");
	json_kv_str(&o->json, "imageName", r->target);
	out_kv_str(o, "imageID", inv->image_id);
	json_kv_array(&o->json, "repoDigests");
	for (size_t i = 0; i < inv->n_repo_digests; i++)
		json_str(&o->json, slice_of(inv->repo_digests[i]));
	json_array_close(&o->json);
	json_kv_array(&o->json, "repoTags");
	for (size_t i = 0; i < inv->n_names; i++)
		json_str(&o->json, slice_of(inv->names[i]));
	json_array_close(&o->json);
	json_object_close(&o->json);
}

int format_sarif(const struct scan_result *r, const struct format_options *opts, struct out *o, struct err *err)
{
	struct json *j = &o->json;
	struct rules rules = { 0 };
	int e = rules_of(r, &rules, err);

	if (e < 0)
		return e;
	json_object_open(j);
	json_kv_str(j, "version", "2.1.0");
	json_kv_str(j, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
	json_kv_array(&o->json, "runs");
	json_object_open(j);
	write_driver(r, &rules, o);
	write_invocation(r, o);
	json_kv_str(j, "columnKind", "utf16CodeUnits");
	json_kv_object(&o->json, "originalUriBaseIds");
	json_kv_object(&o->json, "ROOTPATH");
	json_kv_str(j, "uri", "file:///");
	json_object_close(j);
	json_object_close(j);
	write_run_properties(r, o);
	json_kv_array(&o->json, "results");
	for (size_t i = 0; i < r->finding_count; i++)
		write_result(r, &rules, i, o);
	json_array_close(j);
	json_object_close(j);
	json_array_close(j);
	json_object_close(j);
	buf_add_char(&o->text, '\n');
	return out_end(o, err);
}
