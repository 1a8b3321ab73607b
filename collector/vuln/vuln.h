/* vuln.h - which images are vulnerable: takes inventories and uses, matches packages against the database
 * whenever either changes, judges what is urgent, and keeps the database's feeds fresh.
 *
 * Everything is done on the loop in slices of 30 ms, so that batches never wait; downloads and imports are a
 * process of their own. One thread. */
#pragma once
#include "collector/store/store_vulns.h"
#include "common/json.h"
#include "common/loop.h"

struct vuln;

struct vuln_feed {
	char *name, *url, *ca_file; /* url: https://… or a path; ca_file "": the system's */
	int format;		    /* enum vulndb_format */
	bool is_part;		    /* OSV: what is absent stays */
};
struct vuln_config {
	const char *db_path;	     /* vulndb.db in the state folder */
	const char *public_key_file; /* nullable: a database without its signature isn't used */
	int min_severity;	     /* enum vuln_severity: alerts from here on; KEV always */
	uint64_t gone_ms, quiet_ms, keep_ms; /* struct store_images_tidy */
	uint64_t stale_ms;		     /* data older than this is told; 0: never */
	const struct vuln_feed *feeds;
	size_t feed_count;
	uint64_t feed_every_ms;		   /* 0: only by hand */
	const char *const *update_command; /* NULL-terminated: what updates the feeds; nullable */
};

enum vuln_case_why { CASE_NEW, CASE_SAME, CASE_WORSE, CASE_AGAIN };
struct vuln_ops {
	/* Inside a transaction. A vulnerability of an image that runs: new, still there (its words may have
	 * changed), worse, or there again after it was closed. *told as it is; set alert and state to what became
	 * of it (TOLD_WITHHELD: no alert, there were too many). */
	int (*on_case)(void *arg, const struct store_case *c, enum vuln_case_why why, struct store_told_row *told,
		       struct err *err);
	/* Inside a transaction. It is over. */
	int (*on_closed)(void *arg, int64_t alert, const char *why, struct err *err);
	/* Inside a transaction. What a person must know of the data: *alert 0: tell it, and say by which alert; else
	 * it is well again. */
	int (*on_data)(void *arg, const char *title, const char *detail, int64_t *alert, struct err *err);
	void (*on_committed)(void *arg);
};

int vuln_new(struct loop *l, struct store *s, const struct clock *clk, const struct vuln_config *cfg,
	     const struct vuln_ops *ops, void *arg, struct vuln **ret, struct err *err) WARN_UNUSED;
void vuln_free(struct vuln *v);
DEFINE_CLEANUP(struct vuln, vuln_free)

/* An agent's ImagesAsk, InventoryPart, ImagesInUse or BaseImages, inside the store's transaction. *ret is
 * filled, its parts in a; a Refusal where the request is wrong. Errors are the store's. */
int vuln_request(struct vuln *v, const char *agent, const Picket__Request *rq, struct arena *a,
		 Picket__Reply *ret, struct err *err) WARN_UNUSED;
/* Something may have become due: after a commit of requests, and after a person's acceptance. */
void vuln_kick(struct vuln *v);
/* Members of GET /api/v1/status: "vulnerability_data", "feeds". */
void vuln_status(struct vuln *v, struct json *j);
/* The loop's work until nothing is due; for tests. */
int vuln_work_all(struct vuln *v, struct err *err) WARN_UNUSED;

/* ---- feeds, for the command line: downloads and imports, and waits ---- */

/* Every feed whose server has something new, into the database. Each is tried, whatever becomes of the others.
 * *ret_failed: how many did not. say: a line for a person, per feed. EBUSY: another is at it. */
int vuln_feeds_update(struct store *s, const struct clock *clk, const struct vuln_config *cfg,
		      void (*say)(void *arg, const char *line), void *arg, unsigned *ret_failed,
		      struct err *err) WARN_UNUSED;
/* One file or folder. format: "osv", "debian", "alpine", "kev", "epss", "auto"; "db": a whole database, taken
 * over after a look at it (and at its signature, with public_key_file). */
int vuln_feed_import(struct store *s, const struct clock *clk, const struct vuln_config *cfg, const char *format,
		     const char *path, void (*say)(void *arg, const char *line), void *arg,
		     struct err *err) WARN_UNUSED;
int vuln_format_find(const char *name, int *ret, struct err *err) WARN_UNUSED;
