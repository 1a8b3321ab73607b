/* alert_kept.h - alerts of a state (a vulnerability, a check) and not of events: opened once, kept up to date in silence,
 * closed with why. Private to this room. */
#pragma once
#include "collector/alert/alert.h"

enum { ALERT_DOCUMENT_BYTES = 128 * 1024 };
const char *alert_priority(enum msg_severity severity); /* Falco's word */
/* row: all but status, assignee, evidence. */
int alert_open(struct store *s, struct store_alert *row, struct alert_change *ret, struct err *err) WARN_UNUSED;
/* ERR_NOT_FOUND: it is here no longer. */
int alert_renew(struct store *s, struct store_alert *row, int64_t id, enum alert_renewal how, struct alert_change *ret,
		struct err *err) WARN_UNUSED;
