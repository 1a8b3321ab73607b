/* audit_cli.h - `picket-agent audit`: the checks, now, on this host. */
#pragma once
#include "agent/audit/facts.h"

/* Looks into an image's files, for --files: setid_files, package_count, has_stock of ret, in a. The room that can is
 * another (agent/image): whoever knows both rooms hands it over. id: "sha256:…". */
typedef int (*audit_stock_fn)(const char *id, const char *docker_socket, struct arena *a, struct facts_image *ret,
			      struct err *err);

/* argv[0] is what messages begin with. stock: nullable. Returns the exit code: 0 fine, 1 a finding as --fail-on asks,
 * 2 wrong usage, 4 not allowed, 5 no such container or image, 6 the engine can't be reached. */
int audit_cli(int argc, char **argv, audit_stock_fn stock);
