/* notify_template.h - a small template language over JSON for bodies and headers: Mustache's tags, and values that
 * can't break out of where they stand.
 *
 *   {{path}}            the value, escaped as the inside of a JSON string
 *   {{path|json}}       the value as JSON, with its quotes or brackets
 *   {{path|upper}} {{path|lower}} {{path|short}}   short: the first 12 characters
 *   {{path|url}}        percent-encoded
 *   {{#path}}…{{/path}} for each element of a list; once, if it is something else and neither false, null, "" nor 0
 *   {{^path}}…{{/path}} if it isn't any of that
 *   {{! remark}}
 *
 * A path is names with dots: container.name; "." is the value itself. Names are looked for in the innermost value
 * first, then further out. No loops without a list, no calls, no files. */
#pragma once
#include <cjson/cJSON.h>

#include "common/buf.h"
#include "common/err.h"

struct notify_template;
enum notify_escape { NOTIFY_ESCAPE_JSON, NOTIFY_ESCAPE_LINE }; /* LINE: no control characters, for headers */
/* text: copied; at most 64 KiB, 1,000 tags, nested 16 deep. ERR_SYNTAX "line N: …". */
int notify_template_parse(struct slice text, struct notify_template **ret, struct err *err) WARN_UNUSED;
/* ERR_LIMIT: more than out takes. */
int notify_template_write(const struct notify_template *t, const cJSON *doc, enum notify_escape escape, struct buf *out,
			  struct err *err) WARN_UNUSED;
void notify_template_free(struct notify_template *t);
DEFINE_CLEANUP(struct notify_template, notify_template_free)
