/* calls.c - the programs for system calls into the kernel, with one filter as their constants.
 *
 * A new filter is a new load: it is attached beside the one before, which is detached once the new
 * one counts (struct reader's generation). So nothing is lost or told twice in between. */
#include "agent/probe/probe_priv.h"

#include <errno.h>
#include <linux/mount.h>
#include <malloc.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "agent/call_names.h"
#include "agent/probe/each_call.h"
#include "agent/probe/tables.h"

#include "calls.skel.h"

DEFINE_CLEANUP(struct calls_bpf, calls_bpf__destroy)
DEFINE_CLEANUP(struct btf, btf__free)

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
	k->raw_binds = t->raw_binds;
	k->generation = generation;
	k->wants_data = f->wants_data;
	k->own_pid = l->own_pid;
	memcpy(k->call_of, t->call_of, sizeof(k->call_of));
	memcpy(k->call_of_socketcall, t->call_of_socketcall, sizeof(k->call_of_socketcall));
}

/* A ring in use is made once and kept; one that is not is a page. */
static int set_rings(struct calls_bpf *skel, struct loaded *l, const struct tables *t,
		     struct err *err)
{
	struct bpf_map *const rings[] = {skel->maps.ring_rare, skel->maps.ring_volume};

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
	struct bpf_map *const maps[] = {
		[SHARED_COUNTERS] = skel->maps.counters,
		[SHARED_READERS] = skel->maps.readers,
		[SHARED_SCRATCHES] = skel->maps.scratches,
		[SHARED_CGROUPS] = skel->maps.cgroups,
	};

	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
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

/* Calls that a program watches beside the entries of the mode. */
static const uint8_t datagrams[] = {CALL_SENDTO, CALL_SENDMSG, CALL_RECVFROM, CALL_RECVMSG};
static const uint8_t by_sending[] = {CALL_CONNECT};
static const uint8_t by_uring[] = {CALL_OPENAT,	  CALL_OPENAT2, CALL_CONNECT,	CALL_ACCEPT4,
				   CALL_SOCKET,	  CALL_BIND,	CALL_LISTEN,	CALL_RENAMEAT2,
				   CALL_UNLINKAT, CALL_MKDIRAT, CALL_SYMLINKAT, CALL_LINKAT};

/* GROUP_MODE: the entries of the mode; the rest is beside any. */
enum group { GROUP_MODE, GROUP_URING, GROUP_DATAGRAMS, GROUP_FAST_OPEN, GROUP_COUNT };

static const struct entry {
	const char *program;
	const char *name;	/* people's */
	const char *tracepoint; /* it must be there; NULL: none is asked for */
	unsigned arguments;	/* of the tracepoint; 0: any */
	enum group group;
	enum probe_mode mode; /* GROUP_MODE */
} entries[] = {
	{"on_sys_exit", "sys_exit", "sys_exit", 0, GROUP_MODE, PROBE_DISPATCH},
	{"on_fexit", "fexit", NULL, 0, GROUP_MODE, PROBE_FEXIT},
	{"on_fexit_open", "fexit", NULL, 0, GROUP_MODE, PROBE_FEXIT},
	{"on_fexit_sock", "fexit", NULL, 0, GROUP_MODE, PROBE_FEXIT},
	{"on_fexit_fd", "fexit", NULL, 0, GROUP_MODE, PROBE_FEXIT},
	{"on_fexit_path", "fexit", NULL, 0, GROUP_MODE, PROBE_FEXIT},
	{"on_fexit_paths", "fexit", NULL, 0, GROUP_MODE, PROBE_FEXIT},
	{"on_fexit_plain", "fexit", NULL, 0, GROUP_MODE, PROBE_FEXIT},
	{"on_per_call", "sys_exit_*", NULL, 0, GROUP_MODE, PROBE_PER_CALL},
	{"on_uring_submit", "io_uring_submit_req", "io_uring_submit_req", 0, GROUP_URING,
	 PROBE_AUTO},
	{"on_uring_submit_sqe", "io_uring_submit_sqe", "io_uring_submit_sqe", 2, GROUP_URING,
	 PROBE_AUTO},
	{"on_uring_complete", "io_uring_complete", "io_uring_complete", 3, GROUP_URING, PROBE_AUTO},
	{"on_uring_complete_res", "io_uring_complete", "io_uring_complete", 7, GROUP_URING,
	 PROBE_AUTO},
	{"on_sendmsg4", "cgroup/sendmsg4", NULL, 0, GROUP_DATAGRAMS, PROBE_AUTO},
	{"on_sendmsg6", "cgroup/sendmsg6", NULL, 0, GROUP_DATAGRAMS, PROBE_AUTO},
	{"on_recvmsg4", "cgroup/recvmsg4", NULL, 0, GROUP_DATAGRAMS, PROBE_AUTO},
	{"on_recvmsg6", "cgroup/recvmsg6", NULL, 0, GROUP_DATAGRAMS, PROBE_AUTO},
	{"on_connect4", "cgroup/connect4", NULL, 0, GROUP_FAST_OPEN, PROBE_AUTO},
	{"on_connect6", "cgroup/connect6", NULL, 0, GROUP_FAST_OPEN, PROBE_AUTO},
};

static const struct entry *entry_of(const char *program)
{
	for (size_t i = 0; i < ARRAY_LEN(entries); i++)
		if (!strcmp(entries[i].program, program))
			return &entries[i];
	return NULL;
}

static bool any_wanted(const struct tables *t, const uint8_t *calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (t->call_rows[0][calls[i]] | t->call_rows[1][calls[i]])
			return true;
	return false;
}

/* How many arguments a tracepoint gives; -1: there is none of that name. */
static int tracepoint_arguments(const struct btf *kernel, const char *name)
{
	char type[96];

	snprintf(type, sizeof(type), "btf_trace_%s", name);
	int id = btf__find_by_name_kind(kernel, type, BTF_KIND_TYPEDEF);
	if (id < 0)
		return -1;
	const struct btf_type *t = btf__type_by_id(kernel, (unsigned)id);
	t = btf__type_by_id(kernel, t->type); /* pointer to */
	t = t ? btf__type_by_id(kernel, t->type) : NULL;
	return t && btf_is_func_proto(t) ? (int)btf_vlen(t) - 1 : -1;
}

/* What is to be loaded. */
struct plan {
	struct loaded *loaded;
	enum probe_mode mode;
	const struct filter *filter;
	const struct tables *tables;
	uint32_t generation;
	char refused[GROUP_COUNT]
		    [160]; /* groups left out because the kernel refused them, and why */
};

/* Whether the mode, the filter and the kernel want this program. */
static bool is_wanted(const struct entry *e, const struct plan *p, const struct btf *kernel)
{
	const struct tables *t = p->tables;

	if (!e)
		return false;
	if (e->group == GROUP_MODE && (p->mode != e->mode || !t->has_hooked))
		return false;
	if (e->group == GROUP_URING && !any_wanted(t, by_uring, ARRAY_LEN(by_uring)))
		return false;
	if (e->group == GROUP_DATAGRAMS &&
	    (p->filter->wants_data || !any_wanted(t, datagrams, ARRAY_LEN(datagrams))))
		return false;
	if (e->group == GROUP_FAST_OPEN && !any_wanted(t, by_sending, ARRAY_LEN(by_sending)))
		return false;
	if (!e->tracepoint)
		return true;
	int n = tracepoint_arguments(kernel, e->tracepoint);
	return n >= 0 && (!e->arguments || (unsigned)n == e->arguments);
}

/* The programs of the groups that are not refused. */
static int load_groups(const struct plan *p, const struct btf *kernel, struct calls_bpf **ret,
		       struct err *err)
{
	CLEANUP(calls_bpf__destroyp) struct calls_bpf *skel = calls_bpf__open();
	struct bpf_program *prog;

	if (!skel)
		return err_set(err, errno, "open the programs for system calls");
	load_quiet();
	set_constants(skel, p->loaded, p->tables, p->filter, p->generation);
	int r = set_rings(skel, p->loaded, p->tables, err);
	if (r >= 0)
		r = share_maps(skel, p->loaded, err);
	if (r >= 0)
		r = size_maps(skel, p->filter, err);
	if (r < 0)
		return r;
	bpf_object__for_each_program(prog, skel->obj)
	{
		const struct entry *e = entry_of(bpf_program__name(prog));

		bool wanted = is_wanted(e, p, kernel) && !p->refused[e->group][0];
		bpf_program__set_autoload(prog, wanted);
		if (wanted && e->mode == PROBE_FEXIT) {
			r = bpf_program__set_attach_target(prog, 0, FEXIT_LIKE);
			if (r < 0)
				return err_set(err, r, "no %s in the kernel's types", FEXIT_LIKE);
		}
	}
	r = calls_bpf__load(skel);
	if (r < 0)
		return err_set(err, r, "load the programs for system calls (%s)",
			       load_last_message());
	r = fill_maps(skel, p->filter, err);
	if (r < 0)
		return r;
	*ret = take_ptr(skel);
	return 0;
}

/* One program that this kernel refuses makes libbpf refuse all: go without its group. */
static int load_wanted(struct plan *p, const struct btf *kernel, struct calls_bpf **ret,
		       struct err *err)
{
	int r = load_groups(p, kernel, ret, err);
	for (unsigned refused = GROUP_COUNT - 1; r < 0 && refused > GROUP_MODE; refused--) {
		struct err why = *err;

		(void)slice_copy(slice_of(load_last_message()), p->refused[refused],
				 sizeof(p->refused[refused]));
		r = load_groups(p, kernel, ret, err);
		if (r < 0) {
			p->refused[refused][0] = 0;
			*err = why;
		}
	}
	return r;
}

static int keep_rings(struct calls_bpf *skel, struct loaded *l, const struct tables *t,
		      struct err *err)
{
	const struct bpf_map *rings[] = {skel->maps.ring_rare, skel->maps.ring_volume};

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

/* The root of the cgroups, wherever it is mounted or not. */
static int open_cgroups(void)
{
	CLEANUP(fd_closep) int fs = (int)syscall(SYS_fsopen, "cgroup2", FSOPEN_CLOEXEC);

	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
}

static struct bpf_link *attach_program(struct bpf_program *prog, const struct entry *e)
{
	if (e->group != GROUP_DATAGRAMS && e->group != GROUP_FAST_OPEN)
		return bpf_program__attach(prog);
	CLEANUP(fd_closep) int root = open_cgroups();
	return root < 0 ? NULL : bpf_program__attach_cgroup(prog, root);
}

static void attach(struct bpf_program *prog, const struct entry *e, struct hook *h)
{
	struct bpf_link *link = attach_program(prog, e);

	if (!link && errno == ENOENT && e->mode == PROBE_PER_CALL) {
		h->is_absent = true;
		snprintf(h->why_not, sizeof(h->why_not), "this kernel has no such call");
		return;
	}
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

static void add_call(struct hook *h, size_t call)
{
	h->calls[call / 64] |= 1ULL << call % 64;
}

/* The entries of modes with a hook for each call. */
static int add_each_call(struct calls_bpf *skel, const struct plan *p, const struct btf *kernel,
			 struct calls *c, struct err *err)
{
	if (!p->tables->has_hooked)
		return 0;
	if (p->mode == PROBE_PER_CALL)
		return per_call_attach(bpf_program__fd(skel->progs.on_per_call), p->tables, c, err);
	if (p->mode != PROBE_FEXIT)
		return 0;
	const struct bpf_program *const families[FAMILY_COUNT] = {
		[FAMILY_EXEC] = skel->progs.on_fexit_plain,
		[FAMILY_OPEN] = skel->progs.on_fexit_open,
		[FAMILY_SOCK] = skel->progs.on_fexit_sock,
		[FAMILY_FD] = skel->progs.on_fexit_fd,
		[FAMILY_PATH] = skel->progs.on_fexit_path,
		[FAMILY_PATHS] = skel->progs.on_fexit_paths,
		[FAMILY_PLAIN] = skel->progs.on_fexit_plain,
	};
	for (uint32_t i = 0; i < FAMILY_COUNT; i++) {
		int fd = bpf_program__fd(families[i]);
		int r = bpf_map_update_elem(bpf_map__fd(skel->maps.family_programs), &i, &fd,
					    BPF_ANY);
		if (r < 0)
			return err_set(err, r, "join the programs of families");
	}
	/* Their array lives as long as a program that uses it, but it is emptied when its last
	 * descriptor goes. */
	c->keep_fd = load_keep_fd(bpf_map__fd(skel->maps.family_programs));
	return fexit_attach(skel->progs.on_fexit, p->tables, kernel, c, err);
}

static void add_calls(struct hook *h, const struct entry *e, const struct tables *t)
{
	for (size_t i = 0; e->group == GROUP_MODE && i < CALL_COUNT; i++)
		if (t->call_rows[0][i] | t->call_rows[1][i])
			add_call(h, i);
	for (size_t i = 0; e->group == GROUP_URING && i < ARRAY_LEN(by_uring); i++)
		if (any_wanted(t, &by_uring[i], 1))
			add_call(h, by_uring[i]);
	for (size_t i = 0; e->group == GROUP_DATAGRAMS && i < ARRAY_LEN(datagrams); i++)
		if (any_wanted(t, &datagrams[i], 1))
			add_call(h, datagrams[i]);
	if (e->group == GROUP_FAST_OPEN)
		add_call(h, CALL_CONNECT);
}

struct hook *calls_new_hook(struct calls *c, const char *name)
{
	struct hook *h = &c->hook[c->count++];

	h->prog_fd = h->link_fd = -1;
	(void)slice_copy(slice_of(name), h->name, sizeof(h->name));
	return h;
}

static int add_hooks(struct calls_bpf *skel, const struct plan *p, struct calls *c, struct err *err)
{
	struct bpf_program *prog;

	c->hook = calloc(HOOKS_MAX, sizeof(*c->hook));
	if (!c->hook)
		return err_set(err, ENOMEM, "hooks");
	bpf_object__for_each_program(prog, skel->obj)
	{
		const struct entry *e = entry_of(bpf_program__name(prog));

		if (!e || !bpf_program__autoload(prog) || c->count == HOOKS_MAX ||
		    e->mode == PROBE_FEXIT || e->mode == PROBE_PER_CALL)
			continue;
		struct hook *h = calls_new_hook(c, e->name);
		add_calls(h, e, p->tables);
		attach(prog, e, h);
	}
	for (size_t i = 0; i < ARRAY_LEN(entries) && c->count < HOOKS_MAX; i++) {
		if (!p->refused[entries[i].group][0] ||
		    (c->count && !strcmp(c->hook[c->count - 1].name, entries[i].name)))
			continue;
		struct hook *h = calls_new_hook(c, entries[i].name);
		add_calls(h, &entries[i], p->tables);
		(void)slice_copy(slice_of(p->refused[entries[i].group]), h->why_not,
				 sizeof(h->why_not));
	}
	return 0;
}

static int add_all(struct calls_bpf *skel, const struct plan *p, const struct btf *kernel,
		   struct calls *c, struct err *err)
{
	int r = keep_rings(skel, p->loaded, p->tables, err);

	if (r >= 0)
		r = add_hooks(skel, p, c, err);
	if (r >= 0)
		r = add_each_call(skel, p, kernel, c, err);
	c->counts_fd = load_keep_fd(bpf_map__fd(skel->maps.call_states));
	return r;
}

/* A kernel that refuses the entry itself: no calls, and the reason for people. */
static int add_refusal(const struct plan *p, const char *why, struct calls *c, struct err *err)
{
	c->hook = calloc(1, sizeof(*c->hook));
	if (!c->hook)
		return err_set(err, ENOMEM, "hooks");
	struct hook *h = calls_new_hook(c, p->mode == PROBE_DISPATCH ? "sys_exit"
								     : probe_mode_name(p->mode));
	for (size_t i = 0; i < CALL_COUNT; i++)
		if (p->tables->call_rows[0][i] | p->tables->call_rows[1][i])
			add_call(h, i);
	(void)slice_copy(slice_of(why), h->why_not, sizeof(h->why_not));
	return 0;
}

int calls_load(struct loaded *l, enum probe_mode mode, const struct filter *f, uint32_t generation,
	       struct calls *ret, struct err *err)
{
	CLEANUP(freep) struct tables *t = malloc(sizeof(*t));
	CLEANUP(calls_bpf__destroyp) struct calls_bpf *skel = NULL;
	CLEANUP(calls_finip) struct calls c = {.counts_fd = -1, .keep_fd = -1, .mode = mode};

	if (!t)
		return err_set(err, ENOMEM, "filter");
	bool hooked[CALL_COUNT] = {0};
	for (size_t i = 0; !f->wants_data && i < ARRAY_LEN(datagrams); i++)
		hooked[datagrams[i]] = true;
	tables_fill(f, hooked, t);
	if (t->has_calls) {
		struct plan p = {.loaded = l,
				 .mode = c.mode,
				 .filter = f,
				 .tables = t,
				 .generation = generation};
		CLEANUP(btf__freep) struct btf *kernel = btf__load_vmlinux_btf();
		if (!kernel)
			return err_set(err, errno, "read the kernel's types");
		if (mode == PROBE_AUTO)
			p.mode = fexit_works(kernel) ? PROBE_FEXIT : PROBE_DISPATCH;
		struct err why = {0};
		int r = load_wanted(&p, kernel, &skel, &why);
		if (r < 0 && mode == PROBE_AUTO && p.mode == PROBE_FEXIT) {
			p.mode = PROBE_DISPATCH;
			r = load_wanted(&p, kernel, &skel, &why);
		}
		c.mode = p.mode;
		r = skel ? add_all(skel, &p, kernel, &c, err) : add_refusal(&p, why.msg, &c, err);
		if (r < 0)
			return r;
	}
	*ret = c;
	c = (struct calls){.counts_fd = -1, .keep_fd = -1};
	calls_bpf__destroy(take_ptr(skel));
	malloc_trim(0);
	return 0;
}

uint64_t calls_misses(const struct calls *c)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < c->count; i++) {
		struct bpf_prog_info info = {0};
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
	if (c->keep_fd > 0)
		close(c->keep_fd);
	*c = (struct calls){.counts_fd = -1, .keep_fd = -1};
}
