/* record.c - see record.h. */
#include "collector/store/record.h"

#include "collector/store/record_json.h"

static const char *word(const char *s)
{
	return s ? s : "";
}

static void view_event(const Picket__Event *ev, struct record_view *ret)
{
	ret->type = msg_event_type_name((int)ev->type);
	ret->call = word(ev->call);
	ret->process = ev->process;
	ret->container = ev->container;
	ret->action = ev->action;
	ret->admission = ev->admission;
	ret->traffic = ev->traffic;
	ret->rule = ev->action ? word(ev->action->rule) : ev->admission ? word(ev->admission->rule) : "";
	if (ev->admission && !ret->call[0])
		ret->call = word(ev->admission->kind);
	ret->file = ev->file;
	ret->network = ev->file ? NULL : ev->network;
	ret->args = msg_slice(ev->args);
}

static void view_report(const Picket__AuditReport *m, struct record_view *ret)
{
	ret->type = "audit";
	ret->report = m;
	if (strcmp(m->subject, "container") != 0)
		return;
	ret->reported = (Picket__Container)PICKET__CONTAINER__INIT;
	ret->reported.id = m->subject_id;
	ret->reported.name = m->subject_name;
	ret->reported.image = m->image;
	ret->container = &ret->reported;
}

static void view_finding(const Picket__Finding *f, struct record_view *ret)
{
	ret->type = "finding";
	ret->finding = f;
	ret->call = word(f->call);
	ret->rule = word(f->rule);
	ret->process = f->process;
	ret->container = f->container;
	ret->file = f->file;
	ret->network = f->file ? NULL : f->network;
}

void record_view(const Picket__Record *rec, struct record_view *ret)
{
	*ret = (struct record_view){ .type = "unknown", .call = "", .rule = "" };
	switch ((int)rec->body_case) {
	case PICKET__RECORD__BODY_EVENT:
		view_event(rec->event, ret);
		break;
	case PICKET__RECORD__BODY_FINDING:
		view_finding(rec->finding, ret);
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
		view_report(rec->audit, ret);
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

bool record_hash(const Picket__Process *p, char dst[RECORD_HASH_MAX])
{
	static const char digits[] = "0123456789abcdef";

	if (p->exe_sha256.len != 32)
		return false;
	for (size_t i = 0; i < 32; i++) {
		dst[2 * i] = digits[p->exe_sha256.data[i] >> 4];
		dst[2 * i + 1] = digits[p->exe_sha256.data[i] & 15];
	}
	dst[64] = 0;
	return true;
}

size_t record_paths(const struct record_view *v, struct slice ret[RECORD_PATHS])
{
	size_t count = 0;

	if (v->file && (v->file->path.len || v->file->raw.len))
		ret[count++] = msg_slice(v->file->path.len ? v->file->path : v->file->raw);
	if (v->file && v->file->target.len)
		ret[count++] = msg_slice(v->file->target);
	if (v->network && v->network->path.len)
		ret[count++] = msg_slice(v->network->path);
	return count;
}

size_t record_ends(const struct record_view *v, struct record_end ret[RECORD_ENDS])
{
	const Picket__Network *n = v->network;
	size_t count = 0;

	if (n) {
		ret[count++] = (struct record_end){ msg_slice(n->local_address), n->local_port };
		ret[count++] = (struct record_end){ msg_slice(n->remote_address), n->remote_port };
	}
	for (size_t i = 0; v->traffic && i < v->traffic->n_peers && count < RECORD_ENDS; i++)
		ret[count++] = (struct record_end){ msg_slice(v->traffic->peers[i]->address), v->traffic->peers[i]->port };
	return count;
}

/* Bytes up to and with the last slash. */
static size_t directory_bytes(struct slice path)
{
	size_t n = path.n;

	while (n && path.p[n - 1] != '/')
		n--;
	return n;
}

bool record_path_is(struct slice path, struct slice want)
{
	size_t n = directory_bytes(path);

	return slice_eq(path, want) || (want.n && slice_eq(slice_sub(path, n, path.n), want)) ||
	       (want.n && slice_eq(slice_sub(path, 0, n), want));
}

uint64_t record_term(enum term_kind kind, struct slice value)
{
	uint64_t h = slice_hash(value) ^ ((uint64_t)kind * 0x9e3779b97f4a7c15ull);

	h ^= h >> 29;
	h *= 0xbf58476d1ce4e5b9ull;
	h ^= h >> 32;
	return h & INT64_MAX ? h & INT64_MAX : 1; /* SQLite's integers have a sign, sets use 0 */
}

static void path_terms(const struct record_view *v, void (*add)(void *arg, uint64_t term), void *arg)
{
	struct slice paths[RECORD_PATHS];
	size_t count = record_paths(v, paths);

	for (size_t i = 0; i < count; i++) {
		size_t n = directory_bytes(paths[i]);

		add(arg, record_term(TERM_PATH, paths[i]));
		if (!n)
			continue;
		if (n < paths[i].n)
			add(arg, record_term(TERM_PATH, slice_sub(paths[i], 0, n)));
		if (n < paths[i].n)
			add(arg, record_term(TERM_PATH, slice_sub(paths[i], n, paths[i].n)));
	}
}

static void end_terms(struct slice address, uint32_t port, void (*add)(void *arg, uint64_t term), void *arg)
{
	char text[RECORD_ADDRESS_MAX];

	if (record_json_address(address, text))
		add(arg, record_term(TERM_ADDRESS, slice_of(text)));
	if (port && port < RECORD_PORTS) {
		snprintf(text, sizeof(text), "%u", port);
		add(arg, record_term(TERM_PORT, slice_of(text)));
	}
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
		char uid[16], hash[RECORD_HASH_MAX];

		snprintf(uid, sizeof(uid), "%u", v.process->uid);
		add(arg, record_term(TERM_PROCESS, msg_slice(v.process->name)));
		add(arg, record_term(TERM_EXE, msg_slice(v.process->exe)));
		add(arg, record_term(TERM_USER, slice_of(uid)));
		if (v.process->user.len)
			add(arg, record_term(TERM_USER, msg_slice(v.process->user)));
		if (record_hash(v.process, hash))
			add(arg, record_term(TERM_HASH, slice_of(hash)));
		if (v.process->n_ancestors)
			add(arg, record_term(TERM_PARENT, msg_slice(v.process->ancestors[0]->name)));
	}
	if (v.rule[0])
		add(arg, record_term(TERM_RULE, slice_of(v.rule)));
	if (v.call[0])
		add(arg, record_term(TERM_CALL, slice_of(v.call)));
	path_terms(&v, add, arg);
	/* A record that says more than its kind has: a hostile one, with a process and peers. */
	struct record_end ends[RECORD_ENDS];
	size_t count = record_ends(&v, ends);
	for (size_t i = 0; i < count && !(v.traffic && (v.process || v.network || v.file)); i++)
		end_terms(ends[i].address, ends[i].port, add, arg);
}
