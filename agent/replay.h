/* replay.h - `picket-agent replay`: recorded events through rules, and what would have fired. */
#pragma once

/* argv[0] is the program. Returns the exit code. */
int replay_cli(int argc, char **argv);
