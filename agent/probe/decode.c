/* decode.c - probe_decode: one record as it stood in the ring -> event. Pure and bounded. */
#include "agent/probe/probe.h"

#include "agent/bpf/record.h"

static const struct {
	size_t fixed_bytes; /* 0: no such type */
	enum event_type type;
} shapes[] = {
	[RECORD_EXEC] = { sizeof(struct record_exec), EV_EXEC },
	[RECORD_EXIT] = { sizeof(struct record_exit), EV_EXIT },
	[RECORD_FORK] = { sizeof(struct record), EV_FORK },
	[RECORD_TASK] = { sizeof(struct record_exec), EV_FORK },
};

static const size_t text_max[TEXT_COUNT] = {
	[TEXT_CGROUP] = TEXT_CGROUP_MAX, [TEXT_EXE] = TEXT_PATH_MAX, [TEXT_CWD] = TEXT_PATH_MAX,
	[TEXT_ARGS] = TEXT_ARGS_MAX,	 [TEXT_ENV] = TEXT_ENV_MAX,
};

/* A name in the record of 16 bytes, ended by a NUL or by the field's end. */
static struct slice field_name(struct slice record, size_t offset)
{
	const char *p = record.p + offset;

	return slice_from(p, strnlen(p, sizeof(((struct record *)0)->comm)));
}

static void decode_process(const struct record *r, struct slice record, struct event_process *p)
{
	*p = (struct event_process){
		.pid = r->pid,
		.tid = r->tid,
		.vpid = r->vpid,
		.ppid = r->ppid,
		.start_ns = r->start_ns,
		.parent_start_ns = r->parent_start_ns,
		.uid = r->uid,
		.gid = r->gid,
		.euid = r->euid,
		.egid = r->egid,
		.login_uid = r->login_uid,
		.tty = r->tty,
		.session_id = r->session_id,
		.group_id = r->group_id,
		.cap_effective = r->cap_effective,
		.cap_permitted = r->cap_permitted,
		.cap_inheritable = r->cap_inheritable,
		.ns_pid = r->ns_pid,
		.ns_mnt = r->ns_mnt,
		.ns_net = r->ns_net,
		.ns_user = r->ns_user,
		.ns_uts = r->ns_uts,
		.ns_ipc = r->ns_ipc,
		.ns_cgroup = r->ns_cgroup,
		.cgroup_id = r->cgroup_id,
		.name = field_name(record, offsetof(struct record, comm)),
		.parent_name = field_name(record, offsetof(struct record, parent_comm)),
		.args_truncated = r->flags & RECORD_ARGS_TRUNCATED,
		.exe_truncated = r->flags & RECORD_EXE_TRUNCATED,
		.cwd_truncated = r->flags & RECORD_CWD_TRUNCATED,
		.exe_upper_layer = r->flags & RECORD_EXE_UPPER,
		.exe_lower_layer = r->flags & RECORD_EXE_LOWER,
		.exe_from_memfd = r->flags & RECORD_EXE_MEMFD,
		.exe_writable = r->flags & RECORD_EXE_WRITABLE,
		.exe_deleted = r->flags & RECORD_EXE_DELETED,
	};
}

static void decode_texts(const struct slice text[TEXT_COUNT], struct event_process *p)
{
	struct slice args = text[TEXT_ARGS];

	p->cgroup = text[TEXT_CGROUP];
	p->exe = text[TEXT_EXE];
	p->cwd = text[TEXT_CWD];
	p->env = text[TEXT_ENV];
	ptrdiff_t end = slice_find_char(args, 0);
	if (end < 0)
		end = (ptrdiff_t)args.n; /* cut within argv[0] */
	p->argv0 = slice_sub(args, 0, (size_t)end);
	p->args = slice_sub(args, (size_t)end + 1, args.n);
}

static void decode_exec(struct slice record, struct event_process *p)
{
	struct record_exec e;

	memcpy(&e, record.p, sizeof(e));
	p->exe_inode = e.exe_inode;
	p->exe_ctime_ns = e.exe_ctime_ns;
	p->exe_mtime_ns = e.exe_mtime_ns;
	p->exe_dev = e.exe_dev;
}

static void decode_exit(struct slice record, struct event *ev)
{
	struct record_exit e;

	memcpy(&e, record.p, sizeof(e));
	ev->exit.signal = (uint32_t)e.status & 0x7f;
	ev->exit.code = ev->exit.signal ? -1 : (int32_t)((uint32_t)e.status >> 8 & 0xff);
	ev->exit.duration_ns = e.r.boot_ns > e.r.start_ns ? e.r.boot_ns - e.r.start_ns : 0;
}

int probe_decode(struct slice record, int64_t boot_to_unix_ns, struct event *e, struct err *err)
{
	struct record r;

	if (record.n < sizeof(r))
		return err_set(err, ERR_CORRUPT, "record of %zu bytes", record.n);
	memcpy(&r, record.p, sizeof(r));
	if (r.size != record.n || r.version != RECORD_VERSION)
		return err_set(err, ERR_CORRUPT, "record says %u bytes, version %u", r.size,
			       r.version);
	if (r.type >= ARRAY_LEN(shapes) || !shapes[r.type].fixed_bytes ||
	    record.n < shapes[r.type].fixed_bytes)
		return err_set(err, ERR_CORRUPT, "record of type %u, %zu bytes", r.type, record.n);

	struct slice text[TEXT_COUNT];
	size_t at = shapes[r.type].fixed_bytes;
	for (size_t i = 0; i < TEXT_COUNT; i++) {
		size_t n = r.text_bytes[i];

		if (n > text_max[i] || n > record.n - at)
			return err_set(err, ERR_CORRUPT, "record's text %zu of %zu bytes", i, n);
		text[i] = slice_sub(record, at, n);
		at += n;
	}
	if (at != record.n)
		return err_set(err, ERR_CORRUPT, "record with %zu bytes too many", record.n - at);

	*e = (struct event){
		.type = shapes[r.type].type,
		.class = EVC_PROCESS,
		.boot_ns = r.boot_ns,
		.unix_ns = r.boot_ns + (uint64_t)boot_to_unix_ns,
	};
	decode_process(&r, record, &e->p);
	decode_texts(text, &e->p);
	if (r.type == RECORD_EXEC || r.type == RECORD_TASK)
		decode_exec(record, &e->p);
	if (r.type == RECORD_EXIT)
		decode_exit(record, e);
	return 0;
}
