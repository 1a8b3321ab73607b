/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* uring.bpf.c - what io_uring does in place of a system call.
 *
 * io_uring_submit_req (6.4; before it io_uring_submit_sqe) after the request was read into the
 * kernel: its names are the kernel's own copies, but how it ends is not known, so that ret is 0,
 * and EINPROGRESS of a connect. What makes a descriptor is seen at io_uring_complete instead: only
 * the file says what was opened. Not where the descriptor is the ring's own or no completion is
 * wanted: those say their name. And not alone where others may come between. */
#include "agent/bpf/call.h"

char LICENSE[] SEC("license") = "GPL";

enum opcode {
	OP_ACCEPT = 13,
	OP_CONNECT = 16,
	OP_OPENAT = 18,
	OP_OPENAT2 = 28,
	OP_RENAMEAT = 35,
	OP_UNLINKAT = 36,
	OP_MKDIRAT = 37,
	OP_SYMLINKAT = 38,
	OP_LINKAT = 39,
	OP_SOCKET = 45,
	OP_BIND = 56,
	OP_LISTEN = 57,
};
enum { IN_PROGRESS = -115 };
/* The lower flags of a request are those of the entry that made it. */
enum { FIXED_FILE_BIT = 0, CQE_SKIP_BIT = 6 };
enum { DRAIN_LINKS_AND_ASYNC = 0x1e }; /* IOSQE_IO_DRAIN, _IO_LINK, _IO_HARDLINK, _ASYNC */
enum { SETUP_DEFER_TASKRUN = 1 << 13 };

static __always_inline u32 call_of_opcode(u32 opcode)
{
	switch (opcode) {
	case OP_ACCEPT:
		return CALL_ACCEPT4;
	case OP_CONNECT:
		return CALL_CONNECT;
	case OP_OPENAT:
		return CALL_OPENAT;
	case OP_OPENAT2:
		return CALL_OPENAT2;
	case OP_RENAMEAT:
		return CALL_RENAMEAT2;
	case OP_UNLINKAT:
		return CALL_UNLINKAT;
	case OP_MKDIRAT:
		return CALL_MKDIRAT;
	case OP_SYMLINKAT:
		return CALL_SYMLINKAT;
	case OP_LINKAT:
		return CALL_LINKAT;
	case OP_SOCKET:
		return CALL_SOCKET;
	case OP_BIND:
		return CALL_BIND;
	case OP_LISTEN:
		return CALL_LISTEN;
	default:
		return CALL_NONE;
	}
}

#define REQUEST(type, req) \
	((struct type *)((void *)(req) + bpf_core_field_offset(struct io_kiocb, cmd)))
#define HAS_FLAG(flags, bit) ((flags) >> (bit)&1)

static __always_inline u64 request_flags(const struct io_kiocb *req)
{
	u64 flags = 0;

	if (bpf_core_field_size(req->flags) == 8)
		bpf_core_read(&flags, 8, &req->flags);
	else
		bpf_core_read(&flags, 4, &req->flags);
	return flags;
}

static __always_inline u64 name_of(struct filename *name)
{
	return (u64)BPF_CORE_READ(name, name);
}

static __always_inline void begin(struct call_state *s, s64 ret)
{
	s->ret = ret;
	s->compat = false;
	s->uring = true;
	s->kernel_name = s->kernel_name2 = 0;
	s->arg[0] = s->arg[1] = s->arg[2] = s->arg[3] = s->arg[4] = s->arg[5] = 0;
}

static __always_inline void read_open(struct call_state *s, const struct io_kiocb *req,
				      bool has_name)
{
	struct io_open *o = REQUEST(io_open, req);

	s->arg[0] = (u32)BPF_CORE_READ(o, dfd);
	s->arg[2] = BPF_CORE_READ(o, how.flags);
	if (has_name) /* given back once the file is open */
		s->kernel_name = name_of(BPF_CORE_READ(o, filename));
}

static __always_inline bool is_direct(const struct io_kiocb *req, u32 call)
{
	struct io_open *o = REQUEST(io_open, req);
	struct io_accept *a = REQUEST(io_accept, req);

	if (call == CALL_ACCEPT4)
		return bpf_core_field_exists(a->file_slot) && BPF_CORE_READ(a, file_slot);
	return bpf_core_field_exists(o->file_slot) && BPF_CORE_READ(o, file_slot);
}

static __always_inline void read_paths(struct call_state *s, const struct io_kiocb *req, u32 call)
{
	struct io_rename *r = REQUEST(io_rename, req);
	struct io_link *l = REQUEST(io_link, req);
	struct io_unlink *u = REQUEST(io_unlink, req);
	struct io_mkdir *m = REQUEST(io_mkdir, req);

	switch (call) {
	case CALL_RENAMEAT2:
		s->arg[0] = (u32)BPF_CORE_READ(r, old_dfd);
		s->arg[2] = (u32)BPF_CORE_READ(r, new_dfd);
		s->arg[4] = (u32)BPF_CORE_READ(r, flags);
		s->kernel_name = name_of(BPF_CORE_READ(r, oldpath));
		s->kernel_name2 = name_of(BPF_CORE_READ(r, newpath));
		break;
	case CALL_LINKAT:
		s->arg[0] = (u32)BPF_CORE_READ(l, old_dfd);
		s->arg[2] = (u32)BPF_CORE_READ(l, new_dfd);
		s->arg[4] = (u32)BPF_CORE_READ(l, flags);
		s->kernel_name = name_of(BPF_CORE_READ(l, oldpath));
		s->kernel_name2 = name_of(BPF_CORE_READ(l, newpath));
		break;
	case CALL_SYMLINKAT:
		s->arg[1] = (u32)BPF_CORE_READ(l, new_dfd);
		s->kernel_name = name_of(BPF_CORE_READ(l, oldpath));
		s->kernel_name2 = name_of(BPF_CORE_READ(l, newpath));
		break;
	case CALL_UNLINKAT:
		s->arg[0] = (u32)BPF_CORE_READ(u, dfd);
		s->arg[2] = (u32)BPF_CORE_READ(u, flags);
		s->kernel_name = name_of(BPF_CORE_READ(u, filename));
		break;
	default:
		s->arg[0] = (u32)BPF_CORE_READ(m, dfd);
		s->arg[2] = BPF_CORE_READ(m, mode);
		s->kernel_name = name_of(BPF_CORE_READ(m, filename));
	}
}

static __always_inline void read_socket(struct call_state *s, const struct io_kiocb *req, u64 flags,
					u32 call)
{
	struct io_connect *c = REQUEST(io_connect, req);
	struct io_socket *k = REQUEST(io_socket, req);
	struct io_listen *l = REQUEST(io_listen, req);

	if (call == CALL_SOCKET) {
		s->arg[0] = (u32)BPF_CORE_READ(k, domain);
		s->arg[1] = (u32)BPF_CORE_READ(k, type);
		s->arg[2] = (u32)BPF_CORE_READ(k, protocol);
		return;
	}
	s->arg[0] = HAS_FLAG(flags, FIXED_FILE_BIT) ? (u32)-1 : (u32)BPF_CORE_READ(req, cqe.fd);
	if (call == CALL_CONNECT) {
		s->ret = IN_PROGRESS;
		s->arg[1] = (u64)BPF_CORE_READ(c, addr);
		s->arg[2] = (u32)BPF_CORE_READ(c, addr_len);
	} else if (call == CALL_LISTEN) {
		s->arg[1] = (u32)BPF_CORE_READ(l, backlog);
	}
}

/* Completions are told of when the whole submission is through, or when the caller asks: by then what was
 * opened may be read and closed, and another file have its number. So what may have to wait says its name,
 * too: told twice rather than not at all. */
static __always_inline bool may_wait(const struct io_kiocb *req, u64 flags)
{
	struct io_ring_ctx *ring = BPF_CORE_READ(req, ctx);

	if (!bpf_core_field_exists(ring->submit_state.submit_nr))
		return true;
	return flags & DRAIN_LINKS_AND_ASYNC || BPF_CORE_READ(ring, submit_state.submit_nr) != 1 ||
	       BPF_CORE_READ(ring, flags) & SETUP_DEFER_TASKRUN;
}

static __always_inline int submitted(const struct io_kiocb *req)
{
	u32 call = call_of_opcode(BPF_CORE_READ(req, opcode));
	struct call_state *s;
	u64 flags;

	if (call == CALL_NONE || call == CALL_ACCEPT4)
		return 0;
	if (!(call_rows[0][call] | call_rows[1][call]) && !call_moves[call])
		return 0;
	flags = request_flags(req);
	if ((call == CALL_OPENAT || call == CALL_OPENAT2) && !is_direct(req, call) &&
	    !HAS_FLAG(flags, CQE_SKIP_BIT) && !may_wait(req, flags))
		return 0;
	s = call_claim();
	if (!s)
		return 0;
	begin(s, 0);
	switch (call) {
	case CALL_OPENAT:
	case CALL_OPENAT2:
		read_open(s, req, true);
		break;
	case CALL_CONNECT:
	case CALL_SOCKET:
	case CALL_BIND:
	case CALL_LISTEN:
		read_socket(s, req, flags, call);
		break;
	default:
		read_paths(s, req, call);
	}
	call_run(s, call);
	call_release(s);
	return 0;
}

static __always_inline int completed(const struct io_kiocb *req, s32 res)
{
	struct call_state *s;
	u32 call;

	if (!req)
		return 0;
	call = call_of_opcode(BPF_CORE_READ(req, opcode));
	if (call != CALL_ACCEPT4 && call != CALL_OPENAT && call != CALL_OPENAT2)
		return 0;
	if (!(call_rows[0][call] | call_rows[1][call]) || is_direct(req, call))
		return 0;
	s = call_claim();
	if (!s)
		return 0;
	begin(s, res);
	if (call == CALL_ACCEPT4)
		s->arg[0] = (u32)-1;
	else
		read_open(s, req, false);
	call_run(s, call);
	call_release(s);
	return 0;
}

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(on_uring_submit, struct io_kiocb *req)
{
	return submitted(req);
}

/* So called in 6.0 .. 6.3. */
SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(on_uring_submit_sqe, struct io_kiocb *req)
{
	return submitted(req);
}

/* The first where the tracepoint gives the entry (6.11), the other where it gives the numbers. */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_uring_complete, void *ring, void *req, struct io_uring_cqe *cqe)
{
	return completed(req, BPF_CORE_READ(cqe, res));
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_uring_complete_res, void *ring, void *req, u64 user_data, int res)
{
	return completed(req, res);
}
