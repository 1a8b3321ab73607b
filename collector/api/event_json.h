/* event_json.h - an event of the history as the contract's JSON. Pure. */
#pragma once
#include "collector/store/store.h"
#include "common/json.h"

/* {id, time, host, type, container, process, exit | gap | finding | action …} and what record_json_deed
 * writes of a system call; type is what happened
 * ("exec", "file", "container.start", …), or "finding", "gap", "container", or "unknown" for what a newer
 * agent sent. */
void event_json(struct json *j, const struct store_event *e);
