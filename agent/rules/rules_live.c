/* rules_live.c - a live event as a source of fields: who has which. */
#include "agent/call_names.h"
#include "agent/rules/live_priv.h"

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
		return e->call.call < CALL_COUNT ? call_name(e->call.call) : NULL;
	case EV_STATS:
		return "container_stats";
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

static bool user_homedir(const struct live_query *q, struct rules_value *ret)
{
	const struct event_process *p = live_process(q);
	struct slice home, shell;

	return world_user_account(q->live->world, p, p->euid, &home, &shell) && live_copy(q, home, ret);
}

static bool user_shell(const struct live_query *q, struct rules_value *ret)
{
	const struct event_process *p = live_process(q);
	struct slice home, shell;

	return world_user_account(q->live->world, p, p->euid, &home, &shell) && live_copy(q, shell, ret);
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
	[FIELD_USER_UID] = user_uid,
	[FIELD_USER_NAME] = user_name,
	[FIELD_USER_LOGINUID] = user_loginuid,
	[FIELD_USER_LOGINNAME] = user_loginname,
	[FIELD_USER_HOMEDIR] = user_homedir,
	[FIELD_USER_SHELL] = user_shell,
	[FIELD_GROUP_GID] = group_gid,
	[FIELD_GROUP_NAME] = group_name,
};

static live_getter getter_of(unsigned id)
{
	static live_getter (*const others[])(unsigned id) = {
		live_event_getter, live_fd_getter, live_socket_getter, live_file_getter,
		live_process_getter, live_thread_getter, live_status_getter, live_container_getter,
	};
	live_getter fn = getters[id];

	for (size_t i = 0; !fn && i < ARRAY_LEN(others); i++)
		fn = others[i](id);
	return fn;
}

static bool get(void *ctx, const struct rules_field *f, int index, struct slice arg, struct arena *scratch,
		struct rules_value *ret)
{
	const struct live_query q = { ctx, f, index, arg, scratch };
	live_getter fn = getter_of(rules_field_id(f));

	*ret = (struct rules_value){ 0 };
	return fn && fn(&q, ret);
}

struct rules_source rules_live_source(struct rules_live *live)
{
	return (struct rules_source){ get, live };
}
