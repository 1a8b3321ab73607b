/* judge_priv.h - between the files that judge a request: judge.c (which kind), judge_container.c, judge_image.c (one
 * function a kind), complete.c (what a request refers to), verdict.c (what is said). */
#pragma once
#include "agent/guard/authz/authz_priv.h"

enum az_rule {
#define AZ_RULE(name, id, what, way_out) AZ_##name,
#include "agent/guard/authz/az_rules.def"
#undef AZ_RULE
};

enum { RUNTIME_ONLY = 1u << POLICY_RUNTIME, IMAGE_ONLY = 1u << POLICY_IMAGE, EVERY_SECTION = (1u << POLICY_SECTION_COUNT) - 1 };

struct judge {
	const struct policy *p;
	const struct authz_request *rq;
	const struct authz_ops *ops;
	void *arg;
	uint64_t now_unix_s;
	struct arena *a;
	struct authz_path path;
	struct authz_verdict *v;
	/* Whom it is about, once that is certain: name, labels, and what the engine says of the image. Its scopes' modes
	 * decide from then on; before, the strictest of all. Nullable. */
	const struct policy_workload *about;
	struct err err;
};

/* ---- verdict.c ---- */

/* A refusal of ours; why: what exactly, or "". */
void az_refuse_form(struct judge *j, enum az_rule rule, const char *why);
/* By j->err: too much of something, something that isn't judged, or no sense in it. */
void az_refuse_body(struct judge *j);
/* The worst that the policy says, of the wanted sections. true: it was judged and refused; nothing more is to be said. */
bool az_is_refused(struct judge *j, const struct policy_workload *w, unsigned sections);
/* false: refused. */
bool az_is_told(struct judge *j, enum authz_known known, const char *what, const char *name);
/* Out of memory before anything. */
void az_refuse_all(struct authz_verdict *v, const char *why);

/* ---- complete.c ---- */

enum az_space { SPACE_PID, SPACE_IPC, SPACE_NETWORK };

const char *az_or_empty(const char *s);
/* Repository, digests, user and scan of the workload's image. The reference is what the engine will look up. */
bool az_know_image(struct judge *j, struct policy_workload *w, const char *reference);
/* What a namespace joined by way of other containers is in the end. */
bool az_follow(struct judge *j, enum az_space s, const char *mode, const char **ret);
/* Networks by their names: an id is as good for the engine. */
bool az_name_networks(struct judge *j, struct policy_workload *w);
/* All of a container. false: refused on the way. */
bool az_complete(struct judge *j, struct policy_workload *w);
/* false: refused, or there is none and the engine will say so. */
bool az_find_container(struct judge *j, const char *id, struct policy_workload *w);

/* ---- one function for each kind ---- */

/* The body as an object. NULL: refused. */
const struct authz_body *az_body_of(struct judge *j);
bool az_is_form(struct slice content_type);
void az_judge_create(struct judge *j);
void az_judge_start(struct judge *j);
void az_judge_archive(struct judge *j);
void az_judge_attach(struct judge *j);
void az_judge_exec_create(struct judge *j);
void az_judge_exec_start(struct judge *j);
void az_judge_update(struct judge *j);
void az_judge_rename(struct judge *j);
void az_judge_connect(struct judge *j);
void az_judge_build(struct judge *j);
void az_judge_grpc(struct judge *j);
void az_judge_made(struct judge *j);
void az_judge_pull(struct judge *j);
void az_judge_tag(struct judge *j);
void az_judge_volume(struct judge *j);
