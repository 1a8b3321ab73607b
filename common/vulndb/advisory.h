/* advisory.h - one advisory, whatever format it came in: what the readers make and the writer stores. */
#pragma once
#include "common/arena.h"
#include "common/vulndb/vulndb.h"

enum advisory_event_kind { ADVISORY_INTRODUCED, ADVISORY_FIXED, ADVISORY_LAST_AFFECTED, ADVISORY_LIMIT };
struct advisory_event {
	enum advisory_event_kind kind;
	struct slice version;
};
/* Those of one range stand together; `range` numbers them. */
struct advisory_events {
	struct advisory_event *v;
	unsigned *range;
	size_t count;
};

struct advisory_affected {
	struct slice ecosystem; /* as the record says: "Debian:12", "npm" */
	struct slice name;
	struct advisory_events events;
	unsigned ranges;     /* how many (GIT ranges do not count) */
	bool is_semver;	     /* of a range of type SEMVER */
	struct slice *versions;
	size_t version_count;
	enum vuln_severity severity; /* the distribution's; VULN_UNKNOWN: it says none */
	bool has_severity;	     /* it says one (perhaps VULN_NONE) */
	enum vuln_status status;
	struct slice note;
};

struct advisory {
	struct slice key;    /* unique in its feed; the id where the format has one */
	struct slice part;   /* of the feed; what is absent is removed only in the parts that came */
	struct slice record; /* the id to show */
	struct slice title, description;
	struct slice *aliases, *upstream, *related, *urls;
	size_t alias_count, upstream_count, related_count, url_count;
	struct slice published, modified, withdrawn; /* RFC 3339 */
	struct slice vector;			     /* CVSS, the best one */
	double cvss;				     /* 0 = none */
	enum vuln_severity severity;		     /* of the publisher's word, else of cvss */
	struct slice severity_source;		     /* "ghsa", "cvss"; empty: unknown */
	struct advisory_affected *affected;
	size_t affected_count;
};

/* A copy in the arena, without blanks at its ends, cut at max bytes between characters.
 * ERR_LIMIT when the arena is full. */
int advisory_text(struct arena *a, struct slice s, size_t max, struct slice *ret, struct err *err) WARN_UNUSED;
/* Room for one more in an array of `size` bytes an element that lives in the arena. *items moves. */
int advisory_grow(struct arena *a, void **items, size_t count, size_t size, struct err *err) WARN_UNUSED;
/* "CVE-2024-1234" -> 2024 * 10^10 + 1234; 0 when it is none in its usual form. */
int64_t advisory_cve(struct slice id);
/* "UBUNTU-CVE-2024-1", "DEBIAN-CVE-2024-1" -> the CVE in it; else the id itself. */
struct slice advisory_plain_id(struct slice id);
/* Printable ASCII without blanks, quotes, backslashes; 1 .. VULNDB_ID_MAX bytes. */
bool advisory_is_id(struct slice id);
/* One line of text: no control characters; 1 .. max bytes. */
bool advisory_is_line(struct slice s, size_t max);
/* A CVE or another id that was taken back: "** REJECTED **", "Rejected reason: …". */
bool advisory_is_rejected(struct slice text);
/* "critical", "HIGH", "Important", "moderate", "unimportant", "negligible" … false: says nothing. */
bool advisory_severity(struct slice word, enum vuln_severity *ret);
/* Takes the vector if it is better than the one there (newer version of CVSS first, then the higher score);
 * a wrong one is ignored. Borrowed: copies into the arena. */
int advisory_take_vector(struct arena *a, struct slice vector, struct slice *best, double *score,
			 enum vuln_severity *severity, struct err *err) WARN_UNUSED;
