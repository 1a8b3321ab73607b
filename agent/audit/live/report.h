/* report.h - results of checks as what is sent. Pure. */
#pragma once
#include "agent/audit/audit.h"
#include "common/policy/policy.h"
#include "proto/msg.h"

/* Rules of the policy are checks, too: their ids in reports and the catalogue begin so. */
#define REPORT_POLICY_PREFIX "PKT-P-"

/* What the report is about. Strings never NULL. */
struct report_subject {
	enum audit_subject kind;
	const char *id, *name, *image, *image_id, *trigger, *catalogue;
};

/* Appends the packed AuditReport: the results that do not pass, the ids of those that do, and what the policy says
 * (verdict: nullable) of a container that is there all the same. ENOMEM, ERR_LIMIT (scratch). */
int report_pack(const struct report_subject *s, const struct audit_result *results, size_t count,
		const struct policy_verdict *verdict, struct arena *scratch, struct buf *out, struct err *err) WARN_UNUSED;
/* Appends the packed CheckCatalogue of every check and every rule of the policy; ret_key: its key. */
int report_catalogue(struct arena *scratch, struct buf *out, char ret_key[MSG_CATALOGUE_KEY_MAX], struct err *err) WARN_UNUSED;
/* "host" "daemon" "image" "container" */
const char *report_subject_name(enum audit_subject s);
