/* facts_cgroup.c - a container's control groups: its limits, its devices, its processes. v1, v2 and both together.
 *
 * The container's own group, not the one init stands in now: what a container makes below it (systemd in it does) is
 * part of it. Where the id stands in the path, the path is cut behind it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "agent/audit/facts_priv.h"
#include "agent/world/world.h"

enum { GROUPS_MAX = 512, DEPTH_MAX = 8, PATH_BYTES = 4096 };

enum controller { UNIFIED, MEMORY, PIDS, CPU, DEVICES, FREEZER, CONTROLLER_COUNT };
static const char *const controller_names[] = {
	[UNIFIED] = "", [MEMORY] = "memory",   [PIDS] = "pids",
	[CPU] = "cpu",	[DEVICES] = "devices", [FREEZER] = "freezer",
};

struct groups {
	char path[CONTROLLER_COUNT][PATH_BYTES]; /* "" : not in this hierarchy */
	int dir[CONTROLLER_COUNT];		 /* -1 */
};

static void groups_free(struct groups *g)
{
	for (size_t i = 0; i < CONTROLLER_COUNT; i++)
		fd_closep(&g->dir[i]);
	free(g);
}
DEFINE_CLEANUP(struct groups, groups_free)

/* ---- where the groups are ---- */

static bool list_has(struct slice list, const char *name)
{
	struct slice one;

	while (slice_split(&list, ',', &one))
		if (slice_is(one, name))
			return true;
	return false;
}

/* The part of the path up to the container's id, the whole where there is none. */
static struct slice own_path(struct slice path)
{
	char id[65];
	const char *engine;

	if (!cgroup_container_id(path, id, &engine))
		return path;
	ptrdiff_t at = slice_find(path, slice_of(id));
	size_t end = (size_t)at + strlen(id);
	while (end < path.n && path.p[end] != '/')
		end++;
	return slice_sub(path, 0, end);
}

/* "4:memory:/docker/ID", "0::/docker/ID" */
static void read_paths(struct slice text, struct groups *g)
{
	struct slice line;

	while (slice_split(&text, '\n', &line)) {
		struct slice number, names;

		if (!slice_split(&line, ':', &number) || !slice_split(&line, ':', &names) || !line.n)
			continue;
		for (size_t i = 0; i < CONTROLLER_COUNT; i++)
			if (i == UNIFIED ? slice_is(number, "0") && !names.n : list_has(names, controller_names[i]))
				if (!slice_copy(own_path(line), g->path[i], sizeof(g->path[i])))
					g->path[i][0] = 0;
	}
}

static int open_group(const struct facts_mount *m, const char *path)
{
	char full[2 * PATH_BYTES];

	/* Below what is mounted: a bind of a part of the hierarchy shows no more. */
	struct slice rest = slice_of(path), root = slice_of(m->root);
	if (!slice_is(root, "/")) {
		if (!slice_starts(rest, root) || (rest.n > root.n && rest.p[root.n] != '/'))
			return -1;
		rest = slice_sub(rest, root.n, rest.n);
	}
	if (slice_find(rest, SLICE_LIT("/../")) >= 0 || slice_ends(rest, SLICE_LIT("/..")))
		return -1; /* outside of what our own namespace shows */
	int n = snprintf(full, sizeof(full), "%s%.*s", m->point, SLICE_FMT(rest));
	if (n < 0 || (size_t)n >= sizeof(full))
		return -1;
	return open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void open_groups(struct facts_mount_table host, struct groups *g)
{
	for (size_t n = 0; n < host.count; n++) {
		const struct facts_mount *m = &host.v[n];
		bool is_v2 = !strcmp(m->fs_type, "cgroup2");

		if (!is_v2 && strcmp(m->fs_type, "cgroup"))
			continue;
		for (size_t i = 0; i < CONTROLLER_COUNT; i++)
			if (g->dir[i] < 0 && *g->path[i] && is_v2 == (i == UNIFIED) &&
			    (is_v2 || list_has(slice_of(m->super_options), controller_names[i])))
				g->dir[i] = open_group(m, g->path[i]);
	}
}

/* ---- limits ---- */

/* v1 has no word for "none": the largest multiple of a page. */
static int64_t v1_memory(int dir)
{
	int64_t n = facts_read_number_at(dir, "memory.limit_in_bytes");

	return n >= INT64_MAX - (1 << 20) ? -1 : n;
}

/* "max 100000" */
static void v2_cpu(int dir, struct facts_real *r)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct slice quota, rest;
	uint64_t n;

	if (facts_read_at(dir, "cpu.max", 64, &b) < 0)
		return;
	rest = slice_trim(buf_slice(&b));
	if (!slice_split(&rest, ' ', &quota))
		return;
	r->cpu_quota_us = slice_to_u64(quota, &n) && n <= INT64_MAX ? (int64_t)n : -1;
	r->cpu_period_us = slice_to_u64(rest, &n) && n <= INT64_MAX ? (int64_t)n : 0;
	int64_t weight = facts_read_number_at(dir, "cpu.weight");
	r->cpu_weight = weight > 0 && weight != 100 ? (uint64_t)weight : 0;
}

static void v1_cpu(int dir, struct facts_real *r)
{
	int64_t shares = facts_read_number_at(dir, "cpu.shares");

	r->cpu_quota_us = facts_read_number_at(dir, "cpu.cfs_quota_us");
	r->cpu_period_us = facts_read_number_at(dir, "cpu.cfs_period_us");
	if (r->cpu_period_us < 0)
		r->cpu_period_us = 0;
	/* As the OCI runtimes convert 2..262144 into 1..10000. */
	if (shares >= 2 && shares <= 262144 && shares != 1024)
		r->cpu_weight = (uint64_t)(1 + (shares - 2) * 9999 / 262142);
}

static void read_limits(const struct groups *g, struct facts_real *r)
{
	const int u = g->dir[UNIFIED];

	r->memory_max = g->dir[MEMORY] >= 0 ? v1_memory(g->dir[MEMORY]) : facts_read_number_at(u, "memory.max");
	r->pids_max = facts_read_number_at(g->dir[PIDS] >= 0 ? g->dir[PIDS] : u, "pids.max");
	if (g->dir[CPU] >= 0)
		v1_cpu(g->dir[CPU], r);
	else if (u >= 0)
		v2_cpu(u, r);
}

static bool has_all_devices(int dir)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct slice rest, line;

	if (dir < 0 || facts_read_at(dir, "devices.list", 65536, &b) < 0)
		return false;
	rest = buf_slice(&b);
	while (slice_split(&rest, '\n', &line))
		if (slice_is(slice_trim(line), "a *:* rwm"))
			return true;
	return false;
}

static bool is_frozen(const struct groups *g)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	if (facts_read_number_at(g->dir[UNIFIED], "cgroup.freeze") == 1)
		return true;
	if (g->dir[FREEZER] < 0 || facts_read_at(g->dir[FREEZER], "freezer.state", 32, &b) < 0)
		return false;
	return !slice_is(slice_trim(buf_slice(&b)), "THAWED"); /* FROZEN, FREEZING */
}

/* ---- processes ---- */

struct walk {
	const char *proc_root;
	pid_t skip; /* init: read already */
	struct facts_out *o;
	struct facts_real *r;
	struct facts_process *v; /* FACTS_PROCESSES_MAX */
	size_t groups;
};

static void add_process(struct walk *w, pid_t pid)
{
	char path[PATH_BYTES];
	struct facts_process *p = &w->v[w->r->process_count];

	w->r->process_total++;
	if (pid == w->skip || w->r->process_count >= FACTS_PROCESSES_MAX)
		return;
	(void)snprintf(path, sizeof(path), "%s/%d", w->proc_root, (int)pid);
	CLEANUP(fd_closep) int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Gone meanwhile: it counts for nothing any more. */
	if (dir >= 0 && facts_read_process(dir, pid, w->o, p) == 0)
		w->r->process_count++;
}

static void add_group(struct walk *w, int dir)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct slice rest, line;
	uint64_t pid;

	if (facts_read_at(dir, "cgroup.procs", FACTS_FILE_BYTES, &b) < 0)
		return;
	rest = buf_slice(&b);
	while (slice_split(&rest, '\n', &line)) /* 0: of a pid namespace that is none of ours */
		if (slice_to_u64(line, &pid) && pid && pid <= INT32_MAX)
			add_process(w, (pid_t)pid);
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

static void walk_groups(struct walk *w, int dir, unsigned depth)
{
	if (++w->groups > GROUPS_MAX || depth > DEPTH_MAX)
		return;
	add_group(w, dir);
	int own = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(closedirp) DIR *d = own < 0 ? NULL : fdopendir(own);
	if (!d) {
		fd_closep(&own);
		return;
	}
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		CLEANUP(fd_closep) int sub = openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (sub >= 0)
			walk_groups(w, sub, depth + 1);
	}
}

/* The hierarchy to look for processes in: one where the container has a group of its own. */
static int best_dir(const struct groups *g, const char **ret_path)
{
	static const enum controller order[] = { UNIFIED, PIDS, MEMORY, CPU, DEVICES, FREEZER };

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		if (g->dir[order[i]] < 0 || !*g->path[order[i]] || !strcmp(g->path[order[i]], "/"))
			continue;
		*ret_path = g->path[order[i]];
		return g->dir[order[i]];
	}
	return -1;
}

static void read_processes(const char *proc_root, int dir, struct facts_out *o, struct facts_real *r)
{
	CLEANUP(freep) struct facts_process *v = calloc(FACTS_PROCESSES_MAX, sizeof(*v));
	struct walk w = { .proc_root = proc_root, .skip = r->init.pid, .o = o, .r = r, .v = v };

	if (!v) {
		o->failed = true;
		return;
	}
	v[r->process_count++] = r->init;
	if (dir >= 0)
		walk_groups(&w, dir, 0);
	if (r->process_total < r->process_count)
		r->process_total = r->process_count;
	r->processes = facts_rows(o, r->process_count, sizeof(*v));
	if (r->processes)
		memcpy(r->processes, v, r->process_count * sizeof(*v));
	else
		r->process_count = 0;
}

/* ---- all of it ---- */

static struct groups *find_groups(int dir, struct facts_mount_table host)
{
	CLEANUP(groups_freep) struct groups *g = calloc(1, sizeof(*g));
	CLEANUP(buf_finip) struct buf cgroup = { 0 };

	if (!g)
		return NULL;
	for (size_t i = 0; i < CONTROLLER_COUNT; i++)
		g->dir[i] = -1;
	if (facts_read_at(dir, "cgroup", FACTS_FILE_BYTES, &cgroup) < 0)
		return NULL;
	read_paths(buf_slice(&cgroup), g);
	open_groups(host, g);
	return take_ptr(g);
}

void facts_read_cgroup(const char *proc_root, int dir, struct facts_mount_table host, struct facts_out *o,
		       struct facts_real *ret, bool *ret_is_frozen)
{
	CLEANUP(groups_freep) struct groups *g = find_groups(dir, host);
	const char *path = "/";

	*ret_is_frozen = false;
	if (!g) {
		read_processes(proc_root, -1, o, ret);
		return;
	}
	int best = best_dir(g, &path);
	ret->cgroup = facts_text(o, slice_of(path));
	read_limits(g, ret);
	ret->has_all_devices = has_all_devices(g->dir[DEVICES]);
	*ret_is_frozen = is_frozen(g);
	read_processes(proc_root, best, o, ret);
}
