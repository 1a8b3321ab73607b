/* Evaluation over flat JSON: operators, the null rule, several values, transformers, bounds. */
#include "agent/rules/prog_priv.h"
#include "agent/rules/rules.h"
#include "agent/rules/rules_json.h"
#include "vectors.h"

static bool eval(const char *condition, const char *json)
{
	CLEANUP(cJSON_Deletep) cJSON *event = NULL;
	struct err err = { 0 };
	bool result = false;

	if (json_parse(slice_of(json), 1 << 20, &event, &err) < 0)
		fail_msg("%s: %s", json, err.msg);
	struct rules_source src = rules_json_source(event);
	if (rules_eval_condition(slice_of(condition), &src, &result, &err) < 0)
		fail_msg("%s: %s", condition, err.msg);
	return result;
}

#define SHELL "{\"evt.type\":\"execve\",\"proc.name\":\"bash\",\"proc.pid\":42,\"fd.name\":\"/opt/dir/sub/f.txt\"," \
	      "\"proc.aname\":[\"sshd\",\"systemd\"],\"fd.num\":-1,\"evt.is_open_read\":true," \
	      "\"proc.args\":[\"-l\",\"-c\",\"id\"],\"fd.types\":[\"file\",\"ipv4\"]," \
	      "\"fd.cip\":\"172.40.1.2\",\"fd.sip\":\"142.251.111.147\",\"fd.sport\":443,\"fd.cport\":5}"

static const struct {
	const char *condition;
	bool want;
} cases[] = {
	{ "proc.name = bash", true },
	{ "proc.name != bash", false },
	{ "proc.name in (sh, bash)", true },
	{ "proc.name in (a,b,c,d,e,f,g,h,i,j,k,bash)", true },
	{ "proc.name in (a,b,c,d,e,f,g,h,i,j,k,l)", false },
	{ "proc.name in ()", false },
	{ "not proc.name in ()", true },
	/* A missing value: every comparison is false, its negation true. */
	{ "user.name = root", false },
	{ "user.name != root", false },
	{ "not user.name = root", true },
	{ "user.name in (root)", false },
	{ "user.name exists", false },
	{ "not user.name exists", true },
	{ "user.uid >= 0", false },
	{ "tolower(user.name) = root", false },
	{ "proc.name = val(user.name)", false },
	{ "proc.pid > 41 and proc.pid <= 42 and proc.pid in (1, 42)", true },
	{ "proc.pid = 0x2a", true },
	{ "fd.num < 0 and fd.num > -2", true },
	{ "fd.num > 4294967295", false },
	{ "evt.is_open_read = true", true },
	{ "evt.is_open_read != true", false },
	{ "fd.name contains dir and fd.name endswith .txt and fd.name startswith /opt", true },
	{ "fd.name icontains /SUB/", true },
	{ "fd.name glob /opt/*/f.???", true },
	{ "fd.name glob /opt/*.c", false },
	{ "fd.name glob '/opt/d[a-j]r/sub/f.t[!y]t'", true },
	{ "fd.name iglob /OPT/*", true },
	{ "fd.name pmatch (/opt/dir)", true },
	{ "fd.name pmatch (/opt/di)", false },
	{ "fd.name pmatch (/var, /opt/*/sub)", true },
	{ "fd.name regex '/opt/.*'", true },
	{ "fd.name regex 'opt'", false },
	{ "fd.name < 1 and not fd.name > 1", true }, /* as texts */
	/* Any ancestor, but not the process itself; != too asks for any. */
	{ "proc.aname = systemd", true },
	{ "proc.aname = bash", false },
	{ "proc.aname in (x, sshd)", true },
	{ "proc.aname != sshd", true },
	{ "proc.aname[1] = sshd and proc.aname[2] = systemd", true },
	{ "proc.aname[3] exists", false },
	/* Both ends. */
	{ "fd.ip = 142.251.111.147 and fd.ip = 172.40.1.2", true },
	{ "fd.ip != 142.251.111.147", false },
	{ "fd.ip != 1.1.1.1", true },
	{ "fd.net = 172.40.0.0/16 and fd.snet in (142.251.0.0/16)", true },
	{ "fd.net != 10.0.0.0/8", true },
	{ "fd.sip = ::1", false },
	{ "fd.port = 443 and fd.port = 5 and fd.sport >= 443", true },
	/* Lists. */
	{ "fd.types in (file, ipv4, unix)", true },
	{ "fd.types in (file)", false },
	{ "fd.types intersects (unix, ipv4)", true },
	{ "len(fd.types) = 2", true },
	{ "proc.args intersects (\"-c\")", true },
	{ "proc.args = \"-l -c id\"", true },
	{ "getopt(proc.args, \"lc:\")[c] = id", true },
	/* Modifiers. */
	{ "proc.name = oneof (bash, sh)", true },
	{ "proc.name startswith oneof (ba, bas)", false },
	{ "proc.name startswith anyof (ba, bas)", true },
	{ "proc.name contains anyof (x1, x2, x3, x4, x5, x6, x7, as)", true },
	{ "proc.name contains anyof (x1, x2, x3, x4, x5, x6, x7, bash1)", false },
	{ "fd.name contains anyof (dirt, sub/g, xt., opt/dir/x, irs, f.tx, q)", true },
	{ "fd.name contains anyof (dirt, sub/g, xt., opt/dir/x, irs, f.ty, q)", false },
	{ "fd.name contains anyof (a, b, c, d1, e1, g1, '')", true },
	{ "user.name contains anyof (a, b, c, d1, e1, g1, '')", false },
	{ "not user.name contains anyof (a, b, c, d1, e1, g1)", true },
	{ "fd.name contains 1 or fd.name contains 2 or fd.name contains 3 or proc.name = sh or fd.name contains 4"
	  " or fd.name contains 5 or fd.name contains sub",
	  true },
	{ "fd.name contains 1 or fd.name contains 2 or fd.name contains 3 or proc.name = sh or fd.name contains 4"
	  " or fd.name contains 5 or fd.name contains sud",
	  false },
	{ "not (fd.name contains 1 or fd.name contains 2 or fd.name contains 3 or fd.name contains 4 or fd.name contains 5"
	  " or fd.name contains 6)",
	  true },
	{ "proc.aname contains x1 or proc.aname contains x2 or proc.aname contains x3 or proc.aname contains x4 or"
	  " proc.aname contains x5 or proc.aname contains ystem",
	  true },
	{ "proc.name contains allof (a, s)", true },
	{ "proc.name contains allof (a, z)", false },
	{ "proc.name != anyof (bash, sh)", true },
	{ "proc.name != allof (bash, sh)", false },
	{ "proc.name = allof ()", false },
	/* Transformers. */
	{ "toupper(proc.name) = BASH", true },
	{ "basename(fd.name) = f.txt", true },
	{ "b64(concat(\"YmF\", \"zaA\")) = bash", true },
	{ "b64(proc.name) = x", false },
	{ "join('/', (proc.name, proc.pid, 7)) = bash/42/7", true },
	{ "join('-', (proc.name, user.name)) exists", false },
	{ "proc.name = tolower(proc.name)", true },
	{ "proc.name in val(proc.aname)", false },
	{ "evt.type = execve and (proc.name = sh or not (proc.pid = 1 or fd.num = 3))", true },
};

static void conditions_judge_as_falco_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (eval(cases[i].condition, SHELL) != cases[i].want)
			fail_msg("%s should be %d", cases[i].condition, cases[i].want);
}

static void ancestors_may_be_given_one_by_one(void **state)
{
	static const char event[] = "{\"proc.aname[2]\":\"init\",\"proc.aname[4]\":\"x\"}";

	(void)state;
	assert_true(eval("proc.aname = init and proc.aname in (x)", event));
	assert_true(eval("proc.aname[2] = init and not proc.aname[1] exists", event));
}

static void bytes_in_no_encoding_match_byte_by_byte(void **state)
{
	static const char event[] = "{\"proc.name\":\"bad\xff\"}";

	(void)state;
	assert_true(eval("proc.name contains \"\\xff\"", event));
	assert_true(eval("proc.name glob 'bad?' and proc.name regex 'bad.'", event));
}

/* Few letters, so that texts overlap and stand in each other. */
static void many_texts_at_once_are_found_as_one_by_one(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
		char bytes[128];
		struct slice texts[8], s = slice_from(bytes + 64, round % 40);
		bool want = false;

		for (size_t i = 0; i < sizeof(bytes); i++) {
			seed = seed * 1664525 + 1013904223;
			bytes[i] = (char)("ab\xff"[(seed >> 24) % 3]);
		}
		for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
			texts[i] = slice_from(bytes + i * 8, 1 + (seed >> i) % 7);
			want |= match_contains(s, texts[i], false);
		}
		const struct needles *n = needles_new(a, texts, ARRAY_LEN(texts));
		assert_non_null(n);
		if (needles_find(n, s) != want)
			fail_msg("round %d: should be %d", round, want);
	}
}

/* Exponential for a backtracking matcher without a limit. */
static void a_regex_bomb_ends(void **state)
{
	char event[400] = "{\"proc.name\":\"";

	(void)state;
	memset(event + strlen(event), 'a', 200);
	strcat(event, "b\"}");
	assert_false(eval("proc.name regex '(a+)+c'", event));
	assert_false(eval("proc.name glob '*a*a*a*a*a*a*a*a*a*a*a*a*c'", event));
}

static void a_key_longer_than_the_bound_is_only_absent(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	(void)state;
	buf_init(&b, 0);
	buf_add_str(&b, "evt.arg.");
	for (int i = 0; i < 5000; i++)
		buf_add_char(&b, 'a');
	buf_add_str(&b, " exists");
	assert_false(eval(b.p, "{}"));
}

/* The events of the shared vectors that a line of text describes wholly. */
static const struct {
	const char *source, *context, *event; /* what source or context contains */
} events[] = {
	{ "", "constants only", "{}" },
	{ "", "evt.type=getcwd", "{\"evt.type\":\"getcwd\",\"evt.source\":\"syscall\",\"syscall.type\":\"getcwd\","
				 "\"evt.args\":\"res=-3\",\"evt.arg.res\":\"ESRCH\"}" },
	{ "", "[::1]", "{\"fd.cip\":\"::1\",\"fd.rip\":\"::1\",\"fd.sip\":\"2001:4860:4860::8888\","
		       "\"fd.lip\":\"2001:4860:4860::8888\"}" },
	{ "", "172.40.111.222", "{\"fd.cip\":\"172.40.111.222\",\"fd.rip\":\"172.40.111.222\","
				"\"fd.sip\":\"142.251.111.147\",\"fd.lip\":\"142.251.111.147\"}" },
	{ "", "two events", "{\"evt.cpu\":1,\"evt.rawarg.res\":-22,\"fd.num\":-1}" },
	{ "", "evt.buffer=\"hello\"", "{\"evt.buffer\":\"hello\"}" },
	{ "", "fd.types grows", "{\"fd.name\":\"/tmp/file_to_run\",\"fd.types\":[\"file\",\"ipv4\"]}" },
	{ "", "proc.name=myexe", "{\"evt.type\":\"execve\",\"proc.name\":\"myexe\",\"evt.source\":\"syscall\"}" },
	{ "", "/opt/dir/SUBDIR", "{\"fd.name\":\"/opt/dir/SUBDIR/file.txt\",\"evt.arg.flags\":\"O_RDWR|O_CREAT\"}" },
	{ "", "/opt/dir/subdir", "{\"fd.name\":\"/opt/dir/subdir/file.txt\"}" },
	{ "", "fd.directory=/tmp", "{\"fd.name\":\"/tmp/file_to_run\",\"fd.directory\":\"/tmp\"}" },
	{ "PROC_FILTER_aname", "", "{\"proc.aname\":[\"bash\",\"init\"]}" },
	{ "event_res", "", "{\"evt.rawres\":-3}" },
	{ "rawarg_madness", "", "{\"evt.rawarg.flags\":100}" },
	{ "data_buffer", "", "{\"evt.arg.data\":\"gigi\"}" },
	{ "", "c.true", "{\"evt.count\":1,\"evt.count.error\":0}" },
	{ "", "c.doublequote", "{\"proc.name\":\"hello \\\"quoted\\\"\",\"proc.exe\":\"hello 'quoted'\"}" },
	{ "filter_cache", "", "{\"evt.type\":\"connect\",\"evt.source\":\"syscall\",\"fd.sip\":\"10.0.0.2\","
			      "\"evt.arg.ret\":0,\"evt.arg.reaper_tid\":7}" },
	{ "utf8_match", "", "{\"fd.name\":\"/p\xff/q\xff\",\"fd.directory\":\"/p\xff\",\"fd.filename\":\"q\xff\","
			    "\"fs.path.name\":\"/p\xff\",\"fs.path.source\":\"/s\xff\",\"fs.path.target\":\"/t\xff\","
			    "\"proc.name\":\"n\xff\",\"proc.exe\":\"/e\xff\",\"proc.cwd\":\"/c\xff/\","
			    "\"evt.abspath\":\"/tmp/a\xff\"}" },
};

/* The fields of the suite's own table, by fields of ours that an event can set. */
static void rename_fields(const char *condition, struct buf *out)
{
	static const char *const names[][2] = { { "c.true", "evt.count" },
						{ "c.false", "evt.count.error" },
						{ "c.doublequote", "proc.name" },
						{ "c.singlequote", "proc.exe" } };

	for (const char *at = condition; *at;) {
		size_t i = 0;

		while (i < ARRAY_LEN(names) && strncmp(at, names[i][0], strlen(names[i][0])) != 0)
			i++;
		if (i == ARRAY_LEN(names)) {
			buf_add_char(out, *at++);
			continue;
		}
		buf_add_str(out, names[i][1]);
		at += strlen(names[i][0]);
	}
}

/* A buffer with a NUL in it, which no text of JSON here can hold. */
static bool get_buffer(void *ctx, const struct rules_field *f, int index, struct slice arg, struct arena *scratch,
		       struct rules_value *ret)
{
	(void)ctx;
	(void)index;
	(void)arg;
	(void)scratch;
	*ret = (struct rules_value){ .str = SLICE_LIT("a\0b") };
	return !strcmp(rules_field_name(f), "evt.buffer");
}

static bool eval_buffer(const char *condition)
{
	const struct rules_source src = { get_buffer, NULL };
	struct err err = { 0 };
	bool result = false;

	if (rules_eval_condition(slice_of(condition), &src, &result, &err) < 0)
		fail_msg("%s: %s", condition, err.msg);
	return result;
}

static void the_shared_evaluations_pass(void **state)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	char *cells[4];
	size_t count = 0;

	(void)state;
	vectors_read("falco-evaluations.tsv", &text);
	char *at = text.p;
	(void)vectors_row(&at, cells, 4);
	while (vectors_row(&at, cells, 4)) {
		CLEANUP(buf_finip) struct buf condition = { 0 };
		bool has_nul = strstr(cells[2], "x00b") != NULL;
		const char *event = NULL;

		for (size_t i = 0; i < ARRAY_LEN(events) && !event; i++)
			if (strstr(cells[2], events[i].context) && strstr(cells[3], events[i].source))
				event = events[i].event;
		if (!event && !has_nul)
			fail_msg("%s: no event for '%s', '%s'", cells[0], cells[2], cells[3]);
		vectors_unescape(cells[0]);
		buf_init(&condition, 0);
		rename_fields(cells[0], &condition);
		if ((has_nul ? eval_buffer(condition.p) : eval(condition.p, event)) != !strcmp(cells[1], "true"))
			fail_msg("%s should be %s on %s", condition.p, cells[1], has_nul ? "a\\0b" : event);
		count++;
	}
	print_message("%zu evaluations\n", count);
	assert_int_equal(count, 246);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions_judge_as_falco_does),
		cmocka_unit_test(ancestors_may_be_given_one_by_one),
		cmocka_unit_test(bytes_in_no_encoding_match_byte_by_byte),
		cmocka_unit_test(many_texts_at_once_are_found_as_one_by_one),
		cmocka_unit_test(a_regex_bomb_ends),
		cmocka_unit_test(a_key_longer_than_the_bound_is_only_absent),
		cmocka_unit_test(the_shared_evaluations_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
