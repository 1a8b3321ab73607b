/* probe.h - the kernel side: load, attach, read the rings, decode records, count what was lost. */
#pragma once
#include "agent/event.h"
#include "agent/filter.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/loop.h"

struct probe;

/* How system calls are hooked. AUTO: FEXIT where the kernel has trampolines, else DISPATCH. */
enum probe_mode {
	PROBE_AUTO,
	PROBE_FEXIT,	/* fexit on each wanted call's function: nothing for other calls */
	PROBE_DISPATCH, /* one program on sys_exit: every call pays a little; sees 32-bit calls */
	PROBE_PER_CALL, /* a syscalls tracepoint for each: others pay less, but 32-bit calls are not seen */
};
const char *probe_mode_name(enum probe_mode m); /* "auto" "fexit" "dispatch" "per-call" */

struct probe_config {
	uint32_t ring_bytes[EVC_COUNT]; /* powers of two, 64 KiB .. 64 MiB; 0 = default, 1 MiB */
	uint32_t poll_ms;		/* 1 .. 10: how often rings are read; default 5. While nothing
					   happens the timer is slower and a record wakes the loop */
	bool with_fork;			/* deliver EV_FORK (the tree needs it) */
	enum probe_mode mode;
	uint32_t own_pid; /* whose calls are no events: what the agent looks up to understand one must not
			     become others. In the host's pid namespace; 0: nobody's */
};

struct probe_ops {
	/* From the loop, for each record in ring order. e borrowed for the call. */
	void (*on_event)(void *arg, const struct event *e);
	/* After a batch of records has been delivered. Nullable. */
	void (*on_drained)(void *arg);
};

/* Loads and attaches. Errors: EPERM without the right, ENOTSUP when the kernel has no BTF. */
int probe_new(struct loop *l, const struct clock *clk, const struct probe_config *cfg,
	      const struct probe_ops *ops, void *arg, struct probe **ret, struct err *err) WARN_UNUSED;
/* Every process running now, by the kernel's task iterator. Call after probe_new, so that none
 * falls between. ENOTSUP: use world_seed_proc instead. Events of type EV_FORK shape: p filled incl.
 * exe, args (read from mm by the iterator where it may, else empty). */
int probe_seed(struct probe *p, void (*fn)(void *arg, const struct event_process *p), void *arg,
	       struct err *err) WARN_UNUSED;
/* Reads what is in the rings now. Normally the loop's timer does it. Returns records delivered. */
unsigned probe_drain(struct probe *p);

/* Attaches what the filter's rows need, detaches the rest, and gives the kernel the rows. Until the first
 * call only exec, exit and fork are attached. On an error the filter before it stays. f: copied. A hook
 * that this kernel refuses is no error: it stands in probe_hooks and in sensors with the reason. */
int probe_set_filter(struct probe *p, const struct filter *f, struct err *err) WARN_UNUSED;
/* The way calls are hooked now; AUTO: none is. */
enum probe_mode probe_mode_now(const struct probe *p);
/* Whether a cgroup is a container's, for rows that ask. Until it is told, a process in it passes for
 * both. id: event_process.cgroup_id. Cheap to repeat. */
void probe_mark_cgroup(struct probe *p, uint64_t id, bool is_container);
/* It is both, or not known any more: its processes pass for both again. */
void probe_unmark_cgroup(struct probe *p, uint64_t id);

/* One program in the kernel, attached or wanted. */
struct probe_hook {
	const char *name;  /* "exec", "sys_exit", "fexit openat", "cgroup/sendmsg4" */
	const char *calls; /* the event types it serves, with blanks between */
	const char *why_not; /* "" when attached */
	bool attached;
	/* 0 unless kernel.bpf_stats_enabled was on for a while; probe_measure turns it on */
	uint64_t runs, run_ns;
	uint64_t seen, passed; /* events that it looked at, and let through to user space */
};
/* Every hook; slices and strings borrowed until the next call of the probe. */
void probe_hooks(struct probe *p, void (*fn)(void *arg, const struct probe_hook *h), void *arg);
/* While on, the kernel counts and times each run (BPF_ENABLE_STATS, 10-20 ns a run). */
int probe_measure(struct probe *p, bool on, struct err *err) WARN_UNUSED;

struct probe_sensor {
	const char *name, *why_not; /* why_not: "" when attached; borrowed until probe_free */
	bool attached;
};
struct probe_stats {
	struct {
		uint64_t seen;	    /* the hook ran and wanted a record */
		uint64_t submitted; /* it went into the ring */
		uint64_t lost;	    /* the ring was full */
		uint64_t delivered; /* on_event was called */
		uint64_t malformed; /* the decoder refused it */
	} class[EVC_COUNT];
	const struct probe_sensor *sensors;
	size_t sensor_count;
};
void probe_stats(struct probe *p, struct probe_stats *ret);
/* Detaches; after it no callback. */
void probe_free(struct probe *p);
DEFINE_CLEANUP(struct probe, probe_free)

/* Pure: one record as it stood in the ring -> event. ERR_CORRUPT when it is none. now: for the wall
 * clock. e's slices point into record. */
int probe_decode(struct slice record, int64_t boot_to_unix_ns, struct event *e,
		 struct err *err) WARN_UNUSED;
