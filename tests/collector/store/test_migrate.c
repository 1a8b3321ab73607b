/* test_migrate.c - from nothing to the newest schema, and what is not ours to open. */
#include "tests/collector/store/fixture.h"

#include "collector/store/schema.h"
#include "collector/store/store_checks.h"
#include "collector/store/store_correlations.h"
#include "collector/store/store_vulns.h"
#include "common/file.h"

static const char *const steps[] = {
	"CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)",
	"ALTER TABLE t ADD COLUMN b TEXT NOT NULL DEFAULT 'x'",
	"UPDATE t SET a = a + 1; INSERT INTO nowhere VALUES (1)", /* fails half way */
};

static void make_dir(char dir[64])
{
	snprintf(dir, 64, "/tmp/picket-store-XXXXXX");
	assert_non_null(mkdtemp(dir));
}

static void steps_are_done_once_each_and_a_failing_one_leaves_the_version_before(void **state)
{
	struct schema sc = { "test", 0x1234, steps, 1 };
	char dir[64], path[128];
	struct db d;
	struct err err;
	int64_t n;

	(void)state;
	make_dir(dir);
	snprintf(path, sizeof(path), "%s/x.db", dir);
	OK(db_open(path, DB_CREATE, &d, &err));
	OK(schema_migrate(&d, &sc, &err));
	OK(schema_migrate(&d, &sc, &err));
	sc.count = 2;
	OK(schema_migrate(&d, &sc, &err));
	OK(db_number(&d, "SELECT count(*) FROM t WHERE b = 'x'", NULL, 0, &n, &err));
	assert_int_equal(n, 1);
	sc.count = 3;
	assert_true(schema_migrate(&d, &sc, &err) < 0);
	OK(db_number(&d, "PRAGMA user_version", NULL, 0, &n, &err));
	assert_int_equal(n, 2);
	OK(db_number(&d, "SELECT a FROM t", NULL, 0, &n, &err));
	assert_int_equal(n, 1);
	sc.count = 1; /* as an older program sees it */
	assert_int_equal(schema_migrate(&d, &sc, &err), -ERR_VERSION);
	db_close(&d);
	nftw(dir, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static void change_state(struct fixture *f, const char *sql)
{
	char path[128];
	struct db d;
	struct err err;

	store_close(f->s);
	f->s = NULL;
	snprintf(path, sizeof(path), "%s/state.db", f->dir);
	OK(db_open(path, 0, &d, &err));
	OK(db_exec(&d, sql, &err));
	db_close(&d);
}

static void a_newer_schema_is_refused_and_left_alone(void **state)
{
	struct fixture f;
	struct err err;

	(void)state;
	fixture_init(&f);
	change_state(&f, "PRAGMA user_version=9999");
	assert_int_equal(store_open(&f.cfg, &f.clk, &f.s, &err), -ERR_VERSION);
	assert_non_null(strstr(err.msg, "newer"));
	char sql[64];
	snprintf(sql, sizeof(sql), "PRAGMA user_version=%d", schema_state.count);
	change_state(&f, sql);
	fixture_open(&f);
	fixture_fini(&f);
}

static int take_alert(void *arg, const struct store_alert *al)
{
	assert_string_equal(al->actions, "[]");
	assert_string_equal(al->rule, "Old rule");
	++*(int *)arg;
	return 0;
}

static int take_audit(void *arg, const struct store_audit *row)
{
	assert_string_equal(row->who, "alice");
	++*(int *)arg;
	return 0;
}

static void what_the_first_schema_held_is_there_in_the_newest(void **state)
{
	const struct schema first = { "state", schema_state.application_id, schema_state.steps, 1 };
	struct clock clk = clock_fake(T0);
	struct store_config cfg = { .reserve_bytes = 1 };
	CLEANUP(arena_freep) struct arena *a = arena_new(65536);
	char dir[64], path[128], cursor[64];
	struct store_agent agent;
	struct store *s = NULL;
	int alerts = 0, rows = 0;
	struct db d;
	struct err err;

	(void)state;
	make_dir(dir);
	cfg.dir = dir;
	snprintf(path, sizeof(path), "%s/state.db", dir);
	OK(db_open(path, DB_CREATE, &d, &err));
	OK(schema_migrate(&d, &first, &err));
	OK(db_exec(&d,
		   "INSERT INTO agent(id, host, serial, enrolled) VALUES ('a', 'host-1', '01', 5);"
		   "INSERT INTO alert(first_seen, last_seen, count, severity, priority, status, assignee, source,"
		   " rule, title, host, agent, container_id, container, image, document, evidence, fold_key)"
		   " VALUES (1, 2, 3, 1, 'Notice', 'new', '', 'runtime', 'Old rule', 't', 'host-1', 'a', '', '',"
		   " '', '{}', '[]', 'k');"
		   "INSERT INTO audit_log(at, who, what, subject) VALUES (1, 'alice', 'alert.comment', 'x')",
		   &err));
	db_close(&d);
	OK(store_open(&cfg, &clk, &s, &err));
	OK(store_agent_get(s, "host-1", &agent, a, &err));
	assert_int_equal(agent.folded + agent.actions + agent.lost_process, 0);
	const struct store_query q = { .limit = 10 };
	OK(store_alert_query(s, &q, take_alert, &alerts, cursor, sizeof(cursor), &err));
	OK(store_audit_query(s, &q, take_audit, &rows, cursor, sizeof(cursor), &err));
	assert_int_equal(alerts, 1);
	assert_int_equal(rows, 1);
	/* what is new is empty, and works */
	struct store_vuln_status st;
	OK(store_vuln_status(s, &st, &err));
	assert_int_equal(st.images + st.packages + st.vulns + st.findings, 0);
	OK(store_number_set(s, "anything", 1, &err));
	struct store_check_counts checks;
	struct store_policy_state policy;
	OK(store_check_counts(s, &checks, &err));
	assert_int_equal(checks.subjects + checks.mended, 0);
	OK(store_policy_state_get(s, "a", a, &policy, &err));
	assert_false(policy.is_told);
	struct store_correlation_size kept;
	OK(store_correlation_size(s, &kept, &err));
	assert_int_equal(kept.rows + kept.snapshot_bytes, 0);
	store_close(s);
	nftw(dir, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static int64_t number(struct db *d, const char *sql)
{
	struct err err;
	int64_t n;

	OK(db_number(d, sql, NULL, 0, &n, &err));
	return n;
}

/* Of the collector's own alerts from before 11; a finding's, a loss's and what a finding folded into stay as they are. */
static void the_collectors_own_alerts_move_to_keys_of_their_own(void **state)
{
	const struct schema before = { "state", schema_state.application_id, schema_state.steps, 10 };
	char dir[64], path[128];
	struct db d;
	struct err err;

	(void)state;
	make_dir(dir);
	snprintf(path, sizeof(path), "%s/state.db", dir);
	OK(db_open(path, DB_CREATE, &d, &err));
	OK(schema_migrate(&d, &before, &err));
	OK(db_exec(&d,
		   "INSERT INTO alert(first_seen, last_seen, count, severity, priority, status, assignee, source,"
		   " rule, title, host, agent, container_id, container, image, document, evidence, fold_key)"
		   " SELECT 1, 2, 3, 1, '', 'new', '', column1, 'R', 't', 'h', column2, '', '', '', '{}', '[]', column3 FROM (VALUES"
		   " ('system', '', '[\"Forged sender\",\"h\",\"\"]'),"
		   " ('system', 'a', '[\"Events lost\",\"h\",\"\",\"process\"]'),"
		   " ('scan', '', '[\"V\",\"\",\"CVE-1\",\"sha256:1\"]'),"
		   " ('runtime', 'a', '[\"Agent silent\",\"h\",\"\"]'))",
		   &err));
	OK(schema_migrate(&d, &schema_state, &err));
	assert_int_equal(number(&d, "SELECT count(*) FROM alert WHERE fold_key = '[\"system\",\"Forged sender\",\"h\",\"\"]'"), 1);
	assert_int_equal(number(&d, "SELECT count(*) FROM alert WHERE fold_key LIKE '[\"system\"%'"), 1);
	db_close(&d);
	nftw(dir, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static void another_programs_database_is_refused(void **state)
{
	struct fixture f;
	struct err err;

	(void)state;
	fixture_init(&f);
	change_state(&f, "PRAGMA application_id=77");
	assert_int_equal(store_open(&f.cfg, &f.clk, &f.s, &err), -ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "not a picket"));
	fixture_fini(&f);
}

static void a_file_of_garbage_is_refused(void **state)
{
	char dir[64], path[128], junk[8192];
	struct clock clk = clock_fake(T0);
	struct store_config cfg = { .dir = dir };
	struct store *s = NULL;
	struct err err;

	(void)state;
	make_dir(dir);
	memset(junk, 'j', sizeof(junk));
	snprintf(path, sizeof(path), "%s/state.db", dir);
	OK(file_write_atomic(path, slice_from(junk, sizeof(junk)), 0600, &err));
	assert_int_equal(store_open(&cfg, &clk, &s, &err), -ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "state.db"));
	assert_null(s);
	/* an empty one is a beginning */
	OK(file_write_atomic(path, SLICE_NONE, 0600, &err));
	OK(store_open(&cfg, &clk, &s, &err));
	store_close(s);
	nftw(dir, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static void count_fault(void *arg, const char *fault)
{
	assert_non_null(strstr(fault, "20261120"));
	++*(int *)arg;
}

static void a_garbage_day_stops_neither_opening_nor_verifying(void **state)
{
	struct fixture f;
	char path[128];
	struct err err;
	uint64_t records;
	int faults = 0;

	(void)state;
	fixture_init(&f);
	snprintf(path, sizeof(path), "%s/history/2026-11-20.db", f.dir);
	OK(file_write_atomic(path, SLICE_LIT("not a database, but long enough to be looked at........"
					     ".........................................................."),
			     0600, &err));
	fixture_reopen(&f);
	OK(store_verify(f.s, count_fault, &faults, &records, &err));
	assert_int_equal(faults, 1);
	fixture_fini(&f);
}

static void a_garbage_day_stops_no_batch_and_no_tidying(void **state)
{
	struct sample p = { .process = "sh", .exe = "/bin/sh", .args = "", .user = "root",
			    .time_unix_ns = T0 };
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct fixture f;
	char path[128];
	struct err err;

	(void)state;
	fixture_init(&f);
	f.cfg.history_days = 5;
	fixture_reopen(&f);
	fixture_enrol(f.s, "agent-1", "web");
	static const char *const days[] = { "2026-11-10", "2026-11-22" };
	for (size_t i = 0; i < ARRAY_LEN(days); i++) {
		snprintf(path, sizeof(path), "%s/history/%s.db", f.dir, days[i]);
		OK(file_write_atomic(path, SLICE_LIT("not a database, but long enough to be looked at......."
						     "......................................................."),
				     0600, &err));
	}
	OK(store_enrol_token_add(f.s, (const uint8_t[32]){ 1 }, T0 - 8 * DAY_NS, 1, "test", &err));
	OK(store_begin(f.s, &err));
	buf_init(&b, 0);
	OK(put_packed(f.s, "agent-1", 1, 1, sample_pack(&p, &b), &err));
	OK(store_seq_set(f.s, "agent-1", 1, 1, 1, 0, &err));
	OK(store_commit(f.s, &err));
	/* told, but what is old goes all the same */
	assert_int_equal(store_history_tidy(f.s, &err), -ERR_CORRUPT);
	snprintf(path, sizeof(path), "%s/history/2026-11-10.db", f.dir);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(store_enrol_token_use(f.s, (const uint8_t[32]){ 1 }, &err), -ERR_DENIED);
	assert_non_null(strstr(err.msg, "unknown"));
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_are_done_once_each_and_a_failing_one_leaves_the_version_before),
		cmocka_unit_test(a_newer_schema_is_refused_and_left_alone),
		cmocka_unit_test(what_the_first_schema_held_is_there_in_the_newest),
		cmocka_unit_test(the_collectors_own_alerts_move_to_keys_of_their_own),
		cmocka_unit_test(another_programs_database_is_refused),
		cmocka_unit_test(a_file_of_garbage_is_refused),
		cmocka_unit_test(a_garbage_day_stops_neither_opening_nor_verifying),
		cmocka_unit_test(a_garbage_day_stops_no_batch_and_no_tidying),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
