/* api_exceptions.c - exceptions: proposed from an alert, with what they would have hidden, made, listed, ended. */
#include <inttypes.h>

#include "collector/alert/except.h"
#include "collector/api/api_priv.h"
#include "collector/store/store_exceptions.h"
#include "collector/store/store_triage.h"
#include "common/text.h"

enum { FIELDS_BYTES = 256, CONDITIONS_BYTES = 16 * 1024, ROW_ARENA_BYTES = 2 * 1024 * 1024, LOOK_AT = 100000 };
static const uint64_t looked_back_ns = 30ull * 24 * 3600 * 1000000000;

static void write_exception(struct json *j, const struct store_exception *x, uint64_t now)
{
	json_object_open(j);
	json_kv_i64(j, "id", x->id);
	json_kv_str(j, "rule", x->rule);
	json_kv_str(j, "conditions", x->conditions);
	json_kv_str(j, "state", x->ended_unix_ns || (x->until_unix_ns && x->until_unix_ns <= now) ? "ended" : "active");
	json_kv_str(j, "reason", x->reason);
	json_kv_str(j, "who", x->who);
	json_kv_time(j, "created", x->created_unix_ns);
	if (x->until_unix_ns) {
		json_kv_time(j, "until", x->until_unix_ns);
	} else {
		json_key(j, "until");
		json_null(j);
	}
	json_kv_u64(j, "hits", x->hits);
	if (x->last_hit_unix_ns)
		json_kv_time(j, "last_hit", x->last_hit_unix_ns);
	if (x->alert)
		json_kv_i64(j, "alert", x->alert);
	if (x->ended_unix_ns) {
		json_kv_time(j, "ended", x->ended_unix_ns);
		json_kv_str(j, "ended_by", x->ended_by);
	}
	json_object_close(j);
}

static int on_exception(void *arg, const struct store_exception *x)
{
	struct api_tally *t = arg;

	if (!api_tally_wants(t))
		return 0;
	write_exception(&t->page->j, x, clock_unix_ns(t->page->api->clk));
	return api_page_row_done(t->page);
}

static int run_list(struct api *a, const struct store_query *q, struct api_page *p, char *ret_cursor, size_t cursor_size,
		    struct err *err)
{
	struct api_tally t;
	int r = api_tally_begin(&t, q, p, err);

	if (r >= 0)
		r = store_exceptions_each(a->store, q->oldest_first, t.skip + q->limit + 1, on_exception, &t, err);
	api_tally_cursor(&t, ret_cursor, cursor_size);
	return r;
}

int api_exceptions_list(struct api_call *c, struct err *err)
{
	return api_leaves_list(c, run_list, err);
}

/* ---- of an alert ---- */

struct wish {
	struct arena *arena;
	cJSON *doc;
	struct store_alert al;
	char fields[FIELDS_BYTES];
	struct buf conditions;
};

static void wish_finip(struct wish *w)
{
	buf_fini(&w->conditions);
	cJSON_Delete(w->doc);
	arena_free(w->arena);
}

/* {"alert":42, "fields":"image,exe"}: what is excepted is always made here, from an alert that there is. */
static int read_wish(struct api_call *c, struct wish *w, struct err *err)
{
	w->arena = arena_new(ROW_ARENA_BYTES);
	if (!w->arena)
		return err_set(err, ERR_LIMIT, "out of memory");
	int r = api_body(c, &w->doc, err);
	if (r >= 0)
		r = api_read_text(w->doc, "fields", w->fields, sizeof(w->fields), err);
	uint64_t id = r < 0 ? 0 : json_get_u64(w->doc, "alert", 0);
	if (r >= 0 && (!id || id > INT64_MAX))
		r = err_set(err, ERR_SYNTAX, "of which alert? \"alert\": its number");
	if (r >= 0)
		r = store_alert_get(c->api->store, (int64_t)id, w->arena, &w->al, err);
	buf_init(&w->conditions, CONDITIONS_BYTES);
	return r < 0 ? r : alert_except_propose(&w->al, w->fields, &w->conditions, err);
}

int api_exception_propose(struct api_call *c, struct err *err)
{
	CLEANUP(wish_finip) struct wish w = { 0 };
	CLEANUP(buf_finip) struct buf falco = { 0 };
	struct json j;
	int r = read_wish(c, &w, err);

	if (r < 0)
		return r;
	buf_init(&falco, 4 * CONDITIONS_BYTES);
	alert_except_falco(&w.al, w.fields, w.al.id, &falco);
	json_init(&j, &c->out);
	json_object_open(&j);
	json_kv_i64(&j, "alert", w.al.id);
	json_kv_str(&j, "conditions", w.conditions.p);
	json_kv_slice(&j, "falco", falco.failed ? SLICE_NONE : buf_slice(&falco));
	json_kv_bool(&j, "needs_force", alert_except_needs_force(&w.al));
	json_object_close(&j);
	return c->out.failed ? err_set(err, ERR_LIMIT, "the answer is too large") : 0;
}

/* ---- what it would have hidden ---- */

struct look {
	struct store *store;
	struct store_matcher *matcher;
	uint64_t now, findings;
	struct err *err;
};

static int on_event(void *arg, const struct store_event *e)
{
	struct look *l = arg;
	int r = alert_except_matches(l->matcher, e->agent, e->host, e->record, l->now, l->err);

	if (r > 0)
		l->findings += e->record->finding->count ? e->record->finding->count : 1;
	return r < 0 ? r : 0;
}

/* The findings of the history: what alerts folded, and what earlier exceptions took. */
static int look_back(struct api_call *c, const struct wish *w, struct look *l, const char *from, char *ret_cursor, size_t size,
		     struct err *err)
{
	CLEANUP(buf_finip) struct buf filter = { 0 };
	struct store_query q = { .cursor = from, .since_unix_ns = l->now - looked_back_ns, .limit = LOOK_AT };

	buf_init(&filter, 4096);
	buf_add_str(&filter, "type=finding ");
	/* its first term: the rule, quoted */
	const char *end = strstr(w->conditions.p, " source=");
	buf_add(&filter, w->conditions.p, end ? (size_t)(end - w->conditions.p) : 0);
	if (filter.failed)
		return err_set(err, ERR_LIMIT, "the rule's name is too long");
	q.filter = buf_slice(&filter);
	return store_history_query(c->api->store, &q, on_event, l, ret_cursor, size, err);
}

static int write_findings(struct api_call *c, uint64_t findings, const char *cursor)
{
	struct json j;

	json_init(&j, &c->out);
	json_object_open(&j);
	json_kv_u64(&j, "history_findings", findings);
	json_kv_str(&j, "cursor", cursor);
	json_object_close(&j);
	return 0;
}

/* First the alerts, then (a cursor that begins with H) the history; each answer is a slice of either. */
int api_exception_preview(struct api_call *c, struct err *err)
{
	CLEANUP(store_matcher_freep) struct store_matcher *m = NULL;
	CLEANUP(wish_finip) struct wish w = { 0 };
	char cursor[128], next[80] = "", out[96];
	int r = read_wish(c, &w, err);

	if (r >= 0)
		r = api_read_text(w.doc, "cursor", cursor, sizeof(cursor), err);
	if (r >= 0)
		r = store_matcher_new(buf_slice(&w.conditions), &m, err);
	if (r < 0)
		return r;
	struct look l = { c->api->store, m, clock_unix_ns(c->api->clk), 0, err };
	if (cursor[0] == 'H') {
		r = look_back(c, &w, &l, cursor + 1, next, sizeof(next), err);
		snprintf(out, sizeof(out), "%s%s", next[0] ? "H" : "", next);
		return r < 0 ? r : write_findings(c, l.findings, out);
	}
	const struct store_query q = { .filter = buf_slice(&w.conditions), .cursor = cursor,
				       .since_unix_ns = l.now - looked_back_ns };
	return api_summary_write_more(c->api, &q, ",\"history_findings\":0", "H", &c->out, err);
}

/* ---- making one ---- */

static int put(struct api_call *c, const struct wish *w, const struct store_exception *x, int64_t *ret, struct err *err)
{
	char subject[API_REASON_MAX + 1200], text[64];
	struct store *s = c->api->store;
	int r = store_begin(s, err);

	if (r < 0)
		return r;
	r = store_exception_add(s, x, ret, err);
	if (r >= 0) {
		snprintf(subject, sizeof(subject), "exception %" PRId64 " from alert %" PRId64 ": %.800s: %s", *ret, w->al.id,
			 x->conditions, x->reason);
		r = store_audit_log(s, c->user, "exception.create", subject, err);
	}
	snprintf(text, sizeof(text), "exception %" PRId64, *ret);
	if (r >= 0)
		r = store_trail_add(s, w->al.id, c->user, "excepted", text, err);
	return store_end(s, r, err);
}

struct one {
	struct json *j;
	uint64_t now;
	int64_t id;
};
static int write_one(void *arg, const struct store_exception *x)
{
	struct one *o = arg;

	if (x->id == o->id)
		write_exception(o->j, x, o->now);
	return 0;
}

int api_exception_add(struct api_call *c, struct err *err)
{
	CLEANUP(wish_finip) struct wish w = { 0 };
	char reason[API_REASON_MAX + 1];
	struct store_exception x = { .reason = reason, .who = c->user };
	struct json j;
	int64_t id = 0;
	int r = read_wish(c, &w, err);

	if (r >= 0)
		r = api_read_text(w.doc, "reason", reason, sizeof(reason), err);
	if (r >= 0 && !reason[0])
		r = err_set(err, ERR_SYNTAX, "a reason is needed: whoever comes after you wants to know why");
	if (r >= 0 && alert_except_needs_force(&w.al) && !json_get_bool(w.doc, "force", false))
		r = err_set(err, ERR_DENIED,
			    "alert %" PRId64 " is the collector's own: loss or tampering would go by unheard. If that is meant:"
			    " --force", w.al.id);
	struct slice until = json_get_str(w.doc, "until");
	if (r >= 0 && until.n)
		r = api_read_until("until", until, clock_unix_ns(c->api->clk), &x.until_unix_ns, err);
	if (r < 0)
		return r;
	x.conditions = w.conditions.p;
	x.alert = w.al.id;
	r = put(c, &w, &x, &id, err);
	if (r < 0)
		return r;
	json_init(&j, &c->out);
	struct one o = { &j, clock_unix_ns(c->api->clk), id };
	return store_exceptions_each(c->api->store, false, STORE_EXCEPTIONS_MAX, write_one, &o, err);
}

int api_exception_end(struct api_call *c, struct err *err)
{
	return api_end_leave(c, "exception", "exception.end", store_exception_end, err);
}
