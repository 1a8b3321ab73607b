/* fetch: against a small HTTP and SMTP server in a thread, over TCP and a unix socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/fetch.h"
#include "common/text.h"

enum { PEERS_MAX = 64 };

/* ---- the server ---- */

static int listeners[3] = { -1, -1, -1 }; /* unix, TCP, SMTP over TCP */
static int http_port, smtp_port, stop_pipe[2];
static char socket_path[] = "/tmp/picket-test-fetch-XXXXXX";
static pthread_t accept_thread, peer_threads[PEERS_MAX];
static size_t peer_count;
static atomic_uint connections;
static char mail[4096]; /* what the last mail's DATA was; read after its reply */

static void say(int fd, const char *s)
{
	(void)!send(fd, s, strlen(s), MSG_NOSIGNAL);
}

/* Waits until the client goes away or the test ends. */
static void wait_for_end(int fd, int ms)
{
	struct pollfd p[] = { { .fd = fd, .events = POLLIN }, { .fd = stop_pipe[0], .events = POLLIN } };

	poll(p, 2, ms);
}

static void answer_stream(int fd, unsigned pieces)
{
	say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (unsigned i = 0; i < pieces; i++) {
		if (send(fd, "6\r\npiece\n\r\n", 11, MSG_NOSIGNAL) < 0)
			return;
		wait_for_end(fd, 5);
	}
	say(fd, "0\r\n\r\n");
}

static void answer_big(int fd)
{
	static const char zeros[10000];

	say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
	for (int i = 0; i < 100 && send(fd, zeros, sizeof(zeros), MSG_NOSIGNAL) > 0; i++)
		;
}

static void answer_echo(int fd, const char *request, const char *body)
{
	char text[4096], head[200];
	bool has_form = strcasestr(request, "Content-Type: application/x-www") != NULL;

	snprintf(text, sizeof(text), "%.*s|%s|%s|%s", (int)strcspn(request, " "), request,
		 strstr(request, "\r\nX-Key: 7") ? "key" : "", body, has_form ? "form" : "");
	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
		 strlen(text));
	say(fd, head);
	say(fd, text);
}

/* false: the connection ends. */
static bool answer(int fd, const char *request, const char *body)
{
	static const struct {
		const char *path, *text;
	} fixed[] = {
		{ " /hello ", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" },
		{ " /later ", "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy" },
		{ " /never ", "HTTP/1.1 503 Busy\r\nRetry-After: 99999999999\r\nContent-Length: 0\r\n\r\n" },
		{ " /redirect ", "HTTP/1.1 302 Go\r\nLocation: /hello\r\nContent-Length: 0\r\n\r\n" },
		{ " /absent ", "HTTP/1.1 404 No\r\nContent-Length: 7\r\n\r\nno such" },
	};

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		if (strstr(request, fixed[i].path)) {
			say(fd, fixed[i].text);
			return true;
		}
	}
	if (strstr(request, " /echo "))
		answer_echo(fd, request, body);
	else if (strstr(request, " /chunks "))
		answer_stream(fd, 3);
	else if (strstr(request, " /forever "))
		answer_stream(fd, 100000);
	else if (strstr(request, " /big "))
		answer_big(fd);
	else if (strstr(request, " /slow ")) {
		say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
		wait_for_end(fd, 20000);
		return false;
	} else
		return false; /* "/drop": no answer at all */
	return true;
}

static void serve_http(int fd)
{
	char text[8192];
	size_t n = 0;

	for (;;) {
		ssize_t got = recv(fd, text + n, sizeof(text) - 1 - n, 0);
		if (got <= 0)
			return;
		n += (size_t)got;
		text[n] = 0;
		char *end = strstr(text, "\r\n\r\n");
		if (!end)
			continue;
		const char *length = strcasestr(text, "Content-Length: ");
		size_t want = length && length < end ? strtoul(length + 16, NULL, 10) : 0;
		if (n < (size_t)(end + 4 - text) + want)
			continue;
		*end = 0;
		if (!answer(fd, text, end + 4))
			return;
		n = 0;
	}
}

static void serve_smtp(int fd)
{
	char line[1000];
	bool in_data = false;
	FILE *f CLEANUP(fclosep) = fdopen(dup(fd), "r");

	say(fd, "220 test\r\n");
	while (f && fgets(line, sizeof(line), f)) {
		if (in_data) {
			in_data = strcmp(line, ".\r\n") != 0;
			if (in_data)
				strncat(mail, line, sizeof(mail) - strlen(mail) - 1);
			else
				say(fd, "250 taken\r\n");
		} else if (!strncmp(line, "DATA", 4)) {
			mail[0] = 0;
			in_data = true;
			say(fd, "354 go on\r\n");
		} else if (!strncmp(line, "QUIT", 4)) {
			say(fd, "221 bye\r\n");
			return;
		} else {
			say(fd, strstr(line, "<nobody@") ? "550 no such user\r\n" : "250 fine\r\n");
		}
	}
}

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	bool is_smtp = fd & 1 << 20;

	fd &= ~(1 << 20);
	if (is_smtp)
		serve_smtp(fd);
	else
		serve_http(fd);
	close(fd);
	return NULL;
}

static void *accept_all(void *arg)
{
	for (;;) {
		struct pollfd p[4] = { { .fd = stop_pipe[0], .events = POLLIN } };

		for (size_t i = 0; i < 3; i++)
			p[i + 1] = (struct pollfd){ .fd = listeners[i], .events = POLLIN };
		poll(p, 4, -1);
		if (p[0].revents)
			return NULL;
		for (size_t i = 0; i < 3; i++) {
			if (!p[i + 1].revents || peer_count == PEERS_MAX)
				continue;
			intptr_t fd = accept4(listeners[i], NULL, NULL, SOCK_CLOEXEC);
			atomic_fetch_add(&connections, 1);
			if (!pthread_create(&peer_threads[peer_count], NULL, serve,
					    (void *)(i == 2 ? fd | 1 << 20 : fd)))
				peer_count++;
		}
	}
}

static int listen_tcp(int *ret_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, size) || listen(fd, 32) ||
	    getsockname(fd, (struct sockaddr *)&a, &size))
		return -1;
	*ret_port = ntohs(a.sin_port);
	return fd;
}

static int start_server(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	/* Loopback must not go through a proxy of whoever runs the tests. */
	setenv("no_proxy", "*", 1);
	if (pipe(stop_pipe) || !mkdtemp(socket_path))
		return -1;
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/sock", socket_path);
	listeners[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	listeners[1] = listen_tcp(&http_port);
	listeners[2] = listen_tcp(&smtp_port);
	if (listeners[1] < 0 || listeners[2] < 0 ||
	    bind(listeners[0], (struct sockaddr *)&a, sizeof(a)) || listen(listeners[0], 32))
		return -1;
	return pthread_create(&accept_thread, NULL, accept_all, NULL);
}

static int stop_server(void **state)
{
	char path[100];

	close(stop_pipe[1]); /* wakes everybody: the pipe hangs up */
	pthread_join(accept_thread, NULL);
	for (size_t i = 0; i < peer_count; i++)
		pthread_join(peer_threads[i], NULL);
	for (size_t i = 0; i < 3; i++)
		close(listeners[i]);
	close(stop_pipe[0]);
	snprintf(path, sizeof(path), "%s/sock", socket_path);
	unlink(path);
	return rmdir(socket_path);
}

/* ---- the client's side ---- */

struct seen {
	struct fetch_pool *pool;
	struct fetch *other; /* to cancel from a callback */
	unsigned done, pieces, end_after;
	int code;
	long status;
	uint64_t retry_after_ms;
	char body[4096], message[400], data[200];
	bool start_more, free_pool;
};

struct world {
	struct loop *loop;
	struct fetch_pool *pool;
};

static int set_up(void **state)
{
	static struct world w;
	struct err err;

	w = (struct world){ 0 };
	*state = &w;
	return loop_new(&w.loop, &err) || fetch_pool_new(w.loop, 4, &w.pool, &err);
}

static int tear_down(void **state)
{
	struct world *w = *state;

	fetch_pool_free(w->pool);
	loop_free(w->loop);
	return 0;
}

static const char *url(const char *path)
{
	static char s[200];

	snprintf(s, sizeof(s), "http://127.0.0.1:%d%s", http_port, path);
	return s;
}

static const char *unix_path(void)
{
	static char s[100];

	snprintf(s, sizeof(s), "%s/sock", socket_path);
	return s;
}

static void on_done(void *arg, const struct fetch_result *r)
{
	struct seen *s = arg;

	s->done++;
	s->code = r->code;
	s->status = r->status;
	s->retry_after_ms = r->retry_after_ms;
	slice_copy(r->body, s->body, sizeof(s->body));
	slice_copy(slice_of(r->message), s->message, sizeof(s->message));
	if (s->free_pool)
		fetch_pool_free(s->pool);
}

static void start(struct world *w, struct fetch_request rq, struct seen *s, struct fetch **ret)
{
	struct err err = { 0 };

	rq.on_done = on_done;
	rq.arg = s;
	if (!rq.timeout_ms && !rq.on_data)
		rq.timeout_ms = 20000;
	if (fetch_start(w->pool, &rq, ret, &err) < 0)
		fail_msg("%s", err.msg);
}

static bool on_data(void *arg, struct slice piece)
{
	struct seen *s = arg;

	strncat(s->data, piece.p, piece.n < 20 ? piece.n : 20);
	s->pieces++;
	if (s->other) {
		fetch_cancel(s->other);
		s->other = NULL;
	}
	if (s->start_more) {
		struct fetch_request rq = { .url = url("/hello"), .on_done = on_done, .arg = s };
		struct err err;

		s->start_more = false;
		assert_int_equal(fetch_start(s->pool, &rq, NULL, &err), 0);
	}
	return !s->end_after || s->pieces < s->end_after;
}

static void run_until_done(struct world *w, struct seen *s)
{
	for (int i = 0; i < 2000 && !s->done; i++)
		loop_step(w->loop, 20);
	assert_int_equal(s->done, 1);
}

static void an_answer_arrives_over_tcp_and_over_a_unix_socket(void **state)
{
	struct world *w = *state;
	struct seen a = { 0 }, b = { 0 };

	start(w, (struct fetch_request){ .url = url("/hello") }, &a, NULL);
	start(w, (struct fetch_request){ .url = "http://docker/hello", .unix_socket = unix_path() }, &b,
	      NULL);
	run_until_done(w, &a);
	run_until_done(w, &b);
	assert_int_equal(a.code, 0);
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "hello");
	assert_string_equal(b.body, "hello");
	assert_string_equal(b.message, "");
}

static void methods_headers_and_bodies_go_out_as_asked(void **state)
{
	static const char *const headers[] = { "X-Key: 7", NULL };
	static const struct {
		const char *method, *body, *want;
	} rows[] = {
		{ NULL, "", "GET|key||" },	   { NULL, "abc", "POST|key|abc|" },
		{ "POST", "", "POST|key||" },	   { "PUT", "abc", "PUT|key|abc|" },
		{ "DELETE", "", "DELETE|key||" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct seen s = { 0 };

		start(w,
		      (struct fetch_request){ .url = url("/echo"),
					      .method = rows[i].method,
					      .headers = headers,
					      .body = slice_of(rows[i].body) },
		      &s, NULL);
		run_until_done(w, &s);
		assert_int_equal(s.status, 200);
		assert_string_equal(s.body, rows[i].want); /* and no form type */
	}
}

static void a_stream_comes_in_pieces_while_other_requests_keep_one_connection(void **state)
{
	struct world *w = *state;
	struct seen stream = { 0 };
	struct fetch *f = NULL;
	unsigned before = atomic_load(&connections);

	start(w,
	      (struct fetch_request){ .url = "http://d/forever", .unix_socket = unix_path(),
				      .on_data = on_data },
	      &stream, &f);
	for (int i = 0; i < 500 && stream.pieces < 2; i++)
		loop_step(w->loop, 20);
	for (int i = 0; i < 10; i++) {
		struct seen s = { 0 };

		start(w, (struct fetch_request){ .url = "http://d/hello", .unix_socket = unix_path() },
		      &s, NULL);
		run_until_done(w, &s);
		assert_int_equal(s.status, 200);
	}
	assert_int_equal(atomic_load(&connections) - before, 2);
	assert_int_equal(stream.done, 0);
	fetch_cancel(f);
	stream.pieces = 0;
	for (int i = 0; i < 5; i++)
		loop_step(w->loop, 10);
	assert_int_equal(stream.pieces, 0);
	assert_int_equal(stream.done, 0);
}

static void a_stream_that_ends_is_done_with_an_empty_body(void **state)
{
	struct world *w = *state;
	struct seen s = { 0 };

	start(w, (struct fetch_request){ .url = url("/chunks"), .on_data = on_data }, &s, NULL);
	run_until_done(w, &s);
	assert_int_equal(s.code, 0);
	assert_string_equal(s.data, "piece\npiece\npiece\n");
	assert_string_equal(s.body, "");
}

static void on_data_may_end_its_stream(void **state)
{
	struct world *w = *state;
	struct seen s = { .end_after = 3 };

	start(w, (struct fetch_request){ .url = url("/forever"), .on_data = on_data }, &s, NULL);
	run_until_done(w, &s);
	assert_int_equal(s.code, 0);
	assert_int_equal(s.status, 200);
	assert_int_equal(s.pieces, 3);
}

static void a_refused_stream_gives_its_words_as_body(void **state)
{
	struct world *w = *state;
	struct seen s = { 0 };

	start(w, (struct fetch_request){ .url = url("/absent"), .on_data = on_data }, &s, NULL);
	run_until_done(w, &s);
	assert_int_equal(s.code, 0);
	assert_int_equal(s.status, 404);
	assert_int_equal(s.pieces, 0);
	assert_string_equal(s.body, "no such");
}

static void on_data_may_start_and_cancel_other_requests(void **state)
{
	struct world *w = *state;
	struct seen slow = { 0 }, s = { .pool = w->pool, .start_more = true };

	start(w, (struct fetch_request){ .url = url("/slow") }, &slow, &s.other);
	for (int i = 0; i < 5; i++)
		loop_step(w->loop, 10);
	start(w, (struct fetch_request){ .url = url("/forever"), .on_data = on_data }, &s, NULL);
	for (int i = 0; i < 500 && !s.done; i++)
		loop_step(w->loop, 20);
	assert_string_equal(s.body, "hello"); /* the one that was started inside */
	assert_int_equal(slow.done, 0);
	assert_null(s.other);
}

static void a_pool_may_be_freed_from_a_callback(void **state)
{
	struct world *w = *state;
	struct seen slow = { 0 }, s = { .pool = w->pool, .free_pool = true };

	start(w, (struct fetch_request){ .url = url("/slow") }, &slow, NULL);
	start(w, (struct fetch_request){ .url = url("/hello") }, &s, NULL);
	run_until_done(w, &s);
	w->pool = NULL;
	loop_step(w->loop, 10);
	assert_int_equal(slow.done, 0);
}

static void what_goes_wrong_is_named(void **state)
{
	const struct {
		struct fetch_request rq;
		const char *path; /* nullable */
		int code;
		const char *words;
	} rows[] = {
		{ { .timeout_ms = 100 }, "/slow", ETIMEDOUT, "timed out" },
		{ { .max_body_bytes = 1000 }, "/big", ERR_LIMIT, "the answer is larger than 1000 bytes" },
		{ { 0 }, "/drop", ERR_PEER, "Empty reply" },
		{ { .url = "http://127.0.0.1:1/" }, NULL, ECONNREFUSED, "Connection refused" },
		{ { .url = "http://d/", .unix_socket = "/nonexistent/docker.sock" }, NULL, ENOENT,
		  "connect to '/nonexistent/docker.sock': No such file" },
		{ { .url = "file:///etc/passwd" }, NULL, EINVAL, "rotocol" },
		{ { .url = "gopher://127.0.0.1/" }, NULL, EINVAL, "rotocol" },
		{ { .url = "http://" }, NULL, EINVAL, "" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct seen s = { 0 };
		struct fetch_request rq = rows[i].rq;

		if (rows[i].path)
			rq.url = url(rows[i].path);
		start(w, rq, &s, NULL);
		run_until_done(w, &s);
		if (s.code != rows[i].code || !strstr(s.message, rows[i].words))
			fail_msg("row %zu: %d '%s'", i, s.code, s.message);
	}
}

static void a_redirect_is_not_followed_and_retry_after_is_read(void **state)
{
	static const struct {
		const char *path;
		long status;
		uint64_t retry_after_ms;
	} rows[] = {
		{ "/redirect", 302, 0 },
		{ "/later", 503, 7000 },
		{ "/never", 503, 7ULL * 86400000 },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct seen s = { 0 };

		start(w, (struct fetch_request){ .url = url(rows[i].path) }, &s, NULL);
		run_until_done(w, &s);
		assert_int_equal(s.code, 0);
		assert_int_equal(s.status, rows[i].status);
		assert_int_equal(s.retry_after_ms, rows[i].retry_after_ms);
	}
}

static void lines_from_outside_cannot_add_lines(void **state)
{
	static const char *const bad_header[] = { "X: a\r\nY: b", NULL };
	static const char *const bad_to[] = { "a@b>\r\nRCPT TO:<c@d", NULL };
	static const char *const two_to[] = { "a@b, c@d", NULL };
	const struct fetch_request rows[] = {
		{ .url = "http://127.0.0.1/\r\nX: y" },
		{ .url = "http://127.0.0.1/", .headers = bad_header },
		{ .url = "http://127.0.0.1/", .method = "GET / HTTP/1.1\r\n" },
		{ .url = "smtp://127.0.0.1/", .mail_from = "a@b", .mail_to = bad_to },
		{ .url = "smtp://127.0.0.1/", .mail_from = "a@b", .mail_to = two_to },
		{ .url = "smtp://127.0.0.1/", .mail_from = "a@b\nX", .mail_to = NULL },
		{ .url = NULL },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = { 0 };

		assert_int_equal(fetch_start(w->pool, &rows[i], NULL, &err), -EINVAL);
	}
}

static void a_mail_goes_out_with_its_line_ends_and_dots(void **state)
{
	static const char *const to[] = { "ops@example.org", NULL };
	struct world *w = *state;
	struct seen s = { 0 };
	char at[100];

	snprintf(at, sizeof(at), "smtp://127.0.0.1:%d", smtp_port);
	start(w,
	      (struct fetch_request){ .url = at, .mail_from = "picket@example.org", .mail_to = to,
				      .body = SLICE_LIT("Subject: x\n\n.dot\r\nend\n") },
	      &s, NULL);
	run_until_done(w, &s);
	assert_string_equal(s.message, "");
	assert_int_equal(s.code, 0);
	assert_int_equal(s.status, 250);
	assert_string_equal(mail, "Subject: x\r\n\r\n..dot\r\nend\r\n");
}

static void a_mail_that_must_not_go_does_not(void **state)
{
	static const char *const to[] = { "ops@example.org", NULL };
	static const char *const nobody[] = { "nobody@example.org", NULL };
	const struct {
		struct fetch_request rq;
		int code;
		long status;
	} rows[] = {
		{ { .mail_to = nobody }, ERR_PEER, 550 },
		{ { .mail_to = to, .starttls = FETCH_TLS_REQUIRED }, ERR_CRYPTO, -1 },
		{ { .mail_to = to, .user = "u", .password = "p" }, ERR_CRYPTO, -1 },
	};
	struct world *w = *state;
	char at[100];

	snprintf(at, sizeof(at), "smtp://127.0.0.1:%d", smtp_port);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fetch_request rq = rows[i].rq;
		struct seen s = { 0 };

		mail[0] = 0;
		rq.url = at;
		rq.mail_from = "picket@example.org";
		rq.body = SLICE_LIT("secret");
		start(w, rq, &s, NULL);
		run_until_done(w, &s);
		if (s.code != rows[i].code || (rows[i].status >= 0 && s.status != rows[i].status))
			fail_msg("row %zu: %d %ld '%s'", i, s.code, s.status, s.message);
		assert_string_equal(mail, "");
	}
}

static void waiting_without_a_loop_works_too(void **state)
{
	struct buf body CLEANUP(buf_finip) = { 0 };
	struct err err = { 0 };
	long status = 0;

	assert_int_equal(fetch_wait(&(struct fetch_request){ .url = url("/absent") }, &status, &body,
				    &err),
			 0);
	assert_int_equal(status, 404);
	assert_string_equal(body.p, "no such");
	buf_fini(&body);
	assert_int_equal(fetch_wait(&(struct fetch_request){ .url = "http://127.0.0.1:1/" }, &status,
				    &body, &err),
			 -ECONNREFUSED);
	assert_non_null(strstr(err.msg, "Connection refused"));
}

static void keep_header(void *arg, struct slice name, struct slice value)
{
	buf_printf(arg, "%.*s=%.*s;", SLICE_FMT(name), SLICE_FMT(value));
}

static void the_heads_lines_are_told(void **state)
{
	struct buf body CLEANUP(buf_finip) = { 0 };
	struct buf head CLEANUP(buf_finip) = { 0 };
	long status = 0;

	buf_init(&head, 1000);
	assert_int_equal(fetch_wait(&(struct fetch_request){ .url = url("/redirect"), .on_header = keep_header, .arg = &head },
				    &status, &body, NULL),
			 0);
	assert_string_equal(head.p, "Location=/hello;Content-Length=0;");
}

#define ON_POOL(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_POOL(an_answer_arrives_over_tcp_and_over_a_unix_socket),
		ON_POOL(methods_headers_and_bodies_go_out_as_asked),
		ON_POOL(a_stream_comes_in_pieces_while_other_requests_keep_one_connection),
		ON_POOL(a_stream_that_ends_is_done_with_an_empty_body),
		ON_POOL(on_data_may_end_its_stream),
		ON_POOL(a_refused_stream_gives_its_words_as_body),
		ON_POOL(on_data_may_start_and_cancel_other_requests),
		ON_POOL(a_pool_may_be_freed_from_a_callback),
		ON_POOL(what_goes_wrong_is_named),
		ON_POOL(a_redirect_is_not_followed_and_retry_after_is_read),
		ON_POOL(lines_from_outside_cannot_add_lines),
		ON_POOL(a_mail_goes_out_with_its_line_ends_and_dots),
		ON_POOL(a_mail_that_must_not_go_does_not),
		ON_POOL(waiting_without_a_loop_works_too),
		ON_POOL(the_heads_lines_are_told),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
