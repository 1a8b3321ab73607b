/* rules_json.h - fields from a flat JSON object: {"evt.type":"open","fd.name":"/etc/shadow"}.
 *
 * Strings, numbers, booleans and arrays of them; what is absent or null has no value. "proc.aname[2]"
 * and "evt.arg.flags" are keys as they stand; an array under "proc.aname" is the ancestors, parent first.
 * Absent fields that others imply are made from them: fd.ip, fd.port, fd.net (both ends), fd.snet and the
 * like (from fd.sip). */
#pragma once
#include <cjson/cJSON.h>

#include "agent/rules/rules.h"

/* A source over event, borrowed as long as the source is used. */
struct rules_source rules_json_source(const cJSON *event);
