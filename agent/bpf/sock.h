/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* sock.h - a socket's two ends and names, as the kernel has them, and what a caller gave as address.
 *
 * Addresses of the kernel's are in network order, ports here in the host's. */
#pragma once
#include <bpf/bpf_endian.h>

#include "agent/bpf/fd.h"

enum {
	FAMILY_UNIX = 1,
	FAMILY_INET = 2,
	FAMILY_INET6 = 10,
	SOCKET_STREAM = 1,
	SOCKET_DATAGRAM = 2,
	SOCKET_RAW = 3,
	SOCKET_TYPE = 0xf, /* the rest of socket(2)'s are flags */
	STATE_LISTEN = 10,
	/* TCP_ESTABLISHED (also a unix socket's, and UDP's after connect) SYN_RECV FIN_WAIT1 FIN_WAIT2
	 * CLOSE_WAIT LAST_ACK CLOSING: there is a peer */
	STATES_CONNECTED = 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11,
	UNIX_NAME_MAX = 108,
};

struct ends {
	u8 local[16], remote[16]; /* inet: the first four bytes */
	u16 local_port, remote_port;
	u16 family, type, protocol;
	u16 flags; /* RECORD_SOCK_* */
};

/* NULL when it is no socket. A socket's name in a directory, opened with O_PATH, is none either. */
static __always_inline struct sock *file_sock(struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);

	if ((BPF_CORE_READ(inode, i_mode) & MODE_TYPE) != MODE_SOCKET ||
	    BPF_CORE_READ(inode, i_sb, s_magic) != SOCKFS_MAGIC)
		return NULL;
	struct socket *socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

static __always_inline void read_inet(struct ends *e, struct sock *sk)
{
	/* A raw socket has its protocol there. */
	if (e->type != SOCKET_RAW) {
		e->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
		e->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	}
	if (e->family == FAMILY_INET) {
		bpf_core_read(e->local, 4, &sk->__sk_common.skc_rcv_saddr);
		bpf_core_read(e->remote, 4, &sk->__sk_common.skc_daddr);
	} else if (bpf_core_field_exists(sk->__sk_common.skc_v6_daddr)) {
		bpf_core_read(e->local, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_core_read(e->remote, 16, &sk->__sk_common.skc_v6_daddr);
	}
}

static __always_inline void read_ends(struct ends *e, struct sock *sk)
{
	u32 state = BPF_CORE_READ(sk, __sk_common.skc_state) & 31;

	e->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	e->type = BPF_CORE_READ(sk, sk_type);
	e->protocol = BPF_CORE_READ(sk, sk_protocol);
	if (state == STATE_LISTEN)
		e->flags |= RECORD_SOCK_LISTENING;
	if (STATES_CONNECTED >> state & 1)
		e->flags |= RECORD_SOCK_CONNECTED;
	if (e->family == FAMILY_INET || e->family == FAMILY_INET6)
		read_inet(e, sk);
	else if (e->family == FAMILY_UNIX && BPF_CORE_READ((struct unix_sock *)sk, peer))
		e->flags |= RECORD_SOCK_CONNECTED;
}

static __always_inline void put_ends(struct record_call *r, const struct ends *e)
{
	__builtin_memcpy(r->local, e->local, 16);
	__builtin_memcpy(r->remote, e->remote, 16);
	r->local_port = e->local_port;
	r->remote_port = e->remote_port;
	r->sock_family = e->family;
	r->sock_type = e->type;
	r->sock_protocol = e->protocol;
	r->r.flags |= e->flags;
}

/* Rows that still hold; ask before the record is made. */
static __always_inline u64 filter_ends(u64 rows, const struct ends *e)
{
	rows = filter_sock(rows, e->family);
	return rows ? filter_ports(rows, e->local_port, e->remote_port) : 0;
}

/* A unix socket's name, n bytes of sun_path: up to its NUL, or if it starts with one (abstract) all of
 * it, with '@' in that place. */
static __always_inline u64 add_unix_name(struct scratch *s, u64 at, u32 which, u64 from, u64 n,
					 bool is_user)
{
	struct record *r = (void *)s->data;
	char first = 0;
	long got;

	if (!from || !n || n > UNIX_NAME_MAX || !has_room(&at, TEXT_DATA_MAX))
		return at;
	KEEP(n);
	n &= TEXT_DATA_MAX;
	if (is_user ? bpf_probe_read_user(&first, 1, (void *)from) :
		      bpf_probe_read_kernel(&first, 1, (void *)from))
		return at;
	if (!first) {
		got = is_user ? bpf_probe_read_user(s->data + at, n, (void *)from) :
				bpf_probe_read_kernel(s->data + at, n, (void *)from);
		if (got)
			return at;
		s->data[at] = '@';
		r->text_bytes[which] = n;
		return at + n;
	}
	got = is_user ? bpf_probe_read_user_str(s->data + at, n + 1, (void *)from) :
			bpf_probe_read_kernel_str(s->data + at, n + 1, (void *)from);
	if (got < 1)
		return at;
	got--;
	KEEP(got);
	got &= TEXT_DATA_MAX;
	r->text_bytes[which] = got;
	return at + got;
}

/* Of the peer where that has a name, else its own: where its file stands, or the abstract name. */
static __always_inline u64 add_unix(struct scratch *s, u64 at, struct sock *sk)
{
	struct unix_sock *own = (void *)sk, *u = (void *)BPF_CORE_READ(own, peer);
	struct unix_address *address = BPF_CORE_READ(u, addr);

	if (!address) {
		u = own;
		address = BPF_CORE_READ(u, addr);
	}
	if (!address)
		return at;
	if (BPF_CORE_READ(u, path.dentry))
		return add_resolved(s, at, TEXT_PATH, &u->path, RECORD_PATH_TRUNCATED);
	u64 n = BPF_CORE_READ(address, len) - 2;
	return add_unix_name(s, at, TEXT_PATH,
			     (u64)address + bpf_core_field_offset(struct unix_address, name) + 2, n,
			     false);
}
