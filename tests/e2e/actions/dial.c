/* dial.c - a program that connects when it is told to, and says what came of it; and a server that sends back.
 *
 *   dial echo PORT    TCP and UDP, IPv4 and IPv6
 *   dial              a line in, a line out: "ok", or the error's name (EPERM), or "timeout"
 *      tcp ADDRESS PORT BYTES    sends so many and waits until all are back
 *      udp ADDRESS PORT BYTES    one datagram by sendto
 *      udpc ADDRESS PORT BYTES   one by connect and send
 *      open ADDRESS PORT         TCP, and left open
 *      again BYTES               by the connection left open
 *      listen PORT               by TCP
 *      raw ADDRESS PORT BYTES    one datagram by a raw socket, its headers by hand; IPv4
 *      frame ADDRESS PORT BYTES  the same as a frame past IP (AF_PACKET), to a neighbour or by the gateway; "ok": an answer came */
#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_MS = 1500, CHUNK = 16384 };

static char chunk[CHUNK];

static const char *error_name(void)
{
	return errno == EAGAIN || errno == ETIMEDOUT ? "timeout" : strerrorname_np(errno);
}

static socklen_t parse(const char *address, int port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		return sizeof(*v4);
	}
	inet_pton(AF_INET6, address, &v6->sin6_addr);
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	return sizeof(*v6);
}

/* Nothing waits longer than WAIT_MS: also a connect whose packets are dropped. */
static int new_socket(int family, int type)
{
	struct timeval limit = { .tv_sec = WAIT_MS / 1000, .tv_usec = WAIT_MS % 1000 * 1000 };
	int s = socket(family, type, 0);

	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return s;
}

static int dial(const char *address, int port, int type)
{
	struct sockaddr_storage to;
	socklen_t size = parse(address, port, &to);
	int s = new_socket(to.ss_family, type);

	if (connect(s, (struct sockaddr *)&to, size) < 0) {
		int kept = errno == EINPROGRESS ? ETIMEDOUT : errno;
		close(s);
		errno = kept;
		return -1;
	}
	return s;
}

/* By turns, so that no window fills. */
static const char *there_and_back(int s, size_t bytes)
{
	while (bytes) {
		size_t n = bytes < CHUNK ? bytes : CHUNK;
		ssize_t got;

		if (send(s, chunk, n, MSG_NOSIGNAL) != (ssize_t)n)
			return error_name();
		for (size_t back = 0; back < n; back += (size_t)got)
			if ((got = recv(s, chunk, n - back, 0)) <= 0)
				return got ? error_name() : "closed";
		bytes -= n;
	}
	return "ok";
}

static const char *datagram(const char *address, int port, size_t bytes)
{
	struct sockaddr_storage to;
	socklen_t size = parse(address, port, &to);
	int s = new_socket(to.ss_family, SOCK_DGRAM);
	const char *said = "ok";

	if (sendto(s, chunk, bytes, 0, (struct sockaddr *)&to, size) < 0 || recv(s, chunk, CHUNK, 0) < 0)
		said = error_name();
	close(s);
	return said;
}

/* --- by hand --- */

struct made {
	struct iphdr ip;
	struct udphdr udp;
	char text[64];
};

static uint16_t sum_of(const void *p, size_t n)
{
	const uint16_t *words = p;
	uint32_t sum = 0;

	for (size_t i = 0; i < n / 2; i++)
		sum += words[i];
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)~(sum + (sum >> 16));
}

/* A datagram from what s is bound and connected to. */
static void make(struct made *m, struct in_addr from, uint16_t from_port, struct in_addr to, int port)
{
	*m = (struct made){ .ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .tot_len = htons(sizeof(*m)),
				    .saddr = from.s_addr, .daddr = to.s_addr },
			    .udp = { .source = from_port, .dest = htons((uint16_t)port), .len = htons(sizeof(*m) - sizeof(m->ip)) } };
	m->ip.check = sum_of(&m->ip, sizeof(m->ip));
}

/* By which device, and to whose address on it. What it asks the kernel sends nothing to the address itself. */
static bool find_way(int s, struct in_addr from, struct in_addr to, struct sockaddr_ll *ret)
{
	struct if_nameindex *all = if_nameindex();
	bool found = false;

	for (size_t i = 0; !found && all && all[i].if_index; i++) {
		struct ifreq r = { 0 };
		struct arpreq a = { .arp_pa.sa_family = AF_INET };

		strncpy(r.ifr_name, all[i].if_name, IFNAMSIZ - 1);
		if (ioctl(s, SIOCGIFADDR, &r) < 0 || ((struct sockaddr_in *)&r.ifr_addr)->sin_addr.s_addr != from.s_addr)
			continue;
		((struct sockaddr_in *)&a.arp_pa)->sin_addr = to;
		strncpy(a.arp_dev, all[i].if_name, sizeof(a.arp_dev) - 1);
		if (ioctl(s, SIOCGARP, &a) < 0)
			continue;
		*ret = (struct sockaddr_ll){ .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = (int)all[i].if_index,
					     .sll_halen = 6 };
		memcpy(ret->sll_addr, a.arp_ha.sa_data, 6);
		found = true;
	}
	if_freenameindex(all);
	return found;
}

/* The address that packets there go out with. To another port: its own hooks may refuse the real one. */
static bool find_own(struct in_addr to, struct in_addr *ret)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = to, .sin_port = htons(9) };
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t n = sizeof(a);
	bool found = false;

	a.sin_addr.s_addr ^= htonl(0x80); /* a neighbour of it that nobody refuses */
	if (!connect(s, (struct sockaddr *)&a, sizeof(a)) && !getsockname(s, (struct sockaddr *)&a, &n)) {
		*ret = a.sin_addr;
		found = true;
	}
	close(s);
	return found;
}

static const char *by_hand(const char *address, int port, bool is_frame)
{
	struct sockaddr_in to = { .sin_family = AF_INET }, own = { .sin_family = AF_INET };
	socklen_t n = sizeof(own);
	struct sockaddr_ll way;
	const char *said = "ok";
	struct made m;

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1 || !find_own(to.sin_addr, &own.sin_addr))
		return "no way";
	int s = new_socket(AF_INET, SOCK_DGRAM);
	int out = is_frame ? socket(AF_PACKET, SOCK_DGRAM, 0) : socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (bind(s, (struct sockaddr *)&own, n) < 0 || getsockname(s, (struct sockaddr *)&own, &n) < 0 || out < 0)
		said = error_name();
	else if (is_frame && !find_way(s, own.sin_addr, to.sin_addr, &way))
		said = "no neighbour";
	if (!strcmp(said, "ok")) {
		make(&m, own.sin_addr, own.sin_port, to.sin_addr, port);
		ssize_t sent = is_frame ? sendto(out, &m, sizeof(m), 0, (struct sockaddr *)&way, sizeof(way)) :
					  sendto(out, &m, sizeof(m), 0, (struct sockaddr *)&to, sizeof(to));
		if (sent < 0 || recv(s, chunk, CHUNK, 0) < 0)
			said = error_name();
	}
	close(s);
	close(out);
	return said;
}

static int bound(int type, int port)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	int s = socket(AF_INET6, type, 0), on = 1, off = 0;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(s, (struct sockaddr *)&at, sizeof(at)) < 0 || (type == SOCK_STREAM && listen(s, 64) < 0)) {
		close(s);
		return -1;
	}
	return s;
}

static int echo(int port)
{
	struct pollfd p[] = { { .fd = bound(SOCK_STREAM, port), .events = POLLIN }, { .fd = bound(SOCK_DGRAM, port), .events = POLLIN } };

	if (p[0].fd < 0 || p[1].fd < 0) {
		perror("dial: echo");
		return 1;
	}
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		poll(p, 2, -1);
		if (p[0].revents) {
			int s = accept(p[0].fd, NULL, NULL);
			if (s >= 0 && fork() == 0) {
				prctl(PR_SET_PDEATHSIG, SIGKILL); /* who is on the other side may have gone without a word */
				for (ssize_t n; (n = read(s, chunk, CHUNK)) > 0;)
					if (send(s, chunk, (size_t)n, MSG_NOSIGNAL) != n)
						break;
				_exit(0);
			}
			close(s);
		}
		if (p[1].revents) {
			struct sockaddr_storage from;
			socklen_t size = sizeof(from);
			ssize_t n = recvfrom(p[1].fd, chunk, CHUNK, 0, (struct sockaddr *)&from, &size);
			if (n >= 0)
				sendto(p[1].fd, chunk, (size_t)n, 0, (struct sockaddr *)&from, size);
		}
	}
}

int main(int argc, char **argv)
{
	char line[256], verb[16], address[64];
	int left_open = -1;

	if (argc == 3 && !strcmp(argv[1], "echo"))
		return echo(atoi(argv[2]));
	while (fgets(line, sizeof(line), stdin)) {
		const char *said = "what?";
		int port = 0, number = 0, s;

		address[0] = 0;
		if (sscanf(line, "%15s %63s %d %d", verb, address, &port, &number) < 1)
			continue;
		if (!strcmp(verb, "tcp") || !strcmp(verb, "udpc")) {
			s = dial(address, port, verb[0] == 't' ? SOCK_STREAM : SOCK_DGRAM);
			said = s < 0 ? error_name() : there_and_back(s, (size_t)number);
			close(s);
		} else if (!strcmp(verb, "udp")) {
			said = datagram(address, port, (size_t)number);
		} else if (!strcmp(verb, "raw") || !strcmp(verb, "frame")) {
			said = by_hand(address, port, verb[0] == 'f');
		} else if (!strcmp(verb, "open")) {
			left_open = dial(address, port, SOCK_STREAM);
			said = left_open < 0 ? error_name() : "ok";
		} else if (!strcmp(verb, "again")) {
			said = there_and_back(left_open, (size_t)atoi(address));
		} else if (!strcmp(verb, "listen")) {
			s = bound(SOCK_STREAM, atoi(address));
			said = s < 0 ? error_name() : "ok";
			close(s);
		}
		printf("%s\n", said);
		fflush(stdout);
	}
	return 0;
}
