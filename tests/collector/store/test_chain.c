/* test_chain.c - who has a database tool and patience changes what is stored; verification finds and names it. */
#include <fcntl.h>
#include <unistd.h>
#include <zstd.h>

#include "tests/collector/store/fixture.h"

#include "collector/store/db.h"
#include "collector/store/store_history.h"

static const char *const agents[] = { "agent-1", "agent-2" };

static void put_batch(struct store *s, const char *agent, uint64_t first, uint64_t count)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct err err;

	buf_init(&b, 0);
	OK(store_begin(s, &err));
	for (uint64_t seq = first; seq < first + count; seq++) {
		char args[32];

		snprintf(args, sizeof(args), "--number %llu", (unsigned long long)seq);
		struct sample p = { .process = "sh", .exe = "/bin/sh", .args = args, .user = "root" };
		p.pid = (uint32_t)(1000 + seq);
		p.time_unix_ns = T0 + seq * 1000000;
		OK(put_packed(s, agent, 1, seq, sample_pack(&p, &b), &err));
	}
	OK(store_seq_set(s, agent, 1, first + count - 1, count, 0, &err));
	OK(store_commit(s, &err));
}

/* Three days of two agents: blocks and tails, and a log of what people did. */
static void fill(struct fixture *f)
{
	struct err err;

	fixture_enrol(f->s, agents[0], "host-1");
	fixture_enrol(f->s, agents[1], "host-2");
	for (uint64_t day = 0; day < 3; day++) {
		for (uint64_t batch = 0; batch < 20; batch++)
			for (size_t a = 0; a < 2; a++)
				put_batch(f->s, agents[a], day * 4500 + batch * 225 + 1, 225);
		for (int i = 0; i < 4; i++) {
			char what[16];

			snprintf(what, sizeof(what), "did.%d", i);
			OK(store_audit_log(f->s, "alice", what, "subject", &err));
			OK(store_audit_log_agent(f->s, "host-1", what, "subject", &err));
		}
		if (day < 2)
			clock_fake_advance(&f->clk, DAY_NS);
	}
}

struct faults {
	int count;
	char text[16384];
};
static void note_fault(void *arg, const char *fault)
{
	struct faults *all = arg;
	size_t n = strlen(all->text);

	all->count++;
	snprintf(all->text + n, sizeof(all->text) - n, "%s\n", fault);
}

static void verify(struct store *s, struct faults *ret)
{
	struct err err;
	uint64_t records;

	*ret = (struct faults){ 0 };
	OK(store_verify(s, note_fault, ret, &records, &err));
}

static void verify_clean(struct store *s)
{
	static struct faults all;

	verify(s, &all);
	if (all.count)
		fail_msg("%s", all.text);
}

static void run_sql(struct fixture *f, const char *file, const char *sql)
{
	char path[PATH_MAX];
	struct db d;
	struct err err;

	snprintf(path, sizeof(path), "%s/%s", f->dir, file);
	OK(db_open(path, 0, &d, &err));
	OK(db_exec(&d, sql, &err));
	db_close(&d);
}

/* What a person does to the files while the collector is down. */
struct deed {
	const char *what;
	const char *file, *sql; /* NULL: fn does it */
	void (*fn)(struct fixture *f);
	const char *said; /* by the verification */
};

#define DAY1 "history/2026-11-23.db"
#define DAY2 "history/2026-11-24.db"
#define DAY3 "history/2026-11-25.db"

/* One record of a tail row or block gets another argument, and everything that belongs to the row is made anew. */
static void edit_tail(struct fixture *f, bool fixes_link)
{
	static char raw[1 << 20], packed[1 << 20];
	char path[PATH_MAX];
	sqlite3_stmt *st;
	struct db d;
	struct err err;

	snprintf(path, sizeof(path), "%s/%s", f->dir, DAY3);
	OK(db_open(path, 0, &d, &err));
	OK(db_prepare(&d, "SELECT first, raw_bytes, data, links FROM tail ORDER BY first LIMIT 1", NULL, 0, &st, &err));
	assert_int_equal(db_step(&d, st, &err), 1);
	uint64_t first = db_u64(st, 0);
	size_t n = ZSTD_decompress(raw, sizeof(raw), db_blob(st, 2).p, db_blob(st, 2).n);
	assert_int_equal(n, db_u64(st, 1));
	db_resetp(&st);
	char *at = memmem(raw, n, "--number", 8);
	assert_non_null(at);
	memcpy(at, "--forged", 8);
	n = ZSTD_compress(packed, sizeof(packed), raw, n, 1);
	OK(DB_RUN(&d, &err, "UPDATE tail SET data = ? WHERE first = ?", B_BLOB(slice_from(packed, n)), B_INT(first)));
	if (fixes_link)
		OK(DB_RUN(&d, &err, "UPDATE tail SET links = (SELECT links FROM tail WHERE first > ?) WHERE first = ?",
			  B_INT(first), B_INT(first)));
	db_close(&d);
}

static void edit_a_record(struct fixture *f)
{
	edit_tail(f, false);
}

static void edit_a_record_and_its_link(struct fixture *f)
{
	edit_tail(f, true);
}

static void change_file(struct fixture *f, const char *name, bool cuts)
{
	char path[PATH_MAX], byte;
	struct stat st;

	snprintf(path, sizeof(path), "%s/history/%s", f->dir, name);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0 && !fstat(fd, &st));
	if (cuts) {
		assert_int_equal(ftruncate(fd, st.st_size / 2), 0);
	} else {
		assert_int_equal(pread(fd, &byte, 1, st.st_size / 2), 1);
		byte ^= 1;
		assert_int_equal(pwrite(fd, &byte, 1, st.st_size / 2), 1);
	}
	close(fd);
}

static void flip_a_bit(struct fixture *f)
{
	change_file(f, "2026-11-24.process.1", false);
}

static void cut_a_part(struct fixture *f)
{
	change_file(f, "2026-11-24.process.1", true);
}

static void remove_files(struct fixture *f, const char *pattern)
{
	char cmd[PATH_MAX];

	snprintf(cmd, sizeof(cmd), "rm %s/history/%s", f->dir, pattern);
	assert_int_equal(system(cmd), 0);
}

static void remove_a_part(struct fixture *f)
{
	remove_files(f, "2026-11-23.process.1");
}

static void remove_the_first_day(struct fixture *f)
{
	remove_files(f, "2026-11-23.*");
}

static void remove_the_second_day(struct fixture *f)
{
	remove_files(f, "2026-11-24.*");
}

static void remove_the_last_day(struct fixture *f)
{
	remove_files(f, "2026-11-25.*");
}

static void remove_a_day_and_say_it_was_retention(struct fixture *f)
{
	remove_files(f, "2026-11-23.*");
	run_sql(f, "state.db",
		"UPDATE history_day SET dropped = 1, why = 'age' WHERE date = 20261123;"
		"UPDATE history_chain SET base = 4500, base_hash = hash");
}

/* The newest batch goes, with all that the day knows of it. */
static void cut_the_tail(struct fixture *f)
{
	run_sql(f, DAY3,
		"CREATE TEMP TABLE gone AS SELECT max(first) AS first FROM tail;"
		"DELETE FROM tail WHERE first IN (SELECT first FROM gone);"
		"UPDATE watermark SET seq = seq - 225 WHERE agent = 'agent-2';"
		/* the value behind the batch before stands in its links */
		"UPDATE chain SET count = count - 225, hash = (SELECT substr(links, -16) FROM tail"
		" ORDER BY first DESC LIMIT 1 OFFSET 1) WHERE agent = 'agent-2'");
}

static void cut_the_tail_and_the_head(struct fixture *f)
{
	cut_the_tail(f);
	run_sql(f, "state.db",
		"UPDATE history_chain SET count = count - 225 WHERE agent = 'agent-2';"
		"UPDATE agent_epoch SET seq = seq - 225, stored = stored - 225 WHERE agent = 'agent-2'");
}

static void cut_the_tail_and_forget_the_head(struct fixture *f)
{
	cut_the_tail(f);
	run_sql(f, "state.db",
		"DELETE FROM history_chain WHERE agent = 'agent-2';"
		"UPDATE agent_epoch SET stored = stored - 225, holes = holes + 225 WHERE agent = 'agent-2'");
}

static const struct deed deeds[] = {
	{ "a record is edited", NULL, NULL, edit_a_record, "day 20261125: tail 8101: agent agent-1, class process: records" },
	{ "a record and its link", NULL, NULL, edit_a_record_and_its_link, "day 20261125: tail 8101" },
	{ "a bit of a block", NULL, NULL, flip_a_bit, "day 20261124: block 1: its SHA-256" },
	{ "a block's checksum too", DAY2, "UPDATE block SET sha256 = zeroblob(32)", NULL, "day 20261124: block 1" },
	{ "a part is cut", NULL, NULL, cut_a_part, "day 20261124: block 1: " },
	{ "a part is removed", NULL, NULL, remove_a_part, "day 20261123: block 1: its file" },
	{ "and it is said that retention did", DAY1, "INSERT INTO part_gone VALUES (1, 1, 5, 'age', x'00')", remove_a_part,
	  "not signed" },
	{ "a batch is dropped", DAY3, "DELETE FROM tail WHERE first = (SELECT min(first) FROM tail)", NULL,
	  "agent agent-1, class process: 225 records are missing before it" },
	{ "a batch in the middle", DAY3,
	  "DELETE FROM tail WHERE first = (SELECT first FROM tail ORDER BY first LIMIT 1 OFFSET 1)", NULL,
	  "agent agent-2, class process: 225 records are missing before it" },
	{ "the last batch", DAY3, "DELETE FROM tail WHERE first = (SELECT max(first) FROM tail)", NULL,
	  "day 20261125: agent agent-2, class process: its chain has" },
	{ "two batches are swapped", DAY3,
	  "CREATE TEMP TABLE two AS SELECT first, data FROM tail ORDER BY first LIMIT 3;"
	  "UPDATE tail SET data = (SELECT data FROM two ORDER BY first DESC LIMIT 1)"
	  " WHERE first = (SELECT min(first) FROM two);"
	  "UPDATE tail SET data = (SELECT data FROM two ORDER BY first LIMIT 1)"
	  " WHERE first = (SELECT max(first) FROM two)",
	  NULL, "day 20261125: tail 8101: agent agent-1" },
	{ "two batches with their links", DAY3,
	  "CREATE TEMP TABLE two AS SELECT first, data, links FROM tail ORDER BY first LIMIT 3;"
	  "UPDATE tail SET (data, links) = (SELECT data, links FROM two ORDER BY first DESC LIMIT 1)"
	  " WHERE first = (SELECT min(first) FROM two);"
	  "UPDATE tail SET (data, links) = (SELECT data, links FROM two ORDER BY first LIMIT 1)"
	  " WHERE first = (SELECT max(first) FROM two)",
	  NULL, "day 20261125: tail 8101: agent agent-1" },
	{ "a batch is another agent's", DAY3,
	  "UPDATE tail SET links = (SELECT links FROM tail ORDER BY first LIMIT 1 OFFSET 1)"
	  " WHERE first = (SELECT min(first) FROM tail)",
	  NULL, "records are of no chain" },
	{ "the links are taken off", DAY3, "UPDATE tail SET links = x''", NULL, "records are of no chain" },
	{ "a block is dropped", DAY2, "DELETE FROM block WHERE id = 1", NULL, "day 20261124: " },
	{ "with all that belongs to it", DAY2,
	  "DELETE FROM block; DELETE FROM block_filter; DELETE FROM tail; DELETE FROM watermark; DELETE FROM chain", NULL,
	  "agent agent-1, class process: records 4501 to 9000 of its chain are missing, between day 20261123 and day 20261125" },
	{ "a tail is cut, tidily", NULL, NULL, cut_the_tail,
	  "agent agent-2, class process: records 13276 to 13500 of its chain are missing after day 20261125" },
	{ "and the head with it", NULL, NULL, cut_the_tail_and_the_head, "the head of its chain is not signed" },
	{ "and the head is forgotten", NULL, NULL, cut_the_tail_and_forget_the_head, "agent agent-2, class process: the head" },
	{ "a tail is hidden from queries", DAY3, "UPDATE tail SET t0 = 1, t1 = 1, terms = x'' WHERE first = 8101", NULL,
	  "day 20261125: tail 8101: its times or terms" },
	{ "the sum of the heads", "state.db", "DELETE FROM history_chain WHERE agent = ''", NULL, "the sum of the heads" },
	{ "the first day is removed", NULL, NULL, remove_the_first_day,
	  "day 20261123: its file is missing, and retention did not drop it" },
	{ "a day in the middle", NULL, NULL, remove_the_second_day,
	  "records 4501 to 9000 of its chain are missing, between day 20261123 and day 20261125" },
	{ "the last day", NULL, NULL, remove_the_last_day,
	  "records 9001 to 13500 of its chain are missing after day 20261124" },
	{ "and it is said that retention did it", NULL, NULL, remove_a_day_and_say_it_was_retention, "not signed by this store" },
	{ "the log is edited", "state.db", "UPDATE audit_log SET who = 'bob' WHERE id = 5", NULL,
	  "audit log of people: row 5 is not the one" },
	{ "a row of it is deleted", "state.db", "DELETE FROM audit_log WHERE id = 5", NULL,
	  "audit log of people: row 7 is not the one that was written, or rows between 3 and it are missing" },
	{ "the first row", "state.db", "DELETE FROM audit_log WHERE id = 1", NULL, "audit log of people: row 3" },
	{ "the last row", "state.db", "DELETE FROM audit_log WHERE id = 24", NULL,
	  "audit log of agents: it ends with row 22, the last written was 24" },
	{ "a row is put in", "state.db",
	  "INSERT INTO audit_log(id, at, who, what, subject, is_agent) VALUES (99, 1, 'eve', 'w', 's', 0)", NULL,
	  "audit log of people: row 99" },
	{ "two rows are swapped", "state.db",
	  "UPDATE audit_log SET id = 999 WHERE id = 3; UPDATE audit_log SET id = 3 WHERE id = 5;"
	  "UPDATE audit_log SET id = 5 WHERE id = 999",
	  NULL, "audit log of people: row 3" },
	{ "the whole log", "state.db", "DELETE FROM audit_log", NULL, "audit log of people: it ends with row 0" },
	{ "with what chains it", "state.db", "UPDATE audit_log SET what = 'x', chain = x''", NULL, "audit log of people: row 1" },
};

static void every_deed_is_found_and_named(void **state)
{
	static struct faults all;
	struct fixture whole, f;
	char cmd[PATH_MAX];

	(void)state;
	fixture_init(&whole);
	fill(&whole);
	verify_clean(whole.s);
	store_close(whole.s);
	whole.s = NULL;
	for (size_t i = 0; i < ARRAY_LEN(deeds); i++) {
		f = whole;
		snprintf(f.dir, sizeof(f.dir), "/tmp/picket-store-XXXXXX");
		assert_non_null(mkdtemp(f.dir));
		snprintf(cmd, sizeof(cmd), "cp -a %s/. %s", whole.dir, f.dir);
		assert_int_equal(system(cmd), 0);
		if (deeds[i].sql)
			run_sql(&f, deeds[i].file, deeds[i].sql);
		if (deeds[i].fn)
			deeds[i].fn(&f);
		fixture_open(&f);
		verify(f.s, &all);
		if (!all.count || !strstr(all.text, deeds[i].said))
			fail_msg("%s: not found, or not named: %d\n%s", deeds[i].what, all.count, all.text);
		fixture_fini(&f);
	}
	fixture_fini(&whole);
}

static int note_head(void *arg, const struct store_head *h)
{
	struct store_head *heads = arg;

	assert_int_equal(h->class_no, STORE_PROCESS);
	heads[!strcmp(h->agent, agents[1])] = *h;
	heads[!strcmp(h->agent, agents[1])].agent = !strcmp(h->agent, agents[1]) ? agents[1] : agents[0];
	return 0;
}

static void heads_kept_elsewhere_find_what_was_made_anew(void **state)
{
	static struct faults all;
	struct store_head heads[2] = { 0 };
	struct store_verify how = { .heads = heads, .head_count = 2 };
	struct fixture f;
	struct err err;

	(void)state;
	fixture_init(&f);
	fill(&f);
	OK(store_heads_each(f.s, note_head, heads, &err));
	assert_int_equal(heads[0].count, 13500);
	put_batch(f.s, agents[0], 13501, 50);
	all = (struct faults){ 0 };
	OK(store_verify_heads(f.s, &how, note_fault, &all, &err));
	assert_int_equal(all.count, 0);
	assert_int_equal(how.ret_records, 27050);
	/* all of it was written once more, with other records: this store, and its key, have no objection */
	fixture_fini(&f);
	fixture_init(&f);
	fixture_enrol(f.s, agents[0], "host-1");
	fixture_enrol(f.s, agents[1], "host-2");
	put_batch(f.s, agents[0], 13501, 13600);
	put_batch(f.s, agents[1], 1, 100);
	verify_clean(f.s);
	OK(store_verify_heads(f.s, &how, note_fault, &all, &err));
	assert_non_null(strstr(all.text, "agent agent-1, class process: its chain does not pass the head that was kept at record 13500"));
	assert_non_null(strstr(all.text, "agent agent-2, class process: records 101 to 13500 of its chain are missing"));
	fixture_fini(&f);
}

static void retention_leaves_a_chain_that_goes_on(void **state)
{
	struct fixture f;
	struct err err;

	(void)state;
	fixture_init(&f);
	f.cfg.history_days = 2;
	fixture_reopen(&f);
	fill(&f);
	OK(store_history_tidy(f.s, &err));
	for (uint64_t day = 3; day < 8; day++) {
		clock_fake_advance(&f.clk, DAY_NS);
		put_batch(f.s, agents[0], day * 4500 + 1, 4500); /* the other one is silent until it is all gone */
		OK(store_history_tidy(f.s, &err));
		verify_clean(f.s);
	}
	put_batch(f.s, agents[1], 13501, 10);
	verify_clean(f.s);
	fixture_reopen(&f);
	put_batch(f.s, agents[1], 13511, 10);
	verify_clean(f.s);
	fixture_fini(&f);
}

static void another_key_signs_nothing_of_what_is_there(void **state)
{
	static struct faults all;
	struct fixture f;
	char cmd[PATH_MAX];

	(void)state;
	fixture_init(&f);
	fill(&f);
	snprintf(cmd, sizeof(cmd), "rm %s/history.key", f.dir);
	assert_int_equal(system(cmd), 0);
	fixture_reopen(&f);
	verify(f.s, &all);
	assert_non_null(strstr(all.text, "not signed by this store"));
	fixture_fini(&f);
}

/* What a deed leaves must not be signed by what is stored after it. */
struct laundry {
	const char *what, *state_sql;
	bool cuts;
	const char *said;
};
static const struct laundry laundries[] = {
	{ "the head is edited",
	  "UPDATE history_chain SET count = 0, hash = zeroblob(16) WHERE agent = 'agent-2';", true,
	  "agent agent-2, class process: day 20261125 does not go on" },
	{ "the head is forgotten", "DELETE FROM history_chain WHERE agent = 'agent-2';", true, "the heads of chains are not" },
	{ "all heads are", "DELETE FROM history_chain WHERE agent <> '';", true, "the heads of chains are not" },
	{ "and their sum", "DELETE FROM history_chain;", true, "the sum of the heads of chains is missing" },
	{ "the log is cut",
	  "DELETE FROM audit_log WHERE id >= 23;"
	  "UPDATE audit_chain SET (count, hash) = (SELECT id, chain FROM audit_log a WHERE a.is_agent = audit_chain.is_agent"
	  " ORDER BY id DESC LIMIT 1);",
	  false, "audit log of people: row" },
	{ "the log is written anew", "DELETE FROM audit_chain; UPDATE audit_log SET who = 'bob', chain = x'';", false,
	  "the heads of chains are not" },
};

static void what_is_stored_later_signs_no_deed(void **state)
{
	static struct faults all;
	struct fixture f;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(laundries); i++) {
		fixture_init(&f);
		fill(&f);
		store_close(f.s);
		if (laundries[i].cuts) {
			cut_the_tail(&f);
			run_sql(&f, "state.db",
				"UPDATE agent_epoch SET stored = stored - 225, holes = holes + 225 WHERE agent = 'agent-2'");
		}
		run_sql(&f, "state.db", laundries[i].state_sql);
		fixture_open(&f);
		for (uint64_t k = 0; k < 3; k++) {
			put_batch(f.s, agents[0], 13501 + k * 50, 50);
			put_batch(f.s, agents[1], 13501 + k * 50, 50);
			OK(store_audit_log(f.s, "alice", "later", "subject", &err));
			OK(store_audit_log_agent(f.s, "host-1", "later", "subject", &err));
			fixture_reopen(&f);
		}
		verify(f.s, &all);
		if (!all.count || !strstr(all.text, laundries[i].said))
			fail_msg("%s: not found, or not named: %d\n%s", laundries[i].what, all.count, all.text);
		fixture_fini(&f);
	}
}

/* The head of now is put in the place of the one that was signed before: both are ours. */
static void an_older_head_is_found(void **state)
{
	static struct faults all;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fill(&f);
	store_close(f.s);
	run_sql(&f, "state.db", "CREATE TABLE kept AS SELECT * FROM history_chain WHERE agent = 'agent-2'");
	run_sql(&f, DAY3, "CREATE TABLE kept AS SELECT * FROM chain WHERE agent = 'agent-2'");
	fixture_open(&f);
	put_batch(f.s, agents[1], 13501, 100);
	verify_clean(f.s);
	store_close(f.s);
	run_sql(&f, "state.db",
		"INSERT OR REPLACE INTO history_chain SELECT * FROM kept;"
		"UPDATE agent_epoch SET stored = stored - 100, holes = holes + 100 WHERE agent = 'agent-2'");
	run_sql(&f, DAY3,
		"INSERT OR REPLACE INTO chain SELECT * FROM kept;"
		"DELETE FROM tail WHERE first = (SELECT max(first) FROM tail);"
		"UPDATE watermark SET seq = 13500 WHERE agent = 'agent-2'");
	fixture_open(&f);
	verify(f.s, &all);
	assert_non_null(strstr(all.text, "put back to what it once was"));
	put_batch(f.s, agents[0], 13501, 10);
	put_batch(f.s, agents[1], 13601, 10);
	verify(f.s, &all);
	assert_non_null(strstr(all.text, "put back to what it once was"));
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_deed_is_found_and_named),
		cmocka_unit_test(heads_kept_elsewhere_find_what_was_made_anew),
		cmocka_unit_test(retention_leaves_a_chain_that_goes_on),
		cmocka_unit_test(what_is_stored_later_signs_no_deed),
		cmocka_unit_test(an_older_head_is_found),
		cmocka_unit_test(another_key_signs_nothing_of_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
