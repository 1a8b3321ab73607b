/* hooks.c - what each program in the kernel costs and lets through. */
#include "agent/probe/probe_priv.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "agent/call_names.h"

struct call_count {
	uint64_t seen, passed;
};

void hook_cost(int prog_fd, struct probe_hook *h)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	if (prog_fd < 0 || bpf_obj_get_info_by_fd(prog_fd, &info, &size))
		return;
	h->runs = info.run_cnt;
	h->run_ns = info.run_time_ns;
}

static void add_counts(const struct calls *c, struct call_count *cpu, size_t cpu_count, uint32_t call,
		       struct probe_hook *h)
{
	if (bpf_map_lookup_elem(c->counts_fd, &call, cpu))
		return;
	for (size_t i = 0; i < cpu_count; i++) {
		h->seen += cpu[i].seen;
		h->passed += cpu[i].passed;
	}
}

void calls_tell(const struct calls *c, void (*fn)(void *arg, const struct probe_hook *h), void *arg)
{
	int cpus = libbpf_num_possible_cpus();
	size_t cpu_count = cpus > 0 ? (size_t)cpus : 1;
	CLEANUP(freep) struct call_count *cpu = calloc(cpu_count, sizeof(*cpu));

	for (size_t i = 0; cpu && i < c->count; i++) {
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
			add_counts(c, cpu, cpu_count, (uint32_t)call, &h);
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
