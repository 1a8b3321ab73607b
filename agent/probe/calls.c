/* calls.c - the programs for system calls into the kernel, with one filter as their constants.
 *
 * A new filter is a new load: it is attached beside the one before, which is detached once the new one
 * counts (struct reader's generation). So nothing is lost or told twice in between. */
#include "agent/probe/probe_priv.h"

#include <errno.h>
#include <malloc.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "agent/call_names.h"
#include "agent/probe/tables.h"

#include "calls.skel.h"

DEFINE_CLEANUP(struct calls_bpf, calls_bpf__destroy)

static void calls_finip(struct calls *c)
{
	calls_fini(c);
}

static void set_constants(struct calls_bpf *skel, const struct loaded *l, const struct tables *t,
			  const struct filter *f, uint32_t generation)
{
	struct calls_bpf__rodata *k = skel->rodata;

	for (size_t i = 0; i < EVC_COUNT; i++)
		k->wake_bytes[i] = l->ring_bytes[i] / 4;
	memcpy(k->call_rows, t->call_rows, sizeof(k->call_rows));
	memcpy(k->call_class, t->call_class, sizeof(k->call_class));
	memcpy(k->call_families, t->call_families, sizeof(k->call_families));
	memcpy(k->call_moves, t->call_moves, sizeof(k->call_moves));
	memcpy(k->access_rows, t->access_rows, sizeof(k->access_rows));
	memcpy(k->where_rows, t->where_rows, sizeof(k->where_rows));
	memcpy(k->sock_rows, t->sock_rows, sizeof(k->sock_rows));
	k->comm_all = t->comm_all;
	k->port_all = t->port_all;
	k->path_grams = t->path;
	k->raw_grams = t->raw;
	k->generation = generation;
	k->wants_data = f->wants_data;
	memcpy(k->call_of, t->call_of, sizeof(k->call_of));
	memcpy(k->call_of_socketcall, t->call_of_socketcall, sizeof(k->call_of_socketcall));
}

/* A ring in use is made once and kept; one that is not is a page. */
static int set_rings(struct calls_bpf *skel, struct loaded *l, const struct tables *t,
		     struct err *err)
{
	struct bpf_map *const rings[] = { skel->maps.ring_rare, skel->maps.ring_volume };

	for (size_t i = 0; i < ARRAY_LEN(rings); i++) {
		size_t class = i + EVC_RARE;
		int r = 0;

		if (l->ring_fd[class] >= 0)
			r = bpf_map__reuse_fd(rings[i], l->ring_fd[class]);
		else if (t->has_class[i])
			r = bpf_map__set_max_entries(rings[i], l->ring_bytes[class]);
		else
			r = bpf_map__set_max_entries(rings[i], (uint32_t)sysconf(_SC_PAGESIZE));
		if (r < 0)
			return err_set(err, r, "size a ring");
	}
	return 0;
}

static int share_maps(struct calls_bpf *skel, const struct loaded *l, struct err *err)
{
	struct bpf_map *const maps[SHARED_COUNT] = {
		[SHARED_COUNTERS] = skel->maps.counters,
		[SHARED_READERS] = skel->maps.readers,
		[SHARED_SCRATCHES] = skel->maps.scratches,
		[SHARED_CGROUPS] = skel->maps.cgroups,
	};

	for (size_t i = 0; i < SHARED_COUNT; i++) {
		int r = bpf_map__reuse_fd(maps[i], l->shared_fd[i]);
		if (r < 0)
			return err_set(err, r, "share a map");
	}
	return 0;
}

static int size_maps(struct calls_bpf *skel, const struct filter *f, struct err *err)
{
	size_t comms = 1, ports = 1;

	for (size_t i = 0; i < f->row_count; i++) {
		comms += f->rows[i].comm_count;
		ports += f->rows[i].port_count;
	}
	int r = bpf_map__set_max_entries(skel->maps.comm_rows, (uint32_t)comms);
	if (!r)
		r = bpf_map__set_max_entries(skel->maps.port_rows, (uint32_t)ports);
	return r < 0 ? err_set(err, r, "size the filter's maps") : 0;
}

static int add_bits(int map, const void *key, uint64_t bit)
{
	uint64_t rows = 0;

	(void)bpf_map_lookup_elem(map, key, &rows);
	rows |= bit;
	return bpf_map_update_elem(map, key, &rows, BPF_ANY);
}

static int fill_maps(struct calls_bpf *skel, const struct filter *f, struct err *err)
{
	int comms = bpf_map__fd(skel->maps.comm_rows), ports = bpf_map__fd(skel->maps.port_rows);

	for (size_t i = 0; i < f->row_count; i++) {
		const struct filter_row *row = &f->rows[i];
		for (size_t k = 0; k < row->comm_count; k++) {
			char comm[16] = "";

			(void)slice_copy(slice_of(row->comms[k]), comm, sizeof(comm));
			int r = add_bits(comms, comm, 1ULL << i);
			if (r < 0)
				return err_set(err, r, "fill the filter");
		}
		for (size_t k = 0; k < row->port_count; k++) {
			uint32_t port = row->ports[k];

			int r = add_bits(ports, &port, 1ULL << i);
			if (r < 0)
				return err_set(err, r, "fill the filter");
		}
	}
	return 0;
}

/* Which of the programs the mode and the filter want. */
static bool is_wanted(const char *name, enum probe_mode mode)
{
	if (!strcmp(name, "on_sys_exit"))
		return mode == PROBE_DISPATCH;
	return false;
}

static int load_wanted(struct loaded *l, enum probe_mode mode, const struct filter *f,
		       const struct tables *t, uint32_t generation, struct calls_bpf **ret,
		       struct err *err)
{
	CLEANUP(calls_bpf__destroyp) struct calls_bpf *skel = calls_bpf__open();
	struct bpf_program *prog;

	if (!skel)
		return err_set(err, errno, "open the programs for system calls");
	load_quiet();
	set_constants(skel, l, t, f, generation);
	int r = set_rings(skel, l, t, err);
	if (r >= 0)
		r = share_maps(skel, l, err);
	if (r >= 0)
		r = size_maps(skel, f, err);
	if (r < 0)
		return r;
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, is_wanted(bpf_program__name(prog), mode));
	r = calls_bpf__load(skel);
	if (r < 0)
		return err_set(err, r, "load the programs for system calls (%s)",
			       load_last_message());
	r = fill_maps(skel, f, err);
	if (r < 0)
		return r;
	*ret = take_ptr(skel);
	return 0;
}

static int keep_rings(struct calls_bpf *skel, struct loaded *l, const struct tables *t,
		      struct err *err)
{
	const struct bpf_map *rings[] = { skel->maps.ring_rare, skel->maps.ring_volume };

	for (size_t i = 0; i < ARRAY_LEN(rings); i++) {
		size_t class = i + EVC_RARE;

		if (l->ring_fd[class] >= 0 || !t->has_class[i])
			continue;
		l->ring_fd[class] = load_keep_fd(bpf_map__fd(rings[i]));
		if (l->ring_fd[class] < 0)
			return err_set(err, errno, "keep the ring");
	}
	return 0;
}

static void attach(struct bpf_program *prog, struct hook *h)
{
	struct bpf_link *link = bpf_program__attach(prog);

	if (!link) {
		snprintf(h->why_not, sizeof(h->why_not), "attach: %s", err_name(errno));
		return;
	}
	h->link_fd = load_keep_fd(bpf_link__fd(link));
	h->prog_fd = load_keep_fd(bpf_program__fd(prog));
	if (h->link_fd < 0)
		snprintf(h->why_not, sizeof(h->why_not), "keep: %s", err_name(errno));
	bpf_link__destroy(link);
}

static int add_hooks(struct calls_bpf *skel, const struct tables *t, struct calls *c,
		     struct err *err)
{
	struct bpf_program *prog;

	c->hook = calloc(HOOKS_MAX, sizeof(*c->hook));
	if (!c->hook)
		return err_set(err, ENOMEM, "hooks");
	bpf_object__for_each_program(prog, skel->obj) {
		if (!bpf_program__autoload(prog) || c->count == HOOKS_MAX)
			continue;
		struct hook *h = &c->hook[c->count++];
		h->prog_fd = h->link_fd = -1;
		const char *name = bpf_program__name(prog);
		if (!strncmp(name, "on_", 3))
			name += 3;
		(void)slice_copy(slice_of(name), h->name, sizeof(h->name));
		for (size_t i = 0; i < CALL_COUNT; i++)
			if (t->call_rows[0][i] | t->call_rows[1][i])
				h->calls[i / 64] |= 1ULL << i % 64;
		attach(prog, h);
	}
	return 0;
}

int calls_load(struct loaded *l, enum probe_mode mode, const struct filter *f, uint32_t generation,
	       struct calls *ret, struct err *err)
{
	CLEANUP(freep) struct tables *t = malloc(sizeof(*t));
	CLEANUP(calls_bpf__destroyp) struct calls_bpf *skel = NULL;
	CLEANUP(calls_finip) struct calls c = { .counts_fd = -1, .mode = mode };

	if (!t)
		return err_set(err, ENOMEM, "filter");
	if (c.mode == PROBE_AUTO)
		c.mode = PROBE_DISPATCH;
	tables_fill(f, NULL, t);
	if (t->has_calls) {
		int r = load_wanted(l, c.mode, f, t, generation, &skel, err);
		if (r >= 0)
			r = keep_rings(skel, l, t, err);
		if (r >= 0)
			r = add_hooks(skel, t, &c, err);
		if (r < 0)
			return r;
		c.counts_fd = load_keep_fd(bpf_map__fd(skel->maps.call_counts));
	}
	*ret = c;
	c = (struct calls){ .counts_fd = -1 };
	calls_bpf__destroy(take_ptr(skel));
	malloc_trim(0);
	return 0;
}

uint64_t calls_misses(const struct calls *c)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < c->count; i++) {
		struct bpf_prog_info info = { 0 };
		uint32_t size = sizeof(info);

		if (c->hook[i].prog_fd >= 0 &&
		    !bpf_obj_get_info_by_fd(c->hook[i].prog_fd, &info, &size))
			sum += info.recursion_misses;
	}
	return sum;
}

void calls_fini(struct calls *c)
{
	for (size_t i = 0; i < c->count; i++) {
		fd_closep(&c->hook[i].link_fd);
		fd_closep(&c->hook[i].prog_fd);
	}
	free(c->hook);
	if (c->counts_fd > 0)
		close(c->counts_fd);
	*c = (struct calls){ .counts_fd = -1 };
}
