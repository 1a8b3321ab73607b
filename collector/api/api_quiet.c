/* api_quiet.c - what is not told because of what, and who is told next when nobody acknowledges. */
#include "collector/api/api_priv.h"
#include "collector/store/store_quiet_list.h"

static int on_inhibited(void *arg, const struct store_inhibited *x)
{
	struct api_tally *t = arg;
	struct json *j = &t->page->j;

	if (!api_tally_wants(t))
		return 0;
	json_object_open(j);
	json_kv_i64(j, "alert", x->alert);
	json_kv_str(j, "severity", msg_severity_name(x->severity));
	json_kv_str(j, "title", x->title);
	json_kv_str(j, "rule", x->rule);
	json_kv_str(j, "host", x->host);
	json_kv_time(j, "since", x->since_unix_ns);
	json_kv_object(j, "by");
	json_kv_i64(j, "alert", x->by);
	json_kv_str(j, "title", x->by_title);
	json_kv_str(j, "rule", x->by_rule);
	json_kv_str(j, "host", x->by_host);
	json_object_close(j);
	json_object_close(j);
	return api_page_row_done(t->page);
}

static int run_inhibited(struct api *a, const struct store_query *q, struct api_page *p, char *ret_cursor, size_t cursor_size,
			 struct err *err)
{
	struct api_tally t;
	int r = api_tally_begin(&t, q, p, err);

	if (r >= 0)
		r = store_inhibited_each(a->store, t.skip + q->limit + 1, on_inhibited, &t, err);
	api_tally_cursor(&t, ret_cursor, cursor_size);
	return r;
}

static int on_escalating(void *arg, const struct store_escalating *x)
{
	struct api_tally *t = arg;
	struct json *j = &t->page->j;

	if (!api_tally_wants(t))
		return 0;
	json_object_open(j);
	json_kv_i64(j, "alert", x->alert);
	json_kv_str(j, "policy", x->policy);
	json_kv_time(j, "due", x->due_unix_ns);
	json_kv_u64(j, "told", x->done);
	json_kv_str(j, "severity", msg_severity_name(x->severity));
	json_kv_str(j, "title", x->title);
	json_kv_str(j, "rule", x->rule);
	json_kv_str(j, "host", x->host);
	json_object_close(j);
	return api_page_row_done(t->page);
}

static int run_escalating(struct api *a, const struct store_query *q, struct api_page *p, char *ret_cursor, size_t cursor_size,
			  struct err *err)
{
	struct api_tally t;
	int r = api_tally_begin(&t, q, p, err);

	if (r >= 0)
		r = store_escalating_each(a->store, t.skip + q->limit + 1, on_escalating, &t, err);
	api_tally_cursor(&t, ret_cursor, cursor_size);
	return r;
}

int api_inhibitions_list(struct api_call *c, struct err *err)
{
	struct store_query q;
	int r = api_page_query(c, &q, err);

	return r < 0 ? r : api_page_write(c, &q, run_inhibited, err);
}

int api_escalations_list(struct api_call *c, struct err *err)
{
	struct store_query q;
	int r = api_page_query(c, &q, err);

	return r < 0 ? r : api_page_write(c, &q, run_escalating, err);
}
