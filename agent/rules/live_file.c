/* live_file.c - fs.path.* and evt.abspath: the paths of calls on files, whether or not they open them. */
#include "agent/rules/live_priv.h"

enum paths { PATH_NONE, PATH_ONE, PATH_TWO, PATH_OF_FD };

static enum paths paths_of(const struct event_call *c)
{
	switch (c->call) {
	case CALL_CHDIR:
	case CALL_CHROOT:
	case CALL_FCHDIR:
	case CALL_MKNOD:
	case CALL_MKNODAT:
		return PATH_NONE; /* Falco leaves them out; evt.arg.path has them */
	case CALL_FCHMOD:
	case CALL_FCHOWN:
		return PATH_OF_FD;
	default:
		break;
	}
	switch (c->family) {
	case FAMILY_OPEN:
	case FAMILY_PATH:
		return PATH_ONE;
	case FAMILY_PATHS:
		return PATH_TWO;
	default:
		return PATH_NONE;
	}
}

/* In Falco the source of a link is the new name and its target what it leads to. */
static bool is_link(enum call c)
{
	return c == CALL_LINK || c == CALL_LINKAT || c == CALL_SYMLINK || c == CALL_SYMLINKAT;
}

/* NULL: no call with such paths, or a failed one. */
static const struct event_call *file_call(const struct live_query *q, bool wants_two)
{
	const struct event_call *c = live_call(q);

	if (!c || c->ret < 0 || paths_of(c) == PATH_NONE || (paths_of(c) == PATH_TWO) != wants_two)
		return NULL;
	return c;
}

static struct slice better(struct slice path, struct slice raw)
{
	return path.n ? path : raw;
}

static bool name(const struct live_query *q, struct rules_value *ret)
{
	const struct event_call *c = file_call(q, false);

	return c && live_str(ret, better(c->path, c->raw));
}

static bool nameraw(const struct live_query *q, struct rules_value *ret)
{
	const struct event_call *c = file_call(q, false);

	return c && live_str(ret, better(c->raw, c->path));
}

static bool one_of_two(const struct live_query *q, bool is_second, bool is_raw, struct rules_value *ret)
{
	const struct event_call *c = file_call(q, true);

	if (!c)
		return false;
	if (is_link(c->call))
		is_second = !is_second;
	if (is_raw)
		return live_str(ret, is_second ? c->raw2 : c->raw);
	return live_str(ret, is_second ? better(c->path2, c->raw2) : better(c->path, c->raw));
}

static bool source(const struct live_query *q, struct rules_value *ret)
{
	return one_of_two(q, false, false, ret);
}

static bool sourceraw(const struct live_query *q, struct rules_value *ret)
{
	return one_of_two(q, false, true, ret);
}

static bool target(const struct live_query *q, struct rules_value *ret)
{
	return one_of_two(q, true, false, ret);
}

static bool targetraw(const struct live_query *q, struct rules_value *ret)
{
	return one_of_two(q, true, true, ret);
}

/* evt.abspath: the first; .src and .dst in the order of the arguments. Of failed calls, too. */
static bool abspath(const struct live_query *q, struct rules_value *ret)
{
	const struct event_call *c = live_call(q);

	if (!c || (c->family != FAMILY_OPEN && c->family != FAMILY_PATH && c->family != FAMILY_PATHS))
		return false;
	if (slice_is(q->arg, "dst"))
		return c->family == FAMILY_PATHS && live_str(ret, better(c->path2, c->raw2));
	if (q->arg.n && (!slice_is(q->arg, "src") || c->family != FAMILY_PATHS))
		return false;
	return live_str(ret, better(c->path, c->raw));
}

live_getter live_file_getter(unsigned id)
{
	static const live_getter getters[FIELD_COUNT] = {
		[FIELD_FS_PATH_NAME] = name,
		[FIELD_FS_PATH_NAMERAW] = nameraw,
		[FIELD_FS_PATH_SOURCE] = source,
		[FIELD_FS_PATH_SOURCERAW] = sourceraw,
		[FIELD_FS_PATH_TARGET] = target,
		[FIELD_FS_PATH_TARGETRAW] = targetraw,
		[FIELD_EVT_ABSPATH] = abspath,
	};

	return getters[id];
}
