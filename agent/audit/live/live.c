/* live.c - see live.h. */
#include "agent/audit/live/live.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "agent/audit/live/catalogue.h"
#include "agent/audit/live/known.h"
#include "agent/audit/live/latency.h"
#include "agent/audit/live/process.h"
#include "agent/audit/live/wanted.h"
#include "common/log.h"

enum {
	TICK_MS = 1000,
	LIMIT_MS = 5000,
	RETRIES = 1,
	AGAIN_NS_PER_S = 1000000000,
	STOPPED_WAIT_NS = AGAIN_NS_PER_S,
	RIGHTS_PAUSE_S = 60,
};

struct audit_live {
	const struct clock *clk;
	struct audit_live_config cfg;
	const struct audit_live_ops *ops;
	void *arg;
	struct process *process;
	const char *argv[12];
	struct loop_timer *tick, *all;
	struct wanted_queue queue;
	struct wanted *asked; /* not in the queue; nullable */
	struct known_all known;
	bool has_new_images;  /* the list is to be asked for, with the tick */
	struct catalogue catalogue;
	bool has_engine, is_stopping;
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

static void want(struct audit_live *v, const char *subject, const char *id, const char *trigger)
{
	struct err err;

	if (wanted_add(&v->queue, subject, id, trigger, clock_boot_ns(v->clk), &err) < 0)
		say_failure(v, subject, err.msg);
	pump(v);
}

static bool is_about(const struct wanted *w, const char *subject)
{
	size_t n = strlen(subject);

	return !strncmp(w->key, subject, n) && w->key[n] == ' ';
}

static void pump(struct audit_live *v)
{
	struct wanted *w = wanted_first(&v->queue);
	char line[QUESTION_BYTES_MAX];
	struct err err;

	if (!w || v->asked || v->is_stopping || clock_boot_ns(v->clk) < v->retry_ns)
		return;
	bool is_container = is_about(w, "container"), is_small = is_container || is_about(w, "image");
	const struct known *k = is_container ? known_find(&v->known, w->key + strlen("container ")) : NULL;
	snprintf(line, sizeof(line), "%s %s%s%s", w->key, w->trigger, k && k->filter ? " " : "", k && k->filter ? k->filter : "");
	if (process_ask(v->process, line, is_small ? v->cfg.limit_ms : 6 * v->cfg.limit_ms, &err) < 0) {
		say_failure(v, w->key, err.msg);
		v->retry_ns = clock_boot_ns(v->clk) + 5ull * AGAIN_NS_PER_S;
		return;
	}
	wanted_take(&v->queue, w); /* a new reason while it is under way is one to look again */
	v->asked = w;
	v->stats.audits += !is_about(w, "ready") && !is_about(w, "images");
}

/* ---- what the worker says ---- */

static void note_reported(struct audit_live *v, const Picket__AuditReport *r)
{
	struct known *k = known_find(&v->known, r->subject_id);
	struct known_image *i = known_image_find(&v->known, r->subject_id);

	if (k)
		k->is_reported = true;
	if (!i)
		return;
	i->is_reported = true;
	(void)slice_copy(msg_slice(r->subject_name), i->name, sizeof(i->name));
}

static void on_report(struct audit_live *v, struct slice body)
{
	Picket__AuditReport *r = picket__audit_report__unpack(NULL, body.n, (const uint8_t *)body.p);
	uint64_t took = v->asked ? clock_boot_ns(v->clk) - v->asked->since_ns : 0;

	if (!r) {
		say_failure(v, v->asked ? v->asked->key : "audit", "the worker's report makes no sense");
		return;
	}
	note_reported(v, r);
	if (v->asked && v->asked->is_urgent && !v->asked->tries)
		latency_count(&v->stats, took);
	r->took_ns = took;
	v->stats.reports++;
	v->ops->report(v->arg, r);
	picket__audit_report__free_unpacked(r, NULL);
}

/* The container that a frame "ID …" is about; NULL: it went away. */
static struct known *frame_about(struct audit_live *v, struct slice *body)
{
	struct slice id;
	char name[65];

	if (!slice_split(body, ' ', &id) || !slice_copy(id, name, sizeof(name)))
		return NULL;
	return known_find(&v->known, name);
}

static void on_rights(struct audit_live *v, struct slice body)
{
	struct known *k = frame_about(v, &body);
	char hex[20];

	if (!k || !slice_copy(body, hex, sizeof(hex)))
		return;
	k->rights = strtoull(hex, NULL, 16);
	k->has_rights = true;
}

static void on_known(struct audit_live *v, struct slice body)
{
	struct known *k = frame_about(v, &body);

	if (k)
		known_set_filter(k, body);
}

/* image: of a container, as given. */
static void tell_gone(struct audit_live *v, const char *subject, const char *id, const char *name, const char *image,
		      const char *image_id)
{
	Picket__AuditReport r = PICKET__AUDIT_REPORT__INIT;

	r.subject = (char *)(uintptr_t)subject;
	r.subject_id = (char *)(uintptr_t)id;
	r.subject_name = msg_bytes(slice_of(name));
	r.image = msg_bytes(slice_of(image));
	r.image_id = (char *)(uintptr_t)image_id;
	r.trigger = (char *)(uintptr_t)"gone";
	r.catalogue = v->catalogue.key;
	r.is_gone = true;
	v->ops->report(v->arg, &r);
}

static void drop_image(struct audit_live *v, struct known_image *i)
{
	wanted_drop(&v->queue, "image", i->id);
	if (i->is_reported)
		tell_gone(v, "image", i->id, i->name, i->name, i->id);
	known_image_forget(&v->known, i);
}

static void want_image(struct audit_live *v, struct slice id)
{
	struct known_image *i = known_image_new(&v->known, id);

	if (i)
		want(v, "image", i->id, "image");
}

/* All there are: those not heard of before are audited, those that are not named any more have gone. */
static void on_images(struct audit_live *v, struct slice body)
{
	struct known_image *i, *next;
	char text[KNOWN_ID_BYTES];
	struct slice id;

	v->known.round++;
	while (slice_split(&body, ' ', &id)) {
		want_image(v, id);
		i = slice_copy(id, text, sizeof(text)) ? known_image_find(&v->known, text) : NULL;
		if (i)
			i->round = v->known.round;
	}
	HASH_ITER(hh, v->known.images, i, next)
	if (i->round != v->known.round)
		drop_image(v, i);
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
		catalogue_put(&v->catalogue, body);
		break;
	case FRAME_RIGHTS:
		on_rights(v, body);
		break;
	case FRAME_KNOWN:
		on_known(v, body);
		break;
	case FRAME_IMAGES:
		on_images(v, body);
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
	struct wanted *w = take_ptr(v->asked);

	if (*why)
		v->stats.killed++;
	if (!w)
		return;
	if (w->tries++ >= RETRIES || !wanted_return(&v->queue, w)) {
		say_failure(v, w->key, *why ? why : "the audit worker ended");
		free(w);
	}
	pump(v);
}

/* ---- what is told by the rest of the agent ---- */

void audit_live_container(struct audit_live *v, const struct container *c, enum world_change change)
{
	struct known *k;

	if (strcmp(c->engine, "docker") || strlen(c->id) != 64)
		return;
	switch (change) {
	case WORLD_STARTED:
		k = known_take_in(&v->known, c);
		if (k)
			k->stopped_ns = 0;
		want(v, "container", c->id, "start");
		break;
	case WORLD_CHANGED:
		want(v, "container", c->id, "update");
		break;
	case WORLD_UPDATED:
		/* The engine has told more: of what runs, its image. */
		k = c->is_running ? known_take_in(&v->known, c) : NULL;
		if (k && c->image_id)
			want_image(v, slice_of(c->image_id));
		break;
	case WORLD_STOPPED:
		k = known_find(&v->known, c->id);
		if (k)
			k->stopped_ns = clock_boot_ns(v->clk);
		break;
	case WORLD_REMOVED:
		wanted_drop(&v->queue, "container", c->id);
		k = known_find(&v->known, c->id);
		if (k && k->is_reported)
			tell_gone(v, "container", k->id, k->name, k->image, k->image_id);
		if (k)
			known_forget(&v->known, k);
		break;
	case WORLD_CREATED:
		/* It is about to start: the worker is there by then, and has looked at host and engine. */
		want(v, "ready", "-", "create");
		break;
	}
}

void audit_live_exec(struct audit_live *v, const struct container *c, const struct event_process *p)
{
	struct known *k = known_find(&v->known, c->id);
	uint64_t now = clock_boot_ns(v->clk);

	if (!k || !k->has_rights || !(p->cap_effective & ~k->rights))
		return;
	if (k->rights_ns && now - k->rights_ns < RIGHTS_PAUSE_S * 1000000000ull)
		return;
	k->rights_ns = now;
	want(v, "container", c->id, "exec");
}

bool audit_live_is_worker(const struct audit_live *v, uint32_t pid)
{
	return pid && (uint32_t)process_pid(v->process) == pid;
}

static void want_everything(struct audit_live *v, const char *trigger)
{
	struct known *k, *next;
	struct known_image *i, *next_image;

	want(v, "host", "-", trigger);
	if (!v->has_engine)
		return;
	want(v, "daemon", "-", trigger);
	want(v, "images", "-", trigger);
	HASH_ITER(hh, v->known.containers, k, next)
	want(v, "container", k->id, trigger);
	HASH_ITER(hh, v->known.images, i, next_image)
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
		want(v, "images", "-", "agent");
	}
}

void audit_live_images(struct audit_live *v)
{
	v->has_new_images = true;
}

void audit_live_stocked(struct audit_live *v, const char *image_id)
{
	struct known *k, *next;

	if (known_image_find(&v->known, image_id))
		want(v, "image", image_id, "stock");
	HASH_ITER(hh, v->known.containers, k, next)
	if (!strcmp(k->image_id, image_id))
		want(v, "container", k->id, "stock");
}

void audit_live_changed(struct audit_live *v, const char *trigger)
{
	struct known *k, *next;

	if (strcmp(trigger, "policy")) {
		want(v, "daemon", "-", "daemon");
		return;
	}
	HASH_ITER(hh, v->known.containers, k, next)
	want(v, "container", k->id, "policy");
}

void audit_live_connected(struct audit_live *v)
{
	catalogue_connected(&v->catalogue);
}

void audit_live_answer(struct audit_live *v, const Picket__Reply *reply)
{
	catalogue_answer(&v->catalogue, reply);
}

static void on_tick(void *arg)
{
	struct audit_live *v = arg;
	struct known *k, *next;
	uint64_t now = clock_boot_ns(v->clk);

	HASH_ITER(hh, v->known.containers, k, next)
	{
		if (!k->stopped_ns || now - k->stopped_ns < STOPPED_WAIT_NS)
			continue;
		k->stopped_ns = 0;
		want(v, "container", k->id, "stop");
	}
	catalogue_tick(&v->catalogue);
	if (v->has_new_images && v->has_engine) {
		/* a build or a pull is many events */
		v->has_new_images = false;
		want(v, "images", "-", "image");
	}
	pump(v);
}

/* ---- begin and end ---- */

static void set_argv(struct audit_live *v)
{
	const char *const options[][2] = { { "--docker-socket", v->cfg.docker_socket },
					   { "--state-dir", v->cfg.state_dir },
					   { "--run-dir", v->cfg.run_dir },
					   { "--policy", v->cfg.policy_path } };
	size_t n = 0;

	v->argv[n++] = "picket-agent";
	v->argv[n++] = "audit-worker";
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (!options[i][1] || !*options[i][1])
			continue;
		v->argv[n++] = options[i][0];
		v->argv[n++] = options[i][1];
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
	wanted_init(&v->queue);
	catalogue_init(&v->catalogue, ops->ask, arg);
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
	ret->images = HASH_COUNT(v->known.images);
	ret->waiting = wanted_count(&v->queue) + (v->asked ? 1 : 0);
}

void audit_live_write_status(const struct audit_live *v, struct json *j)
{
	struct audit_live_stats s;

	audit_live_stats(v, &s);
	latency_write(&s, j);
}

void audit_live_free(struct audit_live *v)
{
	if (!v)
		return;
	v->is_stopping = true;
	process_free(v->process);
	loop_timer_free(v->tick);
	loop_timer_free(v->all);
	wanted_fini(&v->queue);
	known_fini(&v->known);
	free(v->asked);
	catalogue_fini(&v->catalogue);
	free(v);
}
