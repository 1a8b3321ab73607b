/* facts_host.c - the host itself: kernel, security modules, who may use the engine, and whose its files are. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <time.h>

#include "agent/audit/facts_priv.h"

enum { SCRATCH_BYTES = 16 << 20, CERTIFICATES_MAX = 128 };
static const uint64_t default_caps = 0xa80425fb; /* Docker's, since 1.10 or so */

struct host {
	struct facts_out *o;
	struct facts_daemon *d;
	struct facts_host *h;
};

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* ---- kernel and distribution ---- */

/* PRETTY_NAME="Debian GNU/Linux 12 (bookworm)" */
static const char *read_distribution(struct facts_out *o)
{
	static const struct slice key = { "PRETTY_NAME=", 12 };
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct slice rest, line;

	if (facts_read_at(AT_FDCWD, "/etc/os-release", 65536, &b) < 0)
		return "";
	rest = buf_slice(&b);
	while (slice_split(&rest, '\n', &line)) {
		if (!slice_starts(line, key))
			continue;
		line = slice_trim(slice_sub(line, key.n, line.n));
		if (line.n >= 2 && (line.p[0] == '"' || line.p[0] == '\'') && line.p[line.n - 1] == line.p[0])
			line = slice_sub(line, 1, line.n - 2);
		return facts_text(o, line);
	}
	return "";
}

static bool is_apparmor_on(void)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	return facts_read_at(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", 16, &b) == 0 &&
	       slice_starts(buf_slice(&b), SLICE_LIT("Y"));
}

static bool is_mounted(const char *path, long type)
{
	struct statfs s;

	return statfs(path, &s) == 0 && s.f_type == (__typeof__(s.f_type))type;
}

static void read_kernel(const struct host *x, const char *proc_root)
{
	struct utsname u;
	struct timespec now;
	char path[PATH_MAX];

	if (uname(&u) == 0)
		x->h->kernel = facts_text(x->o, slice_of(u.release));
	x->h->distribution = read_distribution(x->o);
	clock_gettime(CLOCK_REALTIME, &now);
	x->h->now_unix_s = (uint64_t)now.tv_sec;
	x->h->has_apparmor = is_apparmor_on();
	x->h->has_selinux = is_mounted("/sys/fs/selinux", SELINUX_MAGIC);
	x->h->has_cgroup_v2 = is_mounted("/sys/fs/cgroup", CGROUP2_SUPER_MAGIC);
	(void)snprintf(path, sizeof(path), "%s/sys/kernel/pid_max", proc_root);
	x->h->pid_max = facts_read_number_at(AT_FDCWD, path);
	facts_read_host_ns(proc_root, x->h->ns);
}

/* ---- the engine's folder ---- */

/* A file system that holds nothing else by custom: not that of / or of a folder that everything shares. */
static bool has_own_file_system(const char *root_dir)
{
	static const char *const shared[] = {
		"/", "/var", "/var/lib", "/home", "/usr", "/opt", "/srv", "/tmp", "/run"
	};
	char real[PATH_MAX];
	struct stat st, other;

	if (!*root_dir || !realpath(root_dir, real) || stat(real, &st) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(shared); i++)
		if (strcmp(real, shared[i]) && stat(shared[i], &other) == 0 && other.st_dev == st.st_dev)
			return false;
	return true;
}

/* ---- who may use the socket ---- */

/* Lines of passwd and group have colons between; nothing else is asked, so that no name service can make us wait. */
static struct slice field(struct slice line, unsigned n)
{
	struct slice w = SLICE_NONE;

	for (unsigned i = 0; i <= n; i++)
		if (!slice_split(&line, ':', &w))
			return SLICE_NONE;
	return w;
}

static bool is_listed(const struct facts_host *h, struct slice name)
{
	for (size_t i = 0; i < h->docker_user_count; i++)
		if (slice_is(name, h->docker_users[i].name))
			return true;
	return false;
}

static bool lookup_uid(struct slice passwd, struct slice name, uid_t *ret)
{
	struct slice line;
	uint64_t uid;

	while (slice_split(&passwd, '\n', &line)) {
		if (!slice_eq(field(line, 0), name) || !slice_to_u64(field(line, 2), &uid) || uid > UINT32_MAX)
			continue;
		*ret = (uid_t)uid;
		return true;
	}
	return false;
}

static void add_user(const struct host *x, struct slice name, uid_t uid)
{
	struct facts_host *h = x->h;

	/* Root may anyway. */
	if (!name.n || !uid || is_listed(h, name) || h->docker_user_count >= FACTS_LIST_MAX || !h->docker_users)
		return;
	h->docker_users[h->docker_user_count++] = (struct facts_user){ .name = facts_text(x->o, name), .uid = uid };
}

static void add_members(const struct host *x, struct slice members, struct slice passwd)
{
	struct slice name;
	uid_t uid;

	while (slice_split(&members, ',', &name)) {
		name = slice_trim(name);
		if (!lookup_uid(passwd, name, &uid)) /* known elsewhere, or gone: a name that may come back */
			uid = (uid_t)-1;
		add_user(x, name, uid);
	}
}

static void add_group(const struct host *x, gid_t gid, struct slice group, struct slice passwd)
{
	struct slice line, rest = group;
	uint64_t n, uid;

	while (slice_split(&rest, '\n', &line))
		if (slice_to_u64(field(line, 2), &n) && n == gid)
			add_members(x, slice_trim(field(line, 3)), passwd);
	rest = passwd;
	while (slice_split(&rest, '\n', &line))
		if (slice_to_u64(field(line, 3), &n) && n == gid && slice_to_u64(field(line, 2), &uid) &&
		    uid <= UINT32_MAX)
			add_user(x, field(line, 0), (uid_t)uid);
}

static void read_users(const struct host *x, const char *docker_socket)
{
	CLEANUP(buf_finip) struct buf group = { 0 }, passwd = { 0 };
	struct slice line, rest;
	struct stat st;
	uint64_t gid;

	(void)facts_read_at(AT_FDCWD, "/etc/group", FACTS_FILE_BYTES, &group);
	(void)facts_read_at(AT_FDCWD, "/etc/passwd", FACTS_FILE_BYTES, &passwd);
	x->h->docker_users = facts_rows(x->o, FACTS_LIST_MAX, sizeof(*x->h->docker_users));
	x->h->docker_user_count = 0;
	/* The group that the socket has; and the one by the name, which it gets at the next start. */
	if (*docker_socket && stat(docker_socket, &st) == 0 && st.st_gid && (st.st_mode & S_IWGRP))
		add_group(x, st.st_gid, buf_slice(&group), buf_slice(&passwd));
	for (size_t i = 0; i < x->d->listen_count; i++)
		if (x->d->listens[i].mode & S_IWGRP && x->d->listens[i].gid)
			add_group(x, x->d->listens[i].gid, buf_slice(&group), buf_slice(&passwd));
	rest = buf_slice(&group);
	while (slice_split(&rest, '\n', &line))
		if (slice_is(field(line, 0), "docker") && slice_to_u64(field(line, 2), &gid) && gid)
			add_group(x, (gid_t)gid, buf_slice(&group), buf_slice(&passwd));
}

/* ---- files ---- */

static bool is_loose(const struct stat *st)
{
	/* In a folder with the sticky bit only the owner of an entry moves it. */
	if (st->st_uid)
		return true;
	if (st->st_mode & S_ISVTX)
		return false;
	return (st->st_mode & S_IWOTH) || ((st->st_mode & S_IWGRP) && st->st_gid);
}

/* The nearest folder above path that others than root can change entries of. */
static const char *loose_parent(struct facts_out *o, const char *path)
{
	char at[PATH_MAX];
	struct stat st;

	if (!slice_copy(slice_of(path), at, sizeof(at)))
		return "";
	for (char *slash; (slash = strrchr(at, '/'));) {
		slash[slash == at] = 0; /* "/" stays */
		if (stat(at, &st) == 0 && is_loose(&st))
			return facts_text(o, slice_of(at));
		if (slash == at)
			break;
	}
	return "";
}

/* An ACL that gives more than the mode shows: with named users or groups. */
static bool has_acl(const char *path)
{
	return getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
}

static struct facts_file *add_file(const struct host *x, const char *what, const char *path)
{
	char real[PATH_MAX];
	struct stat st;

	if (x->h->file_count >= FACTS_LIST_MAX || !x->h->files)
		return NULL;
	struct facts_file *f = &x->h->files[x->h->file_count++];
	*f = (struct facts_file){ .what = what, .path = facts_text(x->o, slice_of(path)), .loose_parent = "" };
	if (lstat(path, &st) < 0)
		return f;
	f->is_link = S_ISLNK(st.st_mode);
	/* Who can change a folder on the way to the link, or on the way to what it leads to, changes the file. */
	f->loose_parent = loose_parent(x->o, path);
	if (f->is_link && (!realpath(path, real) || stat(real, &st) < 0))
		return f; /* leads nowhere */
	if (f->is_link && !*f->loose_parent)
		f->loose_parent = loose_parent(x->o, real);
	f->exists = true;
	f->has_acl = has_acl(path);
	f->uid = st.st_uid;
	f->gid = st.st_gid;
	f->mode = st.st_mode & 07777;
	f->is_directory = S_ISDIR(st.st_mode);
	f->is_socket = S_ISSOCK(st.st_mode);
	return f;
}

/* What the service manager would take: the first of its folders; and what is added to it there. */
static void add_drop_ins(const struct host *x, const char *what, const char *folder)
{
	CLEANUP(closedirp) DIR *d = opendir(folder);

	for (struct dirent *e; d && (e = readdir(d));)
		if (slice_ends(slice_of(e->d_name), SLICE_LIT(".conf")))
			(void)add_file(x, what, facts_format(x->o, "%s/%s", folder, e->d_name));
}

static void add_unit(const struct host *x, const char *what)
{
	static const char *const folders[] = { "/etc/systemd/system", "/run/systemd/system",
					       "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
					       "/lib/systemd/system" };
	char path[PATH_MAX];
	bool found = false;

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folders[i], what);
		if (!found && access(path, F_OK) == 0) {
			(void)add_file(x, what, path);
			found = true;
		}
		/* /lib is /usr/lib nowadays: its drop-ins are there already. */
		if (i + 1 < ARRAY_LEN(folders)) {
			(void)snprintf(path, sizeof(path), "%s/%s.d", folders[i], what);
			add_drop_ins(x, what, path);
		}
	}
	if (!found)
		(void)add_file(x, what, facts_format(x->o, "/usr/lib/systemd/system/%s", what));
}

static void add_certificates(const struct host *x, const char *folder, unsigned depth, size_t *count)
{
	CLEANUP(closedirp) DIR *d = opendir(folder);

	for (struct dirent *e; d && *count < CERTIFICATES_MAX && (e = readdir(d));) {
		const struct slice name = slice_of(e->d_name);
		char path[PATH_MAX];

		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		if (!depth)
			add_certificates(x, path, depth + 1, count);
		else if (slice_ends(name, SLICE_LIT(".crt")) || slice_ends(name, SLICE_LIT(".cert")) ||
			 slice_ends(name, SLICE_LIT(".key")) || slice_ends(name, SLICE_LIT(".pem")))
			*count += add_file(x, "registry certificate", path) != NULL;
	}
}

static bool has_file(const struct facts_host *h, const char *what, const char *path)
{
	for (size_t i = 0; i < h->file_count; i++)
		if (!strcmp(h->files[i].what, what) && !strcmp(h->files[i].path, path))
			return true;
	return false;
}

static void add_sockets(const struct host *x, const char *docker_socket)
{
	static const char *const containerd[] = { "/run/containerd/containerd.sock",
						  "/run/docker/containerd/containerd.sock" };
	bool found = false;
	char real[PATH_MAX];

	if (*docker_socket)
		(void)add_file(x, "docker socket", realpath(docker_socket, real) ? real : docker_socket);
	for (size_t i = 0; i < x->d->listen_count; i++) {
		const char *path = x->d->listens[i].address + strlen("unix:");

		if (x->d->listens[i].is_tcp || *path != '/' || !realpath(path, real) ||
		    has_file(x->h, "docker socket", real))
			continue;
		(void)add_file(x, "docker socket", real);
	}
	for (size_t i = 0; i < ARRAY_LEN(containerd); i++) {
		if (access(containerd[i], F_OK) < 0)
			continue;
		(void)add_file(x, "containerd socket", containerd[i]);
		found = true;
	}
	if (!found)
		(void)add_file(x, "containerd socket", containerd[0]);
}

static void read_files(const struct host *x, const char *docker_socket)
{
	size_t certificates = 0;

	x->h->files = facts_rows(x->o, FACTS_LIST_MAX, sizeof(*x->h->files));
	x->h->file_count = 0;
	add_unit(x, "docker.service");
	add_unit(x, "docker.socket");
	(void)add_file(x, "/etc/docker", "/etc/docker");
	add_certificates(x, "/etc/docker/certs.d", 0, &certificates);
	if (*x->d->tls_ca)
		(void)add_file(x, "TLS CA certificate", x->d->tls_ca);
	if (*x->d->tls_cert)
		(void)add_file(x, "TLS server certificate", x->d->tls_cert);
	if (*x->d->tls_key)
		(void)add_file(x, "TLS server key", x->d->tls_key);
	(void)add_file(x, "daemon.json", *x->d->config_path ? x->d->config_path : "/etc/docker/daemon.json");
	(void)add_file(x, "/etc/default/docker", "/etc/default/docker");
	(void)add_file(x, "/etc/sysconfig/docker", "/etc/sysconfig/docker");
	add_sockets(x, docker_socket);
}

/* ---- all of it ---- */

int facts_read_host(const char *proc_root, const char *docker_socket, struct arena *a, struct facts_daemon *d,
		    struct facts_host *ret, struct err *err)
{
	struct facts_out o = { .a = a };
	struct facts_daemon daemon = *d;
	struct facts_host host;
	const struct host x = { .o = &o, .d = &daemon, .h = &host };

	facts_host_init(&host);
	docker_socket = docker_socket ? docker_socket : "";
	facts_read_engine_process(proc_root, docker_socket, &o, &daemon);
	read_kernel(&x, proc_root);
	host.root_dir_is_mount = has_own_file_system(daemon.root_dir);
	read_users(&x, docker_socket);
	read_files(&x, docker_socket);
	host.has_audit_rules = facts_read_audit_rules(&o, &host.watched);
	host.default_caps = default_caps;
	facts_default_filter(default_caps, daemon.version, &host.default_filter);
	int r = facts_done(&o, err);
	if (r < 0)
		return r;
	*d = daemon;
	*ret = host;
	return 0;
}
