/* api_containers.c - what runs where, how it was made, what is wrong with it. */
#include <inttypes.h>

#include "collector/api/api_priv.h"
#include "collector/store/store_checks.h"
#include "collector/store/store_risk.h"

enum { ROW_ARENA_BYTES = 2 * 1024 * 1024, FINDINGS_MAX = 1000 };

static int on_container(void *arg, const struct store_container *x)
{
	struct api_page *p = arg;

	json_object_open(&p->j);
	api_container_json(&p->j, x);
	json_object_close(&p->j);
	return api_page_row_done(p);
}

static int run_list(struct api *a, const struct store_query *q, struct api_page *p, char *ret_cursor, size_t cursor_size,
		    struct err *err)
{
	return store_container_query(a->store, q, on_container, p, ret_cursor, cursor_size, err);
}

int api_containers_list(struct api_call *c, struct err *err)
{
	struct store_query q;
	int r = api_page_query(c, &q, err);

	return r < 0 ? r : api_page_write(c, &q, run_list, err);
}

struct mine {
	struct json *j;
	const char *agent;
};
static int on_finding(void *arg, const struct store_check_finding *f)
{
	struct mine *m = arg;

	if (strcmp(f->agent, m->agent) != 0)
		return 0;
	json_object_open(m->j);
	api_finding_json(m->j, f);
	json_object_close(m->j);
	return 0;
}

/* Asks until the end: a query gives up after its time, and one container has few findings. */
static int add_findings(struct api_call *c, struct json *j, const struct store_container *x, struct err *err)
{
	char cursor[64] = "", filter[LIMIT_NAME_BYTES * 2 + 32];
	struct mine m = { j, x->agent };
	int r = 0;

	/* Quoted: an id is the engine's, and may be any text where the host lies. */
	size_t n = (size_t)snprintf(filter, sizeof(filter), "container=\"");
	for (const char *p = x->id; *p && n < sizeof(filter) - 4; p++) {
		if ((unsigned char)*p < 0x20)
			return 0; /* no finding can be asked for by it */
		if (*p == '"' || *p == '\\')
			filter[n++] = '\\';
		filter[n++] = *p;
	}
	filter[n++] = '"';
	const struct store_query q = { .filter = slice_from(filter, n), .limit = FINDINGS_MAX, .cursor = cursor };
	for (unsigned i = 0; i < 20 && r >= 0 && (!i || cursor[0]); i++)
		r = store_check_finding_query(c->api->store, &q, on_finding, &m, cursor, sizeof(cursor), err);
	return r;
}

/* Why its risk is what it is. */
static int add_risk(struct api_call *c, struct json *j, const struct store_container *x, struct err *err)
{
	CLEANUP(buf_finip) struct buf reasons = { 0 };
	uint64_t score;

	buf_init(&reasons, API_RISK_BYTES);
	int r = store_risk_container(c->api->store, x->agent, x->id, &score, &reasons, err);
	if (r >= 0)
		api_raw_list(j, "risk_reasons", reasons.p);
	return r;
}

int api_container_show(struct api_call *c, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(ROW_ARENA_BYTES);
	struct store_container x;
	struct json j;

	if (!a)
		return err_set(err, ERR_LIMIT, "out of memory");
	if (!c->id.n)
		return err_set(err, ERR_NOT_FOUND, "no such container");
	int r = store_container_get(c->api->store, c->id.p, api_param(c, "host"), a, &x, err);
	if (r < 0)
		return r;
	json_init(&j, &c->out);
	json_object_open(&j);
	api_container_json(&j, &x);
	r = add_risk(c, &j, &x, err);
	if (r < 0)
		return r;
	json_kv_array(&j, "open_findings");
	r = add_findings(c, &j, &x, err);
	json_array_close(&j);
	json_object_close(&j);
	if (r >= 0 && c->out.failed)
		return err_set(err, ERR_LIMIT, "the answer is too large");
	return r < 0 ? r : 0;
}
