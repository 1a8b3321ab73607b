/* tables.h - the rows of a filter as the tables that the kernel's side looks into. Pure. */
#pragma once
#include "agent/bpf/tables.h"
#include "agent/filter.h"
#include "common/cleanup.h"

struct tables {
	uint64_t call_rows[2][CALLS_MAX]; /* [1]: of calls that failed */
	uint8_t call_class[CALLS_MAX], call_families[CALLS_MAX], call_moves[CALLS_MAX];
	uint64_t access_rows[4], where_rows[4], sock_rows[3];
	uint64_t comm_all, port_all;
	struct grams path, raw;
	uint64_t raw_binds; /* rows whose raw texts a successful open must have */
	uint8_t call_of[2][CALL_NUMBER_MAX], call_of_socketcall[32];
	bool is_wanted[CALLS_MAX];
	bool is_hooked[CALLS_MAX]; /* wanted, and by an entry of the mode */
	bool has_hooked, has_socketcall;
	bool has_class[2]; /* [0] rare, [1] volume: some wanted call's */
	bool has_calls;
};

/* hooked: calls that a program of their own watches, NULL for none: they are not in call_of. */
void tables_fill(const struct filter *f, const bool *hooked, struct tables *ret);
/* Which rows the kernel's side would leave over of a path; for tests. */
uint64_t tables_match(const struct grams *g, struct slice path);
