/* alert_check.c - a check that a host or its containers fail, as an alert: one, with the list of them. */
#include <errno.h>
#include <inttypes.h>

#include "collector/alert/alert_kept.h"
#include "collector/alert/alert_text.h"
#include "collector/store/record_json.h"

enum { NAME_CHARS = 80, TITLE_CHARS = 200, TEXT_BYTES = 512, LONG_BYTES = 2048 };

#define POLICY_CHECKS "PKT-P-"

static bool is_policy(const struct store_check_case *c)
{
	return !strncmp(c->check, POLICY_CHECKS, strlen(POLICY_CHECKS));
}

static bool is_own(const struct store_check_case *c)
{
	return !strcmp(c->subjects[0].kind, "host") || !strcmp(c->subjects[0].kind, "daemon");
}

/* "`web-1` and 59 more on host-07 fail PKT-C-005 (critical): The container is not privileged" */
static void write_title(struct buf *out, const struct store_check_case *c)
{
	if (is_own(c)) {
		buf_add_str(out, !strcmp(c->subjects[0].kind, "host") ? "Host " : "The engine of ");
		alert_text_name(out, slice_of(c->host), NAME_CHARS);
	} else {
		buf_add_char(out, '`');
		alert_text_name(out, slice_of(c->subjects[0].name), NAME_CHARS);
		buf_add_char(out, '`');
		if (c->count > 1)
			buf_printf(out, " and %" PRIu64 " more", c->count - 1);
		buf_add_str(out, " on ");
		alert_text_name(out, slice_of(c->host), NAME_CHARS);
	}
	buf_add_str(out, is_policy(c) ? (c->count > 1 ? " run against the policy (" : " runs against the policy (") :
					(c->count > 1 ? " fail " : " fails "));
	alert_text_name(out, slice_of(c->check), NAME_CHARS);
	buf_printf(out, is_policy(c) ? ", %s)" : " (%s)", msg_severity_name(c->severity));
	if (c->text.title[0]) {
		buf_add_str(out, ": ");
		alert_text_name(out, slice_of(c->text.title), TITLE_CHARS);
	}
}

static void add_check(struct json *j, const struct store_check_case *c)
{
	json_kv_object(j, "check");
	json_kv_str(j, "id", c->check);
	json_kv_str(j, "severity", msg_severity_name(c->severity));
	record_json_text(j, "title", slice_of(c->text.title), TEXT_BYTES);
	record_json_text(j, "cis", slice_of(c->text.cis), TEXT_BYTES);
	record_json_text(j, "mitre", slice_of(c->text.mitre), TEXT_BYTES);
	record_json_text(j, "why", slice_of(c->text.why), LONG_BYTES);
	record_json_text(j, "fix", slice_of(c->text.fix), LONG_BYTES);
	json_object_close(j);
}

static void add_subjects(struct json *j, const struct store_check_case *c)
{
	json_kv_array(j, "subjects");
	for (size_t i = 0; i < c->subject_count; i++) {
		const struct store_case_subject *x = &c->subjects[i];

		json_object_open(j);
		json_kv_str(j, "kind", x->kind);
		record_json_text(j, "name", slice_of(x->name), TEXT_BYTES);
		json_kv_str(j, "id", x->id);
		record_json_text(j, "image", slice_of(x->image), TEXT_BYTES);
		json_kv_str(j, "severity", msg_severity_name(x->severity));
		record_json_text(j, "evidence", slice_of(x->evidence), TEXT_BYTES);
		record_json_text(j, "fix", slice_of(x->fix), TEXT_BYTES);
		json_kv_i64(j, "finding", x->finding);
		json_object_close(j);
	}
	json_array_close(j);
	json_kv_u64(j, "subject_count", c->count);
}

/* As a scan's alert has it: what host= and container= are matched with. */
static void add_places(struct json *j, const struct store_check_case *c)
{
	json_kv_array(j, "hosts");
	json_object_open(j);
	json_kv_str(j, "name", c->host);
	json_kv_array(j, "containers");
	for (size_t i = 0; i < c->subject_count; i++) {
		if (strcmp(c->subjects[i].kind, "container") != 0)
			continue;
		json_object_open(j);
		json_kv_str(j, "id", c->subjects[i].id);
		record_json_text(j, "name", slice_of(c->subjects[i].name), TEXT_BYTES);
		json_object_close(j);
	}
	json_array_close(j);
	json_object_close(j);
	json_array_close(j);
}

static void add_container(struct json *j, const struct store_check_case *c)
{
	const struct store_case_subject *x = &c->subjects[0];

	json_key(j, "container");
	if (is_own(c)) {
		json_null(j);
		return;
	}
	json_object_open(j);
	json_kv_str(j, "id", x->id);
	record_json_text(j, "name", slice_of(x->name), TEXT_BYTES);
	record_json_text(j, "image", slice_of(x->image), TEXT_BYTES);
	json_object_close(j);
}

static void add_fields(struct json *j, const struct store_check_case *c)
{
	CLEANUP(buf_finip) struct buf names = { 0 };

	buf_init(&names, ALERT_DOCUMENT_BYTES);
	for (size_t i = 0; i < c->subject_count; i++)
		buf_printf(&names, "%s%.256s", i ? ", " : "", c->subjects[i].name);
	json_kv_object(j, "fields");
	json_kv_str(j, "check", c->check);
	record_json_text(j, "evidence", slice_of(c->subjects[0].evidence), TEXT_BYTES);
	record_json_text(j, "fix", slice_of(c->subjects[0].fix), TEXT_BYTES);
	json_kv_slice(j, "subjects", buf_slice(&names));
	json_object_close(j);
}

static void add_document(struct buf *out, const struct store_check_case *c, struct slice title)
{
	CLEANUP(buf_finip) struct buf advice = { 0 };
	struct json j;

	buf_init(&advice, 16 * 1024);
	buf_printf(&advice, "%.2048s%sTo mend it: %.2048s. To live with it for a while: picketctl finding waive %" PRId64
			    " --reason … --until …",
		   c->text.why, c->text.why[0] ? " " : "", c->subjects[0].fix[0] ? c->subjects[0].fix : c->text.fix,
		   c->subjects[0].finding);
	json_init(&j, out);
	json_object_open(&j);
	add_container(&j, c);
	json_key(&j, "process");
	json_null(&j);
	add_check(&j, c);
	add_subjects(&j, c);
	add_places(&j, c);
	add_fields(&j, c);
	json_kv_array(&j, "tags");
	json_str(&j, is_policy(c) ? SLICE_LIT("policy") : SLICE_LIT("configuration"));
	if (c->text.mitre[0])
		json_str(&j, slice_sub(slice_of(c->text.mitre), 0, 64));
	json_array_close(&j);
	json_kv_slice(&j, "output", title);
	json_kv_slice(&j, "description", buf_slice(&advice));
	json_kv_str(&j, "event_type", "audit");
	json_object_close(&j);
}

/* With as many of them as there is room for: what is beyond stands in `finding list`. */
static void write_document(struct buf *out, const struct store_check_case *c, struct slice title)
{
	static const size_t tries[] = { STORE_CASE_SUBJECTS, 20, 1 };
	struct store_check_case some = *c;

	for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
		some.subject_count = c->subject_count < tries[i] ? c->subject_count : tries[i];
		buf_reset(out);
		add_document(out, &some, title);
		if (!out->failed)
			return;
	}
}

int alert_from_check(struct store *s, const struct clock *clk, const struct store_check_case *c, int64_t id,
		     enum alert_renewal how, struct alert_change *ret, struct err *err)
{
	CLEANUP(alert_draft_finip) struct alert_draft d = { .about = c->check };

	if (!c->subject_count)
		return err_set(err, EINVAL, "a check that nothing fails");
	/* By the agent, as a name can change; with four parts, which no rule's finding has. */
	alert_draft_init(&d, (const char *const[]){ "check", c->agent, c->check, "" });
	write_title(&d.title, c);
	write_document(&d.document, c, buf_slice(&d.title));
	d.row = (struct store_alert){ .severity = c->severity,
				      .source = is_policy(c) ? "policy" : "audit",
				      .rule = c->check,
				      .host = c->host,
				      .agent = c->agent,
				      .container_id = is_own(c) ? "" : c->subjects[0].id };
	return alert_draft_tell(&d, s, clk, id, how, ret, err);
}
