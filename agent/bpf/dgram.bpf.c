/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* dgram.bpf.c - datagrams to and from an address that the call itself names.
 *
 * cgroup/sendmsg4|6 (4.18) and recvmsg4|6 (5.2) on the root of the cgroups: they run where an unconnected
 * UDP socket sends to, or asks who sent, and cost no other call anything. What goes to an address is the
 * kernel's own copy of it. Each process and address passes once a second; the others are counted as
 * seen and not passed. It is not known yet how the sending ends: ret is 0.
 *
 * cgroup/connect4|6 (4.17) for a connection that is made by sending (MSG_FASTOPEN): told as connect(2). */
#include <bpf/bpf_endian.h>

#include "agent/bpf/sock.h"

char LICENSE[] SEC("license") = "GPL";

enum { PEERS_MAX = 4096, QUIET_NS = 1000000000, GO_ON = 1 };

struct peer {
	u8 address[16];
	u32 pid;
	u16 port, is_received;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct peer);
	__type(value, u64); /* when it passed last */
	__uint(max_entries, PEERS_MAX);
} peers SEC(".maps");

/* Who is in the slot of this CPU, for these programs can be preempted; read after adding oneself, so that
 * never two think themselves alone. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, u32);
	__type(value, u64);
	__uint(max_entries, 1);
} dgram_users SEC(".maps");

static __always_inline bool was_told(const struct ends *e, bool is_received)
{
	struct peer key = { .pid = bpf_get_current_pid_tgid() >> 32, .port = e->remote_port,
			    .is_received = is_received };
	u64 now = bpf_ktime_get_boot_ns();

	__builtin_memcpy(key.address, e->remote, 16);
	u64 *last = bpf_map_lookup_elem(&peers, &key);
	if (last && now - *last < QUIET_NS)
		return true;
	bpf_map_update_elem(&peers, &key, &now, BPF_ANY);
	return false;
}

/* By the registers, which io_uring's workers don't have. Numbers of x86-64 and arm64. */
static __always_inline void read_call(struct call_state *s, struct task_struct *task, bool is_received)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);
	u64 nr, fd;

#if defined(__TARGET_ARCH_x86)
	enum { SENDTO = 44, SENDMSG = 46, SENDMMSG = 307, RECVFROM = 45, RECVMSG = 47, RECVMMSG = 299 };
	nr = (u32)regs->orig_ax; /* the kernel's view: see entry.h */
	fd = regs->di;
#else
	enum { SENDTO = 206, SENDMSG = 211, SENDMMSG = 269, RECVFROM = 207, RECVMSG = 212,
	       RECVMMSG = 243 };
	nr = (u32)regs->syscallno;
	fd = regs->orig_x0;
#endif
	s->call = is_received ? CALL_RECVMSG : CALL_SENDMSG;
	s->arg[0] = -1;
	if (task->flags & IO_WORKER)
		return;
	if (nr == SENDTO || nr == RECVFROM)
		s->call = is_received ? CALL_RECVFROM : CALL_SENDTO;
	else if (nr != SENDMSG && nr != SENDMMSG && nr != RECVMSG && nr != RECVMMSG)
		return;
	s->arg[0] = (u32)fd;
}

static __always_inline void tell(const struct call_state *s, const struct ends *e,
				 struct task_struct *task)
{
	struct scratch *sc = scratch_of(SLOT_DGRAM);

	if (!sc)
		return;
	struct record_call *r = (void *)sc->data;
	u64 at = fill_call(sc, SLOT_DGRAM, s, task);
	r->fd = s->arg[0];
	put_ends(r, e);
	emit_call(sc, s->call, at);
}

static __always_inline void tell_alone(const struct call_state *s, const struct ends *e,
				       struct task_struct *task)
{
	u32 first = 0;
	u64 *users = bpf_map_lookup_elem(&dgram_users, &first);
	struct counters *c = counters_of(CLASS_VOLUME);

	if (!users || !c)
		return;
	__sync_fetch_and_add(users, 1);
	if (*(volatile u64 *)users == 1) {
		tell(s, e, task);
	} else {
		__sync_fetch_and_add(&c->seen, 1);
		__sync_fetch_and_add(&c->lost, 1);
	}
	__sync_fetch_and_add(users, -1);
}

static __always_inline int on_datagram(struct ends *e, bool is_received)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call_state s = { 0 };

	if (!is_current() || (own_pid && bpf_get_current_pid_tgid() >> 32 == own_pid))
		return GO_ON;
	read_call(&s, task, is_received);
	u64 rows = filter_call(s.call, 0);
	if (!rows)
		return GO_ON;
	struct call_count *n = call_count(s.call);
	if (n)
		n->seen++;
	rows = filter_ends(rows, e);
	if (rows && filter_process(rows, task) && !was_told(e, is_received))
		tell_alone(&s, e, task);
	return GO_ON;
}

#if defined(__TARGET_ARCH_x86)
enum { COMPAT = 2, NR_CONNECT = 42, NR_URING_ENTER = 426, NR_CONNECT_I386 = 362, NR_SOCKETCALL_I386 = 102,
       SOCKETCALL_CONNECT = 3 };
#else
enum { NR_CONNECT = 203, NR_URING_ENTER = 426 };
#endif

/* What has its own hook: connect(2), and io_uring's, whose sending can't be told from it here. */
static __always_inline bool is_seen_elsewhere(struct task_struct *task)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);

	if (task->flags & IO_WORKER)
		return true;
#if defined(__TARGET_ARCH_x86)
	u32 nr = (u32)regs->orig_ax & 0xbfffffff; /* without x32's bit */

	if (task->thread_info.status & COMPAT)
		return nr == NR_CONNECT_I386 ||
		       (nr == NR_SOCKETCALL_I386 && (u32)regs->bx == SOCKETCALL_CONNECT);
#else
	u32 nr = regs->syscallno;
#endif
	return nr == NR_CONNECT || nr == NR_URING_ENTER;
}

static __always_inline u64 first_argument(struct task_struct *task)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);

#if defined(__TARGET_ARCH_x86)
	return task->thread_info.status & COMPAT ? (u32)-1 : (u32)regs->di;
#else
	return (u32)regs->orig_x0;
#endif
}

static __always_inline int on_fast_open(struct ends *e, u32 type)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call_state s = { .call = CALL_CONNECT };

	if (type != SOCKET_STREAM || !is_current() || is_seen_elsewhere(task) ||
	    (own_pid && bpf_get_current_pid_tgid() >> 32 == own_pid))
		return GO_ON;
	s.arg[0] = first_argument(task);
	u64 rows = filter_call(s.call, -115); /* under way */
	if (!rows)
		return GO_ON;
	s.ret = -115;
	rows = filter_ends(rows, e);
	if (rows && filter_process(rows, task))
		tell_alone(&s, e, task);
	return GO_ON;
}

static __always_inline void read_common(struct ends *e, struct bpf_sock_addr *ctx)
{
	e->type = ctx->type;
	e->protocol = ctx->protocol;
	e->remote_port = bpf_ntohs((u16)ctx->user_port);
}

static __always_inline int on_inet(struct bpf_sock_addr *ctx, bool is_received)
{
	struct ends e = { .family = FAMILY_INET };
	struct bpf_sock *sk = ctx->sk;
	u32 to = ctx->user_ip4, from;

	read_common(&e, ctx);
	__builtin_memcpy(e.remote, &to, 4);
	if (sk) {
		from = sk->src_ip4;
		__builtin_memcpy(e.local, &from, 4);
		e.local_port = sk->src_port;
	}
	return on_datagram(&e, is_received);
}

static __always_inline int on_inet6(struct bpf_sock_addr *ctx, bool is_received)
{
	struct ends e = { .family = FAMILY_INET6 };
	struct bpf_sock *sk = ctx->sk;
	u32 to[4] = { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3] };

	read_common(&e, ctx);
	__builtin_memcpy(e.remote, to, 16);
	if (sk) {
		u32 from[4] = { sk->src_ip6[0], sk->src_ip6[1], sk->src_ip6[2], sk->src_ip6[3] };

		__builtin_memcpy(e.local, from, 16);
		e.local_port = sk->src_port;
	}
	return on_datagram(&e, is_received);
}

SEC("cgroup/sendmsg4")
int on_sendmsg4(struct bpf_sock_addr *ctx)
{
	return on_inet(ctx, false);
}

SEC("cgroup/sendmsg6")
int on_sendmsg6(struct bpf_sock_addr *ctx)
{
	return on_inet6(ctx, false);
}

SEC("cgroup/recvmsg4")
int on_recvmsg4(struct bpf_sock_addr *ctx)
{
	return on_inet(ctx, true);
}

SEC("cgroup/recvmsg6")
int on_recvmsg6(struct bpf_sock_addr *ctx)
{
	return on_inet6(ctx, true);
}

SEC("cgroup/connect4")
int on_connect4(struct bpf_sock_addr *ctx)
{
	struct ends e = { .family = FAMILY_INET };
	u32 to = ctx->user_ip4;

	read_common(&e, ctx);
	__builtin_memcpy(e.remote, &to, 4);
	return on_fast_open(&e, e.type);
}

SEC("cgroup/connect6")
int on_connect6(struct bpf_sock_addr *ctx)
{
	struct ends e = { .family = FAMILY_INET6 };
	u32 to[4] = { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3] };

	read_common(&e, ctx);
	__builtin_memcpy(e.remote, to, 16);
	return on_fast_open(&e, e.type);
}
