/* decode.c - probe_decode: one record as it stood in the ring -> event. Pure and bounded. */
#include "agent/probe/probe.h"

#include "agent/bpf/record.h"
#include "agent/call_names.h"

static const struct {
	size_t fixed_bytes; /* 0: no such type */
	enum event_type type;
} shapes[] = {
	[RECORD_EXEC] = { sizeof(struct record_exec), EV_EXEC },
	[RECORD_EXIT] = { sizeof(struct record_exit), EV_EXIT },
	[RECORD_FORK] = { sizeof(struct record), EV_FORK },
	[RECORD_TASK] = { sizeof(struct record_exec), EV_FORK },
	[RECORD_CALL] = { sizeof(struct record_call), EV_CALL },
	[RECORD_KILL] = { sizeof(struct record_exec), EV_KILL },
};

static const size_t process_text_max[TEXT_COUNT] = {
	[TEXT_CGROUP] = TEXT_CGROUP_MAX, [TEXT_EXE] = TEXT_PATH_MAX, [TEXT_CWD] = TEXT_PATH_MAX,
	[TEXT_ARGS] = TEXT_ARGS_MAX,	 [TEXT_ENV] = TEXT_ENV_MAX,
};

static const size_t call_text_max[TEXT_COUNT] = {
	[TEXT_CGROUP] = TEXT_CGROUP_MAX, [TEXT_PATH] = TEXT_PATH_MAX, [TEXT_BASE] = TEXT_PATH_MAX,
	[TEXT_RAW] = TEXT_PATH_MAX,	 [TEXT_RAW2] = TEXT_PATH_MAX, [TEXT_BASE2] = TEXT_PATH_MAX,
	[TEXT_DATA] = TEXT_DATA_MAX,
};

static const enum event_class call_classes[CALL_COUNT] = {
#define CALL(id, name, family, class, x86_64, i386, arm64) EVC_##class,
#include "agent/calls.def"
#undef CALL
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
	};
}

/* What the flags and texts say of all types but calls. */
static void decode_program(const struct record *r, const struct slice text[TEXT_COUNT],
			   struct event_process *p)
{
	struct slice args = text[TEXT_ARGS];

	p->args_truncated = r->flags & RECORD_ARGS_TRUNCATED;
	p->exe_truncated = r->flags & RECORD_EXE_TRUNCATED;
	p->cwd_truncated = r->flags & RECORD_CWD_TRUNCATED;
	p->exe_upper_layer = r->flags & RECORD_EXE_UPPER;
	p->exe_lower_layer = r->flags & RECORD_EXE_LOWER;
	p->exe_from_memfd = r->flags & RECORD_EXE_MEMFD;
	p->exe_writable = r->flags & RECORD_EXE_WRITABLE;
	p->exe_deleted = r->flags & RECORD_EXE_DELETED;
	p->exe_host_fs = r->flags & RECORD_EXE_HOST_FS;
	p->exe = text[TEXT_EXE];
	p->cwd = text[TEXT_CWD];
	p->env = text[TEXT_ENV];
	ptrdiff_t end = slice_find_char(args, 0);
	if (end < 0)
		end = (ptrdiff_t)args.n; /* cut within argv[0] */
	p->argv0 = slice_sub(args, 0, (size_t)end);
	p->args = slice_sub(args, (size_t)end + 1, args.n);
}

static void decode_exec(struct slice record, struct event *ev)
{
	struct event_process *p = &ev->p;
	struct record_exec e;

	memcpy(&e, record.p, sizeof(e));
	if (ev->type == EV_KILL)
		ev->kill.row = e.extra;
	else
		p->exe_fs = e.extra;
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

static int decode_call(struct slice record, const struct slice text[TEXT_COUNT], struct event *ev,
		       struct err *err)
{
	struct record_call c;

	memcpy(&c, record.p, sizeof(c));
	if (c.call >= CALL_COUNT)
		return err_set(err, ERR_CORRUPT, "record of call %u", c.call);
	ev->class = call_classes[c.call];
	ev->call = (struct event_call){
		.call = c.call,
		.family = call_family(c.call),
		.is_compat = c.r.flags & RECORD_COMPAT,
		.is_uring = c.r.flags & RECORD_URING,
		.ret = c.ret,
		.path = text[TEXT_PATH],
		.raw = text[TEXT_RAW],
		.raw2 = text[TEXT_RAW2],
		.base = text[TEXT_BASE],
		.base2 = text[TEXT_BASE2],
		.data = text[TEXT_DATA],
		/* A path put together from a base that lost its upper end is no whole path. */
		.path_truncated = c.r.flags & (RECORD_PATH_TRUNCATED | RECORD_CWD_TRUNCATED),
		.raw_truncated = c.r.flags & RECORD_RAW_TRUNCATED,
		.raw2_truncated = c.r.flags & RECORD_RAW2_TRUNCATED,
		.file_mode = c.file_mode,
		.file_flags = c.file_flags,
		.file_dev = c.file_dev,
		.file_inode = c.file_inode,
		.file_upper_layer = c.r.flags & RECORD_EXE_UPPER,
		.file_lower_layer = c.r.flags & RECORD_EXE_LOWER,
		.fd = c.fd,
		.sock_family = c.sock_family,
		.sock_type = c.sock_type,
		.sock_protocol = c.sock_protocol,
		.is_sock_connected = c.r.flags & RECORD_SOCK_CONNECTED,
		.is_sock_listening = c.r.flags & RECORD_SOCK_LISTENING,
		.local.port = c.local_port,
		.remote.port = c.remote_port,
		.target_ns_type = c.target_ns_type,
	};
	memcpy(ev->call.arg, c.arg, sizeof(c.arg));
	memcpy(ev->call.local.address, c.local, sizeof(c.local));
	memcpy(ev->call.remote.address, c.remote, sizeof(c.remote));
	return 0;
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

	const size_t *text_max = r.type == RECORD_CALL ? call_text_max : process_text_max;
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
	e->p.cgroup = text[TEXT_CGROUP];
	if (r.type == RECORD_CALL)
		return decode_call(record, text, e, err);
	decode_program(&r, text, &e->p);
	if (shapes[r.type].fixed_bytes == sizeof(struct record_exec))
		decode_exec(record, e);
	if (r.type == RECORD_EXIT)
		decode_exit(record, e);
	return 0;
}
