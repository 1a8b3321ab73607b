/* each_call.h - modes with a hook for each wanted call. */
#pragma once
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "agent/probe/probe_priv.h"
#include "agent/probe/tables.h"

#if defined(__x86_64__)
#define CALL_SYMBOL "__x64_sys_"
#else
#define CALL_SYMBOL "__arm64_sys_"
#endif
/* A call's function whose type is the same as all others'. */
#define FEXIT_LIKE CALL_SYMBOL "close"

/* The name of a call in the kernel's functions and tracepoints. */
const char *each_call_name(enum call c);
/* Whether programs can be attached to the end of functions. */
bool fexit_works(const struct btf *kernel);
/* entry: loaded; its instructions are loaded once more for each function. Adds hooks to c. */
int fexit_attach(const struct bpf_program *entry, const struct tables *t, const struct btf *kernel,
		 struct calls *c, struct err *err) WARN_UNUSED;
int per_call_attach(int prog_fd, const struct tables *t, struct calls *c,
		    struct err *err) WARN_UNUSED;
/* Of calls.c: c has room for one more. */
struct hook *calls_new_hook(struct calls *c, const char *name);
