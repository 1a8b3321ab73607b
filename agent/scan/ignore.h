/* ignore.h - findings that a person decided to live with: which, why, until when.
 *
 *	ignore:
 *	  - id: CVE-2023-4911
 *	    package: libc-bin          # nullable; a glob
 *	    path: opt/app.jar          # nullable; a glob
 *	    purl: pkg:deb/debian/libc-bin   # nullable; what it has, the package must have
 *	    reason: no setuid programs in this image
 *	    until: 2027-01-31          # nullable; the whole day counts
 *
 * Trivy's .trivyignore.yaml (vulnerabilities, paths, purls, statement, expired_at) and its plain
 * .trivyignore (an id a line, "exp:DATE") are read, too. */
#pragma once
#include "agent/scan/result.h"

struct ignore;

/* name: what the file is called, for messages and hush_source (borrowed as long as the result is used).
 * *ret: caller frees. ERR_SYNTAX says where and what. */
int ignore_parse(const char *name, struct slice text, struct ignore **ret, struct err *err) WARN_UNUSED;
int ignore_read(const char *path, struct ignore **ret, struct err *err) WARN_UNUSED;
void ignore_free(struct ignore *g);
DEFINE_CLEANUP(struct ignore, ignore_free)

/* Sets hush of each finding that an entry speaks of; an expired entry warns and does nothing. Texts of the
 * entries are borrowed as long as the result is used. */
void ignore_apply(struct ignore *g, struct scan_result *r);
