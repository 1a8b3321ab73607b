/* cvss.h - the score of a CVSS vector: v2, v3.0, v3.1 and v4.0. Pure; the text is from outside. */
#pragma once
#include "common/vulndb/vulndb.h"

enum { CVSS_VECTOR_MAX = 512 };

/* Base score of v2 and v3.x; of v4.0 with the threat and environment metrics the vector has. `CVSS:2.0/`
 * before a v2 vector and brackets around it are allowed. *ret: out, 0.0 .. 10.0. Metrics may come in any
 * order; ERR_SYNTAX names an unknown, repeated or missing one. */
int cvss_score(struct slice vector, double *ret, enum vuln_severity *ret_severity, struct err *err) WARN_UNUSED;
/* 2, 3 or 4; 0 when it is none. By its first letters only. */
unsigned cvss_version(struct slice vector);
