/* api_alerts.c - the inbox: list and show. What people do with alerts: api_triage.c. */
#include <inttypes.h>

#include <event2/buffer.h>

#include "collector/alert/quiet.h"
#include "collector/api/api_priv.h"
#include "collector/store/record_json.h"
#include "collector/store/store_triage.h"

#include "common/text.h"

/* A loss is told of some time after it happened. */
static const uint64_t near_ns = 60ull * 1000000000;
enum { ROW_ARENA_BYTES = 2 * 1024 * 1024 };

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

static int on_trail(void *arg, const struct store_trail *t)
{
	struct json *j = arg;

	json_object_open(j);
	json_kv_time(j, "time", t->time_unix_ns);
	json_kv_str(j, "who", t->who);
	json_kv_bool(j, "person", t->is_person);
	json_kv_str(j, "what", t->what);
	json_kv_str(j, "text", t->text);
	json_object_close(j);
	return 0;
}

/* Who did what with it, and why it is not told now. */
static int add_trail(struct api_call *c, const struct store_alert *al, struct json *j, struct err *err)
{
	struct alert_quiet q = { 0 };
	int r = 0;

	if (strcmp(al->status, "resolved") != 0)
		r = alert_quiet(c->api->store, al, clock_unix_ns(c->api->clk), &q, err);
	if (r < 0)
		return r;
	if (q.is_quiet)
		json_kv_str(j, "quiet", q.why);
	json_kv_array(j, "trail");
	r = store_trail_each(c->api->store, al->id, on_trail, j, err);
	json_array_close(j);
	return r;
}

int api_alert_write(struct api_call *c, int64_t id, struct err *err)
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
	if (r >= 0)
		r = add_trail(c, &al, &j, err);
	json_object_close(&j);
	return r < 0 ? r : 0;
}

int api_alert_show(struct api_call *c, struct err *err)
{
	int64_t id;
	int r = api_number(c, "alert", &id, err);

	return r < 0 ? r : api_alert_write(c, id, err);
}

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
