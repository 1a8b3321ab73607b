/* live_socket.c - both ends of a connection, and who of them is the client.
 *
 * Falco remembers for each descriptor whether it was connected or accepted. Here the event itself says it:
 * connect and send make a client, accept and receiving from nobody in particular a server. Of the calls
 * that say neither (dup, shutdown, receiving on a connection) the ports do. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "agent/rules/live_priv.h"

enum { EPHEMERAL_PORT = 32768, PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_ICMPV6 = 58 };

static bool is_mapped(const uint8_t address[16])
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(address, prefix, sizeof(prefix));
}

static bool is_nothing(const struct event_end *end)
{
	static const uint8_t none[16];

	return !memcmp(end->address, none, sizeof(none));
}

int live_socket_family(const struct event_call *c)
{
	if (c->sock_family == AF_INET)
		return AF_INET;
	if (c->sock_family != AF_INET6)
		return 0;
	/* An address of IPv4 in IPv6's clothes is one of IPv4: a rule on 169.254.169.254 means both. One
	 * end may still be nothing. */
	bool local = is_mapped(c->local.address), remote = is_mapped(c->remote.address);
	if ((local && (remote || is_nothing(&c->remote))) || (remote && is_nothing(&c->local)))
		return AF_INET;
	return AF_INET6;
}

static bool is_server_by_ports(const struct event_call *c)
{
	return c->local.port < c->remote.port && c->local.port < EPHEMERAL_PORT;
}

enum live_role live_socket_role(const struct event_call *c)
{
	if (!live_socket_family(c))
		return LIVE_ROLE_NONE;
	switch (c->call) {
	case CALL_SOCKET:
		return LIVE_ROLE_NONE;
	case CALL_BIND:
	case CALL_LISTEN:
		return LIVE_ROLE_LISTENER;
	case CALL_CONNECT:
	case CALL_SENDTO:
	case CALL_SENDMSG:
		break;
	case CALL_ACCEPT:
	case CALL_ACCEPT4:
		return c->ret < 0 ? LIVE_ROLE_LISTENER : LIVE_ROLE_SERVER;
	case CALL_RECVFROM:
	case CALL_RECVMSG:
		if (!c->is_sock_connected)
			return c->remote.port ? LIVE_ROLE_SERVER : LIVE_ROLE_LISTENER;
		return is_server_by_ports(c) ? LIVE_ROLE_SERVER : LIVE_ROLE_CLIENT;
	default:
		if (c->is_sock_listening)
			return LIVE_ROLE_LISTENER;
		if (is_server_by_ports(c))
			return LIVE_ROLE_SERVER;
		break;
	}
	return c->remote.port || !is_nothing(&c->remote) ? LIVE_ROLE_CLIENT : LIVE_ROLE_NONE;
}

const struct event_end *live_socket_end(const struct event_call *c, enum live_side side)
{
	enum live_role role = live_socket_role(c);
	bool is_local = side == LIVE_LOCAL || side == (role == LIVE_ROLE_CLIENT ? LIVE_CLIENT : LIVE_SERVER);

	if (role == LIVE_ROLE_NONE || (role == LIVE_ROLE_LISTENER && side != LIVE_SERVER))
		return NULL;
	return is_local ? &c->local : &c->remote;
}

struct slice live_address_bytes(const struct event_call *c, const struct event_end *end)
{
	if (live_socket_family(c) == AF_INET6)
		return slice_from(end->address, 16);
	return slice_from(end->address + (c->sock_family == AF_INET6 ? 12 : 0), 4);
}

static const char *address(const struct event_call *c, const struct event_end *end, char text[INET6_ADDRSTRLEN])
{
	const char *s = inet_ntop(live_socket_family(c), live_address_bytes(c, end).p, text, INET6_ADDRSTRLEN);

	return s ? s : "";
}

struct slice live_address_text(struct arena *scratch, const struct event_call *c, const struct event_end *end)
{
	char text[INET6_ADDRSTRLEN];

	return slice_of(arena_dup(scratch, slice_of(address(c, end, text))));
}

struct slice live_end_text(struct arena *scratch, const struct event_call *c, const struct event_end *end)
{
	char text[INET6_ADDRSTRLEN];

	return slice_of(arena_printf(scratch, "%s:%u", address(c, end, text), end->port));
}

struct slice live_tuple_text(struct arena *scratch, const struct event_call *c)
{
	const struct event_end *client = live_socket_end(c, LIVE_CLIENT), *server = live_socket_end(c, LIVE_SERVER);
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];

	if (!client || !server)
		return SLICE_NONE;
	return slice_of(arena_printf(scratch, "%s:%u->%s:%u", address(c, client, from), client->port,
				     address(c, server, to), server->port));
}

/* ---- fields ---- */

static const struct event_end *end_of(const struct live_query *q, enum live_side side)
{
	const struct event_call *c = live_call(q);

	return c && live_fd_kind(q->live->event) != LIVE_FD_NONE ? live_socket_end(c, side) : NULL;
}

static bool ip_of(const struct live_query *q, enum live_side side, struct rules_value *ret)
{
	const struct event_end *end = end_of(q, side);

	return end && live_str(ret, live_address_text(q->scratch, live_call(q), end));
}

static bool port_of(const struct live_query *q, enum live_side side, struct rules_value *ret)
{
	const struct event_end *end = end_of(q, side);

	return end && live_num(ret, end->port);
}

/* Services are told by number, as Falco does by default. */
static bool proto_of(const struct live_query *q, enum live_side side, struct rules_value *ret)
{
	const struct event_end *end = end_of(q, side);

	return end && live_str(ret, slice_of(arena_printf(q->scratch, "%u", end->port)));
}

/* Every watched name that leads there, so that a comparison with any of them holds. One that leads nowhere
 * is "", which differs from every name. */
static bool name_of(const struct live_query *q, enum live_side side, struct rules_value *ret)
{
	enum { NAMES_MAX = 64 };
	const struct event_end *end = end_of(q, side);
	struct slice *all = end ? arena_alloc(q->scratch, NAMES_MAX * sizeof(*all)) : NULL;
	struct slice bytes = end ? live_address_bytes(live_call(q), end) : SLICE_NONE;
	const char *name;

	if (!all)
		return false;
	while (ret->list_count < NAMES_MAX &&
	       (name = world_name_of(q->live->world, (const uint8_t *)bytes.p, bytes.n, ret->list_count))) {
		char *copy = arena_dup(q->scratch, slice_of(name));

		if (!copy)
			return false;
		all[ret->list_count++] = slice_of(copy);
	}
	ret->list = all;
	ret->str = ret->list_count ? all[0] : SLICE_LIT("");
	return true;
}

#define SIDE(prefix, side)                                                                         \
	static bool fd_##prefix##ip(const struct live_query *q, struct rules_value *ret)           \
	{                                                                                          \
		return ip_of(q, side, ret);                                                        \
	}                                                                                          \
	static bool fd_##prefix##port(const struct live_query *q, struct rules_value *ret)         \
	{                                                                                          \
		return port_of(q, side, ret);                                                      \
	}                                                                                          \
	static bool fd_##prefix##proto(const struct live_query *q, struct rules_value *ret)        \
	{                                                                                          \
		return proto_of(q, side, ret);                                                     \
	}                                                                                          \
	static bool fd_##prefix##ip_name(const struct live_query *q, struct rules_value *ret)      \
	{                                                                                          \
		return name_of(q, side, ret);                                                      \
	}
SIDE(c, LIVE_CLIENT)
SIDE(s, LIVE_SERVER)
SIDE(l, LIVE_LOCAL)
SIDE(r, LIVE_REMOTE)

/* A socket that was given no address of its own, beside one that was: an unbound datagram's, a connection
 * by io_uring that is still to be made. That is no address, and rules that leave out 0.0.0.0 mean the other
 * end; else such a call would be the way around them. */
static bool is_unbound(const struct event_end *end, const struct event_end *other)
{
	return other && is_nothing(end) && !is_nothing(other);
}

/* The ends there are, as a list of texts. */
static bool either(const struct live_query *q, bool is_port, struct rules_value *ret)
{
	const struct event_end *ends[] = { end_of(q, LIVE_CLIENT), end_of(q, LIVE_SERVER) };
	struct slice *all = arena_alloc(q->scratch, ARRAY_LEN(ends) * sizeof(*all));

	for (size_t i = 0; all && i < ARRAY_LEN(ends); i++) {
		if (!ends[i] || (!is_port && is_unbound(ends[i], ends[1 - i])))
			continue;
		struct slice s = is_port ? slice_of(arena_printf(q->scratch, "%u", ends[i]->port)) :
					   live_address_text(q->scratch, live_call(q), ends[i]);
		if (s.n)
			all[ret->list_count++] = s;
	}
	ret->list = all;
	return ret->list_count;
}

static bool fd_ip(const struct live_query *q, struct rules_value *ret)
{
	return either(q, false, ret);
}

static bool fd_port(const struct live_query *q, struct rules_value *ret)
{
	return either(q, true, ret);
}

/* NULL: no socket. */
static const struct event_call *socket_call(const struct live_query *q)
{
	const struct event_call *c = live_call(q);

	return c && c->sock_family && live_fd_kind(q->live->event) != LIVE_FD_NONE ? c : NULL;
}

static bool fd_l4proto(const struct live_query *q, struct rules_value *ret)
{
	const struct event_call *c = socket_call(q);
	unsigned type = c ? c->sock_type & 0xf : 0;

	if (!c || !live_socket_family(c))
		return false;
	if (type == SOCK_RAW)
		return live_str(ret, SLICE_LIT("raw"));
	switch (c->sock_protocol) {
	case PROTO_TCP:
		return live_str(ret, SLICE_LIT("tcp"));
	case PROTO_UDP:
		return live_str(ret, SLICE_LIT("udp"));
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		return live_str(ret, SLICE_LIT("icmp"));
	case 0:
		return (type == SOCK_STREAM && live_str(ret, SLICE_LIT("tcp"))) ||
		       (type == SOCK_DGRAM && live_str(ret, SLICE_LIT("udp")));
	default:
		return false;
	}
}

static bool fd_sockfamily(const struct live_query *q, struct rules_value *ret)
{
	const struct event_call *c = socket_call(q);

	if (c && live_socket_family(c))
		return live_str(ret, SLICE_LIT("ip"));
	return c && c->sock_family == AF_UNIX && live_str(ret, SLICE_LIT("unix"));
}

static bool fd_is_server(const struct live_query *q, struct rules_value *ret)
{
	const struct event_call *c = live_call(q);
	enum live_role role = c ? live_socket_role(c) : LIVE_ROLE_NONE;

	return live_fd_kind(q->live->event) != LIVE_FD_NONE &&
	       live_num(ret, role == LIVE_ROLE_SERVER || role == LIVE_ROLE_LISTENER);
}

static bool is_accepted(const struct event_call *c)
{
	return (c->call == CALL_ACCEPT || c->call == CALL_ACCEPT4) && c->ret >= 0;
}

static bool fd_connected(const struct live_query *q, struct rules_value *ret)
{
	const struct event_call *c = live_call(q);

	return live_fd_kind(q->live->event) != LIVE_FD_NONE &&
	       live_num(ret, c->is_sock_connected || is_accepted(c) || (c->call == CALL_CONNECT && !c->ret));
}

/* Falco compares a socket's name before and after. Here: did the call say where to? What is sent or
 * received without a connection has a name of its own each time. */
static bool fd_name_changed(const struct live_query *q, struct rules_value *ret)
{
	const struct event_call *c = live_call(q);
	bool changed = false;

	if (live_fd_kind(q->live->event) == LIVE_FD_NONE)
		return false;
	switch (c->call) {
	case CALL_CONNECT:
	case CALL_BIND:
		changed = c->ret >= 0 || c->ret == -115; /* EINPROGRESS */
		break;
	case CALL_SENDTO:
	case CALL_SENDMSG:
	case CALL_RECVFROM:
	case CALL_RECVMSG:
		changed = !c->is_sock_connected && live_socket_family(c) && c->remote.port;
		break;
	default:
		changed = is_accepted(c) || (live_makes_fd(c->call) && c->family == FAMILY_OPEN);
		break;
	}
	return live_num(ret, changed);
}

live_getter live_socket_getter(unsigned id)
{
	static const live_getter getters[FIELD_COUNT] = {
		[FIELD_FD_IP] = fd_ip,
		[FIELD_FD_NET] = fd_ip,
		[FIELD_FD_PORT] = fd_port,
		[FIELD_FD_PROTO] = fd_port,
		[FIELD_FD_CIP] = fd_cip,
		[FIELD_FD_CNET] = fd_cip,
		[FIELD_FD_CPORT] = fd_cport,
		[FIELD_FD_CPROTO] = fd_cproto,
		[FIELD_FD_CIP_NAME] = fd_cip_name,
		[FIELD_FD_SIP] = fd_sip,
		[FIELD_FD_SNET] = fd_sip,
		[FIELD_FD_SPORT] = fd_sport,
		[FIELD_FD_SPROTO] = fd_sproto,
		[FIELD_FD_SIP_NAME] = fd_sip_name,
		[FIELD_FD_LIP] = fd_lip,
		[FIELD_FD_LNET] = fd_lip,
		[FIELD_FD_LPORT] = fd_lport,
		[FIELD_FD_LPROTO] = fd_lproto,
		[FIELD_FD_LIP_NAME] = fd_lip_name,
		[FIELD_FD_RIP] = fd_rip,
		[FIELD_FD_RNET] = fd_rip,
		[FIELD_FD_RPORT] = fd_rport,
		[FIELD_FD_RPROTO] = fd_rproto,
		[FIELD_FD_RIP_NAME] = fd_rip_name,
		[FIELD_FD_L4PROTO] = fd_l4proto,
		[FIELD_FD_SOCKFAMILY] = fd_sockfamily,
		[FIELD_FD_IS_SERVER] = fd_is_server,
		[FIELD_FD_CONNECTED] = fd_connected,
		[FIELD_FD_NAME_CHANGED] = fd_name_changed,
	};

	return getters[id];
}
