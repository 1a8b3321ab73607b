/* boxes.h - containers without an engine: processes in cgroups and network namespaces of their own.
 *
 * main() forks: the child makes namespaces of its own for mounts, network and cgroups (so that what is attached "at
 * the root" is at the root of the test's own cgroup and nobody else is touched), the parent kills and removes what is
 * left, whatever became of the child.
 *
 *   box A 10.77.1.2, fd77:1::2 --- veth --- 10.77.1.1 [ "host": 10.99.0.1, .2, fd99::1, ::2 on lo ] --- veth --- box B
 */
#pragma once
#include "agent/guard/net/net.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "common/file.h"

enum { EVENTS_MAX = 4096, TRAFFIC_MAX = 64, PORT = 7000, DENIED_BY_TEST = 42 };
#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ID_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

struct test_box {
	const char *id;
	char cgroup[256];
	pid_t init;
	int number;
};

struct kept_traffic {
	struct net_traffic t;
	struct net_peer peers[NET_PEERS];
	char id[65];
};

static struct {
	char dir[64], cgroup_root[96], pins[96];
	struct loop *loop;
	struct net *net;
	struct net_event events[EVENTS_MAX];
	char ids[EVENTS_MAX][65];
	size_t event_count;
	struct kept_traffic traffic[TRAFFIC_MAX];
	size_t traffic_count;
	uint64_t lost;
	struct test_box a, b;
	int tcp, udp; /* the host's servers, on all addresses */
	pid_t child; /* the last one; alive only where a test failed: it would hold the net's programs */
} t;

__attribute__((format(printf, 1, 2))) static inline int sh(const char *fmt, ...)
{
	char cmd[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	return system(cmd);
}

static inline void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		print_error("%s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* --- boxes --- */

static inline void join_cgroup(const struct test_box *b)
{
	char path[320];

	snprintf(path, sizeof(path), "%s/cgroup.procs", b->cgroup);
	write_file(path, "0");
}

static inline void box_cgroup(struct test_box *b, const char *id)
{
	b->id = id;
	snprintf(b->cgroup, sizeof(b->cgroup), "%s/docker/%s", t.cgroup_root, id);
	mkdir(b->cgroup, 0755);
}

static inline void box_start(struct test_box *b, const char *id, int number)
{
	int ready[2];
	char c;

	b->number = number;
	box_cgroup(b, id);
	assert_return_code(pipe(ready), errno);
	b->init = fork();
	if (!b->init) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		join_cgroup(b);
		if (unshare(CLONE_NEWNET) < 0 || write(ready[1], "x", 1) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	assert_int_equal(sh("ip link add pv%d type veth peer name eth0 netns %d && ip link set pv%d up && "
			    "ip addr add 10.77.%d.1/24 dev pv%d && ip -6 addr add fd77:%d::1/64 dev pv%d nodad && "
			    "nsenter -t %d -n sh -c 'ip link set lo up; ip link set eth0 up; ip addr add 10.77.%d.2/24 dev eth0; "
			    "ip -6 addr add fd77:%d::2/64 dev eth0 nodad; ip route add default via 10.77.%d.1; "
			    "ip -6 route add default via fd77:%d::1'",
			    number, b->init, number, number, number, number, number, b->init, number, number, number,
			    number),
			 0);
}

static inline void box_stop(struct test_box *b)
{
	if (b->init > 0) {
		kill(b->init, SIGKILL);
		waitpid(b->init, NULL, 0);
	}
	b->init = 0;
	for (int i = 0; i < 100 && rmdir(b->cgroup) < 0 && errno == EBUSY; i++)
		usleep(10000);
}

static inline void turn(unsigned ms)
{
	struct timespec now, end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += (long)(ms % 1000) * 1000000;
	end.tv_sec += ms / 1000 + end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	do {
		loop_step(t.loop, 5);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
}

/* Runs fn in the box (its cgroup, its network) and returns what it returns: 0..255. */
static inline pid_t box_begin(const struct test_box *b, int (*fn)(void *arg), void *arg)
{
	pid_t pid = fork();

	if (!pid) {
		char path[64];

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		snprintf(path, sizeof(path), "/proc/%d/ns/net", b->init);
		if (b->init) {
			int fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
				_exit(254);
		}
		if (b->cgroup[0])
			join_cgroup(b);
		_exit(fn(arg));
	}
	t.child = pid;
	return pid;
}

static inline int box_end(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) == 0)
		loop_step(t.loop, 2);
	turn(20);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static inline int in_box(const struct test_box *b, int (*fn)(void *arg), void *arg)
{
	return box_end(box_begin(b, fn, arg));
}

/* --- what a program in a box does; each returns 0 or errno --- */

struct to {
	const char *address;
	uint16_t port;
};

static inline socklen_t sockaddr_of(const struct to *to, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (void *)ret;
	struct sockaddr_in6 *v6 = (void *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, to->address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(to->port);
		return sizeof(*v4);
	}
	inet_pton(AF_INET6, to->address, &v6->sin6_addr);
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(to->port);
	return sizeof(*v6);
}

static inline int do_connect(void *arg, int type)
{
	struct sockaddr_storage a;
	socklen_t n = sockaddr_of(arg, &a);
	struct timeval patience = { 1, 0 };
	int fd = socket(a.ss_family, type | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	int r = connect(fd, (struct sockaddr *)&a, n) < 0 ? errno : 0;
	close(fd);
	return r;
}
static inline int tcp_connect(void *arg)
{
	return do_connect(arg, SOCK_STREAM);
}
static inline int udp_connect(void *arg)
{
	return do_connect(arg, SOCK_DGRAM);
}
static inline int udp_send(void *arg)
{
	struct sockaddr_storage a;
	socklen_t n = sockaddr_of(arg, &a);
	int fd = socket(a.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	int r = sendto(fd, "hello", 5, 0, (struct sockaddr *)&a, n) < 0 ? errno : 0;
	close(fd);
	return r;
}
static inline int tcp_bind(void *arg)
{
	struct sockaddr_storage a;
	socklen_t n = sockaddr_of(arg, &a);
	int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return bind(fd, (struct sockaddr *)&a, n) < 0 ? errno : 0;
}

/* How many datagrams wait at the host's server; takes them away. */
static inline unsigned datagrams(void)
{
	unsigned count = 0;
	char buf[64];

	usleep(20000);
	while (recv(t.udp, buf, sizeof(buf), MSG_DONTWAIT) >= 0)
		count++;
	return count;
}

/* --- the net --- */

static inline void keep_event(void *arg, const struct net_event *e)
{
	if (t.event_count == EVENTS_MAX)
		return;
	snprintf(t.ids[t.event_count], sizeof(t.ids[0]), "%s", e->container_id);
	t.events[t.event_count] = *e;
	t.events[t.event_count].container_id = t.ids[t.event_count];
	t.event_count++;
}
static inline void keep_traffic(void *arg, const struct net_traffic *x)
{
	if (t.traffic_count == TRAFFIC_MAX)
		return;
	struct kept_traffic *k = &t.traffic[t.traffic_count++];

	k->t = *x;
	snprintf(k->id, sizeof(k->id), "%s", x->container_id);
	memcpy(k->peers, x->peers, x->peer_count * sizeof(*x->peers));
}
static inline void keep_lost(void *arg, uint64_t events)
{
	t.lost += events;
}

static const struct net_ops ops = { keep_event, keep_traffic, keep_lost };

static inline struct net_config config(enum net_mode mode)
{
	return (struct net_config){ .pin_dir = "", .cgroup_root = t.cgroup_root, .mode = mode,
				    .counts_traffic = true };
}

static inline void net_open(const struct net_config *cfg)
{
	struct err e = { 0 };

	t.event_count = t.traffic_count = 0;
	t.lost = 0;
	if (net_new(t.loop, clock_real(), cfg, &ops, NULL, &t.net, &e) < 0)
		fail_msg("%s", e.msg);
}

static inline void net_shut(void)
{
	net_free(t.net);
	t.net = NULL;
}

static inline struct net_prefix prefix(const char *text, unsigned bits, bool is_denied, uint32_t rule)
{
	struct net_prefix p = { .bits = (uint8_t)bits, .is_denied = is_denied, .rule = rule };

	p.is_v6 = inet_pton(AF_INET, text, p.address) != 1;
	if (p.is_v6)
		inet_pton(AF_INET6, text, p.address);
	return p;
}

/* 10.99.0.1 and fd99::1 are denied. */
static inline struct net_rules one_denied(void)
{
	static struct net_prefix p[4];

	p[0] = prefix("10.99.0.1", 32, true, DENIED_BY_TEST);
	p[1] = prefix("fd99::1", 128, true, DENIED_BY_TEST);
	p[2] = prefix("10.99.0.0", 24, false, 7);
	return (struct net_rules){ .prefixes = p, .prefix_count = 3 };
}

static inline void tell_box(const struct test_box *b, const struct net_rules *r)
{
	struct err e = { 0 };

	if (net_container(t.net, b->id, b->init, r, &e) < 0)
		fail_msg("%s", e.msg);
}

static inline const struct net_event *find_event(const char *id, enum net_hook hook)
{
	for (size_t i = 0; i < t.event_count; i++)
		if (t.events[i].hook == hook && !strcmp(t.events[i].container_id, id))
			return &t.events[i];
	return NULL;
}

static inline void note_layer(void *arg, const struct net_layer *l)
{
	struct net_layer *want = arg;

	if (!strcmp(l->name, want->name)) {
		want->attached = l->attached;
		want->why_not = l->why_not;
		want->runs = l->runs;
		want->run_ns = l->run_ns;
	}
}
static inline struct net_layer layer(const char *name)
{
	struct net_layer l = { .name = name };

	net_layers(t.net, note_layer, &l);
	return l;
}

/* --- the machine --- */

static inline int server(int type)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || (type == SOCK_STREAM && listen(fd, 64) < 0))
		return -1;
	return fd;
}

static inline int boxes_setup(void **state)
{
	struct err e = { 0 };

	if (loop_new(&t.loop, &e) < 0)
		return -1;
	t.tcp = server(SOCK_STREAM);
	t.udp = server(SOCK_DGRAM);
	if (t.tcp < 0 || t.udp < 0)
		return -1;
	fcntl(t.tcp, F_SETFL, O_NONBLOCK);
	box_start(&t.a, ID_A, 1);
	box_start(&t.b, ID_B, 2);
	return 0;
}
static inline int boxes_teardown(void **state)
{
	box_stop(&t.a);
	box_stop(&t.b);
	close(t.tcp);
	close(t.udp);
	loop_free(t.loop);
	return 0;
}
static inline int test_teardown(void **state)
{
	struct err e = { 0 };
	int fd;

	if (t.child > 0 && !waitpid(t.child, NULL, WNOHANG)) {
		kill(t.child, SIGKILL);
		waitpid(t.child, NULL, 0);
	}
	t.child = 0;
	net_shut();
	if (net_clear(t.pins, &e) < 0)
		print_error("%s\n", e.msg);
	while ((fd = accept(t.tcp, NULL, NULL)) >= 0)
		close(fd);
	(void)datagrams();
	return 0;
}
#define BOX_TEST(fn) cmocka_unit_test_teardown(fn, test_teardown)

static inline const char *find_unified(void)
{
	struct stat st;

	if (!stat("/sys/fs/cgroup/cgroup.controllers", &st))
		return "/sys/fs/cgroup";
	return stat("/sys/fs/cgroup/unified/cgroup.procs", &st) ? NULL : "/sys/fs/cgroup/unified";
}

static inline int may_bpf(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 4, 1, NULL);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* Before 5.14 a network namespace has no number that both sides know. */
static inline bool knows_netns(void)
{
	uint64_t cookie;
	socklen_t n = sizeof(cookie);

	if (!getsockopt(t.udp, SOL_SOCKET, 71 /* SO_NETNS_COOKIE */, &cookie, &n))
		return true;
	print_message("no cookies of network namespaces in this kernel\n");
	return false;
}

/* In the child: everything of one's own. */
static inline int enter(const char *dir)
{
	snprintf(t.dir, sizeof(t.dir), "%s", dir);
	snprintf(t.cgroup_root, sizeof(t.cgroup_root), "%s/cgroup", dir);
	snprintf(t.pins, sizeof(t.pins), "%s/bpf/picket/net", dir);
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWCGROUP) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	if (sh("mkdir -p %s/cgroup %s/bpf && mount -t cgroup2 none %s/cgroup && mount -t bpf none %s/bpf && "
	       "mount -t sysfs none /sys && mkdir -p %s/cgroup/docker",
	       dir, dir, dir, dir, dir))
		return -EIO;
	if (sh("ip link set lo up && ip addr add 10.99.0.1/32 dev lo && ip addr add 10.99.0.2/32 dev lo && "
	       "ip -6 addr add fd99::1/128 dev lo && ip -6 addr add fd99::2/128 dev lo && "
	       "echo 1 >/proc/sys/net/ipv4/ip_forward"))
		return -EIO;
	return 0;
}

static inline void remove_cgroups(const char *path, int depth)
{
	char sub[512], procs[512];
	DIR *d = opendir(path);
	int pid;

	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));)
		if (depth < 6 && e->d_type == DT_DIR && e->d_name[0] != '.') {
			snprintf(sub, sizeof(sub), "%.250s/%.200s", path, e->d_name);
			remove_cgroups(sub, depth + 1);
		}
	closedir(d);
	snprintf(procs, sizeof(procs), "%.400s/cgroup.procs", path);
	FILE *f = fopen(procs, "re");
	while (f && fscanf(f, "%d", &pid) == 1)
		if (pid > 0)
			kill(pid, SIGKILL);
	if (f)
		fclose(f);
	for (int i = 0; i < 200 && rmdir(path) < 0 && errno == EBUSY; i++)
		usleep(10000);
}

static inline int boxes_main(int (*run)(void))
{
	const char *unified = find_unified();
	char dir[] = "/tmp/picket-net-XXXXXX", cgroup[128];
	int status = 1;

	if (geteuid()) {
		print_message("needs root\n");
		return 77;
	}
	if (!unified) {
		print_message("no cgroup v2 here\n");
		return 77;
	}
	if (may_bpf() < 0) {
		print_message("no BPF here: %s\n", strerror(errno));
		return 77;
	}
	if (!mkdtemp(dir))
		return 1;
	snprintf(cgroup, sizeof(cgroup), "%s/picket-test-%d", unified, getpid());
	if (mkdir(cgroup, 0755) < 0) {
		print_message("no cgroup of one's own: %s\n", strerror(errno));
		(void)rmdir(dir);
		return 77;
	}
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) {
		char procs[192];

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		snprintf(procs, sizeof(procs), "%s/cgroup.procs", cgroup);
		write_file(procs, "0");
		int r = enter(dir);
		if (r < 0)
			print_message("no namespaces of one's own: %s\n", strerror(-r));
		exit(r < 0 ? 77 : run());
	}
	waitpid(pid, &status, 0);
	remove_cgroups(cgroup, 0);
	(void)sh("rmdir %s/cgroup %s/bpf %s", dir, dir, dir);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
