/* audit_chain.h - tamper evidence of the audit log: two chains, of people's rows and of agents'. Private to the
 * store. Rows carry the value behind them; the table audit_chain has where each begins (what was pruned) and ends,
 * signed. */
#pragma once
#include "collector/store/history_priv.h"

struct audit_chain {
	struct chain_value value; /* of the newest row */
	int64_t last;		  /* its id; 0: none yet */
	struct chain_value noted; /* the head as the state has it, its id in the place of the count; 0: none */
};
int audit_chain_read(struct store *s, bool is_agent, struct audit_chain *ret, struct err *err) WARN_UNUSED;
void audit_chain_add(struct store *s, struct audit_chain *c, const struct store_audit *row, bool is_agent);
int audit_chain_write(struct store *s, bool is_agent, const struct audit_chain *c, struct err *err) WARN_UNUSED;
/* The rows up to this id are about to go. */
int audit_chain_rebase(struct store *s, bool is_agent, int64_t last, struct err *err) WARN_UNUSED;
