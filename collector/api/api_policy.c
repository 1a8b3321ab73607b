/* api_policy.c - the access-control policy: the one in force, another one, and what that would change. */
#include <inttypes.h>

#include "collector/api/api_priv.h"
#include "collector/api/workload.h"
#include "collector/store/record_json.h"
#include "common/text.h"

enum { TEXT_ARENA_BYTES = 4 * 1024 * 1024, ROW_ARENA_BYTES = 4 * 1024 * 1024, COMMENT_MAX = 1000, VERSIONS = 20,
       POLICY_BYTES = 192 * 1024, DIFF_ROWS = 1000, DIFF_DENIALS = 64 };

/* ---- show ---- */

static void policy_members(struct json *j, const struct store_policy *p)
{
	json_kv_i64(j, "version", p->id);
	json_kv_str(j, "digest", p->digest);
	json_kv_str(j, "who", p->who);
	json_kv_str(j, "comment", p->comment);
	json_kv_time(j, "applied", p->created_unix_ns);
}

static int on_version(void *arg, const struct store_policy *p)
{
	struct json *j = arg;

	json_object_open(j);
	policy_members(j, p);
	json_object_close(j);
	return 0;
}

struct hosts {
	struct api *api;
	struct json *j;
	const char *digest;
	struct arena *a;
	struct err *err;
};

static const char *word_of(const struct store_policy_state *st, const char *digest)
{
	if (!st->is_told)
		return "unknown";
	if (st->error[0])
		return "refused";
	if (!strcmp(st->source, "file"))
		return "own";
	return !strcmp(st->digest, digest) ? "current" : st->digest[0] ? "older" : "none";
}

void api_policy_state_json(struct json *j, const struct store_policy_state *st, const char *digest)
{
	json_kv_str(j, "state", word_of(st, digest));
	json_kv_str(j, "digest", st->digest);
	json_kv_str(j, "source", st->source);
	json_kv_str(j, "mode", st->mode);
	json_kv_str(j, "error", st->error);
	json_kv_bool(j, "admission", st->has_admission);
	json_kv_bool(j, "network", st->has_network);
	json_kv_u64(j, "denied", st->denied);
	json_kv_u64(j, "would_deny", st->would_deny);
}

static int on_host(void *arg, const struct store_agent *h)
{
	struct hosts *x = arg;
	struct store_policy_state st;

	if (h->is_revoked)
		return 0;
	arena_reset(x->a);
	int r = store_policy_state_get(x->api->store, h->id, x->a, &st, x->err);
	if (r < 0)
		return r;
	json_object_open(x->j);
	json_kv_str(x->j, "host", h->host);
	api_policy_state_json(x->j, &st, x->digest);
	json_object_close(x->j);
	return 0;
}

static int write_policy(struct api_call *c, int64_t id, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(TEXT_ARENA_BYTES), *row = arena_new(ROW_ARENA_BYTES);
	struct store_policy p = { .digest = "", .who = "", .comment = "" };
	struct json j;
	int r = a && row ? store_policy_get(c->api->store, id, a, &p, err) : err_set(err, ERR_LIMIT, "out of memory");

	if (r < 0 && (r != -ERR_NOT_FOUND || id))
		return r;
	buf_reset(&c->out);
	json_init(&j, &c->out);
	json_object_open(&j);
	policy_members(&j, &p);
	json_kv_slice(&j, "text", p.text);
	json_kv_array(&j, "versions");
	r = store_policies_each(c->api->store, VERSIONS, on_version, &j, err);
	json_array_close(&j);
	json_kv_array(&j, "hosts");
	struct hosts x = { c->api, &j, p.digest, row, err };
	if (r >= 0)
		r = store_agents_each(c->api->store, on_host, &x, err);
	json_array_close(&j);
	json_object_close(&j);
	if (r >= 0 && c->out.failed)
		return err_set(err, ERR_LIMIT, "the answer is too large");
	return r;
}

int api_policy_show(struct api_call *c, struct err *err)
{
	const char *version = api_param(c, "version");
	uint64_t id = 0;

	if (version && (!slice_to_u64(slice_of(version), &id) || !id || id > INT64_MAX))
		return err_set(err, ERR_SYNTAX, "version=%.40s: must be a number", version);
	return write_policy(c, (int64_t)id, err);
}

/* ---- a new one ---- */

struct sent {
	cJSON *doc; /* caller deletes */
	struct slice text, comment;
	char name[128];
};

static int read_sent(const struct api_call *c, struct sent *ret, struct policy **ret_policy, struct err *err)
{
	int r = api_body(c, &ret->doc, err);

	if (r < 0)
		return r;
	ret->text = json_get_str(ret->doc, "text");
	ret->comment = json_get_str(ret->doc, "comment");
	struct slice name = json_get_str(ret->doc, "name");
	if (!ret->text.n || ret->text.n > POLICY_BYTES)
		return err_set(err, ERR_SYNTAX, "text: the policy, 1 to %d bytes", POLICY_BYTES);
	if (ret->comment.n > COMMENT_MAX || !text_is_clean(ret->comment) || !text_is_clean(name))
		return err_set(err, ERR_SYNTAX, "comment: at most %d bytes; name, comment: no control characters", COMMENT_MAX);
	(void)slice_copy(name.n ? name : SLICE_LIT("policy.yaml"), ret->name, sizeof(ret->name));
	return policy_parse(ret->text, ret->name, ret_policy, err);
}

static int put_policy(struct api_call *c, const struct sent *x, const struct policy *p, struct err *err)
{
	char comment[COMMENT_MAX + 1], subject[COMMENT_MAX + 200], digest[65];
	struct store *s = c->api->store;
	int64_t id;

	(void)slice_copy(x->comment, comment, sizeof(comment));
	const struct store_policy row = { .digest = policy_digest(p), .text = x->text, .who = c->user, .comment = comment };
	int r = store_policy_digest(s, digest, err);
	if (r < 0 || !strcmp(digest, row.digest)) /* it is in force already */
		return r;
	r = store_begin(s, err);
	if (r < 0)
		return r;
	r = store_policy_add(s, &row, &id, err);
	if (r >= 0) {
		snprintf(subject, sizeof(subject), "version %" PRId64 " (%.12s)%s%s", id, row.digest, comment[0] ? ": " : "", comment);
		r = store_audit_log(s, c->user, "policy.apply", subject, err);
	}
	return store_end(s, r, err);
}

int api_policy_apply(struct api_call *c, struct err *err)
{
	CLEANUP(policy_freep) struct policy *p = NULL;
	struct sent x = { 0 };
	int r = read_sent(c, &x, &p, err);

	if (r >= 0)
		r = put_policy(c, &x, p, err);
	cJSON_Delete(x.doc);
	return r < 0 ? r : write_policy(c, 0, err);
}

/* ---- what it would change ---- */

struct diff {
	struct api *api;
	struct json *j;
	const struct policy *is, *was; /* was: nullable */
	struct arena *a;
	uint64_t now_s, judged, refused, monitored, allowed, unknown;
	struct err *err;
};

static bool says(const struct policy_verdict *v, const struct policy_denial *d)
{
	for (size_t i = 0; i < v->count; i++)
		if (!strcmp(v->denials[i].rule, d->rule) && !strcmp(v->denials[i].reason, d->reason) &&
		    !v->denials[i].exception[0] && v->denials[i].is_enforced >= d->is_enforced)
			return true;
	return false;
}

static void add_denial(struct json *j, const struct policy_denial *d)
{
	json_object_open(j);
	json_kv_str(j, "rule", d->rule);
	json_kv_str(j, "reason", d->reason);
	json_kv_str(j, "way_out", d->way_out);
	json_kv_u64(j, "line", d->line);
	json_kv_u64(j, "column", d->column);
	json_kv_bool(j, "enforced", d->is_enforced);
	json_object_close(j);
}

/* refused: it would no longer start; monitored: it would be told of; allowed: it would start again. */
static const char *change_of(const struct policy_verdict *is, const struct policy_verdict *was)
{
	if (!is->is_allowed && was->is_allowed)
		return "refused";
	if (is->is_allowed && !was->is_allowed)
		return "allowed";
	for (size_t i = 0; i < is->count; i++)
		if (!is->denials[i].exception[0] && !says(was, &is->denials[i]))
			return is->denials[i].is_enforced ? "refused" : "monitored";
	return NULL;
}

static void add_change(struct diff *d, const struct store_container *c, const char *change, const struct policy_verdict *is,
		       const struct policy_verdict *was)
{
	const struct policy_verdict *from = !strcmp(change, "allowed") ? was : is, *other = from == is ? was : is;
	unsigned n = 0;

	json_object_open(d->j);
	json_kv_str(d->j, "host", c->host);
	json_kv_object(d->j, "container");
	json_kv_str(d->j, "id", c->id);
	record_json_text(d->j, "name", c->name, LIMIT_TEXT_BYTES);
	record_json_text(d->j, "image", c->image, LIMIT_TEXT_BYTES);
	json_object_close(d->j);
	json_kv_str(d->j, "change", change);
	json_kv_array(d->j, "denials");
	for (size_t i = 0; i < from->count && n < DIFF_DENIALS; i++) {
		if (from->denials[i].exception[0] || says(other, &from->denials[i]))
			continue;
		add_denial(d->j, &from->denials[i]);
		n++;
	}
	json_array_close(d->j);
	json_object_close(d->j);
}

static int judge(const struct policy *p, const struct policy_workload *w, struct diff *d, struct policy_verdict *ret)
{
	*ret = (struct policy_verdict){ .is_allowed = true };
	return p ? policy_judge(p, w, d->now_s, d->a, ret, d->err) : 0;
}

static int on_container(void *arg, const struct store_container *c)
{
	struct diff *d = arg;
	struct store_image image;
	struct policy_workload w;
	struct policy_verdict is, was;
	const char *change;

	arena_reset(d->a);
	bool is_scanned = c->image_id[0] && store_image_get(d->api->store, c->image_id, d->a, &image, NULL) >= 0;
	int r = workload_from(c, is_scanned ? &image : NULL, d->a, &w, d->err);
	if (r == -ERR_NOT_FOUND || r == -ERR_LIMIT) {
		d->unknown++;
		return 0;
	}
	if (r >= 0)
		r = judge(d->is, &w, d, &is);
	if (r >= 0)
		r = judge(d->was, &w, d, &was);
	if (r < 0)
		return r;
	d->judged++;
	change = change_of(&is, &was);
	if (!change)
		return 0;
	d->refused += !strcmp(change, "refused");
	d->monitored += !strcmp(change, "monitored");
	d->allowed += !strcmp(change, "allowed");
	add_change(d, c, change, &is, &was);
	return 0;
}

static int write_diff(struct api_call *c, const struct policy *is, const struct policy *was, struct slice cursor_text,
		      struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(ROW_ARENA_BYTES);
	char before[300], cursor[300] = "";
	struct json j;
	struct diff d = { .api = c->api, .j = &j, .is = is, .was = was, .a = a,
			  .now_s = clock_unix_ns(c->api->clk) / 1000000000, .err = err };

	if (!a)
		return err_set(err, ERR_LIMIT, "out of memory");
	if (!slice_copy(cursor_text, before, sizeof(before)))
		return err_set(err, ERR_SYNTAX, "the cursor is not one of ours");
	const struct store_query q = { .limit = DIFF_ROWS, .cursor = before };
	json_init(&j, &c->out);
	json_object_open(&j);
	json_kv_array(&j, "items");
	int r = store_container_query(c->api->store, &q, on_container, &d, cursor, sizeof(cursor), err);
	json_array_close(&j);
	json_kv_str(&j, "cursor", cursor);
	json_kv_u64(&j, "judged", d.judged);
	json_kv_u64(&j, "refused", d.refused);
	json_kv_u64(&j, "monitored", d.monitored);
	json_kv_u64(&j, "allowed", d.allowed);
	json_kv_u64(&j, "unknown", d.unknown);
	json_object_close(&j);
	if (r >= 0 && c->out.failed)
		return err_set(err, ERR_LIMIT, "the answer is too large");
	return r;
}

int api_policy_diff(struct api_call *c, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(TEXT_ARENA_BYTES);
	CLEANUP(policy_freep) struct policy *is = NULL, *was = NULL;
	struct store_policy now;
	struct sent x = { 0 };
	int r = a ? read_sent(c, &x, &is, err) : err_set(err, ERR_LIMIT, "out of memory");

	if (r >= 0) {
		r = store_policy_get(c->api->store, 0, a, &now, err);
		/* One that this version can't read any more counts as none. */
		if (r >= 0 && policy_parse(now.text, "in force", &was, NULL) < 0)
			was = NULL;
		r = r == -ERR_NOT_FOUND ? 0 : r;
	}
	if (r >= 0)
		r = write_diff(c, is, was, json_get_str(x.doc, "cursor"), err);
	cJSON_Delete(x.doc);
	return r;
}
