/* record.c - see record.h. Everything points into the event, the world or the scratch arena: the
 * bytes are copied once, into the packed message. */
#include "agent/record.h"

#include <errno.h>

#include "agent/record_call.h"
#include "agent/record_priv.h"

/* Of a container's labels; the rest of its record is far below the other half. */
enum { LABELS_BYTES = LIMIT_RECORD_BYTES / 2 };

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

/* Nearest first. Returns the number; the arrays are the caller's. */
static size_t fill_ancestors(struct world *w, const struct event *e, size_t max, struct arena *scratch,
			     Picket__Ancestor *rows, Picket__Ancestor **ptrs)
{
	const struct proc *self = world_proc_of(w, &e->p);
	size_t n = 0;

	while (self && n < max) {
		const struct proc *up = world_ancestor(w, self, (unsigned)n + 1);
		if (!up)
			break;
		Picket__Ancestor *a = &rows[n];
		picket__ancestor__init(a);
		a->pid = up->pid;
		a->start_ns = up->start_ns;
		a->name = record_cut(up->name, LIMIT_NAME_BYTES);
		a->exe = record_cut(up->exe, LIMIT_PATH_BYTES);
		a->cmdline = record_cut(join_cmdline(up->name, up->args, scratch), LIMIT_ARGS_BYTES);
		ptrs[n++] = a;
	}
	if (!n && e->p.parent_name.n && max) { /* the tree lost it; the event itself still knows */
		picket__ancestor__init(&rows[0]);
		rows[0].pid = e->p.ppid;
		rows[0].start_ns = e->p.parent_start_ns;
		rows[0].name = record_cut(e->p.parent_name, LIMIT_NAME_BYTES);
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
static struct slice shown_name(struct slice comm, struct slice argv0, struct slice exe)
{
	struct slice said = base_name(argv0);

	return slice_is(comm, "exe") && said.n && !slice_is(base_name(exe), "exe") ? said : comm;
}

static void fill_process(struct world *w, const struct event *e, Picket__Process *p)
{
	const struct event_process *s = &e->p;
	const struct proc *known = e->type == EV_EXEC || e->type == EV_KILL ? NULL : world_proc_of(w, s);
	/* What the event was given goes first: the tree may know what the process started later. */
	struct slice exe = known && !s->exe.n ? known->exe : s->exe;
	struct slice argv0 = known && !s->argv0.n ? known->argv0 : s->argv0;

	picket__process__init(p);
	p->pid = s->pid;
	p->vpid = s->vpid;
	p->ppid = s->ppid;
	p->start_ns = s->start_ns;
	p->name = record_cut(shown_name(s->name, argv0, exe), LIMIT_NAME_BYTES);
	p->exe = record_cut(exe, LIMIT_PATH_BYTES);
	p->argv0 = record_cut(argv0, LIMIT_PATH_BYTES);
	p->args = record_cut(known && !s->exe.n ? known->args : s->args, LIMIT_ARGS_BYTES);
	p->args_truncated = s->args_truncated;
	p->cwd = record_cut(known && !s->cwd.n ? known->cwd : s->cwd, LIMIT_PATH_BYTES);
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
	if (s->has_exe_sha256)
		p->exe_sha256 = (ProtobufCBinaryData){ sizeof(s->exe_sha256), (uint8_t *)(uintptr_t)s->exe_sha256 };
}

/* The names live until the next lookup: copy them. */
static void fill_names(struct world *w, const struct event *e, struct arena *scratch, Picket__Process *p)
{
	struct slice user = world_user_name(w, &e->p, e->p.euid);
	char *copy = arena_dup(scratch, user);
	if (copy)
		p->user = record_cut(slice_from(copy, user.n), LIMIT_NAME_BYTES);
	struct slice group = world_group_name(w, &e->p, e->p.egid);
	copy = arena_dup(scratch, group);
	if (copy)
		p->group = record_cut(slice_from(copy, group.n), LIMIT_NAME_BYTES);
}

static int pack(Picket__Record *rec, struct buf *out, struct err *err)
{
	return msg_pack_record(rec, out, err);
}

static void shorten(ProtobufCBinaryData *d, size_t max)
{
	if (d->len > max)
		d->len = max;
}

static void shrink_process(Picket__Process *p, size_t max)
{
	ProtobufCBinaryData *own[] = { &p->name, &p->exe, &p->argv0, &p->args, &p->cwd };

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		shorten(own[i], max);
	p->args_truncated = true;
	for (size_t i = 0; i < p->n_ancestors; i++) {
		shorten(&p->ancestors[i]->exe, max);
		shorten(&p->ancestors[i]->cmdline, max);
	}
}

/* Long arguments, paths and ancestors together pass a record's bound. That must not be a way to have
 * an event or an alert thrown away, so it is sent with less of them. */
static const size_t shrink_sizes[] = { 4096, 1024, 256, 64 };

/* The call's arguments as text, as Falco prints them; empty for what has none. */
static struct slice args_text(struct world *w, const struct event *e, const struct container *c,
			      struct arena *scratch)
{
	struct rules_live live = { .world = w, .event = e, .container = c };
	struct rules_source src = rules_live_source(&live);
	const struct rules_field *f = rules_field_find(SLICE_LIT("evt.args"));
	struct rules_value v = { 0 };

	return f && src.get(src.ctx, f, -1, SLICE_NONE, scratch, &v) ? v.str : SLICE_NONE;
}

static int pack_event(Picket__Record *rec, struct record_call *call, struct buf *out, struct err *err)
{
	int r = pack(rec, out, err);

	for (size_t i = 0; r == -ERR_LIMIT && i < ARRAY_LEN(shrink_sizes); i++) {
		shrink_process(rec->event->process, shrink_sizes[i]);
		record_call_shrink(call, shrink_sizes[i]);
		shorten(&rec->event->args, shrink_sizes[i]);
		r = pack(rec, out, err);
	}
	return r;
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
	struct record_call call;

	fill_process(w, e, &p);
	fill_names(w, e, scratch, &p);
	p.n_ancestors = fill_ancestors(w, e, 1, scratch, &parent, parents);
	p.ancestors = parents;
	ev.type = (Picket__EventType)record_event_type(e);
	ev.process = &p;
	if (c) {
		record_container_brief(c, &pc);
		ev.container = &pc;
	}
	if (e->type == EV_EXIT) {
		ex.code = e->exit.code;
		ex.signal = e->exit.signal;
		ex.duration_ns = e->exit.duration_ns;
		ev.exit = &ex;
	}
	record_call_fill(e, &call);
	if (e->type == EV_CALL) {
		ev.call = RECORD_TEXT(rules_live_type(e));
		ev.result = e->call.ret;
		ev.args = record_cut(args_text(w, e, c, scratch), LIMIT_ARGS_BYTES);
		ev.file = call.has_file ? &call.file : NULL;
		ev.network = call.has_network ? &call.network : NULL;
	}
	rec.time_unix_ns = e->unix_ns;
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	return pack_event(&rec, &call, out, err);
}

/* A copy of at most max bytes; "" when the arena is full. */
static char *cut_text(struct arena *scratch, struct slice s, size_t max)
{
	char *p = arena_dup(scratch, slice_sub(s, 0, max));

	return p ? p : RECORD_TEXT("");
}

/* No text of what the process could choose is longer than max any more. */
static void shrink_finding(Picket__Finding *f, struct record_call *call, size_t max)
{
	shrink_process(f->process, max);
	record_call_shrink(call, max);
	for (size_t i = 0; i < f->n_fields; i++)
		shorten(&f->fields[i]->value, max);
	if (strlen(f->output) > max)
		f->output[max] = 0;
}

static int pack_finding(Picket__Record *rec, struct record_call *call, struct buf *out, struct err *err)
{
	int r = pack(rec, out, err);

	for (size_t i = 0; r == -ERR_LIMIT && i < ARRAY_LEN(shrink_sizes); i++) {
		shrink_finding(rec->finding, call, shrink_sizes[i]);
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
		rows[n].key = RECORD_TEXT(m->fields[i].name);
		rows[n].value = record_cut(m->fields[i].text, LIMIT_ARGS_BYTES);
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
	struct record_call call;

	fill_process(w, e, &p);
	fill_names(w, e, scratch, &p);
	p.n_ancestors = fill_ancestors(w, e, LIMIT_ANCESTORS, scratch, ancestors, ancestor_ptrs);
	p.ancestors = ancestor_ptrs;
	f.process = e->type == EV_STATS ? NULL : &p;
	if (c) {
		record_container_brief(c, &pc);
		f.container = &pc;
	}
	f.rule = cut_text(scratch, slice_of(m->rule), LIMIT_NAME_BYTES);
	f.description = cut_text(scratch, slice_trim(slice_of(m->description)), LIMIT_TEXT_BYTES);
	f.source = RECORD_TEXT(m->source ? m->source : "syscall");
	f.priority = RECORD_TEXT(rules_priority_name(m->priority));
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
	f.event_type = (Picket__EventType)record_event_type(e);
	f.event_seq = event_seq;
	const char *type = rules_live_type(e);
	f.call = RECORD_TEXT(type ? type : "");
	f.result = e->type == EV_CALL ? e->call.ret : 0;
	record_call_fill(e, &call);
	f.file = call.has_file ? &call.file : NULL;
	f.network = call.has_network ? &call.network : NULL;
	rec.time_unix_ns = e->unix_ns;
	rec.body_case = PICKET__RECORD__BODY_FINDING;
	rec.finding = &f;
	return pack_finding(&rec, &call, out, err);
}

int record_folded(const struct folded *f, struct arena *scratch, struct buf *out, struct err *err)
{
	Picket__Record bare = PICKET__RECORD__INIT, *rec = NULL;
	Picket__Finding finding = PICKET__FINDING__INIT;
	Picket__Container pc = PICKET__CONTAINER__INIT;

	if (!f->sample.n || msg_read_record(f->sample, scratch, &rec, NULL) < 0 ||
	    rec->body_case != PICKET__RECORD__BODY_FINDING) {
		finding.rule = cut_text(scratch, slice_of(f->rule), LIMIT_NAME_BYTES);
		finding.priority = RECORD_TEXT(rules_priority_name(PRIORITY_NOTICE));
		finding.source = RECORD_TEXT("syscall");
		finding.output = RECORD_TEXT("");
		pc.id = RECORD_TEXT(f->container_id);
		finding.container = f->container_id[0] ? &pc : NULL;
		bare.body_case = PICKET__RECORD__BODY_FINDING;
		bare.finding = &finding;
		rec = &bare;
	}
	rec->finding->count = f->count < LIMIT_FINDING_COUNT ? f->count : LIMIT_FINDING_COUNT;
	rec->finding->first_unix_ns = f->first_unix_ns;
	/* The event of the sample was not sent: it is one of thousands. */
	rec->finding->event_seq = 0;
	rec->time_unix_ns = f->last_unix_ns;
	int r = pack(rec, out, err);
	if (r != -ERR_LIMIT || !rec->finding->process)
		return r;
	shrink_process(rec->finding->process, 1024); /* the count took the last free bytes */
	return pack(rec, out, err);
}

int record_action(struct world *w, const struct guard_result *r, const struct container *c,
		  struct arena *scratch, struct buf *out, struct err *err)
{
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Action action = PICKET__ACTION__INIT;
	Picket__Process p = PICKET__PROCESS__INIT;
	Picket__Container pc = PICKET__CONTAINER__INIT;
	const struct event_process who = { .pid = r->pid, .start_ns = r->start_ns };
	const struct proc *known = r->pid ? world_proc_of(w, &who) : NULL;

	p.pid = r->pid;
	p.start_ns = r->start_ns;
	p.login_uid = UINT32_MAX;
	if (known) {
		p.ppid = known->ppid;
		p.uid = known->uid;
		p.gid = known->gid;
		p.login_uid = known->login_uid;
		p.tty = known->tty;
		p.session_id = known->session_id;
		p.group_id = known->group_id;
		p.vpid = known->vpid;
		p.cwd = record_cut(known->cwd, LIMIT_PATH_BYTES);
		p.name = record_cut(shown_name(known->name, known->argv0, known->exe), LIMIT_NAME_BYTES);
		p.exe = record_cut(known->exe, LIMIT_PATH_BYTES);
		p.argv0 = record_cut(known->argv0, LIMIT_PATH_BYTES);
		p.args = record_cut(known->args, LIMIT_ARGS_BYTES);
	}
	if (c)
		record_container_brief(c, &pc);
	else
		pc.id = RECORD_TEXT(r->container_id);
	action.kind = RECORD_TEXT(guard_action_name(r->action));
	action.rule = cut_text(scratch, slice_of(r->rule), LIMIT_NAME_BYTES);
	action.dry_run = r->is_dry_run;
	action.done = r->is_done;
	action.why = cut_text(scratch, slice_of(r->why), LIMIT_TEXT_BYTES);
	action.by_kernel = r->by_kernel;
	action.finding_seq = r->finding_seq;
	action.took_ns = r->took_ns;
	ev.type = PICKET__EVENT_TYPE__EVENT_ACTION;
	ev.process = r->pid ? &p : NULL;
	ev.container = pc.id[0] ? &pc : NULL;
	ev.action = &action;
	rec.time_unix_ns = r->unix_ns;
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	return pack(&rec, out, err);
}

/* With its configuration, unless that would make it too long: then without. */
static int pack_with_config(Picket__Record *rec, Picket__Container *pc, struct slice config, struct buf *out, struct err *err)
{
	pc->config = config.n ? picket__container_config__unpack(NULL, config.n, (const uint8_t *)config.p) : NULL;
	int r = pack(rec, out, err);
	if (pc->config)
		picket__container_config__free_unpacked(take_ptr(pc->config), NULL);
	return r == -ERR_LIMIT && config.n ? pack(rec, out, err) : r;
}

int record_container(const struct container *c, struct slice config, uint64_t unix_ns, struct arena *scratch,
		     struct buf *out, struct err *err)
{
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Container pc;
	size_t n = c->label_count < LIMIT_LABELS ? c->label_count : LIMIT_LABELS;
	Picket__Container__LabelsEntry *rows = arena_zalloc(scratch, n + 1, sizeof(*rows));
	Picket__Container__LabelsEntry **ptrs = arena_zalloc(scratch, n + 1, sizeof(*ptrs));

	if (!rows || !ptrs)
		return err_set(err, ENOMEM, "container");
	record_container_brief(c, &pc);
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
	pc.user = record_cut(slice_of(c->user), LIMIT_NAME_BYTES);
	pc.privileged = c->privileged;
	pc.engine = RECORD_TEXT(c->engine ? c->engine : "");
	pc.created_unix_ns = c->created_unix_ns;
	pc.started_unix_ns = c->started_unix_ns;
	rec.time_unix_ns = unix_ns;
	rec.body_case = PICKET__RECORD__BODY_CONTAINER;
	rec.container = &pc;
	return pack_with_config(&rec, &pc, config, out, err);
}

int record_container_event(const struct container *c, struct slice config, int type, uint64_t unix_ns, struct buf *out,
			   struct err *err)
{
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Container pc;

	record_container_brief(c, &pc);
	pc.user = record_cut(slice_of(c->user ? c->user : ""), LIMIT_NAME_BYTES);
	pc.privileged = c->privileged;
	ev.type = (Picket__EventType)type;
	ev.container = &pc;
	rec.time_unix_ns = unix_ns;
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	return pack_with_config(&rec, &pc, config, out, err);
}

int record_audit(const Picket__AuditReport *r, uint64_t unix_ns, struct buf *out, struct err *err)
{
	Picket__Record rec = PICKET__RECORD__INIT;

	rec.time_unix_ns = unix_ns;
	rec.body_case = PICKET__RECORD__BODY_AUDIT;
	rec.audit = (Picket__AuditReport *)(uintptr_t)r;
	return pack(&rec, out, err);
}

int record_gap(const struct loss *l, const char *noisiest, uint64_t unix_ns, struct buf *out, struct err *err)
{
	static const Picket__LossClass classes[EVC_COUNT] = { [EVC_PROCESS] = PICKET__LOSS_CLASS__LOSS_PROCESS,
							      [EVC_RARE] = PICKET__LOSS_CLASS__LOSS_RARE,
							      [EVC_VOLUME] = PICKET__LOSS_CLASS__LOSS_VOLUME };
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Gap gap = PICKET__GAP__INIT;

	gap.loss_class = classes[l->class];
	gap.lost = l->lost;
	gap.from_unix_ns = l->from_unix_ns;
	gap.to_unix_ns = l->to_unix_ns;
	gap.reason = RECORD_TEXT(l->reason);
	gap.noisiest = record_cut(slice_of(noisiest), LIMIT_NAME_BYTES);
	rec.time_unix_ns = unix_ns;
	rec.body_case = PICKET__RECORD__BODY_GAP;
	rec.gap = &gap;
	return pack(&rec, out, err);
}
