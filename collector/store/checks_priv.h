/* checks_priv.h - what the files about checks share. */
#pragma once
#include "collector/store/store_checks.h"
#include "collector/store/store_priv.h"

/* From here on people are told. */
#define CHECKS_TOLD_FROM SEVERITY_HIGH
/* Where a finding stands in lists: open before waived before mended, then the worst. */
#define CHECKS_RANK "((mended = 0) * 16 + (mended = 0 AND waiver = 0) * 8 + severity)"

enum msg_severity checks_severity(const char *word);
/* People may have to hear something else of (host, check). */
int checks_due(struct store *s, const char *agent, const char *check, struct err *err) WARN_UNUSED;
int checks_due_of_subject(struct store *s, int64_t subject, struct err *err) WARN_UNUSED;
/* The waiver in force that covers it; 0: none. */
int checks_find_waiver(struct store *s, const char *check, struct slice name, const char *host, int64_t *ret,
		       struct err *err) WARN_UNUSED;

/* container.life */
enum { LIFE_UNTOLD, LIFE_RUNS, LIFE_STOPPED };
/* The agent has told of all that runs: what was running and isn't among them has stopped, unseen. */
int containers_end_lives(struct store *s, const char *agent, struct err *err) WARN_UNUSED;
