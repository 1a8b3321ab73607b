/* api_silences.c - silences: who does not want to be told of what, why, until when; and what that would have hidden. */
#include <inttypes.h>

#include "collector/api/api_priv.h"
#include "collector/store/store_quiet.h"
#include "common/text.h"

enum { MATCHERS_MAX = 4096 };
static const uint64_t looked_back_ns = 30ull * 24 * 3600 * 1000000000;

static void write_silence(struct json *j, const struct store_silence *x, uint64_t now)
{
	json_object_open(j);
	json_kv_i64(j, "id", x->id);
	json_kv_str(j, "matchers", x->matchers);
	json_kv_str(j, "state", x->ended_unix_ns || x->until_unix_ns <= now ? "ended" : x->begins_unix_ns > now ? "to come" : "active");
	json_kv_str(j, "reason", x->reason);
	json_kv_str(j, "who", x->who);
	json_kv_time(j, "created", x->created_unix_ns);
	json_kv_time(j, "from", x->begins_unix_ns);
	json_kv_time(j, "until", x->until_unix_ns);
	json_kv_u64(j, "hits", x->hits);
	if (x->last_hit_unix_ns)
		json_kv_time(j, "last_hit", x->last_hit_unix_ns);
	if (x->ended_unix_ns) {
		json_kv_time(j, "ended", x->ended_unix_ns);
		json_kv_str(j, "ended_by", x->ended_by);
	}
	json_object_close(j);
}

static int on_silence(void *arg, const struct store_silence *x)
{
	struct api_tally *t = arg;

	if (!api_tally_wants(t))
		return 0;
	write_silence(&t->page->j, x, clock_unix_ns(t->page->api->clk));
	return api_page_row_done(t->page);
}

static int run_list(struct api *a, const struct store_query *q, struct api_page *p, char *ret_cursor, size_t cursor_size,
		    struct err *err)
{
	struct api_tally t;
	int r = api_tally_begin(&t, q, p, err);

	if (r >= 0)
		r = store_silences_each(a->store, q->oldest_first, t.skip + q->limit + 1, on_silence, &t, err);
	api_tally_cursor(&t, ret_cursor, cursor_size);
	return r;
}

int api_silences_list(struct api_call *c, struct err *err)
{
	return api_leaves_list(c, run_list, err);
}

/* ---- making one ---- */

struct wish {
	char matchers[MATCHERS_MAX + 1], reason[API_REASON_MAX + 1];
	struct store_silence row;
};

static int read_wish(struct api_call *c, struct wish *w, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	uint64_t now = clock_unix_ns(c->api->clk);
	int r = api_body(c, &doc, err);

	*w = (struct wish){ .row = { .who = c->user, .begins_unix_ns = now } };
	w->row.matchers = w->matchers;
	w->row.reason = w->reason;
	if (r >= 0)
		r = api_read_text(doc, "matchers", w->matchers, sizeof(w->matchers), err);
	if (r >= 0)
		r = api_read_text(doc, "reason", w->reason, sizeof(w->reason), err);
	if (r >= 0 && !w->reason[0])
		r = err_set(err, ERR_SYNTAX, "a reason is needed: whoever comes after you wants to know why");
	struct slice from = json_get_str(doc, "from"), until = json_get_str(doc, "until");
	if (r >= 0 && from.n)
		r = api_read_until("from", from, now, &w->row.begins_unix_ns, err);
	if (r >= 0 && !until.n)
		r = err_set(err, ERR_SYNTAX, "until is needed: a silence ends (4h, 2027-01-31T08:00:00Z)");
	return r < 0 ? r : api_read_until("until", until, now, &w->row.until_unix_ns, err);
}

static int put(struct api_call *c, const struct wish *w, int64_t *ret, struct err *err)
{
	char subject[API_REASON_MAX + 1024], until[TEXT_TIME_MAX];
	struct store *s = c->api->store;
	int r = store_begin(s, err);

	if (r < 0)
		return r;
	r = store_silence_add(s, &w->row, ret, err);
	if (r >= 0) {
		snprintf(subject, sizeof(subject), "silence %" PRId64 " of %.600s until %.19sZ: %s", *ret, w->matchers,
			 text_time(w->row.until_unix_ns, until, sizeof(until)), w->reason);
		r = store_audit_log(s, c->user, "silence.create", subject, err);
	}
	return store_end(s, r, err);
}

struct one {
	struct json *j;
	uint64_t now;
	int64_t id;
};
static int write_one(void *arg, const struct store_silence *x)
{
	struct one *o = arg;

	if (x->id == o->id)
		write_silence(o->j, x, o->now);
	return 0;
}

int api_silence_add(struct api_call *c, struct err *err)
{
	struct wish w;
	struct json j;
	int64_t id;
	int r = read_wish(c, &w, err);

	if (r >= 0)
		r = put(c, &w, &id, err);
	if (r < 0)
		return r;
	json_init(&j, &c->out);
	struct one o = { &j, clock_unix_ns(c->api->clk), id };
	return store_silences_each(c->api->store, false, STORE_SILENCES_MAX, write_one, &o, err);
}

/* {"matchers":…, "cursor":…} -> what it would have hidden in the last 30 days, a slice of it. */
int api_silence_preview(struct api_call *c, struct err *err)
{
	CLEANUP(store_matcher_freep) struct store_matcher *m = NULL;
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	char matchers[MATCHERS_MAX + 1], cursor[64];
	int r = api_body(c, &doc, err);

	if (r >= 0)
		r = api_read_text(doc, "matchers", matchers, sizeof(matchers), err);
	if (r >= 0)
		r = api_read_text(doc, "cursor", cursor, sizeof(cursor), err);
	if (r >= 0)
		r = store_matcher_new(slice_of(matchers), &m, err); /* fewer keys than a list has */
	if (r < 0)
		return r;
	const struct store_query q = { .filter = slice_of(matchers),
				       .cursor = cursor,
				       .since_unix_ns = clock_unix_ns(c->api->clk) - looked_back_ns };
	return api_summary_write(c->api, &q, &c->out, err);
}

int api_silence_end(struct api_call *c, struct err *err)
{
	return api_end_leave(c, "silence", "silence.end", store_silence_end, err);
}
