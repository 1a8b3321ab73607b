/* resolve.c - where a path of a system call leads, asked after the call and without ever waiting.
 *
 * The caller may live on file systems that never answer (a FUSE mount of its own). So only what the kernel
 * has in its cache of names is asked for (RESOLVE_CACHED: anything else is EAGAIN, at once), and nothing is
 * opened but names (O_PATH). What can't be asked is done by text: "." and ".." cut, the links that /proc
 * makes of the caller itself replaced.
 *
 * Whose root: the caller's; when it has exited meanwhile (as rm and ln do) that of its parent or of another
 * process seen in the same mount namespace, if it has not changed its root. No root is held open between two
 * events: it would keep a container's file system from being unmounted. */
#include "agent/world/world_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef RESOLVE_CACHED /* Linux 5.12 */
#define RESOLVE_CACHED 0x20
#endif

enum {
	TICK_NS = 10000000, /* /proc/PID/stat counts starts in these */
	SEEN_COUNT = 256,
	KNOWN_COUNT = 64,
	UNDO_MAX = 8, /* links of /proc in a row */
};

/* Somebody in a mount namespace who may outlive the others: the eldest that was met. */
struct seen {
	uint32_t ns_mnt, pid;
	uint64_t start_ns;
};

/* /proc/PID of a process whose start was compared: it can't become another's. Keeps nothing of the
 * process alive, and saves most of the cost for one that goes on. */
struct known {
	uint32_t pid;
	int dir; /* -1: none */
	uint64_t start_ns;
};

struct resolver {
	int proc; /* O_PATH */
	uint32_t own_pid;
	struct known known[KNOWN_COUNT];
	bool is_too_old; /* the kernel has no RESOLVE_CACHED */
	struct seen seen[SEEN_COUNT];
};

/* For one event. */
struct view {
	struct resolver *r;
	const struct event_process *p;
	struct arena *scratch;
	int self; /* /proc/PID of the caller, borrowed; -1: it is gone */
	int root; /* -1: only by text */
	struct slice root_path; /* of root, from the namespace's; see root_of */
};

/* Asked once of a name that is always there: later an EINVAL may be a file system's. */
static bool has_cached(int proc)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_CACHED};
	CLEANUP(fd_closep) int fd = (int)syscall(SYS_openat2, proc, ".", &how, sizeof(how));

	return fd >= 0 || errno == EAGAIN;
}

struct resolver *resolver_new(const char *proc_root)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->own_pid = (uint32_t)getpid();
	for (size_t i = 0; i < KNOWN_COUNT; i++)
		r->known[i].dir = -1;
	r->proc = open(proc_root, O_PATH | O_DIRECTORY | O_CLOEXEC); /* -1: all by text */
	r->is_too_old = r->proc < 0 || !has_cached(r->proc);
	return r;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	if (r->proc >= 0)
		close(r->proc);
	for (size_t i = 0; i < KNOWN_COUNT; i++)
		if (r->known[i].dir >= 0)
			close(r->known[i].dir);
	free(r);
}

/* ---- by text ---- */

/* Without empty parts and "." ones; with dots, also without ".." and what stands before it. */
static struct slice squeeze(struct arena *scratch, struct slice text, bool with_dots)
{
	char *out = arena_alloc(scratch, text.n + 2);
	struct slice part;
	size_t n = 0;

	if (!out)
		return text;
	while (text.n && slice_split(&text, '/', &part)) {
		if (!part.n || slice_is(part, "."))
			continue;
		if (with_dots && slice_is(part, "..")) {
			while (n && out[--n] != '/')
				;
			continue;
		}
		out[n++] = '/';
		memcpy(out + n, part.p, part.n);
		n += part.n;
	}
	if (!n)
		out[n++] = '/';
	return slice_from(out, n);
}

static struct slice joined(struct arena *scratch, struct slice dir, struct slice name)
{
	char *out = arena_alloc(scratch, dir.n + name.n + 1);
	size_t n = dir.n;

	if (!out)
		return name;
	memcpy(out, dir.n ? dir.p : "", dir.n);
	if (name.n && name.p[0] != '/' && !slice_ends(dir, SLICE_LIT("/")))
		out[n++] = '/';
	memcpy(out + n, name.n ? name.p : "", name.n);
	return slice_from(out, n + name.n);
}

/* The first part of *rest, which begins with a slash. */
static bool next_part(struct slice *rest, struct slice *ret)
{
	struct slice after;

	if (!slice_starts(*rest, SLICE_LIT("/")))
		return false;
	after = slice_sub(*rest, 1, rest->n);
	ptrdiff_t end = slice_find_char(after, '/');
	*ret = end < 0 ? after : slice_sub(after, 0, (size_t)end);
	*rest = slice_sub(after, ret->n, after.n);
	return ret->n;
}

static bool is_number(struct slice s, uint32_t *ret)
{
	uint64_t v;

	if (!slice_to_u64(s, &v) || v > INT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

static struct slice link_of(const struct view *v, const char *name)
{
	char *text = v->self >= 0 ? arena_alloc(v->scratch, PATH_MAX) : NULL;
	ssize_t n = text ? readlinkat(v->self, name, text, PATH_MAX) : -1;
	struct slice s = slice_from(text, n > 0 ? (size_t)n : 0);

	/* "pipe:[1]" is no place. */
	return slice_starts(s, SLICE_LIT("/")) ? s : SLICE_NONE;
}

/* "/proc/self/root/etc" is "/etc", and so are cwd and fd/N what they lead to. "/proc/self" is otherwise a
 * number, as the kernel has it. *in_root: text is as the caller sees it, else from the namespace's root.
 * False: it is none of these. */
static bool undo_once(const struct view *v, struct slice *text, bool *in_root)
{
	struct slice rest = *text, part, after;
	uint32_t pid = 0;
	char name[32];

	if (slice_starts(rest, SLICE_LIT("/dev/fd/"))) {
		*text = joined(v->scratch, SLICE_LIT("/proc/self"), slice_sub(rest, 4, rest.n));
		return true;
	}
	if (!next_part(&rest, &part) || !slice_is(part, "proc") || !next_part(&rest, &part))
		return false;
	bool is_word = slice_is(part, "self") || slice_is(part, "thread-self");
	bool is_self = is_word || (is_number(part, &pid) && pid == v->p->vpid);
	if (!is_self && !pid)
		return false;
	after = rest;
	if (next_part(&after, &part) && slice_is(part, "task") && next_part(&after, &part) && is_number(part, &pid))
		rest = after; /* threads share them, but for the odd one */
	after = rest;
	if (!next_part(&after, &part))
		part = SLICE_NONE;
	if (slice_is(part, "root")) {
		/* Of another one: that its root is another than the caller's can't be told by text. */
		*text = after.n ? after : SLICE_LIT("/");
		return true;
	}
	struct slice to = SLICE_NONE;
	if (is_self && slice_is(part, "cwd")) {
		to = link_of(v, "cwd");
	} else if (is_self && slice_is(part, "fd") && next_part(&after, &part) && is_number(part, &pid)) {
		snprintf(name, sizeof(name), "fd/%u", pid);
		to = link_of(v, name);
	}
	if (to.n) {
		*text = joined(v->scratch, to, after);
		*in_root = false;
		return true;
	}
	if (!is_word)
		return false;
	snprintf(name, sizeof(name), "/proc/%u", v->p->vpid);
	char *copy = arena_dup(v->scratch, slice_of(name));
	*text = copy ? joined(v->scratch, slice_of(copy), rest) : *text;
	return copy;
}

static struct slice undo(const struct view *v, struct slice text, bool *in_root)
{
	for (unsigned i = 0; i < UNDO_MAX && undo_once(v, &text, in_root); i++)
		;
	return text;
}

/* ---- whose root ---- */

static uint64_t start_of(int dir)
{
	CLEANUP(fd_closep) int fd = openat(dir, "stat", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char text[1024];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return 0;
	text[n] = 0;
	/* The name may hold anything: what counts stands behind the last parenthesis, from field 3 on. */
	char *at = strrchr(text, ')');
	for (unsigned i = 0; at && i < 20; i++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at + 1, NULL, 10) * TICK_NS : 0;
}

/* /proc/PID of exactly that process, borrowed; -1: gone. */
static int process_dir(struct resolver *r, uint32_t pid, uint64_t start_ns)
{
	struct known *k = &r->known[pid % KNOWN_COUNT];
	char name[16];

	if (k->dir >= 0 && k->pid == pid && k->start_ns == start_ns)
		return k->dir;
	if (r->proc < 0 || !pid)
		return -1;
	snprintf(name, sizeof(name), "%u", pid);
	CLEANUP(fd_closep) int dir = openat(r->proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -1;
	uint64_t start = start_of(dir);
	uint64_t apart = start > start_ns ? start - start_ns : start_ns - start;
	if (!start || apart >= 2 * TICK_NS)
		return -1;
	if (k->dir >= 0)
		close(k->dir);
	*k = (struct known){pid, take_fd(&dir), start_ns};
	return k->dir;
}

static void forget(struct resolver *r, uint32_t pid)
{
	struct known *k = &r->known[pid % KNOWN_COUNT];

	if (k->dir >= 0 && k->pid == pid) {
		close(k->dir);
		k->dir = -1;
	}
}

static struct slice root_link(const struct view *v, int dir)
{
	char *text = arena_alloc(v->scratch, PATH_MAX);
	ssize_t n = text ? readlinkat(dir, "root", text, PATH_MAX) : -1;

	return slice_from(text, n > 0 ? (size_t)n : 0);
}

/* Asked only when it matters: "/" unless the caller lives and has changed its root. */
static struct slice root_of(struct view *v)
{
	if (!v->root_path.n && v->self >= 0)
		v->root_path = root_link(v, v->self);
	if (!v->root_path.n)
		v->root_path = SLICE_LIT("/");
	return v->root_path;
}

static bool is_in_namespace(int dir, uint32_t ns_mnt)
{
	struct stat st;

	return !fstatat(dir, "ns/mnt", &st, 0) && (uint32_t)st.st_ino == ns_mnt;
}

/* Another's root stands for the caller's when it is the namespace's own. */
static bool borrow_root(struct view *v, uint32_t pid, uint64_t start_ns)
{
	int dir = process_dir(v->r, pid, start_ns);

	if (dir < 0 || !is_in_namespace(dir, v->p->ns_mnt) || !slice_is(root_link(v, dir), "/"))
		return false;
	v->root = openat(dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return v->root >= 0;
}

static void remember(struct resolver *r, uint32_t ns_mnt, uint32_t pid, uint64_t start_ns)
{
	struct seen *s = &r->seen[ns_mnt % SEEN_COUNT];

	if (s->ns_mnt != ns_mnt || !s->pid || start_ns < s->start_ns)
		*s = (struct seen){ns_mnt, pid, start_ns};
}

static void find_root(struct view *v)
{
	const struct event_process *p = v->p;
	struct seen *s = &v->r->seen[p->ns_mnt % SEEN_COUNT];

	if (v->r->is_too_old)
		return;
	if (v->self >= 0) {
		v->root = openat(v->self, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (v->root >= 0) {
			remember(v->r, p->ns_mnt, p->pid, p->start_ns);
			return;
		}
		v->self = -1; /* a zombie, or gone */
		forget(v->r, p->pid);
	}
	if (!p->ns_mnt)
		return;
	if (borrow_root(v, p->ppid, p->parent_start_ns)) {
		remember(v->r, p->ns_mnt, p->ppid, p->parent_start_ns);
		return;
	}
	if (s->ns_mnt == p->ns_mnt && s->pid && !borrow_root(v, s->pid, s->start_ns))
		*s = (struct seen){0};
	/* On the host there is always one. It started before all others: its start is not asked. */
	if (v->root < 0 && v->r->proc >= 0) {
		CLEANUP(fd_closep) int init = openat(v->r->proc, "1", O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (init >= 0 && is_in_namespace(init, p->ns_mnt))
			v->root = openat(init, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
}

/* ---- by the kernel's cache ---- */

/* The name of what path leads to; empty: not known without waiting. */
static struct slice ask(struct view *v, struct slice path, bool is_directory)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | (is_directory ? O_DIRECTORY : 0),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_CACHED | RESOLVE_NO_MAGICLINKS,
	};
	char *text = arena_dup(v->scratch, path), *out, name[64];

	if (!text || memchr(path.p, 0, path.n))
		return SLICE_NONE;
	CLEANUP(fd_closep) int fd = (int)syscall(SYS_openat2, v->root, text, &how, sizeof(how));
	if (fd < 0)
		return SLICE_NONE;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	out = arena_alloc(v->scratch, PATH_MAX);
	ssize_t n = out ? readlink(name, out, PATH_MAX) : -1;
	struct slice found = slice_from(out, n > 0 ? (size_t)n : 0);
	snprintf(name, sizeof(name), "/proc/%u", v->r->own_pid);
	/* A link to /proc/self is the asker's here. */
	if (!slice_starts(found, SLICE_LIT("/")) || slice_ends(found, SLICE_LIT(" (deleted)")) ||
	    (slice_starts(found, slice_of(name)) && v->p->pid != v->r->own_pid))
		return SLICE_NONE;
	return found;
}

/* As the caller's root sees it; false: it lies elsewhere. */
static bool below_root(struct view *v, struct slice *path)
{
	struct slice root = root_of(v);

	if (slice_is(root, "/"))
		return true;
	if (!slice_starts(*path, root) || (path->n > root.n && path->p[root.n] != '/'))
		return false;
	*path = path->n == root.n ? SLICE_LIT("/") : slice_sub(*path, root.n, path->n);
	return true;
}

static struct slice kernel_path(struct view *v, struct slice path, bool in_root, bool follows)
{
	if (v->root < 0 || (!in_root && !below_root(v, &path)))
		return SLICE_NONE;
	const char *slash = memrchr(path.p, '/', path.n);
	size_t at = slash ? (size_t)(slash - path.p) : 0;
	struct slice last = slice_sub(path, at + 1, path.n);
	if (!last.n || slice_is(last, "..") || follows) {
		struct slice whole = ask(v, path, false);

		if (whole.n || !last.n || slice_is(last, ".."))
			return whole;
	}
	struct slice parent = ask(v, at ? slice_sub(path, 0, at) : SLICE_LIT("/"), true);
	return parent.n ? joined(v->scratch, parent, last) : SLICE_NONE;
}

static struct slice resolve(struct view *v, struct slice raw, struct slice base, bool follows)
{
	bool in_root = slice_starts(raw, SLICE_LIT("/"));
	struct slice text, found;

	if (!in_root && !base.n)
		return raw;
	text = squeeze(v->scratch, in_root ? raw : joined(v->scratch, base, raw), false);
	text = undo(v, text, &in_root);
	found = kernel_path(v, text, in_root, follows);
	if (found.n)
		return found;
	struct slice cleaned = undo(v, squeeze(v->scratch, text, true), &in_root);
	found = slice_eq(cleaned, text) ? SLICE_NONE : kernel_path(v, cleaned, in_root, follows);
	if (found.n)
		return found;
	return in_root && !slice_is(root_of(v), "/") ? joined(v->scratch, root_of(v), cleaned) : cleaned;
}

/* ---- events ---- */

/* Calls that act on the link itself, not on what it leads to. */
static bool follows_last(const struct event_call *c)
{
	switch (c->call) {
	case CALL_CHMOD:
	case CALL_CHOWN:
	case CALL_CHDIR:
	case CALL_CHROOT:
	case CALL_MOUNT:
	case CALL_PIVOT_ROOT:
		return true;
	case CALL_FCHMODAT:
		return true;
	case CALL_FCHMODAT2:
		return !(c->arg[3] & AT_SYMLINK_NOFOLLOW);
	case CALL_FCHOWNAT:
		return !(c->arg[4] & AT_SYMLINK_NOFOLLOW);
	case CALL_LINKAT:
		return c->arg[4] & AT_SYMLINK_FOLLOW;
	case CALL_UMOUNT2:
		return !(c->arg[1] & 8); /* UMOUNT_NOFOLLOW */
	default:
		return c->family == FAMILY_OPEN || c->family == FAMILY_EXEC;
	}
}

static struct slice parent_of(struct slice path)
{
	const char *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;

	return slash && slash != path.p ? slice_sub(path, 0, (size_t)(slash - path.p)) : SLICE_LIT("/");
}

static void resolve_second(struct view *v, struct event_call *c)
{
	bool follows = c->call == CALL_MOUNT || c->call == CALL_MOVE_MOUNT || c->call == CALL_PIVOT_ROOT;

	if (!c->path2.n && (c->raw2.n || c->base2.n))
		c->path2 = resolve(v, c->raw2, c->base2, follows);
}

void resolver_resolve(struct resolver *r, struct event *e, struct arena *scratch)
{
	struct event_call *c = &e->call;
	struct view v = {.r = r, .p = &e->p, .scratch = scratch, .self = -1, .root = -1};

	if (e->type != EV_CALL || (c->family != FAMILY_PATH && c->family != FAMILY_PATHS &&
				   c->family != FAMILY_OPEN && c->family != FAMILY_EXEC))
		return;
	if ((c->path.n || !(c->raw.n || c->base.n)) && (c->path2.n || !(c->raw2.n || c->base2.n)))
		return;
	v.self = process_dir(r, e->p.pid, e->p.start_ns);
	/* What is not there has no other name than its text; and asking for it fails too, which would be an
	 * event to another agent on this host, and its question one to us. */
	if ((c->family == FAMILY_OPEN || c->family == FAMILY_EXEC) && c->ret == -ENOENT)
		v.root_path = SLICE_LIT("/");
	else
		find_root(&v);
	CLEANUP(fd_closep) int root = v.root;
	(void)root; /* closed at the end */
	if (c->family == FAMILY_PATHS)
		resolve_second(&v, c);
	if (c->path.n || !(c->raw.n || c->base.n))
		return;
	if (c->call == CALL_SYMLINK || c->call == CALL_SYMLINKAT)
		/* What it says is meant from where it lies; nothing needs to be there. */
		c->path = resolve(&v, c->raw, parent_of(c->path2), false);
	else if (c->call == CALL_MOUNT && !slice_starts(c->raw, SLICE_LIT("/")) && !(c->arg[3] & (4096 | 8192)))
		c->path = c->raw; /* "proc", "tmpfs": a name, no path, unless it binds or moves */
	else
		c->path = resolve(&v, c->raw, c->base, follows_last(c));
}
