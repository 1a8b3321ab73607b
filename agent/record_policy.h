/* record_policy.h - what the policy refused, and what containers send: -> one packed picket.Record each. As record.h. */
#pragma once
#include "agent/guard/net/net.h"
#include "agent/world/world.h"
#include "common/buf.h"
#include "proto/msg.h"

/* A judgement of the authorization plugin, as it says it (guard_cli.c). Texts borrowed. */
struct admission {
	struct slice kind, rule, message, user, method, path, container, image;
	bool is_allowed, is_monitored;
	uint64_t took_ns, unix_ns;
};
/* Pure: the plugin's line. At most ADMISSION_BYTES_MAX; texts live in the document, which the caller deletes. */
enum { ADMISSION_BYTES_MAX = 16 * 1024 };
struct cJSON;
int admission_read(struct slice line, struct cJSON **ret_doc, struct admission *ret, struct err *err) WARN_UNUSED;

/* c: nullable, not known. policy: digest of the one in force. */
int record_admission(const struct admission *m, const struct container *c, const char *policy, struct arena *scratch,
		     struct buf *out, struct err *err) WARN_UNUSED;
int record_net_event(const struct net_event *e, const struct container *c, const char *policy, uint64_t unix_ns,
		     struct arena *scratch, struct buf *out, struct err *err) WARN_UNUSED;
int record_traffic(const struct net_traffic *t, const struct container *c, struct arena *scratch, struct buf *out,
		   struct err *err) WARN_UNUSED;
