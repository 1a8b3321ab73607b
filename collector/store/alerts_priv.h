/* alerts_priv.h - the columns of an alert, shared by its verbs and its query. */
#pragma once
#include "collector/store/store_priv.h"

#define ALERT_COLUMNS                                                                              \
	"id, first_seen, last_seen, count, severity, priority, status, assignee, source, rule, "   \
	"title, host, agent, container_id, document, evidence, fold_key, container, image, actions, " \
	"resolution, duplicate_of, wake"
enum { ALERT_DOCUMENT = 14, ALERT_CONTAINER = 17, ALERT_IMAGE = 18, ALERT_RESOLUTION = 20 };

/* Borrowed until the statement's next step. */
void alerts_read_row(sqlite3_stmt *st, struct store_alert *ret);
/* Without what may be long (document, evidence, actions: NULL), so that rows nobody asks for cost little. */
void alerts_read_light(sqlite3_stmt *st, struct store_alert *ret);
/* alert_actions.c: what waited for this new alert. */
int alerts_take_actions(struct store *s, int64_t id, const char *fold_key, struct err *err) WARN_UNUSED;

/* alerts_match.c: the keys of an alert's filter, NULL-terminated; of a silence's, which can't ask for what people or
 * silences change. */
extern const char *const alert_keys[], *const silence_keys[];
/* An alert against a filter. st (nullable): where document and what else is NULL in al can be read from.
 * al->silence must be filled in where the filter asks for it. */
bool alerts_match(const struct filter *f, const struct store_alert *al, sqlite3_stmt *st, uint64_t now_unix_ns);
bool alerts_asks_silenced(const struct filter *f);

/* silences.c: the first in force that matches al (with st as above); 0 = none. */
int64_t silences_of(struct store *s, const struct store_alert *al, sqlite3_stmt *st, uint64_t now_unix_ns);
/* They changed, or may have: they are read again. */
void silences_stale(struct store *s);
void silences_free(struct store *s);
/* exceptions.c: as for silences. */
void exceptions_stale(struct store *s);
/* inhibit.c */
void inhibit_free(struct store *s);
