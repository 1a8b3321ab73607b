/* probe.c - see probe.h. A timer reads the rings; a ring a quarter full calls before it.
 *
 * 200 wake-ups a second on a quiet host are a hundredth of a CPU, so after a while without a record
 * the timer goes slow and the kernel's side is told to wake us with the next one. A record that is
 * being written in that very moment may wait for the slow timer. */
#include "agent/probe/probe_priv.h"

#include <errno.h>

#include <bpf/bpf.h>

#include "agent/probe/ring.h"

enum { POLL_DEFAULT_MS = 5, POLL_MAX_MS = 10, POLL_IDLE_MS = 100, EMPTY_UNTIL_IDLE = 4 };
/* Asking for missed events is a system call per program; they are next to impossible. */
static const uint64_t misses_every_ns = 1000000000;

static const char *const sensor_names[SENSOR_COUNT] = {
	[SENSOR_EXEC] = "exec",
	[SENSOR_EXIT] = "exit",
	[SENSOR_FORK] = "fork",
};

const char *probe_mode_name(enum probe_mode m)
{
	static const char *const names[] = {
		[PROBE_AUTO] = "auto",
		[PROBE_FEXIT] = "fexit",
		[PROBE_DISPATCH] = "dispatch",
		[PROBE_PER_CALL] = "per-call",
	};

	return (size_t)m < ARRAY_LEN(names) ? names[m] : "";
}

struct stream {
	struct ring *ring;
	struct loop_fd *watch;
	uint64_t told_lost; /* of the counters: this much has been delivered as gaps */
	uint64_t delivered, malformed;
	struct slice next; /* of a drain: the ring's oldest record */
	bool has_next;
};

struct probe {
	const struct clock *clk;
	struct probe_ops ops;
	void *arg;
	struct loop_timer *timer;
	uint32_t poll_ms;
	unsigned empty_count; /* drains in a row without a record */
	bool is_slow;	      /* the timer's */
	struct loop *loop;
	struct loaded loaded;
	struct calls calls;
	enum probe_mode mode;
	struct probe_sensor sensor[SENSOR_COUNT + HOOKS_MAX];
	size_t sensor_count;
	int measure_fd; /* -1: not measuring */
	struct stream stream[EVC_COUNT];
	struct stream *reading;	 /* whose records are being delivered; NULL outside of a drain */
	int64_t boot_to_unix_ns; /* as of this drain */
	uint64_t drained_unix_ns; /* the last drain: a loss found now is not older */
	uint64_t misses, misses_boot_ns;
	uint64_t misses_before; /* of programs for system calls that are gone */
};

static struct counters sum_counters(const struct probe *p, size_t class)
{
	struct counters sum = { 0 };

	for (size_t cpu = 0; cpu < p->loaded.cpu_count; cpu++) {
		const volatile struct counters *c =
			&p->loaded.counters[cpu * CLASS_COUNT + class];

		/* What was lost first: read the other way round, an event between the two reads
		 * could be lost without having been seen. */
		sum.lost += c->lost;
		sum.submitted += c->submitted;
		sum.seen += c->seen;
		sum.faults += c->faults;
	}
	if (class == EVC_PROCESS) {
		sum.lost += p->misses;
		sum.seen += p->misses;
	}
	return sum;
}

static void on_record(struct probe *p, struct slice record)
{
	struct event e;

	if (probe_decode(record, p->boot_to_unix_ns, &e, NULL) < 0) {
		p->reading->malformed++;
		return;
	}
	p->reading->delivered++;
	p->ops.on_event(p->arg, &e);
}

/* What has been lost since the last time, as an event before those that are in the ring now. */
static void deliver_gap(struct probe *p, enum event_class class, uint64_t now_unix, uint64_t now_boot)
{
	struct stream *s = &p->stream[class];
	uint64_t lost = sum_counters(p, class).lost;

	if (lost <= s->told_lost)
		return;
	struct event e = {
		.type = EV_GAP,
		.class = class,
		.boot_ns = now_boot,
		.unix_ns = now_unix,
		.gap = { .class = class,
			 .lost = lost - s->told_lost,
			 .from_unix_ns = p->drained_unix_ns,
			 .to_unix_ns = now_unix,
			 .reason = "ring_full" },
	};
	s->told_lost = lost;
	p->ops.on_event(p->arg, &e);
}

/* Of the rings' next records the one that happened first, so that an open is told before the exec that
 * came after it. NULL: all are empty. */
static struct stream *oldest(struct probe *p)
{
	struct stream *found = NULL;
	uint64_t found_ns = 0;

	for (size_t i = 0; i < EVC_COUNT; i++) {
		struct stream *s = &p->stream[i];
		uint64_t ns = 0;

		if (!s->has_next)
			continue;
		if (s->next.n >= sizeof(struct record))
			memcpy(&ns, s->next.p + offsetof(struct record, boot_ns), sizeof(ns));
		if (found && ns >= found_ns)
			continue;
		found = s;
		found_ns = ns;
	}
	return found;
}

unsigned probe_drain(struct probe *p)
{
	uint64_t now_unix = clock_unix_ns(p->clk), now_boot = clock_boot_ns(p->clk);
	unsigned count = 0;

	if (p->reading) /* called from a callback */
		return 0;
	p->boot_to_unix_ns = (int64_t)(now_unix - now_boot);
	if (now_boot - p->misses_boot_ns >= misses_every_ns) {
		p->misses = loaded_misses(&p->loaded) + calls_misses(&p->calls) + p->misses_before;
		p->misses_boot_ns = now_boot;
	}
	for (size_t i = 0; i < EVC_COUNT; i++) {
		struct stream *s = &p->stream[i];

		if (!s->ring)
			continue;
		p->reading = s;
		deliver_gap(p, i, now_unix, now_boot);
		ring_look(s->ring);
		s->has_next = ring_next(s->ring, &s->next);
	}
	for (struct stream *s; (s = oldest(p)); count++) {
		p->reading = s;
		on_record(p, s->next);
		ring_pop(s->ring);
		s->has_next = ring_next(s->ring, &s->next);
	}
	p->reading = NULL;
	p->drained_unix_ns = now_unix;
	if (count && p->ops.on_drained)
		p->ops.on_drained(p->arg);
	return count;
}

static void set_pace(struct probe *p, unsigned count)
{
	p->empty_count = count ? 0 : p->empty_count + 1;
	if (p->empty_count < EMPTY_UNTIL_IDLE) {
		if (p->is_slow)
			loop_timer_every(p->timer, p->poll_ms);
		p->is_slow = false;
		return;
	}
	if (!p->is_slow)
		loop_timer_every(p->timer, POLL_IDLE_MS);
	p->is_slow = true;
	__atomic_store_n(&p->loaded.reader->is_idle, 1, __ATOMIC_SEQ_CST);
}

static void on_timer(void *arg)
{
	set_pace(arg, probe_drain(arg));
}

static void on_full(void *arg, int fd, unsigned ready)
{
	(void)fd;
	(void)ready;
	set_pace(arg, probe_drain(arg));
}

/* Those of rings that came to be since the last time. */
static int open_streams(struct probe *p, struct err *err)
{
	for (size_t i = 0; i < EVC_COUNT; i++) {
		struct stream *s = &p->stream[i];
		int fd = p->loaded.ring_fd[i];

		if (fd < 0 || s->watch)
			continue;
		int r = s->ring ? 0 : ring_open(fd, p->loaded.ring_bytes[i], &s->ring, err);
		if (r < 0)
			return r;
		s->watch = loop_fd_new(p->loop, fd, LOOP_READ, on_full, p);
		if (!s->watch)
			return err_set(err, ENOMEM, "watch the ring");
	}
	return 0;
}

static void list_sensors(struct probe *p)
{
	p->sensor_count = 0;
	for (size_t i = 0; i < p->loaded.sensor_count; i++)
		p->sensor[p->sensor_count++] = (struct probe_sensor){
			.name = sensor_names[i],
			.why_not = p->loaded.sensor[i].why_not,
			.attached = p->loaded.sensor[i].link_fd >= 0,
		};
	for (size_t i = 0; i < p->calls.count; i++) {
		if (p->calls.hook[i].is_absent)
			continue;
		p->sensor[p->sensor_count++] = (struct probe_sensor){
			.name = p->calls.hook[i].name,
			.why_not = p->calls.hook[i].why_not,
			.attached = p->calls.hook[i].link_fd >= 0,
		};
	}
}

int probe_new(struct loop *l, const struct clock *clk, const struct probe_config *cfg,
	      const struct probe_ops *ops, void *arg, struct probe **ret, struct err *err)
{
	uint32_t poll_ms = cfg->poll_ms ? cfg->poll_ms : POLL_DEFAULT_MS;

	if (poll_ms > POLL_MAX_MS)
		return err_set(err, EINVAL, "poll_ms %u", poll_ms);
	CLEANUP(probe_freep) struct probe *p = calloc(1, sizeof(*p));
	if (!p)
		return err_set(err, ENOMEM, "probe");
	p->clk = clk;
	p->loop = l;
	p->mode = cfg->mode;
	p->measure_fd = -1;
	p->calls.counts_fd = -1;
	p->ops = *ops;
	p->arg = arg;
	p->drained_unix_ns = clock_unix_ns(clk);
	int r = loaded_init(cfg, &p->loaded, err);
	if (r < 0)
		return r;
	list_sensors(p);
	r = open_streams(p, err);
	if (r < 0)
		return r;
	p->timer = loop_timer_new(l, on_timer, p);
	if (!p->timer)
		return err_set(err, ENOMEM, "probe's timer");
	p->poll_ms = poll_ms;
	loop_timer_every(p->timer, poll_ms);
	*ret = take_ptr(p);
	return 0;
}

enum probe_mode probe_mode_now(const struct probe *p)
{
	return p->calls.mode;
}

int probe_set_filter(struct probe *p, const struct filter *f, struct err *err)
{
	struct calls next;
	uint32_t generation = p->loaded.reader->generation + 1;

	int r = calls_load(&p->loaded, p->mode, f, generation, &next, err);
	if (r < 0)
		return r;
	r = open_streams(p, err);
	if (r >= 0)
		r = kills_set(&p->loaded, f, err);
	if (r < 0) {
		calls_fini(&next);
		return r;
	}
	__atomic_store_n(&p->loaded.reader->generation, generation, __ATOMIC_SEQ_CST);
	p->misses_before += calls_misses(&p->calls);
	calls_fini(&p->calls);
	p->calls = next;
	list_sensors(p);
	return 0;
}

void probe_mark_cgroup(struct probe *p, uint64_t id, bool is_container)
{
	uint32_t where = is_container ? FILTER_CONTAINER : FILTER_HOST;

	/* Full is impossible: the oldest goes. Should it fail all the same, it passes for both. */
	(void)bpf_map_update_elem(p->loaded.shared_fd[SHARED_CGROUPS], &id, &where, BPF_ANY);
}

void probe_unmark_cgroup(struct probe *p, uint64_t id)
{
	(void)bpf_map_delete_elem(p->loaded.shared_fd[SHARED_CGROUPS], &id); /* none there: as good */
}

static void tell_sensor(struct probe *p, enum sensor_id id,
			void (*fn)(void *arg, const struct probe_hook *h), void *arg)
{
	static const char *const calls[SENSOR_COUNT] = { [SENSOR_EXEC] = "execve execveat",
							 [SENSOR_EXIT] = "procexit",
							 [SENSOR_FORK] = "clone fork vfork" };
	const struct sensor *s = &p->loaded.sensor[id];
	struct probe_hook h = {
		.name = sensor_names[id],
		.calls = calls[id],
		.why_not = s->why_not,
		.attached = s->link_fd >= 0,
	};

	hook_cost(s->prog_fd, &h);
	h.seen = h.passed = h.runs;
	fn(arg, &h);
}

void probe_hooks(struct probe *p, void (*fn)(void *arg, const struct probe_hook *h), void *arg)
{
	for (unsigned i = 0; i < p->loaded.sensor_count; i++)
		tell_sensor(p, i, fn, arg);
	calls_tell(&p->calls, fn, arg);
}

int probe_measure(struct probe *p, bool on, struct err *err)
{
	if (!on) {
		fd_closep(&p->measure_fd);
		p->measure_fd = -1;
		return 0;
	}
	if (p->measure_fd >= 0)
		return 0;
	p->measure_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (p->measure_fd < 0)
		return err_set(err, -p->measure_fd, "measure the hooks");
	return 0;
}

void probe_stats(struct probe *p, struct probe_stats *ret)
{
	*ret = (struct probe_stats){ .sensors = p->sensor, .sensor_count = p->sensor_count };
	p->misses = loaded_misses(&p->loaded) + calls_misses(&p->calls) + p->misses_before;
	for (size_t i = 0; i < EVC_COUNT; i++) {
		struct counters c = sum_counters(p, i);

		ret->class[i].seen = c.seen;
		ret->class[i].submitted = c.submitted;
		ret->class[i].lost = c.lost;
		ret->class[i].delivered = p->stream[i].delivered;
		ret->class[i].malformed = p->stream[i].malformed;
	}
}

void probe_free(struct probe *p)
{
	if (!p)
		return;
	if (p->timer)
		loop_timer_free(p->timer);
	for (size_t i = 0; i < EVC_COUNT; i++) {
		if (p->stream[i].watch)
			loop_fd_free(p->stream[i].watch);
		ring_close(p->stream[i].ring);
	}
	calls_fini(&p->calls);
	loaded_fini(&p->loaded);
	fd_closep(&p->measure_fd);
	free(p);
}
