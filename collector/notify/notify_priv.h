/* notify_priv.h - what notify's files share: receivers, routes, lanes, a message on its way out. */
#pragma once
#include "collector/notify/notify.h"
#include "collector/notify/notify_template.h"
#include "collector/notify/notify_time.h"
#include "collector/store/filter.h"
#include "collector/store/store_notify.h"

enum {
	NOTIFY_BODY_BYTES = 512 * 1024,	      /* one alert's JSON */
	NOTIFY_MESSAGE_BYTES = 20 * 1024 * 1024, /* one message's, and what is written from it */
	NOTIFY_MAIL_ALERTS = 32,	      /* alerts that one message takes at most */
	NOTIFY_RECEIVERS = 64,
	NOTIFY_ROUTES = 128,
	NOTIFY_LANES = 256,
	NOTIFY_HEADERS = 16,
	NOTIFY_GROUP_FIELDS = 6,
	NOTIFY_TESTS = 8,
	NOTIFY_TEST_LANES = 16,
};
#define NOTIFY_SECOND 1000000000ull

enum notify_kind { NOTIFY_WEBHOOK, NOTIFY_MAIL, NOTIFY_SYSLOG };
struct receiver {
	const char *name;
	enum notify_kind kind;
	const struct notify_webhook *webhook;
	const struct notify_mail *mail;
	const struct notify_syslog *syslog;
	int min_severity;
	struct buf secret; /* HMAC key, routing key or SMTP password; empty = none */
	struct notify_template *body, *headers[NOTIFY_HEADERS]; /* nullable */
	size_t header_count;
	bool is_named; /* by a route */
};

enum group_field { GROUP_RULE, GROUP_HOST, GROUP_CONTAINER, GROUP_IMAGE, GROUP_SEVERITY, GROUP_SOURCE, GROUP_ALERT };
struct route {
	const char *name;
	struct filter filter;
	bool has_filter, goes_on, is_implicit;
	int min_severity, send_resolved;
	struct notify_schedule hours, mute; /* count 0: none */
	struct notify_zone *zone;
	enum group_field fields[NOTIFY_GROUP_FIELDS];
	size_t field_count;
	uint64_t wait_ns, interval_ns, repeat_ns;
	uint64_t digest; /* 0 = the receiver's default */
};

/* A route and one of its receivers: its own groups, messages, slots and storms. */
struct lane {
	struct route *route;
	struct receiver *to;
	unsigned in_flight;
	/* the pace at which messages are made: tokens, and when they were counted */
	uint64_t milli_tokens, counted_ns;
	/* a storm: nothing but a digest, at due; the next window is twice as long */
	uint64_t storm_due_ns, storm_window_ns;
	/* news of the last two windows */
	uint64_t window_ns, news, news_before;
	/* after a failure nothing is tried before */
	uint64_t blocked_until_ns;
	unsigned failures; /* in a row */
	uint64_t failing_since_ns;
	bool is_collecting; /* a digest */
	int64_t collected;  /* the last group that is all in it */
};

/* One request under way: a message of the outbox, or a test. */
struct test_run;
struct job {
	struct job *next;
	struct notify *notify;
	struct lane *lane;
	struct receiver *to;
	struct fetch *fetch;
	struct stream *stream;
	int64_t message, group;
	uint32_t attempts;
	struct test_run *test; /* nullable */
	size_t test_index;
	uint64_t begun_ns;
	/* The answer came and can't be noted: it is noted later, and nothing is sent meanwhile. */
	bool is_answered;
	int verdict;
	uint64_t retry_after_ms, note_at_boot_ns;
	char why[256];
};

struct test_run {
	uint64_t id, started_ns;
	size_t count, done;
	struct {
		struct receiver *to;
		bool is_done, is_ok;
		long status;
		uint64_t took_ms;
		char answer[300];
	} all[NOTIFY_TEST_LANES];
};

struct notify {
	struct loop *loop;
	struct store *store;
	struct fetch_pool *pool;
	const struct clock *clk;
	const struct notify_config *cfg;
	struct evdns_base *dns; /* made when a syslog receiver needs it */
	uint32_t max_attempts;
	struct arena *arena; /* of filters and schedules */
	struct receiver receivers[NOTIFY_RECEIVERS];
	size_t receiver_count;
	struct route routes[NOTIFY_ROUTES];
	size_t route_count;
	struct lane lanes[NOTIFY_LANES];
	size_t lane_count;
	struct job *jobs;
	struct loop_timer *timer;
	uint64_t wake_unix_ns; /* when the timer is due; 0 = not set */
	uint64_t form_at_ns;   /* nothing becomes due before; 0: look */
	bool is_uncommitted;   /* enqueue wrote rows that the caller's transaction still holds */
	int64_t clock_ahead_ns; /* of the clock that is never set: what it was */
	/* where the look at what became of alerts goes on */
	int64_t sweep_group, sweep_alert;
	uint64_t swept_ns, tidied_ns;
	uint64_t quiet, skipped;
	struct test_run tests[NOTIFY_TESTS];
	uint64_t test_count;
};

static inline uint64_t notify_now(const struct notify *n)
{
	return clock_unix_ns(n->clk);
}

/* ---- notify_setup.c: the configuration ---- */
int notify_setup(struct notify *n, struct err *err) WARN_UNUSED;
void notify_setup_fini(struct notify *n);
/* ---- notify_route.c ---- */
int notify_route_read(struct notify *n, const struct notify_route *from, struct route *ret, struct err *err) WARN_UNUSED;
struct group_name {
	char key[65], label[1024];
};
int notify_group_name(const struct route *rt, const struct store_alert *al, struct group_name *ret, struct err *err);
/* 0: its hours are now; else when they begin. */
uint64_t notify_route_closed(const struct route *rt, uint64_t now_ns);
bool notify_lane_resolves(const struct lane *l);
/* Whether members are kept after they were told: resolved ones are told, or open ones again. */
bool notify_lane_follows(const struct lane *l);
/* Alerts in one message at most. */
size_t notify_lane_most(const struct lane *l);
/* People read it: few messages; programs take more. */
bool notify_lane_is_people(const struct lane *l);

/* ---- notify_group.c: from groups to messages ---- */
/* What is due becomes messages; *ret_next: when to look again, 0 = only when something happens. */
int notify_form(struct notify *n, uint64_t *ret_next, struct err *err) WARN_UNUSED;
/* What a member of a group says now. */
enum member_verdict { MEMBER_TOLD, MEMBER_DROPPED, MEMBER_SILENT };
int notify_member_judge(struct notify *n, const struct lane *l, bool is_held, const struct store_member *m,
			enum member_verdict *ret, struct store_part *ret_part, struct err *err) WARN_UNUSED;
/* ---- notify_storm.c: pace, storms, digests ---- */
/* What was pending when an earlier run ended: a storm does not become calm because we were killed. */
int notify_pace_restore(struct notify *n, struct lane *l, struct err *err) WARN_UNUSED;
void notify_pace_news(struct lane *l, uint64_t now_ns);
bool notify_pace_take(struct lane *l, uint64_t now_ns);
uint64_t notify_pace_next(const struct lane *l, uint64_t now_ns);
/* 1: the lane is in a storm and is taken care of. */
int notify_storm(struct notify *n, struct lane *l, uint64_t now_ns, uint64_t *ret_next, struct err *err) WARN_UNUSED;
/* ---- notify_sweep.c: what became of told alerts; groups nobody needs ---- */
int notify_sweep(struct notify *n, struct err *err) WARN_UNUSED;

/* ---- notify_clock.c: a clock that was ahead ---- */
/* At start, of what an earlier run left; and while we run. */
int notify_clock_begin(struct notify *n, struct err *err) WARN_UNUSED;
int notify_clock_look(struct notify *n, struct err *err) WARN_UNUSED;

/* ---- notify_send.c: from messages to requests ---- */
void notify_send_due(struct notify *n);
void notify_wake_at(struct notify *n, uint64_t due_ns);
void notify_jobs_cancel(struct notify *n);
/* Begins; its result comes into t. */
int notify_send_test(struct notify *n, struct test_run *t, size_t index, struct err *err) WARN_UNUSED;

/* ---- notify_message.c ---- */
/* What is to be written: doc is {"version":1,"group":…,"alerts":[…]} with "digest" in a digest. */
struct outgoing {
	const struct receiver *to;
	const char *key, *group, *thread, *inbox_url; /* inbox_url nullable */
	uint64_t serial, now_unix_ns;
	struct slice text; /* the JSON */
	const cJSON *doc;
};
/* A message's JSON. ERR_NOT_FOUND: none of its alerts is kept any more. */
int notify_message_text(struct notify *n, const struct lane *l, const struct store_outbox *o, struct buf *out,
			struct err *err) WARN_UNUSED;
int notify_test_text(struct notify *n, const struct receiver *to, struct buf *out, struct err *err) WARN_UNUSED;
/* The digest's JSON from its parts. */
int notify_digest_text(struct notify *n, const struct lane *l, int64_t message, uint64_t from_ns, struct buf *out,
		       struct err *err) WARN_UNUSED;

/* ---- how each receiver wants it; pure ---- */
/* notify_webhook.c: picket's own, Alertmanager's (v2), Falco's JSON line. */
int notify_webhook_body(const struct outgoing *m, struct slice secret, struct buf *out, struct err *err) WARN_UNUSED;
/* "sha256=<hex>" of HMAC(secret, body); dst holds 72. */
void notify_webhook_signature(struct slice secret, struct slice body, char dst[72]);
/* notify_chat.c */
void notify_slack(struct json *j, const struct outgoing *m);
void notify_teams(struct json *j, const struct outgoing *m);
/* notify_pager.c */
/* al: the one it tells. */
void notify_pagerduty(struct json *j, const struct outgoing *m, const cJSON *al, struct slice routing_key);
/* notify_syslog.c: frames of RFC 6587, one for each alert. */
int notify_syslog_write(const struct outgoing *m, struct buf *out, struct err *err) WARN_UNUSED;
/* notify_mail.c: a whole message: headers, plain text and HTML. */
int notify_mail_write(const struct outgoing *m, struct buf *out, struct err *err) WARN_UNUSED;
/* "Name <a@b>" -> a@b, "a@b" -> a@b, into dst. Error: ERR_SYNTAX. */
int notify_mail_address(const char *text, char *dst, size_t size, struct err *err) WARN_UNUSED;

/* ---- looking into the JSON ---- */
static inline const cJSON *notify_member(const cJSON *o, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(o, key);
}
static inline const char *notify_str(const cJSON *o, const char *key)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

	return cJSON_IsString(v) ? v->valuestring : "";
}
/* The id of an alert as text: it is a number or a text. dst holds 32. */
const char *notify_alert_id(const cJSON *al, char dst[32]);
/* "2026-12-01T12:00:00.123456789Z" -> "2026-12-01 12:00:00 UTC", as people read it. dst holds 32. */
const char *notify_time_shown(const char *time, char dst[32]);
/* The digest as one alert, for those who know nothing else; NULL: it is none. Caller deletes. */
cJSON *notify_digest_alert(const cJSON *doc);
/* "9,871 alerts in 30 s: 3 rules on 100 hosts" of a digest. */
void notify_digest_title(const cJSON *doc, struct buf *out);
unsigned notify_rank(const char *severity);
/* Of all alerts (or of the digest). */
const char *notify_worst(const cJSON *doc);
/* "resolved" when nothing else is told. */
bool notify_is_resolved(const cJSON *doc);
