/* correlation_priv.h - between correlation*.c. */
#pragma once
#include "collector/correlate/correlation.h"

struct correlation_reader {
	const struct sigma_rule *rule;
	struct arena *arena;
	struct sigma_notes *notes;
	struct err *err;
};

/* ERR_LIMIT: the arena is full. */
int correlation_full(const struct correlation_reader *r);
/* "5m" -> ns; -ERR_SYNTAX, -ERR_LIMIT. */
int correlation_span(struct slice s, int64_t *ret_ns);
/* A finite decimal number and nothing else. */
bool correlation_number(struct slice s, double *ret);
/* n: nullable. Fills ops, limits, fields, percentile, steps, positive, is_bounded; refs where `rules` is missing. */
int correlation_condition(const struct correlation_reader *r, const struct conf_node *n, struct correlation *c);
