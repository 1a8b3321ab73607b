/* audit.h - the checks: a table of pure functions over facts, and what they found.
 *
 * A check has one subject: the host, the engine, an image, a container. It never reads anything, and nothing that a
 * container or its owner can name (labels, names, argv) changes its verdict. Not applicable is a verdict of its own. */
#pragma once
#include "agent/audit/facts.h"
#include "common/buf.h"

enum audit_subject { SUBJECT_HOST, SUBJECT_DAEMON, SUBJECT_IMAGE, SUBJECT_CONTAINER, SUBJECT_COUNT };
enum audit_severity { AUDIT_INFO, AUDIT_LOW, AUDIT_MEDIUM, AUDIT_HIGH, AUDIT_CRITICAL, AUDIT_SEVERITY_COUNT };
enum audit_status {
	AUDIT_PASS,
	AUDIT_FAIL,
	AUDIT_WARN,  /* not wrong for sure, or only asked for and not to be seen */
	AUDIT_NA,    /* does not apply here; evidence says why */
	AUDIT_ERROR, /* could not be told; evidence says why */
	AUDIT_STATUS_COUNT
};

struct audit_check {
	const char *id;	   /* "PKT-C-005": stable; H host, D daemon, I image, C container */
	const char *title; /* what is right: "The container is not privileged" */
	enum audit_subject subject;
	enum audit_severity severity;
	const char *cis;   /* numbers of the benchmark, "1.6: 5.4, 1.8: 5.5"; "" where it has none */
	const char *mitre; /* "T1611"; "" */
	const char *why;   /* what goes wrong otherwise: a sentence or two */
	const char *fix;   /* how to mend it; with a command where there is one. {name}, {id}, {image} are filled */
};

struct audit_result {
	const struct audit_check *check; /* static */
	enum audit_status status;
	/* A fail's own severity, where the facts make it worse or milder than the check's (a socket mounted read-only
	 * is as bad; one capability is not as bad as all). */
	enum audit_severity severity;
	/* What was seen, one line: "CapEff 3fffffffff"; in the arena. This and fix have been through show_text. */
	const char *evidence;
	const char *fix; /* the check's, filled in, with words quoted for a shell; "" where nothing is to be mended */
	bool differs;	      /* asked for and real are not the same: evidence names both */
};

struct audit_input {
	const struct facts_host *host;
	const struct facts_daemon *daemon;
	const struct facts_image *image;	 /* of the container, or the subject; nullable */
	const struct facts_container *container; /* nullable */
};

size_t audit_check_count(void);
const struct audit_check *audit_check_at(size_t i);
/* By id, in any case, or by a number of the benchmark, "5.4" or "CIS-5.4": one number may stand at several checks. */
bool audit_check_is(const struct audit_check *c, const char *id);
/* The first that is; NULL: none. */
const struct audit_check *audit_check_find(const char *id);

/* Runs every check of the subject. host and daemon have to be there (all unknown will do), for a container and an image
 * these, too. *ret: in the arena, in the table's order. ENOMEM, ERR_LIMIT (arena). */
int audit_run(enum audit_subject subject, const struct audit_input *in, struct arena *a, struct audit_result **ret,
	      size_t *ret_count, struct err *err) WARN_UNUSED;

/* The kernel's side of it; NULL: not known, or its processes run on a kernel of their own. */
const struct facts_real *audit_real(const struct facts_container *c);
/* With the capabilities that turn root in the container into root outside, and no filter, the flag is a word. */
bool audit_is_privileged(const struct facts_real *r);

const char *audit_status_name(enum audit_status s); /* pass fail warn na error */
const char *audit_severity_name(enum audit_severity s);
const char *audit_subject_name(enum audit_subject s); /* host daemon image container */
bool audit_severity_parse(struct slice s, enum audit_severity *ret);
