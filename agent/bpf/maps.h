/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* maps.h - every map and every knob. Sizes marked "loader" are set between open and load. */
#pragma once
#include "agent/bpf/kernel.h"
#include "agent/bpf/record.h"
#include "agent/bpf/tables.h"

/* Rings by class, so that a flood of one can't push out another. */
#define RING(name)                                                                                 \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_RINGBUF);                                                \
		__uint(max_entries, 4096); /* loader */                                            \
	} name SEC(".maps") __weak

RING(ring_process);
RING(ring_rare);
RING(ring_volume);

/* [cpu * CLASS_COUNT + class] */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct counters);
	__uint(max_entries, CLASS_COUNT); /* loader: CPUs * CLASS_COUNT */
} counters SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct reader);
	__uint(max_entries, 1);
} readers SEC(".maps") __weak;

enum { PATH_SPACE = TEXT_PATH_MAX + 1 + 256 };

struct scratch {
	char data[RECORD_MAX];
	char path[PATH_SPACE]; /* a path is written from its end; the last 256 bytes hold one name */
};

/* A slot per program and CPU. Tracepoints run with preemption off up to 6.18; where they do not,
 * the kernel (since 6.2) refuses to enter a program that is already running on this CPU and counts
 * the miss in bpf_prog_info.recursion_misses, which the loader adds to what was lost. So a program
 * never meets itself in its slot. */
enum scratch_slot {
	SLOT_EXEC,
	SLOT_EXIT,
	SLOT_FORK,
	SLOT_CALL, /* system calls: one program, or those that claim it; see call.h */
	SLOT_DGRAM,
	SLOT_COUNT,
	SLOT_SEED = SLOT_COUNT
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, u32);
	__type(value, struct scratch);
	__uint(max_entries, SLOT_COUNT);
} scratches SEC(".maps") __weak;

/* The iterator's: its reader is one, and it may sleep. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, u32);
	__type(value, struct scratch);
	__uint(max_entries, 1);
} seed_scratch SEC(".maps") __weak;

/* Two threads at once that leave together could both see "nobody is alive any more". */
struct last_exit {
	u64 start_ns;
	u64 tgid;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct last_exit);
	__type(value, u8);
	__uint(max_entries, 1024);
} exited SEC(".maps") __weak;

/* What user space knows of a cgroup: by event_process.cgroup_id, FILTER_HOST or FILTER_CONTAINER. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, u64);
	__type(value, u32);
	__uint(max_entries, 8192);
} cgroups SEC(".maps") __weak;

/* Programs that are killed as they start; two halves, of which one is filled while the other counts. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, u32);
	__type(value, struct kill_row);
	__uint(max_entries, 2 * KILL_ROWS_MAX);
} kill_rows SEC(".maps") __weak;

/* Past this fill of the ring (bytes) a record wakes the reader; below, its timer does. Loader. Its
 * type goes into the skeleton, hence __u64. */
const volatile __u64 wake_bytes[CLASS_COUNT] __weak = { 1024, 1024, 1024 };
