/* test_state.c - agents, numbers, alerts, outbox, tokens: what the rows promise. */
#include <unistd.h>

#include "tests/collector/store/fixture.h"

#include "collector/store/db.h"

static struct store_agent get_agent(struct fixture *f, const char *id, struct arena *a)
{
	struct store_agent row;
	struct err err;

	OK(store_agent_get(f->s, id, &row, a, &err));
	return row;
}

static void say_hello(struct fixture *f, const char *id, const char *host, uint64_t epoch,
		      uint64_t next_seq)
{
	Picket__Hello h = PICKET__HELLO__INIT;
	struct err err;

	h.hostname = (char *)(uintptr_t)host;
	h.epoch = epoch;
	h.next_seq = next_seq;
	OK(store_agent_hello(f->s, id, &h, &err));
}

static void agents_are_found_by_id_and_by_host(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(65536);
	struct fixture f;
	struct store_agent row;
	struct err err;

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "id-1", "web");
	struct store_agent again = { .id = "id-1", .host = "x", .serial = "2" };
	assert_int_equal(store_agent_enrol(f.s, &again, &err), -EEXIST);
	clock_fake_advance(&f.clk, SECOND_NS);
	fixture_enrol(f.s, "id-2", "web"); /* the host was set up anew */
	assert_string_equal(get_agent(&f, "id-1", a).id, "id-1");
	assert_string_equal(get_agent(&f, "web", a).id, "id-2");
	assert_int_equal(store_agent_get(f.s, "none", &row, a, &err), -ERR_NOT_FOUND);
	say_hello(&f, "id-2", "db", 1, 1);
	assert_string_equal(get_agent(&f, "db", a).id, "id-2");
	Picket__Hello h = PICKET__HELLO__INIT;
	assert_int_equal(store_agent_hello(f.s, "none", &h, &err), -ERR_NOT_FOUND);
	Picket__Heartbeat hb = PICKET__HEARTBEAT__INIT;
	assert_int_equal(store_agent_heartbeat(f.s, "none", &hb, &err), -ERR_NOT_FOUND);
	fixture_fini(&f);
}

static void hello_as(struct fixture *f, const char *id, const char *host, const char *machine)
{
	Picket__Hello h = PICKET__HELLO__INIT;
	struct err err;

	h.hostname = (char *)(uintptr_t)host;
	h.machine_id = (char *)(uintptr_t)machine;
	h.epoch = 1;
	OK(store_agent_hello(f->s, id, &h, &err));
}

static void an_agent_does_not_get_the_name_of_another_machine(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(65536);
	char name[STORE_NAME_MAX];
	struct fixture f;
	struct err err;

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "11111111-id", "web");
	fixture_enrol(f.s, "22222222-id", "db");
	hello_as(&f, "11111111-id", "web", "m1");
	hello_as(&f, "22222222-id", "web", "m2");
	OK(store_agent_host(f.s, "22222222-id", name, &err));
	assert_string_equal(name, "web~22222222");
	/* so that this one is meant, and no other */
	OK(store_agent_revoke(f.s, "web", &err));
	assert_true(get_agent(&f, "11111111-id", a).is_revoked);
	assert_false(get_agent(&f, "22222222-id", a).is_revoked);
	/* now it is free; a host that enrols again keeps its own */
	hello_as(&f, "22222222-id", "web", "m2");
	fixture_enrol(f.s, "33333333-id", "web");
	hello_as(&f, "33333333-id", "web", "m2");
	assert_string_equal(get_agent(&f, "33333333-id", a).host, "web");
	/* what would play with a terminal is no name */
	hello_as(&f, "33333333-id", "web\033[2J", "m2");
	assert_string_equal(get_agent(&f, "33333333-id", a).host, "web");
	assert_int_equal(store_agent_host(f.s, "none", name, &err), -ERR_NOT_FOUND);
	fixture_fini(&f);
}

static void long_reasons_of_sensors_do_not_fail_the_heartbeat(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(1024 * 1024);
	Picket__Heartbeat hb = PICKET__HEARTBEAT__INIT;
	Picket__Sensor sensor = PICKET__SENSOR__INIT, *sensors[LIMIT_SENSORS];
	static char why[LIMIT_TEXT_BYTES + 1];
	struct fixture f;
	struct err err;

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "id-1", "web");
	memset(why, 1, LIMIT_TEXT_BYTES); /* six bytes each in JSON */
	memcpy(why + 199, "\303\251", 2); /* cut here, between characters */
	sensor.name = (char *)(uintptr_t)"exec";
	sensor.why_not = why;
	for (size_t i = 0; i < LIMIT_SENSORS; i++)
		sensors[i] = &sensor;
	hb.sensors = sensors;
	hb.n_sensors = LIMIT_SENSORS;
	OK(store_agent_heartbeat(f.s, "id-1", &hb, &err));
	assert_null(strchr(get_agent(&f, "id-1", a).sensors_json, '\303'));
	fixture_fini(&f);
}

static void only_the_right_certificate_of_a_known_agent_may_talk(void **state)
{
	struct fixture f;
	struct err err;

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "id-1", "web");
	assert_true(store_agent_may(f.s, "id-1", "01"));
	assert_false(store_agent_may(f.s, "id-1", "02"));
	assert_false(store_agent_may(f.s, "id-1", NULL));
	assert_false(store_agent_may(f.s, "id-2", "01"));
	OK(store_agent_revoke(f.s, "web", &err));
	assert_false(store_agent_may(f.s, "id-1", "01"));
	assert_int_equal(store_agent_revoke(f.s, "nobody", &err), -ERR_NOT_FOUND);
	fixture_fini(&f);
}

static void another_process_that_revokes_is_noticed_within_two_seconds(void **state)
{
	struct fixture f;
	struct err err;

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "id-1", "web");
	assert_true(store_agent_may(f.s, "id-1", "01"));
	CLEANUP(store_closep) struct store *other = NULL;
	OK(store_open(&f.cfg, &f.clk, &other, &err));
	OK(store_agent_revoke(other, "id-1", &err));
	clock_fake_advance(&f.clk, 2 * SECOND_NS);
	assert_false(store_agent_may(f.s, "id-1", "01"));
	/* a rollback here must not forget it */
	OK(store_begin(f.s, &err));
	store_rollback(f.s);
	assert_false(store_agent_may(f.s, "id-1", "01"));
	store_close(take_ptr(other));
	fixture_fini(&f);
}

static void produced_is_stored_plus_lost_once_all_is_delivered(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(LIMIT_ARENA_BYTES);
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct fixture f;
	struct err err;
	Picket__Gap gap = PICKET__GAP__INIT;
	Picket__Record rec = PICKET__RECORD__INIT;
	char ring[] = "ring_full", spool[] = "spool_full";

	(void)state;
	buf_init(&b, 0);
	fixture_init(&f);
	fixture_enrol(f.s, "id-1", "web");
	say_hello(&f, "id-1", "web", 7, 101); /* 100 given out */
	rec.time_unix_ns = T0;
	rec.body_case = PICKET__RECORD__BODY_GAP;
	rec.gap = &gap;
	gap.lost = 1000;
	gap.from_unix_ns = T0 - 1;
	gap.to_unix_ns = T0;
	gap.loss_class = PICKET__LOSS_CLASS__LOSS_PROCESS;
	for (int replay = 0; replay < 2; replay++) { /* a replay counts nothing twice */
		uint64_t have;

		OK(store_begin(f.s, &err));
		OK(store_seq_get(f.s, "id-1", 7, &have, &err));
		gap.reason = ring;
		buf_reset(&b);
		OK(msg_pack_record(&rec, &b, &err));
		OK(store_history_add(f.s, "id-1", 7, 59, buf_slice(&b), &rec, &err));
		gap.reason = spool;
		buf_reset(&b);
		OK(msg_pack_record(&rec, &b, &err));
		OK(store_history_add(f.s, "id-1", 7, 60, buf_slice(&b), &rec, &err));
		if (!replay)
			OK(store_seq_set(f.s, "id-1", 7, 60, 20, 40, &err));
		OK(store_commit(f.s, &err));
	}
	struct store_agent row = get_agent(&f, "id-1", a);
	assert_int_equal(row.produced, 1100);
	assert_int_equal(row.stored, 20);
	assert_int_equal(row.lost, 1040);
	/* whatever is said to be lost: what was passed over is */
	OK(store_seq_set(f.s, "id-1", 7, 100, 39, 0, &err));
	row = get_agent(&f, "id-1", a);
	assert_int_equal(row.produced, row.stored + row.lost);
	assert_int_equal(row.lost, 1041);
	/* a second epoch, and numbers that nobody could have given out */
	OK(store_seq_set(f.s, "id-1", 8, 5, 5, 0, &err));
	say_hello(&f, "id-1", "web", 8, UINT64_MAX);
	row = get_agent(&f, "id-1", a);
	assert_int_equal(row.stored, 64);
	assert_true(row.produced > row.stored && row.produced < 1ull << 50);
	fixture_fini(&f);
}

static void numbers_never_go_back(void **state)
{
	struct fixture f;
	struct err err;
	uint64_t have;

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "id-1", "web");
	OK(store_seq_set(f.s, "id-1", UINT64_MAX, 10, 10, 0, &err)); /* an epoch is any number */
	assert_int_equal(store_seq_set(f.s, "id-1", UINT64_MAX, 9, 0, 0, &err), -EINVAL);
	assert_int_equal(store_seq_set(f.s, "id-1", UINT64_MAX, 12, 3, 0, &err), -EINVAL);
	assert_int_equal(store_seq_set(f.s, "id-1", UINT64_MAX, UINT64_MAX, 3, 0, &err), -EINVAL);
	assert_int_equal(store_seq_set(f.s, "nobody", 1, 1, 1, 0, &err), -ERR_NOT_FOUND);
	OK(store_seq_get(f.s, "id-1", UINT64_MAX, &have, &err));
	assert_int_equal(have, 10);
	OK(store_seq_get(f.s, "id-1", 1, &have, &err));
	assert_int_equal(have, 0);
	for (uint64_t e = 0; e < 600; e++) { /* an agent that begins again and again */
		clock_fake_advance(&f.clk, SECOND_NS);
		OK(store_seq_set(f.s, "id-1", e, 1, 1, 0, &err));
	}
	OK(store_seq_get(f.s, "id-1", 599, &have, &err));
	assert_int_equal(have, 1);
	OK(store_seq_get(f.s, "id-1", 0, &have, &err));
	assert_int_equal(have, 0); /* the oldest epochs are forgotten */
	fixture_fini(&f);
}

/* What an earlier run gave out and had in memory only when it was killed is lost, once a later run's records come. */
static void numbers_of_an_earlier_run_that_never_came_are_lost(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(65536);
	struct fixture f;
	struct err err;
	struct store_agent row;

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "id-1", "web");
	for (unsigned run = 1; run <= 3; run++) { /* 50 given out, 40 delivered; the third run is the present one */
		say_hello(&f, "id-1", "web", run, 51);
		OK(store_seq_set(f.s, "id-1", run, 40, 40, 0, &err));
		row = get_agent(&f, "id-1", a);
		assert_int_equal(row.stored, run * 40);
		assert_int_equal(row.produced, run * 50);
		assert_int_equal(row.lost, (run - 1) * 10);
	}
	OK(store_seq_set(f.s, "id-1", 3, 50, 10, 0, &err));
	row = get_agent(&f, "id-1", a);
	assert_int_equal(row.produced, row.stored + row.lost);
	assert_int_equal(row.lost, 20);
	fixture_fini(&f);
}

static void a_state_says_how_an_agent_is(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(65536);
	Picket__Heartbeat hb = PICKET__HEARTBEAT__INIT;
	Picket__Sensor sensor = PICKET__SENSOR__INIT;
	Picket__Sensor *sensors[] = { &sensor };
	char name[] = "exec", why[] = "no \"attached\":false here";
	struct fixture f;
	struct err err;
	struct store_agent row;

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "id-1", "web");
	row = get_agent(&f, "id-1", a);
	assert_int_equal(store_agent_state(f.s, &row), AGENT_OFFLINE); /* never seen */
	hb.sensors = sensors;
	hb.n_sensors = 1;
	sensor.name = name;
	sensor.why_not = why;
	sensor.attached = true;
	OK(store_agent_heartbeat(f.s, "id-1", &hb, &err));
	row = get_agent(&f, "id-1", a);
	assert_int_equal(store_agent_state(f.s, &row), AGENT_ONLINE);
	sensor.attached = false;
	OK(store_agent_heartbeat(f.s, "id-1", &hb, &err));
	row = get_agent(&f, "id-1", a);
	assert_int_equal(store_agent_state(f.s, &row), AGENT_DEGRADED);
	sensor.attached = true;
	hb.lost_volume = 3;
	OK(store_agent_heartbeat(f.s, "id-1", &hb, &err));
	row = get_agent(&f, "id-1", a);
	assert_int_equal(store_agent_state(f.s, &row), AGENT_DEGRADED);
	clock_fake_advance(&f.clk, 301 * SECOND_NS);
	OK(store_agent_heartbeat(f.s, "id-1", &hb, &err)); /* no new loss for five minutes */
	row = get_agent(&f, "id-1", a);
	assert_int_equal(store_agent_state(f.s, &row), AGENT_ONLINE);
	clock_fake_advance(&f.clk, 31 * SECOND_NS);
	assert_int_equal(store_agent_state(f.s, &row), AGENT_OFFLINE);
	OK(store_agent_revoke(f.s, "id-1", &err));
	row = get_agent(&f, "id-1", a);
	assert_int_equal(store_agent_state(f.s, &row), AGENT_REVOKED);
	assert_string_equal(store_agent_state_name(AGENT_DEGRADED), "degraded");
	fixture_fini(&f);
}

static int64_t add_alert(struct fixture *f, const char *key, const char *host, enum msg_severity sev,
			 const char *document)
{
	struct store_alert al = { .first_seen_unix_ns = clock_unix_ns(&f->clk),
				  .last_seen_unix_ns = clock_unix_ns(&f->clk),
				  .count = 1,
				  .severity = sev,
				  .priority = "Error",
				  .source = "runtime",
				  .rule = "Shell in a container",
				  .title = "sh was started",
				  .host = host,
				  .container_id = "aaaaaaaaaaaa0123",
				  .document = document,
				  .evidence = "[]",
				  .fold_key = key };
	int64_t id;
	struct err err;

	OK(store_alert_insert(f->s, &al, &id, &err));
	return id;
}

static void an_alert_folds_until_it_is_resolved_or_too_old(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(65536);
	struct fixture f;
	struct store_alert al;
	struct err err;

	(void)state;
	fixture_init(&f);
	int64_t id = add_alert(&f, "k", "web", SEVERITY_HIGH, "{}");
	OK(store_alert_find_open(f.s, "k", T0, a, &al, &err));
	assert_int_equal(al.id, id);
	assert_string_equal(al.status, "new");
	assert_int_equal(store_alert_find_open(f.s, "k", T0 + 1, a, &al, &err), -ERR_NOT_FOUND);
	OK(store_alert_get(f.s, id, a, &al, &err));
	al.count = 5;
	al.severity = SEVERITY_CRITICAL;
	al.last_seen_unix_ns = T0 + 9;
	OK(store_alert_update(f.s, &al, &err));
	/* too old to fold: a second open one with the same key takes over */
	int64_t second = add_alert(&f, "k", "web", SEVERITY_HIGH, "{}");
	OK(store_alert_find_open(f.s, "k", 0, a, &al, &err));
	assert_int_equal(al.id, second);
	OK(store_alert_set_status(f.s, second, "resolved", "kim", "admin", &err));
	assert_int_equal(store_alert_find_open(f.s, "k", 0, a, &al, &err), -ERR_NOT_FOUND);
	OK(store_alert_get(f.s, second, a, &al, &err));
	assert_string_equal(al.assignee, "kim");
	OK(store_alert_set_status(f.s, second, "acknowledged", NULL, "admin", &err));
	OK(store_alert_get(f.s, second, a, &al, &err));
	assert_string_equal(al.assignee, "kim");
	assert_int_equal(store_alert_set_status(f.s, second, "gone", NULL, "admin", &err), -ERR_SYNTAX);
	assert_int_equal(store_alert_set_status(f.s, 99, "new", NULL, "admin", &err), -ERR_NOT_FOUND);
	al.id = 99;
	assert_int_equal(store_alert_update(f.s, &al, &err), -ERR_NOT_FOUND);
	assert_int_equal(store_alert_get(f.s, 99, a, &al, &err), -ERR_NOT_FOUND);
	fixture_fini(&f);
}

struct ids {
	int64_t id[512];
	size_t count;
};
static int take_alert(void *arg, const struct store_alert *al)
{
	struct ids *out = arg;

	assert_true(out->count < ARRAY_LEN(out->id));
	out->id[out->count++] = al->id;
	return 0;
}

static void ask_alerts(struct fixture *f, const char *filter, uint64_t page, bool oldest_first,
		       struct ids *out)
{
	char cursor[64] = "", before[64];
	struct err err;

	out->count = 0;
	do {
		memcpy(before, cursor, sizeof(before));
		struct store_query q = { .filter = slice_of(filter),
					 .limit = page,
					 .cursor = before,
					 .oldest_first = oldest_first };
		OK(store_alert_query(f->s, &q, take_alert, out, cursor, sizeof(cursor), &err));
	} while (cursor[0]);
}

static void alerts_are_filtered_and_paged(void **state)
{
	static const struct {
		const char *filter;
		size_t count;
	} cases[] = {
		{ "", 300 },
		{ "severity>=high", 120 },
		{ "severity=critical", 60 },
		{ "host=web-1", 100 },
		{ "host=web-* -host=web-1", 200 },
		{ "container=shop", 300 },
		{ "image~NGINX", 300 },
		{ "image=redis", 0 },
		{ "container.id=aaaaaaaaaaaa", 300 },
		{ "status=resolved", 1 },
		{ "-status:resolved", 299 },
		{ "rule~shell", 300 },
		{ "\"sh was\"", 300 },
		{ "-\"sh was\"", 0 },
		{ "id<=10", 10 },
		{ "assignee=kim", 1 },
		{ "assignee=\"\"", 299 },
		{ "since=10s", 10 },
		{ "priority=Error source=runtime", 300 },
		{ "count>1", 0 },
	};
	struct fixture f;
	static struct ids out;
	struct err err;

	(void)state;
	fixture_init(&f);
	for (int i = 0; i < 300; i++) {
		char key[16], host[16];

		snprintf(key, sizeof(key), "k%d", i);
		snprintf(host, sizeof(host), "web-%d", i % 3);
		add_alert(&f, key, host, (enum msg_severity)(i % 5),
			  "{\"container\":{\"name\":\"shop\",\"image\":\"nginx:1\"}}");
		if (i % 2) /* half of them in the same moment */
			clock_fake_advance(&f.clk, 2 * SECOND_NS);
	}
	OK(store_alert_set_status(f.s, 5, "resolved", "kim", "admin", &err));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ask_alerts(&f, cases[i].filter, 7, i % 2, &out);
		if (out.count != cases[i].count)
			fail_msg("%s: %zu", cases[i].filter, out.count);
		for (size_t k = 1; k < out.count; k++)
			assert_true(i % 2 ? out.id[k] > out.id[k - 1] : out.id[k] < out.id[k - 1]);
	}
	char cursor[64];
	struct store_query q = { .limit = 1, .cursor = "h20261123.1" };
	assert_int_equal(store_alert_query(f.s, &q, take_alert, &out, cursor, sizeof(cursor), &err),
			 -ERR_SYNTAX);
	fixture_fini(&f);
}

static int take_outbox(void *arg, const struct store_outbox *o)
{
	struct store_outbox *last = arg;

	last->id = o->id;
	last->attempts = o->attempts;
	last->is_dead = o->is_dead;
	last->due_unix_ns++; /* how many */
	return 0;
}

static void the_outbox_keeps_what_is_due_until_it_is_done_or_dead(void **state)
{
	struct fixture f;
	struct err err;
	struct store_outbox o = { .route = "hook",
				  .kind = "webhook",
				  .group = "g",
				  .key = "key-1",
				  .body = "{}",
				  .due_unix_ns = T0 };
	struct store_outbox last = { 0 };

	(void)state;
	fixture_init(&f);
	OK(store_outbox_add(f.s, &o, &err));
	OK(store_outbox_add(f.s, &o, &err)); /* the same message */
	o.route = "mail";
	OK(store_outbox_add(f.s, &o, &err)); /* another route */
	OK(store_outbox_due(f.s, T0 - 1, 10, take_outbox, &last, &err));
	assert_int_equal(last.due_unix_ns, 0);
	OK(store_outbox_due(f.s, T0, 10, take_outbox, &last, &err));
	assert_int_equal(last.due_unix_ns, 2);
	OK(store_outbox_done(f.s, last.id, &err));
	OK(store_outbox_retry(f.s, 1, T0 + 5, "refused", &err));
	last = (struct store_outbox){ 0 };
	OK(store_outbox_due(f.s, T0 + 4, 10, take_outbox, &last, &err));
	assert_int_equal(last.due_unix_ns, 0);
	OK(store_outbox_due(f.s, T0 + 5, 10, take_outbox, &last, &err));
	assert_int_equal(last.attempts, 1);
	OK(store_outbox_retry(f.s, 1, 0, "refused for good", &err));
	last = (struct store_outbox){ 0 };
	OK(store_outbox_due(f.s, UINT64_MAX / 4, 10, take_outbox, &last, &err));
	assert_int_equal(last.due_unix_ns, 0);
	OK(store_outbox_each(f.s, take_outbox, &last, &err));
	assert_int_equal(last.due_unix_ns, 1);
	assert_true(last.is_dead);
	struct store_status st;
	OK(store_status(f.s, &st, &err));
	assert_int_equal(st.outbox_dead, 1);
	assert_int_equal(st.outbox_waiting, 0);
	fixture_fini(&f);
}

static void a_receiver_that_is_away_for_long_fills_no_disk(void **state)
{
	struct fixture f;
	struct store_status st;
	struct err err;
	char key[32];

	(void)state;
	fixture_init(&f);
	OK(store_begin(f.s, &err));
	for (int i = 0; i < 31000; i++) {
		struct store_outbox o = { .route = "hook", .kind = "webhook", .group = "g", .key = key,
					  .body = "{}", .due_unix_ns = T0 };

		snprintf(key, sizeof(key), "key-%d", i);
		OK(store_outbox_add(f.s, &o, &err));
	}
	OK(store_commit(f.s, &err));
	clock_fake_advance(&f.clk, 61 * SECOND_NS);
	OK(store_history_tidy(f.s, &err));
	OK(store_status(f.s, &st, &err));
	assert_int_equal(st.outbox_waiting, 20000);
	assert_int_equal(st.outbox_dead, 10000);
	fixture_fini(&f);
}

static void a_token_says_why_it_is_refused(void **state)
{
	static const uint8_t one[32] = { 1 }, two[32] = { 2 }, other[32] = { 3 };
	struct fixture f;
	struct err err;
	char user[64], role[16];

	(void)state;
	fixture_init(&f);
	OK(store_enrol_token_add(f.s, one, T0 + DAY_NS, 2, "admin", &err));
	OK(store_enrol_token_use(f.s, one, &err));
	OK(store_begin(f.s, &err));
	OK(store_enrol_token_use(f.s, one, &err));
	store_rollback(f.s); /* the enrolment failed: its use is given back */
	OK(store_enrol_token_use(f.s, one, &err));
	assert_int_equal(store_enrol_token_use(f.s, one, &err), -ERR_DENIED);
	assert_non_null(strstr(err.msg, "used up"));
	assert_int_equal(store_enrol_token_use(f.s, other, &err), -ERR_DENIED);
	assert_non_null(strstr(err.msg, "unknown"));
	OK(store_enrol_token_add(f.s, two, T0 + 1, 2, "admin", &err));
	clock_fake_advance(&f.clk, 1);
	assert_int_equal(store_enrol_token_use(f.s, two, &err), -ERR_DENIED);
	assert_non_null(strstr(err.msg, "expired"));
	OK(store_api_token_add(f.s, one, "kim", "analyst", 0, &err));
	OK(store_api_token_check(f.s, one, user, role, &err));
	assert_string_equal(user, "kim");
	assert_string_equal(role, "analyst");
	assert_int_equal(store_api_token_check(f.s, two, user, role, &err), -ERR_DENIED);
	fixture_fini(&f);
}

static void counters_of_heartbeats_add_up_over_the_agents_starts(void **state)
{
	static const struct {
		uint64_t said, sum;
	} beats[] = { { 5, 5 }, { 5, 5 }, { 9, 9 }, { 2, 11 }, { 3, 12 }, { UINT64_MAX, (1ull << 48) + 9 },
		      { 0, (1ull << 48) + 9 } };
	CLEANUP(arena_freep) struct arena *a = arena_new(65536);
	Picket__Heartbeat hb = PICKET__HEARTBEAT__INIT;
	struct store_agent row;
	struct store_status st;
	struct fixture f;
	struct err err;

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "id-1", "host-1");
	for (size_t i = 0; i < ARRAY_LEN(beats); i++) {
		hb.folded = hb.actions = hb.lost_process = hb.lost_rare = hb.lost_volume = beats[i].said;
		OK(store_agent_heartbeat(f.s, "id-1", &hb, &err));
		OK(store_agent_get(f.s, "id-1", &row, a, &err));
		assert_int_equal(row.folded, beats[i].sum);
		assert_int_equal(row.actions, beats[i].sum);
		assert_int_equal(row.lost_process, beats[i].sum);
		assert_int_equal(row.lost_rare, beats[i].sum);
		assert_int_equal(row.lost_volume, beats[i].sum);
	}
	OK(store_status(f.s, &st, &err));
	assert_int_equal(st.folded, row.folded);
	assert_int_equal(st.lost_process, row.lost_process);
	fixture_fini(&f);
}

struct audit_rows {
	int64_t ids[100];
	size_t count;
};

static int take_audit(void *arg, const struct store_audit *row)
{
	struct audit_rows *rows = arg;

	assert_true(rows->count < ARRAY_LEN(rows->ids));
	rows->ids[rows->count++] = row->id;
	return 0;
}

static void the_audit_log_is_read_page_after_page(void **state)
{
	static const struct {
		const char *filter;
		bool is_oldest_first;
		size_t want;
	} cases[] = { { "", false, 30 },	     { "", true, 30 },	      { "who=alice", false, 10 },
		      { "-who=alice", true, 20 },    { "what=action.*", false, 10 }, { "subject~\"ALERT 7\"", false, 3 },
		      { "\"alert 7\" who=bob", false, 1 }, { "since=1h", false, 30 }, { "until=1h", false, 0 } };
	static const char *const who[] = { "alice", "bob", "agent host (rule x)" };
	struct fixture f;
	struct err err;

	(void)state;
	fixture_init(&f);
	for (unsigned i = 0; i < 30; i++) {
		char subject[32];

		snprintf(subject, sizeof(subject), "alert %u.", i / 3);
		OK(i % 3 == 2 ? store_audit_log_agent(f.s, who[2], "action.kill", subject, &err) :
				store_audit_log(f.s, who[i % 3], "alert.comment", subject, &err));
	}
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char cursor[64] = "", before[64];
		struct audit_rows rows = { .count = 0 };

		do {
			memcpy(before, cursor, sizeof(before));
			const struct store_query q = { .filter = slice_of(cases[i].filter),
						       .limit = 7,
						       .cursor = before,
						       .oldest_first = cases[i].is_oldest_first };
			OK(store_audit_query(f.s, &q, take_audit, &rows, cursor, sizeof(cursor), &err));
		} while (cursor[0]);
		if (rows.count != cases[i].want)
			fail_msg("%s: %zu rows, not %zu", cases[i].filter, rows.count, cases[i].want);
		for (size_t k = 1; k < rows.count; k++)
			assert_true(cases[i].is_oldest_first == (rows.ids[k] > rows.ids[k - 1]));
	}
	const struct store_query bad = { .limit = 1, .cursor = "a1.2" };
	struct audit_rows none = { .count = 0 };
	char cursor[64];
	assert_int_equal(store_audit_query(f.s, &bad, take_audit, &none, cursor, sizeof(cursor), &err), -ERR_SYNTAX);
	fixture_fini(&f);
}

static void however_much_agents_do_what_people_did_stays_in_the_audit_log(void **state)
{
	enum { AGENTS_KEPT = 100000, MORE = 300 };
	const struct store_query people = { .filter = SLICE_LIT("who=alice"), .limit = 10, .oldest_first = true };
	char cursor[64] = "";
	struct audit_rows rows = { .count = 0 };
	struct fixture f;
	struct err err;
	int64_t kept;
	struct db d;
	char path[128];

	(void)state;
	fixture_init(&f);
	OK(store_begin(f.s, &err));
	OK(store_audit_log(f.s, "alice", "alert.comment", "mine", &err));
	for (unsigned i = 0; i < AGENTS_KEPT + MORE; i++)
		OK(store_audit_log_agent(f.s, "agent", "action.kill", "x", &err));
	OK(store_commit(f.s, &err));
	OK(store_history_tidy(f.s, &err));
	OK(store_audit_query(f.s, &people, take_audit, &rows, cursor, sizeof(cursor), &err));
	assert_int_equal(rows.count, 1);
	snprintf(path, sizeof(path), "%s/state.db", f.dir);
	OK(db_open(path, 0, &d, &err));
	OK(db_number(&d, "SELECT count(*) FROM audit_log WHERE is_agent = 1", NULL, 0, &kept, &err));
	assert_int_equal(kept, AGENTS_KEPT);
	db_close(&d);
	fixture_fini(&f);
}

static void room_is_refused_below_the_reserve(void **state)
{
	struct fixture f;
	struct err err;

	(void)state;
	fixture_init(&f);
	OK(store_has_room(f.s, &err));
	f.cfg.reserve_bytes = UINT64_MAX;
	fixture_reopen(&f);
	assert_int_equal(store_has_room(f.s, &err), -ENOSPC);
	struct stat st;
	char path[128];
	snprintf(path, sizeof(path), "%s/state.db", f.dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	fixture_fini(&f);
}

static void a_second_transaction_is_refused_and_nested_verbs_join_the_first(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(65536);
	struct fixture f;
	struct err err;
	struct store_alert al;

	(void)state;
	fixture_init(&f);
	OK(store_begin(f.s, &err));
	assert_int_equal(store_begin(f.s, &err), -EBUSY);
	int64_t id = add_alert(&f, "k", "web", SEVERITY_LOW, "not json");
	store_rollback(f.s);
	assert_int_equal(store_alert_get(f.s, id, a, &al, &err), -ERR_NOT_FOUND);
	assert_int_equal(store_commit(f.s, &err), -EINVAL);
	store_rollback(f.s);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agents_are_found_by_id_and_by_host),
		cmocka_unit_test(an_agent_does_not_get_the_name_of_another_machine),
		cmocka_unit_test(long_reasons_of_sensors_do_not_fail_the_heartbeat),
		cmocka_unit_test(only_the_right_certificate_of_a_known_agent_may_talk),
		cmocka_unit_test(another_process_that_revokes_is_noticed_within_two_seconds),
		cmocka_unit_test(produced_is_stored_plus_lost_once_all_is_delivered),
		cmocka_unit_test(numbers_never_go_back),
		cmocka_unit_test(numbers_of_an_earlier_run_that_never_came_are_lost),
		cmocka_unit_test(a_state_says_how_an_agent_is),
		cmocka_unit_test(an_alert_folds_until_it_is_resolved_or_too_old),
		cmocka_unit_test(alerts_are_filtered_and_paged),
		cmocka_unit_test(the_outbox_keeps_what_is_due_until_it_is_done_or_dead),
		cmocka_unit_test(a_receiver_that_is_away_for_long_fills_no_disk),
		cmocka_unit_test(a_token_says_why_it_is_refused),
		cmocka_unit_test(counters_of_heartbeats_add_up_over_the_agents_starts),
		cmocka_unit_test(the_audit_log_is_read_page_after_page),
		cmocka_unit_test(however_much_agents_do_what_people_did_stays_in_the_audit_log),
		cmocka_unit_test(room_is_refused_below_the_reserve),
		cmocka_unit_test(a_second_transaction_is_refused_and_nested_verbs_join_the_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
