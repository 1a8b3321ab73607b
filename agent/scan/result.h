/* result.h - what a scan found: an inventory, what the database says of its packages, and who said that
 * nobody needs to act. The formatters see nothing else. */
#pragma once
#include "common/arena.h"
#include "common/vulndb/vulndb.h"
#include "proto/picket.pb-c.h"

/* A vulnerability as one advisory tells it; several findings share it. */
struct scan_vuln {
	struct slice id, record, title, description, feed;
	const struct slice *aliases;
	size_t alias_count;
	const struct slice *urls;
	size_t url_count;
	double epss, epss_percentile; /* < 0 = none */
	bool kev, kev_ransomware;
	struct slice kev_added, kev_due;
	uint64_t published_unix_s, modified_unix_s; /* 0 = not said */
	uint32_t number; /* 0, 1, 2 … of all of a result */
};

/* Whose word it is that a finding does not count. */
enum scan_hush { SCAN_COUNTS, SCAN_IGNORED, SCAN_VEX };

struct scan_finding {
	size_t package; /* index into scan_result.packages */
	const struct scan_vuln *vuln;
	enum vuln_severity severity;
	struct slice severity_source;
	double cvss; /* 0 = none */
	struct slice cvss_vector;
	enum vuln_status status;
	struct slice status_note, fixed, range;
	enum version_scheme scheme;
	enum scan_hush hush;
	struct slice hush_state;  /* "ignored", "not_affected", "fixed" … */
	struct slice hush_why;	  /* the reason as it was written; may be empty */
	struct slice hush_source; /* the file that says so */
	struct slice hush_until;  /* a date, or empty */
};

struct scan_package {
	const Picket__Package *pkg;
	uint32_t layer;	   /* index into the inventory's layers */
	bool is_excluded;  /* only for development: was not asked about */
	struct slice ref;  /* of an SBOM: what it calls this component; else empty */
};

/* How many findings, of those that count. */
struct scan_summary {
	uint64_t by_severity[VULN_CRITICAL + 1];
	uint64_t total, fixable, kev, suppressed, ignored, vex;
};

enum { SCAN_WARNINGS_MAX = 64 };

struct scan_result {
	struct arena *arena; /* borrowed: where texts and arrays live */
	const char *target;
	const Picket__Inventory *inventory;
	struct scan_package *packages;
	size_t package_count, excluded_count; /* excluded_count: of them, for development only */
	struct scan_finding *findings; /* counting ones first, then the suppressed; each sorted */
	size_t finding_count, counting, vuln_count;
	struct scan_summary summary;
	bool has_database;
	uint64_t database_unix_s; /* newest import */
	struct slice document, document_format; /* of an SBOM: serial number, "CycloneDX 1.6"; else empty */
	uint64_t now_unix_s;
	const char *uuid; /* of this result, for documents that need a name */
	const char *warnings[SCAN_WARNINGS_MAX];
	size_t warning_count, warnings_lost;
};

/* Fills packages from the inventory (borrowed as long as *ret is used). a: borrowed as long. include_dev:
 * packages only for development are judged, too. ERR_LIMIT. */
int scan_result_init(struct scan_result *ret, struct arena *a, const Picket__Inventory *inventory,
		     bool include_dev, struct err *err) WARN_UNUSED;
void scan_warn(struct scan_result *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Takes findings in, copying their texts into the result's arena. When the arena is half full, titles and
 * descriptions are left out (and a warning says so), so that an image made to have every vulnerability
 * there is still gets its answer. */
struct scan_collector;
int scan_collector_new(struct scan_result *r, struct scan_collector **ret, struct err *err) WARN_UNUSED;
/* A vulndb_found_fn; arg: the collector; package: index into scan_result.packages. ERR_LIMIT. */
int scan_collect(void *arg, size_t package, const struct vulndb_found *f);
/* The collected findings are put into the result. */
int scan_collector_end(struct scan_collector *c, struct err *err) WARN_UNUSED;
void scan_collector_free(struct scan_collector *c);
DEFINE_CLEANUP(struct scan_collector, scan_collector_free)

/* Which findings are wanted at all; the others are removed. */
struct scan_filter {
	uint32_t severities; /* bit per enum vuln_severity; 0 = all */
	bool fixable_only;
};
void scan_filter(struct scan_result *r, const struct scan_filter *f);
/* Sorts: KEV, EPSS (in whole percents, as shown), severity, id, package; and counts. Once hush is set. */
void scan_finish(struct scan_result *r);

/* EPSS in whole percents, -1 where there is none. */
int scan_epss_percent(const struct scan_vuln *v);
const char *scan_diff_id(const struct scan_result *r, size_t package);
/* Where a person reads more: the first good URL. Lives in buf, size 512. */
const char *scan_primary_url(const struct scan_vuln *v, char *buf, size_t size);
/* "sha256:…" that the image is known by: of its manifest, else of its configuration. */
struct slice scan_digest(const struct scan_result *r);
