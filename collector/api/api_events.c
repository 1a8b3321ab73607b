/* api_events.c - the history. */
#include "collector/api/api_priv.h"
#include "collector/api/event_json.h"

static int on_event(void *arg, const struct store_event *e)
{
	struct api_page *p = arg;

	event_json(&p->j, e);
	return api_page_row_done(p);
}

void api_lost_json(struct json *j, const struct store_lost *lost)
{
	json_object_open(j);
	json_kv_u64(j, "process", lost->process);
	json_kv_u64(j, "rare", lost->rare);
	json_kv_u64(j, "volume", lost->volume);
	json_kv_u64(j, "other", lost->other);
	json_kv_bool(j, "partial", lost->is_partial);
	json_kv_array(j, "gaps");
	for (size_t i = 0; i < lost->gap_count; i++) {
		const struct store_gap *g = &lost->gaps[i];

		json_object_open(j);
		json_kv_str(j, "host", g->host);
		json_kv_str(j, "class", g->loss_class);
		json_kv_str(j, "reason", g->reason);
		json_kv_u64(j, "lost", g->lost);
		json_kv_time(j, "from", g->from_unix_ns);
		json_kv_time(j, "to", g->to_unix_ns);
		json_object_close(j);
	}
	json_array_close(j);
	json_kv_u64(j, "gaps_left_out", lost->gaps_left_out);
	json_object_close(j);
}

/* What the hosts asked for lost in the time asked for: an answer must not look whole when it isn't. */
static int add_lost(struct api *a, const struct store_query *q, struct api_page *p, struct err *err)
{
	struct store_lost lost;
	struct json j;
	int r = store_history_lost(a->store, q, &lost, err);

	if (r < 0)
		return r;
	buf_add_str(&p->tail, ",\"lost\":");
	json_init(&j, &p->tail);
	api_lost_json(&j, &lost);
	return 0;
}

static int run(struct api *a, const struct store_query *q, struct api_page *p, char *ret_cursor,
	       size_t cursor_size, struct err *err)
{
	int r = store_history_query(a->store, q, on_event, p, ret_cursor, cursor_size, err);

	/* Once for all pages. */
	if (r >= 0 && !(q->cursor && q->cursor[0]))
		r = add_lost(a, q, p, err);
	return r;
}

int api_events_list(struct api_call *c, struct err *err)
{
	struct store_query q;
	int r = api_page_query(c, &q, err);

	return r < 0 ? r : api_page_write(c, &q, run, err);
}
