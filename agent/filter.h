/* filter.h - what the loaded rules could match, in the terms of the kernel's filter.
 *
 * rules_filter() derives it; probe_set_filter() attaches what it needs and drops the rest in the kernel.
 * A row is a conjunction; an event is let through when at least one row holds. Rows say too much rather
 * than too little: what a row can't express stands as "any". Empty lists mean any. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "agent/calls.h"
#include "common/arena.h"
#include "common/slice.h"

enum { FILTER_ROWS_MAX = 64, /* bits of a word in the kernel; past it rows are merged */
       FILTER_COMM_MAX = 15 };

enum filter_outcome { FILTER_OK = 1, FILTER_FAILED = 2, FILTER_ANY_OUTCOME = 3 };
/* FAMILY_OPEN by O_ACCMODE: O_RDWR is both; other families are not asked. */
enum filter_access { FILTER_READ = 1, FILTER_WRITE = 2, FILTER_ANY_ACCESS = 3 };
enum filter_where { FILTER_HOST = 1, FILTER_CONTAINER = 2, FILTER_ANYWHERE = 3 };
/* sa_family of the socket; other families are not asked. */
enum filter_sock { FILTER_INET = 1, FILTER_UNIX = 2, FILTER_OTHER_SOCK = 4, FILTER_ANY_SOCK = 7 };

/* One of a list must be in the path. */
struct filter_text {
	enum { FILTER_EXACT, FILTER_PREFIX, FILTER_SUFFIX, FILTER_CONTAINS } kind;
	struct slice text; /* >= 1 byte */
};

struct filter_row {
	uint64_t calls[2]; /* bit = enum call */
	unsigned outcome, access, where, sock;
	const char *const *comms; /* task comm, at most FILTER_COMM_MAX bytes, compared whole */
	size_t comm_count;
	const uint16_t *ports; /* host order; either end of the socket */
	size_t port_count;
	/* Of a successful FAMILY_OPEN: the resolved path. */
	const struct filter_text *paths;
	size_t path_count;
	/* Of a failed FAMILY_OPEN: the path as it was given. */
	const struct filter_text *raws;
	size_t raw_count;
	/* raws hold for a successful one too; who can't look there may let it through. */
	bool raws_bind_success;
};

/* A rule with response "kill" whose whole condition the kernel can decide at exec: all that is set must
 * hold, and nothing else is asked. */
struct filter_kill {
	const char *rule;
	unsigned where; /* FILTER_CONTAINER: only where the cgroup is known to be a container's */
	const char *const *comms;
	size_t comm_count;
	const struct filter_text *exes; /* EXACT and PREFIX only: the resolved path of the program */
	size_t exe_count;
	bool is_memfd, is_upper_layer; /* must be so */
};
enum { FILTER_KILLS_MAX = 32 };

struct filter {
	struct arena *arena; /* owns what rows and kills point to */
	struct filter_row rows[FILTER_ROWS_MAX];
	size_t row_count;
	struct filter_kill kills[FILTER_KILLS_MAX];
	size_t kill_count;
	bool wants_data; /* a rule reads evt.buffer: sendto, recvfrom and so on carry their first bytes */
};

static inline void filter_row_add_call(struct filter_row *row, enum call c)
{
	row->calls[c / 64] |= 1ull << c % 64;
}

static inline bool filter_row_has_call(const struct filter_row *row, enum call c)
{
	return row->calls[c / 64] >> c % 64 & 1;
}

static inline void filter_fini(struct filter *f)
{
	arena_free(f->arena);
	*f = (struct filter){ 0 };
}
