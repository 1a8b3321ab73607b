/* rules_live.c - fields of a live event: the event itself and who it ran as; the process and the
 * container are in live_process.c and live_container.c. */
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "agent/call_names.h"
#include "agent/rules/live_priv.h"
#include "common/text.h"

const char *rules_live_type(const struct event *e)
{
	switch (e->type) {
	case EV_EXEC:
		/* A successful execveat is reported as execve, as Falco does. */
		return "execve";
	case EV_EXIT:
		return "procexit";
	case EV_FORK:
		return "clone";
	case EV_CALL:
		return call_name(e->call.call);
	case EV_NONE:
	case EV_GAP:
	case EV_KILL:
	case EV_TYPE_COUNT:
		break;
	}
	return NULL;
}

bool live_copy(const struct live_query *q, struct slice s, struct rules_value *ret)
{
	char *copy = s.n ? arena_dup(q->scratch, s) : NULL;

	ret->str = slice_from(copy, s.n);
	return copy;
}

struct slice live_joined(struct arena *scratch, struct slice pieces)
{
	while (pieces.n && !pieces.p[pieces.n - 1])
		pieces.n--;
	char *out = pieces.n ? arena_dup(scratch, pieces) : NULL;
	if (!out)
		return SLICE_NONE;
	/* arena_dup copies all n bytes, NULs too. */
	for (size_t i = 0; i < pieces.n; i++)
		if (!out[i])
			out[i] = ' ';
	return slice_from(out, pieces.n);
}

/* ---- evt.* ---- */

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

static bool evt_category(const struct live_query *q, struct rules_value *ret)
{
	return live_str(ret, SLICE_LIT("process"));
}

static bool evt_hostname(const struct live_query *q, struct rules_value *ret)
{
	char *name = arena_zalloc(q->scratch, 1, 256);

	return name && !gethostname(name, 255) && live_str(ret, slice_of(name));
}

static bool evt_res(const struct live_query *q, struct rules_value *ret)
{
	return live_str(ret, SLICE_LIT("SUCCESS"));
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

struct slice live_exec_flags(struct arena *scratch, const struct event_process *p)
{
	const char *s = arena_printf(scratch, "%s%s%s%s", p->exe_writable ? "|EXE_WRITABLE" : "",
				     p->exe_upper_layer ? "|EXE_UPPER_LAYER" : "",
				     p->exe_lower_layer ? "|EXE_LOWER_LAYER" : "",
				     p->exe_from_memfd ? "|EXE_FROM_MEMFD" : "");

	return slice_of(s && *s ? s + 1 : "");
}

static bool evt_args(const struct live_query *q, struct rules_value *ret)
{
	const struct event_process *p = live_process(q);
	struct slice args = live_joined(q->scratch, p->args), flags = live_exec_flags(q->scratch, p);
	const char *s;

	if (q->live->event->type != EV_EXEC)
		return false;
	s = arena_printf(q->scratch, "res=0 exe=%.*s args=%.*s tid=%u pid=%u ptid=%u cwd=%.*s comm=%.*s tty=%u flags=%.*s",
			 SLICE_FMT(p->argv0), SLICE_FMT(args), p->tid, p->pid, p->ppid, SLICE_FMT(p->cwd),
			 SLICE_FMT(p->name), p->tty, SLICE_FMT(flags));
	return live_str(ret, slice_of(s));
}

/* Arguments of execve under the names Falco's event has. */
static bool evt_arg(const struct live_query *q, struct rules_value *ret)
{
	const struct event_process *p = live_process(q);
	const struct {
		const char *name;
		struct slice text;
		int64_t num;
	} args[] = { { "exe", p->argv0, 0 },	  { "comm", p->name, 0 },
		     { "cwd", p->cwd, 0 },	  { "trusted_exepath", p->exe, 0 },
		     { "filename", p->exe, 0 },	  { "res", SLICE_NONE, 0 },
		     { "tid", SLICE_NONE, p->tid }, { "pid", SLICE_NONE, p->pid },
		     { "ptid", SLICE_NONE, p->ppid }, { "tty", SLICE_NONE, p->tty },
		     { "uid", SLICE_NONE, p->euid }, { "gid", SLICE_NONE, p->egid },
		     { "loginuid", SLICE_NONE, (int32_t)p->login_uid },
		     { "exe_ino", SLICE_NONE, (int64_t)p->exe_inode } };

	if (q->live->event->type != EV_EXEC)
		return false;
	if (slice_is(q->arg, "args"))
		return live_str(ret, live_joined(q->scratch, p->args));
	if (slice_is(q->arg, "env"))
		return live_str(ret, live_joined(q->scratch, p->env));
	if (slice_is(q->arg, "flags"))
		return live_str(ret, live_exec_flags(q->scratch, p));
	for (size_t i = 0; i < ARRAY_LEN(args); i++) {
		if (!slice_is(q->arg, args[i].name))
			continue;
		ret->num = args[i].num;
		return args[i].text.p ? live_str(ret, args[i].text) :
					live_str(ret, slice_of(arena_printf(q->scratch, "%" PRId64, args[i].num)));
	}
	return false;
}

/* ---- user.*, group.* ---- */

static bool user_uid(const struct live_query *q, struct rules_value *ret)
{
	return live_num(ret, live_process(q)->euid);
}

static bool user_name(const struct live_query *q, struct rules_value *ret)
{
	const struct event_process *p = live_process(q);

	return live_copy(q, world_user_name(q->live->world, p, p->euid), ret);
}

static bool user_loginuid(const struct live_query *q, struct rules_value *ret)
{
	uint32_t uid = live_process(q)->login_uid;

	return live_num(ret, uid == UINT32_MAX ? -1 : (int64_t)uid);
}

static bool user_loginname(const struct live_query *q, struct rules_value *ret)
{
	const struct event_process *p = live_process(q);

	return p->login_uid != UINT32_MAX &&
	       live_copy(q, world_user_name(q->live->world, p, p->login_uid), ret);
}

static bool group_gid(const struct live_query *q, struct rules_value *ret)
{
	return live_num(ret, live_process(q)->egid);
}

static bool group_name(const struct live_query *q, struct rules_value *ret)
{
	const struct event_process *p = live_process(q);

	return live_copy(q, world_group_name(q->live->world, p, p->egid), ret);
}

/* ---- the source ---- */

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
	[FIELD_EVT_RAWRES] = zero,
	[FIELD_EVT_FAILED] = zero,
	[FIELD_EVT_COUNT] = one,
	[FIELD_EVT_COUNT_EXIT] = one,
	[FIELD_EVT_COUNT_ERROR] = zero,
	[FIELD_EVT_IS_IO] = zero,
	[FIELD_EVT_IS_WAIT] = zero,
	[FIELD_EVT_IS_ASYNC] = zero,
	[FIELD_EVT_ARGS] = evt_args,
	[FIELD_EVT_INFO] = evt_args,
	[FIELD_EVT_ARG] = evt_arg,
	[FIELD_EVT_RAWARG] = evt_arg,
	[FIELD_USER_UID] = user_uid,
	[FIELD_USER_NAME] = user_name,
	[FIELD_USER_LOGINUID] = user_loginuid,
	[FIELD_USER_LOGINNAME] = user_loginname,
	[FIELD_GROUP_GID] = group_gid,
	[FIELD_GROUP_NAME] = group_name,
};

static bool get(void *ctx, const struct rules_field *f, int index, struct slice arg, struct arena *scratch,
		struct rules_value *ret)
{
	const struct live_query q = { ctx, f, index, arg, scratch };
	unsigned id = rules_field_id(f);
	live_getter fn = getters[id];

	if (!fn)
		fn = live_process_getter(id);
	if (!fn)
		fn = live_container_getter(id);
	*ret = (struct rules_value){ 0 };
	return fn && fn(&q, ret);
}

struct rules_source rules_live_source(struct rules_live *live)
{
	return (struct rules_source){ get, live };
}
