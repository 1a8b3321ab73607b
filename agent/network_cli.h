/* network_cli.h - `picket-agent network release`: lifts what the kernel enforces on the network of containers. */
#pragma once

/* Returns the exit code. */
int network_cli(int argc, char **argv);
