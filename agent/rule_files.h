/* rule_files.h - the rule files that a configuration names. */
#pragma once
#include "common/err.h"

enum { RULE_FILES_MAX = 256 };

struct rule_files {
	char *paths[RULE_FILES_MAX]; /* owned */
	size_t count;
};

/* Each path is a file, or a folder that gives its *.yaml and *.yml in order of name, as Falco's
 * rules.d does; names that begin with a dot are left out. paths: borrowed. Errors: errno with the
 * path, ERR_LIMIT. ret: caller frees with rule_files_fini, also on error. */
int rule_files_find(const char *const *paths, size_t count, struct rule_files *ret,
		    struct err *err) WARN_UNUSED;
void rule_files_fini(struct rule_files *f);
