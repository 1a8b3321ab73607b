/* advise_cli.h - `picket-agent advise network CONTAINER`: who it can reach, who it did, and a policy out of that. */
#pragma once

/* argv[0] is the program. Returns the exit code. */
int advise_cli(int argc, char **argv);
