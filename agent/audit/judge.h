/* judge.h - what a check sees, and the words it answers with. Only this folder's checks include it. */
#pragma once
#include "agent/audit/audit.h"

/* One check over one subject. What is not the subject's is NULL; the engine and the host are always there. */
struct judge {
	const struct audit_check *check;
	const struct facts_host *host;
	const struct facts_daemon *daemon;
	const struct facts_image *image;	/* nullable */
	const struct facts_container *c;	/* nullable */
	const struct facts_asked *asked;	/* of c; nullable */
	const struct facts_real *real;		/* of c, where the kernel could be asked; nullable */
	struct arena *arena;
	struct audit_result *result; /* being made */
	const char *path;	     /* {path} of the fix; "" */
	bool is_weaker;		     /* what is, is less safe than what was asked for */
	/* of this run, before this check, with is_weaker of each: for the checks that sum up */
	const struct audit_result *done;
	const bool *done_weaker;
	size_t done_count;
	bool failed; /* the arena is full */
};

typedef enum audit_status (*check_fn)(struct judge *j);

/* Each sets the evidence (one line, made safe to show) and returns its status, so that to judge and to say why are
 * one act. Lower-case sentences without a full stop. */
enum audit_status judge_pass(struct judge *j, const char *fmt, ...) PRINTF_LIKE(2, 3) WARN_UNUSED;
enum audit_status judge_fail(struct judge *j, const char *fmt, ...) PRINTF_LIKE(2, 3) WARN_UNUSED;
enum audit_status judge_fail_as(struct judge *j, enum audit_severity s, const char *fmt, ...) PRINTF_LIKE(3, 4) WARN_UNUSED;
enum audit_status judge_warn(struct judge *j, const char *fmt, ...) PRINTF_LIKE(2, 3) WARN_UNUSED;
enum audit_status judge_warn_as(struct judge *j, enum audit_severity s, const char *fmt, ...) PRINTF_LIKE(3, 4) WARN_UNUSED;
enum audit_status judge_na(struct judge *j, const char *fmt, ...) PRINTF_LIKE(2, 3) WARN_UNUSED;
enum audit_status judge_unknown(struct judge *j, const char *fmt, ...) PRINTF_LIKE(2, 3) WARN_UNUSED;

/* What was asked for and what is are not the same; the evidence has to name both. */
void judge_differs(struct judge *j, bool is_weaker);
/* "", or "; asked for, container not running": for evidence of what the kernel did not confirm. */
const char *judge_asked_only(const struct judge *j);

/* Names one after the other, at most `most`, then "and 12 more". */
struct names {
	char text[700];
	size_t n, count, most;
};
void names_add(struct names *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
const char *names_text(struct names *l);

/* Facts that several checks look at. */
bool judge_text_in(const struct facts_texts *t, const char *what);
/* The value of the last "key=value" or "key:value" of the options; "" where it stands alone; NULL: not there. */
const char *judge_option(const struct facts_texts *options, const char *key);
bool judge_is_root_name(const char *user); /* "", root, 0, 00, 0:0, root:root */
bool judge_is_running(const struct facts_container *c);
bool judge_is_root(const struct judge *j); /* some process is the host's root; asked for, where not running */
bool judge_has_nnp(const struct judge *j);
/* Bits of what was asked for: the default, what was added and dropped; all with privileged. */
uint64_t judge_asked_caps(const struct judge *j);
/* "SYS_ADMIN, NET_RAW" */
void judge_caps_names(uint64_t caps, struct names *ret);
/* Bit of "SYS_ADMIN", "cap_sys_admin"; -1: none. */
int judge_cap(const char *name);
#define CAP_BIT(n) (UINT64_C(1) << (n))
