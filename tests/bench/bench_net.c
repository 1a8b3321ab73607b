/* bench_net.c - what the network's hooks cost a container: nothing loaded, one prefix, ten thousand.
 *
 * The three take turns within each round, so that a change in the machine's speed falls on all. Time is the
 * process's own on a CPU, and of all rounds the faster quarter counts: others work here too. Then the kernel's own
 * clock around each program. */
#include "tests/agent/guard/net/boxes.h"

enum { ROUNDS = 12, CONNECTS = 1000, PREFIXES = 10000, PACKETS = 20000 };
enum kind { BARE, ONE, MANY, KIND_COUNT };

static int failed;

static void within(const char *name, double value, double bound, const char *what)
{
	bool is_ok = value > 0 && value <= bound;

	printf("%s %s: %.3f (at most %.2f) %s\n", is_ok ? "ok" : "not ok", name, value, bound, what);
	failed |= !is_ok;
}

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* ns per connect of each way, by the program in the box. */
static struct {
	double udp, tcp;
} *cost;

/* connect by itself, and a whole connection: asked for, refused by the other end, closed. */
static int connects(void *arg)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	double start;

	inet_pton(AF_INET, "10.99.0.2", &a.sin_addr);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	start = now_ns();
	for (int i = 0; i < 10 * CONNECTS; i++) {
		a.sin_port = htons((uint16_t)(PORT + i % 100));
		if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
			return errno;
	}
	cost->udp = (now_ns() - start) / (10 * CONNECTS);
	close(fd);
	a.sin_port = htons(PORT + 1); /* nobody there: answered at once, and nothing waits */
	start = now_ns();
	for (int i = 0; i < CONNECTS; i++) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (!connect(fd, (struct sockaddr *)&a, sizeof(a)) || errno != ECONNREFUSED)
			return errno ? errno : 1;
		close(fd);
	}
	cost->tcp = (now_ns() - start) / CONNECTS;
	return 0;
}

static int packets(void *arg)
{
	struct sockaddr_storage a;
	socklen_t n = sockaddr_of(arg, &a);
	int fd = socket(a.ss_family, SOCK_DGRAM, 0);

	for (int i = 0; i < PACKETS; i++)
		if (sendto(fd, "x", 1, 0, (struct sockaddr *)&a, n) < 0)
			return errno;
	return 0;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double fast(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare);
	return v[n / 4];
}

static struct net_prefix many[PREFIXES];

static void fill(void)
{
	for (unsigned i = 0; i < PREFIXES; i++) {
		char address[32];

		snprintf(address, sizeof(address), "%u.%u.%u.0", 20 + i % 50, i / 50, i % 7 * 30);
		many[i] = prefix(address, 24, i & 1, i + 1);
	}
	many[0] = prefix("10.99.0.0", 24, false, 1);
}

static void set(enum kind k)
{
	struct net_config cfg = config(NET_ENFORCE);
	struct net_rules rules = { .prefixes = many, .prefix_count = k == MANY ? PREFIXES : 1,
				   .is_denied_by_default = true };

	if (k == BARE) {
		net_shut();
		return;
	}
	if (!t.net)
		net_open(&cfg);
	tell_box(&t.a, &rules);
}

static void costs(void **state)
{
	static double udp[KIND_COUNT][ROUNDS], tcp[KIND_COUNT][ROUNDS];
	double u[KIND_COUNT], c[KIND_COUNT];
	static const char *const names[] = { "bare", "one", "many" };

	fill();
	for (int round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < KIND_COUNT; i++) {
			enum kind k = (enum kind)((i + (unsigned)round) % KIND_COUNT);

			set(k);
			assert_int_equal(in_box(&t.a, connects, NULL), 0);
			udp[k][round] = cost->udp;
			tcp[k][round] = cost->tcp;
		}
	}
	for (unsigned k = 0; k < KIND_COUNT; k++) {
		u[k] = fast(udp[k], ROUNDS);
		c[k] = fast(tcp[k], ROUNDS);
		printf("bench_net %s tcp_ns=%.0f udp_ns=%.0f\n", names[k], c[k], u[k]);
	}
	within("net_connect_10000", u[MANY] / u[ONE], 1.15, "x the connect of a datagram socket with one prefix, with 10,000");
	within("net_tcp_10000", c[MANY] / c[ONE], 1.10, "x a TCP connection's time with one prefix, with 10,000");
	within("net_tcp", c[MANY] / c[BARE], 1.40, "x a TCP connection's time with nothing loaded");
}

static void note_runs(void *arg, const struct net_layer *l)
{
	char name[64];

	if (l->runs < 1000)
		return; /* cold */
	snprintf(name, sizeof(name), "net_%s_ns", l->name);
	within(name, (double)l->run_ns / (double)l->runs, 500, "ns a run, with 10,000 prefixes");
}

static void runs(void **state)
{
	int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	struct to to = { "10.99.0.2", PORT };

	if (stats < 0) {
		printf("skip net_run_ns: no statistics of programs\n");
		return;
	}
	set(BARE);
	set(MANY);
	many[1] = prefix("fd99::", 64, false, 1);
	set(MANY);
	for (int i = 0; i < 3; i++) {
		to.address = "10.99.0.2";
		assert_int_equal(in_box(&t.a, connects, NULL), 0);
		assert_int_equal(in_box(&t.a, packets, &to), 0);
		to.address = "fd99::2";
		assert_int_equal(in_box(&t.a, packets, &to), 0);
		(void)datagrams();
	}
	net_layers(t.net, note_runs, NULL);
	close(stats);
}

static int run(void)
{
	const struct CMUnitTest tests[] = { BOX_TEST(costs), BOX_TEST(runs) };

	setvbuf(stdout, NULL, _IOLBF, 0);
	cost = mmap(NULL, sizeof(*cost), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (cost == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, boxes_setup, boxes_teardown) || failed;
}

int main(void)
{
	return boxes_main(run);
}
