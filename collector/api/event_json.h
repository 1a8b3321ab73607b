/* event_json.h - an event of the history as the contract's JSON. Pure. */
#pragma once
#include "collector/store/store.h"
#include "common/json.h"

/* {id, time, host, agent, type, container, process, exit | gap | finding …}; type is what happened
 * ("exec", "container.start", …), or "finding", "gap", "container", or "unknown" for what a newer
 * agent sent. */
void event_json(struct json *j, const struct store_event *e);
