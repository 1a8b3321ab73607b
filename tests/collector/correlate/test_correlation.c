/* correlation: what is read, what is refused and where, how names are linked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "collector/correlate/correlation.h"
#include "common/file.h"

struct loaded {
	struct arena *arena;
	struct sigma_file file;
	struct sigma_notes notes;
	struct correlation_document documents[64];
	size_t bad;
	struct err err;
};

/* Fields "nowhere…" do not exist. */
static int resolve(void *arg, size_t document, struct slice name)
{
	(void)arg;
	return slice_starts(name, SLICE_LIT("nowhere")) ? CORRELATION_FIELD_NONE : (int)(document * 1000 + name.n);
}

static int load(struct loaded *l, struct slice text)
{
	struct correlation_fields fields = { resolve, NULL };

	*l = (struct loaded){ .arena = arena_new(64 << 20) };
	l->notes.arena = l->arena;
	int e = sigma_parse("r.yml", text, l->arena, &l->file, &l->notes, &l->err);
	assert_in_range(l->file.count, 0, ARRAY_LEN(l->documents));
	for (size_t i = 0; e >= 0 && i < l->file.count; i++) {
		l->documents[i].rule = &l->file.rules[i];
		if (l->file.rules[i].correlation)
			e = correlation_parse(&l->file.rules[i], l->arena, &l->documents[i].correlation, &l->notes, &l->err);
	}
	return e < 0 ? e : correlation_link(l->documents, l->file.count, &fields, l->arena, &l->bad, &l->notes, &l->err);
}

static void unload(struct loaded *l)
{
	arena_free(l->arena);
}

static bool has_note(const struct loaded *l, const char *what)
{
	for (size_t i = 0; i < l->notes.count; i++)
		if (strstr(l->notes.items[i].what, what))
			return true;
	return false;
}

#define BASE                                                                                                                     \
	"name: a\ntags: [recon]\ndetection: {selection: {t: a}, condition: selection}\n---\n"                                    \
	"name: b\ntags: [recon]\ndetection: {selection: {t: b}, condition: selection}\n---\n"

static void everything_of_the_specification_is_read(void **state)
{
	struct loaded l;
	const struct correlation *c;

	(void)state;
	assert_int_equal(load(&l, SLICE_LIT(BASE "title: T\nname: c\ngenerate: true\nx: {refire: every, suppress: 2h, include_events: 3, score: 7.5}\n"
					    "correlation:\n"
					    "    type: value_percentile\n"
					    "    rules: [b, a]\n"
					    "    group-by: [u, h]\n"
					    "    timespan: 90m\n"
					    "    condition: {field: f, percentile: 99.5, gt: 1.5, lte: 1e3}\n"
					    "    aliases: {u: {a: x, b: yy}}\n")), 0);
	c = l.documents[2].correlation;
	assert_int_equal(c->type, CORRELATION_VALUE_PERCENTILE);
	assert_int_equal(c->ref_count, 2);
	assert_int_equal(c->refs[0].rule, 1);
	assert_int_equal(c->refs[1].rule, 0);
	assert_int_equal(c->refs[0].group[0], 1002); /* of b: "yy" */
	assert_int_equal(c->refs[1].group[0], 1);
	assert_int_equal(c->refs[1].field[0], 1);
	assert_int_equal(c->timespan_ns, 5400000000000);
	assert_true(c->percentile == 99.5 && c->limits[CORRELATION_GT] == 1.5 && c->limits[CORRELATION_LTE] == 1000);
	assert_int_equal(c->ops, 1 << CORRELATION_GT | 1 << CORRELATION_LTE);
	assert_true(c->is_bounded && c->is_generate && c->is_refire);
	assert_int_equal(c->suppress_ns, 7200000000000);
	assert_int_equal(c->evidence_max, 3);
	assert_true(c->score == 7.5);
	unload(&l);
}

static void units_of_timespan(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = { { "1s", 1 }, { "90s", 90 }, { "15m", 900 }, { "24h", 86400 }, { "7d", 604800 }, { "2w", 1209600 }, { "1M", 2592000 }, { "31d", 2678400 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[600];
		struct loaded l;

		snprintf(text, sizeof(text), BASE "name: c\ncorrelation: {type: temporal, rules: [a, b], timespan: %s}\n", rows[i].text);
		assert_int_equal(load(&l, slice_of(text)), 0);
		assert_int_equal(l.documents[2].correlation->timespan_ns, rows[i].seconds * 1000000000);
		unload(&l);
	}
}

static void a_boolean_condition_names_its_rules(void **state)
{
	struct loaded l;

	(void)state;
	assert_int_equal(load(&l, SLICE_LIT(BASE "name: c\ncorrelation: {type: temporal, condition: not (b or not a), timespan: 1m}\n")), 0);
	const struct correlation *c = l.documents[2].correlation;
	assert_int_equal(c->ref_count, 2);
	assert_true(c->is_bounded);
	assert_int_equal(c->positive, 2); /* a, under two nots; refs[0] is b */
	assert_true(correlation_holds(c, 2));
	assert_false(correlation_holds(c, 3));
	assert_false(correlation_holds(c, 0));
	unload(&l);
	assert_int_equal(load(&l, SLICE_LIT(BASE "name: c\ncorrelation: {type: temporal, condition: a or b and a, timespan: 1m}\n")), 0);
	c = l.documents[2].correlation;
	assert_false(c->is_bounded);
	assert_true(correlation_holds(c, 1)); /* and binds more */
	assert_false(correlation_holds(c, 2));
	unload(&l);
}

static void rules_are_found_by_id_and_by_tag(void **state)
{
	struct loaded l;

	(void)state;
	assert_int_equal(load(&l, SLICE_LIT("name: a\nid: 0a1b2c3d-0000-4000-8000-0123456789ab\ntags: [recon]\ndetection: {selection: {t: a}, condition: selection}\n---\n"
					    "name: c\ncorrelation: {type: event_count, rules: [0a1b2c3d-0000-4000-8000-0123456789ab], timespan: 1m, condition: {gte: 2}}\n---\n"
					    "name: t\nx: {rules_by_tag: recon}\ncorrelation: {type: event_count, timespan: 1m, condition: {gte: 2}}\n---\n"
					    "name: late\ntags: [other, recon]\ndetection: {selection: {t: a}, condition: selection}\n")), 0);
	assert_int_equal(l.documents[1].correlation->refs[0].rule, 0);
	assert_int_equal(l.documents[2].correlation->ref_count, 2);
	assert_int_equal(l.documents[2].correlation->refs[1].rule, 3);
	unload(&l);
}

static void a_field_nobody_has_is_a_note(void **state)
{
	struct loaded l;

	(void)state;
	assert_int_equal(load(&l, SLICE_LIT(BASE "name: c\ncorrelation: {type: event_count, rules: [a], group-by: nowhere, timespan: 1m, condition: {gte: 2}}\n")), 0);
	assert_true(has_note(&l, "no field 'nowhere'"));
	assert_int_equal(l.documents[2].correlation->refs[0].group[0], CORRELATION_FIELD_NONE);
	unload(&l);
}

#define C(what) BASE "name: c\ncorrelation: {" what "}\n"

/* All are about line 10, where `correlation` stands. */
static void what_is_wrong_is_refused_where_it_is(void **state)
{
	static const struct {
		const char *text, *what;
	} rows[] = {
		{ C("rules: [a], timespan: 1m"), "r.yml:10:14: 'type' is missing" },
		{ C("type: event_cuont, rules: [a], timespan: 1m"), "r.yml:10:21: unknown type 'event_cuont', did you mean 'event_count'?" },
		{ C("type: value_median, rules: [a], timespan: 1m"), "value_percentile with percentile: 50" },
		{ C("type: event_count, rules: [a], timespann: 1m"), "r.yml:10:46: " },
		{ C("type: event_count, rules: [a], condition: {gte: 1}"), "'timespan' is missing" },
		{ C("type: event_count, rules: [a], timespan: 5, condition: {gte: 1}"), "'timespan' must be a number with s" },
		{ C("type: event_count, rules: [a], timespan: 0s, condition: {gte: 1}"), "'timespan' must be 1s to 31d" },
		{ C("type: event_count, rules: [a], timespan: 99999999999d, condition: {gte: 1}"), "'timespan' must be 1s to 31d" },
		{ C("type: event_count, rules: [a], timespan: 1y, condition: {gte: 1}"), "'timespan' must be a number" },
		{ C("type: event_count, rules: [a], timespan: 1m"), "event_count needs a condition" },
		{ C("type: event_count, rules: [a], timespan: 1m, condition: {}"), "condition needs one of gt, gte" },
		{ C("type: event_count, rules: [a], timespan: 1m, condition: {gte: x}"), "r.yml:10:77: 'gte' must be a number" },
		{ C("type: event_count, rules: [a], timespan: 1m, condition: {gte: -1}"), "a count must be from 0" },
		{ C("type: event_count, rules: [a], timespan: 1m, condition: {gte: 1.5}"), "a count must be a whole number" },
		{ C("type: event_count, rules: [a], timespan: 1m, condition: {gte: 65537}"), "a count must be from 0 to 65536" },
		{ C("type: event_count, rules: [a], timespan: 1m, condition: {gte: inf}"), "'gte' must be a number" },
		{ C("type: event_count, rules: [a], timespan: 1m, condition: {gte: 5, lte: 3}"), "condition can never be met" },
		{ C("type: event_count, rules: [a], timespan: 1m, condition: {gt: 3, lt: 3}"), "condition can never be met" },
		{ C("type: event_count, rules: [a], timespan: 1m, condition: {gte: 3, eq: 2}"), "condition can never be met" },
		{ C("type: event_count, rules: [a], timespan: 1m, condition: {gte: 3, field: u}"), "'field' does not go with event_count" },
		{ C("type: value_count, rules: [a], timespan: 1m, condition: {gte: 3}"), "value_count needs condition.field" },
		{ C("type: value_sum, rules: [a], timespan: 1m, condition: {gte: 3, field: [u, v]}"), "'field' must name one field" },
		{ C("type: value_percentile, rules: [a], timespan: 1m, condition: {gte: 3, field: u}"), "needs condition.percentile" },
		{ C("type: value_percentile, rules: [a], timespan: 1m, condition: {gte: 3, field: u, percentile: 0}"), "'percentile' must be above 0" },
		{ C("type: value_sum, rules: [a], timespan: 1m, condition: {gte: 3, field: u, percentile: 5}"), "goes with value_percentile only" },
		{ C("type: temporal, rules: [a, b], timespan: 1m, condition: {gte: 3}"), "asks for more rules than" },
		{ C("type: event_count, rules: [], timespan: 1m, condition: {gte: 3}"), "'rules' is empty" },
		{ C("type: event_count, timespan: 1m, condition: {gte: 3}"), "'rules' is missing" },
		{ C("type: event_count, rules: [a, b, a], timespan: 1m, condition: {gte: 3}"), "r.yml:10:41: 'rules' names 'a' twice" },
		{ C("type: event_count, rules: [a, z], timespan: 1m, condition: {gte: 3}"), "r.yml:10:45: no rule has the id or name 'z'" },
		{ C("type: event_count, rules: [c], timespan: 1m, condition: {gte: 3}"), "in a circle" },
		{ C("type: event_count, rules: [a], group-by: [u, u], timespan: 1m, condition: {gte: 3}"), "names 'u' twice" },
		{ C("type: event_count, rules: [a], group-by: [a,b,c,d,e,f,g,h,i], timespan: 1m, condition: {gte: 3}"), "must name 1 to 8, not 9" },
		{ C("type: event_count, rules: [a], timespan: 1m, condition: a and b"), "a boolean condition needs type temporal" },
		{ C("type: temporal, rules: [a], timespan: 1m, condition: a and b"), "condition has 'b' where one of 'rules'" },
		{ C("type: temporal, timespan: 1m, condition: a and"), "condition ends where a rule was expected" },
		{ C("type: temporal, timespan: 1m, condition: (a or b"), "condition ends where ')' was expected" },
		{ C("type: temporal, timespan: 1m, condition: a b"), "condition has 'b' where 'and', 'or' or the end" },
		{ C("type: temporal, timespan: 1m, condition: a and )"), "condition has ')' where a rule" },
		{ C("type: temporal, timespan: 1m, condition: not a"), "needs a rule without 'not'" },
		{ C("type: temporal, timespan: 1m, condition: a or not b"), "true where nothing matched" },
		{ C("type: temporal, timespan: 1m, condition: ((((((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))))))"), "nested more than" },
		{ C("type: temporal, rules: [a], timespan: 1m, aliases: {u: {a: x}}"), "alias 'u' is not used in group-by" },
		{ C("type: temporal, rules: [a], group-by: [u], timespan: 1m, aliases: {u: {b: x}}"), "which is none of 'rules'" },
		{ C("type: temporal, rules: [a], group-by: [u], timespan: 1m, aliases: {u: x}"), "must be a mapping of rule: field" },
		{ C("type: temporal, rules: [a], timespan: 1m") "x: {refire: often}\n", "'refire' must be edge or every" },
		{ C("type: temporal, rules: [a], timespan: 1m") "x: {refir: every}\n", "'x' of a correlation" },
		{ C("type: temporal, rules: [a], timespan: 1m") "x: {include_events: 1000}\n", "'include_events' must be a number from 0 to 100" },
		{ C("type: temporal_ordered, timespan: 1m") "x: {rules_by_tag: recon}\n", "rules_by_tag has no order" },
		{ C("type: temporal, timespan: 1m") "x: {rules_by_tag: none}\n", "no rule has these tags" },
		{ BASE "name: c\ncorrelation: [a]\n", "'correlation' must be a mapping" },
		{ BASE "name: c\ncorrelation: {type: temporal, rules: [d], timespan: 1m}\n---\nname: d\ncorrelation: {type: temporal, rules: [a, c], timespan: 1m}\n", "in a circle" },
		{ BASE "name: c\ncorrelation: {type: temporal, rules: [a], group-by: [u], timespan: 1m}\n---\n"
		       "name: d\ncorrelation: {type: temporal, rules: [c], group-by: [h], timespan: 1m}\n", "carries only its group-by, which lacks 'h'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct loaded l;
		int e = load(&l, slice_of(rows[i].text));

		if (e != -ERR_SYNTAX || strncmp(l.err.msg, "r.yml:", 6) || !strstr(l.err.msg, rows[i].what))
			fail_msg("row %zu: %d '%s', not '%s'", i, e, l.err.msg, rows[i].what);
		unload(&l);
	}
}

static void chains_are_bounded(void **state)
{
	char text[8192];
	size_t n = (size_t)snprintf(text, sizeof(text), "name: c0\ndetection: {selection: {t: a}, condition: selection}\n");

	(void)state;
	for (int i = 1; i <= CORRELATION_DEPTH_MAX + 1; i++) {
		struct loaded l;

		n += (size_t)snprintf(text + n, sizeof(text) - n, "---\nname: c%d\ncorrelation: {type: temporal, rules: [c%d], timespan: 1m}\n", i, i - 1);
		int e = load(&l, slice_of(text));
		assert_int_equal(e, i <= CORRELATION_DEPTH_MAX ? 0 : -ERR_SYNTAX);
		unload(&l);
	}
}

static void two_rules_with_one_name_are_refused(void **state)
{
	struct sigma_rule r[2] = { { .file = "a.yml", .line = 1, .column = 1, .title = "", .id = "", .name = "n" },
				   { .file = "b.yml", .line = 7, .column = 1, .title = "", .id = "n", .name = "" } };
	struct correlation_document d[2] = { { &r[0], NULL }, { &r[1], NULL } };
	struct correlation_fields fields = { resolve, NULL };
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	struct err err = { 0 };
	size_t bad = 9;

	(void)state;
	assert_int_equal(correlation_link(d, 2, &fields, a, &bad, NULL, &err), -ERR_SYNTAX);
	assert_string_equal(err.msg, "b.yml:7:1: 'n' is a name of the rule at a.yml:1, too");
	assert_int_equal(bad, 1);
}

/* Titles and text around may change, the state stays; what counts may not. */
static void the_hash_is_of_what_matters(void **state)
{
	static const struct {
		const char *text;
		bool is_same;
	} rows[] = {
		{ "title: Another\nname: c\nlevel: high\ncorrelation: {timespan: 60s, rules: [a], type: event_count, condition: {gte: 2}}\n", true },
		{ "name: c\ncorrelation: {timespan: 61s, rules: [a], type: event_count, condition: {gte: 2}}\n", false },
		{ "name: c\ncorrelation: {timespan: 60s, rules: [a], type: event_count, condition: {gte: 3}}\n", false },
		{ "name: c\ncorrelation: {timespan: 60s, rules: [a], type: event_count, condition: {gt: 2}}\n", false },
		{ "name: c\ncorrelation: {timespan: 60s, rules: [a, b], type: event_count, condition: {gte: 2}}\n", false },
		{ "name: c\ncorrelation: {timespan: 60s, rules: [a], group-by: [u], type: event_count, condition: {gte: 2}}\n", false },
		{ "name: d\ncorrelation: {timespan: 60s, rules: [a], type: event_count, condition: {gte: 2}}\n", false },
	};
	struct loaded first;

	(void)state;
	assert_int_equal(load(&first, SLICE_LIT(BASE "name: c\ncorrelation: {type: event_count, rules: [a], timespan: 1m, condition: {gte: 2}}\n")), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[1024];
		struct loaded l;

		snprintf(text, sizeof(text), "%s%s", BASE, rows[i].text);
		assert_int_equal(load(&l, slice_of(text)), 0);
		assert_int_equal(!memcmp(l.documents[2].correlation->hash, first.documents[2].correlation->hash, CORRELATION_HASH_BYTES), rows[i].is_same);
		unload(&l);
	}
	unload(&first);
}

static void the_examples_of_the_specification(void **state)
{
	struct slice text = { 0 };
	struct buf b = { 0 };
	struct loaded l;
	FILE *f = fopen(TEST_ROOT "/../shared/vectors/correlation/spec-examples.yml", "rb");
	size_t read = 0;

	(void)state;
	if (!f) {
		print_message("skip: no spec-examples.yml beside the checkout\n");
		skip();
	}
	buf_init(&b, 1 << 20);
	for (int ch; (ch = fgetc(f)) != EOF;)
		buf_add_char(&b, (char)ch);
	fclose(f);
	text = buf_slice(&b);
	l = (struct loaded){ .arena = arena_new(64 << 20) };
	/* One id stands twice in the specification's own files: told apart here by what they test. */
	char *twice = strstr(strstr(b.p, "0e95725d-7320-415d-80f7-004da920fc11") + 1, "0e95725d-7320-415d-80f7-004da920fc11");
	twice[0] = '1';
	assert_int_equal(sigma_parse("spec.yml", text, l.arena, &l.file, NULL, &l.err), 0);
	for (size_t i = 0; i < l.file.count; i++) {
		struct correlation *c;

		if (!l.file.rules[i].correlation)
			continue;
		int e = correlation_parse(&l.file.rules[i], l.arena, &c, NULL, &l.err);
		if (strstr(l.file.rules[i].title, "than 1% of all")) { /* a percentile of a text, without saying which */
			assert_int_equal(e, -ERR_SYNTAX);
			assert_non_null(strstr(l.err.msg, "needs condition.percentile"));
			continue;
		}
		if (e < 0)
			fail_msg("%s", l.err.msg);
		read++;
	}
	assert_in_range(read, 8, 20);
	unload(&l);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_of_the_specification_is_read),
		cmocka_unit_test(units_of_timespan),
		cmocka_unit_test(a_boolean_condition_names_its_rules),
		cmocka_unit_test(rules_are_found_by_id_and_by_tag),
		cmocka_unit_test(a_field_nobody_has_is_a_note),
		cmocka_unit_test(what_is_wrong_is_refused_where_it_is),
		cmocka_unit_test(chains_are_bounded),
		cmocka_unit_test(two_rules_with_one_name_are_refused),
		cmocka_unit_test(the_hash_is_of_what_matters),
		cmocka_unit_test(the_examples_of_the_specification),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
