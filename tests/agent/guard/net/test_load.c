/* test_load.c - what is pinned goes on without its process, is taken over, grows, and is cleared. */
#include "agent/bpf/net.h"
#include "tests/agent/guard/net/boxes.h"

static struct net_config pinned(void)
{
	struct net_config cfg = config(NET_ENFORCE);

	cfg.pin_dir = t.pins;
	return cfg;
}

static struct to denied = { "10.99.0.1", PORT }, allowed = { "10.99.0.2", PORT };

static void enforcement_outlives_the_process_that_loaded_it(void **state)
{
	int status;

	pid_t pid = fork();
	if (!pid) {
		struct net_config cfg = pinned();
		struct net_rules rules = one_denied();

		net_open(&cfg);
		tell_box(&t.a, &rules);
		_exit(0); /* no farewell */
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(in_box(&t.a, tcp_connect, &denied), EPERM);
	assert_int_equal(in_box(&t.a, tcp_connect, &allowed), 0);
	assert_int_equal(in_box(&t.b, tcp_connect, &denied), 0);

	/* Taken over it goes on at once, before anybody told of the container again; what was refused is told. */
	struct net_config cfg = pinned();
	net_open(&cfg);
	assert_int_equal(layer("pin").attached, 1);
	assert_int_equal(layer("egress").attached, 1);
	assert_int_equal(layer("veth").attached, 1);
	turn(20);
	assert_non_null(find_event(ID_A, NET_CONNECT));
	assert_int_equal(in_box(&t.a, udp_send, &denied), EPERM);
	assert_non_null(find_event(ID_A, NET_SENDMSG));
	tell_box(&t.a, NULL);
	assert_int_equal(in_box(&t.a, tcp_connect, &denied), 0);
}

static int hammer(void *arg)
{
	volatile int *stop = arg;
	long rounds = 0;

	while (!*stop) {
		if (udp_connect(&denied) != EPERM)
			return 1;
		if (udp_connect(&allowed))
			return 2;
		rounds++;
	}
	return rounds > 50 ? 0 : 3;
}

static void it_is_taken_over_without_a_gap(void **state)
{
	int *stop = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct net_config cfg = pinned();
	struct net_rules rules = one_denied();

	net_open(&cfg);
	tell_box(&t.a, &rules);
	pid_t pid = box_begin(&t.a, hammer, stop);
	for (int i = 0; i < 5; i++) {
		net_shut();
		turn(30);
		net_open(&cfg);
		turn(30);
		tell_box(&t.a, &rules);
	}
	*stop = 1;
	assert_int_equal(box_end(pid), 0);
	munmap(stop, sizeof(int));
}

static void maps_grow_with_the_configuration_and_keep_what_holds(void **state)
{
	int *stop = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct net_config cfg = pinned();
	struct net_rules rules = one_denied();
	char path[160];

	cfg.max_containers = 16;
	cfg.max_prefixes = 100;
	net_open(&cfg);
	tell_box(&t.a, &rules);
	pid_t pid = box_begin(&t.a, hammer, stop);
	net_shut();
	cfg.max_prefixes = 1000;
	net_open(&cfg);
	turn(50);
	*stop = 1;
	assert_int_equal(box_end(pid), 0);
	snprintf(path, sizeof(path), "%s/maps-%d-new", t.pins, NET_LAYOUT);
	assert_int_equal(access(path, F_OK), -1);
	/* smaller again: the larger stay */
	net_shut();
	cfg.max_prefixes = 100;
	net_open(&cfg);
	assert_int_equal(in_box(&t.a, tcp_connect, &denied), EPERM);
	munmap(stop, sizeof(int));
}

static void another_layout_goes_on_until_ours_knows_the_containers(void **state)
{
	struct net_config cfg = pinned();
	struct net_rules rules = one_denied();
	char ours[160], theirs[160];

	net_open(&cfg);
	tell_box(&t.a, &rules);
	net_shut();
	snprintf(ours, sizeof(ours), "%s/maps-%d", t.pins, NET_LAYOUT);
	snprintf(theirs, sizeof(theirs), "%s/maps-0", t.pins);
	assert_return_code(rename(ours, theirs), errno);
	net_open(&cfg);
	assert_int_equal(in_box(&t.a, tcp_connect, &denied), EPERM); /* the old one's doing */
	tell_box(&t.a, &rules);
	tell_box(&t.b, &rules); /* which the old one has never heard of */
	assert_int_equal(in_box(&t.a, tcp_connect, &denied), EPERM);
	t.event_count = 0;
	turn(5200);
	assert_int_equal(access(theirs, F_OK), -1);
	assert_int_equal(in_box(&t.a, tcp_connect, &denied), EPERM);
	assert_non_null(find_event(ID_A, NET_CONNECT)); /* ours */
	assert_int_equal(in_box(&t.b, tcp_connect, &denied), EPERM);
	assert_int_equal(layer("egress").attached, 2);
	assert_int_equal(layer("veth").attached, 2);
}

static void a_container_that_ended_meanwhile_is_forgotten(void **state)
{
	struct net_config cfg = pinned();
	struct net_rules rules = one_denied();
	struct test_box c = { .number = 0 };

	box_start(&c, ID_C, 3);
	net_open(&cfg);
	tell_box(&t.a, &rules);
	tell_box(&c, &rules);
	assert_int_equal(layer("egress").attached, 2);
	net_shut();
	box_stop(&c);
	turn(100); /* the kernel lets go of a cgroup a little later */
	net_open(&cfg);
	assert_int_equal(layer("egress").attached, 1);
}

static int count_pins(const char *dir)
{
	char path[512];
	int count = 0;
	DIR *d = opendir(dir);

	if (!d)
		return 0;
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%.200s/%.200s", dir, e->d_name);
			count += 1 + count_pins(path);
		}
	closedir(d);
	return count;
}

static void cleared_nothing_is_left(void **state)
{
	struct net_config cfg = pinned();
	struct net_rules rules = one_denied();
	struct err e = { 0 };
	char root[96];

	net_open(&cfg);
	tell_box(&t.a, &rules);
	assert_true(count_pins(t.pins) > 20);
	net_shut();
	assert_int_equal(in_box(&t.a, tcp_connect, &denied), EPERM);
	assert_int_equal(sh("tc filter show dev pv1 ingress | grep -q net_veth"), 0);
	assert_int_equal(net_clear(t.pins, &e), 0);
	snprintf(root, sizeof(root), "%s/bpf/picket", t.dir);
	assert_int_equal(count_pins(root), 0);
	assert_int_equal(in_box(&t.a, tcp_connect, &denied), 0);
	assert_int_not_equal(sh("tc qdisc show dev pv1 | grep -q clsact"), 0);
	assert_int_equal(net_clear(t.pins, &e), 0); /* again is no error */
	assert_int_equal(net_clear("/tmp", &e), -EINVAL);
}

static void what_is_not_ours_stays(void **state)
{
	struct net_config cfg = pinned();
	struct net_rules rules = one_denied();
	struct err e = { 0 };

	assert_int_equal(sh("tc qdisc add dev pv1 clsact && "
			    "tc filter add dev pv1 ingress prio 7 bpf bytecode '1,6 0 0 0,' flowid 1:1"), 0);
	net_open(&cfg);
	tell_box(&t.a, &rules);
	assert_int_equal(layer("veth").attached, 1);
	net_shut();
	assert_int_equal(net_clear(t.pins, &e), 0);
	assert_int_equal(sh("tc filter show dev pv1 ingress | grep -q bytecode"), 0);
	assert_int_not_equal(sh("tc filter show dev pv1 ingress | grep -q net_veth"), 0);
	assert_int_equal(sh("tc qdisc del dev pv1 clsact"), 0);
}

static void without_bpffs_it_holds_as_long_as_the_process(void **state)
{
	struct net_config cfg = config(NET_ENFORCE);
	struct net_rules rules = one_denied();
	char dir[96];

	snprintf(dir, sizeof(dir), "%s/plain/net", t.dir);
	cfg.pin_dir = dir;
	net_open(&cfg);
	assert_int_equal(layer("pin").attached, 0);
	assert_non_null(strstr(layer("pin").why_not, "bpffs"));
	tell_box(&t.a, &rules);
	assert_int_equal(in_box(&t.a, tcp_connect, &denied), EPERM);
	net_shut();
	assert_int_equal(in_box(&t.a, tcp_connect, &denied), 0);
	assert_int_not_equal(sh("tc qdisc show dev pv1 | grep -q clsact"), 0);
	(void)sh("rm -r %s/plain", t.dir);
}

static void what_one_left_that_was_killed_unpinned_goes_with_the_next(void **state)
{
	struct net_config cfg = config(NET_ENFORCE);
	struct net_rules rules = one_denied();
	int status;

	pid_t pid = fork();
	if (!pid) {
		net_open(&cfg);
		tell_box(&t.a, &rules);
		tell_box(&t.b, &rules);
		_exit(0); /* no farewell */
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* A filter doesn't end with its process: closed, not open. */
	assert_int_equal(sh("tc filter show dev pv1 ingress | grep -q net_veth"), 0);
	assert_int_not_equal(in_box(&t.a, tcp_connect, &denied), 0);
	assert_int_equal(in_box(&t.a, tcp_connect, &allowed), 0);
	net_open(&cfg);
	assert_int_not_equal(sh("tc filter show dev pv1 ingress | grep -q net_veth"), 0);
	assert_int_equal(in_box(&t.a, tcp_connect, &denied), 0);
	tell_box(&t.b, &rules);
	assert_int_equal(sh("tc filter show dev pv2 ingress | grep -q net_veth"), 0);
	net_shut();
	assert_int_not_equal(sh("tc qdisc show | grep -q clsact"), 0);
}

static void without_cgroup_v2_it_says_so(void **state)
{
	struct net_config cfg = config(NET_ENFORCE);
	struct net *n = NULL;
	struct err e = { 0 };

	cfg.cgroup_root = "/nowhere";
	assert_int_equal(net_new(t.loop, clock_real(), &cfg, &ops, NULL, &n, &e), -ENOENT);
	cfg.cgroup_root = "/tmp";
	assert_int_equal(net_new(t.loop, clock_real(), &cfg, &ops, NULL, &n, &e), -ENOTSUP);
	cfg.cgroup_root = ""; /* as mountinfo has it: of this namespace's own */
	assert_int_equal(net_new(t.loop, clock_real(), &cfg, &ops, NULL, &t.net, &e), 0);
	assert_int_equal(layer("connect4").attached, 1);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(enforcement_outlives_the_process_that_loaded_it),
		BOX_TEST(it_is_taken_over_without_a_gap),
		BOX_TEST(maps_grow_with_the_configuration_and_keep_what_holds),
		BOX_TEST(another_layout_goes_on_until_ours_knows_the_containers),
		BOX_TEST(a_container_that_ended_meanwhile_is_forgotten),
		BOX_TEST(cleared_nothing_is_left),
		BOX_TEST(what_is_not_ours_stays),
		BOX_TEST(without_bpffs_it_holds_as_long_as_the_process),
		BOX_TEST(what_one_left_that_was_killed_unpinned_goes_with_the_next),
		BOX_TEST(without_cgroup_v2_it_says_so),
	};

	return cmocka_run_group_tests(tests, boxes_setup, boxes_teardown);
}

int main(void)
{
	return boxes_main(run);
}
