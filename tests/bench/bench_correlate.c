/* bench_correlate [EVENTS] - what the correlation engine costs: events into 50 rules of all types, a group and an event in
 * memory, a snapshot and a restore. Events are structs whose fields are looked up by number, as the collector's are.
 *
 *	spread	each event matches one of ten detections, and so about ten of the 50 rules
 *	all	each event goes into all 50 */
#include <malloc.h>
#include <time.h>

#include "collector/correlate/engine.h"

enum { RULES = 50, BASE = 10, USERS = 2000, HOSTS = 50, GROUPS = 100000, WINDOW = 1000000 };

static uint64_t seed = 88172645463325252ull;
static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static double cpu_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void must(int r, const struct err *err)
{
	if (r >= 0)
		return;
	fprintf(stderr, "bench_correlate: %s\n", err->msg);
	exit(1);
}

/* ---- rules ---- */

static const char *const fields[] = { "user", "host", "exe", "bytes" };
enum { USER, HOST, EXE, BYTES };

static int resolve(void *arg, size_t document, struct slice name)
{
	(void)arg;
	(void)document;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (slice_is(name, fields[i]))
			return (int)i;
	return CORRELATION_FIELD_NONE;
}

static const char *const kinds[] = {
	"type: event_count, rules: [%s], group-by: [user], timespan: 5m, condition: {gte: 1000}",
	"type: event_count, rules: [%s], group-by: [user, host], timespan: 1m, condition: {gte: 100}",
	"type: value_count, rules: [%s], group-by: [user], timespan: 5m, condition: {field: exe, gte: 200}",
	"type: value_count, rules: [%s], group-by: [exe], timespan: 15m, condition: {field: host, gte: 60}",
	"type: temporal, rules: [%s, other], group-by: [user], timespan: 5m",
	"type: temporal_ordered, rules: [%s, other], group-by: [user, host], timespan: 10m",
	"type: value_sum, rules: [%s], group-by: [user], timespan: 5m, condition: {field: bytes, gt: 1000000000}",
	"type: value_avg, rules: [%s], group-by: [host], timespan: 1m, condition: {field: bytes, gt: 100000}",
	"type: value_percentile, rules: [%s], group-by: [user], timespan: 1m, condition: {field: bytes, percentile: 95, gt: 100000}",
	"type: temporal, condition: %s and not other, group-by: [user], timespan: 1h",
};

struct set {
	struct arena *arena;
	struct sigma_file file;
	struct correlation_document *documents;
};

static void load(struct set *s, const char *text)
{
	struct correlation_fields f = { resolve, NULL };
	struct err err = { 0 };

	s->arena = arena_new(64 << 20);
	must(sigma_parse("bench", slice_of(text), s->arena, &s->file, NULL, &err), &err);
	s->documents = calloc(s->file.count, sizeof(*s->documents));
	for (size_t i = 0; i < s->file.count; i++) {
		s->documents[i].rule = &s->file.rules[i];
		if (s->file.rules[i].correlation)
			must(correlation_parse(&s->file.rules[i], s->arena, &s->documents[i].correlation, NULL, &err), &err);
	}
	must(correlation_link(s->documents, s->file.count, &f, s->arena, NULL, NULL, &err), &err);
}

static void unload(struct set *s)
{
	free(s->documents);
	arena_free(s->arena);
}

/* bases: over how many detections the rules are spread; document n < bases is one. */
static char *make_rules(unsigned bases)
{
	struct buf b = { 0 };

	buf_init(&b, 1 << 20);
	for (unsigned i = 0; i < bases; i++)
		buf_printf(&b, "name: base%u\ndetection: {s: {a: %u}, condition: s}\n---\n", i, i);
	buf_add_str(&b, "name: other\ndetection: {s: {a: x}, condition: s}\n");
	for (unsigned i = 0; i < RULES; i++) {
		char base[64];

		snprintf(base, sizeof(base), "base%u", bases == 1 ? 0 : i / (RULES / bases) % bases);
		buf_printf(&b, "---\nname: rule%u\ncorrelation: {", i);
		for (const char *p = kinds[i % ARRAY_LEN(kinds)]; *p; p++) {
			if (p[0] == '%' && p[1] == 's') {
				buf_add_str(&b, base);
				p++;
			} else {
				buf_add_char(&b, *p);
			}
		}
		buf_add_str(&b, "}\n");
	}
	return b.p;
}

/* ---- events ---- */

struct row {
	struct slice texts[3];
	int64_t bytes;
};

static void get(const void *arg, unsigned field, struct engine_value *ret)
{
	const struct row *r = arg;

	if (field == BYTES)
		*ret = (struct engine_value){ .kind = ENGINE_INT, .i = r->bytes };
	else
		*ret = (struct engine_value){ .kind = ENGINE_TEXT, .text = r->texts[field] };
}

static unsigned fired;
static void on_fire(void *arg, const struct engine_match *m)
{
	(void)arg;
	fired += m->evidence_count <= CORRELATION_EVIDENCE_MAX;
}

static char users[USERS][24], hosts[HOSTS][24], exes[500][32];

static void make_names(void)
{
	for (int i = 0; i < USERS; i++)
		snprintf(users[i], sizeof(users[i]), "user-%05d", i);
	for (int i = 0; i < HOSTS; i++)
		snprintf(hosts[i], sizeof(hosts[i]), "node-%02d.example", i);
	for (int i = 0; i < 500; i++)
		snprintf(exes[i], sizeof(exes[i]), "/usr/local/bin/prog%03d", i);
}

static double run(unsigned bases, unsigned events, const char *name)
{
	struct engine_config config = { .lateness_ns = ENGINE_LATENESS_DEFAULT_NS, .close_ns = ENGINE_LATENESS_DEFAULT_NS };
	CLEANUP(engine_freep) struct engine *e = NULL;
	CLEANUP(freep) char *rules = make_rules(bases);
	struct set s;
	struct err err = { 0 };
	struct engine_stats st;

	load(&s, rules);
	must(engine_new(&config, s.documents, s.file.count, on_fire, NULL, &e, &err), &err);
	double before = 0;
	for (unsigned i = 0; i < 2 * events; i++) {
		if (i == events) /* groups are there */
			before = cpu_s();
		unsigned user = (unsigned)(rnd() % USERS);
		const char *host = hosts[(user + rnd() % 3) % HOSTS];
		struct row row = { { slice_of(users[user]), slice_of(host), slice_of(exes[rnd() % 500]) }, (int64_t)(rnd() % 60000) };
		uint32_t rule = i % 100 == 99 ? bases : (uint32_t)(rnd() % bases);
		struct engine_event ev = { .time_ns = 1700000000000000000 + i * 50000ll, .ref = { slice_of(host), 1, i + 1 },
					   .rules = &rule, .rule_count = 1, .get = get, .arg = &row };

		if (engine_event(e, &ev) != ENGINE_TAKEN)
			abort();
	}
	double took = cpu_s() - before;
	uint64_t hits = 0, evicted = 0;
	for (uint32_t i = 0; i < s.file.count; i++) {
		struct engine_rule_stats r;

		engine_rule_stats(e, i, &r);
		hits += r.hits / 2;
		evicted += r.evicted;
	}
	engine_stats(e, &st);
	printf("bench_correlate %s events=%u hits=%llu events_per_s=%.0f ns_per_hit=%.0f groups=%llu mb=%.1f fired=%u evicted=%llu\n", name, events,
	       (unsigned long long)hits, events / took, took * 1e9 / (double)hits, (unsigned long long)st.groups, (double)st.bytes / 1e6, fired,
	       (unsigned long long)evicted);
	engine_free(take_ptr(e));
	unload(&s);
	return took;
}

/* ---- memory, snapshot ---- */

static size_t allocated(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* groups groups of per events each, one rule; *ret_e: the engine, or freed. */
static size_t fill(struct set *s, const char *rule, unsigned groups, unsigned per, struct engine **ret_e)
{
	struct engine_config config = { .lateness_ns = ENGINE_LATENESS_DEFAULT_NS, .bytes_max = 1ull << 30 };
	struct err err = { 0 };
	size_t before;
	const uint32_t document = 0;

	load(s, rule);
	must(engine_new(&config, s->documents, s->file.count, on_fire, NULL, ret_e, &err), &err);
	before = allocated();
	for (unsigned i = 0; i < groups * per; i++) {
		char user[24], exe[32];

		snprintf(user, sizeof(user), "user-%07u", i % groups);
		snprintf(exe, sizeof(exe), "/bin/prog%u", i / groups % 50);
		struct row row = { { slice_of(user), SLICE_LIT("host"), slice_of(exe) }, i };
		struct engine_event ev = { .time_ns = 1700000000000000000 + i * 10000ll, .ref = { SLICE_LIT("agent"), 1, i + 1 },
					   .rules = &document, .rule_count = 1, .get = get, .arg = &row };

		if (engine_event(*ret_e, &ev) != ENGINE_TAKEN)
			abort();
	}
	return allocated() - before;
}

static void memory(void)
{
	static const struct {
		const char *name, *rule;
	} rows[] = {
		{ "event_count", "name: a\ndetection: {s: {a: 1}, condition: s}\n---\nname: c\ncorrelation: {type: event_count, rules: [a], group-by: [user], timespan: 1h, condition: {gte: 60000}}\n" },
		{ "value_count", "name: a\ndetection: {s: {a: 1}, condition: s}\n---\nname: c\ncorrelation: {type: value_count, rules: [a], group-by: [user], timespan: 1h, condition: {field: exe, gte: 60000}}\n" },
		{ "temporal", "name: a\ndetection: {s: {a: 1}, condition: s}\n---\nname: b\ndetection: {s: {a: 1}, condition: s}\n---\nname: c\ncorrelation: {type: temporal_ordered, rules: [a, b], group-by: [user], timespan: 1h}\n" },
		{ "value_percentile", "name: a\ndetection: {s: {a: 1}, condition: s}\n---\nname: c\ncorrelation: {type: value_percentile, rules: [a], group-by: [user], timespan: 1h, condition: {field: bytes, percentile: 95, gte: 60000000}}\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct engine *e = NULL;
		struct set s;
		size_t one = fill(&s, rows[i].rule, GROUPS, 1, &e);

		engine_free(e);
		unload(&s);
		size_t many = fill(&s, rows[i].rule, 1000, 1024, &e); /* a full ring: what an event costs without its group */
		engine_free(e);
		unload(&s);
		printf("bench_correlate memory %s bytes_per_group=%.0f bytes_per_event=%.1f\n", rows[i].name, (double)one / GROUPS,
		       (double)many / (1000 * 1024));
	}
}

static void snapshot(void)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct engine_config config = { .lateness_ns = ENGINE_LATENESS_DEFAULT_NS, .bytes_max = 1ull << 30 };
	struct engine_restored restored;
	struct engine *e = NULL, *again = NULL;
	struct err err = { 0 };
	struct set s;

	(void)fill(&s, "name: a\ndetection: {s: {a: 1}, condition: s}\n---\nname: c\ncorrelation: {type: value_count, rules: [a], group-by: [user], timespan: 1h, condition: {field: exe, gte: 60000}}\n",
		   10000, WINDOW / 10000, &e);
	buf_init(&b, 1 << 30);
	double t0 = cpu_s();
	must(engine_snapshot(e, &b, &err), &err);
	double t1 = cpu_s();
	must(engine_new(&config, s.documents, s.file.count, on_fire, NULL, &again, &err), &err);
	must(engine_restore(again, buf_slice(&b), &restored, &err), &err);
	printf("bench_correlate snapshot events=%d mb=%.1f write_s=%.2f restore_s=%.2f\n", WINDOW, (double)b.n / 1e6, t1 - t0, cpu_s() - t1);
	engine_free(e);
	engine_free(again);
	unload(&s);
}

int main(int argc, char **argv)
{
	unsigned events = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000;

	make_names();
	run(BASE, events, "spread");
	run(1, events / 4, "all");
	memory();
	snapshot();
	return 0;
}
