/* every_type.h - rules of each type, and events for all of them: what a snapshot must be able to hold. */
#pragma once
#include <stdio.h>

#define EVERY_TYPE                                                                                                               \
	"name: a\ndetection: {selection: {t: a}, condition: selection}\n---\n"                                                   \
	"name: b\ndetection: {selection: {t: b}, condition: selection}\n---\n"                                                   \
	"name: count\ncorrelation: {type: event_count, rules: [a], group-by: [u], timespan: 20s, condition: {gte: 3}}\n---\n"    \
	"name: distinct\ncorrelation: {type: value_count, rules: [a, b], group-by: [u], timespan: 60s, condition: {field: n, gte: 4}}\n---\n" \
	"name: both\ncorrelation: {type: temporal, rules: [a, b], group-by: [u], timespan: 20s}\n---\n"                          \
	"name: steps\nx: {suppress: 1m}\ncorrelation: {type: temporal_ordered, rules: [a, b], group-by: [u], timespan: 20s}\n---\n" \
	"name: sum\ncorrelation: {type: value_sum, rules: [a], timespan: 20s, condition: {field: n, gt: 50}}\n---\n"             \
	"name: avg\ncorrelation: {type: value_avg, rules: [a, b], timespan: 20s, condition: {field: n, gt: 5}}\n---\n"           \
	"name: p90\ncorrelation: {type: value_percentile, rules: [b], group-by: [u], timespan: 40s, condition: {field: n, percentile: 90, gte: 7}}\n---\n" \
	"name: alone\ncorrelation: {type: temporal, condition: a and not b, group-by: [u], timespan: 10s}\n---\n"                \
	"name: few\ncorrelation: {type: event_count, rules: [b], group-by: [u], timespan: 10s, condition: {lte: 2}}\n---\n"      \
	"name: outer\ncorrelation: {type: temporal_ordered, rules: [count, alone], group-by: [u], timespan: 60s}\n"

/* The n-th event, into dst; returns its time. */
static inline double every_event(unsigned n, char *dst, size_t size)
{
	unsigned x = n * 2654435761u >> 7;

	snprintf(dst, size, "{\"t\":\"%c\",\"u\":\"u%u\",\"n\":%u.%u,\"_uid\":\"h%u/1/%u\"}", x % 3 ? 'a' : 'b', x / 3 % 4, x / 12 % 11,
		 x % 7 ? 0 : 5, x / 132 % 3, n + 1);
	return 1000 + n * 0.7 - (x / 396 % 5 ? 0 : 3);
}
