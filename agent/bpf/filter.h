/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* filter.h - which events could match a rule: agent/filter.h's rows, one bit each.
 *
 * An event starts with the rows of its call and outcome; each question keeps those that hold. None
 * left: nobody wants it. All tables are constants of one load: a new filter is a new load, attached
 * beside the old one and made current by struct reader's generation, so that no event falls
 * between. */
#pragma once
#include "agent/bpf/emit.h"
#include "agent/bpf/tables.h"
#include "agent/calls.h"

/* Loader. The types go into the skeleton, hence __u64. [1]: of calls that failed */
const volatile __u64 call_rows[2][CALLS_MAX] __weak = {};
const volatile __u8 call_class[CALLS_MAX] __weak = {};
const volatile __u8 call_families[CALLS_MAX] __weak = {};
const volatile __u8 call_moves[CALLS_MAX] __weak = {}; /* it changes paths: rename, mount */
const volatile __u64 access_rows[4] __weak = {};       /* by O_ACCMODE */
const volatile __u64 where_rows[4] __weak = {};	       /* by enum filter_where; [3]: unknown */
const volatile __u64 sock_rows[3] __weak = {};	       /* inet, unix, other */
const volatile __u64 comm_all __weak = 0, port_all __weak = 0; /* rows that don't ask */
const volatile struct grams path_grams __weak = {};
const volatile struct grams raw_grams __weak = {};
const volatile __u64 raw_binds __weak =
	0; /* rows whose raw texts a successful open must have, too */
const volatile __u32 generation __weak = 0;
const volatile __u8 wants_data __weak = 0; /* agent/filter.h's */
/* The agent: what it looks up to understand an event must not become events. 0: nobody */
const volatile __u32 own_pid __weak = 0;

/* Grows when a name may have come to stand elsewhere. */
__u64 path_epoch __weak = 0;

struct comm_key {
	char name[16];
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct comm_key);
	__type(value, u64);
	__uint(max_entries, 1); /* loader */
} comm_rows SEC(".maps") __weak;
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, u32);
	__type(value, u64);
	__uint(max_entries, 1); /* loader */
} port_rows SEC(".maps") __weak;

/* Whether this load's programs are those that count. */
static __always_inline bool is_current(void)
{
	u32 key = 0;
	struct reader *reader = bpf_map_lookup_elem(&readers, &key);

	return reader && reader->generation == generation;
}

/* A connect() under way is both: the rules see EINPROGRESS as they like. */
static __always_inline u64 filter_call(u32 call, s64 ret)
{
	call &= CALLS_MAX - 1;
	if (ret == -115)
		return call_rows[0][call] | call_rows[1][call];
	return ret < 0 && ret >= -4095 ? call_rows[1][call] : call_rows[0][call];
}

static __always_inline u64 filter_comm(u64 rows, struct task_struct *task)
{
	struct comm_key key;

	if (!(rows & ~comm_all))
		return rows;
	/* The name that the record has. Not bpf_get_current_comm: seen in 6.1, a program jumped to from
	 * fexit matched no row by what that gave; why is not known. */
	__builtin_memset(&key, 0, sizeof(key));
	BPF_CORE_READ_INTO(&key.name, name_holder(task), comm);
	u64 *named = bpf_map_lookup_elem(&comm_rows, &key);
	return rows & (comm_all | (named ? *named : 0));
}

static __always_inline u64 filter_where(u64 rows, struct task_struct *task)
{
	if (!(rows & ~(where_rows[1] & where_rows[2])))
		return rows;
	struct cgroup *cgroup = read_cgroup(task);
	struct kernfs_node *kn = BPF_CORE_READ(cgroup, kn);
	u64 id = BPF_CORE_READ(kn, id);
	u32 *where = bpf_map_lookup_elem(&cgroups, &id);
	return rows & where_rows[where ? *where & 3 : 3];
}

/* Both of them; ask last. */
static __always_inline u64 filter_process(u64 rows, struct task_struct *task)
{
	rows = filter_comm(rows, task);
	return rows ? filter_where(rows, task) : 0;
}

/* Host order. */
static __always_inline u64 filter_ports(u64 rows, u16 local, u16 remote)
{
	u64 found = port_all;
	u32 key = local;
	u64 *of;

	if (!(rows & ~port_all))
		return rows;
	of = bpf_map_lookup_elem(&port_rows, &key);
	if (of)
		found |= *of;
	key = remote;
	of = bpf_map_lookup_elem(&port_rows, &key);
	if (of)
		found |= *of;
	return rows & found;
}

/* family: AF_*; 0 when there is none to be told: all. */
static __always_inline u64 filter_sock(u64 rows, u16 family)
{
	if (!family)
		return rows;
	if (family == 2 || family == 10)
		return rows & sock_rows[0];
	return rows & sock_rows[family == 1 ? 1 : 2];
}

/* What a look along a path carries. */
struct matching {
	u64 rows;
	u32 slot, from;
};

/* name(): which rows find their text in s->path[from ..], n bytes. Global and with numbers only, as
 * walk_path. bpf_loop (5.17), because the verifier goes a loop's every turn, and twice where it
 * forks. */
#define MATCH_FUNCTION(name, grams)                                                  \
	static long name##_at(u32 i, void *arg)                                      \
	{                                                                            \
		struct matching *m = arg;                                            \
		struct scratch *s = scratch_of(m->slot);                             \
		u64 at = (m->from + i) & TEXT_PATH_MAX;                              \
                                                                                     \
		if (!s)                                                              \
			return 1;                                                    \
		KEEP(at);                                                            \
		at &= TEXT_PATH_MAX;                                                 \
		u32 key = *(u32 *)&s->path[at] & grams.mask, h = gram_hash(key),     \
		    b = gram_bucket(h);                                              \
		if (!(grams.bits[h >> 26] >> (h >> 20 & 63) & 1))                    \
			return 0;                                                    \
		if (grams.gram[b].key == key) {                                      \
			m->rows |= grams.gram[b].any;                                \
			if (grams.gram[b].at == i)                                   \
				m->rows |= grams.gram[b].start;                      \
		}                                                                    \
		b = (b + 1) & (GRAM_BUCKETS * GRAM_WAYS - 1);                        \
		if (grams.gram[b].key == key) {                                      \
			m->rows |= grams.gram[b].any;                                \
			if (grams.gram[b].at == i)                                   \
				m->rows |= grams.gram[b].start;                      \
		}                                                                    \
		return 0;                                                            \
	}                                                                            \
	__weak __noinline u64 name(u32 slot, u32 from, u32 n)                        \
	{                                                                            \
		struct matching m = {.rows = grams.all, .slot = slot, .from = from}; \
                                                                                     \
		if (n > GRAM_SCAN_MAX)                                               \
			return ~0ULL;                                                \
		if (n >= grams.bytes)                                                \
			bpf_loop(n - (grams.bytes - 1), name##_at, &m, 0);           \
		return m.rows;                                                       \
	}
