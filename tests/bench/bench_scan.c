/* bench_scan.c - what taking stock of a target costs: time (the best and the middle of some), CPU of the worker, memory of
 * both at their peak, packages found.
 *
 *   bench_scan NAME ROUNDS TARGET [CACHE_DIR]     with a cache: the looks after the first */
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "agent/image/image.h"

enum { ROUNDS_MAX = 100 };

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double cpu_ms(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static size_t take(const char *target, const struct image_options *o)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(LIMIT_INVENTORY_ARENA_BYTES);
	CLEANUP(owners_freep) struct owners *owners = NULL;
	Picket__Inventory *inv = NULL;
	struct err err;
	size_t n = 0;

	if (image_take_stock(target, o, a, &inv, &owners, &err) < 0) {
		fprintf(stderr, "bench_scan: %s\n", err.msg);
		exit(1);
	}
	for (size_t i = 0; i < inv->n_layers; i++)
		for (size_t k = 0; k < inv->layers[i]->n_packages; k++)
			n += !strcmp(inv->layers[i]->packages[k]->ecosystem, "deb");
	return n;
}

static int by_number(const void *va, const void *vb)
{
	double a = *(const double *)va, b = *(const double *)vb;

	return a < b ? -1 : a > b;
}

int main(int argc, char **argv)
{
	double ms[ROUNDS_MAX];
	struct rusage self, worker;

	image_worker_if_asked(argc, argv);
	if (argc < 4)
		return 2;
	const struct image_options o = { .cache_dir = argc > 4 ? argv[4] : NULL };
	int rounds = atoi(argv[2]) < ROUNDS_MAX ? atoi(argv[2]) : ROUNDS_MAX;
	size_t packages = take(argv[3], &o); /* warms */
	double worker_cpu = cpu_ms(RUSAGE_CHILDREN);

	for (int i = 0; i < rounds; i++) {
		double begun = now_ms();

		packages = take(argv[3], &o);
		ms[i] = now_ms() - begun;
	}
	worker_cpu = (cpu_ms(RUSAGE_CHILDREN) - worker_cpu) / rounds;
	qsort(ms, (size_t)rounds, sizeof(*ms), by_number);
	getrusage(RUSAGE_SELF, &self);
	getrusage(RUSAGE_CHILDREN, &worker);
	printf("bench_scan %s packages=%zu best_ms=%.1f median_ms=%.1f worker_cpu_ms=%.1f peak_mb=%.1f worker_mb=%.1f\n", argv[1],
	       packages, ms[0], ms[rounds / 2], worker_cpu, (double)(self.ru_maxrss + worker.ru_maxrss) / 1024,
	       (double)worker.ru_maxrss / 1024);
	return 0;
}
