/* scan_cli.h - `picket-agent scan TARGET`: the gate for a pipeline. */
#pragma once

/* argv[0] is what messages begin with. Returns the exit code of the contract. */
int scan_cli(int argc, char **argv);
