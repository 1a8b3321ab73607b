/* live_event.c - evt.*: when, what, with which result, and what kind of call it was. */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/rules/live_priv.h"
#include "common/text.h"

static bool evt_num(const struct live_query *q, struct rules_value *ret)
{
	return live_num(ret, q->live->number ? (int64_t)q->live->number : 1);
}

static bool evt_type(const struct live_query *q, struct rules_value *ret)
{
	return live_str(ret, slice_of(rules_live_type(q->live->event)));
}

static bool evt_type_is(const struct live_query *q, struct rules_value *ret)
{
	const char *type = rules_live_type(q->live->event);

	return live_num(ret, type && slice_is(q->arg, type));
}

static bool evt_source(const struct live_query *q, struct rules_value *ret)
{
	return live_str(ret, SLICE_LIT("syscall"));
}

static bool evt_dir(const struct live_query *q, struct rules_value *ret)
{
	return live_str(ret, SLICE_LIT("<"));
}

static bool evt_hostname(const struct live_query *q, struct rules_value *ret)
{
	char *name = arena_zalloc(q->scratch, 1, 256);

	return name && !gethostname(name, 255) && live_str(ret, slice_of(name));
}

static bool zero(const struct live_query *q, struct rules_value *ret)
{
	return live_num(ret, 0);
}

static bool one(const struct live_query *q, struct rules_value *ret)
{
	return live_num(ret, 1);
}

enum clock_parts { WITH_DATE = 1, WITH_NS = 2 };

static bool clock_text(const struct live_query *q, unsigned parts, struct rules_value *ret)
{
	time_t seconds = (time_t)(q->live->event->unix_ns / 1000000000);
	char text[64];
	struct tm tm;

	if (!localtime_r(&seconds, &tm))
		return false;
	size_t n = parts & WITH_DATE ? strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) :
				       strftime(text, sizeof(text), "%H:%M:%S", &tm);
	char *s = parts & WITH_NS ? arena_printf(q->scratch, "%.*s.%09" PRIu64, (int)n, text,
					q->live->event->unix_ns % 1000000000) :
			   arena_dup(q->scratch, slice_from(text, n));
	return live_str(ret, slice_of(s));
}

static bool evt_time(const struct live_query *q, struct rules_value *ret)
{
	return clock_text(q, WITH_NS, ret);
}

static bool evt_time_s(const struct live_query *q, struct rules_value *ret)
{
	return clock_text(q, 0, ret);
}

static bool evt_datetime(const struct live_query *q, struct rules_value *ret)
{
	return clock_text(q, WITH_DATE | WITH_NS, ret);
}

static bool evt_datetime_s(const struct live_query *q, struct rules_value *ret)
{
	return clock_text(q, WITH_DATE, ret);
}

static bool evt_time_iso(const struct live_query *q, struct rules_value *ret)
{
	char text[TEXT_TIME_MAX];

	return live_copy(q, slice_of(text_time(q->live->event->unix_ns, text, sizeof(text))), ret);
}

static bool evt_rawtime(const struct live_query *q, struct rules_value *ret)
{
	return live_num(ret, (int64_t)q->live->event->unix_ns);
}

static bool evt_rawtime_s(const struct live_query *q, struct rules_value *ret)
{
	return live_num(ret, (int64_t)(q->live->event->unix_ns / 1000000000));
}

static bool evt_rawtime_ns(const struct live_query *q, struct rules_value *ret)
{
	return live_num(ret, (int64_t)(q->live->event->unix_ns % 1000000000));
}

/* ---- result ---- */

/* false: the event has none. A fork and an exec that are told have succeeded. */
static bool result(const struct live_query *q, int64_t *ret)
{
	const struct event_call *c = live_call(q);

	*ret = c ? c->ret : 0;
	return c || q->live->event->type == EV_EXEC || q->live->event->type == EV_FORK;
}

static bool evt_rawres(const struct live_query *q, struct rules_value *ret)
{
	return result(q, &ret->num);
}

static bool evt_res(const struct live_query *q, struct rules_value *ret)
{
	int64_t r;

	return result(q, &r) && live_str(ret, live_error_name(q->scratch, r));
}

static bool evt_failed(const struct live_query *q, struct rules_value *ret)
{
	int64_t r;

	return live_num(ret, result(q, &r) && r < 0);
}

/* ---- kinds of calls ---- */

enum { READS = 1, WRITES = 2 };

static unsigned io_of(const struct live_query *q)
{
	const struct event_call *c = live_call(q);

	if (!c)
		return 0;
	if (c->call == CALL_SENDTO || c->call == CALL_SENDMSG)
		return WRITES;
	return c->call == CALL_RECVFROM || c->call == CALL_RECVMSG ? READS : 0;
}

static bool evt_is_io(const struct live_query *q, struct rules_value *ret)
{
	return live_num(ret, io_of(q) != 0);
}

static bool evt_is_io_read(const struct live_query *q, struct rules_value *ret)
{
	return live_num(ret, io_of(q) == READS);
}

static bool evt_is_io_write(const struct live_query *q, struct rules_value *ret)
{
	return live_num(ret, io_of(q) == WRITES);
}

static bool evt_io_dir(const struct live_query *q, struct rules_value *ret)
{
	unsigned io = io_of(q);

	return io && live_str(ret, io == WRITES ? SLICE_LIT("write") : SLICE_LIT("read"));
}

static bool evt_is_syslog(const struct live_query *q, struct rules_value *ret)
{
	return live_num(ret, io_of(q) == WRITES && slice_find(live_fd_name(q), SLICE_LIT("/dev/log")) >= 0);
}

static bool evt_buffer(const struct live_query *q, struct rules_value *ret)
{
	const struct event_call *c = live_call(q);

	return c && live_str(ret, c->data);
}

static bool evt_buflen(const struct live_query *q, struct rules_value *ret)
{
	return io_of(q) && live_call(q)->ret >= 0 && live_num(ret, live_call(q)->ret);
}

/* Of what is done to a descriptor: what it is. */
static const char *fd_category(const struct event *e)
{
	switch (live_fd_kind(e)) {
	case LIVE_FD_FILE:
	case LIVE_FD_DIRECTORY:
		return "file";
	case LIVE_FD_IPV4:
	case LIVE_FD_IPV6:
		return "net";
	case LIVE_FD_UNIX:
	case LIVE_FD_PIPE:
		return "ipc";
	default:
		return "unknown";
	}
}

static const char *call_category(const struct event *e)
{
	switch (e->call.call) {
	case CALL_SOCKETPAIR:
	case CALL_PROCESS_VM_READV:
	case CALL_PROCESS_VM_WRITEV:
		return "IPC";
	case CALL_SENDTO:
	case CALL_SENDMSG:
	case CALL_RECVFROM:
	case CALL_RECVMSG:
	case CALL_DUP:
	case CALL_DUP2:
	case CALL_DUP3:
	case CALL_IO_URING_SETUP:
		return fd_category(e);
	case CALL_EXECVE:
	case CALL_EXECVEAT:
	case CALL_CHROOT:
	case CALL_SETNS:
	case CALL_UNSHARE:
	case CALL_PTRACE:
	case CALL_CAPSET:
	case CALL_PRCTL:
		return "process";
	case CALL_SETUID:
	case CALL_SETGID:
	case CALL_SETREUID:
	case CALL_SETREGID:
	case CALL_SETRESUID:
	case CALL_SETRESGID:
		return "user";
	case CALL_KILL:
	case CALL_TKILL:
	case CALL_TGKILL:
		return "signal";
	case CALL_MEMFD_CREATE:
		return "memory";
	case CALL_BPF:
	case CALL_SECCOMP:
	case CALL_INIT_MODULE:
	case CALL_FINIT_MODULE:
	case CALL_DELETE_MODULE:
		return "other";
	default:
		return e->call.family == FAMILY_SOCK ? "net" : "file";
	}
}

static bool evt_category(const struct live_query *q, struct rules_value *ret)
{
	return live_str(ret, slice_of(live_call(q) ? call_category(q->live->event) : "process"));
}

/* Errors by what they were made on: 1 or 0 where it is of that kind, else no value. */
static bool count_error(const struct live_query *q, const char *kind, struct rules_value *ret)
{
	const struct event_call *c = live_call(q);
	enum live_fd_kind fd = live_fd_kind(q->live->event);
	const char *is = "other";

	if (!c)
		return !strcmp(kind, "other") && live_num(ret, 0);
	if (fd == LIVE_FD_FILE || fd == LIVE_FD_DIRECTORY || (fd == LIVE_FD_NONE && c->family == FAMILY_OPEN))
		is = "file";
	else if (fd == LIVE_FD_IPV4 || fd == LIVE_FD_IPV6 || fd == LIVE_FD_UNIX || c->call == CALL_ACCEPT ||
		 c->call == CALL_ACCEPT4 || c->call == CALL_CONNECT)
		is = "net";
	else if (c->call == CALL_MEMFD_CREATE && c->ret < 0)
		is = "memory";
	return !strcmp(kind, is) && live_num(ret, c->ret < 0);
}

static bool count_error_file(const struct live_query *q, struct rules_value *ret)
{
	return count_error(q, "file", ret);
}

static bool count_error_net(const struct live_query *q, struct rules_value *ret)
{
	return count_error(q, "net", ret);
}

static bool count_error_memory(const struct live_query *q, struct rules_value *ret)
{
	return count_error(q, "memory", ret);
}

static bool count_error_other(const struct live_query *q, struct rules_value *ret)
{
	return count_error(q, "other", ret);
}

/* ---- opens: false for what opens nothing ---- */

static const struct event_call *open_call(const struct live_query *q)
{
	const struct event_call *c = live_call(q);

	return c && c->family == FAMILY_OPEN ? c : NULL;
}

/* creat(2) writes too, though Falco does not say so: else it would be the way around a rule. */
static bool evt_is_open_read(const struct live_query *q, struct rules_value *ret)
{
	const struct event_call *c = open_call(q);
	uint32_t access = c ? live_open_flags(c) & O_ACCMODE : 0;

	return live_num(ret, c && (access == O_RDONLY || access == O_RDWR));
}

static bool evt_is_open_write(const struct live_query *q, struct rules_value *ret)
{
	const struct event_call *c = open_call(q);
	uint32_t access = c ? live_open_flags(c) & O_ACCMODE : 0;

	return live_num(ret, c && (access == O_WRONLY || access == O_RDWR));
}

static bool is_creating(const struct event_call *c)
{
	return c->call == CALL_CREAT || live_open_flags(c) & O_CREAT ||
	       (live_open_flags(c) & O_TMPFILE) == O_TMPFILE;
}

/* Whether the file was there before is not known: it is one that the call would have made. */
static bool evt_is_open_create(const struct live_query *q, struct rules_value *ret)
{
	const struct event_call *c = open_call(q);

	return live_num(ret, c && c->ret >= 0 && is_creating(c));
}

static bool evt_is_open_exec(const struct live_query *q, struct rules_value *ret)
{
	const struct event_call *c = open_call(q);
	uint32_t mode;

	return live_num(ret, c && is_creating(c) && live_open_mode(c, &mode) &&
				     mode & (S_IXUSR | S_IXGRP | S_IXOTH));
}

/* ---- arguments ---- */

/* "fd=3(<f>/etc/passwd) dirfd=-100(AT_FDCWD) name=..." */
static bool evt_args(const struct live_query *q, struct rules_value *ret)
{
	size_t count = live_arg_count(q), known = 0, bytes = 0;
	struct live_arg *all = count ? arena_zalloc(q->scratch, count, sizeof(*all)) : NULL;

	for (size_t i = 0; all && i < count; i++) {
		struct live_arg *a = &all[known];

		/* Environments hold secrets, which nobody asks for by "all arguments". */
		if (!live_arg_at(q, i, a) || !strcmp(a->name, "env"))
			continue;
		known++;
		bytes += strlen(a->name) + a->text.n + a->resolved.n + sizeof(" =()");
	}
	char *text = known ? arena_alloc(q->scratch, bytes) : NULL, *at = text;
	if (!text)
		return false;
	for (size_t i = 0; i < known; i++) {
		const struct live_arg *a = &all[i];

		if (i)
			*at++ = ' ';
		at = stpcpy(stpcpy(at, a->name), "=");
		at = mempcpy(at, a->text.n ? a->text.p : "", a->text.n);
		if (!a->resolved.n)
			continue;
		*at++ = '(';
		at = mempcpy(at, a->resolved.p, a->resolved.n);
		*at++ = ')';
	}
	return live_str(ret, slice_from(text, (size_t)(at - text)));
}

static bool find_arg(const struct live_query *q, struct live_arg *ret)
{
	return q->index >= 0 ? live_arg_at(q, (size_t)q->index, ret) : live_arg_named(q, q->arg, ret);
}

static bool evt_arg(const struct live_query *q, struct rules_value *ret)
{
	struct live_arg a;

	if (!find_arg(q, &a))
		return false;
	ret->num = a.num;
	ret->str = a.resolved.n ? a.resolved : a.text;
	return true;
}

/* What was given, not what it means. The number is printed as a number where it is one. */
static bool evt_rawarg(const struct live_query *q, struct rules_value *ret)
{
	const struct event_call *c = live_call(q);
	struct live_arg a;

	if (!find_arg(q, &a))
		return false;
	ret->num = a.num;
	ret->str = a.text;
	/* Paths as written. */
	if (c && c->raw.n && a.text.p == c->path.p)
		ret->str = c->raw;
	else if (c && c->raw2.n && a.text.p == c->path2.p)
		ret->str = c->raw2;
	return true;
}

static const live_getter getters[FIELD_COUNT] = {
	[FIELD_EVT_NUM] = evt_num,
	[FIELD_EVT_TIME] = evt_time,
	[FIELD_EVT_TIME_S] = evt_time_s,
	[FIELD_EVT_TIME_ISO8601] = evt_time_iso,
	[FIELD_EVT_DATETIME] = evt_datetime,
	[FIELD_EVT_DATETIME_S] = evt_datetime_s,
	[FIELD_EVT_RAWTIME] = evt_rawtime,
	[FIELD_EVT_RAWTIME_S] = evt_rawtime_s,
	[FIELD_EVT_RAWTIME_NS] = evt_rawtime_ns,
	[FIELD_EVT_TYPE] = evt_type,
	[FIELD_EVT_TYPE_IS] = evt_type_is,
	[FIELD_SYSCALL_TYPE] = evt_type,
	[FIELD_EVT_SOURCE] = evt_source,
	[FIELD_EVT_DIR] = evt_dir,
	[FIELD_EVT_CATEGORY] = evt_category,
	[FIELD_EVT_HOSTNAME] = evt_hostname,
	[FIELD_EVT_RES] = evt_res,
	[FIELD_EVT_RAWRES] = evt_rawres,
	[FIELD_EVT_FAILED] = evt_failed,
	[FIELD_EVT_COUNT] = one,
	[FIELD_EVT_COUNT_EXIT] = one,
	[FIELD_EVT_COUNT_ERROR] = evt_failed,
	[FIELD_EVT_COUNT_ERROR_FILE] = count_error_file,
	[FIELD_EVT_COUNT_ERROR_NET] = count_error_net,
	[FIELD_EVT_COUNT_ERROR_MEMORY] = count_error_memory,
	[FIELD_EVT_COUNT_ERROR_OTHER] = count_error_other,
	[FIELD_EVT_IS_IO] = evt_is_io,
	[FIELD_EVT_IS_IO_READ] = evt_is_io_read,
	[FIELD_EVT_IS_IO_WRITE] = evt_is_io_write,
	[FIELD_EVT_IO_DIR] = evt_io_dir,
	[FIELD_EVT_IS_SYSLOG] = evt_is_syslog,
	[FIELD_EVT_IS_WAIT] = zero,
	[FIELD_EVT_IS_ASYNC] = zero,
	[FIELD_EVT_IS_OPEN_READ] = evt_is_open_read,
	[FIELD_EVT_IS_OPEN_WRITE] = evt_is_open_write,
	[FIELD_EVT_IS_OPEN_CREATE] = evt_is_open_create,
	[FIELD_EVT_IS_OPEN_EXEC] = evt_is_open_exec,
	[FIELD_EVT_BUFFER] = evt_buffer,
	[FIELD_EVT_BUFLEN] = evt_buflen,
	[FIELD_EVT_ARGS] = evt_args,
	[FIELD_EVT_INFO] = evt_args,
	[FIELD_EVT_ARG] = evt_arg,
	[FIELD_EVT_RAWARG] = evt_rawarg,
};

live_getter live_event_getter(unsigned id)
{
	return getters[id];
}
