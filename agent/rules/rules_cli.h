/* rules_cli.h - `picket-agent rules check|parse|compile|eval`. */
#pragma once

/* argv[0] is "rules". Returns the exit code: 0 fine, 2 usage, 3 a rule or file is wrong, 5 no such file. */
int rules_cli(int argc, char **argv);
