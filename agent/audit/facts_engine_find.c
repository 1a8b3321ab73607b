/* facts_engine_find.c - which process is the engine: who listens on its socket, not who is called so.
 *
 * sock_diag tells device and inode of the file a unix socket is bound to, and the socket's own inode; who holds that
 * is in /proc/PID/fd. Who called listen() mostly holds it still (SO_PEERCRED); with socket activation that is the service
 * manager, then every process is looked at, and process 1 is only the last resort. An engine in another network namespace
 * is not in our sock_diag: then the socket's word has to do.
 */
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
	STAT_IS_LISTENING = 10, /* TCP_LISTEN, for unix sockets too */
	DIAG_BYTES = 32768,
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

size_t facts_socket_inodes(int proc, uint64_t *ret, size_t max)
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

static bool is_holder(const char *proc_root, pid_t pid, uint64_t inode)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%d", proc_root, (int)pid);
	CLEANUP(fd_closep) int proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return proc >= 0 && holds(proc, inode);
}

pid_t facts_find_engine(const char *proc_root, const char *docker_socket)
{
	uint64_t inode = socket_inode_of(docker_socket);
	pid_t peer = ask_peer(docker_socket);

	if (!inode || (peer > 1 && is_holder(proc_root, peer, inode)))
		return peer;
	return find_holder(proc_root, inode);
}
