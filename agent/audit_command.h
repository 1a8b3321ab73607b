/* audit_command.h - the audit with the room of images to look into their files. */
#pragma once
#include "agent/audit/gather.h"

/* `picket-agent audit`. */
int audit_command(int argc, char **argv);
/* What the agent with this state_dir found in an image's files: a gather_stock_fn, for the audit's worker, too. */
int audit_known_stock(const char *id, const char *state_dir, struct arena *a, struct facts_stock *ret,
		      struct err *err) WARN_UNUSED;
