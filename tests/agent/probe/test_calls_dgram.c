/* test_calls_dgram.c - datagrams by the cgroups' hooks, as they come when no rule reads what was sent. */
#include "tests/agent/probe/watch_calls.h"

#include <arpa/inet.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

enum { SENDS = 200 };

/* The child's sockets as it sees them. */
static struct {
	uint16_t server_port, client_port;
	int server, client;
} *shared;

static bool is_attached;

static void note_hook(void *arg, const struct probe_hook *h)
{
	if (!strcmp(h->name, "cgroup/sendmsg4"))
		is_attached = h->attached;
}

static void without_data(struct watch *w)
{
	struct filter f = { .row_count = 1 };

	watch_row(&f.rows[0]);
	watch_filter(w, &f);
	probe_hooks(w->probe, note_hook, NULL);
	if (!is_attached) {
		print_message("no hooks of the cgroups in this kernel\n");
		skip();
	}
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in6 a;
	socklen_t n = sizeof(a);

	must(getsockname(fd, (struct sockaddr *)&a, &n));
	return ntohs(a.sin6_port); /* at the same place in v4 */
}

static struct sockaddr_in v4(uint32_t host, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(host) };
}

static void act_v4(void)
{
	struct sockaddr_in a = v4(0x7f000006, 0), from;
	socklen_t n = sizeof(a);
	char buf[8];

	shared->server = (int)must(socket(AF_INET, SOCK_DGRAM, 0));
	shared->client = (int)must(socket(AF_INET, SOCK_DGRAM, 0));
	must(bind(shared->server, (struct sockaddr *)&a, n));
	a = v4(0x7f000006, shared->server_port = port_of(shared->server));
	for (int i = 0; i < SENDS; i++) {
		must(sendto(shared->client, "abc", 3, 0, (struct sockaddr *)&a, n));
		n = sizeof(from);
		must(recvfrom(shared->server, buf, sizeof(buf), 0, (struct sockaddr *)&from, &n));
	}
	shared->client_port = port_of(shared->client);
	struct iovec part = { buf, 3 };
	struct sockaddr_in other = v4(0x7f000007, 9);
	struct msghdr m = { .msg_name = &other, .msg_namelen = sizeof(other), .msg_iov = &part,
			    .msg_iovlen = 1 };
	must(sendmsg(shared->client, &m, 0));
	must(connect(shared->client, (struct sockaddr *)&a, sizeof(a)));
	must(send(shared->client, "x", 1, 0));
}

static void a_loop_of_datagrams_is_told_once_per_address(void **state)
{
	struct watch *w = *state;

	without_data(w);
	pid_t pid = watch_child(w, act_v4);
	/* A second may begin anew on the way. */
	assert_in_range(watch_count(w, pid, CALL_SENDTO), 1, 2);
	assert_in_range(watch_count(w, pid, CALL_RECVFROM), 1, 2);
	assert_int_equal(watch_count(w, pid, CALL_SENDMSG), 1);
	const struct event_call *c = watch_call(w, pid, CALL_SENDTO, 0);
	CHECK_NUMBER(c, fd, shared->client);
	CHECK_NUMBER(c, ret, 0);
	CHECK_NUMBER(c, sock_family, AF_INET);
	CHECK_NUMBER(c, sock_type, SOCK_DGRAM);
	CHECK_NUMBER(c, sock_protocol, IPPROTO_UDP);
	CHECK_NUMBER(c, remote.port, shared->server_port);
	CHECK_NUMBER(c, local.port, shared->client_port);
	assert_memory_equal(c->remote.address, "\177\0\0\6", 4);
	assert_false(c->is_sock_connected);
	c = watch_call(w, pid, CALL_RECVFROM, 0);
	CHECK_NUMBER(c, fd, shared->server);
	CHECK_NUMBER(c, remote.port, shared->client_port);
	CHECK_NUMBER(c, local.port, shared->server_port);
	assert_memory_equal(c->remote.address, "\177\0\0\1", 4);
	c = watch_call(w, pid, CALL_SENDMSG, 0);
	CHECK_NUMBER(c, remote.port, 9);
	assert_memory_equal(c->remote.address, "\177\0\0\7", 4);
}

static void act_twice(void)
{
	struct sockaddr_in a = v4(0x7f000008, 9);
	int fd = (int)must(socket(AF_INET, SOCK_DGRAM, 0));
	struct timespec pause = { 1, 50000000 };

	must(sendto(fd, "a", 1, 0, (struct sockaddr *)&a, sizeof(a)));
	(void)nanosleep(&pause, NULL);
	(void)sendto(fd, "a", 1, 0, (struct sockaddr *)&a, sizeof(a)); /* may tell of the first one's fate */
}

static void what_goes_on_is_told_again_after_a_second(void **state)
{
	struct watch *w = *state;

	without_data(w);
	pid_t pid = watch_child(w, act_twice);
	assert_int_equal(watch_count(w, pid, CALL_SENDTO), 2);
}

static void act_v6(void)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(9),
				  .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = (int)must(socket(AF_INET6, SOCK_DGRAM, 0));

	(void)sendto(fd, "a", 1, 0, (struct sockaddr *)&a, sizeof(a));
	must(inet_pton(AF_INET6, "::ffff:127.0.0.9", &a.sin6_addr) - 1);
	(void)sendto(fd, "a", 1, 0, (struct sockaddr *)&a, sizeof(a));
}

static void v6_is_told_and_v4_through_it(void **state)
{
	static const struct in6_addr loopback = IN6ADDR_LOOPBACK_INIT;
	struct watch *w = *state;
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	if (fd < 0)
		skip();
	close(fd);
	without_data(w);
	pid_t pid = watch_child(w, act_v6);
	const struct event_call *c = watch_call(w, pid, CALL_SENDTO, 0);
	CHECK_NUMBER(c, sock_family, AF_INET6);
	CHECK_NUMBER(c, remote.port, 9);
	assert_memory_equal(c->remote.address, &loopback, 16);
	/* The kernel hands a mapped address to v4: so it is told. */
	c = watch_call(w, pid, CALL_SENDTO, 1);
	CHECK_NUMBER(c, sock_family, AF_INET);
	assert_memory_equal(c->remote.address, "\177\0\0\11", 4);
}

static void ports_are_asked_before_anything_is_told(void **state)
{
	static const uint16_t ports[] = { 53 };
	struct filter f = { .row_count = 1 };
	struct watch *w = *state;

	without_data(w);
	watch_row(&f.rows[0]);
	f.rows[0].ports = ports;
	f.rows[0].port_count = 1;
	watch_filter(w, &f);
	pid_t pid = watch_child(w, act_v4);
	assert_int_equal(watch_count(w, pid, CALL_SENDTO), 0);
	assert_int_equal(watch_count(w, pid, CALL_SENDMSG), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loop_of_datagrams_is_told_once_per_address),
		cmocka_unit_test(what_goes_on_is_told_again_after_a_second),
		cmocka_unit_test(v6_is_told_and_v4_through_it),
		cmocka_unit_test(ports_are_asked_before_anything_is_told),
	};
	int r = watch_begin(argc, argv);

	if (r)
		return r;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, watch_setup, watch_teardown);
}
