/* place.c - see place.h. */
#include "agent/guard/net/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "agent/guard/net/netlink.h"
#include "common/buf.h"
#include "common/file.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

enum { PROC_TEXT_MAX = 1 << 20 };

/* --- texts --- */

static bool unescape(struct slice s, char *ret, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '\\' && s.n - i >= 4) { /* \040 */
			unsigned v = 0;
			for (size_t k = 1; k < 4; k++) {
				if (s.p[i + k] < '0' || s.p[i + k] > '7')
					return false;
				v = v * 8 + (unsigned)(s.p[i + k] - '0');
			}
			c = (char)v;
			i += 3;
		}
		if (at + 1 >= size || !c)
			return false;
		ret[at++] = c;
	}
	ret[at] = 0;
	return true;
}

int place_parse_mountinfo(struct slice text, char *ret, size_t size, struct err *err)
{
	struct slice line;

	while (slice_split(&text, '\n', &line)) {
		struct slice rest = line, field, root = SLICE_NONE, point = SLICE_NONE, type = SLICE_NONE;
		bool is_after = false;

		for (size_t i = 0; slice_split(&rest, ' ', &field); i++) {
			if (i == 3)
				root = field;
			else if (i == 4)
				point = field;
			else if (is_after) {
				type = field;
				break;
			} else if (i > 5 && slice_is(field, "-"))
				is_after = true;
		}
		if (!slice_is(type, "cgroup2") || !slice_is(root, "/"))
			continue;
		return unescape(point, ret, size) ? 0 : err_set(err, ERR_LIMIT, "the mount point of cgroup v2");
	}
	return err_set(err, ERR_NOT_FOUND, "cgroup v2 is not mounted");
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* The id, and no more of a word than the id. */
static bool has_id(struct slice component, struct slice id)
{
	ptrdiff_t at = slice_find(component, id);

	if (at < 0)
		return false;
	size_t end = (size_t)at + id.n;
	return (!at || !is_word(component.p[at - 1])) && (end == component.n || !is_word(component.p[end]));
}

/* How much of the path leads to the component with the id; 0: none. */
static size_t path_to_id(struct slice path, struct slice id)
{
	struct slice rest = path, part;

	while (slice_split(&rest, '/', &part)) {
		if (slice_is(part, "..") || slice_is(part, "."))
			return 0;
		if (part.n && has_id(part, id))
			return (size_t)(part.p + part.n - path.p);
	}
	return 0;
}

int place_parse_cgroup(struct slice text, struct slice id, char *ret, size_t size, struct err *err)
{
	struct slice line;
	bool is_there = false;

	if (!id.n)
		return err_set(err, EINVAL, "a container without an id");
	ret[0] = 0;
	while (slice_split(&text, '\n', &line)) {
		struct slice rest = line, number, controllers;

		if (!slice_split(&rest, ':', &number) || !slice_split(&rest, ':', &controllers))
			continue;
		size_t n = path_to_id(rest, id);
		is_there |= n > 0;
		if (!n || !slice_is(number, "0") || controllers.n)
			continue;
		if (!slice_copy(slice_from(rest.p, n), ret, size))
			return err_set(err, ERR_CORRUPT, "the cgroup's path is too long");
	}
	return is_there ? 0 : err_set(err, ESRCH, "the process is in no cgroup of the container");
}

bool place_parse_veth(struct slice message, uint32_t *ret_peer, int32_t *ret_peer_netns)
{
	struct slice attrs, kind = SLICE_NONE, info, value;
	bool has_peer = false, has_netns = false;
	uint16_t type;

	if (message.n < sizeof(struct ifinfomsg))
		return false;
	attrs = slice_sub(message, NLMSG_ALIGN(sizeof(struct ifinfomsg)), SIZE_MAX);
	while (netlink_attr(&attrs, &type, &value)) {
		if (type == IFLA_LINK && value.n == 4) {
			memcpy(ret_peer, value.p, 4);
			has_peer = true;
		} else if (type == IFLA_LINK_NETNSID && value.n == 4) {
			memcpy(ret_peer_netns, value.p, 4);
			has_netns = true;
		} else if (type == IFLA_LINKINFO) {
			info = value;
			while (netlink_attr(&info, &type, &value))
				if (type == IFLA_INFO_KIND)
					kind = value;
		}
	}
	if (kind.n && !kind.p[kind.n - 1])
		kind.n--;
	return has_peer && has_netns && *ret_peer && slice_is(kind, "veth");
}

/* --- the network namespace --- */

struct visit {
	int netns_fd, socket_fd, error;
	uint64_t cookie;
};

/* In a thread of its own: should it not find the way back, nothing else is astray. */
static void *visit(void *arg)
{
	struct visit *v = arg;
	socklen_t n = sizeof(v->cookie);

	if (setns(v->netns_fd, CLONE_NEWNET) < 0) {
		v->error = errno;
		return NULL;
	}
	/* A socket stays in the namespace where it was made. */
	v->socket_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (v->socket_fd < 0)
		v->error = errno;
	else if (getsockopt(v->socket_fd, SOL_SOCKET, SO_NETNS_COOKIE, &v->cookie, &n) < 0)
		v->cookie = 0;
	return NULL;
}

struct veth_list {
	struct {
		uint32_t peer;
		int32_t netns;
	} all[64];
	size_t count;
};

static void note_link(void *arg, uint16_t type, struct slice payload)
{
	struct veth_list *l = arg;
	uint32_t peer;
	int32_t netns;

	if (type != RTM_NEWLINK || l->count == ARRAY_LEN(l->all) || !place_parse_veth(payload, &peer, &netns))
		return;
	l->all[l->count].peer = peer;
	l->all[l->count++].netns = netns;
}

static void note_netns(void *arg, uint16_t type, struct slice payload)
{
	struct slice attrs = slice_sub(payload, NLMSG_ALIGN(sizeof(struct rtgenmsg)), SIZE_MAX), value;
	int32_t *ret = arg;
	uint16_t attr;

	while (type == RTM_NEWNSID && netlink_attr(&attrs, &attr, &value))
		if (attr == NETNSA_NSID && value.n == 4)
			memcpy(ret, value.p, 4);
}

/* The other ends that are in our own namespace: which number that has there, the kernel says. */
static int find_veths(int socket_fd, int own_netns_fd, struct place *p, struct err *err)
{
	struct ifinfomsg links = { .ifi_family = AF_UNSPEC };
	struct {
		struct rtgenmsg family;
		struct rtattr attr __attribute__((aligned(4)));
		uint32_t fd;
	} ask = { .attr = { .rta_len = RTA_LENGTH(4), .rta_type = NETNSA_FD }, .fd = (uint32_t)own_netns_fd };
	struct veth_list l = { .count = 0 };
	int32_t own = -1;

	int r = netlink_ask(socket_fd, RTM_GETLINK, NLM_F_DUMP, slice_from(&links, sizeof(links)), note_link, &l, err);
	if (r < 0 || !l.count)
		return r;
	r = netlink_ask(socket_fd, RTM_GETNSID, 0, slice_from(&ask, sizeof(ask)), note_netns, &own, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < l.count && own >= 0 && p->veth_count < PLACE_VETHS; i++)
		if (l.all[i].netns == own)
			p->veths[p->veth_count++] = l.all[i].peer;
	return 0;
}

static int look_into_netns(int netns_fd, struct place *p, struct err *err)
{
	CLEANUP(fd_closep) int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct stat a, b;
	pthread_t thread;

	if (own < 0 || fstat(own, &a) < 0 || fstat(netns_fd, &b) < 0)
		return err_set(err, errno, "compare network namespaces");
	p->is_host_net = a.st_ino == b.st_ino && a.st_dev == b.st_dev;
	if (p->is_host_net)
		return 0;
	struct visit v = { .netns_fd = netns_fd, .socket_fd = -1 };
	int r = pthread_create(&thread, NULL, visit, &v);
	if (r)
		return err_set(err, r, "a thread for the container's network");
	pthread_join(thread, NULL);
	CLEANUP(fd_closep) int fd = v.socket_fd;
	if (fd < 0)
		return err_set(err, v.error, "enter the container's network");
	p->netns_cookie = v.cookie;
	return find_veths(fd, own, p, err);
}

/* --- the process --- */

static int read_cgroup(pid_t pid, const char *id, char *ret, size_t size, struct err *err)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	int r = file_read(path, PROC_TEXT_MAX, &text, err);
	if (r == -ENOENT || r == -ESRCH)
		return err_set(err, ESRCH, "process %d", pid);
	if (r < 0)
		return r;
	return place_parse_cgroup(slice_from(text.p, text.n), slice_of(id), ret, size, err);
}

int place_find(pid_t pid, const char *id, const char *cgroup_root, struct place *ret, struct err *err)
{
	char path[PLACE_PATH + PATH_MAX], again[PLACE_PATH];
	struct place p = { .cgroup = "" };
	struct stat st;

	int r = read_cgroup(pid, id, p.cgroup, sizeof(p.cgroup), err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	CLEANUP(fd_closep) int netns = open(path, O_RDONLY | O_CLOEXEC);
	if (netns < 0)
		return err_set(err, errno == ENOENT ? ESRCH : errno, "the network of process %d", pid);
	/* The number could have passed to another process in between. */
	r = read_cgroup(pid, id, again, sizeof(again), err);
	if (r < 0)
		return r;
	if (p.cgroup[0]) {
		snprintf(path, sizeof(path), "%s%s", cgroup_root, p.cgroup);
		if (lstat(path, &st) < 0)
			return err_set(err, errno == ENOENT ? ESRCH : errno, "cgroup '%s'", p.cgroup);
		p.cgroup_id = st.st_ino; /* the same on 64-bit machines */
	}
	r = look_into_netns(netns, &p, err);
	if (r < 0)
		return r;
	*ret = p;
	return 0;
}
