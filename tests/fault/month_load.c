/* month_load.c - days of a fleet in virtual time, into a data folder: what comes, what is asked meanwhile, what goes.
 *
 *	month_load DATA_DIR EVENTS DAYS KEPT_DAYS MAX_BYTES [BEGIN_UNIX_S]
 *
 * As the collector does it: batches, retention once a (virtual) second or batch, a slice of a query between them. Prints
 * the longest waits for the disk and all else as JSON, and how much there was at most. MAX_BYTES 0: no bound. */
#include <inttypes.h>
#include <time.h>

#include "collector/store/store_history.h"
#include "tests/fleet/fleet_mix.h"

enum { BATCH = 500, HOSTS = 20, SLICE_ROWS = 200 };
static const uint64_t day_ns = 24 * 3600ull * 1000000000;

struct month {
	struct store *s;
	struct clock clk;
	struct mix mix;
	char agents[HOSTS][37], hosts[HOSTS][16];
	uint64_t next[HOSTS], max_bytes;
	struct buf packed;
	struct arena *arena;
	/* a query that goes on from batch to batch */
	char cursor[64];
	unsigned question;
	uint64_t rows, questions;
	/* what is told */
	double pause_ms, commit_ms, look_ms, slice_ms, drop_ms, drop_sum_ms;
	uint64_t bytes, most_bytes, drops, was_days;
};

static void must(int r, const struct err *err)
{
	if (r >= 0)
		return;
	fprintf(stderr, "month_load: %s\n", err->msg);
	exit(1);
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec * 1e-6;
}

static double since_ms(double t, double *most)
{
	double took = now_ms() - t;

	if (took > *most)
		*most = took;
	return took;
}

static void add_batch(struct month *m, unsigned host)
{
	struct err err;
	double t = now_ms();

	must(store_begin(m->s, &err), &err);
	for (unsigned i = 0; i < BATCH; i++) {
		Picket__Record *rec;
		uint64_t seq = ++m->next[host];

		buf_reset(&m->packed);
		mix_record(&m->mix, host, 1, seq, &m->packed);
		arena_reset(m->arena);
		must(msg_read_record(buf_slice(&m->packed), m->arena, &rec, &err), &err);
		must(store_history_add(m->s, m->agents[host], 1, seq, buf_slice(&m->packed), rec, &err), &err);
	}
	must(store_seq_set(m->s, m->agents[host], 1, m->next[host], BATCH, 0, &err), &err);
	must(store_commit(m->s, &err), &err);
	since_ms(t, &m->commit_ms);
}

/* Days that have anything: fewer than before means that one was deleted. */
static uint64_t count_files(struct month *m)
{
	struct store_forecast f;
	struct err err;
	uint64_t days = 0;

	must(store_forecast(m->s, &f, &err), &err);
	m->bytes = f.bytes;
	for (unsigned c = 0; c < STORE_CLASSES; c++)
		days += f.classes[c].oldest;
	return days;
}

static void look(struct month *m)
{
	struct err err;
	double t = now_ms();

	must(store_history_tidy(m->s, &err), &err);
	double took = since_ms(t, &m->look_ms);
	uint64_t days = count_files(m);
	if (m->was_days && days > m->was_days) { /* the oldest day of a class is a later one */
		m->drops++;
		m->drop_sum_ms += took;
		m->drop_ms = took > m->drop_ms ? took : m->drop_ms;
	}
	m->was_days = days;
	if (m->bytes > m->most_bytes)
		m->most_bytes = m->bytes;
}

static int count_row(void *arg, const struct store_event *e)
{
	(void)e;
	++*(uint64_t *)arg;
	return 0;
}

/* One slice of what people ask; the next question when one is at its end. */
static void ask(struct month *m)
{
	static const char *const filters[] = { "host=month-3 type=exec", "cmdline~\"no such words\"", "address=203.0.113.9",
					       "path=/etc/passwd" };
	char before[64];
	struct err err;
	double t = now_ms();

	memcpy(before, m->cursor, sizeof(before));
	const struct store_query q = { .filter = slice_of(filters[m->question % ARRAY_LEN(filters)]),
				       .limit = SLICE_ROWS,
				       .cursor = before };
	const struct clock fake = m->clk;
	m->clk.boot_ns = clock_real()->boot_ns; /* the time a slice may take is real */
	must(store_history_query(m->s, &q, count_row, &m->rows, m->cursor, sizeof(m->cursor), &err), &err);
	m->clk.boot_ns = fake.boot_ns;
	since_ms(t, &m->slice_ms);
	if (!m->cursor[0]) {
		m->question++;
		m->questions++;
	}
}

static void begin(struct month *m, const char *dir, uint64_t kept_days)
{
	const struct store_config cfg = { .dir = dir, .history_days = kept_days, .history_max_bytes = m->max_bytes, .reserve_bytes = 1 };
	struct err err;

	buf_init(&m->packed, 64 * 1024);
	m->arena = arena_new(1 << 20);
	must(store_open(&cfg, &m->clk, &m->s, &err), &err);
	for (unsigned i = 0; i < HOSTS; i++) {
		snprintf(m->agents[i], 37, "4d4f4e54-0000-4000-8000-%012x", i);
		snprintf(m->hosts[i], 16, "month-%u", i);
		must(store_agent_enrol(m->s, &(struct store_agent){ .id = m->agents[i], .host = m->hosts[i], .serial = "1" }, &err),
		     &err);
	}
}

static void run(struct month *m, uint64_t events, uint64_t days)
{
	uint64_t step = days * day_ns / (events / BATCH);
	double end = 0;

	for (uint64_t b = 0; b < events / BATCH; b++) {
		m->clk.fake_unix_ns += step;
		m->clk.fake_boot_ns += step;
		/* between the ends of two batches is what a batch has to wait at most */
		add_batch(m, (unsigned)(b % HOSTS));
		if (end > 0)
			since_ms(end, &m->pause_ms);
		end = now_ms();
		look(m);
		if (b % 4 == 0)
			ask(m);
	}
}

int main(int argc, char **argv)
{
	static struct month m;

	if (argc < 6) {
		fputs("month_load DATA_DIR EVENTS DAYS KEPT_DAYS MAX_BYTES [BEGIN_UNIX_S]\n", stderr);
		return 2;
	}
	uint64_t events = strtoull(argv[2], NULL, 10), days = strtoull(argv[3], NULL, 10);
	uint64_t begun = argc > 6 ? strtoull(argv[6], NULL, 10) : 1793491200;
	if (events < BATCH || !days)
		return 2;
	m.clk = clock_fake(begun * 1000000000);
	m.max_bytes = strtoull(argv[5], NULL, 10);
	m.mix = (struct mix){ .seed = 24, .base_unix_ns = begun * 1000000000, .step_ns = days * day_ns / (events / HOSTS),
			      .findings_every = 400 };
	begin(&m, argv[1], strtoull(argv[4], NULL, 10));
	run(&m, events, days);
	printf("{\"events\":%" PRIu64 ",\"days\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"most_bytes\":%" PRIu64 ",\"max_bytes\":%" PRIu64
	       ",\"drops\":%" PRIu64 ",\"drop_ms\":%.1f,\"drop_mean_ms\":%.1f,\"look_ms\":%.1f,\"commit_ms\":%.1f,\"slice_ms\":%.1f"
	       ",\"pause_ms\":%.1f,\"questions\":%" PRIu64 ",\"rows\":%" PRIu64 "}\n",
	       events, days, m.bytes, m.most_bytes, m.max_bytes, m.drops, m.drop_ms, m.drops ? m.drop_sum_ms / (double)m.drops : 0,
	       m.look_ms, m.commit_ms, m.slice_ms, m.pause_ms, m.questions, m.rows);
	store_close(m.s);
	buf_fini(&m.packed);
	arena_free(m.arena);
	return 0;
}
