/* mounts.c - see mounts.h. */
#include "agent/audit/mounts.h"

/* The longest path of the table that the mount is, or lies below, decides. */
struct place {
	const char *path;
	bool is_exact; /* itself only, not what lies below */
	enum audit_severity writable, readonly;
	const char *what;
	bool is_fine_readonly;
};

static const struct place places[] = {
	{ "/", true, AUDIT_CRITICAL, AUDIT_CRITICAL, "the whole host", false },
	{ "/etc", false, AUDIT_CRITICAL, AUDIT_HIGH, "configuration and password hashes", false },
	{ "/etc/localtime", false, AUDIT_LOW, AUDIT_INFO, "time zone", true },
	{ "/etc/timezone", false, AUDIT_LOW, AUDIT_INFO, "time zone", true },
	{ "/etc/machine-id", false, AUDIT_MEDIUM, AUDIT_INFO, "machine id", true },
	{ "/etc/os-release", false, AUDIT_MEDIUM, AUDIT_INFO, "os-release", true },
	{ "/etc/hosts", false, AUDIT_HIGH, AUDIT_INFO, "names of hosts", true },
	{ "/etc/hostname", false, AUDIT_HIGH, AUDIT_INFO, "name of the host", true },
	{ "/etc/resolv.conf", false, AUDIT_HIGH, AUDIT_INFO, "name servers", true },
	{ "/etc/passwd", false, AUDIT_CRITICAL, AUDIT_LOW, "accounts", false },
	{ "/etc/group", false, AUDIT_CRITICAL, AUDIT_LOW, "accounts", false },
	{ "/etc/ssl/certs", false, AUDIT_HIGH, AUDIT_INFO, "trusted certificates", true },
	{ "/etc/ca-certificates", false, AUDIT_HIGH, AUDIT_INFO, "trusted certificates", true },
	{ "/etc/pki/tls/certs", false, AUDIT_HIGH, AUDIT_INFO, "trusted certificates", true },
	{ "/etc/pki/ca-trust", false, AUDIT_HIGH, AUDIT_INFO, "trusted certificates", true },
	{ "/root", false, AUDIT_CRITICAL, AUDIT_HIGH, "root's files and keys", false },
	{ "/home", false, AUDIT_HIGH, AUDIT_MEDIUM, "users' files and keys", false },
	{ "/boot", false, AUDIT_CRITICAL, AUDIT_MEDIUM, "kernel and boot loader", false },
	{ "/dev", false, AUDIT_CRITICAL, AUDIT_CRITICAL, "devices", false },
	{ "/dev/shm", false, AUDIT_HIGH, AUDIT_MEDIUM, "shared memory", false },
	{ "/dev/log", false, AUDIT_LOW, AUDIT_LOW, "the log's socket", false },
	{ "/proc", false, AUDIT_CRITICAL, AUDIT_HIGH, "processes and settings of the kernel", false },
	{ "/sys", false, AUDIT_CRITICAL, AUDIT_MEDIUM, "devices and settings of the kernel", false },
	{ "/bin", false, AUDIT_CRITICAL, AUDIT_LOW, "programs", false },
	{ "/sbin", false, AUDIT_CRITICAL, AUDIT_LOW, "programs", false },
	{ "/lib", false, AUDIT_CRITICAL, AUDIT_LOW, "libraries and kernel modules", false },
	{ "/lib32", false, AUDIT_CRITICAL, AUDIT_LOW, "libraries", false },
	{ "/lib64", false, AUDIT_CRITICAL, AUDIT_LOW, "libraries", false },
	{ "/usr", false, AUDIT_CRITICAL, AUDIT_LOW, "programs and libraries", false },
	{ "/usr/share/zoneinfo", false, AUDIT_MEDIUM, AUDIT_INFO, "time zones", true },
	{ "/usr/share/ca-certificates", false, AUDIT_HIGH, AUDIT_INFO, "trusted certificates", true },
	{ "/opt", false, AUDIT_HIGH, AUDIT_LOW, "programs", false },
	/* a socket there is as good as a file that can be written, whatever the mount says */
	{ "/run", true, AUDIT_CRITICAL, AUDIT_CRITICAL, "sockets of engine and system", false },
	{ "/run", false, AUDIT_HIGH, AUDIT_LOW, "sockets and state of the system", false },
	{ "/run/systemd", false, AUDIT_CRITICAL, AUDIT_HIGH, "control of systemd", false },
	{ "/run/dbus", false, AUDIT_HIGH, AUDIT_HIGH, "the system bus", false },
	{ "/run/docker", false, AUDIT_CRITICAL, AUDIT_CRITICAL, "the engine's state and sockets", false },
	{ "/run/containerd", false, AUDIT_CRITICAL, AUDIT_CRITICAL, "containerd's state and socket", false },
	{ "/run/picket", false, AUDIT_HIGH, AUDIT_HIGH, "picket's state", false },
	{ "/var", true, AUDIT_CRITICAL, AUDIT_HIGH, "data of the whole host", false },
	{ "/var/lib", true, AUDIT_CRITICAL, AUDIT_HIGH, "data of the whole host", false },
	{ "/var/lib/docker", false, AUDIT_CRITICAL, AUDIT_HIGH, "files of all containers", false },
	{ "/var/lib/containerd", false, AUDIT_CRITICAL, AUDIT_HIGH, "files of all containers", false },
	{ "/var/lib/containers", false, AUDIT_CRITICAL, AUDIT_HIGH, "files of all containers", false },
	{ "/var/lib/kubelet", false, AUDIT_CRITICAL, AUDIT_HIGH, "files and secrets of pods", false },
	{ "/var/lib/etcd", false, AUDIT_CRITICAL, AUDIT_CRITICAL, "secrets of the cluster", false },
	{ "/var/lib/rancher", false, AUDIT_CRITICAL, AUDIT_HIGH, "the cluster's files", false },
	{ "/var/lib/picket", false, AUDIT_CRITICAL, AUDIT_HIGH, "picket's keys and spool", false },
	{ "/var/lib/dpkg", false, AUDIT_CRITICAL, AUDIT_INFO, "the package database", true },
	{ "/var/spool/cron", false, AUDIT_CRITICAL, AUDIT_MEDIUM, "commands that root runs", false },
	{ "/var/log", false, AUDIT_HIGH, AUDIT_LOW, "logs", false },
	{ "/tmp", true, AUDIT_MEDIUM, AUDIT_LOW, "everybody's temporary files", false },
	{ "/var/tmp", true, AUDIT_MEDIUM, AUDIT_LOW, "everybody's temporary files", false },
};

void mounts_normal(const char *path, char *dst, size_t size)
{
	size_t n = 0;

	if (!strncmp(path, "/var/run", 8) && (!path[8] || path[8] == '/'))
		path += 4;
	for (; *path && n + 1 < size; path++) {
		if (*path == '/' && n && dst[n - 1] == '/')
			continue;
		dst[n++] = *path;
	}
	if (n > 1 && dst[n - 1] == '/')
		n--;
	dst[n] = 0;
}

bool mounts_is_below(const char *path, const char *above)
{
	size_t n = strlen(above);

	if (n == 1 && above[0] == '/')
		return path[0] == '/';
	return !strncmp(path, above, n) && (!path[n] || path[n] == '/');
}

static const char *root_of(const char *root_dir)
{
	return root_dir[0] == '/' && root_dir[1] ? root_dir : "/var/lib/docker";
}

bool mounts_is_volume(const char *path, const char *root_dir)
{
	const char *root = root_of(root_dir);

	if (!mounts_is_below(path, root))
		return false;
	const char *rest = path + strlen(root), *prefix = "/volumes/";
	if (strncmp(rest, prefix, strlen(prefix)) != 0)
		return false;
	const char *data = strchr(rest + strlen(prefix), '/');
	return data && !strncmp(data, "/_data", 6) && (!data[6] || data[6] == '/');
}

static const struct place *place_of(const char *path)
{
	const struct place *best = NULL;
	size_t best_n = 0;

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		const struct place *p = &places[i];
		size_t n = strlen(p->path);
		bool hit = p->is_exact ? !strcmp(path, p->path) : mounts_is_below(path, p->path);

		/* of the same length the exact one, which stands first */
		if (hit && n > best_n) {
			best = p;
			best_n = n;
		}
	}
	return best;
}

bool mounts_sensitive(const char *path, bool is_writable, const char *root_dir, enum audit_severity *ret, const char **ret_what)
{
	char normal[4096];

	if (path[0] != '/')
		return false;
	mounts_normal(path, normal, sizeof(normal));
	if (mounts_is_volume(normal, root_dir))
		return false;
	const struct place *p = place_of(normal);
	if (mounts_is_below(normal, root_of(root_dir)))
		p = place_of("/var/lib/docker");
	/* what the engine's folder lies in holds it, too */
	else if (!p && mounts_is_below(root_of(root_dir), normal))
		p = place_of("/var/lib/docker");
	if (!p || (!is_writable && p->is_fine_readonly))
		return false;
	*ret = is_writable ? p->writable : p->readonly;
	*ret_what = p->what;
	return true;
}

const char *mounts_source(const struct facts_asked_mount *m, const char *root_dir)
{
	if (m->device[0])
		return m->device;
	if (!strcmp(m->type, "tmpfs") || mounts_is_volume(m->source, root_dir))
		return "";
	return m->source;
}

static bool is_asked(const struct facts_asked *a, const char *point)
{
	char want[4096], have[4096];

	mounts_normal(point, want, sizeof(want));
	for (size_t i = 0; i < a->mount_count; i++) {
		mounts_normal(a->mounts[i].dest, have, sizeof(have));
		if (!strcmp(want, have))
			return true;
	}
	return false;
}

static bool is_one_of(const char *s, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(s, list[i]))
			return true;
	}
	return false;
}

/* The kernel's own file systems at the places where a runtime puts them. With the host's network or process
 * namespace they are the very ones of the host, and read as such by device number. */
static bool is_kernels(const struct facts_mount *m)
{
	static const char *const points[] = { "/proc", "/sys", "/dev" };
	static const char *const types[] = { "proc", "sysfs", "cgroup", "cgroup2", "tmpfs", "devpts", "mqueue", "devtmpfs" };
	bool here = false;

	for (size_t i = 0; i < ARRAY_LEN(points); i++)
		here |= mounts_is_below(m->point, points[i]);
	return here && is_one_of(m->fs_type, types, ARRAY_LEN(types));
}

bool mounts_is_made(const struct facts_container *c, const char *root_dir, const struct facts_mount *m)
{
	static const char *const files[] = { "/etc/hosts",	  "/etc/hostname",     "/etc/resolv.conf", "/sbin/docker-init",
					     "/run/.containerenv", "/run/podman-init", "/.dockerenv" };
	char own[4096];

	if (!strcmp(m->point, "/"))
		return true;
	if (is_asked(&c->asked, m->point))
		return false;
	if (is_kernels(m) || is_one_of(m->point, files, ARRAY_LEN(files)))
		return true;
	/* its secrets and shared memory */
	snprintf(own, sizeof(own), "%s/containers/%s", root_of(root_dir), c->id);
	return m->host_path[0] && mounts_is_below(m->host_path, own);
}

bool mounts_is_runtimes(const struct judge *j, const struct facts_mount *m)
{
	return mounts_is_made(j->c, j->daemon->root_dir, m);
}
