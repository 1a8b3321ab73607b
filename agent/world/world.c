/* world.c - the three tables together: see world.h. */
#include "agent/world/world_priv.h"

#include <errno.h>

enum { SWEEP_MS = 5000 };

struct world {
	struct proctree *tree;
	struct users *users;
	struct names *names, *resolved;
	struct resolver *resolver;
	struct containers *containers;
	struct docker *docker; /* nullable */
	struct loop_timer *sweep;
	struct world_ops ops;
	char *proc_root;
};

static void on_sweep(void *arg)
{
	struct world *w = arg;

	containers_sweep(w->containers);
}

int world_new(struct loop *l, struct fetch_pool *fetch, const struct clock *clk,
	      const struct world_config *cfg, const struct world_ops *ops, void *arg,
	      struct world **ret, struct err *err)
{
	const char *proc_root = cfg->proc_root && *cfg->proc_root ? cfg->proc_root : "/proc";
	CLEANUP(world_freep) struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return err_set(err, ENOMEM, "make the world");
	if (ops)
		w->ops = *ops;
	w->proc_root = strdup(proc_root);
	w->tree = proctree_new(cfg->max_processes);
	w->users = users_new(clk, proc_root);
	w->names = names_new(NULL);
	w->resolved = names_new(NULL);
	w->resolver = resolver_new(proc_root);
	w->containers = containers_new(clk, &w->ops, arg);
	w->sweep = loop_timer_new(l, on_sweep, w);
	if (!w->proc_root || !w->tree || !w->users || !w->names || !w->resolved || !w->resolver || !w->containers || !w->sweep)
		return err_set(err, ENOMEM, "make the world");
	if (cfg->docker_socket && *cfg->docker_socket) {
		w->docker =
			docker_new(l, fetch, clk, cfg->docker_socket, w->containers, &w->ops, arg);
		if (!w->docker)
			return err_set(err, ENOMEM, "make the world");
	}
	loop_timer_every(w->sweep, SWEEP_MS);
	*ret = take_ptr(w);
	return 0;
}

void world_start(struct world *w)
{
	if (w->docker)
		docker_start(w->docker);
}

static void seed(struct world *w, const struct event_process *p, bool is_approx)
{
	proctree_seed(w->tree, p, is_approx);
	(void)world_container(w, p);
}

void world_seed(struct world *w, const struct event_process *p)
{
	seed(w, p, false);
}

static void on_proc(void *arg, const struct event_process *p)
{
	seed(arg, p, true);
}

int world_seed_proc(struct world *w, struct err *err)
{
	return seed_proc(w->proc_root, on_proc, w, err);
}

void world_apply(struct world *w, const struct event *e)
{
	proctree_apply(w->tree, e);
}

const struct proc *world_proc(struct world *w, uint32_t pid)
{
	return proctree_find(w->tree, pid);
}

void world_procs_each(struct world *w, void (*fn)(void *arg, const struct proc *p), void *arg)
{
	proctree_each(w->tree, fn, arg);
}

const struct proc *world_ancestor(struct world *w, const struct proc *p, unsigned level)
{
	return proctree_ancestor(w->tree, p, level);
}

const struct container *world_container(struct world *w, const struct event_process *p)
{
	struct cgroup_match m;

	if (!cgroup_find_id(p->cgroup, &m))
		return NULL;
	/* Two plain names in a row are a container only if something is contained in it. */
	uint32_t host_mnt = users_host_mnt(w->users);
	if (m.is_loose && p->ns_mnt && p->ns_mnt == host_mnt)
		return NULL;
	struct centry *e = containers_find(w->containers, slice_of(m.id), m.is_user);
	if (e)
		return &e->c;
	e = containers_get(w->containers, slice_of(m.id), m.is_user, m.engine, CONTAINER_GUESSED);
	if (!e)
		return NULL;
	containers_announce(w->containers, e, WORLD_CREATED);
	if (w->docker && !strcmp(m.engine, "docker"))
		docker_inspect(w->docker, e);
	return &e->c;
}

const struct container *world_container_by_id(struct world *w, struct slice id)
{
	struct centry *e = containers_find(w->containers, id, false);

	if (!e)
		e = containers_find(w->containers, id, true);
	return e ? &e->c : NULL;
}

struct each {
	void (*fn)(void *arg, const struct container *c);
	void *arg;
};

static void each_one(void *arg, struct centry *e)
{
	struct each *each = arg;

	each->fn(each->arg, &e->c);
}

void world_containers_each(struct world *w, void (*fn)(void *arg, const struct container *c),
			   void *arg)
{
	struct each each = {fn, arg};

	containers_each(w->containers, each_one, &each);
}

struct slice world_user_name(struct world *w, const struct event_process *p, uint32_t uid)
{
	return users_name(w->users, p, uid);
}

struct slice world_group_name(struct world *w, const struct event_process *p, uint32_t gid)
{
	return users_group(w->users, p, gid);
}

bool world_user_account(struct world *w, const struct event_process *p, uint32_t uid, struct slice *ret_home,
			struct slice *ret_shell)
{
	return users_account(w->users, p, uid, ret_home, ret_shell);
}

const char *world_proc_root(const struct world *w)
{
	return w->proc_root;
}

void world_resolve(struct world *w, struct event *e, struct arena *scratch)
{
	resolver_resolve(w->resolver, e, scratch);
}

int world_watch_names(struct world *w, const char *const *names, size_t count, struct err *err)
{
	return names_watch(w->names, names, count, err);
}

int world_resolve_names(struct world *w, const char *const *names, size_t count, struct err *err)
{
	return names_watch(w->resolved, names, count, err);
}

void world_addresses_of(struct world *w, const char *name, void (*fn)(void *arg, const uint8_t *address, size_t bytes), void *arg)
{
	names_addresses(w->resolved, name, fn, arg);
}

int world_know_names(struct world *w, const struct known_address *known, size_t count, struct err *err)
{
	return names_know(w->resolved, known, count, err);
}

uint64_t world_resolved_count(struct world *w)
{
	return names_count(w->resolved);
}

const char *world_name_of(struct world *w, const uint8_t *address, size_t bytes, size_t index)
{
	return names_of(w->names, address, bytes, index);
}

void world_stats(const struct world *w, struct world_stats *ret)
{
	*ret = (struct world_stats){.engine_connected =
					    w->docker && docker_is_connected(w->docker)};
	proctree_stats(w->tree, ret);
	containers_stats(w->containers, ret);
}

void world_free(struct world *w)
{
	if (!w)
		return;
	docker_free(w->docker);
	loop_timer_free(w->sweep);
	containers_free(w->containers);
	resolver_free(w->resolver);
	names_free(w->names);
	names_free(w->resolved);
	users_free(w->users);
	proctree_free(w->tree);
	free(w->proc_root);
	free(w);
}
