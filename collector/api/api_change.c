/* api_change.c - what people change: a number in a path, a reason, an end; and what acceptances and waivers do alike. */
#include <inttypes.h>

#include "collector/api/api_priv.h"
#include "collector/store/filter.h"
#include "common/text.h"

static const uint64_t day_ns = 24ull * 3600 * 1000000000;

int api_number(const struct api_call *c, const char *what, int64_t *ret, struct err *err)
{
	uint64_t id;

	if (!slice_to_u64(c->id, &id) || !id || id > INT64_MAX)
		return err_set(err, ERR_NOT_FOUND, "no %s '%.*s'", what, SLICE_FMT(slice_sub(c->id, 0, 40)));
	*ret = (int64_t)id;
	return 0;
}

int api_read_text(const cJSON *doc, const char *key, char *dst, size_t size, struct err *err)
{
	struct slice s = json_get_str(doc, key);

	if (!text_is_clean(s) || !slice_copy(s, dst, size))
		return err_set(err, ERR_SYNTAX, "%s: at most %zu bytes, without control characters", key, size - 1);
	return 0;
}

/* "90d" from now, a day, or a time; in the future, and within a year: what is accepted is looked at again. */
static int read_until(struct slice text, uint64_t now, uint64_t *ret, struct err *err)
{
	uint64_t ms;

	if (!text.n)
		*ret = now + 90 * day_ns;
	else if (text_duration_parse(text, &ms) && ms <= 366ull * 86400000)
		*ret = now + ms * 1000000;
	else if (!filter_time_parse(text, now, ret))
		return err_set(err, ERR_SYNTAX, "until: '%.*s' is no time (90d, 2027-01-31)",
			       SLICE_FMT(slice_sub(text, 0, 40)));
	if (*ret <= now || *ret > now + 366 * day_ns)
		return err_set(err, ERR_SYNTAX, "until: a time within the next 366 days");
	return 0;
}

int api_read_leave(const struct api_call *c, const cJSON *doc, struct api_leave *ret, struct err *err)
{
	int r = api_read_text(doc, "reason", ret->reason, sizeof(ret->reason), err);

	if (r >= 0 && !ret->reason[0])
		r = err_set(err, ERR_SYNTAX, "a reason is needed: whoever comes after you wants to know why");
	return r < 0 ? r : read_until(json_get_str(doc, "until"), clock_unix_ns(c->api->clk), &ret->until_unix_ns, err);
}

int api_end_judged(struct api_call *c, int r, struct err *err)
{
	r = store_end(c->api->store, r, err);
	if (r >= 0 && c->api->ops.on_changed)
		c->api->ops.on_changed(c->api->arg);
	return r;
}

int api_end_leave(struct api_call *c, const char *what, const char *deed,
		  int (*end)(struct store *s, int64_t id, const char *who, struct err *err), struct err *err)
{
	struct store *s = c->api->store;
	char subject[64];
	int64_t id;
	int r = api_number(c, what, &id, err);

	if (r >= 0)
		r = store_begin(s, err);
	if (r < 0)
		return r;
	r = end(s, id, c->user, err);
	snprintf(subject, sizeof(subject), "%s %" PRId64, what, id);
	if (r >= 0)
		r = store_audit_log(s, c->user, deed, subject, err);
	r = api_end_judged(c, r, err);
	if (r >= 0)
		buf_printf(&c->out, "{\"id\":%" PRId64 ",\"ended\":true}", id);
	return r < 0 ? r : 0;
}

/* ---- lists of them: a cursor is how many were given ---- */

int api_leaves_list(struct api_call *c,
		    int (*run)(struct api *a, const struct store_query *q, struct api_page *p, char *ret_cursor,
			       size_t cursor_size, struct err *err),
		    struct err *err)
{
	const char *ended = api_param(c, "ended");
	struct store_query q;
	int r = api_page_query(c, &q, err);

	if (r >= 0 && ended && strcmp(ended, "yes") != 0 && strcmp(ended, "no") != 0)
		r = err_set(err, ERR_SYNTAX, "ended=%.40s: must be yes or no", ended);
	if (r < 0)
		return r;
	q.oldest_first = ended && !strcmp(ended, "yes"); /* no order here: those that ended, too */
	return api_page_write(c, &q, run, err);
}

int api_tally_begin(struct api_tally *t, const struct store_query *q, struct api_page *p, struct err *err)
{
	*t = (struct api_tally){ .page = p, .limit = q->limit };
	if (q->cursor && (!slice_to_u64(slice_of(q->cursor), &t->skip) || t->skip > INT32_MAX))
		return err_set(err, ERR_SYNTAX, "the cursor is not one of ours");
	return 0;
}

bool api_tally_wants(struct api_tally *t)
{
	if (t->seen++ < t->skip)
		return false;
	t->has_more |= t->page->rows == t->limit;
	return !t->has_more;
}

void api_tally_cursor(const struct api_tally *t, char *ret_cursor, size_t cursor_size)
{
	snprintf(ret_cursor, cursor_size, t->has_more ? "%" PRIu64 : "", t->skip + t->page->rows);
}
