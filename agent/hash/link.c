/* link.c - see link.h. */
#include "agent/hash/link.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"

enum { ANSWERS_AT_ONCE = 64, RESTART_MS = 1000 };

struct hash_link {
	struct loop *loop;
	const char *program;
	const char *const *argv;
	const struct hash_link_ops *ops;
	void *arg;
	uint64_t hang_ms, working_id;
	pid_t pid; /* 0: none runs */
	int pidfd, sock;
	struct loop_fd *pid_watch, *sock_watch;
	struct loop_timer *hang, *again;
	bool is_expecting, is_resting; /* resting: it ended badly a moment ago */
	uint64_t heard;
};

extern char **environ;

static void kill_it(struct hash_link *k)
{
	if (k->pidfd >= 0)
		(void)syscall(SYS_pidfd_send_signal, k->pidfd, SIGKILL, NULL, 0);
}

static void close_all(struct hash_link *k)
{
	loop_fd_free(take_ptr(k->sock_watch));
	loop_fd_free(take_ptr(k->pid_watch));
	loop_timer_stop(k->hang);
	fd_closep(&k->sock);
	fd_closep(&k->pidfd);
	k->sock = k->pidfd = -1;
	k->pid = 0;
}

void hash_link_expect(struct hash_link *k, bool is_expecting)
{
	if (is_expecting && !k->is_expecting && k->pid)
		loop_timer_once(k->hang, k->hang_ms);
	if (!is_expecting)
		loop_timer_stop(k->hang);
	k->is_expecting = is_expecting;
}

/* False: it said what is no answer. */
static bool take_answer(struct hash_link *k, const struct hash_answer *a, size_t n)
{
	if (n != sizeof(*a) || a->state >= HASH_STATES)
		return false;
	k->heard++;
	loop_timer_once(k->hang, k->hang_ms);
	if (a->state == HASH_ALIVE) {
		k->working_id = a->id;
		return true;
	}
	k->working_id = 0;
	k->ops->on_answer(k->arg, a);
	return true;
}

static void on_sock(void *arg, int fd, unsigned ready)
{
	struct hash_link *k = arg;
	struct hash_answer a;

	for (int i = 0; i < ANSWERS_AT_ONCE && k->pid; i++) {
		ssize_t n = recv(fd, &a, sizeof(a), MSG_DONTWAIT);

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			break;
		if (n <= 0) { /* its end is told by the pidfd */
			loop_fd_want(k->sock_watch, 0);
			return;
		}
		if (!take_answer(k, &a, (size_t)n)) {
			kill_it(k);
			return;
		}
	}
	if (k->pid && ready & LOOP_WRITE) {
		loop_fd_want(k->sock_watch, LOOP_READ);
		k->ops->on_room(k->arg);
	}
}

/* Where it was this program that stood still, what the worker said meanwhile is still to be read. */
static void on_hang(void *arg)
{
	struct hash_link *k = arg;
	uint64_t heard = k->heard;

	on_sock(k, k->sock, LOOP_READ);
	if (!k->pid || !k->is_expecting || k->heard != heard)
		return;
	LOG(WARN, "hash.hang", KV_U64("silent_ms", k->hang_ms),
	    KV_STR("instead", "the worker is started again, without that file"));
	kill_it(k);
}

static void on_again(void *arg)
{
	struct hash_link *k = arg;

	k->is_resting = false;
	k->ops->on_room(k->arg);
}

static void on_pid(void *arg, int fd, unsigned ready)
{
	struct hash_link *k = arg;
	siginfo_t info = { 0 };

	(void)fd, (void)ready;
	if (waitid(P_PIDFD, (id_t)k->pidfd, &info, WEXITED | WNOHANG) < 0 || !info.si_pid)
		return;
	on_sock(k, k->sock, LOOP_READ); /* what it still said */
	bool is_well = info.si_code == CLD_EXITED && !info.si_status;
	uint64_t working = is_well ? 0 : k->working_id;
	if (!is_well)
		LOG(WARN, "hash.worker", KV_STR("ended", info.si_code == CLD_EXITED ? "by itself" : "by a signal"),
		    KV_U64("status", (uint64_t)info.si_status));
	close_all(k);
	k->working_id = 0;
	k->is_resting = !is_well;
	if (!is_well)
		loop_timer_once(k->again, RESTART_MS);
	k->ops->on_end(k->arg, working);
}

static int spawn(struct hash_link *k, int theirs, struct err *err)
{
	posix_spawn_file_actions_t acts;
	posix_spawnattr_t attr;
	sigset_t none, all;

	posix_spawn_file_actions_init(&acts);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_adddup2(&acts, theirs, 0);
	posix_spawn_file_actions_addopen(&acts, 1, "/dev/null", O_WRONLY, 0);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	int r = posix_spawn(&k->pid, k->program, &acts, &attr, (char *const *)(uintptr_t)k->argv, environ);
	posix_spawn_file_actions_destroy(&acts);
	posix_spawnattr_destroy(&attr);
	if (r) {
		k->pid = 0;
		return err_set(err, r, "start the hash worker");
	}
	k->pidfd = (int)syscall(SYS_pidfd_open, k->pid, 0);
	return k->pidfd < 0 ? err_set(err, errno, "watch the hash worker") : 0;
}

static void end_it(struct hash_link *k)
{
	if (k->pid > 0) {
		(void)kill(k->pid, SIGKILL);
		(void)waitpid(k->pid, NULL, WNOHANG);
	}
	close_all(k);
}

static int start(struct hash_link *k, struct err *err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, errno, "a socket for the hash worker");
	CLEANUP(fd_closep) int theirs = pair[1];
	k->sock = pair[0];
	int r = spawn(k, theirs, err);
	if (r >= 0) {
		k->sock_watch = loop_fd_new(k->loop, k->sock, LOOP_READ, on_sock, k);
		k->pid_watch = loop_fd_new(k->loop, k->pidfd, LOOP_READ, on_pid, k);
		if (!k->sock_watch || !k->pid_watch)
			r = err_set(err, ENOMEM, "watch the hash worker");
	}
	if (r < 0)
		end_it(k);
	else if (k->is_expecting)
		loop_timer_once(k->hang, k->hang_ms);
	return r;
}

bool hash_link_ask(struct hash_link *k, const struct hash_question *q)
{
	struct err err;

	if (k->is_resting)
		return false;
	if (!k->pid && start(k, &err) < 0) {
		LOG(WARN, "hash.worker", KV_STR("why", err.msg), KV_U64("retry_ms", RESTART_MS));
		k->is_resting = true;
		loop_timer_once(k->again, RESTART_MS);
		return false;
	}
	if (send(k->sock, q, offsetof(struct hash_question, path) + q->path_bytes, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	/* Full; or it is ending, which the pidfd tells. */
	if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)
		loop_fd_want(k->sock_watch, LOOP_READ | LOOP_WRITE);
	return false;
}

bool hash_link_is(const struct hash_link *k, uint32_t pid)
{
	return k && k->pid > 0 && (uint32_t)k->pid == pid;
}

int hash_link_new(struct loop *l, const char *program, const char *const *argv, uint64_t hang_ms,
		  const struct hash_link_ops *ops, void *arg, struct hash_link **ret, struct err *err)
{
	CLEANUP(hash_link_freep) struct hash_link *k = calloc(1, sizeof(*k));

	if (!k)
		return err_set(err, ENOMEM, "hash worker");
	*k = (struct hash_link){ .loop = l, .program = program, .argv = argv, .ops = ops, .arg = arg,
				 .hang_ms = hang_ms, .pidfd = -1, .sock = -1 };
	k->hang = loop_timer_new(l, on_hang, k);
	k->again = loop_timer_new(l, on_again, k);
	if (!k->hang || !k->again)
		return err_set(err, ENOMEM, "hash worker");
	*ret = take_ptr(k);
	return 0;
}

void hash_link_free(struct hash_link *k)
{
	if (!k)
		return;
	end_it(k);
	loop_timer_free(k->hang);
	loop_timer_free(k->again);
	free(k);
}
