/* detect: sets of rules, their sources and fields; what is refused and what is noted. */
#include "tests/collector/correlate/detect_world.h"

#include "common/buf.h"

static char *rule(struct world *w, const char *detection)
{
	return arena_printf(w->arena, "title: t\nlogsource: {product: linux}\nlevel: low\ndetection:\n%s\n", detection);
}

static void what_is_wrong_has_a_place_and_words(void **state)
{
	static const struct {
		const char *detection, *message;
	} rows[] = {
		{ "  s: {F|contans: a}\n  condition: s", "r.yml:5:7: unknown modifier 'contans', did you mean 'contains'?" },
		{ "  s: {F|zzzzzzzz: a}\n  condition: s", "r.yml:5:7: unknown modifier 'zzzzzzzz'" },
		{ "  s:\n    F|expand: '%a%'\n  condition: s", "r.yml:6:5: placeholders (expand) are not replaced here: write the values into the rule" },
		{ "  s: {F|contains|base64: a}\n  condition: s", "r.yml:5:7: base64 stands before contains, startswith, endswith" },
		{ "  s: {F|re|base64: a}\n  condition: s", "r.yml:5:7: encodings and windash are for texts" },
		{ "  s: {F|base64|re: a}\n  condition: s", "r.yml:5:7: modifiers that exclude each other" },
		{ "  s: {F|re|startswith: a}\n  condition: s", "r.yml:5:7: contains, startswith and endswith are for texts" },
		{ "  s: {F|contains|re: a}\n  condition: s", "r.yml:5:7: modifiers that exclude each other" },
		{ "  s: {F|i: a}\n  condition: s", "r.yml:5:7: i, m and s stand behind re" },
		{ "  s: {F|gt|lt: 1}\n  condition: s", "r.yml:5:7: modifiers that exclude each other" },
		{ "  s: {F|gt|neq: 1}\n  condition: s", "r.yml:5:7: neq and an order exclude each other" },
		{ "  s: {F|exists|all: true}\n  condition: s", "r.yml:5:7: exists stands alone" },
		{ "  s: {F|exists: maybe}\n  condition: s", "r.yml:5:17: expected true or false" },
		{ "  s: {F|a|b|c|d|e|f|g|h|i: 1}\n  condition: s", "r.yml:5:7: unknown modifier 'a'" },
		{ "  s: {F|all|all|all|all|all|all|all|all|all: 1}\n  condition: s", "r.yml:5:7: more than eight modifiers" },
		{ "  s: {'|cidr': 10.0.0.0/8}\n  condition: s", "r.yml:5:7: keywords are texts or regular expressions" },
		{ "  s: {'|neq': x}\n  condition: s", "r.yml:5:7: keywords can't be 'neq': write 'not' in the condition" },
		{ "  s: {'': x}\n  condition: s", "r.yml:5:7: a field without a name" },
		{ "  s: {F: {a: b}}\n  condition: s", "r.yml:5:10: expected a text or a number" },
		{ "  s: {F: [[a]]}\n  condition: s", "r.yml:5:11: expected a text or a number" },
		{ "  s: {F: []}\n  condition: s", "r.yml:5:10: an empty list" },
		{ "  s: {F|contains: ~}\n  condition: s", "r.yml:5:19: expected a text or a number" },
		{ "  s: {F|gt: ten}\n  condition: s", "r.yml:5:13: 'ten' is no number" },
		{ "  s: {F|hour: 0x10}\n  condition: s", "r.yml:5:15: '0x10' is no number" },
		{ "  s: {F|cidr: 10.0.0.0/33}\n  condition: s", "r.yml:5:15: '10.0.0.0/33' is no network: expected address/prefix" },
		{ "  s: {F|cidr: ten}\n  condition: s", "r.yml:5:15: 'ten' is no network: expected address/prefix" },
		{ "  s: {F|re: '('}\n  condition: s", "r.yml:5:13: invalid regular expression: missing closing parenthesis at 1" },
		{ "  s: {F|re: '(*UTF)a'}\n  condition: s", "r.yml:5:13: invalid regular expression: " },
		{ "  s: {F|base64: 'a*'}\n  condition: s", "r.yml:5:17: 'a*' has wildcards, which can't be put into base64" },
		{ "  s: {F|windash|base64: '-a -b -c -d'}\n  condition: s", "r.yml:5:25: '-a -b -c -d' has more than three dashes to be encoded" },
		{ "  s: {}\n  condition: s", "r.yml:5:6: an empty selection" },
		{ "  s: []\n  condition: s", "r.yml:5:6: an empty list" },
		{ "  s:\n  condition: s", "r.yml:5:5: an empty selection" },
		{ "  s: [{a: b}, [c]]\n  condition: s", "r.yml:5:15: a list in a list" },
		{ "  s: [~]\n  condition: s", "r.yml:5:7: expected a text or a number" },
		{ "  s: {a: b}", "r.yml:5:3: no 'condition'" },
		{ "  s: {a: b}\n  condition: []", "r.yml:6:14: no 'condition'" },
		{ "  s: {a: b}\n  condition: {a: b}", "r.yml:6:14: a condition must be a text" },
		{ "  s: {a: b}\n  condition: [s, [s]]", "r.yml:6:18: a condition must be a text" },
		{ "  s: {a: b}\n  condition: ''", "r.yml:6:14: condition: something is missing, at its end" },
		{ "  sel: {a: b}\n  condition: sal", "r.yml:6:14: condition: no selection 'sal', did you mean 'sel'?" },
		{ "  s: {a: b}\n  condition: other", "r.yml:6:14: condition: no selection 'other'" },
		{ "  s: {a: b}\n  condition: s and", "r.yml:6:14: condition: something is missing, at its end" },
		{ "  s: {a: b}\n  condition: s s", "r.yml:6:14: condition: expected 'and', 'or' or the end, at 's' (character 3)" },
		{ "  s: {a: b}\n  condition: (s", "r.yml:6:14: condition: expected ')', at its end" },
		{ "  s: {a: b}\n  condition: s)", "r.yml:6:14: condition: expected 'and', 'or' or the end, at ')' (character 2)" },
		{ "  s: {a: b}\n  condition: s | count() > 5", "r.yml:6:14: condition: aggregations were given up by Sigma: write a correlation, at '|' (character 3)" },
		{ "  s: {a: b}\n  condition: 2 of them", "r.yml:6:14: condition: expected '1 of', 'any of' or 'all of', at '2' (character 1)" },
		{ "  s: {a: b}\n  condition: 1 of", "r.yml:6:14: condition: expected 'them' or the names' pattern behind 'of', at its end" },
		{ "  s: {a: b}\n  condition: 1 of (s)", "r.yml:6:14: condition: expected 'them' or the names' pattern behind 'of', at '(' (character 6)" },
		{ "  s: {a: b}\n  condition: 1 of t*", "r.yml:6:14: condition: no selection has such a name, at 't*' (character 6)" },
		{ "  _s: {a: b}\n  condition: all of them", "r.yml:6:14: condition: no selection has such a name, at 'them' (character 8)" },
		{ "  s: {a: b}\n  condition: s*", "r.yml:6:14: condition: expected the name of a selection, at 's*' (character 1)" },
		{ "  s: {a: b}\n  condition: '&& s'", "r.yml:6:14: condition: expected the name of a selection, at '&' (character 1)" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w = world_new();
		struct err err = { 0 };
		int e = world_add(&w, rule(&w, rows[i].detection), &err);

		assert_int_equal(e, -ERR_SYNTAX);
		if (strncmp(err.msg, rows[i].message, strlen(rows[i].message)) != 0)
			fail_msg("%s: %s", rows[i].detection, err.msg);
		assert_int_equal(detect_set_count(w.set), 0);
		world_fini(&w);
	}
}

static void what_is_odd_is_noted_and_loads(void **state)
{
	static const struct {
		const char *rule, *what;
		bool can_match;
	} rows[] = {
		{ "logsource: {product: linux}\ndetection: {s: {a: b}, t: {c: d}, condition: s}", "does not use 't'", true },
		{ "logsource: {product: linux}\ndetection: {s: {a|all: b}, condition: s}", "'all' of one value", true },
		{ "logsource: {product: linux}\ndetection: {s: {nobody: b}, condition: s}", "unknown field 'nobody': nothing has it", false },
		{ "logsource: {product: linux}\ndetection: {s: {nobody: b}, condition: s}", "it never matches: it asks for what picket does not record", false },
		{ "logsource: {product: linux}\ndetection: {s: {nobody: b}, t: {a: b}, condition: s or t}", "unknown field", true },
		{ "logsource: {product: linux}\ndetection: {s: {a|fieldref: nobody}, condition: s}", "unknown field", true },
		{ "logsource: {product: linux}\ndetection: {s: {ParentUser: b}, condition: s}", "'ParentUser' is not there: of a parent its user is not recorded", false },
		{ "logsource: {product: linux, category: network_connection}\ndetection: {s: {DestinationHostname: b}, condition: s}", "connections have addresses", false },
		{ "logsource: {product: windows}\ndetection: {s: {a: b}, condition: s}", "it never matches: picket records nothing of product 'windows'", false },
		{ "logsource: {product: linux, category: dns}\ndetection: {s: {a: b}, condition: s}", "nothing of category 'dns'", false },
		{ "logsource: {product: linux, service: sshd}\ndetection: {s: {a: b}, condition: s}", "nothing of service 'sshd'", false },
		{ "logsource: {category: process_creation, service: x}\ndetection: {s: {a: b}, condition: s}", "nothing of service 'x'", false },
		{ "logsource: {product: linux}\nstatus: deprecated\ndetection: {s: {a: b}, condition: s}", "its status is 'deprecated'", true },
		{ "logsource: {product: linux}\ndetection: {s: {nobody: b}, condition: not s}", "it matches every event of its log source", true },
		{ "logsource: {product: linux}\ndetection: {s: {a|contains: '*b*'}, condition: s}", "the * around it are needless", true },
		{ "logsource: {product: linux}\ndetection: {s: {a|re: '.*b'}, condition: s}", "the .* in front is needless", true },
		{ "logsource: {product: linux}\ndetection: {s: {a|cidr: 10.0.0.1/8}, condition: s}", "bits beyond its prefix", true },
		{ "logsource: {product: linux}\ndetection: {s: {a: b}, timeframe: 5m, condition: s}", "'timeframe' has no meaning here", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w = world_new();
		struct err err = { 0 };
		char *text = arena_printf(w.arena, "title: t\nlevel: low\n%s\n", rows[i].rule);

		if (world_add(&w, text, &err) < 0)
			fail_msg("%s: %s", rows[i].rule, err.msg);
		if (!world_has_note(&w, rows[i].what))
			fail_msg("%s: no note '%s'", rows[i].rule, rows[i].what);
		assert_int_equal(detect_set_can_match(w.set, 0), rows[i].can_match);
		world_fini(&w);
	}
}

static void log_sources_say_which_events_are_meant(void **state)
{
	static const struct {
		const char *logsource;
		enum detect_source source;
	} rows[] = {
		{ "{product: linux, category: process_creation}", DETECT_SOURCE_PROCESS },
		{ "{category: process_creation}", DETECT_SOURCE_PROCESS },
		{ "{product: linux, category: process_creation, service: sysmon}", DETECT_SOURCE_PROCESS },
		{ "{product: Linux, category: Process_Creation}", DETECT_SOURCE_PROCESS },
		{ "{product: linux, category: network_connection}", DETECT_SOURCE_NETWORK },
		{ "{product: linux, category: file_event}", DETECT_SOURCE_FILE },
		{ "{product: linux, category: file_access}", DETECT_SOURCE_FILE_ACCESS },
		{ "{product: linux, category: file_delete}", DETECT_SOURCE_FILE_DELETE },
		{ "{product: linux}", DETECT_SOURCE_ANY },
		{ "{}", DETECT_SOURCE_ANY },
		{ "{product: picket, category: finding}", DETECT_SOURCE_FINDING },
		{ "{product: picket, category: scan}", DETECT_SOURCE_SCAN },
		{ "{product: picket, category: audit}", DETECT_SOURCE_AUDIT },
		{ "{product: picket, category: admission}", DETECT_SOURCE_ADMISSION },
		{ "{product: picket, category: health}", DETECT_SOURCE_HEALTH },
		{ "{product: macos, category: process_creation}", DETECT_SOURCE_NONE },
		{ "{product: linux, service: auditd}", DETECT_SOURCE_NONE },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w = world_new();
		struct err err = { 0 };
		char *text = arena_printf(w.arena, "title: t\nlogsource: %s\ndetection: {s: {Image: x}, condition: s}\n",
					  rows[i].logsource);

		assert_int_equal(world_add(&w, text, &err), 0);
		if (detect_set_source(w.set, 0) != rows[i].source)
			fail_msg("%s: %s", rows[i].logsource, detect_source_name(detect_set_source(w.set, 0)));
		for (unsigned s = 0; s < DETECT_SOURCE_COUNT; s++) {
			struct world_event ev = world_event(&w, s, "{Image: X}");
			/* one that repeats a program's start is for rules that name a hash */
			bool want = (rows[i].source == s || rows[i].source == DETECT_SOURCE_ANY) && s != DETECT_SOURCE_HASH;
			unsigned ret[1];

			assert_int_equal(detect_match_one(w.set, 0, &ev.ev), want);
			assert_int_equal(detect_match(w.set, &ev.ev, ret), want);
		}
		world_fini(&w);
	}
}

static void a_set_gives_all_that_match_in_order(void **state)
{
	struct world w = world_new();
	struct err err = { 0 };
	unsigned ret[8];

	assert_int_equal(world_add(&w,
				   "title: a\nlogsource: {product: linux, category: process_creation}\n"
				   "detection: {s: {Image|endswith: /sh}, condition: s}\n---\n"
				   "title: b\nlogsource: {product: linux, category: file_event}\n"
				   "detection: {s: {TargetFilename: /etc/passwd}, condition: s}\n---\n"
				   "title: c\nlogsource: {product: linux}\n"
				   "detection: {s: {Image|endswith: /sh}, condition: s}\n---\n"
				   "title: d\nlogsource: {product: windows}\n"
				   "detection: {s: {Image|endswith: /sh}, condition: s}\n---\n"
				   "title: e\nlogsource: {product: linux, category: process_creation}\n"
				   "detection: {s: {Image|endswith: /sh}, t: {User: root}, condition: s and not t}\n",
				   &err),
			 0);
	assert_int_equal(detect_set_count(w.set), 5);
	struct world_event ev = world_event(&w, DETECT_SOURCE_PROCESS, "{Image: /bin/sh, User: app}");
	assert_int_equal(detect_match(w.set, &ev.ev, ret), 3);
	assert_int_equal(ret[0], 0);
	assert_int_equal(ret[1], 2);
	assert_int_equal(ret[2], 4);
	/* one comparison and one field for three rules, another for the last */
	assert_int_equal(ev.gets, 2);
	ev = world_event(&w, DETECT_SOURCE_PROCESS, "{Image: /bin/sh, User: root}");
	assert_int_equal(detect_match(w.set, &ev.ev, ret), 2);
	ev = world_event(&w, DETECT_SOURCE_FILE, "{Image: /bin/cp, TargetFilename: /etc/passwd}");
	assert_int_equal(detect_match(w.set, &ev.ev, ret), 1);
	assert_int_equal(ret[0], 1);
	ev = world_event(&w, DETECT_SOURCE_ANY, "{Image: /bin/sh}");
	assert_int_equal(detect_match(w.set, &ev.ev, ret), 1);
	assert_int_equal(ret[0], 2);
	/* a rule that fails leaves no trace, and the next one takes its number */
	assert_int_equal(world_add(&w, "title: f\ndetection: {s: {a: b}, condition: s and x}\n", &err), -ERR_SYNTAX);
	assert_int_equal(detect_set_count(w.set), 5);
	assert_int_equal(world_add(&w, "title: f\ndetection: {s: {User: root}, condition: s}\n", &err), 0);
	ev = world_event(&w, DETECT_SOURCE_EXIT, "{User: root}");
	assert_int_equal(detect_match(w.set, &ev.ev, ret), 1);
	assert_int_equal(ret[0], 5);
	world_fini(&w);
}

/* Two rules of one set that differ in one thing only: the first matches, the second doesn't. */
static void comparisons_that_differ_are_not_shared(void **state)
{
	static const struct {
		const char *yes, *no, *event;
	} rows[] = {
		{ "{F: [b, ~]}", "{F: b}", "{G: a}" },
		{ "{F|re|i: A}", "{F|re: A}", "{F: a}" },
		{ "{F|re|m: '^b'}", "{F|re: '^b'}", "{F: \"a\\nb\"}" },
		{ "{F|re|s: 'a.b'}", "{F|re: 'a.b'}", "{F: \"a\\nb\"}" },
		{ "{F|exists: true}", "{F|exists: false}", "{F: a}" },
		{ "{F|gt: 5}", "{F|lt: 5}", "{F: 6}" },
		{ "{F|gte: 5}", "{F|gt: 5}", "{F: 5}" },
		{ "{F|hour: 5}", "{F|minute: 5}", "{F: '2026-11-30T05:06:00Z'}" },
		{ "{F: A}", "{F|cased: A}", "{F: a}" },
		{ "{F|neq: a}", "{F: a}", "{F: b}" },
		{ "{F|contains: a}", "{F: a}", "{F: ba}" },
		{ "{F|fieldref|contains: G}", "{F|fieldref: G}", "{F: ba, G: a}" },
		{ "{F|fieldref: G}", "{F|fieldref: H}", "{F: a, G: a}" },
		{ "{F: a}", "{G: a}", "{F: a}" },
		{ "{F: '?'}", "{F: '\\?'}", "{F: a}" },
		{ "{F: [a, b]}", "{F: [ab]}", "{F: b}" },
		{ "{F|cidr: 10.0.0.0/8}", "{F|cidr: 10.0.0.0/9}", "{F: 10.128.0.1}" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (unsigned order = 0; order < 2; order++) {
			struct world w = world_new();
			struct err err = { 0 };
			char *first = arena_printf(w.arena, "  s: %s\n  condition: s", order ? rows[i].no : rows[i].yes);
			char *second = arena_printf(w.arena, "  s: %s\n  condition: s", order ? rows[i].yes : rows[i].no);
			unsigned ret[2];

			if (world_add(&w, rule(&w, first), &err) < 0 || world_add(&w, rule(&w, second), &err) < 0)
				fail_msg("%zu: %s", i, err.msg);
			struct world_event ev = world_event(&w, DETECT_SOURCE_PROCESS, rows[i].event);
			if (detect_match(w.set, &ev.ev, ret) != 1 || ret[0] != order)
				fail_msg("%zu: %s and not %s", i, rows[i].yes, rows[i].no);
			world_fini(&w);
		}
}

static void a_field_is_fetched_once_for_an_event(void **state)
{
	struct world w = world_new();
	struct err err = { 0 };

	assert_int_equal(world_add(&w, rule(&w, "  s: {F|startswith: a, F|endswith: c, F|contains: b}\n  condition: s"), &err), 0);
	for (unsigned i = 0; i < 3; i++) {
		struct world_event ev = world_event(&w, DETECT_SOURCE_PROCESS, "{F: abc}");
		assert_true(detect_match_one(w.set, 0, &ev.ev));
		assert_int_equal(ev.gets, 1);
		ev = world_event(&w, DETECT_SOURCE_PROCESS, "{F: abd}");
		assert_false(detect_match_one(w.set, 0, &ev.ev));
		assert_int_equal(ev.gets, 1);
	}
	world_fini(&w);
}

static unsigned random_below(unsigned *seed, unsigned n)
{
	*seed = *seed * 1103515245U + 12345U;
	return (*seed >> 16) % n;
}

static void add_random(struct buf *b, unsigned *seed, unsigned least, unsigned most)
{
	unsigned n = least + random_below(seed, most - least + 1);

	for (unsigned i = 0; i < n; i++)
		buf_add_char(b, "abcABC-/ "[random_below(seed, 9)]);
}

/* Long values and short ones, few texts and many: what is looked for first hides nothing. */
static void texts_in_long_values_are_found(void **state)
{
	unsigned seed = 5, hits = 0, rounds = 0;

	for (unsigned round = 0; round < 120; round++) {
		struct world w = world_new();
		CLEANUP(buf_finip) struct buf text = { 0 };
		struct buf list[60] = { 0 };
		unsigned count = 1 + random_below(&seed, round % 8 ? 8 : 60);
		struct err err = { 0 };

		buf_add_str(&text, "  s: {F|contains: [");
		for (unsigned i = 0; i < count; i++) {
			add_random(&list[i], &seed, 1 + (round & 1) * 3, 6);
			buf_printf(&text, "%s'%s'", i ? ", " : "", list[i].p);
		}
		buf_add_str(&text, "]}\n  condition: s");
		if (world_add(&w, rule(&w, text.p), &err) < 0)
			fail_msg("%s", err.msg);
		for (unsigned k = 0; k < 12; k++, rounds++) {
			CLEANUP(buf_finip) struct buf value = { 0 };
			bool want = false;

			add_random(&value, &seed, k & 1 ? 17 : 1, k & 1 ? 60 : 20);
			for (unsigned i = 0; i < count; i++)
				want |= strcasestr(value.p, list[i].p) != NULL;
			hits += want;
			struct world_event ev = world_event(&w, DETECT_SOURCE_PROCESS, arena_printf(w.arena, "{F: '%s'}", value.p));
			if (detect_match_one(w.set, 0, &ev.ev) != want)
				fail_msg("'%s' in '%s'", text.p, value.p);
		}
		for (unsigned i = 0; i < count; i++)
			buf_fini(&list[i]);
		world_fini(&w);
	}
	assert_true(hits > rounds / 8 && hits < rounds - rounds / 8);
}

static void fields_have_picket_names(void **state)
{
	static const struct {
		enum detect_source source;
		const char *sigma, *ours;
	} rows[] = {
		{ DETECT_SOURCE_PROCESS, "Image", "process.exe" },
		{ DETECT_SOURCE_FILE, "Image", "process.exe" },
		{ DETECT_SOURCE_ANY, "CommandLine", "process.command_line" },
		{ DETECT_SOURCE_NETWORK, "DestinationIp", "network.destination_address" },
		{ DETECT_SOURCE_FILE, "TargetFilename", "file.final_path" },
		{ DETECT_SOURCE_FILE_DELETE, "TargetFilename", "file.path" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(detect_field_find(rows[i].source, slice_of(rows[i].sigma))->ours, rows[i].ours);
	assert_null(detect_field_find(DETECT_SOURCE_PROCESS, SLICE_LIT("DestinationIp")));
	assert_null(detect_field_find(DETECT_SOURCE_PROCESS, SLICE_LIT("image")));
	assert_null(detect_field_find(DETECT_SOURCE_NETWORK, SLICE_LIT("DestinationHostname"))->ours);
	/* a rule may say picket's own, too */
	struct world w = world_new();
	struct err err = { 0 };
	assert_int_equal(world_add(&w, rule(&w, "  s: {process.exe: /a, Image: /a, container.image|startswith: ngi}\n  condition: s"),
				   &err),
			 0);
	struct world_event ev = world_event(&w, DETECT_SOURCE_PROCESS, "{process.exe: /a, container.image: nginx}");
	assert_true(detect_match_one(w.set, 0, &ev.ev));
	assert_int_equal(ev.gets, 2);
	world_fini(&w);
}

/* Of count letters and a blank. */
static bool match_letters(struct world *w, const char *pattern, char letter, unsigned count)
{
	CLEANUP(buf_finip) struct buf event = { 0 };
	struct err err = { 0 };
	unsigned index = w->set ? (unsigned)detect_set_count(w->set) : 0;

	buf_add_str(&event, "{F: '");
	for (unsigned i = 0; i < count; i++)
		buf_add_char(&event, letter);
	buf_add_str(&event, " '}");
	if (world_add(w, rule(w, arena_printf(w->arena, "  s: {F|re: '%s'}\n  condition: s", pattern)), &err) < 0)
		fail_msg("%s: %s", pattern, err.msg);
	struct world_event ev = world_event(w, DETECT_SOURCE_PROCESS, event.p);
	return detect_match_one(w->set, index, &ev.ev);
}

static void a_regular_expression_that_blows_up_is_no_match(void **state)
{
	struct world w = world_new();

	/* exponential from one place; a little from each of many; bytes run over again and again */
	assert_false(match_letters(&w, "^(a+)+$", 'a', 4000));
	assert_int_equal(detect_set_overruns(w.set), 1);
	assert_false(match_letters(&w, "[^/]{40,}z$", 'z', 8000));
	assert_int_equal(detect_set_overruns(w.set), 2);
	assert_false(match_letters(&w, "[a-z]+[0-9 ]z", 'z', 8000));
	assert_int_equal(detect_set_overruns(w.set), 3);
	/* and what is long, but not so long, is judged to its end */
	assert_false(match_letters(&w, "[^/]{40,}z$", 'z', 700));
	assert_true(match_letters(&w, "[^/]{40,} $", 'z', 8000));
	assert_true(match_letters(&w, "(a|b)+ ", 'a', 8000));
	assert_false(match_letters(&w, "b.*a", 'a', 8000));
	assert_int_equal(detect_set_overruns(w.set), 3);
	world_fini(&w);
}

static void what_multiplies_is_bounded(void **state)
{
	struct world w = world_new();
	struct err err = { 0 };
	CLEANUP(buf_finip) struct buf b = { 0 };

	/* a hundred values, named a thousand times: more steps than a rule may have */
	buf_add_str(&b, "  s: [");
	for (unsigned i = 0; i < 100; i++)
		buf_printf(&b, "{F%u: %u},", i, i);
	buf_add_str(&b, "]\n  condition: s");
	for (unsigned i = 0; i < 1000; i++)
		buf_add_str(&b, " or s");
	assert_int_equal(world_add(&w, rule(&w, b.p), &err), -ERR_LIMIT);
	assert_string_equal(err.msg, "r.yml:1:1: the rules are too large");
	assert_int_equal(detect_set_count(w.set), 0);
	/* depth */
	buf_reset(&b);
	buf_add_str(&b, "  s: {a: b}\n  condition: ");
	for (unsigned i = 0; i < 10000; i++)
		buf_add_char(&b, '(');
	assert_int_equal(world_add(&w, rule(&w, b.p), &err), -ERR_SYNTAX);
	assert_non_null(strstr(err.msg, "nested too deep"));
	buf_reset(&b);
	buf_add_str(&b, "  s: {a: b}\n  condition: ");
	for (unsigned i = 0; i < 10000; i++)
		buf_add_str(&b, "not ");
	assert_int_equal(world_add(&w, rule(&w, b.p), &err), -ERR_SYNTAX);
	assert_non_null(strstr(err.msg, "nested too deep"));
	/* a value */
	buf_reset(&b);
	buf_add_str(&b, "  condition: s\n  s: {F: a");
	for (unsigned i = 0; i < 8192; i++)
		buf_add_char(&b, 'a');
	buf_add_str(&b, "}");
	assert_int_equal(world_add(&w, rule(&w, b.p), &err), -ERR_SYNTAX);
	assert_string_equal(err.msg, "r.yml:6:10: a value longer than 8192 bytes");
	/* many values are well */
	buf_reset(&b);
	buf_add_str(&b, "  condition: s\n  s: {F|contains: [");
	for (unsigned i = 0; i < 15000; i++)
		buf_printf(&b, "v%u-,", i);
	buf_add_str(&b, "]}");
	assert_int_equal(world_add(&w, rule(&w, b.p), &err), 0);
	struct world_event ev = world_event(&w, DETECT_SOURCE_PROCESS, "{F: xxv14999-}");
	assert_true(detect_match_one(w.set, 0, &ev.ev));
	ev = world_event(&w, DETECT_SOURCE_PROCESS, "{F: xxv15000-}");
	assert_false(detect_match_one(w.set, 0, &ev.ev));
	world_fini(&w);
}

static size_t too_many(const struct detect_event *ev, unsigned field, struct detect_value *ret, size_t max)
{
	for (size_t i = 0; i < max; i++)
		ret[i] = (struct detect_value){ .kind = DETECT_TEXT, .text = SLICE_NONE };
	return 1000;
}

static size_t too_many_texts(const struct detect_event *ev, struct slice *ret, size_t max)
{
	for (size_t i = 0; i < max; i++)
		ret[i] = i == max - 1 ? SLICE_LIT("evil") : SLICE_NONE;
	return 1000;
}

static void an_event_that_lies_about_its_values_does_no_harm(void **state)
{
	static const struct detect_ops ops = { too_many, too_many_texts }, without = { too_many, NULL };
	struct detect_event ev = { &ops, DETECT_SOURCE_FILE };
	struct world w = world_new();
	struct err err = { 0 };

	assert_int_equal(world_add(&w, rule(&w, "  s: {F: '', F|endswith: '', F|re: '^$'}\n  k: evil\n  condition: s and k"), &err), 0);
	assert_true(detect_match_one(w.set, 0, &ev));
	ev.ops = &without;
	assert_false(detect_match_one(w.set, 0, &ev));
	ev.source = 4711;
	unsigned ret[1];
	assert_int_equal(detect_match(w.set, &ev, ret), 0);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong_has_a_place_and_words),
		cmocka_unit_test(what_is_odd_is_noted_and_loads),
		cmocka_unit_test(log_sources_say_which_events_are_meant),
		cmocka_unit_test(a_set_gives_all_that_match_in_order),
		cmocka_unit_test(comparisons_that_differ_are_not_shared),
		cmocka_unit_test(a_field_is_fetched_once_for_an_event),
		cmocka_unit_test(texts_in_long_values_are_found),
		cmocka_unit_test(fields_have_picket_names),
		cmocka_unit_test(a_regular_expression_that_blows_up_is_no_match),
		cmocka_unit_test(what_multiplies_is_bounded),
		cmocka_unit_test(an_event_that_lies_about_its_values_does_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
