/* notify.h - outbox, routes, webhook and mail, retries, dead letters. Does not decide what is an
 * alert. What is to be said is written into the outbox in the alert's own transaction, and sent after
 * the commit; a kill between leads to one more send with the same idempotency key. */
#pragma once
#include "collector/store/store.h"
#include "common/conf.h"
#include "common/fetch.h"

enum notify_preset { NOTIFY_PICKET, NOTIFY_SLACK, NOTIFY_ALERTMANAGER, NOTIFY_FALCO };

struct notify_webhook {
	char *name, *url, *secret_file, *ca_file;
	int preset, min_severity;
};
struct notify_mail {
	char *name, *url; /* smtp://host:25, smtps://host:465 */
	char *from, *user, *password_file, *ca_file;
	struct conf_list to; /* of addresses */
	int starttls; /* 0 required, 1 when offered, 2 none: enum of the configuration, in this order */
	int min_severity;
};
struct notify_config {
	const struct notify_webhook *webhooks;
	size_t webhook_count;
	const struct notify_mail *mails;
	size_t mail_count;
	const char *inbox_url;	/* for links: https://host:8443 */
	uint64_t group_wait_ms; /* collects what belongs to one group before a mail; default 300 */
	uint32_t max_attempts;	/* default 10, back-off 1 s .. 1 h, jittered */
};

struct notify;
/* cfg: borrowed until notify_free. Fails on an address, a secret file or a name that is wrong. */
int notify_new(struct loop *l, struct store *s, struct fetch_pool *pool, const struct clock *clk,
	       const struct notify_config *cfg, struct notify **ret, struct err *err) WARN_UNUSED;
/* Inside the transaction that made, raised or re-opened the alert. A folded repeat is not news. */
int notify_enqueue(struct notify *n, int64_t alert_id, bool is_new, struct err *err) WARN_UNUSED;
/* After the commit, and each second: sends what is due. */
void notify_kick(struct notify *n);
void notify_free(struct notify *n);
DEFINE_CLEANUP(struct notify, notify_free)
