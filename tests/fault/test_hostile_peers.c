/* Strangers against a listener: thousands of connections that break off at each step of the
 * handshake, over IPv4 and IPv6, and thousands that say nothing, while an honest agent goes on.
 * Afterwards the server has as many descriptors as before, and its memory is back.
 *
 * Processes: this one counts; one serves; two attack; one is honest. No step can hang: every socket
 * has a timeout and alarm() ends whatever is left. */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "common/wire.h"
#include "tests/common/raw_tls.h"

enum {
	ATTACKERS = 2,
	CONNECTIONS = 16000, /* all attackers together */
	IDLE = 4000,
	LIFE_S = 240,
	LATENCY_MAX_MS = 3000, /* on two cores that the attackers use as well */
	SETTLE_MS = 15000,
	RSS_MAX_KB = 24 * 1024, /* more than before */
};

#if defined(__SANITIZE_ADDRESS__)
enum { IS_SANITIZED = 1 };
#else
enum { IS_SANITIZED = 0 };
#endif

static struct pki pki;
static struct pki_pair agent;
static const char *const hosts[] = {"127.0.0.1", "::1"};

static uint64_t now_ms(void)
{
	return clock_boot_ns(clock_real()) / 1000000;
}

static void sleep_ms(unsigned ms)
{
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

/* ---- the server ---- */

struct serving {
	struct wire_server *server;
};

static void on_message(void *arg, struct wire_peer *p, uint64_t token, struct slice msg)
{
	wire_reply(((struct serving *)arg)->server, token, msg);
}

static void on_end(void *arg)
{
	struct serving *s = arg;
	struct wire_counts n;

	wire_server_counts(s->server, &n);
	printf("server: %llu started, %llu opened, %llu refused (%llu too slow, %llu too many), "
	       "%llu went away, %u negotiating\n",
	       (unsigned long long)n.started, (unsigned long long)n.opened,
	       (unsigned long long)n.refused, (unsigned long long)n.too_slow,
	       (unsigned long long)n.too_many, (unsigned long long)n.went_away, n.negotiating);
	fflush(stdout);
	_exit(0);
}

static void serve(int port_fd)
{
	static const struct wire_server_ops ops = {.on_message = on_message};
	struct wire_tls tls = {.ca_pem = buf_slice(&pki.ca.cert),
			       .cert_pem = buf_slice(&pki.server.cert),
			       .key_pem = buf_slice(&pki.server.key)};
	struct serving s = {0};
	struct loop *loop;

	alarm(LIFE_S);
	PKI_MUST(loop_new(&loop, err));
	PKI_MUST(wire_server_new(loop, "tls+tcp://[::]:0", &tls, &ops, &s, &s.server, err));
	PKI_MUST(loop_signal(loop, SIGTERM, on_end, &s, err));
	int port = wire_server_port(s.server);
	if (write(port_fd, &port, sizeof(port)) != sizeof(port))
		abort();
	loop_run(loop);
	_exit(1);
}

/* ---- the attackers ---- */

struct attack {
	const char *host;
	int port, fd;
	SSL_CTX *without, *with;
	char hello[2048];
	size_t hello_size;
};

static void reset(int fd)
{
	struct linger hard = {1, 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
}

static void say(const struct attack *a, size_t n)
{
	(void)!send(a->fd, a->hello, n, MSG_NOSIGNAL);
}

static void just_close(struct attack *a)
{
	close(a->fd);
}
static void just_reset(struct attack *a)
{
	reset(a->fd);
}
static void half_hello(struct attack *a)
{
	say(a, 1 + (size_t)random() % (a->hello_size - 1));
	close(a->fd);
}
static void hello_reset(struct attack *a)
{
	say(a, a->hello_size);
	reset(a->fd);
}
static void hello_close(struct attack *a)
{
	say(a, a->hello_size);
	close(a->fd);
}
static void hello_wait_reset(struct attack *a)
{
	char byte;

	say(a, a->hello_size);
	(void)!recv(a->fd, &byte, 1, 0);
	reset(a->fd);
}
static void hello_shut_reading(struct attack *a)
{
	say(a, a->hello_size);
	shutdown(a->fd, SHUT_RD);
	close(a->fd);
}
static void garbage(struct attack *a)
{
	char junk[200];

	for (size_t i = 0; i < sizeof(junk); i++)
		junk[i] = (char)random();
	(void)!send(a->fd, junk, sizeof(junk), MSG_NOSIGNAL);
	close(a->fd);
}

/* A handshake from this side; what then is said, and how it ends. */
static void shake(struct attack *a, SSL_CTX *ctx, const char *text, size_t n, bool hard)
{
	SSL *ssl = SSL_new(ctx);

	SSL_set_fd(ssl, a->fd);
	if (SSL_connect(ssl) == 1 && n)
		(void)SSL_write(ssl, text, (int)n);
	SSL_free(ssl);
	if (hard)
		reset(a->fd);
	else
		close(a->fd);
}
static void no_certificate(struct attack *a)
{
	shake(a, a->without, NULL, 0, false);
}
static void certificate_reset(struct attack *a)
{
	shake(a, a->with, NULL, 0, true);
}
static void certificate_bad_greeting(struct attack *a)
{
	shake(a, a->with, "GET / HTTP/1.0\r\n\r\n", 18, false);
}
/* An agent gone bad: half a message, and gone. */
static void certificate_half_message(struct attack *a)
{
	shake(a, a->with, "\0SP\0\0\x30\0\0\0\0\0\0\0\0\0\x40\x80\0\0\1", 20, true);
}

static void (*const steps[])(struct attack *a) = {
	just_close,
	just_reset,
	half_hello,
	hello_reset,
	hello_close,
	hello_wait_reset,
	hello_shut_reading,
	garbage,
	no_certificate,
	certificate_reset,
	certificate_bad_greeting,
	certificate_half_message,
};

static void record_hello(struct attack *a)
{
	SSL *ssl = SSL_new(a->without);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

	SSL_set_bio(ssl, in, out);
	(void)SSL_connect(ssl);
	a->hello_size = (size_t)BIO_read(out, a->hello, sizeof(a->hello));
	SSL_free(ssl);
}

/* only: an index of steps, or -1 for all of them in turn. */
static void attack(int port, unsigned count, int only, unsigned seed)
{
	struct attack a = {.port = port, .without = raw_ctx(NULL), .with = raw_ctx(&agent)};
	const struct timeval patience = {.tv_sec = 2};
	unsigned failed = 0;

	alarm(LIFE_S);
	signal(SIGPIPE, SIG_IGN);
	srandom(seed);
	record_hello(&a);
	for (unsigned i = 0; i < count; i++) {
		a.fd = raw_connect(hosts[i % 2], port, true);
		if (a.fd < 0) {
			failed++;
			continue;
		}
		setsockopt(a.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		setsockopt(a.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		steps[only >= 0 ? (size_t)only : i / 2 % ARRAY_LEN(steps)](&a);
	}
	if (failed)
		printf("attacker: %u connections of %u were not accepted\n", failed, count);
	fflush(stdout);
	_exit(failed > count / 100);
}

static void be_idle(int port)
{
	static struct pollfd fds[IDLE];
	unsigned open = 0, cut = 0;

	alarm(LIFE_S);
	for (unsigned i = 0; i < IDLE; i++) {
		fds[open].fd = raw_connect(hosts[i % 2], port, false);
		fds[open].events = POLLIN;
		open += fds[open].fd >= 0;
	}
	for (uint64_t end = now_ms() + 20000; cut < open && now_ms() < end;) {
		poll(fds, open, 200);
		for (unsigned i = 0; i < open; i++) {
			if (fds[i].fd < 0 || !fds[i].revents)
				continue;
			close(fds[i].fd);
			fds[i].fd = -1; /* poll passes it by */
			cut++;
		}
	}
	printf("idle: %u of %u connections open, %u cut by the server\n", open, IDLE, cut);
	fflush(stdout);
	_exit(open != IDLE || cut != open);
}

/* ---- the honest agent ---- */

struct honest {
	struct wire_client *client;
	unsigned replies, ups, downs, failures;
	uint64_t sent_ms, worst_ms;
	bool open;
};

static void on_up(void *arg)
{
	((struct honest *)arg)->ups++;
}
static void on_reply(void *arg, uint32_t id, struct slice msg)
{
	struct honest *h = arg;
	uint64_t ms = now_ms() - h->sent_ms;

	h->worst_ms = ms > h->worst_ms ? ms : h->worst_ms;
	h->replies++;
	h->open = false;
}
static void on_down(void *arg)
{
	((struct honest *)arg)->downs++;
}
static void on_failed(void *arg, const char *why)
{
	((struct honest *)arg)->failures++;
	printf("honest: dial failed: %s\n", why);
}

static volatile sig_atomic_t over;
static void on_term(int signo)
{
	over = 1;
}

/* One request after the other over one connection, and a new connection every second. */
static void be_honest(int port)
{
	static const struct wire_client_ops ops = {on_up, on_reply, on_down, on_failed};
	struct wire_tls tls = {.ca_pem = buf_slice(&pki.ca.cert),
			       .cert_pem = buf_slice(&agent.cert),
			       .key_pem = buf_slice(&agent.key),
			       .server_name = "localhost"};
	struct honest steady = {0}, fresh = {0};
	uint64_t fresh_worst = 0, fresh_since = 0;
	unsigned fresh_count = 0;
	char url[64];
	struct loop *loop;

	alarm(LIFE_S);
	signal(SIGTERM, on_term);
	PKI_MUST(loop_new(&loop, err));
	snprintf(url, sizeof(url), "tls+tcp://127.0.0.1:%d", port);
	PKI_MUST(wire_client_new(loop, url, &tls, &ops, &steady, &steady.client, err));
	for (uint32_t id = 1; !over; id++) {
		if (!steady.open && wire_client_is_open(steady.client)) {
			steady.sent_ms = now_ms();
			steady.open = wire_request(steady.client, id, SLICE_LIT("ping"), NULL) == 0;
		}
		if (!fresh.client && now_ms() - fresh_since > 1000) {
			fresh_since = now_ms();
			fresh.ups = 0;
			PKI_MUST(
				wire_client_new(loop, url, &tls, &ops, &fresh, &fresh.client, err));
		}
		if (fresh.client && fresh.ups) {
			uint64_t ms = now_ms() - fresh_since;
			fresh_worst = ms > fresh_worst ? ms : fresh_worst;
			fresh_count++;
			wire_client_free(fresh.client);
			fresh.client = NULL;
		}
		loop_step(loop, 20);
	}
	if (fresh.client)
		fresh_worst =
			now_ms() - fresh_since > fresh_worst ? now_ms() - fresh_since : fresh_worst;
	printf("honest: %u replies, slowest %llu ms, %u breaks; %u new connections, slowest %llu "
	       "ms, "
	       "%u failed\n",
	       steady.replies, (unsigned long long)steady.worst_ms, steady.downs, fresh_count,
	       (unsigned long long)fresh_worst, fresh.failures + steady.failures);
	fflush(stdout);
	_exit(steady.downs || !steady.replies || !fresh_count || fresh.failures ||
	      steady.failures || steady.worst_ms > LATENCY_MAX_MS || fresh_worst > LATENCY_MAX_MS);
}

/* ---- the judge ---- */

static unsigned count_fds(pid_t pid)
{
	char path[64];
	unsigned n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *dir = opendir(path);
	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

static long rss_kb(pid_t pid)
{
	char path[64], line[128];
	long kb = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

static bool wait_ok(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status);
}

/* Starts it in a process of its own. */
#define SPAWN(call)                  \
	({                           \
		fflush(stdout);      \
		pid_t pid_ = fork(); \
		if (!pid_) {         \
			call;        \
			_exit(1);    \
		}                    \
		pid_;                \
	})

static unsigned verdict;
static void judge(bool ok, const char *what)
{
	printf("%s: %s\n", ok ? "ok" : "FAILED", what);
	verdict += !ok;
}

static pid_t start_server(int *ret_port)
{
	int p[2];

	if (pipe(p))
		abort();
	pid_t pid = SPAWN(serve(p[1]));
	if (read(p[0], ret_port, sizeof(*ret_port)) != sizeof(*ret_port))
		abort();
	close(p[0]);
	close(p[1]);
	return pid;
}

static void storm(int port, unsigned count, int only)
{
	pid_t attackers[ATTACKERS];
	bool ok = true;

	for (unsigned i = 0; i < ATTACKERS; i++)
		attackers[i] = SPAWN(attack(port, count / ATTACKERS, only, 1 + i));
	for (unsigned i = 0; i < ATTACKERS; i++)
		ok &= wait_ok(attackers[i]);
	judge(ok, "the listener accepted to the end");
}

/* usage: test_hostile_peers [CONNECTIONS [STEP]] */
int main(int argc, char **argv)
{
	unsigned count = argc > 1 ? (unsigned)atoi(argv[1]) : CONNECTIONS;
	int only = argc > 2 ? atoi(argv[2]) : -1, port;
	struct rlimit limit;

	alarm(LIFE_S);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur < IDLE + 256) {
		printf("skipped: the descriptor limit %llu does not allow %d idle connections\n",
		       (unsigned long long)limit.rlim_cur, IDLE);
		return 77;
	}
	pki_init(&pki);
	pki_agent(&pki, "agent-1", &agent);
	pid_t server = start_server(&port);

	/* What the first connections leave for good (OpenSSL's tables, nng's threads) is no leak.
	 */
	judge(wait_ok(SPAWN(attack(port, 240, only, 99))), "warmed up");
	sleep_ms(1000);
	unsigned fds_before = count_fds(server);
	long rss_before = rss_kb(server);
	pid_t honest = SPAWN(be_honest(port));

	sleep_ms(500);
	uint64_t began = now_ms();
	storm(port, count, only);
	uint64_t took = now_ms() - began + 1;
	printf("%u hostile connections in %llu ms, %llu/s\n", count, (unsigned long long)took,
	       (unsigned long long)(count * 1000ull / took));
	judge(wait_ok(SPAWN(be_idle(port))), "every idle connection was cut");
	sleep_ms(3500);
	kill(honest, SIGTERM);
	judge(wait_ok(honest), "the honest agent was not disturbed");

	unsigned fds = count_fds(server);
	for (uint64_t end = now_ms() + SETTLE_MS; fds > fds_before && now_ms() < end;) {
		sleep_ms(200);
		fds = count_fds(server);
	}
	long rss = rss_kb(server);
	printf("descriptors %u -> %u, resident %ld -> %ld KB%s\n", fds_before, fds, rss_before, rss,
	       IS_SANITIZED ? " (sanitized: freed memory is kept in quarantine)" : "");
	judge(fds <= fds_before, "no descriptor leaked");
	judge(rss - rss_before < RSS_MAX_KB * (IS_SANITIZED ? 20 : 1), "no memory leaked");
	kill(server, SIGTERM);
	judge(wait_ok(server), "the server lived to the end");
	printf("%s\n", verdict ? "FAILED" : "passed");
	return verdict != 0;
}
