/* correlating.h - the collector's rules between what comes in and alerts: feeds collector/correlate/live, makes alerts of
 * what it finds. */
#pragma once
#include "collector/alert/alert.h"
#include "collector/config.h"
#include "common/json.h"
#include "common/loop.h"

struct correlating;
struct correlating_ops {
	/* Inside the transaction: an alert changed. */
	int (*on_alert)(void *arg, const struct alert_change *change, struct err *err);
	/* As intake's. */
	void (*on_notice)(void *arg, const char *what, const char *agent, const char *detail);
};
/* cfg: borrowed until correlating_free. */
int correlating_new(struct loop *l, struct store *s, const struct clock *clk, const struct collector_config *cfg,
		    const struct correlating_ops *ops, void *arg, struct correlating **ret, struct err *err) WARN_UNUSED;
void correlating_free(struct correlating *c);
DEFINE_CLEANUP(struct correlating, correlating_free)

/* Inside the transaction that stores it. */
int correlating_record(struct correlating *c, const char *agent, const char *host, uint64_t epoch, uint64_t seq,
		       const Picket__Record *rec, struct err *err) WARN_UNUSED;
void correlating_address(struct correlating *c, const char *host, const char *address);
/* Inside a transaction: a vulnerability was judged, in an image that runs. */
int correlating_case(struct correlating *c, const struct store_case *cs, struct err *err) WARN_UNUSED;
/* What of it rules may ask and what changes later: STORE_USED_*, STORE_USE_EXPOSED. */
unsigned correlating_use(const struct store_case *cs);
/* Each second, without a transaction. */
void correlating_tick(struct correlating *c);
/* The files again, now. */
void correlating_reload(struct correlating *c);
/* What is wrong with the files as they are now; "" nothing. Borrowed until the next tick. */
const char *correlating_error(const struct correlating *c);
/* For the API: lists, explanations, backtests (bodies as in collector/api/README.md). */
int correlating_list(struct correlating *c, bool is_correlations, struct buf *out, struct err *err) WARN_UNUSED;
int correlating_explain(struct correlating *c, const cJSON *ask, struct buf *out, struct err *err) WARN_UNUSED;
int correlating_backtest(struct correlating *c, const cJSON *ask, const char *who, struct buf *out, struct err *err) WARN_UNUSED;
int correlating_backtest_show(struct correlating *c, int64_t id, bool must_end, struct buf *out, struct err *err) WARN_UNUSED;
/* Prometheus text. */
void correlating_metrics(struct correlating *c, struct buf *out);
/* Member "correlation" of GET /api/v1/status. */
void correlating_status(struct correlating *c, struct json *j);
