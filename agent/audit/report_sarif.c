/* report_sarif.c - SARIF 2.1.0: a rule for each check that found something, a result for each subject it found it in.
 * What passes is not in it: services show every result as an alert. */
#include "agent/audit/report.h"

#include <errno.h>

static bool is_finding(const struct audit_result *x)
{
	return x->status == AUDIT_FAIL || x->status == AUDIT_WARN;
}

static void kv_text(struct out *o, const char *key, const char *text)
{
	json_kv_object(&o->json, key);
	json_kv_str(&o->json, "text", text);
	json_object_close(&o->json);
}

static const char *level(enum audit_severity s)
{
	return s >= AUDIT_HIGH ? "error" : s == AUDIT_MEDIUM ? "warning" : "note";
}

/* Services sort by this number; one from the middle of the severity's range. */
static const char *score(enum audit_severity s)
{
	static const char *const scores[] = { "0.0", "2.0", "5.5", "8.0", "9.5" };

	return scores[s];
}

/* ---- rules ---- */

static bool has_findings(const struct report *r, const struct audit_check *c, enum audit_severity *ret_worst)
{
	bool found = false;

	*ret_worst = AUDIT_INFO;
	for (size_t i = 0; i < r->subject_count; i++) {
		for (size_t k = 0; k < r->subjects[i].count; k++) {
			const struct audit_result *x = &r->subjects[i].results[k];

			if (x->check != c || !is_finding(x))
				continue;
			found = true;
			if (x->severity > *ret_worst)
				*ret_worst = x->severity;
		}
	}
	return found;
}

static void add_tag(void *arg, struct slice text)
{
	json_str(arg, text);
}

/* "T1222.002" is .../T1222/002/ */
static void write_help_uri(const struct audit_check *c, struct out *o)
{
	char url[96];

	if (!c->mitre[0])
		return;
	snprintf(url, sizeof(url), "https://attack.mitre.org/techniques/%s/", c->mitre);
	for (char *p = url + strlen("https://attack.mitre.org/techniques/"); *p; p++)
		*p = *p == '.' ? '/' : *p;
	json_kv_str(&o->json, "helpUri", url);
}

static void write_rule(const struct audit_check *c, enum audit_severity worst, struct out *o)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	struct json *j = &o->json;

	buf_init(&text, 16384);
	buf_printf(&text, "%s\n\n%s", c->why, c->fix);
	json_object_open(j);
	json_kv_str(j, "id", c->id);
	kv_text(o, "shortDescription", c->title);
	kv_text(o, "fullDescription", c->why);
	kv_text(o, "help", text.p);
	write_help_uri(c, o);
	json_kv_object(&o->json, "defaultConfiguration");
	json_kv_str(j, "level", level(worst));
	json_object_close(j);
	json_kv_object(&o->json, "properties");
	json_kv_str(j, "precision", "very-high");
	json_kv_str(j, "security-severity", score(worst));
	json_kv_array(&o->json, "tags");
	json_str(j, SLICE_LIT("security"));
	json_str(j, SLICE_LIT("misconfiguration"));
	json_str(j, slice_of(audit_subject_name(c->subject)));
	report_references(c, add_tag, j);
	json_array_close(j);
	json_object_close(j);
	json_object_close(j);
	buf_add_char(&o->text, '\n');
	out_flush(o);
}

static void write_driver(const struct report *r, size_t *index_of, struct out *o)
{
	enum audit_severity worst;
	size_t n = 0;

	json_kv_object(&o->json, "tool");
	json_kv_object(&o->json, "driver");
	json_kv_str(&o->json, "name", "picket-agent");
	json_kv_str(&o->json, "fullName", "picket-agent audit");
	json_kv_str(&o->json, "version", PICKET_VERSION);
	json_kv_array(&o->json, "rules");
	for (size_t i = 0; i < audit_check_count(); i++) {
		if (!has_findings(r, audit_check_at(i), &worst))
			continue;
		index_of[i] = n++;
		write_rule(audit_check_at(i), worst, o);
	}
	json_array_close(&o->json);
	json_object_close(&o->json);
	json_object_close(&o->json);
}

/* ---- results ---- */

/* As a URI reference: services want a file, and containers have none. */
static void write_location(const struct report_subject *s, struct out *o)
{
	CLEANUP(buf_finip) struct buf uri = { 0 };
	CLEANUP(buf_finip) struct buf full = { 0 };
	struct json *j = &o->json;

	buf_init(&uri, 16384);
	buf_init(&full, 16384);
	buf_printf(&uri, "%s/", audit_subject_name(s->subject));
	for (const char *p = s->name; *p; p++) {
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("-._~/", *p))
			buf_add_char(&uri, *p);
		else
			buf_printf(&uri, "%%%02X", (unsigned)(uint8_t)*p);
	}
	buf_printf(&full, "%s:%s", audit_subject_name(s->subject), s->id[0] ? s->id : s->name);
	json_kv_array(&o->json, "locations");
	json_object_open(j);
	json_kv_object(&o->json, "physicalLocation");
	json_kv_object(&o->json, "artifactLocation");
	json_kv_slice(j, "uri", buf_slice(&uri));
	json_object_close(j);
	json_kv_object(&o->json, "region");
	json_kv_u64(j, "startLine", 1);
	json_object_close(j);
	json_object_close(j);
	json_kv_array(&o->json, "logicalLocations");
	json_object_open(j);
	json_kv_str(j, "name", s->name);
	json_kv_slice(j, "fullyQualifiedName", buf_slice(&full));
	json_kv_str(j, "kind", "resource");
	json_object_close(j);
	json_array_close(j);
	json_object_close(j);
	json_array_close(j);
}

/* A container that was started anew under its name is the same place. */
static void write_fingerprint(const struct report *r, const struct report_subject *s, const struct audit_result *x, struct out *o)
{
	char hash[20];
	uint64_t h = slice_hash(slice_of(x->check->id));

	h = h * 31 + slice_hash(slice_of(r->host));
	h = h * 31 + slice_hash(slice_of(s->name));
	snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)h);
	json_kv_object(&o->json, "partialFingerprints");
	json_kv_str(&o->json, "picketAudit/v1", hash);
	json_object_close(&o->json);
}

static void write_result(const struct report *r, const struct report_subject *s, const struct audit_result *x, size_t rule,
			 struct out *o)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	struct json *j = &o->json;

	buf_init(&text, 65536);
	buf_printf(&text, "%s %s: %s. %s", audit_subject_name(s->subject), s->name, x->evidence, x->fix);
	json_object_open(j);
	json_kv_str(j, "ruleId", x->check->id);
	json_kv_u64(j, "ruleIndex", rule);
	json_kv_str(j, "kind", x->status == AUDIT_WARN ? "review" : "fail");
	/* SARIF 3.27.10: a kind other than fail has no level */
	json_kv_str(j, "level", x->status == AUDIT_WARN ? "none" : level(x->severity));
	json_kv_object(&o->json, "message");
	json_kv_slice(j, "text", buf_slice(&text));
	json_object_close(j);
	write_location(s, o);
	write_fingerprint(r, s, x, o);
	json_kv_object(&o->json, "properties");
	json_kv_str(j, "severity", audit_severity_name(x->severity));
	json_kv_str(j, "evidence", x->evidence);
	json_kv_str(j, "remediation", x->fix);
	json_kv_bool(j, "differs", x->differs);
	json_object_close(j);
	json_object_close(j);
	buf_add_char(&o->text, '\n');
	out_flush(o);
}

static void write_results(const struct report *r, const size_t *index_of, struct out *o)
{
	json_kv_array(&o->json, "results");
	for (size_t i = 0; i < r->subject_count; i++) {
		const struct report_subject *s = &r->subjects[i];

		for (size_t k = 0; k < s->count; k++) {
			for (size_t c = 0; is_finding(&s->results[k]) && c < audit_check_count(); c++) {
				if (audit_check_at(c) == s->results[k].check)
					write_result(r, s, &s->results[k], index_of[c], o);
			}
		}
	}
	json_array_close(&o->json);
}

/* What could not be told is no result, but nobody shall take it for fine. */
static void write_invocation(const struct report *r, struct out *o)
{
	struct json *j = &o->json;

	json_kv_array(&o->json, "invocations");
	json_object_open(j);
	json_kv_bool(j, "executionSuccessful", true);
	out_kv_time(o, "endTimeUtc", r->now_unix_s);
	json_kv_array(&o->json, "toolExecutionNotifications");
	for (size_t i = 0; i < r->subject_count; i++) {
		for (size_t k = 0; k < r->subjects[i].count; k++) {
			const struct audit_result *x = &r->subjects[i].results[k];
			CLEANUP(buf_finip) struct buf text = { 0 };

			if (x->status != AUDIT_ERROR)
				continue;
			buf_init(&text, 16384);
			buf_printf(&text, "%s of %s could not be told: %s", x->check->id, r->subjects[i].name, x->evidence);
			json_object_open(j);
			json_kv_str(j, "level", "warning");
			kv_text(o, "message", text.p);
			json_object_close(j);
		}
	}
	json_array_close(j);
	json_object_close(j);
	json_array_close(j);
}

int report_sarif(const struct report *r, struct out *o, struct err *err)
{
	CLEANUP(freep) size_t *index_of = calloc(audit_check_count(), sizeof(*index_of));
	struct json *j = &o->json;

	if (!index_of)
		return err_set(err, ENOMEM, "write");
	json_object_open(j);
	json_kv_str(j, "version", "2.1.0");
	json_kv_str(j, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
	json_kv_array(&o->json, "runs");
	json_object_open(j);
	write_driver(r, index_of, o);
	write_invocation(r, o);
	json_kv_str(j, "columnKind", "utf16CodeUnits");
	json_kv_object(&o->json, "properties");
	json_kv_str(j, "host", r->host);
	out_kv_str(o, "engine", r->engine);
	json_object_close(j);
	write_results(r, index_of, o);
	json_object_close(j);
	json_array_close(j);
	json_object_close(j);
	buf_add_char(&o->text, '\n');
	return out_end(o, err);
}
