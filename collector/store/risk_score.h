/* risk_score.h - points, with their reasons, that make a score of 0 to 100. Pure.
 *
 * Of each kind the worst counts whole, each further one less, up to the kind's most: a hundred small things are no
 * disaster. Points are whole, and the score is their sum (at most 100), so that the reasons add up to it. */
#pragma once
#include "common/buf.h"
#include "common/vulndb/vulndb.h"
#include "proto/msg.h"

enum { RISK_REASONS_MAX = 64, RISK_REASONS_SHOWN = 5, RISK_TEXT_BYTES = 240 };
struct risk_kind {
	const char *name; /* vulnerability configuration alert exposure */
	double most, next; /* each further one counts this much of the one before */
};
extern const struct risk_kind risk_vulnerability, risk_configuration, risk_alert;

/* Of one kind, before they are weighed against each other. */
struct risk_part {
	const struct risk_kind *kind;
	size_t count, left_out; /* left_out: those beyond RISK_REASONS_MAX */
	struct risk_item {
		double points;
		char text[RISK_TEXT_BYTES];
	} items[RISK_REASONS_MAX];
};
void risk_add(struct risk_part *p, double points, const char *text);
/* The points of all, and the JSON objects {"points","what","text"} of those that have any, the most first, appended
 * to out with commas between (and before, where out is not empty). */
unsigned risk_write(struct risk_part *p, struct buf *out);

struct risk_vuln {
	enum vuln_severity severity;
	bool is_kev;
	double epss; /* < 0: unknown */
	bool is_executed, is_loaded, is_used_known; /* is_used_known: somebody looked */
};
double risk_vuln_points(const struct risk_vuln *v);
double risk_finding_points(enum msg_severity severity);
/* age_ns: since it was last seen. Halved after three days. */
double risk_alert_points(enum msg_severity severity, uint64_t age_ns);
