/* facts_real.c - a running container as the kernel has it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "agent/audit/facts_priv.h"

enum { SCRATCH_BYTES = 16 << 20 };

struct real {
	const char *proc_root;
	int dir; /* of init's /proc folder */
	struct facts_out *o;
	struct facts_out *scratch; /* for what is not kept */
	const struct facts_how *how;
};

/* ---- mounts ---- */

static void read_host_mounts(const struct real *x, struct facts_mount_table *ret)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	char path[PATH_MAX];

	*ret = (struct facts_mount_table){ 0 };
	(void)snprintf(path, sizeof(path), "%s/self/mountinfo", x->proc_root);
	if (facts_read_at(AT_FDCWD, path, FACTS_FILE_BYTES, &b) == 0)
		(void)facts_parse_mounts(buf_slice(&b), FACTS_HOST_MOUNTS_MAX, x->scratch, &ret->v, &ret->count);
}

static int read_mounts(const struct real *x, struct facts_mount_table host, struct facts_real *r)
{
	static const struct facts_sockets none;
	CLEANUP(buf_finip) struct buf b = { 0 };
	int e = facts_read_at(x->dir, "mountinfo", FACTS_FILE_BYTES, &b);

	if (e < 0)
		return e;
	(void)facts_parse_mounts(buf_slice(&b), FACTS_MOUNTS_MAX, x->o, &r->mounts, &r->mount_count);
	const struct facts_mount_table own = { r->mounts, r->mount_count };
	facts_look_behind(x->dir, own, host, x->how->sockets ? x->how->sockets : &none, x->o);
	/* The last at "/" is the one on top. */
	for (size_t i = 0; i < r->mount_count; i++)
		if (!strcmp(r->mounts[i].point, "/"))
			r->is_root_readonly = !r->mounts[i].is_writable;
	return 0;
}

/* ---- small files ---- */

static void read_uid_map(const struct real *x, struct facts_real *r)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	if (facts_read_at(x->dir, "uid_map", 65536, &b) == 0)
		r->is_user_ns_host = facts_parse_uid_map(buf_slice(&b), &r->root_uid);
}

/* "Max open files            1024                 4096                 files" */
static uint64_t hard_limit(struct slice text, struct slice name)
{
	struct slice line, w;
	uint64_t n;

	while (slice_split(&text, '\n', &line)) {
		if (!slice_starts(line, name))
			continue;
		line = slice_trim(slice_sub(line, name.n, line.n));
		(void)slice_split(&line, ' ', &w); /* the soft one */
		line = slice_trim(line);
		(void)slice_split(&line, ' ', &w);
		return slice_to_u64(w, &n) ? n : UINT64_MAX;
	}
	return UINT64_MAX;
}

static void read_ulimits(const struct real *x, struct facts_real *r)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	if (facts_read_at(x->dir, "limits", 16384, &b) < 0)
		return;
	r->nofile_max = hard_limit(buf_slice(&b), SLICE_LIT("Max open files"));
	r->nproc_max = hard_limit(buf_slice(&b), SLICE_LIT("Max processes"));
}

/* ---- the filter ---- */

/* Field 22 of stat, counted behind the name, which may hold anything. */
static uint64_t read_start_ticks(int dir)
{
	enum { FIELDS_AFTER_NAME = 20 };
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct slice rest, word = SLICE_NONE;
	uint64_t ticks;

	const char *end = facts_read_at(dir, "stat", 4096, &b) < 0 || !b.n ? NULL : memrchr(b.p, ')', b.n);
	if (!end)
		return 0;
	rest = slice_trim(slice_from(end + 1, (size_t)(b.p + b.n - end - 1)));
	for (int i = 0; i < FIELDS_AFTER_NAME; i++)
		if (!slice_split(&rest, ' ', &word))
			return 0;
	return slice_to_u64(word, &ticks) ? ticks : 0;
}

static bool is_known(const struct facts_known *k, const struct facts_real *r)
{
	return k && k->filter.is_read && k->seccomp_filters && k->start_ticks && k->pid == r->init.pid &&
	       k->start_ticks == r->init_start_ticks && k->seccomp_filters == r->init.seccomp_filters;
}

static void read_filter(const struct real *x, bool is_frozen, struct facts_real *r)
{
	struct facts_filter *f = &r->filter;

	facts_filter_init(f);
	if (r->init.seccomp == SECCOMP_FILTERED && is_known(x->how->known, r))
		*f = x->how->known->filter;
	else if (x->how->flags & FACTS_NO_FILTER)
		f->why = "not asked for";
	else if (r->init.seccomp == SECCOMP_OFF) { /* nothing to read: everything is let through */
		if (facts_filter_evaluate(NULL, 0, facts_native_arch(), f, NULL) < 0)
			f->why = "out of memory";
	} else if (r->init.seccomp == SECCOMP_STRICT_MODE)
		f->why = "strict mode has no filter";
	else if (r->init.seccomp == SECCOMP_UNKNOWN)
		f->why = "the kernel does not tell";
	else if (is_frozen) /* it would stop only when it is thawed */
		f->why = "the container is paused";
	else
		facts_read_filter(r->init.pid, x->o, f);
}

/* ---- all of it ---- */

static int read_all(const struct real *x, pid_t pid, struct facts_real *r)
{
	struct facts_mount_table host;
	uint64_t hosts[NS_COUNT];
	bool is_frozen = false;
	int e = facts_read_process(x->dir, pid, x->o, &r->init);

	if (e < 0)
		return e;
	r->init_start_ticks = read_start_ticks(x->dir);
	read_host_mounts(x, &host);
	e = read_mounts(x, host, r);
	if (e < 0)
		return e;
	read_uid_map(x, r);
	read_ulimits(x, r);
	facts_read_cgroup(x->proc_root, x->dir, host, x->o, r, &is_frozen);
	facts_read_host_ns(x->proc_root, hosts);
	if (r->init.ns[NS_NET] != hosts[NS_NET])
		facts_read_listeners(x->dir, x->o, r);
	read_filter(x, is_frozen, r);
	/* The folder of a process that has ended tells nothing any more: then the filter may be another's. */
	const uint64_t ticks = read_start_ticks(x->dir);
	return ticks && ticks == r->init_start_ticks ? 0 : -ESRCH;
}

int facts_read_real(const char *proc_root, pid_t pid, const struct facts_how *how, struct arena *a, struct facts_real *ret,
		    struct err *err)
{
	CLEANUP(arena_freep) struct arena *scratch = arena_new(SCRATCH_BYTES);
	struct facts_out o = { .a = a }, so = { .a = scratch };
	char path[PATH_MAX];
	struct facts_real r;

	facts_real_init(ret);
	facts_real_init(&r);
	if (!scratch)
		return err_set(err, ENOMEM, "read process %d", (int)pid);
	(void)snprintf(path, sizeof(path), "%s/%d", proc_root, (int)pid);
	CLEANUP(fd_closep) int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int e = dir < 0 ? -errno : 0;
	if (e == 0) {
		const struct real x = { .proc_root = proc_root, .dir = dir, .o = &o, .scratch = &so, .how = how };
		e = read_all(&x, pid, &r);
	}
	if (e < 0) {
		int code = e == -ENOENT ? ESRCH : -e;
		ret->why = facts_format(&o, "process %d: %s", (int)pid, err_name(code));
		return err_set(err, code, "read process %d", (int)pid);
	}
	e = facts_done(&o, err);
	if (e < 0)
		return e;
	r.is_known = true;
	*ret = r;
	return 0;
}
