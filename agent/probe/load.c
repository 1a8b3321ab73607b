/* load.c - the sensors into the kernel: open, set the knobs, load, attach, keep the descriptors. */
#include "agent/probe/probe_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "common/bpf_said.h"
#include "picket.skel.h"

DEFINE_CLEANUP(struct picket_bpf, picket_bpf__destroy)

enum { RING_DEFAULT = 1 << 20, RING_MIN = 64 << 10, RING_MAX = 64 << 20 };

static struct bpf_said said;

static int keep_message(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return bpf_said_keep(&said, level, fmt, ap);
}

void load_quiet(void)
{
	said = (struct bpf_said){ 0 };
	libbpf_set_print(keep_message);
}

const char *load_last_message(void)
{
	return said.why;
}

static struct bpf_program *program_of(struct picket_bpf *skel, enum sensor_id id)
{
	struct bpf_program *const programs[SENSOR_COUNT] = {
		[SENSOR_EXEC] = skel->progs.on_exec,
		[SENSOR_EXIT] = skel->progs.on_exit,
		[SENSOR_FORK] = skel->progs.on_fork,
	};

	return programs[id];
}

static int choose_rings(const struct probe_config *cfg, struct loaded *l, struct err *err)
{
	for (size_t i = 0; i < EVC_COUNT; i++) {
		uint32_t bytes = cfg->ring_bytes[i] ? cfg->ring_bytes[i] : RING_DEFAULT;

		if (bytes < RING_MIN || bytes > RING_MAX || bytes & (bytes - 1))
			return err_set(err, EINVAL, "ring of %u bytes", bytes);
		l->ring_bytes[i] = bytes;
	}
	return 0;
}

static int set_rings(struct picket_bpf *skel, const struct loaded *l, struct err *err)
{
	for (size_t i = 0; i < EVC_COUNT; i++)
		skel->rodata->wake_bytes[i] = l->ring_bytes[i] / 4;
	/* No program of processes uses the other two: calls.c makes them. */
	bpf_map__set_autocreate(skel->maps.ring_rare, false);
	bpf_map__set_autocreate(skel->maps.ring_volume, false);
	int r = bpf_map__set_max_entries(skel->maps.ring_process, l->ring_bytes[EVC_PROCESS]);
	if (!r)
		r = bpf_map__set_max_entries(skel->maps.counters,
					     (uint32_t)l->cpu_count * CLASS_COUNT);
	return r ? err_set(err, r, "size the probe's maps") : 0;
}

/* The sensors of the mask (bit = sensor) loaded into the kernel. */
static int load_mask(const struct loaded *l, unsigned mask, struct picket_bpf **ret,
		     struct err *err)
{
	CLEANUP(picket_bpf__destroyp) struct picket_bpf *skel = picket_bpf__open();
	if (!skel)
		return err_set(err, errno, "open the probe's programs");

	int r = set_rings(skel, l, err);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < SENSOR_COUNT; i++)
		bpf_program__set_autoload(program_of(skel, i), mask >> i & 1);
	r = picket_bpf__load(skel);
	if (r == -EPERM)
		return err_set(err, r, "load the probe: CAP_BPF and CAP_PERFMON are needed");
	if (r < 0)
		return err_set(err, r, "load the probe (%s)", said.why);
	*ret = take_ptr(skel);
	return 0;
}

/* One program that this kernel refuses makes libbpf refuse all: find out which, load the rest. */
static int load_what_goes(struct loaded *l, struct picket_bpf **ret, struct err *err)
{
	unsigned mask = (1U << l->sensor_count) - 1, good = 0;

	int r = load_mask(l, mask, ret, err);
	if (r >= 0 || r == -EPERM)
		return r;
	for (unsigned i = 0; i < l->sensor_count; i++) {
		CLEANUP(picket_bpf__destroyp) struct picket_bpf *one = NULL;
		struct err e = { 0 };

		load_quiet();
		if (load_mask(l, 1U << i, &one, &e) >= 0)
			good |= 1U << i;
		else
			(void)slice_copy(slice_of(e.msg), l->sensor[i].why_not,
					 sizeof(l->sensor[i].why_not));
	}
	return good ? load_mask(l, good, ret, err) : r;
}

int load_keep_fd(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static void attach(struct picket_bpf *skel, struct loaded *l, enum sensor_id id)
{
	struct sensor *s = &l->sensor[id];

	if (s->why_not[0])
		return;
	struct bpf_link *link = bpf_program__attach(program_of(skel, id));
	if (!link) {
		snprintf(s->why_not, sizeof(s->why_not), "attach: %s", err_name(errno));
		return;
	}
	s->link_fd = load_keep_fd(bpf_link__fd(link));
	s->prog_fd = load_keep_fd(bpf_program__fd(program_of(skel, id)));
	if (s->link_fd < 0)
		snprintf(s->why_not, sizeof(s->why_not), "keep: %s", err_name(errno));
	bpf_link__destroy(link); /* detaches only if ours was not kept */
}

static int map_counters(struct picket_bpf *skel, struct loaded *l, struct err *err)
{
	size_t bytes = l->cpu_count * CLASS_COUNT * sizeof(*l->counters);
	void *p = mmap(NULL, bytes, PROT_READ, MAP_SHARED, bpf_map__fd(skel->maps.counters), 0);

	if (p == MAP_FAILED)
		return err_set(err, errno, "map the probe's counters");
	l->counters = p;
	p = mmap(NULL, sizeof(*l->reader), PROT_READ | PROT_WRITE, MAP_SHARED,
		 bpf_map__fd(skel->maps.readers), 0);
	if (p == MAP_FAILED)
		return err_set(err, errno, "map the probe's reader");
	l->reader = p;
	return 0;
}

int loaded_init(const struct probe_config *cfg, struct loaded *l, struct err *err)
{
	CLEANUP(picket_bpf__destroyp) struct picket_bpf *skel = NULL;
	int cpus = libbpf_num_possible_cpus();

	*l = (struct loaded){ .own_pid = cfg->own_pid,
			      .sensor_count = cfg->with_fork ? SENSOR_COUNT : SENSOR_FORK,
			      .cpu_count = cpus > 0 ? (size_t)cpus : 1 };
	for (size_t i = 0; i < SENSOR_COUNT; i++)
		l->sensor[i].prog_fd = l->sensor[i].link_fd = -1;
	for (size_t i = 0; i < EVC_COUNT; i++)
		l->ring_fd[i] = -1;
	for (size_t i = 0; i < SHARED_COUNT; i++)
		l->shared_fd[i] = -1;
	if (access("/sys/kernel/btf/vmlinux", R_OK) < 0)
		return err_set(err, ENOTSUP, "no type information of the kernel (BTF)");
	load_quiet();

	int r = choose_rings(cfg, l, err);
	if (r >= 0)
		r = load_what_goes(l, &skel, err);
	if (r < 0)
		return r;
	r = map_counters(skel, l, err);
	if (r < 0)
		return r;
	l->ring_fd[EVC_PROCESS] = load_keep_fd(bpf_map__fd(skel->maps.ring_process));
	if (l->ring_fd[EVC_PROCESS] < 0)
		return err_set(err, errno, "keep the ring");
	const struct bpf_map *shared[SHARED_COUNT] = {
		[SHARED_COUNTERS] = skel->maps.counters,
		[SHARED_READERS] = skel->maps.readers,
		[SHARED_SCRATCHES] = skel->maps.scratches,
		[SHARED_CGROUPS] = skel->maps.cgroups,
		[SHARED_KILLS] = skel->maps.kill_rows,
	};
	for (size_t i = 0; i < SHARED_COUNT; i++) {
		l->shared_fd[i] = load_keep_fd(bpf_map__fd(shared[i]));
		if (l->shared_fd[i] < 0)
			return err_set(err, errno, "keep a map");
	}
	bool is_any = false;
	for (unsigned i = 0; i < l->sensor_count; i++) {
		attach(skel, l, i);
		is_any |= l->sensor[i].link_fd >= 0;
	}
	if (!is_any)
		return err_set(err, ENOTSUP, "no sensor attached (%s)", l->sensor[0].why_not);
	picket_bpf__destroy(take_ptr(skel));
	/* Relocation read the kernel's 5 MB of type information; give that back. */
	malloc_trim(0);
	return 0;
}

uint64_t loaded_misses(const struct loaded *l)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < l->sensor_count; i++) {
		struct bpf_prog_info info = { 0 };
		uint32_t size = sizeof(info);

		if (l->sensor[i].prog_fd >= 0 &&
		    !bpf_obj_get_info_by_fd(l->sensor[i].prog_fd, &info, &size))
			sum += info.recursion_misses;
	}
	return sum;
}

void loaded_fini(struct loaded *l)
{
	for (size_t i = 0; i < SENSOR_COUNT; i++) {
		fd_closep(&l->sensor[i].link_fd);
		fd_closep(&l->sensor[i].prog_fd);
	}
	for (size_t i = 0; i < EVC_COUNT; i++)
		fd_closep(&l->ring_fd[i]);
	for (size_t i = 0; i < SHARED_COUNT; i++)
		fd_closep(&l->shared_fd[i]);
	if (l->counters)
		munmap(l->counters, l->cpu_count * CLASS_COUNT * sizeof(*l->counters));
	if (l->reader)
		munmap(l->reader, sizeof(*l->reader));
	l->counters = NULL;
	l->reader = NULL;
}
