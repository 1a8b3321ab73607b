/* test_feeds.c - feeds from a server of the test's own over TLS, from files, and a whole database carried here. */
#include "tests/collector/vuln/advised.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "collector/vuln/vuln_priv.h"
#include "tests/collector/people.h"

/* ---- the server: one answer at a time ---- */

enum mode { OK_200, GONE_404, CUT, TO_PLAIN, OVER_AND_OVER };
static struct {
	enum mode mode;
	const char *body, *etag;
	char asked[4096]; /* the last request */
	unsigned requests;
	int listener, port, stop[2];
	int plain, plain_port; /* the same without TLS */
	SSL_CTX *ctx;
	pthread_t thread;
} srv;

static size_t compose(char *dst, size_t size)
{
	bool same = srv.etag && strstr(srv.asked, srv.etag);
	size_t n = strlen(srv.body);

	switch (srv.mode) {
	case GONE_404:
		return (size_t)snprintf(dst, size, "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nConnection: close\r\n\r\nnope\n");
	case TO_PLAIN:
		return (size_t)snprintf(dst, size,
					"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/x\r\nContent-Length: 0\r\n"
					"Connection: close\r\n\r\n",
					srv.plain_port);
	case OVER_AND_OVER:
		return (size_t)snprintf(dst, size,
					"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:%d/x\r\nContent-Length: 0\r\n"
					"Connection: close\r\n\r\n",
					srv.port);
	case CUT:
		return (size_t)snprintf(dst, size, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%.*s", n,
					(int)n / 2, srv.body);
	case OK_200:
		break;
	}
	if (same)
		return (size_t)snprintf(dst, size, "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n");
	return (size_t)snprintf(dst, size, "HTTP/1.1 200 OK\r\nETag: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
				srv.etag, n, srv.body);
}

/* Whoever comes here was sent, and would be given what it asks for. */
static void serve_plain(void)
{
	char request[4096], answer[4096];
	int fd = accept(srv.plain, NULL, NULL);
	size_t n = strlen(srv.body);

	if (read(fd, request, sizeof(request)) > 0) {
		n = (size_t)snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
				     n, srv.body);
		(void)!write(fd, answer, n);
	}
	close(fd);
}

static void *serve(void *arg)
{
	static char answer[65536];

	for (;;) {
		struct pollfd p[] = { { .fd = srv.listener, .events = POLLIN },
				      { .fd = srv.stop[0], .events = POLLIN },
				      { .fd = srv.plain, .events = POLLIN } };

		poll(p, 3, -1);
		if (p[1].revents)
			return NULL;
		if (p[2].revents)
			serve_plain();
		if (!p[0].revents)
			continue;
		int fd = accept(srv.listener, NULL, NULL);
		SSL *ssl = SSL_new(srv.ctx);
		SSL_set_fd(ssl, fd);
		if (SSL_accept(ssl) == 1) {
			int n = SSL_read(ssl, srv.asked, sizeof(srv.asked) - 1);
			srv.asked[n > 0 ? n : 0] = '\0';
			srv.requests++;
			SSL_write(ssl, answer, (int)compose(answer, sizeof(answer)));
		}
		SSL_shutdown(ssl);
		SSL_free(ssl);
		close(fd);
	}
}

static char ca_file[160], url[128];
static struct vuln_feed feed;
static struct buf said_lines;

static int setup(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);
	char path[160];

	advised_setup(state);
	signal(SIGPIPE, SIG_IGN);
	setenv("no_proxy", "*", 1);
	people_certificates(w.f.dir);
	srv.mode = OK_200;
	srv.requests = 0;
	srv.ctx = SSL_CTX_new(TLS_server_method());
	snprintf(path, sizeof(path), "%s/server.pem", w.f.dir);
	assert_int_equal(SSL_CTX_use_certificate_chain_file(srv.ctx, path), 1);
	snprintf(path, sizeof(path), "%s/server.key", w.f.dir);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(srv.ctx, path, SSL_FILETYPE_PEM), 1);
	assert_int_equal(pipe(srv.stop), 0);
	int *const fds[] = { &srv.listener, &srv.plain }, *const ports[] = { &srv.port, &srv.plain_port };
	for (size_t i = 0; i < 2; i++) {
		a.sin_port = 0;
		*fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(*fds[i], (struct sockaddr *)&a, size), 0);
		assert_int_equal(listen(*fds[i], 8), 0);
		assert_int_equal(getsockname(*fds[i], (struct sockaddr *)&a, &size), 0);
		*ports[i] = ntohs(a.sin_port);
	}
	assert_int_equal(pthread_create(&srv.thread, NULL, serve, NULL), 0);
	snprintf(ca_file, sizeof(ca_file), "%s/ca.pem", w.f.dir);
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/feeds/debian.json?x=1", srv.port);
	feed = (struct vuln_feed){ .name = (char *)(uintptr_t)"debian", .url = url, .ca_file = ca_file,
				   .format = VULNDB_DEBIAN };
	w.cfg.feeds = &feed;
	w.cfg.feed_count = 1;
	buf_reset(&said_lines);
	return 0;
}

static int teardown(void **state)
{
	close(srv.stop[1]);
	pthread_join(srv.thread, NULL);
	close(srv.stop[0]);
	close(srv.listener);
	close(srv.plain);
	SSL_CTX_free(srv.ctx);
	buf_fini(&said_lines);
	return advised_teardown(state);
}

static void say(void *arg, const char *line)
{
	buf_printf(&said_lines, "%s\n", line);
}

/* How many failed; what was said is in said_lines. */
static unsigned update(void)
{
	unsigned failed;

	buf_reset(&said_lines);
	OK(vuln_feeds_update(w.f.s, &w.f.clk, &w.cfg, say, NULL, &failed, &err));
	return failed;
}

static struct store_feed row(void)
{
	struct store_feed f;

	OK(store_feed_get(w.f.s, "debian", w.a, &f, &err));
	return f;
}

#define ONE(cve)                                                                                           \
	"{\"openssl\":{\"" cve "\":{\"description\":\"d\",\"releases\":{\"bookworm\":{\"status\":\"open\","            \
	"\"repositories\":{\"bookworm\":\"1\"},\"urgency\":\"high\"}}}}}"

static const char *const packages[] = { "deb openssl 3.0.11-1", NULL };

static void what_is_new_is_fetched_once_by_its_etag(void **state)
{
	srv.body = ONE("CVE-2026-0001");
	srv.etag = "\"v1\"";
	assert_int_equal(update(), 0);
	assert_non_null(strstr(said_lines.p, "1 advisories read, 1 new"));
	assert_string_equal(row().etag, "\"v1\"");
	assert_int_equal(row().changed_unix_ns, T0);
	clock_fake_advance(&w.f.clk, SECOND_NS);
	assert_int_equal(update(), 0);
	assert_non_null(strstr(srv.asked, "If-None-Match: \"v1\"\r\n"));
	assert_non_null(strstr(said_lines.p, "nothing new"));
	assert_int_equal(row().changed_unix_ns, T0);
	assert_int_equal(row().succeeded_unix_ns, T0 + SECOND_NS);
	/* a database that is gone is made again, whatever was fetched before */
	unlink(w.db_path);
	assert_int_equal(update(), 0);
	assert_null(strstr(srv.asked, "If-None-Match"));
	assert_non_null(strstr(said_lines.p, "1 new"));
}

static void an_update_raises_and_closes_alerts(void **state)
{
	advised_image(WEB, "web:1", packages);
	advised_run("agent-1", 1, WEB);
	srv.body = ONE("CVE-2026-0001");
	srv.etag = "\"v1\"";
	assert_int_equal(update(), 0);
	assert_non_null(strstr(advised_work(), "new CVE-2026-0001"));
	srv.body = ONE("CVE-2026-0002");
	srv.etag = "\"v2\"";
	assert_int_equal(update(), 0);
	const char *told = advised_work();
	assert_non_null(strstr(told, "new CVE-2026-0002"));
	assert_non_null(strstr(told, "closed 1 "));
}

static void a_failure_leaves_the_data_and_what_is_known_of_it(void **state)
{
	static const struct {
		enum mode mode;
		const char *body, *says;
	} cases[] = {
		{ GONE_404, "", "404" },
		{ CUT, ONE("CVE-2026-0009"), "" },
		{ TO_PLAIN, ONE("CVE-2026-0008"), "" },
		{ OVER_AND_OVER, "", "redirect" },
		{ OK_200, "this is not what it should be", "" },
		{ OK_200, "{}", "" },
		{ OK_200, "", "" },
	};
	struct vulndb_info info;
	struct vulndb *db;

	srv.body = ONE("CVE-2026-0001");
	srv.etag = "\"v1\"";
	assert_int_equal(update(), 0);
	srv.etag = "\"v2\"";
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		clock_fake_advance(&w.f.clk, SECOND_NS);
		srv.mode = cases[i].mode;
		srv.body = cases[i].body;
		assert_int_equal(update(), 1);
		if (!strstr(row().error, cases[i].says) || !row().error[0])
			fail_msg("case %zu: %s", i, row().error);
		assert_string_equal(row().etag, "\"v1\"");
		assert_int_equal(row().succeeded_unix_ns, T0);
		assert_int_equal(row().tried_unix_ns, T0 + (i + 1) * SECOND_NS);
		OK(vulndb_open(w.db_path, NULL, &db, &err));
		OK(vulndb_status(db, &info, NULL, NULL, &err));
		vulndb_close(db);
		assert_int_equal(info.records, 1);
		assert_int_equal(info.generation, 1);
	}
	/* nothing is left lying about */
	char command[256];
	snprintf(command, sizeof(command), "ls %s | grep -c part-", w.f.dir);
	assert_int_not_equal(system(command), 0);
}

static void a_server_that_is_not_trusted_is_not_asked(void **state)
{
	srv.body = ONE("CVE-2026-0001");
	srv.etag = "\"v1\"";
	feed.ca_file = NULL;
	assert_int_equal(update(), 1);
	assert_int_equal(srv.requests, 0);
	feed.url = (char *)(uintptr_t)"http://127.0.0.1:1/x";
	assert_int_equal(update(), 1);
	assert_non_null(strstr(said_lines.p, "https://"));
	feed.url = (char *)(uintptr_t)"file:///etc/passwd";
	assert_int_equal(update(), 1);
}

static void each_feed_is_tried_whatever_becomes_of_the_others(void **state)
{
	static struct vuln_feed two[2];

	srv.body = ONE("CVE-2026-0001");
	srv.etag = "\"v1\"";
	two[0] = feed;
	two[0].name = (char *)(uintptr_t)"broken";
	two[0].url = (char *)(uintptr_t)"/no/such/file.json";
	two[1] = feed;
	w.cfg.feeds = two;
	w.cfg.feed_count = 2;
	assert_int_equal(update(), 1);
	assert_non_null(strstr(said_lines.p, "broken: "));
	assert_non_null(strstr(said_lines.p, "debian: 1 advisories read"));
}

static void a_file_is_read_when_it_has_changed(void **state)
{
	static char path[160];

	snprintf(path, sizeof(path), "%s/tracker.json", w.f.dir);
	OK(file_write_atomic(path, SLICE_LIT(ONE("CVE-2026-0001")), 0600, &err));
	feed.url = path;
	assert_int_equal(update(), 0);
	assert_non_null(strstr(said_lines.p, "1 new"));
	assert_int_equal(update(), 0);
	assert_non_null(strstr(said_lines.p, "nothing new"));
	OK(file_write_atomic(path, SLICE_LIT(ONE("CVE-2026-00011")), 0600, &err));
	assert_int_equal(update(), 0);
	assert_non_null(strstr(said_lines.p, "1 gone"));
	assert_int_equal(access(path, F_OK), 0);
}

static void two_imports_at_once_are_refused(void **state)
{
	char path[160];
	unsigned failed;

	snprintf(path, sizeof(path), "%s.lock", w.db_path);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(vuln_feeds_update(w.f.s, &w.f.clk, &w.cfg, NULL, NULL, &failed, &err), -EBUSY);
	assert_int_equal(vuln_feed_import(w.f.s, &w.f.clk, &w.cfg, "kev", "/dev/null", NULL, NULL, &err), -EBUSY);
	close(fd);
}

/* ---- a database carried here ---- */

static void copy(const char *from, const char *to)
{
	struct buf b;

	OK(file_read(from, 64 << 20, &b, &err));
	OK(file_write_atomic(to, buf_slice(&b), 0600, &err));
	buf_fini(&b);
}

static void a_whole_database_is_taken_over_after_a_look_at_it(void **state)
{
	char other[160], junk[160];

	advised_image(WEB, "web:1", packages);
	advised_run("agent-1", 1, WEB);
	srv.body = ONE("CVE-2026-0001");
	srv.etag = "\"v1\"";
	assert_int_equal(update(), 0);
	snprintf(other, sizeof(other), "%s/carried.db", w.f.dir);
	snprintf(junk, sizeof(junk), "%s/junk.db", w.f.dir);
	copy(w.db_path, other);
	srv.body = ONE("CVE-2026-0002");
	srv.etag = "\"v2\"";
	assert_int_equal(update(), 0);
	assert_non_null(strstr(advised_work(), "new CVE-2026-0002"));
	OK(file_write_atomic(junk, SLICE_LIT("not a database, however long it may be, and it is long"), 0600, &err));
	assert_true(vuln_feed_import(w.f.s, &w.f.clk, &w.cfg, "db", junk, NULL, NULL, &err) < 0);
	assert_true(vuln_feed_import(w.f.s, &w.f.clk, &w.cfg, "db", "/no/such", NULL, NULL, &err) < 0);
	OK(vuln_feed_import(w.f.s, &w.f.clk, &w.cfg, "db", other, say, NULL, &err));
	/* an older one, with another's generations: everything is looked at again */
	const char *told = advised_work();
	assert_non_null(strstr(told, "new CVE-2026-0001"));
	assert_non_null(strstr(told, "closed 1"));
}

static void another_database_of_the_same_generation_is_another(void **state)
{
	char other[160];

	advised_image(WEB, "web:1", packages);
	advised_run("agent-1", 1, WEB);
	srv.body = ONE("CVE-2026-0001");
	srv.etag = "\"v1\"";
	assert_int_equal(update(), 0);
	snprintf(other, sizeof(other), "%s/carried.db", w.f.dir);
	copy(w.db_path, other);
	unlink(w.db_path);
	srv.body = ONE("CVE-2026-0002");
	srv.etag = "\"v2\"";
	assert_int_equal(update(), 0);
	assert_non_null(strstr(advised_work(), "new CVE-2026-0002"));
	assert_int_equal(w.v->data.info.generation, 1);
	OK(vuln_feed_import(w.f.s, &w.f.clk, &w.cfg, "db", other, NULL, NULL, &err));
	assert_non_null(strstr(advised_work(), "new CVE-2026-0001"));
	assert_int_equal(w.v->data.info.generation, 1);
}

static void with_a_key_only_a_signed_database_is_taken_and_used(void **state)
{
	static char key_file[160];
	char other[160], command[700];
	struct buf key;

	srv.body = ONE("CVE-2026-0001");
	srv.etag = "\"v1\"";
	assert_int_equal(update(), 0);
	snprintf(other, sizeof(other), "%s/carried.db", w.f.dir);
	snprintf(key_file, sizeof(key_file), "%s/public.pem", w.f.dir);
	copy(w.db_path, other);
	snprintf(command, sizeof(command),
		 "cd %s && openssl genpkey -algorithm ed25519 -out key.pem 2>/dev/null && openssl pkey -in key.pem -pubout"
		 " -out public.pem",
		 w.f.dir);
	assert_int_equal(system(command), 0);
	advised_image(WEB, "web:1", packages);
	advised_run("agent-1", 1, WEB);
	w.cfg.public_key_file = key_file;
	unsigned failed;
	assert_int_equal(vuln_feeds_update(w.f.s, &w.f.clk, &w.cfg, NULL, NULL, &failed, &err), -ERR_DENIED);
	/* what stands there isn't signed: not used, and no unsigned one is taken */
	assert_string_equal(advised_work(), "");
	assert_true(vuln_feed_import(w.f.s, &w.f.clk, &w.cfg, "db", other, NULL, NULL, &err) < 0);
	snprintf(command, sizeof(command), "%s/key.pem", w.f.dir);
	OK(file_read(command, 16384, &key, &err));
	OK(vulndb_sign(other, key.p, &err));
	buf_fini(&key);
	OK(vuln_feed_import(w.f.s, &w.f.clk, &w.cfg, "db", other, say, NULL, &err));
	assert_non_null(strstr(said_lines.p, "signature right"));
	assert_non_null(strstr(advised_work(), "new CVE-2026-0001"));
}

/* ---- the process ---- */

static void feeds_are_looked_at_by_a_process_of_their_own_when_it_is_time(void **state)
{
	/* /proc/self/exe is this test: main() plays the part of `feed update` */
	static const char *command[] = { "test", "--touch", NULL, NULL };
	char flag[160];

	snprintf(flag, sizeof(flag), "%s/updated", w.f.dir);
	command[2] = flag;
	vuln_free(w.v);
	w.cfg.update_command = command;
	w.cfg.feed_every_ms = 3600000;
	advised_start();
	for (unsigned i = 0; i < 30 && access(flag, F_OK) < 0; i++) {
		clock_fake_advance(&w.f.clk, 3 * SECOND_NS);
		loop_step(w.loop, 1500);
	}
	assert_int_equal(access(flag, F_OK), 0);
	for (unsigned i = 0; i < 100 && w.v->child > 0; i++)
		loop_step(w.loop, 50);
	assert_int_equal(w.v->child, 0);
	/* not again before its time */
	struct store_feed f = { .name = "debian", .tried_unix_ns = clock_unix_ns(&w.f.clk) };
	OK(store_feed_put(w.f.s, &f, &err));
	unlink(flag);
	clock_fake_advance(&w.f.clk, 1800 * SECOND_NS);
	feeds_tick(w.v);
	assert_int_equal(w.v->child, 0);
	clock_fake_advance(&w.f.clk, 1801 * SECOND_NS);
	feeds_tick(w.v);
	assert_true(w.v->child > 0);
}

int main(int argc, char **argv)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_new_is_fetched_once_by_its_etag),
		TEST(an_update_raises_and_closes_alerts),
		TEST(a_failure_leaves_the_data_and_what_is_known_of_it),
		TEST(a_server_that_is_not_trusted_is_not_asked),
		TEST(each_feed_is_tried_whatever_becomes_of_the_others),
		TEST(a_file_is_read_when_it_has_changed),
		TEST(two_imports_at_once_are_refused),
		TEST(a_whole_database_is_taken_over_after_a_look_at_it),
		TEST(another_database_of_the_same_generation_is_another),
		TEST(with_a_key_only_a_signed_database_is_taken_and_used),
		TEST(feeds_are_looked_at_by_a_process_of_their_own_when_it_is_time),
	};

	if (argc == 3 && !strcmp(argv[1], "--touch"))
		return close(open(argv[2], O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) < 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
