/* test_engine.c - an engine that hangs, lies or breaks off: only what a real one can't be made to do. */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/agent/guard/guard_test.h"

enum { CLIENTS = 64 };

#define A16 "aaaaaaaaaaaaaaaa"
#define ID A16 A16 A16 A16
#define NET_ID "bbbbbbbbbbbbbbbb" A16 A16 A16
#define RUNNING "\"Id\":\"" ID "\",\"State\":{\"Status\":\"running\",\"Running\":true,\"Pid\":4194000}"

static struct {
	char dir[40], path[64];
	int fd, clients[CLIENTS];
	struct loop_fd *watch, *watches[CLIENTS];
	const char *inspect, *refusal; /* a body; NULL: hangs. refusal: what a POST gets, else 204 */
	int status;		       /* of the inspect; 0 hangs up, -1 sends what is no HTTP */
	int post_status;
	unsigned gets, posts;
	char last_post[512];
} engine;

static void answer(int fd, int status, const char *body)
{
	CLEANUP(buf_finip) struct buf out = { 0 };

	buf_init(&out, 0);
	if (status < 0)
		buf_add_str(&out, "\x16\x03\x01 no HTTP at all\r\n\r\n");
	else
		buf_printf(&out, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status,
			   strlen(body));
	buf_add_str(&out, status < 0 ? "" : body);
	(void)!send(fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT); /* what does not fit is left out */
	shutdown(fd, SHUT_WR);
}

static void on_client(void *arg, int fd, unsigned ready)
{
	char bytes[4096];
	ssize_t n = recv(fd, bytes, sizeof(bytes) - 1, MSG_DONTWAIT);
	unsigned i = (unsigned)(uintptr_t)arg;

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN) {
			loop_fd_free(engine.watches[i]);
			close(fd);
			engine.clients[i] = 0;
		}
		return;
	}
	bytes[n] = 0;
	if (!strncmp(bytes, "GET ", 4)) {
		engine.gets++;
		if (!engine.status)
			shutdown(fd, SHUT_RDWR);
		else if (engine.inspect)
			answer(fd, engine.status, engine.inspect);
		return;
	}
	engine.posts++;
	(void)slice_copy(slice_of(bytes), engine.last_post, sizeof(engine.last_post));
	if (engine.refusal)
		answer(fd, engine.post_status, engine.refusal);
}

static void on_connect(void *arg, int fd, unsigned ready)
{
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC), size = 4 << 20;

	(void)setsockopt(client, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	for (unsigned i = 0; client >= 0 && i < CLIENTS; i++)
		if (!engine.clients[i]) {
			engine.clients[i] = client;
			engine.watches[i] =
				loop_fd_new(fx.loop, client, LOOP_READ, on_client, (void *)(uintptr_t)i);
			return;
		}
	abort();
}

static int open_engine(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (open_loop(state) < 0)
		return -1;
	strcpy(engine.dir, "/tmp/picket-guard-XXXXXX");
	if (!mkdtemp(engine.dir))
		return -1;
	snprintf(engine.path, sizeof(engine.path), "%s/s", engine.dir);
	strcpy(a.sun_path, engine.path);
	engine.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(engine.fd, (struct sockaddr *)&a, sizeof(a)) || listen(engine.fd, 64))
		return -1;
	engine.watch = loop_fd_new(fx.loop, engine.fd, LOOP_READ, on_connect, NULL);
	return 0;
}

static int close_engine(void **state)
{
	guard_free(fx.guard);
	fx.guard = NULL;
	for (unsigned i = 0; i < CLIENTS; i++)
		if (engine.clients[i]) {
			loop_fd_free(engine.watches[i]);
			close(engine.clients[i]);
		}
	loop_fd_free(engine.watch);
	close(engine.fd);
	unlink(engine.path);
	rmdir(engine.dir);
	return close_loop(state);
}

static void says(int status, const char *inspect, int post_status, const char *refusal)
{
	engine.status = status;
	engine.inspect = inspect;
	engine.post_status = post_status;
	engine.refusal = refusal;
	engine.gets = engine.posts = 0;
	engine.last_post[0] = 0;
}

static void match(const char *rule, const char *id)
{
	struct event e = { .boot_ns = clock_boot_ns(clock_real()), .p = { .pid = 1, .start_ns = 1 } };

	guard_match(fx.guard, rule, &e, id, 1);
}

static const char *why_of(const char *rule)
{
	guard_open(GUARD_ENFORCE, engine.path, 0);
	match(rule, ID);
	const struct told *t = fx.count ? &fx.told[0] : next_told();
	return t->r.is_done ? "done" : t->why;
}

static void what_the_engine_says_wrong_is_one_clear_reason(void **state)
{
	static const struct {
		int status;
		const char *inspect;
		int post_status;
		const char *refusal, *rule, *why; /* why: what it begins with */
		unsigned posts;
	} cases[] = {
		{ 500, "{\"message\":\"disk \\u0007full\"}", 0, "", "stop it", "the engine answered 500: disk ", 0 },
		{ 500, "<html>", 0, "", "stop it", "the engine answered 500", 0 },
		{ 404, "{\"message\":\"No such container\"}", 0, "", "stop it", "already gone", 0 },
		{ 0, "", 0, "", "stop it", "the engine did not answer: ", 0 },
		{ -1, "", 0, "", "stop it", "the engine did not answer: ", 0 },
		{ 200, "", 0, "", "stop it", "the engine's answer: ", 0 },
		{ 200, "[[[[", 0, "", "stop it", "the engine's answer: ", 0 },
		{ 200, "{}", 0, "", "stop it", "the engine's answer: the engine speaks of another container", 0 },
		{ 200, "{\"Id\":\"" NET_ID "\",\"State\":{\"Running\":true}}", 0, "", "stop it",
		  "the engine's answer: the engine speaks of another container", 0 },
		{ 200, "{\"Id\":\"" ID "\",\"State\":7}", 0, "", "stop it", "the engine's answer: ", 0 },
		{ 200, "{\"Id\":\"" ID "\",\"State\":{\"Running\":\"yes\"}}", 0, "", "stop it", "already stopped", 0 },
		{ 200, "{" RUNNING "}", 500, "{\"message\":\"no\"}", "stop it", "the engine answered 500: no", 1 },
		{ 200, "{" RUNNING "}", 409, "{\"message\":7}", "pause it", "the engine answered 409", 1 },
		{ 200, "{" RUNNING "}", 304, "", "stop it", "already stopped", 1 },
		{ 200, "{" RUNNING "}", 404, "", "pause it", "already gone", 1 },
		{ 200, "{" RUNNING "}", 204, "", "stop it", "done", 1 },
		{ 200, "{" RUNNING ",\"NetworkSettings\":{\"Networks\":[1,2]}}", 0, "", "cut it off",
		  "the engine's answer: its networks are no object", 0 },
		{ 200, "{" RUNNING ",\"NetworkSettings\":{\"Networks\":{\"x\":{\"NetworkID\":\"../../build?a=\"}}}}", 0,
		  "", "cut it off", "the engine's answer: a network without an id", 0 },
		{ 200, "{" RUNNING ",\"NetworkSettings\":{\"Networks\":\"many\"}}", 0, "", "cut it off",
		  "the engine's answer: its networks are no object", 0 },
		{ 200, "{" RUNNING ",\"NetworkSettings\":{\"Networks\":null}}", 0, "", "cut it off", "it is in no network", 0 },
		/* an engine without a bridge */
		{ 200, "{" RUNNING ",\"NetworkSettings\":{\"Networks\":{\"bridge\":{\"NetworkID\":\"\"}}}}", 0, "",
		  "cut it off", "it is in no network", 0 },
		{ 200, "{" RUNNING ",\"NetworkSettings\":{\"Networks\":{\"bridge\":{\"NetworkID\":\"\"}}}}", 204, "",
		  "pause it", "done", 1 },
		/* it says ok each time, and the network is still there */
		{ 200, "{" RUNNING ",\"NetworkSettings\":{\"Networks\":{\"x\":{\"NetworkID\":\"" NET_ID "\"}}}}", 200,
		  "", "cut it off", "left 64 networks, then: still in a network", GUARD_NETWORKS_MAX },
		{ 200, "{" RUNNING ",\"NetworkSettings\":{\"Networks\":{\"x\":{\"NetworkID\":\"" NET_ID "\"}}}}", 403,
		  "{\"message\":\"no\"}", "cut it off", "the engine answered 403: no", 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		says(cases[i].status, cases[i].inspect, cases[i].post_status, cases[i].refusal);
		const char *why = why_of(cases[i].rule);
		if (strncmp(why, cases[i].why, strlen(cases[i].why)) != 0 || engine.posts != cases[i].posts)
			fail_msg("%zu: \"%s\", %u posts", i, why, engine.posts);
	}
	says(200, "{" RUNNING "}", 204, "");
	assert_string_equal(why_of("stop it"), "done");
	assert_ptr_equal(strstr(engine.last_post, "POST /containers/" ID "/stop?signal=SIGKILL&t=0 HTTP/1.1\r\n"),
			 engine.last_post);
}

static void an_answer_without_end_is_cut_at_a_mebibyte(void **state)
{
	CLEANUP(freep) char *body = malloc((2 << 20) + 1);

	memset(body, ' ', 2 << 20);
	body[2 << 20] = 0;
	says(200, body, 0, "");
	assert_string_equal(why_of("stop it"), "the engine did not answer: the answer is larger than 1048576 bytes");
}

static void ids_that_are_none_never_reach_a_url(void **state)
{
	static const struct {
		const char *id, *why;
	} cases[] = {
		{ "", "not in a container" },
		{ "..", "not a container of the Docker Engine" },
		{ A16 A16 A16 "aaaaaaaaaaaaaaa", "not a container of the Docker Engine" },
		{ ID "a", "not a container of the Docker Engine" },
		{ A16 A16 A16 "aaaaaaaaaaaaaaaA", "not a container of the Docker Engine" },
		{ A16 A16 A16 "aaaaaaa/json?x=", "not a container of the Docker Engine" },
		{ "my-pod", "not a container of the Docker Engine" },
	};

	says(200, "{}", 0, "");
	guard_open(GUARD_ENFORCE, engine.path, 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		match("stop it", cases[i].id);
		assert_int_equal(fx.count, i + 1);
		assert_string_equal(fx.told[i].why, cases[i].why);
	}
	for (unsigned i = 0; i < 10; i++)
		loop_step(fx.loop, 5);
	assert_int_equal(engine.gets, 0);
}

/* Below user.slice an account makes cgroups of any name. */
static void a_users_own_cgroup_under_anothers_name_stops_nobody(void **state)
{
	struct event e = { .boot_ns = clock_boot_ns(clock_real()),
			   .p = { .pid = 1, .start_ns = 1,
				  .cgroup = SLICE_LIT("/user.slice/user-1000.slice/user@1000.service/docker-" ID
						      ".scope") } };

	says(200, "{" RUNNING "}", 204, "");
	guard_open(GUARD_ENFORCE, engine.path, 0);
	guard_match(fx.guard, "stop it", &e, ID, 1);
	assert_int_equal(fx.count, 1);
	assert_string_equal(fx.told[0].why, "in a user's own cgroup: no container of the Docker Engine");
	assert_int_equal(engine.gets, 0);
}

static void an_engine_that_hangs_is_given_up_and_asked_once(void **state)
{
	struct guard_stats st;

	says(200, NULL, 0, "");
	guard_open(GUARD_ENFORCE, engine.path, 0);
	for (unsigned i = 0; i < 1000; i++)
		match("stop it", ID);
	assert_int_equal(fx.count, 0);
	const struct told *t = next_told();
	assert_string_equal(t->why, "the engine did not answer within 10 s");
	assert_true(t->r.took_ns > 9000000000u && t->r.took_ns < 15000000000u);
	assert_int_equal(t->r.folded, 999);
	assert_int_equal(engine.gets, 1);
	match("stop it", ID); /* within a second of the failure */
	assert_int_equal(engine.gets, 1);
	guard_stats(fx.guard, &st);
	assert_true(st.refused == 1 && st.folded == 1000);
	/* what is under way when it is freed is told to nobody */
	match("pause it", ID);
	loop_step(fx.loop, 10);
	guard_free(fx.guard);
	fx.guard = NULL;
	assert_int_equal(fx.count, 1);
}

static void the_rate_holds_for_containers_too(void **state)
{
	char id[65] = ID;

	says(200, "{" RUNNING "}", 204, "");
	guard_open(GUARD_ENFORCE, engine.path, 1);
	match("stop it", id);
	assert_true(next_told()->r.is_done);
	match("pause it", id);
	assert_string_equal(next_told()->why, "more than 1 actions in a minute");
	assert_int_equal(engine.posts, 1);
}

static void no_engine_is_a_reason(void **state)
{
	guard_open(GUARD_ENFORCE, "/tmp/picket-no-such-socket", 0);
	match("stop it", ID);
	const struct told *t = fx.count ? &fx.told[0] : next_told();
	assert_non_null(strstr(t->why, "connect to '/tmp/picket-no-such-socket'"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_engine_says_wrong_is_one_clear_reason),
		cmocka_unit_test(an_answer_without_end_is_cut_at_a_mebibyte),
		cmocka_unit_test(ids_that_are_none_never_reach_a_url),
		cmocka_unit_test(a_users_own_cgroup_under_anothers_name_stops_nobody),
		cmocka_unit_test(an_engine_that_hangs_is_given_up_and_asked_once),
		cmocka_unit_test(the_rate_holds_for_containers_too),
		cmocka_unit_test(no_engine_is_a_reason),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, open_engine, close_engine);
}
