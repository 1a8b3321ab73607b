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

/* Maps that the programs of processes and those of system calls have in common. */
enum shared_map {
	SHARED_COUNTERS,
	SHARED_READERS,
	SHARED_SCRATCHES,
	SHARED_CGROUPS,
	SHARED_KILLS, /* of the programs of processes only */
	SHARED_COUNT
};

struct loaded {
	uint32_t own_pid;
	struct sensor sensor[SENSOR_COUNT];
	size_t sensor_count; /* those wanted: the first ones */
	int ring_fd[EVC_COUNT]; /* -1: no program uses it */
	uint32_t ring_bytes[EVC_COUNT];
	int shared_fd[SHARED_COUNT];
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
/* A duplicate of fd that an exec closes; -1 with errno. */
int load_keep_fd(int fd);
const char *load_last_message(void);

/* --- system calls --- */

enum { HOOKS_MAX = 256 };
struct hook {
	int prog_fd, link_fd; /* -1: not attached */
	char name[40];
	char why_not[160];
	bool is_absent; /* the kernel has no such call: nothing to be seen, and nothing missing */
	uint64_t calls[2]; /* bit = enum call: those whose counts are this hook's */
};

/* The programs of one filter. Zeroed: none. */
struct calls {
	struct hook *hook;
	size_t count;
	enum probe_mode mode; /* FEXIT, DISPATCH or PER_CALL */
	int counts_fd;	      /* map of struct call_slot; -1 or 0: none */
	int keep_fd;	      /* what has to stay open; -1 or 0: none */
};

/* Loads and attaches what f needs, silent until l->reader->generation is `generation`. Makes the rings
 * that it uses in l. mode AUTO: the better one. *ret: caller releases with calls_fini; set only on
 * success. A hook that can't be had is in it with the reason. */
int calls_load(struct loaded *l, enum probe_mode mode, const struct filter *f, uint32_t generation,
	       struct calls *ret, struct err *err) WARN_UNUSED;
void calls_tell(const struct calls *c, void (*fn)(void *arg, const struct probe_hook *h), void *arg);
/* Puts runs and run_ns into h. prog_fd < 0: none. */
void hook_cost(int prog_fd, struct probe_hook *h);
/* Makes f's kills those that count. Some of what they ask can be too much for the kernel: ERR_LIMIT,
 * and those before stay. */
int kills_set(struct loaded *l, const struct filter *f, struct err *err) WARN_UNUSED;
uint64_t calls_misses(const struct calls *c);
/* Detaches. */
void calls_fini(struct calls *c);
/* Whether fexit programs can be attached in this kernel. */
bool calls_may_fexit(void);
