/* feeds.h - the formats that are not OSV, as streams of bytes: Debian's tracker, secdb, KEV, EPSS. Each
 * reader is fed until the end of its document; what it tells is borrowed for the call. */
#pragma once
#include "common/vulndb/advisory.h"

/* Negative ends the reading. */
typedef int (*advisory_fn)(void *arg, const struct advisory *a, struct err *err);
/* What was wrong with a part of the document that was left out. */
typedef int (*bad_fn)(void *arg, const char *what, struct err *err);

/* Debian's security tracker, data/json: {source: {CVE: {releases: {codename: {…}}}}}. An advisory for each
 * source package and CVE. */
struct debian;
struct debian *debian_new(advisory_fn fn, bad_fn bad, void *arg) WARN_UNUSED;
int debian_feed(struct debian *d, struct slice bytes, struct err *err) WARN_UNUSED;
int debian_end(struct debian *d, struct err *err) WARN_UNUSED;
void debian_free(struct debian *d);
DEFINE_CLEANUP(struct debian, debian_free)

/* secdb of Alpine, Wolfi, Chainguard, MinimOS: one document, read whole (what it is of may stand at its end).
 * An advisory for each package, fixed version and id. */
enum { SECDB_MAX = 64 << 20 };
int secdb_read(struct slice text, advisory_fn fn, bad_fn bad, void *arg, struct err *err) WARN_UNUSED;
/* The distribution a secdb is of: "Alpine", "Wolfi" …; NULL when it is no secdb. */
const char *secdb_ecosystem(struct slice text);

/* CISA's catalogue of what is exploited. */
struct kev_row {
	int64_t cve;
	struct slice added, due; /* dates; may be empty */
	struct slice title;
	bool is_ransomware;
};
struct kev_reader {
	int (*row)(void *arg, const struct kev_row *r, struct err *err);
	bad_fn bad;
	void *arg;
};
struct kev;
struct kev *kev_new(const struct kev_reader *r) WARN_UNUSED;
int kev_feed(struct kev *k, struct slice bytes, struct err *err) WARN_UNUSED;
int kev_end(struct kev *k, struct err *err) WARN_UNUSED;
/* dateReleased; borrowed. */
struct slice kev_date(const struct kev *k);
void kev_free(struct kev *k);
DEFINE_CLEANUP(struct kev, kev_free)

/* FIRST's EPSS scores: lines "CVE,score,percentile" after a comment and a head. */
struct epss_row {
	int64_t cve;
	double score, percentile; /* 0 .. 1 */
};
enum { EPSS_LINE_MAX = 1024 };
struct epss {
	int (*row)(void *arg, const struct epss_row *r, struct err *err);
	bad_fn bad;
	void *arg;
	char line[EPSS_LINE_MAX]; /* what of the last line has come */
	size_t length;
	unsigned long number;
	char date[40];
};
int epss_feed(struct epss *e, struct slice bytes, struct err *err) WARN_UNUSED;
int epss_end(struct epss *e, struct err *err) WARN_UNUSED;
