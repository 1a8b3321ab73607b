/* filter.h - the one filter language: severity>=high host=web-* image~nginx -status:resolved
 * since=24h "free text". Parsed once into terms; pure over bounded text (4 KiB, 64 terms). */
#pragma once
#include "common/arena.h"
#include "common/err.h"

enum filter_op { FILTER_EQ, FILTER_NE, FILTER_GLOB, FILTER_CONTAINS, FILTER_LT, FILTER_LE, FILTER_GT,
	FILTER_GE, FILTER_TEXT };
struct filter_term {
	const char *key;     /* NULL for free text */
	enum filter_op op;   /* key=v and key:v are EQ, or GLOB with * or ?; key~v is CONTAINS */
	const char *value;
	bool is_negated;     /* -term */
	unsigned column;     /* from 1 */
};
struct filter {
	struct filter_term *terms;
	size_t count; /* all must hold */
};
/* keys: the names allowed here, NULL-terminated. Error: ERR_SYNTAX "column N: …, did you mean …". */
int filter_parse(struct slice text, const char *const *keys, struct arena *a, struct filter *ret,
		 struct err *err) WARN_UNUSED;
/* Does a text value satisfy the term (negation included)? Numbers and times compare as such. */
bool filter_match_text(const struct filter_term *t, struct slice value);
bool filter_match_number(const struct filter_term *t, int64_t value);
/* "24h" before now, a day, or RFC 3339: what since=, until= and time= take. */
bool filter_time_parse(struct slice s, uint64_t now_unix_ns, uint64_t *ret_unix_ns);
/* Is needle somewhere in hay? ASCII letters of either case are the same; what ~ and free text mean. */
bool filter_contains(struct slice hay, struct slice needle);
/* A moment against a term whose key is since, until or time. */
bool filter_match_time(const struct filter_term *t, uint64_t now_unix_ns, uint64_t unix_ns);
/* Narrows [*since, *until] (0 = open) by the terms that name a time: what can't match outside. */
void filter_window(const struct filter *f, uint64_t now_unix_ns, uint64_t *since, uint64_t *until);
