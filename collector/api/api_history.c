/* api_history.c - questions to the history by name: GET /api/v1/history lists them, …/history/NAME asks. */
#include "collector/api/api_history.h"

const struct question *const api_questions[] = { &question_runs,	  &question_process, &question_binary,
						 &question_address, &question_vulnerability, &question_changes,
						 &question_silence };
const size_t api_question_count = ARRAY_LEN(api_questions);

/* "container!" -> 9 and true */
static size_t name_length(const char *param, bool *ret_must)
{
	size_t n = strlen(param);

	*ret_must = n && param[n - 1] == '!';
	return n - *ret_must;
}

int api_history_list(struct api_call *c, struct err *err)
{
	struct json j;
	bool must;

	(void)err;
	json_init(&j, &c->out);
	json_object_open(&j);
	json_kv_array(&j, "items");
	for (size_t i = 0; i < api_question_count; i++) {
		const struct question *qu = api_questions[i];

		json_object_open(&j);
		json_kv_str(&j, "name", qu->name);
		json_kv_str(&j, "about", qu->about);
		json_kv_array(&j, "needs");
		for (size_t k = 0; k < ASKED_PARAMS && qu->params[k]; k++) {
			size_t n = name_length(qu->params[k], &must);

			if (must)
				json_str(&j, slice_from(qu->params[k], n));
		}
		json_array_close(&j);
		json_kv_array(&j, "takes");
		for (size_t k = 0; k < ASKED_PARAMS && qu->params[k]; k++) {
			size_t n = name_length(qu->params[k], &must);

			if (!must && strcmp(qu->params[k], "tree") != 0)
				json_str(&j, slice_from(qu->params[k], n));
		}
		json_array_close(&j);
		json_kv_str(&j, "example", qu->example);
		json_object_close(&j);
	}
	json_array_close(&j);
	json_kv_str(&j, "cursor", "");
	json_object_close(&j);
	return 0;
}

/* What it takes instead: "needs vuln=; takes day= since= until= limit= cursor=". */
static int refuse_param(const struct question *qu, const char *name, struct err *err)
{
	CLEANUP(buf_finip) struct buf says = { 0 };
	bool must, is_first = true;

	buf_init(&says, 1024);
	for (size_t i = 0; i < ASKED_PARAMS && qu->params[i]; i++) {
		size_t n = name_length(qu->params[i], &must);

		if (must)
			buf_printf(&says, "%s%.*s=", is_first ? "needs " : " ", (int)n, qu->params[i]);
		is_first &= !must;
	}
	buf_add_str(&says, is_first ? "takes" : "; takes");
	for (size_t i = 0; i < ASKED_PARAMS && qu->params[i]; i++)
		if (name_length(qu->params[i], &must) && !must && strcmp(qu->params[i], "tree") != 0)
			buf_printf(&says, " %s=", qu->params[i]);
	buf_add_str(&says, " since= until= limit= cursor=");
	return err_set(err, ERR_USAGE, "'%s' takes no '%.40s': it %s", qu->name, name, says.failed ? "" : says.p);
}

static int check_params(const struct question *qu, const struct api_call *c, struct err *err)
{
	static const char *const common[] = { "since", "until", "limit", "cursor", "order" };
	const struct evkeyval *kv;
	bool must;

	for (kv = c->query.tqh_first; kv; kv = kv->next.tqe_next) {
		bool is_known = false;

		for (size_t i = 0; i < ARRAY_LEN(common); i++)
			is_known |= !strcmp(kv->key, common[i]);
		for (size_t i = 0; i < ASKED_PARAMS && qu->params[i]; i++)
			is_known |= slice_is(slice_from(qu->params[i], name_length(qu->params[i], &must)), kv->key);
		if (!is_known)
			return refuse_param(qu, kv->key, err);
	}
	for (size_t i = 0; i < ASKED_PARAMS && qu->params[i]; i++) {
		char name[32];
		size_t n = name_length(qu->params[i], &must);

		snprintf(name, sizeof(name), "%.*s", (int)n, qu->params[i]);
		if (must && !api_param(c, name))
			return err_set(err, ERR_USAGE, "'%s' needs %s=…", qu->name, name);
	}
	return 0;
}

int api_history_ask(struct api_call *c, struct err *err)
{
	struct asked a = { .c = c };

	for (size_t i = 0; i < api_question_count; i++) {
		const struct question *qu = api_questions[i];

		if (!slice_is(c->id, qu->name))
			continue;
		int r = check_params(qu, c, err);
		if (r >= 0)
			r = api_page_query(c, &a.q, err);
		if (r < 0)
			return r;
		buf_init(&a.filter, ASKED_FILTER_BYTES);
		r = qu->answer(&a, err);
		buf_fini(&a.filter);
		return r;
	}
	return err_set(err, ERR_NOT_FOUND, "no question '%.*s': GET /api/v1/history lists them",
		       SLICE_FMT(slice_sub(c->id, 0, 40)));
}

void asked_term(struct asked *a, const char *key, const char *value)
{
	if (!value)
		return;
	buf_printf(&a->filter, "%s%s=\"", a->filter.n ? " " : "", key);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			buf_add_char(&a->filter, '\\');
		buf_add_char(&a->filter, *value);
	}
	buf_add_char(&a->filter, '"');
}

/* ---- answers made of events ---- */

struct event_run {
	struct api_page *page;
	const struct asked_rows *rows;
};

static int on_event(void *arg, const struct store_event *e)
{
	struct event_run *run = arg;
	int r = run->rows->row(run->rows->arg, run->page, e);

	if (r)
		return r;
	return api_page_row_done(run->page);
}

static int add_lost(struct api *a, const struct store_query *q, struct api_page *p, struct err *err)
{
	struct store_lost lost;
	struct json j;
	int r = store_history_lost(a->store, q, &lost, err);

	if (r < 0)
		return r;
	buf_add_str(&p->tail, ",\"lost\":");
	json_init(&j, &p->tail);
	api_lost_json(&j, &lost);
	return 0;
}

/* How far a search got that is not at its end: the day of its cursor. */
static void add_reached(struct api_page *p, const char *cursor)
{
	unsigned date;

	if (sscanf(cursor, "h%u.", &date) == 1)
		buf_printf(&p->tail, ",\"reached\":\"%04u-%02u-%02u\"", date / 10000, date / 100 % 100, date % 100);
}

/* api_page_write has no room for what a run is about: one call at a time is answered. */
static const struct asked_rows *answering;

static int run_events(struct api *a, const struct store_query *q, struct api_page *p, char *ret_cursor,
		      size_t cursor_size, struct err *err)
{
	struct event_run run = { p, answering };

	if (answering->begin)
		answering->begin(answering->arg);
	int r = store_history_query(a->store, q, on_event, &run, ret_cursor, cursor_size, err);
	if (r < 0)
		return r;
	if (answering->end)
		answering->end(answering->arg, p);
	add_reached(p, ret_cursor);
	/* Once for all pages. */
	return q->cursor && q->cursor[0] ? 0 : add_lost(a, q, p, err);
}

int asked_events(struct asked *a, const struct asked_rows *rows, struct err *err)
{
	if (a->filter.failed)
		return err_set(err, ERR_LIMIT, "the question is too long");
	a->q.filter = buf_slice(&a->filter);
	answering = rows;
	return api_page_write(a->c, &a->q, run_events, err);
}
