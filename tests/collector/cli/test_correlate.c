/* test_correlate.c - the whole collector as a process: rules over what an agent sends, killed at random points while it
 * sends; what people are told is what they would have been told without. */
#include "tests/collector/cli/running.h"

#include <time.h>

#include "common/text.h"

enum { USERS = 6, EVENTS = 90, PER_BATCH = 3, KILLS = 12 };

static const char rules[] =
	"title: fetch\nname: fetch\nlevel: low\nlogsource: {product: linux, category: process_creation}\n"
	"detection: {s: {Image|endswith: /fetch, User|startswith: [calm, kill]}, condition: s}\n---\n"
	"title: unpack\nname: unpack\nlevel: low\nlogsource: {product: linux, category: process_creation}\n"
	"detection: {s: {Image|endswith: /unpack}, condition: s}\n---\n"
	"title: Many fetches\nname: many\nlevel: high\ntags: [attack.t1105]\n"
	"correlation: {type: event_count, rules: [fetch], group-by: [User], timespan: 20s, condition: {gte: 4}}\n---\n"
	"title: Fetched and unpacked\nname: steps\nlevel: medium\n"
	"correlation: {type: temporal_ordered, rules: [fetch, unpack], group-by: [User], timespan: 5s}\n---\n"
	"title: Many ways\nname: ways\nlevel: medium\n"
	"correlation: {type: value_count, rules: [fetch, unpack], group-by: [User], timespan: 30s, condition: {field: process.cwd, gte: 5}}\n---\n"
	"title: Told at once\nname: once\nlevel: critical\nlogsource: {product: linux, category: process_creation}\n"
	"detection: {s: {Image|endswith: /once}, condition: s}\n";

static uint64_t next_seq = 1, t0;

static void launch(void)
{
	char config[128];

	snprintf(config, sizeof(config), "%s/c/collector.yaml", dir);
	collector = fork();
	if (!collector) {
		execl(COLLECTOR, COLLECTOR, "run", "--config", config, NULL);
		_exit(127);
	}
}

static void end(int signo)
{
	kill(collector, signo);
	assert_int_equal(waitpid(collector, NULL, 0), collector);
	collector = 0;
}

/* Rules of ours, and time enough for a slow machine. */
static void configure(void)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	char path[160];

	snprintf(path, sizeof(path), "%s/c/correlations.d", dir);
	assert_int_equal(file_make_dirs(path, 0755, &why), 0);
	snprintf(path, sizeof(path), "%s/c/correlations.d/ours.yaml", dir);
	assert_int_equal(file_write_atomic(path, slice_of(rules), 0644, &why), 0);
	end(SIGTERM);
	assert_int_equal(run("sed -i 's/^correlate:$/correlate:\\n  lateness: 1h\\n  shipped: false/' $d/c/collector.yaml", &out), 0);
	launch();
	until("$ctl status", "\"correlations\":3");
}

static void pack_events(struct agent *a, const char *who, const unsigned *plan, size_t from, size_t count, struct buf *batch)
{
	static const char *const exes[] = { "/usr/bin/fetch", "/usr/bin/fetch", "/usr/bin/unpack", "/usr/bin/other" };
	CLEANUP(buf_finip) struct buf packed = { 0 };
	struct slice all[PER_BATCH];
	size_t ends[PER_BATCH + 1] = { 0 };

	buf_init(&packed, 0);
	for (size_t i = 0; i < count; i++) {
		Picket__Record rec = PICKET__RECORD__INIT;
		Picket__Event ev = PICKET__EVENT__INIT;
		Picket__Process p = PICKET__PROCESS__INIT;
		char user[32], cwd[32];
		unsigned n = plan[from + i];

		snprintf(user, sizeof(user), "%s-%u", who, n % USERS);
		snprintf(cwd, sizeof(cwd), "/w/%u", n / 4 % 7);
		p.exe = msg_bytes(slice_of(exes[n / USERS % 4]));
		p.name = p.exe;
		p.user = msg_bytes(slice_of(user));
		p.cwd = msg_bytes(slice_of(cwd));
		ev.type = PICKET__EVENT_TYPE__EVENT_EXEC;
		ev.process = &p;
		rec.time_unix_ns = t0 + (from + i) * 500000000;
		rec.body_case = PICKET__RECORD__BODY_EVENT;
		rec.event = &ev;
		assert_int_equal(msg_pack_record(&rec, &packed, &why), 0);
		ends[i + 1] = packed.n;
	}
	for (size_t i = 0; i < count; i++)
		all[i] = slice_from(packed.p + ends[i], ends[i + 1] - ends[i]);
	buf_init(batch, LIMIT_MESSAGE_BYTES);
	assert_int_equal(msg_pack_batch(a->id, 7, next_seq, 0, all, count, batch, &why), 0);
}

static bool is_stored(const struct agent *a, uint64_t seq)
{
	return a->c.replies && a->c.last->body_case == PICKET__REPLY__BODY_ACK && a->c.last->ack->stored_seq >= seq;
}

static void deliver(struct agent *a, const struct buf *batch, uint64_t seq)
{
	caller_send(&a->c, buf_slice(batch));
	UNTIL(a->loop, is_stored(a, seq));
}

/* Killed while it has the batch, or just before, or just after it has answered. */
static void deliver_and_kill(struct agent *a, const struct buf *batch, uint64_t seq)
{
	unsigned ups = a->c.ups;
	long when = lrand48() % 25;

	caller_send(&a->c, buf_slice(batch));
	for (long i = 0; i < when && !is_stored(a, seq); i++)
		loop_step(a->loop, 1);
	end(SIGKILL);
	launch();
	UNTIL(a->loop, a->c.ups > ups);
	deliver(a, batch, seq);
}

static void play(struct agent *a, const char *who, const unsigned *plan, unsigned kills)
{
	for (size_t i = 0; i < EVENTS; i += PER_BATCH) {
		CLEANUP(buf_finip) struct buf batch = { 0 };
		size_t left = (EVENTS - i) / PER_BATCH;

		pack_events(a, who, plan, i, PER_BATCH, &batch);
		uint64_t seq = next_seq + PER_BATCH - 1;
		if ((size_t)lrand48() % left < kills) {
			kills--;
			deliver_and_kill(a, &batch, seq);
		} else {
			deliver(a, &batch, seq);
		}
		next_seq = seq + 1;
	}
}

/* "count severity title group" of each alert of ours, with the name of the run taken out. */
static void told(const char *who, struct buf *out)
{
	char line[500];

	snprintf(line, sizeof(line),
		 "$ctl alert list source=correlation --limit 1000 -o ndjson | grep '%s-' |"
		 " sed -E 's/^.*\"first_seen\":\"[^.]*(\\.[0-9]*)Z\",\"last_seen\":\"([^\"]*)\",\"count\":([0-9]+),\"severity\":\"([a-z]+)\""
		 ".*\"title\":\"([^\"]*)\".*$/\\2 \\3 \\4 \\5/; s/%s-/user-/g' | sort",
		 who, who);
	buf_init(out, 0);
	assert_int_equal(run(line, out), 0);
}

static void a_kill_at_any_point_changes_no_alert(struct agent *a)
{
	CLEANUP(buf_finip) struct buf calm = { 0 }, killed = { 0 }, out = { 0 };
	unsigned plan[EVENTS];
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	srand48(ts.tv_nsec);
	for (size_t i = 0; i < EVENTS; i++)
		plan[i] = (unsigned)lrand48() & 0xffff;
	t0 = clock_unix_ns(clock_real()) - 120 * 1000000000ull;
	play(a, "calm", plan, 0);
	play(a, "kill", plan, KILLS);
	until("$ctl status", "\"correlations\":3");
	told("calm", &calm);
	told("kill", &killed);
	if (!calm.n || !slice_eq(buf_slice(&calm), buf_slice(&killed)))
		fail_msg("seed %ld: without kills\n%s\nwith\n%s", ts.tv_nsec, calm.n ? calm.p : "", killed.n ? killed.p : "");
	assert_true(calm.n > 100);
	buf_init(&out, 0);
}

/* A Sigma detection that speaks for itself. */
static void a_rule_is_told_at_once(struct agent *a)
{
	CLEANUP(buf_finip) struct buf packed = { 0 }, batch = { 0 };
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Process p = PICKET__PROCESS__INIT;
	Picket__Container c = PICKET__CONTAINER__INIT;
	static char id[] = "c0ffee0123456789";

	p.exe = msg_bytes(SLICE_LIT("/usr/bin/once"));
	p.name = msg_bytes(SLICE_LIT("once"));
	c.id = id;
	c.name = msg_bytes(SLICE_LIT("web-1"));
	ev.type = PICKET__EVENT_TYPE__EVENT_EXEC;
	ev.process = &p;
	ev.container = &c;
	rec.time_unix_ns = clock_unix_ns(clock_real());
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	assert_int_equal(msg_pack_record(&rec, &packed, &why), 0);
	const struct slice all[] = { buf_slice(&packed) };
	buf_init(&batch, LIMIT_MESSAGE_BYTES);
	assert_int_equal(msg_pack_batch(a->id, 7, next_seq, 0, all, 1, &batch, &why), 0);
	deliver(a, &batch, next_seq++);
	until("$ctl alert list source=correlation container=web-1 -o json", "Told at once: `once` ran in container web-1 on host-1");
	until("$ctl alert list source=correlation container=web-1 -o csv", "critical");
	until("$ctl rule list -o json", "\"fired\":1");
}

/* Past a bound its matches are counted and told of, and batches go on. */
static void a_rule_that_matches_everything_holds_up_nobody(struct agent *a)
{
	enum { MANY = 500, BATCHES = 12 };
	CLEANUP(buf_finip) struct buf packed = { 0 };
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Process p = PICKET__PROCESS__INIT;
	static struct slice all[MANY];

	p.exe = msg_bytes(SLICE_LIT("/usr/bin/once"));
	p.name = msg_bytes(SLICE_LIT("once"));
	ev.type = PICKET__EVENT_TYPE__EVENT_EXEC;
	ev.process = &p;
	rec.time_unix_ns = clock_unix_ns(clock_real());
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	assert_int_equal(msg_pack_record(&rec, &packed, &why), 0);
	for (size_t i = 0; i < MANY; i++)
		all[i] = buf_slice(&packed);
	for (unsigned i = 0; i < BATCHES; i++) {
		CLEANUP(buf_finip) struct buf batch = { 0 };

		buf_init(&batch, LIMIT_MESSAGE_BYTES);
		assert_int_equal(msg_pack_batch(a->id, 7, next_seq, 0, all, MANY, &batch, &why), 0);
		deliver(a, &batch, next_seq + MANY - 1);
		next_seq += MANY;
	}
	until("$ctl alert list source=system -o csv", "Rule flood");
	until("$ctl status | sed -E 's/.*\"withheld\":([0-9]*).*/\\1/; s/^[1-9][0-9]+$/some/'", "some");
}

static void people_ask(struct agent *a)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	char path[160], line[400];

	(void)a;
	buf_init(&out, 0);
	until("$ctl correlation list -o csv", "\"many\",\"high\",\"event_count\"");
	until("$ctl rule list -o csv", "\"once\"");
	assert_int_equal(run("$ctl alert show $($ctl alert list source=correlation 'rule=Many fetches' -o ndjson | sed -E 's/^.\"id\":\"([0-9]*).*/\\1/' | head -1) -o table", &out), 0);
	if (getenv("SHOW_ALERT"))
		print_message("%s", out.p);
	assert_non_null(strstr(out.p, "Many fetches: User="));
	assert_non_null(strstr(out.p, "event_count of fetch: 4 (gte 4) for User="));
	until("$ctl correlation explain many -o table", "EVENTS");
	until("$ctl correlation explain many --group User=calm-1 -o table", "why");
	assert_int_equal(run("$ctl correlation explain many --group nothing=1", &out), 3 - 1);
	assert_non_null(strstr(out.p, "no field of its group-by"));
	assert_int_equal(run("$ctl correlation explain none", &out), 5);
	snprintf(path, sizeof(path), "%s/more.yaml", dir);
	assert_int_equal(file_write_atomic(path, slice_of(rules), 0644, &why), 0);
	snprintf(line, sizeof(line), "$ctl correlation backtest --since 1h %s -o json", path);
	assert_int_equal(run(line, &out), 0);
	if (!strstr(out.p, "\"state\": \"done\"") && !strstr(out.p, "\"state\":\"done\""))
		fail_msg("%s", out.p);
	assert_non_null(strstr(out.p, "\"calm-1\""));
	until("curl -s --cacert $PICKET_CA -H \"Authorization: Bearer $(cat $PICKET_TOKEN_FILE)\" $PICKET_SERVER/metrics",
	      "picket_correlation_hits_total");
}

static void a_broken_file_is_told_and_changes_nothing(void)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	char path[160];

	buf_init(&out, 0);
	snprintf(path, sizeof(path), "%s/c/correlations.d/broken.yaml", dir);
	assert_int_equal(file_write_atomic(path, SLICE_LIT("title: b\ncorrelation: {type: event_count, rules: [fetch], timespan: 1x}\n"), 0644, &why), 0);
	kill(collector, SIGHUP);
	until("$ctl alert list source=system -o csv", "Rules are broken");
	until("$ctl alert list source=system -o json", "broken.yaml:2:");
	until("$ctl status", "\"correlations\":3");
	assert_int_equal(unlink(path), 0);
	kill(collector, SIGHUP);
	until("$ctl status", "\"errors\":0");
	until("$ctl alert list source=system status=resolved -o csv", "Rules are broken");
	until("$ctl alert list source=system status=resolved -o json", "it is well again");
}

static void a_collector_with_rules(void **state)
{
	struct agent a = { 0 };

	start();
	configure();
	join_fleet(&a);
	a_kill_at_any_point_changes_no_alert(&a);
	a_rule_is_told_at_once(&a);
	a_rule_that_matches_everything_holds_up_nobody(&a);
	people_ask(&a);
	a_broken_file_is_told_and_changes_nothing();
	leave_fleet(&a);
	end(SIGTERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_collector_with_rules) };

	return cmocka_run_group_tests(tests, running_prepare, running_end);
}
