/* replay_event.h - one recorded line -> the fields that rules read. Pure: bytes in, JSON object out.
 *
 * Two forms: a flat object of field names, as `run --record` writes it ("evt.type" is in it), and the
 * event object of the collector ("type" and "process" are in it), whose parts are put under the names
 * that rules know. The second has less: one parent and few ancestors, no environment, no argv[0]. */
#pragma once
#include "common/json.h"

enum { REPLAY_LINE_MAX = 1024 * 1024 };

/* 1: *ret is an event (caller frees with cJSON_Delete). 0: nothing that rules judge (a finding, a gap, a
 * container's life, an empty line). Errors: ERR_SYNTAX "COLUMN: what", ERR_LIMIT. */
int replay_event(struct slice line, cJSON **ret, struct err *err) WARN_UNUSED;
