/* sandbox: what a worker that an image has taken over can't do. Each attempt is made by a child of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "agent/image/sandbox.h"

static char dir[] = "/tmp/image-testXXXXXX";
static int folder, sock[2];

/* Exit codes of attempts: 0 done, 1 refused. */
static int reads_its_folder(void)
{
	int fd = openat(folder, "allowed", O_RDONLY);
	char c;

	return fd >= 0 && read(fd, &c, 1) == 1 ? 0 : 1;
}

static int talks_to_its_parent(void)
{
	struct iovec v = { (void *)(uintptr_t) "x", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	return sendmsg(sock[1], &m, 0) == 1 ? 0 : 1;
}

static int takes_memory(void)
{
	void *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED;
}

static int reads_another_file(void)
{
	return openat(AT_FDCWD, "/etc/passwd", O_RDONLY) < 0;
}

static int climbs_out(void)
{
	return openat(folder, "../../etc/passwd", O_RDONLY) < 0;
}

static int reads_the_neighbour(void)
{
	return openat(folder, "../secret", O_RDONLY) < 0;
}

static int reads_a_process(void)
{
	return openat(AT_FDCWD, "/proc/1/environ", O_RDONLY) < 0;
}

static int opens_for_writing(void)
{
	return openat(folder, "allowed", O_WRONLY) < 0;
}

static int makes_a_file(void)
{
	return openat(folder, "new", O_RDONLY | O_CREAT, 0600) < 0;
}

static int makes_a_nameless_file(void)
{
	return openat(folder, ".", O_RDWR | O_TMPFILE, 0600) < 0;
}

static int opens_a_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0;
}

static int starts_a_program(void)
{
	char *argv[] = { NULL };

	return execve("/bin/true", argv, argv) < 0;
}

static int forks(void)
{
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) < 0;
}

static int kills_its_parent(void)
{
	return kill(getppid(), 0) < 0;
}

static int traces(void)
{
	return ptrace(PTRACE_TRACEME, 0, 0, 0) < 0;
}

static int maps_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

static int makes_memory_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(p, 4096, PROT_READ | PROT_EXEC) < 0;
}

static int writes_to_what_is_open(void)
{
	return write(folder, "x", 1) < 0;
}

static int sends_elsewhere(void)
{
	struct iovec v = { (void *)(uintptr_t) "x", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	return sendmsg(sock[0], &m, 0) < 0;
}

static int opens_by_handle(void)
{
	return syscall(SYS_open_by_handle_at, folder, NULL, 0) < 0;
}

static int gets_privileges(void)
{
	return prctl(PR_CAPBSET_READ, 0, 0, 0, 0) < 0;
}

static int unlinks(void)
{
	return unlinkat(folder, "allowed", 0) < 0;
}

/* What became of it: exit code, or minus the signal. root: -1, no root directory of its own. */
static int in_sandbox_at(int root, int (*attempt)(void))
{
	char note[SANDBOX_NOTE_MAX];
	int status;
	pid_t pid = fork();

	if (!pid) {
		const struct sandbox s = { .folders = &folder,
					   .folder_count = 1,
					   .root_fd = root,
					   .reads_all = true,
					   .sock = sock[1],
					   .data_bytes = 64 << 20,
					   .file_bytes = 1 << 20,
					   .cpu_s = 5 };
		struct err err;

		if (sandbox_enter(&s, note, &err) < 0) {
			fprintf(stderr, "%s\n", err.msg);
			_exit(9);
		}
		_exit(attempt());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int in_sandbox(int (*attempt)(void))
{
	return in_sandbox_at(folder, attempt);
}

static int set_up(void **state)
{
	char path[128];

	if (!mkdtemp(dir))
		return -1;
	chmod(dir, 0700);
	snprintf(path, sizeof(path), "%s/in", dir);
	mkdir(path, 0700);
	folder = open(path, O_RDONLY | O_DIRECTORY);
	close(openat(folder, "allowed", O_CREAT | O_WRONLY, 0600));
	int fd = openat(folder, "allowed", O_WRONLY);
	(void)!write(fd, "x", 1);
	close(fd);
	fd = openat(folder, "../secret", O_CREAT | O_WRONLY, 0644);
	close(fd);
	return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sock);
}

static int tear_down(void **state)
{
	unlinkat(folder, "allowed", 0);
	unlinkat(folder, "../secret", 0);
	unlinkat(folder, "../in", AT_REMOVEDIR);
	close(folder);
	close(sock[0]);
	close(sock[1]);
	return rmdir(dir);
}

static void its_work_is_left_to_it(void **state)
{
	assert_int_equal(in_sandbox(reads_its_folder), 0);
	assert_int_equal(in_sandbox(talks_to_its_parent), 0);
	assert_int_equal(in_sandbox(takes_memory), 0);
}

static void other_files_are_out_of_reach(void **state)
{
	assert_int_equal(in_sandbox(reads_another_file), 1);
	assert_int_equal(in_sandbox(climbs_out), 1);
	assert_int_equal(in_sandbox(reads_the_neighbour), 1);
	assert_int_equal(in_sandbox(reads_a_process), 1);
}

/* Either wall by itself: Landlock where there is no root directory of its own. */
static void landlock_alone_keeps_files_out_of_reach(void **state)
{
	if (syscall(444 /* landlock_create_ruleset */, NULL, 0, 1) < 1)
		skip(); /* not in this kernel */
	assert_int_equal(in_sandbox_at(-1, reads_its_folder), 0);
	assert_int_equal(in_sandbox_at(-1, reads_another_file), 1);
	assert_int_equal(in_sandbox_at(-1, reads_the_neighbour), 1);
	assert_int_equal(in_sandbox_at(-1, reads_a_process), 1);
}

static void forbidden_calls_end_it(void **state)
{
	static const struct {
		const char *name;
		int (*attempt)(void);
	} rows[] = {
#define R(f) { #f, f }
		R(opens_for_writing), R(makes_a_file),	    R(makes_a_nameless_file), R(opens_a_socket),
		R(starts_a_program),  R(forks),		    R(kills_its_parent),      R(traces),
		R(maps_code),	      R(makes_memory_code), R(writes_to_what_is_open), R(sends_elsewhere),
		R(opens_by_handle),   R(gets_privileges),   R(unlinks),
#undef R
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int r = in_sandbox(rows[i].attempt);

		if (r != -SIGSYS)
			fail_msg("%s: %d", rows[i].name, r);
	}
}

static int uses_the_c_library(void)
{
	FILE *f = fopen("/nonexistent", "r"); /* the C library's own calls are not forbidden */

	return f || !syscall(SYS_getpid);
}

static void the_c_library_goes_on_working(void **state)
{
	assert_int_equal(in_sandbox(uses_the_c_library), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_work_is_left_to_it),
		cmocka_unit_test(other_files_are_out_of_reach),
		cmocka_unit_test(landlock_alone_keeps_files_out_of_reach),
		cmocka_unit_test(forbidden_calls_end_it),
		cmocka_unit_test(the_c_library_goes_on_working),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
