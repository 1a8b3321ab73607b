/* audit_cli.h - `picket-agent audit`: the checks, now, on this host. */
#pragma once

/* argv[0] is what messages begin with. Returns the exit code: 0 fine, 1 a finding as --fail-on asks, 2 wrong usage,
 * 5 no such container or image, 6 the engine can't be reached. */
int audit_cli(int argc, char **argv);
