/* live_priv.h - what live_*.c share: getters of fields from one live event. */
#pragma once
#include "agent/rules/rules_fields.h"
#include "agent/world/world.h"

struct live_query {
	const struct rules_live *live;
	const struct rules_field *field;
	int index;
	struct slice arg;
	struct arena *scratch;
};
/* false: no value. */
typedef bool (*live_getter)(const struct live_query *q, struct rules_value *ret);

/* By field id; NULL: nobody's. */
live_getter live_process_getter(unsigned id);
live_getter live_container_getter(unsigned id);

static inline const struct event_process *live_process(const struct live_query *q)
{
	return &q->live->event->p;
}

static inline bool live_num(struct rules_value *ret, int64_t v)
{
	ret->num = v;
	return true;
}

/* Borrowed text; empty is no value. */
static inline bool live_str(struct rules_value *ret, struct slice s)
{
	ret->str = s;
	return s.n > 0;
}

/* Copied: what world gives is gone at its next call. */
bool live_copy(const struct live_query *q, struct slice s, struct rules_value *ret);
/* NUL-ended pieces with blanks between, in the scratch; empty when there are none. */
struct slice live_joined(struct arena *scratch, struct slice pieces);
/* "EXE_WRITABLE|EXE_UPPER_LAYER" and so on, as the flags of an execve event. */
struct slice live_exec_flags(struct arena *scratch, const struct event_process *p);
