/* vulndb_cli_priv.h - the vulndb command between its two files. */
#pragma once
#include <stdbool.h>

#include "common/err.h"

/* Prints the error, returns its exit code. */
int vulndb_cli_fail(int r, const struct err *err);
int vulndb_cli_usage(void);
int vulndb_cli_import(int argc, char **argv);
