/* agent_hash.c - the SHA-256 of programs: into their exec event where it is known, else told by a second event. */
#include "agent/agent_priv.h"

#include "agent/record_hash.h"
#include "common/json.h"

static void on_hash(void *arg, struct slice record, const uint8_t sha256[32])
{
	struct agent *a = arg;
	uint64_t unix_ns = 0;
	struct err err;

	buf_reset(&a->out);
	arena_reset(a->scratch);
	int r = record_hash(record, sha256, a->scratch, &a->out, &unix_ns, &err);
	agent_send_made(a, r, unix_ns, &err);
}

int agent_open_hash(struct agent *a, struct loop *l, struct err *err)
{
	struct hash_config cfg = { .max_file_bytes = a->cfg->hash_max_bytes, .bytes_per_second = a->cfg->hash_rate_bytes };

	return a->cfg->hash_enabled ? hash_new(l, &cfg, on_hash, a, &a->hash, err) : 0;
}

bool agent_hash_find(struct agent *a, struct event *e)
{
	return a->hash && hash_find(a->hash, &e->p) == HASH_ASK;
}

void agent_hash_wait(struct agent *a, const struct event *e, const struct container *c)
{
	uint32_t root = c ? (uint32_t)inits_get(a->inits, c->id) : 1;

	hash_ask(a->hash, &e->p, root, buf_slice(&a->out));
}

void agent_write_hash(const struct agent *a, struct json *j)
{
	struct hash_figures f = { 0 };

	json_kv_object(j, "hash");
	json_kv_bool(j, "enabled", a->hash);
	if (a->hash)
		hash_figures(a->hash, &f);
	json_kv_u64(j, "known", f.known);
	json_kv_u64(j, "told", f.told);
	json_kv_u64(j, "waiting", f.waiting);
	json_kv_u64(j, "too_large", f.too_large);
	json_kv_u64(j, "skipped", f.skipped);
	json_kv_u64(j, "gone", f.gone);
	json_kv_u64(j, "changed", f.changed);
	json_kv_u64(j, "unreadable", f.unreadable);
	json_kv_u64(j, "busy", f.busy);
	json_kv_u64(j, "cached", f.cached);
	json_kv_u64(j, "evicted", f.evicted);
	json_object_close(j);
}
