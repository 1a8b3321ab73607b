/* containers.c - the table of containers, by id.
 *
 *   GONE     removed by the engine; kept a minute for late events
 *   GUESSED  seen in a cgroup path only
 *   KNOWN    the engine told of it
 *
 * Each class is a list, oldest first; a full table drops from the first class that has any. */
#include "agent/world/world_priv.h"

enum { BUCKETS = 4096, DETAIL_BYTES = WORLD_CONTAINER_STRINGS_BYTES / 4 * 3 };

static const char none[] = "";

struct containers {
	const struct clock *clk;
	const struct world_ops *ops;
	void *arg;
	void (*on_drop)(void *arg, struct centry *e);
	void *drop_arg;
	struct centry *buckets[BUCKETS];
	struct centry_list lists[CONTAINER_CLASS_COUNT];
	size_t count, string_bytes;
	uint64_t evicted;
	unsigned announcing; /* depth of on_container on the stack */
};

struct containers *containers_new(const struct clock *clk, const struct world_ops *ops, void *arg)
{
	struct containers *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->clk = clk;
	t->ops = ops;
	t->arg = arg;
	for (unsigned i = 0; i < CONTAINER_CLASS_COUNT; i++)
		TAILQ_INIT(&t->lists[i]);
	return t;
}

void containers_on_drop(struct containers *t, void (*fn)(void *arg, struct centry *e), void *arg)
{
	t->on_drop = fn;
	t->drop_arg = arg;
}

static struct centry **bucket_of(struct containers *t, struct slice id)
{
	return &t->buckets[slice_hash(id) % BUCKETS];
}

struct centry *containers_find(struct containers *t, struct slice id, bool is_user)
{
	for (struct centry *e = *bucket_of(t, id); e; e = e->next)
		if (e->is_user == is_user && slice_is(id, e->c.id))
			return e;
	return NULL;
}

static void free_string(struct containers *t, struct centry *e, const char *s)
{
	if (!s || s == none)
		return;
	size_t n = strlen(s) + 1;
	t->string_bytes -= n;
	e->string_bytes -= n;
	free((void *)(uintptr_t)s);
}

/* cut at max; `none` for nothing, past the budget and without memory */
static const char *keep_string(struct containers *t, struct centry *e, struct slice s, size_t max,
			       size_t budget)
{
	if (s.n > max)
		s.n = max;
	const char *nul = s.n ? memchr(s.p, 0, s.n) : NULL;
	if (nul)
		s.n = (size_t)(nul - s.p);
	if (!s.n || t->string_bytes + s.n + 1 > budget)
		return none;
	const char *copy = slice_dup(s);
	if (!copy)
		return none;
	t->string_bytes += s.n + 1;
	e->string_bytes += s.n + 1;
	return copy;
}

bool containers_set(struct containers *t, struct centry *e, const char **field, struct slice s,
		    size_t max)
{
	if (slice_is(slice_sub(s, 0, max), *field))
		return false;
	free_string(t, e, *field);
	*field = keep_string(t, e, s, max, WORLD_CONTAINER_STRINGS_BYTES);
	return true;
}

void containers_clear_details(struct containers *t, struct centry *e)
{
	for (size_t i = 0; i < e->c.label_count; i++) {
		free_string(t, e, e->labels[i].key);
		free_string(t, e, e->labels[i].value);
	}
	for (size_t i = 0; i < e->c.mount_count; i++) {
		free_string(t, e, e->mounts[i].source);
		free_string(t, e, e->mounts[i].dest);
		free_string(t, e, e->mounts[i].mode);
		free_string(t, e, e->mounts[i].propagation);
	}
	free(e->labels);
	free(e->mounts);
	e->labels = NULL;
	e->mounts = NULL;
	e->c.labels = NULL;
	e->c.mounts = NULL;
	e->c.label_count = e->c.mount_count = 0;
}

void containers_add_label(struct containers *t, struct centry *e, struct slice key,
			  struct slice value)
{
	if (e->c.label_count >= WORLD_LABELS)
		return;
	if (!e->labels)
		e->c.labels = e->labels = calloc(WORLD_LABELS, sizeof(*e->labels));
	if (!e->labels)
		return;
	struct container_label *l = &e->labels[e->c.label_count];
	l->key = keep_string(t, e, key, WORLD_LABEL_KEY_BYTES, DETAIL_BYTES);
	if (l->key == none)
		return;
	l->value = keep_string(t, e, value, WORLD_LABEL_VALUE_BYTES, DETAIL_BYTES);
	e->c.label_count++;
}

void containers_add_mount(struct containers *t, struct centry *e, const struct container_mount *m)
{
	if (e->c.mount_count >= WORLD_MOUNTS)
		return;
	if (!e->mounts)
		e->c.mounts = e->mounts = calloc(WORLD_MOUNTS, sizeof(*e->mounts));
	if (!e->mounts)
		return;
	struct container_mount *to = &e->mounts[e->c.mount_count++];
	to->source = keep_string(t, e, slice_of(m->source), WORLD_MOUNT_BYTES, DETAIL_BYTES);
	to->dest = keep_string(t, e, slice_of(m->dest), WORLD_MOUNT_BYTES, DETAIL_BYTES);
	to->mode = keep_string(t, e, slice_of(m->mode), 64, DETAIL_BYTES);
	to->propagation = keep_string(t, e, slice_of(m->propagation), 64, DETAIL_BYTES);
	to->rw = m->rw;
}

static void drop(struct containers *t, struct centry *e)
{
	struct centry **at = bucket_of(t, slice_of(e->c.id));

	if (t->on_drop)
		t->on_drop(t->drop_arg, e);
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	TAILQ_REMOVE(&t->lists[e->class], e, of_class);
	t->count--;
	containers_clear_details(t, e);
	free_string(t, e, e->c.name);
	free_string(t, e, e->c.image);
	free_string(t, e, e->c.image_id);
	free_string(t, e, e->c.image_digest);
	free_string(t, e, e->c.user);
	free_string(t, e, e->c.published);
	free(e);
}

/* Not while a caller is being told of an entry: what it was given must outlast the telling. The
 * table may then be over its bound by what that caller makes known. */
static void make_room(struct containers *t)
{
	unsigned class = 0;

	while (t->count >= WORLD_CONTAINERS && !t->announcing && class < CONTAINER_CLASS_COUNT) {
		struct centry *e = TAILQ_FIRST(&t->lists[class]);

		if (!e) {
			class ++;
			continue;
		}
		drop(t, e);
		t->evicted++;
	}
}

struct centry *containers_get(struct containers *t, struct slice id, bool is_user,
			      const char *engine, enum container_class class)
{
	struct centry *e = containers_find(t, id, is_user);

	if (e || !id.n || id.n >= sizeof(e->c.id) || memchr(id.p, 0, id.n))
		return e;
	make_room(t);
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	(void)slice_copy(id, e->c.id, sizeof(e->c.id));
	e->c.name = e->c.image = e->c.image_id = e->c.image_digest = none;
	e->c.user = e->c.published = none;
	e->c.engine = engine;
	e->is_user = is_user;
	e->class = class;
	TAILQ_INSERT_TAIL(&t->lists[class], e, of_class);
	e->next = *bucket_of(t, id);
	*bucket_of(t, id) = e;
	t->count++;
	return e;
}

void containers_set_class(struct containers *t, struct centry *e, enum container_class class)
{
	TAILQ_REMOVE(&t->lists[e->class], e, of_class);
	e->class = class;
	TAILQ_INSERT_TAIL(&t->lists[class], e, of_class);
}

void containers_announce(struct containers *t, struct centry *e, enum world_change change)
{
	t->announcing++;
	if (t->ops && t->ops->on_container)
		t->ops->on_container(t->arg, &e->c, change);
	t->announcing--;
}

void containers_mark_gone(struct containers *t, struct centry *e)
{
	e->c.is_gone = true;
	e->c.is_running = false;
	e->gone_ns = clock_boot_ns(t->clk);
	containers_set_class(t, e, CONTAINER_GONE);
}

void containers_sweep(struct containers *t)
{
	uint64_t now = clock_boot_ns(t->clk), keep_ns = (uint64_t)WORLD_GONE_KEEP_MS * 1000000;
	struct centry *e;

	while ((e = TAILQ_FIRST(&t->lists[CONTAINER_GONE])) && e->gone_ns + keep_ns <= now)
		drop(t, e);
}

void containers_each(struct containers *t, void (*fn)(void *arg, struct centry *e), void *arg)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct centry *e = t->buckets[i], *next; e; e = next) {
			next = e->next;
			fn(arg, e);
		}
}

void containers_stats(const struct containers *t, struct world_stats *ret)
{
	ret->containers = t->count;
	ret->containers_evicted = t->evicted;
}

void containers_free(struct containers *t)
{
	struct centry *e;

	if (!t)
		return;
	for (unsigned i = 0; i < CONTAINER_CLASS_COUNT; i++)
		while ((e = TAILQ_FIRST(&t->lists[i])))
			drop(t, e);
	free(t);
}
