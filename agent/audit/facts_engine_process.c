/* facts_engine_process.c - the engine's own process: how it was started, where it listens, its configuration. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "agent/audit/facts_priv.h"

enum { ENGINE_INODES_MAX = 4096, ARGV_BYTES = 65536, CHILDREN_BYTES = 1 << 20, THREADS_MAX = 4096 };

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* ---- what it is ---- */

static void read_words(int proc, const char *name, size_t max_bytes, struct facts_out *o, struct facts_texts *ret,
		       bool (*wants)(struct facts_out *o, struct slice word, const char **ret))
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct slice rest, w;
	const char *text;

	*ret = (struct facts_texts){ 0 };
	if (facts_read_at(proc, name, max_bytes, &b) < 0 || !b.n || !facts_texts_open(o, ret, FACTS_LIST_MAX))
		return;
	rest = buf_slice(&b);
	if (slice_ends(rest, slice_from("", 1))) /* each ends in a NUL */
		rest.n--;
	while (ret->count < FACTS_LIST_MAX && slice_split(&rest, 0, &w))
		if (wants(o, w, &text))
			facts_texts_add(ret, text);
}

static bool any_word(struct facts_out *o, struct slice w, const char **ret)
{
	*ret = facts_text(o, w);
	return true;
}

/* NAME=scheme://user:password@host without the middle. */
static bool wanted_variable(struct facts_out *o, struct slice w, const char **ret)
{
	static const char *const names[] = { "DOCKER_CONTENT_TRUST", "HTTP_PROXY",  "HTTPS_PROXY", "NO_PROXY",
					     "http_proxy",	     "https_proxy", "no_proxy" };
	ptrdiff_t eq = slice_find_char(w, '=');

	if (eq < 0)
		return false;
	struct slice name = slice_sub(w, 0, (size_t)eq), value = slice_sub(w, (size_t)eq + 1, w.n);
	bool is_wanted = false;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		is_wanted |= slice_is(name, names[i]);
	if (!is_wanted)
		return false;
	ptrdiff_t scheme = slice_find(value, SLICE_LIT("://"));
	size_t from = scheme < 0 ? 0 : (size_t)scheme + 3, at = value.n;
	while (at > from && value.p[at - 1] != '@')
		at--;
	struct slice host = at > from ? slice_sub(value, at, value.n) : slice_sub(value, from, value.n);
	*ret = facts_format(o, "%.*s=%.*s%.*s", SLICE_FMT(name), SLICE_FMT(slice_sub(value, 0, from)), SLICE_FMT(host));
	return true;
}

/* Fields of stat behind the name, which may hold anything: counted from the last ")". */
static bool stat_field(int proc, unsigned field, uint64_t *ret)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct slice rest, w = SLICE_NONE;

	if (facts_read_at(proc, "stat", 4096, &b) < 0)
		return false;
	rest = buf_slice(&b);
	size_t at = rest.n;
	while (at && rest.p[at - 1] != ')')
		at--;
	rest = slice_trim(slice_sub(rest, at, rest.n));
	for (unsigned i = 3; i <= field; i++)
		if (!slice_split(&rest, ' ', &w))
			return false;
	return slice_to_u64(slice_trim(w), ret);
}

static uint64_t boot_unix_s(const char *proc_root)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	char path[PATH_MAX];
	struct slice rest, line;
	uint64_t s = 0;

	(void)snprintf(path, sizeof(path), "%s/stat", proc_root);
	if (facts_read_at(AT_FDCWD, path, FACTS_FILE_BYTES, &b) < 0)
		return 0;
	rest = buf_slice(&b);
	while (slice_split(&rest, '\n', &line))
		if (slice_starts(line, SLICE_LIT("btime ")) && slice_to_u64(slice_trim(slice_sub(line, 6, line.n)), &s))
			return s;
	return 0;
}

static uint64_t started_unix_s(const char *proc_root, int proc)
{
	uint64_t ticks;
	long per_s = sysconf(_SC_CLK_TCK);

	if (per_s <= 0 || !stat_field(proc, 22, &ticks))
		return 0;
	return boot_unix_s(proc_root) + ticks / (uint64_t)per_s;
}

static bool is_proxy(int proc_root, const char *pid)
{
	char link[64], exe[PATH_MAX];

	(void)snprintf(link, sizeof(link), "%s/exe", pid);
	ssize_t n = readlinkat(proc_root, link, exe, sizeof(exe));
	return n > 0 && slice_ends(slice_from(exe, (size_t)n), SLICE_LIT("/docker-proxy"));
}

static size_t count_proxies_of(int proc_root, int thread)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct slice rest, one;
	char pid[24];
	size_t count = 0;

	if (facts_read_at(thread, "children", CHILDREN_BYTES, &b) < 0)
		return 0;
	rest = buf_slice(&b);
	while (slice_split(&rest, ' ', &one))
		count += one.n && slice_copy(one, pid, sizeof(pid)) && is_proxy(proc_root, pid);
	return count;
}

/* Its children that forward ports. Only a child of the engine counts, so the name is the engine's choice. Each thread
 * lists its own (CONFIG_PROC_CHILDREN, which Debian's kernels and what checkpoints containers have). */
static size_t count_proxies(const char *proc_root, int proc)
{
	CLEANUP(fd_closep) int root = open(proc_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = openat(proc, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(closedirp) DIR *tasks = fd < 0 ? NULL : fdopendir(fd);
	size_t count = 0, seen = 0;

	if (!tasks)
		fd_closep(&fd);
	for (struct dirent *e; tasks && seen++ < THREADS_MAX && (e = readdir(tasks));) {
		if (e->d_name[0] == '.')
			continue;
		CLEANUP(fd_closep) int thread = openat(dirfd(tasks), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (thread >= 0)
			count += count_proxies_of(root, thread);
	}
	return count;
}

/* ---- where it listens ---- */

struct listening {
	int proc;
	struct facts_out *o;
	struct facts_daemon *d;
	uint64_t inodes[ENGINE_INODES_MAX];
	size_t count;
};

static bool is_own(const struct listening *l, uint64_t inode)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->inodes[i] == inode)
			return true;
	return false;
}

static struct slice column(struct slice line, unsigned n)
{
	struct slice w = SLICE_NONE;

	for (unsigned i = 0; i <= n; i++) {
		line = slice_trim(line);
		if (!slice_split(&line, ' ', &w))
			return SLICE_NONE;
	}
	return w;
}

static struct facts_listen *add_listen(struct listening *l, const char *address)
{
	struct facts_daemon *d = l->d;

	if (d->listen_count >= FACTS_LIST_MAX || !d->listens)
		return NULL;
	for (size_t i = 0; i < d->listen_count; i++)
		if (!strcmp(d->listens[i].address, address))
			return NULL;
	struct facts_listen *r = &d->listens[d->listen_count++];
	*r = (struct facts_listen){ .address = address, .uid = (uid_t)-1, .gid = (gid_t)-1 };
	return r;
}

/* What the engine keeps for itself: no way to tell it anything. */
static bool is_internal(struct slice path)
{
	return slice_ends(path, SLICE_LIT("/metrics.sock")) || slice_find(path, SLICE_LIT("/libnetwork/")) >= 0;
}

/* Num RefCount Protocol Flags Type St Inode Path; flags 00010000: it accepts connections. */
static void read_unix(struct listening *l)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	CLEANUP(fd_closep) int root = openat(l->proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct slice rest, line;
	uint64_t inode;
	struct stat st;

	if (facts_read_at(l->proc, "net/unix", 4 * FACTS_FILE_BYTES, &b) < 0)
		return;
	rest = buf_slice(&b);
	while (slice_split(&rest, '\n', &line)) {
		if (!slice_is(column(line, 3), "00010000") || !slice_to_u64(column(line, 6), &inode) ||
		    !is_own(l, inode))
			continue;
		ptrdiff_t at = slice_find(line, SLICE_LIT(" /"));
		if (at < 0)
			continue;
		const struct slice path = slice_sub(line, (size_t)at + 1, line.n);
		const char *text = facts_format(l->o, "unix:%.*s", SLICE_FMT(path));
		struct facts_listen *r = is_internal(path) ? NULL : add_listen(l, text);
		if (!r || root < 0 || fstatat(root, text + strlen("unix:/"), &st, 0) < 0 || !S_ISSOCK(st.st_mode))
			continue;
		r->mode = st.st_mode & 07777;
		r->uid = st.st_uid;
		r->gid = st.st_gid;
	}
}

static bool is_loopback(const char *address)
{
	return !strncmp(address, "127.", 4) || !strcmp(address, "::1") || !strncmp(address, "::ffff:127.", 11);
}

static uint16_t port_of(const char *address)
{
	const char *colon = strrchr(address, ':');
	uint64_t n;

	return colon && slice_to_u64(slice_of(colon + 1), &n) && n <= UINT16_MAX ? (uint16_t)n : 0;
}

/* The cluster's own ports (their own mutual TLS) and the metrics are no way to the API, unless -H names them. */
static bool is_api_port(const struct facts_daemon *d, uint16_t port)
{
	for (size_t i = 0; i < d->hosts.count; i++)
		if (!strncmp(d->hosts.v[i], "tcp://", 6) && port_of(d->hosts.v[i]) == port)
			return true;
	bool is_swarm = *d->swarm && strcmp(d->swarm, "inactive") != 0;
	return !(is_swarm && (port == 2377 || port == 7946)) &&
	       (!*d->metrics_address || port_of(d->metrics_address) != port);
}

static void read_tcp(struct listening *l, const char *file, const char *protocol)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct slice rest, line;
	uint64_t inode;

	if (facts_read_at(l->proc, file, 4 * FACTS_FILE_BYTES, &b) < 0)
		return;
	rest = buf_slice(&b);
	while (slice_split(&rest, '\n', &line)) {
		struct facts_listener *v;
		size_t count;

		if (!slice_to_u64(column(line, 9), &inode) || !inode || !is_own(l, inode) ||
		    facts_parse_sockets(line, protocol, l->o->a, &v, &count, NULL) < 0 || !count ||
		    !is_api_port(l->d, v->port))
			continue;
		bool is6 = strchr(v->address, ':');
		struct facts_listen *r =
			add_listen(l, facts_format(l->o, is6 ? "tcp:[%s]:%u" : "tcp:%s:%u", v->address, v->port));
		if (!r)
			continue;
		r->is_tcp = true;
		r->is_loopback = is_loopback(v->address);
		r->has_tls = l->d->tls_verify == FACTS_YES ? FACTS_YES : FACTS_NO;
	}
}

static void read_listens(int proc, struct facts_out *o, struct facts_daemon *d)
{
	CLEANUP(freep) struct listening *l = calloc(1, sizeof(*l));

	if (!l)
		return;
	l->proc = proc;
	l->o = o;
	l->d = d;
	l->count = facts_socket_inodes(proc, l->inodes, ENGINE_INODES_MAX);
	d->listens = facts_rows(o, FACTS_LIST_MAX, sizeof(*d->listens));
	d->listen_count = 0;
	read_unix(l);
	read_tcp(l, "net/tcp", "tcp");
	read_tcp(l, "net/tcp6", "tcp6");
}

/* ---- its configuration ---- */

static const char *config_path_of(const struct facts_daemon *d, struct facts_out *o)
{
	static const struct slice name = { "--config-file", 13 };

	for (size_t i = 1; i < d->argv.count; i++) {
		struct slice w = slice_of(d->argv.v[i]);

		if (slice_eq(w, name) && i + 1 < d->argv.count)
			return d->argv.v[i + 1];
		if (slice_starts(w, name) && w.n > name.n && w.p[name.n] == '=')
			return facts_text(o, slice_sub(w, name.n + 1, w.n));
	}
	return "/etc/docker/daemon.json";
}

/* As the process sees it: its root may be another. */
static void read_config(int proc, struct facts_out *o, struct facts_daemon *d)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	CLEANUP(fd_closep) int root = proc < 0 ? -1 : openat(proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	d->config_path = config_path_of(d, o);
	if (d->config_path[0] != '/')
		return;
	int dir = root >= 0 ? root : AT_FDCWD;
	const char *path = root >= 0 ? d->config_path + strspn(d->config_path, "/") : d->config_path;
	if (fstatat(dir, path, &st, 0) < 0 || !S_ISREG(st.st_mode))
		return;
	d->has_config = true;
	int r = facts_read_at(dir, path, FACTS_FILE_BYTES, &b);
	if (r < 0) {
		d->is_config_bad = true;
		d->config_error = facts_text(o, slice_of(err_name(-r)));
		return;
	}
	(void)!facts_read_config(buf_slice(&b), o->a, d, NULL); /* kept in d: is_config_bad */
	/* The time of the start is a sum of two that were cut to whole seconds: up to two seconds early. */
	d->is_config_newer =
		d->started_unix_s && st.st_mtim.tv_sec > 0 && (uint64_t)st.st_mtim.tv_sec > d->started_unix_s + 1;
}

void facts_read_engine_process(const char *proc_root, const char *docker_socket, struct facts_out *o,
			       struct facts_daemon *d)
{
	struct facts_process p;
	char path[PATH_MAX];

	d->pid = *docker_socket ? facts_find_engine(proc_root, docker_socket) : 0;
	(void)snprintf(path, sizeof(path), "%s/%d", proc_root, (int)d->pid);
	CLEANUP(fd_closep) int proc = d->pid ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (proc >= 0 && facts_read_process(proc, d->pid, o, &p) == 0) {
		d->uid = p.euid;
		d->exe = p.exe;
		read_words(proc, "cmdline", ARGV_BYTES, o, &d->argv, any_word);
		read_words(proc, "environ", ARGV_BYTES, o, &d->environment_names, wanted_variable);
		d->started_unix_s = started_unix_s(proc_root, proc);
		d->proxies = count_proxies(proc_root, proc);
	}
	read_config(proc, o, d);
	facts_read_argv(&d->argv, o->a, d);
	if (proc >= 0)
		read_listens(proc, o, d);
}
