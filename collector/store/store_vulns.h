/* store_vulns.h - vulnerabilities as the store has them: what was found in which package, which are urgent,
 * which a person accepts, which have an alert; and the feeds they come from.
 *
 *   package new, or advisory changed -> the package is due: matched -> findings
 *   findings, uses, acceptances change -> the vulnerability is due: judged -> its place in lists, its alerts
 *
 * Both queues are rows, so that a kill loses nothing and doing a thing twice changes nothing. */
#pragma once
#include "collector/store/store_images.h"
#include "common/vulndb/vulndb.h"

/* ---- numbers that outlive a restart; 0 when never set ---- */
int store_number_get(struct store *s, const char *name, uint64_t *ret, struct err *err) WARN_UNUSED;
int store_number_set(struct store *s, const char *name, uint64_t value, struct err *err) WARN_UNUSED;

/* ---- matching ---- */

/* Packages of one distribution that are due, at most limit. Text lives in a. count 0: none is. */
struct store_match {
	int64_t os;
	struct vulndb_os os_text;
	size_t count;
	int64_t *rows;
	struct vulndb_package *packages;
	/* while it is answered: the package, and the vulnerabilities said of it */
	struct arena *arena;
	size_t at, said, said_room;
	bool is_changed;
	int64_t *said_rows;
};
int store_match_next(struct store *s, size_t limit, struct arena *a, struct store_match *ret,
		     struct err *err) WARN_UNUSED;
/* What the database says of packages[package]. In order of packages, between store_match_next and
 * store_match_done. generation: the database's. */
int store_match_found(struct store *s, struct store_match *m, size_t package, const struct vulndb_found *f,
		      uint64_t generation, struct err *err) WARN_UNUSED;
/* Findings that were not said again are resolved; the packages are due no longer. */
int store_match_done(struct store *s, struct store_match *m, struct err *err) WARN_UNUSED;
/* The packages stay as they are, due no longer: the database can't answer for them. */
int store_match_skip(struct store *s, const struct store_match *m, struct err *err) WARN_UNUSED;
/* The packages that the database calls so (vulndb_package_key), and the files of a package called so, are due.
 * ecosystem "": of any. */
int store_match_due(struct store *s, struct slice ecosystem, struct slice name, struct err *err) WARN_UNUSED;
int store_match_all_due(struct store *s, struct err *err) WARN_UNUSED;
/* Are any? */
int store_match_is_due(struct store *s, bool *ret, struct err *err) WARN_UNUSED;

/* ---- one vulnerability ---- */

/* How a package's files are used; what weighs more is the larger bit. */
enum { STORE_USED_LOADED = 1, STORE_USED_EXECUTED = 2, STORE_USE_EXPOSED = 4 };

struct store_vuln {
	int64_t row;
	const char *id;	     /* CVE-… where there is one */
	const char *aliases; /* JSON array */
	const char *title, *description, *urls /* JSON array */, *vector;
	double score, epss, percentile; /* epss < 0: none */
	bool is_kev, is_ransomware;
	const char *kev_added, *kev_due;
	uint64_t published_unix_s, modified_unix_s, first_seen_unix_ns;
	/* of its places, as last judged */
	enum vuln_severity severity; /* the highest */
	const char *packages;	     /* JSON array of names */
	bool is_fixable, is_exposed, is_accepted /* everywhere */;
	uint64_t images, running, hosts;
	unsigned used; /* STORE_USED_* */
};
/* By id or alias. ERR_NOT_FOUND. Text lives in a. */
int store_vuln_get(struct store *s, const char *id, struct arena *a, struct store_vuln *ret,
		   struct err *err) WARN_UNUSED;
/* Urgent first: known to be exploited, likely to be (EPSS of 0.5, 0.1, 0.01), used, running, exposed,
 * severity. Keys: vuln severity kev epss score package ecosystem fixable image host container running used
 * exposed accepted title text time since until (the times mean first_seen). accepted ones are left out
 * unless the filter speaks of them. Cursor, limit, fn as of store_alert_query. */
int store_vuln_query(struct store *s, const struct store_query *q,
		     int (*fn)(void *arg, const struct store_vuln *v), void *arg, char *ret_cursor,
		     size_t cursor_size, struct err *err) WARN_UNUSED;

/* A package of an image that has the vulnerability. */
struct store_place {
	int64_t image;
	const char *image_id, *names; /* JSON array */
	uint64_t hosts, containers;
	bool is_exposed;
	const char *ecosystem, *package, *version, *arch, *fixed, *note, *feed, *record, *severity_source;
	struct slice path;
	unsigned layer;
	enum vuln_severity severity;
	enum vuln_status status;
	uint64_t first_seen_unix_ns;
	/* The newest of all hosts; used 0: nothing is known of it. */
	unsigned used;
	uint64_t used_unix_ns;
	const char *used_agent, *used_container;
	struct slice used_path;
};
/* Image by image, running ones first. image 0: all; limit 0: no limit. */
int store_vuln_places(struct store *s, int64_t vuln, int64_t image, uint64_t limit,
		      int (*fn)(void *arg, const struct store_place *p), void *arg, struct err *err) WARN_UNUSED;
/* An image's vulnerabilities with their places, urgent first; from: how many to leave out. */
int store_image_vulns(struct store *s, int64_t image, uint64_t from, uint64_t limit,
		      int (*fn)(void *arg, const struct store_vuln *v, const struct store_place *p), void *arg,
		      struct err *err) WARN_UNUSED;

/* ---- judging ---- */

/* The most urgent one that is due; row 0: none is. */
int store_vuln_next_due(struct store *s, struct arena *a, struct store_vuln *ret, struct err *err) WARN_UNUSED;
/* On how many hosts images with it run. */
int store_vuln_hosts(struct store *s, int64_t vuln, uint64_t *ret, struct err *err) WARN_UNUSED;
/* v's fields "of its places" as they are now; no longer due. Without places it is forgotten with the next
 * tidying. */
int store_vuln_judged(struct store *s, const struct store_vuln *v, struct err *err) WARN_UNUSED;
/* Counts the findings of images where they changed, at most limit images; *ret_more: some are left. */
int store_image_counts(struct store *s, unsigned limit, bool *ret_more, struct err *err) WARN_UNUSED;

/* ---- what policies ask ---- */

/* The worst of an image that nobody accepts. Only while no package is due: what was not matched is not clean. At most
 * limit images that changed; *ret_more: some are left. */
int store_image_scans_judge(struct store *s, unsigned limit, bool *ret_more, struct err *err) WARN_UNUSED;
struct store_image_scan {
	bool is_known, is_scanned; /* its inventory is here; it was matched */
	const char *worst;	   /* vuln_severity_name; "" none */
	uint64_t scanned_unix_s;
};
/* Of an image that lies on a host: it counts as seen. */
int store_image_scan_get(struct store *s, const char *image_id, struct store_image_scan *ret, struct err *err) WARN_UNUSED;
/* Changes whenever what that says of any image does. */
int store_image_scans_generation(struct store *s, uint64_t *ret, struct err *err) WARN_UNUSED;

enum store_told {
	TOLD_NOTHING,
	TOLD_OPEN,     /* its alert is there; a person may have closed it */
	TOLD_WITHHELD, /* there were too many at once: it is in the lists only */
	TOLD_CLOSED,   /* closed by itself */
};
/* What was told of a vulnerability in an image. */
struct store_told_row {
	int64_t image, alert; /* alert 0: none */
	enum msg_severity severity;
	enum store_told state;
	unsigned use; /* what rules were told: STORE_USED_*, STORE_USE_EXPOSED */
};
int store_told_get(struct store *s, int64_t vuln, int64_t image, struct store_told_row *ret,
		   struct err *err) WARN_UNUSED;
int store_told_set(struct store *s, int64_t vuln, const struct store_told_row *row, struct err *err) WARN_UNUSED;
/* fn must not write. */
int store_told_each(struct store *s, int64_t vuln, int (*fn)(void *arg, const struct store_told_row *row),
		    void *arg, struct err *err) WARN_UNUSED;

/* A vulnerability in an image that runs: what becomes one alert. */
struct store_case {
	const struct store_vuln *vuln;
	const char *image_id, *image; /* image: its name for people */
	enum msg_severity severity;
	bool is_exposed;
	const struct store_place *places; /* those that nobody accepts, most severe first */
	size_t place_count;
	const struct store_use *uses; /* where it runs, host by host; the first ones */
	size_t use_count;
	uint64_t hosts, containers;
};

/* ---- acceptances ---- */

struct store_acceptance {
	int64_t id;
	const char *vuln, *image, *package; /* image, package: names or patterns; "" = any */
	const char *reason, *who, *ended_by;
	uint64_t created_unix_ns, until_unix_ns, ended_unix_ns; /* ended 0: in force */
};
/* The vulnerabilities it means become due. ERR_LIMIT: more than 10,000 in force. */
int store_acceptance_add(struct store *s, const struct store_acceptance *a, int64_t *ret_id,
			 struct err *err) WARN_UNUSED;
/* ERR_NOT_FOUND: none of this number is in force. */
int store_acceptance_end(struct store *s, int64_t id, const char *by, struct err *err) WARN_UNUSED;
/* Those whose time is over end, by "expired", with a line in the audit log. */
int store_acceptances_expire(struct store *s, struct err *err) WARN_UNUSED;
/* Newest first; vuln nullable: of all. is_ended: those that ended, too. */
int store_acceptances_each(struct store *s, const struct store_vuln *vuln, bool is_ended, uint64_t limit,
			   int (*fn)(void *arg, const struct store_acceptance *a), void *arg,
			   struct err *err) WARN_UNUSED;
/* Does it mean this package of this image? */
bool store_acceptance_covers(const struct store_acceptance *a, const struct store_place *p);

/* ---- feeds ---- */

struct store_feed {
	const char *name, *url, *format, *etag, *modified, *error;
	uint64_t tried_unix_ns, succeeded_unix_ns, changed_unix_ns, bytes;
};
int store_feed_put(struct store *s, const struct store_feed *f, struct err *err) WARN_UNUSED;
/* ERR_NOT_FOUND. Text lives in a. */
int store_feed_get(struct store *s, const char *name, struct arena *a, struct store_feed *ret,
		   struct err *err) WARN_UNUSED;
int store_feeds_each(struct store *s, int (*fn)(void *arg, const struct store_feed *f), void *arg,
		     struct err *err) WARN_UNUSED;

/* ---- figures ---- */
struct store_vuln_status {
	uint64_t images, images_known, images_running, images_dropped, layers, packages;
	uint64_t vulns, findings, packages_due, vulns_due, acceptances;
	uint64_t kev_running; /* vulnerabilities known to be exploited, in images that run, not accepted */
};
int store_vuln_status(struct store *s, struct store_vuln_status *ret, struct err *err) WARN_UNUSED;
