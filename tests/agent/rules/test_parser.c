/* The grammar alone: which conditions are well formed, where the others go wrong, and hostile ones. */
#include "agent/rules/cond.h"
#include "agent/rules/rules.h"
#include "vectors.h"

static const char *const valid[] = {
	"a", "((((((((((a))))))))))", "a and b or c", "(a)and(b)", "not not a", "not(not a)", "notz and a",
	"a.b = 1", "a.b=1", "a.b exists", "a.b existsand c", "a.b[1] = x", "a.b['x y'] = \"q\"",
	"a.b in ()", "a.b in(x, 'y')", "a.b intersects (a)", "a.b pmatch (/a, /b)", "a.b in some_list",
	"a.b >= -1", "a.b < 0x1F", "a.b < -1.2", "a.b = not", "a.b = \"\\x41\\n\\\"\"", "a.b = 'it\\'s'",
	"a.b contains\n x", "a.b == oneof (x, y)", "a.b == oneof", "a.b == oneof and c", "a.b startswith anyof l",
	"tolower(a.b) = x", "b64( b64(a.b)) exists", "a.b = val(c.d)", "a.b in toupper(c.d)",
	"join(\"-\", (a.b, 'x', 1)) = y", "concat(a.b, \"x\") = y", "getopt(a.b, \"n:\")[n] = x", "join(\"\", ()) = x",
	"  a  ", "a.b = 0a!@#456:/\\.;!$%^&*[]{}|",
};

static const struct {
	const char *text;
	unsigned line, column;
	const char *what;
} invalid[] = {
	{ "", 1, 1, "filter input string is empty" },
	{ "a and", 1, 6, "expected blank or '(' after 'and'" },
	{ "a and ", 1, 7, "expected a '(' token, a field check, or an identifier" },
	{ "a or\nb and ", 2, 7, "expected a '(' token" },
	{ "(a.b = 1", 1, 9, "expected a ')' token" },
	{ "a.b = 1 c", 1, 9, "unexpected token after '1', expecting 'or', 'and'" },
	{ "a.b nope x", 1, 5, "expected a valid check operator" },
	{ "a.b = 'x", 1, 7, "no closing quote" },
	{ "a.b = '\\q'", 1, 7, "invalid string escape sequence" },
	{ "a.b in (x,)", 1, 11, "expected a string value" },
	{ "a.b > x", 1, 7, "expected a number value" },
	{ "a.b[ = x", 1, 5, "expected a valid field argument" },
	{ "val(a.b) exists", 1, 4, "unexpected token after 'val'" },
	{ "b64(b64) = x", 1, 5, "expected a field, a quoted string" },
	{ "a.b == oneof(x)", 1, 13, "unexpected token after 'oneof'" },
	{ "proc.num <= anyof (1)", 1, 13, "expected a number value" },
	{ "(a)andnot(b)", 1, 7, "expected blank or '(' after 'and'" },
};

static void well_formed_conditions_are_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(valid); i++) {
		struct err err = { 0 };

		if (rules_parse_condition(slice_of(valid[i]), &err) < 0)
			fail_msg("%s: %s", valid[i], err.msg);
	}
}

static void an_error_says_where_and_what(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(invalid); i++) {
		struct err err = { 0 };
		char want[64];

		assert_int_equal(rules_parse_condition(slice_of(invalid[i].text), &err), -ERR_SYNTAX);
		snprintf(want, sizeof(want), "%u:%u: ", invalid[i].line, invalid[i].column);
		if (strncmp(err.msg, want, strlen(want)) != 0 || !strstr(err.msg, invalid[i].what))
			fail_msg("%s: got '%s', want %s%s", invalid[i].text, err.msg, want, invalid[i].what);
	}
}

static void nesting_is_bounded(void **state)
{
	char text[8000];
	struct err err;

	(void)state;
	for (int depth = 90; depth <= 110; depth += 20) {
		size_t n = (size_t)depth;

		memset(text, '(', n);
		text[n] = 'a';
		memset(text + n + 1, ')', n);
		assert_int_equal(rules_parse_condition(slice_from(text, 2 * n + 1), &err) < 0, depth > 100);
	}
	memset(text, '(', sizeof(text));
	assert_true(rules_parse_condition(slice_from(text, sizeof(text)), &err) < 0);
	for (size_t i = 0; i + 4 <= sizeof(text); i += 4)
		memcpy(text + i, "b64(", 4);
	assert_true(rules_parse_condition(slice_from(text, sizeof(text)), &err) < 0);
	for (size_t i = 0; i + 4 <= sizeof(text); i += 4)
		memcpy(text + i, "not ", 4);
	assert_true(rules_parse_condition(slice_from(text, sizeof(text)), &err) < 0);
}

static void a_condition_larger_than_the_bound_is_refused(void **state)
{
	CLEANUP(freep) char *text = malloc(COND_TEXT_MAX + 1);
	struct err err;

	(void)state;
	memset(text, 'a', COND_TEXT_MAX + 1);
	assert_int_equal(rules_parse_condition(slice_from(text, COND_TEXT_MAX + 1), &err), -ERR_LIMIT);
}

static void a_tree_prints_in_canonical_form(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "a.b  =1 and(c or not d)", "(a.b = 1 and (c or not d))" },
		{ "a.b in (x,'y z')", "a.b in (x, \"y z\")" },
		{ "not not a.b exists", "a.b exists" },
		{ "tolower( a.b )==x", "tolower(a.b) = x" },
		{ "a.b == oneof (x)", "a.b = oneof (x)" },
		{ "join('-', (a.b,'c.d')) = e", "join(\"-\", (a.b, \"c.d\")) = e" },
		{ "a.b[k] = ''", "a.b[k] = \"\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
		CLEANUP(buf_finip) struct buf b = { 0 };
		const struct cond *c;

		buf_init(&b, 0);
		assert_int_equal(cond_parse(a, slice_of(cases[i].text), COND_DEPTH, &c, NULL), 0);
		cond_print(c, &b);
		assert_string_equal(b.p, cases[i].want);
	}
}

static void the_shared_parse_vectors_pass(void **state)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	char *cells[3];
	size_t count = 0;

	(void)state;
	vectors_read("falco-conditions.tsv", &text);
	char *at = text.p;
	(void)vectors_row(&at, cells, 3);
	while (vectors_row(&at, cells, 3)) {
		struct err err = { 0 };

		/* Fields that only the suite had: for the grammar alone, which takes them all. */
		bool is_mock = strstr(cells[2], "mock") != NULL;
		if (!strstr(cells[2], "[parse]") && !is_mock)
			continue;
		vectors_unescape(cells[0]);
		bool is_valid = rules_parse_condition(slice_of(cells[0]), &err) >= 0;
		if (is_valid != (is_mock || !strcmp(cells[1], "valid")))
			fail_msg("%s should be %s: %s", cells[0], cells[1], err.msg);
		count++;
	}
	print_message("%zu conditions\n", count);
	assert_true(count >= 298);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(well_formed_conditions_are_accepted),
		cmocka_unit_test(an_error_says_where_and_what),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(a_condition_larger_than_the_bound_is_refused),
		cmocka_unit_test(a_tree_prints_in_canonical_form),
		cmocka_unit_test(the_shared_parse_vectors_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
