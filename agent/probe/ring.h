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
/* Takes notice of what is complete now: what comes later is left for the next look. */
void ring_look(struct ring *r);
/* The oldest record that was there; borrowed until ring_pop, which gives its room back. false: no more. */
bool ring_next(struct ring *r, struct slice *ret);
void ring_pop(struct ring *r);
/* NULL is allowed. */
void ring_close(struct ring *r);
DEFINE_CLEANUP(struct ring, ring_close)
