/* record.c - see record.h. */
#include "collector/store/record.h"

#include "collector/store/store.h"

void record_view(const Picket__Record *rec, struct record_view *ret)
{
	*ret = (struct record_view){ .type = "unknown" };
	switch ((int)rec->body_case) {
	case PICKET__RECORD__BODY_EVENT:
		ret->type = msg_event_type_name((int)rec->event->type);
		ret->process = rec->event->process;
		ret->container = rec->event->container;
		break;
	case PICKET__RECORD__BODY_FINDING:
		ret->type = "finding";
		ret->finding = rec->finding;
		ret->process = rec->finding->process;
		ret->container = rec->finding->container;
		break;
	case PICKET__RECORD__BODY_GAP:
		ret->type = "gap";
		ret->gap = rec->gap;
		break;
	case PICKET__RECORD__BODY_CONTAINER:
		ret->type = "container";
		ret->container = rec->container;
		break;
	case PICKET__RECORD__BODY_AUDIT:
		ret->type = "audit";
		break;
	case PICKET__RECORD__BODY_INVENTORY:
		ret->type = "inventory";
		break;
	default: /* from a newer agent */
		break;
	}
}

const char *store_record_type(const Picket__Record *rec)
{
	struct record_view v;

	record_view(rec, &v);
	return v.type;
}

struct slice record_cmdline(const Picket__Process *p, struct arena *a)
{
	struct slice name = msg_slice(p->name), args = msg_slice(p->args);
	char *out = arena_alloc(a, name.n + args.n + 2);

	if (!out)
		return SLICE_NONE;
	(void)slice_copy(name, out, name.n + 1);
	size_t n = name.n;
	if (args.n && !args.p[args.n - 1])
		args.n--; /* the NUL that ends the last argument */
	if (args.n)
		out[n++] = ' ';
	for (size_t i = 0; i < args.n; i++)
		out[n++] = args.p[i] ? args.p[i] : ' ';
	return slice_from(out, n);
}

uint64_t record_term(enum term_kind kind, struct slice value)
{
	uint64_t h = slice_hash(value) ^ ((uint64_t)kind * 0x9e3779b97f4a7c15ull);

	h ^= h >> 29;
	h *= 0xbf58476d1ce4e5b9ull;
	h ^= h >> 32;
	return h & INT64_MAX ? h & INT64_MAX : 1; /* SQLite's integers have a sign, sets use 0 */
}

void record_terms(const char *agent, const Picket__Record *rec,
		  void (*add)(void *arg, uint64_t term), void *arg)
{
	struct record_view v;

	record_view(rec, &v);
	add(arg, record_term(TERM_AGENT, slice_of(agent)));
	add(arg, record_term(TERM_TYPE, slice_of(v.type)));
	if (v.container) {
		struct slice id = slice_of(v.container->id);

		if (id.n)
			add(arg, record_term(TERM_CONTAINER_ID, slice_sub(id, 0, CONTAINER_ID_SHORT)));
		if (v.container->name.len)
			add(arg, record_term(TERM_CONTAINER_NAME, msg_slice(v.container->name)));
		if (v.container->image.len)
			add(arg, record_term(TERM_IMAGE, msg_slice(v.container->image)));
	}
	if (v.process) {
		char uid[16];

		snprintf(uid, sizeof(uid), "%u", v.process->uid);
		add(arg, record_term(TERM_PROCESS, msg_slice(v.process->name)));
		add(arg, record_term(TERM_EXE, msg_slice(v.process->exe)));
		add(arg, record_term(TERM_USER, slice_of(uid)));
		if (v.process->user.len)
			add(arg, record_term(TERM_USER, msg_slice(v.process->user)));
		if (v.process->n_ancestors)
			add(arg, record_term(TERM_PARENT, msg_slice(v.process->ancestors[0]->name)));
	}
	if (v.finding)
		add(arg, record_term(TERM_RULE, slice_of(v.finding->rule)));
}
