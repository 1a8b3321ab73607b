/* nng_guard.c - see nng_guard.h. Defines sendmsg() and getpeername() for the whole executable, so
 * it must be in every program that uses wire.h: the engine's references to guard_* see to that. */
#include "common/nng_guard.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	TASK_THREADS_MAX = 16, /* nng's own limit */
	/* For all of nng's threads to run for the first time. Long, since on a machine that is busy one
	 * may come late, and a second task thread left running brings fault 4 back. */
	NAMED_MAX_MS = 5000,
};

/* Where this thread's next getpeername() leaves its descriptor; NULL: nobody asks. */
static __thread int *fd_wanted;

/* syscall() and not the next definition: with a sanitizer that would be its interceptor, which may
 * not be ready when a constructor calls us. */
ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	ssize_t n = syscall(SYS_sendmsg, fd, msg, flags);

#ifndef NNG_GUARD_OFF
	/* nng asks for MSG_NOSIGNAL; whoever does not, gets the SIGPIPE and the errno it expects.
	 */
	if (n < 0 && errno == EPIPE && (flags & MSG_NOSIGNAL))
		errno = ECONNRESET;
#endif
	return n;
}

int getpeername(int fd, __SOCKADDR_ARG addr, socklen_t *restrict len)
{
	if (fd_wanted)
		*fd_wanted = fd;
	return (int)syscall(SYS_getpeername, fd, addr, len);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void format_addr(const nng_sockaddr *sa, char *dst, size_t size)
{
	char ip[INET6_ADDRSTRLEN] = "?";
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

	if (sa->s_family == NNG_AF_INET) {
		inet_ntop(AF_INET, &sa->s_in.sa_addr, ip, sizeof(ip));
		snprintf(dst, size, "%s:%u", ip, ntohs(sa->s_in.sa_port));
	} else if (sa->s_family == NNG_AF_INET6 && !memcmp(sa->s_in6.sa_addr, mapped, 12)) {
		inet_ntop(AF_INET, sa->s_in6.sa_addr + 12, ip, sizeof(ip));
		snprintf(dst, size, "%s:%u", ip, ntohs(sa->s_in6.sa_port));
	} else if (sa->s_family == NNG_AF_INET6) {
		inet_ntop(AF_INET6, sa->s_in6.sa_addr, ip, sizeof(ip));
		snprintf(dst, size, "[%s]:%u", ip, ntohs(sa->s_in6.sa_port));
	} else {
		snprintf(dst, size, "-");
	}
}

#ifndef NNG_GUARD_OFF
/* nng names its threads; how many it made of a kind is not to be learned otherwise. */
static unsigned count_task_threads(void)
{
	unsigned n = 0;
	DIR *dir = opendir("/proc/self/task");
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		char path[64], name[32] = "";

		snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", e->d_name);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (read(fd, name, sizeof(name) - 1) > 0 && !strcmp(name, "nng:task\n"))
			n++;
		close(fd);
	}
	if (dir)
		closedir(dir);
	return n;
}

static void park(void *arg)
{
	__atomic_add_fetch((unsigned *)arg, 1, __ATOMIC_RELEASE);
	for (;;)
		pause();
}

void guard_one_task_thread(void)
{
	static nng_aio *parked[TASK_THREADS_MAX];
	static unsigned in_place;
	const struct timespec ms = {.tv_nsec = 1000000};
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned expected = cpus > TASK_THREADS_MAX / 2 ? TASK_THREADS_MAX : (unsigned)cpus * 2;
	unsigned n = count_task_threads();

	/* They name themselves when they first run. */
	for (unsigned waited = 0; n < expected && waited < NAMED_MAX_MS; waited++) {
		nanosleep(&ms, NULL);
		n = count_task_threads();
	}
	if (n > TASK_THREADS_MAX)
		n = TASK_THREADS_MAX;
	for (unsigned i = 0; i + 1 < n; i++) {
		if (nng_aio_alloc(&parked[i], park, &in_place))
			return;
		nng_sleep_aio(1, parked[i]);
		for (unsigned w = 0; w < 1000 && __atomic_load_n(&in_place, __ATOMIC_ACQUIRE) <= i;
		     w++)
			nanosleep(&ms, NULL);
	}
}
#else
void guard_one_task_thread(void)
{
}
#endif

void guard_init(struct guard *g, unsigned max, uint64_t deadline_ms)
{
	*g = (struct guard){.max = max, .deadline_ms = deadline_ms};
	pthread_mutex_init(&g->mutex, NULL);
}

void guard_fini(struct guard *g)
{
	pthread_mutex_destroy(&g->mutex);
}

bool guard_stream_fd(nng_stream *s, struct guard_conn *ret)
{
	nng_sockaddr sa = {.s_family = NNG_AF_UNSPEC};

	ret->fd = -1;
	fd_wanted = &ret->fd;
	int rv = nng_stream_get_addr(s, NNG_OPT_REMADDR, &sa);
	fd_wanted = NULL;
	format_addr(&sa, ret->addr, sizeof(ret->addr));
	return rv == 0;
}

static void unlink_conn(struct guard *g, struct guard_conn *c)
{
	*(c->prev ? &c->prev->next : &g->oldest) = c->next;
	*(c->next ? &c->next->prev : &g->newest) = c->prev;
	c->prev = c->next = NULL;
	c->listed = false;
	g->count--;
}

/* Under the mutex, so that fini (and with it nng's close) can't come in between. The shutdown wakes
 * nng's poller, which ends the negotiation as if the peer had gone. */
static void cut(struct guard *g, struct guard_conn *c, bool too_many)
{
	unlink_conn(g, c);
	c->cut = true;
#ifndef NNG_GUARD_OFF
	shutdown(c->fd, SHUT_RDWR);
#endif
	if (g->on_cut)
		g->on_cut(g->arg, c, too_many);
}

void guard_add(struct guard *g, struct guard_conn *c)
{
	pthread_mutex_lock(&g->mutex);
	c->since_ms = now_ms();
	c->next = NULL;
	c->prev = g->newest;
	*(g->newest ? &g->newest->next : &g->oldest) = c;
	g->newest = c;
	c->listed = true;
	if (++g->count > g->max)
		cut(g, g->oldest, true);
	pthread_mutex_unlock(&g->mutex);
}

void guard_remove(struct guard *g, struct guard_conn *c)
{
	pthread_mutex_lock(&g->mutex);
	if (c->listed)
		unlink_conn(g, c);
	pthread_mutex_unlock(&g->mutex);
}

void guard_expire(struct guard *g)
{
	uint64_t now = now_ms();

	pthread_mutex_lock(&g->mutex);
	while (g->oldest && now - g->oldest->since_ms >= g->deadline_ms)
		cut(g, g->oldest, false);
	pthread_mutex_unlock(&g->mutex);
}

void guard_cut_all(struct guard *g)
{
	pthread_mutex_lock(&g->mutex);
	while (g->oldest) {
		g->oldest->told = true;
		cut(g, g->oldest, false);
	}
	pthread_mutex_unlock(&g->mutex);
}

bool guard_is_dead(int fd)
{
#ifdef NNG_GUARD_OFF
	return false;
#else
	struct pollfd p = {.fd = fd};

	/* HUP: both directions are shut; ERR: reset. A peer that only stopped sending is neither:
	 * nng reads its end of file itself. */
	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL));
#endif
}
