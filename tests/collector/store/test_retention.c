/* test_retention.c - classes go at their own time, too much goes before its time, and what is left is whole. */
#include <unistd.h>

#include "tests/collector/store/fixture.h"

#include "collector/store/db.h"
#include "collector/store/store_history.h"

static uint64_t next_seq = 1;

/* Of ten records one is a file, the rest execs with arguments that don't shrink. */
static void put_batch(struct store *s, uint64_t now, unsigned count)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	uint64_t first = next_seq, noise = now | 1;
	struct err err;

	buf_init(&b, 0);
	OK(store_begin(s, &err));
	for (unsigned i = 0; i < count; i++) {
		Picket__Record rec = PICKET__RECORD__INIT;
		Picket__Event ev = PICKET__EVENT__INIT;
		Picket__Process p = PICKET__PROCESS__INIT;
		Picket__File file = PICKET__FILE__INIT;
		char args[64];

		noise = noise * 6364136223846793005ull + next_seq;
		snprintf(args, sizeof(args), "%016llx%016llx", (unsigned long long)noise,
			 (unsigned long long)(noise * 0x9e3779b97f4a7c15ull));
		rec.time_unix_ns = now;
		rec.body_case = PICKET__RECORD__BODY_EVENT;
		rec.event = &ev;
		ev.process = &p;
		p.args = msg_bytes(slice_of(args));
		file.path = msg_bytes(slice_of(args));
		ev.type = i % 10 ? PICKET__EVENT_TYPE__EVENT_EXEC : PICKET__EVENT_TYPE__EVENT_FILE;
		ev.file = i % 10 ? NULL : &file;
		buf_reset(&b);
		OK(msg_pack_record(&rec, &b, &err));
		OK(store_history_add(s, "agent-1", 1, next_seq++, buf_slice(&b), &rec, &err));
	}
	OK(store_seq_set(s, "agent-1", 1, next_seq - 1, next_seq - first, 0, &err));
	OK(store_commit(s, &err));
}

static void show_fault(void *arg, const char *fault)
{
	print_error("%s\n", fault);
	++*(int *)arg;
}

static void verify_clean(struct store *s)
{
	int faults = 0;
	struct err err;

	OK(store_verify(s, show_fault, &faults, NULL, &err));
	assert_int_equal(faults, 0);
}

static int count_event(void *arg, const struct store_event *e)
{
	(void)e;
	++*(uint64_t *)arg;
	return 0;
}

static uint64_t count(struct store *s, const char *filter)
{
	char cursor[64] = "", before[64];
	uint64_t n = 0;
	struct err err;

	do {
		memcpy(before, cursor, sizeof(before));
		struct store_query q = { .filter = slice_of(filter), .limit = 100000, .cursor = before };
		OK(store_history_query(s, &q, count_event, &n, cursor, sizeof(cursor), &err));
	} while (cursor[0]);
	return n;
}

/* As the loop does, until there is nothing left to do. */
static void tidy(struct fixture *f)
{
	struct err err;

	for (int i = 0; i < 8; i++) {
		OK(store_history_tidy(f->s, &err));
		f->clk.fake_boot_ns += 61 * SECOND_NS;
	}
}

static void a_class_goes_before_the_day(void **state)
{
	struct fixture f;
	struct store_status st;
	struct err err;

	(void)state;
	next_seq = 1;
	fixture_init(&f);
	f.cfg.history_days = 30;
	f.cfg.class_days[STORE_VOLUME] = 2;
	fixture_reopen(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	for (int day = 0; day < 6; day++) {
		put_batch(f.s, f.clk.fake_unix_ns, 1000);
		clock_fake_advance(&f.clk, DAY_NS);
		tidy(&f);
		verify_clean(f.s);
	}
	/* the sixth day is yesterday: of volume two days are left */
	assert_int_equal(count(f.s, "type=file"), 200);
	assert_int_equal(count(f.s, "type=exec"), 5400);
	OK(store_status(f.s, &st, &err));
	assert_int_equal(st.events, 5600);
	fixture_reopen(&f);
	put_batch(f.s, f.clk.fake_unix_ns, 10);
	verify_clean(f.s);
	assert_int_equal(count(f.s, "type=file"), 201);
	fixture_fini(&f);
}

static void count_fault(void *arg, const char *fault)
{
	*(int *)arg += strstr(fault, "is not signed by this store") != NULL;
}

static void alter(struct fixture *f, const char *sql)
{
	char path[PATH_MAX];
	struct db d;
	struct err err;

	store_close(f->s);
	snprintf(path, sizeof(path), "%s/history/2026-11-23.db", f->dir);
	OK(db_open(path, 0, &d, &err));
	OK(db_exec(&d, sql, &err));
	db_close(&d);
	fixture_open(f);
}

/* Retention took a part of a day; someone says that it took other blocks with it. */
static void no_block_hides_in_a_part_that_is_gone(void **state)
{
	struct fixture f;
	struct err err;
	char cmd[PATH_MAX];
	int faults = 0;

	(void)state;
	next_seq = 1;
	fixture_init(&f);
	f.cfg.history_days = 30;
	f.cfg.class_days[STORE_VOLUME] = 2;
	fixture_reopen(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	put_batch(f.s, f.clk.fake_unix_ns, 1000);
	clock_fake_advance(&f.clk, 4 * DAY_NS);
	tidy(&f);
	verify_clean(f.s);
	alter(&f, "UPDATE block SET class = 3, part = 1 WHERE class = 1");
	OK(store_verify(f.s, count_fault, &faults, NULL, &err));
	assert_true(faults);
	/* nor after retention came by once more */
	snprintf(cmd, sizeof(cmd), "echo > %s/history/2026-11-23.volume.1", f.dir);
	assert_int_equal(system(cmd), 0);
	tidy(&f);
	faults = 0;
	OK(store_verify(f.s, count_fault, &faults, NULL, &err));
	assert_true(faults);
	fixture_fini(&f);
}

static void the_bound_is_kept_for_thirty_days(void **state)
{
	const uint64_t bound = 6 * 1024 * 1024;
	struct fixture f;
	struct store_status st;
	struct err err;
	uint64_t most = 0;

	(void)state;
	next_seq = 1;
	fixture_init(&f);
	f.cfg.history_days = 30;
	f.cfg.history_max_bytes = bound;
	fixture_reopen(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	for (int hour = 0; hour < 30 * 4; hour++) {
		put_batch(f.s, f.clk.fake_unix_ns, 1000);
		clock_fake_advance(&f.clk, DAY_NS / 4);
		OK(store_history_tidy(f.s, &err));
		OK(store_status(f.s, &st, &err));
		most = st.history_bytes > most ? st.history_bytes : most;
	}
	if (most > bound + bound / 50)
		fail_msg("%llu bytes, %llu are the bound", (unsigned long long)most, (unsigned long long)bound);
	assert_true(most > bound / 2);
	assert_true(st.events > 10000 && st.events < next_seq - 1);
	/* what is left is the newest, and all that is said to be there is found */
	assert_int_equal(count(f.s, ""), st.events);
	verify_clean(f.s);
	fixture_fini(&f);
}

/* A bound that was lowered: a look drops a few files, so that batches don't wait, and says that more must go; what is
 * left then has room for what comes until the next look. */
static void what_is_over_the_bound_goes_in_steps(void **state)
{
	const uint64_t bound = 3 * 1024 * 1024;
	struct fixture f;
	struct store_status st;
	struct err err;
	size_t steps = 0;

	(void)state;
	next_seq = 1;
	fixture_init(&f);
	f.cfg.history_days = 30;
	fixture_reopen(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	for (int day = 0; day < 20; day++) {
		put_batch(f.s, f.clk.fake_unix_ns, 3000);
		clock_fake_advance(&f.clk, DAY_NS);
		OK(store_history_tidy(f.s, &err));
		assert_false(store_history_is_over(f.s));
	}
	OK(store_status(f.s, &st, &err));
	assert_true(st.history_bytes > bound);
	f.cfg.history_max_bytes = bound;
	fixture_reopen(&f);
	do {
		OK(store_history_tidy(f.s, &err));
		steps++;
	} while (store_history_is_over(f.s) && steps < 100);
	assert_in_range(steps, 2, 99);
	OK(store_status(f.s, &st, &err));
	assert_true(st.history_bytes <= bound - bound / 10 && st.history_bytes > bound / 4);
	verify_clean(f.s);
	fixture_fini(&f);
}

/* Its database can't be read: its parts go like the others', or the disk fills behind it. */
static void a_damaged_day_keeps_no_room(void **state)
{
	const uint64_t bound = 6 * 1024 * 1024;
	struct fixture f;
	struct err err;
	char cmd[PATH_MAX];

	(void)state;
	next_seq = 1;
	fixture_init(&f);
	f.cfg.history_days = 365;
	f.cfg.history_max_bytes = bound;
	fixture_reopen(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	for (int hour = 0; hour < 8; hour++) {
		put_batch(f.s, f.clk.fake_unix_ns, 1000);
		clock_fake_advance(&f.clk, DAY_NS / 4);
		OK(store_history_tidy(f.s, &err));
	}
	snprintf(cmd, sizeof(cmd), "cd %s/history && rm -f 2026-11-23.db-* && yes garbage | head -c 200000 > 2026-11-23.db", f.dir);
	store_close(f.s);
	assert_int_equal(system(cmd), 0);
	fixture_open(&f);
	for (int hour = 0; hour < 15 * 4; hour++) {
		put_batch(f.s, f.clk.fake_unix_ns, 1000);
		clock_fake_advance(&f.clk, DAY_NS / 4);
		(void)!store_history_tidy(f.s, &err);
	}
	snprintf(cmd, sizeof(cmd), "test $(du -sb %s/history | cut -f1) -lt %llu", f.dir, (unsigned long long)(bound + bound / 20));
	if (system(cmd) != 0)
		fail_msg("more than the bound is there");
	fixture_fini(&f);
}

static void a_forecast_says_how_long_there_is_room(void **state)
{
	struct store_forecast fc;
	struct fixture f;
	struct err err;

	(void)state;
	next_seq = 1;
	fixture_init(&f);
	f.cfg.history_max_bytes = 1ull << 30;
	fixture_reopen(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	for (int day = 0; day < 3; day++) {
		put_batch(f.s, f.clk.fake_unix_ns, 1000);
		clock_fake_advance(&f.clk, DAY_NS);
		tidy(&f);
	}
	OK(store_forecast(f.s, &fc, &err));
	assert_true(fc.bytes > 0 && fc.bytes_per_day > 0 && fc.bytes_per_day <= fc.bytes);
	double want = (double)(fc.max_bytes - fc.bytes) / (double)fc.bytes_per_day;
	assert_true(fc.days_to_max > want - 1 && fc.days_to_max < want + 1);
	assert_int_equal(fc.classes[STORE_VOLUME].oldest, 20261123);
	assert_true(fc.classes[STORE_PROCESS].bytes > fc.classes[STORE_VOLUME].bytes);
	/* kept for a month, so much is never there */
	f.cfg.history_days = 30;
	fixture_reopen(&f);
	OK(store_forecast(f.s, &fc, &err));
	assert_true(fc.days_to_max < 0);
	fixture_fini(&f);
}

struct silences {
	int count, is_collector;
	uint64_t from, to;
};
static int take_silence(void *arg, const struct store_agent_silence *x)
{
	struct silences *all = arg;

	all->count++;
	all->is_collector += !x->agent[0];
	all->from = x->from_unix_ns;
	all->to = x->to_unix_ns;
	return 0;
}

static void silences_are_kept(void **state)
{
	Picket__Heartbeat hb = PICKET__HEARTBEAT__INIT;
	struct silences all = { 0 };
	struct fixture f;
	struct err err;

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	OK(store_agent_heartbeat(f.s, "agent-1", &hb, &err));
	clock_fake_advance(&f.clk, 30 * SECOND_NS);
	OK(store_agent_heartbeat(f.s, "agent-1", &hb, &err)); /* no silence */
	uint64_t from = f.clk.fake_unix_ns;
	clock_fake_advance(&f.clk, 600 * SECOND_NS);
	OK(store_agent_silences_each(f.s, "host-1", 0, 0, take_silence, &all, &err));
	assert_int_equal(all.count, 1); /* one that lasts */
	assert_int_equal(all.from, from);
	assert_int_equal(all.to, 0);
	OK(store_agent_heartbeat(f.s, "agent-1", &hb, &err));
	all = (struct silences){ 0 };
	OK(store_agent_silences_each(f.s, "host-1", 0, 0, take_silence, &all, &err));
	assert_int_equal(all.count, 1);
	assert_int_equal(all.to, from + 600 * SECOND_NS);
	OK(store_agent_silences_each(f.s, NULL, from + 700 * SECOND_NS, 0, take_silence, &all, &err));
	assert_int_equal(all.count, 1); /* it was over before */
	assert_int_equal(store_agent_silences_each(f.s, "host-9", 0, 0, take_silence, &all, &err), -ERR_NOT_FOUND);
	/* the collector itself was away for an hour */
	OK(store_history_tidy(f.s, &err));
	clock_fake_advance(&f.clk, 3600 * SECOND_NS);
	fixture_reopen(&f);
	OK(store_history_tidy(f.s, &err));
	all = (struct silences){ 0 };
	OK(store_agent_silences_each(f.s, NULL, 0, 0, take_silence, &all, &err));
	assert_int_equal(all.is_collector, 1);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_class_goes_before_the_day),
		cmocka_unit_test(no_block_hides_in_a_part_that_is_gone),
		cmocka_unit_test(the_bound_is_kept_for_thirty_days),
		cmocka_unit_test(what_is_over_the_bound_goes_in_steps),
		cmocka_unit_test(a_damaged_day_keeps_no_room),
		cmocka_unit_test(a_forecast_says_how_long_there_is_room),
		cmocka_unit_test(silences_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
