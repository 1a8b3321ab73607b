/* record.c - see record.h. Everything points into the event, the world or the scratch arena: the
 * bytes are copied once, into the packed message. */
#include "agent/record.h"

#include <errno.h>

#define TEXT(s) ((char *)(uintptr_t)(s))

/* Of a container's labels; the rest of its record is far below the other half. */
enum { LABELS_BYTES = LIMIT_RECORD_BYTES / 2 };

static ProtobufCBinaryData cut(struct slice s, size_t max)
{
	return msg_bytes(slice_sub(s, 0, max));
}

/* name + " " + arguments, as `ps` shows it. */
static struct slice join_cmdline(struct slice name, struct slice args, struct arena *scratch)
{
	size_t n = name.n + 1 + args.n;
	char *p = arena_alloc(scratch, n);

	if (!p)
		return name;
	if (name.n)
		memcpy(p, name.p, name.n);
	p[name.n] = ' ';
	for (size_t i = 0; i < args.n; i++)
		p[name.n + 1 + i] = args.p[i] ? args.p[i] : ' ';
	while (n && p[n - 1] == ' ')
		n--;
	return (struct slice){ p, n };
}

/* The process of the event in the tree. A pid comes again: after a loss, or while an event waited, the
 * tree may know another by it. What /proc told of starts is cut to a hundredth of a second. */
static const struct proc *own_proc(struct world *w, const struct event_process *s)
{
	const uint64_t tick_ns = 10000000;
	const struct proc *p = world_proc(w, s->pid);

	if (!p || p->start_ns > s->start_ns + tick_ns || s->start_ns > p->start_ns + tick_ns)
		return NULL;
	return p;
}

/* Nearest first. Returns the number; the arrays are the caller's. */
static size_t fill_ancestors(struct world *w, const struct event *e, size_t max, struct arena *scratch,
			     Picket__Ancestor *rows, Picket__Ancestor **ptrs)
{
	const struct proc *self = own_proc(w, &e->p);
	size_t n = 0;

	while (self && n < max) {
		const struct proc *up = world_ancestor(w, self, (unsigned)n + 1);
		if (!up)
			break;
		Picket__Ancestor *a = &rows[n];
		picket__ancestor__init(a);
		a->pid = up->pid;
		a->start_ns = up->start_ns;
		a->name = cut(up->name, LIMIT_NAME_BYTES);
		a->exe = cut(up->exe, LIMIT_PATH_BYTES);
		a->cmdline = cut(join_cmdline(up->name, up->args, scratch), LIMIT_ARGS_BYTES);
		ptrs[n++] = a;
	}
	if (!n && e->p.parent_name.n && max) { /* the tree lost it; the event itself still knows */
		picket__ancestor__init(&rows[0]);
		rows[0].pid = e->p.ppid;
		rows[0].start_ns = e->p.parent_start_ns;
		rows[0].name = cut(e->p.parent_name, LIMIT_NAME_BYTES);
		rows[0].cmdline = rows[0].name;
		ptrs[n++] = &rows[0];
	}
	return n;
}

static struct slice base_name(struct slice path)
{
	size_t at = path.n;

	while (at && path.p[at - 1] != '/')
		at--;
	return slice_sub(path, at, path.n);
}

/* The name people read. A program run as /proc/self/exe (busybox's applets, runc, dockerd do it) has
 * "exe" for a comm, which tells nothing: argv[0] says what it means to be. Rules see the comm. */
static struct slice shown_name(const struct event_process *s)
{
	struct slice said = base_name(s->argv0);

	if (slice_is(s->name, "exe") && said.n && !slice_is(base_name(s->exe), "exe"))
		return said;
	return s->name;
}

static void fill_process(struct world *w, const struct event *e, Picket__Process *p)
{
	const struct event_process *s = &e->p;
	const struct proc *known = e->type == EV_EXEC ? NULL : own_proc(w, s);

	picket__process__init(p);
	p->pid = s->pid;
	p->vpid = s->vpid;
	p->ppid = s->ppid;
	p->start_ns = s->start_ns;
	p->name = cut(shown_name(s), LIMIT_NAME_BYTES);
	p->exe = cut(known ? known->exe : s->exe, LIMIT_PATH_BYTES);
	p->argv0 = cut(known ? known->argv0 : s->argv0, LIMIT_PATH_BYTES);
	p->args = cut(known ? known->args : s->args, LIMIT_ARGS_BYTES);
	p->args_truncated = s->args_truncated;
	p->cwd = cut(s->cwd, LIMIT_PATH_BYTES);
	p->uid = s->euid;
	p->real_uid = s->uid;
	p->gid = s->egid;
	p->login_uid = s->login_uid;
	p->tty = s->tty;
	p->session_id = s->session_id;
	p->group_id = s->group_id;
	p->cap_effective = s->cap_effective;
	p->cap_permitted = s->cap_permitted;
	p->cap_inheritable = s->cap_inheritable;
	p->ns_pid = s->ns_pid;
	p->ns_mnt = s->ns_mnt;
	p->ns_net = s->ns_net;
	p->ns_user = s->ns_user;
	p->cgroup_id = s->cgroup_id;
	p->exe_upper_layer = s->exe_upper_layer;
	p->exe_from_memfd = s->exe_from_memfd;
	p->exe_writable = s->exe_writable;
	p->exe_inode = s->exe_inode;
	p->exe_ctime_ns = s->exe_ctime_ns;
	p->exe_mtime_ns = s->exe_mtime_ns;
}

/* The names live until the next lookup: copy them. */
static void fill_names(struct world *w, const struct event *e, struct arena *scratch, Picket__Process *p)
{
	struct slice user = world_user_name(w, &e->p, e->p.euid);
	char *copy = arena_dup(scratch, user);
	if (copy)
		p->user = cut(slice_from(copy, user.n), LIMIT_NAME_BYTES);
	struct slice group = world_group_name(w, &e->p, e->p.egid);
	copy = arena_dup(scratch, group);
	if (copy)
		p->group = cut(slice_from(copy, group.n), LIMIT_NAME_BYTES);
}

/* The short form that rides on every event. */
static void fill_container(const struct container *c, Picket__Container *ret)
{
	picket__container__init(ret);
	ret->id = TEXT(c->id);
	ret->name = cut(slice_of(c->name), LIMIT_NAME_BYTES);
	ret->image = cut(slice_of(c->image), LIMIT_NAME_BYTES);
	ret->image_id = TEXT(c->image_id ? c->image_id : "");
	ret->image_digest = TEXT(c->image_digest ? c->image_digest : "");
}

static int pack(Picket__Record *rec, struct buf *out, struct err *err)
{
	return msg_pack_record(rec, out, err);
}

int record_event(struct world *w, const struct event *e, const struct container *c,
		 struct arena *scratch, struct buf *out, struct err *err)
{
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Process p;
	Picket__Container pc;
	Picket__Exit ex = PICKET__EXIT__INIT;
	Picket__Ancestor parent;
	Picket__Ancestor *parents[1];

	fill_process(w, e, &p);
	fill_names(w, e, scratch, &p);
	p.n_ancestors = fill_ancestors(w, e, 1, scratch, &parent, parents);
	p.ancestors = parents;
	ev.type = e->type == EV_EXIT ? PICKET__EVENT_TYPE__EVENT_EXIT : PICKET__EVENT_TYPE__EVENT_EXEC;
	ev.process = &p;
	if (c) {
		fill_container(c, &pc);
		ev.container = &pc;
	}
	if (e->type == EV_EXIT) {
		ex.code = e->exit.code;
		ex.signal = e->exit.signal;
		ex.duration_ns = e->exit.duration_ns;
		ev.exit = &ex;
	}
	rec.time_unix_ns = e->unix_ns;
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	return pack(&rec, out, err);
}

/* A copy of at most max bytes; "" when the arena is full. */
static char *cut_text(struct arena *scratch, struct slice s, size_t max)
{
	char *p = arena_dup(scratch, slice_sub(s, 0, max));

	return p ? p : TEXT("");
}

static void shorten(ProtobufCBinaryData *d, size_t max)
{
	if (d->len > max)
		d->len = max;
}

/* No text of what the process could choose is longer than max any more. */
static void shrink_finding(Picket__Finding *f, size_t max)
{
	Picket__Process *p = f->process;
	ProtobufCBinaryData *own[] = { &p->name, &p->exe, &p->argv0, &p->args, &p->cwd };

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		shorten(own[i], max);
	p->args_truncated = true;
	for (size_t i = 0; i < p->n_ancestors; i++) {
		shorten(&p->ancestors[i]->exe, max);
		shorten(&p->ancestors[i]->cmdline, max);
	}
	for (size_t i = 0; i < f->n_fields; i++)
		shorten(&f->fields[i]->value, max);
	if (strlen(f->output) > max)
		f->output[max] = 0;
}

/* Long arguments, paths and ancestors together pass a record's bound. That must not be a way to have
 * an alert thrown away, so it is sent with less of them. */
static int pack_finding(Picket__Record *rec, struct buf *out, struct err *err)
{
	static const size_t sizes[] = { 4096, 1024, 256, 64 };
	int r = pack(rec, out, err);

	for (size_t i = 0; r == -ERR_LIMIT && i < ARRAY_LEN(sizes); i++) {
		shrink_finding(rec->finding, sizes[i]);
		r = pack(rec, out, err);
	}
	return r;
}

static size_t fill_fields(const struct rules_match *m, Picket__Finding__FieldsEntry *rows,
			  Picket__Finding__FieldsEntry **ptrs)
{
	size_t n = 0;

	for (size_t i = 0; i < m->field_count && n < LIMIT_FIELDS; i++) {
		picket__finding__fields_entry__init(&rows[n]);
		rows[n].key = TEXT(m->fields[i].name);
		rows[n].value = cut(m->fields[i].text, LIMIT_ARGS_BYTES);
		ptrs[n] = &rows[n];
		n++;
	}
	return n;
}

int record_finding(struct world *w, const struct event *e, const struct container *c,
		   const struct rules_match *m, uint64_t event_seq, struct arena *scratch,
		   struct buf *out, struct err *err)
{
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Finding f = PICKET__FINDING__INIT;
	Picket__Process p;
	Picket__Container pc;
	Picket__Ancestor ancestors[LIMIT_ANCESTORS];
	Picket__Ancestor *ancestor_ptrs[LIMIT_ANCESTORS];
	Picket__Finding__FieldsEntry fields[LIMIT_FIELDS];
	Picket__Finding__FieldsEntry *field_ptrs[LIMIT_FIELDS];
	char *tags[LIMIT_TAGS];

	fill_process(w, e, &p);
	fill_names(w, e, scratch, &p);
	p.n_ancestors = fill_ancestors(w, e, LIMIT_ANCESTORS, scratch, ancestors, ancestor_ptrs);
	p.ancestors = ancestor_ptrs;
	f.process = &p;
	if (c) {
		fill_container(c, &pc);
		f.container = &pc;
	}
	f.rule = cut_text(scratch, slice_of(m->rule), LIMIT_NAME_BYTES);
	f.description = cut_text(scratch, slice_trim(slice_of(m->description)), LIMIT_TEXT_BYTES);
	f.source = TEXT(m->source ? m->source : "syscall");
	f.priority = TEXT(rules_priority_name(m->priority));
	f.output = arena_dup(scratch, slice_sub(m->output, 0, LIMIT_OUTPUT_BYTES));
	if (!f.output)
		return err_set(err, ENOMEM, "finding");
	for (size_t i = 0; i < m->tag_count && i < LIMIT_TAGS; i++) {
		tags[i] = cut_text(scratch, slice_of(m->tags[i]), LIMIT_NAME_BYTES);
		f.n_tags = i + 1;
	}
	f.tags = tags;
	f.n_fields = fill_fields(m, fields, field_ptrs);
	f.fields = field_ptrs;
	f.event_type = PICKET__EVENT_TYPE__EVENT_EXEC;
	f.event_seq = event_seq;
	rec.time_unix_ns = e->unix_ns;
	rec.body_case = PICKET__RECORD__BODY_FINDING;
	rec.finding = &f;
	return pack_finding(&rec, out, err);
}

int record_container(const struct container *c, uint64_t unix_ns, struct arena *scratch,
		     struct buf *out, struct err *err)
{
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Container pc;
	size_t n = c->label_count < LIMIT_LABELS ? c->label_count : LIMIT_LABELS;
	Picket__Container__LabelsEntry *rows = arena_zalloc(scratch, n + 1, sizeof(*rows));
	Picket__Container__LabelsEntry **ptrs = arena_zalloc(scratch, n + 1, sizeof(*ptrs));

	if (!rows || !ptrs)
		return err_set(err, ENOMEM, "container");
	fill_container(c, &pc);
	for (size_t i = 0, bytes = 0; i < n; i++) {
		Picket__Container__LabelsEntry *row = &rows[pc.n_labels];

		/* An image's labels must not keep its container nameless. */
		bytes += strlen(c->labels[i].key) + strlen(c->labels[i].value) + 16;
		if (bytes > LABELS_BYTES)
			break;
		picket__container__labels_entry__init(row);
		row->key = cut_text(scratch, slice_of(c->labels[i].key), LIMIT_NAME_BYTES);
		row->value = cut_text(scratch, slice_of(c->labels[i].value), LIMIT_TEXT_BYTES);
		ptrs[pc.n_labels++] = row;
	}
	pc.labels = ptrs;
	pc.user = cut(slice_of(c->user), LIMIT_NAME_BYTES);
	pc.privileged = c->privileged;
	pc.engine = TEXT(c->engine ? c->engine : "");
	pc.created_unix_ns = c->created_unix_ns;
	pc.started_unix_ns = c->started_unix_ns;
	rec.time_unix_ns = unix_ns;
	rec.body_case = PICKET__RECORD__BODY_CONTAINER;
	rec.container = &pc;
	return pack(&rec, out, err);
}

int record_container_event(const struct container *c, int type, uint64_t unix_ns, struct buf *out,
			   struct err *err)
{
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Container pc;

	fill_container(c, &pc);
	ev.type = (Picket__EventType)type;
	ev.container = &pc;
	rec.time_unix_ns = unix_ns;
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	return pack(&rec, out, err);
}

int record_gap(int loss_class, uint64_t lost, uint64_t from_unix_ns, uint64_t to_unix_ns,
	       const char *reason, uint64_t unix_ns, struct buf *out, struct err *err)
{
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Gap gap = PICKET__GAP__INIT;

	gap.loss_class = (Picket__LossClass)loss_class;
	gap.lost = lost;
	gap.from_unix_ns = from_unix_ns;
	gap.to_unix_ns = to_unix_ns;
	gap.reason = TEXT(reason);
	rec.time_unix_ns = unix_ns;
	rec.body_case = PICKET__RECORD__BODY_GAP;
	rec.gap = &gap;
	return pack(&rec, out, err);
}
