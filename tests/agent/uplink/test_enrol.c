/* test_enrol.c - a host becomes an agent, against a small collector in a process of its own; then
 * the uplink delivers to it over TLS, through a restart on either side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "agent/uplink/enrolment.h"
#include "agent/uplink/uplink.h"
#include "common/file.h"
#include "common/log.h"
#include "common/text.h"
#include "common/wire.h"
#include "proto/msg.h"

#define AGENT "11111111-2222-4333-8444-555555555555"

enum mode {
	GOOD,
	WRONG_TOKEN,
	FOREIGN_CA,
	FOREIGN_KEY,
	OTHER_NAME,
	SILENT,
	BUSY,	    /* for ever */
	BUSY_TWICE, /* then good */
	CUT,	    /* the first request, before it is looked at; then good */
	CUT_USED,   /* the first request, after the token was used */
};

enum { BUSY_MS = 300 };

static char dir[64];
static struct buf ca_key, ca, other_ca_key, other_ca, server_key, chain;
static struct arena *arena;

/* ---- the collector's side, in the child ---- */

struct collector {
	struct wire_server *server;
	enum mode mode;
	unsigned enrolments; /* requests so far */
	uint64_t stored, asked_ns;
};

static bool on_open(void *arg, struct wire_peer *p, const struct tls_identity *id)
{
	return true;
}

static void send_reply(struct collector *c, uint64_t token, Picket__Reply *m)
{
	struct buf out;
	struct err err;

	buf_init(&out, 0);
	m->protocol = PROTO_VERSION;
	if (msg_pack_reply(m, &out, &err) < 0)
		fprintf(stderr, "%s\n", err.msg);
	wire_reply(c->server, token, buf_slice(&out));
	buf_fini(&out);
}

static void refuse(struct collector *c, uint64_t token, Picket__Refusal__Reason reason,
		   const char *why)
{
	Picket__Reply m = PICKET__REPLY__INIT;
	Picket__Refusal no = PICKET__REFUSAL__INIT;

	no.reason = reason;
	no.message = (char *)(uintptr_t)why;
	no.retry_ms = reason == PICKET__REFUSAL__REASON__REASON_BUSY ? BUSY_MS : 0;
	m.body_case = PICKET__REPLY__BODY_REFUSAL;
	m.refusal = &no;
	send_reply(c, token, &m);
}

/* Everything but a certificate; true: it was that. */
static bool is_turned_away(struct collector *c, struct wire_peer *p, uint64_t token)
{
	uint64_t now = clock_boot_ns(clock_real()), ago_ms = (now - c->asked_ns) / 1000000;
	unsigned before = c->enrolments++;

	c->asked_ns = now;
	if (c->mode == WRONG_TOKEN || (c->mode == CUT_USED && before)) {
		refuse(c, token, PICKET__REFUSAL__REASON__REASON_TOKEN,
		       before ? "the token is used up" : "expired");
		return true;
	}
	if ((c->mode == BUSY || c->mode == BUSY_TWICE) && before && ago_ms < BUSY_MS)
		abort(); /* it was told to wait */
	if (c->mode == BUSY || (c->mode == BUSY_TWICE && before < 2)) {
		refuse(c, token, PICKET__REFUSAL__REASON__REASON_BUSY, "one at a time");
		return true;
	}
	if ((c->mode == CUT || c->mode == CUT_USED) && !before) {
		wire_drop(c->server, token);
		wire_peer_close(p);
		return true;
	}
	return false;
}

static void enrol(struct collector *c, uint64_t token, const Picket__Enrol *e)
{
	Picket__Reply m = PICKET__REPLY__INIT;
	Picket__EnrolReply r = PICKET__ENROL_REPLY__INIT;
	struct tls_sign how = {.role = TLS_ROLE_AGENT,
			       .common_name = "host",
			       .agent_id = AGENT,
			       .valid_from_s = -3600,
			       .valid_for_s = 7200};
	char *url = (char *)(uintptr_t) "tls+tcp://127.0.0.1:1";
	struct buf cert, key, csr;
	struct err err;

	buf_init(&cert, 0);
	buf_init(&csr, 0);
	struct slice request = slice_of(e->csr_pem);
	if (c->mode == FOREIGN_KEY && tls_key_new(&key, &err) >= 0 &&
	    tls_csr_new(buf_slice(&key), "x", &csr, &err) >= 0)
		request = buf_slice(&csr);
	if (c->mode == OTHER_NAME)
		how.agent_id = "99999999-2222-4333-8444-555555555555";
	if (tls_sign(buf_slice(&ca), buf_slice(&ca_key), request, &how, clock_real(), &cert, NULL,
		     &err) < 0)
		fprintf(stderr, "%s\n", err.msg);
	r.agent_id = (char *)(uintptr_t)AGENT;
	r.certificate_pem = cert.p;
	r.ca_pem = c->mode == FOREIGN_CA ? other_ca.p : ca.p;
	r.urls = &url;
	r.n_urls = 1;
	m.body_case = PICKET__REPLY__BODY_ENROL;
	m.enrol = &r;
	send_reply(c, token, &m);
}

static void on_message(void *arg, struct wire_peer *p, uint64_t token, struct slice msg)
{
	struct collector *c = arg;
	Picket__Request *m;
	Picket__Reply reply = PICKET__REPLY__INIT;
	Picket__HelloReply hello = PICKET__HELLO_REPLY__INIT;
	Picket__Ack ack = PICKET__ACK__INIT;
	Picket__HeartbeatReply beat = PICKET__HEARTBEAT_REPLY__INIT;
	struct err err;

	arena_reset(arena);
	if (msg_read_request(msg, arena, &m, &err) < 0 || c->mode == SILENT) {
		wire_drop(c->server, token);
		return;
	}
	switch (m->body_case) {
	case PICKET__REQUEST__BODY_ENROL:
		if (!is_turned_away(c, p, token))
			enrol(c, token, m->enrol);
		return;
	case PICKET__REQUEST__BODY_HELLO:
		hello.stored_seq = c->stored;
		hello.credit = 4;
		reply.body_case = PICKET__REPLY__BODY_HELLO;
		reply.hello = &hello;
		break;
	case PICKET__REQUEST__BODY_BATCH:
		if (m->batch->first_seq != c->stored + 1 + m->batch->lost_before)
			abort();
		c->stored = m->batch->first_seq + m->batch->n_records - 1;
		ack.epoch = m->batch->epoch;
		ack.stored_seq = c->stored;
		ack.credit = 4;
		reply.body_case = PICKET__REPLY__BODY_ACK;
		reply.ack = &ack;
		break;
	default:
		reply.body_case = PICKET__REPLY__BODY_HEARTBEAT;
		reply.heartbeat = &beat;
		break;
	}
	send_reply(c, token, &reply);
}

static void on_close(void *arg, struct wire_peer *p)
{
}
static void on_refused(void *arg, const char *addr, const char *why)
{
}
static void on_idle(void *arg)
{
}

static const struct wire_server_ops server_ops = {.on_open = on_open,
						  .on_message = on_message,
						  .on_close = on_close,
						  .on_refused = on_refused,
						  .on_idle = on_idle};

/* nng does not survive a fork, so the collector is this program again:
 * --collector MODE WANTS_CERT PORT FD; its keys come through FD, its port goes back. */
static int collector_main(char **argv)
{
	struct collector c = {.mode = (enum mode)atoi(argv[0])};
	struct buf *all[] = {&ca_key, &ca, &other_ca, &server_key, &chain};
	int port = atoi(argv[2]), fd = atoi(argv[3]);
	struct loop *l;
	struct err err;
	char url[64];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	arena = arena_new(LIMIT_ARENA_BYTES);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		static char bytes[65536];
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
		if (n <= 0)
			return 1;
		buf_add(all[i], bytes, (size_t)n);
	}
	struct wire_tls tls = {.ca_pem = buf_slice(&ca),
			       .cert_pem = buf_slice(&chain),
			       .key_pem = buf_slice(&server_key),
			       .no_client_cert = argv[1][0] == '0'};
	snprintf(url, sizeof(url), "tls+tcp://127.0.0.1:%d", port);
	if (loop_new(&l, &err) < 0 ||
	    wire_server_new(l, url, &tls, &server_ops, &c, &c.server, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	port = wire_server_port(c.server);
	if (send(fd, &port, sizeof(port), 0) != sizeof(port))
		return 1;
	loop_run(l);
	return 0;
}

/* Returns its process; *port: where it listens; 0 at first: anywhere. */
static pid_t start(enum mode mode, bool wants_cert, int *port)
{
	const struct buf *all[] = {&ca_key, &ca, &other_ca, &server_key, &chain};
	char args[4][16];
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	snprintf(args[0], sizeof(args[0]), "%d", (int)mode);
	snprintf(args[1], sizeof(args[1]), "%d", wants_cert);
	snprintf(args[2], sizeof(args[2]), "%d", *port);
	snprintf(args[3], sizeof(args[3]), "%d", fds[1]);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		execl("/proc/self/exe", "collector", "--collector", args[0], args[1], args[2],
		      args[3], (char *)NULL);
		_exit(1);
	}
	close(fds[1]);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		assert_int_equal(send(fds[0], all[i]->p, all[i]->n, 0), all[i]->n);
	assert_int_equal(recv(fds[0], port, sizeof(*port), 0), sizeof(*port));
	close(fds[0]);
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* ---- the agent's side ---- */

static void make_token(int port, struct slice pinned_ca, struct buf *ret)
{
	Picket__Token t = PICKET__TOKEN__INIT;
	char url[64], *urls[] = {url};
	uint8_t pin[TLS_PIN_BYTES];

	snprintf(url, sizeof(url), "tls+tcp://127.0.0.1:%d", port);
	assert_int_equal(tls_cert_pin(pinned_ca, pin, NULL), 0);
	t.enrol_urls = urls;
	t.n_enrol_urls = 1;
	t.ca_sha256 = (ProtobufCBinaryData){sizeof(pin), pin};
	t.secret = msg_bytes(SLICE_LIT("0123456789abcdef"));
	t.server_name = (char *)(uintptr_t) "localhost";
	buf_init(ret, 0);
	assert_int_equal(msg_pack_token(&t, ret, NULL), 0);
}

static int enrol_at(int port, struct slice pinned_ca, uint64_t timeout_ms, struct err *err)
{
	struct enrol_result res;
	struct buf token;

	make_token(port, pinned_ca, &token);
	int r = uplink_enrol(token.p, NULL, dir, "host", "machine", false, timeout_ms, &res, err);
	if (r >= 0) {
		assert_string_equal(res.agent_id, AGENT);
		assert_string_equal(res.url, "tls+tcp://127.0.0.1:1");
		assert_string_equal(res.server_name, "localhost");
	}
	buf_fini(&token);
	return r;
}

static void each_failure_is_one_clear_error_and_writes_nothing(void **state)
{
	static const struct {
		enum mode mode;
		bool is_pin_wrong, is_down;
		int want;
		const char *why;
	} cases[] = {
		{WRONG_TOKEN, false, false, -ERR_DENIED, "expired"},
		{FOREIGN_CA, false, false, -ERR_CRYPTO, "the CA is not the one"},
		{FOREIGN_KEY, false, false, -ERR_CRYPTO, "not for our key"},
		{OTHER_NAME, false, false, -ERR_CRYPTO, "another agent"},
		{SILENT, false, false, -ETIMEDOUT, "did not answer; the token may be used up"},
		{BUSY, false, false, -ETIMEDOUT, "busy: one at a time"},
		{CUT_USED, false, false, -ERR_DENIED, "used up, probably by our own earlier try"},
		{GOOD, true, false, -ERR_CRYPTO, "not the collector of the token"},
		{GOOD, false, true, -ERR_PEER, "can't reach"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int port = 0;
		struct err err = {0};
		pid_t pid = start(cases[i].mode, false, &port);

		if (cases[i].is_down)
			stop(pid);
		int r = enrol_at(port,
				 cases[i].is_pin_wrong ? buf_slice(&other_ca) : buf_slice(&ca),
				 cases[i].want == -ETIMEDOUT ? 1500 : 20000, &err);
		if (!cases[i].is_down)
			stop(pid);
		if (r != cases[i].want || !strstr(err.msg, cases[i].why))
			fail_msg("case %zu: %d %s", i, r, err.msg);
		assert_false(enrolment_exists(dir));
	}
	struct err err;
	struct enrol_result res;
	assert_int_equal(uplink_enrol("pkt1.AAAA", NULL, dir, "h", "", false, 100, &res, &err),
			 -ERR_SYNTAX);
}

static void remove_all(const char *path)
{
	DIR *d = opendir(path);
	char sub[1024];

	if (!d) {
		unlink(path);
		return;
	}
	for (struct dirent *e; (e = readdir(d));) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name);
		remove_all(sub);
	}
	closedir(d);
	rmdir(path);
}

static void a_collector_that_was_busy_or_broke_off_is_asked_again(void **state)
{
	static const enum mode modes[] = {BUSY_TWICE, CUT};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		int port = 0;
		struct err err = {0};
		pid_t pid = start(modes[i], false, &port);
		int r = enrol_at(port, buf_slice(&ca), 20000, &err);

		stop(pid);
		if (r < 0)
			fail_msg("mode %d: %s", (int)modes[i], err.msg);
		assert_true(enrolment_exists(dir));
		remove_all(dir);
		assert_int_equal(mkdir(dir, 0700), 0);
	}
}

static uint32_t losses, beats;
static void on_heartbeat(void *arg, struct uplink_heartbeat *ret)
{
	beats++;
}
static void on_loss(void *arg, const struct uplink_loss *loss)
{
	losses++;
}
static void on_state(void *arg, bool is_connected, const char *why)
{
}
static const struct uplink_ops uplink_ops = {
	.on_heartbeat = on_heartbeat, .on_loss = on_loss, .on_state = on_state};

/* Turns the loop until the collector has `acked` numbers, at most 20 s. */
static void deliver(struct loop *l, struct uplink *u, uint64_t acked)
{
	uint64_t end = clock_boot_ns(clock_real()) + 20000000000ULL;
	struct uplink_stats st;

	do {
		loop_step(l, 50);
		uplink_stats(u, &st);
	} while ((st.acked < acked || st.spool_records || !st.is_connected) &&
		 clock_boot_ns(clock_real()) < end);
	if (st.acked != acked)
		fail_msg("%llu acknowledged: %s", (unsigned long long)st.acked, st.why);
	assert_true(st.is_connected);
	assert_int_equal(st.spool_records, 0);
}

static void an_enrolled_host_delivers_through_a_restart(void **state)
{
	int port = 0;
	struct err err;
	struct stat st;
	char path[128], url[64];
	struct loop *l;
	struct uplink *u;

	pid_t pid = start(GOOD, false, &port);
	if (enrol_at(port, buf_slice(&ca), 20000, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(enrol_at(port, buf_slice(&ca), 20000, &err), -EEXIST);
	stop(pid);
	snprintf(path, sizeof(path), "%s/agent.key", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);

	port = 0;
	pid = start(GOOD, true, &port);
	snprintf(url, sizeof(url), "tls+tcp://127.0.0.1:%d", port);
	struct uplink_config cfg = {.state_dir = dir,
				    .url = url,
				    .server_name = "localhost",
				    .spool_max_bytes = 4 << 20,
				    .hostname = "host"};
	assert_int_equal(loop_new(&l, &err), 0);
	if (uplink_new(l, clock_real(), &cfg, &uplink_ops, NULL, &u, &err) < 0)
		fail_msg("%s", err.msg);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(
			uplink_append(u, UPLINK_PROCESS, 1, SLICE_LIT("a record"), NULL, &err), 0);
	deliver(l, u, 1000);
	assert_true(beats > 0);
	/* the collector goes and comes back without its memory: only what is new is sent */
	stop(pid);
	for (unsigned i = 0; i < 500; i++) {
		assert_int_equal(
			uplink_append(u, UPLINK_PROCESS, 1, SLICE_LIT("a record"), NULL, &err), 0);
		loop_step(l, 1);
	}
	pid = start(GOOD, true, &port);
	deliver(l, u, 1500);
	/* and the agent, with something in its spool */
	stop(pid);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(
			uplink_append(u, UPLINK_PROCESS, 1, SLICE_LIT("a record"), NULL, &err), 0);
	uplink_free(u);
	pid = start(GOOD, true, &port);
	if (uplink_new(l, clock_real(), &cfg, &uplink_ops, NULL, &u, &err) < 0)
		fail_msg("%s", err.msg);
	deliver(l, u, 0);
	uplink_free(u);
	loop_free(l);
	stop(pid);
	assert_int_equal(losses, 0);
}

static void without_an_enrolment_it_says_what_to_do(void **state)
{
	struct uplink_config cfg = {.state_dir = "/nonexistent",
				    .url = "tls+tcp://127.0.0.1:1",
				    .spool_max_bytes = 4 << 20};
	struct loop *l;
	struct uplink *u = NULL;
	struct err err;

	assert_int_equal(loop_new(&l, &err), 0);
	assert_int_equal(uplink_new(l, clock_real(), &cfg, &uplink_ops, NULL, &u, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "enroll"));
	loop_free(l);
}

/* ---- */

static int group_setup(void **state)
{
	static const char *const names[] = {"localhost", "127.0.0.1", NULL};
	struct tls_sign how = {.role = TLS_ROLE_SERVER,
			       .common_name = "collector",
			       .alt_names = names,
			       .valid_from_s = -3600,
			       .valid_for_s = 7200};
	struct err err;
	struct buf csr;

	log_open(LOG_ERROR, 2);
	arena = arena_new(LIMIT_ARENA_BYTES);
	if (!arena || tls_key_new(&ca_key, &err) < 0 || tls_key_new(&other_ca_key, &err) < 0 ||
	    tls_key_new(&server_key, &err) < 0 ||
	    tls_ca_new(buf_slice(&ca_key), "CA", 1, clock_real(), &ca, &err) < 0 ||
	    tls_ca_new(buf_slice(&other_ca_key), "CA", 1, clock_real(), &other_ca, &err) < 0 ||
	    tls_csr_new(buf_slice(&server_key), "collector", &csr, &err) < 0 ||
	    tls_sign(buf_slice(&ca), buf_slice(&ca_key), buf_slice(&csr), &how, clock_real(),
		     &chain, NULL, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return -1;
	}
	buf_fini(&csr);
	buf_add_slice(&chain, buf_slice(&ca));
	return 0;
}

static int group_teardown(void **state)
{
	struct buf *all[] = {&ca_key, &ca, &other_ca_key, &other_ca, &server_key, &chain};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		buf_fini(all[i]);
	arena_free(arena);
	usleep(300000); /* nng gives connections back in a thread of its own, a little later */
	return 0;
}

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/picket-enrol-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	remove_all(dir);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 6 && !strcmp(argv[1], "--collector"))
		return collector_main(argv + 2);
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(each_failure_is_one_clear_error_and_writes_nothing),
		TEST(a_collector_that_was_busy_or_broke_off_is_asked_again),
		TEST(an_enrolled_host_delivers_through_a_restart),
		TEST(without_an_enrolment_it_says_what_to_do),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
