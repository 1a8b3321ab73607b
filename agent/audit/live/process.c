/* process.c - see process.h. */
#include "agent/audit/live/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/file.h"

enum { READS_AT_ONCE = 16, OUT_BYTES = 4 * FRAME_BYTES_MAX };

struct process {
	struct loop *loop;
	const char *const *argv;
	const struct process_ops *ops;
	void *arg;
	pid_t pid; /* 0: none runs */
	int pidfd, in, out;
	struct loop_fd *out_watch, *pid_watch;
	struct loop_timer *limit;
	struct buf text;
	bool is_busy, is_late;
};

extern char **environ;

static void close_all(struct process *p)
{
	loop_fd_free(take_ptr(p->out_watch));
	loop_fd_free(take_ptr(p->pid_watch));
	loop_timer_stop(p->limit);
	fd_closep(&p->in);
	fd_closep(&p->out);
	fd_closep(&p->pidfd);
	p->in = p->out = p->pidfd = -1;
	p->pid = 0;
	p->is_busy = p->is_late = false;
	buf_reset(&p->text);
}

static void kill_it(struct process *p)
{
	(void)syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0);
}

/* False: it said what is no frame. */
static bool take_frames(struct process *p)
{
	enum frame_kind kind;
	struct slice body;
	size_t n, at = 0;
	int r;

	while ((r = frame_read(slice_sub(buf_slice(&p->text), at, p->text.n), &kind, &body, &n, NULL)) > 0) {
		at += n;
		if (kind == FRAME_DONE) {
			p->is_busy = false;
			loop_timer_stop(p->limit);
		}
		p->ops->on_frame(p->arg, kind, body);
		if (!p->pid)
			return true;
	}
	if (at) {
		memmove(p->text.p, p->text.p + at, p->text.n - at);
		p->text.n -= at;
	}
	return r >= 0 && !p->text.failed;
}

static bool read_some(struct process *p)
{
	for (int i = 0; i < READS_AT_ONCE; i++) {
		char *to = buf_reserve(&p->text, 8192);
		ssize_t n = to ? read(p->out, to, 8192) : -1;

		if (!to)
			return false;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0)
			return true; /* its end is told by the pidfd */
		buf_written(&p->text, (size_t)n);
		if (!take_frames(p))
			return false;
		if (!p->pid)
			return true;
	}
	return true;
}

static void on_out(void *arg, int fd, unsigned ready)
{
	struct process *p = arg;

	(void)fd, (void)ready;
	if (!read_some(p))
		kill_it(p);
}

static void on_pid(void *arg, int fd, unsigned ready)
{
	struct process *p = arg;
	siginfo_t info = { 0 };
	char why[100] = "";

	(void)fd, (void)ready;
	if (waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED | WNOHANG) < 0 || !info.si_pid)
		return;
	(void)read_some(p);
	if (!p->pid)
		return;
	if (p->is_late)
		snprintf(why, sizeof(why), "it took too long");
	else if (info.si_code != CLD_EXITED)
		snprintf(why, sizeof(why), "ended by signal %d", info.si_status);
	else if (info.si_status || p->is_busy)
		snprintf(why, sizeof(why), "ended with %d", info.si_status);
	close_all(p);
	p->ops->on_end(p->arg, why);
}

static void on_limit(void *arg)
{
	struct process *p = arg;

	p->is_late = true;
	kill_it(p);
}

int process_new(struct loop *l, const char *const *argv, const struct process_ops *ops, void *arg, struct process **ret,
		struct err *err)
{
	CLEANUP(process_freep) struct process *p = calloc(1, sizeof(*p));

	if (!p)
		return err_set(err, ENOMEM, "audit worker");
	*p = (struct process){ .loop = l, .argv = argv, .ops = ops, .arg = arg, .pidfd = -1, .in = -1, .out = -1 };
	buf_init(&p->text, OUT_BYTES);
	p->limit = loop_timer_new(l, on_limit, p);
	if (!p->limit)
		return err_set(err, ENOMEM, "audit worker");
	*ret = take_ptr(p);
	return 0;
}

static int spawn(struct process *p, int in, int out, struct err *err)
{
	posix_spawn_file_actions_t acts;
	posix_spawnattr_t attr;
	sigset_t none, all;

	posix_spawn_file_actions_init(&acts);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_adddup2(&acts, in, 0);
	posix_spawn_file_actions_adddup2(&acts, out, 1);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	int r = posix_spawn(&p->pid, "/proc/self/exe", &acts, &attr, (char *const *)(uintptr_t)p->argv, environ);
	posix_spawn_file_actions_destroy(&acts);
	posix_spawnattr_destroy(&attr);
	if (r) {
		p->pid = 0;
		return err_set(err, r, "start the audit worker");
	}
	p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	return p->pidfd < 0 ? err_set(err, errno, "watch the audit worker") : 0;
}

static void abandon(struct process *p)
{
	if (p->pid > 0) {
		(void)kill(p->pid, SIGKILL);
		while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close_all(p);
}

static int start(struct process *p, struct err *err)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };

	if (pipe2(in, O_CLOEXEC) < 0)
		return err_set(err, errno, "pipe");
	p->in = in[1];
	if (pipe2(out, O_CLOEXEC) < 0) {
		int r = err_set(err, errno, "pipe");
		close(in[0]);
		return r;
	}
	p->out = out[0];
	(void)fcntl(p->in, F_SETFL, O_NONBLOCK);
	(void)fcntl(p->out, F_SETFL, O_NONBLOCK);
	int r = spawn(p, in[0], out[1], err);
	close(in[0]);
	close(out[1]);
	if (r < 0)
		return r;
	p->out_watch = loop_fd_new(p->loop, p->out, LOOP_READ, on_out, p);
	p->pid_watch = loop_fd_new(p->loop, p->pidfd, LOOP_READ, on_pid, p);
	return p->out_watch && p->pid_watch ? 0 : err_set(err, ENOMEM, "watch the audit worker");
}

/* One line is far below a pipe's size, and the pipe is empty: nothing is ever written in parts. */
static int send_line(struct process *p, const char *line, struct err *err)
{
	char text[QUESTION_BYTES_MAX + 2];
	int n = snprintf(text, sizeof(text), "%s\n", line);

	if (n < 0 || (size_t)n >= sizeof(text))
		return err_set(err, ERR_LIMIT, "audit worker: a question of %d bytes", n);
	if (write(p->in, text, (size_t)n) != n)
		return err_set(err, errno, "ask the audit worker");
	return 0;
}

int process_ask(struct process *p, const char *line, uint64_t limit_ms, struct err *err)
{
	if (p->is_busy)
		return err_set(err, EAGAIN, "the audit worker is busy");
	/* One that has just ended because it had nothing to do is not seen as ended yet. */
	bool was_there = p->pid;
	int r = was_there ? 0 : start(p, err);
	if (r >= 0)
		r = send_line(p, line, err);
	if (r < 0) {
		abandon(p);
		r = was_there ? start(p, err) : r;
		if (r >= 0)
			r = send_line(p, line, err);
		if (r < 0) {
			abandon(p);
			return r;
		}
	}
	p->is_busy = true;
	loop_timer_once(p->limit, limit_ms);
	return 0;
}

pid_t process_pid(const struct process *p)
{
	return p->pid;
}

bool process_is_busy(const struct process *p)
{
	return p->is_busy;
}

void process_free(struct process *p)
{
	if (!p)
		return;
	if (p->limit)
		abandon(p);
	loop_timer_free(p->limit);
	buf_fini(&p->text);
	free(p);
}
