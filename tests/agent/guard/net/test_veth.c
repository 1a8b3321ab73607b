/* test_veth.c - frames at the host's end of a veth, and what a network needs to work at all. */
#include "tests/agent/guard/net/boxes.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>

static struct net_rules all_denied(void)
{
	return (struct net_rules){ .is_denied_by_default = true };
}

static void hold(const struct net_rules *rules)
{
	struct net_config cfg = config(NET_ENFORCE);

	net_open(&cfg);
	tell_box(&t.a, rules);
}

/* --- frames by hand --- */

struct frame {
	unsigned char bytes[128];
	size_t n;
};

static int frame_send(void *arg)
{
	struct frame *f = arg;
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("eth0"), .sll_halen = 6 };
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

	return sendto(fd, f->bytes, f->n, 0, (struct sockaddr *)&ll, sizeof(ll)) < 0 ? errno : 0;
}

static struct frame frame(unsigned ethertype, const void *payload, size_t n)
{
	struct frame f = { .n = 14 + (n < 46 ? 46 : n) };

	memset(f.bytes, 0xff, 6);
	f.bytes[12] = (unsigned char)(ethertype >> 8);
	f.bytes[13] = (unsigned char)ethertype;
	memcpy(f.bytes + 14, payload, n);
	return f;
}

/* By the event: a packet socket of the host's would see frames before tc does. */
static bool is_refused(struct frame f)
{
	turn(1100); /* the second of the one before is over */
	t.event_count = 0;
	assert_int_equal(in_box(&t.a, frame_send, &f), 0);
	return find_event(ID_A, NET_VETH) != NULL;
}

static void only_what_is_judged_or_needed_passes(void **state)
{
	struct net_rules rules = all_denied();
	static const unsigned char arp[28] = { 0, 1, 8, 0, 6, 4, 0, 1 };
	static const unsigned char v4[20] = { 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0, 10, 77, 1, 2, 10, 99, 0, 1 };
	static const unsigned char short_v4[20] = { 0x65, 0, 0, 20 };
	/* neighbour solicitation to a group of the link, and the same far away */
	unsigned char ns[64] = { 0x60, 0, 0, 0, 0, 24, 58, 255 };
	/* UDP behind a destination option and a routing header */
	unsigned char ext[72] = { 0x60, 0, 0, 0, 0, 24, 60, 64 };

	inet_pton(AF_INET6, "fe80::1", ns + 8);
	inet_pton(AF_INET6, "ff02::1:ff00:1", ns + 24);
	ns[40] = 135;
	memcpy(ext + 8, ns + 8, 16);
	inet_pton(AF_INET6, "fd99::1", ext + 24);
	ext[40] = 43;
	ext[48] = 17;
	ext[59] = 99; /* port 99 */
	hold(&rules);
	assert_true(is_refused(frame(0x0800, v4, sizeof(v4))));
	assert_true(is_refused(frame(0x0800, short_v4, sizeof(short_v4))));
	assert_false(is_refused(frame(0x0806, arp, sizeof(arp))));
	assert_true(is_refused(frame(0x8847, v4, sizeof(v4))));
	assert_true(is_refused(frame(0x9100, v4, sizeof(v4))));
	assert_false(is_refused(frame(0x86dd, ns, sizeof(ns))));
	inet_pton(AF_INET6, "fd99::1", ns + 24);
	assert_true(is_refused(frame(0x86dd, ns, sizeof(ns))));
	assert_true(is_refused(frame(0x86dd, ext, sizeof(ext))));
	const struct net_event *e = find_event(ID_A, NET_VETH);
	assert_int_equal(e->protocol, IPPROTO_UDP);
	assert_int_equal(e->port, 99);
	assert_true(e->is_v6);
}

static void neighbours_find_each_other_under_a_default_of_denial(void **state)
{
	struct net_prefix p[] = { prefix("fd99::2", 128, false, 1), prefix("10.99.0.2", 32, false, 1) };
	struct net_rules rules = { .prefixes = p, .prefix_count = 2, .is_denied_by_default = true };
	struct to v6 = { "fd99::2", PORT }, v4 = { "10.99.0.2", PORT };

	hold(&rules);
	(void)sh("ip neigh flush dev pv1; nsenter -t %d -n ip neigh flush dev eth0", t.a.init);
	assert_int_equal(in_box(&t.a, tcp_connect, &v6), 0);
	assert_int_equal(in_box(&t.a, tcp_connect, &v4), 0);
	assert_int_equal(t.event_count, 0);
}

/* --- answers --- */

enum { LARGE = 4000 };

static int answer_large(void *arg)
{
	struct to to = { "::", 5353 };
	struct sockaddr_storage a;
	socklen_t n = sockaddr_of(&to, &a);
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	static char buf[LARGE];

	if (bind(fd, (struct sockaddr *)&a, n) < 0 || write(*(int *)arg, "x", 1) < 0)
		return errno;
	for (;;) {
		n = sizeof(a);
		if (recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&a, &n) < 0)
			return errno;
		(void)sendto(fd, buf, LARGE, 0, (struct sockaddr *)&a, n);
	}
}

static ssize_t question(const char *from, const char *to_address)
{
	struct to to = { to_address, 5353 }, own = { from, 0 };
	struct sockaddr_storage a, mine;
	socklen_t n = sockaddr_of(&to, &a), m = sockaddr_of(&own, &mine);
	struct timeval patience = { 5, 0 };
	int fd = socket(a.ss_family, SOCK_DGRAM, 0);
	char buf[LARGE + 1];

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_return_code(bind(fd, (struct sockaddr *)&mine, m), errno);
	assert_int_equal(sendto(fd, "?", 1, 0, (struct sockaddr *)&a, n), 1);
	ssize_t r = recv(fd, buf, sizeof(buf), 0);
	close(fd);
	return r;
}

static void an_answer_in_fragments_arrives_whole(void **state)
{
	struct net_rules rules = all_denied();
	int ready[2];
	char c;

	assert_return_code(pipe(ready), errno);
	hold(&rules);
	pid_t pid = box_begin(&t.a, answer_large, &ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(question("10.99.0.1", "10.77.1.2"), LARGE);
	assert_int_equal(question("fd99::1", "fd77:1::2"), LARGE);
	turn(20);
	assert_int_equal(t.event_count, 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
}

static void the_kernels_own_answers_are_no_event(void **state)
{
	struct net_rules rules = all_denied();
	struct to to = { "10.77.1.2", 4444 };

	hold(&rules);
	(void)tcp_connect(&to); /* a reset, to a denied address */
	(void)sh("ping -c 1 -W 1 10.77.1.2 >/dev/null 2>&1");
	turn(50);
	assert_int_equal(t.event_count, 0);
}

/* --- whose --- */

static void a_container_on_the_hosts_network_is_held_by_its_cgroup(void **state)
{
	struct net_rules rules = one_denied();
	struct net_config cfg = config(NET_ENFORCE);
	struct to denied = { "10.99.0.1", PORT }, allowed = { "10.99.0.2", PORT };
	struct test_box c = { .init = 0 };
	int go[2];
	struct err e = { 0 };

	net_open(&cfg);
	box_cgroup(&c, ID_C);
	assert_return_code(pipe(go), errno);
	c.init = fork();
	if (!c.init) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		join_cgroup(&c);
		(void)!write(go[1], "x", 1);
		for (;;)
			pause();
	}
	t.child = c.init;
	char x;
	assert_int_equal(read(go[0], &x, 1), 1);
	assert_int_equal(net_container(t.net, ID_C, c.init, &rules, &e), 0);
	assert_int_equal(layer("veth").attached, 0);
	assert_int_equal(layer("egress").attached, 1);
	assert_int_equal(in_box(&c, tcp_connect, &denied), EPERM);
	assert_int_equal(in_box(&c, tcp_connect, &allowed), 0);
	assert_int_equal(tcp_connect(&denied), 0); /* the host itself */
	box_stop(&c);
	close(go[0]);
	close(go[1]);
}

static void a_network_without_a_veth_is_named(void **state)
{
	struct net_rules rules = one_denied();
	struct to denied = { "10.99.0.1", PORT };
	struct err e = { 0 };
	struct test_box c = { .init = 0 };

	box_start(&c, ID_C, 3);
	assert_int_equal(sh("ip link del pv3"), 0);
	hold(&rules);
	assert_string_equal(layer("veth").why_not, "");
	assert_int_equal(net_container(t.net, ID_C, c.init, &rules, &e), 0);
	assert_non_null(strstr(layer("veth").why_not, "no veth"));
	assert_int_equal(in_box(&c, udp_connect, &denied), EPERM);
	box_stop(&c);
}

static int wait_here(void *arg)
{
	if (write(*(int *)arg, "x", 1) < 0)
		return errno;
	for (;;)
		pause();
}

static void nine_that_share_a_network_are_not_judged_by_frame(void **state)
{
	struct net_config cfg = config(NET_ENFORCE);
	struct net_rules rules = all_denied();
	struct test_box c[9] = { { .init = 0 } };
	char ids[9][65];
	pid_t init[9];
	struct err e = { 0 };
	int ready[2];
	char x;

	assert_return_code(pipe(ready), errno);
	net_open(&cfg);
	for (int i = 0; i < 9; i++) {
		snprintf(ids[i], sizeof(ids[i]), "%064d", i + 1);
		c[i].init = t.a.init;
		box_cgroup(&c[i], ids[i]);
		init[i] = box_begin(&c[i], wait_here, &ready[1]);
		assert_int_equal(read(ready[0], &x, 1), 1);
		assert_int_equal(net_container(t.net, ids[i], init[i], &rules, &e), 0);
		assert_int_equal(sh("tc filter show dev pv1 ingress | grep -q net_veth") == 0, i < 8);
	}
	assert_non_null(strstr(layer("veth").why_not, "8 containers"));
	net_container_gone(t.net, ids[0]);
	assert_int_equal(sh("tc filter show dev pv1 ingress | grep -q net_veth"), 0);
	for (int i = 0; i < 9; i++) {
		net_container_gone(t.net, ids[i]);
		kill(init[i], SIGKILL);
		waitpid(init[i], NULL, 0);
	}
	assert_int_not_equal(sh("tc qdisc show dev pv1 | grep -q clsact"), 0);
	for (int i = 0; i < 9; i++)
		rmdir(c[i].cgroup);
	close(ready[0]);
	close(ready[1]);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(only_what_is_judged_or_needed_passes),
		BOX_TEST(neighbours_find_each_other_under_a_default_of_denial),
		BOX_TEST(an_answer_in_fragments_arrives_whole),
		BOX_TEST(the_kernels_own_answers_are_no_event),
		BOX_TEST(a_container_on_the_hosts_network_is_held_by_its_cgroup),
		BOX_TEST(a_network_without_a_veth_is_named),
		BOX_TEST(nine_that_share_a_network_are_not_judged_by_frame),
	};

	return cmocka_run_group_tests(tests, boxes_setup, boxes_teardown);
}

int main(void)
{
	return boxes_main(run);
}
