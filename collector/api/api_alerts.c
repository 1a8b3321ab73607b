/* api_alerts.c - the inbox: list, show, and what a person does with an alert. */
#include <inttypes.h>

#include <event2/buffer.h>

#include "collector/api/api_priv.h"
#include "collector/store/record_json.h"

#include "common/text.h"

/* A loss is told of some time after it happened. */
static const uint64_t near_ns = 60ull * 1000000000;
enum { ROW_ARENA_BYTES = 1024 * 1024, COMMENT_MAX = 2000, ASSIGNEE_MAX = 64 };

static int on_alert(void *arg, const struct store_alert *al)
{
	struct api_page *p = arg;

	record_json_alert(&p->j, al);
	return api_page_row_done(p);
}

static int run(struct api *a, const struct store_query *q, struct api_page *p, char *ret_cursor,
	       size_t cursor_size, struct err *err)
{
	return store_alert_query(a->store, q, on_alert, p, ret_cursor, cursor_size, err);
}

int api_alerts_list(struct api_call *c, struct err *err)
{
	struct store_query q;
	int r = api_page_query(c, &q, err);

	return r < 0 ? r : api_page_write(c, &q, run, err);
}

/* What the alert's host lost from a minute before it to a minute after it: what stands in it may be less than
 * what happened. Of the collector's own alerts there is no host to ask for. */
static int add_lost(struct api_call *c, const struct store_alert *al, struct json *j, struct err *err)
{
	char filter[128];
	struct store_lost lost;
	struct store_query q = { .limit = 1,
				 .since_unix_ns = al->first_seen_unix_ns > near_ns ? al->first_seen_unix_ns - near_ns : 1,
				 .until_unix_ns = al->last_seen_unix_ns + near_ns };

	if (!al->agent[0] || strlen(al->agent) > 64 || strchr(al->agent, '"'))
		return 0;
	snprintf(filter, sizeof(filter), "agent=\"%s\"", al->agent);
	q.filter = slice_of(filter);
	int r = store_history_lost(c->api->store, &q, &lost, err);
	if (r < 0)
		return r;
	json_key(j, "lost");
	api_lost_json(j, &lost);
	return 0;
}

static int write_alert(struct api_call *c, int64_t id, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(ROW_ARENA_BYTES);
	struct store_alert al;
	struct json j;

	if (!a)
		return err_set(err, ERR_LIMIT, "out of memory");
	int r = store_alert_get(c->api->store, id, a, &al, err);
	if (r < 0)
		return r;
	buf_reset(&c->out);
	json_init(&j, &c->out);
	json_object_open(&j);
	record_json_alert_members(&j, &al);
	r = add_lost(c, &al, &j, err);
	json_object_close(&j);
	return r < 0 ? r : 0;
}

int api_alert_show(struct api_call *c, struct err *err)
{
	int64_t id;
	int r = api_number(c, "alert", &id, err);

	return r < 0 ? r : write_alert(c, id, err);
}

/* What a person sends along: {"comment":…, "assignee":…, "reason":…}, all optional. */
struct deed {
	cJSON *doc; /* caller frees with cJSON_Delete */
	struct slice comment, assignee, reason;
};

int api_body(const struct api_call *c, cJSON **ret, struct err *err)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(c->req);
	size_t n = evbuffer_get_length(in);

	*ret = NULL;
	if (!n)
		return 0;
	int r = json_parse(slice_from(evbuffer_pullup(in, -1), n), API_BODY_BYTES, ret, err);
	return r < 0 ? err_wrap(err, r, "body") : 0;
}

static int read_deed(const struct api_call *c, struct deed *ret, struct err *err)
{
	struct deed d = { 0 };
	int r = api_body(c, &d.doc, err);

	if (r < 0)
		return r;
	d.comment = json_get_str(d.doc, "comment");
	d.assignee = json_get_str(d.doc, "assignee");
	d.reason = json_get_str(d.doc, "reason");
	if (d.comment.n > COMMENT_MAX || d.assignee.n > ASSIGNEE_MAX || d.reason.n > ASSIGNEE_MAX ||
	    !text_is_clean(d.assignee) || !text_is_clean(d.reason)) {
		cJSON_Delete(d.doc);
		return err_set(err, ERR_SYNTAX,
			       "comment: at most %d bytes; assignee, reason: at most %d, no control characters",
			       COMMENT_MAX, ASSIGNEE_MAX);
	}
	*ret = d;
	return 0;
}

static int note(struct api_call *c, int64_t id, const char *what, struct slice text, struct err *err)
{
	char subject[COMMENT_MAX + 64];

	if (!text.n)
		return 0;
	snprintf(subject, sizeof(subject), "alert %" PRId64 ": %.*s", id, SLICE_FMT(text));
	return store_audit_log(c->api->store, c->user, what, subject, err);
}

/* status NULL: the one it has. assignee NULL: the one it has. */
static int change(struct api_call *c, int64_t id, const char *status, const struct deed *d,
		  const char *assignee, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(ROW_ARENA_BYTES);
	struct store_alert al;

	if (!a)
		return err_set(err, ERR_LIMIT, "out of memory");
	/* The deed and what is said about it: both or neither. */
	int r = store_begin(c->api->store, err);
	if (r < 0)
		return r;
	r = store_alert_get(c->api->store, id, a, &al, err);
	if (r >= 0 && (status || assignee))
		r = store_alert_set_status(c->api->store, id, status ? status : al.status, assignee,
					   c->user, err);
	if (r >= 0)
		r = note(c, id, "alert.comment", d->comment, err);
	if (r >= 0)
		r = note(c, id, "alert.reason", d->reason, err);
	r = store_end(c->api->store, r, err);
	return r < 0 ? r : write_alert(c, id, err);
}

static int act(struct api_call *c, const char *status, bool is_assigning, bool needs_comment,
	       struct err *err)
{
	int64_t id;
	struct deed d = { 0 };
	char assignee[ASSIGNEE_MAX + 1];

	int r = api_number(c, "alert", &id, err);
	if (r >= 0)
		r = read_deed(c, &d, err);
	if (r < 0)
		return r;
	/* The audit log keeps remarks until alerts have a timeline of their own. */
	if (needs_comment && !d.comment.n)
		r = err_set(err, ERR_SYNTAX, "body: {\"comment\":\"…\"} is needed");
	slice_copy(d.assignee, assignee, sizeof(assignee));
	if (r >= 0)
		r = change(c, id, status, &d, is_assigning ? assignee : NULL, err);
	cJSON_Delete(d.doc);
	return r;
}

int api_alert_ack(struct api_call *c, struct err *err)
{
	return act(c, "acknowledged", false, false, err);
}

int api_alert_resolve(struct api_call *c, struct err *err)
{
	return act(c, "resolved", false, false, err);
}

int api_alert_assign(struct api_call *c, struct err *err)
{
	return act(c, NULL, true, false, err);
}

int api_alert_comment(struct api_call *c, struct err *err)
{
	return act(c, NULL, false, true, err);
}
