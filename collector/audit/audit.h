/* audit.h - what is wrong with how hosts and containers are set up: takes reports of checks and their catalogues, judges
 * what people must hear of, ends waivers, and hands hosts their policy. One thread; judging is done on the loop in
 * slices of 30 ms. */
#pragma once
#include "collector/store/store_checks.h"
#include "common/json.h"
#include "common/loop.h"

struct audit;

enum audit_case_why { AUDIT_CASE_NEW, AUDIT_CASE_SAME, AUDIT_CASE_MORE, AUDIT_CASE_WORSE, AUDIT_CASE_AGAIN };
struct audit_ops {
	/* Inside a transaction. A check on a host that fails gravely: new, still so, on more, worse, or there again.
	 * Set alert and told_state to what became of it (CHECK_WITHHELD: no alert, there were too many). */
	int (*on_case)(void *arg, struct store_check_case *c, enum audit_case_why why, struct err *err);
	/* Inside a transaction. It is over. */
	int (*on_closed)(void *arg, int64_t alert, const char *why, struct err *err);
	/* Inside a transaction. A waiver's time is over; w->findings are open again. */
	int (*on_waiver)(void *arg, const struct store_waiver *w, struct err *err);
	/* Inside a transaction. A host can't take its policy: *alert 0 is set to what tells it; error "": it is well
	 * again, and *alert what told it. */
	int (*on_policy)(void *arg, const char *host, const char *error, int64_t *alert, struct err *err);
	/* Inside a transaction. Something is beyond reason: "audit_flood". */
	void (*on_notice)(void *arg, const char *what, const char *agent, const char *detail);
	void (*on_committed)(void *arg);
};

int audit_new(struct loop *l, struct store *s, const struct clock *clk, const struct audit_ops *ops, void *arg,
	      struct audit **ret, struct err *err) WARN_UNUSED;
void audit_free(struct audit *a);
DEFINE_CLEANUP(struct audit, audit_free)

/* A report, as it came in a batch at time_unix_ns; inside the store's transaction. Errors are the store's. */
int audit_report(struct audit *a, const char *agent, uint64_t time_unix_ns, const Picket__AuditReport *m,
		 struct err *err) WARN_UNUSED;
/* An agent's CheckCatalogue, inside the store's transaction. *ret is filled, its parts in the arena; a Refusal where the
 * request is wrong. */
int audit_request(struct audit *a, const char *agent, const Picket__CheckCatalogue *c, struct arena *arena,
		  Picket__Reply *ret, struct err *err) WARN_UNUSED;
/* What a heartbeat says of the policy, inside the store's transaction; *ret gets the one in force where the host has
 * another, in the arena. */
int audit_heartbeat(struct audit *a, const char *agent, const char *host, const Picket__Heartbeat *h, struct arena *arena,
		    Picket__HeartbeatReply *ret, struct err *err) WARN_UNUSED;

/* Something may have become due: after a commit, and after a person's waiver. */
void audit_kick(struct audit *a);
/* Members of GET /api/v1/status: "checks". */
void audit_status(struct audit *a, struct json *j);
/* The loop's work until nothing is due; for tests. */
int audit_work_all(struct audit *a, struct err *err) WARN_UNUSED;
