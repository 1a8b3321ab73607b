/* version_cli.h - `picket-agent version-compare SCHEME A B` and `version-match SCHEME RANGE VERSION`. */
#pragma once

/* Return the exit code: 0 and "<", "=", ">" or "true", "false" on standard output; 2 usage; 3 no version of
 * that scheme, or no range. */
int version_compare_cli(int argc, char **argv);
int version_match_cli(int argc, char **argv);
