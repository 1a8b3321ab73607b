/* match_priv.h - matching, from rows to findings: match.c asks, match_gather.c judges rows, match_merge.c makes
 * one finding of each vulnerability, match_tell.c fills in what is known of it. */
#pragma once
#include "common/vulndb/ecosystem.h"
#include "common/vulndb/vulndb_priv.h"

enum { MATCH_ARENA = 48 << 20, MATCH_TEXTS = 4 << 20, MATCH_PURLS = 32, MATCH_ROWS_MAX = 200000 };

/* The spaces a type of packages is looked up in, here; the first decides. */
struct asked {
	char purl[24];
	char source[32]; /* who says its severities: "debian" */
	const struct ecosystem *ecosystem; /* NULL: no advisories for such packages on this host */
	int64_t spaces[SPACES_MAX];
	size_t count;
};

/* A row about the package. Texts are set where it is affected. */
struct hit {
	int64_t advisory;
	int64_t cve; /* the distribution's own word (tracker, secdb) on this CVE; else 0 */
	unsigned space; /* place in asked.spaces */
	bool is_affected;
	enum vuln_status status;
	int severity; /* of the distribution; -1: none said */
	struct slice ranges, versions, note, fixed;
	/* of the advisory, read where it is affected */
	struct slice groups, record, severity_source, vector;
	enum vuln_severity advisory_severity;
	double cvss;
};

/* One vulnerability of one hit. */
struct candidate {
	const struct hit *hit;
	struct slice ids;   /* with blanks between, the best known first */
	bool is_one;	    /* the advisory is about this one only */
	size_t parent;	    /* of the merged set */
	bool is_dropped;
};

struct match {
	struct arena *arena; /* of the package at hand */
	struct arena *texts; /* of the finding at hand */
	struct asked asked[MATCH_PURLS];
	size_t asked_count;
	const struct vulndb_os *os;
	/* of the package at hand */
	const struct asked *in;
	struct slice name, version;
	struct hit *hits;
	size_t hit_count;
	struct candidate *candidates;
	size_t candidate_count;
	size_t package;
	vulndb_found_fn found;
	void *arg;
	struct buf range; /* text of a finding */
};

/* An array in the arena doubles when it is full. */
int match_grow(struct arena *a, void **items, size_t count, size_t size, struct err *err) WARN_UNUSED;
int match_keep(struct arena *a, struct slice s, struct slice *ret, struct err *err) WARN_UNUSED;

/* Fills m->hits for the package at hand. */
int match_gather(struct vulndb *db, struct match *m, struct err *err) WARN_UNUSED;
/* Fills m->candidates from the hits, what is overruled dropped, the same ones under one parent. */
int match_merge(struct vulndb *db, struct match *m, struct err *err) WARN_UNUSED;
/* Calls m->found for every set of candidates, in order of id; 1: it said to stop. */
int match_tell(struct vulndb *db, struct match *m, struct err *err) WARN_UNUSED;
/* Reads groups, record, severity … of the hit's advisory. */
int match_read_advisory(struct vulndb *db, struct match *m, struct hit *h, struct err *err) WARN_UNUSED;
/* db->match, made at the first call. */
int match_prepare(struct vulndb *db, struct err *err) WARN_UNUSED;
