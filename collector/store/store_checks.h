/* store_checks.h - the store's verbs about checks of the configuration: reports, what they found, waivers, what people
 * must be told; and about the policy. One finding is (host, subject, check): a container that is made again under its
 * name and image keeps the history of its findings. */
#pragma once
#include "collector/store/store.h"

/* What one host may have. Beyond, what was mended first goes first; and where nothing was, what is new is refused. */
enum { STORE_SUBJECTS_MAX = 20000, STORE_CHECK_FINDINGS_MAX = 200000, STORE_WAIVERS_MAX = 10000, STORE_CATALOGUES_MAX = 3 };

/* ---- the checks' texts ---- */
int store_catalogue_is_known(struct store *s, const char *agent, const char *key, bool *ret, struct err *err) WARN_UNUSED;
/* The caller has compared the key with the content. */
int store_catalogue_put(struct store *s, const char *agent, const Picket__CheckCatalogue *c, struct err *err) WARN_UNUSED;
struct store_check {
	const char *id, *title, *subject, *cis, *mitre, *why, *fix;
	enum msg_severity severity;
};
/* Texts in the arena; empty ones but the id where no catalogue has it. */
int store_check_get(struct store *s, const char *catalogue, const char *id, struct arena *a, struct store_check *ret,
		    struct err *err) WARN_UNUSED;

/* ---- reports ---- */
struct store_report {
	uint32_t appeared, still, mended, reopened;
	uint32_t refused; /* not kept: the host has too many */
};
/* The whole of one subject, as of time_unix_ns (a future one is now). What it does not name is mended; what it could
 * not tell (status "error") stays as it was. */
int store_report_put(struct store *s, const char *agent, uint64_t time_unix_ns, const Picket__AuditReport *m,
		     struct store_report *ret, struct err *err) WARN_UNUSED;

/* ---- findings ---- */
struct store_check_finding {
	int64_t id;
	const char *agent, *host;
	const char *kind, *subject, *subject_id; /* container, its name, its id */
	const char *image, *image_id;
	const char *check, *title, *cis, *mitre;
	const char *catalogue;
	const char *result;   /* fail warn error */
	const char *status;   /* new still reopened mended waived */
	enum msg_severity severity;
	const char *evidence, *fix, *trigger, *mended_why;
	bool differs, is_here;
	uint64_t first_seen_unix_ns, opened_unix_ns, last_seen_unix_ns, mended_unix_ns;
	uint64_t reopened;
	int64_t waiver; /* 0: none */
};
/* Open ones first, the worst first, then the newest. Keys: id check severity status (open new still reopened mended
 * waived) host container subject kind image title cis mitre trigger differs result evidence text time since until
 * (the times mean first_seen). Mended and waived ones only where the filter speaks of the status, the id or the
 * waiver. Cursor, limit and fn as for the history. */
int store_check_finding_query(struct store *s, const struct store_query *q,
			      int (*fn)(void *arg, const struct store_check_finding *f), void *arg, char *ret_cursor,
			      size_t cursor_size, struct err *err) WARN_UNUSED;
int store_check_finding_get(struct store *s, int64_t id, struct arena *a, struct store_check_finding *ret,
			    struct err *err) WARN_UNUSED;
struct store_check_counts {
	uint64_t open[SEVERITY_CRITICAL + 1], waived, mended, subjects, hosts;
};
int store_check_counts(struct store *s, struct store_check_counts *ret, struct err *err) WARN_UNUSED;
/* The checks with the most open findings, at most limit. */
int store_check_tops(struct store *s, uint64_t limit,
		     int (*fn)(void *arg, const char *check, const char *title, enum msg_severity severity, uint64_t count),
		     void *arg, struct err *err) WARN_UNUSED;

/* ---- waivers ---- */
struct store_waiver {
	int64_t id;
	const char *check, *subject, *host; /* with * and ?; "" any */
	const char *reason, *who, *ended_by;
	uint64_t created_unix_ns, until_unix_ns, ended_unix_ns;
	uint64_t findings; /* that it covers now */
	bool was_used;	   /* it has ever covered one */
};
/* check, subject, host, reason, who, until. ERR_LIMIT: too many are in force. */
int store_waiver_add(struct store *s, const struct store_waiver *w, int64_t *ret_id, struct err *err) WARN_UNUSED;
int store_waiver_end(struct store *s, int64_t id, const char *by, struct err *err) WARN_UNUSED; /* ERR_NOT_FOUND */
/* Those whose time is over end; told (nullable) hears of each, with how many findings are open again. */
int store_waivers_expire(struct store *s, int (*told)(void *arg, const struct store_waiver *w), void *arg,
			 struct err *err) WARN_UNUSED;
int store_waivers_each(struct store *s, bool is_ended, uint64_t limit,
		       int (*fn)(void *arg, const struct store_waiver *w), void *arg, struct err *err) WARN_UNUSED;

/* ---- what people must hear of ---- */
enum { STORE_CASE_SUBJECTS = 100 };
enum store_check_told { CHECK_UNTOLD, CHECK_TOLD, CHECK_CLOSED, CHECK_WITHHELD };
/* One check on one host: all its open findings of high or critical severity on what is there. */
struct store_check_case {
	const char *agent, *host, *check;
	struct store_check text;
	enum msg_severity severity;
	uint64_t count; /* of findings; 0: it is over */
	struct store_case_subject {
		const char *kind, *name, *id, *image, *evidence, *fix;
		int64_t finding;
		enum msg_severity severity;
	} subjects[STORE_CASE_SUBJECTS];
	size_t subject_count;
	int64_t newest; /* the youngest finding, by its number, or how often it came back */
	const char *why_over; /* "mended", "waived" … */
	/* what was told */
	int64_t alert;
	enum msg_severity told_severity;
	enum store_check_told told_state;
	int64_t told_newest;
};
/* The next one that is due, in the arena. 0: none. One that is over waits for grace_ns, so that a restart of a
 * container closes and opens nothing. */
int store_check_case_next(struct store *s, uint64_t grace_ns, struct arena *a, struct store_check_case *ret,
			  struct err *err) WARN_UNUSED;
/* What became of it; it is no longer due. */
int store_check_case_done(struct store *s, const struct store_check_case *c, struct err *err) WARN_UNUSED;

/* Mends what hosts said that are revoked, silent for quiet_ns, or enrolled anew; drops what was mended keep_ns ago. */
int store_checks_tidy(struct store *s, uint64_t quiet_ns, uint64_t keep_ns, struct err *err) WARN_UNUSED;

/* ---- containers ---- */
struct store_container {
	const char *agent, *host, *id;
	struct slice name, image, user;
	const char *image_id, *image_digest, *engine, *labels; /* labels: JSON object */
	bool is_privileged, is_running;
	uint64_t created_unix_ns, started_unix_ns, seen_unix_ns;
	const Picket__ContainerConfig *config; /* nullable: the engine has not told */
	uint64_t findings;		       /* open ones of it */
	enum msg_severity worst;
	uint64_t risk; /* 0 to 100; see store_risk.h */
};
/* Newest seen first, of hosts that are not revoked. Keys: host container container.id image running privileged user
 * network port mount cap label risk text. Those that don't run only where the filter speaks of running or of an id. */
int store_container_query(struct store *s, const struct store_query *q,
			  int (*fn)(void *arg, const struct store_container *c), void *arg, char *ret_cursor,
			  size_t cursor_size, struct err *err) WARN_UNUSED;
/* By id (12 digits do) or name, the one that runs, else the newest; host nullable. ERR_NOT_FOUND. */
int store_container_get(struct store *s, const char *id_or_name, const char *host, struct arena *a,
			struct store_container *ret, struct err *err) WARN_UNUSED;
/* What an event tells of a container: how it was made or changed, that it started or stopped. Others change nothing. */
int store_container_event(struct store *s, const char *agent, const Picket__Event *ev, struct err *err) WARN_UNUSED;

/* ---- the policy ---- */
struct store_policy {
	int64_t id;
	const char *digest, *who, *comment;
	struct slice text;
	uint64_t created_unix_ns;
};
int store_policy_add(struct store *s, const struct store_policy *p, int64_t *ret_id, struct err *err) WARN_UNUSED;
/* id 0: the one in force, the newest. ERR_NOT_FOUND. */
int store_policy_get(struct store *s, int64_t id, struct arena *a, struct store_policy *ret, struct err *err) WARN_UNUSED;
/* Newest first, without their texts. */
int store_policies_each(struct store *s, uint64_t limit, int (*fn)(void *arg, const struct store_policy *p), void *arg,
			struct err *err) WARN_UNUSED;
/* Its digest, "" where there is none. */
int store_policy_digest(struct store *s, char dst[65], struct err *err) WARN_UNUSED;

struct store_policy_state {
	bool is_told, has_admission, has_network;
	const char *digest, *source, *mode, *error;
	uint64_t denied, would_deny;
	const char *sent; /* digest of what was handed to it last */
	uint64_t sent_unix_ns;
	int64_t alert;
};
/* Of one agent; texts in the arena. */
int store_policy_state_get(struct store *s, const char *agent, struct arena *a, struct store_policy_state *ret,
			   struct err *err) WARN_UNUSED;
int store_policy_state_put(struct store *s, const char *agent, const Picket__PolicyState *p, struct err *err) WARN_UNUSED;
int store_policy_sent(struct store *s, const char *agent, const char *digest, struct err *err) WARN_UNUSED;
int store_policy_alert_set(struct store *s, const char *agent, int64_t alert, struct err *err) WARN_UNUSED;
