/* test_path.c - what a request is about, whatever its target is written like. */
#include "authz_test.h"

static const struct {
	const char *method, *uri;
	enum authz_kind kind;
	const char *id, *query;
} rows[] = {
	{ "POST", "/v1.41/containers/create?name=x", AUTHZ_CREATE, "", "name=x" },
	{ "POST", "/containers/create", AUTHZ_CREATE, "", "" },
	{ "POST", "/v1.41/containers/%63reate", AUTHZ_CREATE, "", "" },
	{ "POST", "/v1.41/%63%6f%6E%74ainers/creat%65", AUTHZ_CREATE, "", "" },
	{ "POST", "/%76%31.41/containers/create", AUTHZ_CREATE, "", "" },
	{ "POST", "http://docker/v1.41/containers/create", AUTHZ_CREATE, "", "" },
	{ "POST", "https://a.b:1/containers/create?name=y", AUTHZ_CREATE, "", "name=y" },
	{ "POST", "//v1.41//containers///create", AUTHZ_CREATE, "", "" },
	{ "POST", "/v1.41/containers/x/../create", AUTHZ_CREATE, "", "" },
	{ "POST", "/v1.41/containers/%2e%2e/containers/create", AUTHZ_CREATE, "", "" },
	{ "POST", "/v1.41/./containers/create/", AUTHZ_CREATE, "", "" },
	{ "POST", "/../../containers/create", AUTHZ_CREATE, "", "" },
	{ "POST", "/v1.41/containers/create?x=/auth", AUTHZ_CREATE, "", "x=/auth" },
	{ "POST", "/containers/x/start", AUTHZ_START, "x", "" },
	{ "POST", "/containers/a%2fb/start", AUTHZ_START, "a/b", "" },
	{ "POST", "/containers/x/restart?t=1", AUTHZ_START, "x", "t=1" },
	{ "POST", "/containers/create/start", AUTHZ_START, "create", "" },
	{ "POST", "/containers/x/exec", AUTHZ_EXEC_CREATE, "x", "" },
	{ "POST", "/exec/0123/start", AUTHZ_EXEC_START, "0123", "" },
	{ "POST", "/containers/x/update", AUTHZ_UPDATE, "x", "" },
	{ "POST", "/containers/x/rename?name=y", AUTHZ_RENAME, "x", "name=y" },
	{ "PUT", "/containers/x/archive?path=/", AUTHZ_ARCHIVE_PUT, "x", "path=/" },
	{ "POST", "/networks/n/connect", AUTHZ_CONNECT, "n", "" },
	{ "POST", "/images/create?fromImage=a", AUTHZ_PULL, "", "fromImage=a" },
	{ "POST", "/images/load", AUTHZ_LOAD, "", "" },
	{ "POST", "/images/a/b/c:1/tag?repo=x", AUTHZ_TAG, "a/b/c:1", "repo=x" },
	{ "POST", "/commit?container=x", AUTHZ_COMMIT, "", "container=x" },
	{ "POST", "/build?networkmode=host", AUTHZ_BUILD, "", "networkmode=host" },
	{ "POST", "/session", AUTHZ_BUILD, "", "" },
	{ "POST", "/grpc", AUTHZ_GRPC, "", "" },
	{ "GET", "/v1.51/containers/x/archive?path=/", AUTHZ_ARCHIVE_GET, "x", "path=/" },
	{ "HEAD", "/containers/x/archive/", AUTHZ_ARCHIVE_GET, "x", "" },
	{ "GET", "/containers/x/attach/ws", AUTHZ_ATTACH, "x", "" },
	{ "GET", "http:/containers/x/archive", AUTHZ_UNKNOWN, "", "" },
	{ "GET", "containers/x/archive", AUTHZ_UNKNOWN, "", "" },
	{ "get", "/containers/x/json", AUTHZ_UNKNOWN, "", "" },
	{ "POST", "/volumes/create", AUTHZ_VOLUME_CREATE, "", "" },
	{ "POST", "/services/create", AUTHZ_SERVICE, "", "" },
	{ "POST", "/services/s/update", AUTHZ_SERVICE, "s", "" },
	{ "POST", "/swarm/init", AUTHZ_SERVICE, "", "" },
	{ "POST", "/plugins/pull", AUTHZ_PLUGIN, "", "" },
	{ "POST", "/plugins/a/b/set", AUTHZ_PLUGIN, "a/b", "" },
	{ "POST", "/plugins/a/enable", AUTHZ_PLUGIN, "a", "" },
	{ "POST", "/containers/x/stop", AUTHZ_HARMLESS, "x", "" },
	{ "POST", "/containers/x/kill", AUTHZ_HARMLESS, "x", "" },
	{ "DELETE", "/containers/x?force=1", AUTHZ_HARMLESS, "x", "force=1" },
	{ "POST", "/containers/x/checkpoints", AUTHZ_UNKNOWN, "", "" },
	{ "DELETE", "/containers/x/checkpoints/c?dir=/etc", AUTHZ_UNKNOWN, "", "dir=/etc" },
	{ "DELETE", "/containers/a/b", AUTHZ_HARMLESS, "a/b", "" },
	{ "DELETE", "/images/a/b", AUTHZ_HARMLESS, "a/b", "" },
	{ "POST", "/auth", AUTHZ_HARMLESS, "", "" },
	{ "POST", "/build/prune", AUTHZ_HARMLESS, "", "" },
	{ "GET", "/containers/create", AUTHZ_READ, "", "" },
	{ "HEAD", "/containers/x/archive", AUTHZ_ARCHIVE_GET, "x", "" },
	{ "GET", "/v1.12/info", AUTHZ_READ, "", "" },
	{ "get", "/containers/json", AUTHZ_UNKNOWN, "", "" },
	{ "POST", "/containers/x/copy", AUTHZ_UNKNOWN, "", "" },
	{ "POST", "/containers//start", AUTHZ_UNKNOWN, "", "" },
	{ "POST", "/containers/create/x/y", AUTHZ_UNKNOWN, "", "" },
	{ "POST", "/vx/containers/create", AUTHZ_UNKNOWN, "", "" },
	{ "POST", "/v1.41/v1.41/containers/create", AUTHZ_UNKNOWN, "", "" },
	{ "PATCH", "/containers/create", AUTHZ_UNKNOWN, "", "" },
	{ "POST", "/new/thing", AUTHZ_UNKNOWN, "", "" },
	{ "POST", "/", AUTHZ_UNKNOWN, "", "" },
	{ "POST", "", AUTHZ_UNKNOWN, "", "" },
	{ "POST", "*", AUTHZ_UNKNOWN, "", "" },
	{ "POST", "docker:containers/create", AUTHZ_UNKNOWN, "", "" },
	{ "POST", "/Containers/create", AUTHZ_UNKNOWN, "", "" }, /* the router minds case */
	{ "POST", "/containers/create%20", AUTHZ_UNKNOWN, "", "" },
	{ "POST", "/containers/%2563reate", AUTHZ_UNKNOWN, "", "" }, /* decoded once */
};

static void a_target_is_read_as_the_router_reads_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct authz_path p;
		struct err err = { 0 };

		if (authz_path_read(slice_of(rows[i].method), slice_of(rows[i].uri), &p, &err) < 0)
			fail_msg("%s: %s", rows[i].uri, err.msg);
		if (p.kind != rows[i].kind || strcmp(p.id, rows[i].id) != 0 || !slice_is(p.query, rows[i].query))
			fail_msg("%s %s: kind %d, id '%s', query '%.*s'", rows[i].method, rows[i].uri, p.kind, p.id, SLICE_FMT(p.query));
	}
}

static void a_version_is_read(void **state)
{
	struct authz_path p;

	(void)state;
	assert_int_equal(authz_path_read(SLICE_LIT("POST"), SLICE_LIT("/v1.23/containers/x/start"), &p, NULL), 0);
	assert_int_equal(p.api_major, 1);
	assert_int_equal(p.api_minor, 23);
	assert_int_equal(p.kind, AUTHZ_START);
	assert_int_equal(authz_path_read(SLICE_LIT("POST"), SLICE_LIT("/containers/x/start"), &p, NULL), 0);
	assert_int_equal(p.api_major, 0);
}

static void what_has_two_readings_is_refused(void **state)
{
	static const char *const bad[] = {
		"/containers/%", "/containers/%6", "/containers/%zz/start", "/containers/x%00/start", "/v1/containers/create",
		"/v1.2.3/containers/create", "/v.1/containers/create", "/v0.1/containers/create", "/v1./containers/create",
		"/containers/create#x", "/v9999999.1/containers/create",
	};
	struct authz_path p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (authz_path_read(SLICE_LIT("POST"), slice_of(bad[i]), &p, NULL) != -ERR_SYNTAX)
			fail_msg("%s was read", bad[i]);
	CLEANUP(buf_finip) struct buf b = { 0 };
	buf_add_str(&b, "/containers/");
	for (int i = 0; i < 600; i++)
		buf_add_char(&b, 'x');
	buf_add_str(&b, "/start");
	assert_int_equal(authz_path_read(SLICE_LIT("POST"), buf_slice(&b), &p, NULL), -ERR_SYNTAX);
	for (int i = 0; i < 9000; i++)
		buf_add_char(&b, 'x');
	assert_int_equal(authz_path_read(SLICE_LIT("POST"), buf_slice(&b), &p, NULL), -ERR_SYNTAX);
}

static void a_parameter_is_decoded_and_stands_once(void **state)
{
	const char *v;

	(void)state;
	assert_int_equal(authz_query(SLICE_LIT("a=1&name=x%2Fy+z&b"), "name", arena, &v, NULL), 0);
	assert_string_equal(v, "x/y z");
	assert_int_equal(authz_query(SLICE_LIT("n%61me=q"), "name", arena, &v, NULL), 0);
	assert_string_equal(v, "q");
	assert_int_equal(authz_query(SLICE_LIT("Name=q"), "name", arena, &v, NULL), 0);
	assert_string_equal(v, "");
	assert_int_equal(authz_query(SLICE_LIT("name=a&name=b"), "name", arena, &v, NULL), -ERR_SYNTAX);
	assert_int_equal(authz_query(SLICE_LIT("name=a;name=b"), "name", arena, &v, NULL), -ERR_SYNTAX);
	assert_int_equal(authz_query(SLICE_LIT("name=%"), "name", arena, &v, NULL), -ERR_SYNTAX);
	assert_int_equal(authz_query(SLICE_LIT("name=%00"), "name", arena, &v, NULL), -ERR_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_target_is_read_as_the_router_reads_it),
		cmocka_unit_test(a_version_is_read),
		cmocka_unit_test(what_has_two_readings_is_refused),
		cmocka_unit_test_setup_teardown(a_parameter_is_decoded_and_stands_once, open_arena, close_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
