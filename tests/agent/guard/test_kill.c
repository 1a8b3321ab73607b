/* test_kill.c - real processes: the one that is meant dies, every other lives. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "tests/agent/guard/guard_test.h"

enum { KILLS = 200 };

static pid_t start_child(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

/* SIGKILL reached it; else it is ended here. */
static bool was_killed(pid_t pid)
{
	int status;

	for (unsigned i = 0; i < 100; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		usleep(1000);
	}
	return false;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void match(const struct event *e, const char *id)
{
	guard_match(fx.guard, "kill it", e, id, 7);
}

static void the_process_of_the_event_is_killed_once(void **state)
{
	guard_open(GUARD_ENFORCE, "/nowhere", 0);
	pid_t pid = start_child();
	struct event e = event_of(pid);

	assert_true(guard_wants(fx.guard, "kill it"));
	assert_false(guard_wants(fx.guard, "kill"));
	match(&e, "");
	match(&e, "");
	assert_true(was_killed(pid));
	match(&e, "");
	assert_int_equal(fx.count, 1);
	const struct told *t = &fx.told[0];
	assert_true(t->r.is_done && !t->r.is_dry_run && !t->r.by_kernel && !*t->why);
	assert_int_equal(t->r.pid, pid);
	assert_int_equal(t->r.finding_seq, 7);
	assert_true(t->r.took_ns > 0 && t->r.took_ns < 1000000000u);
	struct guard_stats st;
	guard_stats(fx.guard, &st);
	assert_true(st.done == 1 && st.folded == 2);
}

static void another_process_with_the_same_number_is_not_hit(void **state)
{
	guard_open(GUARD_ENFORCE, "/nowhere", 0);
	pid_t pid = start_child();
	static const int64_t off_by[] = { -60000000000, -20000000, 20000000, 30000000, 3600000000000 };

	for (size_t i = 0; i < ARRAY_LEN(off_by); i++) {
		struct event e = event_of(pid);

		e.p.start_ns += (uint64_t)off_by[i];
		match(&e, "");
		assert_string_equal(fx.told[fx.count - 1].why, "already gone");
	}
	assert_int_equal(fx.count, ARRAY_LEN(off_by));
	assert_false(was_killed(pid));
	/* within the tick that the kernel's clock is told in, it is the same one */
	struct event e = event_of(pid);
	e.p.start_ns += 9999999;
	match(&e, "");
	assert_true(was_killed(pid));
}

static void who_has_ended_is_gone_also_as_a_zombie(void **state)
{
	guard_open(GUARD_ENFORCE, "/nowhere", 0);
	pid_t pid = start_child();
	struct event e = event_of(pid);

	kill(pid, SIGKILL);
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	match(&e, "");
	waitpid(pid, NULL, 0);
	match(&e, "");
	assert_int_equal(fx.count, 1); /* the same again is not told again */
	assert_string_equal(fx.told[0].why, "already gone");
	assert_false(fx.told[0].r.is_done);
	struct event none = { .boot_ns = 1 };
	match(&none, "");
	assert_string_equal(fx.told[1].why, "the event does not say which process");
}

static void *wait_for_ever(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

static void a_leader_that_ended_does_not_save_its_threads(void **state)
{
	guard_open(GUARD_ENFORCE, "/nowhere", 0);
	pid_t pid = fork();
	struct proc_stat st = { 0 };

	if (!pid) {
		pthread_t t;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (pthread_create(&t, NULL, wait_for_ever, NULL))
			_exit(1);
		pthread_exit(NULL);
	}
	for (unsigned i = 0; i < 1000 && st.state != 'Z'; i++) {
		CLEANUP(buf_finip) struct buf b = { 0 };
		char path[64];

		usleep(1000);
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		assert_true(file_read(path, 4096, &b, NULL) >= 0 && proc_stat_parse(buf_slice(&b), &st));
	}
	assert_int_equal(st.state, 'Z');
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	struct event e = event_of(pid);
	match(&e, "");
	assert_true(fx.told[0].r.is_done);
	assert_true(was_killed(pid));
}

static void a_dry_run_checks_and_says_and_does_nothing(void **state)
{
	guard_open(GUARD_DRY_RUN, "/nowhere", 0);
	pid_t pid = start_child();
	struct event e = event_of(pid);

	match(&e, "");
	match(&e, "");
	assert_int_equal(fx.count, 1);
	assert_true(fx.told[0].r.is_dry_run && !fx.told[0].r.is_done);
	assert_string_equal(fx.told[0].why, "dry run");
	assert_false(was_killed(pid));
	end_child(pid);
	e.p.start_ns -= 100000000;
	match(&e, "");
	assert_string_equal(fx.told[1].why, "already gone");
	assert_true(fx.told[1].r.is_dry_run);
}

static void count_kill(void *arg, const char *rule)
{
	assert_string_equal(rule, "kill it");
	(*(unsigned *)arg)++;
}

static void the_kernel_is_given_rules_only_when_it_may_act(void **state)
{
	static const struct {
		enum guard_mode mode;
		unsigned kills;
	} cases[] = { { GUARD_OFF, 0 }, { GUARD_DRY_RUN, 0 }, { GUARD_ENFORCE, 1 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned kills = 0;

		guard_open(cases[i].mode, "/nowhere", 0);
		guard_each_kill(fx.guard, count_kill, &kills);
		assert_int_equal(kills, cases[i].kills);
		assert_int_equal(guard_wants(fx.guard, "kill it"), cases[i].mode != GUARD_OFF);
	}
	struct event e = { .boot_ns = 5, .p = { .pid = 4711, .start_ns = 99 } };
	guard_killed(fx.guard, "kill it", &e, "");
	match(&e, ""); /* the exec's own event, a moment later */
	assert_int_equal(fx.count, 1);
	assert_true(fx.told[0].r.is_done && fx.told[0].r.by_kernel && fx.told[0].r.took_ns == 0);
}

static void a_kill_at_an_exec_is_told_once_and_as_the_kernels_where_it_was(void **state)
{
	guard_open(GUARD_ENFORCE, "/nowhere", 0);
	pid_t pids[2] = { start_child(), start_child() };

	for (unsigned i = 0; i < 2; i++) {
		struct event e = event_of(pids[i]);

		e.type = EV_EXEC;
		match(&e, "");
		match(&e, "");
		assert_true(was_killed(pids[i]));
		assert_int_equal(fx.count, i); /* not yet: the next record may say who it was */
		if (i == 0) {
			e.type = EV_KILL;
			guard_killed(fx.guard, "kill it", &e, "");
		} else {
			(void)next_told();
		}
		assert_int_equal(fx.count, i + 1);
		assert_true(fx.told[i].r.is_done && fx.told[i].r.by_kernel == (i == 0));
		assert_int_equal(fx.told[i].r.finding_seq, 7);
		assert_true(fx.told[i].r.took_ns < 90000000); /* the wait is not in it */
	}
	struct event e = event_of(getpid());
	e.type = EV_EXEC;
	match(&e, "");
	assert_int_equal(fx.count, 2);
	guard_free(fx.guard); /* tells what waits */
	fx.guard = NULL;
	assert_string_equal(fx.told[2].why, "protected: the agent itself");
}

static void nothing_is_done_when_it_is_off(void **state)
{
	guard_open(GUARD_OFF, NULL, 0);
	pid_t pid = start_child();
	struct event e = event_of(pid);

	match(&e, "");
	assert_int_equal(fx.count, 0);
	assert_false(was_killed(pid));
	end_child(pid);
}

static void init_kernel_threads_ourselves_and_our_parents_are_protected(void **state)
{
	const struct {
		pid_t pid;
		const char *why;
	} cases[] = {
		{ 1, "protected: init" },
		{ 2, "protected: a kernel thread" },
		{ getpid(), "protected: the agent itself" },
		{ getppid(), "protected: the agent runs below it" },
	};

	guard_open(GUARD_ENFORCE, "/nowhere", 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_finip) struct buf name = { 0 };
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/comm", cases[i].pid);
		if (cases[i].pid == 2 && (file_read(path, 64, &name, NULL) < 0 ||
					  !slice_is(slice_trim(buf_slice(&name)), "kthreadd")))
			continue; /* a pid namespace of its own */
		struct event e = event_of(cases[i].pid);
		match(&e, "");
		assert_string_equal(fx.told[fx.count - 1].why, cases[i].why);
		/* whoever says he is in a container */
		match(&e, "deadbeef");
		assert_string_equal(fx.told[fx.count - 1].why, cases[i].why);
	}
}

static void copy_program(const char *from, const char *to, mode_t mode)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	assert_true(file_read(from, 1 << 24, &b, NULL) >= 0);
	assert_true(file_write_atomic(to, buf_slice(&b), mode, NULL) >= 0);
	assert_int_equal(chmod(to, mode), 0);
}

static pid_t run_program(const char *path)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(path, path, "1000", (char *)NULL);
		_exit(127);
	}
	/* the child is the program when its image is */
	for (unsigned i = 0; i < 1000; i++) {
		char link[32], exe[256] = "";

		snprintf(link, sizeof(link), "/proc/%d/exe", pid);
		if (readlink(link, exe, sizeof(exe) - 1) > 0 && !strcmp(exe, path))
			return pid;
		usleep(1000);
	}
	fail_msg("%s did not start", path);
	return -1;
}

static void the_engine_is_known_by_its_file_and_not_by_its_name(void **state)
{
	char dir[] = "/tmp/picket-guard-XXXXXX", dockerd[64], moved[64], in_container[80];

	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	snprintf(dockerd, sizeof(dockerd), "%s/dockerd", dir);
	snprintf(moved, sizeof(moved), "%s/other", dir);
	snprintf(in_container, sizeof(in_container), "/docker/%064d", 1);
	guard_open(GUARD_ENFORCE, "/nowhere", 0);
	static const struct {
		const char *what;
		mode_t file, folder;
		bool is_contained, is_renamed, is_protected;
	} cases[] = {
		{ "root's own", 0755, 0755, false, false, true },
		{ "a file others may write", 0757, 0755, false, false, false },
		{ "a folder others may write", 0755, 0777, false, false, false },
		{ "in a container", 0755, 0755, true, false, false },
		{ "upgraded: another file of that name", 0755, 0755, false, true, false },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("  %s\n", cases[i].what);
		unlink(dockerd);
		copy_program("/bin/sleep", dockerd, cases[i].file);
		assert_int_equal(chmod(dir, cases[i].folder), 0);
		pid_t pid = run_program(dockerd);
		struct event e = event_of(pid);
		if (cases[i].is_contained)
			e.p.cgroup = slice_of(in_container);
		if (cases[i].is_renamed) { /* bound over in a namespace of one's own looks the same */
			assert_int_equal(rename(dockerd, moved), 0);
			copy_program("/bin/sleep", dockerd, 0755);
		}
		match(&e, "");
		assert_int_equal(was_killed(pid), !cases[i].is_protected);
		if (cases[i].is_protected)
			assert_string_equal(fx.told[fx.count - 1].why, "protected: dockerd");
		end_child(pid);
	}
	/* deleted while it runs, as by a package's upgrade: root's is still known */
	unlink(dockerd);
	copy_program("/bin/sleep", dockerd, 0755);
	pid_t pid = run_program(dockerd);
	struct event e = event_of(pid);
	unlink(dockerd);
	match(&e, "");
	assert_string_equal(fx.told[fx.count - 1].why, "protected: dockerd");
	e.p.uid = e.p.euid = 1000;
	match(&e, "");
	assert_true(was_killed(pid));
	unlink(dockerd);
	unlink(moved);
	rmdir(dir);
}

static void a_program_bound_over_the_engines_path_is_not_the_engine(void **state)
{
	char path[64];
	pid_t pid;
	int ready[2];

	if (geteuid() != 0 || access("/usr/sbin/dockerd", X_OK))
		skip();
	guard_open(GUARD_ENFORCE, "/nowhere", 0);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount("/bin/sleep", "/usr/sbin/dockerd", NULL, MS_BIND, NULL) || write(ready[1], "+", 1) != 1)
			_exit(126);
		execl("/usr/sbin/dockerd", "dockerd", "1000", (char *)NULL);
		_exit(127);
	}
	assert_int_equal(read(ready[0], path, 1), 1);
	usleep(50000);
	struct event e = event_of(pid);
	match(&e, "");
	assert_true(was_killed(pid));
	close(ready[0]);
	close(ready[1]);
}

static void past_the_limit_it_is_refused_and_said(void **state)
{
	pid_t pids[6];

	guard_open(GUARD_ENFORCE, "/nowhere", 4);
	for (unsigned i = 0; i < ARRAY_LEN(pids); i++) {
		pids[i] = start_child();
		struct event e = event_of(pids[i]);
		match(&e, "");
		assert_int_equal(was_killed(pids[i]), i < 4);
	}
	for (unsigned i = 4; i < ARRAY_LEN(pids); i++) {
		assert_string_equal(fx.told[i].why, "more than 4 actions in a minute");
		end_child(pids[i]);
	}
}

static void a_name_can_not_pass_for_other_fields(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} cases[] = {
		{ "7 (sh) S 3 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 555 0", true },
		{ "7 (a) R 1 1) S 3 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 555 0", true },
		{ "7 (\n) () S 3 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 -5 1 0 555\n", true },
		{ "7 (sh) S 3 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 x", false },
		{ "7 (sh) S 3", false },
		{ "7 (sh)S 3 7 7", false },
		{ "7 sh", false },
		{ "", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct proc_stat st = { 0 };

		assert_int_equal(proc_stat_parse(slice_trim(slice_of(cases[i].text)), &st), cases[i].ok);
		if (cases[i].ok)
			assert_true(st.state == 'S' && st.ppid == 3 && st.flags == 4194560 && st.threads == 1 &&
				    st.start_ticks == 555);
	}
}

static void actions_have_names_and_need_an_engine(void **state)
{
	enum guard_action a;
	struct guard_rule rule = { "x", GUARD_PAUSE };
	struct guard_config cfg = { .mode = GUARD_DRY_RUN, .rules = &rule, .rule_count = 1 };
	struct guard *g = NULL;
	struct err err = { 0 };

	for (unsigned i = 0; i < GUARD_ACTION_COUNT; i++)
		assert_true(guard_action_parse(slice_of(guard_action_name(i)), &a) && a == i);
	assert_false(guard_action_parse(SLICE_LIT("kil"), &a));
	assert_false(guard_action_parse(SLICE_NONE, &a));
	assert_int_equal(guard_new(fx.loop, fx.pool, clock_real(), &cfg, keep, NULL, &g, &err), -ERR_SYNTAX);
	assert_non_null(strstr(err.msg, "Docker socket"));
	cfg.max_per_minute = 1000000;
	assert_int_equal(guard_new(fx.loop, fx.pool, clock_real(), &cfg, keep, NULL, &g, &err), -ERR_LIMIT);
}

static void sort_u64(uint64_t *v, size_t n)
{
	for (size_t i = 1; i < n; i++)
		for (size_t k = i; k && v[k] < v[k - 1]; k--) {
			uint64_t t = v[k];

			v[k] = v[k - 1];
			v[k - 1] = t;
		}
}

static void how_long_a_kill_takes(void **state)
{
	uint64_t decided[KILLS], dead[KILLS];

	guard_open(GUARD_ENFORCE, "/nowhere", 10000);
	for (unsigned i = 0; i < KILLS; i++) {
		pid_t pid = start_child();
		struct event e = event_of(pid);

		e.boot_ns = clock_boot_ns(clock_real());
		match(&e, "");
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		dead[i] = clock_boot_ns(clock_real()) - e.boot_ns;
		decided[i] = fx.told[fx.count - 1].r.took_ns;
	}
	sort_u64(decided, KILLS);
	sort_u64(dead, KILLS);
	print_message("match to signal sent: median %llu us, p99 %llu us; to reaped: median %llu us, p99 %llu us\n",
		      (unsigned long long)decided[KILLS / 2] / 1000, (unsigned long long)decided[KILLS * 99 / 100] / 1000,
		      (unsigned long long)dead[KILLS / 2] / 1000, (unsigned long long)dead[KILLS * 99 / 100] / 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_process_of_the_event_is_killed_once),
		cmocka_unit_test(another_process_with_the_same_number_is_not_hit),
		cmocka_unit_test(who_has_ended_is_gone_also_as_a_zombie),
		cmocka_unit_test(a_leader_that_ended_does_not_save_its_threads),
		cmocka_unit_test(a_dry_run_checks_and_says_and_does_nothing),
		cmocka_unit_test(the_kernel_is_given_rules_only_when_it_may_act),
		cmocka_unit_test(a_kill_at_an_exec_is_told_once_and_as_the_kernels_where_it_was),
		cmocka_unit_test(nothing_is_done_when_it_is_off),
		cmocka_unit_test(init_kernel_threads_ourselves_and_our_parents_are_protected),
		cmocka_unit_test(the_engine_is_known_by_its_file_and_not_by_its_name),
		cmocka_unit_test(a_program_bound_over_the_engines_path_is_not_the_engine),
		cmocka_unit_test(past_the_limit_it_is_refused_and_said),
		cmocka_unit_test(a_name_can_not_pass_for_other_fields),
		cmocka_unit_test(actions_have_names_and_need_an_engine),
		cmocka_unit_test(how_long_a_kill_takes),
	};

	return cmocka_run_group_tests(tests, open_loop, close_loop);
}
