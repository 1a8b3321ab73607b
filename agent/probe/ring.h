/* ring.h - reads one BPF ring buffer. Our own, because libbpf's maps the data twice so that no record
 * is ever split, and every mapped page counts as the agent's memory: here it is mapped once, and the
 * record that stands across the end is copied together. */
#pragma once
#include "common/err.h"
#include "common/slice.h"

struct ring;

/* map_fd: borrowed, must outlive the ring. bytes: the map's max_entries. *ret: caller frees with
 * ring_close. */
int ring_open(int map_fd, uint32_t bytes, struct ring **ret, struct err *err) WARN_UNUSED;
/* fn for each record that is complete now, those that come meanwhile excepted; record borrowed for
 * the call. Returns how many. */
unsigned ring_drain(struct ring *r, void (*fn)(void *arg, struct slice record), void *arg);
/* NULL is allowed. */
void ring_close(struct ring *r);
DEFINE_CLEANUP(struct ring, ring_close)
