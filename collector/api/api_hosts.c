/* api_hosts.c - the fleet: each agent as the contract's host. */
#include <inttypes.h>

#include "collector/api/api_priv.h"
#include "collector/store/filter.h"
#include "collector/store/store_checks.h"

enum { ROW_ARENA_BYTES = 256 * 1024 };

static const char *const host_keys[] = { "host", "name", "id", "state", "kernel", "agent_version",
					 "lost", "containers", NULL };

/* "policy": null where the agent says nothing of it. */
static void add_policy(struct api *a, struct json *j, const struct store_agent *h)
{
	CLEANUP(arena_freep) struct arena *arena = arena_new(ROW_ARENA_BYTES);
	struct store_policy_state st;
	char digest[65];

	json_key(j, "policy");
	if (!arena || store_policy_state_get(a->store, h->id, arena, &st, NULL) < 0 || !st.is_told ||
	    store_policy_digest(a->store, digest, NULL) < 0) {
		json_null(j);
		return;
	}
	json_object_open(j);
	api_policy_state_json(j, &st, digest);
	json_object_close(j);
}

static void host_json(struct api *a, struct json *j, const struct store_agent *h)
{
	uint64_t now = clock_unix_ns(a->clk), oldest = h->spool_oldest_unix_ns;

	json_object_open(j);
	json_kv_str(j, "name", h->host);
	json_kv_str(j, "id", h->id);
	json_kv_str(j, "state", store_agent_state_name(store_agent_state(a->store, h)));
	json_kv_time(j, "last_seen", h->last_seen_unix_ns);
	json_kv_time(j, "enrolled", h->enrolled_unix_ns);
	json_kv_time(j, "certificate_expires", h->cert_not_after_unix_ns);
	json_kv_str(j, "agent_version", h->agent_version);
	json_kv_str(j, "kernel", h->kernel);
	json_key(j, "sensors");
	json_raw(j, slice_of(h->sensors_json && h->sensors_json[0] ? h->sensors_json : "[]"));
	json_kv_object(j, "spool");
	json_kv_u64(j, "events", h->spool_records);
	json_kv_u64(j, "bytes", h->spool_bytes);
	json_kv_u64(j, "oldest_seconds", oldest && oldest < now ? (now - oldest) / 1000000000 : 0);
	json_object_close(j);
	json_kv_u64(j, "produced", h->produced);
	json_kv_u64(j, "stored", h->stored);
	json_kv_u64(j, "lost", h->lost);
	json_kv_object(j, "lost_by_class");
	json_kv_u64(j, "process", h->lost_process);
	json_kv_u64(j, "rare", h->lost_rare);
	json_kv_u64(j, "volume", h->lost_volume);
	json_object_close(j);
	json_kv_u64(j, "folded", h->folded);
	json_kv_u64(j, "actions", h->actions);
	json_kv_u64(j, "containers", h->containers);
	json_kv_u64(j, "processes", h->processes);
	json_kv_u64(j, "rss_bytes", h->rss_bytes);
	json_kv_u64(j, "cpu_ns", h->cpu_ns);
	json_kv_str(j, "rules_version", h->rules_version);
	add_policy(a, j, h);
	json_object_close(j);
}

static bool match_term(struct api *a, const struct filter_term *t, const struct store_agent *h)
{
	const struct {
		const char *key, *text;
	} texts[] = { { "host", h->host }, { "name", h->host }, { "id", h->id }, { "kernel", h->kernel },
		      { "agent_version", h->agent_version },
		      { "state", store_agent_state_name(store_agent_state(a->store, h)) } };

	if (!t->key)
		return filter_contains(slice_of(h->host), slice_of(t->value)) != t->is_negated;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (!strcmp(t->key, texts[i].key))
			return filter_match_text(t, slice_of(texts[i].text));
	}
	return filter_match_number(t, (int64_t)(strcmp(t->key, "lost") ? h->containers : h->lost));
}

struct walk {
	struct api *api;
	struct api_page *page;
	const struct filter *filter;
	uint64_t skip, limit, at;
	bool has_more;
};

static int on_agent(void *arg, const struct store_agent *h)
{
	struct walk *w = arg;

	for (size_t i = 0; i < w->filter->count; i++) {
		if (!match_term(w->api, &w->filter->terms[i], h))
			return 0;
	}
	if (w->at < w->skip) {
		w->at++;
		return 0;
	}
	if (w->page->rows >= w->limit) {
		w->has_more = true;
		return 0;
	}
	w->at++;
	host_json(w->api, &w->page->j, h);
	return api_page_row_done(w->page);
}

/* A fleet is thousands of rows, not millions: the cursor is how many were given. */
static int run(struct api *a, const struct store_query *q, struct api_page *p, char *ret_cursor,
	       size_t cursor_size, struct err *err)
{
	CLEANUP(arena_freep) struct arena *arena = arena_new(ROW_ARENA_BYTES);
	struct filter f;
	struct walk w = { .api = a, .page = p, .filter = &f, .limit = q->limit };

	if (!arena)
		return err_set(err, ERR_LIMIT, "out of memory");
	if (q->cursor && !slice_to_u64(slice_of(q->cursor), &w.skip))
		return err_set(err, ERR_SYNTAX, "the cursor is not one of ours");
	int r = filter_parse(q->filter, host_keys, arena, &f, err);
	if (r >= 0)
		r = store_agents_each(a->store, on_agent, &w, err);
	ret_cursor[0] = 0;
	if (r >= 0 && w.has_more)
		snprintf(ret_cursor, cursor_size, "%" PRIu64, w.at);
	return r;
}

int api_hosts_list(struct api_call *c, struct err *err)
{
	struct store_query q;
	int r = api_page_query(c, &q, err);

	return r < 0 ? r : api_page_write(c, &q, run, err);
}

int api_host_show(struct api_call *c, struct err *err)
{
	CLEANUP(arena_freep) struct arena *arena = arena_new(ROW_ARENA_BYTES);
	struct store_agent h;
	struct json j;

	if (!arena)
		return err_set(err, ERR_LIMIT, "out of memory");
	if (!c->id.n)
		return err_set(err, ERR_NOT_FOUND, "no such host");
	int r = store_agent_get(c->api->store, c->id.p, &h, arena, err);
	if (r < 0)
		return r;
	json_init(&j, &c->out);
	host_json(c->api, &j, &h);
	return 0;
}
