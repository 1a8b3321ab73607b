/* nng that forgets: dials and closes that never end. Nothing of ours may wait for them.
 *
 * This program's own nng_dialer_start, nng_close and getrandom come before the libraries'. */
#include "common/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>

#include "common/wire_priv.h"
#include "tests/common/pki.h"

enum {
	PATIENCE_MS = 20000,
	FREE_MAX_MS = 4500, /* slow machines included */
	HANG_S = 100,
};

static struct pki pki;
static struct pki_pair good;

/* ---- the hooks ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
/* How many of the next calls get stuck; how many are. All under the mutex. */
static struct hook {
	unsigned next, stuck;
} dials, closes, first_lines;
static __thread bool is_dialing;

static void pass(struct hook *h)
{
	pthread_mutex_lock(&mutex);
	if (h->next) {
		h->next--;
		h->stuck++;
		while (h->stuck)
			pthread_cond_wait(&changed, &mutex);
	}
	pthread_mutex_unlock(&mutex);
}

static void set(struct hook *h, unsigned next)
{
	pthread_mutex_lock(&mutex);
	h->next = next;
	pthread_mutex_unlock(&mutex);
}

static unsigned stuck(struct hook *h)
{
	pthread_mutex_lock(&mutex);
	unsigned n = h->stuck;
	pthread_mutex_unlock(&mutex);
	return n;
}

static void release(struct hook *h)
{
	pthread_mutex_lock(&mutex);
	h->next = h->stuck = 0;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
}

int nng_dialer_start(nng_dialer d, int flags)
{
	int (*real)(nng_dialer, int) = (int (*)(nng_dialer, int))dlsym(RTLD_NEXT, __func__);

	pass(&dials);
	is_dialing = true;
	int rv = real(d, flags);
	is_dialing = false;
	return rv;
}

int nng_close(nng_socket s)
{
	int (*real)(nng_socket) = (int (*)(nng_socket))dlsym(RTLD_NEXT, __func__);

	pass(&closes);
	return real(s);
}

/* nng 1.5.2 asks for a number when it makes an operation; in a dial that is before the dial can be
 * stopped without being lost. */
ssize_t getrandom(void *p, size_t n, unsigned flags)
{
	if (is_dialing)
		pass(&first_lines);
	return syscall(SYS_getrandom, p, n, flags);
}

/* ---- both sides ---- */

struct seen {
	struct wire_server *server;
	struct wire_client *client;
	unsigned opened, up, down, replies, failures;
	char failed[200];
};

static bool on_open(void *arg, struct wire_peer *p, const struct tls_identity *id)
{
	((struct seen *)arg)->opened++;
	return true;
}

static void on_message(void *arg, struct wire_peer *p, uint64_t token, struct slice msg)
{
	wire_reply(((struct seen *)arg)->server, token, msg);
}

static void on_up(void *arg)
{
	((struct seen *)arg)->up++;
}

static void on_reply(void *arg, uint32_t id, struct slice msg)
{
	((struct seen *)arg)->replies++;
}

static void on_down(void *arg)
{
	((struct seen *)arg)->down++;
}

static void on_failed(void *arg, const char *why)
{
	struct seen *s = arg;

	s->failures++;
	snprintf(s->failed, sizeof(s->failed), "%s", why);
}

static const struct wire_server_ops server_ops = {.on_open = on_open, .on_message = on_message};
static const struct wire_client_ops client_ops = {on_up, on_reply, on_down, on_failed};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

#define UNTIL(cond)                                                                   \
	do {                                                                          \
		uint64_t end_ = now_ms() + PATIENCE_MS;                               \
		while (!(cond) && now_ms() < end_)                                    \
			loop_step(loop, 20);                                          \
		if (!(cond))                                                          \
			fail_msg("never: %s (failed '%s', %u lost)", #cond, s.failed, \
				 wire_lost());                                        \
	} while (0)

static void serve(struct loop *loop, struct seen *s)
{
	struct wire_tls tls = {.ca_pem = buf_slice(&pki.ca.cert),
			       .cert_pem = buf_slice(&pki.server.cert),
			       .key_pem = buf_slice(&pki.server.key)};

	PKI_MUST(wire_server_new(loop, "tls+tcp://127.0.0.1:0", &tls, &server_ops, s, &s->server,
				 err));
}

static struct wire_client *dial(struct loop *loop, struct seen *s)
{
	struct wire_tls tls = {.ca_pem = buf_slice(&pki.ca.cert),
			       .cert_pem = buf_slice(&good.cert),
			       .key_pem = buf_slice(&good.key),
			       .server_name = "localhost"};
	struct wire_client *c;
	char url[80];

	snprintf(url, sizeof(url), "tls+tcp://127.0.0.1:%d", wire_server_port(s->server));
	PKI_MUST(wire_client_new(loop, url, &tls, &client_ops, s, &c, err));
	return c;
}

static void free_client(struct wire_client *c)
{
	uint64_t start = now_ms();

	wire_client_free(c);
	assert_in_range(now_ms() - start, 0, FREE_MAX_MS);
}

/* ---- */

static void a_dial_that_never_ends_is_given_up_for_another(void **state)
{
	CLEANUP(loop_freep) struct loop *loop = NULL;
	struct seen s = {0};

	PKI_MUST(loop_new(&loop, err));
	serve(loop, &s);
	set(&dials, 1);
	s.client = dial(loop, &s);
	wire_client_set_dial_max(s.client, 50);
	UNTIL(s.failures == 1);
	assert_string_equal(s.failed, "timed out");
	assert_int_equal(stuck(&dials), 1);
	assert_int_equal(wire_lost(), 1);
	wire_client_set_dial_max(s.client, PATIENCE_MS);
	UNTIL(s.up == 1);
	PKI_MUST(wire_request(s.client, 1, SLICE_LIT("hello"), err));
	UNTIL(s.replies == 1);
	/* The late one dials after all: nobody wants its connection any more. */
	release(&dials);
	UNTIL(wire_lost() == 0);
	PKI_MUST(wire_request(s.client, 2, SLICE_LIT("hello"), err));
	UNTIL(s.replies == 2);
	assert_int_equal(s.opened, 1);
	assert_int_equal(s.up, 1);
	assert_int_equal(s.down, 0);
	free_client(s.client);
	wire_server_free(s.server);
	UNTIL(wire_lost() == 0);
}

static void a_client_is_freed_while_its_dial_never_ends(void **state)
{
	CLEANUP(loop_freep) struct loop *loop = NULL;
	struct seen s = {0};

	PKI_MUST(loop_new(&loop, err));
	serve(loop, &s);
	set(&dials, 1);
	s.client = dial(loop, &s);
	UNTIL(stuck(&dials) == 1);
	free_client(s.client);
	assert_int_equal(wire_lost(), 1);
	release(&dials);
	UNTIL(wire_lost() == 0);
	assert_int_equal(s.opened, 0);
	wire_server_free(s.server);
}

/* Fault 6 in nng_guard.h. */
static void a_dial_that_is_stopped_in_its_first_lines_ends(void **state)
{
	CLEANUP(loop_freep) struct loop *loop = NULL;
	struct seen s = {0};

	PKI_MUST(loop_new(&loop, err));
	serve(loop, &s);
	set(&first_lines, 1);
	s.client = dial(loop, &s);
	UNTIL(stuck(&first_lines) || s.up);
	if (s.up)
		print_message("this nng has no getrandom in its dial: nothing is tried here\n");
	free_client(s.client);
	release(&first_lines);
	UNTIL(wire_lost() == 0);
	wire_server_free(s.server);
}

static void a_close_that_never_ends_holds_nobody_up(void **state)
{
	CLEANUP(loop_freep) struct loop *loop = NULL;
	struct seen s = {0};

	PKI_MUST(loop_new(&loop, err));
	serve(loop, &s);
	s.client = dial(loop, &s);
	UNTIL(s.up == 1);
	set(&closes, 2);
	wire_client_restart(s.client);
	UNTIL(s.up == 2);
	PKI_MUST(wire_request(s.client, 1, SLICE_LIT("hello"), err));
	UNTIL(s.replies == 1);
	assert_int_equal(stuck(&closes), 1);
	assert_int_equal(wire_lost(), 1);
	free_client(s.client);
	assert_int_equal(stuck(&closes), 2);
	assert_int_equal(wire_lost(), 2);
	release(&closes);
	UNTIL(wire_lost() == 0);
	wire_server_free(s.server);
}

static void a_server_is_freed_while_its_close_never_ends(void **state)
{
	CLEANUP(loop_freep) struct loop *loop = NULL;
	struct seen s = {0};

	PKI_MUST(loop_new(&loop, err));
	serve(loop, &s);
	s.client = dial(loop, &s);
	UNTIL(s.up && s.opened);
	set(&closes, 1);
	uint64_t start = now_ms();
	wire_server_free(s.server);
	assert_in_range(now_ms() - start, 0, 2 * FREE_MAX_MS);
	assert_int_equal(stuck(&closes), 1);
	/* Its listener is still there, but nobody is let in. */
	UNTIL(s.down && s.failures + s.up > 1);
	assert_int_equal(s.opened, 1);
	free_client(s.client);
	release(&closes);
	UNTIL(wire_lost() == 0);
}

static void past_the_maximum_of_lost_dials_nobody_dials(void **state)
{
	CLEANUP(loop_freep) struct loop *loop = NULL;
	struct seen s = {0};

	PKI_MUST(loop_new(&loop, err));
	serve(loop, &s);
	set(&dials, WIRE_MAX_LOST);
	struct wire_client *all[WIRE_MAX_LOST];
	for (size_t i = 0; i < WIRE_MAX_LOST; i++)
		all[i] = dial(loop, &s);
	UNTIL(stuck(&dials) == WIRE_MAX_LOST);
	for (size_t i = 0; i < WIRE_MAX_LOST; i++)
		free_client(all[i]);
	assert_int_equal(wire_lost(), WIRE_MAX_LOST);
	s.client = dial(loop, &s);
	UNTIL(s.failures);
	assert_string_equal(s.failed, "too many earlier connections have not ended");
	assert_int_equal(s.up, 0);
	release(&dials);
	UNTIL(s.up == 1);
	free_client(s.client);
	UNTIL(wire_lost() == 0);
	wire_server_free(s.server);
}

static int setup(void **state)
{
	alarm(HANG_S);
	pki_init(&pki);
	pki_agent(&pki, "agent-1", &good);
	return 0;
}

static int teardown(void **state)
{
	pki_pair_fini(&good);
	pki_fini(&pki);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dial_that_never_ends_is_given_up_for_another),
		cmocka_unit_test(a_client_is_freed_while_its_dial_never_ends),
		cmocka_unit_test(a_dial_that_is_stopped_in_its_first_lines_ends),
		cmocka_unit_test(a_close_that_never_ends_holds_nobody_up),
		cmocka_unit_test(past_the_maximum_of_lost_dials_nobody_dials),
		cmocka_unit_test(a_server_is_freed_while_its_close_never_ends),
	};
	setvbuf(stdout, NULL, _IOLBF, 0); /* a hang must show where */
	return cmocka_run_group_tests(tests, setup, teardown);
}
