/* notify.c - see notify.h.
 *
 *   enqueue (in the alert's transaction) -> outbox row per route, with its idempotency key
 *   kick (after the commit) -> for each route, as long as it has a free slot:
 *       webhook: the oldest due row            -> one POST
 *       mail: the oldest due row and the due rows of its group -> one message
 *   answer -> row gone | due again later | dead letter
 *
 * Each route has slots and rows of its own, so that one slow receiver can't stand before another. */
#include "collector/notify/notify.h"

#include <errno.h>
#include <inttypes.h>

#include "collector/notify/notify_priv.h"
#include "collector/store/record_json.h"
#include "collector/store/store_triage.h"
#include "common/file.h"
#include "common/log.h"
#include "common/show.h"
#include "common/text.h"
#include "common/tls.h"

enum {
	BACK_OFF_FIRST_MS = 1000,
	BACK_OFF_LAST_MS = 3600 * 1000,
	RETRY_AFTER_MAX_MS = 24 * 3600 * 1000,
	WEBHOOK_TIMEOUT_MS = 10 * 1000,
	MAIL_TIMEOUT_MS = 60 * 1000,
	MAIL_IN_FLIGHT = 2,
	WINDOWS = 256,
	SECRET_BYTES = 4096,
	ORPHANS = 1024,
	PICK_BYTES = 4 * 1024 * 1024, /* bodies of one request */
	LOOK_AT_ROWS = (NOTIFY_IN_FLIGHT + 1) * NOTIFY_MAIL_ALERTS,
};

struct route {
	const char *name;
	const struct notify_webhook *webhook; /* one of the two */
	const struct notify_mail *mail;
	int min_severity;
	struct buf secret; /* HMAC key or SMTP password; empty = none */
	unsigned in_flight;
};

/* One request under way, and the outbox rows it carries. */
struct job {
	struct job *next;
	struct notify *notify;
	struct route *route;
	struct fetch *fetch;
	size_t count;
	int64_t ids[NOTIFY_MAIL_ALERTS];
	uint32_t attempts[NOTIFY_MAIL_ALERTS];
};

struct notify {
	struct loop *loop;
	struct store *store;
	struct fetch_pool *pool;
	const struct clock *clk;
	const struct notify_config *cfg;
	uint64_t group_wait_ns;
	uint32_t max_attempts;
	struct route routes[NOTIFY_ROUTES];
	size_t route_count;
	struct job *jobs;
	struct loop_timer *timer;
	uint64_t wake_unix_ns; /* when the timer is due; 0 = not set */
	bool is_uncommitted;   /* enqueue wrote rows that the caller's transaction still holds */
	/* Until when a group collects; a lost entry only means one more mail. */
	struct {
		uint64_t group_hash, due_unix_ns;
	} windows[WINDOWS];
};

/* ---- what is to be said ---- */

static void idempotency_key(const char *route, const struct store_alert *al, char dst[65])
{
	char text[512];
	uint8_t hash[32];

	snprintf(text, sizeof(text), "%.200s\n%" PRId64 "\n%" PRIu64 "\n%" PRIu64, route, al->id,
		 al->first_seen_unix_ns, al->count);
	tls_sha256(slice_of(text), hash);
	text_hex(hash, sizeof(hash), dst);
	dst[32] = 0;
}

static uint64_t mail_due(struct notify *n, const char *route, const char *group, uint64_t now)
{
	uint64_t hash = slice_hash(slice_of(group)) ^ slice_hash(slice_of(route));
	size_t i = hash % WINDOWS;

	if (n->windows[i].group_hash != hash || n->windows[i].due_unix_ns <= now) {
		n->windows[i].group_hash = hash;
		n->windows[i].due_unix_ns = now + n->group_wait_ns;
	}
	return n->windows[i].due_unix_ns;
}

static void wake_at(struct notify *n, uint64_t now, uint64_t due)
{
	if (n->wake_unix_ns && n->wake_unix_ns <= due && n->wake_unix_ns > now)
		return;
	n->wake_unix_ns = due;
	loop_timer_once(n->timer, (due - now) / 1000000 + 1);
}

int notify_enqueue(struct notify *n, int64_t alert_id, bool is_new, struct err *err)
{
	uint64_t now = clock_unix_ns(n->clk);
	struct store_alert al;
	struct json j;
	char group[1024], key[65];

	(void)is_new; /* the alert's count says which telling of it this is */
	CLEANUP(arena_freep) struct arena *a = arena_new(NOTIFY_BODY_BYTES);
	if (!a)
		return err_set(err, ENOMEM, "notify");
	int r = store_alert_get(n->store, alert_id, a, &al, err);
	if (r < 0)
		return err_wrap(err, r, "notify alert %" PRId64, alert_id);
	snprintf(group, sizeof(group), "%.400s@%.400s", al.rule, al.host);

	CLEANUP(buf_finip) struct buf body = { 0 };
	buf_init(&body, NOTIFY_BODY_BYTES);
	json_init(&j, &body);
	json_object_open(&j);
	json_kv_u64(&j, "version", 1);
	json_kv_str(&j, "group", group);
	json_kv_array(&j, "alerts");
	record_json_alert(&j, &al);
	json_array_close(&j);
	json_object_close(&j);
	if (body.failed)
		return err_set(err, ERR_LIMIT, "notify alert %" PRId64, alert_id);

	for (size_t i = 0; i < n->route_count; i++) {
		const struct route *rt = &n->routes[i];

		if ((int)al.severity < rt->min_severity)
			continue;
		idempotency_key(rt->name, &al, key);
		struct store_outbox row = {
			.route = rt->name,
			.kind = rt->mail ? "mail" : "webhook",
			.group = group,
			.key = key,
			.body = body.p,
			.due_unix_ns = rt->mail ? mail_due(n, rt->name, group, now) : now,
			.created_unix_ns = now,
			.last_error = "",
		};
		r = store_outbox_add(n->store, &row, err);
		if (r >= 0)
			r = store_trail_add(n->store, alert_id, TRAIL_SYSTEM, "told", rt->name, err);
		if (r < 0)
			return err_wrap(err, r, "notify alert %" PRId64, alert_id);
		n->is_uncommitted = true;
		wake_at(n, now, row.due_unix_ns);
	}
	return 0;
}

/* ---- answers ---- */

static uint64_t back_off_ms(uint32_t attempts, uint64_t retry_after_ms)
{
	uint64_t ms = attempts < 12 ? (uint64_t)BACK_OFF_FIRST_MS << attempts : BACK_OFF_LAST_MS;
	uint32_t dice;

	if (ms > BACK_OFF_LAST_MS)
		ms = BACK_OFF_LAST_MS;
	text_random(&dice, sizeof(dice));
	ms = ms / 2 + dice % (ms / 2 + 1);
	if (retry_after_ms > RETRY_AFTER_MAX_MS)
		retry_after_ms = RETRY_AFTER_MAX_MS;
	return ms > retry_after_ms ? ms : retry_after_ms;
}

enum verdict { SENT, AGAIN, NEVER };

static enum verdict judge(const struct route *rt, const struct fetch_result *r)
{
	/* SMTP: libcurl makes every refusal an error; 5xx is for good, 4xx is for now. */
	if (rt->mail)
		return !r->code ? SENT : r->status >= 500 && r->status < 600 ? NEVER : AGAIN;
	if (r->code)
		return AGAIN;
	if (r->status >= 200 && r->status < 300)
		return SENT;
	if (r->status == 408 || r->status == 429 || r->status >= 500)
		return AGAIN;
	return NEVER;
}

static void settle_row(struct notify *n, const struct route *rt, int64_t id, uint32_t attempts,
		       enum verdict v, uint64_t retry_after_ms, const char *why)
{
	struct err err = { 0 };
	int r;

	if (v == SENT) {
		r = store_outbox_done(n->store, id, &err);
	} else if (v == NEVER || attempts + 1 >= n->max_attempts) {
		LOG(ERROR, "notify.dead", KV_STR("route", rt->name), KV_I64("outbox", id),
		    KV_U64("attempts", attempts + 1), KV_STR("why", why));
		r = store_outbox_retry(n->store, id, 0, why, &err);
	} else {
		uint64_t wait_ms = back_off_ms(attempts, retry_after_ms);

		LOG(WARN, "notify.send", KV_STR("route", rt->name), KV_I64("outbox", id),
		    KV_U64("retry_ms", wait_ms), KV_STR("why", why));
		uint64_t due = clock_unix_ns(n->clk) + wait_ms * 1000000;
		r = store_outbox_retry(n->store, id, due, why, &err);
	}
	/* The row stays due: it will be sent once more, under the same key. */
	if (r < 0)
		LOG(ERROR, "notify.settle", KV_STR("route", rt->name), KV_STR("why", err.msg));
}

static void unlink_job(struct job *job)
{
	struct job **at = &job->notify->jobs;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	job->route->in_flight--;
}

static void kick(struct notify *n);

static void on_sent(void *arg, const struct fetch_result *r)
{
	struct job *job = arg;
	struct notify *n = job->notify;
	CLEANUP(buf_finip) struct buf why = { 0 };

	buf_init(&why, 4096);
	if (r->code)
		show_text(&why, slice_of(r->message), 200);
	else
		buf_printf(&why, "answer %ld", r->status);
	for (size_t i = 0; i < job->count; i++)
		settle_row(n, job->route, job->ids[i], job->attempts[i], judge(job->route, r),
			   r->retry_after_ms, why.n ? why.p : "no reason given");
	unlink_job(job);
	free(job);
	kick(n);
}

/* ---- requests ---- */

/* Rows chosen for one request; bodies are copies. */
struct pick {
	struct notify *notify;
	const struct route *route;
	struct job *job;
	struct arena *arena;
	const char *group, *key;
	struct slice bodies[NOTIFY_MAIL_ALERTS];
};

static bool is_in_flight(const struct notify *n, int64_t id)
{
	for (const struct job *job = n->jobs; job; job = job->next) {
		for (size_t i = 0; i < job->count; i++) {
			if (job->ids[i] == id)
				return true;
		}
	}
	return false;
}

static int on_due(void *arg, const struct store_outbox *o)
{
	struct pick *p = arg;
	struct job *job = p->job;
	size_t most = p->route->mail ? NOTIFY_MAIL_ALERTS : 1;

	if (job->count >= most || is_in_flight(p->notify, o->id))
		return 0;
	if (job->count && strcmp(p->group, o->group) != 0)
		return 0;
	char *body = arena_dup(p->arena, slice_of(o->body));
	if (!body)
		return 0; /* the next request takes it */
	if (!job->count) {
		p->group = arena_dup(p->arena, slice_of(o->group));
		p->key = arena_dup(p->arena, slice_of(o->key));
		if (!p->group || !p->key)
			return -ENOMEM;
	}
	p->bodies[job->count] = slice_of(body);
	job->ids[job->count] = o->id;
	job->attempts[job->count] = o->attempts;
	job->count++;
	return 0;
}

static int send_webhook(struct pick *p, struct err *err)
{
	const struct notify_webhook *w = p->route->webhook;
	CLEANUP(buf_finip) struct buf body = { 0 };
	char signature[72], sign_line[100], key_line[128];
	const char *headers[6] = { "Content-Type: application/json",
				   "User-Agent: picket-collector/" PICKET_VERSION, key_line };

	buf_init(&body, 2 * NOTIFY_BODY_BYTES);
	int r = notify_webhook_body(w, p->bodies[0], p->notify->cfg->inbox_url, &body, err);
	if (r < 0)
		return r;
	snprintf(key_line, sizeof(key_line), "Idempotency-Key: %.64s", p->key);
	if (p->route->secret.n) {
		notify_webhook_signature(buf_slice(&p->route->secret), buf_slice(&body), signature);
		snprintf(sign_line, sizeof(sign_line), "X-Picket-Signature: %s", signature);
		headers[3] = sign_line;
	}
	struct fetch_request rq = {
		.url = w->url,
		.method = "POST",
		.headers = headers,
		.body = buf_slice(&body),
		.ca_file = w->ca_file,
		.timeout_ms = WEBHOOK_TIMEOUT_MS,
		.max_body_bytes = 64 * 1024,
		.on_done = on_sent,
		.arg = p->job,
	};
	return fetch_start(p->notify->pool, &rq, &p->job->fetch, err);
}

static int send_mail(struct pick *p, struct err *err)
{
	static const int starttls[] = { FETCH_TLS_REQUIRED, FETCH_TLS_DEFAULT, FETCH_TLS_NONE };
	const struct notify_mail *m = p->route->mail;
	char from[256], to[64][256];
	const char *to_list[65] = { NULL };
	const char *const *wanted = m->to.items;
	CLEANUP(buf_finip) struct buf text = { 0 };

	int r = notify_mail_address(m->from, from, sizeof(from), err);
	for (size_t i = 0; i < m->to.count && i < ARRAY_LEN(to) && r >= 0; i++) {
		r = notify_mail_address(wanted[i], to[i], sizeof(to[i]), err);
		to_list[i] = to[i];
	}
	if (r < 0)
		return r;
	struct notify_mail_parts parts = {
		.mail = m,
		.bodies = p->bodies,
		.count = p->job->count,
		.key = p->key,
		.inbox_url = p->notify->cfg->inbox_url,
		.now_unix_ns = clock_unix_ns(p->notify->clk),
	};
	buf_init(&text, 8 * NOTIFY_BODY_BYTES);
	r = notify_mail_write(&parts, &text, err);
	if (r < 0)
		return r;
	struct fetch_request rq = {
		.url = m->url,
		.body = buf_slice(&text),
		.ca_file = m->ca_file,
		.user = m->user,
		.password = p->route->secret.n ? p->route->secret.p : NULL,
		.mail_from = from,
		.mail_to = to_list,
		.starttls = starttls[m->starttls >= 0 && m->starttls < 3 ? m->starttls : 0],
		.timeout_ms = MAIL_TIMEOUT_MS,
		.on_done = on_sent,
		.arg = p->job,
	};
	return fetch_start(p->notify->pool, &rq, &p->job->fetch, err);
}

/* One request for the route; false when nothing is due (or it can't be sent now). */
static bool send_next(struct notify *n, struct route *rt)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(PICK_BYTES);
	CLEANUP(freep) struct job *job = calloc(1, sizeof(*job));
	struct pick p = { .notify = n, .route = rt, .job = job, .arena = a };
	struct err err = { 0 };

	if (!a || !job)
		return false;
	/* What is under way is due still, and stands in front. */
	int r = store_outbox_due_route(n->store, rt->name, clock_unix_ns(n->clk), LOOK_AT_ROWS, on_due,
				       &p, &err);
	if (r < 0) {
		LOG(ERROR, "notify.due", KV_STR("route", rt->name), KV_STR("why", err.msg));
		return false;
	}
	if (!job->count)
		return false;
	job->notify = n;
	job->route = rt;
	job->next = n->jobs;
	n->jobs = job;
	rt->in_flight++;
	r = rt->mail ? send_mail(&p, &err) : send_webhook(&p, &err);
	if (r >= 0) {
		(void)take_ptr(job);
		return true;
	}
	/* It can't even be written or begun: as a failed attempt, so that it ends. */
	for (size_t i = 0; i < job->count; i++)
		settle_row(n, rt, job->ids[i], job->attempts[i], AGAIN, 0, err.msg);
	unlink_job(job);
	return true;
}

static void kick(struct notify *n)
{
	if (n->is_uncommitted)
		return; /* the caller's kick follows its commit */
	for (size_t i = 0; i < n->route_count; i++) {
		struct route *rt = &n->routes[i];
		unsigned slots = rt->mail ? MAIL_IN_FLIGHT : NOTIFY_IN_FLIGHT;

		/* Bounded, as requests that fail to start leave their slot free. */
		for (unsigned tries = 0; rt->in_flight < slots && tries < 64; tries++) {
			if (!send_next(n, rt))
				break;
		}
	}
}

void notify_kick(struct notify *n)
{
	n->is_uncommitted = false;
	kick(n);
}

static void on_timer(void *arg)
{
	struct notify *n = arg;

	n->wake_unix_ns = 0;
	kick(n);
}

/* ---- life ---- */

static int read_secret(const char *path, struct buf *ret, struct err *err)
{
	if (!path || !path[0])
		return 0;
	buf_fini(ret);
	int r = file_read(path, SECRET_BYTES, ret, err);
	if (r < 0)
		return r;
	while (ret->n && (ret->p[ret->n - 1] == '\n' || ret->p[ret->n - 1] == '\r'))
		ret->p[--ret->n] = 0;
	if (!ret->n)
		return err_set(err, ERR_SYNTAX, "%s: is empty", path);
	return 0;
}

static int add_route(struct notify *n, const struct route *like, const char *secret_file,
		     struct err *err)
{
	if (n->route_count >= NOTIFY_ROUTES)
		return err_set(err, ERR_LIMIT, "more than %d routes", NOTIFY_ROUTES);
	for (size_t i = 0; i < n->route_count; i++) {
		if (!strcmp(n->routes[i].name, like->name))
			return err_set(err, ERR_SYNTAX, "two routes are named '%.64s'", like->name);
	}
	struct route *rt = &n->routes[n->route_count++];
	*rt = *like;
	buf_init(&rt->secret, 0);
	return read_secret(secret_file, &rt->secret, err);
}

static int check_mail(const struct notify_mail *m, struct err *err)
{
	const char *const *to = m->to.items;
	char address[256];

	if (!m->to.count || m->to.count > 64)
		return err_set(err, ERR_SYNTAX, "mail route '%.64s' needs 1 to 64 receivers", m->name);
	int r = notify_mail_address(m->from ? m->from : "", address, sizeof(address), err);
	for (size_t i = 0; i < m->to.count && r >= 0; i++)
		r = notify_mail_address(to[i], address, sizeof(address), err);
	return r < 0 ? err_wrap(err, r, "mail route '%.64s'", m->name) : 0;
}

static int add_routes(struct notify *n, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < n->cfg->webhook_count && r >= 0; i++) {
		const struct notify_webhook *w = &n->cfg->webhooks[i];
		struct route rt = { .name = w->name, .webhook = w, .min_severity = w->min_severity };

		r = add_route(n, &rt, w->secret_file, err);
	}
	for (size_t i = 0; i < n->cfg->mail_count && r >= 0; i++) {
		const struct notify_mail *m = &n->cfg->mails[i];
		struct route rt = { .name = m->name, .mail = m, .min_severity = m->min_severity };

		r = check_mail(m, err);
		if (r >= 0)
			r = add_route(n, &rt, m->password_file, err);
	}
	return r;
}

/* Rows of routes that the configuration no longer has: nobody would ever send them. */
struct orphans {
	const struct notify *notify;
	size_t count;
	int64_t ids[ORPHANS];
};

static int on_row(void *arg, const struct store_outbox *o)
{
	struct orphans *p = arg;

	for (size_t i = 0; i < p->notify->route_count; i++) {
		if (!strcmp(p->notify->routes[i].name, o->route))
			return 0;
	}
	if (!o->is_dead && p->count < ORPHANS)
		p->ids[p->count++] = o->id;
	return 0;
}

static int bury_orphans(struct notify *n, struct err *err)
{
	CLEANUP(freep) struct orphans *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return err_set(err, ENOMEM, "notify");
	p->notify = n;
	r = store_outbox_each(n->store, on_row, p, err);
	for (size_t i = 0; i < p->count && r >= 0; i++)
		r = store_outbox_retry(n->store, p->ids[i], 0, "its route is not configured any more",
				       err);
	if (p->count)
		LOG(WARN, "notify.orphans", KV_U64("rows", p->count));
	return r;
}

int notify_new(struct loop *l, struct store *s, struct fetch_pool *pool, const struct clock *clk,
	       const struct notify_config *cfg, struct notify **ret, struct err *err)
{
	CLEANUP(notify_freep) struct notify *n = calloc(1, sizeof(*n));

	if (!n)
		return err_set(err, ENOMEM, "notify");
	n->loop = l;
	n->store = s;
	n->pool = pool;
	n->clk = clk;
	n->cfg = cfg;
	n->group_wait_ns = (cfg->group_wait_ms ? cfg->group_wait_ms : 300) * 1000000;
	n->max_attempts = cfg->max_attempts ? cfg->max_attempts : 10;
	n->timer = loop_timer_new(l, on_timer, n);
	if (!n->timer)
		return err_set(err, ENOMEM, "notify");
	int r = add_routes(n, err);
	if (r >= 0)
		r = bury_orphans(n, err);
	if (r < 0)
		return r;
	*ret = take_ptr(n);
	return 0;
}

void notify_free(struct notify *n)
{
	if (!n)
		return;
	while (n->jobs) {
		struct job *job = n->jobs;

		fetch_cancel(job->fetch);
		unlink_job(job);
		free(job);
	}
	for (size_t i = 0; i < n->route_count; i++)
		buf_fini(&n->routes[i].secret);
	loop_timer_free(n->timer);
	free(n);
}
