/* report.c - counting, and the JSON of the contract. */
#include "agent/audit/report.h"

void report_count(const struct report *r, struct report_summary *ret)
{
	*ret = (struct report_summary){ 0 };
	for (size_t i = 0; i < r->subject_count; i++) {
		for (size_t k = 0; k < r->subjects[i].count; k++) {
			const struct audit_result *x = &r->subjects[i].results[k];

			ret->by_status[x->status]++;
			ret->differs += x->differs;
			if (x->status == AUDIT_FAIL || x->status == AUDIT_WARN)
				ret->by_severity[x->severity]++;
		}
	}
}

bool report_is_bad(const struct report *r, enum audit_severity least)
{
	for (size_t i = 0; i < r->subject_count; i++) {
		for (size_t k = 0; k < r->subjects[i].count; k++) {
			const struct audit_result *x = &r->subjects[i].results[k];

			if (x->status == AUDIT_FAIL && x->severity >= least)
				return true;
		}
	}
	return false;
}

void report_references(const struct audit_check *c, void (*add)(void *arg, struct slice text), void *arg)
{
	struct slice rest = slice_of(c->cis), one;
	char text[80];

	while (slice_split(&rest, ',', &one)) {
		struct slice number = slice_trim(one);

		if (number.n)
			add(arg, slice_from(text, (size_t)snprintf(text, sizeof(text), "CIS Docker Benchmark %.*s", SLICE_FMT(number))));
	}
	if (c->mitre[0])
		add(arg, slice_from(text, (size_t)snprintf(text, sizeof(text), "MITRE ATT&CK %s", c->mitre)));
}

/* ---- JSON ---- */

static void add_string(void *arg, struct slice text)
{
	json_str(arg, text);
}

static void write_result(const struct report_subject *s, const struct audit_result *x, struct out *o)
{
	struct json *j = &o->json;

	json_object_open(j);
	json_kv_str(j, "id", x->check->id);
	json_kv_str(j, "title", x->check->title);
	json_kv_str(j, "severity", audit_severity_name(x->severity));
	json_kv_str(j, "status", audit_status_name(x->status));
	json_kv_str(j, "subject", audit_subject_name(s->subject));
	json_kv_str(j, "target", s->name);
	out_kv_str(o, "target_id", s->id);
	out_kv_str(o, "image", s->image);
	json_kv_str(j, "evidence", x->evidence);
	if (x->differs)
		json_kv_bool(j, "differs", true);
	if (x->status != AUDIT_PASS && x->status != AUDIT_NA) {
		json_kv_str(j, "why", x->check->why);
		json_kv_str(j, "remediation", x->fix);
	} else {
		json_kv_str(j, "remediation", "");
	}
	json_kv_array(j, "references");
	report_references(x->check, add_string, j);
	json_array_close(j);
	json_object_close(j);
	buf_add_char(&o->text, '\n');
	out_flush(o);
}

static void write_summary(const struct report *r, struct json *j)
{
	struct report_summary s;

	report_count(r, &s);
	json_object_open(j);
	for (int i = AUDIT_CRITICAL; i >= AUDIT_INFO; i--)
		json_kv_u64(j, audit_severity_name((enum audit_severity)i), s.by_severity[i]);
	for (int i = 0; i < AUDIT_STATUS_COUNT; i++)
		json_kv_u64(j, audit_status_name((enum audit_status)i), s.by_status[i]);
	json_kv_u64(j, "differs", s.differs);
	json_object_close(j);
}

int report_json(const struct report *r, struct out *o, struct err *err)
{
	struct json *j = &o->json;

	json_object_open(j);
	json_kv_str(j, "host", r->host);
	out_kv_time(o, "time", r->now_unix_s);
	out_kv_str(o, "engine", r->engine);
	json_kv_array(j, "results");
	for (size_t i = 0; i < r->subject_count; i++) {
		for (size_t k = 0; k < r->subjects[i].count; k++)
			write_result(&r->subjects[i], &r->subjects[i].results[k], o);
	}
	json_array_close(j);
	json_key(j, "summary");
	write_summary(r, j);
	json_object_close(j);
	buf_add_char(&o->text, '\n');
	return out_end(o, err);
}
