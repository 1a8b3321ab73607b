/* rule_text.c - see rule_text.h. */
#include "common/policy/rule_text.h"

#include "common/policy/policy_priv.h"

size_t policy_rule_count(void)
{
	return RULE_COUNT;
}

struct policy_rule_text policy_rule_at(size_t i)
{
	const struct policy_rule_row *row = &policy_rules[i];

	return (struct policy_rule_text){ row->number, row->section, row->reason, row->way_out };
}
