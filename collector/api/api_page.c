/* api_page.c - lists a page at a time: parameters in, {"items":[…],"cursor":…} out. */
#include <errno.h>
#include <strings.h>

#include "collector/api/api_priv.h"

#include "common/text.h"

const char *api_param(const struct api_call *c, const char *name)
{
	const char *v = evhttp_find_header(&c->query, name);

	return v && v[0] ? v : NULL;
}

static int read_time(const struct api_call *c, const char *name, uint64_t *ret, struct err *err)
{
	const char *text = api_param(c, name);
	uint64_t now = clock_unix_ns(c->api->clk), ms;

	*ret = 0;
	if (!text || text_time_parse(slice_of(text), ret))
		return 0;
	if (!text_duration_parse(slice_of(text), &ms) || ms > now / 1000000)
		return err_set(err, ERR_SYNTAX, "%s=%.60s: not a time (2026-11-23T20:00:00Z) nor an age (24h)",
			       name, text);
	*ret = now - ms * 1000000;
	return 0;
}

int api_page_query(const struct api_call *c, struct store_query *ret, struct err *err)
{
	const char *order = api_param(c, "order"), *limit = api_param(c, "limit");
	struct store_query q = { .filter = slice_of(api_param(c, "filter")),
				 .cursor = api_param(c, "cursor"),
				 .limit = API_LIMIT_DEFAULT };

	if (limit && (!slice_to_u64(slice_of(limit), &q.limit) || !q.limit || q.limit > API_LIMIT_MAX))
		return err_set(err, ERR_SYNTAX, "limit=%.40s: must be 1 to %d; follow the cursor for more",
			       limit, API_LIMIT_MAX);
	if (order && strcmp(order, "asc") != 0 && strcmp(order, "desc") != 0)
		return err_set(err, ERR_SYNTAX, "order=%.40s: must be asc or desc", order);
	const char *sort = api_param(c, "sort");
	if (sort && strcmp(sort, "risk") != 0)
		return err_set(err, ERR_SYNTAX, "sort=%.40s: must be risk", sort);
	q.by_risk = sort != NULL;
	q.oldest_first = order && !strcmp(order, "asc");
	int r = read_time(c, "since", &q.since_unix_ns, err);
	if (r >= 0)
		r = read_time(c, "until", &q.until_unix_ns, err);
	if (r < 0)
		return r;
	*ret = q;
	return 0;
}

int api_page_row_done(struct api_page *p)
{
	/* The last row may be as long as a record is, so room for one is kept. */
	if (p->out->failed || p->out->n > API_ANSWER_BYTES - 1024 * 1024)
		return -E2BIG;
	p->rows++;
	return 0;
}

int api_page_write(struct api_call *c, struct store_query *q,
		   int (*run)(struct api *a, const struct store_query *q, struct api_page *p,
			      char *ret_cursor, size_t cursor_size, struct err *err),
		   struct err *err)
{
	char cursor[256] = "";
	int r;

	do {
		struct api_page page = { .api = c->api, .out = &c->out };

		buf_reset(&c->out);
		buf_init(&page.tail, 4096);
		json_init(&page.j, &c->out);
		json_object_open(&page.j);
		json_kv_array(&page.j, "items");
		r = run(c->api, q, &page, cursor, sizeof(cursor), err);
		json_array_close(&page.j);
		json_kv_str(&page.j, "cursor", cursor);
		buf_add_slice(&c->out, buf_slice(&page.tail));
		json_object_close(&page.j);
		buf_fini(&page.tail);
		q->limit = page.rows;
	} while (r == -E2BIG && q->limit);
	if (r < 0)
		return r == -E2BIG ? err_set(err, ERR_LIMIT, "one row is larger than an answer may be") : r;
	return c->out.failed ? err_set(err, ERR_LIMIT, "the answer is too large") : 0;
}
