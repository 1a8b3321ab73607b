/* guard_cli.h - `picket-agent guard`: the Docker authorization plugin, a process of its own. */
#pragma once

/* argv[0] is "guard". Runs until SIGTERM; returns the exit code. */
int guard_cli(int argc, char **argv);
