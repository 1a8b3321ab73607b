/* rule_text.h - the rules of the policy as a list, for who shows them all. */
#pragma once
#include "common/policy/policy.h"

struct policy_rule_text {
	const char *id; /* "AC-101" */
	enum policy_section section;
	const char *reason, *way_out; /* $1 and $2 stand for what was asked for */
};
size_t policy_rule_count(void);
/* i: below that. Static. */
struct policy_rule_text policy_rule_at(size_t i);
