/* test_docker.c - a real Docker Engine: containers are stopped, paused and cut off, once, and only those. */
#include <sched.h>

#include "tests/agent/guard/guard_test.h"

static char dir[40];

static int shell(const char *command)
{
	char script[2048];
	int status = 0;

	snprintf(script, sizeof(script),
		 ". '%s/tests/e2e/dockerd.sh'; D='%s'; export DOCKER_HOST=unix://$D/d.sock; %s", TEST_ROOT, dir,
		 command);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		execl("/bin/bash", "bash", "-c", script, (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, WNOHANG) != pid)
		usleep(2000);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* What a command prints, its first line. */
static struct slice ask(const char *command, char *dst, size_t size)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	char line[1024], path[80];

	snprintf(line, sizeof(line), "{ %s; } >$D/out", command);
	assert_int_equal(shell(line), 0);
	snprintf(path, sizeof(path), "%s/out", dir);
	assert_true(file_read(path, 65536, &b, NULL) >= 0);
	assert_true(slice_copy(slice_trim(buf_slice(&b)), dst, size));
	return slice_of(dst);
}

static void run(const char *name, const char *options, char id[65])
{
	char line[512];

	snprintf(line, sizeof(line), "docker run -d --name %s %s picket-test:1 sleep 1000", name, options);
	assert_int_equal(ask(line, id, 65).n, 64);
}

static struct slice state(const char *name, char dst[64])
{
	char line[256];

	snprintf(line, sizeof(line), "docker inspect -f '{{.State.Status}}' %s", name);
	return ask(line, dst, 64);
}

static struct event now(void)
{
	return (struct event){ .boot_ns = clock_boot_ns(clock_real()), .p = { .pid = 1, .start_ns = 1 } };
}

static void open_guard(enum guard_mode mode)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/d.sock", dir);
	guard_open(mode, path, 0);
}

static const struct told *match(const char *rule, const char *id)
{
	struct event e = now();
	unsigned had = fx.count;

	guard_match(fx.guard, rule, &e, id, 42);
	return fx.count > had ? &fx.told[had] : next_told();
}

static void say_time(const char *what, const struct told *t)
{
	print_message("%s: %llu ms\n", what, (unsigned long long)t->r.took_ns / 1000000);
}

static void a_dry_run_asks_and_does_nothing(void **s)
{
	char id[65], text[64];
	static const char *const rules[] = { "stop it", "pause it", "cut it off" };

	open_guard(GUARD_DRY_RUN);
	run("dry", "--network picket-a", id);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		const struct told *t = match(rules[i], id);

		assert_string_equal(t->why, "dry run");
		assert_true(t->r.is_dry_run && !t->r.is_done);
		assert_string_equal(t->id, id);
	}
	assert_true(slice_is(state("dry", text), "running"));
	assert_true(slice_is(ask("docker inspect -f '{{len .NetworkSettings.Networks}}' dry", text, 64), "1"));
	id[0] = id[0] == 'a' ? 'b' : 'a';
	assert_string_equal(match("stop it", id)->why, "already gone");
	assert_int_equal(shell("docker rm -f dry >/dev/null"), 0);
}

static void a_container_is_stopped_once_and_again_when_it_is_started_again(void **s)
{
	char id[65], text[64];
	struct guard_stats st;

	open_guard(GUARD_ENFORCE);
	run("worker", "--network none --restart always", id);
	struct event early = now();
	guard_match(fx.guard, "stop it", &early, id, 42);
	guard_match(fx.guard, "stop it", &early, id, 43); /* under way */
	const struct told *t = next_told();
	assert_string_equal(t->why, "");
	assert_true(t->r.is_done && t->r.finding_seq == 42);
	say_time("stop", t);
	assert_true(slice_is(state("worker", text), "exited"));
	assert_true(slice_is(ask("docker inspect -f '{{.State.ExitCode}}' worker", text, 64), "137"));
	guard_match(fx.guard, "stop it", &early, id, 44); /* told late of what was before */
	for (unsigned i = 0; i < 30; i++)
		loop_step(fx.loop, 10);
	assert_int_equal(fx.count, 1);
	guard_stats(fx.guard, &st);
	assert_true(st.done == 1 && st.folded == 2);

	assert_string_equal(match("stop it", id)->why, "already stopped");
	assert_int_equal(shell("sleep 1; docker start worker >/dev/null"), 0);
	assert_true(match("stop it", id)->r.is_done);
	assert_true(slice_is(state("worker", text), "exited"));
	assert_int_equal(shell("docker rm -f worker >/dev/null"), 0);
	usleep(1100000);
	assert_string_equal(match("stop it", id)->why, "already gone");
}

static void a_container_is_paused_and_may_still_be_stopped(void **s)
{
	char id[65], text[64];

	open_guard(GUARD_ENFORCE);
	run("web", "--network none", id);
	const struct told *t = match("pause it", id);
	assert_string_equal(t->why, "");
	assert_true(t->r.is_done);
	say_time("pause", t);
	assert_true(slice_is(state("web", text), "paused"));
	assert_string_equal(match("pause it", id)->why, "already paused");
	assert_true(match("stop it", id)->r.is_done);
	assert_int_equal(shell("docker rm -f web >/dev/null"), 0);
}

static void a_container_leaves_every_network_it_is_in(void **s)
{
	char id[65], text[64];

	open_guard(GUARD_ENFORCE);
	run("db", "--network picket-a", id);
	assert_int_equal(shell("docker network connect picket-b db && docker exec db ip link | grep -q eth1"), 0);
	const struct told *t = match("cut it off", id);
	assert_string_equal(t->why, "");
	assert_true(t->r.is_done);
	say_time("disconnect from 2 networks", t);
	assert_true(slice_is(ask("docker inspect -f '{{len .NetworkSettings.Networks}}' db", text, 64), "0"));
	assert_int_equal(shell("docker exec db ip link | grep -q eth"), 1);
	assert_true(slice_is(state("db", text), "running"));
	assert_int_equal(shell("docker rm -f db >/dev/null"), 0);
}

static void why_a_container_can_not_be_cut_off_is_said(void **s)
{
	static const struct {
		const char *name, *options, *why;
	} cases[] = {
		{ "hosted", "--network host", "it is in the host's network: can't be disconnected" },
		{ "lone", "--network none", "it is in no network" },
		{ "sharer", "--network container:lone",
		  "it shares another container's network: disconnect that one" },
		{ "collector", "--network none --label picket.role=collector",
		  "protected: labelled picket.role=collector" },
	};
	char id[65], line[128];

	open_guard(GUARD_ENFORCE);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		run(cases[i].name, cases[i].options, id);
		const struct told *t = match("cut it off", id);
		assert_string_equal(t->why, cases[i].why);
		assert_false(t->r.is_done);
	}
	assert_string_equal(match("stop it", id)->why, "protected: labelled picket.role=collector");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(line, sizeof(line), "docker rm -f %s >/dev/null", cases[i].name);
		assert_int_equal(shell(line), 0);
	}
}

/* What a rule sees of a container's first process comes before the engine has finished starting it. */
static void a_container_that_is_being_started_is_waited_for(void **s)
{
	char id[65], text[64];

	open_guard(GUARD_ENFORCE);
	assert_int_equal(ask("docker create --name fresh --network none picket-test:1 sleep 1000", id, 65).n, 64);
	struct event e = now();
	guard_match(fx.guard, "stop it", &e, id, 1);
	for (unsigned i = 0; i < 30; i++)
		loop_step(fx.loop, 10);
	assert_int_equal(fx.count, 0);
	assert_int_equal(shell("docker start fresh >/dev/null"), 0);
	assert_true(next_told()->r.is_done);
	assert_true(slice_is(state("fresh", text), "exited"));
	assert_int_equal(shell("docker rm -f fresh >/dev/null"), 0);
}

static void sixteen_at_once_and_no_more(void **s)
{
	char ids[20][65], name[32];
	unsigned done = 0;

	open_guard(GUARD_ENFORCE);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "many%u", i);
		run(name, "--network none", ids[i]);
	}
	struct event e = now();
	for (unsigned i = 0; i < 20; i++)
		guard_match(fx.guard, "stop it", &e, ids[i], i);
	while (fx.count < 20)
		(void)next_told();
	for (unsigned i = 0; i < 20; i++) {
		done += fx.told[i].r.is_done;
		if (!fx.told[i].r.is_done)
			assert_string_equal(fx.told[i].why, "too many actions under way");
	}
	assert_int_equal(done, GUARD_JOBS);
	say_time("the last of 16", &fx.told[19]);
	assert_int_equal(shell("docker rm -f $(docker ps -aq) >/dev/null"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dry_run_asks_and_does_nothing),
		cmocka_unit_test(a_container_is_stopped_once_and_again_when_it_is_started_again),
		cmocka_unit_test(a_container_is_paused_and_may_still_be_stopped),
		cmocka_unit_test(a_container_leaves_every_network_it_is_in),
		cmocka_unit_test(why_a_container_can_not_be_cut_off_is_said),
		cmocka_unit_test(a_container_that_is_being_started_is_waited_for),
		cmocka_unit_test(sixteen_at_once_and_no_more),
	};

	/* Bridges are made here: in a network namespace of our own, which ends with us. */
	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
		printf("skipped: a network namespace and a dockerd of our own need root\n");
		return 77;
	}
	strcpy(dir, "/tmp/picket-guard-XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	int r = shell("ip link set lo up 2>/dev/null; start_dockerd $D && make_image $D picket-test:1");
	if (!r && shell("docker network create --internal picket-a >/dev/null && "
			"docker network create --internal picket-b >/dev/null")) {
		printf("skipped: no bridge can be made here\n");
		r = 77;
		(void)shell("stop_dockerd $D");
	}
	if (!r) {
		r = cmocka_run_group_tests(tests, open_loop, close_loop);
		(void)shell("stop_dockerd $D");
	}
	(void)shell("rm -rf $D");
	return r;
}
