/* event_log.h - `run --record FILE`: every event that reached user space as a line of JSON, field name ->
 * value, as `rules eval` and `replay` take it.
 *
 * Bounded: at max_bytes the file becomes FILE.1 (the one before it goes) and a new one begins. It holds
 * command lines and paths of everybody: readable by its owner only. */
#pragma once
#include "agent/rules/rules.h"

struct event_log;

/* Replaces path; a link there is not followed. *ret: caller frees with event_log_close. Errors: errno. */
int event_log_open(const char *path, uint64_t max_bytes, struct event_log **ret, struct err *err) WARN_UNUSED;
/* Fields with an argument ("evt.arg.flags", "proc.aname[2]") are written when the rules name them. */
void event_log_set_rules(struct event_log *l, const struct rules *r);
/* type: evt.type; NULL (no event to rules): not written. After a failed write (disk full) nothing more is
 * written, which is logged once. */
void event_log_add(struct event_log *l, const char *type, const struct rules_source *src);
/* What is buffered goes to the file. */
void event_log_flush(struct event_log *l);
uint64_t event_log_count(const struct event_log *l);
void event_log_close(struct event_log *l);
DEFINE_CLEANUP(struct event_log, event_log_close)
