/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* call.h - a system call that ended, between the entry that saw it and the family that records it.
 *
 * The entry (dispatch, fexit, per-call, uring) fills a struct call_state and calls call_run(),
 * which calls family_X() when the filter has rows left for it; the family asks the filter
 * (filter.h) with what it alone knows, makes the record with fill_call() and gives it to
 * emit_call(). */
#pragma once
#include "agent/bpf/filter.h"

struct call_count {
	u64 seen, passed;
};

struct call_state {
	s64 ret;
	u64 arg[6]; /* widened; socketcall undone */
	u64 rows;   /* of the filter, that call and outcome left over; not 0 */
	u32 call;   /* enum call */
	bool compat, uring;
	/* Who is in it, of programs that can be preempted; read after adding oneself, so that never
	 * two think themselves alone. */
	u64 users;
	/* uring: names in kernel memory, where arg[] would have them in the caller's. 0: none */
	u64 kernel_name, kernel_name2;
};

struct call_slot {
	struct call_count
		count[CALLS_MAX]; /* since the load; first, because agent/probe reads it */
	struct call_state state;
};

/* One per CPU: tracepoints don't nest on one, see scratches. fexit programs can be preempted, so
 * they claim it. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, u32);
	__type(value, struct call_slot);
	__uint(max_entries, 1);
} call_states SEC(".maps") __weak;

static __always_inline struct call_state *call_state(void)
{
	u32 first = 0;
	struct call_slot *slot = bpf_map_lookup_elem(&call_states, &first);

	return slot ? &slot->state : NULL;
}

static __always_inline struct call_count *call_count(u32 call)
{
	u32 first = 0;
	struct call_slot *slot = bpf_map_lookup_elem(&call_states, &first);

	return slot ? &slot->count[call & (CALLS_MAX - 1)] : NULL;
}

/* Each returns 0. */
int family_open(u32 call);
int family_sock(u32 call);
int family_fd(u32 call);
int family_path(u32 call);
int family_paths(u32 call);
int family_plain(u32 call); /* and FAMILY_EXEC */

/* --- for families --- */

/* The process. Global, so that the verifier judges it once for all families. */
__weak __noinline u64 fill_caller(u32 slot)
{
	struct scratch *sc = scratch_of(slot);

	if (!sc)
		return sizeof(struct record_call);
	return fill_process(sc, slot, RECORD_CALL, sizeof(struct record_call),
			    bpf_get_current_task_btf());
}

/* The fixed part but what the family adds; slot: of sc. Returns where the texts go on. */
static __always_inline u64 fill_call(struct scratch *sc, u32 slot, const struct call_state *s,
				     struct task_struct *task)
{
	struct record_call *r = (void *)sc->data;
	u64 at = fill_caller(slot);

	if (at > sizeof(*r) + TEXT_CGROUP_MAX)
		at = sizeof(*r);
	r->ret = s->ret;
	r->arg[0] = s->arg[0];
	r->arg[1] = s->arg[1];
	r->arg[2] = s->arg[2];
	r->arg[3] = s->arg[3];
	r->arg[4] = s->arg[4];
	r->arg[5] = s->arg[5];
	r->call = s->call;
	r->fd = -1;
	if (s->compat)
		r->r.flags |= RECORD_COMPAT;
	if (s->uring)
		r->r.flags |= RECORD_URING;
	return at;
}

/* Puts the record into the ring of the call's class. */
static __always_inline void emit_call(struct scratch *sc, u32 call, u64 at)
{
	u32 key = call & (CALLS_MAX - 1);
	struct call_count *n = call_count(call);
	struct counters *c;

	if (!is_current())
		return;
	if (n)
		n->passed++;
	if (call_class[key] == CLASS_RARE) {
		c = counters_of(CLASS_RARE);
		if (!c)
			return;
		__sync_fetch_and_add(&c->seen, 1);
		emit(&ring_rare, CLASS_RARE, sc, at, c);
	} else {
		c = counters_of(CLASS_VOLUME);
		if (!c)
			return;
		__sync_fetch_and_add(&c->seen, 1);
		emit(&ring_volume, CLASS_VOLUME, sc, at, c);
	}
}

/* --- for entries --- */

static __always_inline bool call_failed(s64 ret)
{
	return ret < 0 && ret >= -4095;
}

/* For programs that can be preempted: NULL when another is in the state of this CPU, which is
 * counted as lost. */
static __always_inline struct call_state *call_claim(void)
{
	struct call_state *s = call_state();
	struct counters *c;

	if (!s)
		return NULL;
	__sync_fetch_and_add(&s->users, 1);
	if (*(volatile u64 *)&s->users == 1)
		return s;
	__sync_fetch_and_add(&s->users, -1);
	c = is_current() ? counters_of(CLASS_RARE) : NULL;
	if (c) {
		__sync_fetch_and_add(&c->seen, 1);
		__sync_fetch_and_add(&c->lost, 1);
	}
	return NULL;
}

static __always_inline void call_release(struct call_state *s)
{
	__sync_fetch_and_add(&s->users, -1);
}

/* s but for call and rows is filled. Whether its family is to be asked. */
static __always_inline bool call_start(struct call_state *s, u32 call)
{
	u32 key = call & (CALLS_MAX - 1);
	struct call_count *n;

	s->call = key;
	if (!call_failed(s->ret) && call_moves[key])
		__sync_fetch_and_add(&path_epoch, 1);
	s->rows = filter_call(key, s->ret);
	if (!s->rows || (own_pid && bpf_get_current_pid_tgid() >> 32 == own_pid))
		return false;
	n = call_count(key);
	if (n)
		n->seen++;
	return true;
}

static __always_inline void call_run(struct call_state *s, u32 call)
{
	u32 key = call & (CALLS_MAX - 1);

	if (!call_start(s, call))
		return;
	switch (call_families[key]) {
	case FAMILY_OPEN:
		family_open(key);
		break;
	case FAMILY_SOCK:
		family_sock(key);
		break;
	case FAMILY_FD:
		family_fd(key);
		break;
	case FAMILY_PATH:
		family_path(key);
		break;
	case FAMILY_PATHS:
		family_paths(key);
		break;
	default:
		family_plain(key);
	}
}
