/* child.c - see child.h. */
#include "agent/image/live/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { OUT_BYTES = 1024 * 1024, WHY_BYTES = 4096, READS_AT_ONCE = 16 };

struct pipe_end {
	int fd; /* -1: ended */
	struct loop_fd *watch;
	struct buf text;
	struct child *child;
};

struct child {
	pid_t pid;
	int pidfd;
	struct loop_fd *watch;
	struct loop_timer *limit;
	struct pipe_end out, why;
	child_fn fn;
	void *arg;
	bool is_gone;
};

extern char **environ;

/* The last line, without its end. */
static struct slice last_line(struct slice s)
{
	s = slice_trim(s);
	for (size_t i = s.n; i; i--)
		if (s.p[i - 1] == '\n')
			return slice_sub(s, i, s.n);
	return s;
}

/* False at its end. What is past the bound is read and dropped, so that the child never waits for us. */
static bool read_some(struct pipe_end *e)
{
	char chunk[8192];

	for (int i = 0; i < READS_AT_ONCE; i++) {
		ssize_t n = read(e->fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0)
			return false;
		if (!e->text.failed)
			buf_add(&e->text, chunk, (size_t)n);
	}
	return true;
}

static void end_pipe(struct pipe_end *e)
{
	loop_fd_free(e->watch);
	e->watch = NULL;
	fd_closep(&e->fd);
	e->fd = -1;
}

static void on_pipe(void *arg, int fd, unsigned ready)
{
	struct pipe_end *e = arg;

	(void)fd, (void)ready;
	if (!read_some(e))
		end_pipe(e);
}

/* What a grandchild might still write is not waited for. */
static void on_exit_(void *arg, int fd, unsigned ready)
{
	struct child *c = arg;
	siginfo_t info = { 0 };
	char why[256] = "";

	(void)fd, (void)ready;
	if (waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED | WNOHANG) < 0 || !info.si_pid)
		return;
	c->is_gone = true;
	if (c->out.fd >= 0)
		(void)read_some(&c->out);
	if (c->why.fd >= 0)
		(void)read_some(&c->why);
	int status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	(void)slice_copy(last_line(buf_slice(&c->why.text)), why, sizeof(why));
	if (!why[0] && info.si_code != CLD_EXITED)
		snprintf(why, sizeof(why), "ended by signal %d", info.si_status);
	struct buf out = c->out.text;
	c->out.text = (struct buf){ 0 };
	child_fn fn = c->fn;
	void *fn_arg = c->arg;
	bool is_cut = out.failed;
	child_free(c);
	fn(fn_arg, is_cut && !status ? 1 : status, buf_slice(&out), is_cut ? "it said too much" : why);
	buf_fini(&out);
}

static void on_limit(void *arg)
{
	struct child *c = arg;

	(void)syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
}

static int open_pipe(struct pipe_end *e, int *ret_write, struct child *c, size_t max, struct err *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(err, errno, "pipe");
	e->fd = fds[0];
	e->child = c;
	*ret_write = fds[1];
	(void)fcntl(e->fd, F_SETFL, O_NONBLOCK);
	buf_init(&e->text, max);
	return 0;
}

static int spawn(struct child *c, const char *const *argv, int out, int why, struct err *err)
{
	posix_spawn_file_actions_t acts;
	posix_spawnattr_t attr;
	sigset_t none, all;

	posix_spawn_file_actions_init(&acts);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_addopen(&acts, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&acts, out, 1);
	posix_spawn_file_actions_adddup2(&acts, why, 2);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	int r = posix_spawn(&c->pid, "/proc/self/exe", &acts, &attr, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&acts);
	posix_spawnattr_destroy(&attr);
	if (r)
		return err_set(err, r, "start '%s'", argv[1] ? argv[1] : argv[0]);
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	return c->pidfd < 0 ? err_set(err, errno, "watch a child") : 0;
}

int child_start(struct loop *l, const char *const *argv, uint64_t limit_ms, child_fn fn, void *arg,
		struct child **ret, struct err *err)
{
	CLEANUP(child_freep) struct child *c = calloc(1, sizeof(*c));
	CLEANUP(fd_closep) int out = -1;
	CLEANUP(fd_closep) int why = -1;

	if (!c)
		return err_set(err, ENOMEM, "start a child");
	c->pidfd = c->out.fd = c->why.fd = -1;
	c->fn = fn;
	c->arg = arg;
	int r = open_pipe(&c->out, &out, c, OUT_BYTES, err);
	if (r >= 0)
		r = open_pipe(&c->why, &why, c, WHY_BYTES, err);
	if (r >= 0)
		r = spawn(c, argv, out, why, err);
	if (r < 0)
		return r;
	c->watch = loop_fd_new(l, c->pidfd, LOOP_READ, on_exit_, c);
	c->out.watch = loop_fd_new(l, c->out.fd, LOOP_READ, on_pipe, &c->out);
	c->why.watch = loop_fd_new(l, c->why.fd, LOOP_READ, on_pipe, &c->why);
	c->limit = loop_timer_new(l, on_limit, c);
	if (!c->watch || !c->out.watch || !c->why.watch || !c->limit)
		return err_set(err, ENOMEM, "watch a child");
	loop_timer_once(c->limit, limit_ms);
	*ret = take_ptr(c);
	return 0;
}

void child_free(struct child *c)
{
	if (!c)
		return;
	loop_fd_free(c->watch);
	loop_timer_free(c->limit);
	end_pipe(&c->out);
	end_pipe(&c->why);
	if (c->pid > 0 && !c->is_gone) {
		(void)kill(c->pid, SIGKILL);
		while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	fd_closep(&c->pidfd);
	buf_fini(&c->out.text);
	buf_fini(&c->why.text);
	free(c);
}
