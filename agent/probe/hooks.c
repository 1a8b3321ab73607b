/* hooks.c - what each program in the kernel costs and lets through. */
#include "agent/probe/probe_priv.h"

#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "agent/bpf/tables.h"
#include "agent/call_names.h"

struct call_count {
	uint64_t seen, passed;
};

void hook_cost(int prog_fd, struct probe_hook *h)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	if (prog_fd < 0 || bpf_obj_get_info_by_fd(prog_fd, &info, &size))
		return;
	h->runs = info.run_cnt;
	h->run_ns = info.run_time_ns;
}

/* The counts that stand first in a struct call_state, of all CPUs. cpus: one value of the map each.
 */
static void add_counts(const char *cpus, size_t cpu_count, size_t value_bytes, size_t call,
		       struct probe_hook *h)
{
	for (size_t i = 0; i < cpu_count; i++) {
		struct call_count n;

		memcpy(&n, cpus + i * value_bytes + call * sizeof(n), sizeof(n));
		h->seen += n.seen;
		h->passed += n.passed;
	}
}

/* *ret: caller frees; NULL when there is nothing to be read. */
static char *read_counts(const struct calls *c, size_t cpu_count, size_t *ret_value_bytes)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info), first = 0;

	if (c->counts_fd < 0 || bpf_obj_get_info_by_fd(c->counts_fd, &info, &size) ||
	    info.value_size < CALLS_MAX * sizeof(struct call_count))
		return NULL;
	*ret_value_bytes = (info.value_size + 7) / 8 * 8;
	char *cpus = calloc(cpu_count, *ret_value_bytes);
	if (cpus && !bpf_map_lookup_elem(c->counts_fd, &first, cpus))
		return cpus;
	free(cpus);
	return NULL;
}

void calls_tell(const struct calls *c, void (*fn)(void *arg, const struct probe_hook *h), void *arg)
{
	int cpus = libbpf_num_possible_cpus();
	size_t cpu_count = cpus > 0 ? (size_t)cpus : 1, value_bytes = 0;
	CLEANUP(freep) char *counts = read_counts(c, cpu_count, &value_bytes);

	for (size_t i = 0; i < c->count; i++) {
		const struct hook *k = &c->hook[i];
		struct probe_hook h = {
			.name = k->name,
			.why_not = k->why_not,
			.attached = k->link_fd >= 0,
		};
		char names[2048];
		size_t n = 0;

		names[0] = 0;
		for (size_t call = 0; call < CALL_COUNT; call++) {
			if (!(k->calls[call / 64] >> call % 64 & 1))
				continue;
			if (counts)
				add_counts(counts, cpu_count, value_bytes, call, &h);
			int r = snprintf(names + n, sizeof(names) - n, "%s%s", n ? " " : "",
					 call_name((enum call)call));
			if (r > 0 && (size_t)r < sizeof(names) - n)
				n += (size_t)r;
		}
		h.calls = names;
		hook_cost(k->prog_fd, &h);
		fn(arg, &h);
	}
}
