/* probe_priv.h - what load.c gives to probe.c: descriptors and the mapped counters, nothing of
 * libbpf's, whose objects are let go after the attach (they would stay in memory for ever). */
#pragma once
#include "agent/bpf/record.h"
#include "agent/probe/probe.h"

enum sensor_id { SENSOR_EXEC, SENSOR_EXIT, SENSOR_FORK, SENSOR_COUNT };

struct sensor {
	int prog_fd, link_fd; /* -1: not attached */
	char why_not[160];
};

struct loaded {
	struct sensor sensor[SENSOR_COUNT];
	size_t sensor_count; /* those wanted: the first ones */
	int ring_fd[EVC_COUNT]; /* -1: no program uses it */
	uint32_t ring_bytes[EVC_COUNT];
	struct counters *counters; /* mapped: [cpu * CLASS_COUNT + class] */
	size_t cpu_count;
	struct reader *reader; /* mapped, ours to write */
};

/* Reads limits from cfg. *ret: caller releases with loaded_fini, also after a failure. */
int loaded_init(const struct probe_config *cfg, struct loaded *ret, struct err *err) WARN_UNUSED;
/* Events that a program never saw, because it ran on that CPU already; see agent/bpf/maps.h. */
uint64_t loaded_misses(const struct loaded *l);
/* Detaches. */
void loaded_fini(struct loaded *l);
/* Takes libbpf's messages instead of standard error; the last one is the reason of a failure. */
void load_quiet(void);
const char *load_last_message(void);
