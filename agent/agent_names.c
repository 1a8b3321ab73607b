/* agent_names.c - host names of the policy: all are resolved, whoever they hold for, and where they led outlives the agent:
 * an address refused by its name is refused while the next one starts, too.
 *
 *   STATE_DIR/names.json */
#include "agent/agent_priv.h"

#include <stdio.h>

#include "agent/known_names.h"
#include "common/file.h"

enum { PATH_BYTES = 4096 };

struct wanted_names {
	const char *all[WORLD_NAMES_MAX];
	size_t count, left_out;
};

static void names_path(const struct agent *a, char path[PATH_BYTES])
{
	snprintf(path, PATH_BYTES, "%s/names.json", a->cfg->state_dir);
}

static void want(void *arg, const char *name)
{
	struct wanted_names *n = arg;

	if (n->count == WORLD_NAMES_MAX)
		n->left_out++;
	else
		n->all[n->count++] = name;
}

void agent_names_watch(struct agent *a)
{
	struct wanted_names n = { .count = 0 };
	struct err err;

	if (a->policy)
		policy_each_host_name(a->policy, want, &n);
	a->policy_names = n.count;
	if (n.left_out)
		LOG(ERROR, "policy.names", KV_STR("why", "too many host names"), KV_U64("most", WORLD_NAMES_MAX), KV_U64("left_out", n.left_out));
	if (world_resolve_names(a->world, n.all, n.count, &err) < 0)
		LOG(WARN, "policy.names", KV_STR("why", err.msg));
}

void agent_names_load(struct agent *a)
{
	struct known_names k;
	char path[PATH_BYTES];
	struct err err;

	names_path(a, path);
	int r = known_names_load(path, &k, &err);
	if (r >= 0 && k.count)
		r = world_know_names(a->world, k.all, k.count, &err);
	if (r < 0)
		LOG(WARN, "policy.names", KV_STR("why", err.msg), KV_STR("instead", "names lead nowhere until they are resolved"));
	known_names_free(&k);
}

struct keeping {
	struct agent *a;
	struct known_names k;
	const char *name;
	int result;
};

static void keep_address(void *arg, const uint8_t *address, size_t bytes)
{
	struct keeping *k = arg;

	if (k->result >= 0)
		k->result = known_names_add(&k->k, k->name, address, bytes, NULL);
}

static void keep_name(void *arg, const char *name)
{
	struct keeping *k = arg;

	k->name = name;
	world_addresses_of(k->a->world, name, keep_address, k);
}

/* After each answer; written only where it is another. */
void agent_names_save(struct agent *a)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct keeping k = { .a = a };
	char path[PATH_BYTES];
	struct err err = { 0 };

	if (a->policy)
		policy_each_host_name(a->policy, keep_name, &k);
	buf_init(&out, KNOWN_NAMES_FILE_BYTES);
	names_path(a, path);
	int r = k.result < 0 ? err_set(&err, -k.result, "names and addresses") : known_names_write(&k.k, &out, &err);
	uint64_t hash = r < 0 ? 0 : slice_hash(buf_slice(&out));
	if (r >= 0 && hash != a->names_saved)
		r = file_write_atomic(path, buf_slice(&out), 0600, &err);
	if (r >= 0)
		a->names_saved = hash;
	else
		LOG(WARN, "policy.names", KV_STR("why", err.msg));
	known_names_free(&k.k);
}
