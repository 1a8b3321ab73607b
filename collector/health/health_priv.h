/* health_priv.h - between health.c (what is open, and what becomes of it) and health_look.c (what is wrong now). */
#pragma once
#include "collector/health/health.h"

enum health_kind {
#define HEALTH(id, ...) HEALTH_##id,
#include "collector/health/health.def"
#undef HEALTH
	HEALTH_KINDS
};

enum { SUBJECT_BYTES = 80, HOST_BYTES = 280, TITLE_BYTES = 400, DETAIL_BYTES = 600, CASES_MAX = 20000 };

/* Something that is wrong, as it was seen in one look. */
struct found {
	enum health_kind kind;
	enum msg_severity severity;
	char subject[SUBJECT_BYTES], host[HOST_BYTES];
	char title[TITLE_BYTES], detail[DETAIL_BYTES];
};

struct founds {
	struct found *v; /* owned */
	size_t count, room;
	uint64_t beyond; /* past CASES_MAX */
};

/* All that is wrong now, sorted by (name of the kind, subject). before: the answers' durations half a minute to a minute ago. */
int health_look(struct store *s, const struct clock *clk, const struct health_config *cfg, const struct health_facts *facts,
		const struct prom_durations *before, bool may_judge_silence, struct founds *ret, struct err *err) WARN_UNUSED;
