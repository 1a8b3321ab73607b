/* An agent whose collector cuts it, dies and comes back for months must not grow: connections come
 * and go by hundreds, and heap and descriptors are compared before and after.
 *
 * Processes, since nng does not survive a fork and what is measured must be the client's alone: this
 * one starts and kills the server, one serves, one dials. */
#include "common/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <dirent.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "tests/common/pki.h"

enum {
	CLIENTS = 10, /* at once, as each waits for its back-off most of the time */
	WARM_ROUNDS = 10,
	ROUNDS = 30, /* of each client, between the two measurements */
	KILL_EVERY_MS = 4000,
	LIFE_S = 100,
	SETTLE_MS = 1000,
};

/* Live bytes with a sanitizer, exactly; else what malloc counts, its caches included. A connection
 * that is lost is 80 KB. */
#if defined(__SANITIZE_ADDRESS__)
size_t __sanitizer_get_current_allocated_bytes(void);
#define heap_bytes() __sanitizer_get_current_allocated_bytes()
enum { GROWTH_MAX_BYTES = 32 * 1024 };
#elif defined(__SANITIZE_THREAD__)
#define heap_bytes() ((size_t)0)
enum { GROWTH_MAX_BYTES = 0 };
#else
#define heap_bytes() (mallinfo2().uordblks + mallinfo2().hblkhd)
enum { GROWTH_MAX_BYTES = 512 * 1024 };
#endif

static struct pki pki;
static struct pki_pair agent;

/* ---- the server: echoes; to "cut" it hangs up ---- */

static void on_message(void *arg, struct wire_peer *p, uint64_t token, struct slice msg)
{
	struct wire_server **s = arg;

	if (slice_eq(msg, SLICE_LIT("cut")))
		wire_peer_close(p);
	else
		wire_reply(*s, token, msg);
}

static void serve(int port, int port_fd)
{
	static const struct wire_server_ops ops = {.on_message = on_message};
	struct wire_tls tls = {.ca_pem = buf_slice(&pki.ca.cert),
			       .cert_pem = buf_slice(&pki.server.cert),
			       .key_pem = buf_slice(&pki.server.key)};
	struct wire_server *s;
	struct loop *l;
	char url[64];

	snprintf(url, sizeof(url), "tls+tcp://127.0.0.1:%d", port);
	PKI_MUST(loop_new(&l, err));
	PKI_MUST(wire_server_new(l, url, &tls, &ops, &s, &s, err));
	port = wire_server_port(s);
	if (write(port_fd, &port, sizeof(port)) != sizeof(port))
		_exit(1);
	loop_run(l);
}

/* ---- the clients ---- */

struct one {
	struct wire_client *client;
	unsigned rounds; /* left; at 0 it stays open */
	unsigned *idle;
	unsigned *closes, *failures;
	bool is_idle;
};

static void send_words(struct one *o, uint32_t id, struct slice words)
{
	struct err err;

	/* a connection that ends just now: on_close follows */
	(void)!wire_request(o->client, id, words, &err);
}

static void on_up(void *arg)
{
	send_words(arg, 1, SLICE_LIT("hello"));
}

/* Either side ends the connection, in turn. */
static void go_on(struct one *o)
{
	if (!o->rounds) {
		*o->idle += !o->is_idle;
		o->is_idle = true;
	} else if (o->rounds % 2) {
		wire_client_restart(o->client);
	} else {
		send_words(o, 2, SLICE_LIT("cut"));
	}
}

static void on_reply(void *arg, uint32_t id, struct slice msg)
{
	go_on(arg);
}

static void on_down(void *arg)
{
	struct one *o = arg;

	++*o->closes;
	if (o->rounds)
		o->rounds--;
	*o->idle -= o->is_idle;
	o->is_idle = false;
}

static void on_failed(void *arg, const char *why)
{
	++*((struct one *)arg)->failures;
}

static const struct wire_client_ops client_ops = {on_up, on_reply, on_down, on_failed};

struct figures {
	size_t heap_bytes, rss_kb, fds, connections;
};

static void run_for(struct loop *l, uint64_t ms)
{
	uint64_t end = clock_boot_ns(clock_real()) + ms * 1000000;

	while (clock_boot_ns(clock_real()) < end)
		loop_step(l, 10);
}

/* With every client open and nothing under way. */
static struct figures measure(struct loop *l, const unsigned *idle, const unsigned *closes)
{
	struct figures f = {0};
	unsigned long pages = 0;
	DIR *d;

	/* nng gives back in a thread of its own; a kill of the server meanwhile begins it anew */
	do {
		while (*idle < CLIENTS)
			loop_step(l, 20);
		run_for(l, SETTLE_MS);
	} while (*idle < CLIENTS);
	f.heap_bytes = heap_bytes();
	f.connections = *closes;
	FILE *file = fopen("/proc/self/statm", "re");
	if (file && fscanf(file, "%*u %lu", &pages) == 1)
		f.rss_kb = pages * (unsigned long)sysconf(_SC_PAGESIZE) / 1024;
	if (file)
		fclose(file);
	if ((d = opendir("/proc/self/fd"))) {
		while (readdir(d))
			f.fds++;
		closedir(d);
	}
	return f;
}

static void reconnect(int port, int result_fd)
{
	struct wire_tls tls = {.ca_pem = buf_slice(&pki.ca.cert),
			       .cert_pem = buf_slice(&agent.cert),
			       .key_pem = buf_slice(&agent.key),
			       .server_name = "localhost"};
	unsigned idle = 0, closes = 0, failures = 0;
	struct one all[CLIENTS] = {0};
	struct figures f[2];
	struct loop *l;
	char url[64];

	snprintf(url, sizeof(url), "tls+tcp://127.0.0.1:%d", port);
	PKI_MUST(loop_new(&l, err));
	for (size_t i = 0; i < CLIENTS; i++) {
		all[i] = (struct one){.rounds = WARM_ROUNDS,
				      .idle = &idle,
				      .closes = &closes,
				      .failures = &failures};
		PKI_MUST(wire_client_new(l, url, &tls, &client_ops, &all[i], &all[i].client, err));
	}
	f[0] = measure(l, &idle, &closes);
	for (size_t i = 0; i < CLIENTS; i++) {
		idle -= all[i].is_idle;
		all[i].is_idle = false;
		all[i].rounds = ROUNDS;
		go_on(&all[i]);
	}
	f[1] = measure(l, &idle, &closes);
	printf("%u dials failed\n", failures);
	fflush(stdout);
	_exit(write(result_fd, f, sizeof(f)) == sizeof(f) ? 0 : 1);
}

/* ---- */

static pid_t child(void (*fn)(int port, int fd), int port, int fd)
{
	fflush(stdout);
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(LIFE_S);
	fn(port, fd);
	_exit(1);
}

static pid_t start_server(int *port)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	pid_t pid = child(serve, *port, fds[1]);
	close(fds[1]);
	assert_int_equal(read(fds[0], port, sizeof(*port)), sizeof(*port));
	close(fds[0]);
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void connections_come_and_go_and_nothing_grows(void **state)
{
	struct figures f[2];
	int port = 0, fds[2], status;
	pid_t server = start_server(&port);

	assert_int_equal(pipe(fds), 0);
	pid_t dialer = child(reconnect, port, fds[1]);
	close(fds[1]);
	unsigned waited = 0, kills = 0;
	while (!waitpid(dialer, &status, WNOHANG)) {
		usleep(20000);
		waited += 20;
		if (waited % KILL_EVERY_MS)
			continue;
		stop(server);
		server = start_server(&port);
		kills++;
	}
	stop(server);
	assert_int_equal(status, 0);
	assert_int_equal(read(fds[0], f, sizeof(f)), sizeof(f));
	close(fds[0]);
	size_t n = f[1].connections - f[0].connections;
	printf("%zu connections, %u of the server's restarts: heap %zu -> %zu bytes, RSS %zu -> %zu "
	       "KB, descriptors %zu -> %zu\n",
	       n, kills, f[0].heap_bytes, f[1].heap_bytes, f[0].rss_kb, f[1].rss_kb, f[0].fds,
	       f[1].fds);
	assert_true(n >= (size_t)CLIENTS * ROUNDS);
	assert_int_equal(f[1].fds, f[0].fds);
	assert_true(f[1].heap_bytes <= f[0].heap_bytes + GROWTH_MAX_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_come_and_go_and_nothing_grows),
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	pki_init(&pki);
	pki_agent(&pki, "agent-1", &agent);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	pki_pair_fini(&agent);
	pki_fini(&pki);
	return failed;
}
