/* api_findings.c - findings of checks: a list with its sums, one with all about its check, and what a person waives. */
#include <inttypes.h>

#include "collector/api/api_priv.h"
#include "collector/store/store_checks.h"
#include "common/text.h"

enum { ROW_ARENA_BYTES = 1024 * 1024, TOPS = 20 };

static int on_finding(void *arg, const struct store_check_finding *f)
{
	struct api_page *p = arg;

	json_object_open(&p->j);
	api_finding_json(&p->j, f);
	json_object_close(&p->j);
	return api_page_row_done(p);
}

static int on_top(void *arg, const char *check, const char *title, enum msg_severity severity, uint64_t count)
{
	struct json *j = arg;

	json_object_open(j);
	json_kv_str(j, "check", check);
	json_kv_slice(j, "title", slice_sub(slice_of(title), 0, 200));
	json_kv_str(j, "severity", msg_severity_name(severity));
	json_kv_u64(j, "count", count);
	json_object_close(j);
	return 0;
}

/* Of all there are, whatever the filter says: what to look at first. */
static int add_summary(struct api *a, struct buf *out, struct err *err)
{
	struct store_check_counts n;
	struct json j;
	int r = store_check_counts(a->store, &n, err);

	if (r < 0)
		return r;
	buf_add_str(out, ",\"summary\":");
	json_init(&j, out);
	json_object_open(&j);
	for (size_t i = ARRAY_LEN(n.open); i-- > 0;)
		json_kv_u64(&j, msg_severity_name((enum msg_severity)i), n.open[i]);
	json_kv_u64(&j, "waived", n.waived);
	json_kv_u64(&j, "mended", n.mended);
	json_kv_u64(&j, "subjects", n.subjects);
	json_kv_u64(&j, "hosts", n.hosts);
	json_kv_array(&j, "checks");
	r = store_check_tops(a->store, TOPS, on_top, &j, err);
	json_array_close(&j);
	json_object_close(&j);
	return r < 0 ? r : 0;
}

static int run_list(struct api *a, const struct store_query *q, struct api_page *p, char *ret_cursor, size_t cursor_size,
		    struct err *err)
{
	int r = store_check_finding_query(a->store, q, on_finding, p, ret_cursor, cursor_size, err);

	/* Once for all pages. */
	if (r >= 0 && !(q->cursor && q->cursor[0])) {
		buf_fini(&p->tail);
		buf_init(&p->tail, 64 * 1024);
		r = add_summary(a, &p->tail, err);
	}
	return r;
}

int api_findings_list(struct api_call *c, struct err *err)
{
	struct store_query q;
	int r = api_page_query(c, &q, err);

	return r < 0 ? r : api_page_write(c, &q, run_list, err);
}

/* ---- one ---- */

/* The waiver of that number. */
enum { WAIVERS_MAX = 100000 };
struct one {
	struct json *j;
	int64_t id;
	bool is_written;
};
static int write_one(void *arg, const struct store_waiver *w)
{
	struct one *o = arg;

	if (w->id != o->id)
		return 0;
	api_waiver_json(o->j, w);
	o->is_written = true;
	return 0;
}

int api_finding_show(struct api_call *c, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(ROW_ARENA_BYTES);
	struct store_check_finding f;
	struct store_check check;
	struct json j;
	int64_t id;

	if (!a)
		return err_set(err, ERR_LIMIT, "out of memory");
	int r = api_number(c, "finding", &id, err);
	if (r >= 0)
		r = store_check_finding_get(c->api->store, id, a, &f, err);
	if (r >= 0)
		r = store_check_get(c->api->store, f.catalogue, f.check, a, &check, err);
	if (r < 0)
		return r;
	json_init(&j, &c->out);
	json_object_open(&j);
	api_finding_json(&j, &f);
	json_kv_str(&j, "why", check.why);
	json_kv_str(&j, "check_fix", check.fix);
	json_kv_str(&j, "check_severity", msg_severity_name(check.severity));
	if (f.waiver) {
		struct one o = { .j = &j, .id = f.waiver };

		json_key(&j, "waived");
		r = store_waivers_each(c->api->store, false, WAIVERS_MAX, write_one, &o, err);
		if (r < 0)
			return r;
		if (!o.is_written)
			json_null(&j);
	}
	json_object_close(&j);
	return c->out.failed ? err_set(err, ERR_LIMIT, "the answer is too large") : 0;
}

/* ---- waiving ---- */

struct wish {
	char check[API_PATTERN_MAX + 1], subject[API_PATTERN_MAX + 1], host[API_PATTERN_MAX + 1];
	struct api_leave leave;
};

/* Stars and question marks; brackets mean something else to the store. */
static int read_pattern(const cJSON *doc, const char *key, char *dst, struct err *err)
{
	int r = api_read_text(doc, key, dst, API_PATTERN_MAX + 1, err);

	if (r >= 0 && strpbrk(dst, "[]"))
		return err_set(err, ERR_SYNTAX, "%s: a name with * and ?, without brackets", key);
	return r;
}

/* A finding by its number: this check, this subject, this host. */
static int of_finding(struct api_call *c, uint64_t id, struct wish *w, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(ROW_ARENA_BYTES);
	struct store_check_finding f;
	int r = a ? store_check_finding_get(c->api->store, (int64_t)id, a, &f, err) : err_set(err, ERR_LIMIT, "out of memory");

	if (r < 0)
		return r;
	if (strpbrk(f.subject, "*?[]"))
		return err_set(err, ERR_SYNTAX, "the name of finding %" PRIu64 "'s subject has signs of a pattern: say which by --subject",
			       id);
	slice_copy(slice_of(f.check), w->check, sizeof(w->check));
	if (!w->subject[0])
		slice_copy(slice_of(f.subject), w->subject, sizeof(w->subject));
	if (!w->host[0])
		slice_copy(slice_of(f.host), w->host, sizeof(w->host));
	return 0;
}

static int read_wish(struct api_call *c, struct wish *w, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	int r = api_body(c, &doc, err);

	*w = (struct wish){ 0 };
	if (r >= 0)
		r = read_pattern(doc, "check", w->check, err);
	if (r >= 0)
		r = read_pattern(doc, "subject", w->subject, err);
	if (r >= 0)
		r = read_pattern(doc, "host", w->host, err);
	if (r >= 0)
		r = api_read_leave(c, doc, &w->leave, err);
	uint64_t finding = json_get_u64(doc, "finding", 0);
	if (r >= 0 && finding)
		return of_finding(c, finding, w, err);
	if (r >= 0 && !w->check[0])
		return err_set(err, ERR_SYNTAX, "which? \"finding\": its number, or \"check\": an id (* for every check)");
	return r;
}

static int put_waiver(struct api_call *c, const struct wish *w, int64_t *ret, struct err *err)
{
	const struct store_waiver x = { .check = strcmp(w->check, "*") ? w->check : "",
					.subject = strcmp(w->subject, "*") ? w->subject : "",
					.host = strcmp(w->host, "*") ? w->host : "",
					.reason = w->leave.reason,
					.who = c->user,
					.until_unix_ns = w->leave.until_unix_ns };
	char subject[API_REASON_MAX + 1024], until[TEXT_TIME_MAX];
	struct store *s = c->api->store;
	int r = store_begin(s, err);

	if (r < 0)
		return r;
	r = store_waiver_add(s, &x, ret, err);
	if (r >= 0) {
		snprintf(subject, sizeof(subject), "%s on %s, host %s until %.10s (waiver %" PRId64 "): %s", w->check,
			 x.subject[0] ? x.subject : "*", x.host[0] ? x.host : "*",
			 text_time(w->leave.until_unix_ns, until, sizeof(until)), *ret, w->leave.reason);
		r = store_audit_log(s, c->user, "finding.waive", subject, err);
	}
	return api_end_judged(c, r, err);
}

int api_waiver_add(struct api_call *c, struct err *err)
{
	struct wish w;
	struct json j;
	int64_t id;
	int r = read_wish(c, &w, err);

	if (r >= 0)
		r = put_waiver(c, &w, &id, err);
	if (r < 0)
		return r;
	json_init(&j, &c->out);
	struct one o = { &j, id };
	return store_waivers_each(c->api->store, false, 1, write_one, &o, err);
}

static int on_waiver(void *arg, const struct store_waiver *x)
{
	struct api_tally *t = arg;

	if (!api_tally_wants(t))
		return 0;
	api_waiver_json(&t->page->j, x);
	return api_page_row_done(t->page);
}

static int run_waivers(struct api *a, const struct store_query *q, struct api_page *p, char *ret_cursor,
		       size_t cursor_size, struct err *err)
{
	struct api_tally t;
	int r = api_tally_begin(&t, q, p, err);

	if (r >= 0)
		r = store_waivers_each(a->store, q->oldest_first, t.skip + q->limit + 1, on_waiver, &t, err);
	api_tally_cursor(&t, ret_cursor, cursor_size);
	return r;
}

int api_waivers_list(struct api_call *c, struct err *err)
{
	return api_leaves_list(c, run_waivers, err);
}

int api_waiver_end(struct api_call *c, struct err *err)
{
	return api_end_leave(c, "waiver", "finding.waive.end", store_waiver_end, err);
}
