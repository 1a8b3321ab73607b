/* doc: JSON, YAML and TOML become the same events; bounds, and what is refused. */
#include "tests/agent/image/lang/lang_test.h"

#include <time.h>

#include "agent/image/lang/doc.h"

struct seen {
	struct buf text;
	size_t events;
	int stop_at; /* ends the walk at this event with 7; 0: never */
};
typedef int (*read_fn)(struct slice text, doc_fn fn, void *arg, struct err *err);

static int note(void *arg, const struct doc *d, enum doc_event e, struct slice text)
{
	static const char *const marks[] = { "{", "}", "[", "]", "'", "" };
	struct seen *s = arg;

	for (size_t i = 0; i < doc_depth(d); i++) {
		struct slice key = doc_key(d, i);
		buf_printf(&s->text, "/%.*s", SLICE_FMT(key));
	}
	buf_printf(&s->text, " %s%.*s\n", marks[e], SLICE_FMT(text));
	s->events++;
	return s->stop_at && s->events == (size_t)s->stop_at ? 7 : 0;
}

static int count(void *arg, const struct doc *d, enum doc_event e, struct slice text)
{
	(void)d;
	(void)e;
	(void)text;
	++*(size_t *)arg;
	return 0;
}

static void assert_events(read_fn read, const char *text, const char *want)
{
	struct seen s = { 0 };
	struct err err = { 0 };

	buf_init(&s.text, 1 << 20);
	if (read(slice_of(text), note, &s, &err))
		fail_msg("%s: %s", text, err.msg);
	assert_string_equal(s.text.n ? s.text.p : "", want);
	buf_fini(&s.text);
}

static void assert_refused(read_fn read, struct slice text, int code, const char *why)
{
	struct err err = { 0 };
	size_t n = 0;

	if (read(text, count, &n, &err) != -code || !strstr(err.msg, why))
		fail_msg("%.*s: \"%s\" has no \"%s\"", (int)(text.n > 60 ? 60 : text.n), text.p, err.msg, why);
}

static void the_three_say_the_same_of_the_same(void **state)
{
	static const char want[] = " {\n/a {\n/a/b '1\n/a/l [\n/a/l/ 'x\n/a/l/ {\n/a/l//k 'v\n/a/l/ }\n/a/l ]\n"
				   "/a }\n/n 5\n }\n";

	assert_events(doc_json, "{\"a\": {\"b\": \"1\", \"l\": [\"x\", {\"k\": \"v\"}]}, \"n\": 5}", want);
	assert_events(doc_yaml, "a:\n  b: '1'\n  l:\n  - 'x'\n  - k: 'v'\nn: 5\n", want);
	assert_events(doc_toml, "[a]\nb = '1'\nl = [\"x\", {k = 'v'}]\n", " {\n/a {\n/a/b '1\n/a/l [\n/a/l/ 'x\n"
									  "/a/l/ {\n/a/l//k 'v\n/a/l/ }\n/a/l ]\n"
									  "/a }\n }\n");
}

static int check_pattern(void *arg, const struct doc *d, enum doc_event e, struct slice text)
{
	(void)arg;
	if (e != DOC_TEXT)
		return 0;
	assert_int_equal(doc_is(d, 0, "p/#/name"), slice_is(text, "one"));
	assert_int_equal(doc_is(d, 0, "p/*/name"), slice_is(text, "two"));
	assert_int_equal(doc_is(d, 1, "#/name"), slice_is(text, "one"));
	assert_int_equal(doc_is(d, 0, "*/*/*"), slice_is(text, "two"));
	assert_int_equal(doc_is(d, doc_depth(d), ""), true);
	assert_false(doc_is(d, 0, ""));
	assert_false(doc_is(d, 0, "p/#"));
	assert_false(doc_is(d, 0, "p/#/name/x"));
	assert_false(doc_is(d, 9, "p"));
	return 0;
}

static void a_pattern_tells_maps_from_lists(void **state)
{
	static const char text[] = "{\"p\": [{\"name\": \"one\"}], \"p\": {\"#\": {\"name\": \"two\"}}}";

	assert_int_equal(doc_json(slice_of(text), check_pattern, NULL, NULL), 0);
}

static void the_walk_ends_with_what_the_caller_said(void **state)
{
	static const struct {
		read_fn read;
		const char *text;
	} rows[] = {
		{ doc_json, "{\"a\": [1, 2, {\"b\": 3}]}" },
		{ doc_yaml, "a: [1, 2, {b: 3}]" },
		{ doc_toml, "a = [1, 2, {b = 3}]" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int at = 1; at <= 9; at++) {
			struct seen s = { .stop_at = at };

			buf_init(&s.text, 1 << 20);
			assert_int_equal(rows[i].read(slice_of(rows[i].text), note, &s, NULL), 7);
			assert_int_equal(s.events, at);
			buf_fini(&s.text);
		}
}

static void toml_is_read_as_it_is_meant(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", " {\n }\n" },
		{ "# only\n\n", " {\n }\n" },
		{ "a = 1 # why\nb=true\r\nc =  1979-05-27 07:32:00Z\n",
		  " {\n/a 1\n/b true\n/c 1979-05-27 07:32:00Z\n }\n" },
		{ "\"a b\" = ''\n'c.d' = \"\"\n\"\" = 1", " {\n/a b '\n/c.d '\n/ 1\n }\n" },
		{ "a.b.c = 1\na . d = 2", " {\n/a {\n/a/b {\n/a/b/c 1\n/a/b }\n/a }\n/a {\n/a/d 2\n/a }\n }\n" },
		{ "a = \"x\\ty\\\"\\u00e9\\U0001f600\\\\\"", " {\n/a 'x\ty\"\xc3\xa9\xf0\x9f\x98\x80\\\n }\n" },
		{ "a = 'C:\\x'", " {\n/a 'C:\\x\n }\n" },
		{ "a = \"\"\"\nx\n\"y\"\"z\\\n   w\"\"\"\"\"", " {\n/a 'x\n\"y\"\"zw\"\"\n }\n" },
		{ "a = '''\nx\\'''", " {\n/a 'x\\\n }\n" },
		{ "a = []\nb = {}\nc = [[], {},]",
		  " {\n/a [\n/a ]\n/b {\n/b }\n/c [\n/c/ [\n/c/ ]\n/c/ {\n/c/ }\n/c ]\n }\n" },
		{ "a = [ # x\n 1, # y\n\n 2 ]", " {\n/a [\n/a/ 1\n/a/ 2\n/a ]\n }\n" },
		{ "a = {b.c = 1, d = [2]}", " {\n/a {\n/a/b {\n/a/b/c 1\n/a/b }\n/a/d [\n/a/d/ 2\n/a/d ]\n/a }\n }\n" },
		{ "[[p]]\nn = 1\n[p.s]\nt = 2\n[[p.q]]\nu = 3\n[[p.q]]\nu = 4\n[[p]]\nn = 5\n[m]\n",
		  " {\n/p [\n/p/ {\n/p//n 1\n/p//s {\n/p//s/t 2\n/p//s }\n/p//q [\n/p//q/ {\n/p//q//u 3\n/p//q/ }\n"
		  "/p//q/ {\n/p//q//u 4\n/p//q/ }\n/p//q ]\n/p/ }\n/p/ {\n/p//n 5\n/p/ }\n/p ]\n/m {\n/m }\n }\n" },
		{ "[ a . \"b\" ]\nc = 1\n[a.d]\n", " {\n/a {\n/a/b {\n/a/b/c 1\n/a/b }\n/a/d {\n/a/d }\n/a }\n }\n" },
		{ "\xef\xbb\xbf" "a = 1", " {\n/a 1\n }\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_events(doc_toml, rows[i].text, rows[i].want);
}

static void wrong_toml_is_refused_with_its_line(void **state)
{
	static const char *const rows[] = {
		"\na",
		"\n= 1",
		"\na =",
		"\na = \n",
		"\na = 1 2 \"x\"",
		"\na = \"x",
		"\na = \"x\n\"",
		"\na = 'x",
		"\na = \"\\q\"",
		"\na = \"\\u12\"",
		"\na = \"\\ud800\"",
		"\na = \"\\U00110000\"",
		"\na = [1",
		"\na = [1 2",
		"\na = [,]",
		"\na = {b = 1",
		"\na = {b}",
		"\na = {,}",
		"\n[a",
		"\n[a]]",
		"\n[[a]",
		"\n[]",
		"\n[a.]",
		"\n[a] b = 1",
		"\na. = 1",
		"\na = ]",
		"\na = 1, 2",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_refused(doc_toml, slice_of(rows[i]), ERR_SYNTAX, "line ");
	assert_refused(doc_toml, SLICE_LIT("a = 1\n\nb = ?"), ERR_SYNTAX, "line 3: ");
}

static void wrong_json_and_yaml_are_refused_with_their_line(void **state)
{
	assert_refused(doc_json, SLICE_LIT("{\n\n\"a\" 1}"), ERR_SYNTAX, "line 3: ");
	assert_refused(doc_json, SLICE_LIT("{\"a\": 1"), ERR_SYNTAX, "line 1: ");
	assert_refused(doc_json, SLICE_LIT("{} {}"), ERR_SYNTAX, "trailing");
	assert_refused(doc_json, SLICE_NONE, ERR_SYNTAX, "");
	assert_refused(doc_yaml, SLICE_LIT("a: 1\n\n\tb: 2"), ERR_SYNTAX, "line 3: ");
	assert_refused(doc_yaml, SLICE_LIT("a: {"), ERR_SYNTAX, "line ");
	assert_refused(doc_yaml, SLICE_LIT("a: \xff"), ERR_SYNTAX, "line ");
	assert_refused(doc_yaml, SLICE_LIT("{a: 1}: 2"), ERR_SYNTAX, "a name that is not text");
	assert_events(doc_json, "\xef\xbb\xbf{}", " {\n }\n");
}

static void yaml_multiplies_nothing(void **state)
{
	static const char *const directives[] = {
		"%TAG !a! b\n---\na: 1", "a: 1\n...\n%YAML 1.1\n---\n", "a: 1\r...\r%YAML 1.1\r",
		"a: 1\xc2\x85%YAML", "a\xe2\x80\xa8%x", "a\xe2\x80\xa9%x",
	};

	assert_refused(doc_yaml,
		       SLICE_LIT("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n"), ERR_SYNTAX,
		       "line 2: a lock file has no aliases");
	for (size_t i = 0; i < ARRAY_LEN(directives); i++)
		assert_refused(doc_yaml, slice_of(directives[i]), ERR_SYNTAX, "no directives");
	assert_events(doc_yaml, "a: 5%\nb: \"%\"\n", " {\n/a 5%\n/b '%\n }\n");
	/* UTF-16, in which a directive would not be seen */
	assert_refused(doc_yaml, SLICE_LIT("\xff\xfe%\0T\0A\0G\0"), ERR_SYNTAX, "");
}

/* n times open, then nothing. */
static void nest(struct buf *b, const char *open, size_t n)
{
	buf_reset(b);
	while (n--)
		buf_add_str(b, open);
}

static void depth_and_names_are_bounded(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	static const struct {
		read_fn read;
		const char *open;
	} rows[] = {
		{ doc_json, "[" },	{ doc_json, "{\"a\":" },  { doc_yaml, "[" },   { doc_yaml, "{a: " },
		{ doc_yaml, "- " },	{ doc_toml, "a=[" },      { doc_toml, "a={" }, { doc_toml, "a." },
		{ doc_toml, "[a.a.a.a" },
	};

	buf_init(&b, 8 << 20);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		nest(&b, rows[i].open, 200000);
		if (!strcmp(rows[i].open, "a=[")) {
			buf_reset(&b);
			buf_add_str(&b, "a=");
			for (size_t k = 0; k < 200000; k++)
				buf_add_char(&b, '[');
		}
		struct err err = { 0 };
		size_t n = 0;
		assert_true(rows[i].read(buf_slice(&b), count, &n, &err) < 0);
		assert_true(n <= 400);
	}
	nest(&b, "[", DOC_DEPTH_MAX);
	for (size_t i = 0; i < DOC_DEPTH_MAX; i++)
		buf_add_char(&b, ']');
	size_t events = 0;
	assert_int_equal(doc_json(buf_slice(&b), count, &events, NULL), 0);
	assert_int_equal(events, 2 * DOC_DEPTH_MAX);
	nest(&b, "[", DOC_DEPTH_MAX + 1);
	assert_refused(doc_json, buf_slice(&b), ERR_LIMIT, "nested deeper than 128");
	buf_reset(&b);
	buf_add_str(&b, "{\"");
	for (size_t i = 0; i <= DOC_PATH_MAX; i++)
		buf_add_char(&b, 'a');
	buf_add_str(&b, "\": 1}");
	assert_refused(doc_json, buf_slice(&b), ERR_LIMIT, "names longer than");
	assert_refused(doc_yaml, buf_slice(&b), ERR_LIMIT, "names longer than");
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Texts that cost the square of their size in one reader or another; 256 KiB each, with the sanitizers on. */
static void hostile_texts_cost_no_more_than_their_size(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	static const struct {
		read_fn read;
		const char *start, *more;
	} rows[] = {
		{ doc_yaml, "", "%TAG !a! b\n" },     { doc_yaml, "a: ", "{" },	      { doc_yaml, "", "- " },
		{ doc_yaml, "", "&a " },	      { doc_yaml, "", "? " },	      { doc_yaml, "", "---\n" },
		{ doc_yaml, "a: \"", "\\\n" },	      { doc_yaml, "", "a: &b c\n" },  { doc_yaml, "a: |\n", " \n" },
		{ doc_yaml, "[", "a," },	      { doc_yaml, "", "a: #\n" },     { doc_yaml, "", "!<a> " },
		{ doc_toml, "", "[a.b]\n" },	      { doc_toml, "", "[[a]]\n" },    { doc_toml, "a = '''", "x\n" },
		{ doc_toml, "a = \"\"\"", "\\\n \n" }, { doc_toml, "a = [", "1," },    { doc_toml, "", "\n#" },
		{ doc_json, "[", "1," },	      { doc_json, "[\"", "\\u00e9" }, { doc_json, "{", "\"a\":1," },
	};

	buf_init(&b, 8 << 20);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		double from = seconds();
		size_t n = 0;

		buf_reset(&b);
		buf_add_str(&b, rows[i].start);
		while (b.n < 256 << 10)
			buf_add_str(&b, rows[i].more);
		(void)!rows[i].read(buf_slice(&b), count, &n, NULL);
		if (seconds() - from > 1)
			fail_msg("row %zu (%s): %.1f s", i, rows[i].more, seconds() - from);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_three_say_the_same_of_the_same),
		cmocka_unit_test(a_pattern_tells_maps_from_lists),
		cmocka_unit_test(the_walk_ends_with_what_the_caller_said),
		cmocka_unit_test(toml_is_read_as_it_is_meant),
		cmocka_unit_test(wrong_toml_is_refused_with_its_line),
		cmocka_unit_test(wrong_json_and_yaml_are_refused_with_their_line),
		cmocka_unit_test(yaml_multiplies_nothing),
		cmocka_unit_test(depth_and_names_are_bounded),
		cmocka_unit_test(hostile_texts_cost_no_more_than_their_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
