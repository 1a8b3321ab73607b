/* world.h - what runs on this host now: processes (for ancestors and names), containers, users.
 *
 * One thread. Bounded: LIMITS in world_limits.h; what is dropped is counted. */
#pragma once
#include "agent/event.h"
#include "common/arena.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/fetch.h"
#include "common/loop.h"

struct world;

/* A container as far as it is known. Borrowed until the next turn of the loop, and until another is
 * made known by world_container: keep the id, not the pointer. All strings NUL-terminated, "" where unknown. */
struct container {
	char id[65];	  /* full id where known, else what the cgroup path gave */
	const char *name; /* without the leading slash */
	const char *image; /* reference as given: "nginx:1.25" */
	const char *image_id; /* sha256:… */
	const char *image_digest; /* sha256:…, of the repository; may be "" */
	const char *user; /* declared: Config.User */
	const char *published; /* "80/tcp 443/tcp": ports reached from outside the host; "*": its network is the host's */
	const char *engine; /* docker, podman, libpod, crio, containerd … from the cgroup's form */
	const struct container_label *labels;
	size_t label_count;
	const struct container_mount *mounts;
	size_t mount_count;
	uint64_t created_unix_ns, started_unix_ns;
	bool privileged;
	bool is_running;
	bool is_named;	 /* name and image are known */
	bool is_inspected; /* the engine was asked and has answered */
	bool is_gone;	 /* the engine removed it; kept for a while for late events */
};
struct container_label {
	const char *key, *value;
};
struct container_mount {
	const char *source, *dest, *mode, *propagation;
	bool rw;
};

/* A process in the tree. Borrowed until the next world_apply. */
struct proc {
	uint32_t pid, ppid;
	uint64_t start_ns, parent_start_ns;
	uint32_t uid, gid, login_uid, tty, session_id, group_id, vpid;
	uint64_t cgroup_id;
	struct slice name, exe, argv0, args, cwd; /* args: NUL-ended each, cut at 1 KiB */
	uint64_t exe_inode, exe_ctime_ns, exe_mtime_ns; /* 0: not known, as the next five */
	bool exe_upper_layer, exe_lower_layer, exe_from_memfd, exe_writable, exe_deleted;
	bool is_exited;
};

enum world_change {
	WORLD_CREATED,
	WORLD_STARTED,
	WORLD_STOPPED,
	WORLD_REMOVED,
	WORLD_UPDATED, /* more is known of it */
	WORLD_CHANGED, /* somebody changed it: its limits, name, networks; what is known may be older */
};

struct world_ops {
	/* A container was made, started, stopped, removed, or more of it is known. Nullable. */
	void (*on_container)(void *arg, const struct container *c, enum world_change change);
	/* The connection to the engine came or went. Nullable. */
	void (*on_engine)(void *arg, bool is_connected, const char *why);
	/* The engine's whole answer about it (GET /containers/ID/json), before on_container tells of it. Nullable. */
	void (*on_inspected)(void *arg, const struct container *c, struct slice body);
	/* An image came, went, or got another name; which one the engine's list says. Nullable. */
	void (*on_images)(void *arg);
};

struct world_config {
	size_t max_processes;	   /* 1,024 .. 1,048,576; default 32,768 */
	const char *docker_socket; /* "/var/run/docker.sock"; NULL or "" = no engine */
	const char *proc_root;	   /* "/proc" */
};

int world_new(struct loop *l, struct fetch_pool *fetch, const struct clock *clk,
	      const struct world_config *cfg, const struct world_ops *ops, void *arg,
	      struct world **ret, struct err *err) WARN_UNUSED;
/* Connects to the engine (reconnecting for ever): events stream first, then the list, then
 * inspects, so that no container falls between. */
void world_start(struct world *w);
/* Takes over a process that ran before the probe was attached. */
void world_seed(struct world *w, const struct event_process *p);
/* /proc as fallback where the kernel has no task iterator. Returns the number found. */
int world_seed_proc(struct world *w, struct err *err);
/* Applies fork, exec and exit to the tree. Call before rules see the event. */
void world_apply(struct world *w, const struct event *e);

const struct proc *world_proc(struct world *w, uint32_t pid);
/* The process of the event; NULL too when the tree knows another by that pid: a pid comes again, after a loss
 * or while an event waited. What /proc told of starts is cut to a hundredth of a second. */
static inline const struct proc *world_proc_of(struct world *w, const struct event_process *e)
{
	const uint64_t tick_ns = 10000000;
	const struct proc *p = world_proc(w, e->pid);

	if (!p || p->start_ns > e->start_ns + tick_ns || e->start_ns > p->start_ns + tick_ns)
		return NULL;
	return p;
}
/* Every process that runs, in no order. fn must not call back into the world. */
void world_procs_each(struct world *w, void (*fn)(void *arg, const struct proc *p), void *arg);
/* level 1 = parent. NULL when not known. Falls back to the event's own parent_name for level 1. */
const struct proc *world_ancestor(struct world *w, const struct proc *p, unsigned level);
/* The container of the event's cgroup, made known by this call if it was not; NULL on the host. */
const struct container *world_container(struct world *w, const struct event_process *p);
const struct container *world_container_by_id(struct world *w, struct slice id);
void world_containers_each(struct world *w, void (*fn)(void *arg, const struct container *c), void *arg);
/* Name of a uid/gid in the process's own root (its /etc/passwd), cached per mount namespace; for the
 * host the host's. "" when unknown. Borrowed until the next call. */
struct slice world_user_name(struct world *w, const struct event_process *p, uint32_t uid);
struct slice world_group_name(struct world *w, const struct event_process *p, uint32_t gid);
/* Home directory and shell of a uid, read anew each time; false when unknown. Borrowed until the next call. */
bool world_user_account(struct world *w, const struct event_process *p, uint32_t uid, struct slice *ret_home,
			struct slice *ret_shell);
/* "/proc", or where the configuration says it is. Borrowed. */
const char *world_proc_root(const struct world *w);

/* Fills e->call.path and path2 where the probe could not: the directory (base) and the text as given are
 * joined, ".." and links resolved in the caller's root, without ever waiting for a file system: what is not
 * in the kernel's cache is resolved by text alone. What it makes lives in scratch. Other events: nothing. */
void world_resolve(struct world *w, struct event *e, struct arena *scratch);

enum { WORLD_NAMES_MAX = 256 };
/* Names to keep resolved (by the host's resolver, in a thread of its own, again when the answers' time is over, within
 * 10 s and 5 minutes); replaces the earlier ones. An address that no answer has any more, or of a name that is no more,
 * stays 5 minutes; while nobody answers, all stay. Returns how many are watched: 256 at most, of at most 64 addresses
 * each. */
int world_watch_names(struct world *w, const char *const *names, size_t count, struct err *err) WARN_UNUSED;
/* The watched names that lead to the address (4 or 16 bytes): the first, then by index; NULL past the end.
 * Borrowed until the next call with index 0. */
const char *world_name_of(struct world *w, const uint8_t *address, size_t bytes, size_t index);

/* Names whose addresses are wanted, apart from those: the same bounds. */
int world_resolve_names(struct world *w, const char *const *names, size_t count, struct err *err) WARN_UNUSED;
/* The addresses of one of them, 4 or 16 bytes each. */
void world_addresses_of(struct world *w, const char *name, void (*fn)(void *arg, const uint8_t *address, size_t bytes),
			void *arg);
/* What an earlier process found, until there is an answer. Before the first world_resolve_names. */
struct known_address {
	const char *name;
	uint8_t address[16];
	size_t bytes; /* 4 or 16 */
};
int world_know_names(struct world *w, const struct known_address *known, size_t count, struct err *err) WARN_UNUSED;
/* Changes when an answer came, whatever it says. */
uint64_t world_resolved_count(struct world *w);

struct world_stats {
	uint64_t processes, process_bytes, processes_evicted;
	uint64_t containers, containers_evicted;
	bool engine_connected;
};
void world_stats(const struct world *w, struct world_stats *ret);
void world_free(struct world *w);
DEFINE_CLEANUP(struct world, world_free)

/* The container id in a cgroup path and the engine whose form it has; pure. false: none.
 * ret_id: at least 65 bytes; the whole id as it stands in the path (not cut at 12). */
bool cgroup_container_id(struct slice path, char *ret_id, const char **ret_engine);
