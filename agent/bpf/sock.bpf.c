/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* sock.bpf.c - calls on sockets: both ends as the kernel's socket has them.
 *
 * Only where the socket knows nothing of it (a connect that failed, where a datagram goes) the address
 * is read from the caller's memory, which another thread may have changed since. */
#include "agent/bpf/sock.h"

char LICENSE[] SEC("license") = "GPL";

enum { ERROR_INTERRUPTED = -4, ERROR_RESTART = -512, ERROR_ALREADY = -114, ERROR_IN_PROGRESS = -115 };

/* sockaddr_in, sockaddr_in6 */
struct address {
	u16 family, port;
	union {
		u8 inet[4];
		struct {
			u32 flow;
			u8 inet6[16];
		};
	};
};

/* What the call brought in the caller's memory. */
struct given_call {
	u64 name, name_bytes; /* a sockaddr */
	u64 data, data_bytes;
};

/* From one step to the next: each is a global function, which the verifier judges by itself, for in one
 * piece their branches multiply. Beside call_states, and as it used by one at a time. */
struct sock_state {
	struct given_call given;
	struct ends ends;
	u64 sock;
	s32 fd;
	bool is_given;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, u32);
	__type(value, struct sock_state);
	__uint(max_entries, 1);
} sock_states SEC(".maps");

static __always_inline struct sock_state *sock_state(void)
{
	u32 first = 0;

	return bpf_map_lookup_elem(&sock_states, &first);
}

/* The first fields of struct msghdr and of its first iovec. */
static __always_inline void read_message(struct given_call *g, const struct call_state *s)
{
	if (s->compat) {
		u32 head[4] = { 0 }, part[2] = { 0 };

		bpf_probe_read_user(head, sizeof(head), (void *)s->arg[1]);
		bpf_probe_read_user(part, sizeof(part), (void *)(u64)head[2]);
		*g = (struct given_call){ head[0], head[1], part[0], part[1] };
	} else {
		u64 head[4] = { 0 }, part[2] = { 0 };

		bpf_probe_read_user(head, sizeof(head), (void *)s->arg[1]);
		bpf_probe_read_user(part, sizeof(part), (void *)head[2]);
		*g = (struct given_call){ head[0], (u32)head[1], part[0], part[1] };
	}
}

static __always_inline void read_given(struct given_call *g, const struct call_state *s, u32 call)
{
	u32 bytes = 0;

	*g = (struct given_call){ 0 };
	switch (call) {
	case CALL_CONNECT:
	case CALL_BIND:
		g->name = s->arg[1];
		g->name_bytes = s->arg[2];
		break;
	case CALL_RECVFROM:
		bpf_probe_read_user(&bytes, sizeof(bytes), (void *)s->arg[5]);
		*g = (struct given_call){ s->arg[4], bytes, s->arg[1], s->arg[2] };
		break;
	case CALL_SENDTO:
		*g = (struct given_call){ s->arg[4], (u32)s->arg[5], s->arg[1], s->arg[2] };
		break;
	case CALL_SENDMSG:
	case CALL_RECVMSG:
		read_message(g, s);
		break;
	default:
		break;
	}
}

/* Whether the address in the call says more than the socket: what was tried in vain, and where a
 * datagram goes to or comes from, connected or not. */
static __always_inline bool is_given_better(const struct ends *e, const struct call_state *s, u32 call)
{
	s64 ret = s->ret;

	if (call == CALL_BIND)
		return ret < 0;
	if (call == CALL_CONNECT)
		/* by io_uring: seen before it is done */
		return s->uring || (ret < 0 && ret != ERROR_IN_PROGRESS && ret != ERROR_ALREADY &&
				    ret != ERROR_INTERRUPTED && ret != ERROR_RESTART);
	if (call == CALL_RECVFROM || call == CALL_RECVMSG)
		return ret >= 0 && e->type != SOCKET_STREAM;
	return e->type != SOCKET_STREAM;
}

static __always_inline void use_given(struct ends *e, const struct given_call *g, u32 call)
{
	struct address a = { 0 };
	u8 to[16] = { 0 };

	if (g->name_bytes >= sizeof(a))
		bpf_probe_read_user(&a, sizeof(a), (void *)g->name);
	else if (g->name_bytes >= 16)
		bpf_probe_read_user(&a, 8, (void *)g->name);
	if (!e->family)
		e->family = a.family;
	if (a.family == FAMILY_INET && e->family == FAMILY_INET6) {
		/* v4 through a v6 socket: mapped, as the socket itself would have it */
		to[10] = to[11] = 0xff;
		__builtin_memcpy(&to[12], a.inet, 4);
	} else if (a.family == FAMILY_INET) {
		__builtin_memcpy(to, a.inet, 4);
	} else if (a.family == FAMILY_INET6) {
		__builtin_memcpy(to, a.inet6, 16);
	} else {
		return;
	}
	if (call == CALL_BIND) {
		__builtin_memcpy(e->local, to, 16);
		e->local_port = bpf_ntohs(a.port);
	} else {
		__builtin_memcpy(e->remote, to, 16);
		e->remote_port = bpf_ntohs(a.port);
	}
}

/* The descriptor that the record is about; -1: the call made none. */
static __always_inline s32 descriptor(const struct call_state *s, u32 call)
{
	s32 pair = -1;

	if (call == CALL_SOCKET && s->uring)
		return -1;
	if (call == CALL_SOCKET || call == CALL_ACCEPT || call == CALL_ACCEPT4)
		return s->ret >= 0 ? s->ret : -1;
	if (call != CALL_SOCKETPAIR)
		return s->arg[0];
	if (!s->ret)
		bpf_probe_read_user(&pair, sizeof(pair), (void *)s->arg[3]);
	return pair;
}

/* Whose socket: of an accept that failed the listening one's. */
static __always_inline struct sock *find_sock(const struct call_state *s, u32 call, s32 fd,
					      struct task_struct *task)
{
	struct file *file;

	if (fd < 0 && (call == CALL_ACCEPT || call == CALL_ACCEPT4))
		fd = s->arg[0];
	file = fd_file(task, fd);
	return file ? file_sock(file) : NULL;
}

static __always_inline u64 add_data(struct scratch *sc, u64 at, const struct call_state *s,
				    const struct given_call *g)
{
	u64 n = s->ret;
	bool cut;

	if (s->ret <= 0)
		return at;
	if (n > g->data_bytes)
		n = g->data_bytes;
	return add_user(sc, at, TEXT_DATA, g->data, g->data + n, TEXT_DATA_MAX, &cut, NULL);
}

/* What the kernel has. */
__noinline int sock_find(u32 call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call_state *s = call_state();
	struct sock_state *k = sock_state();

	if (!s || !k)
		return 0;
	k->fd = descriptor(s, call);
	struct sock *sk = find_sock(s, call, k->fd, task);
	k->sock = (u64)sk;
	__builtin_memset(&k->ends, 0, sizeof(k->ends));
	if (sk) {
		read_ends(&k->ends, sk);
	} else if (call == CALL_SOCKET || call == CALL_SOCKETPAIR) {
		k->ends.family = s->arg[0];
		k->ends.type = s->arg[1] & SOCKET_TYPE;
		k->ends.protocol = s->arg[2];
	}
	return 0;
}

/* What the caller gave. */
__noinline int sock_given(u32 call)
{
	struct call_state *s = call_state();
	struct sock_state *k = sock_state();

	if (!s || !k)
		return 0;
	read_given(&k->given, s, call);
	k->is_given = k->given.name && is_given_better(&k->ends, s, call);
	if (k->is_given)
		use_given(&k->ends, &k->given, call);
	return 0;
}

static __always_inline u64 add_names(struct scratch *sc, u64 at, const struct sock_state *k)
{
	u64 name = k->given.name ? k->given.name + 2 : 0, bytes = k->given.name_bytes - 2;

	if (k->ends.family != FAMILY_UNIX)
		return at;
	if (k->is_given)
		at = add_unix_name(sc, at, TEXT_PATH, name, bytes, true);
	else if (k->sock)
		at = add_unix(sc, at, (struct sock *)k->sock);
	return add_unix_name(sc, at, TEXT_RAW, name, bytes, true);
}

int family_sock(u32 call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call_state *s = call_state();
	struct sock_state *k = sock_state();
	struct scratch *sc = scratch_of(SLOT_CALL);

	if (!s || !k || !sc)
		return 0;
	/* The cheap questions first: finding the socket and both its ends costs more than all of them. */
	u64 rows = filter_comm(s->rows, task);
	if (rows && (call == CALL_SOCKET || call == CALL_SOCKETPAIR))
		rows = filter_sock(rows, s->arg[0]);
	if (rows)
		rows = filter_where(rows, task);
	if (!rows)
		return 0;
	sock_find(call);
	sock_given(call);
	rows = filter_ends(rows, &k->ends);
	if (!rows)
		return 0;

	struct record_call *r = (void *)sc->data;
	u64 at = fill_call(sc, SLOT_CALL, s, task);
	r->fd = k->fd;
	put_ends(r, &k->ends);
	at = add_names(sc, at, k);
	if (wants_data)
		at = add_data(sc, at, s, &k->given);
	emit_call(sc, call, at);
	return 0;
}
