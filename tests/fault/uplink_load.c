/* uplink_load.c - the agent's real spool and uplink, with a generator in place of sensors.
 *
 *	uplink_load --state DIR --url URL --counter FILE [--rate R] [--count N] [--spool BYTES] [--seconds S] [--offline] [--machine ID]
 *		[--span S]
 *
 * FILE holds what is known even after a kill, as eight numbers of 8 bytes: epoch, records appended, the last
 * sequence number, those of class process, records that append refused, losses told, ready (1 once the spool is
 * open), ms that opening took. Each record of the generator carries its place in pid. With --span the times in
 * the N records are spread over the last S seconds. Ends when N are appended and acknowledged, or after S seconds, or on
 * SIGTERM; prints its figures as one line of JSON. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/mman.h>

#include "agent/uplink/uplink.h"
#include "common/log.h"
#include "proto/msg.h"
#include "tests/fleet/fleet_mix.h"

enum { EPOCH, APPENDED, LAST_SEQ, PROCESS, FAILED, LOST, READY, OPEN_MS, NUMBERS };
enum { TICK_MS = 5 };

struct feed {
	struct loop *loop;
	struct uplink *uplink;
	struct loop_timer *timer;
	uint64_t *shared;
	double rate, owed;
	uint64_t count, ends_ns, last_ns, lost[UPLINK_CLASS_COUNT];
	struct mix mix;
	struct buf record;
	bool is_offline;
};

static uint64_t now_ns(void)
{
	return clock_boot_ns(clock_real());
}

static void on_heartbeat(void *arg, struct uplink_heartbeat *ret)
{
	struct feed *f = arg;

	memcpy(ret->lost, f->lost, sizeof(f->lost));
	ret->rules_version = "load";
}

static void append(struct feed *f, enum uplink_class class, struct slice record)
{
	struct err err;
	uint64_t seq = 0;

	if (uplink_append(f->uplink, class, clock_unix_ns(clock_real()), record, &seq, &err) < 0) {
		f->shared[FAILED]++;
		return;
	}
	f->shared[LAST_SEQ] = seq > f->shared[LAST_SEQ] ? seq : f->shared[LAST_SEQ];
}

/* A loss is a record, too, as agent.c makes it. */
static void on_loss(void *arg, const struct uplink_loss *loss)
{
	struct feed *f = arg;
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Gap gap = PICKET__GAP__INIT;
	CLEANUP(buf_finip) struct buf b = { 0 };
	uint64_t now = clock_unix_ns(clock_real());
	struct err err;

	f->lost[loss->class] += loss->lost;
	f->shared[LOST] += loss->lost;
	gap.loss_class = (Picket__LossClass)(loss->class + 1);
	gap.lost = loss->lost;
	gap.from_unix_ns = loss->from_unix_ns ? loss->from_unix_ns : now;
	gap.to_unix_ns = loss->to_unix_ns > gap.from_unix_ns ? loss->to_unix_ns : gap.from_unix_ns;
	gap.reason = (char *)(uintptr_t)loss->reason;
	rec.time_unix_ns = now;
	rec.body_case = PICKET__RECORD__BODY_GAP;
	rec.gap = &gap;
	buf_init(&b, 0);
	if (msg_pack_record(&rec, &b, &err) >= 0)
		append(f, UPLINK_PROCESS, buf_slice(&b));
}

static void on_state(void *arg, bool is_connected, const char *why)
{
	(void)arg;
	fprintf(stderr, "%s: %s\n", is_connected ? "up" : "down", why);
}

static void make_one(struct feed *f)
{
	static const enum uplink_class classes[10] = { 0, 0, 0, 0, 0, 1, 1, 2, 2, 2 };
	uint64_t n = f->shared[APPENDED] + 1;
	enum uplink_class class = classes[n % 10];

	buf_reset(&f->record);
	mix_record(&f->mix, 0, 1, n, &f->record);
	append(f, class, buf_slice(&f->record));
	f->shared[APPENDED] = n;
	f->shared[PROCESS] += class == UPLINK_PROCESS;
}

static void on_tick(void *arg)
{
	struct feed *f = arg;
	struct uplink_stats st;
	uint64_t now = now_ns();

	f->owed += f->rate * (double)(now - f->last_ns) / 1e9;
	f->last_ns = now;
	for (; f->owed >= 1 && (!f->count || f->shared[APPENDED] < f->count); f->owed -= 1)
		make_one(f);
	if (f->owed > f->rate)
		f->owed = f->rate;
	uplink_stats(f->uplink, &st);
	f->shared[EPOCH] = st.epoch;
	f->shared[READY] = 1;
	/* produced: those that are written; acked: of this run, which goes last */
	bool is_told = st.produced >= f->shared[LAST_SEQ] && st.acked >= st.produced && !st.spool_records;
	bool is_done = f->count && f->shared[APPENDED] + f->shared[FAILED] >= f->count && (f->is_offline || is_told);
	if (is_done || now > f->ends_ns)
		loop_stop(f->loop);
}

static void on_term(void *arg)
{
	loop_stop(((struct feed *)arg)->loop);
}

static const struct option options[] = { { "state", 1, 0, 's' }, { "url", 1, 0, 'u' },	   { "counter", 1, 0, 'c' },
					 { "rate", 1, 0, 'r' },	 { "count", 1, 0, 'n' },   { "spool", 1, 0, 'p' },
					 { "seconds", 1, 0, 't' }, { "offline", 0, 0, 'o' }, { "seed", 1, 0, 'e' },
					 { "machine", 1, 0, 'm' }, { "span", 1, 0, 'a' }, { 0 } };

static uint64_t *map_counter(const char *path)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, NUMBERS * sizeof(uint64_t)) < 0)
		return NULL;
	void *p = mmap(NULL, NUMBERS * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return NULL;
	return memset(p, 0, NUMBERS * sizeof(uint64_t));
}

static void report(const struct feed *f)
{
	struct uplink_stats st;

	uplink_stats(f->uplink, &st);
	printf("{\"epoch\":%" PRIu64 ",\"appended\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"produced\":%" PRIu64 ",\"acked\":%" PRIu64
	       ",\"spool_records\":%" PRIu64 ",\"spool_bytes\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"open_ms\":%" PRIu64 "}\n",
	       st.epoch, f->shared[APPENDED], f->shared[FAILED], st.produced, st.acked, st.spool_records, st.spool_bytes,
	       f->shared[LOST], f->shared[OPEN_MS]);
}

static int run(struct feed *f, struct uplink_config *cfg, struct err *err)
{
	static const struct uplink_ops ops = { .on_heartbeat = on_heartbeat, .on_loss = on_loss, .on_state = on_state };
	uint64_t began = now_ns();
	int r = uplink_new(f->loop, clock_real(), cfg, &ops, f, &f->uplink, err);

	if (r < 0)
		return r;
	f->shared[OPEN_MS] = (now_ns() - began) / 1000000;
	f->last_ns = now_ns();
	f->timer = loop_timer_new(f->loop, on_tick, f);
	loop_timer_every(f->timer, TICK_MS);
	loop_run(f->loop);
	report(f);
	loop_timer_free(f->timer);
	uplink_free(f->uplink);
	return 0;
}

int main(int argc, char **argv)
{
	struct feed f = { .rate = 1000, .mix = { .seed = 1 } };
	struct uplink_config cfg = { .url = "tls+tcp://127.0.0.1:1", .server_name = "localhost", .spool_max_bytes = 64 << 20,
				     .hostname = "load-host", .agent_version = "0.1.0", .kernel = "sim", .machine_id = "load",
				     .boot_id = "load", .heartbeat_ms = 1000 };
	uint64_t seconds = 3600, span = 0;
	const char *counter = NULL;
	struct err err = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's': cfg.state_dir = optarg; break;
		case 'u': cfg.url = optarg; break;
		case 'c': counter = optarg; break;
		case 'r': f.rate = atof(optarg); break;
		case 'n': f.count = strtoull(optarg, NULL, 10); break;
		case 'p': cfg.spool_max_bytes = strtoull(optarg, NULL, 10); break;
		case 't': seconds = strtoull(optarg, NULL, 10); break;
		case 'o': f.is_offline = true; break;
		case 'a': span = strtoull(optarg, NULL, 10); break;
		case 'm': cfg.machine_id = optarg; break;
		case 'e': f.mix.seed = strtoull(optarg, NULL, 10); break;
		default: return 2;
		}
	}
	log_open(LOG_INFO, STDERR_FILENO);
	signal(SIGPIPE, SIG_IGN);
	f.shared = counter ? map_counter(counter) : NULL;
	f.mix.base_unix_ns = clock_unix_ns(clock_real());
	f.mix.step_ns = 1000000;
	if (span && f.count) {
		f.mix.base_unix_ns -= span * 1000000000;
		f.mix.step_ns = span * 1000000000 / f.count;
	}
	f.ends_ns = now_ns() + seconds * 1000000000;
	buf_init(&f.record, 0);
	if (!cfg.state_dir || !f.shared || loop_new(&f.loop, &err) < 0 || loop_signal(f.loop, SIGTERM, on_term, &f, &err) < 0 ||
	    run(&f, &cfg, &err) < 0) {
		fprintf(stderr, "uplink_load: %s\n", err.msg[0] ? err.msg : "--state, --counter");
		return 2;
	}
	loop_free(f.loop);
	buf_fini(&f.record);
	return 0;
}
