/* test_net.c - what a container may reach and listen on: real calls, real packets, two boxes and a host. */
#include "tests/agent/guard/net/boxes.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>

static void enforce(void)
{
	struct net_config cfg = config(NET_ENFORCE);
	struct net_rules rules = one_denied();

	net_open(&cfg);
	tell_box(&t.a, &rules);
	tell_box(&t.b, NULL);
}

static void a_denied_destination_is_EPERM_in_one_and_allowed_in_the_neighbour(void **state)
{
	static const struct to denied[] = { { "10.99.0.1", PORT }, { "fd99::1", PORT }, { "::ffff:10.99.0.1", PORT } };
	static const struct to allowed[] = { { "10.99.0.2", PORT }, { "fd99::2", PORT }, { "::ffff:10.99.0.2", PORT } };
	int (*const ways[])(void *) = { tcp_connect, udp_connect, udp_send };

	enforce();
	for (size_t w = 0; w < ARRAY_LEN(ways); w++)
		for (size_t i = 0; i < ARRAY_LEN(denied); i++) {
			assert_int_equal(in_box(&t.a, ways[w], (void *)&denied[i]), EPERM);
			assert_int_equal(in_box(&t.b, ways[w], (void *)&denied[i]), 0);
			assert_int_equal(in_box(&t.a, ways[w], (void *)&allowed[i]), 0);
		}
	assert_int_equal(datagrams(), 6); /* b's three and a's three allowed ones */
}

static void it_is_told_by_whom_where_to_and_by_which_rule(void **state)
{
	struct to to = { "10.99.0.1", PORT };

	enforce();
	assert_int_equal(in_box(&t.a, tcp_connect, &to), EPERM);
	const struct net_event *e = find_event(ID_A, NET_CONNECT);
	assert_non_null(e);
	assert_true(e->is_refused);
	assert_memory_equal(e->address, "\x0a\x63\x00\x01", 4);
	assert_false(e->is_v6);
	assert_int_equal(e->port, PORT);
	assert_int_equal(e->protocol, IPPROTO_TCP);
	assert_true(e->pid > 0);
	assert_true(e->comm[0]);
	assert_int_equal(e->rule, DENIED_BY_TEST);
	assert_int_equal(e->count, 1);
	assert_true(e->boot_ns > 0 && e->boot_ns <= clock_boot_ns(clock_real()));
	to.address = "fd99::1";
	assert_int_equal(in_box(&t.a, udp_send, &to), EPERM);
	e = find_event(ID_A, NET_SENDMSG);
	assert_non_null(e);
	assert_true(e->is_v6);
	assert_int_equal(e->protocol, IPPROTO_UDP);
}

static int connect_often(void *arg)
{
	for (int i = 0; i < 100; i++)
		if (tcp_connect(arg) != EPERM)
			return 1;
	return 0;
}

static void a_loop_of_refusals_is_folded_and_none_is_forgotten(void **state)
{
	struct to to = { "10.99.0.1", PORT };
	uint64_t sum = 0;

	enforce();
	assert_int_equal(in_box(&t.a, connect_often, &to), 0);
	turn(2300);
	assert_in_range(t.event_count, 2, 4);
	for (size_t i = 0; i < t.event_count; i++)
		sum += t.events[i].count;
	assert_int_equal(sum, 100);
	assert_int_equal(t.lost, 0);
}

static int scan(void *arg)
{
	for (int i = 0; i < 3000; i++) {
		char address[32];
		struct to to = { address, 9 };

		snprintf(address, sizeof(address), "10.98.%d.%d", i / 250, i % 250);
		(void)udp_connect(&to);
	}
	return 0;
}

static void a_scan_is_bounded_and_what_is_not_told_is_counted(void **state)
{
	struct net_config cfg = config(NET_ENFORCE);
	struct net_rules all = { .is_denied_by_default = true };
	uint64_t sum = 0;

	net_open(&cfg);
	tell_box(&t.a, &all);
	assert_int_equal(in_box(&t.a, scan, NULL), 0);
	turn(1500);
	for (size_t i = 0; i < t.event_count; i++)
		if (t.events[i].hook == NET_CONNECT) /* earlier tests' connections may still be ending */
			sum += t.events[i].count;
	assert_in_range(t.event_count, 100, 2600);
	assert_in_range(sum + t.lost, 3000, 3010);
}

static void the_longest_prefix_decides(void **state)
{
	struct net_prefix p[] = { prefix("0.0.0.0", 0, true, 1), prefix("10.99.0.0", 16, false, 2),
				  prefix("10.99.0.1", 32, true, 3), prefix("::", 0, true, 4),
				  prefix("fd99::", 64, false, 5),   prefix("fd99::1", 128, true, 6),
				  /* of the same one the last */
				  prefix("10.99.0.2", 32, true, 7), prefix("10.99.0.2", 32, false, 8),
				  prefix("10.77.1.1", 32, false, 9), prefix("10.77.1.1", 32, true, 10) };
	struct net_rules rules = { .prefixes = p, .prefix_count = ARRAY_LEN(p) };
	struct net_config cfg = config(NET_ENFORCE);
	static const struct {
		struct to to;
		int result;
		uint32_t rule;
	} cases[] = {
		{ { "10.99.0.2", PORT }, 0, 0 },	 { { "10.99.0.1", PORT }, EPERM, 3 },
		{ { "10.77.1.1", PORT }, EPERM, 10 }, { { "10.77.2.1", PORT }, EPERM, 1 }, { { "fd99::2", PORT }, 0, 0 },
		{ { "fd99::1", PORT }, EPERM, 6 },	 { { "fd77:1::1", PORT }, EPERM, 4 },
	};

	net_open(&cfg);
	tell_box(&t.a, &rules);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		t.event_count = 0;
		assert_int_equal(in_box(&t.a, tcp_connect, (void *)&cases[i].to), cases[i].result);
		if (cases[i].result)
			assert_int_equal(find_event(ID_A, NET_CONNECT)->rule, cases[i].rule);
	}
}

static void what_no_prefix_names_is_the_default(void **state)
{
	struct net_prefix p[] = { prefix("10.99.0.2", 32, false, 1) };
	struct net_rules rules = { .prefixes = p, .prefix_count = 1, .is_denied_by_default = true };
	struct net_config cfg = config(NET_ENFORCE);
	struct to to = { "10.99.0.2", PORT };

	net_open(&cfg);
	tell_box(&t.a, &rules);
	assert_int_equal(in_box(&t.a, tcp_connect, &to), 0);
	to.address = "10.99.0.1";
	assert_int_equal(in_box(&t.a, tcp_connect, &to), EPERM);
	assert_int_equal(find_event(ID_A, NET_CONNECT)->rule, 0);
	to.address = "0.0.0.0"; /* oneself, and not allowed by 10.99.0.2 */
	assert_int_equal(in_box(&t.a, tcp_connect, &to), EPERM);
	to.address = "fd99::2";
	assert_int_equal(in_box(&t.a, udp_send, &to), EPERM);
}

static int bind_some(void *arg)
{
	struct to restricted = { arg, 2375 }, fine = { arg, 2376 }, any = { arg, 0 };

	return (tcp_bind(&restricted) == EPERM) | (tcp_bind(&fine) == 0) << 1 | (tcp_bind(&any) == 0) << 2;
}

static void a_restricted_port_may_not_be_listened_on(void **state)
{
	char any4[] = "0.0.0.0", any6[] = "::";
	struct net_ports ports[] = { { 2000, 3000, true, 11 }, { 2376, 2376, false, 12 } };
	struct net_rules rules = { .ports = ports, .port_count = 2 };
	struct net_config cfg = config(NET_ENFORCE);

	net_open(&cfg);
	tell_box(&t.a, &rules);
	tell_box(&t.b, NULL);
	assert_int_equal(in_box(&t.a, bind_some, any4), 7);
	assert_int_equal(in_box(&t.a, bind_some, any6), 7);
	const struct net_event *e = find_event(ID_A, NET_BIND);
	assert_int_equal(e->port, 2375);
	assert_int_equal(e->rule, 11);
	assert_int_equal(in_box(&t.b, bind_some, any4), 6);
}

/* A server in the box, told to start by its rules being there. */
static int listen_and_wait(void *arg)
{
	struct to to = { "0.0.0.0", 2375 };
	struct sockaddr_storage a;
	socklen_t n = sockaddr_of(&to, &a);
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, n) < 0 || listen(fd, 5) < 0)
		return errno;
	if (write(*(int *)arg, "x", 1) < 0)
		return errno;
	for (;;)
		pause();
}

static void who_listened_there_before_is_not_reached_any_more(void **state)
{
	struct net_ports ports[] = { { 2375, 2375, true, 11 } };
	struct net_rules rules = { .ports = ports, .port_count = 1 };
	struct net_config cfg = config(NET_ENFORCE);
	struct to to = { "10.77.1.2", 2375 };
	int ready[2];
	char c;

	assert_return_code(pipe(ready), errno);
	pid_t pid = box_begin(&t.a, listen_and_wait, &ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(tcp_connect(&to), 0);
	net_open(&cfg);
	tell_box(&t.a, &rules);
	assert_int_not_equal(tcp_connect(&to), 0);
	turn(20);
	assert_non_null(find_event(ID_A, NET_INGRESS));
	assert_int_equal(find_event(ID_A, NET_INGRESS)->rule, 11);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
}

/* --- connections that were there before --- */

struct talk {
	int go[2], done[2]; /* pipes */
	const char *address;
	int type;
};

/* Connects, says so; at each byte of go sends once and says how that ended. */
static int talk(void *arg)
{
	struct talk *k = arg;
	struct to to = { k->address, PORT };
	struct sockaddr_storage a;
	socklen_t n = sockaddr_of(&to, &a);
	int fd = socket(a.ss_family, k->type, 0);
	unsigned char c = 0;

	if (connect(fd, (struct sockaddr *)&a, n) < 0)
		return errno;
	for (;;) {
		if (write(k->done[1], &c, 1) < 0 || read(k->go[0], &c, 1) != 1)
			return 0;
		c = send(fd, "open!", 5, MSG_NOSIGNAL) < 0 ? (unsigned char)errno : 0;
	}
}

static unsigned char ask(struct talk *k)
{
	unsigned char c;

	assert_int_equal(write(k->go[1], "x", 1), 1);
	assert_int_equal(read(k->done[0], &c, 1), 1);
	turn(50);
	return c;
}

static pid_t talk_begin(struct talk *k)
{
	unsigned char c;

	assert_return_code(pipe(k->go), errno);
	assert_return_code(pipe(k->done), errno);
	pid_t pid = box_begin(&t.a, talk, k);
	assert_int_equal(read(k->done[0], &c, 1), 1);
	return pid;
}

static void talk_end(struct talk *k, pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (int i = 0; i < 2; i++) {
		close(k->go[i]);
		close(k->done[i]);
	}
}

static void a_tcp_connection_that_was_open_carries_nothing_more(void **state)
{
	struct talk k = { .address = "10.99.0.1", .type = SOCK_STREAM };
	pid_t pid = talk_begin(&k);
	char buf[64];

	int fd = accept(t.tcp, NULL, NULL);
	assert_true(fd >= 0);
	assert_int_equal(ask(&k), 0);
	assert_int_equal(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), 5);
	enforce();
	(void)ask(&k); /* the socket takes it; the network doesn't */
	assert_int_equal(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), -1);
	const struct net_event *e = find_event(ID_A, NET_EGRESS);
	assert_non_null(e);
	assert_int_equal(e->rule, DENIED_BY_TEST);
	assert_int_equal(e->port, PORT);
	talk_end(&k, pid);
	close(fd);
}

static void a_udp_socket_that_was_connected_sends_nothing_more(void **state)
{
	struct talk k = { .address = "fd99::1", .type = SOCK_DGRAM };
	pid_t pid = talk_begin(&k);

	assert_int_equal(ask(&k), 0);
	assert_int_equal(datagrams(), 1);
	enforce();
	assert_int_equal(ask(&k), EPERM);
	assert_int_equal(datagrams(), 0);
	assert_non_null(find_event(ID_A, NET_EGRESS));
	talk_end(&k, pid);
}

static void an_open_connection_is_judged_anew_when_the_rules_change(void **state)
{
	struct talk k = { .address = "10.99.0.2", .type = SOCK_DGRAM };
	struct net_prefix p[] = { prefix("10.99.0.2", 32, true, 5) };
	struct net_rules other = { .prefixes = p, .prefix_count = 1 }, first = one_denied();

	enforce();
	pid_t pid = talk_begin(&k);
	assert_int_equal(ask(&k), 0);
	tell_box(&t.a, &other);
	assert_int_equal(ask(&k), EPERM);
	assert_int_equal(find_event(ID_A, NET_EGRESS)->rule, 5);
	tell_box(&t.a, &first);
	assert_int_equal(ask(&k), 0);
	net_container_gone(t.net, ID_A);
	assert_int_equal(ask(&k), 0);
	talk_end(&k, pid);
}

/* --- what a raw socket makes --- */

static uint16_t checksum(const void *p, size_t n)
{
	const uint16_t *w = p;
	uint32_t sum = 0;

	for (size_t i = 0; i < n / 2; i++)
		sum += w[i];
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)~(sum + (sum >> 16));
}

static size_t udp_by_hand(const char *to, unsigned char *ret)
{
	struct ip ip = { .ip_hl = 5, .ip_v = 4, .ip_len = htons(20 + 8 + 5), .ip_ttl = 64, .ip_p = IPPROTO_UDP };
	struct udphdr udp = { .uh_sport = htons(5555), .uh_dport = htons(PORT), .uh_ulen = htons(8 + 5) };

	inet_pton(AF_INET, "10.77.1.2", &ip.ip_src);
	inet_pton(AF_INET, to, &ip.ip_dst);
	ip.ip_sum = checksum(&ip, 20);
	memcpy(ret, &ip, 20);
	memcpy(ret + 20, &udp, 8);
	memcpy(ret + 28, "craft", 5);
	return 33;
}

static int raw_send(void *arg)
{
	struct to *to = arg;
	struct sockaddr_storage a;
	socklen_t n = sockaddr_of(to, &a);
	unsigned char packet[64];
	size_t size = udp_by_hand(to->address, packet);
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

	((struct sockaddr_in *)&a)->sin_port = 0;
	return sendto(fd, packet, size, 0, (struct sockaddr *)&a, n) < 0 ? errno : 0;
}

static void a_raw_socket_gets_EPERM(void **state)
{
	struct to denied = { "10.99.0.1", PORT }, allowed = { "10.99.0.2", PORT };

	assert_int_equal(in_box(&t.a, raw_send, &denied), 0);
	assert_int_equal(datagrams(), 1); /* it works as such */
	enforce();
	assert_int_equal(in_box(&t.a, raw_send, &denied), EPERM);
	assert_int_equal(datagrams(), 0);
	assert_non_null(find_event(ID_A, NET_EGRESS));
	assert_int_equal(in_box(&t.a, raw_send, &allowed), 0);
	assert_int_equal(in_box(&t.b, raw_send, &denied), 0);
}

static unsigned char host_mac[6];

static int frame_send(void *arg)
{
	struct to *to = arg;
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("eth0"), .sll_halen = 6 };
	unsigned char frame[128] = { 0 };
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

	memcpy(frame, host_mac, 6);
	memcpy(ll.sll_addr, host_mac, 6);
	frame[12] = 8;
	size_t size = 14 + udp_by_hand(to->address, frame + 14);
	return sendto(fd, frame, size, 0, (struct sockaddr *)&ll, sizeof(ll)) < 0 ? errno : 0;
}

static void find_mac(const char *device)
{
	char path[96];
	unsigned m[6];

	snprintf(path, sizeof(path), "/sys/class/net/%s/address", device);
	CLEANUP(fclosep) FILE *f = fopen(path, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%x:%x:%x:%x:%x:%x", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5]), 6);
	for (int i = 0; i < 6; i++)
		host_mac[i] = (unsigned char)m[i];
}

static void a_frame_by_hand_leaves_but_does_not_arrive(void **state)
{
	struct to denied = { "10.99.0.1", PORT }, allowed = { "10.99.0.2", PORT };

	find_mac("pv1");
	assert_int_equal(in_box(&t.a, frame_send, &denied), 0);
	assert_int_equal(datagrams(), 1); /* it works as such */
	enforce();
	assert_int_equal(layer("veth").attached, 2);
	assert_int_equal(in_box(&t.a, frame_send, &denied), 0);
	assert_int_equal(datagrams(), 0);
	const struct net_event *e = find_event(ID_A, NET_VETH);
	assert_non_null(e);
	assert_true(e->is_refused);
	assert_int_equal(e->rule, DENIED_BY_TEST);
	assert_int_equal(e->port, PORT);
	assert_int_equal(in_box(&t.a, frame_send, &allowed), 0);
	assert_int_equal(datagrams(), 1);
}

/* --- who connects in --- */

static int serve_one(void *arg)
{
	struct to to = { "0.0.0.0", 8080 };
	struct sockaddr_storage a;
	socklen_t n = sockaddr_of(&to, &a);
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, n) < 0 || listen(fd, 5) < 0 || write(*(int *)arg, "x", 1) < 0)
		return errno;
	int c = accept(fd, NULL, NULL);
	static char page[100000];
	size_t sent = 0;
	while (sent < sizeof(page)) {
		ssize_t k = send(c, page + sent, sizeof(page) - sent, 0);
		if (k < 0)
			return errno;
		sent += (size_t)k;
	}
	return 0;
}

/* Reads until the end from an address that the box may not reach by itself. */
static size_t read_page(const char *from)
{
	struct to to = { "10.77.1.2", 8080 }, own = { from, 0 };
	struct sockaddr_storage a, mine;
	socklen_t n = sockaddr_of(&to, &a), m = sockaddr_of(&own, &mine);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct timeval patience = { 2, 0 };
	size_t got = 0;
	char buf[4096];
	ssize_t k;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	assert_return_code(bind(fd, (struct sockaddr *)&mine, m), errno);
	if (!connect(fd, (struct sockaddr *)&a, n))
		while ((k = recv(fd, buf, sizeof(buf), 0)) > 0)
			got += (size_t)k;
	close(fd);
	return got;
}

static void who_connects_in_from_a_denied_address_is_answered(void **state)
{
	struct net_config cfg = config(NET_ENFORCE);
	struct net_rules all = { .is_denied_by_default = true };
	int ready[2];
	char c;

	assert_return_code(pipe(ready), errno);
	net_open(&cfg);
	tell_box(&t.a, &all);
	pid_t pid = box_begin(&t.a, serve_one, &ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(read_page("10.99.0.1"), 100000);
	assert_int_equal(box_end(pid), 0);
	assert_int_equal(t.event_count, 0);
	close(ready[0]);
	close(ready[1]);
}

/* --- monitored, unknown, announced --- */

static void monitored_everything_passes_and_is_told(void **state)
{
	struct net_config cfg = config(NET_MONITOR);
	struct net_rules rules = one_denied();
	struct to to = { "10.99.0.1", PORT };

	find_mac("pv1");
	net_open(&cfg);
	tell_box(&t.a, &rules);
	assert_int_equal(in_box(&t.a, tcp_connect, &to), 0);
	assert_int_equal(in_box(&t.a, udp_send, &to), 0);
	assert_int_equal(t.event_count, 2); /* once each, though packets went through two more layers */
	assert_false(find_event(ID_A, NET_CONNECT)->is_refused);
	assert_false(find_event(ID_A, NET_SENDMSG)->is_refused);
	assert_int_equal(in_box(&t.a, frame_send, &to), 0);
	assert_int_equal(datagrams(), 2);
	assert_false(find_event(ID_A, NET_VETH)->is_refused);
	net_set_mode(t.net, NET_ENFORCE);
	assert_int_equal(in_box(&t.a, tcp_connect, &to), EPERM);
	net_set_mode(t.net, NET_OFF);
	t.event_count = 0;
	assert_int_equal(in_box(&t.a, tcp_connect, &to), 0);
	assert_int_equal(t.event_count, 0);
}

static void where_nothing_is_judged_the_hosts_connections_pass_no_program(void **state)
{
	struct net_config cfg = config(NET_OFF);
	struct net_rules rules = one_denied();
	struct to to = { "10.99.0.1", PORT };

	net_open(&cfg);
	tell_box(&t.a, &rules);
	assert_int_equal(layer("connect4").attached, 0);
	assert_int_equal(layer("egress").attached, 1);
	assert_int_equal(in_box(&t.a, tcp_connect, &to), 0);
	net_set_mode(t.net, NET_ENFORCE);
	assert_int_equal(layer("connect4").attached, 1);
	assert_string_equal(layer("connect4").why_not, "");
	assert_int_equal(in_box(&t.a, tcp_connect, &to), EPERM);
	net_set_mode(t.net, NET_OFF);
	assert_int_equal(layer("connect4").attached, 0);
	assert_int_equal(in_box(&t.a, tcp_connect, &to), 0);
}

/* Of a policy with one section enforced and another only watched. */
static void a_single_denial_can_be_only_told_of(void **state)
{
	struct net_prefix p[] = { prefix("10.99.0.1", 32, true, 7), prefix("10.99.0.2", 32, true, 8) };
	struct net_ports ports[] = { { .from = 2375, .to = 2375, .is_denied = true, .rule = 9, .is_monitored = true } };
	struct net_rules rules = { .prefixes = p, .prefix_count = 2, .ports = ports, .port_count = 1 };
	struct net_config cfg = config(NET_ENFORCE);
	struct to refused = { "10.99.0.1", PORT }, told = { "10.99.0.2", PORT };

	p[1].is_monitored = true;
	find_mac("pv1");
	net_open(&cfg);
	tell_box(&t.a, &rules);
	assert_int_equal(in_box(&t.a, tcp_connect, &refused), EPERM);
	assert_true(find_event(ID_A, NET_CONNECT)->is_refused);
	t.event_count = 0;
	assert_int_not_equal(in_box(&t.a, tcp_connect, &told), EPERM);
	assert_non_null(find_event(ID_A, NET_CONNECT));
	assert_false(find_event(ID_A, NET_CONNECT)->is_refused);
	assert_int_equal(find_event(ID_A, NET_CONNECT)->rule, 8);
	struct to port = { "0.0.0.0", 2375 };
	assert_int_equal(in_box(&t.a, tcp_bind, &port), 0);
	assert_false(find_event(ID_A, NET_BIND)->is_refused);
	assert_int_equal(find_event(ID_A, NET_BIND)->rule, 9);
}

static void a_container_nobody_told_of_is_held_only_when_asked(void **state)
{
	struct net_config cfg = config(NET_ENFORCE);
	struct to to = { "10.99.0.2", PORT };
	struct test_box host = { .id = "" };
	struct err e = { 0 };

	net_open(&cfg);
	assert_int_equal(in_box(&t.a, tcp_connect, &to), 0);
	net_shut();
	cfg.is_unknown_denied = true;
	net_open(&cfg);
	assert_int_equal(in_box(&t.a, tcp_connect, &to), EPERM);
	assert_int_equal(in_box(&t.a, udp_send, &to), EPERM);
	assert_non_null(find_event("", NET_CONNECT));
	assert_int_equal(in_box(&host, tcp_connect, &to), 0); /* not below an engine's */
	tell_box(&t.a, NULL);
	assert_int_equal(in_box(&t.a, tcp_connect, &to), 0);
	assert_int_equal(in_box(&t.b, tcp_connect, &to), EPERM);
	assert_int_equal(net_container_announce(t.net, ID_B, NULL, &e), 0);
	assert_int_equal(in_box(&t.b, tcp_connect, &to), 0);
	net_container_gone(t.net, ID_B);
	assert_int_equal(in_box(&t.b, tcp_connect, &to), EPERM);
}

static void an_announced_container_is_known_by_its_first_call(void **state)
{
	struct net_config cfg = config(NET_ENFORCE);
	struct net_rules rules = one_denied();
	struct to denied = { "10.99.0.1", PORT }, allowed = { "10.99.0.2", PORT };
	struct test_box c = { .init = t.a.init };
	struct err e = { 0 };

	net_open(&cfg);
	assert_int_equal(net_container_announce(t.net, "short", &rules, &e), -EINVAL);
	assert_int_equal(net_container_announce(t.net, ID_C, &rules, &e), 0);
	box_cgroup(&c, ID_C); /* after it */
	assert_int_equal(in_box(&c, tcp_connect, &denied), EPERM);
	assert_int_equal(in_box(&c, tcp_connect, &allowed), 0);
	assert_non_null(find_event(ID_C, NET_CONNECT));
	rmdir(c.cgroup);
	/* under another engine's form of name */
	snprintf(c.cgroup, sizeof(c.cgroup), "%s/docker/docker-%s.scope", t.cgroup_root, ID_C);
	mkdir(c.cgroup, 0755);
	assert_int_equal(in_box(&c, tcp_connect, &denied), EPERM);
	rmdir(c.cgroup);
	/* no id, though 64 and more letters */
	snprintf(c.cgroup, sizeof(c.cgroup), "%s/docker/x%s", t.cgroup_root, ID_C);
	mkdir(c.cgroup, 0755);
	assert_int_equal(in_box(&c, tcp_connect, &denied), 0);
	rmdir(c.cgroup);
}

static void a_cgroup_made_below_is_the_containers(void **state)
{
	struct to to = { "10.99.0.1", PORT };
	struct test_box below = t.a;
	char path[300];

	enforce();
	snprintf(path, sizeof(path), "%s/sub", t.a.cgroup);
	mkdir(path, 0755);
	snprintf(below.cgroup, sizeof(below.cgroup), "%.250s", path);
	assert_int_equal(in_box(&below, tcp_connect, &to), EPERM);
	assert_int_equal(in_box(&below, raw_send, &to), EPERM);
	rmdir(path);
}

static void a_process_that_left_its_cgroup_is_known_by_its_network(void **state)
{
	struct to to = { "10.99.0.1", PORT };
	struct test_box strayed = { .init = t.a.init };

	if (!knows_netns())
		skip();
	enforce();
	assert_int_equal(in_box(&strayed, tcp_connect, &to), EPERM);
}

static void who_shares_a_network_keeps_rules_of_its_own(void **state)
{
	struct net_config cfg = config(NET_ENFORCE);
	struct net_rules rules = one_denied(), all = { .is_denied_by_default = true };
	struct to denied = { "10.99.0.1", PORT }, allowed = { "10.99.0.2", PORT };
	struct test_box c = { .init = 0 };
	struct err e = { 0 };

	if (!knows_netns())
		skip();
	net_open(&cfg);
	tell_box(&t.a, &rules);
	c.init = t.a.init;
	box_cgroup(&c, ID_C);
	/* its init: a process in c's cgroup, in a's network */
	int ready[2];
	char x;
	assert_return_code(pipe(ready), errno);
	pid_t init = box_begin(&c, listen_and_wait, &ready[1]);
	assert_int_equal(read(ready[0], &x, 1), 1);
	assert_int_equal(net_container(t.net, ID_C, init, &all, &e), 0);
	assert_int_equal(in_box(&c, tcp_connect, &allowed), EPERM);
	assert_int_equal(in_box(&t.a, tcp_connect, &allowed), 0);
	assert_int_equal(in_box(&t.a, udp_send, &allowed), 0);
	assert_int_equal(in_box(&t.a, tcp_connect, &denied), EPERM);
	net_container_gone(t.net, ID_A);
	t.event_count = 0;
	struct test_box strayed = { .init = t.a.init };
	allowed.port++; /* told of just now, that one was */
	assert_int_equal(in_box(&strayed, tcp_connect, &allowed), EPERM); /* now c's network alone */
	assert_non_null(find_event(ID_C, NET_CONNECT));
	kill(init, SIGKILL);
	waitpid(init, NULL, 0);
	assert_int_equal(net_container(t.net, ID_C, init, &all, &e), -ESRCH);
	rmdir(c.cgroup);
	close(ready[0]);
	close(ready[1]);
}

/* --- rules replaced under load --- */

static int hammer(void *arg)
{
	struct to denied = { "10.99.0.1", PORT }, allowed = { "10.99.0.2", PORT };
	volatile int *stop = arg;
	long rounds = 0;

	while (!*stop) {
		if (udp_connect(&denied) != EPERM)
			return 1;
		int r = udp_connect(&allowed);
		if (r)
			return 100 + r;
		rounds++;
	}
	return rounds > 100 ? 0 : 3;
}

static void rules_are_replaced_without_a_moment_between(void **state)
{
	int *stop = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct net_config cfg = config(NET_ENFORCE);
	struct net_rules rules = one_denied();
	struct net_prefix p[203];

	net_open(&cfg);
	tell_box(&t.a, &rules);
	pid_t pid = box_begin(&t.a, hammer, stop);
	for (unsigned i = 0; i < 200; i++) {
		memcpy(p, rules.prefixes, 3 * sizeof(*p));
		for (unsigned k = 0; k < 200; k++) { /* each time others beside those two */
			char address[32];

			snprintf(address, sizeof(address), "10.%u.%u.0", 100 + i % 100, k);
			p[3 + k] = prefix(address, 24, k & 1, i * 1000 + k);
		}
		struct net_rules next = { .prefixes = p, .prefix_count = 203, .is_denied_by_default = i & 1 };
		tell_box(&t.a, &next);
		turn(5);
	}
	*stop = 1;
	assert_int_equal(box_end(pid), 0);
	munmap(stop, sizeof(int));
}

static void ten_thousand_prefixes_are_loaded_and_right(void **state)
{
	enum { COUNT = 10000 };
	struct net_prefix *p = calloc(COUNT, sizeof(*p));
	struct net_rules rules = { .prefixes = p, .prefix_count = COUNT };
	struct net_config cfg = config(NET_ENFORCE);
	char address[64];

	for (unsigned i = 0; i < COUNT; i++) {
		if (i & 1)
			snprintf(address, sizeof(address), "fd10:%x:%x::", i / 100, i % 100);
		else
			snprintf(address, sizeof(address), "20.%u.%u.0", i / 200, i % 200);
		p[i] = prefix(address, i & 1 ? 48 : 24, i % 3 != 0, i + 1);
	}
	net_open(&cfg);
	tell_box(&t.a, &rules);
	tell_box(&t.b, &rules); /* shares them */
	for (unsigned i = 0; i < COUNT; i += 337) {
		struct to to = { address, 9 };

		if (i & 1)
			snprintf(address, sizeof(address), "fd10:%x:%x::77", i / 100, i % 100);
		else
			snprintf(address, sizeof(address), "20.%u.%u.77", i / 200, i % 200);
		t.event_count = 0;
		assert_int_equal(in_box(i & 4 ? &t.a : &t.b, udp_connect, &to), i % 3 ? EPERM : 0);
		if (i % 3)
			assert_int_equal(find_event(i & 4 ? ID_A : ID_B, NET_CONNECT)->rule, i + 1);
	}
	/* more than there is room for */
	struct net_rules many = { .prefixes = p, .prefix_count = COUNT };
	struct err e = { 0 };
	net_shut();
	cfg.max_prefixes = 6000;
	net_open(&cfg);
	assert_int_equal(net_container(t.net, ID_A, t.a.init, &many, &e), -ERR_LIMIT);
	many.prefix_count = 5000;
	for (unsigned i = 0; i < 20; i++) { /* what was let go makes room */
		p[0].rule = 100000 + i;
		tell_box(&t.a, &many);
	}
	free(p);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(a_denied_destination_is_EPERM_in_one_and_allowed_in_the_neighbour),
		BOX_TEST(it_is_told_by_whom_where_to_and_by_which_rule),
		BOX_TEST(a_loop_of_refusals_is_folded_and_none_is_forgotten),
		BOX_TEST(a_scan_is_bounded_and_what_is_not_told_is_counted),
		BOX_TEST(the_longest_prefix_decides),
		BOX_TEST(what_no_prefix_names_is_the_default),
		BOX_TEST(a_restricted_port_may_not_be_listened_on),
		BOX_TEST(who_listened_there_before_is_not_reached_any_more),
		BOX_TEST(a_tcp_connection_that_was_open_carries_nothing_more),
		BOX_TEST(a_udp_socket_that_was_connected_sends_nothing_more),
		BOX_TEST(an_open_connection_is_judged_anew_when_the_rules_change),
		BOX_TEST(a_raw_socket_gets_EPERM),
		BOX_TEST(a_frame_by_hand_leaves_but_does_not_arrive),
		BOX_TEST(who_connects_in_from_a_denied_address_is_answered),
		BOX_TEST(monitored_everything_passes_and_is_told),
		BOX_TEST(where_nothing_is_judged_the_hosts_connections_pass_no_program),
		BOX_TEST(a_single_denial_can_be_only_told_of),
		BOX_TEST(a_container_nobody_told_of_is_held_only_when_asked),
		BOX_TEST(an_announced_container_is_known_by_its_first_call),
		BOX_TEST(a_cgroup_made_below_is_the_containers),
		BOX_TEST(a_process_that_left_its_cgroup_is_known_by_its_network),
		BOX_TEST(who_shares_a_network_keeps_rules_of_its_own),
		BOX_TEST(rules_are_replaced_without_a_moment_between),
		BOX_TEST(ten_thousand_prefixes_are_loaded_and_right),
	};

	return cmocka_run_group_tests(tests, boxes_setup, boxes_teardown);
}

int main(void)
{
	return boxes_main(run);
}
