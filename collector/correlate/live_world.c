/* live_world.c - what the collector knows beyond an event: of its container, of addresses, of agents. In memory, bounded;
 * what it said of an event is in the journal with the event. */
#include "collector/correlate/live_priv.h"

#include <errno.h>

enum {
	CONTAINERS = 512, /* remembered, by hash; a query each else */
	CONTAINER_S = 10,
	ADDRESSES = 4096,
	AGENTS_MAX = 20000,
	TEXT_MAX = 256
};
static const uint64_t second_ns = 1000000000;

struct container {
	uint64_t hash, until_boot_ns; /* 0: free */
	bool is_known;
	struct store_container_brief brief; /* its texts are below */
	char name[TEXT_MAX], image[TEXT_MAX], image_id[128];
};
struct address {
	char text[OBSERVED_ADDRESS_MAX], host[STORE_NAME_MAX];
	bool is_proven; /* its agent spoke from there */
};
struct agent {
	char id[64], host[STORE_NAME_MAX];
	bool is_offline, is_seen;
};
struct live_world {
	struct store *store;
	const struct clock *clk;
	struct arena *arena;
	struct observed_world ops;
	struct container containers[CONTAINERS];
	struct address addresses[ADDRESSES];
	struct agent *agents; /* sorted by id */
	size_t agent_count, agent_size, silent;
	uint64_t begun_boot_ns;
};

/* ---- containers ---- */

static uint64_t hash_of(const char *agent, const char *id)
{
	return slice_hash(slice_of(agent)) * 31 + slice_hash(slice_of(id));
}

static void keep(struct slice s, char *dst, size_t size, struct slice *ret)
{
	(void)slice_copy(s, dst, size);
	*ret = slice_of(dst);
}

static struct container *look_up(struct live_world *w, const char *agent, const char *id)
{
	uint64_t hash = hash_of(agent, id), now = clock_boot_ns(w->clk);
	struct container *c = &w->containers[hash % CONTAINERS];
	struct slice image_id;

	if (c->hash == hash && now < c->until_boot_ns)
		return c;
	arena_reset(w->arena);
	*c = (struct container){ .hash = hash, .until_boot_ns = now + CONTAINER_S * second_ns };
	c->is_known = store_container_brief(w->store, agent, id, w->arena, &c->brief, NULL) >= 0;
	if (!c->is_known)
		return c;
	keep(c->brief.name, c->name, sizeof(c->name), &c->brief.name);
	keep(c->brief.image, c->image, sizeof(c->image), &c->brief.image);
	keep(slice_of(c->brief.image_id), c->image_id, sizeof(c->image_id), &image_id);
	return c;
}

static bool ask_container(void *arg, const char *agent, const char *id, struct observed_known *ret)
{
	const struct container *c = look_up(arg, agent, id);

	*ret = (struct observed_known){ .name = c->brief.name,
					.image = c->brief.image,
					.image_id = c->image_id,
					.worst = c->brief.worst,
					.is_privileged = c->brief.is_privileged,
					.is_told = c->brief.has_config || c->brief.is_privileged,
					.is_scanned = c->brief.is_scanned,
					.is_exploited = c->brief.is_exploited };
	return c->is_known;
}

void live_world_forget(struct live_world *w)
{
	for (size_t i = 0; i < CONTAINERS; i++)
		w->containers[i].until_boot_ns = 0;
}

/* ---- addresses ---- */

static const char *ask_host(void *arg, struct slice address)
{
	struct live_world *w = arg;
	const struct address *a = &w->addresses[slice_hash(address) % ADDRESSES];

	return slice_is(address, a->text) ? a->host : "";
}

/* Few are silent at a time; while none is, the answer is known. */
static bool ask_silent(void *arg, const char *host)
{
	const struct live_world *w = arg;

	for (size_t i = 0; w->silent && i < w->agent_count; i++)
		if (w->agents[i].is_offline && !strcmp(w->agents[i].host, host))
			return true;
	return false;
}

static bool is_of_everybody(const char *text)
{
	return !strncmp(text, "127.", 4) || !strncmp(text, "169.254.", 8) || !strncmp(text, "fe80", 4) || !strcmp(text, "::1") ||
	       !strcmp(text, "0.0.0.0") || !strcmp(text, "::");
}

/* What a host says of itself neither takes nor pushes out what another has shown. */
static void put_address(struct live_world *w, const char *host, struct slice address, bool is_proven)
{
	struct address *a = &w->addresses[slice_hash(address) % ADDRESSES];

	if (a->is_proven && !is_proven)
		return;
	a->is_proven = is_proven;
	if (slice_is(address, a->text) && !strcmp(a->host, host))
		return;
	(void)slice_copy(address, a->text, sizeof(a->text));
	if (is_of_everybody(a->text)) {
		a->text[0] = '\0';
		a->is_proven = false;
	}
	(void)slice_copy(slice_of(host), a->host, sizeof(a->host));
}

void live_world_address(struct live_world *w, const char *host, struct slice address)
{
	put_address(w, host, address, true);
}

/* Of connections of a host's own programs, the local end is an address of the host. A bridge of containers
 * (172.17.0.1) is on every host; the last one to speak has it, and nobody connects to it from elsewhere. */
static void learn_address(struct live_world *w, const char *host, const Picket__Record *rec)
{
	struct observed o;
	struct detect_value v;

	observed_init(&o, "", host, rec, 0, w->arena);
	int field = observed_resolve(NULL, DETECT_SOURCE_NETWORK, SLICE_LIT("network.local_address"));
	if (o.ev.source != DETECT_SOURCE_NETWORK || field < 0 || !o.ev.ops->get(&o.ev, (unsigned)field, &v, 1))
		return;
	put_address(w, host, v.text, false);
}

void live_world_learn(struct live_world *w, const char *agent, const char *host, const Picket__Record *rec)
{
	const Picket__Container *c = rec->body_case == PICKET__RECORD__BODY_CONTAINER ? rec->container : NULL;

	if (rec->body_case == PICKET__RECORD__BODY_EVENT) {
		const Picket__Event *ev = rec->event;

		if (ev->network && ev->network->local_address.len && !(ev->container && ev->container->id[0]))
			learn_address(w, host, rec);
		if (ev->type == PICKET__EVENT_TYPE__EVENT_CONTAINER_CREATE || ev->type == PICKET__EVENT_TYPE__EVENT_CONTAINER_START ||
		    ev->type == PICKET__EVENT_TYPE__EVENT_CONTAINER_UPDATE)
			c = ev->container;
	}
	if (c)
		w->containers[hash_of(agent, c->id) % CONTAINERS].until_boot_ns = 0;
}

/* ---- agents ---- */

struct asking {
	struct live_world *w;
	int (*fn)(void *arg, const char *agent, const char *host, const char *state);
	void *arg;
	struct changed {
		char id[64], host[STORE_NAME_MAX];
		bool is_offline;
	} *changed;
	size_t count, size;
};

static size_t place_of(const struct live_world *w, const char *id)
{
	size_t lo = 0, hi = w->agent_count;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (strcmp(w->agents[mid].id, id) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct agent *find_agent(struct live_world *w, const char *id)
{
	size_t at = place_of(w, id);

	return at < w->agent_count && !strcmp(w->agents[at].id, id) ? &w->agents[at] : NULL;
}

static struct agent *agent_of(struct live_world *w, const char *id)
{
	struct agent *a = find_agent(w, id);
	size_t lo = place_of(w, id);

	if (a)
		return a;
	if (w->agent_count == AGENTS_MAX)
		return NULL;
	if (w->agent_count == w->agent_size) {
		size_t size = w->agent_size ? w->agent_size * 2 : 64;
		struct agent *wider = realloc(w->agents, size * sizeof(*wider));

		if (!wider)
			return NULL;
		w->agents = wider;
		w->agent_size = size;
	}
	memmove(&w->agents[lo + 1], &w->agents[lo], (w->agent_count - lo) * sizeof(*w->agents));
	w->agent_count++;
	w->agents[lo] = (struct agent){ 0 };
	(void)slice_copy(slice_of(id), w->agents[lo].id, sizeof(w->agents[lo].id));
	return &w->agents[lo];
}

static int on_agent(void *arg, const struct store_agent *row)
{
	struct asking *q = arg;
	enum store_agent_state state = store_agent_state(q->w->store, row);
	bool is_offline = state == AGENT_OFFLINE;
	struct agent *a = state == AGENT_REVOKED ? find_agent(q->w, row->id) : agent_of(q->w, row->id);

	/* Nobody expects to hear of it; its host may have another by now. */
	if (a && state == AGENT_REVOKED) {
		q->w->silent -= a->is_offline;
		a->is_offline = a->is_seen = false;
		return 0;
	}

	/* After our own start nobody was heard of yet. */
	if (!a || (!a->is_seen && is_offline && clock_boot_ns(q->w->clk) < q->w->begun_boot_ns + 60 * second_ns))
		return 0;
	bool is_change = a->is_seen && a->is_offline != is_offline;
	if (a->is_offline != is_offline)
		q->w->silent += is_offline ? 1 : (size_t)-1;
	a->is_seen = true;
	a->is_offline = is_offline;
	(void)slice_copy(slice_of(row->host), a->host, sizeof(a->host));
	if (!is_change)
		return 0;
	if (q->count == q->size) {
		size_t size = q->size ? q->size * 2 : 16;
		struct changed *wider = realloc(q->changed, size * sizeof(*wider));

		if (!wider)
			return 0;
		q->changed = wider;
		q->size = size;
	}
	struct changed *c = &q->changed[q->count++];
	c->is_offline = is_offline;
	(void)slice_copy(slice_of(row->id), c->id, sizeof(c->id));
	(void)slice_copy(slice_of(row->host), c->host, sizeof(c->host));
	return 0;
}

int live_world_agents(struct live_world *w, int (*fn)(void *arg, const char *agent, const char *host, const char *state), void *arg,
		      struct err *err)
{
	struct asking q = { .w = w };
	int r = store_agents_each(w->store, on_agent, &q, err);

	/* Afterwards: who is told may write. */
	for (size_t i = 0; i < q.count && r >= 0; i++)
		r = fn(arg, q.changed[i].id, q.changed[i].host, q.changed[i].is_offline ? "offline" : "online");
	free(q.changed);
	return r;
}

/* ---- the whole ---- */

int live_world_new(struct store *s, const struct clock *clk, struct live_world **ret, struct err *err)
{
	struct live_world *w = calloc(1, sizeof(*w));

	if (!w)
		return err_set(err, ENOMEM, "rules");
	w->store = s;
	w->clk = clk;
	w->begun_boot_ns = clock_boot_ns(clk);
	w->ops = (struct observed_world){ ask_container, ask_host, ask_silent, w };
	w->arena = arena_new(LIVE_WORLD_BYTES);
	*ret = w; /* the caller frees it, half built too */
	return w->arena ? 0 : err_set(err, ENOMEM, "rules");
}

void live_world_free(struct live_world *w)
{
	if (!w)
		return;
	arena_free(w->arena);
	free(w->agents);
	free(w);
}

const struct observed_world *live_world_ops(struct live_world *w)
{
	return &w->ops;
}
