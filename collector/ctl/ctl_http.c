/* ctl_http.c - picketctl's side of the API. */
#include <ctype.h>
#include <errno.h>

#include "collector/ctl/ctl.h"

#include "common/fetch.h"
#include "common/file.h"
#include "common/show.h"
#include "common/text.h"

enum { TIMEOUT_MS = 30 * 1000, /* as long as the API gives a client to ask */
       TOKEN_BYTES = 4096, ANSWER_BYTES = 16 * 1024 * 1024 };

static void escape(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (isalnum((unsigned char)*s) || strchr("-._~", *s))
			buf_add_char(out, *s);
		else
			buf_printf(out, "%%%02X", (unsigned)(unsigned char)*s);
	}
}

void ctl_query(struct buf *path, const char *name, const char *value)
{
	if (!value || !value[0])
		return;
	buf_printf(path, "%c%s=", memchr(path->p, '?', path->n) ? '&' : '?', name);
	escape(path, value);
}

void ctl_escape_path(struct buf *path, const char *segment)
{
	escape(path, segment);
}

static int read_token(struct ctl *c, struct err *err)
{
	if (c->token.n)
		return 0;
	int r = file_read(c->token_file, TOKEN_BYTES, &c->token, err);
	if (r < 0)
		return err_wrap(err, r, "token");
	while (c->token.n && isspace((unsigned char)c->token.p[c->token.n - 1]))
		c->token.p[--c->token.n] = 0;
	if (!c->token.n || !text_is_clean(buf_slice(&c->token)))
		return err_set(err, ERR_SYNTAX, "%s: holds no token", c->token_file);
	return 0;
}

/* The server's own words, if it gave any; it is not trusted with the terminal. */
static int refusal(const struct ctl *c, long status, struct slice body, struct err *err)
{
	CLEANUP(buf_finip) struct buf words = { 0 };
	cJSON *doc = NULL;
	int code = status == 400 ? ERR_USAGE : status == 401 || status == 403 ? ERR_DENIED :
		   status == 404 ? ERR_NOT_FOUND : ERR_LIMIT;

	if (status == 401)
		return err_set(err, code, "the collector answers 401: it doesn't know the token in '%.150s', or it "
			       "has expired", c->token_file);
	buf_init(&words, 8192);
	if (json_parse(body, ANSWER_BYTES, &doc, NULL) == 0)
		show_text(&words, json_get_str(doc, "detail"), 200);
	cJSON_Delete(doc);
	return err_set(err, code, "the collector answers %ld%s%s", status, words.n ? ": " : "",
		       words.n ? words.p : "");
}

int ctl_request(struct ctl *c, const char *path, const struct slice *body, struct buf *ret,
		struct err *err)
{
	CLEANUP(buf_finip) struct buf url = { 0 }, auth = { 0 };
	long status = 0;

	buf_init(ret, 0);
	int r = read_token(c, err);
	if (r < 0)
		return r;
	size_t n = strlen(c->server);
	while (n && c->server[n - 1] == '/')
		n--;
	buf_printf(&url, "%s%.*s%s", strstr(c->server, "://") ? "" : "https://", (int)n, c->server, path);
	if (strncmp(url.p, "https://", 8) != 0)
		return err_set(err, ERR_USAGE, "server '%.100s': only https, the token is a secret", c->server);
	if (c->ca && access(c->ca, R_OK) < 0)
		return err_set(err, errno, "CA '%.150s'", c->ca);
	buf_printf(&auth, "Authorization: Bearer %s", c->token.p);
	const char *const headers[] = { auth.p, "User-Agent: picketctl/" PICKET_VERSION,
					"Content-Type: application/json", NULL };
	struct fetch_request rq = {
		.url = url.p,
		.method = body ? "POST" : "GET",
		.headers = headers,
		.body = body ? *body : SLICE_NONE,
		.ca_file = c->ca,
		.timeout_ms = c->timeout_ms ? c->timeout_ms : TIMEOUT_MS,
		.max_body_bytes = ANSWER_BYTES,
	};
	r = fetch_wait(&rq, &status, ret, err);
	if (r == -ERR_CRYPTO && !c->ca)
		return err_wrap(err, r, "%.100s: no --ca given, and the system's CAs don't know it", c->server);
	if (r < 0)
		return err_wrap(err, r, "%.100s", c->server);
	return status >= 400 ? refusal(c, status, buf_slice(ret), err) : 0;
}
