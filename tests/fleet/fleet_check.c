/* fleet_check.c - is what agents were told stored, stored: each number once, every byte as it was made?
 *
 *	fleet_check DATA_DIR LEDGER...
 *
 * Reads the whole history through the store's own questions, makes each record again and compares. Prints one
 * line of JSON; exit 1 where anything is missing, twice, changed or unknown. May run beside a collector. */
#include <inttypes.h>

#include "collector/store/store.h"
#include "tests/fleet/fleet_mix.h"

enum { AGENTS_MAX = 8192, RANGES = 256 };

struct entry {
	char id[40], host[64];
	struct mix mix;
	uint32_t index;
	uint64_t epoch, made, acked, lost;
	struct {
		uint64_t from, to;
	} ranges[RANGES];
	unsigned range_count;
	uint8_t *seen; /* a bit for each number */
	uint64_t stored, in_ranges;
};

static struct check {
	struct mix mix;
	struct entry *entries[AGENTS_MAX];
	unsigned count, last;
	uint64_t stored, twice, changed, unknown, beyond, gaps;
	struct buf made, packed;
} ck;

static struct entry *find(const char *id, uint64_t epoch)
{
	for (unsigned i = 0; i < ck.count; i++) {
		struct entry *e = ck.entries[(ck.last + i) % ck.count];

		if (e->epoch == epoch && !strcmp(e->id, id)) {
			ck.last = (ck.last + i) % ck.count;
			return e;
		}
	}
	return NULL;
}

static bool is_same(const struct entry *e, uint64_t seq, const Picket__Record *rec)
{
	buf_reset(&ck.made);
	mix_record(&e->mix, e->index, e->epoch, seq, &ck.made);
	buf_reset(&ck.packed);
	char *to = buf_reserve(&ck.packed, picket__record__get_packed_size(rec) + 1);
	if (!to)
		return false;
	ck.packed.n = picket__record__pack(rec, (uint8_t *)to);
	return slice_eq(buf_slice(&ck.made), buf_slice(&ck.packed));
}

static int on_event(void *arg, const struct store_event *ev)
{
	struct entry *e = find(ev->agent, ev->epoch);

	(void)arg;
	if (!e) {
		ck.unknown++;
		ck.gaps += ev->record->body_case == PICKET__RECORD__BODY_GAP;
		return 0;
	}
	if (!ev->seq || ev->seq > e->made) {
		ck.beyond++;
		return 0;
	}
	if (e->seen[ev->seq / 8] >> (ev->seq % 8) & 1)
		ck.twice++;
	else
		e->stored++;
	e->seen[ev->seq / 8] |= (uint8_t)(1 << (ev->seq % 8));
	ck.changed += !is_same(e, ev->seq, ev->record);
	ck.stored++;
	return 0;
}

static int read_entry(char *line, struct entry *e)
{
	int at = 0, n = 0;

	if (sscanf(line, "%39s %63s %u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 "%n", e->id, e->host, &e->index,
		   &e->epoch, &e->made, &e->acked, &e->lost, &at) != 7)
		return -1;
	while (e->range_count < RANGES && sscanf(line + at, " %" SCNu64 "-%" SCNu64 "%n", &e->ranges[e->range_count].from,
						 &e->ranges[e->range_count].to, &n) == 2) {
		at += n;
		e->range_count++;
	}
	e->seen = calloc(e->made / 8 + 1, 1);
	return e->seen ? 0 : -1;
}

static int read_ledger(const char *path)
{
	CLEANUP(fclosep) FILE *f = fopen(path, "re");
	static char line[RANGES * 48];
	int kind;

	if (!f || !fgets(line, sizeof(line), f) ||
	    sscanf(line, "fleet-ledger 1 seed %" SCNu64 " base %" SCNu64 " step %" SCNu64 " kind %d findings %u", &ck.mix.seed,
		   &ck.mix.base_unix_ns, &ck.mix.step_ns, &kind, &ck.mix.findings_every) != 5)
		return -1;
	ck.mix.kind = (enum mix_kind)kind;
	while (fgets(line, sizeof(line), f) && ck.count < AGENTS_MAX) {
		struct entry *e = calloc(1, sizeof(*e));

		if (!e || read_entry(line, e) < 0)
			return -1;
		e->mix = ck.mix;
		ck.entries[ck.count++] = e;
	}
	return 0;
}

/* Acknowledged numbers that are neither there nor declared lost. */
static uint64_t missing(struct entry *e)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < e->range_count; i++)
		for (uint64_t s = e->ranges[i].from; s <= e->ranges[i].to; s++) {
			if (e->seen[s / 8] >> (s % 8) & 1)
				ck.beyond++; /* stored and counted as lost */
			e->seen[s / 8] |= (uint8_t)(1 << (s % 8));
		}
	for (uint64_t s = 1; s <= e->acked; s++)
		n += !(e->seen[s / 8] >> (s % 8) & 1);
	return n;
}

static int read_all(struct store *s, struct err *err)
{
	char cursor[128] = "", before[128];
	int r;

	do {
		memcpy(before, cursor, sizeof(before));
		struct store_query q = { .limit = 100000, .cursor = before[0] ? before : NULL, .oldest_first = true };
		r = store_history_query(s, &q, on_event, NULL, cursor, sizeof(cursor), err);
	} while (r >= 0 && cursor[0]);
	return r;
}

int main(int argc, char **argv)
{
	CLEANUP(store_closep) struct store *s = NULL;
	struct err err = { 0 };
	uint64_t gone = 0, made = 0, acked = 0, lost = 0;

	for (int i = 2; i < argc; i++)
		if (read_ledger(argv[i]) < 0) {
			fprintf(stderr, "fleet_check: '%s' is no ledger\n", argv[i]);
			return 2;
		}
	if (argc < 3 || store_open(&(struct store_config){ .dir = argv[1], .reserve_bytes = 1 }, clock_real(), &s, &err) < 0 ||
	    read_all(s, &err) < 0) {
		fprintf(stderr, "fleet_check: %s\n", err.msg[0] ? err.msg : "fleet_check DATA_DIR LEDGER...");
		return 2;
	}
	for (unsigned i = 0; i < ck.count; i++) {
		struct entry *e = ck.entries[i];

		gone += missing(e);
		made += e->made, acked += e->acked, lost += e->lost;
	}
	printf("{\"produced\":%" PRIu64 ",\"acked\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"stored\":%" PRIu64 ",\"missing\":%" PRIu64
	       ",\"twice\":%" PRIu64 ",\"changed\":%" PRIu64 ",\"beyond\":%" PRIu64 ",\"unknown\":%" PRIu64 ",\"gaps\":%" PRIu64 "}\n",
	       made, acked, lost, ck.stored, gone, ck.twice, ck.changed, ck.beyond, ck.unknown, ck.gaps);
	return gone || ck.twice || ck.changed || ck.beyond ? 1 : 0;
}
