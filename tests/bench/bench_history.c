/* bench_history.c - a month of a fleet in virtual time: what is asked of it, its size, its verification, its dropping.
 *
 *	bench_history [EVENTS [FOLDER [MAX_BYTES]]]	default 1,000,000 in 30 days, a new folder under /var/tmp
 *
 * 50 hosts, 400 containers, 500 programs; of 100 events 40 are execs, 20 exits, 25 opened files, 10 connections, 3 other
 * calls, 2 findings. Packing is not timed. MAX_BYTES: retention by size while it fills. */
#include <arpa/inet.h>
#include <ftw.h>
#include <sys/stat.h>
#include <time.h>

#include "collector/store/store_history.h"

enum { BATCH = 1000, HOSTS = 50, CONTAINERS = 400, PROGRAMS = 500, DAYS = 30, ROUNDS = 100 };
static const uint64_t t0_ns = 1795392000ull * 1000000000, day_ns = 24 * 3600ull * 1000000000;

static uint64_t seed = 88172645463325252ull;
static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static void must(int r, const struct err *err)
{
	if (r >= 0)
		return;
	fprintf(stderr, "bench_history: %s\n", err->msg);
	exit(1);
}

static double now_s(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static char agent[HOSTS][37], host[HOSTS][16], container_id[CONTAINERS][65], container[CONTAINERS][24];
static char image[CONTAINERS][40], program[PROGRAMS][16], exe[PROGRAMS][48];

static void make_names(void)
{
	for (int i = 0; i < HOSTS; i++) {
		snprintf(agent[i], 37, "%08x-1111-4222-8333-%012llx", (unsigned)rnd(),
			 (unsigned long long)(rnd() & 0xffffffffffff));
		snprintf(host[i], 16, "node-%02d", i);
	}
	for (int i = 0; i < CONTAINERS; i++) {
		for (int k = 0; k < 64; k += 16)
			snprintf(container_id[i] + k, 17, "%016llx", (unsigned long long)rnd());
		snprintf(container[i], 24, "service-%03d", i);
		snprintf(image[i], 40, "registry.example/app-%02d:1.%d", i % 60, i % 7);
	}
	for (int i = 0; i < PROGRAMS; i++) {
		snprintf(program[i], 16, "prog%03d", i);
		snprintf(exe[i], 48, "/usr/local/bin/prog%03d", i);
	}
}

struct event {
	Picket__Record rec;
	Picket__Event ev;
	Picket__Finding finding;
	Picket__Process p;
	Picket__Container c;
	Picket__Ancestor parent[2], *parents[2];
	Picket__Exit exit;
	Picket__File file;
	Picket__Network net;
	char args[160], path[64], output[128];
	uint8_t local[4], remote[4];
	char call[16], protocol[8], rule[32], priority[16];
};

static void make_process(struct event *e, uint64_t at, int on, int c, uint64_t r)
{
	int prog = (int)(((uint64_t)on * 17 + ((r >> 16) & 63) * ((r >> 24) & 63) % 40) % PROGRAMS);

	picket__process__init(&e->p);
	picket__container__init(&e->c);
	e->p.pid = 1000 + (uint32_t)((r >> 44) % 60000);
	e->p.vpid = 1 + (uint32_t)((r >> 40) % 3000);
	e->p.ppid = 900 + (uint32_t)((r >> 20) % 400);
	e->p.start_ns = at - t0_ns + 1000000;
	e->p.name = msg_bytes(slice_of(program[prog]));
	e->p.exe = msg_bytes(slice_of(exe[prog]));
	e->p.argv0 = e->p.exe;
	int args = snprintf(e->args, sizeof(e->args), "--worker%c%llu%c--config%c/etc/app/%llu.conf%cuser%llu", 0,
			    (unsigned long long)((r >> 40) & 4095), 0, 0, (unsigned long long)((r >> 20) & 255), 0,
			    (unsigned long long)((r >> 52) & 63));
	e->p.args = msg_bytes(slice_from(e->args, (size_t)args + 1));
	e->p.cwd = msg_bytes(SLICE_LIT("/srv/app"));
	e->p.uid = e->p.gid = e->p.real_uid = r % 5 ? 1000 : 0;
	e->p.user = msg_bytes(r % 5 ? SLICE_LIT("app") : SLICE_LIT("root"));
	e->p.login_uid = UINT32_MAX;
	e->p.session_id = e->p.group_id = e->p.ppid;
	e->p.cap_effective = e->p.cap_permitted = r % 5 ? 0 : 0xa80425fb;
	e->p.ns_pid = e->p.ns_mnt = e->p.ns_net = 4026532000u + (uint32_t)c;
	e->p.ns_user = 4026531837u;
	e->p.cgroup_id = 10000 + (uint64_t)c;
	e->p.exe_inode = 500000 + (uint64_t)prog;
	e->p.exe_ctime_ns = e->p.exe_mtime_ns = 1790000000000000000ull + (uint64_t)prog * 1000003;
	for (int k = 0; k < 2; k++) {
		picket__ancestor__init(&e->parent[k]);
		e->parent[k].pid = 100 + (uint32_t)(r >> (8 * k) & 255);
		e->parent[k].start_ns = 1000000 + (r >> (8 * k) & 255) * 7919;
		e->parent[k].name = msg_bytes(k ? SLICE_LIT("containerd-shim") : SLICE_LIT("supervisor"));
		e->parent[k].exe = msg_bytes(k ? SLICE_LIT("/usr/bin/containerd-shim") : SLICE_LIT("/usr/bin/supervisor"));
		e->parents[k] = &e->parent[k];
	}
	e->p.ancestors = e->parents;
	e->p.n_ancestors = 2;
	e->c.id = container_id[c];
	e->c.name = msg_bytes(slice_of(container[c]));
	e->c.image = msg_bytes(slice_of(image[c]));
}

static void make_deed(struct event *e, unsigned what, uint64_t r, uint64_t i)
{
	e->ev.type = what < 40 ? PICKET__EVENT_TYPE__EVENT_EXEC :
		     what < 60 ? PICKET__EVENT_TYPE__EVENT_EXIT :
		     what < 85 ? PICKET__EVENT_TYPE__EVENT_FILE :
		     what < 95 ? PICKET__EVENT_TYPE__EVENT_NETWORK :
				 PICKET__EVENT_TYPE__EVENT_CALL;
	if (what < 40 && i % 1500007 == 11) /* once in a while what is looked for later */
		e->p.exe = msg_bytes(SLICE_LIT("/tmp/.x/miner"));
	if (what >= 40 && what < 60) {
		picket__exit__init(&e->exit);
		e->exit.duration_ns = r >> 34;
		e->ev.exit = &e->exit;
	} else if (what >= 60 && what < 85) {
		picket__file__init(&e->file);
		snprintf(e->path, sizeof(e->path), "/srv/app/data/%llu/file%llu", (unsigned long long)(r >> 10 & 31),
			 (unsigned long long)((r >> 30 & 255) * (r >> 40 & 15)));
		e->file.path = e->file.raw = msg_bytes(slice_of(e->path));
		e->file.open_flags = 02000000;
		e->file.file_mode = 0100644;
		e->file.inode = 900000 + (r >> 30 & 4095);
		e->file.dev = 2049;
		snprintf(e->call, sizeof(e->call), "openat");
		e->ev.call = e->call;
		e->ev.result = 3 + (int)(r >> 50 & 31);
		e->ev.file = &e->file;
	} else if (what >= 85 && what < 95) {
		uint32_t to = htonl(i % 1500007 == 13 ? 0xcb007107u : 0x0a010000u + (uint32_t)((r >> 20 & 63) * (r >> 28 & 31)));

		picket__network__init(&e->net);
		snprintf(e->protocol, sizeof(e->protocol), "tcp");
		snprintf(e->call, sizeof(e->call), "connect");
		memcpy(e->remote, &to, 4);
		memcpy(e->local, (uint8_t[]){ 10, 0, 0, 7 }, 4);
		e->net.protocol = e->protocol;
		e->net.remote_address = msg_bytes(slice_from(e->remote, 4));
		e->net.local_address = msg_bytes(slice_from(e->local, 4));
		e->net.remote_port = 443;
		e->net.local_port = 32768 + (uint32_t)(r >> 40 & 16383);
		e->ev.call = e->call;
		e->ev.network = &e->net;
	} else if (what >= 95) {
		snprintf(e->call, sizeof(e->call), "ptrace");
		e->ev.call = e->call;
	}
}

static void make_event(struct event *e, uint64_t i, uint64_t at, int on)
{
	uint64_t r = rnd();
	unsigned what = (unsigned)(r >> 5) % 100;
	int c = (int)((uint64_t)on * 8 + (r & 7) * ((r >> 3) & 7) % 8) % CONTAINERS;

	picket__record__init(&e->rec);
	make_process(e, at, on, c, r);
	e->rec.time_unix_ns = at;
	if (what >= 98) {
		picket__finding__init(&e->finding);
		snprintf(e->rule, sizeof(e->rule), "Rule %llu", (unsigned long long)(r >> 20 & 31));
		snprintf(e->priority, sizeof(e->priority), "Notice");
		snprintf(e->output, sizeof(e->output), "something of %.*s in %s", SLICE_FMT(msg_slice(e->p.name)), container[c]);
		e->finding.rule = e->rule;
		e->finding.priority = e->priority;
		e->finding.output = e->output;
		e->finding.process = &e->p;
		e->finding.container = &e->c;
		e->rec.body_case = PICKET__RECORD__BODY_FINDING;
		e->rec.finding = &e->finding;
		return;
	}
	picket__event__init(&e->ev);
	e->rec.body_case = PICKET__RECORD__BODY_EVENT;
	e->rec.event = &e->ev;
	e->ev.process = &e->p;
	e->ev.container = &e->c;
	make_deed(e, what, r, i);
}

struct filled {
	double wall, cpu, worst_ms, worst_drop_ms;
	uint64_t raw_bytes, worst_bytes, drops;
};

/* Retention once a virtual minute or so, as the loop calls it. */
static void tidy(struct store *s, uint64_t max_bytes, struct filled *f)
{
	double before = now_s(CLOCK_MONOTONIC);
	struct store_status st;
	struct err err;

	must(store_history_tidy(s, &err), &err);
	double took = (now_s(CLOCK_MONOTONIC) - before) * 1e3;
	if (took > f->worst_drop_ms)
		f->worst_drop_ms = took;
	if (!max_bytes)
		return;
	must(store_status(s, &st, &err), &err);
	if (st.history_bytes > f->worst_bytes)
		f->worst_bytes = st.history_bytes;
}

static void fill(struct store *s, struct clock *clk, uint64_t events, uint64_t max_bytes, struct filled *f)
{
	static struct event batch[BATCH];
	static struct buf packed[BATCH];
	static uint64_t next[HOSTS];
	uint64_t step = DAYS * day_ns / events;
	struct err err;

	for (uint64_t i = 0; i < events; i += BATCH) {
		int on = (int)(i / BATCH * 7 % HOSTS);

		for (int k = 0; k < BATCH; k++) {
			make_event(&batch[k], i + (uint64_t)k, t0_ns + (i + (uint64_t)k) * step, on);
			buf_reset(&packed[k]);
			must(msg_pack_record(&batch[k].rec, &packed[k], &err), &err);
			f->raw_bytes += packed[k].n;
		}
		clk->fake_unix_ns = t0_ns + (i + BATCH) * step;
		clk->fake_boot_ns += BATCH * step;
		double w = now_s(CLOCK_MONOTONIC), c = now_s(CLOCK_PROCESS_CPUTIME_ID);
		must(store_begin(s, &err), &err);
		for (int k = 0; k < BATCH; k++)
			must(store_history_add(s, agent[on], 1, ++next[on], buf_slice(&packed[k]), &batch[k].rec, &err), &err);
		must(store_seq_set(s, agent[on], 1, next[on], BATCH, 0, &err), &err);
		must(store_commit(s, &err), &err);
		double took = now_s(CLOCK_MONOTONIC) - w;
		f->wall += took;
		f->cpu += now_s(CLOCK_PROCESS_CPUTIME_ID) - c;
		if (took * 1e3 > f->worst_ms)
			f->worst_ms = took * 1e3;
		if (i / BATCH % 16 == 0)
			tidy(s, max_bytes, f);
	}
}

/* ---- questions ---- */

static int order_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct asked {
	uint64_t rows;
	bool counts_none;
};
static int take(void *arg, const struct store_event *e)
{
	struct asked *a = arg;

	(void)e;
	a->rows++;
	return a->counts_none;
}

/* Until limit rows, or the end; returns how many requests it took. */
static unsigned ask(struct store *s, const char *filter, uint64_t since, uint64_t until, uint64_t limit, uint64_t *rows,
		    double *worst)
{
	static const char *const execs[] = { "exec", NULL }, *const peers[] = { "network", "traffic", "admission", NULL };
	struct asked a = { .counts_none = !limit };
	char cursor[64] = "", before[64];
	unsigned pages = 0;
	struct err err;

	do {
		double t = now_s(CLOCK_MONOTONIC);

		memcpy(before, cursor, sizeof(before));
		struct store_query q = { .filter = slice_of(filter),
					 .since_unix_ns = since,
					 .until_unix_ns = until,
					 .limit = limit ? limit : 100000,
					 .cursor = before,
					 .types = strstr(filter, "address=") ? peers : strstr(filter, "pid=") ? NULL : execs };
		must(store_history_query(s, &q, take, &a, cursor, sizeof(cursor), &err), &err);
		t = (now_s(CLOCK_MONOTONIC) - t) * 1e3;
		*worst = t > *worst ? t : *worst;
		pages++;
	} while (cursor[0] && (!limit || a.rows < limit));
	*rows += a.rows;
	return pages;
}

static void measure(struct store *s, const char *what, uint64_t limit, unsigned rounds,
		    void (*make)(char *filter, size_t size, uint64_t *since, uint64_t *until))
{
	double took[ROUNDS], worst = 0;
	uint64_t rows = 0, pages = 0;

	for (unsigned i = 0; i < rounds; i++) {
		uint64_t since = 0, until = 0;
		char filter[256];

		make(filter, sizeof(filter), &since, &until);
		double t = now_s(CLOCK_MONOTONIC);
		pages += ask(s, filter, since, until, limit, &rows, &worst);
		took[i] = (now_s(CLOCK_MONOTONIC) - t) * 1e3;
	}
	qsort(took, rounds, sizeof(took[0]), order_doubles);
	printf("  %-52s p50 %8.1f ms  p95 %8.1f ms  %8.1f rows  %5.1f requests, longest %6.1f ms\n", what,
	       took[rounds / 2], took[rounds * 95 / 100], (double)rows / rounds, (double)pages / rounds, worst);
	fflush(stdout);
}

static void some_time(uint64_t *since, uint64_t *until)
{
	*since = t0_ns + rnd() % (29 * day_ns);
	*until = *since + day_ns;
}

static void container_in_time(char *f, size_t n, uint64_t *since, uint64_t *until)
{
	snprintf(f, n, "container=%s", container[rnd() % CONTAINERS]);
	some_time(since, until);
}
static void container_ever(char *f, size_t n, uint64_t *since, uint64_t *until)
{
	(void)since, (void)until;
	snprintf(f, n, "container.id=%s", container_id[rnd() % CONTAINERS]);
}
static void rare_binary(char *f, size_t n, uint64_t *since, uint64_t *until)
{
	(void)since, (void)until;
	snprintf(f, n, "exe=/tmp/.x/miner");
}
static void absent_binary(char *f, size_t n, uint64_t *since, uint64_t *until)
{
	(void)since, (void)until;
	snprintf(f, n, "exe=/tmp/%llx", (unsigned long long)rnd());
}
static void some_binary(char *f, size_t n, uint64_t *since, uint64_t *until)
{
	(void)since, (void)until;
	snprintf(f, n, "exe=%s", exe[rnd() % PROGRAMS]);
}
static void rare_address(char *f, size_t n, uint64_t *since, uint64_t *until)
{
	(void)since, (void)until;
	snprintf(f, n, "address=203.0.113.7");
}
static void absent_address(char *f, size_t n, uint64_t *since, uint64_t *until)
{
	(void)since, (void)until;
	snprintf(f, n, "address=198.51.%llu.%llu", (unsigned long long)(rnd() % 256), (unsigned long long)(rnd() % 256));
}
static void some_address(char *f, size_t n, uint64_t *since, uint64_t *until)
{
	(void)since, (void)until;
	snprintf(f, n, "address=10.1.%llu.%llu", (unsigned long long)(rnd() % 7), (unsigned long long)(rnd() % 256));
}
static void process_in_time(char *f, size_t n, uint64_t *since, uint64_t *until)
{
	snprintf(f, n, "host=%s pid=%llu", host[rnd() % HOSTS], (unsigned long long)(1000 + rnd() % 60000));
	some_time(since, until);
	*until = *since + day_ns / 24;
}
static void one_host(char *f, size_t n, uint64_t *since, uint64_t *until)
{
	(void)since, (void)until;
	snprintf(f, n, "host=%s", host[rnd() % HOSTS]);
}
static void absent_text(char *f, size_t n, uint64_t *since, uint64_t *until)
{
	(void)since, (void)until;
	snprintf(f, n, "cmdline~\"no such thing\"");
}

static void ask_all(struct store *s)
{
	printf("questions (rows: of each, on average)\n");
	measure(s, "container, a day: newest 100 execs", 100, ROUNDS, container_in_time);
	measure(s, "container, 30 days: newest 100 execs", 100, ROUNDS, container_ever);
	measure(s, "rare binary, 30 days: all", 0, 20, rare_binary);
	measure(s, "absent binary, 30 days: all", 0, ROUNDS, absent_binary);
	measure(s, "common binary: newest 100", 100, ROUNDS, some_binary);
	measure(s, "rare address, 30 days: all", 0, 20, rare_address);
	measure(s, "absent address, 30 days: all", 0, ROUNDS, absent_address);
	measure(s, "common address: newest 100", 100, ROUNDS, some_address);
	measure(s, "process of a host, an hour: all", 0, 50, process_in_time);
	measure(s, "host: newest 100", 100, ROUNDS, one_host);
	measure(s, "container, a day: all execs", 0, 20, container_in_time);
	measure(s, "absent text: 10,000 rows at most (a scan)", 10000, 1, absent_text);
}

static void print_fault(void *arg, const char *fault)
{
	++*(int *)arg;
	printf("  %s\n", fault);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st;
	(void)flag;
	(void)f;
	return remove(path);
}

/* A day at a time, as its time comes. */
static void drop_days(struct store *s, struct clock *clk)
{
	struct err err;

	for (int i = 0; i < 3; i++) {
		clk->fake_unix_ns += day_ns;
		clk->fake_boot_ns += day_ns;
		double worst = 0;
		for (int k = 0; k < 8; k++) {
			double t = now_s(CLOCK_MONOTONIC);

			must(store_history_tidy(s, &err), &err);
			t = (now_s(CLOCK_MONOTONIC) - t) * 1e3;
			worst = t > worst ? t : worst;
			clk->fake_boot_ns += 61ull * 1000000000;
		}
		printf("  a day goes: longest look %.1f ms\n", worst);
	}
}

int main(int argc, char **argv)
{
	uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
	uint64_t max_bytes = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
	char dir[128] = "/var/tmp/picket-bench-XXXXXX";
	struct clock clk = clock_fake(t0_ns);
	struct clock asking;
	struct filled f = { 0 };
	struct store *s;
	struct err err;

	if (argc > 2)
		snprintf(dir, sizeof(dir), "%s/picket-bench-XXXXXX", argv[2]);
	if (!mkdtemp(dir))
		return 1;
	events -= events % BATCH;
	make_names();
	struct store_config cfg = { .dir = dir, .history_days = 30, .history_max_bytes = max_bytes, .reserve_bytes = 1 };
	must(store_open(&cfg, &clk, &s, &err), &err);
	for (int i = 0; i < HOSTS; i++)
		must(store_agent_enrol(s, &(struct store_agent){ .id = agent[i], .host = host[i], .serial = "1" }, &err), &err);
	fill(s, &clk, events, max_bytes, &f);
	store_close(s);
	asking = clk;
	asking.boot_ns = clock_real()->boot_ns; /* the budget of a query is real */
	must(store_open(&cfg, &asking, &s, &err), &err);
	struct store_forecast fc;
	struct store_status status;
	must(store_forecast(s, &fc, &err), &err);
	must(store_status(s, &status, &err), &err);
	printf("%llu events of %.0f bytes in %d days, batches of %d\n", (unsigned long long)events,
	       (double)f.raw_bytes / (double)events, DAYS, BATCH);
	printf("  %.0f events/s, %.2f us CPU; %.1f bytes/event; longest commit %.1f ms, longest tidying %.1f ms\n",
	       (double)events / f.wall, f.cpu * 1e6 / (double)events, (double)status.history_bytes / (double)status.events,
	       f.worst_ms, f.worst_drop_ms);
	for (int i = 0; i < STORE_CLASSES; i++)
		printf("  %-8s %.1f MB in files\n", store_class_name((enum store_class)i), (double)fc.classes[i].bytes / 1e6);
	if (max_bytes)
		printf("  bound %llu, most that was there %llu (%.2f %%); %llu events are left\n", (unsigned long long)max_bytes,
		       (unsigned long long)f.worst_bytes, (double)f.worst_bytes * 100 / (double)max_bytes,
		       (unsigned long long)status.events);
	fflush(stdout);
	ask_all(s);
	double t = now_s(CLOCK_MONOTONIC);
	uint64_t records = 0;
	int faults = 0;
	must(store_verify(s, print_fault, &faults, &records, &err), &err);
	t = now_s(CLOCK_MONOTONIC) - t;
	printf("verify: %llu records in %.1f s: 10 million in %.1f s; %d faults\n", (unsigned long long)records, t,
	       t * 1e7 / (double)(records ? records : 1), faults);
	store_close(s);
	must(store_open(&cfg, &clk, &s, &err), &err);
	drop_days(s, &clk);
	store_close(s);
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
