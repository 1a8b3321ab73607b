/* test_history.c - nothing twice, nothing missing, and answers that are the brute force ones. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/collector/store/fixture.h"

static const char id_a[] = "aaaaaaaaaaaa0123456789abcdef0123456789abcdef0123456789abcdef0000";
static const char id_b[] = "bbbbbbbbbbbb0123456789abcdef0123456789abcdef0123456789abcdef0000";
static const char *const processes[] = { "sh", "wget", "nginx", "curl", "sleep" };

/* The n-th record of the world: everything follows from n, so that a query can be checked. */
static struct sample sample_of(uint64_t n, char exe[64], char args[64])
{
	const char *process = processes[n % 5];

	snprintf(exe, 64, "/usr/bin/%s", process);
	snprintf(args, 64, "--number %llu", (unsigned long long)n);
	struct sample p = { .process = process, .exe = exe, .args = args, .user = n % 3 ? "app" : "root" };
	p.pid = (uint32_t)(1000 + n);
	p.uid = n % 3 ? 1000 : 0;
	p.time_unix_ns = T0 + n * 1000000;
	if (n % 4 == 1) {
		p.container_id = id_a;
		p.container = "web";
		p.image = "nginx:1.25";
	} else if (n % 4 == 2) {
		p.container_id = id_b; /* without a name: told by the container table */
	}
	return p;
}

static void put(struct store *s, const char *agent, uint64_t epoch, uint64_t seq)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	char exe[64], args[64];
	struct sample p = sample_of(seq, exe, args);
	struct err err;

	buf_init(&b, 0);
	OK(put_packed(s, agent, epoch, seq, sample_pack(&p, &b), &err));
}

/* What intake does with one batch. */
static void put_batch(struct store *s, const char *agent, uint64_t first, uint64_t count)
{
	struct err err;
	uint64_t have, stored = 0;

	OK(store_begin(s, &err));
	OK(store_seq_get(s, agent, 1, &have, &err));
	for (uint64_t seq = first; seq < first + count; seq++)
		if (seq > have) {
			put(s, agent, 1, seq);
			stored++;
		}
	if (first + count - 1 > have)
		OK(store_seq_set(s, agent, 1, first + count - 1, stored, 0, &err));
	OK(store_commit(s, &err));
}

struct answer {
	uint64_t seqs[65536];
	size_t count;
	char agent[64];
	char name[64], image[64], host[64];
};

static int take(void *arg, const struct store_event *e)
{
	struct answer *a = arg;

	assert_true(a->count < ARRAY_LEN(a->seqs));
	a->seqs[a->count++] = e->seq;
	snprintf(a->host, sizeof(a->host), "%s", e->host);
	if (e->record->body_case == PICKET__RECORD__BODY_EVENT && e->record->event->container) {
		slice_copy(msg_slice(e->record->event->container->name), a->name, sizeof(a->name));
		slice_copy(msg_slice(e->record->event->container->image), a->image, sizeof(a->image));
	}
	return 0;
}

static void ask(struct store *s, const char *filter, uint64_t page, bool oldest_first,
		struct answer *ret)
{
	char cursor[64] = "";
	struct err err;

	ret->count = 0;
	do {
		char before[64];

		memcpy(before, cursor, sizeof(before));
		struct store_query q = { .filter = slice_of(filter),
					 .limit = page,
					 .cursor = before,
					 .oldest_first = oldest_first };
		OK(store_history_query(s, &q, take, ret, cursor, sizeof(cursor), &err));
	} while (cursor[0]);
}

static void show_fault(void *arg, const char *fault)
{
	print_error("%s\n", fault);
	++*(int *)arg;
}

static uint64_t verify(struct store *s, int *ret_faults)
{
	uint64_t records;
	struct err err;

	*ret_faults = 0;
	OK(store_verify(s, show_fault, ret_faults, &records, &err));
	return records;
}

static void verify_clean(struct store *s, uint64_t want)
{
	int faults;

	assert_int_equal(verify(s, &faults), want);
	assert_int_equal(faults, 0);
}

static void what_is_stored_is_found_again_across_sealing_and_reopening(void **state)
{
	struct fixture f;
	static struct answer a;
	struct err err;

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	for (uint64_t first = 1; first <= 20000; first += 500)
		put_batch(f.s, "agent-1", first, 500);
	for (int round = 0; round < 3; round++) {
		ask(f.s, "", 3000, false, &a);
		assert_int_equal(a.count, 20000);
		for (size_t i = 0; i < a.count; i++)
			assert_int_equal(a.seqs[i], 20000 - i);
		ask(f.s, "", 7000, true, &a);
		assert_int_equal(a.count, 20000);
		for (size_t i = 0; i < a.count; i++)
			assert_int_equal(a.seqs[i], i + 1);
		verify_clean(f.s, 20000);
		clock_fake_advance(&f.clk, 11 * 60 * SECOND_NS);
		OK(store_history_tidy(f.s, &err));
		if (round == 1)
			fixture_reopen(&f);
	}
	struct store_status st;
	OK(store_status(f.s, &st, &err));
	assert_int_equal(st.events, 20000);
	assert_int_equal(st.produced, 20000);
	assert_int_equal(st.stored, 20000);
	assert_string_equal(a.host, "host-1");
	fixture_fini(&f);
}

static bool is_web(uint64_t n)
{
	return n % 4 == 1;
}
static bool is_wget(uint64_t n)
{
	return n % 5 == 1;
}
static bool is_root(uint64_t n)
{
	return n % 3 == 0;
}
static bool is_db(uint64_t n)
{
	return n % 4 == 2;
}
static bool is_web_wget(uint64_t n)
{
	return is_web(n) && is_wget(n);
}
static bool is_no_container(uint64_t n)
{
	return !is_web(n) && !is_db(n);
}
static bool is_high_pid(uint64_t n)
{
	return n >= 11000;
}
static bool is_number_77(uint64_t n)
{
	return n == 77 || (n >= 770 && n < 780) || (n >= 7700 && n < 7800);
}
static bool is_not_sh(uint64_t n)
{
	return n % 5 != 0;
}
static bool is_from_5000_to_5100(uint64_t n)
{
	return n >= 5000 && n <= 5100;
}
static bool is_any(uint64_t n)
{
	return n > 0;
}
static bool is_none(uint64_t n)
{
	return n == 0;
}

static void queries_answer_what_brute_force_does(void **state)
{
	static const struct {
		const char *filter;
		bool (*is_match)(uint64_t n);
	} cases[] = {
		{ "container=web", is_web },
		{ "container=aaaaaaaaaaaa", is_web },
		{ "container.id=aaaaaaaaaaaa0123", is_web },
		{ "image=nginx:1.25", is_web },
		{ "image~NGINX", is_web },
		{ "container=db", is_db },
		{ "image=postgres:16", is_db },
		{ "container=d*", is_db },
		{ "container=\"\"", is_no_container },
		{ "process=wget", is_wget },
		{ "exe=/usr/bin/wget", is_wget },
		{ "exe~bin/WGET", is_wget },
		{ "process=wget container=web", is_web_wget },
		{ "user=root", is_root },
		{ "user=0", is_root },
		{ "pid>=12000", is_high_pid },
		{ "cmdline~\"number 77\"", is_number_77 },
		{ "\"NUMBER 77\"", is_number_77 },
		{ "-process=sh", is_not_sh },
		{ "process!=sh", is_not_sh },
		{ "time>=2026-11-23T02:13:25Z time<=2026-11-23T02:13:25.1Z", is_from_5000_to_5100 },
		{ "since=2026-11-23T02:13:25Z until=2026-11-23T02:13:25.1Z", is_from_5000_to_5100 },
		{ "type=exec", is_any },
		{ "host=host-1", is_any },
		{ "host=host-*", is_any },
		{ "agent=agent-1", is_any },
		{ "host=host-2", is_none },
		{ "-host=host-1", is_none },
		{ "type=exit", is_none },
		{ "process=absent", is_none },
		{ "rule=absent", is_none },
		{ "container=absent", is_none },
	};
	struct fixture f;
	static struct answer a;
	struct err err;
	Picket__Container c = PICKET__CONTAINER__INIT;
	enum { N = 12000 };

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	c.id = (char *)(uintptr_t)id_b;
	c.name = msg_bytes(SLICE_LIT("db"));
	c.image = msg_bytes(SLICE_LIT("postgres:16"));
	for (uint64_t first = 1; first <= N; first += 1000)
		put_batch(f.s, "agent-1", first, 1000);
	/* told after the events were sealed, and still they are found by it */
	OK(store_container_put(f.s, "agent-1", &c, &err));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t at = 0;

		ask(f.s, cases[i].filter, 1700, i % 2, &a);
		for (uint64_t k = 1; k <= N; k++) {
			uint64_t n = i % 2 ? k : N + 1 - k;

			if (!cases[i].is_match(n))
				continue;
			if (at >= a.count || a.seqs[at] != n)
				fail_msg("%s: answer %zu of %zu is not %llu", cases[i].filter, at,
					 a.count, (unsigned long long)n);
			at++;
		}
		if (at != a.count)
			fail_msg("%s: %zu answers, %zu expected", cases[i].filter, a.count, at);
	}
	ask(f.s, "container=db", 100000, false, &a);
	assert_string_equal(a.name, "db");
	assert_string_equal(a.image, "postgres:16");
	fixture_fini(&f);
}

static void wrong_questions_are_refused(void **state)
{
	struct fixture f;
	static struct answer a;
	char cursor[64];
	struct err err;
	static const char *const cursors[] = { "x", "h", "h1.2", "h20261123", "h20261123.x", "a1.2",
					       "h99999999999999999999.1", "h20261123.1 " };

	(void)state;
	fixture_init(&f);
	struct store_query q = { .filter = SLICE_LIT("hots=a"), .limit = 1 };
	assert_int_equal(store_history_query(f.s, &q, take, &a, cursor, sizeof(cursor), &err),
			 -ERR_SYNTAX);
	assert_non_null(strstr(err.msg, "did you mean \"host\""));
	q.filter = SLICE_NONE;
	q.limit = 0;
	assert_int_equal(store_history_query(f.s, &q, take, &a, cursor, sizeof(cursor), &err),
			 -ERR_LIMIT);
	q.limit = 100001;
	assert_int_equal(store_history_query(f.s, &q, take, &a, cursor, sizeof(cursor), &err),
			 -ERR_LIMIT);
	q.limit = 10;
	for (size_t i = 0; i < ARRAY_LEN(cursors); i++) {
		q.cursor = cursors[i];
		if (store_history_query(f.s, &q, take, &a, cursor, sizeof(cursor), &err) != -ERR_SYNTAX)
			fail_msg("cursor '%s' was taken", cursors[i]);
	}
	fixture_fini(&f);
}

static void a_cursor_stays_right_when_records_are_sealed_between_pages(void **state)
{
	struct fixture f;
	static struct answer a;
	char cursor[64] = "", before[64];
	struct err err;
	uint64_t next = 6001;

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	put_batch(f.s, "agent-1", 1, 6000);
	a.count = 0;
	do {
		memcpy(before, cursor, sizeof(before));
		struct store_query q = { .limit = 700, .cursor = before };
		OK(store_history_query(f.s, &q, take, &a, cursor, sizeof(cursor), &err));
		put_batch(f.s, "agent-1", next, 2000); /* newer ones come and push a block together */
		next += 2000;
		clock_fake_advance(&f.clk, 10 * 60 * SECOND_NS);
		OK(store_history_tidy(f.s, &err));
	} while (cursor[0]);
	assert_int_equal(a.count, 6000);
	for (size_t i = 0; i < a.count; i++)
		assert_int_equal(a.seqs[i], 6000 - i);
	fixture_fini(&f);
}

static void a_replay_with_other_batch_cuts_stores_nothing_twice(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	put_batch(f.s, "agent-1", 1, 100);
	put_batch(f.s, "agent-1", 1, 100);
	put_batch(f.s, "agent-1", 51, 70);
	fixture_reopen(&f);
	put_batch(f.s, "agent-1", 7, 150);
	put_batch(f.s, "agent-1", 1, 3);
	verify_clean(f.s, 156);
	fixture_fini(&f);
}

/* The history is committed, the state is not: what a kill between the two leaves. */
static void lose_state_commit(struct fixture *f, uint64_t first, uint64_t count)
{
	char from[PATH_MAX], to[PATH_MAX], cmd[PATH_MAX * 5];

	store_close(f->s);
	snprintf(from, sizeof(from), "%s/state.db", f->dir);
	snprintf(to, sizeof(to), "%s/state.saved", f->dir);
	snprintf(cmd, sizeof(cmd), "cp %s %s", from, to);
	assert_int_equal(system(cmd), 0);
	fixture_open(f);
	put_batch(f->s, "agent-1", first, count);
	store_close(f->s);
	snprintf(cmd, sizeof(cmd), "mv %s %s && rm -f %s-wal %s-shm", to, from, from, from);
	assert_int_equal(system(cmd), 0);
	fixture_open(f);
}

static void a_kill_between_the_two_commits_stores_nothing_twice(void **state)
{
	struct fixture f;
	struct err err;
	uint64_t have;

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	put_batch(f.s, "agent-1", 1, 100);
	lose_state_commit(&f, 101, 60);
	OK(store_seq_get(f.s, "agent-1", 1, &have, &err));
	assert_int_equal(have, 100);
	put_batch(f.s, "agent-1", 101, 25); /* cut differently */
	verify_clean(f.s, 160);
	put_batch(f.s, "agent-1", 126, 100);
	verify_clean(f.s, 225);
	/* and when midnight lies between the kill and the replay */
	lose_state_commit(&f, 226, 60);
	clock_fake_advance(&f.clk, DAY_NS);
	put_batch(f.s, "agent-1", 226, 70);
	verify_clean(f.s, 295);
	/* and when the clock was put back meanwhile */
	lose_state_commit(&f, 296, 10);
	f.clk.fake_unix_ns -= 5 * DAY_NS;
	put_batch(f.s, "agent-1", 296, 5);
	f.clk.fake_unix_ns += 5 * DAY_NS;
	struct store_status st;
	OK(store_status(f.s, &st, &err));
	assert_int_equal(st.events, 305);
	fixture_fini(&f);
}

static void a_rolled_back_batch_leaves_no_trace(void **state)
{
	struct fixture f;
	struct err err;

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	put_batch(f.s, "agent-1", 1, 10);
	OK(store_begin(f.s, &err));
	put(f.s, "agent-1", 1, 11);
	OK(store_seq_set(f.s, "agent-1", 1, 11, 1, 0, &err));
	store_rollback(f.s);
	verify_clean(f.s, 10);
	put_batch(f.s, "agent-1", 11, 5);
	verify_clean(f.s, 15);
	Picket__Record rec = PICKET__RECORD__INIT;
	assert_int_equal(store_history_add(f.s, "agent-1", 1, 99, SLICE_NONE, &rec, &err), -EINVAL);
	fixture_fini(&f);
}

/* The child stores and acknowledges; the parent kills it at any moment. */
static void store_until_killed(const char *dir, int ack_fd, uint64_t first)
{
	struct clock clk = clock_fake(T0);
	struct store_config cfg = { .dir = dir, .reserve_bytes = 1 };
	struct store *s;
	struct err err;

	if (store_open(&cfg, &clk, &s, &err) < 0)
		_exit(1);
	for (;; first += 37) {
		uint64_t acked = first + 36;

		put_batch(s, "agent-1", first, 37);
		if (write(ack_fd, &acked, sizeof(acked)) != sizeof(acked))
			_exit(1);
	}
}

static uint64_t read_ack(int fd, uint64_t last)
{
	uint64_t acked;

	return read(fd, &acked, sizeof(acked)) == sizeof(acked) ? acked : last;
}

static uint64_t read_last_ack(int fd, uint64_t last)
{
	uint64_t acked;

	while (read(fd, &acked, sizeof(acked)) == sizeof(acked))
		last = acked;
	return last;
}

static void killed_twenty_times_nothing_acknowledged_is_lost_and_nothing_is_there_twice(void **state)
{
	struct fixture f;
	uint64_t acked = 0;

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	for (int round = 0; round < 20; round++) {
		int fds[2];

		store_close(f.s);
		f.s = NULL;
		assert_int_equal(pipe(fds), 0);
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (!pid) {
			close(fds[0]);
			store_until_killed(f.dir, fds[1], acked + 1);
		}
		close(fds[1]);
		/* Some are killed while they open; the others have stored something, however busy the machine is. */
		if (round % 4)
			acked = read_ack(fds[0], acked);
		usleep((useconds_t)((round * 7919) % 90000));
		kill(pid, SIGKILL);
		int status;
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status));
		acked = read_last_ack(fds[0], acked);
		close(fds[0]);
		fixture_open(&f);
		struct err err;
		uint64_t have;
		int faults;
		OK(store_seq_get(f.s, "agent-1", 1, &have, &err));
		assert_true(have >= acked);
		assert_true(verify(f.s, &faults) >= have);
		assert_int_equal(faults, 0);
	}
	assert_true(acked > 0);
	put_batch(f.s, "agent-1", acked + 1, 1000); /* whatever the last kill left half done */
	verify_clean(f.s, acked + 1000);
	fixture_fini(&f);
}

static void days_have_their_own_files_and_old_ones_go(void **state)
{
	struct fixture f;
	static struct answer a;
	struct err err;

	(void)state;
	fixture_init(&f);
	f.cfg.history_days = 2;
	fixture_reopen(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	for (uint64_t day = 0; day < 5; day++) {
		put_batch(f.s, "agent-1", day * 100 + 1, 100);
		clock_fake_advance(&f.clk, DAY_NS);
	}
	ask(f.s, "", 33, false, &a);
	assert_int_equal(a.count, 500);
	assert_int_equal(a.seqs[0], 500);
	assert_int_equal(a.seqs[499], 1);
	ask(f.s, "", 33, true, &a);
	assert_int_equal(a.count, 500);
	assert_int_equal(a.seqs[499], 500);
	OK(store_history_tidy(f.s, &err)); /* today is the sixth day */
	ask(f.s, "", 33, false, &a);
	assert_int_equal(a.count, 200);
	assert_int_equal(a.seqs[199], 301);
	char path[PATH_MAX];
	struct stat st;
	snprintf(path, sizeof(path), "%s/history/2026-11-23.db-wal", f.dir);
	assert_int_equal(stat(path, &st), -1);
	snprintf(path, sizeof(path), "%s/history/2026-11-27.db", f.dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	int faults;
	assert_int_equal(verify(f.s, &faults), 200);
	assert_int_equal(faults, 0);
	fixture_fini(&f);
}

static uint64_t racing_boot(const struct clock *c)
{
	struct clock *mine = (struct clock *)(uintptr_t)c;

	return mine->fake_boot_ns += 700 * 1000000ull; /* each look takes 0.7 s */
}

static void a_query_that_takes_too_long_answers_with_a_cursor(void **state)
{
	struct fixture f;
	static struct answer a;
	char cursor[64], before[64];
	struct err err;
	int pages = 0;

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	put_batch(f.s, "agent-1", 1, 9000);
	f.clk.boot_ns = racing_boot;
	a.count = 0;
	cursor[0] = 0;
	do {
		memcpy(before, cursor, sizeof(before));
		struct store_query q = { .limit = 100000, .cursor = before };
		OK(store_history_query(f.s, &q, take, &a, cursor, sizeof(cursor), &err));
		pages++;
	} while (cursor[0]);
	assert_true(pages > 5);
	assert_int_equal(a.count, 9000);
	fixture_fini(&f);
}

static uint64_t walking_boot(const struct clock *c)
{
	struct clock *mine = (struct clock *)(uintptr_t)c;

	return mine->fake_boot_ns += 10 * 1000000ull; /* 256 records take 10 ms */
}

static size_t rows_of_one_query(struct fixture *f)
{
	static struct answer a;
	char cursor[64];
	struct err err;
	struct store_query q = { .limit = 100000 };

	a.count = 0;
	OK(store_history_query(f->s, &q, take, &a, cursor, sizeof(cursor), &err));
	assert_string_not_equal(cursor, "");
	return a.count;
}

static void queries_in_a_row_leave_time_for_batches(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	put_batch(f.s, "agent-1", 1, 9000);
	f.clk.boot_ns = walking_boot;
	size_t first = rows_of_one_query(&f);
	assert_in_range(first, 256 * 10, 256 * 21); /* 200 ms */
	rows_of_one_query(&f);
	assert_in_range(rows_of_one_query(&f), 256, 256 * 4); /* 30 ms */
	clock_fake_advance(&f.clk, 2 * SECOND_NS);
	assert_in_range(rows_of_one_query(&f), 256 * 10, first);
	fixture_fini(&f);
}

static void damage(struct fixture *f, const char *sql)
{
	char cmd[PATH_MAX * 2];

	store_close(f->s);
	snprintf(cmd, sizeof(cmd), "sqlite3 %s/history/2026-11-23.db \"%s\"", f->dir, sql);
	if (system(cmd) != 0) {
		fixture_open(f);
		skip(); /* no sqlite3 program here */
	}
	fixture_open(f);
}

static void damage_is_named_and_shown_as_a_gap(void **state)
{
	static const struct {
		const char *sql, *what;
	} cases[] = {
		{ "UPDATE block SET at = at + 1 WHERE id = 1", "block 1: can't" },
		{ "UPDATE block SET sha256 = zeroblob(32) WHERE id = 1", "block 1: its SHA-256" },
		{ "UPDATE block_filter SET filter = zeroblob(length(filter))", "filter" },
		{ "UPDATE watermark SET seq = 1", "watermark" },
		{ "DELETE FROM tail", "acknowledged" },
	};
	struct fixture f;
	static struct answer a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int faults;

		fixture_init(&f);
		fixture_enrol(f.s, "agent-1", "host-1");
		put_batch(f.s, "agent-1", 1, 9000);
		damage(&f, cases[i].sql);
		verify(f.s, &faults);
		if (!faults)
			fail_msg("not seen: %s", cases[i].sql);
		if (!i) {
			ask(f.s, "", 1000, false, &a);
			assert_int_equal(a.count, 9000 - 8192 + 1);
			assert_int_equal(a.seqs[a.count - 1], 0);
		}
		fixture_fini(&f);
	}
}

/* The others can be asked, whatever the page and the direction. */
static void a_day_that_cannot_be_read_is_a_gap(void **state)
{
	static struct answer a;
	struct fixture f;
	char cmd[PATH_MAX];

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	for (uint64_t day = 0; day < 3; day++) {
		put_batch(f.s, "agent-1", day * 10 + 1, 10);
		clock_fake_advance(&f.clk, DAY_NS);
	}
	store_close(f.s);
	snprintf(cmd, sizeof(cmd), "cd %s/history && rm -f 2026-11-24.db-* && yes garbage | head -c 200000 > 2026-11-24.db", f.dir);
	assert_int_equal(system(cmd), 0);
	fixture_open(&f);
	for (uint64_t page = 1; page < 30; page += 4)
		for (int oldest_first = 0; oldest_first < 2; oldest_first++) {
			ask(f.s, "", page, oldest_first, &a);
			assert_int_equal(a.count, 21);
			assert_int_equal(a.seqs[10], 0);
		}
	fixture_fini(&f);
}

static void a_backup_is_a_store_of_its_own(void **state)
{
	struct fixture f;
	struct err err;
	char dir[PATH_MAX];

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	put_batch(f.s, "agent-1", 1, 9000);
	clock_fake_advance(&f.clk, DAY_NS);
	put_batch(f.s, "agent-1", 9001, 10);
	snprintf(dir, sizeof(dir), "%s/copy", f.dir);
	OK(store_backup(f.s, dir, &err));
	assert_int_equal(store_backup(f.s, dir, &err), -EEXIST);
	struct store_config cfg = { .dir = dir };
	CLEANUP(store_closep) struct store *copy = NULL;
	OK(store_open(&cfg, &f.clk, &copy, &err));
	verify_clean(copy, 9010);
	put_batch(copy, "agent-1", 9001, 20);
	verify_clean(copy, 9020);
	store_close(take_ptr(copy));
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_stored_is_found_again_across_sealing_and_reopening),
		cmocka_unit_test(queries_answer_what_brute_force_does),
		cmocka_unit_test(wrong_questions_are_refused),
		cmocka_unit_test(a_cursor_stays_right_when_records_are_sealed_between_pages),
		cmocka_unit_test(a_replay_with_other_batch_cuts_stores_nothing_twice),
		cmocka_unit_test(a_kill_between_the_two_commits_stores_nothing_twice),
		cmocka_unit_test(a_rolled_back_batch_leaves_no_trace),
		cmocka_unit_test(
			killed_twenty_times_nothing_acknowledged_is_lost_and_nothing_is_there_twice),
		cmocka_unit_test(days_have_their_own_files_and_old_ones_go),
		cmocka_unit_test(a_query_that_takes_too_long_answers_with_a_cursor),
		cmocka_unit_test(queries_in_a_row_leave_time_for_batches),
		cmocka_unit_test(damage_is_named_and_shown_as_a_gap),
		cmocka_unit_test(a_day_that_cannot_be_read_is_a_gap),
		cmocka_unit_test(a_backup_is_a_store_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
