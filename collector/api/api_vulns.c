/* api_vulns.c - vulnerabilities: a list, one with all its places, and what a person accepts. */
#include <inttypes.h>

#include "collector/api/api_priv.h"
#include "collector/store/store_vulns.h"
#include "common/text.h"

enum { ROW_ARENA_BYTES = 4 * 1024 * 1024, PLACES_MAX = 1000, ACCEPTANCES_MAX = 1000 };

static int on_vuln(void *arg, const struct store_vuln *v)
{
	struct api_page *p = arg;

	json_object_open(&p->j);
	api_vuln_json(&p->j, v);
	json_object_close(&p->j);
	return api_page_row_done(p);
}

static int run_list(struct api *a, const struct store_query *q, struct api_page *p, char *ret_cursor,
		    size_t cursor_size, struct err *err)
{
	return store_vuln_query(a->store, q, on_vuln, p, ret_cursor, cursor_size, err);
}

int api_vulns_list(struct api_call *c, struct err *err)
{
	struct store_query q;
	int r = api_page_query(c, &q, err);

	return r < 0 ? r : api_page_write(c, &q, run_list, err);
}

/* ---- one ---- */

struct accepted {
	struct store_acceptance *all; /* texts in the arena */
	size_t count;
	struct arena *a;
};

static int keep_acceptance(void *arg, const struct store_acceptance *x)
{
	struct accepted *k = arg;
	struct store_acceptance *to = &k->all[k->count++];
	const char **texts[] = { &to->vuln, &to->image, &to->package, &to->reason, &to->who, &to->ended_by };

	*to = *x;
	if (!arena_keep(k->a, texts, ARRAY_LEN(texts)))
		return -ERR_LIMIT;
	return 0;
}

struct places {
	struct api *api;
	struct json *j;
	const struct accepted *accepted;
	uint64_t given;
};

static void add_image(struct places *x, const struct store_place *p)
{
	const struct store_image im = { .row = p->image, .image_id = p->image_id, .names = p->names };
	char name[512];

	json_kv_object(x->j, "image");
	json_kv_str(x->j, "id", p->image_id);
	json_kv_str(x->j, "name", store_image_name(x->api->store, &im, name, sizeof(name)));
	json_kv_bool(x->j, "running", p->hosts > 0);
	json_kv_u64(x->j, "hosts", p->hosts);
	json_kv_u64(x->j, "containers", p->containers);
	json_kv_bool(x->j, "exposed", p->is_exposed);
	json_object_close(x->j);
}

static int on_place(void *arg, const struct store_place *p)
{
	struct places *x = arg;
	const struct store_acceptance *by = NULL;

	for (size_t i = 0; i < x->accepted->count && !by; i++)
		if (store_acceptance_covers(&x->accepted->all[i], p))
			by = &x->accepted->all[i];
	json_object_open(x->j);
	add_image(x, p);
	api_place_json(x->api, x->j, p);
	json_key(x->j, "accepted");
	if (by)
		json_i64(x->j, by->id);
	else
		json_null(x->j);
	json_object_close(x->j);
	x->given++;
	return 0;
}

static int write_vuln(struct api_call *c, const char *id, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(ROW_ARENA_BYTES);
	struct accepted accepted = { .a = a };
	struct store_vuln v;
	struct json j;

	if (!a)
		return err_set(err, ERR_LIMIT, "out of memory");
	int r = store_vuln_get(c->api->store, id, a, &v, err);
	if (r < 0)
		return r;
	accepted.all = arena_zalloc(a, ACCEPTANCES_MAX, sizeof(*accepted.all));
	if (!accepted.all)
		return err_set(err, ERR_LIMIT, "out of memory");
	r = store_acceptances_each(c->api->store, &v, false, ACCEPTANCES_MAX, keep_acceptance, &accepted, err);
	if (r < 0)
		return r;
	buf_reset(&c->out);
	json_init(&j, &c->out);
	json_object_open(&j);
	api_vuln_json(&j, &v);
	json_kv_str(&j, "vector", v.vector);
	json_kv_str(&j, "description", v.description);
	api_raw_list(&j, "urls", v.urls);
	json_kv_array(&j, "places");
	struct places x = { c->api, &j, &accepted, 0 };
	r = store_vuln_places(c->api->store, v.row, 0, PLACES_MAX, on_place, &x, err);
	json_array_close(&j);
	json_kv_bool(&j, "places_cut", x.given == PLACES_MAX);
	json_kv_array(&j, "acceptances");
	for (size_t i = 0; i < accepted.count; i++)
		api_acceptance_json(&j, &accepted.all[i]);
	json_array_close(&j);
	json_object_close(&j);
	if (r >= 0 && c->out.failed)
		return err_set(err, ERR_LIMIT, "the answer is too large");
	return r;
}

int api_vuln_show(struct api_call *c, struct err *err)
{
	if (!c->id.n)
		return err_set(err, ERR_NOT_FOUND, "no such vulnerability");
	return write_vuln(c, c->id.p, err);
}

/* ---- accepting ---- */

struct wish {
	char image[API_PATTERN_MAX + 1], package[API_PATTERN_MAX + 1];
	struct api_leave leave;
};

static int read_wish(const struct api_call *c, struct wish *w, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	int r = api_body(c, &doc, err);

	*w = (struct wish){ 0 };
	if (r >= 0)
		r = api_read_text(doc, "image", w->image, sizeof(w->image), err);
	if (r >= 0)
		r = api_read_text(doc, "package", w->package, sizeof(w->package), err);
	return r < 0 ? r : api_read_leave(c, doc, &w->leave, err);
}

static int log_acceptance(struct api_call *c, const char *id, const struct wish *w, int64_t number, struct err *err)
{
	char subject[API_REASON_MAX + 1024], until[TEXT_TIME_MAX];

	snprintf(subject, sizeof(subject), "%.128s%s%s%s%s until %.10s (acceptance %" PRId64 "): %s", id,
		 w->image[0] ? " image=" : "", w->image, w->package[0] ? " package=" : "", w->package,
		 text_time(w->leave.until_unix_ns, until, sizeof(until)), number, w->leave.reason);
	return store_audit_log(c->api->store, c->user, "vuln.accept", subject, err);
}

static int put_acceptance(struct api_call *c, const struct wish *w, const char *id, struct err *err)
{
	const struct store_acceptance x = { .vuln = id, .image = w->image, .package = w->package, .reason = w->leave.reason,
					    .who = c->user, .until_unix_ns = w->leave.until_unix_ns };
	int64_t number;
	int r = store_begin(c->api->store, err);

	if (r < 0)
		return r;
	r = store_acceptance_add(c->api->store, &x, &number, err);
	if (r >= 0)
		r = log_acceptance(c, id, w, number, err);
	return api_end_judged(c, r, err);
}

int api_vuln_accept(struct api_call *c, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(ROW_ARENA_BYTES);
	struct store_vuln v;
	struct wish w;
	int r = a && c->id.n ? read_wish(c, &w, err) : err_set(err, ERR_NOT_FOUND, "no such vulnerability");

	/* By an alias too, but kept under the name that lists and alerts have. */
	if (r >= 0)
		r = store_vuln_get(c->api->store, c->id.p, a, &v, err);
	if (r >= 0)
		r = put_acceptance(c, &w, v.id, err);
	return r < 0 ? r : write_vuln(c, v.id, err);
}

static int on_acceptance(void *arg, const struct store_acceptance *x)
{
	struct api_tally *t = arg;

	if (!api_tally_wants(t))
		return 0;
	api_acceptance_json(&t->page->j, x);
	return api_page_row_done(t->page);
}

static int run_acceptances(struct api *a, const struct store_query *q, struct api_page *p, char *ret_cursor,
			   size_t cursor_size, struct err *err)
{
	struct api_tally t;
	int r = api_tally_begin(&t, q, p, err);

	if (r >= 0)
		r = store_acceptances_each(a->store, NULL, q->oldest_first, t.skip + q->limit + 1, on_acceptance, &t, err);
	api_tally_cursor(&t, ret_cursor, cursor_size);
	return r;
}

int api_acceptances_list(struct api_call *c, struct err *err)
{
	return api_leaves_list(c, run_acceptances, err);
}

int api_acceptance_end(struct api_call *c, struct err *err)
{
	return api_end_leave(c, "acceptance", "vuln.accept.end", store_acceptance_end, err);
}
