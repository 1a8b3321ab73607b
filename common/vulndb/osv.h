/* osv.h - an OSV record (schema 1.x, any ecosystem) as an advisory. */
#pragma once
#include "common/vulndb/advisory.h"

struct osv;
struct osv *osv_new(void) WARN_UNUSED;
/* text: one record. *ret: texts live in the arena. ERR_SYNTAX, ERR_LIMIT say what is wrong and where; then
 * ret->key is set if the id was read. Fields of the wrong type count as absent, but for id, events and
 * versions. */
int osv_read(struct osv *o, struct slice text, struct arena *a, struct advisory *ret, struct err *err) WARN_UNUSED;
void osv_free(struct osv *o);
DEFINE_CLEANUP(struct osv, osv_free)
