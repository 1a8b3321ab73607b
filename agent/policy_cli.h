/* policy_cli.h - `picket-agent policy check FILE`. */
#pragma once

/* argv[0] is "policy". Returns the exit code: 3 where the file is wrong. */
int policy_cli(int argc, char **argv);
