/* verdict.c - what is refused, by which rule, in whose mode, and how it is said. */
#include <stdarg.h>
#include <stdio.h>

#include "agent/guard/authz/judge_priv.h"
#include "common/log.h"

enum { MANY_DENIALS = 64 };

static const struct {
	const char *id, *what, *way_out;
} az_rules[] = {
#define AZ_RULE(name, id, what, way_out) [AZ_##name] = { id, what, way_out },
#include "agent/guard/authz/az_rules.def"
#undef AZ_RULE
};

/* What a request named goes to a terminal. */
PRINTF_LIKE(2, 3)
static void say(struct authz_verdict *v, const char *fmt, ...)
{
	char raw[sizeof(v->message)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	(void)log_escape(slice_of(raw), v->message, sizeof(v->message));
}

static void refuse(struct authz_verdict *v, const char *rule, bool is_enforced)
{
	(void)slice_copy(slice_of(rule), v->rule, sizeof(v->rule));
	v->answer = is_enforced ? AUTHZ_DENY : AUTHZ_ALLOW;
	v->is_monitored = !is_enforced;
}

/* Of any section: the form of a request matters where something is judged by what it says. */
static enum policy_mode mode_of(const struct judge *j)
{
	enum policy_mode most = POLICY_OFF;

	if (!j->p)
		return POLICY_ENFORCE;
	if (!j->about)
		return policy_mode_strictest(j->p);
	for (int s = 0; s < POLICY_SECTION_COUNT; s++) {
		enum policy_mode mode = policy_mode_for(j->p, j->about, (enum policy_section)s);

		most = mode > most ? mode : most;
	}
	return most;
}

void az_refuse_form(struct judge *j, enum az_rule rule, const char *why)
{
	enum policy_mode mode = mode_of(j);

	if (mode == POLICY_OFF)
		return;
	/* What was refused already stands; what is only told doesn't hide it. */
	if (*j->v->rule && (mode != POLICY_ENFORCE || j->v->answer == AUTHZ_DENY))
		return;
	refuse(j->v, az_rules[rule].id, mode == POLICY_ENFORCE);
	say(j->v, "%s %s%s%s: %s", az_rules[rule].id, az_rules[rule].what, *why ? ": " : "", why, az_rules[rule].way_out);
}

void az_refuse_body(struct judge *j)
{
	int code = j->err.code < 0 ? -j->err.code : j->err.code;

	az_refuse_form(j, code == ERR_LIMIT ? AZ_TOO_MUCH : code == ERR_DENIED ? AZ_UNJUDGED : AZ_BODY, j->err.msg);
}

void az_refuse_all(struct authz_verdict *v, const char *why)
{
	refuse(v, az_rules[AZ_UNKNOWN].id, true);
	say(v, "%s %s", az_rules[AZ_UNKNOWN].id, why);
}

static void refuse_by(struct judge *j, const struct policy_denial *d, size_t more)
{
	char others[40] = "";

	if (more)
		snprintf(others, sizeof(others), " (and %zu more)", more);
	refuse(j->v, d->rule, d->is_enforced);
	say(j->v, "%s %s: %s; policy %s:%u%s", d->rule, d->reason, d->way_out, policy_name(j->p), d->line, others);
}

bool az_is_refused(struct judge *j, const struct policy_workload *w, unsigned sections)
{
	const struct policy_denial *worst = NULL;
	struct policy_verdict verdict;
	size_t count = 0;

	(void)slice_copy(slice_of(w->name), j->v->container, sizeof(j->v->container));
	(void)slice_copy(slice_of(w->image), j->v->image, sizeof(j->v->image));
	if (policy_judge(j->p, w, j->now_unix_s, j->a, &verdict, &j->err) < 0) {
		az_refuse_form(j, AZ_UNKNOWN, j->err.msg);
		return true;
	}
	for (size_t i = 0; i < verdict.count; i++) {
		const struct policy_denial *d = &verdict.denials[i];

		if (*d->exception || !(sections & 1u << d->section))
			continue;
		count++;
		if (!worst || (d->is_enforced && !worst->is_enforced))
			worst = d;
	}
	/* A refusal stands; what is only told doesn't hide it. */
	if (worst && (worst->is_enforced || !*j->v->rule))
		refuse_by(j, worst, count - 1);
	if (worst && worst->is_enforced)
		return true;
	/* Denied by something beyond the list's end. */
	if (verdict.is_allowed || (sections != EVERY_SECTION && verdict.count < MANY_DENIALS))
		return false;
	refuse(j->v, az_rules[AZ_UNKNOWN].id, true);
	say(j->v, "%s denied for more reasons than can be told", az_rules[AZ_UNKNOWN].id);
	return true;
}

bool az_is_told(struct judge *j, enum authz_known known, const char *what, const char *name)
{
	char why[300];

	if (known != AUTHZ_NOT_KNOWN)
		return true;
	snprintf(why, sizeof(why), "%s %.200s", what, name);
	az_refuse_form(j, AZ_UNKNOWN, why);
	return false;
}
