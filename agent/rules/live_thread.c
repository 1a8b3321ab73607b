/* live_thread.c - thread.*: what the thread that made the event may do, and where it is. */
#include "agent/rules/live_priv.h"

static bool capabilities(const struct live_query *q, uint64_t set, struct rules_value *ret)
{
	static const char *const names[] = {
#define CAP(name) #name,
#include "agent/caps.def"
#undef CAP
	};
	char *text = arena_alloc(q->scratch, ARRAY_LEN(names) * 24), *at = text;

	if (!text)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (set >> i & 1) {
			if (at != text)
				*at++ = ' ';
			at = stpcpy(stpcpy(at, "CAP_"), names[i]);
		}
	/* None at all is a value too: contains is then false, and not by luck. */
	ret->str = slice_from(text, (size_t)(at - text));
	return true;
}

static bool cap_effective(const struct live_query *q, struct rules_value *ret)
{
	return capabilities(q, live_process(q)->cap_effective, ret);
}

static bool cap_permitted(const struct live_query *q, struct rules_value *ret)
{
	return capabilities(q, live_process(q)->cap_permitted, ret);
}

static bool cap_inheritable(const struct live_query *q, struct rules_value *ret)
{
	return capabilities(q, live_process(q)->cap_inheritable, ret);
}

static bool cgroups(const struct live_query *q, struct rules_value *ret)
{
	return live_str(ret, live_process(q)->cgroup);
}

static bool nametid(const struct live_query *q, struct rules_value *ret)
{
	const struct event_process *p = live_process(q);

	return live_str(ret, slice_of(arena_printf(q->scratch, "%.*s%u", SLICE_FMT(p->name), p->tid)));
}

live_getter live_thread_getter(unsigned id)
{
	static const live_getter getters[FIELD_COUNT] = {
		[FIELD_THREAD_CAP_EFFECTIVE] = cap_effective,
		[FIELD_THREAD_CAP_PERMITTED] = cap_permitted,
		[FIELD_THREAD_CAP_INHERITABLE] = cap_inheritable,
		[FIELD_THREAD_CGROUPS] = cgroups,
		[FIELD_THREAD_CGROUP] = cgroups,
		[FIELD_THREAD_NAMETID] = nametid,
	};

	return getters[id];
}
