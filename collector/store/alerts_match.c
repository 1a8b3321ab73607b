/* alerts_match.c - one alert against a filter: of a question, a silence, a rule of inhibition. */
#include "collector/store/alerts_priv.h"
#include "common/json.h"

enum { DOCUMENT_BYTES = 1024 * 1024 };

#define OF_THE_FINDING                                                                                      \
	"severity", "host", "container", "container.id", "image", "rule", "source", "priority", "title", "agent", \
		"text", "process", "exe", "cmdline", "parent", "user", "path", "address", "tag"
const char *const alert_keys[] = { OF_THE_FINDING, "id",   "status", "assignee", "resolution", "silenced",
				   "count",	   "time", "since",  "until",	 NULL };
const char *const silence_keys[] = { OF_THE_FINDING, NULL };

/* Where in the document a key's text stands. */
static const struct {
	const char *key, *path[3];
} places[] = {
	{ "process", { "process", "name" } },	{ "exe", { "process", "exe" } },
	{ "cmdline", { "process", "cmdline" } }, { "parent", { "process", "parent", "name" } },
	{ "user", { "process", "user" } },	{ "path", { "file", "path" } },
	{ "address", { "network", "remote_address" } },
};

/* An alert, and what of it was read only because it was asked for. */
struct row {
	const struct store_alert *al;
	sqlite3_stmt *st; /* nullable */
	bool was_parsed;
	cJSON *document;
};

static const char *text_of(const struct row *row, const char *have, int column)
{
	return have ? have : row->st ? db_text(row->st, column) : "";
}

static const char *document_text(const struct row *row)
{
	return text_of(row, row->al->document, ALERT_DOCUMENT);
}

static const cJSON *document_of(struct row *row)
{
	if (!row->was_parsed) {
		row->was_parsed = true;
		/* One that can't be read has none of it. */
		if (json_parse(slice_of(document_text(row)), DOCUMENT_BYTES, &row->document, NULL) < 0)
			row->document = NULL;
	}
	return row->document;
}

static bool match_anywhere(const struct row *row, struct slice needle)
{
	const struct store_alert *al = row->al;
	const struct slice texts[] = { slice_of(al->rule),	   slice_of(al->title),
				       slice_of(al->host),	   slice_of(al->container_id),
				       slice_of(al->assignee),	   slice_of(al->priority),
				       slice_of(text_of(row, al->container, ALERT_CONTAINER)),
				       slice_of(text_of(row, al->image, ALERT_IMAGE)),
				       slice_of(document_text(row)) };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (filter_contains(texts[i], needle))
			return true;
	return false;
}

/* Twelve digits or more of a container's id name it, as docker prints them. */
static bool match_container_id(const struct filter_term *t, const char *id)
{
	struct slice want = slice_of(t->value), have = slice_of(id);

	if (t->op == FILTER_EQ && want.n >= 12 && want.n < have.n)
		return slice_starts(have, want) != t->is_negated;
	return filter_match_text(t, have);
}

/* A scan's alert is of all the hosts and containers that run the image, a check's of all that fail it: they stand in
 * its document. */
static bool is_of_places(const struct row *row)
{
	const char *source = row->al->source;

	return !strcmp(source, "scan") || !strcmp(source, "audit") ||
	       (!strcmp(source, "policy") && strstr(document_text(row), "\"hosts\":["));
}

static bool match_places(const struct filter_term *t, struct row *row)
{
	const cJSON *document = document_of(row);
	bool is_not = t->is_negated != (t->op == FILTER_NE), is_host = !strcmp(t->key, "host");
	struct filter_term p = *t;
	const cJSON *host, *box;

	p.is_negated = false;
	p.op = t->op == FILTER_NE ? FILTER_EQ : t->op;
	if (!document)
		return is_not;
	cJSON_ArrayForEach(host, cJSON_GetObjectItemCaseSensitive(document, "hosts"))
	{
		if (is_host && filter_match_text(&p, json_get_str(host, "name")))
			return !is_not;
		cJSON_ArrayForEach(box, cJSON_GetObjectItemCaseSensitive(host, "containers"))
		{
			if (!is_host && filter_match_text(&p, json_get_str(box, "name")))
				return !is_not;
		}
	}
	return is_not;
}

/* Several values, of which one must do; of a negated term none may. */
static bool match_tags(const struct filter_term *t, struct row *row)
{
	bool is_not = t->is_negated != (t->op == FILTER_NE);
	struct filter_term p = *t;
	const cJSON *tag;

	p.is_negated = false;
	p.op = t->op == FILTER_NE ? FILTER_EQ : t->op;
	cJSON_ArrayForEach(tag, cJSON_GetObjectItemCaseSensitive(document_of(row), "tags"))
	{
		if (cJSON_IsString(tag) && filter_match_text(&p, slice_of(tag->valuestring)))
			return !is_not;
	}
	return is_not;
}

static bool match_yes(const struct filter_term *t, bool is_so)
{
	return filter_match_text(t, is_so ? SLICE_LIT("yes") : SLICE_LIT("no"));
}

/* 1 and 0: it does, it doesn't; -1: no key of the document. */
static int match_document(const struct filter_term *t, struct row *row)
{
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (strcmp(t->key, places[i].key) != 0)
			continue;
		const cJSON *at = document_of(row);
		size_t k = 0;
		for (; k + 1 < ARRAY_LEN(places[i].path) && places[i].path[k + 1]; k++)
			at = cJSON_GetObjectItemCaseSensitive(at, places[i].path[k]);
		return filter_match_text(t, json_get_str(at, places[i].path[k]));
	}
	return strcmp(t->key, "tag") ? -1 : match_tags(t, row);
}

static bool match_term(const struct filter_term *t, struct row *row, uint64_t now)
{
	const struct store_alert *al = row->al;
	const struct {
		const char *key, *text;
	} texts[] = { { "status", al->status },	    { "host", al->host },
		      { "rule", al->rule },	    { "source", al->source },
		      { "assignee", al->assignee }, { "priority", al->priority },
		      { "title", al->title },	    { "agent", al->agent },
		      { "severity", msg_severity_name(al->severity) } };

	if (!t->key || !strcmp(t->key, "text"))
		return match_anywhere(row, slice_of(t->value)) != t->is_negated;
	if ((!strcmp(t->key, "host") || !strcmp(t->key, "container")) && is_of_places(row))
		return match_places(t, row);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (!strcmp(t->key, texts[i].key))
			return filter_match_text(t, slice_of(texts[i].text));
	if (!strcmp(t->key, "container"))
		return filter_match_text(t, slice_of(text_of(row, al->container, ALERT_CONTAINER)));
	if (!strcmp(t->key, "image"))
		return filter_match_text(t, slice_of(text_of(row, al->image, ALERT_IMAGE)));
	if (!strcmp(t->key, "resolution"))
		return filter_match_text(t, slice_of(text_of(row, al->resolution, ALERT_RESOLUTION)));
	if (!strcmp(t->key, "silenced"))
		return match_yes(t, al->silence != 0);
	if (!strcmp(t->key, "container.id"))
		return match_container_id(t, al->container_id);
	if (!strcmp(t->key, "id"))
		return filter_match_number(t, al->id);
	if (!strcmp(t->key, "count"))
		return filter_match_number(t, (int64_t)al->count);
	int is_met = match_document(t, row);
	return is_met >= 0 ? is_met : filter_match_time(t, now, al->last_seen_unix_ns);
}

/* What is read only when it must be comes last. */
static bool is_costly(const struct filter_term *t)
{
	static const char *const cheap[] = { "severity", "status", "rule", "source", "id", "count", "agent", "assignee",
					     "priority", "title", "time", "since", "until", "container.id" };

	for (size_t i = 0; t->key && i < ARRAY_LEN(cheap); i++)
		if (!strcmp(t->key, cheap[i]))
			return false;
	return true;
}

bool alerts_match(const struct filter *f, const struct store_alert *al, sqlite3_stmt *st, uint64_t now_unix_ns)
{
	struct row row = { .al = al, .st = st };
	bool is_met = true;

	for (int costly = 0; costly < 2; costly++)
		for (size_t i = 0; i < f->count && is_met; i++)
			if (is_costly(&f->terms[i]) == costly)
				is_met = match_term(&f->terms[i], &row, now_unix_ns);
	cJSON_Delete(row.document);
	return is_met;
}

bool alerts_asks_silenced(const struct filter *f)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->terms[i].key && !strcmp(f->terms[i].key, "silenced"))
			return true;
	return false;
}
