/* live: rules in force, their state over kills and rollbacks, files that change. */
#include <signal.h>

#include "tests/collector/correlate/living.h"

static const uint64_t second = 1000000000, t0 = 1795464000ull * 1000000000;

#define BASE(name)                                                                                                     \
	"title: " name "\nname: " name "\nlogsource: {product: linux, category: process_creation}\n"                   \
	"detection: {s: {Image|endswith: /" name "}, condition: s}\n---\n"

static const char three_logins[] =
	BASE("login") "title: three\nname: three\nlevel: high\ncorrelation:\n  type: event_count\n  rules: [login]\n"
		      "  group-by: [host]\n  timespan: 60s\n  condition: {gte: 3}\n";

static void a_correlation_fires_inside_the_transaction_and_once(void **state)
{
	struct living v;

	living_begin(&v, three_logins, t0);
	MUST(store_begin(v.store, &must_err));
	for (uint64_t i = 1; i <= 5; i++)
		living_exec(&v, "web-1", i, t0 - 10 * second + i, "/bin/login", "root");
	living_exec(&v, "web-2", 1, t0 - second, "/bin/login", "root");
	assert_int_equal(v.count, 1);
	assert_string_equal(v.fired[0], "1795463990000000003 three 3 web-1");
	living_commit(&v);
	living_end(&v);
}

static void what_was_rolled_back_did_not_happen(void **state)
{
	struct live_stats st;
	struct living v;

	living_begin(&v, three_logins, t0);
	for (int again = 0; again < 3; again++) {
		MUST(store_begin(v.store, &must_err));
		for (uint64_t i = 1; i <= 3; i++)
			living_exec(&v, "web-1", i, t0 - second + i, "/bin/login", "root");
		assert_int_equal(v.count, 1);
		if (again < 2)
			living_rollback(&v);
	}
	living_commit(&v);
	live_stats(v.live, &st);
	assert_int_equal(st.rebuilt, 2);
	living_kill(&v);
	living_tick(&v, second);
	assert_int_equal(v.count, 1);
	living_end(&v);
}

/* ---- random runs, with and without kills ---- */

static const char every_kind[] =
	BASE("a") BASE("b") BASE("c")
	"title: many\nname: many\ncorrelation: {type: event_count, rules: [a, b], group-by: [host], timespan: 30s, condition: {gte: 4}}\n---\n"
	"title: users\nname: users\ncorrelation: {type: value_count, rules: [a], group-by: [host], timespan: 40s, condition: {field: User, gte: 3}}\n---\n"
	"title: chain\nname: chain\ncorrelation: {type: temporal_ordered, rules: [a, b, c], group-by: [host], timespan: 20s}\n---\n"
	"title: together\nname: together\ncorrelation: {type: temporal, rules: [many, users], group-by: [host], timespan: 60s, generate: true}\n---\n"
	"title: alone\nname: alone\ncorrelation: {type: temporal, group-by: [host], timespan: 15s, condition: 'b and not c'}\n---\n"
	"title: few\nname: few\ncorrelation: {type: event_count, rules: [c], group-by: [User], timespan: 25s, condition: {lt: 2}}\n---\n"
	"title: sigma\nname: sigma\nlogsource: {product: linux, category: process_creation}\n"
	"detection: {s: {Image|endswith: /c, User: u2}, condition: s}\n";

enum { STEPS = 120, BATCH = 6 };
struct step {
	uint64_t pass_ns;
	size_t count;
	struct {
		unsigned host, kind, user, late_s;
	} events[BATCH];
};

static void make_steps(struct step steps[STEPS], unsigned seed)
{
	srand48(seed);
	for (size_t i = 0; i < STEPS; i++) {
		steps[i].pass_ns = (uint64_t)(lrand48() % 4) * second;
		steps[i].count = (size_t)(lrand48() % (BATCH + 1));
		for (size_t k = 0; k < steps[i].count; k++) {
			steps[i].events[k].host = (unsigned)lrand48() % 3;
			steps[i].events[k].kind = (unsigned)lrand48() % 4;
			steps[i].events[k].user = (unsigned)lrand48() % 4;
			steps[i].events[k].late_s = lrand48() % 4 ? 0 : (unsigned)lrand48() % 25;
		}
	}
}

static void feed(struct living *v, const struct step *s, size_t upto, uint64_t seqs[3])
{
	static const char *const hosts[] = { "h0", "h1", "h2" }, *const users[] = { "u0", "u1", "u2", "u3" };
	static const char *const exes[] = { "/bin/a", "/bin/b", "/bin/c", "/bin/other" };

	for (size_t i = 0; i < upto; i++) {
		unsigned h = s->events[i].host;

		living_exec(v, hosts[h], ++seqs[h], clock_unix_ns(&v->clk) - s->events[i].late_s * second - i, exes[s->events[i].kind],
			    users[s->events[i].user]);
	}
}

/* with_kills: a batch may be begun and lost, to a kill or a rollback, and told again; a kill may come after it. */
static void run_steps(struct living *v, const struct step *steps, bool with_kills, unsigned seed)
{
	uint64_t seqs[3] = { 0 }, before[3];
	struct err err;

	srand48(seed);
	for (size_t i = 0; i < STEPS; i++) {
		living_tick(v, steps[i].pass_ns);
		long die = with_kills ? lrand48() % 12 : 99;
		MUST(store_begin(v->store, &must_err));
		if (die <= 2) {
			memcpy(before, seqs, sizeof(before));
			feed(v, &steps[i], (size_t)lrand48() % (steps[i].count + 1), seqs);
			memcpy(seqs, before, sizeof(before));
			if (die == 0) {
				living_rollback(v);
			} else {
				living_kill(v);
			}
			MUST(store_begin(v->store, &must_err));
		}
		feed(v, &steps[i], steps[i].count, seqs);
		living_commit(v);
		if (die == 3)
			living_kill(v);
		if (die == 4)
			assert_int_equal(live_snapshot(v->live, &err), 0);
		/* one in parts, while batches come, and maybe a kill */
		if (die == 5 || die == 6) {
			v->live->copy_bytes = die == 5 ? SIZE_MAX : 0; /* 0: made by a copy of the process, while batches come */
			assert_int_equal(live_snapshot_begin(v->live, &err), 0);
			v->live->pending.part_bytes = v->live->pending.bytes / 5 + 300;
		}
		if (with_kills && v->live->pending.is_open)
			assert_int_equal(live_snapshot_step(v->live, &err), 0);
	}
	for (int i = 0; i < 100; i++)
		living_tick(v, second);
}

static void kills_and_rollbacks_change_nothing(void **state)
{
	static struct step steps[STEPS];
	static struct living calm, killed;
	size_t fired = 0;

	for (unsigned seed = 1; seed <= 6; seed++) {
		make_steps(steps, seed);
		living_begin(&calm, every_kind, t0);
		run_steps(&calm, steps, false, seed);
		living_begin(&killed, every_kind, t0);
		run_steps(&killed, steps, true, seed * 7919);
		for (size_t i = 0; i < calm.committed && i < killed.committed; i++)
			if (strcmp(calm.fired[i], killed.fired[i]) != 0)
				fail_msg("seed %u, number %zu: '%s' but '%s' with kills", seed, i, calm.fired[i], killed.fired[i]);
		assert_int_equal(calm.committed, killed.committed);
		fired += calm.committed;
		living_end(&calm);
		living_end(&killed);
	}
	assert_true(fired > 100);
}

/* ---- files ---- */

/* A state larger than the loop may write is written by a copy of the process: as it was when asked for. */
static void a_copy_takes_the_state_as_it_was_and_one_that_dies_costs_nothing(void **state)
{
	struct living v;
	struct err err;

	living_begin(&v, three_logins, t0);
	v.live->copy_bytes = 0;
	for (unsigned round = 0; round < 2; round++) {
		MUST(store_begin(v.store, &must_err));
		living_exec(&v, "web-1", round + 1, t0 - 3 + round, "/bin/login", "root");
		living_commit(&v);
		MUST(live_snapshot_begin(v.live, &must_err));
		assert_true(v.live->pending.is_copied);
		if (round == 0) { /* killed, for want of memory say */
			kill(v.live->pending.copy.pid, SIGSTOP);
			kill(v.live->pending.copy.pid, SIGKILL);
			int r;
			while ((r = live_snapshot_step(v.live, &err)) == 0 && v.live->pending.is_open)
				nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
			if (r < 0) { /* unless it was faster */
				assert_true(v.live->is_copy_bad);
				v.live->is_copy_bad = false;
			}
			continue;
		}
		MUST(store_begin(v.store, &must_err)); /* comes while the copy works: is in the journal, not in the snapshot */
		living_exec(&v, "web-1", 10, t0 - 1, "/bin/ls", "root");
		living_commit(&v);
		while (v.live->pending.is_open) {
			MUST(live_snapshot_step(v.live, &must_err));
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		}
		assert_false(v.live->is_copy_bad);
	}
	assert_true(v.live->generation >= 2); /* that of the start, and this */
	living_kill(&v);
	MUST(store_begin(v.store, &must_err));
	living_exec(&v, "web-1", 11, t0, "/bin/login", "root");
	living_commit(&v);
	assert_int_equal(v.count, 1);
	living_end(&v);
}

static void files_that_change_are_read_and_state_stays(void **state)
{
	struct living v;
	char other[2000];

	living_begin(&v, three_logins, t0);
	MUST(store_begin(v.store, &must_err));
	living_exec(&v, "web-1", 1, t0 - 3, "/bin/login", "root");
	living_exec(&v, "web-1", 2, t0 - 2, "/bin/login", "root");
	living_commit(&v);
	/* another rule comes before it, and its own title changes */
	snprintf(other, sizeof(other), "%s%s", BASE("sudo"), three_logins);
	living_put_file(&v, v.rules, "rules.yaml", other);
	living_tick(&v, 6 * second);
	assert_int_equal(v.notice_count, 0);
	assert_int_equal(live_rules(v.live)->count, 3);
	living_kill(&v);
	MUST(store_begin(v.store, &must_err));
	living_exec(&v, "web-1", 3, t0 - 1, "/bin/login", "root");
	living_commit(&v);
	assert_int_equal(v.count, 1);
	living_end(&v);
}

static void a_broken_file_leaves_what_is_in_force_and_is_told(void **state)
{
	struct living v;
	struct live_stats st;

	living_begin(&v, three_logins, t0);
	living_put_file(&v, v.rules, "broken.yaml", "title: x\ndetection:\n  s: {Image: /bin/sh}\n  condition: s and\n");
	living_tick(&v, 6 * second);
	assert_non_null(strstr(live_error(v.live), "broken.yaml:4:"));
	assert_int_equal(live_rules(v.live)->count, 2);
	living_tick(&v, 60 * second);
	assert_non_null(strstr(live_error(v.live), "broken.yaml:4:"));
	/* at a start what is right is loaded */
	living_kill(&v);
	assert_int_equal(live_rules(v.live)->count, 2);
	assert_non_null(strstr(live_error(v.live), "broken.yaml:4:"));
	living_put_file(&v, v.rules, "broken.yaml", "title: x\nlogsource: {product: linux, category: process_creation}\n"
						      "detection:\n  s: {Image: /bin/sh}\n  condition: s\n");
	live_reload(v.live);
	living_read(&v);
	assert_int_equal(live_rules(v.live)->count, 3);
	live_stats(v.live, &st);
	assert_int_equal(st.error_count, 0);
	assert_string_equal(live_error(v.live), "");
	assert_int_equal(v.notice_count, 0);
	living_end(&v);
}

static void put_many(struct living *v, unsigned from, unsigned to)
{
	char name[32], text[300];

	for (unsigned i = from; i < to; i++) {
		snprintf(name, sizeof(name), "many-%04u.yml", i);
		snprintf(text, sizeof(text),
			 "title: many %u\nlogsource: {product: linux, category: process_creation}\n"
			 "detection:\n  s: {Image|endswith: ['/t%u', '/u%u']}\n  condition: s\n",
			 i, i, i);
		living_put_file(v, v->detections, name, text);
	}
}

static void old_rules_are_in_force_until_all_new_ones_are_read(void **state)
{
	enum { MANY = 400 };
	struct living v;

	living_begin(&v, three_logins, t0);
	put_many(&v, 0, MANY);
	live_reload(v.live);
	assert_int_equal(live_rules(v.live)->count, 2);
	/* what comes meanwhile is judged by them */
	MUST(store_begin(v.store, &must_err));
	for (unsigned i = 1; i <= 3; i++)
		living_exec(&v, "web-1", i, t0 - 4 + i, "/bin/login", "root");
	living_commit(&v);
	assert_int_equal(v.count, 1);
	assert_int_equal(live_rules(v.live)->count, 2);
	/* more files while those are read: read again, nothing of the first pass comes into force alone */
	put_many(&v, MANY, MANY + 1);
	live_reload(v.live);
	living_read(&v);
	assert_int_equal(live_rules(v.live)->count, 2 + MANY + 1);
	/* a collector that ends meanwhile waits for nothing that it needs */
	live_reload(v.live);
	living_end(&v);
}

static void rules_that_correlations_name_are_silent_unless_generated(void **state)
{
	static const char silent[] = BASE("login") "title: one\nname: one\ncorrelation: {type: event_count, rules: [login], timespan: 1m, condition: {gte: 1}}\n";
	static const char generated[] = BASE("login") "title: one\nname: one\ncorrelation: {type: event_count, rules: [login], timespan: 1m, condition: {gte: 1}, generate: true}\n";
	const struct {
		const char *rules;
		size_t fired;
	} rows[] = { { silent, 1 }, { generated, 2 }, { BASE("login"), 1 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct living v;

		living_begin(&v, rows[i].rules, t0);
		MUST(store_begin(v.store, &must_err));
		living_exec(&v, "web-1", 1, t0 - 1, "/bin/login", "root");
		living_commit(&v);
		assert_int_equal(v.count, rows[i].fired);
		living_end(&v);
	}
}

/* ---- what the collector makes itself ---- */

static void silence_of_an_agent_is_an_event(void **state)
{
	static const char rules[] =
		"title: gone\nname: gone\nlogsource: {product: picket, category: health}\ndetection: {s: {health.state: offline}, condition: s}\n---\n"
		"title: back\nname: back\nlogsource: {product: picket, category: health}\ndetection: {s: {health.state: online}, condition: s}\n";
	const struct store_agent agent = { .id = "a1", .host = "web-1", .serial = "01", .enrolled_unix_ns = 1, .cert_not_after_unix_ns = t0 * 2 };
	Picket__Heartbeat hb = PICKET__HEARTBEAT__INIT;
	struct living v;

	living_begin(&v, rules, t0);
	MUST(store_agent_enrol(v.store, &agent, &must_err));
	MUST(store_agent_heartbeat(v.store, "a1", &hb, &must_err));
	for (int i = 0; i < 100; i++)
		living_tick(&v, second);
	assert_int_equal(v.count, 1);
	assert_non_null(strstr(v.fired[0], "gone"));
	MUST(store_agent_heartbeat(v.store, "a1", &hb, &must_err));
	for (int i = 0; i < 10; i++)
		living_tick(&v, second);
	assert_int_equal(v.count, 2);
	assert_non_null(strstr(v.fired[1], "back"));
	living_end(&v);
}

static void a_container_is_known_by_its_id(void **state)
{
	static const char rules[] = "title: root shell\nname: shell\nlogsource: {product: linux, category: process_creation}\n"
				    "detection: {s: {container.privileged: 'true', container.image: 'nginx:*'}, condition: s}\n";
	static char id[] = "c0ffee", image_id[] = "sha256:77";
	Picket__Container c = PICKET__CONTAINER__INIT;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Process p = PICKET__PROCESS__INIT;
	Picket__Record rec = PICKET__RECORD__INIT;
	struct living v;

	living_begin(&v, rules, t0);
	c.id = id;
	p.exe = people_bytes("/bin/sh");
	ev.type = PICKET__EVENT_TYPE__EVENT_EXEC;
	ev.container = &c;
	ev.process = &p;
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	rec.time_unix_ns = t0 - 1;
	MUST(store_begin(v.store, &must_err));
	MUST(live_record(v.live, "a1", "web-1", 1, 1, &rec, &must_err));
	assert_int_equal(v.count, 0);
	c.privileged = true;
	c.image = people_bytes("nginx:1.27");
	c.image_id = image_id;
	MUST(store_container_put(v.store, "a1", &c, &must_err));
	const Picket__Record told = { .base = PROTOBUF_C_MESSAGE_INIT(&picket__record__descriptor), .time_unix_ns = t0 - 1,
				      .body_case = PICKET__RECORD__BODY_CONTAINER, .container = &c };
	MUST(live_record(v.live, "a1", "web-1", 1, 2, &told, &must_err));
	c.privileged = false;
	c.image = people_bytes("");
	MUST(live_record(v.live, "a1", "web-1", 1, 3, &rec, &must_err));
	assert_int_equal(v.count, 1);
	living_commit(&v);
	living_end(&v);
}

static bool was_noticed(const struct living *v, const char *what)
{
	for (size_t i = 0; i < v->notice_count; i++)
		if (!strncmp(v->notices[i], what, strlen(what)))
			return true;
	return false;
}

/* Everybody kept what happened meanwhile, and tells it now. */
static void after_a_time_without_a_collector_old_events_count(void **state)
{
	const struct store_agent agent = { .id = "a1", .host = "web-1", .serial = "01", .enrolled_unix_ns = 1, .cert_not_after_unix_ns = t0 * 2 };
	Picket__Heartbeat hb = PICKET__HEARTBEAT__INIT;
	struct live_stats st;
	struct living v;
	uint64_t now;

	living_begin(&v, three_logins, t0);
	MUST(store_agent_enrol(v.store, &agent, &must_err));
	MUST(store_agent_heartbeat(v.store, "a1", &hb, &must_err));
	clock_fake_advance(&v.clk, 3600 * second);
	living_kill(&v);
	living_tick(&v, second);
	MUST(store_begin(v.store, &must_err));
	for (uint64_t i = 1; i <= 3; i++)
		living_exec(&v, "web-1", i, t0 + 600 * second + i, "/bin/login", "root");
	living_commit(&v);
	assert_int_equal(v.count, 1);
	/* killed while it is so */
	living_kill(&v);
	now = clock_unix_ns(&v.clk);
	MUST(store_begin(v.store, &must_err));
	for (uint64_t i = 4; i <= 6; i++)
		living_exec(&v, "web-2", i, now - 1800 * second + i, "/bin/login", "root");
	living_commit(&v);
	assert_int_equal(v.count, 2);
	/* later it is as it was asked for */
	MUST(store_agent_heartbeat(v.store, "a1", &hb, &must_err));
	for (int i = 0; i < 3; i++)
		living_tick(&v, 1300 * second);
	MUST(store_begin(v.store, &must_err));
	living_exec(&v, "web-3", 7, clock_unix_ns(&v.clk) - 30 * second, "/bin/login", "root");
	living_commit(&v);
	live_stats(v.live, &st);
	assert_int_equal(st.late, 1);
	living_tick(&v, second);
	assert_true(was_noticed(&v, "rules_late: 1 events"));
	living_end(&v);
}

static void what_is_given_up_is_told_once_an_hour(void **state)
{
	static const char by_user[] = BASE("login") "title: many\nname: many\ncorrelation: {type: event_count, rules: [login], group-by: [User], timespan: 1h, condition: {gte: 3}}\n";
	struct live_stats st;
	struct living v;
	char user[32];

	living_begin(&v, by_user, t0);
	v.cfg.bytes_max = 128 << 10;
	living_kill(&v);
	MUST(store_begin(v.store, &must_err));
	for (uint64_t i = 1; i <= 3000; i++) {
		snprintf(user, sizeof(user), "user-%llu", (unsigned long long)i);
		living_exec(&v, "web-1", i, t0 - 1, "/bin/login", user);
	}
	living_commit(&v);
	live_stats(v.live, &st);
	assert_true(st.evicted > 1000 && st.bytes <= 128 << 10);
	living_tick(&v, second);
	assert_true(was_noticed(&v, "rules_evicted: "));
	size_t told = v.notice_count;
	MUST(store_begin(v.store, &must_err));
	for (uint64_t i = 3001; i <= 4000; i++) {
		snprintf(user, sizeof(user), "user-%llu", (unsigned long long)i);
		living_exec(&v, "web-1", i, t0, "/bin/login", user);
	}
	living_commit(&v);
	living_tick(&v, second);
	assert_int_equal(v.notice_count, told);
	living_tick(&v, 3600 * second);
	assert_int_equal(v.notice_count, told + 1);
	living_end(&v);
}

static void a_muted_rule_raises_nothing(void **state)
{
	struct living v;

	living_begin(&v, three_logins, t0);
	v.muted[0] = "three";
	v.cfg.muted = v.muted;
	v.cfg.muted_count = 1;
	living_kill(&v);
	MUST(store_begin(v.store, &must_err));
	for (uint64_t i = 1; i <= 3; i++)
		living_exec(&v, "web-1", i, t0 - 5 + i, "/bin/login", "root");
	living_commit(&v);
	assert_int_equal(v.count, 0);
	living_end(&v);
}

static void a_state_that_is_damaged_is_told_and_counting_goes_on(void **state)
{
	struct living v;

	living_begin(&v, three_logins, t0);
	MUST(store_begin(v.store, &must_err));
	living_exec(&v, "web-1", 1, t0 - 5, "/bin/login", "root");
	MUST(store_correlation_part_add(v.store, 99, 0, SLICE_LIT("rubbish"), &must_err));
	MUST(store_correlation_state_put(v.store, SLICE_LIT("\0\0\0"), 99, 1, 0, &must_err));
	living_commit(&v);
	living_kill(&v);
	assert_true(was_noticed(&v, "rules_state_lost: "));
	/* and where a part of it is missing */
	v.notice_count = 0;
	MUST(store_begin(v.store, &must_err));
	MUST(store_correlation_state_put(v.store, SLICE_LIT("\0\0\0"), v.live->generation, 7, 0, &must_err));
	living_commit(&v);
	living_kill(&v);
	assert_true(was_noticed(&v, "rules_state_lost: parts"));
	MUST(store_begin(v.store, &must_err));
	for (uint64_t i = 2; i <= 4; i++)
		living_exec(&v, "web-1", i, t0 - 5 + i, "/bin/login", "root");
	living_commit(&v);
	assert_int_equal(v.count, 1);
	living_end(&v);
}

/* A machine starts with a wrong date, and is put right. */
static void a_clock_that_was_ahead_stops_no_counting(void **state)
{
	struct live_stats st;
	struct living v;

	(void)state;
	living_begin(&v, three_logins, t0 + 3650 * 86400 * second);
	living_tick(&v, second);
	v.clk.fake_unix_ns = t0;
	for (uint64_t run = 0; run < 2; run++) {
		living_tick(&v, second);
		MUST(store_begin(v.store, &must_err));
		for (uint64_t i = 1; i <= 3; i++)
			living_exec(&v, run ? "web-2" : "web-1", i, clock_unix_ns(&v.clk) - second + i, "/bin/login", "root");
		living_commit(&v);
		assert_int_equal(v.count, run + 1);
		living_kill(&v);
	}
	assert_int_equal(v.notice_count, 1);
	assert_string_equal(v.notices[0], "rules_state_lost: the clock was put back");
	live_stats(v.live, &st);
	assert_int_equal(st.late, 0);
	living_end(&v);
}

/* A kill between: the state in the store is ahead of the clock. */
static void a_state_from_the_future_stops_no_counting(void **state)
{
	struct living v;

	(void)state;
	living_begin(&v, three_logins, t0 + 3650 * 86400 * second);
	MUST(store_begin(v.store, &must_err));
	living_exec(&v, "web-1", 1, t0 + 3650 * 86400 * second, "/bin/login", "root");
	living_commit(&v);
	v.clk.fake_unix_ns = t0;
	living_kill(&v);
	living_tick(&v, second);
	MUST(store_begin(v.store, &must_err));
	for (uint64_t i = 2; i <= 4; i++)
		living_exec(&v, "web-1", i, t0 + i, "/bin/login", "root");
	living_commit(&v);
	assert_int_equal(v.count, 1);
	living_end(&v);
}

static void a_host_is_known_by_its_address(void **state)
{
	static const char rules[] = "title: to a host\nname: to\nlogsource: {product: linux, category: network_connection}\n"
				    "detection: {s: {network.remote_host: web-9}, condition: s}\n";
	static char call[] = "connect", tcp[] = "tcp";
	Picket__Network n = PICKET__NETWORK__INIT;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Record rec = PICKET__RECORD__INIT;
	struct living v;

	living_begin(&v, rules, t0);
	n.protocol = tcp;
	n.local_address = msg_bytes(SLICE_LIT("\x0a\x00\x00\x09"));
	n.remote_address = msg_bytes(SLICE_LIT("\x0a\x00\x00\x01"));
	ev.type = PICKET__EVENT_TYPE__EVENT_NETWORK;
	ev.call = call;
	ev.network = &n;
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	rec.time_unix_ns = t0 - 5;
	MUST(store_begin(v.store, &must_err));
	MUST(live_record(v.live, "a9", "web-9", 1, 1, &rec, &must_err));
	assert_int_equal(v.count, 0);
	n.remote_address = n.local_address;
	n.local_address = msg_bytes(SLICE_LIT("\x0a\x00\x00\x01"));
	MUST(live_record(v.live, "a1", "web-1", 1, 1, &rec, &must_err));
	assert_int_equal(v.count, 1);
	living_commit(&v);
	living_end(&v);
}

static void connect_to(struct living *v, const char *host, uint64_t seq, struct slice local, struct slice remote)
{
	static char call[] = "connect", tcp[] = "tcp";
	Picket__Network n = PICKET__NETWORK__INIT;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Record rec = PICKET__RECORD__INIT;

	n.protocol = tcp;
	n.local_address = msg_bytes(local);
	n.remote_address = msg_bytes(remote);
	ev.type = PICKET__EVENT_TYPE__EVENT_NETWORK;
	ev.call = call;
	ev.network = &n;
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	rec.time_unix_ns = t0 - 5;
	MUST(live_record(v->live, host, host, 1, seq, &rec, &must_err));
}

static void no_host_takes_the_address_of_another(void **state)
{
	static const char rules[] = "title: to a host\nname: to\nlogsource: {product: linux, category: network_connection}\n"
				    "detection: {s: {network.remote_host: web-9}, condition: s}\n";
	const struct slice of_web9 = SLICE_LIT("\x0a\x00\x00\x09"), of_web1 = SLICE_LIT("\x0a\x00\x00\x01");
	struct living v;

	(void)state;
	living_begin(&v, rules, t0);
	live_address(v.live, "web-9", "10.0.0.9:40000");
	MUST(store_begin(v.store, &must_err));
	connect_to(&v, "evil", 1, of_web9, of_web1);
	connect_to(&v, "web-1", 1, of_web1, of_web9);
	assert_int_equal(v.count, 1);
	/* it was given to another host: that one spoke from it */
	live_address(v.live, "web-2", "10.0.0.9:40000");
	connect_to(&v, "web-1", 2, of_web1, of_web9);
	assert_int_equal(v.count, 1);
	living_commit(&v);
	living_end(&v);
}

static void a_revoked_agent_is_not_silent(void **state)
{
	static const char rules[] = "title: to silence\nname: to\nlogsource: {product: linux, category: network_connection}\n"
				    "detection: {s: {network.remote_silent: 'true'}, condition: s}\n";
	const struct slice of_web9 = SLICE_LIT("\x0a\x00\x00\x09"), of_web1 = SLICE_LIT("\x0a\x00\x00\x01");
	const struct store_agent agent = { .id = "a9", .host = "web-9", .serial = "01", .enrolled_unix_ns = 1, .cert_not_after_unix_ns = t0 * 2 };
	Picket__Heartbeat hb = PICKET__HEARTBEAT__INIT;
	struct living v;

	(void)state;
	living_begin(&v, rules, t0);
	MUST(store_agent_enrol(v.store, &agent, &must_err));
	MUST(store_agent_heartbeat(v.store, "a9", &hb, &must_err));
	live_address(v.live, "web-9", "10.0.0.9:40000");
	for (int i = 0; i < 100; i++)
		living_tick(&v, second);
	MUST(store_begin(v.store, &must_err));
	connect_to(&v, "web-1", 1, of_web1, of_web9);
	living_commit(&v);
	assert_int_equal(v.count, 1);
	MUST(store_agent_revoke(v.store, "a9", &must_err));
	for (int i = 0; i < 10; i++)
		living_tick(&v, second);
	MUST(store_begin(v.store, &must_err));
	connect_to(&v, "web-1", 2, of_web1, of_web9);
	living_commit(&v);
	assert_int_equal(v.count, 1);
	living_end(&v);
}

/* An agent's clock is years ahead: what people see of a rule is not. */
static void nothing_was_seen_tomorrow(void **state)
{
	static const char rules[] = "title: login\nname: login\nlogsource: {product: linux, category: process_creation}\n"
				    "detection: {s: {Image|endswith: /login}, condition: s}\n";
	uint64_t count, last;
	struct living v;

	(void)state;
	living_begin(&v, rules, t0);
	MUST(store_begin(v.store, &must_err));
	living_exec(&v, "web-1", 1, t0 + 3650 * 86400 * second, "/bin/login", "root");
	living_commit(&v);
	assert_int_equal(v.count, 1);
	MUST(store_rule_last(v.store, "login", &count, &last, &must_err));
	assert_int_equal(last, t0);
	living_end(&v);
}

/* ---- people's questions ---- */

static void it_lists_and_explains(void **state)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct slice group[] = { SLICE_LIT("host"), SLICE_LIT("web-1") };
	struct living v;
	struct err err;

	buf_init(&out, 1 << 20);
	living_begin(&v, three_logins, t0);
	MUST(store_begin(v.store, &must_err));
	for (uint64_t i = 1; i <= 2; i++)
		living_exec(&v, "web-1", i, t0 - 5 + i, "/bin/login", "root");
	living_commit(&v);
	MUST(live_list_json(v.live, true, &out, &must_err));
	assert_non_null(strstr(out.p, "\"name\":\"three\""));
	assert_non_null(strstr(out.p, "\"hits\":2,\"groups\":1"));
	assert_non_null(strstr(out.p, "\"fired\":0,\"last_fired\":null"));
	buf_reset(&out);
	MUST(live_explain(v.live, SLICE_LIT("three"), group, 2, 0, &out, &must_err));
	assert_non_null(strstr(out.p, "\"events\":2"));
	buf_reset(&out);
	MUST(live_explain(v.live, SLICE_LIT("three"), NULL, 0, 0, &out, &must_err));
	assert_non_null(strstr(out.p, "{\"group\":{\"host\":\"web-1\"},\"events\":2"));
	group[0] = SLICE_LIT("user");
	assert_int_equal(live_explain(v.live, SLICE_LIT("three"), group, 2, 0, &out, &err), -ERR_SYNTAX);
	assert_int_equal(live_explain(v.live, SLICE_LIT("four"), NULL, 0, 0, &out, &err), -ERR_NOT_FOUND);
	living_end(&v);
}

static void a_row_survives_its_bytes_and_none_is_believed(void **state)
{
	static struct live_row row, back;
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct err err;

	buf_init(&b, 4096);
	row = (struct live_row){ .is_event = true, .clock_ns = 5, .time_ns = 7, .ref = { SLICE_LIT("agent"), 3, 9 },
				 .rules = { 1, 4, 70000 }, .rule_count = 3, .value_count = 3 };
	row.values[0] = (struct live_value){ 4, { .kind = ENGINE_TEXT, .text = SLICE_LIT("web\0x") } };
	row.values[1] = (struct live_value){ 5, { .kind = ENGINE_INT, .i = INT64_MIN } };
	row.values[2] = (struct live_value){ 6, { .kind = ENGINE_REAL, .real = -2.5 } };
	live_row_put(&b, &row);
	MUST(live_row_get(buf_slice(&b), &back, &must_err));
	assert_int_equal(back.time_ns, 7);
	assert_int_equal(back.rules[2], 70000);
	assert_int_equal(back.values[1].value.i, INT64_MIN);
	assert_true(back.values[2].value.real == -2.5);
	assert_true(slice_eq(back.values[0].value.text, SLICE_LIT("web\0x")));
	for (size_t n = 0; n < b.n; n++)
		assert_int_equal(live_row_get(slice_sub(buf_slice(&b), 0, n), &back, &err), -ERR_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_correlation_fires_inside_the_transaction_and_once),
		cmocka_unit_test(what_was_rolled_back_did_not_happen),
		cmocka_unit_test(kills_and_rollbacks_change_nothing),
		cmocka_unit_test(a_copy_takes_the_state_as_it_was_and_one_that_dies_costs_nothing),
		cmocka_unit_test(files_that_change_are_read_and_state_stays),
		cmocka_unit_test(a_broken_file_leaves_what_is_in_force_and_is_told),
		cmocka_unit_test(old_rules_are_in_force_until_all_new_ones_are_read),
		cmocka_unit_test(rules_that_correlations_name_are_silent_unless_generated),
		cmocka_unit_test(silence_of_an_agent_is_an_event),
		cmocka_unit_test(a_container_is_known_by_its_id),
		cmocka_unit_test(after_a_time_without_a_collector_old_events_count),
		cmocka_unit_test(what_is_given_up_is_told_once_an_hour),
		cmocka_unit_test(a_muted_rule_raises_nothing),
		cmocka_unit_test(a_state_that_is_damaged_is_told_and_counting_goes_on),
		cmocka_unit_test(no_host_takes_the_address_of_another),
		cmocka_unit_test(a_revoked_agent_is_not_silent),
		cmocka_unit_test(nothing_was_seen_tomorrow),
		cmocka_unit_test(a_clock_that_was_ahead_stops_no_counting),
		cmocka_unit_test(a_state_from_the_future_stops_no_counting),
		cmocka_unit_test(a_host_is_known_by_its_address),
		cmocka_unit_test(it_lists_and_explains),
		cmocka_unit_test(a_row_survives_its_bytes_and_none_is_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
