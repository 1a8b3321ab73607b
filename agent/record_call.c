/* record_call.c - see record_call.h. */
#include "agent/record_call.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

#include "agent/record_priv.h"

static int call_event_type(const struct event_call *c)
{
	switch (c->family) {
	case FAMILY_OPEN:
	case FAMILY_PATH:
	case FAMILY_PATHS:
		return PICKET__EVENT_TYPE__EVENT_FILE;
	case FAMILY_SOCK:
		return PICKET__EVENT_TYPE__EVENT_NETWORK;
	case FAMILY_FD:
		if (c->call == CALL_FCHMOD || c->call == CALL_FCHOWN || c->call == CALL_FCHDIR)
			return PICKET__EVENT_TYPE__EVENT_FILE;
		return PICKET__EVENT_TYPE__EVENT_CALL;
	case FAMILY_EXEC:
	case FAMILY_PLAIN:
	case FAMILY_COUNT:
		break;
	}
	return PICKET__EVENT_TYPE__EVENT_CALL;
}

int record_event_type(const struct event *e)
{
	switch (e->type) {
	case EV_EXEC:
	case EV_KILL:
		return PICKET__EVENT_TYPE__EVENT_EXEC;
	case EV_EXIT:
		return PICKET__EVENT_TYPE__EVENT_EXIT;
	case EV_FORK:
		return PICKET__EVENT_TYPE__EVENT_FORK;
	case EV_CALL:
		return call_event_type(&e->call);
	case EV_STATS:
		return PICKET__EVENT_TYPE__EVENT_TRAFFIC;
	case EV_NONE:
	case EV_GAP:
	case EV_TYPE_COUNT:
		break;
	}
	return PICKET__EVENT_TYPE__EVENT_NONE;
}

/* Which argument holds flags and mode; -1: none. */
static void find_arguments(enum call c, int *ret_flags, int *ret_mode)
{
	static const struct {
		enum call call;
		int flags, mode;
	} rows[] = {
		{ CALL_OPEN, 1, 2 },	 { CALL_OPENAT, 2, 3 },	 { CALL_CREAT, -1, 1 },
		{ CALL_MKDIR, -1, 1 },	 { CALL_MKDIRAT, -1, 2 }, { CALL_CHMOD, -1, 1 },
		{ CALL_FCHMOD, -1, 1 },	 { CALL_FCHMODAT, -1, 2 }, { CALL_FCHMODAT2, -1, 2 },
		{ CALL_MKNOD, -1, 1 },	 { CALL_MKNODAT, -1, 2 },
	};

	*ret_flags = *ret_mode = -1;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].call != c)
			continue;
		*ret_flags = rows[i].flags;
		*ret_mode = rows[i].mode;
	}
}

static void fill_file(const struct event_call *c, Picket__File *f)
{
	int flags, mode;

	picket__file__init(f);
	f->path = record_cut(c->path, LIMIT_PATH_BYTES);
	f->raw = record_cut(c->raw, LIMIT_PATH_BYTES);
	f->target = record_cut(c->path2.n ? c->path2 : c->raw2, LIMIT_PATH_BYTES);
	find_arguments(c->call, &flags, &mode);
	/* The open file forgets what only mattered to the open: O_CREAT, O_TRUNC. */
	f->open_flags = c->file_flags;
	if (flags >= 0)
		f->open_flags |= (uint32_t)c->arg[flags];
	if (c->call == CALL_CREAT)
		f->open_flags |= O_CREAT | O_WRONLY | O_TRUNC;
	bool has_mode = c->family != FAMILY_OPEN || f->open_flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY));
	if (mode >= 0 && has_mode)
		f->mode = (uint32_t)c->arg[mode];
	f->file_mode = c->file_mode;
	f->inode = c->file_inode;
	f->dev = c->file_dev;
	f->upper_layer = c->file_upper_layer;
}

static void name_protocol(const struct event_call *c, char *dst, size_t size)
{
	static const struct {
		uint16_t number;
		const char *name;
	} protocols[] = { { 6, "tcp" }, { 17, "udp" }, { 1, "icmp" }, { 58, "icmp" }, { 132, "sctp" } };

	if (c->sock_family == AF_UNIX || c->sock_family == AF_PACKET || c->sock_family == AF_NETLINK) {
		snprintf(dst, size, "%s", c->sock_family == AF_UNIX	? "unix"
					  : c->sock_family == AF_PACKET ? "packet"
									: "netlink");
		return;
	}
	bool is_inet = c->sock_family == AF_INET || c->sock_family == AF_INET6;
	if (is_inet && c->sock_type == SOCK_RAW) {
		snprintf(dst, size, "raw");
		return;
	}
	for (size_t i = 0; is_inet && i < ARRAY_LEN(protocols); i++) {
		if (protocols[i].number == c->sock_protocol) {
			snprintf(dst, size, "%s", protocols[i].name);
			return;
		}
	}
	snprintf(dst, size, "%u", is_inet ? c->sock_protocol : c->sock_family);
}

/* An IPv4 peer of an IPv6 socket is an IPv4 address to people and to their searches. */
static ProtobufCBinaryData address_of(const struct event_end *end, uint16_t family)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff }, none[16];
	const uint8_t *at = end->address;
	size_t n = family == AF_INET ? 4 : 16;

	if (family == AF_INET6 && !memcmp(at, mapped, sizeof(mapped))) {
		at += sizeof(mapped);
		n = 4;
	}
	if (!end->port && !memcmp(end->address, none, sizeof(none)))
		n = 0;
	return msg_bytes(slice_from(at, n));
}

static void fill_network(const struct event_call *c, struct record_call *ret)
{
	Picket__Network *n = &ret->network;

	picket__network__init(n);
	name_protocol(c, ret->protocol, sizeof(ret->protocol));
	n->protocol = ret->protocol;
	if (c->sock_family == AF_INET || c->sock_family == AF_INET6) {
		n->local_address = address_of(&c->local, c->sock_family);
		n->remote_address = address_of(&c->remote, c->sock_family);
		n->local_port = c->local.port;
		n->remote_port = c->remote.port;
	} else {
		n->path = record_cut(c->path, LIMIT_PATH_BYTES);
	}
}

void record_call_fill(const struct event *e, struct record_call *ret)
{
	const struct event_call *c = &e->call;

	ret->has_file = ret->has_network = false;
	if (e->type != EV_CALL)
		return;
	ret->has_network = c->sock_family || c->family == FAMILY_SOCK;
	ret->has_file = !ret->has_network && (c->path.n || c->raw.n || c->path2.n || c->raw2.n);
	if (ret->has_network)
		fill_network(c, ret);
	if (ret->has_file)
		fill_file(c, &ret->file);
}

static void shorten(ProtobufCBinaryData *d, size_t max)
{
	if (d->len > max)
		d->len = max;
}

void record_call_shrink(struct record_call *c, size_t max)
{
	if (c->has_file) {
		shorten(&c->file.path, max);
		shorten(&c->file.raw, max);
		shorten(&c->file.target, max);
	}
	if (c->has_network)
		shorten(&c->network.path, max);
}
