/* live_process.c - proc.*: the process of the event and its ancestors in the tree; what only /proc can
 * tell is in live_status.c. */
#include "agent/rules/live_priv.h"

enum { LEVELS_MAX = 64 };

static bool is_exec(const struct live_query *q)
{
	return q->live->event->type == EV_EXEC;
}

const struct proc *live_self(const struct live_query *q)
{
	return world_proc_of(q->live->world, live_process(q));
}

/* Level 0 is the process itself. NULL: not known. */
static const struct proc *ancestor(const struct live_query *q, unsigned level)
{
	const struct proc *p = live_self(q);

	return p && level ? world_ancestor(q->live->world, p, level) : p;
}

/* What the event says, or else what the tree kept: an exit has no arguments. */
static struct slice either(struct slice event, const struct proc *p, struct slice kept)
{
	return event.n || !p ? event : kept;
}

struct slice live_argv0(const struct live_query *q)
{
	const struct proc *p = live_self(q);

	return either(live_process(q)->argv0, p, p ? p->argv0 : SLICE_NONE);
}

/* A program without arguments has none, whatever it was before. */
struct slice live_arguments(const struct live_query *q)
{
	const struct proc *p = live_self(q);

	return is_exec(q) ? live_process(q)->args : either(live_process(q)->args, p, p ? p->args : SLICE_NONE);
}

struct slice live_exe(const struct live_query *q)
{
	const struct proc *p = live_self(q);

	return either(live_process(q)->exe, p, p ? p->exe : SLICE_NONE);
}

struct slice live_cwd(const struct live_query *q)
{
	const struct proc *p = live_self(q);

	return either(live_process(q)->cwd, p, p ? p->cwd : SLICE_NONE);
}

/* "name args", as Falco's command lines are: not argv[0]. */
static struct slice command_line(struct arena *scratch, struct slice name, struct slice pieces)
{
	struct slice args = live_joined(scratch, pieces);
	char *line = args.n ? arena_alloc(scratch, name.n + args.n + 1) : NULL;

	if (!line)
		return name;
	char *at = mempcpy(line, name.n ? name.p : "", name.n);
	*at++ = ' ';
	memcpy(at, args.p, args.n);
	return slice_from(line, name.n + args.n + 1);
}

/* ---- texts that the process, its parent and its ancestors have ---- */

typedef struct slice (*text_of)(struct arena *scratch, const struct proc *p);

static struct slice name_of(struct arena *scratch, const struct proc *p)
{
	return p->name;
}

static struct slice exe_of(struct arena *scratch, const struct proc *p)
{
	return p->argv0;
}

static struct slice exepath_of(struct arena *scratch, const struct proc *p)
{
	return p->exe;
}

static struct slice args_of(struct arena *scratch, const struct proc *p)
{
	return live_joined(scratch, p->args);
}

static struct slice cmdline_of(struct arena *scratch, const struct proc *p)
{
	return command_line(scratch, p->name, p->args);
}

static bool self_text(const struct live_query *q, text_of fn, struct rules_value *ret)
{
	struct proc now = { .name = live_process(q)->name,
			    .exe = live_exe(q),
			    .argv0 = live_argv0(q),
			    .args = live_arguments(q) };

	return live_str(ret, fn(q->scratch, &now));
}

static bool parent_text(const struct live_query *q, text_of fn, struct rules_value *ret)
{
	const struct proc *p = ancestor(q, 1);

	if (p)
		return live_str(ret, fn(q->scratch, p));
	return fn == name_of && live_str(ret, live_process(q)->parent_name);
}

/* [n]: that level; without: all ancestors, the parent first. */
static bool ancestor_text(const struct live_query *q, text_of fn, struct rules_value *ret)
{
	if (q->index == 0)
		return self_text(q, fn, ret);
	if (q->index == 1)
		return parent_text(q, fn, ret);
	if (q->index > 1) {
		const struct proc *p = ancestor(q, (unsigned)q->index);

		return p && live_str(ret, fn(q->scratch, p));
	}
	struct slice *all = arena_alloc(q->scratch, LEVELS_MAX * sizeof(*all));
	if (!all)
		return false;
	for (unsigned level = 1; level < LEVELS_MAX; level++) {
		const struct proc *p = ancestor(q, level);
		struct slice s = p ? fn(q->scratch, p) : level == 1 && fn == name_of ?
				     live_process(q)->parent_name : SLICE_NONE;

		if (s.n)
			all[ret->list_count++] = s;
		if (!p)
			break;
	}
	ret->list = all;
	return ret->list_count;
}

#define TEXT(field, fn)                                                                            \
	static bool proc_##field(const struct live_query *q, struct rules_value *ret)              \
	{                                                                                          \
		return self_text(q, fn, ret);                                                      \
	}                                                                                          \
	static bool proc_p##field(const struct live_query *q, struct rules_value *ret)             \
	{                                                                                          \
		return parent_text(q, fn, ret);                                                    \
	}                                                                                          \
	static bool proc_a##field(const struct live_query *q, struct rules_value *ret)             \
	{                                                                                          \
		return ancestor_text(q, fn, ret);                                                  \
	}
TEXT(name, name_of)
TEXT(exe, exe_of)
TEXT(exepath, exepath_of)
TEXT(cmdline, cmdline_of)

static bool proc_aargs(const struct live_query *q, struct rules_value *ret)
{
	return ancestor_text(q, args_of, ret);
}

/* The arguments as text and, each for itself, as list; [n]: one of them. */
static bool proc_args(const struct live_query *q, struct rules_value *ret)
{
	struct slice pieces = live_arguments(q);
	struct slice rest = pieces, part;
	size_t count = 0, n = 0;

	for (size_t i = 0; i < pieces.n; i++)
		count += !pieces.p[i];
	struct slice *all = arena_alloc(q->scratch, (count + 1) * sizeof(*all));
	if (!all)
		return false;
	while (rest.n && slice_split(&rest, 0, &part))
		all[n++] = part;
	if (q->index >= 0)
		return (size_t)q->index < n && live_str(ret, all[q->index]);
	ret->list = all;
	ret->list_count = n;
	ret->str = live_joined(q->scratch, pieces);
	/* A program without arguments has empty ones: rules ask proc.args="". */
	if (!ret->str.p)
		ret->str = SLICE_LIT("");
	return true;
}

static bool proc_cmdnargs(const struct live_query *q, struct rules_value *ret)
{
	if (!proc_args(q, ret))
		return false;
	return live_num(ret, (int64_t)ret->list_count);
}

static bool proc_cmdlenargs(const struct live_query *q, struct rules_value *ret)
{
	int64_t n = 0;

	if (!proc_args(q, ret))
		return false;
	for (size_t i = 0; i < ret->list_count; i++)
		n += (int64_t)ret->list[i].n;
	return live_num(ret, n);
}

static bool proc_exeline(const struct live_query *q, struct rules_value *ret)
{
	return live_str(ret, command_line(q->scratch, live_argv0(q), live_arguments(q)));
}

static bool proc_cwd(const struct live_query *q, struct rules_value *ret)
{
	struct slice cwd = live_cwd(q);

	if (!cwd.n || slice_ends(cwd, SLICE_LIT("/")))
		return live_str(ret, cwd);
	return live_str(ret, slice_of(arena_printf(q->scratch, "%.*s/", SLICE_FMT(cwd))));
}

static bool proc_env(const struct live_query *q, struct rules_value *ret)
{
	struct slice rest = live_process(q)->env, part;

	if (!q->arg.n)
		return live_str(ret, live_joined(q->scratch, rest));
	while (rest.n && slice_split(&rest, 0, &part))
		if (part.n > q->arg.n && part.p[q->arg.n] == '=' && slice_starts(part, q->arg)) {
			ret->str = slice_sub(part, q->arg.n + 1, part.n);
			if (!ret->str.p)
				ret->str = SLICE_LIT("");
			return true;
		}
	return false;
}

struct slice live_exec_flags(struct arena *scratch, const struct event_process *p)
{
	const char *s = arena_printf(scratch, "%s%s%s%s", p->exe_writable ? "|EXE_WRITABLE" : "",
				     p->exe_upper_layer ? "|EXE_UPPER_LAYER" : "",
				     p->exe_lower_layer ? "|EXE_LOWER_LAYER" : "",
				     p->exe_from_memfd ? "|EXE_FROM_MEMFD" : "");

	return slice_of(s && *s ? s + 1 : "");
}

/* Only [0], the process itself: of others no environment is kept. */
static bool proc_aenv(const struct live_query *q, struct rules_value *ret)
{
	return q->index == 0 && live_str(ret, live_joined(q->scratch, live_process(q)->env));
}

/* ---- numbers ---- */

#define NUMBER(field, expr)                                                                        \
	static bool proc_##field(const struct live_query *q, struct rules_value *ret)              \
	{                                                                                          \
		const struct event_process *p = live_process(q);                                   \
		return live_num(ret, (int64_t)(expr));                                             \
	}
NUMBER(pid, p->pid)
NUMBER(ppid, p->ppid)
NUMBER(vpid, p->vpid)
NUMBER(tid, p->tid)
NUMBER(is_main, p->tid == p->pid)
NUMBER(sid, p->session_id)
NUMBER(pgid, p->group_id)
NUMBER(tty, p->tty)
NUMBER(is_sid_leader, p->session_id == p->pid)
NUMBER(is_group_leader, p->group_id == p->pid)

/* The file it runs: of the exec, else what the tree kept of it. NULL: not known. */
static const struct proc *exe_file(const struct live_query *q, struct proc *room)
{
	const struct event_process *e = live_process(q);
	const struct proc *p;

	if (!is_exec(q)) {
		p = live_self(q);
		return p && p->exe_inode ? p : NULL;
	}
	*room = (struct proc){ .exe_inode = e->exe_inode,
			       .exe_ctime_ns = e->exe_ctime_ns,
			       .exe_mtime_ns = e->exe_mtime_ns,
			       .exe_upper_layer = e->exe_upper_layer,
			       .exe_lower_layer = e->exe_lower_layer,
			       .exe_from_memfd = e->exe_from_memfd,
			       .exe_writable = e->exe_writable };
	return room;
}

#define OF_FILE(field, expr)                                                                       \
	static bool proc_##field(const struct live_query *q, struct rules_value *ret)              \
	{                                                                                          \
		struct proc room;                                                                  \
		const struct proc *p = exe_file(q, &room);                                         \
		return p && live_num(ret, (int64_t)(expr));                                        \
	}
OF_FILE(is_exe_writable, p->exe_writable)
OF_FILE(is_exe_upper_layer, p->exe_upper_layer)
OF_FILE(is_exe_lower_layer, p->exe_lower_layer)
OF_FILE(is_exe_from_memfd, p->exe_from_memfd)
OF_FILE(exe_ino, p->exe_inode)
OF_FILE(exe_ctime, p->exe_ctime_ns)
OF_FILE(exe_mtime, p->exe_mtime_ns)

/* Unix time of a moment in boot time. */
static int64_t unix_of(const struct event *e, uint64_t boot_ns)
{
	return (int64_t)(e->unix_ns - (e->boot_ns - boot_ns));
}

static bool proc_pid_ts(const struct live_query *q, struct rules_value *ret)
{
	return live_num(ret, unix_of(q->live->event, live_process(q)->start_ns));
}

static bool proc_ppid_ts(const struct live_query *q, struct rules_value *ret)
{
	uint64_t start = live_process(q)->parent_start_ns;

	return start && live_num(ret, unix_of(q->live->event, start));
}

static bool proc_duration(const struct live_query *q, struct rules_value *ret)
{
	return live_num(ret, (int64_t)(q->live->event->boot_ns - live_process(q)->start_ns));
}

static bool proc_ppid_duration(const struct live_query *q, struct rules_value *ret)
{
	uint64_t start = live_process(q)->parent_start_ns;

	return start && live_num(ret, (int64_t)(q->live->event->boot_ns - start));
}

/* Negative where the file is younger than the process. */
static bool proc_ctime_age(const struct live_query *q, struct rules_value *ret)
{
	struct proc room;
	const struct proc *p = exe_file(q, &room);
	int64_t start = unix_of(q->live->event, live_process(q)->start_ns);

	return p && p->exe_ctime_ns && live_num(ret, start - (int64_t)p->exe_ctime_ns);
}

/* Boot time of the start of the first process in the caller's pid namespace; 0: not known. */
static uint64_t first_start(const struct live_query *q)
{
	if (live_process(q)->vpid == 1)
		return live_process(q)->start_ns;
	for (unsigned level = 1; level < LEVELS_MAX; level++) {
		const struct proc *p = ancestor(q, level);

		if (!p || p->vpid == 1)
			return p ? p->start_ns : 0;
	}
	return 0;
}

static bool proc_pidns_start(const struct live_query *q, struct rules_value *ret)
{
	uint64_t start = first_start(q);

	return start && live_num(ret, unix_of(q->live->event, start));
}

/* How long after the container's start the file was made; no value for one that was there before. */
static bool proc_ctime_after_start(const struct live_query *q, struct rules_value *ret)
{
	struct proc room;
	const struct proc *p = exe_file(q, &room);
	struct rules_value start;

	return p && proc_pidns_start(q, &start) && (int64_t)p->exe_ctime_ns > start.num &&
	       live_num(ret, (int64_t)p->exe_ctime_ns - start.num);
}

static bool proc_pvpid(const struct live_query *q, struct rules_value *ret)
{
	const struct proc *p = ancestor(q, 1);

	return p && live_num(ret, p->vpid);
}

static bool proc_apid(const struct live_query *q, struct rules_value *ret)
{
	if (q->index >= 0) {
		const struct proc *p = ancestor(q, (unsigned)q->index);

		return q->index == 0 ? live_num(ret, live_process(q)->pid) : p && live_num(ret, p->pid);
	}
	struct slice *all = arena_alloc(q->scratch, LEVELS_MAX * sizeof(*all));
	for (unsigned level = 1; all && level < LEVELS_MAX; level++) {
		const struct proc *p = ancestor(q, level);
		const char *text = p ? arena_printf(q->scratch, "%u", p->pid) : NULL;

		if (!text)
			break;
		all[ret->list_count++] = slice_of(text);
	}
	ret->list = all;
	return ret->list_count;
}

static bool is_shell(struct slice name)
{
	static const char *const shells[] = { "ash", "bash", "csh", "dash", "ksh", "sh", "tcsh", "zsh" };

	for (size_t i = 0; i < ARRAY_LEN(shells); i++)
		if (slice_is(name, shells[i]))
			return true;
	return false;
}

static bool proc_loginshellid(const struct live_query *q, struct rules_value *ret)
{
	bool found = is_shell(live_process(q)->name);

	ret->num = live_process(q)->pid;
	for (unsigned level = 1; level < LEVELS_MAX; level++) {
		const struct proc *p = ancestor(q, level);

		if (!p)
			break;
		if (!is_shell(p->name))
			continue;
		ret->num = p->pid;
		found = true;
	}
	return found;
}

/* ---- leaders: of the session and of the process group ---- */

static bool in_group(const struct proc *p, uint32_t id, bool is_session)
{
	return (is_session ? p->session_id : p->group_id) == id;
}

/* The process with that id, or the eldest ancestor in the group when the leader is gone. */
static const struct proc *leader(const struct live_query *q, bool is_session)
{
	const struct event_process *e = live_process(q);
	uint32_t id = is_session ? e->session_id : e->group_id;
	const struct proc *found = world_proc(q->live->world, id);

	if (found)
		return found;
	for (unsigned level = 1; level < LEVELS_MAX; level++) {
		const struct proc *p = ancestor(q, level);

		if (!p)
			break;
		if (in_group(p, id, is_session))
			found = p;
	}
	return found;
}

static bool leader_text(const struct live_query *q, bool is_session, text_of fn, struct rules_value *ret)
{
	const struct event_process *e = live_process(q);

	if ((is_session ? e->session_id : e->group_id) == e->pid)
		return self_text(q, fn, ret);
	const struct proc *p = leader(q, is_session);
	return p && live_str(ret, fn(q->scratch, p));
}

#define LEADER(field, is_session, fn)                                                              \
	static bool proc_##field(const struct live_query *q, struct rules_value *ret)              \
	{                                                                                          \
		return leader_text(q, is_session, fn, ret);                                        \
	}
LEADER(sname, true, name_of)
LEADER(sid_exe, true, exe_of)
LEADER(sid_exepath, true, exepath_of)
LEADER(group_name, false, name_of)
LEADER(group_exe, false, exe_of)
LEADER(group_exepath, false, exepath_of)

/* The group's number in the process's own namespace: the leader's there. */
static bool proc_vpgid(const struct live_query *q, struct rules_value *ret)
{
	const struct event_process *e = live_process(q);
	const struct proc *p = e->group_id == e->pid ? NULL : world_proc(q->live->world, e->group_id);

	if (e->group_id == e->pid)
		return live_num(ret, e->vpid);
	return p && live_num(ret, p->vpid);
}

live_getter live_process_getter(unsigned id)
{
	static const live_getter getters[FIELD_COUNT] = {
		[FIELD_PROC_NAME] = proc_name,
		[FIELD_PROC_PNAME] = proc_pname,
		[FIELD_PROC_ANAME] = proc_aname,
		[FIELD_PROC_EXE] = proc_exe,
		[FIELD_PROC_PEXE] = proc_pexe,
		[FIELD_PROC_AEXE] = proc_aexe,
		[FIELD_PROC_EXEPATH] = proc_exepath,
		[FIELD_PROC_PEXEPATH] = proc_pexepath,
		[FIELD_PROC_AEXEPATH] = proc_aexepath,
		[FIELD_PROC_CMDLINE] = proc_cmdline,
		[FIELD_PROC_PCMDLINE] = proc_pcmdline,
		[FIELD_PROC_ACMDLINE] = proc_acmdline,
		[FIELD_PROC_ARGS] = proc_args,
		[FIELD_PROC_AARGS] = proc_aargs,
		[FIELD_PROC_CMDNARGS] = proc_cmdnargs,
		[FIELD_PROC_CMDLENARGS] = proc_cmdlenargs,
		[FIELD_PROC_EXELINE] = proc_exeline,
		[FIELD_PROC_CWD] = proc_cwd,
		[FIELD_PROC_ENV] = proc_env,
		[FIELD_PROC_AENV] = proc_aenv,
		[FIELD_PROC_PID] = proc_pid,
		[FIELD_PROC_PPID] = proc_ppid,
		[FIELD_PROC_APID] = proc_apid,
		[FIELD_PROC_VPID] = proc_vpid,
		[FIELD_PROC_PVPID] = proc_pvpid,
		[FIELD_PROC_TTY] = proc_tty,
		[FIELD_PROC_LOGINSHELLID] = proc_loginshellid,
		[FIELD_PROC_SID] = proc_sid,
		[FIELD_PROC_SNAME] = proc_sname,
		[FIELD_PROC_SID_EXE] = proc_sid_exe,
		[FIELD_PROC_SID_EXEPATH] = proc_sid_exepath,
		[FIELD_PROC_IS_SID_LEADER] = proc_is_sid_leader,
		[FIELD_PROC_VPGID] = proc_vpgid,
		[FIELD_PROC_VPGID_NAME] = proc_group_name,
		[FIELD_PROC_VPGID_EXE] = proc_group_exe,
		[FIELD_PROC_VPGID_EXEPATH] = proc_group_exepath,
		[FIELD_PROC_IS_VPGID_LEADER] = proc_is_group_leader,
		[FIELD_PROC_PGID] = proc_pgid,
		[FIELD_PROC_PGID_NAME] = proc_group_name,
		[FIELD_PROC_PGID_EXE] = proc_group_exe,
		[FIELD_PROC_PGID_EXEPATH] = proc_group_exepath,
		[FIELD_PROC_IS_PGID_LEADER] = proc_is_group_leader,
		[FIELD_PROC_DURATION] = proc_duration,
		[FIELD_PROC_PPID_DURATION] = proc_ppid_duration,
		[FIELD_PROC_PID_TS] = proc_pid_ts,
		[FIELD_PROC_PPID_TS] = proc_ppid_ts,
		[FIELD_PROC_IS_EXE_WRITABLE] = proc_is_exe_writable,
		[FIELD_PROC_IS_EXE_UPPER_LAYER] = proc_is_exe_upper_layer,
		[FIELD_PROC_IS_EXE_LOWER_LAYER] = proc_is_exe_lower_layer,
		[FIELD_PROC_IS_EXE_FROM_MEMFD] = proc_is_exe_from_memfd,
		[FIELD_PROC_EXE_INO] = proc_exe_ino,
		[FIELD_PROC_EXE_INO_CTIME] = proc_exe_ctime,
		[FIELD_PROC_EXE_INO_MTIME] = proc_exe_mtime,
		[FIELD_PROC_EXE_INO_CTIME_DURATION_PROC_START] = proc_ctime_age,
		[FIELD_PROC_EXE_INO_CTIME_DURATION_PIDNS_START] = proc_ctime_after_start,
		[FIELD_PROC_PIDNS_INIT_START_TS] = proc_pidns_start,
		[FIELD_THREAD_TID] = proc_tid,
		[FIELD_THREAD_ISMAIN] = proc_is_main,
	};

	return id < ARRAY_LEN(getters) ? getters[id] : NULL;
}
