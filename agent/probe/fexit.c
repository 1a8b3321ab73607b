/* fexit.c - a program at the end of each wanted call's function. */
#include "agent/probe/each_call.h"

#include <errno.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "agent/call_names.h"

enum { COOKIE_COMPAT = 1 << 8, COOKIE_SOCKETCALL = 1 << 9 }; /* of agent/bpf/fexit.bpf.c */

const char *each_call_name(enum call c)
{
	return c == CALL_UMOUNT2 ? "umount" : call_name(c);
}

#if defined(__x86_64__)
static const struct {
	const char *name;
	enum call call;
} old_i386[] = {
	{"lchown16", CALL_LCHOWN}, {"oldumount", CALL_UMOUNT2},	    {"setuid16", CALL_SETUID},
	{"setgid16", CALL_SETGID}, {"setreuid16", CALL_SETREUID},   {"setregid16", CALL_SETREGID},
	{"fchown16", CALL_FCHOWN}, {"setresuid16", CALL_SETRESUID}, {"setresgid16", CALL_SETRESGID},
	{"chown16", CALL_CHOWN},
};
#endif

static int function_id(const struct btf *kernel, const char *prefix, const char *name)
{
	char symbol[96];

	snprintf(symbol, sizeof(symbol), "%s%s", prefix, name);
	return btf__find_by_name_kind(kernel, symbol, BTF_KIND_FUNC);
}

/* A program that does nothing: whether it may be attached is the answer. */
bool fexit_works(const struct btf *kernel)
{
	static const struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int id = btf__find_by_name_kind(kernel, FEXIT_LIKE, BTF_KIND_FUNC);
	LIBBPF_OPTS(bpf_prog_load_opts, load, .expected_attach_type = BPF_TRACE_FEXIT,
		    .attach_btf_id = (uint32_t)id);
	LIBBPF_OPTS(bpf_link_create_opts, link, .tracing.cookie = 1);

	if (id < 0)
		return false;
	CLEANUP(fd_closep)
	int prog = bpf_prog_load(BPF_PROG_TYPE_TRACING, "nothing", "GPL", nothing,
				 ARRAY_LEN(nothing), &load);
	if (prog < 0)
		return false;
	CLEANUP(fd_closep) int fd = bpf_link_create(prog, 0, BPF_TRACE_FEXIT, &link);
	return fd >= 0;
}

static void attach(const struct bpf_program *entry, int id, uint64_t cookie, struct hook *h)
{
	LIBBPF_OPTS(bpf_prog_load_opts, load, .expected_attach_type = BPF_TRACE_FEXIT,
		    .attach_btf_id = (uint32_t)id);
	LIBBPF_OPTS(bpf_link_create_opts, link, .tracing.cookie = cookie);

	CLEANUP(fd_closep)
	int prog = bpf_prog_load(BPF_PROG_TYPE_TRACING, "on_fexit", "GPL",
				 bpf_program__insns(entry), bpf_program__insn_cnt(entry), &load);
	if (prog < 0) {
		snprintf(h->why_not, sizeof(h->why_not), "load: %s", err_name(-prog));
		return;
	}
	CLEANUP(fd_closep) int fd = bpf_link_create(prog, 0, BPF_TRACE_FEXIT, &link);
	if (fd < 0) {
		snprintf(h->why_not, sizeof(h->why_not), "attach: %s", err_name(-fd));
		return;
	}
	h->prog_fd = take_fd(&prog);
	h->link_fd = take_fd(&fd);
}

static void add(const struct bpf_program *entry, const struct btf *kernel, const char *prefix,
		const char *name, uint32_t call, uint64_t flags, bool is_needed, struct calls *c)
{
	char text[sizeof(c->hook->name)];
	int id = function_id(kernel, prefix, name);

	if ((id < 0 && !is_needed) || c->count == HOOKS_MAX)
		return;
	snprintf(text, sizeof(text), "fexit %s%s", flags & COOKIE_COMPAT ? "32 " : "", name);
	struct hook *h = calls_new_hook(c, text);
	if (call < CALL_COUNT)
		h->calls[call / 64] |= 1ULL << call % 64;
	if (id < 0)
		snprintf(h->why_not, sizeof(h->why_not), "no %s%s in this kernel", prefix, name);
	else
		attach(entry, id, call | flags, h);
}

#if defined(__x86_64__)
/* A call's 32-bit entry: its own function where the arguments differ. */
static void add_32(const struct bpf_program *entry, const struct btf *kernel, const char *name,
		   uint32_t call, uint64_t flags, struct calls *c)
{
	bool has_own = function_id(kernel, "__ia32_compat_sys_", name) >= 0;

	add(entry, kernel, has_own ? "__ia32_compat_sys_" : "__ia32_sys_", name, call,
	    COOKIE_COMPAT | flags, false, c);
}
#endif

int fexit_attach(const struct bpf_program *entry, const struct tables *t, const struct btf *kernel,
		 struct calls *c, struct err *err)
{
	bool has_attached = false;

	for (uint32_t call = 0; call < CALL_COUNT; call++) {
		if (!t->is_hooked[call])
			continue;
		add(entry, kernel, CALL_SYMBOL, each_call_name((enum call)call), call, 0, true, c);
#if defined(__x86_64__)
		add_32(entry, kernel, each_call_name((enum call)call), call, 0, c);
#endif
	}
#if defined(__x86_64__)
	for (size_t i = 0; i < ARRAY_LEN(old_i386); i++)
		if (t->is_hooked[old_i386[i].call])
			add_32(entry, kernel, old_i386[i].name, old_i386[i].call, 0, c);
	if (t->has_socketcall)
		add_32(entry, kernel, "socketcall", 0xff, COOKIE_SOCKETCALL, c);
#endif
	for (size_t i = 0; i < c->count; i++)
		has_attached |= c->hook[i].link_fd >= 0;
	return has_attached ? 0 : err_set(err, ENOTSUP, "attach to the ends of functions");
}
