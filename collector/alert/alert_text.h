/* alert_text.h - the words and the document of an alert, made from one finding. Pure. */
#pragma once
#include "common/buf.h"
#include "common/json.h"
#include "proto/msg.h"

/* A name that a container chose, for a sentence: shown, cut, without backticks, which would end its quotes. */
void alert_text_name(struct buf *out, struct slice name, size_t max_chars);
/* A full sentence: "`wget` ran in container web-1 (nginx:1.25) on host-07, started by `sh`", "Read
 * sensitive file: `cat` opened `/etc/shadow` (read) in …"; of several matches with how many. Names are
 * what a container chose: shown by common/show.h, cut, and without backticks of their own. */
void alert_text_title(struct buf *out, const char *host, const Picket__Finding *f);
/* {"container":…,"process":…,"fields":…,"tags":…,"output":…,"description":…,"event_type":…} and, about a
 * system call, the members of record_json_deed; a finding too large for max_bytes loses its fields first, then its process's ancestors and rest. */
void alert_text_document(struct buf *out, const Picket__Finding *f, size_t max_bytes);
/* id in front of the list (a JSON array of ids, or ""), the newest max kept. */
int alert_text_evidence(struct buf *out, const char *list, const char *id, size_t max,
			struct err *err) WARN_UNUSED;
/* Which alerts are one: unambiguous whatever the names hold. */
void alert_text_fold_key(struct buf *out, const char *rule, const char *host, const char *container);
