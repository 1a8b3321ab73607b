/* registry: names, credentials, and images read from a registry that a thread of this test plays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <strings.h>
#include <sys/socket.h>

#include "agent/image/image.h"
#include "agent/image/registry_priv.h"
#include "images.h"

/* ---- the registry ---- */

enum auth { AUTH_NONE, AUTH_BASIC, AUTH_TOKEN };

static struct {
	int listener, port;
	pthread_t thread;
	struct test_image image;
	struct buf index; /* of two platforms, the image is this host's */
	char index_digest[72];
	enum auth auth;
	bool redirects, lies, cuts;
	unsigned token_requests, blob_requests, plain_hits;
	char seen_basic[256]; /* what the token service was told */
	bool leaked;	      /* our authorization went where a redirect led */
} reg;

static void say(int fd, const char *head, struct slice body)
{
	(void)!send(fd, head, strlen(head), MSG_NOSIGNAL);
	while (body.n) {
		ssize_t n = send(fd, body.p, body.n, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		body = slice_sub(body, (size_t)n, body.n);
	}
}

static void say_body(int fd, bool is_head, const char *more, struct slice body)
{
	char head[1024];

	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n", body.n, more);
	say(fd, head, is_head ? SLICE_NONE : reg.cuts ? slice_sub(body, 0, body.n / 2) : body);
}

static void say_status(int fd, const char *status, const char *more)
{
	char head[2048];

	snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 0\r\n%s\r\n", status, more);
	say(fd, head, SLICE_NONE);
}

static bool is_allowed(int fd, const char *request)
{
	char challenge[512];

	if (reg.auth == AUTH_NONE || strcasestr(request, "Authorization: Bearer good") ||
	    (reg.auth == AUTH_BASIC && strcasestr(request, "Authorization: Basic dXNlcjpwYTpzcw==")))
		return true;
	if (reg.auth == AUTH_BASIC)
		say_status(fd, "401 No", "WWW-Authenticate: Basic realm=\"r\"\r\n");
	snprintf(challenge, sizeof(challenge),
		 "WWW-Authenticate: Basic realm=\"x\"\r\nWWW-Authenticate: Bearer realm=\"http://127.0.0.1:%d/token\","
		 "service=\"reg istry\",scope=\"repository:team/app:pull\"\r\n",
		 reg.port);
	if (reg.auth == AUTH_TOKEN)
		say_status(fd, "401 No", challenge);
	return false;
}

static void answer_token(int fd, const char *request)
{
	const char *basic = strcasestr(request, "Authorization: Basic ");

	reg.token_requests++;
	snprintf(reg.seen_basic, sizeof(reg.seen_basic), "%.*s", basic ? (int)strcspn(basic + 21, "\r") : 0,
		 basic ? basic + 21 : "");
	if (!strstr(request, "service=reg%20istry&scope=repository:team/app:pull"))
		say_status(fd, "400 Bad", "");
	else if (basic && strcmp(reg.seen_basic, "dXNlcjpwYTpzcw==") != 0)
		say_status(fd, "401 No", "");
	else
		say_body(fd, false, "", SLICE_LIT("{\"token\":\"good\",\"expires_in\":60}"));
}

static void answer_manifest(int fd, bool is_head, const char *name)
{
	char more[128];
	bool top = slice_starts(slice_of(name), SLICE_LIT("1 ")) ||
		   slice_starts(slice_of(name), slice_of(reg.index_digest));
	bool image = slice_starts(slice_of(name), slice_from(reg.image.manifest_digest, 71));

	if (!top && !image) {
		say_status(fd, "404 No", "");
		return;
	}
	snprintf(more, sizeof(more), "Docker-Content-Digest: %.71s\r\n",
		 reg.lies ? reg.image.config_digest : top ? reg.index_digest : reg.image.manifest_digest);
	say_body(fd, is_head, more, buf_slice(top ? &reg.index : &reg.image.manifest_json));
}

static void answer_blob(int fd, const char *digest)
{
	struct test_image *im = &reg.image;

	reg.blob_requests++;
	for (size_t i = 0; i < im->count; i++)
		if (!strncmp(digest, im->digests[i], 71)) {
			say_body(fd, false, "", buf_slice(&im->packed[i]));
			return;
		}
	if (!strncmp(digest, im->config_digest, 71))
		say_body(fd, false, "", buf_slice(&im->config_json));
	else
		say_status(fd, "404 No", "");
}

static void answer(int fd, const char *request)
{
	bool is_head = !strncmp(request, "HEAD ", 5);
	const char *path = strchr(request, ' ') + 1, *found;
	char more[512];

	if (!strncmp(path, "/token?", 7)) {
		answer_token(fd, request);
	} else if ((found = strstr(path, "/elsewhere/"))) {
		reg.leaked |= strcasestr(request, "Authorization:") != NULL;
		answer_blob(fd, found + 11);
	} else if (!is_allowed(fd, request)) {
		return;
	} else if ((found = strstr(path, "/v2/team/app/manifests/"))) {
		answer_manifest(fd, is_head, found + 23);
	} else if ((found = strstr(path, "/v2/team/app/blobs/"))) {
		snprintf(more, sizeof(more), "Location: http://localhost:%d/elsewhere/%.71s\r\n", reg.port, found + 19);
		if (reg.redirects)
			say_status(fd, "307 Go", more);
		else
			answer_blob(fd, found + 19);
	} else {
		say_status(fd, "404 No", "");
	}
}

static void *serve(void *arg)
{
	for (;;) {
		char request[8192];
		size_t n = 0;
		int fd = accept(reg.listener, NULL, NULL);

		if (fd < 0)
			return NULL;
		for (ssize_t got; n < sizeof(request) - 1 && (got = recv(fd, request + n, sizeof(request) - 1 - n, 0)) > 0;) {
			n += (size_t)got;
			request[n] = 0;
			if (strstr(request, "\r\n\r\n") || (uint8_t)request[0] == 0x16) /* TLS: not spoken here */
				break;
		}
		if (n && (uint8_t)request[0] != 0x16)
			answer(fd, request);
		else
			say(fd, "HTTP/1.0 400 Bad Request\r\n\r\n", SLICE_NONE);
		close(fd);
	}
}

static int start_registry(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	struct test_image *im = &reg.image;

	IMAGE_LAYER(im, ARCHIVE_FILTER_GZIP,
		    { "var/lib/dpkg/status", "Package: a\nStatus: install ok installed\nVersion: 1\n\n" });
	IMAGE_LAYER(im, ARCHIVE_FILTER_ZSTD,
		    { "app/node_modules/x/package.json", "{\"name\":\"x\",\"version\":\"2.0.0\"}" });
	image_finish(im);
	buf_init(&reg.index, 4096);
	buf_printf(&reg.index,
		   "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"%.71s\",\"size\":%zu,\"platform\":"
		   "{\"os\":\"linux\",\"architecture\":\"amd64\"}},{\"digest\":\"%.71s\",\"size\":1,\"platform\":"
		   "{\"os\":\"linux\",\"architecture\":\"mips\"}}]}",
		   im->manifest_digest, im->manifest_json.n, im->config_digest);
	assert_int_equal(meta_digest(buf_slice(&reg.index), reg.index_digest, NULL), 0);
	reg.index_digest[71] = 0;
	reg.listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(reg.listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(reg.listener, 16), 0);
	assert_int_equal(getsockname(reg.listener, (struct sockaddr *)&a, &n), 0);
	reg.port = ntohs(a.sin_port);
	return pthread_create(&reg.thread, NULL, serve, NULL);
}

static int stop_registry(void **state)
{
	shutdown(reg.listener, SHUT_RDWR);
	pthread_join(reg.thread, NULL);
	close(reg.listener);
	image_fini(&reg.image);
	buf_fini(&reg.index);
	return 0;
}

static struct arena *arena;

static int set_up(void **state)
{
	arena = arena_new(LIMIT_INVENTORY_ARENA_BYTES);
	reg.auth = AUTH_NONE;
	reg.redirects = reg.lies = reg.cuts = reg.leaked = false;
	reg.token_requests = reg.blob_requests = 0;
	return 0;
}

static int tear_down(void **state)
{
	arena_free(arena);
	return 0;
}

/* docker_config: so that nobody's own is read. */
static struct image_options options(const char *user, const char *password)
{
	return (struct image_options){ .user = user, .password = password, .docker_config = user ? NULL : "/dev/null",
				       .platform = "linux/amd64" };
}

static const char *target(const char *behind)
{
	return arena_printf(arena, "registry:127.0.0.1:%d/team/app%s", reg.port, behind);
}

static int take(const char *behind, const struct image_options *o, Picket__Inventory **inv, struct err *err)
{
	return image_take_stock(target(behind), o, arena, inv, NULL, err);
}

static void take_ok(const char *behind, const struct image_options *o)
{
	Picket__Inventory *inv = NULL;
	struct err err;

	if (take(behind, o, &inv, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(inv->image_id, reg.image.config_digest);
	assert_int_equal(inv->n_layers, 2);
	assert_string_equal(inv->layers[0]->packages[0]->name, "a");
	assert_string_equal(inv->layers[1]->packages[0]->name, "x");
	assert_string_equal(inv->layers[1]->digest, reg.image.digests[1]);
	assert_int_equal(inv->n_repo_digests, 1);
}

/* ---- tests ---- */

static void references_are_read_as_docker_does(void **state)
{
	static const struct {
		const char *text, *server, *repo, *tag;
		bool digest;
	} rows[] = {
		{ "debian", "registry-1.docker.io", "library/debian", "latest", false },
		{ "debian:12", "registry-1.docker.io", "library/debian", "12", false },
		{ "user/app", "registry-1.docker.io", "user/app", "latest", false },
		{ "docker.io/library/debian:12", "registry-1.docker.io", "library/debian", "12", false },
		{ "localhost/app", "localhost", "app", "latest", false },
		{ "r.example:5000/a/b/c:v1.2_x-Y", "r.example:5000", "a/b/c", "v1.2_x-Y", false },
		{ "[::1]:5000/a", "[::1]:5000", "a", "latest", false },
		{ "r.example/a@sha256:1111111111111111111111111111111111111111111111111111111111111111", "r.example", "a", "",
		  true },
		{ "r.example/a:1@sha256:1111111111111111111111111111111111111111111111111111111111111111", "r.example",
		  "a", "1", true },
	};
	static const char *const wrong[] = { "", ":", "a:", "A", "a b", "a/../b", "a//b", "/a", "a?x", "a@sha256:12", "a:.x",
					     "r.example/", "r.example/a#b", "a:b:c", "a%2fb" };
	struct registry_ref r;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (registry_ref_parse(rows[i].text, &r, &err) < 0)
			fail_msg("%s: %s", rows[i].text, err.msg);
		assert_string_equal(r.server, rows[i].server);
		assert_string_equal(r.repo, rows[i].repo);
		assert_string_equal(r.tag, rows[i].tag);
		assert_int_equal(!!*r.digest, rows[i].digest);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (registry_ref_parse(wrong[i], &r, &err) != -ERR_USAGE)
			fail_msg("'%s'", wrong[i]);
}

static void only_this_host_itself_is_local(void **state)
{
	static const char *const local[] = { "localhost", "localhost:5000", "127.0.0.1", "127.1.2.3:80", "[::1]", "[::1]:9" };
	static const char *const far[] = { "localhost.example", "127.evil.example", "127.0.0.1.evil.example", "10.0.0.1",
					   "[::2]", "[::1]x", "r.example:127" };

	for (size_t i = 0; i < ARRAY_LEN(local); i++)
		assert_true(registry_is_local(slice_of(local[i])));
	for (size_t i = 0; i < ARRAY_LEN(far); i++)
		if (registry_is_local(slice_of(far[i])))
			fail_msg("%s", far[i]);
}

static void an_image_is_read_by_tag_and_by_digest(void **state)
{
	const struct image_options o = options(NULL, NULL);

	take_ok(":1", &o);
	take_ok(arena_printf(arena, "@%.71s", reg.index_digest), &o);
	take_ok(arena_printf(arena, "@%.71s", reg.image.manifest_digest), &o);
}

static void a_token_is_fetched_with_our_password(void **state)
{
	struct image_options o = options("user", "pa:ss");

	reg.auth = AUTH_TOKEN;
	take_ok(":1", &o);
	assert_string_equal(reg.seen_basic, "dXNlcjpwYTpzcw==");
	assert_int_equal(reg.token_requests, 1); /* for all requests */
	o = options(NULL, NULL);
	take_ok(":1", &o); /* anonymous */
	assert_string_equal(reg.seen_basic, "");
}

static void a_password_is_given_to_a_registry_that_asks(void **state)
{
	struct image_options o = options("user", "pa:ss");
	Picket__Inventory *inv;
	struct err err;

	reg.auth = AUTH_BASIC;
	take_ok(":1", &o);
	o = options("user", "wrong");
	assert_int_equal(take(":1", &o, &inv, &err), -ERR_DENIED);
	o = options(NULL, NULL);
	assert_int_equal(take(":1", &o, &inv, &err), -ERR_DENIED);
	assert_non_null(strstr(err.msg, "password"));
}

static void dockers_configuration_gives_the_password(void **state)
{
	char path[] = "/tmp/image-testXXXXXX", text[512];
	struct image_options o = options(NULL, NULL);
	Picket__Inventory *inv;
	struct err err;
	int fd = mkstemp(path);

	snprintf(text, sizeof(text),
		 "{\"auths\":{\"other.example\":{\"auth\":\"eDp5\"},\"https://127.0.0.1:%d/v1/\":{\"auth\":\"dXNlcjpwYTpzcw==\"}}}",
		 reg.port);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	reg.auth = AUTH_BASIC;
	o.docker_config = path;
	take_ok(":1", &o);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, "{\"credsStore\":\"pass\"}", 21, 0), 21);
	assert_int_equal(take(":1", &o, &inv, &err), -ERR_DENIED);
	assert_non_null(strstr(err.msg, "credentials store"));
	assert_int_equal(pwrite(fd, "]", 1, 0), 1);
	assert_int_equal(take(":1", &o, &inv, &err), -ERR_SYNTAX);
	close(fd);
	unlink(path);
}

static void a_redirect_is_followed_without_our_authorization(void **state)
{
	const struct image_options o = options("user", "pa:ss");

	reg.auth = AUTH_BASIC;
	reg.redirects = true;
	take_ok(":1", &o);
	assert_true(reg.blob_requests >= 3);
	assert_false(reg.leaked);
}

static void what_is_cut_or_not_what_it_is_called_is_refused(void **state)
{
	const struct image_options o = options(NULL, NULL);
	Picket__Inventory *inv;
	struct err err;

	reg.lies = true; /* a manifest with another digest than is said */
	assert_int_equal(take(":1", &o, &inv, &err), -ERR_CORRUPT);
	reg.lies = false;
	reg.cuts = true;
	assert_int_equal(take(":1", &o, &inv, &err), -ERR_PEER);
	reg.cuts = false;
	reg.image.packed[1].p[20] ^= 1;
	assert_int_equal(take(":1", &o, &inv, &err), -ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "layer 2 of 2"));
	reg.image.packed[1].p[20] ^= 1;
}

static void what_is_not_there_is_told(void **state)
{
	struct image_options o = options(NULL, NULL);
	Picket__Inventory *inv;
	struct err err;

	assert_int_equal(take(":2", &o, &inv, &err), -ERR_NOT_FOUND);
	o.platform = "linux/s390x";
	assert_int_equal(take(":1", &o, &inv, &err), -ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "linux/mips"));
	o.platform = "linux/mips"; /* named, but not there */
	assert_int_equal(take(":1", &o, &inv, &err), -ERR_NOT_FOUND);
	assert_int_equal(image_take_stock("registry:127.0.0.1:1/x", &o, arena, &inv, NULL, &err), -ECONNREFUSED);
}

static void the_digest_of_a_tag_is_asked_without_reading_anything(void **state)
{
	const struct image_options o = options("user", "pa:ss");
	char digest[IMAGE_DIGEST_MAX];
	struct err err;

	reg.auth = AUTH_TOKEN;
	assert_int_equal(image_registry_digest(target(":1") + 9, &o, digest, NULL), 0);
	assert_string_equal(digest, reg.index_digest);
	assert_int_equal(reg.blob_requests, 0);
	assert_int_equal(image_registry_digest(target(":2") + 9, &o, digest, &err), -ERR_NOT_FOUND);
	assert_int_equal(image_registry_digest("no image", &o, digest, &err), -ERR_USAGE);
}

static void parameters_of_a_challenge_are_found(void **state)
{
	char dst[64];
	struct slice c = SLICE_LIT("Bearer realm=\"https://x/t\",service=y, xscope=\"no\",scope=\"a,b\"");

	assert_true(registry_parameter(c, "realm", dst, sizeof(dst)));
	assert_string_equal(dst, "https://x/t");
	assert_true(registry_parameter(c, "service", dst, sizeof(dst)));
	assert_string_equal(dst, "y");
	assert_true(registry_parameter(c, "scope", dst, sizeof(dst)));
	assert_string_equal(dst, "a,b");
	assert_false(registry_parameter(c, "error", dst, sizeof(dst)));
	assert_false(registry_parameter(SLICE_LIT("Bearer realm=\"cut"), "realm", dst, sizeof(dst)));
	assert_false(registry_parameter(c, "realm", dst, 4));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(references_are_read_as_docker_does),
		T(only_this_host_itself_is_local),
		T(an_image_is_read_by_tag_and_by_digest),
		T(a_token_is_fetched_with_our_password),
		T(a_password_is_given_to_a_registry_that_asks),
		T(dockers_configuration_gives_the_password),
		T(a_redirect_is_followed_without_our_authorization),
		T(what_is_cut_or_not_what_it_is_called_is_refused),
		T(what_is_not_there_is_told),
		T(the_digest_of_a_tag_is_asked_without_reading_anything),
		T(parameters_of_a_challenge_are_found),
#undef T
	};

	image_worker_if_asked(argc, argv);
	return cmocka_run_group_tests(tests, start_registry, stop_registry);
}
