/* use.c - which packages of an image were executed or loaded: paths that were seen, looked up in the image's
 * table of owners. The table is read from its file when there is something to look up and given back at once:
 * an image's programs are few, and new ones are rare. */
#include "agent/image/live/live_priv.h"

#include "agent/image/owners.h"

/* False if it was there, or the set is full. */
static bool see(struct limage *i, uint64_t hash)
{
	if (!i->seen)
		i->seen = calloc(LIVE_SEEN, sizeof(*i->seen));
	if (!i->seen || i->seen_count >= LIVE_SEEN / 4 * 3)
		return false;
	hash = hash ? hash : 1;
	for (size_t at = hash % LIVE_SEEN;; at = (at + 1) % LIVE_SEEN) {
		if (i->seen[at] == hash)
			return false;
		if (i->seen[at])
			continue;
		i->seen[at] = hash;
		i->seen_count++;
		return true;
	}
}

void live_use_add(struct live *v, struct limage *i, const char *container_id, struct slice path, unsigned how)
{
	(void)v;
	if (!path.n || path.n >= LIMIT_PATH_BYTES || memchr(path.p, 0, path.n) || i->pending_count >= LIVE_PENDING)
		return;
	if (!see(i, slice_hash(path) * 31 + how))
		return;
	if (!i->pending)
		i->pending = calloc(LIVE_PENDING, sizeof(*i->pending));
	char *copy = i->pending ? slice_dup(path) : NULL;
	if (!copy)
		return;
	struct lpending *p = &i->pending[i->pending_count++];
	*p = (struct lpending){ .path = copy, .how = how };
	(void)slice_copy(slice_of(container_id), p->container_id, sizeof(p->container_id));
}

static struct lused *used_of(struct limage *i, const struct owners_package *o)
{
	for (size_t k = 0; k < i->used_count; k++)
		if (slice_is(o->name, i->used[k].name) && slice_is(o->ecosystem, i->used[k].ecosystem) &&
		    slice_is(o->version, i->used[k].version))
			return &i->used[k];
	if (i->used_count >= LIVE_USED)
		return NULL;
	if (!i->used)
		i->used = calloc(LIVE_USED, sizeof(*i->used));
	if (!i->used)
		return NULL;
	struct lused *u = &i->used[i->used_count];
	*u = (struct lused){ .ecosystem = slice_dup(o->ecosystem),
			     .name = slice_dup(o->name),
			     .version = slice_dup(o->version) };
	i->used_count++;
	return u;
}

static void look_up(struct live *v, struct limage *i, const struct owners *table, const struct lpending *p)
{
	struct owners_package o;

	if (!owners_find(table, slice_of(p->path), &o))
		return;
	struct lused *u = used_of(i, &o);
	if (!u || (u->how & p->how) == p->how)
		return;
	u->how |= p->how;
	free(u->path);
	u->path = slice_dup(slice_of(p->path));
	memcpy(u->container_id, p->container_id, sizeof(u->container_id));
	u->last_unix_s = clock_unix_ns(v->clk) / 1000000000;
	live_set_changed(v);
}

static void forget_pending(struct limage *i)
{
	for (size_t k = 0; k < i->pending_count; k++)
		free(i->pending[k].path);
	free(i->pending);
	i->pending = NULL;
	i->pending_count = 0;
}

static void look_up_all(struct live *v, struct limage *i)
{
	CLEANUP(owners_freep) struct owners *table = NULL;
	char path[LIMIT_PATH_BYTES];
	struct err err;

	live_path(v, i, "own", path, sizeof(path));
	if (owners_load(path, &table, &err) < 0) {
		LOG(WARN, "image.owners", KV_STR("image", i->id), KV_STR("why", err.msg));
		i->stock = STOCK_WANTED; /* the file is gone or damaged: make it again */
	} else {
		for (size_t k = 0; k < i->pending_count; k++)
			look_up(v, i, table, &i->pending[k]);
	}
	forget_pending(i);
}

void live_use_step(struct live *v)
{
	struct limage *i;

	TAILQ_FOREACH(i, &v->images, link)
	{
		if (!i->pending_count)
			continue;
		if (i->stock == STOCK_THERE) {
			look_up_all(v, i);
			return; /* one a tick: each reads a file */
		}
		if (i->stock == STOCK_FAILED)
			forget_pending(i);
	}
}

void live_use_free(struct limage *i)
{
	forget_pending(i);
	for (size_t k = 0; k < i->used_count; k++) {
		free(i->used[k].ecosystem);
		free(i->used[k].name);
		free(i->used[k].version);
		free(i->used[k].path);
	}
	free(i->used);
	free(i->seen);
}
