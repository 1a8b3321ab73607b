/* load_exec.c - vfork and exec a tiny program at a paced rate, and say how many were done.
 *
 * usage: load_exec [-r RATE] [-t SECONDS] [-j WORKERS] [-n EXECS] [-f PROGRAM]
 *
 * RATE: execs a second of all workers together, 0 (the default) = as fast as they can. Ends after
 * SECONDS (default 10) or EXECS (default: no end), whichever is first. PROGRAM (default: load_tiny
 * beside this one) is run as "PROGRAM load_exec WORKER". Prints one line:
 *
 *   exec ops=N failed=F secs=S rate=R cpu_ns=C
 *
 * cpu_ns: user and system time of the workers and what they ran, per exec; what a kernel program
 * adds to an exec is in it. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS_MAX = 256 };
/* A worker sleeps only when this far ahead of its schedule: a sleep per exec would cost more than
 * the exec. */
static const uint64_t ahead_ns = 2000000;

struct load {
	double rate, seconds;
	long count;
	unsigned workers;
	char program[4096];
};

struct tally {
	long ops, failed;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void sleep_until(uint64_t at_ns)
{
	struct timespec ts = { .tv_sec = (time_t)(at_ns / 1000000000),
			       .tv_nsec = (long)(at_ns % 1000000000) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

static int run_one(char *const *argv)
{
	char *envp[] = { NULL };
	int status = 0;
	pid_t pid = vfork();

	if (pid == 0) {
		execve(argv[0], argv, envp);
		_exit(127);
	}
	return pid < 0 || waitpid(pid, &status, 0) != pid || status ? -1 : 0;
}

static void work(const struct load *l, unsigned id, uint64_t start_ns, struct tally *t)
{
	char nr[16], program[sizeof(l->program)], name[] = "load_exec";
	char *argv[] = { program, name, nr, NULL };
	long share = l->count / (long)l->workers + (id < (unsigned)(l->count % (long)l->workers));
	uint64_t end_ns = start_ns + (uint64_t)(l->seconds * 1e9);
	double gap_ns = l->rate > 0 ? 1e9 * l->workers / l->rate : 0;

	memcpy(program, l->program, sizeof(program));
	snprintf(nr, sizeof(nr), "%u", id);
	for (long i = 0; !l->count || i < share; i++) {
		uint64_t now = now_ns(), due = start_ns + (uint64_t)((double)i * gap_ns);

		if (now >= end_ns || due >= end_ns)
			break;
		if (due > now + ahead_ns)
			sleep_until(due);
		if (run_one(argv) < 0)
			t->failed++;
		else
			t->ops++;
	}
}

static double cpu_ns_children(void)
{
	struct rusage r;

	getrusage(RUSAGE_CHILDREN, &r);
	return ((double)r.ru_utime.tv_sec + (double)r.ru_stime.tv_sec) * 1e9 +
	       ((double)r.ru_utime.tv_usec + (double)r.ru_stime.tv_usec) * 1e3;
}

static int run(const struct load *l)
{
	struct tally *t = mmap(NULL, sizeof(*t) * l->workers, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (t == MAP_FAILED)
		return perror("mmap"), 1;
	uint64_t start = now_ns();

	for (unsigned i = 0; i < l->workers; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return perror("fork"), 1;
		if (pid == 0) {
			work(l, i, start, &t[i]);
			_exit(0);
		}
	}
	while (wait(NULL) > 0 || errno == EINTR)
		;
	double seconds = (double)(now_ns() - start) / 1e9;
	long ops = 0, failed = 0;

	for (unsigned i = 0; i < l->workers; i++) {
		ops += t[i].ops;
		failed += t[i].failed;
	}
	printf("exec ops=%ld failed=%ld secs=%.3f rate=%.0f cpu_ns=%.0f\n", ops, failed, seconds,
	       (double)ops / seconds, ops ? cpu_ns_children() / (double)ops : 0);
	return ops ? 0 : 1;
}

static int beside_me(const char *name, char *dst, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", dst, size - 1);

	if (n < 0)
		return -1;
	dst[n] = 0;
	char *slash = strrchr(dst, '/');
	size_t dir = slash ? (size_t)(slash + 1 - dst) : 0;
	if (dir + strlen(name) >= size)
		return -1;
	strcpy(dst + dir, name);
	return 0;
}

int main(int argc, char **argv)
{
	static struct load l = { .seconds = 10, .workers = 2 };
	int c;

	while ((c = getopt(argc, argv, "r:t:j:n:f:")) != -1) {
		switch (c) {
		case 'r':
			l.rate = atof(optarg);
			break;
		case 't':
			l.seconds = atof(optarg);
			break;
		case 'j':
			l.workers = (unsigned)atoi(optarg);
			break;
		case 'n':
			l.count = atol(optarg);
			break;
		case 'f':
			snprintf(l.program, sizeof(l.program), "%s", optarg);
			break;
		default:
			l.workers = 0;
		}
	}
	if (l.workers < 1 || l.workers > WORKERS_MAX || l.count < 0 || l.seconds <= 0) {
		fprintf(stderr, "usage: load_exec [-r RATE] [-t SECONDS] [-j WORKERS] [-n EXECS] "
				"[-f PROGRAM]\n");
		return 2;
	}
	if (!l.program[0] && beside_me("load_tiny", l.program, sizeof(l.program)) < 0)
		return perror("load_tiny"), 1;
	return run(&l);
}
