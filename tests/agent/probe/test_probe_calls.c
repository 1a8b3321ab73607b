/* test_probe_calls.c - system calls in the running kernel: do them in odd ways, look at what was
 * recorded. */
#include "agent/probe/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/e2e/actions/compat.h"

enum { SEEN_MAX = 16384 };

struct seen {
	struct event e;
	char *store;
};

struct watch {
	struct loop *loop;
	struct probe *probe;
	struct seen seen[SEEN_MAX];
	size_t count, kills;
	struct filter filter;
};

static char dir[64]; /* canonical */
static enum probe_mode mode;

static void copy_slice(struct slice *s, char **at)
{
	if (s->n)
		memcpy(*at, s->p, s->n);
	s->p = *at;
	*at += s->n;
}

/* Only what this process did, so that the rest of the host does not disturb. */
static void on_event(void *arg, const struct event *e)
{
	struct watch *w = arg;

	if (e->type == EV_KILL && e->kill.row == 0 && slice_starts(e->p.exe, slice_of(dir)))
		w->kills++;
	if (w->count == SEEN_MAX || e->type != EV_CALL || e->p.pid != (uint32_t)getpid())
		return;
	struct seen *s = &w->seen[w->count++];
	s->e = *e;
	struct event_call *c = &s->e.call;
	struct slice *texts[] = {&s->e.p.name, &c->path,  &c->raw, &c->raw2,
				 &c->base,     &c->base2, &c->data};
	size_t n = 1;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		n += texts[i]->n;
	char *at = s->store = malloc(n);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		copy_slice(texts[i], &at);
}

static void forget(struct watch *w)
{
	(void)probe_drain(w->probe);
	for (size_t i = 0; i < w->count; i++)
		free(w->seen[i].store);
	w->count = 0;
}

static const struct event_call *find(struct watch *w, enum call call)
{
	(void)probe_drain(w->probe);
	for (size_t i = 0; i < w->count; i++)
		if (w->seen[i].e.call.call == call)
			return &w->seen[i].e.call;
	return NULL;
}

static size_t count_of(struct watch *w, enum call call)
{
	size_t n = 0;

	(void)probe_drain(w->probe);
	for (size_t i = 0; i < w->count; i++)
		n += w->seen[i].e.call.call == call;
	return n;
}

static const struct event_call *must_find(struct watch *w, enum call call)
{
	const struct event_call *c = find(w, call);

	if (!c)
		fail_msg("no event of call %d among %zu", (int)call, w->count);
	return c;
}

static void assert_slice(struct slice s, const char *want)
{
	if (!slice_is(s, want))
		fail_msg("'%.*s' is not '%s'", SLICE_FMT(s), want);
}

/* --- filters --- */

static struct filter_row row_any(void)
{
	return (struct filter_row){
		.outcome = FILTER_ANY_OUTCOME,
		.access = FILTER_ANY_ACCESS,
		.where = FILTER_ANYWHERE,
		.sock = FILTER_ANY_SOCK,
	};
}

static struct filter_row row_of_opens(void)
{
	struct filter_row row = row_any();

	filter_row_add_call(&row, CALL_OPEN);
	filter_row_add_call(&row, CALL_OPENAT);
	filter_row_add_call(&row, CALL_OPENAT2);
	filter_row_add_call(&row, CALL_CREAT);
	return row;
}

static void set_filter(struct watch *w, const struct filter_row *rows, size_t count)
{
	struct err err = {0};

	w->filter.row_count = count;
	memcpy(w->filter.rows, rows, count * sizeof(*rows));
	if (probe_set_filter(w->probe, &w->filter, &err) < 0)
		fail_msg("probe_set_filter: %s", err.msg);
	forget(w);
}

static void set_paths(struct watch *w, const struct filter_text *texts, size_t count)
{
	struct filter_row row = row_of_opens();

	row.paths = row.raws = texts;
	row.path_count = row.raw_count = count;
	set_filter(w, &row, 1);
}

static struct watch *watch_new(void)
{
	static const struct probe_ops ops = {.on_event = on_event};
	struct probe_config cfg = {.with_fork = true, .mode = mode};
	struct watch *w = calloc(1, sizeof(*w));
	struct err err = {0};

	assert_non_null(w);
	assert_int_equal(loop_new(&w->loop, &err), 0);
	int r = probe_new(w->loop, clock_real(), &cfg, &ops, w, &w->probe, &err);
	if (r < 0)
		fail_msg("probe_new: %s", err.msg);
	return w;
}

static void watch_free(struct watch *w)
{
	forget(w);
	probe_free(w->probe);
	loop_free(w->loop);
	free(w);
}

/* --- opens --- */

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static char target[128]; /* dir/secret-file */

static void an_open_says_which_file_it_is_whatever_it_was_called(void **state)
{
	struct watch *w = *state;
	static const struct filter_text texts[] = {{FILTER_SUFFIX, SLICE_LIT("/secret-file")}};
	char link[128], dots[160], root[192];

	set_paths(w, texts, 1);
	snprintf(link, sizeof(link), "%s/innocent", dir);
	unlink(link);
	assert_int_equal(symlink(target, link), 0);
	snprintf(dots, sizeof(dots), "%s/sub/../secret-file", dir);
	snprintf(root, sizeof(root), "/proc/self/root%s", target);
	const char *const names[] = {target, link, dots, root};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct stat st;

		forget(w);
		int fd = open(names[i], O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &st), 0);
		const struct event_call *c = must_find(w, CALL_OPENAT);
		assert_slice(c->path, target);
		assert_slice(c->raw, names[i]);
		assert_int_equal(c->ret, fd);
		assert_int_equal(c->fd, fd);
		assert_int_equal(c->file_inode, st.st_ino);
		assert_int_equal(c->file_dev, st.st_dev);
		assert_int_equal(c->file_mode, st.st_mode);
		assert_int_equal(c->file_flags & (O_ACCMODE | O_CLOEXEC), O_RDONLY | O_CLOEXEC);
		assert_int_equal(c->base.n, 0);
		close_fd(fd);
	}
	/* by a relative name and a directory's descriptor */
	int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct open_how how = {.flags = O_RDWR | O_CLOEXEC};
	forget(w);
	close_fd(openat(at, "sub/../secret-file", O_WRONLY | O_CLOEXEC));
	const struct event_call *c = must_find(w, CALL_OPENAT);
	assert_slice(c->path, target);
	assert_int_equal(c->file_flags & O_ACCMODE, O_WRONLY);
	close_fd((int)syscall(SYS_openat2, at, "secret-file", &how, sizeof(how)));
	c = must_find(w, CALL_OPENAT2);
	assert_slice(c->path, target);
	assert_int_equal(c->file_flags & O_ACCMODE, O_RDWR);
#ifdef SYS_open
	close_fd((int)syscall(SYS_open, target, O_RDONLY | O_CLOEXEC));
	assert_slice(must_find(w, CALL_OPEN)->path, target);
#endif
	close_fd(at);
}

static void an_open_that_failed_comes_with_its_name_and_where_it_starts(void **state)
{
	struct watch *w = *state;
	static const struct filter_text texts[] = {{FILTER_CONTAINS, SLICE_LIT("absent-file")}};
	char name[128];

	set_paths(w, texts, 1);
	int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(openat(at, "absent-file", O_RDONLY | O_CLOEXEC), -1);
	const struct event_call *c = must_find(w, CALL_OPENAT);
	assert_int_equal(c->ret, -ENOENT);
	assert_int_equal(c->fd, -1);
	assert_slice(c->raw, "absent-file");
	assert_slice(c->base, dir);
	assert_int_equal(c->path.n, 0);
	forget(w);
	snprintf(name, sizeof(name), "%s/absent-file", dir);
	assert_int_equal(open(name, O_RDONLY | O_CLOEXEC), -1);
	c = must_find(w, CALL_OPENAT);
	assert_slice(c->raw, name);
	assert_int_equal(c->base.n, 0);
	forget(w);
	assert_int_equal(open("/another-absent", O_RDONLY | O_CLOEXEC), -1);
	assert_null(find(w, CALL_OPENAT));
	close_fd(at);
}

static void what_no_row_wants_stays_in_the_kernel(void **state)
{
	struct watch *w = *state;
	static const struct filter_text texts[] = {
		{FILTER_PREFIX, SLICE_LIT("/etc/")},
		{FILTER_PREFIX, SLICE_LIT("/proc/ver")},
		{FILTER_EXACT, SLICE_LIT("/root/.bashrc")},
		{FILTER_SUFFIX, SLICE_LIT("/authorized_keys")},
		{FILTER_CONTAINS, SLICE_LIT("docker.sock")},
	};
	struct filter_row row = row_of_opens();
	struct probe_stats s;

	row.outcome = FILTER_OK;
	row.access = FILTER_READ;
	row.paths = texts;
	row.path_count = ARRAY_LEN(texts);
	set_filter(w, &row, 1);
	for (unsigned i = 0; i < 100000; i++)
		close_fd(open(target, O_RDONLY | O_CLOEXEC));
	assert_int_equal(count_of(w, CALL_OPENAT), 0);
	probe_stats(w->probe, &s);
	/* other processes may open what is named */
	assert_true(s.class[EVC_VOLUME].seen < 2000);

	close_fd(open("/proc/version", O_RDONLY | O_CLOEXEC));
	assert_slice(must_find(w, CALL_OPENAT)->path, "/proc/version");
	forget(w);
	close_fd(open(target, O_WRONLY | O_CLOEXEC));
	close_fd(open("/etc/no-such-file", O_RDONLY | O_CLOEXEC));
	assert_int_equal(count_of(w, CALL_OPENAT), 0);
}

static void a_name_that_moves_is_looked_up_again(void **state)
{
	struct watch *w = *state;
	static const struct filter_text texts[] = {{FILTER_CONTAINS, SLICE_LIT("/Watched/")}};
	char before[128], after[128], file[160];

	set_paths(w, texts, 1);
	snprintf(before, sizeof(before), "%s/plain", dir);
	snprintf(after, sizeof(after), "%s/Watched", dir);
	snprintf(file, sizeof(file), "%s/plain/inner", dir);
	mkdir(before, 0755);
	int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	close_fd(fd);
	close_fd(open(file, O_RDONLY | O_CLOEXEC));
	assert_int_equal(count_of(w, CALL_OPENAT), 0);
	assert_int_equal(rename(before, after), 0);
	snprintf(file, sizeof(file), "%s/Watched/inner", dir);
	close_fd(open(file, O_RDONLY | O_CLOEXEC));
	assert_slice(must_find(w, CALL_OPENAT)->path, file);
	forget(w);
	assert_int_equal(rename(after, before), 0);
	snprintf(file, sizeof(file), "%s/plain/inner", dir);
	close_fd(open(file, O_RDONLY | O_CLOEXEC));
	assert_int_equal(count_of(w, CALL_OPENAT), 0);
}

static void a_filter_changes_while_events_come(void **state)
{
	struct watch *w = *state;
	static const struct filter_text first[] = {{FILTER_SUFFIX, SLICE_LIT("secret-file")}};
	static const struct filter_text second[] = {{FILTER_SUFFIX, SLICE_LIT("other-file")}};
	struct filter_row rows[2] = {row_of_opens(), row_of_opens()};
	int status;

	rows[0].paths = rows[0].raws = first;
	rows[1].paths = rows[1].raws = second;
	rows[0].path_count = rows[1].path_count = rows[0].raw_count = rows[1].raw_count = 1;
	set_filter(w, rows, 1);
	/* Opens all the while; each of them has to come, under whichever filter. */
	pid_t self = getpid(), pid = fork();
	if (!pid) {
		for (;;)
			close_fd(open("/nothing", O_RDONLY | O_CLOEXEC));
	}
	for (unsigned i = 0; i < 6; i++) {
		struct err err = {0};

		w->filter.row_count = 1 + (i & 1);
		memcpy(w->filter.rows, rows, sizeof(rows));
		assert_int_equal(probe_set_filter(w->probe, &w->filter, &err), 0);
		close_fd(open(target, O_RDONLY | O_CLOEXEC));
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	assert_int_equal(getpid(), self);
	assert_int_equal(count_of(w, CALL_OPENAT), 6);
	set_filter(w, rows + 1, 1);
	close_fd(open(target, O_RDONLY | O_CLOEXEC));
	assert_int_equal(count_of(w, CALL_OPENAT), 0);
	struct filter_row none = row_any();
	set_filter(w, &none, 0);
	close_fd(open(target, O_RDONLY | O_CLOEXEC));
	assert_int_equal(count_of(w, CALL_OPENAT), 0);
}

static void rows_ask_for_the_name_of_the_process(void **state)
{
	struct watch *w = *state;
	static const char *const comms[] = {"other-name", "wanted-name"};
	struct filter_row row = row_of_opens();
	char was[16];

	prctl(PR_GET_NAME, was);
	row.comms = comms;
	row.comm_count = 2;
	set_filter(w, &row, 1);
	close_fd(open(target, O_RDONLY | O_CLOEXEC));
	assert_int_equal(count_of(w, CALL_OPENAT), 0);
	prctl(PR_SET_NAME, "wanted-name");
	close_fd(open(target, O_RDONLY | O_CLOEXEC));
	prctl(PR_SET_NAME, was);
	assert_slice(must_find(w, CALL_OPENAT)->path, target);
}

static void rows_ask_for_containers_once_the_cgroup_is_known(void **state)
{
	struct watch *w = *state;
	struct filter_row row = row_of_opens();

	row.where = FILTER_CONTAINER;
	set_filter(w, &row, 1);
	close_fd(open(target, O_RDONLY | O_CLOEXEC));
	must_find(w, CALL_OPENAT);
	uint64_t id = w->seen[0].e.p.cgroup_id;
	assert_true(id);
	probe_mark_cgroup(w->probe, id, false);
	forget(w);
	close_fd(open(target, O_RDONLY | O_CLOEXEC));
	assert_int_equal(count_of(w, CALL_OPENAT), 0);
	probe_mark_cgroup(w->probe, id, true);
	close_fd(open(target, O_RDONLY | O_CLOEXEC));
	must_find(w, CALL_OPENAT);
	probe_mark_cgroup(w->probe, id, false);
}

#if defined(__x86_64__)
static long call_32(long nr, long a, long b, long c)
{
	long ret;

	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(0L), "D"(0L)
			 : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

static void a_32_bit_call_is_seen_too(void **state)
{
	struct watch *w = *state;
	struct filter_row row = row_of_opens();
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	assert_true(low != MAP_FAILED);
	if (mode == PROBE_PER_CALL || !has_32_bit_calls()) {
		print_message("no 32-bit calls here\n");
		skip();
	}
	set_filter(w, &row, 1);
	strcpy(low, target);
	long fd = call_32(5, (long)low, O_RDONLY | O_CLOEXEC, 0);
	assert_true(fd >= 0);
	close_fd((int)fd);
	const struct event_call *c = must_find(w, CALL_OPEN);
	assert_true(c->is_compat);
	assert_slice(c->path, target);
	assert_slice(c->raw, target);
	assert_int_equal(c->fd, fd);
	munmap(low, 4096);
}
#endif

/* --- io_uring, without its library --- */

struct uring {
	int fd;
	struct io_uring_params p;
	char *ring;
	size_t ring_bytes;
	struct io_uring_sqe *entries;
};

static bool uring_open(struct uring *u)
{
	memset(u, 0, sizeof(*u));
	u->fd = (int)syscall(SYS_io_uring_setup, 4, &u->p);
	if (u->fd < 0 || !(u->p.features & IORING_FEAT_SINGLE_MMAP))
		return false;
	u->ring_bytes = u->p.cq_off.cqes + u->p.cq_entries * sizeof(struct io_uring_cqe);
	size_t sq_bytes = u->p.sq_off.array + u->p.sq_entries * sizeof(unsigned);
	if (sq_bytes > u->ring_bytes)
		u->ring_bytes = sq_bytes;
	u->ring = mmap(NULL, u->ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, u->fd,
		       IORING_OFF_SQ_RING);
	u->entries = mmap(NULL, u->p.sq_entries * sizeof(*u->entries), PROT_READ | PROT_WRITE,
			  MAP_SHARED, u->fd, IORING_OFF_SQES);
	return u->ring != MAP_FAILED && u->entries != MAP_FAILED;
}

static int uring_do(struct uring *u, const struct io_uring_sqe *entry)
{
	unsigned *tail = (unsigned *)(void *)(u->ring + u->p.sq_off.tail);
	unsigned *head = (unsigned *)(void *)(u->ring + u->p.cq_off.head);
	unsigned mask = *(unsigned *)(void *)(u->ring + u->p.sq_off.ring_mask);
	unsigned cq_mask = *(unsigned *)(void *)(u->ring + u->p.cq_off.ring_mask);
	unsigned *array = (unsigned *)(void *)(u->ring + u->p.sq_off.array);
	struct io_uring_cqe *done = (void *)(u->ring + u->p.cq_off.cqes);

	u->entries[*tail & mask] = *entry;
	array[*tail & mask] = *tail & mask;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	assert_int_equal(syscall(SYS_io_uring_enter, u->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0),
			 1);
	int res = done[*head & cq_mask].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return res;
}

static void uring_close(struct uring *u)
{
	munmap(u->entries, u->p.sq_entries * sizeof(*u->entries));
	munmap(u->ring, u->ring_bytes);
	close(u->fd);
}

static uint64_t address(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static void io_uring_is_no_way_around(void **state)
{
	struct watch *w = *state;
	struct filter_row row = row_of_opens();
	struct uring u;
	char from[128], to[128];
	struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(9)};

	if (!uring_open(&u)) {
		print_message("no io_uring here\n");
		skip();
	}
	inet_pton(AF_INET, "127.0.0.7", &peer.sin_addr);
	filter_row_add_call(&row, CALL_UNLINKAT);
	filter_row_add_call(&row, CALL_RENAMEAT2);
	filter_row_add_call(&row, CALL_CONNECT);
	set_filter(w, &row, 1);
	int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	    sock = socket(AF_INET, SOCK_STREAM, 0);
	forget(w);

	struct io_uring_sqe entry = {.opcode = IORING_OP_OPENAT,
				     .fd = at,
				     .addr = address("sub/../secret-file"),
				     .open_flags = O_RDONLY | O_CLOEXEC};
	int fd = uring_do(&u, &entry);
	assert_true(fd >= 0);
	const struct event_call *c = must_find(w, CALL_OPENAT);
	assert_true(c->is_uring);
	assert_slice(c->path, target);
	assert_int_equal(c->fd, fd);
	close_fd(fd);

	/* into the ring's own table of files: no descriptor to look at */
	int none[2] = {-1, -1};
	if (!syscall(SYS_io_uring_register, u.fd, IORING_REGISTER_FILES, none, 2)) {
		forget(w);
		entry.open_flags = O_RDONLY;
		entry.file_index = 1;
		assert_int_equal(uring_do(&u, &entry), 0);
		c = must_find(w, CALL_OPENAT);
		assert_slice(c->raw, "sub/../secret-file");
		assert_slice(c->base, dir);
		assert_int_equal(c->fd, -1);
	}

	snprintf(from, sizeof(from), "%s/from", dir);
	snprintf(to, sizeof(to), "%s/to", dir);
	close_fd(open(from, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	entry = (struct io_uring_sqe){.opcode = IORING_OP_RENAMEAT,
				      .fd = AT_FDCWD,
				      .addr = address(from),
				      .len = (uint32_t)AT_FDCWD,
				      .addr2 = address(to)};
	assert_int_equal(uring_do(&u, &entry), 0);
	c = must_find(w, CALL_RENAMEAT2);
	assert_slice(c->raw, from);
	assert_slice(c->raw2, to);
	entry = (struct io_uring_sqe){
		.opcode = IORING_OP_UNLINKAT, .fd = at, .addr = address("to")};
	assert_int_equal(uring_do(&u, &entry), 0);
	c = must_find(w, CALL_UNLINKAT);
	assert_slice(c->raw, "to");
	assert_slice(c->base, dir);
	entry = (struct io_uring_sqe){.opcode = IORING_OP_CONNECT,
				      .fd = sock,
				      .addr = address(&peer),
				      .off = sizeof(peer)};
	assert_true(uring_do(&u, &entry) < 0); /* nobody listens */
	c = must_find(w, CALL_CONNECT);
	assert_true(c->is_uring);
	assert_int_equal(c->sock_family, AF_INET);
	assert_int_equal(c->remote.port, 9);
	assert_memory_equal(c->remote.address, &peer.sin_addr, 4);
	close_fd(sock);
	close_fd(at);
	uring_close(&u);
}

/* --- kills --- */

static void copy_file(const char *from, const char *to)
{
	char buf[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		assert_int_equal(write(out, buf, (size_t)n), n);
	close(in);
	close(out);
}

static int status_of(const char *path)
{
	char *argv[] = {(char[]){"name"}, NULL};
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		execv(path, argv);
		_exit(99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void set_kill(struct watch *w, const struct filter_kill *kill, size_t count)
{
	struct err err = {0};

	w->filter.row_count = 0;
	w->filter.kill_count = count;
	if (count)
		w->filter.kills[0] = *kill;
	if (probe_set_filter(w->probe, &w->filter, &err) < 0)
		fail_msg("probe_set_filter: %s", err.msg);
	forget(w);
}

static void a_program_is_killed_only_when_all_of_a_row_holds(void **state)
{
	struct watch *w = *state;
	char miner[128], other[128];
	static const char *const comms[] = {"no-such-name", "a-miner"};

	snprintf(miner, sizeof(miner), "%s/a-miner", dir);
	snprintf(other, sizeof(other), "%s/a-miner-not", dir);
	copy_file(LOAD_TINY, miner);
	copy_file(LOAD_TINY, other);
	const struct filter_text exact = {FILTER_EXACT, slice_of(miner)};
	const struct filter_text prefix = {FILTER_PREFIX, slice_of(dir)};
	const struct filter_text longer = {FILTER_PREFIX, slice_of(other)};
	const struct {
		struct filter_kill kill;
		bool miner, other;
	} rows[] = {
		{{.rule = "r", .exes = &exact, .exe_count = 1}, true, false},
		{{.rule = "r", .exes = &prefix, .exe_count = 1}, true, true},
		{{.rule = "r", .exes = &longer, .exe_count = 1}, false, true},
		{{.rule = "r", .comms = comms, .comm_count = 2}, true, false},
		{{.rule = "r", .comms = comms, .comm_count = 1, .exes = &exact, .exe_count = 1},
		 false,
		 false},
		{{.rule = "r", .exes = &exact, .exe_count = 1, .is_memfd = true}, false, false},
		{{.rule = "r", .exes = &exact, .exe_count = 1, .is_upper_layer = true},
		 false,
		 false},
		{{.rule = "r", .exes = &exact, .exe_count = 1, .where = FILTER_CONTAINER},
		 false,
		 false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		set_kill(w, &rows[i].kill, 1);
		w->kills = 0;
		int a = status_of(miner), b = status_of(other);
		if (WIFSIGNALED(a) != rows[i].miner || WIFSIGNALED(b) != rows[i].other)
			fail_msg("row %zu: %#x %#x", i, a, b);
		(void)probe_drain(w->probe);
		assert_int_equal(w->kills, rows[i].miner + rows[i].other);
	}
	set_kill(w, NULL, 0);
	assert_int_equal(status_of(miner), 0);
	const struct filter_kill nothing = {.rule = "r"};
	struct err err = {0};
	w->filter.kills[0] = nothing;
	w->filter.kill_count = 1;
	assert_int_equal(probe_set_filter(w->probe, &w->filter, &err), -EINVAL);
	w->filter.kill_count = 0;
	assert_int_equal(status_of(other), 0);
}

static void print_mode(void *arg, const struct probe_hook *h)
{
	(void)arg;
	if (strstr(h->calls, "openat ") || strstr(h->name, "openat"))
		print_message("mode %s: %s\n", h->attached ? "attached" : h->why_not, h->name);
}

static void on_hook(void *arg, const struct probe_hook *h)
{
	unsigned *runs = arg;

	if (!h->attached)
		print_message("hook %s: %s\n", h->name, h->why_not);
	assert_true(h->attached == !h->why_not[0]);
	if (strstr(h->calls, "openat") && h->attached && h->runs && h->seen >= 100 &&
	    h->passed >= 50)
		++*runs;
}

static void hooks_tell_what_they_cost_and_let_through(void **state)
{
	struct watch *w = *state;
	static const struct filter_text texts[] = {{FILTER_SUFFIX, SLICE_LIT("secret-file")}};
	struct err err = {0};
	unsigned runs = 0;

	set_paths(w, texts, 1);
	assert_int_equal(probe_measure(w->probe, true, &err), 0);
	for (int i = 0; i < 50; i++) {
		close_fd(open(target, O_RDONLY | O_CLOEXEC));
		close_fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
	}
	probe_hooks(w->probe, print_mode, NULL);
	probe_hooks(w->probe, on_hook, &runs);
	assert_int_equal(probe_measure(w->probe, false, &err), 0);
	assert_true(runs >= 1);
}

static int setup(void **state)
{
	*state = watch_new();
	return 0;
}

static int each(void **state)
{
	forget(*state);
	return 0;
}

static int teardown(void **state)
{
	watch_free(*state);
	return 0;
}

static void on_nothing(void *arg, const struct event *e)
{
}

static void on_refused(void *arg, const struct probe_hook *h)
{
	if (strstr(h->calls, "openat") && h->attached)
		*(bool *)arg = true;
	else if (h->why_not[0])
		printf("hook %s: %s\n", h->name, h->why_not);
}

/* An old kernel has none of the programs for calls, and says why. */
static bool may_hook(struct probe *p)
{
	struct filter f = {.row_count = 1};
	bool is_any = false;
	struct err err = {0};

	f.rows[0] = row_of_opens();
	if (probe_set_filter(p, &f, &err) < 0)
		printf("skipped: %s\n", err.msg);
	probe_hooks(p, on_refused, &is_any);
	if (!is_any)
		printf("skipped: no hook for system calls\n");
	return is_any;
}

static bool may_run(void)
{
	static const struct probe_ops ops = {.on_event = on_nothing};
	struct probe_config cfg = {.mode = mode};
	CLEANUP(loop_freep) struct loop *l = NULL;
	CLEANUP(probe_freep) struct probe *p = NULL;
	struct err err = {0};

	if (loop_new(&l, &err) < 0 || probe_new(l, clock_real(), &cfg, &ops, NULL, &p, &err) < 0) {
		printf("skipped: %s\n", err.msg);
		return false;
	}
	return may_hook(p);
}

static void remove_dir(const char *path)
{
	char *argv[] = {(char[]){"rm"}, (char[]){"-rf"}, (char *)(uintptr_t)path, NULL};
	pid_t pid = fork();

	if (!pid) {
		execv("/bin/rm", argv);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
#define TEST(f) cmocka_unit_test_setup(f, each)
	const struct CMUnitTest tests[] = {
		TEST(an_open_says_which_file_it_is_whatever_it_was_called),
		TEST(an_open_that_failed_comes_with_its_name_and_where_it_starts),
		TEST(what_no_row_wants_stays_in_the_kernel),
		TEST(a_name_that_moves_is_looked_up_again),
		TEST(a_filter_changes_while_events_come),
		TEST(rows_ask_for_the_name_of_the_process),
		TEST(rows_ask_for_containers_once_the_cgroup_is_known),
#if defined(__x86_64__)
		TEST(a_32_bit_call_is_seen_too),
#endif
		TEST(io_uring_is_no_way_around),
		TEST(a_program_is_killed_only_when_all_of_a_row_holds),
		TEST(hooks_tell_what_they_cost_and_let_through),
	};
	char path[160];

	for (enum probe_mode m = PROBE_AUTO; argc > 1 && m <= PROBE_PER_CALL; m++)
		if (!strcmp(argv[1], probe_mode_name(m)))
			mode = m;
	if (!may_run())
		return 77;
	strcpy(dir, "/tmp/picket-calls-XXXXXX");
	if (!mkdtemp(dir) || chmod(dir, 0755))
		return perror("mkdtemp"), 1;
	snprintf(path, sizeof(path), "%s/sub", dir);
	if (mkdir(path, 0755))
		return perror(path), 1;
	snprintf(target, sizeof(target), "%s/secret-file", dir);
	close_fd(open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	int r = cmocka_run_group_tests(tests, setup, teardown);
	remove_dir(dir);
	return r;
}
