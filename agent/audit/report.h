/* report.h - what an audit of several subjects found, and how it is written: for people, as JSON, as SARIF. */
#pragma once
#include "agent/audit/audit.h"
#include "common/out.h"

/* One subject with all its results. */
struct report_subject {
	enum audit_subject subject;
	const char *name;  /* of the container, the image, the host; as it is: escaped when it is written */
	const char *id;	   /* "" where there is none */
	const char *image; /* of a container, as given; else "" */
	struct audit_result *results;
	size_t count;
};

struct report {
	const char *host;
	uint64_t now_unix_s;
	const char *engine; /* version; "" it did not answer */
	struct report_subject *subjects;
	size_t subject_count;
};

struct report_summary {
	size_t by_status[AUDIT_STATUS_COUNT];
	size_t by_severity[AUDIT_SEVERITY_COUNT]; /* of fails and warnings */
	size_t differs;
};

struct report_options {
	unsigned columns; /* of the terminal; 0 = any width */
	bool is_coloured;
	bool show_all;	  /* what passes and what does not apply, too */
	bool show_fixes;  /* why and how, for each check that found something */
	const char *hint; /* printed at the end; "" none */
};

void report_count(const struct report *r, struct report_summary *ret);
/* A result of this severity or worse that is a fail (a warning closes no gate). */
bool report_is_bad(const struct report *r, enum audit_severity least);
/* "CIS Docker Benchmark 1.6: 5.4" and "MITRE ATT&CK T1611", one after the other; each is given to add. */
void report_references(const struct audit_check *c, void (*add)(void *arg, struct slice text), void *arg);

int report_table(const struct report *r, const struct report_options *o, struct out *out, struct err *err) WARN_UNUSED;
int report_json(const struct report *r, struct out *out, struct err *err) WARN_UNUSED;
int report_sarif(const struct report *r, struct out *out, struct err *err) WARN_UNUSED;
/* The table of checks itself. */
int report_checks(const struct report_options *o, struct out *out, struct err *err) WARN_UNUSED;
