/* api_reply.c - answers: JSON, problems (RFC 9457), and the headers that every one carries. */
#include <event2/buffer.h>

#include "collector/api/api_priv.h"

#include "common/log.h"

static const struct {
	int status;
	const char *words;
} words[] = {
	{ 200, "OK" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 429, "Too Many Requests" },
	{ 500, "Internal Server Error" },
	{ 507, "Insufficient Storage" },
};

static const char *words_of(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (words[i].status == status)
			return words[i].words;
	}
	return "Error";
}

static void add_headers(struct api_call *c, int status)
{
	static const char *const every[][2] = {
		{ "X-Content-Type-Options", "nosniff" },
		{ "Cache-Control", "no-store" },
		{ "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'" },
		{ "Strict-Transport-Security", "max-age=31536000" },
		{ "Referrer-Policy", "no-referrer" },
		{ "X-Frame-Options", "DENY" },
	};
	struct evkeyvalq *h = evhttp_request_get_output_headers(c->req);

	evhttp_add_header(h, "Content-Type", c->type ? c->type : "application/json");
	for (size_t i = 0; i < ARRAY_LEN(every); i++)
		evhttp_add_header(h, every[i][0], every[i][1]);
	if (status == 401)
		evhttp_add_header(h, "WWW-Authenticate", "Bearer realm=\"picket\"");
	if (status == 429)
		evhttp_add_header(h, "Retry-After", "1");
}

void api_reply(struct api_call *c, int status)
{
	struct evbuffer *body = evbuffer_new();

	if (!body || evbuffer_add(body, c->out.p, c->out.n) < 0) {
		LOG(ERROR, "api.reply", KV_STR("why", "out of memory"));
		status = 500;
	}
	add_headers(c, status);
	evhttp_send_reply(c->req, status, words_of(status), body);
	if (body)
		evbuffer_free(body);
}

/* "… column N: …" is how filter errors say where. */
static void add_column(struct json *j, const char *detail)
{
	const char *at = strstr(detail, "column ");
	unsigned column;

	if (at && sscanf(at, "column %u", &column) == 1)
		json_kv_u64(j, "column", column);
}

void api_reply_problem(struct api_call *c, int status, const char *detail)
{
	struct json j;

	buf_reset(&c->out);
	json_init(&j, &c->out);
	json_object_open(&j);
	json_kv_str(&j, "type", "about:blank");
	json_kv_str(&j, "title", words_of(status));
	json_kv_i64(&j, "status", status);
	if (detail) {
		json_kv_str(&j, "detail", detail);
		if (status == 400)
			add_column(&j, detail);
	}
	json_object_close(&j);
	c->type = "application/problem+json";
	api_reply(c, status);
}

void api_reply_err(struct api_call *c, const struct err *err)
{
	switch (err->code) {
	case ERR_SYNTAX:
	case ERR_LIMIT:
	case ERR_USAGE:
		api_reply_problem(c, 400, err->msg);
		return;
	case ERR_NOT_FOUND:
		api_reply_problem(c, 404, err->msg);
		return;
	case ERR_DENIED:
		api_reply_problem(c, 403, err->msg);
		return;
	default:
		/* What broke inside is for the operator's log, not for the client. */
		LOG(ERROR, "api.request", KV_STR("path", evhttp_request_get_uri(c->req)),
		    KV_STR("why", err->msg));
		api_reply_problem(c, 500, "the collector's log says why");
	}
}
