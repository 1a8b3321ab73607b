/* bench_store.c - the history against plain rows with three indexes, in one run on the same records.
 *
 *	bench_store [EVENTS [FOLDER]]	default 1,000,000, a new folder under /var/tmp (a real disk)
 *
 * Records are execs of 50 hosts, 400 containers, 500 programs with changing arguments, in batches of
 * 500, each batch a transaction with synchronous=FULL on both sides. Packing is not timed. */
#include <ftw.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <time.h>

#include "collector/store/store.h"

enum { BATCH = 500, HOSTS = 50, CONTAINERS = 400, PROGRAMS = 500 };

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
	fprintf(stderr, "bench_store: %s\n", err->msg);
	exit(1);
}

static double now_s(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

struct names {
	char agent[HOSTS][37], host[HOSTS][16], container_id[CONTAINERS][65], container[CONTAINERS][24];
	char image[CONTAINERS][40], program[PROGRAMS][16], exe[PROGRAMS][48];
};

static void make_names(struct names *n)
{
	for (int i = 0; i < HOSTS; i++) {
		snprintf(n->agent[i], 37, "%08x-1111-4222-8333-%012llx", (unsigned)rnd(),
			 (unsigned long long)(rnd() & 0xffffffffffff));
		snprintf(n->host[i], 16, "node-%02d", i);
	}
	for (int i = 0; i < CONTAINERS; i++) {
		for (int k = 0; k < 64; k += 16)
			snprintf(n->container_id[i] + k, 17, "%016llx", (unsigned long long)rnd());
		snprintf(n->container[i], 24, "service-%03d", i);
		snprintf(n->image[i], 40, "registry.example/app-%02d:1.%d", i % 60, i % 7);
	}
	for (int i = 0; i < PROGRAMS; i++) {
		snprintf(n->program[i], 16, "prog%03d", i);
		snprintf(n->exe[i], 48, "/usr/local/bin/prog%03d", i);
	}
}

/* One event: the record, and its columns for the plain table. */
struct event {
	Picket__Record rec;
	Picket__Event ev;
	Picket__Process p;
	Picket__Container c;
	Picket__Ancestor parent[2], *parents[2];
	char args[160], cmdline[192];
	int host, container, program;
};

static void make_event(const struct names *n, uint64_t i, int host, struct event *e)
{
	uint64_t r = rnd();

	picket__record__init(&e->rec);
	picket__event__init(&e->ev);
	picket__process__init(&e->p);
	picket__container__init(&e->c);
	e->host = host;
	e->container = (int)((uint64_t)host * 8 + (r & 7) * ((r >> 3) & 7) % 8) % CONTAINERS;
	e->program = (int)(((uint64_t)host * 17 + ((r >> 16) & 63) * ((r >> 24) & 63) % 40) % PROGRAMS);
	e->rec.time_unix_ns = 1795400000000000000ull + i * 50000 + (r & 0x7fff);
	e->rec.body_case = PICKET__RECORD__BODY_EVENT;
	e->rec.event = &e->ev;
	e->ev.type = PICKET__EVENT_TYPE__EVENT_EXEC;
	e->ev.process = &e->p;
	e->ev.container = &e->c;
	e->p.pid = 1000 + (uint32_t)((r >> 44) % 4000000);
	e->p.vpid = 1 + (uint32_t)((r >> 40) % 3000);
	e->p.ppid = 900 + (uint32_t)((r >> 20) % 4000);
	e->p.start_ns = i * 50000 + (r & 0x7ff);
	e->p.name = msg_bytes(slice_of(n->program[e->program]));
	e->p.exe = msg_bytes(slice_of(n->exe[e->program]));
	e->p.argv0 = e->p.exe;
	int args = snprintf(e->args, sizeof(e->args), "--worker%c%llu%c--config%c/etc/app/%llu.conf%cuser%llu",
			    0, (unsigned long long)((r >> 40) & 4095), 0, 0,
			    (unsigned long long)((r >> 20) & 255), 0, (unsigned long long)((r >> 52) & 63));
	e->p.args = msg_bytes(slice_from(e->args, (size_t)args + 1));
	snprintf(e->cmdline, sizeof(e->cmdline), "%s --worker %llu --config /etc/app/%llu.conf user%llu",
		 n->program[e->program], (unsigned long long)((r >> 40) & 4095),
		 (unsigned long long)((r >> 20) & 255), (unsigned long long)((r >> 52) & 63));
	e->p.cwd = msg_bytes(SLICE_LIT("/srv/app"));
	e->p.uid = e->p.gid = e->p.real_uid = r % 5 ? 1000 : 0;
	e->p.user = msg_bytes(r % 5 ? SLICE_LIT("app") : SLICE_LIT("root"));
	e->p.login_uid = UINT32_MAX;
	e->p.session_id = e->p.group_id = e->p.ppid;
	e->p.cap_effective = e->p.cap_permitted = r % 5 ? 0 : 0xa80425fb;
	e->p.ns_pid = e->p.ns_mnt = e->p.ns_net = 4026532000u + (uint32_t)e->container;
	e->p.ns_user = 4026531837u;
	e->p.cgroup_id = 10000 + (uint64_t)e->container;
	e->p.exe_inode = 500000 + (uint64_t)e->program;
	e->p.exe_ctime_ns = e->p.exe_mtime_ns = 1790000000000000000ull + (uint64_t)e->program * 1000003;
	for (int k = 0; k < 2; k++) {
		picket__ancestor__init(&e->parent[k]);
		e->parent[k].pid = 100 + (uint32_t)(r >> (8 * k) & 255);
		e->parent[k].start_ns = 1000000 + (r >> (8 * k) & 255) * 7919;
		e->parent[k].name = msg_bytes(k ? SLICE_LIT("containerd-shim") : SLICE_LIT("supervisor"));
		e->parent[k].exe = msg_bytes(k ? SLICE_LIT("/usr/bin/containerd-shim") :
						 SLICE_LIT("/usr/bin/supervisor"));
		e->parents[k] = &e->parent[k];
	}
	e->p.ancestors = e->parents;
	e->p.n_ancestors = 2;
	e->c.id = (char *)(uintptr_t)n->container_id[e->container];
	e->c.name = msg_bytes(slice_of(n->container[e->container]));
	e->c.image = msg_bytes(slice_of(n->image[e->container]));
}

/* ---- plain rows ---- */

static sqlite3 *rows;
static sqlite3_stmt *row_insert;

static void sql(const char *text)
{
	if (sqlite3_exec(rows, text, NULL, NULL, NULL) != SQLITE_OK) {
		fprintf(stderr, "bench_store: %s\n", sqlite3_errmsg(rows));
		exit(1);
	}
}

static void rows_open(const char *path)
{
	if (sqlite3_open(path, &rows) != SQLITE_OK)
		exit(1);
	sql("PRAGMA page_size=16384; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
	    "PRAGMA cache_size=-65536;"
	    "CREATE TABLE event(id INTEGER PRIMARY KEY, time INTEGER, host TEXT, container_id TEXT,"
	    " container TEXT, image TEXT, type INTEGER, pid INTEGER, ppid INTEGER, process TEXT,"
	    " exe TEXT, cmdline TEXT, user TEXT);"
	    "CREATE INDEX e1 ON event(time); CREATE INDEX e2 ON event(container_id, time);"
	    "CREATE INDEX e3 ON event(process, time)");
	if (sqlite3_prepare_v2(rows, "INSERT INTO event VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?,?)", -1,
			       &row_insert, NULL) != SQLITE_OK)
		exit(1);
}

static void rows_add(const struct names *n, const struct event *e)
{
	const char *texts[] = { n->host[e->host],	  n->container_id[e->container],
				n->container[e->container], n->image[e->container] };

	sqlite3_bind_int64(row_insert, 1, (int64_t)e->rec.time_unix_ns);
	for (int i = 0; i < 4; i++)
		sqlite3_bind_text(row_insert, 2 + i, texts[i], -1, SQLITE_STATIC);
	sqlite3_bind_int(row_insert, 6, (int)e->ev.type);
	sqlite3_bind_int64(row_insert, 7, e->p.pid);
	sqlite3_bind_int64(row_insert, 8, e->p.ppid);
	sqlite3_bind_text(row_insert, 9, n->program[e->program], -1, SQLITE_STATIC);
	sqlite3_bind_text(row_insert, 10, n->exe[e->program], -1, SQLITE_STATIC);
	sqlite3_bind_text(row_insert, 11, e->cmdline, -1, SQLITE_STATIC);
	sqlite3_bind_text(row_insert, 12, e->p.uid ? "app" : "root", -1, SQLITE_STATIC);
	if (sqlite3_step(row_insert) != SQLITE_DONE)
		exit(1);
	sqlite3_reset(row_insert);
}

static uint64_t rows_ask(const char *where)
{
	char text[512];
	sqlite3_stmt *st;
	uint64_t n = 0;

	snprintf(text, sizeof(text), "SELECT * FROM event %s", where);
	if (sqlite3_prepare_v2(rows, text, -1, &st, NULL) != SQLITE_OK)
		exit(1);
	while (sqlite3_step(st) == SQLITE_ROW)
		n++;
	sqlite3_finalize(st);
	return n;
}

/* ---- the history ---- */

struct run {
	double wall, cpu;
	uint64_t raw_bytes;
};

static void fill(struct store *s, const struct names *n, uint64_t events, struct run *mine,
		 struct run *plain)
{
	static struct event batch[BATCH];
	static struct buf packed[BATCH];
	uint64_t next[HOSTS] = { 0 };
	struct err err;

	for (uint64_t i = 0; i < events; i += BATCH) {
		int host = (int)(i / BATCH * 7 % HOSTS);

		for (int k = 0; k < BATCH; k++) {
			make_event(n, i + (uint64_t)k, host, &batch[k]);
			buf_reset(&packed[k]);
			must(msg_pack_record(&batch[k].rec, &packed[k], &err), &err);
			mine->raw_bytes += packed[k].n;
		}
		double w = now_s(CLOCK_MONOTONIC), c = now_s(CLOCK_PROCESS_CPUTIME_ID);
		must(store_begin(s, &err), &err);
		for (int k = 0; k < BATCH; k++)
			must(store_history_add(s, n->agent[host], 1, ++next[host], buf_slice(&packed[k]),
					       &batch[k].rec, &err),
			     &err);
		must(store_seq_set(s, n->agent[host], 1, next[host], BATCH, 0, &err), &err);
		must(store_commit(s, &err), &err);
		double w2 = now_s(CLOCK_MONOTONIC), c2 = now_s(CLOCK_PROCESS_CPUTIME_ID);
		mine->wall += w2 - w;
		mine->cpu += c2 - c;
		sql("BEGIN IMMEDIATE");
		for (int k = 0; k < BATCH; k++)
			rows_add(n, &batch[k]);
		sql("COMMIT");
		plain->wall += now_s(CLOCK_MONOTONIC) - w2;
		plain->cpu += now_s(CLOCK_PROCESS_CPUTIME_ID) - c2;
	}
	for (int k = 0; k < BATCH; k++)
		buf_fini(&packed[k]);
}

static int count_event(void *arg, const struct store_event *e)
{
	(void)e;
	++*(uint64_t *)arg;
	return 0;
}

/* Page after page, until limit rows or the end. */
static uint64_t ask(struct store *s, const char *filter, uint64_t limit)
{
	char cursor[64] = "", before[64];
	uint64_t n = 0;
	struct err err;

	do {
		memcpy(before, cursor, sizeof(before));
		struct store_query q = { .filter = slice_of(filter), .limit = limit, .cursor = before };
		must(store_history_query(s, &q, count_event, &n, cursor, sizeof(cursor), &err), &err);
	} while (cursor[0] && n < limit);
	return n;
}

static void compare(struct store *s, const char *what, const char *filter, uint64_t limit,
		    const char *where)
{
	double t0 = now_s(CLOCK_MONOTONIC);
	uint64_t mine = ask(s, filter, limit);
	double t1 = now_s(CLOCK_MONOTONIC);
	uint64_t plain = rows_ask(where);
	double t2 = now_s(CLOCK_MONOTONIC);

	printf("  %-40s %8llu rows %9.1f ms | %8llu rows %9.1f ms\n", what, (unsigned long long)mine,
	       (t1 - t0) * 1e3, (unsigned long long)plain, (t2 - t1) * 1e3);
}

static void compare_all(struct store *s, const struct names *n)
{
	char filter[256], where[256];

	printf("queries                                          history             |      rows\n");
	snprintf(filter, sizeof(filter), "container.id=%s", n->container_id[123]);
	snprintf(where, sizeof(where), "WHERE container_id='%s' ORDER BY time DESC LIMIT 100",
		 n->container_id[123]);
	compare(s, "one container, newest 100", filter, 100, where);
	snprintf(where, sizeof(where), "WHERE container_id='%s' ORDER BY time DESC", n->container_id[123]);
	compare(s, "one container, all", filter, 100000, where);
	compare(s, "one program, newest 100", "process=prog077", 100,
		"WHERE process='prog077' ORDER BY time DESC LIMIT 100");
	compare(s, "one program, all", "process=prog077", 100000,
		"WHERE process='prog077' ORDER BY time DESC");
	compare(s, "absent program", "process=absent", 100, "WHERE process='absent'");
	compare(s, "one host, newest 100", "host=node-07", 100,
		"WHERE host='node-07' ORDER BY time DESC LIMIT 100");
	compare(s, "command line ~ \"4000 --config\", newest 100", "cmdline~\"worker 4000 --config\"", 100,
		"WHERE cmdline LIKE '%worker 4000 --config%' ORDER BY time DESC LIMIT 100");
	compare(s, "absent text over everything", "cmdline~\"no such thing\"", 100,
		"WHERE cmdline LIKE '%no such thing%'");
}

static void show(const char *what, const struct run *r, uint64_t events, uint64_t bytes)
{
	printf("  %-8s %10.0f rows/s %8.2f us wall %8.2f us CPU %8.1f bytes/event\n", what,
	       (double)events / r->wall, r->wall * 1e6 / (double)events, r->cpu * 1e6 / (double)events,
	       (double)bytes / (double)events);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st;
	(void)flag;
	(void)f;
	return remove(path);
}

int main(int argc, char **argv)
{
	uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
	char dir[128] = "/var/tmp/picket-bench-XXXXXX", path[160];
	static struct names n;
	struct run mine = { 0 }, plain = { 0 };
	struct clock clk = clock_fake(1795400000000000000ull); /* one day, whatever the hour */
	struct store *s;
	struct err err;
	struct stat st;

	clk.boot_ns = clock_real()->boot_ns; /* the budget of a query is real */
	if (argc > 2)
		snprintf(dir, sizeof(dir), "%s/picket-bench-XXXXXX", argv[2]);
	if (!mkdtemp(dir))
		return 1;
	events -= events % BATCH;
	make_names(&n);
	must(store_open(&(struct store_config){ .dir = dir, .reserve_bytes = 1 }, &clk, &s, &err), &err);
	for (int i = 0; i < HOSTS; i++)
		must(store_agent_enrol(s,
				       &(struct store_agent){
					       .id = n.agent[i], .host = n.host[i], .serial = "1" },
				       &err),
		     &err);
	snprintf(path, sizeof(path), "%s/rows.db", dir);
	rows_open(path);
	fill(s, &n, events, &mine, &plain);
	sql("PRAGMA wal_checkpoint(TRUNCATE)");
	if (stat(path, &st) < 0)
		return 1;
	store_close(s); /* checkpoints */
	must(store_open(&(struct store_config){ .dir = dir, .reserve_bytes = 1 }, &clk, &s, &err), &err);
	struct store_status status;
	must(store_status(s, &status, &err), &err);
	printf("%llu events of %.0f bytes, batches of %d, synchronous=FULL\n", (unsigned long long)events,
	       (double)mine.raw_bytes / (double)events, BATCH);
	show("history", &mine, events, status.history_bytes);
	show("rows", &plain, events, (uint64_t)st.st_size);
	printf("  ratio    %10.1f x rows/s, %.1f x smaller\n", plain.wall / mine.wall,
	       (double)st.st_size / (double)status.history_bytes);
	compare_all(s, &n);
	store_close(s);
	sqlite3_finalize(row_insert);
	sqlite3_close(rows);
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
