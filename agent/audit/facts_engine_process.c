/* facts_engine_process.c - the engine's own process: who listens on its socket, not who is called so.
 *
 * sock_diag tells device and inode of the file a unix socket is bound to, and the socket's own inode; who holds that
 * is in /proc/PID/fd. With socket activation the service manager holds it too, so process 1 is only the last resort.
 * An engine in another network namespace is not in our sock_diag: then the socket is asked who listens (SO_PEERCRED).
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "agent/audit/facts_priv.h"

enum {
	LISTENERS_MAX = 1024, /* unix sockets of the host that listen */
	FDS_MAX = 65536,      /* descriptors looked at, of one process */
	ENGINE_INODES_MAX = 4096,
	STAT_IS_LISTENING = 10, /* TCP_LISTEN, for unix sockets too */
	DIAG_BYTES = 32768,
	ARGV_BYTES = 65536,
};

/* ---- unix sockets that listen ---- */

static bool read_attributes(const struct unix_diag_msg *m, size_t bytes, struct facts_unix *ret)
{
	const char *p = (const char *)(m + 1);
	size_t left = bytes - sizeof(*m);

	while (left >= sizeof(struct nlattr)) {
		const struct nlattr *a = (const void *)p;
		const struct unix_diag_vfs *vfs = (const void *)(a + 1);

		if (a->nla_len < sizeof(*a) || a->nla_len > left)
			return false;
		if (a->nla_type == UNIX_DIAG_VFS && a->nla_len >= sizeof(*a) + sizeof(*vfs)) {
			/* The kernel's own form of a device number: 12 bits and 20. */
			ret->dev = makedev(vfs->udiag_vfs_dev >> 20, vfs->udiag_vfs_dev & 0xfffff);
			ret->file = vfs->udiag_vfs_ino;
			ret->socket = m->udiag_ino;
			return true;
		}
		size_t step = NLA_ALIGN(a->nla_len);
		if (step >= left)
			return false;
		p += step;
		left -= step;
	}
	return false;
}

/* false: that was the end. */
static bool read_answer(const char *p, size_t left, struct facts_unix *ret, size_t max, size_t *count)
{
	while (left >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *h = (const void *)p;

		if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > left || h->nlmsg_type == NLMSG_DONE ||
		    h->nlmsg_type == NLMSG_ERROR)
			return false;
		if (*count < max && h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct unix_diag_msg)) &&
		    read_attributes(NLMSG_DATA(h), h->nlmsg_len - NLMSG_HDRLEN, &ret[*count]))
			++*count;
		size_t step = NLMSG_ALIGN(h->nlmsg_len);
		if (step >= left)
			break;
		p += step;
		left -= step;
	}
	return true;
}

size_t facts_unix_listeners(struct facts_unix *ret, size_t max)
{
	struct {
		struct nlmsghdr h;
		struct unix_diag_req r;
	} ask = {
		.h = { .nlmsg_len = sizeof(ask),
		       .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.r = { .sdiag_family = AF_UNIX, .udiag_states = 1U << STAT_IS_LISTENING, .udiag_show = UDIAG_SHOW_VFS },
	};
	const struct timeval patience = { .tv_usec = 500000 };
	CLEANUP(fd_closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	CLEANUP(freep) char *answer = malloc(DIAG_BYTES);
	size_t count = 0;

	if (fd < 0 || !answer || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    send(fd, &ask, sizeof(ask), 0) != (ssize_t)sizeof(ask))
		return 0;
	for (;;) {
		ssize_t n = recv(fd, answer, DIAG_BYTES, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || !read_answer(answer, (size_t)n, ret, max, &count))
			return count;
	}
}

static uint64_t socket_inode_of(const char *path)
{
	CLEANUP(freep) struct facts_unix *all = calloc(LISTENERS_MAX, sizeof(*all));
	struct stat st;

	if (!all || stat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return 0;
	size_t count = facts_unix_listeners(all, LISTENERS_MAX);
	/* udiag_vfs_ino has 32 bits. */
	for (size_t i = 0; i < count; i++)
		if (all[i].dev == st.st_dev && all[i].file == (uint32_t)st.st_ino)
			return all[i].socket;
	return 0;
}

/* ---- processes ---- */

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

static DIR *open_folder(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		fd_closep(&fd);
	return d;
}

/* Inodes of the sockets among the descriptors of the process; how many. */
static size_t sockets_of(int proc, uint64_t *ret, size_t max)
{
	CLEANUP(closedirp) DIR *d = open_folder(proc, "fd");
	size_t count = 0, seen = 0;

	for (struct dirent *e; d && count < max && seen++ < FDS_MAX && (e = readdir(d));) {
		char text[64];
		ssize_t n = e->d_name[0] == '.' ? -1 : readlinkat(dirfd(d), e->d_name, text, sizeof(text));
		struct slice s = slice_from(text, n > 0 ? (size_t)n : 0);

		if (slice_starts(s, SLICE_LIT("socket:[")) && slice_ends(s, SLICE_LIT("]")) &&
		    slice_to_u64(slice_sub(s, 8, s.n - 9), &ret[count]))
			count++;
	}
	return count;
}

static bool holds(int proc, uint64_t inode)
{
	CLEANUP(closedirp) DIR *d = open_folder(proc, "fd");
	char want[64], text[64];
	size_t seen = 0;
	int length = snprintf(want, sizeof(want), "socket:[%llu]", (unsigned long long)inode);

	for (struct dirent *e; d && seen++ < FDS_MAX && (e = readdir(d));) {
		ssize_t n = e->d_name[0] == '.' ? -1 : readlinkat(dirfd(d), e->d_name, text, sizeof(text));

		if (n == length && !memcmp(text, want, (size_t)n))
			return true;
	}
	return false;
}

static pid_t find_holder(const char *proc_root, uint64_t inode)
{
	CLEANUP(closedirp) DIR *d = opendir(proc_root);
	pid_t found = 0;

	for (struct dirent *e; d && (e = readdir(d));) {
		uint64_t pid;

		if (!slice_to_u64(slice_of(e->d_name), &pid) || !pid || pid > INT32_MAX)
			continue;
		CLEANUP(fd_closep) int proc = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (proc < 0 || !holds(proc, inode))
			continue;
		found = (pid_t)pid;
		if (pid != 1)
			break;
	}
	return found;
}

/* Who called listen(). 0: nobody answers. */
static pid_t ask_peer(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	CLEANUP(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred who;
	socklen_t n = sizeof(who);

	if (fd < 0 || !slice_copy(slice_of(path), to.sun_path, sizeof(to.sun_path)) ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0)
		return 0;
	return who.pid > 0 ? who.pid : 0;
}

pid_t facts_find_engine(const char *proc_root, const char *docker_socket)
{
	uint64_t inode = socket_inode_of(docker_socket);

	return inode ? find_holder(proc_root, inode) : ask_peer(docker_socket);
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

/* Its children that forward ports. Only a child of the engine counts, so the name is the engine's choice. */
static size_t count_proxies(const char *proc_root, pid_t engine)
{
	CLEANUP(closedirp) DIR *d = opendir(proc_root);
	size_t count = 0;

	for (struct dirent *e; d && (e = readdir(d));) {
		char exe[PATH_MAX];
		uint64_t pid, parent;

		if (!slice_to_u64(slice_of(e->d_name), &pid))
			continue;
		CLEANUP(fd_closep) int proc = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (proc < 0 || !stat_field(proc, 4, &parent) || parent != (uint64_t)engine)
			continue;
		ssize_t n = readlinkat(proc, "exe", exe, sizeof(exe));
		count += n > 0 && slice_ends(slice_from(exe, (size_t)n), SLICE_LIT("/docker-proxy"));
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
	l->count = sockets_of(proc, l->inodes, ENGINE_INODES_MAX);
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
	d->is_config_newer =
		d->started_unix_s && st.st_mtim.tv_sec > 0 && (uint64_t)st.st_mtim.tv_sec > d->started_unix_s;
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
		d->proxies = count_proxies(proc_root, d->pid);
	}
	read_config(proc, o, d);
	facts_read_argv(&d->argv, o->a, d);
	if (proc >= 0)
		read_listens(proc, o, d);
}
