/* fleet.c - simulated agents against a real collector, over real mutual TLS.
 *
 *	fleet --dir C --agents N --rate R --seconds T [more]
 *
 * C is what `picket-collector init --dir C` made. Ends when all is acknowledged, prints one line of JSON, and
 * with --ledger writes what fleet_check compares the store with. Exit 1 where an acknowledged record was
 * forgotten, or not all was acknowledged in --settle seconds. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/resource.h>

#include "proto/msg.h"
#include "tests/fleet/fleet_agent.h"
#include "tests/fleet/fleet_identity.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/text.h"

#define MS 1000000ull

struct options {
	const char *dir, *ledger, *host, *identities;
	unsigned port, agents, seconds, settle, herd_at, hold_at, hold_s, flood_at;
	double rate, flood;
	uint64_t backlog;
	bool watch;
};

struct sim {
	struct fleet f;
	struct options o;
	struct agent **agents;
	unsigned count;
	uint64_t t0, ends_ns;
	uint64_t drained_ns, herd_ns, back_ns, open_ns;
};

static volatile sig_atomic_t must_end;

static void on_signal(int signo)
{
	must_end = signo;
}

static uint64_t now_ns(void)
{
	return clock_boot_ns(clock_real());
}

static int add_agent(void *arg, unsigned index, const char *id, const char *host, X509 *cert, EVP_PKEY *key)
{
	struct sim *s = arg;

	s->agents[index] = agent_new(&s->f, index, id, host, cert, key);
	s->count += s->agents[index] != NULL;
	return s->agents[index] ? 0 : -ENOMEM;
}

static const char usage[] =
	"fleet --dir C --port P --agents N --rate R --seconds T: R events/s in all, by N agents\n"
	"  --burst N (10)  events that come together     --flush MS (20)  they wait so long\n"
	"  --backlog N     each agent begins with N      --spool N        events an agent keeps; older are dropped\n"
	"  --flood R [--flood-at S]  agent 0 makes R/s   --herd S         all connections are cut at S\n"
	"  --hold S,D      all hang at S for D seconds   --batch N        records of a batch at most\n"
	"  --replay PCT    acknowledgements answered with a repeat, --old-epoch E --old-end N: of that epoch, too\n"
	"  --program EXE --sha256 HEX  all run this one (without --ledger)\n"
	"  --exec          execs only    --findings N  one record in N (20000; 0 none)\n"
	"  --epoch E  --seed N  --base UNIX_NS  --ledger FILE  --settle S (60)  --identities FILE  --watch\n";

static uint64_t number(const char *s)
{
	return strtoull(s, NULL, 10);
}

enum { O_DIR = 1000, O_PORT, O_AGENTS, O_RATE, O_SECONDS, O_BURST, O_FLUSH, O_BACKLOG, O_SPOOL, O_FLOOD, O_FLOOD_AT,
       O_HERD, O_HOLD, O_BATCH, O_REPLAY, O_OLD_EPOCH, O_OLD_END, O_EXEC, O_FINDINGS, O_EPOCH, O_SEED, O_BASE,
       O_LEDGER, O_SETTLE, O_IDENTITIES, O_WATCH, O_PROGRAM, O_SHA256 };
static const struct option options[] = {
	{ "dir", 1, 0, O_DIR }, { "port", 1, 0, O_PORT }, { "agents", 1, 0, O_AGENTS }, { "rate", 1, 0, O_RATE },
	{ "seconds", 1, 0, O_SECONDS }, { "burst", 1, 0, O_BURST }, { "flush", 1, 0, O_FLUSH },
	{ "backlog", 1, 0, O_BACKLOG }, { "spool", 1, 0, O_SPOOL }, { "flood", 1, 0, O_FLOOD },
	{ "flood-at", 1, 0, O_FLOOD_AT }, { "herd", 1, 0, O_HERD }, { "hold", 1, 0, O_HOLD }, { "batch", 1, 0, O_BATCH },
	{ "replay", 1, 0, O_REPLAY }, { "old-epoch", 1, 0, O_OLD_EPOCH }, { "old-end", 1, 0, O_OLD_END },
	{ "exec", 0, 0, O_EXEC }, { "findings", 1, 0, O_FINDINGS }, { "epoch", 1, 0, O_EPOCH }, { "seed", 1, 0, O_SEED },
	{ "base", 1, 0, O_BASE }, { "ledger", 1, 0, O_LEDGER }, { "settle", 1, 0, O_SETTLE },
	{ "identities", 1, 0, O_IDENTITIES }, { "watch", 0, 0, O_WATCH }, { "program", 1, 0, O_PROGRAM },
	{ "sha256", 1, 0, O_SHA256 }, { 0 }
};

static bool take_option(int c, const char *v, struct options *o, struct fleet_config *f)
{
	switch (c) {
	case O_DIR: o->dir = v; break;
	case O_PORT: o->port = (unsigned)number(v); break;
	case O_AGENTS: o->agents = (unsigned)number(v); break;
	case O_RATE: o->rate = atof(v); break;
	case O_SECONDS: o->seconds = (unsigned)number(v); break;
	case O_BURST: f->burst = (unsigned)number(v); break;
	case O_FLUSH: f->flush_ms = (unsigned)number(v); break;
	case O_BACKLOG: o->backlog = number(v); break;
	case O_SPOOL: f->spool_max = number(v); break;
	case O_FLOOD: o->flood = atof(v); break;
	case O_FLOOD_AT: o->flood_at = (unsigned)number(v); break;
	case O_HERD: o->herd_at = (unsigned)number(v); break;
	case O_HOLD: return sscanf(v, "%u,%u", &o->hold_at, &o->hold_s) == 2;
	case O_BATCH: f->batch_max = (unsigned)number(v); break;
	case O_REPLAY: f->replay_pct = (unsigned)number(v); break;
	case O_OLD_EPOCH: f->old_epoch = number(v); break;
	case O_OLD_END: f->old_end = number(v); break;
	case O_EXEC: f->mix.kind = MIX_EXEC; break;
	case O_FINDINGS: f->mix.findings_every = (uint32_t)number(v); break;
	case O_EPOCH: f->epoch = number(v); break;
	case O_SEED: f->mix.seed = number(v); break;
	case O_BASE: f->mix.base_unix_ns = number(v); break;
	case O_LEDGER: o->ledger = v; break;
	case O_SETTLE: o->settle = (unsigned)number(v); break;
	case O_IDENTITIES: o->identities = v; break;
	case O_PROGRAM: f->mix.exe = v; break;
	case O_SHA256: return text_unhex(slice_of(v), f->mix.exe_sha256, sizeof(f->mix.exe_sha256)) == sizeof(f->mix.exe_sha256);
	case O_WATCH: o->watch = true; break;
	default: return false;
	}
	return true;
}

static int open_fleet(struct sim *s, struct err *err)
{
	CLEANUP(buf_finip) struct buf ca = { 0 };
	char ca_file[4096], ca_key[4096], data[4096], path[4096];

	snprintf(ca_file, sizeof(ca_file), "%s/ca.pem", s->o.dir);
	snprintf(ca_key, sizeof(ca_key), "%s/ca.key", s->o.dir);
	snprintf(data, sizeof(data), "%s/data", s->o.dir);
	snprintf(path, sizeof(path), "%s/fleet-%u.pem", s->o.dir, s->o.agents);
	const char *who = s->o.identities ? s->o.identities : path;
	int r = identity_make(ca_file, ca_key, data, s->o.agents, who, err);
	if (r >= 0)
		r = file_read(ca_file, 65536, &ca, err);
	if (r >= 0)
		r = link_pool_new("127.0.0.1", (uint16_t)s->o.port, "localhost", buf_slice(&ca), &agent_link_ops, &s->f.pool,
				  err);
	if (r < 0)
		return r;
	s->agents = calloc(s->o.agents, sizeof(*s->agents));
	s->f.records = calloc(LIMIT_BATCH_RECORDS, sizeof(*s->f.records));
	s->f.arena = arena_new(LIMIT_ARENA_BYTES);
	if (!s->agents || !s->f.records || !s->f.arena)
		return err_set(err, ENOMEM, "fleet");
	buf_init(&s->f.data, 0);
	buf_init(&s->f.out, LIMIT_MESSAGE_BYTES);
	return identity_each(who, s->o.agents, add_agent, s, err);
}

/* ---- the run ---- */

static unsigned count_open(const struct sim *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->count; i++)
		n += agent_is_open(s->agents[i]);
	return n;
}

static uint64_t sum(const struct sim *s, uint64_t (*of)(const struct agent *))
{
	uint64_t n = 0;

	for (unsigned i = 0; i < s->count; i++)
		n += of(s->agents[i]);
	return n;
}

static void turn_all(struct sim *s)
{
	uint64_t now = now_ns();

	for (unsigned i = 0; i < s->count; i++)
		agent_turn(s->agents[i], now);
}

static void step(struct sim *s)
{
	static uint64_t turned;

	s->f.now_ns = now_ns();
	link_pool_step(s->f.pool, 3);
	if (now_ns() - turned >= 4 * MS) {
		turned = now_ns();
		turn_all(s);
	}
}

/* All are connected before the clock starts, so that a thousand handshakes are not part of the load. */
static int connect_all(struct sim *s, struct err *err)
{
	uint64_t begin = now_ns();

	while (count_open(s) < s->count && !must_end) {
		step(s);
		if (now_ns() - begin > 120000 * MS)
			return err_set(err, ETIMEDOUT, "%u of %u connected: %.100s", count_open(s), s->count, s->f.t.last_why);
	}
	s->open_ns = now_ns() - begin;
	memset(&s->f.t.send_to_ack, 0, sizeof(s->f.t.send_to_ack));
	return 0;
}

static void act(struct sim *s, uint64_t second)
{
	const struct options *o = &s->o;

	for (unsigned i = 0; i < s->count; i++) {
		if (o->herd_at && second == o->herd_at)
			agent_cut(s->agents[i], now_ns());
		if (o->hold_s && (second == o->hold_at || second == o->hold_at + o->hold_s))
			agent_hold(s->agents[i], second == o->hold_at);
	}
	if (o->herd_at && second == o->herd_at)
		s->herd_ns = now_ns();
	if (o->flood > 0 && second == o->flood_at)
		agent_rate(s->agents[0], now_ns(), o->flood);
	if (o->watch)
		fprintf(stderr, "%4" PRIu64 " s: %" PRIu64 " made, %" PRIu64 " acknowledged, %u open; p99 %.0f ms; %s\n", second,
			sum(s, agent_produced), sum(s, agent_acked), count_open(s), hist_ms(&s->f.t.made_to_ack, 0.99),
			s->f.t.last_why);
}

static bool is_settled(const struct sim *s)
{
	for (unsigned i = 0; i < s->count; i++)
		if (!agent_is_settled(s->agents[i]))
			return false;
	return true;
}

static void note_herd(struct sim *s)
{
	if (s->herd_ns && !s->back_ns && count_open(s) == s->count)
		s->back_ns = now_ns() - s->herd_ns;
}

static void run(struct sim *s)
{
	uint64_t second = UINT64_MAX, backlog = s->o.backlog * s->count;

	s->t0 = now_ns();
	s->ends_ns = s->t0 + s->o.seconds * 1000 * MS;
	for (unsigned i = 0; i < s->count; i++) {
		if (s->o.backlog)
			agent_make(s->agents[i], s->t0, s->o.backlog);
		agent_rate(s->agents[i], s->t0, s->o.rate / s->count);
	}
	while (now_ns() < s->ends_ns && !must_end) {
		step(s);
		note_herd(s);
		if (backlog && !s->drained_ns && sum(s, agent_acked) >= backlog)
			s->drained_ns = now_ns() - s->t0;
		if (backlog && s->drained_ns && s->o.rate <= 0)
			break;
		if ((now_ns() - s->t0) / (1000 * MS) != second)
			act(s, second = (now_ns() - s->t0) / (1000 * MS));
	}
}

/* Nothing is made any more; what waits is delivered, and each agent says how much it made. */
static bool settle(struct sim *s)
{
	uint64_t end = now_ns() + s->o.settle * 1000 * MS, asked = 0;

	for (unsigned i = 0; i < s->count; i++)
		agent_rate(s->agents[i], now_ns(), 0);
	while (!is_settled(s) && now_ns() < end && must_end != SIGTERM) {
		step(s);
		note_herd(s);
		if (sum(s, agent_acked) != sum(s, agent_produced) || now_ns() - asked < 1000 * MS)
			continue;
		asked = now_ns();
		for (unsigned i = 0; i < s->count; i++)
			if (!agent_is_settled(s->agents[i]))
				agent_heartbeat(s->agents[i]);
	}
	return is_settled(s);
}

static int write_ledger(const struct sim *s)
{
	const struct mix *m = &s->f.cfg.mix;
	FILE *f = fopen(s->o.ledger, "we");

	if (!f)
		return 1;
	fprintf(f, "fleet-ledger 1 seed %" PRIu64 " base %" PRIu64 " step %" PRIu64 " kind %d findings %u\n", m->seed,
		m->base_unix_ns, m->step_ns, (int)m->kind, m->findings_every);
	for (unsigned i = 0; i < s->count; i++)
		agent_print(s->agents[i], f);
	return fclose(f) != 0;
}

static double cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void report(const struct sim *s, bool is_whole, double took_s)
{
	const struct fleet_totals *t = &s->f.t;

	printf("{\"agents\":%u,\"seconds\":%.1f,\"produced\":%" PRIu64 ",\"acked\":%" PRIu64 ",\"lost\":%" PRIu64
	       ",\"settled\":%s,\"batches\":%" PRIu64 ",\"sent\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"opens\":%" PRIu64
	       ",\"closes\":%" PRIu64 ",\"failed_dials\":%" PRIu64 ",\"timeouts\":%" PRIu64,
	       s->count, took_s, sum(s, agent_produced), sum(s, agent_acked), sum(s, agent_lost), is_whole ? "true" : "false",
	       t->batches, t->records, t->bytes, t->opens, t->closes, t->failed_dials, t->timeouts);
	printf(",\"busy\":%" PRIu64 ",\"order\":%" PRIu64 ",\"malformed\":%" PRIu64 ",\"revoked\":%" PRIu64
	       ",\"acked_lost\":%" PRIu64 ",\"phantom\":%" PRIu64,
	       t->refused[PICKET__REFUSAL__REASON__REASON_BUSY], t->refused[PICKET__REFUSAL__REASON__REASON_ORDER],
	       t->refused[PICKET__REFUSAL__REASON__REASON_MALFORMED], t->refused[PICKET__REFUSAL__REASON__REASON_REVOKED],
	       t->acked_lost, t->phantom);
	printf(",\"replays\":%" PRIu64 ",\"replays_answered\":%" PRIu64 ",\"replays_refused\":%" PRIu64
	       ",\"replays_wrong\":%" PRIu64,
	       t->replays, t->replays_answered, t->replays_refused, t->replays_wrong);
	printf(",\"ack_ms\":{\"p50\":%.1f,\"p95\":%.1f,\"p99\":%.1f,\"max\":%.1f}", hist_ms(&t->send_to_ack, 0.5),
	       hist_ms(&t->send_to_ack, 0.95), hist_ms(&t->send_to_ack, 0.99), (double)t->send_to_ack.max_us / 1000);
	printf(",\"durable_ms\":{\"p50\":%.1f,\"p95\":%.1f,\"p99\":%.1f,\"max\":%.1f},\"others_p99_ms\":%.1f",
	       hist_ms(&t->made_to_ack, 0.5), hist_ms(&t->made_to_ack, 0.95), hist_ms(&t->made_to_ack, 0.99),
	       (double)t->made_to_ack.max_us / 1000, hist_ms(&t->others, 0.99));
	printf(",\"connect_s\":%.2f,\"herd_s\":%.2f,\"drain_s\":%.3f,\"cpu_s\":%.2f,\"why\":\"", (double)s->open_ns / 1e9,
	       (double)s->back_ns / 1e9, (double)s->drained_ns / 1e9, cpu_s());
	for (const char *p = t->last_why; *p; p++)
		putchar(*p == '"' || *p == '\\' || *p < ' ' ? ' ' : *p);
	puts("\"}");
}

static int fail(const struct err *err)
{
	fprintf(stderr, "fleet: %s\n", err->msg);
	return 2;
}

int main(int argc, char **argv)
{
	static struct sim s;
	struct err err = { 0 };
	int c;

	s.o = (struct options){ .agents = 10, .rate = 100, .seconds = 10, .settle = 60, .dir = "." };
	s.f.cfg = (struct fleet_config){ .burst = 10, .flush_ms = 20,
					 .mix = { .seed = 1, .findings_every = 20000 } };
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!take_option(c, optarg, &s.o, &s.f.cfg)) {
			fputs(usage, stderr);
			return 2;
		}
	if (!s.f.cfg.mix.base_unix_ns)
		s.f.cfg.mix.base_unix_ns = clock_unix_ns(clock_real());
	if (!s.f.cfg.epoch)
		s.f.cfg.epoch = s.f.cfg.mix.base_unix_ns / 1000000;
	s.f.cfg.mix.step_ns = s.o.rate > 0 ? (uint64_t)(1e9 * s.o.agents / s.o.rate) : 50000;
	s.f.random = mix_hash(s.f.cfg.mix.seed + 77) | 1;
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	signal(SIGPIPE, SIG_IGN);
	if (open_fleet(&s, &err) < 0)
		return fail(&err);
	if (s.o.settle && connect_all(&s, &err) < 0)
		return fail(&err);
	run(&s);
	uint64_t ran = now_ns() - s.t0;
	bool is_whole = settle(&s);
	if (s.o.ledger && write_ledger(&s))
		return 2;
	report(&s, is_whole, (double)ran / 1e9);
	for (unsigned i = 0; i < s.count; i++)
		agent_free(s.agents[i]);
	link_pool_free(s.f.pool);
	return is_whole && !s.f.t.acked_lost && !s.f.t.phantom && !s.f.t.replays_wrong ? 0 : 1;
}
