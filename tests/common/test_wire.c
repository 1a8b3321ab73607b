/* Both sides of the wire in one loop, on loopback with real TLS. */
#include "common/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <time.h>

#include "tests/common/pki.h"
#include "tests/common/raw_tls.h"

enum { PATIENCE_MS = 20000 };

static struct pki pki;
static struct pki_pair good;

/* Everything that the callbacks saw. */
struct seen {
	struct wire_server *server;
	struct wire_client *client;
	struct wire_peer *peer;
	struct tls_identity id;
	char addr[80], refused[200], refused_addr[80], failed[200];
	unsigned opened, closed, messages, idles, refusals; /* server */
	unsigned up, down, replies, failures;		    /* client */
	uint64_t held[WIRE_MAX_OPEN + 8];
	uint32_t last_id;
	size_t last_size;
	bool hold, drop, deny, id_mixed_up;
};

static bool on_open(void *arg, struct wire_peer *p, const struct tls_identity *id)
{
	struct seen *s = arg;

	s->opened++;
	s->peer = p;
	s->id = *id;
	snprintf(s->addr, sizeof(s->addr), "%s", wire_peer_address(p));
	wire_peer_set(p, s);
	return !s->deny;
}

static void on_message(void *arg, struct wire_peer *p, uint64_t token, struct slice msg)
{
	struct seen *s = arg;

	assert_ptr_equal(wire_peer_get(p), s);
	s->messages++;
	s->last_size = msg.n;
	if (s->drop)
		wire_drop(s->server, token);
	else if (s->hold)
		s->held[(s->messages - 1) % ARRAY_LEN(s->held)] = token;
	else
		wire_reply(s->server, token, msg);
}

static void on_close(void *arg, struct wire_peer *p)
{
	struct seen *s = arg;

	s->closed++;
	s->peer = NULL;
}

static void on_refused(void *arg, const char *addr, const char *why)
{
	struct seen *s = arg;

	s->refusals++;
	snprintf(s->refused, sizeof(s->refused), "%s", why);
	snprintf(s->refused_addr, sizeof(s->refused_addr), "%s", addr);
}

static void on_idle(void *arg)
{
	((struct seen *)arg)->idles++;
}

static const struct wire_server_ops server_ops = {on_open, on_message, on_close, on_refused,
						  on_idle};

static void on_up(void *arg)
{
	((struct seen *)arg)->up++;
}

static void on_reply(void *arg, uint32_t id, struct slice msg)
{
	struct seen *s = arg;
	uint32_t inside = id;

	if (msg.n >= sizeof(inside))
		memcpy(&inside, msg.p, sizeof(inside));
	s->id_mixed_up |= inside != id;
	s->replies++;
	s->last_id = id;
	s->last_size = msg.n;
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

static const struct wire_client_ops client_ops = {on_up, on_reply, on_down, on_failed};

static uint64_t now_ms(void)
{
	return clock_boot_ns(clock_real()) / 1000000;
}

#define UNTIL(cond)                                                                         \
	do {                                                                                \
		uint64_t end_ = now_ms() + PATIENCE_MS;                                     \
		while (!(cond) && now_ms() < end_)                                          \
			loop_step(loop, 20);                                                \
		if (!(cond))                                                                \
			fail_msg("never: %s (refused '%s', failed '%s')", #cond, s.refused, \
				 s.failed);                                                 \
	} while (0)

static void run_for(struct loop *loop, unsigned ms)
{
	for (uint64_t end = now_ms() + ms; now_ms() < end;)
		loop_step(loop, 10);
}

static struct wire_tls server_tls(void)
{
	return (struct wire_tls){.ca_pem = buf_slice(&pki.ca.cert),
				 .cert_pem = buf_slice(&pki.server.cert),
				 .key_pem = buf_slice(&pki.server.key)};
}

static struct wire_tls client_tls(const struct pki_pair *own)
{
	return (struct wire_tls){.ca_pem = buf_slice(&pki.ca.cert),
				 .cert_pem = own ? buf_slice(&own->cert) : SLICE_NONE,
				 .key_pem = own ? buf_slice(&own->key) : SLICE_NONE,
				 .server_name = "localhost"};
}

static void serve(struct loop *loop, struct seen *s, const char *host, int port)
{
	struct wire_tls tls = server_tls();
	char url[80];

	snprintf(url, sizeof(url), "tls+tcp://%s:%d", host, port);
	PKI_MUST(wire_server_new(loop, url, &tls, &server_ops, s, &s->server, err));
}

static void dial(struct loop *loop, struct seen *s, const char *host, struct wire_tls tls)
{
	char url[80];

	snprintf(url, sizeof(url), "tls+tcp://%s:%d", host, wire_server_port(s->server));
	PKI_MUST(wire_client_new(loop, url, &tls, &client_ops, s, &s->client, err));
}

static void hang_up(struct seen *s)
{
	wire_client_free(s->client);
	wire_server_free(s->server);
	s->client = NULL;
	s->server = NULL;
}

static void ask(struct seen *s, uint32_t id)
{
	PKI_MUST(wire_request(s->client, id, slice_from(&id, sizeof(id)), err));
}

static void exchange(const char *listen_host, const char *dial_host, const char *addr_start)
{
	CLEANUP(loop_freep) struct loop *loop = NULL;
	struct seen s = {0};

	PKI_MUST(loop_new(&loop, err));
	serve(loop, &s, listen_host, 0);
	dial(loop, &s, dial_host, client_tls(&good));
	assert_false(wire_client_is_open(s.client));
	UNTIL(s.up && s.opened);
	assert_string_equal(s.id.agent_id, "agent-1");
	assert_int_equal(strlen(s.id.serial), 32);
	assert_memory_equal(s.addr, addr_start, strlen(addr_start));
	assert_int_equal(wire_server_peer_count(s.server), 1);
	for (uint32_t i = 1; i <= 200; i++) {
		ask(&s, i);
		UNTIL(s.replies == i);
		assert_int_equal(s.last_id, i);
	}
	assert_false(s.id_mixed_up);
	assert_true(s.idles > 0);
	struct wire_counts n;
	wire_server_counts(s.server, &n);
	assert_int_equal(n.opened, 1);
	assert_int_equal(n.refused, 0);
	assert_int_equal(n.negotiating, 0);
	wire_client_free(s.client);
	s.client = NULL;
	UNTIL(s.closed == 1);
	assert_int_equal(wire_server_peer_count(s.server), 0);
	hang_up(&s);
}

static void a_request_gets_its_reply_over_ipv4(void **state)
{
	exchange("127.0.0.1", "127.0.0.1", "127.0.0.1:");
}

static void a_request_gets_its_reply_over_ipv6(void **state)
{
	exchange("[::1]", "[::1]", "[::1]:");
}

static void a_dual_stack_listener_shows_ipv4_peers_as_such(void **state)
{
	exchange("[::]", "127.0.0.1", "127.0.0.1:");
}

static void requests_are_pipelined_and_answered_in_any_order(void **state)
{
	CLEANUP(loop_freep) struct loop *loop = NULL;
	struct seen s = {.hold = true};
	struct err e;

	PKI_MUST(loop_new(&loop, err));
	serve(loop, &s, "127.0.0.1", 0);
	dial(loop, &s, "127.0.0.1", client_tls(&good));
	UNTIL(s.up);
	for (unsigned round = 0; round < 20; round++) {
		s.messages = s.replies = 0;
		for (uint32_t i = 0; i < WIRE_MAX_OPEN; i++)
			ask(&s, round * 1000 + i);
		assert_int_equal(wire_request(s.client, 999999, SLICE_LIT("x"), &e), -EAGAIN);
		UNTIL(s.messages == WIRE_MAX_OPEN);
		for (unsigned i = WIRE_MAX_OPEN; i > 0; i--) {
			uint32_t id = round * 1000 + i - 1;
			wire_reply(s.server, s.held[i - 1], slice_from(&id, sizeof(id)));
			/* a token is used up */
			wire_reply(s.server, s.held[i - 1], SLICE_LIT("again"));
			wire_drop(s.server, s.held[i - 1]);
		}
		UNTIL(s.replies == WIRE_MAX_OPEN);
	}
	run_for(loop, 50);
	assert_int_equal(s.replies, WIRE_MAX_OPEN);
	assert_false(s.id_mixed_up);
	hang_up(&s);
}

/* While it is held nothing is delivered; then all that waited is, in one go. */
static void a_held_listener_takes_nothing_until_its_time(void **state)
{
	CLEANUP(loop_freep) struct loop *loop = NULL;
	struct seen s = { 0 };

	PKI_MUST(loop_new(&loop, err));
	serve(loop, &s, "127.0.0.1", 0);
	dial(loop, &s, "127.0.0.1", client_tls(&good));
	UNTIL(s.up);
	wire_server_hold(s.server, 400);
	wire_server_hold(s.server, 60000); /* the earlier one's end stands */
	for (uint32_t i = 0; i < WIRE_MAX_OPEN; i++)
		ask(&s, i);
	run_for(loop, 200);
	assert_int_equal(s.messages, 0);
	s.idles = 0;
	UNTIL(s.replies == WIRE_MAX_OPEN);
	assert_true(s.idles <= 3); /* more than nng's queue holds at a time */
	hang_up(&s);
}

static void the_largest_message_passes_and_a_larger_one_is_not_sent(void **state)
{
	CLEANUP(loop_freep) struct loop *loop = NULL;
	CLEANUP(freep) char *big = calloc(1, WIRE_MAX_MESSAGE_BYTES + 1);
	struct seen s = {0};
	struct err e;

	PKI_MUST(loop_new(&loop, err));
	serve(loop, &s, "127.0.0.1", 0);
	dial(loop, &s, "127.0.0.1", client_tls(&good));
	UNTIL(s.up);
	assert_int_equal(wire_request(s.client, 0, slice_from(big, WIRE_MAX_MESSAGE_BYTES + 1), &e),
			 -EMSGSIZE);
	PKI_MUST(wire_request(s.client, 0, slice_from(big, WIRE_MAX_MESSAGE_BYTES), err));
	UNTIL(s.replies == 1);
	assert_int_equal(s.last_size, WIRE_MAX_MESSAGE_BYTES);
	PKI_MUST(wire_request(s.client, 5, SLICE_NONE, err));
	UNTIL(s.replies == 2);
	assert_int_equal(s.last_size, 0);
	assert_int_equal(wire_request(s.client, 1u << 31, SLICE_NONE, &e), -EINVAL);
	hang_up(&s);
}

/* A peer with a good certificate that does not keep our limits: only it is cut. */
static void a_peer_that_breaks_the_protocol_is_cut(void **state)
{
	static const struct {
		const char *what;
		uint64_t length; /* announced */
		unsigned requests;
	} cases[] = {
		{"one byte too many", WIRE_MAX_MESSAGE_BYTES + 5, 1},
		{"an absurd length", UINT64_MAX, 1},
		{"no room for the request's id", 3, 1},
		{"too many open requests", 8, WIRE_MAX_OPEN + 8},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(loop_freep) struct loop *loop = NULL;
		struct seen s = {.hold = true};
		uint8_t msg[16];

		PKI_MUST(loop_new(&loop, err));
		serve(loop, &s, "127.0.0.1", 0);
		struct raw_tls r;
		raw_tls_start(&r, "127.0.0.1", wire_server_port(s.server), &good);
		UNTIL(raw_tls_greet(&r));
		UNTIL(s.opened);
		for (unsigned n = 0; n < cases[i].requests; n++) {
			uint64_t be = htobe64(cases[i].length);
			memcpy(msg, &be, 8);
			memcpy(msg + 8, "\x80\0\0\1data", 8);
			raw_tls_write(&r, msg, cases[i].length < 8 ? 11 : 16);
		}
		UNTIL(s.closed == 1);
		raw_tls_end(&r);
		dial(loop, &s, "127.0.0.1", client_tls(&good));
		UNTIL(s.up);
		hang_up(&s);
	}
}

static void a_request_with_no_end_of_its_address_is_not_delivered(void **state)
{
	CLEANUP(loop_freep) struct loop *loop = NULL;
	struct seen s = {0};
	uint8_t msg[48] = {0, 0, 0, 0, 0, 0, 0, 40};
	struct raw_tls r;

	PKI_MUST(loop_new(&loop, err));
	serve(loop, &s, "127.0.0.1", 0);
	raw_tls_start(&r, "127.0.0.1", wire_server_port(s.server), &good);
	UNTIL(raw_tls_greet(&r));
	UNTIL(s.opened);
	raw_tls_write(&r, msg, sizeof(msg));
	run_for(loop, 100);
	assert_int_equal(s.messages, 0);
	raw_tls_end(&r);
	hang_up(&s);
}

static void a_client_comes_back_to_a_restarted_server(void **state)
{
	CLEANUP(loop_freep) struct loop *loop = NULL;
	struct seen s = {.hold = true};
	struct err e;

	PKI_MUST(loop_new(&loop, err));
	serve(loop, &s, "127.0.0.1", 0);
	int port = wire_server_port(s.server);
	dial(loop, &s, "127.0.0.1", client_tls(&good));
	UNTIL(s.up == 1);
	ask(&s, 7); /* never answered: must not turn up at the next server */
	UNTIL(s.messages == 1);
	wire_server_free(s.server);
	assert_int_equal(s.closed, 1);
	UNTIL(s.down == 1);
	assert_int_equal(wire_request(s.client, 8, SLICE_LIT("x"), &e), -ENOTCONN);
	UNTIL(s.failures >= 1);
	assert_string_equal(s.failed, "connection refused");
	serve(loop, &s, "127.0.0.1", port);
	UNTIL(s.up == 2);
	run_for(loop, 100);
	assert_int_equal(s.messages, 1);
	s.hold = false;
	ask(&s, 9);
	UNTIL(s.replies == 1);
	assert_int_equal(s.last_id, 9);
	wire_client_restart(s.client);
	assert_int_equal(s.down, 2);
	UNTIL(s.up == 3);
	hang_up(&s);
}

static void a_dropped_request_stays_without_reply(void **state)
{
	CLEANUP(loop_freep) struct loop *loop = NULL;
	struct seen s = {.drop = true};

	PKI_MUST(loop_new(&loop, err));
	serve(loop, &s, "127.0.0.1", 0);
	dial(loop, &s, "127.0.0.1", client_tls(&good));
	UNTIL(s.up);
	for (uint32_t i = 0; i < WIRE_MAX_OPEN; i++)
		ask(&s, i);
	UNTIL(s.messages == WIRE_MAX_OPEN);
	s.drop = false;
	ask(&s, 3); /* the same id takes its own place again */
	UNTIL(s.replies == 1);
	hang_up(&s);
}

static void count_and_close(void *arg, struct wire_peer *p)
{
	++*(unsigned *)arg;
	wire_peer_close(p);
}

static void closing_a_peer_cuts_its_open_session(void **state)
{
	CLEANUP(loop_freep) struct loop *loop = NULL;
	struct seen s = {.hold = true};
	unsigned n = 0;

	PKI_MUST(loop_new(&loop, err));
	serve(loop, &s, "127.0.0.1", 0);
	dial(loop, &s, "127.0.0.1", client_tls(&good));
	UNTIL(s.up && s.opened);
	ask(&s, 1);
	UNTIL(s.messages == 1);
	wire_server_each(s.server, count_and_close, &n);
	assert_int_equal(n, 1);
	wire_server_each(s.server, count_and_close, &n);
	assert_int_equal(n, 1);
	UNTIL(s.closed == 1 && s.down == 1);
	wire_reply(s.server, s.held[0], SLICE_LIT("too late"));
	UNTIL(s.up == 2);
	assert_int_equal(s.replies, 0);
	hang_up(&s);
}

static void on_open_may_refuse_before_any_message(void **state)
{
	CLEANUP(loop_freep) struct loop *loop = NULL;
	struct seen s = {.deny = true};
	struct err e;

	PKI_MUST(loop_new(&loop, err));
	serve(loop, &s, "127.0.0.1", 0);
	dial(loop, &s, "127.0.0.1", client_tls(&good));
	UNTIL(s.up);
	(void)!wire_request(s.client, 1, SLICE_LIT("let me in"), &e);
	UNTIL(s.down == 1);
	assert_int_equal(s.messages, 0);
	assert_int_equal(s.closed, 0);
	assert_int_equal(wire_server_peer_count(s.server), 0);
	hang_up(&s);
}

static void a_denied_serial_is_cut_and_told_why(void **state)
{
	CLEANUP(loop_freep) struct loop *loop = NULL;
	struct seen s = {0};

	PKI_MUST(loop_new(&loop, err));
	serve(loop, &s, "127.0.0.1", 0);
	dial(loop, &s, "127.0.0.1", client_tls(&good));
	UNTIL(s.up && s.opened);
	for (unsigned i = 0; i < 300; i++) {
		char serial[TLS_SERIAL_MAX];
		snprintf(serial, sizeof(serial), "%08X", i * 2654435761u);
		PKI_MUST(wire_server_deny(s.server, serial, err));
	}
	PKI_MUST(wire_server_deny(s.server, s.id.serial, err));
	UNTIL(s.closed == 1 && s.down == 1 && s.failures && s.refusals);
	assert_string_equal(s.failed,
			    "the collector refused our certificate: certificate was revoked");
	assert_string_equal(s.refused, "certificate was revoked");
	hang_up(&s);
}

/* Who is refused, and what each side can say about it. */
static void a_certificate_that_is_not_right_is_refused_with_its_reason(void **state)
{
	struct pki foreign;
	struct pki_pair expired, early, wrong_use, stranger, borrowed;

	pki_init(&foreign);
	pki_leaf(&pki.ca, TLS_ROLE_AGENT, "a", -7200, -60, &expired);
	pki_leaf(&pki.ca, TLS_ROLE_AGENT, "a", 600, 7200, &early);
	pki_leaf(&pki.ca, TLS_ROLE_SERVER, "a", -60, 7200, &wrong_use);
	pki_agent(&foreign, "agent-1", &stranger);
	/* A leaf is no CA, whatever it signs. */
	pki_leaf(&good, TLS_ROLE_AGENT, "b", -60, 7200, &borrowed);
	buf_add_slice(&borrowed.cert, buf_slice(&good.cert));

	const struct {
		const struct pki_pair *own;
		const char *server_says, *client_says;
	} cases[] = {
		{NULL, "no certificate",
		 "the collector refused our certificate: no certificate was given"},
		{&expired, "certificate has expired",
		 "the collector refused our certificate: certificate expired"},
		{&early, "certificate is not yet valid",
		 "the collector refused our certificate: certificate is bad or not yet valid"},
		{&wrong_use, "certificate is not meant for this use",
		 "the collector refused our certificate: certificate is not meant for this use"},
		{&stranger, "unknown CA", "the collector refused our certificate: unknown CA"},
		{&borrowed, "certificate was signed by what is no CA",
		 "the collector refused our certificate: unknown CA"},
	};
	static const char *const hosts[] = {"127.0.0.1", "[::1]"};

	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		CLEANUP(loop_freep) struct loop *loop = NULL;
		struct seen s = {0};

		PKI_MUST(loop_new(&loop, err));
		serve(loop, &s, hosts[i % 2], 0);
		dial(loop, &s, hosts[i % 2], client_tls(cases[i / 2].own));
		UNTIL(s.failures && s.refusals);
		assert_string_equal(s.refused, cases[i / 2].server_says);
		assert_string_equal(s.failed, cases[i / 2].client_says);
		assert_memory_equal(s.refused_addr, hosts[i % 2], 5);
		assert_int_equal(s.opened, 0);
		assert_int_equal(s.up, 0);
		hang_up(&s);
	}
	pki_pair_fini(&expired);
	pki_pair_fini(&early);
	pki_pair_fini(&wrong_use);
	pki_pair_fini(&stranger);
	pki_pair_fini(&borrowed);
	pki_fini(&foreign);
}

static void a_collector_that_is_not_right_is_not_trusted(void **state)
{
	struct pki foreign;
	uint8_t leaf_pin[TLS_PIN_BYTES];

	pki_init(&foreign);
	PKI_MUST(tls_cert_pin(buf_slice(&pki.server.cert), leaf_pin, err));
	const struct {
		struct slice ca;
		const uint8_t *pin;
		const char *name, *why; /* why: NULL: trusted */
	} cases[] = {
		{buf_slice(&pki.ca.cert), NULL, "127.0.0.1", NULL},
		{buf_slice(&pki.ca.cert), NULL, "::1", NULL},
		{SLICE_NONE, pki.pin, "localhost", NULL},
		{buf_slice(&pki.ca.cert), NULL, "other.example", "certificate is for another name"},
		{buf_slice(&pki.ca.cert), NULL, "127.0.0.2", "certificate is for another address"},
		{buf_slice(&foreign.ca.cert), NULL, "localhost", "unknown CA"},
		{SLICE_NONE, foreign.pin, "localhost", "its CA is not the pinned one"},
		{SLICE_NONE, leaf_pin, "localhost", "its CA is not the pinned one"},
		{SLICE_NONE, pki.pin, "other.example", "certificate is for another name"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(loop_freep) struct loop *loop = NULL;
		struct seen s = {0};
		struct wire_tls tls = client_tls(&good);
		char want[200];

		tls.ca_pem = cases[i].ca;
		tls.ca_pin = cases[i].pin;
		tls.server_name = cases[i].name;
		PKI_MUST(loop_new(&loop, err));
		serve(loop, &s, "127.0.0.1", 0);
		dial(loop, &s, "127.0.0.1", tls);
		if (cases[i].why) {
			UNTIL(s.failures && s.refusals);
			snprintf(want, sizeof(want), "the collector is not trusted: %s",
				 cases[i].why);
			assert_string_equal(s.failed, want);
			assert_non_null(strstr(s.refused, "the client"));
		} else {
			UNTIL(s.up);
		}
		hang_up(&s);
	}
	pki_fini(&foreign);
}

static void the_enrolment_listener_asks_for_no_certificate(void **state)
{
	CLEANUP(loop_freep) struct loop *loop = NULL;
	struct seen s = {0};
	struct wire_tls tls = server_tls(),
			pinned = {.ca_pin = pki.pin, .server_name = "localhost"};

	tls.no_client_cert = true;
	tls.ca_pem = SLICE_NONE;
	PKI_MUST(loop_new(&loop, err));
	PKI_MUST(wire_server_new(loop, "tls+tcp://127.0.0.1:0", &tls, &server_ops, &s, &s.server,
				 err));
	dial(loop, &s, "127.0.0.1", pinned);
	UNTIL(s.up && s.opened);
	assert_string_equal(s.id.agent_id, "");
	assert_string_equal(s.id.serial, "");
	ask(&s, 1);
	UNTIL(s.replies == 1);
	hang_up(&s);
}

static void wrong_settings_are_told_at_once(void **state)
{
	CLEANUP(loop_freep) struct loop *loop = NULL;
	struct wire_tls tls = server_tls(), none = {0}, crossed = server_tls(), nameless;
	struct wire_server *server = NULL;
	struct wire_client *client = NULL;
	struct seen s = {0};
	struct err e;
	char url[64];

	crossed.key_pem = buf_slice(&good.key);
	nameless = client_tls(&good);
	nameless.server_name = "";
	PKI_MUST(loop_new(&loop, err));
	const struct {
		const char *url;
		const struct wire_tls *tls;
		int want;
	} cases[] = {
		{"tls+tcp://127.0.0.1:0", &none, -EINVAL},
		{"tls+tcp://127.0.0.1:0", &crossed, -ERR_CRYPTO},
		{"nonsense", &tls, -EINVAL},
		{"tls+tcp://127.0.0.1:0/path", &tls, -EADDRNOTAVAIL},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int r = wire_server_new(loop, cases[i].url, cases[i].tls, &server_ops, &s, &server,
					&e);
		if (r != cases[i].want)
			fail_msg("%s: %d %s", cases[i].url, r, e.msg);
	}
	serve(loop, &s, "127.0.0.1", 0);
	snprintf(url, sizeof(url), "tls+tcp://127.0.0.1:%d", wire_server_port(s.server));
	assert_int_equal(wire_server_new(loop, url, &tls, &server_ops, &s, &server, &e),
			 -EADDRINUSE);
	assert_int_equal(wire_client_new(loop, url, &nameless, &client_ops, &s, &client, &e),
			 -EINVAL);
	assert_null(server);
	assert_null(client);
	hang_up(&s);
}

/* Frees while everything is still under way; the sanitizers look on. */
static void a_client_may_be_freed_at_any_moment(void **state)
{
	CLEANUP(loop_freep) struct loop *loop = NULL;
	struct seen s = {0};

	PKI_MUST(loop_new(&loop, err));
	serve(loop, &s, "127.0.0.1", 0);
	for (unsigned i = 0; i < 40; i++) {
		dial(loop, &s, "127.0.0.1", client_tls(&good));
		run_for(loop, i);
		wire_client_free(s.client);
		s.client = NULL;
	}
	dial(loop, &s, "127.0.0.1", client_tls(&good));
	UNTIL(s.up);
	for (unsigned i = 0; i < 10; i++) {
		int port = wire_server_port(s.server);
		wire_server_free(s.server);
		serve(loop, &s, "127.0.0.1", port);
		run_for(loop, i * 3);
	}
	hang_up(&s);
}

static int setup(void **state)
{
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
		cmocka_unit_test(a_request_gets_its_reply_over_ipv4),
		cmocka_unit_test(a_request_gets_its_reply_over_ipv6),
		cmocka_unit_test(a_dual_stack_listener_shows_ipv4_peers_as_such),
		cmocka_unit_test(requests_are_pipelined_and_answered_in_any_order),
		cmocka_unit_test(a_held_listener_takes_nothing_until_its_time),
		cmocka_unit_test(the_largest_message_passes_and_a_larger_one_is_not_sent),
		cmocka_unit_test(a_peer_that_breaks_the_protocol_is_cut),
		cmocka_unit_test(a_request_with_no_end_of_its_address_is_not_delivered),
		cmocka_unit_test(a_client_comes_back_to_a_restarted_server),
		cmocka_unit_test(a_dropped_request_stays_without_reply),
		cmocka_unit_test(closing_a_peer_cuts_its_open_session),
		cmocka_unit_test(on_open_may_refuse_before_any_message),
		cmocka_unit_test(a_denied_serial_is_cut_and_told_why),
		cmocka_unit_test(a_certificate_that_is_not_right_is_refused_with_its_reason),
		cmocka_unit_test(a_collector_that_is_not_right_is_not_trusted),
		cmocka_unit_test(the_enrolment_listener_asks_for_no_certificate),
		cmocka_unit_test(wrong_settings_are_told_at_once),
		cmocka_unit_test(a_client_may_be_freed_at_any_moment),
	};
	setvbuf(stdout, NULL, _IOLBF, 0); /* a hang must show where */
	return cmocka_run_group_tests(tests, setup, teardown);
}
