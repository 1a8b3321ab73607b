/* live.c - see live.h. */
#include "agent/audit/live/live.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/queue.h>
#include <uthash.h>

#include "agent/audit/live/process.h"
#include "common/log.h"

enum {
	QUEUE_MAX = 4096,
	CONTAINERS_MAX = 8192,
	IMAGES_MAX = 4096,
	KEY_BYTES = 96,	 /* "container " and 64 hex digits; "image sha256:" and as many */
	TICK_MS = 1000,
	LIMIT_MS = 5000,
	RETRIES = 1,
	AGAIN_NS_PER_S = 1000000000,
	STOPPED_WAIT_NS = AGAIN_NS_PER_S,
	RIGHTS_PAUSE_S = 60,
};

/* Something to be audited. */
struct wanted {
	char key[KEY_BYTES]; /* "container ID": what the worker is asked, before the trigger */
	const char *trigger; /* static */
	uint64_t since_ns;
	unsigned tries;
	UT_hash_handle hh;
	TAILQ_ENTRY(wanted) entry;
};

/* A container that a report was made of, or will be. */
struct known {
	char id[65];
	char name[256], image[512], image_id[80]; /* by name and image the collector knows its subject */
	uint64_t rights; /* of its first process */
	bool has_rights, is_reported;
	uint64_t stopped_ns; /* to be looked at once more, when it stays; 0: no */
	uint64_t rights_ns;  /* when a program with more was last a reason */
	UT_hash_handle hh;
};

struct seen_image {
	char id[80];
	UT_hash_handle hh;
};

enum catalogue_state { CATALOGUE_UNSAID, CATALOGUE_ASKED, CATALOGUE_SENT, CATALOGUE_KNOWN };

struct audit_live {
	const struct clock *clk;
	struct audit_live_config cfg;
	const struct audit_live_ops *ops;
	void *arg;
	struct process *process;
	const char *argv[8];
	struct loop_timer *tick, *all;
	struct wanted *wanted; /* uthash */
	TAILQ_HEAD(, wanted) queue;
	struct wanted *asked; /* not in the queue; nullable */
	struct known *known;
	struct seen_image *images;
	struct buf catalogue; /* packed; empty: not said by a worker yet */
	char catalogue_key[MSG_CATALOGUE_KEY_MAX];
	enum catalogue_state catalogue_state;
	bool is_connected, has_engine, is_stopping;
	uint64_t retry_ns; /* no worker before this */
	struct audit_live_stats stats;
};

static void pump(struct audit_live *v);

static void say_failure(struct audit_live *v, const char *what, const char *why)
{
	v->stats.failed++;
	snprintf(v->stats.why, sizeof(v->stats.why), "%s: %s", what, why);
	LOG(WARN, "audit.failed", KV_STR("subject", what), KV_STR("why", why));
}

/* ---- the queue ---- */

static void drop(struct audit_live *v, struct wanted *w)
{
	TAILQ_REMOVE(&v->queue, w, entry);
	HASH_DEL(v->wanted, w);
	free(w);
}

static void want(struct audit_live *v, const char *subject, const char *id, const char *trigger)
{
	struct wanted *w;
	char key[KEY_BYTES];

	if (snprintf(key, sizeof(key), "%s %s", subject, id) >= (int)sizeof(key))
		return;
	HASH_FIND_STR(v->wanted, key, w);
	if (w)
		return; /* what it finds will be newer than either reason */
	if (HASH_COUNT(v->wanted) >= QUEUE_MAX) {
		say_failure(v, key, "too much waits to be audited; the daily audit will look at it");
		return;
	}
	w = calloc(1, sizeof(*w));
	if (!w)
		return;
	(void)slice_copy(slice_of(key), w->key, sizeof(w->key));
	w->trigger = trigger;
	w->since_ns = clock_boot_ns(v->clk);
	TAILQ_INSERT_TAIL(&v->queue, w, entry);
	HASH_ADD_STR(v->wanted, key, w);
	pump(v);
}

static void unwant(struct audit_live *v, const char *subject, const char *id)
{
	struct wanted *w;
	char key[KEY_BYTES];

	snprintf(key, sizeof(key), "%s %s", subject, id);
	HASH_FIND_STR(v->wanted, key, w);
	if (w)
		drop(v, w);
}

static void pump(struct audit_live *v)
{
	struct wanted *w = TAILQ_FIRST(&v->queue);
	char line[QUESTION_BYTES_MAX];
	struct err err;

	if (!w || v->asked || v->is_stopping || clock_boot_ns(v->clk) < v->retry_ns)
		return;
	bool is_small = !strncmp(w->key, "container ", 10) || !strncmp(w->key, "image ", 6);
	snprintf(line, sizeof(line), "%s %s", w->key, w->trigger);
	if (process_ask(v->process, line, is_small ? v->cfg.limit_ms : 6 * v->cfg.limit_ms, &err) < 0) {
		say_failure(v, w->key, err.msg);
		v->retry_ns = clock_boot_ns(v->clk) + 5ull * AGAIN_NS_PER_S;
		return;
	}
	TAILQ_REMOVE(&v->queue, w, entry);
	HASH_DEL(v->wanted, w); /* a new reason while it is under way is one to look again */
	v->asked = w;
	v->stats.audits++;
}

/* ---- what the worker says ---- */

static struct known *find_known(struct audit_live *v, const char *id)
{
	struct known *k;

	HASH_FIND_STR(v->known, id, k);
	return k;
}

static void on_report(struct audit_live *v, struct slice body)
{
	Picket__AuditReport *r = picket__audit_report__unpack(NULL, body.n, (const uint8_t *)body.p);
	uint64_t took = v->asked ? clock_boot_ns(v->clk) - v->asked->since_ns : 0;

	if (!r) {
		say_failure(v, v->asked ? v->asked->key : "audit", "the worker's report makes no sense");
		return;
	}
	struct known *k = find_known(v, r->subject_id);
	if (k)
		k->is_reported = true;
	if (v->asked && !strcmp(v->asked->trigger, "start")) {
		v->stats.last_took_ns = took;
		if (took > v->stats.worst_took_ns)
			v->stats.worst_took_ns = took;
	}
	r->took_ns = took;
	v->stats.reports++;
	v->ops->report(v->arg, r);
	picket__audit_report__free_unpacked(r, NULL);
}

static void on_rights(struct audit_live *v, struct slice body)
{
	struct slice id;
	char hex[20], name[65];

	if (!slice_split(&body, ' ', &id) || !slice_copy(id, name, sizeof(name)) || !slice_copy(body, hex, sizeof(hex)))
		return;
	struct known *k = find_known(v, name);
	if (!k)
		return;
	k->rights = strtoull(hex, NULL, 16);
	k->has_rights = true;
}

static void ask_catalogue(struct audit_live *v)
{
	Picket__Request m = PICKET__REQUEST__INIT;
	Picket__CheckCatalogue key_only = PICKET__CHECK_CATALOGUE__INIT, *whole = NULL;
	struct err err;

	if (!v->is_connected || !v->catalogue.n || v->catalogue_state == CATALOGUE_KNOWN)
		return;
	bool is_whole = v->catalogue_state == CATALOGUE_SENT;
	if (is_whole)
		whole = picket__check_catalogue__unpack(NULL, v->catalogue.n, (const uint8_t *)v->catalogue.p);
	key_only.key = v->catalogue_key;
	m.body_case = PICKET__REQUEST__BODY_CHECK_CATALOGUE;
	m.check_catalogue = whole ? whole : &key_only;
	/* Busy or gone: the tick, or the next connection, asks again. */
	if (v->ops->ask(v->arg, &m, &err) >= 0 && v->catalogue_state == CATALOGUE_UNSAID)
		v->catalogue_state = CATALOGUE_ASKED;
	if (whole)
		picket__check_catalogue__free_unpacked(whole, NULL);
}

static void on_catalogue(struct audit_live *v, struct slice body)
{
	Picket__CheckCatalogue *m = picket__check_catalogue__unpack(NULL, body.n, (const uint8_t *)body.p);

	if (!m)
		return;
	if (strcmp(m->key, v->catalogue_key) && slice_copy(slice_of(m->key), v->catalogue_key, sizeof(v->catalogue_key))) {
		buf_reset(&v->catalogue);
		buf_add_slice(&v->catalogue, body);
		v->catalogue_state = CATALOGUE_UNSAID;
		ask_catalogue(v);
	}
	picket__check_catalogue__free_unpacked(m, NULL);
}

static void end_asked(struct audit_live *v)
{
	free(take_ptr(v->asked));
	pump(v);
}

static void on_frame(void *arg, enum frame_kind kind, struct slice body)
{
	struct audit_live *v = arg;
	char why[200];

	switch (kind) {
	case FRAME_REPORT:
		on_report(v, body);
		break;
	case FRAME_CATALOGUE:
		on_catalogue(v, body);
		break;
	case FRAME_RIGHTS:
		on_rights(v, body);
		break;
	case FRAME_ERROR:
		(void)slice_copy(body, why, sizeof(why));
		say_failure(v, v->asked ? v->asked->key : "audit", why);
		break;
	case FRAME_DONE:
		end_asked(v);
		break;
	}
}

static void on_end(void *arg, const char *why)
{
	struct audit_live *v = arg;
	struct wanted *w = take_ptr(v->asked), *same = NULL;

	if (*why)
		v->stats.killed++;
	if (!w)
		return;
	HASH_FIND_STR(v->wanted, w->key, same);
	if (w->tries++ < RETRIES && !same) {
		TAILQ_INSERT_TAIL(&v->queue, w, entry);
		HASH_ADD_STR(v->wanted, key, w);
	} else {
		say_failure(v, w->key, *why ? why : "the audit worker ended");
		free(w);
	}
	pump(v);
}

/* ---- what is told by the rest of the agent ---- */

static struct known *know(struct audit_live *v, const struct container *c)
{
	struct known *k = find_known(v, c->id);

	if (!k && HASH_COUNT(v->known) < CONTAINERS_MAX) {
		k = calloc(1, sizeof(*k));
		if (!k)
			return NULL;
		(void)slice_copy(slice_of(c->id), k->id, sizeof(k->id));
		HASH_ADD_STR(v->known, id, k);
	}
	if (k && c->name && *c->name)
		(void)slice_copy(slice_of(c->name), k->name, sizeof(k->name));
	if (k && c->image && *c->image)
		(void)slice_copy(slice_of(c->image), k->image, sizeof(k->image));
	if (k && c->image_id)
		(void)slice_copy(slice_of(c->image_id), k->image_id, sizeof(k->image_id));
	return k;
}

static void want_image(struct audit_live *v, const char *id)
{
	struct seen_image *i;

	HASH_FIND_STR(v->images, id, i);
	if (i || strncmp(id, "sha256:", 7) || HASH_COUNT(v->images) >= IMAGES_MAX)
		return;
	i = calloc(1, sizeof(*i));
	if (!i || !slice_copy(slice_of(id), i->id, sizeof(i->id))) {
		free(i);
		return;
	}
	HASH_ADD_STR(v->images, id, i);
	want(v, "image", id, "image");
}

static void tell_gone(struct audit_live *v, const struct known *k)
{
	Picket__AuditReport r = PICKET__AUDIT_REPORT__INIT;

	r.subject = (char *)(uintptr_t)"container";
	r.subject_id = (char *)(uintptr_t)k->id;
	r.subject_name = msg_bytes(slice_of(k->name));
	r.image = msg_bytes(slice_of(k->image));
	r.image_id = (char *)(uintptr_t)k->image_id;
	r.trigger = (char *)(uintptr_t)"gone";
	r.catalogue = v->catalogue_key;
	r.is_gone = true;
	v->ops->report(v->arg, &r);
}

static void forget(struct audit_live *v, struct known *k)
{
	HASH_DEL(v->known, k);
	free(k);
}

void audit_live_container(struct audit_live *v, const struct container *c, enum world_change change)
{
	struct known *k;

	if (strcmp(c->engine, "docker") || strlen(c->id) != 64)
		return;
	switch (change) {
	case WORLD_STARTED:
		k = know(v, c);
		if (k)
			k->stopped_ns = 0;
		want(v, "container", c->id, "start");
		break;
	case WORLD_CHANGED:
		want(v, "container", c->id, "update");
		break;
	case WORLD_UPDATED:
		/* The engine has told more: of what runs, its image. */
		k = c->is_running ? know(v, c) : NULL;
		if (k && c->image_id)
			want_image(v, c->image_id);
		break;
	case WORLD_STOPPED:
		k = find_known(v, c->id);
		if (k)
			k->stopped_ns = clock_boot_ns(v->clk);
		break;
	case WORLD_REMOVED:
		unwant(v, "container", c->id);
		k = find_known(v, c->id);
		if (k && k->is_reported)
			tell_gone(v, k);
		if (k)
			forget(v, k);
		break;
	case WORLD_CREATED:
		break;
	}
}

void audit_live_exec(struct audit_live *v, const struct container *c, const struct event_process *p)
{
	struct known *k = find_known(v, c->id);
	uint64_t now = clock_boot_ns(v->clk);

	if (!k || !k->has_rights || !(p->cap_effective & ~k->rights))
		return;
	if (k->rights_ns && now - k->rights_ns < RIGHTS_PAUSE_S * 1000000000ull)
		return;
	k->rights_ns = now;
	want(v, "container", c->id, "exec");
}

static void want_everything(struct audit_live *v, const char *trigger)
{
	struct known *k, *next;
	struct seen_image *i, *next_image;

	want(v, "host", "-", trigger);
	if (!v->has_engine)
		return;
	want(v, "daemon", "-", trigger);
	HASH_ITER(hh, v->known, k, next)
	want(v, "container", k->id, trigger);
	HASH_ITER(hh, v->images, i, next_image)
	want(v, "image", i->id, trigger);
}

static void on_all(void *arg)
{
	want_everything(arg, "daily");
}

void audit_live_engine(struct audit_live *v, bool is_connected)
{
	bool is_new = is_connected && !v->has_engine;

	v->has_engine = is_connected;
	if (is_new) {
		want(v, "host", "-", "agent");
		want(v, "daemon", "-", "daemon");
	}
}

void audit_live_changed(struct audit_live *v, const char *trigger)
{
	struct known *k, *next;

	if (strcmp(trigger, "policy")) {
		want(v, "daemon", "-", "daemon");
		return;
	}
	HASH_ITER(hh, v->known, k, next)
	want(v, "container", k->id, "policy");
}

void audit_live_connected(struct audit_live *v)
{
	v->is_connected = true;
	if (v->catalogue_state != CATALOGUE_KNOWN)
		v->catalogue_state = CATALOGUE_UNSAID;
	ask_catalogue(v);
}

void audit_live_answer(struct audit_live *v, const Picket__Reply *reply)
{
	if (!reply || reply->body_case != PICKET__REPLY__BODY_CHECK_CATALOGUE) {
		v->catalogue_state = CATALOGUE_UNSAID; /* asked again with the tick */
		return;
	}
	v->catalogue_state = reply->check_catalogue->is_known ? CATALOGUE_KNOWN : CATALOGUE_SENT;
	ask_catalogue(v);
}

static void on_tick(void *arg)
{
	struct audit_live *v = arg;
	struct known *k, *next;
	uint64_t now = clock_boot_ns(v->clk);

	HASH_ITER(hh, v->known, k, next)
	{
		if (!k->stopped_ns || now - k->stopped_ns < STOPPED_WAIT_NS)
			continue;
		k->stopped_ns = 0;
		want(v, "container", k->id, "stop");
	}
	if (v->catalogue_state == CATALOGUE_UNSAID || v->catalogue_state == CATALOGUE_SENT)
		ask_catalogue(v);
	pump(v);
}

/* ---- begin and end ---- */

static void set_argv(struct audit_live *v)
{
	size_t n = 0;

	v->argv[n++] = "picket-agent";
	v->argv[n++] = "audit-worker";
	v->argv[n++] = "--docker-socket";
	v->argv[n++] = v->cfg.docker_socket;
	if (v->cfg.policy_path && *v->cfg.policy_path) {
		v->argv[n++] = "--policy";
		v->argv[n++] = v->cfg.policy_path;
	}
	v->argv[n] = NULL;
}

int audit_live_new(struct loop *l, const struct clock *clk, const struct audit_live_config *cfg,
		   const struct audit_live_ops *ops, void *arg, struct audit_live **ret, struct err *err)
{
	static const struct process_ops process_ops = { .on_frame = on_frame, .on_end = on_end };
	CLEANUP(audit_live_freep) struct audit_live *v = calloc(1, sizeof(*v));

	if (!v)
		return err_set(err, ENOMEM, "audit");
	*v = (struct audit_live){ .clk = clk, .cfg = *cfg, .ops = ops, .arg = arg };
	if (!v->cfg.limit_ms)
		v->cfg.limit_ms = LIMIT_MS;
	TAILQ_INIT(&v->queue);
	buf_init(&v->catalogue, FRAME_BYTES_MAX);
	set_argv(v);
	v->tick = loop_timer_new(l, on_tick, v);
	v->all = loop_timer_new(l, on_all, v);
	if (!v->tick || !v->all)
		return err_set(err, ENOMEM, "audit");
	int r = process_new(l, v->argv, &process_ops, v, &v->process, err);
	if (r < 0)
		return r;
	loop_timer_every(v->tick, TICK_MS);
	if (cfg->every_ms)
		loop_timer_every(v->all, cfg->every_ms);
	*ret = take_ptr(v);
	return 0;
}

void audit_live_stats(const struct audit_live *v, struct audit_live_stats *ret)
{
	*ret = v->stats;
	ret->waiting = HASH_COUNT(v->wanted) + (v->asked ? 1 : 0);
}

void audit_live_write_status(const struct audit_live *v, struct json *j)
{
	struct audit_live_stats s;

	audit_live_stats(v, &s);
	json_kv_u64(j, "audits", s.audits);
	json_kv_u64(j, "reports", s.reports);
	json_kv_u64(j, "failed", s.failed);
	json_kv_u64(j, "killed", s.killed);
	json_kv_u64(j, "waiting", s.waiting);
	json_kv_u64(j, "last_took_us", s.last_took_ns / 1000);
	json_kv_u64(j, "worst_took_us", s.worst_took_ns / 1000);
	json_kv_str(j, "why", s.why);
}

void audit_live_free(struct audit_live *v)
{
	struct wanted *w, *next;
	struct known *k, *next_known;
	struct seen_image *i, *next_image;

	if (!v)
		return;
	v->is_stopping = true;
	process_free(v->process);
	loop_timer_free(v->tick);
	loop_timer_free(v->all);
	HASH_ITER(hh, v->wanted, w, next)
	{
		HASH_DEL(v->wanted, w);
		free(w);
	}
	HASH_ITER(hh, v->known, k, next_known)
	forget(v, k);
	HASH_ITER(hh, v->images, i, next_image)
	{
		HASH_DEL(v->images, i);
		free(i);
	}
	free(v->asked);
	buf_fini(&v->catalogue);
	free(v);
}
