/* living.h - live over a store of its own, with a clock that a test turns: what is fed, what fired and was committed; a
 * kill is a store and a live that are gone without a word. */
#pragma once
#include <time.h>

#include "collector/correlate/live.h"
#include "collector/correlate/live_priv.h"
#include "tests/collector/people.h"

enum { LIVING_FIRED_MAX = 4096, LIVING_TEXT = 200 };

struct living {
	char dir[64], rules[128], detections[128];
	struct clock clk;
	struct store *store;
	struct live *live;
	struct live_config cfg;
	char fired[LIVING_FIRED_MAX][LIVING_TEXT];
	size_t committed, count; /* of fired: in the store; with those of the open transaction */
	char notices[8][300];
	size_t notice_count;
	const char *muted[4];
};

static inline void living_say(struct living *v, const char *text)
{
	assert_true(v->count < LIVING_FIRED_MAX);
	snprintf(v->fired[v->count++], LIVING_TEXT, "%s", text);
}

static inline int living_on_fired(void *arg, const struct live_firing *f, struct err *err)
{
	char text[LIVING_TEXT];
	size_t at = (size_t)snprintf(text, sizeof(text), "%lld %s %g", (long long)f->match->time_ns, f->rule->name, f->match->value);

	for (size_t i = 0; i < f->match->group_count; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, " %.*s", SLICE_FMT(f->match->group[i].text));
	living_say(arg, text);
	return 0;
}

static inline int living_on_matched(void *arg, const struct ruleset_rule *rule, const struct observed *o, struct err *err)
{
	char text[LIVING_TEXT];

	snprintf(text, sizeof(text), "%llu %s", (unsigned long long)o->record->time_unix_ns, rule->name);
	living_say(arg, text);
	return 0;
}

static inline void living_on_notice(void *arg, const char *what, const char *detail)
{
	struct living *v = arg;

	if (v->notice_count < ARRAY_LEN(v->notices))
		snprintf(v->notices[v->notice_count++], sizeof(v->notices[0]), "%s: %s", what, detail);
}

static inline void living_open(struct living *v)
{
	static const struct live_ops ops = { living_on_fired, living_on_matched, living_on_notice };
	const struct store_config cfg = { .dir = v->dir, .reserve_bytes = 1 };

	MUST(store_open(&cfg, &v->clk, &v->store, &must_err));
	MUST(live_new(v->store, &v->clk, &v->cfg, &ops, v, &v->live, &must_err));
}

static inline void living_put_file(struct living *v, const char *folder, const char *name, const char *text)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	MUST(file_make_dirs(folder, 0755, &must_err));
	MUST(file_write_atomic(path, slice_of(text), 0644, &must_err));
}

static inline void living_begin(struct living *v, const char *rules, uint64_t now_unix_ns)
{
	memset(v, 0, sizeof(*v));
	snprintf(v->dir, sizeof(v->dir), "/tmp/picket-test-XXXXXX");
	assert_non_null(mkdtemp(v->dir));
	snprintf(v->rules, sizeof(v->rules), "%s/correlations.d", v->dir);
	snprintf(v->detections, sizeof(v->detections), "%s/sigma.d", v->dir);
	v->clk = clock_fake(now_unix_ns);
	v->cfg = (struct live_config){ .correlations_dir = v->rules, .rules_dir = v->detections, .bytes_max = 16 << 20, .lateness_ms = 20000 };
	living_put_file(v, v->rules, "rules.yaml", rules);
	living_open(v);
}

/* Nobody gets to say good-bye. */
static inline void living_kill(struct living *v)
{
	live_free(v->live);
	store_close(v->store); /* SQLite forgets what was not committed */
	v->live = NULL;
	v->count = v->committed;
	living_open(v);
}

static inline void living_end(struct living *v)
{
	char command[128];

	live_free(v->live);
	store_close(v->store);
	snprintf(command, sizeof(command), "rm -rf '%s'", v->dir);
	assert_int_equal(system(command), 0);
}

static inline void living_commit(struct living *v)
{
	MUST(store_commit(v->store, &must_err));
	v->committed = v->count;
}

static inline void living_rollback(struct living *v)
{
	store_rollback(v->store);
	v->count = v->committed;
}

/* A program was started. */
static inline void living_exec(struct living *v, const char *host, uint64_t seq, uint64_t time_ns, const char *exe, const char *user)
{
	Picket__Process p = PICKET__PROCESS__INIT;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Record rec = PICKET__RECORD__INIT;

	p.exe = people_bytes(exe);
	p.name = people_bytes(exe);
	p.user = people_bytes(user);
	ev.type = PICKET__EVENT_TYPE__EVENT_EXEC;
	ev.process = &p;
	rec.time_unix_ns = time_ns;
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	MUST(live_record(v->live, host, host, 1, seq, &rec, &must_err));
}

/* Until what was read is in force. */
static inline void living_read(struct living *v)
{
	while (live_take(v->live))
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static inline void living_tick(struct living *v, uint64_t ns)
{
	clock_fake_advance(&v->clk, ns);
	live_tick(v->live);
	living_read(v);
	v->committed = v->count;
}
