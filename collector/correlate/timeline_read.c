/* timeline_read.c - an event's JSON back as the record that it was made of. */
#include <errno.h>
#include <math.h>

#include "collector/correlate/timeline_priv.h"
#include "common/text.h"

enum { TAGS_MAX = 64, RESULTS_MAX = 1000 };

static int64_t whole(const cJSON *v)
{
	return cJSON_IsNumber(v) && fabs(v->valuedouble) < 9e15 ? (int64_t)v->valuedouble : 0;
}

/* 3, or "EACCES" */
static int64_t read_result(const cJSON *v)
{
	if (cJSON_IsNumber(v))
		return whole(v);
	for (int e = 1; cJSON_IsString(v) && e < 134; e++) {
		const char *name = strerrorname_np(e);

		if (name && !strcmp(name, v->valuestring))
			return -e;
	}
	return 0;
}

static Picket__Exit *read_exit(struct reader *r, const cJSON *o)
{
	Picket__Exit *x = cJSON_IsObject(o) ? NEW(r, Picket__Exit) : NULL;

	if (!x)
		return NULL;
	picket__exit__init(x);
	x->code = (int32_t)whole(at(o, "code"));
	x->signal = number(o, "signal");
	x->duration_ns = json_get_u64(o, "duration_ns", 0);
	return x;
}

static Picket__Admission *read_admission(struct reader *r, const cJSON *o)
{
	Picket__Admission *m = cJSON_IsObject(o) ? NEW(r, Picket__Admission) : NULL;

	if (!m)
		return NULL;
	picket__admission__init(m);
	m->kind = text(r, o, "kind");
	m->is_allowed = flag(o, "allowed");
	m->is_monitored = flag(o, "monitored");
	m->rule = text(r, o, "rule");
	m->reason = bytes(r, o, "reason");
	m->policy = text(r, o, "policy");
	m->user = bytes(r, o, "user");
	m->method = bytes(r, o, "method");
	m->path = bytes(r, o, "path");
	m->count = json_get_u64(o, "count", 0);
	return m;
}

static Picket__Action *read_action(struct reader *r, const cJSON *o)
{
	Picket__Action *x = cJSON_IsObject(o) ? NEW(r, Picket__Action) : NULL;

	if (!x)
		return NULL;
	picket__action__init(x);
	x->kind = text(r, o, "kind");
	x->rule = text(r, o, "rule");
	x->why = text(r, o, "why");
	x->dry_run = flag(o, "dry_run");
	x->done = flag(o, "done");
	x->by_kernel = flag(o, "by_kernel");
	return x;
}

static Picket__Finding *read_finding(struct reader *r, const cJSON *line)
{
	const cJSON *o = at(line, "finding"), *tag;
	Picket__Finding *f = NEW(r, Picket__Finding);

	if (!f)
		return NULL;
	picket__finding__init(f);
	f->rule = text(r, o, "rule");
	f->priority = text(r, o, "priority");
	f->output = text(r, o, "output");
	f->source = (char *)(uintptr_t)"syscall";
	f->count = json_get_u64(o, "count", 0);
	f->tags = arena_zalloc(r->a, TAGS_MAX, sizeof(*f->tags));
	r->is_full |= !f->tags;
	cJSON_ArrayForEach(tag, at(o, "tags"))
	{
		if (f->tags && cJSON_IsString(tag) && f->n_tags < TAGS_MAX) {
			f->tags[f->n_tags] = arena_dup(r->a, slice_of(tag->valuestring));
			r->is_full |= !f->tags[f->n_tags++];
		}
	}
	f->process = timeline_process(r, at(line, "process"));
	f->container = timeline_container(r, at(line, "container"));
	f->file = timeline_file(r, at(line, "file"));
	f->network = timeline_network(r, at(line, "network"));
	f->call = text(r, line, "call");
	f->result = read_result(at(line, "result"));
	return f;
}

static Picket__Gap *read_gap(struct reader *r, const cJSON *o)
{
	Picket__Gap *g = NEW(r, Picket__Gap);

	if (!g)
		return NULL;
	picket__gap__init(g);
	for (int i = 0; i < 4; i++)
		if (slice_is(json_get_str(o, "class"), msg_loss_class_name(i)))
			g->loss_class = (Picket__LossClass)i;
	g->lost = json_get_u64(o, "lost", 0);
	g->reason = text(r, o, "reason");
	g->noisiest = bytes(r, o, "noisiest");
	return g;
}

static Picket__AuditReport *read_report(struct reader *r, const cJSON *o)
{
	Picket__AuditReport *m = NEW(r, Picket__AuditReport);
	const cJSON *x;

	if (!m)
		return NULL;
	picket__audit_report__init(m);
	m->subject = text(r, o, "subject");
	m->subject_id = text(r, o, "subject_id");
	m->subject_name = bytes(r, o, "name");
	m->image = bytes(r, o, "image");
	m->trigger = text(r, o, "trigger");
	m->is_gone = flag(o, "gone");
	m->results = arena_zalloc(r->a, RESULTS_MAX, sizeof(*m->results));
	r->is_full |= !m->results;
	cJSON_ArrayForEach(x, at(o, "results"))
	{
		Picket__AuditResult *one = m->results && m->n_results < RESULTS_MAX ? NEW(r, Picket__AuditResult) : NULL;

		if (!one)
			break;
		picket__audit_result__init(one);
		one->check_id = text(r, x, "check");
		one->status = text(r, x, "status");
		one->severity = text(r, x, "severity");
		one->evidence = bytes(r, x, "evidence");
		one->differs = flag(x, "differs");
		m->results[m->n_results++] = one;
	}
	return m;
}

static Picket__Traffic *read_traffic(struct reader *r, const cJSON *o)
{
	Picket__Traffic *t = cJSON_IsObject(o) ? NEW(r, Picket__Traffic) : NULL;
	const cJSON *x;

	if (!t)
		return NULL;
	picket__traffic__init(t);
	t->rx_bytes = json_get_u64(o, "rx_bytes", 0);
	t->tx_bytes = json_get_u64(o, "tx_bytes", 0);
	t->rx_packets = json_get_u64(o, "rx_packets", 0);
	t->tx_packets = json_get_u64(o, "tx_packets", 0);
	t->peers = arena_zalloc(r->a, LIMIT_TRAFFIC_PEERS, sizeof(*t->peers));
	r->is_full |= !t->peers;
	cJSON_ArrayForEach(x, at(o, "peers"))
	{
		Picket__TrafficPeer *one = t->peers && t->n_peers < LIMIT_TRAFFIC_PEERS ? NEW(r, Picket__TrafficPeer) : NULL;

		if (!one)
			break;
		picket__traffic_peer__init(one);
		one->address = timeline_address(r, x, "address");
		one->port = number(x, "port");
		one->is_outgoing = flag(x, "outgoing");
		one->rx_bytes = json_get_u64(x, "rx_bytes", 0);
		one->tx_bytes = json_get_u64(x, "tx_bytes", 0);
		t->peers[t->n_peers++] = one;
	}
	return t;
}

static Picket__Event *read_event(struct reader *r, const cJSON *line, int type)
{
	Picket__Event *ev = NEW(r, Picket__Event);

	if (!ev)
		return NULL;
	picket__event__init(ev);
	ev->type = (Picket__EventType)type;
	ev->process = timeline_process(r, at(line, "process"));
	ev->container = timeline_container(r, at(line, "container"));
	ev->exit = read_exit(r, at(line, "exit"));
	ev->call = text(r, line, "call");
	ev->result = read_result(at(line, "result"));
	ev->file = timeline_file(r, at(line, "file"));
	ev->network = timeline_network(r, at(line, "network"));
	ev->args = bytes(r, line, "args");
	ev->admission = read_admission(r, at(line, "admission"));
	ev->traffic = read_traffic(r, at(line, "traffic"));
	ev->action = read_action(r, at(line, "action"));
	return ev;
}

/* ---- a line ---- */

static int event_type(struct slice name)
{
	for (int i = 1; i <= PICKET__EVENT_TYPE__EVENT_HASH; i++)
		if (slice_is(name, msg_event_type_name(i)))
			return i;
	return 0;
}

static int read_body(struct reader *r, const cJSON *line, struct slice type, Picket__Record *rec, struct err *err)
{
	int number_of = event_type(type);

	if (number_of) {
		rec->body_case = PICKET__RECORD__BODY_EVENT;
		rec->event = read_event(r, line, number_of);
	} else if (slice_is(type, "finding")) {
		rec->body_case = PICKET__RECORD__BODY_FINDING;
		rec->finding = read_finding(r, line);
	} else if (slice_is(type, "gap")) {
		rec->body_case = PICKET__RECORD__BODY_GAP;
		rec->gap = read_gap(r, at(line, "gap"));
	} else if (slice_is(type, "container")) {
		rec->body_case = PICKET__RECORD__BODY_CONTAINER;
		rec->container = timeline_container(r, at(line, "container"));
	} else if (slice_is(type, "audit")) {
		rec->body_case = PICKET__RECORD__BODY_AUDIT;
		rec->audit = read_report(r, at(line, "audit"));
	} else {
		return err_set(err, ERR_SYNTAX, "type '%.*s': exec, exit, file, network, call, finding, container …, scan, health",
			       SLICE_FMT(type));
	}
	if (rec->body_case == PICKET__RECORD__BODY_CONTAINER && !rec->container)
		return err_set(err, ERR_SYNTAX, "a container event needs \"container\"");
	return 0;
}

static void read_made(struct reader *r, const cJSON *line, struct timeline_event *ret)
{
	const cJSON *scan = at(line, "scan");
	bool is_scan = slice_is(json_get_str(line, "type"), "scan");

	ret->made = (struct observed_made){ .source = is_scan ? DETECT_SOURCE_SCAN : DETECT_SOURCE_HEALTH,
					    .container = timeline_container(r, at(line, "container")),
					    .state = text(r, is_scan ? scan : at(line, "health"), "state"),
					    .vulnerability = text(r, scan, "vulnerability"),
					    .severity = text(r, scan, "severity"),
					    .package = text(r, scan, "package"),
					    .used = text(r, scan, "used"),
					    .is_exploited = flag(scan, "exploited"),
					    .is_exposed = flag(scan, "exposed"),
					    .is_fixable = flag(scan, "fixable") };
}

static void read_known(struct reader *r, const cJSON *line, struct timeline_event *ret)
{
	const cJSON *image = at(line, "image"), *c = at(line, "container");

	ret->has_known = cJSON_IsObject(c);
	ret->known = (struct observed_known){ .name = json_get_str(c, "name"),
					      .image = json_get_str(c, "image"),
					      .image_id = text(r, c, "image_id"),
					      .worst = text(r, image, "worst"),
					      .is_privileged = flag(c, "privileged"),
					      .is_told = at(c, "privileged") != NULL,
					      .is_scanned = flag(image, "scanned"),
					      .is_exploited = flag(image, "exploited") };
	ret->remote_host = text(r, line, "remote_host");
	ret->is_remote_silent = flag(line, "remote_silent");
}

/* "agent:epoch:seq" */
static void read_id(struct reader *r, const cJSON *line, struct timeline_event *ret)
{
	struct slice id = json_get_str(line, "id"), agent = SLICE_NONE, epoch = SLICE_NONE;

	if (slice_split(&id, ':', &agent) && slice_split(&id, ':', &epoch) && slice_to_u64(epoch, &ret->epoch) &&
	    slice_to_u64(id, &ret->sequence) && agent.n) {
		ret->agent = arena_dup(r->a, agent);
		r->is_full |= !ret->agent;
	} else {
		ret->epoch = ret->sequence = 0;
		ret->agent = text(r, line, "agent");
	}
	if (ret->agent && !ret->agent[0])
		ret->agent = ret->host;
}

int timeline_time(const cJSON *v, uint64_t base_unix_ns, uint64_t *ret, struct err *err)
{
	if (cJSON_IsNumber(v) && v->valuedouble >= 0 && v->valuedouble < 1e8) {
		*ret = base_unix_ns + (uint64_t)llround(v->valuedouble * 1e9);
		return 0;
	}
	if (cJSON_IsString(v) && text_time_parse(slice_of(v->valuestring), ret))
		return 0;
	return err_set(err, ERR_SYNTAX, "time: 2026-12-01T10:00:00Z, or seconds from the begin");
}

int timeline_read(const cJSON *line, uint64_t base_unix_ns, struct arena *a, struct timeline_event *ret, struct err *err)
{
	struct reader r = { .a = a };
	struct slice type = json_get_str(line, "type");
	uint64_t time_ns;
	int e = timeline_time(at(line, "time"), base_unix_ns, &time_ns, err);

	if (e < 0)
		return e;
	*ret = (struct timeline_event){ .host = text(&r, line, "host") };
	read_id(&r, line, ret);
	read_known(&r, line, ret);
	if (slice_is(type, "scan") || slice_is(type, "health")) {
		read_made(&r, line, ret);
		ret->made.time_unix_ns = time_ns;
	} else {
		ret->record = NEW(&r, Picket__Record);
		if (ret->record) {
			picket__record__init(ret->record);
			ret->record->time_unix_ns = time_ns;
			e = read_body(&r, line, type, ret->record, err);
		}
	}
	return e < 0 ? e : r.is_full ? err_set(err, ERR_LIMIT, "the event is too large") : 0;
}
