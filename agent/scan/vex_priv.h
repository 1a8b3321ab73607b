/* vex_priv.h - statements, shared by vex.c (the documents) and vex_apply.c (what they mean for a scan). */
#pragma once
#include "agent/scan/ids.h"
#include "agent/scan/purl.h"
#include "agent/scan/vex.h"

enum vex_status { VEX_NONE, VEX_NOT_AFFECTED, VEX_FIXED, VEX_AFFECTED, VEX_INVESTIGATING };

struct vex_name {
	struct slice text;
	struct vex_name *next;
};
/* A product or a part of one. */
struct vex_product {
	struct slice id;
	struct purl *purl; /* nullable: id is none */
	struct vex_product *parts, *next;
};
struct vex_statement {
	struct vex_name *names; /* of the vulnerability */
	struct vex_product *products, *parts; /* parts: of all products, as OpenVEX 0.0.1 has them */
	enum vex_status status;
	struct slice state, why, detail, time;
	uint64_t time_ns;
	const char *file;
	struct vex_statement *next;
};

struct vex {
	struct arena *arena;
	struct vex_statement **statements; /* malloc'd; in order of reading */
	size_t count, size;
	struct ids ids;
	const char *warnings[SCAN_WARNINGS_MAX];
	size_t warning_count;
};
