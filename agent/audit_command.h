/* audit_command.h - the audit with the room of images to look into their files. */
#pragma once
#include "agent/audit/live/live.h"

/* `picket-agent audit`. */
int audit_command(int argc, char **argv);
/* What the agent with this state_dir found in an image's files: a gather_stock_fn, for the audit's worker, too. */
int audit_known_stock(const char *id, const char *state_dir, struct arena *a, struct facts_stock *ret,
		      struct err *err) WARN_UNUSED;
/* Which files the agent with this run_dir sees writes of: a gather_watched_fn. */
int audit_watched(const char *run_dir, struct arena *a, struct facts_texts *ret, struct err *err) WARN_UNUSED;
/* Both, for the worker. */
extern const struct audit_outside audit_outside;
