/* alerts_priv.h - the columns of an alert, shared by its verbs and its query. */
#pragma once
#include "collector/store/store_priv.h"

#define ALERT_COLUMNS                                                                              \
	"id, first_seen, last_seen, count, severity, priority, status, assignee, source, rule, "   \
	"title, host, agent, container_id, document, evidence, fold_key, container, image, actions"
enum { ALERT_CONTAINER = 17, ALERT_IMAGE = 18, ALERT_ACTIONS = 19 };

/* Borrowed until the statement's next step. */
void alerts_read_row(sqlite3_stmt *st, struct store_alert *ret);
/* alert_actions.c: what waited for this new alert. */
int alerts_take_actions(struct store *s, int64_t id, const char *fold_key, struct err *err) WARN_UNUSED;
