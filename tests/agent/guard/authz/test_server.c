/* test_server.c - the plugin over its socket: dockerd's calls, an engine that is slow, gone or another's, and peers that
 * mean no good. */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "authz_test.h"
#include "common/file.h"
#include "common/log.h"

static const char policy_text[] = "access_control:\n"
				  "  image_access: {denied_repositories: [docker.io/evil], max_severity: high}\n"
				  "  runtime_access: {deny_privileged: true, deny_host_namespaces: true}\n"
				  "mode: enforce\n";

static struct {
	struct loop *loop;
	struct authz *authz;
	struct evhttp *engine;
	char dir[64], socket[96], engine_path[96], policy[96], scans[96];
	bool is_slow;
	unsigned asked, told, held_count;
	struct evhttp_request *held[64];
	struct authz_told last;
	char last_rule[16];
} t;

/* ---- an engine ---- */

static void on_engine(struct evhttp_request *rq, void *arg)
{
	const char *uri = evhttp_request_get_uri(rq);
	struct evbuffer *b = evbuffer_new();

	(void)arg;
	t.asked++;
	if (t.is_slow) {
		t.held[t.held_count++] = rq;
		evbuffer_free(b);
		return;
	}
	if (!strcmp(uri, "/images/evil/json") || !strcmp(uri, "/images/mine:1/json"))
		evbuffer_add_printf(b, "{\"Id\":\"sha256:aa\",\"RepoDigests\":[\"%s@sha256:%064d\"],\"Config\":{\"User\":\"1\"}}",
				    strstr(uri, "evil") ? "evil/evil" : "mine", 1);
	else if (!strcmp(uri, "/containers/hostly/json"))
		evbuffer_add_printf(b, "{\"Id\":\"1\",\"Name\":\"/hostly\",\"Image\":\"sha256:aa\",\"Config\":{\"Image\":\"mine:1\"},"
				       "\"HostConfig\":{\"PidMode\":\"host\"},\"Mounts\":[]}");
	else if (!strcmp(uri, "/containers/second/json"))
		evbuffer_add_printf(b, "{\"Id\":\"2\",\"Name\":\"/second\",\"Image\":\"sha256:aa\",\"Config\":{},"
				       "\"HostConfig\":{\"PidMode\":\"container:hostly\"},\"Mounts\":[]}");
	else if (!strcmp(uri, "/containers/odd/json"))
		evbuffer_add_printf(b, "{\"Config\":1}");
	else {
		evhttp_send_reply(rq, strstr(uri, "broken") ? 500 : 404, "x", b);
		evbuffer_free(b);
		return;
	}
	evhttp_send_reply(rq, 200, "OK", b);
	evbuffer_free(b);
}

static int listen_at(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)slice_copy(slice_of(path), at.sun_path, sizeof(at.sun_path));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 64), 0);
	return fd;
}

/* ---- a peer ---- */

static int dial(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)slice_copy(slice_of(t.socket), at.sun_path, sizeof(at.sun_path));
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void put(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t r = send(fd, p, n, MSG_NOSIGNAL);

		if (r < 0 && errno != EAGAIN)
			return; /* it has hung up */
		if (r > 0) {
			p += r;
			n -= (size_t)r;
		}
		loop_step(t.loop, 1);
	}
}

/* What comes within ms, or until the peer hangs up: *ret_end. */
static void get(int fd, struct buf *b, unsigned ms, bool *ret_end)
{
	uint64_t end = clock_boot_ns(clock_real()) + ms * 1000000ull;

	*ret_end = false;
	buf_reset(b);
	while (clock_boot_ns(clock_real()) < end && !*ret_end) {
		char p[4096];
		loop_step(t.loop, 5);
		ssize_t n = recv(fd, p, sizeof(p), 0);

		if (n > 0)
			buf_add(b, p, (size_t)n);
		*ret_end = n == 0 || (n < 0 && errno != EAGAIN);
		const char *head = b->n ? strstr(b->p, "\r\n\r\n") : NULL, *length = head ? strstr(b->p, "Content-Length: ") : NULL;
		if (length && b->n >= (size_t)(head + 4 - b->p) + strtoul(length + 16, NULL, 10))
			return;
	}
}

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void add_base64(struct buf *b, const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)(uint8_t)s[i] << 16 | (i + 1 < n ? (uint32_t)(uint8_t)s[i + 1] << 8 : 0) | (i + 2 < n ? (uint8_t)s[i + 2] : 0);

		buf_add_char(b, base64[v >> 18]);
		buf_add_char(b, base64[v >> 12 & 63]);
		buf_add_char(b, i + 1 < n ? base64[v >> 6 & 63] : '=');
		buf_add_char(b, i + 2 < n ? base64[v & 63] : '=');
	}
}

static void send_call(int fd, const char *path, const char *method, const char *uri, const char *text)
{
	CLEANUP(buf_finip) struct buf b = { 0 }, out = { 0 };

	buf_init(&b, 0);
	buf_init(&out, 0);
	buf_printf(&b, "{\"RequestMethod\":\"%s\",\"RequestUri\":\"%s\",\"RequestHeaders\":{\"Content-Type\":\"application/json\"}", method, uri);
	if (text) {
		buf_add_str(&b, ",\"RequestBody\":\"");
		add_base64(&b, text);
		buf_add_str(&b, "\"");
	}
	buf_add_char(&b, '}');
	buf_printf(&out, "POST %s HTTP/1.1\r\nHost: plugin\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: %zu\r\n\r\n", path, b.n);
	buf_add_slice(&out, buf_slice(&b));
	put(fd, out.p, out.n);
}

static const char *ask_on(int fd, struct buf *b, const char *method, const char *uri, const char *text)
{
	bool ended;

	send_call(fd, "/AuthZPlugin.AuthZReq", method, uri, text);
	get(fd, b, 4000, &ended);
	if (!b->n)
		fail_msg("no answer to %s", uri);
	assert_non_null(strstr(b->p, "application/vnd.docker.plugins.v1.1+json"));
	return strstr(b->p, "\r\n\r\n") + 4;
}

static bool is_allowed(const char *method, const char *uri, const char *text, const char *want)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	CLEANUP(fd_closep) int fd = dial();
	const char *answer;

	buf_init(&b, 0);
	answer = ask_on(fd, &b, method, uri, text);
	if (!strstr(answer, want))
		fail_msg("%s %s: %s", uri, text ? text : "", answer);
	return strstr(answer, "\"Allow\":true") != NULL;
}

static void keep(void *arg, const struct authz_told *told)
{
	(void)arg;
	t.told++;
	t.last = *told;
	(void)slice_copy(slice_of(told->rule), t.last_rule, sizeof(t.last_rule));
}

/* ---- */

static const char clean_scan[] = "{\"images\":{\"sha256:aa\":{\"scanned\":1700000000,\"worst\":\"low\"}}}";

static void write_file(const char *path, const char *text)
{
	struct err err;

	if (file_write_atomic(path, slice_of(text), 0644, &err) < 0)
		fail_msg("%s", err.msg);
}

static void open_authz(bool is_fail_open)
{
	struct authz_config cfg = { .socket_path = t.socket, .inherited_fd = -1, .policy_path = t.policy, .docker_socket = t.engine_path,
				    .scan_path = t.scans, .is_fail_open = is_fail_open };
	struct err err = { 0 };

	authz_free(t.authz);
	t.authz = NULL;
	if (authz_new(t.loop, clock_real(), &cfg, keep, NULL, &t.authz, &err) < 0)
		fail_msg("%s", err.msg);
}

static int open_all(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	strcpy(t.dir, "/tmp/authz-server-XXXXXX");
	if (!mkdtemp(t.dir) || loop_new(&t.loop, NULL) < 0)
		return -1;
	log_open(LOG_LEVEL_COUNT, 2);
	snprintf(t.socket, sizeof(t.socket), "%s/p.sock", t.dir);
	snprintf(t.engine_path, sizeof(t.engine_path), "%s/d.sock", t.dir);
	snprintf(t.policy, sizeof(t.policy), "%s/policy.yaml", t.dir);
	snprintf(t.scans, sizeof(t.scans), "%s/scans.json", t.dir);
	t.engine = evhttp_new(loop_base(t.loop));
	evhttp_set_gencb(t.engine, on_engine, NULL);
	evhttp_accept_socket(t.engine, listen_at(t.engine_path));
	write_file(t.policy, policy_text);
	write_file(t.scans, clean_scan);
	open_authz(false);
	return 0;
}

static int close_all(void **state)
{
	char cmd[128];

	(void)state;
	authz_free(t.authz);
	for (unsigned i = 0; i < t.held_count; i++)
		evhttp_send_error(t.held[i], 500, "late");
	evhttp_free(t.engine);
	loop_step(t.loop, 10);
	loop_free(t.loop);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", t.dir);
	return system(cmd);
}

#define C "/v1.41/containers/create"

static void dockerds_calls_are_answered_on_one_connection(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	CLEANUP(fd_closep) int fd = dial();
	bool ended;

	(void)state;
	buf_init(&b, 0);
	send_call(fd, "/Plugin.Activate", "GET", "/", NULL);
	get(fd, &b, 2000, &ended);
	assert_non_null(strstr(b.p, "{\"Implements\":[\"authz\"]}"));
	assert_non_null(strstr(ask_on(fd, &b, "GET", "/v1.41/info", NULL), "\"Allow\":true"));
	assert_non_null(strstr(ask_on(fd, &b, "POST", C, "{\"Image\":\"mine:1\",\"HostConfig\":{\"Privileged\":true}}"), "\"Allow\":false,\"Msg\":\"AC-401"));
	assert_string_equal(t.last_rule, "AC-401");
	assert_true(t.last.kind == AUTHZ_CREATE && !t.last.is_allowed && t.last.took_ns);
	send_call(fd, "/AuthZPlugin.AuthZRes", "POST", C, "{}");
	get(fd, &b, 2000, &ended);
	assert_non_null(strstr(b.p, "\"Allow\":true"));
	send_call(fd, "/Other.Call", "POST", C, "{}");
	get(fd, &b, 2000, &ended);
	assert_non_null(strstr(b.p, "404"));
	assert_false(ended);
	assert_int_equal(t.told, 1); /* reading is not told */
}

static void what_the_engine_knows_is_asked(void **state)
{
	(void)state;
	assert_true(is_allowed("POST", C, "{\"Image\":\"mine:1\"}", "true"));
	assert_false(is_allowed("POST", C, "{\"Image\":\"evil\"}", "AC-101")); /* by its digests */
	assert_true(is_allowed("POST", C, "{\"Image\":\"none\"}", "true"));
	assert_false(is_allowed("POST", C, "{\"Image\":\"broken\"}", "AZ-006"));
	/* two rounds: second, then hostly */
	assert_false(is_allowed("POST", C, "{\"Image\":\"mine:1\",\"HostConfig\":{\"PidMode\":\"container:second\"}}", "AC-411"));
	assert_false(is_allowed("POST", "/v1.41/containers/hostly/start", NULL, "AC-411"));
	assert_false(is_allowed("POST", "/v1.41/containers/odd/start", NULL, "AZ-006"));
	assert_true(is_allowed("POST", "/v1.41/containers/none/start", NULL, "true"));
}

static void what_nobody_scanned_is_refused_where_scans_count(void **state)
{
	(void)state;
	assert_true(is_allowed("POST", C, "{\"Image\":\"mine:1\"}", "true"));
	write_file(t.scans, "{\"images\":{\"sha256:aa\":{\"scanned\":1700000000,\"worst\":\"critical\"}}}");
	assert_false(is_allowed("POST", C, "{\"Image\":\"mine:1\"}", "AC-105"));
	write_file(t.scans, clean_scan);
	assert_true(is_allowed("POST", C, "{\"Image\":\"mine:1\"}", "true"));
	write_file(t.scans, "{\"images\":{}}");
	assert_false(is_allowed("POST", C, "{\"Image\":\"mine:1\"}", "AC-106"));
	write_file(t.scans, "{\"images\":");
	assert_false(is_allowed("POST", C, "{\"Image\":\"mine:1\"}", "AC-106"));
	write_file(t.scans, clean_scan);
	assert_int_equal(chmod(t.scans, 0666), 0); /* anybody could have written it: the file's time tells of no change */
	write_file(t.scans, "{\"images\":{\"sha256:aa\":{\"scanned\":1700000001,\"worst\":\"\"}}}");
	assert_int_equal(chmod(t.scans, 0666), 0);
	assert_false(is_allowed("POST", C, "{\"Image\":\"mine:1\"}", "AC-106"));
	assert_int_equal(unlink(t.scans), 0);
	assert_false(is_allowed("POST", C, "{\"Image\":\"mine:1\"}", "AC-106"));
}

static void a_slow_engine_is_waited_for_two_seconds_and_others_are_answered(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	CLEANUP(fd_closep) int fd = dial(), other = dial();
	uint64_t from = clock_boot_ns(clock_real());
	bool ended;

	(void)state;
	buf_init(&b, 0);
	t.is_slow = true;
	send_call(fd, "/AuthZPlugin.AuthZReq", "POST", C, "{\"Image\":\"mine:1\"}");
	/* as the engine asks about our own question */
	assert_non_null(strstr(ask_on(other, &b, "GET", "/images/mine:1/json", NULL), "\"Allow\":true"));
	assert_true(clock_boot_ns(clock_real()) - from < 1000000000);
	get(fd, &b, 4000, &ended);
	assert_non_null(strstr(b.p, "AZ-006"));
	uint64_t took = clock_boot_ns(clock_real()) - from;
	assert_true(took > 1500000000 && took < 3000000000);
}

static void an_engine_that_is_gone_refuses_what_depends_on_it(void **state)
{
	(void)state;
	assert_int_equal(unlink(t.engine_path), 0);
	assert_false(is_allowed("POST", C, "{\"Image\":\"mine:1\"}", "AZ-006"));
	assert_true(is_allowed("POST", "/v1.41/containers/x/stop", NULL, "true"));
}

static void who_hangs_up_while_it_is_judged_is_forgotten(void **state)
{
	(void)state;
	t.is_slow = true;
	for (int i = 0; i < 5; i++) {
		CLEANUP(fd_closep) int fd = dial();

		send_call(fd, "/AuthZPlugin.AuthZReq", "POST", C, "{\"Image\":\"mine:1\"}");
		loop_step(t.loop, 20);
	}
	for (int i = 0; i < 30; i++)
		loop_step(t.loop, 100);
	t.is_slow = false;
	assert_true(is_allowed("POST", C, "{\"Image\":\"mine:1\"}", "true"));
	open_authz(false); /* with nothing left of them */
}

static void a_broken_policy_leaves_the_old_in_force(void **state)
{
	(void)state;
	write_file(t.policy, "access_control: {runtime_access: {deny_privilegd: true}}\n");
	for (int i = 0; i < 8; i++)
		loop_step(t.loop, 100);
	assert_non_null(strstr(authz_policy_error(t.authz), "deny_privileged"));
	assert_false(is_allowed("POST", C, "{\"Image\":\"mine:1\",\"HostConfig\":{\"Privileged\":true}}", "AC-401"));
	write_file(t.policy, "access_control: {runtime_access: {deny_host_namespaces: true}}\nmode: enforce\n");
	for (int i = 0; i < 8; i++)
		loop_step(t.loop, 100);
	assert_string_equal(authz_policy_error(t.authz), "");
	assert_true(is_allowed("POST", C, "{\"Image\":\"mine:1\",\"HostConfig\":{\"Privileged\":true}}", "true"));
	assert_int_equal(unlink(t.policy), 0);
	assert_int_equal(authz_reload(t.authz, NULL), -ENOENT);
	assert_false(is_allowed("POST", C, "{\"Image\":\"mine:1\",\"HostConfig\":{\"PidMode\":\"host\"}}", "AC-411"));
}

static void without_any_policy_it_is_closed_or_open_as_configured(void **state)
{
	(void)state;
	assert_int_equal(unlink(t.policy), 0);
	open_authz(false);
	assert_false(is_allowed("POST", C, "{}", "AZ-011"));
	assert_true(is_allowed("GET", "/info", NULL, "true"));
	open_authz(true);
	assert_true(is_allowed("POST", C, "{}", "true"));
	assert_true(t.last.is_monitored && t.last.is_allowed);
	assert_string_equal(t.last_rule, "AZ-011");
}

static void what_is_no_request_of_dockerds_ends_the_connection(void **state)
{
	static const char *const bad[] = {
		"GET /AuthZPlugin.AuthZReq HTTP/1.1\r\n\r\n", "POST /x HTTP/1.0\r\n\r\n", "POST /x\r\n\r\n", "\r\n\r\n", "\0\0\0\0\r\n\r\n",
		"POST /x HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "POST /x HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
		"POST /x HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "POST /x HTTP/1.1\r\nContent-Length: 1x\r\n\r\n",
		"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	};
	CLEANUP(buf_finip) struct buf b = { 0 };
	bool ended;

	(void)state;
	buf_init(&b, 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CLEANUP(fd_closep) int fd = dial();
		bool has_answer = false;

		put(fd, bad[i], bad[i][0] ? strlen(bad[i]) : 8);
		get(fd, &b, 1000, &ended);
		has_answer = b.n && strstr(b.p, "400");
		if (!ended)
			get(fd, &b, 1000, &ended);
		if (!has_answer || !ended)
			fail_msg("%s: answer %d, ended %d", bad[i], has_answer, ended);
	}
	char *head = malloc(100000);
	CLEANUP(fd_closep) int fd = dial();
	memset(head, 'x', 100000);
	put(fd, head, 100000);
	free(head);
	get(fd, &b, 1000, &ended);
	assert_true(ended || strstr(b.p, "400"));
	/* an envelope that is none: an error, which dockerd tells its client, and no permission */
	CLEANUP(fd_closep) int odd = dial();
	const char *text = "POST /AuthZPlugin.AuthZReq HTTP/1.1\r\nContent-Length: 3\r\n\r\n{}x";
	put(odd, text, strlen(text));
	get(odd, &b, 1000, &ended);
	assert_non_null(strstr(b.p, "\"Allow\":false,\"Err\""));
}

static void requests_may_come_in_pieces_and_one_behind_the_other(void **state)
{
	static const char call[] = "POST /Plugin.Activate HTTP/1.1\r\ncontent-LENGTH: 2\r\n\r\n{}";
	CLEANUP(buf_finip) struct buf b = { 0 };
	CLEANUP(fd_closep) int fd = dial();
	bool ended;
	size_t found = 0;

	(void)state;
	buf_init(&b, 0);
	for (size_t i = 0; i < sizeof(call) - 1; i++)
		put(fd, call + i, 1);
	get(fd, &b, 1000, &ended);
	assert_non_null(strstr(b.p, "Implements"));
	for (int i = 0; i < 3; i++)
		put(fd, call, sizeof(call) - 1);
	for (int i = 0; i < 3 && found < 3; i++) {
		get(fd, &b, 1000, &ended);
		for (const char *p = b.n ? b.p : ""; (p = strstr(p, "Implements")); p++)
			found++;
	}
	assert_int_equal(found, 3);
}

static void a_peer_that_is_slow_is_cut_off(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	CLEANUP(fd_closep) int fd = dial(), idle = dial();
	uint64_t from = clock_boot_ns(clock_real());
	bool ended = false;

	(void)state;
	buf_init(&b, 0);
	while (!ended && clock_boot_ns(clock_real()) - from < 8000000000) {
		put(fd, "P", 1); /* a byte now and then is no reason to wait longer */
		get(fd, &b, 200, &ended);
	}
	assert_true(ended);
	assert_true(clock_boot_ns(clock_real()) - from > 4000000000);
	/* who asks for nothing is left alone: dockerd keeps its connections */
	assert_non_null(strstr(ask_on(idle, &b, "GET", "/info", NULL), "\"Allow\":true"));
}

static void when_all_places_are_taken_the_oldest_gives_way(void **state)
{
	enum { COUNT = AUTHZ_CONNECTIONS + 40 };
	static int fds[COUNT];

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		fds[i] = dial();
		put(fds[i], "POST", 4);
		loop_step(t.loop, 1);
	}
	assert_true(is_allowed("GET", "/info", NULL, "true"));
	for (int i = 0; i < COUNT; i++)
		close(fds[i]);
	loop_step(t.loop, 10);
	assert_true(is_allowed("GET", "/info", NULL, "true"));
}

static void who_reads_no_answers_is_cut_off(void **state)
{
	static const char call[] = "POST /Plugin.Activate HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
	CLEANUP(fd_closep) int fd = dial();
	size_t sent = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		ssize_t n = send(fd, call, sizeof(call) - 1, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			break;
		sent += n > 0 ? (size_t)n : 0;
		if (n < 0)
			loop_step(t.loop, 1);
	}
	for (int i = 0; i < 10; i++)
		loop_step(t.loop, 10);
	assert_true(is_allowed("GET", "/info", NULL, "true"));
}

static void a_large_body_is_judged_and_a_larger_one_refused(void **state)
{
	static const struct {
		size_t bytes;
		const char *rule;
	} rows[] = { { 200 << 10, "AC-401" }, { 3 << 20, "AZ-012" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_finip) struct buf text = { 0 };

		buf_init(&text, 0);
		buf_add_str(&text, "{\"Image\":\"mine:1\",\"x\":\"");
		char *p = buf_reserve(&text, rows[i].bytes);
		memset(p, 'y', rows[i].bytes);
		buf_written(&text, rows[i].bytes);
		buf_add_str(&text, "\",\"HostConfig\":{\"Privileged\":true}}");
		assert_false(is_allowed("POST", C, text.p, rows[i].rule));
	}
}

static void a_socket_in_use_is_not_taken_away(void **state)
{
	struct authz_config cfg = { .socket_path = t.socket, .inherited_fd = -1, .policy_path = t.policy, .docker_socket = "", .scan_path = "" };
	struct authz *second = NULL;

	(void)state;
	assert_int_equal(authz_new(t.loop, clock_real(), &cfg, NULL, NULL, &second, NULL), -EADDRINUSE);
	assert_true(is_allowed("GET", "/info", NULL, "true"));
	/* one that is left over is */
	authz_free(t.authz);
	t.authz = NULL;
	close(listen_at(t.socket));
	open_authz(false);
	assert_true(is_allowed("GET", "/info", NULL, "true"));
	/* and systemd's is taken as it is, and stays */
	authz_free(t.authz);
	t.authz = NULL;
	cfg.inherited_fd = listen_at(t.socket);
	cfg.socket_path = "";
	assert_int_equal(authz_new(t.loop, clock_real(), &cfg, NULL, NULL, &t.authz, NULL), 0);
	assert_true(is_allowed("GET", "/info", NULL, "true"));
	authz_free(t.authz);
	t.authz = NULL;
	assert_int_equal(access(t.socket, F_OK), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(dockerds_calls_are_answered_on_one_connection),
		T(what_the_engine_knows_is_asked),
		T(what_nobody_scanned_is_refused_where_scans_count),
		T(a_slow_engine_is_waited_for_two_seconds_and_others_are_answered),
		T(an_engine_that_is_gone_refuses_what_depends_on_it),
		T(who_hangs_up_while_it_is_judged_is_forgotten),
		T(a_broken_policy_leaves_the_old_in_force),
		T(without_any_policy_it_is_closed_or_open_as_configured),
		T(what_is_no_request_of_dockerds_ends_the_connection),
		T(requests_may_come_in_pieces_and_one_behind_the_other),
		T(a_peer_that_is_slow_is_cut_off),
		T(when_all_places_are_taken_the_oldest_gives_way),
		T(who_reads_no_answers_is_cut_off),
		T(a_large_body_is_judged_and_a_larger_one_refused),
		T(a_socket_in_use_is_not_taken_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
