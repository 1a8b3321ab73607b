/* probe_run.c - the probe alone, without rules or uplink, for the benches: what it costs and misses.
 *
 * usage: probe_run [-r RING_BYTES] [-p POLL_MS] [-f]      -f: forks too
 *
 * Says "ready" once attached; at SIGINT or SIGTERM prints one line:
 *
 *   probe seen=N delivered=N lost=N malformed=N gap=N cpu_ms=N rss_kb=N exec_bytes=N
 *
 * gap: what the gap events said in sum. rss_kb: at the end. exec_bytes: mean length of the texts. */
#include "agent/probe/probe.h"

#include <signal.h>
#include <sys/resource.h>

struct totals {
	uint64_t gap, execs, text_bytes;
};

static void on_event(void *arg, const struct event *e)
{
	struct totals *t = arg;

	if (e->type == EV_GAP)
		t->gap += e->gap.lost;
	if (e->type != EV_EXEC)
		return;
	t->execs++;
	t->text_bytes += e->p.cgroup.n + e->p.exe.n + e->p.cwd.n + e->p.argv0.n + e->p.args.n +
			 e->p.env.n;
}

static void stop(void *arg)
{
	loop_stop(arg);
}

static unsigned long rss_kb(void)
{
	CLEANUP(fclosep) FILE *f = fopen("/proc/self/statm", "re");
	unsigned long size = 0, resident = 0;

	if (!f || fscanf(f, "%lu %lu", &size, &resident) != 2)
		return 0;
	return resident * (unsigned long)sysconf(_SC_PAGESIZE) / 1024;
}

static void report(struct probe *p, const struct totals *t)
{
	struct probe_stats s;
	struct rusage u;

	(void)probe_drain(p);
	probe_stats(p, &s);
	getrusage(RUSAGE_SELF, &u);
	printf("probe seen=%lu delivered=%lu lost=%lu malformed=%lu gap=%lu cpu_ms=%ld rss_kb=%lu "
	       "exec_bytes=%lu\n",
	       s.class[EVC_PROCESS].seen, s.class[EVC_PROCESS].delivered, s.class[EVC_PROCESS].lost,
	       s.class[EVC_PROCESS].malformed, t->gap,
	       (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
		       (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000,
	       rss_kb(), t->execs ? t->text_bytes / t->execs : 0);
}

int main(int argc, char **argv)
{
	static const struct probe_ops ops = { .on_event = on_event };
	struct probe_config cfg = { 0 };
	struct totals t = { 0 };
	struct err err = { 0 };
	int c;

	while ((c = getopt(argc, argv, "r:p:f")) != -1) {
		if (c == 'r')
			cfg.ring_bytes[EVC_PROCESS] = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 'p')
			cfg.poll_ms = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 'f')
			cfg.with_fork = true;
		else
			return 2;
	}
	CLEANUP(loop_freep) struct loop *l = NULL;
	CLEANUP(probe_freep) struct probe *p = NULL;
	if (loop_new(&l, &err) < 0 || loop_signal(l, SIGINT, stop, l, &err) < 0 ||
	    loop_signal(l, SIGTERM, stop, l, &err) < 0 ||
	    probe_new(l, clock_real(), &cfg, &ops, &t, &p, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	printf("ready rss_kb=%lu\n", rss_kb());
	fflush(stdout);
	loop_run(l);
	report(p, &t);
	return 0;
}
