/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* path.bpf.c - calls that name files and give no descriptor back: the texts as they were given, and
 * the directories that relative ones count from.
 *
 * Read when the call has ended, from the caller's memory: another thread may have changed the text
 * since. What user space makes of it is where the text leads now. */
#include "agent/bpf/fd.h"

char LICENSE[] SEC("license") = "GPL";

enum { NONE = -1, MOUNT_BIND_OR_MOVE = 0x1000 | 0x2000, ARGS = 6 };

/* Which argument is what; dir NONE: the working directory. */
struct place {
	signed char dir, text;
};

static const struct place places[CALLS_MAX] = {
	[CALL_MKDIR] = { NONE, 0 },    [CALL_MKDIRAT] = { 0, 1 },    [CALL_RMDIR] = { NONE, 0 },
	[CALL_UNLINK] = { NONE, 0 },   [CALL_UNLINKAT] = { 0, 1 },   [CALL_CHMOD] = { NONE, 0 },
	[CALL_FCHMODAT] = { 0, 1 },    [CALL_FCHMODAT2] = { 0, 1 },  [CALL_CHOWN] = { NONE, 0 },
	[CALL_LCHOWN] = { NONE, 0 },   [CALL_FCHOWNAT] = { 0, 1 },   [CALL_MKNOD] = { NONE, 0 },
	[CALL_MKNODAT] = { 0, 1 },     [CALL_CHDIR] = { NONE, 0 },   [CALL_CHROOT] = { NONE, 0 },
	[CALL_UMOUNT2] = { NONE, 0 },  [CALL_LINK] = { NONE, 0 },    [CALL_LINKAT] = { 0, 1 },
	[CALL_SYMLINK] = { NONE, 0 },  [CALL_SYMLINKAT] = { NONE, 0 }, [CALL_RENAME] = { NONE, 0 },
	[CALL_RENAMEAT] = { 0, 1 },    [CALL_RENAMEAT2] = { 0, 1 },  [CALL_MOUNT] = { NONE, 0 },
	[CALL_MOVE_MOUNT] = { 0, 1 },  [CALL_PIVOT_ROOT] = { NONE, 0 },
};

static const struct place places2[CALLS_MAX] = {
	[CALL_LINK] = { NONE, 1 },     [CALL_LINKAT] = { 2, 3 },     [CALL_SYMLINK] = { NONE, 1 },
	[CALL_SYMLINKAT] = { 1, 2 },   [CALL_RENAME] = { NONE, 1 },  [CALL_RENAMEAT] = { 2, 3 },
	[CALL_RENAMEAT2] = { 2, 3 },   [CALL_MOUNT] = { NONE, 1 },   [CALL_MOVE_MOUNT] = { 2, 3 },
	[CALL_PIVOT_ROOT] = { NONE, 1 },
};

static __always_inline u64 argument(const struct call_state *s, signed char which)
{
	u32 i = (unsigned char)which;

	KEEP(i);
	return i < ARGS ? s->arg[i] : 0;
}

static __always_inline s32 directory(const struct call_state *s, signed char which)
{
	return which < 0 ? AT_CWD : (s32)argument(s, which);
}

/* A link's target is only text; what is mounted is a path only where nothing new is made of it. */
static __always_inline bool is_path(const struct call_state *s, u32 call)
{
	if (call == CALL_SYMLINK || call == CALL_SYMLINKAT)
		return false;
	return call != CALL_MOUNT || s->arg[3] & MOUNT_BIND_OR_MOVE;
}

/* Where the kernel has gone itself: no text can say it better, and relative ones count from the place
 * before. */
static __always_inline u64 add_new_place(struct scratch *sc, u64 at, const struct call_state *s,
					 u32 call, struct task_struct *task, bool *is_there)
{
	struct fs_struct *fs = task->fs;

	*is_there = !s->ret && fs && (call == CALL_CHDIR || call == CALL_CHROOT);
	if (!*is_there)
		return at;
	return add_resolved(sc, at, TEXT_PATH, call == CALL_CHDIR ? &fs->pwd : &fs->root,
			    RECORD_PATH_TRUNCATED);
}

int family_path(u32 call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call_state *s = call_state();
	struct scratch *sc = scratch_of(SLOT_CALL);

	call &= CALLS_MAX - 1;
	if (!s || !sc || !filter_process(s->rows, task))
		return 0;
	struct place p = places[call];
	struct given g = { argument(s, p.text), s->kernel_name };
	bool is_there;
	u64 at = fill_call(sc, SLOT_CALL, s, task);
	at = add_new_place(sc, at, s, call, task, &is_there);
	if (!is_there)
		at = add_base(sc, at, TEXT_BASE, task, directory(s, p.dir), g);
	at = add_given(sc, at, TEXT_RAW, g, RECORD_RAW_TRUNCATED);
	emit_call(sc, call, at);
	return 0;
}

int family_paths(u32 call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call_state *s = call_state();
	struct scratch *sc = scratch_of(SLOT_CALL);

	call &= CALLS_MAX - 1;
	if (!s || !sc || !filter_process(s->rows, task))
		return 0;
	struct place p = places[call], p2 = places2[call];
	struct given g = { argument(s, p.text), s->kernel_name };
	struct given g2 = { argument(s, p2.text), s->kernel_name2 };
	u64 at = fill_call(sc, SLOT_CALL, s, task);
	if (is_path(s, call))
		at = add_base(sc, at, TEXT_BASE, task, directory(s, p.dir), g);
	at = add_given(sc, at, TEXT_RAW, g, RECORD_RAW_TRUNCATED);
	at = add_given(sc, at, TEXT_RAW2, g2, RECORD_RAW2_TRUNCATED);
	at = add_base(sc, at, TEXT_BASE2, task, directory(s, p2.dir), g2);
	emit_call(sc, call, at);
	return 0;
}
