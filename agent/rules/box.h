/* box.h - what a condition lets through, as a union of boxes. Private to agent/rules.
 *
 * A box has a set for each thing that the kernel's filter can ask (agent/filter.h); an event is in it when
 * it is in every set. A union always holds at least the events for which the condition can be true: where
 * a condition can't be said exactly, more is in it, never less. */
#pragma once
#include "agent/filter.h"
#include "agent/rules/cond.h"

enum box_mode { MODE_READ = 1, MODE_WRITE = 2, MODE_BOTH = 4, MODE_NEITHER = 8, MODE_ANY = 15 };
enum { SOCK_NONE = FILTER_OTHER_SOCK << 1, /* no socket at all, which the kernel is not asked */
       SOCK_ANY = FILTER_ANY_SOCK | SOCK_NONE };

enum {
	BOX_LIST_MAX = 256,  /* of one list; a longer one is "any" */
	BOXES_MAX = 16,	     /* of a condition while it is worked on */
	BOXES_PRODUCT_MAX = 64,
	BOXES_OF_RULE = 8,
	BOX_ARENA_MAX = 32 << 20,
};

struct box_texts {
	const struct filter_text *p;
	size_t n;
	bool is_any;
};
struct box_comms {
	const struct slice *p; /* at most FILTER_COMM_MAX bytes each */
	size_t n;
	bool is_any;
};
struct box_ports {
	const uint16_t *p;
	size_t n;
	bool is_any;
};

struct box {
	uint64_t calls[2]; /* bit = enum call */
	unsigned outcome, mode, where, sock;
	struct box_comms comms;
	struct box_ports ports;
	struct box_texts paths, raws; /* fd.name and fd.nameraw of an open */
};
struct boxes {
	const struct box *p;
	size_t n; /* 0: nothing is let through */
};

/* Everything; every call of calls.def. */
struct box box_any(void);
struct boxes boxes_any(void);
bool boxes_is_any(struct boxes s);
/* Both may share with a and b. Out of memory: everything. */
struct boxes boxes_both(struct arena *a, struct boxes x, struct boxes y);
struct boxes boxes_either(struct arena *a, struct boxes x, struct boxes y);
/* At most max boxes (>= 1), the likest put together; those inside another are left out. */
struct boxes boxes_reduce(struct arena *a, struct boxes s, size_t max);
/* In a with all it points to. p NULL with n > 0: out of memory. */
struct boxes boxes_copy(struct arena *a, struct boxes s);

/* box_check.c: the events for which a comparison is true, or false with negated; macros are inlined. */
struct boxes boxes_of_check(struct arena *a, const struct cond *c, bool negated);
/* box_text.c: the texts of which one must be in the value for the check to be true. */
struct box_texts box_texts_of(struct arena *a, const struct cond *check);
bool box_text_holds(const struct filter_text *t, struct slice s);

/* The events for which c, all macros resolved, can be true; at most BOXES_OF_RULE, in a. */
struct boxes boxes_of(struct arena *a, const struct cond *c);
