/* test_correlations.c - the journal and snapshot of correlations, what is known of a container, what runs unscanned. */
#include "tests/collector/store/fixture.h"

#include "collector/store/store_correlations.h"
#include "collector/store/store_priv.h"
#include "collector/store/store_vulns.h"

static int count_row(void *arg, struct slice row)
{
	assert_int_equal(row.n, 3);
	++*(int *)arg;
	return 0;
}

static int take_state(void *arg, const struct store_correlation_state *st)
{
	*(int64_t *)arg = st->journal;
	assert_true(slice_is(st->names, "names"));
	assert_true(slice_is(st->snapshot, "state"));
	return 0;
}

static void a_snapshot_takes_the_place_of_the_journal_and_numbers_go_on(void **state)
{
	struct fixture f;
	struct err err;
	int64_t last, journal = -1;
	int rows = 0;

	(void)state;
	fixture_init(&f);
	OK(store_correlation_state_get(f.s, 4096, take_state, &journal, &err));
	assert_int_equal(journal, -1);
	OK(store_begin(f.s, &err));
	for (int64_t i = 1; i <= 3; i++)
		OK(store_correlation_journal_add(f.s, i, SLICE_LIT("row"), &err));
	OK(store_commit(f.s, &err));
	OK(store_begin(f.s, &err));
	assert_true(store_correlation_journal_add(f.s, 3, SLICE_LIT("row"), NULL) < 0);
	store_rollback(f.s);
	fixture_reopen(&f);
	OK(store_correlation_journal_each(f.s, count_row, &rows, &err));
	assert_int_equal(rows, 3);
	OK(store_begin(f.s, &err));
	OK(store_correlation_part_add(f.s, 1, 0, SLICE_LIT("sta"), &err));
	OK(store_correlation_part_add(f.s, 1, 1, SLICE_LIT("te"), &err));
	OK(store_correlation_state_put(f.s, SLICE_LIT("names"), 1, 2, 3, &err));
	OK(store_correlation_part_add(f.s, 2, 0, SLICE_LIT("half of the next"), &err));
	OK(store_commit(f.s, &err));
	OK(store_correlation_journal_last(f.s, &last, &err));
	assert_int_equal(last, 3);
	OK(store_correlation_state_get(f.s, 4096, take_state, &journal, &err));
	assert_int_equal(journal, 3);
	rows = 0;
	OK(store_correlation_journal_each(f.s, count_row, &rows, &err));
	assert_int_equal(rows, 0);
	bool is_more = true;
	while (is_more)
		OK(store_correlation_tidy(f.s, 2, &is_more, &err));
	OK(store_correlation_state_get(f.s, 4096, take_state, &journal, &err));
	OK(store_correlation_parts_drop(f.s, &err));
	struct store_correlation_size size;
	OK(store_correlation_size(f.s, &size, &err));
	assert_int_equal(size.rows, 0);
	assert_int_equal(size.snapshot_bytes, 5);
	OK(db_exec(&f.s->state, "UPDATE correlation_state SET parts = 3", &err));
	assert_int_equal(store_correlation_state_get(f.s, 4096, take_state, &journal, &err), -ERR_CORRUPT);
	/* one that was rolled back leaves no number */
	OK(store_begin(f.s, &err));
	OK(store_correlation_journal_add(f.s, 4, SLICE_LIT("row"), &err));
	store_rollback(f.s);
	OK(store_correlation_journal_last(f.s, &last, &err));
	assert_int_equal(last, 3);
	fixture_fini(&f);
}

static void it_is_known_how_often_a_rule_fired_and_when_last(void **state)
{
	struct fixture f;
	struct err err;
	uint64_t count, last;

	(void)state;
	fixture_init(&f);
	OK(store_rule_last(f.s, "r", &count, &last, &err));
	assert_int_equal(count + last, 0);
	OK(store_begin(f.s, &err));
	OK(store_rule_fired(f.s, "r", T0 + 5, &err));
	OK(store_rule_fired(f.s, "r", T0, &err)); /* a late one */
	OK(store_commit(f.s, &err));
	OK(store_rule_last(f.s, "r", &count, &last, &err));
	assert_int_equal(count, 2);
	assert_int_equal(last, T0 + 5);
	fixture_fini(&f);
}

/* Three images: scanned, with an exploited hole; not matched yet; without an inventory. */
static void fill(struct fixture *f)
{
	char sql[2000];
	struct err err;

	fixture_enrol(f->s, "a", "web-1");
	snprintf(sql, sizeof(sql),
		 "INSERT INTO image(id, image_id, sha256, worst, worst_at, first_seen, seen) VALUES"
		 " (1, 'sha256:1', x'01', 6, 5, 1, 1), (2, 'sha256:2', x'02', 0, 0, 1, 1), (3, 'sha256:3', x'', 0, 0, 1, 1);"
		 "INSERT INTO vuln(id, name, is_kev, first_seen) VALUES (7, 'CVE-1', 1, 1);"
		 "INSERT INTO vuln_alert VALUES (7, 1, 1, 4, %d, 0);"
		 "INSERT INTO container(agent, id, name, image, image_id, image_digest, user, is_privileged, engine, created, started,"
		 " labels, seen) VALUES ('a', 'c1', 'one', 'img:1', 'sha256:1', '', '', 1, '', 0, 0, '{}', 0),"
		 " ('a', 'c2', 'two', 'img:2', 'sha256:2', '', '', 0, '', 0, 0, '{}', 0);"
		 "INSERT INTO container_use VALUES ('a', 'c1', 1, 'one', '[]', 1, 1), ('a', 'c2', 2, 'two', '[]', 1, 1),"
		 " ('a', 'c3', 3, 'three', '[]', %llu, 1), ('a', 'c4', 3, 'four', '[]', 1, 1);",
		 TOLD_OPEN, T0 / SECOND_NS - 60);
	OK(db_exec(&f->s->state, sql, &err));
}

static void a_container_says_what_its_image_is(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(65536);
	struct store_container_brief b;
	struct fixture f;
	struct err err;

	(void)state;
	fixture_init(&f);
	fill(&f);
	OK(store_container_brief(f.s, "a", "c1", a, &b, &err));
	assert_true(slice_is(b.name, "one") && slice_is(b.image, "img:1"));
	assert_string_equal(b.image_id, "sha256:1");
	assert_string_equal(b.worst, "critical");
	assert_true(b.is_privileged && b.is_scanned && b.is_exploited && !b.has_config);
	OK(store_container_brief(f.s, "a", "c2", a, &b, &err));
	assert_false(b.is_privileged || b.is_scanned || b.is_exploited);
	assert_string_equal(b.worst, "");
	assert_int_equal(store_container_brief(f.s, "a", "c9", a, &b, &err), -ERR_NOT_FOUND);
	OK(db_exec(&f.s->state, "UPDATE vuln_alert SET state = 99", &err)); /* accepted, or closed */
	OK(store_container_brief(f.s, "a", "c1", a, &b, &err));
	assert_false(b.is_exploited);
	fixture_fini(&f);
}

static int take_unscanned(void *arg, const struct store_unscanned *row)
{
	char *out = arg;

	snprintf(out + strlen(out), 100, "%s %s %s %s %.*s;", row->host, row->container, row->name, row->image_id, SLICE_FMT(row->image));
	return 0;
}

static void what_runs_for_long_and_was_not_scanned_is_told(void **state)
{
	char out[500] = "";
	struct fixture f;
	struct err err;

	(void)state;
	fixture_init(&f);
	fill(&f);
	OK(store_unscanned_each(f.s, 1800, 100, take_unscanned, out, &err));
	assert_string_equal(out, "web-1 c2 two sha256:2 img:2;web-1 c4 four sha256:3 ;");
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_snapshot_takes_the_place_of_the_journal_and_numbers_go_on),
		cmocka_unit_test(it_is_known_how_often_a_rule_fired_and_when_last),
		cmocka_unit_test(a_container_says_what_its_image_is),
		cmocka_unit_test(what_runs_for_long_and_was_not_scanned_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
