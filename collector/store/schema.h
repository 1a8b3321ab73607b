/* schema.h - what the files look like, as steps from one version to the next. Private to the store. */
#pragma once
#include "collector/store/db.h"

struct schema {
	const char *what;	  /* "state", "history": for errors */
	int32_t application_id;	  /* in the file's header: is it ours? */
	const char *const *steps; /* steps[n] leads from version n to n + 1; never edited, only added to */
	int count;
};

extern const struct schema schema_state, schema_day;

/* Brings the file up to date, each step in a transaction of its own. Several processes may try.
 * Errors: ERR_VERSION (made by a newer picket), ERR_CORRUPT (somebody else's database). */
int schema_migrate(struct db *d, const struct schema *sc, struct err *err) WARN_UNUSED;
