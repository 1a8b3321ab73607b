/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* plain.bpf.c - calls that say all by their arguments, and programs that could not be started.
 *
 * The credentials and namespaces of the record are those after the call: of setuid, what it made. */
#include "agent/bpf/fd.h"

char LICENSE[] SEC("license") = "GPL";

/* Which argument is a text: a program's path, or a name. */
static __always_inline u64 text_of(const struct call_state *s, u32 call)
{
	if (call == CALL_EXECVE || call == CALL_MEMFD_CREATE || call == CALL_DELETE_MODULE)
		return s->arg[0];
	return call == CALL_EXECVEAT ? s->arg[1] : 0;
}

static __always_inline bool gives_descriptor(u32 call)
{
	return call == CALL_MEMFD_CREATE || call == CALL_USERFAULTFD || call == CALL_IO_URING_SETUP;
}

int family_plain(u32 call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call_state *s = call_state();
	struct scratch *sc = scratch_of(SLOT_CALL);
	bool is_exec = call == CALL_EXECVE || call == CALL_EXECVEAT;

	/* One that succeeded is on_exec's. */
	if (!s || !sc || (is_exec && s->ret >= 0) || !filter_process(s->rows, task))
		return 0;
	struct record_call *r = (void *)sc->data;
	struct given g = { text_of(s, call), s->kernel_name };
	u64 at = fill_call(sc, SLOT_CALL, s, task);
	if (gives_descriptor(call) && s->ret >= 0 && !s->uring)
		r->fd = s->ret;
	if (is_exec)
		at = add_base(sc, at, TEXT_BASE, task,
			      call == CALL_EXECVEAT ? (s32)s->arg[0] : AT_CWD, g);
	at = add_given(sc, at, TEXT_RAW, g, RECORD_RAW_TRUNCATED);
	emit_call(sc, call, at);
	return 0;
}
