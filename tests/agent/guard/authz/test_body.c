/* test_body.c - JSON as Go sees it. */
#include "authz_test.h"

static void names_fold_as_go_folds_them(void **state)
{
	static const char *const same[] = {
		"{\"HostConfig\":{}}", "{\"hostconfig\":{}}", "{\"HOSTCONFIG\":{}}", "{\"Ho\xc5\xbftConfig\":{}}",
		"{\"Ho\\u017ftConfig\":{}}", "{\"\\u0048ostConfig\":{}}",
	};
	static const char *const other[] = { "{\"HostConfig \":{}}", "{\"Host_Config\":{}}", "{\"HostConf\xc4\xb1g\":{}}",
					     "{\"HostConfig\":null}", "{\"HostConfi\":{}}", "[]", "1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		if (!authz_get(body(same[i]), "HostConfig"))
			fail_msg("%s", same[i]);
	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		if (authz_get(body(other[i]), "HostConfig"))
			fail_msg("%s", other[i]);
	assert_non_null(authz_get(body("{\"Mas\xe2\x84\xaa" "edPaths\":[]}"), "MaskedPaths"));
}

static const char *const refused[] = {
	/* two that Go takes for one */
	"{\"Privileged\":false,\"Privileged\":true}",
	"{\"Privileged\":false,\"PRIVILEGED\":true}",
	"{\"HostConfig\":{},\"HostConfig\":{}}",
	"{\"HostConfig\":{},\"hostconfig\":{\"Privileged\":true}}",
	"{\"HostConfig\":{},\"Ho\xc5\xbftConfig\":{}}",
	"{\"a\":{\"b\":[{\"c\":1,\"C\":2}]}}",
	"{\"\\u0061\":1,\"a\":2}",
	"{\"HostConfig\":null,\"hostConfig\":{}}",
	/* more than one text, or none */
	"{}{}", "{} x", "{}]", "", " ", "{", "[", "{\"a\":1", "{\"a\"}", "{a:1}", "{'a':1}", "{\"a\":1,}", "[1,]", "nul", "01",
	"{\"a\":.5}", "{\"a\":+1}", "// x\n{}", "/* */{}", "\xef\xbb\xbf{}",
	/* strings with two readings */
	"{\"a\":\"\\u0000\"}", "{\"a\\u0000\":1}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\udc00\\ud800\"}", "{\"a\":\"\\udc00\\udc00\"}", "{\"a\":\"\\udc00\"}", "{\"a\":\"\\ud83dx\"}",
	"{\"a\":\"\\ud83d\\u0041\"}", "{\"a\":\"\xff\"}", "{\"a\":\"\xc0\xaf\"}", "{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\n\"}",
	"{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}", "{\"a\":\"x",
};

static void what_has_two_readings_is_refused(void **state)
{
	const struct authz_body *b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if (authz_body_read(slice_of(refused[i]), arena, &b, NULL) >= 0)
			fail_msg("%s was read", refused[i]);
	assert_int_equal(authz_body_read(SLICE_LIT("{\"a\":\"x\0y\"}"), arena, &b, NULL), -ERR_SYNTAX);
	assert_int_equal(authz_body_read(SLICE_LIT("{}\0"), arena, &b, NULL), -ERR_SYNTAX);
}

static void depth_is_bounded(void **state)
{
	char text[256];
	const struct authz_body *b;

	(void)state;
	for (size_t depth = 64; depth <= 65; depth++) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		int r = authz_body_read(slice_from(text, 2 * depth), arena, &b, NULL);
		assert_int_equal(r, depth == 64 ? 0 : -ERR_SYNTAX);
	}
}

static void size_is_bounded_and_many_members_cost_little(void **state)
{
	CLEANUP(buf_finip) struct buf t = { 0 };
	const struct authz_body *b;

	(void)state;
	buf_add_char(&t, '{');
	for (int i = 0; i < 4000; i++)
		buf_printf(&t, "%s\"k%d\":1", i ? "," : "", i);
	buf_add_char(&t, '}');
	assert_int_equal(authz_body_read(buf_slice(&t), arena, &b, NULL), 0);
	assert_int_equal(b->count, 4000);
	buf_reset(&t);
	buf_add_char(&t, '[');
	for (int i = 0; i < 4100; i++)
		buf_add_str(&t, i ? ",1" : "1");
	buf_add_char(&t, ']');
	assert_int_equal(authz_body_read(buf_slice(&t), arena, &b, NULL), -ERR_LIMIT);
	assert_int_equal(authz_body_of_engine(buf_slice(&t), arena, &b, NULL), 0); /* the engine's own answers are long */
}

static void values_have_their_types(void **state)
{
	const struct authz_body *b = body("{\"s\":\"x\\u00e9\\ud83d\\ude00\",\"t\":true,\"f\":false,\"n\":-5,\"big\":9223372036854775807,"
					  "\"huge\":9223372036854775808,\"frac\":1.0,\"exp\":1e3,\"z\":null,\"l\":[\"a\",null,\"b\"],"
					  "\"bad\":[1],\"o\":{}}");
	struct policy_texts v;
	const char *s;
	int64_t n;
	bool t;

	(void)state;
	assert_int_equal(authz_text(b, "S", &s, NULL), 0);
	assert_string_equal(s, "x\xc3\xa9\xf0\x9f\x98\x80");
	assert_int_equal(authz_text(b, "z", &s, NULL), 0);
	assert_string_equal(s, "");
	assert_int_equal(authz_text(b, "t", &s, NULL), -ERR_SYNTAX);
	assert_true(authz_bool(b, "t", &t, NULL) == 0 && t);
	assert_true(authz_bool(b, "z", &t, NULL) == 0 && !t);
	assert_int_equal(authz_bool(b, "s", &t, NULL), -ERR_SYNTAX);
	assert_true(authz_i64(b, "n", &n, NULL) == 0 && n == -5);
	assert_true(authz_i64(b, "big", &n, NULL) == 0 && n == INT64_MAX);
	assert_int_equal(authz_i64(b, "huge", &n, NULL), -ERR_SYNTAX);
	assert_int_equal(authz_i64(b, "frac", &n, NULL), -ERR_SYNTAX); /* Go refuses it for a whole number */
	assert_int_equal(authz_i64(b, "exp", &n, NULL), -ERR_SYNTAX);
	assert_true(authz_texts(b, "l", arena, &v, NULL) == 0 && v.count == 3);
	assert_string_equal(v.v[1], "");
	assert_true(authz_texts(b, "s", arena, &v, NULL) == 0 && v.count == 1); /* StrSlice */
	assert_int_equal(authz_texts(b, "bad", arena, &v, NULL), -ERR_SYNTAX);
	assert_int_equal(authz_texts(b, "o", arena, &v, NULL), -ERR_SYNTAX);
}

static void the_engine_may_say_two_labels_alike(void **state)
{
	const struct authz_body *b;

	(void)state;
	assert_int_equal(authz_body_of_engine(SLICE_LIT("{\"Labels\":{\"a\":\"1\",\"A\":\"2\"}}"), arena, &b, NULL), 0);
}

static void an_envelope_is_opened(void **state)
{
	static const char *const bad[] = { "", "{}", "[]", "{\"RequestMethod\":\"GET\"}",
					   "{\"RequestMethod\":\"POST\",\"RequestUri\":\"/x\",\"RequestBody\":\"abc\"}",
					   "{\"RequestMethod\":\"POST\",\"RequestUri\":\"/x\",\"RequestBody\":\"ab=c\"}",
					   "{\"RequestMethod\":\"POST\",\"RequestUri\":\"/x\",\"RequestBody\":\"a b=\"}",
					   "{\"RequestMethod\":1,\"RequestUri\":\"/x\"}" };
	struct authz_request rq;

	(void)state;
	assert_int_equal(authz_envelope(SLICE_LIT("{\"User\":\"anna\",\"UserAuthNMethod\":\"TLS\",\"RequestMethod\":\"POST\","
						  "\"RequestUri\":\"/v1.41/x?y\",\"RequestBody\":\"e30=\","
						  "\"RequestHeaders\":{\"Content-Type\":\"application/json\"}}"),
					arena, &rq, NULL),
			 0);
	assert_true(rq.has_body && slice_is(rq.body, "{}") && slice_is(rq.uri, "/v1.41/x?y"));
	assert_true(slice_is(rq.user, "anna") && slice_is(rq.content_type, "application/json"));
	assert_int_equal(authz_envelope(SLICE_LIT("{\"RequestMethod\":\"GET\",\"RequestUri\":\"/x\"}"), arena, &rq, NULL), 0);
	assert_false(rq.has_body);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (authz_envelope(slice_of(bad[i]), arena, &rq, NULL) >= 0)
			fail_msg("%s was read", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_fold_as_go_folds_them),
		cmocka_unit_test(what_has_two_readings_is_refused),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(size_is_bounded_and_many_members_cost_little),
		cmocka_unit_test(values_have_their_types),
		cmocka_unit_test(the_engine_may_say_two_labels_alike),
		cmocka_unit_test(an_envelope_is_opened),
	};

	return cmocka_run_group_tests(tests, open_arena, close_arena);
}
