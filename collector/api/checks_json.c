/* checks_json.c - findings of checks, waivers, containers and policies as the contract's JSON. */
#include "collector/api/api_priv.h"
#include "collector/store/record_json.h"
#include "collector/store/store_checks.h"

enum { TEXT_BYTES = 4096 };

static void kv_text(struct json *j, const char *key, const char *s)
{
	record_json_text(j, key, slice_of(s), TEXT_BYTES);
}

void api_finding_json(struct json *j, const struct store_check_finding *f)
{
	json_kv_i64(j, "id", f->id);
	json_kv_str(j, "host", f->host);
	json_kv_str(j, "agent", f->agent);
	json_kv_object(j, "subject");
	kv_text(j, "kind", f->kind);
	kv_text(j, "name", f->subject);
	kv_text(j, "id", f->subject_id);
	kv_text(j, "image", f->image);
	kv_text(j, "image_id", f->image_id);
	json_kv_bool(j, "here", f->is_here);
	json_object_close(j);
	kv_text(j, "check", f->check);
	kv_text(j, "title", f->title);
	json_kv_str(j, "severity", msg_severity_name(f->severity));
	json_kv_str(j, "status", f->status);
	kv_text(j, "result", f->result);
	kv_text(j, "evidence", f->evidence);
	kv_text(j, "fix", f->fix);
	json_kv_bool(j, "differs", f->differs);
	kv_text(j, "trigger", f->trigger);
	kv_text(j, "cis", f->cis);
	kv_text(j, "mitre", f->mitre);
	json_kv_time(j, "first_seen", f->first_seen_unix_ns);
	json_kv_time(j, "opened", f->opened_unix_ns);
	json_kv_time(j, "last_seen", f->last_seen_unix_ns);
	json_kv_time(j, "mended", f->mended_unix_ns);
	json_kv_str(j, "mended_why", f->mended_why);
	json_kv_u64(j, "reopened", f->reopened);
	json_key(j, "waiver");
	if (f->waiver)
		json_i64(j, f->waiver);
	else
		json_null(j);
}

void api_waiver_json(struct json *j, const struct store_waiver *w)
{
	json_object_open(j);
	json_kv_i64(j, "id", w->id);
	json_kv_str(j, "check", w->check[0] ? w->check : "*");
	json_kv_str(j, "subject", w->subject[0] ? w->subject : "*");
	json_kv_str(j, "host", w->host[0] ? w->host : "*");
	json_kv_str(j, "reason", w->reason);
	json_kv_str(j, "who", w->who);
	json_kv_time(j, "created", w->created_unix_ns);
	json_kv_time(j, "until", w->until_unix_ns);
	json_kv_time(j, "ended", w->ended_unix_ns);
	json_kv_str(j, "ended_by", w->ended_by);
	json_kv_u64(j, "findings", w->findings);
	json_kv_bool(j, "used", w->was_used);
	json_object_close(j);
}

void api_container_json(struct json *j, const struct store_container *c)
{
	json_kv_str(j, "host", c->host);
	json_kv_str(j, "agent", c->agent);
	kv_text(j, "id", c->id);
	record_json_text(j, "name", c->name, TEXT_BYTES);
	record_json_text(j, "image", c->image, TEXT_BYTES);
	kv_text(j, "image_id", c->image_id);
	kv_text(j, "image_digest", c->image_digest);
	record_json_text(j, "user", c->user, TEXT_BYTES);
	json_kv_bool(j, "privileged", c->is_privileged);
	json_kv_bool(j, "running", c->is_running);
	kv_text(j, "engine", c->engine);
	json_kv_time(j, "created", c->created_unix_ns > LIMIT_UNIX_NS ? 0 : c->created_unix_ns);
	json_kv_time(j, "started", c->started_unix_ns > LIMIT_UNIX_NS ? 0 : c->started_unix_ns);
	json_kv_time(j, "last_seen", c->seen_unix_ns);
	json_key(j, "labels");
	json_raw(j, slice_of(c->labels[0] ? c->labels : "{}"));
	if (c->config) {
		record_json_config(j, "config", c->config);
	} else {
		json_key(j, "config");
		json_null(j);
	}
	json_kv_u64(j, "risk", c->risk);
	json_kv_u64(j, "findings", c->findings);
	json_kv_str(j, "worst", c->findings ? msg_severity_name(c->worst) : "");
}
