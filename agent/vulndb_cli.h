/* vulndb_cli.h - `picket-agent vulndb import|status|show|sign|verify`. */
#pragma once

/* argv[0] is "vulndb". Returns the exit code. */
int vulndb_cli(int argc, char **argv);
