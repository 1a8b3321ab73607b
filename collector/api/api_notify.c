/* api_notify.c - notification: how routes and receivers are doing, what waits, dead letters, test messages. */
#include <inttypes.h>

#include "collector/api/api_priv.h"
#include "collector/store/store_notify.h"
#include "common/text.h"

enum { NAME_MAX_BYTES = 64, PARTS_GIVEN = 32 };

static int ask(struct api_call *c, int (*fn)(void *arg, struct json *j, struct err *err), struct err *err)
{
	struct json j;

	if (!fn)
		return err_set(err, ERR_NOT_FOUND, "nobody notifies here");
	json_init(&j, &c->out);
	json_object_open(&j);
	int r = fn(c->api->arg, &j, err);
	json_object_close(&j);
	return r;
}

int api_notify_list(struct api_call *c, struct err *err)
{
	return ask(c, c->api->ops.on_notify, err);
}

/* ---- messages ---- */

static int on_part(void *arg, const struct store_part *p)
{
	json_i64(arg, p->alert);
	return 0;
}

static int on_message(void *arg, const struct store_outbox *o)
{
	struct api_tally *t = arg;
	struct json *j = &t->page->j;

	if (!api_tally_wants(t))
		return 0;
	json_object_open(j);
	json_kv_i64(j, "id", o->id);
	json_kv_str(j, "route", o->route);
	json_kv_str(j, "receiver", o->receiver);
	json_kv_str(j, "kind", o->kind);
	json_kv_str(j, "group", o->group);
	json_kv_str(j, "key", o->key);
	json_kv_str(j, "state", o->is_dead ? "dead" : o->attempts ? "retrying" : "waiting");
	json_kv_u64(j, "attempts", o->attempts);
	json_kv_time(j, "created", o->created_unix_ns);
	json_kv_time(j, "due", o->is_dead || o->due_unix_ns > INT64_MAX / 2 ? 0 : o->due_unix_ns);
	json_kv_str(j, "last_error", o->last_error);
	json_kv_array(j, "alerts");
	int r = store_notify_parts(t->page->api->store, o->id, PARTS_GIVEN, on_part, j, NULL);
	json_array_close(j);
	json_object_close(j);
	return r < 0 ? r : api_page_row_done(t->page);
}

static int run_messages(struct api *a, const struct store_query *q, struct api_page *p, char *ret_cursor,
			size_t cursor_size, struct err *err)
{
	struct api_tally t;
	int r = api_tally_begin(&t, q, p, err);

	if (r >= 0)
		r = store_notify_list(a->store, !q->oldest_first, 0, t.skip + q->limit + 1, on_message, &t, err);
	api_tally_cursor(&t, ret_cursor, cursor_size);
	return r;
}

int api_notify_messages(struct api_call *c, struct err *err)
{
	const char *dead = api_param(c, "dead");
	struct store_query q;
	int r = api_page_query(c, &q, err);

	if (r >= 0 && dead && strcmp(dead, "yes") != 0 && strcmp(dead, "no") != 0)
		r = err_set(err, ERR_SYNTAX, "dead=%.40s: must be yes or no", dead);
	if (r < 0)
		return r;
	q.oldest_first = !dead || !strcmp(dead, "no"); /* no order here: what waits, not what is dead */
	return api_page_write(c, &q, run_messages, err);
}

/* ---- deeds ---- */

static int end_deed(struct api_call *c, int r, const char *what, const char *subject, struct err *err)
{
	if (r >= 0)
		r = store_audit_log(c->api->store, c->user, what, subject, err);
	r = store_end(c->api->store, r, err);
	if (r >= 0 && c->api->ops.on_notify_changed)
		c->api->ops.on_notify_changed(c->api->arg);
	return r;
}

static int resend(struct api_call *c, int64_t id, struct err *err)
{
	char subject[64];
	uint64_t count = 0;
	int r = store_begin(c->api->store, err);

	if (r < 0)
		return r;
	r = store_notify_resend(c->api->store, id, &count, err);
	if (id)
		snprintf(subject, sizeof(subject), "message %" PRId64, id);
	else
		snprintf(subject, sizeof(subject), "all %" PRIu64 " dead letters", count);
	r = end_deed(c, r, "notify.resend", subject, err);
	if (r >= 0)
		buf_printf(&c->out, "{\"resent\":%" PRIu64 "}", count);
	return r < 0 ? r : 0;
}

int api_notify_resend(struct api_call *c, struct err *err)
{
	int64_t id;
	int r = api_number(c, "dead letter", &id, err);

	return r < 0 ? r : resend(c, id, err);
}

int api_notify_resend_all(struct api_call *c, struct err *err)
{
	return resend(c, 0, err);
}

int api_notify_drop(struct api_call *c, struct err *err)
{
	char subject[64];
	int64_t id;
	int r = api_number(c, "dead letter", &id, err);

	if (r >= 0)
		r = store_begin(c->api->store, err);
	if (r < 0)
		return r;
	r = store_notify_drop(c->api->store, id, err);
	snprintf(subject, sizeof(subject), "message %" PRId64, id);
	r = end_deed(c, r, "notify.drop", subject, err);
	if (r >= 0)
		buf_printf(&c->out, "{\"id\":%" PRId64 ",\"dropped\":true}", id);
	return r < 0 ? r : 0;
}

/* ---- tests: begun here, asked for until they are done ---- */

int api_notify_test(struct api_call *c, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	char name[NAME_MAX_BYTES + 1], subject[128];
	uint64_t id;
	int r = api_body(c, &doc, err);

	if (r >= 0)
		r = api_read_text(doc, "name", name, sizeof(name), err);
	if (r >= 0 && !name[0])
		r = err_set(err, ERR_SYNTAX, "body: {\"name\":\"ROUTE or RECEIVER\"} is needed");
	if (r >= 0 && !c->api->ops.on_notify_test)
		r = err_set(err, ERR_NOT_FOUND, "nobody notifies here");
	if (r >= 0)
		r = c->api->ops.on_notify_test(c->api->arg, name, &id, err);
	if (r < 0)
		return r;
	snprintf(subject, sizeof(subject), "%s", name);
	r = store_audit_log(c->api->store, c->user, "notify.test", subject, err);
	if (r >= 0)
		buf_printf(&c->out, "{\"id\":%" PRIu64 "}", id);
	return r < 0 ? r : 0;
}

int api_notify_test_show(struct api_call *c, struct err *err)
{
	struct json j;
	int64_t id;
	int r = api_number(c, "test", &id, err);

	if (r < 0)
		return r;
	if (!c->api->ops.on_notify_result)
		return err_set(err, ERR_NOT_FOUND, "nobody notifies here");
	json_init(&j, &c->out);
	json_object_open(&j);
	r = c->api->ops.on_notify_result(c->api->arg, (uint64_t)id, &j, err);
	json_object_close(&j);
	return r;
}
