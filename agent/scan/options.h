/* options.h - the command line of `picket-agent scan`. */
#pragma once
#include "agent/scan/format.h"

enum { SCAN_VEX_MAX = 32 };

/* When the exit code is 1. */
enum scan_gate { GATE_NONE, GATE_SEVERITY, GATE_KEV };

struct scan_options {
	const char *target;
	const char *db, *db_key; /* db: the default unless is_db_given */
	const struct format *format;
	const char *output; /* nullable: standard output */
	uint32_t severities;
	bool fixable_only, include_dev, list_packages, show_suppressed, no_progress, is_db_given;
	enum scan_gate gate;
	enum vuln_severity gate_severity;
	const char *ignore_file; /* nullable: the default where it is there */
	const char *vex[SCAN_VEX_MAX];
	size_t vex_count;
	/* of the image */
	bool lockfiles, is_insecure, password_stdin;
	const char *user, *ca_file, *platform, *engine_socket, *cache_dir;
	uint64_t timeout_ms;
};

#define SCAN_DEFAULT_DB "/var/lib/picket/vulndb.sqlite"
#define SCAN_DEFAULT_IGNORE ".picketignore.yaml"

extern const char scan_usage[];

/* argv[0] is what getopt's own messages begin with. 0; 1: help was asked for; -ERR_USAGE with err, or with
 * err->msg empty where getopt has said it. */
int scan_options_parse(int argc, char **argv, struct scan_options *ret, struct err *err) WARN_UNUSED;
