/* notify_priv.h - what notify's files share: a message on its way out, and how each kind is written. */
#pragma once
#include "collector/notify/notify.h"
#include "common/json.h"

enum {
	NOTIFY_BODY_BYTES = 512 * 1024, /* one outbox row's JSON */
	NOTIFY_MAIL_ALERTS = 32,	/* rows that one mail takes at most */
	NOTIFY_ROUTES = 64,
	NOTIFY_IN_FLIGHT = 4, /* requests under way per route */
};

/* The webhook's body in the receiver's own words. alerts: the outbox body's "alerts" array. */
int notify_webhook_body(const struct notify_webhook *w, struct slice outbox_body,
			const char *inbox_url, struct buf *out, struct err *err) WARN_UNUSED;
/* "sha256=<hex>" of HMAC(secret, body); dst holds 72. */
void notify_webhook_signature(struct slice secret, struct slice body, char dst[72]);

/* A whole message: headers, plain text and HTML. bodies: count outbox bodies of one group, oldest
 * first. key: idempotency key of the first (becomes the Message-ID). */
struct notify_mail_parts {
	const struct notify_mail *mail;
	const struct slice *bodies;
	size_t count;
	const char *key;
	const char *inbox_url; /* nullable */
	uint64_t now_unix_ns;
};
int notify_mail_write(const struct notify_mail_parts *parts, struct buf *out,
		      struct err *err) WARN_UNUSED;
/* "Name <a@b>" -> a@b, "a@b" -> a@b, into dst. Error: ERR_SYNTAX. */
int notify_mail_address(const char *text, char *dst, size_t size, struct err *err) WARN_UNUSED;
