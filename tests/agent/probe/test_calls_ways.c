/* test_calls_ways.c - what a process may do so that a call, or the file it is about, goes by another name. */
#include "tests/agent/probe/watch_calls.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>

#ifndef SYS_open_tree
#define SYS_open_tree 428
#endif
enum { CLONE_TREE = 1, RACES = 20, DEPTH = 1000 };

static char dir[64], file[96];
/* Without /tmp: where that is a file system of its own, a mount below it that stands nowhere says no more. */
static const char *tail;

static void set_filter(struct watch *w)
{
	static struct filter_text text;
	struct filter f = { .row_count = 1, .wants_data = true };

	watch_row(&f.rows[0]);
	filter_row_add_call(&f.rows[0], CALL_OPENAT);
	filter_row_add_call(&f.rows[0], CALL_OPENAT2);
	text = (struct filter_text){ FILTER_SUFFIX, slice_of(tail) };
	f.rows[0].paths = &text;
	f.rows[0].path_count = 1;
	f.rows[0].outcome = FILTER_OK;
	f.rows[0].access = FILTER_READ;
	watch_filter(w, &f);
}

static const struct event_call *must_open(struct watch *w, void (*act)(void))
{
	set_filter(w);
	pid_t pid = watch_child(w, act);
	const struct event_call *c = watch_call(w, pid, CALL_OPENAT, 0);

	if (!slice_ends(c->path, slice_of(tail)))
		fail_msg("'%.*s' is not '%s'", SLICE_FMT(c->path), file);
	return c;
}

#if defined(__x86_64__)
/* Since 5.14 the kernel doesn't look at the upper half of the register; before it says ENOSYS. */
static void open_with_a_high_number(void)
{
	long result;
	register long r10 __asm__("r10") = 0;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(1L << 32 | SYS_openat), "D"((long)AT_FDCWD), "S"(file), "d"(O_RDONLY), "r"(r10)
			 : "rcx", "r11", "memory");
	if (result == -ENOSYS)
		must(open(file, O_RDONLY | O_CLOEXEC));
	else
		must(result);
}

static void the_upper_half_of_a_calls_number_hides_nothing(void **state)
{
	must_open(*state, open_with_a_high_number);
}
#endif

static void open_below_a_copied_mount(void)
{
	int tree = (int)must(syscall(SYS_open_tree, AT_FDCWD, dir, CLONE_TREE));

	must(openat(tree, strrchr(file, '/') + 1, O_RDONLY | O_CLOEXEC));
}

static void open_below_a_mount_that_was_taken_away(void)
{
	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mount(dir, "/mnt", NULL, MS_BIND, NULL));
	int at = (int)must(open("/mnt", O_PATH | O_CLOEXEC));
	must(umount2("/mnt", MNT_DETACH));
	must(openat(at, strrchr(file, '/') + 1, O_RDONLY | O_CLOEXEC));
}

static void a_mount_that_stands_nowhere_does_not_shorten_a_path(void **state)
{
	must_open(*state, open_below_a_copied_mount);
	must_open(*state, open_below_a_mount_that_was_taken_away);
}

/* Submits n entries at once and waits for all. Returns the first one's result. */
static int uring_do(unsigned setup, const struct io_uring_sqe *entries, unsigned n)
{
	struct io_uring_params p = { .flags = setup };
	int fd = (int)must(syscall(SYS_io_uring_setup, 4, &p));
	size_t bytes = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	char *ring = mmap(NULL, bytes + p.sq_entries * sizeof(unsigned), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			  IORING_OFF_SQ_RING);
	struct io_uring_sqe *own = mmap(NULL, p.sq_entries * sizeof(*own), PROT_READ | PROT_WRITE, MAP_SHARED,
					fd, IORING_OFF_SQES);

	if (ring == MAP_FAILED || own == MAP_FAILED)
		_exit(1);
	for (unsigned i = 0; i < n; i++) {
		own[i] = entries[i];
		((unsigned *)(void *)(ring + p.sq_off.array))[i] = i;
	}
	__atomic_store_n((unsigned *)(void *)(ring + p.sq_off.tail), n, __ATOMIC_RELEASE);
	must(syscall(SYS_io_uring_enter, fd, n, n, IORING_ENTER_SQ_WAKEUP | IORING_ENTER_GETEVENTS, NULL, 0));
	return ((struct io_uring_cqe *)(void *)(ring + p.cq_off.cqes))->res;
}

static struct io_uring_sqe uring_open(const char *path)
{
	return (struct io_uring_sqe){ .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .open_flags = O_RDONLY,
				      .addr = (uint64_t)(uintptr_t)path };
}

/* DEPTH folders named "d" above the file. */
static void open_deep_below(void)
{
	must(chdir(dir));
	for (int i = 0; i < DEPTH; i++) {
		must(mkdir("d", 0700));
		must(chdir("d"));
	}
	must(openat(AT_FDCWD, "secret", O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
	must(unlink("secret"));
	for (int i = 0; i < DEPTH; i++) {
		must(chdir(".."));
		must(rmdir("d"));
	}
}

static void a_deep_folder_does_not_cut_a_path(void **state)
{
	struct filter f = { .row_count = 1 };

	watch_row(&f.rows[0]);
	memset(f.rows[0].calls, 0, sizeof(f.rows[0].calls));
	filter_row_add_call(&f.rows[0], CALL_OPENAT);
	watch_filter(*state, &f);
	pid_t pid = watch_child(*state, open_deep_below);
	const struct event_call *c = watch_call(*state, pid, CALL_OPENAT, 0);
	assert_false(c->path_truncated);
	CHECK_NUMBER(c, path.n, strlen(dir) + 2 * DEPTH + strlen("/secret"));
	assert_true(slice_starts(c->path, slice_of(dir)));
}

/* The kernel's own thread opens it, "iou-sqp-1" by name. */
static void open_by_the_polling_thread(void)
{
	struct io_uring_sqe entry = uring_open(file);

	must(uring_do(IORING_SETUP_SQPOLL, &entry, 1));
}

/* When its completion is told, the number is another file's. */
static void open_and_close_in_one_submission(void)
{
	int next = (int)must(dup(0));
	struct io_uring_sqe entries[] = { uring_open(file), { .opcode = IORING_OP_CLOSE, .fd = next + 1 },
					  uring_open("/dev/null") };

	close(next); /* the ring has it */
	if (must(uring_do(0, entries, 3)) != next + 1)
		_exit(1);
}

static void a_thread_of_io_uring_has_the_name_of_its_process(void **state)
{
	struct io_uring_params p = { 0 };
	struct watch *w = *state;
	int fd = (int)syscall(SYS_io_uring_setup, 4, &p);

	if (fd < 0)
		skip();
	close(fd);
	const struct event_call *c = must_open(w, open_by_the_polling_thread);
	assert_true(c->is_uring);
	for (size_t i = 0; i < w->count; i++)
		if (&w->seen[i].call == c)
			assert_true(slice_is(w->seen[i].p.name, CALLS_COMM));
}

static void what_is_closed_before_its_completion_is_told(void **state)
{
	struct io_uring_params p = { 0 };
	int fd = (int)syscall(SYS_io_uring_setup, 4, &p);

	if (fd < 0)
		skip();
	close(fd);
	set_filter(*state);
	pid_t pid = watch_child(*state, open_and_close_in_one_submission);
	const struct event_call *c = watch_call(*state, pid, CALL_OPENAT, 0);
	assert_true(c->is_uring);
	CHECK_TEXT(c, raw, file);
}

static struct open_how how;
static atomic_bool is_over;

static void *overwrite(void *arg)
{
	(void)arg;
	while (!is_over) {
		for (volatile int i = 0; i < 300; i++)
			;
		*(volatile uint64_t *)&how.flags = O_WRONLY;
	}
	return NULL;
}

/* RACES opens for reading, whatever the other thread makes of the flags meanwhile. */
static void open_and_deny_it(void)
{
	pthread_t thread;
	int n = 0;

	if (pthread_create(&thread, NULL, overwrite, NULL))
		_exit(1);
	while (n < RACES) {
		*(volatile uint64_t *)&how.flags = O_RDONLY;
		int fd = (int)must(syscall(SYS_openat2, AT_FDCWD, file, &how, sizeof(how)));
		n += (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
		close(fd);
	}
	is_over = true;
	pthread_join(thread, NULL);
}

static void how_a_file_was_opened_is_not_the_callers_to_say_afterwards(void **state)
{
	set_filter(*state);
	pid_t pid = watch_child(*state, open_and_deny_it);
	assert_int_equal(watch_count(*state, pid, CALL_OPENAT2), RACES);
}

static struct sockaddr_in server = { .sin_family = AF_INET };

static void connect_by_sending(void)
{
	int fd = (int)must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

	if (sendto(fd, "x", 1, MSG_FASTOPEN, (void *)&server, sizeof(server)) < 0 && errno != EOPNOTSUPP)
		must(-1);
}

static void connect_plainly(void)
{
	must(connect((int)must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), (void *)&server, sizeof(server)));
}

/* By default every Linux lets clients do so; no connect(2) is called. */
static void a_connection_made_by_sending_is_a_connect(void **state)
{
	struct filter f = { .row_count = 1 };
	socklen_t n = sizeof(server);
	char allowed[16] = "";
	FILE *setting = fopen("/proc/sys/net/ipv4/tcp_fastopen", "re");

	if (setting) {
		(void)!fgets(allowed, sizeof(allowed), setting);
		fclose(setting);
	}
	if (!(atoi(allowed) & 1))
		skip();
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	inet_pton(AF_INET, "127.0.0.1", &server.sin_addr);
	assert_int_equal(bind(fd, (void *)&server, sizeof(server)), 0);
	assert_int_equal(getsockname(fd, (void *)&server, &n), 0);
	assert_int_equal(listen(fd, 5), 0);

	watch_row(&f.rows[0]);
	const uint16_t port = ntohs(server.sin_port);
	f.rows[0].ports = &port;
	f.rows[0].port_count = 1;
	watch_filter(*state, &f);
	pid_t pid = watch_child(*state, connect_by_sending);
	const struct event_call *c = watch_call(*state, pid, CALL_CONNECT, 0);
	CHECK_NUMBER(c, remote.port, port);
	assert_memory_equal(c->remote.address, &server.sin_addr, 4);
	pid = watch_child(*state, connect_plainly);
	assert_int_equal(watch_count(*state, pid, CALL_CONNECT), 1);
	close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#if defined(__x86_64__)
		cmocka_unit_test(the_upper_half_of_a_calls_number_hides_nothing),
#endif
		cmocka_unit_test(a_mount_that_stands_nowhere_does_not_shorten_a_path),
		cmocka_unit_test(how_a_file_was_opened_is_not_the_callers_to_say_afterwards),
		cmocka_unit_test(a_connection_made_by_sending_is_a_connect),
		cmocka_unit_test(a_deep_folder_does_not_cut_a_path),
		cmocka_unit_test(what_is_closed_before_its_completion_is_told),
		cmocka_unit_test(a_thread_of_io_uring_has_the_name_of_its_process),
	};
	int r = watch_begin(argc, argv);

	if (r)
		return r;
	snprintf(dir, sizeof(dir), "/tmp/picket-ways-%d", (int)getpid());
	snprintf(file, sizeof(file), "%s/secret", dir);
	tail = file + strlen("/tmp");
	if (mkdir(dir, 0755) < 0)
		return 1;
	close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	r = cmocka_run_group_tests(tests, watch_setup, watch_teardown);
	unlink(file);
	return rmdir(dir) ? 1 : r;
}
