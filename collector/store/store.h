/* store.h - the only place that knows the database. Domain verbs over two seams: history (events,
 * in day files of compressed blocks) and state (rows: agents, alerts, containers, tokens, outbox).
 *
 * One thread. Writes happen between store_begin and store_commit, so that a batch's events, its
 * alerts, its mails and the number that says "stored" are one transaction. All text given in is
 * borrowed for the call; all text in rows handed out is borrowed for the callback. */
#pragma once
#include "common/arena.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "proto/msg.h"

struct store;

struct store_config {
	const char *dir;	 /* holds state.db and history/YYYY-MM-DD.db */
	uint64_t history_days;	 /* older day files are unlinked; 0 = keep */
	uint64_t class_days[4];  /* the same for one class (enum store_class), where it goes earlier; 0 = history_days */
	uint64_t history_max_bytes; /* what is nearest to its end goes to stay below; 0 = no bound */
	uint64_t reserve_bytes;	 /* refuse new events below this much free space; default 64 MiB */
	uint64_t alerts_max;	 /* of more than these the oldest go, resolved ones first; default 1,000,000 */
};

/* Opens, migrates (schema versions from the first day; a newer schema is ERR_VERSION), recovers. */
int store_open(const struct store_config *cfg, const struct clock *clk, struct store **ret,
	       struct err *err) WARN_UNUSED;
void store_close(struct store *s);
DEFINE_CLEANUP(struct store, store_close)

int store_begin(struct store *s, struct err *err) WARN_UNUSED;
/* History is committed first, then state with the watermark; a kill between the two is harmless,
 * because history has its own watermark. */
int store_commit(struct store *s, struct err *err) WARN_UNUSED;
/* What store_commit is made of, for whoever answers somebody in between: after the first everything is durable, the
 * second packs what has become full (three syncs and more). */
int store_commit_only(struct store *s, struct err *err) WARN_UNUSED;
void store_pack(struct store *s);
void store_rollback(struct store *s);
/* r < 0: rolls back, else commits. Returns r, or the failure to commit. */
int store_end(struct store *s, int r, struct err *err) WARN_UNUSED;
/* 0 if there is room to store events, -ENOSPC when below the reserve (checked at most each second). */
int store_has_room(struct store *s, struct err *err) WARN_UNUSED;

/* ---- agents ---- */
enum store_agent_state { AGENT_ONLINE, AGENT_DEGRADED, AGENT_OFFLINE, AGENT_REVOKED };
struct store_agent {
	const char *id, *host, *agent_version, *kernel, *machine_id, *boot_id, *serial;
	const char *sensors_json; /* [{"name","attached","why"}] */
	bool is_revoked;
	uint64_t enrolled_unix_ns, last_seen_unix_ns, cert_not_after_unix_ns;
	uint64_t epoch;
	/* Records, over all epochs. produced: sequence numbers given out + records lost before they
	 * got one (Gap of ring_full, scratch_busy …). stored: records stored. lost: numbers that will
	 * never be stored (holes) + those lost before. So once everything is delivered, produced ==
	 * stored + lost exactly; until then the difference is what waits in the spool. A Gap of
	 * spool_full, spool_damaged, disk_full or refused describes holes and adds nothing. */
	uint64_t produced, stored, lost;
	uint64_t loss_seen_unix_ns; /* newest loss of any kind; degraded for 5 min after */
	uint64_t spool_records, spool_bytes, spool_oldest_unix_ns;
	uint64_t rss_bytes, cpu_ns;
	uint32_t containers, processes;
	/* Sums over all starts of the agent, from its heartbeats. */
	uint64_t folded, actions, lost_process, lost_rare, lost_volume;
	int64_t clock_ahead_ns; /* of its clock before ours, by its last heartbeat */
	char rules_version[72];
};
/* A new agent, with its certificate. */
int store_agent_enrol(struct store *s, const struct store_agent *a, struct err *err) WARN_UNUSED;
/* ERR_NOT_FOUND if unknown. Row borrowed until the next call. By id, or by host name. */
int store_agent_get(struct store *s, const char *id_or_host, struct store_agent *ret,
		    struct arena *a, struct err *err) WARN_UNUSED;
/* Takes over what the agent says of itself; its name only as store_agent_name allows. */
int store_agent_hello(struct store *s, const char *id, const Picket__Hello *h, struct err *err) WARN_UNUSED;
/* What an agent that calls itself host is called here: that, or "host~1a2b3c4d" (from its id) while an
 * agent of another machine, not revoked and with a valid certificate, goes by it. So a name means one
 * machine in lists, filters, alerts and `revoke`, whatever an agent says. */
enum { STORE_NAME_MAX = LIMIT_NAME_BYTES + 1 };
int store_agent_name(struct store *s, const char *id, const char *host, const char *machine_id,
		     char dst[STORE_NAME_MAX], struct err *err) WARN_UNUSED;
/* What it is called now. ERR_NOT_FOUND. */
int store_agent_host(struct store *s, const char *id, char dst[STORE_NAME_MAX], struct err *err) WARN_UNUSED;
int store_agent_heartbeat(struct store *s, const char *id, const Picket__Heartbeat *h,
			  struct err *err) WARN_UNUSED;
int store_agent_revoke(struct store *s, const char *id_or_host, struct err *err) WARN_UNUSED;
int store_agents_each(struct store *s, int (*fn)(void *arg, const struct store_agent *a), void *arg,
		      struct err *err) WARN_UNUSED;
/* Revoked, unknown or wrong serial: false. Cheap (memory); notices other processes' changes within 2 s. */
bool store_agent_may(struct store *s, const char *id, const char *serial);
/* online/degraded/offline/revoked, from last_seen (30 s), sensors, losses. */
enum store_agent_state store_agent_state(const struct store *s, const struct store_agent *a);
const char *store_agent_state_name(enum store_agent_state st);

/* ---- sequence, exactly once ---- */
/* Newest stored sequence number of (agent, epoch); 0 = none. */
int store_seq_get(struct store *s, const char *agent, uint64_t epoch, uint64_t *ret,
		  struct err *err) WARN_UNUSED;
/* A run of the agent that is new here, though a later one's records are stored: a spool that was put back, or
 * another machine with the agent's identity. Agents deliver their runs in order. */
int store_epoch_is_back(struct store *s, const char *agent, uint64_t epoch, bool *ret, struct err *err) WARN_UNUSED;
/* Moves it on; stored and lost are added to the agent's counts. Every number passed over that was
 * not stored counts as lost, so lost is seq - the earlier seq - stored whatever is given here.
 * EINVAL when seq goes back or stored is more than there are numbers. */
int store_seq_set(struct store *s, const char *agent, uint64_t epoch, uint64_t seq, uint64_t stored,
		  uint64_t lost, struct err *err) WARN_UNUSED;

/* ---- history ---- */
/* Appends one packed Record (as it came) with its number. rec is its decoded form, for the index.
 * Ignored silently if history has this number already. */
int store_history_add(struct store *s, const char *agent, uint64_t epoch, uint64_t seq,
		      struct slice packed, const Picket__Record *rec, struct err *err) WARN_UNUSED;

/* The contract's word for a record: an event's type ("exec" …), "finding", "gap", "container", "audit";
 * "unknown" for what a newer agent sent. What type= asks for. */
const char *store_record_type(const Picket__Record *rec);

struct store_event { /* one answer of a query */
	const char *agent, *host;
	uint64_t epoch, seq;
	const Picket__Record *record; /* container name and image filled in from the containers table
					 where the event itself did not have them */
};
struct store_query {
	struct slice filter;	 /* the filter language; empty = all */
	uint64_t since_unix_ns, until_unix_ns; /* 0 = open */
	uint64_t limit;		 /* 1 .. 100,000 */
	const char *cursor;	 /* from an earlier answer; nullable */
	bool oldest_first;
	bool by_risk; /* of images and containers: the riskiest first, only those whose risk is known */
	const char *const *types; /* nullable, ends with NULL: only records of one of these, as type= names them */
};
/* Newest first, unless asked otherwise, in the order of storing: within an agent that is the order of
 * its sequence, between agents the order of arrival. ret_cursor: at least 64 bytes, "" at the end.
 * After the limit or its time (200 ms; 30 ms for queries in a row, as batches wait meanwhile) it is not
 * empty, even when no row was given: ask again with it.
 * A block that is damaged is answered as a gap (reason "block_damaged", agent ""), whatever the filter.
 * Keys: host agent container container.id image type user process exe cmdline pid ppid parent rule
 * call path address port hash text time since until. type is a kind of event or a call ("file", "openat"); path=
 * a whole path, a file's name, or a directory with its slash for what lies in it; address= one address of
 * either end, or a network ("10.0.0.0/8"); hash= the SHA-256 of a program that was run (types exec and hash have it). ERR_SYNTAX with the column for a wrong filter, or a foreign cursor; ERR_LIMIT
 * for a wrong limit. fn returns 0 to go on, 1 to go on without counting the row, negative to stop (and that is
 * returned); it must not write to the store or ask the history again. */
int store_history_query(struct store *s, const struct store_query *q,
			int (*fn)(void *arg, const struct store_event *e), void *arg,
			char *ret_cursor, size_t cursor_size, struct err *err) WARN_UNUSED;
/* What is missing from an answer: the losses that gaps tell of, of the hosts and the time that q asks for,
 * whatever else its filter says. */
enum { STORE_GAPS_MAX = 16 };
struct store_gap {
	char host[256], reason[32];
	const char *loss_class; /* static */
	uint64_t lost, from_unix_ns, to_unix_ns;
};
struct store_lost {
	uint64_t process, rare, volume, other;
	struct store_gap gaps[STORE_GAPS_MAX]; /* the newest; those within a minute of each other are one */
	size_t gap_count;
	uint64_t gaps_left_out; /* records of older ones */
	bool is_partial; /* there was no time to look at all */
};
int store_history_lost(struct store *s, const struct store_query *q, struct store_lost *ret,
		       struct err *err) WARN_UNUSED;
/* Makes an empty day file ahead where there is none, so that no batch waits for it. */
int store_history_prepare(struct store *s, struct err *err) WARN_UNUSED;
/* Seals tails, drops old days, prepares the next. Call about every second from the loop. */
int store_history_tidy(struct store *s, struct err *err) WARN_UNUSED;
/* More must go for the bound on bytes than the last call dropped: call it again soon, a tenth of a second on. */
bool store_history_is_over(const struct store *s);
/* Reads everything stored and checks it: SQLite's own check, every block's SHA-256, every record, times,
 * postings, the order of numbers, watermarks, and that what was acknowledged is there. Each fault is given
 * to fn as one line that names day and block. *ret_records (nullable): the records read. Returns 0 when it
 * could look everywhere, faults or not. May run beside a collector, from another process. */
int store_verify(struct store *s, void (*fn)(void *arg, const char *fault), void *arg,
		 uint64_t *ret_records, struct err *err) WARN_UNUSED;

/* ---- containers ---- */
int store_container_put(struct store *s, const char *agent, const Picket__Container *c,
			struct err *err) WARN_UNUSED;

/* ---- alerts ---- */
struct store_alert {
	int64_t id;
	uint64_t first_seen_unix_ns, last_seen_unix_ns, count;
	enum msg_severity severity;
	const char *priority, *status; /* new acknowledged resolved snoozed */
	const char *assignee;	       /* "" = nobody */
	const char *source;	       /* runtime audit scan correlation policy system */
	const char *rule, *title, *host, *agent;
	const char *container_id;      /* "" on the host */
	const char *document;	       /* JSON: container, process, fields, tags, output, description */
	const char *evidence;	       /* JSON array of event ids "agent:epoch:seq", newest first, <= 20 */
	const char *actions;	       /* JSON array of responses, newest first, <= 20; only read: see
					  store_alert_action */
	const char *fold_key;
	/* Only read; changed by store_triage.h. */
	const char *resolution;	       /* of one that a person resolved: true_positive false_positive benign
					  duplicate_of; else "" */
	int64_t duplicate_of;	       /* 0 = of none */
	uint64_t wake_unix_ns;	       /* of a snoozed one */
	const char *container, *image; /* of the document, as filters see them */
	int64_t silence;	       /* in force now and matching; 0 = none. See store_quiet.h */
};
/* The open alert with this fold key, last seen at or after since: else ERR_NOT_FOUND. */
int store_alert_find_open(struct store *s, const char *fold_key, uint64_t since_unix_ns,
			  struct arena *a, struct store_alert *ret, struct err *err) WARN_UNUSED;
/* The newest alert with this fold key, resolved ones too (new evidence opens them again), last seen
 * at or after since: else ERR_NOT_FOUND. */
int store_alert_find_last(struct store *s, const char *fold_key, uint64_t since_unix_ns,
			  struct arena *a, struct store_alert *ret, struct err *err) WARN_UNUSED;
/* From now on this one takes the findings of its fold key. Name and image of the container are read from
 * document.container, so that filters find them. */
int store_alert_insert(struct store *s, const struct store_alert *al, int64_t *ret_id,
		       struct err *err) WARN_UNUSED;
/* Count, last_seen, severity, priority, title, document and evidence of an existing one. */
int store_alert_update(struct store *s, const struct store_alert *al, struct err *err) WARN_UNUSED;
int store_alert_get(struct store *s, int64_t id, struct arena *a, struct store_alert *ret,
		    struct err *err) WARN_UNUSED;
/* A response (one JSON object): put before those of the newest alert with this fold key, last seen at or
 * after since, whatever its status. There is none yet: it waits an hour for store_alert_insert. */
int store_alert_action(struct store *s, const char *fold_key, uint64_t since_unix_ns, const char *action,
		       struct err *err) WARN_UNUSED;
/* Newest last_seen first. Keys: id severity status host container container.id image rule source
 * assignee priority title agent count text time since until (the times mean last_seen), resolution, silenced:yes,
 * and of what its finding was about: process exe cmdline parent user path address tag. Cursor, limit
 * and fn as for the history. */
int store_alert_query(struct store *s, const struct store_query *q,
		      int (*fn)(void *arg, const struct store_alert *al), void *arg, char *ret_cursor,
		      size_t cursor_size, struct err *err) WARN_UNUSED;
/* status: acknowledged, resolved, new (else ERR_SYNTAX); assignee nullable = unchanged. by: who, for the audit log
 * and the trail; "picket: why" is the system's own deed. */
int store_alert_set_status(struct store *s, int64_t id, const char *status, const char *assignee,
			   const char *by, struct err *err) WARN_UNUSED;

/* ---- outbox ---- (groups and their messages: store_notify.h) */
struct store_outbox {
	int64_t id;
	const char *route;  /* name in the configuration */
	const char *receiver;
	const char *kind;   /* webhook, mail, syslog; digest: one that is still being collected */
	const char *group;  /* what people call the group */
	const char *key;    /* idempotency key, unique */
	const char *body;   /* JSON {"version":1,…}; "": it is written from the message's parts */
	const char *thread; /* the same for all messages of a group */
	int64_t group_id;   /* 0: of no group */
	uint64_t serial;    /* of the message within its group, from 1 */
	uint32_t attempts;
	uint64_t due_unix_ns, created_unix_ns;
	const char *last_error;
	bool is_dead;
};
/* The same key for the same route again is ignored: the message waits already. */
int store_outbox_add(struct store *s, const struct store_outbox *o, struct err *err) WARN_UNUSED;
/* Due now, oldest first, at most limit. */
int store_outbox_due(struct store *s, uint64_t now_unix_ns, size_t limit,
		     int (*fn)(void *arg, const struct store_outbox *o), void *arg,
		     struct err *err) WARN_UNUSED;
/* The same for one route and receiver, so that another's backlog can't stand in its way. */
int store_outbox_due_lane(struct store *s, const char *route, const char *receiver, uint64_t now_unix_ns,
			  size_t limit, int (*fn)(void *arg, const struct store_outbox *o), void *arg,
			  struct err *err) WARN_UNUSED;
int store_outbox_done(struct store *s, int64_t id, struct err *err) WARN_UNUSED;
/* due 0 = give up: to the dead letters. */
int store_outbox_retry(struct store *s, int64_t id, uint64_t due_unix_ns, const char *error,
		       struct err *err) WARN_UNUSED;
int store_outbox_each(struct store *s, int (*fn)(void *arg, const struct store_outbox *o), void *arg,
		      struct err *err) WARN_UNUSED;

/* ---- tokens: enrolment and API, stored hashed ---- */
int store_enrol_token_add(struct store *s, const uint8_t hash[32], uint64_t expires_unix_ns,
			  uint32_t uses, const char *by, struct err *err) WARN_UNUSED;
/* Uses it once. ERR_DENIED: unknown, used up or expired (the message says which). */
int store_enrol_token_use(struct store *s, const uint8_t hash[32], struct err *err) WARN_UNUSED;
int store_api_token_add(struct store *s, const uint8_t hash[32], const char *user, const char *role,
			uint64_t expires_unix_ns, struct err *err) WARN_UNUSED;
/* role: viewer, analyst, admin. ERR_DENIED. */
int store_api_token_check(struct store *s, const uint8_t hash[32], char ret_user[64],
			  char ret_role[16], struct err *err) WARN_UNUSED;

/* ---- audit log: who changed what ---- */
int store_audit_log(struct store *s, const char *who, const char *what, const char *subject,
		    struct err *err) WARN_UNUSED;
/* The same for what an agent did by itself. Kept apart: however many there are, they push out none of
 * the others. */
int store_audit_log_agent(struct store *s, const char *who, const char *what, const char *subject,
			  struct err *err) WARN_UNUSED;
struct store_audit {
	int64_t id;
	uint64_t time_unix_ns;
	const char *who, *what, *subject;
};
/* Newest first. Keys: who what subject text time since until. Cursor, limit and fn as for alerts. */
int store_audit_query(struct store *s, const struct store_query *q,
		      int (*fn)(void *arg, const struct store_audit *row), void *arg, char *ret_cursor,
		      size_t cursor_size, struct err *err) WARN_UNUSED;

/* ---- figures ---- */
struct store_status {
	uint64_t agents, agents_online, alerts_open, events, history_bytes, state_bytes, free_bytes;
	uint64_t outbox_waiting, outbox_dead;
	uint64_t produced, stored, lost;
	uint64_t folded, actions, lost_process, lost_rare, lost_volume; /* as of an agent */
	uint32_t schema;
};
int store_status(struct store *s, struct store_status *ret, struct err *err) WARN_UNUSED;
/* A consistent copy of everything into a folder, while running. */
int store_backup(struct store *s, const char *dir, struct err *err) WARN_UNUSED;
