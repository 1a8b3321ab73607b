/* test_docker.c - a real Docker Engine: every container, however short its life, is named before it
 * starts, and an engine that is killed is found again. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "agent/world/world_priv.h"
#include "common/log.h"

enum { RUNS = 50, IDS = 256 };

struct life {
	char id[65];
	bool was_named_at_create, was_started, was_inspected, was_stopped, was_removed;
	uint64_t named_after_ns; /* from the engine's create event to our knowing */
};

struct fixture {
	char dir[40];
	struct loop *loop;
	struct fetch_pool *pool;
	struct world *world;
	struct life lives[IDS];
	unsigned count, removed, connects, disconnects;
};

static struct fixture fx;

static struct life *life_of(const char *id)
{
	for (unsigned i = 0; i < fx.count; i++)
		if (!strcmp(fx.lives[i].id, id))
			return &fx.lives[i];
	assert_true(fx.count < IDS);
	strcpy(fx.lives[fx.count].id, id);
	return &fx.lives[fx.count++];
}

static void on_container(void *arg, const struct container *c, enum world_change change)
{
	struct life *l = life_of(c->id);

	switch (change) {
	case WORLD_CREATED:
		l->was_named_at_create = c->is_named && !strcmp(c->image, "picket-test:1") &&
					 *c->name && c->name[0] != '/';
		l->named_after_ns = clock_unix_ns(clock_real()) - c->created_unix_ns;
		break;
	case WORLD_STARTED:
		assert_true(l->was_named_at_create);
		l->was_started = true;
		l->was_inspected = c->is_inspected;
		break;
	case WORLD_STOPPED:
		l->was_stopped = true;
		break;
	case WORLD_REMOVED:
		l->was_removed = true;
		fx.removed++;
		break;
	case WORLD_UPDATED:
	case WORLD_CHANGED:
		break;
	}
}

static void on_engine(void *arg, bool is_connected, const char *why)
{
	if (is_connected)
		fx.connects++;
	else
		fx.disconnects++;
}

static pid_t shell_start(const char *command)
{
	char script[1024];
	pid_t pid;

	snprintf(script, sizeof(script),
		 ". '%s/tests/e2e/dockerd.sh'; D='%s'; export DOCKER_HOST=unix://$D/d.sock; %s",
		 TEST_ROOT, fx.dir, command);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		execl("/bin/bash", "bash", "-c", script, (char *)NULL);
		_exit(127);
	}
	return pid;
}

/* Turns the loop while the shell works. Returns its exit status. */
static int shell(const char *command)
{
	pid_t pid = shell_start(command);
	int status;

	while (waitpid(pid, &status, WNOHANG) != pid)
		if (fx.loop)
			loop_step(fx.loop, 5);
		else
			usleep(5000);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void wait_for(const unsigned *what, unsigned want)
{
	for (unsigned i = 0; i < 3000 && *what < want; i++)
		loop_step(fx.loop, 10);
	if (*what < want)
		fail_msg("%u instead of %u", *what, want);
}

static int open_all(void **state)
{
	static const struct world_ops ops = {on_container, on_engine};
	char socket_path[64];
	struct world_config cfg = {.docker_socket = socket_path};

	log_open(LOG_WARN, 2);
	snprintf(socket_path, sizeof(socket_path), "%s/d.sock", fx.dir);
	if (loop_new(&fx.loop, NULL) < 0 || fetch_pool_new(fx.loop, 16, &fx.pool, NULL) < 0 ||
	    world_new(fx.loop, fx.pool, clock_real(), &cfg, &ops, NULL, &fx.world, NULL) < 0)
		return -1;
	world_start(fx.world);
	wait_for(&fx.connects, 1);
	return 0;
}

static int close_all(void **state)
{
	world_free(fx.world);
	fetch_pool_free(fx.pool);
	loop_free(fx.loop);
	fx.loop = NULL;
	return 0;
}

static void every_short_container_is_named_before_it_starts(void **state)
{
	char command[128];
	uint64_t longest = 0, sum = 0;
	unsigned inspected = 0;

	snprintf(command, sizeof(command),
		 "for i in $(seq %d); do docker run --rm --network none picket-test:1 true; done",
		 RUNS);
	assert_int_equal(shell(command), 0);
	wait_for(&fx.removed, RUNS);
	assert_int_equal(fx.count, RUNS);
	for (unsigned i = 0; i < fx.count; i++) {
		struct life *l = &fx.lives[i];
		assert_true(l->was_named_at_create && l->was_started && l->was_stopped &&
			    l->was_removed);
		inspected += l->was_inspected;
		sum += l->named_after_ns;
		longest = l->named_after_ns > longest ? l->named_after_ns : longest;
	}
	print_message("inspected before the engine said started: %u of %u\n", inspected, fx.count);
	print_message("create to name: mean %llu us, longest %llu us\n",
		      (unsigned long long)(sum / fx.count / 1000),
		      (unsigned long long)(longest / 1000));
}

static void a_running_container_is_known_to_its_mounts_and_labels(void **state)
{
	assert_int_equal(
		shell("docker run -d --name busy --network none --user app --label team=blue "
		      "-v $D:/mnt/host:ro picket-test:1 sleep 1000 >/dev/null"),
		0);
	const struct container *c = NULL;
	for (unsigned i = 0; i < 500 && !(c && c->is_inspected); i++) {
		loop_step(fx.loop, 10);
		c = world_container_by_id(fx.world, slice_of(fx.lives[fx.count - 1].id));
	}
	assert_string_equal(c->name, "busy");
	assert_string_equal(c->image, "picket-test:1");
	assert_string_equal(c->user, "app");
	assert_false(c->privileged);
	assert_int_equal(strncmp(c->image_id, "sha256:", 7), 0);
	assert_true(c->label_count == 1 && !strcmp(c->labels[0].value, "blue"));
	assert_true(c->mount_count == 1 && !strcmp(c->mounts[0].dest, "/mnt/host") &&
		    !c->mounts[0].rw);
	assert_true(c->started_unix_ns >= c->created_unix_ns && c->created_unix_ns > 0);

	/* Its cgroup leads to it, and its uid has its own name. */
	char line[4096] = "", path[64];
	struct event_process p = {0};
	assert_int_equal(shell("docker inspect -f '{{.State.Pid}}' busy >$D/busy.pid"), 0);
	snprintf(path, sizeof(path), "%s/busy.pid", fx.dir);
	CLEANUP(fclosep) FILE *f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	p.pid = (uint32_t)atoi(line);
	assert_true(world_seed_proc(fx.world, NULL) > 0);
	const struct proc *proc = world_proc(fx.world, p.pid);
	assert_non_null(proc);
	assert_int_equal(proc->uid, 1000);
	p.cgroup = SLICE_NONE;
	char cgroup[128];
	snprintf(cgroup, sizeof(cgroup), "/docker/%s", c->id);
	p.cgroup = slice_of(cgroup);
	p.ns_mnt = 1; /* not the host's; checked against /proc, so it is not believed */
	assert_ptr_equal(world_container(fx.world, &p), c);
	assert_int_equal(world_user_name(fx.world, &p, 1000).n, 0);
	struct stat st;
	snprintf(path, sizeof(path), "/proc/%u/ns/mnt", p.pid);
	assert_int_equal(stat(path, &st), 0);
	p.ns_mnt = (uint32_t)st.st_ino;
	assert_true(slice_is(world_user_name(fx.world, &p, 1000), "app"));

	assert_int_equal(shell("docker rename busy renamed"), 0);
	for (unsigned i = 0; i < 200 && strcmp(c->name, "renamed") != 0; i++)
		loop_step(fx.loop, 10);
	assert_string_equal(c->name, "renamed");
	unsigned before = fx.removed;
	assert_int_equal(shell("docker rm -f renamed >/dev/null"), 0);
	wait_for(&fx.removed, before + 1);
}

static void an_engine_that_was_killed_is_found_again(void **state)
{
	unsigned disconnects = fx.disconnects, connects = fx.connects, removed = fx.removed;

	assert_int_equal(
		shell("docker create --name waiting --network none picket-test:1 true >/dev/null"),
		0);
	struct life *waiting = &fx.lives[fx.count - 1];
	assert_int_equal(shell("kill_dockerd $D"), 0);
	wait_for(&fx.disconnects, disconnects + 1);
	assert_int_equal(shell("start_dockerd $D"), 0);
	wait_for(&fx.connects, connects + 1);
	assert_false(waiting->was_removed);
	assert_int_equal(shell("docker run --rm --network none picket-test:1 true && docker rm "
			       "waiting >/dev/null"),
			 0);
	wait_for(&fx.removed, removed + 2);
	assert_true(waiting->was_removed);
	assert_true(fx.lives[fx.count - 1].was_named_at_create &&
		    fx.lives[fx.count - 1].was_started);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_short_container_is_named_before_it_starts),
		cmocka_unit_test(a_running_container_is_known_to_its_mounts_and_labels),
		cmocka_unit_test(an_engine_that_was_killed_is_found_again),
	};

	strcpy(fx.dir, "/tmp/picket-docker-XXXXXX");
	if (!mkdtemp(fx.dir))
		return 1;
	int r = shell("start_dockerd $D && make_image $D picket-test:1");
	if (!r) {
		r = cmocka_run_group_tests(tests, open_all, close_all);
		(void)shell("stop_dockerd $D");
	}
	(void)shell("rm -rf $D");
	return r;
}
