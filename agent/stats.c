/* stats.c - see stats.h. */
#include "agent/stats.h"

#include <stdio.h>
#include <sys/queue.h>
#include <uthash.h>

enum { COMM_BYTES = 16, REPOSITORY_BYTES = 256 };

struct cgroup {
	uint64_t cgroup_id;
	char id[65];
	UT_hash_handle hh;
	TAILQ_ENTRY(cgroup) entry;
};

struct sum {
	char id[65];
	uint64_t bytes, interval_ns; /* interval 0: its traffic is not counted */
	uint64_t process_count;
	char names[STATS_NAMES][COMM_BYTES];
	size_t name_count;
	UT_hash_handle hh;
};

struct stats {
	struct cgroup *cgroups;
	TAILQ_HEAD(, cgroup) oldest;
	struct sum *sums;
};

struct stats *stats_new(void)
{
	struct stats *s = calloc(1, sizeof(*s));

	if (s)
		TAILQ_INIT(&s->oldest);
	return s;
}

static void drop_cgroup(struct stats *s, struct cgroup *g)
{
	HASH_DEL(s->cgroups, g);
	TAILQ_REMOVE(&s->oldest, g, entry);
	free(g);
}

void stats_cgroup(struct stats *s, uint64_t cgroup_id, const char *id)
{
	struct cgroup *g;

	if (!cgroup_id || strlen(id) >= sizeof(g->id))
		return;
	HASH_FIND(hh, s->cgroups, &cgroup_id, sizeof(cgroup_id), g);
	if (!g) {
		if (HASH_COUNT(s->cgroups) >= STATS_CGROUPS)
			drop_cgroup(s, TAILQ_FIRST(&s->oldest));
		g = calloc(1, sizeof(*g));
		if (!g)
			return;
		g->cgroup_id = cgroup_id;
		HASH_ADD(hh, s->cgroups, cgroup_id, sizeof(cgroup_id), g);
		TAILQ_INSERT_TAIL(&s->oldest, g, entry);
	}
	if (strcmp(g->id, id) != 0)
		(void)slice_copy(slice_of(id), g->id, sizeof(g->id));
}

static struct sum *sum_of(struct stats *s, const char *id)
{
	struct sum *m;

	HASH_FIND_STR(s->sums, id, m);
	if (m || HASH_COUNT(s->sums) >= STATS_CONTAINERS)
		return m;
	m = calloc(1, sizeof(*m));
	if (!m || !slice_copy(slice_of(id), m->id, sizeof(m->id))) {
		free(m);
		return NULL;
	}
	HASH_ADD_STR(s->sums, id, m);
	return m;
}

void stats_traffic(struct stats *s, const char *id, uint64_t bytes, uint64_t interval_ns)
{
	struct sum *m = sum_of(s, id);

	if (!m)
		return;
	m->bytes += bytes;
	m->interval_ns += interval_ns;
}

static void drop_sum(struct stats *s, struct sum *m)
{
	HASH_DEL(s->sums, m);
	free(m);
}

void stats_gone(struct stats *s, const char *id)
{
	struct cgroup *g, *next;
	struct sum *m;

	HASH_FIND_STR(s->sums, id, m);
	if (m)
		drop_sum(s, m);
	HASH_ITER(hh, s->cgroups, g, next)
	if (!strcmp(g->id, id))
		drop_cgroup(s, g);
}

static void count_process(void *arg, const struct proc *p)
{
	struct stats *s = arg;
	struct cgroup *g;
	char name[COMM_BYTES];

	HASH_FIND(hh, s->cgroups, &p->cgroup_id, sizeof(p->cgroup_id), g);
	struct sum *m = g ? sum_of(s, g->id) : NULL;
	if (!m)
		return;
	m->process_count++;
	(void)slice_copy(p->name, name, sizeof(name));
	for (size_t i = 0; i < m->name_count; i++)
		if (!strcmp(m->names[i], name))
			return;
	if (m->name_count < STATS_NAMES)
		memcpy(m->names[m->name_count++], name, sizeof(name));
}

/* "registry/app:1.2@sha256:…" -> "registry/app": what is usual outlives a version. */
static void repository_of(const char *image, char *dst, size_t size)
{
	struct slice s = slice_of(image ? image : "");
	ptrdiff_t at = slice_find_char(s, '@');

	if (at >= 0)
		s = slice_sub(s, 0, (size_t)at);
	for (size_t i = s.n; i && s.p[i - 1] != '/'; i--)
		if (s.p[i - 1] == ':') {
			s.n = i - 1;
			break;
		}
	(void)slice_copy(s, dst, size);
}

/* All containers of one image, in one interval. */
struct image {
	char repository[REPOSITORY_BYTES];
	uint64_t per_minute, longest_ns, most;
	const struct sum *busiest;
	UT_hash_handle hh;
};

static uint64_t per_minute_of(const struct sum *m)
{
	return (uint64_t)((double)m->bytes * 60e9 / (double)m->interval_ns);
}

static void repository_for(const struct container *c, char *dst)
{
	repository_of(c->image, dst, REPOSITORY_BYTES);
	if (!*dst)
		(void)slice_copy(slice_of(c->image_id), dst, REPOSITORY_BYTES);
}

static bool is_counted(const struct container *c, const struct sum *m)
{
	return c && !c->is_gone && m->interval_ns;
}

static struct image *add_up(const struct stats *s, struct world *w)
{
	char repository[REPOSITORY_BYTES];
	struct image *images = NULL, *i;

	for (const struct sum *m = s->sums; m; m = m->hh.next) {
		const struct container *c = world_container_by_id(w, slice_of(m->id));

		if (!is_counted(c, m))
			continue;
		repository_for(c, repository);
		HASH_FIND_STR(images, repository, i);
		if (!i) {
			i = calloc(1, sizeof(*i));
			if (!i)
				continue;
			memcpy(i->repository, repository, sizeof(repository));
			HASH_ADD_STR(images, repository, i);
		}
		uint64_t rate = per_minute_of(m);
		i->per_minute += rate;
		i->longest_ns = m->interval_ns > i->longest_ns ? m->interval_ns : i->longest_ns;
		if (!i->busiest || rate > i->most) {
			i->busiest = m;
			i->most = rate;
		}
	}
	return images;
}

static void fill_image(const struct sum *m, struct image *images, const char *repository, struct levels *levels, uint64_t unix_s,
		       struct event *e)
{
	struct image *i;
	struct level v;

	HASH_FIND_STR(images, repository, i);
	if (!i || i->busiest != m)
		return;
	levels_add_image(levels, repository, i->per_minute, i->longest_ns, unix_s, &v);
	e->stats.has_image_net = true;
	e->stats.image_net_per_minute = v.per_minute;
	e->stats.image_net_learned = v.learned;
	e->stats.image_net_above = v.above;
}

static void fill(const struct sum *m, const struct container *c, struct image *images, struct levels *levels, uint64_t unix_ns,
		 struct event *e)
{
	char repository[REPOSITORY_BYTES];
	struct level v;

	e->stats.process_count = m->process_count;
	if (!m->interval_ns || !levels)
		return;
	repository_for(c, repository);
	levels_add(levels, *c->name ? c->name : c->id, repository, m->bytes, m->interval_ns, unix_ns / 1000000000, &v);
	e->stats.has_net = true;
	e->stats.net_per_minute = v.per_minute;
	e->stats.net_learned = v.learned;
	e->stats.net_above = v.above;
	fill_image(m, images, repository, levels, unix_ns / 1000000000, e);
}

static void free_images(struct image *images)
{
	struct image *i, *next;

	HASH_ITER(hh, images, i, next)
	{
		HASH_DEL(images, i);
		free(i);
	}
}

void stats_take(struct stats *s, struct world *w, struct levels *levels, uint64_t boot_ns, uint64_t unix_ns, stats_fn fn, void *arg)
{
	struct sum *m, *next;

	world_procs_each(w, count_process, s);
	struct image *images = add_up(s, w);
	HASH_ITER(hh, s->sums, m, next)
	{
		const struct container *c = world_container_by_id(w, slice_of(m->id));
		struct slice names[STATS_NAMES];
		struct event e = { .type = EV_STATS, .class = EVC_PROCESS, .boot_ns = boot_ns, .unix_ns = unix_ns };

		if (c && !c->is_gone && (m->process_count || m->interval_ns)) {
			for (size_t i = 0; i < m->name_count; i++)
				names[i] = slice_of(m->names[i]);
			e.stats.names = names;
			e.stats.name_count = m->name_count;
			fill(m, c, images, levels, unix_ns, &e);
			fn(arg, &e, c);
		}
	}
	free_images(images);
	HASH_ITER(hh, s->sums, m, next)
	drop_sum(s, m);
}

void stats_free(struct stats *s)
{
	struct sum *m, *next;

	if (!s)
		return;
	while (!TAILQ_EMPTY(&s->oldest))
		drop_cgroup(s, TAILQ_FIRST(&s->oldest));
	HASH_ITER(hh, s->sums, m, next)
	drop_sum(s, m);
	free(s);
}
