/* sigma: files of several rules, each key with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "collector/correlate/sigma.h"
#include "common/buf.h"

static int parse(struct arena *a, struct slice text, struct sigma_file *f, struct sigma_notes *notes, struct err *err)
{
	*f = (struct sigma_file){ 0 };
	if (notes)
		*notes = (struct sigma_notes){ .arena = a };
	return sigma_parse("r.yml", text, a, f, notes, err);
}

static bool has_note(const struct sigma_notes *n, const char *what)
{
	for (size_t i = 0; i < n->count; i++)
		if (strstr(n->items[i].what, what))
			return true;
	return false;
}

static const char whole[] = "# a file\n"
			    "title: Shell from a web server\n"
			    "id: 0a1b2c3d-0000-4000-8000-0123456789ab\n"
			    "name: web_shell\n"
			    "related:\n"
			    "    - id: 0a1b2c3d-0000-4000-8000-0123456789ac\n"
			    "      type: derived\n"
			    "taxonomy: sigma\n"
			    "status: experimental\n"
			    "description: |\n"
			    "    Two\n"
			    "    lines\n"
			    "license: Apache-2.0\n"
			    "references: [https://example.org/a, https://example.org/b]\n"
			    "author: [One, Two]\n"
			    "date: 2026-11-30\n"
			    "modified: 2026/11/30\n"
			    "tags:\n"
			    "    - attack.t1505.003\n"
			    "logsource:\n"
			    "    product: linux\n"
			    "    category: process_creation\n"
			    "    definition: none\n"
			    "detection:\n"
			    "    s: {ParentImage: /usr/sbin/nginx}\n"
			    "    condition: s\n"
			    "fields: [Image]\n"
			    "falsepositives: Backups\n"
			    "level: high\n"
			    "scope: [server]\n"
			    "x: {score: 5}\n"
			    "---\n"
			    "title: Many of them\n"
			    "correlation:\n"
			    "    type: event_count\n"
			    "generate: true\n"
			    "level: critical\n";

static void every_key_of_a_rule_is_read(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(SIGMA_ARENA_BYTES);
	struct sigma_notes notes;
	struct err err = { 0 };
	struct sigma_file f;

	if (parse(a, slice_of(whole), &f, &notes, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(notes.count, 0);
	assert_int_equal(f.count, 2);
	const struct sigma_rule *r = &f.rules[0];
	assert_string_equal(r->file, "r.yml");
	assert_int_equal(r->line, 2);
	assert_string_equal(r->title, "Shell from a web server");
	assert_string_equal(r->id, "0a1b2c3d-0000-4000-8000-0123456789ab");
	assert_string_equal(r->name, "web_shell");
	assert_int_equal(r->related_count, 1);
	assert_string_equal(r->related[0].id, "0a1b2c3d-0000-4000-8000-0123456789ac");
	assert_string_equal(r->related[0].type, "derived");
	assert_int_equal(r->status, SIGMA_STATUS_EXPERIMENTAL);
	assert_string_equal(r->description, "Two\nlines\n");
	assert_int_equal(r->references.count, 2);
	assert_string_equal(r->references.items[1], "https://example.org/b");
	assert_string_equal(r->author, "One, Two");
	assert_string_equal(r->date, "2026-11-30");
	assert_string_equal(r->tags.items[0], "attack.t1505.003");
	assert_string_equal(r->logsource.product, "linux");
	assert_string_equal(r->logsource.category, "process_creation");
	assert_string_equal(r->logsource.service, "");
	assert_int_equal(r->falsepositives.count, 1);
	assert_int_equal(r->level, SIGMA_LEVEL_HIGH);
	assert_int_equal(r->scope.count, 1);
	assert_string_equal(sigma_get(r->x, "score")->text.p, "5");
	assert_null(r->correlation);
	assert_string_equal(sigma_get(r->detection, "condition")->text.p, "s");
	assert_int_equal(sigma_get(r->detection, "condition")->line, 26);
	r = &f.rules[1];
	assert_int_equal(r->line, 33);
	assert_non_null(r->correlation);
	assert_true(r->is_generate);
	assert_string_equal(r->id, "");
	assert_true(sigma_rule_is(&f.rules[0], SLICE_LIT("web_shell")));
	assert_false(sigma_rule_is(r, SLICE_LIT("")));
}

#define REST "\nlogsource: {product: linux}\ndetection: {s: {a: b}, condition: s}\nlevel: low\n"

static void what_is_wrong_has_a_place_and_words(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ "title: a\nlevl: low" REST, "r.yml:2:1: unknown key 'levl' in a rule (what is yours goes under 'x'), did you mean 'level'?" },
		{ "title: a\nzzzzzzzz: low" REST, "r.yml:2:1: unknown key 'zzzzzzzz' in a rule (what is yours goes under 'x')" },
		{ "- a", "r.yml:1:1: a rule must be a mapping" },
		{ "title: a\n---\n# none\n---\ntext", "r.yml:1:1: neither 'detection' nor 'correlation'" },
		{ "title: a", "r.yml:1:1: neither 'detection' nor 'correlation'" },
		{ "title: a\ncorrelation: {a: b}" REST, "r.yml:2:14: 'detection' and 'correlation' in one document" },
		{ "detection: {a: b}", "r.yml:1:1: a rule needs a title" },
		{ "title: a\nstatus: tset" REST, "r.yml:2:9: unknown 'tset', did you mean 'test'?" },
		{ "title: a\ndetection: {a: b}\nlevel: awful", "r.yml:3:8: unknown 'awful'" },
		{ "title: [a]" REST, "r.yml:1:8: expected a text" },
		{ "title: a\ntags: {a: b}" REST, "r.yml:2:7: expected a text, or a list of texts" },
		{ "title: a\nrelated: [{id: x}]" REST, "r.yml:2:11: expected {id, type}" },
		{ "title: a\nrelated: [{id: x, type: like}]" REST, "r.yml:2:25: unknown 'like'" },
		{ "title: a\ndetection: []", "r.yml:2:12: 'detection' must be a mapping" },
		{ "title: a\ndetection: {}", "r.yml:2:12: 'detection' must be a mapping" },
		{ "title: a\nx: 1" REST, "r.yml:2:4: 'x' must be a mapping" },
		{ "title: a\ngenerate: maybe" REST, "r.yml:2:11: expected true or false" },
		{ "title: a\nfilter: {a: b}", "r.yml:2:9: filters are not read here: write what they leave out into the rule" },
		{ "action: global\ntitle: a", "r.yml:1:9: collections (action) were given up by Sigma: write each rule by itself" },
		{ "title: a\nname: n" REST "---\ntitle: b\nname: n" REST, "r.yml:7:1: 'n' is the rule of line 1, too" },
		{ "title: a\nname: n" REST "---\ntitle: b\nid: n" REST, "r.yml:7:1: 'n' is the rule of line 1, too" },
		{ "title: a\ntitle: b" REST, "r.yml:2:1: duplicate key 'title'" },
		{ "title: a\ndetection: &x {a: b}", "r.yml:2:12: anchors are not allowed here" },
		{ "title: a\n---\ntitle: [", "r.yml:4:1: did not find expected node content while parsing a flow node" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(arena_freep) struct arena *a = arena_new(SIGMA_ARENA_BYTES);
		struct err err = { 0 };
		struct sigma_file f;

		assert_int_equal(parse(a, slice_of(rows[i].text), &f, NULL, &err), -ERR_SYNTAX);
		if (strncmp(err.msg, rows[i].message, strlen(rows[i].message)) != 0)
			fail_msg("%zu: %s", i, err.msg);
		assert_int_equal(f.count, 0);
	}
}

static void what_is_odd_is_noted_and_loads(void **state)
{
	static const struct {
		const char *text, *what;
		unsigned line;
	} rows[] = {
		{ "name: a" REST, "no title", 1 },
		{ "title: a\nid: 7" REST, "no UUID", 2 },
		{ "title: a\ndate: yesterday" REST, "YYYY-MM-DD", 2 },
		{ "title: a\ntags: [Attack T1]" REST, "lower case", 2 },
		{ "title: a\ntags: [attack]" REST, "namespace.tag", 2 },
		{ "title: a\ntaxonomy: ecs" REST, "taxonomy", 2 },
		{ "title: a\ngenerate: true" REST, "for correlations", 2 },
		{ "title: a\nlogsource: {product: Linux}\ndetection: {a: b}\nlevel: low", "lower case", 2 },
		{ "title: a\nlogsource: {product: linux, level: 3}\ndetection: {a: b}\nlevel: low", "not looked at", 2 },
		{ "title: a\ndetection: {a: b}\nlevel: low", "no logsource", 1 },
		{ "title: a\nlogsource: {product: linux}\ndetection: {a: b}", "no level", 1 },
		{ "title: a\nlogsource: {product: linux}\ncorrelation: {a: b}\nlevel: low", "that of its rules", 2 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(arena_freep) struct arena *a = arena_new(SIGMA_ARENA_BYTES);
		struct sigma_notes notes;
		struct err err = { 0 };
		struct sigma_file f;

		if (parse(a, slice_of(rows[i].text), &f, &notes, &err) < 0)
			fail_msg("%zu: %s", i, err.msg);
		assert_int_equal(f.count, 1);
		assert_int_equal(notes.count, 1);
		if (!has_note(&notes, rows[i].what))
			fail_msg("%zu: %s", i, notes.items[0].what);
		assert_int_equal(notes.items[0].line, rows[i].line);
	}
}

static void what_public_rules_leave_open_is_read(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(SIGMA_ARENA_BYTES);
	struct sigma_notes notes;
	struct err err = { 0 };
	struct sigma_file f;

	/* an empty item, a null, a key of SigmaHQ's own tools, documents without anything */
	if (parse(a, SLICE_LIT("---\ntitle: a\nfalsepositives:\n    - \n    - Unknown\nauthor:\nmodified: ~\nfields:\n"
			       "regression_tests_path: regression_data/info.yml" REST "---\n# end\n"),
		  &f, &notes, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(f.count, 1);
	assert_int_equal(f.rules[0].falsepositives.count, 1);
	assert_string_equal(f.rules[0].author, "");
	assert_int_equal(f.rules[0].fields.count, 0);
	assert_int_equal(notes.count, 0);
	assert_int_equal(parse(a, SLICE_LIT("# nothing\n"), &f, &notes, &err), 0);
	assert_int_equal(f.count, 0);
}

static void bounds_hold(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(SIGMA_ARENA_BYTES);
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct sigma_notes notes;
	struct err err = { 0 };
	struct sigma_file f;

	for (unsigned i = 0; i < SIGMA_DOCUMENTS_MAX; i++)
		buf_printf(&b, "---\ntitle: r%u\nid: %u\ndetection: {a: b}\n", i, i);
	assert_int_equal(parse(a, buf_slice(&b), &f, &notes, &err), 0);
	assert_int_equal(f.count, SIGMA_DOCUMENTS_MAX);
	assert_int_equal(notes.count, SIGMA_NOTES_MAX);
	assert_int_equal(notes.dropped, 3 * SIGMA_DOCUMENTS_MAX - SIGMA_NOTES_MAX);
	buf_add_str(&b, "---\ntitle: one more\ndetection: {a: b}\n");
	assert_int_equal(parse(a, buf_slice(&b), &f, NULL, &err), -ERR_SYNTAX);
	assert_string_equal(err.msg, "r.yml:4001:1: more than 1000 documents");
	buf_reset(&b);
	for (unsigned i = 0; i <= SIGMA_FILE_BYTES; i++)
		buf_add_char(&b, '#');
	assert_int_equal(parse(a, buf_slice(&b), &f, NULL, &err), -ERR_SYNTAX);
	buf_reset(&b);
	buf_add_str(&b, "title: a\nx: {a: [");
	for (unsigned i = 0; i <= SIGMA_NODES_MAX; i++)
		buf_add_str(&b, "a,");
	buf_add_str(&b, "]}\ndetection: {a: b}\n");
	assert_int_equal(parse(a, buf_slice(&b), &f, NULL, &err), -ERR_SYNTAX);
	assert_non_null(strstr(err.msg, "more than 100000 values"));
	/* each arena that is too small is an error, and none a crash */
	for (size_t cap = 64; cap < 8192; cap += 64) {
		CLEANUP(arena_freep) struct arena *small = arena_new(cap);

		if (parse(small, slice_of(whole), &f, &notes, &err) < 0)
			assert_true(err.code == ERR_SYNTAX || err.code == ERR_LIMIT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_of_a_rule_is_read),
		cmocka_unit_test(what_is_wrong_has_a_place_and_words),
		cmocka_unit_test(what_is_odd_is_noted_and_loads),
		cmocka_unit_test(what_public_rules_leave_open_is_read),
		cmocka_unit_test(bounds_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
