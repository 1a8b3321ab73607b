/* notify_send.c - messages that are due become requests; answers settle them. */
#include "collector/notify/notify_priv.h"

#include <errno.h>
#include <inttypes.h>

#include "collector/notify/notify_stream.h"
#include "common/log.h"
#include "common/show.h"
#include "common/text.h"

enum {
	BACK_OFF_FIRST_MS = 1000,
	BACK_OFF_LAST_MS = 3600 * 1000,
	RETRY_AFTER_MAX_MS = 24 * 3600 * 1000,
	LANE_BLOCK_MAX_MS = 60 * 1000, /* one message tries again so often, whatever the others wait for */
	WEBHOOK_TIMEOUT_MS = 10 * 1000,
	MAIL_TIMEOUT_MS = 60 * 1000,
	SYSLOG_TIMEOUT_MS = 20 * 1000,
	WEBHOOK_IN_FLIGHT = 4,
	MAIL_IN_FLIGHT = 2,
	SYSLOG_IN_FLIGHT = 1,
	ANSWER_BYTES = 64 * 1024,
	PICK_BYTES = 32 * 1024 * 1024,
	NOTE_AGAIN_MS = 5 * 1000,
	TRIES_AT_ONCE = 64, /* as requests that fail to start leave their slot free */
};

/* What an attempt came to. */
struct outcome {
	enum { SENT, AGAIN, NEVER } verdict;
	long status;
	uint64_t retry_after_ms;
	const char *why; /* for people */
};

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

/* A receiver in trouble is left alone for a while, by all of the lane's messages. */
static void note_lane(struct notify *n, struct lane *l, const struct outcome *o)
{
	uint64_t ms, now = notify_now(n);

	if (o->verdict != AGAIN) {
		l->failures = 0;
		l->blocked_until_ns = 0;
		l->failing_since_ns = o->verdict == SENT ? 0 : l->failing_since_ns ? l->failing_since_ns : now;
		return;
	}
	if (!l->failing_since_ns)
		l->failing_since_ns = now;
	ms = back_off_ms(l->failures++, 0);
	if (ms > LANE_BLOCK_MAX_MS)
		ms = LANE_BLOCK_MAX_MS;
	if (o->retry_after_ms > ms)
		ms = o->retry_after_ms > BACK_OFF_LAST_MS ? BACK_OFF_LAST_MS : o->retry_after_ms;
	if (now + ms * 1000000 > l->blocked_until_ns)
		l->blocked_until_ns = now + ms * 1000000;
	notify_wake_at(n, l->blocked_until_ns);
}

static int settle_row(struct notify *n, struct job *job, const struct outcome *o, struct err *err)
{
	const struct lane *l = job->lane;

	if (o->verdict == SENT)
		return store_outbox_done(n->store, job->message, err);
	if (o->verdict == NEVER || job->attempts + 1 >= n->max_attempts) {
		LOG(ERROR, "notify.dead", KV_STR("route", l->route->name), KV_STR("receiver", l->to->name),
		    KV_I64("outbox", job->message), KV_U64("attempts", job->attempts + 1), KV_STR("why", o->why));
		return store_outbox_retry(n->store, job->message, 0, o->why, err);
	}
	uint64_t wait_ms = back_off_ms(job->attempts, o->retry_after_ms), due = notify_now(n) + wait_ms * 1000000;

	LOG(WARN, "notify.send", KV_STR("route", l->route->name), KV_STR("receiver", l->to->name),
	    KV_I64("outbox", job->message), KV_U64("retry_ms", wait_ms), KV_STR("why", o->why));
	notify_wake_at(n, due);
	return store_outbox_retry(n->store, job->message, due, o->why, err);
}

static int settle(struct notify *n, struct job *job, const struct outcome *o)
{
	struct err err = { 0 };
	bool is_own = store_notify_may_begin(n->store);
	int r = is_own ? store_begin(n->store, &err) : 0;

	if (r >= 0)
		r = settle_row(n, job, o, &err);
	if (r >= 0)
		r = store_notify_attempt(n->store, job->lane->route->name, job->lane->to->name,
					 o->verdict == SENT ? NULL : o->why, &err);
	if (is_own)
		r = store_end(n->store, r, &err);
	if (r < 0)
		LOG(ERROR, "notify.settle", KV_STR("route", job->lane->route->name), KV_STR("why", err.msg));
	n->form_at_ns = 0; /* its group may have more */
	return r;
}

static void note_test(struct job *job, const struct outcome *o)
{
	struct test_run *t = job->test;
	size_t i = job->test_index;

	t->all[i].is_done = true;
	t->all[i].is_ok = o->verdict == SENT;
	t->all[i].status = o->status;
	t->all[i].took_ms = (clock_boot_ns(job->notify->clk) - job->begun_ns) / 1000000;
	slice_copy(slice_of(o->why), t->all[i].answer, sizeof(t->all[i].answer));
	t->done++;
	/* It is there again: nobody need wait for the next try. */
	for (size_t k = 0; k < job->notify->lane_count && o->verdict == SENT; k++)
		if (job->notify->lanes[k].to == job->to)
			job->notify->lanes[k].blocked_until_ns = 0;
}

static void unlink_job(struct job *job)
{
	struct job **at = &job->notify->jobs;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	if (job->lane)
		job->lane->in_flight--;
}

/* A full disk, say. The row stays due; were it sent until there is room, a receiver would get it thousands of times. */
static void note_later(struct job *job, const struct outcome *o)
{
	uint64_t wait_ns = NOTE_AGAIN_MS * 1000000ull;

	job->is_answered = true;
	job->verdict = o->verdict;
	job->retry_after_ms = o->retry_after_ms;
	if (o->why != job->why)
		slice_copy(slice_of(o->why), job->why, sizeof(job->why));
	job->note_at_boot_ns = clock_boot_ns(job->notify->clk) + wait_ns;
	notify_wake_at(job->notify, notify_now(job->notify) + wait_ns);
}

static void finish(struct job *job, const struct outcome *o)
{
	struct notify *n = job->notify;
	bool is_first = !job->is_answered;
	int r = 0;

	if (job->test)
		note_test(job, o);
	else
		r = settle(n, job, o);
	if (is_first && !job->test)
		note_lane(n, job->lane, o);
	if (r < 0) {
		note_later(job, o);
		return;
	}
	unlink_job(job);
	free(job);
	/* What waited behind it; not from in here, as we may be called by whoever forms. */
	notify_wake_at(n, notify_now(n));
}

/* SMTP: libcurl makes every refusal an error; 5xx is for good, 4xx is for now. */
static int judge(const struct receiver *to, const struct fetch_result *r)
{
	if (to->kind == NOTIFY_MAIL)
		return !r->code ? SENT : r->status >= 500 && r->status < 600 ? NEVER : AGAIN;
	if (r->code)
		return AGAIN;
	if (r->status >= 200 && r->status < 300)
		return SENT;
	if (r->status == 408 || r->status == 429 || r->status >= 500)
		return AGAIN;
	return NEVER;
}

static void on_fetched(void *arg, const struct fetch_result *r)
{
	CLEANUP(buf_finip) struct buf why = { 0 };
	struct job *job = arg;
	struct outcome o = { .verdict = judge(job->to, r), .status = r->status, .retry_after_ms = r->retry_after_ms };

	job->fetch = NULL;
	buf_init(&why, 4096);
	if (r->code)
		show_text(&why, slice_of(r->message), 200);
	else
		buf_printf(&why, "answer %ld", r->status);
	/* What the other side says of it helps a person more than its number. */
	if (!r->code && r->body.n && (job->test || o.verdict == NEVER)) {
		buf_add_str(&why, ": ");
		show_text(&why, slice_sub(r->body, 0, 1024), 160);
	}
	o.why = why.n ? why.p : "no reason given";
	finish(job, &o);
}

static void on_streamed(void *arg, const char *error)
{
	struct job *job = arg;
	struct outcome o = { .verdict = error ? AGAIN : SENT, .why = error ? error : "taken" };

	job->stream = NULL;
	finish(job, &o);
}

/* ---- requests ---- */

static int start_webhook(struct job *job, const struct outgoing *m, struct err *err)
{
	const struct notify_webhook *w = job->to->webhook;
	CLEANUP(buf_finip) struct buf body = { 0 };
	struct buf lines[NOTIFY_HEADERS] = { { 0 } };
	char signature[72], sign_line[100], key_line[128];
	const char *headers[NOTIFY_HEADERS + 5] = { "Content-Type: application/json",
						    "User-Agent: picket-collector/" PICKET_VERSION, key_line };
	size_t count = 3;
	int r;

	buf_init(&body, NOTIFY_MESSAGE_BYTES);
	r = job->to->body ? notify_template_write(job->to->body, m->doc, NOTIFY_ESCAPE_JSON, &body, err) :
			    notify_webhook_body(m, buf_slice(&job->to->secret), &body, err);
	for (size_t i = 0; i < job->to->header_count && r >= 0; i++) {
		buf_init(&lines[i], 4096);
		r = notify_template_write(job->to->headers[i], m->doc, NOTIFY_ESCAPE_LINE, &lines[i], err);
		headers[count++] = lines[i].n ? lines[i].p : "X-Picket: ";
		if (!strncasecmp(headers[count - 1], "content-type:", 13)) {
			headers[0] = headers[count - 1];
			count--;
		}
	}
	snprintf(key_line, sizeof(key_line), "Idempotency-Key: %.64s", m->key);
	if (r >= 0 && job->to->secret.n && w->preset != NOTIFY_PAGERDUTY) {
		notify_webhook_signature(buf_slice(&job->to->secret), buf_slice(&body), signature);
		snprintf(sign_line, sizeof(sign_line), "X-Picket-Signature: %s", signature);
		headers[count++] = sign_line;
	}
	const struct fetch_request rq = { .url = w->url,
					  .method = "POST",
					  .headers = headers,
					  .body = buf_slice(&body),
					  .ca_file = w->ca_file,
					  .timeout_ms = WEBHOOK_TIMEOUT_MS,
					  .max_body_bytes = ANSWER_BYTES,
					  .on_done = on_fetched,
					  .arg = job };
	if (r >= 0)
		r = fetch_start(job->notify->pool, &rq, &job->fetch, err);
	for (size_t i = 0; i < job->to->header_count; i++)
		buf_fini(&lines[i]);
	return r;
}

static int start_mail(struct job *job, const struct outgoing *m, struct err *err)
{
	static const int starttls[] = { FETCH_TLS_REQUIRED, FETCH_TLS_DEFAULT, FETCH_TLS_NONE };
	const struct notify_mail *mail = job->to->mail;
	char from[256], to[64][256];
	const char *to_list[65] = { NULL };
	const char *const *wanted = mail->to.items;
	CLEANUP(buf_finip) struct buf text = { 0 };

	int r = notify_mail_address(mail->from, from, sizeof(from), err);
	for (size_t i = 0; i < mail->to.count && i < ARRAY_LEN(to) && r >= 0; i++) {
		r = notify_mail_address(wanted[i], to[i], sizeof(to[i]), err);
		to_list[i] = to[i];
	}
	buf_init(&text, NOTIFY_MESSAGE_BYTES);
	if (r >= 0)
		r = notify_mail_write(m, &text, err);
	if (r < 0)
		return r;
	const struct fetch_request rq = {
		.url = mail->url,
		.body = buf_slice(&text),
		.ca_file = mail->ca_file,
		.user = mail->user,
		.password = job->to->secret.n ? job->to->secret.p : NULL,
		.mail_from = from,
		.mail_to = to_list,
		.starttls = starttls[mail->starttls >= 0 && mail->starttls < 3 ? mail->starttls : 0],
		.timeout_ms = MAIL_TIMEOUT_MS,
		.on_done = on_fetched,
		.arg = job,
	};
	return fetch_start(job->notify->pool, &rq, &job->fetch, err);
}

static int start_syslog(struct job *job, const struct outgoing *m, struct err *err)
{
	CLEANUP(buf_finip) struct buf frames = { 0 };

	buf_init(&frames, NOTIFY_MESSAGE_BYTES);
	int r = notify_syslog_write(m, &frames, err);
	if (r < 0)
		return r;
	const struct stream_request rq = { .url = job->to->syslog->url,
					   .ca_file = job->to->syslog->ca_file,
					   .bytes = buf_slice(&frames),
					   .timeout_ms = SYSLOG_TIMEOUT_MS,
					   .on_done = on_streamed,
					   .arg = job };
	return stream_start(job->notify->loop, job->notify->dns, &rq, &job->stream, err);
}

static int start(struct job *job, struct outgoing *m, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	int r = json_parse(m->text, NOTIFY_MESSAGE_BYTES, &doc, err);

	if (r < 0)
		return err_wrap(err, r, "message");
	m->to = job->to;
	m->doc = doc;
	m->inbox_url = job->notify->cfg->inbox_url;
	m->now_unix_ns = notify_now(job->notify);
	job->begun_ns = clock_boot_ns(job->notify->clk);
	switch (job->to->kind) {
	case NOTIFY_WEBHOOK:
		return start_webhook(job, m, err);
	case NOTIFY_MAIL:
		return start_mail(job, m, err);
	case NOTIFY_SYSLOG:
		return start_syslog(job, m, err);
	}
	return -EINVAL;
}

/* ---- which ---- */

/* A message that can go now: copied. */
struct pick {
	struct notify *notify;
	struct arena *arena;
	struct store_outbox row;
	bool is_found;
};

static bool is_in_flight(const struct notify *n, const struct store_outbox *o)
{
	for (const struct job *job = n->jobs; job; job = job->next)
		if (!job->test && (job->message == o->id || (o->group_id && job->group == o->group_id)))
			return true;
	return false;
}

static int on_due(void *arg, const struct store_outbox *o)
{
	struct pick *p = arg;
	const char **texts[] = { &p->row.route, &p->row.receiver, &p->row.kind, &p->row.group,
				 &p->row.key,	&p->row.body,	  &p->row.thread, &p->row.last_error };

	if (p->is_found || is_in_flight(p->notify, o))
		return 0;
	p->row = *o;
	p->is_found = arena_keep(p->arena, texts, ARRAY_LEN(texts));
	return p->is_found ? 0 : -ENOMEM;
}

static unsigned slots_of(const struct lane *l)
{
	static const unsigned slots[] = { [NOTIFY_WEBHOOK] = WEBHOOK_IN_FLIGHT,
					  [NOTIFY_MAIL] = MAIL_IN_FLIGHT,
					  [NOTIFY_SYSLOG] = SYSLOG_IN_FLIGHT };

	/* one that just failed is tried with one message */
	return l->failures ? 1 : slots[l->to->kind];
}

static int send_row(struct notify *n, struct job *job, const struct store_outbox *o, struct err *err)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	struct outgoing m = { .key = o->key, .group = o->group, .thread = o->thread, .serial = o->serial };
	int r = 0;

	buf_init(&text, NOTIFY_MESSAGE_BYTES);
	if (o->body[0])
		buf_add_str(&text, o->body);
	else
		r = notify_message_text(n, job->lane, o, &text, err);
	m.text = buf_slice(&text);
	return r < 0 ? r : start(job, &m, err);
}

/* One request for the lane; false when nothing can be sent now. */
static bool send_next(struct notify *n, struct lane *l)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(PICK_BYTES);
	struct pick p = { .notify = n, .arena = a };
	struct job *job = calloc(1, sizeof(*job));
	struct err err = { 0 };
	int r = -ENOMEM;

	/* What is under way is due still, and stands in front. */
	if (a && job)
		r = store_outbox_due_lane(n->store, l->route->name, l->to->name, notify_now(n),
					  2 * WEBHOOK_IN_FLIGHT + 1, on_due, &p, &err);
	if (r < 0 || !p.is_found) {
		if (r < 0)
			LOG(ERROR, "notify.due", KV_STR("route", l->route->name), KV_STR("why", err.msg));
		free(job);
		return false;
	}
	*job = (struct job){ .next = n->jobs, .notify = n, .lane = l, .to = l->to, .message = p.row.id,
			     .group = p.row.group_id, .attempts = p.row.attempts };
	n->jobs = job;
	l->in_flight++;
	r = send_row(n, job, &p.row, &err);
	if (r >= 0)
		return true;
	/* It can't even be written or begun: as a failed attempt, so that it ends. */
	const struct outcome gone = { .verdict = SENT, .why = "its alerts are gone" },
			     failed = { .verdict = r == -ERR_LIMIT ? NEVER : AGAIN, .why = err.msg };
	n->skipped += r == -ERR_NOT_FOUND;
	finish(job, r == -ERR_NOT_FOUND ? &gone : &failed);
	return true;
}

static void note_answered(struct notify *n)
{
	uint64_t boot = clock_boot_ns(n->clk);

	for (struct job *job = n->jobs, *next; job; job = next) {
		next = job->next;
		if (!job->is_answered || boot < job->note_at_boot_ns)
			continue;
		const struct outcome o = { .verdict = job->verdict, .retry_after_ms = job->retry_after_ms, .why = job->why };

		finish(job, &o);
	}
}

void notify_send_due(struct notify *n)
{
	uint64_t now = notify_now(n);

	note_answered(n);

	for (size_t i = 0; i < n->lane_count; i++) {
		struct lane *l = &n->lanes[i];

		for (unsigned tries = 0; tries < TRIES_AT_ONCE; tries++) {
			if (l->blocked_until_ns > now || l->in_flight >= slots_of(l) || !send_next(n, l))
				break;
		}
	}
}

void notify_jobs_cancel(struct notify *n)
{
	while (n->jobs) {
		struct job *job = n->jobs;

		fetch_cancel(job->fetch);
		stream_cancel(job->stream);
		unlink_job(job);
		free(job);
	}
}

/* ---- tests ---- */

int notify_send_test(struct notify *n, struct test_run *t, size_t index, struct err *err)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	struct job *job = calloc(1, sizeof(*job));
	char key[48];
	struct outgoing m = { .key = key, .group = "test", .thread = key, .serial = 1 };

	if (!job)
		return err_set(err, ENOMEM, "test message");
	text_uuid(key);
	*job = (struct job){ .next = n->jobs, .notify = n, .to = t->all[index].to, .test = t, .test_index = index };
	n->jobs = job;
	buf_init(&text, NOTIFY_MESSAGE_BYTES);
	int r = notify_test_text(n, job->to, &text, err);
	m.text = buf_slice(&text);
	if (r >= 0)
		r = start(job, &m, err);
	if (r < 0) {
		const struct outcome o = { .verdict = NEVER, .why = err ? err->msg : "it can't be written" };

		job->begun_ns = clock_boot_ns(n->clk);
		finish(job, &o);
	}
	return 0;
}
