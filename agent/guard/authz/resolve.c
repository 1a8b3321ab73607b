/* resolve.c - which files of the host a mount really shows: links followed, compared by device and inode.
 *
 *   source ──openat2, no magic links──► fd ──► st_dev, st_ino, its path ──► and every folder above it
 *   denied ──the same────────────────────────► st_dev, st_ino             ──► and every folder above it
 *
 * The same inode: it is the protected thing. The source among the folders above it: the source holds it. The
 * protected thing among the folders above the source: the source lies in it. Names, links and other mounts of the
 * same file system make no difference. What can't be followed may be anything, so it is everything: "/". */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "agent/guard/authz/authz_priv.h"

/* LOOKS_MAX: folders looked for on the way up from sources that are not there, of one container. Each costs two calls. */
enum { CHAIN_MAX = 64, PROTECTED_MAX = 256, LOOKS_MAX = 64 };

struct inode {
	uint64_t dev, ino;
};
/* A place and all above it, to the root; what isn't there yet is left out at its end. */
struct chain {
	struct inode at[CHAIN_MAX]; /* the deepest first */
	size_t count;
	bool is_missing; /* the last part does not exist (yet) */
	mode_t mode;	 /* of the place itself; 0 missing */
	char real[4096]; /* its path, "" missing */
};
struct protected {
	const char *path;
	struct chain *chain;
};
struct look {
	struct arena *a;
	struct protected v[PROTECTED_MAX];
	size_t n;
	bool is_full;
	unsigned looks;
};

static int open_path(const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

static bool same(struct inode a, struct inode b)
{
	return a.dev == b.dev && a.ino == b.ino;
}

/* From the path that the kernel gives for fd upwards, so that the root is the last. */
static bool climb(struct chain *c)
{
	char path[sizeof(c->real)];
	struct stat st;

	memcpy(path, c->real, sizeof(path));
	for (;;) {
		char *slash = strrchr(path, '/');

		if (c->count == CHAIN_MAX || lstat(path, &st) < 0)
			return false;
		c->at[c->count++] = (struct inode){ st.st_dev, st.st_ino };
		if (!slash || !path[1])
			return slash != NULL;
		slash[slash == path] = 0;
	}
}

/* looks: nullable, what was spent. false: it may be anything. */
static bool look_at(const char *path, struct chain *c, unsigned *looks)
{
	char name[64], text[4096];
	struct stat st;

	memset(c, 0, offsetof(struct chain, real) + 1);
	if (*path != '/' || !slice_copy(slice_of(path), text, sizeof(text)))
		return false;
	for (;;) {
		CLEANUP(fd_closep) int fd = open_path(text);

		if (fd >= 0) {
			snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
			ssize_t n = readlink(name, c->real, sizeof(c->real) - 1);

			if (n <= 0 || n == (ssize_t)sizeof(c->real) - 1 || fstat(fd, &st) < 0)
				return false;
			c->real[n] = 0;
			c->mode = c->is_missing ? 0 : st.st_mode;
			/* " (deleted)" or another root's: no path of ours leads there */
			if (*c->real != '/' || !climb(c) || !same(c->at[0], (struct inode){ st.st_dev, st.st_ino }))
				return false;
			return true;
		}
		/* A dangling link may lead anywhere once it leads somewhere. */
		if (errno != ENOENT || lstat(text, &st) == 0 || (looks && ++*looks > LOOKS_MAX))
			return false;
		char *slash = strrchr(text, '/');
		if (!slash || !text[1])
			return false;
		/* the folder that is not there can't have a ".." after it that the kernel would follow */
		if (!strcmp(slash, "/..") || !strcmp(slash, "/."))
			return false;
		slash[slash == text] = 0;
		c->is_missing = true;
	}
}

static void add_protected(void *arg, const char *path)
{
	struct look *l = arg;
	struct chain *c;

	if (l->n == PROTECTED_MAX || !(c = arena_alloc(l->a, sizeof(*c)))) {
		l->is_full = true;
		return;
	}
	if (!look_at(path, c, NULL))
		c->count = 0; /* not there to be compared: the policy still compares its name */
	l->v[l->n++] = (struct protected){ path, c };
}

/* "": nothing of it is protected. */
static const char *what_it_protects(const struct look *l, const struct chain *c)
{
	if (S_ISBLK(c->mode))
		return "/"; /* the file systems on it */
	if (!c->is_missing && c->count && same(c->at[0], c->at[c->count - 1]))
		return "/";
	struct inode root = c->count ? c->at[c->count - 1] : (struct inode){ 0 };
	for (size_t i = 0; i < l->n; i++) {
		const struct chain *p = l->v[i].chain;

		/* It holds it, or is it: it stands in the chain of the protected thing. The root is above already. */
		for (size_t k = 0; k < p->count && !c->is_missing; k++)
			if (same(p->at[k], c->at[0]) && !same(p->at[k], root))
				return l->v[i].path;
		/* It lies in it. */
		for (size_t k = 0; k < c->count && p->count && !p->is_missing; k++)
			if (same(c->at[k], p->at[0]) && !same(c->at[k], root))
				return l->v[i].path;
	}
	return "";
}

static void resolve(struct look *l, struct chain *c, struct policy_mount *m, const char *path)
{
	/* The engine takes "x/.." out of a bind's source before the kernel sees it, whatever link x is; not of a
	 * volume's device. */
	char *cleaned = arena_dup(l->a, slice_of(path));
	if (cleaned && *cleaned == '/' && !*m->device)
		authz_clean(cleaned);
	if (l->is_full || !cleaned || !look_at(cleaned, c, &l->looks)) {
		m->protects = "/";
		return;
	}
	if (!c->is_missing) {
		m->dev = c->at[0].dev;
		m->ino = c->at[0].ino;
		m->real = arena_dup(l->a, slice_of(c->real));
	}
	m->protects = m->real ? what_it_protects(l, c) : "/";
	m->real = m->real ? m->real : "";
}

static bool is_of_host(const struct policy_mount *m)
{
	return !*m->protects && (!strcmp(m->type, "bind") || *m->device);
}

static const struct policy_mount everything = { .type = "bind", .source = "/", .real = "/", .device = "", .driver = "",
						.dest = "", .is_writable = true, .protects = "/" };

void authz_resolve(const struct policy *p, struct policy_workload *w, struct arena *a)
{
	struct policy_mount *v;
	struct look *l = NULL;
	struct chain *c = NULL;
	size_t wanted = 0;

	for (size_t i = 0; i < w->mount_count; i++)
		wanted += is_of_host(&w->mounts[i]);
	if (!wanted)
		return;
	v = arena_zalloc(a, w->mount_count, sizeof(*v));
	l = arena_zalloc(a, 1, sizeof(*l));
	c = arena_alloc(a, sizeof(*c));
	if (!v || !l || !c) {
		/* No mount can be told of: the judge refuses what it can't look at. */
		w->mounts = &everything;
		w->mount_count = 1;
		return;
	}
	l->a = a;
	policy_each_denied_mount(p, add_protected, l);
	for (size_t i = 0; i < w->mount_count; i++) {
		v[i] = w->mounts[i];
		if (is_of_host(&v[i]))
			resolve(l, c, &v[i], *v[i].device ? v[i].device : v[i].source);
	}
	w->mounts = v;
}
