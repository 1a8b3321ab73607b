/* bench_live [EVENTS [flood]] - what the collector's rules cost an exec: the shipped correlations over execs of containers, of
 * which one in fifty is a hit (journal and engine), in transactions of 500 as intake makes them.
 *
 *	bench_live rules=N events=N ns_per_event=N events_per_s=N hits=N journal_bytes=N
 *
 * flood: each exec is a hit in a container of its own, until memory is full; then how long a snapshot holds the loop:
 *
 *	bench_live state_bytes=N groups=N snapshot_ms=N */
#include <time.h>

#include "collector/correlate/live.h"

enum { EVENTS = 300000, GROUP = 500, CONTAINERS = 200, HIT_EACH = 50 };

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
	fprintf(stderr, "bench_live: %s\n", err->msg);
	exit(1);
}

static int on_fired(void *arg, const struct live_firing *f, struct err *err)
{
	return 0;
}

static int on_matched(void *arg, const struct ruleset_rule *rule, const struct observed *o, struct err *err)
{
	return 0;
}

static void on_notice(void *arg, const char *what, const char *detail)
{
}

static const struct {
	const char *name, *exe, *args, *parent;
	size_t bytes;
} programs[] = {
#define ROW(name, exe, args, parent) { name, exe, args, parent, sizeof(args) - 1 }
	ROW("sed", "/usr/bin/sed", "-e\0s/foo/bar/g\0-n\0/etc/service/config.d/main.conf\0", "/usr/bin/bash"),
	ROW("bash", "/usr/bin/bash", "-c\0if [ -f /etc/profile ]; then . /etc/profile; fi; exec make -j4 all\0", "/usr/bin/make"),
	ROW("cc1", "/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "-quiet\0-imultiarch\0x86_64-linux-gnu\0main.c\0-O2\0-o\0/tmp/ccXY.s\0",
	    "/usr/bin/x86_64-linux-gnu-gcc-12"),
	ROW("python3", "/usr/bin/python3.11", "manage.py\0runserver\0" "0.0.0.0:8000\0--settings=app.settings\0", "/usr/bin/tini"),
#undef ROW
};

static bool is_flood;

static void feed(struct live *l, unsigned i, uint64_t time_unix_ns, struct err *err)
{
	Picket__Ancestor parent = PICKET__ANCESTOR__INIT, *ancestors[] = { &parent };
	Picket__Process p = PICKET__PROCESS__INIT;
	Picket__Container c = PICKET__CONTAINER__INIT;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Record rec = PICKET__RECORD__INIT;
	char id[65], name[32];
	bool is_hit = is_flood || i % HIT_EACH == 0;
	unsigned box = is_flood ? i : i / 7 % CONTAINERS;
	size_t k = i % ARRAY_LEN(programs);

	snprintf(id, sizeof(id), "%064x", box);
	snprintf(name, sizeof(name), "web-%u", box);
	parent.exe = msg_bytes(slice_of(programs[k].parent));
	p.name = msg_bytes(slice_of(programs[k].name));
	p.exe = msg_bytes(is_hit ? SLICE_LIT("/usr/bin/curl") : slice_of(programs[k].exe));
	p.args = msg_bytes(slice_from(programs[k].args, programs[k].bytes));
	p.user = msg_bytes(SLICE_LIT("root"));
	p.ancestors = ancestors;
	p.n_ancestors = 1;
	c.id = id;
	c.name = msg_bytes(slice_of(name));
	c.image = msg_bytes(SLICE_LIT("shop/web:1.2"));
	ev.type = PICKET__EVENT_TYPE__EVENT_EXEC;
	ev.process = &p;
	ev.container = &c;
	rec.time_unix_ns = time_unix_ns;
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	must(live_record(l, "6f1c3b1e-0000-4000-8000-000000000001", "host-07", 1, i + 1, &rec, err), err);
}

int main(int argc, char **argv)
{
	const struct live_config cfg = { .correlations_dir = "", .rules_dir = "", .has_shipped = true, .bytes_max = 64 << 20, .lateness_ms = 120000 };
	const struct live_ops ops = { on_fired, on_matched, on_notice };
	unsigned events = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : EVENTS;
	char dir[] = "/tmp/picket-bench-XXXXXX", command[64];
	struct clock clk = clock_fake(1795464000ull * 1000000000);
	struct store *s = NULL;
	struct live *l = NULL;
	struct live_stats st;
	struct err err = { 0 };

	is_flood = argc > 2 && !strcmp(argv[2], "flood");
	if (!mkdtemp(dir))
		return 1;
	must(store_open(&(struct store_config){ .dir = dir, .reserve_bytes = 1 }, &clk, &s, &err), &err);
	must(live_new(s, &clk, &cfg, &ops, NULL, &l, &err), &err);
	double from = cpu_s();
	for (unsigned i = 0; i < events; i++) {
		if (i % GROUP == 0)
			must(store_begin(s, &err), &err);
		feed(l, i, clock_unix_ns(&clk) - 1000000, &err);
		if (i % GROUP == GROUP - 1 || i == events - 1) {
			must(store_commit(s, &err), &err);
			clock_fake_advance(&clk, 5000000);
		}
	}
	double ns = (cpu_s() - from) * 1e9 / events;
	live_stats(l, &st);
	printf("bench_live rules=%zu events=%u ns_per_event=%.0f events_per_s=%.0f hits=%zu journal_bytes=%zu\n",
	       (size_t)(st.detections + st.correlations), events, ns, 1e9 / ns, (size_t)st.hits, (size_t)st.journal_bytes);
	if (is_flood) {
		struct timespec a, b;

		clock_fake_advance(&clk, 61000000000);
		clock_gettime(CLOCK_MONOTONIC, &a);
		live_tick(l);
		clock_gettime(CLOCK_MONOTONIC, &b);
		live_stats(l, &st);
		printf("bench_live state_bytes=%zu groups=%zu snapshot_ms=%.0f\n", (size_t)st.bytes, (size_t)st.groups,
		       (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6);
	}
	live_free(l);
	store_close(s);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command) != 0;
}
