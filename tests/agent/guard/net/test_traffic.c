/* test_traffic.c - bytes, packets and peers of a box over an interval, to the byte. */
#include "tests/agent/guard/net/boxes.h"

enum { DATAGRAMS = 50, PAYLOAD = 100 };

static void count(void)
{
	struct net_config cfg = config(NET_MONITOR);

	cfg.interval_ms = 300;
	net_open(&cfg);
	tell_box(&t.a, NULL);
}

/* All intervals together. */
static struct kept_traffic sum_of(const char *id)
{
	static struct kept_traffic sum;

	memset(&sum, 0, sizeof(sum));
	for (size_t i = 0; i < t.traffic_count; i++) {
		const struct kept_traffic *k = &t.traffic[i];

		if (strcmp(k->id, id))
			continue;
		sum.t.rx_bytes += k->t.rx_bytes;
		sum.t.tx_bytes += k->t.tx_bytes;
		sum.t.rx_packets += k->t.rx_packets;
		sum.t.tx_packets += k->t.tx_packets;
		sum.t.other_bytes += k->t.other_bytes;
		for (size_t p = 0; p < k->t.peer_count && sum.t.peer_count < NET_PEERS; p++)
			sum.peers[sum.t.peer_count++] = k->peers[p];
	}
	return sum;
}

static int send_datagrams(void *arg)
{
	struct sockaddr_storage a;
	socklen_t n = sockaddr_of(arg, &a);
	int fd = socket(a.ss_family, SOCK_DGRAM, 0);
	char buf[PAYLOAD] = "";

	for (int i = 0; i < DATAGRAMS; i++)
		if (sendto(fd, buf, sizeof(buf), 0, (struct sockaddr *)&a, n) < 0)
			return errno;
	return 0;
}

static void datagrams_are_counted_to_the_byte(void **state)
{
	struct to v4 = { "10.99.0.2", PORT }, v6 = { "fd99::2", PORT };

	count();
	assert_int_equal(in_box(&t.a, send_datagrams, &v4), 0);
	assert_int_equal(in_box(&t.a, send_datagrams, &v6), 0);
	turn(700);
	struct kept_traffic k = sum_of(ID_A);
	assert_int_equal(k.t.tx_packets, 2 * DATAGRAMS);
	assert_int_equal(k.t.tx_bytes, DATAGRAMS * (20 + 8 + PAYLOAD) + DATAGRAMS * (40 + 8 + PAYLOAD));
	assert_int_equal(k.t.rx_packets, 0);
	assert_int_equal(k.t.other_bytes, 0);
	assert_int_equal(k.t.peer_count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_true(k.peers[i].is_outgoing);
		assert_int_equal(k.peers[i].port, PORT);
		assert_int_equal(k.peers[i].protocol, IPPROTO_UDP);
		assert_int_equal(k.peers[i].connections, 1);
		assert_int_equal(k.peers[i].tx_bytes, DATAGRAMS * ((k.peers[i].is_v6 ? 40 : 20) + 8 + PAYLOAD));
	}
	assert_int_equal(sum_of(ID_B).t.tx_packets, 0);
}

static uint64_t device_bytes(const char *what)
{
	char path[96];
	unsigned long long v = 0;

	snprintf(path, sizeof(path), "/sys/class/net/pv1/statistics/%s", what);
	CLEANUP(fclosep) FILE *f = fopen(path, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%llu", &v), 1);
	return v;
}

/* One socket; ten at once, ten 0.7 s later, ten 0.3 s later. */
static int send_on_and_on(void *arg)
{
	static const useconds_t pauses[] = { 0, 700000, 300000 };
	struct sockaddr_storage a;
	socklen_t n = sockaddr_of(arg, &a);
	int fd = socket(a.ss_family, SOCK_DGRAM, 0);
	char buf[PAYLOAD] = "";

	for (size_t k = 0; k < ARRAY_LEN(pauses); k++) {
		usleep(pauses[k]);
		for (int i = 0; i < 10; i++)
			if (sendto(fd, buf, sizeof(buf), 0, (struct sockaddr *)&a, n) < 0)
				return errno;
	}
	return 0;
}

static void what_goes_on_is_counted_once_in_each_interval(void **state)
{
	struct to to = { "10.99.0.2", PORT };
	uint64_t bytes = 0, connections = 0;

	count();
	assert_int_equal(in_box(&t.a, send_on_and_on, &to), 0);
	turn(700);
	struct kept_traffic k = sum_of(ID_A);
	assert_int_equal(k.t.tx_packets, 30);
	assert_int_equal(k.t.other_bytes, 0);
	assert_in_range(k.t.peer_count, 2, 6);
	for (size_t i = 0; i < k.t.peer_count; i++) {
		bytes += k.peers[i].tx_bytes;
		connections += k.peers[i].connections;
	}
	assert_int_equal(bytes, k.t.tx_bytes);
	assert_int_equal(connections, 1);
}

enum { STREAM = 3 << 20 };

static int send_stream(void *arg)
{
	struct sockaddr_storage a;
	socklen_t n = sockaddr_of(arg, &a);
	int fd = socket(a.ss_family, SOCK_STREAM, 0);
	static char buf[65536];

	if (connect(fd, (struct sockaddr *)&a, n) < 0)
		return errno;
	for (size_t sent = 0; sent < STREAM;) {
		ssize_t k = send(fd, buf, sizeof(buf), 0);
		if (k < 0)
			return errno;
		sent += (size_t)k;
	}
	shutdown(fd, SHUT_WR);
	return recv(fd, buf, 1, 0) == 0 ? 0 : 1;
}

static void a_stream_is_counted_as_the_device_counts_it(void **state)
{
	struct to to = { "10.99.0.2", PORT };
	static char buf[65536];
	uint64_t before = device_bytes("rx_bytes"), packets = device_bytes("rx_packets");

	count();
	pid_t pid = box_begin(&t.a, send_stream, &to);
	int fd = -1;
	while (fd < 0)
		fd = accept(t.tcp, NULL, NULL);
	while (recv(fd, buf, sizeof(buf), 0) > 0)
		turn(0);
	close(fd);
	assert_int_equal(box_end(pid), 0);
	turn(700);
	struct kept_traffic k = sum_of(ID_A);
	uint64_t frames = device_bytes("rx_bytes") - before;
	packets = device_bytes("rx_packets") - packets;
	/* More than the payload by 52 bytes per 1,448. A veth counts what travels as one as one. */
	assert_true(k.t.tx_bytes > STREAM);
	assert_in_range(k.t.tx_bytes, STREAM + STREAM / 1448 * 52 - 52 * 64, STREAM + STREAM / 1448 * 60);
	assert_in_range(k.t.tx_packets, STREAM / 1500, STREAM / 1300);
	assert_in_range(frames, STREAM, k.t.tx_bytes + packets * 14 + 4096);
	assert_true(k.t.rx_bytes > 0 && k.t.rx_bytes < STREAM / 10);
	assert_true(k.t.peer_count >= 1);
	assert_memory_equal(k.peers[0].address, "\x0a\x63\x00\x02", 4);
	assert_true(k.peers[0].is_outgoing);
	uint64_t connections = 0;
	for (size_t i = 0; i < k.t.peer_count; i++)
		connections += k.peers[i].connections;
	assert_int_equal(connections, 1);
}

static int answer_one(void *arg)
{
	struct to to = { "0.0.0.0", 8080 };
	struct sockaddr_storage a;
	socklen_t n = sockaddr_of(&to, &a);
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	char buf[64];

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, n) < 0 || listen(fd, 5) < 0 || write(*(int *)arg, "x", 1) < 0)
		return errno;
	int c = accept(fd, NULL, NULL);
	return recv(c, buf, sizeof(buf), 0) == 5 && send(c, "hello", 5, 0) == 5 ? 0 : 1;
}

static void a_client_from_outside_is_a_peer_by_the_servers_port(void **state)
{
	struct to to = { "10.77.1.2", 8080 };
	struct sockaddr_storage a;
	socklen_t n = sockaddr_of(&to, &a);
	int ready[2];
	char buf[16];

	count();
	assert_return_code(pipe(ready), errno);
	pid_t pid = box_begin(&t.a, answer_one, &ready[1]);
	assert_int_equal(read(ready[0], buf, 1), 1);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_return_code(connect(fd, (struct sockaddr *)&a, n), errno);
	assert_int_equal(send(fd, "hello", 5, 0), 5);
	assert_int_equal(recv(fd, buf, 5, 0), 5);
	close(fd);
	assert_int_equal(box_end(pid), 0);
	turn(700);
	struct kept_traffic k = sum_of(ID_A);
	assert_true(k.t.peer_count >= 1);
	assert_false(k.peers[0].is_outgoing);
	assert_int_equal(k.peers[0].port, 8080);
	assert_memory_equal(k.peers[0].address, "\x0a\x4d\x01\x01", 4);
	assert_true(k.t.rx_packets >= 4 && k.t.tx_packets >= 3);
	close(ready[0]);
	close(ready[1]);
}

static int ping_oneself(void *arg)
{
	struct to to = { "127.0.0.1", 9 };

	return send_datagrams(&to);
}

static void what_stays_inside_is_no_traffic(void **state)
{
	count();
	(void)in_box(&t.a, ping_oneself, NULL);
	turn(400);
	assert_int_equal(t.traffic_count, 0); /* and who had none is not told of */
}

static void a_container_that_goes_is_told_of_at_once(void **state)
{
	struct net_config cfg = config(NET_MONITOR);
	struct to to = { "10.99.0.2", PORT };

	net_open(&cfg); /* a minute */
	tell_box(&t.a, NULL);
	assert_int_equal(in_box(&t.a, send_datagrams, &to), 0);
	assert_int_equal(t.traffic_count, 0);
	net_container_gone(t.net, ID_A);
	assert_int_equal(t.traffic_count, 1);
	assert_int_equal(t.traffic[0].t.tx_packets, DATAGRAMS);
	assert_int_equal(t.traffic[0].t.peer_count, 1);
	assert_true(t.traffic[0].t.to_unix_ns > t.traffic[0].t.from_unix_ns);
	/* and nothing of it is left for who gets its place */
	tell_box(&t.a, NULL);
	net_container_gone(t.net, ID_A);
	assert_int_equal(t.traffic_count, 1);
}

static int send_to_many(void *arg)
{
	for (int i = 0; i < 100; i++) {
		char address[32];
		struct to to = { address, (uint16_t)(9000 + i) };

		snprintf(address, sizeof(address), "10.99.0.2");
		for (int k = 0; k <= i; k++)
			if (udp_send(&to))
				return 1;
	}
	return 0;
}

static void the_largest_peers_are_named_and_the_rest_is_a_sum(void **state)
{
	struct net_config cfg = config(NET_MONITOR);
	uint64_t named = 0;

	net_open(&cfg);
	tell_box(&t.a, NULL);
	assert_int_equal(in_box(&t.a, send_to_many, NULL), 0);
	net_container_gone(t.net, ID_A);
	const struct kept_traffic *k = &t.traffic[0];
	assert_int_equal(k->t.peer_count, NET_PEERS);
	for (size_t i = 0; i < NET_PEERS; i++) {
		named += k->peers[i].tx_bytes + k->peers[i].rx_bytes;
		assert_int_equal(k->peers[i].port, 9099 - i);
		/* a socket each; by chance one gets the port of one before, and is the same flow */
		assert_in_range(k->peers[i].connections, 90 - i, 100 - i);
	}
	assert_int_equal(named + k->t.other_bytes, k->t.tx_bytes + k->t.rx_bytes);
	assert_true(k->t.other_bytes > 0);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		BOX_TEST(datagrams_are_counted_to_the_byte),
		BOX_TEST(what_goes_on_is_counted_once_in_each_interval),
		BOX_TEST(a_stream_is_counted_as_the_device_counts_it),
		BOX_TEST(a_client_from_outside_is_a_peer_by_the_servers_port),
		BOX_TEST(what_stays_inside_is_no_traffic),
		BOX_TEST(a_container_that_goes_is_told_of_at_once),
		BOX_TEST(the_largest_peers_are_named_and_the_rest_is_a_sum),
	};

	return cmocka_run_group_tests(tests, boxes_setup, boxes_teardown);
}

int main(void)
{
	return boxes_main(run);
}
