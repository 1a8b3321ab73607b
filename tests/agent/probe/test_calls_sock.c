/* test_calls_sock.c - sockets: both ends, names of unix sockets, where datagrams go, what was sent. */
#include "tests/agent/probe/watch_calls.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static char dir[64];

static const char *in_dir(const char *name)
{
	static char buf[128];

	snprintf(buf, sizeof(buf), "%s/%s", dir, name);
	return buf;
}

union any {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

static socklen_t v4(union any *a, uint32_t host, uint16_t port)
{
	*a = (union any){ .in = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(host) } };
	return sizeof(a->in);
}

static socklen_t v6(union any *a, uint16_t port)
{
	*a = (union any){ .in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port),
				   .sin6_addr = IN6ADDR_LOOPBACK_INIT } };
	return sizeof(a->in6);
}

/* name may hold a NUL in front: n bytes, and the ending one when it does not. */
static socklen_t named(union any *a, const char *name, size_t n)
{
	*a = (union any){ .un.sun_family = AF_UNIX };
	memcpy(a->un.sun_path, name, n);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + !!name[0]);
}

static uint16_t port_of(int fd)
{
	union any a;
	socklen_t n = sizeof(a);

	must(getsockname(fd, &a.sa, &n));
	return ntohs(a.in.sin_port); /* at the same place in v6 */
}

static void assert_bytes(const uint8_t *address, const char *want, int family)
{
	char buf[INET6_ADDRSTRLEN] = "";

	assert_non_null(inet_ntop(family, address, buf, sizeof(buf)));
	assert_string_equal(buf, want);
}

/* --- connections --- */

static int family;

static void act_connection(void)
{
	union any a;
	socklen_t n = family == AF_INET ? v4(&a, 0x7f000003, 0) : v6(&a, 0);
	int server = (int)must(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));

	must(bind(server, &a.sa, n));
	must(listen(server, 5));
	n = family == AF_INET ? v4(&a, 0x7f000003, port_of(server)) : v6(&a, port_of(server));
	for (int i = 0; i < 2; i++) {
		int client = (int)must(socket(family, SOCK_STREAM, 0));
		must(connect(client, &a.sa, n));
		int taken = (int)must(i ? syscall(SYS_accept4, server, NULL, NULL, SOCK_CLOEXEC) :
					  syscall(SYS_accept, server, NULL, NULL));
		must(shutdown(taken, SHUT_RDWR));
	}
	must(fcntl(server, F_SETFL, O_NONBLOCK));
	(void)accept(server, NULL, NULL);
}

static void check_connection(struct watch *w, pid_t pid, const char *host)
{
	const struct event_call *c = watch_call(w, pid, CALL_SOCKET, 0);
	int server = (int)c->ret;

	CHECK_NUMBER(c, fd, server);
	CHECK_NUMBER(c, sock_family, family);
	CHECK_NUMBER(c, sock_type, SOCK_STREAM);
	CHECK_NUMBER(c, sock_protocol, IPPROTO_TCP);
	assert_false(c->is_sock_connected || c->is_sock_listening || c->local.port);
	c = watch_call(w, pid, CALL_BIND, 0);
	assert_bytes(c->local.address, host, family);
	assert_true(c->local.port); /* the kernel's choice: 0 was asked for */
	uint16_t port = c->local.port;
	c = watch_call(w, pid, CALL_LISTEN, 0);
	CHECK_NUMBER(c, fd, server);
	CHECK_NUMBER(c, local.port, port);
	assert_true(c->is_sock_listening && !c->is_sock_connected);

	const struct event_call *o = watch_call(w, pid, CALL_CONNECT, 0);
	CHECK_NUMBER(o, ret, 0);
	CHECK_NUMBER(o, fd, o->arg[0]);
	CHECK_NUMBER(o, remote.port, port);
	assert_bytes(o->remote.address, host, family);
	assert_true(o->is_sock_connected && o->local.port && o->local.port != port);
	for (int i = 0; i < 2; i++) {
		o = watch_call(w, pid, CALL_CONNECT, i);
		c = watch_call(w, pid, i ? CALL_ACCEPT4 : CALL_ACCEPT, 0);
		CHECK_NUMBER(c, fd, c->ret);
		CHECK_NUMBER(c, local.port, port);
		CHECK_NUMBER(c, remote.port, o->local.port);
		assert_bytes(c->local.address, host, family);
		assert_memory_equal(c->remote.address, o->local.address, 16);
		assert_true(c->is_sock_connected && !c->is_sock_listening);
		CHECK_NUMBER(watch_call(w, pid, CALL_SHUTDOWN, i), remote.port, o->local.port);
	}
	c = watch_call(w, pid, CALL_ACCEPT, 1);
	CHECK_NUMBER(c, ret, -EAGAIN);
	CHECK_NUMBER(c, fd, -1);
	CHECK_NUMBER(c, local.port, port);
	assert_true(c->is_sock_listening);
}

static void both_sides_of_a_v4_connection_say_the_same(void **state)
{
	family = AF_INET;
	check_connection(*state, watch_child(*state, act_connection), "127.0.0.3");
}

static bool has_v6(void)
{
	union any a;
	socklen_t n = v6(&a, 0);
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	bool is = fd >= 0 && !bind(fd, &a.sa, n);

	if (fd >= 0)
		close(fd);
	return is;
}

static void both_sides_of_a_v6_connection_say_the_same(void **state)
{
	if (!has_v6())
		skip();
	family = AF_INET6;
	check_connection(*state, watch_child(*state, act_connection), "::1");
}

static void act_mapped(void)
{
	union any a;
	socklen_t n = v4(&a, INADDR_LOOPBACK, 0);
	int server = (int)must(socket(AF_INET, SOCK_STREAM, 0));

	must(bind(server, &a.sa, n));
	must(listen(server, 5));
	n = v6(&a, port_of(server));
	must(inet_pton(AF_INET6, "::ffff:127.0.0.1", &a.in6.sin6_addr) - 1);
	must(connect((int)must(socket(AF_INET6, SOCK_STREAM, 0)), &a.sa, n));
}

static void a_v4_address_in_a_v6_socket_stays_mapped(void **state)
{
	if (!has_v6())
		skip();
	pid_t pid = watch_child(*state, act_mapped);
	const struct event_call *c = watch_call(*state, pid, CALL_CONNECT, 0);

	CHECK_NUMBER(c, sock_family, AF_INET6);
	assert_bytes(c->remote.address, "::ffff:127.0.0.1", AF_INET6);
	assert_bytes(c->local.address, "::ffff:127.0.0.1", AF_INET6);
}

/* --- what failed --- */

static void act_failed(void)
{
	union any a;
	socklen_t n = v4(&a, 0x7f000001, 1);
	int fd = (int)must(socket(AF_INET, SOCK_STREAM, 0));
	int file = (int)must(open("/dev/null", O_RDONLY));

	(void)connect(fd, &a.sa, n);
	(void)connect(file, &a.sa, n);
	(void)connect(998, &a.sa, n);
	n = v4(&a, 0x01020304, 77); /* none of this host's */
	(void)bind(fd, &a.sa, n);
	(void)syscall(SYS_connect, fd, 1, 16);
	(void)syscall(SYS_connect, fd, &a, 3);
	(void)socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 254);
	(void)syscall(SYS_socket, 9999, 9999, 9999);
}

static void what_failed_says_what_was_tried(void **state)
{
	pid_t pid = watch_child(*state, act_failed);
	const struct event_call *c = watch_call(*state, pid, CALL_CONNECT, 0);

	CHECK_NUMBER(c, ret, -ECONNREFUSED);
	CHECK_NUMBER(c, sock_family, AF_INET);
	CHECK_NUMBER(c, sock_type, SOCK_STREAM);
	CHECK_NUMBER(c, remote.port, 1);
	assert_bytes(c->remote.address, "127.0.0.1", AF_INET);
	assert_false(c->is_sock_connected);
	for (int i = 1; i < 3; i++) {
		c = watch_call(*state, pid, CALL_CONNECT, i);
		CHECK_NUMBER(c, ret, i == 1 ? -ENOTSOCK : -EBADF);
		CHECK_NUMBER(c, sock_family, AF_INET);
		CHECK_NUMBER(c, sock_type, 0);
		CHECK_NUMBER(c, remote.port, 1);
	}
	c = watch_call(*state, pid, CALL_BIND, 0);
	CHECK_NUMBER(c, ret, -EADDRNOTAVAIL);
	CHECK_NUMBER(c, local.port, 77);
	assert_bytes(c->local.address, "1.2.3.4", AF_INET);
	c = watch_call(*state, pid, CALL_CONNECT, 3);
	CHECK_NUMBER(c, ret, -EFAULT);
	CHECK_NUMBER(c, remote.port, 0);
	c = watch_call(*state, pid, CALL_CONNECT, 4);
	CHECK_NUMBER(c, ret, -EINVAL);
	CHECK_NUMBER(c, remote.port, 0);
	c = watch_call(*state, pid, CALL_SOCKET, 1);
	CHECK_NUMBER(c, ret, -EPROTONOSUPPORT);
	CHECK_NUMBER(c, fd, -1);
	CHECK_NUMBER(c, sock_family, AF_INET);
	CHECK_NUMBER(c, sock_type, SOCK_STREAM);
	CHECK_NUMBER(c, sock_protocol, 254);
	CHECK_NUMBER(watch_call(*state, pid, CALL_SOCKET, 2), sock_family, 9999);
}

/* --- unix sockets --- */

static void act_unix(void)
{
	union any a;
	socklen_t n;
	int pair[2];

	must(chdir(dir));
	must(mkdir("deep", 0700));
	int server = (int)must(socket(AF_UNIX, SOCK_STREAM, 0));
	n = named(&a, "deep/../s", 9);
	must(bind(server, &a.sa, n));
	must(listen(server, 5));
	must(symlink("s", "link"));
	n = named(&a, "./link", 6);
	must(connect((int)must(socket(AF_UNIX, SOCK_STREAM, 0)), &a.sa, n));
	must(syscall(SYS_accept, server, NULL, NULL));

	int hidden = (int)must(socket(AF_UNIX, SOCK_SEQPACKET, 0));
	n = named(&a, "\0picket\0test", 12);
	must(bind(hidden, &a.sa, n));
	must(listen(hidden, 5));
	must(connect((int)must(socket(AF_UNIX, SOCK_SEQPACKET, 0)), &a.sa, n));

	n = named(&a, "none", 4);
	(void)connect((int)must(socket(AF_UNIX, SOCK_STREAM, 0)), &a.sa, n);
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	(void)socketpair(AF_INET, SOCK_STREAM, 0, pair);

	int mail = (int)must(socket(AF_UNIX, SOCK_DGRAM, 0));
	n = named(&a, "mail", 4);
	must(bind(mail, &a.sa, n));
	must(sendto((int)must(socket(AF_UNIX, SOCK_DGRAM, 0)), "x", 1, 0, &a.sa, n));
}

static void a_unix_socket_has_the_path_that_the_kernel_bound(void **state)
{
	pid_t pid = watch_child(*state, act_unix);
	const struct event_call *c = watch_call(*state, pid, CALL_BIND, 0);

	CHECK_NUMBER(c, sock_family, AF_UNIX);
	CHECK_TEXT(c, path, in_dir("s"));
	CHECK_TEXT(c, raw, "deep/../s");
	CHECK_TEXT(watch_call(*state, pid, CALL_LISTEN, 0), path, in_dir("s"));
	c = watch_call(*state, pid, CALL_CONNECT, 0);
	CHECK_TEXT(c, path, in_dir("s"));
	CHECK_TEXT(c, raw, "./link");
	assert_true(c->is_sock_connected);
	c = watch_call(*state, pid, CALL_ACCEPT, 0);
	CHECK_TEXT(c, path, in_dir("s"));
	assert_true(c->is_sock_connected);

	c = watch_call(*state, pid, CALL_BIND, 1);
	assert_true(slice_eq(c->path, SLICE_LIT("@picket\0test")));
	c = watch_call(*state, pid, CALL_CONNECT, 1);
	assert_true(slice_eq(c->path, SLICE_LIT("@picket\0test")));
	assert_true(slice_eq(c->raw, SLICE_LIT("@picket\0test")));
	CHECK_NUMBER(c, sock_type, SOCK_SEQPACKET);

	c = watch_call(*state, pid, CALL_CONNECT, 2);
	CHECK_NUMBER(c, ret, -ENOENT);
	CHECK_TEXT(c, path, "none");
	CHECK_TEXT(c, raw, "none");
	assert_false(c->is_sock_connected);

	c = watch_call(*state, pid, CALL_SOCKETPAIR, 0);
	CHECK_NUMBER(c, sock_family, AF_UNIX);
	assert_true(c->is_sock_connected && c->fd > 2);
	CHECK_TEXT(c, path, "");
	c = watch_call(*state, pid, CALL_SOCKETPAIR, 1);
	CHECK_NUMBER(c, ret, -EOPNOTSUPP);
	CHECK_NUMBER(c, fd, -1);
	CHECK_NUMBER(c, sock_family, AF_INET);

	c = watch_call(*state, pid, CALL_SENDTO, 0);
	CHECK_TEXT(c, path, "mail");
	CHECK_NUMBER(c, sock_type, SOCK_DGRAM);
}

/* --- datagrams --- */

static void act_datagrams(void)
{
	union any a, from;
	socklen_t n = v4(&a, 0x7f000004, 0), n_from = sizeof(from);
	int server = (int)must(socket(AF_INET, SOCK_DGRAM, 0));
	int client = (int)must(socket(AF_INET, SOCK_DGRAM, 0));
	char text[300], buf[300];
	struct iovec part = { text, 200 };

	memset(text, 'x', sizeof(text));
	memcpy(text, "first", 5);
	must(bind(server, &a.sa, n));
	n = v4(&a, 0x7f000004, port_of(server));
	struct msghdr m = { .msg_name = &a, .msg_namelen = n, .msg_iov = &part, .msg_iovlen = 1 };
	must(sendto(client, text, 5, 0, &a.sa, n));
	must(recvfrom(server, buf, sizeof(buf), 0, &from.sa, &n_from));
	must(sendmsg(client, &m, 0));
	struct iovec room = { buf, sizeof(buf) };
	struct msghdr got = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &room,
			      .msg_iovlen = 1 };
	must(recvmsg(server, &got, 0));
	must(connect(client, &a.sa, n));
	must(send(client, text, 5, 0));
	n = v4(&a, 0x7f000005, 9);
	(void)sendto(client, text, 5, 0, &a.sa, n);
}

static void datagrams_say_where_to_and_where_from(void **state)
{
	pid_t pid = watch_child(*state, act_datagrams);
	const struct event_call *c = watch_call(*state, pid, CALL_SENDTO, 0);
	const struct event_call *bound = watch_call(*state, pid, CALL_BIND, 0);
	uint16_t to = bound->local.port;

	CHECK_NUMBER(c, ret, 5);
	CHECK_NUMBER(c, remote.port, to);
	assert_bytes(c->remote.address, "127.0.0.4", AF_INET);
	assert_true(!c->is_sock_connected && c->local.port);
	CHECK_NUMBER(c, sock_protocol, IPPROTO_UDP);
	uint16_t own = c->local.port;
	c = watch_call(*state, pid, CALL_RECVFROM, 0);
	CHECK_NUMBER(c, remote.port, own);
	CHECK_NUMBER(c, local.port, to);
	assert_bytes(c->remote.address, "127.0.0.1", AF_INET);
	c = watch_call(*state, pid, CALL_SENDMSG, 0);
	CHECK_NUMBER(c, ret, 200);
	CHECK_NUMBER(c, remote.port, to);
	CHECK_NUMBER(watch_call(*state, pid, CALL_RECVMSG, 0), remote.port, own);
	c = watch_call(*state, pid, CALL_CONNECT, 0);
	CHECK_NUMBER(c, remote.port, to);
	assert_true(c->is_sock_connected);
	c = watch_call(*state, pid, CALL_SENDTO, 1);
	CHECK_NUMBER(c, remote.port, to);
	assert_true(c->is_sock_connected);
	c = watch_call(*state, pid, CALL_SENDTO, 2); /* past the connection */
	CHECK_NUMBER(c, remote.port, 9);
	assert_bytes(c->remote.address, "127.0.0.5", AF_INET);
}

static void what_was_sent_is_there(void **state)
{
	pid_t pid = watch_child(*state, act_datagrams);
	CHECK_TEXT(watch_call(*state, pid, CALL_SENDTO, 0), data, "first");
	CHECK_TEXT(watch_call(*state, pid, CALL_RECVFROM, 0), data, "first");
	const enum call long_ones[] = { CALL_SENDMSG, CALL_RECVMSG };
	for (size_t i = 0; i < ARRAY_LEN(long_ones); i++) {
		const struct event_call *c = watch_call(*state, pid, long_ones[i], 0);

		CHECK_NUMBER(c, data.n, 127);
		assert_true(slice_starts(c->data, SLICE_LIT("firstxxxx")));
	}
	CHECK_NUMBER(watch_call(*state, pid, CALL_BIND, 0), data.n, 0);
}

/* --- the kernel's filter --- */

static void rows_ask_for_kinds_and_ports(void **state)
{
	static const uint16_t ports[] = { 1 };
	struct filter f = { .row_count = 1 };

	watch_row(&f.rows[0]);
	f.rows[0].ports = ports;
	f.rows[0].port_count = 1;
	watch_filter(*state, &f);
	pid_t pid = watch_child(*state, act_failed);
	assert_int_equal(watch_count(*state, pid, CALL_CONNECT), 3);
	assert_int_equal(watch_count(*state, pid, CALL_BIND), 0);

	f.rows[0].port_count = 0;
	f.rows[0].sock = FILTER_UNIX;
	watch_filter(*state, &f);
	pid = watch_child(*state, act_failed);
	assert_int_equal(watch_count(*state, pid, CALL_CONNECT), 0);
	(void)rmdir(in_dir("deep"));
	(void)unlink(in_dir("s"));
	(void)unlink(in_dir("link"));
	(void)unlink(in_dir("mail"));
	pid = watch_child(*state, act_unix);
	assert_int_equal(watch_count(*state, pid, CALL_CONNECT), 3);
}

/* --- many at once --- */

enum { STORM_WORKERS = 4, STORM_ROUNDS = 150 };

static void storm(void)
{
	union any a;
	socklen_t n = v4(&a, 0x7f000001, 1);

	for (int i = 0; i < STORM_ROUNDS; i++) {
		int pair[2], udp = (int)must(socket(AF_INET, SOCK_DGRAM, 0));

		must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
		(void)sendto(udp, in_dir("x"), 5, 0, &a.sa, n);
		(void)connect(pair[0], &a.sa, n);
		(void)syscall(SYS_mkdirat, AT_FDCWD, i % 2 ? "none/x" : in_dir("none/y"), 0700);
		(void)syscall(SYS_renameat2, AT_FDCWD, "none", pair[0], "none2", 0);
		(void)syscall(SYS_dup3, udp, 90, 0);
		(void)syscall(SYS_execve, "./none", NULL, NULL);
		close(pair[0]);
		close(pair[1]);
		close(udp);
	}
}

static void a_storm_leaves_no_broken_record_and_all_are_counted(void **state)
{
	struct watch *w = *state;
	struct filter f = { .row_count = 1, .wants_data = true };
	struct probe_stats before, after;
	pid_t pid[STORM_WORKERS];

	watch_row(&f.rows[0]);
	watch_filter(w, &f);
	probe_stats(w->probe, &before);
	for (size_t i = 0; i < STORM_WORKERS; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			storm();
			_exit(0);
		}
	}
	for (size_t i = 0; i < STORM_WORKERS; i++) {
		int status = -1;

		while (!waitpid(pid[i], &status, WNOHANG))
			watch_forget(w);
		assert_int_equal(status, 0);
	}
	watch_forget(w);
	probe_stats(w->probe, &after);
	uint64_t wanted[] = { [EVC_RARE] = 5ULL * STORM_WORKERS * STORM_ROUNDS,
			      [EVC_VOLUME] = 2ULL * STORM_WORKERS * STORM_ROUNDS };
	for (size_t c = EVC_RARE; c <= EVC_VOLUME; c++) {
		uint64_t seen = after.class[c].seen - before.class[c].seen;
		uint64_t lost = after.class[c].lost - before.class[c].lost;
		uint64_t delivered = after.class[c].delivered - before.class[c].delivered;

		assert_int_equal(after.class[c].malformed, 0);
		assert_true(seen >= wanted[c]);
		assert_int_equal(seen, delivered + lost);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_of_a_v4_connection_say_the_same),
		cmocka_unit_test(both_sides_of_a_v6_connection_say_the_same),
		cmocka_unit_test(a_v4_address_in_a_v6_socket_stays_mapped),
		cmocka_unit_test(what_failed_says_what_was_tried),
		cmocka_unit_test(a_unix_socket_has_the_path_that_the_kernel_bound),
		cmocka_unit_test(datagrams_say_where_to_and_where_from),
		cmocka_unit_test(what_was_sent_is_there),
		cmocka_unit_test(rows_ask_for_kinds_and_ports),
		cmocka_unit_test(a_storm_leaves_no_broken_record_and_all_are_counted),
	};
	char command[128];
	int r = watch_begin(argc, argv);

	if (r)
		return r;
	snprintf(dir, sizeof(dir), "/tmp/picket-sock-%d", (int)getpid());
	if (mkdir(dir, 0700) < 0)
		return 1;
	r = cmocka_run_group_tests(tests, watch_setup, watch_teardown);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command) ? 1 : r;
}
