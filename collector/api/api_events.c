/* api_events.c - the history. */
#include "collector/api/api_priv.h"
#include "collector/api/event_json.h"

static int on_event(void *arg, const struct store_event *e)
{
	struct api_page *p = arg;

	event_json(&p->j, e);
	return api_page_row_done(p);
}

static int run(struct api *a, const struct store_query *q, struct api_page *p, char *ret_cursor,
	       size_t cursor_size, struct err *err)
{
	return store_history_query(a->store, q, on_event, p, ret_cursor, cursor_size, err);
}

int api_events_list(struct api_call *c, struct err *err)
{
	struct store_query q;
	int r = api_page_query(c, &q, err);

	return r < 0 ? r : api_page_write(c, &q, run, err);
}
