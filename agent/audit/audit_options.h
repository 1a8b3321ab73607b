/* audit_options.h - the command line of `picket-agent audit`. */
#pragma once
#include "agent/audit/audit_cli.h"

enum { AUDIT_ASKED_MAX = 256 };

struct audit_options {
	const char *containers[AUDIT_ASKED_MAX], *images[AUDIT_ASKED_MAX], *checks[AUDIT_ASKED_MAX];
	size_t container_count, image_count, check_count;
	const char *socket, *state_dir, *run_dir;
	enum { FORMAT_TABLE, FORMAT_JSON, FORMAT_SARIF } format;
	enum audit_severity gate;
	bool has_gate, files, fixes, all, list;
	const struct audit_stocks *stocks;
};

extern const char audit_usage[];

/* Reads argv into o, which has stocks and the defaults already. 1: help was asked for. ERR_USAGE. */
int audit_options_parse(int argc, char **argv, struct audit_options *o, struct err *err) WARN_UNUSED;
/* Of one image it takes a moment to look into its files, and nothing else says what is in it; of all a while. */
bool audit_options_files(const struct audit_options *o);
