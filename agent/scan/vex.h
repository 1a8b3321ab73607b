/* vex.h - what vendors and authors say of vulnerabilities in their products: OpenVEX (0.0.1 to 0.2.0) and
 * CycloneDX's vulnerabilities with an analysis. A statement counts only for the product it names: the image,
 * or a package of it; what names no product is left out with a warning. */
#pragma once
#include "agent/scan/result.h"

struct vex;

int vex_new(struct vex **ret, struct err *err) WARN_UNUSED;
void vex_free(struct vex *v);
DEFINE_CLEANUP(struct vex, vex_free)

/* Adds a document's statements. name: as in ignore_parse. ERR_SYNTAX, ERR_LIMIT. */
int vex_parse(struct vex *v, const char *name, struct slice text, struct err *err) WARN_UNUSED;
int vex_read(struct vex *v, const char *path, struct err *err) WARN_UNUSED;

/* Of the statements about a finding the newest counts (by time, then as they came). Where it says not
 * affected or fixed, the finding is hushed. Texts are borrowed as long as the result is used. */
void vex_apply(struct vex *v, struct scan_result *r);
