/* rules_list.h - every rule of a set, and what of MITRE ATT&CK for Containers they cover. */
#pragma once
#include "agent/rules/rules.h"

/* Two tables: the rules; the techniques with the number of enabled rules for each. */
void rules_list_text(const struct rules *r, struct buf *out);
/* {"rules":[…],"coverage":[{id,name,tactics,rules}],"macros":[{name,rules,techniques}],"tactics":{…},
 * "summary":{…}} and a line end. A macro covers what the enabled rules that use it do. */
void rules_list_json(const struct rules *r, struct buf *out);
