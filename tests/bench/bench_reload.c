/* bench_reload [RULES [HITS]] - how long a change of many rule files holds the loop: RULES files shaped as public Sigma rules,
 * read while HITS execs of as many containers are counted; the longest tick (by the clock, and of
 * the loop's own CPU: the thread that reads takes the other), and how many there were until the new rules were
 * in force.
 *
 *	bench_reload rules=N groups=N state_bytes=N ticks=N longest_ms=N longest_cpu_ms=N total_ms=N */
#include <time.h>

#include "collector/correlate/live.h"
#include "common/file.h"

enum { RULES = 3000, GROUP = 500, TICKS_MAX = 100000 };

static const char *const shapes[] = {
	"title: Program %u out of place\nid: 00000000-0000-4000-8000-%012u\nstatus: test\ndescription: made for a measurement\n"
	"references: ['https://example.org/a/%u']\nauthor: nobody\ndate: 2024-01-02\ntags: [attack.execution, attack.t1059]\n"
	"logsource: {product: linux, category: process_creation}\n"
	"detection:\n  s1:\n    Image|endswith: ['/tool%u', '/t%u']\n    CommandLine|contains|all: [' --x%u', '-o', ' /dev/tcp/']\n"
	"  s2: {CommandLine|re: '^.*(curl|wget)\\s+-[a-z]{1,%u}.*http'}\n  f: {ParentImage|endswith: '/bin/apt%u'}\n"
	"  condition: 1 of s* and not f\nfalsepositives: [Unknown]\nlevel: medium\n",
	"title: File %u written\nid: 00000000-0000-4000-8000-%012u\nreferences: ['https://example.org/%u']\n"
	"logsource: {product: linux, category: file_event}\n"
	"detection:\n  a:\n    TargetFilename|startswith: ['/etc/cron.%u/', '/var/spool/c%u/']\n  b:\n"
	"    TargetFilename|contains: ['/x%u', '.ssh', 'authorized_keys', 'id_rsa%u', '%u.so']\n"
	"  condition: a or b\nlevel: high\n",
	"title: Words %u\nid: 00000000-0000-4000-8000-%012u\nreferences: ['https://example.org/%u']\n"
	"logsource: {product: linux, category: process_creation}\n"
	"detection:\n  s:\n    - CommandLine|contains: ['a%u ', 'b%u ', 'c%u ', 'd%u ', 'e%u ', 'base64 -d', ' -enc ']\n"
	"    - Image|endswith: ['/nc', '/ncat', '/socat']\n      User: root\n  condition: s\nlevel: low\n",
};

static double now_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec * 1e-6;
}

static void must(int r, const struct err *err)
{
	if (r >= 0)
		return;
	fprintf(stderr, "bench_reload: %s\n", err->msg);
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

static void write_rules(const char *dir, unsigned count)
{
	char path[128], text[2048];
	struct err err;

	for (unsigned i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/rule-%05u.yml", dir, i);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(text, sizeof(text), shapes[i % 3], i, i, i, i, i, i, i % 9 + 1, i);
#pragma GCC diagnostic pop
		must(file_write_atomic(path, slice_of(text), 0644, &err), &err);
	}
}

static void feed(struct live *l, unsigned i, uint64_t time_unix_ns, struct err *err)
{
	Picket__Process p = PICKET__PROCESS__INIT;
	Picket__Container c = PICKET__CONTAINER__INIT;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Record rec = PICKET__RECORD__INIT;
	char id[65];

	snprintf(id, sizeof(id), "%064x", i);
	p.exe = msg_bytes(SLICE_LIT("/usr/bin/curl"));
	p.name = msg_bytes(SLICE_LIT("curl"));
	c.id = id;
	c.name = msg_bytes(SLICE_LIT("web"));
	c.image = msg_bytes(SLICE_LIT("shop/web:1.2"));
	ev.type = PICKET__EVENT_TYPE__EVENT_EXEC;
	ev.process = &p;
	ev.container = &c;
	rec.time_unix_ns = time_unix_ns;
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	must(live_record(l, "6f1c3b1e-0000-4000-8000-000000000001", "host-07", 1, i + 1, &rec, err), err);
}

static void feed_all(struct store *s, struct live *l, struct clock *clk, unsigned hits)
{
	struct err err;

	for (unsigned i = 0; i < hits; i++) {
		if (i % GROUP == 0)
			must(store_begin(s, &err), &err);
		feed(l, i, clock_unix_ns(clk) - 1000000, &err);
		if (i % GROUP == GROUP - 1 || i == hits - 1)
			must(store_commit(s, &err), &err);
	}
}

static void reload(struct live *l, struct clock *clk, unsigned count)
{
	double from = now_ms(CLOCK_MONOTONIC), longest = 0, longest_cpu = 0;
	struct live_stats st;
	unsigned ticks = 0;

	do {
		double t = now_ms(CLOCK_MONOTONIC), cpu = now_ms(CLOCK_THREAD_CPUTIME_ID);

		clock_fake_advance(clk, 5000000000);
		live_tick(l);
		t = now_ms(CLOCK_MONOTONIC) - t;
		cpu = now_ms(CLOCK_THREAD_CPUTIME_ID) - cpu;
		longest = t > longest ? t : longest;
		longest_cpu = cpu > longest_cpu ? cpu : longest_cpu;
		live_stats(l, &st);
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL); /* of a second */
	} while (st.detections < count && ++ticks < TICKS_MAX);
	printf("bench_reload rules=%zu groups=%zu state_bytes=%zu ticks=%u longest_ms=%.1f longest_cpu_ms=%.1f total_ms=%.0f\n",
	       (size_t)(st.detections + st.correlations), (size_t)st.groups, (size_t)st.bytes, ticks, longest, longest_cpu, now_ms(CLOCK_MONOTONIC) - from);
}

int main(int argc, char **argv)
{
	unsigned rules = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : RULES;
	unsigned hits = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	char dir[] = "/tmp/picket-bench-XXXXXX", folder[64], command[64];
	struct clock clk = clock_fake(1795464000ull * 1000000000);
	struct store *s = NULL;
	struct live *l = NULL;
	struct err err = { 0 };

	if (!mkdtemp(dir))
		return 1;
	snprintf(folder, sizeof(folder), "%s/rules", dir);
	const struct live_config cfg = { .correlations_dir = "", .rules_dir = folder, .has_shipped = true, .bytes_max = 64 << 20,
					 .lateness_ms = 120000 };
	const struct live_ops ops = { on_fired, on_matched, on_notice };
	must(store_open(&(struct store_config){ .dir = dir, .reserve_bytes = 1 }, &clk, &s, &err), &err);
	must(live_new(s, &clk, &cfg, &ops, NULL, &l, &err), &err);
	feed_all(s, l, &clk, hits);
	must(file_make_dirs(folder, 0755, &err), &err);
	write_rules(folder, rules);
	reload(l, &clk, rules);
	live_free(l);
	store_close(s);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command) != 0;
}
