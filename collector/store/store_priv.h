/* store_priv.h - what the store's own files share. */
#pragma once
#include "collector/store/db.h"
#include "collector/store/filter.h"
#include "collector/store/schema.h"
#include "collector/store/store.h"

enum { QUERY_LIMIT_MAX = 100000 };
static const uint64_t minute_ns = 60ull * 1000000000;

/* What is asked for every batch and every row of an answer, kept in memory. */
struct agent_brief {
	char *id, *host, *serial; /* owned */
	bool is_revoked;
};
struct agents {
	struct agent_brief *rows; /* sorted by id */
	size_t count;
	bool is_stale;
	int64_t data_version;	   /* changes when another process commits */
	uint64_t checked_boot_ns;
};

struct history;
struct silences;
struct inhibit;
struct exceptions;
struct store {
	char *dir; /* owned */
	uint64_t alerts_max;
	struct silences *silences; /* silences.c; NULL: to be read */
	struct exceptions *exceptions; /* exceptions.c; NULL: to be read */
	struct inhibit *inhibit;   /* inhibit.c; NULL: no rules */
	uint64_t history_days, class_days[4], history_max_bytes, reserve_bytes;
	uint64_t part_bytes; /* a part file of a day is as long as this, and a block */
	const struct clock *clk;
	struct db state;
	struct history *history;
	struct agents agents;
	uint64_t room_checked_boot_ns, free_bytes; /* 0 = not yet */
	uint64_t pruned_boot_ns;
	uint64_t asked_ns, asked_boot_ns; /* time that queries took lately; see store_query_begin */
	uint64_t said[4096];		  /* vulns.c: what was said of vulnerabilities, by hash */
	uint64_t images_pruned_boot_ns;	  /* images_use.c */
	bool must_prune_images;
};

static inline bool store_in_tx(const struct store *s)
{
	return s->state.in_tx;
}
/* For verbs of several statements: joins the open transaction or makes its own. */
int store_own_begin(struct store *s, bool *ret_is_own, struct err *err) WARN_UNUSED;
/* r < 0 rolls an own transaction back, else commits it. Returns r, or the failure to commit. */
int store_own_end(struct store *s, bool is_own, int r, struct err *err) WARN_UNUSED;
/* The path of a file of ours; dst holds PATH_MAX. */
int store_path(const struct store *s, const char *name, char *dst, size_t size, struct err *err);

/* state.c: until when (boot time) a query may go on before it answers with a cursor. One alone gets
 * 200 ms; those that follow at once get 30 ms each, so that batches are never kept waiting for long. */
uint64_t store_query_begin(struct store *s);
void store_query_end(struct store *s, uint64_t begun_boot_ns);

/* state.c: drops tokens long expired, and the oldest of too many audit rows, messages, alerts. */
int state_prune(struct store *s, struct err *err) WARN_UNUSED;

/* agents.c */
int agents_refresh(struct store *s, struct err *err) WARN_UNUSED;
const struct agent_brief *agents_find(const struct store *s, const char *id);
void agents_fini(struct agents *a);
/* sequence.c */
/* The agent has given out the numbers up to given. */
int agents_count_given(struct store *s, const char *agent, uint64_t epoch, uint64_t given,
		       struct err *err) WARN_UNUSED;
/* Loss in an agent's kernel, told by a Gap record: counted once, by its sequence number. */
int agents_count_gap(struct store *s, const char *agent, uint64_t epoch, uint64_t seq,
		     const Picket__Gap *gap, struct err *err) WARN_UNUSED;

/* audit.c: keeps the newest. */
int audit_prune(struct store *s, struct err *err) WARN_UNUSED;
/* outbox.c: keeps the newest dead letters. */
int outbox_prune_dead(struct store *s, struct err *err) WARN_UNUSED;
/* containers.c */
/* 1 and the name and image (in the arena), 0 when unknown. */
int containers_names_of(struct store *s, const char *agent, const char *id, struct arena *a,
			struct slice *ret_name, struct slice *ret_image,
			struct err *err) WARN_UNUSED;
/* Ids of the containers with this name (or image), at most max; 1 more than max when there are more. */
int containers_named(struct store *s, const char *key, struct slice value, size_t max,
		     struct arena *a, const char **ret_ids, size_t *ret_count,
		     struct err *err) WARN_UNUSED;
int containers_prune(struct store *s, uint64_t before_unix_ns, struct err *err) WARN_UNUSED;

/* history.c */
int history_open(struct store *s, struct history **ret, struct err *err) WARN_UNUSED;
void history_close(struct history *h);
int history_commit(struct store *s, struct err *err) WARN_UNUSED;
/* After both commits: seals what has become full. */
void history_committed(struct store *s);
void history_rollback(struct store *s);
int history_status(struct store *s, uint64_t *ret_events, uint64_t *ret_bytes,
		   struct err *err) WARN_UNUSED;
/* backup.c */
int backup_db(struct db *d, const char *path, struct err *err) WARN_UNUSED;
int backup_file(const char *from, const char *to, struct err *err) WARN_UNUSED;

int history_backup(struct store *s, const char *dir, struct err *err) WARN_UNUSED;
