/* facts_mounts.c - what is behind the mounts of a container, and whether an engine's socket is.
 *
 * A socket is in a mount when both have the same file system and the mount's root is the socket's path in it or a
 * folder above: true for links, aliases, folders at any depth, and told without opening a folder, so that no file
 * system of the container's making can make us wait. It counts when it can be reached there (another mount may lie
 * over it). Only where a socket has further names (hard links) folders are searched for its inode, on its own file
 * system alone. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "agent/audit/facts_priv.h"

enum { DEPTH_MAX = 4, ENTRIES_MAX = 4096 };

/* ---- paths ---- */

/* What of path is left below folder; n 0 and p set: they are the same; p NULL: not below. */
static struct slice below(const char *path, const char *folder)
{
	struct slice p = slice_of(path), f = slice_of(folder);

	if (slice_is(f, "/"))
		f.n = 0;
	if (!slice_starts(p, f) || (p.n > f.n && p.p[f.n] != '/'))
		return SLICE_NONE;
	return slice_from(p.p + f.n, p.n - f.n);
}

static const char *join(struct facts_out *o, const char *folder, struct slice rest)
{
	if (!rest.n || slice_is(rest, "/"))
		return facts_text(o, slice_of(folder));
	return facts_format(o, "%s%.*s", strcmp(folder, "/") ? folder : "", SLICE_FMT(rest));
}

/* The mount with the nearest root; of the same, the first: binds of it come later. */
static const struct facts_mount *nearest(struct facts_mount_table host, dev_t dev, const char *root,
					 struct slice *ret_rest)
{
	const struct facts_mount *best = NULL;
	struct slice rest = SLICE_NONE;

	for (size_t i = 0; i < host.count; i++) {
		struct slice r;

		if (host.v[i].dev != dev || !(r = below(root, host.v[i].root)).p)
			continue;
		if (!best || r.n < rest.n) {
			best = &host.v[i];
			rest = r;
		}
	}
	*ret_rest = rest;
	return best;
}

static const struct facts_mount *first(struct facts_mount_table host, dev_t dev, const char *root,
				       struct slice *ret_rest)
{
	for (size_t i = 0; i < host.count; i++) {
		*ret_rest = below(root, host.v[i].root);
		if (host.v[i].dev == dev && ret_rest->p)
			return &host.v[i];
	}
	return NULL;
}

const char *facts_host_path(struct facts_mount_table host, dev_t dev, const char *root, struct facts_out *o)
{
	struct slice rest;
	const struct facts_mount *best = nearest(host, dev, root, &rest);

	return best ? join(o, best->point, rest) : "";
}

const char *facts_host_other(struct facts_mount_table host, dev_t dev, const char *root, struct facts_out *o)
{
	struct slice rest;
	const struct facts_mount *best = nearest(host, dev, root, &rest), *other = first(host, dev, root, &rest);

	if (!other || other == best)
		return "";
	/* the engine mounts its folder onto itself: another mount, the same name */
	const char *path = join(o, other->point, rest);
	return strcmp(path, facts_host_path(host, dev, root, o)) != 0 ? path : "";
}

/* ---- looking, without waiting ---- */

/* File systems that somebody else answers for: a lookup may wait for ever. */
static bool may_wait(const char *type)
{
	static const char *const names[] = { "nfs",  "nfs4",  "cifs",	"smb3",	    "smbfs",	 "9p",
					     "ceph", "afs",   "coda",	"ncpfs",    "glusterfs", "lustre",
					     "gfs2", "ocfs2", "autofs", "virtiofs", "beegfs",	 "orangefs" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(type, names[i]))
			return true;
	return !strncmp(type, "fuse", 4);
}

/* On the way to the point lies a file system that may wait. */
static bool is_behind_waiting(struct facts_mount_table t, const char *point)
{
	for (size_t i = 0; i < t.count; i++)
		if (may_wait(t.v[i].fs_type) && below(point, t.v[i].point).p)
			return true;
	return false;
}

static int open_in(int root, const char *path, uint64_t flags)
{
	const struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

static bool stat_fd(int fd, struct statx *ret)
{
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO | STATX_MNT_ID | STATX_NLINK,
		     ret) == 0;
}

static bool is_socket_file(const struct statx *st, const struct facts_socket *s)
{
	return S_ISSOCK(st->stx_mode) && st->stx_ino == s->inode &&
	       makedev(st->stx_dev_major, st->stx_dev_minor) == s->dev;
}

static const struct facts_socket *socket_of(const struct facts_sockets *sockets, const struct statx *st)
{
	for (size_t i = 0; i < sockets->count; i++)
		if (is_socket_file(st, &sockets->v[i]))
			return &sockets->v[i];
	return NULL;
}

/* ---- sockets below a mount ---- */

/* The socket is to be reached at this path in the container. */
static bool can_reach(int root, const char *path, const struct facts_socket *s)
{
	CLEANUP(fd_closep) int fd = open_in(root, path, O_PATH | O_NOFOLLOW);
	struct statx st;

	return fd >= 0 && stat_fd(fd, &st) && is_socket_file(&st, s);
}

struct search {
	const struct facts_sockets *sockets;
	dev_t dev;
	size_t entries;
	const struct facts_socket *found;
};

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

static void search_entry(struct search *s, int dir, const struct dirent *e, unsigned depth);

static void search_folder(struct search *s, int fd, unsigned depth)
{
	CLEANUP(closedirp) DIR *d = fdopendir(fd);

	if (!d) {
		close(fd);
		return;
	}
	for (struct dirent *e; !s->found && s->entries < ENTRIES_MAX && (e = readdir(d));)
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			search_entry(s, dirfd(d), e, depth);
}

static void search_entry(struct search *s, int dir, const struct dirent *e, unsigned depth)
{
	struct stat st;

	s->entries++;
	if (e->d_type != DT_SOCK && e->d_type != DT_DIR && e->d_type != DT_UNKNOWN)
		return;
	if (fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0 || st.st_dev != s->dev)
		return;
	for (size_t i = 0; S_ISSOCK(st.st_mode) && i < s->sockets->count; i++)
		if (s->sockets->v[i].dev == st.st_dev && s->sockets->v[i].inode == st.st_ino)
			s->found = &s->sockets->v[i];
	if (!S_ISDIR(st.st_mode) || depth + 1 >= DEPTH_MAX)
		return;
	int fd = openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		search_folder(s, fd, depth + 1);
}

/* Is the path of the socket in its file system at or below the mount's root? Then where it is in the container. */
static const char *place_of(const struct facts_mount *m, const struct facts_socket *s, struct facts_out *o)
{
	struct slice rest;

	if (!*s->fs_path || m->dev != s->fs_dev || !(rest = below(s->fs_path, m->root)).p)
		return NULL;
	return join(o, m->point, rest);
}

struct look {
	int root; /* the container's */
	struct facts_mount_table mounts;
	const struct facts_sockets *sockets;
	struct facts_out *o;
};

static const struct facts_socket *find_socket(const struct look *l, const struct facts_mount *m)
{
	const struct facts_sockets *sockets = l->sockets;
	const int root = l->root;
	bool has_links = false;

	for (size_t i = 0; i < sockets->count; i++) {
		const struct facts_socket *s = &sockets->v[i];
		const char *place = place_of(m, s, l->o);

		if (place && !is_behind_waiting(l->mounts, place) && can_reach(root, place, s))
			return s;
		has_links |= s->has_links && s->fs_dev == m->dev;
	}
	if (!has_links || !m->is_directory)
		return NULL;
	int fd = open_in(root, m->point, O_RDONLY | O_DIRECTORY);
	struct stat st;
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) < 0) {
		close(fd);
		return NULL;
	}
	struct search s = { .sockets = sockets, .dev = st.st_dev };
	search_folder(&s, fd, 0);
	return s.found;
}

/* ---- one mount ---- */

static void look_at(const struct look *l, struct facts_mount *m)
{
	CLEANUP(fd_closep) int fd = open_in(l->root, m->point, O_PATH | O_NOFOLLOW);
	struct statx st;

	if (fd < 0 || !stat_fd(fd, &st))
		return;
	/* Another mount lies over this one: what is seen is not its own. */
	if ((st.stx_mask & STATX_MNT_ID) && st.stx_mnt_id != (uint64_t)m->id)
		return;
	m->inode = st.stx_ino;
	m->is_directory = S_ISDIR(st.stx_mode);
	m->is_socket = S_ISSOCK(st.stx_mode);
	m->is_block = S_ISBLK(st.stx_mode);
	m->is_char = S_ISCHR(st.stx_mode);
	const struct facts_socket *s = m->is_socket ? socket_of(l->sockets, &st) : NULL;
	if (!s && m->is_directory)
		s = find_socket(l, m);
	if (s)
		m->api_socket = facts_text(l->o, slice_of(s->path));
}

/* Where looking may take for ever (a root on FUSE), the place alone says it: better once too often than never. */
static void tell_unseen(const struct look *l, struct facts_mount *m)
{
	for (size_t i = 0; i < l->sockets->count && !*m->api_socket; i++)
		if (place_of(m, &l->sockets->v[i], l->o))
			m->api_socket = facts_text(l->o, slice_of(l->sockets->v[i].path));
}

void facts_look_behind(int dir, struct facts_mount_table mounts, struct facts_mount_table host,
		       const struct facts_sockets *sockets, struct facts_out *o)
{
	CLEANUP(fd_closep) int root = openat(dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct look l = { .root = root, .mounts = mounts, .sockets = sockets, .o = o };

	for (size_t i = 0; i < mounts.count; i++) {
		struct facts_mount *m = &mounts.v[i];

		m->host_path = facts_host_path(host, m->dev, m->root, o);
		m->host_other = facts_host_other(host, m->dev, m->root, o);
		if (root < 0 || is_behind_waiting(mounts, m->point))
			tell_unseen(&l, m);
		else
			look_at(&l, m);
	}
}

/* ---- the sockets of this host ---- */

/* Where the engines listen by default; the configured one and those that its process has come besides. */
static const char *const known[] = {
	"/run/docker.sock",
	"/run/containerd/containerd.sock",
	"/run/docker/containerd/containerd.sock",
	"/run/k3s/containerd/containerd.sock",
	"/run/crio/crio.sock",
	"/run/podman/podman.sock",
	"/run/cri-dockerd.sock",
	"/run/dockershim.sock",
	"/run/buildkit/buildkitd.sock",
	"/var/lib/kubelet/device-plugins/kubelet.sock",
	"/var/lib/kubelet/pod-resources/kubelet.sock",
	"/var/lib/docker/containerd/containerd.sock",
	"/run/snap.docker/docker.sock",
	"/run/balena-engine.sock",
};
enum { ENGINE_SOCKETS_MAX = 64 };

static bool add_socket(const char *path, struct facts_mount_table host, struct facts_out *o, struct facts_sockets *ret)
{
	char real[PATH_MAX];
	struct statx st;

	if (ret->count == ENGINE_SOCKETS_MAX || !realpath(path, real) ||
	    statx(AT_FDCWD, real, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_MNT_ID, &st) < 0 ||
	    !S_ISSOCK(st.stx_mode) || socket_of(ret, &st))
		return false;
	struct facts_socket *s = &ret->v[ret->count++];
	*s = (struct facts_socket){
		.dev = makedev(st.stx_dev_major, st.stx_dev_minor),
		.inode = st.stx_ino,
		.path = facts_text(o, slice_of(real)),
		.fs_path = "",
		.has_links = st.stx_nlink > 1,
	};
	for (size_t i = 0; i < host.count && (st.stx_mask & STATX_MNT_ID); i++) {
		struct slice rest;

		if ((uint64_t)host.v[i].id != st.stx_mnt_id || !(rest = below(real, host.v[i].point)).p)
			continue;
		s->fs_dev = host.v[i].dev;
		s->fs_path = join(o, host.v[i].root, rest);
	}
	return true;
}

static void read_own_mounts(struct facts_out *scratch, struct facts_mount_table *ret)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	*ret = (struct facts_mount_table){ 0 };
	if (facts_read_at(AT_FDCWD, "/proc/self/mountinfo", FACTS_FILE_BYTES, &b) == 0)
		(void)facts_parse_mounts(buf_slice(&b), FACTS_HOST_MOUNTS_MAX, scratch, &ret->v, &ret->count);
}

int facts_read_sockets(const char *docker_socket, const struct facts_daemon *engine, struct arena *a,
		       struct facts_sockets *ret, struct err *err)
{
	CLEANUP(arena_freep) struct arena *scratch = arena_new(16 << 20);
	struct facts_out o = { .a = a }, so = { .a = scratch };
	struct facts_mount_table host;
	struct facts_daemon d;

	if (!scratch)
		return err_set(err, ENOMEM, "read the engines' sockets");
	struct facts_sockets s = { .v = facts_rows(&o, ENGINE_SOCKETS_MAX, sizeof(*s.v)) };
	if (!s.v)
		return facts_done(&o, err);
	read_own_mounts(&so, &host);
	if (docker_socket && *docker_socket) {
		(void)add_socket(docker_socket, host, &o, &s);
		/* Every further way in that the engine itself has opened (-H twice). */
		if (!engine) {
			facts_daemon_init(&d);
			facts_read_engine_process("/proc", docker_socket, &so, &d);
			engine = &d;
		}
		for (size_t i = 0; i < engine->listen_count; i++)
			if (!strncmp(engine->listens[i].address, "unix:/", 6))
				(void)add_socket(engine->listens[i].address + 5, host, &o, &s);
	}
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		(void)add_socket(known[i], host, &o, &s);
	int r = facts_done(&o, err);
	if (r < 0)
		return r;
	*ret = s;
	return 0;
}
