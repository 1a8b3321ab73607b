/* api.h - the HTTPS API people and picketctl use: /api/v1, bearer tokens, JSON. */
#pragma once
#include "collector/store/store.h"
#include "common/json.h"
#include "common/loop.h"
#include "common/prom.h"

struct api;
struct api_config {
	const char *address; /* "0.0.0.0:8443", "[::]:8443"; port 0 picks one */
	const char *cert_file, *key_file;
};
struct api_ops {
	/* JSON for GET /api/v1/status beyond the store's figures: appended members. Nullable. */
	void (*on_status)(void *arg, struct json *j);
	/* Families for GET /metrics beyond the store's figures (common/prom.h). Nullable. */
	void (*on_metrics)(void *arg, struct buf *out);
	/* A person accepted a vulnerability, or ended that: after the commit. Nullable. */
	void (*on_changed)(void *arg);
	/* Rules and correlations in force; the rest of api_correlations.c. ask: the body. */
	int (*on_rules)(void *arg, bool is_correlations, struct buf *out, struct err *err);
	int (*on_explain)(void *arg, const cJSON *ask, struct buf *out, struct err *err);
	int (*on_backtest)(void *arg, const cJSON *ask, const char *who, struct buf *out, struct err *err);
	int (*on_backtest_show)(void *arg, int64_t id, bool must_end, struct buf *out, struct err *err);
	/* Members for GET /api/v1/notify: items, cursor, receivers. Nullable, like the rest. */
	int (*on_notify)(void *arg, struct json *j, struct err *err);
	/* A test message to a route or receiver; *ret: what its result is asked for by. */
	int (*on_notify_test)(void *arg, const char *name, uint64_t *ret, struct err *err);
	int (*on_notify_result)(void *arg, uint64_t id, struct json *j, struct err *err);
	/* Dead letters are due again: after the commit. */
	void (*on_notify_changed)(void *arg);
};
int api_new(struct loop *l, struct store *s, const struct clock *clk, const struct api_config *cfg,
	    const struct api_ops *ops, void *arg, struct api **ret, struct err *err) WARN_UNUSED;
int api_port(const struct api *a);
void api_free(struct api *a);
DEFINE_CLEANUP(struct api, api_free)
