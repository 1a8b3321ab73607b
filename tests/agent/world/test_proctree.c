/* test_proctree.c - the process tree: ancestors, pid reuse, floods. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/world/world_priv.h"

enum { SECOND = 1000000000 };

static struct event ev(enum event_type type, uint32_t pid, uint64_t start, uint32_t ppid,
		       uint64_t parent_start, const char *name)
{
	return (struct event){
		.type = type,
		.boot_ns = start + 1,
		.p = {.pid = pid,
		      .tid = pid,
		      .ppid = ppid,
		      .start_ns = start,
		      .parent_start_ns = parent_start,
		      .name = slice_of(name),
		      .parent_name = SLICE_LIT("parent")},
	};
}

static void apply(struct proctree *t, struct event e)
{
	proctree_apply(t, &e);
}

static void apply_exec(struct proctree *t, struct event e, const char *exe)
{
	e.p.exe = slice_of(exe);
	e.p.argv0 = slice_of("argv0");
	e.p.args = SLICE_LIT("-c\0echo\0");
	e.p.cwd = slice_of("/");
	proctree_apply(t, &e);
}

static void exit_at(struct proctree *t, uint32_t pid, uint64_t start, uint64_t boot_ns)
{
	struct event e = ev(EV_EXIT, pid, start, 0, 0, "");

	e.boot_ns = boot_ns;
	proctree_apply(t, &e);
}

static uint64_t count(struct proctree *t)
{
	struct world_stats s;

	proctree_stats(t, &s);
	return s.processes;
}

static void a_child_has_its_parents_program_until_it_starts_its_own(void **state)
{
	CLEANUP(proctree_freep) struct proctree *t = proctree_new(0);

	apply_exec(t, ev(EV_EXEC, 10, 100, 1, 1, "sh"), "/bin/sh");
	apply(t, ev(EV_FORK, 11, 200, 10, 100, "sh"));
	const struct proc *p = proctree_find(t, 11);
	assert_true(slice_is(p->name, "sh"));
	assert_true(slice_is(p->exe, "/bin/sh"));
	assert_true(slice_eq(p->args, SLICE_LIT("-c\0echo\0")));

	apply_exec(t, ev(EV_EXEC, 11, 200, 10, 100, "wget"), "/usr/bin/wget");
	p = proctree_find(t, 11);
	assert_true(slice_is(p->exe, "/usr/bin/wget"));
	assert_true(slice_is(proctree_ancestor(t, p, 1)->name, "sh"));
	assert_true(slice_is(proctree_ancestor(t, p, 2)->name, "parent")); /* from the event */
	assert_null(proctree_ancestor(t, p, 3));
}

static void an_exited_ancestor_is_known_while_something_below_it_lives(void **state)
{
	CLEANUP(proctree_freep) struct proctree *t = proctree_new(0);

	apply_exec(t, ev(EV_EXEC, 10, 100, 1, 1, "nginx"), "/nginx");
	apply(t, ev(EV_FORK, 11, 200, 10, 100, "nginx"));
	apply_exec(t, ev(EV_EXEC, 11, 200, 10, 100, "sh"), "/bin/sh");
	apply(t, ev(EV_FORK, 12, 300, 11, 200, "sh"));
	exit_at(t, 11, 200, 400);
	/* a minute later the orphan, which the kernel has given to init, starts something */
	struct event e = ev(EV_EXEC, 12, 300, 1, 1, "miner");
	e.boot_ns = 60ull * SECOND;
	proctree_apply(t, &e);

	const struct proc *p = proctree_find(t, 12);
	assert_int_equal(p->ppid, 1);
	assert_true(slice_is(proctree_ancestor(t, p, 1)->name, "sh"));
	assert_true(proctree_ancestor(t, p, 1)->is_exited);
	assert_true(slice_is(proctree_ancestor(t, p, 2)->name, "nginx"));

	exit_at(t, 12, 300, 61ull * SECOND);
	exit_at(t, 10, 100, 62ull * SECOND);
	assert_non_null(proctree_find(t, 12)); /* for late events */
	e = ev(EV_FORK, 99, 100ull * SECOND, 1, 1, "x");
	proctree_apply(t, &e);
	assert_null(proctree_find(t, 12));
	assert_null(proctree_find(t, 11));
	assert_null(proctree_find(t, 10));
}

static void a_reused_pid_is_another_process(void **state)
{
	CLEANUP(proctree_freep) struct proctree *t = proctree_new(0);

	apply_exec(t, ev(EV_EXEC, 10, 100, 1, 1, "old"), "/old");
	apply(t, ev(EV_FORK, 11, 200, 10, 100, "child"));
	/* the exit of 10 was lost */
	apply_exec(t, ev(EV_EXEC, 10, 5000, 1, 1, "new"), "/new");
	assert_true(slice_is(proctree_find(t, 10)->name, "new"));
	const struct proc *old = proctree_ancestor(t, proctree_find(t, 11), 1);
	assert_true(slice_is(old->name, "old"));
	assert_true(old->is_exited);
	exit_at(t, 10, 100, 6000); /* it comes late: not the new one's */
	assert_false(proctree_find(t, 10)->is_exited);
}

static void a_seeded_start_time_matches_the_exact_one_within_a_tick(void **state)
{
	CLEANUP(proctree_freep) struct proctree *t = proctree_new(0);
	uint64_t exact = 123 * (uint64_t)SECOND + 7654321;
	struct event e = ev(EV_EXEC, 10, exact - exact % 10000000, 0, 0, "daemon");

	e.p.exe = slice_of("/daemon");
	proctree_seed(t, &e.p, true);
	apply(t, ev(EV_FORK, 11, exact + SECOND, 10, exact, "daemon"));
	assert_int_equal(count(t), 2);
	assert_true(slice_is(proctree_find(t, 11)->exe, "/daemon"));
	apply_exec(t, ev(EV_EXEC, 10, exact, 0, 0, "other"), "/other");
	assert_int_equal(count(t), 2);
	assert_true(proctree_find(t, 10)->start_ns == exact);
	assert_true(slice_is(proctree_ancestor(t, proctree_find(t, 11), 1)->name, "other"));
	exit_at(t, 10, exact, exact + 2ull * SECOND);
	assert_true(proctree_find(t, 10)->is_exited);
}

static void a_seed_does_not_overwrite_what_an_event_said(void **state)
{
	CLEANUP(proctree_freep) struct proctree *t = proctree_new(0);
	struct event late = ev(EV_EXEC, 10, 100, 0, 0, "before");

	apply_exec(t, ev(EV_EXEC, 10, 100, 0, 0, "after"), "/after");
	proctree_seed(t, &late.p, false);
	assert_true(slice_is(proctree_find(t, 10)->name, "after"));
	/* but it fills in a parent of which only the name was known */
	apply(t, ev(EV_FORK, 30, 900, 20, 800, "child"));
	late = ev(EV_EXEC, 20, 800, 0, 0, "full");
	late.p.exe = slice_of("/full");
	proctree_seed(t, &late.p, false);
	assert_true(slice_is(proctree_find(t, 20)->exe, "/full"));
	/* and a fork that comes after its exec changes nothing */
	apply(t, ev(EV_FORK, 10, 100, 0, 0, "forked"));
	assert_true(slice_is(proctree_find(t, 10)->name, "after"));
}

static void long_strings_are_cut_and_arguments_stay_ended(void **state)
{
	CLEANUP(proctree_freep) struct proctree *t = proctree_new(0);
	static char big[8192];
	struct event e = ev(EV_EXEC, 10, 100, 0, 0, "a-name-of-more-than-15-bytes");

	memset(big, 'x', sizeof(big));
	e.p.exe = e.p.argv0 = e.p.args = e.p.cwd = slice_from(big, sizeof(big));
	proctree_apply(t, &e);
	const struct proc *p = proctree_find(t, 10);
	assert_int_equal(p->exe.n, WORLD_EXE_BYTES);
	assert_int_equal(p->argv0.n, WORLD_ARGV0_BYTES);
	assert_int_equal(p->args.n, WORLD_ARGS_BYTES);
	assert_int_equal(p->args.p[p->args.n - 1], 0);
	assert_int_equal(p->name.n, 15);
}

static size_t heap(void)
{
	return mallinfo2().uordblks;
}

/* The bomb: n forks below pid 100, one in two of which ends at once. */
static void bomb(struct proctree *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint32_t pid = 1000 + i;
		uint64_t start = (uint64_t)SECOND + i * 1000;
		uint32_t ppid = i < 2 ? 100 : 1000 + i / 2;
		uint64_t parent = i < 2 ? 50 : (uint64_t)SECOND + (i / 2) * 1000;

		apply(t, ev(EV_FORK, pid, start, ppid, parent, "bomb"));
		if (i % 2)
			exit_at(t, pid, start, start + 500);
	}
}

static void a_fork_bomb_costs_no_more_than_the_cap_and_not_the_host(void **state)
{
	CLEANUP(proctree_freep) struct proctree *t = proctree_new(4096);
	struct world_stats s;

	apply_exec(t, ev(EV_EXEC, 1, 1, 0, 0, "init"), "/sbin/init");
	for (uint32_t i = 2; i < 90; i++)
		apply_exec(t, ev(EV_EXEC, i, 10 + i, 1, 1, "daemon"), "/usr/sbin/daemon");
	apply_exec(t, ev(EV_EXEC, 100, 50, 1, 1, "sh"), "/bin/sh");
	bomb(t, 20000);
	proctree_stats(t, &s);
	size_t bytes = s.process_bytes, used = heap();
	bomb(t, 100000);
	proctree_stats(t, &s);
	assert_true(s.processes <= 4096);
	assert_true(s.processes_evicted > 50000);
	assert_true(s.process_bytes <= bytes + 65536);
#ifndef __SANITIZE_ADDRESS__ /* its allocator does not fill mallinfo */
	assert_true(heap() < used + 1024 * 1024);
#else
	(void)used;
#endif
	for (uint32_t i = 1; i < 90; i++) /* nobody of the host was forgotten for it */
		assert_non_null(proctree_find(t, i));
	assert_true(slice_is(proctree_find(t, 100)->name, "sh"));
}

static void a_storm_of_execs_with_long_arguments_stays_within_the_string_budget(void **state)
{
	CLEANUP(proctree_freep) struct proctree *t = proctree_new(0);
	static char big[4096];
	struct world_stats s;

	memset(big, 'x', sizeof(big));
	for (uint32_t i = 0; i < 40000; i++) {
		struct event e = ev(EV_EXEC, 10 + i, 100 + i, 0, 0, "exec");

		e.p.exe = e.p.args = e.p.cwd = slice_from(big, sizeof(big));
		proctree_apply(t, &e);
	}
	proctree_stats(t, &s);
	assert_true(s.process_bytes < (WORLD_PROC_STRINGS_BYTES + 12 * 1024 * 1024));
	assert_non_null(proctree_find(t, 10 + 39999));
}

/* Each generation forks the next and ends: a chain of exited ancestors that would never end. */
static void an_endless_chain_of_generations_is_bounded(void **state)
{
	CLEANUP(proctree_freep) struct proctree *t = proctree_new(1024);

	for (uint32_t i = 1; i < 50000; i++) {
		apply(t, ev(EV_FORK, 10 + i, i * 1000, 9 + i, (i - 1) * 1000, "gen"));
		if (i > 1)
			exit_at(t, 9 + i, (i - 1) * 1000, i * 1000);
	}
	assert_true(count(t) <= 1024);
	const struct proc *p = proctree_find(t, 10 + 49999);
	assert_non_null(proctree_ancestor(t, p, 3));
	assert_null(proctree_ancestor(t, p, UINT32_MAX));
}

/* Whatever nonsense the records hold, the tree neither crashes nor loops. */
static void random_events_leave_a_sound_tree(void **state)
{
	CLEANUP(proctree_freep) struct proctree *t = proctree_new(1024);
	uint32_t x = 12345;

	for (unsigned i = 0; i < 300000; i++) {
		uint32_t r[6];
		for (unsigned k = 0; k < 6; k++)
			r[k] = (x = x * 1664525 + 1013904223) >> 8;
		enum event_type type = (enum event_type[]){EV_FORK, EV_EXEC, EV_EXIT}[r[0] % 3];
		struct event e = ev(type, r[1] % 3000, (r[2] % 4) * 1000, r[3] % 3000,
				    (r[4] % 4) * 1000, "r");
		e.boot_ns = (uint64_t)i * 1000000;
		if (r[5] % 7 == 0)
			proctree_seed(t, &e.p, true);
		else
			proctree_apply(t, &e);
		const struct proc *p = proctree_find(t, r[5] % 3000);
		if (p)
			(void)proctree_ancestor(t, p, 50);
	}
	assert_true(count(t) <= 1024);
}

static void count_one(void *arg, const struct event_process *p)
{
	unsigned *found = arg;

	if (p->pid == (uint32_t)getpid()) {
		*found += 1;
		assert_int_equal(p->ppid, getppid());
		assert_true(p->exe.n > 0);
		assert_true(p->start_ns > 0 && p->parent_start_ns > 0);
		assert_true(p->start_ns >= p->parent_start_ns);
		assert_true(p->start_ns <= clock_boot_ns(clock_real()));
	}
}

static void running_processes_are_found_in_proc(void **state)
{
	unsigned found = 0;
	struct err err = {0};
	int n = seed_proc("/proc", count_one, &found, &err);

	assert_true(n > 1);
	assert_int_equal(found, 1);
	assert_true(seed_proc("/nonexistent", count_one, &found, &err) < 0);
}

static void thirty_two_thousand_processes_fit_in_little(void **state)
{
	CLEANUP(proctree_freep) struct proctree *t = proctree_new(32768);
	struct world_stats s;
	size_t before = heap();

	for (uint32_t i = 0; i < 32768; i++)
		apply_exec(t, ev(EV_EXEC, 10 + i, 100 + i, 0, 0, "daemon"),
			   "/usr/lib/some/ordinary/program/of/usual/length");
	proctree_stats(t, &s);
	print_message("32768 processes: %zu KiB counted, %zu KiB of heap\n",
		      (size_t)s.process_bytes / 1024, (heap() - before) / 1024);
	assert_int_equal(s.processes, 32768);
	assert_true(s.process_bytes < 16u * 1024 * 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_has_its_parents_program_until_it_starts_its_own),
		cmocka_unit_test(an_exited_ancestor_is_known_while_something_below_it_lives),
		cmocka_unit_test(a_reused_pid_is_another_process),
		cmocka_unit_test(a_seeded_start_time_matches_the_exact_one_within_a_tick),
		cmocka_unit_test(a_seed_does_not_overwrite_what_an_event_said),
		cmocka_unit_test(long_strings_are_cut_and_arguments_stay_ended),
		cmocka_unit_test(a_fork_bomb_costs_no_more_than_the_cap_and_not_the_host),
		cmocka_unit_test(
			a_storm_of_execs_with_long_arguments_stays_within_the_string_budget),
		cmocka_unit_test(an_endless_chain_of_generations_is_bounded),
		cmocka_unit_test(random_events_leave_a_sound_tree),
		cmocka_unit_test(running_processes_are_found_in_proc),
		cmocka_unit_test(thirty_two_thousand_processes_fit_in_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
