/* api_history.h - questions to the history by name: what they take, and who answers. Private to api. */
#pragma once
#include "collector/api/api_priv.h"
#include "collector/store/store_history.h"

enum { ASKED_PARAMS = 8, ASKED_FILTER_BYTES = 4096 };

/* One question being answered. */
struct asked {
	struct api_call *c;
	struct store_query q;
	struct buf filter; /* of q */
};
struct question {
	const char *name, *about;
	const char *params[ASKED_PARAMS]; /* beside since, until, limit, cursor; "container!" must be there */
	const char *example;
	int (*answer)(struct asked *a, struct err *err);
};
extern const struct question *const api_questions[];
extern const size_t api_question_count;

/* The parameter or NULL. */
static inline const char *asked_param(const struct asked *a, const char *name)
{
	return api_param(a->c, name);
}
/* key="value" into the filter; nothing without a value. */
void asked_term(struct asked *a, const char *key, const char *value);
/* {"items":[…],"cursor":…,"reached":…,"lost":…} of the events that match; row gives each to the page: 0 when it gave one,
 * 1 when not, negative. end (nullable) writes what is left into items, and further members into the page's tail. */
struct asked_rows {
	int (*row)(void *arg, struct api_page *p, const struct store_event *e);
	void (*begin)(void *arg);
	void (*end)(void *arg, struct api_page *p);
	void *arg;
};
int asked_events(struct asked *a, const struct asked_rows *rows, struct err *err) WARN_UNUSED;

extern const struct question question_runs, question_process, question_binary, question_address, question_vulnerability,
	question_changes, question_silence;
