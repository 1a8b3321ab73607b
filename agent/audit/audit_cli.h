/* audit_cli.h - `picket-agent audit`: the checks, now, on this host. */
#pragma once
#include "agent/audit/gather.h"

/* The room of images is another: whoever knows both hands this over. Each nullable. */
struct audit_stocks {
	gather_stock_fn take;  /* looks into its files; where: the engine's socket */
	gather_stock_fn known; /* what the agent of this host knows of them; where: its folder for state */
	const char *state_dir; /* default of --state-dir */
	gather_watched_fn watched; /* where: its folder for sockets */
	const char *run_dir;	   /* default of --run-dir */
};

/* argv[0] is what messages begin with. stocks: borrowed. Returns the exit code: 0 fine, 1 a finding as --fail-on asks,
 * 2 wrong usage, 4 not allowed, 5 no such container or image, 6 the engine can't be reached. */
int audit_cli(int argc, char **argv, const struct audit_stocks *stocks);
