/* world_priv.h - the parts of the world, for its own files and their tests. */
#pragma once
#include <sys/queue.h>

#include "agent/world/world.h"
#include "agent/world/world_limits.h"

/* cgroup.c */
struct cgroup_match {
	char id[65];
	const char *engine;
	bool is_loose; /* two plain names in a row: containerd's form, but host cgroups may have it
			  too */
	bool is_user;  /* below /user.slice, where an unprivileged user may name cgroups */
};
/* Pure. *ret is set only when true. */
bool cgroup_find_id(struct slice path, struct cgroup_match *ret);

/* proctree.c - processes by pid and start time, in bounded memory. Times come from the events. */
struct proctree;
struct proctree *proctree_new(size_t max_processes);
void proctree_free(struct proctree *t);
void proctree_apply(struct proctree *t, const struct event *e);
/* A process found running. is_approx: start_ns and parent_start_ns are cut to 10 ms. */
void proctree_seed(struct proctree *t, const struct event_process *p, bool is_approx);
/* The youngest of that pid, running rather than exited. Nullable. */
const struct proc *proctree_find(struct proctree *t, uint32_t pid);
const struct proc *proctree_ancestor(struct proctree *t, const struct proc *p, unsigned level);
void proctree_each(const struct proctree *t, void (*fn)(void *arg, const struct proc *p), void *arg);
void proctree_stats(const struct proctree *t, struct world_stats *ret);
DEFINE_CLEANUP(struct proctree, proctree_free)

/* seed.c - processes from proc_root (borrowed), with fn called for each. Returns the number. */
int seed_proc(const char *proc_root, void (*fn)(void *arg, const struct event_process *p),
	      void *arg, struct err *err) WARN_UNUSED;

/* users.c - names of uids and gids by mount namespace. */
struct users;
struct users *users_new(const struct clock *clk, const char *proc_root);
void users_free(struct users *u);
struct slice users_name(struct users *u, const struct event_process *p, uint32_t uid);
struct slice users_group(struct users *u, const struct event_process *p, uint32_t gid);
/* See world_user_account. */
bool users_account(struct users *u, const struct event_process *p, uint32_t uid, struct slice *ret_home,
		   struct slice *ret_shell);
/* Inode of the host's mount namespace; 0 when it can't be read. */
uint32_t users_host_mnt(const struct users *u);
/* One passwd or group text. At most WORLD_USER_TABLE_NAMES of valid lines; the first of an id wins,
 * as with the C library. fn's name is borrowed for the call. */
void users_parse(struct slice text, void (*fn)(void *arg, uint32_t id, struct slice name),
		 void *arg);
DEFINE_CLEANUP(struct users, users_free)

/* names.c - watched host names by address. */
struct addrinfo;
typedef int (*names_resolver)(const char *name, const char *service, const struct addrinfo *hints,
			      struct addrinfo **ret);
#define NAMES_NO_TTL UINT32_MAX
struct names_config {
	names_resolver resolve; /* NULL: getaddrinfo; what it gives is freed with freeaddrinfo */
	/* Seconds that the name's answers hold; NAMES_NO_TTL: not known. *is_slow: was or is one who doesn't answer. NULL: none. */
	uint32_t (*ttl)(const char *name, bool is_v6, bool *is_slow);
	uint64_t again_ms;	      /* where no time is known */
	uint64_t least_ms, most_ms; /* bounds of the times of answers */
	uint64_t keep_ms;	      /* an address that no answer has any more */
};
struct names;
/* cfg: NULL for what stands in world_limits.h. */
struct names *names_new(const struct names_config *cfg);
/* What an earlier process found, until it is asked. Before names_watch. */
int names_know(struct names *n, const struct known_address *known, size_t count, struct err *err) WARN_UNUSED;
/* See world_watch_names and world_name_of. */
int names_watch(struct names *n, const char *const *names, size_t count, struct err *err) WARN_UNUSED;
const char *names_of(struct names *n, const uint8_t *address, size_t bytes, size_t index);
/* Does not wait for the resolver. */
/* See world_addresses_of and world_resolved_count. */
void names_addresses(struct names *n, const char *name, void (*fn)(void *arg, const uint8_t *address, size_t bytes), void *arg);
uint64_t names_count(struct names *n);
void names_free(struct names *n);
DEFINE_CLEANUP(struct names, names_free)

/* resolve.c - see world_resolve. */
struct resolver;
struct resolver *resolver_new(const char *proc_root);
void resolver_resolve(struct resolver *r, struct event *e, struct arena *scratch);
void resolver_free(struct resolver *r);
DEFINE_CLEANUP(struct resolver, resolver_free)

/* containers.c - the table. */
enum container_class { CONTAINER_GONE, CONTAINER_GUESSED, CONTAINER_KNOWN, CONTAINER_CLASS_COUNT };
struct centry {
	struct container c;	    /* first: a struct container of ours is its centry */
	enum container_class class; /* eviction goes from the first class to the last */
	bool is_user;
	bool wants_inspect; /* it is in the queue for it */
	bool is_inspecting;
	uint64_t gone_ns;    /* boot */
	unsigned list_round; /* docker.c: of the last list or event that had it */
	unsigned state_round; /* docker.c: of the last event that said whether it runs */
	size_t string_bytes;
	struct container_label *labels; /* owned; c.labels points here */
	struct container_mount *mounts;
	struct centry *next; /* in its bucket */
	TAILQ_ENTRY(centry) of_class;
	TAILQ_ENTRY(centry) of_queue;
};
TAILQ_HEAD(centry_list, centry);
struct containers;
struct containers *containers_new(const struct clock *clk, const struct world_ops *ops, void *arg);
void containers_free(struct containers *t);
struct centry *containers_find(struct containers *t, struct slice id, bool is_user);
/* Finds or makes (evicting); NULL only without memory or when id is none. engine: static text. */
struct centry *containers_get(struct containers *t, struct slice id, bool is_user,
			      const char *engine, enum container_class class);
void containers_set_class(struct containers *t, struct centry *e, enum container_class class);
/* Replaces one string of e->c; cut at max bytes. *field is in e->c. True if it changed. */
bool containers_set(struct containers *t, struct centry *e, const char **field, struct slice s,
		    size_t max);
void containers_add_label(struct containers *t, struct centry *e, struct slice key,
			  struct slice value);
void containers_add_mount(struct containers *t, struct centry *e, const struct container_mount *m);
void containers_clear_details(struct containers *t, struct centry *e);
void containers_announce(struct containers *t, struct centry *e, enum world_change change);
void containers_mark_gone(struct containers *t, struct centry *e);
/* Drops gone ones whose time is over. */
void containers_sweep(struct containers *t);
/* Every entry; fn may change its class. */
void containers_each(struct containers *t, void (*fn)(void *arg, struct centry *e), void *arg);
void containers_stats(const struct containers *t, struct world_stats *ret);
/* Called before an entry is freed, so that a queue can let go of it. */
void containers_on_drop(struct containers *t, void (*fn)(void *arg, struct centry *e), void *arg);
DEFINE_CLEANUP(struct containers, containers_free)

/* inspect.c - the engine's JSON into an entry; pure but for the table's memory. */
struct cJSON;
/* The answer to /containers/ID/json. */
void inspect_read(struct containers *t, struct centry *e, const struct cJSON *o);
/* Without the leading slash; an empty one changes nothing. True if something changed. */
bool inspect_set_name(struct containers *t, struct centry *e, struct slice name,
		      struct slice image);

/* docker.c - the Engine API. */
struct docker;
struct docker *docker_new(struct loop *l, struct fetch_pool *fetch, const struct clock *clk,
			  const char *socket_path, struct containers *table,
			  const struct world_ops *ops, void *arg);
void docker_free(struct docker *d);
void docker_start(struct docker *d);
/* Asks the engine about e soon. */
void docker_inspect(struct docker *d, struct centry *e);
bool docker_is_connected(const struct docker *d);
/* Containers of this engine live below /user.slice (rootless). */
bool docker_is_user(const struct docker *d);
DEFINE_CLEANUP(struct docker, docker_free)
