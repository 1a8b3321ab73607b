/* test_facts_real.c - facts of processes of our own: namespaces, rights, filters, mounts, groups. Needs root. */
#include <arpa/inet.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <time.h>

#include "facts_test.h"
#include "child.h"

#define SKIP(why)                                        \
	do {                                             \
		print_message("[  SKIPPED ] %s\n", why); \
		skip();                                  \
	} while (0)

static const struct facts_sockets no_sockets;

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void read_child(const struct child *c, struct arena *a, struct facts_real *r)
{
	struct err err = { 0 };

	/* On a very busy machine a process may not get to stop in time: told, and asked again. */
	for (unsigned i = 0; i < 3; i++) {
		if (facts_read_real("/proc", c->pid, &(struct facts_how){ .sockets = &no_sockets }, a, r, &err) < 0)
			fail_msg("%s", err.msg);
		if (c->from < 0 || r->filter.is_read || !strstr(r->filter.why, "stop it"))
			break;
	}
	assert_true(r->is_known);
	assert_int_equal(r->init.pid, c->pid);
}

static bool nothing(void *arg)
{
	return true;
}

static void a_process_of_the_host_is_that(void **state)
{
	struct child c = child_start(nothing, NULL);
	struct facts_real r;
	struct stat st;

	read_child(&c, *state, &r);
	assert_int_equal(r.init.euid, 0);
	assert_false(r.init.no_new_privs);
	assert_true(r.process_count >= 1 && r.processes[0].pid == c.pid);
	assert_int_equal(stat("/proc/self/ns/mnt", &st), 0);
	assert_int_equal(r.init.ns[NS_MNT], st.st_ino);
	for (size_t i = 0; i < NS_COUNT; i++)
		assert_true(r.init.ns[i] != 0);
	assert_int_equal(r.listener_count, 0); /* the host's are not its own */
	assert_true(r.filter.is_read);
	assert_int_equal(r.filter.allowed, r.init.seccomp == SECCOMP_OFF ? FACTS_SYSCALLS : r.filter.allowed);
	assert_true(r.mount_count > 1);
	assert_string_not_equal(r.init.exe, "");
	child_end(&c);
}

static bool become_small(void *arg)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { { 0 } };

	if (prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN) || prctl(PR_SET_KEEPCAPS, 1) || setresgid(1234, 1234, 1234) ||
	    setresuid(1234, 1235, 1236))
		return false;
	d[0].permitted = d[0].effective = d[0].inheritable = 1U << CAP_NET_RAW;
	if (syscall(SYS_capset, &h, d) || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return false;
	prctl(PR_SET_NAME, "Uid:\t0\t0\n");
	return true;
}

static void rights_are_those_of_the_kernel(void **state)
{
	struct child c = child_start(become_small, NULL);
	struct facts_real r;

	if (!c.pid)
		SKIP("rights can't be dropped here");
	read_child(&c, *state, &r);
	assert_int_equal(r.init.uid, 1234);
	assert_int_equal(r.init.euid, 1235);
	assert_true(r.init.cap_effective == 1ULL << CAP_NET_RAW && r.init.cap_permitted == 1ULL << CAP_NET_RAW);
	assert_true(r.init.cap_ambient == 1ULL << CAP_NET_RAW && r.init.cap_inheritable == 1ULL << CAP_NET_RAW);
	assert_false(r.init.cap_bounding >> CAP_SYS_ADMIN & 1);
	assert_true(r.init.cap_bounding >> CAP_NET_RAW & 1);
	assert_true(r.init.no_new_privs);
	assert_string_equal(r.init.comm, "Uid:\t0\t0\n"); /* its own choice, and nothing more than a name */
	child_end(&c);
}

/* ---- filters ---- */

static bool install(uint32_t otherwise, int nr, uint32_t action)
{
	scmp_filter_ctx ctx = seccomp_init(otherwise);
	bool ok = ctx && seccomp_rule_add(ctx, action, nr, 0) == 0 && seccomp_load(ctx) == 0;

	seccomp_release(ctx);
	return ok;
}

static bool become_filtered(void *arg)
{
	return install(SCMP_ACT_ALLOW, SCMP_SYS(mount), SCMP_ACT_ERRNO(1)) &&
	       install(SCMP_ACT_ALLOW, SCMP_SYS(keyctl), SCMP_ACT_ERRNO(1));
}

static void assert_runs(pid_t pid)
{
	int tracer = -1;
	char s = child_state(pid, &tracer);

	if (s != 'S' && s != 'R')
		fail_msg("its state is %c", s);
	assert_int_equal(tracer, 0);
}

static void filters_are_read_and_the_process_runs_on(void **state)
{
	struct child c = child_start(become_filtered, NULL);
	struct facts_real r;

	if (!c.pid)
		SKIP("no filter can be installed here");
	for (size_t i = 0; i < 20; i++) {
		read_child(&c, *state, &r);
		if (!r.filter.is_read && strstr(r.filter.why, "ermi"))
			SKIP(r.filter.why);
		if (!r.filter.is_read)
			fail_msg("%s", r.filter.why);
		assert_runs(c.pid);
	}
	assert_int_equal(r.init.seccomp, SECCOMP_FILTERED);
	assert_int_equal(r.filter.filters, 2);
	assert_false(has_bit(r.filter.allows, SYS_mount) || has_bit(r.filter.allows, SYS_keyctl));
	assert_true(has_bit(r.filter.always, SYS_read));
	assert_int_equal(r.filter.allowed, FACTS_SYSCALLS - 2);
	assert_int_equal(facts_read_real("/proc", c.pid, &(struct facts_how){ .flags = FACTS_NO_FILTER, .sockets = &no_sockets }, *state, &r, NULL), 0);
	assert_false(r.filter.is_read);
	child_end(&c);
}

/* A filter that nobody installed tells what was read from what was known. */
static void a_filter_that_is_known_is_not_read_again(void **state)
{
	struct child c = child_start(become_filtered, NULL);
	struct facts_known k = { .filter = { .is_read = true, .why = "", .instructions = 7777 } };
	struct facts_how how = { .sockets = &no_sockets, .known = &k };
	struct facts_real r;

	if (!c.pid)
		SKIP("no filter can be installed here");
	read_child(&c, *state, &r);
	if (!r.init.seccomp_filters)
		SKIP("the kernel does not count filters");
	assert_true(r.init_start_ticks > 0);
	k.pid = c.pid;
	k.start_ticks = r.init_start_ticks;
	k.seccomp_filters = r.init.seccomp_filters;
	assert_int_equal(facts_read_real("/proc", c.pid, &how, *state, &r, NULL), 0);
	assert_int_equal(r.filter.instructions, 7777);
	how.flags = FACTS_NO_FILTER;
	assert_int_equal(facts_read_real("/proc", c.pid, &how, *state, &r, NULL), 0);
	assert_int_equal(r.filter.instructions, 7777);
	how.flags = 0;
	for (unsigned i = 0; i < 4; i++) {
		struct facts_known other = k;

		other.seccomp_filters -= i == 0; /* one was added since */
		other.start_ticks -= i == 1;	 /* another process of the same number */
		other.pid -= i == 2;
		other.filter.is_read = i != 3;
		how.known = &other;
		assert_int_equal(facts_read_real("/proc", c.pid, &how, *state, &r, NULL), 0);
		assert_int_not_equal(r.filter.instructions, 7777);
	}
	child_end(&c);
}

static void a_stopped_process_stays_stopped(void **state)
{
	struct child c = child_start(become_filtered, NULL);
	struct facts_real r;
	int status, tracer = -1;

	if (!c.pid)
		SKIP("no filter can be installed here");
	kill(c.pid, SIGSTOP);
	assert_int_equal(waitpid(c.pid, &status, WUNTRACED), c.pid);
	read_child(&c, *state, &r);
	assert_true(r.filter.is_read);
	for (unsigned i = 0; i < 100 && child_state(c.pid, &tracer) != 'T'; i++)
		usleep(1000);
	assert_int_equal(child_state(c.pid, &tracer), 'T');
	assert_int_equal(tracer, 0);
	kill(c.pid, SIGCONT);
	child_end(&c);
}

static void a_process_that_somebody_traces_is_left_alone(void **state)
{
	struct child c = child_start(become_filtered, NULL);
	struct facts_real r;
	int fds[2], tracer = 0;
	char ok = 0;

	if (!c.pid)
		SKIP("no filter can be installed here");
	assert_int_equal(pipe(fds), 0);
	pid_t other = fork();
	if (!other) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ok = ptrace(PTRACE_SEIZE, c.pid, NULL, NULL) == 0;
		if (write(fds[1], &ok, 1) == 1)
			for (;;)
				pause();
	}
	assert_int_equal(read(fds[0], &ok, 1), 1);
	if (ok) {
		read_child(&c, *state, &r);
		assert_false(r.filter.is_read);
		assert_string_not_equal(r.filter.why, "");
		child_state(c.pid, &tracer);
		assert_int_equal(tracer, other);
	}
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	close(fds[0]);
	close(fds[1]);
	child_end(&c);
	if (!ok)
		SKIP("nothing can be traced here");
}

/* The parent of a vfork waits where no interrupt reaches it. */
static void a_process_that_does_not_stop_in_time_is_let_go(void **state)
{
	int fds[2];
	struct facts_real r;
	char c = 0;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!become_filtered(NULL))
			_exit(1);
		c = 'a';
		if (write(fds[1], &c, 1) != 1)
			_exit(1);
		/* vfork(), without what the compiler makes of it */
		long r2 = syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
		if (!r2) {
			usleep(400000);
			_exit(0);
		}
		c = 'b';
		if (write(fds[1], &c, 1) == 1)
			for (;;)
				pause();
	}
	assert_int_equal(read(fds[0], &c, 1), 1);
	for (unsigned i = 0; i < 200 && child_state(pid, NULL) != 'D'; i++)
		usleep(1000);
	const struct child waiting = { .pid = pid, .from = -1 };
	int64_t start = now_ms();
	read_child(&waiting, *state, &r);
	int64_t took = now_ms() - start;
	assert_false(r.filter.is_read);
	assert_non_null(strstr(r.filter.why, "stop it"));
	if (took > 200)
		fail_msg("took %d ms", (int)took);
	/* It goes on as if nothing had been. */
	assert_int_equal(read(fds[0], &c, 1), 1);
	assert_int_equal(c, 'b');
	usleep(20000);
	assert_runs(pid);
	read_child(&waiting, *state, &r);
	assert_true(r.filter.is_read);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fds[0]);
	close(fds[1]);
}

/* Signals that are under way when it is stopped arrive, each once. */
enum { SIGNALS = 3000 };
static volatile unsigned *signals_seen; /* shared with the child */

static void on_signal(int n)
{
	++*signals_seen;
}

static bool become_counting(void *arg)
{
	struct sigaction sa = { .sa_handler = on_signal };

	return sigaction(SIGRTMIN, &sa, NULL) == 0 && become_filtered(NULL);
}

static void no_signal_is_lost(void **state)
{
	void *shared = mmap(NULL, sizeof(*signals_seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct facts_real r;

	assert_true(shared != MAP_FAILED);
	signals_seen = shared;
	struct child c = child_start(become_counting, NULL);
	if (!c.pid)
		SKIP("no filter can be installed here");
	/* By another process, so that they come at any moment. */
	pid_t sender = fork();
	if (!sender) {
		for (unsigned i = 0; i < SIGNALS; i++) {
			while (kill(c.pid, SIGRTMIN) < 0) /* its queue is full */
				;
			sched_yield();
		}
		_exit(0);
	}
	while (!waitpid(sender, NULL, WNOHANG))
		read_child(&c, *state, &r);
	for (unsigned i = 0; i < 1000 && *signals_seen < SIGNALS; i++)
		usleep(2000);
	assert_int_equal(*signals_seen, SIGNALS);
	assert_runs(c.pid);
	child_end(&c);
	munmap(shared, sizeof(*signals_seen));
}

/* ---- namespaces ---- */

static bool listen_on(int family, int type, const char *address, uint16_t port)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(family, address, family == AF_INET ? (void *)&a4.sin_addr : (void *)&a6.sin6_addr);
	if (bind(fd, family == AF_INET ? (struct sockaddr *)&a4 : (struct sockaddr *)&a6,
		 family == AF_INET ? sizeof(a4) : sizeof(a6)) < 0)
		return false;
	return type != SOCK_STREAM || listen(fd, 1) == 0;
}

static bool become_apart(void *arg)
{
	return unshare(CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWCGROUP) == 0 &&
	       listen_on(AF_INET, SOCK_STREAM, "0.0.0.0", 2375) && listen_on(AF_INET, SOCK_DGRAM, "0.0.0.0", 53) &&
	       listen_on(AF_INET6, SOCK_STREAM, "::", 22);
}

static void namespaces_of_its_own_are_told_and_what_listens_there(void **state)
{
	static const enum facts_ns own[] = { NS_NET, NS_UTS, NS_IPC, NS_MNT, NS_CGROUP };
	struct child c = child_start(become_apart, NULL), host = child_start(nothing, NULL);
	struct facts_real r, h;
	unsigned found = 0;

	if (!c.pid) {
		child_end(&host);
		SKIP("no namespaces of one's own here");
	}
	read_child(&c, *state, &r);
	read_child(&host, *state, &h);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		assert_true(r.init.ns[own[i]] && r.init.ns[own[i]] != h.init.ns[own[i]]);
	assert_int_equal(r.init.ns[NS_PID], h.init.ns[NS_PID]);
	assert_int_equal(r.listener_count, 3);
	for (size_t i = 0; i < r.listener_count; i++) {
		const struct facts_listener *l = &r.listeners[i];

		found |= (unsigned)(!strcmp(l->protocol, "tcp") && l->port == 2375 && !strcmp(l->address, "0.0.0.0")) |
			 (unsigned)(!strcmp(l->protocol, "udp") && l->port == 53) << 1 |
			 (unsigned)(!strcmp(l->protocol, "tcp6") && l->port == 22 && !strcmp(l->address, "::")) << 2;
	}
	assert_int_equal(found, 7);
	child_end(&c);
	child_end(&host);
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	fd_closep(&fd);
	return ok;
}

static bool become_mapped(void *arg)
{
	return unshare(CLONE_NEWUSER) == 0 && pause() == -1; /* never says yes: read while it waits */
}

static void whose_root_it_is_is_told(void **state)
{
	pid_t pid = fork();
	char path[64];
	struct facts_real r;

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(!become_mapped(NULL));
	}
	snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
	bool ok = false;
	for (unsigned i = 0; i < 200 && !ok; i++) {
		ok = write_file(path, "0 100000 65536\n");
		usleep(1000);
	}
	struct child c = { .pid = pid, .from = -1 };
	if (ok) {
		read_child(&c, *state, &r);
		assert_false(r.is_user_ns_host);
		assert_int_equal(r.root_uid, 100000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (!ok)
		SKIP("no user namespaces here");
	struct child h = child_start(nothing, NULL);
	read_child(&h, *state, &r);
	assert_true(r.is_user_ns_host || r.root_uid != 0);
	child_end(&h);
}

/* ---- mounts ---- */

struct place {
	char dir[64], sock[96];
};

static int listen_unix(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static bool make(const struct place *p, const char *name, bool is_dir)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	if (is_dir)
		return mkdir(path, 0755) == 0;
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	bool ok = fd >= 0;
	fd_closep(&fd);
	return ok;
}

static bool bind_to(const struct place *p, const char *from, const char *name, unsigned long flags)
{
	char to[256], source[256];

	snprintf(source, sizeof(source), from[0] == '/' ? "%s" : "%s/%s", from[0] == '/' ? from : p->dir, from);
	snprintf(to, sizeof(to), "%s/%s", p->dir, name);
	if (mount(source, to, NULL, MS_BIND, NULL) < 0)
		return false;
	return !flags || mount(NULL, to, NULL, MS_BIND | MS_REMOUNT | flags, NULL) == 0;
}

static bool cover(const struct place *p, const char *name)
{
	char to[256];

	snprintf(to, sizeof(to), "%s/%s", p->dir, name);
	return mount("none", to, "tmpfs", 0, "size=64k") == 0;
}

/* engine/e.sock is the engine's; hard/link another name of it. */
static bool become_mounted(void *arg)
{
	const struct place *p = arg;

	return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       bind_to(p, p->sock, "s_file", MS_RDONLY) && bind_to(p, "engine", "s_dir", 0) &&
	       bind_to(p, ".", "s_above", 0) && bind_to(p, "engine", "s_hidden", 0) && cover(p, "s_hidden") &&
	       bind_to(p, "engine", "s_inner", 0) && bind_to(p, "s_null", "s_inner/e.sock", 0) &&
	       bind_to(p, "hard", "s_link", 0) && bind_to(p, "other", "s_other", MS_NOEXEC | MS_NOSUID | MS_NODEV) &&
	       bind_to(p, "/dev/null", "s_null", 0) && bind_to(p, "foreign.sock", "s_foreign", 0) &&
	       bind_to(p, "second.sock", "s_second", 0);
}

static bool become_foreign(void *path)
{
	return listen_unix(path) >= 0;
}

static const struct facts_mount *mount_at(const struct facts_real *r, const struct place *p, const char *name)
{
	char path[256];
	const struct facts_mount *found = NULL;

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	for (size_t i = 0; i < r->mount_count; i++)
		if (!found && !strcmp(r->mounts[i].point, path))
			found = &r->mounts[i];
	if (!found)
		fail_msg("%s is not mounted", path);
	return found;
}

static void remove_tree(const char *path)
{
	const char *const argv[] = { "rm", "-rf", "--one-file-system", path, NULL };
	pid_t pid = fork();

	if (!pid) {
		execvp("rm", (char **)argv);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
}

static void an_engines_socket_is_found_behind_any_mount(void **state)
{
	static const char *const names[] = { "s_dir",	"s_inner", "s_above", "s_hidden", "s_link",
					     "s_other", "engine",  "hard",    "other" };
	struct place p = { .dir = "/tmp/factsXXXXXX" };
	char link_path[96], foreign[96], second[96], alias[96];
	struct facts_sockets sockets;
	struct facts_real r;

	assert_non_null(mkdtemp(p.dir));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_true(make(&p, names[i], true));
	assert_true(make(&p, "s_file", false) && make(&p, "s_null", false) && make(&p, "s_foreign", false) &&
		    make(&p, "s_second", false));
	snprintf(p.sock, sizeof(p.sock), "%s/engine/e.sock", p.dir);
	snprintf(foreign, sizeof(foreign), "%s/foreign.sock", p.dir);
	snprintf(link_path, sizeof(link_path), "%s/hard/link", p.dir);
	snprintf(alias, sizeof(alias), "%s/alias", p.dir);
	snprintf(second, sizeof(second), "%s/second.sock", p.dir);
	/* We are the engine, with two sockets; the third is somebody else's. */
	struct child other_process = child_start(become_foreign, foreign);
	int fd = listen_unix(p.sock), fd2 = listen_unix(second);
	assert_true(other_process.pid > 0);
	assert_int_equal(link(p.sock, link_path), 0);
	assert_int_equal(symlink(p.sock, alias), 0);
	assert_int_equal(facts_read_sockets(alias, NULL, *state, &sockets, NULL), 0);
	assert_true(sockets.count >= 1);
	assert_string_equal(sockets.v[0].path, p.sock); /* where the link leads */
	struct child c = child_start(become_mounted, &p);
	if (c.pid) {
		assert_int_equal(facts_read_real("/proc", c.pid, &(struct facts_how){ .sockets = &sockets }, *state, &r, NULL), 0);
		assert_string_equal(mount_at(&r, &p, "s_file")->api_socket, p.sock);
		assert_true(mount_at(&r, &p, "s_file")->is_socket && !mount_at(&r, &p, "s_file")->is_writable);
		assert_string_equal(mount_at(&r, &p, "s_dir")->api_socket, p.sock);
		assert_string_equal(mount_at(&r, &p, "s_above")->api_socket, p.sock);
		assert_string_equal(mount_at(&r, &p, "s_link")->api_socket, p.sock);
		assert_string_equal(mount_at(&r, &p, "s_hidden")->api_socket, "");
		assert_true(!mount_at(&r, &p, "s_hidden")->inode && !mount_at(&r, &p, "s_hidden")->is_directory);
		assert_string_equal(mount_at(&r, &p, "s_inner")->api_socket, ""); /* the folder, not what lies on it */
		assert_string_equal(mount_at(&r, &p, "s_other")->api_socket, "");
		assert_string_equal(mount_at(&r, &p, "s_foreign")->api_socket, "");
		assert_true(mount_at(&r, &p, "s_foreign")->is_socket);
		assert_string_equal(mount_at(&r, &p, "s_second")->api_socket, second);
		const struct facts_mount *o = mount_at(&r, &p, "s_other");
		char other[96];
		snprintf(other, sizeof(other), "%s/other", p.dir);
		assert_true(o->is_noexec && o->is_nosuid && o->is_nodev && o->is_writable && o->is_directory);
		assert_string_equal(o->host_path, other);
		assert_true(mount_at(&r, &p, "s_null")->is_char);
	}
	bool ok = c.pid;
	child_end(&c);
	child_end(&other_process);
	close(fd);
	close(fd2);
	remove_tree(p.dir);
	if (!ok)
		SKIP("no mounts of one's own here");
}

/* ---- groups ---- */

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct group {
	char path[256], sub[300];
};

static bool make_group(struct group *g, const char *root, const char *name)
{
	snprintf(g->path, sizeof(g->path), "%s/%s", root, name);
	if (mkdir(g->path, 0755) < 0)
		return false;
	snprintf(g->path, sizeof(g->path), "%s/%s/" ID, root, name);
	snprintf(g->sub, sizeof(g->sub), "%s/inner", g->path);
	return mkdir(g->path, 0755) == 0 && mkdir(g->sub, 0755) == 0;
}

static void remove_group(struct group *g)
{
	for (unsigned i = 0; i < 200 && g->sub[0] && rmdir(g->sub) < 0 && errno == EBUSY; i++)
		usleep(5000);
	for (unsigned i = 0; i < 200 && rmdir(g->path) < 0 && errno == EBUSY; i++)
		usleep(5000);
	*strrchr(g->path, '/') = 0;
	rmdir(g->path);
}

static bool put(const struct group *g, const char *file, const char *text)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", g->path, file);
	return write_file(path, text);
}

static bool become_member(void *arg)
{
	const struct group *groups = arg;
	char path[600];

	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/cgroup.procs", groups[i].sub);
		if (!write_file(path, "0\n"))
			return false;
	}
	return become_filtered(NULL);
}

static void limits_and_processes_are_those_of_the_containers_group(void **state)
{
	static const char *const roots[] = { "/sys/fs/cgroup/pids", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/freezer" };
	struct group g[3] = { { "", "" } };
	struct child c[3] = { { 0 } };
	struct facts_real r;
	char name[64];
	size_t made = 0;

	snprintf(name, sizeof(name), "facts-%d", (int)getpid());
	if (access("/sys/fs/cgroup/pids/cgroup.procs", W_OK) < 0)
		SKIP("no v1 hierarchy to write to here; v2 is read by the test with a real engine");
	while (made < 3 && make_group(&g[made], roots[made], name))
		made++;
	bool ok = made == 3 && put(&g[0], "pids.max", "77\n") && put(&g[1], "memory.limit_in_bytes", "67108864\n");
	for (size_t i = 0; ok && i < 3; i++) {
		c[i] = child_start(become_member, g);
		ok = c[i].pid > 0;
	}
	if (ok) {
		read_child(&c[0], *state, &r);
		assert_int_equal(r.pids_max, 77);
		assert_int_equal(r.memory_max, 67108864);
		assert_non_null(strstr(r.cgroup, "/" ID));
		assert_null(strstr(r.cgroup, "inner"));
		assert_int_equal(r.process_count, 3);
		assert_int_equal(r.process_total, 3);
		assert_int_equal(r.processes[0].pid, c[0].pid);
		assert_true(r.filter.is_read);
		/* Paused: nothing waits for it, nothing is left with it. */
		/* Thawed before anything is judged: what is frozen can't even be killed. */
		bool was_frozen = put(&g[2], "freezer.state", "FROZEN\n");
		int64_t start = now_ms();
		int e = facts_read_real("/proc", c[0].pid, &(struct facts_how){ .sockets = &no_sockets }, *state, &r, NULL);
		int64_t took = now_ms() - start;
		assert_true(put(&g[2], "freezer.state", "THAWED\n"));
		assert_true(was_frozen && e == 0 && took < 500);
		assert_false(r.filter.is_read);
		assert_string_equal(r.filter.why, "the container is paused");
		read_child(&c[0], *state, &r);
		assert_true(r.filter.is_read);
	}
	for (size_t i = 0; i < 3; i++)
		child_end(&c[i]);
	for (size_t i = 0; i < made; i++)
		remove_group(&g[i]);
	if (!ok)
		SKIP("no groups can be made here");
}

static void what_is_gone_is_told(void **state)
{
	struct child c = child_start(nothing, NULL);
	pid_t pid = c.pid;
	struct facts_real r;
	struct err err = { 0 };

	child_end(&c);
	assert_int_equal(facts_read_real("/proc", pid, &(struct facts_how){ .sockets = &no_sockets }, *state, &r, &err), -ESRCH);
	assert_false(r.is_known);
	assert_string_not_equal(r.why, "");
	assert_int_equal(facts_read_real("/proc", -1, &(struct facts_how){ .sockets = &no_sockets }, *state, &r, &err), -ESRCH);
	assert_int_equal(facts_read_real("/nowhere", 1, &(struct facts_how){ .sockets = &no_sockets }, *state, &r, &err), -ESRCH);
}

int main(void)
{
	if (geteuid()) {
		printf("skipped: needs root\n");
		return 77;
	}
	const struct CMUnitTest tests[] = {
		with_arena(a_process_of_the_host_is_that),
		with_arena(rights_are_those_of_the_kernel),
		with_arena(filters_are_read_and_the_process_runs_on),
		with_arena(a_filter_that_is_known_is_not_read_again),
		with_arena(a_stopped_process_stays_stopped),
		with_arena(a_process_that_somebody_traces_is_left_alone),
		with_arena(a_process_that_does_not_stop_in_time_is_let_go),
		with_arena(no_signal_is_lost),
		with_arena(namespaces_of_its_own_are_told_and_what_listens_there),
		with_arena(whose_root_it_is_is_told),
		with_arena(an_engines_socket_is_found_behind_any_mount),
		with_arena(limits_and_processes_are_those_of_the_containers_group),
		with_arena(what_is_gone_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
