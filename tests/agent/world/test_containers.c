/* test_containers.c - the table of containers, and an engine that lies, breaks off and floods. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/world/world_priv.h"
#include "common/log.h"
#include "tests/agent/world/fake_engine.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define LIST_ITEM(id, name, state)                          \
	"{\"Id\":\"" id "\",\"Names\":[\"/" name            \
	"\"],\"Image\":\"img:1\",\"ImageID\":\"sha256:1\"," \
	"\"Created\":1700000000,\"State\":\"" state "\"}"
#define EVENT(action, id, name, nano)                                               \
	"{\"Type\":\"container\",\"Action\":\"" action "\",\"Actor\":{\"ID\":\"" id \
	"\",\"Attributes\":{\"image\":\"img:1\",\"name\":\"" name "\"}},\"timeNano\":" #nano "}\n"

struct seen {
	unsigned changes[WORLD_CHANGED + 1], connects, disconnects;
	char log[4096]; /* "created a img:1;" */
};

static void on_container(void *arg, const struct container *c, enum world_change change)
{
	static const char *const names[] = {"created", "started", "stopped", "removed", "updated", "changed"};
	struct seen *s = arg;
	size_t n = strlen(s->log);

	s->changes[change]++;
	snprintf(s->log + n, sizeof(s->log) - n, "%s %s;", names[change], c->name);
}

static void on_engine(void *arg, bool is_connected, const char *why)
{
	struct seen *s = arg;

	if (is_connected)
		s->connects++;
	else
		s->disconnects++;
}

static const struct world_ops ops = {on_container, on_engine};

struct fixture {
	struct loop *loop;
	struct fetch_pool *pool;
	struct world *world;
	struct fake_engine engine;
	struct seen seen;
};

static void open_fixture(struct fixture *f)
{
	struct world_config cfg = {0};

	memset(f, 0, sizeof(*f));
	log_open(LOG_ERROR, 2);
	assert_int_equal(loop_new(&f->loop, NULL), 0);
	assert_int_equal(fetch_pool_new(f->loop, 16, &f->pool, NULL), 0);
	fake_start(&f->engine, f->loop);
	cfg.docker_socket = f->engine.path;
	assert_int_equal(
		world_new(f->loop, f->pool, clock_real(), &cfg, &ops, &f->seen, &f->world, NULL),
		0);
}

static void close_fixture(struct fixture *f)
{
	world_free(f->world);
	fake_free(&f->engine);
	fetch_pool_free(f->pool);
	loop_free(f->loop);
}

/* Turns the loop until *what is at least want, at most 5 s. */
static void wait_for(struct fixture *f, const unsigned *what, unsigned want)
{
	for (unsigned i = 0; i < 500 && *what < want; i++)
		loop_step(f->loop, 10);
	if (*what < want)
		fail_msg("waited in vain; seen: %s", f->seen.log);
}

static void connect_world(struct fixture *f)
{
	unsigned before = f->seen.connects;

	world_start(f->world);
	wait_for(f, &f->seen.connects, before + 1);
	wait_for(f, &f->engine.event_requests, 1);
}

static const struct container *by_id(struct fixture *f, const char *id)
{
	return world_container_by_id(f->world, slice_of(id));
}

static void a_listed_container_is_named_and_inspected(void **state)
{
	struct fixture f;

	open_fixture(&f);
	f.engine.list = "[" LIST_ITEM(A, "web", "running") "]";
	f.engine.inspect_status = 200;
	f.engine.inspect =
		"{\"Id\":\"" A
		"\",\"Name\":\"/"
		"web\",\"Image\":\"sha256:1\",\"Created\":\"2026-11-23T20:01:05.5Z\","
		"\"State\":{\"StartedAt\":\"2026-11-23T20:01:06Z\"},\"HostConfig\":{\"Privileged\":"
		"true},"
		"\"Config\":{\"User\":\"app\",\"Image\":\"img:1\",\"Labels\":{\"k\":\"v\"}},"
		"\"Mounts\":[{\"Source\":\"/s\",\"Destination\":\"/d\",\"Mode\":\"z\",\"RW\":true,"
		"\"Propagation\":\"rprivate\"}]}";
	f.engine.image = "{\"RepoDigests\":[\"registry/img@sha256:77\"]}";
	connect_world(&f);
	wait_for(&f, &f.seen.changes[WORLD_UPDATED], 2);
	const struct container *c = by_id(&f, A);
	assert_string_equal(c->name, "web");
	assert_string_equal(c->image, "img:1");
	assert_string_equal(c->image_id, "sha256:1");
	assert_string_equal(c->image_digest, "sha256:77");
	assert_string_equal(c->user, "app");
	assert_true(c->privileged && c->is_named && c->is_inspected);
	assert_int_equal(c->label_count, 1);
	assert_string_equal(c->labels[0].value, "v");
	assert_int_equal(c->mount_count, 1);
	assert_string_equal(c->mounts[0].dest, "/d");
	assert_true(c->mounts[0].rw);
	assert_true(c->started_unix_ns > c->created_unix_ns);
	close_fixture(&f);
}

static void ports_reached_from_outside_are_known(void **state)
{
	static const struct {
		const char *host, *network, *want;
	} cases[] = {
		{ "{}", "{}", "" },
		{ "{\"PortBindings\":{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"8080\"}]}}", "{}", "80/tcp" },
		{ "{}",
		  "{\"Ports\":{\"80/tcp\":[{\"HostIp\":\"0.0.0.0\"},{\"HostIp\":\"::\"}],\"81/tcp\":null,"
		  "\"82/udp\":[{\"HostIp\":\"127.0.0.1\"}],\"83/udp\":[{\"HostIp\":\"192.0.2.1\"}]}}",
		  "80/tcp 83/udp" },
		{ "{\"NetworkMode\":\"host\"}", "{}", "*" },
		{ "{\"PortBindings\":[7]}", "{\"Ports\":\"x\"}", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture f;
		char inspect[1024];

		open_fixture(&f);
		f.engine.list = "[" LIST_ITEM(A, "web", "running") "]";
		f.engine.inspect_status = 200;
		snprintf(inspect, sizeof(inspect),
			 "{\"Id\":\"" A "\",\"Name\":\"/web\",\"Config\":{\"Image\":\"img:1\"},\"HostConfig\":%s,"
			 "\"NetworkSettings\":%s}",
			 cases[i].host, cases[i].network);
		f.engine.inspect = inspect;
		connect_world(&f);
		wait_for(&f, &f.seen.changes[WORLD_UPDATED], 1);
		assert_true(by_id(&f, A)->is_running && by_id(&f, A)->is_inspected);
		assert_string_equal(by_id(&f, A)->published, cases[i].want);
		close_fixture(&f);
	}
}

/* Health checks make such events all the time. */
static void what_a_container_did_before_it_was_listed_does_not_hide_that_it_runs(void **state)
{
	static const struct {
		const char *event, *listed;
		bool runs;
	} cases[] = {
		{ EVENT("exec_die", A, "web", 1000), "[" LIST_ITEM(A, "web", "running") "]", true },
		{ EVENT("die", A, "web", 1000), "[" LIST_ITEM(A, "web", "running") "]", false },
		{ EVENT("start", A, "web", 1000), "[" LIST_ITEM(A, "web", "created") "]", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture f;

		open_fixture(&f);
		f.engine.first_event = cases[i].event;
		f.engine.list = cases[i].listed;
		connect_world(&f);
		wait_for(&f, &f.engine.list_requests, 1);
		for (unsigned k = 0; k < 20; k++)
			loop_step(f.loop, 5);
		assert_int_equal(by_id(&f, A)->is_running, cases[i].runs);
		close_fixture(&f);
	}
}

static void a_container_lives_from_create_to_destroy_with_its_name(void **state)
{
	struct fixture f;

	open_fixture(&f);
	connect_world(&f);
	fake_say(&f.engine, SLICE_LIT(EVENT("create", A, "job", 1000) EVENT("start", A, "job", 2000)
					      EVENT("rename", A, "renamed",
						    2500) EVENT("die", A, "renamed", 3000)
						      EVENT("destroy", A, "renamed", 4000)));
	wait_for(&f, &f.seen.changes[WORLD_REMOVED], 1);
	assert_string_equal(
		f.seen.log,
		"created job;started job;updated renamed;changed renamed;stopped renamed;removed renamed;");
	/* the inspect came too late (404), the events' word stays */
	for (unsigned i = 0; i < 20; i++)
		loop_step(f.loop, 5);
	const struct container *c = by_id(&f, A);
	assert_true(c->is_named && c->is_gone && !c->is_inspected);
	assert_string_equal(c->image, "img:1");
	close_fixture(&f);
}

#define NETWORK_EVENT(action, container, at)                                                       \
	"{\"Type\":\"network\",\"Action\":\"" action "\",\"Actor\":{\"ID\":\"n1\",\"Attributes\":{"         \
	"\"container\":\"" container "\",\"name\":\"net\"}},\"timeNano\":" #at "}\n"

static void what_is_changed_about_a_container_is_told(void **state)
{
	struct fixture f;

	open_fixture(&f);
	connect_world(&f);
	fake_say(&f.engine, SLICE_LIT(EVENT("create", A, "web", 1000) NETWORK_EVENT("connect", A, 1500)
					      NETWORK_EVENT("connect", B, 1600) NETWORK_EVENT("create", A, 1700)
						      EVENT("start", A, "web", 2000) EVENT("update", A, "web", 3000)
							      NETWORK_EVENT("disconnect", A, 4000)
								      EVENT("die", A, "web", 5000)));
	wait_for(&f, &f.seen.changes[WORLD_STOPPED], 1);
	assert_string_equal(f.seen.log, "created web;changed web;started web;changed web;changed web;stopped web;");
	close_fixture(&f);
}

static void a_container_met_in_a_cgroup_first_is_created_once(void **state)
{
	struct fixture f;
	struct event_process p = {.cgroup = SLICE_LIT("/docker/" A)};

	open_fixture(&f);
	connect_world(&f);
	const struct container *c = world_container(f.world, &p);
	assert_non_null(c);
	assert_false(c->is_named);
	assert_string_equal(c->engine, "docker");
	assert_ptr_equal(world_container(f.world, &p), c);
	fake_say(&f.engine, SLICE_LIT(EVENT("create", A, "web", 1000)));
	wait_for(&f, &f.seen.changes[WORLD_UPDATED], 1);
	assert_true(c->is_named);
	assert_int_equal(f.seen.changes[WORLD_CREATED], 1);
	close_fixture(&f);
}

static void a_users_cgroup_does_not_pass_for_the_engines_container(void **state)
{
	struct fixture f;
	struct event_process p = {.cgroup =
					  SLICE_LIT("/user.slice/user-7.slice/docker-" A ".scope")};

	open_fixture(&f);
	f.engine.list = "[" LIST_ITEM(A, "web", "running") "]";
	connect_world(&f);
	const struct container *c = world_container(f.world, &p);
	assert_non_null(c);
	assert_false(c->is_named);
	assert_string_equal(by_id(&f, A)->name, "web");
	close_fixture(&f);
}

static void a_plain_pair_of_names_is_a_container_only_outside_the_hosts_mounts(void **state)
{
	struct fixture f;
	CLEANUP(users_freep) struct users *u = users_new(clock_real(), "/proc");
	struct event_process p = {.cgroup = SLICE_LIT("/default/web"), .ns_mnt = users_host_mnt(u)};

	open_fixture(&f);
	assert_true(p.ns_mnt > 0);
	assert_null(world_container(f.world, &p));
	p.ns_mnt++;
	assert_non_null(world_container(f.world, &p));
	close_fixture(&f);
}

static void garbage_in_the_stream_is_skipped_and_the_rest_heard(void **state)
{
	struct fixture f;
	CLEANUP(buf_finip) struct buf huge = {0};

	open_fixture(&f);
	connect_world(&f);
	buf_init(&huge, 0);
	buf_add_str(&huge, "{\"Type\":\"");
	for (unsigned i = 0; i < 3 * WORLD_ENGINE_LINE_BYTES / 8; i++)
		buf_add_str(&huge, "xxxxxxxx");
	buf_add_str(&huge,
		    "\n\n\r\nnot json\n[1]\n7\nnull\n{\"Type\":\"container\"}\n"
		    "{\"Type\":\"container\",\"Action\":7,\"Actor\":[],\"timeNano\":-1}\n"
		    "{\"Type\":\"container\",\"Action\":\"create\",\"Actor\":{\"ID\":\"\"}}\n"
		    "{\"Type\":\"container\",\"Action\":\"create\",\"Actor\":{\"ID\":\"../../x?a\","
		    "\"Attributes\":[]}}\n\xff\xfe\x00\n");
	for (unsigned i = 0; i < 200; i++)
		buf_add_char(&huge, '[');
	buf_add_char(&huge, '\n');
	buf_add_str(&huge, EVENT("create", A, "after", 1000));
	fake_say(&f.engine, buf_slice(&huge));
	for (unsigned i = 0; i < 500 && !by_id(&f, A); i++)
		loop_step(f.loop, 10);
	assert_non_null(by_id(&f, A));
	assert_string_equal(by_id(&f, A)->name, "after");
	/* an id that is none got into no request */
	wait_for(&f, &f.engine.inspect_requests, 1);
	assert_int_equal(f.engine.inspect_requests, 1);
	close_fixture(&f);
}

static void long_values_and_many_labels_are_cut(void **state)
{
	struct fixture f;
	CLEANUP(buf_finip) struct buf answer = {0};

	open_fixture(&f);
	buf_init(&answer, 0);
	buf_add_str(&answer,
		    "{\"Id\":\"" A
		    "\",\"Name\":\"/web\",\"Mounts\":7,\"Config\":{\"Image\":\"i\",\"Labels\":{");
	for (unsigned i = 0; i < 300; i++) {
		buf_printf(&answer, "%s\"k%u\":\"", i ? "," : "", i);
		for (unsigned k = 0; k < 300; k++)
			buf_add_str(&answer, "vvvvvvvv");
		buf_add_char(&answer, '"');
	}
	buf_add_str(&answer, "}}}");
	f.engine.list = "[" LIST_ITEM(A, "web", "running") "]";
	f.engine.inspect_status = 200;
	f.engine.inspect = answer.p;
	connect_world(&f);
	wait_for(&f, &f.seen.changes[WORLD_UPDATED], 1);
	const struct container *c = by_id(&f, A);
	assert_int_equal(c->label_count, WORLD_LABELS);
	assert_int_equal(strlen(c->labels[0].value), WORLD_LABEL_VALUE_BYTES);
	close_fixture(&f);
}

static void an_engine_that_goes_away_is_found_again_and_what_was_missed_is_told(void **state)
{
	struct fixture f;

	open_fixture(&f);
	f.engine.list = "[" LIST_ITEM(A, "old", "running") "," LIST_ITEM(B, "stays", "running") "]";
	connect_world(&f);
	fake_say(&f.engine, SLICE_LIT(EVENT("rename", B, "stays2", 1795464065418537216)));
	wait_for(&f, &f.seen.changes[WORLD_UPDATED], 1);
	fake_stop(&f.engine);
	wait_for(&f, &f.seen.disconnects, 1);
	f.seen.log[0] = 0;
	f.engine.list = "[" LIST_ITEM(B, "stays2", "exited") "]";
	fake_listen(&f.engine);
	wait_for(&f, &f.seen.connects, 2);
	assert_non_null(strstr(f.seen.log, "stopped stays2;"));
	assert_non_null(strstr(f.seen.log, "stopped old;removed old;"));
	assert_null(strstr(f.seen.log, "created"));
	wait_for(&f, &f.engine.event_requests, 2);
	assert_non_null(strstr(f.engine.last_events_url, "since=1795464065.418537216"));
	/* the repetition of the last event is not news */
	unsigned updates = f.seen.changes[WORLD_UPDATED];
	fake_say(&f.engine, SLICE_LIT(EVENT("rename", B, "stays", 1795464065418537216)
					      EVENT("create", A "", "x", 1795464065418539999)));
	for (unsigned i = 0; i < 50; i++)
		loop_step(f.loop, 5);
	assert_int_equal(f.seen.changes[WORLD_UPDATED], updates);
	assert_true(by_id(&f, A)->is_gone); /* ids are not used twice */
	close_fixture(&f);
}

static void a_broken_list_means_not_connected(void **state)
{
	static const struct {
		int status;
		const char *body;
	} cases[] = {{0, ""}, {500, "{}"}, {200, "{}"}, {200, "["}, {200, ""}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture f;

		open_fixture(&f);
		f.engine.list_status = cases[i].status;
		f.engine.list = cases[i].body;
		world_start(f.world);
		wait_for(&f, &f.seen.disconnects, 1);
		assert_int_equal(f.seen.connects, 0);
		f.engine.list_status = 200;
		f.engine.list = "[7,null,{\"Id\":3},{\"Id\":\"" A "\",\"Names\":[]}]";
		wait_for(&f, &f.seen.connects, 1);
		assert_non_null(by_id(&f, A));
		assert_false(by_id(&f, A)->is_named);
		close_fixture(&f);
	}
}

static void no_engine_is_said_once(void **state)
{
	struct fixture f;

	open_fixture(&f);
	fake_stop(&f.engine);
	world_start(f.world);
	wait_for(&f, &f.seen.disconnects, 1);
	for (unsigned i = 0; i < 100; i++)
		loop_step(f.loop, 10);
	assert_int_equal(f.seen.disconnects, 1);
	close_fixture(&f);
}

static void a_flood_of_containers_stays_within_the_bound_and_keeps_the_known(void **state)
{
	CLEANUP(containers_freep) struct containers *t = containers_new(clock_real(), NULL, NULL);
	struct world_stats s;
	char id[65];

	assert_non_null(containers_get(t, SLICE_LIT(A), false, "docker", CONTAINER_KNOWN));
	for (unsigned i = 0; i < 3 * WORLD_CONTAINERS; i++) {
		snprintf(id, sizeof(id), "%064u", i);
		assert_non_null(containers_get(t, slice_of(id), true, "docker", CONTAINER_GUESSED));
	}
	containers_stats(t, &s);
	assert_int_equal(s.containers, WORLD_CONTAINERS);
	assert_int_equal(s.containers_evicted, 2 * WORLD_CONTAINERS + 1);
	assert_non_null(containers_find(t, SLICE_LIT(A), false));
}

static void a_removed_container_is_kept_for_a_minute(void **state)
{
	struct clock clk = clock_fake(1);
	CLEANUP(containers_freep) struct containers *t = containers_new(&clk, NULL, NULL);
	struct centry *e = containers_get(t, SLICE_LIT(A), false, "docker", CONTAINER_KNOWN);

	containers_mark_gone(t, e);
	clock_fake_advance(&clk, 59ull * 1000000000);
	containers_sweep(t);
	assert_non_null(containers_find(t, SLICE_LIT(A), false));
	clock_fake_advance(&clk, 1000000000);
	containers_sweep(t);
	assert_null(containers_find(t, SLICE_LIT(A), false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_listed_container_is_named_and_inspected),
		cmocka_unit_test(ports_reached_from_outside_are_known),
		cmocka_unit_test(what_a_container_did_before_it_was_listed_does_not_hide_that_it_runs),
		cmocka_unit_test(a_container_lives_from_create_to_destroy_with_its_name),
		cmocka_unit_test(what_is_changed_about_a_container_is_told),
		cmocka_unit_test(a_container_met_in_a_cgroup_first_is_created_once),
		cmocka_unit_test(a_users_cgroup_does_not_pass_for_the_engines_container),
		cmocka_unit_test(
			a_plain_pair_of_names_is_a_container_only_outside_the_hosts_mounts),
		cmocka_unit_test(garbage_in_the_stream_is_skipped_and_the_rest_heard),
		cmocka_unit_test(long_values_and_many_labels_are_cut),
		cmocka_unit_test(
			an_engine_that_goes_away_is_found_again_and_what_was_missed_is_told),
		cmocka_unit_test(a_broken_list_means_not_connected),
		cmocka_unit_test(no_engine_is_said_once),
		cmocka_unit_test(a_flood_of_containers_stays_within_the_bound_and_keeps_the_known),
		cmocka_unit_test(a_removed_container_is_kept_for_a_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
